"""What a run looks like: `screen` while it goes on, in a terminal (rich), and `draw` for its course, as a PNG (matplotlib).

Neither library is imported before it is needed.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfplay.report import LN_3, Point, Result, Status, clock, figure, percent, relative

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Group
    from rich.text import Text

__all__ = ["draw", "screen"]

_LEARNER = ("learn", "wait")  # stages of Status.shares that are the learner's; all others are the actors'
_EIGHTHS = "▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


# --- the screen ------------------------------------------------------------------------------------------------------


def screen(status: Status, warnings: Sequence[str], points: Sequence[Point], width: int, height: int) -> "Group":
    """A screenful, at most ``width`` x ``height`` characters; the less important figures give way where room is short.

    Args:
        warnings: the alarms that are on.
        points: the losses over the run.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    width = max(20, width - 1)  # a line that reaches the edge wraps on some terminals
    head, foot = _head(status, width), _time(status, width)
    for line in (*head, *foot):
        line.truncate(width, overflow="ellipsis")
    alarm = Table.grid(padding=(0, 1))
    for text in warnings:
        alarm.add_row(Text(" !", "bold yellow"), Text(text, "yellow"))
    taken = sum(1 + len(text) * 9 // 8 // (width - 4) for text in warnings)  # wrapping at words costs an eighth
    room = height - len(head) - len(foot) - taken
    airy = room >= 24
    room -= 2 if airy else 0
    right = min(46, max(30, 3 * width // 8)) if width >= 68 else 0
    body = Table.grid()
    body.add_column(width=width - right, no_wrap=True)
    cells: list[Any] = [_left(status, width - right - 1, room)]
    if right:
        body.add_column(width=right, no_wrap=True)
        cells.append(_right(status, points, right, room))
    body.add_row(*cells)
    gap = [Text("")] if airy else []
    return Group(*head, *gap, body, *gap, *foot, *([alarm] if warnings else []))


def _head(s: Status, width: int) -> "list[Text]":
    """What runs, where, and how long still."""
    from rich.text import Text

    name = Text(f" {s.game} self-play", "bold")
    where = f"resumed from {s.resumed_from} in {s.run_dir}" if s.resumed_from else str(s.run_dir)
    about = Text(f" {s.network} · {s.simulations} simulations a move · {s.device}", "dim")
    first = Text.assemble(name, (f"{where:>{max(0, width - len(name))}}", "dim"))
    if s.seconds_left is None:
        return [first, about, Text(f" {clock(s.seconds)}, runs on until Ctrl-C")]
    total = s.seconds + s.seconds_left
    words = f"  {clock(s.seconds)} of {clock(total)}, {clock(s.seconds_left)} left"
    length = max(0, width - len(words) - 1)
    done = round(length * s.seconds / total) if total > 0 else length
    return [first, about, Text.assemble(" ", ("━" * done, "green"), ("─" * (length - done), "dim"), words)]


def _figures(s: Status) -> list[tuple[str, list[tuple[int, str, str, str]]]]:
    """The left column: groups of (importance 1 to 3, the first being kept longest; label, value, note)."""
    total = max(1, sum(s.endings.values()))
    endings = sorted(s.endings.items(), key=lambda item: -item[1])[:7]
    target = "" if math.isnan(s.reuse_target) else f" of {s.reuse_target:g}"
    return [
        ("Self-play", [
            (1, "games", f"{s.games:,}", f"{s.new_games:,} in this start"),
            (1, "positions", f"{s.positions:,}", f"{s.new_positions:,}"),
            (1, "positions/s", figure(s.positions_per_second), ""),
            (1, "evaluations/s", figure(s.evaluations_per_second), f"batches {percent(s.batch_fill)} full"),
        ]),
        ("Learning", [
            (1, "steps", f"{s.steps:,}", f"{s.version:,} networks"),
            (1, "reuse", figure(s.reuse, ".2f"), f"times{target} a position"),
            (1, "policy loss", figure(s.policy_loss, ".3f"), _share(s.policy_loss, s.uniform_loss, "uniform")),
            (1, "value loss", figure(s.value_loss, ".3f"), _share(s.value_loss, LN_3, "ln 3")),
            (2, "policy entropy", figure(s.policy_entropy, ".2f"), "nats"),
            (3, "value spread", figure(s.value_spread, ".2f"), ""),
            (3, "window", f"{s.window:,}", "positions"),
            (3, "learning rate", figure(s.learning_rate, ".2g"), ""),
        ]),
        ("Games", [
            (1, "length", figure(s.game_length), "plies"),
            (1, "draws", percent(s.draw_rate), _bar(s.draw_rate, 18)),
            *((1 if i < 3 else 2 if i < 4 else 3, name.replace("_", " "), percent(n / total), _bar(n / total, 18))
              for i, (name, n) in enumerate(endings)),
        ]),
    ]  # fmt: skip


def _share(loss: float, yardstick: float, name: str) -> str:
    return "" if math.isnan(loss) else f"{percent(relative(loss, yardstick), 1)} of {name}"


def _bar(share: float, width: int) -> str:
    """A horizontal bar, to an eighth of a character."""
    eighths = 0 if math.isnan(share) else round(8 * width * min(1.0, max(0.0, share)))
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def _left(s: Status, width: int, height: int) -> "Text":
    """The groups of figures, as much of them as fits."""
    from rich.text import Text

    groups = _figures(s)
    for level in (4, 3, 2, 1):  # 4: with a blank line between groups
        shown = [(title, [row for row in rows if row[0] <= level]) for title, rows in groups]
        if sum(1 + len(rows) for _, rows in shown) + (len(shown) - 1 if level == 4 else 0) <= height:
            break
    lines: list[Text] = []
    for title, rows in shown:
        lines += [Text("")] if level == 4 and lines else []
        lines.append(Text(" " + title, "bold cyan"))
        for _, label, value, note in rows:
            style = "blue" if note[-1:] in tuple(_EIGHTHS) else "dim"
            lines.append(Text.assemble(f"   {label:<14.14}", (f"{value:>9}  ", "bold"), (note, style)))
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines[: max(1, height)])


def _right(s: Status, points: Sequence[Point], width: int, height: int) -> "Group":
    """The board in a panel, and as many of the two curves below it as fit."""
    from rich.align import Align
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    title, below = s.board_title, ""
    if len(title) > width - 6:
        title, _, below = title.rpartition(", ")
    board = _board(s)
    room = height - len(board.plain.splitlines()) - 2
    padding = 1 if room >= 8 else 0
    panel = Panel(
        Align.center(board), title=Text(title), subtitle=Text(below), width=width, padding=(padding, 1),
        border_style="dim",
    )  # fmt: skip
    room -= 2 * padding
    blank = [Text("")] if room >= 6 else []
    lines: list[Text] = []
    for name, values in (("policy loss / uniform", [p.policy for p in points]),
                         ("value loss / ln 3", [p.value for p in points])):  # fmt: skip
        if points and room >= 2:
            now = f"{values[0]:.3f} → {values[-1]:.3f}"
            lines += [*blank, Text.assemble(" ", (name, "dim"), f"{now:>{width - len(name) - 2}}")]
            lines.append(Text(" " + _sparkline([p.step for p in points], values, width - 2), "green"))
            room -= 2 + len(blank)
    return Group(panel, *lines)


def _board(s: Status) -> "Text":
    """The board; where it has no colours, one side's pieces are told from the other's by letter case or glyph."""
    from rich.text import Text

    text = Text.from_ansi(s.board.rstrip("\n"))
    if not text.spans:
        text.highlight_regex(r"[A-Z♔-♙]", "bold")
        text.highlight_regex(r"[a-z♚-♟]", "bold cyan")
        text.highlight_regex(r"[.·\d|+-]|(?m:^\W*a b c .*$)", "not bold dim default")
    return text


def _sparkline(steps: Sequence[int], values: Sequence[float], width: int) -> str:
    """A curve over the steps, a character each for ``width`` equal parts of them."""
    cells: list[list[float]] = [[] for _ in range(width)]
    start, span = steps[0], max(1, steps[-1] - steps[0])
    for step, value in zip(steps, values, strict=True):
        cells[(step - start) * (width - 1) // span].append(value)
    means, last = [], values[0]
    for cell in cells:
        last = sum(cell) / len(cell) if cell else last
        means.append(last)
    low = min(means)
    scale = 7 / max(max(means) - low, 0.02)  # two points of a hundred fill the height, less is no more than noise
    return "".join(_HEIGHTS[round((mean - low) * scale)] for mean in means)


def _time(s: Status, width: int) -> "list[Text]":
    """Where the time goes: a stacked bar for the actors, one for the learner."""
    from rich.text import Text

    actors = {name: share for name, share in s.shares.items() if name not in _LEARNER}
    learner = {name: s.shares[name] for name in _LEARNER if name in s.shares}
    looks = (("█", "blue"), ("▓", "cyan"), ("░", "dim"))  # told apart without colour too
    length = max(6, min(40, width - 57))
    lines = []
    for who, shares, styles in (("actors", actors, looks), ("learner", learner, looks[::2])):
        bar, legend = Text(), Text("  ")
        for i, (name, share) in enumerate(shares.items()):
            glyph, style = styles[i % len(styles)]
            bar.append(glyph * (0 if math.isnan(share) else round(length * share)), style)
            legend.append(glyph + " ", style).append(f"{name} {percent(share):<6} ")
        bar.truncate(length, pad=True)
        lines += [Text.assemble((f" {who:<8}", "bold cyan"), bar, legend)] if shares else []
    return lines
