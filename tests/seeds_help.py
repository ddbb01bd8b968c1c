"""What trains a seed in the tests of seeds: it counts, saves how far it has got, and fails in one way or another.

    {"steps": 120}  in seed-S/state.json, a result in seed-S/result.json

The environment's name says how: "killed-2,error-3" kills the process of seed 2, "settings" makes every seed fail.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import results
from agents.display import Progress
from rlcore.config import ConfigError
from rlcore.metrics import Metrics

WORK = f"{__name__}.count"


@dataclass(frozen=True)
class Config:
    """The settings that are common to all agents, as far as they are needed here."""

    run_dir: Path
    env: str = "count"
    agent: str = "counter"
    steps: int = 20
    seeds: int = 2
    seed: int = 0
    jobs: int = 2
    seconds: float = 0.01
    """Of a step."""

    def folder(self) -> Path:
        return self.run_dir


def count(config: Config, seed: int, folder: Path, tell: Callable, stop: Callable) -> dict[str, Any] | None:
    state = folder / "state.json"
    done = json.loads(state.read_text())["steps"] if state.exists() else 0
    if done:
        tell(Progress(seed, done, config.steps, note=f"goes on from step {done}"))
    with Metrics(folder, tensorboard=False) as metrics:
        metrics.rewind(done)
        for step in range(done + 1, config.steps + 1):
            if stop() and config.env != "stubborn":
                state.write_text(json.dumps({"steps": step - 1}))
                return None
            time.sleep(config.seconds)
            metrics.write(step, {"training/return": step + seed, "evaluation/return": step + 2 * seed})
            tell(Progress(seed, step, config.steps, step + seed, step + 2 * seed, 1 / max(config.seconds, 0.001)))
            if step == config.steps // 2:
                for how in config.env.split(","):
                    fail(how, seed)
    state.write_text(json.dumps({"steps": config.steps}))
    return write_result(config, seed, folder)


def fail(how: str, seed: int) -> None:
    """Whatever can go wrong in the middle of training."""
    kind, _, number = how.partition("-")
    if number and int(number) != seed:
        return
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "segfault":
        ctypes.string_at(0)
    if kind == "exit":
        os._exit(3)
    if kind == "error":
        print("noise of a library", file=sys.stderr)
        raise ZeroDivisionError("of all things\nin two lines")
    if kind == "memory":
        raise MemoryError
    if kind == "settings":
        raise ConfigError("steps must be even")
    if kind == "result":
        raise results.ResultsError("the result is no good")
    if kind == "threads":
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"


def write_result(config: Config, seed: int, folder: Path) -> dict[str, Any]:
    result = {
        "agent": config.agent,
        "env": config.env,
        "seed": seed,
        "steps": config.steps,
        "seconds": 1.5,
        "training": {"episodes": 100, "mean": 10.0 + seed},
        "final": {"returns": [11.0 + seed] * 4, "lengths": [1] * 4, "mean": 11.0 + seed},
        "best": {"step": config.steps // 2, "returns": [12.0 + seed] * 4, "mean": 12.0 + seed},
        "evaluations": [[config.steps, 1.0, 11.0, 0.0]],
        "threshold": 11.5,
        "steps_to_threshold": 7,
    }
    results.write(folder, result)
    return result


def usable(config: Any) -> None:
    """A check that finds nothing wrong."""


def main() -> int:
    """`python tests/seeds_help.py RUN_DIR ENV STEPS SEEDS JOBS SECONDS`, for tests that send signals."""
    from agents import seeds

    folder, env, steps, many, jobs, seconds = sys.argv[1:7]
    config = Config(Path(folder), env, steps=int(steps), seeds=int(many), jobs=int(jobs), seconds=float(seconds))
    return seeds.run(config, "seeds_help.count", usable)


if __name__ == "__main__":
    sys.exit(main())
