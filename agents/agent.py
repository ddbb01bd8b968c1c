"""What an agent on Gymnasium environments is: it acts for many of them at once, learns while it acts, and is saved.

from agents import agent
player = agent.load("runs/dqn/CartPole-v1")       # final parameters of the first seed
action = player.act(observation, info.get("action_mask"))
"""

import importlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np

from agents.settings import AGENTS, Training
from agents.spaces import Spaces, Spec
from rlcore import checkpoint
from rlcore.config import ConfigError, parse
from rlcore.jit import Array

if TYPE_CHECKING:
    from agents.steps import Environments, Step

__all__ = ["Agent", "Generators", "NonFiniteError", "Policy", "Saved", "agent_class", "load", "seed_for"]


class NonFiniteError(ArithmeticError):
    """NaN or infinity in training: the message says where, and what to do."""


class Saved(NamedTuple):
    """All that an agent consists of, as a checkpoint takes it."""

    tensors: dict[str, dict[str, Any]]
    """By group: torch tensors or arrays."""
    state: dict[str, Any]
    """Anything JSON."""


_MOST_AT_ONCE = 100  # environments to be scored in

Memory = Any
"""What an agent remembers of the episodes it is in, a row an environment; None where an observation is all it needs."""


def seed_for(seed: int, purpose: str, *numbers: int) -> int:
    """A seed of 32 bits for one purpose, so that what is random in one place does not depend on another."""
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers]).generate_state(1)
    return int(words[0])


class Generators(dict[str, np.random.Generator]):
    """NumPy generators by purpose, each with a seed of its own; saved as JSON."""

    def __init__(self, seed: int, *purposes: str) -> None:
        super().__init__({purpose: np.random.default_rng(seed_for(seed, purpose)) for purpose in purposes})

    def save(self) -> dict[str, Any]:
        return {purpose: generator.bit_generator.state for purpose, generator in self.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for purpose, generator in self.items():
            generator.bit_generator.state = state[purpose]


class Agent(ABC):
    """An algorithm with what it has learned.

    Args:
        spec: what the environment shows and takes.
        config: settings of the class of ``agents.settings`` that has the algorithm's name.
        seed: of everything random in it.

    Raises:
        ConfigError: it cannot learn in such an environment.
    """

    Config: ClassVar[type[Training]]

    def __init__(self, spec: Spec, config: Any, seed: int) -> None:
        self.spec, self.config = spec, config
        self.steps = 0
        """Environment steps so far."""
        self.episodes = 0
        """Episodes that have ended."""
        self.updates = 0
        """Gradient steps, or updates of a table, so far."""
        self.finished: list[tuple[float, int]] = []
        """(return, length) of episodes that have ended, until somebody takes them."""

    @classmethod
    def environments(cls, config: Any, seed: int) -> "Environments":
        """The environments to learn in."""
        from agents.environments import make

        limit = config.max_episode_steps or None
        return make(config.env, config.num_envs, seed_for(seed, "environments"), max_steps=limit)

    def trials(self, episodes: int, seed: int, purpose: str) -> "tuple[Environments, int]":
        """Environments to be scored in, and for how many episodes: as many as are asked for, or all there are.

        Args:
            purpose: "evaluation" while it trains; else it is over.
        """
        from agents.environments import make

        limit = self.config.max_episode_steps or None
        return make(self.config.env, min(episodes, _MOST_AT_ONCE), seed, max_steps=limit), episodes

    def spaces(self) -> Any:
        """What turns an observation of the environment into an array, and actions back (``agents.spaces.Spaces``)."""
        from agents.environments import find, one_of

        env = one_of(find(self.config.env), None)
        found = Spaces(env.observation_space, env.action_space, self.config.env)
        env.close()
        return found

    def picture(self, folder: Path) -> None:
        """Write pictures of what it does into the folder of its seed, which holds its checkpoints.

        Raises:
            Exception: whatever a machine without a screen provokes in a library that draws.
        """
        from agents.watch import record

        record(folder, None, folder / "episode.gif")

    def begin(self, num: int) -> Memory:
        """The memory at the start of ``num`` episodes."""
        return None

    def forget(self, memory: Memory, ended: Array) -> None:
        """Begin new episodes in these environments ([k] int64), in place."""
        return

    @abstractmethod
    def act(
        self, observations: Array, masks: Array | None, memory: Memory = None, greedy: bool = True
    ) -> tuple[Array, Memory]:
        """Actions [n], int64 or [n, d] float32, and the memory after them.

        Args:
            observations: [n, *shape], see ``Spec``.
            masks: [n, A] bool: what may be chosen; none = everything.
            memory: from ``begin`` or the last call.
            greedy: the best actions, else such as are taken while learning.
        """

    @abstractmethod
    def advance(self, envs: "Environments") -> None:
        """Act for a while, and learn; ``stepped`` is told of every step."""

    def stepped(self, step: "Step") -> None:
        """Count a step of the environments."""
        self.steps += int(step.live.sum())
        self.episodes += len(step.ended)
        self.finished += zip(step.returns.tolist(), step.lengths.tolist(), strict=True)

    @abstractmethod
    def weights(self) -> dict[str, Any]:
        """What it acts by, as tensors: copies."""

    @abstractmethod
    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Act by these from now on."""

    def figures(self) -> dict[str, float]:
        """What is worth a curve, since the last call."""
        return {}

    def save(self) -> Saved:
        """Everything, counters included; what `advance` does after it, it does after `restore`, bit for bit."""
        return Saved(
            {"weights": self.weights()}, {"steps": self.steps, "episodes": self.episodes, "updates": self.updates}
        )

    def restore(self, saved: Saved, envs: "Environments", restarted: list[int]) -> None:
        """Be what was saved.

        Args:
            envs: as they were then ...
            restarted: ... but for these, whose episodes could not be gone on with: they begin new ones.
        """
        self.set_weights(saved.tensors["weights"])
        self.steps, self.episodes, self.updates = (int(saved.state[name]) for name in ("steps", "episodes", "updates"))


_CLASSES = {
    "q-learning": "q_learning:QLearner",
    "sarsa": "q_learning:SARSALearner",
    "dqn": "dqn:DQNAgent",
    "reinforce": "reinforce:REINFORCEAgent",
    "a2c": "a2c:A2CAgent",
    "ppo": "ppo:PPOAgent",
    "recurrent-attention": "recurrent_attention:RecurrentAttentionAgent",
}


def agent_class(name: str) -> type[Agent]:
    """The algorithm of that name, imported now."""
    module, _, kind = _CLASSES[name].partition(":")
    found: type[Agent] = getattr(importlib.import_module(f"agents.{module}"), kind)
    return found


class Policy:
    """A trained agent in one episode: it takes what the environment shows, and answers what the environment takes."""

    def __init__(self, agent: Agent) -> None:
        self.agent, self._spaces = agent, agent.spaces()
        self.reset()

    def reset(self) -> None:
        """Begin an episode; needed only by agents that remember."""
        self._memory = self.agent.begin(1)

    def act(self, observation: Any, action_mask: Array | None = None) -> Any:
        """The action that it thinks best.

        Args:
            observation: as the environment gives it.
            action_mask: [A], 1 = allowed, as in ``info["action_mask"]``; none = everything.
        """
        masks = None if action_mask is None else np.asarray(action_mask, np.bool_)[None]
        actions, self._memory = self.agent.act(self._spaces.observe(observation)[None], masks, self._memory)
        action = self._spaces.act(actions)[0]
        return int(action) if self.agent.spec.num_actions else action


def load(run_dir: str | Path, seed: int | None = None, which: Literal["final", "best"] = "final") -> Policy:
    """An agent that was trained by ``scripts/train.py``.

    Args:
        run_dir: the run's folder, or a seed's in it.
        seed: which of its seeds; none = the first there is.
        which: its last parameters, or those that did best when evaluated.

    Raises:
        ConfigError, CheckpointError: there is none, or it is damaged.
    """
    folder = _seed_folder(Path(run_dir), seed)
    saved = checkpoint.load_newest(folder / "checkpoints", framework="torch")
    if saved is None:
        raise ConfigError(f"there is no checkpoint in {folder}; train first, or name another folder")
    return Policy(restored(saved, which, str(folder)))


def restored(saved: checkpoint.Checkpoint, which: str, place: str) -> Agent:
    """The agent in a checkpoint, to act."""
    try:
        name, seed = saved.state["agent"], int(saved.state["seed"])
        config = parse(AGENTS[name], saved.state["config"], place)
        agent = agent_class(name)(spec_from_json(saved.state["spec"]), config, seed)
        agent.set_weights(saved.tensors["best" if which == "best" and "best" in saved.tensors else "weights"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise ConfigError(f"checkpoint {saved.name} of {place} holds no agent of this version ({error})") from None
    return agent


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """A spec as JSON has it."""
    plain = spec._replace(dtype=np.dtype(spec.dtype).str, low=spec.low.tolist(), high=spec.high.tolist())
    return plain._asdict()


def spec_from_json(values: Mapping[str, Any]) -> Spec:
    """What ``spec_to_json`` gave. Raises TypeError where it is something else."""
    spec = Spec(**values)
    low, high = (np.array(bounds, np.float32) for bounds in (spec.low, spec.high))
    return spec._replace(shape=tuple(spec.shape), dtype=np.dtype(spec.dtype), low=low, high=high)


def seed_folders(run_dir: Path) -> list[Path]:
    """The folders of a run's seeds, in their order.

    Raises:
        ConfigError: there are none.
    """
    found = sorted((int(path.name[5:]), path) for path in run_dir.glob("seed-*") if path.name[5:].isdigit())
    if not found:
        raise ConfigError(f"{run_dir} holds no run; train one, or name another folder")
    return [path for _, path in found]


def _seed_folder(run_dir: Path, seed: int | None) -> Path:
    if (run_dir / "checkpoints").is_dir():
        return run_dir
    folders = seed_folders(run_dir)
    if seed is None:
        return folders[0]
    if (folder := run_dir / f"seed-{seed}") not in folders:
        raise ConfigError(f"{run_dir} has the seeds {', '.join(path.name[5:] for path in folders)}, not {seed}")
    return folder
