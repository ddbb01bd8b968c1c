"""What baselines are good for: the variance of REINFORCE's gradient with each of them, at the same parameters.

A run is trained, and held at its start (after the first update, before which no baseline has learned anything), in its
middle and at its end. There the policy plays some hundred episodes; each has a gradient with every baseline, as of an
update of one episode. Their expectation is the same. The trace of their covariance, the sum of the variances of all
parameters, says how much of an update is noise.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from agents.agent import seed_for
from agents.reinforce import Episode, REINFORCEAgent
from agents.settings import REINFORCE
from rlcore.files import write_whole
from rlcore.jit import Array

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["BASELINES", "Moment", "draw", "gradients", "measure", "read", "write"]

BASELINES = ("none", "average", "value")
_AT_ONCE = 20  # environments
_RESAMPLES = 2000


class Moment(NamedTuple):
    """A place in a run."""

    place: str
    """"start", "middle" or "end"."""
    steps: int
    """Environment steps before it."""
    episodes: int
    mean_return: float
    traces: dict[str, float]
    """By baseline: the trace of the gradient's covariance."""
    intervals: dict[str, tuple[float, float]]
    """95 %, by bootstrap over the episodes."""


def measure(
    config: REINFORCE, seed: int, episodes: int = 600, tell: Callable[[float], None] = lambda _: None
) -> list[Moment]:
    """Train one run and measure on its way; how good it gets is not looked at.

    Args:
        episodes: at each of the three places, at least two.
        tell: gets the share that is done, roughly.

    Raises:
        NonFiniteError, UnusableEnvironment, FaultyEnvironment: see there.
    """
    envs = REINFORCEAgent.environments(config, seed)
    agent = REINFORCEAgent(envs.spec, config, seed)
    found: list[Moment] = []
    places = {"start": 1, "middle": config.steps // 2, "end": config.steps}
    try:
        for place, steps in places.items():
            while agent.steps < steps:
                agent.advance(envs)
                tell((agent.steps / config.steps + len(found) / len(places)) / 2)
            found.append(_look(agent, config, seed, place, episodes))
    finally:
        envs.close()
    return found


def _look(agent: REINFORCEAgent, config: REINFORCE, seed: int, place: str, episodes: int) -> Moment:
    """Play with a copy of the agent that learns nothing."""
    from agents.environments import make

    at_once = min(_AT_ONCE, episodes)
    limit = config.max_episode_steps or None
    envs = make(config.env, at_once, seed_for(seed, f"variance, {place}"), max_steps=limit)
    copy = REINFORCEAgent(agent.spec, config, seed)
    copy.restore(agent.save(), envs, list(range(agent.config.num_envs)))
    copy.noise.manual_seed(seed_for(seed, f"variance, actions, {place}"))
    try:
        played = play(copy, envs, episodes)
    finally:
        envs.close()
    found = {name: np.stack(rows) for name, rows in zip(BASELINES, _by_baseline(copy, played), strict=True)}
    generator = np.random.default_rng(seed_for(seed, "resampling"))
    return Moment(
        place,
        agent.steps,
        len(played),
        float(np.mean([sum(episode.rewards) for episode in played])),
        {name: trace(rows) for name, rows in found.items()},
        {name: _interval(rows, generator) for name, rows in found.items()},
    )


def play(agent: REINFORCEAgent, envs: "Environments", episodes: int) -> list[Episode]:
    """So many episodes, as many of every environment: whoever takes the first to end takes the short ones."""
    quota = np.full(envs.num, episodes // envs.num) + (np.arange(envs.num) < episodes % envs.num)
    agent.forget_episodes()
    found = []
    while (quota > 0).any():
        for i, episode in agent.play(envs):
            if quota[i] > 0:
                found.append(episode)
                quota[i] -= 1
    return found


def gradients(agent: REINFORCEAgent, episode: Episode) -> list[Array]:
    """The policy's gradient by one episode, with each of ``BASELINES``: [parameters] float32 each."""
    rollout = agent.record([episode])
    if agent.rewarded is not None:
        rollout.rewards[:] = agent.rewarded.scaled(rollout.rewards)
    returns = agent.returns(rollout)
    log_probs, _ = agent.log_probs_and_entropy(rollout)
    parameters = list(agent.descent.parameters.values())
    found = []
    for baseline in BASELINES:
        loss = -(agent.advantages(rollout, returns, baseline)[:, 0] * log_probs).sum()
        parts = torch.autograd.grad(loss, parameters, retain_graph=True)
        found.append(torch.cat([part.flatten() for part in parts]).cpu().numpy())
    return found


def _by_baseline(agent: REINFORCEAgent, episodes: list[Episode]) -> list[tuple[Array, ...]]:
    return list(zip(*(gradients(agent, episode) for episode in episodes), strict=True))


def trace(rows: Array) -> float:
    """The trace of the covariance of gradients [episodes, parameters]; not biased."""
    return float(rows.var(0, ddof=1, dtype=np.float64).sum())


def _interval(rows: Array, generator: np.random.Generator) -> tuple[float, float]:
    """95 %, by bootstrap: of the squared distances to the mean, as if that were known."""
    far = np.square(rows - rows.mean(0, dtype=np.float64)).sum(1)
    means = far[generator.integers(len(far), size=(_RESAMPLES, len(far)))].mean(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def write(path: Path, moments: Sequence[Moment], config: REINFORCE, seed: int) -> None:
    """Keep what was measured. Raises OSError where the disk refuses."""
    content: dict[str, Any] = {"env": config.env, "seed": seed, "baseline": config.baseline, "gamma": config.gamma}
    content["moments"] = [moment._asdict() for moment in moments]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def read(path: Path) -> list[Moment]:
    """What was kept. Raises OSError or ValueError where it is not there, or damaged."""
    try:
        return [Moment(**moment) for moment in json.loads(path.read_text(encoding="utf-8"))["moments"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no measured variance ({error}); remove it to measure again") from None


def draw(path: Path, moments: Sequence[Moment], env: str) -> None:
    """A picture: a line a baseline, on a logarithmic scale, with its intervals."""
    from rlcore.plots import COLOURS, canvas, grid, label_lines
    from rlcore.plots import write as write_picture

    counts = min(moment.episodes for moment in moments)
    figure = canvas(
        f"Variance of REINFORCE's gradient, {env}",
        f"Trace of the covariance over {counts} episodes at fixed parameters, by baseline; bars: 95 % by bootstrap",
    )
    axes = figure.add_subplot()
    places = list(range(len(moments)))
    labels = []
    for name, colour in zip(BASELINES, COLOURS, strict=False):
        traces = np.array([moment.traces[name] for moment in moments])
        low, high = np.array([moment.intervals[name] for moment in moments]).T
        axes.plot(places, np.log10(traces), color=colour, linewidth=2, marker="o")
        axes.vlines(places, np.log10(low), np.log10(high), color=colour, linewidth=1)
        labels.append((float(np.log10(traces[-1])), name, colour))
    axes.set_xticks(places, [f"{m.place}\n{m.steps:,} steps\nreturn {m.mean_return:.0f}" for m in moments])
    axes.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:.1f}}}$")
    grid(axes)
    label_lines(axes, labels)
    figure.subplots_adjust(left=0.09, bottom=0.16)
    write_picture(figure, path)
