"""A run on Ray whose processes die all the time, and whose books must be right in the end.

Players die most often, the trainer now and then; where asked for also the whole run, which is begun again. Nothing is
killed before games have come home since the last time, so that the run is always at work when it is hit.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from selfplay.audit import Books, audit

__all__ = ["Process", "Soaked", "descendants", "left", "soak"]

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_SECONDS = 300.0  # for games to come home, and for a run to end
_LEAVING_SECONDS = 120.0  # for the processes of a run that has ended; Ray's own take up to half a minute
_OTHERS = {"trainer": 8, "run": 12}  # every so-maniest victim, about; all others are players
_TINY = """
    --max-minutes 0 --strength-games 0 --exact-minutes 0 --checkpoint-minutes 0.1
    --actor.games 16 --actor.cache-positions 0 --search.simulations 4 --search.considered 4
    --network.blocks 1 --network.channels 8 --network.value-hidden 8
    --learner.batch-size 32 --learner.publish-steps 20 --cluster.call-seconds 0.5 --cluster.store-megabytes 100
"""


class Process(NamedTuple):
    """A process of this machine; its start tells it from a later one of the same number."""

    number: int
    started: int
    """In clock ticks since the machine started."""
    title: str

    @property
    def megabytes(self) -> float:
        """Memory in use; 0 where it has ended."""
        try:
            return int(Path(f"/proc/{self.number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        except OSError:
            return 0.0


class Soaked(NamedTuple):
    """What has come of it."""

    killed: dict[str, int]
    books: Books
    faults: list[str]
    megabytes: dict[str, list[float]]
    """Memory by kind of process, each time that something was killed."""


def _processes() -> dict[Process, int]:
    """All of this machine that have not ended, with their parents' numbers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *rest = (path / "stat").read_text().rpartition(")")[2].split()
            title = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # it has ended meanwhile
        if state != "Z":
            found[Process(int(path.name), int(rest[17]), title)] = int(parent)
    return found


def descendants(number: int) -> list[Process]:
    """All processes that a process has started, and those that they have."""
    parents, family = _processes(), {number}
    while more := {one.number for one, parent in parents.items() if parent in family} - family:
        family |= more
    return [one for one in parents if one.number in family and one.number != number]


def left(processes: set[tuple[int, int]], seconds: float = _LEAVING_SECONDS) -> list[Process]:
    """Which of these, by number and start, are still there after some time."""
    end = time.monotonic() + seconds
    while (there := [one for one in _processes() if one[:2] in processes]) and time.monotonic() < end:
        time.sleep(0.2)
    return there


class _Soak:
    """The run, and what has been done to it."""

    def __init__(self, folder: Path, game: str, actors: int, seed: int, output: TextIO) -> None:
        self.log, self.output = folder / "games.log", output
        flags = ["--game", game, "--run-dir", str(folder), "--actors", str(actors), "--seed", str(seed)]
        self.command = [sys.executable, str(_ROOT / "scripts" / "selfplay.py"), *flags, *_TINY.split()]
        self.killed: Counter[str] = Counter()
        self.megabytes: dict[str, list[float]] = {"run": [], "trainer": [], "player": []}
        self.seen: set[tuple[int, int]] = set()
        self.begin()

    def begin(self) -> None:
        self.driver = subprocess.Popen(self.command, stdout=self.output, stderr=self.output, stdin=subprocess.DEVNULL)

    def look(self) -> dict[str, list[int]]:
        """The numbers of processes at work, by kind; memory is noted."""
        family = descendants(self.driver.pid)
        self.seen |= {one[:2] for one in family}
        kinds: dict[str, list[Process]] = {"run": [], "trainer": [], "player": []}
        for one in [*family, Process(self.driver.pid, 0, "run")]:
            for kind, title in (("run", "run"), ("trainer", "ray::Teacher"), ("player", "ray::Player.")):
                if one.title.startswith(title):
                    kinds[kind].append(one)
        for kind, ones in kinds.items():
            if ones:
                self.megabytes[kind].append(max(one.megabytes for one in ones))
        return {kind: [one.number for one in ones] for kind, ones in kinds.items()}

    def play(self, seconds: float) -> bool:
        """Wait so long, and until games have come home meanwhile; whether they have, and the run is alive."""
        size = self.log.stat().st_size if self.log.exists() else 0
        soonest, latest = time.monotonic() + seconds, time.monotonic() + seconds + _PATIENCE_SECONDS
        while self.driver.poll() is None and time.monotonic() < latest:
            time.sleep(0.05)
            if time.monotonic() >= soonest and self.log.exists() and self.log.stat().st_size > size + 1000:
                return True
        return False

    def kill(self, kind: str, number: int) -> None:
        os.kill(number, signal.SIGKILL)
        self.killed[kind] += 1
        if kind == "run":
            self.driver.wait()


def soak(
    folder: Path,
    minutes: float,
    every: float = 5.0,
    actors: int = 2,
    game: str = "tic_tac_toe",
    drivers: bool = False,
    seed: int = 1,
    tell: Callable[[str], None] = print,
) -> Soaked:
    """Train and kill for some minutes, about ``every`` so many seconds, then end the run and look through its books.

    Args:
        folder: of the run; what it says goes to ``soak.txt`` there.
        drivers: whether the whole run is killed now and then, too, and begun again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator, faults, known = np.random.default_rng(seed), list[str](), frozenset[int]()
    with (folder / "soak.txt").open("a", encoding="utf-8") as output:
        run = _Soak(folder, game, actors, seed, output)
        try:
            end = time.monotonic() + 60 * minutes
            while time.monotonic() < end and run.play(float(generator.uniform(0.5, 1.5)) * every):
                at_work = run.look()
                kind = next((one for one, rate in _OTHERS.items() if generator.random() * rate < 1), "player")
                kind = kind if at_work[kind] and (drivers or kind != "run") else "player"
                if at_work[kind]:
                    run.kill(kind, int(generator.choice(at_work[kind])))
                if kind == "run" and at_work[kind]:
                    known = known | audit(folder, known, ended=False).ids
                    run.begin()
            if not run.play(0.0):
                faults.append(f"no game came home in {_PATIENCE_SECONDS:.0f} s, or the run ended: see {output.name}")
            run.look()
            run.driver.send_signal(signal.SIGINT)
            if run.driver.wait(_PATIENCE_SECONDS) != 0:
                faults.append(f"the run ended with status {run.driver.returncode}: see {output.name}")
        finally:
            run.driver.kill()
            run.driver.wait()
    faults += [f"process {one.number} is still there: {one.title}" for one in left(run.seen)]
    books = audit(folder, known)
    return Soaked(dict(run.killed), books, faults + books.faults, run.megabytes)


def summary(soaked: Soaked) -> list[str]:
    """For people to read."""
    books, memory = soaked.books, soaked.megabytes
    lines = [
        "killed: " + (", ".join(f"{kind} {times} times" for kind, times in soaked.killed.items()) or "nothing"),
        f"games: {len(books.ids):,}, each counted once; {books.positions:,} positions, {books.steps:,} steps",
    ]
    for kind, megabytes in memory.items():
        if megabytes:
            early = megabytes[len(megabytes) // 4]
            lines.append(f"memory of a {kind}: {early:.0f} MB early, {megabytes[-1]:.0f} MB in the end")
    return lines + [f"FAULT: {fault}" for fault in soaked.faults]
