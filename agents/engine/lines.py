"""What a search tree says: the best moves, what each is worth, and how play goes on."""

from typing import NamedTuple

import numpy as np

from rlcore.jit import Array
from rlcore.search import Search
from rlcore.tree import DRAWN, EDGE_LOST, WON, for_parent

__all__ = ["Line", "is_settled", "lead", "lines_of"]


class Line(NamedTuple):
    """One of the best moves, and how play goes on."""

    actions: list[int]
    """The principal variation; it ends where the game does, or the search. Empty where there is no legal move."""
    value: float
    """For the side to move, in [-1, 1]."""
    draw: float
    """Probability of a draw, in [0, 1]."""
    plies: int = 0
    """How long it takes to win, where that is proven; negative where a loss is; 0 = neither."""


def lines_of(search: Search, chosen: int, value: float, draw: float, num_lines: int) -> list[Line]:
    """The best moves at the root of tree 0, of a PUCT search that keeps its trees.

    Args:
        chosen: the action of the first line; the others follow by proof, visits and value. There are fewer of them than
            ``num_lines`` where fewer have been visited: of the rest nothing is known.
        value, draw: of the root; they stand for those of ``chosen``, if even that has not been visited.
    """
    edges = _edges(search, 0)
    known = [e for e in range(len(edges)) if edges[e]["action"] == chosen or edges[e]["visits"] or edges[e]["proven"]]
    order = sorted(known, key=lambda e: _claim(search, edges[e]), reverse=True)
    order.sort(key=lambda e: edges[e]["action"] != chosen)
    return [_line(search, edges[e], value, draw) for e in order[:num_lines]]


def is_settled(search: Search) -> bool:
    """Whether the most visited move of the root is the one with the highest value, too."""
    edges = _edges(search, 0)
    visited = edges[(edges["visits"] > 0) & (edges["proven"] != EDGE_LOST)]
    return len(visited) == 0 or bool(visited["value"][visited["visits"].argmax()] >= visited["value"].max())


def lead(search: Search) -> float:
    """By how many visits the most visited move of the root is ahead; infinite where it has no rival."""
    edges = _edges(search, 0)
    visits = np.sort(edges["visits"][edges["proven"] != EDGE_LOST])
    return float(visits[-1] - visits[-2]) if len(visits) > 1 else np.inf


def _edges(search: Search, n: int) -> Array:
    """The edges of node ``n``, [num_edges] EDGE."""
    node = search.tree.nodes[0, n]
    first = int(node["first_edge"])
    edges: Array = search.tree.edges[0, first : first + int(node["num_edges"])]
    return edges


def _result(search: Search, edge: Array) -> int:
    """The proven result of an edge for the side that plays it (``rlcore.tree.WON``); 0 = not known."""
    return int(for_parent(int(search.tree.nodes[0, edge["child"]]["proven"]))) if edge["proven"] else 0


def _claim(search: Search, edge: Array) -> tuple[int, int, float, float]:
    """What orders moves: proven wins, the quickest first; by visits; proven losses, the slowest first."""
    result = _result(search, edge)
    decided = result if abs(result) > DRAWN else 0
    return decided, int(edge["visits"]), float(edge["value"]), float(edge["prior"])


def _line(search: Search, edge: Array, value: float, draw: float) -> Line:
    actions = _variation(search, edge)
    result = _result(search, edge)
    if result:
        value, draw = float(np.sign(result)) * (result != DRAWN), float(result == DRAWN)
    elif edge["visits"]:
        value, draw = float(edge["value"]), float(edge["draw"])
    plies = 0 if abs(result) <= DRAWN else (len(actions) if result > 0 else -len(actions))
    return Line(actions, value, draw, plies)


def _variation(search: Search, edge: Array) -> list[int]:
    """The moves that begin with an edge of the root: by proof where there is one, else those most visited."""
    actions, n = [int(edge["action"])], int(edge["child"])
    while n >= 0:
        best = _best_below(search, n)
        if best is None:
            break
        actions.append(int(best["action"]))
        n = int(best["child"])
    if n >= 0 and (action := _win_in_one(search, n)) is not None:
        actions.append(action)
    return actions


def _best_below(search: Search, n: int) -> Array | None:
    """The edge by which play goes on from a node; none where nothing below it has been visited."""
    edges = _edges(search, n)
    if len(edges) == 0:
        return None
    if search.tree.nodes[0, n]["proven"]:
        known = edges[edges["proven"] != 0]
        best: Array = max(known, key=lambda edge: (_result(search, edge), int(edge["visits"])))
        return best
    visits = np.where(edges["proven"] != EDGE_LOST, edges["visits"], 0)
    most = int(visits.argmax())
    return edges[most] if visits[most] else None


def _win_in_one(search: Search, n: int) -> int | None:
    """The move that wins at a node which the search has looked at no further, as it wins in one; else none."""
    tree, node = search.tree, search.tree.nodes[0, n]
    if node["proven"] != WON - 1 or node["num_edges"]:
        return None
    place = search.game.winning_action(search.states, 0, n, int(tree.num_nodes[0]), search.max_plies, tree.legal)
    return int(tree.legal[0, place]) if place >= 0 else None
