"""Kernels that all games share, compiled by a process of their own while this one compiles those of its game.

Before the first move ever on a machine some thirty seconds go into compiling. Half of that is the search, which knows
no game: a second process searches a small game meanwhile, and what it has compiled is found in the cache.
"""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from rlcore.machine import cores

__all__ = ["compile_shared", "start", "stop"]

_CLONE = Path(__file__).resolve().parents[2]
_PROGRAM = "from agents.engine.ahead import compile_shared; compile_shared()"
_begun: list[subprocess.Popen[bytes]] = []


def start() -> None:
    """Begin, where there is a core for it. The process ends when it is done, or when this one does."""
    if cores() < 2:
        return
    words, quiet = [sys.executable, "-c", _PROGRAM], subprocess.DEVNULL
    with contextlib.suppress(OSError):
        _begun.append(subprocess.Popen(words, cwd=_CLONE, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet))


def stop() -> None:
    """End it now, for who leaves and wants nothing left behind."""
    for process in _begun:
        process.kill()
        process.wait()
    _begun.clear()


def compile_shared() -> None:
    """Warm up a search of the smallest game; end early where standard input does."""
    threading.Thread(target=_watch, daemon=True).start()
    from agents.engine.thinker import Brain, Thinker
    from games import load
    from rlcore.config import SearchConfig
    from rlcore.evaluators import Uniform

    search = SearchConfig(simulations=16, interior="gumbel")
    Thinker(load("tic_tac_toe"), Brain("nobody", Uniform(), search, planes_history=1), 1 << 20).warm_up()


def _watch() -> None:
    os.read(sys.stdin.fileno(), 1)  # not by the buffer, whose lock would be held when the process ends by itself
    os._exit(0)
