"""How fast finished games come into a learner: synthetic ones, as fast as they are taken."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from rlcore.game import Game, new_history
from rlcore.jit import Array
from selfplay.config import LearnerConfig
from selfplay.figures import Figure, measured
from selfplay.log import GameLog
from selfplay.record import GameRecord, RecordBuilder, join, split
from selfplay.window import Window

__all__ = ["PLIES", "POLICY", "bench_ingest", "blocks", "memory"]

PLIES, POLICY = 80, 30  # of a game, and policy entries of a ply
DISTINCT = 200  # games, which come again under new ids
BLOCK = 50  # games that come together: one write to the log
POSITIONS = 400_000  # in the window: half a minute of games at the goal, 100,000 games a minute
SECONDS = 10.0  # of a measurement
BATCH = 256


def _game(game: Game, generator: np.random.Generator, number: int) -> GameRecord | None:
    """A game of random legal moves, each ply trained on; None where it ends too early."""
    history, chosen = new_history(game, 1, PLIES + 1), np.zeros(1, np.int32)
    legal = np.zeros(game.MAX_LEGAL, np.uint16)
    game.begin(history, 0, number)
    builder = RecordBuilder(number, number, 0)
    for ply in range(PLIES):
        moves = int(game.legal_actions(history.states[0, ply], legal))
        if not moves:
            return None
        action = generator.choice(legal[:moves])
        builder.add(action, *_policy(game, legal[:moves], generator), (0.25, 0.5, 0.25), 32, True)
        game.advance(history, chosen, np.array([action], np.uint16))
    return builder.finish(generator.choice([-1.0, 0.0, 1.0]), 1, 0)


def _policy(game: Game, legal: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """As many entries as every ply is to have: where fewer moves are legal, some for others, which weigh little."""
    others = np.setdiff1d(np.arange(min(2 * POLICY + len(legal), game.NUM_ACTIONS), dtype=np.uint16), legal)
    actions = np.concatenate([legal, others])[:POLICY]
    weights = np.where(np.arange(len(actions)) < len(legal), generator.random(len(actions)) + 0.1, 0.01)
    return actions, weights / weights.sum()


def blocks(game: Game, seed: int = 1) -> Iterator[bytes]:
    """Blocks of ``BLOCK`` games without end, laid end to end as by ``record.join``; no two games have the same id."""
    generator = np.random.default_rng(seed)
    made = (_game(game, generator, number) for number in count())
    distinct: list[GameRecord] = []
    while len(distinct) < DISTINCT:
        record = next(made)
        if record is not None:
            distinct.append(record)
    ids = count()
    for first in count(0, BLOCK):
        block = []
        for i in range(first, first + BLOCK):
            record = distinct[i % DISTINCT]
            header = record.header.copy()
            header["id"] = next(ids)
            block.append(record._replace(header=header))
        yield join(block)


def memory(process: int | str = "self") -> float:
    """Resident memory of a process, this one or that of a number, in MB; NaN where the system does not tell."""
    if sys.platform != "linux":
        return float("nan")
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class _Feed:
    """A log and a full window, fed block by block; a share of the positions is sampled meanwhile."""

    def __init__(self, game: Game, folder: Path, reuse: float) -> None:
        config = replace(LearnerConfig(), batch_size=BATCH, window_min=POSITIONS, window_max=POSITIONS)
        self.log = GameLog(folder / f"{reuse}.log", game.name)
        self.window = Window(game, config, 1, PLIES)
        self.reuse, self.blocks = reuse, blocks(game)
        self.generator = np.random.default_rng(1)
        self.games = self.samples = 0
        self.credit = 0.0
        while self.window.positions < POSITIONS:
            self.window.add(split(next(self.blocks)))

    def block(self) -> float:
        """Take a block as the run does; returns the seconds taken, without those of making it."""
        block = next(self.blocks)
        began = time.perf_counter()
        records = split(block)
        self.log.append(records)
        self.window.add(records)
        self.games += len(records)
        self.credit += len(records) * PLIES * self.reuse
        while self.credit >= BATCH:
            self.window.sample(self.generator)
            self.samples += BATCH
            self.credit -= BATCH
        return time.perf_counter() - began


def bench_ingest(game: Game, rounds: int) -> Iterator[Figure]:
    """Games a minute from bytes to the log and the window, on one thread, while positions are sampled.

    One a game at first, then as many as there are: each position once. Beside it what the parts can do alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, reuse in (("one sample a game", 1 / PLIES), ("each position sampled once", 1.0)):
            yield from _fed(game, rounds, name, _Feed(game, Path(folder), reuse))
    yield from _parts(game, rounds)


def _fed(game: Game, rounds: int, name: str, feed: _Feed) -> Iterator[Figure]:
    """The two speeds of a feed; its memory before, in the middle and after."""
    games, samples, sizes = [], [], [memory()]
    for i in range(rounds):
        seconds, before = 0.0, (feed.games, feed.samples)
        while seconds < SECONDS / rounds:
            seconds += feed.block()
        games.append(60 * (feed.games - before[0]) / seconds)
        samples.append((feed.samples - before[1]) / seconds)
        if i == rounds // 2:
            sizes.append(memory())
    sizes.append(memory())
    about = {
        "plies": PLIES,
        "policy": POLICY,
        "bytes_a_game": len(next(feed.blocks)) // BLOCK,
        "log_bytes": feed.log.position(),
        "window_bytes": feed.window.nbytes,
        "window_positions": feed.window.positions,
        "resident_mb": [round(size, 1) for size in sizes],
    }
    feed.log.close()
    yield measured(f"ingest, {name}", game, games, "games/min", **about)
    yield measured(f"ingest, {name}: sampled", game, samples, "positions/s")


def _parts(game: Game, rounds: int) -> Iterator[Figure]:
    """What one thread does of each part alone, in games a minute; sampling in positions a second."""
    with tempfile.TemporaryDirectory() as folder:
        feed = _Feed(game, Path(folder), 0.0)
        speeds: dict[str, list[float]] = {"parsed and checked": [], "logged": [], "taken into the window": []}
        sampled = []
        for _ in range(rounds):
            seconds: dict[str, float] = dict.fromkeys(speeds, 0.0)
            number = 4 + round(10 * SECONDS / rounds)
            for _ in range(number):
                block, clocks = next(feed.blocks), [time.perf_counter()]
                records = split(block)
                clocks.append(time.perf_counter())
                feed.log.append(records)
                clocks.append(time.perf_counter())
                feed.window.add(records)
                clocks.append(time.perf_counter())
                for name, taken in zip(speeds, np.diff(clocks).tolist(), strict=True):
                    seconds[name] += taken
            for name, taken in seconds.items():
                speeds[name].append(60 * BLOCK * number / taken)
            began = time.perf_counter()
            for _ in range(20):
                feed.window.sample(feed.generator)
            sampled.append(20 * BATCH / (time.perf_counter() - began))
        feed.log.close()
    for name, values in speeds.items():
        yield measured(f"ingest, {name}", game, values, "games/min")
    yield measured("ingest, sampling alone", game, sampled, "positions/s")
