"""Glimpse as Gymnasium environments: one at a time, or many in one kernel. Importing this module registers the ids:

    import gymnasium
    env = gymnasium.make("games.glimpse.env:rlcore/Glimpse-v0")     # the eye moves in steps, or answers
    env = gymnasium.make("rlcore/GlimpseLocations-v0", split="test")   # each action is an answer and a location

Settings are those of ``games.glimpse.views.Glimpses``; ``info["label"]`` holds the right answer, to learn from.
"""

from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from games.environments import EpisodesEnv, EpisodesVectorEnv
from games.glimpse.views import Glimpses

__all__ = ["IDS", "GlimpseEnv", "GlimpseVectorEnv"]


class GlimpseEnv(EpisodesEnv):
    """One canvas. Raises ValueError where there is no such task or render mode."""

    def __init__(self, render_mode: str | None = None, **settings: Any) -> None:
        super().__init__(Glimpses(1, **settings), render_mode)


class GlimpseVectorEnv(EpisodesVectorEnv):
    """Many canvases. Raises ValueError where there is no such number, task or mode."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(Glimpses(num_envs, **settings), max_episode_steps, autoreset_mode, render_mode)


IDS: dict[str, dict[str, Any]] = {
    "rlcore/Glimpse-v0": {"free_eye": False, "pieces": 0, "size": 4, "scales": 3, "stride": 4},
    "rlcore/GlimpseLocations-v0": {"free_eye": True},
}
"""What is registered, and with which settings: small windows on clutter for the recurrent attention model, and, for
agents without memory, three patches that show a digit whole once the eye is on it."""

for _id, _settings in IDS.items():
    gymnasium.register(
        _id,
        entry_point="games.glimpse.env:GlimpseEnv",
        vector_entry_point="games.glimpse.env:GlimpseVectorEnv",
        kwargs=_settings,
    )
