"""Environments as agents use them: several stepped at once, their observations in one array, their ends told apart.

    envs = make("CartPole-v1", num=8, seed=0)
    step = envs.step(actions)          # what it brought; envs.observations is what to act on next

An episode ends terminated (what follows is worth nothing) or truncated (time is up, and the final observation is worth
what it is worth): never both. Gymnasium is needed where environments are made, not where this module is imported.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.registry import find, one_of, vector_of
from agents.spaces import Kind, Spaces, Spec, UnusableEnvironment
from rlcore.jit import Array

__all__ = [
    "STEP_CAP", "Environments", "FaultyEnvironment", "Kind", "Loop", "Spec", "Step", "UnusableEnvironment",
    "Vectorised", "make",
]  # fmt: skip

STEP_CAP = 100_000
"""Steps after which an episode is truncated where nothing else limits it."""


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

    def render(self) -> Any:
        """The first environment, by its render mode."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Close windows and the like."""


def make(
    env_id: str, num: int, seed: int, *, max_steps: int | None = None, render_mode: str | None = None
) -> Environments:
    """``num`` environments of a registered id; "package:Id-v0" imports the package first.

    Args:
        seed: environment i draws from a stream of its own, by the seed and i.
        max_steps: steps after which an episode is truncated; None = as registered, or ``STEP_CAP``.
        render_mode: of the first environment: "human", "rgb_array" or "ansi".

    Raises:
        UnusableEnvironment: there is no such environment, a library is missing, or no agent here can use its spaces.
    """
    found = find(env_id)
    limit = max_steps or found.limit or STEP_CAP
    if render_mode is None:
        vector = vector_of(found, num, limit)
        if vector is not None:
            return Vectorised(vector, seed, name=found.id, max_steps=limit, threshold=found.threshold)
    envs = [one_of(found, render_mode if i == 0 else None) for i in range(num)]
    return Loop(envs, seed, name=found.id, max_steps=limit, threshold=found.threshold)


def _seed(*words: int) -> int:
    """A seed by some numbers, such as a run's and an environment's; below 2^31, which every environment takes."""
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


def _registered(env: Any) -> tuple[str, int, float | None]:
    """An environment's id, the steps of its episodes (0 = unknown) and its threshold, as far as it is registered."""
    spec = env.spec
    if spec is None:
        return type(env.unwrapped).__name__, 0, None
    threshold = spec.reward_threshold
    return spec.id, max(spec.max_episode_steps or 0, 0), None if threshold is None else float(threshold)


def _finite(array: Array) -> bool:
    """Whether all are finite, at a fraction of ``np.isfinite``'s price: what is not spoils a sum of squares."""
    flat = array.reshape(-1)
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(array).all())  # the sum can be too large by itself


class Loop(Environments):
    """Single environments, stepped one after the other and reset by us: no step is dead.

    ``save`` keeps how each episode began and the actions since; ``restore`` plays them again and looks whether that
    leads to the same place. Where it does not, another episode begins.

    Args:
        envs: of one kind, not yet reset.
        seed: environment i is seeded once by the seed and i, and never again.
        max_steps: steps after which an episode is truncated; None = as registered, or ``STEP_CAP``.
        name, threshold: the id and the return to reach; by default as registered.

    Raises:
        UnusableEnvironment: no agent here can use their spaces.
    """

    def __init__(
        self,
        envs: Sequence[Any],
        seed: int,
        *,
        max_steps: int | None = None,
        name: str | None = None,
        threshold: float | None = None,
    ) -> None:
        first = envs[0]
        self._envs, self._seed, self.num = list(envs), seed, len(envs)
        known, limit, solved = _registered(first)
        self.name = name or known
        self._spaces = Spaces(first.observation_space, first.action_space, self.name)
        self._limit = max_steps or limit or STEP_CAP
        self.spec = self._spaces.spec(self._limit, solved if threshold is None else threshold)
        self.exact = first.spec is None or not first.spec.nondeterministic
        self.observations = np.zeros((self.num, *self.spec.shape), self.spec.dtype)
        self._rows, self._convert = self._spaces.rows(self.observations), self._spaces.convert
        self._check_finite = self.spec.kind == "vector"
        self._steps = 0
        self._returns = np.zeros(self.num)
        self._past: list[list[Any]] = [[] for _ in envs]
        self._starts: list[Any] = [None] * self.num
        self._live = np.ones(self.num, np.bool_)
        self._live.flags.writeable = False
        self._begin_all()
        none = np.empty(0, np.int64)
        masks = None if self.masks is None else self.masks[none]
        self._nothing = none, self.observations[none], masks, self._returns[none], none

    def _begin_all(self) -> None:
        self.masks: Array | None = None
        for i, env in enumerate(self._envs):
            seed = _seed(self._seed, i)
            env.action_space.seed(seed)
            info = self._begin(i, seed)
            if i == 0 and "action_mask" in info:
                self.masks = np.ones((self.num, self.spec.num_actions), np.bool_)
            self._look(i, info)

    def _begin(self, i: int, seed: int | None = None) -> dict[str, Any]:
        """Reset an environment; how it began is its seed, or its generator's state before that."""
        self._past[i] = []
        self._returns[i] = 0.0
        self._starts[i] = _generator(self._envs[i]) if seed is None else seed
        observation, info = self._envs[i].reset(seed=seed)
        self._rows[i] = observation if self._convert is None else self._convert(observation)
        return info

    def _look(self, i: int, info: dict[str, Any], over: bool = False) -> None:
        """Take the mask of an environment."""
        if self.masks is None and "action_mask" not in info:
            return
        if self.masks is None or "action_mask" not in info:
            raise self._faulty(i, "shows an action mask at some steps and none at others")
        mask = np.asarray(info["action_mask"])
        if mask.shape != self.masks[i].shape:
            raise self._faulty(i, f"shows an action mask of shape {mask.shape} for {self.spec.num_actions} actions")
        self.masks[i] = mask
        if not mask.any():
            if not over:
                raise self._faulty(i, "allows no action at all: its action mask is all zeros")
            self.masks[i] = True

    def _faulty(self, i: int, what: str) -> FaultyEnvironment:
        return FaultyEnvironment(f"{self.name}, environment {i}, step {len(self._past[i])} of its episode: it {what}")

    def step(self, actions: Array) -> Step:
        """See ``Environments``."""
        taken = self._spaces.act(actions)
        chosen = taken.tolist() if self.spec.num_actions else taken
        rewards, terminated = np.empty(self.num), np.zeros(self.num, np.bool_)
        rows, convert, past, limit = self._rows, self._convert, self._past, self._limit
        ended = []
        for i, env in enumerate(self._envs):
            action = chosen[i]
            past[i].append(action)
            observation, rewards[i], final, out_of_time, info = env.step(action)
            rows[i] = observation if convert is None else convert(observation)
            if self.masks is not None or "action_mask" in info:
                self._look(i, info, final)
            if final or out_of_time or len(past[i]) >= limit:
                ended.append(i)
                terminated[i] = final
        self._steps += 1
        self._returns += rewards
        self._check(rewards)
        if not ended:
            return Step(rewards, terminated, np.zeros(self.num, np.bool_), self._live, *self._nothing)
        return self._end(rewards, terminated, np.array(ended, np.int64))

    def _check(self, rewards: Array) -> None:
        """Raises FaultyEnvironment where a number is not finite."""
        if not _finite(rewards):
            i = int(np.isfinite(rewards).argmin())
            raise self._faulty(i, f"gives a reward of {rewards[i]}")
        if self._check_finite and not _finite(self.observations):
            i = int(np.isfinite(self.observations).all(axis=1).argmin())
            raise self._faulty(i, f"shows what is not a finite number: {self.observations[i]}")

    def _end(self, rewards: Array, terminated: Array, ended: Array) -> Step:
        """What a step brought, and new episodes where one ended."""
        truncated = np.zeros(self.num, np.bool_)
        truncated[ended] = ~terminated[ended]
        step = Step(
            rewards, terminated, truncated, self._live, ended, self.observations[ended],
            None if self.masks is None else self.masks[ended], self._returns[ended],
            np.array([len(self._past[i]) for i in ended], np.int64),
        )  # fmt: skip
        for i in ended.tolist():
            self._look(i, self._begin(i))
        return step

    def save(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """See ``Environments``: how each episode began, its actions, and where that led."""
        actions = [action for past in self._past for action in past]
        arrays = {
            "actions": np.array(actions) if actions else np.empty((0, *self.spec.low.shape), np.int64),
            "lengths": np.array([len(past) for past in self._past]),
            "observations": self.observations.copy(),
            "returns": self._returns.copy(),
        }
        if self.masks is not None:
            arrays["masks"] = self.masks.copy()
        generators = [_generator(env) for env in self._envs]
        return arrays, {"steps": self._steps, "starts": list(self._starts), "generators": generators}

    def restore(self, arrays: dict[str, Array], state: dict[str, Any]) -> list[int]:
        """See ``Environments``. Exact where an environment has no other state than its generator lets it have."""
        _check_saved(arrays, {"observations": self.observations, "returns": self._returns, "masks": self.masks})
        self._steps = int(state["steps"])
        ends = np.cumsum(arrays["lengths"])
        restarted = []
        for i, env in enumerate(self._envs):
            actions = arrays["actions"][ends[i] - arrays["lengths"][i] : ends[i]]
            try:
                same = self._replay(i, state["starts"][i], actions.tolist() if self.spec.num_actions else actions)
            except Exception:  # whatever it is, the environment does not do what it did
                same = False
            if (
                not same
                or not np.array_equal(self.observations[i], arrays["observations"][i])
                or self._returns[i] != arrays["returns"][i]
                or (self.masks is not None and not np.array_equal(self.masks[i], arrays["masks"][i]))
                or _generator(env) != state["generators"][i]
            ):
                self._look(i, self._begin(i, _seed(self._seed, i, self._steps)))
                restarted.append(i)
        return restarted

    def _replay(self, i: int, start: Any, actions: Any) -> bool:
        """Play an episode again; False where it cannot be, or ends before its time."""
        env = self._envs[i]
        if isinstance(start, dict):
            env.unwrapped.np_random.bit_generator.state = start
        elif start is None:
            return False
        self._look(i, self._begin(i, None if isinstance(start, dict) else start))
        for action in actions:
            self._past[i].append(action)
            observation, reward, final, out_of_time, info = env.step(action)
            self._returns[i] += reward
            if final or out_of_time:
                return False
            self._rows[i] = observation if self._convert is None else self._convert(observation)
            self._look(i, info)
        return True

    def render(self) -> Any:
        """See ``Environments``."""
        return self._envs[0].render()

    def close(self) -> None:
        """See ``Environments``."""
        for env in self._envs:
            env.close()


def _generator(env: Any) -> dict[str, Any] | None:
    """The state of an environment's generator, for JSON; None where it has none that can be kept like that."""
    generator = getattr(env.unwrapped, "np_random", None)
    if not isinstance(generator, np.random.Generator) or not isinstance(generator.bit_generator, np.random.PCG64):
        return None
    return dict(generator.bit_generator.state)


def _check_saved(saved: dict[str, Array], like: dict[str, Array | None]) -> None:
    """Raises ValueError where what was saved does not have the shapes of what is there."""
    for name, array in like.items():
        there = None if array is None else array.shape
        kept = saved[name].shape if name in saved else None
        if kept != there:
            raise ValueError(f"the saved environments are not of this kind and number: {name} {kept}, not {there}")


class Vectorised(Environments):
    """A vector environment of Gymnasium's, in whatever autoreset mode its metadata declares.

    In ``NEXT_STEP`` the step after an end is dead: ``Step.live`` says where.

    Args:
        envs: not yet reset. It is exact if it has ``get_state()`` -> dict of arrays, and ``set_state`` of such.
        seed: environment i is seeded once by the seed and i.
        max_steps: steps after which it truncates an episode by itself; None = as registered, or unknown.
        name, threshold: the id and the return to reach; by default as registered.

    Raises:
        UnusableEnvironment: no agent here can use its spaces, or it declares no autoreset mode.
    """

    def __init__(
        self,
        envs: Any,
        seed: int,
        *,
        max_steps: int | None = None,
        name: str | None = None,
        threshold: float | None = None,
    ) -> None:
        from gymnasium.vector import AutoresetMode

        known, limit, solved = _registered(envs)
        self._envs, self._seed, self.num = envs, seed, envs.num_envs
        self.name = name or known
        self._spaces = Spaces(envs.single_observation_space, envs.single_action_space, self.name)
        self.spec = self._spaces.spec(max_steps or limit, solved if threshold is None else threshold)
        mode = envs.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise UnusableEnvironment(f'{self.name} does not say in metadata["autoreset_mode"] how it begins episodes')
        self._mode = mode.name
        self.exact = hasattr(envs.unwrapped, "get_state") and hasattr(envs.unwrapped, "set_state")
        self._steps = 0
        envs.action_space.seed(_seed(seed, 0))
        self._begin([_seed(seed, i) for i in range(self.num)])

    def _begin(self, seeds: list[int]) -> None:
        """Begin an episode in every environment."""
        observations, info = self._envs.reset(seed=seeds)
        self.observations = self._observed(observations)
        self.masks: Array | None = None
        self._returns, self._lengths = np.zeros(self.num), np.zeros(self.num, np.int64)
        self._over = np.zeros(self.num, np.bool_)
        """[n] bool: whether the next step is dead."""
        if "action_mask" in info:
            self.masks = np.ones((self.num, self.spec.num_actions), np.bool_)
            self._look(self.masks, info, ~self._over, self._over)

    def _observed(self, observations: Any) -> Array:
        return self._spaces.observe_all(observations, self._envs.observation_space)

    def _look(self, masks: Array, info: dict[str, Any], chosen: Array, terminated: Array) -> None:
        """Take the masks of the environments ``chosen`` into ``masks``; where ``terminated`` they may be empty."""
        there = info.get("_action_mask", np.full(self.num, "action_mask" in info))
        if not there[chosen].all():
            raise self._faulty((chosen & ~there).argmax(), "shows an action mask at some steps and none at others")
        masks[chosen] = info["action_mask"][chosen]
        empty = chosen & ~masks.any(axis=1)
        masks[empty] = True
        if (empty & ~terminated).any():
            raise self._faulty((empty & ~terminated).argmax(), "allows no action at all: its action mask is all zeros")

    def _faulty(self, i: Any, what: str) -> FaultyEnvironment:
        return FaultyEnvironment(f"{self.name}, environment {i}, step {self._lengths[i]} of its episode: it {what}")

    def step(self, actions: Array) -> Step:
        """See ``Environments``."""
        live = ~self._over
        shown, given, terminated, truncated, info = self._envs.step(self._spaces.act(actions))
        rewards, terminated = np.where(live, given, 0.0), live & terminated
        truncated = live & truncated & ~terminated
        over = terminated | truncated
        ended = np.flatnonzero(over)
        self._steps += 1
        self._returns += rewards
        self._lengths += live
        finals, final_masks = self._arrive(shown, info, terminated, over)
        self._check(rewards, finals)
        step = Step(
            rewards, terminated, truncated, live, ended, finals, final_masks, self._returns[ended], self._lengths[ended]
        )
        self._returns[ended], self._lengths[ended] = 0.0, 0
        return step

    def _arrive(self, shown: Any, info: dict[str, Any], terminated: Array, over: Array) -> tuple[Array, Array | None]:
        """Take the observations and masks to act on next; those ([k, ...]) where episodes ended are returned."""
        self.observations[:] = self._observed(shown)
        every = np.ones(self.num, np.bool_)
        if self._mode == "SAME_STEP":
            finals = self.observations[over]
            final_masks = None if self.masks is None else self.masks.copy()
            if over.any():
                finals = np.stack([self._spaces.observe(info["final_obs"][i]) for i in np.flatnonzero(over)])
                if final_masks is not None:
                    self._look(final_masks, info["final_info"], over, terminated)
            if self.masks is not None:
                self._look(self.masks, info, every, ~every)
            return finals, None if final_masks is None else final_masks[over]
        if self.masks is not None:
            self._look(self.masks, info, every, terminated)
        finals, final_masks = self.observations[over], None if self.masks is None else self.masks[over]
        if self._mode == "NEXT_STEP":
            self._over = over
        elif over.any():
            shown, info = self._envs.reset(options={"reset_mask": over})
            self.observations[over] = self._observed(shown)[over]
            if self.masks is not None:
                self._look(self.masks, info, over, ~every)
        return finals, final_masks

    def _check(self, rewards: Array, finals: Array) -> None:
        """Raises FaultyEnvironment where a number is not finite."""
        if not _finite(rewards):
            i = int(np.isfinite(rewards).argmin())
            raise self._faulty(i, f"gives a reward of {rewards[i]}")
        if self.spec.kind == "vector" and not (_finite(self.observations) and _finite(finals)):
            wrong = ~np.isfinite(self.observations).all(axis=1)
            raise self._faulty(wrong.argmax(), "shows what is not a finite number")

    def save(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """See ``Environments``."""
        arrays = {
            "observations": self.observations.copy(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "over": self._over.copy(),
        }
        if self.masks is not None:
            arrays["masks"] = self.masks.copy()
        if self.exact:
            arrays |= {f"state.{name}": array for name, array in self._envs.unwrapped.get_state().items()}
        return arrays, {"steps": self._steps}

    def restore(self, arrays: dict[str, Array], state: dict[str, Any]) -> list[int]:
        """See ``Environments``."""
        _check_saved(arrays, {"observations": self.observations, "over": self._over, "masks": self.masks})
        self._steps = int(state["steps"])
        if not self.exact:
            self._begin([_seed(self._seed, i, self._steps) for i in range(self.num)])
            return list(range(self.num))
        self._envs.unwrapped.set_state(
            {name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")}
        )
        self.observations[:] = arrays["observations"]
        self._returns[:], self._lengths[:], self._over[:] = arrays["returns"], arrays["lengths"], arrays["over"]
        if self.masks is not None:
            self.masks[:] = arrays["masks"]
        return []

    def render(self) -> Any:
        """See ``Environments``."""
        return self._envs.render()

    def close(self) -> None:
        """See ``Environments``."""
        self._envs.close()
