"""The Universal Shogi Interface: shogi for any GUI that speaks it, with the extensions of Shogidokoro.

What differs from UCI: names of options have no spaces, Black moves first, byoyomi, mates are counted in plies,
``gameover``, a question for mate alone (``go mate``), and two answers that are no moves: to resign, and to declare
that one has won by entering the opponent's camp.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from agents.engine.protocol import AUTODISCOVER, Client, Engine, Load, Option, Value, read_go, strength_options
from agents.engine.time_control import Allowance, SearchLimits
from agents.engine.uci import centipawns

if TYPE_CHECKING:
    from agents.engine.board import Board
    from agents.engine.lines import Line
    from agents.engine.thinker import Report

__all__ = ["UsiEngine"]

_SIGN_OF_LIFE = 5.0
"""Seconds between empty lines while loading: Shogidokoro and ShogiGUI may give up on an engine that is silent."""


class UsiEngine(Engine):
    """Shogi by USI."""

    game_name = "shogi"
    sides = "bw"
    position_word = "sfen"
    no_move = "resign"
    options = (
        Option("USI_Hash", "spin", 256, 1, 65_536),  # megabytes for the search tree
        Option("USI_MultiPV", "spin", 1, 1, 593),
        Option("USI_Ponder", "check", False),  # pondering costs nothing to support; the client decides
        Option("MoveOverhead", "spin", 100, 0, 10_000),  # milliseconds
        Option("WeightsFile", "filename", AUTODISCOVER),
        *strength_options("shogi", "USI_"),
        Option("Temperature", "decimal", 0, 0, 100),
        Option("DebugLogFile", "filename", ""),
    )

    def __init__(self, client: Client, load: Load, values: dict[str, Value]) -> None:
        super().__init__(client, load, values)
        self.commands |= {"usi": self.usi, "usinewgame": self.new_game, "gameover": self.stop}
        self._wants_mate = False  # the search under way answers a question for mate

    def usi(self, _: str) -> None:
        """Say who answers, and that it speaks USI."""
        self.introduce("usiok")

    def is_ready(self, text: str) -> None:
        """As always; but loading is not done in silence."""
        with self._signs_of_life():
            super().is_ready(text)

    def go(self, text: str) -> None:
        """Think, and answer once; ``mate`` asks for a mate alone, within so many milliseconds or ``infinite``."""
        self.finish()
        asked = read_go(text, self.sides, asks_for_mate=True)
        self._wants_mate = asked.mate
        self._begin(asked)

    def score(self, line: "Line") -> str:
        """``cp`` or ``mate`` in plies, for the side to move; a declaration at the end of the line counts as one."""
        if line.plies:
            wins = line.plies > 0
            return f"mate {line.plies + (wins == (line.plies % 2 == 0)) * (1 if wins else -1)}"
        return f"cp {centipawns(line.value)}" if line.actions else "mate -0"

    def limits(self, board: "Board", allowed: Allowance) -> SearchLimits:
        """Whoever can declare need not think."""
        if self._wants_mate or not self._can_declare(board):
            return super().limits(board, allowed)
        return SearchLimits(nodes=1, infinite=allowed.infinite)

    def answer(self, board: "Board", report: "Report") -> str:
        """A move, ``win`` or ``resign``; or a mate."""
        if self._wants_mate:
            return f"checkmate {self._mate(board, report)}"
        return "bestmove win" if self._can_declare(board) else super().answer(board, report)

    def excuse(self, board: "Board | None") -> str:
        """The line that takes the place of an answer, where no search can begin."""
        return "checkmate timeout" if self._wants_mate else super().excuse(board)

    def tell_lines(self, board: "Board", report: "Report") -> None:
        """What the search has found; of a position that is won by declaring, that."""
        if not self._wants_mate and self._can_declare(board):
            report = report._replace(lines=[report.lines[0]._replace(actions=[], value=1.0, draw=0.0, plies=1)])
        super().tell_lines(board, report)

    def _mate(self, board: "Board", report: "Report") -> str:
        """The moves that mate, ``nomate`` where it is proven that nothing does, else ``timeout``."""
        line = report.lines[0]
        if not line.actions or line.plies < 0:
            return "nomate"
        if line.plies > 0 and _is_mate(board, line.actions):
            return " ".join(self.texts(board, line.actions))
        return "timeout"

    def _can_declare(self, board: "Board") -> bool:
        return bool(board.legal and board.game.can_declare(board.state))

    @contextlib.contextmanager
    def _signs_of_life(self) -> Iterator[None]:
        """Send an empty line now and then."""
        done = threading.Event()

        def send() -> None:
            while not done.wait(_SIGN_OF_LIFE):
                self.client.tell("")

        sender = threading.Thread(target=send, name="signs of life", daemon=True)
        sender.start()
        try:
            yield
        finally:
            done.set()
            sender.join()


def _is_mate(board: "Board", actions: Sequence[int]) -> bool:
    """Whether the opponent has no legal move after these; a win may also end with a declaration."""
    import numpy as np

    state = board.state.copy()
    for action in actions:
        board.game.apply(state, np.uint16(action))
    return bool(board.game.legal_actions(state, np.zeros(board.game.MAX_LEGAL, np.uint16)) == 0)
