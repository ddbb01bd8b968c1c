"""Search where one player walks alone: a deterministic game with a DISCOUNT above 0 that pays only at its end.

Nobody answers there, so a position is worth what its best move is worth (Bellman's equation), and a mean over whatever
has been tried says less: with means the search left the shortest paths of the grid world in 30 of 521 positions, though
it was told exact values. And some moves need no further search; their edges are closed, which is to say marked as lost:

    a loop      a move back to a position on the way from the root, worth 0: one can walk in circles for ever
    a loss      a move to an end of a value below 0
    an end      once it has been visited
    settled     a move to a position whose edges are all closed, or from which one more move wins all there is, 1

A closed edge's value is known. A loop is one on this path only, so trees are not kept from move to move. Of the root's
edges only loops and losses are closed: something has to be played.
"""

from typing import TYPE_CHECKING

import numpy as np

from rlcore.jit import Array, njit
from rlcore.tree import DRAWN, EDGE_LOST, Tree, count_pending

if TYPE_CHECKING:
    from rlcore.tree import Rules

__all__ = ["SETTLED", "backup_best", "best_below", "close_edges"]

SETTLED = DRAWN
"""What ``proven`` of a node says whose value is known."""


@njit
def best_below(tree: Tree, b: int, n: int) -> tuple[np.float32, np.float32]:
    """What node ``n`` is worth, and its probability of a draw: the best of its edges.

    An open edge without a visit is taken for as good as the node's own evaluation says.
    """
    node = tree.nodes[b, n]
    best, draw = node["value"], node["draw"]
    if node["proven"] == 0 and node["num_edges"] > 0:
        best, draw, untried = np.float32(-np.inf), np.float32(0.0), False
        for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
            edge = tree.edges[b, e]
            if edge["visits"] == 0 and edge["proven"] != EDGE_LOST:
                untried = True
            elif edge["value"] > best:
                best, draw = edge["value"], edge["draw"]
        if untried and node["value"] > best:
            best, draw = node["value"], node["draw"]
    return best, draw


@njit
def _is_closed(tree: Tree, b: int, n: int) -> bool:
    """Whether node ``n`` has edges, all of them closed."""
    node = tree.nodes[b, n]
    for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
        if tree.edges[b, e]["proven"] != EDGE_LOST:
            return False
    return node["num_edges"] > 0


@njit
def backup_best(tree: Tree, discount: float, rules: "Rules") -> None:
    """Carry what is best up the paths of the leaves in use: an edge is worth ``discount`` times its child.

    What discounting takes from a win or a loss goes to the draws, as if the game broke off with that probability.
    """
    factor, one = np.float32(discount), np.float32(1.0)
    for s in range(tree.under_way[0]):
        b = tree.owner[s]
        if rules.leaves > 1:
            count_pending(tree, s, -1)
        n = tree.leaf[s]
        tree.nodes[b, n]["visits"] += 1
        for d in range(tree.depth[s] - 1, -1, -1):
            value, draw = best_below(tree, b, n)
            child = tree.nodes[b, n]
            if child["proven"] == 0 and _is_closed(tree, b, n):
                child["proven"], child["value"], child["draw"] = SETTLED, value, draw
            edge = tree.edges[b, tree.path_edges[s, d]]
            edge["visits"] += 1
            edge["value"] = factor * value
            edge["draw"] = one - factor * (one - draw)
            if d > 0 and (child["proven"] != 0 or child["ending"] != 0):
                edge["proven"] = EDGE_LOST
            n = tree.path_nodes[s, d]
            tree.nodes[b, n]["visits"] += 1
    tree.under_way[0] = 0


# --- template: the names that stand for the game's own functions are resolved by ``bind`` ----------------------------
# mypy: disable-error-code="name-defined"
# ruff: noqa: F821


def close_edges(tree: Tree, states: Array, size: int, max_plies: int) -> None:
    """Close the loops and losses among the edges of the leaves that have just been expanded ([size] of them).

    Args:
        states: [G, N + 1] STATE, the position of every node; the row after a tree's last is played on.
    """
    for k in range(size):
        s = tree.waiting[k]
        b, leaf, depth = tree.owner[s], tree.leaf[s], tree.depth[s]
        node, spare = tree.nodes[b, leaf], tree.num_nodes[b]
        closed = 0
        for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
            states[b, spare] = states[b, leaf]
            state, edge = states[b, spare], tree.edges[b, e]
            apply(state, edge["action"])
            loop = state["key"] == states[b, leaf]["key"]
            for d in range(depth):
                loop |= state["key"] == states[b, tree.path_nodes[s, d]]["key"]
            ending, value = outcome(state, legal_actions(state, tree.legal[1]), 0, 0, max_plies)
            if ending != 0 and value >= 1.0 and depth > 0:
                node["proven"], node["value"], node["draw"] = SETTLED, DISCOUNT, 1.0 - DISCOUNT
            if loop or (ending != 0 and value < 0.0):
                lost = 0.0 if loop else DISCOUNT * value
                edge["proven"], edge["value"], edge["draw"] = EDGE_LOST, lost, 1.0 + lost
                closed += 1
        if depth == 0 and closed == node["num_edges"]:  # there is nothing better
            for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
                tree.edges[b, e]["proven"] = 0
