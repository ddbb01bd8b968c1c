"""Chess: positions as values, played by free functions over one row of ``STATE``.

Everything in a row is as the side to move sees it: after each move the ranks are mirrored and the sides swapped, so
one move generator (``moves``) serves both colours.
"""

from enum import IntEnum

import numpy as np

from games.chess.attacks import en_passant_capturers, in_check, legal_en_passant
from games.chess.moves import CASTLE_LONG, CASTLE_SHORT
from games.chess.tables import (
    BLACK_KEY,
    CASTLING_KEYS,
    EN_PASSANT_KEYS,
    LIGHT_SQUARES,
    PIECE_KEYS,
    RANK_8,
    RIGHTS_KEPT,
    TARGET_OF,
)
from rlcore.bits import ONE, ZERO, byte_swap, lowest, popcount
from rlcore.jit import Row, njit

STATE = np.dtype(
    [
        ("pawns", np.uint64),  # both sides' pieces of a kind
        ("knights", np.uint64),
        ("bishops", np.uint64),
        ("rooks", np.uint64),
        ("queens", np.uint64),
        ("kings", np.uint64),
        ("own", np.uint64),  # all pieces of the side to move
        ("opponent", np.uint64),
        ("key", np.uint64),  # equal for positions that are the same under the repetition rule
        ("castling", np.uint8),  # bits: own king side, own queen side, opponent king side, opponent queen side
        ("en_passant", np.uint8),  # where a pawn may capture in passing; 64 unless such a capture is legal
        ("turn", np.uint8),  # 0 White, 1 Black
        ("fifty", np.uint16),  # plies since the last capture or pawn move
        ("ply", np.uint16),  # plies since move 1 of White
    ],
    align=True,
)
assert STATE.itemsize == 80

MAX_LEGAL = 218
"""The most legal moves known of any reachable position (R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w)."""
DISCOUNT = -1.0


class Ending(IntEnum):
    """Why a game ended. The last four are given by the players or a match, not by the rules."""

    ONGOING = 0
    CHECKMATE = 1
    STALEMATE = 2
    FIFTY_MOVES = 3
    THREEFOLD = 4
    INSUFFICIENT_MATERIAL = 5
    MAX_PLIES = 6
    RESIGNATION = 7
    TIME = 8
    ILLEGAL_MOVE = 9
    AGREEMENT = 10


_ONGOING, _CHECKMATE, _STALEMATE, _FIFTY_MOVES, _THREEFOLD, _INSUFFICIENT_MATERIAL, _MAX_PLIES = range(7)

_NONE = np.uint8(64)
_MOST = np.uint16(65535)  # where the counts stop
_SIX, _SEVEN, _EIGHT = np.uint64(6), np.uint64(7), np.uint64(8)
_FIFTY_SIX, _SIXTY_THREE = np.uint64(56), np.uint64(63)

_PLANE = np.uint64(64)
_ROOK, _QUEEN, _KING = np.uint64(3), np.uint64(4), np.uint64(5)  # kinds, counted from the pawn


@njit
def init(state: Row, seed: int) -> None:
    """Write the start position into the row. Chess has only one; the seed is not used."""
    state["pawns"] = np.uint64(0x00FF_0000_0000_FF00)
    state["knights"] = np.uint64(0x4200_0000_0000_0042)
    state["bishops"] = np.uint64(0x2400_0000_0000_0024)
    state["rooks"] = np.uint64(0x8100_0000_0000_0081)
    state["queens"] = np.uint64(0x0800_0000_0000_0008)
    state["kings"] = np.uint64(0x1000_0000_0000_0010)
    state["own"] = np.uint64(0xFFFF)
    state["opponent"] = np.uint64(0xFFFF_0000_0000_0000)
    state["castling"] = np.uint8(15)
    state["en_passant"] = _NONE
    state["turn"] = np.uint8(0)
    state["fifty"] = np.uint16(0)
    state["ply"] = np.uint16(0)
    state["key"] = position_key(state)


# --- playing a move --------------------------------------------------------------------------------------------------


@njit
def _kind(state: Row, square: np.uint64) -> np.uint64:
    """0 pawn, 1 knight, 2 bishop, 3 rook, 4 queen, 5 king, of whatever stands on the square."""
    kind = (state["knights"] >> square & ONE) + ((state["bishops"] >> square & ONE) << ONE)
    kind += (state["rooks"] >> square & ONE) * np.uint64(3) + ((state["queens"] >> square & ONE) << np.uint64(2))
    number: np.uint64 = kind + (state["kings"] >> square & ONE) * np.uint64(5)
    return number


@njit
def _piece_key(colour: np.uint64, kind: np.uint64, square: np.uint64, mirror: np.uint64) -> np.uint64:
    key: np.uint64 = PIECE_KEYS[((colour * _SIX + kind) << _SIX) + (square ^ mirror)]
    return key


@njit
def _castling_key(castling: np.uint64, turn: np.uint64) -> np.uint64:
    rights = castling if turn == ZERO else castling >> np.uint64(2) | (castling & np.uint64(3)) << np.uint64(2)
    key: np.uint64 = CASTLING_KEYS[rights]
    return key


@njit
def position_key(state: Row) -> np.uint64:
    """The repetition key from scratch: pieces, side to move, castling rights and a legal en passant square."""
    turn = np.uint64(state["turn"])
    mirror = turn * _FIFTY_SIX
    key = _castling_key(np.uint64(state["castling"]), turn)
    if turn != ZERO:
        key ^= BLACK_KEY
    pieces = state["own"] | state["opponent"]
    while pieces != ZERO:
        square = lowest(pieces)
        colour = turn ^ (state["opponent"] >> square & ONE)
        key ^= _piece_key(colour, _kind(state, square), square, mirror)
        pieces &= pieces - ONE
    if state["en_passant"] != _NONE:
        key ^= EN_PASSANT_KEYS[np.uint64(state["en_passant"]) ^ mirror]
    return key


@njit
def _moved(board: np.uint64, origin: np.uint64, target: np.uint64, cleared: np.uint64) -> np.uint64:
    """A board after the move: what stood on the origin stands on the target, and nothing on ``cleared`` squares."""
    return board & ~cleared | (board >> origin & ONE) << target


@njit
def _move_pieces(state: Row, origin: np.uint64, target: np.uint64) -> None:
    """Move whatever stands on the origin to the target and take what stands there; boards only."""
    place = ONE << target
    cleared = ONE << origin | place
    state["pawns"] = _moved(state["pawns"], origin, target, cleared)
    state["knights"] = _moved(state["knights"], origin, target, cleared)
    state["bishops"] = _moved(state["bishops"], origin, target, cleared)
    state["rooks"] = _moved(state["rooks"], origin, target, cleared)
    state["queens"] = _moved(state["queens"], origin, target, cleared)
    state["kings"] = _moved(state["kings"], origin, target, cleared)
    state["own"] = state["own"] & ~cleared | place
    state["opponent"] = state["opponent"] & ~place


@njit
def _promote(state: Row, plane: np.uint64, place: np.uint64) -> np.uint64:
    """Turn the pawn on the last rank into what the action's plane says; returns its kind."""
    state["pawns"] ^= place
    kind = _QUEEN if plane < _PLANE else ONE + (plane - _PLANE) % np.uint64(3)
    if kind == _QUEEN:
        state["queens"] |= place
    elif kind == _ROOK:
        state["rooks"] |= place
    elif kind == np.uint64(2):
        state["bishops"] |= place
    else:
        state["knights"] |= place
    return kind


@njit
def _castle(state: Row, rook_from: np.uint64, rook_to: np.uint64, turn: np.uint64, mirror: np.uint64) -> np.uint64:
    """Bring the rook over; returns the change of the key."""
    both = ONE << rook_from | ONE << rook_to
    state["rooks"] ^= both
    state["own"] ^= both
    return _piece_key(turn, _ROOK, rook_from, mirror) ^ _piece_key(turn, _ROOK, rook_to, mirror)


@njit
def _turn_board(state: Row) -> None:
    """Hand the move over: mirror the ranks and swap the sides."""
    state["pawns"] = byte_swap(state["pawns"])
    state["knights"] = byte_swap(state["knights"])
    state["bishops"] = byte_swap(state["bishops"])
    state["rooks"] = byte_swap(state["rooks"])
    state["queens"] = byte_swap(state["queens"])
    state["kings"] = byte_swap(state["kings"])
    own = byte_swap(state["opponent"])
    state["opponent"] = byte_swap(state["own"])
    state["own"] = own
    state["turn"] ^= np.uint8(1)
    state["ply"] += np.uint16(state["ply"] < _MOST)


@njit
def _lose_rights(state: Row, origin: np.uint64, target: np.uint64, turn: np.uint64) -> np.uint64:
    """Castling rights after a move, as the other side sees them; returns the change of the key."""
    castling = np.uint64(state["castling"])
    if castling == ZERO:
        return ZERO
    key = _castling_key(castling, turn)
    castling &= np.uint64(RIGHTS_KEPT[origin] & RIGHTS_KEPT[target])
    castling = castling >> np.uint64(2) | (castling & np.uint64(3)) << np.uint64(2)
    state["castling"] = np.uint8(castling)
    return key ^ _castling_key(castling, turn ^ ONE)


@njit
def apply(state: Row, action: int) -> None:
    """Play a legal action in place. The row is then the other side's view."""
    number = np.uint64(action)
    origin, target = number & _SIXTY_THREE, np.uint64(TARGET_OF[number])
    plane, place = number >> _SIX, ONE << target
    turn = np.uint64(state["turn"])
    mirror = turn * _FIFTY_SIX
    kind = _kind(state, origin)
    pawn = kind == ZERO
    captures = state["opponent"] & place != ZERO

    key = state["key"] ^ BLACK_KEY ^ _piece_key(turn, kind, origin, mirror)
    if captures:
        key ^= _piece_key(turn ^ ONE, _kind(state, target), target, mirror)
    if state["en_passant"] != _NONE:
        key ^= EN_PASSANT_KEYS[np.uint64(state["en_passant"]) ^ mirror]

    _move_pieces(state, origin, target)
    if pawn:
        if place & RANK_8 != ZERO:
            kind = _promote(state, plane, place)
        elif np.uint8(target) == state["en_passant"]:
            taken = target - _EIGHT
            state["pawns"] ^= ONE << taken
            state["opponent"] ^= ONE << taken
            key ^= _piece_key(turn ^ ONE, ZERO, taken, mirror)
    elif kind == _KING:
        if number == CASTLE_SHORT:
            key ^= _castle(state, _SEVEN, np.uint64(5), turn, mirror)
        elif number == CASTLE_LONG:
            key ^= _castle(state, ZERO, np.uint64(3), turn, mirror)
    key ^= _piece_key(turn, kind, target, mirror)
    key ^= _lose_rights(state, origin, target, turn)
    state["fifty"] = np.uint16(0) if pawn or captures else np.uint16(state["fifty"] + np.uint16(state["fifty"] < _MOST))
    state["en_passant"] = _NONE
    _turn_board(state)

    if pawn and plane == ONE:  # two steps north
        passed = (origin + _EIGHT) ^ _FIFTY_SIX
        if en_passant_capturers(state, passed) != ZERO and legal_en_passant(state, passed):
            state["en_passant"] = np.uint8(passed)
            key ^= EN_PASSANT_KEYS[passed ^ (mirror ^ _FIFTY_SIX)]
    state["key"] = key


# --- endings ---------------------------------------------------------------------------------------------------------


@njit
def insufficient_material(state: Row) -> bool:
    """Whether no sequence of legal moves can mate: bare kings, one minor piece, or bishops all of one colour."""
    if (state["pawns"] | state["rooks"] | state["queens"]) != ZERO:
        return False
    if popcount(state["own"] | state["opponent"]) <= np.uint64(3):
        return True
    light = state["bishops"] & LIGHT_SQUARES
    one_colour = light == ZERO or light == state["bishops"]
    return bool(state["knights"] == ZERO and one_colour)


@njit
def lookback(state: Row) -> np.int64:
    """How many plies back a position equal to this one may lie: captures and pawn moves cannot be undone."""
    return np.int64(state["fifty"])


@njit
def outcome(state: Row, num_legal: int, earlier: int, since: int, max_plies: int) -> tuple[int, float]:
    """Why the game ends here (an ``Ending``; 0 = it goes on) and its value for the side to move.

    Args:
        num_legal: the number of legal actions.
        earlier: how often this position stood in the game before; two make it threefold.
        since: plies since it first did; chess has no use for it.
        max_plies: the length at which a game is broken off, counted from move 1; 0 = no limit.
    """
    if num_legal == 0:
        if in_check(state):
            return _CHECKMATE, -1.0
        return _STALEMATE, 0.0
    if state["fifty"] >= np.uint16(100):
        return _FIFTY_MOVES, 0.0
    if earlier >= 2:
        return _THREEFOLD, 0.0
    if insufficient_material(state):
        return _INSUFFICIENT_MATERIAL, 0.0
    if max_plies > 0 and state["ply"] >= max_plies:
        return _MAX_PLIES, 0.0
    return _ONGOING, 0.0


@njit
def may_be_lost(state: Row) -> bool:
    """Whether the side to move may have lost already: a cheap test, never false where ``outcome`` says so."""
    return in_check(state)
