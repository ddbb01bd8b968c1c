"""Files that are whole or not there, and files that one process has for itself."""

import errno
import os
import sys
from pathlib import Path
from typing import IO, Any

__all__ = ["lock", "write_whole"]

_LONGEST = 60  # letters of a name: four bytes each, and some more, fit into any file system's 255


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and rename it into it: after a kill or on a full disk, what was there still is.

    Raises:
        OSError: the disk refused.
    """
    temporary = path.with_name(f".{path.name[:_LONGEST]}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def lock(file: IO[Any]) -> bool:
    """Keep every other process from the same; False where one was first. Until the file is closed.

    The system lets go of it when this process ends, however it ends. Windows, and some network disks, have no such
    locks: there everybody may.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True
