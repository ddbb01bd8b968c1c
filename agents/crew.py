"""A crew: seeds of one or many runs train at the same time, each in a process of its own, so many at once.

The process that a person started trains nothing. It starts the others and shows how they do. A pipe leads to each of
them: `Progress` comes from there, and how it ended; whatever goes there means stop, and so does the pipe's end, when
the parent has died. Ctrl-C lets every seed save and stop, a second one ends all at once.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from agents.display import Display, Progress, State
from agents.results import seed_folder
from agents.settings import Training
from agents.worker import OUTPUT, train_seed

__all__ = ["WORK", "Crew", "Job"]

WORK = "agents.training.train"
"""What trains a seed: ``train(config, seed, folder, tell, stop)``. It returns the seed's result, once it is written to
the folder, or None where it was stopped and has saved."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_WAIT_SECONDS = 0.25  # for messages
_REAP_SECONDS = 10.0  # for a process that has said how it ended to be gone


class Job(NamedTuple):
    """A seed to train."""

    config: Training
    seed: int
    name: str
    """For people; no two have the same."""

    @property
    def folder(self) -> Path:
        return seed_folder(self.config.folder(), self.seed)


class _Child(NamedTuple):
    """A seed's process, seen from here."""

    job: Job
    process: SpawnProcess
    pipe: Connection


class Crew:
    """Seeds, and the processes in which they train.

    Args:
        jobs: what to train, in this order.
        at_once: so many at the same time.
        work: the dotted name of what trains a seed, see `WORK`; only the seeds' processes import it.
        trained: is called with every job that is done, once its process is gone.
        heard: is called with what a job tells.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        at_once: int,
        work: str = WORK,
        trained: Callable[[Job], None] | None = None,
        heard: Callable[[Job, Progress], None] | None = None,
    ) -> None:
        self.jobs, self.at_once, self._work = jobs, at_once, work
        self._trained, self._heard = trained, heard
        self.done: list[Job] = []
        self.failed: dict[str, str] = {}
        """Why, by name."""
        self.refused: dict[Path, str] = {}
        """What is wrong for every seed of a run alike, by its folder."""
        self._waiting = list(jobs)
        self._running: dict[str, _Child] = {}
        self._said: list[str] = []
        self._signals = 0
        self._stopping = False

    def train(self, display: Display) -> None:
        """Train what is to be trained; returns when no process is left.

        Args:
            display: of which all names are known.
        """
        with self._signals_caught(display):
            try:
                while self._running or (self._waiting and not self._stopping):
                    if self._signals and not self._stopping:
                        display.line("Stopping: every seed saves where it is; once more to stop at once.")
                        self.stop()
                    while self._waiting and len(self._running) < self.at_once and not self._stopping:
                        self._start(self._waiting.pop(0), display)
                    wait([child.pipe for child in self._running.values()], _WAIT_SECONDS)
                    for child in list(self._running.values()):
                        self._hear(child, display)
                    display.update()
            finally:
                self.stop()  # for whatever reason this ends, no process is left behind
                for child in self._running.values():
                    child.process.join()

    def _start(self, job: Job, display: Display) -> None:
        """Start a seed's process."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        args = (self._work, job.config, job.seed, theirs)
        process = context.Process(target=train_seed, args=args, name=job.name)
        try:
            with _one_thread(), _signals_held():
                process.start()
        except OSError as error:
            ours.close()
            self._end(job, "failed", f"no process can be started for it ({error.strerror})", display)
        else:
            self._running[job.name] = _Child(job, process, ours)
            display.state(job.name, "starts")
        finally:
            theirs.close()

    def _hear(self, child: _Child, display: Display) -> None:
        """Take what a seed has sent; when its process has ended, how."""
        ended = child.process.exitcode is not None  # asked first: nothing comes after that
        try:
            while child.pipe.poll():
                kind, what = child.pipe.recv()
                if kind == "progress":
                    display.progress(child.job.name, Progress(*what))
                    if self._heard is not None:
                        self._heard(child.job, Progress(*what))
                elif kind == "line":
                    self._once(what, display)
                else:
                    self._end(child.job, kind, what, display)
                    return
        except (EOFError, OSError):
            _reap(child.process)
            ended = True
        if ended:
            self._end(child.job, "failed", _cause_of_death(child.process.exitcode, child.job.folder), display)

    def _once(self, line: str, display: Display) -> None:
        """Show what several seeds say alike."""
        if line not in self._said:
            self._said.append(line)
            display.line(line)

    def _end(self, job: Job, state: State | str, why: str, display: Display) -> None:
        """Note that a seed has come to an end; its process is gone or about to go."""
        child = self._running.pop(job.name, None)
        if child is not None:
            _reap(child.process)
            child.pipe.close()
        if state == "refused":
            self._refuse(job, why)
            display.state(job.name, "failed")
        elif state == "failed":
            self.failed[job.name] = why
            display.state(job.name, "failed")
            display.line(f"{job.name} failed: {why}")
        elif state == "done":
            self.done.append(job)
            display.state(job.name, "done")
            if self._trained is not None:
                self._trained(job)
        else:
            display.state(job.name, "stopped")

    def _refuse(self, job: Job, why: str) -> None:
        """What is wrong with a seed is wrong with all of its run: none of them is trained."""
        folder = job.config.folder()
        self.refused.setdefault(folder, why)
        self._waiting = [other for other in self._waiting if other.config.folder() != folder]
        self._ask_to_stop(child for child in self._running.values() if child.job.config.folder() == folder)

    def stop(self) -> None:
        """Ask all that train to save and stop."""
        self._stopping = True
        self._ask_to_stop(self._running.values())

    def _ask_to_stop(self, children: Iterable[_Child]) -> None:
        for child in children:
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


def _reap(process: SpawnProcess) -> None:
    """Let a process go that has said its last word, or has none left to say."""
    process.join(_REAP_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()


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
