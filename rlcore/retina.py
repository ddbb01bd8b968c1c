"""What an eye sees of a canvas: square patches round the place that it looks at, each twice as wide as the one before,
all averaged down to the same size (Mnih et al. 2014, arXiv 1406.6247, figure 1).

A location is (x, y), each in [-1, 1]: (-1, -1) is the top left corner of the canvas, the outer edge of its first pixel,
and (1, 1) the bottom right one. So pixel j of n is centred at (2 j + 1) / n - 1, and a patch at a corner has three
quarters of itself outside, where all is 0. Patches begin at whole pixels: where the middle of a patch cannot be where
the eye looks, the patch is half a pixel further right or down.
"""

import math

from rlcore.jit import Array, njit

__all__ = ["DIRECTIONS", "centre", "corner", "look", "move", "patches"]

DIRECTIONS = 4
"""Of an eye that moves in steps: 0 up, 1 right, 2 down, 3 left."""

_TIE = 1e-4  # of a pixel: more than the error of a location in float32, so that it never decides where a patch begins


def centre(j: int, n: int) -> float:
    """Where to look, in one dimension, to have pixel ``j`` of ``n`` in the middle."""
    return (2 * j + 1) / n - 1


@njit
def corner(location: float, n: int, side: int) -> int:
    """The first pixel, in one dimension of ``n`` pixels, of a patch of ``side``; may lie outside."""
    return math.floor((location + 1.0) / 2.0 * n - side / 2.0 + 0.5 + _TIE)


@njit
def look(canvas: Array, x: float, y: float, size: int, scales: int, unit: float, seen: Array) -> None:
    """See ``scales`` patches, the first ``size`` pixels wide.

    Args:
        canvas: [H, W] numbers; ``unit`` is what they are multiplied by.
        seen: [>= scales * size * size] float32 out: patch by patch, row by row.
    """
    height, width = canvas.shape
    for scale in range(scales):
        cell = 1 << scale
        top, left = corner(y, height, size * cell), corner(x, width, size * cell)
        share = unit / (cell * cell)
        for i in range(size):
            for j in range(size):
                total = 0.0
                for row in range(max(top + i * cell, 0), min(top + (i + 1) * cell, height)):
                    for column in range(max(left + j * cell, 0), min(left + (j + 1) * cell, width)):
                        total += canvas[row, column]
                seen[(scale * size + i) * size + j] = total * share


@njit
def move(location: Array, direction: int, pixels: float, height: int, width: int) -> None:
    """Move an eye ([2] float, in place) by some pixels, not beyond the canvas; any other direction leaves it there."""
    if direction == 0 or direction == 2:
        location[1] += (direction - 1) * 2.0 * pixels / height
    elif direction == 1 or direction == 3:
        location[0] += (2 - direction) * 2.0 * pixels / width
    for axis in range(2):
        location[axis] = min(max(location[axis], -1.0), 1.0)


def patches(location: Array, size: int, scales: int, height: int, width: int) -> list[tuple[int, int, int]]:
    """The patches that are seen, as (top, left, side) in pixels; for pictures."""
    x, y = float(location[0]), float(location[1])
    sides = [size << scale for scale in range(scales)]
    return [(int(corner(y, height, side)), int(corner(x, width, side)), side) for side in sides]
