"""Engines by name: the right weights of the right checkpoint, the run's settings, one clear line where it fails."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from engine_help import CHESS, TINY, make_run

import games
from agents.engine.board import Board
from agents.players import PerfectPlayer, RolloutPlayer
from games.solved import SOLVED
from rlcore import checkpoint
from selfplay import shipped
from selfplay.engines import NAMED, EngineError, default_engine, load_network, make_player


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), saves=3)


def weights(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def same(left, right) -> bool:
    return all(np.array_equal(left[name], right[name]) for name in left)


def copy_of(run, tmp_path: Path, name: str = "000003", **changes: object) -> Path:
    """A checkpoint's folder with some of its state changed."""
    saved = checkpoint.load(run.folder / "checkpoints" / name, framework="torch")
    return checkpoint.save(tmp_path / "checkpoints", name, saved.tensors, saved.state | changes, saved.blobs)


def test_a_run_gives_the_averaged_weights_of_its_newest_checkpoint(run) -> None:
    network, config, name = load_network(CHESS, run.folder)
    assert same(weights(network), weights(run.crew.trainer.learner.average))
    assert not same(weights(network), weights(run.crew.trainer.learner.network))
    assert not network.training
    assert (config.network, config.search, config.history) == (TINY.network, TINY.search, 2)
    assert name == f"{run.folder} at 300 steps"


def test_a_checkpoint_is_an_engine_by_itself(run, tmp_path) -> None:
    newest = load_network(CHESS, run.folder).network
    third = load_network(CHESS, copy_of(run, tmp_path))  # away from its run
    second = load_network(CHESS, run.folder / "checkpoints" / "000002")
    assert same(weights(third.network), weights(newest))
    assert third.config.network == TINY.network
    assert not same(weights(second.network), weights(newest))
    assert second.name.endswith("000002 at 200 steps")


def test_a_damaged_newest_checkpoint_is_passed_over_with_one_line(tmp_path) -> None:
    run = make_run(tmp_path, saves=2)
    path = run.folder / "checkpoints" / "000002" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    lines: list[str] = []
    assert load_network(CHESS, run.folder, lines.append).name.endswith("at 100 steps")
    assert len(lines) == 1
    assert "000002" in lines[0]
    with pytest.raises(EngineError, match="damaged"):
        load_network(CHESS, run.folder / "checkpoints" / "000002")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"config": "{}"}, "not one of a self-play run"),  # a network of another size
        ({"config": "not JSON"}, "does not hold settings"),
        ({"config": '{"blocks": 3}'}, "unknown setting: blocks"),
        ({"config": '{"search": {"simulations": 0}}'}, "simulations must be at least 1"),
        ({"learner": {}}, "not one of a self-play run"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(run, tmp_path, changes, wrong) -> None:
    with pytest.raises(EngineError, match=wrong) as caught:
        load_network(CHESS, copy_of(run, tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_a_network_for_another_game_is_refused(run) -> None:
    with pytest.raises(EngineError, match="was trained for chess, not for go"):
        load_network(dataclasses.replace(CHESS, name="go"), run.folder)


def test_a_folder_without_a_network_is_refused(tmp_path) -> None:
    with pytest.raises(EngineError, match="holds no checkpoint"):
        make_player(CHESS, str(tmp_path), 1)
    with pytest.raises(EngineError, match=r"there is no file or folder .*nowhere"):
        make_player(CHESS, str(tmp_path / "nowhere"), 1)


def test_a_player_searches_as_its_run_does_but_for_the_simulations_asked_for(run) -> None:
    player = make_player(CHESS, str(run.folder), 2)
    assert player.search.config == TINY.search
    assert player.search.planes_history == 2
    more = make_player(CHESS, str(run.folder), 2, simulations=7)
    assert more.search.config == dataclasses.replace(TINY.search, simulations=7)
    assert more.name == f"{run.folder} at 300 steps, 7 simulations"


@pytest.mark.parametrize("simulations", [0, -1, 100_001, 10**30])
def test_a_search_that_makes_no_sense_is_refused(simulations: int) -> None:
    with pytest.raises(EngineError, match="simulations must be 1 to 100,000"):
        make_player(CHESS, "untrained", 1, simulations)


def test_a_network_trained_on_a_gpu_plays_on_any_machine(run, tmp_path) -> None:
    config = json.loads(TINY.to_json()) | {"device": "cuda"}
    player = make_player(CHESS, str(copy_of(run, tmp_path, config=json.dumps(config))), 1)
    assert first_move(player, seed=1) in Board(CHESS).legal


def first_move(player, seed: int) -> int:
    board = Board(CHESS)
    return int(player.act(board.history, board.games, np.array([seed], np.uint64))[0])


def test_a_network_plays_the_same_move_every_time_and_the_others_do_not(run) -> None:
    trained = make_player(CHESS, str(run.folder), 1)
    assert len({first_move(trained, seed) for seed in range(30)}) == 1
    for text in ("random", "untrained"):
        player = make_player(CHESS, text, 1, simulations=8)
        played = {first_move(player, seed) for seed in range(300)}
        assert played <= set(Board(CHESS).legal)
        assert len(played) > 15  # of 20, and not only the first few


def test_the_untrained_says_so_and_still_sees_a_mate(run) -> None:
    player = make_player(CHESS, "untrained", 1)
    assert "without a network" in player.name
    board = Board(CHESS, "rnbqkbnr/pppp1ppp/8/4p3/6P1/5P2/PPPPP2P/RNBQKBNR b KQkq - 0 2")
    for seed in range(10):
        action = player.act(board.history, board.games, np.array([seed], np.uint64))[0]
        assert CHESS.to_text(board.state, action) == "d8h4"


def test_random_games_are_searched_by_name_in_every_game() -> None:
    for name in games.GAMES:
        game = games.load(name)
        player = make_player(game, "rollouts", 2)
        assert isinstance(player, RolloutPlayer)
        assert (player.game, player.rollouts) == (game, 1000)
        assert player.name == "plain tree search, 1,000 random games a move"


def test_perfect_play_by_name_is_for_solved_games_only() -> None:
    for name in games.GAMES:
        if name in SOLVED:
            assert isinstance(make_player(games.load(name), "perfect", 2), PerfectPlayer)
        else:
            with pytest.raises(EngineError) as caught:
                make_player(games.load(name), "perfect", 2)
            said = f"nobody plays {name} perfectly; the games that are solved: tic_tac_toe, connect_four"
            assert str(caught.value) == said


def test_the_greedy_engine_is_for_games_with_material_only() -> None:
    with pytest.raises(EngineError, match="material is nothing to go by in tic_tac_toe, only in chess and shogi"):
        make_player(games.load("tic_tac_toe"), "greedy", 1)


@pytest.mark.parametrize("text", ["rollouts", "perfect"])
def test_engines_that_are_what_they_are_take_no_notice_of_simulations(text: str) -> None:
    game = games.load("tic_tac_toe")
    plain, asked = make_player(game, text, 1), make_player(game, text, 1, simulations=7)
    assert plain.name == asked.name
    assert getattr(plain, "rollouts", None) == getattr(asked, "rollouts", None)


def test_every_engine_that_has_a_name_can_be_had_by_it() -> None:
    for text in NAMED:
        game = games.load("chess" if text == "greedy" else "tic_tac_toe")
        player, board = make_player(game, text, 1), Board(game)
        assert player.act(board.history, board.games, np.array([1], np.uint64))[0] in board.legal


def test_the_usual_engine_is_the_run_once_it_has_a_checkpoint(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    monkeypatch.setattr(shipped, "NETS", tmp_path)
    assert default_engine(CHESS, lines.append) == "untrained"
    assert len(lines) == 1
    assert "without a network" in lines[0]
    make_run(tmp_path / "runs" / "chess")
    assert Path(default_engine(CHESS, lines.append)) == Path("runs/chess")
    assert len(lines) == 1
    assert load_network(CHESS, Path("runs/chess")).name.endswith("at 100 steps")
