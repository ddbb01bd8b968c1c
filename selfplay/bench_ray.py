"""What Ray costs and gains: games into the trainer's process, and positions by one and by two players."""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import ray

from rlcore import __version__
from rlcore.config import NetworkConfig, SearchConfig
from rlcore.game import Game
from selfplay import feed
from selfplay.cluster import Cluster
from selfplay.config import ActorConfig, Config, LearnerConfig
from selfplay.crew import Past
from selfplay.figures import Figure, beside, measured
from selfplay.log import GameLog
from selfplay.peers import Peer
from selfplay.record import split
from selfplay.remote import pack, unpack

__all__ = ["bench_ingest_ray", "bench_ray"]

SECONDS = 10.0  # of a measurement
CALLS = 2  # of the trainer under way at most, as in a run
STEPS = 1000  # of a call at most
TINY = NetworkConfig(blocks=1, channels=8, value_hidden=8)


@contextmanager
def _crew(game: Game, **settings: Any) -> Iterator[Cluster]:
    """A new run's crew, without the run."""
    past = Past(None, [], 0, set())
    with tempfile.TemporaryDirectory() as folder:
        config = Config(game=game.name, run_dir=Path(folder), network=TINY, **settings)  # type: ignore[arg-type]
        with closing(Cluster(game, config, past, lambda: past, lambda line: None)) as crew:
            yield crew


def bench_ray(game: Game, rounds: int) -> Iterator[Figure]:
    """Positions evaluated a second by two players on Ray and by one: a fixed tiny net, one thread each, no learning."""

    def speed_of(players: int) -> Callable[[], float]:
        return lambda: _playing(game, players)

    one = Peer("one player", __version__, speed_of(1))
    yield from beside("two players on Ray", game, rounds, "positions/s", speed_of(2), [one])


def _playing(game: Game, players: int) -> float:
    """From the first answers of all to the last ones."""
    learner = LearnerConfig(reuse=0.0)
    actor = ActorConfig(random_plies=0, cache_positions=0)
    search = SearchConfig(simulations=32)
    with (
        _crew(game, actors=players, actor=actor, learner=learner, search=search) as crew,
        ThreadPoolExecutor(1) as pool,
    ):
        while True:  # until all have begun and compiled
            crew.accept(crew.round(pool)[0])
            attendance = crew.attendance
            if attendance.players == players and all(
                place.played and place.played.figures["evaluations"] for place in crew._players
            ):
                break
        began, before = time.perf_counter(), crew.counters()["evaluations"]
        while time.perf_counter() - began < SECONDS:
            crew.accept(crew.round(pool)[0])
        return (crew.counters()["evaluations"] - before) / (time.perf_counter() - began)


def bench_ingest_ray(game: Game, rounds: int) -> Iterator[Figure]:
    """As ``feed.bench_ingest``, but the trainer has a process of its own and games come by way of the object store.

    One position a game is trained on, with a tiny net. Blocks wait for nothing but the trainer's two calls.
    """
    learner = LearnerConfig(
        batch_size=feed.BATCH, reuse=1 / feed.PLIES, window_min=feed.POSITIONS, window_max=feed.POSITIONS
    )
    with (
        _crew(game, actors=1, learner=learner) as crew,  # its player is never asked to play
        tempfile.TemporaryDirectory() as folder,
        GameLog(Path(folder) / "log", game.name) as log,
    ):
        stream = feed.blocks(game)
        process = crew.trainer_processes[0].process
        calls: deque[Any] = deque()
        most = games = 0
        speeds, samples, sizes = [], [], []
        standing = crew.standing
        for i in range(-1, rounds):  # the first one fills the window and is not counted
            blocks = 0
            trained = standing.samples
            began = time.perf_counter()
            while _goes_on(i, time.perf_counter() - began, rounds, blocks):
                block = ray.put(pack(split(next(stream))))  # a player's work
                log.append(unpack(ray.get(block)))
                calls.append(crew._trainers[0].work.options(num_returns=2).remote(STEPS, block)[0])
                most = max(most, len(calls))
                blocks += 1
                while len(calls) >= CALLS:
                    standing, _ = ray.get(calls.popleft())
            while calls:
                standing, _ = ray.get(calls.popleft())
            seconds = time.perf_counter() - began
            if i >= 0:
                speeds.append(60 * blocks * feed.BLOCK / seconds)
                samples.append((standing.samples - trained) / seconds)
                games += blocks * feed.BLOCK
            sizes.append((feed.memory(process), feed.memory()))
        about = {
            "games": games,
            "window_positions": standing.window,
            "most_blocks_waiting": most,
            "trainer_resident_mb": [round(trainer, 1) for trainer, _ in sizes],
            "driver_resident_mb": [round(driver, 1) for _, driver in sizes],
        }
        yield measured("ingest on Ray", game, speeds, "games/min", **about)
        yield measured("ingest on Ray: trained on", game, samples, "positions/s")


def _goes_on(turn: int, seconds: float, rounds: int, blocks: int) -> bool:
    if turn < 0:
        return blocks * feed.BLOCK * feed.PLIES < 1.1 * feed.POSITIONS
    return seconds < SECONDS / rounds
