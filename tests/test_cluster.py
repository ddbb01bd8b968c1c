"""Self-play on Ray, with real processes: games count once whatever dies, and a run goes on in either crew.

Ray takes seconds to start, so the tests of a crew share one; each leaves it as good as it found it.
"""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import games
from rlcore.config import NetworkConfig, SearchConfig
from rlcore.game import new_history
from selfplay.config import ActorConfig, ClusterConfig, Config, ConfigError, LearnerConfig
from selfplay.crew import FIRST_PLAYER_ID
from selfplay.log import GameLog
from selfplay.record import RecordError
from selfplay.run import Run

ray = pytest.importorskip("ray", reason="players on Ray are not tested: pip install ray")

ROOT = Path(__file__).resolve().parent.parent
TINY = Config(
    game="tic_tac_toe",
    actors=2,
    max_minutes=0.0,
    strength_games=0,
    exact_minutes=0.0,
    seed=3,
    actor=ActorConfig(games=16, max_plies=9, random_plies=4, cache_positions=0),
    search=SearchConfig(simulations=4, considered=4),
    network=NetworkConfig(blocks=1, channels=8, value_hidden=8),
    learner=LearnerConfig(batch_size=32, publish_steps=4, warmup_steps=2),
    cluster=ClusterConfig(call_seconds=0.2, store_megabytes=100),
)
FLAGS = """
    --game tic_tac_toe --strength-games 0 --exact-minutes 0 --seed 3
    --actor.threads 1 --actor.games 16 --actor.max-plies 9 --actor.random-plies 4 --actor.cache-positions 0
    --search.simulations 4 --search.considered 4
    --network.blocks 1 --network.channels 8 --network.value-hidden 8
    --learner.batch-size 32 --learner.publish-steps 4 --learner.warmup-steps 2 --cluster.call-seconds 0.2
"""


class Lines:
    """Takes the place of a display; keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def open_run(folder: Path, config: Config = TINY) -> Run:
    return Run(games.load(config.game), dataclasses.replace(config, run_dir=folder), Lines())


def until(run: Run, condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Rounds until something has happened."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(3) as pool:
        while not condition():
            run.round(pool)
            assert time.monotonic() < end, f"it did not happen in time: {run.report.lines}"


def finish(run: Run) -> None:
    with ThreadPoolExecutor(3) as pool:
        run.finish(pool)


def plays(run: Run) -> None:
    """Both players are there, games come home, steps are taken, all is where it should be."""
    more, steps = run.log.games + 100, run.steps + 5
    until(run, lambda: run.log.games >= more and run.steps >= steps and len(run.crew.player_processes()) == 2)


def ends(process: int, seconds: float = 30.0) -> bool:
    """Whether a process ends, or is nobody's any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


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
    until(run, lambda: run.log.games > seen + 200)
    assert max(record.last_version for record in run.log.records(seen)) >= 1  # new weights reach the players
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
        assert sum(status.shares[name] for name in ("evaluate", "tree", "rest", "idle")) == pytest.approx(1, abs=0.05)
        assert (status.players, status.players_wanted) == (2, 2)
        assert "2 players on Ray" in status.device
        assert "\n" in status.board
        report.update(status)
        assert "players 2 of 2" in report.stream.getvalue()


def test_a_killed_player_is_replaced_and_no_game_counts_twice(run):
    plays(run)
    lost = run.crew.attendance.lost
    number, here = next(iter(run.crew.player_processes().items()))
    os.kill(here.process, signal.SIGKILL)
    until(run, lambda: run.crew.attendance.lost == lost + 1)
    plays(run)
    assert number not in run.crew.player_processes()
    assert [line for line in run.report.lines if line.startswith(f"Player {number} was lost")]
    ids = [record.id for record in run.log.records()]
    assert len(ids) == len(set(ids))
    # The dead player's games were taken up: but for those begun since its last snapshot none is missing.
    mine = sorted(number for number in (i - number * FIRST_PLAYER_ID for i in ids) if 0 <= number < FIRST_PLAYER_ID)
    assert mine[: len(mine) // 2] == list(range(len(mine) // 2))


def test_a_killed_trainer_goes_on_from_the_newest_checkpoint(run):
    plays(run)
    run.save(1.0)
    saved, version = run.steps, run.crew.standing.version
    plays(run)
    os.kill(run.crew.trainer_processes[0].process, signal.SIGKILL)
    until(run, lambda: run.crew.attendance.trainers_lost == 1)
    assert saved <= run.steps <= saved + 200
    assert run.crew.standing.positions == run.log.positions  # its window comes from the log
    assert run.crew.standing.version > version  # numbers of weights that players may still have are not given again
    plays(run)
    assert len([line for line in run.report.lines if "another goes on from checkpoint" in line]) == 1


def test_players_pause_while_the_learner_is_too_far_behind(run):
    crew = run.crew
    plays(run)
    crew.config = dataclasses.replace(crew.config, cluster=dataclasses.replace(TINY.cluster, most_steps_due=1))
    before = crew.counters()["paused"]
    until(run, lambda: crew.counters()["paused"] > before)
    crew.config = TINY
    plays(run)


def test_a_damaged_block_is_dropped_and_its_player_replaced(run):
    from selfplay import cluster

    plays(run)
    block = bytearray(cluster.pack(list(run.log.records())[:3]))
    assert [record.id for record in cluster.unpack(bytes(block))] == [r.id for r in list(run.log.records())[:3]]
    block[len(block) // 2] ^= 1
    for damaged in (bytes(block), b"", bytes(block[:3])):
        with pytest.raises(RecordError, match="damaged"):
            cluster.unpack(damaged)
    lost, place = run.crew.attendance.lost, run.crew._players[0]
    until(run, lambda: bool(place.calls))
    place.calls[0] = (ray.put(bytes(block)), place.calls[0][1])
    until(run, lambda: run.crew.attendance.lost == lost + 1)
    plays(run)


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


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "selfplay.py"), "--run-dir", str(folder), *FLAGS.split(), *more]


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
