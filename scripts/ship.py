"""Make a network one of those that come with rlcore."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from games import GAMES


@dataclass
class Settings:
    """Make a network one of those that come with rlcore: half as large, hashed, with what is known of it in its header.

    Then measure it (scripts/match.py --engine taught ...), and write its card.
    """

    weights: Path
    """Its weights file, such as runs/chess-taught/network.safetensors."""
    game: Annotated[str, tyro.conf.arg(metavar="|".join(GAMES))] = "chess"
    """The game."""
    kind: Literal["taught", "zero"] = "taught"
    """Taught by another engine, or by its own games alone."""
    by: str = ""
    """Who taught it, such as 'Stockfish 15.1'."""


def main() -> int:
    s = tyro.cli(Settings)
    from games import UnknownGame, load
    from selfplay import shipped
    from selfplay.config import ConfigError

    try:
        if (s.kind == "taught") != bool(s.by):
            raise ConfigError("a taught network needs --by, who taught it; another has nobody to name")
        path = shipped.ship(load(s.game), s.weights, s.kind, s.by)
    except (ConfigError, UnknownGame, OSError) as error:
        print(f"ship: {error}", file=sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size:,} bytes. Its card: {shipped.card(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
