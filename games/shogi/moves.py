"""Shogi: every legal action of a position.

Pieces that step move by the board, all of them in a direction at once; sliding pieces go along their rays; drops are
listed once and copied for each kind in hand. Nothing is played and taken back: pins and checks are known beforehand.
"""

import numpy as np

from games.shogi.attacks import (
    DOWNWARDS,
    UPWARDS,
    Pieces,
    attacked,
    attackers,
    between,
    occupied_squares,
    own_squares,
    pieces_of,
    ray,
    snipers,
    step_attackers,
    steps,
)
from games.shogi.squares import (
    BOARD_ONLY,
    EMPTY,
    Squares,
    both,
    columns_of,
    count,
    down,
    down_left,
    down_right,
    either,
    first,
    has,
    left,
    rest,
    right,
    single,
    some,
    up,
    up_left,
    up_right,
    without,
)
from games.shogi.tables import (
    BISHOP,
    BISHOP_DIRECTIONS,
    DIRECTION_BETWEEN,
    DOWN,
    DOWN_LEFT,
    DOWN_RIGHT,
    DROP,
    GOLD,
    KING_STEP,
    KNIGHT,
    LANCE,
    LANCE_DIRECTIONS,
    LAST_ROW,
    LAST_TWO_ROWS,
    LEFT,
    PROMOTE,
    RIGHT,
    ROOK,
    ROOK_DIRECTIONS,
    SILVER,
    UP,
    UP2_LEFT,
    UP2_RIGHT,
    UP_LEFT,
    UP_RIGHT,
    ZONE,
)
from rlcore.bits import ONE, ZERO, lowest
from rlcore.jit import Array, Row, njit

_EIGHT, _NINE, _SIXTY_FOUR, _EIGHTY_ONE = np.uint64(8), np.uint64(9), np.uint64(64), np.uint64(81)
_BYTE = np.uint64(255)
_LAST_RANK = np.uint64(72)  # its first square: a king there has no square in front of it
_BELOW_ZONE = np.uint64(27)  # the first square outside the zone
_NEAR_ZONE = np.uint64((1 << 36) - 1)  # rows 0 to 3, from where a step may promote
_DROP_ORDER = np.array([GOLD, SILVER, BISHOP, ROOK, LANCE, KNIGHT])  # by where they may be dropped


@njit
def _add(actions: Array, n: np.uint64, direction: np.uint64, targets: Squares) -> np.uint64:
    """List the actions of a direction to some squares."""
    base = direction * _EIGHTY_ONE
    low, high = targets
    while low != ZERO:
        actions[n] = base + lowest(low)
        n += ONE
        low &= low - ONE
    base += _SIXTY_FOUR
    while high != ZERO:
        actions[n] = base + lowest(high)
        n += ONE
        high &= high - ONE
    return n


@njit
def _add_small_moves(
    actions: Array, n: np.uint64, pawns: Squares, silvers: Squares, golds: Squares, allowed: Squares
) -> np.uint64:
    """Pawns, silvers and golds. Pawns and silvers may promote: by entering the zone, within it, and by leaving it."""
    steppers = either(silvers, golds)
    n = _add(actions, n, UP, both(either(without(up(pawns), LAST_ROW), up(steppers)), allowed))
    n = _add(actions, n, UP_LEFT, both(up_left(steppers), allowed))
    n = _add(actions, n, UP_RIGHT, both(up_right(steppers), allowed))
    n = _add(actions, n, LEFT, both(left(golds), allowed))
    n = _add(actions, n, RIGHT, both(right(golds), allowed))
    n = _add(actions, n, DOWN, both(down(golds), allowed))
    n = _add(actions, n, DOWN_LEFT, both(down_left(silvers), allowed))
    n = _add(actions, n, DOWN_RIGHT, both(down_right(silvers), allowed))
    if (pawns[0] | silvers[0]) & _NEAR_ZONE != ZERO:
        entering = both(allowed, ZONE)
        inside = both(silvers, ZONE)
        n = _add(actions, n, UP + PROMOTE, both(up(either(pawns, silvers)), entering))
        n = _add(actions, n, UP_LEFT + PROMOTE, both(up_left(silvers), entering))
        n = _add(actions, n, UP_RIGHT + PROMOTE, both(up_right(silvers), entering))
        n = _add(actions, n, DOWN_LEFT + PROMOTE, both(down_left(inside), allowed))
        n = _add(actions, n, DOWN_RIGHT + PROMOTE, both(down_right(inside), allowed))
    return n


@njit
def _add_knight_moves(actions: Array, n: np.uint64, knights: Squares, allowed: Squares) -> np.uint64:
    """Two up and one aside. They must promote on the last two rows."""
    upper = up(knights)
    for direction in (UP2_LEFT, UP2_RIGHT):
        targets = both(up_left(upper) if direction == UP2_LEFT else up_right(upper), allowed)
        n = _add(actions, n, direction, without(targets, LAST_TWO_ROWS))
        n = _add(actions, n, direction + PROMOTE, both(targets, ZONE))
    return n


@njit
def _add_slides(
    actions: Array,
    n: np.uint64,
    sliders: Squares,
    promotable: Squares,
    directions: Array,
    dead: Squares,
    occupied: Squares,
    allowed: Squares,
) -> np.uint64:
    """Actions along the rays of lances, bishops or rooks.

    Args:
        promotable: those of the sliders that are not promoted yet.
        dead: squares that can only be entered with promotion.
    """
    while some(sliders):
        square = first(sliders)
        may_promote = has(promotable, square) == ONE
        zone = BOARD_ONLY if square < _BELOW_ZONE else ZONE
        for direction in directions:
            targets = both(ray(direction, square, occupied), allowed)
            if some(targets):
                n = _add(actions, n, direction, without(targets, dead))
                if may_promote:
                    n = _add(actions, n, direction + PROMOTE, both(targets, zone))
        sliders = rest(sliders)
    return n


@njit
def _add_moves(
    actions: Array, n: np.uint64, own: Pieces, movers: Squares, occupied: Squares, allowed: Squares
) -> np.uint64:
    """Moves on the board of all ``movers`` but the king, to ``allowed`` squares."""
    pawns, silvers, golds = both(own.pawns, movers), both(own.silvers, movers), both(own.golds, movers)
    crowned = both(own.crowned, movers)
    dragons, horses = both(crowned, own.rooks), both(crowned, own.bishops)
    n = _add_small_moves(actions, n, pawns, silvers, golds, allowed)
    knights = both(own.knights, movers)
    if some(knights):
        n = _add_knight_moves(actions, n, knights, allowed)
    lances = both(own.lances, movers)
    n = _add_slides(actions, n, lances, lances, LANCE_DIRECTIONS, LAST_ROW, occupied, allowed)
    bishops, rooks = both(own.bishops, movers), both(own.rooks, movers)
    n = _add_slides(actions, n, bishops, without(bishops, horses), BISHOP_DIRECTIONS, EMPTY, occupied, allowed)
    n = _add_slides(actions, n, rooks, without(rooks, dragons), ROOK_DIRECTIONS, EMPTY, occupied, allowed)
    if some(crowned):
        n = _add(actions, n, UP, both(up(horses), allowed))
        n = _add(actions, n, LEFT, both(left(horses), allowed))
        n = _add(actions, n, RIGHT, both(right(horses), allowed))
        n = _add(actions, n, DOWN, both(down(horses), allowed))
        n = _add(actions, n, UP_LEFT, both(up_left(dragons), allowed))
        n = _add(actions, n, UP_RIGHT, both(up_right(dragons), allowed))
        n = _add(actions, n, DOWN_LEFT, both(down_left(dragons), allowed))
        n = _add(actions, n, DOWN_RIGHT, both(down_right(dragons), allowed))
    return n


@njit
def _add_king_moves(
    actions: Array, n: np.uint64, king: np.uint64, own: Squares, occupied: Squares, opponent: Pieces
) -> np.uint64:
    """Steps to squares that are not attacked once the king has left its own."""
    targets = without(steps(KING_STEP, king, UPWARDS), own)
    without_king = without(occupied, single(king))
    while some(targets):
        target = first(targets)
        if not attacked(target, without_king, opponent, DOWNWARDS):
            actions[n] = np.uint64(DIRECTION_BETWEEN[king * _EIGHTY_ONE + target]) * _EIGHTY_ONE + target
            n += ONE
        targets = rest(targets)
    return n


@njit
def _add_pinned_moves(
    actions: Array, n: np.uint64, king: np.uint64, own: Pieces, pinners: Squares, own_all: Squares, occupied: Squares
) -> np.uint64:
    """Moves of pinned pieces along the line through their king, up to the pinning piece."""
    while some(pinners):
        pinner = first(pinners)
        way = between(king, pinner)
        pinned = both(both(way, occupied), own_all)
        allowed = without(either(way, single(pinner)), own_all)
        n = _add_moves(actions, n, own, pinned, occupied, allowed)
        pinners = rest(pinners)
    return n


@njit
def _add_drops(actions: Array, n: np.uint64, hand: np.uint64, allowed: Squares) -> np.uint64:
    """Drops of all kinds but pawns on the ``allowed`` squares.

    The squares are listed once, in rising order; the drops of the next kinds are the same list with a number added. For
    lances and knights they are its end: they may not be dropped where they could never move.
    """
    begin, length, listed = n, ZERO, ZERO
    for kind in _DROP_ORDER:
        if hand >> (kind - ONE) * _EIGHT & _BYTE == ZERO:
            continue
        if kind == LANCE:
            allowed = without(allowed, LAST_ROW)
        elif kind == KNIGHT:
            allowed = without(allowed, LAST_TWO_ROWS)
        if listed == ZERO:
            n = _add(actions, n, DROP + kind - ONE, allowed)
            length, listed = n - begin, kind
        else:
            here = count(allowed)
            change, source = (kind - listed) * _EIGHTY_ONE, begin + length - here
            for i in range(here):
                actions[n + i] = actions[source + i] + change
            n += here
    return n


@njit
def _pawn_drops(allowed: Squares, occupied: Squares, own: Pieces, own_all: Squares, opponent: Pieces) -> Squares:
    """Where a pawn may be dropped: on no file with an own pawn (nifu), not on the last row, not with mate."""
    targets = without(without(allowed, columns_of(own.pawns)), LAST_ROW)
    king = first(opponent.king)
    if king < _LAST_RANK:
        front = king + _NINE
        if has(targets, front) == ONE and pawn_drop_mates(king, occupied, own, own_all, opponent):
            targets = without(targets, single(front))
    return targets


@njit
def pawn_drop_mates(king: np.uint64, occupied: Squares, own: Pieces, own_all: Squares, opponent: Pieces) -> bool:
    """Whether a pawn dropped in front of the opponent's ``king`` leaves it no legal reply (uchifuzume).

    Nothing can come between a pawn and the king: the reply steps away, or takes the pawn with the king or another piece
    that may leave its place. The pawn itself may shut off a line and so free a square.
    """
    front = king + _NINE
    opponent_all = without(occupied, own_all)
    occupied = either(occupied, single(front))
    without_king = without(occupied, single(king))
    escapes = without(steps(KING_STEP, king, DOWNWARDS), opponent_all)
    while some(escapes):
        if not attacked(first(escapes), without_king, own, UPWARDS):
            return False
        escapes = rest(escapes)
    takers = without(attackers(front, occupied, opponent, DOWNWARDS), single(king))
    while some(takers):
        if not attacked(king, without(occupied, single(first(takers))), own, UPWARDS):
            return False
        takers = rest(takers)
    return True


@njit
def legal_actions(state: Row, actions: Array) -> np.int64:
    """Fill ``actions`` ([>= MAX_LEGAL] uint16) with every legal action, each once, and return how many there are."""
    occupied, own_all = occupied_squares(state), own_squares(state)
    own, opponent = pieces_of(state, own_all), pieces_of(state, without(occupied, own_all))
    king, hand = first(own.king), state["own_hand"]

    # Who gives check, and who is pinned by whom? Look at the pieces that would see the king on an empty board.
    checkers, pinners, pinned = step_attackers(king, opponent, DOWNWARDS), EMPTY, EMPTY
    sliders = snipers(king, opponent, DOWNWARDS)
    while some(sliders):
        slider = first(sliders)
        blockers = both(between(king, slider), occupied)
        if not some(blockers):
            checkers = either(checkers, single(slider))
        elif not some(rest(blockers)) and some(both(blockers, own_all)):
            pinners, pinned = either(pinners, single(slider)), either(pinned, blockers)
        sliders = rest(sliders)

    n = _add_king_moves(actions, ZERO, king, own_all, occupied, opponent)
    movers, allowed = without(without(own_all, own.king), pinned), BOARD_ONLY
    if some(checkers):
        if some(rest(checkers)):
            return np.int64(n)  # double check: only the king moves
        allowed = either(checkers, between(king, first(checkers)))
    elif some(pinners):
        n = _add_pinned_moves(actions, n, king, own, pinners, own_all, occupied)
    n = _add_moves(actions, n, own, movers, occupied, without(allowed, own_all))
    if hand != ZERO:
        allowed = without(allowed, occupied)
        if hand & _BYTE != ZERO:
            n = _add(actions, n, DROP, _pawn_drops(allowed, occupied, own, own_all, opponent))
        n = _add_drops(actions, n, hand, allowed)
    return np.int64(n)
