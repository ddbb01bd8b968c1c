"""How far from perfect is a network where one player walks alone? The strength check of the grid world.

Maps are drawn from seeds that no game of self-play has, as those come from a generator's 63 bits. Of each start the
regret is V* - the return of the walk that a player takes from there, both with the game's DISCOUNT: 0 on a shortest
path, V* where it never gets anywhere, V* + DISCOUNT^steps where it ends in a pit.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.players import Player, PolicyPlayer
from games.grid_world.paths import value_of
from rlcore.game import Game, new_history
from rlcore.networks import ResNet
from rlcore.rng import seed_of
from selfplay.config import Config
from selfplay.strength import network_evaluator, search_player

__all__ = ["Regret", "check_regret", "measure"]

MOST_STEPS = 100
"""A walk of this length has led nowhere; no shortest path is nearly as long."""


class Regret(NamedTuple):
    """Means over some starts."""

    player: str
    starts: int
    regret: float
    low: float
    high: float
    """Its 95 % interval, by the normal distribution."""
    shortest: float
    """The share of walks that were shortest paths, [0, 1]."""
    arrived: float
    """The share that reached a goal, [0, 1]."""

    def __str__(self) -> str:
        return (
            f"{self.player}: regret {self.regret:.4f} ({self.low:.4f}-{self.high:.4f}), shortest paths "
            f"{100 * self.shortest:.1f} %, goals {100 * self.arrived:.1f} % of {self.starts}"
        )


def measure(game: Game, player: Player, starts: int, progress: Callable[[int], None] | None = None) -> Regret:
    """Let a player walk from the starts of the seeds 1, 2, ... ; ``progress`` is called with the walks finished."""
    history = new_history(game, starts, MOST_STEPS + 1)
    for g in range(starts):
        game.begin(history, g, g + 1)
    best = np.array([value_of(row) for row in history.states[:, 0]])
    returns, rng = np.zeros(starts), np.array([seed_of(g) for g in range(starts)], np.uint64)
    legal = np.zeros((starts, game.MAX_LEGAL), np.uint16)
    counts, endings, values = np.zeros(starts, np.int32), np.zeros(starts, np.uint8), np.zeros(starts, np.float32)
    walking = np.arange(starts, dtype=np.int32)
    for step in range(1, MOST_STEPS + 1):
        game.advance(history, walking, player.act(history, walking, rng))
        game.judge(history, walking, 0, legal, counts, endings, values)
        over = endings[: len(walking)] != 0
        returns[walking[over]] = values[: len(walking)][over].astype(np.float64) * game.DISCOUNT**step
        walking = walking[~over]
        if progress is not None and over.any():
            progress(starts - len(walking))
        if not len(walking):
            break
    regrets = best - returns
    error = 1.96 * float(regrets.std(ddof=1)) / math.sqrt(starts) if starts > 1 else math.nan
    mean = float(regrets.mean())
    shortest, arrived = float((regrets < 1e-6).mean()), float((returns > 0).mean())
    return Regret(player.name, starts, mean, max(mean - error, 0.0), mean + error, shortest, arrived)


def check_regret(
    game: Game, config: Config, network: ResNet, starts: int, progress: Callable[[int], None] | None = None
) -> dict[str, Regret]:
    """The regret of a network's policy alone ("policy") and under the search it is trained with ("search")."""
    evaluator = network_evaluator(game, config, network, starts)
    name = f"{config.search.simulations} simulations"
    players: dict[str, Player] = {
        "policy": PolicyPlayer(game, "the policy alone", evaluator, starts, config.history),
        "search": search_player(game, config, network, name, starts),
    }
    return {name: measure(game, player, starts, progress) for name, player in players.items()}
