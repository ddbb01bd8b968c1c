"""Evaluators against a float64 reference, and the promises of their contract."""

import copy
import dataclasses
import functools
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from games import chess
from rlcore.config import NetworkConfig
from rlcore.evaluators import MIN_PRIOR, Batch, Uniform, finish, gather_logits, make_batch
from rlcore.inference import OneDnnConv, TorchEvaluator, playing_form
from rlcore.jit import Array
from rlcore.losses import policy_loss, value_loss
from rlcore.networks import ConvNorm, ResNet
from rlcore.planes import PlaneLayout, TorchUnpacker

torch.set_num_threads(1)

LAYOUT = PlaneLayout.of(chess, 1)
SMALL = NetworkConfig(blocks=2, channels=32, value_channels=8, value_hidden=16)
GATED = dataclasses.replace(SMALL, squeeze_excitation=4)
CPU = torch.device("cpu")


def random_batch(rows: int, num_actions: int = chess.NUM_ACTIONS, seed: int = 1) -> Batch:
    """Boards of a few random pieces, 1 to 60 random legal actions; beyond the count rubbish."""
    generator = np.random.default_rng(seed)
    batch = make_batch(rows, LAYOUT.num_words, 60)
    for _ in range(3):
        batch.words[:, :12] |= np.uint64(1) << generator.integers(0, 64, (rows, 12), dtype=np.uint64)
    batch.words[:, 13] = generator.integers(0, 2, rows, dtype=np.uint64) | np.uint64(30 << 8)
    batch.counts[:] = generator.integers(1, 61, rows)
    batch.counts[0] = 1
    batch.actions[:] = 65535
    for row in range(rows):
        count = batch.counts[row]
        batch.actions[row, :count] = generator.choice(num_actions, count, replace=False)
    return batch


@functools.cache
def learned(num_actions: int, seed: int, config: NetworkConfig) -> ResNet:
    """A network after 60 steps on 64 positions with random targets: its logits and values are far from equal."""
    torch.manual_seed(seed)
    network = ResNet(config, LAYOUT.num_planes, (8, 8), num_actions)
    batch = random_batch(64, num_actions, seed=9)
    planes, counts = planes_of(batch, torch.float32), torch.from_numpy(batch.counts)
    legal = torch.from_numpy(batch.actions.astype(np.int64)).clamp_(max=num_actions - 1)
    policy = torch.nn.functional.one_hot(torch.arange(64) % counts, 60).float()
    wdl = torch.nn.functional.one_hot(torch.randint(0, 3, (64,)), 3).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(60):
        logits, wdl_logits = network(planes)
        loss = policy_loss(logits, legal, counts, policy) + value_loss(wdl_logits, wdl)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    return network


def playable(num_actions: int = chess.NUM_ACTIONS, seed: int = 0, config: NetworkConfig = SMALL) -> ResNet:
    """A copy of ``learned``, for the test to change as it likes."""
    return copy.deepcopy(learned(num_actions, seed, config))


def planes_of(batch: Batch, dtype: torch.dtype) -> Tensor:
    return TorchUnpacker(LAYOUT, "cpu", dtype)(torch.from_numpy(batch.words.view(np.int64)))


def reference(network: ResNet, batch: Batch) -> tuple[list[Array], Array]:
    """Priors of each row and values [B, 2], all in float64."""
    with torch.inference_mode():
        logits, wdl = copy.deepcopy(network).eval().double()(planes_of(batch, torch.float64))
    legal = [torch.from_numpy(row[:n].astype(np.int64)) for row, n in zip(batch.actions, batch.counts, strict=True)]
    priors = [row[actions].softmax(0).numpy() for row, actions in zip(logits, legal, strict=True)]
    win, draw, loss = wdl.softmax(1).numpy().T
    return priors, np.stack([win - loss, draw], axis=1)


def compare(network: ResNet, batch: Batch) -> tuple[Array, float, Array]:
    """Of an answered batch: relative errors of priors, share of rows with the reference's first move, value errors."""
    priors, values = reference(network, batch)
    found = [row[:n].astype(np.float64) for row, n in zip(batch.priors, batch.counts, strict=True)]
    assert np.std(values[:, 0]) > 0.05
    assert np.mean([p.max() * len(p) for p in priors]) > 2.0  # not a uniform policy
    for row in found:
        assert row.sum() == pytest.approx(1.0, abs=1e-5)
    errors = np.concatenate([np.abs(f / p - 1.0) for f, p in zip(found, priors, strict=True)])
    same_best = np.mean([f.argmax() == p.argmax() for f, p in zip(found, priors, strict=True)])
    return errors, float(same_best), np.abs(batch.values - values)


EVALUATORS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": torch.float32},
    "bfloat16": {"dtype": torch.bfloat16},
}


@pytest.mark.parametrize("num_actions", [chess.NUM_ACTIONS, 1000], ids=["conv head", "linear head"])
@pytest.mark.parametrize("kind", EVALUATORS)
def test_agrees_with_a_float64_reference(kind: str, num_actions: int) -> None:
    network, batch = playable(num_actions), random_batch(200, num_actions)
    evaluator = TorchEvaluator(network, LAYOUT, 200, **EVALUATORS[kind])
    evaluator(batch, 200)
    errors, same_best, value_errors = compare(network, batch)
    if evaluator.dtype == torch.float32:
        assert errors.max() < 1e-4
        assert same_best == 1.0
        assert value_errors.max() < 1e-5
    else:
        assert np.median(errors) < 0.02
        assert errors.max() < 0.2
        assert same_best >= 0.97
        assert value_errors.max() < 0.06


@pytest.mark.parametrize("kind", EVALUATORS)
def test_rows_beyond_size_are_left_alone(kind: str) -> None:
    evaluator = TorchEvaluator(playable(), LAYOUT, 40, **EVALUATORS[kind])
    batch = random_batch(40)
    batch.priors[:], batch.values[:] = 7.0, 7.0
    evaluator(batch, 0)
    assert (batch.values == 7.0).all()
    evaluator(batch, 13)
    assert (batch.priors[13:] == 7.0).all()
    assert (batch.values[13:] == 7.0).all()
    assert (np.abs(batch.values[:13]) <= 1.0).all()


@pytest.mark.parametrize("kind", EVALUATORS)
def test_an_answer_depends_on_its_own_row_alone(kind: str) -> None:
    """Whatever else is in the batch, wherever the row lies, and however full the batch is."""
    evaluator = TorchEvaluator(playable(), LAYOUT, 64, **EVALUATORS[kind])
    together = random_batch(64)
    evaluator(together, 64)
    tolerance = 1e-5 if evaluator.dtype == torch.float32 else 0.03
    for size in (1, 3, 33):
        other = random_batch(64, seed=2)
        for name in ("words", "actions", "counts"):
            getattr(other, name)[:size] = getattr(together, name)[::-1][:size]
        evaluator(other, size)
        np.testing.assert_allclose(other.values[:size], together.values[::-1][:size], atol=tolerance)
        for row in range(size):
            n = other.counts[row]
            np.testing.assert_allclose(other.priors[row, :n], together.priors[63 - row, :n], atol=tolerance)


def test_the_untrained_network_is_uniform_and_even() -> None:
    batch = random_batch(8)
    TorchEvaluator(ResNet(SMALL, LAYOUT.num_planes, (8, 8), chess.NUM_ACTIONS), LAYOUT, 8)(batch, 8)
    for row in range(8):
        n = batch.counts[row]
        np.testing.assert_allclose(batch.priors[row, :n], 1.0 / n, rtol=1e-6)
    np.testing.assert_allclose(batch.values, [[0.0, 1 / 3]] * 8, atol=1e-6)


def test_uniform() -> None:
    batch = random_batch(8)
    batch.priors[:], batch.values[:] = 7.0, 7.0
    Uniform()(batch, 5)
    for row in range(5):
        n = batch.counts[row]
        assert (batch.priors[row, :n] == np.float32(1.0 / n)).all()
        assert (batch.priors[row, n:] == 7.0).all()
    assert (batch.values[:5] == 0.0).all()
    assert (batch.values[5:] == 7.0).all()


def test_update_reaches_twins_and_copies_the_weights() -> None:
    first, second = playable(seed=0), playable(seed=5)
    evaluator = TorchEvaluator(first, LAYOUT, 8, dtype=torch.float32, version=3)
    twin = evaluator.twin()
    batch = random_batch(8)

    def values(of: TorchEvaluator) -> Array:
        of(batch, 8)
        return batch.values.copy()

    before = values(evaluator)
    assert np.array_equal(values(twin), before)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert np.array_equal(values(evaluator), before)  # what it learns next is not played before it is published
    evaluator.update(second, 4)
    assert (evaluator.version, twin.version) == (4, 4)
    after = values(twin)
    assert np.abs(after - before).max() > 0.01
    assert np.array_equal(values(TorchEvaluator(second, LAYOUT, 8, dtype=torch.float32)), after)


def test_threads_with_a_twin_each_do_not_disturb_each_other() -> None:
    evaluator = TorchEvaluator(playable(), LAYOUT, 32, dtype=torch.float32)
    batches = [random_batch(32, seed=seed) for seed in (1, 2)]
    expected = []
    for batch in batches:
        evaluator(batch, 32)
        expected.append((batch.priors.copy(), batch.values.copy()))
    wrong = []

    def work(own: TorchEvaluator, batch: Batch, priors: Array, values: Array) -> None:
        for _ in range(40):
            batch.priors[:], batch.values[:] = 1.0, 7.0
            own(batch, 32)
            for row, n in enumerate(batch.counts):
                if not np.allclose(batch.priors[row, :n], priors[row, :n], atol=1e-5):
                    wrong.append(row)
            if not np.allclose(batch.values, values, atol=1e-5) or torch.get_num_threads() != 1:
                wrong.append(-1)

    evaluators = (evaluator, evaluator.twin())
    threads = [
        threading.Thread(target=work, args=(own, batch, *answer))
        for own, batch, answer in zip(evaluators, batches, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nan_is_an_error_and_not_a_prior() -> None:
    network = playable()
    with torch.no_grad():
        network.value.out.bias[1] = float("nan")
    evaluator = TorchEvaluator(network, LAYOUT, 8, version=12)
    with pytest.raises(FloatingPointError, match=r"version 12.* 5 of 5"):
        evaluator(random_batch(8), 5)


def test_network_of_another_history_is_refused() -> None:
    network = ResNet(SMALL, LAYOUT.num_planes, (8, 8), chess.NUM_ACTIONS)
    with pytest.raises(ValueError, match=r"reads 21 planes .* packs 35"):
        TorchEvaluator(network, PlaneLayout.of(chess, 2), 8)
    evaluator = TorchEvaluator(network, LAYOUT, 8)
    with pytest.raises(ValueError, match="9 rows asked"):
        evaluator(random_batch(9), 9)


def test_priors_by_hand() -> None:
    """Two planes of two squares: action = plane * 2 + square, logits stored by square."""
    logits = np.log(np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32))
    batch = make_batch(1, 1, 4)
    batch.actions[0] = [3, 2, 1, 0]
    batch.counts[0] = 3
    gather_logits(logits.view(np.uint32), 0, batch.actions, batch.counts, 1, batch.priors.view(np.uint32))
    wdl = np.log(np.array([[5.0, 3.0, 2.0]], np.float32))
    assert finish(wdl, batch.counts, 1, batch.priors, batch.values) == 0
    assert batch.priors[0].tolist() == pytest.approx([4 / 9, 2 / 9, 3 / 9, 1.0])
    assert batch.values[0].tolist() == pytest.approx([0.3, 0.3])


def test_no_prior_is_zero_and_broken_rows_are_counted() -> None:
    batch = make_batch(3, 1, 3)
    batch.counts[:] = 3
    batch.priors[:] = [[0.0, -200.0, -3e38], [1.0, np.nan, 0.0], [np.inf, 0.0, 0.0]]
    assert finish(np.zeros((3, 3), np.float32), batch.counts, 3, batch.priors, batch.values) == 2
    assert batch.priors[0].tolist() == [1.0, MIN_PRIOR, MIN_PRIOR]


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("config", [SMALL, GATED], ids=["plain", "squeeze-excitation"])
@pytest.mark.parametrize("num_actions", [chess.NUM_ACTIONS, 100])
def test_onednn_form_is_the_same_function_at_every_size(num_actions: int, config: NetworkConfig) -> None:
    network = playable(num_actions, config=config)
    fast = playing_form(network, 8, torch.float32)
    assert any(isinstance(module, OneDnnConv) for module in fast.modules())
    assert not any(isinstance(module, ConvNorm) for module in fast.modules())
    for batch in (1, 8, 30):
        planes = torch.rand(batch, LAYOUT.num_planes, 8, 8).to(memory_format=torch.channels_last)
        kept = planes.clone()
        with torch.inference_mode():
            found = fast(planes)
            expected: tuple[Tensor, Tensor] = network.eval()(planes)
        assert torch.equal(planes, kept)  # the sum in a block is written over the skip, not over the input
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
