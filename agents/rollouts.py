"""Some steps of several environments, recorded as policy gradients learn from them: once, then overwritten.

    observations  o_0 o_1 ... o_T        rows of n environments; the last one is what is acted on next
    actions          a_0 a_1 ... a_T-1
    rewards             r_0 ...          and how each step ended (``rlcore.returns``)

Where an episode ends, the next row begins another one, after a dead step in environments that have such. The true final
observation of a truncated one lies apart, in ``finals``, for its value is needed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.spaces import Spec
from agents.steps import Step
from rlcore.jit import Array
from rlcore.returns import DEAD, GOES_ON, TERMINATED, endings, gae

__all__ = ["Final", "Rollout", "advantages"]


class Final(NamedTuple):
    """Where a time limit broke off episodes, k of them."""

    row: int
    """The step that did."""
    environments: Array
    """[k] int64"""
    observations: Array
    """[k, *shape]: what the step led to, as the network sees it."""
    memory: Array | None
    """[k, M]: what was remembered then."""


class Rollout:
    """T steps of n environments.

    Args:
        steps: T.
        masks: whether the environments say what may be chosen.
        memory: numbers M that the network remembers of an episode.
    """

    def __init__(self, steps: int, num: int, spec: Spec, masks: bool, memory: int) -> None:
        self.observations = np.zeros((steps + 1, num, *spec.shape), spec.dtype)
        """[T + 1, n, *shape] as the network sees them."""
        self.masks = np.ones((steps + 1, num, spec.num_actions), np.bool_) if masks else None
        """[T + 1, n, A]"""
        shape, dtype = ((), np.int64) if spec.num_actions else (spec.low.shape, np.float32)
        self.actions = np.zeros((steps, num, *shape), dtype)
        """[T, n] int64, or [T, n, d] float32 as they were drawn."""
        self.rewards = np.zeros((steps, num), np.float32)
        self.ended = np.zeros((steps, num), np.uint8)
        """[T, n], see ``rlcore.returns``."""
        self.starts = np.zeros((steps + 1, num), np.bool_)
        """[T + 1, n]: whether nothing is remembered at this observation; not said of the first row, where the memory
        is zero then."""
        self.memory = np.zeros((num, memory), np.float32) if memory else None
        """[n, M]: before the first step."""
        self.finals: list[Final] = []
        self.row = 0
        """Steps so far."""

    def begin(self, memory: Array | None) -> None:
        """Record anew."""
        self.row = 0
        self.finals = []
        if self.memory is not None:
            self.memory[:] = memory

    def look(self, observations: Array, masks: Array | None) -> None:
        """What is acted on next."""
        self.observations[self.row] = observations
        if self.masks is not None:
            self.masks[self.row] = masks

    def add(self, actions: Array, step: Step) -> None:
        """What was done, and what came of it."""
        row = self.row
        self.actions[row], self.rewards[row] = actions, step.rewards
        if len(step.ended) or not step.live.all():
            self.ended[row] = endings(step.terminated, step.truncated, step.live)
            self.starts[row + 1] = self.ended[row] != GOES_ON
        else:
            self.ended[row], self.starts[row + 1] = GOES_ON, False
        self.row += 1

    @property
    def live(self) -> Array | None:
        """[T, n] bool: the steps that were any; none if all."""
        dead = self.ended == DEAD
        return ~dead if dead.any() else None


def advantages(
    rollout: Rollout, values: Array, final_values: Sequence[Array], gamma: float, lam: float
) -> tuple[Array, Array]:
    """Advantages and what the values are trained towards, [T, n] float32 each.

    Args:
        values: [T + 1, n]; final_values: [k] for each of ``rollout.finals``.
    """
    after = values[1:].copy()
    for final, value in zip(rollout.finals, final_values, strict=True):
        after[final.row, final.environments] = value
    ended = rollout.ended
    found = gae(rollout.rewards, values[:-1], after, ended == TERMINATED, ended != GOES_ON, gamma, lam)
    return found, found + values[:-1]
