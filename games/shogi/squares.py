"""Sets of squares of a board of 81, as a pair of words: squares 0 to 63 in the first, 64 to 80 in the second.

    square = 9 * row + column          row 0 is the far side, column 0 the left edge, both as the side to move sees them

All kernels below are a few instructions each and vanish into their callers.
"""

import numpy as np

from rlcore.bits import ONE, ZERO, bit_reverse, highest, lowest, popcount
from rlcore.jit import njit

Squares = tuple[np.uint64, np.uint64]

_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_SIXTY_FOUR = np.uint64(64)
_HIGH = np.uint64((1 << 17) - 1)
_ROW = np.uint64(0x1FF)
_ROWS = np.uint64(sum(1 << 9 * row for row in range(8)))  # a row times this is that row in all rows of the first word


def _edge(column: int) -> Squares:
    board = sum(1 << 9 * row + column for row in range(9))
    return np.uint64(board & (1 << 64) - 1), np.uint64(board >> 64)


EMPTY = (ZERO, ZERO)
BOARD_ONLY = (_ALL, _HIGH)
"""All 81 squares."""
LEFT_EDGE, RIGHT_EDGE = _edge(0), _edge(8)


@njit
def both(a: Squares, b: Squares) -> Squares:
    return a[0] & b[0], a[1] & b[1]


@njit
def either(a: Squares, b: Squares) -> Squares:
    return a[0] | b[0], a[1] | b[1]


@njit
def without(a: Squares, b: Squares) -> Squares:
    """The squares of ``a`` that are not in ``b``."""
    return a[0] & ~b[0], a[1] & ~b[1]


@njit
def some(a: Squares) -> bool:
    """Whether there is any square."""
    return bool((a[0] | a[1]) != ZERO)


@njit
def count(a: Squares) -> np.uint64:
    return popcount(a[0]) + popcount(a[1])


@njit
def single(square: np.uint64) -> Squares:
    """One square; none for 81."""
    if square < _SIXTY_FOUR:
        return ONE << square, ZERO
    return ZERO, (ONE << (square - _SIXTY_FOUR)) & _HIGH


@njit
def has(a: Squares, square: np.uint64) -> np.uint64:
    """1 where the square is in the set, else 0."""
    if square < _SIXTY_FOUR:
        return a[0] >> square & ONE
    return a[1] >> (square - _SIXTY_FOUR) & ONE


@njit
def first(a: Squares) -> np.uint64:
    """The lowest square of a set that is not empty."""
    if a[0] != ZERO:
        return lowest(a[0])
    return _SIXTY_FOUR + lowest(a[1])


@njit
def last(a: Squares) -> np.uint64:
    """The highest square of a set that is not empty."""
    if a[1] != ZERO:
        return _SIXTY_FOUR + highest(a[1])
    return highest(a[0])


@njit
def rest(a: Squares) -> Squares:
    """All but the lowest square of a set that is not empty."""
    if a[0] != ZERO:
        return a[0] & (a[0] - ONE), a[1]
    return a[0], a[1] & (a[1] - ONE)


@njit
def turned(a: Squares) -> Squares:
    """The board turned by 180 degrees: square s becomes 80 - s."""
    low, high = bit_reverse(a[0]), bit_reverse(a[1])
    return high >> np.uint64(47) | low << np.uint64(17), low >> np.uint64(47)


@njit
def columns_of(a: Squares) -> Squares:
    """All squares of the columns in which a set has a square."""
    low = a[0] | a[0] >> np.uint64(9) | a[0] >> np.uint64(18)
    low |= low >> np.uint64(27)
    row = (low | a[0] >> np.uint64(54) | a[0] >> np.uint64(63) | a[1] << ONE | a[1] >> np.uint64(8)) & _ROW
    return row * _ROWS, row >> ONE | row << np.uint64(8)


# --- every square of a set moved one step; those that would leave the board are gone ---------------------------------


@njit
def _towards_first(a: Squares, distance: np.uint64) -> Squares:
    return a[0] >> distance | a[1] << (_SIXTY_FOUR - distance), a[1] >> distance


@njit
def _towards_last(a: Squares, distance: np.uint64) -> Squares:
    return a[0] << distance, (a[1] << distance | a[0] >> (_SIXTY_FOUR - distance)) & _HIGH


@njit
def up(a: Squares) -> Squares:
    return _towards_first(a, np.uint64(9))


@njit
def down(a: Squares) -> Squares:
    return _towards_last(a, np.uint64(9))


@njit
def left(a: Squares) -> Squares:
    return _towards_first(without(a, LEFT_EDGE), ONE)


@njit
def right(a: Squares) -> Squares:
    return _towards_last(without(a, RIGHT_EDGE), ONE)


@njit
def up_left(a: Squares) -> Squares:
    return _towards_first(without(a, LEFT_EDGE), np.uint64(10))


@njit
def up_right(a: Squares) -> Squares:
    return _towards_first(without(a, RIGHT_EDGE), np.uint64(8))


@njit
def down_left(a: Squares) -> Squares:
    return _towards_last(without(a, LEFT_EDGE), np.uint64(8))


@njit
def down_right(a: Squares) -> Squares:
    return _towards_last(without(a, RIGHT_EDGE), np.uint64(10))
