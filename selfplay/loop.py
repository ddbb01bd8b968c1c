"""The loop in one process: rounds until the time is up, a display, checkpoints, and a summary at the end."""

import math
import os
import signal
import sys
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import games
from rlcore.metrics import read as read_metrics
from selfplay.arena import Match
from selfplay.config import Config
from selfplay.learner import StepLosses
from selfplay.record import GameRecord
from selfplay.report import Report, Status
from selfplay.run import Run
from selfplay.strength import check_strength

_RATE_SECONDS = 20.0  # speeds are means over this long
_METRICS_SECONDS = 5.0  # between two rows of metrics
_SWITCH_SECONDS = 0.0002  # actors and learner hand over Python's lock a hundred times a batch: 5 ms each is too long


class Stop:
    """Turns the first Ctrl-C (or SIGTERM) into a request to stop; the second ends the process at once."""

    def __init__(self, report: Report) -> None:
        self.requested = False
        self._report = report
        self._before = {name: signal.signal(name, self._handle) for name in (signal.SIGINT, signal.SIGTERM)}

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            self._report.close()
            os._exit(128 + number)  # nothing is lost: finished games and checkpoints are on the disk
        self.requested = True
        self._report.line("Stopping after this round; once more to stop at once.")

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Meter:
    """Speeds and shares over the last seconds, from counters that only grow."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, dict[str, float]]] = deque()

    def update(self, counters: dict[str, float]) -> None:
        now = time.perf_counter()
        self._marks.append((now, counters))
        while len(self._marks) > 2 and now - self._marks[1][0] > _RATE_SECONDS:
            self._marks.popleft()

    def rate(self, name: str) -> float:
        """Growth a second; not known before there are two marks."""
        if not self._marks:
            return math.nan
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last[name] - first[name]) / (end - start) if end > start else math.nan

    def ratio(self, name: str, to: str) -> float:
        """Growth of one counter for one of another."""
        grown = self.rate(to)
        return self.rate(name) / grown if grown > 0 else math.nan


def _limit_threads() -> None:
    """One intra-op thread a worker: two torch threads get in each other's way on busy cores."""
    torch.set_num_threads(1)


class Loop:
    """Runs rounds and tells what happens."""

    def __init__(self, run: Run, report: Report) -> None:
        self.run, self.report = run, report
        self.config = run.config
        self.meter = Meter()
        self.losses: deque[StepLosses] = deque(maxlen=50)
        self.games_before = run.log.games
        self.began = time.perf_counter()
        self._shown = self._saved = self._written = self.began
        self._slots = sum(actor.config.actor.games for actor in run.actors)

    @property
    def seconds(self) -> float:
        """Since this start."""
        return time.perf_counter() - self.began

    def train(self, stop: Stop) -> None:
        """Rounds until the time is up or a stop is asked for, then a last checkpoint."""
        limit = self.config.max_minutes * 60 or math.inf
        self.run.save(self.seconds)
        workers = len(self.run.actors) + 1
        sys.setswitchinterval(_SWITCH_SECONDS)
        with ThreadPoolExecutor(workers, "rlcore", initializer=_limit_threads) as pool:
            while self.seconds < limit and not stop.requested:
                _, losses = self.run.round(pool)
                if losses is not None:
                    self.losses.append(losses)
                self._tell()
        self._write_metrics(self.status())
        self.run.save(self.seconds)

    def _tell(self) -> None:
        now = time.perf_counter()
        self.meter.update(self._counters())
        status = self.status()
        self.report.update(status)
        if now - self._written >= _METRICS_SECONDS:
            self._written = now
            self._write_metrics(status)
        if now - self._saved >= self.config.checkpoint_minutes * 60:
            self._saved = now
            self.run.save(self.seconds)

    # --- figures -----------------------------------------------------------------------------------------------------

    def _counters(self) -> dict[str, float]:
        """What has been done since this process began; all of it only grows."""
        searches = [actor.search for actor in self.run.actors]
        return {
            "moves": float(self._moves()),
            "evaluations": float(sum(search.evaluations for search in searches)),
            "waves": float(sum(search.waves for search in searches)),
            "evaluating": sum(search.evaluator_seconds for search in searches),
            "searching": sum(search.seconds for search in searches),
            "playing": sum(actor.seconds for actor in self.run.actors),
            "learning": self.run.learner.seconds,
            "steps": float(self.run.learner.steps),
            "clock": time.perf_counter(),
        }

    def _moves(self) -> int:
        """Positions searched by this process, in finished games or not."""
        return sum(actor.search.searches for actor in self.run.actors)

    def _shares(self) -> dict[str, float]:
        """Of the actors' time, what the evaluator, the tree and the rest took; of the clock, how long was learnt."""
        evaluate = self.meter.ratio("evaluating", "playing")
        search = self.meter.ratio("searching", "playing")
        learn = self.meter.ratio("learning", "clock")
        shares = {"evaluate": evaluate, "tree": search - evaluate, "rest": 1 - search}
        return shares | {"learn": learn, "wait": 1 - learn}

    def status(self) -> Status:
        """Everything that a person wants to know now."""
        run, config = self.run, self.config
        learner, window = run.learner, run.window
        means = np.mean(self.losses, axis=0).tolist() if self.losses else [math.nan] * 4
        latest = list(run.latest)
        endings = Counter(run.game.Ending(record.ending).name.lower() for record in latest)
        batch = self.meter.ratio("evaluations", "waves")
        values = np.concatenate([actor.root_values[:, 0] for actor in run.actors])
        board, title = self._board()
        return Status(
            game=run.game.name,
            run_dir=run.folder,
            device=f"{run.device.type} {str(run.dtype).removeprefix('torch.')}, {self._slots} games at once",
            network=self._network_name(),
            simulations=config.search.simulations,
            seconds=self.seconds,
            seconds_left=max(config.max_minutes * 60 - self.seconds, 0.0) if config.max_minutes else None,
            resumed_from=run.resumed_from,
            games=run.log.games,
            positions=run.log.positions + sum(actor.positions_in_progress() for actor in run.actors),
            new_games=run.log.games - self.games_before,
            new_positions=self._moves(),
            positions_per_second=self.meter.rate("moves"),
            evaluations_per_second=self.meter.rate("evaluations"),
            batch_fill=batch / config.actor.games,
            steps=learner.steps,
            version=run.version,
            reuse=learner.samples / window.total if window.total else math.nan,
            window=window.positions,
            learning_rate=learner.learning_rate(),
            policy_loss=means[0],
            uniform_loss=means[1],
            value_loss=means[2],
            policy_entropy=means[3],
            value_spread=float(values.std()),
            draw_rate=sum(self._is_draw(record) for record in latest) / len(latest) if latest else math.nan,
            game_length=float(np.mean([len(record.plies) for record in latest])) if latest else math.nan,
            endings=dict(endings.most_common()),
            shares=self._shares(),
            board=board,
            board_title=title,
            reuse_target=config.learner.reuse,
        )

    def _is_draw(self, record: GameRecord) -> bool:
        """Drawn by the rules; a game broken off is none."""
        return record.value == 0 and record.ending != int(self.run.game.Ending.MAX_PLIES)

    def _network_name(self) -> str:
        network = self.config.network
        parameters = sum(p.numel() for p in self.run.learner.network.parameters())
        return f"{network.blocks} x {network.channels}, {parameters / 1000:.0f}k parameters"

    def _board(self) -> tuple[str, str]:
        """The first actor's first game, and which it is."""
        actor = self.run.actors[0]
        builder = actor.builders[0]
        state = actor.history.states[0, actor.history.length[0] - 1]
        number = builder.id if builder is not None else 0
        return self.run.game.show(state), f"game {number}, ply {int(actor.history.length[0]) - 1}"

    def _write_metrics(self, status: Status) -> None:
        row: dict[str, Any] = {"seconds": self.run.seconds_before + self.seconds}
        for name, value in vars(status).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[name] = value
        row["seconds"] = self.run.seconds_before + self.seconds
        row |= {f"endings/{name}": count for name, count in status.endings.items()}
        row |= {f"shares/{name}": share for name, share in status.shares.items()}
        self.run.metrics.write(self.run.learner.steps, row)

    # --- the end -----------------------------------------------------------------------------------------------------

    def check_strength(self, stop: Stop) -> list[Match]:
        """Matches against random moves and the untrained net, noted in the metrics; none where a stop is asked for."""
        games_each = self.config.strength_games
        if games_each == 0 or stop.requested:
            return []
        self.report.line(f"Checking strength: {games_each} games each against random moves and the untrained net ...")
        told: dict[str, int] = {}

        def tell(opponent: str, finished: int) -> None:
            if stop.requested:
                raise InterruptedError
            if finished - told.get(opponent, 0) >= games_each / 4:
                told[opponent] = finished
                self.report.line(f"  {finished} of {games_each} games played against {opponent}")

        try:
            matches = check_strength(self.run.game, self.config, self.run.learner.average, games_each, tell)
        except InterruptedError:
            return []
        row: dict[str, Any] = {"seconds": self.run.seconds_before + self.seconds}
        for match in matches:
            name = f"strength/{match.opponent}"
            row |= {name: match.score, f"{name}/low": match.low, f"{name}/high": match.high}
        self.run.metrics.write(self.run.learner.steps, row)
        return matches

    def draw(self, matches: list[Match]) -> Path | None:
        """The picture of the run; None where matplotlib is not installed."""
        try:
            from selfplay.picture import draw

            return draw(self.run.folder, read_metrics(self.run.folder), matches)
        except ModuleNotFoundError as error:
            self.report.line(f"No picture: the package {error.name} is not installed.")
            return None


def train(config: Config, report: Report) -> None:
    """Train by self-play until the time is up or Ctrl-C, then check the strength and sum up.

    Raises:
        ConfigError, LogError, CheckpointError, NonFiniteError: with one clear line each.
    """
    stop = Stop(report)
    run = Run(games.load(config.game), config, report)
    try:
        if run.resumed_from is not None:
            report.recall(read_metrics(run.folder))
            report.line(
                f"Resuming {run.folder} from checkpoint {run.resumed_from}: {run.log.games:,} games, "
                f"{run.learner.steps:,} steps, {run.seconds_before / 60:.1f} minutes trained."
            )
        loop = Loop(run, report)
        loop.train(stop)
        status = loop.status()
        matches = loop.check_strength(stop)
        report.finish(status, matches, loop.draw(matches), run.how_to_go_on())
    finally:
        stop.restore()
        run.close()
