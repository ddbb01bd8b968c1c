"""What a run looks like: `screen` in a terminal while it goes on (rich), `draw` as a file afterwards (matplotlib).

Neither library is imported before it is needed.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlcore.plots import COLOURS, GREY, INK, Curve, Label, blank, grid, label_lines, plot, write
from rlcore.progress import clock
from selfplay.report import LEARNER, LN_3, Point, Result, Status, figure, part, percent, relative

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Group
    from rich.text import Text

__all__ = ["FILE", "draw", "screen"]

FILE = "progress.png"

_LEAST_LEFT = 44  # columns for figures; the board gives way
_HEIGHTS = "▁▂▃▄▅▆▇█"


# --- the screen ------------------------------------------------------------------------------------------------------


def screen(status: Status, warnings: Sequence[str], points: Sequence[Point], width: int, height: int) -> "Group":
    """At most ``width`` x ``height`` characters; the less important figures give way where room is short.

    ``warnings`` are the alarms that are on, ``points`` the losses over the run.
    """
    from rich.cells import cell_len
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    width = min(max(20, width - 1), 130)  # a line that reaches the edge wraps on some terminals
    head, foot = _head(status, width), _time(status, width)
    foot += [
        Text(line, "yellow")
        for text in warnings
        for line in textwrap.wrap(f" ! {text}", width, subsequent_indent="   ")
    ]
    foot = foot[: max(0, height - len(head) - 1)]
    airy = height - len(head) - len(foot) >= 24
    room = height - len(head) - len(foot) - 2 * airy
    widths = sorted(map(cell_len, Text.from_ansi(status.board).plain.splitlines()))
    board = widths[len(widths) // 2] if widths else 0  # a longer line, such as a full hand, is cut
    right = max(min(46, 3 * width // 8), board + 4, 30)
    right = right if width >= 76 and width - right >= _LEAST_LEFT else 0
    body = Table.grid()
    body.add_column(width=width - right, no_wrap=True)
    body.add_row(_left(status, width - right - 1, room), *([_right(status, points, right, room)] if right else []))
    gap = [Text("")] if airy else []
    for line in (*head, *foot):
        line.truncate(width, overflow="ellipsis")
    return Group(*head, *gap, body, *gap, *foot)


def _head(s: Status, width: int) -> "list[Text]":
    """What runs, where, and how long still."""
    from rich.text import Text

    name = Text(f" {s.game} {s.doing}", "bold")
    where = f"resumed from {s.resumed_from} in {s.run_dir}" if s.resumed_from else str(s.run_dir)
    about = Text(f" {s.network} · {s.simulations} simulations a move · {s.device}", "dim")
    first = Text.assemble(name, (f"{where:>{max(0, width - len(name))}}", "dim"))
    if s.seconds_left is None:
        end = f"{s.positions_wanted:,} positions are made" if s.positions_wanted else "Ctrl-C"
        return [first, about, Text(f" {clock(s.seconds)}, runs on until {end}")]
    total = s.seconds + s.seconds_left
    words = f"  {clock(s.seconds)} of {clock(total)}, {clock(s.seconds_left)} left"
    length = max(0, width - len(words) - 1)
    done = round(length * s.seconds / total) if total > 0 else length
    return [first, about, Text.assemble(" ", ("━" * done, "green"), ("─" * (length - done), "dim"), words)]


def _figures(s: Status, width: int) -> list[tuple[str, list[tuple[int, str, str, str]]]]:
    """Groups of (importance 1 to 3, the first being kept longest; label, value, note of at most ``width``)."""
    total = max(1, sum(s.endings.values()))
    endings = sorted(s.endings.items(), key=lambda item: -item[1])[:7]
    target = "times a position" if math.isnan(s.reuse_target) else f"of {s.reuse_target:g} wanted"
    games, positions = (f"{new:,} in this start" if s.resumed_from else "" for new in (s.new_games, s.new_positions))
    positions = f"of {s.positions_wanted:,} wanted" if s.positions_wanted else positions
    moves = "" if math.isnan(s.moves_per_second) else f"of {figure(s.moves_per_second)} moves/s"
    cached = [] if math.isnan(s.cache_hits) else [(2, "cache hits", percent(s.cache_hits), "of evaluations")]
    there = [(1, "players", f"{s.players} of {s.players_wanted}", _waiting(s))] if s.players_wanted else []
    wrong = [(1, "wrong resigns", percent(s.resign_mistakes, 1), _checks(s))] if s.resign > 0 else []
    kept = [(1, f"kept, {name}", part(one.kept), f"{part(one.optimal)} optimal") for name, one in s.exact.items()]
    width, policy = min(width, 32), relative(s.policy_loss, s.uniform_loss)
    return [
        ("Self-play", [
            (1, "games", f"{s.games:,}", games),
            (1, "positions", f"{s.positions:,}", positions),
            (1, "positions/s", figure(s.positions_per_second), moves),
            (1, "evaluations/s", figure(s.evaluations_per_second), f"batches {percent(s.batch_fill)} full"),
            *cached,
            *there,
        ]),
        ("Learning", [
            (1, "steps", f"{s.steps:,}", f"network no. {s.version:,}"),
            *kept,
            (1, "reuse", figure(s.reuse, ".2f"), target),
            (1, "policy loss", figure(s.policy_loss, ".3f"), f"{percent(policy, 1)} of uniform"),
            (1, "value loss", figure(s.value_loss, ".3f"), f"{percent(s.value_loss / LN_3, 1)} of ln 3"),
            (2, "policy entropy", figure(s.policy_entropy, ".2f"), "nats"),
            (3, "value spread", figure(s.value_spread, ".2f"), ""),
            (3, "window", f"{s.window:,}", "positions"),
            (3, "learning rate", figure(s.learning_rate, ".2g"), ""),
        ]),
        ("Games", [
            (1, "length", figure(s.game_length), "plies"),
            (1, "draws", percent(s.draw_rate), _bar(s.draw_rate, width)),
            *wrong,
            *((1 if i < 3 else 2 if i < 4 else 3, name.replace("_", " "), percent(n / total), _bar(n / total, width))
              for i, (name, n) in enumerate(endings)),
        ]),
    ]  # fmt: skip


def _waiting(s: Status) -> str:
    """What became of the players, in few words."""
    return f"{s.players_lost + s.trainers_lost} lost, paused {percent(s.paused)}"


def _checks(s: Status) -> str:
    """From how many games it is known how often giving up is wrong, and how well."""
    if s.resign_checks == 0:
        return "no game played on yet"
    low, high = (f"{100 * end:.{1 if end < 0.0995 else 0}f}" for end in (s.resign_low, s.resign_high))
    return f"{low}-{high} of {s.resign_checks:,} games"


def _bar(share: float, width: int) -> str:
    """A horizontal bar, to half a character."""
    halves = 0 if math.isnan(share) else round(2 * width * min(1.0, max(0.0, share)))
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _left(s: Status, width: int, height: int) -> "Text":
    """The groups of figures, as much of them as fits."""
    from rich.text import Text

    groups = _figures(s, width - 28)
    for level in (4, 3, 2, 1):  # 4: with a blank line between groups
        shown = [(title, [row for row in rows if row[0] <= level]) for title, rows in groups]
        if sum(1 + len(rows) for _, rows in shown) + (len(shown) - 1 if level == 4 else 0) <= height:
            break
    lines: list[Text] = []
    for title, rows in shown:
        if not rows:
            continue
        lines += [Text()] if level == 4 and lines else []
        lines.append(Text(" " + title, "bold cyan"))
        for _, label, value, note in rows:
            style = "cyan" if note[:1] in ("━", "╸") else "dim"
            label = label if len(label) < 15 else label[:13] + "…"
            lines.append(Text.assemble(f"   {label:<14}", (f"{value:>9}  ", "bold"), (note, style)))
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
    panel = Panel(Align.center(board), title=Text(title), subtitle=Text(below), border_style="dim", width=width)
    panel.padding = (padding, 1)
    room -= 2 * padding
    blank = [Text("")] if room >= 6 else []
    lines: list[Text] = []
    curves = {"policy loss / uniform": [p.policy for p in points], "value loss / ln 3": [p.value for p in points]}
    for name, values in curves.items():
        if len(points) > 1 and room >= 2:
            now = f"{values[0]:.3f} → {values[-1]:.3f}" if width >= 40 else f"{values[-1]:.3f}"
            lines += [*blank, Text.assemble(" ", (name, "dim"), f"{now:>{width - len(name) - 2}}")]
            lines.append(Text(" " + _sparkline([p.step for p in points], values, width - 2), "green"))
            room -= 2 + len(blank)
    return Group(panel, *lines)


def _board(s: Status) -> "Text":
    """The board; where it has no colours, one side's pieces are told from the other's by letter case or glyph."""
    from rich.text import Text

    text = Text.from_ansi(s.board.rstrip("\n"), no_wrap=True, overflow="ellipsis")
    if not text.spans:
        text.highlight_regex(r"[A-Z♔-♙]", "bold")
        text.highlight_regex(r"[a-z♚-♟]|v\w", "bold cyan")
        text.highlight_regex(r"[.·・\d|+-]|(?m:^\W*a b c .*$)", "not bold dim default")
    return text


def _sparkline(steps: Sequence[int], values: Sequence[float], width: int) -> str:
    """A curve over the steps, a character each for ``width`` equal parts of them."""
    cells: list[list[float]] = [[] for _ in range(width)]
    for step, value in zip(steps, values, strict=True):
        cells[(step - steps[0]) * (width - 1) // max(1, steps[-1] - steps[0])].append(value)
    means, last = [], values[0]
    for cell in cells:
        last = sum(cell) / len(cell) if cell else last
        means.append(last)
    span = max(max(means) - min(means), 0.02)  # two points of a hundred fill the height; less is drawn about its middle
    low = (max(means) + min(means) - span) / 2
    return "".join(_HEIGHTS[round(7 * (mean - low) / span)] for mean in means)


def _time(s: Status, width: int) -> "list[Text]":
    """Where the time goes: a stacked bar for the actors, one for the learner."""
    from rich.text import Text

    actors = {name: share for name, share in s.shares.items() if name not in LEARNER}
    learner = {name: s.shares[name] for name in LEARNER if name in s.shares}
    looks = (("█", "cyan"), ("▓", "magenta"), ("▒", "yellow"), ("░", "dim"))  # told apart without colour too
    length = max(6, min(40, width - 69))
    lines = []
    for who, shares, styles in (("actors", actors, looks), ("learner", learner, looks[::3])):
        bar, legend = Text(), Text("  ")
        for i, (name, share) in enumerate(shares.items()):
            glyph, style = styles[i % len(styles)]
            bar.append(glyph * (0 if math.isnan(share) else round(length * share)), style)
            legend.append(glyph + " ", style).append(f"{name} {percent(share):<5}  ")
        legend.append(f"steps due {s.steps_due:,}" if who == "learner" else "")
        legend.rstrip()
        bar.truncate(length, pad=True)
        lines += [Text.assemble((f" {who:<8}", "bold cyan"), bar, legend)] if shares else []
    return lines


# --- the picture -----------------------------------------------------------------------------------------------------

_MOST_POINTS = 150  # of a curve, or about: means of neighbours

Row = Mapping[str, Any]


def draw(run_dir: Path, metrics: Sequence[Row], strength: Sequence[Result]) -> Path:
    """Write ``progress.png``, 1200 x 800: losses, strength, game length, endings, speed over minutes of training.

    In a solved game the results kept take the place of game length.

    Args:
        run_dir: the run's folder; the picture replaces an older one there, atomically.
        metrics: rows of figures by the names of `Status`, with "seconds" of training in the whole run,
            "endings/<name>" as counts and, where it was measured, "strength/<opponent>" in [0, 1] with "/low", "/high".
        strength: the last measurement, shown where the metrics hold no more than one.
    """
    rows = joined(metrics)
    page = blank(12, 8)
    axes = page.subplots(2, 3)
    page.subplots_adjust(left=0.045, right=0.9, top=0.83, bottom=0.075, wspace=0.52, hspace=0.42)
    _losses(axes[0, 0], rows, "policy", curve_of(rows, "uniform_loss"), "uniform", "uniform over legal moves")
    end = rows[-1]["minutes"] if rows else 0.0
    _losses(axes[0, 1], rows, "value", ([0.0, end], [LN_3, LN_3]), "ln 3", "ln 3, which knows nothing")
    if any("regret/search" in row for row in rows):  # one player alone
        _regret(axes[0, 2], rows)
    else:
        _strength(axes[0, 2], rows, strength)
    if any("exact/search/kept" in row for row in rows):  # a solved game
        _exact(axes[1, 0], rows)
    else:
        _figure(axes[1, 0], rows, "game_length", "Games last {} plies", "plies, mean of the latest games")
    _endings(axes[1, 1], rows)
    _figure(axes[1, 2], rows, "positions_per_second", "{} positions a second", "positions a second")
    for panel in axes[1]:
        panel.set_xlabel("minutes of training", fontsize=9, color=GREY)
    known = {name: value for row in rows for name, value in row.items()}  # the last value of each
    words = [f"{_number(known[name]):,.0f} {name}" for name in ("games", "positions", "steps") if name in known]
    page.text(0.045, 0.945, run_dir.name, fontsize=17, fontweight="bold", color=INK)
    page.text(0.045, 0.917, ", ".join([f"{end:,.1f} minutes of training", *words]), fontsize=10.5, color=GREY)
    path = run_dir / FILE
    write(page, path)
    return path


def _number(value: Any) -> float:
    return float(value) if hasattr(value, "__float__") else math.nan


def joined(metrics: Sequence[Row]) -> list[Row]:
    """Rows with their "minutes" of training. Work that was lost with a killed start and done again is left out."""
    rows: list[Row] = []
    for row in metrics:
        minutes = _number(row.get("seconds")) / 60
        while rows and _number(rows[-1].get("step")) > _number(row.get("step")):
            rows.pop()
        if rows and any(name.startswith("strength/") for name in row):  # which began when the training had ended
            minutes = rows[-1]["minutes"]
        if math.isfinite(minutes):
            rows.append({**row, "minutes": minutes})
    return rows


def curve_of(rows: Sequence[Row], name: str, scale: float = 1.0) -> Curve:
    """A figure over the minutes, where it is known."""
    points = [(row["minutes"], scale * _number(row.get(name))) for row in rows]
    points = [point for point in points if math.isfinite(point[1])]
    size = max(1, len(points) // _MOST_POINTS)
    cells = [points[i : i + size] for i in range(0, len(points), size)]
    means = [[sum(column) / len(cell) for column in zip(*cell, strict=True)] for cell in cells]
    return [minute for minute, _ in means], [value for _, value in means]


def _frame(axes: "Axes", title: str, unit: str, rows: Sequence[Row]) -> None:
    """Title, unit and grid of a panel; minutes from zero."""
    axes.set_title(title[:40], loc="left", fontsize=11, fontweight="bold", color=INK, pad=21)
    axes.text(0, 1.025, unit, transform=axes.transAxes, fontsize=9, color=GREY)
    grid(axes)
    axes.set_xlim(0, (rows[-1]["minutes"] if rows else 0) or 1.0)
    axes.locator_params(nbins=5)


def _losses(axes: "Axes", rows: Sequence[Row], what: str, yardstick: Curve, name: str, label: str) -> None:
    """A loss beside what knowing nothing costs."""
    curve = curve_of(rows, f"{what}_loss")
    title, labels = f"{what.capitalize()} loss", []
    plot(axes, yardstick, GREY, 1.4, "--")
    plot(axes, curve, COLOURS[0])
    if yardstick[1]:
        labels.append((yardstick[1][-1], label, GREY))
    if curve[1]:
        labels.append((curve[1][-1], "network", COLOURS[0]))
    if curve[1] and yardstick[1]:
        gain = 100 * (1 - relative(curve[1][-1], yardstick[1][-1]))
        title += f" {abs(gain):.1f} % {'below' if gain >= 0 else 'above'} {name}"
    _frame(axes, title, "nats", rows)
    label_lines(axes, labels)


def _figure(axes: "Axes", rows: Sequence[Row], name: str, title: str, unit: str) -> None:
    """One figure over time; ``title`` has a place for its last value."""
    curve = curve_of(rows, name)
    plot(axes, curve, COLOURS[0])
    _frame(axes, title.format(f"{curve[1][-1]:,.0f}" if curve[1] else "–"), unit, rows)
    axes.set_ylim(0, 1.1 * max(curve[1], default=0) or 1.0)


def _exact(axes: "Axes", rows: Sequence[Row]) -> None:
    """How often the moves keep the result that perfect play would bring, in games that are solved."""
    labels = []
    for name, colour in (("search", COLOURS[0]), ("policy", COLOURS[1])):
        kept = curve_of(rows, f"exact/{name}/kept", 100)
        plot(axes, kept, colour)
        plot(axes, curve_of(rows, f"exact/{name}/optimal", 100), colour, 1.4, ":")
        labels.append((kept[1][-1], name, colour))
    _frame(axes, f"{part(labels[0][0] / 100)} of results are kept", "% of positions; dotted: optimal moves", rows)
    axes.set_ylim(None, 100)
    label_lines(axes, labels)


def _endings(axes: "Axes", rows: Sequence[Row]) -> None:
    """The draw rate, and the most frequent reasons why games end."""
    names = sorted({name for row in rows for name in row if name.startswith("endings/")})
    shares: list[Row] = []
    for row in rows:
        total = sum(_number(row.get(name, 0)) for name in names)
        if total > 0:
            shares.append({"minutes": row["minutes"]} | {name: row.get(name, 0) / total for name in names})
    draws = curve_of(rows, "draw_rate", 100)
    labels = [(draws[1][-1], "drawn", INK)] if draws[1] else []
    frequent = sorted(names, key=lambda name: -sum(row[name] for row in shares))[: len(COLOURS) - 1]
    for name, colour in zip(frequent, COLOURS, strict=False):
        curve = curve_of(shares, name, 100)
        plot(axes, curve, colour, 1.4)
        labels += [(curve[1][-1], name.removeprefix("endings/").replace("_", " "), colour)] if curve[1] else []
    plot(axes, draws, INK, 2.4)
    _frame(axes, f"{draws[1][-1]:.0f} % of games are drawn" if draws[1] else "Endings", "% of latest games", rows)
    axes.set_ylim(0, 100)
    label_lines(axes, labels)


def _strength(axes: "Axes", rows: Sequence[Row], matches: Sequence[Result]) -> None:
    """Scores against fixed opponents with their intervals: over time where measured more than once, else as bars."""
    names = sorted({name for row in rows for name in row if name.startswith("strength/") and name.count("/") == 1})
    measured = {name.removeprefix("strength/"): points for name in names if (points := _measurements(rows, name))}
    title = "Strength: not measured yet"
    if max((len(points) for points in measured.values()), default=0) > (1 if matches else 0):
        labels: list[Label] = [(50.0, "equal", GREY)]
        for (name, points), colour in zip(measured.items(), COLOURS, strict=False):
            minutes, scores, low, high = zip(*points, strict=True)
            axes.vlines(minutes, low, high, color=colour, linewidth=1.4, alpha=0.6, clip_on=False)
            axes.plot(minutes, scores, color=colour, linewidth=2, marker="o", markersize=4, clip_on=False)
            labels.append((scores[-1], f"{name} {scores[-1]:.0f} %", colour))
            title = f"{scores[-1]:.0f} % against {name}"
        _frame(axes, title, "score in %, with 95 % interval", rows)
        axes.axhline(50, color=GREY, linewidth=1.4, linestyle="--")
        axes.set_ylim(0, 100)
        label_lines(axes, labels)
        return
    for i, match in enumerate(matches):
        axes.barh(-i, 100 * match.score, height=0.3, color=COLOURS[0])
        axes.plot([100 * match.low, 100 * match.high], [-i, -i], color=INK, linewidth=1.6, marker="|", markersize=7)
        axes.text(0, 0.22 - i, f"against {match.opponent}", fontsize=9, color=INK)
        axes.text(104, -i, f"{100 * match.score:.1f} %", va="center", fontsize=9, color=INK)
        title = title if i else f"{100 * match.score:.1f} % against {match.opponent}"
    _frame(axes, title, "score in %, with 95 % interval", [])
    if matches:
        axes.set(xlim=(0, 100), ylim=(min(-1.5, 0.4 - len(matches)), 0.6))
    axes.set_yticks([])


def _regret(axes: "Axes", rows: Sequence[Row]) -> None:
    """Where one player walks alone: how many walks were shortest paths, and the regret, at the last measurement."""
    last = next(row for row in reversed(rows) if "regret/search" in row)
    for i, (name, words) in enumerate((("search", "with the search"), ("policy", "the policy alone"))):
        share = 100 * _number(last.get(f"regret/{name}/shortest"))
        axes.barh(-i, share, height=0.3, color=COLOURS[i])
        axes.text(0, 0.22 - i, f"{words}, regret {_number(last.get(f'regret/{name}')):.4f}", fontsize=9, color=INK)
        axes.text(104, -i, f"{share:.1f} %", va="center", fontsize=9, color=INK)
    title = f"{part(_number(last.get('regret/search/shortest')))} of walks are shortest paths"
    _frame(axes, title, "% of walks on maps that were not trained on", [])
    axes.set(xlim=(0, 100), ylim=(-1.5, 0.6), yticks=[])


def _measurements(rows: Sequence[Row], name: str) -> list[list[float]]:
    """Where a score is known: minute, score, low, high, in %."""
    points = [[row["minutes"], *(100 * _number(row.get(name + end)) for end in ("", "/low", "/high"))] for row in rows]
    return [point for point in points if math.isfinite(point[1])]
