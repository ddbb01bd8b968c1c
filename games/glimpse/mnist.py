"""MNIST from its original files (LeCun, Cortes and Burges), in a folder that the user names; nothing is downloaded.

    train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte  t10k-labels-idx1-ubyte

each as it is or gzipped (.gz), and with a dot before idx, as some unpack them. The last 5,000 of the 60,000
training images are for validation.
"""

import gzip
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from games.glimpse.digits import Digits, Split
from rlcore.jit import Array

__all__ = ["MnistError", "mnist"]

_VALIDATION = 5_000
_FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
          "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip
_BYTES = 8  # the code for uint8 in an idx file


class MnistError(ValueError):
    """The files are not there or damaged: the message says which, and what to do."""


@cache
def mnist(folder: Path, split: Split) -> Digits:
    """The images of a split, [N, 28, 28] uint8; one fixed canvas of each that is not for training.

    Raises:
        MnistError: a file is not there, or is not what it should be.
    """
    images, labels = (_read(folder, name) for name in _FILES["test" if split == "test" else "train"])
    if images.ndim != 3 or images.shape[1] != images.shape[2] or labels.shape != images.shape[:1]:
        raise MnistError(
            f"{folder} holds images {list(images.shape)} and {len(labels)} labels, which do not belong together"
        )
    if labels.size == 0 or labels.max() > 9:
        raise MnistError(f"{folder} holds labels that are no digits")
    numbers = np.arange(len(labels))
    if split != "test":
        border = max(len(labels) - _VALIDATION, len(labels) // 2)
        numbers = numbers[:border] if split == "train" else numbers[border:]
    found = Digits(images[numbers], labels[numbers].astype(np.int64), numbers, levels=255, placements=1)
    for array in (found.images, found.labels, found.numbers):
        array.flags.writeable = False
    return found


def _read(folder: Path, name: str) -> Array:
    """An array of bytes from an idx file: two zeros, the type, the number of axes, each axis as 4 bytes, the bytes."""
    names = (name, name.replace("-idx", ".idx"))  # as published, and as some archives unpack it
    path = next((path for one in names for end in ("", ".gz") if (path := folder / (one + end)).exists()), None)
    if path is None:
        raise MnistError(f"{folder} holds no {name} or {name}.gz: --data names the folder with MNIST's four files")
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise MnistError(f"{path} cannot be read ({error}): fetch it again") from None
    axes = data[3] if data[:3] == bytes((0, 0, _BYTES)) else 0
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    if axes == 0 or len(data) != 4 + 4 * axes + int(np.prod(shape, dtype=np.int64)):
        raise MnistError(f"{path} is damaged, or no idx file of bytes: fetch it again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
