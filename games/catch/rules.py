"""Catch: a ball falls, reflected by the side walls, and a paddle of two pixels should be where it lands.

The dynamic task of Mnih et al. 2014 (arXiv 1406.6247). The ball begins in a random column of row 0 and falls a row a
step, at a random angle of 45 to 135 degrees, which makes -1 to 1 columns a step. The paddle begins at a random place of
the bottom row and moves by at most a pixel a step. When the ball is in the bottom row, the game is over: 1 for a catch,
else 0.

What the paper leaves open is as in catch.py of github.com/samrudhdhirangrej/Recurrent-Model-of-Visual-Attention, but:

1. The walls are mirrors in the middle of the outermost columns; there a ball that leaves the screen is drawn at the
   wall, and comes back the way it went.
2. A ball between two columns is seen in the nearest, there in the left one.

Both make the game the same seen in a mirror. Blind play catches 8.5 % instead of 8.2 % on 24 x 24, the best column
8.7 % instead of 9.5 % (two million balls each).

A game takes height - 1 steps. Where that is at least width - 2, whoever knows the angle catches every ball.
"""

import math
from typing import NamedTuple

import numpy as np

from rlcore.jit import Array, njit
from rlcore.rng import below, uniform

__all__ = [
    "BALL", "LEFT", "NUM_MOVES", "PADDLE", "RIGHT", "STAY", "TRAIL",
    "Games", "begin", "caught", "draw", "empty", "pixel", "step",
]  # fmt: skip

LEFT, STAY, RIGHT = 0, 1, 2
NUM_MOVES = 3
PADDLE = 2
"""Pixels; its place is its left one."""
BALL, TRAIL = 255, 128
"""How bright ball and paddle are drawn, and the way that the ball has come."""

_NOWHERE = -1
_COS_45 = math.cos(math.pi / 4)


class Games(NamedTuple):
    """n games."""

    row: Array
    """[n] int64: the ball's; 0 is the top."""
    column: Array
    """[n] float64: the ball's, between columns; ``pixel`` rounds it."""
    slope: Array
    """[n] float64: columns a step; its sign turns at the walls."""
    last: Array
    """[n] int64: the ball's pixel column a step before, -1 at the beginning."""
    paddle: Array
    """[n] int64: the paddle's left column."""


def empty(n: int) -> Games:
    """n games that have not begun."""
    row, last, paddle = np.zeros(n, np.int64), np.full(n, _NOWHERE, np.int64), np.zeros(n, np.int64)
    return Games(row, np.zeros(n), np.zeros(n), last, paddle)


@njit
def pixel(column: float) -> int:
    """The pixel column in which a ball is seen: the nearest."""
    return math.floor(column + 0.5)


@njit
def begin(games: Games, i: int, width: int, angles: int, rng: Array) -> None:
    """Begin game ``i``, in place: column, angle and paddle are drawn, in that order.

    Args:
        angles: of how many, evenly spread from 45 to 135 degrees, the ball has one; 0 = any.
    """
    games.row[i], games.last[i] = 0, _NOWHERE
    games.column[i] = below(rng, i, width)
    share = uniform(rng, i)
    if angles > 0:
        share = math.floor(share * angles) / max(angles - 1, 1)
    games.slope[i] = math.cos(math.pi * (0.25 + 0.5 * share)) / _COS_45
    games.paddle[i] = below(rng, i, width - PADDLE + 1)


@njit
def step(games: Games, i: int, move: int, height: int, width: int) -> bool:
    """Move the paddle of game ``i`` and let the ball fall by a row, in place; whether it has reached the bottom row."""
    games.paddle[i] = min(max(games.paddle[i] + move - STAY, 0), width - PADDLE)
    games.last[i] = pixel(games.column[i])
    column = games.column[i] + games.slope[i]
    if column < 0.0 or column > width - 1.0:
        column = -column if column < 0.0 else 2.0 * (width - 1.0) - column
        games.slope[i] = -games.slope[i]
    games.column[i] = column
    games.row[i] += 1
    return games.row[i] == height - 1


@njit
def caught(games: Games, i: int) -> bool:
    """Whether the paddle is in the ball's column."""
    return 0 <= pixel(games.column[i]) - games.paddle[i] < PADDLE


@njit
def draw(games: Games, i: int, trail: bool, canvas: Array) -> None:
    """Draw game ``i`` on ``canvas`` ([H, W] uint8, in place), which holds its last frame where it is not the first.

    With a ``trail``, all the way that the ball has come stays to be seen.
    """
    bottom = canvas.shape[0] - 1
    if games.row[i] == 0:
        canvas[:] = 0
    else:
        canvas[games.row[i] - 1, games.last[i]] = TRAIL if trail else 0
        canvas[bottom] = 0
    for k in range(PADDLE):
        canvas[bottom, games.paddle[i] + k] = BALL
    canvas[games.row[i], pixel(games.column[i])] = BALL
