"""What few runs say: interquartile mean, bootstrap intervals, probability of improvement.

Agarwal, Schwarzer, Castro, Courville and Bellemare: Deep Reinforcement Learning at the Edge of the Statistical
Precipice, NeurIPS 2021, whose library rliable defines the same. Scores are [tasks, runs]; [runs] is a single task.

A percentile bootstrap of few runs is too sure of itself: see `COVERAGE`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["COVERAGE", "RESAMPLES", "improvement", "improvement_interval", "interval", "iqm"]

Array = NDArray[Any]
Statistic = Callable[[Array], Array]
"""Scores [..., tasks, runs] to a figure [...]."""

RESAMPLES = 2000
COVERAGE = {2: 0.50, 3: 0.75, 4: 0.88, 5: 0.90, 10: 0.93, 20: 0.94}
"""Runs of one task: how often their 95 % interval of the IQM holds the truth, measured on normal data."""


def iqm(scores: ArrayLike) -> Array:
    """The interquartile mean [...] of scores [..., tasks, runs] (or [runs]): of the middle half of all of them.

    A quarter of the scores, rounded down, is left out at each end; nan where a score is not known.
    """
    flat = _two_dimensional(scores)
    flat = flat.reshape(*flat.shape[:-2], -1)
    cut = flat.shape[-1] // 4
    middle: Array = np.sort(flat, axis=-1)[..., cut : flat.shape[-1] - cut].mean(axis=-1)
    return np.where(np.isnan(flat).any(axis=-1), np.nan, middle)


def interval(
    scores: ArrayLike,
    statistic: Statistic = iqm,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of a figure by the stratified percentile bootstrap: runs are drawn anew inside each task.

    Args:
        scores: [tasks, runs] or [runs]; with a single run both ends are its score, which says nothing.
        seed: of the draws; the same scores always get the same interval.
    """
    rng = np.random.default_rng(seed)
    return _percentiles(statistic(_resampled(_two_dimensional(scores), resamples, rng)), confidence)


def improvement(ours: ArrayLike, theirs: ArrayLike) -> float:
    """How probable it is that a run of ours scores more than one of theirs, ties counting half: the mean over tasks.

    Mann and Whitney's U divided by the number of pairs, for each task.

    Args:
        ours: [tasks, runs] or [runs].
        theirs: the same tasks; as many runs as there are.
    """
    return float(_improvement(_two_dimensional(ours), _two_dimensional(theirs)))


def improvement_interval(
    ours: ArrayLike, theirs: ArrayLike, *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The interval of `improvement`: runs of both are drawn anew inside each task."""
    rng = np.random.default_rng(seed)
    drawn = [_resampled(_two_dimensional(scores), resamples, rng) for scores in (ours, theirs)]
    return _percentiles(_improvement(*drawn), confidence)


def _two_dimensional(scores: ArrayLike) -> Array:
    """[..., tasks, runs] float64."""
    array = np.atleast_2d(np.asarray(scores, np.float64))
    if array.size == 0:
        raise ValueError("there are no scores")
    return array


def _resampled(scores: Array, resamples: int, rng: np.random.Generator) -> Array:
    """[resamples, tasks, runs]: of each task as many runs as there are, drawn with replacement."""
    tasks, runs = scores.shape
    return scores[np.arange(tasks)[:, None], rng.integers(0, runs, (resamples, tasks, runs))]


def _percentiles(figures: Array, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _improvement(ours: Array, theirs: Array) -> Array:
    """[...] of scores [..., tasks, runs]."""
    if ours.shape[-2] != theirs.shape[-2]:
        raise ValueError(f"both need the same tasks, not {ours.shape[-2]} and {theirs.shape[-2]}")
    difference = ours[..., :, None] - theirs[..., None, :]
    wins: Array = (difference > 0) + 0.5 * (difference == 0)
    return wins.mean(axis=(-3, -2, -1))
