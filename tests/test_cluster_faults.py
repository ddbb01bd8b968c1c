"""What happens when something dies, hangs, fills up or is damaged: real processes, real kills, and nothing lost.

After each of these, training goes on or is resumed, and the books are right: see ``selfplay.audit``.
"""

import contextlib
import dataclasses
import fcntl
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_help import (  # noqa: F401 # a fixture among them
    TINY,
    alone,
    begin,
    comes_home,
    command,
    ends,
    finish,
    open_run,
    plays,
    said,
    until,
    wait_for,
)  # fmt: skip

from rlcore import checkpoint
from rlcore.checkpoint import CheckpointError
from selfplay.audit import audit
from selfplay.crew import FIRST_PLAYER_ID
from selfplay.log import LogError
from selfplay.record import split
from selfplay.run import Run
from selfplay.soak import descendants, left, soak

pytest.importorskip("ray", reason="players on Ray are not tested: pip install ray")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")


# --- in one cluster --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Every test leaves it playing; in the end its books must be right."""
    folder = tmp_path_factory.mktemp("faults")
    run = open_run(folder)
    yield run
    plays(run)
    finish(run)
    waiting = sum(positions for _, positions in run.crew._blocks)
    assert run.crew.standing.positions + waiting == run.log.positions  # every game goes to the learner once
    run.metrics.write(run.steps, {"games": run.log.games})
    run.save(1.0)
    run.close()
    assert audit(folder, run.log.ids).faults == []


@contextlib.contextmanager
def impatient(run: Run) -> Iterator[None]:
    """The crew waits for answers for some seconds only."""
    run.crew.config = dataclasses.replace(TINY, cluster=dataclasses.replace(TINY.cluster, timeout_seconds=10.0))
    yield
    run.crew.config = TINY


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """To this process the disk is full: no file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_killed_player_is_replaced_and_its_games_are_taken_up(run):
    plays(run)
    lost = run.crew.attendance.lost
    number, here = next(iter(run.crew.player_processes().items()))
    os.kill(here.process, signal.SIGKILL)
    until(run, lambda: run.crew.attendance.lost > lost)
    plays(run)
    assert number not in run.crew.player_processes()
    assert [line for line in run.report.lines if line.startswith(f"Player {number} was lost (")]
    # But for those begun since the last look at its games none is missing.
    mine = {i - number * FIRST_PLAYER_ID for i in run.log.ids if i // FIRST_PLAYER_ID == number}
    assert set(range(len(mine) // 2)) <= mine
    assert audit(run.folder, run.log.ids, ended=False).faults == []


def test_a_killed_trainer_goes_on_from_the_newest_checkpoint(run):
    plays(run)
    saved = checkpoint.load(run.save(1.0)).state["learner"]["steps"]
    version, lost = run.crew.standing.version, run.crew.attendance.trainers_lost
    plays(run)
    seen = run.log.positions
    os.kill(run.crew.trainer_processes[0].process, signal.SIGKILL)
    until(run, lambda: run.crew.attendance.trainers_lost > lost)
    assert run.steps == saved
    assert seen <= run.crew.standing.positions <= run.log.positions  # its window comes from the log
    assert run.crew.standing.version > version  # numbers of weights that players may still have are not given again
    plays(run)
    assert [line for line in run.report.lines if "another goes on from checkpoint" in line]
    assert audit(run.folder, run.log.ids, ended=False).faults == []


@pytest.mark.slow
def test_a_damaged_block_is_dropped_and_its_player_replaced(run, monkeypatch):
    """One byte of what a player sends is flipped; none of it gets into the log, and nobody learns from it."""
    from selfplay import cluster

    plays(run)
    damaging = max(run.crew.player_processes()) + 1
    Player = cluster.Player

    class Damaging(Player):
        def __init__(self, config, device, number, *rest):
            super().__init__(config, device, number, *rest)
            self.damages = number == damaging

        def play(self, *arguments):
            block, told = super().play(*arguments)
            if self.damages and len(block) > 500:
                block = block[:400] + bytes([block[400] ^ 16]) + block[401:]
            return block, told

    monkeypatch.setattr(cluster, "Player", Damaging)
    os.kill(next(iter(run.crew.player_processes().values())).process, signal.SIGKILL)
    until(run, lambda: any(f"Player {damaging} was lost (it sent a damaged block" in x for x in run.report.lines))
    monkeypatch.undo()
    plays(run)
    assert damaging not in run.crew.player_processes()
    assert audit(run.folder, run.log.ids, ended=False).faults == []


@pytest.mark.slow
def test_a_player_that_hangs_is_given_up_and_gone(run):
    plays(run)
    number, here = next(iter(run.crew.player_processes().items()))
    os.kill(here.process, signal.SIGSTOP)
    with impatient(run):
        until(run, lambda: any(f"Player {number} was lost (it did not answer)" in x for x in run.report.lines))
    assert ends(here.process), "it holds its place"
    plays(run)
    assert audit(run.folder, run.log.ids, ended=False).faults == []


@pytest.mark.slow
def test_a_trainer_that_hangs_is_given_up_and_gone(run):
    plays(run)
    run.save(1.0)
    lost, here = run.crew.attendance.trainers_lost, run.crew.trainer_processes[0]
    os.kill(here.process, signal.SIGSTOP)
    with impatient(run):
        until(run, lambda: run.crew.attendance.trainers_lost > lost)
    assert ends(here.process), "it holds its place"
    plays(run)
    assert audit(run.folder, run.log.ids, ended=False).faults == []


def test_a_full_disk_is_said_and_nothing_is_lost(run):
    """A checkpoint that does not fit leaves the one before; games that do not fit are counted once there is room."""
    plays(run)
    before = checkpoint.load(run.save(1.0))
    plays(run)
    with largest_file(1000), pytest.raises(CheckpointError, match="earlier ones are intact"):
        run.save(1.0)
    assert checkpoint.load_newest(run.folder / "checkpoints", warn=pytest.fail).name == before.name
    games_before = run.log.games
    with largest_file(run.log.position() + 100), pytest.raises(LogError, match="those before are intact"):
        until(run, lambda: False)
    assert run.log.games >= games_before
    assert audit(run.folder, run.log.ids, ended=False).faults == []
    plays(run)
    run.save(1.0)
    assert audit(run.folder, run.log.ids, ended=False).faults == []


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def started(folder):
    """Starts the command; in the end no process of any of these is there, and what is there was not started by it."""
    runs, family = [], set()

    def start(*more, **options):
        runs.append(begin(folder, "--actors", "2", *more, **options))
        return runs[-1]

    def remember():
        """All processes of the runs so far, while they are alive; Ray's two agents take up to a minute to leave."""
        for one in runs:
            family.update(process[:2] for process in descendants(one.pid) if "agent" not in process.title.lower())
        return family

    start.remember = remember
    yield start
    for one in runs:
        one.kill()
        one.wait()
    assert left(family) == []


def end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Ctrl-C, once: the run finishes, saves and says how to go on."""
    process.send_signal(signal.SIGINT)
    assert process.wait(240) == 0, said(folder)
    assert "Traceback" not in said(folder)


@pytest.mark.slow
def test_a_run_whose_driver_is_killed_is_resumed_by_the_same_command(folder, started):
    first = started()
    comes_home(folder, first)
    started.remember()
    first.kill()
    first.wait()
    known = audit(folder, ended=False)
    assert known.faults == []
    second = started()  # at once, beside what is left of the first
    comes_home(folder, second)
    started.remember()
    end(second, folder)
    assert "Resuming" in said(folder)
    assert "was lost" not in said(folder)  # nothing of the first run disturbs it
    books = audit(folder, known.ids)
    assert books.faults == []
    assert books.ids > known.ids
    assert {1, 2, 3, 4} <= {number // FIRST_PLAYER_ID for number in books.ids}  # no player's number is given twice


class Terminal:
    """A pseudo-terminal with a process in its foreground."""

    def __init__(self, flags: list[str]) -> None:
        self._master, line = os.openpty()
        self.text = b""
        self.process = subprocess.Popen(
            flags, stdin=line, stdout=line, stderr=line, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(line, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(line)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side has gone
            while more := os.read(self._master, 4096):
                self.text += more

    def press_ctrl_c(self) -> None:
        """The kernel sends SIGINT to the whole foreground group."""
        os.write(self._master, b"\x03")


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_finishes_and_saves_and_a_second_leaves_at_once(folder, started):
    known, family = frozenset(), set()
    for times in (2, 1):
        flags = command(folder, "--actors", "2", "--checkpoint-minutes", "0.02", "--cluster.call-seconds", "3")
        terminal = Terminal(flags)
        comes_home(folder, terminal.process)
        family |= {one[:2] for one in descendants(terminal.process.pid)}
        terminal.press_ctrl_c()
        if times == 2:
            wait_for(lambda terminal=terminal: b"once more to stop at once" in terminal.text, terminal.process)
            terminal.press_ctrl_c()
        assert terminal.process.wait(240) == (130 if times == 2 else 0), terminal.text[-2000:]
        assert b"Traceback" not in terminal.text
        assert left(family) == []
        books = audit(folder, known, ended=times == 1)
        assert books.faults == []
        known = books.ids
    saved = checkpoint.load_newest(folder / "checkpoints", warn=pytest.fail)
    assert 0 < len(split(saved.blobs["games"])) <= 32


@pytest.mark.slow
def test_a_trainer_that_dies_at_the_start_is_replaced_and_sigterm_finishes_and_saves(folder, started):
    process = started()
    trainers = wait_for(lambda: [one for one in descendants(process.pid) if one.title.startswith("ray::Teacher")])
    started.remember()
    os.kill(trainers[0].number, signal.SIGKILL)
    comes_home(folder, process)
    started.remember()
    process.send_signal(signal.SIGTERM)
    assert process.wait(240) == 0, said(folder)
    assert "another goes on from the games of the log" in said(folder)
    assert audit(folder).faults == []
    saved = checkpoint.load_newest(folder / "checkpoints", warn=pytest.fail)
    assert 0 < len(split(saved.blobs["games"])) <= 32


@pytest.mark.slow
def test_a_run_ends_with_one_line_where_the_disk_is_full_and_is_resumed_where_it_is_not(folder, started):
    """A real small disk: it fills up with games and checkpoints, then it is made larger."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        process = started("--checkpoint-minutes", "0.1")
        wait_for(lambda: started.remember() and process.poll() is not None)
        assert process.returncode == 2
        assert "Traceback" not in said(folder)
        assert re.search(r"^selfplay: .*(No space left|MiB free)", said(folder).splitlines()[-1])
        known = audit(folder, ended=False)
        assert known.faults == []
        assert known.ids
        subprocess.run(["mount", "-o", "remount,size=100m", str(folder)], check=True)
        again = started()
        comes_home(folder, again)
        started.remember()
        end(again, folder)
        assert audit(folder, known.ids).faults == []
    finally:
        left(started.remember())
        subprocess.run(["umount", "-l", str(folder)], check=True)


# --- many machines ---------------------------------------------------------------------------------------------------


class Node:
    """A machine of a cluster, as `ray start` makes one; here they all are the same machine."""

    def __init__(self, flags: list[str], secret: dict[str, str], output: Path) -> None:
        ray = str(Path(sys.executable).with_name("ray"))
        flags = [ray, "start", "--block", "--disable-usage-stats", "--object-store-memory", "100000000", *flags]
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                flags, env=os.environ | secret, stdout=file, stderr=file, start_new_session=True
            )

    def go(self) -> None:
        """As when the power fails: all of its processes are gone at once."""
        for one in [*descendants(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.number, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def secret(tmp_path):
    token = tmp_path / "token"
    token.write_text("5" * 64)
    token.chmod(0o600)
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}


@pytest.mark.slow
def test_machines_leave_and_join_while_training_goes_on(tmp_path, folder, secret):
    """Two players and the trainer find room; a third one starts when a machine joins, and goes with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    output = tmp_path / "nodes.txt"
    port = address.split(":")[1]
    nodes = [Node(["--head", "--port", port, "--node-ip-address", "127.0.0.1", "--num-cpus", "3",
                   "--include-dashboard", "false"], secret, output)]  # fmt: skip
    run = None
    try:
        wait_for(lambda: "--block" in output.read_text(), nodes[0].process)
        refused = subprocess.run(
            command(folder, "--ray-address", address), capture_output=True, text=True, timeout=240,
            env=os.environ | secret | {"RAY_AUTH_TOKEN_PATH": "", "RAY_AUTH_TOKEN": "6" * 64},
        )  # fmt: skip
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
        run = begin(folder, "--ray-address", address, "--actors", "3", env=os.environ | secret)
        comes_home(folder, run)
        assert "players 3 of 3" not in said(folder)
        nodes.append(Node(["--address", address, "--num-cpus", "2"], secret, output))
        wait_for(lambda: "players 3 of 3" in said(folder), run)
        comes_home(folder, run)
        known = audit(folder, ended=False)
        nodes[1].go()
        wait_for(lambda: "its process or its machine is gone" in said(folder), run)
        comes_home(folder, run)
        end(run, folder)
        books = audit(folder, known.ids)
        assert books.faults == []
        assert books.ids > known.ids
    finally:
        if run is not None:
            run.kill()
            run.wait()
        family = {one[:2] for node in nodes for one in descendants(node.process.pid)}
        for node in reversed(nodes):
            node.go()
        assert left(family) == []


# --- all of it -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_short_soak(tmp_path):
    soaked = soak(tmp_path, minutes=0.5, every=3.0, drivers=True)
    assert soaked.faults == []
    assert sum(soaked.killed.values()) > 0
