"""Measure the hot paths, one JSON line a figure; beside a peer, where one is installed."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Measure throughput: move generation (perft), random games (playouts), tree search without a network (search),
    networks by runtime and batch size (inference), self-play from end to end (selfplay), training (learner), how fast
    a learner takes finished games in (ingest), both on Ray (ray), agents on Gymnasium environments (agents).

    Prints one JSON line a figure. Quote the ratios, not the bare speeds: each path is timed in turn with partners,
    such as stockfish, cshogi, OpenSpiel or stable-baselines3 (where they are installed), plain PyTorch, or the evaluator
    with nothing else to do.
    """

    what: tyro.conf.Positional[
        Literal["perft", "playouts", "search", "inference", "selfplay", "learner", "ingest", "ray", "agents", "all"]
    ] = "all"
    """What to measure."""
    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    rounds: int = 5
    """Measurements of each figure; the median counts."""
    compare: Path | None = None
    """The lines of an earlier run, to be set beside this one."""


def main() -> int:
    settings = tyro.cli(Settings)
    if settings.rounds < 1:
        print(f"bench: rounds must be at least 1, not {settings.rounds}", file=sys.stderr)
        return 2
    import games
    from games.errors import UnknownGame
    from selfplay import bench
    from selfplay.config import ConfigError

    names = list(bench.BENCHES) if settings.what == "all" else [settings.what]
    try:
        bench.run(
            names,
            games.load(settings.game),
            settings.rounds,
            settings.compare,
            lambda text: print(text, file=sys.stderr),
        )
    except (ConfigError, UnknownGame) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to flush into it
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
