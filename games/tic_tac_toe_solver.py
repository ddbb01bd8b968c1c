"""Tic-tac-toe solved exactly, by playing out every game once.

A score is 0 for a draw. Else it says how soon the win comes: 1 for a win by the winner's last move, 2 for the one
before it, and so on; below zero for the side that loses. The move that follows ``n`` others wins (10 - n) / 2 points,
rounded down.
"""

import numpy as np

from games.tic_tac_toe import MAX_LEGAL, STATE, apply, has_three, legal_actions
from rlcore.jit import Array, Row

__all__ = ["Solver"]


class Solver:
    """Scores of tic-tac-toe's moves; positions are looked at when they first come up."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        """The scores of positions, for the side to move, by their keys."""

    def scores(self, state: Row) -> Array:
        """[n] int64: the scores of the legal actions, in the order of ``legal_actions``; none once the game is over."""
        legal = np.zeros(MAX_LEGAL, np.uint16)
        after = np.zeros(1, STATE)
        scores = []
        for action in legal[: legal_actions(state, legal)]:
            after[0] = state
            apply(after[0], action)
            scores.append(-self._score(after[0]))
        return np.array(scores, np.int64)

    def _score(self, state: Row) -> int:
        key = int(state["key"])
        if key not in self._known:
            if has_three(state["opponent"]):
                self._known[key] = -((11 - int(state["ply"])) // 2)
            else:
                self._known[key] = int(self.scores(state).max(initial=-10)) if state["ply"] < 9 else 0
        return self._known[key]
