"""A tree kept from move to move: what was found below the moves played stays, the rest makes room.

For play and matches; training searches every position afresh. What a node holds depends on the game up to it alone
(repetitions included), so all of it stays true when the root moves down a path that was played.
"""

import numpy as np

from rlcore.game import History
from rlcore.jit import Array, njit
from rlcore.tree import Tree

_MULTIPLIER, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


@njit
def past_of(history: History, g: int, length: int) -> np.uint64:
    """A hash of the first ``length`` positions of game ``g``, in their order."""
    past = np.uint64(length)
    for i in range(length):
        past = (past ^ history.states[g, i]["key"]) * _MULTIPLIER
        past ^= past >> _SHIFT
    return past


@njit
def follow(tree: Tree, states: Array, history: History, b: int, before: int) -> int:
    """The node that the moves of game ``b`` since its ``before``-th position lead to, -1 where the tree has none.

    A node that the game has made nothing of yet (not expanded, or an ending by the rules that was played on) counts as
    none.
    """
    n = 0
    for i in range(before, history.length[b]):
        key = history.states[b, i]["key"]
        found = -1
        node = tree.nodes[b, n]
        for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
            child = tree.edges[b, e]["child"]
            if child >= 0 and states[b, child]["key"] == key:
                found = child
                break
        if found < 0:
            return -1
        n = found
    return n if tree.nodes[b, n]["num_edges"] > 0 else -1


@njit
def cut(tree: Tree, states: Array, b: int, root: int) -> None:
    """Make node ``root`` the root of tree ``b``: its subtree moves to the front, in place.

    Nodes are numbered in the order of their making and their edges lie in the same order, so a parent comes before its
    children and everything moves towards the front: no second tree is needed.
    """
    place = tree.place
    count = tree.num_nodes[b]
    place[:count] = -1
    place[root] = 0
    kept = 0
    for n in range(root, count):  # a node has a place to go where its parent had one
        if place[n] < 0:
            continue
        place[n] = kept
        kept += 1
        node = tree.nodes[b, n]
        for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
            child = tree.edges[b, e]["child"]
            if child >= 0:
                place[child] = 0
    edges = 0
    for n in range(root, count):
        if place[n] < 0:
            continue
        node = tree.nodes[b, n]
        first, number = node["first_edge"], node["num_edges"]
        for i in range(number):
            child = tree.edges[b, first + i]["child"]
            tree.edges[b, edges + i] = tree.edges[b, first + i]
            if child >= 0:
                tree.edges[b, edges + i]["child"] = place[child]
        tree.nodes[b, place[n]] = tree.nodes[b, n]
        tree.nodes[b, place[n]]["first_edge"] = edges
        states[b, place[n]] = states[b, n]
        edges += number
    tree.num_nodes[b], tree.num_edges[b] = kept, edges


@njit
def keep(
    tree: Tree, states: Array, history: History, games: Array, lengths: Array, pasts: Array, room: int, kept: Array
) -> None:
    """Cut each tree down to what lies below its game's newest position, where it has that and it leaves enough room.

    Args:
        lengths: [G] int32, the positions of a tree's game when it was last searched, 0 = never; pasts: [G] uint64,
            ``past_of`` those. Both are brought up to date.
        room: the most nodes, and the most visits of the root, that may be kept.
        kept: [n] bool out, whether the tree was kept; one that was not must be reset.
    """
    for i in range(games.shape[0]):
        b = games[i]
        before, length = lengths[b], history.length[b]
        kept[i] = False
        if 0 < before <= length and past_of(history, b, before) == pasts[b]:
            root = follow(tree, states, history, b, before)
            if root >= 0 and tree.nodes[b, root]["visits"] <= room:
                cut(tree, states, b, root)
                kept[i] = tree.num_nodes[b] <= room
        lengths[b], pasts[b] = length, past_of(history, b, length)
