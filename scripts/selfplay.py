"""Train a game engine by self-play, from nothing, on what this machine has."""

import dataclasses
import sys
from pathlib import Path

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # the clone; and scripts/selfplay.py must not hide selfplay/

from games import UnknownGame
from selfplay.config import Config, ConfigError, read_config
from selfplay.presets import DEFAULT, HELP, named_run, take_preset, with_preset


def read_settings() -> Config:
    """The command line's settings; what it leaves out is as in its preset, else as in the run that it goes on with."""
    preset, flags = take_preset(sys.argv[1:])
    start = named_run(flags)
    path = start.folder() / "config.json"
    if path.exists():
        start = dataclasses.replace(read_config(path), max_minutes=start.max_minutes)
    else:
        preset = DEFAULT if preset is None else preset
    if preset is not None:
        start = with_preset(start, preset)
    return tyro.cli(Config, args=flags, default=start, description=f"{Config.__doc__}\n\n{HELP}")


def main() -> int:
    try:
        config = read_settings()
        from rlcore.checkpoint import CheckpointError
        from rlcore.metrics import MetricsError
        from selfplay.learner import NonFiniteError
        from selfplay.log import LogError
        from selfplay.loop import train
        from selfplay.report import Report
    except (ConfigError, UnknownGame, OSError) as error:
        return fail(error)
    except KeyboardInterrupt:
        print("Stopped before training began.")
        return 0
    try:
        with Report() as report:
            train(config, report)
    except (ConfigError, CheckpointError, LogError, MetricsError, NonFiniteError, FloatingPointError, OSError) as error:
        return fail(error)
    except MemoryError:
        return fail("there is not enough memory for this network and this many games and simulations")
    return 0


def fail(error: object) -> int:
    print(f"selfplay: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
