"""Players: whatever chooses moves in many games at once. Network and search, random moves."""

from typing import Protocol

import numpy as np

from rlcore.config import SearchConfig
from rlcore.evaluators import Evaluator
from rlcore.game import Game, History
from rlcore.jit import Array
from rlcore.rng import below
from rlcore.search import Search


class Player(Protocol):
    """Chooses actions for the newest positions of some games."""

    name: str

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """The actions ([n] uint16) to play in ``games`` ([n] int32); ``rng`` ([G] uint64) has a generator a game."""
        ...


class RandomPlayer:
    """Every legal action is equally likely."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.name = "uniform-random moves"
        self._legal = np.zeros(game.MAX_LEGAL, np.uint16)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        chosen = np.zeros(len(games), np.uint16)
        for i, g in enumerate(games):
            count = self.game.legal_actions(history.states[g, history.length[g] - 1], self._legal)
            chosen[i] = self._legal[below(rng, g, count)]
        return chosen


class SearchPlayer:
    """A tree search with an evaluator, without exploration: the same game, seed and searches before give the same move.

    Args:
        num_games: games of the history it plays in.
        keep: keep the tree below the moves that were played from move to move.
    """

    def __init__(
        self,
        game: Game,
        name: str,
        evaluator: Evaluator,
        config: SearchConfig,
        num_games: int,
        planes_history: int,
        keep: bool = True,
    ) -> None:
        self.name = name
        self.evaluator = evaluator
        self.search = Search(game, config, num_games, planes_history, keep=keep)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        return self.search.run(history, games, self.evaluator, rng).actions
