"""Returns and advantages: what the rewards after each step are worth, discounted, with a value where the view ends.

Shapes: T steps of n environments, oldest first; results are [T, n] float32. How a step ends is a number of its own:

    GOES_ON 0      TERMINATED 1, worth nothing from there on      TRUNCATED 2, by a limit of time: worth its value still
    DEAD 3         no step at all: what Gymnasium's vector environments do after an end before they begin anew

The value after a step is always that of the observation that the step led to, which for a truncated one is the true
final observation, never the first one of the next episode. No sum goes beyond the end of an episode. What comes out
for dead steps means nothing.

Sutton and Barto, Reinforcement Learning: An Introduction, 2nd edition (2018), chapters 3 and 7; for truncation Pardo
et al. 2018, "Time limits in reinforcement learning".
"""

import numpy as np

from rlcore.jit import Array, njit

__all__ = ["DEAD", "GOES_ON", "TERMINATED", "TRUNCATED", "discounted", "endings", "gae", "n_step", "window"]

GOES_ON, TERMINATED, TRUNCATED, DEAD = 0, 1, 2, 3


def endings(terminated: Array, truncated: Array, live: Array | None = None) -> Array:
    """How steps ended, uint8: the numbers above, from three arrays of bool; both at once count as terminated."""
    ended: Array = np.where(terminated, TERMINATED, np.where(truncated, TRUNCATED, GOES_ON)).astype(np.uint8)
    if live is not None:
        ended[~np.asarray(live, np.bool_)] = DEAD
    return ended


def discounted(rewards: Array, ended: Array, gamma: float, last: Array | float = 0.0) -> Array:
    """G_t = r_t + gamma G_{t+1} (Sutton and Barto, eq. 3.9) up to the end of the episode, [T, n].

    Args:
        rewards: [T, n]; ended: [T, n] as above.
        last: [T, n], the value after each step, of which only those count where an episode is broken off: behind a
            truncated step, and behind the last row where it goes on. 0 = what is broken off is worth nothing more.

    Raises:
        ValueError: the shapes differ.
    """
    rewards, ended = _alike(rewards, np.float32), _alike(ended, np.uint8, np.shape(rewards))
    if np.ndim(last) == 0:
        last = np.full(rewards.shape, last, np.float32)
    returns = np.empty_like(rewards)
    _discounted(rewards, ended, gamma, _alike(last, np.float32, rewards.shape), returns)
    return returns


def n_step(rewards: Array, ended: Array, next_values: Array, gamma: float, n: int) -> Array:
    """Sums of up to n rewards and then a value (Sutton and Barto, eq. 7.1), [T, n].

    Fewer steps, k, are taken where the episode ends before, or the rows do; then gamma^k stands before the value, and
    where it terminated there is no value.

    Args:
        rewards: [T, n]; ended: [T, n] as above; next_values: [T, n], the value after each step; n: at least 1.

    Raises:
        ValueError: the shapes differ, or n is less than 1.
    """
    if n < 1:
        raise ValueError(f"n-step returns take at least 1 step, not {n}")
    rewards, ended = _alike(rewards, np.float32), _alike(ended, np.uint8, np.shape(rewards))
    returns = np.empty_like(rewards)
    _n_step(rewards, ended, _alike(next_values, np.float32, rewards.shape), gamma, n, returns)
    return returns


def gae(
    rewards: Array, values: Array, next_values: Array, terminated: Array, done: Array, gamma: float, lam: float
) -> Array:
    """Generalized advantage estimates, [T, n] (Schulman et al. 2016, eq. 16):

        delta_t = r_t + gamma (1 - terminated_t) V(next_t) - V(s_t)
        A_t = delta_t + gamma lambda (1 - done_t) A_{t+1}, and 0 for A behind the last row

    Their sum with ``values`` is what the values are trained towards.

    Args:
        rewards: [T, n]; values: [T, n], V(s_t); next_values: [T, n], the value after each step.
        terminated: [T, n] bool; done: [T, n] bool, terminated or truncated.

    Raises:
        ValueError: the shapes differ.
    """
    rewards = _alike(rewards, np.float32)
    values, next_values = (_alike(array, np.float32, rewards.shape) for array in (values, next_values))
    terminated, done = (_alike(array, np.bool_, rewards.shape) for array in (terminated, done))
    advantages = np.empty_like(rewards)
    _gae(rewards, values, next_values, terminated, done, gamma, lam, advantages)
    return advantages


def _alike(array: Array | float, dtype: type, shape: tuple[int, ...] | None = None) -> Array:
    """An array as kernels take it: of that type, contiguous, writable.

    Raises:
        ValueError: it has not that shape, or not two dimensions.
    """
    found: Array = np.require(array, dtype, ["C", "W"])
    if found.ndim != 2 or (shape is not None and found.shape != shape):
        wanted = "[steps, environments]" if shape is None else f"{shape}, as the rewards have it"
        raise ValueError(f"an array has shape {found.shape} instead of {wanted}")
    return found


@njit
def window(
    rewards: Array, ended: Array, row: int, environment: int, stop: int, n: int, gamma: float
) -> tuple[float, float, int]:
    """Up to ``n`` steps from a row on: their discounted rewards, gamma^k for the k steps taken, the row after them.

    The steps stop after an end, and before row ``stop``. Rows are counted on beyond the arrays' T, as in a ring.
    """
    rows = ended.shape[0]
    total, factor, first = 0.0, 1.0, row
    while True:
        at = row % rows
        total += factor * rewards[at, environment]
        factor *= gamma
        row += 1
        if ended[at, environment] != GOES_ON or row - first == n or row == stop:
            return total, factor, row


@njit
def _discounted(rewards: Array, ended: Array, gamma: float, last: Array, returns: Array) -> None:
    rows, environments = rewards.shape
    for e in range(environments):
        after = last[rows - 1, e] if rows > 0 else np.float32(0.0)
        total = float(after)
        for t in range(rows - 1, -1, -1):
            if ended[t, e] == TRUNCATED:
                total = float(last[t, e])
            elif ended[t, e] == TERMINATED:
                total = 0.0
            total = rewards[t, e] + gamma * total
            returns[t, e] = total


@njit
def _n_step(rewards: Array, ended: Array, next_values: Array, gamma: float, n: int, returns: Array) -> None:
    rows, environments = rewards.shape
    for t in range(rows):
        for e in range(environments):
            total, factor, after = window(rewards, ended, t, e, rows, n, gamma)
            if ended[after - 1, e] != TERMINATED:
                total += factor * next_values[after - 1, e]
            returns[t, e] = total


@njit
def _gae(
    rewards: Array,
    values: Array,
    next_values: Array,
    terminated: Array,
    done: Array,
    gamma: float,
    lam: float,
    advantages: Array,
) -> None:
    rows, environments = rewards.shape
    for e in range(environments):
        advantage = 0.0
        for t in range(rows - 1, -1, -1):
            ahead = 0.0 if terminated[t, e] else float(next_values[t, e])
            if done[t, e]:
                advantage = 0.0
            advantage = rewards[t, e] + gamma * ahead - values[t, e] + gamma * lam * advantage
            advantages[t, e] = advantage
