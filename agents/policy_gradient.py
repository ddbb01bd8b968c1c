"""What all agents that learn a policy by its gradient share: the network, acting, a step downhill, and keeping it all.

A policy is a distribution over numbered actions, or independent normal numbers for actions that are vectors: from -1 to
1 for what is allowed, and as they are where there are no bounds. What lies outside is clipped by the environment;
learning goes by what was drawn.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.agent import Agent, Memory, NonFiniteError, Saved, seed_for
from agents.settings import PolicyGradient
from agents.spaces import Spec
from rlcore.flat import Flat
from rlcore.jit import Array
from rlcore.normalise import ObservationNormaliser, RewardNormaliser
from rlcore.optimizers import Optimizer
from rlcore.policies import ActorCritic, NumPyPolicy
from rlcore.schedules import linear

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["Descent", "PolicyGradientAgent", "normalised"]

_FEW = 128  # observations: more of them are faster in torch
_OBSERVED = "observed."  # before the names of the statistics, among the weights


def normalised(advantages: Tensor) -> Tensor:
    """Advantages less their mean, by their deviation (of the population); one alone stays as it is."""
    if advantages.numel() < 2:
        return advantages
    deviation, mean = torch.std_mean(advantages, correction=0)
    return (advantages - mean) / (deviation + 1e-8)


class Descent:
    """An optimizer over parameters that lie in one piece of memory.

    Args:
        name: for errors.
        parameters: whose gradients are kept in place from now on.
        make: the optimizer of the parameters as one vector.
    """

    def __init__(
        self, name: str, parameters: Iterable[tuple[str, nn.Parameter]], make: Callable[[Flat], Optimizer]
    ) -> None:
        self.name, self.parameters = name, dict(parameters)
        self.flat = Flat(self.parameters.values())
        self.optimizer = make(self.flat)

    def step(self, loss: Tensor, learning_rate: float, most: float) -> float:
        """Once downhill, along a gradient no longer than ``most`` (0 = any); tells how long it was.

        Raises:
            FloatingPointError: with the name of what is NaN or infinite; nothing has changed then.
        """
        self.flat.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        length = float(torch.linalg.vector_norm(self.flat.gradient))
        if not length < float("inf"):
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the {self.name} loss")
            raise FloatingPointError(f"the gradient of {self._first_bad('grad')}")
        if 0 < most < length:
            self.flat.gradient.mul_(most / length)
        self.optimizer.step(learning_rate)
        return length

    def check(self) -> None:
        """Raises FloatingPointError where a parameter is NaN or infinite."""
        if not torch.isfinite(self.flat.vector.sum()):
            raise FloatingPointError(self._first_bad("data"))

    def _first_bad(self, part: str) -> str:
        for name, parameter in self.parameters.items():
            if not torch.isfinite(getattr(parameter, part)).all():
                return name
        return "all parameters together"


class PolicyGradientAgent(Agent):
    """See the module."""

    config: PolicyGradient

    def __init__(self, spec: Spec, config: PolicyGradient, seed: int) -> None:
        super().__init__(spec, config, seed)
        self.device = torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "network"))
            network = self.make_network()
        self.network = network.to(self.device)
        self.noise = torch.Generator().manual_seed(seed_for(seed, "actions"))
        self.scoring = torch.Generator().manual_seed(seed_for(seed, "actions to be scored by"))
        self.observed: ObservationNormaliser | None = None
        if config.normalise_observations and spec.kind == "vector":
            self.observed = ObservationNormaliser(spec.shape)
        self.rewarded: RewardNormaliser | None = None
        self._memory: Memory = None
        bounded = np.isfinite(spec.low) & np.isfinite(spec.high)
        low, high = np.where(bounded, spec.low, -1.0), np.where(bounded, spec.high, 1.0)
        self._middle, self._half = ((high + low) / 2).astype(np.float32), ((high - low) / 2).astype(np.float32)

    def make_network(self) -> Any:
        """Policy and value, with random weights, as ``ActorCritic`` has them."""
        spec, config = self.spec, self.config
        return ActorCritic(
            spec.kind, spec.shape, spec.size, spec.num_actions, len(spec.low), config.hidden,
            shared=getattr(config, "shared", False), cell=config.cell, units=config.units, log_std=config.log_std,
            activation=nn.Tanh if config.activation == "tanh" else nn.ReLU,
        )  # fmt: skip

    # --- acting ------------------------------------------------------------------------------------------------------

    def begin(self, num: int) -> Memory:
        """[num, M] float32, zero; None without a memory."""
        size = self.network.memory_size
        return np.zeros((num, size), np.float32) if size else None

    def forget(self, memory: Memory, ended: Array) -> None:
        if memory is not None:
            memory[ended] = 0.0

    def act(
        self, observations: Array, masks: Array | None, memory: Memory = None, greedy: bool = True
    ) -> tuple[Array, Memory]:
        noise = None
        if not greedy or self.config.scored_as_drawn:
            noise = self.network.noise([len(observations)], self.scoring if greedy else self.noise).to(self.device)
        actions, memory = self.choose(self.see(observations), masks, memory, noise)
        return self.taken(actions), memory

    def see(self, observations: Array) -> Array:
        """Observations as the network takes them."""
        return observations if self.observed is None else self.observed(observations)

    def choose(
        self, observations: Array, masks: Array | None, memory: Memory, noise: Tensor | None
    ) -> tuple[Array, Memory]:
        """Actions [n] as drawn, the best ones without noise, at what ``see`` gave."""
        if self._numpy is not None and len(observations) <= _FEW:
            return self._numpy(observations, masks, None if noise is None else noise.numpy()), memory
        with torch.inference_mode():
            policy, state = self.network.act(
                self.tensor(observations),
                None if masks is None else self.tensor(masks),
                None if memory is None else self.tensor(memory),
            )
            actions = policy.mode() if noise is None else policy.sample(noise)
            return actions.cpu().numpy(), None if state is None else state.cpu().numpy()

    @functools.cached_property
    def _numpy(self) -> NumPyPolicy | None:
        try:
            return NumPyPolicy(self.network)
        except ValueError:
            return None

    def taken(self, actions: Array) -> Array:
        """Actions as the environment takes them."""
        return actions if self.spec.num_actions else actions * self._half + self._middle

    def tensor(self, array: Array) -> Tensor:
        """The same on the device; on a CPU, the same memory."""
        found = torch.from_numpy(array)
        return found if self.device.type == "cpu" else found.to(self.device)

    # --- learning ----------------------------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """Now."""
        c = self.config
        return linear(self.steps, c.learning_rate, c.learning_rate_final, c.steps)

    def refuse(self, what: str) -> NonFiniteError:
        """The error that says what is NaN or infinite."""
        return NonFiniteError(
            f"NaN or infinity in {what} at gradient step {self.updates:,} (environment step {self.steps:,}); lower "
            f"learning_rate; the last checkpoint is from before"
        )

    # --- keeping -----------------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, Any]:
        found = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        if self.observed is not None:
            found |= {_OBSERVED + name: torch.from_numpy(value) for name, value in self.observed.save().items()}
        return found

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        own = {name: value for name, value in weights.items() if not name.startswith(_OBSERVED)}
        self.network.load_state_dict(own)
        if self.observed is not None:
            self.observed.restore({name.removeprefix(_OBSERVED): np.asarray(weights[name]) for name in weights})

    def save(self) -> Saved:
        tensors, state = super().save()
        tensors["noise"] = {"state": self.noise.get_state(), "scoring": self.scoring.get_state()}
        if self.rewarded is not None:
            tensors["rewarded"] = self.rewarded.save()
        if self._memory is not None:
            tensors["memory"] = {"memory": self._memory.copy()}
        return Saved(tensors, state)

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        self.noise.set_state(saved.tensors["noise"]["state"])
        self.scoring.set_state(saved.tensors["noise"]["scoring"])
        which = np.array(restarted, np.int64)
        if "rewarded" in saved.tensors:
            self.rewarded = RewardNormaliser(envs.num, self.config.gamma)
            self.rewarded.restore(saved.tensors["rewarded"])
            self.rewarded.forget(which)
        if "memory" in saved.tensors:
            self._memory = np.asarray(saved.tensors["memory"]["memory"]).copy()
            self.forget(self._memory, which)
