"""What all pictures share (matplotlib): colours, a blank figure, lines with their names beside them.

matplotlib is not imported before it is needed, and never by way of pyplot: any thread may draw.
"""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlcore.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "GRID",
    "INK",
    "Curve",
    "Label",
    "blank",
    "canvas",
    "grid",
    "label_lines",
    "plot",
    "write",
]

INK, GREY, GRID = "#222222", "#777777", "#e6e6e6"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito: for every kind of eye
_LINE = 0.062  # height of a line of text, of a panel's

Curve = tuple[list[float], list[float]]  # minutes or steps, values
Label = tuple[float, str, str]  # height, text, colour


def blank(width: float, height: float) -> "Figure":
    """An empty figure of so many hundred pixels each way."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    return FigureCanvasAgg(Figure(figsize=(width, height), dpi=100, facecolor="white")).figure


def canvas(title: str, subtitle: str, width: float = 9, height: float = 5) -> "Figure":
    """A figure with a title, and room for names to the right of the lines."""
    figure = blank(width, height)
    figure.subplots_adjust(left=0.06, right=0.82, top=0.83, bottom=0.11)
    figure.text(0.06, 0.93, title, fontsize=14, fontweight="bold", color=INK)
    figure.text(0.06, 0.88, subtitle, fontsize=9.5, color=GREY)
    return figure


def grid(axes: "Axes", below: str = "") -> None:
    """A grid instead of a frame; ``below`` names what goes to the right."""
    axes.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=GREY)
    if below:
        axes.set_xlabel(below, fontsize=9, color=GREY)


def plot(axes: "Axes", curve: Curve, colour: str, width: float = 2.0, style: str = "-") -> None:
    """A line, or a dot where there is one value only."""
    axes.plot(*curve, style, color=colour, linewidth=width, marker="o" if len(curve[0]) == 1 else "", clip_on=False)


def label_lines(axes: "Axes", labels: Sequence[Label]) -> None:
    """Names to the right of the lines that they belong to, moved apart where they would touch."""
    low, high = axes.get_ylim()
    texts = sorted(((y - low) / (high - low), textwrap.fill(text, 15), colour) for y, text, colour in labels)
    heights = [_LINE * (1 + text.count("\n")) for _, text, _ in texts]
    centres = [y for y, _, _ in texts]
    for i in range(1, len(texts)):  # upwards
        centres[i] = max(centres[i], centres[i - 1] + (heights[i - 1] + heights[i]) / 2)
    for i in reversed(range(len(texts))):  # what has left the panel at the top comes down again
        above = centres[i + 1] - heights[i + 1] / 2 if i + 1 < len(texts) else 1.04
        centres[i] = min(centres[i], above - heights[i] / 2)
    for centre, (_, text, colour) in zip(centres, texts, strict=True):
        axes.text(1.04, centre, text, transform=axes.transAxes, va="center", fontsize=9, color=colour, linespacing=1.1)


def write(figure: "Figure", path: Path) -> None:
    """Write a PNG, whole or not at all.

    Raises:
        OSError: the disk refused.
    """
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    write_whole(path, data.getvalue())
