"""Symmetries that a game declares: each turns a position into one that is played alike, so the learner may see either.

A symmetry moves squares and actions. What a symmetry leaves alone are the counts of a position: whose turn it is, how
often it stood before. History steps are moved alike.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from rlcore.bits import ONE, ZERO, lowest
from rlcore.jit import Array, njit
from rlcore.planes import PlaneLayout

__all__ = ["Symmetries", "mirror", "symmetries_of"]


class Symmetries(NamedTuple):
    """S symmetries of a game, number 0 the one that changes nothing."""

    squares: Array
    """[S, rows * cols] uint16: where what stands on a square goes; squares as in ``rlcore.planes``."""
    actions: Array
    """[S, NUM_ACTIONS] uint16: what becomes of an action."""


def symmetries_of(pairs: Iterable[tuple[Any, Any]]) -> Symmetries:
    """Symmetries from (squares, actions) each, of any shape, read row by row."""
    squares, actions = zip(*pairs, strict=True)
    return Symmetries(
        np.array([np.ravel(one) for one in squares], np.uint16), np.array([np.ravel(one) for one in actions], np.uint16)
    )


@njit
def mirror(
    words: Array,
    actions: Array,
    counts: Array,
    chosen: Array,
    symmetries: Symmetries,
    layout: PlaneLayout,
    board: Array,
) -> None:
    """Put positions in the place of those that they are by a symmetry; packed words and actions modified in place.

    The actions keep their places, so what is told of them by place, priors or a policy target, follows.

    Args:
        words: [B, num_words] uint64, packed planes; actions: [B, max_legal] uint16, of which counts[i] are legal.
        chosen: [B] int64, the number of a position's symmetry.
        board: [board_words] uint64 scratch.
    """
    for i in range(chosen.shape[0]):
        squares, renamed = symmetries.squares[chosen[i]], symmetries.actions[chosen[i]]
        for j in range(counts[i]):
            actions[i, j] = renamed[actions[i, j]]
        for step in range(layout.history):
            first = step * (layout.step_boards * layout.board_words + ((layout.step_counts + 7) >> 3))
            for start in range(first, first + layout.step_boards * layout.board_words, layout.board_words):
                _move_squares(words[i, start : start + layout.board_words], squares, board)


@njit
def _move_squares(words: Array, squares: Array, board: Array) -> None:
    """Move the squares of one board, in place."""
    board[:] = ZERO
    for part in range(words.shape[0]):
        bits = words[part]
        while bits != ZERO:
            square = squares[np.uint64(part << 6) + lowest(bits)]
            board[square >> 6] |= ONE << np.uint64(square & 63)
            bits &= bits - ONE
    for part in range(words.shape[0]):
        words[part] = board[part]
