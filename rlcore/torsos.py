"""The lower parts of agents' networks: what an environment shows, whatever its kind, to features [B, F].

index   [B] int64          one-hot, then fully connected layers
vector  [B, d] float32     fully connected layers
pixels  [B, C, H, W] uint8 scaled to [0, 1], convolutions, fully connected layers; [B, S, C, H, W] for S frames
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Kind", "NoisyLinear", "Torso", "orthogonal"]

Kind = Literal["index", "vector", "pixels"]
Linear = Callable[[int, int], nn.Module]
Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d)

_LARGE = 36  # from this side on, pixels go through the strides of Mnih et al. 2015


class Torso(nn.Module):
    """Features of observations; ``features`` is how many.

    Args:
        kind: see above.
        shape: of one observation; (S, C, H, W) or (C, H, W) for pixels.
        size: how many indices there are.
        hidden: units of the fully connected layers, each followed by ``activation``.
        linear: makes the fully connected layers but the first (noisy ones, for instance): the first one, as the
            convolutions, only turns observations into features.
    """

    def __init__(
        self,
        kind: Kind,
        shape: Sequence[int],
        size: int,
        hidden: Sequence[int],
        linear: Linear = nn.Linear,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.kind, self.size = kind, size
        self.convolutions: nn.Module | None = None
        if kind == "pixels":
            channels, height, width = math.prod(shape[:-2]), shape[-2], shape[-1]
            self.convolutions = _convolutions(channels, min(height, width))
            with torch.no_grad():
                width_in = self.convolutions(torch.zeros(1, channels, height, width)).numel()
        else:
            width_in = size if kind == "index" else math.prod(shape)
        layers: list[nn.Module] = []
        for i, units in enumerate(hidden):
            layers += [
                nn.Linear(width_in, units) if i == 0 and kind != "pixels" else linear(width_in, units),
                activation(),
            ]
            width_in = units
        self.layers = nn.Sequential(*layers)
        self.features = width_in

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "index":
            x = functional.one_hot(x, self.size).float()
        elif self.convolutions is not None:
            x = x.flatten(1, -3).float() * (1.0 / 255.0)
            x = self.convolutions(x)
        out: Tensor = self.layers(x)
        return out


def _convolutions(channels: int, side: int) -> nn.Sequential:
    """Convolutions, flattened: Nature DQN's for screens (Mnih et al. 2015), two of 3x3 for small boards."""
    if side >= _LARGE:
        kernels = ((channels, 32, 8, 4), (32, 64, 4, 2), (64, 64, 3, 1))
        layers = [nn.Conv2d(i, o, k, stride) for i, o, k, stride in kernels]
    else:
        layers = [nn.Conv2d(i, o, 3, padding=1) for i, o in ((channels, 16), (16, 16))]
    return nn.Sequential(*(module for layer in layers for module in (layer, nn.ReLU())), nn.Flatten())


class NoisyLinear(nn.Module):
    """A fully connected layer whose weights carry noise that is learned (Fortunato et al. 2018, factorised, eq. 10-11).

    While training, each call of ``draw`` sets the noise until the next; in ``eval`` there is none.
    """

    def __init__(self, features_in: int, features_out: int, sigma: float = 0.5) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(features_in)
        self.weight = nn.Parameter(torch.empty(features_out, features_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(features_out).uniform_(-bound, bound))
        self.weight_sigma = nn.Parameter(torch.full_like(self.weight, sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full_like(self.bias, sigma * bound))
        self.noise_in: Tensor
        self.noise_out: Tensor
        self.register_buffer("noise_in", torch.zeros(features_in), persistent=False)
        self.register_buffer("noise_out", torch.zeros(features_out), persistent=False)

    def draw(self, generator: torch.Generator) -> None:
        """New noise: f(x) = sign(x) sqrt(|x|) of normal numbers, one an input and one an output."""
        for noise in (self.noise_in, self.noise_out):
            x = torch.randn(noise.shape, generator=generator)
            noise.copy_(x.sign() * x.abs().sqrt())

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.linear(x, self.weight, self.bias)
        weight = self.weight + self.weight_sigma * torch.outer(self.noise_out, self.noise_in)
        return functional.linear(x, weight, self.bias + self.bias_sigma * self.noise_out)


def orthogonal(layer: Layer, gain: float) -> Layer:
    """The layer with orthogonal weights of this gain and no bias, as policy gradients like it (Saxe et al. 2014)."""
    nn.init.orthogonal_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
