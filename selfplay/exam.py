"""An exam: how near a network is, without a search, to lessons that it has not seen."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rlcore.game import Game
from selfplay.config import Config, LearnerConfig
from selfplay.record import GameRecord
from selfplay.window import Window

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["Marks", "examine"]

_BATCH = 256
_BATCHES = 16


class Marks(NamedTuple):
    """Means over positions drawn from the lessons, each equally likely."""

    positions: int
    """Drawn."""
    agreement: float
    """Share of positions in which the network's likeliest move is that of the lesson."""
    chance: float
    """The same of moves drawn by chance."""
    correlation: float
    """Of the network's values with the lessons', by Pearson; nan where either is the same everywhere."""

    def __str__(self) -> str:
        """As a sentence."""
        return (
            f"In {self.positions:,} positions of held-out lessons its likeliest move is the lesson's in "
            f"{100 * self.agreement:.1f} % (by chance {100 * self.chance:.1f} %); its values correlate with the "
            f"lessons' by {self.correlation:.3f}."
        )


def examine(game: Game, config: Config, network: "ResNet", records: list[GameRecord], seed: int = 1) -> Marks | None:
    """Compare a network with lessons; None where they hold no position."""
    from selfplay.strength import network_evaluator

    positions = sum(record.positions for record in records)
    if positions == 0:
        return None
    learner = LearnerConfig(batch_size=_BATCH, augment=False, root_value_share=1.0, window_min=positions)
    window = Window(game, learner, config.history, config.actor.max_plies)
    window.add(records)
    evaluator = network_evaluator(game, config, network, _BATCH)
    generator = np.random.default_rng(seed)
    agreed, chance, values, targets = [], [], [], []
    for _ in range(_BATCHES):
        samples = window.sample(generator)
        batch = samples.batch
        evaluator(batch, _BATCH)
        legal = np.arange(game.MAX_LEGAL) < batch.counts[:, None]
        chosen = np.where(legal, batch.priors, -1.0).argmax(axis=1)
        agreed.append(chosen == samples.policy.argmax(axis=1))
        chance.append(1.0 / batch.counts)
        values.append(batch.values[:, 0].copy())
        targets.append(samples.wdl[:, 0] - samples.wdl[:, 2])
    pair = np.concatenate(values), np.concatenate(targets)
    known = all(np.ptp(part) > 0 for part in pair)
    return Marks(
        positions=_BATCH * _BATCHES,
        agreement=float(np.concatenate(agreed).mean()),
        chance=float(np.concatenate(chance).mean()),
        correlation=float(np.corrcoef(*pair)[0, 1]) if known else float("nan"),
    )
