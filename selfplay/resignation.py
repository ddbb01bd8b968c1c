"""Giving up: when a side does, which games are played on all the same, and how often giving up would have been wrong.

AlphaGo Zero (Silver et al. 2017, Nature 550:354, Methods): games are resigned to save their hopeless ends; a tenth of
them are played on, and the threshold is to keep false positives, games that the side would not have lost, below 5 %.
Here a side must be below the threshold for some of its own moves in a row. Whether a game is played on follows from its
seed and everything else from its plies as they are recorded, so a finished record alone says what it was.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlcore.game import Game
from rlcore.rng import seed_of
from selfplay.config import ActorConfig
from selfplay.record import GameRecord

__all__ = ["badly_off", "gives_up", "mistaken", "played_on"]


def played_on(seed: int, config: ActorConfig) -> bool:
    """Whether the game of that seed (`GameRecord.seed`) goes on to its end whatever a side thinks of it."""
    return float(seed_of(seed, 1)) < config.resign_check * 2.0**64  # another stream than the game's own


def badly_off(plies: NDArray[Any], config: ActorConfig) -> NDArray[Any]:
    """Whether the mover's expected score was below the threshold: bool [P] for PLY [P], False where none searched."""
    wdl = plies["wdl"].astype(np.float32)
    low: NDArray[Any] = (wdl[:, 0] + wdl[:, 1] / 2 < config.resign) & (plies["simulations"] > 0)
    return low


def gives_up(plies: NDArray[Any], config: ActorConfig) -> NDArray[Any]:
    """Whether the mover, here and at its moves before, was badly off for long enough: bool [P] for PLY [P]."""
    low = badly_off(plies, config)
    enough = low.copy()
    for back in range(2, 2 * config.resign_moves, 2):  # the same side's moves: every other ply
        enough[:back] = False
        enough[back:] &= low[:-back]
    return enough


def mistaken(record: GameRecord, game: Game, config: ActorConfig) -> bool | None:
    """Whether the first side that would have given up did not lose a game that was played on; None for other games.

    A game broken off at the ply limit was not lost: given up, it would have counted as lost.
    """
    if config.resign == 0.0 or record.ending == int(game.Ending.RESIGNATION) or not played_on(record.seed, config):
        return None
    given_up = np.flatnonzero(gives_up(record.plies, config))
    if not len(given_up):
        return None
    return record.result(int(given_up[0]), game.DISCOUNT) > -1.0
