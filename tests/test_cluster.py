"""Self-play on Ray, with real processes: games count once whatever dies, and a run goes on in either crew.

Ray takes seconds to start, so the tests of a crew share one; each leaves it as good as it found it.
"""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from cluster_help import ROOT, TINY, alone, command, ends, finish, open_run, plays, until  # noqa: F401 # a fixture

import games
from rlcore.game import new_history
from selfplay.config import ConfigError
from selfplay.crew import FIRST_PLAYER_ID
from selfplay.log import GameLog
from selfplay.record import RecordError
from selfplay.remote import pack, unpack
from selfplay.run import Run

ray = pytest.importorskip("ray", reason="players on Ray are not tested: pip install ray")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    run = open_run(tmp_path_factory.mktemp("cluster"))
    yield run
    processes = [here.process for here in run.crew.player_processes().values()]
    run.close()
    assert all(ends(process) for process in processes)


def test_games_come_home_and_are_learned_from(run):
    plays(run)
    records = list(run.log.records())
    assert len({record.id for record in records}) == len(records) == run.log.games
    assert {record.id // FIRST_PLAYER_ID for record in records} == {1, 2}
    game = games.load("tic_tac_toe")
    for record in records[:50]:  # a game is what it says it is
        book = new_history(game, 1, 11)
        game.begin(book, 0, record.seed)
        assert len(record.plies) <= 9
        assert record.plies["simulations"].max() == 4
    until(run, lambda: run.crew.standing.version >= 2)
    seen = run.log.games
    # new weights reach the players, sooner or later
    until(run, lambda: max((record.last_version for record in run.log.records(seen)), default=0) >= 1)
    standing = run.crew.standing
    assert standing.samples == standing.steps * 32
    assert 0 < standing.positions <= run.log.positions


def test_what_players_do_is_counted_and_shown(run):
    import io

    from selfplay.loop import Loop
    from selfplay.report import Report

    with Report(io.StringIO(), plain=True) as report:
        loop = Loop(run, report)
        loop._tell()
        plays(run)
        loop._tell()
        status = loop.status()
        assert status.new_positions > 100
        assert sum(status.shares[name] for name in ("evaluate", "tree", "rest")) > 0.0
        assert (status.players, status.players_wanted) == (2, 2)
        assert "2 players on Ray" in status.device
        assert "\n" in status.board
        report.update(status)
        assert "players 2 of 2" in report.stream.getvalue()


@pytest.mark.slow
def test_players_pause_while_the_learner_is_too_far_behind(run):
    crew = run.crew
    plays(run)
    crew.config = dataclasses.replace(crew.config, cluster=dataclasses.replace(TINY.cluster, most_steps_due=1))
    before = crew.counters()["paused"]
    until(run, lambda: crew.counters()["paused"] > before)
    crew.config = TINY
    plays(run)


def test_a_damaged_block_of_games_is_refused(run):
    plays(run)
    records = list(run.log.records())[:3]
    block = pack(records)
    assert [record.id for record in unpack(block)] == [record.id for record in records]
    for damaged in (block[:-1] + bytes([block[-1] ^ 1]), b"", block[:3]):
        with pytest.raises(RecordError, match="damaged"):
            unpack(damaged)


def test_a_run_goes_on_in_one_process_and_back_on_ray(run, tmp_path):
    """Last of those that share a crew: its folder is gone on with elsewhere."""
    plays(run)
    finish(run)
    run.save(2.0)
    games_before, steps = run.log.games, run.steps
    in_progress = {record.id for record in run.crew.in_progress()[0]}
    assert 0 < len(in_progress) <= 32
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(run.folder), str(folder)], check=True)
    threads = dataclasses.replace(TINY, actors=0, actor=dataclasses.replace(TINY.actor, threads=1))
    again = open_run(folder, threads)
    assert (again.log.games, again.steps) == (games_before, steps)
    assert again.crew.trainer.window.total == again.log.positions
    assert {record.id for record in again.crew.in_progress()[0]} == in_progress
    with ThreadPoolExecutor(3) as pool:
        for _ in range(60):
            again.round(pool)
    assert in_progress <= again.log.ids
    new = [record.id for record in again.log.records(games_before)]
    assert any(number < FIRST_PLAYER_ID for number in new)
    again.save(3.0)
    again.close()


# --- the command -----------------------------------------------------------------------------------------------------


def test_in_one_process_ray_is_not_imported(tmp_path):
    program = f"""
import runpy, sys
sys.argv = {["selfplay.py", *command(tmp_path)[2:], "--max-minutes", "0.001"]!r}
try:
    runpy.run_path({str(ROOT / "scripts" / "selfplay.py")!r}, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
print("RAY", "ray" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "RAY False" in done.stdout


def test_without_ray_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "selfplay.cluster", raising=False)
    with pytest.raises(ConfigError, match=r'pip install "rlcore\[ray\]"'):
        open_run(tmp_path)


def test_an_address_where_no_cluster_is_is_one_line(tmp_path):
    done = subprocess.run(
        command(tmp_path, "--ray-address", "127.0.0.1:1"), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 2
    assert done.stderr.startswith("selfplay: Ray cannot be started at 127.0.0.1:1")
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.slow
def test_the_command_trains_on_ray_resumes_in_one_process_and_resumes_on_ray(tmp_path):
    before = 0
    for actors in ("2", "0", "2"):
        flags = command(tmp_path, "--actors", actors, "--max-minutes", "0.3" if actors == "2" else "0.05")
        done = subprocess.run(flags, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert ("Starting Ray on this machine ..." in done.stdout) == (actors == "2")
        assert "go on training" in done.stdout
        with GameLog(tmp_path / "games.log", "tic_tac_toe", read_only=True) as log:
            ids = [record.id for record in log.records()]
        assert len(ids) == len(set(ids)) > before
        before = len(ids)
    assert len({number // FIRST_PLAYER_ID for number in ids}) == 5  # threads, and two players of either start


@pytest.mark.slow
def test_two_learners_train_one_network_and_begin_again_together(tmp_path):
    config = dataclasses.replace(TINY, actors=1, cluster=dataclasses.replace(TINY.cluster, learners=2))
    run = open_run(tmp_path, config)
    until(run, lambda: run.steps >= 20)
    run.save(1.0)
    assert len(run.crew.trainer_processes) == 2
    os.kill(run.crew.trainer_processes[1].process, signal.SIGKILL)
    until(run, lambda: run.crew.attendance.trainers_lost == 1)
    steps = run.steps
    until(run, lambda: run.steps >= steps + 20)
    assert run.crew.standing.samples == run.steps * 32  # each takes half of a batch
    run.close()


def test_a_batch_that_learners_cannot_share_is_refused_before_ray_starts(tmp_path):
    config = dataclasses.replace(TINY, cluster=dataclasses.replace(TINY.cluster, learners=3))
    with pytest.raises(ConfigError, match="cannot be shared by 3 learners"):
        open_run(tmp_path, config)


@pytest.mark.slow
def test_players_join_and_leave_with_machines(tmp_path):
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 3, "object_store_memory": 100 << 20})
    run = open_run(tmp_path, dataclasses.replace(TINY, actors=0, ray_address=nodes.address))
    crew = run.crew
    until(run, lambda: run.log.games > 100)
    assert crew.attendance.wanted == 1  # a core is the trainer's, one for matches
    joined = nodes.add_node(num_cpus=2, object_store_memory=100 << 20)
    until(run, lambda: all(place.played for place in crew._players) and len(crew.player_processes()) == 3)
    assert len({here.node for here in crew.player_processes().values()}) == 2
    nodes.remove_node(joined)
    until(run, lambda: crew.attendance.lost == 2 and crew.attendance.wanted == 1)
    seen = run.log.games
    until(run, lambda: run.log.games > seen + 100)
    finish(run)
    run.save(1.0)
    ids = [record.id for record in run.log.records()]
    assert len(ids) == len(set(ids))
    assert {record.id // FIRST_PLAYER_ID for record in crew.in_progress()[0]} >= {1, 2, 3} - {i >> 32 for i in ids}
    run.close()
    nodes.shutdown()
