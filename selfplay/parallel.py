"""Several learners that train one network together: data parallelism over ``torch.distributed``.

Every rank holds the whole network and draws its own share of each batch. After the backward pass gradients are averaged
over the ranks (Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 3), and with them batch norm's running
statistics, so that after every step all ranks hold the same numbers to the bit, and any of them can save or publish.
Batch norm itself looks at its own rank's share of a batch: that alone sets n ranks apart from one with the whole batch.
"""

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from selfplay.config import ConfigError, LearnerConfig

__all__ = ["Group", "GroupError", "free_address", "share_of"]


class GroupError(RuntimeError):
    """The group of learners cannot go on: one of them has gone or does not answer. All have to begin again."""


class Group:
    """This process's membership in a group of learners; a process belongs to one group at a time.

    Every rank must call the same methods in the same order with tensors of the same shapes, on ``device``. A call that
    finds another rank gone raises GroupError at once, one that waits for a rank that is stuck after ``timeout``.
    """

    def __init__(self, rank: int, size: int, address: str, device: torch.device, timeout: float = 60.0) -> None:
        """Meet the others; returns when all are there.

        Args:
            rank: this process's number, from 0 to size - 1; rank 0 listens at the address.
            address: host:port, which all ranks can reach; see ``free_address``.
            device: where the tensors lie: gloo connects CPUs, NCCL the GPUs, one a rank.
            timeout: seconds that any call may wait.

        Raises:
            GroupError: not all came within the timeout, or the address cannot be used.
        """
        self.rank, self.size = rank, size
        self._flat: Tensor | None = None
        if device.type == "cuda":
            os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # else a late rank ends the process, not the call
        try:
            dist.init_process_group(
                "nccl" if device.type == "cuda" else "gloo",
                init_method=f"tcp://{address}",
                rank=rank,
                world_size=size,
                timeout=timedelta(seconds=timeout),
            )
        except (RuntimeError, ValueError) as error:
            raise GroupError(f"learner {rank} of {size} cannot meet the others at {address}: {_line(error)}") from error

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors with those of rank 0."""
        try:
            for tensor in tensors:
                whole = tensor.detach().contiguous()  # what is sent lies in one piece
                dist.broadcast(whole, 0)
                tensor.detach().copy_(whole)
        except RuntimeError as error:
            raise self._gone(error) from error

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace the floating-point tensors, all of one dtype, by their mean over the ranks, in one exchange."""
        parts = [tensor.detach().reshape(-1) for tensor in tensors]
        if self._flat is None or len(self._flat) != sum(map(len, parts)):
            self._flat = torch.cat(parts)
        else:
            torch.cat(parts, out=self._flat)
        try:
            dist.all_reduce(self._flat)
        except RuntimeError as error:
            raise self._gone(error) from error
        self._flat /= self.size
        means = torch.split(self._flat, [len(part) for part in parts])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.detach().copy_(mean.view(tensor.shape))

    def leave(self) -> None:
        """Leave; the others' next call raises GroupError."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def _gone(self, error: Exception) -> GroupError:
        return GroupError(f"learner {self.rank} of {self.size} has lost touch with another one: {_line(error)}")


def share_of(config: LearnerConfig, size: int) -> LearnerConfig:
    """The settings of one of ``size`` ranks, which draws that part of each batch; for its window.

    Raises:
        ConfigError: the batch cannot be shared out evenly, or too little is left for batch norm.
    """
    if config.batch_size % size or config.batch_size < 2 * size:
        raise ConfigError(
            f"learner.batch_size = {config.batch_size} cannot be shared by {size} learners; "
            f"choose a multiple of {size}, {2 * size} at least"
        )
    return replace(config, batch_size=config.batch_size // size)


def free_address(host: str = "127.0.0.1") -> str:
    """An address of this machine, host:port, with a port that was free just now: for rank 0."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def _line(error: Exception) -> str:
    """What a message says, without the place in C++ that it names first and the advice and calls behind it."""
    return re.sub(r"^\[[^\]]*\] ", "", str(error).strip().partition("\n")[0]).partition(". This is")[0]
