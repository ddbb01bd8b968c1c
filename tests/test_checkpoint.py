"""Checkpoints: complete and intact, or refused with one clear line; the ones before are never harmed."""

import copy
import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rlcore import checkpoint
from rlcore.checkpoint import CheckpointError, load, load_newest, save
from rlcore.tensors import TensorError, flatten_optimizer, read_tensors, unflatten_optimizer, write_tensors

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)


def save_example(folder, name="000001", scale=1.0, keep=3):
    weights = {"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3) * scale, "step": np.int64(7)}
    state = {"games": 12, "rng": 2**127 + 1, "rate": 0.1, "phases": [1, 2], "name": "chéss"}
    return save(folder, name, {"weights": weights, "empty": {}}, state, {"games": b"\0\1\2"}, keep=keep)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def flip(path, byte, bit):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


def rewrite_manifest(place, **extra):
    """Make a checkpoint consistent again after its files were changed, as an attacker would."""
    files = {path.name: path.read_bytes() for path in place.iterdir() if path.name != "manifest.json"}
    (place / "manifest.json").write_bytes(
        checkpoint._manifest_text(
            {
                "format": 1,
                "files": {
                    name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                    for name, data in files.items()
                },
            }
            | extra
        )
    )


# --- round trips


def test_everything_comes_back(tmp_path):
    place = save_example(tmp_path)
    assert place == tmp_path / "000001"
    loaded = load(place)
    assert loaded.name == "000001"
    assert loaded.state == {"games": 12, "rng": 2**127 + 1, "rate": 0.1, "phases": [1, 2], "name": "chéss"}
    assert loaded.blobs == {"games": b"\0\1\2"}
    assert loaded.tensors.keys() == {"weights", "empty"}
    assert loaded.tensors["empty"] == {}
    weight = loaded.tensors["weights"]["conv.weight"]
    np.testing.assert_array_equal(weight, [[0, 1, 2], [3, 4, 5]])
    weight[0, 0] = 1  # has memory of its own
    assert loaded.tensors["weights"]["step"] == 7
    assert loaded.tensors["weights"]["step"].shape == ()
    assert names(place) == ["empty.safetensors", "games.bin", "manifest.json", "state.json", "weights.safetensors"]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int64", "uint64", "float16", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_numpy_round_trip(dtype, shape):
    array = np.ones(shape, dtype)
    again = read_tensors(write_tensors({"a": array}))["a"]
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(again, array)


def test_any_memory_layout_comes_back_the_same():
    array = np.arange(24).reshape(2, 3, 4)
    odd = {"turned": array.T, "strided": array[:, ::2, ::-1], "big_endian": array.astype(">i4")}
    for name, again in read_tensors(write_tensors(odd)).items():
        np.testing.assert_array_equal(again, odd[name])
    images = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    tied = {"a": images, "b": images, "view": images[:, 1:], "grad": torch.nn.Parameter(images), "numpy": array}
    for name, again in read_tensors(write_tensors(tied), "torch").items():
        assert torch.equal(again, torch.as_tensor(tied[name]))
        assert again.is_contiguous()


def test_bfloat16_comes_back_as_torch_and_is_a_clear_error_for_numpy(tmp_path):
    place = save(tmp_path, "1", {"weights": {"a": torch.ones(3, dtype=torch.bfloat16)}}, {})
    loaded = load(place, "torch").tensors["weights"]["a"]
    assert loaded.dtype == torch.bfloat16
    assert loaded.tolist() == [1, 1, 1]
    with pytest.raises(CheckpointError, match="holds the dtype BF16, which numpy lacks"):
        load(place)


def test_numpy_and_torch_write_the_same_bytes():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert write_tensors({"a": array}) == write_tensors({"a": torch.from_numpy(array)})


def test_numpy_alone_never_imports_torch(tmp_path):
    code = """
import sys, numpy
from rlcore.checkpoint import load, load_newest, save
save(sys.argv[1], "1", {"weights": {"a": numpy.ones(3)}}, {})
assert load(sys.argv[1] + "/1").tensors["weights"]["a"].sum() == 3
assert load_newest(sys.argv[1]) is not None
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)


# --- what is refused at saving


@pytest.mark.parametrize("bad", [np.array([1, np.nan]), np.float16(np.inf), torch.tensor([1, -np.inf])])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, bad):
    save_example(tmp_path)
    with pytest.raises(CheckpointError, match="000002 was not saved: weights holds NaN or infinity in a;"):
        save(tmp_path, "000002", {"weights": {"a": bad}}, {})
    assert names(tmp_path) == ["000001"]


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"loss": float("nan")}, CheckpointError),
        ({1: 2}, TypeError),
        ({"a": {(1,): 2}}, TypeError),
        ({"a": {1}}, TypeError),
    ],
)
def test_a_state_that_json_would_change_is_refused(tmp_path, state, error):
    with pytest.raises(error):
        save(tmp_path, "1", {}, state)
    assert names(tmp_path) == []


def test_names_and_dtypes_that_cannot_be_stored_are_refused(tmp_path):
    for name in ("", "best", "-1", "1/2", "..", "１"):
        with pytest.raises(ValueError, match="digits"):
            save(tmp_path, name, {}, {})
    for group in ("", "..", "a/b", "A", "a.b"):
        with pytest.raises(ValueError, match="group"):
            save(tmp_path, "1", {group: {}}, {})
        with pytest.raises(ValueError, match="group"):
            save(tmp_path, "1", {}, {}, {group: b""})
    for bad in (np.array(["text"]), np.array([None]), np.zeros(2, [("a", "u1")]), np.zeros(2, complex)):
        with pytest.raises(TypeError, match="dtype"):
            save(tmp_path, "1", {"weights": {"a": bad}}, {})
    with pytest.raises(ValueError, match="keep"):
        save(tmp_path, "1", {}, {}, keep=0)
    assert names(tmp_path) == []


# --- keeping and replacing


def test_only_the_newest_are_kept(tmp_path):
    for step in range(8, 13):
        save_example(tmp_path, str(step))
    assert names(tmp_path) == ["10", "11", "12"]
    (tmp_path / "notes.txt").write_text("mine")
    save_example(tmp_path, "13", keep=1)
    assert names(tmp_path) == ["13", "notes.txt"]


def test_a_checkpoint_ahead_of_the_run_neither_counts_nor_goes(tmp_path):
    """After a fall back from the damaged 15 the run saves 13 again: 15 must not push the good ones out."""
    for step in ("11", "12", "15"):
        save_example(tmp_path, step)
    save_example(tmp_path, "13", keep=2)
    assert names(tmp_path) == ["12", "13", "15"]


def test_the_same_name_again_replaces(tmp_path):
    save_example(tmp_path, "1", scale=1)
    save_example(tmp_path, "1", scale=2)
    assert load(tmp_path / "1").tensors["weights"]["conv.weight"][0, 1] == 2
    assert names(tmp_path) == ["1"]


def test_a_kill_between_the_two_renames_of_a_replacement_loses_nothing(tmp_path):
    save_example(tmp_path, "1", scale=1)
    save_example(tmp_path, "2", scale=2)
    (tmp_path / "2").rename(tmp_path / ".replaced-2")
    loaded = load_newest(tmp_path, warn=pytest.fail)
    assert loaded.name == "2"
    assert loaded.tensors["weights"]["conv.weight"][0, 1] == 2
    save_example(tmp_path, "3")
    assert names(tmp_path) == ["1", "2", "3"]


def test_leftovers_of_a_crash_are_removed_at_the_next_save(tmp_path):
    save_example(tmp_path, "1")
    shutil.copytree(tmp_path / "1", tmp_path / ".saving-2")
    shutil.copytree(tmp_path / "1", tmp_path / ".replaced-1")
    save_example(tmp_path / "other", "1", scale=2)
    shutil.rmtree(tmp_path / "1")
    (tmp_path / "other" / "1").rename(tmp_path / "1")
    (tmp_path / "other").rmdir()
    assert load_newest(tmp_path, warn=pytest.fail).tensors["weights"]["conv.weight"][0, 1] == 2
    save_example(tmp_path, "2")
    assert names(tmp_path) == ["1", "2"]


# --- damage


def test_every_flipped_byte_of_every_file_is_noticed(tmp_path):
    place = save_example(tmp_path)
    for path in sorted(place.iterdir()):
        data = path.read_bytes()
        for byte in range(len(data)):
            flip(path, byte, byte % 8)
            with pytest.raises(CheckpointError) as caught:
                load(place)
            assert "\n" not in str(caught.value)
            path.write_bytes(data)
    assert load(place).state["games"] == 12


def test_every_character_of_the_manifest_counts(tmp_path):
    place = save(tmp_path, "1", {}, {})
    data = (place / "manifest.json").read_bytes()
    for bit in range(0, 8 * len(data), 7):  # a step that reaches every byte, and each of its bits in turn
        flip(place / "manifest.json", bit // 8, bit % 8)
        with pytest.raises(CheckpointError):
            load(place)
        (place / "manifest.json").write_bytes(data)


def test_every_truncation_of_every_file_is_noticed(tmp_path):
    place = save_example(tmp_path)
    for path in sorted(place.iterdir()):
        data = path.read_bytes()
        for size in range(len(data)):
            path.write_bytes(data[:size])
            with pytest.raises(CheckpointError):
                load(place)
        path.write_bytes(data + b" ")
        with pytest.raises(CheckpointError):
            load(place)
        path.unlink()
        with pytest.raises(CheckpointError, match=f"{path.name}: is missing"):
            load(place)
        path.write_bytes(data)
    load(place)


def test_foreign_things_in_a_checkpoint_are_refused(tmp_path):
    place = save_example(tmp_path)
    (place / "extra.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"damaged \(extra.bin: does not belong there\)"):
        load(place)
    (place / "extra.bin").unlink()
    (place / "games.bin").rename(tmp_path / "elsewhere")
    (place / "games.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=r"games.bin: is no plain file"):
        load(place)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "is not valid JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"format": 1}', "is incomplete"),
        (b'{"format": 1, "files": 3}', "is incomplete"),
        (b'{"format": 1, "files": {"state.json": {"size": 1e999, "sha256": ""}}}', "is incomplete"),
        (b'{"format": 1, "files": {"../../secret": {"size": 1, "sha256": ""}}}', "is not as it was written"),
        (b'{"format": 2, "files": {}}', "has format 2, this version reads format 1"),
        (b'{"format": NaN, "files": {}}', "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"9" * 5000, "is not valid JSON"),
        (b" " * (1 << 20) + b"{}", "is too large"),
        (b"\xff\xfe{}", "is not valid JSON"),
    ],
)
def test_nonsense_manifests_are_one_clear_line(tmp_path, manifest, message):
    place = save_example(tmp_path)
    (place / "manifest.json").write_bytes(manifest)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(place)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("use another one")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("state.json", b"[1]", "state.json: is not a JSON object"),
        ("state.json", b'{"a": Infinity}', "state.json: is not valid JSON"),
        ("weights.safetensors", b"12345678", "weights.safetensors: is not a safetensors file"),
        ("weights.safetensors", b"\xff" * 8 + b"{}", "weights.safetensors: is not a safetensors file"),
        ("program.py", b"", "program.py: is of no known kind"),
    ],
)
def test_nonsense_with_the_right_checksums_is_refused(tmp_path, file, content, message):
    place = save_example(tmp_path)
    (place / file).write_bytes(content)
    rewrite_manifest(place)
    with pytest.raises(CheckpointError, match=message):
        load(place)


def test_weights_that_are_not_finite_are_not_loaded(tmp_path):
    place = save_example(tmp_path)
    data = (place / "weights.safetensors").read_bytes()
    (place / "weights.safetensors").write_bytes(data.replace(np.float32(5).tobytes(), np.float32(np.nan).tobytes()))
    rewrite_manifest(place)
    for framework in ("numpy", "torch"):
        with pytest.raises(CheckpointError, match=r"weights.safetensors: holds NaN or infinity in conv.weight"):
            load(place, framework)


@pytest.mark.parametrize("file", ["weights.safetensors", "state.json", "games.bin", "manifest.json"])
def test_a_pickle_bomb_under_any_name_does_not_go_off(tmp_path, file):
    marker, place = tmp_path / "marker", save_example(tmp_path)
    bomb = f"cos\nmkdir\n(V{marker}\ntR.".encode()
    (place / file).write_bytes(bomb)
    if file != "manifest.json":
        rewrite_manifest(place)
    for framework in ("numpy", "torch"):
        if file == "games.bin":
            assert load(place, framework).blobs["games"] == bomb  # bytes, and nothing but bytes
        else:
            with pytest.raises(CheckpointError):
                load(place, framework)
    assert not marker.exists()
    subprocess.run([sys.executable, "-m", "pickle", str(place / file)], capture_output=True, check=True)
    assert marker.exists(), "the bomb was a dud"


def test_the_newest_that_verifies_is_used_with_one_line_for_each_damaged_one(tmp_path):
    assert load_newest(tmp_path / "nothing", warn=pytest.fail) is None
    assert load_newest(tmp_path, warn=pytest.fail) is None
    for step in ("000010", "000011", "000012"):
        save_example(tmp_path, step)
    flip(tmp_path / "000012" / "weights.safetensors", 100, 3)
    lines = []
    assert load_newest(tmp_path, lines.append).name == "000011"
    assert lines == ["checkpoint 000012 is damaged (weights.safetensors: checksum differs); using 000011"]
    size = (tmp_path / "000011" / "state.json").stat().st_size
    (tmp_path / "000011" / "state.json").write_bytes(b"")
    lines = []
    assert load_newest(tmp_path, lines.append).name == "000010"
    assert lines == [
        "checkpoint 000012 is damaged (weights.safetensors: checksum differs); using 000010",
        f"checkpoint 000011 is damaged (state.json: 0 bytes instead of {size}); using 000010",
    ]
    (tmp_path / "000010" / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"none of the 3 checkpoints .* can be used .* start anew"):
        load_newest(tmp_path, pytest.fail)


def test_newest_is_by_number_not_by_spelling(tmp_path):
    for step in ("999999", "1000000", "8"):
        save_example(tmp_path, step, keep=5)
    assert load_newest(tmp_path).name == "1000000"


def test_a_missing_checkpoint_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint at"):
        load(tmp_path / "000001")


# --- crashes and full disks

SAVER = """
import sys, numpy
from rlcore.checkpoint import save
step = int(sys.argv[2])
while True:
    step += 1
    weights = {str(i): numpy.full(20_000, step, numpy.float32) for i in range(4)}
    save(sys.argv[1], f"{step - step % 2:06}", {"weights": weights}, {"step": step}, {"games": bytes(step)})
    print(step, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_while_saving_resumes_from_the_last_saved_one(tmp_path):
    """Every second save replaces a checkpoint of the same name, so both ways into place are cut short."""
    step = 0
    for round in range(6):
        arguments = [sys.executable, "-c", SAVER, str(tmp_path), str(step)]
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            saved = [process.stdout.readline() for _ in range(3 + round)]
            process.send_signal(signal.SIGKILL)
            saved += process.stdout.read().splitlines(keepends=True)
        last = max(int(line) for line in saved if line.endswith("\n"))
        loaded = load_newest(tmp_path, warn=pytest.fail)
        step = loaded.state["step"]
        assert last <= step <= last + 1
        assert all((array == step).all() for array in loaded.tensors["weights"].values())
        assert len(loaded.blobs["games"]) == step


FULL_DISK = """
import os, resource, sys, numpy
from rlcore.checkpoint import CheckpointError, load, save
folder = sys.argv[1]
save(folder, "1", {"weights": {"a": numpy.ones(10)}}, {"step": 1})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in (100, 4000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    for name in ("1", "2"):
        try:
            save(folder, name, {"weights": {"a": numpy.ones(10_000)}}, {"step": 2}, keep=1)
            sys.exit("saved on a full disk")
        except CheckpointError as error:
            print(error)
        assert os.listdir(folder) == ["1"], os.listdir(folder)
        assert load(folder + "/1").state == {"step": 1}
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
save(folder, "2", {"weights": {"a": numpy.ones(10_000)}}, {"step": 2})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_one_clear_error_and_harms_no_checkpoint(tmp_path):
    arguments = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == 4
    assert "checkpoint 2 could not be saved to" in lines[-1]
    assert "(weights.safetensors: File too large); earlier ones are intact" in lines[-1]
    assert load_newest(tmp_path, warn=pytest.fail).state == {"step": 2}


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not be saved"):
        save_example(tmp_path / "file")


# --- optimizers


def train(model, optimizer, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        inputs = torch.randn(8, 4, generator=generator)
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 2))


OPTIMIZERS = {
    "adamw": lambda net: torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-3),
    "amsgrad": lambda net: torch.optim.AdamW(net.parameters(), lr=torch.tensor(1e-2), amsgrad=True),
    "sgd": lambda net: torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, nesterov=True),
    "plain sgd": lambda net: torch.optim.SGD(net.parameters(), lr=1e-2),
    "two groups": lambda net: torch.optim.AdamW(
        [{"params": net[0].parameters(), "lr": 1e-3, "betas": (0.8, 0.9)}, {"params": net[2].parameters()}]
    ),
}


def same(a, b):
    """Equal in values and in types, dict keys and tuples included."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_training_after_a_resume_equals_training_without(tmp_path, kind, steps):
    through = model()
    optimizer = OPTIMIZERS[kind](through)
    train(through, optimizer, steps, seed=1)
    flat, state = flatten_optimizer(optimizer.state_dict())
    save(tmp_path, "1", {"weights": through.state_dict(), "optimizer": flat}, {"optimizer": state})

    loaded = load(tmp_path / "1", "torch")
    resumed = model()
    train(resumed, OPTIMIZERS[kind](resumed), 5, seed=9)  # other weights, to be overwritten
    resumed.load_state_dict(loaded.tensors["weights"])
    again = OPTIMIZERS[kind](resumed)
    state_dict = unflatten_optimizer(loaded.tensors["optimizer"], loaded.state["optimizer"])
    same(state_dict, optimizer.state_dict())
    again.load_state_dict(state_dict)

    train(through, optimizer, 3, seed=2)
    train(resumed, again, 3, seed=2)
    same(dict(resumed.state_dict()), dict(through.state_dict()))
    same(again.state_dict(), optimizer.state_dict())


def test_generators_go_on_where_they_were(tmp_path):
    generator, numpy_generator = torch.Generator().manual_seed(5), np.random.default_rng(5)
    torch.randn(3, generator=generator), numpy_generator.random(3)
    state = {"numpy": numpy_generator.bit_generator.state}
    save(tmp_path, "1", {"generators": {"torch": generator.get_state()}}, state)
    loaded = load(tmp_path / "1", "torch")
    other, numpy_other = torch.Generator(), np.random.default_rng()
    other.set_state(loaded.tensors["generators"]["torch"])
    numpy_other.bit_generator.state = loaded.state["numpy"]
    assert torch.equal(torch.randn(3, generator=other), torch.randn(3, generator=generator))
    assert (numpy_other.random(3) == numpy_generator.random(3)).all()


def test_what_an_optimizer_cannot_hold_is_refused():
    for bad in ({"a": object()}, {1.5: 1}, {"a": float("nan")}, {True: 1}, {"a": np.ones(2)}):
        with pytest.raises(TypeError):
            flatten_optimizer(bad)


def test_optimizer_parts_that_do_not_fit_are_one_clear_error():
    net = model()
    optimizer = OPTIMIZERS["sgd"](net)
    train(net, optimizer, 1, seed=1)
    flat, state = flatten_optimizer(optimizer.state_dict())
    json.dumps(state, allow_nan=False)
    missing = dict(list(flat.items())[1:])
    for parts in ((missing, state), (flat, {}), (flat, {"optimizer": {"items": 3}}), (flat, {"optimizer": [1]})):
        with pytest.raises(TensorError):
            unflatten_optimizer(*copy.deepcopy(parts))
