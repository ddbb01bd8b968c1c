"""Single environments, one after the other, reset by us; resumed by playing their episodes again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.spaces import Spaces
from agents.steps import Environments, Step, check_saved, first_seed, registration
from rlcore.jit import Array

__all__ = ["STEP_CAP", "Loop"]

STEP_CAP = 100_000
"""Steps after which an episode is truncated where nothing else limits it."""


class Loop(Environments):
    """Single environments, stepped one after the other and reset by us: no step is dead.

    ``save`` keeps how each episode began and the actions since; ``restore`` plays them again and looks whether that
    leads to the same place. Where it does not, another episode begins.

    Args:
        envs: of one kind, not yet reset.
        seed: each environment is seeded once, each with a seed of its own, and never again.
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
        known, limit, solved = registration(first)
        self.name = name or known
        self._spaces = Spaces(first.observation_space, first.action_space, self.name)
        self._limit = max_steps or limit or STEP_CAP
        self.spec = self._spaces.spec(self._limit, solved if threshold is None else threshold)
        self.exact = first.spec is None or not first.spec.nondeterministic
        self.observations = np.zeros((self.num, *self.spec.shape), self.spec.dtype)
        self._rows, self._convert = self._spaces.rows(self.observations), self._spaces.convert
        self._numbers = self.spec.num_actions > 0
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
            seed = first_seed(self._seed) + i
            env.action_space.seed(seed)
            info = self._begin(i, seed)
            if i == 0 and "action_mask" in info:
                self.masks = np.ones((self.num, self.spec.num_actions), np.bool_)
            self._look(i, info)
        self._check(self._returns, self.observations, self.masks, ~self._live)

    def _begin(self, i: int, seed: int | None = None) -> dict[str, Any]:
        """Reset an environment; how it began is its seed, or its generator's state before that."""
        self._past[i] = []
        self._returns[i] = 0.0
        self._starts[i] = _generator(self._envs[i]) if seed is None else seed
        observation, info = self._envs[i].reset(seed=seed)
        self._rows[i] = observation if self._convert is None else self._convert(observation)
        return info

    def _look(self, i: int, info: dict[str, Any]) -> None:
        """Take the mask of an environment."""
        mask: Any = info.get("action_mask")
        if (mask is None) != (self.masks is None):
            raise self._faulty(i, "shows an action mask at some steps and none at others")
        if self.masks is not None:
            if np.shape(mask) != (self.spec.num_actions,):
                raise self._faulty(i, f"shows an action mask of shape {np.shape(mask)}, not ({self.spec.num_actions},)")
            self.masks[i] = mask

    def _length(self, i: int) -> int:
        return len(self._past[i])

    def step(self, actions: Array) -> Step:
        """See ``Environments``."""
        taken = self._spaces.act(actions)
        rewards, terminated = np.empty(self.num), np.zeros(self.num, np.bool_)
        rows, convert, limit, masked = self._rows, self._convert, self._limit, self.masks is not None
        ended = []
        chosen = taken.tolist() if self._numbers else taken
        for i, (env, past, action) in enumerate(zip(self._envs, self._past, chosen, strict=True)):
            past.append(action)
            observation, rewards[i], final, out_of_time, info = env.step(action)
            rows[i] = observation if convert is None else convert(observation)
            if masked or "action_mask" in info:
                self._look(i, info)
            if final or out_of_time or len(past) >= limit:
                ended.append(i)
                terminated[i] = final
        self._steps += 1
        self._returns += rewards
        self._check(rewards, self.observations, self.masks, terminated)
        if ended:
            return self._end(rewards, terminated, np.array(ended, np.int64))
        return Step(rewards, terminated, np.zeros(self.num, np.bool_), self._live, *self._nothing)

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
        self._check(rewards, self.observations, self.masks, ~self._live)
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
        check_saved(arrays, {"observations": self.observations, "returns": self._returns, "masks": self.masks})
        self._steps = int(state["steps"])
        ends = np.cumsum(arrays["lengths"])
        restarted = []
        for i, env in enumerate(self._envs):
            actions = arrays["actions"][ends[i] - arrays["lengths"][i] : ends[i]]
            try:
                same = self._replay(i, state["starts"][i], actions.tolist() if self._numbers else actions)
            except Exception:  # whatever it is, the environment does not do what it did
                same = False
            if (
                not same
                or not np.array_equal(self.observations[i], arrays["observations"][i])
                or self._returns[i] != arrays["returns"][i]
                or (self.masks is not None and not np.array_equal(self.masks[i], arrays["masks"][i]))
                or _generator(env) != state["generators"][i]
            ):
                self._look(i, self._begin(i, first_seed(self._seed, self._steps) + i))
                restarted.append(i)
        self._check(self._returns, self.observations, self.masks, ~self._live)
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
