"""Settings that belong together, by the machine they are for: chosen with ``--preset``, changed flag by flag.

A preset says how games are played, searched and learned from, and the size of the network; all else is the run's own.
What goes by the game instead of the machine stands in ``BY_GAME``, what was found for a small game on two cores in
``SMALL_GAMES``. Only the first preset has been measured: the others are scaled from it and from published runs, and are
to begin with.

``alphazero`` is as published (Science 362:1140, with its pseudocode), as far as settings go. What differs:

1. The value head is win, draw, loss with cross-entropy, not one number with squared error; weight decay spares biases
   and batch norm.
2. The replay window is counted in positions: about a million games' worth, not a million games.
3. Games and steps go hand in hand (``reuse``): 700,000 steps of 4,096 over 44 million games are 65 positions a game,
   here one sample a position. In the paper both went on at their own speed.
4. Five thousand TPUs played there; one GPU would be busy for years.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from games import GameName, check_name
from rlcore.config import NetworkConfig, SearchConfig
from selfplay.config import ActorConfig, Config, ConfigError, LearnerConfig, LessonConfig

__all__ = ["BY_GAME", "DEFAULT", "HELP", "PRESETS", "Preset", "named_run", "take_preset", "taught", "with_preset"]


class Preset(NamedTuple):
    """The settings, for chess, and a line on what they are for."""

    text: str
    config: Config


DEFAULT = "two-cores"
_GUMBEL = Config().search

PRESETS = {
    DEFAULT: Preset("two processor cores, ten minutes: 3 blocks x 48 channels, 32 simulations", Config()),
    "laptop": Preset(
        "four cores or more, some hours: 4 x 64, 32 simulations",
        Config(
            network=NetworkConfig(blocks=4, channels=64),
            learner=LearnerConfig(window_min=50_000, decay_steps=(150_000, 400_000)),
        ),
    ),
    "gpu": Preset(
        "a GPU of a desktop, a day: 6 x 96, 64 simulations, 3 groups of 256 games",
        Config(
            actor=ActorConfig(threads=3, games=256, max_plies=300, cache_positions=0),
            search=replace(_GUMBEL, simulations=64),
            network=NetworkConfig(blocks=6, channels=96),
            learner=LearnerConfig(
                batch_size=1024, window_min=100_000, window_max=4_000_000, decay_steps=(100_000, 200_000)
            ),
        ),
    ),
    "large-gpu": Preset(
        "a large GPU with 8 cores or more: 10 x 128, 64 simulations, 4 groups of 512 games",
        Config(
            actor=ActorConfig(threads=4, games=512, max_plies=400, cache_positions=0),
            search=replace(_GUMBEL, simulations=64),
            network=NetworkConfig(blocks=10, channels=128),
            learner=LearnerConfig(
                batch_size=2048, window_min=200_000, window_max=8_000_000, decay_steps=(100_000, 200_000)
            ),
        ),
    ),
    "alphazero": Preset(
        "AlphaZero as published: 20 x 256, PUCT with 800 simulations, history 8, batch 4,096; for very large machines",
        Config(
            history=8,
            actor=ActorConfig(
                threads=4, games=256, max_plies=512, sample_plies=30, random_plies=0, cache_positions=250_000
            ),
            search=SearchConfig(
                simulations=800, root="puct", interior="puct", c_init=1.25, c_base=19652.0, first_play=-1.0,
                noise_alpha=0.3, noise_weight=0.25,
            ),
            network=NetworkConfig(blocks=19, channels=256, value_channels=1, value_hidden=256),
            learner=LearnerConfig(
                batch_size=4096, reuse=1.0, window_share=1.0, window_max=100_000_000, root_value_share=0.0,
                ply_limit_value="draw", optimizer="sgd", learning_rate=0.2, warmup_steps=0,
                decay_steps=(100_000, 300_000, 500_000), weight_decay=1e-4, average=0.0, publish_steps=1000,
            ),
        ),
    ),
}  # fmt: skip
"""By name, from the smallest machine to the largest."""

BY_GAME: dict[GameName, dict[str, dict[str, Any]]] = {
    "shogi": {"actor": {"max_plies": 512}, "search": {"noise_alpha": 0.15}},
    "tic_tac_toe": {
        "actor": {"max_plies": 9, "random_plies": 6, "random_share": 0.5},
        "search": {"noise_alpha": 2.0},
    },
    "connect_four": {
        "actor": {"max_plies": 42, "random_plies": 24, "random_share": 0.5},
        "search": {"noise_alpha": 1.4},
    },
    "grid_world": {
        "actor": {"max_plies": 64, "random_plies": 16, "sample_plies": 2},
        "search": {"noise_alpha": 3.0},
        "learner": {"ply_limit_value": "draw"},
    },
}
"""What another game has in every preset, whatever the machine. As in AlphaZero, the noise goes by the number of legal
moves, about ten divided by it. No game begins with random moves where none does in the preset."""

SMALL_GAMES: dict[GameName, dict[str, dict[str, Any]]] = {
    "tic_tac_toe": {"network": {"blocks": 2, "channels": 32}, "learner": {"reuse": 1.0}},
    "connect_four": {"search": {"simulations": 64}, "learner": {"decay_steps": (25_000, 100_000)}},
}
"""What a small game has in the default preset beside that, as measured in RESULTS.md."""


HELP = f"--preset NAME sets all that goes by the size of the machine; other flags come on top. Default: {DEFAULT}.\n\n"
HELP += "\n".join(f"  {name:<10} {preset.text}" for name, preset in PRESETS.items())
for _where, _games in (("each", BY_GAME), (DEFAULT, SMALL_GAMES)):
    for _game, _parts in _games.items():
        _changed = [f"{part}.{name.replace('_', '-')} {_parts[part][name]}" for part in _parts for name in _parts[part]]
        HELP += f"\n\nIn {_game} {_where} has {', '.join(_changed)}."


def take_preset(flags: Sequence[str]) -> tuple[str | None, list[str]]:
    """The preset that a command line names, and the flags without it.

    Raises:
        ConfigError: the flag has no value.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--preset")
    try:
        known, rest = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise ConfigError(error) from None
    return known.preset, rest


def named_run(flags: Sequence[str]) -> Config:
    """The game and the run directory that a command line names; all else is as usual.

    Raises:
        ConfigError: a flag has no value.
        UnknownGame: there is no game of that name.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--run-dir", "--run_dir", type=Path)
    parser.add_argument("--game", default=Config().game)
    try:
        known, _ = parser.parse_known_args(flags)
    except argparse.ArgumentError as error:
        raise ConfigError(error) from None
    return Config(game=check_name(known.game), run_dir=known.run_dir)


def with_preset(config: Config, name: str) -> Config:
    """A run's settings with those of a preset for its game in the place of its own.

    Raises:
        ConfigError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    machine = PRESETS[name].config
    parts = {part: getattr(machine, part) for part in ("actor", "search", "network", "learner")}
    for changes in (BY_GAME, SMALL_GAMES if name == DEFAULT else {}):
        game = changes.get(config.game, {})
        parts = {part: replace(settings, **game.get(part, {})) for part, settings in parts.items()}
    plies = min(machine.actor.random_plies, parts["actor"].random_plies)
    parts["actor"] = replace(parts["actor"], random_plies=plies)
    return replace(config, history=machine.history, **parts)


def taught(config: Config) -> tuple[Config, LessonConfig]:
    """A run's settings with what is different where its games are lessons, and the lessons of its game.

    Lessons do not grow old, and the value of a position is the teacher's, not the result of a game with random moves.
    """
    lessons = LessonConfig(temperature=150.0) if config.game == "shogi" else LessonConfig()
    learner = replace(config.learner, root_value_share=1.0, window_min=4_000_000)
    return replace(config, learner=learner), lessons
