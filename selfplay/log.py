"""GameLog: the append-only file of finished games. A game is finished when it is in here.

    file    magic 8 bytes · format uint32 · crc32 uint32 of the rest · name of the game, 32 bytes
    entry   magic 8 bytes · crc32 uint32 of all that follows · payload length uint32 · game id uint64
            · trainable positions uint32 · reserved uint32 · payload (a GameRecord's bytes)

A crash in mid-write leaves a torn tail, which the next opening cuts off: those games were never counted.
Damage in the middle costs the games it hits and no other: reading goes on at the next entry's magic.
"""

import logging
import os
import struct
import sys
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rlcore.files import lock
from selfplay.record import GameRecord, RecordError

__all__ = ["FORMAT", "GameLog", "LogError"]

FORMAT = 1
_FILE_MAGIC = b"rlgames\n"
_ENTRY_MAGIC = b"\xf7game\r\n\x1a"
_FILE = struct.Struct("<8sII32s")
_ENTRY = struct.Struct("<8sIIQII")
_SEALED = 12  # the checksum covers an entry from here on
MAX_PAYLOAD = 1 << 26  # bytes of a game; a longer one is damage
_CHUNK = 1 << 20

Warn = Callable[[str], None]


class LogError(Exception):
    """The log cannot be used, or a game cannot be put into it; the message says why and what to do."""


class GameLog:
    """An append-only file of finished games; see the module's docstring.

    One process writes at a time (a lock that dies with its process); any number may read with ``read_only``,
    which never changes the file.
    """

    def __init__(
        self, path: str | os.PathLike[str], game: str, *, warn: Warn | None = None, read_only: bool = False
    ) -> None:
        """Open the log, made if missing, and look through it once.

        Args:
            path: the file; its folder must exist.
            game: the game's name, at most 32 bytes of UTF-8.
            warn: gets one line for a torn tail and for each damaged stretch; the module's logger by default.
            read_only: for readers beside a running writer: no lock, nothing cut off, no `append`.

        Raises:
            LogError: not a log, the log of another game, a newer format, or another process is writing to it.
        """
        self.path = Path(path)
        self.game = game
        self.ids: set[int] = set()
        """The ids of all games in the log."""
        self._warn = warn or logging.getLogger(__name__).warning
        self._offsets = array("Q")  # where each game's entry starts
        self._totals = array("Q")  # trainable positions up to and with each game
        self._end = 0
        header = _file_header(game)
        if not read_only:
            _create(self.path, header)
        try:
            self._file: BinaryIO = open(self.path, "rb" if read_only else "r+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise LogError(f"{self.path} cannot be opened ({error.strerror})") from error
        self._read_only = read_only
        try:
            if not read_only:
                if not lock(self._file):
                    raise LogError(f"{self.path} is in use by another process; end it or choose another folder")
            self._open(header)
        except BaseException:
            self._file.close()
            raise

    @property
    def games(self) -> int:
        """How many games the log holds."""
        return len(self._offsets)

    @property
    def positions(self) -> int:
        """How many positions of all games together may be trained on."""
        return self._totals[-1] if self._totals else 0

    def position(self) -> int:
        """The byte at which the next game will be written, for a checkpoint; `index` finds it again."""
        return self._end

    def index(self, position: int) -> int:
        """How many games lie before a byte position: the first game written since then, for `records`."""
        return bisect_left(self._offsets, position)

    def tail(self, positions: int) -> int:
        """The latest game from which on the log holds that many trainable positions; 0 if there are fewer."""
        return bisect_right(self._totals, self.positions - positions)

    def append(self, records: Iterable[GameRecord]) -> None:
        """Write finished games with one fsync, and count them; all of them or, where that fails, none.

        Raises:
            LogError: a game is already there, still going on or malformed, or the disk refused the write.
        """
        if self._read_only:
            raise LogError(f"{self.path} was opened for reading only")
        entries: dict[int, tuple[bytes, int]] = {}
        for record in records:
            game_id, positions = record.id, record.positions
            if game_id in self.ids or game_id in entries:
                raise LogError(f"game {game_id} is already in {self.path.name}; a game is logged once")
            if record.ending == 0:
                raise LogError(f"game {game_id} is still going on; only finished games are logged")
            try:
                record.check()
            except RecordError as error:
                raise LogError(str(error)) from error
            entries[game_id] = (_entry(game_id, positions, record.to_bytes()), positions)
        if entries:
            self._write(b"".join(entry for entry, _ in entries.values()))
            for game_id, (entry, positions) in entries.items():
                self._count(game_id, positions, self._end, len(entry))

    def records(self, start: int = 0) -> Iterator[GameRecord]:
        """The games in log order from the game number ``start`` on (0 = the first), read one at a time.

        Games appended meanwhile are included. LogError where the file has changed under us.
        """
        if start < 0:
            raise ValueError(f"start must be 0 or more, not {start}")
        with self.path.open("rb", buffering=_CHUNK) as file:
            game = start
            while game < self.games:
                file.seek(self._offsets[game])
                found = _read_entry(file)
                if found is None:
                    raise LogError(f"game number {game} of {self.path} was damaged meanwhile; start again")
                try:
                    record = GameRecord.from_bytes(found[2])
                except RecordError as error:
                    raise LogError(f"game number {game} of {self.path} cannot be read: {error}") from error
                yield record
                game += 1

    def close(self) -> None:
        """Close the file and let another process write."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, header: bytes) -> None:
        """Check the file header, look through all entries, and cut a torn tail off."""
        with self.path.open("rb", buffering=_CHUNK) as file:
            whole = self._check_file_header(file.read(_FILE.size), header)
            size = file.seek(0, os.SEEK_END)
            self._end = min(_FILE.size, size)
            self._scan(file, size)
        if not whole:
            if not self.games:
                raise LogError(f"{self.path} is not a log of games; move it away or choose another folder")
            self._warn(f"{self.path.name}: the file's header is damaged; its games are taken as {self.game}")
        if self._end < size and not self._read_only:
            self._truncate()
            os.fsync(self._file.fileno())
            self._warn(
                f"{self.path.name}: the last {size - self._end} bytes are no whole game, as after a crash, "
                f"and were cut off; {self.games} games are intact"
            )

    def _check_file_header(self, found: bytes, expected: bytes) -> bool:
        """Whether the file's header is intact; LogError where it is, but not ours."""
        if found == expected:
            return True
        if len(found) < _FILE.size:
            return False
        magic, version, checksum, name = _FILE.unpack(found)
        if magic != _FILE_MAGIC or checksum != _file_checksum(version, name):
            return False
        if version != FORMAT:
            raise LogError(f"{self.path} has format {version}, this one reads {FORMAT}; update rlcore")
        other = name.rstrip(b"\0").decode(errors="replace")
        raise LogError(f"{self.path} holds games of {other}, not of {self.game}; choose another folder")

    def _scan(self, file: BinaryIO, size: int) -> None:
        """Count every intact entry, warn of damage between them, and leave ``_end`` after the last one."""
        file.seek(self._end)
        while self._end < size:
            found = _read_entry(file)
            offset = self._end
            while found is None:
                offset = _find_magic(file, offset + 1, size)
                if offset == size:
                    return
                file.seek(offset)
                found = _read_entry(file)
            if offset > self._end:
                self._warn(
                    f"{self.path.name}: {offset - self._end} damaged bytes at byte {self._end} were skipped; "
                    f"the games around them are intact"
                )
            game_id, positions, payload = found
            length = _ENTRY.size + len(payload)
            if game_id in self.ids:
                self._warn(f"{self.path.name}: game {game_id} is there twice; the second one is ignored")
                self._end = offset + length
            else:
                self._count(game_id, positions, offset, length)

    def _count(self, game_id: int, positions: int, offset: int, length: int) -> None:
        self._totals.append(self.positions + positions)
        self._offsets.append(offset)
        self.ids.add(game_id)
        self._end = offset + length

    def _write(self, data: bytes) -> None:
        """Write at the clean end and fsync; where that fails, leave the file as it was."""
        try:
            self._file.truncate(self._end)  # an interrupt may have left uncounted games there
            self._file.seek(self._end)
            view = memoryview(data)
            while len(view):
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except BaseException as error:
            self._truncate()
            if isinstance(error, OSError):
                raise LogError(
                    f"games could not be written to {self.path} ({error.strerror}); those before are intact"
                ) from error
            raise

    def _truncate(self) -> None:
        """Cut off what lies behind the last whole game. If even that fails the next opening does it."""
        try:
            self._file.truncate(self._end)
        except OSError as error:
            logging.getLogger(__name__).debug("%s: %s", self.path, error)


def _file_checksum(version: int, name: bytes) -> int:
    return zlib.crc32(struct.pack("<I32s", version, name))


def _file_header(game: str) -> bytes:
    name = game.encode()
    if not 0 < len(name) <= 32:
        raise ValueError(f"a game's name takes 1 to 32 bytes, not {len(name)}")
    return _FILE.pack(_FILE_MAGIC, FORMAT, _file_checksum(FORMAT, name), name)


def _entry(game_id: int, positions: int, payload: bytes) -> bytes:
    """A game's entry in the log, its record being the payload."""
    if len(payload) > MAX_PAYLOAD:
        raise LogError(f"game {game_id} takes {len(payload)} bytes; at most {MAX_PAYLOAD} are possible")
    sealed = struct.pack("<IQII", len(payload), game_id, positions, 0)
    checksum = zlib.crc32(payload, zlib.crc32(sealed))
    return b"".join((_ENTRY_MAGIC, struct.pack("<I", checksum), sealed, payload))


def _read_entry(file: BinaryIO) -> tuple[int, int, bytes] | None:
    """The (id, positions, payload) of the entry that starts here, or None where no intact one does."""
    head = file.read(_ENTRY.size)
    if len(head) < _ENTRY.size:
        return None
    magic, checksum, length, game_id, positions, _ = _ENTRY.unpack(head)
    if magic != _ENTRY_MAGIC or length > MAX_PAYLOAD:
        return None
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(head[_SEALED:])) != checksum:
        return None
    return game_id, positions, payload


def _find_magic(file: BinaryIO, offset: int, size: int) -> int:
    """The first byte from ``offset`` on at which an entry may start; ``size`` if there is none."""
    while offset < size:
        file.seek(offset)
        chunk = file.read(_CHUNK)
        found = chunk.find(_ENTRY_MAGIC)
        if found >= 0:
            return offset + found
        if offset + len(chunk) >= size or not chunk:
            return size
        offset += len(chunk) - len(_ENTRY_MAGIC) + 1  # a magic may lie across two chunks
    return size


def _create(path: Path, header: bytes) -> None:
    """Make a log without games, either whole or not there; an existing one with a header stays as it is."""
    new = path.with_name(path.name + ".new")
    try:
        if path.exists():
            with path.open("rb") as file:
                found = file.read(_FILE.size)
            if found == header or not header.startswith(found):
                return
        with new.open("wb") as file:
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
        if sys.platform != "win32":  # where a folder cannot be opened
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the new name must survive a power cut, too
            finally:
                os.close(folder)
    except OSError as error:
        raise LogError(f"the log of games {path} cannot be created ({error.strerror})") from error
