"""Several seeds at once: each trains in a process of its own, whatever becomes of the others.

The process that a person started trains nothing. It starts the others, shows how they do, and sums up. A pipe leads to
each of them: `Progress` comes from there, and how it ended; whatever goes there means stop, and so does the pipe's end,
when the parent has died. Ctrl-C lets every seed save and stop, a second one ends all at once.
"""

import contextlib
import faulthandler
import importlib
import math
import multiprocessing
import os
import shlex
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from agents import results
from agents.display import Display, Progress, State
from agents.results import Result, ResultsError, seed_folder
from rlcore.files import lock
from rlcore.progress import interpreter

if TYPE_CHECKING:
    from agents.settings import Training

__all__ = ["Progress", "Stop", "Tell", "run"]

Tell = Callable[[Progress], None]
Stop = Callable[[], bool]

WORK = "agents.training.train"
"""What trains a seed: ``train(config, seed, folder, tell, stop)``. It returns the seed's result, once it is written to
the folder, or None where it was stopped and has saved."""
ERROR, OUTPUT = "error.txt", "output.txt"
"""In a seed's folder: an unexpected error, in full; what libraries have printed, or the system when it crashed."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_OURS = ("agents", "games", "rlcore")
_OF_SETTINGS = ("ConfigError", "UnusableEnvironment")
"""Errors that meet every seed alike, by name: some modules are imported in the seeds' processes only."""
_TELL_SECONDS = 0.2  # between two messages of a seed
_WAIT_SECONDS = 0.25  # for messages
_LOCK_SECONDS = 30.0  # for an earlier process to save and go
_REAP_SECONDS = 10.0  # for a process that has said how it ended to be gone
_ORPHAN_SECONDS = 60.0  # for a seed to save and go when its parent has died


def run(config: "Training", work: str = WORK, check: Callable[["Training"], None] | None = None) -> int:
    """Train all seeds, those that have not been; show how they do, and what they came to.

    Args:
        work: the dotted name of what trains a seed, see `WORK`; only the seeds' processes import it.
        check: raises an error of one line where the settings cannot work, before any process is started; by default
            it makes the environment.

    Returns:
        The exit status: 0 done or stopped, 1 where seeds failed, 2 where nothing could be trained.
    """
    try:
        (check or _check)(config)
        crew = _Crew(config, work)
    except (ImportError, OSError, ResultsError, RuntimeError, ValueError) as error:
        return _refuse(error)
    with Display(crew.title, crew.seeds, config.steps) as display:
        crew.train(display)
    if crew.refused:
        return _refuse(crew.refused)
    _conclude(config, crew)
    return 1 if crew.failed else 0


def _check(config: "Training") -> None:
    """Make the environment once, here: what is wrong with it is told at once, and once."""
    from agents.environments import make

    make(config.env, 1, config.seed).close()


def _refuse(error: object) -> int:
    print(f"train: {error}", file=sys.stderr)
    return 2


# --- the parent ------------------------------------------------------------------------------------------------------


class _Child(NamedTuple):
    """A seed's process, seen from here."""

    process: SpawnProcess
    pipe: Connection


class _Crew:
    """The seeds, and the processes in which they train."""

    def __init__(self, config: "Training", work: str) -> None:
        """Look at what is there; nothing is started.

        Raises:
            ResultsError: the folder holds results of something else.
            OSError: it cannot be made.
        """
        self.config, self.folder, self._work = config, config.folder(), work
        self.seeds = range(config.seed, config.seed + config.seeds)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []
        self.done = [seed for seed in self.seeds if self._is_done(seed)]
        self.failed: dict[int, str] = {}
        self.refused = ""
        """What is wrong for every seed alike."""
        self._waiting = [seed for seed in self.seeds if seed not in self.done]
        self._running: dict[int, _Child] = {}
        self._signals = 0
        self._stopping = False
        self.jobs = min(config.jobs or _cores(), max(1, len(self._waiting)))
        seeds = f"seed {config.seed}" if config.seeds == 1 else f"seeds {self.seeds[0]} to {self.seeds[-1]}"
        at_once = f", {self.jobs} at a time" if len(self._waiting) > self.jobs else ""
        self.title = f"{config.agent} on {config.env}, {seeds}{at_once}, in {self.folder}"

    def _is_done(self, seed: int) -> bool:
        """Whether a seed has been trained for as many steps; one that is damaged is trained again."""
        folder = seed_folder(self.folder, seed)
        if not (folder / results.FILE).exists():
            return False
        try:
            result = results.read(folder)
        except ResultsError as error:
            self.lines.append(str(error))
            return False
        found = (result["agent"], result["env"])
        if found != (self.config.agent, self.config.env):
            raise ResultsError(f"{self.folder} holds results of {' on '.join(found)}: choose another --run-dir")
        return bool(result["steps"] >= self.config.steps)

    def train(self, display: Display) -> None:
        """Train what is to be trained; returns when no process is left."""
        for line in self.lines:
            display.line(line)
        for seed in self.done:
            display.state(seed, "done")
        if self.done:
            display.line(f"Trained before: {_named(self.done)}.")
        with self._signals_caught(display):
            try:
                while self._running or (self._waiting and not self._stopping):
                    if self._signals and not self._stopping:
                        display.line("Stopping: every seed saves where it is; once more to stop at once.")
                        self._stop()
                    while self._waiting and len(self._running) < self.jobs and not self._stopping:
                        self._start(self._waiting.pop(0), display)
                    wait([child.pipe for child in self._running.values()], _WAIT_SECONDS)
                    for seed in list(self._running):
                        self._hear(seed, display)
                    display.update()
            finally:
                self._stop()  # for whatever reason this ends, no process is left behind
                for child in self._running.values():
                    child.process.join()

    def _start(self, seed: int, display: Display) -> None:
        """Start a seed's process."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_child, args=(self._work, self.config, seed, theirs), name=f"seed {seed}")
        try:
            with _one_thread(), _signals_held():
                process.start()
        except OSError as error:
            ours.close()
            self._end(seed, "failed", f"no process can be started for it ({error.strerror})", display)
        else:
            self._running[seed] = _Child(process, ours)
            display.state(seed, "starts")
        finally:
            theirs.close()

    def _hear(self, seed: int, display: Display) -> None:
        """Take what a seed has sent; when its process has ended, how."""
        child = self._running[seed]
        ended = child.process.exitcode is not None  # asked first: nothing comes after that
        try:
            while child.pipe.poll():
                kind, what = child.pipe.recv()
                if kind != "progress":
                    self._end(seed, kind, what, display)
                    return
                display.progress(Progress(*what))
        except (EOFError, OSError):
            _reap(child.process)
            ended = True
        if ended:
            self._end(seed, "failed", _cause_of_death(child.process.exitcode, seed_folder(self.folder, seed)), display)

    def _end(self, seed: int, state: State | str, why: str, display: Display) -> None:
        """Note that a seed has come to an end; its process is gone or about to go."""
        child = self._running.pop(seed, None)
        if child is not None:
            _reap(child.process)
            child.pipe.close()
        if state == "refused":
            self.refused = self.refused or why
            self._stop()
            display.state(seed, "failed")
        elif state == "failed":
            self.failed[seed] = why
            display.state(seed, "failed")
            display.line(f"seed {seed} failed: {why}")
        elif state == "done":
            self.done.append(seed)
            display.state(seed, "done")
        else:
            display.state(seed, "stopped")

    def _stop(self) -> None:
        """Ask all that train to save and stop."""
        self._stopping = True
        for child in self._running.values():
            with contextlib.suppress(OSError):
                child.pipe.send("stop")

    @contextlib.contextmanager
    def _signals_caught(self, display: Display) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) is a request to stop; the second ends everything at once."""

        def handle(number: int, _frame: FrameType | None) -> None:
            self._signals += 1
            if self._signals > 1:
                for child in self._running.values():
                    child.process.kill()
                display.close()
                os._exit(128 + number)  # nothing is lost but what is not saved yet

        before = {name: signal.signal(name, handle) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _reap(process: SpawnProcess) -> None:
    """Let a process go that has said its last word, or has none left to say."""
    process.join(_REAP_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()


def _named(seeds: list[int]) -> str:
    """As "seed 3" or "seeds 0, 1, 2"."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, sorted(seeds)))}"


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """What starts inside computes with one thread: there is a process a core."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A process that starts inside gets no signal before it can take one; nor do we meanwhile."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which lets go of the signals the first time
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause_of_death(status: int | None, folder: Path) -> str:
    """Why a process ended that has not said so itself."""
    if status is None or status >= 0:
        cause = f"its process ended with exit status {status}"
    else:
        known = {number.value: number.name for number in signal.Signals}
        cause = f"its process was killed by {known.get(-status, f'signal {-status}')}"
        if known.get(-status) == "SIGKILL":
            cause += ", as systems do where memory runs out"
    output = folder / OUTPUT
    return f"{cause}; {output} may say why" if output.exists() and output.stat().st_size else cause


# --- the end ---------------------------------------------------------------------------------------------------------


def _conclude(config: "Training", crew: _Crew) -> None:
    """Sum up all seeds that lie in the folder and have been trained for as many steps: table, file, picture."""
    folder = crew.folder
    found, _ = results.read_all(folder)
    found = [result for result in found if result["steps"] >= config.steps]
    missing = [seed for seed in crew.seeds if seed not in crew.done]
    lines = []
    if found:
        try:
            results.write_summary(folder, found)
        except ResultsError as error:
            print(f"train: {error}", file=sys.stderr)
        lines += [results.table(found), ""]
    if missing:
        lines += [f"Not finished: {_named(missing)}. What was saved is kept; the same command goes on from there.", ""]
    if no_picture := _draw(config, folder, found):
        lines += [no_picture, ""]
    lines += [f"What lies in {folder}", *_rows(_contents(folder)), ""]
    lines += ["How to go on", *_rows(_next(config, folder, found, bool(missing)))]
    results.show("\n" + "\n".join(lines))


def _rows(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {text}" for name, text in rows]


def _draw(config: "Training", folder: Path, found: list[Result]) -> str:
    """Draw the picture; where that cannot be, a line that says why."""
    try:
        from agents.curves import draw

        draw(folder, f"{config.agent} on {config.env}", found)
    except ModuleNotFoundError as error:
        return f"No picture: the package {error.name} is not installed."
    except OSError as error:
        return f"No picture: {folder} cannot be written ({error.strerror})."
    return ""


def _contents(folder: Path) -> list[tuple[str, str]]:
    """What is there, and what it is for."""
    rows = [
        (results.SUMMARY, "what all seeds came to, with settings and versions"),
        ("curves.png", "learning curves as a picture"),
        ("seed-*", "of each seed: checkpoints, result.json, metrics.jsonl, TensorBoard's files"),
    ]
    return [(name, text) for name, text in rows if any(folder.glob(name))]


def _next(config: "Training", folder: Path, found: list[Result], missing: bool) -> list[tuple[str, str]]:
    """What a person may want to do next, and the command for it."""
    rows = []
    if missing:
        rows.append(("go on", _command({})))
    if found:
        rows.append(("train for longer", _command({"--steps": 2 * config.steps})))
    if found and config.seeds < 5:
        rows.append(("train more seeds", _command({"--seeds": 5})))
    rows.append(("see the curves", f"tensorboard --logdir {shlex.quote(str(folder))}"))
    return rows


def _command(changes: dict[str, int]) -> str:
    """The command that started this process, with other values of some flags."""
    words, skip = [], False
    for word in sys.argv:
        name, has_value = word.partition("=")[0].replace("_", "-"), "=" in word
        if skip:
            skip = False
        elif name in changes:
            skip = not has_value
        else:
            words.append(word)
    words += [word for name, value in changes.items() for word in (name, str(value))]
    return shlex.join([interpreter(), *words])


# --- a child ---------------------------------------------------------------------------------------------------------


class _Request:
    """Whether a seed is asked to stop: by a signal, by its parent, or because that has died."""

    def __init__(self, pipe: Connection) -> None:
        self.requested = False
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and (name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN):  # nohup
                signal.signal(number, self._handle)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()

    def __call__(self) -> bool:
        return self.requested

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True

    def _listen(self, pipe: Connection) -> None:
        try:
            pipe.recv()
            self.requested = True
        except (EOFError, OSError):
            self.requested = True
            time.sleep(_ORPHAN_SECONDS)
            os._exit(1)


def _child(work: str, config: "Training", seed: int, pipe: Connection) -> None:
    """A seed's process: train, and say how it ended."""
    stop = _Request(pipe)
    folder = seed_folder(config.folder(), seed)
    told_at = -math.inf

    def tell(progress: Progress) -> None:
        nonlocal told_at
        if progress.note or time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            try:
                pipe.send(("progress", tuple(progress)))
            except OSError:
                stop.requested = True  # nobody is left to hear it

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ERROR).unlink(missing_ok=True)
        with _output(folder), _alone(folder, stop) as is_alone:
            ended = ("stopped", "")
            if is_alone and _work(work)(config, seed, folder, tell, stop) is not None:
                ended = ("done", "")
    except Exception as error:
        ended = _failure(error, folder)
    with contextlib.suppress(OSError):
        pipe.send(ended)


def _work(name: str) -> Callable[..., Result | None]:
    module, _, function = name.rpartition(".")
    found: Callable[..., Result | None] = getattr(importlib.import_module(module), function)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return found


@contextlib.contextmanager
def _output(folder: Path) -> Iterator[None]:
    """What is printed inside goes to a file, not into the table on the screen; an empty file goes again."""
    path = folder / OUTPUT
    with path.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
        faulthandler.enable(file)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            faulthandler.disable()
    if path.stat().st_size == 0:
        path.unlink()


@contextlib.contextmanager
def _alone(folder: Path, stop: _Request) -> Iterator[bool]:
    """Whether no other process trains this seed: one whose parent was killed may need a moment to save."""
    with (folder / ".lock").open("a") as file:
        until = time.monotonic() + _LOCK_SECONDS
        while not (is_alone := lock(file)) and not stop():
            if time.monotonic() > until:
                raise ResultsError(f"{folder} is in use by another process; end it or choose another --run-dir")
            time.sleep(0.1)
        yield is_alone


def _failure(error: Exception, folder: Path) -> tuple[str, str]:
    """How to tell what went wrong: a line of our own says it; anything else is written down in full."""
    if type(error).__name__ in _OF_SETTINGS:
        return "refused", str(error)
    if type(error).__module__.split(".")[0] in _OURS or isinstance(error, FloatingPointError):
        return "failed", str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "failed", "there is not enough memory; fewer --jobs or a smaller replay need less"
    if isinstance(error, OSError) and error.strerror:
        return "failed", f"{error.filename or folder}: {error.strerror}"
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        (folder / ERROR).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return "failed", told
    return "failed", f"{told} (in full: {folder / ERROR})"
