"""One game in progress: its positions so far, its moves, and how it ended."""

import numpy as np

from rlcore.game import Game, History, new_history
from rlcore.jit import Row

__all__ = ["Board"]


class Board:
    """A game being played by the rules, without a ply limit. ``history`` is what a ``Player`` is given."""

    def __init__(self, game: Game, start: str | Row = "startpos", capacity: int = 64, declared: bool = False) -> None:
        """A game from a position, as text or as a row of STATE.

        Args:
            capacity: positions to make room for; there will be more where a game gets longer.
            declared: who may declare that it has won (shogi) wins by ``declare`` only, and else plays on.

        Raises:
            BadPosition: ``start`` cannot be read.
        """
        self.game = game
        self.history: History = new_history(game, 1, max(capacity, 2))
        self.games = np.zeros(1, np.int32)
        """[1] int32: the game's number in ``history``, 0."""
        self.actions: list[int] = []
        self.ending = 0
        """Why the game is over, the game's ``Ending``; 0 while it goes on."""
        self.value = 0.0
        """Once it is over: what it is worth for the side to move, -1, 0 or 1."""
        self.may_declare = False
        """Whether the side to move may declare that it has won, where that is waited for."""
        self._declared = declared
        self._legal = np.zeros((1, game.MAX_LEGAL), np.uint16)
        self._counts = np.zeros(1, np.int32)
        game.begin(self.history, 0, 0)
        if not isinstance(start, str):
            self.history.states[0, 0] = start
        elif start != "startpos":
            game.read(self.history.states[0, 0], start)
        self._judge()

    @property
    def state(self) -> Row:
        """The newest position, a row of STATE."""
        return self.history.states[0, len(self.actions)]

    @property
    def start(self) -> Row:
        """The position that the game began from."""
        return self.history.states[0, 0]

    @property
    def turn(self) -> int:
        """The side to move: 0 moves first from the usual start position."""
        return int(self.state["turn"])

    @property
    def legal(self) -> list[int]:
        """The legal actions; there may be some although the game is over."""
        return [int(action) for action in self._legal[0, : self._counts[0]]]

    @property
    def earlier(self) -> int:
        """How often the newest position stood before."""
        return int(self.history.earlier[0, len(self.actions)])

    def turn_at(self, ply: int) -> int:
        """The side to move after so many moves of this game."""
        return int(self.history.states[0, ply]["turn"])

    def play(self, action: int) -> None:
        """Play a legal action."""
        if len(self.actions) + 2 > self.history.states.shape[1]:
            self._grow()
        self.game.advance(self.history, self.games, np.array([action], np.uint16))
        self.actions.append(int(action))
        self._judge()

    def undo(self, plies: int = 1) -> None:
        """Take back moves, and with them whatever ended the game after the last one; ValueError where too few were
        played."""
        if plies > len(self.actions):
            raise ValueError(f"{plies} moves to take back, {len(self.actions)} were played")
        del self.actions[len(self.actions) - plies :]
        self.history.length[0] = len(self.actions) + 1
        self._judge()

    def resign(self) -> None:
        """The side to move gives up."""
        self._end("RESIGNATION", -1.0)

    def lose_on_time(self) -> None:
        """The time of the side to move is up."""
        self._end("TIME", -1.0)

    def agree_on_draw(self) -> None:
        """Both sides have had enough."""
        self._end("AGREEMENT", 0.0)

    def declare(self) -> None:
        """The side to move declares that it has won.

        Raises:
            ValueError: it may not.
        """
        if not self.may_declare:
            raise ValueError("there is nothing to declare in this position")
        self._end("DECLARATION", 1.0)

    def _end(self, ending: str, value: float) -> None:
        self.ending, self.value = int(self.game.Ending[ending]), value

    def _judge(self) -> None:
        endings, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
        self.game.judge(self.history, self.games, 0, self._legal, self._counts, endings, values)
        self.ending, self.value = int(endings[0]), float(values[0])
        declaration = self.game.Ending.__members__.get("DECLARATION")
        self.may_declare = self._declared and self.ending == declaration
        if self.may_declare:
            self.ending, self.value = 0, 0.0

    def _grow(self) -> None:
        """Twice the room."""
        old = self.history
        self.history = new_history(self.game, 1, 2 * old.states.shape[1])
        for array, before in ((self.history.states, old.states), (self.history.earlier, old.earlier)):
            array[:, : before.shape[1]] = before
        self.history.length[:] = old.length
