"""What the network sees of a shogi position: AlphaZero's planes (Science 362:1140, table S1), packed.

A history step is 28 boards, own pawn, lance, knight, silver, bishop, rook, gold, king, then promoted pawn, lance,
knight, silver, bishop and rook, and the same of the opponent; and 17 constant planes: the position stood here before
once, twice, three times; the own hand (pawn, lance, knight, silver, bishop, rook, gold), the opponent's. The newest
position adds two: colour and move number. A history of eight steps makes AlphaZero's 8 * 45 + 2 = 362 planes. The
paper does not say how counts are scaled: here 8 pawns, 4 of the others, 2 bishops or rooks make 1. The move number
stops at 255.
"""

import numpy as np

from games.shogi.squares import BOARD_ONLY, Squares, both, either, turned, without
from games.shogi.tables import NUM_ACTIONS, NUM_DIRECTIONS
from rlcore.bits import ONE
from rlcore.jit import Array, Row, njit

__all__ = [
    "BOARD",
    "BOARD_WORDS",
    "COUNT_SCALES",
    "LEAF_COUNTS",
    "NUM_ACTIONS",
    "POLICY_PLANES",
    "STEP_BOARDS",
    "STEP_COUNTS",
    "pack",
    "pack_leaf",
]

BOARD = (9, 9)
BOARD_WORDS = 2
STEP_BOARDS = 28
STEP_COUNTS = 17
LEAF_COUNTS = 2
_HAND_SCALES = (0.125, 0.25, 0.25, 0.25, 0.5, 0.5, 0.25)
COUNT_SCALES = (1.0, 1.0, 1.0, *_HAND_SCALES, *_HAND_SCALES, 1.0, 0.01)
"""What one unit of each count is worth in its plane: the step counts, then those of the newest position."""
POLICY_PLANES = NUM_DIRECTIONS

_LIMIT = np.uint64(255)


@njit
def _seen(state: Row, plane: int, same: bool) -> Squares:
    squares = (state["low"][plane], state["high"][plane])
    return squares if same else turned(squares)


@njit
def pack(state: Row, earlier: int, mover: int, words: Array) -> None:
    """Write one history step into ``words`` ([59] uint64) as the player ``mover`` sees it.

    Args:
        earlier: how often the position stood before in its game.
    """
    same = state["turn"] == mover
    ones, twos, fours, eights = (
        _seen(state, 0, same),
        _seen(state, 1, same),
        _seen(state, 2, same),
        _seen(state, 3, same),
    )
    first = _seen(state, 4, same)
    second = without(either(either(ones, twos), either(fours, eights)), first)
    own, opponent = (first, second) if same else (second, first)
    for code in range(1, 15):
        squares = ones if code & 1 else without(BOARD_ONLY, ones)
        squares = both(squares, twos) if code & 2 else without(squares, twos)
        squares = both(squares, fours) if code & 4 else without(squares, fours)
        squares = both(squares, eights) if code & 8 else without(squares, eights)
        words[2 * code - 2], words[2 * code - 1] = both(squares, own)
        words[2 * code + 26], words[2 * code + 27] = both(squares, opponent)
    own_hand = state["own_hand"] if same else state["opponent_hand"]
    opponent_hand = state["opponent_hand"] if same else state["own_hand"]
    seen = np.uint64(earlier >= 1) | np.uint64(earlier >= 2) << np.uint64(8) | np.uint64(earlier >= 3) << np.uint64(16)
    words[56] = seen | own_hand << np.uint64(24)  # three bytes, then seven, then seven
    words[57] = own_hand >> np.uint64(40) | opponent_hand << np.uint64(16)
    words[58] = opponent_hand >> np.uint64(48)


@njit
def pack_leaf(state: Row, words: Array) -> None:
    """Write the two counts of the newest position into ``words`` ([1] uint64), a byte each, lowest first."""
    words[0] = np.uint64(state["turn"]) | min(np.uint64(state["ply"]) >> ONE, _LIMIT) << np.uint64(8)
