"""Solved games: exact scores against plain search, published scores, mirror images, and the committed sample."""

from functools import cache

import game_help
import numpy as np
import pytest

import games
from games import connect_four, connect_four_solver, solved
from games.solved import NotSolved, exact_scores, sample

CONNECT_FOUR = games.load("connect_four")
FULL_COLUMN = 0b111111


@pytest.fixture(scope="module")
def positions():
    return sample(CONNECT_FOUR)


def position(text):
    return game_help.position(connect_four, text)


def random_positions(ply, count, seed=1):
    """Positions after random moves in which the game goes on."""
    generator, legal = np.random.default_rng([seed, ply]), np.zeros(7, np.uint16)
    found = []
    while len(found) < count:
        state = position("startpos")
        for _ in range(ply):
            if (n := connect_four.legal_actions(state, legal)) == 0:
                break
            connect_four.apply(state, generator.choice(legal[:n]))
        if state["ply"] == ply and connect_four.legal_actions(state, legal):
            found.append(state)
    return found


# --- plain search, on boards with seven bits a column: no code in common with the solver ------------------------------


def by_columns(word):
    return sum(1 << 7 * column + row for row in range(6) for column in range(7) if int(word) >> 8 * row + column & 1)


def four(discs):
    return any((pairs := discs & discs >> step) & pairs >> 2 * step for step in (1, 6, 7, 8))


def plain_scores(own, occupied):
    """Columns from the left, None where full."""
    count, scores = occupied.bit_count(), []
    for column in range(7):
        move = occupied + (1 << 7 * column) & FULL_COLUMN << 7 * column
        if not move:
            scores.append(None)
        elif four(own | move):
            scores.append((43 - count) // 2)
        else:
            scores.append(0 if count == 41 else -plain_score(occupied ^ own, occupied | move))
    return scores


@cache
def plain_score(own, occupied):
    return max(score for score in plain_scores(own, occupied) if score is not None)


@pytest.mark.parametrize("ply", [41, 40, 39, 38, 36, 34, 32, 30, pytest.param(26, marks=pytest.mark.slow)])
def test_the_end_of_the_game_is_scored_as_by_plain_search(ply):
    solver = connect_four_solver.Solver(table_bits=16)
    for state in random_positions(ply, 10):
        plain = plain_scores(by_columns(state["own"]), by_columns(state["own"] | state["opponent"]))
        assert solver.scores(state).tolist() == [score for score in plain if score is not None]
    plain_score.cache_clear()


# --- the solver against itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ply", [14, 20, 28, 35])
def test_a_position_and_its_mirror_image_have_the_same_scores(ply):
    for state in random_positions(ply, 5):
        image = position(connect_four.write(state))
        ranks, side = connect_four.write(state).split()
        turned = "/".join(rank[::-1] for rank in ranks.split("/"))
        connect_four.read(image, f"{turned} {side}")
        fresh = [connect_four_solver.Solver(16).scores(one) for one in (state, image)]  # with tables of their own
        assert fresh[0].tolist() == fresh[1][::-1].tolist()


@pytest.mark.parametrize("ply", [16, 22, 30, 37])
def test_a_moves_score_is_that_of_the_best_answer_turned_round(ply):
    legal = np.zeros(7, np.uint16)
    for state in random_positions(ply, 5):
        scores = exact_scores(CONNECT_FOUR, state)
        for action, score in zip(legal[: connect_four.legal_actions(state, legal)].tolist(), scores, strict=True):
            after = np.array([state])[0]
            connect_four.apply(after, np.uint16(action))
            answers = connect_four_solver.Solver(16).scores(after)
            if connect_four.may_be_lost(after):
                assert score == (43 - ply) // 2
                assert len(answers) == 0
            else:
                assert score == -answers.max()


def test_a_small_table_gives_the_same_scores_as_a_large_one():
    small, large = connect_four_solver.Solver(12), connect_four_solver.Solver(20)
    for state in random_positions(18, 10):
        assert small.scores(state).tolist() == large.scores(state).tolist()


def test_a_win_at_once_is_scored_by_the_discs_played():
    assert connect_four_solver.Solver(16).scores(position("414141")).tolist()[3] == 18  # the fourth of x's 21 discs


@pytest.mark.nojit
def test_scores_by_hand():
    """Three in a row with both ends open; the last disc of a game; games that are over."""
    solver, drawn = connect_four_solver.Solver(12), "446323116125713546635334125521577677446722"
    assert solver.scores(position("33445")).tolist() == [-18] * 7
    assert solver.scores(position(drawn[:-1])).tolist() == [0]
    assert solver.scores(position("257317637535614666561535114371724437422224"[:-1])).tolist() == [1]
    assert len(solver.scores(position("4141414"))) == len(solver.scores(position(drawn))) == 0
    for ply in range(36, 41):
        state = position(drawn[:ply])
        plain = plain_scores(by_columns(state["own"]), by_columns(state["own"] | state["opponent"]))
        assert solver.scores(state).tolist() == [score for score in plain if score is not None]


@pytest.mark.nojit
@pytest.mark.parametrize("moves", ["33333355555577", "232323"])
def test_squares_that_complete_four_are_found_as_by_trying(moves):
    """Every empty square, within reach or not."""
    state = position(moves)
    occupied = state["own"] | state["opponent"]
    for side in ("own", "opponent"):
        found = int(connect_four_solver.completing(state[side], occupied))
        for square in range(48):
            bit = np.uint64(1 << square)
            empty = square % 8 < 7 and not occupied & bit
            assert bool(found >> square & 1) == bool(empty and connect_four.has_four(state[side] | bit))


# --- published scores -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_player_wins_by_the_middle_column():
    """James Allen and Victor Allis, 1988; the scores are those that https://connect4.gamesolver.org shows.

    It takes 24 minutes of one core and half a gigabyte; a traceback on the way is only the note that it is slow.
    """
    solver = connect_four_solver.Solver(table_bits=26)
    assert solver.scores(position("startpos")).tolist() == [-2, -1, 0, 1, 0, -1, -2]


# --- tic-tac-toe ------------------------------------------------------------------------------------------------------


def test_tic_tac_toe_is_scored_in_every_position():
    """4,520 of the 5,478 positions are not over; with perfect play it is a draw."""
    game = games.load("tic_tac_toe")
    states, scores, whole = sample(game)
    assert whole
    assert len(states) == len(scores) == 4520
    assert scores[0].tolist() == [0] * 9
    best = {int(state["key"]): found.max() for state, found in zip(states, scores, strict=True)}
    legal = np.zeros(9, np.uint16)
    for state, found in zip(states, scores, strict=True):
        for action, score in zip(legal[: game.legal_actions(state, legal)], found, strict=True):
            after = np.array([state])[0]
            game.apply(after, action)
            if game.may_be_lost(after):
                assert score == (10 - state["ply"]) // 2
            else:
                assert score == -best.get(int(after["key"]), 0)


def test_tic_tac_toe_by_hand():
    """To a corner only the centre is an answer; a win at once; a game that is over."""
    game = games.load("tic_tac_toe")
    state = np.zeros(1, game.STATE)[0]
    game.read(state, "3/3/x2 o")  # b1 c1 a2 b2 c2 a3 b3 c3
    assert exact_scores(game, state).tolist() == [-2, -2, -2, 0, -2, -2, -2, -2]
    game.read(state, "o2/1o1/xx1 x")  # wins at once by c1
    assert exact_scores(game, state).tolist()[0] == 3
    game.read(state, "xxx/oo1/3 o")
    assert len(exact_scores(game, state)) == 0


# --- the committed sample ---------------------------------------------------------------------------------------------


def test_the_sample_holds_a_thousand_positions_with_a_choice(positions):
    states, scores, whole = positions
    assert not whole
    legal = np.zeros(7, np.uint16)
    assert len(states) == len(scores) == 1000
    assert states["ply"].tolist() == [ply for ply in range(8, 33) for _ in range(40)]
    images = set()
    for state, found in zip(states, scores, strict=True):
        images.add(int(connect_four_solver.image(state["key"])))
        assert len(found) == connect_four.legal_actions(state, legal)
        assert len(set(found.tolist())) > 1, "something to choose"
        assert found.max() < (43 - state["ply"]) // 2, "no win at once"
    assert len(images) == 1000, "none equal or mirrored"
    kept = [(np.sign(found) == np.sign(found.max())).all() for found in scores]
    assert np.mean(kept) < 0.5, "in most of them the result is at stake"


def check(states, scores):
    for state, found in zip(states, scores, strict=True):
        assert exact_scores(CONNECT_FOUR, state).tolist() == found.tolist(), connect_four.write(state)


def test_the_samples_late_scores_are_found_again(positions):
    late = positions.states["ply"] >= 16
    check(positions.states[late], [found for found, it in zip(positions.scores, late, strict=True) if it])


@pytest.mark.slow
def test_the_samples_scores_from_ply_12_on_are_found_again(positions):
    late = positions.states["ply"] >= 12
    check(positions.states[late], [found for found, it in zip(positions.scores, late, strict=True) if it])


def test_a_game_that_is_not_solved_is_one_clear_error():
    chess = games.load("chess")
    state = np.zeros(1, chess.STATE)
    for ask in (lambda: sample(chess), lambda: exact_scores(chess, state[0])):
        with pytest.raises(NotSolved, match="chess is not solved; the games that are: tic_tac_toe, connect_four"):
            ask()
    assert set(solved.SOLVED) < set(games.GAMES)
