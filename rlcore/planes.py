"""Packed planes: a position as the network sees it, a bit a square, and the kernels that unpack them.

A position is a row of uint64 words, as the game's ``pack`` wrote them:

    each history step, newest first   step_boards boards of board_words words: square s is bit s % 64 of word s // 64
                                      ceil(step_counts / 8) words: count i is byte i % 8 of word i // 8, lowest first
    of the newest position alone      ceil(leaf_counts / 8) words of counts

Unpacked it is an image of ``num_planes`` planes in the same order: a board is 0 or 1 a square, a count fills its plane
with count * scale. Images are channels-last, [B, rows * cols, C]: the order convolutions run fastest in, and sparse, so
that unpacking clears a row and sets the few bits that are there.
"""

from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from rlcore.bits import ONE, ZERO, lowest
from rlcore.jit import Array, njit

if TYPE_CHECKING:  # torch takes seconds to load, and only GPU code comes here with it
    import torch

__all__ = ["PlaneLayout", "TorchUnpacker", "as_images", "plane_values", "unpack_planes"]

_BYTE = np.uint64(255)


class PlaneLayout(NamedTuple):
    """Where each plane of a game lies in its packed words."""

    history: int
    """History steps T, the newest position included."""
    step_boards: int
    """Boards a step."""
    board_words: int
    """Words a board, ceil(rows * cols / 64)."""
    step_counts: int
    """Counts a step."""
    leaf_counts: int
    """Counts of the newest position alone."""
    rows: int
    """Rows of the board, H."""
    cols: int
    """Columns of the board, W."""
    scales: Array
    """[step_counts + leaf_counts] float32: what one unit of a count is worth in its plane."""

    @classmethod
    def of(cls, game: Any, history: int) -> Self:
        """The layout of a game module with ``history`` steps. Raises ValueError where history is below 1."""
        if history < 1:
            raise ValueError(f"history is {history}; it must be at least 1 (the position itself)")
        scales = np.array(game.COUNT_SCALES, np.float32)
        if len(scales) != game.STEP_COUNTS + game.LEAF_COUNTS:
            raise ValueError(f"COUNT_SCALES has {len(scales)} entries, one is needed for each step and leaf count")
        rows, cols = game.BOARD
        return cls(history, game.STEP_BOARDS, game.BOARD_WORDS, game.STEP_COUNTS, game.LEAF_COUNTS, rows, cols, scales)

    @property
    def squares(self) -> int:
        """H * W."""
        return self.rows * self.cols

    @property
    def step_words(self) -> int:
        """Words of one history step."""
        return self.step_boards * self.board_words + (self.step_counts + 7) // 8

    @property
    def num_words(self) -> int:
        """Words of a packed position."""
        return self.history * self.step_words + (self.leaf_counts + 7) // 8

    @property
    def num_planes(self) -> int:
        """Planes C of an unpacked position."""
        return self.history * (self.step_boards + self.step_counts) + self.leaf_counts


def plane_values(layout: PlaneLayout, dtype: type[np.generic] = np.float32) -> Array:
    """What a byte is worth in a plane, [1 + counts, 256]: row 0 for boards, then a row for each count.

    Args:
        dtype: np.float32, or np.uint16 for the bit patterns of bfloat16, rounded to nearest even. It decides what
            ``unpack_planes`` writes.
    """
    table = np.zeros((1 + len(layout.scales), 256), np.float32)
    table[0, 1] = 1.0
    table[1:] = np.arange(256, dtype=np.float32) * layout.scales[:, None].astype(np.float32)
    if dtype is np.float32:
        return table
    if dtype is np.uint16:
        bits = table.view(np.uint32)
        return ((bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
    raise ValueError(f"planes are float32, or bfloat16 as uint16, not {np.dtype(dtype)}")


@njit
def unpack_planes(words: Array, size: int, layout: PlaneLayout, values: Array, out: Array) -> None:
    """Unpack the first ``size`` positions of ``words`` into ``out``, modified in place; later rows stay as they are.

    Args:
        words: [B, num_words] uint64.
        values: ``plane_values(layout, dtype)``.
        out: [B, rows * cols, num_planes] of the same dtype, C-contiguous.
    """
    one, squares = values[0, 1], np.uint64(layout.rows * layout.cols)
    for row in range(size):
        out[row].reshape(-1)[:] = values[0, 0]  # one line of memory: half the time of clearing [squares, planes]
        word, plane = 0, 0
        for _ in range(layout.history):
            for _ in range(layout.step_boards):
                for part in range(layout.board_words):
                    bits, first = words[row, word], np.uint64(64 * part)
                    while bits != ZERO:
                        square = first + lowest(bits)
                        if square < squares:  # a stray bit must not write outside the board
                            out[row, square, plane] = one
                        bits &= bits - ONE
                    word += 1
                plane += 1
            _fill_counts(words[row, word:], layout.step_counts, values[1:], out[row, :, plane:])
            word += (layout.step_counts + 7) // 8
            plane += layout.step_counts
        _fill_counts(words[row, word:], layout.leaf_counts, values[1 + layout.step_counts :], out[row, :, plane:])


@njit
def _fill_counts(words: Array, counts: int, values: Array, out: Array) -> None:
    """Fill plane i of ``out`` ([squares, planes], cleared) with what byte i of ``words`` is worth."""
    for i in range(counts):
        byte = (words[i >> 3] >> np.uint64(8 * (i & 7))) & _BYTE
        if byte != ZERO:
            out[:, i] = values[i, byte]


def as_images(out: Array, layout: PlaneLayout) -> Array:
    """The unpacked array [B, rows * cols, C] seen as [B, C, rows, cols]: no copy, channels-last for torch."""
    return out.reshape(-1, layout.rows, layout.cols, layout.num_planes).transpose(0, 3, 1, 2)


class TorchUnpacker:
    """The kernel's twin in torch: unpacks on a GPU what came there packed, a 32nd of the bytes.

    A plane's value on a square is ((byte >> shift) & mask) * scale; which byte, and the rest, is laid out once.
    On a CPU this is ten times as slow as ``unpack_planes``.
    """

    def __init__(self, layout: PlaneLayout, device: "torch.device | str", dtype: "torch.dtype") -> None:
        import torch

        self.layout, self.dtype = layout, dtype
        byte, shift, mask = _places(layout)
        self._byte = torch.from_numpy(byte.ravel()).to(device)
        self._shift, self._mask = torch.from_numpy(shift).to(device), torch.from_numpy(mask).to(device)
        boards = np.ones(layout.step_boards, np.float32)
        step, leaf = layout.scales[: layout.step_counts], layout.scales[layout.step_counts :]
        scales = np.concatenate([boards, step] * layout.history + [leaf])
        self._scale = torch.from_numpy(scales).to(device)

    def __call__(self, words: "torch.Tensor") -> "torch.Tensor":
        """Words [B, num_words] int64 (the bits of uint64) to planes [B, C, rows, cols], channels-last in memory."""
        import torch

        layout = self.layout
        packed = words.contiguous().view(torch.uint8).index_select(1, self._byte)
        packed = packed.view(-1, layout.squares, layout.num_planes)
        planes = (packed.bitwise_right_shift(self._shift) & self._mask).float().mul_(self._scale).to(self.dtype)
        return planes.view(-1, layout.rows, layout.cols, layout.num_planes).permute(0, 3, 1, 2)


def _places(layout: PlaneLayout) -> tuple[Array, Array, Array]:
    """Where a plane's value on a square lies, [squares, C] each: byte of the words int64, shift and mask uint8."""
    square = np.arange(layout.squares)[:, None]
    boards = 8 * layout.board_words * np.arange(layout.step_boards) + square // 8
    counts = 8 * layout.board_words * layout.step_boards + np.arange(layout.step_counts) + 0 * square
    step = np.concatenate([boards, counts], axis=1)
    leaf = 8 * layout.step_words * layout.history + np.arange(layout.leaf_counts) + 0 * square
    byte = np.concatenate([step + 8 * layout.step_words * t for t in range(layout.history)] + [leaf], axis=1)
    is_board = np.array(
        ([True] * layout.step_boards + [False] * layout.step_counts) * layout.history + [False] * layout.leaf_counts
    )
    shift, mask = np.where(is_board, square % 8, 0), np.where(is_board, 1, 255) + 0 * square
    return byte, shift.astype(np.uint8), mask.astype(np.uint8)
