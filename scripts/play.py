"""Play against the engine in a terminal."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)


@dataclass
class Settings:
    """Play against the engine in a terminal: type moves such as e2e4 or Nf3, and 'help'."""

    game: str = "chess"
    """The game."""
    engine: Annotated[str, tyro.conf.arg(aliases=["--run-dir"], metavar="ENGINE")] = ""
    """A run, a checkpoint's folder, 'untrained' (the search without a network) or 'random'. Default: runs/<game>."""
    simulations: int = 200
    """How much the engine searches a move."""
    side: Literal["white", "black", "random"] = "white"
    """Your side; White moves first."""
    ascii: bool = False
    """Letters instead of chess glyphs."""
    fen: str = "startpos"
    """The position to begin from."""


def main() -> int:
    settings = tyro.cli(Settings)
    try:
        from agents.engine import terminal
        from games import errors, load
        from selfplay.engines import EngineError, default_engine, make_player

        game = load(settings.game)
        player = make_player(game, settings.engine or default_engine(game, print), 1, settings.simulations, warn=print)
        return terminal.play(game, player, settings.side, settings.ascii, settings.fen)
    except KeyboardInterrupt:
        return 130
    except (EngineError, errors.BadPosition, errors.UnknownGame) as error:
        print(f"play: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
