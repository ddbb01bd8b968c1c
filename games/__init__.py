"""The games: one folder (or file) each, with rules, encoding and notation apart.

    errors    what can be wrong with positions and moves that come as text
    chess/    chess with complete rules, AlphaZero's actions and planes; FEN, UCI, SAN, PGN

A game is a module with the names listed in ``rlcore.game``. To add one, write the module and name it in
``GAMES``. Nothing heavy is imported here: ``load`` brings in the rules and the compiler.
"""

from functools import cache
from typing import TYPE_CHECKING

from games.errors import UnknownGame, shown

if TYPE_CHECKING:
    from rlcore.game import Game

__all__ = ["GAMES", "load"]

GAMES = {"chess": "games.chess"}
"""The module of every game, by the name it has on the command line."""


@cache
def load(name: str) -> "Game":
    """The game of that name with the kernels of ``rlcore.game`` bound to it; the same object every time.

    Raises:
        UnknownGame: no game has the name.
    """
    if name not in GAMES:
        raise UnknownGame(f"there is no game called {shown(name)}; the games are: {', '.join(sorted(GAMES))}")
    from rlcore.game import bind_game

    return bind_game(name, GAMES[name])
