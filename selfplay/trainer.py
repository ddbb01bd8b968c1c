"""The trainer: the replay window, the learner, and the weights that are published from it.

It takes finished games, trains, publishes, saves and loads. The same object sits in the process of a run or in one of
its own, and knows neither which nor where the games come from.
"""

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlcore.checkpoint import Checkpoint
from rlcore.game import Game
from rlcore.inference import choose_dtype
from rlcore.jit import Array
from rlcore.networks import ResNet
from rlcore.runtimes import played_positions
from selfplay.config import Config, ConfigError
from selfplay.learner import Learner, StepLosses
from selfplay.parallel import Group, share_of
from selfplay.record import GameRecord
from selfplay.window import Window

__all__ = ["Standing", "Trainer", "choose_device"]

_CALIBRATION = 256  # positions; twice as many change nothing that can be measured


class Standing(NamedTuple):
    """How far training has come."""

    steps: int
    samples: int
    """Positions trained on, each as often as it was."""
    steps_due: int
    """Gradient steps that the games taken in so far still pay for; below 0 where too many were taken."""
    learning_rate: float
    window: int
    """Positions in the replay window."""
    positions: int
    """Positions ever taken in."""
    version: int
    """Of the published weights."""
    seconds: float
    """Time spent in gradient steps."""


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one.

    Raises:
        ConfigError: there is none of that kind.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device = cuda, but torch finds no GPU here; choose auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class Trainer:
    """Window, learner, and the weights that are played with, number ``version``.

    A new one takes the games of the past with ``fill``, then ``resume`` goes on from a checkpoint or begins. In a group
    of learners (`parallel`) each has a trainer of its own, and all are told the same in the same order.
    """

    def __init__(self, game: Game, config: Config, device: torch.device, group: Group | None = None) -> None:
        self.game, self.config = game, config
        self.learner = Learner(game, config, device, choose_dtype(device) == torch.bfloat16, group)
        mine = config.learner if group is None else share_of(config.learner, group.size)
        self.window = Window(game, mine, config.history, config.actor.max_plies)
        self.version = 0
        self.published: ResNet = copy.deepcopy(self.learner.average)
        """The weights that the actors play with."""
        self.calibration: Array | None = None
        """Positions [n, num_words] uint64 that these weights were calibrated with, see ``calibrate``."""
        self._published_at = 0  # step

    # --- games of the past -------------------------------------------------------------------------------------------

    def fill(self, records: list[GameRecord], before: int) -> None:
        """Take the latest games into the window; the run made ``before`` positions in games older than these."""
        self.window.total = before
        self.window.add(records)

    def resume(self, saved: Checkpoint | None) -> None:
        """Go on from a checkpoint; games that came later pay for steps, and all of them where there is none."""
        if saved is None:
            self.learner.earn(self.window.total)
            return
        state = saved.state
        self.learner.load(saved.tensors, state["learner"])
        self.published.load_state_dict(saved.tensors["published"])
        self.version, self._published_at = int(state["version"]), int(state["published_at"])
        words = np.frombuffer(saved.blobs.get("calibration", b""), np.uint64).copy()  # kernels know writable arrays
        if len(words):
            self.calibration = words.reshape(-1, self.game.layout(self.config.history).num_words)
        newest = self.window.last_version
        if newest > self.version:  # games of weights that a kill took: their numbers are not given twice
            self.version = newest + 1
        self.learner.earn(max(self.window.total - int(state["positions"]), 0))

    # --- going on ----------------------------------------------------------------------------------------------------

    def take(self, records: Iterable[GameRecord]) -> None:
        """Take finished games into the window; their positions pay for steps."""
        new = list(records)
        self.window.add(new)
        self.learner.earn(sum(record.positions for record in new))

    def train(self, steps: int) -> StepLosses | None:
        """See ``Learner.train``."""
        return self.learner.train(self.window, steps)

    def publish_if_due(self) -> bool:
        """Publish the averaged weights where the last ones are ``publish_steps`` old; whether they were."""
        if self.learner.steps - self._published_at < self.config.learner.publish_steps:
            return False
        self.version += 1
        self._published_at = self.learner.steps
        self.published.load_state_dict(self.learner.average.state_dict())
        self.calibration = None
        return True

    def calibrate(self) -> Array:
        """Positions [n, num_words] uint64 that say how large the network's numbers get: drawn from the window.

        Drawn once for each version of the weights; a checkpoint keeps them, so that a resumed run computes the same.
        """
        if self.calibration is None:
            if self.window.positions:
                generator = np.random.default_rng((self.config.seed, self.version))
                draws = -(-_CALIBRATION // self.window.config.batch_size)
                words = [self.window.sample(generator).batch.words[:_CALIBRATION].copy() for _ in range(draws)]
                self.calibration = np.concatenate(words)[:_CALIBRATION]
            else:
                self.calibration = played_positions(self.game, self.published, self.config.history)
        return self.calibration

    @property
    def standing(self) -> Standing:
        learner, window = self.learner, self.window
        return Standing(
            steps=learner.steps,
            samples=learner.samples,
            steps_due=learner.steps_due(),
            learning_rate=learner.learning_rate(),
            window=window.positions,
            positions=window.total,
            version=self.version,
            seconds=learner.seconds,
        )

    def save(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, bytes]]:
        """Tensors, JSON and blobs for ``rlcore.checkpoint``; ``resume`` undoes it."""
        tensors, learner = self.learner.save()
        tensors["published"] = dict(self.published.state_dict())
        state = {
            "learner": learner,
            "version": self.version,
            "published_at": self._published_at,
            "positions": self.window.total,
        }
        return tensors, state, {} if self.calibration is None else {"calibration": self.calibration.tobytes()}
