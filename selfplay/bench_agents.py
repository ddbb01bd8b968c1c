"""How fast agents train, beside stable-baselines3 where it is installed: its zoo's settings on both sides.

Environment steps a second of acting and learning together, one thread each, once learning has begun. Either side steps
as many environments at once as suits it; gradient steps for each environment step are the same.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import Any, NamedTuple

from agents.agent import agent_class
from agents.settings import A2C, DQN, PPO, Training
from selfplay.figures import Figure, beside
from selfplay.peers import Peer

__all__ = ["bench_agents"]

PEER = "stable_baselines3"
SECONDS = 4.0  # of a measurement
_FOREVER = 10_000_000  # steps, so that no schedule moves much


class Row(NamedTuple):
    """One training that both can do."""

    name: str
    config: Training
    warm_up: int
    """Environment steps before the clock starts."""
    algorithm: str
    """The class of the peer's."""
    num_envs: int
    settings: dict[str, Any]
    """Of the peer."""


def _dqn(name: str, units: int, batch: int, ours: dict[str, Any], theirs: dict[str, Any]) -> Row:
    """DQN on CartPole: random actions are few from the beginning, as they are nearly all of the time."""
    config = DQN(
        steps=_FOREVER, num_envs=16, hidden=(units, units), batch_size=batch, replay_size=100_000,
        learning_starts=1_000, epsilon_start=0.04, epsilon_final=0.04, **ours,
    )  # fmt: skip
    settings = {
        "batch_size": batch, "buffer_size": 100_000, "learning_starts": 1_000, "gamma": 0.99,
        "exploration_initial_eps": 0.04, "exploration_final_eps": 0.04, "policy_kwargs": {"net_arch": [units, units]},
    }  # fmt: skip
    return Row(name, config, 1_300, "DQN", 1, settings | theirs)


ROWS = (
    _dqn(
        "dqn, the zoo's settings", 256, 64,
        {"learning_rate": 2.3e-3, "train_every": 256, "updates_per_step": 0.5, "target_every": 128},
        {"learning_rate": 2.3e-3, "train_freq": 256, "gradient_steps": 128, "target_update_interval": 10},
    ),
    _dqn(
        "dqn, 64 x 64", 64, 32,
        {"train_every": 64, "updates_per_step": 0.25, "target_every": 125},
        {"learning_rate": 1e-3, "train_freq": 4, "gradient_steps": 1, "target_update_interval": 500},
    ),
    Row("a2c, the zoo's settings", A2C(steps=_FOREVER, num_envs=8), 800, "A2C", 8, {"ent_coef": 0.0}),
    Row(
        "ppo, the zoo's settings",
        PPO(
            steps=_FOREVER, num_envs=8, rollout_steps=32, minibatch_size=256, gae_lambda=0.8, gamma=0.98, epochs=20,
            learning_rate=1e-3, learning_rate_final=1e-3,
        ),
        512, "PPO", 8,
        {"n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20, "learning_rate": 1e-3},
    ),
    Row(
        "ppo, the zoo's settings of LunarLander",
        PPO(
            env="LunarLander-v3", steps=_FOREVER, num_envs=16, rollout_steps=1024, minibatch_size=64, gae_lambda=0.98,
            gamma=0.999, epochs=4, entropy=0.01,
        ),
        16_384, "PPO", 16,
        {"n_steps": 1024, "batch_size": 64, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4, "ent_coef": 0.01},
    ),
)  # fmt: skip


def bench_agents(rounds: int) -> Iterator[Figure]:
    """Every row in turn with the peer."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for row in ROWS:
            peers = [_peer(row)] if find_spec(PEER) is not None else []
            yield from beside(row.name, row.config.env, rounds, "steps/s", _ours(row), peers)
    finally:
        torch.set_num_threads(before)


def _ours(row: Row) -> Callable[[], float]:
    kind = agent_class(row.config.agent)

    def speed() -> float:
        envs = kind.environments(row.config, 0)
        agent = kind(envs.spec, row.config, 0)
        while agent.steps < row.warm_up:
            agent.advance(envs)
        began, first = time.perf_counter(), agent.steps
        while time.perf_counter() - began < SECONDS:
            agent.advance(envs)
        taken = (agent.steps - first) / (time.perf_counter() - began)
        envs.close()
        return taken

    return speed


def _peer(row: Row) -> Peer:
    import stable_baselines3
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    class Clock(BaseCallback):  # type: ignore[misc]
        """Times from the warm-up on, and ends training at the end of a phase of learning."""

        began, first = 0.0, 0

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            if not self.began and self.num_timesteps >= row.warm_up:
                self.began, self.first = time.perf_counter(), self.num_timesteps
            if self.began and time.perf_counter() - self.began >= SECONDS:
                self.speed = (self.num_timesteps - self.first) / (time.perf_counter() - self.began)
                raise StopIteration

    def speed() -> float:
        envs = make_vec_env(row.config.env, row.num_envs, seed=0)
        clock = Clock()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(stable_baselines3, row.algorithm)("MlpPolicy", envs, seed=0, device="cpu", **row.settings)
            try:
                model.learn(_FOREVER, callback=clock)
            except StopIteration:
                envs.close()
        return float(clock.speed)

    return Peer(
        f"stable-baselines3 {metadata.version('stable-baselines3')}", metadata.version("stable-baselines3"), speed
    )
