"""Networks of policy gradients: a policy and a value from observations, with a memory or without.

    observations [T, n, *shape] -> torso -> (memory cell) -> policy head -> logits [T, n, A], or means [T, n, d]
                                -> torso -> (memory cell) -> value head  -> values [T, n]

Torso and cell are shared by both heads or not. T is time, n the environments. A cell's state goes on from step to step
and is zero where an episode begins.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rlcore.jit import Array
from rlcore.torsos import Kind, Torso, orthogonal

__all__ = [
    "ActorCritic", "Categorical", "Cell", "Distribution", "Gaussian", "NumPyPolicy", "Outlook", "make_cell",
    "through_time",
]  # fmt: skip

Cell = Literal["none", "lstm", "gru"]
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Categorical(NamedTuple):
    """A distribution over numbered actions."""

    logits: Tensor
    """[..., A]: log-probabilities but for a constant; -inf where an action is forbidden."""
    masked: bool
    """Whether one may be."""

    @staticmethod
    def noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """What ``sample`` needs, [*shape, A]: standard Gumbel numbers."""
        return torch.empty(*shape).exponential_(generator=generator).log_().neg_()

    def sample(self, noise: Tensor) -> Tensor:
        """[...] int64, by the Gumbel-max trick: the largest of logits and noise added."""
        return (self.logits + noise).argmax(-1)

    def mode(self) -> Tensor:
        return self.logits.argmax(-1)

    def at(self, index: Any) -> "Categorical":
        """Some of them."""
        return Categorical(self.logits[index], self.masked)

    def log_prob_and_entropy(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """[...] each: log-probabilities of actions [...] int64, and the entropy in nats."""
        log_policy = self.logits.log_softmax(-1)
        # 0 * -inf is NaN
        finite = log_policy.clamp(min=-1e4) if self.masked else log_policy
        return log_policy.gather(-1, actions[..., None]).squeeze(-1), -(log_policy.exp() * finite).sum(-1)


class Gaussian(NamedTuple):
    """A distribution over vectors whose parts are independent normal numbers."""

    mean: Tensor
    """[..., d]"""
    log_std: Tensor
    """[d]"""

    @staticmethod
    def noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """What ``sample`` needs, [*shape, d]: standard normal numbers."""
        return torch.empty(*shape).normal_(generator=generator)

    def sample(self, noise: Tensor) -> Tensor:
        """[..., d]; environments clip it, the density is that of what was drawn."""
        return self.mean + self.log_std.exp() * noise

    def mode(self) -> Tensor:
        return self.mean

    def at(self, index: Any) -> "Gaussian":
        """Some of them."""
        return Gaussian(self.mean[index], self.log_std)

    def log_prob_and_entropy(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """[...] each: log-densities of actions [..., d], and the entropy in nats."""
        scaled = (actions - self.mean) * (-self.log_std).exp()
        log_prob = (-0.5 * scaled * scaled - self.log_std - _HALF_LOG_2PI).sum(-1)
        return log_prob, (self.log_std + 0.5 + _HALF_LOG_2PI).sum().expand(log_prob.shape)


Distribution = Categorical | Gaussian


class Outlook(NamedTuple):
    """What a network says of observations."""

    policy: Distribution
    values: Tensor


class ActorCritic(nn.Module):
    """See the module.

    Args:
        kind, shape, size: of observations, as for ``Torso``.
        num_actions: A, or 0 where actions are vectors of ``action_size`` parts.
        hidden: units of the torso's layers.
        shared: whether policy and value have torso and cell in common.
        cell: what remembers, with ``units`` numbers (an LSTM's state has as many again).
        log_std: of vector actions, at first.
        activation: after each layer.
    """

    def __init__(
        self,
        kind: Kind,
        shape: Sequence[int],
        size: int,
        num_actions: int,
        action_size: int,
        hidden: Sequence[int],
        *,
        shared: bool = False,
        cell: Cell = "none",
        units: int = 64,
        log_std: float = 0.0,
        activation: type[nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        self.cell, self.units, self.ndim = cell, units, len(shape)
        count = 1 if shared else 2
        torsos = [Torso(kind, shape, size, hidden, activation=activation) for _ in range(count)]
        for module in (module for torso in torsos for module in torso.modules()):
            if isinstance(module, nn.Linear | nn.Conv2d):
                orthogonal(module, math.sqrt(2.0))
        self.torsos = nn.ModuleList(torsos)
        features = torsos[0].features
        self.cells = nn.ModuleList()
        if cell != "none":
            self.cells.extend(make_cell(cell, features, units) for _ in range(count))
        width = units if cell != "none" else features
        self.policy_head = orthogonal(nn.Linear(width, num_actions or action_size), 0.01)
        self.value_head = orthogonal(nn.Linear(width, 1), 1.0)
        self.log_std = None if num_actions else nn.Parameter(torch.full((action_size,), log_std))

    @property
    def memory_size(self) -> int:
        """Numbers an environment that are remembered: of all cells, hidden and cell states."""
        return len(self.cells) * self.units * (2 if self.cell == "lstm" else 1)

    def noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """What policies of this ``shape`` need to draw actions."""
        kind = Categorical if self.log_std is None else Gaussian
        return kind.noise((*shape, self.policy_head.out_features), generator)

    def act(
        self, observations: Tensor, masks: Tensor | None, memory: Tensor | None = None
    ) -> tuple[Distribution, Tensor | None]:
        """The policy of one step: observations [n, *shape], masks [n, A], memory [n, memory_size], zero at a start."""
        if memory is None:
            return self._policy(self.policy_head(self.torsos[0](observations)), masks), None
        parts = [self._features(i, observations[None], None, memory) for i in range(len(self.cells))]
        return self._policy(self.policy_head(parts[0][0][0]), masks), torch.cat([state for _, state in parts], 1)

    def forward(
        self, observations: Tensor, masks: Tensor | None, starts: Tensor | None = None, memory: Tensor | None = None
    ) -> Outlook:
        """Policy and values of T steps; without a memory, of observations of any number of leading dimensions.

        Args:
            observations: [T, n, *shape]; masks: [T, n, A] or none.
            starts: [T, n] bool: whether an episode begins with the observation.
            memory: [n, memory_size]: before the first of them.
        """
        features = self._features(0, observations, starts, memory)[0]
        policy = self._policy(self.policy_head(features), masks)
        if len(self.torsos) > 1:
            features = self._features(1, observations, starts, memory)[0]
        values: Tensor = self.value_head(features).squeeze(-1)
        return Outlook(policy, values)

    def policies(
        self, observations: Tensor, masks: Tensor | None, starts: Tensor | None = None, memory: Tensor | None = None
    ) -> Distribution:
        """As ``forward``, without values."""
        return self._policy(self.policy_head(self._features(0, observations, starts, memory)[0]), masks)

    def values(self, observations: Tensor, starts: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """As ``forward``, without policies."""
        values: Tensor = self.value_head(self._features(len(self.torsos) - 1, observations, starts, memory)[0])
        return values.squeeze(-1)

    def _see(self, torso: nn.Module, observations: Tensor) -> Tensor:
        """Features [..., F] of observations [..., *shape]."""
        before = observations.shape[: observations.ndim - self.ndim]
        plain = self.ndim < 2 or len(before) == 1
        features: Tensor = torso(observations if plain else observations.flatten(0, len(before) - 1))
        return features if plain else features.view(*before, -1)

    def _policy(self, out: Tensor, masks: Tensor | None) -> Distribution:
        if self.log_std is not None:
            return Gaussian(out, self.log_std)
        return Categorical(out if masks is None else out.masked_fill(~masks, -torch.inf), masks is not None)

    def _features(
        self, i: int, observations: Tensor, starts: Tensor | None, memory: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What torso i, and its cell, make of observations, and that cell's state after them."""
        inputs = self._see(self.torsos[i], observations)
        if memory is None:
            return inputs, inputs
        return through_time(self.cells[i], inputs, starts, memory.chunk(len(self.cells), 1)[i])


class NumPyPolicy:
    """A network's policy in NumPy, with the same weights also when they change: for the few observations of a step, a
    call into torch takes longer than the sums.

    Raises:
        ValueError: the network is no `ActorCritic`, is not on the CPU, remembers, or has other layers than fully
            connected ones.
    """

    def __init__(self, network: nn.Module) -> None:
        if not isinstance(network, ActorCritic):
            raise ValueError("such a network has no policy in NumPy")
        torso: Any = network.torsos[0]
        layers: list[Any] = [*torso.layers, network.policy_head]
        on_cpu = all(parameter.device.type == "cpu" for parameter in network.parameters())
        if not on_cpu or network.cells or torso.kind != "vector" or len(torso.layers) % 2:
            raise ValueError("such a network has no policy in NumPy")
        self._layers = [(layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in layers[::2]]
        self._tanh = any(isinstance(layer, nn.Tanh) for layer in layers)
        self._log_std = None if network.log_std is None else network.log_std.detach().numpy()

    def __call__(self, observations: Array, masks: Array | None, noise: Array | None) -> Array:
        """Actions, the best ones without noise: as ``mode`` and ``sample`` of the network's policy.

        Args:
            observations: [n, d] float32; masks: [n, A] bool or none; noise: [n, A], or [n, d] for vectors.
        """
        out = observations
        last = len(self._layers) - 1
        for i, (weight, bias) in enumerate(self._layers):
            out = out @ weight
            out += bias
            if i < last:
                np.tanh(out, out=out) if self._tanh else np.maximum(out, 0.0, out=out)
        if self._log_std is not None:
            return out if noise is None else out + np.exp(self._log_std) * noise
        if noise is not None:
            out += noise
        if masks is not None:
            out[~masks] = -np.inf
        actions: Array = out.argmax(1)
        return actions


def make_cell(kind: Literal["rnn", "lstm", "gru"], features: int, units: int) -> nn.RNNBase:
    """Orthogonal weights of each gate, no biases but of an LSTM's forget gate: 1 (Jozefowicz et al. 2015). An "rnn" has
    ReLU."""
    cell: nn.RNNBase
    if kind == "rnn":
        cell = nn.RNN(features, units, nonlinearity="relu")
    else:
        cell = nn.LSTM(features, units) if kind == "lstm" else nn.GRU(features, units)
    for name, parameter in cell.named_parameters():
        if "weight" in name:
            for gate in parameter.detach().view(-1, units, parameter.shape[1]):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
    if isinstance(cell, nn.LSTM):
        cell.get_parameter("bias_ih_l0").data[units : 2 * units] = 1.0
    return cell


def through_time(cell: nn.Module, inputs: Tensor, starts: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
    """What a cell makes of T steps, [T, n, U], and its state after them.

    Args:
        inputs: [T, n, F].
        starts: [T, n] bool: where an episode begins with the step, and nothing is remembered; none = nowhere.
        state: [n, U] before the first step; an LSTM's, [n, 2 U], is its hidden and its cell state.
    """
    several = isinstance(cell, nn.LSTM)
    # it runs at once over steps in which no episode begins
    borders = [0] if starts is None else [0, *(starts[1:].any(1).nonzero().flatten() + 1).tolist()]
    outs = []
    for first, end in zip(borders, [*borders[1:], len(inputs)], strict=True):
        if starts is not None:
            state = state.masked_fill(starts[first][:, None], 0.0)
        parts = tuple(part.contiguous()[None] for part in state.chunk(2 if several else 1, 1))
        out, after = cell(inputs[first:end], parts if several else parts[0])
        state = torch.cat(after, 2)[0] if several else after[0]
        outs.append(out)
    return torch.cat(outs), state
