"""What the network sees of a chess position: AlphaZero's planes (Science 362:1140, table S1), packed.

A history step is twelve boards, own pawn, knight, bishop, rook, queen, king and then the opponent's, and two
constant planes: the position stood here before once, twice. The newest position adds seven constant planes: colour,
move number, own castling rights (king side, queen side), the opponent's, and the fifty-move count. A history of eight
steps makes AlphaZero's 8 * 14 + 7 = 119 planes. The move number stops at 255.
"""

import numpy as np

from games.chess.tables import NUM_ACTIONS, NUM_PLANES
from rlcore.bits import ONE, byte_swap
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

BOARD = (8, 8)
BOARD_WORDS = 1
STEP_BOARDS = 12
STEP_COUNTS = 2
LEAF_COUNTS = 7
COUNT_SCALES = (1.0, 1.0, 1.0, 0.01, 1.0, 1.0, 1.0, 1.0, 0.01)
"""What one unit of each count is worth in its plane: the step counts, then those of the newest position."""
POLICY_PLANES = NUM_PLANES

_EIGHT, _LIMIT = np.uint64(8), np.uint64(255)


@njit
def pack(state: Row, earlier: int, mover: int, words: Array) -> None:
    """Write one history step into ``words`` ([13] uint64) as the player ``mover`` sees it.

    Args:
        earlier: how often the position stood before in its game.
    """
    same = state["turn"] == mover
    own = state["own"] if same else byte_swap(state["opponent"])
    opponent = state["opponent"] if same else byte_swap(state["own"])
    pawns = state["pawns"] if same else byte_swap(state["pawns"])
    knights = state["knights"] if same else byte_swap(state["knights"])
    bishops = state["bishops"] if same else byte_swap(state["bishops"])
    rooks = state["rooks"] if same else byte_swap(state["rooks"])
    queens = state["queens"] if same else byte_swap(state["queens"])
    kings = state["kings"] if same else byte_swap(state["kings"])
    words[0], words[6] = pawns & own, pawns & opponent
    words[1], words[7] = knights & own, knights & opponent
    words[2], words[8] = bishops & own, bishops & opponent
    words[3], words[9] = rooks & own, rooks & opponent
    words[4], words[10] = queens & own, queens & opponent
    words[5], words[11] = kings & own, kings & opponent
    words[12] = np.uint64(earlier >= 1) | np.uint64(earlier >= 2) << _EIGHT


@njit
def pack_leaf(state: Row, words: Array) -> None:
    """Write the seven counts of the newest position into ``words`` ([1] uint64), a byte each, lowest first."""
    castling = np.uint64(state["castling"])
    move = min(np.uint64(state["ply"]) >> ONE, _LIMIT)
    counts = np.uint64(state["turn"]) | move << _EIGHT
    for i in range(4):
        counts |= (castling >> np.uint64(i) & ONE) << np.uint64(8 * (2 + i))
    words[0] = counts | min(np.uint64(state["fifty"]), _LIMIT) << np.uint64(48)
