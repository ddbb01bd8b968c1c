"""What A2C and PPO share: acting for some steps in all environments, then judging every step by the values."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.agent import Saved
from agents.policy_gradient import Descent, PolicyGradientAgent, normalised
from agents.rollouts import Final, Rollout, advantages
from agents.settings import A2C, PPO
from agents.spaces import Spec
from rlcore.flat import Flat
from rlcore.jit import Array
from rlcore.normalise import RewardNormaliser
from rlcore.optimizers import Optimizer

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["ActorCriticAgent", "Batch"]


class Batch(NamedTuple):
    """Steps to learn from: [B, ...] each; with a memory [T, n, ...]."""

    observations: Tensor
    masks: Tensor | None
    actions: Tensor
    log_probs: Tensor
    """Before the update."""
    values: Tensor
    """Likewise."""
    advantages: Tensor
    returns: Tensor
    """What the values are trained towards."""
    starts: Tensor | None = None
    """[T, n] with a memory."""
    memory: Tensor | None = None
    """[n, M] before the first step."""
    live: Tensor | None = None
    """[T, n] with a memory: steps that count; none = all."""

    def at(self, index: Any) -> "Batch":
        """Some of the steps."""
        return Batch(*(None if part is None else part[index] for part in self))  # type: ignore[arg-type]


class ActorCriticAgent(PolicyGradientAgent):
    """See the module."""

    config: A2C | PPO

    def __init__(self, spec: Spec, config: A2C | PPO, seed: int) -> None:
        super().__init__(spec, config, seed)
        self.descent = Descent("policy and value", self.network.named_parameters(), self.make_optimizer)
        self._rollout: Rollout | None = None
        self._batch: Batch | None = None

    def make_optimizer(self, parameters: Flat) -> Optimizer:
        raise NotImplementedError

    def learn(self, rollout: Rollout) -> Batch | None:
        """Update from these steps; tells what they were, where ``figures`` is to be drawn from them."""
        raise NotImplementedError

    def advance(self, envs: "Environments") -> None:
        rollout = self.collect(envs)
        try:
            self._batch = self.learn(rollout)
            self.descent.check()
        except FloatingPointError as error:
            raise self.refuse(str(error)) from None

    def rollout_steps(self, num: int) -> int:
        """Of each of ``num`` environments, now: the last ones may be fewer."""
        return max(min(self.config.rollout_steps, -(-(self.config.steps - self.steps) // num)), 1)

    def collect(self, envs: "Environments") -> Rollout:
        """Act for some steps; everything in what it tells is overwritten by the next call."""
        c = self.config
        steps = self.rollout_steps(envs.num)
        if self._rollout is None or len(self._rollout.actions) != steps:
            self._rollout = Rollout(steps, envs.num, self.spec, envs.masks is not None, self.network.memory_size)
            if self._memory is None:
                self._memory = self.begin(envs.num)
            if c.normalise_rewards and self.rewarded is None:
                self.rewarded = RewardNormaliser(envs.num, c.gamma)
        rollout, seen = self._rollout, []
        rollout.begin(self._memory)
        noise = self.network.noise([steps, envs.num], self.noise).to(self.device)
        rollout.look(self.see(envs.observations), envs.masks)
        for t in range(steps):
            actions, self._memory = self.choose(rollout.observations[t], envs.masks, self._memory, noise[t])
            if self.observed is not None:
                seen.append(envs.observations.copy())
            step = envs.step(self.taken(actions))
            rollout.add(actions, step)
            rollout.look(self.see(envs.observations), envs.masks)
            self.stepped(step)
            if len(step.ended):
                self._note_finals(rollout, step)
            if self._memory is not None:
                self.forget(self._memory, step.fresh)
        if self.observed is not None:
            live = rollout.live
            self.observed.update(np.stack(seen)[np.ones((steps, envs.num), np.bool_) if live is None else live])
        if self.rewarded is not None:
            rollout.rewards[:] = self.rewarded(rollout.rewards, rollout.ended)
        return rollout

    def _note_finals(self, rollout: Rollout, step: Any) -> None:
        cut = step.truncated[step.ended]
        if cut.any():
            which = step.ended[cut]
            memory = None if self._memory is None else self._memory[which]
            rollout.finals.append(Final(rollout.row - 1, which, self.see(step.final_observations[cut]), memory))

    def judge(self, rollout: Rollout, values: Tensor) -> tuple[Array, Array]:
        """Advantages and returns [T, n] by values [T + 1, n]."""
        with torch.inference_mode():
            finals = [self._final_values(final) for final in rollout.finals]
        c = self.config
        return advantages(rollout, values.cpu().numpy(), finals, c.gamma, c.gae_lambda)

    def _final_values(self, final: Final) -> Array:
        observations = self.tensor(final.observations)
        if final.memory is None:
            return self.network(observations, None).values.cpu().numpy()
        return self.network(observations[None], None, None, self.tensor(final.memory)).values[0].cpu().numpy()

    def figures(self) -> dict[str, float]:
        """Of the latest update, after it: losses over its steps, entropy in nats, how far the policy has moved
        (an estimate of KL(old, new): Schulman 2020, "Approximating KL divergence"), the share of steps whose ratio was
        clipped, and how much of the returns' variance the values explained before the update (1 = all)."""
        batch = self._batch
        if batch is None:
            return {}
        with torch.inference_mode():
            outlook = self.network(batch.observations, batch.masks, batch.starts, batch.memory)
            log_probs, entropy = outlook.policy.log_prob_and_entropy(batch.actions)
            keep = ... if batch.live is None else batch.live
            change = (log_probs - batch.log_probs)[keep]
            ratio, returns, before = change.exp(), batch.returns[keep], batch.values[keep]
            spread = float(returns.var(correction=0))
            found = {
                "policy_loss": float(-(normalised(batch.advantages[keep]) * ratio).mean()),
                "value_loss": float((outlook.values[keep] - returns).square().mean()),
                "entropy": float(entropy[keep].mean()),
                "kl": float((ratio - 1.0 - change).mean()),
                "explained_variance": 1.0 - float((returns - before).var(correction=0)) / spread if spread else 0.0,
                "learning_rate": self.learning_rate,
            }
            if isinstance(self.config, PPO):
                found["clip_fraction"] = float(((ratio - 1.0).abs() > self.config.clip).float().mean())
        return found

    def save(self) -> Saved:
        tensors, state = super().save()
        tensors["optimizer"] = self.descent.optimizer.save()
        return Saved(tensors, state)

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        self.descent.optimizer.restore(saved.tensors["optimizer"])
