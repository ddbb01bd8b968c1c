"""What the tests of agents share: tiny tasks, and training that is taken apart."""

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from agents.agent import Agent, Saved, agent_class
from agents.environments import Environments, Loop, Vectorised
from games.grid_world.env import GridWorldEnv, GridWorldVectorEnv
from rlcore.tensors import read_tensors, write_tensors

torch.set_num_threads(1)  # as seeds train, and much faster for networks of this size
CORRIDOR = "S..G\n...."


class Forever(gymnasium.Env):
    """One state, a reward of 1 a step, no end of its own."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.ones(1, np.float32), {}

    def step(self, action):
        return np.ones(1, np.float32), 1.0, False, False, {}


class Target(Forever):
    """An action of two numbers; the nearer to (1, -0.5), the better. What it shows is large, and means nothing."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Box(np.array([-2.0, -2.0], np.float32), np.array([4.0, 2.0], np.float32))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._show(), {}

    def _show(self):
        return (100.0 + 10.0 * self.np_random.standard_normal(3)).astype(np.float32)

    def step(self, action):
        return self._show(), -float(np.square(action - [1.0, -0.5]).sum()), False, False, {}


class Arms(Forever):
    """Four arms, of which only some may be pulled, by turns; the number of the arm is the reward."""

    action_space = spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        gymnasium.Env.reset(self, seed=seed)
        self.mask = np.array([1, 1, 0, 0], np.int8)
        return np.ones(1, np.float32), {"action_mask": self.mask}

    def step(self, action):
        assert self.mask[action], f"arm {action} may not be pulled: {self.mask}"
        self.mask = 1 - self.mask
        return np.ones(1, np.float32), float(action), False, False, {"action_mask": self.mask}


def loop_of(kind, num: int = 2, limit: int = 5, seed: int = 0) -> Loop:
    return Loop([kind() for _ in range(num)], seed, max_steps=limit)


def worlds(mode: AutoresetMode | None, num: int = 3, limit: int = 7) -> Environments:
    """Corridors in an autoreset mode, or in a plain loop, with a goal three steps to the right (action 1)."""
    if mode is None:
        return Loop([GridWorldEnv(CORRIDOR) for _ in range(num)], 0, max_steps=limit)
    return Vectorised(GridWorldVectorEnv(num, limit, CORRIDOR, mode), 0, max_steps=limit)


def make_agent(config, envs: Environments, seed: int = 0) -> Agent:
    return agent_class(config.agent)(envs.spec, config, seed)


def through_a_file(saved: Saved) -> Saved:
    """What comes back from a checkpoint."""
    tensors = {name: read_tensors(write_tensors(group), "torch") for name, group in saved.tensors.items()}
    return Saved(tensors, saved.state)


def same(one: Agent, other: Agent) -> bool:
    """Whether all tensors of two agents are equal, bit for bit."""
    first, second = through_a_file(one.save()), through_a_file(other.save())
    return first.state == second.state and all(
        first.tensors[group].keys() == second.tensors[group].keys()
        and all(bool((value == second.tensors[group][name]).all()) for name, value in tensors.items())
        for group, tensors in first.tensors.items()
    )


def train_for(agent: Agent, envs: Environments, steps: int) -> Agent:
    while agent.steps < steps:
        agent.advance(envs)
    return agent
