"""What the tests of engines share: a tiny run on disk, scripts run like a person would, a time that stands still."""

import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import games
from games import GameName
from rlcore.config import NetworkConfig, SearchConfig
from selfplay.config import ActorConfig, Config, LearnerConfig
from selfplay.report import Report

ROOT = Path(__file__).resolve().parent.parent
CHESS = games.load("chess")
TINY = Config(
    seed=3,
    history=2,
    actor=ActorConfig(threads=1, games=2),
    search=SearchConfig(simulations=4, considered=3),
    network=NetworkConfig(blocks=1, channels=8, value_channels=4, value_hidden=8),
    learner=LearnerConfig(batch_size=8),
)


def make_run(folder: Path, saves: int = 1, game: GameName = "chess"):
    """A run with checkpoints; each has other weights, and its averaged weights differ from its trained ones."""
    import torch

    from selfplay.run import Run

    generator = torch.Generator().manual_seed(5)
    config = dataclasses.replace(TINY, game=game, run_dir=folder)
    run = Run(games.load(game), config, Report(stream=io.StringIO(), plain=True))
    for _ in range(saves):
        run.crew.trainer.learner.steps += 100
        for network in (run.crew.trainer.learner.network, run.crew.trainer.learner.average):
            with torch.no_grad():
                for weight in network.parameters():
                    weight += 0.3 * torch.randn(weight.shape, generator=generator)
        run.save(1.0)
    run.close()
    return run


def keep_past(run, steps: Sequence[int]) -> None:
    """Let a run keep networks of its past; each has other weights."""
    import torch

    from selfplay import weights
    from selfplay.milestones import FOLDER

    (run.folder / FOLDER).mkdir(exist_ok=True)
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        with torch.no_grad():
            for weight in run.crew.trainer.learner.average.parameters():
                weight += 0.3 * torch.randn(weight.shape, generator=generator)
        about = weights.About(step, 50 * step, step / 100)
        weights.save(
            run.folder / FOLDER / f"{step:08d}.safetensors", run.crew.trainer.learner.average, run.config, about
        )


def script(name: str, *arguments: str, typed: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, without a terminal."""
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *arguments],
        input=typed,
        cwd=cwd,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on standard error, but for the one that explains a slow first start."""
    return [line for line in done.stderr.splitlines() if not line.startswith("Compiling kernels")]


class Time:
    """Seconds that stand still until they are moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds
