"""Pictures of strength (matplotlib): how near to perfect play an engine is, by plies and over the minutes of training;
ratings over the positions of training, or of engines alone.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlcore.metrics import read as read_metrics
from rlcore.plots import COLOURS, GREY, canvas, grid, label_lines, plot, write
from selfplay.arena import wilson
from selfplay.exact import Marks, ply_groups, totals
from selfplay.picture import curve_of, joined
from selfplay.report import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from selfplay.ratings import Rating
    from selfplay.weights import About

__all__ = ["draw_by_ply", "draw_over_training", "draw_pool", "draw_ratings"]


_STYLES = ("-", ":", "-.")
"""Of lines, when all colours are taken."""
_MOST_TICKS = 8


def draw_by_ply(path: Path, name: str, marks: Mapping[str, Marks], whole: bool) -> None:
    """Write a PNG: the share of results kept by plies, a line a player; the first one is the yardstick.

    With 95 % intervals, but where the ``whole`` game was looked at.
    """
    intervals = "" if whole else "; 95 % intervals"
    figure = canvas(name, f"Share of moves that keep the result, in %, by plies played{intervals}")
    axes = figure.subplots(1, 1)
    grid(axes, "plies played")
    plies = next(iter(marks.values())).ply
    groups = ply_groups(plies)
    middle = [float(group.mean()) for group in groups]
    looks = [(GREY, "--"), *((colour, style) for style in _STYLES for colour in COLOURS)]
    labels = []
    for (player, one), (colour, style) in zip(marks.items(), cycle(looks), strict=False):
        parts = [totals(one, np.isin(plies, group)) for group in groups]
        if colour != GREY and not whole:
            ends = 100 * np.array([wilson(group.kept, group.positions) for group in parts])
            axes.vlines(middle, ends[:, 0], ends[:, 1], color=colour, linewidth=1.2, alpha=0.5)
        kept = [100 * group.kept for group in parts]
        plot(axes, (middle, kept), colour, 1.4 if colour == GREY else 2.0, style)
        labels.append((kept[-1], f"{player}: {part(totals(one).kept)} in all", colour))
    axes.set_ylim(None, 100)
    label_lines(axes, labels)
    write(figure, path)


def draw_over_training(path: Path, title: str, folders: Sequence[Path]) -> None:
    """Write a PNG: what runs measured against perfect play while they trained, over minutes.

    A colour each, by the names of their folders.
    """
    figure = canvas(title, "Share of results kept, in %: with search (lines), by the policy alone (dashes)")
    axes = figure.subplots(1, 1)
    grid(axes, "minutes of training")
    labels = []
    for folder, colour in zip(folders, cycle(COLOURS), strict=False):
        rows = joined(list(read_metrics(folder)))
        policy, search = (curve_of(rows, f"exact/{who}/kept", 100) for who in ("policy", "search"))
        plot(axes, policy, colour, 1.2, "--")
        plot(axes, search, colour)
        if search[1]:
            labels.append((search[1][-1], f"{folder.resolve().name}: {part(search[1][-1] / 100)}", colour))
    axes.set_ylim(None, 100)
    label_lines(axes, labels)
    write(figure, path)


def draw_ratings(
    path: Path, title: str, networks: Sequence[tuple["About", "Rating"]], engines: Sequence[tuple[str, "Rating"]]
) -> None:
    """Write a PNG: the ratings of a run's networks over the positions it had made, and engines as lines across.

    Args:
        networks: by their steps, at least one; the untrained one, of no positions, stands at the left edge.
        engines: by name, with the one that the others are compared with.
    """
    last = networks[-1][0]
    after = f"{last.positions:,} positions, {last.steps:,} steps, {last.minutes:,.0f} minutes of training"
    figure = canvas(title, f"Elo with 95 % interval, over positions to train on (logarithmic); so far {after}")
    axes = figure.subplots(1, 1)
    grid(axes, "positions")
    rated = [(about.positions, one) for about, one in networks if not math.isnan(one.elo)]
    first = min((positions for positions, _ in rated if positions), default=2) / 2
    places = [positions or first for positions, _ in rated]
    everything = [one for _, one in (*rated, *engines)]
    low, high = _limits([end for one in everything for end in (one.elo, one.low, one.high)])
    ends = np.array([(max(one.low, low), min(one.high, high)) for _, one in rated]).reshape(-1, 2)
    axes.fill_between(places, ends[:, 0], ends[:, 1], color=COLOURS[0], alpha=0.15, linewidth=0)
    heights = [one.elo for _, one in rated]
    axes.plot(places, heights, color=COLOURS[0], linewidth=2.0, marker="o", markersize=5, clip_on=False, zorder=3)
    labels = [(heights[-1], f"newest network: {heights[-1]:.0f}", COLOURS[0])] if rated else []
    for (name, one), colour in zip(engines, cycle((GREY, *COLOURS[1:])), strict=False):
        if not math.isnan(one.elo):
            axes.axhline(one.elo, color=colour, linewidth=1.4, linestyle="--")
            labels.append((one.elo, f"{name}: {one.elo:.0f}", colour))
    _log_axis(axes, first, places, any(positions == 0 for positions, _ in rated))
    axes.set_ylim(low, high)
    label_lines(axes, labels)
    write(figure, path)


def draw_pool(path: Path, title: str, engines: Sequence[tuple[str, "Rating"]]) -> None:
    """Write a PNG: the ratings of engines, a row each, the best on top."""
    rated = sorted((one for one in engines if not math.isnan(one[1].elo)), key=lambda one: one[1].elo)
    figure = canvas(title, "Elo with 95 % interval")
    axes = figure.subplots(1, 1)
    grid(axes, "Elo")
    low, high = _limits([end for _, one in rated for end in (one.elo, one.low, one.high)])
    for row, (name, one) in enumerate(rated):
        ends = max(one.low, low), min(one.high, high)
        axes.plot(ends, (row, row), color=COLOURS[0], linewidth=2.0)
        axes.plot(one.elo, row, color=COLOURS[0], marker="o", markersize=6)
        side = "left" if one.elo < (low + high) / 2 else "right"  # so that all of a name is in the picture
        axes.annotate(f"{name}: {one.elo:.0f}", (one.elo, row), (0, 7), textcoords="offset points", ha=side)
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(rated))
    axes.set_xlim(low, high)
    write(figure, path)


def _limits(heights: Sequence[float]) -> tuple[float, float]:
    """From somewhat below to somewhat above all that are finite."""
    finite = [height for height in heights if math.isfinite(height)] or [0.0]
    margin = 0.05 * (max(finite) - min(finite)) or 100.0
    return min(finite) - margin, max(finite) + margin


def _log_axis(axes: "Axes", first: float, places: Sequence[float], is_zero: bool) -> None:
    """Positions on a logarithmic axis, on which ``first`` stands for none where the untrained network is there."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    most = max(places, default=2.0)
    ticks = [step * 10.0**power for power in range(12) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if first * 1.3 < tick <= most]
    ticks = ticks[:: -(-len(ticks) // _MOST_TICKS)] if len(ticks) > _MOST_TICKS else ticks
    axes.set_xscale("log")
    least = first if is_zero else min(places, default=1.0)
    axes.set_xlim(least, most if most > least else 2 * least)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator([first, *ticks] if is_zero else ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "untrained" if is_zero and x == first else f"{x:,.0f}"))
