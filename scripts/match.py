"""Play a match between two engines."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Play a match between two engines; shows the score and the difference in Elo, each with a 95 % interval."""

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    engine: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="ENGINE")] = ()
    """Given twice: a run, a checkpoint's folder, 'untrained' (the search without a network) or 'random'.
    Default: runs/<game>, then random."""
    games: int = 100
    """How many; each opening is played with both colours."""
    simulations: int = 0
    """How much both search a move; 0 = as they were trained."""
    seed: int = 1
    """The same number, the same match."""
    opening_plies: int = 6
    """Random moves that each game begins with; with few of them, games may repeat each other."""


def main() -> int:
    s = tyro.cli(Settings)
    try:
        from games import UnknownGame, load
        from selfplay import match

        engines = s.engine + (f"runs/{s.game}", "random")[len(s.engine) :]
        settings = match.MatchSettings(s.games, s.simulations or None, s.seed, s.opening_plies)
        print(match.run(load(s.game), engines, settings))
        return 0
    except KeyboardInterrupt:
        return 130
    except (match.EngineError, UnknownGame) as error:
        print(f"match: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
