"""Games to files and back: PGN, CSA, KIF, whatever a game's view knows."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from agents.engine.board import Board
from agents.engine.session import Session
from agents.engine.views import Format, SavedGame
from games.errors import BadMove, BadPosition, shown
from rlcore.files import write_whole

__all__ = ["BadFile", "load", "save"]

_MOST_BYTES = 16 << 20
"""No more of a file is read: its first game is what counts."""


class BadFile(ValueError):
    """A game cannot be saved or loaded; one sentence says why."""


def save(session: Session, name: str) -> Path:
    """Write the game so far to a new file, or to one that this session has made; its suffix names the format.

    Raises:
        BadFile: that cannot be.
    """
    formats = session.view.formats
    if not name:
        raise BadFile(f"Say where to, as in: save {' or '.join(f'game.{format.suffix}' for format in formats[:2])}")
    board = session.board
    try:
        path = Path(name).expanduser()
        if not path.name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path = path if path.suffix else path.with_name(f"{path.name}.{formats[0].suffix}")
        write = _format_of(path, formats).write
        text = write(board.actions, session.headers(), board.ending, board.value, board.start)
        if os.path.lexists(path) and path.resolve() not in session.saved:
            raise FileExistsError
        write_whole(path.resolve(), text.encode())
        session.saved.add(path.resolve())
    except FileExistsError:
        raise BadFile(f"{path} exists already: choose another name.") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise BadFile(f"It cannot be saved there: {_reason(error)}.") from None
    return path


def load(session: Session, name: str) -> str:
    """Let the session go on from the last position of a file's first game; returns a sentence about it.

    Raises:
        BadFile: that cannot be; the session stays as it is.
    """
    formats = [format for format in session.view.formats if format.read is not None]
    if not formats:
        raise BadFile(f"Nobody has written how to read games of {session.game.name} from files.")
    if not name:
        raise BadFile(f"Say which file, as in: load {' or '.join(f'game.{format.suffix}' for format in formats[:2])}")
    try:
        path = Path(name).expanduser()
        game, more = _first_game(path, _format_of(path, formats))
        if not len(game.actions) and game.start == Board(session.game).start:
            raise ValueError("there is no game in it")
        session.load(game.start, game.actions)
    except (BadMove, BadPosition, OSError, ValueError, RuntimeError) as error:
        raise BadFile(f"It cannot be loaded: {_reason(error)}.") from None
    first, second = (shown(game.headers.get(side, "?"), 60) for side in session.view.sides)
    moves = f"{len(game.actions)} move{'s' * (len(game.actions) != 1)}"
    return f"Loaded {moves} of {first} against {second}{', the first game of the file' * more}."


def _first_game(path: Path, format: Format) -> tuple[SavedGame, bool]:
    """The first game of a file, and whether there are more."""
    assert format.read is not None
    with path.open("rb") as file:
        games = format.read(file.read(_MOST_BYTES))
    if (first := next(games, None)) is None:
        raise ValueError("there is no game in it")
    try:
        return first, next(games, None) is not None
    except (BadMove, BadPosition):  # of the second
        return first, True


def _format_of(path: Path, formats: Sequence[Format]) -> Format:
    """The format that a suffix names; ValueError where there is none."""
    for format in formats:
        if path.suffix[1:].lower() == format.suffix:
            return format
    known = " or ".join(f".{format.suffix}" for format in formats)
    raise ValueError(f"a game's file ends in {known}, not in {shown(path.suffix)}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
