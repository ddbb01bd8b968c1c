"""The grid world as a game for one: walk to a goal round walls and pits, on a map of 8 x 8 that each game draws anew.

Nothing slips, and nothing is paid on the way: a goal is worth 1, a pit -1, to walk on until the ply limit 0. With
DISCOUNT 0.9 a cell from which the nearest goal is d steps away is worth 0.9^d. (A Gymnasium environment pays on the
last step, so its values are those of the game divided by 0.9; the best moves are the same.)

A square is bit 8 * row + column, row 0 at the top, as states are numbered in ``games.grid_world.maps``. An action is
64 * direction + the square that the agent leaves, so that the network has a plane for each direction:

                 0 up
        3 left     +    1 right
                2 down
"""

from enum import IntEnum

import numpy as np

from rlcore.bits import ONE, ZERO, lowest, popcount
from rlcore.jit import Array, Row, njit
from rlcore.rng import mixed

STATE = np.dtype(
    [
        ("walls", np.uint64),
        ("goals", np.uint64),
        ("pits", np.uint64),
        ("agent", np.uint64),  # the one square where it is
        ("key", np.uint64),
        ("ply", np.uint16),
        ("turn", np.uint8),  # always 0: there is nobody else
    ],
    align=True,
)
assert STATE.itemsize == 48

SIDE = 8
NUM_ACTIONS, MAX_LEGAL = 4 * SIDE * SIDE, 4
DISCOUNT = 0.9

LEFT_COLUMN, RIGHT_COLUMN = np.uint64(0x0101_0101_0101_0101), np.uint64(0x8080_8080_8080_8080)
_EIGHT, _TWO, _THREE = np.uint64(8), np.uint64(2), np.uint64(3)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_LEAST_SQUARES = np.uint64(12)


class Ending(IntEnum):
    """Why a game ended. The last four are part of every game; nobody gives them here."""

    ONGOING = 0
    GOAL = 1
    PIT = 2
    MAX_PLIES = 3
    RESIGNATION = 4
    TIME = 5
    ILLEGAL_MOVE = 6
    AGREEMENT = 7


_ONGOING, _GOAL, _PIT, _MAX_PLIES = range(4)


# --- maps ------------------------------------------------------------------------------------------------------------


@njit
def moved(squares: np.uint64, direction: int | np.int64) -> np.uint64:
    """All squares of a set one step on; what leaves the board is gone."""
    if direction == 0:
        return squares >> _EIGHT
    if direction == 1:
        return (squares & ~RIGHT_COLUMN) << ONE
    if direction == 2:
        return squares << _EIGHT
    return (squares & ~LEFT_COLUMN) >> ONE


@njit
def reach(squares: np.uint64, free: np.uint64) -> np.uint64:
    """The squares of a set, and all from which one of them is reached over ``free`` squares."""
    while True:
        more = squares
        for direction in range(4):
            more |= moved(squares, direction) & free
        if more == squares:
            return squares
        squares = more


@njit
def _word(seed: np.uint64, i: np.uint64) -> np.uint64:
    """Random word number ``i`` of a seed."""
    return mixed(mixed(seed) + (i + ONE) * _STEP)


@njit
def _one_of(squares: np.uint64, word: np.uint64) -> np.uint64:
    """One square of a set that is not empty, by a random word."""
    for _ in range(np.int64(word % popcount(squares))):
        squares &= squares - ONE
    return ONE << lowest(squares)


@njit
def init(state: Row, seed: int) -> None:
    """Draw a map and a start from which a goal can be reached: the same for the same seed.

    Walls take 1/8 to 3/8 of the squares, pits about 1/16 of the rest; there are one or two goals.
    """
    state["ply"], state["turn"] = np.uint16(0), np.uint8(0)
    base, i = np.uint64(seed), ZERO
    while True:
        a, b, c = _word(base, i), _word(base, i + ONE), _word(base, i + _TWO)
        style = _word(base, i + _THREE) & _THREE
        walls = a & b
        if style == ZERO:
            walls &= c
        elif style == ONE:
            walls = a & (b | c)
        i += np.uint64(4)
        pits = _word(base, i) & _word(base, i + ONE) & _word(base, i + _TWO) & _word(base, i + _THREE) & ~walls
        i += np.uint64(4)
        free = ~(walls | pits)
        if free != ZERO:
            goals = _one_of(free, _word(base, i))
            if _word(base, i + ONE) & ONE == ONE:
                goals |= _one_of(free, _word(base, i + _TWO))
            starts = reach(goals, free) & ~goals
            if popcount(starts) >= _LEAST_SQUARES:
                state["walls"], state["goals"], state["pits"] = walls, goals, pits
                state["agent"] = _one_of(starts, _word(base, i + _THREE))
                state["key"] = position_key(state)
                return
        i += np.uint64(4)


# --- moves -----------------------------------------------------------------------------------------------------------


@njit
def position_key(state: Row) -> np.uint64:
    """What ``key`` must be: a hash of the map, and one of the agent's square."""
    key: np.uint64 = mixed(state["walls"] + mixed(state["goals"] + mixed(state["pits"]))) ^ mixed(state["agent"])
    return key


@njit
def legal_actions(state: Row, actions: Array) -> int:
    """Fill ``actions`` with the directions in which there is no wall, clockwise from up; none in a goal or a pit."""
    if state["agent"] & (state["goals"] | state["pits"]) != ZERO:
        return 0
    square, count = np.int64(lowest(state["agent"])), 0
    for direction in range(4):
        if moved(state["agent"], direction) & ~state["walls"] != ZERO:
            actions[count] = 64 * direction + square
            count += 1
    return count


@njit
def apply(state: Row, action: int) -> None:
    """Take a step that no wall stops, in place."""
    then = moved(state["agent"], np.int64(action) >> 6)
    state["key"] ^= mixed(state["agent"]) ^ mixed(then)
    state["agent"] = then
    state["ply"] += np.uint16(1)


@njit
def lookback(state: Row) -> int:
    """How many plies back an equal position matters: none, as no rule asks where the agent was before."""
    return 0


@njit
def outcome(state: Row, num_legal: int, earlier: int, since: int, max_plies: int) -> tuple[int, float]:
    """Why the game ends here (an ``Ending``; 0 = it goes on) and its value.

    Args:
        num_legal: the number of legal actions; it is not looked at, as the board tells the same.
        earlier, since: of equal positions before; they do not matter.
        max_plies: the length at which a game is broken off; 0 = no limit.
    """
    if state["agent"] & state["goals"] != ZERO:
        return _GOAL, 1.0
    if state["agent"] & state["pits"] != ZERO:
        return _PIT, -1.0
    if max_plies > 0 and state["ply"] >= max_plies:
        return _MAX_PLIES, 0.0
    return _ONGOING, 0.0


@njit
def may_be_lost(state: Row) -> bool:
    """Whether the agent is in a pit."""
    return state["agent"] & state["pits"] != ZERO
