"""What is seen of seeds while they train: a live table in a terminal, plain lines elsewhere. rich draws it."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

from rlcore.progress import can_draw, clock

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table

__all__ = ["Display", "Progress", "State", "seconds_left"]

SCREEN_SECONDS = 0.5  # between two screens
LINE_SECONDS = 10.0  # between two plain lines of a seed
_BAR = 20  # columns

State = Literal["waits", "starts", "trains", "done", "stopped", "failed"]
_ORDER: tuple[State, ...] = ("trains", "starts", "failed", "stopped", "done", "waits")
"""Which seeds are shown first where there is no room for all."""


class Progress(NamedTuple):
    """How far a seed has got."""

    seed: int
    steps: int
    """Environment steps done ..."""
    total: int
    """... of so many."""
    training: float = math.nan
    """Mean return of the last 100 training episodes; nan = not known yet."""
    evaluation: float = math.nan
    """Mean return of the last evaluation."""
    steps_per_second: float = math.nan
    note: str = ""
    """A line for people, shown once, such as what the seed goes on from."""


@dataclass
class _Seed:
    state: State
    progress: Progress
    line_at: float = -math.inf
    """When its last plain line was written."""


class Display:
    """A context manager that shows seeds as they train; the last table stays on the screen."""

    def __init__(
        self, title: str, seeds: Mapping[str, int], stream: TextIO | None = None, plain: bool | None = None
    ) -> None:
        """Nothing is shown yet.

        Args:
            title: what trains, and where.
            seeds: all that there are, done or not: the steps that each trains for, by its name.
            stream: where to; sys.stdout by default.
            plain: lines instead of a table; by default where the stream is no terminal, or one that cannot do it.
        """
        self.stream = sys.stdout if stream is None else stream
        self.plain = not can_draw(self.stream) if plain is None else plain
        self._title = title
        self._seeds = {name: _Seed("waits", Progress(0, 0, steps)) for name, steps in seeds.items()}
        self._began = time.monotonic()
        self._drawn_at = -math.inf
        self._console: Console | None = None
        self._live: Live | None = None

    def __enter__(self) -> "Display":
        self.line(self._title) if self.plain else self.update(now=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the screen."""
        if self._live is not None:
            self.update(now=True)
            self._live.stop()
            self._live = None

    def state(self, name: str, state: State) -> None:
        """A seed starts, ends ..."""
        one = self._seeds[name]
        before, one.state = one.state, state
        if state == "done":
            one.progress = one.progress._replace(steps=max(one.progress.steps, one.progress.total))
        if self.plain and state in ("done", "stopped") and before == "trains":
            self.line(f"{name}: {state}")
        self.update()

    def progress(self, name: str, progress: Progress) -> None:
        """A seed has got so far."""
        one = self._seeds[name]
        one.progress, one.state = progress, "trains"
        if progress.note:
            self.line(f"{name}: {progress.note}")
        now = time.monotonic()
        if self.plain and progress.steps > 0 and now - one.line_at >= LINE_SECONDS:
            one.line_at = now
            self.line(plain_line(name, progress))
        self.update()

    def line(self, text: str) -> None:
        """A line above the table."""
        if self.plain:
            encoding = self.stream.encoding or "utf-8"
            print(text.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)
        else:
            self._get_console().print(text, markup=False, soft_wrap=True)

    def update(self, now: bool = False) -> None:
        """Draw the table again, unless that was done a moment ago."""
        if self.plain or (not now and time.monotonic() - self._drawn_at < SCREEN_SECONDS):
            return
        from rich.live import Live

        console = self._get_console()
        if self._live is None:
            stderr = sys.stderr.isatty()  # only then it would land on the screen
            self._live = Live(console=console, auto_refresh=False, redirect_stderr=stderr, vertical_overflow="crop")
            self._live.start()
        self._live.update(self._screen(*console.size), refresh=True)
        self._drawn_at = time.monotonic()

    def _screen(self, width: int, height: int) -> "Group":
        """At most ``height`` lines."""
        from rich.console import Group
        from rich.text import Text

        states = [one.state for one in self._seeds.values()]
        left = seconds_left([one.progress for one in self._running()], self._steps_waiting())
        words = [f"{states.count(name)} {word}" for name, word in _COUNTED.items() if states.count(name)]
        words += [f"{clock(time.monotonic() - self._began)} so far", *([f"{clock(left)} left"] if left > 0 else [])]
        notes = "training: return of the last episodes, exploring; evaluation: greedy"
        shown = self._chosen(max(1, height - 6))
        title, counts, key = Text(f" {self._title}", "bold"), Text(f" {', '.join(words)}"), Text(f" {notes}", "dim")
        for line in (title, counts, key):
            line.truncate(max(1, width - 1), overflow="ellipsis")
        return Group(title, _table(shown, width), counts, key)

    def _chosen(self, most: int) -> Mapping[str, _Seed]:
        """The seeds to show: all of them, or those of which there is most to see."""
        chosen = sorted(self._seeds, key=lambda name: _ORDER.index(self._seeds[name].state))[:most]
        return {name: one for name, one in self._seeds.items() if name in chosen}

    def _running(self) -> list[_Seed]:
        return [one for one in self._seeds.values() if one.state == "trains"]

    def _steps_waiting(self) -> int:
        """Steps that seeds have to do which do not train yet."""
        ahead = [one.progress for one in self._seeds.values() if one.state in ("waits", "starts")]
        return sum(progress.total - progress.steps for progress in ahead)

    def _get_console(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.stream, force_terminal=True, force_interactive=True, highlight=False)
        return self._console


_COUNTED: dict[State, str] = {
    "waits": "to start",
    "starts": "starting",
    "trains": "training",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
}


def seconds_left(running: Sequence[Progress], steps_waiting: int) -> float:
    """How long it will take until all seeds are done, at the speed of now; nan while that is not known.

    Args:
        running: the seeds that train now.
        steps_waiting: of the seeds that come after them.
    """
    speeds = [one.steps_per_second for one in running]
    if not speeds or not all(speed > 0 for speed in speeds):
        return math.nan
    steps = [max(0, one.total - one.steps) for one in running]
    slowest = max(step / speed for step, speed in zip(steps, speeds, strict=True))
    return max(slowest, (sum(steps) + steps_waiting) / sum(speeds))


def plain_line(name: str, progress: Progress) -> str:
    """A seed's progress in one line of ASCII."""
    p = progress
    left = seconds_left([p], 0)
    parts = [
        f"{p.steps:,} of {p.total:,} steps",
        f"training {_return(p.training)}",
        f"evaluation {_return(p.evaluation)}",
        f"{_whole(p.steps_per_second)} steps/s",
        *([f"{clock(left)} left"] if left > 0 else []),
    ]
    return f"{name}: {', '.join(parts)}"


def _return(value: float) -> str:
    """A mean return to about four digits; a dash where it is not known."""
    if not math.isfinite(value):
        return "-"
    digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "-"


def _table(seeds: Mapping[str, _Seed], width: int) -> "Table":
    """A row a seed; where there is little room, without a bar, and with a percentage instead of numbers of steps."""
    from rich.table import Table

    table = Table(box=None, pad_edge=True, padding=(0, 1), header_style="cyan")
    longest = max(map(len, seeds), default=0)
    has_bar, is_narrow = width >= 70 + _BAR + longest, width < 70 + longest
    table.add_column("", no_wrap=True, overflow="ellipsis", min_width=min(longest, 7))
    for name in (*(["progress"] if has_bar else []), "steps", "training", "evaluation", "steps/s", "time left"):
        table.add_column(name, justify="left" if name == "progress" else "right", no_wrap=True)
    for name, one in seeds.items():
        p, left = one.progress, seconds_left([one.progress], 0)
        last = clock(left) if one.state == "trains" and math.isfinite(left) else one.state
        bar = [_bar(p.steps / max(1, p.total), one.state)] if has_bar else []
        done = f"{p.steps / max(1, p.total):.0%}".replace("%", " %") if is_narrow else f"{p.steps:,} of {p.total:,}"
        cells = [done, _return(p.training), _return(p.evaluation), _whole(p.steps_per_second)]
        table.add_row(name, *bar, *cells, last, style=_STYLES.get(one.state, ""))
    return table


_STYLES: dict[State, str] = {"waits": "dim", "starts": "dim", "failed": "red", "stopped": "yellow"}


def _bar(share: float, state: State) -> str:
    done = min(_BAR, round(_BAR * share))
    colour = "red" if state == "failed" else "green"
    return f"[{colour}]{'━' * done}[/][dim]{'─' * (_BAR - done)}[/]"
