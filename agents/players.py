"""Players: whatever chooses moves in many games at once.

Network and search, the network alone, random moves, the most material, and in games that are solved the best moves.
"""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from games.material import material
from games.solved import exact_scores
from rlcore.config import SearchConfig
from rlcore.evaluators import Evaluator, make_batch
from rlcore.game import Game, History, new_history
from rlcore.jit import Array, Row
from rlcore.rng import below, seed_of
from rlcore.search import Search
from rlcore.uct import NODE

__all__ = [
    "SIDE_BY_SIDE",
    "GreedyPlayer",
    "PerfectPlayer",
    "Player",
    "PolicyPlayer",
    "RandomPlayer",
    "RolloutPlayer",
    "SearchPlayer",
    "answers",
]

SIDE_BY_SIDE = 64
"""Positions that ``answers`` asks for at once: enough to fill a network's batch, few enough for their trees to fit into
memory."""
_MOST_PLIES = 512
"""A random game of this length is a draw for ``RolloutPlayer``."""


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


class GreedyPlayer:
    """Wins at once where that is possible, else plays what leaves it the most material; among equals chance decides.

    It sees no further than its own move. For games in ``games.material.VALUES``.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.name = "the most material after one move"
        self._legal = np.zeros(game.MAX_LEGAL, np.uint16)
        self._replies = np.zeros(game.MAX_LEGAL, np.uint16)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        chosen = np.zeros(len(games), np.uint16)
        for i, g in enumerate(games):
            state = history.states[g, history.length[g] - 1]
            actions = self._legal[: self.game.legal_actions(state, self._legal)]
            worths = np.array([self._worth(state, action) for action in actions])
            best = np.flatnonzero(worths == worths.max())
            chosen[i] = actions[best[below(rng, g, len(best))]]
        return chosen

    def _worth(self, state: Row, action: int) -> float:
        """Of a move: the material that it leaves, for whoever plays it."""
        after = state.copy()
        self.game.apply(after, action)
        replies = self.game.legal_actions(after, self._replies)
        if replies == 0:
            _, value = self.game.outcome(after, 0, 0, 0, _MOST_PLIES)
            if value < 0:
                return math.inf
        return -float(material(self.game, after))


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
        self.values = np.zeros(0, np.float32)
        """[n] what the positions that were asked about last are worth for the side to move, in [-1, 1]."""

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        result = self.search.run(history, games, self.evaluator, rng)
        self.values = result.values[:, 0]
        return result.actions


class PolicyPlayer:
    """The move that a network thinks likeliest, without a search.

    Args:
        num_games: games that may ask at once.
    """

    def __init__(self, game: Game, name: str, evaluator: Evaluator, num_games: int, planes_history: int) -> None:
        self.game, self.name = game, name
        self.evaluator = evaluator
        self.planes_history = planes_history
        self._batch = make_batch(num_games, game.layout(planes_history).num_words, game.MAX_LEGAL)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        batch = self._batch
        for i, g in enumerate(games):
            self.game.pack_game(history, g, self.planes_history, batch.words[i])
            batch.counts[i] = self.game.legal_actions(history.states[g, history.length[g] - 1], batch.actions[i])
        self.evaluator(batch, len(games))
        rows = np.arange(len(games))
        legal = np.arange(self.game.MAX_LEGAL) < batch.counts[rows, None]
        chosen: Array = batch.actions[rows, np.where(legal, batch.priors[rows], -1.0).argmax(axis=1)]
        return chosen


class RolloutPlayer:
    """Plain tree search with random games, see ``rlcore.uct``; plays the move with most visits.

    Args:
        rollouts: simulations a move, a random game each.
        exploration: UCB1's c for results on [-1, 1]. In connect four with 1,000 rollouts 1.0 is as strong (51 % of 400
            games), 0.7 and 2.0 a little weaker (47 %), 0.5 weaker (39 %).
    """

    def __init__(self, game: Game, rollouts: int = 1000, exploration: float = 1.4) -> None:
        self.game = game
        self.name = f"plain tree search, {rollouts:,} random games a move"
        self.rollouts, self.exploration = rollouts, exploration
        self._scratch = new_history(game, 1, _MOST_PLIES + 1)
        self._nodes = np.zeros(1 + rollouts * game.MAX_LEGAL, NODE)
        self._path = np.zeros(rollouts + 1, np.int32)
        self._legal = np.zeros(game.MAX_LEGAL, np.uint16)
        self._rng = np.zeros(1, np.uint64)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        chosen = np.zeros(len(games), np.uint16)
        room = (self._scratch, self._nodes, self._path, self._legal, self._rng)
        for i, g in enumerate(games):
            self._rng[0] = rng[g]
            root = history.states[g, history.length[g] - 1]
            chosen[i] = self.game.uct(root, self.rollouts, self.exploration, *room)
            rng[g] = self._rng[0]
        return chosen


class PerfectPlayer:
    """A solved game's best moves: the quickest win, the slowest loss; among equals chance decides.

    Raises:
        NotSolved: at the first move, where the game is not.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.name = "perfect play"
        self._legal = np.zeros(game.MAX_LEGAL, np.uint16)

    def act(self, history: History, games: Array, rng: Array) -> Array:
        """See ``Player``."""
        chosen = np.zeros(len(games), np.uint16)
        for i, g in enumerate(games):
            state = history.states[g, history.length[g] - 1]
            scores = exact_scores(self.game, state)
            best = np.flatnonzero(scores == scores.max())
            self.game.legal_actions(state, self._legal)
            chosen[i] = self._legal[best[below(rng, g, len(best))]]
        return chosen


def answers(
    game: Game, player: Player, states: Array, seed: int, progress: Callable[[int], None] | None = None
) -> Array:
    """What a player plays in positions without a past: [n] uint16 for ``states``, [n] STATE.

    Up to ``SIDE_BY_SIDE`` are asked for at once. The random numbers of a position depend on its place and the seed.
    ``progress`` is called with the number of positions done whenever it grows.
    """
    found = np.zeros(len(states), np.uint16)
    for begin in range(0, len(states), SIDE_BY_SIDE):
        batch = states[begin : begin + SIDE_BY_SIDE]
        history = new_history(game, len(batch), 1)
        history.states[:, 0] = batch
        history.length[:] = 1
        rng = np.array([seed_of(seed, begin + g) for g in range(len(batch))], np.uint64)
        found[begin : begin + len(batch)] = player.act(history, np.arange(len(batch), dtype=np.int32), rng)
        if progress is not None:
            progress(begin + len(batch))
    return found
