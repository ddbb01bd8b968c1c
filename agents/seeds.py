"""Several seeds at once: each trains in a process of its own, whatever becomes of the others.

The process that a person started trains nothing. It starts the others, shows how they do, and sums up. A pipe leads to
each of them: `Progress` comes from there, and how it ended; whatever goes there means stop, and so does the pipe's end,
when the parent has died. Ctrl-C lets every seed save and stop, a second one ends all at once.
"""

import contextlib
import multiprocessing
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from agents import results
from agents.display import Display, Progress, State
from agents.results import Result, ResultsError, seed_folder
from agents.settings import Training
from agents.worker import OUTPUT, train_seed
from rlcore.progress import interpreter

__all__ = ["Progress", "run"]

WORK = "agents.training.train"
"""What trains a seed: ``train(config, seed, folder, tell, stop)``. It returns the seed's result, once it is written to
the folder, or None where it was stopped and has saved."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_WAIT_SECONDS = 0.25  # for messages
_REAP_SECONDS = 10.0  # for a process that has said how it ended to be gone


def run(config: Training, work: str = WORK, check: Callable[[Training], None] | None = None) -> int:
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
    except KeyboardInterrupt:
        print("Stopped before training began.")
        return 0
    except (ImportError, OSError, ResultsError, RuntimeError, ValueError) as error:
        return _refuse(error)
    with Display(crew.title, crew.seeds, config.steps) as display:
        crew.train(display)
    if crew.refused:
        return _refuse(crew.refused)
    try:
        _conclude(config, crew)
    except KeyboardInterrupt:  # nothing is lost: the same command sums up again
        return 128 + signal.SIGINT
    return 1 if crew.failed else 0


def _check(config: Training) -> None:
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

    def __init__(self, config: Training, work: str) -> None:
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
        process = context.Process(target=train_seed, args=(self._work, self.config, seed, theirs), name=f"seed {seed}")
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
                if kind == "progress":
                    display.progress(Progress(*what))
                elif kind == "line":
                    self._once(what, display)
                else:
                    self._end(seed, kind, what, display)
                    return
        except (EOFError, OSError):
            _reap(child.process)
            ended = True
        if ended:
            self._end(seed, "failed", _cause_of_death(child.process.exitcode, seed_folder(self.folder, seed)), display)

    def _once(self, line: str, display: Display) -> None:
        """Show what several seeds say alike."""
        if line not in self.lines:
            self.lines.append(line)
            display.line(line)

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


def _conclude(config: Training, crew: _Crew) -> None:
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


def _draw(config: Training, folder: Path, found: list[Result]) -> str:
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
        ("seed-*", "of each seed: checkpoints, result, metrics, TensorBoard's files"),
    ]
    return [(name, text) for name, text in rows if any(folder.glob(name))]


def _next(config: Training, folder: Path, found: list[Result], missing: bool) -> list[tuple[str, str]]:
    """What a person may want to do next, and the command for it."""
    rows = []
    if missing:
        rows.append(("go on", _command({})))
    if found:
        rows.append(("train for longer", _command({"--steps": 2 * config.steps})))
    if found and config.seeds < 5:
        rows.append(("train more seeds", _command({"--seeds": 5})))
    if found:
        where = [] if config.run_dir is None else ["--run-dir", str(config.run_dir)]
        short = shlex.join([interpreter(), sys.argv[0], config.agent, "--env", config.env, *where])
        rows += [("score it again", f"{short} --evaluate 1000"), ("watch it", f"{short} --play")]
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
