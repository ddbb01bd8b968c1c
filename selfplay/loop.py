"""The loop: rounds until the time is up, a display, checkpoints, and a summary at the end."""

import math
import os
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch

import games
from games.solved import SOLVED
from rlcore.metrics import read as read_metrics
from selfplay.arena import Match, wilson
from selfplay.config import Config
from selfplay.crew import Attendance, Crew, Past
from selfplay.evaluate import LIVE_SIMULATIONS
from selfplay.exact import Totals
from selfplay.learner import StepLosses
from selfplay.record import GameRecord
from selfplay.report import Report, Status
from selfplay.run import Run
from selfplay.strength import new_network

_RATE_SECONDS = 20.0  # speeds are means over this long
_METRICS_SECONDS = 5.0  # between two rows of metrics
SWITCH_SECONDS = 0.0002  # actors and learner hand over Python's lock a hundred times a batch: 5 ms each is too long


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
        self._first: tuple[float, dict[str, float]] | None = None

    def update(self, counters: dict[str, float]) -> None:
        now = time.perf_counter()
        self._marks.append((now, counters))
        if self._first is None:
            self._first = self._marks[0]
        while len(self._marks) > 2 and now - self._marks[1][0] > _RATE_SECONDS:
            self._marks.popleft()

    def whole(self) -> "Meter":
        """The same over all the time since the first update."""
        meter = Meter()
        if self._first is not None:
            meter._marks.extend((self._first, self._marks[-1]))
        return meter

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


class Taken(NamedTuple):
    """When the weights that are compared with perfect play were taken."""

    clock: float
    steps: int
    seconds: float
    """Of training, in the whole run."""


def _limit_threads() -> None:
    """One intra-op thread a worker: two torch threads get in each other's way on busy cores."""
    torch.set_num_threads(1)


def _describe_network(run: Run) -> str:
    network = run.config.network
    with torch.device("meta"):  # no memory, no time
        parameters = sum(p.numel() for p in new_network(run.game, run.config).parameters())
    return f"{network.blocks} x {network.channels}, {parameters / 1000:.0f}k parameters"


def _attendance(there: Attendance | None, meter: Meter) -> dict[str, Any]:
    """Of players with processes of their own, what `Status` says of them."""
    if there is None:
        return {}
    return {
        "players": there.players,
        "players_wanted": there.wanted,
        "players_lost": there.lost,
        "trainers_lost": there.trainers_lost,
        "paused": meter.ratio("paused", "attended"),
        "blocks_waiting": there.blocks,
    }


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
        self._network = _describe_network(run)
        self.exact: dict[str, Totals] = {}
        """How near to perfect play the network was when it was last looked at, by the names in the report."""
        self.exact_steps = 0
        measured = run.game.name in SOLVED and run.config.exact_minutes > 0
        self._judge = run.crew.judge() if measured else None
        self._judging: Future[dict[str, Totals]] | None = None
        self._taken = Taken(-math.inf, 0, math.nan)

    @property
    def seconds(self) -> float:
        """Since this start."""
        return time.perf_counter() - self.began

    def train(self, stop: Stop) -> None:
        """Rounds until the time is up or a stop is asked for, then a last checkpoint."""
        limit = self.config.max_minutes * 60 or math.inf
        self.run.save(self.seconds)
        self.run.keep(self.seconds)
        workers = self.run.crew.threads + 2  # the judge, and whoever writes games as text
        sys.setswitchinterval(SWITCH_SECONDS)
        played = False
        with ThreadPoolExecutor(workers, "rlcore", initializer=_limit_threads) as pool:
            try:
                while self.seconds < limit and not self._is_over and not stop.requested:
                    _, losses = self.run.round(pool)
                    if losses is not None:
                        self.losses.append(losses)
                    self._tell()
                    self._judge_now_and_then(pool, stop)
                    played = True
            except BrokenPipeError:  # whoever read what is told here has gone; what was learned stays
                self.run.save(self.seconds)
                raise
            learned_all = self.run.crew.is_done  # a teacher that is sent home in the end has no more to say, either
            self.run.finish(pool)
            if played:
                self._write_metrics(self.status())
            self.run.save(self.seconds)
            self.run.keep(self.seconds, is_end=True)
            if played:
                self._judge_the_end(pool, stop)
        if self.run.is_complete:
            self.report.line(f"The run has made the {self.config.max_positions:,} positions that it was asked for.")
        elif learned_all:
            self.report.line("There is nothing more to learn from.")

    @property
    def _is_over(self) -> bool:
        return self.run.is_complete or self.run.crew.is_done

    def _tell(self) -> None:
        now = time.perf_counter()
        self.run.keep(self.seconds)
        self.meter.update(self.run.crew.counters())
        if self.report.is_due:
            self.report.update(self.status())
        if now - self._written >= _METRICS_SECONDS:
            self._written = now
            self._write_metrics(self.status())
        if now - self._saved >= self.config.checkpoint_minutes * 60:
            self._saved = now
            self.run.save(self.seconds)

    # --- solved games ------------------------------------------------------------------------------------------------

    def _judge_now_and_then(self, pool: ThreadPoolExecutor, stop: Stop) -> None:
        """Let the network be compared with perfect play while the rounds go on."""
        if self._judging is not None and self._judging.done():
            self._note_judgement()
        due = time.perf_counter() - self._taken.clock >= self.config.exact_minutes * 60
        if self._judge is not None and self._judging is None and due:
            steps, network = self.run.crew.weights()
            self._taken = Taken(time.perf_counter(), steps, self.run.seconds_before + self.seconds)
            self._judge.take(network, steps)
            self._judging = pool.submit(self._judge.totals, lambda: stop.requested)

    def _judge_the_end(self, pool: ThreadPoolExecutor, stop: Stop) -> None:
        """Compare the last weights, unless somebody waits for the end."""
        if self._judging is not None:
            self._note_judgement()
        if self._judge is not None and not stop.requested and self._taken.steps != self.run.steps:
            self.report.line("Comparing the last network with perfect play ...")
            self._taken = Taken(-math.inf, 0, math.nan)
            self._judge_now_and_then(pool, stop)
            self._note_judgement()

    def _note_judgement(self) -> None:
        """Take what the judge found into the report and the metrics; waits for it."""
        assert self._judging is not None
        judging, self._judging = self._judging, None
        try:
            found = judging.result()
        except InterruptedError as error:  # asked for, or for a reason that is given
            if str(error):
                self.report.line(f"Not compared with perfect play: {error}.")
            return
        self.exact_steps = self._taken.steps
        self.exact = {"policy": found["policy"], f"{LIVE_SIMULATIONS} sims": found["search"]}
        row: dict[str, Any] = {"seconds": self._taken.seconds, "exact/steps": self._taken.steps}
        for name, one in found.items():
            row |= {f"exact/{name}/{figure}": value for figure, value in one._asdict().items()}
        self.run.metrics.write(self.run.steps, row)

    # --- figures -----------------------------------------------------------------------------------------------------

    def _shares(self, meter: Meter) -> dict[str, float]:
        """Of the actors' time, what the evaluator, the tree and the rest took; of the clock, how long was learnt.

        An actor is idle while the slowest of its round or the learner is at work, and between rounds; one with a
        process of its own while it is paused, and gets new weights ready.
        """
        evaluate, search, play = (meter.ratio(name, "attended") for name in ("evaluating", "searching", "playing"))
        learn = meter.ratio("learning", "clock")
        shares = {"evaluate": evaluate, "tree": search - evaluate, "rest": play - search, "idle": 1 - play}
        return {name: max(share, 0.0) for name, share in (shares | {"learn": learn, "wait": 1 - learn}).items()}

    def _seconds_left(self, meter: Meter) -> float | None:
        """Until the time is up or the positions are made, whichever comes first; None where no end is in sight."""
        config = self.config
        ends = [config.max_minutes * 60 - self.seconds] if config.max_minutes else []
        if config.max_positions and meter.rate("positions") > 0:
            ends.append((config.max_positions - self.run.positions) / meter.rate("positions"))
        return max(min(ends), 0.0) if ends else None

    def status(self, whole: bool = False) -> Status:
        """Everything that a person wants to know: speeds and shares of the last seconds, or of the ``whole`` start."""
        run, config = self.run, self.config
        meter = self.meter.whole() if whole else self.meter
        standing, view = run.crew.standing, run.crew.view()
        means = np.mean(self.losses, axis=0).tolist() if self.losses else [math.nan] * 4
        latest = list(run.latest)
        endings = Counter(run.game.Ending(record.ending).name.lower() for record in latest)
        rows, checks = config.actor.games * min(config.search.leaves, config.search.simulations), len(run.mistakes)
        mistakes = sum(run.mistakes) / checks if checks else math.nan
        values = view.values[np.isfinite(view.values)]
        return Status(
            game=run.game.name,
            run_dir=run.folder,
            device=run.crew.name,
            network=self._network,
            simulations=config.search.simulations,
            seconds=self.seconds,
            seconds_left=self._seconds_left(meter),
            resumed_from=run.resumed_from,
            games=run.log.games,
            positions=run.positions,
            new_games=run.log.games - self.games_before,
            new_positions=int(run.crew.counters()["positions"]),
            positions_per_second=meter.rate("positions"),
            evaluations_per_second=meter.rate("evaluations"),
            batch_fill=meter.ratio("evaluated", "waves") / rows,
            steps=standing.steps,
            version=standing.version,
            reuse=standing.samples / standing.positions if standing.positions else math.nan,
            window=standing.window,
            learning_rate=standing.learning_rate,
            policy_loss=means[0],
            uniform_loss=means[1],
            value_loss=means[2],
            policy_entropy=means[3],
            value_spread=float(values.std()) if len(values) else math.nan,
            draw_rate=sum(self._is_draw(record) for record in latest) / len(latest) if latest else math.nan,
            game_length=float(np.mean([len(record.plies) for record in latest])) if latest else math.nan,
            endings=dict(endings.most_common()),
            shares=self._shares(meter),
            board=run.game.show(view.state),
            board_title=f"game {view.game}, ply {view.ply}",
            text_file=run.game_file.path.name if run.game_file is not None else "",
            reuse_target=config.learner.reuse,
            steps_due=max(standing.steps_due, 0),
            most_fill=meter.ratio("offered", "waves") / rows,
            cache_hits=meter.ratio("hits", "lookups"),
            positions_wanted=config.max_positions,
            moves_per_second=meter.rate("moves") if config.actor.full_share < 1.0 else math.nan,
            resign=config.actor.resign,
            resign_checks=checks,
            resign_mistakes=mistakes,
            resign_low=wilson(mistakes, checks)[0] if checks else math.nan,
            resign_high=wilson(mistakes, checks)[1] if checks else math.nan,
            exact=self.exact,
            exact_steps=self.exact_steps,
            doing=run.doing,
            **_attendance(run.crew.attendance, meter),
        )

    def _is_draw(self, record: GameRecord) -> bool:
        """Drawn by the rules; a game broken off is none."""
        return record.value == 0 and record.ending != int(self.run.game.Ending.MAX_PLIES)

    def _write_metrics(self, status: Status) -> None:
        row: dict[str, Any] = {"seconds": self.run.seconds_before + self.seconds}
        for name, value in vars(status).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                row[name] = value
        row["seconds"] = self.run.seconds_before + self.seconds
        row |= {f"endings/{name}": count for name, count in status.endings.items()}
        row |= {f"shares/{name}": share for name, share in status.shares.items()}
        self.run.metrics.write(self.run.steps, row)

    # --- the end -----------------------------------------------------------------------------------------------------

    def check_strength(self, stop: Stop) -> list[Match]:
        """Matches against random moves and the untrained net, noted in the metrics; none where a stop is asked for."""
        games_each = self.config.strength_games
        if games_each == 0 or stop.requested:
            return []
        if self.run.game.DISCOUNT > 0.0:  # one player alone
            self._check_regret(games_each, stop)
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
            matches = self.run.crew.check_strength(games_each, tell)
        except InterruptedError as error:
            if str(error):
                self.report.line(f"The strength was not checked: {error}.")
            return []
        row: dict[str, Any] = {"seconds": self.run.seconds_before + self.seconds}
        for match in matches:
            name = f"strength/{match.opponent}"
            row |= {name: match.score, f"{name}/low": match.low, f"{name}/high": match.high}
        self.run.metrics.write(self.run.steps, row)
        return matches

    def _check_regret(self, starts: int, stop: Stop) -> None:
        """Walks from starts that were not trained on, told and noted in the metrics, unless a stop is asked for."""
        from selfplay.regret import check_regret

        def go_on(_finished: int) -> None:
            if stop.requested:
                raise InterruptedError

        self.report.line(f"Walking from {starts} starts on maps of their own, to compare with the shortest paths ...")
        try:
            found = check_regret(self.run.game, self.config, self.run.crew.weights()[1], starts, go_on)
        except InterruptedError:
            return
        row: dict[str, Any] = {"seconds": self.run.seconds_before + self.seconds}
        for name, one in found.items():
            self.report.line(f"  {one}")
            row |= {f"regret/{name}": one.regret, f"regret/{name}/low": one.low, f"regret/{name}/high": one.high}
            row |= {f"regret/{name}/shortest": one.shortest, f"regret/{name}/arrived": one.arrived}
        self.run.metrics.write(self.run.steps, row)

    def draw(self, matches: list[Match]) -> Path | None:
        """The picture of the run; None where matplotlib is not installed."""
        try:
            from selfplay.picture import draw

            return draw(self.run.folder, read_metrics(self.run.folder), matches)
        except ModuleNotFoundError as error:
            self.report.line(f"No picture: the package {error.name} is not installed.")
            return None


def train(
    config: Config,
    report: Report,
    crew: Callable[[Past], Crew] | None = None,
    examine: Callable[[Loop], None] | None = None,
) -> None:
    """Train until the time is up or Ctrl-C, then check the strength and sum up: by self-play, or as ``crew`` does.

    ``examine`` is called after the last round.

    Raises:
        ConfigError, LogError, CheckpointError, NonFiniteError: with one clear line each.
    """
    stop = Stop(report)
    run = Run(games.load(config.game), config, report, crew)
    try:
        if run.resumed_from is not None:
            report.recall(read_metrics(run.folder))
            report.line(
                f"Resuming {run.folder} from checkpoint {run.resumed_from}: {run.log.games:,} games, "
                f"{run.steps:,} steps, {run.seconds_before / 60:.1f} minutes trained."
            )
        loop = Loop(run, report)
        loop.train(stop)
        status = loop.status(whole=True)
        if examine is not None and not stop.requested:
            examine(loop)
        matches = loop.check_strength(stop)
        report.finish(status, matches, loop.draw(matches), run.how_to_go_on())
    finally:
        run.close()
        stop.restore()
