"""Train on Ray while its processes are killed, then check that nothing was lost and nothing counted twice."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Train on Ray with a tiny network while a random process is killed every few seconds, then check the books.

    Every game that was ever finished must be in the log, the text file and the metrics once, checkpoints must be whole
    and fit the log, and no process may be left. Exit status 1 where something is wrong. Linux only.
    """

    minutes: float = 10.0
    """How long."""
    every: float = 5.0
    """Seconds between two kills, about; none before games have come home since the last one."""
    actors: int = 2
    """Players."""
    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "tic_tac_toe"
    """What to play."""
    drivers: bool = False
    """Kill the whole run, too, now and then, and begin it again."""
    seed: int = 1
    """Decides who is killed when, as far as a busy machine lets it."""
    run_dir: Path | None = None
    """Where the run lies, to be looked at afterwards. Default: a temporary folder."""


def main() -> int:
    s = tyro.cli(Settings)
    from selfplay import soak

    with tempfile.TemporaryDirectory(prefix="rlcore-soak-") as temporary:
        folder = s.run_dir or Path(temporary)
        soaked = soak.soak(folder, s.minutes, s.every, s.actors, s.game, s.drivers, s.seed)
        print("\n".join(soak.summary(soaked)))
        if soaked.faults:
            print((folder / "soak.txt").read_text(encoding="utf-8")[-3000:])
    return 1 if soaked.faults else 0


if __name__ == "__main__":
    sys.exit(main())
