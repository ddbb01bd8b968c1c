"""Settings of training on Gymnasium environments, and of each agent. Nothing heavy is imported: see ``--help``."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from rlcore.config import require

__all__ = ["AGENTS", "DQN", "SARSA", "QLearning", "Training"]

_MOST_ENVS = 65_536


@dataclass(frozen=True)
class Training:
    """What training has whatever the agent."""

    agent: ClassVar[str] = ""
    """The agent's name on the command line."""

    env: str = "CartPole-v1"
    """Any Gymnasium id; package:Name-v0 imports the package first."""
    steps: int = 100_000
    """Environment steps that each seed trains for."""
    seeds: int = 1
    """How many times to train, each from nothing with a seed of its own."""
    seed: int = 0
    """The first seed; the others follow it."""
    jobs: int = 0
    """Seeds that train at the same time, each in a process with one thread; 0 = one a core."""
    run_dir: Path | None = None
    """Where everything lies; runs/AGENT/ENV by default. The same command goes on with what lies there."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Small networks are faster on a CPU; auto takes a GPU where there is one."""
    num_envs: int = 8
    """Environments that are stepped side by side."""
    max_episode_steps: int = 0
    """Steps after which an episode is broken off; 0 = as the environment was registered."""
    gamma: float = 0.99
    """Discount of what comes a step later."""
    evaluations: int = 20
    """How often in all the agent is evaluated while it trains: greedy actions, environments of their own."""
    evaluation_episodes: int = 10
    """Episodes of each of these."""
    final_episodes: int = 100
    """Episodes that the final parameters are scored by, at the end, and the best ones of the evaluations again."""
    checkpoint_seconds: float = 60.0
    """Seconds of training between checkpoints."""
    video: bool = False
    """Record an episode of each seed at the end, as a GIF."""
    tensorboard: bool = True
    """Write metrics for TensorBoard, too."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        require(self, {"steps": 1, "seeds": 1, "seed": 0, "jobs": 0, "num_envs": 1}, {"num_envs": _MOST_ENVS})
        require(self, {"max_episode_steps": 0, "evaluations": 0, "evaluation_episodes": 1, "final_episodes": 1})
        require(self, {"checkpoint_seconds": 0})
        _require_share(self, "gamma")

    def folder(self) -> Path:
        """The run's folder."""
        return self.run_dir if self.run_dir is not None else Path("runs") / self.agent / self.env.replace(":", "/")

    def to_json(self) -> str:
        """All settings but where the run lies, which may move."""
        values = dataclasses.asdict(self)
        del values["run_dir"]
        return json.dumps(values, indent=2) + "\n"


MAY_CHANGE = ("steps", "seeds", "seed", "jobs", "run_dir", "device", "final_episodes", "checkpoint_seconds", "video")
"""Settings that a run may be gone on with although they differ from its own."""


def _require_share(settings: object, *names: str) -> None:
    for name in names:
        if not 0.0 <= getattr(settings, name) <= 1.0:
            raise ValueError(f"{name} must lie in [0, 1], not {getattr(settings, name)}")


@dataclass(frozen=True)
class QLearning(Training):
    """Q-learning with a table (Watkins 1989; Sutton and Barto 2018, section 6.5)."""

    agent: ClassVar[str] = "q-learning"

    env: str = "FrozenLake-v1"
    """Any Gymnasium id with numbered observations and actions; package:Name-v0 imports the package first."""
    steps: int = 1_000_000
    """Environment steps that each seed trains for."""
    epsilon_start: float = 1.0
    """Share of random actions at first ..."""
    epsilon_final: float = 0.1
    """... and at last ..."""
    epsilon_share: float = 0.5
    """... which is reached in a straight line after this share of the steps."""
    learning_rate_visits: float = 20.0
    """An entry's n-th update has the learning rate (v / (v + n - 1)) ** power, v this: 1 gives means of all updates.
    More forgets what was learned from early, wrong targets; 1 / (1 - gamma) always does (Wainwright 2019)."""
    learning_rate_power: float = 1.0
    """The power in it; in (0.5, 1] the table converges (Even-Dar and Mansour 2003)."""
    learning_rate_least: float = 0.0
    """The learning rate never falls below this."""
    initial_value: float = 0.0
    """What the table holds at first; above all that can be had, it makes the agent try everything."""
    exploring_starts: bool = False
    """Begin episodes in any state, with any action, where the environment shows its transitions: every entry is then
    learned."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        _require_share(self, "epsilon_start", "epsilon_final", "epsilon_share")
        _require_share(self, "learning_rate_power", "learning_rate_least")
        require(self, {"learning_rate_visits": 1})
        if not math.isfinite(self.initial_value):
            raise ValueError(f"initial_value must be finite, not {self.initial_value}")


@dataclass(frozen=True)
class SARSA(QLearning):
    """SARSA with a table (Rummery and Niranjan 1994; Sutton and Barto 2018, section 6.4)."""

    agent: ClassVar[str] = "sarsa"


@dataclass(frozen=True)
class DQN(Training):
    """Deep Q-learning with experience replay (Mnih et al. 2015), and the parts of Rainbow (Hessel et al. 2018)."""

    agent: ClassVar[str] = "dqn"

    hidden: tuple[int, ...] = (128, 128)
    """Units of the fully connected layers; pixels go through convolutions before them."""
    learning_rate: float = 1e-3
    """Adam's step size at first ..."""
    learning_rate_final: float = 1e-4
    """... and at the end, in a straight line."""
    batch_size: int = 64
    """Transitions of a gradient step."""
    replay_size: int = 50_000
    """Transitions that are remembered. One takes the bytes of its observation and about 20 more."""
    learning_starts: int = 1_000
    """Environment steps before the first gradient step."""
    train_every: int = 64
    """Environment steps between phases of learning ..."""
    updates_per_step: float = 0.25
    """... with as many gradient steps, for each environment step, as this says."""
    target_every: int = 128
    """Gradient steps after which the target network becomes a copy of the other."""
    epsilon_start: float = 1.0
    """Share of random actions at first ..."""
    epsilon_final: float = 0.05
    """... and at last ..."""
    epsilon_share: float = 0.2
    """... which is reached in a straight line after this share of the steps."""
    max_gradient_norm: float = 10.0
    """Longer gradients are shortened to this length."""
    frames: int = 1
    """Pixels: the latest frames that are seen together (Atari: 4). Each is kept once."""
    double: bool = False
    """The online network chooses the action whose value the target network tells (van Hasselt et al. 2016)."""
    dueling: bool = False
    """Value and advantages apart in the network (Wang et al. 2016)."""
    n_step: int = 1
    """Rewards of so many steps before the estimate (Sutton 1988; Rainbow: 3)."""
    prioritised: bool = False
    """Replay in proportion to the last error (Schaul et al. 2016)."""
    priority_exponent: float = 0.6
    """How strongly the error counts."""
    priority_correction: float = 0.4
    """The importance weights' exponent at first; 1 at the end."""
    noisy: bool = False
    """Noise on the weights instead of random actions (Fortunato et al. 2018)."""
    noisy_sigma: float = 0.5
    """That noise at first."""
    distributional: bool = False
    """Learn the distribution of returns (C51: Bellemare et al. 2017) ..."""
    atoms: int = 51
    """... on so many values ..."""
    value_least: float = -10.0
    """... from this ..."""
    value_most: float = 10.0
    """... to this: no return may lie outside."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"learning_rate": 0, "learning_rate_final": 0, "batch_size": 1, "learning_starts": 0})
        require(self, {"train_every": 1, "updates_per_step": 0, "target_every": 1, "frames": 1, "n_step": 1})
        require(self, {"replay_size": 2 * self.num_envs, "max_gradient_norm": 0, "noisy_sigma": 0, "atoms": 2})
        require(self, {"priority_exponent": 0, "priority_correction": 0})
        _require_share(self, "epsilon_start", "epsilon_final", "epsilon_share")
        if any(units < 1 for units in self.hidden):
            raise ValueError(f"hidden holds numbers of units, each at least 1, not {self.hidden}")
        if not self.value_least < self.value_most:
            raise ValueError(f"value_least ({self.value_least}) must be below value_most ({self.value_most})")


AGENTS: dict[str, type[Training]] = {kind.agent: kind for kind in (QLearning, SARSA, DQN)}
"""Settings by the agent's name."""


def differences(before: Training, now: Training) -> list[str]:
    """The settings that keep a run from being gone on with, as "name = before, now after"."""
    if type(before) is not type(now):
        return [f"agent = {before.agent}"]
    names = [f.name for f in dataclasses.fields(now) if f.name not in MAY_CHANGE]
    return [f"{name} = {_show(getattr(before, name))}" for name in names if getattr(before, name) != getattr(now, name)]


def _show(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
