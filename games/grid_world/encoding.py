"""What the network sees of a grid world: walls, goals, pits and the agent, a plane each."""

import numpy as np

from games.grid_world.rules import SIDE
from rlcore.jit import Array, Row, njit
from rlcore.symmetry import Symmetries, symmetries_of

BOARD = (SIDE, SIDE)
BOARD_WORDS = 1
STEP_BOARDS = 4
STEP_COUNTS = LEAF_COUNTS = 0
COUNT_SCALES: tuple[float, ...] = ()
POLICY_PLANES = 4


@njit
def pack(state: Row, earlier: int, mover: int, words: Array) -> None:
    """Write four boards into ``words`` ([4] uint64)."""
    words[0] = state["walls"]
    words[1] = state["goals"]
    words[2] = state["pits"]
    words[3] = state["agent"]


@njit
def pack_leaf(state: Row, words: Array) -> None:
    """Nothing is counted."""


def _turned_and_mirrored() -> Symmetries:
    squares = np.arange(SIDE * SIDE).reshape(BOARD)
    pairs = []
    for mirrored in (False, True):
        for turns in range(4):
            directions = (np.arange(4) + turns) % 4
            if mirrored:  # after the turns: up and left, right and down change places
                directions = 3 - directions
            board = np.rot90(squares.T if mirrored else squares, turns)
            pairs.append((board, directions[:, None] * SIDE * SIDE + board.ravel()))
    return symmetries_of(pairs)


SYMMETRIES: Symmetries = _turned_and_mirrored()
"""The eight of the square."""
