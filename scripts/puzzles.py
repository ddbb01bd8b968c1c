"""Solve puzzles with an engine."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Solve a suite of puzzles with an engine; shows how many it solves, by length, each with a 95 % interval."""

    suite: Path
    """The puzzles; of chess, an EPD file with the operations bm (solutions), dm (mate in so many moves) and id."""
    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    engine: str = ""
    """A run, a checkpoint's folder, a weights file, or 'untrained' (the search without a network). Default:
    runs/<game>."""
    simulations: tuple[int, ...] = (32, 128, 800)
    """How much to search a puzzle; one table for each number."""
    proven: Literal["both", "with", "without"] = "both"
    """Search with proven values, without them, or compare the two."""
    seed: int = 1
    """The same number, the same result."""


def main() -> int:
    s = tyro.cli(Settings)
    try:
        from games import UnknownGame, load
        from selfplay import engines, puzzles

        game = load(s.game)
        settings = puzzles.PuzzleSettings(s.suite, s.simulations, s.proven, s.seed)
        for line in puzzles.run(game, s.engine or engines.default_engine(game, print), settings, warn=print):
            print(line, flush=True)
        return 0
    except KeyboardInterrupt:
        return 130
    except (engines.EngineError, UnknownGame, puzzles.SuiteError) as error:
        print(f"puzzles: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
