"""What a score says of strength: the Elo difference, the likelihood of superiority, and a test that stops a match.

A score is a share of all points, in [0, 1]; a win is worth one, a draw half.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Sprt", "elo", "expected_score", "log_likelihood_ratio", "superiority"]

_PAIR_SCORES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of two games with the same opening and changed colours."""
_NEVER_SEEN = 1e-3
"""How often a result counts that has not come up yet, so that it stays possible; fishtest's number."""


def elo(score: float) -> float:
    """The rating difference at which a score in [0, 1] is expected (Elo 1978): 400 log10(score / (1 - score))."""
    if score <= 0.0 or score >= 1.0:
        return math.copysign(math.inf, score - 0.5)
    return 400 * math.log10(score / (1 - score))


def expected_score(difference: float) -> float:
    """The inverse of ``elo``."""
    return 1 / (1 + 10 ** (-difference / 400))


def superiority(wins: int, losses: int) -> float:
    """The likelihood that the first player is the stronger one: P(wins > losses) by a normal approximation.

    Draws say nothing about it. See "Match Statistics" of the Chess Programming Wiki.
    """
    if wins + losses == 0:
        return 0.5
    return 0.5 * (1 + math.erf((wins - losses) / math.sqrt(2 * (wins + losses))))


class Sprt(NamedTuple):
    """A sequential probability ratio test (Wald 1945): is the Elo difference ``elo0`` or ``elo1``?"""

    elo0: float
    elo1: float
    """Greater than ``elo0``."""
    error: float = 0.05
    """The probability of each wrong answer, about."""

    @property
    def bound(self) -> float:
        """The test ends where the log-likelihood ratio reaches this number (for ``elo1``) or minus it."""
        return math.log((1 - self.error) / self.error)


def log_likelihood_ratio(pairs: Sequence[int], elo0: float, elo1: float) -> float:
    """How much likelier the results are at a difference of ``elo1`` than at ``elo0``, as a natural logarithm.

    By pairs of games, since the two games of an opening are not independent of each other. Nothing is assumed of how
    often draws are: each hypothesis is given the distribution of pairs that fits best of those with its score (the
    generalized test of M. Van den Bergh, as in fishtest's ``LLRcalc``).

    Args:
        pairs: [5] how many pairs brought 0, 0.5, 1, 1.5 and 2 points.
    """
    counts = [float(count) or _NEVER_SEEN for count in pairs]
    score0, score1 = expected_score(elo0), expected_score(elo1)
    tilt0, tilt1 = _tilt(counts, score0), _tilt(counts, score1)
    return sum(
        count * math.log((1 + tilt0 * (x - score0)) / (1 + tilt1 * (x - score1)))
        for count, x in zip(counts, _PAIR_SCORES, strict=True)
    )


def _tilt(counts: Sequence[float], score: float) -> float:
    """The t for which the distribution count / (1 + t (x - score)), the likeliest with that score, adds up.

    The sum falls as t grows between the two ends where a denominator would be zero, so halving finds it.
    """
    low, high = -1 / (1 - score), 1 / score
    for _ in range(60):
        middle = (low + high) / 2
        slope = sum(n * (x - score) / (1 + middle * (x - score)) for n, x in zip(counts, _PAIR_SCORES, strict=True))
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2
