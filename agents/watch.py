"""Trained agents looked at: scored again, watched as they act, recorded."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agents.agent import Policy, load, seed_folders, seed_for
from agents.environments import find, one_of
from agents.evaluation import evaluate, exact
from agents.settings import RecurrentAttention
from agents.spaces import UnusableEnvironment
from rlcore.files import write_whole
from rlcore.statistics import interval, iqm

__all__ = ["play", "record", "score"]

_MOST_FRAMES = 600  # of a GIF
_MOST_STEPS = 100_000  # of an episode without a limit of its own
_SLOWEST = 0.5  # seconds a step is shown, at most


def score(run_dir: Path, episodes: int) -> None:
    """Print what the final parameters of each seed are worth in so many fresh episodes: greedy actions, new seeds.

    Raises:
        ConfigError, CheckpointError, UnusableEnvironment: there is nothing to score.
    """
    means = []
    for folder in seed_folders(run_dir):
        agent = load(folder).agent
        found = evaluate(agent, episodes, int(folder.name[5:]), "again")
        worth = exact(agent)
        means.append(found.mean)
        told = f"; computed exactly: {worth.value:.4f}, at best {worth.best:.4f}" if worth is not None else ""
        spread = f"{found.returns.min():g} to {found.returns.max():g}, standard deviation {found.returns.std():.1f}"
        print(f"{folder.name}: mean return {found.mean:.4g} of {episodes} episodes, {spread}{told}", flush=True)
    if len(means) > 1:
        low, high = interval(means)
        print(f"{len(means)} seeds: IQM {float(iqm(means)):.4g}, 95 % interval {low:.4g} to {high:.4g}")


def play(run_dir: Path, seed: int | None, episodes: int = 5) -> None:
    """Show the final parameters at work: in a window where there is one, else as text where the environment has such.

    Raises:
        ConfigError, CheckpointError, UnusableEnvironment: nothing can be shown, with one line that says why.
    """
    policy = load(run_dir, seed)
    if isinstance(policy.agent.config, RecurrentAttention):
        from agents.looking import play as play_as_text

        return play_as_text(policy.agent, policy.agent.config.seed, episodes)  # type: ignore[arg-type]
    env = _visible(policy.agent.config.env)
    pause = min(1.0 / (env.metadata.get("render_fps") or 10), _SLOWEST)
    try:
        for number in range(episodes):
            total, steps = 0.0, 0
            for reward, picture in _episode(env, policy, seed_for(policy.agent.config.seed, "play", number)):
                total, steps = total + reward, steps + 1
                if isinstance(picture, str):
                    sys.stdout.write(f"\033[H\033[J{picture}\n" if sys.stdout.isatty() else f"{picture}\n")
                    time.sleep(pause)
            print(f"Episode {number + 1}: return {total:g} in {steps - 1} steps")
    finally:
        env.close()


def _visible(env_id: str) -> Any:
    """The environment, drawn in whatever way it and this machine allow."""
    found = find(env_id)
    problems = []
    for mode in ("human", "ansi"):
        try:
            env = one_of(found, mode)
            env.reset(seed=0)
            env.render()
        except UnusableEnvironment as error:
            problems.append(str(error))
        except Exception as error:  # whatever a machine without a screen provokes in a library that draws
            problems.append(f"{env_id} cannot be shown here: {' '.join(str(error).split())}")
        else:
            return env
    raise UnusableEnvironment(f"{problems[0]}; --video writes a GIF instead")


def _episode(env: Any, policy: Policy, seed: int) -> Iterator[tuple[float, Any]]:
    """(reward, picture) of the start and of every step."""
    observation, info = env.reset(seed=seed)
    policy.reset()
    limit = policy.agent.config.max_episode_steps or policy.agent.spec.time_limit or _MOST_STEPS
    yield 0.0, env.render()
    for _ in range(limit):
        action = policy.act(observation, info.get("action_mask"))
        observation, reward, terminated, truncated, info = env.step(action)
        yield float(reward), env.render()
        if terminated or truncated:
            return


def record(run_dir: Path, seed: int | None, path: Path) -> None:
    """Write an episode as a GIF, at most its first 600 frames.

    Raises:
        ConfigError, CheckpointError, UnusableEnvironment: there is nothing to record; OSError: the disk refused.
    """
    import io

    from PIL import Image

    policy = load(run_dir, seed)
    env = one_of(find(policy.agent.config.env), "rgb_array")
    try:
        frames = []
        for _, picture in _episode(env, policy, seed_for(policy.agent.config.seed, "video")):
            frames.append(Image.fromarray(picture))
            if len(frames) == _MOST_FRAMES:
                break
    finally:
        env.close()
    out = io.BytesIO()
    shown = max(1000 // (env.metadata.get("render_fps") or 30), 20)  # milliseconds; less is shown as 100 by browsers
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=shown, loop=0, optimize=True)
    write_whole(path, out.getvalue())
