"""Chess: positions as values, played by free functions over one row of ``STATE``.

Everything in a row is as the side to move sees it: after each move the ranks are mirrored and the sides swapped, so
one move generator serves both colours. Legal moves are generated directly, without trying them: pinned pieces move
along their pin, and in check only king moves, captures of the checker and interpositions are made.
"""

from enum import IntEnum

import numpy as np

from games.chess.tables import (
    A_FILE,
    ACTION_OF,
    BETWEEN,
    BISHOP_LINES,
    BLACK_KEY,
    CASTLING_KEYS,
    EN_PASSANT_KEYS,
    H_FILE,
    KING_ATTACKS,
    KNIGHT_ATTACKS,
    LIGHT_SQUARES,
    LINE_ATTACKS,
    LINE_INNER,
    LINE_WHOLE,
    PIECE_KEYS,
    RANK_3,
    RANK_8,
    RIGHTS_KEPT,
    ROOK_LINES,
    TARGET_OF,
    THROUGH,
)
from rlcore.bits import ALL, HAS_PEXT, ONE, ZERO, bit_reverse, byte_swap, extract, lowest, popcount
from rlcore.jit import Array, Row, njit

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
    """Why a game ended. The last three are given by a match, not by the rules."""

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


_ONGOING, _CHECKMATE, _STALEMATE, _FIFTY_MOVES, _THREEFOLD, _INSUFFICIENT_MATERIAL, _MAX_PLIES = range(7)

_NONE = np.uint8(64)
_MOST = np.uint16(65535)  # where the counts stop
_SIX, _SEVEN, _EIGHT, _NINE = np.uint64(6), np.uint64(7), np.uint64(8), np.uint64(9)
_SIXTEEN, _FIFTY_SIX, _SIXTY_THREE = np.uint64(16), np.uint64(56), np.uint64(63)
_E1, _F1, _G1 = ONE << np.uint64(4), ONE << np.uint64(5), ONE << np.uint64(6)
_B1, _C1, _D1 = ONE << np.uint64(1), ONE << np.uint64(2), ONE << np.uint64(3)

# First action of the planes that whole sets of pawns use; add the origin square.
_PUSH = np.uint64(0 * 64)  # north, one step
_DOUBLE_PUSH = np.uint64(1 * 64)  # north, two steps
_CAPTURE_EAST = np.uint64(7 * 64)  # north-east, one step
_CAPTURE_WEST = np.uint64(49 * 64)  # north-west, one step
_UNDER_WEST, _UNDER_NORTH, _UNDER_EAST = np.uint64(64 * 64), np.uint64(67 * 64), np.uint64(70 * 64)
_PLANE = np.uint64(64)
_ROOK, _QUEEN, _KING = np.uint64(3), np.uint64(4), np.uint64(5)  # kinds, counted from the pawn
_CASTLE_SHORT, _CASTLE_LONG = np.uint64(15 * 64 + 4), np.uint64(43 * 64 + 4)  # e1 two squares east, west


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


# --- attacks ---------------------------------------------------------------------------------------------------------

if HAS_PEXT:

    @njit
    def _line_attacks(line: int, square: np.uint64, occupied: np.uint64) -> np.uint64:
        """The squares attacked from a square along one of its four lines."""
        attacks: np.uint64 = LINE_ATTACKS[line, square, extract(occupied, LINE_INNER[line, square])]
        return attacks

else:

    @njit
    def _line_attacks(line: int, square: np.uint64, occupied: np.uint64) -> np.uint64:
        """The squares attacked from a square along one of its four lines.

        o ^ (o - 2r): subtracting the slider from the occupied squares of its line flips the bits up to the first
        blocker above it; on the reversed board, below it.
        """
        mask = LINE_WHOLE[line, square]
        on_line = occupied & mask
        slider = ONE << square
        up = on_line - (slider << ONE)
        down = bit_reverse(bit_reverse(on_line) - (bit_reverse(slider) << ONE))
        attacks: np.uint64 = (up ^ down) & mask
        return attacks


@njit
def _rook_attacks(square: np.uint64, occupied: np.uint64) -> np.uint64:
    return _line_attacks(0, square, occupied) | _line_attacks(2, square, occupied)


@njit
def _bishop_attacks(square: np.uint64, occupied: np.uint64) -> np.uint64:
    return _line_attacks(1, square, occupied) | _line_attacks(3, square, occupied)


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
def _attacked(state: Row, square: np.uint64, occupied: np.uint64, opponent: np.uint64) -> bool:
    """Whether one of the ``opponent`` pieces attacks the square when ``occupied`` squares block lines."""
    place = ONE << square
    pawns = ((place & ~A_FILE) << _SEVEN) | ((place & ~H_FILE) << _NINE)
    hits = pawns & state["pawns"] | KNIGHT_ATTACKS[square] & state["knights"] | KING_ATTACKS[square] & state["kings"]
    if hits & opponent != ZERO:
        return True
    if _rook_attacks(square, occupied) & (state["rooks"] | state["queens"]) & opponent != ZERO:
        return True
    return bool(_bishop_attacks(square, occupied) & (state["bishops"] | state["queens"]) & opponent != ZERO)


@njit
def in_check(state: Row) -> bool:
    """Whether the side to move is in check."""
    king = lowest(state["kings"] & state["own"])
    return _attacked(state, king, state["own"] | state["opponent"], state["opponent"])


# --- legal moves -----------------------------------------------------------------------------------------------------


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
def _en_passant_is_safe(state: Row, origin: np.uint64, target: np.uint64) -> bool:
    """Whether capturing in passing leaves the own king unattacked: two pawns leave one rank at once."""
    taken = ONE << (target - _EIGHT)
    occupied = (state["own"] | state["opponent"]) & ~taken & ~(ONE << origin) | ONE << target
    king = lowest(state["kings"] & state["own"])
    return not _attacked(state, king, occupied, state["opponent"] & ~taken)


@njit
def _en_passant_capturers(state: Row, target: np.uint64) -> np.uint64:
    """The own pawns that stand beside the pawn which passed over ``target``."""
    place = ONE << target
    beside = (place & ~A_FILE) >> _NINE | (place & ~H_FILE) >> _SEVEN
    capturers: np.uint64 = beside & state["pawns"] & state["own"]
    return capturers


@njit
def legal_en_passant(state: Row, target: np.uint64) -> bool:
    """Whether any pawn of the side to move may legally capture in passing onto ``target``."""
    capturers = _en_passant_capturers(state, target)
    while capturers != ZERO:
        if _en_passant_is_safe(state, lowest(capturers), target):
            return True
        capturers &= capturers - ONE
    return False


@njit
def _add_en_passant(state: Row, actions: Array, n: np.uint64) -> np.uint64:
    target = np.uint64(state["en_passant"])
    capturers = _en_passant_capturers(state, target)
    while capturers != ZERO:
        origin = lowest(capturers)
        if _en_passant_is_safe(state, origin, target):
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
        if not _attacked(state, target, occupied, opponent):
            actions[n] = ACTION_OF[row + target]
            n += ONE
        targets &= targets - ONE
    return n


@njit
def _add_castling(state: Row, actions: Array, n: np.uint64, occupied: np.uint64) -> np.uint64:
    """The side to move is not in check. The king passes over and lands on squares that are not attacked."""
    opponent = state["opponent"]
    if state["castling"] & np.uint8(1) and occupied & (_F1 | _G1) == ZERO:
        if not _attacked(state, np.uint64(5), occupied, opponent) and not _attacked(state, _SIX, occupied, opponent):
            actions[n] = _CASTLE_SHORT
            n += ONE
    if state["castling"] & np.uint8(2) and occupied & (_B1 | _C1 | _D1) == ZERO:
        safe = not _attacked(state, np.uint64(3), occupied, opponent)
        if safe and not _attacked(state, np.uint64(2), occupied, opponent):
            actions[n] = _CASTLE_LONG
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
                targets |= _rook_attacks(square, occupied)
            if piece & (state["bishops"] | queens) != ZERO:
                targets |= _bishop_attacks(square, occupied)
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
        n = _add_moves(actions, n, square, _bishop_attacks(square, occupied) & allowed)
        pieces &= pieces - ONE
    pieces = free & rooks & _beside_straight(~own)
    while pieces != ZERO:
        square = lowest(pieces)
        n = _add_moves(actions, n, square, _rook_attacks(square, occupied) & allowed)
        pieces &= pieces - ONE
    return np.int64(n)


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
        if number == _CASTLE_SHORT:
            key ^= _castle(state, _SEVEN, np.uint64(5), turn, mirror)
        elif number == _CASTLE_LONG:
            key ^= _castle(state, ZERO, np.uint64(3), turn, mirror)
    key ^= _piece_key(turn, kind, target, mirror)
    key ^= _lose_rights(state, origin, target, turn)
    state["fifty"] = np.uint16(0) if pawn or captures else np.uint16(state["fifty"] + np.uint16(state["fifty"] < _MOST))
    state["en_passant"] = _NONE
    _turn_board(state)

    if pawn and plane == ONE:  # two steps north
        passed = (origin + _EIGHT) ^ _FIFTY_SIX
        if _en_passant_capturers(state, passed) != ZERO and legal_en_passant(state, passed):
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
