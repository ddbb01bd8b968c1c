"""Evaluators: whatever turns a batch of packed positions and their legal actions into priors and values.

The search knows nothing else of a network. Here is what it calls, the evaluator without a network, and the kernels by
which evaluators with one hand over their answers. The one that runs torch has a module of its own
(``inference``), so that a search without a network, a perft or a ``--help`` never loads torch.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import numpy as np

from rlcore.jit import Array, njit

if TYPE_CHECKING:  # torch takes seconds to load
    from rlcore.networks import ResNet

__all__ = [
    "MIN_PRIOR",
    "Batch",
    "Evaluator",
    "NetworkEvaluator",
    "Uniform",
    "fill_uniform",
    "finish",
    "gather_logits",
    "make_batch",
]

MIN_PRIOR = np.float32(1e-30)
"""No legal action gets less, so that none is lost to underflow and every logarithm of a prior is finite."""


class Batch(NamedTuple):
    """Positions to evaluate and room for the answers. B rows, of which a call uses the first ``size``."""

    words: Array
    """[B, num_words] uint64: packed planes (planes.py)."""
    actions: Array
    """[B, max_legal] uint16: legal actions; beyond the count anything."""
    counts: Array
    """[B] int32: legal actions in a row, at least 1."""
    priors: Array
    """[B, max_legal] float32, written: of each legal action, positive, sums to 1; beyond the count anything."""
    values: Array
    """[B, 2] float32, written: value (win - loss, for the side to move) in [-1, 1], and probability of a draw."""


class Evaluator(Protocol):
    """Fills ``batch.priors`` and ``batch.values`` of the first ``size`` rows, and leaves later rows as they are.

    One thread at a time calls one evaluator; several threads have one each.
    """

    def __call__(self, batch: Batch, size: int) -> None: ...


class NetworkEvaluator(Evaluator, Protocol):
    """An evaluator with a network, whatever runs it; its weights have a number."""

    @property
    def batch_size(self) -> int:
        """The most rows of a call."""
        ...

    @property
    def name(self) -> str:
        """What runs it, for people to read."""
        ...

    @property
    def version(self) -> int:
        """Number of the weights that the next call uses."""
        ...

    def update(self, network: "ResNet", version: int) -> None:
        """Play with the weights of ``network`` from the next call on; calls under way finish with the old ones."""
        ...

    def twin(self) -> Self:
        """Another evaluator with the same weights, now and after every ``update`` of either, for another thread."""
        ...


def make_batch(rows: int, num_words: int, max_legal: int) -> Batch:
    """An empty batch: one legal action, number 0, in every row."""
    return Batch(
        words=np.zeros((rows, num_words), np.uint64),
        actions=np.zeros((rows, max_legal), np.uint16),
        counts=np.ones(rows, np.int32),
        priors=np.ones((rows, max_legal), np.float32),
        values=np.zeros((rows, 2), np.float32),
    )


class Uniform:
    """Knows nothing: every legal action alike, value 0. For tests, benchmarks, and as the weakest opponent."""

    def __call__(self, batch: Batch, size: int) -> None:
        fill_uniform(batch.counts, size, batch.priors, batch.values)


@njit
def fill_uniform(counts: Array, size: int, priors: Array, values: Array) -> None:
    """Priors 1 / count, value 0, draw 0 in the first ``size`` rows, in place."""
    for row in range(size):
        count = counts[row]
        prior = np.float32(1.0 / count)
        for i in range(count):
            priors[row, i] = prior
        values[row, 0] = 0.0
        values[row, 1] = 0.0


@njit
def gather_logits(logits: Array, shift: int, actions: Array, counts: Array, size: int, priors: Array) -> None:
    """Copy the logits of the legal actions into ``priors``, in place, in their order, as bits.

    Args:
        logits: [B, squares, planes] in the network's own memory order: action = plane * squares + square. uint32, the
            bits of float32, with ``shift`` 0; or uint16, the bits of bfloat16, with ``shift`` 16: a bfloat16 is the
            upper half of a float32, and to convert all logits first costs 4 % of a small network's time.
        priors: [B, max_legal] uint32, a view of the float32 array.
    """
    squares = np.uint32(logits.shape[1])
    left = np.uint32(shift)
    for row in range(size):
        for i in range(counts[row]):
            action = np.uint32(actions[row, i])
            priors[row, i] = np.uint32(logits[row, action % squares, action // squares]) << left


@njit
def finish(wdl: Array, counts: Array, size: int, priors: Array, values: Array) -> int:
    """Turn logits into priors and values, in place; returns how many rows are not finite numbers.

    prior(a) = exp(logit(a) - max) / sum over the legal actions, at least MIN_PRIOR; value = p(win) - p(loss).

    Args:
        wdl: [B, 3] float32, (win, draw, loss) logits.
        priors: [B, max_legal] float32, holding the legal actions' logits.
    """
    broken = 0
    for row in range(size):
        count = counts[row]
        total = _softmax(priors[row, :count])
        win, draw, loss = wdl[row, 0], wdl[row, 1], wdl[row, 2]
        most = max(win, draw, loss)
        win, draw, loss = np.exp(win - most), np.exp(draw - most), np.exp(loss - most)
        scale = np.float32(1.0) / (win + draw + loss)
        values[row, 0] = (win - loss) * scale
        values[row, 1] = draw * scale
        if not (np.isfinite(total) and np.isfinite(values[row, 0]) and np.isfinite(values[row, 1])):
            broken += 1
    return broken


@njit
def _softmax(row: Array) -> np.float32:
    """Logits to probabilities, in place; returns the sum of exponentials, not finite where a logit is not."""
    most = row[0]
    for i in range(1, len(row)):
        most = max(most, row[i])
    total = np.float32(0.0)
    for i in range(len(row)):
        row[i] = np.exp(row[i] - most)
        total += row[i]
    scale = np.float32(1.0) / total
    for i in range(len(row)):
        row[i] = max(row[i] * scale, MIN_PRIOR)
    return total
