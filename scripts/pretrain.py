"""Teach a network chess or shogi: by a UCI or USI engine, or by games of PGN, CSA and KIF files."""

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import UnknownGame
from rlcore.config import read
from selfplay.config import Config, ConfigError, LessonConfig, read_config
from selfplay.presets import DEFAULT, HELP, named_run, take_preset, taught, with_preset


@dataclass(frozen=True)
class Settings:
    """Teach a network, by an engine or by games of files. Run it again to go on where it stopped.

    python scripts/pretrain.py --game chess --teacher stockfish --max-minutes 60
    python scripts/pretrain.py --game shogi --teacher fairy-stockfish --nodes 2000
    python scripts/pretrain.py --game chess --games lichess.pgn otb.pgn

    The result is a run as self-play makes them, in runs/<game>-taught: play.py and match.py take it as an engine, and
    selfplay.py --run-dir goes on from it.
    """

    lessons: Annotated[LessonConfig, tyro.conf.arg(name="")] = field(default_factory=LessonConfig)
    run: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)


def read_settings() -> Settings:
    """The command line's settings; what it leaves out is as in the run that it goes on with, else as in its preset."""
    preset, flags = take_preset(sys.argv[1:])
    run = named_run(flags)
    folder = run.run_dir or Path("runs") / f"{run.game}-taught"
    if (folder / "config.json").exists():
        lessons = taught(run)[1]
        run = dataclasses.replace(read_config(folder / "config.json"), max_minutes=run.max_minutes)
    else:
        preset = preset or DEFAULT
    if preset is not None:
        run, lessons = taught(with_preset(run, preset))
    if (folder / "lessons.json").exists():
        lessons = read(LessonConfig, folder / "lessons.json")
    start = Settings(lessons, dataclasses.replace(run, run_dir=folder))
    return tyro.cli(Settings, args=flags, default=start, description=f"{Settings.__doc__}\n\n{HELP}")


def main() -> int:
    try:
        settings = read_settings()
        from rlcore.checkpoint import CheckpointError
        from rlcore.metrics import MetricsError
        from selfplay.learner import NonFiniteError
        from selfplay.log import LogError
        from selfplay.report import Report
        from selfplay.taught import teach
    except (ConfigError, UnknownGame, OSError) as error:
        return fail(error)
    except KeyboardInterrupt:
        print("Stopped before training began.")
        return 0
    try:
        with Report() as report:
            teach(settings.run, settings.lessons, report)
    except (ConfigError, CheckpointError, LogError, MetricsError, NonFiniteError, FloatingPointError, OSError) as error:
        return fail(error)
    except MemoryError:
        return fail("there is not enough memory for this network")
    return 0


def fail(error: object) -> int:
    print(f"pretrain: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
