"""What a person sees of a run: the screen, the plain lines, the alarms, the summary and the picture."""

import io
import math
import os
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

import games
from selfplay import report as report_module
from selfplay.exact import Totals
from selfplay.picture import draw, screen
from selfplay.report import LN_3, Point, Report, Status, alarms, plain_line, summary

ROOT = Path(__file__).resolve().parent.parent
NAN = math.nan
BOARD = "\n".join([
    "8  r . b q k b . r",
    "7  p p p p . p p p",
    "6  . . n . . n . .",
    "5  . . . . p . . .",
    "4  . . B . P . . .",
    "3  . . . . . N . .",
    "2  P P P P . P P P",
    "1  R N B Q K . . R",
    "",
    "   a b c d e f g h",
])  # fmt: skip
EXACT = {
    "policy": Totals(1000, 541, optimal=0.706, kept=0.887, kept_at_stake=0.791, given_away=0.091),
    "100 sims": Totals(1000, 541, optimal=0.902, kept=0.975, kept_at_stake=0.954, given_away=0.017),
}
POINTS = [Point(step, 1 - step / 40_000, 1 - step / 8_000) for step in range(0, 2_000, 10)]


class Match(NamedTuple):
    opponent: str
    wins: int
    draws: int
    losses: int
    score: float
    low: float
    high: float


MATCHES = [
    Match("uniform-random moves", 95, 3, 2, 0.965, 0.921, 0.985),
    Match("the untrained net", 88, 10, 2, 0.93, 0.87, 0.97),
]


def status(**changes: Any) -> Status:
    """A run in good health, half through."""
    healthy = Status(
        game="chess", run_dir=Path("runs/chess"), device="2 cores, bfloat16", network="3 x 48, 153k parameters",
        simulations=16, seconds=252.0, seconds_left=348.0, resumed_from=None, games=1204, positions=81_220,
        new_games=1204, new_positions=81_220, positions_per_second=431.0, evaluations_per_second=7812.0,
        batch_fill=0.93, steps=1270, version=50, reuse=3.98, window=48_732, learning_rate=2e-3, policy_loss=3.021,
        uniform_loss=3.21, value_loss=0.812, policy_entropy=2.91, value_spread=0.31, draw_rate=0.31, game_length=142.0,
        endings={"checkmate": 93, "max_plies": 80, "threefold": 14, "insufficient_material": 8, "stalemate": 5},
        shares={"evaluate": 0.62, "tree": 0.21, "rest": 0.02, "idle": 0.15, "learn": 0.71, "wait": 0.29},
        board=BOARD, board_title="game 17, move 23, White to move", reuse_target=4.0, steps_due=12,
    )  # fmt: skip
    return replace(healthy, **changes)


def unknown(**changes: Any) -> Status:
    """A run that has just begun: nothing measured yet."""
    nothing = {
        name: NAN
        for name, value in vars(status()).items()
        if isinstance(value, float) and name not in ("seconds", "seconds_left", "reuse_target")
    }
    counts = dict.fromkeys(("games", "positions", "new_games", "new_positions", "steps", "version", "window"), 0)
    return status(**{**nothing, **counts, "endings": {}, "shares": {}, "board": "", "board_title": ""} | changes)


def rendered(shown: Status, width: int, height: int, points: list[Point] = POINTS, **options: Any) -> list[str]:
    console = Console(width=width, height=height, record=True, file=io.StringIO(), force_terminal=True, **options)
    console.print(screen(shown, alarms(shown), points, width, height))
    return console.export_text(styles=bool(options)).splitlines()


# --- the screen ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(80, 23), (120, 39), (100, 30), (60, 20), (40, 12), (200, 60)])
@pytest.mark.parametrize(
    "shown", [status(), unknown(), status(exact=EXACT), status(draw_rate=0.97, batch_fill=0.3, resumed_from="00000400")]
)
def test_a_screen_is_never_larger_than_the_terminal(width: int, height: int, shown: Status) -> None:
    for points in (POINTS, POINTS[:1], []):
        lines = rendered(shown, width, height, points)
        assert len(lines) <= height
        assert max(len(line) for line in lines) < width


@pytest.mark.parametrize("name", games.GAMES)
def test_80_columns_hold_the_board_of_every_game_and_cut_a_longer_line(name: str) -> None:
    game = games.load(name)
    start = np.zeros(1, game.STATE)[0]
    game.init(start, 0)
    picture = game.show(start)
    for board in (picture, f"{picture}\n{'P ' * 60}"):
        lines = rendered(status(board=board), 80, 24)
        assert max(map(cell_len, lines)) < 80
        assert all(row.strip() in "\n".join(lines) for row in picture.splitlines())


def test_80_columns_hold_every_important_figure_and_the_whole_board() -> None:
    text = "\n".join(rendered(status(), 80, 23))
    for words in (
        "chess self-play", "runs/chess", "3 x 48, 153k parameters", "16 simulations", "2 cores, bfloat16",
        "4:12 of 10:00, 5:48 left", "1,204", "81,220", "431", "7,812", "batches 93 % full", "1,270",
        "3.98  of 4 wanted",
        "3.021  94.1 % of uniform", "0.812  73.9 % of ln 3", "142  plies", "31 %", "checkmate", "46 %", "max plies",
        "evaluate 62 %", "tree 21 %", "rest 2 %", "idle 15 %", "learn 71 %", "wait 29 %",
        "steps due 12", "game 17, move 23", "White to move",
        "policy loss / uniform  0.950",
    ):  # fmt: skip
        assert words in text
    for line in BOARD.splitlines():
        assert line in text


def test_how_near_a_solved_game_is_to_perfect_play_is_shown_everywhere() -> None:
    shown = status(exact=EXACT, exact_steps=1270)
    screen_text = "\n".join(rendered(shown, 80, 23))
    for words in ("kept, policy", "88.7 %", "kept, 100 sims", "97.5 %", "90.2 % optimal", "max plies"):
        assert words in screen_text
    assert plain_line(shown).endswith("results kept: policy 88.7 %, 100 sims 97.5 %")
    text = summary(shown, [], None, [])
    assert re.search(r"result kept, policy +88\.7 % of 1,000 positions, optimal in 70\.6 %", text)
    assert re.search(r"result kept, 100 sims +97\.5 % of 1,000 positions, optimal in 90\.2 %", text)
    text = summary(status(exact=EXACT, exact_steps=1000), [], None, [])
    assert "97.5 % of 1,000 positions, optimal in 90.2 %, at 1,000 steps" in text
    assert "kept" not in summary(status(exact=EXACT), [], None, [])  # of the untrained network
    assert "kept" not in plain_line(status()) + summary(status(), [], None, []) + "\n".join(rendered(status(), 80, 40))


def test_a_large_screen_holds_more() -> None:
    small, large = ("\n".join(rendered(status(), *size)) for size in ((80, 23), (120, 39)))
    for words in (
        "value spread",
        "learning rate",
        "window",
        "stalemate",
        "1.000 → 0.950",
        "17, move 23, White to move",
    ):
        assert words in large
        assert words not in small


def test_a_curve_falls_with_the_loss_and_noise_is_no_curve() -> None:
    def curve(points: list[Point]) -> str:
        lines = rendered(status(), 80, 30, points)
        return lines[next(i for i, line in enumerate(lines) if "policy loss / uniform" in line) + 1].split()[-1]

    falling = curve(POINTS)
    assert falling == "".join(sorted(falling, reverse=True))
    assert (falling[0], falling[-1]) == ("█", "▁")
    assert set(curve([Point(step, 1.0 + step % 2 / 1000, 1.0) for step in range(90)])) <= {"▄", "▅"}


def test_a_narrow_terminal_goes_without_the_board() -> None:
    text = "\n".join(rendered(status(), 60, 23))
    assert "1,204" in text
    assert "r . b q k b . r" not in text


def test_what_is_not_known_is_a_dash() -> None:
    text = "\n".join(rendered(unknown(), 80, 23))
    assert "nan" not in text
    assert text.count("–") >= 6


def test_alarms_stand_below_the_figures_and_stay_whole() -> None:
    lines = rendered(status(draw_rate=0.97), 80, 23)
    below = " ".join(line.strip() for line in lines[next(i for i, line in enumerate(lines) if "learner" in line) + 1 :])
    assert below == "! " + alarms(status(draw_rate=0.97))[0]


def test_a_board_keeps_its_own_colours_and_markup_is_no_markup() -> None:
    shown = status(board="\x1b[31mK\x1b[0m [bold]k", board_title="game [red]1")
    text = "\n".join(rendered(shown, 80, 23, color_system="standard"))
    assert "\x1b[31mK" in text
    assert "[bold]k" in text
    assert "game [red]1" in text


# --- plain lines and the live display --------------------------------------------------------------------------------


def test_without_a_terminal_there_are_plain_lines() -> None:
    stream = io.StringIO()
    with Report(stream) as report:
        assert report.plain
        report.update(unknown())
        report.update(unknown(seconds=1.0))
        assert stream.getvalue().splitlines()[1:] == []  # the title only
        report.update(status())  # positions are counted: said at once
        report.update(status(games=1205))  # a moment later: not said
        report.line("checkpoint saved")
    title, figures, message = stream.getvalue().splitlines()
    assert title == "chess self-play in runs/chess: 3 x 48, 153k parameters, 16 simulations, 2 cores, bfloat16"
    assert figures == plain_line(status())
    assert message == "checkpoint saved"
    assert stream.getvalue().isascii()


def test_a_plain_line_holds_the_key_figures() -> None:
    text = plain_line(status())
    assert "\n" not in text
    for words in (
        "4:12 (5:48 left)", "games 1,204", "positions 81,220", "431 positions/s", "7,812 evaluations/s", "steps 1,270",
        "batch fill 93 %", "policy loss 3.021 (uniform 3.210)", "value loss 0.812 (ln 3 1.099)", "draws 31 %",
        "length 142", "evaluate 62 %", "idle 15 %", "wait 29 %", "steps due 12",
    ):  # fmt: skip
        assert words in text
    assert "runs on" in plain_line(status(seconds_left=None))
    assert "nan" not in plain_line(unknown())


RESIGNING = {
    "resign": 0.05, "resign_checks": 97, "resign_mistakes": 0.0309, "resign_low": 0.0106, "resign_high": 0.0870,
}  # fmt: skip


def test_figures_of_what_is_switched_on_show_only_then() -> None:
    plain, large = plain_line(status()), "\n".join(rendered(status(), 120, 39))
    for words in ("wrong", "cache", "moves/s", "wanted positions"):
        assert words not in plain
        assert words not in large
    shown = status(**RESIGNING, cache_hits=0.34, moves_per_second=1724.0, positions_wanted=100_000)
    plain, large, small = plain_line(shown), *("\n".join(rendered(shown, *size)) for size in ((120, 39), (80, 24)))
    for words in ("cache hits 34 %", "given up wrongly 3.1 % (1.1-8.7 %) of 97 games", "1,724 moves/s", "of 100,000"):
        assert words in plain
    for words in ("cache hits", "34 %", "3.1 %", "1.1-8.7 of 97 games", "of 1,724 moves/s", "of 100,000 wanted"):
        assert words in large
    for words in ("wrong resigns", "3.1 %", "1.1-8.7 of 97 games", "of 1,724 moves/s", "of 100,000 wanted"):
        assert words in small
    assert "given up wrongly not known yet" in plain_line(status(resign=0.05))


def test_a_run_that_ends_with_its_positions_says_so() -> None:
    shown = status(seconds_left=None, positions_wanted=100_000)
    assert "until the positions are made" in plain_line(shown)
    assert "runs on until 100,000 positions are made" in "\n".join(rendered(shown, 80, 24))


def test_a_state_is_due_at_once_and_then_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with Report(io.StringIO()) as report:
        assert report.is_due
        report.update(unknown())
        assert report.is_due  # no position yet: whoever waits for the first is told at once
        report.update(status())
        assert not report.is_due
        monkeypatch.setattr(report_module, "LINE_SECONDS", 0.0)
        assert report.is_due


def test_plain_lines_come_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    with Report(stream) as report:
        report.update(status())
        report.update(status(games=1205))
    assert "games 1,205" in stream.getvalue()


def test_an_alarm_is_said_once_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "LINE_SECONDS", 0.0)
    stream = io.StringIO()
    with Report(stream) as report:
        for draw_rate in (0.5, 0.97, 0.98, 0.5, 0.99):
            report.update(status(draw_rate=draw_rate))
    assert stream.getvalue().count("warning: Nearly all games are drawn") == 1


def test_a_stream_without_the_glyphs_gets_what_it_can_write() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Report(stream).line("3 × 48 – ready")
    assert raw.getvalue() == b"3 ? 48 ? ready\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return io.StringIO()


def test_the_screen_is_redrawn_in_place_and_its_last_state_stays(terminal: io.StringIO) -> None:
    with Report(terminal, plain=False) as report:
        report.line("Resuming run")
        report.update(status())
        report.update(status(games=7777))  # a moment later: not drawn
        report.line("checkpoint saved [bold]")
        report.finish(status(games=9999), MATCHES, None, [("go on", "make selfplay")])
    text = terminal.getvalue()
    assert "\x1b[?1049h" not in text  # not the alternate screen
    assert text.count("\x1b[?2026h") == text.count("\x1b[?2026l") == 2
    assert "7,777" not in text
    assert "checkpoint saved [bold]" in text
    assert text.index("Resuming run") < text.index("1,204") < text.index("9,999") < text.index("make selfplay")
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back
    assert text.count("\x1b[1A") >= 20  # over its own last screen


def test_no_color_is_honoured(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with Report(terminal, plain=False) as report:
        report.update(status(draw_rate=0.97))
    codes = {
        code for part in terminal.getvalue().split("\x1b[")[1:] if "m" in part for code in part.split("m")[0].split(";")
    }
    assert not codes & {str(code) for code in (*range(30, 39), *range(40, 49), *range(90, 98))}


def test_a_line_from_a_signal_handler_waits_until_the_screen_is_drawn(terminal: io.StringIO) -> None:
    class Interrupted(io.StringIO):
        struck = False

        def write(self, text: str) -> int:
            if "chess self-play" in text and not self.struck:
                self.struck = True
                report.line("Stopping after this round")  # as a handler that strikes in mid-write
                assert "Stopping" not in self.getvalue()
            return super().write(text)

    stream = Interrupted()
    with Report(stream, plain=False) as report:
        report.update(status())
    assert stream.getvalue().count("Stopping after this round") == 1


def test_curves_begin_with_the_history_and_stay_short() -> None:
    rows = [{"step": s, "policy_loss": 3.2 - s / 1e6, "uniform_loss": 3.2, "value_loss": LN_3} for s in range(9_000)]
    report = Report(io.StringIO())
    report.recall([{"step": 0, "policy_loss": NAN, "uniform_loss": NAN, "value_loss": NAN}, *rows])
    text = io.StringIO()
    report.stream = text
    report.finish(status(steps=9_500))
    assert "3.021, 94.1 % of uniform (at first 100.0 %)" in text.getvalue()
    assert len(report._points) <= 4_000
    assert report._points[-1].step == 9_500


def test_report_is_imported_without_rich_and_matplotlib() -> None:
    code = "import sys, selfplay.report, selfplay.picture; print({'rich', 'matplotlib', 'numpy'} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_a_healthy_run_and_one_that_just_began_raise_no_alarm() -> None:
    assert alarms(status()) == []
    assert alarms(unknown()) == []
    assert alarms(unknown(steps=400, positions=30_000, games=500, seconds=200.0)) == []  # just resumed


@pytest.mark.parametrize(
    ("words", "bad", "still_good"),
    [
        ("no longer a number", {"policy_loss": NAN}, {"policy_loss": NAN, "steps": 0}),
        ("no longer a number", {"value_loss": math.inf}, {"value_loss": 3.0}),
        ("no longer a number", {"policy_loss": NAN, "value_loss": NAN}, {}),
        ("games are drawn", {"draw_rate": 0.96}, {"draw_rate": 0.95}),
        ("games are drawn", {"draw_rate": 1.0}, {"draw_rate": 1.0, "endings": {"stalemate": 99}}),
        ("same value", {"value_spread": 0.009}, {"value_spread": 0.01}),
        ("same value", {"value_spread": 0.0}, {"value_spread": 0.0, "positions": 999}),
        ("same value", {"value_spread": 0.0}, {"value_spread": 0.0, "steps": 10}),  # nothing learned yet: it must be
        ("worse than choosing", {"policy_loss": 3.3}, {"policy_loss": 3.21}),
        ("worse than choosing", {"policy_loss": 3.3}, {"policy_loss": 3.3, "steps": 499}),
        ("half full", {"batch_fill": 0.49}, {"batch_fill": 0.5}),
        ("half full", {"batch_fill": 0.1}, {"batch_fill": 0.1, "new_positions": 10}),
        ("falls behind", {"reuse": 1.9}, {"reuse": 2.1}),
        ("falls behind", {"reuse": 1.0}, {"reuse": 1.0, "seconds": 60.0}),
        ("falls behind", {"reuse": 1.0}, {"reuse": 1.0, "reuse_target": NAN}),
        ("half full", {"batch_fill": 0.29, "cache_hits": 0.4}, {"batch_fill": 0.31, "cache_hits": 0.4}),
        ("half full", {"batch_fill": 0.1, "cache_hits": 0.79}, {"batch_fill": 0.01, "cache_hits": 0.81}),
        ("half full", {"batch_fill": 0.2, "most_fill": 0.42}, {"batch_fill": 0.3, "most_fill": 0.42}),
        ("learner is starved", {"shares": {"learn": 0.04, "wait": 0.96}}, {"shares": {"learn": 0.1, "wait": 0.9}}),
        ("idle", {"shares": {"idle": 0.31}}, {"shares": {"idle": 0.29}}),
        ("idle", {"shares": {"idle": 0.31}}, {"shares": {"idle": 0.31}, "seconds": 60.0}),
        ("evaluator is starved", {"shares": {"tree": 0.5, "rest": 0.01}}, {"shares": {"tree": 0.4, "rest": 0.1}}),
        ("evaluator is starved", {"shares": {"tree": 0.6}}, {"shares": {"tree": 0.6}, "new_positions": 10}),
        ("give up too early", {"resign_low": 0.051, "resign_checks": 10}, {"resign_low": 0.049, "resign_checks": 90}),
        ("give up too early", {"resign_low": 0.06, "resign_checks": 10}, {"resign_low": 0.2, "resign_checks": 1}),
    ],
)
def test_an_alarm_goes_off_when_it_should_and_only_then(
    words: str, bad: dict[str, Any], still_good: dict[str, Any]
) -> None:
    (alarm,) = alarms(status(**bad))
    assert words in alarm
    assert alarm.endswith(".")
    assert alarms(status(**still_good)) == []


def test_every_flag_that_an_alarm_advises_exists() -> None:
    from dataclasses import fields

    from selfplay.config import Config

    broken = status(
        policy_loss=math.inf, draw_rate=1.0, value_spread=0.0, batch_fill=0.1, reuse=0.1,
        shares={"wait": 1.0, "idle": 1.0, "tree": 1.0}, resign_low=0.1, resign_checks=10,
    )  # fmt: skip
    advised = {word.strip("().,;:") for text in alarms(broken) for word in text.split() if "--" in word}
    assert len(alarms(broken)) == 10
    assert advised
    for flag in advised:
        group, _, name = flag.removeprefix("--").partition(".")
        assert name.replace("-", "_") in {field.name for field in fields(getattr(Config(), group))}


# --- the summary -----------------------------------------------------------------------------------------------------


def test_the_summary_says_what_was_learned_where_it_lies_and_how_to_go_on(tmp_path: Path) -> None:
    for name in ("games.log", "metrics.jsonl", "progress.png"):
        (tmp_path / name).touch()
    (tmp_path / "checkpoints").mkdir()
    commands = [("go on", "make selfplay"), ("play against it", "python scripts/play.py --game chess")]
    first = Point(1, 1.0, 1.0)
    text = summary(status(run_dir=tmp_path), MATCHES, tmp_path / "progress.png", commands, first)
    assert "1,204 games, 81,220 positions, 1,270 steps" in text
    assert "3.021, 94.1 % of uniform (at first 100.0 %)" in text
    assert "0.812, 73.9 % of ln 3 (at first 100.0 %)" in text
    assert "against uniform-random moves  96.5 % (92.1-98.5) of 100 games, +95 =3 -2" in text
    assert "against the untrained net     93.0 % (87.0-97.0) of 100 games, +88 =10 -2" in text
    assert str(tmp_path) in text
    for words in (
        "evaluate 62 %, tree 21 %, rest 2 %, idle 15 %", "7,812 evaluations/s, batches 93 % full\n",
        "learn 71 %, wait 29 %, steps due 12", "each position trained on 3.98 times, 4 wanted",
    ):  # fmt: skip
        assert words in text
    assert "given up" not in text
    for name in ("checkpoints", "games.log", "metrics.jsonl", "progress.png", "make selfplay", "scripts/play.py"):
        assert name in text
    assert "games as text" not in text  # no file is there
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line) <= 79


@pytest.mark.parametrize("name", ["games.pgn", "games.csa"])
def test_the_summary_names_the_games_as_text_whatever_their_format(tmp_path: Path, name: str) -> None:
    for file in (name, "games.log", "games.kif"):
        (tmp_path / file).touch()
    text = summary(status(run_dir=tmp_path, text_file=name), [], None, [])
    assert re.search(rf"games.log +every game.*\n  {name} +the games as text, for other programs\n", text)
    assert "kif" not in text


def test_the_summary_tells_how_often_giving_up_was_wrong() -> None:
    text = summary(status(**RESIGNING, cache_hits=0.34), [], None, [])
    assert "given up wrongly  3.1 % (1.1-8.7 %) of 97 games" in text
    assert "batches 93 % full, 34 % of positions from the cache" in text


def test_the_summary_of_a_run_that_learned_nothing() -> None:
    text = summary(unknown(), [], None, [])
    assert "nan" not in text
    assert "not known" in text


# --- the picture -----------------------------------------------------------------------------------------------------


def png_size(path: Path) -> tuple[int, int]:
    """Width and height of a PNG whose every chunk has its right checksum."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kinds.append(data[at + 4 : at + 8])
        assert zlib.crc32(data[at + 4 : at + 8 + length]) == struct.unpack_from(">I", data, at + 8 + length)[0]
        at += 12 + length
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    return struct.unpack_from(">II", data, 16)


def metrics(rows: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows as the loop writes them, ten seconds apart."""
    shown = {name: value for name, value in vars(status()).items() if isinstance(value, int | float)}
    endings = {f"endings/{name}": count for name, count in status().endings.items()}
    return [
        {"step": i, "time": "2026-01-31T12:00:00.000+00:00", **shown, **endings, "seconds": 10.0 * i, **changes}
        for i in range(rows)
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        metrics(1),
        metrics(2),
        metrics(500),
        metrics(3, policy_loss=NAN, uniform_loss=NAN, value_loss=None, draw_rate=NAN, game_length=math.inf),
        [{"seconds": 1.0}, {"step": 2}, {}],
        metrics(4, **{f"endings/{name}": 0 for name in status().endings}),
        metrics(9) + metrics(20)[5:],  # killed and resumed: some of it was done twice
    ],
)
def test_the_picture_can_always_be_drawn(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = draw(tmp_path, rows, MATCHES)
    assert path == tmp_path / "progress.png"
    assert png_size(path) == (1200, 800)
    assert [file.name for file in tmp_path.iterdir()] == ["progress.png"]


def test_the_picture_shows_strength_over_time_and_as_bars(tmp_path: Path) -> None:
    bars = draw(tmp_path, metrics(10), MATCHES).read_bytes()
    rows = metrics(10)
    for i, score in ((4, 0.7), (9, 0.9)):
        rows[i] |= {f"strength/{m.opponent}{end}": score for m in MATCHES for end in ("", "/low", "/high")}
    assert draw(tmp_path, rows, MATCHES).read_bytes() != bars
    assert draw(tmp_path, rows[:5], []).read_bytes() != draw(tmp_path, metrics(5), []).read_bytes()
    assert draw(tmp_path, metrics(10), MATCHES).read_bytes() == bars  # and nothing is left over from one to the next


def test_a_measurement_at_the_end_of_a_start_outlives_the_next_one(tmp_path: Path) -> None:
    """The match takes a minute, so its row lies later in time than the first rows of the start after it."""
    measured = {f"strength/random{end}": 0.7 for end in ("", "/low", "/high")}
    first, second = metrics(10), metrics(20)[10:]
    rows = [*first, {"step": 9, "seconds": 150.0, **measured}, *second, {"step": 19, "seconds": 250.0, **measured}]
    without = [*first, *second, {"step": 19, "seconds": 250.0, **measured}]
    assert draw(tmp_path, rows, []).read_bytes() != draw(tmp_path, without, []).read_bytes()


def test_work_that_was_done_twice_is_drawn_once(tmp_path: Path) -> None:
    lost = [row | {"policy_loss": 9.0, "step": row["step"] + 1} for row in metrics(12)[6:]]
    resumed = metrics(6) + lost + metrics(20)[6:]
    assert draw(tmp_path, resumed, []).read_bytes() == draw(tmp_path, metrics(20), []).read_bytes()


def test_two_threads_may_draw_at_once(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda folder: draw(folder, metrics(30), MATCHES), folders)
    assert png_size(first) == png_size(second) == (1200, 800)
