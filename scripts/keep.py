"""Pack a run into one small file, to go on from elsewhere; and unpack it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Pack a run into one small file, to go on from elsewhere; and unpack it.

    The file holds the settings, the newest checkpoint and as many of the latest games as there is room for.
    """

    file: Path
    """The file."""
    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game; a file that is unpacked knows its own."""
    run_dir: Path | None = None
    """The run. Default: runs/<game>."""
    unpack: bool = False
    """Make a run of the file, in a folder without one."""
    megabytes: float = 16.0
    """The most that the file may have; a megabyte is 1,000,000 bytes."""


def main() -> int:
    s = tyro.cli(Settings)
    from games import UnknownGame, load
    from selfplay import kept
    from selfplay.config import ConfigError
    from selfplay.log import LogError

    try:
        if s.unpack:
            config = kept.unpack(s.file, s.run_dir)
            folder = s.run_dir or config.folder()
            print(f"{folder} is there. To go on: python scripts/selfplay.py --game {config.game} --run-dir {folder}")
        else:
            folder = s.run_dir or Path("runs") / s.game
            games, of = kept.pack(load(s.game), folder, s.file, int(1_000_000 * s.megabytes))
            print(f"{s.file}: {s.file.stat().st_size:,} bytes, with the latest {games:,} of {of:,} games.")
    except (ConfigError, LogError, UnknownGame, OSError) as error:
        print(f"keep: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
