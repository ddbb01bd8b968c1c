"""Tic-tac-toe and connect four for the eye: the board in letters, the last move in brackets, endings as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from agents.engine.views import Format
from games import connect_four, tic_tac_toe
from games.grid import Grid
from rlcore.jit import Row

__all__ = ["ConnectFourView", "TicTacToeView"]

_COLOURS = {"x": 203, "o": 221, ".": 245}
"""Numbers of the 256 terminal colours: red and yellow discs, grey dots."""


@dataclass(frozen=True)
class _GridView:
    """What both have in common; a board that is never turned round."""

    colour: bool
    """Letters in two colours."""
    ascii: bool
    """Of no effect: there is nothing but ASCII."""

    rules: ClassVar[Any] = tic_tac_toe
    grid: ClassVar[Grid]

    sides = ("x", "o")
    glyphs = ""
    notation = "position"
    above, numbers = 0, 1
    draws = "a full board is one anyway"

    @property
    def formats(self) -> Sequence[Format]:
        """Games are only written."""
        return (Format(self.rules.FILE_SUFFIX, self.rules.write_game),)

    @property
    def ranks(self) -> int:
        """Rows of the board."""
        return self.grid.rows

    def _cells(self, state: Row, last: Sequence[int]) -> list[str]:
        """The rows from the top, three columns a square."""
        lines = []
        for i, letters in enumerate(self.grid.picture(state)):
            first = self.grid.stride * (self.grid.rows - 1 - i)
            cells = [self._cell(letter, first + column in last) for column, letter in enumerate(letters)]
            lines.append("".join(cells))
        return lines

    def _cell(self, letter: str, marked: bool) -> str:
        shown = f"\x1b[38;5;{_COLOURS[letter]}m{letter}\x1b[0m" if self.colour else letter
        return f"[{shown}]" if marked else f" {shown} "

    def captures(self, state: Row) -> tuple[str, str]:
        """Nothing is ever taken."""
        return "", ""

    def read_move(self, state: Row, text: str, previous: int | None) -> int:
        """The action of a move; BadMove where there is none."""
        return self.rules.from_text(state, text)

    def name_move(self, state: Row, action: int, previous: int | None) -> str:
        """The action as text."""
        return self.rules.to_text(state, action)

    def move_number(self, state: Row) -> tuple[int, int]:
        """The number of the pair of moves to come, and whose half of it: 0 x, 1 o."""
        return int(state["ply"]) // 2 + 1, int(state["turn"])

    def why_not_declare(self, state: Row) -> str:
        """Nobody may."""
        return "that is a rule of shogi"

    def reason(self, ending: int) -> str:
        """Why the game is over, as the beginning of a sentence."""
        if self.rules.Ending(ending).name == "TIME":
            return "The time is up"
        return self.rules.Ending(ending).name.lower().replace("_", " ").capitalize()


class TicTacToeView(_GridView):
    """How tic-tac-toe looks in a terminal."""

    grid = tic_tac_toe.GRID
    examples = "b2"
    special = "columns a to c from the left, rows 1 to 3 from below"
    square = "b2"

    def draw(self, state: Row, last: Sequence[int], turned: bool) -> list[str]:
        """The board as lines of text."""
        return [*(f"{3 - i} {line}" for i, line in enumerate(self._cells(state, last))), "   a  b  c"]

    def squares_of(self, state: Row, action: int) -> tuple[int, ...]:
        """The square itself."""
        return (int(action),)


class ConnectFourView(_GridView):
    """How connect four looks in a terminal."""

    rules: ClassVar[Any] = connect_four
    grid = connect_four.GRID
    examples = "4"
    special = "columns 1 to 7 from the left"
    square = "4"

    def draw(self, state: Row, last: Sequence[int], turned: bool) -> list[str]:
        """The board as lines of text."""
        return [*self._cells(state, last), " 1  2  3  4  5  6  7"]

    def squares_of(self, state: Row, action: int) -> tuple[int, ...]:
        """Where the disc comes to lie."""
        occupied = state["own"] | state["opponent"]
        return (int(connect_four.landing(occupied) & connect_four.COLUMN << np.uint64(action)).bit_length() - 1,)
