"""Environments as agents use them: several stepped at once, their observations in one array, their ends told apart.

An episode ends terminated (what follows is worth nothing) or truncated (time is up, and the final observation is worth
what it is worth): never both.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from agents.spaces import Spec
from rlcore.jit import Array

__all__ = ["Environments", "FaultyEnvironment", "Step", "check_saved", "first_seed", "registration"]


class FaultyEnvironment(RuntimeError):
    """An environment that breaks the rules while it runs; says which environment, at which step, and how."""


class Step(NamedTuple):
    """What a step of n environments brought; k episodes ended. The arrays are the caller's."""

    rewards: Array
    """[n] float64."""
    terminated: Array
    """[n] bool."""
    truncated: Array
    """[n] bool; never where ``terminated``."""
    live: Array
    """[n] bool; False: nothing happened, a new episode began instead (``AutoresetMode.NEXT_STEP``). Read only."""
    ended: Array
    """[k] int64: the environments whose episode ended, ascending."""
    final_observations: Array
    """[k, *shape]: where they ended."""
    final_masks: Array | None
    """[k, A] bool: what could be chosen there; all where the episode terminated and nothing could."""
    returns: Array
    """[k] float64: their undiscounted sums of rewards."""
    lengths: Array
    """[k] int64: their steps."""

    @property
    def fresh(self) -> Array:
        """[m] int64: where what was remembered is of no use any more, for an episode ended, or the step was dead."""
        return self.ended if self.live.all() else np.flatnonzero(self.terminated | self.truncated | ~self.live)


def _finite(array: Array) -> bool:
    return bool(np.count_nonzero(np.isfinite(array)) == array.size)  # half the price of isfinite().all()


class Environments(ABC):
    """``num`` environments of one kind."""

    name: str
    spec: Spec
    num: int
    observations: Array
    """[num, *shape]: to act on now; overwritten by the next step. Before a dead step: where the episode ended."""
    masks: Array | None
    """[num, A] bool: the actions that may be chosen now, or None where the environment does not say; overwritten."""
    exact: bool
    """Whether ``restore`` can bring back the very same state."""

    @abstractmethod
    def step(self, actions: Array) -> Step:
        """Take actions: [num] int64, or [num, d] float32, which are clipped to their bounds.

        Raises:
            FaultyEnvironment: a reward or an observation is not a finite number, or a mask allows nothing.
        """

    @abstractmethod
    def save(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """The state between two steps: arrays, and what goes into JSON."""

    @abstractmethod
    def restore(self, arrays: dict[str, Array], state: dict[str, Any]) -> list[int]:
        """Go on from what ``save`` gave, in environments made alike.

        Returns:
            the environments whose episode could not be brought back, and which have begun another.

        Raises:
            ValueError: it is not the state of environments like these.
        """

    @abstractmethod
    def render(self) -> Any:
        """The first environment, by its render mode; a vector environment renders all."""

    @abstractmethod
    def close(self) -> None:
        """Close windows and the like."""

    @abstractmethod
    def _length(self, i: int) -> int:
        """Steps of the episode that environment i is in."""

    def _faulty(self, i: int, what: str) -> FaultyEnvironment:
        return FaultyEnvironment(f"{self.name}, environment {i}, step {self._length(i)} of its episode: it {what}")

    def _check(self, rewards: Array, observations: Array, masks: Array | None, terminated: Array) -> None:
        """Refuse what nobody could learn from; where an episode terminated, an empty mask becomes a full one.

        Raises:
            FaultyEnvironment: a number is not finite, or a mask allows nothing.
        """
        if not _finite(rewards):
            i = int(np.isfinite(rewards).argmin())
            raise self._faulty(i, f"gives a reward of {rewards[i]}")
        if self.spec.kind == "vector" and not _finite(observations):
            i = int(np.isfinite(observations).all(axis=1).argmin())
            raise self._faulty(i, f"shows numbers that are not finite: {observations[i].tolist()}")
        if masks is not None:
            empty = ~masks.any(axis=1)
            masks[empty] = True
            if (empty & ~terminated).any():
                i = int((empty & ~terminated).argmax())
                raise self._faulty(i, "allows no action at all: its action mask is all zeros")


# --- what both kinds of them need -------------------------------------------------------------------------------------


def first_seed(seed: int, steps: int = 0) -> int:
    """The seed of the first environment, by a run's and the steps taken so far; environment i gets i more, as Gymnasium
    counts. Below 2^30: some environments take no more than 31 bits."""
    return int(np.random.SeedSequence((seed, steps)).generate_state(1)[0] >> 2)


def registration(env: Any) -> tuple[str, int, float | None]:
    """An environment's id, the steps of its episodes (0 = unknown) and its threshold, as far as it is registered."""
    spec = env.spec
    if spec is None:
        return type(env.unwrapped).__name__, 0, None
    threshold = spec.reward_threshold
    return spec.id, max(spec.max_episode_steps or 0, 0), None if threshold is None else float(threshold)


def check_saved(saved: dict[str, Array], like: dict[str, Array | None]) -> None:
    """Raises ValueError where what was saved does not have the shapes of what is there."""
    for name, array in like.items():
        there = None if array is None else array.shape
        kept = saved[name].shape if name in saved else None
        if kept != there:
            raise ValueError(f"the saved environments are not of this kind and number: {name} {kept}, not {there}")
