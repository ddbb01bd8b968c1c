"""A run in one small file: it goes on as the run does, stays below its limit, and damage writes nothing."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from engine_help import ROOT, make_run

import games
from rlcore import checkpoint
from selfplay import kept
from selfplay.config import read_config
from selfplay.kept import KeptError
from selfplay.log import GameLog

GAME = games.load("tic_tac_toe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Of a run that has played some games."""
    folder = tmp_path_factory.mktemp("runs") / "tic_tac_toe"
    flags = ["--game", "tic_tac_toe", "--run-dir", str(folder), "--max-positions", "3000", "--strength-games", "0"]
    flags += ["--exact-minutes", "0", "--network.channels", "8", "--network.blocks", "1"]
    subprocess.run([sys.executable, ROOT / "scripts" / "selfplay.py", *flags], check=True, capture_output=True)
    return folder


@pytest.fixture
def path(folder, tmp_path) -> Path:
    kept.pack(GAME, folder, tmp_path / "one.run")
    return tmp_path / "one.run"


def test_a_run_comes_back_and_goes_on(folder, path, tmp_path) -> None:
    there = tmp_path / "elsewhere"
    assert kept.unpack(path, there).game == "tic_tac_toe"
    assert read_config(there / "config.json") == read_config(folder / "config.json")
    before, after = (checkpoint.load_newest(one / "checkpoints", framework="torch") for one in (folder, there))
    assert before is not None
    assert after is not None
    assert after.state == before.state
    assert after.blobs == before.blobs
    for group, tensors in before.tensors.items():
        assert all(torch.equal(value, after.tensors[group][name]) for name, value in tensors.items())
    with GameLog(there / "games.log", "tic_tac_toe", read_only=True) as log:
        assert log.games == len(log.ids) > 100
    flags = ["--game", "tic_tac_toe", "--run-dir", str(there), "--max-positions", "6000", "--strength-games", "0"]
    command = [sys.executable, ROOT / "scripts" / "selfplay.py", *flags]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "the missing ones are lost" not in done.stdout  # all games had room
    newest = checkpoint.load_newest(there / "checkpoints", framework="torch")
    assert newest is not None
    assert newest.state["learner"]["steps"] > after.state["learner"]["steps"]


def test_the_latest_games_that_have_room_are_kept(folder, tmp_path) -> None:
    whole, all_games = kept.pack(GAME, folder, tmp_path / "whole.run")
    assert whole == all_games
    least = (tmp_path / "whole.run").stat().st_size
    limit = least - 4_000
    few, _ = kept.pack(GAME, folder, tmp_path / "few.run", limit)
    assert 0 < few < all_games
    assert 0.8 * limit < (tmp_path / "few.run").stat().st_size <= limit
    kept.unpack(tmp_path / "few.run", tmp_path / "few")
    with (
        GameLog(tmp_path / "few" / "games.log", "tic_tac_toe", read_only=True) as log,
        GameLog(folder / "games.log", "tic_tac_toe", read_only=True) as full,
    ):
        assert [one.id for one in log.records()] == [one.id for one in full.records(all_games - few)]
    with pytest.raises(KeptError, match=r"alone takes .* more than 1,000"):
        kept.pack(GAME, folder, tmp_path / "none.run", 1_000)
    assert not (tmp_path / "none.run").exists()


def test_a_run_is_not_overwritten(folder, path, tmp_path) -> None:
    before = (folder / "config.json").read_bytes()
    with pytest.raises(KeptError, match="holds a run already"):
        kept.unpack(path, folder)
    assert (folder / "config.json").read_bytes() == before


def test_every_damage_is_noticed_and_nothing_is_written(path, tmp_path) -> None:
    data = path.read_bytes()
    for place in range(0, len(data), len(data) // 97):
        damaged = bytearray(data)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            kept.unpack(path, tmp_path / "target")
        except KeptError:
            assert not (tmp_path / "target").exists()
        else:  # bytes of the format that mean nothing, such as times
            with zipfile.ZipFile(path) as file:
                assert file.testzip() is None
            for name in ("config.json", "games.log", "checkpoints"):
                (tmp_path / "target" / name).rename(tmp_path / f"{place}-{name}")
            (tmp_path / "target").rmdir()
    for size in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(KeptError, match="damaged or no run"):
            kept.unpack(path, tmp_path / "target")


@pytest.mark.parametrize("name", ["../config.json", "/tmp/games.log", "checkpoints/1/../../x.json", "runs.pkl"])
def test_names_that_lead_elsewhere_are_refused(path, tmp_path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, b"x")
    with pytest.raises(KeptError, match="is no run in one file"):
        kept.unpack(path, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_file_that_claims_too_much_is_refused(path, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(kept, "_MOST", 1000)
    with pytest.raises(KeptError, match="is no run in one file"):
        kept.unpack(path, tmp_path / "target")


def test_what_is_no_run_is_told_in_a_line(tmp_path) -> None:
    with pytest.raises(KeptError, match="holds no run"):
        kept.pack(GAME, tmp_path, tmp_path / "x")
    make_run(tmp_path / "run", game="tic_tac_toe")
    for one in (tmp_path / "run" / "checkpoints").iterdir():
        (one / "manifest.json").write_text(json.dumps({}))
    with pytest.raises(KeptError, match="checkpoint"):
        kept.pack(GAME, tmp_path / "run", tmp_path / "x")
    command = [sys.executable, ROOT / "scripts" / "keep.py", "--file", "nowhere", "--unpack"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "keep: nowhere cannot be read (No such file or directory)\n"
