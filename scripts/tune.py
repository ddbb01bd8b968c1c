"""Search for better settings of an agent in an environment: at random, with early stopping (Optuna)."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from agents.settings import AGENTS


@dataclass
class Settings:
    """Search for better settings: drawn at random from their ranges (agents/ranges.py), and stopped early where half
    of the others did better at the same steps. The first trial is of the settings as they are.

    The score of a trial is the mean of its seeds' final scores. The same command goes on where it stopped; --trials
    counts those of earlier calls. It ends with the best settings as flags for train.py.
    """

    agent: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="|".join(AGENTS))]
    """The agent, or one of its variants."""
    env: str
    """The environment."""
    trials: int = 20
    """How many settings to try."""
    seeds: int = 2
    """Seeds of each, at the same time."""
    seed: int = 100
    """The first of them; those below 100 are for scores."""
    steps: int = 0
    """Environment steps of a seed; 0 = as tuned."""
    jobs: int = 0
    """Seeds that train at the same time; 0 = one a core."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Settings to search for, such as learning_rate gamma. Default: all that have a range."""
    run_dir: Path | None = None
    """Where everything lies; runs/tune/AGENT/ENV by default."""


def main() -> int:
    s = tyro.cli(Settings)
    try:
        from agents.tune import Search, run

        return run(Search(s.agent, s.env, s.trials, s.seeds, s.seed, s.steps, s.jobs, s.only, s.run_dir))
    except KeyboardInterrupt:
        print()
        return 130


if __name__ == "__main__":
    sys.exit(main())
