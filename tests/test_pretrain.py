"""Networks that are taught: opinions of real engines, games of files, and runs that learn from either."""

import io
import itertools
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from client_help import installed, rogue

import games
from agents.engine.board import Board
from agents.engine.clients import Line, _latest_thoughts
from rlcore.config import NetworkConfig, SearchConfig
from selfplay.audit import audit
from selfplay.config import ActorConfig, Config, ConfigError, LearnerConfig, LessonConfig
from selfplay.lessons import FIRST_LESSON_ID, TAUGHT, find_files, is_held_out, play_lesson, read_lessons
from selfplay.log import GameLog
from selfplay.report import Report
from selfplay.run import Run
from selfplay.taught import HELD_OUT, Taught, teach
from selfplay.teacher import CURVES, Curve, Teacher, policy_of

ROOT = Path(__file__).resolve().parent.parent
CHESS, SHOGI = games.load("chess"), games.load("shogi")
TINY = Config(
    max_minutes=0.0,
    strength_games=0,
    seed=3,
    runtime="torch",
    actor=ActorConfig(threads=1, games=4, max_plies=60, random_plies=50),
    search=SearchConfig(simulations=4, considered=4),
    network=NetworkConfig(blocks=1, channels=16, value_hidden=8),
    learner=LearnerConfig(
        batch_size=64, publish_steps=4, warmup_steps=2, root_value_share=1.0, learning_rate=0.01, reuse=16.0
    ),
)
QUICK = LessonConfig(nodes=50, multipv=4, threads=1, held_out=3, random_share=0.1)


class Lines:
    """Takes the place of a display; keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


# --- scores to targets -----------------------------------------------------------------------------------------------


def line(centipawns: float) -> Line:
    return Line(0, centipawns, None)


def test_the_policy_is_a_softmax_of_the_scores() -> None:
    shares = policy_of([line(30.0), line(-20.0), line(-70.0)], temperature=50.0)
    total = 1 + math.exp(-1) + math.exp(-2)
    assert shares == pytest.approx([1 / total, math.exp(-1) / total, math.exp(-2) / total])


def test_a_quick_mate_is_worth_more_than_a_slow_one_and_any_more_than_none() -> None:
    mate_in_1, mate_in_3, mate_in_40, mated_in_2 = 99_999.0, 99_997.0, 99_960.0, -99_998.0
    shares = policy_of([line(score) for score in (mate_in_1, mate_in_3, mate_in_40, 9_000.0, mated_in_2)], 100.0)
    assert shares[1] / shares[0] == pytest.approx(math.exp(-2))  # 100 centipawns a move
    assert shares[2] / shares[0] == pytest.approx(math.exp(-9))  # 3,000 centipawns, as all beyond ten moves
    assert shares[3] / shares[2] == pytest.approx(math.exp(-10))  # 2,000 at most without a mate
    assert shares[4] < 1e-12


def test_scores_become_win_draw_and_loss_by_a_logistic_curve() -> None:
    assert Curve(0.0, 600.0).wdl(600.0) == pytest.approx((1 / (1 + math.exp(-1)), 0.0, 1 / (1 + math.exp(1))))
    win, draw, loss = Curve(100.0, 50.0).wdl(50.0)
    assert (win, loss) == pytest.approx((1 / (1 + math.exp(1)), 1 / (1 + math.exp(3))))
    assert draw == pytest.approx(1 - win - loss)
    for curve in CURVES.values():
        assert curve.wdl(80.0) == pytest.approx(curve.wdl(-80.0)[::-1])
        assert curve.wdl(3900.0)[0] > 0.99


def test_what_an_engine_says_is_read_by_rank_and_newest_first() -> None:
    thoughts = _latest_thoughts(
        [
            "info string NNUE evaluation using a file",
            "info depth 1 seldepth 1 multipv 1 score cp 7 wdl 10 980 10 nodes 30 pv d2d4",
            "info depth 1 seldepth 1 multipv 2 score cp 5 nodes 30 pv a2a3",
            "info depth 2 seldepth 2 multipv 1 score cp 31 wdl 30 960 10 nodes 90 nps 900 pv e2e4 e7e5",
            "info depth 2 seldepth 2 multipv 2 score mate -3 nodes 90 pv g2g4 d8h4",
            "info depth 3 currmove e2e4 currmovenumber 1",
            "info depth 3 multipv 1 score cp 999 lowerbound nodes 95 pv a2a3",
            "info depth x score cp pv",
        ]
    )
    assert [(one.move, one.centipawns) for one in thoughts] == [("e2e4", 31.0), ("g2g4", -99_997.0)]
    assert [one.wdl for one in thoughts] == [(0.03, 0.96, 0.01), None]


# --- teachers --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stockfish():
    """Stockfish as a teacher."""
    teacher = Teacher(CHESS, replace(QUICK, teacher=installed("stockfish"), nodes=400))
    yield teacher
    teacher.close()


def test_stockfish_teaches_a_mate_in_one(stockfish) -> None:
    board = Board(CHESS, "6k1/5ppp/8/8/8/8/5PPP/R5K1 w - - 0 1")
    stockfish.begin(board)
    opinion = stockfish.opinion(board)
    assert CHESS.to_text(board.state, opinion.actions[0]) == "a1a8"
    assert len(opinion.actions) == 4
    assert opinion.weights[0] > 0.99
    assert opinion.wdl[0] > 0.99


def test_the_engine_s_own_chances_may_be_the_value() -> None:
    teacher = Teacher(CHESS, replace(QUICK, teacher=installed("stockfish"), value="wdl"))
    board = Board(CHESS)
    teacher.begin(board)
    win, draw, loss = teacher.opinion(board).wdl
    teacher.close()
    assert (win + draw + loss) == pytest.approx(1.0)
    assert draw > 0.9  # of which it is surer than any curve here
    assert CURVES["chess"].wdl(0.0)[1] < 0.9


def test_a_lesson_is_a_game_and_repeats_itself(stockfish) -> None:
    config = replace(stockfish.config, decided=1.0)
    first, second = (play_lesson(CHESS, stockfish, config, 7, 1, 60) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()
    assert (first.id, first.last_version) == (7, TAUGHT)
    board, random = Board(CHESS), 0
    for ply, action in enumerate(first.actions):
        assert not board.ending
        if ply in first.trained:
            actions, weights = first.policy(ply)
            assert set(actions.tolist()) <= set(board.legal)
            assert weights.sum() == pytest.approx(1.0, abs=0.01)
            assert first.wdl[ply].sum() == pytest.approx(1.0, abs=0.01)
            random += action not in actions
        board.play(int(action))
    opening = len(first.plies) - first.positions
    assert 0 <= opening <= QUICK.opening_plies
    assert first.trained.tolist() == list(range(opening, len(first.plies)))
    assert random > 0
    assert first.ending == (board.ending or CHESS.Ending.MAX_PLIES)


def test_most_games_end_when_they_are_decided_and_some_are_played_on(stockfish) -> None:
    config = replace(stockfish.config, decided=0.6, played_on=0.0)
    record = play_lesson(CHESS, stockfish, config, 7, 1, 60)
    assert record.ending == CHESS.Ending.RESIGNATION
    best = record.wdl[record.trained][:, (0, 2)].max(axis=1)
    assert (best[-4:] > 0.6).all()
    assert best[-5] <= 0.6  # ends as soon as it can
    win, _, loss = record.wdl[-1]
    assert record.value == (-1.0 if win > loss else 1.0)  # for the side to move after the last ply
    further = play_lesson(CHESS, stockfish, replace(config, played_on=1.0), 7, 1, 60)
    assert len(further.plies) > len(record.plies)
    assert further.actions[: len(record.plies)].tolist() == record.actions.tolist()


def test_a_shogi_engine_teaches_by_usi() -> None:
    teacher = Teacher(SHOGI, replace(QUICK, teacher=installed("fairy-stockfish"), temperature=150.0))
    record = play_lesson(SHOGI, teacher, teacher.config, 1, 1, 30)
    teacher.close()
    assert record.positions > 10
    assert max(len(record.policy(ply)[0]) for ply in record.trained) == 4
    assert record.wdl[record.trained][:, 1].max() < 0.01  # nearly nothing is drawn


@pytest.mark.parametrize(
    ("mode", "wrong"),
    [
        ("honest", "gave no score for any move"),  # it shows no line of play
        ("crash 1", "the queen fell off the table"),
        ("dead", "cannot find my network"),
    ],
)
def test_a_teacher_that_cannot_teach_is_one_line(tmp_path, mode: str, wrong: str) -> None:
    display = Report(io.StringIO(), plain=True)
    with pytest.raises(ConfigError) as caught:
        teach(replace(TINY, run_dir=tmp_path / "run"), replace(QUICK, teacher=rogue(mode)), display)
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_teacher_is_no_game_file_and_no_cluster(tmp_path) -> None:
    for lessons in (QUICK, replace(QUICK, teacher="stockfish", games=("a.pgn",))):
        with pytest.raises(ConfigError, match="name a --teacher, such as stockfish, or files"):
            teach(TINY, lessons, Report(io.StringIO()))
    with pytest.raises(ConfigError, match="learned in one process"):
        teach(replace(TINY, actors=2), replace(QUICK, teacher="stockfish"), Report(io.StringIO()))


# --- games of files --------------------------------------------------------------------------------------------------

PGN = """[Result "1-0"]

1. e4 e5 2. Bc4 Nc6 3. Qh5 Nf6 4. Qxf7# 1-0

[Result "0-1"]

1. e4 e5 2. Ke4 0-1

[Result "0-1"]

1. d4 d5 2. c4 {a comment} e6 (2... c6) 0-1

[Result "*"]

1. d4 d5 *

[Result "1-0"]
[FEN "4k3/8/8/8/8/8/8/4KQ2 w - - 0 1"]

1. Qf5 1-0

[Result "1/2-1/2"]

1. c4 c5 1/2-1/2

[Result "1/2-1/2"]

1. c4 c5 1/2-1/2

[Result "0-1"]

1. e4 e5 2. Bc4 Nc6 3. Qh5 Nf6 4. Qxf7# 0-1
"""

CSA = """V2.2
N+A
PI
+
+7776FU
-3334FU
%TORYO
/
PI
+
+7776FU
-3334FU
+7776FU
%TORYO
/
PI
+
+2726FU
%TORYO
"""


def read(game, path: Path, **settings):
    left_out: list[str] = []
    files = find_files(game, [str(path)])
    return list(read_lessons(game, files, replace(QUICK, **settings), left_out.append)), left_out


def test_games_of_a_pgn_are_lessons_and_bad_ones_are_named(tmp_path) -> None:
    (tmp_path / "games.pgn").write_text(PGN, encoding="utf-8")
    lessons, left_out = read(CHESS, tmp_path, smoothing=0.1)
    mate, resigned, drawn, again = lessons
    assert [len(lesson.plies) for lesson in lessons] == [7, 4, 2, 2]
    assert drawn.id == again.id
    assert len({lesson.id for lesson in lessons}) == 3
    assert min(lesson.id for lesson in lessons) >= FIRST_LESSON_ID
    assert [(lesson.ending, lesson.value) for lesson in (mate, resigned, drawn)] == [
        (CHESS.Ending.CHECKMATE, -1.0),
        (CHESS.Ending.RESIGNATION, -1.0),
        (CHESS.Ending.AGREEMENT, 0.0),
    ]
    assert mate.wdl.tolist() == [[1, 0, 0], [0, 0, 1]] * 3 + [[1, 0, 0]]  # for whoever is to move
    actions, weights = mate.policy(0)
    assert len(actions) == 20
    expected = {action: 0.1 / 20 + 0.9 * (action == mate.actions[0]) for action in actions.tolist()}
    assert dict(zip(actions.tolist(), weights.tolist(), strict=True)) == pytest.approx(expected, abs=1e-3)
    numbers = [why.partition("games.pgn, ")[2] for why in left_out]
    assert [why.partition(":")[0] for why in numbers] == ["game 2", "game 4", "game 5", "game 8"]
    assert "Ke4" in numbers[0]
    assert numbers[1:] == [
        "game 4: it has no result",
        "game 5: it begins from another position than the usual one",
        "game 8: its result is not that of its last position",
    ]


def test_games_of_csa_are_lessons(tmp_path) -> None:
    (tmp_path / "games.csa").write_text(CSA, encoding="utf-8")
    lessons, left_out = read(SHOGI, tmp_path / "games.csa")
    assert [len(lesson.plies) for lesson in lessons] == [2, 1]
    assert [lesson.value for lesson in lessons] == [-1.0, -1.0]
    assert [lesson.ending for lesson in lessons] == [SHOGI.Ending.RESIGNATION] * 2
    assert lessons[0].wdl.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert len(left_out) == 1
    assert "game 2: " in left_out[0]
    assert "7776FU" in left_out[0]


def test_files_that_are_not_there_are_one_line(tmp_path) -> None:
    for game, name, wrong in [
        (CHESS, "none.pgn", "there is no file"),
        (CHESS, "", r"there is no \.pgn file in"),
        (CHESS, "games.csa", r"is no file of games of chess: \.pgn"),
        (games.load("tic_tac_toe"), "a.pgn", "no files of games of tic_tac_toe to learn from, only of chess and shogi"),
    ]:
        with pytest.raises(ConfigError, match=wrong):
            find_files(game, [str(tmp_path / name)])


# --- runs ------------------------------------------------------------------------------------------------------------


def open_run(folder: Path, lessons: LessonConfig | None) -> Run:
    config, display = replace(TINY, run_dir=folder), Lines()
    if lessons is None:
        return Run(CHESS, config, display)
    return Run(CHESS, config, display, lambda past: Taught(CHESS, config, lessons, past, display.line))


def learn(run: Run, steps: int) -> list[float]:
    """Rounds until there have been so many steps; returns the policy's losses, as shares of the uniform policy's."""
    losses, deadline = [], time.monotonic() + 600
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:  # as the loop does
        while run.steps < steps and not run.crew.is_done and time.monotonic() < deadline:
            _, loss = run.round(pool)
            if loss is not None:
                losses.append(loss.policy_loss / loss.uniform_loss)
    return losses


@pytest.fixture(scope="module")
def lessons() -> LessonConfig:
    return replace(QUICK, teacher=f"{installed('stockfish')},Hash=1")


def test_a_tiny_run_learns_and_what_is_held_out_is_not_trained_on(tmp_path, lessons) -> None:
    run = open_run(tmp_path / "run", lessons)
    losses = learn(run, 80)
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])
    marks = run.crew.examine()
    assert marks.agreement > 1.2 * marks.chance
    run.close()
    for name, held_out in (("games.log", False), (HELD_OUT, True)):
        with GameLog(tmp_path / "run" / name, "chess", read_only=True) as log:
            assert log.games > 0
            assert {is_held_out(number, lessons) for number in log.ids} == {held_out}
    assert run.log.positions == run.crew.trainer.window.total


def test_a_run_that_was_killed_goes_on_with_the_lessons_it_has_not_had(tmp_path, lessons) -> None:
    run = open_run(tmp_path / "run", lessons)
    learn(run, 12)
    run.save(1.0)
    learn(run, 20)
    before = run.log.ids | run.crew.held_out.ids
    run.close()  # with lessons under way, and steps that no checkpoint has
    again = open_run(tmp_path / "run", lessons)
    assert 12 <= again.steps < 20
    assert again.crew.trainer.learner.steps_due() > 0
    learn(again, again.steps + 20)
    after = sorted(again.log.ids | again.crew.held_out.ids)
    again.close()
    assert before < set(after)
    assert after == list(range(FIRST_LESSON_ID, FIRST_LESSON_ID + len(after)))  # none is missing, none came twice
    assert not audit(tmp_path / "run", ended=False).faults


def test_self_play_goes_on_from_lessons_and_lessons_from_self_play(tmp_path, lessons) -> None:
    run = open_run(tmp_path / "run", lessons)
    learn(run, 10)
    run.save(1.0)
    taught, steps = set(run.log.ids), run.steps
    run.close()
    own = open_run(tmp_path / "run", None)
    assert own.steps == steps
    with ThreadPoolExecutor(3, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for _ in range(5):
            own.round(pool)
    own.save(1.0)
    going_on, steps = own.crew.in_progress()[0], own.steps
    own.close()
    assert max(record.id for record in going_on) < FIRST_LESSON_ID
    assert all(record.positions == 5 for record in going_on)  # none begins with random moves: it knows something
    more = open_run(tmp_path / "run", lessons)
    assert more.steps == steps
    assert [record.to_bytes() for record in more.crew.in_progress()[0]] == [record.to_bytes() for record in going_on]
    learn(more, more.steps + 5)
    assert more.log.ids > taught
    more.close()


def test_lessons_of_files_come_to_an_end(tmp_path) -> None:
    openings = [f"{a} {b}" for a, b in itertools.product(("e4", "d4", "c4", "Nf3"), ("e5", "d5", "c5", "Nf6"))]
    pgn = "".join(f'[Result "1-0"]\n\n1. {moves} 1-0\n\n' for moves in openings if moves != "Nf3 e5")
    (tmp_path / "games.pgn").write_text(pgn, encoding="utf-8")
    files = replace(QUICK, games=(str(tmp_path / "games.pgn"),), held_out=10_000)
    run = open_run(tmp_path / "run", files)
    learn(run, 10**6)
    assert run.crew.is_done
    assert run.log.positions == 2 * 15
    assert run.steps == 16 * 30 // 64  # reuse times positions, by batches
    run.save(1.0)
    run.close()
    assert "lesson" in (tmp_path / "run" / "games.pgn").read_text(encoding="utf-8")
    again = open_run(tmp_path / "run", files)
    learn(again, 10**6)
    assert (again.log.games, again.steps) == (15, run.steps)
    again.close()


# --- the command -----------------------------------------------------------------------------------------------------

FLAGS = """
    --nodes 50 --held-out 3 --strength-games 0 --checkpoint-minutes 0.01
    --network.blocks 1 --network.channels 8 --network.value-hidden 8 --learner.batch-size 32 --search.simulations 4
"""


@pytest.mark.slow
def test_the_command_survives_a_kill_and_self_play_goes_on(tmp_path) -> None:
    def command(script: str, *more: str) -> list[str]:
        return [sys.executable, str(ROOT / "scripts" / script), "--run-dir", str(tmp_path / "run"), *more]

    first = subprocess.Popen(command("pretrain.py", "--teacher", installed("stockfish"), *FLAGS.split()))
    saved = tmp_path / "run" / "checkpoints" / "000003"
    deadline = time.monotonic() + 600
    while not saved.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = audit(tmp_path / "run", ended=False)
    assert not before.faults
    told = subprocess.run(command("pretrain.py", "--max-minutes", "0.1"), capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "taught by Stockfish" in told.stdout
    assert "its likeliest move is the lesson's in" in told.stdout
    assert "scripts/pretrain.py --game chess --run-dir" in told.stdout  # how to go on
    assert "nothing more to learn" not in told.stdout  # the time was up
    taught = audit(tmp_path / "run", before.ids)
    assert not taught.faults
    assert taught.ids > before.ids
    told = subprocess.run(command("selfplay.py", "--max-minutes", "0.1"), capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert not audit(tmp_path / "run", taught.ids).faults


@pytest.mark.slow
def test_the_command_says_what_is_missing(tmp_path) -> None:
    told = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "pretrain.py"), "--run-dir", str(tmp_path / "run")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 2
    assert told.stderr.startswith("pretrain: name a --teacher, such as stockfish")
    assert not (tmp_path / "run").exists()
