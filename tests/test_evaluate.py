"""Engines judged by perfect play: the table, the command, what a run measures while it trains, pictures of it."""

import dataclasses
import io
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from engine_help import CHESS, TINY, complaints, make_run, script

import games
from games.solved import NotSolved
from rlcore import checkpoint
from rlcore.metrics import Metrics
from rlcore.metrics import read as read_metrics
from selfplay.engines import EngineError
from selfplay.evaluate import EvaluateSettings, Judge, by_ply, compare, run, table
from selfplay.exact import Marks, ply_groups
from selfplay.loop import train
from selfplay.report import Report

TIC_TAC_TOE = games.load("tic_tac_toe")
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tic_tac_toe"
    make_run(folder, game="tic_tac_toe")
    return folder


def evaluated(engine: str, **settings) -> list[str]:
    return list(run(TIC_TAC_TOE, engine, EvaluateSettings(**settings)))


def row(lines: list[str], name: str) -> list[str]:
    line = next(line for line in lines if line.strip().startswith(name) and "%" in line)
    return line.replace("(", " ").split(name)[1].replace("%", " ").split()


def test_a_table_says_what_was_kept_and_how_surely() -> None:
    four = np.ones(4)
    marks = Marks(
        optimal=np.array([1.0, 0, 1, 0]),
        kept=np.array([1.0, 0, 1, 1]),
        given_away=np.array([0, 1.0, 0, 0]),
        at_stake=np.array([True, True, False, False]),
        ply=four,
    )
    line = table({"mine": marks}, whole=False)[-1]
    assert line.split() == ["mine", "75.0", "%", "(30.1-95.4)", "50.0", "%", "50.0", "%", "0.2500"]
    assert "(" not in table({"mine": marks}, whole=True)[-1]
    nowhere = marks._replace(at_stake=np.zeros(4, bool))
    assert table({"mine": nowhere}, whole=False)[-1].split()[4] == "-"


def test_all_but_one_of_thousands_is_not_all() -> None:
    many = np.ones(4520)
    one_missed = many.copy()
    one_missed[7] = 0.0
    marks = Marks(optimal=one_missed, kept=many, given_away=1 - many, at_stake=many > 0, ply=many)
    assert table({"mine": marks}, whole=False)[-1].split() == [
        "mine",
        "100.0",
        "%",
        "(99.9-100.0)",
        "100.0",
        "%",
        "99.9",
        "%",
        "0.0000",
    ]


def test_each_player_has_its_figures_by_plies() -> None:
    marks = Marks(
        optimal=np.array([1.0, 0, 1]),
        kept=np.array([1.0, 0, 1]),
        given_away=np.array([0, 0.5, 0]),
        at_stake=np.array([True, True, False]),
        ply=np.array([1, 1, 4]),
    )
    first, second = by_ply("mine", marks, whole=False)[1:]
    assert first.split() == ["ply", "1", "2", "50.0", "%", "(9.5-90.5)", "50.0", "%", "50.0", "%", "0.2500"]
    assert second.split() == ["ply", "4", "1", "100.0", "%", "(20.7-100.0)", "-", "100.0", "%", "0.0000"]


def test_neighbouring_plies_are_counted_together_where_there_are_many() -> None:
    assert [group.tolist() for group in ply_groups(np.array([3, 1, 1, 2]))] == [[1], [2], [3]]
    groups = ply_groups(np.arange(8, 33))
    assert len(groups) == 9
    assert groups[0].tolist() == [8, 9, 10]
    assert np.concatenate(groups).tolist() == list(range(8, 33))


def test_perfect_play_is_optimal_everywhere() -> None:
    lines = evaluated("perfect")
    assert lines[0] == "perfect play"
    assert lines[1] == "4,520 positions of tic_tac_toe, plies 0 to 8"
    assert lines[2] == "at stake: the share kept in the 3,191 where some move gives the result away"
    assert max(map(len, lines)) < 80
    assert row(lines, "perfect") == ["100.0", "100.0", "100.0", "0.0000"]


def test_random_moves_do_what_chance_does() -> None:
    lines = evaluated("random")
    chance, found = (row(lines, name) for name in ("a move by chance", "random"))
    assert float(found[0]) == pytest.approx(float(chance[0]), abs=2.0)
    assert float(found[-1]) == pytest.approx(float(chance[-1]), abs=0.02)


def test_a_run_is_judged_by_policy_and_searches_and_drawn(small_run, tmp_path) -> None:
    lines = evaluated(str(small_run), simulations=(1, 30), picture=tmp_path / "mine.png")
    assert lines[0] == f"{small_run} at 100 steps"
    quick, longer = (float(row(lines, name)[0]) for name in ("1 simulation", "30 simulations"))
    assert quick < longer
    assert lines[-1] == f"Drawn in {tmp_path / 'mine.png'}"
    assert (tmp_path / "mine.png").read_bytes()[:4] == PNG
    assert evaluated(str(small_run), simulations=(30,))[:4] == [*lines[:4]]
    assert (small_run / "evaluate.png").exists()


def test_the_search_without_a_network_can_be_judged() -> None:
    lines = evaluated("untrained", simulations=(10, 60))
    assert lines[0] == "the search without a network"
    assert float(row(lines, "10 simulations")[0]) < float(row(lines, "60 simulations")[0])


@pytest.mark.parametrize(
    ("game", "engine", "settings", "wrong"),
    [
        (CHESS, "random", EvaluateSettings(), "chess is not solved; the games that are: tic_tac_toe, connect_four"),
        (TIC_TAC_TOE, "nobody", EvaluateSettings(), "there is no file or folder nobody"),
        (TIC_TAC_TOE, "untrained", EvaluateSettings(simulations=(0,)), "simulations must be 1 to"),
        (TIC_TAC_TOE, "random", EvaluateSettings(picture=Path()), ". is a folder: name a file"),
        (TIC_TAC_TOE, "random", EvaluateSettings(picture=Path("no/such/x.png")), "cannot be written"),
    ],
)
def test_what_cannot_be_judged(game, engine, settings, wrong) -> None:
    with pytest.raises(EngineError, match=wrong):
        list(run(game, engine, settings))


# --- while a network trains ------------------------------------------------------------------------------------------


def test_the_judge_finds_what_the_command_finds(small_run) -> None:
    from selfplay.engines import load_network

    network, config, _ = load_network(TIC_TAC_TOE, small_run)
    other = load_network(TIC_TAC_TOE, small_run).network
    for weight in other.parameters():
        weight.data.zero_()
    judge = Judge(TIC_TAC_TOE, config, other)
    judge.take(network, 1)
    found = judge.totals()
    lines = evaluated(str(small_run))
    for name, column in (("policy", "policy alone"), ("search", "100 simulations")):
        shares = [100 * found[name].kept, 100 * found[name].kept_at_stake, 100 * found[name].optimal]
        assert [f"{share:.1f}" for share in shares] == row(lines, column)[:3]


def test_no_judge_knows_chess() -> None:
    with pytest.raises(NotSolved, match="chess is not solved"):
        Judge(CHESS, TINY, None)


@pytest.mark.parametrize("minutes", [0.01, 0.0])
def test_a_run_of_a_solved_game_tells_how_near_to_perfect_play_it_is(tmp_path, minutes) -> None:
    told = io.StringIO()
    config = dataclasses.replace(
        TINY,
        game="tic_tac_toe",
        run_dir=tmp_path,
        max_minutes=0.0,
        max_positions=300,
        strength_games=0,
        exact_minutes=minutes,
    )
    train(config, Report(stream=told, plain=True))
    rows = [row for row in read_metrics(tmp_path) if "exact/search/kept" in row]
    assert bool(rows) == bool(minutes)
    assert ("result kept, 100 sims" in told.getvalue()) == bool(minutes)
    if minutes:
        assert len(rows) >= 2  # the first weights and the last
        assert rows[0]["exact/steps"] == 0
        assert rows[0]["seconds"] < rows[-1]["seconds"]
        assert rows[0]["exact/search/kept"] > rows[0]["exact/policy/kept"] > 0.3
        assert rows[0]["exact/search/positions"] == 4520
        picture = tmp_path / "together.png"
        assert compare(TIC_TAC_TOE, [tmp_path] * 7, picture) == f"Drawn in {picture}"
        assert picture.read_bytes()[:4] == PNG


def test_runs_without_measurements_are_not_compared(tmp_path) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        compare(TIC_TAC_TOE, [tmp_path / "none"], tmp_path / "x.png")
    Metrics(tmp_path, tensorboard=False).write(1, {"loss": 1.0})
    (tmp_path / "config.json").write_text(dataclasses.replace(TINY, game="tic_tac_toe").to_json())
    with pytest.raises(EngineError, match="holds no measurements against perfect play"):
        compare(TIC_TAC_TOE, [tmp_path], tmp_path / "x.png")
    with pytest.raises(EngineError, match="was trained for tic_tac_toe, not for connect_four"):
        compare(games.load("connect_four"), [tmp_path], tmp_path / "x.png")
    with pytest.raises(EngineError, match="chess is not solved"):
        compare(CHESS, [tmp_path], tmp_path / "x.png")


def test_a_stop_does_not_wait_for_the_judge_and_the_checkpoint_comes_first(tmp_path, monkeypatch) -> None:
    """What an unfinished judgement would have said is not passed off as what was learned."""
    told = io.StringIO()
    waits = threading.Event()

    def judge(_judge, cancelled):
        waits.set()
        while not cancelled():
            time.sleep(0.01)
        raise InterruptedError

    monkeypatch.setattr(Judge, "totals", judge)
    threading.Thread(target=lambda: (waits.wait(60), time.sleep(2), os.kill(os.getpid(), signal.SIGINT))).start()
    config = dataclasses.replace(TINY, game="tic_tac_toe", run_dir=tmp_path, max_minutes=5.0, strength_games=0)
    train(config, Report(stream=told, plain=True))
    assert "Stopping after this round" in told.getvalue()
    assert "result kept" not in told.getvalue()
    assert not any("exact/steps" in row for row in read_metrics(tmp_path))
    newest = checkpoint.load_newest(tmp_path / "checkpoints")
    assert newest.state["learner"]["steps"] > 0


def test_the_command(small_run, tmp_path) -> None:
    done = script("evaluate.py", "--game", "tic_tac_toe", "--engine", str(small_run), "--simulations", "3")
    assert (done.returncode, complaints(done)) == (0, [])
    assert "3 simulations" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_command_says_what_is_wrong(tmp_path) -> None:
    for arguments in (["--game", "go"], ["--game", "chess"], ["--engine", "nobody"], ["--compare", "nobody"]):
        done = script("evaluate.py", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout.count("\n")) in ((2, 0), (2, 1))
        (line,) = complaints(done)
        assert line.startswith("evaluate: ")
