"""Settings found good for well-known environments, by agent: what ``scripts/train.py`` takes unless told otherwise.

Tuned on seeds from 100 on; the scores in BENCHMARKS.md are of seeds 0 to 4.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.settings import AGENTS, Training
from rlcore.config import ConfigError, read

__all__ = ["TUNED", "starting_point", "tuned"]

_NORMALISED: dict[str, Any] = {"normalise_observations": True, "normalise_rewards": True}

TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("dqn", "CartPole-v1"): {"double": True, "n_step": 3, "learning_rate_final": 0.0, "replay_size": 100_000},
    ("reinforce", "CartPole-v1"): {"steps": 500_000, "learning_rate_final": 0.0},
    ("reinforce", "rlcore/ShortCorridor-v0"): {
        "hidden": (), "gamma": 1.0, "num_envs": 16, "episodes": 16, "learning_rate": 0.05, "learning_rate_final": 0.0,
        "value_learning_rate": 0.05, "scored_as_drawn": True,
    },
    ("a2c", "CartPole-v1"): {"steps": 500_000, "learning_rate_final": 0.0},
    ("a2c", "Acrobot-v1"): {"steps": 1_000_000, "num_envs": 16, "learning_rate_final": 0.0, **_NORMALISED},
    ("ppo", "CartPole-v1"): {
        "steps": 200_000, "rollout_steps": 32, "epochs": 20, "gae_lambda": 0.8, "gamma": 0.98,
        "learning_rate": 1e-3, "learning_rate_final": 0.0, "clip_final": 0.0,
    },
    ("ppo", "Acrobot-v1"): {
        "steps": 1_000_000, "num_envs": 16, "rollout_steps": 256, "minibatch_size": 64, "gae_lambda": 0.94,
        "learning_rate_final": 0.0, **_NORMALISED,
    },
    ("ppo", "MountainCar-v0"): {
        "steps": 1_000_000, "num_envs": 16, "rollout_steps": 16, "minibatch_size": 64, "gae_lambda": 0.98,
        **_NORMALISED,
    },
    ("ppo", "LunarLander-v3"): {
        "steps": 1_000_000, "num_envs": 16, "rollout_steps": 1024, "minibatch_size": 64, "gae_lambda": 0.98,
        "gamma": 0.999, "entropy": 0.01,
    },
    ("ppo", "Pendulum-v1"): {
        "steps": 300_000, "num_envs": 4, "rollout_steps": 1024, "minibatch_size": 64, "epochs": 10, "gamma": 0.9,
        "learning_rate": 1e-3, "learning_rate_final": 1e-4, "normalise_rewards": True,
    },
    ("ppo", "rlcore/Recall-v0"): {
        "steps": 60_000, "num_envs": 16, "rollout_steps": 63, "learning_rate": 3e-3, "entropy": 0.01, "hidden": (32,),
        "shared": True, "cell": "lstm", "units": 32,
    },
}  # fmt: skip
"""What differs from an agent's usual settings, by agent and environment."""


def tuned(agent: str, env: str) -> Training:
    """The settings to start from in an environment."""
    return dataclasses.replace(AGENTS[agent](), env=env, **TUNED.get((agent, env), {}))


def starting_point(agent: str, flags: Sequence[str]) -> Training:
    """What a command line changes: the settings of the run that its folder holds, else those for its environment.

    Raises:
        ConfigError: the run's settings cannot be read.
    """
    usual = AGENTS[agent]()
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--env", default=None)
    parser.add_argument("--run-dir", "--run_dir", type=Path, default=None)
    try:
        named, _ = parser.parse_known_args([flag for flag in flags if flag not in ("-h", "--help")])
    except argparse.ArgumentError:  # a flag without a value; whoever reads them all says so
        return usual
    start = tuned(agent, named.env or usual.env)
    folder = dataclasses.replace(start, run_dir=named.run_dir).folder()
    numbers = sorted(int(path.name[5:]) for path in folder.glob("seed-*") if path.name[5:].isdigit())
    for path in (folder / f"seed-{number}" / "config.json" for number in numbers):
        if path.exists():
            found = read(type(start), path)
            if named.env not in (None, found.env):
                raise ConfigError(f"{folder} holds a run on {found.env}; choose another --run-dir")
            return dataclasses.replace(found, run_dir=named.run_dir, seeds=len(numbers), seed=numbers[0])
    return start
