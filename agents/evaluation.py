"""How good an agent is: episodes in environments of their own, which nothing is learned from."""

from typing import NamedTuple

import numpy as np

from agents.agent import Agent, seed_for
from rlcore import mdp
from rlcore.jit import Array

__all__ = ["Exact", "Scores", "evaluate", "exact"]


class Scores(NamedTuple):
    """Episodes played to the end."""

    returns: Array
    """[episodes] float64: sums of rewards, not discounted."""
    lengths: Array
    """[episodes] int64"""

    @property
    def mean(self) -> float:
        return float(self.returns.mean())


def evaluate(agent: Agent, episodes: int, seed: int, purpose: str, number: int = 0) -> Scores:
    """The agent's best actions for so many episodes, each in an environment with a seed of its own.

    Args:
        seed: of the run.
        purpose, number: what these episodes are for; others get other seeds.
    """
    envs, episodes = agent.trials(episodes, seed_for(seed, purpose, number), purpose)
    at_once = envs.num
    quota = np.full(at_once, episodes // at_once) + (np.arange(at_once) < episodes % at_once)
    found: list[tuple[float, int]] = []
    memory = agent.begin(at_once)
    try:
        while (quota > 0).any():
            actions, memory = agent.act(envs.observations, envs.masks, memory)
            step = envs.step(actions)
            fresh = step.fresh
            if len(fresh):
                agent.forget(memory, fresh)
                for i, total, length in zip(step.ended, step.returns, step.lengths, strict=True):
                    if quota[i] > 0:  # as many of each: whoever takes the first to end takes the short ones
                        found.append((float(total), int(length)))
                        quota[i] -= 1
    finally:
        envs.close()
    return Scores(np.array([r for r, _ in found]), np.array([n for _, n in found]))


class Exact(NamedTuple):
    """Expected returns within the time limit, computed from the transitions and not played."""

    value: float
    best: float
    """Of the best policy, one that also looks at the steps left."""
    uniform: float
    """Of random actions."""


def exact(agent: Agent) -> Exact | None:
    """What the agent's policy is worth, where the environment shows its transitions and observations are states."""
    from agents.environments import find, one_of

    if agent.spec.kind != "index" or agent.spec.num_actions == 0 or agent.begin(1) is not None:
        return None
    env = one_of(find(agent.config.env), None)
    try:
        process = mdp.from_env(env)
    except ValueError:
        return None
    finally:
        env.close()
    limit = agent.config.max_episode_steps or agent.spec.time_limit
    if process.start.shape[0] != agent.spec.size or limit < 1:
        return None
    actions, _ = agent.act(np.arange(agent.spec.size), process.allowed)
    policy = np.zeros(process.allowed.shape)
    policy[np.arange(len(actions)), actions] = 1.0
    return Exact(
        mdp.return_within(process, policy, limit),
        mdp.best_return_within(process, limit),
        mdp.return_within(process, mdp.uniform(process), limit),
    )
