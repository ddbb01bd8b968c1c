"""Losses against numbers computed by hand."""

import math

import pytest
import torch
from torch import Tensor

from rlcore.losses import (
    legal_log_policy,
    policy_entropy,
    policy_kl,
    policy_loss,
    target_entropy,
    uniform_policy_loss,
    value_loss,
)

# two samples over five actions; legal: {4, 1} and {0, 2, 3}; action 3 of the first is illegal with a huge logit
LOGITS = torch.tensor([[0.0, math.log(3.0), 0.0, 50.0, 0.0], [0.0, 9.0, math.log(2.0), 0.0, 9.0]])
LEGAL = torch.tensor([[4, 1, 3], [0, 2, 3]])
COUNTS = torch.tensor([2, 3], dtype=torch.int32)
TARGET = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]])


def close(found: Tensor, expected: list[float]) -> None:
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_policy_is_renormalised_over_legal_actions_alone() -> None:
    policy = legal_log_policy(LOGITS, LEGAL, COUNTS).exp()
    assert policy[0, :2].tolist() == pytest.approx([1 / 4, 3 / 4])
    assert policy[1].tolist() == pytest.approx([1 / 4, 1 / 2, 1 / 4])


def test_policy_loss_by_hand() -> None:
    first = -0.5 * math.log(1 / 4) - 0.5 * math.log(3 / 4)
    close(policy_loss(LOGITS, LEGAL, COUNTS, TARGET), [first, 1.5 * math.log(2.0)])


def test_policy_kl_is_zero_when_the_target_is_met() -> None:
    first, second = policy_kl(LOGITS, LEGAL, COUNTS, TARGET).tolist()
    assert first == pytest.approx(0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75), rel=1e-5)
    assert second == pytest.approx(0.0, abs=1e-6)


def test_entropies_by_hand() -> None:
    close(target_entropy(TARGET), [math.log(2.0), 1.5 * math.log(2.0)])
    first = 0.25 * math.log(4.0) + 0.75 * math.log(4 / 3)
    close(policy_entropy(LOGITS, LEGAL, COUNTS), [first, 1.5 * math.log(2.0)])


def test_equal_logits_pay_what_the_uniform_policy_pays() -> None:
    flat = torch.zeros(2, 5)
    close(uniform_policy_loss(COUNTS), [math.log(2.0), math.log(3.0)])
    close(policy_loss(flat, LEGAL, COUNTS, TARGET), [math.log(2.0), math.log(3.0)])
    close(policy_entropy(flat, LEGAL, COUNTS), [math.log(2.0), math.log(3.0)])


def test_value_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [math.log(2.0), math.log(1.0), math.log(1.0)]])
    target = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    close(value_loss(logits, target), [math.log(3.0), math.log(2.0)])


def test_gradient_is_policy_minus_target_and_none_for_illegal_actions() -> None:
    logits = LOGITS.clone().requires_grad_()
    policy_loss(logits, LEGAL, COUNTS, TARGET).sum().backward()
    assert logits.grad is not None
    expected = torch.tensor([[0.0, 0.75 - 0.5, 0.0, 0.0, 0.25 - 0.5], [0.0, 0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(logits.grad, expected, atol=1e-6, rtol=0.0)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    """256 legal actions at equal logits: in bfloat16 the normaliser alone would be off by a percent."""
    counts = torch.tensor([255])
    legal = torch.arange(256)[None]
    target = torch.full((1, 256), 1 / 255)
    target[0, 255] = 0.0
    loss = policy_loss(torch.zeros(1, 300, dtype=torch.bfloat16), legal, counts, target)
    close(loss, [math.log(255.0)])
