"""Count move sequences: the test, and the speed, of a game's move generator."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Count the move sequences of a length from a position (perft), or check a suite of known counts."""

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    fen: Annotated[str, tyro.conf.arg(aliases=["--sfen"])] = "startpos"
    """The position to count from: chess as FEN, shogi as SFEN."""
    depth: int = 5
    """The length in plies, 1 to 20."""
    divide: bool = False
    """Also print the count after each first move."""
    suite: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Instead, check the counts in a file of lines such as 'POSITION ;D1 20 ;D2 400'."""
    max_depth: int = 20
    """Leave out the suite's counts beyond this depth."""


def main() -> int:
    settings = tyro.cli(Settings)
    from games import load
    from games.errors import BadPosition, UnknownGame
    from rlcore import perft

    try:
        game = load(settings.game)
        if settings.suite is not None:
            return perft.check(game, settings.suite, settings.max_depth)
        return perft.report(game, settings.fen, settings.depth, settings.divide)
    except (BadPosition, UnknownGame, perft.PerftError) as error:
        print(f"perft: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
