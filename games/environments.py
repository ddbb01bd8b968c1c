"""Gymnasium environments of tasks that are stepped by kernels (``games.episodes``): one at a time, or many at once."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from games import pictures
from games.episodes import Actions, Episodes
from rlcore.jit import Array

__all__ = ["EpisodesEnv", "EpisodesVectorEnv"]

_FPS = 8
_RENDER_MODES = ["ansi", "rgb_array"]


def _spaces(episodes: Episodes) -> tuple[Any, Any]:
    """What an environment shows, and what it takes."""
    first = episodes.observations[0]
    if np.ndim(episodes.low):
        shown = spaces.Box(episodes.low, episodes.high, dtype=first.dtype.type)
    else:
        shown = spaces.Box(episodes.low, episodes.high, first.shape, first.dtype.type)
    taken = spaces.Discrete(episodes.num_actions)
    return shown, spaces.Tuple((taken, spaces.Box(-1, 1, (2,), np.float32))) if episodes.free_eye else taken


def _checked(actions: Any, episodes: Episodes) -> Actions:
    """Actions as episodes take them; a location beyond the canvas becomes the nearest on it."""
    numbers, *locations = actions if episodes.free_eye else (actions,)
    chosen = np.ascontiguousarray(numbers)
    n, count = episodes.num, episodes.num_actions
    whole = chosen.shape == (n,) and np.issubdtype(chosen.dtype, np.integer)
    if not whole or chosen.min() < 0 or chosen.max() >= count:
        raise ValueError(f"actions must be {n} whole numbers from 0 to {count - 1}")
    chosen = chosen.astype(np.int64, copy=False)
    if not locations:
        return chosen
    places = np.ascontiguousarray(locations[0], np.float32)
    if places.shape != (n, 2) or not np.isfinite(places).all():
        raise ValueError(f"locations must be {n} pairs of finite numbers")
    return chosen, np.clip(places, -1, 1)


def _check_render_mode(mode: str | None) -> None:
    if mode is not None and mode not in _RENDER_MODES:
        raise ValueError(f"there is no render mode {mode!r}; there are {', '.join(_RENDER_MODES)}")


class EpisodesEnv(gymnasium.Env[Any, Any]):
    """One copy of a task.

    Args:
        episodes: the task, one copy of it.
        render_mode: "ansi" for text, "rgb_array" for pixels.

    Raises:
        ValueError: there is no such render mode.
    """

    metadata: dict[str, Any] = {"render_modes": _RENDER_MODES, "render_fps": _FPS}  # noqa: RUF012 # as in Gymnasium

    def __init__(self, episodes: Episodes, render_mode: str | None = None) -> None:
        _check_render_mode(render_mode)
        self.episodes, self.render_mode = episodes, render_mode
        self.observation_space, self.action_space = _spaces(episodes)
        self._live, self._over = np.ones(1, np.bool_), np.zeros(1, np.bool_)
        self._seeded = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; the same seed gives the same episodes as in the vector environment."""
        super().reset(seed=seed)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(1 << 62))
        self.episodes.seed([seed])
        self.episodes.begin(self._live)
        self._seeded, self._over[:] = True, False
        return self._shown()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """See Gymnasium.

        Raises:
            ValueError: there is no such action.
            gymnasium.error.ResetNeeded: the episode is over, or none has begun.
        """
        alone = tuple(np.asarray(part)[None] for part in action) if self.episodes.free_eye else np.asarray(action)[None]
        actions = _checked(alone, self.episodes)
        if self._over[0] or not self._seeded:
            raise gymnasium.error.ResetNeeded("reset the environment before a step")
        self.episodes.step(actions, self._live)
        self._over[:] = self.episodes.terminated
        observation, info = self._shown()
        return observation, float(self.episodes.rewards[0]), bool(self._over[0]), False, info

    def _shown(self) -> tuple[Any, dict[str, Any]]:
        return self.episodes.observations[0].copy(), {name: value[0] for name, value in self.episodes.info().items()}

    def get_state(self) -> dict[str, Array]:
        """Copies of all that decides what comes next, the generator included: arrays by name.

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun yet.
        """
        if not self._seeded:
            raise gymnasium.error.ResetNeeded("reset the environment before its state is asked for")
        return self.episodes.get_state() | {"over": self._over.copy()}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what ``get_state`` gave, bit for bit.

        Raises:
            ValueError: it is not the state of an environment like this; it is then as it was.
        """
        self.episodes.set_state(state, {"over": self._over})
        self._seeded = True

    def render(self) -> Any:
        """The canvas, by the render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("no render mode was chosen: gymnasium.make(..., render_mode='ansi')")
            return None
        return _rendered(self.episodes, 0, self.render_mode)


def _rendered(episodes: Episodes, i: int, mode: str) -> Any:
    show = pictures.ansi if mode == "ansi" else pictures.frame
    return show(episodes.picture(i), episodes.eye(i))


class EpisodesVectorEnv(VectorEnv[Any, Any, Any]):
    """Many copies of a task, a step of all in one call of a kernel.

    Args:
        episodes: the task, as many copies as there are environments.
        max_episode_steps: steps after which an episode is truncated; none = no limit, as every one ends by itself.
        autoreset_mode: any of Gymnasium's, by itself or by its name; ``metadata["autoreset_mode"]`` says which.
        render_mode: as for ``EpisodesEnv``.

    Raises:
        ValueError: there is no such mode or limit.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 # as in Gymnasium
        "render_modes": _RENDER_MODES,
        "render_fps": _FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        episodes: Episodes,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        _check_render_mode(render_mode)
        if max_episode_steps is not None and max_episode_steps < -1:
            raise ValueError(f"there are no episodes of {max_episode_steps} steps")
        self.max_episode_steps = max_episode_steps
        self.mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.mode}  # of this one, not the class
        self.episodes, self.num_envs, self.render_mode = episodes, episodes.num, render_mode
        self.single_observation_space, self.single_action_space = _spaces(episodes)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._over, self._steps = np.ones(self.num_envs, np.bool_), np.zeros(self.num_envs, np.int64)
        self._seeded = self._begun = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes: in all environments, or those of ``options["reset_mask"]`` ([n] bool).

        Environment i gets ``seed`` + i, or the i-th of a list; without a seed it goes on with its generator.
        """
        chosen = np.ones(self.num_envs, np.bool_)
        if options is not None and "reset_mask" in options:
            chosen = self._checked_mask(options["reset_mask"])
        super().reset(seed=seed if isinstance(seed, int) else None)
        self._seed(seed)
        self._begin(chosen)
        self._begun = True
        return self.episodes.observations.copy(), self._info(chosen)

    def _begin(self, chosen: Array) -> None:
        self.episodes.begin(chosen)
        self._steps[chosen] = 0
        self._over[chosen] = False  # last, as it may be what has chosen

    def _checked_mask(self, mask: Any) -> Array:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must be an array of {self.num_envs} bools")
        if not mask.any() or not (self._begun or mask.all()):
            raise ValueError("reset_mask must choose an environment, and all of them the first time")
        return mask

    def _seed(self, seed: int | list[int | None] | None) -> None:
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed or [None] * self.num_envs
        if len(seeds) != self.num_envs:
            raise ValueError(f"there are {self.num_envs} environments, but {len(seeds)} seeds")
        if not self._seeded:
            seeds = [int(self.np_random.integers(1 << 62)) if one is None else one for one in seeds]
        self.episodes.seed(seeds)
        self._seeded = True

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """See Gymnasium; ``actions`` is [n], or, where the eye is free, that and the locations, [n, 2].

        Raises:
            ValueError: there are no such actions.
            gymnasium.error.ResetNeeded: before the first reset, or after an end that nobody has reset.
        """
        chosen = _checked(actions, self.episodes)
        if not self._begun:
            raise gymnasium.error.ResetNeeded("reset the environments before the first step")
        if self.mode == AutoresetMode.DISABLED and self._over.any():
            first = int(self._over.argmax())
            raise gymnasium.error.ResetNeeded(f"environment {first} is at its end: reset it with a reset_mask")
        live, limit = ~self._over, self.max_episode_steps or 0
        if self.mode == AutoresetMode.NEXT_STEP:
            self._begin(self._over)
        self.episodes.step(chosen, live)
        rewards, terminated = self.episodes.rewards.copy(), self.episodes.terminated.copy()
        self._steps += live
        truncated = live & (self._steps >= limit) if limit > 0 else np.zeros_like(live)
        self._over = terminated | truncated
        final = {}
        if self.mode == AutoresetMode.SAME_STEP and self._over.any():
            final = self._final_info(self._over)
            self._begin(self._over)
        info = self._info(np.ones(self.num_envs, np.bool_)) | final
        return self.episodes.observations.copy(), rewards, terminated, truncated, info

    def _info(self, known: Array) -> dict[str, Any]:
        """What the environments ``known`` ([n] bool) tell; zeros for others."""
        told: dict[str, Any] = {}
        for name, values in self.episodes.info().items():
            told |= {name: np.where(known, values, np.zeros_like(values)), f"_{name}": known.copy()}
        return told

    def _final_info(self, done: Array) -> dict[str, Any]:
        """What an episode ended with, where another begins in the same step."""
        observations = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(done):
            observations[i] = self.episodes.observations[i].copy()
        final: dict[str, Any] = {"final_obs": observations, "_final_obs": done.copy()}
        return final | {"final_info": self._info(done), "_final_info": done.copy()}

    def get_state(self) -> dict[str, Array]:
        """Copies of all that decides what comes next, generators included: arrays by name.

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun yet.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("reset the environments before their state is asked for")
        return self.episodes.get_state() | {"over": self._over.copy(), "steps": self._steps.copy()}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """Go on from what ``get_state`` gave, bit for bit, in this process or another.

        Raises:
            ValueError: it is not the state of environments like these; they are then as they were.
        """
        self.episodes.set_state(state, {"over": self._over, "steps": self._steps})
        self._seeded = self._begun = True

    def render(self) -> tuple[Any, ...] | None:
        """Every copy's canvas, by the render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("no render mode was chosen: gymnasium.make_vec(..., render_mode='ansi')")
            return None
        return tuple(_rendered(self.episodes, i, self.render_mode) for i in range(self.num_envs))
