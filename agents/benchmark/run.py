"""The benchmark's runs: seeds of all rows share the cores, and the log of each is kept as soon as it is done.

RUNS/dqn/CartPole-v1/seed-0/...     everything: what is gone on with after a stop
LOGS/dqn/CartPole-v1/seed-0/...     what is kept, see ``agents.benchmark.logs``
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents import results
from agents.benchmark import logs
from agents.benchmark.rows import VARIANCE, Row
from agents.crew import WORK, Crew, Job
from agents.display import Display
from agents.results import ResultsError, seed_folder
from agents.seen import TASKS
from agents.settings import REINFORCE, Training
from rlcore.config import ConfigError
from rlcore.machine import cores

__all__ = ["Benchmark", "train"]


_WHOLE = 20
"""Digits are shown in order, so that a hundred are few of them; an episode takes next to no time there."""


@dataclass(frozen=True)
class Benchmark:
    """What to train, and where everything lies."""

    rows: Sequence[Row]
    runs: Path
    logs: Path
    seeds: int = 0
    """Of each row; 0 = as many as it is to have."""
    seed: int = 0
    jobs: int = 0
    """At the same time; 0 = one a core."""
    quick: bool = False
    episodes: int = 100
    """Of random actions, in each environment."""

    def settings(self, row: Row) -> Training:
        return row.settings(self.runs, self.seeds, self.seed, self.quick)


def train(benchmark: Benchmark, work: str = WORK) -> list[str]:
    """Train every seed that has no log yet, and keep its log.

    Args:
        work: see ``agents.crew``.

    Returns:
        What went wrong, a line each.

    Raises:
        OSError: a folder cannot be made.
    """
    problems: list[str] = []
    _play_at_random(benchmark, problems)
    jobs = [job for row in benchmark.rows for job in _jobs(benchmark, row, problems)]
    rows = {job.name: Row(*job.name.rsplit(" ", 1)[0].split(" ")) for job in jobs}

    def trained(job: Job) -> None:
        try:
            logs.keep(job.folder, rows[job.name], benchmark.logs)
        except ResultsError as error:
            problems.append(str(error))

    _measure_variance(benchmark, problems)
    if jobs:
        crew = Crew(jobs, min(benchmark.jobs or cores(), len(jobs)), work, trained)
        title = f"Benchmark: {len(jobs)} seeds to train, {crew.at_once} at a time, in {benchmark.runs}"
        with Display(title, {job.name: job.config.steps for job in jobs}) as display:
            crew.train(display)
        problems += [f"{folder}: {why}" for folder, why in crew.refused.items()]
        problems += [f"{name}: {why}" for name, why in crew.failed.items()]
    return problems


def _jobs(benchmark: Benchmark, row: Row, problems: list[str]) -> list[Job]:
    """The seeds of a row that have no log yet; of those that are trained already, the log is written."""
    try:
        config = benchmark.settings(row)
    except ConfigError as error:
        problems.append(f"{row.agent} on {row.env}: {error}")
        return []
    found, _ = logs.read(row, benchmark.logs)
    done = {result["seed"] for result in found if not logs.differences(result, config)}
    jobs = []
    for seed in range(config.seed, config.seed + config.seeds):
        job = Job(config, seed, f"{row.agent} {row.env} {seed}")
        if seed in done:
            continue
        try:
            if _is_trained(job):
                logs.keep(job.folder, row, benchmark.logs)
            else:
                jobs.append(job)
        except ResultsError as error:
            problems.append(str(error))
    return jobs


def _is_trained(job: Job) -> bool:
    """Whether a seed has been trained with these settings, and only its log is missing.

    Raises:
        ResultsError: it has been trained with others.
    """
    if not (job.folder / results.FILE).exists():
        return False
    try:
        result = results.read(job.folder)
    except ResultsError:  # damaged: trained again
        return False
    if other := logs.differences(result, job.config):
        raise ResultsError(f"{job.folder} was trained with {other[0]}: remove it to train it with the settings of now")
    return True


def _play_at_random(benchmark: Benchmark, problems: list[str]) -> None:
    """The row of random actions of every environment that has none yet."""
    from agents.benchmark import uniform
    from agents.spaces import UnusableEnvironment

    for env in dict.fromkeys(row.env for row in benchmark.rows):
        row = Row(uniform.NAME, env)
        if (seed_folder(row.folder(benchmark.logs), benchmark.seed) / results.FILE).exists():
            continue
        episodes = _WHOLE * benchmark.episodes if env in TASKS else benchmark.episodes
        try:
            logs.write(uniform.play(env, benchmark.seed, episodes), row, benchmark.logs)
        except (UnusableEnvironment, ResultsError) as error:
            problems.append(str(error))


def _measure_variance(benchmark: Benchmark, problems: list[str]) -> None:
    """What baselines are good for, where the row that shows it is wanted and it has not been measured yet."""
    path = logs.variance_file(benchmark.logs, VARIANCE.env)
    if benchmark.quick or VARIANCE not in benchmark.rows or path.exists():
        return
    from agents import variance
    from rlcore.progress import Progress

    config = benchmark.settings(VARIANCE)
    assert isinstance(config, REINFORCE)
    print(f"Measuring the variance of REINFORCE's gradient on {VARIANCE.env}: some minutes", flush=True)
    try:
        with Progress("measured", 1000) as progress:
            told = progress.after(0)
            moments = variance.measure(config, benchmark.seed, tell=lambda share: told(round(1000 * share)))
        variance.write(path, moments, config, benchmark.seed)
    except (RuntimeError, OSError) as error:
        problems.append(f"the variance of REINFORCE's gradient: {error}")
