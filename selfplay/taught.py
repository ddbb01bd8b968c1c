"""A run whose games come from elsewhere: from a teacher, or from files. All else is as in self-play.

The crew is that of one process. Lessons are made on threads of their own (`source`), while the learner takes the steps
that they pay for. Where it does not keep up, the teachers wait, and leave their cores to it; so ``learner.reuse`` alone
decides how the time is shared, on any machine. Some lessons are held out: they lie in a log of their own, which no
learner reads, and at the end the network is examined with them.
"""

import time
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from torch import Tensor

import games
from agents.engine.board import Board
from rlcore.files import write_whole
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.networks import ResNet
from selfplay.arena import Match
from selfplay.config import Config, ConfigError, LessonConfig
from selfplay.crew import Judging, Past, View, games_going_on
from selfplay.evaluate import Judge
from selfplay.exam import Marks, examine
from selfplay.learner import StepLosses
from selfplay.lessons import is_held_out
from selfplay.log import GameLog
from selfplay.loop import Loop, train
from selfplay.record import GameRecord
from selfplay.report import Report
from selfplay.source import Source, from_files, from_teachers
from selfplay.strength import check_strength
from selfplay.trainer import Standing, Trainer, choose_device

__all__ = ["HELD_OUT", "SETTINGS", "Taught", "teach"]

SETTINGS = "lessons.json"
"""What a run's lessons are made by, in its folder; and those that are held out."""
HELD_OUT = "held-out.log"
_STEPS = 4
"""Gradient steps of a round, at most."""
_MOST_DUE = 16
"""Lessons are not taken while more steps than this are due."""
_WAIT = 0.2
"""Seconds that a round waits for a lesson where there is nothing to learn."""
_EXAMINED = 50_000
"""Positions of the latest held-out lessons that an exam draws from."""


class Taught:
    """The crew that learns from lessons, see ``crew.Crew``.

    Raises:
        ConfigError: there is nobody to learn from.
    """

    def __init__(
        self,
        game: Game,
        config: Config,
        lessons: LessonConfig,
        past: Past,
        warn: Callable[[str], None],
    ) -> None:
        self.game, self.config, self.lessons = game, config, lessons
        self.device = choose_device(config.device)
        self.trainer = Trainer(game, config, self.device)
        self.trainer.fill(past.records, past.positions - sum(record.positions for record in past.records))
        self.trainer.resume(past.saved)
        self._progress = games_going_on(past)  # of self-play, for which they are kept
        self._latest = past.records[-1] if past.records else None
        self._positions = 0
        self.held_out = GameLog(config.folder() / HELD_OUT, game.name, warn=warn)
        taken = past.ids | self.held_out.ids
        try:
            self.source = self._source(taken, warn)
        except BaseException:
            self.held_out.close()
            raise

    def _source(self, taken: Set[int], warn: Callable[[str], None]) -> Source:
        if self.lessons.teacher:
            return from_teachers(self.game, self.config, self.lessons, taken, warn)
        return from_files(self.game, self.lessons, taken, warn)

    @property
    def threads(self) -> int:
        return 1

    @property
    def slots(self) -> int:
        return self.source.threads

    @property
    def standing(self) -> Standing:
        return self.trainer.standing

    @property
    def name(self) -> str:
        return f"{self.device.type}, {self.source.name}"

    @property
    def is_done(self) -> bool:
        return self.source.is_done and self._steps_now() == 0

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """The lessons that have come in, and some of the gradient steps that are due."""
        steps = self._steps_now()
        lessons: list[GameRecord] = []
        if self.trainer.learner.steps_due() <= _MOST_DUE:
            lessons = self._keep_some_out(self.source.take(0.0 if steps else _WAIT))
        return lessons, pool.submit(self.trainer.train, steps).result()

    def _steps_now(self) -> int:
        due = self.trainer.learner.steps_due() if self.trainer.window.positions else 0
        return max(min(due, _STEPS), 0)

    def _keep_some_out(self, lessons: list[GameRecord]) -> list[GameRecord]:
        """Log those that are held out; returns the others."""
        self.held_out.append(lesson for lesson in lessons if is_held_out(lesson.id, self.lessons))
        return [lesson for lesson in lessons if not is_held_out(lesson.id, self.lessons)]

    def accept(self, finished: list[GameRecord]) -> None:
        if finished:
            self._latest = finished[-1]
            self._positions += sum(record.positions for record in finished)
        self.trainer.take(finished)
        self.trainer.publish_if_due()

    def finish(self) -> list[GameRecord]:
        self.source.close()
        return self._keep_some_out(self.source.take())

    @property
    def attendance(self) -> None:
        return None

    def weights(self) -> tuple[int, ResNet]:
        return self.trainer.learner.steps, self.trainer.learner.average

    def positions_in_progress(self) -> int:
        return sum(record.positions for record in self._progress[0])

    def in_progress(self) -> tuple[list[GameRecord], Array]:
        return self._progress

    def save(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, bytes]]:
        return self.trainer.save()

    def counters(self) -> dict[str, float]:
        """As ``crew.figures``; an evaluation is an opinion of a teacher, who is attended while nobody has to wait."""
        now, teachers = time.perf_counter(), self.source.teachers
        asked, seconds = sum(one.asked for one in teachers), sum(one.seconds for one in teachers)
        attended = now * self.source.threads - self.source.waited
        unknown = dict.fromkeys(("waves", "offered", "evaluated", "hits", "lookups"), 0.0)
        return unknown | {
            "moves": float(asked),
            "positions": float(self._positions),
            "evaluations": float(asked),
            "evaluating": seconds,
            "searching": seconds,
            "playing": attended,
            "clock": now,
            "attended": attended,
            "paused": self.source.waited,
            "learning": self.trainer.learner.seconds,
        }

    def view(self) -> View:
        """The end of the latest lesson."""
        record, board = self._latest, Board(self.game)
        if record is None:
            return View(board.state, 0, 0, np.zeros(0, np.float32))
        for action in record.actions:
            board.play(int(action))
        wdl = record.wdl[record.trained]
        return View(board.state, record.id, len(record.plies), wdl[:, 0] - wdl[:, 2])

    def judge(self) -> Judging:
        return Judge(self.game, self.config, self.trainer.learner.average)

    def check_strength(self, games: int, progress: Callable[[str, int], None]) -> list[Match]:
        return check_strength(self.game, self.config, self.trainer.learner.average, games, progress)

    def examine(self) -> Marks | None:
        """The averaged weights, by the latest lessons that were held out; None where there are none."""
        held_out = list(self.held_out.records(self.held_out.tail(_EXAMINED)))
        return examine(self.game, self.config, self.trainer.learner.average, held_out)

    def close(self) -> None:
        self.source.close()
        self.held_out.close()


def teach(config: Config, lessons: LessonConfig, report: Report) -> None:
    """Learn from lessons until the time is up, they are over, or Ctrl-C; then examine the network and sum up.

    Raises:
        ConfigError, LogError, CheckpointError, NonFiniteError: with one clear line each.
    """
    if bool(lessons.teacher) == bool(lessons.games):
        raise ConfigError("name a --teacher, such as stockfish, or files to learn from with --games; one of the two")
    if config.on_ray:
        raise ConfigError("lessons are learned in one process: leave out --actors and --ray-address")

    game = games.load(config.game)

    def crew(past: Past) -> Taught:
        taught = Taught(game, config, lessons, past, report.line)
        write_whole(config.folder() / SETTINGS, lessons.to_json().encode())
        return taught

    def exam(loop: Loop) -> None:
        assert isinstance(loop.run.crew, Taught)
        marks = loop.run.crew.examine()
        if marks is not None:
            report.line(str(marks))
            row = {f"exam/{name}": value for name, value in marks._asdict().items()}
            loop.run.metrics.write(loop.run.steps, {"seconds": loop.run.seconds_before + loop.seconds} | row)

    train(config, report, crew, exam)
