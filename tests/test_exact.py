"""Marks for moves in solved games: positions judged by hand, chance as the mean of all moves, perfect play."""

import game_help
import numpy as np
import pytest

import games
from agents.players import PerfectPlayer, answers
from games.solved import Sample, exact_scores, sample
from selfplay.exact import chance, mark, totals

TIC_TAC_TOE = games.load("tic_tac_toe")
CONNECT_FOUR = games.load("connect_four")

BY_HAND = {
    TIC_TAC_TOE.name: [
        ("3/3/x2 o", [-2, -2, -2, 0, -2, -2, -2, -2]),  # to a corner only the centre is an answer
        ("o2/1o1/xx1 x", [3, -2, -2, -2, -2]),  # c1 wins at once; if not, o wins there
        ("1o1/2o/xx1 x", [3, 2, 2, 2, 2]),  # c1 wins; after another move x has a second threat, and wins next time
    ],
    CONNECT_FOUR.name: [
        ("33445", [-18] * 7),  # three in a row with both ends open
        ("4463231161257135466353341255215776", [-4, 0, -4, -4]),  # x must stop four by column 4; 2, 6, 7 are open too
        ("257317637535614666561535114371724437422", [1, 2]),  # o wins by column 4 at once, or after 2 by the last disc
    ],
}
"""Positions and the scores of their moves."""


def by_hand(game):
    texts, scores = zip(*BY_HAND[game.name], strict=True)
    return Sample(game_help.positions(game, *texts), [np.array(one, np.int64) for one in scores])


def marks_of(game, *moves):
    """The first three marks of moves in the positions above, and where something is at stake."""
    judged = by_hand(game)
    actions = [game.from_text(state, move) for state, move in zip(judged.states, moves, strict=True)]
    marks = mark(game, judged, np.array(actions, np.uint16))
    return [values.tolist() for values in marks[:4]]


@pytest.fixture(scope="module", params=[TIC_TAC_TOE, CONNECT_FOUR], ids=lambda game: game.name)
def whole(request):
    """A game and its sample."""
    return request.param, sample(request.param)


@pytest.mark.parametrize("game", [TIC_TAC_TOE, CONNECT_FOUR], ids=lambda game: game.name)
def test_the_scores_by_hand_are_the_solvers(game):
    for state, scores in zip(*by_hand(game)[:2], strict=True):
        assert exact_scores(game, state).tolist() == scores.tolist()


def test_moves_of_tic_tac_toe_are_marked():
    stakes = [True, True, False]
    assert marks_of(TIC_TAC_TOE, "b2", "c1", "c1") == [[1, 1, 1], [1, 1, 1], [0, 0, 0], stakes]
    assert marks_of(TIC_TAC_TOE, "c3", "a2", "a3") == [[0, 0, 0], [0, 0, 1], [0.5, 1, 0], stakes]


def test_moves_of_connect_four_are_marked():
    """Where all moves lose as late as can be, each is optimal; a later win is one, but not optimal."""
    stakes = [False, True, False]
    assert marks_of(CONNECT_FOUR, "2", "4", "4") == [[1, 1, 1], [1, 1, 1], [0, 0, 0], stakes]
    assert marks_of(CONNECT_FOUR, "7", "6", "2") == [[1, 0, 0], [1, 0, 1], [0, 0.5, 0], stakes]


def test_chance_by_hand():
    assert [values.tolist() for values in chance(by_hand(TIC_TAC_TOE))] == [
        [1 / 8, 1 / 5, 1 / 5],
        [1 / 8, 1 / 5, 1],
        [7 / 16, 4 / 5, 0],
        [True, True, False],
        [1, 4, 4],
    ]
    assert [values.tolist() for values in chance(by_hand(CONNECT_FOUR))] == [
        [1, 1 / 4, 1 / 2],
        [1, 1 / 4, 1],
        [0, 3 / 8, 0],
        [False, True, False],
        [5, 34, 39],
    ]


def test_totals_by_hand():
    marks = chance(by_hand(TIC_TAC_TOE))
    found = totals(marks)
    assert (found.positions, found.stakes) == (3, 2)
    assert found[2:] == pytest.approx([0.525 / 3, 1.325 / 3, 0.325 / 2, (7 / 16 + 0.8) / 3])
    later = totals(marks, marks.ply == 4)
    assert (later.positions, later.stakes) == (2, 1)
    assert later[2:] == pytest.approx([0.2, 0.6, 0.2, 0.4])


def test_totals_of_nothing_are_no_number():
    """Also where no position at all was marked."""
    none = chance(Sample(np.zeros(0, TIC_TAC_TOE.STATE), []))
    some = chance(by_hand(CONNECT_FOUR))
    for found in (totals(none), totals(some, some.ply == 99)):
        assert found[:2] == (0, 0)
        assert np.isnan(found[2:]).all()
    without_stakes = totals(some, ~some.at_stake)
    assert without_stakes.positions == 2
    assert np.isnan(without_stakes.kept_at_stake)
    assert without_stakes.kept == 1.0


def test_chance_is_the_mean_of_all_moves(whole):
    game, judged = whole
    counts = [len(scores) for scores in judged.scores]
    begins = np.cumsum([0, *counts[:-1]])
    every = Sample(np.repeat(judged.states, counts), [scores for scores in judged.scores for _ in scores])
    actions = np.concatenate([game_help.legal(game, state) for state in judged.states])
    expected, marks = chance(judged), mark(game, every, actions)
    for mean, each in zip(expected[:3], marks[:3], strict=True):
        assert mean == pytest.approx(np.add.reduceat(each, begins) / counts)
    assert np.array_equal(np.repeat(expected.at_stake, counts), marks.at_stake)
    assert np.array_equal(np.repeat(expected.ply, counts), marks.ply)
    assert np.array_equal(expected.at_stake, expected.kept < 1.0)


def test_the_best_moves_get_all_marks(whole):
    game, judged = whole
    best = [
        game_help.legal(game, state)[scores.argmax()]
        for state, scores in zip(judged.states, judged.scores, strict=True)
    ]
    found = totals(mark(game, judged, np.array(best, np.uint16)))
    assert found.positions == len(judged.states) > found.stakes > 0
    assert found[2:] == (1.0, 1.0, 1.0, 0.0)


def test_perfect_play_gets_all_marks(whole):
    """In connect four where scores take milliseconds."""
    game, judged = whole
    late = np.flatnonzero(judged.states["ply"] >= (24 if game is CONNECT_FOUR else 0))
    judged = Sample(judged.states[late], [judged.scores[i] for i in late])
    marks = mark(game, judged, answers(game, PerfectPlayer(game), judged.states, seed=1))
    assert totals(marks)[2:] == (1.0, 1.0, 1.0, 0.0)


def test_a_move_that_is_not_legal_gets_no_mark():
    with pytest.raises(ValueError, match="not in list"):
        mark(CONNECT_FOUR, by_hand(CONNECT_FOUR), np.array([1, 0, 1], np.uint16))  # column 1 is full
