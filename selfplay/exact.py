"""How good are a player's moves in a game that is solved? Each is judged by the exact scores of all of them.

A move *keeps the result* if with perfect play on both sides the game ends as it would have after the best one; it is
*optimal* if it also wins as soon, or loses as late, as can be. Nothing in training counts the plies, so the first is
what a network can be expected to learn. In many positions every move keeps the result: where one does not, it is *at
stake*.
"""

from typing import NamedTuple

import numpy as np

from games.solved import Sample
from rlcore.game import Game
from rlcore.jit import Array

__all__ = ["Marks", "Totals", "chance", "mark", "ply_groups", "totals"]

_MOST_GROUPS = 9


class Marks(NamedTuple):
    """Of a move in each of n positions. For a move drawn by chance the first three are means."""

    optimal: Array
    """[n] float64, 0 to 1: whether no move has a better score."""
    kept: Array
    """[n] float64, 0 to 1: whether none has a better result."""
    given_away: Array
    """[n] float64: the points lost, where a win is one and a draw half a point."""
    at_stake: Array
    """[n] bool: whether some move does not keep the result."""
    ply: Array
    """[n] int64"""


class Totals(NamedTuple):
    """Means over some positions; nan where there are none."""

    positions: int
    stakes: int
    """Positions in which the result is at stake."""
    optimal: float
    kept: float
    kept_at_stake: float
    """Of the positions in which the result is at stake, the share in which it was kept."""
    given_away: float


def _points(scores: Array) -> Array:
    return 0.5 + 0.5 * np.sign(scores)


def mark(game: Game, sample: Sample, actions: Array) -> Marks:
    """Judge a move in every position of the sample: ``actions``, [n] uint16, each legal."""
    legal = np.zeros(game.MAX_LEGAL, np.uint16)
    chosen = np.zeros(len(actions))
    for i, (state, scores) in enumerate(zip(sample.states, sample.scores, strict=True)):
        game.legal_actions(state, legal)
        chosen[i] = scores[list(legal[: len(scores)]).index(actions[i])]
    best = np.array([scores.max() for scores in sample.scores])
    lost = _points(best) - _points(chosen)
    return Marks((chosen == best).astype(float), (lost == 0.0).astype(float), lost, *_about(sample))


def chance(sample: Sample) -> Marks:
    """What a move drawn by chance is worth, exactly: the yardstick of all others."""
    lost = [_points(scores.max()) - _points(scores) for scores in sample.scores]
    optimal = [float((scores == scores.max()).mean()) for scores in sample.scores]
    kept = [float((points == 0.0).mean()) for points in lost]
    return Marks(np.array(optimal), np.array(kept), np.array([points.mean() for points in lost]), *_about(sample))


def _about(sample: Sample) -> tuple[Array, Array]:
    """Where the result is at stake, and the plies."""
    at_stake = np.array([np.ptp(np.sign(scores)) > 0 for scores in sample.scores], bool)
    return at_stake, sample.states["ply"].astype(np.int64)


def totals(marks: Marks, chosen: Array | None = None) -> Totals:
    """Means over all positions, or those ``chosen`` ([n] bool)."""
    chosen = np.full(len(marks.ply), True) if chosen is None else chosen
    stakes = chosen & marks.at_stake

    def mean(values: Array, where: Array) -> float:
        return float(values[where].mean()) if where.any() else float("nan")

    return Totals(
        positions=int(chosen.sum()),
        stakes=int(stakes.sum()),
        optimal=mean(marks.optimal, chosen),
        kept=mean(marks.kept, chosen),
        kept_at_stake=mean(marks.kept, stakes),
        given_away=mean(marks.given_away, chosen),
    )


def ply_groups(plies: Array) -> list[Array]:
    """Neighbouring plies ([n] int64) that are counted together, each as the plies of a group; nine at most."""
    present = np.unique(plies)
    return np.split(present, range(0, len(present), -(-len(present) // _MOST_GROUPS))[1:])
