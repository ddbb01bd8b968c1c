"""In which ranges settings are searched for, by agent: what ``scripts/tune.py`` draws from. Light, for --help."""

from typing import Any, NamedTuple

from agents.settings import Training

__all__ = ["RANGES", "Between", "Range", "widened"]


class Between(NamedTuple):
    """Any number between two, ends included; whole ones where both ends are."""

    low: float
    high: float
    log: bool = False
    """Even in the logarithm."""


Range = Between | tuple[Any, ...]
"""A tuple is a choice of values."""

_GAMMAS = (0.95, 0.98, 0.99, 0.995, 0.999)
_SIZES = ((64, 64), (128, 128), (256, 256))

_TABULAR: dict[str, Range] = {
    "epsilon_final": Between(0.02, 0.5),
    "epsilon_share": Between(0.1, 1.0),
    "learning_rate_power": Between(0.5, 1.0),
    "initial_value": Between(0.0, 1.0),
}
_GRADIENT: dict[str, Range] = {
    "learning_rate": Between(1e-4, 1e-2, log=True),
    "gamma": _GAMMAS,
    "entropy": Between(1e-4, 0.1, log=True),
    "hidden": _SIZES,
    "normalise_observations": (False, True),
    "normalise_rewards": (False, True),
}
_CRITIC: dict[str, Range] = {"gae_lambda": (0.8, 0.9, 0.95, 0.98, 1.0), "num_envs": (8, 16, 32)}

RANGES: dict[str, dict[str, Range]] = {
    "q-learning": _TABULAR,
    "sarsa": _TABULAR,
    "dqn": {
        "learning_rate": Between(1e-4, 5e-3, log=True),
        "gamma": _GAMMAS,
        "hidden": _SIZES,
        "batch_size": (32, 64, 128),
        "updates_per_step": (0.125, 0.25, 0.5, 1.0),
        "target_every": Between(30, 1000, log=True),
        "epsilon_final": Between(0.01, 0.1),
        "epsilon_share": Between(0.05, 0.5),
        "n_step": (1, 3, 5),
    },
    "reinforce": {**_GRADIENT, "episodes": (1, 2, 4, 8, 16), "value_learning_rate": Between(1e-4, 1e-2, log=True)},
    "a2c": {**_GRADIENT, **_CRITIC, "rollout_steps": (5, 8, 16, 32), "optimizer": ("rmsprop", "adam")},
    "ppo": {
        **_GRADIENT,
        **_CRITIC,
        "rollout_steps": (16, 32, 64, 128, 256),
        "epochs": (4, 10, 20),
        "minibatch_size": (64, 256),
        "clip": (0.1, 0.2, 0.3),
    },
    "recurrent-attention": {
        "learning_rate": Between(5e-4, 1e-2, log=True),
        "sigma": Between(0.05, 0.3, log=True),
        "num_envs": (128, 256, 512),
        "core": ("rnn", "lstm", "gru"),
        "units": (64, 128, 256),
        "epochs": (1, 2, 4),
    },
}


def widened(found: Range, start: Training, name: str) -> Range:
    """A range that holds the setting which the search begins with."""
    value = getattr(start, name)
    if not isinstance(found, Between):
        return found if value in found else (*found, value)
    if found.log and value <= 0:  # such as an entropy of 0
        return Between(0.0, found.high)
    return found._replace(low=min(found.low, value), high=max(found.high, value))
