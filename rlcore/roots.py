"""The roots of search trees: noise before the search, and afterwards the policy, the value and the move to play."""

import math

import numpy as np

from rlcore.jit import Array, njit
from rlcore.rng import below, gamma, gumbel, uniform
from rlcore.tree import GUMBEL, Rules, Tree, improved_policy, most_visits, root_score


@njit
def add_gumbel(tree: Tree, num_trees: int, noise: float) -> None:
    """Score each root edge by log prior + noise * Gumbel(0, 1), drawn once a search.

    ``noise`` is 1 to explore; a little of it breaks ties, 0 leaves them to the order of the edges.
    """
    for b in range(num_trees):
        for e in range(tree.nodes[b, 0]["num_edges"]):
            score = math.log(tree.edges[b, e]["prior"])
            if noise > 0.0:
                score += noise * gumbel(tree.rng, b)
            tree.root_scores[b, e] = score


@njit
def add_dirichlet(tree: Tree, num_trees: int, alpha: float, weight: float) -> None:
    """Mix Dirichlet(alpha) noise into the root priors: (1 - weight) * prior + weight * noise."""
    for b in range(num_trees):
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
def root_policy(tree: Tree, num_trees: int, rules: Rules, policy: Array) -> None:
    """The training target of each root ([B, MAX_LEGAL] float32 out): the improved policy, or PUCT's share of visits."""
    for b in range(num_trees):
        if rules.root == GUMBEL:
            improved_policy(tree, b, 0, rules, policy[b])
        else:
            root = tree.nodes[b, 0]
            total = max(root["visits"] - 1, 1)
            for e in range(root["num_edges"]):
                policy[b, e] = tree.edges[b, e]["visits"] / total


@njit
def best_edge(tree: Tree, b: int, rules: Rules) -> int:
    """The edge to play for strength: most visits; among those, at a Gumbel root the best score, else the best value."""
    root = tree.nodes[b, 0]
    most = most_visits(tree, b, 0)
    sigma = 0.5 * (rules.c_visit + most) * rules.c_scale
    best, best_score = 0, -np.inf
    for e in range(root["num_edges"]):
        edge = tree.edges[b, e]
        if edge["visits"] == most:
            score = root_score(tree, b, e, sigma) if rules.root == GUMBEL else float(edge["value"])
            if score > best_score:
                best, best_score = e, score
    return best


@njit
def sample_edge(tree: Tree, b: int, temperature: float) -> int:
    """An edge drawn with probability proportional to visits ^ (1 / temperature)."""
    root = tree.nodes[b, 0]
    most = most_visits(tree, b, 0)
    if most == 0:
        return below(tree.rng, b, root["num_edges"])
    total = 0.0
    for e in range(root["num_edges"]):
        total += (tree.edges[b, e]["visits"] / most) ** (1.0 / temperature)
    rest = uniform(tree.rng, b) * total
    chosen = 0
    for e in range(root["num_edges"]):
        if tree.edges[b, e]["visits"] > 0:
            chosen = e
            rest -= (tree.edges[b, e]["visits"] / most) ** (1.0 / temperature)
            if rest <= 0.0:
                break
    return chosen


@njit
def choose(tree: Tree, num_trees: int, rules: Rules, temperatures: Array, chosen: Array) -> None:
    """The edge each root plays ([B] int32 out): drawn by visits at a positive temperature ([B]), else the best."""
    for b in range(num_trees):
        if temperatures[b] > 0.0:
            chosen[b] = sample_edge(tree, b, temperatures[b])
        else:
            chosen[b] = best_edge(tree, b, rules)


@njit
def root_values(tree: Tree, num_trees: int, values: Array) -> None:
    """The mean value and draw probability of each root, its own evaluation included ([B, 2] float32 out)."""
    for b in range(num_trees):
        root = tree.nodes[b, 0]
        value, draw = float(root["value"]), float(root["draw"])
        for e in range(root["num_edges"]):
            edge = tree.edges[b, e]
            value += edge["visits"] * edge["value"]
            draw += edge["visits"] * edge["draw"]
        values[b, 0] = value / max(root["visits"], 1)
        values[b, 1] = draw / max(root["visits"], 1)
