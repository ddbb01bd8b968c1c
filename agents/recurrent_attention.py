"""The recurrent attention model as an agent (Mnih et al. 2014, arXiv 1406.6247): where to look is learned by its policy
gradient, whatever else by what the task offers.

Digits (classification): every update is so many whole episodes, and one gradient step on

    cross entropy of the answer after the last glimpse          teaches action network, core, glimpse network
    + value_weight sum_t (b_t - R)^2                            teaches the baseline alone
    - alpha sum_t log N(l_t; mu_t, sigma^2) (R - b_t)           teaches the location network alone (REINFORCE)

R is 1 if the answer was right, else 0; sums are over the locations that were chosen (the first is random, and after the
last there is nothing to see), the mean over episodes. With M ``copies``, M eyes look at each canvas.

Catch: moves and locations are one action, drawn from one policy, and learned by PPO (``agents.ppo``) through the core,
whose memory goes on through the episode.

Differences from the paper: see ``rlcore.attention``; further (1) Adam, not momentum; (2) Catch is learned by PPO with
generalized advantages, not by REINFORCE; (3) with ``notice``, the core is also taught, by squared error, to know where
ball and paddle are, and with ``informed`` the baseline is told; neither is told when it acts.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from agents.actor_critic import Batch
from agents.agent import seed_for
from agents.ppo import PPOAgent
from agents.rollouts import Rollout
from agents.seen import Plain, environments, task, trials
from agents.settings import RecurrentAttention
from agents.spaces import Spec
from rlcore import attention
from rlcore.config import ConfigError
from rlcore.jit import Array
from rlcore.schedules import linear

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["RecurrentAttentionAgent", "hybrid_loss"]


class RecurrentAttentionAgent(PPOAgent):
    """See the module."""

    Config: ClassVar[type[RecurrentAttention]] = RecurrentAttention
    config: RecurrentAttention
    network: attention.RecurrentAttention

    def __init__(self, spec: Spec, config: RecurrentAttention, seed: int) -> None:
        self.task = task(config)
        if config.control == "logistic" and not self.task.named:
            raise ConfigError("logistic regression names digits; it cannot play Catch")
        super().__init__(spec, config, seed)
        self._figures: dict[str, float] = {}

    @classmethod
    def environments(cls, config: RecurrentAttention, seed: int) -> "Environments":
        return environments(config, config.num_envs, seed_for(seed, "environments"))

    def trials(self, episodes: int, seed: int, purpose: str) -> "tuple[Environments, int]":
        return trials(self.config, episodes, seed, purpose)

    def spaces(self) -> Plain:
        return Plain(self.spec, self.task.truth)

    def picture(self, folder: Path) -> None:
        from agents.looking import draw

        draw(self, folder, self.config.seed)

    def make_network(self) -> nn.Module:
        c, what = self.config, self.task
        if c.control == "none":
            glimpse: Any = attention.GlimpseNetwork(what.pixels, c.hidden)
        else:
            glimpse = attention.WholeImage(c.control, what.side, what.side, c.hidden[-1])
        return attention.RecurrentAttention(
            glimpse, "none" if c.control == "logistic" else c.core, c.units, what.actions, what.truth,
            eye=c.eye == "learned" and c.control == "none", named=what.named,
            notice=c.notice > 0 and not what.named, informed=c.informed and not what.named,
        )  # fmt: skip

    def taken(self, actions: Array) -> Array:
        return actions

    def rollout_steps(self, num: int) -> int:
        return self.task.glimpses if self.task.named else super().rollout_steps(num)

    def advance(self, envs: "Environments") -> None:
        c = self.config
        self.network.sigma = linear(self.steps, c.sigma, c.sigma_final, c.steps)
        super().advance(envs)

    # --- learning ----------------------------------------------------------------------------------------------------

    def learn(self, rollout: Rollout) -> Batch | None:
        if not self.task.named:
            return super().learn(rollout)
        observations = self.tensor(rollout.observations)[:-1]
        looked = self.network(observations, None)
        loss, figures = hybrid_loss(
            looked, self.tensor(rollout.actions), observations[0, :, -1].long(), self.tensor(rollout.rewards).sum(0),
            self.config.alpha, self.config.value_weight,
        )  # fmt: skip
        length = self.descent.step(loss, self.learning_rate, self.config.max_gradient_norm)
        self.updates += 1
        self._figures = figures | {"gradient_norm": length, "learning_rate": self.learning_rate}
        return None

    def with_lesson(self, loss: Tensor, outlook: attention.Looked, batch: Batch) -> Tensor:
        if outlook.noticed is None:
            return loss
        miss = (outlook.noticed - batch.observations[..., -self.task.truth :]).square().mean()
        return loss + self.config.notice * miss

    def figures(self) -> dict[str, float]:
        """Digits, of the latest update: cross entropy, baseline's squared error, share of right answers, how far mean
        locations are spread over inputs, and the share of locations that were drawn off the canvas. Catch: see PPO."""
        return self._figures if self.task.named else super().figures()


def hybrid_loss(
    looked: attention.Looked, actions: Tensor, labels: Tensor, returns: Tensor, alpha: float, value_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """The loss of whole episodes, see the module; and figures of it.

    Args:
        looked: of T glimpses; actions: [T, n, 3] as drawn, the last location of which was not looked at.
        labels: [n] int64; returns: [n].
    """
    answers = looked.policy.move.logits[-1]
    cross_entropy = functional.cross_entropy(answers, labels)
    figures = {"cross_entropy": float(cross_entropy.detach()), "right": float(returns.mean())}
    if looked.policy.look is None or len(actions) < 2:
        return cross_entropy, figures
    chosen = looked.policy.at(slice(-1))
    log_probs, _ = chosen.log_prob_and_entropy(actions[:-1])
    values = looked.values[:-1]
    advantages = (returns - values).detach()
    miss = (values - returns).square().sum(0).mean()
    reinforce = -(advantages * log_probs).sum(0).mean()
    assert chosen.look is not None
    figures |= {
        "value_loss": float(miss.detach()),
        "location_spread": float(chosen.look.mean.detach().std(1, correction=0).mean()),
        "off_canvas": float((actions[:-1, :, 1:].abs() > 1).any(-1).float().mean()),
    }
    return cross_entropy + value_weight * miss + alpha * reinforce, figures
