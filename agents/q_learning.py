"""Q-learning and SARSA with a table (Sutton and Barto, Reinforcement Learning, 2nd edition 2018, chapter 6).

After every step one entry of the table moves towards what that step, and the table, say it should be:

    Q(s, a) += alpha (r + gamma (1 - terminated) V(s') - Q(s, a))

    V(s') = max_a' Q(s', a')      Q-learning (section 6.5)
    V(s') = Q(s', a')             SARSA (section 6.4)

a' being the action that is taken next. Where an episode is broken off by a time limit, s' is where it was, and SARSA
draws the a' that it would have taken there.

Differences from the book: (1) many environments share a table, which they update one after the other; (2) alpha falls
with the number of updates of its own entry, see ``QLearning.learning_rate_visits``; (3) actions that ``action_mask``
forbids are never taken, and do not count in the maximum.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from agents.agent import Agent, Generators, Memory, NonFiniteError, Saved, seed_for
from agents.settings import SARSA, QLearning
from agents.spaces import Spec
from rlcore import mdp
from rlcore.config import ConfigError
from rlcore.jit import Array, njit
from rlcore.schedules import linear

if TYPE_CHECKING:
    from agents.steps import Environments

__all__ = ["QLearner", "SARSALearner"]

_STEPS = 64  # of all environments between two looks at the clock


@njit
def update(
    q: Array, visits: Array, states: Array, actions: Array, targets: Array, slow: float, power: float, least: float
) -> None:
    """Move entries of ``q`` ([S, A] float64) towards targets [n], one after the other; ``visits`` counts them."""
    for i in range(states.shape[0]):
        s, a = states[i], actions[i]
        rate = (slow / (slow + float(visits[s, a]))) ** power
        visits[s, a] += 1
        q[s, a] += max(rate, least) * (targets[i] - q[s, a])


class QLearner(Agent):
    """Q-learning; needs numbered observations and actions."""

    Config: ClassVar[type[QLearning]] = QLearning
    config: QLearning

    def __init__(self, spec: Spec, config: QLearning, seed: int) -> None:
        super().__init__(spec, config, seed)
        if spec.kind != "index" or spec.num_actions < 1:
            raise ConfigError(
                f"{config.agent} needs numbered observations and actions for its table, and {config.env} has others; "
                f"try dqn"
            )
        self.q = np.full((spec.size, spec.num_actions), config.initial_value)
        """[S, A] float64"""
        self.visits = np.zeros(self.q.shape, np.int64)
        self.random = Generators(seed, "exploration")
        self._first: Array | None = None  # exploring starts: which environments begin an episode, [n] bool

    @classmethod
    def environments(cls, config: QLearning, seed: int) -> "Environments":
        """As of every agent; with exploring starts, the environment's transitions begun anywhere, alike."""
        if not config.exploring_starts:
            return super().environments(config, seed)
        from agents.environments import STEP_CAP, Vectorised, find, one_of
        from games.grid_world.env import GridWorldVectorEnv

        found = find(config.env)
        env = one_of(found, None)
        try:
            process = mdp.from_env(env)
        except ValueError as error:
            raise ConfigError(f"exploring_starts: {error}") from None
        finally:
            env.close()
        limit = config.max_episode_steps or found.limit or STEP_CAP
        anywhere = np.full(process.start.shape, 1.0 / len(process.start))
        many = GridWorldVectorEnv(config.num_envs, limit, process._replace(start=anywhere))
        return Vectorised(many, seed_for(seed, "environments"), name=found.id, max_steps=limit)

    def act(
        self, observations: Array, masks: Array | None, memory: Memory = None, greedy: bool = True
    ) -> tuple[Array, Memory]:
        values = self.q[observations]
        if masks is not None:
            values = np.where(masks, values, -np.inf)
        if greedy:
            return values.argmax(1), memory
        random = self.random["exploration"]
        anything = random.random(len(values)) < self.epsilon
        # among equals any: the first would be tried for ever
        ties = random.random(values.shape) * (anything[:, None] | (values == values.max(1, keepdims=True)))
        return (ties if masks is None else ties * masks).argmax(1), memory

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        c = self.config
        return linear(self.steps, c.epsilon_start, c.epsilon_final, int(c.epsilon_share * c.steps))

    def ahead(self, observations: Array, masks: Array | None) -> Array:
        """What the table says of being in these states [n]."""
        values = self.q[observations]
        best: Array = (values if masks is None else np.where(masks, values, -np.inf)).max(1)
        return best

    def advance(self, envs: "Environments") -> None:
        c = self.config
        for _ in range(min(_STEPS, -(-(c.steps - self.steps) // envs.num))):
            states = envs.observations.copy()
            actions = self.choose(envs)
            step = envs.step(actions)
            self.stepped(step)
            if c.exploring_starts:
                self._first = np.zeros(envs.num, np.bool_)
                self._first[step.fresh] = True
            after = self.after(envs)
            if len(step.ended):
                after[step.ended] = self.ahead(step.final_observations, step.final_masks)
            targets = step.rewards + c.gamma * np.where(step.terminated, 0.0, after)
            live = step.live
            update(
                self.q, self.visits, states[live], actions[live], targets[live],
                c.learning_rate_visits, c.learning_rate_power, c.learning_rate_least,
            )  # fmt: skip
            self.updates += int(live.sum())
        if not np.isfinite(self.q).all():
            raise NonFiniteError(f"NaN or infinity in the table by environment step {self.steps:,}; lower gamma")

    def choose(self, envs: "Environments") -> Array:
        """The actions to take now."""
        actions, _ = self.act(envs.observations, envs.masks, greedy=False)
        if not self.config.exploring_starts:
            return actions
        first = np.ones(envs.num, np.bool_) if self._first is None else self._first
        others = self.random["exploration"].random((envs.num, self.spec.num_actions))
        return np.where(first, (others if envs.masks is None else others * envs.masks).argmax(1), actions)

    def after(self, envs: "Environments") -> Array:
        """What the table says of where the environments are now, [n]."""
        return self.ahead(envs.observations, envs.masks)

    def figures(self) -> dict[str, float]:
        return {"epsilon": self.epsilon, "visited": float((self.visits > 0).mean())}

    def weights(self) -> dict[str, Any]:
        return {"q": self.q.copy()}

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        self.q[:] = np.asarray(weights["q"])

    def save(self) -> Saved:
        tensors, state = super().save()
        tensors["visits"] = {"visits": self.visits}
        if self._first is not None:
            tensors["first"] = {"first": self._first}
        return Saved(tensors, state | {"random": self.random.save()})

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        self.visits[:] = np.asarray(saved.tensors["visits"]["visits"])
        self.random.restore(saved.state["random"])
        if "first" in saved.tensors:
            self._first = np.asarray(saved.tensors["first"]["first"]).copy()
            self._first[restarted] = True


class SARSALearner(QLearner):
    """SARSA: the table learns what its own actions, random ones included, are worth."""

    Config: ClassVar[type[QLearning]] = SARSA

    def __init__(self, spec: Spec, config: QLearning, seed: int) -> None:
        super().__init__(spec, config, seed)
        self._next: Array | None = None  # actions that are already chosen

    def ahead(self, observations: Array, masks: Array | None) -> Array:
        actions, _ = self.act(observations, masks, greedy=False)
        values: Array = self.q[observations, actions]
        return values

    def choose(self, envs: "Environments") -> Array:
        if self._next is None:
            self._next = super().choose(envs)
        return self._next

    def after(self, envs: "Environments") -> Array:
        self._next = super().choose(envs)
        values: Array = self.q[envs.observations, self._next]
        return values

    def save(self) -> Saved:
        tensors, state = super().save()
        if self._next is not None:
            tensors["next"] = {"actions": self._next}
        return Saved(tensors, state)

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        super().restore(saved, envs, restarted)
        if "next" in saved.tensors:
            self._next = np.asarray(saved.tensors["next"]["actions"]).copy()
            if restarted:
                which = np.array(restarted)
                masks = None if envs.masks is None else envs.masks[which]
                self._next[which] = self.act(envs.observations[which], masks, greedy=False)[0]
