"""Shortest paths in the grid world of the game: its perfect play."""

import numpy as np

from games.grid_world.rules import DISCOUNT, MAX_LEGAL, apply, legal_actions, moved
from rlcore.bits import ZERO
from rlcore.jit import Array, Row, njit

__all__ = ["best_actions", "steps_to_goal", "value_of"]


@njit
def steps_to_goal(walls: np.uint64, goals: np.uint64, pits: np.uint64, agent: np.uint64) -> int:
    """The length of a shortest path that meets no pit; 0 in a goal, -1 where there is none or the agent is in a pit."""
    reached, free, steps = goals, ~(walls | pits), 0
    while reached & agent == ZERO:
        more = reached
        for direction in range(4):
            more |= moved(reached, direction) & free
        if more == reached:
            return -1
        reached = more
        steps += 1
    return steps


def value_of(state: Row) -> float:
    """What a position is worth with perfect play: DISCOUNT to the power of the steps to the goal.

    -1 in a pit; 0 where no goal can be reached: the agent may walk for ever.
    """
    steps = steps_to_goal(state["walls"], state["goals"], state["pits"], state["agent"])
    if steps >= 0:
        return float(DISCOUNT**steps)
    return -1.0 if state["agent"] & state["pits"] else 0.0


def best_actions(state: Row) -> Array:
    """The legal actions with which a shortest path begins, [n] uint16; all of them where there is none."""
    legal = np.zeros(MAX_LEGAL, np.uint16)
    actions = legal[: legal_actions(state, legal)]
    values = []
    for action in actions:
        after = state.copy()
        apply(after, action)
        values.append(value_of(after))
    best: Array = actions[np.array(values) == max(values, default=0.0)]
    return best
