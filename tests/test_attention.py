"""The recurrent attention model. The numbered tests fail where a known mistake is made: 1 a gradient that leaks through
locations, 2 the density of a clamped sample, 3 means for sums over time, 4 a gradient stopped at the mean, 5 a baseline
that shapes the core, 6 locations in a unit of their own, 7 samples where means should be scored, 9 checkpoints without
generators, 10 loops over samples, 11 memory that is lost, 12 actions not drawn from the policy, 13 a discount that
hides the end, 14 x for y, 15 test images among those to learn from.
"""

import dataclasses
import inspect
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents import looking
from agents.agent import load
from agents.evaluation import evaluate
from agents.recurrent_attention import hybrid_loss
from agents.seen import TASKS, Seen, environments, task
from agents.settings import RecurrentAttention
from agents.tuned import tuned
from games.glimpse.digits import digits
from games.glimpse.mnist import MnistError, mnist
from rlcore.attention import Baseline, LocationNetwork
from rlcore.config import ConfigError
from rlcore.policies import through_time
from rlcore.retina import centre
from tests.agent_help import differences, kept, learn, make, train

SMALL: dict[str, Any] = {
    "num_envs": 6, "hidden": (8, 12), "units": 10, "evaluations": 2, "evaluation_episodes": 20, "final_episodes": 30,
    "learning_rate": 0.01, "learning_rate_final": 0.01, "tensorboard": False,
}  # fmt: skip
DIGITS = RecurrentAttention(env="digits-translated", steps=360, **SMALL)
CATCH = RecurrentAttention(
    env="catch-12", steps=1_000, core="lstm", rollout_steps=15, minibatch_size=45, epochs=2, notice=1.0, informed=True,
    canvas=8, **SMALL,
)  # fmt: skip


def change(config: RecurrentAttention, **settings: Any) -> RecurrentAttention:
    return dataclasses.replace(config, **settings)


def episodes_of(config: RecurrentAttention, seed: int = 0) -> tuple[Any, Any, Any, torch.Tensor, torch.Tensor]:
    """An agent, episodes that it played, what it says of them, their labels and returns."""
    agent, envs = make(config, seed)
    agent.network.sigma = 0.3
    rollout = agent.collect(envs)
    observations = torch.from_numpy(rollout.observations)[:-1]
    returns = torch.linspace(0, 1, envs.num)  # chance would make them all zero
    return agent, rollout, agent.network(observations, None), observations[0, :, -1].long(), returns


def gradients(agent: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    agent.descent.flat.zero_grad()
    loss.backward(retain_graph=True)
    return {name: p.grad.clone() for name, p in agent.network.named_parameters()}


def test_1_no_gradient_of_the_answer_reaches_the_location_network() -> None:
    agent, rollout, looked, labels, returns = episodes_of(DIGITS)
    loss, _ = hybrid_loss(looked, torch.from_numpy(rollout.actions), labels, returns, alpha=0.0, value_weight=1.0)
    found = gradients(agent, loss)
    assert not found["location.weight"].any()
    assert not found["location.bias"].any()
    assert found["glimpse.where.weight"].any()  # what does learn from the location


def test_2_the_density_is_that_of_the_location_as_drawn_and_not_as_clipped() -> None:
    agent, envs = make(DIGITS)
    agent.network.sigma = 2.0
    rollout = agent.collect(envs)
    drawn = rollout.actions[:-1, :, 1:]
    off = np.abs(drawn) > 1
    assert off.any()
    seen_at = rollout.observations[1:-1, :, -3:-1]
    np.testing.assert_array_equal(seen_at, drawn.clip(-1, 1))
    policy = agent.network(torch.from_numpy(rollout.observations)[:-1], None).policy.at(slice(-1))
    log_probs, _ = policy.log_prob_and_entropy(torch.from_numpy(rollout.actions[:-1]))
    z = (drawn - policy.look.mean.detach().numpy()) / 2.0
    by_hand = (-0.5 * z**2 - math.log(2.0) - 0.5 * math.log(2 * math.pi)).sum(-1)
    np.testing.assert_allclose(log_probs.detach(), by_hand, rtol=1e-5)


def test_3_and_4_and_13_the_location_network_learns_by_reinforce_alone_summed_over_time() -> None:
    """d/d bias of -alpha sum_t (R - b_t) log N(l_t; tanh z_t, s^2), by hand, mean over episodes. Every location but the
    first and the last counts with all of the reward, which comes at the end; the mean over time is another number."""
    agent, rollout, looked, labels, returns = episodes_of(DIGITS)
    actions = torch.from_numpy(rollout.actions)
    loss, _ = hybrid_loss(looked, actions, labels, returns, alpha=0.7, value_weight=0.5)
    found = gradients(agent, loss)
    mean, drawn = looked.policy.look.mean[:-1].detach(), actions[:-1, :, 1:]
    advantages = (returns - looked.values[:-1]).detach()
    slopes = (drawn - mean) / 0.3**2 * (1 - mean**2)
    by_hand = -0.7 * (advantages[..., None] * slopes).sum(0).mean(0)
    assert len(mean) == 5
    torch.testing.assert_close(found["location.bias"], by_hand)
    misses = (looked.values[:-1] - returns).detach()  # 0.5 sum_t (b_t - R)^2, the mean over episodes
    torch.testing.assert_close(found["baseline.layers.0.bias"], 0.5 * 2 * misses.sum(0).mean(0, keepdim=True))
    assert (by_hand.abs() > 1e-3).all()
    other, _ = hybrid_loss(looked, actions, (labels + 1) % 10, returns, alpha=0.7, value_weight=5.0)
    other_found = gradients(agent, other)
    for name in ("location.bias", "location.weight"):
        torch.testing.assert_close(found[name], other_found[name], rtol=0, atol=0)


def test_5_the_baseline_is_linear_and_shapes_nothing_else() -> None:
    baseline, told = Baseline(4), torch.zeros(0)
    one, other = torch.randn(4) - 3, torch.randn(4) + 3
    whole = baseline(one, told) + baseline(other, told) - baseline(torch.zeros(4), told)
    torch.testing.assert_close(baseline(one + other, told), whole)

    agent, rollout, looked, labels, returns = episodes_of(DIGITS)
    actions = torch.from_numpy(rollout.actions)
    losses = [hybrid_loss(looked, actions, labels, returns, a, v)[0] for a, v in ((0, 0), (0, 1), (1, 1))]
    plain, valued, all_of_it = (gradients(agent, loss) for loss in losses)
    for name in plain:
        if name.startswith("baseline"):
            assert valued[name].any()
            torch.testing.assert_close(valued[name], all_of_it[name], rtol=0, atol=0)  # R - stop(b)
        elif not name.startswith("location"):  # neither baseline nor REINFORCE reaches core and glimpse network
            torch.testing.assert_close(plain[name], all_of_it[name], rtol=0, atol=0)


@pytest.mark.parametrize("side", [8, 18, 30])
def test_6_locations_from_minus_one_to_one_are_the_whole_canvas_whatever_its_size(side) -> None:
    _, envs = make(change(DIGITS, canvas=side))
    for x, y in ((-1, -1), (1, 1), (-1, 1)):
        envs.step(np.tile(np.array([0, 3 * x, 3 * y], np.float32), (6, 1)))
        (top, left, width), *_ = envs.episodes.eye(0)
        assert (left + width // 2, top + width // 2) == tuple(0 if one < 0 else side for one in (x, y))
        assert envs.observations[0, -3:-1].tolist() == [x, y]
    means = LocationNetwork(3)(torch.randn(100, 3) * 1e3)
    assert means.abs().max() <= 1


def test_7_the_mean_location_is_what_is_scored() -> None:
    agent, envs = make(DIGITS)
    agent.network.sigma = 1.0
    first, _ = agent.act(envs.observations, None, agent.begin(envs.num))
    again, _ = agent.act(envs.observations, None, agent.begin(envs.num))
    drawn, _ = agent.act(envs.observations, None, agent.begin(envs.num), greedy=False)
    np.testing.assert_array_equal(first, again)
    mean = agent.network(torch.from_numpy(envs.observations)[None], None).policy.look.mean[0]
    np.testing.assert_allclose(first[:, 1:], mean.detach(), atol=1e-6)
    assert np.abs(drawn[:, 1:] - first[:, 1:]).max() > 0.1


def test_7_nothing_is_drawn_when_it_is_scored(monkeypatch) -> None:
    agent, _ = make(DIGITS)
    act, greedy = agent.act, []

    def noted(*args: Any, **named: Any) -> Any:
        bound = inspect.signature(act).bind(*args, **named)
        bound.apply_defaults()
        greedy.append(bound.arguments["greedy"])
        return act(*args, **named)

    monkeypatch.setattr(agent, "act", noted)
    evaluate(agent, 12, 0, "final")
    assert len(greedy) > 1
    assert all(greedy)


@pytest.mark.parametrize("config", [DIGITS, CATCH], ids=["digits", "catch"])
def test_9_a_run_that_was_stopped_goes_on_bit_for_bit(config, tmp_path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    result, _ = train(config, whole)
    assert result is not None
    assert train(config, parts, stop=lambda steps: steps >= config.steps // 3)[0] is None
    assert 0 < kept(parts).state["learner"]["steps"] < config.steps
    again, _ = train(config, parts)
    assert again is not None
    assert differences(kept(whole), kept(parts)) == []
    assert again["final"]["returns"] == result["final"]["returns"]


def test_10_all_glimpses_go_through_the_network_at_once() -> None:
    agent, rollout, *_ = episodes_of(DIGITS)
    calls = []
    for part in (agent.network.glimpse, agent.network.core.cell, agent.network.action):
        part.register_forward_hook(lambda _part, inputs, _out: calls.append(inputs[0].shape[:2]))
    agent.network(torch.from_numpy(rollout.observations)[:-1], None)
    assert calls == [(6, 6)] * 3


@pytest.mark.parametrize("core", ["rnn", "lstm", "gru"])
def test_11_what_was_seen_two_steps_ago_is_remembered(core) -> None:
    agent, rollout, *_ = episodes_of(change(DIGITS, core=core))
    observations = torch.from_numpy(rollout.observations)[:-1]
    other = observations.clone()
    other[0, :, :16] += 1.0
    one, changed = (agent.network(them, None).policy for them in (observations, other))
    assert (one.move.logits[2] - changed.move.logits[2]).abs().min() > 0

    memory, policies = torch.from_numpy(agent.begin(6)), []
    for now in observations:  # as it acts
        policy, memory = agent.network.act(now, None, memory)
        policies.append(policy)
    torch.testing.assert_close(torch.stack([p.look.mean for p in policies]), one.look.mean)


def test_11_the_hidden_and_the_cell_state_both_come_along() -> None:
    """As ``nn.LSTMCell`` step by step, which is told nothing of how a sequence is run."""
    torch.manual_seed(0)
    lstm, cell = torch.nn.LSTM(3, 4), torch.nn.LSTMCell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in lstm.state_dict().items()})
    inputs, state = torch.randn(6, 5, 3), torch.randn(5, 8)
    starts = torch.zeros(6, 5, dtype=torch.bool)
    starts[2, :3], starts[4, 1] = True, True
    h, c = state.chunk(2, 1)
    by_hand = []
    for now, fresh in zip(inputs, starts, strict=True):
        h, c = (part.masked_fill(fresh[:, None], 0.0) for part in (h, c))
        h, c = cell(now, (h, c))
        by_hand.append(h)
    out, after = through_time(lstm, inputs, starts, state)
    torch.testing.assert_close(out, torch.stack(by_hand))
    torch.testing.assert_close(after, torch.cat((h, c), 1))
    for now, fresh, wanted in zip(inputs, starts, by_hand, strict=True):  # as it acts
        out, state = through_time(lstm, now[None], fresh[None], state)
        torch.testing.assert_close(out[0], wanted)


def test_an_observation_of_another_size_is_refused() -> None:
    agent, envs = make(DIGITS)
    spaces, row = agent.spaces(), envs.observations[0]
    np.testing.assert_array_equal(spaces.observe(row[:-1])[:-1], row[:-1])
    for size in (11, len(row), len(row) + 20):
        with pytest.raises(ValueError, match="an observation of this task has 18 numbers"):
            spaces.observe(np.zeros(size))


def test_an_episode_remembers_nothing_of_the_one_before() -> None:
    agent, _ = make(CATCH)
    observations = torch.randn(5, 6, agent.spec.shape[0])
    starts = torch.zeros(5, 6, dtype=torch.bool)
    starts[3, :4] = True
    both = agent.network(observations, None, starts, torch.randn(6, agent.network.memory_size))
    alone = agent.network(observations[3:], None, None, None)
    torch.testing.assert_close(both.values[3:, :4], alone.values[:, :4])
    assert (both.values[3:, 4:] != alone.values[:, 4:]).all()


def test_12_moves_and_locations_are_drawn_from_the_policy() -> None:
    agent, _ = make(CATCH)
    with torch.no_grad():
        agent.network.action.bias[:] = torch.tensor([0.5, -1.0, 1.0])
    agent.network.sigma = 0.25
    observations = np.zeros((20_000, *agent.spec.shape), np.float32)
    policy, _ = agent.network.act(torch.from_numpy(observations[:1]), None)
    drawn, _ = agent.act(observations, None, agent.begin(len(observations)), greedy=False)
    shares = np.bincount(drawn[:, 0].astype(int), minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, policy.move.logits.softmax(-1)[0].detach(), atol=0.02)
    np.testing.assert_allclose(drawn[:, 1:].mean(0), policy.look.mean[0].detach(), atol=0.01)
    np.testing.assert_allclose(drawn[:, 1:].std(0), 0.25, atol=0.01)
    log_prob, _ = policy.log_prob_and_entropy(torch.tensor([[2.0, 0.1, -0.2]]))
    z = (torch.tensor([0.1, -0.2]) - policy.look.mean[0]) / 0.25
    density = (-0.5 * z**2).sum() - 2 * math.log(0.25) - math.log(2 * math.pi)
    torch.testing.assert_close(log_prob[0], policy.move.logits.log_softmax(-1)[0, 2] + density)


def test_13_a_catch_at_the_end_is_credited_to_the_first_step() -> None:
    agent, envs = make(change(CATCH, rollout_steps=7, gae_lambda=1.0))
    rollout = agent.collect(envs)
    assert rollout.ended[-1].all()
    rollout.rewards[-1] = 1.0
    advantages, returns = agent.judge(rollout, torch.zeros(8, 6))
    assert (advantages[0] == 1).all()
    assert (returns == 1).all()


def test_14_x_goes_right_and_y_goes_down() -> None:
    """One bright pixel is in the middle of the patch that looks at it, also in a corner, where the rest is dark."""
    _, envs = make(change(DIGITS, retina=3))
    for row, column in ((2, 15), (0, 17), (17, 0), (9, 4)):
        envs.episodes.canvases[:] = 0
        envs.episodes.canvases[:, row, column] = 16
        envs.episodes.taken[:] = 1
        envs.step(np.tile(np.array([0, centre(column, 18), centre(row, 18)], np.float32), (6, 1)))
        assert envs.observations[0, :9].reshape(3, 3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_15_no_image_is_both_trained_on_and_scored_by() -> None:
    """Bare images, as they are shown: those to learn from, to validate, to test have nothing in common."""
    shown = {}
    for split in ("train", "validation", "test"):
        envs = environments(change(DIGITS, canvas=8, num_envs=400), 400, 0, split)
        images = set()
        for _ in range(3):
            images |= {canvas.tobytes() for canvas in envs.episodes.canvases}
            for _ in range(6):
                envs.step(np.zeros((400, 3), np.float32))
        assert images <= {image.tobytes() for image in digits(split).images}
        shown[split] = images
    assert not shown["train"] & shown["validation"]
    assert not (shown["train"] | shown["validation"]) & shown["test"]


# --- controls --------------------------------------------------------------------------------------------------------


def test_at_random_locations_a_model_that_could_choose_learns_what_one_that_cannot_does() -> None:
    """Nothing leaks: of the same glimpses at random places, the classifier learns the same with or without a location
    network, whatever its REINFORCE weighs."""
    blind, envs = make(change(DIGITS, eye="random"))
    chooser, _ = make(change(DIGITS, alpha=10.0))
    assert blind.network.location is None
    for _ in range(5):
        rollout = blind.collect(envs)
        blind.learn(rollout)
        chooser.learn(rollout)
    mine, theirs = blind.network.state_dict(), chooser.network.state_dict()
    for name in mine:
        if not name.startswith("baseline"):
            assert torch.equal(mine[name], theirs[name]), name


def test_the_eyes_to_compare_with_look_where_they_say() -> None:
    for eye, places in (("centre", 1), ("random", 12)):
        agent, envs = make(change(DIGITS, eye=eye))
        rollout = agent.collect(envs)
        locations = rollout.observations[:2, :, -3:-1].reshape(-1, 2)
        assert len(np.unique(locations, axis=0)) == places
        if eye == "centre":
            assert not locations.any()


@pytest.mark.parametrize("control", ["full-fc", "full-conv", "logistic"])
def test_a_control_that_sees_all_sees_the_whole_canvas(control) -> None:
    agent, envs = make(change(DIGITS, control=control))
    assert isinstance(envs, Seen)
    np.testing.assert_array_equal(envs.observations[:, :324].reshape(6, 18, 18) * 16, envs.episodes.canvases)
    agent.advance(envs)
    assert (agent.updates, agent.steps, agent.episodes) == (1, 6, 6)
    if control == "logistic":  # one matrix, and a baseline that is not used
        assert {name for name, _ in agent.network.named_parameters() if not name.startswith("baseline")} == {
            "action.weight", "action.bias",
        }  # fmt: skip


def test_logistic_regression_plays_no_catch() -> None:
    with pytest.raises(ConfigError, match="cannot play Catch"):
        make(change(CATCH, control="logistic"))


def test_nobody_is_told_the_truth_when_it_acts() -> None:
    for config in (DIGITS, CATCH):
        agent, envs = make(config)
        memory = agent.begin(envs.num)
        told, _ = agent.act(envs.observations, None, memory)
        hidden = envs.observations.copy()
        hidden[:, -agent.task.truth :] = 1e6
        np.testing.assert_array_equal(agent.act(hidden, None, memory)[0], told)


def test_copies_look_at_one_canvas_each_from_a_place_of_its_own() -> None:
    _, envs = make(change(DIGITS, copies=3))
    canvases = envs.episodes.canvases
    assert (canvases[0] == canvases[2]).all()
    assert (canvases[0] != canvases[3]).any()
    assert len(np.unique(envs.observations[:3, -3:-1], axis=0)) == 3
    assert len(set(envs.observations[:3, -1])) == 1


# --- scores ----------------------------------------------------------------------------------------------------------


def test_each_canvas_of_a_split_is_scored_once(monkeypatch) -> None:
    import agents.seen

    monkeypatch.setattr(agents.seen, "_MOST_AT_ONCE", 700)
    agent, _ = make(DIGITS)
    shown: list[bytes] = []
    began = agents.seen.Seen._begin

    def begin(self, chosen) -> None:
        began(self, chosen)
        shown.extend(self.episodes.which[chosen].tolist())

    monkeypatch.setattr(agents.seen.Seen, "_begin", begin)
    scores = evaluate(agent, 10_000, 0, "final")
    assert len(scores.returns) == 359 * 5
    assert sorted(shown[: 359 * 5]) == list(range(359 * 5))
    assert len(evaluate(agent, 30, 0, "final").returns) == 30


def test_training_needs_no_gymnasium_and_writes_pictures(tmp_path) -> None:
    code = f"""
import sys
for name in ("gymnasium", "ray", "tyro", "chess"):
    sys.modules[name] = None
sys.path.insert(0, {str(Path(__file__).resolve().parent.parent)!r})
from pathlib import Path
from agents.settings import RecurrentAttention
from agents.tuned import tuned
from agents.training import train
small = dict(num_envs=6, hidden=(8, 12), units=10, evaluations=1, final_episodes=5, tensorboard=False)
for env in ("digits-cluttered", "catch-12"):
    config = RecurrentAttention(env=env, steps=100, **small)
    assert train(config, 0, Path({str(tmp_path)!r}) / env, lambda progress: None, lambda: False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.[pg][ni][gf]")}
    assert names == {
        "digits-cluttered/glimpses.png", "digits-cluttered/answers.png", "catch-12/catch.gif",
    }  # fmt: skip
    player = load(tmp_path / "catch-12")
    import gymnasium

    game = gymnasium.make("games.catch.env:rlcore/CatchRetinaLocations-v0", height=12, width=12, size=3)
    observation, _ = game.reset(seed=0)
    ended = False
    while not ended:
        action = player.act(observation)
        assert game.action_space.contains(action)
        observation, _, ended, _, _ = game.step(action)


def test_a_path_is_told_as_it_was_seen() -> None:
    agent, envs = make(CATCH)
    games = looking.look(agent, envs)
    assert [len(game.canvases) for game in games] == [8] * 6
    assert all((game.canvases[-1][-2] == 0).all() for game in games)  # the ball has come down
    for game in games:
        (row,) = {i for i, line in enumerate(game.canvases[3][:-1]) if line.any()}
        assert row == 3


# --- lessons ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["notice", "informed"])
def test_a_lesson_teaches_what_it_says(setting) -> None:
    config = change(CATCH, notice=float(setting == "notice"), informed=setting == "informed")
    agent, envs = make(config)
    looked = agent.network(torch.from_numpy(envs.observations)[None], None)
    truth = torch.from_numpy(envs.observations)[None]
    truth[..., -4:] += 1.0
    changed = agent.network(truth, None)
    assert torch.equal(looked.policy.move.logits, changed.policy.move.logits)
    assert torch.equal(looked.values, changed.values) == (setting == "notice")
    assert (looked.noticed is None) == (setting == "informed")
    before, misses = agent.collect(envs), []
    for _ in range(20):
        agent.learn(before)
        if setting == "notice":
            batch = agent.batch(before)
            out = agent.network(batch.observations, None, batch.starts, batch.memory)
            misses.append(float((out.noticed - batch.observations[..., -4:]).square().mean().detach()))
    assert setting == "informed" or misses[-1] < misses[0]


# --- errors and MNIST ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"env": "digits-transluted"}, "there is no task 'digits-transluted'; did you mean digits-translated?"),
        ({"canvas": 5}, "digits-translated: there are no 6 glimpses of a canvas of 5 pixels"),
        ({"scales": 20}, "there is no retina of 20 patches"),
        ({"env": "catch-24", "glimpses": 3}, "glimpses means nothing to catch-24"),
        ({"env": "catch-24", "copies": 2}, "copies means nothing to catch-24"),
        ({"env": "mnist-centred", "data": "nowhere"}, "holds no train-images-idx3-ubyte or .*--data names the folder"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(settings, words) -> None:
    with pytest.raises(ConfigError, match=words):
        environments(change(DIGITS, **settings), 2, 0)


def test_settings_that_make_no_sense_are_refused() -> None:
    wrong: list[dict[str, Any]] = [{"sigma": 0.0}, {"hidden": (3,)}, {"copies": 4}, {"alpha": -1.0}, {"cell": "lstm"}]
    for settings in (*wrong, {"notice": math.nan}, {"normalise_observations": True}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            change(DIGITS, **settings)


def write_mnist(folder: Path, damage: str = "") -> None:
    """Files like MNIST's, with 12 and 6 images."""
    import gzip

    rng = np.random.default_rng(0)
    for prefix, count in (("train", 12), ("t10k", 6)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        parts = (
            (f"{prefix}-images-idx3-ubyte.gz", b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape)),
            (f"{prefix}-labels-idx1-ubyte", b"\0\0\x08\x01" + count.to_bytes(4, "big")),
        )
        for (name, head), body in zip(parts, (images.tobytes(), bytes(range(count))), strict=True):
            data = head + (bytes(i % 10 for i in body) if "labels" in name else body)
            (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    if damage:
        path = folder / damage
        path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("env", [name for name in TASKS if name.startswith("mnist")])
def test_mnist_is_read_from_its_own_files(env, tmp_path) -> None:
    write_mnist(tmp_path)
    config = change(DIGITS, env=env, data=str(tmp_path), hidden=(8, 8))
    agent, envs = make(config)
    agent.advance(envs)
    assert agent.updates == 1
    assert envs.episodes.canvases.shape[1:] == (task(config).side,) * 2
    assert envs.episodes.canvases.max() > 16
    assert 0.5 < envs.observations[:, :-3].max() <= 1.0
    assert len(evaluate(agent, 100, 0, "final").returns) == 6


def test_mnist_is_read_from_names_with_a_dot_too(tmp_path) -> None:
    write_mnist(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert mnist(tmp_path, "train").images.shape[1:] == (28, 28)
    assert mnist(tmp_path, "test").images.shape == (6, 28, 28)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"])
def test_damaged_mnist_is_told_in_a_line(name, tmp_path) -> None:
    write_mnist(tmp_path, damage=name)
    with pytest.raises(MnistError, match=f"{name} (is damaged|cannot be read)"):
        mnist(tmp_path, "test" if name.startswith("t10k") else "train")


# --- proofs, which take longer ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_learned_eye_errs_less_than_a_random_one() -> None:
    config = change(tuned("recurrent-attention", "digits-translated"), steps=1_000_000)
    errors = []
    for eye in ("learned", "random"):
        agent = learn(change(config, eye=eye), seed=100)
        errors.append(1 - evaluate(agent, 2_000, 100, "evaluation").mean)
    assert errors[0] < 0.8 * errors[1] < 0.7


@pytest.mark.slow
def test_looking_and_acting_are_learned_together() -> None:
    """Chance catches 27 % on a canvas of 8 x 8."""
    small = {"canvas": 8, "num_envs": 128, "rollout_steps": 14, "minibatch_size": 448, "units": 64, "hidden": (32, 64)}
    config = change(tuned("recurrent-attention", "catch-12"), steps=300_000, learning_rate=2e-3, **small)
    assert evaluate(learn(config, seed=100), 1_000, 100, "final").mean > 0.7
