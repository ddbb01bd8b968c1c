"""The replay window: the latest games, as moves; positions are made again when they are sampled.

All games lie end to end in a few flat arrays, so that a batch is gathered by array operations and a kernel: work in
Python goes by the batch, not by the position.
"""

from typing import Any, NamedTuple

import numpy as np

from rlcore.evaluators import Batch, make_batch
from rlcore.game import Game, new_history
from rlcore.jit import Array, njit
from rlcore.symmetry import mirror
from selfplay.config import LearnerConfig
from selfplay.record import ENTRY, PLY, GameRecord

_GAME = np.dtype(
    [
        ("seed", "<u8"),
        ("first_ply", "<i8"),  # number of its first row among the plies ...
        ("first_entry", "<i8"),  # ... and among the policy entries
        ("plies", "<i4"),
        ("last_version", "<i4"),
        ("value", "<f4"),
        ("ending", "u1"),
    ]
)
_BITS = np.dtype([(name, "<u2" if name == "wdl" else kind, *shape) for name, kind, *shape in PLY.descr])
"""PLY for kernels, which know no float16."""
_SLACK = 16  # a byte of room for so many in use ...
_SMALL = 1 << 16  # ... and so many more


class Samples(NamedTuple):
    """A batch of training positions; the arrays are the window's own and are overwritten by the next one."""

    batch: Batch  # words, actions and counts of each position
    policy: Array  # [n, MAX_LEGAL] float32: the improved policy over ``batch.actions``
    wdl: Array  # [n, 3] float32: the value target, win, draw, loss for the side to move


class Rows:
    """A flat array whose rows come in at one end and leave at the other; a row keeps its number for ever."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.first = 0
        """The number of the oldest row that is there; its index in ``all`` is 0."""
        self._bytes = np.empty(0, np.uint8)  # copied as such, since NumPy copies structures field by field
        self._start = self._stop = 0  # bytes

    @property
    def all(self) -> Array:
        """The rows that are there, oldest first: a view, which holds until the next change."""
        return self._bytes[self._start : self._stop].view(self.dtype)

    @property
    def nbytes(self) -> int:
        """Memory taken, with the room for more."""
        return self._bytes.nbytes

    def add(self, rows: Array) -> int:
        """Take in rows, copied; returns the number of the first of them."""
        number = self.first + (self._stop - self._start) // self.dtype.itemsize
        new = rows.view(np.uint8)
        if self._stop + len(new) > len(self._bytes):
            self._make_room(len(new))
        self._bytes[self._stop : self._stop + len(new)] = new
        self._stop += len(new)
        return number

    def drop(self, first: int) -> None:
        """Let go of all rows before number ``first``."""
        self._start += (first - self.first) * self.dtype.itemsize
        self.first = first

    def _make_room(self, size: int) -> None:
        """Move what is there to the front, or into a larger array: seldom, thanks to the room that is then left."""
        now = self._bytes[self._start : self._stop]
        needed = len(now) + size
        if needed + needed // (2 * _SLACK) > len(self._bytes):
            self._bytes = np.empty(needed + needed // _SLACK + _SMALL, np.uint8)
        self._bytes[: len(now)] = now
        self._start, self._stop = 0, len(now)


@njit
def _find(plies: Array, starts: Array, ranks: Array, found: Array, entries: Array, actions: Array) -> None:
    """In each game the ply that is number ``rank`` of those trained on, and what was played up to there.

    Args:
        plies: of all games, in the layout of ``_BITS``; starts: [n] int64, the first one of each game that is drawn.
        ranks: [n] int64, from 0.
        found: [n] int32 out, the ply.
        entries: [n] int64 in and out, the first policy entry of the game, then of the ply.
        actions: uint16 out, the moves before each ply, one game's after the other's.
    """
    total = 0
    for i in range(starts.shape[0]):
        row, left = starts[i], ranks[i]
        while left > 0 or plies[row]["trained"] == 0:
            left -= plies[row]["trained"]
            entries[i] += plies[row]["entries"]
            actions[total] = plies[row]["action"]
            total += 1
            row += 1
        found[i] = row - starts[i]


@njit
def _spread_policy(
    legal: Array, counts: Array, actions: Array, weights: Array, starts: Array, ends: Array, policy: Array
) -> None:
    """Turn policy entries (action, weight) into weights by place in the list of legal actions, summing to one."""
    for i in range(counts.shape[0]):
        policy[i, :] = 0.0
        total = 0.0
        for j in range(starts[i], ends[i]):
            for k in range(counts[i]):
                if legal[i, k] == actions[j]:
                    policy[i, k] = weights[j]
                    total += weights[j]
                    break
        if total > 0.0:
            for k in range(counts[i]):
                policy[i, k] /= total


def window_size(config: LearnerConfig, total: int) -> int:
    """How many positions the replay window is to hold when there have been ``total``."""
    return max(config.window_min, min(int(config.window_share * total), config.window_max))


class Window:
    """Holds the games that hold the latest positions and draws batches from them, each position equally likely."""

    def __init__(self, game: Game, config: LearnerConfig, planes_history: int, max_plies: int) -> None:
        self.game, self.config, self.planes_history = game, config, planes_history
        self.max_plies_ending = int(game.Ending.MAX_PLIES)
        self.total = 0
        """Trainable positions ever added."""
        self._games, self._plies, self._entries = Rows(_GAME), Rows(_BITS), Rows(np.uint32)
        self._ends = Rows(np.int64)  # of each game, the trainable positions ever added up to and with it
        self._added = self._dropped = 0  # trainable positions, by this process
        self._scratch = new_history(game, 1, max_plies + 2)
        size = config.batch_size
        self._batch = make_batch(size, game.layout(planes_history).num_words, game.MAX_LEGAL)
        self._policy = np.zeros((size, game.MAX_LEGAL), np.float32)
        self._symmetries = getattr(game, "SYMMETRIES", None) if config.augment else None
        self._board = np.zeros(game.BOARD_WORDS, np.uint64)

    @property
    def positions(self) -> int:
        """Trainable positions now in the window."""
        return self._added - self._dropped

    @property
    def last_version(self) -> int:
        """The newest version of the network that has played in its games; 0 without games."""
        return int(self._games.all["last_version"].max(initial=0))

    @property
    def nbytes(self) -> int:
        """Bytes that its games take, with the room to move."""
        return sum(rows.nbytes for rows in (self._games, self._ends, self._plies, self._entries))

    def add(self, records: list[GameRecord]) -> None:
        """Take in finished games, copied, and let go of the oldest beyond the window's size."""
        for record in records:
            ply, entry = self._plies.add(record.plies), self._entries.add(record.entries)
            row = (record.seed, ply, entry, len(record.plies), record.last_version, record.value, record.ending)
            self._games.add(np.array([row], _GAME))
            positions = record.positions
            self._added += positions
            self.total += positions
            self._ends.add(np.array([self._added]))
        self._let_go()

    def _let_go(self) -> None:
        """Drop the oldest games that the window is full without; the latest game stays."""
        ends = self._ends.all
        count = min(int(np.searchsorted(ends, self._added - self.size(), side="right")), len(ends) - 1)
        if count <= 0:
            return
        self._dropped = int(ends[count - 1])
        oldest = self._games.all[count]
        self._plies.drop(int(oldest["first_ply"]))
        self._entries.drop(int(oldest["first_entry"]))
        self._games.drop(self._games.first + count)
        self._ends.drop(self._ends.first + count)

    def size(self) -> int:
        """How many positions the window is to hold, given how many there have been."""
        return window_size(self.config, self.total)

    def sample(self, generator: np.random.Generator) -> Samples:
        """Draw ``batch_size`` positions with replacement."""
        size = self.config.batch_size
        draws = self._dropped + generator.integers(0, self.positions, size)
        places = np.searchsorted(self._ends.all, draws, side="right")
        games = self._games.all[places]
        before = np.where(places > 0, self._ends.all[places - 1], self._dropped)
        plies = self._rebuild(games, draws - before)
        if self._symmetries is not None:
            drawn = generator.integers(0, len(self._symmetries.actions), size)
            layout = self.game.layout(self.planes_history)
            batch = self._batch
            mirror(batch.words, batch.actions, batch.counts, drawn, self._symmetries, layout, self._board)
        return Samples(self._batch, self._policy, self._values(games, plies))

    def _rebuild(self, games: Array, ranks: Array) -> Array:
        """Make the positions before each game's trainable ply of that rank, and their policies; returns the plies."""
        actions = np.zeros(int(games["plies"].sum()), np.uint16)
        plies = np.zeros(len(games), np.int32)
        starts, entries = games["first_ply"] - self._plies.first, games["first_entry"] - self._entries.first
        _find(self._plies.all, starts, ranks, plies, entries, actions)
        longest = int(plies.max()) + 2
        if longest > self._scratch.states.shape[1]:
            self._scratch = new_history(self.game, 1, longest)
        moves = np.concatenate([[0], np.cumsum(plies[:-1], dtype=np.int64)])
        seeds = np.ascontiguousarray(games["seed"])
        self.game.rebuild(self._scratch, actions, moves, seeds, plies, self.planes_history, self._batch)
        self._set_policies(entries, self._plies.all["entries"][starts + plies])
        return plies

    def _set_policies(self, first: Array, counts: Array) -> None:
        """The policies whose entries begin there, that many of each."""
        ends = np.cumsum(counts, dtype=np.int64)
        starts = ends - counts
        chosen = self._entries.all[np.repeat(first - starts, counts) + np.arange(ends[-1])].view(ENTRY)
        actions, weights = np.ascontiguousarray(chosen["action"]), chosen["weight"].astype(np.float32)
        batch = self._batch
        _spread_policy(batch.actions, batch.counts, actions, weights, starts, ends, self._policy)

    def _values(self, games: Array, plies: Array) -> Array:
        """The game's result, mixed with the root's value; the root's alone where the result is not known."""
        rows = games["first_ply"] - self._plies.first + plies
        root = self._plies.all["wdl"][rows].view(np.float16).astype(np.float32)
        root /= np.maximum(root.sum(axis=1, keepdims=True), 1e-6)
        share = np.full((len(games), 1), self.config.root_value_share, np.float32)
        if self.config.ply_limit_value == "none":
            share[games["ending"] == self.max_plies_ending] = 1.0
        z = games["value"].astype(np.float64) * np.power(float(self.game.DISCOUNT), games["plies"] - plies)
        result = np.stack([np.maximum(z, 0.0), 1.0 - np.abs(z), np.maximum(-z, 0.0)], axis=1).astype(np.float32)
        return share * root + (1.0 - share) * result
