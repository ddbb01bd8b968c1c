"""Every runtime of a CPU against a float64 reference, and the promises that they share; which of them is chosen."""

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import games
from games import chess
from rlcore import openvino, runtimes
from rlcore.config import NetworkConfig
from rlcore.evaluators import Batch
from rlcore.inference import TorchEvaluator
from rlcore.jit import Array
from rlcore.networks import ResNet, fuse
from rlcore.openvino import OpenVinoEvaluator
from rlcore.planes import PlaneLayout, TorchUnpacker, plane_values
from rlcore.runtimes import NetworkEvaluator, Runtime, choose_runtime, make_evaluator, played_positions
from tests.test_evaluators import GATED, LAYOUT, SMALL, compare, playable, random_batch

torch.set_num_threads(1)

OPENVINO = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="NOT CHECKED: the package openvino is not installed here"
)
PRECISIONS = [pytest.param(name, marks=OPENVINO) for name in ("openvino-int8", "openvino-bf16", "openvino-fp32")]
CALIBRATION = random_batch(128, seed=77).words
ROOT = Path(__file__).resolve().parent.parent


def evaluator_of(network: ResNet, runtime: Runtime, batch_size: int, version: int = 0) -> NetworkEvaluator:
    return make_evaluator(
        network, LAYOUT, batch_size, device="cpu", runtime=runtime, version=version, calibration=CALIBRATION
    )


def answer(evaluator: NetworkEvaluator, batch: Batch, size: int) -> tuple[Array, Array]:
    """Priors, 0 beyond the count, and values of the first ``size`` rows."""
    evaluator(batch, size)
    beyond = np.arange(batch.priors.shape[1]) >= batch.counts[:size, None]
    return np.where(beyond, 0.0, batch.priors[:size]), batch.values[:size].copy()


class Bounds:
    """How far a runtime may be from the float64 reference, on 200 positions with 60 random legal actions at most."""

    def __init__(self, median: float, most: float, same_best: float, value: float) -> None:
        self.median, self.most, self.same_best, self.value = median, most, same_best, value


BOUNDS = {
    "float32": Bounds(median=1e-5, most=1e-4, same_best=1.0, value=1e-5),
    "bfloat16": Bounds(median=0.02, most=0.2, same_best=0.97, value=0.06),
    "int8": Bounds(median=0.04, most=0.6, same_best=0.95, value=0.12),
}


@pytest.mark.parametrize(
    ("num_actions", "config"),
    [(chess.NUM_ACTIONS, SMALL), (1000, SMALL), (chess.NUM_ACTIONS, GATED)],
    ids=["conv head", "linear head", "squeeze-excitation"],
)
@pytest.mark.parametrize("runtime", ["torch", *PRECISIONS])
def test_agrees_with_a_float64_reference(runtime: Runtime, num_actions: int, config: NetworkConfig) -> None:
    network, batch = playable(num_actions, config=config), random_batch(200, num_actions)
    evaluator = evaluator_of(network, runtime, 200)
    evaluator(batch, 200)
    errors, same_best, value_errors = compare(network, batch)
    bounds = BOUNDS[evaluator.name.split()[-1]]
    assert np.median(errors) < bounds.median
    assert errors.max() < bounds.most
    assert same_best >= bounds.same_best
    assert value_errors.max() < bounds.value


@pytest.mark.parametrize("runtime", PRECISIONS)
def test_an_answer_depends_on_its_own_row_alone(runtime: Runtime) -> None:
    """To the bit, whatever else is in the batch, wherever the row lies, and however many are asked for."""
    evaluator, together = evaluator_of(playable(), runtime, 50), random_batch(50)
    priors, values = answer(evaluator, together, 50)
    for size in (1, 15, 16, 17, 49):
        other = random_batch(50, seed=2)
        for name in ("words", "actions", "counts"):
            getattr(other, name)[:size] = getattr(together, name)[::-1][:size]
        other.priors[:], other.values[:] = 7.0, 7.0
        found = answer(evaluator, other, size)
        np.testing.assert_array_equal(found[0], priors[::-1][:size])
        np.testing.assert_array_equal(found[1], values[::-1][:size])
        assert (other.priors[size:] == 7.0).all()
        assert (other.values[size:] == 7.0).all()
    evaluator(other, 0)
    with pytest.raises(ValueError, match="51 rows asked"):
        evaluator(random_batch(51), 51)


@pytest.mark.parametrize("runtime", PRECISIONS)
def test_update_reaches_twins_and_copies_the_weights(runtime: Runtime) -> None:
    first, second, batch = playable(seed=0), playable(seed=5), random_batch(20)
    evaluator = evaluator_of(first, runtime, 20, version=3)
    twin = evaluator.twin()
    before = answer(evaluator, batch, 20)
    np.testing.assert_array_equal(answer(twin, batch, 20)[0], before[0])
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(answer(evaluator.twin(), batch, 20)[0], before[0])
    evaluator.update(second, 4)
    assert (evaluator.version, twin.version) == (4, 4)
    after = answer(twin, batch, 20)
    assert np.abs(after[1] - before[1]).max() > 0.01
    np.testing.assert_array_equal(answer(evaluator, batch, 20)[1], after[1])
    np.testing.assert_array_equal(answer(evaluator_of(second, runtime, 20), batch, 20)[1], after[1])


@pytest.mark.parametrize("runtime", ["torch", *PRECISIONS[:1]])
def test_updates_while_twins_evaluate(runtime: Runtime) -> None:
    """Two threads with a twin each, weights changing under them: every answer is all of one network or the other."""
    networks, batch = [playable(seed=0), playable(seed=5)], random_batch(20)
    expected = [answer(evaluator_of(network, runtime, 20), batch, 20) for network in networks]
    evaluator = evaluator_of(networks[0], runtime, 20)
    stop, problems, seen = threading.Event(), list[str](), set[int]()

    def work(own: NetworkEvaluator) -> None:
        mine = random_batch(20)
        while not stop.is_set():
            mine.values[:] = 7.0
            found = answer(own, mine, 20)
            same = [i for i in (0, 1) if np.allclose(found[0], expected[i][0], atol=1e-6)]
            same = [i for i in same if np.allclose(found[1], expected[i][1], atol=1e-6)]
            seen.update(same)
            if len(same) != 1:
                problems.append(f"like {same}")

    threads = [threading.Thread(target=work, args=(own,)) for own in (evaluator, evaluator.twin())]
    for thread in threads:
        thread.start()
    for version in range(1, 7):
        evaluator.update(networks[version % 2], version)
        stop.wait(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert seen == {0, 1}


# --- int8 ------------------------------------------------------------------------------------------------------------


@OPENVINO
def test_calibration_positions_are_asked_for_at_every_update() -> None:
    asked = []

    def latest() -> Array:
        asked.append(1)
        return CALIBRATION

    evaluator = OpenVinoEvaluator(playable(), LAYOUT, 8, calibration=latest)
    evaluator.twin()
    evaluator.update(playable(seed=5), 1)
    assert len(asked) == 2
    with pytest.raises(ValueError, match="calibration takes positions"):
        OpenVinoEvaluator(playable(), LAYOUT, 8, calibration=CALIBRATION[:0])
    with pytest.raises(ValueError, match="needs calibration positions"):
        OpenVinoEvaluator(playable(), LAYOUT, 8)


def test_ranges_are_the_largest_numbers_seen() -> None:
    fused = fuse(playable(config=GATED))
    words = CALIBRATION.copy()
    units, ranges = openvino._calibrate(fused, LAYOUT, words, plane_values(LAYOUT))
    assert units == 127  # planes hold 0, 1 and small counts; room for twice as much
    with torch.inference_mode():
        planes = TorchUnpacker(LAYOUT, "cpu", torch.float32)(torch.from_numpy(words.view(np.int64)))
        stem = fused.stem(planes)
        first = fused.blocks[0].first(stem)
        block = fused.blocks[0](stem)
    assert ranges[fused.stem] == pytest.approx(float(stem.max()), rel=1e-5)
    assert ranges[fused.blocks[0].first] == pytest.approx(float(first.max()), rel=1e-5)
    assert ranges[fused.blocks[0]] == pytest.approx(float(block.max()), rel=1e-5)
    words[:, 13] |= np.uint64(255 << 8)  # a game of 255 moves: 2.55 in its plane
    units, ranges = openvino._calibrate(fused, LAYOUT, words, plane_values(LAYOUT))
    assert (units, ranges[None]) == (50, 255 / 50)


@OPENVINO
def test_the_untrained_network_is_uniform_and_even() -> None:
    batch = random_batch(8)
    network = ResNet(SMALL, LAYOUT.num_planes, (8, 8), chess.NUM_ACTIONS)
    evaluator_of(network, "openvino-int8", 8)(batch, 8)
    for row in range(8):
        n = batch.counts[row]
        np.testing.assert_allclose(batch.priors[row, :n], 1.0 / n, rtol=1e-6)
    np.testing.assert_allclose(batch.values, [[0.0, 1 / 3]] * 8, atol=1e-6)


@pytest.mark.parametrize("runtime", PRECISIONS)
def test_a_diverged_network_is_an_error_and_not_a_prior(runtime: Runtime) -> None:
    evaluator, batch = evaluator_of(playable(), runtime, 8, version=3), random_batch(8)
    before = answer(evaluator, batch, 8)
    broken, huge, inside = playable(), playable(), playable()
    with torch.no_grad():
        broken.stem.conv.weight[0, 0, 0, 0] = float("nan")
        huge.value.out.weight.fill_(3e38)
        inside.blocks[0].first.conv.weight.fill_(1e37)
    with pytest.raises(FloatingPointError, match=r"version 12.* in its weights"):
        evaluator.update(broken, 12)
    np.testing.assert_array_equal(answer(evaluator, batch, 8)[0], before[0])  # the last good weights stay
    assert evaluator.version == 3
    evaluator.update(huge, 13)
    with pytest.raises(FloatingPointError, match=r"version 13.* 8 of 8"):
        evaluator(batch, 8)
    if runtime == "openvino-int8":
        with pytest.raises(FloatingPointError, match=r"version 14.* on its calibration positions"):
            evaluator.update(inside, 14)


@OPENVINO
def test_network_of_another_history_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reads 21 planes .* packs 35"):
        OpenVinoEvaluator(playable(), PlaneLayout.of(chess, 2), 8, calibration=CALIBRATION)


@OPENVINO
def test_the_library_sends_no_telemetry() -> None:
    OpenVinoEvaluator(playable(), LAYOUT, 8, "float32")
    assert sys.modules["openvino_telemetry"] is None
    tools = sys.modules.get("openvino.tools.ovc.telemetry_utils")
    assert tools is None or tools.tm.__name__ == "openvino.tools.ovc.telemetry_stub"


LARGE_SUMS = """
import numpy as np, torch
from rlcore import openvino
from rlcore.networks import ResNet
from tests.test_evaluators import LAYOUT, SMALL, random_batch

network, batch = ResNet(SMALL, LAYOUT.num_planes, (8, 8), 4672), random_batch(16)
batch.words[:, :12] = np.random.default_rng(0).integers(1 << 64, size=(16, 12), dtype=np.uint64)
torch.manual_seed(0)
with torch.no_grad():
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.fill_(0.02)  # of equal weights each is as large as it can be, and exact
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.fill_(0.5)
    network.policy.out.weight.normal_(0.0, 0.3)
answers = []
for precision, vnni in (("float32", True), ("int8", False), ("int8", True)):
    openvino.cpu_has = lambda feature: vnni
    openvino.OpenVinoEvaluator(network, LAYOUT, 16, precision, calibration=batch.words)(batch, 16)
    answers.append([row[:n].copy() for row, n in zip(batch.priors, batch.counts)])
for answer in answers[1:]:
    print(np.mean([np.abs(found - right).sum() for found, right in zip(answer, answers[0])]))
"""


@OPENVINO
@pytest.mark.slow
def test_nothing_saturates_without_vnni() -> None:
    """Older processors sum two products in 16 bits: enough for 7-bit weights, too little for 8-bit ones."""

    def errors(isa: str) -> list[float]:
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": isa}
        command = [sys.executable, "-c", LARGE_SUMS]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return [float(line) for line in done.stdout.splitlines()]

    for isa in ("AVX2", "AVX512_CORE"):
        with_7_bits, with_8_bits = errors(isa)
        assert with_7_bits < 0.001
        assert with_8_bits > 0.01


# --- which one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "installed", "calibrated", "expected"),
    [
        ({"avx2", "avx512vnni", "avx512bf16"}, True, True, "openvino-int8"),
        ({"avx2", "avxvnni"}, True, True, "openvino-int8"),
        ({"avx2"}, True, True, "openvino-int8"),
        ({"avx2", "avx512vnni", "avx512bf16", "amx-bf16", "amx-int8"}, True, True, "torch"),
        ({"neon", "bf16"}, True, True, "torch"),
        ({"avx2", "avx512vnni"}, False, True, "torch"),
        ({"avx2", "avx512vnni"}, True, False, "torch"),
    ],
)
def test_auto_goes_by_the_processor(
    monkeypatch: pytest.MonkeyPatch, features: set[str], installed: bool, calibrated: bool, expected: str
) -> None:
    monkeypatch.setattr(runtimes, "cpu_has", features.__contains__)
    monkeypatch.setattr(runtimes, "_has_openvino", lambda: installed)
    assert choose_runtime(calibrated) == expected


def test_auto_is_what_choose_runtime_says() -> None:
    evaluator = make_evaluator(playable(), LAYOUT, 8, device="cpu", calibration=CALIBRATION, version=7)
    assert evaluator.name.split()[0] == choose_runtime().split("-")[0]
    assert (evaluator.version, evaluator.batch_size) == (7, 8)
    assert isinstance(make_evaluator(playable(), LAYOUT, 8, device="cpu"), TorchEvaluator)  # nothing to calibrate with


def test_without_openvino_torch_takes_its_place_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_has_openvino", lambda: False)
    lines: list[str] = []
    evaluator = make_evaluator(playable(), LAYOUT, 8, device="cpu", runtime="openvino-int8", warn=lines.append)
    assert isinstance(evaluator, TorchEvaluator)
    assert lines == [
        "openvino-int8 needs the package openvino, which is not installed (pip install openvino); torch instead."
    ]
    make_evaluator(playable(), LAYOUT, 8, device="cpu", warn=lines.append)  # "auto" has nothing to say
    assert len(lines) == 1
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModuleNotFoundError, match="openvino"):
        OpenVinoEvaluator(playable(), LAYOUT, 8, "float32")


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(ValueError, match="runtime is 'fast'; there are auto, torch, openvino-int8"):
        make_evaluator(playable(), LAYOUT, 8, runtime="fast")  # type: ignore[arg-type]


def test_played_positions() -> None:
    game = games.load("chess")
    words = played_positions(game, playable(), history=1, count=100)
    assert words.shape == (100, LAYOUT.num_words)
    assert len(np.unique(words, axis=0)) > 80
    assert (words[:, 13] >> np.uint64(8) & np.uint64(255)).max() > 8  # move numbers: not the opening alone
    assert np.bitwise_count(words[:, :12]).sum(axis=1).max() == 32
    np.testing.assert_array_equal(words, played_positions(game, playable(), history=1, count=100))
    assert not np.array_equal(words, played_positions(game, playable(), history=1, count=100, seed=1))
