"""What tests with outside programs share: where those are, and whether one is still running."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

ROGUE = Path(__file__).resolve().parent / "rogue.py"


def rogue(*arguments: object, options: str = "") -> str:
    """The command line of ``rogue.py``, which misbehaves as the first argument says."""
    return " ".join([f'"{sys.executable}"', f'"{ROGUE}"', *map(str, arguments)]) + options


def installed(program: str) -> str:
    """Where a program is; the test is skipped where it is nowhere. Debian's games are not on every PATH."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/games")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def is_running(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process is still there after so many seconds; a zombie is not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            status = Path(f"/proc/{pid}/stat")
            if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True
