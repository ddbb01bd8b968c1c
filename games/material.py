"""Material: what pieces on the board and in hand are worth by values that beginners learn, in chess and in shogi.

In shogi a promoted pawn, lance, knight or silver moves as a gold, and is worth more than one the less it is in hand.
"""

import re

from rlcore.game import Game
from rlcore.jit import Row

__all__ = ["VALUES", "material"]

VALUES = {
    "chess": {"P": 1, "N": 3, "B": 3, "R": 5, "Q": 9},
    "shogi": {
        "P": 1, "L": 3, "N": 4, "S": 5, "G": 6, "B": 8, "R": 10,
        "+P": 7, "+L": 6, "+N": 6, "+S": 6, "+B": 10, "+R": 12,
    },
}  # fmt: skip
"""By game, and by letter as in FEN and SFEN; kings are beyond price."""

_PIECE = re.compile(r"(\d*)(\+?)([A-Za-z])")


def material(game: Game, state: Row) -> int:
    """Of the side to move, less the opponent's.

    Args:
        game: one in ``VALUES``.
        state: a row of STATE.
    """
    values, words = VALUES[game.name], game.write(state).split()
    hands = words[2] if game.name == "shogi" else "-"
    first = sum(_worth(values, "", plus, letter) for _, plus, letter in _PIECE.findall(words[0]))
    first += sum(_worth(values, number, plus, letter) for number, plus, letter in _PIECE.findall(hands))
    return -first if state["turn"] else first


def _worth(values: dict[str, int], number: str, plus: str, letter: str) -> int:
    """Of so many pieces, for the side that moves first, whose letters are capitals."""
    worth = int(number or 1) * values.get(plus + letter.upper(), 0)
    return worth if letter.isupper() else -worth
