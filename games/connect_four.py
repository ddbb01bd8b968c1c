"""Connect four on seven columns of six squares: rules and planes; positions, moves and games as text.

Everything in a row is as the side to move sees it; the board itself is never turned. A square is bit
``8 * row + column``, row 0 at the bottom, so that a byte is a row and its highest bit is always empty:

    row 5   40 41 42 43 44 45 46  .
    row 4   32 33 34 35 36 37 38  .
    row 3   24 25 26 27 28 29 30  .
    row 2   16 17 18 19 20 21 22  .
    row 1    8  9 10 11 12 13 14  .
    row 0    0  1  2  3  4  5  6  .
    action   0  1  2  3  4  5  6

A line is then four squares 1, 7, 8 or 9 bits apart, and none leaves the board on one side to come back on the other.
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np

from games.errors import BadMove, BadPosition, shown
from games.grid import COMMENT as COMMENT
from games.grid import Grid, check_legal, game_text, play
from rlcore.bits import ONE, ZERO, extract
from rlcore.jit import Array, Row, njit
from rlcore.symmetry import Symmetries, symmetries_of

STATE = np.dtype(
    [
        ("own", np.uint64),  # discs of the side to move
        ("opponent", np.uint64),
        ("key", np.uint64),  # own discs, and the lowest empty square of every column: no two positions share it
        ("ply", np.uint16),
        ("turn", np.uint8),  # 0 x, who begins, 1 o
    ],
    align=True,
)
assert STATE.itemsize == 32

NUM_ACTIONS = MAX_LEGAL = 7
DISCOUNT = -1.0
PAST: tuple[str, ...] = ()

BOARD = (6, 7)
BOARD_WORDS = 1
STEP_BOARDS = 2
STEP_COUNTS = 0
LEAF_COUNTS = 1
COUNT_SCALES = (1.0,)

SQUARES = np.uint64(0x7F7F_7F7F_7F7F)
BOTTOM = np.uint64(0x7F)
COLUMN = np.uint64(0x01_0101_0101_0101)
"""The first one, with the square above the board."""
_EIGHT = np.uint64(8)


class Ending(IntEnum):
    """Why a game ended. The last four are given by the players or a match, not by the rules."""

    ONGOING = 0
    FOUR_IN_A_ROW = 1
    FULL_BOARD = 2
    MAX_PLIES = 3
    RESIGNATION = 4
    TIME = 5
    ILLEGAL_MOVE = 6
    AGREEMENT = 7


_ONGOING, _FOUR_IN_A_ROW, _FULL_BOARD, _MAX_PLIES = range(4)


@njit
def init(state: Row, seed: int) -> None:
    """Write the start position into the row. There is only one; the seed is not used."""
    state["own"] = state["opponent"] = ZERO
    state["ply"], state["turn"] = np.uint16(0), np.uint8(0)
    state["key"] = position_key(state)


@njit
def landing(occupied: np.uint64) -> np.uint64:
    """The lowest empty square of every column; of a full one that above the board."""
    squares: np.uint64 = (occupied << _EIGHT | BOTTOM) & ~occupied
    return squares


@njit
def position_key(state: Row) -> np.uint64:
    """What ``key`` must be."""
    key: np.uint64 = state["own"] | landing(state["own"] | state["opponent"])
    return key


@njit
def has_four(discs: np.uint64) -> bool:
    """Whether four of the discs stand in a row."""
    for step in (1, 7, 8, 9):
        pairs = discs & discs >> np.uint64(step)
        if pairs & pairs >> np.uint64(2 * step) != ZERO:
            return True
    return False


@njit
def legal_actions(state: Row, actions: Array) -> int:
    """Fill ``actions`` with the columns that are not full, from the left; none once the game is won."""
    if has_four(state["opponent"]):
        return 0
    occupied = state["own"] | state["opponent"]
    count = 0
    for column in range(7):
        if occupied >> np.uint64(40 + column) & ONE == ZERO:
            actions[count] = column
            count += 1
    return count


@njit
def apply(state: Row, action: int) -> None:
    """Drop a disc into a column that has room, in place. The row is then the other side's view."""
    occupied = state["own"] | state["opponent"]
    own = state["own"] | landing(occupied) & COLUMN << np.uint64(action)
    state["own"] = state["opponent"]
    state["opponent"] = own
    state["ply"] += np.uint16(1)
    state["turn"] ^= np.uint8(1)
    state["key"] = position_key(state)


@njit
def lookback(state: Row) -> int:
    """How many plies back a position equal to this one may lie: none, as discs stay."""
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
        if has_four(state["opponent"]):
            return _FOUR_IN_A_ROW, -1.0
        return _FULL_BOARD, 0.0
    if max_plies > 0 and state["ply"] >= max_plies:
        return _MAX_PLIES, 0.0
    return _ONGOING, 0.0


@njit
def may_be_lost(state: Row) -> bool:
    """Whether the side to move has lost."""
    return has_four(state["opponent"])


# --- what the network sees --------------------------------------------------------------------------------------------


@njit
def pack(state: Row, earlier: int, mover: int, words: Array) -> None:
    """Write two boards into ``words`` ([2] uint64): the discs of ``mover``, and the other side's."""
    same = state["turn"] == mover
    words[0] = extract(state["own"] if same else state["opponent"], SQUARES)
    words[1] = extract(state["opponent"] if same else state["own"], SQUARES)


@njit
def pack_leaf(state: Row, words: Array) -> None:
    """Write whose turn it is into ``words`` ([1] uint64): towards the end that decides who must give way."""
    words[0] = np.uint64(state["turn"])


_NUMBERS = np.arange(42).reshape(BOARD)
SYMMETRIES: Symmetries = symmetries_of([(_NUMBERS, range(7)), (_NUMBERS[:, ::-1], range(6, -1, -1))])
"""The board and its mirror image."""


# --- text -------------------------------------------------------------------------------------------------------------

FILE_SUFFIX = "txt"
GRID = Grid(rows=6, columns=7, stride=8)


def to_text(state: Row, action: int) -> str:
    """The column, 1 to 7 from the left. Legality is not checked.

    Raises:
        BadMove: there is no such column.
    """
    if not 0 <= int(action) < NUM_ACTIONS:
        raise BadMove(f"action {int(action)} is no column of the board")
    return str(int(action) + 1)


def from_text(state: Row, text: str) -> int:
    """The action of a column's number.

    Raises:
        BadMove: the text is none, or the column has no room, or the game is over; says which.
    """
    if not re.fullmatch("[1-7]", text):
        raise BadMove(f"{shown(text)} is not a move: write the column, 1 to 7 from the left")
    action = int(text) - 1
    actions = np.zeros(MAX_LEGAL, np.uint16)
    check_legal(text, action, actions[: legal_actions(state, actions)], "the column is full")
    return action


def write(state: Row) -> str:
    """The position as text, see ``games.grid``."""
    return GRID.write(state)


def read(state: Row, text: str) -> None:
    """Fill the row from a position as text, from the moves that lead to it (``4453``), or from ``startpos``.

    The row is left alone where the text is wrong. Whether discs could have come to lie so by turns is not asked.

    Raises:
        BadPosition: says what is wrong.
    """
    row = np.zeros(1, STATE)[0]
    init(row, 0)
    if re.fullmatch("[0-9]+", text):
        for ply, column in enumerate(text, start=1):
            try:
                play(row, [from_text(row, column)], to_text, from_text, apply)
            except BadMove as error:
                raise BadPosition(f"move {ply} of {shown(text)}: {error}") from None
    elif text != "startpos":
        own, opponent, turn = GRID.read(text)
        occupied = own | opponent
        floating = occupied & ~(occupied << 8 | int(BOTTOM))
        if floating:
            place = (floating & -floating).bit_length() - 1
            raise BadPosition(
                f"the disc in column {place % 8 + 1}, row {place // 8 + 1} from below, has nothing below it"
            )
        tops = opponent & ~(occupied >> 8)
        before = [opponent & ~(1 << square) for square in range(48) if tops >> square & 1] or [0]
        if has_four(np.uint64(own)):
            raise BadPosition("the side to move has four in a row already: the game was over before")
        if all(has_four(np.uint64(discs)) for discs in before):
            raise BadPosition("no single move can have made all fours in a row: the game was over before")
        row["own"], row["opponent"], row["turn"], row["ply"] = own, opponent, turn, occupied.bit_count()
        row["key"] = position_key(row)
    for name in STATE.names or ():
        state[name] = row[name]


def write_game(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Row | None = None,
) -> str:
    """A whole game as text, see ``games.grid``; the moves are one word, such as ``4453``.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    begun = None if start is None else write(start)
    row = np.zeros(1, STATE)[0]
    read(row, begun or "startpos")
    moves = "".join(play(row, actions, to_text, from_text, apply))
    return game_text(headers, begun, moves, int(row["turn"]), Ending(ending), value)


def show(state: Row, ascii: bool = False) -> str:
    """The board as lines of letters, with the columns' numbers below."""
    return "\n".join([*(" ".join(rank) for rank in GRID.picture(state)), "", "1 2 3 4 5 6 7"])
