"""Checkpoints: the whole state of a run in one folder that is either complete and intact or refused.

    <folder>/000012/
        weights.safetensors    one file a group of tensors
        optimizer.safetensors
        state.json             everything that is numbers and names
        games.bin              blobs: bytes of any kind
        manifest.json          size and SHA-256 of every other file, written last

A checkpoint is written beside its place and renamed into it, so a kill or a full disk at any moment leaves
the earlier ones as they were. Nothing here is pickle: loading a stranger's checkpoint runs no code. torch is
imported only for torch tensors. One process writes to a folder at a time.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from rlcore.tensors import (
    Framework,
    TensorError,
    Tensors,
    flatten_optimizer,
    read_tensors,
    unflatten_optimizer,
    write_tensors,
)

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "flatten_optimizer",
    "load",
    "load_newest",
    "save",
    "unflatten_optimizer",
]

FORMAT = 1
_MANIFEST = "manifest.json"
_STATE = "state.json"
_SAVING = ".saving-"  # a checkpoint being written
_REPLACED = ".replaced-"  # one about to give way to a new one of the same name
_MAX_MANIFEST = 1 << 20
_MAX_FILE = 1 << 36  # 64 GiB: a manifest that announces more is not believed

Warn = Callable[[str], None]
PathLike = str | os.PathLike[str]


class CheckpointError(Exception):
    """A checkpoint cannot be saved or used; the message says what is wrong and what to do."""


class _Unusable(Exception):
    """Half a sentence after "checkpoint 000012": why it cannot be used."""


class Checkpoint(NamedTuple):
    """What `save` was given, with tensors as NumPy arrays or torch tensors on the CPU."""

    name: str
    tensors: dict[str, Tensors]
    state: dict[str, Any]
    blobs: dict[str, bytes]


def save(
    folder: PathLike,
    name: str,
    tensors: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Any],
    blobs: Mapping[str, bytes] | None = None,
    keep: int = 3,
) -> Path:
    """Write a checkpoint, then remove all but the newest ``keep`` up to it.

    Args:
        folder: where the run's checkpoints lie; made if missing.
        name: digits, such as "000012"; the greatest number is the newest. An existing one gives way.
        tensors: group -> name -> torch tensor (any device) or NumPy array; a group is a file.
        state: anything JSON: keys are text, numbers finite; tuples come back as lists.
        blobs: name -> bytes; a blob is a file.
        keep: how many to keep, at least 1.

    Returns:
        The checkpoint's folder.

    Raises:
        CheckpointError: a tensor or number is not finite, or the disk refused. Earlier ones are intact.
        ValueError, TypeError: a name or a type that cannot be stored.
    """
    if not name.isascii() or not name.isdigit():
        raise ValueError(f"a checkpoint's name is digits, such as 000012, not {name!r}")
    if keep < 1:
        raise ValueError(f"keep must be at least 1, not {keep}")
    files = _files(name, tensors, state, blobs or {})
    parent = Path(folder)
    temporary = parent / (_SAVING + name)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _clear(parent)
        _require_space(parent, files)
        temporary.mkdir()
        for file_name, data in files.items():
            _write(temporary / file_name, data)
        _sync_folder(temporary)
        _move_into_place(temporary, parent / name)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            where = f"{Path(error.filename).name}: " if error.filename else ""
            raise CheckpointError(
                f"checkpoint {name} could not be saved to {parent} ({where}{error.strerror}); "
                f"earlier ones are intact: put that right and start again"
            ) from error
        raise
    for old in [path for path in _candidates(parent) if _number(path) <= int(name)][keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return parent / name


def _files(
    name: str,
    tensors: Mapping[str, Mapping[str, Any]],
    state: Mapping[str, Any],
    blobs: Mapping[str, bytes],
) -> dict[str, bytes]:
    """The checkpoint's files by name, the manifest last."""
    files: dict[str, bytes] = {}
    for group, values in tensors.items():
        _require_file_name(group)
        try:
            files[f"{group}.safetensors"] = write_tensors(values)
        except TensorError as problem:
            raise CheckpointError(
                f"checkpoint {name} was not saved: {group} {problem}; "
                f"go back to the one before and lower the learning rate"
            ) from problem
    try:
        files[_STATE] = json.dumps(_json(state), allow_nan=False, indent=1).encode()
    except ValueError as error:
        raise CheckpointError(f"checkpoint {name} was not saved: its state holds NaN or infinity") from error
    for blob, data in blobs.items():
        _require_file_name(blob)
        files[f"{blob}.bin"] = bytes(data)
    files[_MANIFEST] = _manifest(files)
    return files


def _require_file_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
        raise ValueError(f"the name of a group or blob is a-z, 0-9, _ and -, not {name!r}")


def _json(value: Any) -> Any:
    """The value, once it is known that JSON gives it back: json.dumps silently turns any key into text."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a key of a checkpoint's state must be text, not {key!r}")
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value


def _manifest(files: Mapping[str, bytes]) -> bytes:
    entries = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    return _manifest_text({"format": FORMAT, "files": entries})


def _manifest_text(manifest: Any) -> bytes:
    """The one way to write a manifest, so that any other spelling of it is damage."""
    return json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"


def _clear(folder: Path) -> None:
    """Tidy up after a save that was killed."""
    for left in folder.glob(_SAVING + "*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob(_REPLACED + "*"):
        place = folder / left.name.removeprefix(_REPLACED)
        if place.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            os.rename(left, place)


def _require_space(folder: Path, files: Mapping[str, bytes]) -> None:
    """OSError where the disk is known to have no room: better than to fill it first."""
    needed = sum(map(len, files.values()))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(None, f"{needed >> 20} MiB needed, {free >> 20} MiB free")


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # write() does not name its file


def _sync_folder(folder: Path) -> None:
    """Let names survive a power cut."""
    if sys.platform == "win32":  # where a folder cannot be opened
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _move_into_place(temporary: Path, place: Path) -> None:
    """Rename, with a detour where the name is taken: no system swaps folders in one portable step."""
    replaced = place.with_name(_REPLACED + place.name)
    if place.exists():
        os.rename(place, replaced)
    try:
        os.rename(temporary, place)
    except OSError:
        if replaced.exists():
            os.rename(replaced, place)
        raise
    _sync_folder(place.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _candidates(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first; one that was being replaced comes after its replacement."""
    pattern = re.compile(rf"({re.escape(_REPLACED)})?[0-9]+")
    found = [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    return sorted(found, key=lambda path: (_number(path), not path.name.startswith(".")), reverse=True)


def _number(path: Path) -> int:
    return int(path.name.removeprefix(_REPLACED))


def load(path: PathLike, framework: Framework = "numpy") -> Checkpoint:
    """The checkpoint in a folder, every byte of it verified.

    Args:
        path: the checkpoint's own folder.
        framework: what tensors come back as. bfloat16 needs "torch".

    Raises:
        CheckpointError: there is none, or it is damaged in whatever way.
    """
    place = Path(path)
    if not place.is_dir():
        raise CheckpointError(f"there is no checkpoint at {place}; give the folder of a {_MANIFEST}")
    try:
        return _read(place, framework)
    except _Unusable as problem:
        raise CheckpointError(f"checkpoint {place} {problem}; use another one") from problem


def load_newest(folder: PathLike, warn: Warn | None = None, framework: Framework = "numpy") -> Checkpoint | None:
    """The newest checkpoint of a folder that verifies, or None where there is none at all.

    Args:
        folder: where a run's checkpoints lie; need not exist.
        warn: gets one line for each newer checkpoint that is damaged; the module's logger by default.
        framework: as for `load`.

    Raises:
        CheckpointError: there are checkpoints, but none can be used.
    """
    parent = Path(folder)
    problems: list[str] = []
    for path in _candidates(parent) if parent.is_dir() else []:
        name = path.name.removeprefix(_REPLACED)
        try:
            checkpoint = _read(path, framework)
        except _Unusable as problem:
            problems.append(f"checkpoint {name} {problem}")
            continue
        for line in problems:
            (warn or logging.getLogger(__name__).warning)(f"{line}; using {name}")
        return checkpoint
    if problems:
        raise CheckpointError(
            f"none of the {len(problems)} checkpoints in {parent} can be used ({problems[0]}); "
            f"move that folder away to start anew"
        )
    return None


def _read(path: Path, framework: Framework) -> Checkpoint:
    """A verified checkpoint, or _Unusable. No byte but the manifest is parsed before its checksum agrees."""
    try:
        expected = _read_manifest(path)
        found = {entry.name for entry in path.iterdir()} - {_MANIFEST}
        for name in sorted(expected.keys() - found):
            _damaged(name, "is missing")
        for name in sorted(found - expected.keys()):
            _damaged(name, "does not belong there")
        files = {name: _read_file(path / name, *expected[name]) for name in sorted(expected)}
    except OSError as error:
        raise _Unusable(f"cannot be read ({error.strerror})") from error
    tensors: dict[str, Tensors] = {}
    blobs: dict[str, bytes] = {}
    for name, data in files.items():
        stem, _, ending = name.partition(".")
        if ending == "safetensors":
            try:
                tensors[stem] = read_tensors(data, framework)
            except TensorError as problem:
                _damaged(name, str(problem))
        elif ending == "bin":
            blobs[stem] = data
        elif name != _STATE:
            _damaged(name, "is of no known kind")
    if _STATE not in files:
        _damaged(_STATE, "is missing")
    return Checkpoint(path.name.removeprefix(_REPLACED), tensors, _parse_object(_STATE, files[_STATE]), blobs)


def _damaged(file: str, problem: str) -> NoReturn:
    raise _Unusable(f"is damaged ({file}: {problem})")


def _read_manifest(path: Path) -> dict[str, tuple[int, str]]:
    """(size, SHA-256) by file name."""
    place = path / _MANIFEST
    if not place.is_file():
        _damaged(_MANIFEST, "is missing")
    if place.stat().st_size > _MAX_MANIFEST:
        _damaged(_MANIFEST, "is too large")
    data = place.read_bytes()
    manifest = _parse_object(_MANIFEST, data)
    if manifest.get("format") != FORMAT:
        raise _Unusable(f"has format {manifest.get('format')!r}, this version reads format {FORMAT}")
    try:
        files = {name: (entry["size"], entry["sha256"]) for name, entry in manifest["files"].items()}
        canonical = _manifest_text(
            {"format": FORMAT, "files": {k: {"size": int(n), "sha256": h} for k, (n, h) in files.items()}}
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        _damaged(_MANIFEST, "is incomplete")
    if data != canonical:
        _damaged(_MANIFEST, "is not as it was written")
    return files


def _read_file(path: Path, size: int, sha256: str) -> bytes:
    """A file's content, once its kind, size and checksum agree."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        _damaged(path.name, "is no plain file")
    if status.st_size != size:
        _damaged(path.name, f"{status.st_size} bytes instead of {size}")
    if size > _MAX_FILE:
        _damaged(path.name, "is too large")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        _damaged(path.name, "checksum differs")
    return data


def _parse_object(name: str, data: bytes) -> dict[str, Any]:
    """A JSON object with finite numbers."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        _damaged(name, "is not valid JSON")
    if not isinstance(value, dict):
        _damaged(name, "is not a JSON object")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
