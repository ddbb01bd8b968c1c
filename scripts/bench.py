"""Measure the hot paths, one JSON line a figure; beside a peer, where one is installed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)


@dataclass
class Settings:
    """Measure throughput: of move generation (perft) and of tree search without a network (search).

    Prints one JSON line a figure. Quote the ratio to the peer, not the bare speed: stockfish for perft, OpenSpiel for
    the search, where they are installed.
    """

    what: tyro.conf.Positional[Literal["perft", "search", "all"]] = "all"
    """What to measure."""
    game: Literal["chess"] = "chess"
    """The game."""
    rounds: int = 5
    """Measurements of each figure; the median counts."""


def main() -> int:
    settings = tyro.cli(Settings)
    if settings.rounds < 1:
        print(f"bench: rounds must be at least 1, not {settings.rounds}", file=sys.stderr)
        return 2
    import games
    from selfplay import bench

    names = list(bench.BENCHES) if settings.what == "all" else [settings.what]
    try:
        bench.run(names, games.load(settings.game), settings.rounds)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
