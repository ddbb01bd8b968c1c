"""Advantage actor-critic: the synchronous form of A3C (Mnih et al. 2016, algorithm S3).

Every few steps of many environments make one gradient step on

    -A_t log pi(a_t | s_t)  +  value_weight (R_t - V(s_t))^2  -  entropy H(pi(. | s_t))

A_t is the advantage of what follows (with lambda 1, the default, of all rewards up to the rollout's end and the value
there), R_t = A_t + V(s_t); neither is differentiated.

Differences from the paper: (1) one process steps all environments, and there is one gradient a rollout; (2) generalized
advantage estimation (Schulman et al. 2016) with any lambda; (3) losses are means over all steps, where the paper sums;
(4) RMSProp's epsilon lies outside the root; (5) a time limit is no end: returns go on from the value of the observation
that the episode was broken off at; (6) policy and value have networks of their own unless ``shared``.
"""

from typing import ClassVar

from agents.actor_critic import ActorCriticAgent, Batch
from agents.policy_gradient import normalised
from agents.rollouts import Rollout
from agents.settings import A2C
from rlcore.flat import Flat
from rlcore.optimizers import Adam, Optimizer, RMSProp

__all__ = ["A2CAgent"]


class A2CAgent(ActorCriticAgent):
    """See the module."""

    Config: ClassVar[type[A2C]] = A2C
    config: A2C

    def make_optimizer(self, parameters: Flat) -> Optimizer:
        return Adam(parameters) if self.config.optimizer == "adam" else RMSProp(parameters)

    def learn(self, rollout: Rollout) -> Batch:
        c = self.config
        observations = self.tensor(rollout.observations)
        masks = None if rollout.masks is None else self.tensor(rollout.masks)
        starts = memory = None
        if rollout.memory is not None:
            starts, memory = self.tensor(rollout.starts), self.tensor(rollout.memory)
        outlook = self.network(observations, masks, starts, memory)
        found, returns = (self.tensor(array) for array in self.judge(rollout, outlook.values.detach()))
        actions = self.tensor(rollout.actions)
        log_probs, entropy = outlook.policy.at(slice(-1)).log_prob_and_entropy(actions)
        values = outlook.values[:-1]
        live = rollout.live
        keep = None if live is None else self.tensor(live)
        batch = Batch(
            observations[:-1], None if masks is None else masks[:-1], actions, log_probs.detach(), values.detach(),
            found, returns, None if starts is None else starts[:-1], memory, keep,
        )  # fmt: skip
        if keep is not None:
            log_probs, entropy, values, found, returns = (
                part[keep] for part in (log_probs, entropy, values, found, returns)
            )
        if c.normalise_advantages:
            found = normalised(found)
        loss = c.value_weight * (returns - values).square().mean() - (found * log_probs).mean()
        if c.entropy:
            loss = loss - c.entropy * entropy.mean()
        self.descent.step(loss, self.learning_rate, c.max_gradient_norm)
        self.updates += 1
        return batch
