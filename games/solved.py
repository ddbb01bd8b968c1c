"""Games that are solved: exact scores of moves, and positions to judge a player by.

A score is 0 for a draw. Else it says how soon the win comes: 1 for a win by the winner's last move, 2 for the one
before it, and so on; below zero for the side that loses. Scores of one position can be compared, and the best of them
is the position's own.
"""

import importlib
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from rlcore.game import Game
from rlcore.jit import Array, Row

__all__ = ["SOLVED", "NotSolved", "Sample", "Solver", "exact_scores", "sample"]

SOLVED = ("tic_tac_toe", "connect_four")
"""The games that have a solver, in a module named after the game, and positions."""

_POSITIONS = Path(__file__).parent / "data" / "connect_four_positions.txt"


class NotSolved(ValueError):
    """Nobody knows the exact scores of a game's moves."""


class Solver(Protocol):
    """Knows the exact score of every move; keeps what it learns, so one thread at a time calls it."""

    def scores(self, state: Row) -> Array:
        """[n] int64: the scores of the legal actions, in the order of ``legal_actions``; none once the game is over."""
        ...


class Sample(NamedTuple):
    """Positions in which somebody is to move."""

    states: Array
    """[n] STATE"""
    scores: list[Array]
    """Of each, [legal actions] int64: the exact scores, in the order of ``legal_actions``."""
    whole: bool = False
    """Whether these are all positions of the game, and not some of them."""


@cache
def _solver(name: str) -> Solver:
    solver: Solver = importlib.import_module(f"games.{_known(name)}_solver").Solver()
    return solver


def _known(name: str) -> str:
    if name not in SOLVED:
        raise NotSolved(f"{name} is not solved; the games that are: {', '.join(SOLVED)}")
    return name


def exact_scores(game: Game, state: Row) -> Array:
    """[n] int64: the exact scores of the legal actions, in the order of ``legal_actions``; none once the game is over.

    In connect four that takes milliseconds from ply 14 on, seconds before, and minutes near the start position.

    Raises:
        NotSolved: the game is not.
    """
    return _solver(game.name).scores(state)


def sample(game: Game) -> Sample:
    """The positions to judge a player by: all of tic-tac-toe, a thousand of connect four, of plies 8 to 32.

    Raises:
        NotSolved: the game is not solved.
    """
    if _known(game.name) == "tic_tac_toe":
        return _all_positions(game)
    lines = [line.split() for line in _POSITIONS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    states = np.zeros(len(lines), game.STATE)
    for state, (moves, *_) in zip(states, lines, strict=True):
        game.read(state, moves)
    return Sample(states, [np.array(scores, np.int64) for _, *scores in lines])


def _all_positions(game: Game) -> Sample:
    """All positions that can come up and in which the game goes on, in the order of their plies."""
    start = np.zeros(1, game.STATE)
    game.init(start[0], 0)
    legal, known, found = np.zeros(game.MAX_LEGAL, np.uint16), {int(start["key"][0])}, list(start)
    for state in found:
        for action in legal[: game.legal_actions(state, legal)].copy():
            after = state.copy()
            game.apply(after, action)
            if int(after["key"]) not in known:
                known.add(int(after["key"]))
                found.append(after)
    going_on = [state for state in found if game.legal_actions(state, legal)]
    return Sample(np.array(going_on, game.STATE), [exact_scores(game, state) for state in going_on], whole=True)
