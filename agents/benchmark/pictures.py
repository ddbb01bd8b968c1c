"""Learning curves of the benchmark, from its logs: agents in one environment, variants beside the plain one."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from agents.curves import Curve, together
from agents.results import Result
from rlcore.plots import COLOURS, GREY, INK, Label, blank, grid, label_lines, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["agents", "variants"]

Named = Mapping[str, Sequence[Result]]
"""Results of seeds by the name of who learned."""
Kind = Literal["evaluations", "curve"]

_TITLES: dict[Kind, tuple[str, str]] = {
    "evaluations": ("Evaluations", "mean return, greedy"),
    "curve": ("Training", "mean return of the last episodes, exploring"),
}
_ABOUT = "Interquartile mean over seeds with its 95 % interval, which is too narrow for few seeds"
_COLUMNS = 4


def agents(path: Path, title: str, named: Named, levels: Mapping[str, float]) -> None:
    """Write a picture of 1300 x 500: evaluations and training of every agent, over steps.

    Args:
        levels: lines across, by what they are.

    Raises:
        OSError: the disk refused.
    """
    page = blank(13, 5)
    axes = page.subplots(1, 2, sharey=True)
    page.subplots_adjust(left=0.05, right=0.9, top=0.77, bottom=0.11, wspace=0.42)
    page.text(0.05, 0.935, title, fontsize=15, fontweight="bold", color=INK)
    page.text(0.05, 0.89, _ABOUT, fontsize=9.5, color=GREY)
    for panel in axes:
        panel.tick_params(labelleft=True)
    across: list[Label] = [(value, f"{name}: {_short(value)}", GREY) for name, value in levels.items()]
    labels = []
    for panel, kind in zip(axes, _TITLES, strict=True):
        _frame(panel, *_TITLES[kind])
        lines = zip(named.items(), cycle(COLOURS), strict=False)
        ends = [_line(panel, name, _curves(results, kind), colour) for (name, results), colour in lines]
        for value, _, colour in across:
            panel.axhline(value, color=colour, linewidth=1.2, linestyle="--")
        panel.set_xlim(0, _steps(named))
        labels.append([*across, *(end for end in ends if end is not None)])
    for panel, found in zip(axes, labels, strict=True):  # only now it is known where everything lies
        label_lines(panel, found)
    write(page, path)


def variants(path: Path, title: str, plain: str, named: Named) -> None:
    """Write a picture with a panel for every variant: its evaluations, and grey those of the one called ``plain``.

    Raises:
        OSError: the disk refused.
    """
    others = [name for name in named if name != plain]
    rows = -(-len(others) // _COLUMNS)
    height = 1.1 + 2.6 * rows
    page = blank(13, height)
    page.text(0.05, 1 - 0.35 / height, title, fontsize=15, fontweight="bold", color=INK)
    about = f"{_ABOUT}; grey: {plain}" if plain in named else _ABOUT
    page.text(0.05, 1 - 0.58 / height, f"Evaluations, mean return, greedy. {about}", fontsize=9.5, color=GREY)
    panels = page.subplots(rows, min(_COLUMNS, len(others)), sharex=True, sharey=True, squeeze=False)
    page.subplots_adjust(left=0.05, right=0.97, top=1 - 1.1 / height, bottom=0.5 / height, hspace=0.35, wspace=0.18)
    flat = [panel for row in panels for panel in row]
    for panel, name, colour in zip(flat, others, cycle(COLOURS), strict=False):
        _frame(panel, name, "")
        if plain in named:
            _line(panel, plain, _curves(named[plain], "evaluations"), GREY)
        _line(panel, name, _curves(named[name], "evaluations"), colour)
        panel.set_xlim(0, _steps(named))
        panel.tick_params(labelbottom=True)
        panel.locator_params(axis="x", nbins=3)
    for panel in flat[len(others) :]:
        panel.set_visible(False)
    write(page, path)


def _steps(named: Named) -> int:
    """Of the longest."""
    return max((int(result["steps"]) for results in named.values() for result in results), default=1)


def _curves(results: Sequence[Result], kind: Kind) -> list[Curve]:
    """Of every seed that has any points."""
    found = []
    for result in results:
        points = np.array(result.get(kind) or [], np.float64)
        if points.ndim == 2:
            found.append(Curve(result["seed"], points[:, 0], points[:, 2 if kind == "evaluations" else 1]))
    return found


def _line(panel: "Axes", name: str, curves: Sequence[Curve], colour: str) -> Label | None:
    """The IQM of some seeds and its interval; what to write at its end."""
    if not curves:
        return None
    steps, middle, low, high = together(curves)
    if len(steps) == 0:
        return None
    panel.fill_between(steps, low, high, color=colour, alpha=0.16, linewidth=0)
    panel.plot(steps, middle, color=colour, linewidth=2.0, marker="o" if len(steps) == 1 else "", markersize=4)
    return float(middle[-1]), f"{name}: {_short(middle[-1])}", colour


def _frame(panel: "Axes", title: str, unit: str) -> None:
    from matplotlib.ticker import FuncFormatter

    grid(panel, "environment steps" if unit else "")
    panel.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=21 if unit else 6)
    panel.text(0, 1.025, unit, transform=panel.transAxes, fontsize=9, color=GREY)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    panel.locator_params(axis="x", nbins=5)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
