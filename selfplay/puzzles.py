"""How many puzzles of a suite an engine solves, by simulations and by length, with and without proven values."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from agents.players import SIDE_BY_SIDE, Player, SearchPlayer, answers
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.search import Search
from selfplay.arena import wilson
from selfplay.engines import EngineError, make_player

__all__ = ["PuzzleSettings", "SuiteError", "read_suite", "run", "solved", "table"]


class SuiteError(ValueError):
    """A suite of puzzles that cannot be read; one sentence says why."""


class PuzzleSettings(NamedTuple):
    """What is solved, and how."""

    suite: Path
    simulations: Sequence[int] = (32, 128, 800)
    """How much to search a puzzle; one table for each."""
    proven: Literal["both", "with", "without"] = "both"
    """Whether the search uses proven values, ``SearchConfig.proven``."""
    seed: int = 1


def read_suite(game: Game, path: Path) -> list[Any]:
    """The puzzles of a file, as the game's ``read_puzzles`` reads them: name, position, length, solutions.

    Raises:
        SuiteError: the game has no puzzles, or the file cannot be read, or it holds none.
    """
    read_puzzles = getattr(game, "read_puzzles", None)
    if read_puzzles is None:
        raise SuiteError(f"{game.name} has no puzzles")
    try:
        puzzles: list[Any] = read_puzzles(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise SuiteError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SuiteError(f"{path} is not UTF-8 text") from None
    except ValueError as error:
        raise SuiteError(f"{path}, {error}") from None
    if not puzzles:
        raise SuiteError(f"{path} holds no puzzles")
    return puzzles


def solved(game: Game, player: Player, puzzles: Sequence[Any], seed: int) -> Array:
    """Whether the player's move is a solution, [n] bool; a puzzle's random numbers depend on its place and the seed."""
    states = np.zeros(len(puzzles), game.STATE)
    for state, puzzle in zip(states, puzzles, strict=True):
        game.read(state, puzzle.position)
    moves = map(game.to_text, states, answers(game, player, states, seed))
    return np.array([move in puzzle.solutions for move, puzzle in zip(moves, puzzles, strict=True)])


def run(game: Game, engine: str, settings: PuzzleSettings, warn: Callable[[str], None] | None = None) -> Iterator[str]:
    """Solve a suite with an engine (see ``make_player``, also for ``warn``) and each number of simulations in turn.

    Yields:
        The results as lines of text, each as soon as it is known.

    Raises:
        SuiteError: see ``read_suite``.
        EngineError: the engine cannot be had, or it does not search.
    """
    puzzles = read_suite(game, settings.suite)
    room = min(len(puzzles), SIDE_BY_SIDE)
    if not settings.simulations:
        raise EngineError("say how many simulations: there is no number")
    for simulations in settings.simulations:
        player = make_player(game, engine, room, simulations, warn=warn)
        if not isinstance(player, SearchPlayer):
            raise EngineError(f"puzzles are for an engine that searches, which {engine!r} does not")
        yield player.name
        columns = {}
        for column, changes in _columns(settings.proven).items():
            config = dataclasses.replace(player.search.config, **changes)
            player.search = Search(game, config, room, player.search.planes_history)
            columns[column] = solved(game, player, puzzles, settings.seed)
        yield from table(np.array([puzzle.length for puzzle in puzzles]), columns)
        yield ""


def _columns(proven: str) -> dict[str, dict[str, Any]]:
    """The title of each column, and how its search differs from the engine's own."""
    both = {"with": {"proven": True}, "without": {"proven": False}}
    return {f"{name} proven values": both[name] for name in both if proven in (name, "both")}


def table(lengths: Array, columns: dict[str, Array]) -> list[str]:
    """A line for each length, [n] int, and one for all: what is solved in each column, [n] bool, and its interval."""
    lines = ["  length  puzzles" + "".join(f"{name:>36}" for name in columns)]
    for length in [*np.unique(lengths), None]:
        chosen = np.full(len(lengths), True) if length is None else lengths == length
        row = f"  {length or 'all':>6}{chosen.sum():>9}"
        for found in columns.values():
            share = float(found[chosen].mean())
            low, high = wilson(share, int(chosen.sum()))
            row += f"{found[chosen].sum():>12}{share:>8.1%}{f'({low:.0%} to {high:.0%})':>16}"
        lines.append(row)
    return lines
