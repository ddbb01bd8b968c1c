"""What a terminal asks of a game that is to be played in it, and where each game's answers are."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from rlcore.game import Game
from rlcore.jit import Array, Row

__all__ = ["VIEWS", "Format", "NoView", "SavedGame", "View", "view_class"]


class NoView(ValueError):
    """Nobody has written how a game looks in a terminal."""


class SavedGame(Protocol):
    """A game as it is read from a file."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def start(self) -> Array:
        """A row of STATE."""
        ...

    @property
    def actions(self) -> Array:
        """[plies] uint16"""
        ...


class Format(NamedTuple):
    """A kind of file that holds games."""

    suffix: str
    write: Callable[..., str]
    """A game as text, with the arguments of ``write_game`` (``rlcore.game``)."""
    read: Callable[[bytes], Iterator[SavedGame]] | None = None
    """The games of a file; BadMove or BadPosition where one cannot be read. None = files are only written."""


class View(Protocol):
    """How a game looks in a terminal, and how a person writes its moves.

    Args:
        colour: the terminal has colours.
        ascii: letters for pieces, and nothing else that is not ASCII.
    """

    sides: tuple[str, str]
    """Who moves first, and the other one; headers of a saved game too."""
    glyphs: str
    """What a stream must be able to encode, else letters take its place."""
    special: str
    """How to write those that do more, as the end of a sentence, such as "e7e8q or e8=Q promotes"."""
    square: str
    """The name of one, as an example."""
    notation: str
    """What positions as text are called, in small letters."""
    above: int
    """Lines of ``draw`` above the first rank ..."""
    ranks: int
    """... and how many ranks there are, a line each."""
    numbers: int
    """By how much the number of a move grows with a move of both sides: 1 in chess, 2 where each move has its own."""
    draws: str
    """What is a draw by the rules without an offer, as the end of a sentence."""
    formats: Sequence[Format]
    """Of files; the usual one first."""

    def __init__(self, colour: bool, ascii: bool) -> None: ...

    @property
    def colour(self) -> bool: ...

    @property
    def examples(self) -> str:
        """Of moves, such as "e2e4 or Nf3"."""
        ...

    def draw(self, state: Row, last: Sequence[int], turned: bool) -> list[str]:
        """The board as lines of text; ``last`` as ``squares_of`` gave it, ``turned`` with the second side below."""
        ...

    def captures(self, state: Row) -> tuple[str, str]:
        """What is shown beside the board of the pieces that the side that moves first and the other one have taken."""
        ...

    def squares_of(self, state: Row, action: int) -> tuple[int, ...]:
        """The squares that an action touches in the position that it is played in."""
        ...

    def read_move(self, state: Row, text: str, previous: int | None) -> int:
        """The action of a move as a person writes it, after the action ``previous``; BadMove where there is none."""
        ...

    def name_move(self, state: Row, action: int, previous: int | None) -> str:
        """The action as a person writes it."""
        ...

    def move_number(self, state: Row) -> tuple[int, int]:
        """The number of the move to come, or of the pair that it is in, and which half of the pair it is: 0 or 1."""
        ...

    def why_not_declare(self, state: Row) -> str:
        """Why the side to move may not declare that it has won, as the end of a sentence."""
        ...

    def reason(self, ending: int) -> str:
        """Why the game is over, as the beginning of a sentence."""
        ...


VIEWS = {
    "chess": "chess_view.ChessView",
    "shogi": "shogi_view.ShogiView",
    "connect_four": "grid_view.ConnectFourView",
    "tic_tac_toe": "grid_view.TicTacToeView",
}
"""Where a game's view is: module and class."""


def view_class(game: Game) -> type[View]:
    """How a game looks in a terminal.

    Raises:
        NoView: nobody has written that.
    """
    if game.name not in VIEWS:
        raise NoView(f"{game.name} cannot be played in a terminal yet; it has no view in agents/engine")
    module, name = VIEWS[game.name].split(".")
    chosen: type[View] = getattr(importlib.import_module(f"agents.engine.{module}"), name)
    return chosen
