"""Many games of Catch, and what is seen of them: the whole screen."""

import numpy as np

from games.catch import rules
from games.catch.rules import Games
from games.episodes import Actions, Episodes
from rlcore.jit import Array, njit

__all__ = ["FullCatch"]


@njit
def _begin(games: Games, chosen: Array, trail: bool, rng: Array, canvases: Array) -> None:
    """Begin the games ``chosen`` ([n] bool) and draw them on ``canvases`` ([n, H, W] uint8), in place."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            rules.begin(games, i, canvases.shape[2], rng)
            rules.draw(games, i, trail, canvases[i])


@njit
def _step(
    games: Games, moves: Array, live: Array, trail: bool, canvases: Array, rewards: Array, terminated: Array
) -> None:
    """A step of the games ``live`` ([n] bool) by ``moves`` ([n] int64); all else as in ``Episodes``, in place."""
    height, width = canvases.shape[1:]
    for i in range(live.shape[0]):
        rewards[i], terminated[i] = 0.0, False
        if live[i]:
            terminated[i] = rules.step(games, i, moves[i], height, width)
            if terminated[i] and rules.caught(games, i):
                rewards[i] = 1.0
            rules.draw(games, i, trail, canvases[i])


def _checked(height: int, width: int) -> tuple[int, int]:
    if min(height, width) < 3:
        raise ValueError(f"a canvas of {height} x {width} is too small: 3 x 3 is the least")
    return height, width


class FullCatch(Episodes):
    """Games of which all is seen: observations are [n, height, width] uint8, the ball's last place at half brightness,
    because its direction cannot be seen in one frame.

    Raises:
        ValueError: the canvas is too small.
    """

    def __init__(self, num: int, height: int = 12, width: int = 12) -> None:
        canvases = np.zeros((num, *_checked(height, width)), np.uint8)
        super().__init__(num, canvases, 0, rules.BALL, rules.NUM_MOVES)
        self.games = rules.empty(num)

    def begin(self, chosen: Array) -> None:
        _begin(self.games, chosen, True, self.rng, self.observations)

    def step(self, actions: Actions, live: Array) -> None:
        _step(self.games, actions, live, True, self.observations, self.rewards, self.terminated)

    def picture(self, i: int) -> Array:
        return self.observations[i]

    def arrays(self) -> dict[str, Array]:
        return self.games._asdict()
