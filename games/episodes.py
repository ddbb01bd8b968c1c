"""What tasks that are stepped by kernels share: many episodes of one task in arrays, without gymnasium.

``games.environments`` makes Gymnasium environments of them; whoever trains where that is not installed steps them here:

    episodes = FullCatch(64)
    episodes.seed(range(64))
    episodes.begin(np.ones(64, bool))
    while ...:
        episodes.step(actions, live)              # writes observations, rewards, terminated in place
        episodes.begin(episodes.terminated)       # the next episodes of those that are over
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rlcore.jit import Array
from rlcore.rng import seed_of

__all__ = ["Actions", "Episodes"]

Actions = Any  # Array | tuple[Array, Array]: which of them goes by the task
"""[n] int64; where the task moves an eye freely, with the locations to look at next, [n, 2] float32."""


class Episodes(ABC):
    """Episodes of n copies of a task. An episode ends by itself, after a number of steps that is known.

    Args:
        num: copies n.
        observations: [n, *shape], written in place by every step.
        low, high: what an observation lies between, each a number or [*shape].
        num_actions: A; actions are numbered 0 to A - 1.

    Raises:
        ValueError: there is no such number of copies.
    """

    free_eye = False
    """Whether an action is a pair, the second of which is where to look next, in [-1, 1]^2."""

    def __init__(
        self, num: int, observations: Array, low: Array | float, high: Array | float, num_actions: int
    ) -> None:
        if num < 1:
            raise ValueError(f"there are no {num} environments")
        self.num, self.num_actions = num, num_actions
        self.observations, self.low, self.high = observations, low, high
        self.rng = np.zeros(num, np.uint64)
        """[n] uint64: each copy's generator (``rlcore.rng``)."""
        self.rewards, self.terminated = np.zeros(num), np.zeros(num, np.bool_)
        """[n] float64 and [n] bool: what the last step brought; zeros where there was none."""

    def seed(self, seeds: Iterable[int | None]) -> None:
        """Give each copy a generator of its own; ``None`` leaves it the one that it has."""
        for i, seed in enumerate(seeds):
            if seed is not None:
                self.rng[i] = seed_of(seed)

    @abstractmethod
    def begin(self, chosen: Array) -> None:
        """Begin an episode in the copies ``chosen`` ([n] bool)."""

    @abstractmethod
    def step(self, actions: Actions, live: Array) -> None:
        """Step the copies ``live`` ([n] bool); in the others reward and end are zero, and nothing changes."""

    @abstractmethod
    def picture(self, i: int) -> Array:
        """[H, W] uint8: the whole canvas of copy ``i``."""

    def eye(self, i: int) -> list[tuple[int, int, int]]:
        """The patches that copy ``i`` sees of it, as (top, left, side) in pixels; none: all of it."""
        return []

    def info(self) -> dict[str, Array]:
        """What is known of each copy beside its observation, [n] each."""
        return {}

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """The arrays that episodes are, by name, not copied."""

    def get_state(self) -> dict[str, Array]:
        """Copies of all that decides what comes next, generators included."""
        return {name: array.copy() for name, array in self._everything().items()}

    def set_state(self, state: Mapping[str, Array], more: Mapping[str, Array] | None = None) -> None:
        """Go on from what ``get_state`` gave; arrays of ``more`` are filled from the state as well.

        Raises:
            ValueError: it is not the state of episodes like these; they are then as they were.
        """
        mine = self._everything() | dict(more or {})
        for name, array in mine.items():
            if name not in state:
                raise ValueError(f"the state lacks {name!r}")
            if (state[name].shape, state[name].dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"{name!r} of the state is {state[name].dtype} {list(state[name].shape)}, "
                    f"but here it is {array.dtype} {list(array.shape)}"
                )
        for name, array in mine.items():
            array[...] = state[name]

    def _everything(self) -> dict[str, Array]:
        return self.arrays() | {"rng": self.rng, "observations": self.observations}
