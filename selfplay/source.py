"""Where lessons come from: threads that make them, a teacher each, or one that reads files.

A thread goes on to its next lesson when somebody has taken the last one.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Set
from itertools import count
from pathlib import Path

from agents.engine.clients import ProgramFailed
from rlcore.game import Game
from selfplay.config import Config, ConfigError, LessonConfig
from selfplay.crew import cores
from selfplay.lessons import FIRST_LESSON_ID, find_files, play_lesson, read_lessons
from selfplay.record import GameRecord
from selfplay.teacher import Teacher

__all__ = ["Source", "from_files", "from_teachers"]

_FAILURES = 3
"""A teacher that fails so often in a row is given up."""
_NAMED = 5
"""Games left out that are named; the others are only counted."""
_MOMENT = 0.05
"""Seconds between two looks at whether it is over."""


class Source:
    """Lessons as they are made, each by a thread of its own; close it in the end.

    Args:
        makers: what makes them, one a thread.
        teachers: that these ask, which are closed with it.
        name: for people to read.
    """

    def __init__(self, makers: list[Iterable[GameRecord]], teachers: list[Teacher], name: str) -> None:
        self.teachers, self.name = teachers, name
        self.waited = 0.0
        """Seconds, of all threads together, that a lesson was there which nobody took."""
        self._made: queue.Queue[GameRecord] = queue.Queue(maxsize=len(makers))
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._make, args=(maker,), daemon=True) for maker in makers]
        for thread in self._threads:
            thread.start()

    def _make(self, maker: Iterable[GameRecord]) -> None:
        try:
            for lesson in maker:
                self._hand_over(lesson)
                if self._over.is_set():
                    return
        except BaseException as error:  # whatever it is, it is for whoever takes lessons
            self._failure = error

    def _hand_over(self, lesson: GameRecord) -> None:
        began = time.perf_counter()
        while not self._over.is_set():
            try:
                self._made.put(lesson, timeout=_MOMENT)
                break
            except queue.Full:
                continue
        self.waited += time.perf_counter() - began

    @property
    def threads(self) -> int:
        """That make lessons."""
        return len(self._threads)

    @property
    def is_done(self) -> bool:
        """Whether all lessons have been taken, and there was nothing wrong."""
        alive = any(thread.is_alive() for thread in self._threads)
        return not alive and self._failure is None and self._made.empty()

    def take(self, seconds: float = 0.0) -> list[GameRecord]:
        """The lessons that are there; where there are none, the first that comes within so many seconds.

        Raises:
            ConfigError: no more will come, because a teacher failed or a file cannot be read.
        """
        if self._failure is not None and not self._over.is_set():
            if isinstance(self._failure, ProgramFailed):
                raise ConfigError(f"the teacher {self._failure}") from self._failure
            raise self._failure
        lessons = []
        try:
            lessons.append(self._made.get(seconds > 0, seconds or None))
            while True:
                lessons.append(self._made.get_nowait())
        except queue.Empty:
            return lessons

    def close(self) -> None:
        """End all threads and teachers; lessons under way are lost, those that are made can still be taken."""
        self._over.set()
        for teacher in self.teachers:
            teacher.close()
        for thread in self._threads:
            thread.join()


# --- teachers --------------------------------------------------------------------------------------------------------


def from_teachers(
    game: Game, config: Config, lessons: LessonConfig, taken: Set[int], warn: Callable[[str], None]
) -> Source:
    """Lessons of teachers without end; each plays games of its own, with ids that are not ``taken``.

    Raises:
        ConfigError: the teacher cannot be started.
    """
    total = lessons.threads or cores()
    teachers: list[Teacher] = []
    try:
        teachers += (Teacher(game, lessons) for _ in range(total))
    except ProgramFailed as failure:
        for teacher in teachers:
            teacher.close()
        raise ConfigError(f"the teacher {lessons.teacher} {failure}") from None
    makers: list[Iterable[GameRecord]] = []
    for index, teacher in enumerate(teachers):
        ids = (number for number in count(FIRST_LESSON_ID + index, total) if number not in taken)
        makers.append(_taught(game, teacher, config, lessons, ids, warn))
    side_by_side = f", {total} side by side" if total > 1 else ""
    return Source(makers, teachers, f"taught by {teachers[0].name}{side_by_side}")


def _taught(
    game: Game,
    teacher: Teacher,
    config: Config,
    lessons: LessonConfig,
    ids: Iterator[int],
    warn: Callable[[str], None],
) -> Iterator[GameRecord]:
    """The lessons of one teacher; where it fails it is started anew.

    Raises:
        ProgramFailed: it failed several times in a row.
    """
    failures = 0
    for number in ids:
        while True:
            try:
                record = play_lesson(game, teacher, lessons, number, config.seed, config.actor.max_plies)
                break
            except ProgramFailed as failure:
                failures += 1
                if teacher.closed:
                    return
                if failures == _FAILURES:
                    raise ProgramFailed(failure.how, f"{teacher.name} {failure.reason}") from None
                warn(f"The teacher {teacher.name} {failure}; it is started anew.")
        failures = 0
        yield record


# --- files -----------------------------------------------------------------------------------------------------------


def from_files(game: Game, lessons: LessonConfig, taken: Set[int], warn: Callable[[str], None]) -> Source:
    """The games of files, each once; those that are ``taken`` are passed over.

    Raises:
        ConfigError: there are no such files.
    """
    files = find_files(game, lessons.games)
    some = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return Source([_read(game, files, lessons, taken, warn)], [], f"games of {some}")


def _read(
    game: Game, files: list[Path], lessons: LessonConfig, taken: Set[int], warn: Callable[[str], None]
) -> Iterator[GameRecord]:
    had, left_out = set(taken), 0

    def skip(why: str) -> None:
        nonlocal left_out
        left_out += 1
        if left_out <= _NAMED:
            warn(f"Left out: {why}.")

    for record in read_lessons(game, files, lessons, skip):
        if record.id not in had:
            had.add(record.id)
            yield record
    if left_out:
        warn(f"{left_out:,} games in all were left out.")
