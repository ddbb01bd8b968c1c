"""The search for settings: ranges that fit, trials that are counted once, worse ones stopped early."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agents.crew import Job
from agents.display import Progress
from agents.ranges import RANGES, Between, widened
from agents.settings import AGENTS
from agents.tune import Search, _Stopper, flags, run
from agents.tuned import TUNED, tuned
from rlcore.config import ConfigError
from rlcore.metrics import Metrics

optuna = pytest.importorskip("optuna")

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("agent", RANGES)
def test_every_end_of_every_range_makes_sense(agent) -> None:
    assert set(RANGES) == set(AGENTS)
    for name, found in RANGES[agent].items():
        for value in (found.low, found.high) if isinstance(found, Between) else found:
            changed = AGENTS[agent](**{name: value})
            assert type(getattr(changed, name)) is type(getattr(AGENTS[agent](), name)), name


@pytest.mark.parametrize(("agent", "env"), TUNED)
def test_a_search_can_begin_with_every_tuned_setting(agent, env) -> None:
    start = tuned(agent, env)
    for name, found in RANGES[agent.partition("+")[0]].items():
        wide, value = widened(found, start, name), getattr(start, name)
        assert wide.low <= value <= wide.high if isinstance(wide, Between) else value in wide


def test_a_range_in_the_logarithm_is_not_one_of_zero() -> None:
    start = AGENTS["ppo"](entropy=0.0)
    assert widened(Between(0.1, 0.2, log=True), start, "entropy") == Between(0.0, 0.2)
    assert widened((1, 2), AGENTS["dqn"](n_step=7), "n_step") == (1, 2, 7)


@pytest.mark.parametrize(
    ("search", "says"),
    [
        (Search("dqn", "CartPole-v1", seed=4), "--seed must be at least 100: seeds below are kept for scores"),
        (Search("dqn", "CartPole-v1", trials=0), "--trials and --seeds must be at least 1"),
        (Search("dqn", "CartPole-v1", only=("depth",)), "there is no range for depth of dqn; there are: learning_rate"),
        (Search("nobody", "CartPole-v1"), "there is no agent 'nobody'"),
    ],
)
def test_a_search_that_cannot_be_is_refused(search, says, capsys) -> None:
    with pytest.raises(ConfigError, match=says):
        search.ranges()
    assert run(search) == 2
    assert capsys.readouterr().err.startswith(f"tune: {says}")


def test_an_environment_that_is_none_is_told_before_anything_is_tried(tmp_path, capsys) -> None:
    assert run(Search("dqn", "Nope-v1", run_dir=tmp_path / "run")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_settings_are_written_as_flags() -> None:
    found = flags({"learning_rate": 0.001, "hidden": (64, 32), "double": True, "noisy": False})
    assert " ".join(found) == "--learning-rate 0.001 --hidden 64 32 --double --no-noisy"


def trial_of(study, folder: Path, values: list[list[float]]) -> _Stopper:
    """A trial whose two seeds have been evaluated so often, told as they would tell it."""
    stopper = _Stopper(study.ask(), folder, 2)
    stopper.stop = lambda: stopped.append(True)
    stopped: list[bool] = []
    for seed, found in enumerate(values):
        with Metrics(folder / f"seed-{seed}", tensorboard=False) as metrics:
            for k, value in enumerate(found):
                metrics.write(k, {"evaluation/return": value})
        stopper(Job(AGENTS["dqn"](), seed, f"seed {seed}"), Progress(seed, 1, 10, evaluation=found[-1]))
    assert stopper.is_worse == bool(stopped)
    return stopper


def test_a_trial_is_stopped_where_half_of_the_others_did_better_at_the_same_steps(tmp_path) -> None:
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(2, 2))
    for number, last in enumerate((10.0, 20.0, 30.0)):
        first = trial_of(study, tmp_path / str(number), [[1.0, last], [1.0, last, 99.0]])
        assert first.is_worse == (number == 2 and last < 15)
        assert first.trial.storage.get_trial(first.trial._trial_id).intermediate_values == {1: 1.0, 2: last}
        study.tell(first.trial, last)
    assert not trial_of(study, tmp_path / "better", [[0.0, 25.0], [0.0, 17.0]]).is_worse  # 21 is above 20
    assert trial_of(study, tmp_path / "worse", [[9.0, 25.0], [0.0, 14.0]]).is_worse  # 19.5 is not
    assert not trial_of(study, tmp_path / "early", [[0.0], [0.0]]).is_worse  # too soon to say


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    line = [sys.executable, "scripts/tune.py", "q-learning", "--env", "FrozenLake-v1", "--seeds", "1", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*line, "--run-dir", str(folder)], cwd=ROOT, text=True, **pipes)


def test_a_search_goes_on_to_its_best_settings(tmp_path, capfd) -> None:
    def search(trials: int, steps: int = 1024) -> tuple[int, str]:
        only = ("epsilon_final", "initial_value")
        status = run(Search("q-learning", "FrozenLake-v1", trials, 1, steps=steps, only=only, run_dir=tmp_path))
        return status, capfd.readouterr().out

    status, output = search(1)
    assert status == 0
    assert "trial 1 of 1: as it is" in output
    status, output = search(2)
    assert status == 0
    assert "trial 2 of 2: --epsilon-final 0." in output
    assert "trial 1 of 2" not in output
    found = json.loads((tmp_path / "trials.json").read_text())
    assert [one["ended"] for one in found] == ["done", "done"]
    assert found[0]["score"] == max(one["score"] for one in found) == found[0]["seeds"][0]
    assert all(set(one["settings"]) == {"epsilon_final", "initial_value"} for one in found)
    assert "scripts/train.py q-learning --env FrozenLake-v1 --seeds 5" in output
    before = (tmp_path / "journal.jsonl").read_bytes()
    assert search(2, steps=2048)[0] == 2  # another search
    assert (tmp_path / "journal.jsonl").read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_a_trial_that_was_broken_off_is_finished_with_the_same_settings(tmp_path, name) -> None:
    words = ["--trials", "1", "--steps", "2000000", "--only", "epsilon_final"]
    process = start(tmp_path, *words)
    while not list(tmp_path.glob("*/seed-100/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(getattr(signal, name))
    output, _ = process.communicate(timeout=60)
    assert ("the same command goes on" in output) == (name == "SIGINT")
    output, errors = start(tmp_path, *words).communicate(timeout=300)
    assert "1 of 1 trials" in output, errors
    assert len(list(tmp_path.glob("*/seed-100"))) == 1
