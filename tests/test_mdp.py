"""Exact solutions of Markov decision processes, held against published numbers and Gymnasium's own tables."""

import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from rlcore import mdp
from rlcore.mdp import MDP
from tests.gym_help import toy_text

ROOT = Path(__file__).resolve().parent.parent


LAKES = {
    "4x4": (
        100,
        {1.0: 0.8235294118, 0.99: 0.5420259320, 0.95: 0.1804715784, 0.9: 0.0688909049},
        (0.7441902878, 0.013940),
        {0.99: 0.7401648978, 0.999: 0.7401648978, 0.9999: 0.7401648978},
    ),
    "8x8": (
        200,
        {1.0: 1.0, 0.99: 0.4146403618, 0.95: 0.0482502041, 0.9: 0.0064111143},
        (0.9132201502, 0.001901),
        {0.999: 0.8856539193, 0.99: 0.8629553800},
    ),
}


@pytest.mark.parametrize("size", LAKES)
def test_frozen_lake_is_worth_what_dynamic_programming_says(size) -> None:
    lake = toy_text("FrozenLake", map_name=size)
    for gamma, value in LAKES[size][1].items():
        assert mdp.value_iteration(lake, gamma)[0] == pytest.approx(value, abs=1e-9)
        policy, values = mdp.policy_iteration(lake, gamma)
        assert values[0] == pytest.approx(value, abs=1e-9)
        assert mdp.evaluate(lake, policy, gamma) == pytest.approx(values)


@pytest.mark.parametrize("size", LAKES)
def test_the_success_rate_within_the_time_limit(size) -> None:
    lake = toy_text("FrozenLake", map_name=size)
    limit, _, (best, chance), stationary = LAKES[size]
    assert mdp.best_return_within(lake, limit) == pytest.approx(best, abs=1e-9)
    assert mdp.return_within(lake, mdp.uniform(lake), limit) == pytest.approx(chance, abs=5e-7)
    for gamma, rate in stationary.items():
        policy = mdp.greedy(mdp.q_values(lake, mdp.value_iteration(lake, gamma), gamma))
        assert mdp.return_within(lake, policy, limit) == pytest.approx(rate, abs=1e-9)


def test_the_cliff_and_the_taxi() -> None:
    for name, value in (("CliffWalking", -13.0), ("CliffWalkingSlippery", -64.7091759)):
        cliff = toy_text(name)
        assert cliff.start @ mdp.value_iteration(cliff, 1.0) == pytest.approx(value, abs=1e-7)
        assert cliff.start @ mdp.policy_iteration(cliff, 1.0)[1] == pytest.approx(value, abs=1e-7)
    taxi = toy_text("Taxi")
    values = mdp.value_iteration(taxi, 1.0)
    assert taxi.start @ values == pytest.approx(7.93, abs=1e-9)
    begun = values[taxi.start > 0]
    assert (begun.min(), begun.max()) == pytest.approx((3.0, 15.0))


def corridor(right: float) -> float:
    """The value of the short corridor (Sutton and Barto, example 13.1) under a policy that goes right so often."""
    shape = (4, 2, 1)
    then = np.array([[0, 1], [2, 0], [1, 3], [3, 3]]).reshape(shape)  # left, right; reversed in the second cell
    ends = then == 3
    reward = np.where(np.arange(4) < 3, -1.0, 0.0)[:, None, None] * np.ones(shape)
    world = mdp.checked(MDP(np.ones(shape), then, reward, ends, np.eye(4)[0], np.ones((4, 2))))
    return float(mdp.evaluate(world, np.tile([1 - right, right], (4, 1)), 1.0)[0])


def test_the_short_corridor_by_its_formula() -> None:
    for p in (0.05, 0.5, 2 - 2**0.5, 0.95):
        assert corridor(p) == pytest.approx((2 * p - 4) / (p * (1 - p)))


@pytest.mark.parametrize("gamma", [0.9, 1.0])
def test_the_best_epsilon_greedy_policy_is_worth_what_it_is(gamma) -> None:
    """Best actions with 1 - epsilon, any with epsilon: the values of that policy, and of no other such a better one."""
    lake = toy_text("FrozenLake")
    assert np.array_equal(mdp.best_epsilon_greedy(lake, gamma, 0.0), mdp.value_iteration(lake, gamma))
    chance = mdp.uniform(lake)
    assert mdp.best_epsilon_greedy(lake, gamma, 1.0) == pytest.approx(mdp.evaluate(lake, chance, gamma), abs=1e-9)
    values = mdp.best_epsilon_greedy(lake, gamma, 0.3)
    mixed = 0.7 * mdp.greedy(mdp.q_values(lake, values, gamma)) + 0.3 * chance
    assert values == pytest.approx(mdp.evaluate(lake, mixed, gamma), abs=1e-9)
    others = 0.7 * mdp.greedy(mdp.q_values(lake, mdp.value_iteration(lake, gamma), gamma)) + 0.3 * chance
    assert (values >= mdp.evaluate(lake, others, gamma) - 1e-9).all()
    with pytest.raises(ValueError, match=r"epsilon must lie in \[0, 1\], not 1.1"):
        mdp.best_epsilon_greedy(lake, gamma, 1.1)


def test_without_an_end_and_without_discount_there_are_no_values() -> None:
    """With rewards of zero on the way there are: a policy that walks in circles on the ice earns nothing."""
    loop = MDP(*(np.ones((1, 1, 1)) for _ in range(4)), np.ones(1), np.ones((1, 1)))
    going_on = mdp.checked(loop._replace(next_state=np.zeros((1, 1, 1)), terminated=np.zeros((1, 1, 1))))
    assert mdp.value_iteration(going_on, 0.9) == pytest.approx([10.0])
    with pytest.raises(ValueError, match="from state 0 on it is paid and never ends"):
        mdp.policy_iteration(going_on, 1.0)
    lake = toy_text("FrozenLake", is_slippery=False)
    left = np.tile([1.0, 0.0, 0.0, 0.0], (16, 1))
    assert mdp.evaluate(lake, left, 1.0) == pytest.approx(np.zeros(16))


def test_what_is_not_allowed_is_never_chosen() -> None:
    cliff = toy_text("CliffWalking")
    allowed = cliff.allowed.copy()
    allowed[25, 1] = False  # along the edge of the cliff
    held = mdp.checked(cliff._replace(allowed=allowed))
    assert held.start @ mdp.value_iteration(held, 1.0) == -15.0
    policy, values = mdp.policy_iteration(held, 1.0)
    assert policy[25, 1] == 0
    assert held.start @ values == pytest.approx(-15.0)
    with pytest.raises(ValueError, match="allowed actions"):
        mdp.evaluate(held, mdp.uniform(cliff), 1.0)


GOOD = MDP(
    np.full((2, 3, 2), 0.5), np.ones((2, 3, 2)), np.zeros((2, 3, 2)), np.ones((2, 3, 2)), np.array([1.0, 0]),
    np.ones((2, 3)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("probability", (1, 2, 0), 0.6, "state 1, action 2: the probabilities of its outcomes do not sum to 1"),
        ("probability", (1, 2), [1.5, -0.5], "state 1, action 2: a probability is not in"),
        ("next_state", (0, 1, 1), 2, "state 0, action 1: a next state is not below 2"),
        ("reward", (0, 0, 0), np.nan, "state 0, action 0: a reward is not a finite number"),
        ("allowed", (1,), 0, "state 1, action 0: no action of this state is allowed"),
        ("start", (0,), 0.5, "the start distribution must be probabilities that sum to 1, not to 0.5"),
    ],
)
def test_what_is_no_process_is_refused_by_its_place(name, place, value, message) -> None:
    assert mdp.checked(GOOD).next_state.dtype == np.int64
    array = getattr(GOOD, name).astype(float)
    array[place] = value
    with pytest.raises(ValueError, match=message):
        mdp.checked(GOOD._replace(**{name: array}))


def test_shapes_and_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"start has shape \(3,\) instead of \(2,\)"):
        mdp.checked(GOOD._replace(start=np.ones(3)))
    with pytest.raises(ValueError, match="numbered from 0"):
        mdp.from_table({0: {0: [(1.0, 0, 0.0, True)]}, 2: {0: []}}, np.ones(2))
    with pytest.raises(ValueError, match="CartPoleEnv shows no table P"):
        mdp.from_env(gymnasium.make("CartPole-v1"))


def test_solving_needs_no_gymnasium() -> None:
    program = "import sys, rlcore.mdp, games; games.load('tic_tac_toe'); print('gymnasium' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout == "False\n", done.stderr
