"""Which runtime evaluates a network: the fastest that keeps strength on this machine, or the one asked for by name.

On a CPU. Evaluations a second of processor time, one thread, packed words in, priors and values out, chess, medians of
seven rounds in turn on a processor with AVX-512, VNNI and bfloat16 but without AMX (batch 128; 10x128 at 64):

    network (history)               4x64 (1)    4x64 (8)    3x48 (1)    10x128 (8)
    torch, eager, float32              4,990       4,420       9,060           610
    torch float32                      5,550       4,680       9,950           610
    torch bfloat16                    10,480       9,100      16,440         1,230
    OpenVINO float32                   5,870       5,060      11,340           670
    OpenVINO bfloat16                 11,130       9,470      18,270         1,270
    OpenVINO int8                     20,070      17,800      30,780         2,320

The network alone, 4x64 (1): torch.compile 6,080 in float32 and 11,230 in bfloat16, after 20 seconds and with a C++
compiler; ONNX Runtime 5,510 in float32 and 17,650 in int8; torch's own int8 operators 19,340, OpenVINO's 20,590. With
instructions hidden, int8 by OpenVINO against eager float32: AVX-512 without VNNI 11,770 to 5,700, AVX2 with VNNI 10,470
to 2,700, AVX2 6,440 to 2,620; torch's int8 falls below float32 on AVX2.

What int8 costs, on a 3x48 network after 1,808 steps of training: the policy's first move stays the same in 97 % of
self-play positions (bfloat16: 99.5 %); 400 games against bfloat16 with 32 simulations end at 51.7 % (95 % interval 46.9
to 56.6), and with the 7-bit weights of processors without VNNI at 50.4 % (45.5 to 55.2).

Hence "auto" on a CPU: OpenVINO in int8 on x86 from AVX2 on, but for processors with AMX, on which torch in bfloat16 was
measured at seven times eager float32 and int8 was not measured; torch on all others.
"""

import functools
import sys
from collections.abc import Callable
from typing import get_args

import numpy as np
import torch

from rlcore.config import Runtime
from rlcore.evaluators import NetworkEvaluator, make_batch
from rlcore.game import Game, new_history
from rlcore.inference import TorchEvaluator
from rlcore.jit import Array, cpu_has
from rlcore.networks import ResNet
from rlcore.openvino import Calibration, OpenVinoEvaluator, Precision, load_library
from rlcore.planes import PlaneLayout

__all__ = ["available_runtimes", "choose_runtime", "make_evaluator", "played_positions"]

_PRECISIONS: dict[Runtime, Precision] = {
    "openvino-int8": "int8",
    "openvino-bf16": "bfloat16",
    "openvino-fp32": "float32",
}
_GAMES, _EVERY = 16, 4
"""``played_positions``: games side by side, and of how many plies one is taken."""


def choose_runtime(calibrated: bool = True) -> Runtime:
    """What "auto" means on this machine's CPU: decided by the processor's features, never by a stopwatch.

    Args:
        calibrated: there are positions to calibrate int8 with.
    """
    if cpu_has("amx-bf16") or not cpu_has("avx2") or not calibrated or not _has_openvino():
        return "torch"
    return "openvino-int8"


def available_runtimes() -> list[Runtime]:
    """What can run a network on this machine's CPU."""
    found: list[Runtime] = ["torch"]
    return found + [runtime for runtime in _PRECISIONS if _has_openvino()]


def make_evaluator(
    network: ResNet,
    layout: PlaneLayout,
    batch_size: int,
    *,
    device: torch.device | str | None = None,
    runtime: Runtime = "auto",
    version: int = 0,
    calibration: Calibration | None = None,
    warn: Callable[[str], None] | None = None,
) -> NetworkEvaluator:
    """An evaluator of ``network``, which is copied.

    Args:
        layout, batch_size, version: see ``TorchEvaluator``.
        device: default a CUDA GPU where there is one, else the CPU.
        runtime: on a CPU; a GPU has but one.
        calibration: what int8 is calibrated with, see ``OpenVinoEvaluator``: in training the latest positions, else
            ``played_positions``. Without it "auto" does not choose int8.
        warn: called with one line where the runtime asked for is not to be had and torch takes its place; default
            prints it on standard error.

    Raises:
        ValueError: there is no such runtime, or int8 is asked for without calibration, or the layout does not fit.
        FloatingPointError: int8 is to be calibrated with a network whose numbers are not finite.
    """
    if runtime not in get_args(Runtime):
        raise ValueError(f"runtime is {runtime!r}; there are {', '.join(get_args(Runtime))}")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        from rlcore.cuda import CudaEvaluator

        return CudaEvaluator(network, layout, batch_size, device, version=version)
    if runtime == "auto":
        runtime = choose_runtime(calibration is not None)
    elif runtime != "torch" and not _has_openvino():
        line = f"{runtime} needs the package openvino, which is not installed (pip install openvino); torch instead."
        (warn or _print)(line)
        runtime = "torch"
    if runtime == "torch":
        return TorchEvaluator(network, layout, batch_size, version=version)
    return OpenVinoEvaluator(network, layout, batch_size, _PRECISIONS[runtime], version, calibration)


def played_positions(game: Game, network: ResNet, history: int, count: int = 256, seed: int = 0) -> Array:
    """Positions of quick games that a network plays by its policy alone, to calibrate with: [count, num_words] uint64.

    The same again gives the same. Costs four evaluations a position: a tenth of a second for a small network.

    Args:
        history: steps in a packed position, as the network reads them.
        seed: of the games and of the moves drawn.
    """
    layout, generator = game.layout(history), np.random.default_rng(seed)
    plies = _EVERY * -(-count // _GAMES)
    evaluator = TorchEvaluator(network, layout, _GAMES)
    batch = make_batch(_GAMES, layout.num_words, game.MAX_LEGAL)
    record = new_history(game, _GAMES, plies + 1)
    games = np.arange(_GAMES, dtype=np.int32)
    endings, values = np.zeros(_GAMES, np.uint8), np.zeros(_GAMES, np.float32)
    for g in games:
        game.begin(record, g, int(generator.integers(1 << 62)))
    positions = []
    for ply in range(plies):
        game.judge(record, games, 0, batch.actions, batch.counts, endings, values)
        for g in games[endings != 0]:
            game.begin(record, g, int(generator.integers(1 << 62)))
        game.judge(record, games, 0, batch.actions, batch.counts, endings, values)
        for g in games:
            game.pack_game(record, g, history, batch.words[g])
        if ply % _EVERY == 0:
            positions.append(batch.words.copy())
        evaluator(batch, _GAMES)
        places = [_draw(generator, row[:n]) for row, n in zip(batch.priors, batch.counts, strict=True)]
        game.advance(record, games, batch.actions[games, places])
    return np.concatenate(positions)[:count]


def _draw(generator: np.random.Generator, priors: Array) -> int:
    """A place, drawn with the probabilities ``priors``, which sum to 1 up to rounding."""
    sums = np.cumsum(priors, dtype=np.float64)
    return int(np.searchsorted(sums, generator.random() * sums[-1], side="right"))


@functools.cache
def _has_openvino() -> bool:
    """Whether it is installed and can be loaded."""
    try:
        load_library()
    except ImportError:
        return False
    return True


@functools.cache
def _print(line: str) -> None:
    """Say it once."""
    print(line, file=sys.stderr)
