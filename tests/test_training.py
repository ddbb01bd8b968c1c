"""The frame of training: seeds decide all, runs go on bit for bit, evaluation looks on, and what is kept is of use."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest

from agents import environments, results
from agents.agent import load, seed_for
from agents.evaluation import evaluate
from agents.settings import DQN, SARSA, QLearning, Training
from agents.steps import first_seed
from rlcore import checkpoint
from rlcore.checkpoint import CheckpointError
from rlcore.config import ConfigError, read
from tests.agent_help import differences, kept, metrics, train

ROOT = Path(__file__).resolve().parent.parent

BRIEF: dict[str, Any] = {"evaluations": 4, "evaluation_episodes": 2, "final_episodes": 3, "tensorboard": False}
RAINBOW: dict[str, Any] = {
    "double": True, "dueling": True, "n_step": 3, "prioritised": True, "noisy": True, "distributional": True,
    "atoms": 11, "hidden": (16, 16), "learning_starts": 200, "batch_size": 8, "num_envs": 4, "train_every": 32,
    "replay_size": 400, "target_every": 10, "updates_per_step": 0.1,
}  # fmt: skip

CASES: dict[str, Training] = {
    "q-learning-lake": QLearning(env="FrozenLake-v1", steps=4_000, **BRIEF),
    "q-learning-rooms": QLearning(env="rlcore/GridRooms-v0", steps=6_000, exploring_starts=True, **BRIEF),
    "sarsa-lake": SARSA(env="FrozenLake-v1", steps=4_000, **BRIEF),
    "sarsa-rooms": SARSA(env="rlcore/GridRooms-v0", steps=6_000, **BRIEF),
    "dqn-lake": DQN(env="FrozenLake-v1", steps=800, **RAINBOW, **BRIEF),
    "dqn-rooms": DQN(env="rlcore/GridRooms-v0", steps=800, **RAINBOW, **BRIEF),
    "dqn-cartpole": DQN(env="CartPole-v1", steps=1_200, **RAINBOW, **BRIEF),
    "dqn-catch": DQN(env="rlcore/Catch-v0", steps=500, frames=2, **RAINBOW, **BRIEF),
}


class Run(NamedTuple):
    folder: Path
    result: dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Any:
    """Runs of the cases from beginning to end, each made once."""
    made: dict[str, Run] = {}

    def run(case: str) -> Run:
        if case not in made:
            folder = tmp_path_factory.mktemp(case)
            result, lines = train(CASES[case], folder)
            assert result is not None
            assert lines == []
            made[case] = Run(folder, result)
        return made[case]

    return run


# --- bit for bit -----------------------------------------------------------------------------------------------------


USUAL = ("q-learning-lake", "sarsa-rooms", "dqn-cartpole", "dqn-catch")


@pytest.mark.parametrize(
    "case", [case if case in USUAL else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_stopped_and_gone_on_with_is_the_same_as_never_stopped(case, whole, tmp_path) -> None:
    config = CASES[case]
    for share in (0.3, 0.7) if case != "dqn-catch" else (0.5,):
        result, lines = train(config, tmp_path, stop=lambda steps, until=share * config.steps: steps >= until)
        assert (result, lines) == (None, [])
        assert 0.3 * config.steps <= kept(tmp_path).state["learner"]["steps"] < config.steps
    result, lines = train(config, tmp_path)
    assert result is not None
    assert lines == []
    assert differences(kept(tmp_path), kept(whole(case).folder)) == []
    assert metrics(tmp_path) == metrics(whole(case).folder)
    for name in ("final", "best", "episodes", "gradient_steps", "training"):
        assert result[name] == whole(case).result[name]


@pytest.mark.parametrize("case", ["q-learning-lake", "dqn-cartpole"])
def test_the_seed_decides_everything(case, whole, tmp_path) -> None:
    train(CASES[case], tmp_path / "same")
    assert differences(kept(tmp_path / "same"), kept(whole(case).folder)) == []
    train(CASES[case], tmp_path / "other", seed=1)
    other = differences(kept(tmp_path / "other"), kept(whole(case).folder))
    assert any(name.startswith("weights.") for name in other)


@pytest.mark.parametrize("case", ["sarsa-rooms", "dqn-cartpole"])
def test_training_is_the_same_with_evaluations_and_without(case, whole, tmp_path) -> None:
    for many in (0, 20) if case == "sarsa-rooms" else (0,):
        config = dataclasses.replace(CASES[case], evaluations=many)
        train(config, tmp_path / str(many))
        found = differences(kept(tmp_path / str(many)), kept(whole(case).folder))
        assert {name.split(".")[0] for name in found} <= {"best", "group best", "state best", "state evaluations"}
        assert (len(kept(tmp_path / str(many)).state["evaluations"]) > 4) == (many > 4)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_run_killed_at_any_moment_ends_with_the_same_weights(tmp_path) -> None:
    """The same command again, after its processes were killed when a checkpoint lay there or was just being written."""
    flags = "--double --dueling --prioritised --noisy --distributional --n-step 3 --atoms 11 --hidden 16 --num-envs 4"
    more = "--learning-starts 200 --batch-size 8 --train-every 32 --updates-per-step 0.1 --replay-size 400 --steps 4000"
    rest = "--target-every 10 --evaluations 4 --final-episodes 3 --no-tensorboard --checkpoint-seconds 0.1"
    words = f"{flags} {more} {rest}".split()
    command = [sys.executable, ROOT / "scripts" / "train.py", "dqn", "--run-dir", tmp_path / "killed", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    checkpoints = tmp_path / "killed" / "seed-0" / "checkpoints"
    end = time.monotonic() + 120
    while not list(checkpoints.glob("0*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    time.sleep(random.random() * 0.2)  # whatever the moment
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "killed" / "seed-0" / results.FILE).exists()  # it had not come to its end

    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    train(read(DQN, tmp_path / "killed" / "seed-0" / "config.json"), tmp_path / "whole")
    assert differences(kept(tmp_path / "killed" / "seed-0"), kept(tmp_path / "whole")) == []
    assert metrics(tmp_path / "killed" / "seed-0") == metrics(tmp_path / "whole")


# --- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["dqn-cartpole", "q-learning-lake"])
def test_final_and_best_are_kept_apart_and_scored_by_other_episodes(case, whole) -> None:
    folder, result = whole(case)
    steps = [line[0] for line in result["evaluations"]]
    assert len(steps) == 4
    assert steps == sorted(steps)
    assert steps[-1] == result["steps"] >= CASES[case].steps
    assert result["best"]["step"] in steps
    greatest = max(line[2] for line in result["evaluations"])
    assert greatest == next(line[2] for line in result["evaluations"] if line[0] == result["best"]["step"])
    for which in ("final", "best"):
        scores = evaluate(load(folder, which=which).agent, 3, 0, which)
        assert scores.returns.tolist() == result[which]["returns"]
        assert scores.lengths.tolist() == result[which]["lengths"]
        assert result[which]["mean"] == pytest.approx(np.mean(result[which]["returns"]))
    seeds = {seed_for(0, *what) for what in (("environments",), ("final", 0), ("best", 0), ("evaluation", 0))}
    assert len(seeds | {seed_for(0, "evaluation", 1)}) == 5
    assert (result["exact"] is None) == (case == "dqn-cartpole")


def test_a_step_is_reported_once(whole) -> None:
    steps = [line["step"] for line in metrics(whole("dqn-cartpole").folder) if "training/updates" in line]
    assert len(steps) == len(set(steps))
    assert int(steps[-1]) == whole("dqn-cartpole").result["steps"]


@pytest.mark.parametrize("kind", [QLearning, DQN])
def test_an_environment_without_an_end_is_broken_off(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(environments, "STEP_CAP", 40)
    config = kind(env="tests/Endless-v0", steps=400, num_envs=2, **BRIEF)
    result, _ = train(config, tmp_path / "cap")
    assert (result["episodes"], result["final"]["lengths"], result["final"]["returns"]) == (10, [40] * 3, [40.0] * 3)
    result, _ = train(dataclasses.replace(config, max_episode_steps=10), tmp_path / "own")
    assert (result["episodes"], result["best"]["lengths"]) == (40, [10] * 3)


# --- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SARSA, DQN])
def test_episodes_that_cannot_be_played_again_begin_anew_and_that_is_told(kind, tmp_path) -> None:
    config = kind(env="tests/ChainEntropy-v0", steps=6_144, num_envs=64, **BRIEF)
    if kind is DQN:
        config = dataclasses.replace(config, learning_starts=100, hidden=(8,))
    assert train(config, tmp_path, stop=lambda steps: steps > 1_000) == (None, [])
    result, (line,) = train(config, tmp_path)
    number, rest = line.split(" ", 1)
    assert 0 < int(number) < 64
    assert rest == "of 64 episodes in progress could not be gone on with and begin anew"
    assert result["steps"] == 6_144


def test_a_finished_run_goes_on_with_more_steps(whole, tmp_path) -> None:
    config = dataclasses.replace(CASES["dqn-catch"], steps=256)
    result, _ = train(config, tmp_path)
    assert result["steps"] == 256
    before = metrics(tmp_path)
    result, lines = train(CASES["dqn-catch"], tmp_path)
    assert lines == []
    assert result["steps"] == kept(tmp_path).state["learner"]["steps"] == whole("dqn-catch").result["steps"]
    assert result["gradient_steps"] == whole("dqn-catch").result["gradient_steps"]
    assert metrics(tmp_path)[: len(before)] == before
    assert result["settings"]["steps"] == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": 0.5}, r"holds a run with gamma = 0\.99; go on with that, or choose another --run-dir"),
        ({"epsilon_share": 0.1}, r"holds a run with epsilon_share = 0\.5; go on"),
        ({"env": "FrozenLake8x8-v1"}, r"holds a run with env = FrozenLake-v1; go on"),
    ],
)
def test_other_settings_are_refused_and_nothing_is_changed(change, message, whole) -> None:
    folder = whole("q-learning-lake").folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=message) as caught:
        train(dataclasses.replace(CASES["q-learning-lake"], steps=9_000, **change), folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="is of q-learning, seed 0; choose another --run-dir"):
        train(SARSA(env="FrozenLake-v1", **BRIEF), folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_told_and_the_one_before_gone_on_with(whole, tmp_path) -> None:
    config = dataclasses.replace(CASES["dqn-cartpole"], checkpoint_seconds=0.0)
    train(config, tmp_path, stop=lambda steps: steps > 700)
    older, newer = sorted((tmp_path / "checkpoints").iterdir())
    damage(newer / "replay.safetensors")
    _, (line,) = train(config, tmp_path)
    assert line.startswith(f"checkpoint {newer.name} is damaged (replay.safetensors: checksum differs)")
    assert line.endswith(f"using {older.name}")
    assert differences(kept(tmp_path), kept(whole("dqn-cartpole").folder)) == []
    assert metrics(tmp_path) == metrics(whole("dqn-cartpole").folder)
    for path in (tmp_path / "checkpoints").iterdir():
        damage(path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"none of the 2 checkpoints in .* can be used"):
        load(tmp_path)


def test_a_checkpoint_of_another_version_can_be_played_but_not_trained_on(tmp_path) -> None:
    config = dataclasses.replace(CASES["dqn-cartpole"], checkpoint_seconds=0.0)
    train(config, tmp_path, stop=lambda steps: steps > 300)
    saved = checkpoint.load_newest(tmp_path / "checkpoints")
    assert saved is not None
    saved.tensors["optimizer"].pop("squares")
    checkpoint.save(tmp_path / "checkpoints", saved.name, saved.tensors, saved.state, keep=1)
    with pytest.raises(ConfigError, match=r"is of another version and cannot be gone on with .*choose another"):
        train(config, tmp_path)
    assert load(tmp_path).act(np.zeros(4, np.float32)) in (0, 1)


# --- from Python -----------------------------------------------------------------------------------------------------

WHATEVER: dict[str, Training] = {
    "table, counted from 3": QLearning(env="tests/ChainStart-v0", steps=3_000, **BRIEF),
    "table, masked": SARSA(env="tests/ChainMasked-v0", steps=3_000, **BRIEF),
    **{
        shown: DQN(
            env=f"tests/Chain{shown}-v0", steps=1_500, hidden=(16,), learning_starts=200, learning_rate=0.01, **BRIEF
        )
        for shown in ("Start", "Dict", "Tuple")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", WHATEVER)
def test_what_is_loaded_acts_as_it_was_evaluated(case, tmp_path) -> None:
    """In the environment itself, as anybody would run it: the same episodes, so the same returns and lengths."""
    config = WHATEVER[case]
    result, _ = train(config, tmp_path / "seed-0")
    policy = load(tmp_path)
    env = gymnasium.make(config.env)
    found = []
    for i in range(3):
        observation, info = env.reset(seed=first_seed(seed_for(0, "final", 0)) + i)
        total, length, over = 0.0, 0, False
        while not over:
            action = policy.act(observation, info.get("action_mask"))
            assert type(action) is int
            observation, reward, terminated, truncated, info = env.step(action)
            total, length, over = total + reward, length + 1, terminated or truncated
        found.append((total, length))
    assert sorted(found) == sorted(zip(result["final"]["returns"], result["final"]["lengths"], strict=True))
    assert result["final"]["mean"] == 1.0


def test_what_cannot_be_loaded_is_told_in_a_line(whole, tmp_path) -> None:
    with pytest.raises(ConfigError, match="holds no run; train one, or name another folder"):
        load(tmp_path)
    (tmp_path / "seed-3").mkdir()
    with pytest.raises(ConfigError, match=r"has the seeds 3, not 0"):
        load(tmp_path, seed=0)
    with pytest.raises(ConfigError, match=r"there is no checkpoint in .*seed-3; train first"):
        load(tmp_path)
    assert load(whole("dqn-cartpole").folder).agent.config == CASES["dqn-cartpole"]
