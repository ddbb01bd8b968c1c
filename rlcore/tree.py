"""Search trees as arrays: select leaves, expand them, back their values up. Knows no game and no network.

    nodes [G, N]   one record a position; node 0 is the root, a node's children are reached through its edges
    edges [G, E]   one record a legal action; the edges of a node are a run: first_edge .. first_edge + num_edges

          node 0  --edges 0..19-->  node 1 (by edge 3)  --edges 20..39-->  ...

Tree g belongs to game g. A wave takes every tree that is being searched some simulations further: ``select`` walks
down to as many leaves; the game makes their positions; the evaluator judges them; ``expand`` gives them edges;
``backup`` carries their values to the root. A simulation under way has a slot: its tree, its path and its leaf.

Values are for the side to move at a node, in [-1, 1]; an edge's value is for the side that plays it. Edges keep
running means, not sums, so that selection needs no division by the visits and float32 suffices. One law holds between
waves, and a test checks it:

    (visits of the node) * (mean of the edge to it) = discount * (its own value + the sum of visits * mean of its edges)

Where a result is proven, exact values take the place of means, and the law carries the difference up to the root.
"""

import math
from typing import NamedTuple

import numpy as np

from rlcore.jit import Array, njit

EDGE = np.dtype(
    [
        ("action", np.uint16),
        ("pending", np.uint8),  # simulations under way through it
        ("proven", np.int8),  # 1 = known to win, -1 = to lose, 2 = to draw, for the side that plays it
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
        (
            "visits",
            np.int32,
        ),  # its own evaluation and those below: 1 + the sum over its edges; once proven maybe more
        ("value", np.float32),  # the evaluator's word, or the result, for the side to move
        ("draw", np.float32),
        ("num_edges", np.int16),  # 0 until expanded, and for ever where the game has ended
        ("pending", np.int16),  # simulations under way through it
        ("proven", np.int16),  # 0 = not known, else see WON and DRAWN
        ("ending", np.uint8),  # 0 = the game goes on
        ("earlier", np.uint8),  # how often the position stood before in its game
    ],
    align=True,
)
assert NODE.itemsize == 24

PUCT, GUMBEL = 0, 1

WON, DRAWN = 32_000, 1
"""Proven results of a node, for the side to move: WON - d is a win in d plies, d - WON a loss in d plies. So the
greater is the better, and a quick win beats a slow one, a slow loss a quick one."""
EDGE_WON, EDGE_LOST, EDGE_DRAWN = 1, -1, 2


class Tree(NamedTuple):
    """G trees of up to N nodes and E edges, and S slots for simulations under way."""

    nodes: Array  # [G, N] NODE
    edges: Array  # [G, E] EDGE
    num_nodes: Array  # [G] int32
    num_edges: Array  # [G] int32
    begun: Array  # [G] int32: the root's visits when the search of this move began; 1, or more in a tree kept
    target: Array  # [G] int32: the root's visits at which it ends
    root_scores: Array  # [G, MAX_LEGAL] float32: at a Gumbel root, log prior + Gumbel noise of each edge
    root_visits: Array  # [G, MAX_LEGAL] int32: visits of the root's edges when the search of this move began
    rng: Array  # [G] uint64: each tree's generator (rlcore.rng)
    under_way: Array  # [1] int32: the slots in use
    owner: Array  # [S] int32: the tree a slot belongs to
    path_nodes: Array  # [S, N] int32: the nodes from the root to the leaf's parent
    path_edges: Array  # [S, N] int32: the edge taken at each
    depth: Array  # [S] int32: how many edges lie on the path
    leaf: Array  # [S] int32: the node the path leads to
    waiting: Array  # [S] int32: the slots whose leaves await evaluation, in the order of the batch's rows
    policy: Array  # [MAX_LEGAL] float32: scratch
    place: Array  # [N] int32: scratch, where a tree is cut
    legal: Array  # [2, MAX_LEGAL] uint16: scratch, where a win is looked for


class Rules(NamedTuple):
    """The constants of selection, as a kernel takes them; ``rlcore.search`` explains each."""

    root: int
    interior: int
    exploration: Array  # [most visits + 1] float32: PUCT's c * sqrt(N), by the visits N of a node
    first_play: float  # NaN = the node's own value
    c_visit: float
    c_scale: float
    considered: int
    leaves: int  # of one tree in a wave
    proven: bool
    wary: bool  # look for the opponent's win in one behind the root's moves


def puct_exploration(most_visits: int, c_init: float, c_base: float) -> Array:
    """(log((1 + N + c_base) / c_base) + c_init) * sqrt(N) for N up to ``most_visits``, [most_visits + 1] float32."""
    visits = np.arange(most_visits + 1)
    growing = np.log((1.0 + visits + c_base) / c_base) + c_init
    return (growing * np.sqrt(visits)).astype(np.float32)


def new_tree(num_trees: int, num_nodes: int, max_legal: int, leaves: int = 1, num_edges: int | None = None) -> Tree:
    """Room for ``num_nodes`` nodes a tree and ``num_edges`` edges, none = as many as they can have; memory is used only
    as it fills."""
    slots = num_trees * leaves
    if num_edges is None:
        num_edges = num_nodes * max_legal
    return Tree(
        nodes=np.zeros((num_trees, num_nodes), NODE),
        edges=np.empty((num_trees, num_edges), EDGE),
        num_nodes=np.zeros(num_trees, np.int32),
        num_edges=np.zeros(num_trees, np.int32),
        begun=np.zeros(num_trees, np.int32),
        target=np.zeros(num_trees, np.int32),
        root_scores=np.zeros((num_trees, max_legal), np.float32),
        root_visits=np.zeros((num_trees, max_legal), np.int32),
        rng=np.zeros(num_trees, np.uint64),
        under_way=np.zeros(1, np.int32),
        owner=np.zeros(slots, np.int32),
        path_nodes=np.zeros((slots, num_nodes), np.int32),
        path_edges=np.zeros((slots, num_nodes), np.int32),
        depth=np.zeros(slots, np.int32),
        leaf=np.zeros(slots, np.int32),
        waiting=np.zeros(slots, np.int32),
        policy=np.zeros(max_legal, np.float32),
        place=np.zeros(num_nodes, np.int32),
        legal=np.zeros((2, max_legal), np.uint16),
    )


@njit
def new_node(tree: Tree, b: int) -> int:
    """Add an empty node to tree ``b``; returns its index."""
    index = tree.num_nodes[b]
    node = tree.nodes[b, index]
    node["first_edge"] = 0
    node["visits"] = 0
    node["value"] = 0.0
    node["draw"] = 0.0
    node["num_edges"] = 0
    node["pending"] = 0
    node["proven"] = 0
    node["ending"] = 0
    node["earlier"] = 0
    tree.num_nodes[b] = index + 1
    return index


@njit
def reset(tree: Tree, games: Array) -> None:
    """Empty the trees of some games ([n] int32) down to an unexpanded root, which the next wave evaluates."""
    for b in games:
        tree.num_nodes[b] = 0
        tree.num_edges[b] = 0
        tree.begun[b] = 0
        tree.target[b] = 1
        new_node(tree, b)


@njit
def begin(tree: Tree, games: Array, simulations: int) -> None:
    """Let the trees of some games ([n] int32), whose roots are expanded, grow by so many simulations."""
    for b in games:
        root = tree.nodes[b, 0]
        tree.begun[b] = root["visits"]
        tree.target[b] = root["visits"] + simulations
        for e in range(root["num_edges"]):
            tree.root_visits[b, e] = tree.edges[b, e]["visits"]


@njit
def edge_of(tree: Tree, b: int, action: int) -> int:
    """The edge of the root by which an action is played; -1 = there is none."""
    for e in range(tree.nodes[b, 0]["num_edges"]):  # a root's edges come first
        if tree.edges[b, e]["action"] == action:
            return e
    return -1


# --- proven results --------------------------------------------------------------------------------------------------


@njit
def proven_by(value: float) -> int:
    """What a result in the position itself proves: the value is for the side to move."""
    if value > 0.0:
        return WON
    return DRAWN if value == 0.0 else -WON


@njit
def for_parent(proven: int) -> int:
    """A child's proven result as its parent sees it: the other side, one ply further away."""
    if proven == DRAWN:
        return DRAWN
    return 1 - proven if proven > 0 else -proven - 1


@njit
def proven_value(proven: int) -> float:
    """1, 0 or -1."""
    return 0.0 if proven == DRAWN else (1.0 if proven > 0 else -1.0)


@njit
def edge_result(tree: Tree, b: int, e: int) -> int:
    """The proven result of an edge for the side that plays it, distance included; 0 = not known."""
    edge = tree.edges[b, e]
    return for_parent(int(tree.nodes[b, edge["child"]]["proven"])) if edge["proven"] != 0 else 0


@njit
def _prove(tree: Tree, b: int, n: int) -> None:
    """Prove node ``n`` where its edges do: one wins, or all are known. Its value is exact from then on."""
    node = tree.nodes[b, n]
    best, complete = -WON, True
    for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
        result = edge_result(tree, b, e)
        if result == 0:
            complete = False
        else:
            best = max(best, result)
    if complete or best > DRAWN:
        node["proven"] = best
        node["value"] = proven_value(best)
        node["draw"] = 1.0 if best == DRAWN else 0.0


# --- selection -------------------------------------------------------------------------------------------------------


@njit
def _select_puct(tree: Tree, b: int, n: int, rules: Rules) -> int:
    """AlphaZero's rule (Science 362:1140, pseudocode): values on [0, 1], c_init 1.25, c_base 19652.

    The parent count is the node's visits with its own evaluation among them, so that the prior decides the first
    descent (AlphaGo Zero's sum over the children would be zero there). A simulation under way counts as a visit that
    lost (Segal 2010), so that the next one goes elsewhere. A move known to lose is not tried again.
    """
    node = tree.nodes[b, n]
    first, last = node["first_edge"], node["first_edge"] + node["num_edges"]
    scale = rules.exploration[node["visits"] + node["pending"]]
    first_play = node["value"] if math.isnan(rules.first_play) else np.float32(rules.first_play)
    best, best_score = first, np.float32(-np.inf)
    half, one = np.float32(0.5), np.float32(1.0)
    for e in range(first, last):
        edge = tree.edges[b, e]
        visits = edge["visits"]
        value = edge["value"] if visits > 0 else first_play
        if edge["pending"] > 0:
            pending = np.float32(edge["pending"])
            value = (edge["value"] * np.float32(visits) - pending) / (np.float32(visits) + pending)
            visits += edge["pending"]
        score = (value + one) * half + scale * edge["prior"] / np.float32(1 + visits)
        if score > best_score and edge["proven"] != EDGE_LOST:
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
def refuted(tree: Tree, b: int, n: int, e: int) -> bool:
    """Whether edge ``e`` of node ``n`` is known to lose while another may not."""
    return tree.edges[b, e]["proven"] == EDGE_LOST and tree.nodes[b, n]["proven"] >= 0


@njit
def mixed_value(tree: Tree, b: int, n: int) -> float:
    """v_mix (Danihelka et al. 2022, appendix D): the value assumed of actions without a visit.

    The node's own value and the prior-weighted mean of the visited actions' values, weighed as 1 to the visits; what is
    refuted says nothing of the others and is left out.
    """
    node = tree.nodes[b, n]
    visits, prior_sum, value_sum = 0, 0.0, 0.0
    for e in range(node["first_edge"], node["first_edge"] + node["num_edges"]):
        edge = tree.edges[b, e]
        if edge["visits"] > 0 and not refuted(tree, b, n, e):
            visits += edge["visits"]
            prior_sum += edge["prior"]
            value_sum += edge["prior"] * edge["value"]
    if visits == 0:
        return float(node["value"])
    return (node["value"] + visits * value_sum / prior_sum) / (1.0 + visits)


@njit
def improved_policy(tree: Tree, b: int, n: int, rules: Rules, policy: Array) -> int:
    """softmax(log prior + sigma(completed Q)) (Danihelka et al. 2022, eq. 11), one weight an edge of node ``n``.

    sigma(q) = (c_visit + most visits) * c_scale * q with q on [0, 1]; an action without a visit gets ``mixed_value``,
    one that is refuted no weight.

    Args:
        policy: [>= num_edges] float32 out, sums to one.

    Returns:
        The number of edges.
    """
    node = tree.nodes[b, n]
    first, count = node["first_edge"], node["num_edges"]
    missing = mixed_value(tree, b, n)
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, n)) * rules.c_scale
    highest, seen = -np.inf, 0
    for e in range(first, first + count):
        edge = tree.edges[b, e]
        if refuted(tree, b, n, e):
            seen += 1
        elif edge["visits"] > 0:
            highest = max(highest, float(edge["value"]))
            seen += 1
    if seen < count:
        highest = max(highest, missing)
    unseen = math.exp(sigma * (missing - highest))  # prior * exp(sigma) needs no logarithm, and this but once
    total = 0.0
    for i in range(count):
        edge = tree.edges[b, first + i]
        weight = edge["prior"] * (math.exp(sigma * (edge["value"] - highest)) if edge["visits"] > 0 else unseen)
        if refuted(tree, b, n, first + i):
            weight = 0.0
        policy[i] = weight
        total += weight
    for i in range(count):
        policy[i] /= total
    return count


@njit
def _select_deterministic(tree: Tree, b: int, n: int, rules: Rules) -> int:
    """Below a Gumbel root (Danihelka et al. 2022, section 5): visits follow the improved policy without noise.

    argmax of improved_policy(a) - visits(a) / (1 + all visits), simulations under way among the visits.
    """
    policy = tree.policy
    improved_policy(tree, b, n, rules, policy)
    node = tree.nodes[b, n]
    first, total = node["first_edge"], float(node["visits"] + node["pending"])
    best, best_score = first, -np.inf
    for i in range(node["num_edges"]):
        edge = tree.edges[b, first + i]
        score = policy[i] - (edge["visits"] + edge["pending"]) / total
        if score > best_score and edge["proven"] != EDGE_LOST:
            best, best_score = first + i, score
    return best


@njit
def root_score(tree: Tree, b: int, e: int, sigma: float, missing: float) -> float:
    """log prior + noise + sigma(q), with ``missing`` for the q of an unvisited edge."""
    edge = tree.edges[b, e]
    return float(tree.root_scores[b, e]) + sigma * (edge["value"] if edge["visits"] > 0 else missing)


@njit
def best_root_edge(tree: Tree, b: int, rules: Rules) -> int:
    """The edge of a Gumbel root with the highest score among those not refuted, whatever its visits."""
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, 0)) * rules.c_scale
    missing = mixed_value(tree, b, 0)
    best, best_score = 0, -np.inf
    for e in range(tree.nodes[b, 0]["num_edges"]):
        score = root_score(tree, b, e, sigma, missing)
        if score > best_score and not refuted(tree, b, 0, e):
            best, best_score = e, score
    return best


@njit
def _select_halving(tree: Tree, b: int, schedule: Array, rules: Rules) -> int:
    """Sequential halving at a Gumbel root: of the edges with the visits now due, the one of the highest score.

    Visits are counted from the beginning of this move's search. The visits of an edge that has been refuted go to the
    best of the others.
    """
    root = tree.nodes[b, 0]
    considered = min(rules.considered, root["num_edges"])
    due = schedule[considered, root["visits"] + root["pending"] - tree.begun[b]]
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, 0)) * rules.c_scale
    # In a fresh tree no visited edge competes with one without visits; in a tree that was kept they do.
    missing = mixed_value(tree, b, 0) if tree.begun[b] > 1 else 0.0
    best, best_score = -1, -np.inf
    for e in range(root["num_edges"]):  # a root's edges come first
        edge = tree.edges[b, e]
        if edge["visits"] + edge["pending"] - tree.root_visits[b, e] == due:
            score = root_score(tree, b, e, sigma, missing)
            if score > best_score and not refuted(tree, b, 0, e):
                best, best_score = e, score
    return best if best >= 0 else best_root_edge(tree, b, rules)


@njit
def _descend(tree: Tree, b: int, s: int, schedule: Array, rules: Rules) -> bool:
    """Walk tree ``b`` from its root to a leaf, in slot ``s``: an edge without a child, or a node with nothing below it.

    Returns:
        False where the leaf awaits its evaluation already; nothing has happened then.
    """
    n, depth = 0, 0
    while tree.nodes[b, n]["num_edges"] > 0 and (depth == 0 or tree.nodes[b, n]["proven"] == 0):
        rule = rules.root if depth == 0 else rules.interior
        if rule == PUCT:
            e = _select_puct(tree, b, n, rules)
        elif depth == 0:
            e = _select_halving(tree, b, schedule, rules)
        else:
            e = _select_deterministic(tree, b, n, rules)
        tree.path_nodes[s, depth] = n
        tree.path_edges[s, depth] = e
        depth += 1
        n = tree.edges[b, e]["child"]
        if n < 0:
            n = new_node(tree, b)
            tree.edges[b, e]["child"] = n
            break
    tree.owner[s], tree.depth[s], tree.leaf[s] = b, depth, n
    if rules.leaves > 1:
        leaf = tree.nodes[b, n]
        if leaf["pending"] > 0 and leaf["num_edges"] == 0 and leaf["proven"] == 0 and leaf["ending"] == 0:
            return False
        count_pending(tree, s, 1)
    return True


@njit
def count_pending(tree: Tree, s: int, change: int) -> None:
    """Count the simulation of slot ``s`` in, or out, along its path."""
    b = tree.owner[s]
    for d in range(tree.depth[s]):
        tree.nodes[b, tree.path_nodes[s, d]]["pending"] += change
        edge = tree.edges[b, tree.path_edges[s, d]]
        edge["pending"] = np.int64(edge["pending"]) + change  # unsigned, and the change may be negative
    tree.nodes[b, tree.leaf[s]]["pending"] += change


@njit
def finished(tree: Tree, b: int) -> bool:
    """Whether there is nothing left to search: the root has its visits, or its result is proven."""
    root = tree.nodes[b, 0]
    return root["visits"] + root["pending"] >= tree.target[b] or root["proven"] != 0


@njit
def select(tree: Tree, games: Array, schedule: Array, rules: Rules) -> int:
    """Fill slots with simulations: up to ``rules.leaves`` of each of some trees, until one meets another's leaf.

    Args:
        games: [n] int32, whose trees.
        schedule: [considered + 1, simulations] int32, see ``halving_schedule``; used by Gumbel roots.

    Returns:
        How many slots are in use; 0 once all these trees are finished. Also in ``tree.under_way``.
    """
    slots = 0
    for b in games:
        for _ in range(rules.leaves):
            if finished(tree, b) or not _descend(tree, b, slots, schedule, rules):
                break
            slots += 1
    tree.under_way[0] = slots
    return slots


# --- expansion and backup --------------------------------------------------------------------------------------------


@njit
def expand(tree: Tree, size: int, actions: Array, counts: Array, priors: Array, values: Array) -> None:
    """Give the evaluated leaves their edges, value and draw probability.

    Args:
        size: how many slots of ``tree.waiting`` there are, a row each of:
        actions, priors: [size, MAX_LEGAL]; counts: [size] int32; values: [size, 2] float32, value and draw probability.
    """
    for k in range(size):
        s = tree.waiting[k]
        b = tree.owner[s]
        node = tree.nodes[b, tree.leaf[s]]
        first = tree.num_edges[b]
        node["first_edge"] = first
        node["num_edges"] = counts[k]
        node["value"] = values[k, 0]
        node["draw"] = values[k, 1]
        for i in range(counts[k]):
            edge = tree.edges[b, first + i]
            edge["action"] = actions[k, i]
            edge["pending"] = 0
            edge["proven"] = 0
            edge["prior"] = priors[k, i]
            edge["visits"] = 0
            edge["child"] = -1
            edge["value"] = 0.0
            edge["draw"] = 0.0
        tree.num_edges[b] = first + counts[k]


@njit
def backup(tree: Tree, discount: float, rules: Rules) -> None:
    """Carry the values of the leaves in use up their paths: a running mean at every edge, times ``discount`` a level.

    What is carried is the change of the sum of values below. Where a result is newly proven, the exact value takes
    the mean's place for all visits of its edge, and the difference goes along.
    """
    for s in range(tree.under_way[0]):
        b = tree.owner[s]
        if rules.leaves > 1:
            count_pending(tree, s, -1)
        child = tree.nodes[b, tree.leaf[s]]
        child["visits"] += 1
        value, draw = child["value"], child["draw"]
        factor = np.float32(discount)
        for d in range(tree.depth[s] - 1, -1, -1):
            value *= factor
            n, e = tree.path_nodes[s, d], tree.path_edges[s, d]
            edge = tree.edges[b, e]
            edge["visits"] += 1
            if rules.proven and child["proven"] != 0:
                visits = np.float32(edge["visits"])
                before = visits - np.float32(1.0)
                value = factor * child["value"] * visits - edge["value"] * before
                draw = child["draw"] * visits - edge["draw"] * before
                edge["value"] = factor * child["value"]
                edge["draw"] = child["draw"]
                if edge["proven"] == 0:
                    edge["proven"] = _edge_proven(int(child["proven"]))
                    _prove(tree, b, n)
            else:
                share = np.float32(1.0) / np.float32(edge["visits"])
                edge["value"] += (value - edge["value"]) * share
                edge["draw"] += (draw - edge["draw"]) * share
            child = tree.nodes[b, n]
            child["visits"] += 1
    tree.under_way[0] = 0


@njit
def _edge_proven(proven: int) -> int:
    """The word for the edge to a node with a proven result."""
    if proven == DRAWN:
        return EDGE_DRAWN
    return EDGE_LOST if proven > 0 else EDGE_WON
