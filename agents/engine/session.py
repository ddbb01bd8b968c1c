"""A game between two sides, each a person or a computer: moves, clocks, the end. Nothing is printed or read here."""

import datetime
from pathlib import Path

import numpy as np

from agents.engine.board import Board
from agents.engine.clock import Clock, TimeControl
from agents.engine.computer import Computer
from agents.engine.views import View
from rlcore.game import Game
from rlcore.jit import Array, Row

__all__ = ["Session"]


class Session:
    """One game after the other between the same two sides.

    Args:
        computers: who plays first and second; None = a person.
        adviser: whom a person asks.
        start: the position that each game begins from, as text.
        control: the time that each side has; None = no clocks.

    Raises:
        BadPosition: ``start`` cannot be read.
    """

    def __init__(
        self,
        game: Game,
        view: View,
        computers: tuple[Computer | None, Computer | None],
        adviser: Computer,
        start: str = "startpos",
        control: TimeControl | None = None,
    ) -> None:
        self.game, self.view, self.computers, self.start = game, view, computers, start
        self._adviser = adviser
        self.saved: set[Path] = set()
        """Files of ours, which may be written over."""
        self._begin(Board(game, start, declared=True))
        self.set_clocks(control)

    def _begin(self, board: Board) -> None:
        """Go on with another game."""
        self.board = board
        self.names: list[str] = []
        """The moves so far as people write them."""

    def set_clocks(self, control: TimeControl | None) -> None:
        """Give both sides so much time, in this game and in those after it; None = no clocks."""
        self.control = control
        """The time that each side has when a game begins."""
        self.clock = None if control is None else Clock(control)
        """This game's; none where it goes on without, although the next one has clocks."""

    def again(self) -> None:
        """A new game, from the same position and with the same clocks."""
        self._begin(Board(self.game, self.start, declared=True))
        self.set_clocks(self.control)

    def load(self, start: Row, actions: Array) -> None:
        """Go on from the last position of a game that was played elsewhere; the clocks begin anew.

        Args:
            actions: [plies] uint16, legal where they are played. Where people must claim a draw, a game may have gone
                on after one; what comes after a mate is left out.
        """
        self._begin(Board(self.game, start, declared=True))
        self.set_clocks(self.control)
        for action in actions:
            if self.board.legal:
                self._play(int(action))

    # --- who and when ------------------------------------------------------------------------------------------------

    @property
    def mover(self) -> Computer | None:
        """The computer whose turn it is; None where it is a person's, or the game is over."""
        return None if self.board.ending else self.computers[self.board.turn]

    @property
    def adviser(self) -> Computer:
        """Whom to ask about the position: a computer that thinks, first of all the one on turn."""
        turn = self.board.turn
        asked = [one for one in (self.computers[turn], self.computers[1 - turn], self._adviser) if one is not None]
        return next((one for one in asked if one.thinks), asked[0])

    @property
    def people(self) -> list[int]:
        """The sides that people play."""
        return [side for side in (0, 1) if self.computers[side] is None]

    @property
    def opponent(self) -> Computer | None:
        """The computer that plays the side which is not to move."""
        return self.computers[1 - self.board.turn]

    # --- moves -------------------------------------------------------------------------------------------------------

    @property
    def previous(self) -> int | None:
        """The last move, if there was one."""
        return self.board.actions[-1] if self.board.actions else None

    def start_clock(self) -> None:
        """Whoever is to move, the time runs."""
        if self.clock is not None and not self.board.ending:
            self.clock.start(self.board.turn)

    def stop_clock(self) -> None:
        """The time stands still."""
        if self.clock is not None:
            self.clock.stop()

    def play(self, action: int) -> None:
        """A legal move of the side to move; too late, it loses on time instead."""
        if self.is_late():
            return
        if self.clock is not None:
            self.clock.press()
        self._play(action)

    def time_left(self) -> float | None:
        """Seconds until the side to move has lost on time; none where its clock stands still."""
        clock, turn = self.clock, self.board.turn
        return clock.left(turn) if clock is not None and clock.runs(turn) and not self.board.ending else None

    def is_late(self) -> bool:
        """Whether the side to move has no time left, which ends the game."""
        if self.clock is None or self.board.ending or not self.clock.is_up(self.board.turn):
            return False
        self.stop_clock()
        self.board.lose_on_time()
        return True

    def resign(self) -> None:
        """The side to move gives up."""
        self.stop_clock()
        self.board.resign()

    def agree_on_draw(self) -> None:
        """Both sides have had enough."""
        self.stop_clock()
        self.board.agree_on_draw()

    def declare(self) -> None:
        """The side to move declares that it has won; ValueError where it may not."""
        self.board.declare()
        self.stop_clock()

    def let_move(self) -> None:
        """The computer whose turn it is moves, or declares that it has won."""
        computer = self.mover
        assert computer is not None
        if self.board.may_declare:
            self.declare()
            return
        if self.clock is None:
            self.play(computer.choose(self.board))
            return
        computer.get_ready()
        self.start_clock()
        self.play(computer.choose(self.board, self.clock.allowance()))

    def undo(self) -> bool:
        """Back to where a person was last to move; False where no move of theirs can be taken back."""
        board, played = self.board, len(self.board.actions)
        ended_by_hand = board.ending != 0 and not self._ended_by_rules()
        people = self.people or [0, 1]
        plies = range(played - (not ended_by_hand), -1, -1)
        target = next((ply for ply in plies if board.turn_at(ply) in people), None)
        if target is None:
            return False
        self.stop_clock()
        board.undo(played - target)
        del self.names[target:]
        return True

    def _ended_by_rules(self) -> bool:
        ending = self.game.Ending
        by_hand = [ending[name] for name in ("RESIGNATION", "TIME", "AGREEMENT")]
        return self.board.ending not in (*by_hand, ending.__members__.get("DECLARATION"))

    def _play(self, action: int) -> None:
        self.names.append(self.name(action))
        self.board.play(action)

    # --- words about it ----------------------------------------------------------------------------------------------

    def name(self, action: int) -> str:
        """A move in the newest position as people write it."""
        return self.view.name_move(self.board.state, action, self.previous)

    def names_of(self, actions: list[int]) -> list[str]:
        """A line of moves from the newest position as people write them."""
        state, previous, names = self.board.state.copy(), self.previous, []
        for action in actions:
            names.append(self.view.name_move(state, action, previous))
            self.game.apply(state, np.uint16(action))
            previous = action
        return names

    def result(self) -> str:
        """How the game ended, in a sentence."""
        board, reason = self.board, self.view.reason(self.board.ending)
        if board.value == 0.0:
            return f"{reason}: the game is drawn."
        winner = board.turn if board.value > 0.0 else 1 - board.turn
        return f"{reason}: {self.view.sides[winner]} wins."

    def headers(self) -> dict[str, str]:
        """Of the file of this game."""
        names = ["Human" if computer is None else computer.name for computer in self.computers]
        return {
            "Event": "A game in a terminal",
            "Site": "rlcore",
            "Date": datetime.date.today().strftime("%Y.%m.%d"),
            "Round": "-",
            **dict(zip(self.view.sides, names, strict=True)),
        }
