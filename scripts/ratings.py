"""Rate the networks of a run's past among each other and against fixed engines."""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Rate networks of a run's past and fixed engines in one pool: Elo with 95 % intervals, a picture over training.

    Games are played where they tell most, and kept in ratings.jsonl in the folder: the same command goes on where
    it stopped, and takes in networks that are new since.
    """

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    run_dir: Path | None = None
    """The run, or with --networks 0 any folder. Default: runs/<game>."""
    engine: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="ENGINE")] = ()
    """Any number of fixed opponents, as match.py names them: 'random', 'rollouts', 'untrained', 'perfect', a run, a
    checkpoint's folder, a weights file, 'cmd:stockfish,Skill Level=0'. All ratings are relative to the first one.
    Default: random."""
    elo: float = 0.0
    """The rating of the first engine, where it is known."""
    networks: int = 8
    """How many of the run's past, evenly over doublings of its steps, the newest among them; 0 = only the
    engines, in a folder that need not be a run's."""
    games: int = 400
    """In all, with those of earlier calls; each pairing gets at least two."""
    openings: str = "random"
    """'random', 'common' (chess, shogi) or a file, as in match.py; each opening is played with both colours."""
    opening_plies: int | None = None
    """Moves of each opening: so many random ones (default 6, fewer in small games), at most so many of the others."""
    simulations: int = 0
    """A move, for our own engines, whatever the programs are given; 0 = as the next three say, and without any of them
    as they were trained."""
    nodes: int = 0
    """A move, for programs; for our own engines, simulations."""
    movetime: float = 0.0
    """Seconds a move, for programs and our own engines. Default for programs, where no limit is given: 0.1."""
    clock: str = ""
    """Seconds a game and, after a plus, seconds that each move adds, for both alike, such as 60+0.5."""
    byoyomi: float = 0.0
    """Seconds that each move may take once the clock has run down, as in match.py."""
    margin: float = 0.1
    """Seconds that an answer may be late without losing; more on a busy machine."""
    concurrency: int = 1
    """Games that are played at the same time with programs or by time."""
    seed: int = 1
    """Decides the openings."""


def main() -> int:
    s = tyro.cli(Settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that programs are ended then, too
    try:
        from games import UnknownGame, load
        from selfplay import match, pool
        from selfplay.config import ConfigError

        play = match.MatchSettings(
            simulations=s.simulations or None,
            seed=s.seed,
            openings=s.openings,
            opening_plies=s.opening_plies,
            limits=match.parse_limits(s.nodes, s.movetime, s.clock, s.margin, s.byoyomi),
            concurrency=s.concurrency,
        )
        settings = pool.PoolSettings(s.engine, s.elo, s.networks, s.games, play)
        print(pool.run(load(s.game), s.run_dir or Path("runs") / s.game, settings))
        return 0
    except KeyboardInterrupt as stopped:
        print(stopped, end="\n" if str(stopped) else "")
        return 130
    except (ConfigError, UnknownGame) as error:
        print(f"ratings: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
