"""Tasks whose observations hide the state: exact numbers, Gymnasium's own checks, and who can learn them."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gradient_help import make_agent, train_for
from gymnasium.utils.env_checker import check_env

from agents.agent import agent_class
from agents.evaluation import evaluate, exact
from agents.settings import PPO
from games.hidden import BEST_RETURN, BEST_RIGHT, RecallVectorEnv, corridor, corridor_return, recall
from rlcore import mdp


def test_the_corridors_worth_is_that_of_its_formula() -> None:
    world, shown = corridor()
    assert set(shown.tolist()) == {0}
    for right in (0.05, 0.5, BEST_RIGHT, 0.95):
        policy = np.tile([1.0 - right, right], (4, 1))
        assert mdp.evaluate(world, policy, 1.0)[0] == pytest.approx(corridor_return(right))
    assert corridor_return(BEST_RIGHT) == pytest.approx(BEST_RETURN) == pytest.approx(-11.656854)
    assert max(corridor_return(p) for p in np.linspace(0.01, 0.99, 99)) < BEST_RETURN


def test_a_cue_is_worth_one_to_who_recalls_it_and_chance_to_others() -> None:
    world, shown = recall(20, 3)
    assert mdp.best_return_within(world, 20) == pytest.approx(1.0)
    assert mdp.best_return_within(world, 19) == 0.0
    assert mdp.return_within(world, mdp.uniform(world), 20) == pytest.approx(1 / 3)
    assert shown.tolist() == [2, 3, 4] + [0] * 54 + [1] * 3
    with pytest.raises(ValueError, match="nothing to recall with 1 steps"):
        recall(1)


@pytest.mark.parametrize("name", ["rlcore/ShortCorridor-v0", "rlcore/Recall-v0"])
@pytest.mark.filterwarnings("ignore")
def test_they_are_environments_of_gymnasium(name) -> None:
    env = gymnasium.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    with pytest.raises(ValueError, match="shows the same of several states"):
        mdp.from_env(env)
    single, many = gymnasium.make(name), gymnasium.make_vec(name, num_envs=3)
    assert many.single_observation_space == single.observation_space
    assert many.reset(seed=1)[0].shape == (3,)


def test_many_at_once_show_what_one_shows() -> None:
    envs = RecallVectorEnv(4, length=3, autoreset_mode="SameStep")
    first, _ = envs.reset(seed=0)
    assert set(first.tolist()) <= {2, 3}
    assert envs.step(np.zeros(4, np.int64))[0].tolist() == [0] * 4
    assert envs.step(np.zeros(4, np.int64))[0].tolist() == [1] * 4
    then, rewards, terminated, _, info = envs.step(first - 2)
    assert rewards.tolist() == [1.0] * 4
    assert terminated.all()
    assert set(then.tolist()) <= {2, 3}
    assert info["final_obs"].tolist() == [1] * 4


RECALL = PPO(
    env="rlcore/Recall-v0", num_envs=16, rollout_steps=63, learning_rate=3e-3, entropy=0.01, hidden=(32,), shared=True,
    units=32,
)  # fmt: skip


def trained(config, steps: int):
    envs = agent_class("ppo").environments(config, 0)
    return train_for(make_agent(config, envs), envs, steps)


def test_who_remembers_recalls_a_cue_after_20_steps() -> None:
    agent = trained(dataclasses.replace(RECALL, cell="lstm"), 25_000)
    assert evaluate(agent, 200, 0, "final").mean >= 0.99
    assert exact(agent) is None


def test_who_does_not_remember_cannot_recall() -> None:
    agent = trained(RECALL, 5_000)
    assert evaluate(agent, 400, 0, "final").mean == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "shared"), [("lstm", False), ("gru", True), ("gru", False)])
def test_every_memory_recalls(cell, shared) -> None:
    agent = trained(dataclasses.replace(RECALL, cell=cell, shared=shared), 120_000)
    assert evaluate(agent, 200, 0, "final").mean >= 0.99
