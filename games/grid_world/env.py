"""Grid worlds, and any Markov decision process, as Gymnasium environments: one at a time, or many in one kernel.

An observation is the state's number, or what is shown of it, and ``info["action_mask"]`` ([A] int8, 1 = allowed) says
what may be chosen. Importing this module registers the ids:

    import gymnasium
    env = gymnasium.make("games.grid_world.env:rlcore/GridRooms-v0")     # or import it, and then by "rlcore/..." alone
    envs = gymnasium.make_vec("rlcore/GridRooms-v0", num_envs=64)
    exact = rlcore.mdp.value_iteration(env.unwrapped.mdp, gamma=0.99)    # what an agent can reach
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from games.grid_world import render as pictures
from games.grid_world.maps import GridWorld, named, parse
from rlcore.jit import Array, njit
from rlcore.mdp import MDP, checked
from rlcore.rng import seed_of, uniform

__all__ = ["IDS", "GridWorldEnv", "GridWorldVectorEnv"]

_FPS = 4
_MODES = {AutoresetMode.NEXT_STEP: 0, AutoresetMode.SAME_STEP: 1, AutoresetMode.DISABLED: 2}
_NEXT_STEP, _SAME_STEP = 0, 1


def _world_of(world: str | GridWorld | MDP) -> tuple[MDP, GridWorld | None]:
    """The process, and its map where it has one. Raises MapError or ValueError where there is no such thing."""
    if isinstance(world, str):
        world = parse(world) if "\n" in world.strip() else named(world)
    if isinstance(world, GridWorld):
        return world.mdp, world
    return checked(world), None


def _shown(shown: Any, states: int) -> Array:
    """What is shown of each state, [S] int64: its number by default. Raises ValueError where it is something else."""
    found = np.arange(states) if shown is None else np.ascontiguousarray(shown, np.int64)
    if found.shape != (states,) or found.min() < 0:
        raise ValueError(f"what is shown must be {states} numbers, one a state, from 0 on")
    return found


def _check_render_mode(mode: str | None, known: list[str], world: GridWorld | None) -> None:
    if mode is not None and mode not in known:
        raise ValueError(f"there is no render mode {mode!r}; there are {', '.join(known)}")
    if mode is not None and world is None:
        raise ValueError(f"render_mode {mode!r} needs a map, and a plain Markov decision process has none")


class GridWorldEnv(gymnasium.Env[Any, Any]):
    """One agent in a world.

    Args:
        world: the name of a map (``maps.MAPS``), a map itself, a parsed one, or any Markov decision process.
        render_mode: "ansi" for text, "rgb_array" for pixels, "human" for a window.
        shown: [S], the observation in each state, which may be the same in several; by default the state's number.

    Raises:
        MapError, ValueError: there is no such world or render mode, or ``shown`` is no such array.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "ansi", "rgb_array"], "render_fps": _FPS}  # noqa: RUF012

    def __init__(
        self, world: str | GridWorld | MDP = "rooms", render_mode: str | None = None, shown: Any = None
    ) -> None:
        self.mdp, self.world = _world_of(world)
        _check_render_mode(render_mode, self.metadata["render_modes"], self.world)
        self.render_mode = render_mode
        states, actions, _ = self.mdp.probability.shape
        self.shown = _shown(shown, states)
        """[S] int64: the observation in each state."""
        self.observation_space = spaces.Discrete(int(self.shown.max()) + 1)
        self.action_space = spaces.Discrete(actions)
        self.state = int(self.mdp.start.argmax())
        self._window: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin an episode; ``options`` may name its ``state``, such as for exploring starts."""
        super().reset(seed=seed)
        self.state = int(_pick(self.mdp.start, self.np_random.random()))
        if options and "state" in options:
            if not 0 <= options["state"] < len(self.mdp.start):
                raise ValueError(
                    f"there is no state {options['state']}; states are numbered 0 to {len(self.mdp.start) - 1}"
                )
            self.state = int(options["state"])
        if self.render_mode == "human":
            self.render()
        return int(self.shown[self.state]), self._info()

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """See Gymnasium. An action that the mask leaves out has its effect all the same."""
        if not self.action_space.contains(action):
            raise ValueError(f"there is no action {action!r}; they are numbered 0 to {self.mdp.allowed.shape[1] - 1}")
        place = self.state, int(action)
        k = int(_pick(self.mdp.probability[place], self.np_random.random()))
        self.state = int(self.mdp.next_state[place][k])
        if self.render_mode == "human":
            self.render()
        reward, over = float(self.mdp.reward[place][k]), bool(self.mdp.terminated[place][k])
        return int(self.shown[self.state]), reward, over, False, self._info()

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.mdp.allowed[self.state].astype(np.int8)}

    def render(self) -> Any:
        """The agent on its map, by the render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("no render mode was chosen: gymnasium.make(..., render_mode='ansi')")
            return None
        assert self.world is not None
        if self.render_mode == "ansi":
            return pictures.ansi(self.world, self.state)
        pixels = pictures.frame(self.world, self.state)
        if self.render_mode == "rgb_array":
            return pixels
        if self._window is None:
            self._window = pictures.Window("grid world", 1.0 / _FPS)
        return self._window.show(pixels)

    def close(self) -> None:
        """Close the window."""
        if self._window is not None:
            self._window.close()
            self._window = None


# --- many at once ----------------------------------------------------------------------------------------------------


@njit
def _pick(probabilities: Array, u: float) -> int:
    """An index ([n] float64 probabilities) by a number ``u`` in [0, 1)."""
    last = 0
    for i in range(probabilities.shape[0]):
        if probabilities[i] > 0.0:
            if u < probabilities[i]:
                return i
            u -= probabilities[i]
            last = i  # where rounding leaves something over
    return last


@njit
def _begin(mdp: MDP, chosen: Array, states: Array, steps: Array, rng: Array) -> None:
    """Begin an episode in the environments ``chosen`` ([n] bool): states and steps, [n] int64, in place."""
    for i in range(states.shape[0]):
        if chosen[i]:
            states[i] = _pick(mdp.start, uniform(rng, i))
            steps[i] = 0


@njit
def _step(
    mdp: MDP,
    mode: int,
    limit: int,
    actions: Array,
    states: Array,
    steps: Array,
    over: Array,
    rng: Array,
    rewards: Array,
    terminated: Array,
    truncated: Array,
    final: Array,
) -> None:
    """A step of n environments.

    Args:
        limit: steps after which an episode is truncated; 0 = none.
        actions: [n] int64. states, steps: [n] int64, and over: [n] bool, whether its episode is over: in place.
        rewards: [n] float64, terminated, truncated: [n] bool, out.
        final: [n] int64 out: the states reached, where a new episode begins in the same step.
    """
    for i in range(states.shape[0]):
        rewards[i], terminated[i], truncated[i] = 0.0, False, False
        if mode == _NEXT_STEP and over[i]:
            states[i] = _pick(mdp.start, uniform(rng, i))
            steps[i], over[i] = 0, False
            continue
        s, a = states[i], actions[i]
        k = _pick(mdp.probability[s, a], uniform(rng, i))
        states[i] = final[i] = mdp.next_state[s, a, k]
        steps[i] += 1
        rewards[i], terminated[i] = mdp.reward[s, a, k], mdp.terminated[s, a, k]
        truncated[i] = limit > 0 and steps[i] >= limit
        over[i] = terminated[i] or truncated[i]
        if mode == _SAME_STEP and over[i]:
            states[i] = _pick(mdp.start, uniform(rng, i))
            steps[i] = 0


class GridWorldVectorEnv(VectorEnv[Array, Array, Array]):
    """Many agents, each in a copy of the world of its own, a step of all in one call of a kernel.

    Args:
        num_envs: copies n.
        max_episode_steps: steps after which an episode is truncated; none = no limit.
        autoreset_mode: any of Gymnasium's, by itself or by its name; ``metadata["autoreset_mode"]`` says which.
        world, render_mode, shown: as for ``GridWorldEnv``; all copies are rendered, but not in a window.

    Raises:
        MapError, ValueError: there is no such world, mode, or number.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 # as in Gymnasium
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": _FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        world: str | GridWorld | MDP = "rooms",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        shown: Any = None,
    ) -> None:
        if num_envs < 1 or (max_episode_steps is not None and max_episode_steps < -1):
            raise ValueError(f"there are no {num_envs} environments of {max_episode_steps} steps")
        self.mdp, self.world = _world_of(world)
        _check_render_mode(render_mode, self.metadata["render_modes"], self.world)
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": mode}  # of this one, not the class
        self.num_envs, self.render_mode = num_envs, render_mode
        self.max_episode_steps = max_episode_steps
        states, actions, _ = self.mdp.probability.shape
        self.shown = _shown(shown, states)
        self.single_observation_space = spaces.Discrete(int(self.shown.max()) + 1)
        self.single_action_space = spaces.Discrete(actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.rng = np.zeros(num_envs, np.uint64)
        """[n] uint64: each environment's generator (``rlcore.rng``)."""
        self._mode = _MODES[mode]
        self._mask = self.mdp.allowed.astype(np.int8)
        self._states, self._steps = np.zeros(num_envs, np.int64), np.zeros(num_envs, np.int64)
        self._over = np.ones(num_envs, np.bool_)
        self._final = np.zeros(num_envs, np.int64)
        self._seeded = self._begun = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes: in all environments, or those of ``options["reset_mask"]`` ([n] bool).

        Environment i gets ``seed`` + i, or the i-th of a list; without a seed it goes on with its generator.
        """
        chosen = np.ones(self.num_envs, np.bool_)
        if options is not None and "reset_mask" in options:
            chosen = self._checked_mask(options["reset_mask"])
        super().reset(seed=seed if isinstance(seed, int) else None)
        self._seed(seed)
        _begin(self.mdp, chosen, self._states, self._steps, self.rng)
        self._over[chosen] = False
        self._begun = True
        return self.shown[self._states], self._info(chosen)

    def _checked_mask(self, mask: Any) -> Array:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must be an array of {self.num_envs} bools")
        if not mask.any() or not (self._begun or mask.all()):
            raise ValueError("reset_mask must choose an environment, and all of them the first time")
        return mask

    def _seed(self, seed: int | list[int | None] | None) -> None:
        if seed is None and not self._seeded:
            seed = [int(word) for word in self.np_random.integers(1 << 62, size=self.num_envs)]
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is None:
            return
        if len(seeds) != self.num_envs:
            raise ValueError(f"there are {self.num_envs} environments, but {len(seeds)} seeds")
        for i, one in enumerate(seeds):
            if one is not None or not self._seeded:
                self.rng[i] = seed_of(int(self.np_random.integers(1 << 62)) if one is None else one)
        self._seeded = True

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """See Gymnasium; ``actions`` is [n]."""
        chosen = np.ascontiguousarray(actions, np.int64)
        count = self.mdp.allowed.shape[1]
        if chosen.shape != (self.num_envs,) or chosen.min() < 0 or chosen.max() >= count:
            raise ValueError(f"actions must be {self.num_envs} numbers from 0 to {count - 1}")
        if not self._begun:
            raise gymnasium.error.ResetNeeded("reset the environments before the first step")
        if self._mode == _MODES[AutoresetMode.DISABLED] and self._over.any():
            first = int(self._over.argmax())
            raise gymnasium.error.ResetNeeded(f"environment {first} is at its end: reset it with a reset_mask")
        n = self.num_envs
        rewards, terminated, truncated = np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        limit = max(self.max_episode_steps or 0, 0)
        _step(
            self.mdp, self._mode, limit, chosen, self._states, self._steps, self._over, self.rng,
            rewards, terminated, truncated, self._final,
        )  # fmt: skip
        info = self._info(np.ones(n, np.bool_))
        if self._mode == _SAME_STEP:
            info |= self._final_info(terminated | truncated)
        return self.shown[self._states], rewards, terminated, truncated, info

    def _info(self, known: Array) -> dict[str, Any]:
        """The masks of the environments ``known`` ([n] bool); zeros for others."""
        return {"action_mask": self._mask[self._states] * known[:, None], "_action_mask": known.copy()}

    def _final_info(self, done: Array) -> dict[str, Any]:
        """What an episode ended with, where another has begun in the same step."""
        if not done.any():
            return {}
        observations = np.full(self.num_envs, None, object)
        observations[done] = self.shown[self._final[done]].tolist()
        inner = {"action_mask": self._mask[self._final] * done[:, None], "_action_mask": done.copy()}
        return {"final_obs": observations, "_final_obs": done.copy(), "final_info": inner, "_final_info": done.copy()}

    def get_state(self) -> dict[str, Array]:
        """Where every agent stands, and all that decides how it goes on: arrays of [n], copies.

        Raises:
            gymnasium.error.ResetNeeded: no episode has begun yet.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("reset the environments before their state is asked for")
        return {name: array.copy() for name, array in self._state().items()}

    def set_state(self, state: dict[str, Array]) -> None:
        """Go on from what ``get_state`` gave, in as many environments of the same world.

        Raises:
            ValueError: it is not a state of these environments.
        """
        mine = self._state()
        for name, array in mine.items():
            if name not in state or state[name].shape != array.shape or state[name].dtype != array.dtype:
                raise ValueError(f"it is no state of {self.num_envs} grid worlds: {name} is missing or of another kind")
        if not ((state["states"] >= 0) & (state["states"] < len(self.mdp.start))).all():
            raise ValueError(f"it is a state of another world: this one has {len(self.mdp.start)} states")
        for name, array in mine.items():
            array[:] = state[name]
        self._begun = self._seeded = True

    def _state(self) -> dict[str, Array]:
        return {"states": self._states, "steps": self._steps, "over": self._over, "rng": self.rng}

    def render(self) -> tuple[Any, ...] | None:
        """Every agent on its map, by the render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("no render mode was chosen: gymnasium.make_vec(..., render_mode='ansi')")
            return None
        assert self.world is not None
        show = pictures.ansi if self.render_mode == "ansi" else pictures.frame
        return tuple(show(self.world, int(state)) for state in self._states)


IDS = {
    "rlcore/GridRooms-v0": ("rooms", 100),
    "rlcore/GridCliff-v0": ("cliff", 200),
    "rlcore/GridAima-v0": ("aima", 100),
    "rlcore/GridSuttonBarto-v0": ("sutton_barto", 100),
}
"""What is registered: the map, and the steps after which an episode is truncated."""

for _id, (_map, _limit) in IDS.items():
    gymnasium.register(
        _id,
        entry_point="games.grid_world.env:GridWorldEnv",
        vector_entry_point="games.grid_world.env:GridWorldVectorEnv",
        max_episode_steps=_limit,
        kwargs={"world": _map},
    )
