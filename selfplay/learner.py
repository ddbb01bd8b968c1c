"""The learner: gradient steps on sampled positions, and the averaged weights that actors play with."""

import copy
import time
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlcore.game import Game
from rlcore.losses import policy_entropy, policy_loss, uniform_policy_loss, value_loss
from rlcore.networks import ResNet
from rlcore.planes import TorchUnpacker, as_images, plane_values, unpack_planes
from rlcore.schedules import learning_rate
from rlcore.tensors import flatten_optimizer, unflatten_optimizer
from selfplay.config import Config, LearnerConfig
from selfplay.parallel import Group, share_of
from selfplay.window import Samples, Window


class StepLosses(NamedTuple):
    """Means over one batch, in nats; in a group of learners, over this one's share."""

    policy_loss: float
    uniform_loss: float  # what the policy that knows only the rules would pay
    value_loss: float
    policy_entropy: float


class NonFiniteError(RuntimeError):
    """The loss became infinite or not a number; the last checkpoint is from before."""


def make_optimizer(network: ResNet, config: LearnerConfig) -> torch.optim.Optimizer:
    """The optimizer; weights decay, biases and batch norm's scales do not."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=config.learning_rate)


class Learner:
    """Trains a network on a window of games.

    ``network`` is trained; ``average`` is the running mean of its weights, which is published. The learner's random
    numbers come from ``generator`` alone.

    In a group of learners each takes its share of every batch, from a window made with ``share_of``, and draws by a
    generator of its own; all count the whole batch. Each loads the same checkpoint, or none.
    """

    def __init__(
        self, game: Game, config: Config, device: torch.device, low_precision: bool, group: Group | None = None
    ) -> None:
        """Make an untrained network; the seed decides its weights.

        Raises:
            MemoryError: it is too large.
            ConfigError: the batch cannot be shared out in the group.
            GroupError: another learner of the group has gone.
        """
        self.game, self.config, self.device, self.group = game, config, device, group
        self.layout = game.layout(config.history)
        self.network = self._new_network()
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = make_optimizer(self.network, config.learner)
        self.generator = self._new_generator()
        self.low_precision = low_precision
        self._unpack = TorchUnpacker(self.layout, device, torch.float32) if device.type != "cpu" else None
        self._plane_values = plane_values(self.layout)
        batch_size = config.learner.batch_size if group is None else share_of(config.learner, group.size).batch_size
        self._images = np.zeros((batch_size, self.layout.squares, self.layout.num_planes), np.float32)
        self.steps = 0
        self.samples = 0
        """Positions trained on so far, each as often as it was."""
        self.credit = 0.0
        """Positions that may still be trained on: each new one earns ``reuse`` of them, a step costs a batch."""
        self.seconds = 0.0
        """Time spent in gradient steps by this process."""
        self._agree()

    def _new_network(self) -> ResNet:
        """An untrained network; the seed decides its weights.

        Raises:
            MemoryError: it is too large.
        """
        game, config = self.game, self.config
        generator = torch.Generator().manual_seed(config.seed)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
                network = ResNet(config.network, self.layout.num_planes, game.BOARD, game.NUM_ACTIONS)
            placed: ResNet = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            raise MemoryError from error  # torch has none of its own
        return placed

    def _new_generator(self, *steps: int) -> np.random.Generator:
        """Where batches are drawn from: the seed's, and one of its own for each further learner of a group."""
        rank = 0 if self.group is None else self.group.rank
        return np.random.default_rng((self.config.seed, rank, *steps) if rank else self.config.seed)

    def _agree(self) -> None:
        """Begin with the same weights as all of the group."""
        if self.group is not None:
            self.group.broadcast([*self.network.state_dict().values(), *self.average.state_dict().values()])

    def earn(self, positions: int) -> None:
        """Note new positions; they pay for ``reuse`` uses each."""
        self.credit += positions * self.config.learner.reuse

    def steps_due(self) -> int:
        """How many gradient steps the positions made so far still pay for."""
        return int(self.credit / self.config.learner.batch_size)

    def train(self, window: Window, steps: int) -> StepLosses | None:
        """Take gradient steps; returns the means of their losses, None where there were none to take.

        Raises:
            NonFiniteError: a loss is not finite.
        """
        began = time.perf_counter()
        losses = [self._step(window.sample(self.generator)) for _ in range(steps)]
        self.seconds += time.perf_counter() - began
        return StepLosses(*np.mean(losses, axis=0).tolist()) if losses else None

    def _step(self, samples: Samples) -> StepLosses:
        rate = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        cast: Any = nullcontext()
        if self.low_precision:
            cast = torch.autocast(self.device.type, dtype=torch.bfloat16)
        with cast:
            logits, wdl_logits = self.network(self._planes(samples))
        longest = int(samples.batch.counts.max())
        legal = self._tensor(samples.batch.actions[:, :longest].astype(np.int64))
        counts = self._tensor(samples.batch.counts)
        policy = policy_loss(logits, legal, counts, self._tensor(samples.policy[:, :longest])).mean()
        value = value_loss(wdl_logits, self._tensor(samples.wdl)).mean()
        loss = policy + value
        if not torch.isfinite(loss):
            raise NonFiniteError(f"the loss is {float(loss.detach())} at step {self.steps}; try a lower learning rate")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.group is not None:
            gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
            statistics = [buffer for buffer in self.network.buffers() if buffer.dtype.is_floating_point]
            self.group.average(gradients + statistics)
        self.optimizer.step()
        self.steps += 1
        self.samples += self.config.learner.batch_size
        self.credit -= self.config.learner.batch_size
        self._update_average()
        with torch.no_grad():
            entropy = policy_entropy(logits, legal, counts).mean()
            uniform = uniform_policy_loss(counts).mean()
        return StepLosses(float(policy.detach()), float(uniform), float(value.detach()), float(entropy))

    def learning_rate(self) -> float:
        """The rate of the next step."""
        c = self.config.learner
        return learning_rate(self.steps, c.learning_rate, c.warmup_steps, c.decay_steps, c.decay_factor)

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, device=self.device)

    def _planes(self, samples: Samples) -> Tensor:
        """The network's input: made by a kernel on a CPU, unpacked from the words on a GPU."""
        words = samples.batch.words
        if self._unpack is not None:
            return self._unpack(self._tensor(words.view(np.int64)))
        unpack_planes(words, len(words), self.layout, self._plane_values, self._images)
        return torch.from_numpy(as_images(self._images, self.layout))

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the averaged weights a little towards the trained ones; quickly at first."""
        decay = min(self.config.learner.average, self.steps / (self.steps + 10.0))
        for mean, latest in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(latest, 1.0 - decay)
            else:
                mean.copy_(latest)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def save(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Tensors and JSON for ``rlcore.checkpoint``: weights, their average, optimizer, counters, generator."""
        optimizer, optimizer_state = flatten_optimizer(self.optimizer.state_dict())
        tensors = {
            "weights": dict(self.average.state_dict()),
            "trained": dict(self.network.state_dict()),
            "optimizer": optimizer,
        }
        counters = {"steps": self.steps, "samples": self.samples, "credit": self.credit}
        return tensors, {**counters, "generator": self.generator.bit_generator.state, **optimizer_state}

    def load(self, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
        """Undo ``save``."""
        self.average.load_state_dict(tensors["weights"])
        self.network.load_state_dict(tensors["trained"])
        self.optimizer.load_state_dict(unflatten_optimizer(tensors["optimizer"], state))
        self.optimizer.param_groups[0]["weight_decay"] = self.config.learner.weight_decay  # it may have been changed
        self.steps, self.samples, self.credit = int(state["steps"]), int(state["samples"]), float(state["credit"])
        self.generator.bit_generator.state = state["generator"]
        if self.group is not None and self.group.rank > 0:  # what was saved is that of rank 0
            self.generator = self._new_generator(self.steps)
        self._agree()
