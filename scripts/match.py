"""Play a match between two engines."""

import contextlib
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
    """Play a match between two engines; shows score, Elo difference and how games ended, with 95 % intervals."""

    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    engine: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="ENGINE")] = ()
    """Given twice: a run, a checkpoint's folder, a weights file, 'taught' or 'zero' (networks that come with rlcore),
    'untrained' (the search without a network), 'random', 'greedy' (the most material after one move),
    'rollouts' (plain tree search, a thousand random games a move), 'perfect' (solved games; early moves of connect four
    take minutes), or any program that speaks UCI (chess) or USI (shogi), with arguments and options:
    'cmd:stockfish,Skill Level=0,Hash=16'. Default: runs/<game>, then random."""
    games: int = 100
    """How many; each opening is played with both colours."""
    openings: str = "random"
    """'random', 'common' (chess: the twelve of the AlphaZero paper; shogi: twelve, too) or a file: a line an opening,
    as moves (e2e4 c7c5), a position (FEN, EPD, SFEN) or both, or whole games (PGN, CSA, KIF)."""
    opening_plies: int | None = None
    """Moves of each opening: so many random ones (default 6; with few, games may repeat each other), at most so many of
    the others (default all)."""
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
    """Seconds that each move may take once the clock has run down, or from the start without one; UCI has no word for
    it, so programs play shogi with it."""
    margin: float = 0.1
    """Seconds that an answer may be late without losing; more on a busy machine."""
    concurrency: int = 1
    """Games that are played at the same time with programs or by time; our own engines with fixed simulations play
    all at once."""
    resign: float | None = None
    """End games as lost for a side that sees itself so many centipawns behind for three moves."""
    draw: float | None = None
    """End games as drawn that both sides see within so many centipawns of even for eight moves, from move 34 on."""
    sprt: tuple[float, float] | None = None
    """Two Elo differences: stop as soon as it is clear, with 5 % errors, which of them is nearer the truth."""
    save: Path | None = None
    """A new file for the games: PGN, for shogi CSA."""
    seed: int = 1
    """The same number, the same match, between engines of ours that do not play by time."""


def main() -> int:
    s = tyro.cli(Settings)
    for name in ("SIGTERM", "SIGHUP"):  # so that programs are ended then, too
        if hasattr(signal, name) and signal.getsignal(number := getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        from games import UnknownGame, load
        from selfplay import match
        from selfplay.config import ConfigError

        engines = s.engine + (f"runs/{s.game}", "random")[len(s.engine) :]
        settings = match.MatchSettings(
            games=s.games,
            simulations=s.simulations or None,
            seed=s.seed,
            openings=s.openings,
            opening_plies=s.opening_plies,
            limits=match.parse_limits(s.nodes, s.movetime, s.clock, s.margin, s.byoyomi),
            concurrency=s.concurrency,
            adjudication=match.Adjudication(s.resign, s.draw),
            sprt=match.Sprt(*s.sprt) if s.sprt else None,
            save=s.save,
        )
        print(match.run(load(s.game), engines, settings))
        return 0
    except KeyboardInterrupt as stopped:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(stopped, end="\n" if str(stopped) else "", flush=True)
        return 130
    except (ConfigError, UnknownGame) as error:
        if isinstance(error, match.NotSaved):
            print(error.result)
        print(f"match: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
