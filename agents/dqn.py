"""Deep Q-learning with experience replay: DQN (Mnih et al. 2015), and Rainbow's parts (Hessel et al. 2018) as settings.

The network tells of each action what it will have returned; the best is taken, or with probability epsilon any other.
What happened goes to the replay, and random batches of it train the network towards

    r_1 + gamma r_2 + ... + gamma^n max_a Q'(s_n, a)        Q' the target network, an older copy

Differences from the papers: (1) Adam and the Huber loss instead of RMSProp with clipped errors; (2) rewards are not
clipped; (3) many environments act side by side, and phases of acting and learning alternate; (4) dueling streams part
at the last layer; (5) the first fully connected layer of a network without convolutions carries no noise; (6) a time
limit is no end: the target bootstraps from the observation that the episode was broken off at (Pardo et al. 2018).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.agent import Agent, Generators, Memory, NonFiniteError, Saved, seed_for
from agents.settings import DQN
from agents.spaces import Spec
from rlcore.config import ConfigError
from rlcore.flat import Flat
from rlcore.jit import Array
from rlcore.optimizers import Adam
from rlcore.replay import Batch, Replay
from rlcore.schedules import linear
from rlcore.torsos import NoisyLinear, Torso

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["DQNAgent", "QNetwork", "project"]

_LONGEST = 10_000  # steps that a random action is repeated, as in Dabney et al. 2021


class QNetwork(nn.Module):
    """Observations to values [B, A], or to log-probabilities of returns [B, A, atoms]."""

    def __init__(self, spec: Spec, config: DQN) -> None:
        super().__init__()
        self.noisy: list[NoisyLinear] = []
        self.actions, self.atoms = spec.num_actions, config.atoms if config.distributional else 1
        self.distributional = config.distributional

        def layer(features_in: int, features_out: int) -> nn.Module:
            if not config.noisy:
                return nn.Linear(features_in, features_out)
            self.noisy.append(NoisyLinear(features_in, features_out, config.noisy_sigma))
            return self.noisy[-1]

        shape = (config.frames, *spec.shape) if spec.kind == "pixels" else spec.shape
        self.torso = Torso(spec.kind, shape, spec.size, config.hidden, layer)
        self.advantage = layer(self.torso.features, self.actions * self.atoms)
        self.value = layer(self.torso.features, self.atoms) if config.dueling else None

    def forward(self, x: Tensor) -> Tensor:
        features = self.torso(x)
        out: Tensor = self.advantage(features)
        if self.distributional:
            out = out.view(-1, self.actions, self.atoms)
        if self.value is not None:  # Wang et al. 2016, eq. 9
            value = self.value(features)
            out = out - out.mean(1, keepdim=True) + (value[:, None] if self.distributional else value)
        return out.log_softmax(2) if self.distributional else out

    def draw_noise(self, generator: torch.Generator) -> None:
        for layer in self.noisy:
            layer.draw(generator)


def project(probabilities: Tensor, returns: Tensor, discounts: Tensor, support: Tensor) -> Tensor:
    """The distribution of returns + discounts * z on the support (Bellemare et al. 2017, algorithm 1), [B, atoms].

    Args:
        probabilities: [B, atoms], of each z in ``support`` ([atoms], evenly spaced).
        returns, discounts: [B].
    """
    low, high = support[0], support[-1]
    place = (returns[:, None] + discounts[:, None] * support).clamp(low, high)
    place = (place - low) / (support[1] - support[0])
    # each atom's share goes to both neighbours of its place, the more the nearer: a triangle of width 1
    near = (1.0 - (place[:, None, :] - torch.arange(len(support), device=place.device)[None, :, None]).abs()).clamp(
        min=0
    )
    return (near * probabilities[:, None, :]).sum(2)


def _of(out: Tensor, actions: Tensor) -> Tensor:
    """What is told of these actions [B], of values [B, A] or distributions [B, A, atoms]; gather is faster than []."""
    place = actions[:, None] if out.dim() == 2 else actions[:, None, None].expand(-1, 1, out.shape[2])
    return out.gather(1, place).squeeze(1)


class DQNAgent(Agent):
    """See the module; needs numbered actions."""

    Config: ClassVar[type[DQN]] = DQN
    config: DQN

    def __init__(self, spec: Spec, config: DQN, seed: int) -> None:
        super().__init__(spec, config, seed)
        if spec.num_actions < 1:
            raise ConfigError(f"{config.env} has no numbered actions, which dqn needs")
        if config.frames > 1 and spec.kind != "pixels":
            raise ConfigError(f"frames = {config.frames} is for pixels, and {config.env} shows none")
        self.device = torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "network"))
            self.online = QNetwork(spec, config).to(self.device)
            self.target = QNetwork(spec, config).to(self.device).requires_grad_(False)
        self.target.load_state_dict(self.online.state_dict())
        self.parameters, self.copies = Flat(self.online.parameters()), Flat(self.target.parameters())
        self.optimizer = Adam(self.parameters)
        self.support = torch.linspace(config.value_least, config.value_most, config.atoms, device=self.device)
        self.random = Generators(seed, "exploration")
        self.noise = torch.Generator().manual_seed(seed_for(seed, "noise"))
        self.replay: Replay | None = None
        self.replay_seed = seed_for(seed, "replay")
        self.due = 0.0  # gradient steps
        self._held: Array | None = None  # [2, n]: random actions that are repeated, and for how many steps yet
        self._memory: Memory = None
        self._losses = torch.zeros((), device=self.device)
        self._since = 0

    # --- acting ------------------------------------------------------------------------------------------------------

    def begin(self, num: int) -> Memory:
        """The latest frames [n, S, *shape], where several are seen together, and which rows begin with the next."""
        if self.config.frames == 1:
            return None
        frames = np.zeros((num, self.config.frames, *self.spec.shape), self.spec.dtype)
        return frames, np.ones(num, np.bool_)

    def forget(self, memory: Memory, ended: Array) -> None:
        if memory is not None:
            memory[1][ended] = True

    def act(
        self, observations: Array, masks: Array | None, memory: Memory = None, greedy: bool = True
    ) -> tuple[Array, Memory]:
        if memory is not None:
            frames, fresh = memory
            frames[:, :-1] = frames[:, 1:]
            frames[:, -1] = observations
            frames[fresh] = observations[fresh, None]
            fresh[:] = False
            observations = frames
        if self.config.noisy:
            self.online.train(not greedy)
            self.online.draw_noise(self.noise) if not greedy else None
        with torch.inference_mode():
            values = self.values(self.online(self._tensor(observations)))
            if masks is not None:
                values = values.masked_fill(~self._tensor(masks), -torch.inf)
            actions: Array = values.argmax(1).cpu().numpy()
        if not greedy and not self.config.noisy:
            actions = self._explore(actions, masks)
        return actions, memory

    def _explore(self, actions: Array, masks: Array | None) -> Array:
        """Some of them replaced by any that may be chosen, for a step or, if ``random_repeats``, for several."""
        random = self.random["exploration"]
        anything = random.random(len(actions)) < self.epsilon
        if masks is None:
            others = random.integers(self.spec.num_actions, size=len(actions))
        else:
            others = (random.random(masks.shape) * masks).argmax(1)
        if not self.config.random_repeats:
            return np.where(anything, others, actions)
        if self._held is None:
            self._held = np.zeros((2, len(actions)), np.int64)
        held, steps = self._held
        if masks is not None:
            steps[~masks[np.arange(len(held)), held]] = 0
        begin = anything & (steps == 0)
        held[begin] = others[begin]
        steps[begin] = np.minimum(random.zipf(self.config.random_repeats, len(held)), _LONGEST)[begin]
        actions = np.where(steps > 0, held, actions)
        np.maximum(steps - 1, 0, out=steps)
        return actions

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        c = self.config
        return linear(self.steps, c.epsilon_start, c.epsilon_final, int(c.epsilon_share * c.steps))

    @property
    def learning_rate(self) -> float:
        """Now."""
        c = self.config
        return linear(self.steps, c.learning_rate, c.learning_rate_final, c.steps)

    def values(self, out: Tensor) -> Tensor:
        """The network's values [B, A]; of distributions, their means."""
        return (out.exp() * self.support).sum(2) if self.config.distributional else out

    # --- learning ----------------------------------------------------------------------------------------------------

    def advance(self, envs: "Environments") -> None:
        if self.replay is None:
            self.replay = self._make_replay(envs)
            self.replay.begin(envs.observations, envs.masks)
            self._memory = self.begin(envs.num)
        before = self.steps
        while self.steps < min(before + self.config.train_every, self.config.steps):
            actions, self._memory = self.act(envs.observations, envs.masks, self._memory, greedy=False)
            step = envs.step(actions)
            self.forget(self._memory, step.fresh)
            if self._held is not None:
                self._held[1, step.fresh] = 0
            self.replay.add(actions, step, envs.observations, envs.masks)
            self.stepped(step)
        if self.steps >= self.config.learning_starts and len(self.replay) > 0:
            self.due += (self.steps - before) * self.config.updates_per_step
            self._learn(int(self.due))
            self.due -= int(self.due)

    def _make_replay(self, envs: "Environments") -> Replay:
        c = self.config
        return Replay(
            c.replay_size,
            envs.num,
            self.spec.shape,
            self.spec.dtype,
            num_actions=self.spec.num_actions if envs.masks is not None else 0,
            stack=c.frames,
            gamma=c.gamma,
            n_step=c.n_step,
            seed=self.replay_seed,
            alpha=c.priority_exponent if c.prioritised else 0.0,
        )

    def _learn(self, steps: int) -> None:
        """So many gradient steps."""
        assert self.replay is not None
        c = self.config
        rate = self.learning_rate
        beta = linear(self.steps, c.priority_correction, 1.0, c.steps)
        self.online.train()
        for _ in range(steps):
            batch = self.replay.sample(c.batch_size, beta)
            losses = self.losses(batch)
            loss = (losses * self._tensor(batch.weights)).mean() if c.prioritised else losses.mean()
            self.parameters.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.parameters.clip_grad(c.max_gradient_norm)
            self.optimizer.step(rate)
            if c.prioritised:
                self._prioritise(batch, losses.detach().cpu().numpy())
            self._losses += loss.detach()
            self.updates += 1
            if self.updates % c.target_every == 0:
                self.copies.vector.copy_(self.parameters.vector)
        self._since += steps
        if not (torch.isfinite(self._losses) and torch.isfinite(self.parameters.vector.sum())):
            self._refuse()

    def _prioritise(self, batch: Batch, losses: Array) -> None:
        """Transitions go by the error that the loss came from: of Huber's the difference, else the cross-entropy."""
        assert self.replay is not None
        if not np.isfinite(losses).all():
            self._refuse()
        errors = losses if self.config.distributional else np.where(losses < 0.5, np.sqrt(2 * losses), losses + 0.5)
        self.replay.update(batch.indices, errors)

    def losses(self, batch: Batch) -> Tensor:
        """What each transition of a batch costs, [B]: Huber's loss, or cross-entropy for distributions."""
        if self.config.noisy:
            self.online.draw_noise(self.noise)
            self.target.draw_noise(self.noise)
        returns, discounts = self._tensor(batch.returns), self._tensor(batch.discounts)
        with torch.no_grad():
            after = self._tensor(batch.next_observations)
            out = self.target(after)
            chooser = self.values(self.online(after) if self.config.double else out)
            if batch.next_masks.shape[1] > 1:  # else nothing is ever masked
                chooser = chooser.masked_fill(~self._tensor(batch.next_masks), -torch.inf)
            ahead = _of(out, chooser.argmax(1))
            if self.config.distributional:
                goal = project(ahead.exp(), returns, discounts, self.support)
            else:
                goal = torch.addcmul(returns, discounts, ahead)
        told = _of(self.online(self._tensor(batch.observations)), self._tensor(batch.actions))
        if self.config.distributional:
            return -(goal * told).sum(1)
        return functional.smooth_l1_loss(told, goal, reduction="none")

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _refuse(self) -> None:
        """Raise NonFiniteError with the name of what went wrong first."""
        bad = [name for name, value in self.online.named_parameters() if not torch.isfinite(value).all()]
        raise NonFiniteError(
            f"NaN or infinity in {bad[0] if bad else 'the loss'} by gradient step {self.updates:,} (environment step "
            f"{self.steps:,}); lower learning_rate; the last checkpoint is from before"
        )

    def figures(self) -> dict[str, float]:
        found = {
            "epsilon": 0.0 if self.config.noisy else self.epsilon,
            "learning_rate": self.learning_rate,
        }
        if self._since:
            found["loss"] = float(self._losses) / self._since
            self._losses.zero_()
            self._since = 0
        if self.replay is not None:
            found["replay"] = len(self.replay)
        return found

    # --- keeping -----------------------------------------------------------------------------------------------------

    def weights(self) -> dict[str, Any]:
        return {name: value.detach().cpu().clone() for name, value in self.online.state_dict().items()}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        self.online.load_state_dict(dict(weights))

    def save(self) -> Saved:
        tensors, state = super().save()
        tensors["target"] = dict(self.target.state_dict())
        tensors["optimizer"] = self.optimizer.save()
        tensors["noise"] = {"state": self.noise.get_state()}
        state |= {"random": self.random.save(), "due": self.due, "since": self._since}
        tensors["losses"] = {"sum": self._losses}
        if self.replay is not None:
            tensors["replay"], state["replay"] = self.replay.save()
            if self._held is not None:
                tensors["held"] = {"held": self._held}
            if self._memory is not None:
                tensors["memory"] = dict(zip(("frames", "fresh"), self._memory, strict=True))
        return Saved(tensors, state)

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        tensors, state = saved
        self.target.load_state_dict(tensors["target"])
        self.optimizer.restore(tensors["optimizer"])
        self.noise.set_state(tensors["noise"]["state"])
        self.random.restore(state["random"])
        self.due, self._since = float(state["due"]), int(state["since"])
        self._losses = tensors["losses"]["sum"].to(self.device)
        if "replay" not in state:
            return
        self.replay = self._make_replay(envs)
        self.replay.restore({name: value.numpy() for name, value in tensors["replay"].items()}, state["replay"])
        if "held" in tensors:
            self._held = tensors["held"]["held"].numpy()
            self._held[1, restarted] = 0
        if "memory" in tensors:
            self._memory = tensors["memory"]["frames"].numpy(), tensors["memory"]["fresh"].numpy()
        if restarted:
            which = np.array(restarted)
            self.replay.cut(which, envs.observations, envs.masks)
            self.forget(self._memory, which)
