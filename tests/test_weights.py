"""Weights files: they come back as they were, all else is refused with one clear line; networks of a run's past."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from engine_help import ROOT, make_run

import games
from agents.engine.board import Board
from rlcore.config import NetworkConfig
from rlcore.tensors import TensorError, read_tensors, write_tensors
from selfplay import milestones, weights
from selfplay.engines import EngineError, load_network, make_player
from selfplay.milestones import Milestones, find, marks
from selfplay.weights import About, WeightsError

GAME = games.load("tic_tac_toe")
ABOUT = About(steps=1234, positions=56789, minutes=3.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), game="tic_tac_toe")


@pytest.fixture
def path(run, tmp_path) -> Path:
    weights.save(tmp_path / "x.safetensors", run.crew.trainer.learner.average, run.config, ABOUT)
    return tmp_path / "x.safetensors"


def forge(path: Path, tensors=None, **changes: str) -> None:
    """Change a file and make its checksum right again, as an attacker would."""
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    data = write_tensors(tensors or read_tensors(data, "torch"), header | {"sha256": "0" * 64} | changes)
    path.write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1))


def refused(path: Path, game=GAME) -> str:
    """Why a file is refused; both ways to read it say so in one line with its name."""
    with pytest.raises(WeightsError) as caught:
        weights.load(game, path)
    with pytest.raises(EngineError, match=r"x\.safetensors"):
        load_network(game, path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_network_comes_back_with_all_that_is_known_of_it(run, path) -> None:
    network, config, about = weights.load(GAME, path)
    wanted = run.crew.trainer.learner.average.state_dict()
    assert network.state_dict().keys() == wanted.keys()
    assert all((value == wanted[name]).all() for name, value in network.state_dict().items())
    assert not network.training
    assert config == dataclasses.replace(run.config, run_dir=None)
    assert about == ABOUT._replace(weights=weights.fingerprint(run.crew.trainer.learner.average))
    assert weights.describe(path) == (config, about)


def test_a_file_may_have_any_name_and_place_and_plays_as_its_run_does(run, path, tmp_path) -> None:
    moved = path.rename(tmp_path / "given away")
    ours, run_itself = (make_player(GAME, str(where), 1) for where in (moved, run.folder))
    board, rng = Board(GAME), np.ones(1, np.uint64)
    assert ours.act(board.history, board.games, rng) == run_itself.act(board.history, board.games, rng)
    assert ours.name == f"{moved} at 1,234 steps, 4 simulations"


def test_the_fingerprint_goes_by_the_weights_alone(run, path, tmp_path) -> None:
    weights.save(tmp_path / "later", run.crew.trainer.learner.average, run.config, About(1, 2, 3.0))
    same, other = weights.describe(tmp_path / "later")[1], weights.fingerprint(run.crew.trainer.learner.network)
    assert same.weights == weights.describe(path)[1].weights != other


def test_every_flipped_bit_is_noticed(path) -> None:
    data = path.read_bytes()
    for bit in range(0, 8 * len(data), 1511):  # a step that reaches header and tensors, and each bit of a byte in turn
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert "damaged" in refused(path) or "format" in refused(path) or "no weights file" in refused(path)
    path.write_bytes(data)
    weights.load(GAME, path)


def test_every_truncation_is_noticed(path) -> None:
    data = path.read_bytes()
    for size in (0, 1, 7, 8, 9, 100, 1000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert "damaged" in refused(path)
    path.write_bytes(data + b"\0")
    assert "damaged" in refused(path)


def test_other_files_are_refused(path, tmp_path) -> None:
    path.write_bytes(write_tensors({"a": np.ones(3, np.float32)}))
    assert "is no weights file of rlcore" in refused(path)
    path.write_bytes(write_tensors({"a": np.ones(3, np.float32)}, {"format": "pt"}))
    assert "is no weights file of rlcore" in refused(path)
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    assert "is not a safetensors file" in refused(path)
    path.write_bytes((100_000).to_bytes(8, "little") + b"[" * 100_000)
    assert "is not a safetensors file" in refused(path)
    with pytest.raises(EngineError, match="there is no file or folder"):
        load_network(GAME, tmp_path / "nowhere")
    with pytest.raises(EngineError, match="holds no checkpoint"):
        load_network(GAME, tmp_path)


def test_a_pickle_bomb_does_not_go_off(path, tmp_path) -> None:
    marker = tmp_path / "marker"
    path.write_bytes(f"cos\nmkdir\n(V{marker}\ntR.".encode())
    assert "is not a safetensors file" in refused(path)
    assert not marker.exists()
    subprocess.run([sys.executable, "-m", "pickle", str(path)], capture_output=True, check=True)
    assert marker.exists(), "the bomb was a dud"


def test_a_network_of_another_game_or_version_is_refused(path) -> None:
    assert "was trained for tic_tac_toe, not for connect_four" in refused(path, games.load("connect_four"))
    forge(path, format="rlcore weights 2")
    assert "has the format 'rlcore weights 2', this version reads 'rlcore weights 1'" in refused(path)


def test_nonsense_with_the_right_checksum_is_refused(run, path) -> None:
    data = path.read_bytes()
    tensors = read_tensors(data, "torch")
    wide = dataclasses.replace(run.config, network=NetworkConfig(blocks=1, channels=10**5))
    deep = dataclasses.replace(run.config, network=NetworkConfig(blocks=10**5, channels=8))
    for config in (wide, deep):  # more than there is memory for
        forge(path, config=config.to_json())
        assert "another shape than its settings say" in refused(path)
        path.write_bytes(data)
    forge(path, {**tensors, "more": tensors["stem.conv.weight"]})
    assert "another shape" in refused(path)
    forge(path, {name: value.double() for name, value in tensors.items()})
    assert "another shape" in refused(path)
    path.write_bytes(data)
    forge(path, config="{")
    assert "does not hold settings" in refused(path)
    path.write_bytes(data)
    forge(path, about="[]")
    assert "does not say how long" in refused(path)
    path.write_bytes(data)
    value = tensors["stem.conv.weight"].flatten()[0].numpy().tobytes()
    damaged = data.replace(value, np.float32(np.nan).tobytes(), 1)
    blank = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["sha256"].encode()
    damaged = damaged.replace(blank, b"0" * 64, 1)
    path.write_bytes(damaged.replace(b"0" * 64, hashlib.sha256(damaged).hexdigest().encode(), 1))
    assert "holds NaN or infinity in stem.conv.weight" in refused(path)


def test_weights_that_are_not_finite_are_not_saved(path, run) -> None:
    before = path.read_bytes()
    broken = weights.load(GAME, path)[0]
    broken.stem.conv.weight.data[0] = float("nan")
    with pytest.raises(TensorError, match="NaN or infinity"):
        weights.save(path, broken, run.config, ABOUT)
    assert path.read_bytes() == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import games
from selfplay import weights
path = Path(sys.argv[1])
network, config, about = weights.load(games.load("tic_tac_toe"), path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
try:
    weights.save(path, network, config, about._replace(steps=9))
    sys.exit("saved on a full disk")
except OSError:
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_file_as_it_was(path) -> None:
    before = path.read_bytes()
    subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], cwd=ROOT, check=True)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# --- networks of the past --------------------------------------------------------------------------------------------


def test_there_are_two_marks_a_doubling() -> None:
    assert list(islice(marks(), 8)) == [0, 64, 91, 128, 181, 256, 362, 512]
    assert sum(mark <= 1_000_000 for mark in islice(marks(), 100)) == 29


def kept(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / milestones.FOLDER).iterdir())


def at(steps: int) -> About:
    return About(steps, 10 * steps, 1.0)


def test_networks_are_kept_at_the_marks_and_a_resumed_run_writes_the_same_names(run, tmp_path) -> None:
    def go(keeper: Milestones, begin: int, end: int, by: int) -> None:
        for steps in range(begin, end, by):
            if keeper.is_due(steps):
                keeper.keep(run.crew.trainer.learner.average, run.config, at(steps))

    go(Milestones(tmp_path, 0, pytest.fail), 0, 200, 3)  # rounds of three steps
    names = [f"{mark:08d}.safetensors" for mark in (0, 64, 91, 128, 181)]
    assert kept(tmp_path) == names
    assert [one.about.steps for one in find(tmp_path, pytest.fail)] == [0, 66, 93, 129, 183]
    go(Milestones(tmp_path, 100, pytest.fail), 100, 200, 7)
    assert kept(tmp_path) == names
    assert [one.about.steps for one in find(tmp_path, pytest.fail)] == [0, 66, 93, 128, 184]
    Milestones(tmp_path, 199, pytest.fail).finish(run.crew.trainer.learner.average, run.config, at(199))
    assert [one.path.name for one in find(tmp_path, pytest.fail)] == [*names, "network.safetensors"]


def test_the_newest_is_not_found_twice_and_a_damaged_one_is_left_out(run, tmp_path) -> None:
    keeper = Milestones(tmp_path, 0, pytest.fail)
    keeper.keep(run.crew.trainer.learner.average, run.config, at(0))
    keeper.keep(run.crew.trainer.learner.average, run.config, at(64))
    keeper.finish(run.crew.trainer.learner.average, run.config, at(64))
    assert [one.path.parent.name for one in find(tmp_path, pytest.fail)] == [milestones.FOLDER] * 2
    (tmp_path / milestones.FOLDER / "00000064.safetensors").write_bytes(b"")
    lines: list[str] = []
    assert [one.path.name for one in find(tmp_path, lines.append)] == ["00000000.safetensors", "network.safetensors"]
    assert len(lines) == 1
    assert "00000064.safetensors is damaged" in lines[0]


def test_what_cannot_be_kept_is_told_once_and_harms_no_checkpoint(tmp_path) -> None:
    run = make_run(tmp_path, game="tic_tac_toe")
    (tmp_path / milestones.FOLDER).write_text("in the way")
    lines: list[str] = []
    run.milestones = Milestones(tmp_path, 0, lines.append)
    for steps in (0, 64, 91):
        run.crew.trainer.learner.steps = steps
        run.keep(60.0)
        run.save(60.0)
    run.keep(60.0, is_end=True)
    assert len(lines) == 1
    assert "was not written" in lines[0]
    assert "training goes on without it" in lines[0]
    assert load_network(GAME, tmp_path).name.endswith("at 91 steps")
    assert weights.describe(tmp_path / milestones.NEWEST)[1].minutes == 1.0
    assert (tmp_path / milestones.FOLDER).read_text() == "in the way"
