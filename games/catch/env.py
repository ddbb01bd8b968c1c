"""Catch as Gymnasium environments: one at a time, or many in one kernel. Importing this module registers the ids:

import gymnasium
env = gymnasium.make("games.catch.env:rlcore/Catch-v0")      # or import it, and then by "rlcore/..." alone
envs = gymnasium.make_vec("rlcore/Catch-v0", num_envs=64)
"""

import gymnasium
from gymnasium.vector import AutoresetMode

from games.catch.views import FullCatch
from games.environments import EpisodesEnv, EpisodesVectorEnv

__all__ = ["IDS", "CatchEnv", "CatchVectorEnv"]


class CatchEnv(EpisodesEnv):
    """One game of which all is seen, as pixels: an observation is [height, width] uint8.

    Raises:
        ValueError: the canvas is too small, or there is no such render mode.
    """

    def __init__(self, height: int = 12, width: int = 12, render_mode: str | None = None) -> None:
        super().__init__(FullCatch(1, height, width), render_mode)


class CatchVectorEnv(EpisodesVectorEnv):
    """Many such games.

    Raises:
        ValueError: there is no such number, canvas or mode.
    """

    def __init__(
        self,
        num_envs: int = 1,
        height: int = 12,
        width: int = 12,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(FullCatch(num_envs, height, width), autoreset_mode, render_mode)


IDS = ("rlcore/Catch-v0",)
"""What is registered."""

gymnasium.register(
    "rlcore/Catch-v0",
    entry_point="games.catch.env:CatchEnv",
    vector_entry_point="games.catch.env:CatchVectorEnv",
    reward_threshold=0.95,
)
