"""Pictures of grid worlds: the agent on its map as text or pixels, values as colours, policies as arrows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from games.grid_world.maps import STEPS, Cell, GridWorld
from rlcore.jit import Array

if TYPE_CHECKING:  # it takes a second to load
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["AGENT", "ansi", "draw", "frame"]

AGENT = "@"
_PIXELS = 32  # of a cell's side
_WALL, _FREE, _START, _LINE, _AGENT = (60, 64, 72), (250, 250, 246), (214, 228, 245), (205, 205, 200), (38, 84, 160)
_GOAL, _PIT, _SENDER, _END = (122, 190, 120), (214, 106, 96), (244, 206, 122), (190, 190, 205)


def ansi(world: GridWorld, state: int) -> str:
    """The map as lines of letters, with ``AGENT`` where the agent is."""
    row, column = divmod(state, world.shape[1])
    lines = list(world.rows)
    lines[row] = lines[row][:column] + AGENT + lines[row][column + 1 :]
    return "\n".join(lines) + "\n"


def _colour(cell: Cell) -> tuple[int, int, int]:
    if cell.wall:
        return _WALL
    if cell.to:
        return _PIT if cell.at_once and cell.reward < 0 else _SENDER
    if cell.terminal:
        return _GOAL if cell.reward > 0 else _PIT if cell.reward < 0 else _END
    return _START if cell.start else _FREE


def frame(world: GridWorld, state: int) -> Array:
    """The map as pixels, [32 R, 32 C, 3] uint8: walls dark, goals green, pits red, the agent a blue disc."""
    rows, columns = world.shape
    cells = np.array([_colour(world.cell(s)) for s in range(rows * columns)], np.uint8).reshape(rows, columns, 3)
    pixels = cells.repeat(_PIXELS, 0).repeat(_PIXELS, 1)
    pixels[::_PIXELS] = pixels[:, ::_PIXELS] = _LINE
    row, column = divmod(state, columns)
    place = pixels[row * _PIXELS : (row + 1) * _PIXELS, column * _PIXELS : (column + 1) * _PIXELS]
    y, x = np.mgrid[:_PIXELS, :_PIXELS] - _PIXELS / 2
    place[y**2 + x**2 < (0.3 * _PIXELS) ** 2] = _AGENT
    return pixels


def draw(
    world: GridWorld,
    values: Array | None = None,
    policy: Array | None = None,
    path: Path | None = None,
    title: str = "",
) -> "Figure":
    """A picture of the map: values as colours with numbers, the policy as arrows, longer where likelier.

    Args:
        values: [S]; policy: [S, 4] probabilities.
        path: where to write it, by its suffix (png, svg, pdf); none = nowhere.
    """
    from matplotlib.figure import Figure  # without pyplot: no window, nothing global

    rows, columns = world.shape
    figure = Figure(figsize=(0.9 * columns + 0.4, 0.9 * rows + 0.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.array([world.is_place(s) for s in range(rows * columns)])
    if values is not None:
        coloured = np.where(places, values, np.nan).reshape(rows, columns)
        axes.imshow(coloured, cmap="YlGnBu", alpha=0.75, vmin=np.nanmin(coloured), vmax=np.nanmax(coloured) + 1e-9)
    for s in range(rows * columns):
        number = None if values is None else float(values[s])
        _draw_cell(axes, world, s, number, None if policy is None else policy[s])
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xticks=[], yticks=[], aspect="equal", title=title)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def _draw_cell(axes: "Axes", world: GridWorld, s: int, value: float | None, policy: Array | None) -> None:
    """One cell: its own colour where nobody stands, else its value and the arrows."""
    from matplotlib.patches import Rectangle

    row, column = divmod(s, world.shape[1])
    cell = world.cell(s)
    colour = None
    if value is None or not world.is_place(s):
        colour = tuple(part / 255 for part in _colour(cell))
    line = tuple(part / 255 for part in _LINE)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour or "none", edgecolor=line))
    letter = world.rows[row][column]
    if not world.is_place(s):
        text = "" if cell.wall else f"{cell.reward:+g}" if cell.terminal and cell.reward else letter
        axes.text(column, row, text, ha="center", va="center", fontsize=11, fontweight="bold")
        return
    if cell.to or cell.start:
        axes.text(column - 0.44, row - 0.42, letter, ha="left", va="top", fontsize=8, fontweight="bold")
    if value is not None:
        height = row if policy is None else row + 0.4
        axes.text(column, height, f"{value:.2f}", ha="center", va="center", fontsize=11 if policy is None else 7)
    if policy is not None:
        for (down, right), probability in zip(STEPS, policy, strict=True):
            if probability > 0.02:
                reach, middle = 0.12 + 0.2 * float(probability), row - 0.07  # the value stands below
                tip, tail = (column + reach * right, middle + reach * down), (column, middle)
                axes.annotate("", tip, tail, arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, "lw": 1.4})


class Window:
    """A window that shows pixels, by way of matplotlib.

    Raises:
        RuntimeError: no window can be opened here.
    """

    def __init__(self, title: str, seconds: float) -> None:
        from matplotlib import pyplot

        try:
            self._figure = pyplot.figure(title, layout="constrained")
        except Exception as error:  # each toolkit has its own
            raise RuntimeError(_NO_WINDOW.format(error)) from None
        if getattr(self._figure.canvas, "required_interactive_framework", None) is None:  # it draws into memory
            pyplot.close(self._figure)
            raise RuntimeError(_NO_WINDOW.format("there is no screen, or no toolkit such as tkinter"))
        self._seconds = seconds
        self._image: AxesImage | None = None

    def show(self, pixels: Array) -> None:
        """Show the pixels ([H, W, 3] uint8) for a moment."""
        from matplotlib import pyplot

        if self._image is None:
            axes = self._figure.add_subplot()
            axes.axis("off")
            self._image = axes.imshow(pixels)
        else:
            self._image.set_data(pixels)
        pyplot.pause(self._seconds)

    def close(self) -> None:
        from matplotlib import pyplot

        pyplot.close(self._figure)


_NO_WINDOW = "no window can be opened here ({}): choose render_mode 'ansi' or 'rgb_array'"
