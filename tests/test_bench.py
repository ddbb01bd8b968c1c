"""The benchmarks: every path runs, its lines can be read again, and two runs are set side by side."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import games
from selfplay import bench, bench_agents
from selfplay.config import ConfigError
from selfplay.peers import UciPeer

ROOT = Path(__file__).resolve().parent.parent
chess = games.load("chess")
_SLOW = ("ray", "ingest", "agents", "learner", "selfplay", "inference")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(bench, "SECONDS", 0.02)
    monkeypatch.setattr(bench, "TREES", 4)
    monkeypatch.setattr(bench, "SIMULATIONS", 16)
    monkeypatch.setattr(bench, "BATCHES", (8,))
    monkeypatch.setattr(bench, "DEPTHS", dict.fromkeys(games.GAMES, 3))


@pytest.mark.parametrize(
    "game", ["chess", *(pytest.param(name, marks=pytest.mark.slow) for name in games.GAMES if name != "chess")]
)
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in _SLOW else ()) for n in bench.BENCHES])
def test_every_path_is_measured(name, game):
    figures = list(bench.BENCHES[name](games.load(game), 1))
    assert figures
    for figure in figures:
        assert figure["value"] > 0, figure
        assert figure["least"] <= figure["value"] <= figure["most"]
        assert json.loads(json.dumps(figure)) == figure
    names = [figure["name"] for figure in figures]
    assert len(set(names)) == len(names)


def test_an_agent_is_timed_while_it_learns(monkeypatch):
    monkeypatch.setattr(bench_agents, "SECONDS", 0.02)
    monkeypatch.setattr(bench_agents, "ROWS", bench_agents.ROWS[1:2])
    ours, *theirs = bench_agents.bench_agents(1)
    assert (ours["name"], ours["game"]) == ("dqn, 64 x 64", "CartPole-v1")
    assert ours["value"] > 0
    assert len(theirs) in (0, 2)  # the peer and the ratio, where it is installed


@pytest.mark.parametrize(
    ("command", "variant", "nodes"), [("stockfish", "", 8902), ("fairy-stockfish", "shogi", 25470)]
)
def test_an_engine_counts_the_game_that_it_is_timed_at(command, variant, nodes):
    path = shutil.which(command) or shutil.which(command, path="/usr/games")
    if path is None:
        pytest.skip(f"there is no {command} here")
    engine = UciPeer(path, variant)
    try:
        assert engine.count(3) == nodes
        assert engine.perft(2) > 0
    finally:
        engine.close()


def test_a_run_is_set_beside_an_earlier_one(tmp_path, capsys):
    told = []
    bench.run(["playouts"], chess, 1, None, told.append)
    first = capsys.readouterr().out
    assert told == []
    (tmp_path / "earlier.jsonl").write_text(first)
    bench.run(["playouts"], chess, 1, tmp_path / "earlier.jsonl", told.append)
    now = json.loads(capsys.readouterr().out.splitlines()[0])
    before = json.loads(first.splitlines()[0])
    assert now["before"] == before["value"]
    assert now["change"] == pytest.approx(now["value"] / before["value"])
    assert now["same_processor"] is True
    assert "playouts" in told[0]
    assert "another processor" not in told[0]


@pytest.mark.parametrize(
    "text", ["", "nothing", "[]", '{"name": "perft"}', '{"name": "x", "game": "chess", "value": "y"}']
)
def test_a_file_that_is_no_earlier_run_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "earlier.jsonl"
    if text:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"earlier\.jsonl"):
        bench.read(path)


def test_the_script_says_what_is_wrong_with_the_file():
    done = subprocess.run(
        [sys.executable, "scripts/bench.py", "perft", "--compare", "no-such-file"],
        cwd=ROOT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no-such-file" in done.stderr
