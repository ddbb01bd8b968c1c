"""A run in one small file, to go on from elsewhere: settings, the newest checkpoint, and as many of the latest games as
there is room for.

    a ZIP file of    config.json  lessons.json  checkpoints/000012/...  games.log

What it leaves out are older games, older networks and metrics: training goes on, with a smaller replay at first. It
holds numbers and text only; names and sizes of what lies in it are checked before anything is written.
"""

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from rlcore.checkpoint import CheckpointError, load
from rlcore.files import write_whole
from rlcore.game import Game
from selfplay.config import Config, ConfigError, parse_config
from selfplay.log import GameLog

__all__ = ["LIMIT", "KeptError", "pack", "unpack"]

LIMIT = 16_000_000
"""Bytes that a file has at most, unless told otherwise."""
_MOST = 1 << 30
"""Bytes that a file may claim to hold: a larger one is not unpacked."""
_NAMES = re.compile(r"config\.json|lessons\.json|games\.log|checkpoints/[0-9]{1,12}/[a-z_-]+\.(json|bin|safetensors)")
_CONFIG, _LESSONS, _LOG, _CHECKPOINTS = "config.json", "lessons.json", "games.log", "checkpoints"


class KeptError(ConfigError):
    """A run cannot be packed or unpacked; one sentence says why."""


def pack(game: Game, folder: Path, path: Path, limit: int = LIMIT) -> tuple[int, int]:
    """Write a run as one file, whole or not at all; an older one of that name gives way.

    Args:
        limit: bytes that it may have.

    Returns:
        Games in the file, and in the run.

    Raises:
        KeptError: there is no run, or its checkpoint alone is larger.
        LogError: its log is in use or damaged.
        OSError: the disk refused.
    """
    parts = dict(_checkpoint(folder))
    with GameLog(folder / _LOG, game.name, read_only=True) as log:
        positions, size = log.positions, limit + 1
        while size > limit:
            kept = log.games - log.tail(positions) if positions else 0
            data = _zipped(parts | {_LOG: _tail(game, log, kept)})
            size = len(data)
            if size > limit and not kept:
                raise KeptError(f"the checkpoint of {folder} alone takes {size:,} bytes, more than {limit:,}")
            positions = int(0.9 * positions * limit / size) if kept > 1 else 0
        write_whole(path, data)
        return kept, log.games


def _checkpoint(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All of a run but its games: names and bytes."""
    if not (folder / _CONFIG).is_file():
        raise KeptError(f"{folder} holds no run")
    saved = sorted((folder / _CHECKPOINTS).glob("[0-9]*"), key=lambda one: int(one.name))
    if not saved:
        raise KeptError(f"{folder} holds no checkpoint yet: train for a minute")
    try:
        load(saved[-1], framework="torch")
    except CheckpointError as error:
        raise KeptError(str(error)) from None
    for path in (folder / _CONFIG, folder / _LESSONS, *sorted(saved[-1].iterdir())):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _tail(game: Game, log: GameLog, games: int) -> bytes:
    """A log of the latest games alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _LOG
        with GameLog(path, game.name) as few:
            few.append(log.records(log.games - games))
        return path.read_bytes()


def _zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in parts.items():
            file.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(path: Path, folder: Path | None = None) -> Config:
    """Make a run of a file that ``pack`` has written, in a folder without one; returns its settings.

    Args:
        folder: none = the usual one of its game.

    Raises:
        KeptError: it is no such file, it is damaged, or there is a run already.
        OSError: the disk refused.
    """
    parts = _parts(path)
    config = parse_config(parts[_CONFIG].decode("utf-8", "replace"), str(path))
    folder = folder or config.folder()
    if any((folder / name).exists() for name in (_CONFIG, _LOG, _CHECKPOINTS)):
        raise KeptError(f"{folder} holds a run already: move it away, or name another --run-dir")
    for name in sorted(parts, key=lambda name: name == _CONFIG):  # by its settings a run is known: they come last
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, parts[name])
    return config


def _parts(path: Path) -> dict[str, bytes]:
    """What lies in a file, by its names."""
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            is_one = all(_NAMES.fullmatch(one.filename) for one in members)
            is_one = is_one and sum(one.file_size for one in members) <= _MOST
            parts = {one.filename: file.read(one) for one in members if is_one}
    except OSError as error:
        raise KeptError(f"{path} cannot be read ({error.strerror})") from None
    except Exception as error:  # whatever bytes may provoke in zipfile
        raise KeptError(f"{path} is damaged or no run in one file") from error
    if not {_CONFIG, _LOG} <= parts.keys():
        raise KeptError(f"{path} is no run in one file")
    return parts
