"""What an environment shows and takes, as arrays: Gymnasium's spaces to plain numbers and back.

    Discrete                     an index, counted from 0
    Box of uint8, 2 or 3 axes    pixels, channels first; the smaller of the first and the last axis is the channels
    whatever else is flat        a vector of float32, as ``gymnasium.spaces.flatten`` lays it out

An action is the number of a Discrete space, counted from 0, or a row of a Box of one axis.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from rlcore.jit import Array

__all__ = ["Kind", "Spaces", "Spec", "UnusableEnvironment"]

Kind = Literal["vector", "pixels", "index"]


class UnusableEnvironment(ValueError):
    """An environment that is unknown, lacks a library, or has spaces that no agent here can use; says which."""


class Spec(NamedTuple):
    """What an environment shows and takes. Nothing of Gymnasium's is in it."""

    kind: Kind
    shape: tuple[int, ...]
    """Of an observation: () for an index, (d,) for a vector, (C, H, W) for pixels."""
    dtype: Any
    """int64 for an index, float32 for a vector, uint8 for pixels."""
    size: int
    """States, where an observation is an index; else 0."""
    num_actions: int
    """A, where an action is a number from 0 to A - 1; else 0."""
    low: Array
    """[d] float32: the least of each part of an action that is a vector; else empty."""
    high: Array
    """[d] float32: the most of each."""
    time_limit: int
    """Steps after which an episode is truncated; 0 = none is known."""
    threshold: float | None
    """The mean return at which its registration calls it solved."""


class Spaces:
    """An observation space and an action space of Gymnasium.

    Raises:
        UnusableEnvironment: there is no way to show or take what they hold; ``name`` is the environment's, for that.
    """

    def __init__(self, observation_space: Any, action_space: Any, name: str) -> None:
        self._space = observation_space
        self.convert: Callable[[Any], Any] | None = None
        """One observation to what ``rows`` takes; None where it takes an observation as it is."""
        self.kind: Kind = "vector"
        self.shape: tuple[int, ...] = ()
        self.dtype: Any = np.dtype(np.float32)
        self.size = 0
        self._read_observations(observation_space, name)
        self._read_actions(action_space, name)

    def _read_observations(self, space: Any, name: str) -> None:
        from gymnasium import spaces

        if isinstance(space, spaces.Discrete):
            self.kind, self.dtype, self.size = "index", np.dtype(np.int64), int(space.n)
            start = int(space.start)
            if start:
                self.convert = lambda observation: observation - start
            return
        if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3):
            self._last = len(space.shape) == 3 and space.shape[-1] <= space.shape[0]  # channels
            height_first = (space.shape[-1], *space.shape[:-1]) if self._last else space.shape
            self.kind, self.dtype = "pixels", np.dtype(np.uint8)
            self.shape = (1, *height_first) if len(space.shape) == 2 else height_first
            return
        if not getattr(space, "is_np_flattenable", False) or isinstance(space, spaces.OneOf):
            raise UnusableEnvironment(f"{name} shows {space}, which cannot be made a vector of fixed length")
        self.shape = (int(spaces.flatdim(space)),)
        if not isinstance(space, spaces.Box):
            self.convert = lambda observation: spaces.flatten(space, observation)

    def _read_actions(self, space: Any, name: str) -> None:
        from gymnasium import spaces

        self.num_actions, self._start = 0, 0
        self.low = self.high = np.empty(0, np.float32)
        if isinstance(space, spaces.Discrete):
            self.num_actions, self._start = int(space.n), int(space.start)
        elif isinstance(space, spaces.Box) and len(space.shape) == 1 and np.issubdtype(space.dtype, np.floating):
            self.low, self.high = space.low.astype(np.float32), space.high.astype(np.float32)
            self._dtype = space.dtype
        else:
            raise UnusableEnvironment(f"{name} takes {space}; agents here give a Discrete or a Box of floats, one axis")

    def spec(self, time_limit: int, threshold: float | None) -> Spec:
        """The same without Gymnasium."""
        return Spec(
            self.kind, self.shape, self.dtype, self.size, self.num_actions, self.low, self.high, time_limit, threshold
        )

    def rows(self, observations: Array) -> Array:
        """``observations`` [n, *shape], seen so that row i takes what the environment shows, after ``convert``."""
        if self.kind == "pixels":
            if len(self._space.shape) == 2:
                return observations[:, 0]
            return np.moveaxis(observations, 1, -1) if self._last else observations
        if self.kind == "vector" and self.convert is None:
            return observations.reshape(len(observations), *self._space.shape)
        return observations

    def observe(self, observation: Any) -> Array:
        """One observation as an array of its own, [*shape]."""
        row = np.empty((1, *self.shape), self.dtype)
        self.rows(row)[0] = observation if self.convert is None else self.convert(observation)
        return row[0]

    def observe_all(self, observations: Any, batched: Any) -> Array:
        """Those of a vector environment, which come as its space ``batched``, as an array of its own [n, *shape]."""
        from gymnasium.vector.utils import iterate

        if self.convert is None or self.kind == "index":
            row = np.empty((len(observations), *self.shape), self.dtype)
            self.rows(row)[:] = observations if self.convert is None else self.convert(observations)
            return row
        return np.stack([self.observe(one) for one in iterate(batched, observations)])

    def act(self, actions: Array) -> Array:
        """Actions as the environment takes them: [n] int64 counted from its start, or [n, d] clipped to its bounds."""
        if self.num_actions:
            return actions + self._start if self._start else actions
        return np.clip(actions, self.low, self.high).astype(self._dtype, copy=False)
