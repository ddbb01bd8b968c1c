"""A seed's process: it trains, tells its parent how it goes, and saves and stops when it is told to.

Whatever goes wrong in it becomes a line for people. It outlives its parent only for as long as it takes to save.
"""

import contextlib
import faulthandler
import importlib
import math
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from agents.display import Progress
from agents.results import Result, ResultsError, seed_folder
from agents.settings import Training
from rlcore.config import ConfigError
from rlcore.files import lock

__all__ = ["ERROR", "OUTPUT", "Request", "Stop", "Tell", "alone", "train_seed"]

Tell = Callable[[Progress], None]
Stop = Callable[[], bool]

ERROR, OUTPUT = "error.txt", "output.txt"
"""In a seed's folder: an unexpected error, in full; what libraries have printed, or the system when it crashed."""

_COMPILING = "Compiling kernels for this machine: once, up to a minute ..."
_OURS = ("agents", "games", "rlcore")
_TELL_SECONDS = 0.2  # between two messages of a seed
_LOCK_SECONDS = 30.0  # for an earlier process to save and go
_ORPHAN_SECONDS = 60.0  # for a seed to save and go when its parent has died


class Request:
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


def train_seed(work: str, config: Training, seed: int, pipe: Connection) -> None:
    """Train a seed, and tell its parent how it goes: what a process of its own does from beginning to end.

    Args:
        work: the dotted name of what trains a seed, see ``agents.seeds``.
        pipe: takes ("progress", a `Progress` as a tuple), ("line", text) and, last, "done", "stopped", "failed" or
            "refused" with a line that says why; what comes out of it means stop.
    """
    stop = Request(pipe)
    folder = seed_folder(config.folder(), seed)
    told_at = -math.inf

    def tell(progress: Progress) -> None:
        nonlocal told_at
        if progress.note or time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            _send(pipe, ("progress", tuple(progress)))

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder, stop) as is_alone, _output(folder):
            ended = ("stopped", "")
            if is_alone and _work(work, pipe)(config, seed, folder, tell, stop) is not None:
                ended = ("done", "")
    except Exception as error:
        ended = _failure(error, folder)
    _send(pipe, ended)


_sending = threading.Lock()


def _send(pipe: Connection, message: tuple[str, object]) -> None:
    """Tell the parent; where it has died, nobody hears it, and the seed has been asked to stop."""
    with _sending, contextlib.suppress(OSError):
        pipe.send(message)


def _work(name: str, pipe: Connection) -> Callable[..., Result | None]:
    """What trains a seed; it computes with one thread, and compiles with a word to the person who waits."""
    module, _, function = name.rpartition(".")
    found: Callable[..., Result | None] = getattr(importlib.import_module(module), function)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "rlcore.jit" in sys.modules:
        sys.modules["rlcore.jit"].on_first_compilation(lambda: _send(pipe, ("line", _COMPILING)))
    return found


@contextlib.contextmanager
def _output(folder: Path) -> Iterator[None]:
    """What is printed inside goes to a file, not into the table on the screen; an empty file goes again."""
    path = folder / OUTPUT
    (folder / ERROR).unlink(missing_ok=True)
    with path.open("w", encoding="utf-8") as file:
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
        with contextlib.suppress(OSError):  # Windows removes no open file
            path.unlink()


@contextlib.contextmanager
def alone(folder: Path, stop: Stop) -> Iterator[bool]:
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
    from agents.spaces import UnusableEnvironment

    if isinstance(error, ConfigError | UnusableEnvironment):  # which meet every seed alike
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
