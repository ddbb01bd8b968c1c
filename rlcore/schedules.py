"""Settings that change as training goes on: pure functions of the step, in plain Python.

AlphaZero (Silver et al. 2018, pseudocode) learns chess and shogi with base 0.2, ten times less at each of the steps
100,000, 300,000 and 500,000, and no warm-up.
"""

import math

__all__ = ["ALPHAZERO_DECAY_STEPS", "cosine", "learning_rate", "linear"]

ALPHAZERO_DECAY_STEPS = (100_000, 300_000, 500_000)


def learning_rate(
    step: int, base: float, warmup_steps: int = 0, decay_steps: tuple[int, ...] = (), decay_factor: float = 0.1
) -> float:
    """Linear warm-up, then steps down.

    base * min(1, (step + 1) / warmup_steps) * decay_factor ** (how many of decay_steps are <= step). Step 0 is the
    first update and already moves; warm-up as in Goyal et al. 2017, section 2.2.
    """
    return base * _warmup(step, warmup_steps) * decay_factor ** sum(step >= decay for decay in decay_steps)


def cosine(step: int, base: float, warmup_steps: int, total_steps: int, final: float = 0.0) -> float:
    """Linear warm-up, then half a cosine from ``base`` down to ``final`` at ``total_steps`` and after.

    final + (base - final) * (1 + cos(pi * t)) / 2, t the share of the way (Loshchilov and Hutter 2017, eq. 5).
    """
    way = linear(step - warmup_steps, 0.0, 1.0, max(total_steps - warmup_steps, 1))
    return _warmup(step, warmup_steps) * (final + (base - final) * (1.0 + math.cos(math.pi * way)) / 2.0)


def linear(step: int, start: float, end: float, steps: int) -> float:
    """A straight line from ``start`` at step 0 to ``end`` at ``steps``, flat outside; exploration rates, for one."""
    if steps <= 0:
        return end
    return start + (end - start) * min(max(step / steps, 0.0), 1.0)


def _warmup(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps > 0 else 1.0
