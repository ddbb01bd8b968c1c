"""Losses and their yardsticks: pure functions on tensors, one number a sample, so that the caller weighs and averages.

Shapes: B samples, A actions of the game, L the most legal actions of any sample in the batch. ``legal`` [B, L] int64
holds the legal actions, ``counts`` [B] how many; entries beyond the count may be any valid action and are ignored.
``target`` [B, L] goes with ``legal``: non-negative, sums to 1, zero beyond the count. All results are float32.
"""

import torch
from torch import Tensor

__all__ = [
    "legal_log_policy",
    "policy_entropy",
    "policy_kl",
    "policy_loss",
    "target_entropy",
    "uniform_policy_loss",
    "value_loss",
]


def legal_log_policy(logits: Tensor, legal: Tensor, counts: Tensor) -> Tensor:
    """log p(a) over the legal actions alone, [B, L] float32; 0 beyond the count.

    p(a) = exp(logits[a]) / sum_{b legal} exp(logits[b]): illegal actions are masked, then the rest renormalised
    (AlphaZero, Silver et al. 2018, Methods, "Representation").
    """
    chosen = logits.gather(1, legal).float()
    beyond = torch.arange(legal.shape[1], device=legal.device) >= counts[:, None]
    # the lowest float instead of -inf: its difference to a maximum is finite, so that no gradient is NaN
    log_policy = chosen.masked_fill(beyond, torch.finfo(torch.float32).min).log_softmax(1)
    return log_policy.masked_fill(beyond, 0.0)


def policy_loss(logits: Tensor, legal: Tensor, counts: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy -sum_a target(a) log p(a), [B] (AlphaZero, Silver et al. 2018, eq. 1: -pi^T log p)."""
    return -(target * legal_log_policy(logits, legal, counts)).sum(1)


def value_loss(wdl_logits: Tensor, target_wdl: Tensor) -> Tensor:
    """Cross-entropy of (win, draw, loss) for the side to move, [B], from logits and targets [B, 3].

    In place of AlphaZero's (z - v)^2 (eq. 1), which cannot tell a sure draw from an even gamble. ln 3 for a network
    that knows nothing.
    """
    return -(target_wdl * wdl_logits.float().log_softmax(1)).sum(1)


def uniform_policy_loss(counts: Tensor) -> Tensor:
    """ln(count), [B]: the policy loss, against any target, of a policy uniform over the legal actions."""
    return counts.float().log()


def policy_entropy(logits: Tensor, legal: Tensor, counts: Tensor) -> Tensor:
    """-sum_a p(a) log p(a) over the legal actions in nats, [B]; ln(count) where the policy is uniform."""
    log_policy = legal_log_policy(logits, legal, counts)
    return -(log_policy.exp() * log_policy).sum(1)  # beyond the count log p is 0, which adds 1 * 0


def target_entropy(target: Tensor) -> Tensor:
    """-sum_a target(a) log target(a) in nats, [B]: what the policy loss cannot fall below."""
    return -torch.xlogy(target, target).sum(1)


def policy_kl(logits: Tensor, legal: Tensor, counts: Tensor, target: Tensor) -> Tensor:
    """KL(target || p) = policy_loss - target_entropy, [B]: 0 when learned, comparable between kinds of targets."""
    return policy_loss(logits, legal, counts, target) - target_entropy(target)
