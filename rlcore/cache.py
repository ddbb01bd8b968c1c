"""An evaluation cache: what a network has said of a position is not asked again while its weights are the same.

It stands before any evaluator and is one itself. A position is known by all its packed words and its legal actions
(words alone do not tell them apart: chess's planes hold no en passant square); a hash only finds the place. So an
answer is the evaluator's own for that very position, bit for bit, though it may have been given in another batch.

In self-play most hits come from the search before: a move later, a part of its tree is searched again.
"""

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from rlcore.bits import ONE
from rlcore.evaluators import Batch, NetworkEvaluator, make_batch
from rlcore.jit import Array, njit
from rlcore.planes import PlaneLayout

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["CachedEvaluator"]

_WAYS = 4
"""Entries of the index that may lead to a position; a new one takes the place of the oldest."""

_TYPICAL = 40
"""Legal actions that room is made for; positions with fewer leave some to those with more."""

_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(29)


class _Memory(NamedTuple):
    """A ring of records, the oldest written over first, and an index to it.

    A record, at ``start % cells`` of the ring, in cells of 8 bytes; it never wraps around:

        words | count, waiting | value, draw | priors ... | actions ...

    ``waiting`` is the row asked for whose answer comes here, -1 where it has come. Starts only grow, and a record is
    whole as long as the head is at most all cells further.
    """

    words: Array
    """[cells] uint64: the ring."""
    ints: Array
    """[2 * cells] int32: the same memory, as are the next two."""
    floats: Array
    """[2 * cells] float32."""
    actions: Array
    """[4 * cells] uint16."""
    head: Array
    """[1] int64: where the next record starts."""
    tags: Array
    """[S] uint64: a record's hash, never 0; 0 = free. A position's places in the index are one set of ``_WAYS``."""
    starts: Array
    """[S] int64: where the record starts; -cells where there is none."""


def _new_memory(num_words: int, positions: int) -> _Memory:
    cells = positions * _length(num_words, _TYPICAL)
    places = 2 << max(positions - 1, _WAYS).bit_length()
    ring = np.zeros(cells, np.uint64)
    return _Memory(
        words=ring,
        ints=ring.view(np.int32),
        floats=ring.view(np.float32),
        actions=ring.view(np.uint16),
        head=np.zeros(1, np.int64),
        tags=np.zeros(places, np.uint64),
        starts=np.full(places, -cells, np.int64),
    )


class CachedEvaluator:
    """Asks ``evaluator`` only for what it has not kept. One thread at a time, like any evaluator; see ``twin``.

    A position that stands several times in a batch is asked for once. All is forgotten when the evaluator's version
    changes.

    Args:
        evaluator: its name, batch size, version and ``update`` are this one's too.
        words: packed words of a position, or the layout that says so.
        max_legal: legal actions that a position has at most.
        positions: how many to keep, about: those of 40 legal actions; the oldest makes room. Memory is fixed,
            ``nbytes``: 8 * words + 256 bytes a position and 32 to 64 of index (0.4 kB in chess).

    Raises ValueError where there is not room for a single position.
    """

    def __init__(
        self, evaluator: NetworkEvaluator, words: PlaneLayout | int, max_legal: int, positions: int = 1 << 14
    ) -> None:
        num_words = words if isinstance(words, int) else words.num_words
        self.evaluator = evaluator
        self.hits = self.lookups = 0
        """Rows answered without the evaluator, and all rows: they only grow."""
        self._memory = _new_memory(num_words, positions)
        if len(self._memory.words) < _length(num_words, max_legal):
            raise ValueError(f"a cache of {positions} positions has no room for one with {max_legal} legal actions")
        self._shift = np.uint64(65 - (len(self._memory.tags) // _WAYS).bit_length())
        self._kept = evaluator.version
        self._asked = make_batch(evaluator.batch_size, num_words, max_legal)
        self._starts = np.zeros(evaluator.batch_size, np.int64)
        self._sources = np.zeros(evaluator.batch_size, np.int32)
        self._positions = positions

    @property
    def nbytes(self) -> int:
        """Memory of what is kept."""
        memory = self._memory
        return memory.words.nbytes + memory.tags.nbytes + memory.starts.nbytes

    @property
    def name(self) -> str:
        """The evaluator's."""
        return self.evaluator.name

    @property
    def batch_size(self) -> int:
        """The most rows of a call."""
        return self.evaluator.batch_size

    @property
    def version(self) -> int:
        """Number of the weights that the next call uses."""
        return self.evaluator.version

    def update(self, network: "ResNet", version: int) -> None:
        """Play with other weights from the next call on."""
        self.evaluator.update(network, version)

    def twin(self) -> Self:
        """Another one with the evaluator's twin, for another thread, and a memory of its own."""
        _, num_words = self._asked.words.shape
        _, max_legal = self._asked.actions.shape
        return type(self)(self.evaluator.twin(), num_words, max_legal, self._positions)

    def clear(self) -> None:
        """Forget all positions."""
        self._memory.tags[:] = 0

    def __call__(self, batch: Batch, size: int) -> None:
        """See ``Evaluator``; raises what the evaluator raises."""
        if not 0 <= size <= self.batch_size:
            raise ValueError(f"{size} rows asked of an evaluator with batch_size {self.batch_size}")
        version = self.evaluator.version  # weights that come later than now will be noticed by the next call
        if version != self._kept:
            self.clear()
            self._kept = version
        asked = look_up(self._memory, batch, size, self._shift, self._asked, self._starts, self._sources)
        if asked:
            try:
                self.evaluator(self._asked, asked)
            except BaseException:
                self.clear()  # records wait for answers that will not come
                raise
            hand_out(self._memory, batch, size, self._asked, asked, self._starts, self._sources)
        self.lookups += size
        self.hits += size - asked


@njit
def _length(num_words: int, count: int) -> int:
    """Cells of a record."""
    return num_words + 2 + (6 * count + 7) // 8


@njit
def look_up(
    memory: _Memory, batch: Batch, size: int, shift: np.uint64, asked: Batch, starts: Array, sources: Array
) -> int:
    """Fill the answers that are known into ``batch``, and list the positions to ask for in ``asked``; all in place.

    A position that is not known gets its record at once, so that it is found there when it comes again in the batch.

    Args:
        shift: 64 minus the bits of a set's number.
        starts: [B] int64, written: the record of each row of ``asked``.
        sources: [B] int32, written: the row of ``asked`` that answers a row of ``batch``; -1 = it is answered.

    Returns:
        Rows of ``asked``.
    """
    count = 0
    for row in range(size):
        tag = _hash(batch.words, row)
        first = np.int64(tag >> shift) * _WAYS
        start = _find(memory, tag, first, batch, row)
        if start < 0:
            start = _write(memory, tag, first, batch, row, count)
            asked.counts[count] = batch.counts[row]
            for i in range(batch.words.shape[1]):
                asked.words[count, i] = batch.words[row, i]
            for i in range(batch.counts[row]):
                asked.actions[count, i] = batch.actions[row, i]
            starts[count], sources[row] = start, count
            count += 1
        else:
            at = start % len(memory.words) + batch.words.shape[1]
            sources[row] = memory.ints[2 * at + 1]
            if sources[row] < 0:
                batch.values[row, 0], batch.values[row, 1] = memory.floats[2 * at + 2], memory.floats[2 * at + 3]
                for i in range(batch.counts[row]):
                    batch.priors[row, i] = memory.floats[2 * at + 4 + i]
    return count


@njit
def hand_out(memory: _Memory, batch: Batch, size: int, asked: Batch, count: int, starts: Array, sources: Array) -> None:
    """Keep the answers in ``asked``, and copy them to the rows of ``batch`` that wait for them; all in place."""
    for row in range(count):
        if memory.head[0] - starts[row] <= len(memory.words):  # otherwise the batch was larger than the ring
            at = starts[row] % len(memory.words) + batch.words.shape[1]
            memory.ints[2 * at + 1] = -1
            memory.floats[2 * at + 2], memory.floats[2 * at + 3] = asked.values[row, 0], asked.values[row, 1]
            for i in range(asked.counts[row]):
                memory.floats[2 * at + 4 + i] = asked.priors[row, i]
    for row in range(size):
        source = sources[row]
        if source >= 0:
            batch.values[row, 0], batch.values[row, 1] = asked.values[source, 0], asked.values[source, 1]
            for i in range(batch.counts[row]):
                batch.priors[row, i] = asked.priors[source, i]


@njit
def _hash(words: Array, row: int) -> np.uint64:
    """A hash of a row's words, never 0; its upper bits are the best mixed (after SplitMix64, see rlcore.rng)."""
    tag = _STEP
    for i in range(words.shape[1]):
        tag = (tag ^ words[row, i]) * _MIX
        tag ^= tag >> _SHIFT
    return (tag * _STEP) | ONE


@njit
def _find(memory: _Memory, tag: np.uint64, first: int | np.int64, batch: Batch, row: int) -> int:
    """Where the record of a row's position starts; -1 = there is none."""
    for place in range(first, first + _WAYS):
        start = memory.starts[place]
        if memory.tags[place] == tag and memory.head[0] - start <= len(memory.words):
            if _same(memory, start % len(memory.words), batch, row):
                return start
    return -1


@njit
def _same(memory: _Memory, at: int, batch: Batch, row: int) -> bool:
    """Whether the record at a cell is that of a row's position."""
    num_words, count = batch.words.shape[1], batch.counts[row]
    for i in range(num_words):
        if memory.words[at + i] != batch.words[row, i]:
            return False
    if memory.ints[2 * (at + num_words)] != count:
        return False
    actions = 4 * (at + num_words + 2) + 2 * count
    for i in range(count):
        if memory.actions[actions + i] != batch.actions[row, i]:
            return False
    return True


@njit
def _write(memory: _Memory, tag: np.uint64, first: int | np.int64, batch: Batch, row: int, waiting: int) -> int:
    """Begin a record of a row's position at the head, in place of the oldest in its set; returns where it starts."""
    cells, num_words, count = len(memory.words), batch.words.shape[1], batch.counts[row]
    start, length = memory.head[0], _length(num_words, count)
    if start % cells + length > cells:
        start += cells - start % cells
    memory.head[0] = start + length
    oldest = first
    for place in range(first + 1, first + _WAYS):
        if memory.starts[place] < memory.starts[oldest]:
            oldest = place
    memory.tags[oldest], memory.starts[oldest] = tag, start
    at = start % cells
    for i in range(num_words):
        memory.words[at + i] = batch.words[row, i]
    at += num_words
    memory.ints[2 * at], memory.ints[2 * at + 1] = count, waiting
    actions = 4 * (at + 2) + 2 * count
    for i in range(count):
        memory.actions[actions + i] = batch.actions[row, i]
    return start
