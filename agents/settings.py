"""Settings of training on Gymnasium environments, and of each agent. Nothing heavy is imported: see ``--help``."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from rlcore.config import require

__all__ = [
    "A2C",
    "AGENTS",
    "DQN",
    "PPO",
    "REINFORCE",
    "SARSA",
    "ActorCritic",
    "PolicyGradient",
    "QLearning",
    "RecurrentAttention",
    "Training",
]

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
    random_repeats: float = 0.0
    """Random actions are repeated, k times with a probability that falls as k ** -this, where no reward is near (Dabney
    et al. 2021, "Temporally-extended epsilon-greedy exploration": 2); 0 = never."""
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
        if self.random_repeats and not 1.0 < self.random_repeats < math.inf:
            raise ValueError(f"random_repeats must be 0 or above 1, not {self.random_repeats}")
        _require_share(self, "epsilon_start", "epsilon_final", "epsilon_share")
        if any(units < 1 for units in self.hidden):
            raise ValueError(f"hidden holds numbers of units, each at least 1, not {self.hidden}")
        if not self.value_least < self.value_most:
            raise ValueError(f"value_least ({self.value_least}) must be below value_most ({self.value_most})")


@dataclass(frozen=True)
class PolicyGradient(Training):
    """What all agents that learn a policy by its gradient have."""

    hidden: tuple[int, ...] = (64, 64)
    """Units of the fully connected layers; pixels go through convolutions before them."""
    activation: Literal["tanh", "relu"] = "tanh"
    """After each of these layers. Weights are orthogonal at first (gain sqrt 2; heads 0.01 and 1), biases 0."""
    cell: Literal["none", "lstm", "gru"] = "none"
    """A memory of the episode (Hochreiter and Schmidhuber 1997; Cho et al. 2014) ..."""
    units: int = 64
    """... of so many units."""
    learning_rate: float = 3e-4
    """Step size at first ..."""
    learning_rate_final: float = 3e-4
    """... and at the end, in a straight line."""
    max_gradient_norm: float = 0.5
    """Longer gradients are shortened to this length; 0 = never."""
    entropy: float = 0.0
    """Weight of the policy's entropy, which keeps it from being sure too soon."""
    normalise_observations: bool = False
    """Observations less their mean so far, by their deviation, within [-10, 10]."""
    normalise_rewards: bool = False
    """Rewards by the deviation of their discounted sums so far, within [-10, 10]."""
    log_std: float = 0.0
    """Actions that are vectors: logarithm of their deviation at first, in half the width of what is allowed."""
    scored_as_drawn: bool = False
    """Evaluate with actions as the policy draws them, not the most probable ones: where an observation does not tell
    all, the best policy may be one that is never sure."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"units": 1, "learning_rate": 0, "learning_rate_final": 0, "max_gradient_norm": 0, "entropy": 0})
        if any(units < 1 for units in self.hidden):
            raise ValueError(f"hidden holds numbers of units, each at least 1, not {self.hidden}")
        if not math.isfinite(self.log_std):
            raise ValueError(f"log_std must be finite, not {self.log_std}")


@dataclass(frozen=True)
class ActorCritic(PolicyGradient):
    """What agents with a policy and a value have that learn from steps before the episode is over."""

    shared: bool = False
    """Whether policy and value have their layers, and the memory, in common."""
    gae_lambda: float = 0.95
    """How far advantages look before they trust the value (Schulman et al. 2016): 0 = a step, 1 = all there is."""
    value_weight: float = 0.5
    """Weight of the value's squared error in the loss."""
    normalise_advantages: bool = False
    """Advantages less their mean, by their deviation."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"value_weight": 0})
        _require_share(self, "gae_lambda")


@dataclass(frozen=True)
class REINFORCE(PolicyGradient):
    """REINFORCE, Monte-Carlo policy gradient (Williams 1992; Sutton and Barto 2018, chapter 13), with a baseline."""

    agent: ClassVar[str] = "reinforce"

    num_envs: int = 1
    """Environments that are stepped side by side; with more than one, episodes outlast updates and are learned from
    although their first steps were taken by an older policy."""
    episodes: int = 8
    """Episodes of an update."""
    baseline: Literal["none", "average", "value"] = "value"
    """What is taken from returns: nothing, a moving average of theirs, or what a network of its own expects."""
    average_rate: float = 0.05
    """How much of an update's mean return goes into the average, after the update."""
    learning_rate: float = 1e-3
    """Step size at first ..."""
    learning_rate_final: float = 1e-3
    """... and at the end, in a straight line."""
    value_learning_rate: float = 1e-3
    """Step size of the value network ..."""
    value_updates: int = 10
    """... which makes so many gradient steps an update, after the policy's."""
    discount_steps: bool = False
    """Count the t-th step of an episode gamma^t times, as the gradient of the discounted return has it."""
    normalise_advantages: bool = False
    """Returns, less the baseline, by their deviation."""
    max_gradient_norm: float = 0.0
    """Longer gradients are shortened to this length; 0 = never."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"episodes": 1, "value_learning_rate": 0, "value_updates": 1})
        _require_share(self, "average_rate")


@dataclass(frozen=True)
class A2C(ActorCritic):
    """Advantage actor-critic, the synchronous A3C (Mnih et al. 2016)."""

    agent: ClassVar[str] = "a2c"

    rollout_steps: int = 5
    """Steps of each environment between updates."""
    learning_rate: float = 7e-4
    """Step size at first ..."""
    learning_rate_final: float = 7e-4
    """... and at the end, in a straight line."""
    gae_lambda: float = 1.0
    """How far advantages look before they trust the value (Schulman et al. 2016): 0 = a step, 1 = all there is."""
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    """As the paper has it, with decay 0.99; or Adam. Epsilon is 1e-5 in both."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"rollout_steps": 1})


@dataclass(frozen=True)
class PPO(ActorCritic):
    """Proximal policy optimization (Schulman et al. 2017)."""

    agent: ClassVar[str] = "ppo"

    rollout_steps: int = 128
    """Steps of each environment between updates."""
    epochs: int = 4
    """How often an update goes through them ..."""
    minibatch_size: int = 256
    """... in random parts of so many steps; with a memory, whole environments."""
    clip: float = 0.2
    """A ratio of new to old probability that is more than this away from 1 counts no further; at first ..."""
    clip_final: float = 0.2
    """... and at the end, in a straight line."""
    clip_value: float = 0.0
    """Values that moved further than this from their old ones count no further, as in OpenAI's baselines; 0 = never."""
    target_kl: float = 0.0
    """An update stops when policies have moved half as far again as this, in nats; 0 = never."""
    normalise_advantages: bool = True
    """Advantages less their mean, by their deviation (of the population), in each minibatch of more than one."""
    adam_epsilon: float = 1e-5
    """Adam's epsilon."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"rollout_steps": 1, "epochs": 1, "minibatch_size": 1, "clip": 0, "clip_final": 0})
        require(self, {"clip_value": 0, "target_kl": 0, "adam_epsilon": 0})


@dataclass(frozen=True)
class RecurrentAttention(PPO):
    """The recurrent attention model (Mnih et al. 2014): it sees an image through glimpses, and learns where to look.

    Digits are learned as in the paper: answers by their labels, locations by REINFORCE. In Catch, looking and acting
    are learned together, by PPO. What is said below of activation, cell, shared, normalise_observations and log_std
    does not go with it."""

    agent: ClassVar[str] = "recurrent-attention"

    env: str = "digits-translated"
    """The task (--task says the same): digits-centred, digits-translated, digits-cluttered, mnist-centred,
    mnist-translated, mnist-cluttered, mnist-cluttered-100, catch-12 or catch-24."""
    steps: int = 3_000_000
    """Glimpses that each seed trains for."""
    num_envs: int = 256
    """Episodes side by side; of digits, those of an update."""
    gamma: float = 1.0
    """Discount of what comes a step later."""
    learning_rate: float = 1e-3
    """Step size at first ..."""
    learning_rate_final: float = 0.0
    """... and at the end, in a straight line."""
    max_gradient_norm: float = 0.0
    """Longer gradients are shortened to this length; 0 = never: with digits, long gradients of where to look would
    shorten those of the answers."""
    evaluation_episodes: int = 2_000
    """Episodes of each of these, at most; of digits, no more than the canvases of the validation split."""
    final_episodes: int = 2_000
    """Episodes, at most, that the final parameters are scored by, at the end, and the best ones of the evaluations
    again; of digits, the canvases of the test split, each of them once."""
    data: str = ""
    """MNIST: the folder with its original files, gzipped or not, such as train-images-idx3-ubyte.gz."""
    eye: Literal["learned", "random", "centre"] = "learned"
    """Where it looks: where it learned to; anywhere; always at the middle."""
    control: Literal["none", "full-fc", "full-conv", "logistic"] = "none"
    """To compare with: it sees the whole image, through a fully connected layer, through convolutions, or, digits only,
    by logistic regression."""
    canvas: int = 0
    """Side of the canvas in pixels; 0 = as the task has it."""
    retina: int = 0
    """Width of its smallest patch in pixels; 0 = as the task has it."""
    scales: int = 0
    """Its patches, each twice as wide as the one before; 0 = as the task has it."""
    glimpses: int = 0
    """Digits: glimpses of a canvas; 0 = as the task has it."""
    hidden: tuple[int, ...] = (64, 128)
    """Units of the glimpse network: first for what and where, each apart, then for both (paper: 128 256)."""
    core: Literal["none", "rnn", "lstm", "gru"] = "rnn"
    """What remembers (paper: rnn for digits, lstm for Catch) ..."""
    units: int = 128
    """... with so many units (paper: 256)."""
    sigma: float = 0.2
    """Standard deviation of locations while it learns, on a canvas from -1 to 1; at first ..."""
    sigma_final: float = 0.1
    """... and at the end, in a straight line."""
    copies: int = 1
    """Digits: eyes that look at the same canvas, side by side, to learn from their mean."""
    alpha: float = 0.01
    """Digits: weight of the locations' REINFORCE in the loss."""
    notice: float = 0.0
    """Catch: weight of a lesson: the core is taught, while it learns, to know where ball and paddle are."""
    video: bool = True
    """At the end, draw what it looks at: glimpses as pictures, Catch as a GIF."""
    informed: bool = False
    """Catch: the baseline is told, while it learns, where ball and paddle are."""

    def __post_init__(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        super().__post_init__()
        require(self, {"canvas": 0, "retina": 0, "scales": 0, "glimpses": 0, "copies": 1, "alpha": 0, "notice": 0})
        if not (0 < self.sigma < math.inf and 0 < self.sigma_final < math.inf):
            raise ValueError(f"sigma must lie above 0, not {self.sigma} to {self.sigma_final}")
        usual = {f.name: f.default for f in dataclasses.fields(self)}
        for name in ("activation", "cell", "log_std", "max_episode_steps", "normalise_observations", "shared"):
            if getattr(self, name) != usual[name]:
                raise ValueError(f"{name} means nothing to the recurrent attention model: leave it as it is")
        if len(self.hidden) != 2:
            raise ValueError(f"hidden holds two numbers of units, not {self.hidden}")
        if self.num_envs % self.copies:
            raise ValueError(f"num_envs ({self.num_envs}) must be a multiple of copies ({self.copies})")


AGENTS: dict[str, type[Training]] = {
    kind.agent: kind for kind in (QLearning, SARSA, DQN, REINFORCE, A2C, PPO, RecurrentAttention)
}
"""Settings by the agent's name."""


def differences(before: Training, now: Training) -> list[str]:
    """The settings that keep a run from being gone on with, as "name = before, now after"."""
    if type(before) is not type(now):
        return [f"agent = {before.agent}"]
    names = [f.name for f in dataclasses.fields(now) if f.name not in MAY_CHANGE]
    return [f"{name} = {_show(getattr(before, name))}" for name in names if getattr(before, name) != getattr(now, name)]


def _show(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
