"""The games: one folder (or file) each, with rules, encoding and notation apart.

    errors    what can be wrong with positions and moves that come as text
    chess/    chess with complete rules, AlphaZero's actions and planes; FEN, UCI, SAN, PGN
    shogi/    shogi with complete rules, AlphaZero's planes; SFEN, USI, CSA, KIF, Japanese and Western names of moves
    grid      what the text of the next two has in common
    tic_tac_toe, connect_four    small games whose perfect play is known, in a file each
    material  what pieces are worth
    solved    the exact scores of their moves, by tic_tac_toe_solver and connect_four_solver
    grid_world/    a game for one; and grid worlds as Gymnasium environments

A game is a module with the names listed in ``rlcore.game``. To add one, write the module and name it in
``GameName``: everything that takes a game's name, command lines among them, then knows it. Nothing heavy is imported
here: ``load`` brings in the rules and the compiler.
"""

from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from games.errors import UnknownGame, shown

if TYPE_CHECKING:
    from rlcore.game import Game

__all__ = ["GAMES", "GameName", "check_name", "load"]

GameName = Literal["chess", "shogi", "connect_four", "tic_tac_toe", "grid_world"]
"""The games, by the names that they have on the command line and in ``games/``."""

GAMES: tuple[GameName, ...] = get_args(GameName)


def check_name(name: str) -> GameName:
    """The name, known to be a game's.

    Raises:
        UnknownGame: no game has it.
    """
    for known in GAMES:
        if name == known:
            return known
    raise UnknownGame(f"there is no game called {shown(name)}; the games are: {', '.join(GAMES)}")


@cache
def load(name: str) -> "Game":
    """The game of that name with the kernels of ``rlcore.game`` bound to it; the same object every time.

    Raises:
        UnknownGame: no game has the name.
    """
    module = f"games.{check_name(name)}"
    from rlcore.game import bind_game

    return bind_game(name, module)
