"""A player at one board: how much it thinks, what it plays, what it expects."""

import dataclasses
import re
from typing import NamedTuple

import numpy as np

from agents.engine.board import Board
from agents.engine.thinker import Brain, Report, Thinker
from agents.engine.time_control import Allowance, limits_of
from agents.players import Player, SearchPlayer
from games.errors import shown

__all__ = ["TREE_BYTES", "BadLevel", "Computer", "Level", "parse_level"]

_MOST_SIMULATIONS = 100_000
_MOST_SECONDS = 3600.0
TREE_BYTES = 256 << 20
"""Memory of a search tree: room for the most simulations of any game here."""
_OVERHEAD = 100
"""Milliseconds that a move may cost beyond the search, where a clock runs."""
_TEMPERATURE = 0.2
"""Chance decides between moves that have been searched about as much, so that games differ: by visits to the 5th power,
half of the visits is a thirty-second of the chance."""
_CANDIDATES = 3
"""Moves that an opinion compares."""


class BadLevel(ValueError):
    """A text names no level; one sentence says why."""


class Level(NamedTuple):
    """How much to think about a move: one of the two is 0."""

    simulations: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.seconds:
            return f"about {self.seconds:g} s a move"
        return f"{self.simulations:,} simulation{'s' * (self.simulations != 1)}"


def parse_level(text: str) -> Level:
    """``800``: so many simulations a move; ``2s`` or ``0.5s``: about so many seconds.

    Raises:
        BadLevel: it is neither, or too much.
    """
    match = re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,3})?(s?)", text.replace(" ", "").replace(",", "").lower())
    if match is None or (match[2] and not match[3]):
        raise BadLevel(f"{shown(text)} is no level: write 800 (simulations a move) or 2s (seconds a move)")
    if not match[3]:
        if not 1 <= int(match[1]) <= _MOST_SIMULATIONS:
            raise BadLevel(f"simulations must be 1 to {_MOST_SIMULATIONS:,}, not {int(match[1]):,}")
        return Level(simulations=int(match[1]))
    seconds = float(match[1] + (match[2] or ""))
    if not 0.0 < seconds <= _MOST_SECONDS:
        raise BadLevel(f"a move may take up to {_MOST_SECONDS:g} seconds, not {seconds:g}")
    return Level(seconds=seconds)


class Computer:
    """A player that plays one game at a time, its moves and its advice from a tree each.

    Its search is not the one that a run was trained with, but the one that GUIs are given (``Thinker``), which may end
    at any time.

    Args:
        level: how much it searches, where it does; none = as it is made.
        seed: decides its random choices.
    """

    def __init__(self, player: Player, level: Level | None, seed: int) -> None:
        self._player = player
        self._rng = np.array([seed], np.uint64)
        self._name = player.name
        self._playing: Thinker | None = None
        self._advising: Thinker | None = None
        self._is_ready = False
        self.level = level or Level(simulations=1)
        if isinstance(player, SearchPlayer):
            search = player.search
            own = search.config.simulations
            self.level = level or Level(simulations=own)
            self._name = player.name.removesuffix(f", {own} simulations")  # the level says that
            brain = Brain(self._name, player.evaluator, search.config, search.planes_history)
            self._playing = Thinker(search.game, brain, TREE_BYTES, seed)
            self._advising = Thinker(search.game, brain, TREE_BYTES)  # so that advice does not help it

    @property
    def name(self) -> str:
        """For people to read, the level included."""
        return f"{self._name}, {self.level}" if self.thinks else self._name

    @property
    def thinks(self) -> bool:
        """Whether it searches: only then has it levels and opinions."""
        return self._playing is not None

    def get_ready(self) -> None:
        """Load, and compile where need be, what a clock must not pay for; done once."""
        if self._playing is not None and not self._is_ready:
            self._playing.warm_up()
        self._is_ready = True

    def choose(self, board: Board, clock: Allowance | None = None) -> int:
        """The action it plays.

        Args:
            clock: the time that both sides have; none = as much as it likes.
        """
        if self._playing is None:
            return int(self._player.act(board.history, board.games, self._rng)[0])
        return self._think(self._playing, board, clock, temperature=_TEMPERATURE).lines[0].actions[0]

    def opinion(self, board: Board) -> Report:
        """What it thinks of the newest position, the best few moves compared; the first move of the first line is
        what it would play, or one as good. Only of one that thinks."""
        assert self._advising is not None
        return self._think(self._advising, board, num_lines=_CANDIDATES)

    def _think(
        self,
        thinker: Thinker,
        board: Board,
        clock: Allowance | None = None,
        num_lines: int = 1,
        temperature: float = 0.0,
    ) -> Report:
        allowed = dataclasses.replace(
            clock or Allowance(),
            nodes=self.level.simulations or None,
            move_time=int(1000 * self.level.seconds) or None,
        )
        for one in (self._playing, self._advising):
            if one is not None:  # a search that was broken off may not have ended, and both have one evaluator
                one.wait()
        return thinker.ask(board, limits_of(allowed, board.turn, _OVERHEAD if clock else 0), num_lines, temperature)
