"""Networks of policy gradients: a policy and a value from observations, with a memory or without.

    observations [T, n, *shape] -> torso -> (memory cell) -> policy head -> logits [T, n, A], or means [T, n, d]
                                -> torso -> (memory cell) -> value head  -> values [T, n]

Torso and cell are shared by both heads or not. T is time, n the environments. A cell's state goes on from step to step
and is zero where an episode begins.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from rlcore.torsos import Kind, Torso, orthogonal

__all__ = ["ActorCritic", "Categorical", "Cell", "Distribution", "Gaussian", "Outlook"]

Cell = Literal["none", "lstm", "gru"]
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Categorical(NamedTuple):
    """A distribution over numbered actions."""

    log_policy: Tensor
    """[..., A] log-probabilities; -inf where an action is forbidden."""

    @classmethod
    def of(cls, logits: Tensor, masks: Tensor | None) -> "Categorical":
        """From logits [..., A] and what is allowed, [..., A] bool."""
        return cls((logits if masks is None else logits.masked_fill(~masks, -torch.inf)).log_softmax(-1))

    def sample(self, generator: torch.Generator) -> Tensor:
        """[...] int64: by the Gumbel-max trick, which needs no sums."""
        noise = torch.empty_like(self.log_policy).exponential_(generator=generator)
        return (self.log_policy - noise.log_()).argmax(-1)

    def mode(self) -> Tensor:
        return self.log_policy.argmax(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """[...], of actions [...] int64."""
        return self.log_policy.gather(-1, actions[..., None]).squeeze(-1)

    def entropy(self) -> Tensor:
        """[...], in nats."""
        policy = self.log_policy.exp()
        return -(policy * self.log_policy.clamp(min=-1e4)).sum(-1)  # 0 * -inf is NaN


class Gaussian(NamedTuple):
    """A distribution over vectors whose parts are independent normal numbers."""

    mean: Tensor
    """[..., d]"""
    log_std: Tensor
    """[d]"""

    def sample(self, generator: torch.Generator) -> Tensor:
        """[..., d]; environments clip it, the density is that of what was drawn."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        return self.mean + self.log_std.exp() * noise

    def mode(self) -> Tensor:
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        scaled = (actions - self.mean) * (-self.log_std).exp()
        return (-0.5 * scaled * scaled - self.log_std - _HALF_LOG_2PI).sum(-1)

    def entropy(self) -> Tensor:
        return (self.log_std + 0.5 + _HALF_LOG_2PI).sum().expand(self.mean.shape[:-1])


Distribution = Categorical | Gaussian


class Outlook(NamedTuple):
    """What a network says of observations."""

    policy: Distribution
    values: Tensor
    memory: Tensor | None
    """[n, units]: after the last step."""


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
        self.num_actions, self.shared, self.cell, self.units = num_actions, shared, cell, units
        count = 1 if shared else 2
        torsos = [Torso(kind, shape, size, hidden, activation=activation) for _ in range(count)]
        for layer in (module for torso in torsos for module in torso.modules() if isinstance(module, nn.Linear)):
            orthogonal(layer, math.sqrt(2.0))
        self.torsos = nn.ModuleList(torsos)
        features = torsos[0].features
        self.cells = nn.ModuleList(_cell(cell, features, units) for _ in range(count if cell != "none" else 0))
        width = units if cell != "none" else features
        self.policy_head = orthogonal(nn.Linear(width, num_actions or action_size), 0.01)
        self.value_head = orthogonal(nn.Linear(width, 1), 1.0)
        self.log_std = None if num_actions else nn.Parameter(torch.full((action_size,), log_std))

    @property
    def memory_size(self) -> int:
        """Numbers an environment that are remembered: of all cells, hidden and cell states."""
        return len(self.cells) * self.units * (2 if self.cell == "lstm" else 1)

    def act(
        self, observations: Tensor, masks: Tensor | None, memory: Tensor | None
    ) -> tuple[Distribution, Tensor | None]:
        """The policy of one step: observations [n, *shape], masks [n, A], memory [n, memory_size], zero at a start."""
        if memory is None:
            return self._policy(self.policy_head(self.torsos[0](observations)), masks), None
        starts = torch.zeros(1, len(observations), dtype=torch.bool, device=observations.device)
        features, memory = self._remember(observations[None], starts, memory)
        return self._policy(self.policy_head(features[0][0]), masks), memory

    def forward(
        self, observations: Tensor, masks: Tensor | None, starts: Tensor | None = None, memory: Tensor | None = None
    ) -> Outlook:
        """Policy and values of T steps.

        Args:
            observations: [T, n, *shape]; masks: [T, n, A] or none. Without a memory, T and n may be any two numbers.
            starts: [T, n] bool: whether an episode begins with the observation.
            memory: [n, memory_size]: before the first of them.
        """
        if memory is None:
            flat = observations.flatten(0, 1)
            features = [torso(flat).unflatten(0, observations.shape[:2]) for torso in self.torsos]
        else:
            assert starts is not None
            features, memory = self._remember(observations, starts, memory)
        values: Tensor = self.value_head(features[-1]).squeeze(-1)
        return Outlook(self._policy(self.policy_head(features[0]), masks), values, memory)

    def _policy(self, out: Tensor, masks: Tensor | None) -> Distribution:
        return Categorical.of(out, masks) if self.log_std is None else Gaussian(out, self.log_std)

    def _remember(self, observations: Tensor, starts: Tensor, memory: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features [T, n, units] of each cell, and the memory after them."""
        steps, flat = observations.shape[0], observations.flatten(0, 1)
        found, states = [], []
        keep = (~starts).float()[..., None]  # [T, n, 1]
        for torso, cell, state in zip(self.torsos, self.cells, memory.chunk(len(self.cells), 1), strict=True):
            inputs = torso(flat).unflatten(0, observations.shape[:2])
            outs = []
            for t in range(steps):
                state = state * keep[t]
                if self.cell == "lstm":
                    state = torch.cat(cell(inputs[t], tuple(state.chunk(2, 1))), 1)
                else:
                    state = cell(inputs[t], state)
                outs.append(state[:, : self.units])
            found.append(torch.stack(outs))
            states.append(state)
        return found, torch.cat(states, 1)


def _cell(kind: Cell, features: int, units: int) -> nn.Module:
    cell = nn.LSTMCell(features, units) if kind == "lstm" else nn.GRUCell(features, units)
    for name, parameter in cell.named_parameters():
        nn.init.orthogonal_(parameter) if "weight" in name else nn.init.zeros_(parameter)
    return cell
