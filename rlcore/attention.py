"""The recurrent attention model (Mnih et al. 2014, arXiv 1406.6247): a network that sees an image through glimpses.

    glimpse [T, n, P], location [T, n, 2] -> glimpse network -> core -> h [T, n, U]
    h -> action network -> logits [T, n, A];  h -> location network -> means [T, n, 2];  h -> baseline -> values [T, n]

T is time, n the episodes. All glimpses of all episodes go through the glimpse network at once; only the core goes
through time. Where to look is drawn from normal numbers round the location network's means while a model acts, and is
data when it learns: no gradient flows through a location.

Differences from the paper: (1) the means go through tanh, so that they lie on the canvas; (2) weights are orthogonal at
first, and those of the action network and the location network small.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from rlcore.policies import Categorical, Gaussian, make_cell, through_time
from rlcore.torsos import orthogonal

__all__ = [
    "ActionNetwork",
    "Baseline",
    "Core",
    "CoreKind",
    "GlimpseNetwork",
    "LocationNetwork",
    "Looked",
    "Looks",
    "RecurrentAttention",
    "Whole",
    "WholeImage",
]  # fmt: skip

CoreKind = Literal["none", "rnn", "lstm", "gru"]
Whole = Literal["full-fc", "full-conv", "logistic"]


class GlimpseNetwork(nn.Module):
    """What is seen, and where: [..., P] and [..., 2] to [..., features].

    Args:
        pixels: P, of all scales of the retina.
        hidden: units for what and for where, each apart; then units of both together.
    """

    def __init__(self, pixels: int, hidden: Sequence[int]) -> None:
        super().__init__()
        apart, self.features = hidden
        self.what, self.where = nn.Linear(pixels, apart), nn.Linear(2, apart)
        self.from_what, self.from_where = nn.Linear(apart, self.features), nn.Linear(apart, self.features)
        for layer in (self.what, self.where, self.from_what, self.from_where):
            orthogonal(layer, math.sqrt(2.0))

    def forward(self, glimpses: Tensor, locations: Tensor) -> Tensor:
        what, where = self.what(glimpses).relu(), self.where(locations).relu()
        return (self.from_what(what) + self.from_where(where)).relu()


class WholeImage(nn.Module):
    """In its place, to compare with: the whole image [..., side * side], whatever the location.

    Args:
        kind: logistic regression (nothing here, and no core), a fully connected layer, or the paper's convolutions,
            scaled: 8 filters a third as wide as the image, then a fully connected layer.
    """

    def __init__(self, kind: Whole, height: int, width: int, features: int) -> None:
        super().__init__()
        self.height, self.width, self.features = height, width, features
        if kind == "logistic":
            self.layers, self.features = nn.Sequential(), height * width
        elif kind == "full-fc":
            self.layers = nn.Sequential(nn.Linear(height * width, features), nn.ReLU())
        else:
            kernel = max(min(height, width) // 6, 3)
            convolution = nn.Conv2d(1, 8, kernel, max(kernel // 2, 1))
            across = [(side - kernel) // max(kernel // 2, 1) + 1 for side in (height, width)]
            self.layers = nn.Sequential(
                nn.Unflatten(1, (1, height, width)), convolution, nn.ReLU(), nn.Flatten(),
                nn.Linear(8 * across[0] * across[1], features), nn.ReLU(),
            )  # fmt: skip
        for layer in self.layers:
            if isinstance(layer, nn.Linear | nn.Conv2d):
                orthogonal(layer, math.sqrt(2.0))

    def forward(self, images: Tensor, locations: Tensor) -> Tensor:
        features: Tensor = self.layers(images.flatten(0, -2))
        return features.view(*images.shape[:-1], self.features)


class Core(nn.Module):
    """What is remembered: features [T, n, F] to h [T, n, U].

    Args:
        kind: h_t = ReLU(Linear(g_t) + Linear(h_t-1)), an LSTM or a GRU; or none, where h_t = g_t.
    """

    def __init__(self, kind: CoreKind, features: int, units: int) -> None:
        super().__init__()
        self.units = features if kind == "none" else units
        self.parts = {"none": 0, "lstm": 2}.get(kind, 1)
        self.cell = None if kind == "none" else make_cell(kind, features, units)

    @property
    def memory_size(self) -> int:
        """Numbers that are remembered of an episode."""
        return self.parts * self.units

    def forward(self, features: Tensor, starts: Tensor | None, memory: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """h, and the memory after it.

        Args:
            starts: [T, n] bool: where an episode begins with the step, and nothing is remembered.
            memory: [n, memory_size] before the first step; none = zero.
        """
        if self.cell is None:
            return features, memory
        if memory is None:
            memory = features.new_zeros(features.shape[1], self.memory_size)
        return through_time(self.cell, features, starts, memory)


class ActionNetwork(nn.Linear):
    """Logits of answers, or of moves: [..., U] to [..., A]."""

    def __init__(self, units: int, actions: int) -> None:
        super().__init__(units, actions)
        orthogonal(self, 0.01)


class LocationNetwork(nn.Linear):
    """Where to look next, on average: [..., U] to [..., 2], within [-1, 1]."""

    def __init__(self, units: int) -> None:
        super().__init__(units, 2)
        orthogonal(self, 0.01)

    def forward(self, h: Tensor) -> Tensor:
        return super().forward(h).tanh()


class Baseline(nn.Module):
    """What return is expected: [..., U] to [...], by a linear layer.

    Args:
        told: numbers that are told beside h, see ``RecurrentAttention``; with some, there is a hidden layer.
    """

    def __init__(self, units: int, told: int = 0) -> None:
        super().__init__()
        self.told = told
        first: list[nn.Module] = []
        if told:
            first = [orthogonal(nn.Linear(units + told, 64), math.sqrt(2.0)), nn.ReLU()]
        self.layers = nn.Sequential(*first, orthogonal(nn.Linear(64 if told else units, 1), 1.0))

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        values: Tensor = self.layers(torch.cat([h, told], -1) if self.told else h)
        return values.squeeze(-1)


class Looks(NamedTuple):
    """A distribution over actions: what to do, or to answer, and where to look next.

    An action is three numbers, (move, x, y), float32; without a location network x and y are 0 and count for nothing.
    """

    move: Categorical
    look: Gaussian | None
    drawn: bool
    """Whether moves are drawn, and learned by their probability. Else they are answers, which labels teach: the best
    one is given, and its probability counts for nothing."""

    def sample(self, noise: Tensor) -> Tensor:
        """[..., 3], by the noise of ``RecurrentAttention.noise``; the location is as drawn, not clipped."""
        noise_of_move, noise_of_look = noise[..., :-2], noise[..., -2:]
        move = self.move.sample(noise_of_move) if self.drawn else self.move.mode()
        return self._joined(move, None if self.look is None else self.look.sample(noise_of_look))

    def mode(self) -> Tensor:
        """The best move, and the mean location."""
        return self._joined(self.move.mode(), None if self.look is None else self.look.mode())

    def _joined(self, move: Tensor, look: Tensor | None) -> Tensor:
        moves = move[..., None].float()
        return torch.cat([moves, moves.new_zeros(*move.shape, 2) if look is None else look], -1)

    def at(self, index: Any) -> "Looks":
        """Some of them."""
        return Looks(self.move.at(index), None if self.look is None else self.look.at(index), self.drawn)

    def log_prob_and_entropy(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """[...] each: log-probabilities (of the location, the density at what was drawn), and the moves' entropy."""
        log_prob, entropy = self.move.log_prob_and_entropy(actions[..., 0].long())
        if not self.drawn:
            log_prob = torch.zeros_like(log_prob)
        if self.look is not None:
            log_prob = log_prob + self.look.log_prob_and_entropy(actions[..., 1:])[0]
        return log_prob, entropy


class Looked(NamedTuple):
    """What the model says of glimpses."""

    policy: Looks
    values: Tensor
    """[T, n]"""
    noticed: Tensor | None
    """[T, n, k]: what it takes the truth to be, which it is not told (``RecurrentAttention``)."""


class RecurrentAttention(nn.Module):
    """See the module. An observation is P pixels, the location they were seen at, and k numbers of the truth that only
    a teacher knows: neither the core nor the policy is told these.

    Args:
        glimpse: the glimpse network, or what stands in its place.
        core, units: see ``Core``.
        actions: A.
        truth: k.
        eye: whether it chooses locations; else there is no location network.
        named: whether an answer is to be given, which labels teach. Then baseline and location network learn from h
            but do not shape it, as in the paper.
        notice: whether h is taught to know the truth.
        informed: whether the baseline is told the truth.
    """

    sigma: float = 0.1
    """Standard deviation of locations."""

    def __init__(
        self,
        glimpse: GlimpseNetwork | WholeImage,
        core: CoreKind,
        units: int,
        actions: int,
        truth: int,
        *,
        eye: bool = True,
        named: bool = False,
        notice: bool = False,
        informed: bool = False,
    ) -> None:
        super().__init__()
        self.truth, self.named = truth, named
        self.glimpse = glimpse
        self.core = Core(core, glimpse.features, units)
        self.action = ActionNetwork(self.core.units, actions)
        self.baseline = Baseline(self.core.units, truth if informed else 0)
        self.location = LocationNetwork(self.core.units) if eye else None
        self.notice = nn.Linear(self.core.units, truth) if notice else None

    @property
    def memory_size(self) -> int:
        """Numbers that are remembered of an episode."""
        return self.core.memory_size

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """What policies of this ``shape`` need to draw actions."""
        moves = Categorical.noise((*shape, self.action.out_features), generator)
        return torch.cat([moves, Gaussian.noise((*shape, 2), generator)], -1)

    def act(
        self, observations: Tensor, masks: Tensor | None, memory: Tensor | None = None
    ) -> tuple[Looks, Tensor | None]:
        """The policy of one step: observations [n, P + 2 + k], memory [n, memory_size], zero at a start."""
        h, memory = self._remember(observations[None], None, memory)
        return self._policy(h[0]), memory

    def forward(
        self, observations: Tensor, masks: Tensor | None, starts: Tensor | None = None, memory: Tensor | None = None
    ) -> Looked:
        """All of T steps.

        Args:
            observations: [T, n, P + 2 + k]; masks: none.
            starts: [T, n] bool: whether an episode begins with the observation.
            memory: [n, memory_size] before the first of them; none = zero.
        """
        h, _ = self._remember(observations, starts, memory)
        told = observations[..., observations.shape[-1] - self.truth :]
        values = self.baseline(h.detach() if self.named else h, told)
        return Looked(self._policy(h), values, None if self.notice is None else self.notice(h))

    def _remember(
        self, observations: Tensor, starts: Tensor | None, memory: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        pixels = observations.shape[-1] - self.truth - 2
        g = self.glimpse(observations[..., :pixels], observations[..., pixels : pixels + 2])
        h, memory = self.core(g, starts, memory)
        return h, memory

    def _policy(self, h: Tensor) -> Looks:
        look = None
        if self.location is not None:
            mean = self.location(h.detach() if self.named else h)
            look = Gaussian(mean, mean.new_full((2,), math.log(self.sigma)))
        return Looks(Categorical(self.action(h), False), look, not self.named)
