"""What the files of games, CSA and KIF, have in common: a game read, playing it again, and bytes as text."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TextIO

import numpy as np

from games.errors import BadMove
from games.shogi.attacks import in_check
from games.shogi.rules import STATE, Ending, init
from games.shogi.usi import legal, play, to_text
from rlcore.jit import Array

__all__ = ["Replay", "ShogiGame", "decode", "lines_of", "move_texts", "one_line"]


class ShogiGame(NamedTuple):
    """One game of a file, as ``write_csa`` and ``write_kif`` take it; variations, comments and
    thinking times are left out."""

    headers: dict[str, str]
    """Black, White, Event, Site, Date, and others by the name they have in the file."""
    start: Array
    """A row of STATE."""
    actions: Array
    """[plies] uint16"""
    ending: Ending
    value: float
    """What the game is worth for the side to move after the last move: -1, 0 or 1."""


class Replay:
    """A game that is read move by move."""

    def __init__(self, start: Array | None = None) -> None:
        rows = np.zeros(2, STATE)
        self.start, self.row = rows[0], rows[1]
        """Where the game began, and where it stands."""
        if start is None:
            init(self.start, 0)
        else:
            rows[0] = start
        rows[1] = rows[0]
        self.actions: list[int] = []
        self._keys: list[int] = []

    def play(self, action: int) -> None:
        """Play a legal action."""
        self.actions.append(action)
        self._keys.append(int(self.row["key"]))
        play(self.row, action)

    def finish(self, headers: dict[str, str], ending: Ending, value: float) -> ShogiGame:
        """The game. Files have one word where we have two; the position tells which is meant."""
        if ending == Ending.CHECKMATE and not in_check(self.row):
            ending = Ending.STALEMATE
        if ending == Ending.ILLEGAL_MOVE and self._keys.count(int(self.row["key"])) >= 3:
            ending = Ending.PERPETUAL_CHECK
        return ShogiGame(headers, self.start, np.array(self.actions, np.uint16), ending, value)


def move_texts(
    actions: Iterable[int], start: Array | None, write: Callable[[Array, int, int | None], str]
) -> tuple[list[str], Array, Array]:
    """Each move as ``write(state, action, previous action)`` has it; the first and the last position.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    replay, texts, previous = Replay(start), [], None
    for ply, number in enumerate(actions, start=1):
        action = int(number)
        if action not in legal(replay.row):
            try:
                reason = f"{to_text(replay.row, action)!r} is not legal there"
            except BadMove as error:
                reason = str(error)
            raise BadMove(f"ply {ply} of the game: {reason}")
        texts.append(write(replay.row, action, previous))
        replay.play(action)
        previous = action
    return texts, replay.start, replay.row


def lines_of(source: str | TextIO) -> Iterator[str]:
    """The lines of a text or open file, whatever they end in, without white space at their ends."""
    for line in io.StringIO(source, newline=None) if isinstance(source, str) else source:
        yield line.lstrip("\ufeff").rstrip()


def one_line(text: object) -> str:
    """The text without line breaks and what else is not to be seen."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, else Shift JIS as Windows has it, in which most files of games are written."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp932", errors="replace")
