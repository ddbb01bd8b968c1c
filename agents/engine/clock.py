"""The time that two sides have for their moves: main time, increment, byoyomi."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from agents.engine.time_control import Allowance
from games.errors import shown

__all__ = ["BadClock", "Clock", "TimeControl", "parse_clock", "time_text"]


class BadClock(ValueError):
    """A text names no clock; one sentence says why."""


@dataclass(frozen=True)
class TimeControl:
    """What each side has; seconds."""

    main: float
    increment: float = 0.0
    """Added after every move."""
    byoyomi: float = 0.0
    """Once the main time is used up, each move may take so long."""

    def __str__(self) -> str:
        """Such as ``5 minutes + 3 s a move``."""
        parts = [f"{self.main / 60:g} minute{'s' * (self.main != 60)}"] if self.main else []
        parts += [f"{seconds:g} s a move" for seconds in (self.increment, self.byoyomi) if seconds]
        return (" + " if self.increment else ", then ").join(parts)


def parse_clock(text: str) -> TimeControl:
    """``5+3``: five minutes and three seconds more with every move; ``10/30``: ten minutes, then thirty seconds a move.

    Raises:
        BadClock: it is neither, or no time at all.
    """
    number = r"([0-9]{1,4}(?:\.[0-9]{1,3})?)"
    match = re.fullmatch(rf"{number}(?:([+/]){number})?", text.replace(" ", ""))
    if match is None:
        raise BadClock(f"{shown(text)} is no clock: write 5+3 (minutes + seconds a move) or 10/30 (then byoyomi)")
    main, kind, seconds = 60.0 * float(match[1]), match[2], float(match[3] or 0)
    if main + seconds <= 0.0:
        raise BadClock("a clock must leave some time")
    return TimeControl(main, seconds if kind == "+" else 0.0, seconds if kind == "/" else 0.0)


class Clock:
    """Two sides' clocks, of which at most one runs.

    Args:
        now: seconds, from any moment on.
    """

    def __init__(self, control: TimeControl, now: Callable[[], float] = time.monotonic) -> None:
        self.control = control
        self._now = now
        # With an increment only, the first move has it, too.
        self._main = [control.main or control.increment] * 2
        self._running: int | None = None
        self._since = 0.0

    def runs(self, side: int) -> bool:
        """Whether it is a side's clock that runs."""
        return self._running == side

    def start(self, side: int) -> None:
        """Let a side's clock run; it may run already."""
        if self._running != side:
            self.stop()
            self._running, self._since = side, self._now()

    def stop(self) -> None:
        """Stop the clock that runs, in the middle of a move."""
        if self._running is not None:
            self._main[self._running] = self._main_left(self._running)
            self._running = None

    def press(self) -> None:
        """The side whose clock runs has moved: its clock stops, and its increment is added."""
        if (side := self._running) is not None:
            self.stop()
            self._main[side] += self.control.increment

    def left(self, side: int) -> float:
        """Seconds until a side's time is up, its byoyomi included; 0 once it is."""
        used = self._now() - self._since if self._running == side else 0.0
        return max(self._main[side] + self.control.byoyomi - used, 0.0)

    def is_up(self, side: int) -> bool:
        """Whether a side has no time left."""
        return self.left(side) <= 0.0

    def text(self, side: int) -> str:
        """What a side's clock shows: its main time, and once that is used up its byoyomi."""
        main = self._main_left(side)
        return time_text(main) if main or not self.control.byoyomi else f"byoyomi {time_text(self.left(side))}"

    def allowance(self) -> Allowance:
        """The same for a search."""
        main = [int(1000 * self._main_left(side)) for side in (0, 1)]
        increment, byoyomi = (int(1000 * seconds) for seconds in (self.control.increment, self.control.byoyomi))
        return Allowance(time=(main[0], main[1]), increment=(increment, increment), byoyomi=byoyomi)

    def _main_left(self, side: int) -> float:
        used = self._now() - self._since if self._running == side else 0.0
        return max(self._main[side] - used, 0.0)


def time_text(seconds: float) -> str:
    """As clocks show it: ``1:02:03``, ``4:05``, and with tenths in the last ten seconds ``0:09.3``."""
    if seconds < 10.0:
        return f"0:0{int(10 * seconds) / 10:.1f}"
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
