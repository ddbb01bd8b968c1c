"""Elo, intervals, superiority and the sequential test, by hand-computed figures and by simulation."""

import math

import numpy as np
import pytest

from selfplay.arena import interval, wilson
from selfplay.elo import Sprt, elo, expected_score, log_likelihood_ratio, superiority


@pytest.mark.parametrize(("score", "difference"), [(0.5, 0.0), (0.75, 190.85), (0.25, -190.85), (10 / 11, 400.0)])
def test_elo_difference_of_a_score(score: float, difference: float) -> None:
    assert elo(score) == pytest.approx(difference, abs=0.01)
    assert expected_score(difference) == pytest.approx(score, abs=1e-5)


def test_nobody_knows_how_much_better_one_is_who_wins_every_game() -> None:
    assert elo(1.0) == math.inf
    assert elo(0.0) == -math.inf


def test_superiority_counts_wins_and_losses_alone() -> None:
    assert superiority(0, 0) == 0.5
    assert superiority(10, 10) == 0.5
    assert superiority(30, 20) == pytest.approx(0.92135, abs=1e-5)  # Phi(10 / sqrt(50))
    assert superiority(20, 30) == pytest.approx(1 - superiority(30, 20))


def test_without_draws_an_interval_is_wilsons() -> None:
    for wins, losses in ((7, 3), (20, 0), (0, 20), (1, 0)):
        assert interval(wins, 0, losses) == pytest.approx(wilson(wins / (wins + losses), wins + losses))
    assert interval(20, 0, 0)[1] == 1.0
    assert interval(0, 0, 0) == (0.0, 1.0)


def test_draws_make_an_interval_narrower_and_never_nothing() -> None:
    low, high = interval(5, 90, 5)
    wide_low, wide_high = wilson(0.5, 100)
    assert wide_low < low < 0.5 < high < wide_high
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.12 / 4 / 102 * 100) / 10, rel=0.05)  # 12 of 102 decided
    assert interval(0, 20, 0)[0] < 0.45


@pytest.mark.parametrize("chances", [(0.5, 0.0, 0.5), (0.05, 0.9, 0.05), (0.6, 0.3, 0.1), (0.02, 0.5, 0.48)])
def test_an_interval_holds_the_true_score_nineteen_times_in_twenty(chances) -> None:
    generator = np.random.default_rng(1)
    truth = chances[0] + chances[1] / 2
    intervals = [interval(*map(int, counts)) for counts in generator.multinomial(100, chances, size=2000)]
    assert 0.93 < np.mean([low <= truth <= high for low, high in intervals]) < 0.985


def test_the_ratio_of_two_results_is_that_of_a_coin() -> None:
    score0, score1 = expected_score(0), expected_score(50)
    by_hand = 60 * math.log(score1 / score0) + 40 * math.log((1 - score1) / (1 - score0))
    assert log_likelihood_ratio([40, 0, 0, 0, 60], 0, 50) == pytest.approx(by_hand, abs=1e-3)
    assert log_likelihood_ratio([0, 0, 0, 0, 20], 0, 50) == pytest.approx(20 * math.log(score1 / score0), abs=1e-3)


def test_the_ratio_of_many_pairs_is_near_its_normal_approximation() -> None:
    counts, scores = np.array([100, 900, 3000, 1000, 150]), np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    mean = (counts * scores).sum() / counts.sum()
    variance = (counts * (scores - mean) ** 2).sum() / counts.sum()
    score0, score1 = expected_score(0), expected_score(5)
    approximate = counts.sum() * (score1 - score0) * (2 * mean - score0 - score1) / 2 / variance
    assert log_likelihood_ratio(counts.tolist(), 0, 5) == pytest.approx(approximate, rel=1e-3)


def test_without_games_nothing_is_likelier() -> None:
    assert log_likelihood_ratio([0] * 5, 0, 10) == pytest.approx(0.0, abs=1e-4)
    assert log_likelihood_ratio([3, 7, 20, 7, 3], -10, 10) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("truth", "right"), [(0.0, False), (100.0, True)])
def test_the_test_is_seldom_wrong(truth: float, right: bool) -> None:
    generator, test = np.random.default_rng(2), Sprt(0.0, 100.0)
    win = expected_score(truth)
    chances = [(1 - win) ** 2, 0.0, 2 * win * (1 - win), 0.0, win**2]
    wrong = 0
    for _ in range(200):
        counts = np.zeros(5, int)
        while abs(ratio := log_likelihood_ratio(counts.tolist(), *test[:2])) < test.bound:
            counts += generator.multinomial(4, chances)
        wrong += (ratio > 0) != right
    assert wrong <= 18  # 10 are expected


def test_the_bounds_are_walds() -> None:
    assert Sprt(0, 10).bound == pytest.approx(math.log(19))
