"""Catch as Gymnasium environments: one at a time, or many in one kernel. Importing this module registers the ids:

    import gymnasium
    env = gymnasium.make("games.catch.env:rlcore/Catch-v0")      # or import it, and then by "rlcore/..." alone
    envs = gymnasium.make_vec("rlcore/CatchRetina-v0", num_envs=64, size=8, scales=1)

Settings are those of ``games.catch.views``: of ``FullCatch``, or, through a retina, ``RetinaCatch``.
"""

from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from games.catch.views import FullCatch, RetinaCatch
from games.environments import EpisodesEnv, EpisodesVectorEnv
from games.episodes import Episodes

__all__ = ["IDS", "CatchEnv", "CatchVectorEnv"]


def _episodes(num: int, retina: bool, settings: dict[str, Any]) -> Episodes:
    return RetinaCatch(num, **settings) if retina else FullCatch(num, **settings)


class CatchEnv(EpisodesEnv):
    """One game. Raises ValueError where there is no such canvas, retina or render mode.

    Args:
        retina: whether it is seen through one; else an observation is the whole screen.
    """

    def __init__(self, retina: bool = False, render_mode: str | None = None, **settings: Any) -> None:
        super().__init__(_episodes(1, retina, settings), render_mode)


class CatchVectorEnv(EpisodesVectorEnv):
    """Many games. Raises ValueError where there is no such number, canvas, retina or mode."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        retina: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(_episodes(num_envs, retina, settings), max_episode_steps, autoreset_mode, render_mode)


IDS: dict[str, dict[str, Any]] = {
    "rlcore/Catch-v0": {},
    "rlcore/CatchRetina-v0": {"retina": True, "free_eye": False},
    "rlcore/CatchRetinaLocations-v0": {"retina": True, "free_eye": True},
}
"""What is registered, and with which settings."""

for _id, _settings in IDS.items():
    gymnasium.register(
        _id,
        entry_point="games.catch.env:CatchEnv",
        vector_entry_point="games.catch.env:CatchVectorEnv",
        reward_threshold=0.95 if _id == "rlcore/Catch-v0" else None,
        kwargs=_settings,
    )
