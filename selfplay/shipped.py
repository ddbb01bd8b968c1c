"""Networks that come with rlcore, to play with at once: weights files, and a card beside each.

nets/chess-taught.safetensors    weights, in bfloat16
nets/chess-taught.md             the card: data, command, machine, time, strength, weaknesses
"""

from pathlib import Path

from rlcore.game import Game

__all__ = ["NETS", "SHIPPED", "card", "find", "ship"]

NETS = Path(__file__).resolve().parent / "nets"

SHIPPED = {
    "taught": "a network of rlcore's own, taught by another engine (chess, shogi)",
    "zero": "one that has learned from its own games alone",
}
"""What they are called where an engine is asked for."""


def find(game: Game, kind: str) -> Path | None:
    """The weights file of a kind in ``SHIPPED``; None where no such network of this game is there."""
    path = NETS / f"{game.name}-{kind}.safetensors"
    return path if kind in SHIPPED and path.is_file() else None


def card(path: Path) -> Path:
    """What is known of a network that ``find`` found, as a text for people."""
    return path.with_suffix(".md")


def ship(game: Game, path: Path, kind: str, by: str) -> Path:
    """Make a weights file the network of a kind that comes with rlcore; ``by`` = who taught it, or nobody. Returns its
    new place.

    Raises:
        WeightsError: it is no weights file, or one of another game.
        OSError: the disk refused.
    """
    from selfplay import weights

    network, config, about = weights.load(game, path)
    target = NETS / f"{game.name}-{kind}.safetensors"
    NETS.mkdir(exist_ok=True)
    weights.save(target, network, config, about._replace(taught=f"taught by {by}" if by else ""), small=True)
    return target
