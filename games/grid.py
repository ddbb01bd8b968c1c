"""Text of games in which x, who begins, and o take turns to fill an empty grid: positions, pictures, whole games.

A position is written as in FEN, rows from the top, then whose turn it is: ``3/1xo/2x o`` is

    . . .
    . x o
    . . x     and o is to move.

A game is written with PGN's tags, then its moves and the result; x stands as White.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from games.errors import BadMove, BadPosition, shown
from rlcore.jit import Array, Row

__all__ = ["COMMENT", "SIDES", "Grid", "check_legal", "game_text", "play"]

SIDES = "xo"
COMMENT = "%"
"""What a line begins with that is no part of a game."""


class Grid(NamedTuple):
    """A board whose square in a row (0 at the bottom) and column is bit ``stride * row + column`` of a word."""

    rows: int
    columns: int
    stride: int

    def picture(self, state: Row) -> list[str]:
        """The rows from the top, a letter a square, ``.`` where it is empty."""
        first, second = int(state["own"]), int(state["opponent"])
        if state["turn"] == 1:
            first, second = second, first
        letters = []
        for row in reversed(range(self.rows)):
            bits = range(self.stride * row, self.stride * row + self.columns)
            letters.append("".join("x" if first >> bit & 1 else "o" if second >> bit & 1 else "." for bit in bits))
        return letters

    def write(self, state: Row) -> str:
        """The position as text."""
        board = re.sub(r"\.+", lambda empty: str(len(empty[0])), "/".join(self.picture(state)))
        return f"{board} {SIDES[int(state['turn'])]}"

    def read(self, text: str) -> tuple[int, int, int]:
        """What stands on the board, own and opponent's, for the side to move; and which side that is, 0 or 1.

        Raises:
            BadPosition: the text has another form, or one side has placed too many; says what is wrong.
        """
        fields = text[:200].split(" ")
        if len(fields) != 2 or not text.isascii():
            raise BadPosition(f"{shown(text)} is not a position: write the rows from the top, then x or o to move")
        ranks = fields[0].split("/")
        if len(ranks) != self.rows:
            raise BadPosition(f"the board has {len(ranks)} rows instead of {self.rows}")
        sides = [0, 0]
        for row, rank in zip(reversed(range(self.rows)), ranks, strict=True):
            for column, letter in enumerate(self._squares(self.rows - row, rank)):
                if letter != ".":
                    sides[SIDES.index(letter)] |= 1 << self.stride * row + column
        if fields[1] not in ("x", "o"):
            raise BadPosition(f"the side to move is {shown(fields[1])} instead of 'x' or 'o'")
        turn, first, second = SIDES.index(fields[1]), sides[0].bit_count(), sides[1].bit_count()
        if first - second not in (0, 1):
            raise BadPosition(f"x has placed {first} and o {second}; x begins, so x has as many as o or one more")
        if first - second != turn:
            raise BadPosition(f"x has placed {first} and o {second}, so it is the turn of {SIDES[first - second]}")
        return sides[turn], sides[1 - turn], turn

    def _squares(self, number: int, rank: str) -> str:
        """A row with a letter a square; rows are numbered from the top, from 1."""
        if stranger := re.search(rf"[^xo1-{self.columns}]", rank):
            raise BadPosition(f"row {number} from the top holds {stranger[0]!r}: not x, o or a number of empty squares")
        if re.search("[0-9]{2}", rank):
            raise BadPosition(f"row {number} from the top counts empty squares twice in a row: {shown(rank)}")
        squares = re.sub("[0-9]", lambda digit: "." * int(digit[0]), rank)
        if len(squares) != self.columns:
            raise BadPosition(f"row {number} from the top has {len(squares)} squares instead of {self.columns}")
        return squares


def check_legal(text: str, action: int, legal: Array, obstacle: str) -> None:
    """Make sure that a move may be played.

    Args:
        text: the move as somebody wrote it, which stands for ``action``.
        legal: the legal actions, [n] uint16; none once the game is over.
        obstacle: what is in the way of an action that is not among them, in a game that goes on.

    Raises:
        BadMove: it may not; says why.
    """
    if len(legal) == 0:
        raise BadMove(f"{text!r} is not legal here: the game is over")
    if action not in legal:
        raise BadMove(f"{text!r} is not legal here: {obstacle}")


def play(
    state: Row,
    actions: Sequence[int] | Array,
    to_text: Callable[[Row, int], str],
    from_text: Callable[[Row, str], int],
    apply: Callable[[Row, Any], None],
) -> list[str]:
    """Play actions in a row, by a game's functions; returns them as text.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    moves = []
    for ply, action in enumerate(actions, start=1):
        moves.append(to_text(state, action))
        try:
            from_text(state, moves[-1])
        except BadMove as error:
            raise BadMove(f"ply {ply} of the game: {error}") from None
        apply(state, np.uint16(action))  # the type that kernels pass, so that nothing is compiled twice
    return moves


def game_text(
    headers: Mapping[str, str] | None, start: str | None, moves: str, turn: int, ending: IntEnum, value: float
) -> str:
    """A whole game as text, ending with an empty line.

    Args:
        headers: tags; Result, Ending and the position that the game began from are added.
        start: that position; None = the usual one.
        moves: as text.
        turn: whose turn it is after them.
        ending: why the game ended.
        value: what it is worth for that side: -1, 0 or 1.
    """
    result = "1/2-1/2"
    if ending == 0:
        result = "*"
    elif value != 0.0:
        result = "1-0" if (value > 0.0) == (turn == 0) else "0-1"
    added = {"Result": result, "Ending": ending.name.lower()} | ({} if start is None else {"Position": start})
    lines = []
    for tag, content in {**(headers or {}), **added}.items():
        line = re.sub(r"\s+|[^\x20-\uffff]", " ", str(content)).replace('"', "'")
        lines.append(f'[{tag} "{line}"]')
    return "\n".join([*lines, "", f"{moves} {result}".lstrip(), "", ""])
