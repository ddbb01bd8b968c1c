"""Optimizers of one vector against torch's own."""

import pytest
import torch
from torch import nn

from rlcore.flat import Flat
from rlcore.optimizers import Adam, RMSProp

OURS = {"adam": Adam, "rmsprop": RMSProp}
THEIRS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, eps=1e-5),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, alpha=0.99, eps=1e-5),
}


def networks():
    torch.manual_seed(3)
    ours, theirs = (nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.mark.parametrize("name", OURS)
def test_steps_are_those_of_torch(name):
    ours, theirs = networks()
    flat = Flat(ours.parameters())
    mine, other = OURS[name](flat), THEIRS[name](theirs.parameters())
    for i in range(200):
        batch, rate = torch.randn(16, 5), 0.01 / (1 + i % 7)
        for network in (ours, theirs):
            network.zero_grad(set_to_none=network is theirs)
            network(batch).square().sum().backward()
        mine.step(rate)
        other.param_groups[0]["lr"] = rate
        other.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OURS)
def test_saved_and_restored_it_goes_on_bit_for_bit(name):
    flats = [Flat(network.parameters()) for network in networks()]
    optimizers = [OURS[name](flat) for flat in flats]

    def step(which, seed):
        flats[which].gradient.normal_(generator=torch.Generator().manual_seed(seed))
        optimizers[which].step(0.01)

    for seed in range(5):
        step(0, seed)
    flats[1].vector.copy_(flats[0].vector)
    optimizers[1].restore(optimizers[0].save())
    for seed in range(5, 10):
        step(0, seed)
        step(1, seed)
    assert torch.equal(flats[0].vector, flats[1].vector)
    saved = optimizers[0].save()
    step(0, 10)
    assert torch.equal(saved["squares"], optimizers[1].save()["squares"])  # what was saved is a copy
