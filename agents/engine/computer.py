"""A player at one board: how much it thinks, what it plays, what it expects."""

import dataclasses

import numpy as np

from agents.engine.board import Board
from agents.engine.levels import Level
from agents.engine.thinker import Brain, Report, Thinker
from agents.engine.time_control import Allowance, limits_of
from agents.players import Player, SearchPlayer

__all__ = ["TREE_BYTES", "Computer"]

TREE_BYTES = 256 << 20
"""Memory of a search tree: room for the most simulations of any game here."""
_OVERHEAD = 100
"""Milliseconds that a move may cost beyond the search, where a clock runs."""
_ADVICE = Level(simulations=1000)
"""For opinions of one that plays worse than it can: a beginner's advice helps nobody."""
_CANDIDATES = 3
"""Moves that an opinion compares."""


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
        self._level_before = self.level

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
        level = self.level
        if level != self._level_before:
            self._playing.forget()  # what was found at another level would help this one, or spoil it
            self._level_before = level
        return self._think(self._playing, board, level, clock, temperature=level.temperature).lines[0].actions[0]

    def opinion(self, board: Board) -> Report:
        """What it thinks of the newest position, the best few moves compared; the first move of the first line is
        what it would play, or one as good; at a level by Elo, what it would play at its best. Only of one that thinks.
        """
        assert self._advising is not None
        level = _ADVICE if self.level.elo else self.level
        return self._think(self._advising, board, level, num_lines=_CANDIDATES)

    def _think(
        self,
        thinker: Thinker,
        board: Board,
        level: Level,
        clock: Allowance | None = None,
        num_lines: int = 1,
        temperature: float = 0.0,
    ) -> Report:
        allowed = dataclasses.replace(
            clock or Allowance(),
            nodes=level.simulations or None,
            move_time=int(1000 * level.seconds) or None,
        )
        for one in (self._playing, self._advising):
            if one is not None:  # a search that was broken off may not have ended, and both have one evaluator
                one.wait()
        return thinker.ask(board, limits_of(allowed, board.turn, _OVERHEAD if clock else 0), num_lines, temperature)
