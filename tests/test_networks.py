"""The network: shapes, its first losses, that it can learn, and that its playing form is the same function."""

import copy
import dataclasses
import math
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from rlcore.config import NetworkConfig
from rlcore.losses import policy_kl, policy_loss, uniform_policy_loss, value_loss
from rlcore.networks import Block, ConvPolicyHead, LinearPolicyHead, ResNet, fuse

torch.set_num_threads(1)  # small tensors: two threads are slower, and ten times slower where the cores are busy

SMALL = NetworkConfig(blocks=2, channels=32, value_channels=8, value_hidden=16)
M = TypeVar("M", bound=nn.Module)
GATED = dataclasses.replace(SMALL, squeeze_excitation=8)


def random_planes(batch: int, planes: int, rows: int, cols: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    boards = (torch.rand(batch, planes, rows, cols, generator=generator) < 0.1).float()
    return boards.to(memory_format=torch.channels_last)


def random_targets(batch: int, num_actions: int, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Legal actions, counts, a policy over them, a (win, draw, loss)."""
    generator = torch.Generator().manual_seed(2)
    legal = torch.stack([torch.randperm(num_actions, generator=generator)[:most] for _ in range(batch)])
    counts = torch.randint(2, most + 1, (batch,), generator=generator)
    beyond = torch.arange(most) >= counts[:, None]
    policy = torch.randn(batch, most, generator=generator).mul(3).masked_fill(beyond, -math.inf).softmax(1)
    wdl = nn.functional.one_hot(torch.randint(0, 3, (batch,), generator=generator), 3).float()
    return legal, counts, policy, wdl


def trained_a_little(network: M) -> M:
    """Weights, norms and statistics as after some training: nothing zero, one or equal any more."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
        for name, buffer in network.named_buffers():
            if name.endswith("running_mean"):
                buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.3)
            elif name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return network


@pytest.mark.parametrize(
    ("planes", "board", "num_actions", "head"),
    [
        (21, (8, 8), 4672, ConvPolicyHead),  # chess
        (362, (9, 9), 11259, ConvPolicyHead),  # shogi
        (3, (6, 7), 7, LinearPolicyHead),  # connect four: a column is not a square
    ],
)
def test_shapes(planes: int, board: tuple[int, int], num_actions: int, head: type[nn.Module]) -> None:
    network = ResNet(SMALL, planes, board, num_actions)
    assert isinstance(network.policy, head)
    logits, wdl = network(random_planes(5, planes, *board))
    assert logits.shape == (5, num_actions)
    assert wdl.shape == (5, 3)


def test_logits_are_indexed_by_plane_times_squares_plus_square() -> None:
    network = ResNet(SMALL, 21, (8, 8), 73 * 64)
    assert isinstance(network.policy, ConvPolicyHead)
    with torch.no_grad():
        assert network.policy.out.bias is not None
        network.policy.out.bias[7] = 5.0
    logits, _ = network(random_planes(2, 21, 8, 8))
    assert (logits[:, 7 * 64 : 8 * 64] == 5.0).all()
    assert logits.sum().item() == 2 * 64 * 5.0


@pytest.mark.parametrize("num_actions", [4672, 100])
def test_first_losses_are_those_of_one_who_knows_nothing(num_actions: int) -> None:
    """Uniform over the legal actions, whatever the target; even between win, draw and loss."""
    network = ResNet(SMALL, 21, (8, 8), num_actions)
    legal, counts, policy, wdl = random_targets(16, num_actions, 40)
    logits, wdl_logits = network(random_planes(16, 21, 8, 8))
    found = policy_loss(logits, legal, counts, policy).mean()
    assert found.item() == pytest.approx(uniform_policy_loss(counts).mean().item(), rel=1e-6)
    assert value_loss(wdl_logits, wdl).mean().item() == pytest.approx(math.log(3.0), rel=1e-6)


def test_blocks_start_as_the_identity() -> None:
    network = ResNet(SMALL, 21, (8, 8), 4672)
    x = torch.rand(2, 32, 8, 8)
    torch.testing.assert_close(network.blocks(x), x)


def test_he_initialisation_keeps_the_size_of_signals() -> None:
    """Weights of a 3x3 convolution have variance 2 / (9 * channels out)."""
    torch.manual_seed(0)
    weight = ResNet(NetworkConfig(blocks=1, channels=128), 21, (8, 8), 4672).blocks[0].first.conv.weight
    assert weight.var().item() == pytest.approx(2.0 / (9 * 128), rel=0.02)


def test_overfits_eight_positions() -> None:
    torch.manual_seed(0)
    network = ResNet(SMALL, 21, (8, 8), 4672).to(memory_format=torch.channels_last)
    planes = random_planes(8, 21, 8, 8)
    legal, counts, policy, wdl = random_targets(8, 4672, 30)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(150):
        logits, wdl_logits = network(planes)
        kl = policy_kl(logits, legal, counts, policy).mean()
        value = value_loss(wdl_logits, wdl).mean()
        optimizer.zero_grad()
        (kl + value).backward()
        optimizer.step()
    assert kl.item() < 0.02
    assert value.item() < 0.02


@pytest.mark.parametrize("config", [SMALL, GATED], ids=["plain", "squeeze-excitation"])
@pytest.mark.parametrize("num_actions", [4672, 100])
def test_fused_network_is_the_same_function(num_actions: int, config: NetworkConfig) -> None:
    network = trained_a_little(ResNet(config, 21, (8, 8), num_actions))
    before = copy.deepcopy(network.state_dict())
    planes = random_planes(6, 21, 8, 8)
    fused = fuse(network)
    assert network.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    network.eval()
    for found, expected in zip(fused(planes), network(planes), strict=True):
        assert expected.std().item() > 0.05  # otherwise there is nothing to compare
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_squeeze_excitation_by_the_paper() -> None:
    """Hu et al. 2018, section 3: the residual branch times sigmoid(W2 relu(W1 mean)), then the skip and the ReLU."""
    block = trained_a_little(Block(8, squeeze_excitation=4)).eval()
    x = torch.randn(3, 8, 5, 6)
    branch = block.second.norm(block.second.conv(block.first(x)))
    weights = {name.removeprefix("gates."): weight.detach() for name, weight in block.named_parameters()}
    assert weights["squeeze.weight"].shape == (2, 8)
    hidden = (branch.sum((2, 3)) / 30 @ weights["squeeze.weight"].T + weights["squeeze.bias"]).clamp(min=0)
    gates = 1 / (1 + (-(hidden @ weights["excite.weight"].T + weights["excite.bias"])).exp())
    assert gates.std() > 0.03  # otherwise a constant would pass
    assert (branch < 0).any()
    torch.testing.assert_close(block(x), (x + branch * gates.view(3, 8, 1, 1)).clamp(min=0))


def test_squeeze_excitation_stays_channels_last_and_learns() -> None:
    block = Block(32, squeeze_excitation=8)
    x = torch.rand(2, 32, 8, 8).to(memory_format=torch.channels_last)
    torch.testing.assert_close(block(x), x)  # starts as the identity, with gates as without
    assert block(x).is_contiguous(memory_format=torch.channels_last)
    trained_a_little(block)(x).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in block.parameters())


def test_heads_are_forward_in_another_order() -> None:
    network = trained_a_little(ResNet(SMALL, 21, (8, 8), 4672)).eval()
    planes = random_planes(3, 21, 8, 8)
    policy, wdl = network.heads(planes)
    logits, wdl_again = network(planes)
    assert policy.shape == (3, 73, 8, 8)
    assert torch.equal(policy.reshape(3, -1), logits)
    assert torch.equal(wdl, wdl_again)


def test_weights_have_readable_names() -> None:
    names = set(ResNet(SMALL, 21, (8, 8), 4672).state_dict())
    assert {"stem.conv.weight", "blocks.1.second.norm.running_var", "policy.out.bias", "value.hidden.weight"} <= names
    gates = {name for name in ResNet(GATED, 21, (8, 8), 4672).state_dict() if "gates" in name}
    assert "blocks.1.gates.squeeze.weight" in gates
    assert names == set(ResNet(GATED, 21, (8, 8), 4672).state_dict()) - gates  # the plain network is as it was


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="channels must be at least 1, not 0"):
        NetworkConfig(channels=0)
    with pytest.raises(ValueError, match="squeeze_excitation must be at least 0, not -1"):
        NetworkConfig(squeeze_excitation=-1)
    with pytest.raises(ValueError, match=r"squeeze_excitation must be at most channels \(16\), not 17"):
        NetworkConfig(channels=16, squeeze_excitation=17)
