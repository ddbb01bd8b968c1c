"""Grid worlds of the game as text: positions, moves, whole games.

A position is its rows from the top, as in FEN, then the plies played: ``6#G/8/2A5/8/8/3X4/8/8 4``. Digits count free
squares; ``#`` is a wall, G a goal, X a pit, A the agent, and g or x the agent in a goal or a pit.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from games.errors import BadMove, BadPosition, check_plain, shown
from games.grid import COMMENT as COMMENT
from games.grid import check_legal, game_text, play
from games.grid_world.maps import ACTIONS
from games.grid_world.rules import (
    MAX_LEGAL,
    NUM_ACTIONS,
    SIDE,
    STATE,
    Ending,
    apply,
    init,
    legal_actions,
    position_key,
)
from rlcore.jit import Array, Row

FILE_SUFFIX = "txt"
_MOST_PLIES = 2**16 - 1
_BOARDS = {
    "#": ("walls",),
    "G": ("goals",),
    "X": ("pits",),
    "A": ("agent",),
    "g": ("goals", "agent"),
    "x": ("pits", "agent"),
}


def rows_of(state: Row) -> list[str]:
    """The rows from the top, a letter a square, ``.`` where it is free."""
    boards = {name: int(state[name]) for name in ("walls", "goals", "pits", "agent")}
    letters = {frozenset(names): letter for letter, names in _BOARDS.items()} | {frozenset(): "."}
    squares = [
        letters[frozenset(name for name, board in boards.items() if board >> square & 1)] for square in range(SIDE**2)
    ]
    return ["".join(squares[SIDE * row : SIDE * (row + 1)]) for row in range(SIDE)]


def to_map(state: Row) -> str:
    """The map, with the agent's square as its start, for ``games.grid_world.maps.parse``."""
    return "\n".join(rows_of(state)).replace("A", "S")


def show(state: Row, ascii: bool = False) -> str:
    """The map as lines of letters."""
    return "\n".join(" ".join(row) for row in rows_of(state))


# --- moves -----------------------------------------------------------------------------------------------------------


def to_text(state: Row, action: int) -> str:
    """Up, right, down or left. Whether a wall is in the way is not checked.

    Raises:
        BadMove: there is no such action, or it is for an agent that stands elsewhere.
    """
    direction, square = divmod(int(action), SIDE**2)
    if not 0 <= int(action) < NUM_ACTIONS or int(state["agent"]) != 1 << square:
        raise BadMove(f"action {int(action)} is no step from where the agent is")
    return ACTIONS[direction]


def from_text(state: Row, text: str) -> int:
    """The action of a direction.

    Raises:
        BadMove: the text is none, or a wall is in the way, or the game is over; says which.
    """
    if text not in ACTIONS:
        raise BadMove(f"{shown(text)} is not a move: write up, right, down or left")
    action = SIDE**2 * ACTIONS.index(text) + int(state["agent"]).bit_length() - 1
    actions = np.zeros(MAX_LEGAL, np.uint16)
    check_legal(text, action, actions[: legal_actions(state, actions)], "a wall is in the way")
    return action


# --- positions -------------------------------------------------------------------------------------------------------


def write(state: Row) -> str:
    """The position as text."""
    board = re.sub(r"\.+", lambda free: str(len(free[0])), "/".join(rows_of(state)))
    return f"{board} {int(state['ply'])}"


def read(state: Row, text: str) -> None:
    """Fill the row from a position as text, or from ``startpos``, the map of seed 0.

    The row is left alone where the text is wrong. Whether a goal can be reached is not asked.

    Raises:
        BadPosition: says what is wrong.
    """
    row = np.zeros(1, STATE)[0]
    if text == "startpos":
        init(row, 0)
    else:
        check_plain(text, 200)
        fields = text.split(" ")
        if len(fields) != 2:
            raise BadPosition(f"{shown(text)} is not a position: write the rows from the top, then the plies played")
        for square, letter in enumerate(chain.from_iterable(_squares(fields[0]))):
            for name in _BOARDS.get(letter, ()):
                row[name] |= np.uint64(1 << square)
        if not re.fullmatch("[0-9]{1,5}", fields[1]) or int(fields[1]) > _MOST_PLIES:
            raise BadPosition(f"the plies played are {shown(fields[1])} instead of a number up to {_MOST_PLIES}")
        _check_agent(row)
        row["ply"], row["key"] = int(fields[1]), position_key(row)
    for name in STATE.names or ():
        state[name] = row[name]


def _squares(board: str) -> list[str]:
    """The rows with a letter a square."""
    rows = board.split("/")
    if len(rows) != SIDE:
        raise BadPosition(f"the board has {len(rows)} rows instead of {SIDE}")
    for number, row in enumerate(rows, start=1):
        if stranger := re.search(rf"[^#GXAgx1-{SIDE}]", row):
            raise BadPosition(f"row {number} from the top holds {stranger[0]!r}: not one of # G X A g x or a number")
        if re.search("[0-9]{2}", row):
            raise BadPosition(f"row {number} from the top counts free squares twice in a row: {shown(row)}")
        rows[number - 1] = re.sub("[0-9]", lambda digit: "." * int(digit[0]), row)
        if len(rows[number - 1]) != SIDE:
            raise BadPosition(f"row {number} from the top has {len(rows[number - 1])} squares instead of {SIDE}")
    return rows


def _check_agent(row: Row) -> None:
    agents = int(row["agent"]).bit_count()
    if agents != 1:
        raise BadPosition(f"there are {agents} agents instead of one (A, or g in a goal, x in a pit)")
    over = int(row["agent"]) & (int(row["goals"]) | int(row["pits"]))
    if not over and legal_actions(row, np.zeros(MAX_LEGAL, np.uint16)) == 0:
        raise BadPosition("the agent is walled in on all sides")


# --- games -----------------------------------------------------------------------------------------------------------


def write_game(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Row | None = None,
) -> str:
    """A whole game as text, see ``games.grid``; moves such as ``up up right``. 1-0 is a goal, 0-1 a pit.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    begun = None if start is None else write(start)
    row = np.zeros(1, STATE)[0]
    read(row, begun or "startpos")
    moves = " ".join(play(row, actions, to_text, from_text, apply))
    return game_text(headers, begun, moves, int(row["turn"]), Ending(ending), value)
