"""The weights file: one network to play with, in one ``.safetensors`` file that can be given away.

Its header says what it is: the game, the settings of the run, and how long the network had learnt. It holds numbers and
text only, so that a stranger's file runs no code. The file is whole or absent, and its checksum covers every byte:

    weights    SHA-256 of the tensors' bytes: the same for the same weights, whatever is said about them
    sha256     of the whole file, with sixty-four zeros in the place of this number

Matrices may be stored in bfloat16, half as large; what is loaded is float32 in any case.
"""

import copy
import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import torch

from rlcore.files import write_whole
from rlcore.game import Game
from rlcore.tensors import TensorError, Tensors, read_metadata, read_tensors, write_tensors
from selfplay.config import Config, ConfigError, parse_config
from selfplay.strength import new_network

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["FORMAT", "About", "WeightsError", "describe", "fingerprint", "load", "save"]

FORMAT = "rlcore weights 1"
_BLANK = "0" * 64
_MOST_BYTES = 1 << 34
"""16 GiB: a larger file is not read."""


class WeightsError(ConfigError):
    """A weights file cannot be used; one sentence says why."""


class About(NamedTuple):
    """What is known of a network."""

    steps: int
    """Gradient steps it has learnt for."""
    positions: int
    """That the run had made to train on."""
    minutes: float
    """Of training."""
    weights: str = ""
    """The network's ``fingerprint``; ``save`` finds it out by itself."""
    taught: str = ""
    """By whom, such as "taught by Stockfish 15.1"; empty = by its own games alone."""


def save(path: Path, network: "ResNet", config: Config, about: About, small: bool = False) -> None:
    """Write a weights file, whole or not at all; an older one of that name gives way.

    Args:
        small: round matrices and kernels to bfloat16, which has 8 significant bits.

    Raises:
        TensorError: a weight is not finite.
        OSError: the disk refused.
    """
    if small:
        network = copy.deepcopy(network)
        for parameter in network.parameters():
            parameter.data = _rounded(parameter.data).float()
    write_whole(path, _encode(network, config, about, small))


def _rounded(value: torch.Tensor) -> torch.Tensor:
    """What has more than one dimension in bfloat16, all else as it is."""
    return value.bfloat16() if value.ndim > 1 and value.dtype == torch.float32 else value


def _encode(network: "ResNet", config: Config, about: About, small: bool) -> bytes:
    """The bytes of the file."""
    tensors = {name: _rounded(value) if small else value for name, value in network.state_dict().items()}
    known = json.dumps(about._replace(weights=fingerprint(network))._asdict())
    metadata = {"format": FORMAT, "game": config.game, "config": config.to_json(), "about": known, "sha256": _BLANK}
    data = write_tensors(tensors, metadata)
    return data.replace(_BLANK.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


def fingerprint(network: "ResNet") -> str:
    """SHA-256 of a network's tensors, 64 hexadecimal digits: two networks with the same one play alike."""
    data = write_tensors(network.state_dict())
    return hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest()  # without the header


def load(game: Game, path: Path) -> tuple["ResNet", Config, About]:
    """The network of a weights file, on the CPU, with the settings of its run; every byte is verified.

    Raises:
        WeightsError: it is no weights file, or a damaged one, or of another game.
    """
    data, metadata = _read(path)
    if not _is_intact(data, metadata.get("sha256", "")):
        raise WeightsError(f"{path} is damaged: its checksum differs; copy it again from where it came from")
    try:
        tensors = read_tensors(data, "torch")
    except TensorError as problem:
        raise WeightsError(f"{path} cannot be used: it {problem}") from None
    config = _config(path, metadata)
    if config.game != game.name:
        raise WeightsError(f"{path} was trained for {config.game}, not for {game.name}")
    return _network(path, game, config, tensors), config, _about(path, metadata)


def _read(path: Path) -> tuple[bytes, dict[str, str]]:
    """The bytes of a weights file, and its metadata."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WeightsError(f"{path} is too large for a weights file")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror})") from None
    return data, _metadata(path, io.BytesIO(data))


def _is_intact(data: bytes, sha256: str) -> bool:
    blanked = data.replace(sha256.encode(), _BLANK.encode(), 1)
    return len(sha256) == len(_BLANK) and hashlib.sha256(blanked).hexdigest() == sha256


def describe(path: Path) -> tuple[Config, About]:
    """What a weights file says of itself; only its header is read, and believed.

    Raises:
        WeightsError: it is no weights file.
    """
    try:
        with path.open("rb") as file:
            metadata = _metadata(path, file)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror})") from None
    return _config(path, metadata), _about(path, metadata)


def _metadata(path: Path, file: BinaryIO) -> dict[str, str]:
    """The metadata of a file of this format."""
    try:
        metadata = read_metadata(file)
    except TensorError as problem:
        raise WeightsError(f"{path} is damaged or no weights file: it {problem}") from None
    if not metadata.get("format", "").startswith(FORMAT.rpartition(" ")[0]):
        raise WeightsError(f"{path} holds tensors, but is no weights file of rlcore")
    if metadata["format"] != FORMAT:
        raise WeightsError(f"{path} has the format {metadata['format']!r}, this version reads {FORMAT!r}")
    return metadata


def _config(path: Path, metadata: dict[str, str]) -> Config:
    try:
        return parse_config(metadata.get("config", ""), str(path))
    except ConfigError as error:
        raise WeightsError(str(error)) from None


def _about(path: Path, metadata: dict[str, str]) -> About:
    try:
        values = json.loads(metadata["about"])
        figures = int(values["steps"]), int(values["positions"]), float(values["minutes"])
        return About(*figures, str(values["weights"]), str(values.get("taught", "")))
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{path} does not say how long it was trained") from None


def _network(path: Path, game: Game, config: Config, tensors: Tensors) -> "ResNet":
    """The network of these tensors, once it is known that they are what the settings ask for."""
    wrong = WeightsError(f"{path} holds a network of another shape than its settings say")
    if config.network.blocks > len(tensors):
        raise wrong  # before so many are made
    with torch.device("meta"):  # no memory is taken for what the file may only claim
        network = new_network(game, config)
    wanted = {name: (value.shape, value.dtype) for name, value in network.state_dict().items()}
    wide = {name: value.float() if value.dtype == torch.bfloat16 else value for name, value in tensors.items()}
    if wanted != {name: (value.shape, value.dtype) for name, value in wide.items()}:
        raise wrong
    network.load_state_dict(wide, assign=True)
    return network.eval()
