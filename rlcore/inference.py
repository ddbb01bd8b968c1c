"""The evaluator that runs a ``ResNet`` with torch on a CPU.

A kernel writes planes straight into the network's input and another reads the legal logits out of its output, both in
the network's channels-last order.

Threads: torch's number of threads belongs to the calling thread, and a new thread's first convolution uses every core
whatever the main thread has set. So an evaluator sets it at every call (0.1 microseconds): one thread per worker,
a worker a core, because two torch threads collapse on a busy machine.
"""

import copy
import threading
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from rlcore.evaluators import Batch, finish, gather_logits
from rlcore.jit import cpu_has
from rlcore.networks import ConvNorm, ResNet, fuse
from rlcore.planes import PlaneLayout, as_images, plane_values, unpack_planes

__all__ = ["OneDnnConv", "TorchEvaluator", "check_layout", "check_rows", "choose_dtype", "not_finite", "playing_form"]

_SIZES = 32
"""A batch is rounded up to one of this many sizes: oneDNN builds its code anew for each (5 to 10 ms in all), and
remembers 1,024 convolutions. Costs 1.5 % of a full batch on average."""


class _Published(NamedTuple):
    """A network in playing form and its number, replaced together."""

    network: ResNet
    version: int


class _Shelf:
    """Holds the published network that an evaluator and its twins share."""

    def __init__(self, published: _Published) -> None:
        self.published = published
        self.lock = threading.Lock()


class TorchEvaluator:
    """Evaluates with a network. One thread at a time; ``twin()`` gives another thread one with the same weights.

    Args:
        network: copied, so that it may go on learning.
        layout: of the packed words; must match the network's planes and board.
        batch_size: the most rows of a call.
        dtype: float32 or bfloat16; default ``choose_dtype``. Priors and values are float32 in any case.
        version: number of these weights, see ``update``.
        threads: torch threads on a CPU; every call leaves the calling thread with this setting.

    Raises ValueError where the layout does not fit the network.
    """

    def __init__(
        self,
        network: ResNet,
        layout: PlaneLayout,
        batch_size: int,
        dtype: torch.dtype | None = None,
        version: int = 0,
        threads: int = 1,
    ) -> None:
        check_layout(network, layout)
        self.layout, self.batch_size, self.threads = layout, batch_size, threads
        self.dtype = dtype or choose_dtype(torch.device("cpu"))
        self._shelf = _Shelf(_Published(playing_form(network, batch_size, self.dtype), version))
        self._allocate()

    def _allocate(self) -> None:
        """What belongs to one thread alone."""
        layout = self.layout
        if self.dtype not in (torch.float32, torch.bfloat16):
            raise ValueError(f"on a CPU a network plays in float32 or bfloat16, not in {self.dtype}")
        bits = np.uint16 if self.dtype == torch.bfloat16 else np.float32
        self._values = plane_values(layout, bits)
        self._planes = np.zeros((self.batch_size, layout.squares, layout.num_planes), bits)
        images = torch.from_numpy(as_images(self._planes, layout))
        self._input = images.view(torch.bfloat16) if self.dtype == torch.bfloat16 else images

    def twin(self) -> Self:
        """Another evaluator with the same weights, now and after every ``update`` of either, for another thread."""
        other = copy.copy(self)
        other._allocate()
        return other

    @property
    def name(self) -> str:
        """For people to read."""
        return f"torch {str(self.dtype).removeprefix('torch.')}"

    @property
    def version(self) -> int:
        """Number of the weights that the next call uses."""
        return self._shelf.published.version

    def update(self, network: ResNet, version: int) -> None:
        """Play with the weights of ``network`` from the next call on; calls under way finish with the old ones."""
        with self._shelf.lock:  # the newest published last
            form = playing_form(network, self.batch_size, self.dtype)
            self._shelf.published = _Published(form, version)

    def __call__(self, batch: Batch, size: int) -> None:
        """See ``Evaluator``. Raises FloatingPointError where the network's answer is not finite."""
        check_rows(size, self.batch_size)
        if size == 0:
            return
        torch.set_num_threads(self.threads)
        network, version = self._shelf.published
        with torch.inference_mode():
            wdl = self._answer(network, batch, size)
        broken = finish(wdl, batch.counts, size, batch.priors, batch.values)
        if broken:
            raise not_finite(version, f"for {broken} of {size} positions")

    def _answer(self, network: ResNet, batch: Batch, size: int) -> "np.typing.NDArray[np.float32]":
        """Leave the legal logits in ``batch.priors``; returns wdl logits [>= size, 3]."""
        step = -(-self.batch_size // _SIZES)
        rows = min(-(-size // step) * step, self.batch_size)  # rows past size hold older positions, or none
        unpack_planes(batch.words, size, self.layout, self._values, self._planes)
        policy, wdl = network.heads(self._input[:rows])
        logits = _by_square(policy)
        half = logits.dtype == torch.bfloat16
        bits = logits.view(torch.uint16).numpy() if half else logits.float().numpy().view(np.uint32)
        priors = batch.priors.view(np.uint32)
        gather_logits(bits, 16 if half else 0, batch.actions, batch.counts, size, priors)
        answer: np.typing.NDArray[np.float32] = wdl.float().numpy()
        return answer


def check_layout(network: ResNet, layout: PlaneLayout) -> None:
    """Raise ValueError where packed words of ``layout`` are not what ``network`` reads."""
    seen = (layout.num_planes, (layout.rows, layout.cols))
    if seen != (network.planes, network.board):
        raise ValueError(
            f"the network reads {network.planes} planes of {network.board}, the game packs {seen[0]} of {seen[1]}: "
            "was it trained with another history or for another game?"
        )


def check_rows(size: int, batch_size: int) -> None:
    """Raise ValueError where an evaluator has no room for so many rows."""
    if not 0 <= size <= batch_size:
        raise ValueError(f"{size} rows asked of an evaluator with batch_size {batch_size}")


def not_finite(version: int, where: str) -> FloatingPointError:
    """The error of a network whose numbers are not finite, ``where`` such as "for 3 of 8 positions"."""
    return FloatingPointError(
        f"the network (version {version}) gave numbers that are not finite {where}: "
        "training has diverged; go back to an earlier checkpoint, with a smaller learning rate"
    )


def _by_square(policy: Tensor) -> Tensor:
    """Policy planes [B, P, h, w] as [B, h * w, P]: no copy, where they are channels-last."""
    return policy.permute(0, 2, 3, 1).flatten(1, 2).contiguous()


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor computes in it (three to four times as fast on a CPU that does), else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.type == "cpu" and (cpu_has("avx512bf16") or cpu_has("amx-bf16")):
        return torch.bfloat16
    return torch.float32


def playing_form(network: ResNet, batch_size: int, dtype: torch.dtype) -> ResNet:
    """A frozen copy on the CPU: fused, channels-last, in ``dtype``, with oneDNN's own convolutions where they work."""
    playing: ResNet = fuse(network).to(device="cpu", dtype=dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        fast = copy.deepcopy(playing)
        try:
            _use_onednn(fast, batch_size)
            with torch.inference_mode():
                fast.heads(torch.zeros(1, network.planes, *network.board, dtype=dtype))
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return playing  # a torch or a processor without these operators: up to half as fast, the same numbers
        return fast
    return playing


class OneDnnConv(nn.Module):
    """A fused ``ConvNorm``'s place taken by one oneDNN call with the ReLU and the sum inside, weights laid out once.

    15 to 60 % faster than eager torch for small networks. These are the operators that torch.compile emits, called
    by hand: torch.compile itself needs a C++ compiler.
    """

    def __init__(self, conv: nn.Conv2d, input_shape: list[int], relu: bool = True) -> None:
        super().__init__()
        self.after = "relu" if relu else "none"
        geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(conv.weight, *geometry, input_shape)
        self.bias, self.geometry = conv.bias, geometry

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        layer = (x, self.weight, self.bias, *self.geometry)
        out: Tensor
        if skip is None:
            out = torch.ops.mkldnn._convolution_pointwise(*layer, self.after, [], "")
        else:  # written over the skip connection, which nobody reads afterwards
            out = torch.ops.mkldnn._convolution_pointwise_.binary(skip, *layer, "add", 1.0, "relu", [], "")
        return out


def _use_onednn(playing: ResNet, batch_size: int) -> None:
    """Replace every fused convolution of ``playing``, in place; fastest at ``batch_size``, right at any."""
    for parent in list(playing.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ConvNorm):
                shape = [batch_size, child.conv.in_channels, *playing.board]
                setattr(parent, name, OneDnnConv(child.conv, shape, child.relu))
