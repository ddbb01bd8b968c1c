"""Many games of Catch, and what is seen of them: the whole screen, or what a retina shows of it."""

import numpy as np

from games.catch import rules
from games.catch.rules import Games
from games.episodes import Actions, Episodes
from games.eyes import RetinaEpisodes
from rlcore.jit import Array, njit
from rlcore.retina import DIRECTIONS

__all__ = ["FullCatch", "RetinaCatch"]

_EYE_MOVES = DIRECTIONS + 1  # or nowhere


def _canvases(num: int, height: int, width: int, angles: int) -> Array:
    if min(height, width) < 3:
        raise ValueError(f"a canvas of {height} x {width} is too small: 3 x 3 is the least")
    if angles < 0:
        raise ValueError(f"there are no {angles} angles; 0 means any")
    return np.zeros((num, height, width), np.uint8)


# --- the whole screen ------------------------------------------------------------------------------------------------


@njit
def _begin(games: Games, chosen: Array, angles: int, trail: bool, rng: Array, canvases: Array) -> None:
    """Begin the games ``chosen`` ([n] bool) and draw them on ``canvases`` ([n, H, W] uint8), in place."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            rules.begin(games, i, canvases.shape[2], angles, rng)
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


class FullCatch(Episodes):
    """Games of which all is seen: observations are [n, height, width] uint8.

    The way that the ball has come is shown at half brightness, since one frame does not show where it goes. With that,
    99.8 % of the balls can be caught on 12 x 12, and all with three angles; with no more than the ball's last place,
    which leaves the angle open, some 84 %.

    Args:
        angles: of how many, evenly spread, the ball has one; 0 = any.

    Raises:
        ValueError: there is no such canvas, or number of angles.
    """

    def __init__(self, num: int, height: int = 12, width: int = 12, angles: int = 0) -> None:
        super().__init__(num, _canvases(num, height, width, angles), 0, rules.BALL, rules.NUM_MOVES)
        self.angles, self.games = angles, rules.empty(num)

    def begin(self, chosen: Array) -> None:
        _begin(self.games, chosen, self.angles, True, self.rng, self.observations)

    def step(self, actions: Actions, live: Array) -> None:
        _step(self.games, actions, live, True, self.observations, self.rewards, self.terminated)

    def picture(self, i: int) -> Array:
        return self.observations[i]

    def arrays(self) -> dict[str, Array]:
        return self.games._asdict()


# --- through a retina ------------------------------------------------------------------------------------------------


class RetinaCatch(RetinaEpisodes):
    """Games of which an eye sees some pixels at a time, and never where the ball was.

    An action moves the paddle, then the ball falls, then the eye looks: where the second part of the action says if
    ``free_eye``, else a step of ``stride`` pixels from where it was, and an action is 5 * (paddle's move) + (0 up,
    1 right, 2 down, 3 left, 4 nowhere).

    Raises:
        ValueError: there is no such canvas, retina, stride or number of angles.
    """

    def __init__(
        self,
        num: int,
        height: int = 24,
        width: int = 24,
        size: int = 6,
        scales: int = 3,
        free_eye: bool = True,
        stride: float = 3,
        angles: int = 0,
    ) -> None:
        canvases = _canvases(num, height, width, angles)
        num_actions = rules.NUM_MOVES if free_eye else rules.NUM_MOVES * _EYE_MOVES
        super().__init__(num, canvases, rules.BALL, num_actions, size, scales, free_eye, stride)
        self.angles, self.games = angles, rules.empty(num)

    def begin(self, chosen: Array) -> None:
        _begin(self.games, chosen, self.angles, False, self.rng, self.canvases)
        self.look_anywhere(chosen)

    def step(self, actions: Actions, live: Array) -> None:
        moves, looks = actions if self.free_eye else np.divmod(actions, _EYE_MOVES)
        _step(self.games, moves, live, False, self.canvases, self.rewards, self.terminated)
        self.look(looks, live)

    def arrays(self) -> dict[str, Array]:
        return super().arrays() | self.games._asdict()
