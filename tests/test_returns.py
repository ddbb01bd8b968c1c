"""Returns and advantages: numbers by hand, and a plain loop over episodes that ends wherever one is over."""

import numpy as np
import pytest

from rlcore.returns import DEAD, GOES_ON, TERMINATED, TRUNCATED, discounted, endings, gae, n_step


def column(*numbers: float) -> np.ndarray:
    """Steps of one environment."""
    return np.array(numbers)[:, None]


def random_steps(seed: int, rows: int = 40, environments: int = 5):
    """Rewards, values, next values and endings in which all kinds of ends come up; values behind an end are wild."""
    rng = np.random.default_rng(seed)
    rewards, values, next_values = rng.normal(size=(3, rows, environments)).astype(np.float32)
    ended = rng.choice([GOES_ON, TERMINATED, TRUNCATED], p=[0.7, 0.15, 0.15], size=(rows, environments))
    next_values[:-1] = np.where(ended[:-1] == GOES_ON, values[1:], next_values[:-1])
    next_values[ended == TERMINATED] = 1e6  # must never be looked at
    return rewards, values, next_values, ended.astype(np.uint8)


def plainly(rewards, ended, next_values, gamma: float, n: int) -> np.ndarray:
    """n-step returns as one would write them down, one step at a time."""
    rows, environments = rewards.shape
    returns = np.zeros((rows, environments))
    for e in range(environments):
        for t in range(rows):
            window = []
            for i in range(t, min(t + n, rows)):
                window.append(float(rewards[i, e]))
                if ended[i, e] != GOES_ON:
                    break
            last = t + len(window) - 1
            ahead = 0.0 if ended[last, e] == TERMINATED else float(next_values[last, e])
            returns[t, e] = sum(gamma**i * r for i, r in enumerate(window)) + gamma ** len(window) * ahead
    return returns


@pytest.mark.nojit
def test_returns_by_hand() -> None:
    rewards = column(1, 2, 4, 8)
    assert discounted(rewards, column(0, 0, 0, 1), 0.5, 100.0)[:, 0].tolist() == [4, 6, 8, 8]
    assert discounted(rewards, column(0, 1, 0, 2), 0.5, 100.0)[:, 0].tolist() == [2, 2, 33, 58]
    assert discounted(rewards, column(0, 2, 0, 0), 0.5, column(0, 20, 0, 16))[:, 0].tolist() == [7, 12, 12, 16]
    assert discounted(rewards, column(0, 2, 0, 0), 0.5)[:, 0].tolist() == [2, 2, 8, 8]


@pytest.mark.nojit
def test_n_step_returns_by_hand() -> None:
    rewards, values = column(1, 2, 4, 8), column(16, 32, 64, 128)
    assert n_step(rewards, column(0, 0, 0, 0), values, 0.5, 1)[:, 0].tolist() == [9, 18, 36, 72]
    assert n_step(rewards, column(0, 0, 0, 0), values, 0.5, 2)[:, 0].tolist() == [10, 20, 40, 72]
    assert n_step(rewards, column(0, 1, 0, 2), values, 0.5, 3)[:, 0].tolist() == [2, 2, 40, 72]
    at_truncation = n_step(rewards, column(0, 2, 0, 1), values, 0.5, 3)[:, 0]
    assert at_truncation.tolist() == [2 + 32 / 4, 2 + 32 / 2, 8, 8]  # gamma^k, k = the steps that were taken


@pytest.mark.nojit
def test_advantages_by_hand() -> None:
    rewards, values, after = column(1, 2, 4), column(3, 5, 7), column(5, 7, 9)
    deltas = [1 + 0.5 * 5 - 3, 2 + 0.5 * 7 - 5, 4 + 0.5 * 9 - 7]
    goes_on = gae(rewards, values, after, column(0, 0, 0), column(0, 0, 0), 0.5, 0.5)[:, 0]
    assert goes_on.tolist() == [deltas[0] + 0.25 * (deltas[1] + 0.25 * deltas[2]), deltas[1] + 0.25 * deltas[2], 1.5]
    truncated = gae(rewards, values, after, column(0, 0, 0), column(0, 1, 0), 0.5, 0.5)[:, 0]
    assert truncated.tolist() == [deltas[0] + 0.25 * deltas[1], deltas[1], 1.5]
    terminated = gae(rewards, values, after, column(0, 1, 0), column(0, 1, 0), 0.5, 0.5)[:, 0]
    assert terminated.tolist() == [deltas[0] + 0.25 * (2 - 5), 2 - 5, 1.5]


@pytest.mark.parametrize("n", [1, 3, 100])
def test_n_step_returns_are_those_of_a_plain_loop(n) -> None:
    rewards, _, next_values, ended = random_steps(n)
    returns = n_step(rewards, ended, next_values, 0.9, n)
    assert returns.dtype == np.float32
    assert returns == pytest.approx(plainly(rewards, ended, next_values, 0.9, n), rel=1e-5, abs=1e-5)


def test_returns_and_advantages_are_the_limits_of_n_step_returns() -> None:
    rewards, values, next_values, ended = random_steps(0)
    everything = n_step(rewards, ended, next_values, 0.9, len(rewards))
    assert discounted(rewards, ended, 0.9, next_values) == pytest.approx(everything, rel=1e-5, abs=1e-5)
    ends = ended == TERMINATED, ended != GOES_ON
    assert gae(rewards, values, next_values, *ends, 0.9, 1.0) == pytest.approx(everything - values, rel=1e-4, abs=1e-5)
    one = n_step(rewards, ended, next_values, 0.9, 1)
    assert gae(rewards, values, next_values, *ends, 0.9, 0.0) == pytest.approx(one - values, rel=1e-4, abs=1e-5)


def test_a_time_limit_changes_no_value() -> None:
    """One state that pays 1 for ever, broken off every 5 steps, is worth 1 / (1 - gamma), not five steps' pay."""
    rewards, never = np.ones((20, 1)), np.zeros((20, 1), np.bool_)
    limit = np.arange(1, 21)[:, None] % 5 == 0
    ended = endings(never, limit)
    for target in (
        lambda v: n_step(rewards, ended, v, 0.9, 3),
        lambda v: discounted(rewards, ended, 0.9, v),
        lambda v: v + gae(rewards, v, v, never, limit, 0.9, 0.8),
    ):
        value = 0.0
        for _ in range(300):
            value = float(target(np.full((20, 1), value)).mean())
        assert value == pytest.approx(10.0, rel=1e-4)


def test_nothing_passes_a_dead_step() -> None:
    rewards, values, after, _ = random_steps(1, rows=6, environments=1)
    ended = column(GOES_ON, TRUNCATED, DEAD, GOES_ON, TERMINATED, DEAD).astype(np.uint8)
    live = ended != DEAD
    whole = [
        discounted(rewards, ended, 0.9, after),
        n_step(rewards, ended, after, 0.9, 4),
        gae(rewards, values, after, ended == TERMINATED, (ended == TERMINATED) | (ended == TRUNCATED), 0.9, 0.9),
    ]
    rewards[~live], values[~live], after[~live] = 1e9, 1e9, 1e9
    again = [
        discounted(rewards, ended, 0.9, after),
        n_step(rewards, ended, after, 0.9, 4),
        gae(rewards, values, after, ended == TERMINATED, (ended == TERMINATED) | (ended == TRUNCATED), 0.9, 0.9),
    ]
    for one, other in zip(whole, again, strict=True):
        assert one[live].tolist() == other[live].tolist()


def test_how_steps_end() -> None:
    terminated, truncated, live = np.array([[0, 1, 0, 1, 0], [0, 0, 1, 1, 0], [1, 1, 1, 1, 0]], np.bool_)
    assert endings(terminated, truncated, live).tolist() == [GOES_ON, TERMINATED, TRUNCATED, TERMINATED, DEAD]
    assert endings(terminated, truncated).dtype == np.uint8


def test_other_shapes_are_refused() -> None:
    steps = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"\(2,\) instead of \(3, 2\)"):
        discounted(steps, steps, 0.9, np.zeros(2))  # it would be taken for the values behind truncated steps
    with pytest.raises(ValueError, match="environments"):
        n_step(steps[0], steps[0], steps[0], 0.9, 1)
    with pytest.raises(ValueError, match="at least 1"):
        n_step(steps, steps, steps, 0.9, 0)
    assert discounted(steps[:0], steps[:0], 0.9).shape == (0, 2)


def test_results_are_the_same_for_any_layout_and_type_of_what_is_given() -> None:
    rewards, _, next_values, ended = random_steps(2)
    plain = n_step(rewards, ended, next_values, 0.9, 3)
    turned = np.asfortranarray(rewards.astype(np.float64))
    turned.flags.writeable = False
    assert n_step(turned, ended.astype(np.int64), next_values[::1], 0.9, 3).tolist() == plain.tolist()
