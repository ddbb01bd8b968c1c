"""Packed planes: every unpacker against a few lines of plain Python."""

import numpy as np
import pytest
import torch

from games import chess
from rlcore.jit import Array
from rlcore.planes import PlaneLayout, TorchUnpacker, as_images, plane_values, unpack_planes


def layout_with(
    history: int, rows: int, cols: int, step_boards: int, step_counts: int, leaf_counts: int
) -> PlaneLayout:
    scales = np.linspace(0.01, 1.3, step_counts + leaf_counts, dtype=np.float32)
    return PlaneLayout(history, step_boards, -(-rows * cols // 64), step_counts, leaf_counts, rows, cols, scales)


LAYOUTS = {
    "chess": PlaneLayout.of(chess, 1),
    "chess with history": PlaneLayout.of(chess, 8),
    "81 squares in two words": layout_with(2, 9, 9, 28, 17, 2),
    "no counts": layout_with(3, 6, 7, 2, 0, 0),
    "board of one word, leaf counts only": layout_with(1, 3, 3, 2, 0, 9),
}


def random_words(layout: PlaneLayout, rows: int) -> Array:
    """Every bit random: also those beyond the board and beyond the last count, which mean nothing."""
    generator = np.random.default_rng(7)
    return generator.integers(0, 2**64, (rows, layout.num_words), dtype=np.uint64)


def by_definition(words: Array, layout: PlaneLayout) -> Array:
    """[B, C, rows, cols] float32, from the description at the top of planes.py."""

    def count(position: list[int], word: int, i: int) -> int:
        return position[word + i // 8] >> 8 * (i % 8) & 255

    images = []
    for position in words.tolist():
        planes, word = [], 0
        for _ in range(layout.history):
            for _ in range(layout.step_boards):
                board = sum(position[word + part] << 64 * part for part in range(layout.board_words))
                planes.append([np.float32(board >> square & 1) for square in range(layout.squares)])
                word += layout.board_words
            counts = [count(position, word, i) * layout.scales[i] for i in range(layout.step_counts)]
            planes += [[value] * layout.squares for value in counts]
            word += -(-layout.step_counts // 8)
        leaf = layout.scales[layout.step_counts :]
        planes += [[count(position, word, i) * leaf[i]] * layout.squares for i in range(layout.leaf_counts)]
        images.append(planes)
    return np.array(images, np.float32).reshape(len(words), layout.num_planes, layout.rows, layout.cols)


def unpacked(words: Array, layout: PlaneLayout, dtype: type[np.generic]) -> Array:
    out = np.full((len(words), layout.squares, layout.num_planes), 77, dtype)
    unpack_planes(words, len(words), layout, plane_values(layout, dtype), out)
    return as_images(out, layout)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_unpacker_writes_what_the_definition_says(name: str) -> None:
    layout = LAYOUTS[name]
    words = random_words(layout, 5)
    expected = by_definition(words, layout)
    assert np.array_equal(unpacked(words, layout, np.float32), expected)
    half = torch.from_numpy(unpacked(words, layout, np.uint16)).view(torch.bfloat16)
    assert torch.equal(half, torch.from_numpy(expected).bfloat16())
    for dtype in (torch.float32, torch.bfloat16):
        planes = TorchUnpacker(layout, "cpu", dtype)(torch.from_numpy(words.view(np.int64)))
        assert torch.equal(planes, torch.from_numpy(expected).to(dtype))
        assert planes.is_contiguous(memory_format=torch.channels_last)


def test_chess_layout_has_alphazeros_119_planes() -> None:
    """8 * 14 + 7 (AlphaZero, table S1), in under 1 kB a position."""
    assert LAYOUTS["chess with history"].num_planes == 119
    assert LAYOUTS["chess with history"].num_words == 8 * 13 + 1
    assert LAYOUTS["chess"].num_planes == 21


def test_rows_beyond_size_are_left_alone() -> None:
    layout = LAYOUTS["chess"]
    words = random_words(layout, 4)
    out = np.full((4, 64, 21), 7.0, np.float32)
    unpack_planes(words, 2, layout, plane_values(layout), out)
    assert (out[2:] == 7.0).all()
    assert not (out[:2] == 7.0).any()


def test_images_are_channels_last_without_a_copy() -> None:
    layout = LAYOUTS["81 squares in two words"]
    out = np.zeros((3, layout.squares, layout.num_planes), np.float32)
    images = torch.from_numpy(as_images(out, layout))
    assert images.shape == (3, layout.num_planes, 9, 9)
    assert images.is_contiguous(memory_format=torch.channels_last)
    out[1, 9 * 2 + 5, 4] = 1.0
    assert images[1, 4, 2, 5] == 1.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="history is 0"):
        PlaneLayout.of(chess, 0)
    with pytest.raises(ValueError, match="float64"):
        plane_values(LAYOUTS["chess"], np.float64)
