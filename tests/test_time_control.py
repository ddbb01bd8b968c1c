"""How long to think: clocks, byoyomi and other limits to soft and hard seconds. Arithmetic alone; nothing waits."""

import itertools
import math

import pytest

from agents.engine.time_control import Allowance, SearchLimits, limits_of


def seconds(turn: int = 0, overhead: int = 50, **allowed: object) -> tuple[float, float]:
    limits = limits_of(Allowance(**allowed), turn, overhead)  # type: ignore[arg-type]
    return limits.soft, limits.hard


def test_nothing_named_is_no_limit_at_all() -> None:
    assert limits_of(Allowance(), 0, 50) == SearchLimits()


@pytest.mark.parametrize(
    ("allowed", "soft", "hard"),
    [
        ({"time": (60_000, 1)}, 1.95, 5.85),  # a thirtieth, less the overhead; three times that
        ({"time": (60_000, 1), "increment": (2_000, 1)}, 60 / 30 + 2 * 29 / 30 - 0.05, 11.65),
        ({"time": (60_000, 1), "moves_to_go": 10}, 5.95, 17.85),
        ({"time": (60_000, 1), "moves_to_go": 1}, 59.95, 59.95),
        ({"time": (60_000, 1), "byoyomi": 5_000}, 6.95, 20.85),
        ({"time": (0, 0), "byoyomi": 1_000}, 0.95, 0.95),
        ({"byoyomi": 1_000}, 0.95, 0.95),
        ({"time": (200, 200), "increment": (500, 500)}, 0.05, 0.05),
        ({"time": (120, None)}, 0.001, 0.003),  # never less than a quarter of a share, whatever the overhead
        ({"move_time": 1_000}, 0.95, 0.95),
        ({"move_time": 40}, 0.036, 0.036),  # of a move's own time no more than a tenth is given up
        ({"time": (60_000, 1), "move_time": 100}, 0.09, 0.09),
        ({"move_time": -5}, 0.0, 0.0),
        ({"time": (-20, 0)}, 0.0, 0.0),
    ],
)
def test_a_moves_share(allowed: dict[str, object], soft: float, hard: float) -> None:
    assert seconds(**allowed) == pytest.approx((soft, hard), abs=1e-9)


def test_each_side_has_its_own_clock_and_increment() -> None:
    clocks = {"time": (60_000, 30_000), "increment": (0, 3_000)}
    assert seconds(0, **clocks) == seconds(0, time=(60_000, None))
    assert seconds(1, **clocks) == seconds(0, time=(30_000, None), increment=(3_000, None))


def test_where_only_the_other_clock_is_named_it_counts() -> None:
    """Some client sends "go wtime 100" to either side: better a quick answer than none."""
    assert seconds(1, time=(100, None)) == seconds(0, time=(100, None))


def test_nothing_ever_exceeds_the_clock() -> None:
    values = (0, 1, 10, 99, 1_000, 60_000, 10**7)
    for clock, increment, byoyomi, overhead in itertools.product(values, values, values, (0, 10, 500, 5_000)):
        for moves in (None, 0, 1, 2, 40):
            soft, hard = seconds(
                time=(clock, clock), increment=(increment, 0), byoyomi=byoyomi, moves_to_go=moves, overhead=overhead
            )
            assert 0.0 <= soft <= hard
            assert 1000 * hard <= max(clock + byoyomi - overhead, 0.25 * (clock + byoyomi)) + 1e-6


def test_the_other_limits_are_handed_on() -> None:
    limits = limits_of(Allowance(nodes=100, depth=3, mate=5, infinite=True), 0, 50)
    assert limits == SearchLimits(nodes=100, depth=3, mate=9, infinite=True)  # plies
    assert (limits.soft, limits.hard) == (math.inf, math.inf)
    assert limits_of(Allowance(nodes=0, depth=0, mate=0), 0, 50) == SearchLimits(nodes=1, depth=1, mate=1)


@pytest.mark.parametrize(
    ("allowed", "saving"),
    [
        ({"time": (0, 1)}, True),
        ({"byoyomi": 1}, True),
        ({"move_time": 5}, False),
        ({"time": (1, 1), "move_time": 5}, False),
    ],
)
def test_time_is_saved_where_a_clock_runs(allowed: dict[str, object], saving: bool) -> None:
    assert limits_of(Allowance(**allowed), 0, 50).saving == saving  # type: ignore[arg-type]
