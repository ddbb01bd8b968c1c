"""Games that a match ends before the rules do, because of what the players themselves think of them; only if asked to.

How often a score must be seen, and from which move on, is as in fishtest, where Stockfish is tested.
"""

from typing import NamedTuple

__all__ = ["NEVER", "Adjudication", "Opinions", "Verdict"]

_LOST_MOVES = 3
_DRAWN_MOVES = 8
_DRAWN_FROM = 34
"""Moves of each side before a game may be a draw by agreement of scores."""


class Adjudication(NamedTuple):
    """When a match ends games by itself."""

    resign: float | None = None
    """A side has lost that saw itself so many centipawns behind, or more, in three moves of its own in a row."""
    draw: float | None = None
    """A game is drawn that both sides saw no further than this from even in their last eight moves, from move 34 on."""


NEVER = Adjudication()


class Verdict(NamedTuple):
    """How a match ends a game."""

    how: str
    """"adjudicated loss" of the side to move, or "adjudicated draw"."""
    ending: str
    """The name of what comes closest in the games' ``Ending``."""
    value: float
    """For the side to move."""
    reason: str
    """A sentence."""


class Opinions:
    """What both sides have thought of a game so far."""

    def __init__(self, rules: Adjudication) -> None:
        self._rules = rules
        self._lost, self._even = [0, 0], [0, 0]  # moves in a row, by side

    def hear(self, turn: int, ply: int, score: float | None, name: str) -> Verdict | None:
        """Whether the game is over after the side to move has said what it thinks.

        Args:
            ply: how many moves have been played.
            score: centipawns for that side; None = it says nothing, which is neither lost nor even.
            name: of that side.
        """
        resign, draw = self._rules
        lost = score is not None and resign is not None and score <= -resign
        even = score is not None and draw is not None and abs(score) <= draw
        self._lost[turn] = self._lost[turn] + 1 if lost else 0
        self._even[turn] = self._even[turn] + 1 if even else 0
        if self._lost[turn] >= _LOST_MOVES:
            reason = f"{name} saw itself {resign:g} centipawns behind in {_LOST_MOVES} moves in a row"
            return Verdict("adjudicated loss", "RESIGNATION", -1.0, reason)
        if ply >= 2 * _DRAWN_FROM and min(self._even) >= _DRAWN_MOVES:
            reason = f"neither side saw more than {draw:g} centipawns in its last {_DRAWN_MOVES} moves"
            return Verdict("adjudicated draw", "MAX_PLIES", 0.0, reason)
        return None
