"""Interquartile mean, bootstrap intervals, probability of improvement: against numbers computed by hand."""

import math

import numpy as np
import pytest

from rlcore.statistics import COVERAGE, improvement, improvement_interval, interval, iqm

FIVE = [1.0, 2.0, 3.0, 4.0, 100.0]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0], 1.5),
        ([1.0, 2.0, 6.0], 3.0),  # a quarter of three, rounded down, is none
        ([1.0, 2.0, 4.0, 90.0], 3.0),
        (FIVE, 3.0),  # the middle three
        ([[8.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], 4.5),  # the middle four of both tasks together: 3, 4, 5, 6
        ([[1.0, 1.0], [3.0, 3.0]], 2.0),
    ],
)
def test_iqm_is_the_mean_of_the_middle_half(scores, expected) -> None:
    assert float(iqm(scores)) == expected


def test_iqm_of_many_sets_at_once() -> None:
    assert iqm([[FIVE], [[0.0, 0.0, 0.0, 0.0, 5.0]]]).tolist() == [3.0, 0.0]


def test_a_score_that_is_not_known_is_not_left_out_in_silence() -> None:
    assert math.isnan(iqm([1.0, 2.0, 3.0, 4.0, math.nan]))


def test_no_scores_are_an_error() -> None:
    with pytest.raises(ValueError, match="no scores"):
        iqm([])


def test_an_interval_is_the_same_every_time_and_another_with_another_seed() -> None:
    assert interval(FIVE) == interval(FIVE)
    scores = np.random.default_rng(0).standard_normal(9)
    assert interval(scores) != interval(scores, seed=1)


def test_the_interval_of_two_runs_reaches_from_one_to_the_other() -> None:
    """A quarter of all resamples is twice the lower one, a quarter twice the upper one."""
    assert interval([1.0, 2.0]) == (1.0, 2.0)
    assert interval([3.0]) == (3.0, 3.0)


def test_an_interval_is_near_that_of_the_normal_distribution_where_runs_are_many() -> None:
    scores = np.random.default_rng(3).standard_normal(400)
    low, high = interval(scores, lambda drawn: drawn.mean(axis=(-2, -1)))
    error = scores.std() / 20
    assert low == pytest.approx(scores.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(scores.mean() + 1.96 * error, abs=0.15 * error)


def test_runs_are_drawn_inside_their_tasks() -> None:
    """Tasks of very different scale: without strata, one would now and then be drawn more often than the other."""
    assert interval([[1.0, 1.0, 1.0], [900.0, 900.0, 900.0]], lambda drawn: drawn.mean(axis=(-2, -1))) == (450.5, 450.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([2.0, 3.0], [0.0, 1.0], 1.0),
        ([0.0, 1.0], [2.0, 3.0], 0.0),
        ([1.0, 1.0], [1.0, 1.0], 0.5),
        ([1.0, 3.0], [2.0, 2.0, 0.0], 4 / 6),  # 3 beats three, 1 beats one of three
        ([[1.0, 3.0], [5.0, 5.0]], [[2.0, 2.0], [5.0, 4.0]], (0.5 + 0.75) / 2),  # the mean over tasks
    ],
)
def test_probability_of_improvement_counts_pairs_and_halves_ties(ours, theirs, expected) -> None:
    assert improvement(ours, theirs) == pytest.approx(expected)
    assert improvement(theirs, ours) == pytest.approx(1 - expected)


def test_the_interval_of_an_improvement_holds_it() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal((3, 8)) + 0.5, rng.standard_normal((3, 6))
    low, high = improvement_interval(ours, theirs)
    assert 0 <= low < improvement(ours, theirs) < high <= 1
    assert improvement_interval([2.0, 3.0], [0.0, 1.0]) == (1.0, 1.0)


def test_an_improvement_needs_the_same_tasks() -> None:
    with pytest.raises(ValueError, match="the same tasks, not 2 and 1"):
        improvement([[1.0], [2.0]], [[1.0]])


@pytest.mark.slow
@pytest.mark.parametrize("runs", COVERAGE)
def test_how_often_an_interval_holds_the_truth_is_as_stated(runs) -> None:
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for low, high in (interval(rng.standard_normal(runs), seed=i) for i in range(2000))]
    assert np.mean(held) == pytest.approx(COVERAGE[runs], abs=0.03)
