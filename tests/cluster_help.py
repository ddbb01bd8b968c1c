"""What tests of runs on Ray share: a tiny run, its command, and waiting for things to happen."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import games
from rlcore.config import NetworkConfig, SearchConfig
from rlcore.files import lock
from selfplay.config import ActorConfig, ClusterConfig, Config, LearnerConfig
from selfplay.run import Run

ROOT = Path(__file__).resolve().parent.parent
TINY = Config(
    game="tic_tac_toe",
    actors=2,
    max_minutes=0.0,
    strength_games=0,
    exact_minutes=0.0,
    seed=3,
    actor=ActorConfig(games=16, max_plies=9, random_plies=4, cache_positions=0),
    search=SearchConfig(simulations=4, considered=4),
    network=NetworkConfig(blocks=1, channels=8, value_hidden=8),
    learner=LearnerConfig(batch_size=32, publish_steps=4, warmup_steps=2),
    cluster=ClusterConfig(call_seconds=0.2, store_megabytes=100),
)
FLAGS = """
    --game tic_tac_toe --strength-games 0 --exact-minutes 0 --seed 3
    --actor.threads 1 --actor.games 16 --actor.max-plies 9 --actor.random-plies 4 --actor.cache-positions 0
    --search.simulations 4 --search.considered 4
    --network.blocks 1 --network.channels 8 --network.value-hidden 8
    --learner.batch-size 32 --learner.publish-steps 4 --learner.warmup-steps 2 --cluster.call-seconds 0.2
"""


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Files of tests run side by side; two Rays on two cores would be too slow for both."""
    with (tmp_path_factory.getbasetemp().parent / "ray.lock").open("a") as file:
        while not lock(file):
            time.sleep(0.2)
        yield


class Lines:
    """Takes the place of a display; keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def open_run(folder: Path, config: Config = TINY) -> Run:
    return Run(games.load(config.game), dataclasses.replace(config, run_dir=folder), Lines())


def until(run: Run, condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Rounds until something has happened."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(3) as pool:
        while not condition():
            run.round(pool)
            assert time.monotonic() < end, f"it did not happen in time: {run.report.lines}"


def finish(run: Run) -> None:
    with ThreadPoolExecutor(3) as pool:
        run.finish(pool)


def plays(run: Run) -> None:
    """Both players are there, games come home, steps are taken, all is where it should be."""
    more, steps = run.log.games + 100, run.steps + 5
    until(run, lambda: run.log.games >= more and run.steps >= steps and len(run.crew.player_processes()) == 2)


def ends(process: int, seconds: float = 30.0) -> bool:
    """Whether a process ends, or is nobody's any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "selfplay.py"), "--run-dir", str(folder), *FLAGS.split(), *more]


def begin(folder: Path, *more: str, **options: object) -> subprocess.Popen[bytes]:
    """The command in a process of its own; what it says goes to a file beside its folder, see ``said``."""
    flags = command(folder, "--checkpoint-minutes", "0.02", *more)
    with folder.with_suffix(".txt").open("ab") as output:
        return subprocess.Popen(flags, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **options)


def said(folder: Path) -> str:
    return folder.with_suffix(".txt").read_text(encoding="utf-8")


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes] | None = None, seconds: float = 240.0):
    """Wait until something is there, and return it; whoever is to bring it about has to be alive."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        assert process is None or process.poll() is None, f"the run ended with status {process.returncode}"
        time.sleep(0.1)
    return found


def comes_home(folder: Path, process: subprocess.Popen[bytes], bytes_more: int = 20_000) -> None:
    """Wait until so much has been added to the log of a run, and a checkpoint has been saved."""
    log = folder / "games.log"
    start = log.stat().st_size if log.exists() else 0
    wait_for(lambda: log.exists() and log.stat().st_size > start + bytes_more, process)
    before = checkpoints(folder)
    wait_for(lambda: checkpoints(folder) - before, process)


def checkpoints(folder: Path) -> set[str]:
    return {path.name for path in (folder / "checkpoints").glob("0*")}
