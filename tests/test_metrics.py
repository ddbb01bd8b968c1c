"""Metrics: one line a step, never a torn one, never a curve that doubles after a resume."""

import json
import logging
import math
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from rlcore.metrics import Metrics, MetricsError, read

ROOT = Path(__file__).resolve().parent.parent


def open_plain(folder):
    return Metrics(folder, tensorboard=False)


def steps(path):
    return [line["step"] for line in read(path)]


def curves(folder):
    """TensorBoard's own view of the scalars: name -> [(step, value)]."""
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_lines_come_back(tmp_path):
    with open_plain(tmp_path / "run") as metrics:
        metrics.write(1, {"loss": 1.5, "games": 3, "phase": "opening"})
        assert read(tmp_path / "run")[0]["games"] == 3, "not flushed"
        metrics.write(2, {"loss": np.float32(0.25), "games": np.int64(4), "draws": torch.tensor(0.5)})
    lines = read(tmp_path / "run" / "metrics.jsonl")
    times = [datetime.fromisoformat(line.pop("time")) for line in lines]
    assert times[0] <= times[1]
    assert lines == [
        {"step": 1, "loss": 1.5, "games": 3, "phase": "opening"},
        {"step": 2, "loss": 0.25, "games": 4, "draws": 0.5},
    ]


def test_nan_is_valid_json_in_the_file_and_nan_when_read(tmp_path):
    with open_plain(tmp_path) as metrics:
        metrics.write(1, {"loss": math.nan, "rate": math.inf})
    text = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["loss"] is None
    assert math.isnan(read(tmp_path)[0]["loss"])
    assert math.isnan(read(tmp_path)[0]["rate"])


@pytest.mark.parametrize("values", [{"step": 1}, {"time": 1}, {"loss": None}, {"loss": [1]}, {"loss": np.ones(2)}])
def test_what_is_no_metric_is_refused_and_not_written(tmp_path, values):
    with open_plain(tmp_path) as metrics:
        with pytest.raises((ValueError, TypeError)):
            metrics.write(1, {"good": 1} | values)
        metrics.write(2, {"good": 1})
    assert steps(tmp_path) == [2]


def test_a_line_torn_at_any_byte_is_cut_off_when_the_run_goes_on(tmp_path):
    with open_plain(tmp_path) as metrics:
        for step in range(3):
            metrics.write(step, {"loss": 0.5, "note": "x" * 5000 if step == 2 else ""})
    path = tmp_path / "metrics.jsonl"
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for size in [*range(ends[1] + 100), *range(ends[1] + 100, len(data), 97), len(data) - 1, len(data)]:
        path.write_bytes(data[:size])
        whole = sum(end <= size for end in ends)
        assert steps(path) == list(range(whole))
        with open_plain(tmp_path) as metrics:
            metrics.write(9, {})
        assert steps(path) == [*range(whole), 9]
        assert path.read_bytes().count(b"\n") == whole + 1
        assert path.read_bytes().endswith(b"\n")


def test_lines_that_are_no_metrics_are_passed_over(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(
        b'{"step": 1}\n\0\0\0\0\n\xff\n[1]\n{"loss": 1}\n{"step": "2"}\n\n{"step": 3}\n'
    )
    assert steps(tmp_path) == [1, 3]
    with open_plain(tmp_path) as metrics:
        metrics.rewind(5)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"step": 1}\n{"step": 3}\n'


def test_after_a_rewind_no_step_doubles(tmp_path):
    with open_plain(tmp_path) as metrics:
        for step in range(1, 6):
            metrics.write(step, {"loss": step})
    with open_plain(tmp_path) as metrics:
        metrics.rewind(3)
        assert steps(tmp_path) == [1, 2, 3]
        metrics.write(4, {"loss": 40})
        metrics.rewind(3)
        metrics.write(4, {"loss": 400})
        metrics.rewind(10)
    assert [line["loss"] for line in read(tmp_path)] == [1, 2, 3, 400]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_tensorboard_shows_the_same_curves_and_forgets_what_was_rewound(tmp_path):
    pytest.importorskip("tensorboard")
    with Metrics(tmp_path) as metrics:
        for step in range(1, 6):
            metrics.write(step, {"loss": step, "phase": "text"})
    with Metrics(tmp_path) as metrics:
        metrics.rewind(3)
        for step in range(4, 7):
            metrics.write(step, {"loss": 10 * step})
    assert curves(tmp_path) == {"loss": [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50), (6, 60)]}


def test_without_tensorboard_the_file_is_written_and_one_line_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # makes the import fail as if not installed
    with caplog.at_level(logging.INFO), Metrics(tmp_path) as metrics:
        metrics.write(1, {"loss": 1})
        metrics.write(2, {"loss": 2})
    assert steps(tmp_path) == [1, 2]
    assert [record.message.split(";")[0] for record in caplog.records] == ["TensorBoard is not installed"]
    assert not (tmp_path / "tensorboard").exists()


def test_a_tensorboard_that_fails_does_not_end_the_run(tmp_path, caplog):
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("a file where the folder should be")
    with Metrics(tmp_path) as metrics:
        metrics.write(1, {"loss": 1})
        metrics.write(2, {"loss": 2})
    assert steps(tmp_path) == [1, 2]
    assert len(caplog.records) == 1
    assert "TensorBoard failed" in caplog.text


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(MetricsError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MetricsError, match="cannot be written"):
        open_plain(tmp_path / "file")


FULL_DISK = """
import resource, sys
from rlcore.metrics import Metrics, MetricsError, read
metrics = Metrics(sys.argv[1], tensorboard=False)
metrics.write(1, {"loss": 1})
metrics.write(2, {"loss": 1})
before = metrics.path.read_bytes()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, hard))
try:
    metrics.write(3, {"loss": 1})
except MetricsError as error:
    print(error)
assert metrics.path.read_bytes() == before
resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
try:
    metrics.rewind(1)
except MetricsError as error:
    print(error)
assert metrics.path.read_bytes() == before
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
metrics.write(3, {"loss": 1})
assert [line["step"] for line in read(sys.argv[1])] == [1, 2, 3]
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_full_disk_is_one_clear_error_and_tears_no_line(tmp_path):
    arguments = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "cannot be written to" in run.stdout
    assert "cannot be rewritten" in run.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
