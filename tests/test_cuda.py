"""The GPU's evaluator: the same steps on a CPU, and, where there is a GPU, all of it.

On a GPU run ``pytest -k cuda``: whatever needs one is skipped elsewhere and says so.
"""

import copy
import dataclasses
import threading

import numpy as np
import pytest
import torch

from games import chess
from rlcore.cuda import CudaEvaluator, buckets, deal_logits, list_places
from rlcore.evaluators import Batch
from rlcore.inference import TorchEvaluator
from rlcore.jit import Array
from rlcore.networks import ResNet
from rlcore.planes import PlaneLayout
from tests.test_evaluators import LAYOUT, SMALL, playable, random_batch, reference

torch.set_num_threads(1)

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT CHECKED on a GPU: torch finds no CUDA device here")
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]
DTYPES = [torch.float32, torch.bfloat16]


def answers(evaluator: CudaEvaluator | TorchEvaluator, batch: Batch, size: int) -> tuple[list[Array], Array]:
    """Priors of each row and values [size, 2]."""
    batch.priors[:], batch.values[:] = 7.0, 7.0
    evaluator(batch, size)
    priors = [row[:n].copy() for row, n in zip(batch.priors[:size], batch.counts[:size], strict=True)]
    assert (batch.priors[size:] == 7.0).all()
    assert (batch.values[size:] == 7.0).all()
    assert all((row[n:] == 7.0).all() for row, n in zip(batch.priors[:size], batch.counts[:size], strict=True))
    return priors, batch.values[:size].copy()


def furthest(found: tuple[list[Array], Array], expected: tuple[list[Array], Array]) -> float:
    """The largest difference of any prior or value."""
    errors = [np.abs(f - e).max() for f, e in zip(found[0], expected[0], strict=True)]
    return float(max(*errors, np.abs(found[1] - expected[1]).max()))


@pytest.mark.parametrize("num_actions", [chess.NUM_ACTIONS, 1000], ids=["conv head", "linear head"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_agrees_with_a_float64_reference(device: str, dtype: torch.dtype, num_actions: int) -> None:
    network, batch = playable(num_actions), random_batch(200, num_actions)
    found = answers(CudaEvaluator(network, LAYOUT, 200, device, dtype), batch, 200)
    expected = reference(network, batch)
    assert np.std(expected[1][:, 0]) > 0.05
    assert np.mean([p.max() * len(p) for p in expected[0]]) > 2.0  # not a uniform policy
    errors = np.concatenate([np.abs(f / e - 1.0) for f, e in zip(found[0], expected[0], strict=True)])
    same_best = np.mean([f.argmax() == e.argmax() for f, e in zip(found[0], expected[0], strict=True)])
    if dtype == torch.float32 and device == "cpu":  # a GPU may compute float32 convolutions in TF32
        assert errors.max() < 1e-4
        assert same_best == 1.0
        assert furthest(found, expected) < 1e-5
    else:
        assert np.median(errors) < 0.02
        assert errors.max() < 0.2
        assert same_best >= 0.97
        assert np.abs(found[1] - expected[1]).max() < 0.06


@pytest.mark.parametrize("device", DEVICES)
def test_every_size_gives_what_the_cpu_gives(device: str) -> None:
    """Sizes in and at the edges of all buckets, out of order: what an earlier call left behind does no harm."""
    network = playable()
    on_cpu = TorchEvaluator(network, LAYOUT, 64, dtype=torch.float32)
    evaluator = CudaEvaluator(network, LAYOUT, 64, device, torch.float32)
    tolerance = 1e-5 if device == "cpu" else 5e-3
    for seed, size in enumerate((64, 1, 33, 8, 9, 48, 49, 16, 17, 63, 64)):
        batch, same = random_batch(64, seed=seed), random_batch(64, seed=seed)
        assert furthest(answers(evaluator, batch, size), answers(on_cpu, same, size)) < tolerance
    batch.values[:] = 7.0
    evaluator(batch, 0)
    assert (batch.values == 7.0).all()
    with pytest.raises(ValueError, match="65 rows asked"):
        evaluator(random_batch(65), 65)


@pytest.mark.parametrize("device", DEVICES)
def test_squeeze_excitation_plays_too(device: str) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, squeeze_excitation=8)
    network, batch = ResNet(config, LAYOUT.num_planes, (8, 8), chess.NUM_ACTIONS), random_batch(16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    found = answers(CudaEvaluator(network, LAYOUT, 16, device, torch.float32), batch, 16)
    expected = reference(network, batch)
    assert np.std(expected[1][:, 0]) > 0.01
    assert furthest(found, expected) < (1e-5 if device == "cpu" else 5e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_more_legal_actions_than_expected_find_room(device: str) -> None:
    network, batch = playable(), random_batch(8)
    wide = Batch(batch.words, np.zeros((8, 218), np.uint16), batch.counts, np.ones((8, 218), np.float32), batch.values)
    for row in range(8):
        wide.actions[row] = np.random.default_rng(row).choice(chess.NUM_ACTIONS, 218, replace=False)
    wide.counts[:] = 218
    found = answers(CudaEvaluator(network, LAYOUT, 8, device, torch.float32), wide, 8)
    assert furthest(found, reference(network, wide)) < (1e-5 if device == "cpu" else 5e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("device", DEVICES)
def test_update_reaches_twins_and_keeps_the_places_of_weights(device: str, dtype: torch.dtype) -> None:
    """A graph reads weights where they lay when it was captured."""
    first, second, batch = playable(seed=0), playable(seed=5), random_batch(8)
    equal = 0.0 if device == "cpu" else 5e-3  # cuDNN may have picked another algorithm
    evaluator = CudaEvaluator(first, LAYOUT, 8, device, dtype, version=3)
    twin = evaluator.twin()
    places = [[tensor.data_ptr() for tensor in each._network.state_dict().values()] for each in (evaluator, twin)]
    assert not set(places[0]) & set(places[1])
    before = answers(evaluator, batch, 8)
    assert furthest(answers(twin, batch, 8), before) <= equal
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert furthest(answers(evaluator, batch, 8), before) == 0.0  # what it learns next is not played before its time
    twin.update(second, 4)
    assert (evaluator.version, twin.version) == (4, 4)
    after = [answers(each, batch, 8) for each in (evaluator, twin)]
    assert furthest(after[0], before) > 0.05
    assert furthest(after[1], after[0]) <= equal
    assert furthest(answers(CudaEvaluator(second, LAYOUT, 8, device, dtype), batch, 8), after[0]) <= equal
    for each, expected in zip((evaluator, twin), places, strict=True):
        assert [tensor.data_ptr() for tensor in each._network.state_dict().values()] == expected


@pytest.mark.parametrize("device", DEVICES)
def test_threads_play_while_another_publishes(device: str) -> None:
    """Every answer is wholly the old network's or wholly the new one's."""
    networks = [playable(seed=0), playable(seed=5)]
    evaluator = CudaEvaluator(networks[0], LAYOUT, 32, device, torch.float32)
    tolerance = 1e-5 if device == "cpu" else 5e-3
    expected = []
    for seed in (1, 2):
        batch = random_batch(32, seed=seed)
        expected.append([])
        for network in networks:
            evaluator.update(network, 0)
            expected[-1].append(answers(evaluator, batch, 32))
    wrong: list[float] = []

    def work(own: CudaEvaluator, seed: int) -> None:
        batch = random_batch(32, seed=seed)
        for _ in range(60):
            found = answers(own, batch, 32)
            distance = min(furthest(found, one) for one in expected[seed - 1])
            if not distance < tolerance:
                wrong.append(distance)

    evaluators = (evaluator, evaluator.twin())
    threads = [threading.Thread(target=work, args=(own, seed)) for own, seed in zip(evaluators, (1, 2), strict=True)]
    for thread in threads:
        thread.start()
    version = 0
    while any(thread.is_alive() for thread in threads):
        version += 1
        evaluator.update(networks[version % 2], version)
    for thread in threads:
        thread.join()
    assert version > 2
    assert not wrong


@pytest.mark.parametrize("device", DEVICES)
def test_nan_is_an_error_with_the_version_that_gave_it(device: str) -> None:
    network, batch = playable(), random_batch(8)
    broken = copy.deepcopy(network)
    with torch.no_grad():
        broken.value.out.bias[1] = float("nan")
    evaluator = CudaEvaluator(network, LAYOUT, 8, device, version=11)
    evaluator(batch, 8)
    evaluator.update(broken, 12)
    with pytest.raises(FloatingPointError, match=r"version 12.* 5 of 5"):
        evaluator(batch, 5)


def test_what_cannot_be_is_refused() -> None:
    network = ResNet(SMALL, LAYOUT.num_planes, (8, 8), chess.NUM_ACTIONS)
    with pytest.raises(ValueError, match=r"reads 21 planes .* packs 35"):
        CudaEvaluator(network, PlaneLayout.of(chess, 2), 8, "cpu")
    with pytest.raises(ValueError, match=r"not in torch\.float16"):
        CudaEvaluator(network, LAYOUT, 8, "cpu", torch.float16)
    with pytest.raises(ValueError, match="batch_size 500000 is too large for 4672 actions"):
        CudaEvaluator(network, LAYOUT, 500_000, "cpu")


def test_buckets() -> None:
    assert buckets(512) == [64, 128, 256, 384, 512]
    assert buckets(100) == [16, 32, 56, 80, 100]
    assert buckets(16) == [8, 16]
    assert buckets(1) == [1]


def test_places_by_hand() -> None:
    """Two rows of logits of two planes of three squares: action = plane * 3 + square, stored by square."""
    actions = np.array([[5, 0, 99], [2, 3, 4]], np.uint16)
    counts = np.array([2, 3], np.int32)
    places = np.full(6, -1, np.int32)
    list_places(actions, counts, 2, 3, 2, places)
    assert places.tolist() == [5, 0, 6 + 4, 6 + 1, 6 + 3, -1]


@pytest.mark.parametrize(("dtype", "shift"), [(torch.float32, 0), (torch.bfloat16, 16)])
def test_logits_are_dealt_to_their_rows(dtype: torch.dtype, shift: int) -> None:
    logits = torch.tensor([1.0, -2.5, 3.0, -0.25, 8.0], dtype=dtype)
    bits = logits.view(torch.uint16 if shift else torch.uint32).numpy()
    priors = np.zeros((2, 3), np.float32)
    deal_logits(bits, shift, np.array([2, 3], np.int32), 2, priors.view(np.uint32))
    assert priors.tolist() == [[1.0, -2.5, 0.0], [3.0, -0.25, 8.0]]


# --- on a GPU alone --------------------------------------------------------------------------------------------------


@GPU
def test_cuda_waits_once_and_allocates_nothing_once_it_runs() -> None:
    evaluator, batch = CudaEvaluator(playable(), LAYOUT, 64, "cuda"), random_batch(64)
    assert sorted(evaluator._graphs) == buckets(64)
    evaluator(batch, 64)
    before = torch.cuda.memory_stats()["allocation.all.allocated"]
    torch.cuda.set_sync_debug_mode("error")  # but for the event, which it does not see
    try:
        for size in (64, 1, 33, 8, 64):
            evaluator(batch, size)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.cuda.memory_stats()["allocation.all.allocated"] == before


@GPU
def test_cuda_captures_while_others_play_and_learn() -> None:
    """A twin made late: its captures neither break nor are broken by replays and training in other threads."""
    network, stop = playable(), threading.Event()
    evaluator = CudaEvaluator(network, LAYOUT, 64, "cuda", torch.float32)
    batch = random_batch(64)
    expected = answers(evaluator, batch, 64)
    wrong: list[object] = []

    def play() -> None:
        own = random_batch(64)
        while not stop.is_set():
            if furthest(answers(evaluator, own, 64), expected) > 1e-4:
                wrong.append("an answer")

    def learn() -> None:
        try:
            learning = copy.deepcopy(network).cuda().train()
            optimizer = torch.optim.SGD(learning.parameters(), lr=1e-3)
            while not stop.is_set():
                logits, wdl = learning(torch.rand(64, LAYOUT.num_planes, 8, 8).cuda())
                loss = logits.square().mean() + wdl.square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if not np.isfinite(loss.item()):
                    wrong.append("a loss")
        except RuntimeError as error:
            wrong.append(error)

    threads = [threading.Thread(target=play), threading.Thread(target=learn)]
    for thread in threads:
        thread.start()
    try:
        twins = [evaluator.twin() for _ in range(3)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not wrong
    for twin in twins:
        assert furthest(answers(twin, batch, 64), expected) < 5e-3
