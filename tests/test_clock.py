"""The clocks of two sides, with a time that stands still until it is told."""

import pytest
from engine_help import Time

from agents.engine.clock import BadClock, Clock, TimeControl, parse_clock, time_text
from agents.engine.time_control import limits_of


def test_main_time_and_increment() -> None:
    time = Time()
    clock = Clock(parse_clock("1+3"), time)
    clock.start(0)
    time.seconds += 10
    assert (clock.left(0), clock.left(1)) == (50, 60)
    clock.press()
    assert clock.left(0) == 53
    clock.start(1)
    time.seconds += 60
    assert clock.is_up(1)
    assert not clock.is_up(0)
    assert clock.left(0) == 53


def test_byoyomi_comes_anew_with_every_move_once_the_main_time_is_used_up() -> None:
    time = Time()
    clock = Clock(parse_clock("1/30"), time)
    for used, left in ((40, 50), (45, 30), (29.9, 30), (10, 30)):
        clock.start(0)
        time.seconds += used
        assert not clock.is_up(0)
        clock.press()
        assert clock.left(0) == left
    assert (clock.text(0), clock.text(1)) == ("byoyomi 0:30", "1:00")
    clock.start(0)
    time.seconds += 30
    assert clock.is_up(0)


def test_starting_a_running_clock_again_gives_no_time_back() -> None:
    time = Time()
    clock = Clock(TimeControl(60.0), time)
    clock.start(0)
    time.seconds += 20
    clock.start(0)
    time.seconds += 20
    assert clock.left(0) == 20
    clock.stop()
    time.seconds += 20
    assert clock.left(0) == 20  # no increment, and it stands


def test_what_a_search_is_told_keeps_it_from_losing_on_time() -> None:
    time = Time()
    for text in ("5+3", "0+1", "0/1", "0.01", "10/30", "0.05+10"):
        clock = Clock(parse_clock(text), time)
        for _ in range(200):
            clock.start(0)
            limits = limits_of(clock.allowance(), 0, 100)
            assert 0 < limits.soft <= limits.hard < clock.left(0), text
            time.seconds += limits.hard
            assert not clock.is_up(0), text
            clock.press()


@pytest.mark.parametrize(
    ("text", "control", "said"),
    [
        ("5+3", TimeControl(300, 3), "5 minutes + 3 s a move"),
        ("1", TimeControl(60), "1 minute"),
        ("0.5", TimeControl(30), "0.5 minutes"),
        ("10 / 30", TimeControl(600, 0, 30), "10 minutes, then 30 s a move"),
        ("0/10", TimeControl(0, 0, 10), "10 s a move"),
    ],
)
def test_clocks_as_text(text, control, said) -> None:
    assert parse_clock(text) == control
    assert str(control) == said


@pytest.mark.parametrize(
    "text", ["", "five", "0", "0+0", "-5", "5+", "+3", "5+3+1", "1e9", "99999", "5++3", "nan", "٥"]
)
def test_what_is_no_clock_gets_a_sentence(text) -> None:
    with pytest.raises(BadClock, match=r"is no clock: write 5\+3|must leave some time"):
        parse_clock(text)


def test_times_as_clocks_show_them() -> None:
    shown = [time_text(seconds) for seconds in (3723, 245, 60, 59.9, 10, 9.99, 9.3, 0.04, 0)]
    assert shown == ["1:02:03", "4:05", "1:00", "0:59", "0:10", "0:09.9", "0:09.3", "0:00.0", "0:00.0"]
