"""Random actions as an agent: what a score is worth is seen beside what chance brings."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from agents import seen
from agents.agent import Agent, seed_for
from agents.evaluation import evaluate, exact
from agents.results import Result
from agents.settings import RecurrentAttention, Training
from agents.spaces import Spec
from agents.steps import Environments
from rlcore.jit import Array

__all__ = ["NAME", "play"]

NAME = "random"


@dataclass(frozen=True)
class _Settings(Training):
    agent: ClassVar[str] = NAME


class _Uniform(Agent):
    """All actions that are allowed with equal probability; continuous ones anywhere in their box."""

    def __init__(self, spec: Spec, config: Training, seed: int) -> None:
        super().__init__(spec, config, seed)
        self._rng = np.random.default_rng(seed_for(seed, "actions"))

    def act(
        self, observations: Array, masks: Array | None, memory: Any = None, greedy: bool = True
    ) -> tuple[Array, Any]:
        n, spec = len(observations), self.spec
        if not spec.num_actions:
            return self._rng.uniform(spec.low, spec.high, (n, len(spec.low))).astype(np.float32), memory
        keys = self._rng.random((n, spec.num_actions))
        return np.where(True if masks is None else masks, keys, -1.0).argmax(-1), memory

    def advance(self, envs: Environments) -> None:
        raise NotImplementedError("random actions learn nothing")

    def weights(self) -> dict[str, Any]:
        return {}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        return


class _UniformlySeen(_Uniform):
    """The same in a task of the recurrent attention model."""

    def trials(self, episodes: int, seed: int, purpose: str) -> tuple[Environments, int]:
        return seen.trials(RecurrentAttention(env=self.config.env), episodes, seed, purpose)


def play(env: str, seed: int, episodes: int) -> Result:
    """The result of so many episodes of random actions; and what is known exactly of them and of the best policy.

    Raises:
        UnusableEnvironment: there is no such environment, or a library is missing.
    """
    began = time.perf_counter()
    if env in seen.TASKS:
        spec = seen.environments(RecurrentAttention(env=env), 1, seed).spec
        agent: _Uniform = _UniformlySeen(spec, _Settings(env=env), seed)
    else:
        from agents.environments import make

        envs = make(env, 1, seed)
        envs.close()
        agent = _Uniform(envs.spec, _Settings(env=env), seed)
    scores, worth = evaluate(agent, episodes, seed, "final"), exact(agent)
    return {
        "agent": NAME,
        "env": env,
        "seed": seed,
        "steps": 0,
        "seconds": round(time.perf_counter() - began, 3),
        "training": {"episodes": 0, "mean": None},
        "final": {"returns": scores.returns.tolist(), "mean": scores.mean},
        "best": None,
        "evaluations": [],
        "threshold": agent.spec.threshold,
        "exact": None if worth is None else {"return": worth.uniform, "best": worth.best, "uniform": worth.uniform},
    }
