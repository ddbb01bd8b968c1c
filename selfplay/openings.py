"""How the games of a match begin: from a file, from lists of common openings, or by random moves.

A text file has an opening a line, and a name after ``#``; lines without an opening are passed over. An opening is

    moves                   e2e4 c7c5                                                      as UCI and USI write them
    a position              rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1     FEN, EPD or SFEN
    a position and moves    startpos moves 2g2f 8c8d                                       as engines are told them

Of files of whole games, PGN, CSA and KIF, the moves of each game are an opening.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents.engine.board import Board
from games.errors import BadMove, BadPosition
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.rng import below, seed_of
from selfplay.config import ConfigError

__all__ = ["READERS", "Opening", "OpeningError", "common_openings", "random_openings", "read_openings"]

_CHESS = """
    c2c4                        # A10 English Opening
    d2d4 d7d5 c2c4              # D06 Queen's Gambit
    d2d4 g8f6 g1f3              # A46 Queen's Pawn Game
    d2d4 g8f6 c2c4 e7e6         # E00 Queen's Pawn Game
    d2d4 g8f6 c2c4 g7g6 b1c3    # E61 King's Indian Defence
    e2e4 e7e6 d2d4              # C00 French Defence
    e2e4 c7c5 g1f3 d7d6         # B50 Sicilian Defence
    e2e4 c7c5 g1f3 b8c6         # B30 Sicilian Defence
    e2e4 c7c5 g1f3 e7e6         # B40 Sicilian Defence
    e2e4 e7e5 g1f3 b8c6 f1b5    # C60 Ruy Lopez
    e2e4 c7c6                   # B10 Caro-Kann Defence
    g1f3 g8f6                   # A05 Reti Opening
"""
"""The twelve most played by people, by their codes in Table 2 of AlphaZero's preprint (arXiv:1712.01815)."""

_SHOGI = """
    7g7f 8c8d 7i6h 3c3d 6h7g                                            # Yagura
    7g7f 3c3d 2g2f 4c4d 2f2e 2b3c 3i4h 3a4b                             # Snow Roof
    2g2f 8c8d 2f2e 8d8e 6i7h 4a3b                                       # Double Wing Attack
    7g7f 3c3d 2g2f 8c8d 2f2e 8d8e 6i7h 4a3b 2e2d 2c2d 2h2d 8e8f 8g8f 8b8f 2d3d    # Side Pawn Picker
    7g7f 8c8d 2g2f 8d8e 8h7g 3c3d 7i8h 4a3b 6i7h 2b7g+ 8h7g 3a4b        # Bishop Exchange
    7g7f 3c3d 2g2f 2b8h+ 7i8h 3a2b                                      # One-Turn-Loss Bishop Exchange
    7g7f 3c3d 2g2f 4c4d 3i4h 8b4b                                       # Fourth File Rook
    7g7f 3c3d 2g2f 4c4d 3i4h 8b3b                                       # Third File Rook
    7g7f 3c3d 7f7e 8c8d 2h7h                                            # Quick Ishida
    7g7f 3c3d 2g2f 5c5d 2f2e 8b5b                                       # Cheerful Central Rook
    7g7f 8c8d 8h7g 3c3d 6g6f 8d8e 2h8h                                  # Opposing Rook
    7g7f 3c3d 6g6f 3d3e 2h6h 8b3b                                       # Double Ranging Rook
"""
"""The first moves of what handbooks call by these names: six with a static rook, six with a ranging one."""

_COMMON = {"chess": _CHESS, "shogi": _SHOGI}
READERS = {
    "chess": {".pgn": "read_pgn"},
    "shogi": {".csa": "read_csa", ".kif": "read_kif", ".kifu": "read_kif"},
}
"""What reads whole games, by a file's suffix."""


class OpeningError(ConfigError):
    """Openings that are asked for cannot be had; one sentence says why."""


class Opening(NamedTuple):
    """How a game begins."""

    name: str
    start: str
    """The position as text; "startpos" for the usual one."""
    actions: tuple[int, ...]

    def play(self, game: Game) -> Board:
        """A game that has begun so."""
        board = Board(game, self.start)
        for action in self.actions:
            board.play(action)
        return board


def common_openings(game: Game, most_plies: int | None = None) -> list[Opening]:
    """Those that people play often; see ``read_openings`` for ``most_plies``.

    Raises:
        OpeningError: none are known of this game.
    """
    if game.name not in _COMMON:
        raise OpeningError(f"no common openings are known of {game.name}, only of {' and '.join(_COMMON)}")
    return list(_read_lines(game, _COMMON[game.name].splitlines(), most_plies))


def random_openings(game: Game, count: int, plies: int, seed: int) -> list[Opening]:
    """Openings of uniformly random moves; one that would end the game is left off before it does."""
    rng = np.array([seed_of(seed, i) for i in range(count)], np.uint64)
    return [Opening(f"{plies} random plies", "startpos", _random_moves(game, rng, i, plies)) for i in range(count)]


def _random_moves(game: Game, rng: Array, i: int, plies: int) -> tuple[int, ...]:
    board = Board(game, capacity=plies + 1)
    for _ in range(plies):
        board.play(board.legal[below(rng, i, len(board.legal))])
        if board.ending:
            board.undo()
            break
    return tuple(board.actions)


def read_openings(game: Game, path: Path, most_plies: int | None = None) -> list[Opening]:
    """The openings of a file.

    Args:
        most_plies: moves of an opening after so many are left out; none = all are played.

    Raises:
        OpeningError: the file cannot be read, or holds none, or one that is wrong; says in which line or game.
    """
    try:
        reader = READERS.get(game.name, {}).get(path.suffix.lower())
        data = path.read_bytes()
        text = game.decode(data) if game.name == "shogi" else data.decode("utf-8-sig", errors="replace")
        if reader is not None:
            found = list(_read_games(game, text, reader, most_plies))
        else:
            found = list(_read_lines(game, text.splitlines(), most_plies))
    except OSError as error:
        raise OpeningError(f"{path} cannot be read ({error.strerror})") from None
    except (BadMove, BadPosition, OpeningError) as error:
        raise OpeningError(f"{path}: {error}") from None
    if not found:
        raise OpeningError(f"{path} holds no opening")
    return found


def _read_games(game: Game, text: str, reader: str, most_plies: int | None) -> Iterator[Opening]:
    """The openings of whole games."""
    usual = Board(game).start
    for number, found in enumerate(getattr(game, reader)(text), start=1):
        name = " ".join(found.headers[tag] for tag in ("ECO", "Opening", "Variation") if tag in found.headers)
        start = "startpos" if found.start == usual else game.write(found.start)
        opening = Opening(name or f"game {number}", start, tuple(map(int, found.actions[:most_plies])))
        yield _checked(game, opening, f"game {number}")


def _read_lines(game: Game, lines: Iterable[str], most_plies: int | None) -> Iterator[Opening]:
    for number, line in enumerate(lines, start=1):
        text, _, name = line.partition("#")
        if text.strip():
            try:
                opening = _read_line(game, text, name.strip() or f"line {number}", most_plies)
            except (BadMove, BadPosition) as error:
                raise OpeningError(f"line {number}: {error}") from None
            yield _checked(game, opening, f"line {number}")


def _read_line(game: Game, text: str, name: str, most_plies: int | None) -> Opening:
    """One line; what stands before the moves is a position if it has a slash, as rows of boards have."""
    text = re.sub(r"^\s*(position\s+)?(s?fen\s+)?", "", text)
    before, word, after = text.partition("moves")
    if not word and "/" not in before:
        before, after = "startpos", before.removeprefix("startpos")
    board = Board(game, _without_operations(before.strip()))
    start = "startpos" if before.strip() == "startpos" else game.write(board.start)
    for move in after.split()[:most_plies]:
        board.play(game.from_text(board.state, move))
    return Opening(name, start, tuple(board.actions))


def _without_operations(text: str) -> str:
    """An EPD's position: its four fields, where operations such as ``bm e4;`` follow them."""
    return " ".join(text.split()[:4]) if ";" in text else text


def _checked(game: Game, opening: Opening, place: str) -> Opening:
    if opening.play(game).ending:
        raise OpeningError(f"{place}: the game is over after this opening")
    return opening
