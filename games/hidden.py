"""Two small tasks whose observations hide the state, as Gymnasium environments; their exact solutions are known.

rlcore/ShortCorridor-v0   all states look alike, so the best policy is one that is never sure
rlcore/Recall-v0          what was shown first decides what is right at last: nothing is learned without a memory
"""

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from games.grid_world.env import GridWorldEnv, GridWorldVectorEnv
from rlcore.jit import Array
from rlcore.mdp import MDP, checked

__all__ = [
    "BEST_RETURN",
    "BEST_RIGHT",
    "RecallEnv",
    "RecallVectorEnv",
    "ShortCorridorEnv",
    "ShortCorridorVectorEnv",
    "corridor",
    "corridor_return",
    "recall",
]  # fmt: skip

LEFT, RIGHT = 0, 1
BEST_RIGHT = 2.0 - math.sqrt(2.0)
"""The best probability of going right in the corridor ..."""
BEST_RETURN = -4.0 * math.sqrt(2.0) - 6.0
"""... and its expected return."""


def corridor() -> tuple[MDP, Array]:
    """Example 13.1 of Sutton and Barto, 2nd edition (2018), and what is shown of each of its states: nothing.

    start 0 - 1 - 2 - goal        every step costs 1; at the left end, left stays; in state 1 left and right are
                                  exchanged
    """
    next_state = np.array([[[0], [1]], [[2], [0]], [[1], [3]], [[3], [3]]])
    shape = next_state.shape
    terminated = next_state == 3
    return checked(
        MDP(np.ones(shape), next_state, np.full(shape, -1.0), terminated, np.eye(4)[0], np.ones(shape[:2], np.bool_))
    ), np.zeros(4, np.int64)


def corridor_return(right: float) -> float:
    """The expected return, without a limit of steps, of going right with this probability in every state."""
    return (2.0 * right - 4.0) / (right * (1.0 - right))


def recall(length: int = 20, cues: int = 2) -> tuple[MDP, Array]:
    """One of some cues is seen at the first of ``length`` steps, nothing then, and at the last a question.

    The action with the cue's number is right there, and has reward 1; whatever else is done has none. Who does not
    remember has 1 / cues.

    Returns:
        the process, and what is shown of each state: 0 nothing, 1 the question, 2 + c the cue c.

    Raises:
        ValueError: there are fewer than two steps or cues.
    """
    if length < 2 or cues < 2:
        raise ValueError(f"there is nothing to recall with {length} steps and {cues} cues")
    shape = length * cues, cues, 1  # state = step * cues + cue
    step, cue = np.divmod(np.arange(length * cues), cues)
    last = step == length - 1
    next_state = np.broadcast_to(np.minimum(np.arange(length * cues) + cues, length * cues - 1)[:, None, None], shape)
    reward = (last[:, None] & (cue[:, None] == np.arange(cues)))[..., None].astype(np.float64)
    terminated = np.broadcast_to(last[:, None, None], shape)
    process = MDP(np.ones(shape), next_state, reward, terminated, (step == 0) / cues, np.ones(shape[:2], np.bool_))
    return checked(process), np.where(step == 0, 2 + cue, np.where(last, 1, 0))


class ShortCorridorEnv(GridWorldEnv):
    """One agent in the corridor."""

    def __init__(self, render_mode: str | None = None) -> None:
        world, shown = corridor()
        super().__init__(world, render_mode, shown)


class ShortCorridorVectorEnv(GridWorldVectorEnv):
    """Many of them; see ``GridWorldVectorEnv``."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        world, shown = corridor()
        super().__init__(num_envs, max_episode_steps, world, autoreset_mode, render_mode, shown)


class RecallEnv(GridWorldEnv):
    """One agent that is asked for a cue; see ``recall``."""

    def __init__(self, length: int = 20, cues: int = 2, render_mode: str | None = None) -> None:
        world, shown = recall(length, cues)
        super().__init__(world, render_mode, shown)


class RecallVectorEnv(GridWorldVectorEnv):
    """Many of them; see ``GridWorldVectorEnv``."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        length: int = 20,
        cues: int = 2,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        world, shown = recall(length, cues)
        super().__init__(num_envs, max_episode_steps, world, autoreset_mode, render_mode, shown)


def _register(name: str, kind: str, limit: int, **settings: Any) -> None:
    gymnasium.register(
        f"rlcore/{name}-v0",
        entry_point=f"games.hidden:{kind}Env",
        vector_entry_point=f"games.hidden:{kind}VectorEnv",
        max_episode_steps=limit,
        kwargs=settings,
    )


_register("ShortCorridor", "ShortCorridor", 1000)
_register("Recall", "Recall", 100)
