"""Legal moves counted to a depth, against published counts and against a suite of our own (tests/data)."""

from functools import partial

import pytest

import games
from rlcore.perft import Case, count, divide, start
from tests.game_help import check_perft, perft_cases, perft_name
from tests.shogi_help import turned

SHOGI = games.load("shogi")
QUICK = 600_000_000


cases, check = partial(perft_cases, SHOGI), partial(check_perft, SHOGI)
KNOWN = cases("shogi_perft.sfen")


@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= QUICK], ids=perft_name)
def test_known_perft_positions(case: Case) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes > QUICK], ids=perft_name)
def test_known_perft_positions_deeper(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= 60_000_000], ids=perft_name)
def test_known_perft_positions_for_the_other_side(case: Case) -> None:
    check(case._replace(position=turned(case.position)))


def test_perft_of_varied_positions() -> None:
    """Drops, pawn-drop mates, pins, checks, promotions, big hands; see tests/data/make_shogi_perft.py."""
    suite = cases("shogi_perft_generated.sfen")
    assert len({case.position for case in suite}) >= 150
    for case in suite:
        assert count(SHOGI, start(SHOGI, case.position), case.depth) == case.nodes, case


@pytest.mark.nojit
@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= 1000], ids=perft_name)
def test_shallow_perft(case: Case) -> None:
    check(case)


@pytest.mark.nojit
def test_shallow_perft_of_varied_positions() -> None:
    for case in cases("shogi_perft_generated.sfen"):
        if case.depth == 1:
            assert count(SHOGI, start(SHOGI, case.position), case.depth) == case.nodes, case


def test_divide_adds_up_to_the_count() -> None:
    by_move = dict(divide(SHOGI, start(SHOGI), 4))
    assert by_move["7g7f"] == 30406  # cshogi 1.1.0
    assert len(by_move) == 30
    assert sum(by_move.values()) == 719731
