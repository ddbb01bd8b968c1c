"""Judge an engine's moves by perfect play."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Judge an engine's moves in a solved game, connect_four or tic_tac_toe, by the exact scores of all moves.

    The positions are always the same: all of tic-tac-toe, a thousand of connect four. Shown are the shares of moves
    that keep the game's result and of those that are optimal (which also win as soon, or lose as late, as can be), and
    the points given away a move, where a win is one and a draw half; in all, by plies, and as a picture.
    """

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "connect_four"
    """The game."""
    engine: str = ""
    """A run, a checkpoint's folder, a weights file, 'untrained' (the search without a network), 'rollouts' (plain tree
    search, a thousand random games a move) or 'random'. Default: runs/<game>."""
    simulations: tuple[int, ...] = (100,)
    """Searches to judge, beside the policy alone."""
    seed: int = 1
    """The same number, the same result."""
    picture: Path | None = None
    """Where to draw. Default: evaluate.png in the folder of the run; beside a weights file, named after it."""
    compare: tuple[Path, ...] = ()
    """Draw instead what these runs measured while they trained, over time, into --picture (default evaluate.png)."""


def main() -> int:
    s = tyro.cli(Settings)
    try:
        from games import UnknownGame, load
        from selfplay import engines, evaluate

        game = load(s.game)
        if s.compare:
            print(evaluate.compare(game, s.compare, s.picture or Path("evaluate.png")))
            return 0
        settings = evaluate.EvaluateSettings(s.simulations, s.seed, s.picture)
        for line in evaluate.run(game, s.engine, settings, warn=print):
            print(line, flush=True)
        return 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads this has seen enough
        return 1
    except (engines.EngineError, UnknownGame) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
