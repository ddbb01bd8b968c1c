"""REINFORCE on the short corridor, whose optimum and gradient are known exactly, and the variance of its gradient."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from gradient_help import Forever, loop_of, make_agent, same, train_for

from agents import variance
from agents.reinforce import REINFORCEAgent
from agents.settings import REINFORCE
from games.hidden import BEST_RETURN, BEST_RIGHT, corridor_return
from rlcore.returns import TRUNCATED

CORRIDOR = REINFORCE(env="rlcore/ShortCorridor-v0", hidden=(), gamma=1.0, num_envs=16, episodes=16)


def walker(right: float):
    """An agent that goes right with this probability, and has the best of baselines: what the states are worth."""
    envs = REINFORCEAgent.environments(dataclasses.replace(CORRIDOR, num_envs=20), 0)
    agent = make_agent(CORRIDOR, envs)
    with torch.no_grad():
        agent.network.policy_head.weight.zero_()
        agent.network.policy_head.bias.copy_(torch.tensor([0.0, math.log(right / (1.0 - right))]))
        agent.network.value_head.weight.zero_()
        agent.network.value_head.bias.fill_(corridor_return(right))
    agent.average = corridor_return(right)
    return agent, envs


@pytest.mark.parametrize("right", [0.4, 0.8])
def test_a_baseline_changes_the_gradients_variance_and_not_its_expectation(right) -> None:
    """Which is the exact one: of v(p) = (2 p - 4) / (p (1 - p)) by the logit of going right, v'(p) p (1 - p)."""
    agent, envs = walker(right)
    episodes = variance.play(agent, envs, 800)
    rows = np.array([variance.gradients(agent, episode) for episode in episodes])  # [episodes, baselines, 4]
    assert variance.BASELINES == ("none", "average", "value")
    per_logit = -rows[:, :, -1]  # of the return, by the bias of going right
    exact = (corridor_return(right + 1e-6) - corridor_return(right - 1e-6)) / 2e-6 * right * (1.0 - right)
    for baseline in range(3):
        error = per_logit[:, baseline].std(ddof=1) / math.sqrt(len(rows))
        assert per_logit[:, baseline].mean() == pytest.approx(exact, abs=4.0 * float(error))
    none, average, value = (variance.trace(rows[:, i]) for i in range(3))
    assert value < 0.8 * none
    assert average == pytest.approx(value, rel=1e-4)  # here the value is the same everywhere


@pytest.mark.parametrize("baseline", ["average", "value"])
def test_the_short_corridor_is_walked_as_well_as_can_be(baseline) -> None:
    """p = 2 - sqrt 2, and a return of -11.66, where a policy that is sure has no end of them."""
    config = dataclasses.replace(
        CORRIDOR, baseline=baseline, steps=60_000, learning_rate=0.05, learning_rate_final=0.0, value_learning_rate=0.05
    )
    envs = REINFORCEAgent.environments(config, 1)
    agent = make_agent(config, envs, 1)
    with torch.no_grad():
        agent.network.policy_head.bias.copy_(torch.tensor([1.5, 0.0]))  # to the left
    train_for(agent, envs, config.steps)
    policy, _ = agent.network.act(torch.zeros(1, dtype=torch.int64), None)
    right = policy.logits.softmax(-1)[0, 1].item()
    assert right == pytest.approx(BEST_RIGHT, abs=0.05)
    assert corridor_return(right) == pytest.approx(BEST_RETURN, abs=0.1)


def one_episode(agent, envs):
    while not (found := agent.play(envs)):
        pass
    return found[0][1]


def told(config, limit: int = 3, value: float = 10.0):
    """The advantages of an episode of ``Forever``, whose rewards are 1, with V = 10 throughout."""
    envs = loop_of(Forever, num=1, limit=limit)
    agent = make_agent(config, envs)
    with torch.no_grad():
        agent.network.value_head.weight.zero_()
        agent.network.value_head.bias.fill_(value)
    agent.average = 4.0
    rollout = agent.record([one_episode(agent, envs)])
    assert rollout.ended[:, 0].tolist() == [0] * (limit - 1) + [TRUNCATED]
    return agent.advantages(rollout, agent.returns(rollout), config.baseline)[:, 0].tolist()


def test_advantages_with_every_baseline() -> None:
    """Gamma 1/2: returns 1.75, 1.5, 1; with the value at the end, 10, they are 3, 4, 6."""
    base = REINFORCE(hidden=(), gamma=0.5)
    assert told(dataclasses.replace(base, baseline="none")) == [1.75, 1.5, 1.0]
    assert told(dataclasses.replace(base, baseline="average")) == [-2.25, -2.5, -3.0]
    assert told(dataclasses.replace(base, baseline="value")) == [-7.0, -6.0, -4.0]
    assert told(dataclasses.replace(base, baseline="none", discount_steps=True)) == [1.75, 0.75, 0.25]


def test_the_average_is_used_before_it_is_updated() -> None:
    """A first baseline of 0 leaves 1.75, 1.5 and 1, whose mean becomes the average."""
    config = REINFORCE(hidden=(), gamma=0.5, baseline="average", average_rate=0.5, episodes=1)
    envs = loop_of(Forever, num=1, limit=3)
    agent = make_agent(config, envs)
    agent.advance(envs)
    assert agent._figures["advantage_variance"] == pytest.approx(np.var([1.75, 1.5, 1.0]))
    assert agent.average == pytest.approx(4.25 / 3)
    agent.average = 0.0
    agent.advance(envs)
    assert agent.average == pytest.approx(4.25 / 6)


def moved(agent, before) -> set[str]:
    changed = [name for name, weight in agent.weights().items() if not torch.equal(weight, before[name])]
    return {".".join(name.split(".")[:2]) for name in changed}


def test_the_policy_is_not_moved_by_the_baselines_loss_nor_the_value_by_the_policys() -> None:
    envs = loop_of(Forever, num=1, limit=3)
    agent = make_agent(REINFORCE(hidden=(4,), learning_rate=0.0, learning_rate_final=0.0), envs)
    before = agent.weights()
    agent.advance(envs)
    assert moved(agent, before) == {"torsos.1", "value_head.weight", "value_head.bias"}
    agent = make_agent(REINFORCE(hidden=(4,), value_learning_rate=0.0, episodes=2), envs)
    before = agent.weights()
    agent.forget_episodes()
    agent.advance(envs)
    assert moved(agent, before) == {"torsos.0", "policy_head.weight", "policy_head.bias"}


def test_variance_is_measured_without_touching_the_run(tmp_path) -> None:
    config = dataclasses.replace(CORRIDOR, steps=2000, learning_rate=0.05)
    shares: list[float] = []
    moments = variance.measure(config, 0, episodes=40, tell=shares.append)
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < shares[-1] <= 1.0
    assert [moment.place for moment in moments] == ["start", "middle", "end"]
    assert all(moment.episodes == 40 for moment in moments)
    for moment in moments:
        for baseline in variance.BASELINES:
            low, high = moment.intervals[baseline]
            assert 0.0 < low <= moment.traces[baseline] * 1.01
            assert moment.traces[baseline] <= high * 1.06
    assert moments[-1].traces["average"] < moments[-1].traces["none"]
    variance.write(tmp_path / "log" / "variance.json", moments, config, 0)
    assert variance.read(tmp_path / "log" / "variance.json") == [
        moment._replace(intervals={name: list(ends) for name, ends in moment.intervals.items()}) for moment in moments
    ]
    (tmp_path / "torn.json").write_text('{"moments": [{}]}')
    with pytest.raises(ValueError, match=r"torn.json holds no measured variance"):
        variance.read(tmp_path / "torn.json")
    variance.draw(tmp_path / "variance.png", moments, config.env)
    assert (tmp_path / "variance.png").read_bytes().startswith(b"\x89PNG")

    envs = REINFORCEAgent.environments(config, 0)
    one, other = make_agent(config, envs), make_agent(config, envs)
    other.restore(one.save(), envs, [])
    variance._look(one, config, 0, "start", 4)
    assert same(one, other)
