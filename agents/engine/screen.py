"""What a terminal shows of a game: the board, beside it the moves, the clocks and what was taken."""

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TextIO, TypeVar

from agents.engine.session import Session
from agents.engine.views import View

__all__ = ["Looks", "Screen"]

T = TypeVar("T")

_MOVE = 7
"""Columns for a move in the list of moves, or more where one needs them."""
_WIDEST = 80
"""Columns that a list of names takes at most."""
_GAP = 3
"""Columns between the board and what stands beside it ..."""
_PANEL = 22
"""... which takes about so many; in a narrower terminal it goes below ..."""
_ROWS_BELOW = 3
"""... with so many rows of moves."""


class Looks(NamedTuple):
    """What an output stream can show."""

    colour: bool
    ascii: bool

    @classmethod
    def of(cls, stream: TextIO, glyphs: str) -> "Looks":
        """Colours on a terminal that has them, unless NO_COLOR is set; letters where the glyphs cannot be encoded."""
        known = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or "WT_SESSION" in os.environ
        try:
            glyphs.encode(stream.encoding or "ascii")
            letters = False
        except UnicodeEncodeError:
            letters = True
        return cls(stream.isatty() and known and not os.environ.get("NO_COLOR"), letters)


class Screen:
    """Prints to standard output, so that the newest board is the lowest.

    Args:
        turned: the second side below.
    """

    def __init__(self, view: View, turned: bool) -> None:
        self.view, self.turned = view, turned
        self.live = sys.stdout.isatty()
        """Somebody watches as it goes on."""

    def show(self, session: Session) -> None:
        """The board, the latest moves beside it."""
        view, board = self.view, session.board
        last: tuple[int, ...] = ()
        if board.actions:
            last = view.squares_of(board.history.states[0, len(board.actions) - 1], board.actions[-1])
        lines = view.draw(board.state, last, self.turned)
        panel = [""] * view.above + self._panel(session, view.ranks)
        width = max(map(_columns, lines)) + _GAP + max(_PANEL, *map(_columns, panel))
        print()
        if self.live and width > shutil.get_terminal_size().columns:
            below = [line for line in self._panel(session) if line]
            print("\n".join([*lines, *[""] * bool(below), *below]))
        else:
            for line, beside in zip(lines, panel + [""] * len(lines), strict=False):
                print(f"{line}{' ' * _GAP}{beside}".rstrip())
        print()

    def _panel(self, session: Session, lines: int = 0) -> list[str]:
        """So many lines: between what concerns the side above and the side below, the moves; 0 = a few moves only."""
        view, taken = self.view, self.view.captures(session.board.state)
        above, below = (0, 1) if self.turned else (1, 0)
        head, foot = [taken[above]], [taken[below]]  # beside whoever took them
        if (clock := session.clock) is not None:
            head.append(f"{view.sides[above]} {clock.text(above)}")
            foot.insert(0, f"{view.sides[below]} {clock.text(below)}")
        return [*head, *self._move_list(session, lines - len(head + foot) if lines else _ROWS_BELOW), *foot]

    def _move_list(self, session: Session, lines: int) -> list[str]:
        """The latest moves, two a line, numbered."""
        number, half = self.view.move_number(session.board.start)
        cells = ["..."] * half + session.names
        cells += [""] * (len(cells) % 2)
        begin = max(len(cells) - 2 * lines, 0)
        width = max([_MOVE, *map(_columns, cells[begin::2])])
        rows = []
        for i in range(begin, len(cells), 2):
            gap = " " * (1 + width - _columns(cells[i]))
            rows.append(f"{number + self.view.numbers * (i // 2):3}. {cells[i]}{gap}{cells[i + 1]}")
        return (rows + [""] * lines)[:lines]

    def print_names(self, names: Iterable[str]) -> None:
        """The names in indented lines."""
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        lines = [""]
        for name in names:
            if lines[-1] and 3 + _columns(lines[-1]) + _columns(name) > width:
                lines.append("")
            lines[-1] += f" {name}" if lines[-1] else f"  {name}"
        print("\n".join(lines))

    def print_rows(self, rows: Sequence[tuple[str, str, list[str]]]) -> None:
        """A move, a figure and the moves after it a row; as many of these as fit."""
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        first = max(_columns(name) for name, _, _ in rows)
        for name, figure, others in rows:
            line = f"  {name}{' ' * (first - _columns(name))}  {figure} "
            for other in others:
                if _columns(line) + 1 + _columns(other) >= width:
                    break
                line += f" {other}"
            print(line.rstrip())

    def say(self, text: str, hang: int = 0) -> None:
        """Print lines; those that a terminal is too narrow for are broken between words.

        Args:
            hang: columns by which what is broken off is indented.
        """
        width = shutil.get_terminal_size().columns if self.live else sys.maxsize
        for line in text.split("\n"):
            if _columns(line) > width:
                line = textwrap.fill(
                    line, width, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
                )
            print(line)

    def think(self, work: Callable[[], T]) -> T:
        """Do the work; meanwhile a terminal says so."""
        if not self.view.colour:
            return work()
        print("thinking ...", end="", flush=True)
        try:
            return work()
        finally:
            print("\r\x1b[K", end="", flush=True)


def _columns(text: str) -> int:
    """How wide a terminal shows the text: a Japanese character takes two columns, a colour none."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
