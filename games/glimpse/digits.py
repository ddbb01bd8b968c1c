"""Real handwritten digits: 1,797 images of 8 x 8, split once and for all.

``games/data/digits.csv.gz`` is the file that scikit-learn 1.9 ships (``sklearn/datasets/data``), byte for byte: the
test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (UCI Machine Learning Repository,
https://doi.org/10.24432/C50P49, licence CC BY 4.0). It lies here so that a machine that trains needs no scikit-learn,
and so that everybody has the same images.
"""

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from rlcore.jit import Array
from rlcore.rng import fixed_words

__all__ = ["CLASSES", "LEVELS", "SIDE", "SPLITS", "Digits", "Split", "digits"]

SIDE, LEVELS, CLASSES = 8, 16, 10
"""Pixels, brightest value, digits."""

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_SHARES = (0.6, 0.8, 1.0)  # where each ends
_SEED = 1797
_FILE = Path(__file__).resolve().parent.parent / "data" / "digits.csv.gz"


class Digits(NamedTuple):
    """The images of a split; of these here or others (``games.glimpse.mnist``)."""

    images: Array
    """[N, 8, 8] uint8, 0 to 16; or others of any side and brightness."""
    labels: Array
    """[N] int64, 0 to 9."""
    numbers: Array
    """[N] int64: which of all images, here 1,797, they are, ascending."""
    levels: int = LEVELS
    """How bright the brightest pixel can be."""
    placements: int = 5
    """Canvases of each image that is not for training; always the same ones."""

    @property
    def side(self) -> int:
        """Pixels."""
        return int(self.images.shape[1])


@cache
def _table() -> Array:
    """[1797, 65] uint8: the pixels of each image, then its label."""
    table = np.loadtxt(_FILE, np.uint8, delimiter=",")
    table.flags.writeable = False
    return table


@cache
def digits(split: Split) -> Digits:
    """The images of a split: 60 % of each digit to train, 20 % to validate, 20 % to test, in a random order that is
    the same everywhere.

    Raises:
        ValueError: there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    table = _table()
    order = np.argsort(fixed_words(len(table), _SEED), kind="stable")
    place, chosen = SPLITS.index(split), []
    for digit in range(CLASSES):
        these = order[table[order, -1] == digit]
        begin, end = (round(len(these) * share) for share in ((0.0, *_SHARES)[place], _SHARES[place]))
        chosen += these[begin:end].tolist()
    numbers = np.array(sorted(chosen))
    found = Digits(table[numbers, :-1].reshape(-1, SIDE, SIDE), table[numbers, -1].astype(np.int64), numbers)
    for array in (found.images, found.labels, found.numbers):
        array.flags.writeable = False
    return found
