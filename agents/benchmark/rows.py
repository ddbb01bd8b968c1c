"""The rows of the benchmark: agents in environments, as the table of tuned settings has them; light, for --help."""

import dataclasses
import shlex
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from agents.settings import Training
from agents.tuned import TUNED, tuned
from rlcore.config import ConfigError

__all__ = ["QUICK", "VARIANCE", "Row", "chosen", "command", "rows"]

QUICK = (("q-learning", "FrozenLake-v1"), ("dqn", "CartPole-v1"), ("a2c", "CartPole-v1"), ("ppo", "CartPole-v1"))
"""What --quick tries, as far as it is there."""
_QUICK_STEPS = {"q-learning": 50_000}
_FEW_STEPS = 8_000
_SEEDS = {"catch-12": 3, "catch-24": 3}
"""Where it is not five: a seed of these takes millions of steps."""


class Row(NamedTuple):
    """An agent, or a variant such as "dqn+double", in an environment."""

    agent: str
    env: str

    def folder(self, root: Path) -> Path:
        """Where its run, or its logs, lie."""
        return root / self.agent / self.env.replace(":", "/")

    @property
    def seeds(self) -> int:
        """How many it is to have."""
        return _SEEDS.get(self.env, 5)

    def settings(self, runs: Path, seeds: int = 0, seed: int = 0, quick: bool = False) -> Training:
        """What is trained; with less of everything where it need only be quick. No seeds = as many as it is to have."""
        start = tuned(self.agent, self.env)
        changes: dict[str, Any] = {"run_dir": self.folder(runs), "seeds": seeds or self.seeds, "seed": seed}
        changes["tensorboard"] = False
        if quick:
            changes["steps"] = min(start.steps, _QUICK_STEPS.get(self.agent, _FEW_STEPS))
            changes |= {"evaluations": 5, "evaluation_episodes": 5, "final_episodes": 20}
        return dataclasses.replace(start, **changes)


VARIANCE = Row("reinforce", "CartPole-v1")
"""Whose gradient's variance is measured with every baseline, in one run."""


def rows() -> list[Row]:
    """All of them: environments in the order in which the table names them first."""
    envs = list(dict.fromkeys(env for _, env in TUNED))
    return sorted((Row(*key) for key in TUNED), key=lambda row: envs.index(row.env))


def chosen(agents: Sequence[str], envs: Sequence[str]) -> list[Row]:
    """Those whose agent and environment match one of the patterns each; no patterns match everything.

    Raises:
        ConfigError: a pattern matches nothing.
    """
    for patterns, names, what in (
        (agents, [agent for agent, _ in TUNED], "agent"),
        (envs, [env for _, env in TUNED], "environment"),
    ):
        for pattern in patterns:
            if not any(fnmatch(name, pattern) for name in names):
                raise ConfigError(f"no {what} is called {pattern}; there are {', '.join(dict.fromkeys(names))}")
    found = [row for row in rows() if _matches(row.agent, agents) and _matches(row.env, envs)]
    if not found:
        raise ConfigError(f"{', '.join(agents)} and {', '.join(envs)} have no tuned settings in common")
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch(name, pattern) for pattern in patterns)


def command(row: Row, seeds: int = 0) -> str:
    """What repeats a row, by itself; no seeds = as many as it is to have."""
    return shlex.join(["python", "scripts/train.py", row.agent, "--env", row.env, "--seeds", str(seeds or row.seeds)])
