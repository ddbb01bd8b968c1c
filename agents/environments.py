"""Environments by their ids: found, made without Gymnasium's checks of every step, and errors that say what to do.

    envs = make("CartPole-v1", num=8, seed=0)
    step = envs.step(actions)          # what it brought; envs.observations is what to act on next

Gymnasium is needed where environments are made, not where this module is imported.
"""

import difflib
import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

from agents.loop import STEP_CAP, Loop
from agents.spaces import Kind, Spec, UnusableEnvironment
from agents.steps import Environments, FaultyEnvironment, Step
from agents.vectorised import Vectorised

__all__ = [
    "STEP_CAP", "Environments", "FaultyEnvironment", "Kind", "Loop", "Spec", "Step", "UnusableEnvironment",
    "Vectorised", "find", "make", "one_of",
]  # fmt: skip

_OURS = ("games.catch.env", "games.glimpse.env", "games.grid_world.env", "games.hidden")
"""Modules that register ids which begin with rlcore/."""
_FRAME_SKIP = 4  # frames of an Atari game that a step lasts


def make(
    env_id: str, num: int, seed: int, *, max_steps: int | None = None, render_mode: str | None = None
) -> Environments:
    """``num`` environments of a registered id; "package:Id-v0" imports the package first.

    Args:
        seed: every environment is seeded once, each with a seed of its own that follows from this one.
        max_steps: steps after which an episode is truncated; None = as registered, or ``STEP_CAP``.
        render_mode: of the first environment: "human", "rgb_array" or "ansi".

    Raises:
        UnusableEnvironment: there is no such environment, a library is missing, no agent here can use its spaces, or it
            cannot be rendered like that.
        FaultyEnvironment: what it begins with breaks the rules.
    """
    if num < 1 or (max_steps is not None and max_steps < 1):
        raise UnusableEnvironment(f"there are no {num} environments of {max_steps} steps")
    found = find(env_id)
    limit = max_steps or found.limit or STEP_CAP
    if render_mode is None:
        vector = _vector_of(found, num, limit)
        if vector is not None:
            return Vectorised(vector, seed, name=found.id, max_steps=limit, threshold=found.threshold)
    envs = [one_of(found, render_mode if i == 0 else None) for i in range(num)]
    with _usable(found.id) if render_mode else nullcontext():  # a window opens at the first reset
        return Loop(envs, seed, name=found.id, max_steps=limit, threshold=found.threshold)


class Found(NamedTuple):
    """A registered environment."""

    id: str
    registered: Any
    """Gymnasium's EnvSpec."""
    limit: int
    """Steps after which it is registered to truncate an episode; 0 = never."""
    threshold: float | None
    """The mean return at which it is registered to be solved."""
    atari: bool


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _usable(env_id: str) -> Iterator[None]:
    """What goes wrong while an environment is made, as one line."""
    from gymnasium.error import DependencyNotInstalled, Error

    try:
        yield
    except (UnusableEnvironment, FaultyEnvironment):
        raise
    except (DependencyNotInstalled, ImportError) as error:
        raise UnusableEnvironment(f"{env_id} needs a library that is not installed: {_line(error)}") from error
    except (Error, RuntimeError, TypeError, ValueError) as error:
        raise UnusableEnvironment(f"{env_id} cannot be made: {_line(error)}") from error


def find(env_id: str) -> Found:
    """The environment of an id, as "Id-v0", "Id" for its newest version, or "package:Id-v0".

    Raises:
        UnusableEnvironment: there is none; names the most similar one.
    """
    import gymnasium
    from gymnasium.envs.registration import find_highest_version, parse_env_id

    module, _, name = env_id.rpartition(":")
    atari = name.startswith("ALE/") or name.endswith("NoFrameskip-v4")
    if atari:
        with _installed(env_id, 'pip install "gymnasium[atari,other]"'):
            importlib.import_module("ale_py")
    if name.startswith("rlcore/"):
        for ours in _OURS:
            importlib.import_module(ours)
    if module:
        with _installed(env_id, f"is the package that registers {name} installed?"):
            importlib.import_module(module)
    registered = gymnasium.registry.get(name)
    try:
        if registered is None:
            namespace, plain, version = parse_env_id(name)
            newest = find_highest_version(namespace, plain) if version is None else None
            registered = gymnasium.spec(name if newest is None else f"{name}-v{newest}")
    except gymnasium.error.DeprecatedEnv as error:
        raise UnusableEnvironment(f"{name} is too old for this Gymnasium: {_line(error)}") from error
    except gymnasium.error.Error as error:
        raise UnusableEnvironment(f"there is no environment {name!r}{_nearest(name)}") from error
    limit = max(registered.max_episode_steps or 0, 0)
    return Found(
        registered.id, registered, -(-limit // _FRAME_SKIP) if atari else limit, registered.reward_threshold, atari
    )


def _nearest(name: str) -> str:
    import gymnasium

    by_lower = {known.lower(): known for known in sorted(gymnasium.registry)}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    if close:
        return f"; did you mean {by_lower[close[0]]}?"
    return '; an environment of another package is named "package:Id-v0"'


@contextmanager
def _installed(env_id: str, what_to_do: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UnusableEnvironment(f"{env_id} needs a library: {_line(error)}; {what_to_do}") from error


def one_of(found: Found, render_mode: str | None) -> Any:
    """One environment, with its own wrappers and none of Gymnasium's: no checker, no order, no time limit.

    Raises:
        UnusableEnvironment: it cannot be made, or not be rendered like that.
    """
    import gymnasium

    settings: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
    if found.atari:
        settings["frameskip"] = 1
    with _usable(found.id), warnings.catch_warnings():
        if render_mode is not None:
            warnings.simplefilter("ignore")  # that a mode is unknown is an error below
        bare = replace(found.registered, order_enforce=False)
        env = gymnasium.make(bare, max_episode_steps=-1, disable_env_checker=True, **settings)
        if found.atari:
            env = gymnasium.wrappers.AtariPreprocessing(env, frame_skip=_FRAME_SKIP)
    known = env.metadata.get("render_modes") or []
    if render_mode is not None and render_mode not in known:
        env.close()
        raise UnusableEnvironment(
            f"{found.id} is not rendered as {render_mode}; there is {', '.join(known) or 'nothing'}"
        )
    return env


def _vector_of(found: Found, num: int, limit: int) -> Any:
    """``num`` of it in one vector environment whose state can be saved; None where it is registered with none such."""
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    entry = found.registered.vector_entry_point
    if entry is None or found.registered.additional_wrappers or found.atari:
        return None
    with _usable(found.id):
        if not hasattr(load_env_creator(entry) if isinstance(entry, str) else entry, "get_state"):
            return None
        return gymnasium.make_vec(
            found.registered, num, vectorization_mode="vector_entry_point", max_episode_steps=limit
        )
