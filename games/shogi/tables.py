"""Shogi: geometry, the numbering of actions, hash keys. Everything is computed by short loops when imported.

An action is ``81 * direction + target``, the target as the side to move sees it:

          8     9         UP2_LEFT         UP2_RIGHT      knights
          1  0  2         UP_LEFT    UP    UP_RIGHT
          3     4         LEFT                 RIGHT
          6  5  7         DOWN_LEFT  DOWN  DOWN_RIGHT

10 to 19 are the same with promotion, 20 to 26 drops of pawn, lance, knight, silver, bishop, rook, gold: 27 * 81 =
2,187 in all. Directions are numbered as in dlshogi, squares are not. Where a piece comes from need not be said: looking
back from the target, it is the first piece.
"""

import numpy as np

from games.shogi.squares import Squares
from rlcore.jit import Array
from rlcore.rng import fixed_words

NUM_DIRECTIONS = 27
NUM_ACTIONS = NUM_DIRECTIONS * 81
UP, UP_LEFT, UP_RIGHT, LEFT, RIGHT, DOWN, DOWN_LEFT, DOWN_RIGHT, UP2_LEFT, UP2_RIGHT = map(np.uint64, range(10))
PROMOTE = np.uint64(10)
"""What is added to a direction for promotion."""
DROP = np.uint64(20)
"""The first drop, of a pawn."""

PAWN, LANCE, KNIGHT, SILVER, BISHOP, ROOK, GOLD, KING = map(np.uint64, range(1, 9))
PROMOTED = np.uint64(8)
"""What is added to the code of a piece when it promotes: codes 9 to 14. A king is 8, "promoted nothing"; 0 is empty."""

_STEPS = ((-1, 0), (-1, -1), (-1, 1), (0, -1), (0, 1), (1, 0), (1, -1), (1, 1), (-2, -1), (-2, 1))
"""(rows, columns) of the directions."""

# What attacks one step ahead, in the order of STEP_ATTACKS, and in which directions.
PAWN_STEP, KNIGHT_STEP, SILVER_STEP, GOLD_STEP, KING_STEP = map(np.uint64, range(5))
_STEPPERS = (
    (UP,),
    (UP2_LEFT, UP2_RIGHT),
    (UP, UP_LEFT, UP_RIGHT, DOWN_LEFT, DOWN_RIGHT),
    (UP, UP_LEFT, UP_RIGHT, LEFT, RIGHT, DOWN),
    (UP, UP_LEFT, UP_RIGHT, LEFT, RIGHT, DOWN, DOWN_LEFT, DOWN_RIGHT),
)
LANCE_DIRECTIONS = np.array([UP])
BISHOP_DIRECTIONS = np.array([UP_LEFT, UP_RIGHT, DOWN_LEFT, DOWN_RIGHT])
ROOK_DIRECTIONS = np.array([UP, LEFT, RIGHT, DOWN])


def pair(board: int) -> Squares:
    """A set of squares, given as an integer of 81 bits."""
    return np.uint64(board & (1 << 64) - 1), np.uint64(board >> 64)


def words(boards: list[int]) -> Array:
    """Sets of squares as [n, 2] uint64."""
    return np.array([pair(board) for board in boards], np.uint64)


def _ray(square: int, direction: np.uint64) -> list[int]:
    """The squares from a square on in a direction, nearest first."""
    (rows, columns), (row, column) = _STEPS[int(direction)], divmod(square, 9)
    squares = []
    while 0 <= (row := row + rows) < 9 and 0 <= (column := column + columns) < 9:
        squares.append(9 * row + column)
    return squares


def _board(squares: list[int]) -> int:
    return sum(1 << square for square in squares)


def _step_attacks() -> Array:
    """[2 * 5 * 81, 2] uint64: what a piece attacks at one step; then the same for pieces that face the other way."""
    boards = []
    for sign in (1, -1):
        for directions in _STEPPERS:
            for square in range(81):
                seen = [_ray(square if sign == 1 else 80 - square, direction)[:1] for direction in directions]
                boards.append(_board([s if sign == 1 else 80 - s for ray in seen for s in ray]))
    return words(boards)


def _direction_between() -> Array:
    """[81 * 81] uint8: the direction from a square to another in line with it; 8 where there is none."""
    table = np.full((81, 81), 8, np.uint8)
    for square in range(81):
        for direction in (*ROOK_DIRECTIONS, *BISHOP_DIRECTIONS):
            table[square, _ray(square, direction)] = direction
    return table.ravel()


STEP_ATTACKS = _step_attacks()  # by (5 * faces the other way + stepper) * 81 + square
RAYS = words([_board(_ray(square, d)) for d in map(np.uint64, range(8)) for square in range(81)] + [0] * 81)
"""[9 * 81, 2] uint64 by direction * 81 + square: to the edge of the board, without the square itself; 8: nothing."""
ROOK_LINES, BISHOP_LINES = (
    words([_board([s for direction in directions for s in _ray(square, direction)]) for square in range(81)])
    for directions in (ROOK_DIRECTIONS, BISHOP_DIRECTIONS)
)
"""[81, 2] uint64: all that a piece sees on an empty board."""
DIRECTION_BETWEEN = _direction_between()
OPPOSITE = np.array([DOWN, DOWN_RIGHT, DOWN_LEFT, RIGHT, LEFT, UP, UP_RIGHT, UP_LEFT, np.uint64(8)])
"""[9] the direction back."""

ZONE = pair((1 << 27) - 1)
"""Where pieces promote: the last three rows."""
LAST_ROW, LAST_TWO_ROWS = pair((1 << 9) - 1), pair((1 << 18) - 1)

_KEYS = fixed_words(2 * 15 * 81 + 2 * 8 * 19 + 1, seed=2)
PIECE_KEYS = _KEYS[:2430]  # by (colour * 15 + code) * 81 + square, squares as Black sees them
HAND_KEYS = _KEYS[2430:2734]  # by (colour * 8 + code) * 19 + how many
WHITE_KEY = _KEYS[2734]
