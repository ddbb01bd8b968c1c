"""Proximal policy optimization with the clipped objective (Schulman et al. 2017).

Some steps of many environments, gone through for some epochs in random minibatches, each a gradient step on

    -min(r_t A_t, clip(r_t, 1 - c, 1 + c) A_t)  +  value_weight (R_t - V(s_t))^2  -  entropy H(pi(. | s_t))

r_t is the ratio of the new probability of a_t to the old one, A_t the generalized advantage estimate (Schulman et al.
2016) by the values before the update, R_t = A_t + V(s_t).

The details that are not in the paper but in OpenAI's baselines (Huang et al. 2022, "The 37 implementation details of
PPO") are settings: Adam's epsilon, orthogonal first weights, learning rate and clip falling in a straight line, values
clipped, advantages normalised in each minibatch, gradients shortened, observations and rewards normalised, KL limited.

Differences from these: (1) a time limit is no end: returns go on from the value of the observation that the episode was
broken off at; (2) the deviation of advantages is that of the population; (3) a value that is clipped is off by default;
(4) with a memory, minibatches are whole environments, gone through in order from the memory that they had when the
rollout began, which older parameters have made; (5) observations are normalised by what was seen before the rollout.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from agents.actor_critic import ActorCriticAgent, Batch
from agents.agent import Generators, Saved
from agents.policy_gradient import normalised
from agents.rollouts import Rollout
from agents.settings import PPO
from agents.spaces import Spec
from rlcore.flat import Flat
from rlcore.optimizers import Adam, Optimizer
from rlcore.schedules import linear

__all__ = ["PPOAgent"]


class PPOAgent(ActorCriticAgent):
    """See the module."""

    Config: ClassVar[type[PPO]] = PPO
    config: PPO

    def __init__(self, spec: Spec, config: PPO, seed: int) -> None:
        super().__init__(spec, config, seed)
        self.random = Generators(seed, "minibatches")

    def make_optimizer(self, parameters: Flat) -> Optimizer:
        return Adam(parameters, epsilon=self.config.adam_epsilon)

    @property
    def clip(self) -> float:
        """How far a ratio may be from 1 now."""
        c = self.config
        return linear(self.steps, c.clip, c.clip_final, c.steps)

    def learn(self, rollout: Rollout) -> Batch | None:
        c, batch = self.config, self.batch(rollout)
        for _ in range(c.epochs):
            for minibatch in self.minibatches(batch):
                loss, moved = self.loss(minibatch)
                if c.target_kl and float(moved) > 1.5 * c.target_kl:
                    return batch
                self.descent.step(loss, self.learning_rate, c.max_gradient_norm)
                self.updates += 1
        return batch

    def batch(self, rollout: Rollout) -> Batch:
        """All steps with what they were judged to be worth, before the update."""
        observations = self.tensor(rollout.observations)
        masks = None if rollout.masks is None else self.tensor(rollout.masks)
        actions = self.tensor(rollout.actions)
        starts = memory = None
        if rollout.memory is not None:
            starts, memory = self.tensor(rollout.starts), self.tensor(rollout.memory)
        with torch.no_grad():
            outlook = self.network(observations, masks, starts, memory)
            log_probs, _ = outlook.policy.at(slice(-1)).log_prob_and_entropy(actions)
        found, returns = (self.tensor(array) for array in self.judge(rollout, outlook.values))
        live = None if rollout.live is None else self.tensor(rollout.live)
        masks = None if masks is None else masks[:-1]
        batch = Batch(observations[:-1], masks, actions, log_probs, outlook.values[:-1], found, returns)
        if starts is not None:
            return batch._replace(starts=starts[:-1], memory=memory, live=live)
        everything = torch.ones(actions.shape[:2], dtype=torch.bool, device=self.device)
        return batch.at(everything if live is None else live)

    def minibatches(self, batch: Batch) -> Iterator[Batch]:
        """The batch once, in random parts."""
        size, random = self.config.minibatch_size, self.random["minibatches"]
        if batch.memory is None:
            steps = len(batch.actions)
            if size >= steps:
                yield batch
                return
            mixed = batch.at(self.tensor(random.permutation(steps)))
            for first in range(0, steps, size):
                yield mixed.at(slice(first, first + size))
            return
        steps, num = batch.actions.shape[:2]
        parts = min(max(round(steps * num / size), 1), num)
        for some in np.array_split(random.permutation(num), parts):
            index = self.tensor(some)
            yield batch._replace(memory=None).at((slice(None), index))._replace(memory=batch.memory[index])

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What a minibatch costs, and an estimate of how far the policy has moved (``figures``)."""
        c = self.config
        outlook = self.network(batch.observations, batch.masks, batch.starts, batch.memory)
        log_probs, entropy = outlook.policy.log_prob_and_entropy(batch.actions)
        values, before, old, found, returns = (
            outlook.values, batch.values, batch.log_probs, batch.advantages, batch.returns,
        )  # fmt: skip
        if batch.live is not None:
            log_probs, entropy, values, before, old, found, returns = (
                part[batch.live] for part in (log_probs, entropy, values, before, old, found, returns)
            )
        if c.normalise_advantages:
            found = normalised(found)
        change = log_probs - old
        ratio = change.exp()
        clip = self.clip
        gain = torch.min(ratio * found, ratio.clamp(1.0 - clip, 1.0 + clip) * found)
        miss = (returns - values).square()
        if c.clip_value:
            held = before + (values - before).clamp(-c.clip_value, c.clip_value)
            miss = torch.max(miss, (returns - held).square())
        loss = c.value_weight * miss.mean() - gain.mean()
        if c.entropy:
            loss = loss - c.entropy * entropy.mean()
        loss = self.with_lesson(loss, outlook, batch)
        with torch.no_grad():
            moved = (ratio - 1.0 - change).mean() if c.target_kl else loss
        return loss, moved

    def with_lesson(self, loss: Tensor, outlook: Any, batch: Batch) -> Tensor:
        """The loss with what the network is taught beside it; here nothing."""
        return loss

    def save(self) -> Saved:
        tensors, state = super().save()
        return Saved(tensors, state | {"random": self.random.save()})

    def restore(self, saved: Saved, envs: Any, restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        self.random.restore(saved.state["random"])
