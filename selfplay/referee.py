"""One game of a match in which time counts, or an outside program takes part: turns, clocks, why it ended.

The referee knows the rules and believes nobody: it plays every move itself, ends the game by the rules without being
asked, and takes the time at its own end of the pipe. A program that has no legal answer, for whatever reason, has lost
this game. Our own players take part with a fixed number of simulations a move, for which no clock runs, or think by the
same limits as programs, and then may lose on time as they do.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from agents.engine.board import Board
from agents.engine.clients import Answer, Limits, ProgramFailed
from agents.engine.computer import TREE_BYTES
from agents.engine.thinker import Brain, Thinker
from agents.engine.time_control import Allowance, limits_of
from agents.engine.uci import centipawns
from agents.players import Player
from rlcore.game import Game
from rlcore.rng import seed_of
from selfplay.adjudication import NEVER, Adjudication, Opinions
from selfplay.arena import MAX_PLIES, MatchGame
from selfplay.openings import Opening

__all__ = ["GameRules", "OwnPlayer", "Side", "ThinkingPlayer", "play_game"]

_OVERHEAD = 10
"""Milliseconds that a move costs beyond the search, where no pipe lies between."""


class Side(Protocol):
    """Who plays one side of a game, a program (``agents.engine.clients``) or one of our own players."""

    name: str

    def begin(self, board: Board, seed: int) -> None:
        """Get ready for a game."""
        ...

    def move(self, board: Board, clocks: Sequence[float]) -> Answer:
        """Choose a legal action; ``clocks`` as ``ProgramPlayer.move`` has them."""
        ...

    def finish(self, score: float) -> None:
        """Hear how the game ended: 1, 0.5 or 0 points for this side."""
        ...

    def close(self, politely: bool = True) -> None:
        """End whatever has been started."""
        ...


class OwnPlayer:
    """A player of ours, made for one game at a time, as a side of it."""

    def __init__(self, player: Player) -> None:
        self.name, self._player = player.name, player
        self._rng = np.zeros(1, np.uint64)

    def begin(self, board: Board, seed: int) -> None:
        """See ``Side``."""
        self._rng[0] = seed

    def move(self, board: Board, clocks: Sequence[float]) -> Answer:
        """See ``Side``; it takes no time on the clock."""
        action = int(self._player.act(board.history, board.games, self._rng)[0])
        values = getattr(self._player, "values", None)
        return Answer(action, 0.0, None if values is None else centipawns(float(values[0])))

    def finish(self, score: float) -> None:
        """See ``Side``."""

    def close(self, politely: bool = True) -> None:
        """See ``Side``."""


class ThinkingPlayer:
    """A search of ours as a side of a game, which thinks by time as it does for GUIs.

    Raises:
        MemoryError: there is not enough for its tree.
    """

    def __init__(self, game: Game, brain: Brain, limits: Limits) -> None:
        self.name, self._limits = f"{brain.name}, {limits}", limits
        self._thinker = Thinker(game, brain, TREE_BYTES)
        self._thinker.warm_up()
        self._closed = False

    def begin(self, board: Board, seed: int) -> None:
        """See ``Side``; time is what chance there is."""
        self._thinker.forget()

    def move(self, board: Board, clocks: Sequence[float]) -> Answer:
        """See ``Side``."""
        if self._closed:
            raise ProgramFailed("crash", "was closed")
        begun = time.perf_counter()
        line = self._thinker.ask(board, limits_of(self._allowance(clocks), board.turn, _OVERHEAD)).lines[0]
        return Answer(line.actions[0], time.perf_counter() - begun, centipawns(line.value))

    def _allowance(self, clocks: Sequence[float]) -> Allowance:
        """The limits as a client names them."""
        if self._limits.seconds is not None:
            return Allowance(move_time=int(1000 * self._limits.seconds))
        assert self._limits.clock is not None
        first, second = (int(1000 * left) for left in clocks)
        added, byoyomi = int(1000 * self._limits.clock[1]), int(1000 * self._limits.byoyomi)
        return Allowance(time=(first, second), increment=(added, added), byoyomi=byoyomi)

    def finish(self, score: float) -> None:
        """See ``Side``."""

    def close(self, politely: bool = True) -> None:
        """See ``Side``; a search under way ends, and with it the game."""
        self._closed = True
        self._thinker.stop()


class GameRules(NamedTuple):
    """What holds for every game of a match."""

    limits: Limits
    adjudication: Adjudication = NEVER
    max_plies: int = MAX_PLIES
    """A game of this length is broken off as a draw."""


def play_game(
    game: Game, sides: tuple[Side, Side], number: int, opening: Opening, seed: int, rules: GameRules
) -> MatchGame:
    """Play game ``number`` of a match, see ``selfplay.arena``; ``sides`` are its first and its second player."""
    board = opening.play(game)
    seats = sides if number % 2 == 0 else sides[::-1]
    end = _play(board, seats, int(seed_of(seed, number // 2, number % 2)), rules)
    score = 0.5 + 0.5 * (end.value if board.turn == number % 2 else -end.value)
    for side, points in zip(sides, (score, 1 - score), strict=True):
        side.finish(points)
    return MatchGame(number, opening, board.actions, end.ending, end.value, score, end.how, end.reason)


class _End(NamedTuple):
    """How a game ended; its fields are those of ``MatchGame``."""

    ending: int
    value: float
    how: str
    reason: str = ""


_ENDINGS = {
    "crash": "ILLEGAL_MOVE",
    "hang": "TIME",
    "time": "TIME",
    "illegal move": "ILLEGAL_MOVE",
    "resignation": "RESIGNATION",
}
"""What comes closest in the games' ``Ending``, whose words files of games understand."""


def _play(board: Board, seats: Sequence[Side], seed: int, rules: GameRules) -> _End:
    """Play a game to its end; ``seats`` by turn."""
    endings = board.game.Ending
    opinions = Opinions(rules.adjudication)
    clocks = [rules.limits.clock[0] if rules.limits.clock else 0.0] * 2
    acting = 0
    try:
        for acting in range(len(seats)):
            seats[acting].begin(board, seed)
        while not board.ending:
            if len(board.actions) >= rules.max_plies:
                return _End(int(endings.MAX_PLIES), 0.0, "max plies")
            acting = board.turn
            answer = seats[acting].move(board, clocks)
            _press(clocks, acting, answer.seconds, rules.limits)
            name, ply = seats[acting].name, len(board.actions)
            if verdict := opinions.hear(acting, ply, answer.centipawns, name):
                return _End(int(endings[verdict.ending]), verdict.value, verdict.how, verdict.reason)
            board.play(answer.action)
    except ProgramFailed as failure:
        value = -1.0 if acting == board.turn else 1.0
        reason = f"{seats[acting].name} {failure.reason}"
        return _End(int(endings[_ENDINGS[failure.how]]), value, failure.how, reason)
    return _End(board.ending, board.value, endings(board.ending).name.lower().replace("_", " "))


def _press(clocks: list[float], turn: int, seconds: float, limits: Limits) -> None:
    """Take the time of a move off a side's clock, in place.

    Raises:
        ProgramFailed: there was less.
    """
    allowed = limits.allowed(clocks[turn])
    if allowed is not None and seconds > allowed + limits.margin:
        raise ProgramFailed("time", f"lost on time: {seconds:.3f} s for a move, {allowed:.3f} s allowed")
    if limits.clock is not None and seconds > 0:  # players with fixed simulations take none, their clocks stand still
        clocks[turn] = max(clocks[turn] - seconds, 0.0) + limits.clock[1]
