"""Search trees as arrays: select a leaf, expand it, back its value up. Knows no game and no network.

    nodes [B, N]   one record a position; node 0 is the root, a node's children are reached through its edges
    edges [B, E]   one record a legal action; the edges of a node are a run: first_edge .. first_edge + num_edges

          node 0  --edges 0..19-->  node 1 (by edge 3)  --edges 20..39-->  ...

A wave takes every tree one simulation further: ``select`` walks down to a leaf; the game makes its position; the
evaluator judges it; ``expand`` gives it edges; ``backup`` carries the value to the root.

Values are for the side to move at a node, in [-1, 1]; an edge's value is for the side that plays it. Edges keep
running means, not sums, so that selection needs no division by the visits and float32 suffices.
"""

import math
from typing import NamedTuple

import numpy as np

from rlcore.jit import Array, njit

EDGE = np.dtype(
    [
        ("action", np.uint16),
        ("unused", np.uint16),
        ("prior", np.float32),
        ("visits", np.int32),
        ("child", np.int32),  # index of the node it leads to; -1 until visited
        ("value", np.float32),  # mean value for the side that plays the action
        ("draw", np.float32),  # mean probability of a draw
    ]
)
assert EDGE.itemsize == 24

NODE = np.dtype(
    [
        ("first_edge", np.int32),
        ("num_edges", np.int32),  # 0 until expanded, and for ever where the game has ended
        ("visits", np.int32),  # its own evaluation and those below: 1 + the sum over its edges
        ("value", np.float32),  # the evaluator's word, or the result, for the side to move
        ("draw", np.float32),
        ("ending", np.uint8),  # 0 = the game goes on
        ("earlier", np.uint8),  # how often the position stood before in its game
    ],
    align=True,
)
assert NODE.itemsize == 24

PUCT, GUMBEL = 0, 1


class Tree(NamedTuple):
    """B trees of up to N nodes and E edges, and the path of the simulation under way."""

    nodes: Array  # [B, N] NODE
    edges: Array  # [B, E] EDGE
    num_nodes: Array  # [B] int32
    num_edges: Array  # [B] int32
    path_nodes: Array  # [B, N] int32: the nodes from the root to the leaf's parent
    path_edges: Array  # [B, N] int32: the edge taken at each
    depth: Array  # [B] int32: how many edges lie on the path
    leaf: Array  # [B] int32: the node the path leads to
    waiting: Array  # [B] int32: the trees whose leaves await evaluation, in the order of the batch's rows
    root_scores: Array  # [B, MAX_LEGAL] float32: at a Gumbel root, log prior + Gumbel noise of each edge
    policy: Array  # [MAX_LEGAL] float32: scratch
    rng: Array  # [B] uint64: each tree's generator (rlcore.rng)


class Rules(NamedTuple):
    """The constants of selection, as a kernel takes them; ``rlcore.search`` explains each."""

    root: int
    interior: int
    exploration: Array  # [most visits + 1] float32: PUCT's c * sqrt(N), by the visits N of a node
    first_play: float  # NaN = the node's own value
    c_visit: float
    c_scale: float
    considered: int


def puct_exploration(most_visits: int, c_init: float, c_base: float) -> Array:
    """(log((1 + N + c_base) / c_base) + c_init) * sqrt(N) for N up to ``most_visits``, [most_visits + 1] float32."""
    visits = np.arange(most_visits + 1)
    growing = np.log((1.0 + visits + c_base) / c_base) + c_init
    return (growing * np.sqrt(visits)).astype(np.float32)


def new_tree(num_trees: int, num_nodes: int, max_legal: int) -> Tree:
    """Room for ``num_nodes`` nodes a tree, each with up to ``max_legal`` edges; memory is used only as it fills."""
    return Tree(
        nodes=np.zeros((num_trees, num_nodes), NODE),
        edges=np.empty((num_trees, num_nodes * max_legal), EDGE),
        num_nodes=np.zeros(num_trees, np.int32),
        num_edges=np.zeros(num_trees, np.int32),
        path_nodes=np.zeros((num_trees, num_nodes), np.int32),
        path_edges=np.zeros((num_trees, num_nodes), np.int32),
        depth=np.zeros(num_trees, np.int32),
        leaf=np.zeros(num_trees, np.int32),
        waiting=np.zeros(num_trees, np.int32),
        root_scores=np.zeros((num_trees, max_legal), np.float32),
        policy=np.zeros(max_legal, np.float32),
        rng=np.zeros(num_trees, np.uint64),
    )


@njit
def _new_node(tree: Tree, b: int) -> int:
    index = tree.num_nodes[b]
    node = tree.nodes[b, index]
    node["first_edge"] = 0
    node["num_edges"] = 0
    node["visits"] = 0
    node["value"] = 0.0
    node["draw"] = 0.0
    node["ending"] = 0
    node["earlier"] = 0
    tree.num_nodes[b] = index + 1
    return index


@njit
def reset(tree: Tree, num_trees: int) -> None:
    """Empty the first trees down to an unexpanded root, ready for its evaluation: depth 0, leaf 0."""
    for b in range(num_trees):
        tree.num_nodes[b] = 0
        tree.num_edges[b] = 0
        tree.depth[b] = 0
        tree.leaf[b] = _new_node(tree, b)


# --- selection -------------------------------------------------------------------------------------------------------


@njit
def _select_puct(tree: Tree, b: int, n: int, rules: Rules) -> int:
    """AlphaZero's rule (Science 362:1140, pseudocode): values on [0, 1], c_init 1.25, c_base 19652.

    The parent count is the node's visits with its own evaluation among them, so that the prior decides the first
    descent (AlphaGo Zero's sum over the children would be zero there).
    """
    node = tree.nodes[b, n]
    first, last = node["first_edge"], node["first_edge"] + node["num_edges"]
    scale = rules.exploration[node["visits"]]
    first_play = node["value"] if math.isnan(rules.first_play) else np.float32(rules.first_play)
    best, best_score = first, np.float32(-np.inf)
    half, one = np.float32(0.5), np.float32(1.0)
    for e in range(first, last):
        edge = tree.edges[b, e]
        value = edge["value"] if edge["visits"] > 0 else first_play
        score = (value + one) * half + scale * edge["prior"] / np.float32(1 + edge["visits"])
        if score > best_score:
            best, best_score = e, score
    return best


@njit
def most_visits(tree: Tree, b: int, n: int) -> int:
    node = tree.nodes[b, n]
    most = 0
    for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
        most = max(most, tree.edges[b, e]["visits"])
    return most


@njit
def mixed_value(tree: Tree, b: int, n: int) -> float:
    """v_mix (Danihelka et al. 2022, appendix D): the value assumed of actions without a visit.

    The node's own value and the prior-weighted mean of the visited actions' values, weighed as 1 to the visits.
    """
    node = tree.nodes[b, n]
    visits, prior_sum, value_sum = 0, 0.0, 0.0
    for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
        edge = tree.edges[b, e]
        if edge["visits"] > 0:
            visits += edge["visits"]
            prior_sum += edge["prior"]
            value_sum += edge["prior"] * edge["value"]
    if visits == 0:
        return float(node["value"])
    return (node["value"] + visits * value_sum / prior_sum) / (1.0 + visits)


@njit
def improved_policy(tree: Tree, b: int, n: int, rules: Rules, policy: Array) -> int:
    """softmax(log prior + sigma(completed Q)) (Danihelka et al. 2022, eq. 11), one weight an edge of node ``n``.

    sigma(q) = (c_visit + most visits) * c_scale * q with q on [0, 1]; an action without a visit gets ``mixed_value``.

    Args:
        policy: [>= num_edges] float32 out, sums to one.

    Returns:
        The number of edges.
    """
    node = tree.nodes[b, n]
    first, count = node["first_edge"], node["num_edges"]
    missing = mixed_value(tree, b, n)
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, n)) * rules.c_scale
    highest = -np.inf
    for i in range(count):
        edge = tree.edges[b, first + i]
        value = edge["value"] if edge["visits"] > 0 else missing
        logit = math.log(edge["prior"]) + sigma * value
        policy[i] = logit
        highest = max(highest, logit)
    total = 0.0
    for i in range(count):
        weight = math.exp(policy[i] - highest)
        policy[i] = weight
        total += weight
    for i in range(count):
        policy[i] /= total
    return count


@njit
def _select_deterministic(tree: Tree, b: int, n: int, rules: Rules) -> int:
    """Below a Gumbel root (Danihelka et al. 2022, section 5): visits follow the improved policy without noise.

    argmax of improved_policy(a) - visits(a) / (1 + all visits).
    """
    policy = tree.policy
    improved_policy(tree, b, n, rules, policy)
    node = tree.nodes[b, n]
    first = node["first_edge"]
    best, best_score = first, -np.inf
    for i in range(node["num_edges"]):
        score = policy[i] - tree.edges[b, first + i]["visits"] / float(node["visits"])
        if score > best_score:
            best, best_score = first + i, score
    return best


@njit
def root_score(tree: Tree, b: int, e: int, sigma: float) -> float:
    """log prior + noise + sigma(q); the value of an unvisited edge is left out, as no visited one competes with it."""
    edge = tree.edges[b, e]
    score = float(tree.root_scores[b, e])
    return score + sigma * edge["value"] if edge["visits"] > 0 else score


@njit
def _select_halving(tree: Tree, b: int, schedule: Array, rules: Rules) -> int:
    """Sequential halving at a Gumbel root: of the edges with the visits now due, the one of the highest score."""
    root = tree.nodes[b, 0]
    considered = min(rules.considered, root["num_edges"])
    due = schedule[considered, root["visits"] - 1]
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, 0)) * rules.c_scale
    best, best_score = 0, -np.inf
    for e in range(root["num_edges"]):  # a root's edges come first
        if tree.edges[b, e]["visits"] == due:
            score = root_score(tree, b, e, sigma)
            if score > best_score:
                best, best_score = e, score
    return best


@njit
def select(tree: Tree, num_trees: int, schedule: Array, rules: Rules) -> None:
    """Walk each tree from its root to a leaf: an edge without a child, or a node where the game has ended.

    Args:
        schedule: [considered + 1, simulations] int32, see ``halving_schedule``; used by Gumbel roots.
    """
    for b in range(num_trees):
        n, depth = 0, 0
        while tree.nodes[b, n]["num_edges"] > 0:
            rule = rules.root if depth == 0 else rules.interior
            if rule == PUCT:
                e = _select_puct(tree, b, n, rules)
            elif depth == 0:
                e = _select_halving(tree, b, schedule, rules)
            else:
                e = _select_deterministic(tree, b, n, rules)
            tree.path_nodes[b, depth] = n
            tree.path_edges[b, depth] = e
            depth += 1
            n = tree.edges[b, e]["child"]
            if n < 0:
                n = _new_node(tree, b)
                tree.edges[b, e]["child"] = n
                break
        tree.depth[b] = depth
        tree.leaf[b] = n


# --- expansion and backup --------------------------------------------------------------------------------------------


@njit
def expand(tree: Tree, size: int, actions: Array, counts: Array, priors: Array, values: Array) -> None:
    """Give the evaluated leaves their edges, value and draw probability.

    Args:
        size: how many trees of ``tree.waiting`` there are, a row each of:
        actions, priors: [size, MAX_LEGAL]; counts: [size] int32; values: [size, 2] float32, value and draw probability.
    """
    for k in range(size):
        b = tree.waiting[k]
        node = tree.nodes[b, tree.leaf[b]]
        first = tree.num_edges[b]
        node["first_edge"] = first
        node["num_edges"] = counts[k]
        node["value"] = values[k, 0]
        node["draw"] = values[k, 1]
        for i in range(counts[k]):
            edge = tree.edges[b, first + i]
            edge["action"] = actions[k, i]
            edge["unused"] = 0
            edge["prior"] = priors[k, i]
            edge["visits"] = 0
            edge["child"] = -1
            edge["value"] = 0.0
            edge["draw"] = 0.0
        tree.num_edges[b] = first + counts[k]


@njit
def backup(tree: Tree, num_trees: int, discount: float) -> None:
    """Carry each leaf's value up its path: a running mean at every edge, times ``discount`` a level."""
    for b in range(num_trees):
        leaf = tree.nodes[b, tree.leaf[b]]
        leaf["visits"] += 1
        value, draw = leaf["value"], leaf["draw"]
        factor = np.float32(discount)
        for d in range(tree.depth[b] - 1, -1, -1):
            value *= factor
            edge = tree.edges[b, tree.path_edges[b, d]]
            edge["visits"] += 1
            share = np.float32(1.0) / np.float32(edge["visits"])
            edge["value"] += (value - edge["value"]) * share
            edge["draw"] += (draw - edge["draw"]) * share
            tree.nodes[b, tree.path_nodes[b, d]]["visits"] += 1
