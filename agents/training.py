"""One seed trained: the loop that acts and learns, evaluates, keeps checkpoints, and ends with scores.

    RUN/seed-0/config.json  metrics.jsonl  tensorboard/  checkpoints/  result.json  episode.gif

The same folder is gone on with: agent, replay, generators and episodes in progress are as they were at the last
checkpoint, and training ends with the same weights as if it had never stopped (on a CPU, with one thread).
"""

import json
import math
import platform
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from agents import results
from agents.agent import Agent, Saved, agent_class, spec_to_json
from agents.display import Progress
from agents.evaluation import Scores, evaluate, exact
from agents.settings import Training, differences
from agents.steps import FaultyEnvironment
from rlcore import checkpoint
from rlcore.config import ConfigError, parse
from rlcore.files import write_whole
from rlcore.machine import cores, processor
from rlcore.metrics import Metrics
from rlcore.tensors import Tensors

__all__ = ["train"]

_LATEST = 100  # episodes that the training return is a mean of
_REPORTS = 200  # lines of metrics in a run, at most about so many


def train(
    config: Training, seed: int, folder: Path, tell: Callable[[Progress], None], stop: Callable[[], bool]
) -> dict[str, Any] | None:
    """Train one seed to the end, or to where it is told to stop; go on with what lies in its folder.

    Args:
        folder: of this seed.
        tell: gets progress now and then.
        stop: whether to save and return before the end.

    Returns:
        The result, see ``agents.results``; none where it was stopped.

    Raises:
        ConfigError, UnusableEnvironment, FaultyEnvironment, CheckpointError, MetricsError, NonFiniteError: with one
            clear line each.
    """
    session = Session(config, seed, folder, tell)
    try:
        while session.agent.steps < config.steps:
            if stop():
                session.save()
                return None
            session.round()
        return session.finish()
    finally:
        session.close()


class Session:
    """A seed that trains, in memory and in its folder."""

    def __init__(self, config: Training, seed: int, folder: Path, tell: Callable[[Progress], None]) -> None:
        self.config, self.seed, self.folder, self.tell = config, seed, folder, tell
        self.checkpoints = folder / "checkpoints"
        lines: list[str] = []
        saved = checkpoint.load_newest(self.checkpoints, warn=lines.append, framework="torch")
        if saved is not None:
            check_settings(saved, config, seed, folder)
        kind = agent_class(config.agent)
        self.envs = kind.environments(config, seed)
        self.agent: Agent = kind(self.envs.spec, config, seed)
        self.latest: deque[float] = deque(maxlen=_LATEST)
        self.evaluations: list[list[float]] = []
        """(step, seconds, mean, standard deviation) of each."""
        self.best: tuple[int, float, Tensors] | None = None
        """Step, mean and weights of the best of them."""
        self.seconds = self.evaluating = 0.0
        """Of training, evaluations included; of those alone."""
        self._report = (0, 0.0)  # steps and seconds at the last one
        if saved is not None:
            try:
                self._restore(saved)
            except (ConfigError, FaultyEnvironment):
                raise
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                told = " ".join(str(error).split())
                raise ConfigError(
                    f"checkpoint {saved.name} of {folder} is of another version and cannot be gone on with ({told}); "
                    f"what it has learned can be played and evaluated; to train, choose another --run-dir"
                ) from error
        self.metrics = Metrics(folder, config.tensorboard)
        self.metrics.rewind(self.agent.steps)
        write_whole(folder / "config.json", config.to_json().encode())
        self._clock = self._saved = time.perf_counter()
        self._report = (self.agent.steps, self.seconds)
        for line in lines:
            self._say(line)

    def _say(self, line: str) -> None:
        self.tell(self.progress(line))

    # --- going on ----------------------------------------------------------------------------------------------------

    def round(self) -> None:
        """Act and learn for a while; evaluate, report and save where it is time to."""
        before = self.agent.steps
        self.agent.advance(self.envs)
        self.latest.extend(value for value, _ in self.agent.finished)
        self.agent.finished.clear()
        self._tick()
        if self._crossed(before, self.config.evaluations):
            self.evaluate()
        if self._crossed(before, _REPORTS):
            self.report()
        if time.perf_counter() - self._saved >= self.config.checkpoint_seconds:
            self.save()

    def _crossed(self, before: int, times: int) -> bool:
        """Whether one of so many equal parts of the run has ended since."""
        if times == 0:
            return False
        every = max(self.config.steps // times, 1)
        return self.agent.steps // every > before // every

    def _tick(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now

    def evaluate(self) -> None:
        """Score the agent as it is, and keep its weights if they are the best so far."""
        scores = evaluate(self.agent, self.config.evaluation_episodes, self.seed, "evaluation", len(self.evaluations))
        self.evaluating += time.perf_counter() - self._clock
        self._tick()
        step, spread = self.agent.steps, float(scores.returns.std())
        self.evaluations.append([step, round(self.seconds, 3), scores.mean, spread])
        if self.best is None or scores.mean >= self.best[1]:
            self.best = (step, scores.mean, self.agent.weights())
        self.metrics.write(step, {"evaluation/return": scores.mean, "evaluation/length": scores.lengths.mean()})

    def report(self) -> None:
        """A line of metrics, and the news."""
        agent = self.agent
        values = {
            "training/return": self.training,
            "training/episodes": agent.episodes,
            "training/updates": agent.updates,
        }
        values |= {f"{agent.config.agent}/{name}": value for name, value in agent.figures().items()}
        progress = self.progress()
        self.metrics.write(agent.steps, values | {"speed/steps_per_second": progress.steps_per_second})
        self.tell(progress)
        self._report = (agent.steps, self.seconds)

    @property
    def training(self) -> float:
        return float(np.mean(self.latest)) if self.latest else math.nan

    def progress(self, note: str = "") -> Progress:
        steps, seconds = self._report
        speed = (self.agent.steps - steps) / (self.seconds - seconds) if self.seconds > seconds else math.nan
        evaluation = self.evaluations[-1][2] if self.evaluations else math.nan
        return Progress(self.seed, self.agent.steps, self.config.steps, self.training, evaluation, speed, note)

    # --- keeping -----------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint: the whole state."""
        tensors, state = self.agent.save()
        tensors["environments"], environments = self.envs.save()
        if self.best is not None:
            tensors["best"] = self.best[2]
        own = {
            "seed": self.seed,
            "config": self.config.to_json(),
            "agent": self.config.agent,
            "spec": spec_to_json(self.agent.spec),
            "environments": environments,
            "latest": list(self.latest),
            "evaluations": self.evaluations,
            "best": None if self.best is None else self.best[:2],
            "seconds": self.seconds,
            "evaluating": self.evaluating,
        }
        checkpoint.save(self.checkpoints, f"{self.agent.steps:012d}", tensors, {**own, "learner": state}, keep=2)
        self._saved = time.perf_counter()

    def _restore(self, saved: checkpoint.Checkpoint) -> None:
        state = saved.state
        arrays = {name: value.numpy() for name, value in saved.tensors["environments"].items()}
        restarted = self.envs.restore(arrays, state["environments"])
        if restarted:
            self._say(
                f"{len(restarted)} of {self.envs.num} episodes in progress could not be gone on with and begin anew"
            )
        self.agent.restore(Saved(saved.tensors, state["learner"]), self.envs, restarted)
        self.latest.extend(state["latest"])
        self.evaluations = state["evaluations"]
        if state["best"] is not None:
            self.best = (int(state["best"][0]), float(state["best"][1]), saved.tensors["best"])
        self.seconds, self.evaluating = float(state["seconds"]), float(state["evaluating"])

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> dict[str, Any]:
        """Save, score the final and the best weights on fresh episodes, and write the result."""
        if self._report[0] < self.agent.steps:
            self.report()
        self.save()
        episodes = self.config.final_episodes
        final = evaluate(self.agent, episodes, self.seed, "final")
        worth = exact(self.agent)
        best = None
        if self.best is not None:
            weights = self.agent.weights()
            self.agent.set_weights(self.best[2])
            best = {"step": self.best[0], **_listed(evaluate(self.agent, episodes, self.seed, "best"))}
            self.agent.set_weights(weights)
        result = self._result(final, best) | {
            "exact": None if worth is None else dict(zip(("return", "best", "uniform"), worth, strict=True))
        }
        results.write(self.folder, result)
        if self.config.video:
            self._record()
        return result

    def _record(self) -> None:
        """Pictures, where they can be made; a line that says why, where not."""
        try:
            self.agent.picture(self.folder)
        except Exception as error:  # whatever a machine without a screen provokes in a library that draws
            self._say(f"no video: {' '.join(str(error).split())}")

    def _result(self, final: Scores, best: dict[str, Any] | None) -> dict[str, Any]:
        agent, threshold = self.agent, self.agent.spec.threshold
        reached = [line for line in self.evaluations if threshold is not None and line[2] >= threshold]
        return {
            "format": 1,
            "agent": self.config.agent,
            "env": self.config.env,
            "seed": self.seed,
            "steps": agent.steps,
            "gradient_steps": agent.updates,
            "episodes": agent.episodes,
            "seconds": round(self.seconds, 3),
            "seconds_evaluating": round(self.evaluating, 3),
            "training": {"episodes": len(self.latest), "mean": self.training if self.latest else None},
            "final": _listed(final),
            "best": best,
            "evaluations": self.evaluations,
            "threshold": threshold,
            "steps_to_threshold": int(reached[0][0]) if reached else None,
            "seconds_to_threshold": reached[0][1] if reached else None,
            "settings": json.loads(self.config.to_json()),
            **_provenance(),
        }

    def close(self) -> None:
        self.envs.close()
        self.metrics.close()


def check_settings(saved: checkpoint.Checkpoint, config: Training, seed: int, folder: Path) -> None:
    """ConfigError where a run cannot be gone on with under these settings."""
    place = f"checkpoint {saved.name} of {folder}"
    if saved.state["agent"] != config.agent or saved.state["seed"] != seed:
        raise ConfigError(f"{place} is of {saved.state['agent']}, seed {saved.state['seed']}; choose another --run-dir")
    wrong = differences(parse(type(config), saved.state["config"], place), config)
    if wrong:
        raise ConfigError(f"{folder} holds a run with {wrong[0]}; go on with that, or choose another --run-dir")


def _listed(scores: Scores) -> dict[str, Any]:
    return {"returns": scores.returns.tolist(), "lengths": scores.lengths.tolist(), "mean": scores.mean}


def _provenance() -> dict[str, Any]:
    """What a number depends on besides the settings."""
    import torch

    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("numpy", "gymnasium", "numba"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10)
        revision = done.stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        revision = None
    return {"versions": versions, "revision": revision, "machine": f"{processor()}, {cores()} cores, {sys.platform}"}
