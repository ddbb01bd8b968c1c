"""What the tests of environments share."""

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from rlcore import mdp
from rlcore.mdp import MDP


def toy_text(name: str, **settings) -> MDP:
    """An environment of Gymnasium's by the newest of its ids that is installed."""
    spec = max((spec for spec in gymnasium.registry.values() if spec.name == name), key=lambda spec: spec.version)
    return mdp.from_env(gymnasium.make(spec.id, **settings))


def rollout(envs, actions: Iterable, seed: int | None = 7) -> list:
    """What comes back of a reset and of each action; a reset of what has ended, too, where the mode asks for one."""
    mode, told = envs.metadata["autoreset_mode"], [envs.reset(seed=seed)] if seed is not None else []
    for row in actions:
        told.append(envs.step(row))
        done = told[-1][2] | told[-1][3]
        if mode == AutoresetMode.DISABLED and done.any():
            told.append(envs.reset(options={"reset_mask": done}))
    return told


def same(ours: Any, theirs: Any) -> bool:
    """Whether two things that environments return are equal, in the dtypes and the shapes of arrays, too."""
    if isinstance(theirs, dict):
        return set(ours) == set(theirs) and all(same(ours[name], theirs[name]) for name in theirs)
    if isinstance(theirs, (tuple, list)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if not isinstance(theirs, np.ndarray):
        return ours == theirs
    if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
        return False
    return same(list(ours), list(theirs)) if theirs.dtype == object else np.array_equal(ours, theirs)
