"""A pool of networks and engines: every game is played once, whatever breaks it off; what is told was played."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from client_help import rogue
from engine_help import ROOT, complaints, keep_past, make_run, script

import games
from selfplay import weights
from selfplay.engines import EngineError
from selfplay.match import MatchSettings, parse_limits
from selfplay.pool import FILE, PICTURE, PoolSettings, Results, run

GAME = games.load("tic_tac_toe")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    run = make_run(tmp_path_factory.mktemp("run"), game="tic_tac_toe")
    keep_past(run, (0, 64, 91, 128))
    return run.folder


@pytest.fixture
def folder(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "run"))


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def keys(folder: Path) -> list[tuple]:
    return [(line["first"], line["second"], line["openings"], line["pair"]) for line in lines(folder)]


def test_a_pool_is_played_once_and_takes_in_what_is_new(folder) -> None:
    play = MatchSettings(opening_plies=1)
    settings = PoolSettings(("random", "perfect"), networks=3, games=40, elo=100.0, match=play)
    text = run(GAME, folder, settings)
    assert "5 players, 40 games, openings: random, 1 plies, seed 1" in text
    assert "Elo, random = 100" in text
    for name in ("0 steps", "128 steps", "random", "perfect"):
        assert f"  {name} " in text
    assert "91 steps" not in text or "64 steps" not in text  # three of four
    played = Counter((line["first"], line["second"]) for line in lines(folder))
    assert len(played) == 10  # all pairings
    assert sum(played.values()) == 20
    assert (folder / PICTURE).read_bytes().startswith(b"\x89PNG")
    before = (folder / FILE).read_bytes()
    assert run(GAME, folder, settings) == text
    assert (folder / FILE).read_bytes() == before
    again = run(GAME, folder, settings._replace(engines=("perfect", "random")))  # another anchor, the same games
    assert "Elo, perfect = 100" in again
    assert (folder / FILE).read_bytes() == before
    network, config, about = weights.load(GAME, folder / "networks" / "00000128.safetensors")
    network.value.out.bias.data += 1
    weights.save(folder / "network.safetensors", network, config, about._replace(steps=150))
    text = run(GAME, folder, settings)
    assert "150 steps" in text
    assert "128 steps" in text  # has been rated before, and stays
    assert (folder / FILE).read_bytes().startswith(before)
    assert len(keys(folder)) == len(set(keys(folder)))


def test_settings_that_change_how_a_player_plays_begin_anew_for_it_alone(folder) -> None:
    settings = PoolSettings(("random", "perfect"), networks=1, games=6)
    run(GAME, folder, settings)
    more = settings._replace(match=MatchSettings(simulations=9))
    run(GAME, folder, more)
    ids = Counter(name for line in lines(folder) for name in (line["first"], line["second"]))
    assert sorted(name.rpartition(", ")[2] for name in ids if "network" in name) == ["4 simulations", "9 simulations"]
    assert sum({line["first"], line["second"]} == {"random", "perfect"} for line in lines(folder)) == 1
    run(GAME, folder, settings._replace(match=MatchSettings(opening_plies=2)))
    assert len({line["openings"] for line in lines(folder)}) == 2


def test_a_pool_of_engines_alone_needs_no_run(tmp_path) -> None:
    folder = tmp_path / "a new one" / "pool"
    text = run(GAME, folder, PoolSettings(("random", "perfect"), networks=0, games=8, elo=100.0))
    assert "2 players, 8 games" in text
    assert sorted(path.name for path in folder.iterdir()) == sorted((FILE, PICTURE))
    assert (folder / PICTURE).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EngineError, match="holds games of tic_tac_toe, not of connect_four: name another folder"):
        run(games.load("connect_four"), folder, PoolSettings(("random", "perfect"), networks=0, games=8))
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="file cannot be made"):
        run(GAME, tmp_path / "file", PoolSettings(("random", "perfect"), networks=0, games=8))


def test_points_are_those_of_the_players_they_are_noted_for(folder) -> None:
    """Whoever stands first in the pool, perfect play does not lose to random moves."""
    for engines in (("random", "perfect"), ("perfect", "random")):
        (folder / FILE).unlink(missing_ok=True)
        settings = PoolSettings(engines, networks=1, games=60, match=MatchSettings(opening_plies=0))
        text = run(GAME, folder, settings)
        pairs = [line for line in lines(folder) if {line["first"], line["second"]} == {"random", "perfect"}]
        assert {line["first"] for line in pairs} == {"perfect"}
        assert all(min(line["points"]) >= 0.5 for line in pairs)
        order = [line.split()[1] for line in text.splitlines() if line[:6].strip().isdigit()]
        assert order.index("perfect") < order.index("random")


def test_a_torn_last_line_goes_and_a_damaged_one_is_refused(folder) -> None:
    settings = PoolSettings(("random", "perfect"), networks=1, games=12)
    run(GAME, folder, settings)
    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole[:-7])
    run(GAME, folder, settings)
    assert (folder / FILE).read_bytes().startswith(whole[: whole[:-1].rfind(b"\n") + 1])
    assert len(keys(folder)) == len(set(keys(folder))) == 6
    for damage in (
        b"{}\n",
        b"nonsense\n",
        b"[1]\n",
        b"[" * 100_000 + b"\n",
        whole.replace(b'"pair": 0', b'"pair": -1', 1),
    ):
        (folder / FILE).write_bytes(whole + damage)
        with pytest.raises(EngineError, match=r"line \d+ of .* holds no result: remove it") as caught:
            run(GAME, folder, settings)
        assert "\n" not in str(caught.value)
        assert (folder / FILE).read_bytes() == whole + damage


def test_a_line_that_stands_there_twice_counts_once(tmp_path) -> None:
    line = {"first": "a", "second": "b", "openings": "x", "pair": 0, "points": [1.0, 0.5]}
    others = [line | {"openings": "y"}, line | {"pair": 4}]
    (tmp_path / FILE).write_text("".join(json.dumps(one) + "\n" for one in (line, line, *others)))
    with Results(tmp_path / FILE, "x", "tic_tac_toe") as results:
        assert results.next_pair("a", "b") == 5
        assert len(results._pairs["a", "b"]) == 2


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    arguments = ["--game", "tic_tac_toe", "--run-dir", str(folder), "--networks", "2", "--opening-plies", "0", *more]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "ratings.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_lines(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / FILE).exists() and (folder / FILE).read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.01)
    raise AssertionError(process.communicate()[1])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_after_a_kill_nothing_is_lost_and_nothing_is_played_twice(folder) -> None:
    process = start(folder, "--engine", "rollouts", "--games", "2000")
    wait_for_lines(folder, 12, process)
    process.kill()
    process.communicate()
    before = (folder / FILE).read_bytes()
    before = before[: before.rfind(b"\n") + 1]
    games_now = 2 * before.count(b"\n") + 16
    settings = PoolSettings(("rollouts",), networks=2, games=games_now, match=MatchSettings(opening_plies=0))
    assert f"3 players, {games_now} games" in run(GAME, folder, settings)
    assert (folder / FILE).read_bytes().startswith(before)
    found = keys(folder)
    assert len(found) == len(set(found)) == games_now // 2
    for first, second, *_ in set(found):
        numbers = [line["pair"] for line in lines(folder) if (line["first"], line["second"]) == (first, second)]
        assert numbers == list(range(len(numbers)))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_shows_the_table_so_far(folder) -> None:
    process = start(folder, "--engine", "rollouts", "--games", "100000")
    wait_for_lines(folder, 8, process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in errors) == (130, False)
    assert output.startswith("Broken off; the same command goes on from here.")
    assert f"3 players, {2 * len(lines(folder))} games" in output
    assert (folder / PICTURE).exists()


def test_a_program_that_crashes_loses_and_it_is_told(tmp_path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    keep_past(make_run(folder), (0,))
    program = f"cmd:{rogue('crash', 1)}"
    play = MatchSettings(limits=parse_limits(nodes=1), simulations=2, opening_plies=2)
    chess = games.load("chess")
    text = run(chess, folder, PoolSettings((program,), networks=1, games=2, match=play))
    assert "lost without a move: crash 2; " in text
    (line,) = lines(folder)
    assert line["points"] == ([0.0, 0.0] if line["first"].startswith("cmd:") else [1.0, 1.0])
    assert line["endings"] == ["crash", "crash"]
    assert all(reason.startswith("Rogue ended with exit status 1") for reason in line["reasons"])
    assert {line["first"], line["second"]} >= {f"{program}, 1 nodes a move"}


def test_a_run_of_another_game_is_refused(folder) -> None:
    with pytest.raises(EngineError, match="was trained for tic_tac_toe, not for chess"):
        run(games.load("chess"), folder, PoolSettings())
    with pytest.raises(EngineError, match="was trained for tic_tac_toe, not for chess"):
        run(games.load("chess"), folder, PoolSettings(("random", "greedy"), networks=0))


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (PoolSettings(networks=-1), "0 to 100 networks"),
        (PoolSettings(games=0), "at least 2 games"),
        (PoolSettings(elo=float("nan")), "must be a number"),
        (PoolSettings(("random", "random")), "random would play against itself"),
        (PoolSettings(("nobody",)), "no file or folder nobody"),
        (PoolSettings(("cmd:/nowhere/engine",)), "cannot play tic_tac_toe"),
        (PoolSettings(match=MatchSettings(simulations=-1)), "simulations must be 1 to"),
        (PoolSettings(match=MatchSettings(concurrency=0)), "1 to 256 games"),
        (PoolSettings(match=MatchSettings(openings="common")), "no common openings are known"),
    ],
)
def test_a_pool_that_cannot_be_played(folder, settings, wrong) -> None:
    with pytest.raises(ValueError, match=wrong) as caught:
        run(GAME, folder, settings)
    assert "\n" not in str(caught.value)


def test_the_command_says_what_is_wrong(folder, tmp_path) -> None:
    shutil.rmtree(folder / "networks")
    for arguments, wrong in (
        ((), "runs/tic_tac_toe is not the folder of a run"),
        (("--run-dir", str(folder)), "has kept no networks of its past yet"),
    ):
        done = script("ratings.py", "--game", "tic_tac_toe", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = complaints(done)
        assert line.startswith("ratings: ")
        assert wrong in line
    assert not (folder / FILE).exists()
