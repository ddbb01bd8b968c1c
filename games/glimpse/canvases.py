"""Digits at random places of a larger canvas, among pieces of other digits, drawn when they are needed.

As in Mnih et al. 2014 (arXiv 1406.6247), scaled from 28 to 8 pixels a digit. Pieces come from images of the same split
only. Where a canvas is bright twice, the brighter one is seen.
"""

import numpy as np

from games.glimpse.digits import SPLITS, Digits, Split, digits
from rlcore.jit import Array, njit
from rlcore.rng import below, seed_of

__all__ = ["draw", "fixed_seeds", "fixed_set"]


@njit
def _stamp(image: Array, top: int, left: int, side: int, row: int, column: int, canvas: Array) -> None:
    """Draw the square of ``side`` pixels at (top, left) of an image at (row, column) of the canvas, in place."""
    for i in range(side):
        for j in range(side):
            canvas[row + i, column + j] = max(canvas[row + i, column + j], image[top + i, left + j])


@njit
def draw(images: Array, which: int, pieces: int, piece: int, rng: Array, i: int, canvas: Array) -> None:
    """Draw an image at a random place, and clutter.

    Args:
        images: [N, side, side] uint8; ``which`` of them is the digit.
        pieces, piece: how many squares of other images there are, and how many pixels wide.
        rng: [B] uint64, generator ``i`` of which is used.
        canvas: [H, W] uint8 out.
    """
    canvas[:] = 0
    height, width = canvas.shape
    side = images.shape[1]
    row, column = below(rng, i, height - side + 1), below(rng, i, width - side + 1)
    _stamp(images[which], 0, 0, side, row, column, canvas)
    for _ in range(pieces):
        other = below(rng, i, images.shape[0] - 1)
        if other >= which:
            other += 1
        top, left = below(rng, i, side - piece + 1), below(rng, i, side - piece + 1)
        row, column = below(rng, i, height - piece + 1), below(rng, i, width - piece + 1)
        _stamp(images[other], top, left, piece, row, column, canvas)


@njit
def _draw_all(images: Array, placements: int, pieces: int, piece: int, rng: Array, canvases: Array) -> None:
    for i in range(canvases.shape[0]):
        draw(images, i // placements, pieces, piece, rng, i, canvases[i])


def fixed_seeds(split: Split, found: Digits) -> Array:
    """[N * placements] uint64: the generator's state for each canvas of a split, image by image."""
    count = len(found.labels) * found.placements
    return np.array([seed_of(SPLITS.index(split), number) for number in range(count)], np.uint64)


def fixed_set(split: Split, side: int = 18, pieces: int = 4, piece: int = 3) -> tuple[Array, Array]:
    """Every canvas of a split once, to measure with: [N * placements, side, side] uint8 of 0 to 16, and the labels."""
    found = digits(split)
    canvases = np.zeros((len(found.labels) * found.placements, side, side), np.uint8)
    _draw_all(found.images, found.placements, pieces, piece, fixed_seeds(split, found), canvases)
    return canvases, found.labels.repeat(found.placements)
