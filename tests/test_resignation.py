"""Giving up: when a side does, what the record of such a game says, and how often it would have been wrong."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from evaluator_help import Whim

import games
from rlcore.config import SearchConfig
from selfplay.actor import Actor
from selfplay.config import ActorConfig, Config
from selfplay.record import PLY, RecordBuilder
from selfplay.resignation import badly_off, gives_up, mistaken, played_on

CHESS = games.load("chess")
ENDING = CHESS.Ending
LOST, LEVEL, WON = (0.02, 0.04, 0.94), (0.3, 0.4, 0.3), (0.94, 0.04, 0.02)  # expected scores 0.04, 0.5, 0.96
TWICE = ActorConfig(resign=0.05, resign_moves=2, resign_check=1.0)


def plies(*wdl, simulations=4):
    """As many plies, each with the root's win, draw and loss for its mover."""
    rows = np.zeros(len(wdl), PLY)
    rows["wdl"], rows["simulations"] = wdl, simulations
    return rows


def finished(wdl, ending, value, seed=0):
    builder = RecordBuilder(0, seed, 0)
    for row in plies(*wdl):
        builder.append(row.reshape(1), np.zeros(0, builder._entries.dtype))
    return builder.finish(value, int(ending), 0)


def seed_that(is_played_on, share=0.1):
    config = ActorConfig(resign=0.05, resign_check=share)
    return next(seed for seed in range(1000) if played_on(seed, config) == is_played_on)


def test_a_side_gives_up_after_its_own_moves_in_a_row():
    rows = plies(LEVEL, LOST, WON, LOST, WON, LOST, LOST, LEVEL, LOST)
    assert badly_off(rows, TWICE).tolist() == [False, True, False, True, False, True, True, False, True]
    assert gives_up(rows, TWICE).tolist() == [False, False, False, True, False, True, False, False, True]
    assert gives_up(rows, replace(TWICE, resign_moves=3)).tolist() == [False] * 5 + [True] + [False] * 3
    assert gives_up(rows, replace(TWICE, resign_moves=1)).tolist() == badly_off(rows, TWICE).tolist()
    assert not gives_up(rows, replace(TWICE, resign_moves=9)).any()  # longer than the game


def test_what_was_not_searched_says_nothing_and_a_draw_is_half_a_win():
    assert not gives_up(plies(LOST, LOST, LOST, simulations=0), TWICE).any()
    drawn = plies((0.0, 0.2, 0.8))  # expected score 0.1
    assert not badly_off(drawn, replace(TWICE, resign=0.09))[0]
    assert badly_off(drawn, replace(TWICE, resign=0.11))[0]


@pytest.mark.parametrize(
    ("ending", "value", "wrong"),
    [
        ("CHECKMATE", -1.0, True),  # the first player, who would have given up, has mated
        ("CHECKMATE", 1.0, False),
        ("STALEMATE", 0.0, True),
        ("MAX_PLIES", 0.0, True),  # not lost
        ("RESIGNATION", 1.0, None),  # not played on
    ],
)
def test_a_game_that_was_played_on_tells_whether_giving_up_was_wrong(ending, value, wrong):
    """Nine plies: the first player moves last, and is badly off at plies 2 and 4."""
    record = finished([LEVEL, WON, LOST, WON, LOST, WON, LEVEL, LEVEL, LEVEL], ENDING[ending], value)
    assert mistaken(record, CHESS, TWICE) is wrong


def test_only_the_first_to_give_up_counts():
    """Both sides are lost at some time; the second player is the first to be, at plies 1 and 3, and is mated."""
    record = finished([WON, LOST, WON, LOST, LOST, WON, LOST, WON, WON], ENDING.CHECKMATE, -1.0)
    assert mistaken(record, CHESS, TWICE) is False


def test_other_games_tell_nothing():
    lost = [LEVEL, WON, LOST, WON, LOST, WON, LEVEL]
    some = replace(TWICE, resign_check=0.1)
    assert mistaken(finished([LEVEL] * 7, ENDING.CHECKMATE, -1.0), CHESS, TWICE) is None
    assert mistaken(finished(lost, ENDING.CHECKMATE, -1.0), CHESS, replace(TWICE, resign=0.0)) is None
    assert mistaken(finished(lost, ENDING.CHECKMATE, -1.0, seed_that(False)), CHESS, some) is None
    assert mistaken(finished(lost, ENDING.CHECKMATE, -1.0, seed_that(True)), CHESS, some) is True


def test_the_asked_share_of_games_is_played_on():
    for share in (0.0, 0.1, 1.0):
        config = ActorConfig(resign=0.05, resign_check=share)
        assert np.mean([played_on(seed, config) for seed in range(3000)]) == pytest.approx(share, abs=0.02)


def test_a_resigned_game_is_won_by_the_other_side_in_pgn():
    """Fool's mate but for the mate: Black, who has moved last, gives up."""
    states = np.zeros(1, CHESS.STATE)
    CHESS.init(states[0], 0)
    actions = []
    for move in ("f2f3", "e7e5"):
        actions.append(CHESS.from_text(states[0], move))
        CHESS.apply(states[0], actions[-1])
    text = CHESS.write_game(actions, {}, int(ENDING.RESIGNATION), 1.0)  # for White, to move
    for tag in ('[Result "1-0"]', '[Termination "normal"]', '[Ending "resignation"]', "1. f3 e5 1-0"):
        assert tag in text


def test_actors_end_games_when_a_side_gives_up_and_never_those_to_be_played_on():
    settings = ActorConfig(
        threads=1, games=16, max_plies=60, random_plies=9, resign=0.35, resign_moves=2, resign_check=0.3
    )
    config = Config(actor=settings, search=SearchConfig(simulations=4, considered=4))
    actor = Actor(CHESS, config, itertools.count(), settings.games)
    records = [record for _ in range(130) for record in actor.play(Whim(), 0)]
    resigned = [record for record in records if record.ending == ENDING.RESIGNATION]
    assert len(resigned) > 10
    assert len(records) > len(resigned)
    for record in records:
        given_up = np.flatnonzero(gives_up(record.plies, settings))
        if record.ending == ENDING.RESIGNATION:
            assert given_up.tolist() == [len(record.plies) - 1]  # at the first occasion
            assert not played_on(record.seed, settings)
            assert record.value == 1.0
            assert record.result(len(record.plies) - 1, CHESS.DISCOUNT) == -1.0  # whoever gave up has lost
        else:  # to be played on, or ended by the rules with the very move
            assert played_on(record.seed, settings) or not given_up[given_up < len(record.plies) - 1].size
    checked = [check for record in records if (check := mistaken(record, CHESS, settings)) is not None]
    assert len(checked) > 5
