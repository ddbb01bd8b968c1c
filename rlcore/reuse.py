"""A tree kept from move to move: what was found below the moves played stays, the rest makes room.

For play and matches; training searches every position afresh. What a node holds depends on the game up to it alone
(repetitions and clocks included), so all of it stays true when the root moves down a path that was played.
"""

import numpy as np

from rlcore.jit import Array, njit
from rlcore.tree import Tree

_MULTIPLIER, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


def as_words(states: Array) -> Array:
    """Positions [G, N] STATE as their words [G, N, words] uint64, the same memory."""
    return states.view(np.uint64).reshape(*states.shape, -1)


@njit
def past_of(past: Array, g: int, length: int) -> np.uint64:
    """A hash of the first ``length`` positions of game ``g`` ([G, L, words] uint64), in their order, clocks and all."""
    hashed = np.uint64(length)
    for i in range(length):
        for k in range(past.shape[2]):
            hashed = (hashed ^ past[g, i, k]) * _MULTIPLIER
            hashed ^= hashed >> _SHIFT
    return hashed


@njit
def _is_same(one: Array, i: int, other: Array, j: int, b: int) -> bool:
    for k in range(one.shape[2]):
        if one[b, i, k] != other[b, j, k]:
            return False
    return True


@njit
def follow(tree: Tree, rows: Array, past: Array, b: int, before: int, length: int) -> int:
    """The node that the moves of game ``b`` from its ``before``-th to its ``length``-th position lead to, or -1.

    A node that the search has made nothing of (not expanded, or an ending by the rules that was played on) counts as
    none.
    """
    n = 0
    for i in range(before, length):
        found = -1
        node = tree.nodes[b, n]
        for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
            child = tree.edges[b, e]["child"]
            if child >= 0 and _is_same(rows, child, past, i, b):
                found = child
                break
        if found < 0:
            return -1
        n = found
    return n if tree.nodes[b, n]["num_edges"] > 0 else -1


@njit
def cut(tree: Tree, rows: Array, b: int, root: int) -> None:
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
        for k in range(rows.shape[2]):
            rows[b, place[n], k] = rows[b, n, k]
        edges += number
    tree.num_nodes[b], tree.num_edges[b] = kept, edges


@njit
def keep(
    tree: Tree, rows: Array, past: Array, now: Array, games: Array, lengths: Array, pasts: Array, room: int, kept: Array
) -> None:
    """Cut each tree down to what lies below its game's newest position, where it has that and it leaves enough room.

    Args:
        rows: [G, N, words] uint64, the positions of the nodes; past: [G, L, words] uint64, those of the games.
        now: [G] int32, how many positions a game has.
        lengths: [G] int32, how many it had when its tree was last searched, 0 = never; pasts: [G] uint64, ``past_of``
            those, brought up to date.
        room: the most visits of the root that may be kept, and so the most nodes.
        kept: [n] bool out, whether the tree was kept; one that was not must be reset.
    """
    for i in range(games.shape[0]):
        b = games[i]
        before, length = lengths[b], now[b]
        kept[i] = False
        if 0 < before <= length and past_of(past, b, before) == pasts[b]:
            root = follow(tree, rows, past, b, before, length)
            if root >= 0 and tree.nodes[b, root]["visits"] <= room:
                if root > 0:
                    cut(tree, rows, b, root)
                kept[i] = True
        pasts[b] = past_of(past, b, length)
