"""Play against the engine in a terminal."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Play against the engine in a terminal: type moves, such as e2e4 in chess or 7g7f in shogi, and 'help'."""

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    engine: Annotated[str, tyro.conf.arg(aliases=["--run-dir"], metavar="ENGINE")] = ""
    """A run, a checkpoint's folder, 'untrained' (the search without a network) or 'random'. Default: runs/<game>."""
    simulations: int = 200
    """How much the engine searches a move."""
    side: Literal["first", "second", "white", "black", "random"] = "first"
    """Your side; White moves first in chess, Black (sente) in shogi."""
    ascii: bool = False
    """Letters instead of glyphs."""
    fen: Annotated[str, tyro.conf.arg(aliases=["--sfen"])] = "startpos"
    """The position to begin from: chess as FEN, shogi as SFEN."""


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
    except (EngineError, errors.BadPosition, errors.UnknownGame, terminal.NoView) as error:
        print(f"play: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
