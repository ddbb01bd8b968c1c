"""REINFORCE with a choice of baselines (Williams 1992; Sutton and Barto 2018, sections 13.3 and 13.4).

Whole episodes are played, then the policy makes a gradient step on their mean of

    - sum_t (G_t - b_t) log pi(a_t | s_t)  -  entropy sum_t H(pi(. | s_t))        G_t = r_t + gamma G_{t+1}

The baseline b_t does not depend on a_t, so it changes nothing of the gradient's expectation, only its variance:

    none       0
    average    a moving average of the mean of all G_t, updated after use
    value      V(s_t), learned by a network and an optimizer of its own, from the same G_t, after use

The factor gamma^t of the discounted return's gradient (Sutton and Barto's algorithm has it) is left out, as nearly
everybody does, unless ``discount_steps``. An episode that a time limit breaks off is no shorter one: with the value
baseline, G goes on from V of the observation there; without, it ends there, and a policy that lives longer than the
limit is told less than the truth.

Differences from the book: (1) some episodes make one gradient step, which Adam scales; (2) with ``num_envs`` above 1,
episodes in progress outlast an update, see there.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.agent import Saved
from agents.policy_gradient import Descent, PolicyGradientAgent, normalised
from agents.rollouts import Final, Rollout
from agents.settings import REINFORCE
from agents.spaces import Spec
from rlcore.jit import Array
from rlcore.normalise import RewardNormaliser
from rlcore.optimizers import Adam
from rlcore.returns import DEAD, GOES_ON, TERMINATED, TRUNCATED, discounted

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["Episode", "REINFORCEAgent"]


class Episode(NamedTuple):
    """What happened in an episode, a row a step."""

    observations: list[Array]
    """As the environment showed them."""
    masks: list[Array]
    """Empty where there are none."""
    actions: list[Array]
    rewards: list[float]
    final: list[Array]
    """The observation that it was broken off at by a time limit; empty where it terminated."""


class REINFORCEAgent(PolicyGradientAgent):
    """See the module."""

    Config: ClassVar[type[REINFORCE]] = REINFORCE
    config: REINFORCE

    def __init__(self, spec: Spec, config: REINFORCE, seed: int) -> None:
        super().__init__(spec, config, seed)
        self.average: float | None = None
        """Of returns, before which there were none."""
        parameters = list(self.network.named_parameters())
        of_value = ("torsos.1.", "cells.1.", "value_head.")
        self.descent = Descent("policy", [p for p in parameters if not p[0].startswith(of_value)], Adam)
        self.value_descent = Descent("value", [p for p in parameters if p[0].startswith(of_value)], Adam)
        self._open: list[Episode] = []
        self._figures: dict[str, float] = {}

    # --- acting ------------------------------------------------------------------------------------------------------

    def advance(self, envs: "Environments") -> None:
        episodes: list[Episode] = []
        while len(episodes) < self.config.episodes:
            episodes += [episode for _, episode in self.play(envs)]
        rollout = self.record(episodes)
        self.take_in(episodes, rollout)
        try:
            self.learn(rollout)
            self.descent.check()
            self.value_descent.check()
        except FloatingPointError as error:
            raise self.refuse(str(error)) from None

    def play(self, envs: "Environments") -> list[tuple[int, Episode]]:
        """Take a step in all environments; tells the episodes that are over by it, and of which environment."""
        if not self._open:
            self._open = [_nothing() for _ in range(envs.num)]
            self._memory = self.begin(envs.num)
        noise = self.network.noise([envs.num], self.noise).to(self.device)
        observations = envs.observations.copy()
        masks = None if envs.masks is None else envs.masks.copy()
        actions, self._memory = self.choose(self.see(observations), masks, self._memory, noise)
        step = envs.step(self.taken(actions))
        for i in np.flatnonzero(step.live).tolist():
            episode = self._open[i]
            episode.observations.append(observations[i])
            episode.actions.append(actions[i])
            episode.rewards.append(float(step.rewards[i]))
            if masks is not None:
                episode.masks.append(masks[i])
        self.stepped(step)
        if self._memory is not None:
            self.forget(self._memory, step.fresh)
        over = []
        for i, final in zip(step.ended.tolist(), step.final_observations, strict=True):
            if step.truncated[i]:
                self._open[i].final.append(final)
            over.append((i, self._open[i]))
            self._open[i] = _nothing()
        return over

    def forget_episodes(self) -> None:
        """Let ``play`` begin with other environments, all at the start of an episode."""
        self._open = []

    def record(self, episodes: list[Episode]) -> Rollout:
        """Episodes side by side, [T, E] with T that of the longest, and dead steps after the end of the others."""
        longest, memory = max(len(e.rewards) for e in episodes), self.network.memory_size
        rollout = Rollout(longest, len(episodes), self.spec, bool(episodes[0].masks), memory)
        rollout.ended[:] = DEAD
        for i, episode in enumerate(episodes):
            length = len(episode.rewards)
            rollout.observations[:length, i] = self.see(np.stack(episode.observations))
            rollout.actions[:length, i] = episode.actions
            rollout.rewards[:length, i] = episode.rewards
            rollout.ended[:length, i] = GOES_ON
            rollout.ended[length - 1, i] = TRUNCATED if episode.final else TERMINATED
            if rollout.masks is not None:
                rollout.masks[:length, i] = episode.masks
            if episode.final:
                rollout.finals.append(Final(length - 1, np.array([i]), self.see(np.stack(episode.final)), None))
        return rollout

    def take_in(self, episodes: list[Episode], rollout: Rollout) -> None:
        """Let the normalisers see them, and the rewards be normalised."""
        if self.observed is not None:
            self.observed.update(np.concatenate([np.stack(episode.observations) for episode in episodes]))
        if self.config.normalise_rewards:
            self.rewarded = self.rewarded or RewardNormaliser(0, self.config.gamma)
            self.rewarded.sums = np.zeros(len(episodes))  # each begins with its episode
            rollout.rewards[:] = self.rewarded(rollout.rewards, rollout.ended)

    # --- learning ----------------------------------------------------------------------------------------------------

    def learn(self, rollout: Rollout) -> None:
        """A gradient step of the policy, then what the baseline learns."""
        c, episodes = self.config, rollout.actions.shape[1]
        live = self.tensor(rollout.ended != DEAD)
        returns = self.returns(rollout)
        advantages = self.advantages(rollout, returns, c.baseline)[live]
        log_probs, entropy = self.log_probs_and_entropy(rollout)
        weights = normalised(advantages) if c.normalise_advantages else advantages
        loss = -((weights * log_probs).sum() + c.entropy * entropy.sum()) / episodes
        length = self.descent.step(loss, self.learning_rate, c.max_gradient_norm)
        self.updates += 1
        self._figures = {
            "policy_loss": float(loss.detach()),
            "entropy": float(entropy.detach().mean()),
            "gradient_norm": length,
            "advantage_variance": float(advantages.var(correction=0)),
            "learning_rate": self.learning_rate,
        }
        mean = float(returns[live].mean())
        self.average = mean if self.average is None else self.average + c.average_rate * (mean - self.average)
        if c.baseline == "value":
            for _ in range(c.value_updates):
                miss = (self.values(rollout) - returns)[live].square().mean()
                self.value_descent.step(miss, c.value_learning_rate, c.max_gradient_norm)
            self._figures["value_loss"] = float(miss.detach())

    def values(self, rollout: Rollout) -> Tensor:
        """[T, E], by the value network."""
        observations = self.tensor(rollout.observations)[:-1]
        if rollout.memory is None:
            live = self.tensor(rollout.ended != DEAD)
            values = torch.zeros(rollout.ended.shape, device=self.device)
            values[live] = self.network.values(observations[live])
            return values
        return self.network.values(observations, None, self.tensor(rollout.memory))

    def log_probs_and_entropy(self, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """[B] each, of the steps that were any, environment by environment within a row."""
        live = self.tensor(rollout.ended != DEAD)
        observations, actions = self.tensor(rollout.observations)[:-1], self.tensor(rollout.actions)
        masks = None if rollout.masks is None else self.tensor(rollout.masks)[:-1]
        if rollout.memory is None:
            policy = self.network.policies(observations[live], None if masks is None else masks[live])
            return policy.log_prob_and_entropy(actions[live])
        policy = self.network.policies(observations, masks, None, self.tensor(rollout.memory))
        log_probs, entropy = policy.log_prob_and_entropy(actions)
        return log_probs[live], entropy[live]

    def returns(self, rollout: Rollout) -> Tensor:
        """[T, E]: G_t; see the module for episodes that were broken off."""
        last = np.zeros(rollout.rewards.shape, np.float32)
        if self.config.baseline == "value":
            for final in rollout.finals:
                last[final.row, final.environments] = self._final_value(rollout, final)
        return self.tensor(discounted(rollout.rewards, rollout.ended, self.config.gamma, last))

    def _final_value(self, rollout: Rollout, final: Final) -> Array:
        """V of the observation that an episode was broken off at."""
        with torch.inference_mode():
            if rollout.memory is None:
                return self.network.values(self.tensor(final.observations)).cpu().numpy()
            past = rollout.observations[: final.row + 1, final.environments]
            whole = self.tensor(np.concatenate([past, final.observations[None]]))
            memory = self.tensor(rollout.memory[final.environments])
            return self.network.values(whole, None, memory)[-1].cpu().numpy()

    def advantages(self, rollout: Rollout, returns: Tensor, baseline: str) -> Tensor:
        """[T, E]: what stands before the gradient of log pi(a_t | s_t)."""
        if baseline == "value":
            with torch.no_grad():
                found = returns - self.values(rollout)
        else:
            found = returns - ((self.average or 0.0) if baseline == "average" else 0.0)
        if self.config.discount_steps:
            found = found * self.config.gamma ** torch.arange(len(found), device=self.device)[:, None]
        return found

    def figures(self) -> dict[str, float]:
        """Of the latest update: the policy's loss, its entropy in nats, the gradient's length, the variance of returns
        less their baseline, and the value's mean squared error."""
        return self._figures

    # --- keeping -----------------------------------------------------------------------------------------------------

    def save(self) -> Saved:
        tensors, state = super().save()
        tensors["optimizer"] = self.descent.optimizer.save()
        tensors["value_optimizer"] = self.value_descent.optimizer.save()
        kept = {
            f"{i}.{name}": np.stack(rows)
            for i, episode in enumerate(self._open)
            for name, rows in episode._asdict().items()
            if rows
        }
        if kept:
            tensors["episodes"] = kept
        own = {"average": self.average}
        return Saved(tensors, state | own | {"open": len(self._open)})

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        tensors, state = saved
        self.descent.optimizer.restore(tensors["optimizer"])
        self.value_descent.optimizer.restore(tensors["value_optimizer"])
        self.average = state["average"]
        kept = tensors.get("episodes", {})
        self._open = [_nothing() if i in restarted else _episode(kept, i) for i in range(state["open"])]


def _nothing() -> Episode:
    return Episode([], [], [], [], [])


def _episode(kept: Mapping[str, Any], i: int) -> Episode:
    """The i-th of the episodes that were saved."""
    rows = {name: np.asarray(kept.get(f"{i}.{name}", np.zeros(0))) for name in Episode._fields}
    return Episode(**{name: list(array) for name, array in rows.items()})._replace(rewards=rows["rewards"].tolist())
