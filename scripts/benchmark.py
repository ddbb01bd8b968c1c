"""Train tuned agents in well-known environments, several seeds each, and write the page of what came out."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from agents.benchmark import rows

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]


@dataclass
class Settings:
    """Train every agent in every environment that it has tuned settings for, and report what came out.

    Seeds share the cores, a process with one thread each. What is trained is kept and not trained again: the same
    command goes on where it stopped. Of each seed a small log goes to --logs; the page is made of these alone.
    """

    agents: Names = ()
    """Agents and variants, such as ppo dqn 'dqn+*'. Default: all."""
    envs: Names = ()
    """Environments, such as CartPole-v1 'FrozenLake*'. Default: all that the agents are tuned for."""
    seeds: int = 0
    """How many seeds of each; 0 = five, of Catch through a retina three."""
    seed: int = 0
    """The first of them."""
    jobs: int = 0
    """Seeds that train at the same time; 0 = one a core."""
    report: bool = False
    """Train nothing: write the page of all logs that are there, and name what is missing."""
    quick: bool = False
    """A few agents with few steps, which takes minutes and shows that it works; no result, and kept apart."""
    runs: Path = Path("runs/benchmark")
    """Where everything that is trained lies."""
    logs: Path = Path("results/benchmark")
    """Where the logs, the pictures and the page as HTML lie."""
    page: Path = Path("BENCHMARKS.md")
    """The page."""


def main() -> int:
    s = tyro.cli(Settings)
    try:
        if s.seeds < 0 or s.seed < 0 or s.jobs < 0:
            return fail("--seeds, --seed and --jobs must be at least 0")
        from agents.benchmark.report import report
        from agents.benchmark.run import Benchmark, train
        from agents.benchmark.tables import Place

        found = rows.chosen(s.agents, s.envs)
        if s.quick:
            found = [row for row in found if s.agents or s.envs or row in rows.QUICK]
            root = Path("runs/benchmark-quick") if s.runs == Settings.runs else s.runs
            s.runs, s.logs, s.page, s.seeds = root, root / "logs", root / "BENCHMARKS.md", min(s.seeds or 2, 2)
        problems = []
        if not s.report:
            problems = train(Benchmark(found, s.runs, s.logs, s.seeds, s.seed, s.jobs, s.quick))
        print("\n".join(report(Place(s.logs, s.page), found if s.quick else rows.rows(), quick=s.quick)))
        for problem in problems:
            print(f"benchmark: {problem}", file=sys.stderr)
        return 1 if problems else 0
    except KeyboardInterrupt:
        print()
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        return fail(error)


def fail(error: object) -> int:
    print(f"benchmark: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
