"""Matches between two players: paired openings, both colours, a score with an interval."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.players import Player
from rlcore.game import Game, History, new_history
from rlcore.jit import Array
from rlcore.rng import below, seed_of


class Match(NamedTuple):
    """The result of a match, as the first player sees it."""

    opponent: str
    wins: int
    draws: int
    losses: int
    score: float  # (wins + draws / 2) / games
    low: float  # 95 % interval of the score
    high: float
    endings: dict[str, int]  # how many games ended for which reason


def wilson(score: float, games: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson interval (1927) of a score in [0, 1] from a number of games.

    It takes every game for a win or a loss, so with draws it is wider than it need be, and unlike mean +- error it
    stays honest at 0 and 100 %.
    """
    if games == 0:
        return 0.0, 1.0
    centre = score + z * z / (2 * games)
    spread = z * math.sqrt(score * (1 - score) / games + z * z / (4 * games * games))
    scale = 1 + z * z / games
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def play_match(
    game: Game,
    first: Player,
    second: Player,
    games: int,
    seed: int,
    opening_plies: int = 6,
    max_plies: int = 512,
    progress: Callable[[int], None] | None = None,
) -> Match:
    """Play all games of a match side by side.

    Games 2k and 2k + 1 begin with the same random opening; the first player moves first in one and second in the other.

    Args:
        max_plies: a game of this length is broken off as a draw; AlphaZero's limit.
        progress: called with the number of finished games whenever it grows.
    """
    history = new_history(game, games, max_plies + opening_plies + 2)
    rng = np.array([seed_of(seed, g // 2) for g in range(games)], np.uint64)
    for g in range(games):
        _open(game, history, g, rng, opening_plies)
    rng = np.array([seed_of(seed, g // 2, g % 2) for g in range(games)], np.uint64)  # the games of a pair differ
    board = _Board(game, history, games, max_plies)
    active = board.unfinished(np.arange(games, dtype=np.int32))
    while len(active):
        moving = board.history.states["turn"][active, history.length[active] - 1]
        is_first = moving == active % 2
        for player, mine in ((first, active[is_first]), (second, active[~is_first])):
            if len(mine):
                game.advance(history, mine, player.act(history, mine, rng))
        before = len(active)
        active = board.unfinished(active)
        if progress is not None and len(active) < before:
            progress(games - len(active))
    return board.match(second.name)


def _open(game: Game, history: History, g: int, rng: Array, plies: int) -> None:
    """A random opening that does not end the game."""
    legal, counts = np.zeros((1, game.MAX_LEGAL), np.uint16), np.zeros(1, np.int32)
    endings, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
    slot = np.array([g], np.int32)
    game.begin(history, g, 0)
    for _ in range(plies):
        game.judge(history, slot, 0, legal, counts, endings, values)
        if endings[0]:
            history.length[g] -= 1
            return
        game.advance(history, slot, legal[0, [below(rng, g, int(counts[0]))]])
    game.judge(history, slot, 0, legal, counts, endings, values)
    if endings[0]:
        history.length[g] -= 1


class _Board:
    """The results of a match so far."""

    def __init__(self, game: Game, history: History, games: int, max_plies: int) -> None:
        self.game, self.history, self.max_plies = game, history, max_plies
        self.scores = np.full(games, np.nan)  # of the first player
        self.endings = np.zeros(games, np.uint8)
        self._legal = np.zeros((games, game.MAX_LEGAL), np.uint16)
        self._counts = np.zeros(games, np.int32)
        self._ended = np.zeros(games, np.uint8)
        self._values = np.zeros(games, np.float32)

    def unfinished(self, active: Array) -> Array:
        """Those of the ``active`` games that go on; the results of the others are noted."""
        self.game.judge(self.history, active, self.max_plies, self._legal, self._counts, self._ended, self._values)
        ended = self._ended[: len(active)] != 0
        done = active[ended]
        values = self._values[: len(active)][ended].astype(float)
        turns = self.history.states["turn"][done, self.history.length[done] - 1]
        first_to_move = turns == done % 2
        self.scores[done] = 0.5 + 0.5 * np.where(first_to_move, values, -values)
        self.endings[done] = self._ended[: len(active)][ended]
        return active[~ended]

    def match(self, opponent: str) -> Match:
        scores = self.scores
        score = float(scores.mean())
        names = [self.game.Ending(int(ending)).name.lower() for ending in self.endings]
        return Match(
            opponent,
            wins=int((scores == 1.0).sum()),
            draws=int((scores == 0.5).sum()),
            losses=int((scores == 0.0).sum()),
            score=score,
            low=wilson(score, len(scores))[0],
            high=wilson(score, len(scores))[1],
            endings={name: names.count(name) for name in sorted(set(names))},
        )
