"""Plain tree search with random games: the choice of a child by hand, and what must hold of the numbers in the tree."""

from typing import NamedTuple

import game_help
import numpy as np
import pytest

import games
from rlcore.game import History, new_history
from rlcore.jit import Array
from rlcore.uct import NODE, best_child

TIC_TAC_TOE = games.load("tic_tac_toe")
CONNECT_FOUR = games.load("connect_four")


class Room(NamedTuple):
    """The arrays of a search, in the order of the kernel's arguments."""

    scratch: History
    nodes: Array
    path: Array
    legal: Array
    rng: Array


def room(game, rollouts, seed=1):
    """With nonsense in it, which a search may not rely upon."""
    nodes = np.full(1 + rollouts * game.MAX_LEGAL, 77, NODE)
    path, legal = np.full(rollouts + 1, 77, np.int32), np.full(game.MAX_LEGAL, 77, np.uint16)
    return Room(new_history(game, 1, 50), nodes, path, legal, np.array([seed], np.uint64))


def search(game, text, rollouts, its=None):
    """The action played in a position, and the tree's nodes."""
    its = its or room(game, rollouts)
    return int(game.uct(game_help.position(game, text), rollouts, 1.4, *its)), its.nodes


def children(nodes, n):
    first = int(nodes[n]["first_child"])
    return nodes[first : first + int(nodes[n]["num_children"])]


# --- the choice of a child --------------------------------------------------------------------------------------------


def family(visits, values):
    """A parent, node 0, and its children."""
    nodes = np.zeros(1 + len(visits), NODE)
    nodes[0]["first_child"], nodes[0]["num_children"], nodes[0]["visits"] = 1, len(visits), sum(visits)
    nodes["visits"][1:], nodes["value"][1:] = visits, values
    return nodes


@pytest.mark.nojit
def test_a_child_is_chosen_by_mean_and_visits():
    """0.75 + c sqrt(ln 10 / 8) against 0 + c sqrt(ln 10 / 2): as much for c = 1.398."""
    nodes, rng = family([8, 2], [6.0, 0.0]), np.ones(1, np.uint64)
    assert [best_child(nodes, 0, c, rng) for c in (0.0, 1.39, 1.41, 9.0)] == [1, 1, 2, 2]
    assert best_child(family([5, 5, 5], [-3.0, -1.0, -2.0]), 0, 1.0, rng) == 2, "the best of bad ones"
    assert rng[0] == 1, "chance has no part in it"


@pytest.mark.nojit
def test_children_without_a_visit_come_first_and_are_equally_likely():
    nodes, rng = family([0, 9, 0, 1, 0], [0.0, 9.0, 0.0, 1.0, 0.0]), np.ones(1, np.uint64)
    chosen = [best_child(nodes, 0, 1.4, rng) for _ in range(300)]
    assert set(chosen) == {1, 3, 5}
    assert min(map(chosen.count, (1, 3, 5))) > 75  # of 100 or so


# --- the numbers in the tree ------------------------------------------------------------------------------------------


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("game", "text"),
    [
        (TIC_TAC_TOE, "startpos"),
        (TIC_TAC_TOE, "1o1/2o/xx1 x"),
        (CONNECT_FOUR, "startpos"),
        (CONNECT_FOUR, "446323116125713546635334125521577677"),
    ],
)
@pytest.mark.parametrize("rollouts", [1, 2, 60])
def test_visits_and_results_add_up(game, text, rollouts):
    """Every simulation but a node's first goes on to a child; that first one is a game, won, drawn or lost."""
    _, nodes = search(game, text, rollouts)
    assert nodes[0]["visits"] == rollouts == children(nodes, 0)["visits"].sum()
    assert nodes[0]["value"] == -children(nodes, 0)["value"].sum()
    seen = [0]
    for n in seen:
        below = children(nodes, n)
        assert (np.abs(below["value"]) <= below["visits"]).all(), "means lie in [-1, 1]"
        assert len(set(below["action"].tolist())) == len(below)
        if n != 0 and len(below):
            assert below["visits"].sum() == nodes[n]["visits"] - 1
            assert nodes[n]["value"] + below["value"].sum() in (-1.0, 0.0, 1.0)
        first = int(nodes[n]["first_child"])
        seen += range(first, first + len(below))
    assert len(set(seen)) == len(seen), "a tree"


@pytest.mark.nojit
def test_the_most_visited_move_is_played():
    for seed in range(5):
        its = room(CONNECT_FOUR, 40, seed)
        action, nodes = search(CONNECT_FOUR, "startpos", 40, its)
        best = children(nodes, 0)
        assert action == best["action"][best["visits"].argmax()]


@pytest.mark.nojit
def test_a_game_that_is_won_lost_or_drawn_is_known_for_the_side_that_moved():
    """One square is left, then none: the result of every simulation is that of the last move."""
    for moves, value in (
        ("257317637535614666561535114371724437422224", 1.0),
        ("446323116125713546635334125521577677446722", 0.0),
    ):
        _, nodes = search(CONNECT_FOUR, moves[:-1], 10)
        assert children(nodes, 0)[["visits", "value"]].tolist() == [(10, 10 * value)]
        _, nodes = search(CONNECT_FOUR, moves[:-2], 10)  # a move before, in the same column
        assert children(nodes, 0)["value"].sum() == -10 * value


@pytest.mark.nojit
def test_what_an_earlier_search_left_behind_is_not_read():
    its = room(TIC_TAC_TOE, 50)
    search(TIC_TAC_TOE, "3/1o1/xx1 o", 50, its)
    its.rng[0] = 1
    again, fresh = search(TIC_TAC_TOE, "startpos", 50, its), search(TIC_TAC_TOE, "startpos", 50)
    assert again[0] == fresh[0]
    numbers = ["action", "visits", "value"]
    assert again[1][0][numbers] == fresh[1][0][numbers]
    assert np.array_equal(children(again[1], 0)[numbers], children(fresh[1], 0)[numbers])


def test_a_random_game_that_fills_its_room_is_a_draw():
    chess = games.load("chess")
    its = room(chess, 30)._replace(scratch=new_history(chess, 1, 3))
    _, nodes = search(chess, "startpos", 30, its)
    assert (children(nodes, 0)["value"] == 0.0).all()


def test_a_position_that_is_drawn_by_rule_is_searched_all_the_same():
    """Nothing was: a move was played that an earlier search had left behind, or none at all."""
    chess = games.load("chess")
    for text in ("8/8/4k3/8/8/3K4/8/8 w - - 0 1", "4k3/8/8/8/8/8/4P3/4K3 b - - 100 99"):
        its = room(chess, 20)
        action, nodes = search(chess, text, 20, its)
        assert action in game_help.legal(chess, game_help.position(chess, text))
        assert children(nodes, 0)["visits"].sum() == 20
