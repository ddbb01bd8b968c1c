"""How strong is a network now? Short matches against opponents that never change."""

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch

from agents.players import Player, RandomPlayer, SearchPlayer
from rlcore.evaluators import NetworkEvaluator
from rlcore.game import Game
from rlcore.networks import ResNet
from rlcore.runtimes import make_evaluator, played_positions
from selfplay.arena import Match, play_match
from selfplay.config import Config

_LEAST_PLIES = 300
"""No game of a strength check is broken off before."""
_MOST_OPENING_PLIES = 6
_OPENING_SHARE = 8
"""A game's opening is at most one in so many of its plies: nothing is left to play for after six in tic-tac-toe."""

Opponent = Literal["random", "untrained"]
OPPONENTS: tuple[Opponent, ...] = ("random", "untrained")


def new_network(game: Game, config: Config) -> ResNet:
    """An untrained network of the run's shape: a uniform policy and a value of zero everywhere."""
    return ResNet(config.network, game.layout(config.history).num_planes, game.BOARD, game.NUM_ACTIONS)


def network_evaluator(game: Game, config: Config, network: ResNet, rows: int) -> NetworkEvaluator:
    """An evaluator of a network that has been trained with these settings, for up to ``rows`` positions at a time."""
    return make_evaluator(
        network,
        game.layout(config.history),
        rows,
        device=None if config.device == "auto" else config.device,
        runtime=config.runtime,
        calibration=lambda: played_positions(game, network, config.history),
    )


def search_player(game: Game, config: Config, network: ResNet, name: str, games: int) -> SearchPlayer:
    """The network under the search it is trained with, without exploration."""
    evaluator = network_evaluator(game, config, network, games * config.search.leaves)
    return SearchPlayer(game, name, evaluator, config.search, games, config.history)


def opening_plies(config: Config) -> int:
    """How many random moves games begin with that measure strength: fewer where games are short."""
    return min(_MOST_OPENING_PLIES, config.actor.max_plies // _OPENING_SHARE)


def check_against(
    opponent: Opponent,
    game: Game,
    config: Config,
    network: ResNet,
    games: int,
    progress: Callable[[str, int], None] | None = None,
) -> Match:
    """A match of ``network`` against one of the opponents, at equal search; for ``progress`` see `check_strength`."""
    torch.set_num_threads(1)
    other: Player = RandomPlayer(game)
    if opponent == "untrained":
        other = search_player(game, config, new_network(game, config), "the untrained net", games)
    player = search_player(game, config, network, "the trained net", games)
    seed = config.seed + zlib.crc32(other.name.encode())

    def tell(finished: int) -> None:
        if progress is not None:
            progress(other.name, finished)

    limit = max(_LEAST_PLIES, config.actor.max_plies)
    return play_match(game, player, other, games, seed, opening_plies(config), max_plies=limit, progress=tell)


def check_strength(
    game: Game,
    config: Config,
    network: ResNet,
    games: int,
    progress: Callable[[str, int], None] | None = None,
) -> list[Match]:
    """Matches of ``network`` against uniform-random moves and against the untrained network, at equal search.

    Two matches run side by side, a thread each. ``progress`` is called with an opponent's name and its finished games;
    what it raises ends both.
    """

    def match(opponent: Opponent) -> Match:
        return check_against(opponent, game, config, network, games, progress)

    with ThreadPoolExecutor(len(OPPONENTS)) as pool:
        return list(pool.map(match, OPPONENTS))
