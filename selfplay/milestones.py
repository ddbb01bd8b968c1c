"""Networks of a run's past, as weights files, two for every doubling of the steps: a run of any length has few.

    networks/00000000.safetensors     as it began
    networks/00000064.safetensors     kept at the first round with so many steps, 64 ...
    networks/00000091.safetensors     ... or sqrt(2) times as many as the one before
    network.safetensors               the newest one at the end of a start: to play with, and to give away

A run that has fallen back to an older checkpoint writes the same names again.
"""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rlcore.tensors import TensorError
from selfplay import weights
from selfplay.config import Config
from selfplay.weights import About, WeightsError

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["FOLDER", "NEWEST", "Kept", "Milestones", "find", "marks"]

FOLDER = "networks"
NEWEST = "network.safetensors"
_FIRST = 64
"""Steps: before, a network has hardly changed."""
_ROOM = 16
"""A file is written only where so many of its size stay free: a checkpoint needs half of that, and comes first."""


def marks() -> Iterator[int]:
    """The steps at which networks are kept: 0, 64, 91, 128, 181 ..."""
    yield 0
    for i in count():
        yield round(_FIRST * 2 ** (i / 2))


class Milestones:
    """Keeps the networks of a run's past; what cannot be written is told once and left out.

    Args:
        folder: of the run.
        steps: that the run has made so far.
        warn: called with a line of text.
    """

    def __init__(self, folder: Path, steps: int, warn: Callable[[str], None]) -> None:
        self._folder, self._warn = folder, warn
        self._marks = marks()
        self._next = next(mark for mark in self._marks if mark >= steps)
        self._refused = False

    def is_due(self, steps: int) -> bool:
        """Whether it is time to ``keep`` a network."""
        return steps >= self._next

    def keep(self, network: "ResNet", config: Config, about: About) -> None:
        """Keep a network that is due, named after the mark that its steps have reached."""
        while self.is_due(about.steps):
            mark, self._next = self._next, next(self._marks)
        self._write(self._folder / FOLDER / f"{mark:08d}.safetensors", network, config, about)

    def finish(self, network: "ResNet", config: Config, about: About) -> None:
        """Write the newest network."""
        self._write(self._folder / NEWEST, network, config, about)

    def _write(self, path: Path, network: "ResNet", config: Config, about: About) -> None:
        """Write a weights file. Training goes on whatever happens: checkpoints hold all that it needs."""
        try:
            path.parent.mkdir(exist_ok=True)
            size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
            if shutil.disk_usage(path.parent).free < _ROOM * size:
                raise OSError(None, "the disk is nearly full")
            weights.save(path, network, config, about)
        except (OSError, TensorError) as error:
            if not self._refused:
                self._refused = True
                problem = error.strerror if isinstance(error, OSError) else f"the network {error}"
                self._warn(f"{path} was not written ({problem}); training goes on without it.")


class Kept(NamedTuple):
    """A network of the past."""

    path: Path
    config: Config
    about: About


def find(folder: Path, warn: Callable[[str], None]) -> list[Kept]:
    """The networks that a run has kept, by their steps, the newest last; none twice.

    Args:
        folder: of the run.
        warn: called with a line for each file that is passed over, because its header is damaged.
    """
    found: dict[int, Kept] = {}
    for path in [*sorted((folder / FOLDER).glob("*.safetensors")), folder / NEWEST]:
        try:
            kept = Kept(path, *weights.describe(path)) if path.is_file() else None
        except WeightsError as error:
            warn(f"{error}; it is left out")
            continue
        if kept is not None:
            found.setdefault(kept.about.steps, kept)
    return [found[steps] for steps in sorted(found)]
