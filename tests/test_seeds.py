"""Seeds train in processes of their own: whatever becomes of one, the others go on, and it is told in a line."""

import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from seeds_help import WORK, Config, usable

from agents import results, seeds, worker
from agents.display import Display, Progress, plain_line, seconds_left
from agents.results import ResultsError
from agents.worker import alone

HERE = Path(__file__).resolve().parent


def run(config: Config) -> int:
    return seeds.run(config, WORK, usable)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_seeds_train_once_and_go_on_when_more_is_asked_for(tmp_path, capfd) -> None:
    config = Config(tmp_path / "run", "threads")
    assert run(config) == 0
    output = capfd.readouterr().out
    for words in ("seed 0: done\n", "counter on threads, 2 seeds of 20 steps", "IQM", "curves.png"):
        assert words in output, output
    assert files(config.run_dir) >= {"seed-0", "seed-1", "results.json", "curves.png"}
    assert files(config.run_dir / "seed-1") == {"metrics.jsonl", "state.json", "result.json", ".lock"}
    assert results.read_summary(config.run_dir)["final"]["values"] == [11.0, 12.0]

    (config.run_dir / "seed-0" / "state.json").unlink()  # who trains again begins anew, and writes it
    assert run(config) == 0
    output = capfd.readouterr().out
    assert "Trained before: seeds 0, 1." in output
    assert "2 seeds of 20 steps" in output
    assert not (config.run_dir / "seed-0" / "state.json").exists()

    assert run(Config(config.run_dir, "threads", steps=30, seeds=3)) == 0
    output = capfd.readouterr().out
    assert "seed 1: goes on from step 20" in output
    assert "3 seeds of 30 steps" in output


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_seed_that_fails_is_told_in_one_line_and_the_others_go_on(tmp_path, capfd) -> None:
    failures = {
        0: "its process was killed by SIGKILL, as systems do where memory runs out",
        1: f"ZeroDivisionError: of all things (in full: {tmp_path / 'seed-1' / 'error.txt'})",
        2: "its process ended with exit status 3",
        4: "there is not enough memory",
        5: "the result is no good",
        6: f"its process was killed by SIGSEGV; {tmp_path / 'seed-6' / 'output.txt'} may say why",
    }
    config = Config(tmp_path, "killed-0,error-1,exit-2,memory-4,result-5,segfault-6", seeds=7, seconds=0.0)
    assert run(config) == 1
    output, errors = capfd.readouterr()
    for seed, why in failures.items():
        assert f"seed {seed} failed: {why}" in output, output
    assert output.count("failed:") == len(failures)
    assert "Traceback" not in output + errors
    assert "noise" not in output + errors
    assert "in two lines" in (tmp_path / "seed-1" / "error.txt").read_text()
    assert (tmp_path / "seed-1" / "output.txt").read_text() == "noise of a library\n"
    assert "seed 3 of 20 steps" in output
    assert "Not finished: seeds 0, 1, 2, 4, 5, 6. What was saved is kept; the same command goes on" in output


def test_settings_that_cannot_work_are_told_once_and_end_it_all(tmp_path, capfd) -> None:
    assert run(Config(tmp_path, "settings", seeds=9)) == 2
    output, errors = capfd.readouterr()
    assert errors == "train: steps must be even\n"
    assert "Traceback" not in output
    assert not (tmp_path / "seed-8").exists()


def test_an_environment_that_cannot_be_made_is_told_before_anything_is_started(tmp_path, capfd) -> None:
    def check(_config: Config) -> None:
        raise ValueError("there is no environment Cartpole-v7")

    assert seeds.run(Config(tmp_path / "run"), WORK, check) == 2
    assert capfd.readouterr().err == "train: there is no environment Cartpole-v7\n"
    assert not (tmp_path / "run").exists()


def test_a_folder_with_results_of_something_else_is_refused(tmp_path, capfd) -> None:
    assert run(Config(tmp_path, seeds=1, seconds=0.0)) == 0
    assert run(Config(tmp_path, "another", seeds=1)) == 2
    assert "holds results of counter on count: choose another --run-dir" in capfd.readouterr().err


def test_a_damaged_result_is_told_and_written_anew(tmp_path, capfd) -> None:
    config = Config(tmp_path, seeds=1, seconds=0.0)
    assert run(config) == 0
    path = tmp_path / "seed-0" / "result.json"
    path.write_bytes(path.read_bytes()[:100])
    capfd.readouterr()
    assert run(config) == 0
    assert f"{path} is damaged" in capfd.readouterr().out
    assert results.read(path.parent)["steps"] == 20


def test_two_processes_never_train_one_seed(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(worker, "_LOCK_SECONDS", 0.2)
    with alone(tmp_path, lambda: False) as is_alone:
        assert is_alone
        with pytest.raises(ResultsError, match="in use by another process"), alone(tmp_path, lambda: False):
            pass
        with alone(tmp_path, lambda: True) as is_alone:
            assert not is_alone
    with alone(tmp_path, lambda: False) as is_alone:
        assert is_alone


@pytest.mark.parametrize(
    "line", ["scripts/train.py dqn --steps 100 --seeds 2", "scripts/train.py dqn --steps=100 --seeds 2"]
)
def test_the_command_for_more_is_the_one_that_was_given(line, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", line.split())
    assert seeds._command({}).endswith(line)
    assert seeds._command({"--steps": 200}).endswith("python scripts/train.py dqn --seeds 2 --steps 200")


# --- signals ---------------------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def start(folder: Path, env: str = "count", steps: int = 2000) -> subprocess.Popen[str]:
    """Two of three seeds at once, with 50 steps a second."""
    words = [folder, env, steps, 3, 2, 0.02]
    return subprocess.Popen(
        [sys.executable, HERE / "seeds_help.py", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
    )


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_training(folder: Path) -> bool:
    sizes = [path.stat().st_size for path in folder.glob("seed-*/metrics.jsonl")]
    return len(sizes) == 2 and min(sizes) > 0


def has_saved(folder: Path) -> bool:
    return all((folder / f"seed-{seed}" / "state.json").exists() for seed in (0, 1))


def is_free(folder: Path) -> bool:
    """Whether no process trains a seed any more."""
    with alone(folder / "seed-0", lambda: True) as one, alone(folder / "seed-1", lambda: True) as other:
        return one and other


@posix
@pytest.mark.slow
def test_one_ctrl_c_saves_every_seed_and_the_same_command_goes_on(tmp_path) -> None:
    process = start(tmp_path)
    wait_for(lambda: is_training(tmp_path))
    os.killpg(process.pid, signal.SIGINT)  # to all processes, as a terminal does
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, ""), output + errors
    assert "Stopping: every seed saves where it is" in output
    assert "Not finished: seeds 0, 1, 2. What was saved is kept; the same command goes on from there." in output
    saved = [json.loads((tmp_path / f"seed-{seed}" / "state.json").read_text())["steps"] for seed in (0, 1)]
    assert all(0 < steps < 2000 for steps in saved)
    assert not (tmp_path / "seed-2").exists()
    process = start(tmp_path, steps=max(saved) + 1)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert f"seed 0: goes on from step {saved[0]}" in output
    assert f"3 seeds of {max(saved) + 1} steps" in output


@posix
@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(tmp_path) -> None:
    process = start(tmp_path, "stubborn")
    wait_for(lambda: is_training(tmp_path))
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGINT
    wait_for(lambda: is_free(tmp_path))


@posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_no_seed_outlives_its_parent(tmp_path, name) -> None:
    process = start(tmp_path)
    wait_for(lambda: is_training(tmp_path))
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=30)
    wait_for(lambda: is_free(tmp_path))
    assert has_saved(tmp_path)


# --- what is seen ----------------------------------------------------------------------------------------------------


def test_time_left_is_that_of_the_slowest_or_of_all_that_waits() -> None:
    fast, slow = Progress(0, 500, 1000, steps_per_second=100.0), Progress(1, 0, 1000, steps_per_second=50.0)
    assert seconds_left([fast, slow], 0) == 20.0
    assert seconds_left([fast, slow], 3000) == 4500 / 150
    assert math.isnan(seconds_left([], 1000))
    assert math.isnan(seconds_left([fast._replace(steps_per_second=0.0)], 0))


def test_a_plain_line_says_what_is_known() -> None:
    known = Progress(3, 12_000, 100_000, 123.44, 0.5, 4_000.0)
    assert plain_line("seed 3", known) == (
        "seed 3: 12,000 of 100,000 steps, training 123.4, evaluation 0.500, 4,000 steps/s, 0:22 left"
    )
    assert plain_line("seed 3", Progress(3, 1, 2)) == "seed 3: 1 of 2 steps, training -, evaluation -, - steps/s"


@pytest.mark.parametrize(("width", "height"), [(120, 30), (80, 24), (60, 10)])
@pytest.mark.parametrize("many", [1, 5, 40])
def test_a_table_is_never_larger_than_the_terminal(width, height, many) -> None:
    names = [f"seed {seed}" for seed in range(many)]
    title = "dqn on CartPole-v1, in runs/dqn/CartPole-v1"
    display = Display(title, dict.fromkeys(names, 1_000_000), io.StringIO(), plain=False)
    display._console = Console(width=width, height=height, record=True, file=io.StringIO(), force_terminal=True)
    display.progress(names[-1], Progress(many - 1, 123_456, 1_000_000, -1234.5, 500.0, 12_345.6))
    display.update(now=True)
    shown = display._screen(width, height)
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(shown)
    lines = console.export_text().splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if ("123,456 of 1,000,000" if width > 60 else "12 %") in line]
    assert all(words in row for words in ("-1,234.5", "500.0", "12,346", "1:11"))
    display.close()
