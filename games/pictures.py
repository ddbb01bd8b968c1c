"""Canvases of grey pixels as text and as pictures, with frames round the patches that an eye sees."""

from collections.abc import Sequence

import numpy as np

from rlcore.jit import Array

__all__ = ["ansi", "frame"]

_SHADES = " .:-=+*#%@"
_PIXELS = 16  # of a canvas pixel's side
_FRAMES = ((214, 80, 60), (232, 150, 60), (90, 140, 220), (110, 180, 110))
_BEYOND = 60  # how grey it is where there is no canvas


def ansi(canvas: Array, eye: Sequence[tuple[int, int, int]] = ()) -> str:
    """The canvas ([H, W] uint8) as lines of letters, dark to bright, two a pixel; the smallest patch in brackets."""
    shades = [[_SHADES[int(value) * (len(_SHADES) - 1) // 255] * 2 for value in row] for row in canvas]
    if eye:
        top, left, side = eye[0]
        for row in range(max(top, 0), min(top + side, len(shades))):
            for column, bracket in ((left, "[{0}"), (left + side - 1, "{0}]")):
                if 0 <= column < len(shades[row]):
                    shades[row][column] = bracket.format(shades[row][column][0])
    edge = "+" + "-" * 2 * canvas.shape[1] + "+\n"
    return edge + "".join("|" + "".join(row) + "|\n" for row in shades) + edge


def frame(canvas: Array, eye: Sequence[tuple[int, int, int]] = ()) -> Array:
    """The canvas ([H, W] uint8) as pixels, [16 H, 16 W, 3] uint8, each patch framed in a colour of its own."""
    pixels = canvas.repeat(_PIXELS, 0).repeat(_PIXELS, 1)[:, :, None].repeat(3, 2)
    pixels[::_PIXELS] = np.maximum(pixels[::_PIXELS], _BEYOND)  # a thin grid, so that pixels can be counted
    pixels[:, ::_PIXELS] = np.maximum(pixels[:, ::_PIXELS], _BEYOND)
    for patch, colour in reversed(list(zip(eye, _FRAMES * len(eye), strict=False))):
        _frame(pixels, patch, colour)
    return pixels


def _frame(pixels: Array, patch: tuple[int, int, int], colour: tuple[int, int, int]) -> None:
    """Draw the edge of a patch, as far as it lies on the canvas."""
    top, left, side = (part * _PIXELS for part in patch)
    inside = np.zeros(pixels.shape[:2], np.bool_)
    inside[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = True
    inside[max(top + 2, 0) : max(top + side - 2, 0), max(left + 2, 0) : max(left + side - 2, 0)] = False
    pixels[inside] = colour
