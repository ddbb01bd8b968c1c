"""Connect four: the number of its positions, lines in every direction, endings, text."""

from itertools import pairwise

import game_help
import numpy as np
import pytest

import games
from games import connect_four
from games.connect_four import Ending
from games.errors import BadMove, BadPosition
from rlcore.game import new_history

DRAWN = "446323116125713546635334125521577677446722"
WON_BY_THE_LAST_DISC = "257317637535614666561535114371724437422224"


def position(text):
    return game_help.position(connect_four, text)


def judged(state, max_plies=0):
    return game_help.ending(connect_four, state, max_plies=max_plies)


@pytest.mark.parametrize("plies", [6, pytest.param(9, marks=pytest.mark.slow)])
def test_as_many_positions_as_are_known(plies):
    """John Tromp's counts of positions by ply, https://oeis.org/A212693."""
    known = [1, 7, 49, 238, 1120, 4263, 16422, 54859, 184275, 558186]
    layer, legal = {0: position("startpos")}, np.zeros(7, np.uint16)
    for ply in range(plies + 1):
        assert len(layer) == known[ply]
        found = {}
        for state in layer.values():
            for action in legal[: connect_four.legal_actions(state, legal)].copy():
                after = np.array([state])[0]
                connect_four.apply(after, action)
                found[int(after["key"])] = after
        layer = found


def test_perft_counts_move_sequences():
    """Counted apart in plain lists of columns too: 7 ** n until a column is full or a game over."""
    game = games.load("connect_four")
    states, actions = np.zeros(9, game.STATE), np.zeros((9, 7), np.uint16)
    leaf = np.zeros(7, np.uint16)
    for depth in range(1, 9):
        game.init(states[depth], 0)
        count = game.perft(states, actions, leaf, depth)
        assert count == {7: 823_536, 8: 5_673_234}.get(depth, 7**depth)


@pytest.mark.nojit
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("moves", "ending"),
    [
        ("1122334", Ending.FOUR_IN_A_ROW),  # in a row, from the left edge
        ("4455667", Ending.FOUR_IN_A_ROW),
        ("1727374", Ending.FOUR_IN_A_ROW),
        ("4141414", Ending.FOUR_IN_A_ROW),  # in a column
        ("141516", Ending.ONGOING),
        ("12233434464", Ending.FOUR_IN_A_ROW),  # rising
        ("45566767727", Ending.FOUR_IN_A_ROW),
        ("112213", Ending.ONGOING),
        ("5667734", Ending.ONGOING),  # a row does not go on at the other edge
        (DRAWN, Ending.FULL_BOARD),
        (WON_BY_THE_LAST_DISC, Ending.FOUR_IN_A_ROW),
    ],
)
def test_endings(moves, ending, mirrored):
    if mirrored:
        moves = "".join(str(8 - int(column)) for column in moves)
    state = position(moves)
    value = -1.0 if ending == Ending.FOUR_IN_A_ROW else 0.0
    assert judged(state) == (ending, value)
    assert connect_four.may_be_lost(state) == (value < 0)
    assert judged(position(moves[:-1])) == (Ending.ONGOING, 0.0)


@pytest.mark.nojit
def test_every_line_wins_and_no_three_of_it_do():
    lines = []
    for row in range(6):
        for column in range(7):
            for up, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                squares = [(row + i * up, column + i * right) for i in range(4)]
                if all(0 <= r < 6 and 0 <= c < 7 for r, c in squares):
                    lines.append([1 << 8 * r + c for r, c in squares])
    assert len(lines) == 69
    for line in lines:
        assert connect_four.has_four(np.uint64(sum(line)))
        for square in line:
            assert not connect_four.has_four(np.uint64(sum(line) - square))


@pytest.mark.nojit
def test_discs_that_run_over_an_edge_are_no_line():
    """Every four squares that a line's step would join across the edge of the board."""
    for step in (1, 7, 8, 9):
        for first in range(48):
            squares = [first + i * step for i in range(4)]
            if any(square >= 48 or square % 8 == 7 for square in squares):
                continue
            steps = {(b // 8 - a // 8, b % 8 - a % 8) for a, b in pairwise(squares)}
            assert connect_four.has_four(np.uint64(sum(1 << square for square in squares)))
            assert len(steps) == 1, "the highest bit of a byte would have to hold a disc"


@pytest.mark.nojit
def test_a_game_is_broken_off_at_the_ply_limit():
    assert judged(position("4444"), 4) == (Ending.MAX_PLIES, 0.0)
    assert judged(position("4444"), 5) == (Ending.ONGOING, 0.0)
    assert judged(position("4141414"), 7) == (Ending.FOUR_IN_A_ROW, -1.0)
    assert judged(position(DRAWN), 42) == (Ending.FULL_BOARD, 0.0)


@pytest.mark.nojit
def test_positions_as_text():
    state = position("44452")
    assert connect_four.write(state) == "7/7/7/3x3/3o3/1x1xo2 o"
    assert connect_four.show(state).splitlines() == [
        ". . . . . . .",
        ". . . . . . .",
        ". . . . . . .",
        ". . . x . . .",
        ". . . o . . .",
        ". x . x o . .",
        "",
        "1 2 3 4 5 6 7",
    ]
    assert position("7/7/7/3x3/3o3/1x1xo2 o") == state
    assert position("24544") != state
    assert position("startpos") == position("7/7/7/7/7/7 x")
    for moves in (DRAWN, WON_BY_THE_LAST_DISC):
        for ply in range(43):
            one = position(moves[:ply] or "startpos")
            assert position(connect_four.write(one)) == one


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a position"),
        ("7/7/7/7/7/7", "not a position"),
        ("7/7/7/7/7/7 x 1", "not a position"),
        ("７/7/7/7/7/7 x", "not a position"),
        ("４", "not a position"),
        ("44 4", "rows instead of 6"),
        ("7/7/7/7/7/7 r", "the side to move"),
        ("7/7/7/7/7/7 x\n", "the side to move"),
        ("7/7/7/7/7 x", "5 rows instead of 6"),
        ("7/7/7/7/7/7/7 x", "7 rows instead of 6"),
        ("7/7/7/7/7/8 x", "row 6 from the top holds '8'"),
        ("7/7/7/7/7/3R3 o", "row 6 from the top holds 'R'"),
        ("7/7/7/7/7/34 x", "counts empty squares twice"),
        ("7/7/7/7/7/3x2 o", "row 6 from the top has 6 squares"),
        ("7/7/7/7/7/3xoxox x", "row 6 from the top has 8 squares"),
        ("7/7/7/7/7/2xx3 x", "x has placed 2 and o 0"),
        ("7/7/7/7/7/3o3 x", "x has placed 0 and o 1"),
        ("7/7/7/7/7/3x3 x", "the turn of o"),
        ("7/7/7/7/3x3/7 o", "the disc in column 4, row 2 from below, has nothing below it"),
        ("7/7/3x3/7/7/3o3 x", "the disc in column 4, row 4 from below, has nothing below it"),
        ("7/7/7/7/xxx1ooo/xxxxoo1 o", "x has placed 7 and o 5"),
        ("7/7/7/7/oooo3/xxxx3 x", "the side to move has four in a row already"),
        ("7/7/7/ooo4/xxxxo2/xxxxooo o", "no single move"),
        ("8", "move 1 of '8': '8' is not a move"),
        ("4444444", "move 7 of '4444444': '4' is not legal here: the column is full"),
        ("41414141", "move 8 of '41414141': '1' is not legal here: the game is over"),
        ("1" * 100_000, "the column is full"),
        ("x" * 100_000, "not a position"),
        ("7/" * 100_000, "not a position"),
    ],
)
def test_every_fault_of_a_position_is_said(text, said):
    state = position("4")
    before = state.tobytes()
    with pytest.raises(BadPosition) as error:
        connect_four.read(state, text)
    assert said in str(error.value)
    assert len(str(error.value)) < 200
    assert state.tobytes() == before


def test_two_lines_are_legal_where_one_disc_makes_both():
    """x drops into column 4 between three and three."""
    assert judged(position("7/7/7/7/7/xxxxooo o")) == (Ending.FOUR_IN_A_ROW, -1.0)
    state = position("7/7/7/7/oooxooo/xxxxxxx o".replace("oooxooo", "ooo1ooo"))
    assert judged(state) == (Ending.FOUR_IN_A_ROW, -1.0)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("moves", "text", "said"),
    [
        ("startpos", "8", "not a move"),
        ("startpos", "0", "not a move"),
        ("startpos", "44", "not a move"),
        ("startpos", "4\n", "not a move"),
        ("startpos", "４", "not a move"),
        ("startpos", "", "not a move"),
        ("startpos", "4" * 100_000, "not a move"),
        ("444444", "4", "full"),
        ("4141414", "1", "over"),
    ],
)
def test_every_fault_of_a_move_is_said(moves, text, said):
    with pytest.raises(BadMove) as error:
        connect_four.from_text(position(moves), text)
    assert said in str(error.value)
    assert len(str(error.value)) < 120


def test_actions_that_are_no_columns_have_no_text():
    for action in (-1, 7):
        with pytest.raises(BadMove):
            connect_four.to_text(position("startpos"), action)


def test_a_game_as_text():
    actions = [int(column) - 1 for column in "4141414"]
    text = connect_four.write_game(actions, {"White": "one", "Black": "two"}, Ending.FOUR_IN_A_ROW, -1.0)
    assert text == '[White "one"]\n[Black "two"]\n[Result "1-0"]\n[Ending "four_in_a_row"]\n\n4141414 1-0\n\n'
    text = connect_four.write_game([3], {}, Ending.RESIGNATION, -1.0, position("4"))
    assert text == (
        '[Result "0-1"]\n[Ending "resignation"]\n[Position "7/7/7/7/7/3x3 o"]\n\n4 0-1\n\n'  # x gave up
    )
    assert connect_four.write_game([]) == '[Result "*"]\n[Ending "ongoing"]\n\n*\n\n'
    with pytest.raises(BadMove, match="ply 7 of the game: '4' is not legal here: the column is full"):
        connect_four.write_game([3] * 7)


def test_the_planes_hold_the_discs_where_they_lie():
    """Squares of the planes are counted from the lowest row, seven a row."""
    game = games.load("connect_four")
    book = new_history(game, 1, 10)
    game.begin(book, 0, 0)
    for column in "44452":
        game.advance(book, np.zeros(1, np.int32), np.array([int(column) - 1], np.uint16))
    words = np.zeros(game.layout(2).num_words, np.uint64)
    game.pack_game(book, 0, 2, words)
    x, o = 1 << 3 | 1 << 17 | 1 << 1, 1 << 10 | 1 << 4
    assert words.tolist() == [o, x, o, x & ~(1 << 1), 1]
