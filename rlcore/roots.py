"""The roots of search trees: noise before the search, and afterwards the policy, the value and the move to play."""

import math

import numpy as np

from rlcore.alone import best_below
from rlcore.jit import Array, njit
from rlcore.rng import gamma, gumbel, uniform
from rlcore.tree import (
    DRAWN,
    EDGE_WON,
    GUMBEL,
    WON,
    Rules,
    Tree,
    edge_result,
    improved_policy,
    mixed_value,
    most_visits,
    refuted,
    root_score,
)


@njit
def restrict(tree: Tree, games: Array, actions: Array) -> None:
    """Take from the roots of some trees ([n] int32) all edges but those of ``actions`` ([m] uint16), in place.

    The priors of those that stay sum to one again.
    """
    for b in games:
        root = tree.nodes[b, 0]
        count, total = 0, 0.0
        for e in range(root["num_edges"]):  # a root's edges come first
            for action in actions:
                if tree.edges[b, e]["action"] == action:
                    tree.edges[b, count] = tree.edges[b, e]
                    total += tree.edges[b, e]["prior"]
                    count += 1
                    break
        root["num_edges"] = count
        for e in range(count):
            tree.edges[b, e]["prior"] /= total


@njit
def add_gumbel(tree: Tree, games: Array, noise: float) -> None:
    """Score each root edge by log prior + noise * Gumbel(0, 1), drawn once a search.

    ``noise`` is 1 to explore; a little of it breaks ties, 0 leaves them to the order of the edges.
    """
    for b in games:
        for e in range(tree.nodes[b, 0]["num_edges"]):
            score = math.log(tree.edges[b, e]["prior"])
            if noise > 0.0:
                score += noise * gumbel(tree.rng, b)
            tree.root_scores[b, e] = score


@njit
def add_dirichlet(tree: Tree, games: Array, alpha: float, weight: float) -> None:
    """Mix Dirichlet(alpha) noise into the root priors: (1 - weight) * prior + weight * noise."""
    for b in games:
        count = tree.nodes[b, 0]["num_edges"]
        total = 0.0
        for e in range(count):
            draw = gamma(tree.rng, b, alpha)
            tree.root_scores[b, e] = draw
            total += draw
        if total > 0.0:  # tiny alphas can underflow to nothing
            for e in range(count):
                edge = tree.edges[b, e]
                edge["prior"] = (1.0 - weight) * edge["prior"] + weight * tree.root_scores[b, e] / total


@njit
def edge_weight(tree: Tree, b: int, e: int) -> float:
    """An edge's claim to be played, by visits: none where it is refuted."""
    return 0.0 if refuted(tree, b, 0, e) else float(tree.edges[b, e]["visits"])


@njit
def visit_policy(tree: Tree, b: int, policy: Array) -> None:
    """The share of visits ([MAX_LEGAL] float32 out) of the moves not known to lose; of the won, where there are any."""
    root = tree.nodes[b, 0]
    won = root["proven"] > DRAWN
    total = 0.0
    for e in range(root["num_edges"]):
        if won:
            policy[e] = 1.0 if tree.edges[b, e]["proven"] == EDGE_WON else 0.0
        else:
            policy[e] = edge_weight(tree, b, e)
        total += policy[e]
    if total == 0.0:  # every visit went to a move that is refuted
        for e in range(root["num_edges"]):
            policy[e] = 0.0 if refuted(tree, b, 0, e) else tree.edges[b, e]["prior"]
            total += policy[e]
    for e in range(root["num_edges"]):
        policy[e] /= total


@njit
def root_policy(tree: Tree, games: Array, rules: Rules, policy: Array) -> None:
    """The training target of each root ([n, MAX_LEGAL] float32 out): the improved policy, or PUCT's share of visits.

    Where a win is proven, it and its like get everything: the search stopped there, so visits and estimates say little.
    """
    for i in range(games.shape[0]):
        if rules.root == GUMBEL and tree.nodes[games[i], 0]["proven"] <= DRAWN:
            improved_policy(tree, games[i], 0, rules, policy[i])
        else:
            visit_policy(tree, games[i], policy[i])


@njit
def best_edge(tree: Tree, b: int, rules: Rules) -> int:
    """The edge to play for strength.

    Where the result is proven: the quickest win, else a draw, else the slowest loss. Otherwise any move that is not
    refuted. Among those, the one with the most visits (at a Gumbel root: of this move's search); then, at a Gumbel root
    the best score, else the best value.
    """
    root = tree.nodes[b, 0]
    gumbel_root = rules.root == GUMBEL
    sigma = 0.5 * (rules.c_visit + most_visits(tree, b, 0)) * rules.c_scale
    missing = mixed_value(tree, b, 0)
    best, best_result, best_visits, best_score = 0, -WON - 1, -1, -np.inf
    for e in range(root["num_edges"]):
        edge = tree.edges[b, e]
        result = 0
        if root["proven"] != 0:
            result = edge_result(tree, b, e) if edge["proven"] != 0 else -WON
        elif refuted(tree, b, 0, e):
            continue
        visits = edge["visits"] - tree.root_visits[b, e] if gumbel_root else edge["visits"]
        score = root_score(tree, b, e, sigma, missing) if gumbel_root else float(edge["value"])
        better = visits > best_visits or (visits == best_visits and score > best_score)
        if result > best_result or (result == best_result and better):
            best, best_result, best_visits, best_score = e, result, visits, score
    return best


@njit
def sample_edge(tree: Tree, b: int, temperature: float, rules: Rules) -> int:
    """An edge drawn with probability proportional to visits ^ (1 / temperature), among those not known to lose."""
    root = tree.nodes[b, 0]
    most = 0.0
    for e in range(root["num_edges"]):
        most = max(most, edge_weight(tree, b, e))
    if most == 0.0:
        return best_edge(tree, b, rules)
    total = 0.0
    for e in range(root["num_edges"]):
        total += (edge_weight(tree, b, e) / most) ** (1.0 / temperature)
    rest = uniform(tree.rng, b) * total
    chosen = 0
    for e in range(root["num_edges"]):
        weight = edge_weight(tree, b, e)
        if weight > 0.0:
            chosen = e
            rest -= (weight / most) ** (1.0 / temperature)
            if rest <= 0.0:
                break
    return chosen


@njit
def choose(tree: Tree, games: Array, rules: Rules, temperatures: Array, chosen: Array) -> None:
    """The edge each root plays ([n] int32 out): drawn by visits at a positive temperature ([n]), else the best.

    A proven win is played at once, whatever the temperature.
    """
    for i in range(games.shape[0]):
        b = games[i]
        if temperatures[i] > 0.0 and tree.nodes[b, 0]["proven"] <= DRAWN:
            chosen[i] = sample_edge(tree, b, temperatures[i], rules)
        else:
            chosen[i] = best_edge(tree, b, rules)


@njit
def root_values(tree: Tree, games: Array, values: Array) -> None:
    """The mean value and draw probability of each root, its own evaluation included ([n, 2] float32 out).

    Where the result is proven, that.
    """
    for i in range(games.shape[0]):
        root = tree.nodes[games[i], 0]
        value, draw = float(root["value"]), float(root["draw"])
        values[i, 0], values[i, 1] = value, draw
        if root["proven"] == 0:
            for e in range(root["num_edges"]):
                edge = tree.edges[games[i], e]
                value += edge["visits"] * edge["value"]
                draw += edge["visits"] * edge["draw"]
            values[i, 0] = value / max(root["visits"], 1)
            values[i, 1] = draw / max(root["visits"], 1)


@njit
def best_root_values(tree: Tree, games: Array, values: Array) -> None:
    """As ``root_values``, where one player walks alone: what the best move is worth."""
    for i in range(games.shape[0]):
        values[i, 0], values[i, 1] = best_below(tree, games[i], 0)


@njit
def root_edges(tree: Tree, games: Array, actions: Array, visits: Array, counts: Array, proven: Array) -> None:
    """Copy what lies at each root: actions ([n, MAX_LEGAL] uint16), visits (int32), their counts ([n] int32) and the
    proven result ([n] int16), all out."""
    for i in range(games.shape[0]):
        b = games[i]
        root = tree.nodes[b, 0]
        counts[i], proven[i] = root["num_edges"], root["proven"]
        for e in range(root["num_edges"]):
            actions[i, e] = tree.edges[b, e]["action"]
            visits[i, e] = tree.edges[b, e]["visits"]
