"""Learning curves of all seeds of a run, as a picture: every seed, and what they come to together (matplotlib)."""

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.results import Result
from rlcore.metrics import MetricsError
from rlcore.metrics import read as read_metrics
from rlcore.plots import COLOURS, GREY, INK, Label, blank, grid, label_lines, write
from rlcore.statistics import interval, iqm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FILE", "Curve", "curves_of", "draw", "together"]

FILE = "curves.png"
EVALUATION, TRAINING = "evaluation/return", "training/return"
"""Names in a seed's metrics."""
_MOST_POINTS = 200  # of a curve
_MOST_NAMED = 6  # seeds that have colours of their own

Array = NDArray[Any]


class Curve(NamedTuple):
    """A figure of one seed over its steps."""

    seed: int
    steps: Array
    """[K] rising."""
    values: Array
    """[K] float64."""


def curves_of(folder: Path, name: str) -> list[Curve]:
    """A figure of the metrics of every seed in the folder of a run, by seed; none of a seed that has no such figure."""
    found = []
    for place in folder.glob("seed-*"):
        number = place.name.removeprefix("seed-")
        try:
            rows = read_metrics(place) if number.isdecimal() else []
        except MetricsError:
            continue
        known = {row["step"]: row[name] for row in rows if isinstance(row.get(name), int | float)}
        points = [(step, value) for step, value in sorted(known.items()) if math.isfinite(value)]
        if points:
            steps, values = np.array(points, np.float64).T
            found.append(Curve(int(number), steps, values))
    return sorted(found, key=lambda curve: curve.seed)


def together(curves: Sequence[Curve]) -> tuple[Array, Array, Array, Array]:
    """(steps, IQM, low, high), [K] each, as far as all seeds have come; between its points a seed lies on a line.

    Low and high are the 95 % interval of the IQM.
    """
    first, last = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    steps = steps[(steps >= first) & (steps <= last)]
    if len(steps) > _MOST_POINTS:
        steps = np.linspace(first, last, _MOST_POINTS)
    values = np.stack([np.interp(steps, curve.steps, curve.values) for curve in curves], axis=-1)  # [K, seeds]
    ends = np.array([interval(scores) for scores in values]).reshape(-1, 2)
    return steps, iqm(values[:, None, :]), ends[:, 0], ends[:, 1]


def draw(folder: Path, title: str, results: Sequence[Result] = ()) -> Path | None:
    """Write ``curves.png``, 1300 x 500: returns of the evaluations and of the training, over steps.

    Args:
        folder: of the run; every seed with metrics is drawn, whether it is done or not.
        results: of the seeds that are done: where lines across are drawn, for the threshold and the optimum.

    Returns:
        The picture; None where there is nothing to draw.

    Raises:
        OSError: the disk refused.
    """
    evaluation, training = (curves_of(folder, name) for name in (EVALUATION, TRAINING))
    if not evaluation and not training:
        return None
    page = blank(13, 5)
    axes = page.subplots(1, 2, sharey=True)
    page.subplots_adjust(left=0.05, right=0.9, top=0.77, bottom=0.11, wspace=0.42)
    seeds = len({curve.seed for curve in (*evaluation, *training)})
    page.text(0.05, 0.935, title, fontsize=15, fontweight="bold", color=INK)
    page.text(0.05, 0.89, _subtitle(seeds), fontsize=9.5, color=GREY)
    levels = _levels(results)
    labels = [
        _panel(axes[0], "Evaluations", "mean return, greedy", evaluation, levels),
        _panel(axes[1], "Training", "mean return of the last episodes, exploring", training, levels),
    ]
    for panel, names in zip(axes, labels, strict=True):  # only now it is known where everything lies
        label_lines(panel, names)
    path = folder / FILE
    write(page, path)
    return path


def _subtitle(seeds: int) -> str:
    if seeds == 1:
        return "One seed, which says little of an algorithm"
    return (
        f"{seeds} seeds (thin) and their interquartile mean with its 95 % interval, which is too narrow for few seeds"
    )


def _levels(results: Sequence[Result]) -> list[Label]:
    """Lines across: what counts as solved; what no policy can exceed, and what random actions bring."""
    levels: dict[str, float] = {}
    for result in results:
        exact = result.get("exact") or {}
        known = {"solved": result.get("threshold"), "optimal": exact.get("best"), "random": exact.get("uniform")}
        levels |= {name: value for name, value in known.items() if value is not None}
    return [(value, f"{name}: {_short(value)}", GREY) for name, value in levels.items()]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _panel(axes: "Axes", title: str, unit: str, curves: Sequence[Curve], levels: Sequence[Label]) -> list[Label]:
    """One figure: a thin line a seed, a thick one for all of them; the names that belong beside the lines."""
    grid(axes, "environment steps")
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=21)
    axes.text(0, 1.025, unit, transform=axes.transAxes, fontsize=9, color=GREY)
    axes.tick_params(labelleft=True)
    labels, alone = list(levels), len(curves) == 1
    width, alpha = (2.0, 1.0) if alone else (0.9, 0.6 if len(curves) <= _MOST_NAMED else 0.4)
    colours = COLOURS[:1] if alone else COLOURS[1:] if len(curves) <= _MOST_NAMED else (GREY,)
    for curve, colour in zip(curves, cycle(colours), strict=False):
        thin = _thinned(curve)
        _line(axes, thin.steps, thin.values, colour, width, alpha)
        if len(curves) <= _MOST_NAMED:
            labels.append((float(thin.values[-1]), f"seed {curve.seed}: {_short(thin.values[-1])}", colour))
    if len(curves) > 1:
        labels += _together(axes, curves)
    for value, _, colour in levels:
        axes.axhline(value, color=colour, linewidth=1.3, linestyle="--")
    _limits(axes, curves)
    return labels


def _together(axes: "Axes", curves: Sequence[Curve]) -> list[Label]:
    """The line of all seeds, and the band about it."""
    steps, middle, low, high = together(curves)
    if len(steps) == 0:
        return []
    axes.fill_between(steps, low, high, color=COLOURS[0], alpha=0.18, linewidth=0)
    _line(axes, steps, middle, COLOURS[0], 2.4, 1.0)
    until = "" if steps[-1] == max(curve.steps[-1] for curve in curves) else f" at {steps[-1]:,.0f}"
    return [(float(middle[-1]), f"IQM{until}: {_short(middle[-1])}", COLOURS[0])]


def _line(axes: "Axes", steps: Array, values: Array, colour: str, width: float, alpha: float) -> None:
    """A line, or a dot where there is one value only."""
    marker = "o" if len(steps) == 1 else ""
    axes.plot(steps, values, color=colour, linewidth=width, alpha=alpha, marker=marker, markersize=4)


def _thinned(curve: Curve) -> Curve:
    """At most about so many points: means of neighbours."""
    size = max(1, len(curve.steps) // _MOST_POINTS)
    if size == 1:
        return curve
    cells = np.arange(len(curve.steps)) // size
    count = np.bincount(cells)
    return Curve(curve.seed, *(np.bincount(cells, array) / count for array in (curve.steps, curve.values)))


def _limits(axes: "Axes", curves: Sequence[Curve]) -> None:
    """Steps from zero, written in full; returns with some room at both ends."""
    from matplotlib.ticker import FuncFormatter

    axes.set_xlim(0, max((curve.steps[-1] for curve in curves), default=0) or 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.locator_params(axis="x", nbins=5)
    low, high = axes.get_ylim()
    if high - low < 1e-9 * max(1.0, abs(high)):
        axes.set_ylim(low - 0.5, high + 0.5)
