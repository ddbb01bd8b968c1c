"""Every kernel can be stepped through as plain Python: the tests marked ``nojit``, with the compiler switched off."""

import os
import subprocess
import sys
from pathlib import Path


def test_kernels_give_the_same_answers_as_plain_python() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "nojit", "-n", "0", "-p", "no:cacheprovider"],
        cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
