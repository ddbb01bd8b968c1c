"""Many canvases with a digit each, seen through a retina: look about, and say which digit it is."""

from collections.abc import Callable, Mapping

import numpy as np

from games.episodes import Actions
from games.eyes import RetinaEpisodes
from games.glimpse.canvases import draw, fixed_seeds
from games.glimpse.digits import CLASSES, Digits, Split, digits
from rlcore.jit import Array, njit
from rlcore.retina import DIRECTIONS
from rlcore.rng import below

__all__ = ["Glimpses"]


@njit
def _choose(chosen: Array, count: int, rng: Array, which: Array) -> None:
    """Draw one of ``count`` canvases for each episode ``chosen`` ([n] bool); ``which`` ([n] int64) in place."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            which[i] = below(rng, i, count)


@njit
def _draw(images: Array, chosen: Array, which: Array, pieces: int, piece: int, rng: Array, canvases: Array) -> None:
    """Draw the canvases of the episodes ``chosen`` ([n] bool), each by its own generator."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            draw(images, which[i], pieces, piece, rng, i, canvases[i])


class Glimpses(RetinaEpisodes):
    """Episodes in each of which a digit is looked for and named: 1 for the right answer, else 0.

    An eye that is not free moves by ``stride`` pixels (actions 0 up, 1 right, 2 down, 3 left), or answers (action
    4 + digit), which ends the episode; after ``glimpses`` glimpses, of which the first is at a random place, a further
    move ends it, too, with nothing. For a free eye each action is an answer and a location, the episode takes
    ``glimpses`` steps, and what counts is the last answer; the location beside it is not looked at any more.

    Training draws every canvas anew. ``split="validation"`` and ``"test"`` draw one of the fixed canvases of that
    split (``canvases.fixed_set`` has them all, in the order of their numbers); ``begin_with`` chooses it.

    Args:
        side: of the canvas; 8 is the bare image.
        pieces, piece: clutter: how many squares of other digits, and how many pixels wide.
        size, scales: of the retina.
        source: the digits of a split; by default those of ``games.glimpse.digits``.

    Raises:
        ValueError: there is no such task.
    """

    def __init__(
        self,
        num: int,
        side: int = 18,
        pieces: int = 4,
        piece: int = 3,
        glimpses: int = 6,
        size: int = 3,
        scales: int = 1,
        free_eye: bool = True,
        stride: float = 3,
        split: Split = "train",
        source: Callable[[Split], Digits] = digits,
    ) -> None:
        self.digits = source(split)
        least = self.digits.side
        if side < least or pieces < 0 or not 1 <= piece <= least or glimpses < 1:
            raise ValueError(
                f"there are no {glimpses} glimpses of a canvas of {side} pixels with {pieces} pieces of {piece}: "
                f"a glimpse and {least} pixels for the digit are the least, and a piece has 1 to {least} pixels"
            )
        num_actions = CLASSES if free_eye else DIRECTIONS + CLASSES
        canvases = np.zeros((max(num, 0), side, side), np.uint8)
        super().__init__(num, canvases, self.digits.levels, num_actions, size, scales, free_eye, stride)
        self.pieces, self.piece, self.glimpses = pieces, piece, glimpses
        self._seeds = None if split == "train" else fixed_seeds(split, self.digits)
        self.which, self.taken = np.zeros(num, np.int64), np.zeros(num, np.int64)
        """[n] int64: the canvas, and how many glimpses have been taken."""

    @property
    def num_canvases(self) -> int:
        """How many there are to choose from; of the training split, images."""
        return len(self.digits.labels) if self._seeds is None else len(self._seeds)

    @property
    def labels(self) -> Array:
        """[n] int64: the right answers."""
        labels: Array = self.digits.labels[self.which // (1 if self._seeds is None else self.digits.placements)]
        return labels

    def begin(self, chosen: Array) -> None:
        _choose(chosen, self.num_canvases, self.rng, self.which)
        self._begin(chosen)

    def begin_with(self, which: Array, chosen: Array) -> None:
        """Begin episodes in the copies ``chosen`` ([n] bool) with the canvases ``which`` ([n] int64)."""
        self.which[chosen] = which[chosen]
        self._begin(chosen)

    def _begin(self, chosen: Array) -> None:
        images, which, rng = self.digits.images, self.which, self.rng
        if self._seeds is not None:  # a fixed canvas is drawn by a generator of its own
            which, rng = which // self.digits.placements, self._seeds[which]
        _draw(images, chosen, which, self.pieces, self.piece, rng, self.canvases)
        self.taken[chosen] = 1
        self.look_anywhere(chosen)

    def step(self, actions: Actions, live: Array) -> None:
        answers, looks = actions if self.free_eye else (actions - DIRECTIONS, actions)
        answered = self.taken >= self.glimpses if self.free_eye else answers >= 0
        np.logical_and(live, answered | (self.taken >= self.glimpses), out=self.terminated)
        np.multiply(self.terminated & answered, answers == self.labels, out=self.rewards)
        going_on = live & ~self.terminated
        self.taken += going_on
        self.look(looks, going_on)

    def info(self) -> dict[str, Array]:
        return {"label": self.labels}

    def set_state(self, state: Mapping[str, Array], more: Mapping[str, Array] | None = None) -> None:
        """See ``Episodes``; a state of another split is refused, too, where it names images that this one lacks."""
        which = state.get("which", self.which)
        if which.size and not 0 <= which.min() <= which.max() < self.num_canvases:
            raise ValueError(f"it is a state of another split: this one has {self.num_canvases} canvases")
        super().set_state(state, more)

    def arrays(self) -> dict[str, Array]:
        return super().arrays() | {"which": self.which, "taken": self.taken}
