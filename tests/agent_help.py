"""What the tests of agents share: training in this process, and environments that are made to go wrong or come right.

Importing this module registers them; a command in another process finds "agent_help:tests/One-v0" where tests/ is on
its path.
"""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from agents import training
from agents.agent import Agent, agent_class
from agents.settings import Training
from agents.steps import Environments
from games.grid_world.maps import Cell, parse
from rlcore import checkpoint
from rlcore.metrics import read
from rlcore.tensors import Tensors

torch.set_num_threads(1)  # as seeds train: several only get into each other's way

_MAP, _LEGEND = "S.G\n.#.\n..X", {"G": Cell(terminal=True, reward=0.5), "X": Cell(terminal=True, reward=-0.25)}
SMALL = parse(_MAP, _LEGEND, slip=0.1, step_reward=-0.04)
"""Nine cells, six to choose in."""
MASKED = parse(_MAP, _LEGEND, slip=0.1, step_reward=-0.04, bumping=False)


class One(gymnasium.Env):
    """One place, for ever, with a reward of 1 for every step."""

    def __init__(self, kind: str = "index") -> None:
        self.observation_space = spaces.Discrete(1) if kind == "index" else spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = spaces.Discrete(2)

    def show(self) -> Any:
        return 0 if isinstance(self.observation_space, spaces.Discrete) else np.array([0.5, -0.5], np.float32)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        return self.show(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict]:
        return self.show(), 1.0, False, False, {}


class Chain(gymnasium.Env):
    """Places 0 to n - 1 in a row; 1 goes right, 0 left; beyond the right end is a reward of 1, and the end.

    Args:
        shown: "start" numbers places from 3, and actions from -1; "dict", "tuple", "box" show the same otherwise.
        masked: action 2 is forbidden; who takes it gets what ``forbidden`` says, and the episode ends.
        huge: rewards are multiplied by this after 300 steps.
        entropy: from an odd place on, places jump by chance of the system's, which no seed decides.
    """

    def __init__(
        self,
        n: int = 4,
        shown: str = "",
        masked: bool = False,
        huge: float = 1.0,
        entropy: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.n, self.shown, self.masked, self.huge, self.entropy = n, shown, masked, huge, entropy
        self.observation_space = {
            "": spaces.Discrete(n),
            "start": spaces.Discrete(n, start=3),
            "box": spaces.Box(0, 1, (n,), np.float32),
            "dict": spaces.Dict({"place": spaces.Discrete(n), "noise": spaces.Box(-1, 1, (2,), np.float32)}),
            "tuple": spaces.Tuple((spaces.Discrete(n), spaces.Box(-1, 1, (1,), np.float32))),
        }[shown]
        self.first = -1 if shown == "start" else 0
        self.action_space = spaces.Discrete(3 if masked else 2, start=self.first)
        self.steps = self.place = self.began = 0

    def show(self) -> tuple[Any, dict]:
        rows = {
            "": self.place,
            "start": self.place + 3,
            "box": np.eye(self.n, dtype=np.float32)[self.place],
            "dict": {"place": self.place, "noise": np.zeros(2, np.float32)},
            "tuple": (self.place, np.zeros(1, np.float32)),
        }
        return rows[self.shown], {"action_mask": np.array([1, 1, 0], np.int8)} if self.masked else {}

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.place = self.began = int(self.np_random.integers(self.n))
        return self.show()

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        assert not (self.masked and action == 2), "a forbidden action was taken"
        self.steps += 1
        self.place += 1 if action - self.first else -1
        if self.entropy and self.began % 2:
            self.place += secrets.randbelow(2)
        ends = self.place >= self.n
        self.place = min(max(self.place, 0), self.n - 1)
        observation, info = self.show()
        return observation, float(ends) * (self.huge if self.steps > 300 else 1.0), ends, False, info


def chain_values(n: int, gamma: float) -> np.ndarray:
    """The best values of actions left and right in ``Chain``, [n, 2]."""
    right = gamma ** np.arange(n - 1, -1, -1.0)
    left = gamma * right[np.maximum(np.arange(n) - 1, 0)]
    return np.stack([left, right], 1)


HERE = "agent_help" if __name__ == "agent_help" else "tests.agent_help"
for _name, _class, _limit, _settings in (
    ("One", One, 5, {}),
    ("OneBox", One, 5, {"kind": "box"}),
    ("Endless", One, None, {}),
    ("Chain", Chain, 50, {}),
    ("ChainStart", Chain, 50, {"shown": "start"}),
    ("ChainDict", Chain, 50, {"shown": "dict"}),
    ("ChainTuple", Chain, 50, {"shown": "tuple"}),
    ("ChainBox", Chain, 50, {"shown": "box"}),
    ("ChainMasked", Chain, 50, {"masked": True}),
    ("ChainHuge", Chain, 50, {"shown": "box", "huge": 1e39}),
    ("ChainEntropy", Chain, 50, {"entropy": True, "n": 30}),
):
    gymnasium.register(
        f"tests/{_name}-v0", entry_point=f"{HERE}:{_class.__name__}", max_episode_steps=_limit, kwargs=_settings
    )
for _name, _world in (("Small", SMALL), ("SmallMasked", MASKED)):
    gymnasium.register(
        f"tests/{_name}-v0",
        entry_point="games.grid_world.env:GridWorldEnv",
        vector_entry_point="games.grid_world.env:GridWorldVectorEnv",
        max_episode_steps=50,
        kwargs={"world": _world},
    )


# --- training --------------------------------------------------------------------------------------------------------


def make(config: Training, seed: int = 0) -> tuple[Any, Environments]:
    """An agent that knows nothing, and its environments."""
    kind = agent_class(config.agent)
    envs = kind.environments(config, seed)
    return kind(envs.spec, config, seed), envs


def learn(config: Training, seed: int = 0) -> Any:
    """An agent that has learned for all of its steps: no evaluations, no files."""
    agent, envs = make(config, seed)
    while agent.steps < config.steps:
        agent.advance(envs)
    envs.close()
    return agent


def train(
    config: Training, folder: Path, seed: int = 0, stop: Callable[[int], bool] = lambda steps: False
) -> tuple[dict[str, Any] | None, list[str]]:
    """The result of training one seed in this process, and the lines that a person is told.

    Args:
        stop: whether to stop, by the steps so far that were told of.
    """
    steps, lines = 0, []

    def tell(progress: Any) -> None:
        nonlocal steps
        steps = progress.steps
        if progress.note:
            lines.append(progress.note)

    return training.train(config, seed, folder, tell, lambda: stop(steps)), lines


def kept(folder: Path) -> checkpoint.Checkpoint:
    """The newest checkpoint of a seed."""
    found = checkpoint.load_newest(folder / "checkpoints", framework="torch")
    assert found is not None
    return found


def differences(one: checkpoint.Checkpoint, other: checkpoint.Checkpoint) -> list[str]:
    """The names of the tensors, and of the parts of the state, that are not the same bit for bit; times aside."""
    wrong = [f"group {name}" for name in set(one.tensors) ^ set(other.tensors)]
    for group in set(one.tensors) & set(other.tensors):
        wrong += [f"{group}.{name}" for name in _unlike(one.tensors[group], other.tensors[group])]
    mine, theirs = ({k: v for k, v in it.state.items() if k not in _TIMES} for it in (one, other))
    mine["evaluations"], theirs["evaluations"] = (
        [[step, *scores] for step, _, *scores in it.state["evaluations"]] for it in (one, other)
    )
    return sorted(wrong + [f"state {name}" for name in set(mine) | set(theirs) if mine.get(name) != theirs.get(name)])


_TIMES = ("seconds", "evaluating", "config")


def _unlike(one: Tensors, other: Tensors) -> list[str]:
    return [n for n in set(one) | set(other) if n not in one or n not in other or not _equal(one[n], other[n])]


def _equal(one: Any, other: Any) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


def metrics(folder: Path) -> list[dict[str, Any]]:
    """All that was measured, but for what a clock says."""
    return [
        {k: repr(v) for k, v in line.items() if k != "time" and not k.startswith("speed/")} for line in read(folder)
    ]


def same_weights(one: Agent, other: Agent) -> bool:
    return not _unlike(one.weights(), other.weights())
