"""An outside program as a player: UCI for chess, USI for shogi.

One client speaks both. python-chess has one for UCI, but the two dialects differ in a handful of words, and all that
can go wrong with a program is to be told in the same words in both: python-chess waits without end for a move by clock
or by nodes, and a crash and an illegal move are one error to it.

Nothing is waited for without a deadline, and whatever a program does wrong is a ``ProgramFailed``, after which it is
ended, with all the processes that it started itself, and begun anew for its next game. Programs are no part of the
terminal's process group, so Ctrl-C does not reach them: whoever made a ``ProgramPlayer`` closes it.
"""

import contextlib
import difflib
import math
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agents.engine.board import Board
from games.errors import BadMove, shown
from rlcore.game import Game

__all__ = ["Answer", "Limits", "Line", "Program", "ProgramFailed", "ProgramPlayer", "parse_program"]

PROTOCOLS = {"chess": "uci", "shogi": "usi"}
"""What programs speak, by game."""

_START_SECONDS = 30.0
"""For ``uciok``; GUIs wait 10 to 60 s."""
_READY_SECONDS = 120.0
"""For ``readyok``: networks are loaded and tables are cleared meanwhile."""
_QUIT_SECONDS = 1.0
_LATE_SECONDS = 5.0
"""A program whose time is up is waited for so much longer, to tell whether it is late or hangs."""
_LONGEST_LINE = 1 << 16
_MOST_LINES = 10_000
"""Lines that a program may be ahead of its reader before it has to wait."""
_LONGEST_NAME = 100
_MATE = 100_000.0
"""Centipawns that a mate is worth, less one for each move until then."""


class ProgramFailed(Exception):
    """A program lost its game by other means than its moves, or cannot be started.

    Args:
        how: in a word or two: "crash", "hang", "time", "illegal move" or "resignation".
        reason: the same as the predicate of a sentence whose subject is the program.
    """

    def __init__(self, how: str, reason: str) -> None:
        super().__init__(reason)
        self.how, self.reason = how, reason


class Program(NamedTuple):
    """How a program is started."""

    command: tuple[str, ...]
    options: Mapping[str, str]
    """To set, as their values are written in the protocol; an empty value presses a button."""
    wishes: Mapping[str, str] = {}
    """The same, for options that are set where the program has them."""


class Limits(NamedTuple):
    """What an engine may use. The first of nodes, seconds and clock that is given counts."""

    nodes: int | None = None
    """A move."""
    seconds: float | None = None
    """A move."""
    clock: tuple[float, float] | None = None
    """Seconds a game, and seconds that are added after each move."""
    byoyomi: float = 0.0
    """With a clock: seconds that each move may take once the clock has run down."""
    margin: float = 0.1
    """Seconds that an answer may be late without losing, for what pipes and a busy machine take."""
    patience: float = 60.0
    """Seconds a move after which a program that is limited by nodes hangs."""

    def __str__(self) -> str:
        """Such as ``0.5 s a move``; nothing where none is given."""
        if self.nodes is not None:
            return f"{self.nodes:,} nodes a move"
        if self.seconds is not None:
            return f"{self.seconds:g} s a move"
        if self.clock is None:
            return ""
        main, increment = (f"{seconds:g}" for seconds in self.clock)
        if self.byoyomi:
            return (
                f"{main} s a game, then {self.byoyomi:g} s a move" if any(self.clock) else f"{self.byoyomi:g} s a move"
            )
        return f"{main}+{increment} s a game"

    @property
    def by_time(self) -> bool:
        """Whether it is time that counts."""
        return self.nodes is None and (self.seconds is not None or self.clock is not None)

    def allowed(self, left: float) -> float | None:
        """Seconds for a move, where so many are ``left`` on the clock; None = as long as it takes."""
        if self.nodes is not None:
            return None
        return left + self.byoyomi if self.seconds is None else self.seconds


class Answer(NamedTuple):
    """What a program played."""

    action: int
    seconds: float
    """From the question to the answer."""
    centipawns: float | None
    """What it thinks of its position; none where it did not say."""


class Line(NamedTuple):
    """A move that a program has looked at, and what it thinks of it."""

    action: int
    centipawns: float
    """A mate is worth 100,000, less one for each move until then."""
    wdl: tuple[float, float, float] | None
    """Chances to win, draw and lose, which sum to one, where it says so (``UCI_ShowWDL``)."""


def parse_program(text: str) -> Program:
    """A program as a command line names it: ``stockfish,Skill Level=0,Hash=16``, arguments after its name.

    Raises:
        ProgramFailed: there is no program in the text.
    """
    command, *settings = text.split(",")
    try:
        words = shlex.split(command, posix=os.name == "posix")  # elsewhere a backslash is a part of the path
    except ValueError as error:
        raise ProgramFailed("crash", f"cannot be started: {error} in {shown(command)}") from None
    if os.name != "posix":
        words = [word.strip('"') for word in words]
    if not words:
        raise ProgramFailed("crash", "cannot be started: write cmd:PROGRAM ARGUMENTS,OPTION=VALUE,OPTION=VALUE")
    options = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        options[name.strip()] = value.strip()
    return Program(tuple(words), options)


# --- the process -----------------------------------------------------------------------------------------------------


class _Process:
    """A running program: lines in, lines out, and its certain end."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a process group of its own; the flag does the same on Windows
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ProgramFailed("crash", f"cannot be started: {command[0]}: {reason}") from None
        self._lines: queue.Queue[tuple[float, str] | None] = queue.Queue(_MOST_LINES)
        self._complaints: deque[str] = deque(maxlen=1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._read_complaints, daemon=True).start()

    def _read(self) -> None:
        """Keep lines with the moment at which each arrived; none at the end."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while line := stream.readline(_LONGEST_LINE):
                self._lines.put((time.perf_counter(), line.decode("utf-8", "replace").strip()))
        self._lines.put(None)

    def _read_complaints(self) -> None:
        """Keep the last line that says something: in a Python program, the exception."""
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while line := stream.readline(_LONGEST_LINE):
                if text := line.decode("utf-8", "replace").strip():
                    self._complaints.append(text)

    def send(self, line: str) -> None:
        """Write a line; a program that does not read until the pipe is full is killed, which ends the writing."""
        assert self._process.stdin is not None
        stuck = threading.Timer(_LATE_SECONDS, self._kill)
        stuck.start()
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            if stuck.finished.is_set():
                raise ProgramFailed("hang", "hung: it no longer read what it was told") from None
            raise self._crash() from None
        finally:
            stuck.cancel()

    def receive(self, deadline: float) -> tuple[float, str] | None:
        """The next line and when it arrived; None where that is after ``deadline``. Times by ``perf_counter``."""
        try:
            found = self._lines.get(timeout=max(deadline - time.perf_counter(), 0.0))
        except queue.Empty:
            return None
        if found is None:
            raise self._crash()
        return found if found[0] <= deadline else None  # a flood of lines is no answer either

    def forget(self) -> None:
        """Pass over what has arrived."""
        for _ in range(self._lines.qsize()):
            if self._lines.get() is None:
                raise self._crash()

    def _crash(self) -> ProgramFailed:
        """Why the program is gone."""
        try:
            status = self._process.wait(_QUIT_SECONDS)
        except subprocess.TimeoutExpired:
            return ProgramFailed("crash", "closed its output")
        words = f" ({shown(self._complaints[-1], 200)})" if self._complaints else ""
        if status < 0:
            return ProgramFailed("crash", f"crashed with signal {-status}, {signal.strsignal(-status)}{words}")
        return ProgramFailed("crash", f"ended with exit status {status}{words}")

    def _kill(self) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def end(self, politely: bool) -> None:
        """End it, and whatever it has started; ``politely`` gives it a second to do so by itself."""
        if politely:
            with contextlib.suppress(ProgramFailed, subprocess.TimeoutExpired):
                self.send("quit")
                self._process.wait(_QUIT_SECONDS)
        self._kill()
        self._process.wait()
        deadline = time.perf_counter() + _QUIT_SECONDS
        while self._reader.is_alive() and time.perf_counter() < deadline:  # it may be waiting for room
            with contextlib.suppress(queue.Empty):
                self._lines.get(timeout=0.01)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


# --- the protocol ----------------------------------------------------------------------------------------------------


class _Option(NamedTuple):
    """What a program says of an option: ``option name Hash type spin default 16 min 1 max 1024``."""

    name: str
    kind: str
    least: int | None
    most: int | None
    choices: tuple[str, ...]

    @classmethod
    def parse(cls, line: str) -> "_Option | None":
        found = re.match(r"option\s+name\s+(.+?)\s+type\s+(\w+)(.*)", line)
        if found is None:
            return None
        name, kind, rest = found.groups()
        bounds = (re.search(rf"\s{word}\s+(-?\d{{1,18}})(?!\S)", rest) for word in ("min", "max"))
        least, most = (int(bound[1]) if bound else None for bound in bounds)
        choices = re.findall(r"\svar\s+(.+?)(?=\s+var\s|$)", rest)
        return cls(name, kind.lower(), least, most, tuple(choices))

    def objection(self, value: str) -> str:
        """What is wrong with a value; nothing if it may be set."""
        if self.kind == "spin":
            least, most = (
                -math.inf if self.least is None else self.least,
                math.inf if self.most is None else self.most,
            )
            if not re.fullmatch(r"-?\d{1,18}", value) or not least <= int(value) <= most:
                return f"a whole number from {least} to {most}"
        if self.kind == "check" and value not in ("true", "false"):
            return "true or false"
        if self.kind == "combo" and self.choices and value not in self.choices:
            return "one of " + ", ".join(self.choices)
        return ""


class _Client:
    """A program that is spoken to: hello, a new game, a move."""

    def __init__(self, program: Program, protocol: str) -> None:
        self.protocol = protocol
        self.name = os.path.basename(program.command[0])
        """What it calls itself, once it has been greeted."""
        self._program = program
        self._options: dict[str, _Option] = {}
        self._process = _Process(program.command)

    def greet(self) -> None:
        """Say hello and set its options."""
        self._process.send(self.protocol)
        for line in self._until(f"{self.protocol}ok", _START_SECONDS):
            if line.startswith("id name "):
                self.name = "".join(filter(str.isprintable, line.removeprefix("id name ")))[:_LONGEST_NAME].strip()
            elif option := _Option.parse(line):
                self._options[option.name.lower()] = option
        for name, value in self._program.wishes.items():
            if name.lower() in self._options:
                self._set(name, value)
        for name, value in self._program.options.items():
            self._set(name, value)

    def _until(self, word: str, seconds: float) -> Iterator[str]:
        """The lines before the one that begins with a word."""
        deadline = time.perf_counter() + seconds
        while found := self._process.receive(deadline):
            if found[1].split(maxsplit=1)[:1] == [word]:
                return
            yield found[1]
        raise ProgramFailed("hang", f"hung: no {word} in {seconds:g} s")

    def _set(self, name: str, value: str) -> None:
        option = self._options.get(name.lower())
        if option is None:
            similar = difflib.get_close_matches(name.lower(), self._options, 3)
            hint = f"; it has {', '.join(self._options[key].name for key in similar)}" if similar else ""
            raise ProgramFailed("crash", f"has no option {shown(name)}{hint}")
        if wrong := option.objection(value):
            raise ProgramFailed("crash", f"cannot set {option.name} to {shown(value)}: it must be {wrong}")
        self._process.send(f"setoption name {option.name}" + (f" value {value}" if option.kind != "button" else ""))

    def new_game(self) -> None:
        """Tell it to forget what it knows, and wait until it is ready."""
        if self.protocol == "uci":
            self._process.send("ucinewgame")
        self._process.send("isready")
        for _ in self._until("readyok", _READY_SECONDS):
            pass
        if self.protocol == "usi":
            self._process.send("usinewgame")

    def ask(
        self, position: str, go: str, patience: float, heed: Callable[[str], None] | None = None
    ) -> tuple[str, float, float | None]:
        """The move that is played, the seconds it took, and the newest score on the way, in centipawns.

        ``heed`` gets all lines before the move.
        """
        self._process.send(position)
        self._pass_over()
        centipawns = None
        begun = time.perf_counter()
        self._process.send(go)
        while found := self._process.receive(begun + patience):
            moment, line = found
            words = line.split()
            if words[:1] == ["bestmove"]:
                return words[1] if len(words) > 1 else "", moment - begun, centipawns
            centipawns = _score(line, centipawns)
            if heed is not None:
                heed(line)
        raise ProgramFailed("hang", f"hung: no move in {patience:g} s")

    def _pass_over(self) -> None:
        """Whatever it has said unasked: it might be a move."""
        if self.protocol == "usi":  # an engine may take isready in mid-game for the next one
            self._process.forget()
            return
        self._process.send("isready")
        for _ in self._until("readyok", _READY_SECONDS):
            pass

    def tell(self, line: str) -> None:
        """What needs no answer."""
        self._process.send(line)

    def end(self, politely: bool) -> None:
        self._process.end(politely)


def _score(line: str, before: float | None) -> float | None:
    """The score of an info line; ``before`` where it has none."""
    found = re.match(r"info\s(?!string)(?:.*\s)?score\s+(cp|mate)\s+([+-]?\d*)", line)
    if found is None or re.search(r"\smultipv\s+(?!1(?!\S))\S", line):
        return before
    centipawns = _centipawns(*found.groups())
    return before if centipawns is None else centipawns


def _centipawns(kind: str, number: str) -> float | None:
    """A score in centipawns, of the kinds "cp" and "mate"; none where there is no number."""
    if kind == "cp":
        return float(number) if number.strip("+-") else None
    moves = float(number.strip("+-") or 0)
    return moves - _MATE if number.startswith("-") else _MATE - moves


_LINE = re.compile(
    r"info\s(?!string)(?:.*\s)?score\s+(cp|mate)\s+([+-]?\d*)(?:\s+wdl\s+(\d{1,4})\s+(\d{1,4})\s+(\d{1,4}))?"
    r"\s(?:.*\s)?pv\s+(\S+)"
)


class _Thought(NamedTuple):
    """What an info line says of a move."""

    rank: int
    """1 for the best move, by ``multipv``."""
    move: str
    centipawns: float
    wdl: tuple[float, float, float] | None

    @classmethod
    def parse(cls, line: str) -> "_Thought | None":
        """None where it says nothing of a move, or no more than a bound."""
        found = _LINE.match(line)
        if found is None or re.search(r"\s(lower|upper)bound\s", line):
            return None
        kind, number, *chances, move = found.groups()
        centipawns = _centipawns(kind, number)
        if centipawns is None:
            return None
        rank = re.search(r"\smultipv\s+(\d{1,4})\s", line)
        win, draw, loss = (float(chance or 0) for chance in chances)
        total = win + draw + loss
        wdl = (win / total, draw / total, loss / total) if total > 0 else None
        return cls(int(rank[1]) if rank else 1, move, centipawns, wdl)


def _latest_thoughts(lines: Sequence[str]) -> list[_Thought]:
    """What was said last of the best moves, by rank: programs end with all of them."""
    thoughts: dict[int, _Thought] = {}
    for line in reversed(lines):
        thought = _Thought.parse(line)
        if thought is not None:
            if thought.rank in thoughts:
                break
            thoughts[thought.rank] = thought
    return [thought for _, thought in sorted(thoughts.items())]


# --- the player ------------------------------------------------------------------------------------------------------


class ProgramPlayer:
    """A program that plays one game after the other; close it in the end.

    Raises:
        ProgramFailed: it cannot be started as wished.
    """

    def __init__(self, game: Game, program: Program, limits: Limits) -> None:
        if game.name not in PROTOCOLS:
            raise ProgramFailed("crash", f"cannot play {game.name}, only {' and '.join(PROTOCOLS)}")
        if limits.byoyomi and PROTOCOLS[game.name] == "uci":
            raise ProgramFailed("crash", "speaks UCI, which knows no byoyomi: let each move add to the clock instead")
        self.game, self.limits = game, limits
        self._program, self._protocol = program, PROTOCOLS[game.name]
        self._closed = False
        self._client: _Client | None = None
        self._start, self._moves = "", list[str]()
        with self._blame():
            name = self._running().name
        settings = (f"{option}={value}" if value else option for option, value in program.options.items())
        self.name = ", ".join([name, *settings])

    def begin(self, board: Board, seed: int) -> None:
        """Get ready for a game. There is no way to tell a program the seed.

        Raises:
            ProgramFailed: it does not.
        """
        self._start = "startpos" if board.start == Board(self.game).start else self._position(board)
        self._moves = []
        with self._blame():
            self._running().new_game()

    def _running(self) -> _Client:
        """The program, started where it is not running."""
        client = self._client
        if client is None:
            self._client = client = _Client(self._program, self._protocol)
            if self._closed:  # meanwhile
                raise ProgramFailed("crash", "was closed")
            client.greet()
        return client

    def _position(self, board: Board) -> str:
        return f"{'fen' if self._protocol == 'uci' else 'sfen'} {self.game.write(board.start)}"

    def move(self, board: Board, clocks: Sequence[float]) -> Answer:
        """Its move in the game that has begun.

        Args:
            clocks: seconds left to the side that moves first and to the other one, where there are clocks.

        Raises:
            ProgramFailed: there is none, or not a legal one.
        """
        with self._blame():
            position, go, patience = self._position_line(board), self._go(clocks), self._patience(clocks[board.turn])
            word, seconds, centipawns = self._running().ask(position, go, patience)
            return Answer(self._action(board, word), seconds, centipawns)

    def analyse(self, board: Board) -> list[Line]:
        """What it thinks of its best moves in the game that has begun, the best first: as many as its option MultiPV

        has it show. Limits by clock are no limits here.

        Raises:
            ProgramFailed: it says nothing, or names a move that is not legal.
        """
        said: list[str] = []
        with self._blame():
            position, go, patience = self._position_line(board), self._go((0.0, 0.0)), self._patience(0.0)
            self._running().ask(position, go, patience, said.append)
            thoughts = _latest_thoughts(said)
            if not thoughts:
                raise ProgramFailed("illegal move", "gave no score for any move")
            actions = [self._action(board, thought.move) for thought in thoughts]
            lines = (Line(action, one.centipawns, one.wdl) for action, one in zip(actions, thoughts, strict=True))
            return list({line.action: line for line in lines}.values())

    def _position_line(self, board: Board) -> str:
        for ply in range(len(self._moves), len(board.actions)):
            self._moves.append(self.game.to_text(board.history.states[0, ply], board.actions[ply]))
        return f"position {self._start}" + (f" moves {' '.join(self._moves)}" if self._moves else "")

    def _go(self, clocks: Sequence[float]) -> str:
        nodes, seconds, clock = self.limits.nodes, self.limits.seconds, self.limits.clock
        first, second = "wb" if self._protocol == "uci" else "bw"
        if nodes is not None:
            return f"go nodes {nodes}"
        if seconds is not None:
            if self._protocol == "usi":  # where movetime is an extension that few know
                return f"go btime 0 wtime 0 byoyomi {_milliseconds(seconds)}"
            return f"go movetime {_milliseconds(seconds)}"
        assert clock is not None
        byoyomi = int(1000 * self.limits.byoyomi)
        left = (int(1000 * own) if byoyomi else _milliseconds(own) for own in clocks)  # with byoyomi, 0 is usual
        added = int(1000 * clock[1])
        times = (f"{side}time {time}" for side, time in zip((first, second), left, strict=True))
        if self._protocol == "usi" and not added:  # increments are an extension, and gpsusi crashes at the word
            return f"go {' '.join(times)} byoyomi {byoyomi}"
        return f"go {' '.join(times)} {first}inc {added} {second}inc {added}"

    def _patience(self, left: float) -> float:
        """Seconds after which it hangs."""
        allowed = self.limits.allowed(left)
        return self.limits.patience if allowed is None else allowed + self.limits.margin + _LATE_SECONDS

    def _action(self, board: Board, word: str) -> int:
        if not word:
            raise ProgramFailed("illegal move", "played no move")
        if word == "resign":
            raise ProgramFailed("resignation", "resigned")
        if word == "win":  # a valid declaration has ended the game before
            raise ProgramFailed("illegal move", "declared a win that the rules do not give")
        try:
            return int(self.game.from_text(board.state, word.lower() if self._protocol == "uci" else word))
        except BadMove as error:
            raise ProgramFailed("illegal move", f"played an illegal move: {error}") from None

    @contextlib.contextmanager
    def _blame(self) -> Iterator[None]:
        """End a program that fails in between; one that resigns has not."""
        try:
            if self._closed:
                raise ProgramFailed("crash", "was closed")
            yield
        except BaseException as error:
            if not (isinstance(error, ProgramFailed) and error.how == "resignation"):
                self._end(politely=False)
            raise

    def finish(self, score: float) -> None:
        """Tell it how the game ended: 1, 0.5 or 0 points for it. UCI has no word for that."""
        if self._protocol == "usi" and self._client is not None:
            with contextlib.suppress(ProgramFailed), self._blame():
                self._client.tell(f"gameover {'lose' if score == 0 else 'win' if score == 1 else 'draw'}")

    def close(self, politely: bool = True) -> None:
        """End the program for good; may be called from another thread, while it thinks."""
        self._closed = True
        self._end(politely)

    def _end(self, politely: bool) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.end(politely)


def _milliseconds(seconds: float) -> int:
    """At least one: some programs take zero for no limit."""
    return max(int(1000 * seconds), 1)
