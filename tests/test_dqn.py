"""Deep Q-learning and Rainbow's parts, by numbers computed by hand and against exact values."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.agent import NonFiniteError
from agents.dqn import DQNAgent, project
from agents.evaluation import evaluate
from agents.settings import DQN
from rlcore.config import ConfigError
from rlcore.replay import Batch
from tests.agent_help import chain_values, kept, learn, make, train

LINEAR: dict[str, Any] = {"env": "tests/ChainMasked-v0", "hidden": (), "num_envs": 2, "batch_size": 2}
"""Places 0 to 3 one-hot, three actions: the weights are the values."""


def linear(online: Any, target: Any, **settings: Any) -> DQNAgent:
    """An agent whose networks tell these values, [4 places, 3 actions]."""
    agent, _ = make(DQN(**LINEAR, **settings))
    with torch.no_grad():
        for network, values in ((agent.online, online), (agent.target, target)):
            network.advantage.weight[:] = torch.tensor(values, dtype=torch.float32).T
            network.advantage.bias[:] = 0.0
    return agent


def batch(places: Any, actions: Any, returns: Any, discounts: Any, then: Any, masks: Any = None) -> Batch:
    ones = np.ones((len(places), 3), np.bool_) if masks is None else np.array(masks, np.bool_)
    return Batch(
        np.array(places), np.array(actions), np.array(returns, np.float32), np.array(discounts, np.float32),
        np.array(then), ones, np.arange(len(places)), np.ones(len(places), np.float32),
    )  # fmt: skip


ONLINE = [[1.0, 2.0, 0.0], [0.0, 3.0, 9.0], [5.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
TARGET = [[0.0, 0.0, 0.0], [4.0, 1.0, 2.0], [1.0, 3.0, 7.0], [0.0, 0.0, 0.0]]


def huber(error: float) -> float:
    return error**2 / 2 if abs(error) < 1 else abs(error) - 0.5


# --- targets and losses ----------------------------------------------------------------------------------------------


def test_the_target_is_reward_plus_what_the_target_network_says_of_its_best_action() -> None:
    agent = linear(ONLINE, TARGET)
    losses = agent.losses(batch([0, 1], [1, 0], [0.5, 2.0], [0.9, 0.0], [1, 2])).tolist()
    assert losses == pytest.approx([huber(0.5 + 0.9 * 4.0 - 2.0), huber(2.0 - 0.0)])  # the second one terminated
    assert agent.losses(batch([0], [0], [0.7], [0.0], [0])).tolist() == pytest.approx([0.3**2 / 2])


def test_double_lets_the_online_network_choose() -> None:
    agent = linear(ONLINE, TARGET, double=True)
    losses = agent.losses(batch([0, 0], [1, 1], [0.5, 0.5], [0.9, 0.9], [1, 2])).tolist()
    assert losses == pytest.approx([huber(0.5 + 0.9 * 2.0 - 2.0), huber(0.5 + 0.9 * 1.0 - 2.0)])


@pytest.mark.parametrize("double", [False, True])
def test_a_forbidden_next_action_does_not_count_however_good_it_looks(double) -> None:
    online, target = np.array(ONLINE), np.array(TARGET)
    online[:, 2] = target[:, 2] = 1e6
    agent = linear(online.tolist(), target.tolist(), double=double)
    losses = agent.losses(batch([0], [1], [0.5], [0.9], [1], [[True, True, False]])).tolist()
    assert losses == pytest.approx([huber(0.5 + 0.9 * (1.0 if double else 4.0) - 2.0)])


def test_gradients_flow_through_what_was_told_and_not_through_the_target() -> None:
    agent = linear(ONLINE, TARGET, double=True)
    agent.losses(batch([0], [1], [0.5], [0.9], [1])).sum().backward()
    error = 2.0 - (0.5 + 0.9 * 2.0)
    expected = torch.zeros(3, 4)
    expected[1, 0] = error
    assert agent.online.advantage.weight.grad.allclose(expected)
    assert all(parameter.grad is None for parameter in agent.target.parameters())


def test_dueling_adds_the_value_to_advantages_without_their_mean() -> None:
    agent, _ = make(DQN(**LINEAR, dueling=True))
    with torch.no_grad():
        agent.online.advantage.weight[:] = torch.tensor(ONLINE).T
        agent.online.advantage.bias[:] = 0.0
        agent.online.value.weight[:] = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
        agent.online.value.bias[:] = 0.5
        told = agent.online(torch.arange(4))
    assert told[1].tolist() == pytest.approx([20.5 - 4.0, 20.5 - 1.0, 20.5 + 5.0])
    assert told.mean(1).tolist() == pytest.approx([10.5, 20.5, 30.5, 40.5])


# --- distributions ---------------------------------------------------------------------------------------------------


def algorithm_1(probabilities: np.ndarray, reward: float, discount: float, support: np.ndarray) -> np.ndarray:
    """Bellemare et al. 2017, algorithm 1, as printed; what lands on an atom stays there."""
    found, low, step = np.zeros(len(support)), support[0], support[1] - support[0]
    for j, p in enumerate(probabilities):
        place = (min(max(reward + discount * support[j], low), support[-1]) - low) / step
        lower, upper = math.floor(place), min(math.ceil(place), len(support) - 1)
        if lower >= upper:
            found[upper] += p
        else:
            found[lower] += p * (upper - place)
            found[upper] += p * (place - lower)
    return found


@given(
    atoms=st.integers(2, 12), reward=st.floats(-12, 12), discount=st.sampled_from([0.0, 0.5, 0.99, 1.0]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_projection_is_algorithm_1(atoms, reward, discount, seed) -> None:
    support = np.linspace(-3.0, 5.0, atoms)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(atoms))
    given = (probabilities[None], np.array([reward]), np.array([discount]), support)
    found = project(*map(torch.from_numpy, given))[0].numpy()
    assert found.sum() == pytest.approx(1.0)
    assert found == pytest.approx(algorithm_1(probabilities, reward, discount, support), abs=1e-9)


def test_the_loss_of_distributions_is_cross_entropy_with_the_projected_target() -> None:
    """Three atoms at -1, 0, 1. Place 1's best action there is certain of 1; 0.5 + 0.5 * 1 is 1 for sure."""
    settings = {"distributional": True, "atoms": 3, "value_least": -1.0, "value_most": 1.0}
    agent, _ = make(DQN(**LINEAR, **settings))
    with torch.no_grad():
        for network in (agent.online, agent.target):
            network.advantage.weight.zero_()
            network.advantage.bias.zero_()
        logits = agent.target.advantage.weight.view(3, 3, 4)  # actions, atoms, places
        logits[1, :, 1] = torch.tensor([-100.0, -100.0, 100.0])
        logits[0, :, 1] = torch.tensor([100.0, -100.0, -100.0])
        agent.online.advantage.weight.view(3, 3, 4)[2, :, 0] = torch.tensor([0.0, 1.0, 2.0])
    told = torch.tensor([0.0, 1.0, 2.0]).log_softmax(0)
    losses = agent.losses(batch([0, 0, 0], [2, 2, 2], [0.5, 0.25, -0.5], [0.5, 0.5, 0.0], [1, 1, 1])).tolist()
    expected = [-told[2], -(0.25 * told[1] + 0.75 * told[2]), -(0.5 * told[0] + 0.5 * told[1])]
    assert losses == pytest.approx([float(x) for x in expected], abs=1e-6)
    masked = agent.losses(batch([0], [2], [0.5], [0.5], [1], [[True, False, False]])).tolist()
    assert masked == pytest.approx([float(-told[1])], abs=1e-6)  # 0.5 - 0.5
    assert agent.values(agent.target(torch.arange(2)))[1].tolist() == pytest.approx([-1.0, 1.0, 0.0], abs=1e-6)


# --- noise -----------------------------------------------------------------------------------------------------------


def test_noise_is_factorised_learned_and_absent_when_greedy() -> None:
    config = DQN(env="tests/ChainBox-v0", hidden=(8, 8), num_envs=2, noisy=True, batch_size=2)
    agent, _ = make(config)
    layer = agent.online.noisy[-1]
    inputs = torch.eye(8)
    layer.eval()
    with torch.no_grad():
        plain = layer(inputs) - layer(torch.zeros(8, 8))
    layer.train()
    layer.draw(torch.Generator().manual_seed(3))
    with torch.no_grad():
        noise = ((layer(inputs) - layer(torch.zeros(8, 8)) - plain) / layer.weight_sigma.T).numpy()
    assert np.linalg.matrix_rank(noise, tol=1e-4) == 1  # f(in) times f(out)
    draws = torch.randn(8, generator=torch.Generator().manual_seed(3))
    assert layer.noise_in.numpy() == pytest.approx((draws.sign() * draws.abs().sqrt()).numpy())
    assert layer.weight_sigma[0, 0].item() == pytest.approx(0.5 / math.sqrt(8))

    ones = np.eye(4, dtype=np.float32)
    told = [agent.online(torch.from_numpy(ones)) for _ in range(2) if agent.act(ones, None, greedy=False)]
    assert not told[0].allclose(told[1])
    before = agent.noise.get_state()
    agent.act(ones, None)
    quiet = agent.online(torch.from_numpy(ones))
    for layer in agent.online.noisy:
        layer.noise_in.fill_(100.0)
        layer.noise_out.fill_(-100.0)
    agent.act(ones, None)
    assert torch.equal(agent.online(torch.from_numpy(ones)), quiet)
    assert torch.equal(agent.noise.get_state(), before)  # evaluation leaves training as it was
    agent.online.train()
    few = batch([0, 0], [0, 1], [1.0, 1.0], [0.9, 0.9], [0, 0])
    few = few._replace(observations=ones[:2], next_observations=ones[2:], next_masks=np.ones((2, 1), np.bool_))
    agent.losses(few).sum().backward()
    for layer in agent.online.noisy:
        assert layer.weight_sigma.grad.abs().sum() > 0
        assert layer.bias_sigma.grad.abs().sum() > 0


# --- replay ----------------------------------------------------------------------------------------------------------

PRIORITISED: dict[str, Any] = {
    "env": "tests/ChainBox-v0", "hidden": (), "num_envs": 4, "batch_size": 8, "prioritised": True, "steps": 10_000,
    "learning_starts": 200, "train_every": 200, "updates_per_step": 0.0, "target_every": 10**6,
}  # fmt: skip


def test_weights_of_importance_enter_the_loss_and_errors_become_priorities() -> None:
    agent, envs = make(DQN(**PRIORITISED))
    agent.advance(envs)
    agent.replay.update(np.arange(100), np.linspace(0.0, 9.0, 100))
    arrays, state = agent.replay.save()
    arrays = {name: array.copy() for name, array in arrays.items()}
    beta = 0.4 + 0.6 * 200 / 10_000
    drawn = agent.replay.sample(8, beta)
    assert np.ptp(drawn.weights) > 0.1
    with torch.no_grad():
        told = agent.online(torch.from_numpy(drawn.observations)).numpy()[np.arange(8), drawn.actions]
        ahead = agent.target(torch.from_numpy(drawn.next_observations)).numpy().max(1)
    errors = told - (drawn.returns + drawn.discounts * ahead)
    expected = np.mean([weight * huber(error) for weight, error in zip(drawn.weights, errors, strict=True)])
    indices = drawn.indices.copy()
    agent.replay.restore(arrays, state)
    agent._learn(1)
    assert agent.figures()["loss"] == pytest.approx(expected, rel=1e-5)
    priorities = agent.replay.save()[0]["priorities"]
    assert priorities[indices] == pytest.approx((np.abs(errors) + 1e-6) ** 0.6, rel=1e-3)


def test_steps_of_several_rewards_reach_the_target() -> None:
    agent, envs = make(DQN(env="tests/OneBox-v0", gamma=0.5, n_step=3, hidden=(), num_envs=2, learning_starts=10**6))
    agent.advance(envs)
    drawn = agent.replay.sample(200)
    pairs = {(float(r), float(d)) for r, d in zip(drawn.returns, drawn.discounts, strict=True)}
    assert pairs == {(1.75, 0.125), (1.5, 0.25), (1.0, 0.5)}  # less before a truncation and before now, never 0


CATCH: dict[str, Any] = {"env": "rlcore/Catch-v0", "num_envs": 3, "hidden": (16,), "learning_starts": 10**6}


class Watched(DQNAgent):
    """Keeps the frames that it acted by."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen: list[np.ndarray] = []

    def act(self, observations: Any, masks: Any, memory: Any = None, greedy: bool = True) -> Any:
        found = super().act(observations, masks, memory, greedy)
        self.seen.append(memory[0].copy())
        return found


@pytest.mark.parametrize("limit", [0, 5])
def test_frames_seen_while_acting_are_those_of_the_replay(limit) -> None:
    config = DQN(**CATCH, frames=3, max_episode_steps=limit)
    envs = DQNAgent.environments(config, 0)
    agent = Watched(envs.spec, config, 0)
    for _ in range(4):
        agent.advance(envs)
    drawn = agent.replay.sample(400)
    assert drawn.observations.dtype == np.uint8
    for index, frames in zip(drawn.indices, drawn.observations, strict=True):
        row, environment = divmod(int(index), 3)
        assert np.array_equal(agent.seen[row][environment], frames)
    assert agent.episodes > 10

    agent.seen.clear()
    evaluate(agent, 3, 0, "test")
    first = [frames for frames in np.concatenate(agent.seen) if (frames == frames[0]).all()]
    assert len(first) >= 3  # an episode begins with its first frame alone


def test_frames_are_for_pixels_and_actions_are_numbered() -> None:
    with pytest.raises(ConfigError, match="frames = 4 is for pixels, and CartPole-v1 shows none"):
        make(DQN(frames=4))
    with pytest.raises(ConfigError, match="Pendulum-v1 has no numbered actions, which dqn needs"):
        make(DQN(env="Pendulum-v1"))


# --- schedules -------------------------------------------------------------------------------------------------------


def test_exploration_learning_rate_and_gradient_steps_go_by_the_steps() -> None:
    config = DQN(
        env="tests/ChainBox-v0", hidden=(), num_envs=4, steps=1000, learning_starts=200, train_every=100, batch_size=4,
        updates_per_step=0.3, learning_rate=0.01, learning_rate_final=0.002, epsilon_share=0.5, epsilon_final=0.1,
        target_every=7,
    )  # fmt: skip
    agent, envs = make(config)
    seen = []
    while agent.steps < 1000:
        before = agent.updates
        copied = [parameter.clone() for parameter in agent.target.parameters()]
        agent.advance(envs)
        figures = agent.figures()
        seen.append((agent.steps, round(figures["epsilon"], 9), agent.updates))
        if agent.updates:
            assert figures["learning_rate"] == pytest.approx(0.01 - 0.008 * agent.steps / 1000)
            assert figures["loss"] > 0
        due = agent.updates // 7 > before // 7
        stale = all(map(torch.equal, copied, agent.target.parameters()))
        assert due != stale
        alike = all(map(torch.equal, agent.online.parameters(), agent.target.parameters()))
        assert alike == (agent.updates == 0 or agent.updates % 7 == 0)
    assert seen[0] == (100, 0.82, 0)
    assert seen[1] == (200, 0.64, 30)
    assert seen[5:] == [(600, 0.1, 150), (700, 0.1, 180), (800, 0.1, 210), (900, 0.1, 240), (1000, 0.1, 270)]


def test_random_actions_are_as_many_as_epsilon_says_and_never_forbidden() -> None:
    agent = linear(ONLINE, TARGET, epsilon_start=0.6, epsilon_final=0.6)
    places, masks = np.zeros(30_000, np.int64), np.array([[True, True, False]] * 30_000)
    chosen, _ = agent.act(places, masks, greedy=False)
    assert np.bincount(chosen, minlength=3) / 30_000 == pytest.approx([0.3, 0.7, 0.0], abs=0.01)
    chosen, _ = agent.act(places, None, greedy=False)
    assert np.bincount(chosen, minlength=3) / 30_000 == pytest.approx([0.2, 0.6, 0.2], abs=0.01)
    best = np.array([[False, True, True]])
    assert agent.act(np.array([2]), best)[0].tolist() == [2]  # 5 is forbidden; 2 is more than 1
    assert agent.act(np.array([2]), None)[0].tolist() == [0]


# --- whole -----------------------------------------------------------------------------------------------------------

QUICK: dict[str, Any] = {
    "gamma": 0.9, "hidden": (), "num_envs": 8, "learning_starts": 200, "batch_size": 32, "train_every": 64,
    "updates_per_step": 0.5, "target_every": 20, "learning_rate": 0.05, "learning_rate_final": 0.005, "steps": 4_000,
    "epsilon_final": 1.0,
}  # fmt: skip
PARTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "double": {"double": True},
    "dueling": {"dueling": True},
    "n-step": {"n_step": 3, "epsilon_final": 0.0, "replay_size": 1_000},
    "prioritised": {"prioritised": True},
    "distributional": {"distributional": True, "atoms": 21, "value_least": -0.25, "value_most": 1.25},
}


@pytest.mark.parametrize(
    "part",
    [pytest.param(name, marks=pytest.mark.slow) if name in ("double", "prioritised") else name for name in PARTS],
)
def test_a_small_process_is_solved_exactly(part) -> None:
    agent = learn(DQN(**(QUICK | PARTS[part]), env="tests/Chain-v0"))
    with torch.no_grad():
        found = agent.values(agent.online(torch.arange(4))).numpy()
    exact, tolerance = chain_values(4, 0.9), 0.05 if part == "distributional" else 0.02
    known = [0, 1] if part != "n-step" else [1]  # which learns what follows its own actions
    assert found[:, known] == pytest.approx(exact[:, known], abs=tolerance)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_time_limit_is_no_end(steps) -> None:
    """A place that pays 1 for ever, broken off after 5 steps, is worth 1 / (1 - gamma), not what 5 steps pay."""
    agent = learn(DQN(**(QUICK | {"gamma": 0.8, "n_step": steps, "target_every": 10}), env="tests/OneBox-v0"))
    with torch.no_grad():
        found = agent.online(torch.tensor([[0.5, -0.5]])).numpy()
    assert agent.episodes == 800
    assert found == pytest.approx(5.0, abs=0.05)


def test_forbidden_actions_are_neither_taken_nor_counted() -> None:
    config = DQN(**QUICK, env="tests/ChainMasked-v0")
    agent, envs = make(config)
    with torch.no_grad():
        agent.online.advantage.bias[2] = agent.target.advantage.bias[2] = 1e4
    while agent.steps < config.steps:
        agent.advance(envs)  # the environment objects to the forbidden action
    with torch.no_grad():
        found = agent.online(torch.arange(4)).numpy()
    assert found[:, :2] == pytest.approx(chain_values(4, 0.9), abs=0.02)
    assert found[:, 2].min() > 9_000


def test_pixels_go_through_convolutions_and_are_kept_as_bytes() -> None:
    config = DQN(**(CATCH | {"learning_starts": 64, "steps": 256, "frames": 2, "batch_size": 8}))
    agent = learn(config)
    assert agent.updates == 64
    assert agent.replay.save()[0]["observations"].dtype == np.uint8
    assert math.isfinite(agent.figures()["loss"])
    names = list(agent.weights())
    assert any(name.startswith("torso.convolutions") for name in names)


@pytest.mark.slow
def test_pixels_are_learned() -> None:
    config = DQN(env="rlcore/Catch-v0", steps=100_000, double=True, gamma=0.99)
    agent = learn(config)
    assert evaluate(agent, 500, 0, "test").mean >= 0.95


def test_a_diverging_run_ends_with_the_tensor_and_the_step_and_its_last_checkpoint_is_kept(tmp_path) -> None:
    config = DQN(**(QUICK | {"learning_rate": 1e30, "hidden": (8,), "evaluations": 0}), checkpoint_seconds=0.0)
    message = r"NaN or infinity in (torso|advantage)\S+ by gradient step [\d,]+ \(environment step [\d,]+\); lower"
    with pytest.raises(NonFiniteError, match=message) as caught:
        train(config, tmp_path)
    assert "\n" not in str(caught.value)
    saved = kept(tmp_path)
    assert saved.state["learner"]["steps"] > 0
    assert all(tensor.isfinite().all() for tensor in saved.tensors["weights"].values())


def test_a_broken_parameter_is_named_before_anything_is_learned_with_it() -> None:
    agent, envs = make(DQN(**QUICK, env="tests/ChainBox-v0", dueling=True))
    agent.advance(envs)
    for name, parameter in agent.online.named_parameters():
        before = parameter.detach().clone()
        with torch.no_grad():
            parameter.view(-1)[-1] = torch.nan
        with pytest.raises(NonFiniteError, match=f"NaN or infinity in {name} by gradient step"):
            agent._learn(0)
        with torch.no_grad():
            parameter.copy_(before)
    agent._learn(0)


@pytest.mark.parametrize("prioritised", [False, True])
def test_rewards_beyond_all_bounds_end_the_run(prioritised) -> None:
    config = DQN(**QUICK, env="tests/ChainHuge-v0", prioritised=prioritised)
    with pytest.raises(NonFiniteError, match=r"NaN or infinity in (the loss|advantage\S+) by gradient step [\d,]+ "):
        learn(config)
