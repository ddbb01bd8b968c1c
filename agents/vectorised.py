"""Gymnasium's vector environments, in any of their autoreset modes."""

from typing import Any

import numpy as np

from agents.spaces import Spaces, UnusableEnvironment
from agents.steps import Environments, Step, check_saved, first_seed, registration
from rlcore.jit import Array

__all__ = ["Vectorised"]

_NONE = np.empty(0, np.int64)


class Vectorised(Environments):
    """A vector environment of Gymnasium's, in whatever autoreset mode its metadata declares.

    In ``NEXT_STEP`` the step after an end is dead: ``Step.live`` says where.

    Args:
        envs: not yet reset. It is exact if it has ``get_state()`` -> dict of arrays, and ``set_state`` of such.
        seed: they are seeded once.
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

        known, limit, solved = registration(envs)
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
        envs.action_space.seed(first_seed(seed))
        self._begin(first_seed(seed))

    def _begin(self, seed: int) -> None:
        """Begin an episode in every environment."""
        shown, info = self._envs.reset(seed=seed)
        self.observations = self._observed(shown)
        self._returns, self._lengths = np.zeros(self.num), np.zeros(self.num, np.int64)
        self._over = np.zeros(self.num, np.bool_)
        """[n] bool: whether the next step is dead."""
        self.masks: Array | None = None
        if "action_mask" in info:
            self.masks = np.ones((self.num, self.spec.num_actions), np.bool_)
        self._look(self.masks, info)
        self._check(self._returns, self.observations, self.masks, self._over)

    def _observed(self, shown: Any) -> Array:
        return self._spaces.observe_all(shown, self._envs.observation_space)

    def _look(self, masks: Array | None, info: dict[str, Any], chosen: Array | None = None) -> None:
        """Take the masks of the environments ``chosen`` ([n] bool; None = all) into ``masks``."""
        given = info.get("action_mask")
        if masks is None and given is None:
            return
        known = np.zeros(self.num, np.bool_) if given is None else info.get("_action_mask", np.True_)
        missing = ~known if chosen is None else chosen & ~known
        if masks is None or given is None or missing.any():
            raise self._faulty(int(np.argmax(missing)), "shows an action mask at some steps and none at others")
        if given.shape != masks.shape:
            raise self._faulty(0, f"shows an action mask of shape {given.shape[1:]}, not {masks.shape[1:]}")
        np.copyto(masks, given, casting="unsafe", where=True if chosen is None else chosen[:, None])

    def _length(self, i: int) -> int:
        return int(self._lengths[i])

    def step(self, actions: Array) -> Step:
        """See ``Environments``."""
        live = ~self._over
        shown, given, terminated, truncated, info = self._envs.step(self._spaces.act(actions))
        rewards, terminated = np.where(live, given, 0.0), live & terminated
        truncated = live & truncated & ~terminated
        over = terminated | truncated
        self._steps += 1
        self._returns += rewards
        self._lengths += live
        self.observations[:] = self._observed(shown)
        self._look(self.masks, info)
        if not over.any():
            self._check(rewards, self.observations, self.masks, terminated)
            self._over = over
            return Step(rewards, terminated, truncated, live, *self._ended(self.observations, self.masks, _NONE))
        finals, final_masks = self.observations, self.masks
        if self._mode == "SAME_STEP":
            finals, final_masks = self._before_the_reset(info, over)
        self._check(rewards, finals, final_masks, terminated)
        ended = np.flatnonzero(over)
        step = Step(rewards, terminated, truncated, live, *self._ended(finals, final_masks, ended))
        self._go_on(ended, over)
        return step

    def _ended(
        self, finals: Array, masks: Array | None, ended: Array
    ) -> tuple[Array, Array, Array | None, Array, Array]:
        """What a step tells of the episodes that ended."""
        masks = None if masks is None else masks[ended]
        return ended, finals[ended], masks, self._returns[ended], self._lengths[ended]

    def _before_the_reset(self, info: dict[str, Any], over: Array) -> tuple[Array, Array | None]:
        """The observations [n, *shape] and masks [n, A] with those at the ends of the episodes that are ``over``."""
        finals, masks = self.observations.copy(), None if self.masks is None else self.masks.copy()
        for i in np.flatnonzero(over):
            finals[i] = self._spaces.observe(info["final_obs"][i])
        self._look(masks, info["final_info"], over)
        return finals, masks

    def _go_on(self, ended: Array, over: Array) -> None:
        """Act next on episodes that begin anew."""
        self._returns[ended], self._lengths[ended] = 0.0, 0
        if self._mode == "NEXT_STEP":
            self._over = over
            return
        if self._mode == "DISABLED":
            shown, info = self._envs.reset(options={"reset_mask": over.copy()})
            self.observations[over] = self._observed(shown)[over]
            self._look(self.masks, info, over)
        self._check(self._returns, self.observations, self.masks, self._over)

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
        check_saved(arrays, {"observations": self.observations, "over": self._over, "masks": self.masks})
        self._steps = int(state["steps"])
        if not self.exact:
            self._begin(first_seed(self._seed, self._steps))
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
