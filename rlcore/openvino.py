"""The evaluator that runs a ``ResNet`` with OpenVINO on a CPU: in 8-bit integers close to four times as fast as torch.

The graph is built from the fused network's modules, kind by kind, and compiled in a tenth of a second. For int8 every
convolution's inputs are rounded to 256 levels between 0 and the largest value seen on calibration positions, its
weights to 255 levels between plus and minus the largest of their output channel (Jacob et al. 2018, section 2.1, with
one zero point, 0: all inputs come after a ReLU). Sums are exact, in 32 bits; what follows them (bias, skip connection,
squeeze-and-excitation, pooling, linear layers, logits) is float32.

The compiled graph has a small fixed batch, ``_ROWS``, and runs as often as it takes: as fast as one large batch, whose
activations leave the core's cache, and an answer depends on its own row alone, to the bit.
"""

import contextlib
import copy
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from rlcore.evaluators import Batch, finish, gather_logits
from rlcore.inference import check_layout, check_rows, not_finite
from rlcore.jit import Array, cpu_has
from rlcore.networks import (
    Block,
    ConvNorm,
    ConvPolicyHead,
    LinearPolicyHead,
    ResNet,
    SqueezeExcitation,
    ValueHead,
    fuse,
)
from rlcore.planes import PlaneLayout, as_images, plane_values, unpack_planes

__all__ = ["Calibration", "OpenVinoEvaluator", "Precision", "load_library"]

Precision = Literal["int8", "bfloat16", "float32"]
Calibration = Array | Callable[[], Array]
"""Packed positions [n, num_words] uint64 such as the network will see, or what to call for them at every update."""

_ROWS = 16
_HEADROOM = 2.0
"""Planes may hold so many times the largest number of the calibration positions (a board's 1 at least): a game may last
longer than those. More is cut off."""
_NODE = Any
"""An OpenVINO output: the library is only imported where it is used."""

_BUILDING = threading.Lock()
"""Held while a graph is built or compiled, one at a time: a process with several threads once ended here with a
segmentation fault (OpenVINO 2026.4; not seen again in 1,400 tries). Inference needs no lock."""


class _Published(NamedTuple):
    """A network as a graph, replaced as a whole."""

    model: Any
    """openvino.Model; every evaluator compiles its own, as a compiled one serves one thread."""
    values: Array
    """[1 + counts, 256], see ``plane_values``: uint8 for int8, where 1 is written as many units."""
    version: int


class _Shelf:
    """Holds the published network that an evaluator and its twins share, and the positions to calibrate with."""

    def __init__(self, calibration: Calibration | None) -> None:
        self.calibration = calibration
        self.lock = threading.Lock()
        self.published: _Published


class OpenVinoEvaluator:
    """Evaluates with a network. One thread at a time; ``twin()`` gives another thread one with the same weights.

    Args:
        network: copied, so that it may go on learning.
        layout: of the packed words; must match the network's planes and board.
        batch_size: the most rows of a call.
        precision: what the convolutions compute in.
        version: number of these weights, see ``update``.
        calibration: for int8, a few hundred positions such as the network will see. A function is called at
            construction and at every update, in the thread that updates.

    Raises:
        ModuleNotFoundError: openvino is not installed.
        ValueError: the layout does not fit the network, or int8 without calibration positions.
        FloatingPointError: the network's weights or activations are not finite.
    """

    def __init__(
        self,
        network: ResNet,
        layout: PlaneLayout,
        batch_size: int,
        precision: Precision = "int8",
        version: int = 0,
        calibration: Calibration | None = None,
    ) -> None:
        check_layout(network, layout)
        if precision == "int8" and calibration is None:
            raise ValueError("an int8 network needs calibration positions, to know the ranges of its activations")
        self.layout, self.batch_size, self.precision = layout, batch_size, precision
        self._shelf = _Shelf(calibration)
        self._allocate()
        self.update(network, version)

    def _allocate(self) -> None:
        """What belongs to one thread alone."""
        layout, dtype = self.layout, np.uint8 if self.precision == "int8" else np.float32
        self._planes = np.zeros((_ROWS, layout.squares, layout.num_planes), dtype)
        self._wdl = np.zeros((self.batch_size, 3), np.float32)
        self._compiled: _Published | None = None

    @property
    def name(self) -> str:
        """For people to read."""
        return f"openvino {self.precision}"

    @property
    def version(self) -> int:
        """Number of the weights that the next call uses."""
        return self._shelf.published.version

    def twin(self) -> Self:
        """Another evaluator with the same weights, now and after every ``update`` of either, for another thread."""
        other = copy.copy(self)
        other._allocate()
        return other

    def update(self, network: ResNet, version: int) -> None:
        """Play with the weights of ``network`` from the next call on; calls under way finish with the old ones.

        The first call afterwards compiles them, in each evaluator's own thread. Raises as the constructor.
        """
        with self._shelf.lock:  # the newest published last
            fused = fuse(network).float().cpu()
            if not all(bool(weight.isfinite().all()) for weight in fused.state_dict().values()):
                raise not_finite(version, "in its weights")
            values, ranges = plane_values(self.layout), None
            if self.precision == "int8":
                calibration = self._shelf.calibration
                words = calibration() if callable(calibration) else calibration
                assert words is not None
                units, ranges = _calibrate(fused, self.layout, words, values)
                if not np.isfinite(list(ranges.values())).all():
                    raise not_finite(version, "on its calibration positions")
                values = np.minimum(np.rint(values * np.float32(units)), 255).astype(np.uint8)
            with _BUILDING:
                model = _Graph(fused, self.layout, ranges).model
            self._shelf.published = _Published(model, values, version)

    def _compile(self, published: _Published) -> None:
        """A request of this evaluator's own, which reads ``_planes``. Some 0.05 to 0.2 seconds."""
        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,  # which is the calling one
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
        }
        openvino = load_library()
        with _BUILDING:
            compiled = _core().compile_model(published.model, "CPU", settings)
        request = compiled.create_infer_request()
        images = self._planes.reshape(_ROWS, self.layout.rows, self.layout.cols, -1)
        logits, answer = (np.zeros(tuple(output.shape), np.float32) for output in compiled.outputs)
        request.set_input_tensor(openvino.Tensor(images, shared_memory=True))
        request.set_output_tensor(0, openvino.Tensor(logits, shared_memory=True))
        request.set_output_tensor(1, openvino.Tensor(answer, shared_memory=True))
        self._logits: Array = logits.reshape(_ROWS, -1, logits.shape[3]).view(np.uint32)
        self._answer: Array = answer
        self._request, self._compiled = request, published

    def __call__(self, batch: Batch, size: int) -> None:
        """See ``Evaluator``. Raises FloatingPointError where the network's answer is not finite."""
        check_rows(size, self.batch_size)
        published = self._shelf.published
        if self._compiled is not published:
            self._compile(published)
        priors = batch.priors.view(np.uint32)
        for first in range(0, size, _ROWS):
            rows = min(_ROWS, size - first)
            part = slice(first, first + rows)
            unpack_planes(batch.words[part], rows, self.layout, published.values, self._planes)
            self._request.infer()
            gather_logits(self._logits, 0, batch.actions[part], batch.counts[part], rows, priors[part])
            self._wdl[part] = self._answer[:rows]
        broken = finish(self._wdl, batch.counts, size, batch.priors, batch.values)
        if broken:
            raise not_finite(published.version, f"for {broken} of {size} positions")


def load_library() -> Any:
    """The package openvino. Left alone it reports every import to Google Analytics; without a package that it calls
    for this, it falls back to a stub of its own that sends nothing.

    Raises ModuleNotFoundError where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "there is no such module"
    import openvino

    return openvino


@functools.cache
def _core() -> Any:
    """The process's only ``openvino.Core``, as its documentation recommends: the CPU's plugin is loaded once and stays,
    also where no compiled graph is left."""
    return load_library().Core()


def _calibrate(
    fused: ResNet, layout: PlaneLayout, words: Array, values: Array
) -> tuple[int, dict[nn.Module | None, float]]:
    """How many units a plane's 1 is to have, and the largest input of every convolution, by the module it comes from.

    Args:
        words: [n, num_words] uint64, n at least 1.
        values: ``plane_values(layout)``.

    Returns:
        The units, and what each ``ConvNorm`` and ``Block`` puts out at most; under None what planes hold at most.
    """
    if words.dtype != np.uint64 or words.ndim != 2 or not len(words) or words.shape[1] != layout.num_words:
        raise ValueError(f"calibration takes positions [n, {layout.num_words}] uint64, not {words.dtype} {words.shape}")
    planes = np.zeros((len(words), layout.squares, layout.num_planes), np.float32)
    unpack_planes(np.ascontiguousarray(words), len(words), layout, values, planes)
    units = max(int(255 / (_HEADROOM * max(float(planes.max()), 1.0))), 1)
    ranges: dict[nn.Module | None, float] = {None: 255 / units}

    def note(module: nn.Module, _inputs: Any, out: Tensor) -> None:
        ranges[module] = float(np.maximum(float(out.max()), ranges.get(module, 0.0)))  # NaN stays NaN

    with contextlib.ExitStack() as hooks, torch.inference_mode():
        hooks.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        for module in fused.modules():
            if isinstance(module, ConvNorm | Block):
                hooks.callback(module.register_forward_hook(note).remove)
        for first in range(0, len(words), 64):
            fused.heads(torch.from_numpy(as_images(planes[first : first + 64], layout)))
    return units, ranges


class _Graph:
    """Builds an OpenVINO model from a fused ``ResNet``, module by module.

    Planes come in as [rows, H, W, C] (uint8 units for int8, else float32); out go logits [rows, h, w, P] in the order
    of ``gather_logits`` and wdl logits [rows, 3].

    Args:
        ranges: from ``_calibrate``; none = nothing is rounded to 8 bits.
    """

    def __init__(self, fused: ResNet, layout: PlaneLayout, ranges: dict[nn.Module | None, float] | None) -> None:
        openvino = load_library()
        self.op, self.ranges = openvino.opset13, ranges
        # Without VNNI a processor sums two products in 16 bits: room for inputs of 8 bits and weights of 7.
        self.weight_levels = 255 if cpu_has("avx512vnni") or cpu_has("avxvnni") else 127
        op, dtype = self.op, np.float32 if ranges is None else np.uint8
        shape = [_ROWS, layout.rows, layout.cols, layout.num_planes]
        planes = op.parameter(shape, dtype, name="planes")
        x = planes
        if ranges is not None:
            x = op.multiply(op.convert(x, "f32"), self._constant(np.float32(ranges[None] / 255)))
        x = op.transpose(x, self._axes(0, 3, 1, 2))
        trunk = self._conv_norm(fused.stem, self._rounded(x, None))
        for block in fused.blocks:
            trunk = self._block(block, trunk)
        results = [op.result(self._policy(fused.policy, trunk)), op.result(self._value(fused.value, trunk))]
        self.model = openvino.Model(results, [planes], "network")

    # --- modules: each returns its output, rounded as its readers want it --------------------------------------------

    def _conv_norm(self, module: ConvNorm, x: _NODE, skip: _NODE | None = None) -> _NODE:
        assert isinstance(module.norm, nn.Identity), "not a fused network"
        out = self._conv(module.conv, x)
        if skip is not None:
            out = self.op.add(out, skip)
        return self._rounded(self.op.relu(out), module) if module.relu else out

    def _block(self, block: nn.Module, x: _NODE) -> _NODE:
        if not isinstance(block, Block):
            raise TypeError(f"no OpenVINO form of {type(block).__name__}")
        out = self._conv_norm(block.first, x)
        if block.gates is None:
            return self._conv_norm(block.second, out, x)
        out = self._conv_norm(block.second, out)
        out = self.op.multiply(out, self._gates(block.gates, out))
        return self._rounded(self.op.relu(self.op.add(out, x)), block)

    def _gates(self, module: SqueezeExcitation, x: _NODE) -> _NODE:
        op = self.op
        hidden = op.relu(self._linear(module.squeeze, op.reduce_mean(x, self._axes(2, 3), False)))
        gates = op.sigmoid(self._linear(module.excite, hidden))
        return op.unsqueeze(gates, self._axes(2, 3))

    def _policy(self, head: nn.Module, x: _NODE) -> _NODE:
        if isinstance(head, ConvPolicyHead):
            logits = self._conv(head.out, self._conv_norm(head.hidden, x))
            return self.op.transpose(logits, self._axes(0, 2, 3, 1))
        if isinstance(head, LinearPolicyHead):
            hidden = self._conv_norm(head.hidden, x)
            logits = self._linear(head.out, self.op.reshape(hidden, self._axes(_ROWS, -1), False))
            return self.op.unsqueeze(logits, self._axes(1, 2))
        raise TypeError(f"no OpenVINO form of {type(head).__name__}")

    def _value(self, head: ValueHead, x: _NODE) -> _NODE:
        op = self.op
        x = op.relu(self._conv(head.squeeze.conv, x))
        pooled = op.concat([op.reduce_mean(x, self._axes(2, 3), False), op.reduce_max(x, self._axes(2, 3), False)], 1)
        return self._linear(head.out, op.relu(self._linear(head.hidden, pooled)))

    # --- layers ------------------------------------------------------------------------------------------------------

    def _conv(self, conv: nn.Conv2d, x: _NODE) -> _NODE:
        weight = conv.weight.numpy()
        padding = list(conv.padding)
        kernel = self._constant(weight)
        if self.ranges is not None:
            most = np.maximum(np.abs(weight).max((1, 2, 3), keepdims=True), np.float32(1e-20))
            kernel = self._fake_quantize(kernel, -most, most, self.weight_levels)
        out = self.op.convolution(x, kernel, list(conv.stride), padding, padding, list(conv.dilation))
        assert conv.bias is not None
        return self.op.add(out, self._constant(conv.bias.numpy().reshape(1, -1, 1, 1)))

    def _linear(self, linear: nn.Linear, x: _NODE) -> _NODE:
        product = self.op.matmul(x, self._constant(linear.weight.numpy()), False, True)
        return self.op.add(product, self._constant(linear.bias.numpy()))

    def _rounded(self, x: _NODE, source: nn.Module | None) -> _NODE:
        """``x``, the output of ``source``, on 256 levels, for int8."""
        if self.ranges is None:
            return x
        most = np.float32(max(self.ranges[source], 1e-20))
        return self._fake_quantize(x, np.float32(0.0), most, 256)

    def _fake_quantize(self, x: _NODE, low: Any, high: Any, levels: int) -> _NODE:
        """Where OpenVINO sees this around a convolution it computes it with integers."""
        ends = [self._constant(low), self._constant(high)]
        return self.op.fake_quantize(x, *ends, *ends, levels)

    def _constant(self, value: Any) -> _NODE:
        return self.op.constant(np.array(value, np.float32))

    def _axes(self, *axes: int) -> _NODE:
        return self.op.constant(np.array(axes, np.int64))
