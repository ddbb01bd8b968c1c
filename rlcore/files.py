"""Files that are whole or not there."""

import os
from pathlib import Path

__all__ = ["write_whole"]

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
