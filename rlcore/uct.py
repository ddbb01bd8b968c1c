"""Plain tree search with random games (UCT), the classic before networks: an opponent of a strength that many papers
quote, which knows the rules and nothing else.

Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo planning": a tree grows by one position a simulation, a move is
chosen by UCB1, mean + c sqrt(ln N / n), and a new position is worth what one random game from there brings. ``uct`` is
a template like those of ``rlcore.game``.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rlcore.jit import Array, njit
from rlcore.rng import below

if TYPE_CHECKING:
    from rlcore.game import History

__all__ = ["NODE", "best_child", "uct"]

NODE = np.dtype(
    [
        ("first_child", np.int32),
        ("visits", np.int32),
        ("value", np.float64),  # the sum of all results for the side that moved here, each in [-1, 1]
        ("num_children", np.int16),  # 0 until expanded
        ("action", np.uint16),  # that led here
    ],
    align=True,
)


@njit
def best_child(nodes: Array, n: int, exploration: float, rng: Array) -> int:
    """A child without a visit, each equally likely, else the one of the highest upper confidence bound."""
    first, best, best_score, unvisited = nodes[n]["first_child"], 0, -np.inf, 0
    log_visits = math.log(max(nodes[n]["visits"], 1))
    for child in range(first, first + nodes[n]["num_children"]):
        visits = nodes[child]["visits"]
        if visits == 0:
            unvisited += 1
            if below(rng, 0, unvisited) == 0:
                best = child
        elif unvisited == 0:
            score = nodes[child]["value"] / visits + exploration * math.sqrt(log_visits / visits)
            if score > best_score:
                best, best_score = child, score
    return best


# --- template: the names that stand for the game's own functions are resolved by ``bind`` ----------------------------
# mypy: disable-error-code="name-defined"
# ruff: noqa: F821


def uct(
    root: Any,
    rollouts: int,
    exploration: float,
    scratch: "History",
    nodes: Array,
    path: Array,
    legal: Array,
    rng: Array,
) -> int:
    """Search the position ``root`` (a row of STATE), which has a legal action; returns the action of most visits.

    A root is always searched, whatever ``outcome`` would say of it. Its past is not looked at: a repetition is seen
    only where all of it lies within a random game. A random game that fills its room is a draw.

    Args:
        rollouts: simulations, a random game each; exploration: c of UCB1.
        scratch: room for a random game; nodes: [1 + rollouts * MAX_LEGAL] NODE, path: [rollouts + 1] int32,
            legal: [MAX_LEGAL] uint16, all scratch; rng: [1] uint64, advanced.
    """
    nodes[0]["visits"], nodes[0]["value"], nodes[0]["num_children"] = 0, 0.0, 0
    used = 1
    for _ in range(rollouts):
        state = scratch.states[0, 0]
        scratch.states[0, 0] = root
        n, depth = 0, 0
        path[0] = 0
        while True:
            if nodes[n]["num_children"] == 0:
                count = legal_actions(state, legal)
                ending, _ = outcome(state, count, 0, 0, 0)
                if count == 0 or (n != 0 and (ending != 0 or nodes[n]["visits"] == 0)):
                    break
                nodes[n]["first_child"], nodes[n]["num_children"] = used, count
                for i in range(count):
                    child = nodes[used + i]
                    child["visits"], child["value"], child["num_children"] = 0, 0.0, 0
                    child["action"] = legal[i]
                used += count
            n = best_child(nodes, n, exploration, rng)
            apply(state, nodes[n]["action"])
            depth += 1
            path[depth] = n
        scratch.length[0] = 1
        plies = playout(scratch, 0, rng, legal)
        last = scratch.states[0, plies]
        _, value = outcome(last, legal_actions(last, legal), 0, 0, 0)
        for _ in range(plies + 1):  # as the side sees it that moved to the leaf
            value *= DISCOUNT
        for d in range(depth, -1, -1):
            nodes[path[d]]["visits"] += 1
            nodes[path[d]]["value"] += value
            value *= DISCOUNT
    first, best = nodes[0]["first_child"], nodes[0]["first_child"]
    for child in range(first, first + nodes[0]["num_children"]):
        if nodes[child]["visits"] > nodes[best]["visits"]:
            best = child
    return nodes[best]["action"]
