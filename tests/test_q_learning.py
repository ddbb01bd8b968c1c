"""Tables that learn, against the exact values of the same processes."""

from typing import Any

import numpy as np
import pytest

from agents.environments import find, one_of
from agents.q_learning import update
from agents.settings import SARSA, QLearning
from rlcore import mdp
from rlcore.config import ConfigError
from tests.agent_help import SMALL, chain_values, learn, make, same_weights

# --- by hand ---------------------------------------------------------------------------------------------------------


def test_entries_move_to_their_targets_at_rates_that_fall_with_their_own_visits() -> None:
    q, visits = np.full((2, 2), 4.0), np.zeros((2, 2), np.int64)
    states, actions = np.array([0, 0, 1]), np.array([1, 1, 0])
    update(q, visits, states, actions, np.array([10.0, 20.0, 5.0]), 1.0, 1.0, 0.0)
    assert q.tolist() == [[4.0, 15.0], [5.0, 4.0]]  # means of 10 and 20, and of 5: what was there at first is gone
    assert visits.tolist() == [[0, 2], [1, 0]]
    update(q, visits, states[:1], actions[:1], np.array([0.0]), 3.0, 0.5, 0.0)
    assert q[0, 1] == pytest.approx(15.0 * (1.0 - (3.0 / 5.0) ** 0.5))
    update(q, visits, states[2:], actions[2:], np.array([6.0]), 1.0, 1.0, 0.9)
    assert q[1, 0] == pytest.approx(5.9)


def test_one_step_of_q_learning_by_hand() -> None:
    """From place 2 of 4 to the right: 0 + 0.9 max(3, 5); and beyond the end: 1, whatever the table says of it."""
    agent, envs = make(QLearning(env="tests/Chain-v0", gamma=0.9, steps=1, num_envs=1, epsilon_start=0.0))
    agent.q[:] = [[0, 1], [0, 1], [0, 1], [5, 3]]
    start = int(envs.observations[0])
    agent.advance(envs)
    assert agent.visits.sum() == agent.visits[start, 1] == agent.steps == agent.updates == 1
    expected = {0: 0.9, 1: 0.9, 2: 0.9 * 5, 3: 0.0}[start]
    assert agent.q[start, 1 if start < 3 else 0] == pytest.approx(expected if start < 3 else 0.9)


def test_sarsa_learns_from_the_action_that_it_takes_next() -> None:
    config = SARSA(env="tests/Chain-v0", gamma=0.9, steps=1, num_envs=1, epsilon_start=1.0, epsilon_final=1.0)
    greedy = set()
    for seed in range(20):
        agent, envs = make(config, seed)
        agent.q[:] = values = np.arange(8.0).reshape(4, 2)
        state, action = int(envs.observations[0]), int(agent.choose(envs)[0])
        agent.advance(envs)
        then = int(agent.choose(envs)[0])
        ends = state == 3 and action == 1
        assert agent.visits[state, action] == agent.visits.sum() == 1
        assert agent.q[state, action] == pytest.approx(1.0 if ends else 0.9 * (2 * envs.observations[0] + then))
        assert (agent.q == values).sum() >= 7
        greedy.add(then == 1)
    assert greedy == {False, True}  # random actions are learned from, too


@pytest.mark.parametrize("kind", [QLearning, SARSA])
def test_a_time_limit_is_no_end(kind) -> None:
    """A place that pays 1 for ever, broken off after 5 steps, is worth 1 / (1 - gamma), not what 5 steps pay."""
    agent = learn(kind(env="tests/One-v0", gamma=0.9, steps=8_000, num_envs=4))
    assert agent.episodes == 1600
    assert agent.q == pytest.approx(10.0, abs=0.005)


def test_what_follows_a_time_limit_is_where_it_broke_off_and_not_where_the_next_episode_begins() -> None:
    config = QLearning(env="tests/Chain-v0", gamma=0.9, max_episode_steps=2, steps=20_000, epsilon_final=1.0)
    assert learn(config).q == pytest.approx(chain_values(4, 0.9), abs=0.005)


@pytest.mark.parametrize("kind", [QLearning, SARSA])
def test_forbidden_actions_are_never_taken_and_never_counted(kind) -> None:
    config = kind(env="tests/ChainMasked-v0", gamma=0.9, steps=20_000, num_envs=8, epsilon_final=0.1)
    agent, envs = make(config)
    agent.q[:, 2] = 1e6
    while agent.steps < config.steps:
        agent.advance(envs)  # the environment objects to the forbidden action
    assert agent.visits[:, 2].sum() == 0
    assert np.abs(agent.q[:, :2]).max() <= 1.0 + 1e-9
    actions, _ = agent.act(np.arange(4), np.array([[True, True, False]] * 4))
    assert actions.tolist() == [1, 1, 1, 1]


def test_epsilon_falls_in_a_straight_line() -> None:
    agent, _ = make(QLearning(steps=1000, epsilon_start=0.8, epsilon_final=0.2, epsilon_share=0.5))
    seen = []
    for agent.steps in (0, 250, 500, 1000):
        seen.append(agent.epsilon)
    assert seen == pytest.approx([0.8, 0.5, 0.2, 0.2])
    agent.q[:] = [[0, 0, 1, 0]] * 16
    chosen, _ = agent.act(np.zeros(20_000, np.int64), None, greedy=False)
    assert np.bincount(chosen, minlength=4) / 20_000 == pytest.approx([0.05, 0.05, 0.85, 0.05], abs=0.01)
    assert (agent.act(np.zeros(50, np.int64), None)[0] == 2).all()


def test_what_cannot_be_put_into_a_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"q-learning needs numbered observations .* CartPole-v1 has others; try dqn"):
        make(QLearning(env="CartPole-v1"))
    with pytest.raises(ConfigError, match="exploring_starts: CartPoleEnv shows no table P"):
        make(QLearning(env="CartPole-v1", exploring_starts=True))


@pytest.mark.parametrize("kind", [QLearning, SARSA])
@pytest.mark.parametrize("exploring", [False, True])
def test_what_was_saved_goes_on_bit_for_bit(kind, exploring) -> None:
    config = kind(env="tests/SmallMasked-v0", steps=2_000, num_envs=4, exploring_starts=exploring)
    whole = learn(config)
    first, envs = make(config)
    for _ in range(3):
        first.advance(envs)
    saved, arrays, state = first.save(), *envs.save()
    again, others = make(config)
    again.restore(saved, others, others.restore(arrays, state))
    while again.steps < config.steps:
        again.advance(others)
    assert same_weights(again, whole)
    assert (again.visits == whole.visits).all()
    assert not same_weights(learn(config, seed=1), whole)


# --- against exact values --------------------------------------------------------------------------------------------


def largest_error(agent, process: mdp.MDP, exact: np.ndarray) -> float:
    """Over all that can be done where an episode can be."""
    known = process.allowed & ~ended(process)[:, None]
    assert (agent.visits[known] > 0).all()
    return float(np.abs(agent.q - exact)[known].max())


def ended(process: mdp.MDP) -> np.ndarray:
    """Where an episode is over, [S]: nothing ever changes there, and nothing is paid."""
    stays = process.next_state == np.arange(len(process.start))[:, None, None]
    certain = process.probability > 0
    return (~certain | (stays & (process.reward == 0) & process.terminated)).all((1, 2))


def exact_q(config: QLearning, process: mdp.MDP) -> np.ndarray:
    epsilon = config.epsilon_final if config.agent == "sarsa" else 0.0
    return mdp.q_values(process, mdp.best_epsilon_greedy(process, config.gamma, epsilon), config.gamma)


def check(config: QLearning, seeds: tuple[int, ...], tolerance: float = 0.02) -> None:
    env = one_of(find(config.env), None)
    process = mdp.from_env(env)
    for seed in seeds:
        assert largest_error(learn(config, seed), process, exact_q(config, process)) < tolerance, seed


ANYWHERE = {"exploring_starts": True, "num_envs": 1024, "max_episode_steps": 4}
EVERYTHING = ANYWHERE | {"epsilon_final": 1.0}


@pytest.mark.parametrize("env", ["tests/Small-v0", "tests/SmallMasked-v0"])
def test_q_learning_finds_the_values_of_the_best_policy(env) -> None:
    check(QLearning(env=env, gamma=0.9, steps=500_000, learning_rate_visits=10, **EVERYTHING), seeds=(0,))


def test_q_learning_finds_them_where_the_episode_never_ends() -> None:
    check(QLearning(env="rlcore/GridSuttonBarto-v0", gamma=0.9, steps=1_000_000, **EVERYTHING), seeds=(0,))


def test_sarsa_finds_the_values_of_the_best_epsilon_greedy_policy() -> None:
    small = ANYWHERE | {"gamma": 0.9, "epsilon_final": 0.2, "epsilon_share": 0.1, "learning_rate_visits": 10}
    config = SARSA(env="tests/Small-v0", steps=1_000_000, **small)
    check(config, seeds=(0,))
    greedy = mdp.q_values(SMALL.mdp, mdp.value_iteration(SMALL.mdp, 0.9), 0.9)
    assert np.abs(exact_q(config, SMALL.mdp) - greedy).max() > 0.05  # which are others than Q-learning's


WORLDS = {"rlcore/GridAima-v0": 0.99, "FrozenLake-v1": 0.99, "FrozenLake8x8-v1": 0.99, "rlcore/GridRooms-v0": 0.95}


@pytest.mark.slow
@pytest.mark.parametrize(("env", "gamma"), WORLDS.items())
def test_q_learning_finds_them_in_well_known_worlds(env, gamma) -> None:
    check(QLearning(env=env, gamma=gamma, steps=40_000_000, **EVERYTHING), seeds=(0, 1, 2))


SLOWER: dict[str, dict[str, Any]] = {
    "FrozenLake8x8-v1": {"learning_rate_visits": 50},
    "rlcore/GridSuttonBarto-v0": {"gamma": 0.9, "steps": 100_000_000, "epsilon_share": 0.02, "num_envs": 2048},
}
"""Where what was learned while epsilon fell is forgotten late, and where values of 24 make targets noisy."""


@pytest.mark.slow
@pytest.mark.parametrize("env", [*WORLDS, "rlcore/GridSuttonBarto-v0"])
def test_sarsa_finds_them_in_well_known_worlds(env) -> None:
    settings = ANYWHERE | {"steps": 20_000_000, "epsilon_share": 0.1, "gamma": WORLDS.get(env, 0.9)}
    check(SARSA(env=env, **(settings | SLOWER.get(env, {}))), seeds=(0,))
