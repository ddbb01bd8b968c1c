"""The kernel cache: keyed by sources, and careful with what is not its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def import_jit(cache: Path, root: Path = ROOT) -> str:
    """Import rlcore.jit in a new process; returns the folder that kernels go to."""
    program = "import numba, rlcore.jit; print(numba.config.CACHE_DIR)"
    environment = os.environ | {"RLCORE_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pruning_touches_nothing_but_old_kernels(tmp_path):
    """Once, a cache folder named by a person lost every other folder in it."""
    for name in ("Documents", "photos", "thesis", "work", "music"):
        (tmp_path / name).mkdir()
    for i in range(6):
        (tmp_path / f"{i:016x}").mkdir()
    mine = Path(import_jit(tmp_path))
    left = {path.name for path in tmp_path.iterdir()}
    assert {"Documents", "photos", "thesis", "work", "music", mine.name} <= left
    assert len(left) == 5 + 3


def test_a_changed_constant_in_another_file_changes_the_folder(tmp_path):
    """numba itself would serve the old machine code."""
    clone = tmp_path / "clone"
    for name in ("rlcore", "games"):
        for path in (ROOT / name).rglob("*.py"):
            copy = clone / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    first = import_jit(tmp_path / "cache", clone)
    assert first == import_jit(tmp_path / "cache", clone)
    tables = clone / "games" / "chess" / "tables.py"
    tables.write_text(tables.read_text().replace("seed=1)", "seed=2)"))
    assert import_jit(tmp_path / "cache", clone) != first


def test_whoever_waits_is_told_of_the_first_compilation_and_only_of_that(tmp_path):
    (tmp_path / "kernels.py").write_text(
        "from rlcore.jit import njit, on_first_compilation\n"
        "@njit\ndef one(x):\n    return x + 1\n"
        "@njit\ndef two(x):\n    return x + 2\n"
        "on_first_compilation(lambda: print('compiling'))\nprint(one(1))\nprint(two(1))\n"
    )
    environment = os.environ | {"RLCORE_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, str(tmp_path / "kernels.py")]
    for said in ("compiling\n2\n3\n", "2\n3\n"):
        done = subprocess.run(run, capture_output=True, text=True, env=environment, check=False)
        assert (done.stdout, done.stderr) == (said, "")


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert "rlcore-kernels-" in import_jit(tmp_path / "file")
