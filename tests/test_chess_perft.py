"""Legal moves counted to a depth, against published counts and against a suite of our own (tests/data)."""

from functools import partial

import pytest

import games
from rlcore.perft import Case, count, divide, start
from tests.game_help import check_perft, perft_cases, perft_name

CHESS = games.load("chess")
QUICK = 20_000_000


cases, check = partial(perft_cases, CHESS), partial(check_perft, CHESS)
KNOWN = cases("chess_perft.epd")


@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= QUICK], ids=perft_name)
def test_known_perft_positions(case: Case) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes > QUICK], ids=perft_name)
def test_known_perft_positions_deeper(case: Case) -> None:
    check(case)


def test_perft_of_varied_positions() -> None:
    """En passant, castling, promotions, pins, checks, few men and many; see tests/data/make_chess_perft.py."""
    suite = cases("chess_perft_generated.epd")
    assert len({case.position for case in suite}) >= 150
    for case in suite:
        assert count(CHESS, start(CHESS, case.position), case.depth) == case.nodes, case


@pytest.mark.nojit
@pytest.mark.parametrize("case", [case for case in KNOWN if case.depth <= 2], ids=perft_name)
def test_shallow_perft(case: Case) -> None:
    check(case)


@pytest.mark.nojit
def test_shallow_perft_of_varied_positions() -> None:
    for case in cases("chess_perft_generated.epd"):
        if case.depth <= 2 and case.nodes <= 400:
            assert count(CHESS, start(CHESS, case.position), case.depth) == case.nodes, case


def test_divide_adds_up_to_the_count() -> None:
    state = start(CHESS)
    by_move = dict(divide(CHESS, state, 4))
    assert by_move["e2e4"] == 13160  # Stockfish 15.1
    assert len(by_move) == 20
    assert sum(by_move.values()) == 197281
