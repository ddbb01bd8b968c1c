"""Finite Markov decision processes as arrays, and their exact solutions: the yardstick of agents that learn.

Sutton and Barto, Reinforcement Learning: An Introduction, 2nd edition (2018), chapters 3 and 4. An action has up to K
outcomes; entries beyond them have probability 0. Where an outcome is ``terminated`` the episode ends, and the value of
its next state, whatever that state is, does not count.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rlcore.jit import Array

__all__ = [
    "MDP",
    "best_epsilon_greedy",
    "best_return_within",
    "checked",
    "evaluate",
    "from_env",
    "from_table",
    "greedy",
    "policy_iteration",
    "q_values",
    "return_within",
    "uniform",
    "value_iteration",
]

_MOST_SWEEPS = 200_000
_ROUNDING = 1e-9  # what sums of probabilities may be off by; relative differences of values below it are ties


class MDP(NamedTuple):
    """S states, A actions, up to K outcomes of each; ``checked`` says whether it makes sense."""

    probability: Array
    """[S, A, K] float64: of an outcome; sums to 1 over K."""
    next_state: Array
    """[S, A, K] int64"""
    reward: Array
    """[S, A, K] float64: on the way there."""
    terminated: Array
    """[S, A, K] bool: whether the episode ends there."""
    start: Array
    """[S] float64: the probability of beginning in a state."""
    allowed: Array
    """[S, A] bool: what may be chosen, at least one action a state. Policies and agents keep to it."""


def checked(mdp: MDP) -> MDP:
    """The same with its arrays contiguous and of the right types.

    Raises:
        ValueError: it is none; one line that says what is wrong, and of which state and action.
    """
    shape = np.shape(mdp.probability)
    if len(shape) != 3 or 0 in shape:
        raise ValueError(f"probability has shape {shape} instead of [states, actions, outcomes], at least one of each")
    kinds = (np.float64, np.int64, np.float64, np.bool_, np.float64, np.bool_)
    shapes = (shape, shape, shape, shape, shape[:1], shape[:2])
    arrays: list[Array] = []
    for name, array, kind, wanted in zip(MDP._fields, mdp, kinds, shapes, strict=True):
        if np.shape(array) != wanted:
            raise ValueError(f"{name} has shape {np.shape(array)} instead of {wanted}, as probability has it")
        arrays.append(np.ascontiguousarray(array, kind))
    mdp = MDP(*arrays)

    def refuse(wrong: Any, what: str) -> None:
        if wrong.any():
            place = np.argwhere(wrong)[0]
            raise ValueError(f"state {place[0]}, action {place[1]}: {what}")

    if not (np.isfinite(mdp.start).all() and (mdp.start >= 0).all() and abs(mdp.start.sum() - 1) <= _ROUNDING):
        raise ValueError(f"the start distribution must be probabilities that sum to 1, not to {mdp.start.sum()}")
    refuse(~((mdp.probability >= 0) & (mdp.probability <= 1 + _ROUNDING)).all(2), "a probability is not in [0, 1]")
    refuse(abs(mdp.probability.sum(2) - 1) > _ROUNDING, "the probabilities of its outcomes do not sum to 1")
    refuse(((mdp.next_state < 0) | (mdp.next_state >= shape[0])).any(2), f"a next state is not below {shape[0]}")
    refuse(~np.isfinite(mdp.reward).all(2), "a reward is not a finite number")
    refuse(~mdp.allowed.any(1, keepdims=True), "no action of this state is allowed")
    return mdp


# --- other people's tables -------------------------------------------------------------------------------------------

Table = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
"""For each state and action the outcomes: (probability, next state, reward, terminated)."""


def from_table(table: Table, start: Array, allowed: Array | None = None) -> MDP:
    """The process of a table as Gymnasium's toy-text environments have it: ``env.unwrapped.P``.

    Args:
        start: [S], ``env.unwrapped.initial_state_distrib``; allowed: [S, A], none = everything.

    Raises:
        ValueError: see ``checked``; or the states or actions are not numbered from 0.
    """
    states, actions = len(table), len(table[0]) if 0 in table else 0
    if set(table) != set(range(states)) or any(set(row) != set(range(actions)) for row in table.values()):
        raise ValueError("the states of a table, and the actions of each, are numbered from 0, as many in every state")
    outcomes = max((len(table[s][a]) for s in range(states) for a in range(actions)), default=0)
    shape = (states, actions, outcomes)
    probability, reward = np.zeros(shape), np.zeros(shape)
    next_state, terminated = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for s, row in table.items():
        for a, cell in row.items():
            for k, (p, then, r, ends) in enumerate(cell):
                probability[s, a, k], next_state[s, a, k], reward[s, a, k], terminated[s, a, k] = p, then, r, ends
    everything = np.ones((states, actions), np.bool_)
    return checked(
        MDP(probability, next_state, reward, terminated, np.asarray(start), everything if allowed is None else allowed)
    )


def from_env(env: Any) -> MDP:
    """The process of a Gymnasium environment that shows its own: one of the grid worlds here, or toy text with ``P``.

    Raises:
        ValueError: it shows none, or its observations are not the states.
    """
    inner = env.unwrapped
    if isinstance(getattr(inner, "mdp", None), MDP):
        shown = getattr(inner, "shown", None)
        if shown is not None and not np.array_equal(shown, np.arange(len(shown))):
            raise ValueError(f"{type(inner).__name__} shows the same of several states, so no table has their values")
        return checked(inner.mdp)
    if not hasattr(inner, "P") or not hasattr(inner, "initial_state_distrib"):
        raise ValueError(f"{type(inner).__name__} shows no table P of its transitions, so it cannot be solved exactly")
    return from_table(inner.P, inner.initial_state_distrib)


# --- policies and values ---------------------------------------------------------------------------------------------


def uniform(mdp: MDP) -> Array:
    """The policy that knows nothing: every allowed action alike, [S, A] float64."""
    policy: Array = mdp.allowed / mdp.allowed.sum(1, keepdims=True)
    return policy


def q_values(mdp: MDP, values: Array, gamma: float) -> Array:
    """q(s, a) = sum over outcomes of p (r + gamma v(s')), [S, A] (section 4.2, eq. 4.6); -inf where not allowed.

    Args:
        values: [S], of the states.
    """
    ahead = np.where(mdp.terminated, 0.0, values[mdp.next_state])
    found = (mdp.probability * (mdp.reward + gamma * ahead)).sum(2)
    return np.where(mdp.allowed, found, -np.inf)


def greedy(q: Array) -> Array:
    """The policy of the best actions, [S, A] float64: 1 for one action a state, the first among equals."""
    best = q.max(1, keepdims=True)
    equal = q >= best - _ROUNDING * np.maximum(1.0, np.abs(best))
    policy = np.zeros(q.shape)
    policy[np.arange(len(q)), equal.argmax(1)] = 1.0
    return policy


def evaluate(mdp: MDP, policy: Array, gamma: float) -> Array:
    """The values of a policy ([S, A] probabilities), [S]: Bellman's equations solved as they are (eq. 4.4).

    Where with gamma 1 the policy never ends, and is paid nothing on the way, a state is worth 0.

    Raises:
        ValueError: no policy of this process; or with gamma 1 it goes on for ever somewhere, with rewards.
    """
    _check_gamma(gamma)
    transition, reward = _under(mdp, policy)
    lasting = _never_ends(transition) if gamma == 1.0 else np.zeros(len(reward), np.bool_)
    if reward[lasting].any():
        state = int(np.flatnonzero(lasting & (reward != 0))[0])
        raise ValueError(f"with gamma 1 this policy has no values: from state {state} on it is paid and never ends")
    values = np.zeros(len(reward))
    rest = ~lasting
    values[rest] = np.linalg.solve(np.eye(rest.sum()) - gamma * transition[np.ix_(rest, rest)], reward[rest])
    return values


def _never_ends(transition: Array) -> Array:
    """From which states ([S] bool) no end can be reached; ``transition`` is [S, S]."""
    ends = transition.sum(1) < 1.0 - _ROUNDING
    while True:
        more = ends | (transition @ ends > 0)
        if (more == ends).all():
            return ~ends
        ends = more


def value_iteration(mdp: MDP, gamma: float, tolerance: float = 1e-12) -> Array:
    """The values of the best policy, [S] (section 4.4), by sweeps until none changes by more than ``tolerance``.

    Raises:
        ValueError: they do not settle: with gamma 1 the rewards never end.
    """
    return best_epsilon_greedy(mdp, gamma, 0.0, tolerance)


def best_epsilon_greedy(mdp: MDP, gamma: float, epsilon: float, tolerance: float = 1e-12) -> Array:
    """The values of the best policy that takes any allowed action with probability epsilon, [S] (section 5.4).

    It is the best one of the process in which every action turns into any allowed one with that probability.

    Raises:
        ValueError: epsilon is no probability; or as of ``value_iteration``.
    """
    _check_gamma(gamma)
    if not 0.0 <= epsilon <= 1.0:
        raise ValueError(f"epsilon must lie in [0, 1], not {epsilon}")
    any_action = uniform(mdp)
    values = np.zeros(mdp.start.shape)
    for _ in range(_MOST_SWEEPS):
        q = q_values(mdp, values, gamma)
        better = q.max(1)
        if epsilon > 0.0:
            better = (1.0 - epsilon) * better + epsilon * (any_action * np.where(mdp.allowed, q, 0.0)).sum(1)
        change = np.abs(better - values).max()
        values = better
        if change <= tolerance * (1.0 - gamma if gamma < 1.0 else 1.0):
            return values
        if not np.isfinite(change):
            break
    raise ValueError(f"the values do not settle in {_MOST_SWEEPS:,} sweeps with gamma {gamma:g}; try a smaller one")


def policy_iteration(mdp: MDP, gamma: float) -> tuple[Array, Array]:
    """A best policy, [S, A], and its values, [S] (section 4.3), from the uniform policy on.

    A state's choice changes only for a better one, never for an equal one: with gamma 1 a policy that ends then stays
    one that ends. Where all is equal from the start, the choice stays uniform.

    Raises:
        ValueError: see ``evaluate``.
    """
    policy = uniform(mdp)
    while True:
        values = evaluate(mdp, policy, gamma)
        q = q_values(mdp, values, gamma)
        worse = values < q.max(1) - _ROUNDING * np.maximum(1.0, np.abs(values))
        if not worse.any():
            return policy, values
        policy[worse] = greedy(q)[worse]


def return_within(mdp: MDP, policy: Array, steps: int) -> float:
    """The expected sum of rewards, not discounted, of a policy that is broken off after so many steps.

    In FrozenLake, which pays 1 at the goal and nothing else, that is the share of episodes that succeed.
    """
    transition, reward = _under(mdp, policy)
    values = np.zeros(len(reward))
    for _ in range(steps):
        values = reward + transition @ values
    return float(mdp.start @ values)


def best_return_within(mdp: MDP, steps: int) -> float:
    """The most that ``return_within`` can be for a policy that also looks at the steps left."""
    values = np.zeros(mdp.start.shape)
    for _ in range(steps):
        values = q_values(mdp, values, 1.0).max(1)
    return float(mdp.start @ values)


def _under(mdp: MDP, policy: Array) -> tuple[Array, Array]:
    """What a policy makes of a process: probabilities of going on from state to state [S, S], expected rewards [S].

    Raises:
        ValueError: it is no policy of this process.
    """
    policy = np.asarray(policy, np.float64)
    if policy.shape != mdp.allowed.shape:
        raise ValueError(f"the policy has shape {policy.shape} instead of {mdp.allowed.shape}, [states, actions]")
    sums = policy.sum(1)
    if not ((policy >= 0).all() and (abs(sums - 1) <= _ROUNDING).all() and (policy[~mdp.allowed] == 0).all()):
        raise ValueError("a policy is, for every state, probabilities of allowed actions that sum to 1")
    weight = policy[:, :, None] * mdp.probability
    transition = np.zeros((len(sums), len(sums)))
    origin = np.broadcast_to(np.arange(len(sums))[:, None, None], weight.shape)
    np.add.at(transition, (origin, mdp.next_state), np.where(mdp.terminated, 0.0, weight))
    return transition, (weight * mdp.reward).sum((1, 2))


def _check_gamma(gamma: float) -> None:
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma must lie in [0, 1], not {gamma}")
