"""The loop, end to end on a tiny network: what it writes, that it repeats itself, and that a kill loses nothing."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from evaluator_help import Whim

import games
from games.solved import SOLVED
from rlcore import checkpoint
from rlcore.config import NetworkConfig, SearchConfig
from rlcore.game import new_history
from rlcore.metrics import read as read_metrics
from selfplay.config import ActorConfig, Config, ConfigError, LearnerConfig, read_config
from selfplay.gamefile import GameFile
from selfplay.log import GameLog
from selfplay.loop import Loop
from selfplay.record import RecordBuilder
from selfplay.window import Window

ROOT = Path(__file__).resolve().parent.parent
TINY = Config(
    max_minutes=0.0,
    strength_games=0,
    seed=3,
    actor=ActorConfig(threads=2, games=8, max_plies=60, random_plies=50),
    search=SearchConfig(simulations=4, considered=4),
    network=NetworkConfig(blocks=1, channels=8, value_hidden=8),
    learner=LearnerConfig(batch_size=32, publish_steps=4, warmup_steps=2),
)
FLAGS = """
    --strength-games 0 --seed 3 --checkpoint-minutes 0.01
    --actor.threads 2 --actor.games 8 --actor.max-plies 60 --actor.random-plies 50
    --search.simulations 4 --search.considered 4
    --network.blocks 1 --network.channels 8 --network.value-hidden 8
    --learner.batch-size 32 --learner.publish-steps 4 --learner.warmup-steps 2
"""


class Lines:
    """Takes the place of a display; keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


every_game = pytest.mark.parametrize(
    "played", [pytest.param(name, marks=pytest.mark.slow) if name in SOLVED else name for name in games.GAMES]
)
"""The small games for two are much alike: they are tested with the slow ones."""
one_game_now = pytest.mark.parametrize(
    "played", [games.GAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in games.GAMES[1:])]
)
"""For tests of real runs, which take ten seconds each: all games are tested with the slow ones."""


def open_run(folder: Path, config: Config = TINY):
    from selfplay.run import Run

    return Run(games.load(config.game), replace(config, run_dir=folder), Lines())


def play(run, rounds: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        for _ in range(rounds):
            run.round(pool)


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "selfplay.py"), "--run-dir", str(folder), *FLAGS.split(), *more]


@every_game
def test_a_run_repeats_itself_from_its_seed(tmp_path, played):
    runs = [open_run(tmp_path / name, replace(TINY, game=played)) for name in "ab"]
    for run in runs:
        play(run, 40)
    records = [list(run.log.records()) for run in runs]
    assert len(records[0]) > 5
    key = [sorted((r.id, r.to_bytes()) for r in group) for group in records]
    assert key[0] == key[1]
    weights = [run.crew.trainer.learner.average.state_dict() for run in runs]
    assert runs[0].crew.trainer.learner.steps == runs[1].crew.trainer.learner.steps > 10
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    for run in runs:
        run.close()


RESIGNATION = games.load("chess").Ending.RESIGNATION
QUICK = ActorConfig(
    threads=2, games=8, max_plies=60, random_plies=50, full_share=0.4, quick_simulations=2, resign=0.3, resign_moves=2
)


def test_where_one_walks_alone_nobody_gives_up(tmp_path):
    config = replace(TINY, game="grid_world", actor=QUICK)
    with pytest.raises(ConfigError, match=r"actor\.resign must be 0 in grid_world: there is nobody to give up to"):
        open_run(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("actor", "runtime"), [(TINY.actor, "auto"), (TINY.actor, "torch"), (QUICK, "auto")], ids=["", "torch", "quick"]
)
@every_game
def test_a_saved_run_goes_on_as_if_it_had_not_stopped(tmp_path, actor, runtime, played):
    """Games, steps and weights are bit for bit those of a run without a break."""
    resign = 0.0 if played == "grid_world" else actor.resign  # there is nobody to give up to
    config = replace(TINY, game=played, actor=replace(actor, resign=resign), runtime=runtime)
    whole, parted = open_run(tmp_path / "whole", config), open_run(tmp_path / "parted", config)
    if actor is QUICK:  # sides give up
        whole.crew.evaluators, parted.crew.evaluators = ([Whim(), Whim()] for _ in range(2))
    play(whole, 40)
    play(parted, 20)
    parted.save(0.0)
    parted.close()
    parted = open_run(tmp_path / "parted", config)
    assert parted.resumed_from == "000001"
    if actor is QUICK:
        parted.crew.evaluators = [Whim(), Whim()]
    play(parted, 20)
    assert {r.id: r.actions.tolist() for r in whole.log.records()} == {
        r.id: r.actions.tolist() for r in parted.log.records()
    }
    assert any(r.ending == games.load(played).Ending.RESIGNATION for r in whole.log.records()) == (resign > 0.0)
    assert whole.crew.trainer.learner.steps == parted.crew.trainer.learner.steps
    mine, other = whole.crew.trainer.learner.network.state_dict(), parted.crew.trainer.learner.network.state_dict()
    assert all((mine[name] == other[name]).all() for name in mine)
    whole.close()
    parted.close()


@pytest.mark.parametrize(
    "share", [pytest.param(0.0, marks=pytest.mark.slow), 0.5, pytest.param(1.0, marks=pytest.mark.slow)]
)
def test_a_share_of_all_games_begins_with_random_moves_that_are_not_trained_on(tmp_path, share):
    actor = replace(TINY.actor, max_plies=42, random_plies=8, random_share=share)
    run = open_run(tmp_path, replace(TINY, game="connect_four", actor=actor))
    play(run, 150)
    records = [record for record in run.log.records() if record.id >= 16]  # after the very first games
    opened = [int((record.plies["trained"] == 0).sum()) for record in records]
    assert len(records) > 40
    for record, plies in zip(records, opened, strict=True):
        assert not record.plies["trained"][:plies].any()
    assert max(opened) == (8 if share else 0)
    assert np.mean(np.array(opened) > 0) == pytest.approx(share * 8 / 9, abs=0.15)
    run.close()


@every_game
def test_every_record_can_be_replayed_and_ends_as_it_says(tmp_path, played):
    game = games.load(played)
    run = open_run(tmp_path, replace(TINY, game=played))
    play(run, 60)
    seen = 0
    for record in run.log.records():
        seen += 1
        book = new_history(game, 1, len(record.actions) + 1)
        game.begin(book, 0, record.seed)
        slot = np.zeros(1, np.int32)
        legal, counts = np.zeros((1, game.MAX_LEGAL), np.uint16), np.zeros(1, np.int32)
        endings, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
        for ply, action in enumerate(record.actions):
            game.judge(book, slot, TINY.actor.max_plies, legal, counts, endings, values)
            assert endings[0] == 0, "the game went on after its end"
            assert action in legal[0, : counts[0]]
            actions, weights = record.policy(ply)
            assert set(actions.tolist()) <= set(legal[0, : counts[0]].tolist())
            if record.plies["trained"][ply]:
                assert weights.sum() == pytest.approx(1, abs=0.02)
                assert record.wdl[ply].sum() == pytest.approx(1, abs=0.01)
            game.advance(book, slot, np.array([action], np.uint16))
        game.judge(book, slot, TINY.actor.max_plies, legal, counts, endings, values)
        assert (endings[0], values[0]) == (record.ending, record.value)
    assert seen > 10
    run.close()


@pytest.mark.parametrize(
    ("ending", "value", "ply_limit_value", "target"),
    [
        ("CHECKMATE", -1.0, "none", [0.6, 0.15, 0.25]),  # whoever moved last has won
        ("STALEMATE", 0.0, "none", [0.1, 0.65, 0.25]),
        ("RESIGNATION", 1.0, "none", [0.1, 0.15, 0.75]),  # whoever moved last has given up
        ("MAX_PLIES", 0.0, "none", [0.2, 0.3, 0.5]),  # nothing known but the root's value
        ("MAX_PLIES", 0.0, "draw", [0.1, 0.65, 0.25]),
    ],
)
def test_the_value_target_mixes_result_and_root_value(ending, value, ply_limit_value, target):
    game = games.load("chess")
    config = LearnerConfig(batch_size=16, root_value_share=0.5, ply_limit_value=ply_limit_value)
    builder = RecordBuilder(0, 0, 0)
    states = np.zeros(1, game.STATE)
    game.init(states[0], 0)
    builder.add(game.from_text(states[0], "e2e4"))
    game.apply(states[0], builder.actions[0])
    replies = [game.from_text(states[0], move) for move in ("e7e5", "c7c5")]
    builder.add(replies[0], replies, [0.75, 0.25], (0.2, 0.3, 0.5), 4, True)
    window = Window(game, config, 1, 100)
    window.add([builder.finish(value, int(game.Ending[ending]), 0)])
    samples = window.sample(np.random.default_rng(0))
    assert samples.wdl == pytest.approx(np.tile(target, (16, 1)), abs=2e-3)
    legal = samples.batch.actions[0, : samples.batch.counts[0]].tolist()
    assert len(legal) == 20
    assert samples.policy[0, legal.index(replies[0])] == pytest.approx(0.75)
    assert samples.policy[0, legal.index(replies[1])] == pytest.approx(0.25)


@pytest.mark.parametrize("full_share", [pytest.param(1.0, marks=pytest.mark.slow), 0.6])
def test_each_position_is_trained_on_about_four_times(tmp_path, full_share):
    """Moves of a quick search are no positions to train on."""
    run = open_run(tmp_path, replace(TINY, actor=replace(QUICK, full_share=full_share, resign=0.0)))
    play(run, round(120 / full_share))
    made, trained = run.crew.trainer.window.total, run.crew.trainer.learner.steps * TINY.learner.batch_size
    assert made > 1000
    assert trained == pytest.approx(4 * made, rel=0.1)
    run.close()


def test_quick_moves_are_searched_quickly_and_not_trained_on(tmp_path):
    run = open_run(tmp_path, replace(TINY, actor=QUICK))
    play(run, 120)
    records = list(run.log.records())
    plies = np.concatenate([record.plies for record in records])
    searched = plies[plies["simulations"] > 0]
    full = searched["trained"] == 1
    assert len(searched) > 1000
    assert full.mean() == pytest.approx(0.4, abs=0.05)
    assert set(searched["simulations"][full]) == {4}
    assert set(searched["simulations"][~full]) == {2}
    assert not searched["entries"][~full].any()
    assert (searched["wdl"][~full].sum(axis=1) > 0.9).all()  # their values are known: giving up needs them
    assert run.crew.trainer.window.total == run.log.positions == int((plies["trained"] == 1).sum())
    in_progress = sum(r.positions for actor in run.crew.actors for r in actor.games_in_progress()[0])
    assert run.positions == run.log.positions + in_progress == sum(actor.positions for actor in run.crew.actors)
    run.close()


def test_a_quick_search_may_not_be_the_longer_one():
    with pytest.raises(ValueError, match="quick_simulations"):
        replace(TINY, actor=replace(QUICK, quick_simulations=5))
    for bad in ({"full_share": 0.0}, {"full_share": 1.1}, {"resign": 0.5}, {"resign_check": 2.0}, {"resign_moves": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            ActorConfig(**bad)


@pytest.mark.parametrize(("cores", "device", "threads"), [(1, "cpu", 1), (2, "cpu", 1), (3, "cpu", 2), (64, "cpu", 4),
                                                          (1, "cuda", 2), (2, "cuda", 2), (64, "cuda", 4)])  # fmt: skip
def test_a_gpu_gets_two_groups_of_games_at_least(monkeypatch, cores, device, threads):
    from selfplay import crew

    monkeypatch.setattr(crew, "cores", lambda: cores)
    assert crew.best_threads(SimpleNamespace(type=device)) == threads


def test_a_run_reports_who_waits_for_whom_and_how_often_giving_up_was_wrong(tmp_path):
    """By the loop's own counters, with an evaluator that has a cache."""
    import io

    from selfplay.loop import Loop
    from selfplay.report import Report

    actor = replace(QUICK, random_plies=20, resign_check=0.5)
    with Report(io.StringIO()) as report:
        run = open_run(tmp_path, replace(TINY, actor=actor, max_positions=100_000, max_minutes=1.0))
        run.crew.evaluators = [Whim(), Whim()]
        loop = Loop(run, report)
        loop._tell()
        for _ in range(60):
            play(run, 1)
            loop._tell()
        for status in (loop.status(), loop.status(whole=True)):
            assert sum(status.shares[name] for name in ("evaluate", "tree", "rest", "idle")) == pytest.approx(
                1, abs=0.02
            )
            assert status.cache_hits == pytest.approx(0.25)
            assert status.most_fill == pytest.approx(0.5, abs=0.05)  # two searches share the games of a ply
            assert 0.3 * status.most_fill < status.batch_fill <= status.most_fill
            assert status.moves_per_second * 0.4 == pytest.approx(status.positions_per_second, rel=0.2)
            assert status.positions == status.new_positions == run.positions
            assert 0 < status.seconds_left < 60
            assert status.steps_due >= 0
        made_to_play_on = [record for record in run.log.records() if record.ending != RESIGNATION]
        assert 0 < status.resign_checks <= len(made_to_play_on)
        assert status.resign_low <= status.resign_mistakes <= status.resign_high
        mistakes = list(run.mistakes)
        run.close()
        results = dict(
            re.findall(r'\[Round "(\d+)"\].*?\[Result "([^"]+)"\]', (tmp_path / "games.pgn").read_text(), re.S)
        )
        resigned = [record for record in run.log.records() if record.ending == RESIGNATION]
        assert resigned
        for record in resigned:  # whoever moved last has lost
            assert results[str(record.id)] == ("0-1" if len(record.plies) % 2 == 1 else "1-0")
        again = open_run(tmp_path, replace(TINY, actor=actor))  # known from the log alone
        assert list(again.mistakes) == mistakes
        again.close()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_first_loss_is_that_of_knowing_nothing(tmp_path, optimizer):
    """Uniform over the legal moves, and ln 3 for win, draw, loss; then both optimizers go down from there."""
    learner = replace(TINY.learner, optimizer=optimizer, learning_rate=0.02, reuse=0.0, ply_limit_value="draw")
    run = open_run(tmp_path, replace(TINY, learner=learner))
    play(run, 60)
    assert run.crew.trainer.learner.steps == 0
    first = run.crew.trainer.learner.train(run.crew.trainer.window, 1)
    assert first.policy_loss == pytest.approx(first.uniform_loss, abs=1e-3)
    assert first.policy_entropy == pytest.approx(first.uniform_loss, abs=1e-3)
    assert first.value_loss == pytest.approx(np.log(3), abs=1e-3)
    run.crew.trainer.learner.train(run.crew.trainer.window, 60)
    later = run.crew.trainer.learner.train(run.crew.trainer.window, 10)
    assert later.value_loss < first.value_loss - 0.02
    run.close()


def test_the_window_lets_go_of_old_games(tmp_path):
    config = replace(TINY, learner=replace(TINY.learner, window_min=300, window_max=400))
    run = open_run(tmp_path, config)
    play(run, 120)
    assert run.crew.trainer.window.total > 1000
    assert 300 <= run.crew.trainer.window.positions <= 400 + 60
    run.close()


def test_another_network_in_an_old_folder_is_refused(tmp_path):
    open_run(tmp_path).close()
    with pytest.raises(ConfigError, match="network"):
        open_run(tmp_path, replace(TINY, network=NetworkConfig(blocks=2, channels=8)))


def test_another_network_is_refused_where_the_settings_were_lost(tmp_path):
    """The checkpoint has them too; it was a traceback of torch's."""
    run = open_run(tmp_path)
    run.save(0.0)
    run.close()
    (tmp_path / "config.json").unlink()
    for change in ({"history": 2}, {"network": NetworkConfig(blocks=2, channels=8)}):
        with pytest.raises(ConfigError, match=f"holds a run with {next(iter(change))}"):
            open_run(tmp_path, replace(TINY, **change))
    open_run(tmp_path).close()
    assert read_config(tmp_path / "config.json") == replace(TINY, run_dir=None)


def test_a_network_that_does_not_fit_into_memory_is_one_line(tmp_path):
    flags = ["--network.channels", "100000"]
    done = subprocess.run([*command(tmp_path), *flags], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert re.fullmatch("selfplay: there is not enough memory .*network.*\n", done.stderr), done.stderr


def test_settings_round_trip(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(TINY.to_json())
    assert read_config(path) == TINY
    path.write_text(path.read_text().replace('"seed"', '"sead"'))
    with pytest.raises(ConfigError, match="sead"):
        read_config(path)


@pytest.mark.slow
def test_fewer_slots_and_a_lower_ply_limit_lose_no_game_in_progress(tmp_path):
    run = open_run(tmp_path)
    play(run, 12)
    run.save(0.0)
    before = {record.id for actor in run.crew.actors for record in actor.games_in_progress()[0]}
    run.close()
    fewer = replace(TINY, actor=ActorConfig(threads=1, games=3, max_plies=30, random_plies=5))
    run = open_run(tmp_path, fewer)
    assert {record.id for actor in run.crew.actors for record in actor.games_in_progress()[0]} == before
    run.save(0.0)
    play(run, 400)
    assert before <= run.log.ids
    run.close()


@pytest.mark.slow
def test_a_larger_batch_after_a_resume_does_not_stop_the_learner(tmp_path):
    run = open_run(tmp_path)
    play(run, 60)
    run.save(0.0)
    steps = run.crew.trainer.learner.steps
    run.close()
    run = open_run(tmp_path, replace(TINY, learner=replace(TINY.learner, batch_size=64)))
    play(run, 60)
    assert run.crew.trainer.learner.steps > steps + 5
    run.close()


def test_a_refused_start_leaves_the_settings_alone(tmp_path):
    run = open_run(tmp_path)
    before = (tmp_path / "config.json").read_text()
    done = subprocess.run([*command(tmp_path), "--seed", "9"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert (tmp_path / "config.json").read_text() == before
    run.close()


def test_another_optimizer_is_refused(tmp_path):
    open_run(tmp_path).close()
    with pytest.raises(ConfigError, match="optimizer"):
        open_run(tmp_path, replace(TINY, learner=replace(TINY.learner, optimizer="sgd")))


def test_a_lost_log_is_said(tmp_path):
    run = open_run(tmp_path)
    play(run, 40)
    run.save(0.0)
    run.close()
    (tmp_path / "games.log").unlink()
    again = open_run(tmp_path)
    assert len([line for line in again.report.lines if "holds 0 games" in line]) == 1
    again.close()
    assert (tmp_path / "games.pgn").read_text() == ""


@pytest.mark.parametrize("text", ["[]", "{", '{"actor": 5}', '{"search": {"c_visit": null}}', '{"seed": "x"}'])
def test_a_broken_config_file_is_one_line(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("selfplay: ")
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_run_of_no_time_ends_well(tmp_path):
    done = subprocess.run([*command(tmp_path), "--max-minutes", "0.00001"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# --- the real command ------------------------------------------------------------------------------------------------


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def newest(folder: Path):
    return checkpoint.load_newest(folder / "checkpoints", framework="numpy")


@one_game_now
def test_kill_9_in_mid_iteration_loses_nothing(tmp_path, played):
    """Killed several times at odd moments: counters, replay and optimizer go on, no game is missing or twice."""
    kills = 3 if played == games.GAMES[0] else 2
    logged: set[int] = set()
    games_before = steps_before = 0
    for attempt in range(kills):
        flags = command(tmp_path, "--game", played)
        process = subprocess.Popen(flags, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log = tmp_path / "games.log"
        start = log.stat().st_size if log.exists() else 0
        wait_for(lambda start=start, log=log: log.exists() and log.stat().st_size > start + 20_000)
        time.sleep(0.3 + 0.37 * attempt)
        process.kill()
        output = process.communicate()[0]
        if attempt:
            assert "Resuming" in output, output
            said = re.search(r"checkpoint (\d+): ([\d,]+) games, ([\d,]+) steps", output)
            assert said, output
            assert int(said[2].replace(",", "")) == games_before
            assert int(said[3].replace(",", "")) == steps_before
        with GameLog(log, played, read_only=True) as reader:
            ids = [record.id for record in reader.records()]
            assert len(ids) == len(set(ids)), "a game stands in the log twice"
            assert logged <= set(ids), "a finished game was lost"
            logged, games_before = set(ids), len(ids)
        saved = newest(tmp_path)
        assert saved is not None
        steps_before = saved.state["learner"]["steps"]
    run = open_run(tmp_path, replace(TINY, game=played))
    assert run.log.games == games_before
    assert run.crew.trainer.window.total == run.log.positions
    assert run.crew.trainer.learner.steps == steps_before
    optimizer = run.crew.trainer.learner.save()[0]["optimizer"]
    saved = newest(tmp_path)
    assert set(optimizer) == set(saved.tensors["optimizer"])
    assert all(np.array_equal(optimizer[name].numpy(), saved.tensors["optimizer"][name]) for name in optimizer)
    play(run, 60)  # games that were lost in progress are played again: in the end no number is missing
    for index, actor in enumerate(run.crew.actors):
        progress = {record.id for record in actor.games_in_progress()[0]}
        dealt = range(index, max(number for number in run.log.ids | progress if number % 2 == index), 2)
        assert all(number in run.log.ids or number in progress for number in dealt)
    run.close()


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_one_line(tmp_path, damage):
    run = open_run(tmp_path)
    for _ in range(2):
        play(run, 15)
        run.save(0.0)
    run.close()
    weights = tmp_path / "checkpoints" / "000002" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 4
    weights.write_bytes(data[: len(data) // 3] if damage == "truncated" else data)
    again = open_run(tmp_path)
    assert again.resumed_from == "000001"
    assert len([line for line in again.report.lines if "000002" in line and "000001" in line]) == 1
    play(again, 3)
    again.save(0.0)
    assert newest(tmp_path).name == "000002"
    again.close()


def test_one_ctrl_c_finishes_and_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: (tmp_path / "games.log").exists() and (tmp_path / "games.log").stat().st_size > 5000)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert "go on training" in output
    assert "Traceback" not in output
    saved = newest(tmp_path)
    with GameLog(tmp_path / "games.log", "chess", read_only=True) as log:
        assert saved.state["games"] == log.games


@one_game_now
def test_a_time_limit_ends_the_run_with_everything_in_its_place(tmp_path, played):
    done = subprocess.run(
        [*command(tmp_path), "--game", played, "--max-minutes", "0.08", "--strength-games", "4"],
        capture_output=True, text=True, timeout=300, env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    game = games.load(played)
    text_file = f"games.{game.FILE_SUFFIX}"
    files = ("config.json", "games.log", text_file, "metrics.jsonl", "progress.png", "network.safetensors")
    for name in (*files, "checkpoints", "networks"):
        assert (tmp_path / name).exists(), name
        assert f"  {name} " in done.stdout, name
    for words in ("against uniform-random moves", "against the untrained net", f"play.py --game {played} "):
        assert words in done.stdout, done.stdout
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 3
    rows = read_metrics(tmp_path)
    assert any(row.get("strength/the untrained net") is not None for row in rows)
    with GameLog(tmp_path / "games.log", played, read_only=True) as log:
        text = (tmp_path / text_file).read_text()
        assert {int(number) for number in re.findall(rf"(?m)^{game.COMMENT} game (\d+)$", text)} == log.ids
        assert [len(found.actions) for found in text_games(played, text)] == [len(r.plies) for r in log.records()]


def test_a_limit_of_positions_ends_the_run_and_counts_all_starts(tmp_path):
    import io

    from selfplay.loop import Loop
    from selfplay.report import Report

    made = []
    for limit in (300, 300, 400):
        run = open_run(tmp_path, replace(TINY, max_positions=limit))
        with Report(io.StringIO()) as report:
            Loop(run, report).train(SimpleNamespace(requested=False))
            assert f"The run has made the {limit} positions" in report.stream.getvalue()
        made.append(run.positions)
        assert run.how_to_go_on()[0][1].endswith("--max-positions 0")
        run.close()
    assert 300 <= made[0] < 300 + 16  # a round makes one in each game
    assert made[1] == made[0]
    assert 400 <= made[2] < 400 + 16


def text_games(played, text):
    """The games of a file, by the game's own reader; a game without one writes its moves, and the result, in a line."""
    readers = {"pgn": "read_pgn", "csa": "read_csa"}
    game = games.load(played)
    if game.FILE_SUFFIX in readers:
        return list(getattr(game, readers[game.FILE_SUFFIX])(text))
    moves = re.findall(r"^\n(.*) (?:1-0|0-1|1/2-1/2)$", text, re.M)
    return [SimpleNamespace(actions=line.split() if " " in line else list(line)) for line in moves]


@every_game
def test_games_as_text_follow_the_log_after_a_torn_write(tmp_path, played):
    """Wherever a kill cut the file; and a file of another kind, such as one without the lines between, is made anew."""
    game, config = games.load(played), replace(TINY, game=played)
    run = open_run(tmp_path, config)
    play(run, 40)
    run.close()
    path = tmp_path / f"games.{game.FILE_SUFFIX}"
    whole = path.read_bytes()
    lines = len(f"{game.COMMENT} game 1".encode())
    for size in (len(whole) - 1, len(whole) - 2, len(whole) - lines - 3, len(whole) - 60, len(whole) // 2, 10, 0):
        path.write_bytes(whole[:size])
        with GameLog(tmp_path / "games.log", played) as log:
            GameFile(tmp_path, game, log).close()
        assert path.read_bytes() == whole, size
    path.write_bytes(re.sub(rf"(?m)^{game.COMMENT} game \d+\n".encode(), b"", whole))
    open_run(tmp_path, config).close()
    assert path.read_bytes() == whole
    path.write_bytes(whole + f"{game.COMMENT} game 12345\n".encode())  # a game that the log does not have
    open_run(tmp_path, config).close()
    assert path.read_bytes() == whole
    assert len(text_games(played, whole.decode())) == whole.count(f"{game.COMMENT} game ".encode()) > 5


def test_two_runs_in_one_folder_are_refused(tmp_path):
    run = open_run(tmp_path)
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0, done.stderr
    run.close()


def test_bad_settings_are_one_line(tmp_path):
    done = subprocess.run([*command(tmp_path), "--search.simulations", "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_training_needs_only_torch_numba_numpy_and_safetensors(tmp_path):
    """On a machine without the libraries of the display, the command line and chess notation, the library trains."""
    program = f"""
import sys
for name in ("chess", "tyro", "rich", "matplotlib", "tensorboard", "torch.utils.tensorboard", "ray", "gymnasium",
             "openvino", "choix"):
    sys.modules[name] = None
sys.path.insert(0, {str(ROOT)!r})
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from selfplay.config import *
from rlcore.config import *
from selfplay.loop import train
from selfplay.report import Report
config = Config(
    run_dir=Path({str(tmp_path)!r}), max_minutes=0.03, strength_games=2,
    actor=ActorConfig(
        threads=1, games=8, max_plies=60, random_plies=50, full_share=0.5, quick_simulations=2, resign=0.01
    ),
    search=SearchConfig(simulations=4, considered=4), network=NetworkConfig(blocks=1, channels=8),
    learner=LearnerConfig(batch_size=32),
)
with Report() as report:
    train(config, report)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No games as text: the package chess is not installed" in done.stdout
    assert "against the untrained net" in done.stdout


def test_a_resumed_run_takes_flags_that_fit_its_own_settings(tmp_path):
    """They were checked against the defaults: 300 random plies did not fit the default limit of 240, nor 40 quick
    simulations the default of 32."""
    config = replace(
        TINY,
        run_dir=tmp_path,
        actor=replace(TINY.actor, max_plies=400),
        search=replace(TINY.search, simulations=64),
    )
    (tmp_path / "config.json").write_text(config.to_json())
    program = f"""
import runpy, sys
sys.argv = ["selfplay.py", "--run-dir", {str(tmp_path)!r}, "--actor.random-plies", "300", "--actor.full-share", "0.5",
            "--actor.quick-simulations", "40"]
print(runpy.run_path("scripts/selfplay.py")["read_settings"]())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "random_plies=300" in done.stdout
    assert "max_plies=400" in done.stdout
    assert "quick_simulations=40" in done.stdout


def test_batches_of_several_leaves_are_not_more_than_full(tmp_path):
    config = replace(TINY, search=replace(TINY.search, simulations=12, leaves=3, considered=4))
    run = open_run(tmp_path, config)
    loop = Loop(run, run.report)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(6):
            loop.meter.update(run.crew.counters())
            run.round(pool)
        loop.meter.update(run.crew.counters())
    status = loop.status()
    assert 0.3 < status.batch_fill <= 1.0
    run.close()


def test_nothing_is_said_of_values_before_the_first_search(tmp_path):
    run = open_run(tmp_path)
    assert math.isnan(Loop(run, run.report).status().value_spread)
    run.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("device", "tpu"), ("search", {"root": "foo"}), ("search", {"first_play": "abc"}), ("seed", 10**22)],
)
def test_settings_of_a_run_that_make_no_sense_are_named(tmp_path, name, value):
    settings = json.loads(TINY.to_json())
    settings[name] = settings[name] | value if isinstance(value, dict) else value
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=next(iter(value)) if isinstance(value, dict) else name):
        read_config(tmp_path / "config.json")


@pytest.mark.parametrize("setting", [{"max_minutes": math.inf}, {"seed": 2**63}, {"checkpoint_minutes": math.nan}])
def test_numbers_that_are_none_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        replace(TINY, **setting)
