"""Shogi: what attacks what. Pieces by kind, sliding pieces, attacked squares, check."""

from typing import NamedTuple

import numpy as np

from games.shogi.squares import BOARD_ONLY, Squares, both, either, first, last, rest, single, some, without
from games.shogi.tables import (
    BISHOP_LINES,
    DIRECTION_BETWEEN,
    DOWN,
    GOLD_STEP,
    KING_STEP,
    KNIGHT_STEP,
    OPPOSITE,
    PAWN_STEP,
    RAYS,
    RIGHT,
    ROOK_LINES,
    SILVER_STEP,
    STEP_ATTACKS,
    UP,
)
from rlcore.bits import ALL, ONE, ZERO, highest
from rlcore.jit import Row, njit

_FIVE, _EIGHTY_ONE = np.uint64(5), np.uint64(81)

UPWARDS, DOWNWARDS = ZERO, ONE
"""Which way a side's pieces face, as the side to move sees them: its own up, the opponent's down."""


class Pieces(NamedTuple):
    """One side's pieces by the way they move."""

    pawns: Squares
    lances: Squares
    knights: Squares
    silvers: Squares
    golds: Squares
    """And all that move like a gold: promoted pawns, lances, knights, silvers."""
    bishops: Squares
    """Promoted or not."""
    rooks: Squares
    """Promoted or not."""
    crowned: Squares
    """Promoted bishops and rooks: they also step like a king."""
    king: Squares


@njit
def occupied_squares(state: Row) -> Squares:
    low, high = state["low"], state["high"]
    return low[0] | low[1] | low[2] | low[3], high[0] | high[1] | high[2] | high[3]


@njit
def own_squares(state: Row) -> Squares:
    return state["low"][4], state["high"][4]


@njit
def pieces_of(state: Row, side: Squares) -> Pieces:
    """The pieces that stand on some squares, by kind; the four bit planes spell each square's code."""
    low, high = state["low"], state["high"]
    ones, twos, fours = (low[0], high[0]), (low[1], high[1]), (low[2], high[2])
    eights = both((low[3], high[3]), side)
    plain = without(side, eights)
    ones_only, twos_only = without(ones, twos), without(twos, ones)
    threes = both(ones, twos)
    zeros = without(BOARD_ONLY, either(ones, twos))
    bishops, rooks = both(both(fours, ones_only), side), both(both(fours, twos_only), side)
    small = either(without(either(ones, twos), fours), both(zeros, fours))  # pawns, lances, knights, silvers
    plain_small = both(small, plain)
    return Pieces(
        pawns=both(plain_small, ones_only),
        lances=both(plain_small, twos_only),
        knights=both(plain_small, threes),
        silvers=both(plain_small, fours),
        golds=either(both(both(threes, fours), plain), both(small, eights)),
        bishops=bishops,
        rooks=rooks,
        crowned=both(either(bishops, rooks), eights),
        king=without(both(zeros, eights), fours),
    )


@njit
def king_of(state: Row, side: Squares) -> np.uint64:
    """Where a side's king stands: the piece that is "promoted nothing"."""
    low, high = state["low"], state["high"]
    kings = (low[3] & ~(low[0] | low[1] | low[2]), high[3] & ~(high[0] | high[1] | high[2]))
    return first(both(kings, side))


@njit
def ray(direction: np.uint64, square: np.uint64, occupied: Squares) -> Squares:
    """The squares seen from a square in a direction, up to the first piece and with it."""
    squares = RAYS[direction * _EIGHTY_ONE + square]
    low, high = squares[0], squares[1]
    low_stops, high_stops = low & occupied[0], high & occupied[1]
    if direction >= RIGHT:  # towards the last square: all up to the lowest stop
        if low_stops != ZERO:
            return low & (low_stops ^ (low_stops - ONE)), ZERO
        return low, high & (high_stops ^ (high_stops - ONE))
    if high_stops != ZERO:
        return ZERO, high & (ALL << highest(high_stops))
    return low & (ALL << highest(low_stops | ONE)), high


@njit
def first_piece(direction: np.uint64, square: np.uint64, occupied: Squares) -> np.uint64:
    """The first occupied square in a direction; there is one."""
    squares = RAYS[direction * _EIGHTY_ONE + square]
    stops = (squares[0] & occupied[0], squares[1] & occupied[1])
    return first(stops) if direction >= RIGHT else last(stops)


@njit
def between(square: np.uint64, other: np.uint64) -> Squares:
    """The squares between two that stand in line; none where they do not."""
    direction = np.uint64(DIRECTION_BETWEEN[square * _EIGHTY_ONE + other])
    there, back = RAYS[direction * _EIGHTY_ONE + square], RAYS[OPPOSITE[direction] * _EIGHTY_ONE + other]
    return there[0] & back[0], there[1] & back[1]


@njit
def steps(stepper: np.uint64, square: np.uint64, facing: np.uint64) -> Squares:
    """What a piece that moves a step attacks."""
    squares = STEP_ATTACKS[(_FIVE * facing + stepper) * _EIGHTY_ONE + square]
    return squares[0], squares[1]


@njit
def step_attackers(square: np.uint64, by: Pieces, facing: np.uint64) -> Squares:
    """Which of the pieces attack a square at one step: those that a piece of the kind there, facing back, attacks."""
    back = facing ^ ONE
    found = both(steps(PAWN_STEP, square, back), by.pawns)
    found = either(found, both(steps(KNIGHT_STEP, square, back), by.knights))
    found = either(found, both(steps(SILVER_STEP, square, back), by.silvers))
    found = either(found, both(steps(GOLD_STEP, square, back), by.golds))
    return either(found, both(steps(KING_STEP, square, back), either(by.king, by.crowned)))


@njit
def snipers(square: np.uint64, by: Pieces, facing: np.uint64) -> Squares:
    """Which of the sliding pieces would attack a square on an empty board."""
    straight, diagonal = ROOK_LINES[square], BISHOP_LINES[square]
    along = RAYS[(DOWN if facing == UPWARDS else UP) * _EIGHTY_ONE + square]
    low = straight[0] & by.rooks[0] | diagonal[0] & by.bishops[0] | along[0] & by.lances[0]
    return low, straight[1] & by.rooks[1] | diagonal[1] & by.bishops[1] | along[1] & by.lances[1]


@njit
def attackers(square: np.uint64, occupied: Squares, by: Pieces, facing: np.uint64) -> Squares:
    """Which of the pieces attack a square while ``occupied`` squares block lines."""
    found = step_attackers(square, by, facing)
    sliders = snipers(square, by, facing)
    while some(sliders):
        slider = first(sliders)
        if not some(both(between(square, slider), occupied)):
            found = either(found, single(slider))
        sliders = rest(sliders)
    return found


@njit
def attacked(square: np.uint64, occupied: Squares, by: Pieces, facing: np.uint64) -> bool:
    """Whether any of the pieces attacks a square while ``occupied`` squares block lines."""
    if some(step_attackers(square, by, facing)):
        return True
    sliders = snipers(square, by, facing)
    while some(sliders):
        if not some(both(between(square, first(sliders)), occupied)):
            return True
        sliders = rest(sliders)
    return False


@njit
def in_check(state: Row) -> bool:
    """Whether the side to move is in check."""
    occupied, own = occupied_squares(state), own_squares(state)
    return attacked(king_of(state, own), occupied, pieces_of(state, without(occupied, own)), DOWNWARDS)
