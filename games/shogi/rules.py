"""Shogi: positions as values, played by free functions over one row of ``STATE``.

Everything in a row is as the side to move sees it: after each move the board is turned by 180 degrees and the sides
are swapped, so one move generator (``moves``) serves both.

What stands on a square is a number of four bits, 0 for nothing, 1 to 7 for pawn, lance, knight, silver, bishop, rook
and gold, 8 more when promoted, and 8 itself for the king; bit b of all squares' numbers is plane b. A fifth plane says
which pieces are the side to move's own.
"""

from enum import IntEnum

import numpy as np

from games.shogi.attacks import first_piece, in_check, king_of, occupied_squares, own_squares
from games.shogi.squares import both, count, has, some, turned, up, without
from games.shogi.tables import (
    BISHOP_LINES,
    DROP,
    HAND_KEYS,
    OPPOSITE,
    PIECE_KEYS,
    PROMOTE,
    PROMOTED,
    ROOK_LINES,
    UP2_LEFT,
    WHITE_KEY,
    ZONE,
)
from rlcore.bits import ONE, ZERO, popcount
from rlcore.jit import Row, njit

STATE = np.dtype(
    [
        ("low", np.uint64, (5,)),  # squares 0 to 63 of the four planes and of the own pieces
        ("high", np.uint64, (5,)),  # squares 64 to 80
        ("key", np.uint64),  # equal for the same board, hands and side to move
        ("own_hand", np.uint64),  # byte k - 1: how many pieces of kind k the side to move holds
        ("opponent_hand", np.uint64),
        ("own_checks", np.uint16),  # with how many moves in a row, up to its last, the side to move gave check
        ("opponent_checks", np.uint16),
        ("ply", np.uint16),  # plies since the first move
        ("turn", np.uint8),  # 0 Black, who begins, 1 White
    ],
    align=True,
)
assert STATE.itemsize == 112

PAST = ("own_checks", "opponent_checks")
"""What a row knows of the game before; a position written as text does not hold it."""
MAX_LEGAL = 593
"""The most legal moves of any position (R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1)."""
DISCOUNT = -1.0


class Ending(IntEnum):
    """Why a game ended. The last four are given by the players or a match, not by the rules."""

    ONGOING = 0
    CHECKMATE = 1
    STALEMATE = 2
    """No legal move without being in check: it loses too."""
    REPETITION = 3
    """Sennichite: the same position for the fourth time."""
    PERPETUAL_CHECK = 4
    """The same, and one side gave check with every move in between: it loses."""
    DECLARATION = 5
    """The side to move has entered the opponent's camp with 27 points (Black 28): it wins."""
    MAX_PLIES = 6
    RESIGNATION = 7
    TIME = 8
    ILLEGAL_MOVE = 9
    AGREEMENT = 10


_ONGOING, _CHECKMATE, _STALEMATE, _REPETITION, _PERPETUAL_CHECK, _DECLARATION, _MAX_PLIES = range(7)

_MOST = np.uint16(65535)  # where the counts stop
_TWO, _THREE, _FOUR = np.uint64(2), np.uint64(3), np.uint64(4)
_EIGHT, _NINE = np.uint64(8), np.uint64(9)
_FIFTEEN, _NINETEEN, _EIGHTY, _EIGHTY_ONE = np.uint64(15), np.uint64(19), np.uint64(80), np.uint64(81)
_BYTE, _KIND = np.uint64(255), np.uint64(7)
_SIXTY_FOUR = np.uint64(64)
_BIG_IN_HAND = np.uint64(0xFFFF_0000_0000)  # the bytes of bishops and rooks
_LEAST_REPEATED_CHECKS = np.uint16(6)  # a position comes back after four plies at the earliest, three times


_BACK = (2, 3, 4, 7, 8, 7, 4, 3, 2)
_START = np.array(
    [*_BACK, *(0, 6, 0, 0, 0, 0, 0, 5, 0), *([1] * 9), *([0] * 27), *([1] * 9), *(0, 5, 0, 0, 0, 0, 0, 6, 0), *_BACK],
    np.uint64,
)


@njit
def init(state: Row, seed: int) -> None:
    """Write the start position into the row. Shogi has only one; the seed is not used."""
    low, high = state["low"], state["high"]
    for plane in range(5):
        low[plane], high[plane] = ZERO, ZERO
    for square in range(81):
        code = _START[square]
        if code != ZERO:
            _put(state, np.uint64(square), code, np.uint64(square >= 54))
    state["own_hand"], state["opponent_hand"] = ZERO, ZERO
    state["own_checks"], state["opponent_checks"] = np.uint16(0), np.uint16(0)
    state["ply"], state["turn"] = np.uint16(0), np.uint8(0)
    state["key"] = position_key(state)


# --- squares ---------------------------------------------------------------------------------------------------------


@njit
def piece_at(state: Row, square: np.uint64) -> np.uint64:
    """The code of what stands on a square: 0 nothing, 1 to 14."""
    planes = state["low"]
    if square >= _SIXTY_FOUR:
        planes = state["high"]
        square -= _SIXTY_FOUR
    code: np.uint64 = (
        planes[0] >> square & ONE
        | (planes[1] >> square & ONE) << ONE
        | (planes[2] >> square & ONE) << _TWO
        | (planes[3] >> square & ONE) << _THREE
    )
    return code


@njit
def _put(state: Row, square: np.uint64, code: np.uint64, own: np.uint64) -> None:
    """Put a piece on an empty square."""
    planes = state["low"]
    if square >= _SIXTY_FOUR:
        planes = state["high"]
        square -= _SIXTY_FOUR
    planes[0] |= (code & ONE) << square
    planes[1] |= (code >> ONE & ONE) << square
    planes[2] |= (code >> _TWO & ONE) << square
    planes[3] |= code >> _THREE << square
    planes[4] |= own << square


@njit
def _clear(state: Row, square: np.uint64) -> None:
    planes = state["low"]
    if square >= _SIXTY_FOUR:
        planes = state["high"]
        square -= _SIXTY_FOUR
    for plane in range(5):
        planes[plane] &= ~(ONE << square)


@njit
def origin_of(state: Row, action: int) -> np.uint64:
    """The square that a legal action moves from; 81 for a drop."""
    number = np.uint64(action)
    direction, target = number // _EIGHTY_ONE, number % _EIGHTY_ONE
    if direction >= DROP:
        return _EIGHTY_ONE
    if direction >= PROMOTE:
        direction -= PROMOTE
    if direction >= UP2_LEFT:
        return target + (np.uint64(19) if direction == UP2_LEFT else np.uint64(17))
    return first_piece(OPPOSITE[direction], target, occupied_squares(state))


# --- playing a move --------------------------------------------------------------------------------------------------


@njit
def _piece_key(colour: np.uint64, code: np.uint64, square: np.uint64) -> np.uint64:
    """``square`` as the side of that turn sees it that is to move."""
    key: np.uint64 = PIECE_KEYS[(colour * _FIFTEEN + code) * _EIGHTY_ONE + square]
    return key


@njit
def _seen_by_black(square: np.uint64, turn: np.uint64) -> np.uint64:
    return square if turn == ZERO else _EIGHTY - square


@njit
def _in_hand(hand: np.uint64, kind: np.uint64) -> np.uint64:
    """How many pieces of a kind (1 to 7) a hand holds."""
    return hand >> (kind - ONE) * _EIGHT & _BYTE


@njit
def _hand_key(colour: np.uint64, kind: np.uint64, number: np.uint64) -> np.uint64:
    key: np.uint64 = HAND_KEYS[(colour * _EIGHT + kind) * _NINETEEN + number]
    return key


@njit
def position_key(state: Row) -> np.uint64:
    """The repetition key from scratch: pieces, hands, side to move."""
    turn = np.uint64(state["turn"])
    key = ZERO if turn == ZERO else WHITE_KEY
    own = own_squares(state)
    for i in range(81):
        square = np.uint64(i)
        code = piece_at(state, square)
        if code != ZERO:
            key ^= _piece_key(turn ^ has(own, square) ^ ONE, code, _seen_by_black(square, turn))
    for i in range(1, 8):
        kind = np.uint64(i)
        key ^= _hand_key(turn, kind, _in_hand(state["own_hand"], kind))
        key ^= _hand_key(turn ^ ONE, kind, _in_hand(state["opponent_hand"], kind))
    return key


@njit
def _hold(state: Row, kind: np.uint64, turn: np.uint64, more: np.uint64) -> np.uint64:
    """Put a piece into the hand of the side to move (``more`` 1) or take one out (0); returns the change of the key."""
    held = _in_hand(state["own_hand"], kind)
    unit = ONE << (kind - ONE) * _EIGHT
    if more == ONE:
        state["own_hand"] += unit
        return _hand_key(turn, kind, held) ^ _hand_key(turn, kind, held + ONE)
    state["own_hand"] -= unit
    return _hand_key(turn, kind, held) ^ _hand_key(turn, kind, held - ONE)


@njit
def _turn_board(state: Row) -> None:
    """Hand the move over: turn the board and swap the sides."""
    low, high = state["low"], state["high"]
    opponent = without(occupied_squares(state), own_squares(state))
    low[4], high[4] = opponent
    for plane in range(5):
        low[plane], high[plane] = turned((low[plane], high[plane]))
    hand = state["own_hand"]
    state["own_hand"] = state["opponent_hand"]
    state["opponent_hand"] = hand
    checks = state["own_checks"]
    state["own_checks"] = state["opponent_checks"]
    state["opponent_checks"] = checks
    state["turn"] ^= np.uint8(1)
    state["ply"] += np.uint16(state["ply"] < _MOST)


@njit
def apply(state: Row, action: int) -> None:
    """Play a legal action in place. The row is then the other side's view."""
    number = np.uint64(action)
    direction, target = number // _EIGHTY_ONE, number % _EIGHTY_ONE
    turn = np.uint64(state["turn"])
    key = state["key"] ^ WHITE_KEY
    if direction >= DROP:
        code = direction - DROP + ONE
        key ^= _hold(state, code, turn, ZERO)
    else:
        origin = origin_of(state, action)
        code = piece_at(state, origin)
        key ^= _piece_key(turn, code, _seen_by_black(origin, turn))
        _clear(state, origin)
        if direction >= PROMOTE:
            code |= PROMOTED
        taken = piece_at(state, target)
        if taken != ZERO:
            key ^= _piece_key(turn ^ ONE, taken, _seen_by_black(target, turn))
            key ^= _hold(state, taken & _KIND, turn, ONE)
            _clear(state, target)
    key ^= _piece_key(turn, code, _seen_by_black(target, turn))
    _put(state, target, code, ONE)
    _turn_board(state)
    state["key"] = key
    checks = state["opponent_checks"]
    state["opponent_checks"] = np.uint16(checks + np.uint16(checks < _MOST)) if in_check(state) else np.uint16(0)


# --- endings ---------------------------------------------------------------------------------------------------------


@njit
def lookback(state: Row) -> np.int64:
    """How many plies back a position equal to this one may lie: anywhere, as captured pieces come back as drops."""
    return np.int64(state["ply"])


@njit
def can_declare(state: Row) -> bool:
    """Whether the side to move may declare that it has won by entering the opponent's camp (27 points, CSA rule 13).

    Its king stands within the last three rows, with ten other pieces at least; these and the hand are worth 28 points
    for Black and 27 for White, rook and bishop counting 5 and all others 1; and it is not in check.
    """
    low = state["low"]
    entered = both(own_squares(state), ZONE)
    pieces = np.uint64(count(entered))
    if pieces < np.uint64(11) or king_of(state, own_squares(state)) >= np.uint64(27):
        return False
    big = popcount(entered[0] & low[2] & (low[0] ^ low[1]))
    hand = state["own_hand"]
    points = pieces - ONE + _FOUR * (big + _in_hand(hand, np.uint64(5)) + _in_hand(hand, np.uint64(6)))
    for kind in range(1, 8):
        points += _in_hand(hand, np.uint64(kind))
    if points < np.uint64(28) - np.uint64(state["turn"]):
        return False
    return not in_check(state)


@njit
def outcome(state: Row, num_legal: int, earlier: int, since: int, max_plies: int) -> tuple[int, float]:
    """Why the game ends here (an ``Ending``; 0 = it goes on) and its value for the side to move.

    Args:
        num_legal: the number of legal actions.
        earlier: how often this position stood in the game before; three make it the fourth time.
        since: plies since it first did. A side whose checks in a row cover its half of them has checked perpetually.
        max_plies: the length at which a game is broken off, counted from move 1; 0 = no limit.
    """
    if num_legal == 0:
        return (_CHECKMATE if in_check(state) else _STALEMATE), -1.0
    if earlier >= 3:
        own, opponent = 2 * np.int64(state["own_checks"]) >= since, 2 * np.int64(state["opponent_checks"]) >= since
        if own == opponent:
            return _REPETITION, 0.0
        return _PERPETUAL_CHECK, -1.0 if own else 1.0
    if can_declare(state):
        return _DECLARATION, 1.0
    if max_plies > 0 and state["ply"] >= max_plies:
        return _MAX_PLIES, 0.0
    return _ONGOING, 0.0


@njit
def may_be_lost(state: Row) -> bool:
    """Whether the side to move may have lost already: a cheap test, never false where ``outcome`` says so.

    A piece in hand other than a pawn can always be dropped, on one of the 63 squares of the lower rows if nowhere else.
    A pawn that cannot be pinned, as it stands in no line with its king, and has a square before it, can move.
    """
    if in_check(state) or state["own_checks"] >= _LEAST_REPEATED_CHECKS:
        return True
    if state["own_hand"] > _BYTE:
        return False
    own = own_squares(state)
    king = king_of(state, own)
    lines = (ROOK_LINES[king, 0] | BISHOP_LINES[king, 0], ROOK_LINES[king, 1] | BISHOP_LINES[king, 1])
    low, high = state["low"], state["high"]
    pawns = (low[0] & ~(low[1] | low[2]), high[0] & ~(high[1] | high[2]))  # tokins as well
    free = without(both(pawns, own), lines)
    return not some(without(up(free), own))
