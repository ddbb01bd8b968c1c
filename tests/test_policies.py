"""Networks of policy gradients, and the distributions that they tell, by numbers worked out by hand."""

import math

import gradient_help  # noqa: F401 # one thread
import pytest
import torch
from torch import nn

from rlcore.flat import Flat
from rlcore.policies import ActorCritic, Categorical, Gaussian, NumPyPolicy


def test_probabilities_of_numbered_actions() -> None:
    """Logits log 1, log 2, log 5: probabilities 1/8, 2/8, 5/8."""
    policy = Categorical(torch.tensor([[1.0, 2.0, 5.0]]).log(), False)
    log_probs, entropy = policy.log_prob_and_entropy(torch.tensor([1]))
    assert log_probs.item() == pytest.approx(math.log(0.25))
    assert entropy.item() == pytest.approx(math.log(8) / 8 + math.log(4) / 4 - 0.625 * math.log(0.625))
    assert policy.mode().tolist() == [2]


def test_a_forbidden_action_has_no_part_in_anything() -> None:
    """Also where all others are as improbable as can be: no NaN, neither forwards nor backwards."""
    logits = torch.tensor([[0.0, 3.0, 0.0], [-500.0, 500.0, -500.0]], requires_grad=True)
    masks = torch.tensor([[True, False, True], [True, False, False]])
    policy = Categorical(logits.masked_fill(~masks, -torch.inf), True)
    log_probs, entropy = policy.log_prob_and_entropy(torch.tensor([2, 0]))
    assert log_probs.tolist() == pytest.approx([math.log(0.5), 0.0])
    assert entropy.tolist() == pytest.approx([math.log(2.0), 0.0])
    (log_probs.sum() + entropy.sum()).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[:, 1].tolist() == [0.0, 0.0]
    noise = Categorical.noise([5000, 2, 3], torch.Generator().manual_seed(0))
    drawn = policy.sample(noise)
    assert not (drawn == 1).any()
    assert (drawn[:, 0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_actions_are_drawn_as_often_as_the_policy_says() -> None:
    policy = Categorical(torch.tensor([0.1, 0.2, 0.7]).log(), False)
    drawn = policy.sample(Categorical.noise([20_000, 3], torch.Generator().manual_seed(1)))
    shares = torch.bincount(drawn) / len(drawn)
    assert shares.tolist() == pytest.approx([0.1, 0.2, 0.7], abs=0.015)


def test_densities_of_vectors() -> None:
    """N(1, 2) at 3 and N(0, 1/2) at 0: exp(-1/2) / (2 sqrt(2 pi)) times 2 / sqrt(2 pi)."""
    policy = Gaussian(torch.tensor([[1.0, 0.0]]), torch.tensor([math.log(2.0), math.log(0.5)]))
    log_probs, entropy = policy.log_prob_and_entropy(torch.tensor([[3.0, 0.0]]))
    assert log_probs.item() == pytest.approx(-0.5 - math.log(2.0 * math.pi))
    assert entropy.item() == pytest.approx(1.0 + math.log(2.0 * math.pi))
    drawn = policy.sample(Gaussian.noise([20_000, 2], torch.Generator().manual_seed(0)))
    assert drawn.mean(0).tolist() == pytest.approx([1.0, 0.0], abs=0.05)
    assert drawn.std(0).tolist() == pytest.approx([2.0, 0.5], rel=0.03)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_memory_is_the_same_step_by_step_and_at_once(cell, shared) -> None:
    """Episodes begin in the middle, in one environment and not in the other, and the state is zero there."""
    torch.manual_seed(0)
    network = ActorCritic("vector", (3,), 0, 4, 0, (8,), shared=shared, cell=cell, units=5)
    observations = torch.randn(6, 2, 3)
    starts = torch.zeros(6, 2, dtype=torch.bool)
    starts[2, 0] = starts[5] = True
    memory = torch.randn(2, network.memory_size)
    with torch.no_grad():
        whole = network(observations, None, starts, memory)
        for t in range(6):
            memory = memory.masked_fill(starts[t][:, None], 0.0)
            values = network.values(observations[t][None], None, memory)[0]
            policy, memory = network.act(observations[t], None, memory)
            assert torch.allclose(policy.logits, whole.policy.logits[t], atol=1e-6)
            assert torch.allclose(values, whole.values[t], atol=1e-6)


def test_what_is_remembered_of_an_episode_does_not_reach_the_next() -> None:
    network = ActorCritic("vector", (1,), 0, 2, 0, (), cell="lstm", units=3)
    observations = torch.randn(4, 1, 1, requires_grad=True)
    starts = torch.tensor([[False], [False], [True], [False]])
    network(observations, None, starts, torch.zeros(1, network.memory_size)).values[3].backward()
    assert (observations.grad.flatten() != 0).tolist() == [False, False, True, True]


@pytest.mark.parametrize(("kind", "shape", "size"), [("pixels", (1, 6, 5), 0), ("index", (), 7), ("vector", (4,), 0)])
def test_every_kind_of_observation_in_time_and_one_by_one(kind, shape, size) -> None:
    network = ActorCritic(kind, shape, size, 3, 0, (8,))
    observations = torch.randint(0, 7, (2, 3, *shape)) if kind == "index" else torch.rand(2, 3, *shape)
    with torch.no_grad():
        whole = network(observations, None)
        assert whole.values.shape == (2, 3)
        policy, _ = network.act(observations[1], None)
        assert torch.allclose(policy.logits, whole.policy.logits[1], atol=1e-6)


def test_flat_parameters_stay_those_of_the_network() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = [parameter.clone() for parameter in network.parameters()]
    flat = Flat(network.parameters())
    assert torch.equal(flat.vector, torch.cat([part.flatten() for part in before]))
    network(torch.ones(1, 2)).sum().backward()
    assert torch.equal(flat.gradient[-1:], torch.ones(1))
    flat.vector.zero_()
    assert all(not part.any() for part in network.parameters())


# --- in NumPy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actions", [0, 3])
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
def test_the_policy_in_numpy_is_that_of_torch_and_follows_its_weights(
    actions: int, activation: type[nn.Module]
) -> None:
    torch.manual_seed(5)
    network = ActorCritic("vector", (4,), 0, actions, 0 if actions else 2, (16, 8), activation=activation)
    flat, quick = Flat(network.parameters()), None
    for change in range(2):
        quick = quick or NumPyPolicy(network)
        observations = torch.randn(50, 4)
        noise = network.noise([50], torch.Generator().manual_seed(change))
        masks = torch.rand(50, 3) < 0.5 if actions else None
        if masks is not None:
            masks[:, 1] = True
        with torch.no_grad():
            policy, _ = network.act(observations, masks)
            drawn, best = policy.sample(noise).numpy(), policy.mode().numpy()
        given = observations.numpy(), None if masks is None else masks.numpy()
        assert quick(*given, noise.numpy()) == pytest.approx(drawn, abs=1e-5)
        assert quick(*given, None) == pytest.approx(best, abs=1e-5)
        flat.vector.normal_()  # a step downhill changes them in place


@pytest.mark.parametrize("settings", [{"cell": "gru"}, {"kind": "pixels", "shape": (1, 8, 8)}])
def test_a_memory_or_convolutions_have_no_policy_in_numpy(settings: dict[str, object]) -> None:
    settings = {"kind": "vector", "shape": (4,)} | settings
    network = ActorCritic(size=0, num_actions=3, action_size=0, hidden=(8,), **settings)
    with pytest.raises(ValueError, match="no policy in NumPy"):
        NumPyPolicy(network)
