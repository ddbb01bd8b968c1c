"""Pictures of how near to perfect play an engine is: by plies, and over the minutes of training (matplotlib)."""

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcore.metrics import read as read_metrics
from selfplay.arena import wilson
from selfplay.exact import Marks, ply_groups, totals
from selfplay.picture import COLOURS, GREY, GRID, INK, curve_of, joined, label_lines, plot
from selfplay.report import part

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_by_ply", "draw_over_training"]


_STYLES = ("-", ":", "-.")
"""Of lines, when all colours are taken."""


def draw_by_ply(path: Path, name: str, marks: Mapping[str, Marks], whole: bool) -> None:
    """Write a PNG: the share of results kept by plies, a line a player; the first one is the yardstick.

    With 95 % intervals, but where the ``whole`` game was looked at.
    """
    intervals = "" if whole else "; 95 % intervals"
    figure = _canvas(name, f"Share of moves that keep the result, in %, by plies played{intervals}")
    axes = figure.subplots(1, 1)
    _style(axes, "plies played")
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
    _write(figure, path)


def draw_over_training(path: Path, title: str, folders: Sequence[Path]) -> None:
    """Write a PNG: what runs measured against perfect play while they trained, over minutes.

    A colour each, by the names of their folders.
    """
    figure = _canvas(title, "Share of results kept, in %: with search (lines), by the policy alone (dashes)")
    axes = figure.subplots(1, 1)
    _style(axes, "minutes of training")
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
    _write(figure, path)


def _canvas(title: str, subtitle: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = FigureCanvasAgg(Figure(figsize=(9, 5), dpi=100, facecolor="white")).figure
    figure.subplots_adjust(left=0.06, right=0.82, top=0.83, bottom=0.11)
    figure.text(0.06, 0.93, title, fontsize=14, fontweight="bold", color=INK)
    figure.text(0.06, 0.88, subtitle, fontsize=9.5, color=GREY)
    return figure


def _style(axes: "Axes", below: str) -> None:
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=GREY)
    axes.set_xlabel(below, fontsize=9, color=GREY)


def _write(figure: "Figure", path: Path) -> None:
    """Write the file whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    arguments: dict[str, Any] = {"format": "png", "metadata": {"Software": None}}
    try:
        figure.savefig(temporary, **arguments)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
