"""Chess: every legal action of a position, without trying any.

Pinned pieces move along their pin; in check only king moves, captures of the checker and interpositions are made.
"""

import numpy as np

from games.chess.attacks import attacked, bishop_attacks, en_passant_capturers, en_passant_is_safe, rook_attacks
from games.chess.tables import (
    A_FILE,
    ACTION_OF,
    BETWEEN,
    BISHOP_LINES,
    H_FILE,
    KING_ATTACKS,
    KNIGHT_ATTACKS,
    RANK_3,
    RANK_8,
    ROOK_LINES,
    THROUGH,
)
from rlcore.bits import ALL, ONE, ZERO, lowest
from rlcore.jit import Array, Row, njit

_NONE = np.uint8(64)
_SIX, _SEVEN, _EIGHT, _NINE, _SIXTEEN = np.uint64(6), np.uint64(7), np.uint64(8), np.uint64(9), np.uint64(16)
_F1, _G1 = ONE << np.uint64(5), ONE << np.uint64(6)
_B1, _C1, _D1 = ONE << np.uint64(1), ONE << np.uint64(2), ONE << np.uint64(3)

# First action of the planes that whole sets of pawns use; add the origin square.
_PUSH = np.uint64(0 * 64)  # north, one step
_DOUBLE_PUSH = np.uint64(1 * 64)  # north, two steps
_CAPTURE_EAST = np.uint64(7 * 64)  # north-east, one step
_CAPTURE_WEST = np.uint64(49 * 64)  # north-west, one step
_UNDER_WEST, _UNDER_NORTH, _UNDER_EAST = np.uint64(64 * 64), np.uint64(67 * 64), np.uint64(70 * 64)
_PLANE = np.uint64(64)
CASTLE_SHORT, CASTLE_LONG = np.uint64(15 * 64 + 4), np.uint64(43 * 64 + 4)  # e1 two squares east, west


@njit
def _beside_straight(squares: np.uint64) -> np.uint64:
    """The squares with one of the given squares as a neighbour on their rank or file."""
    return squares << _EIGHT | squares >> _EIGHT | (squares & ~H_FILE) << ONE | (squares & ~A_FILE) >> ONE


@njit
def _beside_diagonally(squares: np.uint64) -> np.uint64:
    """The squares with one of the given squares as a neighbour on a diagonal."""
    off_h, off_a = squares & ~H_FILE, squares & ~A_FILE
    return off_h << _NINE | off_h >> _SEVEN | off_a << _SEVEN | off_a >> _NINE


@njit
def _add_moves(actions: Array, n: np.uint64, origin: np.uint64, targets: np.uint64) -> np.uint64:
    row = origin << _SIX
    while targets != ZERO:
        actions[n] = ACTION_OF[row + lowest(targets)]
        n += ONE
        targets &= targets - ONE
    return n


@njit
def _add_pawn_step(
    actions: Array, n: np.uint64, targets: np.uint64, back: np.uint64, plane: np.uint64, under: np.uint64
) -> np.uint64:
    """Pawn moves of one direction: each target is ``back`` squares from its origin; the last rank promotes."""
    promoting = targets & RANK_8
    targets &= ~RANK_8
    while targets != ZERO:
        actions[n] = plane + lowest(targets) - back
        n += ONE
        targets &= targets - ONE
    while promoting != ZERO:
        origin = lowest(promoting) - back
        actions[n] = plane + origin
        actions[n + ONE] = under + origin
        actions[n + ONE + ONE] = under + origin + _PLANE
        actions[n + ONE + ONE + ONE] = under + origin + _PLANE + _PLANE
        n += ONE + ONE + ONE + ONE
        promoting &= promoting - ONE
    return n


@njit
def _add_pawn_moves(
    actions: Array, n: np.uint64, pawns: np.uint64, empty: np.uint64, opponent: np.uint64, allowed: np.uint64
) -> np.uint64:
    """All pushes and captures (not en passant) of a set of pawns that end on ``allowed`` squares."""
    pushed = (pawns << _EIGHT) & empty
    twice = ((pushed & RANK_3) << _EIGHT) & empty & allowed
    n = _add_pawn_step(actions, n, pushed & allowed, _EIGHT, _PUSH, _UNDER_NORTH)
    while twice != ZERO:
        actions[n] = _DOUBLE_PUSH + lowest(twice) - _SIXTEEN
        n += ONE
        twice &= twice - ONE
    prey = opponent & allowed
    east = ((pawns & ~H_FILE) << _NINE) & prey
    west = ((pawns & ~A_FILE) << _SEVEN) & prey
    if (east | west) != ZERO:
        n = _add_pawn_step(actions, n, east, _NINE, _CAPTURE_EAST, _UNDER_EAST)
        n = _add_pawn_step(actions, n, west, _SEVEN, _CAPTURE_WEST, _UNDER_WEST)
    return n


@njit
def _add_en_passant(state: Row, actions: Array, n: np.uint64) -> np.uint64:
    target = np.uint64(state["en_passant"])
    capturers = en_passant_capturers(state, target)
    while capturers != ZERO:
        origin = lowest(capturers)
        if en_passant_is_safe(state, origin, target):
            actions[n] = ACTION_OF[(origin << _SIX) + target]
            n += ONE
        capturers &= capturers - ONE
    return n


@njit
def _add_king_moves(state: Row, actions: Array, n: np.uint64, king: np.uint64) -> np.uint64:
    """Steps to squares that are not attacked once the king has left its own."""
    own, opponent = state["own"], state["opponent"]
    occupied = (own | opponent) & ~(ONE << king)
    targets = KING_ATTACKS[king] & ~own
    row = king << _SIX
    while targets != ZERO:
        target = lowest(targets)
        if not attacked(state, target, occupied, opponent):
            actions[n] = ACTION_OF[row + target]
            n += ONE
        targets &= targets - ONE
    return n


@njit
def _add_castling(state: Row, actions: Array, n: np.uint64, occupied: np.uint64) -> np.uint64:
    """The side to move is not in check. The king passes over and lands on squares that are not attacked."""
    opponent = state["opponent"]
    if state["castling"] & np.uint8(1) and occupied & (_F1 | _G1) == ZERO:
        if not attacked(state, np.uint64(5), occupied, opponent) and not attacked(state, _SIX, occupied, opponent):
            actions[n] = CASTLE_SHORT
            n += ONE
    if state["castling"] & np.uint8(2) and occupied & (_B1 | _C1 | _D1) == ZERO:
        safe = not attacked(state, np.uint64(3), occupied, opponent)
        if safe and not attacked(state, np.uint64(2), occupied, opponent):
            actions[n] = CASTLE_LONG
            n += ONE
    return n


@njit
def _checks_and_pins(
    king: np.uint64, snipers: np.uint64, checkers: np.uint64, occupied: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """``checkers`` with the sliders that see the king, and the pieces of either side that alone shield it from one."""
    shields = ZERO
    while snipers != ZERO:
        between = BETWEEN[(king << _SIX) + lowest(snipers)] & occupied
        if between == ZERO:
            checkers |= snipers & (~snipers + ONE)
        elif between & (between - ONE) == ZERO:
            shields |= between
        snipers &= snipers - ONE
    return checkers, shields


@njit
def _add_pinned_moves(
    state: Row, actions: Array, n: np.uint64, pinned: np.uint64, king: np.uint64, occupied: np.uint64
) -> np.uint64:
    """Moves of pinned pieces along the line through their king, on their side of it, up to the pinning piece."""
    queens = state["queens"]
    while pinned != ZERO:
        square = lowest(pinned)
        piece = ONE << square
        ray = THROUGH[(king << _SIX) + square]
        if piece & state["pawns"] != ZERO:
            n = _add_pawn_moves(actions, n, piece, ~occupied, state["opponent"], ray)
        else:
            targets = ZERO
            if piece & (state["rooks"] | queens) != ZERO:
                targets |= rook_attacks(square, occupied)
            if piece & (state["bishops"] | queens) != ZERO:
                targets |= bishop_attacks(square, occupied)
            n = _add_moves(actions, n, square, targets & ray & ~state["own"])
        pinned &= pinned - ONE
    return n


@njit
def legal_actions(state: Row, actions: Array) -> np.int64:
    """Fill ``actions`` ([>= MAX_LEGAL] uint16) with every legal action, each once, and return how many there are."""
    own, opponent = state["own"], state["opponent"]
    occupied = own | opponent
    kings, queens = state["kings"], state["queens"]
    rooks, bishops = state["rooks"] | queens, state["bishops"] | queens
    knights, pawns = state["knights"], state["pawns"]
    king = lowest(kings & own)
    place = ONE << king
    n = ZERO

    # Who gives check, and who is pinned? Look at the sliders that would see the king on an empty board.
    checkers = opponent & (
        KNIGHT_ATTACKS[king] & knights | (((place & ~A_FILE) << _SEVEN) | ((place & ~H_FILE) << _NINE)) & pawns
    )
    snipers = opponent & (ROOK_LINES[king] & rooks | BISHOP_LINES[king] & bishops)
    pinned = ZERO
    if snipers != ZERO:
        checkers, pinned = _checks_and_pins(king, snipers, checkers, occupied)
        pinned &= own
        if pinned != ZERO and checkers == ZERO:
            n = _add_pinned_moves(state, actions, n, pinned, king, occupied)

    n = _add_king_moves(state, actions, n, king)
    allowed = ALL
    if checkers != ZERO:
        if checkers & (checkers - ONE) != ZERO:
            return np.int64(n)  # double check: only the king moves
        allowed = checkers | BETWEEN[(king << _SIX) + lowest(checkers)]
    elif state["castling"] & np.uint8(3):
        n = _add_castling(state, actions, n, occupied)

    free = own & ~pinned
    allowed &= ~own
    n = _add_pawn_moves(actions, n, free & pawns, ~occupied, opponent, allowed)
    if state["en_passant"] != _NONE:
        n = _add_en_passant(state, actions, n)
    pieces = free & knights
    while pieces != ZERO:
        square = lowest(pieces)
        n = _add_moves(actions, n, square, KNIGHT_ATTACKS[square] & allowed)
        pieces &= pieces - ONE
    pieces = free & bishops & _beside_diagonally(~own)
    while pieces != ZERO:
        square = lowest(pieces)
        n = _add_moves(actions, n, square, bishop_attacks(square, occupied) & allowed)
        pieces &= pieces - ONE
    pieces = free & rooks & _beside_straight(~own)
    while pieces != ZERO:
        square = lowest(pieces)
        n = _add_moves(actions, n, square, rook_attacks(square, occupied) & allowed)
        pieces &= pieces - ONE
    return np.int64(n)
