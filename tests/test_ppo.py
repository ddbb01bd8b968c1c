"""A2C's and PPO's losses by numbers worked out by hand, and PPO's details, each a setting."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from gradient_help import Forever, loop_of, make_agent, worlds
from torch import nn

from agents.actor_critic import Batch
from agents.settings import A2C, PPO
from rlcore.optimizers import Adam, RMSProp

PLAIN = PPO(num_envs=2, hidden=(), normalise_advantages=False)


def agent_that_says(config, logits, value):
    """An agent in ``Forever`` whose policy and value do not depend on anything."""
    agent = make_agent(config, loop_of(Forever))
    with torch.no_grad():
        for head, bias in ((agent.network.policy_head, logits), (agent.network.value_head, [value])):
            head.weight.zero_()
            head.bias.copy_(torch.tensor(bias))
    return agent


# probabilities now 1/4 and 3/4, 1/2 each before: ratios 3/2 and 1/2
QUARTERS = [0.0, math.log(3.0)]
BATCH = Batch(
    observations=torch.ones(2, 1),
    masks=None,
    actions=torch.tensor([1, 0]),
    log_probs=torch.tensor([0.5, 0.5]).log(),
    values=torch.tensor([0.5, 0.5]),
    advantages=torch.tensor([2.0, -1.0]),
    returns=torch.tensor([3.0, 0.0]),
)


def test_ppos_loss() -> None:
    """Gains min(3/2 2, 6/5 2) = 2.4 and min(-1/2, -4/5) = -0.8; misses 4 and 1."""
    agent = agent_that_says(dataclasses.replace(PLAIN, entropy=0.1, value_weight=0.3), QUARTERS, 1.0)
    entropy = 0.25 * math.log(4.0) + 0.75 * math.log(4.0 / 3.0)
    loss, _ = agent.loss(BATCH)
    assert loss.item() == pytest.approx(0.3 * 2.5 - 0.8 - 0.1 * entropy, rel=1e-6)


def test_ppos_clipped_values() -> None:
    """From 0.5 values may move to 0.7: misses max(4, 2.3^2) and max(1, 0.49)."""
    config = dataclasses.replace(PLAIN, clip_value=0.2, value_weight=1.0)
    loss, _ = agent_that_says(config, QUARTERS, 1.0).loss(BATCH)
    assert loss.item() == pytest.approx((5.29 + 1.0) / 2 - 0.8, rel=1e-6)


def test_ppos_advantages_are_normalised_in_each_minibatch() -> None:
    """2 and -1 become 1 and -1: gains 6/5 and -4/5. One alone stays as it is, and gives no NaN."""
    config = dataclasses.replace(PLAIN, normalise_advantages=True, value_weight=0.0)
    agent = agent_that_says(config, QUARTERS, 1.0)
    assert agent.loss(BATCH)[0].item() == pytest.approx(-0.2, rel=1e-5)
    assert agent.loss(BATCH.at(slice(1)))[0].item() == pytest.approx(-2.4, rel=1e-5)


def test_a_clipped_step_has_no_gradient() -> None:
    agent = agent_that_says(dataclasses.replace(PLAIN, value_weight=0.0), QUARTERS, 1.0)
    agent.loss(BATCH)[0].backward()  # both ratios are beyond the clip, on the side that is wanted
    assert agent.descent.flat.gradient.abs().max().item() == 0.0


def test_an_update_stops_where_the_policy_has_moved_too_far() -> None:
    """The estimate of the divergence is the mean of r - 1 - log r: (1/2 - log 3/2 - 1/2 + log 2) / 2."""
    config = dataclasses.replace(PLAIN, target_kl=0.01)
    _, moved = agent_that_says(config, QUARTERS, 1.0).loss(BATCH)
    assert moved.item() == pytest.approx((math.log(2.0) - math.log(1.5)) / 2, rel=1e-5)

    def updates(target: float) -> int:
        envs = worlds(None)
        settings = {"target_kl": target, "learning_rate": 0.05, "rollout_steps": 8, "epochs": 50}
        agent = make_agent(dataclasses.replace(PLAIN, **settings), envs)
        agent.advance(envs)
        return agent.updates

    assert 1 <= updates(0.003) < updates(0.0) == 50


def test_ppos_details_are_settings() -> None:
    config = PPO(
        num_envs=2, hidden=(8, 8), steps=1000, adam_epsilon=3e-4, learning_rate=1.0, learning_rate_final=0.5,
        clip=0.4, clip_final=0.0,
    )  # fmt: skip
    agent = make_agent(config, loop_of(Forever))
    assert agent.descent.optimizer.epsilon == 3e-4
    assert (agent.learning_rate, agent.clip) == (1.0, 0.4)
    agent.steps = 500
    assert (agent.learning_rate, agent.clip) == (0.75, 0.2)
    agent.steps = 2000
    assert (agent.learning_rate, agent.clip) == (0.5, 0.0)
    for name, weight in agent.network.named_parameters():
        if "bias" in name:
            assert not weight.any()
        elif "head" in name:
            assert weight.norm().item() / math.sqrt(len(weight)) == pytest.approx(0.01 if "policy" in name else 1.0)
        else:
            small = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
            assert torch.allclose(small, 2.0 * torch.eye(len(small)), atol=1e-5)


def test_long_gradients_are_shortened() -> None:
    def moved(most: float) -> torch.Tensor:
        agent = agent_that_says(dataclasses.replace(PLAIN, max_gradient_norm=most), [0.0, 0.0], 0.0)
        length = agent.descent.step(agent.loss(BATCH)[0], 0.0, most)
        assert length == pytest.approx(whole.norm().item() if most == 0.1 else length)
        return agent.descent.flat.gradient

    whole = moved(0.0)
    assert moved(0.1) == pytest.approx(whole * 0.1 / whole.norm())
    assert torch.equal(moved(100.0), whole)


@pytest.mark.parametrize("cell", ["none", "gru"])
def test_every_step_is_in_one_minibatch_of_an_epoch(cell) -> None:
    """With a memory, they are whole environments with their own memories; dead steps are not in any."""
    envs = worlds(None, num=5, limit=4)
    agent = make_agent(PPO(num_envs=5, rollout_steps=6, minibatch_size=12, hidden=(4,), cell=cell, units=2), envs)
    agent.collect(envs)
    batch = agent.batch(agent.collect(envs))
    tagged = batch._replace(returns=torch.arange(30.0).view(batch.returns.shape))
    parts = list(agent.minibatches(tagged))
    assert sorted(torch.cat([part.returns.flatten() for part in parts]).tolist()) == list(range(30))
    if cell == "none":
        assert [len(part.actions) for part in parts] == [12, 12, 6]
        return
    assert sorted(part.actions.shape[1] for part in parts) == [2, 3]
    for part in parts:
        which = part.returns[0].long()  # the first row's tags are the environments' numbers
        assert torch.equal(part.memory, batch.memory[which])
        assert torch.equal(part.observations, batch.observations[:, which])
    agent.learn(agent.collect(envs))


def test_a2cs_gradient() -> None:
    """Two steps in a row with rewards of 1, gamma 1/2, values 1: returns 1 + 1.5 / 2 = 1.75 and 1 + 1 / 2 = 1.5."""
    config = A2C(num_envs=2, hidden=(), gamma=0.5, rollout_steps=2, value_weight=0.25, max_gradient_norm=0.0)
    envs = loop_of(Forever, limit=1000)
    agent = agent_that_says(config, [0.0, 0.0], 1.0)
    rollout = agent.collect(envs)
    batch = agent.learn(rollout)
    assert batch.returns.tolist() == [[1.75, 1.75], [1.5, 1.5]]
    assert batch.advantages.tolist() == [[0.75, 0.75], [0.5, 0.5]]
    head = agent.network.value_head.bias.grad
    assert head.item() == pytest.approx(0.25 * 2 * -0.625)
    ones = torch.from_numpy(rollout.actions == 1).float()
    wanted = -(batch.advantages * (ones - 0.5)).mean()
    assert agent.network.policy_head.bias.grad.tolist() == pytest.approx([-wanted.item(), wanted.item()])


def test_a2cs_optimizers() -> None:
    kinds = [type(make_agent(A2C(optimizer=name), loop_of(Forever)).descent.optimizer) for name in ("rmsprop", "adam")]
    assert kinds == [RMSProp, Adam]


def test_policy_and_value_may_share_their_layers() -> None:
    def count(shared: bool) -> int:
        agent = make_agent(PPO(shared=shared, hidden=(16,)), loop_of(Forever))
        return sum(isinstance(module, nn.Linear) for module in agent.network.modules())

    assert (count(True), count(False)) == (3, 4)


def test_what_has_no_bounds_is_taken_as_it_is() -> None:
    from gymnasium import spaces

    class Open(Forever):
        action_space = spaces.Box(np.array([-2.0, -np.inf], np.float32), np.array([6.0, np.inf], np.float32))

    agent = make_agent(PLAIN, loop_of(Open))
    assert agent.taken(np.array([[0.5, 0.5]], np.float32)).tolist() == [[4.0, 0.5]]
