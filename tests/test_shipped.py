"""Networks that come with rlcore: how a run's becomes one, who plays with it, and that those in the tree are whole."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_help import ROOT, make_run

import games
from selfplay import engines, gui, shipped, weights
from selfplay.config import Config
from selfplay.engines import EngineError, default_engine, load_network
from selfplay.weights import About

GAME = games.load("tic_tac_toe")
FILES = sorted(shipped.NETS.glob("*.safetensors"))


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A weights file, as a run leaves it."""
    run = make_run(tmp_path_factory.mktemp("run"), game="tic_tac_toe")
    path = run.folder / "given.safetensors"
    weights.save(path, run.crew.trainer.learner.average, run.config, About(1234, 56789, 3.5))
    return path


@pytest.fixture
def nets(monkeypatch, tmp_path) -> Path:
    """An empty place for networks that ship."""
    monkeypatch.setattr(shipped, "NETS", tmp_path / "nets")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "nets"


def test_a_network_that_ships_is_rounded_to_bfloat16_and_says_who_taught_it(given, nets) -> None:
    path = shipped.ship(GAME, given, "taught", "a friend")
    assert path == nets / "tic_tac_toe-taught.safetensors"
    network, config, about = weights.load(GAME, path)
    before, config_before, about_before = weights.load(GAME, given)
    assert config == config_before
    assert about == about_before._replace(taught="taught by a friend", weights=weights.fingerprint(network))
    assert path.stat().st_size < 0.7 * given.stat().st_size
    for (name, value), old in zip(network.state_dict().items(), before.state_dict().values(), strict=True):
        assert value.dtype == old.dtype, name
        if value.ndim > 1:
            assert torch.equal(value, old.bfloat16().float()), name
        else:
            assert torch.equal(value, old), name


def test_it_is_loaded_by_its_name_and_says_what_it_is(given, nets) -> None:
    with pytest.raises(EngineError, match="no 'taught' network of tic_tac_toe comes with rlcore"):
        load_network(GAME, Path("taught"))
    shipped.ship(GAME, given, "taught", "a friend")
    found = load_network(GAME, Path("taught"))
    assert found.name == "rlcore's network tic_tac_toe-taught, taught by a friend, at 1,234 steps"
    with pytest.raises(EngineError, match="no 'zero' network"):
        load_network(GAME, Path("zero"))


def test_it_plays_where_nothing_is_trained(given, nets) -> None:
    lines: list[str] = []
    assert default_engine(GAME, lines.append) == "untrained"
    assert "without a network" in lines.pop()
    shipped.ship(GAME, given, "zero", "")
    assert default_engine(GAME, lines.append) == "zero"
    assert "tic_tac_toe-zero.md" in lines.pop()
    shipped.ship(GAME, given, "taught", "a friend")
    assert default_engine(GAME, lines.append) == "taught"  # the stronger one
    assert "taught by another engine: see" in lines.pop()
    assert gui.load_brain(GAME, "zero", lines.append).name == "rlcore's network tic_tac_toe-zero at 1,234 steps"
    make_run(nets.parent / "runs" / "tic_tac_toe", game="tic_tac_toe")
    assert default_engine(GAME, lines.append) == str(Path("runs/tic_tac_toe"))
    assert lines == []


def test_a_gui_looks_for_runs_in_its_own_folder_then_in_the_clone(given, nets, monkeypatch) -> None:
    shipped.ship(GAME, given, "taught", "a friend")
    monkeypatch.setattr(gui, "_CLONE", nets.parent / "clone")
    lines: list[str] = []
    assert "taught by a friend" in gui.load_brain(GAME, "<autodiscover>", lines.append).name
    assert str(Path("clone/runs/tic_tac_toe")) in lines.pop()
    make_run(nets.parent / "clone" / "runs" / "tic_tac_toe", game="tic_tac_toe")
    assert "clone" in gui.load_brain(GAME, "<autodiscover>", lines.append).name
    assert lines == []


def test_the_command_says_what_is_missing(given, tmp_path) -> None:
    def ship(*flags: str) -> str:
        command = [sys.executable, ROOT / "scripts" / "ship.py", "--game", "tic_tac_toe", *flags]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        return done.stderr

    assert "needs --by" in ship("--weights", str(given))
    assert "nobody to name" in ship("--weights", str(given), "--kind", "zero", "--by", "a friend")
    assert "cannot be read" in ship("--weights", "nowhere", "--kind", "zero")
    assert "was trained for tic_tac_toe" in ship("--weights", str(given), "--game", "chess", "--by", "a friend")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_network_in_the_tree_is_whole_small_and_has_a_card(path: Path) -> None:
    name, _, kind = path.stem.rpartition("-")
    game = games.load(name)
    assert shipped.find(game, kind) == path
    assert path.stat().st_size <= 10_000_000
    _, _, about = weights.load(game, path)  # which verifies every byte
    assert bool(about.taught) == (kind == "taught")
    text = shipped.card(path).read_text()
    assert about.weights in text
    assert f"{about.steps:,} gradient steps" in text
    for heading in ("Data", "Commands", "Machine and time", "Strength", "Weaknesses"):
        assert re.search(rf"^## {heading}$", text, re.MULTILINE), heading


@pytest.mark.parametrize(("simulations", "differs"), [(99, False), (100, True), (None, False)])
def test_with_many_simulations_a_taught_network_plays_by_other_settings_than_it_trains(simulations, differs) -> None:
    trained = Config().search
    played = engines.playing(trained, simulations, taught=True)
    assert played == replace(
        engines.searching(trained, simulations), **({"considered": 32, "c_scale": 0.3} if differs else {})
    )


def test_settings_of_a_run_that_go_further_are_kept_when_it_plays() -> None:
    trained = replace(Config().search, considered=64, c_scale=0.1)
    assert engines.playing(trained, 800, taught=True) == replace(trained, simulations=800)


def test_a_network_that_learned_alone_plays_by_the_settings_of_its_training() -> None:
    trained = Config().search
    assert engines.playing(trained, 800, taught=False) == replace(trained, simulations=800)


def test_who_was_taught_is_known_by_the_file_or_by_the_run(given, nets) -> None:
    assert not engines.was_taught(GAME, given)
    shipped.ship(GAME, given, "taught", "a friend")
    shipped.ship(GAME, given, "zero", "")
    assert engines.was_taught(GAME, Path("taught"))
    assert not engines.was_taught(GAME, Path("zero"))
    run = make_run(nets.parent / "run", game="tic_tac_toe").folder
    assert not engines.was_taught(GAME, run)
    (run / "lessons.json").write_text("{}")
    for path in (run, run / "checkpoints" / "000001"):
        assert engines.was_taught(GAME, path)
