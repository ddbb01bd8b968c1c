"""Tic-tac-toe: the number of its positions and games, endings, text."""

import game_help
import numpy as np
import pytest

import games
from games import tic_tac_toe
from games.errors import BadMove, BadPosition
from games.tic_tac_toe import Ending
from rlcore.game import new_history

MOVES = "b2 a1 c1 a3 a2 c2 b1 b3 c3"


def position(text):
    return game_help.position(tic_tac_toe, text)


def played(moves):
    state = position("startpos")
    game_help.play(tic_tac_toe, state, moves)
    return state


def judged(state, max_plies=0):
    return game_help.ending(tic_tac_toe, state, max_plies=max_plies)


def all_positions():
    """Every position that can come up, by ply."""
    layer, legal = {0: position("startpos")}, np.zeros(9, np.uint16)
    while layer:
        yield list(layer.values())
        found = {}
        for state in layer.values():
            for action in legal[: tic_tac_toe.legal_actions(state, legal)].copy():
                after = np.array([state])[0]
                tic_tac_toe.apply(after, action)
                found[int(after["key"])] = after
        layer = found


def test_as_many_positions_and_games_as_are_known():
    """5,478 positions; 255,168 games, of which x wins 131,184, o 77,904."""
    layers = list(all_positions())
    assert sum(map(len, layers)) == 5478
    assert [len(layer) for layer in layers] == [1, 9, 72, 252, 756, 1260, 1520, 1140, 390, 78]
    ways = {int(layers[0][0]["key"]): 1}
    won, legal = [0, 0], np.zeros(9, np.uint16)
    drawn = 0
    for layer in layers:
        for state in layer:
            ending, value = judged(state)
            here = ways[int(state["key"])]
            if ending:
                if value == 0:
                    drawn += here
                else:
                    won[1 - int(state["turn"])] += here
            for action in legal[: tic_tac_toe.legal_actions(state, legal)].copy():
                after = np.array([state])[0]
                tic_tac_toe.apply(after, action)
                ways[int(after["key"])] = ways.get(int(after["key"]), 0) + here
    assert (won[0], won[1], drawn) == (131_184, 77_904, 46_080)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("moves", "ending", "value"),
    [
        ("", Ending.ONGOING, 0.0),
        ("a1 b1 a2 b2", Ending.ONGOING, 0.0),
        ("a1 b1 a2 b2 a3", Ending.THREE_IN_A_ROW, -1.0),
        ("a1 a2 b1 b2 c1", Ending.THREE_IN_A_ROW, -1.0),
        ("a1 a2 b2 b1 c3", Ending.THREE_IN_A_ROW, -1.0),
        ("b1 a3 a2 b2 c3 c1", Ending.THREE_IN_A_ROW, -1.0),
        (MOVES, Ending.FULL_BOARD, 0.0),
        ("a1 b1 c1 b2 a2 c2 b3 a3 c3", Ending.FULL_BOARD, 0.0),
        ("a1 a2 b1 b2 a3 b3 c3 c2", Ending.THREE_IN_A_ROW, -1.0),
    ],
)
def test_endings(moves, ending, value):
    state = played(moves)
    assert judged(state) == (ending, value)
    assert tic_tac_toe.may_be_lost(state) == (value < 0)


@pytest.mark.nojit
def test_a_game_is_broken_off_at_the_ply_limit():
    assert judged(played("a1 b1 c1"), 3) == (Ending.MAX_PLIES, 0.0)
    assert judged(played("a1 b1 c1"), 4) == (Ending.ONGOING, 0.0)
    assert judged(played("a1 b1 a2 b2 a3"), 5) == (Ending.THREE_IN_A_ROW, -1.0)


@pytest.mark.nojit
def test_positions_as_text():
    state = played("a1 b2 c3")
    assert tic_tac_toe.write(state) == "2x/1o1/x2 o"
    assert tic_tac_toe.show(state).splitlines() == ["3  . . x", "2  . o .", "1  x . .", "", "   a b c"]
    assert position("2x/1o1/x2 o") == state
    for layer in all_positions():
        for one in layer:
            assert position(tic_tac_toe.write(one)) == one


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a position"),
        ("3/3/3", "not a position"),
        ("3/3/3  x", "not a position"),
        ("3/3/3 x 1", "not a position"),
        ("３/3/3 x", "not a position"),
        ("3/3/3 x\n", "the side to move"),
        ("3/3/3 w", "the side to move"),
        ("3/3 x", "2 rows instead of 3"),
        ("3/3/3/3 x", "4 rows instead of 3"),
        ("3/4/3 x", "row 2 from the top holds '4'"),
        ("3/0xoxo/3 x", "row 2 from the top holds '0'"),
        ("3/Xo1/3 x", "row 2 from the top holds 'X'"),
        ("3/12/3 x", "counts empty squares twice"),
        ("3/xo/3 x", "row 2 from the top has 2 squares"),
        ("3/xo1x/3 o", "row 2 from the top has 4 squares"),
        ("3/xx1/3 x", "x has placed 2 and o 0"),
        ("3/oo1/x2 x", "x has placed 1 and o 2"),
        ("3/xo1/3 o", "the turn of x"),
        ("3/1x1/3 x", "the turn of o"),
        ("xxx/o1o/1o1 x", "has three in a row already"),
        ("xxx/ooo/3 x", "has three in a row already"),
        ("x" * 100_000, "not a position"),
        ("3/" * 100_000, "not a position"),
        ("0" * 100_000, "not a position"),
    ],
)
def test_every_fault_of_a_position_is_said(text, said):
    state = played("b2")
    before = state.tobytes()
    with pytest.raises(BadPosition) as error:
        tic_tac_toe.read(state, text)
    assert said in str(error.value)
    assert len(str(error.value)) < 200
    assert state.tobytes() == before


def test_two_lines_are_legal_where_one_move_makes_both():
    assert judged(position("xxx/xoo/xoo o")) == (Ending.THREE_IN_A_ROW, -1.0)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("moves", "text", "said"),
    [
        ("", "d1", "not a move"),
        ("", "a4", "not a move"),
        ("", "A1", "not a move"),
        ("", "a1\n", "not a move"),
        ("", "a１", "not a move"),
        ("", "", "not a move"),
        ("", "a1" * 100_000, "not a move"),
        ("a1", "a1", "taken"),
        ("a1 b1 a2 b2 a3", "c3", "over"),
    ],
)
def test_every_fault_of_a_move_is_said(moves, text, said):
    with pytest.raises(BadMove) as error:
        tic_tac_toe.from_text(played(moves), text)
    assert said in str(error.value)
    assert len(str(error.value)) < 120


def test_actions_that_are_no_squares_have_no_text():
    for action in (-1, 9):
        with pytest.raises(BadMove):
            tic_tac_toe.to_text(position("startpos"), action)


def test_a_game_as_text():
    actions = [tic_tac_toe.from_text(position("startpos"), move) for move in MOVES.split()]
    text = tic_tac_toe.write_game(actions, {"Event": 'a "test"\n[White "x"]'}, Ending.FULL_BOARD, 0.0)
    assert text.splitlines() == [
        """[Event "a 'test' [White 'x']"]""",
        '[Result "1/2-1/2"]',
        '[Ending "full_board"]',
        "",
        f"{MOVES} 1/2-1/2",
        "",
    ]
    text = tic_tac_toe.write_game(actions[4:5], {}, Ending.RESIGNATION, -1.0, played("b2 a1 c1 a3"))
    assert '[Position "o2/1x1/o1x x"]' in text
    assert text.endswith("\n\na2 1-0\n\n")  # o, to move, gave up
    with pytest.raises(BadMove, match="ply 2 of the game"):
        tic_tac_toe.write_game([4, 4])


def test_perft_counts_move_sequences():
    game = games.load("tic_tac_toe")
    states, actions = np.zeros(10, game.STATE), np.zeros((10, 9), np.uint16)
    leaf = np.zeros(9, np.uint16)
    for depth, count in ((1, 9), (2, 72), (5, 15_120), (6, 54_720), (9, 127_872)):
        game.init(states[depth], 0)
        assert game.perft(states, actions, leaf, depth) == count


def test_random_playouts_end_by_the_rules():
    game = games.load("tic_tac_toe")
    book, rng, legal = new_history(game, 1, 12), np.array([5], np.uint64), np.zeros(9, np.uint16)
    for _ in range(100):
        game.begin(book, 0, 0)
        assert 5 <= game.playout(book, 0, rng, legal) <= 9
