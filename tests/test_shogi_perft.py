"""Legal moves counted to a depth, against published counts and against a suite of our own (tests/data)."""

from pathlib import Path

import pytest

import games
from rlcore.perft import Case, count, divide, read_suite, start
from tests.shogi_help import turned

DATA = Path(__file__).parent / "data"
SHOGI = games.load("shogi")
QUICK = 600_000_000


def cases(name: str) -> list[Case]:
    return read_suite(SHOGI, (DATA / name).read_text(encoding="utf-8").splitlines())


def named(case: Case) -> str:
    return f"{case.position.split()[0]} depth {case.depth}"


def check(case: Case) -> None:
    assert count(SHOGI, start(SHOGI, case.position), case.depth) == case.nodes


KNOWN = cases("shogi_perft.sfen")


@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= QUICK], ids=named)
def test_known_perft_positions(case: Case) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes > QUICK], ids=named)
def test_known_perft_positions_deeper(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= 60_000_000], ids=named)
def test_known_perft_positions_for_the_other_side(case: Case) -> None:
    check(case._replace(position=turned(case.position)))


def test_perft_of_varied_positions() -> None:
    """Drops, pawn-drop mates, pins, checks, promotions, big hands; see tests/data/make_shogi_perft.py."""
    suite = cases("shogi_perft_generated.sfen")
    assert len({case.position for case in suite}) >= 150
    for case in suite:
        assert count(SHOGI, start(SHOGI, case.position), case.depth) == case.nodes, case


@pytest.mark.nojit
@pytest.mark.parametrize("case", [case for case in KNOWN if case.nodes <= 1000], ids=named)
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
