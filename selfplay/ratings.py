"""Ratings: what all games of a pool say of its players' strength, after Bradley and Terry (1952), by way of choix.

A rating is in Elo, 400 log10 of a strength s; player i is expected to score s_i / (s_i + s_j) against j, a draw being
half a win for each. The two games of a pair, with one opening and changed colours, are not independent of each other,
so pairs are what is counted: results [P, P, 5] say how many pairs of games brought the first of two players 0, 0.5, 1,
1.5 and 2 points. Whatever is counted for i against j stands for j against i as well, the other way round.
"""

import math
from typing import NamedTuple

import numpy as np

from rlcore.jit import Array

__all__ = ["Rating", "count", "doubts", "next_pairing", "points", "rate", "strengths"]

_ELO = 400 / math.log(10)
"""In a difference of one of natural logarithms of strength."""
_POINTS = np.arange(5) / 2
"""Of a pair of games."""
_INTERVAL = (0.025, 0.975)


class Rating(NamedTuple):
    """What is known of one player's strength."""

    elo: float
    """Above the anchor's; nan where no games connect the two."""
    low: float
    """95 % interval; -inf or inf where an end is open."""
    high: float
    games: int
    score: float
    """Share of the points of all its games, in [0, 1]; nan without games."""


def count(results: Array, first: int, second: int, score: float) -> None:
    """Count a pair of games that brought the first player ``score`` of two points; ``results`` modified in place."""
    half_points = round(2 * score)
    results[first, second, half_points] += 1
    results[second, first, 4 - half_points] += 1


def points(results: Array) -> Array:
    """[..., P, P] float64: what the first of two players scored against the second."""
    scored: Array = results @ _POINTS
    return scored


def strengths(scored: Array, draws: Array, near: Array | None = None, error: float = 1e-6) -> Array:
    """The likeliest ratings [P] in Elo, their mean 0.

    Args:
        scored: [P, P] points of each player against each; games must connect all players.
        draws: [P, P] drawn games that are counted beside them; none where every player has won points of the rest and
            lost some, or there is no likeliest rating.
        near: ratings to begin the search from.
        error: in Elo, of each about, at which it ends.
    """
    import choix

    start = None if near is None else near / _ELO
    found: Array = choix.ilsr_pairwise_dense(scored + draws / 2, 0.0, start, 10_000, error / _ELO)
    return (found - found.mean()) * _ELO


def doubts(scored: Array) -> Array:
    """[P, P] how many drawn games are counted beside those that were played: at most one in all for a player.

    Half a win and half a loss take most of the bias from the logarithm of odds, and keep it finite for a player that
    has won or lost everything (Haldane 1956, Anscombe 1956). They lie where games tell most: a draw in each pairing
    would pull players together that are far apart, of whom each game says little.
    """
    elo = strengths(scored, ((scored + scored.T) > 0).astype(float))
    told = (scored + scored.T) * _told(elo[:, None], elo[None])
    most = told.sum(axis=1)
    shares: Array = told / np.maximum(most[:, None], most[None])
    return shares


def _told(first: Array, second: Array) -> Array:
    """p (1 - p), where p is the score that is expected by two ratings: what a game tells of their difference."""
    expected = 1 / (1 + 10 ** ((second - first) / 400))
    return expected * (1 - expected)


def rate(results: Array, anchor: int = 0, seed: int = 1, resamples: int = 1000) -> list[Rating]:
    """The ratings of all players above the anchor's, with 95 % bootstrap intervals.

    For the intervals every pairing's pairs of games are drawn anew, with replacement, from those that were played and
    some ``doubts`` more, pairs whose result may have been any of the five: what has always come out the same way may do
    otherwise next time, the more so the fewer games there were. An end of an interval is open where, in more than 2.5 %
    of what was drawn, the games set the rating no bound on that side.

    Args:
        results: [P, P, 5] pairs of games, see ``count``.
        anchor: the player whose rating is 0.
        seed, resamples: of the games that are drawn anew.
    """
    scored = points(results)
    pairs = results.sum(axis=-1)
    known = np.flatnonzero(_paths(pairs > 0)[anchor])
    zero = int(np.searchsorted(known, anchor))
    inner = np.ix_(known, known)
    elo = low = high = np.zeros(1)
    if len(known) > 1:
        elo = strengths(scored[inner], doubts(scored[inner]))
        low, high = _intervals(results[inner], elo, zero, np.random.default_rng(seed), resamples)
    ratings = []
    for player in range(len(results)):
        games, total = 2 * int(pairs[player].sum()), float(scored[player].sum())
        score = total / games if games else math.nan
        if player in known:
            at = int(np.searchsorted(known, player))
            ratings.append(Rating(float(elo[at] - elo[zero]), float(low[at]), float(high[at]), games, score))
        else:
            ratings.append(Rating(math.nan, -math.inf, math.inf, games, score))
    return ratings


def _intervals(
    results: Array, elo: Array, anchor: int, rng: np.random.Generator, resamples: int
) -> tuple[Array, Array]:
    """The lower and upper ends [P] of ratings above the anchor's."""
    more = doubts(points(results))
    drawn = np.stack([_drawn(results, more, elo, anchor, rng) for _ in range(resamples)])
    low = np.quantile(drawn, _INTERVAL[0], axis=0, method="lower")  # between two of them may lie infinity
    high = np.quantile(drawn, _INTERVAL[1], axis=0, method="higher")
    return low, high


def _drawn(results: Array, more: Array, elo: Array, anchor: int, rng: np.random.Generator) -> Array:
    """Ratings [P] above the anchor's from pairs of games drawn anew, infinite where those set no bound."""
    scored = np.zeros(results.shape[:2])
    for i, j in zip(*np.nonzero(np.triu(results.sum(axis=-1))), strict=True):
        chances = results[i, j] + more[i, j] / 5
        pairs = int(results[i, j].sum())
        pair_points = rng.multinomial(pairs, chances / chances.sum()) @ _POINTS
        scored[i, j], scored[j, i] = pair_points, 2 * pairs - pair_points
    found = strengths(scored, more, elo, error=0.01)
    return _opened(found - found[anchor], scored, anchor)


def _opened(elo: Array, scored: Array, anchor: int) -> Array:
    """The ratings [P], infinite where the points bound them on one side only.

    By points that were won a path leads from every player to all those that it is not infinitely weaker than (Ford
    1957): with no path from the anchor to a player, nothing says how strong that player may be.
    """
    paths = _paths(scored > 0)
    opened = np.where(paths[anchor], elo, math.inf)
    return np.where(paths[:, anchor], opened, -math.inf)


def _paths(edges: Array) -> Array:
    """[P, P] bool: whether edges lead from one to another, by way of others too; everyone reaches itself."""
    paths = edges | np.eye(len(edges), dtype=bool)
    for middle in range(len(edges)):
        paths |= paths[:, middle, None] & paths[None, middle]
    return paths


def next_pairing(results: Array) -> tuple[int, int]:
    """Which two players a game tells most about.

    Pairings that have not been played come first, those of neighbours in the list before others. Then it is where
    p (1 - p) / (n + 1) is greatest: p is the score that is expected by the ratings so far, so that p (1 - p) is what a
    game tells of the difference; n are the games that have already told it.

    Args:
        results: [P, P, 5] pairs of games of at least two players, see ``count``.
    """
    games = 2 * results.sum(axis=-1)
    first, second = np.triu_indices(len(results), 1)
    new = games[first, second] == 0
    if new.any():
        chosen = int(np.where(new, second - first, len(results)).argmin())
    else:
        scored = points(results)
        elo = strengths(scored, (games > 0).astype(float))  # two games won do not prove that nothing is left to learn
        told = _told(elo[first], elo[second]) / (games[first, second] + 1)
        chosen = int(told.round(9).argmax())  # so that the last digits of a machine decide nothing
    return int(first[chosen]), int(second[chosen])
