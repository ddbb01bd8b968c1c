"""Settings of the core as plain dataclasses: nothing heavy is imported, so a command line can be built from them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SearchConfig:
    """Monte-Carlo tree search. Gumbel: Danihelka et al. 2022; PUCT: AlphaZero, Science 362:1140, pseudocode."""

    simulations: int = 32
    """Evaluations a move; the root's own is not counted."""
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
    noise_alpha: float = 0.3
    """PUCT: concentration of the Dirichlet noise at training roots (chess 0.3, shogi 0.15)."""
    noise_weight: float = 0.25
    """PUCT: share of that noise in the root's priors."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        if self.simulations < 1:
            raise ValueError(f"simulations must be at least 1, not {self.simulations}")
        if self.considered < 1:
            raise ValueError(f"considered must be at least 1, not {self.considered}")
        if not 0.0 <= self.noise_weight <= 1.0 or self.noise_alpha <= 0.0:
            raise ValueError("noise_weight must lie in [0, 1] and noise_alpha above 0")


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

    def __post_init__(self) -> None:
        for name in ("blocks", "channels", "value_channels", "value_hidden"):
            size, least = getattr(self, name), 0 if name == "blocks" else 1
            if size < least:
                raise ValueError(f"network.{name} is {size}; it must be at least {least}")
