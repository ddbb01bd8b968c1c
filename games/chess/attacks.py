"""Chess: what attacks what. Sliding attacks, attacked squares, check, and captures in passing that are safe."""

import numpy as np

from games.chess.tables import A_FILE, H_FILE, KING_ATTACKS, KNIGHT_ATTACKS, LINE_ATTACKS, LINE_INNER, LINE_WHOLE
from rlcore.bits import HAS_PEXT, ONE, ZERO, bit_reverse, extract, lowest
from rlcore.jit import Row, njit

_SEVEN, _EIGHT, _NINE = np.uint64(7), np.uint64(8), np.uint64(9)

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
def rook_attacks(square: np.uint64, occupied: np.uint64) -> np.uint64:
    return _line_attacks(0, square, occupied) | _line_attacks(2, square, occupied)


@njit
def bishop_attacks(square: np.uint64, occupied: np.uint64) -> np.uint64:
    return _line_attacks(1, square, occupied) | _line_attacks(3, square, occupied)


@njit
def attacked(state: Row, square: np.uint64, occupied: np.uint64, opponent: np.uint64) -> bool:
    """Whether one of the ``opponent`` pieces attacks the square when ``occupied`` squares block lines."""
    place = ONE << square
    pawns = ((place & ~A_FILE) << _SEVEN) | ((place & ~H_FILE) << _NINE)
    hits = pawns & state["pawns"] | KNIGHT_ATTACKS[square] & state["knights"] | KING_ATTACKS[square] & state["kings"]
    if hits & opponent != ZERO:
        return True
    if rook_attacks(square, occupied) & (state["rooks"] | state["queens"]) & opponent != ZERO:
        return True
    return bool(bishop_attacks(square, occupied) & (state["bishops"] | state["queens"]) & opponent != ZERO)


@njit
def in_check(state: Row) -> bool:
    """Whether the side to move is in check."""
    king = lowest(state["kings"] & state["own"])
    return attacked(state, king, state["own"] | state["opponent"], state["opponent"])


@njit
def en_passant_is_safe(state: Row, origin: np.uint64, target: np.uint64) -> bool:
    """Whether capturing in passing leaves the own king unattacked: two pawns leave one rank at once."""
    taken = ONE << (target - _EIGHT)
    occupied = (state["own"] | state["opponent"]) & ~taken & ~(ONE << origin) | ONE << target
    king = lowest(state["kings"] & state["own"])
    return not attacked(state, king, occupied, state["opponent"] & ~taken)


@njit
def en_passant_capturers(state: Row, target: np.uint64) -> np.uint64:
    """The own pawns that stand beside the pawn which passed over ``target``."""
    place = ONE << target
    beside = (place & ~A_FILE) >> _NINE | (place & ~H_FILE) >> _SEVEN
    capturers: np.uint64 = beside & state["pawns"] & state["own"]
    return capturers


@njit
def legal_en_passant(state: Row, target: np.uint64) -> bool:
    """Whether any pawn of the side to move may legally capture in passing onto ``target``."""
    capturers = en_passant_capturers(state, target)
    while capturers != ZERO:
        if en_passant_is_safe(state, lowest(capturers), target):
            return True
        capturers &= capturers - ONE
    return False
