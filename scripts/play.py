"""Play against the engine in a terminal."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from agents.engine import ahead
from games import GAMES


@dataclass
class Settings:
    """Play against the engine in a terminal: type moves, such as e2e4 in chess or 7g7f in shogi, and 'help'."""

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    engine: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(aliases=["--run-dir"], metavar="ENGINE")
    ] = ()
    """A run, a checkpoint's folder, a weights file, 'taught' or 'zero' (networks that come with rlcore), 'untrained'
    (the search without a network), 'random', or in solved games 'perfect'. Default: runs/<game>, where nothing is
    trained 'taught'. With --side none it may be given twice."""
    level: Annotated[str, tyro.conf.arg(aliases=["--simulations"], metavar="NAME|Nelo|N|Ns")] = "200"
    """How well the engine plays: in chess and shogi 'beginner', 'casual', 'club' or 'strong', or 1200elo, as measured
    with the network 'taught'; or how much it searches a move: 800 simulations, 2s for about two seconds, or 'full'."""
    clock: Annotated[str, tyro.conf.arg(metavar="5+3|10/30")] = ""
    """A clock for each side: minutes + seconds a move, or minutes and then seconds for each move."""
    side: Literal["first", "second", "white", "black", "random", "both", "none"] = "first"
    """Your side; White moves first in chess, Black (sente) in shogi. None = watch the engine play."""
    ascii: bool = False
    """Letters instead of glyphs."""
    fen: Annotated[str, tyro.conf.arg(aliases=["--sfen"])] = "startpos"
    """The position to begin from: chess as FEN, shogi as SFEN."""


def compiling() -> None:
    print("Compiling kernels for this machine: once, about half a minute ...", file=sys.stderr, flush=True)
    ahead.start()


def main() -> int:
    s = tyro.cli(Settings)
    try:
        from agents.engine import clock, levels, terminal
        from games import UnknownGame, load
        from rlcore.jit import on_first_compilation
        from selfplay.engines import MANY, NAMED, EngineError, default_engine, make_player

        on_first_compilation(compiling)
        game, level = load(s.game), levels.parse_level(s.level, s.game)
        control = clock.parse_clock(s.clock) if s.clock else None
        names = s.engine or (default_engine(game, print),)
        if level.elo and not {"taught", *NAMED}.issuperset(names):
            print("Elo was measured with the network 'taught': here a level may be weaker or stronger.")
        # Whatever the level, the search is the one of GUIs, by which levels were measured.
        players = [make_player(game, name, 1, MANY, warn=print) for name in names]
        return terminal.play(game, players, s.side, s.ascii, s.fen, level=level, control=control)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads any further
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where what is left goes without complaint
        return 0
    except (EngineError, UnknownGame, *terminal.MISTAKES) as error:
        print(f"play: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
