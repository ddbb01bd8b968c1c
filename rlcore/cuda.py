"""The evaluator for GPUs: packed words go up, one CUDA graph a batch, only the legal logits come down.

    host                         device, on a stream of this evaluator's own
    words, places (pinned)  ->   unpack, network: the logits of all actions      one CUDA graph for each bucket of rows
                                 legal logits = logits[places]
    priors, values          <-   legal logits, wdl (pinned)                      one wait

A place says where a legal action's logit lies in the output of the whole batch; places of all rows stand one after
another, so nothing is padded. About 35 legal actions of chess cost 140 bytes up and 70 down, beside 112 of words.

While one thread waits here, without the GIL, another selects: two groups of games keep both the CPU and the GPU busy.
Twins share nothing that a running graph reads: each has its own copy of the weights and copies new ones into it, on
its own stream, at its next call.
"""

import contextlib
import copy
import threading
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from rlcore.evaluators import Batch, finish
from rlcore.inference import check_layout, check_rows, choose_dtype, not_finite
from rlcore.jit import Array, njit
from rlcore.networks import ConvPolicyHead, ResNet, fuse
from rlcore.planes import PlaneLayout, TorchUnpacker

__all__ = ["CudaEvaluator", "buckets", "deal_logits", "list_places"]

_LEGAL = 64
"""Legal actions a row for which there is room at first; more make room for themselves, once."""

_WARM_UP = 3
"""Runs before a capture, as torch's notes on CUDA graphs have it: libraries set themselves up in the first ones."""

_CAPTURE = threading.Lock()
"""Torch allows one capture at a time in a process, and a device must not be synchronised while one goes on."""


class _Published(NamedTuple):
    """A fused network on the device, its number, and the moment from which its weights may be read."""

    network: ResNet
    version: int
    ready: torch.cuda.Event | None


class _Shelf:
    """Holds the published network from which an evaluator and its twins copy."""

    def __init__(self, published: _Published) -> None:
        self.published = published
        self.lock = threading.Lock()


class CudaEvaluator:
    """Evaluates with a network on a GPU. One thread at a time; ``twin()`` gives another thread one.

    All graphs are captured at construction, some seconds: a later capture would hold up the games. cuDNN picks its
    algorithms by trying them, so that two starts may differ in the last bits of an answer.

    Args:
        network: copied, so that it may go on learning.
        layout: of the packed words; must match the network's planes and board.
        batch_size: the most rows of a call.
        device: a CUDA GPU; or the CPU, where the same steps run one after another without graphs, for tests.
        dtype: bfloat16 or float32; default ``choose_dtype(device)``. Priors and values are float32 in any case.
        version: number of these weights, see ``update``.

    Raises ValueError where the layout does not fit the network.
    """

    def __init__(
        self,
        network: ResNet,
        layout: PlaneLayout,
        batch_size: int,
        device: torch.device | str,
        dtype: torch.dtype | None = None,
        version: int = 0,
    ) -> None:
        check_layout(network, layout)
        self.layout, self.batch_size = layout, batch_size
        self.device = torch.device(device)
        self.dtype = dtype or choose_dtype(self.device)
        if self.dtype not in (torch.float32, torch.bfloat16):
            raise ValueError(f"a network plays in float32 or bfloat16, not in {self.dtype}")
        if batch_size * network.num_actions > np.iinfo(np.int32).max:
            raise ValueError(f"batch_size {batch_size} is too large for {network.num_actions} actions")
        squares = layout.squares if isinstance(network.policy, ConvPolicyHead) else 1
        self._output = (squares, network.num_actions // squares)  # a row of logits: [squares, planes]
        self.name = f"{self.device.type} {str(self.dtype).removeprefix('torch.')}"
        self._shelf = _Shelf(self._publish(network, version))
        self._prepare()

    # --- weights -----------------------------------------------------------------------------------------------------

    def _publish(self, network: ResNet, version: int) -> _Published:
        """A frozen copy for playing, made on the calling thread's stream."""
        form: ResNet = fuse(network).to(self.device, self.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.device.type != "cuda":
            return _Published(form, version, None)
        ready = torch.cuda.Event()  # type: ignore[no-untyped-call]
        ready.record(torch.cuda.current_stream(self.device))
        return _Published(form, version, ready)

    @property
    def version(self) -> int:
        """Number of the weights that the next call uses."""
        return self._shelf.published.version

    def update(self, network: ResNet, version: int) -> None:
        """Play with the weights of ``network`` from the next call on; calls under way finish with the old ones."""
        with self._shelf.lock:  # the newest published last
            self._shelf.published = self._publish(network, version)

    def _load(self, published: _Published) -> None:
        """Copy published weights into this evaluator's own, where its graphs look for them.

        The stream orders the copy behind the last batch and before the next. ``_loaded`` keeps the source from being
        freed until the next ``_load``, long after the host has waited for the copy.
        """
        self._await(published)
        source = published.network.state_dict()
        for name, tensor in self._network.state_dict().items():
            tensor.copy_(source[name])
        self._loaded = published

    def _await(self, published: _Published) -> None:
        """Let this evaluator's stream wait, not the host, until the weights are there."""
        if self._stream is not None and published.ready is not None:
            self._stream.wait_event(published.ready)

    # --- what belongs to one thread ----------------------------------------------------------------------------------

    def twin(self) -> Self:
        """Another evaluator with the same weights, now and after every ``update`` of either, for another thread."""
        other = copy.copy(self)
        other._prepare()
        return other

    def _prepare(self) -> None:
        """Stream, weights, buffers and graphs of this evaluator alone."""
        on_gpu, rows = self.device.type == "cuda", self.batch_size
        self._stream = torch.cuda.Stream(self.device) if on_gpu else None  # type: ignore[no-untyped-call]
        # A blocking event lets the waiting thread sleep: its core belongs to the other group of games.
        self._done = torch.cuda.Event(blocking=True) if on_gpu else None  # type: ignore[no-untyped-call]
        self._loaded = self._shelf.published
        with self._on_stream():
            self._await(self._loaded)
            self._network: ResNet = copy.deepcopy(self._loaded.network)
            self._unpack = TorchUnpacker(self.layout, self.device, self.dtype)
            self._words = torch.zeros((rows, self.layout.num_words), dtype=torch.int64, device=self.device)
        self._words_up = torch.zeros(self._words.shape, dtype=torch.int64, pin_memory=on_gpu)
        self._wdl_down = torch.zeros((rows, 3), pin_memory=on_gpu)
        self._make_room(_LEGAL * rows)
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        if on_gpu:
            self._capture()

    def _make_room(self, legal: int) -> None:
        """Buffers for so many legal actions in a batch."""
        pinned = self.device.type == "cuda"
        with self._on_stream():
            self._places = torch.zeros(legal, dtype=torch.int32, device=self.device)
            self._legal = torch.zeros(legal, dtype=self.dtype, device=self.device)
        self._places_up = torch.zeros(legal, dtype=torch.int32, pin_memory=pinned)
        self._legal_down = torch.zeros(legal, dtype=self.dtype, pin_memory=pinned)

    def _on_stream(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _capture(self) -> None:
        """A graph for each bucket; they share their working memory, since only one of them runs at a time."""
        pool = torch.cuda.graph_pool_handle()
        with _CAPTURE, torch.cuda.device(self.device), torch.inference_mode(), _autotuning():
            for rows in reversed(buckets(self.batch_size)):  # the largest first: the others fit into its memory
                with self._on_stream():
                    for _ in range(_WARM_UP):
                        self._forward(rows)
                graph = torch.cuda.CUDAGraph()
                # thread_local: what other threads do meanwhile, such as allocating memory, does not break the capture
                with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                    logits, wdl = self._forward(rows)
                self._graphs[rows] = (graph, logits, wdl)

    def _forward(self, rows: int) -> tuple[Tensor, Tensor]:
        """The first rows of ``_words`` to logits [rows * squares * planes], by square, and wdl [rows, 3] float32."""
        policy, wdl = self._network.heads(self._unpack(self._words[:rows]))
        by_square = policy.permute(0, 2, 3, 1).contiguous()  # no copy, where the planes are channels-last
        return by_square.flatten(), wdl.float()

    # --- a batch -----------------------------------------------------------------------------------------------------

    def __call__(self, batch: Batch, size: int) -> None:
        """See ``Evaluator``. Raises FloatingPointError where the network's answer is not finite."""
        check_rows(size, self.batch_size)
        if size == 0:
            return
        legal = int(batch.counts[:size].sum())
        if legal > len(self._places):
            self._make_room(max(legal, 2 * len(self._places)))
        self._words_up.numpy().view(np.uint64)[:size] = batch.words[:size]
        list_places(batch.actions, batch.counts, size, *self._output, self._places_up.numpy())
        self._evaluate(size, legal)
        half = self.dtype == torch.bfloat16
        bits = self._legal_down.view(torch.uint16 if half else torch.uint32).numpy()
        deal_logits(bits, 16 if half else 0, batch.counts, size, batch.priors.view(np.uint32))
        broken = finish(self._wdl_down.numpy(), batch.counts, size, batch.priors, batch.values)
        if broken:
            raise not_finite(self._loaded.version, f"for {broken} of {size} positions")

    def _evaluate(self, size: int, legal: int) -> None:
        """From the pinned words and places to the pinned legal logits and wdl; waits once, at the end."""
        published = self._shelf.published
        with torch.inference_mode(), self._on_stream():
            if published is not self._loaded:
                self._load(published)
            self._words[:size].copy_(self._words_up[:size], non_blocking=True)
            self._places[:legal].copy_(self._places_up[:legal], non_blocking=True)
            logits, wdl = self._run(size)
            torch.index_select(logits, 0, self._places[:legal], out=self._legal[:legal])
            self._legal_down[:legal].copy_(self._legal[:legal], non_blocking=True)
            self._wdl_down[:size].copy_(wdl[:size], non_blocking=True)
            if self._done is not None:
                self._done.record(self._stream)
                self._done.synchronize()

    def _run(self, size: int) -> tuple[Tensor, Tensor]:
        """``_forward`` of the smallest bucket that holds ``size`` rows; what lies beyond them is older, or zero."""
        rows = next(rows for rows in buckets(self.batch_size) if rows >= size)
        if not self._graphs:
            return self._forward(rows)
        graph, logits, wdl = self._graphs[rows]
        graph.replay()
        return logits, wdl


def buckets(batch_size: int) -> list[int]:
    """The numbers of rows that have a graph, ascending: 1/8, 1/4, 1/2, 3/4 and all of a batch, in multiples of 8."""
    return sorted({min(-(-batch_size * eighths // 64) * 8, batch_size) for eighths in (1, 2, 4, 6, 8)})


@contextlib.contextmanager
def _autotuning() -> Iterator[None]:
    """cuDNN tries its algorithms on what it has not seen before, and keeps the fastest."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@njit
def list_places(actions: Array, counts: Array, size: int, squares: int, planes: int, places: Array) -> None:
    """Where the logits of the legal actions lie, row after row, in logits [B, squares, planes] seen as one line.

    Args:
        actions: [B, max_legal] uint16; action = plane * squares + square.
        places: [>= sum of the first counts] int32, written.
    """
    n, width, depth = 0, np.uint32(squares), np.uint32(planes)
    for row in range(size):
        first = np.uint32(row * squares * planes)
        for i in range(counts[row]):
            action = np.uint32(actions[row, i])
            places[n] = first + (action % width) * depth + action // width
            n += 1


@njit
def deal_logits(logits: Array, shift: int, counts: Array, size: int, priors: Array) -> None:
    """Deal legal logits that stand one after another out to their rows of ``priors``, in place, as bits.

    Args:
        logits: uint32, the bits of float32, with ``shift`` 0; or uint16, the bits of bfloat16, with ``shift`` 16.
        priors: [B, max_legal] uint32, a view of the float32 array.
    """
    n, left = 0, np.uint32(shift)
    for row in range(size):
        for i in range(counts[row]):
            priors[row, i] = np.uint32(logits[n]) << left
            n += 1
