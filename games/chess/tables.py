"""Small tables of chess geometry, computed at import (30 ms), frozen into the kernels that use them.

Squares are numbered as the side to move sees the board, ranks mirrored for Black:

    a8 56 57 58 59 60 61 62 63 h8      the far side
       48 49 50 51 52 53 54 55
       ..                   ..
        8  9 10 11 12 13 14 15
    a1  0  1  2  3  4  5  6  7 h1      the mover's side
"""

import numpy as np

from rlcore.jit import Array
from rlcore.rng import fixed_words

# The compass, clockwise from north, as (file, rank) steps. Its order is the order of the action planes.
#
#      NW  N  NE        7  0  1
#       W  .  E         6  .  2
#      SW  S  SE        5  4  3
QUEEN_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
KNIGHT_STEPS = ((1, 2), (2, 1), (2, -1), (1, -2), (-1, -2), (-2, -1), (-2, 1), (-1, 2))

NUM_PLANES = 73
NUM_ACTIONS = 64 * NUM_PLANES

A_FILE = np.uint64(0x0101_0101_0101_0101)
H_FILE = np.uint64(0x8080_8080_8080_8080)
RANK_3 = np.uint64(0x0000_0000_00FF_0000)
RANK_8 = np.uint64(0xFF00_0000_0000_0000)
LIGHT_SQUARES = np.uint64(0x55AA_55AA_55AA_55AA)


def square_after(square: int, step: tuple[int, int], distance: int = 1) -> int:
    """The square ``distance`` steps away, or -1 off the board."""
    file, rank = square % 8 + step[0] * distance, square // 8 + step[1] * distance
    return rank * 8 + file if 0 <= file < 8 and 0 <= rank < 8 else -1


def _bitboard(squares: list[int]) -> int:
    return sum(1 << square for square in set(squares) if square >= 0)


def _leaper(steps: tuple[tuple[int, int], ...]) -> Array:
    """[64] uint64: the squares a knight or king attacks."""
    return np.array([_bitboard([square_after(s, step) for step in steps]) for s in range(64)], np.uint64)


def _ray(square: int, step: tuple[int, int], blockers: int = 0) -> list[int]:
    """The squares a slider reaches in one direction, up to and including the first blocker."""
    reached: list[int] = []
    while (square := square_after(square, step)) >= 0:
        reached.append(square)
        if blockers >> square & 1:
            break
    return reached


def _deposit(bits: int, mask: int) -> int:
    """The inverse of pext: the low bits of ``bits`` moved to where ``mask`` has ones."""
    placed = 0
    for square in range(64):
        if mask >> square & 1:
            placed |= (bits & 1) << square
            bits >>= 1
    return placed


def _lines() -> tuple[Array, Array, Array]:
    """The four lines through each square: north-south, north-east, east-west, south-east.

    Returns:
        whole: [4, 64] uint64, the line without the square itself.
        inner: [4, 64] uint64, the same without the two edge squares, whose occupation never matters.
        attacks: [4, 64, 64] uint64, the squares attacked along the line, by ``extract(occupied, inner)``.
    """
    whole, inner = np.zeros((4, 64), np.uint64), np.zeros((4, 64), np.uint64)
    attacks = np.zeros((4, 64, 64), np.uint64)
    for line in range(4):
        for square in range(64):
            arms = [_ray(square, QUEEN_STEPS[line]), _ray(square, QUEEN_STEPS[line + 4])]
            whole[line, square] = _bitboard(arms[0] + arms[1])
            mask = _bitboard(arms[0][:-1] + arms[1][:-1])
            inner[line, square] = mask
            for index in range(1 << mask.bit_count()):
                blockers = _deposit(index, mask)
                reached = _ray(square, QUEEN_STEPS[line], blockers) + _ray(square, QUEEN_STEPS[line + 4], blockers)
                attacks[line, square, index] = _bitboard(reached)
    return whole, inner, attacks


def _between() -> tuple[Array, Array]:
    """For two squares on a common line, at ``a * 64 + b``:

    Returns:
        between: [64 * 64] uint64, the squares strictly between them.
        through: [64 * 64] uint64, the ray from the first through the second to the edge of the board.
    """
    between, through = np.zeros((64, 64), np.uint64), np.zeros((64, 64), np.uint64)
    for square in range(64):
        for step in QUEEN_STEPS:
            ray = _ray(square, step)
            for i, other in enumerate(ray):
                between[square, other] = _bitboard(ray[:i])
                through[square, other] = _bitboard(ray)
    return between.reshape(-1), through.reshape(-1)


def _actions() -> tuple[Array, Array]:
    """AlphaZero's 73 planes by 64 origin squares (Science 362:1140, supplement): action = plane * 64 + origin.

        planes  0..55   direction * 7 + distance - 1, directions in compass order
        planes 56..63   knight steps, clockwise from north-north-east
        planes 64..72   under-promotions: 64 + 3 * side + piece; side: north-west, north, north-east;
                        piece: knight, bishop, rook. A promotion to queen is the plain move.

    Returns:
        action_of: [64 * 64] uint16, by ``origin * 64 + target``; under-promotions are made by arithmetic.
        target_of: [4672] uint8, the target square of an action; 64 where the action leaves the board.
    """
    action_of = np.zeros(64 * 64, np.uint16)
    target_of = np.full(NUM_ACTIONS, 64, np.uint8)
    moves = [(step, distance) for step in QUEEN_STEPS for distance in range(1, 8)]
    moves += [(step, 1) for step in KNIGHT_STEPS]
    for origin in range(64):
        for plane, (step, distance) in enumerate(moves):
            if (target := square_after(origin, step, distance)) >= 0:
                action_of[origin * 64 + target] = plane * 64 + origin
                target_of[plane * 64 + origin] = target
        for side in range(3):
            target = square_after(origin, (side - 1, 1))
            if origin // 8 == 6 and target >= 0:
                for piece in range(3):
                    target_of[(64 + 3 * side + piece) * 64 + origin] = target
    return action_of, target_of


def _rights_kept() -> Array:
    """[64] uint8: the castling rights that survive a move from or to a square (bits as in ``STATE``)."""
    kept = np.full(64, 15, np.uint8)
    kept[[0, 4, 7]] = 15 - 2, 15 - 3, 15 - 1  # own rook on a1, king on e1, rook on h1
    kept[[56, 60, 63]] = 15 - 8, 15 - 12, 15 - 4
    return kept


KNIGHT_ATTACKS = _leaper(KNIGHT_STEPS)
KING_ATTACKS = _leaper(QUEEN_STEPS)
LINE_WHOLE, LINE_INNER, LINE_ATTACKS = _lines()
ROOK_LINES, BISHOP_LINES = LINE_WHOLE[0] | LINE_WHOLE[2], LINE_WHOLE[1] | LINE_WHOLE[3]
BETWEEN, THROUGH = _between()
ACTION_OF, TARGET_OF = _actions()
RIGHTS_KEPT = _rights_kept()

_KEYS = fixed_words(2 * 6 * 64 + 16 + 64 + 1, seed=1)
PIECE_KEYS = _KEYS[:768]  # by (colour * 6 + kind) * 64 + square, squares as White sees them
CASTLING_KEYS = _KEYS[768:784]  # by rights as White sees them
EN_PASSANT_KEYS = _KEYS[784:848]
BLACK_KEY = _KEYS[848]
