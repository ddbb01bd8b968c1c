"""Ratings: numbers by hand or found another way, intervals that hold what they promise, games where they tell most."""

import math

import numpy as np
import pytest

from selfplay.elo import elo, expected_score
from selfplay.ratings import count, doubts, next_pairing, points, rate, strengths


def results(players: int, *played: tuple[int, int, float, int]):
    """[P, P, 5]; each as first player, second player, points of a pair of games, pairs."""
    table = np.zeros((players, players, 5), np.int64)
    for first, second, score, pairs in played:
        for _ in range(pairs):
            count(table, first, second, score)
    return table


def likeliest(scored, draws):
    """Ratings by scipy, from the likelihood as it is written down."""
    from scipy.optimize import minimize

    total = scored + draws / 2

    def loss(rating):
        return (total * np.logaddexp(0, rating[None] - rating[:, None])).sum()

    found = minimize(loss, np.zeros(len(scored)), method="BFGS", options={"gtol": 1e-9}).x
    return (found - found.mean()) * 400 / math.log(10)


def test_results_stand_for_both_players() -> None:
    table = results(2, (0, 1, 2.0, 3), (1, 0, 0.5, 1))
    assert table[0, 1].tolist() == [0, 0, 0, 1, 3]
    assert table[1, 0].tolist() == [3, 1, 0, 0, 0]
    assert points(table).tolist() == [[0, 7.5], [0.5, 0]]


def test_two_players_differ_by_the_elo_of_their_score() -> None:
    table = results(2, (0, 1, 2.0, 12), (0, 1, 1.0, 6), (0, 1, 0.0, 2))  # 30 of 40 points
    found = strengths(points(table), np.zeros((2, 2)))
    assert found[0] - found[1] == pytest.approx(elo(0.75), abs=1e-4)
    rated = rate(table, anchor=1, resamples=20)
    assert rated[0].elo == pytest.approx(elo(30.5 / 41), abs=1e-4)  # with one draw more
    assert rated[0].low < rated[0].elo < rated[0].high
    assert rated[1][:3] == (0.0, 0.0, 0.0)
    assert (rated[0].games, rated[0].score, rated[1].games, rated[1].score) == (40, 0.75, 40, 0.25)


def test_a_draw_is_half_a_win_for_each() -> None:
    drawn, shared = results(2, (0, 1, 1.5, 20)), results(2, (0, 1, 2.0, 10), (0, 1, 1.0, 10))
    assert rate(drawn, resamples=5)[1].elo == pytest.approx(rate(shared, resamples=5)[1].elo)


def test_three_players_are_rated_as_the_likelihood_says() -> None:
    table = results(3, (0, 1, 1.5, 10), (1, 2, 2.0, 4), (1, 2, 0.5, 9), (0, 2, 1.0, 3), (0, 2, 2.0, 1))
    scored = points(table)
    assert strengths(scored, np.zeros((3, 3))) == pytest.approx(likeliest(scored, np.zeros((3, 3))), abs=0.01)
    more = doubts(scored)
    assert strengths(scored, more) == pytest.approx(likeliest(scored, more), abs=0.01)
    rated = rate(table, anchor=2, resamples=5)
    wanted = likeliest(scored, more)
    assert [one.elo for one in rated] == pytest.approx(wanted - wanted[2], abs=0.01)


def test_the_draws_that_are_added_lie_where_games_tell_most() -> None:
    more = doubts(points(results(3, (0, 1, 1.0, 20), (0, 2, 2.0, 20), (1, 2, 2.0, 20))))
    assert more == pytest.approx(more.T)
    assert more.sum(axis=1).max() <= 1 + 1e-12
    assert more[0, 1] > 0.8
    assert max(more[0, 2], more[1, 2]) < 0.2


def test_whoever_has_won_everything_has_an_open_interval() -> None:
    one = rate(results(2, (1, 0, 2.0, 20)), resamples=400)[1]  # 40 of 40
    assert one.elo == pytest.approx(elo(40.5 / 41), abs=1e-3)
    assert one.high == math.inf
    assert 300 < one.low < 500  # Wilson's interval ends at 407
    other = rate(results(2, (1, 0, 0.0, 20)), resamples=400)[1]
    assert (other.low, other.elo) == (-math.inf, pytest.approx(-one.elo))
    assert -500 < other.high < -300


def test_beating_everybody_says_nothing_of_the_others() -> None:
    table = results(4, (0, 1, 1.5, 20), (0, 1, 0.5, 10), (2, 0, 2.0, 10), (2, 1, 2.0, 10), (3, 2, 1.0, 10))
    without = rate(table[:2, :2], resamples=200)[1]
    rated = rate(table, resamples=200)
    assert rated[1].elo == pytest.approx(without.elo, abs=5)
    assert rated[1].high - rated[1].low == pytest.approx(without.high - without.low, rel=0.25)
    assert rated[2].high == rated[3].high == math.inf  # 3 is as strong as 2, which nobody else has taken a point from


def test_players_that_no_games_connect_are_not_rated() -> None:
    rated = rate(results(4, (0, 1, 1.5, 5), (2, 3, 1.5, 5)), resamples=5)
    assert all(math.isfinite(rated[player].elo) for player in (0, 1))
    for player in (2, 3):
        assert math.isnan(rated[player].elo)
        assert (rated[player].low, rated[player].high, rated[player].games) == (-math.inf, math.inf, 10)
    (alone,) = rate(np.zeros((1, 1, 5), np.int64))
    assert alone[:4] == (0.0, 0.0, 0.0, 0)
    assert math.isnan(alone.score)


def test_the_same_games_are_rated_the_same() -> None:
    table = results(3, (0, 1, 1.5, 4), (1, 2, 1.5, 4), (0, 2, 2.0, 1))
    assert rate(table, resamples=50) == rate(table, resamples=50)


def simulated(truth, games: int, rng):
    """Games of players of known strength, where they tell most; a third of what is close to even is drawn."""
    table = np.zeros((len(truth), len(truth), 5), np.int64)
    for _ in range(games // 2):
        first, second = next_pairing(table)
        p = expected_score(truth[first] - truth[second])
        drawn = 4 / 3 * p * (1 - p)
        score = rng.choice([1, 0.5, 0], size=2, p=[p - drawn / 2, drawn, 1 - p - drawn / 2]).sum()
        count(table, first, second, score)
    return table


def test_intervals_hold_the_truth_as_often_as_they_promise() -> None:
    rng, truth, rounds = np.random.default_rng(11), np.array([0.0, 150.0, 400.0]), 40
    held = 0
    for number in range(rounds):
        rated = rate(simulated(truth, 60, rng), seed=number, resamples=100)
        held += sum(one.low <= right <= one.high for one, right in zip(rated[1:], truth[1:], strict=True))
    assert 0.88 <= held / (2 * rounds) <= 0.995  # 95 % of 80 are expected, give or take 2.4 %


def test_new_pairings_come_first_neighbours_before_others() -> None:
    table, order = np.zeros((4, 4, 5), np.int64), []
    for _ in range(6):
        order.append(next_pairing(table))
        count(table, *order[-1], 1.0)
    assert order == [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)]


def test_games_are_played_where_they_tell_most() -> None:
    rng = np.random.default_rng(5)
    table = simulated(np.array([0.0, 100.0, 1200.0, 1250.0]), 300, rng)
    games = 2 * table.sum(axis=-1)
    assert min(games[0, 1], games[2, 3]) > 4 * max(games[0, 2], games[0, 3], games[1, 2], games[1, 3])
    assert games[np.triu_indices(4, 1)].min() >= 2
