"""scripts/train.py as a person uses it: training, going on, scoring, watching, and a line for whatever is wrong."""

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from agents import results, watch
from tests.agent_help import kept

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent / "scripts" / "train.py"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {"PYTHONPATH": str(HERE)}


def command(*words: object) -> list[str]:
    return [sys.executable, str(SCRIPT), *map(str, words)]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=300, env=ENVIRONMENT)


class Told(NamedTuple):
    status: Any
    output: str
    errors: str


@pytest.fixture
def here(monkeypatch, capfd) -> Any:
    """The script in this process, which saves the time to start one."""

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return Told(ended.value.code, *capfd.readouterr())

    return run


LAKE = "q-learning --env FrozenLake-v1 --steps 4000 --final-episodes 5 --video --no-tensorboard --num-envs 8".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Path:
    """Two seeds on the frozen lake, trained by the command."""
    folder = tmp_path_factory.mktemp("lake")
    done = run(*LAKE, "--seeds", 2, "--run-dir", folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for words in ("2 seeds of 4,000 steps", "final", "IQM", "exact", "How to go on"):
        assert words in done.stdout, done.stdout
    return folder


def test_an_unknown_task_is_told_in_a_line(here) -> None:
    told = here("recurrent-attention", "--task=digit-translated")
    assert (told.status, told.errors) == (
        2, "train: there is no task 'digit-translated'; did you mean digits-translated?\n",
    )  # fmt: skip


@pytest.mark.slow
def test_the_recurrent_attention_model_is_trained_scored_and_shown_by_the_command(here, tmp_path) -> None:
    words = ["--steps", 4_000, "--num-envs", 16, "--evaluations", 1, "--no-tensorboard", "--seeds", 2]
    told = here("recurrent-attention", "--task", "digits-centred", "--run-dir", tmp_path, *words)
    assert (told.status, told.errors) == (0, "")
    assert "2 seeds of" in told.output
    assert {path.name for path in (tmp_path / "seed-1").glob("*.png")} == {"glimpses.png", "answers.png"}
    told = here("recurrent-attention", "--run-dir", tmp_path, "--task", "digits-centred", "--evaluate", 50)
    assert "seed-1: mean return" in told.output
    told = here("recurrent-attention", "--run-dir", tmp_path, "--task", "digits-centred", "--play")
    assert "Episode 5: return" in told.output


# --- training --------------------------------------------------------------------------------------------------------


def test_all_that_a_run_came_to_is_kept(lake) -> None:
    summary = results.read_summary(lake)
    assert (summary["agent"], summary["env"], summary["seeds"]) == ("q-learning", "FrozenLake-v1", [0, 1])
    assert len(summary["final"]["values"]) == 2
    for seed in (0, 1):
        result = results.read(lake / f"seed-{seed}")
        assert result["seed"] == seed
        assert result["steps"] >= 4_000
        assert len(result["final"]["returns"]) == 5
        assert result["settings"]["video"] is True
        assert result["versions"]["gymnasium"]
        assert 0 <= result["exact"]["return"] <= result["exact"]["best"] == pytest.approx(0.74, abs=0.01)
        with Image.open(lake / f"seed-{seed}" / "episode.gif") as video:
            assert video.format == "GIF"
            assert video.n_frames > 1
    assert (lake / "curves.png").exists()
    assert kept(lake / "seed-0").state["seed"] == 0


def test_the_same_command_trains_nothing_again(lake, here) -> None:
    before = (lake / "seed-0" / results.FILE).stat().st_mtime_ns
    told = here("q-learning", "--run-dir", lake)  # what the run is like need not be said again
    assert told.status == 0
    assert "Trained before: seeds 0, 1." in told.output
    assert "FrozenLake-v1" in told.output
    told = here("q-learning", "--run-dir", lake, "--seed", 1)
    assert "Trained before: seed 1." in told.output
    assert (lake / "seed-0" / results.FILE).stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path) -> None:
    """In an environment of somebody's package, whose library gives no video."""
    words = ["sarsa", "--env", "agent_help:tests/Chain-v0", "--run-dir", tmp_path, "--final-episodes", 5, "--video"]
    process = subprocess.Popen(
        command(*words, "--steps", 100_000_000),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=ENVIRONMENT,
    )  # fmt: skip
    seed, end = tmp_path / "seed-0", time.monotonic() + 120
    while not (seed / "config.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # to all, as a terminal does
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), output
    assert "Not finished: seed 0. What was saved is kept; the same command goes on from there." in output
    saved = kept(seed).state["learner"]["steps"]
    assert 0 < saved < 100_000_000

    done = run(*words, "--steps", saved + 1_000)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no video: tests/Chain-v0 is not rendered as rgb_array; there is nothing" in done.stdout
    result = results.read(seed)
    assert saved + 1_000 <= result["steps"] < saved + 2_000
    assert result["final"]["mean"] == 1.0


# --- looking ---------------------------------------------------------------------------------------------------------


def test_a_run_is_scored_again(lake, here) -> None:
    told = here("q-learning", "--run-dir", lake, "--evaluate", 20)
    assert told.status == 0
    lines = told.output.splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed-0", "seed-1", "2 seeds"]
    exact = results.read(lake / "seed-0")["exact"]
    assert "of 20 episodes" in lines[0]
    assert f"computed exactly: {exact['return']:.4f}, at best {exact['best']:.4f}" in lines[0]


def test_a_run_is_watched_as_text_where_there_is_no_screen(lake, here, monkeypatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setattr(watch, "_SLOWEST", 0.0)
    told = here("q-learning", "--run-dir", lake, "--play", "--seed", 1)
    assert told.status == 0, told
    assert told.output.count("SFFF") + told.output.count("FHFH") > 5
    assert told.output.count("Episode ") == 5
    told = here("q-learning", "--run-dir", lake, "--play", "--seed", 7)
    assert (told.status, told.errors) == (2, f"train: {lake} has the seeds 0, 1, not 7\n")


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_help_is_there_at_once() -> None:
    """Neither torch nor Gymnasium nor Numba, which take seconds, is imported for it."""
    lines = [
        "import runpy, sys",
        "for sys.argv in (['train.py', 'dqn', '--help'], ['train.py', '--help']):",
        f"    try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')",
        "    except SystemExit as ended: print('ended', ended.code)",
        "print([name for name in ('torch', 'gymnasium', 'numba', 'tensorboard') if name in sys.modules])",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("ended 0") == 2
    assert done.stdout.endswith("[]\n")
    for words in ("--target-every", "--evaluate", "--play", "--env", "usage: train.py q-learning|sarsa|dqn"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("dqm", "there is no agent 'dqm'"),
        ("dqn --env CartPole-v7", "there is no environment 'CartPole-v7'; did you mean CartPole-v1?"),
        ("dqn --env nowhere:Some-v0", "nowhere:Some-v0 needs a library: No module named 'nowhere'"),
        ("dqn --play", "holds no run; train one, or name another folder"),
        ("dqn --evaluate 3", "holds no run; train one, or name another folder"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(words, told, here, tmp_path) -> None:
    found = here(*words.split(), "--run-dir", tmp_path / "run")
    assert found.status == 2
    assert found.errors.startswith("train: ")
    assert told in found.errors
    assert found.errors.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("dqn --no-such-flag 3", "Unrecognized options: --no-such-flag, 3"),
        ("dqn --gamma 2", "gamma must lie in [0, 1], not 2.0"),
        ("dqn --steps many", "invalid literal for int() with base 10: 'many'"),
        ("dqn --env", "Missing value for argument '--env'"),
        ("dqn --evaluate -1", "evaluate must be a number of episodes, not -1"),
    ],
)
def test_a_bad_flag_is_named(words, told, here) -> None:
    found = here(*words.split())
    assert found.status == 2
    assert told in found.errors
    assert "Traceback" not in found.errors


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("q-learning --env CartPole-v1", "q-learning needs numbered observations and actions for its table"),
        ("dqn --env Pendulum-v1", "Pendulum-v1 has no numbered actions, which dqn needs"),
    ],
)
def test_what_an_agent_cannot_learn_is_told_in_a_line(words, told, tmp_path) -> None:
    done = run(*words.split(), "--run-dir", tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_environment_is_refused(lake, here) -> None:
    told = here("q-learning", "--env", "FrozenLake8x8-v1", "--run-dir", lake)
    assert (told.status, told.errors) == (2, f"train: {lake} holds a run on FrozenLake-v1; choose another --run-dir\n")
