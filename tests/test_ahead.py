"""The second process that compiles what all games share: what it leaves in the cache, and that it ends in time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlcore.jit import JIT

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "from agents.engine.ahead import compile_shared; compile_shared()"


def begin(folder: Path) -> subprocess.Popen[bytes]:
    """The second process, with an empty cache."""
    environment = os.environ | {"RLCORE_CACHE_DIR": str(folder)}
    return subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stdin=subprocess.PIPE)


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_it_compiles_the_search_and_no_game_but_the_smallest(tmp_path) -> None:
    with begin(tmp_path) as process:
        assert process.wait(timeout=300) == 0
    names = {path.name.partition("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert {"tree.expand", "tree.backup", "tree._select_puct", "roots.best_edge", "reuse.keep"} <= names
    assert not any(name.startswith(("moves.", "attacks.")) or "chess" in name for name in names)


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_it_ends_with_its_parent(tmp_path) -> None:
    with begin(tmp_path) as process:
        time.sleep(2.0)
        began = time.perf_counter()
        process.stdin.close()  # as when the parent dies
        assert process.wait(timeout=30) == 0
    assert time.perf_counter() - began < 15
    assert not any(path.name.startswith("reuse.keep") for path in tmp_path.rglob("*.nbi"))  # it was not done
