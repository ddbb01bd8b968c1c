"""Tic-tac-toe: rules and planes; positions, moves and games as text.

Everything in a row is as the side to move sees it; the board itself is never turned. A square's number is its bit, its
plane's square, and the action that takes it:

    3   6 7 8
    2   3 4 5
    1   0 1 2
        a b c
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np

from games.errors import BadMove, BadPosition, shown
from games.grid import COMMENT as COMMENT
from games.grid import Grid, check_legal, game_text, play
from rlcore.bits import ONE, ZERO
from rlcore.jit import Array, Row, njit
from rlcore.symmetry import Symmetries, symmetries_of

STATE = np.dtype(
    [
        ("own", np.uint64),  # squares that the side to move has taken
        ("opponent", np.uint64),
        ("key", np.uint64),  # both: no two positions share it
        ("ply", np.uint16),
        ("turn", np.uint8),  # 0 x, who begins, 1 o
    ],
    align=True,
)
assert STATE.itemsize == 32

NUM_ACTIONS = MAX_LEGAL = 9
DISCOUNT = -1.0
PAST: tuple[str, ...] = ()

BOARD = (3, 3)
BOARD_WORDS = 1
STEP_BOARDS = 2
STEP_COUNTS = 0
LEAF_COUNTS = 1
COUNT_SCALES = (1.0,)
POLICY_PLANES = 1

_SQUARES = np.arange(9).reshape(BOARD)
_LINES = [*_SQUARES, *_SQUARES.T, _SQUARES.diagonal(), _SQUARES[::-1].diagonal()]
LINES = np.array([sum(1 << int(square) for square in line) for line in _LINES], np.uint64)
_SIXTEEN = np.uint64(16)


class Ending(IntEnum):
    """Why a game ended. The last four are given by the players or a match, not by the rules."""

    ONGOING = 0
    THREE_IN_A_ROW = 1
    FULL_BOARD = 2
    MAX_PLIES = 3
    RESIGNATION = 4
    TIME = 5
    ILLEGAL_MOVE = 6
    AGREEMENT = 7


_ONGOING, _THREE_IN_A_ROW, _FULL_BOARD, _MAX_PLIES = range(4)


@njit
def init(state: Row, seed: int) -> None:
    """Write the start position into the row. There is only one; the seed is not used."""
    state["own"] = state["opponent"] = state["key"] = ZERO
    state["ply"], state["turn"] = np.uint16(0), np.uint8(0)


@njit
def position_key(state: Row) -> np.uint64:
    """What ``key`` must be."""
    key: np.uint64 = state["own"] | state["opponent"] << _SIXTEEN
    return key


@njit
def has_three(taken: np.uint64) -> bool:
    """Whether three of the squares are a line."""
    for line in LINES:
        if taken & line == line:
            return True
    return False


@njit
def legal_actions(state: Row, actions: Array) -> int:
    """Fill ``actions`` with the empty squares in the order of their numbers; none once the game is won."""
    if has_three(state["opponent"]):
        return 0
    taken = state["own"] | state["opponent"]
    count = 0
    for square in range(9):
        if taken >> np.uint64(square) & ONE == ZERO:
            actions[count] = square
            count += 1
    return count


@njit
def apply(state: Row, action: int) -> None:
    """Take an empty square, in place. The row is then the other side's view."""
    own = state["own"] | ONE << np.uint64(action)
    state["own"] = state["opponent"]
    state["opponent"] = own
    state["ply"] += np.uint16(1)
    state["turn"] ^= np.uint8(1)
    state["key"] = position_key(state)


@njit
def lookback(state: Row) -> int:
    """How many plies back a position equal to this one may lie: none, as nothing is taken back."""
    return 0


@njit
def outcome(state: Row, num_legal: int, earlier: int, since: int, max_plies: int) -> tuple[int, float]:
    """Why the game ends here (an ``Ending``; 0 = it goes on) and its value for the side to move.

    Args:
        num_legal: the number of legal actions.
        earlier, since: of equal positions before; there are none.
        max_plies: the length at which a game is broken off; 0 = no limit.
    """
    if num_legal == 0:
        if has_three(state["opponent"]):
            return _THREE_IN_A_ROW, -1.0
        return _FULL_BOARD, 0.0
    if max_plies > 0 and state["ply"] >= max_plies:
        return _MAX_PLIES, 0.0
    return _ONGOING, 0.0


@njit
def may_be_lost(state: Row) -> bool:
    """Whether the side to move has lost."""
    return has_three(state["opponent"])


# --- what the network sees --------------------------------------------------------------------------------------------


@njit
def pack(state: Row, earlier: int, mover: int, words: Array) -> None:
    """Write two boards into ``words`` ([2] uint64): the squares of ``mover`` and the other side's."""
    same = state["turn"] == mover
    words[0] = state["own"] if same else state["opponent"]
    words[1] = state["opponent"] if same else state["own"]


@njit
def pack_leaf(state: Row, words: Array) -> None:
    """Write whose turn it is into ``words`` ([1] uint64)."""
    words[0] = np.uint64(state["turn"])


def _turned_and_mirrored() -> Symmetries:
    boards = [np.rot90(board, turns) for board in (_SQUARES, _SQUARES.T) for turns in range(4)]
    return symmetries_of((board, board) for board in boards)


SYMMETRIES: Symmetries = _turned_and_mirrored()
"""The eight of the square."""


# --- text -------------------------------------------------------------------------------------------------------------

FILE_SUFFIX = "txt"
GRID = Grid(rows=3, columns=3, stride=3)


def to_text(state: Row, action: int) -> str:
    """The square's name, a1 to c3. Legality is not checked.

    Raises:
        BadMove: there is no such square.
    """
    if not 0 <= int(action) < NUM_ACTIONS:
        raise BadMove(f"action {int(action)} is no square of the board")
    return "abc"[int(action) % 3] + "123"[int(action) // 3]


def from_text(state: Row, text: str) -> int:
    """The action of a square's name.

    Raises:
        BadMove: the text is none, or the square is taken, or the game is over; says which.
    """
    if not re.fullmatch("[a-c][1-3]", text):
        raise BadMove(f"{shown(text)} is not a move: write a square, a1 to c3")
    action = "abc".index(text[0]) + 3 * "123".index(text[1])
    actions = np.zeros(MAX_LEGAL, np.uint16)
    check_legal(text, action, actions[: legal_actions(state, actions)], "the square is taken")
    return action


def write(state: Row) -> str:
    """The position as text, see ``games.grid``."""
    return GRID.write(state)


def read(state: Row, text: str) -> None:
    """Fill the row from a position as text, or from ``startpos``. The row is left alone where the text is wrong.

    Raises:
        BadPosition: says what is wrong.
    """
    own, opponent, turn = GRID.read("3/3/3 x" if text == "startpos" else text)
    if has_three(np.uint64(own)):
        raise BadPosition("the side to move has three in a row already: the game was over before")
    state["own"], state["opponent"], state["turn"], state["ply"] = own, opponent, turn, (own | opponent).bit_count()
    state["key"] = position_key(state)


def write_game(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Row | None = None,
) -> str:
    """A whole game as text, see ``games.grid``; moves such as ``b2 a1 c3``.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    begun = None if start is None else write(start)
    row = np.zeros(1, STATE)[0]
    read(row, begun or "startpos")
    moves = " ".join(play(row, actions, to_text, from_text, apply))
    return game_text(headers, begun, moves, int(row["turn"]), Ending(ending), value)


def show(state: Row, ascii: bool = False) -> str:
    """The board as lines of letters, with the names of rows and columns."""
    ranks = [f"{3 - i}  " + " ".join(rank) for i, rank in enumerate(GRID.picture(state))]
    return "\n".join([*ranks, "", "   a b c"])
