"""Normalisers, against NumPy over all at once."""

import numpy as np
import pytest

from rlcore.normalise import Moments, ObservationNormaliser, RewardNormaliser
from rlcore.returns import DEAD, GOES_ON, TERMINATED, TRUNCATED


def test_moments_in_parts_are_those_of_all_at_once() -> None:
    values = np.random.default_rng(0).normal(1e4, [1.0, 50.0], (1000, 2)).astype(np.float32)
    moments = Moments((2,))
    for part in np.split(values, [1, 2, 300, 300]):
        moments.update(part)
    assert moments.count == 1000
    assert moments.mean == pytest.approx(values.mean(0, np.float64), rel=1e-9)
    assert moments.variance == pytest.approx(values.var(0, np.float64), rel=1e-6)


def test_observations_change_the_normaliser_only_when_it_is_told() -> None:
    normaliser = ObservationNormaliser((1,), clip=3.0)
    rows = np.array([[1.0], [3.0]], np.float32)
    assert normaliser(rows).tolist() == [[1.0], [3.0]]  # before it has seen any: as they are
    normaliser.update(rows)  # mean 2, deviation 1
    assert normaliser(np.array([[2.5], [9.0], [-9.0]], np.float32)).tolist() == [[0.5], [3.0], [-3.0]]
    assert normaliser.moments.count == 2
    other = ObservationNormaliser((1,), clip=3.0)
    other.restore(normaliser.save())
    assert other(rows).tolist() == normaliser(rows).tolist()


def test_rewards_are_divided_by_the_deviation_of_their_discounted_sums() -> None:
    """Environment 0: sums 1, 1.5, 1.75, after the end 1. Environment 1: 2, a dead step that does not count, 2, 3."""
    normaliser = RewardNormaliser(2, 0.5)
    rewards = np.array([[1.0, 2.0], [1.0, 0.0], [1.0, 2.0], [1.0, 2.0]], np.float32)
    ended = np.array([[GOES_ON, TRUNCATED], [GOES_ON, DEAD], [TERMINATED, GOES_ON], [GOES_ON, GOES_ON]], np.uint8)
    found = normaliser(rewards, ended)
    deviation = np.std([1.0, 1.5, 1.75, 1.0, 2.0, 2.0, 3.0])
    assert found == pytest.approx(rewards / deviation, rel=1e-5)
    assert normaliser.sums.tolist() == [1.0, 3.0]
    normaliser.forget(np.array([1]))
    assert normaliser.sums.tolist() == [1.0, 0.0]


def test_rewards_are_the_same_in_one_piece_and_in_two() -> None:
    rng = np.random.default_rng(0)
    rewards, ended = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 3, (20, 3)).astype(np.uint8)
    one, two = RewardNormaliser(3, 0.9), RewardNormaliser(3, 0.9)
    one(rewards, ended)
    two(rewards[:7], ended[:7])
    restored = RewardNormaliser(3, 0.9)
    restored.restore(two.save())
    restored(rewards[7:], ended[7:])
    assert restored.sums == pytest.approx(one.sums)
    assert float(restored.moments.variance) == pytest.approx(float(one.moments.variance))
