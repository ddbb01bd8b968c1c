"""A UCI or USI program as a teacher: of a position, which moves it would play, and how it stands.

Soft targets (Hinton et al. 2015, arXiv:1503.02531): a softmax over the scores of the teacher's best moves says more of
a position than the best move alone.
"""

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.engine.board import Board
from agents.engine.clients import Limits, Line, ProgramPlayer, parse_program
from rlcore.game import Game
from rlcore.jit import Array
from selfplay.config import LessonConfig

__all__ = ["CURVES", "Curve", "Opinion", "Teacher", "policy_of"]

_MOST = 2000.0
"""Centipawns that a score counts for at most, where there is no mate."""
_MATE, _MATE_MOVE, _LONGEST_MATE = 3000.0, 100.0, 10
"""What a mate counts for here: so much, and a move sooner so much more, from so many moves on."""
_NO_MATE = 50_000.0
"""Scores of programs beyond this are mates: 100,000 less the moves until then."""
_PATIENCE = 60.0


class Curve(NamedTuple):
    """Win, draw and loss of a score: the chance to win is 1 / (1 + exp((margin - score) / scale)), in centipawns.

    With the margin, chances to win and to lose fall short of one, and what is missing is the chance of a draw.
    """

    margin: float
    scale: float

    def wdl(self, centipawns: float) -> tuple[float, float, float]:
        """Chances to win, draw and lose."""
        win, loss = (0.5 + 0.5 * math.tanh((sign * centipawns - self.margin) / (2 * self.scale)) for sign in (1, -1))
        return win, max(1.0 - win - loss, 0.0), loss


CURVES = {"chess": Curve(margin=60.0, scale=90.0), "shogi": Curve(margin=0.0, scale=600.0)}
"""Wider than engines see themselves, which lose nothing that they have won; 600 is usual in shogi, where nearly nothing
is drawn."""


class Opinion(NamedTuple):
    """What a teacher thinks of a position."""

    actions: Array
    """[n] uint16, the best first."""
    weights: Array
    """[n] float64, which sum to one."""
    wdl: tuple[float, float, float]
    """For the side to move."""


class Teacher:
    """A program that is asked for its opinion; close it in the end.

    Raises:
        ProgramFailed: it cannot be started as wished.
    """

    def __init__(self, game: Game, config: LessonConfig) -> None:
        self.game, self.config = game, config
        many = str(config.multipv)
        wishes = {"Threads": "1", "MultiPV": many, "USI_MultiPV": many, "USI_Ponder": "false", "UCI_ShowWDL": "true"}
        program = parse_program(config.teacher)._replace(wishes=wishes)
        self._player = ProgramPlayer(game, program, Limits(nodes=config.nodes, patience=_PATIENCE))
        self.name = self._player.name
        self.asked = 0
        """Positions; and the seconds that it took over them."""
        self.seconds = 0.0
        self.closed = False

    def begin(self, board: Board) -> None:
        """Forget what was, so that an opinion depends on this game alone."""
        self._player.begin(board, 0)

    def opinion(self, board: Board) -> Opinion:
        """Of the newest position of the game that has begun.

        Raises:
            ProgramFailed: it has none, or a move of it is not legal.
        """
        began = time.perf_counter()
        lines = self._player.analyse(board)
        self.asked += 1
        self.seconds += time.perf_counter() - began
        best = lines[0]
        wdl = best.wdl if self.config.value == "wdl" else None
        return Opinion(
            actions=np.array([line.action for line in lines], np.uint16),
            weights=policy_of(lines, self.config.temperature),
            wdl=CURVES[self.game.name].wdl(_bounded(best.centipawns)) if wdl is None else wdl,
        )

    def close(self) -> None:
        """End the program; may be called while it thinks."""
        self.closed = True
        self._player.close(politely=False)


def policy_of(lines: Sequence[Line], temperature: float) -> Array:
    """Shares of the policy, [n] float64: a softmax of the scores; ``temperature`` in centipawns."""
    scores = np.array([_bounded(line.centipawns) for line in lines])
    shares: Array = np.exp((scores - scores.max()) / temperature)
    return shares / shares.sum()


def _bounded(centipawns: float) -> float:
    """A score with limits: a mate is above all else, and a quick one above a slow one."""
    size = abs(centipawns)
    if size > _NO_MATE:
        moves = min(2 * _NO_MATE - size, _LONGEST_MATE)
        size = _MATE + _MATE_MOVE * (_LONGEST_MATE - moves)
    else:
        size = min(size, _MOST)
    return math.copysign(size, centipawns)
