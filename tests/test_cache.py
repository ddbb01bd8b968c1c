"""The evaluation cache: the evaluator's own answers, asked for once, and never another position's."""

import copy
from typing import Self

import numpy as np
import pytest

from games import chess
from rlcore.cache import CachedEvaluator
from rlcore.evaluators import Batch, make_batch
from rlcore.jit import Array
from rlcore.planes import PlaneLayout

WORDS, MAX_LEGAL = 5, 60


class Asked:
    """Answers with numbers made of the position, and notes what it was asked."""

    name, batch_size = "asked", 64

    def __init__(self) -> None:
        self.version = 1
        self.rows: list[bytes] = []
        self.calls = 0
        self.broken = False

    def __call__(self, batch: Batch, size: int) -> None:
        self.calls += 1
        if self.broken:
            raise FloatingPointError("broken")
        for row in range(size):
            count = batch.counts[row]
            self.rows.append(batch.words[row].tobytes() + batch.actions[row, :count].tobytes())
            seed = [self.version, *map(int, batch.words[row]), *map(int, batch.actions[row, :count])]
            numbers = np.random.default_rng(seed).random(count + 2, np.float32)
            batch.priors[row, :count], batch.values[row] = numbers[:-2], numbers[-2:]

    def update(self, network: object, version: int) -> None:
        self.version = version

    def twin(self) -> Self:
        return copy.copy(self)


def positions(number: int, seed: int = 1) -> Batch:
    """Positions that differ in a bit or two, as they do in play; 1 to 60 legal actions."""
    generator = np.random.default_rng(seed)
    batch = make_batch(number, WORDS, MAX_LEGAL)
    batch.words[:] = np.uint64(1) << generator.integers(0, 64, (number, WORDS), dtype=np.uint64)
    batch.counts[:] = generator.integers(1, MAX_LEGAL + 1, number)
    batch.actions[:] = generator.integers(0, 4672, batch.actions.shape)
    return batch


def take(batch: Batch, rows: Array) -> Batch:
    """A batch of some of its rows, with nothing answered, and rubbish beyond the counts."""
    taken = Batch(*(array[rows].copy() for array in batch))
    taken.priors[:], taken.values[:] = 7.0, 7.0
    for row, count in enumerate(taken.counts):
        taken.actions[row, count:] = np.random.default_rng().integers(0, 4672, MAX_LEGAL - count)
    return taken


def same_answers(found: Batch, expected: Batch, size: int) -> bool:
    """Whether the first rows agree to the bit, and nothing else was written."""
    for row in range(size):
        count = expected.counts[row]
        if found.priors[row, :count].tobytes() != expected.priors[row, :count].tobytes():
            return False
        if not (found.priors[row, count:] == 7.0).all():
            return False
    rest = (found.priors[size:] == 7.0).all() and (found.values[size:] == 7.0).all()
    return bool(rest) and found.values[:size].tobytes() == expected.values[:size].tobytes()


@pytest.mark.parametrize("kept", [8, 40, 200, 5000])
def test_answers_are_the_evaluators_own(kept: int) -> None:
    """Sizes, repeats and new positions at random, with room for few of them, some, and all."""
    pool, generator = positions(300), np.random.default_rng(2)
    cached, plain = CachedEvaluator(Asked(), WORDS, MAX_LEGAL, kept), Asked()
    before = cached.nbytes
    for _ in range(60):
        rows = generator.integers(0, 300, 64)
        size = int(generator.integers(0, 65))
        found, expected = take(pool, rows), take(pool, rows)
        cached(found, size)
        plain(expected, size)
        assert same_answers(found, expected, size)
    inner = cached.evaluator
    assert isinstance(inner, Asked)
    assert cached.lookups == len(plain.rows)
    assert cached.hits == len(plain.rows) - len(inner.rows)
    assert cached.nbytes == before
    if kept == 5000:
        assert len(inner.rows) == len(set(plain.rows))  # each position once
    else:
        assert len(set(plain.rows)) < len(inner.rows) <= len(plain.rows)


def test_a_position_is_asked_once_even_within_a_batch() -> None:
    cached = CachedEvaluator(inner := Asked(), WORDS, MAX_LEGAL)
    batch = take(positions(2), np.array([0, 1, 0, 0, 1]))
    cached(batch, 5)
    assert (len(inner.rows), cached.hits, cached.lookups) == (2, 3, 5)
    cached(batch, 5)
    assert (inner.calls, len(inner.rows), cached.hits, cached.lookups) == (1, 2, 8, 10)


def test_the_oldest_make_room() -> None:
    cached = CachedEvaluator(inner := Asked(), WORDS, MAX_LEGAL, 100)
    pool = positions(400)
    pool.counts[:] = 40
    for row in range(400):
        cached(take(pool, np.array([row])), 1)
    inner.rows.clear()
    for row in range(310, 400):
        cached(take(pool, np.array([row])), 1)
    assert len(inner.rows) <= 20  # the last 90: some lost their places in the index
    cached(take(pool, np.arange(250, 290)), 40)
    assert len(inner.rows) >= 40


def test_equal_hashes_are_told_apart_by_the_words() -> None:
    """Two positions forged to the same hash: what the first word changes, the second takes back."""
    step, mix = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9

    def mixed(word: int) -> int:
        tag = (step ^ word) * mix % 2**64
        return tag ^ tag >> 29

    batch = make_batch(2, 2, 4)
    batch.words[:] = [[1, 5], [2, 5 ^ mixed(1) ^ mixed(2)]]
    cached = CachedEvaluator(inner := Asked(), 2, 4, 64)
    cached(batch, 2)
    cached(batch, 2)
    tags = cached._memory.tags[cached._memory.tags != 0]
    assert tags.tolist() == [tags[0]] * 2  # otherwise the forgery is out of date
    assert len(inner.rows) == 2
    assert batch.values[0, 0] != batch.values[1, 0]


def test_equal_words_with_other_legal_actions_are_another_position() -> None:
    """White may take d5 in passing, or f5: the planes are the same, and so is the number of legal moves."""
    batch = make_batch(2, PlaneLayout.of(chess, 1).num_words, chess.MAX_LEGAL)
    for row, square in enumerate(("d6", "f6")):
        state = np.zeros(1, chess.STATE)[0]
        chess.read(state, f"4k3/8/8/3pPp2/8/8/8/4K3 w - {square} 0 1")
        batch.counts[row] = chess.legal_actions(state, batch.actions[row])
        chess.pack(state, 0, state["turn"], batch.words[row])
        chess.pack_leaf(state, batch.words[row, 13:])
    assert batch.words[0].tobytes() == batch.words[1].tobytes()
    assert batch.counts[0] == batch.counts[1]
    cached = CachedEvaluator(inner := Asked(), PlaneLayout.of(chess, 1), chess.MAX_LEGAL)
    cached(batch, 2)
    assert len(inner.rows) == 2


def test_new_weights_empty_it() -> None:
    cached = CachedEvaluator(inner := Asked(), WORDS, MAX_LEGAL)
    batch = take(positions(8), np.arange(8))
    cached(batch, 8)
    old = batch.values.copy()
    cached.update(None, 2)  # type: ignore[arg-type]
    assert (cached.version, inner.version) == (2, 2)
    cached(batch, 8)
    assert len(inner.rows) == 16
    assert (batch.values != old).all()
    cached(batch, 8)
    assert len(inner.rows) == 16


def test_a_twin_keeps_its_own() -> None:
    cached = CachedEvaluator(Asked(), WORDS, MAX_LEGAL, 77)
    batch = take(positions(8), np.arange(8))
    cached(batch, 8)
    twin = cached.twin()
    twin(batch, 8)
    assert (twin.hits, twin.lookups, cached.lookups) == (0, 8, 8)
    assert (twin.nbytes, twin.name, twin.batch_size) == (cached.nbytes, "asked", 64)


def test_after_an_error_it_asks_again() -> None:
    cached = CachedEvaluator(inner := Asked(), WORDS, MAX_LEGAL)
    batch = take(positions(8), np.arange(8))
    inner.broken = True
    with pytest.raises(FloatingPointError):
        cached(batch, 8)
    inner.broken = False
    cached(batch, 8)
    assert len(inner.rows) == 8
    assert (batch.values != 7.0).all()


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="cache of 4 positions has no room for one with 218 legal actions"):
        CachedEvaluator(Asked(), 1, 218, 4)
    with pytest.raises(ValueError, match="65 rows asked"):
        CachedEvaluator(Asked(), WORDS, MAX_LEGAL)(make_batch(65, WORDS, MAX_LEGAL), 65)
