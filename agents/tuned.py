"""Settings found good for well-known environments, by agent: what ``scripts/train.py`` takes unless told otherwise.

Tuned on seeds from 100 on; the scores in BENCHMARKS.md are of seeds 0 to 4.
"""

import argparse
import dataclasses
import functools
import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.settings import AGENTS, Training
from rlcore.config import ConfigError, read

__all__ = ["TUNED", "UNMEASURED", "starting_point", "tuned", "usual"]

_DQN: dict[str, Any] = {"double": True, "n_step": 3, "learning_rate_final": 0.0, "replay_size": 100_000}

_LAKE: dict[str, Any] = {"epsilon_final": 0.5, "initial_value": 1.0, "learning_rate_visits": 100.0}

_LAKE_DQN: dict[str, Any] = {  # no hidden layer over one number a state: a table, learned from a replay
    "num_envs": 32, "hidden": (), "learning_rate": 0.02, "learning_rate_final": 0.0, "batch_size": 256,
    "train_every": 320, "updates_per_step": 0.05, "epsilon_final": 0.5,
}  # fmt: skip

_LOOK: dict[str, Any] = {"steps": 6_000_000, "learning_rate": 3e-3, "sigma": 0.15, "alpha": 1.0}

# What makes Catch by glimpses learn is PPO over hundreds of games at once with generalized advantages; the lesson and
# the informed baseline save frames.
_LOOK_AND_ACT: dict[str, Any] = {
    "core": "lstm", "num_envs": 512, "epochs": 4, "learning_rate_final": 2e-4, "max_gradient_norm": 0.5,
    "entropy": 0.01, "notice": 1.0, "informed": True,
}  # fmt: skip

_NORMALISED: dict[str, Any] = {"normalise_observations": True, "normalise_rewards": True}

TUNED: dict[tuple[str, str], dict[str, Any]] = {
    ("dqn", "CartPole-v1"): {**_DQN, "n_step": 5, "hidden": (64, 64), "batch_size": 128},
    ("dqn", "Acrobot-v1"): {**_DQN, "steps": 150_000},
    ("dqn", "MountainCar-v0"): {
        **_DQN, "steps": 300_000, "n_step": 5, "hidden": (64, 64), "updates_per_step": 0.5, "batch_size": 128,
        "replay_size": 300_000, "target_every": 250, "epsilon_share": 0.1, "epsilon_final": 0.02, "random_repeats": 2.0,
    },
    ("dqn", "LunarLander-v3"): {
        **_DQN, "steps": 500_000, "learning_rate": 5e-4, "updates_per_step": 1.0, "replay_size": 200_000,
        "target_every": 1000, "epsilon_share": 0.1, "epsilon_final": 0.01,
    },
    ("reinforce", "CartPole-v1"): {"steps": 500_000, "learning_rate_final": 0.0},
    ("reinforce", "Acrobot-v1"): {
        "steps": 500_000, "episodes": 4, "entropy": 0.01, "learning_rate_final": 0.0, "normalise_advantages": True,
        "normalise_observations": True,
    },
    ("reinforce", "rlcore/ShortCorridor-v0"): {
        "hidden": (), "gamma": 1.0, "num_envs": 16, "episodes": 16, "learning_rate": 0.05, "learning_rate_final": 0.0,
        "value_learning_rate": 0.05, "scored_as_drawn": True,
    },
    ("a2c", "CartPole-v1"): {"steps": 500_000, "learning_rate_final": 0.0},
    ("a2c", "Acrobot-v1"): {"steps": 1_000_000, "num_envs": 16, "learning_rate_final": 0.0, **_NORMALISED},
    ("a2c", "MountainCar-v0"): {"steps": 1_000_000, "num_envs": 16, "learning_rate_final": 0.0, **_NORMALISED},
    ("a2c", "LunarLander-v3"): {  # no longer: it gets worse again
        "steps": 200_000, "gamma": 0.995, "learning_rate": 8.3e-4, "learning_rate_final": 0.0, "entropy": 1e-5,
    },
    ("a2c", "Pendulum-v1"): {
        "steps": 300_000, "rollout_steps": 16, "gamma": 0.9, "gae_lambda": 0.95, "optimizer": "adam",
        "learning_rate": 2e-3, "learning_rate_final": 0.0, "normalise_rewards": True,
    },
    ("ppo", "CartPole-v1"): {
        "steps": 200_000, "rollout_steps": 32, "epochs": 20, "gae_lambda": 0.8, "gamma": 0.98,
        "learning_rate": 1e-3, "learning_rate_final": 0.0, "clip_final": 0.0,
    },
    ("ppo", "Acrobot-v1"): {
        "steps": 1_000_000, "num_envs": 16, "rollout_steps": 256, "minibatch_size": 64, "gae_lambda": 0.94,
        "learning_rate_final": 0.0, **_NORMALISED,
    },
    ("ppo", "MountainCar-v0"): {
        "steps": 1_000_000, "num_envs": 16, "rollout_steps": 64, "minibatch_size": 256, "epochs": 10,
        "gae_lambda": 0.98, "gamma": 0.995, "learning_rate_final": 0.0, **_NORMALISED,
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
    ("recurrent-attention", "digits-centred"): {**_LOOK},
    ("recurrent-attention", "digits-translated"): {**_LOOK},
    ("recurrent-attention", "digits-cluttered"): {**_LOOK},
    ("recurrent-attention", "catch-12"): {
        **_LOOK_AND_ACT, "steps": 4_000_000, "rollout_steps": 22, "minibatch_size": 2816,
    },
    ("recurrent-attention", "catch-24"): {
        **_LOOK_AND_ACT, "steps": 8_000_000, "rollout_steps": 23, "minibatch_size": 2944,
    },
    ("dqn", "FrozenLake-v1"): {**_LAKE_DQN, "steps": 300_000, "replay_size": 300_000, "target_every": 200},
    ("dqn", "FrozenLake8x8-v1"): {**_LAKE_DQN, "steps": 1_000_000, "replay_size": 1_000_000, "target_every": 40},
    ("dqn", "rlcore/Catch-v0"): {
        **_DQN, "steps": 150_000, "num_envs": 16, "hidden": (128,), "epsilon_share": 0.3, "epsilon_final": 0.02,
    },
    ("q-learning", "FrozenLake-v1"): {**_LAKE, "steps": 1_000_000, "num_envs": 64},
    ("q-learning", "FrozenLake8x8-v1"): {**_LAKE, "steps": 4_000_000, "num_envs": 128, "gamma": 0.999},
    ("sarsa", "FrozenLake-v1"): {**_LAKE, "steps": 1_000_000, "num_envs": 64, "epsilon_final": 0.1},
    ("sarsa", "FrozenLake8x8-v1"): {
        **_LAKE, "steps": 4_000_000, "num_envs": 128, "epsilon_final": 0.1, "gamma": 0.999,
    },
}  # fmt: skip
"""What differs from an agent's usual settings, by agent and environment. The benchmark's rows are these; a name such as
"dqn+double" is a variant of an agent."""

_RAINBOW: dict[str, dict[str, Any]] = {
    "double": {"double": True},
    "dueling": {"dueling": True},
    "n-step": {"n_step": 5},
    "prioritised": {"prioritised": True},
    "noisy": {"noisy": True},
    "distributional": {"distributional": True, "value_least": 0.0, "value_most": 100.0},  # 1 / (1 - gamma)
}
_WITHOUT = {"n_step": 1, **dict.fromkeys(("double", "dueling", "prioritised", "noisy", "distributional"), False)}
_PLAIN = TUNED["dqn", "CartPole-v1"] | _WITHOUT

TUNED["dqn+plain", "CartPole-v1"] = _PLAIN
TUNED |= {(f"dqn+{name}", "CartPole-v1"): _PLAIN | part for name, part in _RAINBOW.items()}
TUNED["dqn+rainbow", "CartPole-v1"] = functools.reduce(operator.or_, _RAINBOW.values(), _PLAIN)

TUNED["ppo+feed-forward", "rlcore/Recall-v0"] = TUNED["ppo", "rlcore/Recall-v0"] | {"cell": "none"}


_CONTROLS: dict[str, dict[str, Any]] = {
    "random-eye": {"eye": "random"},
    "fixed-eye": {"eye": "centre"},
    "full-fc": {"control": "full-fc"},
    "full-conv": {"control": "full-conv"},
    "logistic": {"control": "logistic"},
}
_SHARES = {"digits-centred": 4, "digits-translated": 6, "digits-cluttered": 6, "catch-12": 4, "catch-24": 4}
"""Who sees a digit whole takes one step, not so many: as many digits for all. Catch seen whole needs a quarter."""
for _env, _share in _SHARES.items():
    _settings = TUNED["recurrent-attention", _env]
    for _name, _control in _CONTROLS.items():
        if _name == "logistic" and _env.startswith("catch"):
            continue
        _steps = _settings["steps"] // (_share if "control" in _control else 1)
        TUNED[f"recurrent-attention+{_name}", _env] = _settings | _control | {"steps": _steps}


UNMEASURED: dict[tuple[str, str], dict[str, Any]] = {  # the paper's networks; nobody has tuned these here
    ("recurrent-attention", env): {
        "steps": 36_000_000, "num_envs": 128, "hidden": (128, 256), "units": 256, "sigma": 0.1, "alpha": 1.0,
        "evaluation_episodes": 5_000, "final_episodes": 10_000,
    }
    for env in ("mnist-centred", "mnist-translated", "mnist-cluttered", "mnist-cluttered-100")
}  # fmt: skip
"""Settings to start from where the benchmark has no row, because the data must be brought along."""


def usual(name: str) -> Training:
    """An agent's usual settings, also by the name of one of its variants.

    Raises:
        ConfigError: there is no such agent or variant.
    """
    agent, _, variant = name.partition("+")
    if agent not in AGENTS:
        raise ConfigError(f"there is no agent {agent!r}: {', '.join(AGENTS)}")
    known = list(dict.fromkeys(other.partition("+")[2] for other, _ in TUNED if other.startswith(f"{agent}+")))
    if variant not in ("", *known):
        raise ConfigError(f"there is no variant {variant!r} of {agent}{': ' if known else ''}{', '.join(known)}")
    return AGENTS[agent]()


def tuned(name: str, env: str) -> Training:
    """The settings to start from in an environment; of a variant as well, which has a folder of its own.

    Raises:
        ConfigError: there is no such agent, no such variant, or none for this environment.
    """
    start = dataclasses.replace(usual(name), env=env, **TUNED.get((name, env), UNMEASURED.get((name, env), {})))
    if "+" not in name:
        return start
    if (name, env) not in TUNED:
        known = [other for agent, other in TUNED if agent == name]
        raise ConfigError(f"there are no settings of {name} for {env}, only for {', '.join(known)}")
    return dataclasses.replace(start, run_dir=Path("runs") / name / env.replace(":", "/"))


def starting_point(name: str, flags: Sequence[str]) -> Training:
    """What a command line changes: the settings of the run that its folder holds, else those for its environment.

    Raises:
        ConfigError: there is no such agent, or the run's settings cannot be read.
    """
    default = usual(name)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--env", default=None)
    parser.add_argument("--run-dir", "--run_dir", type=Path, default=None)
    parser.add_argument("--seed", default=None)
    try:
        named, _ = parser.parse_known_args([flag for flag in flags if flag not in ("-h", "--help")])
    except argparse.ArgumentError:  # a flag without a value; whoever reads them all says so
        return default
    start = tuned(name, named.env or default.env)
    start = dataclasses.replace(start, run_dir=named.run_dir or start.run_dir)
    folder = start.folder()
    numbers = sorted(int(path.name[5:]) for path in folder.glob("seed-*") if path.name[5:].isdigit())
    for path in (folder / f"seed-{number}" / "config.json" for number in numbers):
        if path.exists():
            found = read(type(start), path)
            if named.env not in (None, found.env):
                raise ConfigError(f"{folder} holds a run on {found.env}; choose another --run-dir")
            seeds = len(numbers) if named.seed is None else 1  # --seed N alone is that seed, whatever others there are
            return dataclasses.replace(found, run_dir=start.run_dir, seeds=seeds, seed=numbers[0])
    return start
