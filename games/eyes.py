"""Episodes that are seen through a retina (``rlcore.retina``): n canvases, n eyes, and where they look."""

import numpy as np

from games.episodes import Episodes
from rlcore import retina
from rlcore.jit import Array, njit
from rlcore.rng import uniform

__all__ = ["RetinaEpisodes"]


@njit
def _anywhere(chosen: Array, rng: Array, locations: Array) -> None:
    """Have the eyes ``chosen`` ([n] bool) look anywhere; ``locations`` ([n, 2] float32) in place."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            locations[i, 0] = 2.0 * uniform(rng, i) - 1.0
            locations[i, 1] = 2.0 * uniform(rng, i) - 1.0


@njit
def _move(directions: Array, chosen: Array, stride: float, canvases: Array, locations: Array) -> None:
    """Move the eyes ``chosen`` ([n] bool) by ``directions`` ([n] int64); ``locations`` ([n, 2] float32) in place."""
    for i in range(chosen.shape[0]):
        if chosen[i]:
            retina.move(locations[i], directions[i], stride, canvases.shape[1], canvases.shape[2])


@njit
def _look(
    canvases: Array, chosen: Array, locations: Array, size: int, scales: int, unit: float, observations: Array
) -> None:
    """What the eyes ``chosen`` ([n] bool) see, and where they look: ``observations`` ([n, d + 2] float32), in place."""
    last = observations.shape[1]
    for i in range(chosen.shape[0]):
        if chosen[i]:
            retina.look(canvases[i], locations[i, 0], locations[i, 1], size, scales, unit, observations[i])
            observations[i, last - 2], observations[i, last - 1] = locations[i, 0], locations[i, 1]


class RetinaEpisodes(Episodes):
    """Episodes seen by eyes: an observation is scales * size * size pixels in [0, 1], then the location, float32.

    Args:
        canvases: [n, H, W] uint8, drawn by the task; ``most`` is as bright as they get.
        size, scales: of the retina: how many pixels wide, and how many patches.
        free_eye: whether an action names the location to look at next; else the eye moves by ``stride`` pixels.

    Raises:
        ValueError: there is no such retina or stride.
    """

    def __init__(
        self,
        num: int,
        canvases: Array,
        most: int,
        num_actions: int,
        size: int,
        scales: int,
        free_eye: bool,
        stride: float,
    ) -> None:
        if size < 1 or not 1 <= scales <= _MOST_SCALES:
            raise ValueError(f"there is no retina of {scales} patches, the first {size} pixels wide")
        if not stride > 0:
            raise ValueError(f"an eye cannot move in steps of {stride} pixels")
        low = np.zeros(scales * size * size + 2, np.float32)
        low[-2:] = -1
        super().__init__(num, np.zeros((num, len(low)), np.float32), low, np.ones_like(low), num_actions)
        self.canvases, self.locations = canvases, np.zeros((num, 2), np.float32)
        self.size, self.scales, self.free_eye, self.stride = size, scales, free_eye, float(stride)
        self.most = most
        """How bright canvases get."""

    def look_anywhere(self, chosen: Array) -> None:
        """Have the eyes ``chosen`` ([n] bool) look at a random place, as they do when an episode begins."""
        _anywhere(chosen, self.rng, self.locations)
        self._see(chosen)

    def look(self, looks: Array, chosen: Array) -> None:
        """Have the eyes ``chosen`` ([n] bool) look elsewhere: locations [n, 2] float32 for a free eye, or directions
        [n] int64, of which those that ``rlcore.retina`` does not know leave it where it is."""
        if self.free_eye:
            self.locations[chosen] = looks[chosen]
        else:
            _move(looks, chosen, self.stride, self.canvases, self.locations)
        self._see(chosen)

    def _see(self, chosen: Array) -> None:
        _look(self.canvases, chosen, self.locations, self.size, self.scales, 1.0 / self.most, self.observations)

    def picture(self, i: int) -> Array:
        shades: Array = (self.canvases[i] * (255.0 / self.most)).astype(np.uint8)
        return shades

    def eye(self, i: int) -> list[tuple[int, int, int]]:
        return retina.patches(self.locations[i], self.size, self.scales, *self.canvases.shape[1:])

    def arrays(self) -> dict[str, Array]:
        return {"canvases": self.canvases, "locations": self.locations}


_MOST_SCALES = 16
