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

__all__ = ["compile_shared", "start"]

_CLONE = Path(__file__).resolve().parents[2]
_PROGRAM = "from agents.engine.ahead import compile_shared; compile_shared()"


def start() -> None:
    """Begin, where there is a core for it. The process ends when it is done, or when this one does."""
    if cores() < 2:
        return
    quiet = subprocess.DEVNULL
    with contextlib.suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], cwd=_CLONE, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet
        )


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
    sys.stdin.buffer.read()
    os._exit(0)
