"""Connect four solved exactly: the score of every move of a position.

Negamax with a window of one point, asked again until the score is known, as Pascal Pons describes it ("Solving Connect
4: how to build a perfect AI", http://blog.gamesolver.org): moves that lose at once are left out, those that make most
threats come first, the middle before the sides, and a table keeps what is known of positions. It differs in that

1. the table keeps both bounds of a score, and takes a position and its mirror image for one;
2. a search returns how far a score is at least above or below its window (fail-soft).

A score is 0 for a draw. Else it says how soon the win comes: 1 for a win by the winner's last disc, 2 for the one
before it, and so on; below zero for the side that loses. The disc that follows ``n`` others wins (43 - n) / 2 points,
rounded down.
"""

from typing import Any

import numpy as np

from games.connect_four import COLUMN, MAX_LEGAL, SQUARES, has_four, landing
from rlcore.bits import ONE, ZERO, bit_reverse, byte_swap, popcount
from rlcore.jit import Array, Row, njit

__all__ = ["Solver", "completing", "image"]

_EIGHT, _SIX = np.uint64(8), np.uint64(6)
_WEIGHT = np.uint64(56)  # where a move's weight begins, beside its bit
_BOUND = np.uint64(63)
_NOTHING = -32  # below every score; a bound is kept as its distance from it
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)  # odd: multiplied by it, no two keys become one
_WORD = np.uint64(64)
_CENTRE_FIRST = np.array([3, 2, 4, 1, 5, 0, 6], np.uint64)


class Solver:
    """Scores of connect four's moves. Not for two threads at once: what it learns is kept in one table.

    Args:
        table_bits: the table holds 2 to the power of this many positions, 8 bytes each; 12 to 40.
    """

    def __init__(self, table_bits: int = 22) -> None:
        self._bits = np.uint64(table_bits)
        self._table = np.zeros(1 << table_bits, np.uint64)
        self._moves = np.zeros((42, MAX_LEGAL), np.uint64)
        self._scores = np.zeros(MAX_LEGAL, np.int64)

    def scores(self, state: Row) -> Array:
        """[n] int64: the score of every legal action, in the order of ``legal_actions``; none once the game is won."""
        if has_four(state["opponent"]):
            return self._scores[:0]
        count = _scores(state, self._scores, self._table, self._bits, self._moves)
        return self._scores[:count].copy()


@njit
def completing(discs: np.uint64, occupied: np.uint64) -> np.uint64:
    """The empty squares, within reach or not, where one disc more makes four in a row."""
    squares = discs << _EIGHT & discs << np.uint64(16) & discs << np.uint64(24)
    for step in (1, 7, 9):
        one, two, three = np.uint64(step), np.uint64(2 * step), np.uint64(3 * step)
        below, above = discs << one & discs << two, discs >> one & discs >> two
        squares |= below & (discs << three | discs >> one) | above & (discs >> three | discs << one)
    return squares & SQUARES & ~occupied


@njit
def image(key: np.uint64) -> np.uint64:
    """The same for a position's key and for that of its mirror image, and for no other."""
    mirrored: np.uint64 = byte_swap(bit_reverse(key)) >> ONE  # every byte, which is a row, in reverse order
    return min(key, mirrored)


@njit
def _signed(word: np.uint64) -> int:
    """A small number as an integer that may be below zero."""
    number: Any = np.int64(word)
    return number


@njit
def _worth(discs: int) -> int:
    """What a win is worth to the side whose disc follows ``discs`` others."""
    return (43 - discs) >> 1


@njit
def _order(own: np.uint64, occupied: np.uint64, playable: np.uint64, moves: Array) -> int:
    """Write the playable squares into ``moves`` ([7] uint64), the one that makes most threats first; returns
    how many there are."""
    count = 0
    for column in _CENTRE_FIRST:
        move = playable & COLUMN << column
        if move != ZERO:
            weight = popcount(completing(own | move, occupied))
            place = count
            while place > 0 and moves[place - 1] >> _WEIGHT < weight:
                moves[place] = moves[place - 1]
                place -= 1
            moves[place] = weight << _WEIGHT | move
            count += 1
    return count


@njit
def _search(
    own: np.uint64, occupied: np.uint64, discs: int, target: int, table: Array, bits: np.uint64, moves: Array
) -> int:
    """Whether a position's score reaches ``target``: a bound of it, from below where it does, else from above.

    Args:
        own, occupied: the discs of the side to move, which cannot win at once, and all of them, ``discs`` in number.
        table: [2 ** bits] uint64; moves: [42, 7] uint64 scratch.
    """
    threats = completing(own ^ occupied, occupied)
    playable = landing(occupied) & SQUARES
    forced = playable & threats
    if forced != ZERO:
        playable = forced if forced & (forced - ONE) == ZERO else ZERO
    playable &= ~(threats >> _EIGHT)  # nothing just below a square where the opponent wins
    if playable == ZERO:
        return -_worth(discs + 1)
    if discs >= 40:
        return 0
    least, most = -_worth(discs + 3), _worth(discs + 2)  # nobody wins with the next disc
    if most < target:
        return most
    if least >= target:
        return least

    # An entry: what the key, mixed, has below the ``bits`` that number the slot; then two bounds of six bits.
    mixed = image(own | landing(occupied)) * _MIX
    slot, rest = mixed >> (_WORD - bits), mixed << bits
    entry = table[slot]
    if (entry ^ rest) >> bits == ZERO and entry & _BOUND != ZERO:
        most = min(most, _signed(entry & _BOUND) + _NOTHING)
        if most < target:
            return most
        least = max(least, _signed(entry >> _SIX & _BOUND) + _NOTHING)
        if least >= target:
            return least

    best = _NOTHING
    for i in range(_order(own, occupied, playable, moves[discs])):
        move = moves[discs, i] & SQUARES
        score = -_search(own ^ occupied, occupied | move, discs + 1, 1 - target, table, bits, moves)
        best = max(best, score)
        if best >= target:
            break
    if best >= target:
        least = best
    else:
        most = best
    table[slot] = rest | np.uint64(least - _NOTHING) << _SIX | np.uint64(most - _NOTHING)
    return best


@njit
def _score(own: np.uint64, occupied: np.uint64, table: Array, bits: np.uint64, moves: Array) -> int:
    """The exact score of a position in which the game goes on; arguments as of ``_search``."""
    discs = _signed(popcount(occupied))
    if completing(own, occupied) & landing(occupied) != ZERO:
        return _worth(discs)
    least, most = -_worth(discs + 1), _worth(discs + 2)
    while least < most:
        target = (least + most + 2) >> 1  # above the middle: at least one point is settled
        score = _search(own, occupied, discs, target, table, bits, moves)
        if score >= target:
            least = score
        else:
            most = score
    return least


@njit
def _scores(state: Row, scores: Array, table: Array, bits: np.uint64, moves: Array) -> int:
    """Fill ``scores`` ([7] int64) with those of the columns that are not full, from the left; returns their number."""
    own, opponent = state["own"], state["opponent"]
    occupied = own | opponent
    discs = _signed(popcount(occupied))
    playable = landing(occupied) & SQUARES
    wins = completing(own, occupied)
    count = 0
    for column in range(7):
        move = playable & COLUMN << np.uint64(column)
        if move != ZERO:
            if move & wins != ZERO:
                scores[count] = _worth(discs)
            elif discs == 41:
                scores[count] = 0
            else:
                scores[count] = -_score(opponent, occupied | move, table, bits, moves)
            count += 1
    return count
