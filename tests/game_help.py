"""What the tests of the games share: positions from text, moves as text. The first argument is the game."""

from pathlib import Path

import numpy as np

from rlcore.game import Game
from rlcore.jit import Array
from rlcore.perft import Case, count, read_suite, start

DATA = Path(__file__).parent / "data"


def position(game: Game, text: str = "startpos") -> Array:
    """A row read from text."""
    row = np.zeros(1, game.STATE)[0]
    game.read(row, text)
    return row


def positions(game: Game, *texts: str) -> Array:
    """Rows read from texts, [n] STATE."""
    rows = np.zeros(len(texts), game.STATE)
    for row, text in zip(rows, texts, strict=True):
        game.read(row, text)
    return rows


def legal(game: Game, row: Array) -> Array:
    """The legal actions, [n] uint16."""
    actions = np.zeros(game.MAX_LEGAL, np.uint16)
    return actions[: game.legal_actions(row, actions)]


def moves(game: Game, row: Array) -> set[str]:
    """The legal moves as text."""
    return {game.to_text(row, action) for action in legal(game, row)}


def play(game: Game, row: Array, text: str) -> None:
    """Play moves given as text, separated by spaces, in place."""
    for move in text.split():
        game.apply(row, np.uint16(game.from_text(row, move)))


def ending(game: Game, row: Array, earlier: int = 0, since: int = 0, max_plies: int = 0) -> tuple[int, float]:
    """Why the game is over, and what it is worth for the side to move."""
    reason, value = game.outcome(row, len(legal(game, row)), earlier, since, max_plies)
    return game.Ending(reason), value


def perft_cases(game: Game, name: str) -> list[Case]:
    """The counts of a suite in tests/data."""
    return read_suite(game, (DATA / name).read_text(encoding="utf-8").splitlines())


def perft_name(case: Case) -> str:
    """What a test of the count is called."""
    return f"{case.position.split()[0]} depth {case.depth}"


def check_perft(game: Game, case: Case) -> None:
    """The count is found again."""
    assert count(game, start(game, case.position), case.depth) == case.nodes
