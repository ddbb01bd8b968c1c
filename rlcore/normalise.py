"""Observations and rewards brought to about the same size in every environment, by what has been seen so far.

Statistics are float64 and change only in ``update``: whoever evaluates does not call it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlcore.jit import Array, njit
from rlcore.returns import DEAD, GOES_ON

__all__ = ["Moments", "ObservationNormaliser", "RewardNormaliser"]

_EPSILON = 1e-8  # added to variances


class Moments:
    """Mean and variance of all numbers seen so far; before the first, 0 and 1.

    Args:
        shape: of what is seen at a time.
    """

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self.count = 0
        self.mean, self.variance = np.zeros(shape), np.ones(shape)
        """[*shape] float64; the variance of the population."""

    def update(self, values: Array) -> None:
        """Take in more of them, [n, *shape] (Chan, Golub and LeVeque 1979, eq. 2.1)."""
        n = len(values)
        if n == 0:
            return
        mean, variance = values.mean(0, dtype=np.float64), values.var(0, dtype=np.float64)
        total, apart = self.count + n, mean - self.mean
        squares = self.variance * self.count + variance * n + apart * apart * (self.count * n / total)
        self.count, self.mean, self.variance = total, self.mean + apart * (n / total), squares / total

    def save(self) -> dict[str, Any]:
        """Arrays."""
        return {"count": np.array(self.count), "mean": np.array(self.mean), "variance": np.array(self.variance)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Be what was saved."""
        self.count = int(saved["count"])
        self.mean, self.variance = (np.asarray(saved[name]).astype(np.float64) for name in ("mean", "variance"))


class ObservationNormaliser:
    """Each number of an observation less its mean, by its standard deviation, within [-clip, clip]."""

    def __init__(self, shape: Sequence[int], clip: float = 10.0) -> None:
        self.moments, self.clip = Moments(shape), clip
        self._prepare()

    def _prepare(self) -> None:
        self._mean = self.moments.mean.astype(np.float32)
        self._factor = (1.0 / np.sqrt(self.moments.variance + _EPSILON)).astype(np.float32)

    def __call__(self, observations: Array) -> Array:
        """[..., *shape] float32, an array of its own."""
        found = observations - self._mean
        found *= self._factor
        np.minimum(found, self.clip, out=found)
        np.maximum(found, -self.clip, out=found)
        return found

    def update(self, observations: Array) -> None:
        """Take in more of them, [n, *shape]."""
        self.moments.update(observations)
        self._prepare()

    def save(self) -> dict[str, Any]:
        """Arrays."""
        return self.moments.save()

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Be what was saved."""
        self.moments.restore(saved)
        self._prepare()


class RewardNormaliser:
    """Rewards by the standard deviation of their discounted sums so far, within [-clip, clip].

    The sum of an environment is R_t = r_t + gamma R_{t-1}, from the start of its episode on (Engstrom et al. 2020,
    "Implementation matters in deep policy gradients", section 3). The mean stays: without it the task is another.
    """

    def __init__(self, num: int, gamma: float, clip: float = 10.0) -> None:
        self.moments, self.gamma, self.clip = Moments(), gamma, clip
        self.sums = np.zeros(num)
        """[n] float64: of each environment, up to now."""

    def __call__(self, rewards: Array, ended: Array) -> Array:
        """Take in steps' rewards [T, n], and give them normalised, float32; ``ended`` as in ``rlcore.returns``."""
        sums = np.empty(rewards.shape)
        _sums(rewards, ended, self.gamma, self.sums, sums)
        self.moments.update(sums[ended != DEAD])
        return self.scaled(rewards)

    def scaled(self, rewards: Array) -> Array:
        """The same by what has been seen so far."""
        factor = 1.0 / math.sqrt(float(self.moments.variance) + _EPSILON)
        return np.clip(rewards * factor, -self.clip, self.clip).astype(np.float32)

    def forget(self, environments: Array) -> None:
        """New episodes begin in these."""
        self.sums[environments] = 0.0

    def save(self) -> dict[str, Any]:
        """Arrays."""
        return {**self.moments.save(), "sums": self.sums.copy()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Be what was saved."""
        self.moments.restore(saved)
        self.sums = np.asarray(saved["sums"]).astype(np.float64)


@njit
def _sums(rewards: Array, ended: Array, gamma: float, last: Array, sums: Array) -> None:
    """Discounted sums [T, n] of rewards up to each step; ``last`` [n] is their last row, in place."""
    for t in range(rewards.shape[0]):
        for e in range(rewards.shape[1]):
            if ended[t, e] == DEAD:
                last[e] = 0.0
            sums[t, e] = last[e] = gamma * last[e] + rewards[t, e]
            if ended[t, e] != GOES_ON:
                last[e] = 0.0
