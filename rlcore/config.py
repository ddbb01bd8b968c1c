"""Settings of the core as plain dataclasses: nothing heavy is imported, so a command line can be built from them."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

Runtime = Literal["auto", "torch", "openvino-int8", "openvino-bf16", "openvino-fp32"]
"""What runs a network on a CPU (``rlcore.runtimes``)."""


def require(settings: object, least: Mapping[str, float], most: Mapping[str, int] | None = None) -> None:
    """Raise ValueError where a named setting is below its least sensible value, above its most, or no finite number."""
    for name, low in least.items():
        value = getattr(settings, name)
        if not value >= low:
            raise ValueError(f"{name} must be at least {low:g}, not {value}")
        if math.isinf(value):
            raise ValueError(f"{name} must be finite")
    for name, high in (most or {}).items():
        if getattr(settings, name) > high:
            raise ValueError(f"{name} must be at most {high:,}, not {getattr(settings, name)}")


class ConfigError(ValueError):
    """Settings that make no sense, or do not fit the run they are to go on with."""


def parse(kind: type[T], text: str, place: str) -> T:
    """Settings, a dataclass of this kind, from JSON; ``place`` says where the text comes from.

    Raises:
        ConfigError: the text is something else, or holds a setting that is unknown or makes no sense.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{place} does not hold settings: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{place} does not hold settings")
    config: T = _fill(kind, values, place)
    return config


def read(kind: type[T], path: Path) -> T:
    """Settings from a file.

    Raises:
        ConfigError: the file cannot be read, or see ``parse``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    return parse(kind, text, str(path))


def _fill(kind: Any, values: dict[str, Any], place: str) -> Any:
    """A dataclass from a dictionary; unknown names and wrong types are refused, missing ones take their default."""
    unknown = sorted(set(values) - {f.name for f in dataclasses.fields(kind)})
    if unknown:
        raise ConfigError(f"{place} holds an unknown setting: {unknown[0]}")
    usual, hints = kind(), get_type_hints(kind)
    filled = {}
    for name, value in values.items():
        default, hint = getattr(usual, name), hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            value = _fill(hint, value, place)
        elif isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        elif isinstance(default, float) and isinstance(value, int):
            value = float(value)
        if not _fits(value, hint):
            raise ConfigError(f"{place}: the setting {name} cannot be {value!r}")
        filled[name] = value
    try:
        return kind(**filled)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{place}: {error}") from None


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from JSON is of the type that a field is declared with."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(one, get_args(hint)[0]) for one in value)
    if get_args(hint):  # a union
        return any(_fits(value, one) for one in get_args(hint))
    return type(value) is hint


@dataclass(frozen=True)
class SearchConfig:
    """Monte-Carlo tree search. Gumbel: Danihelka et al. 2022; PUCT: AlphaZero, Science 362:1140, pseudocode."""

    simulations: int = 32
    """Simulations a move, each with an evaluation unless it ends the game; the root's own is not counted."""
    root: Literal["gumbel", "puct"] = "gumbel"
    """How the root shares out simulations: Gumbel with sequential halving, or AlphaZero's PUCT."""
    interior: Literal["gumbel", "puct"] = "puct"
    """The rule below the root: Gumbel's deterministic one, or PUCT."""
    considered: int = 16
    """Gumbel: how many root actions enter the first round of sequential halving."""
    c_visit: float = 50.0
    """Gumbel: sigma(q) = (c_visit + most visits) * c_scale * q, with q on [0, 1]."""
    c_scale: float = 1.0
    """Gumbel: see c_visit. The paper's value; 0.1 belongs with a min-max rescaling that is not done here."""
    c_init: float = 1.25
    """PUCT: exploration at few visits, for values on [0, 1]."""
    c_base: float = 19652.0
    """PUCT: how slowly exploration grows with the visits."""
    first_play: float | None = None
    """PUCT: the value, on [-1, 1], assumed of an action without a visit; none = the position's own value. AlphaZero's
    pseudocode takes a certain loss, -1."""
    leaves: int = 1
    """Leaves of one tree that are evaluated together, for searches of few trees: faster, and a little weaker."""
    proven: bool = True
    """Wins, losses and draws that the search has proven take the place of estimates; a proven win is played at once."""
    noise_alpha: float = 0.3
    """PUCT: concentration of the Dirichlet noise at training roots (chess 0.3, shogi 0.15)."""
    noise_weight: float = 0.25
    """PUCT: share of that noise in the root's priors."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"simulations": 1, "considered": 1, "leaves": 1, "c_visit": 0, "c_scale": 0, "c_init": 0})
        if self.leaves > 255:
            raise ValueError(f"leaves must be at most 255, not {self.leaves}")
        if not 0.0 <= self.noise_weight <= 1.0 or not 0.0 < self.noise_alpha < math.inf or not self.c_base > 0.0:
            raise ValueError("noise_weight must lie in [0, 1], noise_alpha and c_base above 0")
        if self.first_play is not None and not -1.0 <= self.first_play <= 1.0:
            raise ValueError(f"first_play must lie in [-1, 1], not {self.first_play}")


_LARGEST = 100_000  # of a network's sizes: beyond, the bytes can no longer be counted


@dataclass(frozen=True)
class NetworkConfig:
    """The size of a residual policy-value network (AlphaZero's: 19 blocks of 256 channels, value_hidden 256)."""

    blocks: int = 4
    """Residual blocks of two 3x3 convolutions each."""

    channels: int = 64
    """Channels of the stem, of every block and of the policy head; multiples of 16 are the fastest."""

    value_channels: int = 16
    """Channels of the value head's 1x1 convolution, before pooling over the board."""

    value_hidden: int = 64
    """Units of the value head's hidden layer."""

    squeeze_excitation: int = 0
    """Squeeze-and-excitation in every block (Hu et al. 2018): channels a hidden unit, 16 in the paper; 0 = none."""

    def __post_init__(self) -> None:
        """Raise ValueError where a size makes no sense."""
        least = {"blocks": 0, "channels": 1, "value_channels": 1, "value_hidden": 1, "squeeze_excitation": 0}
        require(self, least, dict.fromkeys(least, _LARGEST))
        if self.squeeze_excitation > self.channels:
            raise ValueError(
                f"squeeze_excitation must be at most channels ({self.channels}), not {self.squeeze_excitation}"
            )
