"""What the tests of the engine for GUIs share: the real program, driven through its pipes as a GUI does."""

import os
import queue
import random
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OK_SECONDS = 1.0
"""For ``uciok`` and ``usiok``."""
COMPILING = "info string compiling kernels for this machine, once; up to a minute or two"
LONG = 240.0
"""Seconds after which a program that says nothing is said to hang: kernels may have to be compiled meanwhile."""


class Program:
    """A running engine, and the lines it has sent."""

    def __init__(self, script: str, *arguments: str, cwd: Path = ROOT, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=os.environ | environment,
            start_new_session=True,
        )
        self.said: list[str] = []
        self.errors = b""
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def send(self, *lines: str | bytes) -> None:
        """Send lines, each by itself."""
        assert self.process.stdin is not None
        for line in lines:
            self.process.stdin.write((line.encode() if isinstance(line, str) else line) + b"\n")
            self.process.stdin.flush()

    def until(self, wanted: str) -> list[str]:
        """The lines up to one that begins with a word, that one among them."""
        found: list[str] = []
        while True:
            line = self._lines.get(timeout=LONG)
            assert line is not None, (
                f"ended while {wanted!r} was expected; it said {self.said[-5:]}, {self.errors[-2000:]!r}"
            )
            found.append(line)
            if line.split()[:1] == [wanted]:
                return found

    def ask(self, *lines: str | bytes, until: str = "bestmove") -> list[str]:
        """Send lines; what comes back up to the word."""
        self.send(*lines)
        return self.until(until)

    def ready(self) -> list[str]:
        """What came back before ``readyok``; empty lines are signs of life while something is loaded, and where the
        kernels are not in the cache a line explains why it takes long."""
        return [line for line in self.ask("isready", until="readyok")[:-1] if line and line != COMPILING]

    def quiet(self, seconds: float = 0.3) -> list[str]:
        """What it says by itself in some time."""
        time.sleep(seconds)
        return self.ready()

    def leave(self, how: Callable[[], None] | None = None) -> float:
        """End it, by ``quit`` unless told otherwise; seconds until it was gone, and everything that it started."""
        assert self.process.stdin is not None
        began = time.perf_counter()
        if how is None:
            self.send("quit")
        else:
            how()
        assert self.process.wait(LONG) == 0
        seconds = time.perf_counter() - began
        for thread in self._threads:
            thread.join(LONG)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()  # type: ignore[union-attr]
        if hasattr(os, "killpg"):
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                pass
            else:
                raise AssertionError("the engine has left processes behind")
        assert b"Traceback" not in self.errors, self.errors.decode()
        return seconds

    def close_input(self) -> None:
        """The client is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """For what a failed test leaves behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.decode("ascii").rstrip("\r\n"))
            self._lines.put(self.said[-1])
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line


def started(protocol: str, *arguments: str, **environment: str) -> Program:
    """The engine for "uci" or "usi", greeted: without a network, and with a small tree."""
    program = Program(f"{protocol}.py", *arguments, **environment)
    program.ask(protocol, until=f"{protocol}ok")
    hash_name = {"uci": "Hash", "usi": "USI_Hash"}[protocol]
    program.send("setoption name WeightsFile value untrained", f"setoption name {hash_name} value 16")
    return program


def kept(program: Program, info: re.Pattern[str], answer: re.Pattern[str]) -> Iterator[Program]:
    """A program for many tests; at the end it leaves, and every line that it has sent is looked at."""
    yield program
    try:
        program.leave()
    finally:
        program.kill()
    for line in program.said:
        if line.startswith("info ") and not line.startswith("info string "):
            assert info.fullmatch(line), line
        if line.startswith(("bestmove", "checkmate")):
            assert answer.fullmatch(line), line


def introduction(protocol: str) -> list[str]:
    """The options that a program names when it is greeted, a line each; a slow start is a warning."""
    began = time.perf_counter()
    program = Program(f"{protocol}.py")
    lines = program.ask(protocol, until=f"{protocol}ok")
    seconds = time.perf_counter() - began
    assert lines[0].startswith("id name rlcore")
    assert lines[1].startswith("id author ")
    program.leave()
    print(f"{lines[-1]} after {seconds:.2f} s")
    if seconds > OK_SECONDS:  # a busy machine is no bug: seen, not failed
        warnings.warn(f"{lines[-1]} took {seconds:.2f} s, more than {OK_SECONDS} s", stacklevel=2)
    return lines[2:-1]


def leave_in_mid_search(program: Program, how: str) -> None:
    """End it by "quit" or by the end of its input while it thinks."""
    program.ready()
    program.send("go infinite")
    program.until("info")
    print(f"gone after {program.leave(None if how == 'quit' else program.close_input):.2f} s")


def best_of(lines: list[str]) -> str:
    """The move of the last line, ``bestmove MOVE ...``; the last ``info`` line before it begins with that move."""
    words = lines[-1].split()
    infos = [line.split() for line in lines if line.startswith("info ") and " multipv 1 " in line]
    assert infos, f"no info before {lines}"
    if "pv" in infos[-1]:
        assert infos[-1][infos[-1].index("pv") + 1] == words[1]
    return words[1]


_WORDS = (
    b"uci usi position startpos fen sfen moves e2e4 7g7f P*5e go mate depth nodes infinite ponder btime wtime byoyomi "
    b"-1 99999999999999999999 1e9 setoption name value Hash USI_Hash MultiPV stop ponderhit ucinewgame usinewgame 0000 "
    b"gameover searchmoves movetime \x00 \xff\xfe \xe2\x80 8/8/8/8/8/8/8/8 9/9/9/9/9/9/9/9/9 w b - \r \x1b[31m debug "
    b"movestogo 0"
).split(b" ")


def annoy(program: Program, rng: random.Random, lines: int) -> None:
    """Send lines that no client should, wait for ``readyok`` after each, and end whatever they have begun."""
    for _ in range(lines):
        line = b" ".join(rng.choices(_WORDS, k=rng.randrange(1, 12)))
        if rng.random() < 0.2:
            line = rng.randbytes(rng.randrange(1, 200)).replace(b"\n", b" ")
        program.send(line)
        program.ready()
    program.send("stop", "ucinewgame", "usinewgame", "position startpos")
    program.ready()
