"""GameRecord: what was played, in three flat arrays of fixed layout.

The only thing that crosses processes upwards, and what the game log holds. No planes and no positions: a game
starts from ``game.init(state, seed)`` and its positions are rebuilt by playing the actions again.

    header   [1]        who, from where, how it ended                        40 bytes
    plies    [plies]    a row a ply: action, root win/draw/loss, ...         16 bytes each
    entries  [entries]  the improved policies, one ply's after the other's    4 bytes each

These arrays laid end to end are a record's bytes, and records can be laid end to end (`join`, `split`).
A change of layout is a new FORMAT.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ENTRY", "FORMAT", "HEADER", "PLY", "GameRecord", "RecordBuilder", "RecordError", "join", "split"]

FORMAT = 1

HEADER = np.dtype(
    [
        ("id", "<u8"),
        ("seed", "<u8"),  # of game.init
        ("first_version", "<i4"),  # network versions at the first and at the last move
        ("last_version", "<i4"),
        ("plies", "<i4"),
        ("entries", "<i4"),
        ("value", "<f4"),  # for the side to move after the last ply; 0 at a ply limit
        ("ending", "u1"),  # of the game's enum of endings; 0 = still going on
        ("format", "u1"),
        ("reserved", "<u2"),
    ]
)
PLY = np.dtype(
    [
        ("action", "<u2"),
        ("entries", "<u2"),  # policy entries of this ply
        ("simulations", "<u2"),  # 0 for a random opening ply
        ("trained", "u1"),  # 1 = may be trained on
        ("pad", "u1"),
        ("wdl", "<f2", (3,)),  # root win, draw, loss for the mover
        ("reserved", "<u2"),
    ]
)
ENTRY = np.dtype([("action", "<u2"), ("weight", "<f2")])

assert (HEADER.itemsize, PLY.itemsize, ENTRY.itemsize) == (40, 16, 4), "the layout is part of FORMAT"

Buffer = bytes | bytearray | memoryview
_ROUNDING = 0.01  # probabilities may leave [0, 1] by float error, not by more
_LEAST, _MOST = np.array([-_ROUNDING, 1 + _ROUNDING], np.float16).view(np.uint16).tolist()
_NONE: tuple[int, ...] = ()


class RecordError(ValueError):
    """A game record that cannot be right; the message says why."""


class GameRecord(NamedTuple):
    """One game, finished or going on; see the module's docstring. P plies, E policy entries in all."""

    header: NDArray[Any]  # HEADER [1]
    plies: NDArray[Any]  # PLY [P]
    entries: NDArray[Any]  # ENTRY [E]

    @property
    def id(self) -> int:
        return int(self.header["id"][0])

    @property
    def seed(self) -> int:
        """The seed that ``game.init`` gets for the start position."""
        return int(self.header["seed"][0])

    @property
    def first_version(self) -> int:
        return int(self.header["first_version"][0])

    @property
    def last_version(self) -> int:
        return int(self.header["last_version"][0])

    @property
    def value(self) -> float:
        """The result in [-1, 1] for the side to move after the last ply; 0 at a ply limit."""
        return float(self.header["value"][0])

    @property
    def ending(self) -> int:
        """The game's enum of endings; 0 = the game is still going on."""
        return int(self.header["ending"][0])

    @property
    def positions(self) -> int:
        """How many plies may be trained on."""
        return int(np.count_nonzero(self.plies["trained"]))

    @property
    def actions(self) -> NDArray[Any]:
        """The actions played, contiguous, uint16 [P]."""
        return np.ascontiguousarray(self.plies["action"])

    @property
    def trained(self) -> NDArray[Any]:
        """The plies that may be trained on, ascending, int64 [positions]."""
        return np.flatnonzero(self.plies["trained"])

    @property
    def wdl(self) -> NDArray[Any]:
        """The roots' win, draw, loss for the mover, float32 [P, 3]; zeros where nothing was searched."""
        return self.plies["wdl"].astype(np.float32)

    @property
    def offsets(self) -> NDArray[Any]:
        """Where each ply's policy starts in ``entries``, int64 [P + 1]; the last one is E."""
        return np.concatenate(([0], np.cumsum(self.plies["entries"], dtype=np.int64)))

    def policy(self, ply: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The improved policy of a ply: actions uint16 [n] and weights float32 [n], which sum to about 1.

        For one ply; a loop over plies takes ``offsets`` once.
        """
        start = int(self.plies["entries"][:ply].sum(dtype=np.int64))
        entries = self.entries[start : start + int(self.plies["entries"][ply])]
        return np.ascontiguousarray(entries["action"]), entries["weight"].astype(np.float32)

    def result(self, ply: int, discount: float) -> float:
        """The return z for the mover at a ply: value * discount ** (P - ply), with the game's DISCOUNT."""
        return self.value * float(discount) ** (len(self.plies) - ply)

    def results(self, discount: float) -> NDArray[Any]:
        """`result` of every ply, float32 [P]."""
        powers = np.power(float(discount), np.arange(len(self.plies), 0, -1))
        return (self.value * powers).astype(np.float32)

    def check(self) -> None:
        """Raise RecordError where the record cannot be right (counts, non-finite numbers, ranges)."""
        problem = _problem(self)
        if problem:
            raise RecordError(f"game record {self.id} is malformed: {problem}")

    def to_bytes(self) -> bytes:
        """Header, plies and entries, laid end to end."""
        return self.header.tobytes() + self.plies.tobytes() + self.entries.tobytes()

    @classmethod
    def from_bytes(cls, buffer: Buffer) -> "GameRecord":
        """The record in a buffer, copied; RecordError where that is anything but one well-formed record."""
        record, size = _parse(bytearray(buffer), 0)
        if size != len(buffer):
            raise RecordError(f"game record {record.id} takes {size} bytes, but {len(buffer)} were given")
        return record


def join(records: Iterable[GameRecord]) -> bytes:
    """Records laid end to end, for a checkpoint's games in progress; `split` undoes it."""
    return b"".join(record.to_bytes() for record in records)


def split(buffer: Buffer) -> list[GameRecord]:
    """The records laid end to end in a buffer, copied; RecordError where one is malformed or cut short.

    The copies lie in one piece of memory, which stays as long as any of them does.
    """
    data = bytearray(buffer)
    records, start = [], 0
    while start < len(data):
        record, size = _parse(data, start)
        records.append(record)
        start += size
    return records


def _parse(data: bytearray, start: int) -> tuple[GameRecord, int]:
    """The record that begins at a byte, checked, as views; and how many bytes it takes."""
    room = len(data) - start
    if room < HEADER.itemsize:
        raise RecordError(f"a game record of {room} bytes is too short: its header alone takes {HEADER.itemsize}")
    header = np.frombuffer(data, HEADER, 1, start)
    if header["format"][0] != FORMAT:
        raise RecordError(f"a game record has format {header['format'][0]}, this one reads {FORMAT}")
    plies, entries = int(header["plies"][0]), int(header["entries"][0])
    if plies < 0 or entries < 0:
        raise RecordError(f"a game record claims {plies} plies and {entries} policy entries")
    before = HEADER.itemsize + plies * PLY.itemsize
    size = before + entries * ENTRY.itemsize
    if size > room:
        raise RecordError(
            f"a game record is cut short: {plies} plies and {entries} policy entries take {size} bytes, "
            f"there are {room}"
        )
    record = GameRecord(
        header,
        np.frombuffer(data, PLY, plies, start + HEADER.itemsize),
        np.frombuffer(data, ENTRY, entries, start + before),
    )
    record.check()
    return record, size


def _problem(record: GameRecord) -> str | None:
    """What is wrong with a record, as half a sentence, or None."""
    header, plies, entries = record
    counts = plies["entries"]
    total = int(counts.sum(dtype=np.int64))
    if header["plies"][0] != len(plies) or header["entries"][0] != len(entries):
        return "the header's counts differ from the arrays' sizes"
    if total != len(entries):
        return f"its plies announce {total} policy entries, it holds {len(entries)}"
    if not np.abs(header["value"][0]) <= 1:  # written so that NaN fails
        return f"the result {header['value'][0]} is not in [-1, 1]"
    if not _probabilities(entries["weight"]):
        return "a policy weight is not a number in [0, 1]"
    if not _probabilities(plies["wdl"]):
        return "a root's win, draw or loss is not a number in [0, 1]"
    if plies["trained"].max(initial=0) > 1:
        return "a ply's mark for training is neither 0 nor 1"
    if np.any((plies["trained"] == 1) & (counts == 0)):
        return "a ply may be trained on but has no policy"
    return None


def _probabilities(values: NDArray[Any]) -> bool:
    """Whether all values are finite and in [0, 1], but for rounding (float16, any shape).

    Their bits are compared, which takes a tenth of the time: as whole numbers positive floats keep their order, with
    infinity and NaN above the others; behind them, by size, come the negative ones.
    """
    signed, unsigned = values.view(np.int16), values.view(np.uint16)
    return bool(signed.max(initial=0) <= _MOST and unsigned.max(initial=0) <= _LEAST)


class RecordBuilder:
    """The record of one game in progress; an actor keeps one a game.

    >>> builder = RecordBuilder(id=7, seed=3, version=0)
    >>> builder.add(12)  # an opening ply that was not searched
    >>> builder.add(40, [40, 41], [0.75, 0.25], wdl=(0.5, 0.25, 0.25), simulations=16, trained=True)
    >>> record = builder.finish(value=-1.0, ending=1, version=2)
    >>> record.result(1, discount=-1), record.positions
    (1.0, 1)
    """

    def __init__(self, id: int, seed: int, version: int) -> None:
        self.id, self.seed, self.first_version = id, seed, version
        self._plies = np.zeros(64, PLY)
        self._entries = np.zeros(1024, ENTRY)
        self._num_plies = 0
        self._num_entries = 0
        self.positions = 0
        """How many plies so far may be trained on."""

    def __len__(self) -> int:
        """Plies played so far."""
        return self._num_plies

    @property
    def actions(self) -> NDArray[Any]:
        """The actions played so far, a copy, uint16 [plies]."""
        return self._plies["action"][: self._num_plies].copy()

    def latest(self, plies: int) -> NDArray[Any]:
        """The last so many plies, or as many as there are: a view of PLY [n]."""
        return self._plies[max(self._num_plies - plies, 0) : self._num_plies]

    def add(
        self,
        action: int,
        policy_actions: ArrayLike = _NONE,
        policy_weights: ArrayLike = _NONE,
        wdl: ArrayLike = (0.0, 0.0, 0.0),
        simulations: int = 0,
        trained: bool = False,
    ) -> None:
        """Append a ply.

        Args:
            action: the action played.
            policy_actions, policy_weights: the root's improved policy, [n] each, copied; weights sum to 1.
                A weight that float16 rounds to zero is left out.
            wdl: the root's win, draw, loss for the mover, [3].
            simulations: spent at this root, at most 65,535.
            trained: whether the learner may train on this ply.
        """
        weights = np.asarray(policy_weights, np.float16)
        kept = np.flatnonzero(weights)
        entries = np.zeros(len(kept), ENTRY)
        if len(kept):
            entries["action"], entries["weight"] = np.asarray(policy_actions)[kept], weights[kept]
        ply = np.zeros(1, PLY)
        ply[0] = (int(action), len(kept), int(simulations), trained, 0, wdl, 0)
        self.append(ply, entries)

    def append(self, ply: NDArray[Any], entries: NDArray[Any]) -> None:
        """Append a ply that is made already: PLY [1] and its policy, ENTRY [n] with ``n = ply["entries"]``; copied."""
        row, start, stop = self._num_plies, self._num_entries, self._num_entries + len(entries)
        if row == len(self._plies):
            self._plies = _grown(self._plies, row + 1)
        if stop > len(self._entries):
            self._entries = _grown(self._entries, stop)
        self._plies[row : row + 1] = ply
        self._entries[start:stop] = entries
        self._num_plies, self._num_entries = row + 1, stop
        self.positions += int(ply["trained"][0])

    def finish(self, value: float, ending: int, version: int) -> GameRecord:
        """The finished game's record.

        Args:
            value: the result for the side to move after the last ply, in [-1, 1]; 0 at a ply limit.
            ending: of the game's enum of endings, not 0.
            version: of the network that chose the last move.

        Raises:
            RecordError: the record cannot be right, such as NaN in a policy: such a game must not be stored.
        """
        if ending == 0:
            raise RecordError(f"game {self.id} cannot be finished with ending 0, which means that it goes on")
        return self._record(value, ending, version)

    def to_record(self) -> GameRecord:
        """The game so far, with ending 0, for a checkpoint."""
        return self._record(0.0, 0, self.first_version)

    @classmethod
    def from_record(cls, record: GameRecord) -> "RecordBuilder":
        """The game in progress that `to_record` wrote; RecordError where the game is finished."""
        if record.ending != 0:
            raise RecordError(f"game {record.id} is finished (ending {record.ending}) and cannot go on")
        builder = cls(record.id, record.seed, record.first_version)
        builder._plies, builder._num_plies = record.plies.copy(), len(record.plies)
        builder._entries, builder._num_entries = record.entries.copy(), len(record.entries)
        builder.positions = record.positions
        return builder

    def _record(self, value: float, ending: int, version: int) -> GameRecord:
        header = np.zeros(1, HEADER)
        counts = (self._num_plies, self._num_entries)
        header[0] = (self.id, self.seed, self.first_version, version, *counts, value, ending, FORMAT, 0)
        plies, entries = self._plies[: counts[0]].copy(), self._entries[: counts[1]].copy()
        record = GameRecord(header, plies, entries)
        record.check()
        return record


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """A copy with room for ``size`` rows, and for at least twice as many as before."""
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger
