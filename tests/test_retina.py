"""The retina: one pixel is found where it should be, at corners and beyond the border, whatever the size of a patch."""

import numpy as np
import pytest

from rlcore.retina import centre, corner, look, move, patches

pytestmark = pytest.mark.nojit


def seen(canvas: np.ndarray, x: float, y: float, size: int, scales: int = 1) -> np.ndarray:
    """[scales, size, size]: what an eye sees, told in float32, as observations and networks do."""
    out = np.full(scales * size * size, np.nan, np.float32)
    place = np.array([x, y], np.float32)
    look(canvas, place[0], place[1], size, scales, 1.0, out)
    return out.reshape(scales, size, size)


def single(row: int, column: int, height: int = 5, width: int = 7) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    canvas[row, column] = 1
    return canvas


@pytest.mark.parametrize("size", [1, 3])
def test_a_pixel_is_in_the_middle_of_what_is_seen_when_looked_at(size) -> None:
    """Every pixel of a canvas that is wider than high: x is the column and y the row, and not the other way."""
    for row in range(5):
        for column in range(7):
            found = seen(single(row, column), centre(column, 7), centre(row, 5), size)
            assert np.argwhere(found[0]).tolist() == [[size // 2, size // 2]]


def test_a_corner_is_seen_from_the_corner_with_nothing_beyond_the_border() -> None:
    """From (-1, -1), the outer edge of the first pixel, a patch of 4 has the canvas in its last quarter."""
    whole = np.ones((5, 7), np.uint8)
    for x, y, rows, columns in ((-1, -1, (2, 4), (2, 4)), (1, -1, (2, 4), (0, 2)), (1, 1, (0, 2), (0, 2))):
        expected = np.zeros((4, 4))
        expected[slice(*rows), slice(*columns)] = 1
        assert seen(whole, x, y, 4)[0].tolist() == expected.tolist()
    assert np.argwhere(seen(single(0, 0), -1, -1, 4)[0]).tolist() == [[2, 2]]
    assert np.argwhere(seen(single(4, 6), 1, 1, 4)[0]).tolist() == [[1, 1]]
    assert np.argwhere(seen(single(0, 6), 1, -1, 4)[0]).tolist() == [[2, 1]]
    assert np.argwhere(seen(single(0, 0), centre(0, 7), centre(0, 5), 3)[0]).tolist() == [[1, 1]]


def test_patches_are_twice_as_wide_each_and_averaged() -> None:
    """By hand, 8 x 8, from the middle: the inner 2 x 2, 4 x 4 in cells of 2 x 2, all of it in cells of 4 x 4."""
    canvas = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert seen(canvas, 0, 0, 2, 3).tolist() == [
        [[27, 28], [35, 36]],
        [[22.5, 24.5], [38.5, 40.5]],
        [[13.5, 17.5], [45.5, 49.5]],
    ]
    beyond = seen(np.full((2, 2), 8, np.uint8), 0, 0, 2, 2)
    assert beyond.tolist() == [[[8, 8], [8, 8]], [[2, 2], [2, 2]]], "what is outside counts as 0"


def test_what_is_seen_is_what_the_patches_say() -> None:
    """Each patch cut out of a canvas with a wide border by plain slices, from random places."""
    rng = np.random.default_rng(1)
    canvas = rng.integers(0, 255, (11, 14), np.uint8)
    wide = np.pad(canvas, 40)
    for x, y in rng.uniform(-1, 1, (20, 2)):
        for size, scales in ((3, 3), (4, 2)):
            found = seen(canvas, x, y, size, scales)
            for scale, (top, left, side) in enumerate(patches(np.float32([x, y]), size, scales, 11, 14)):
                assert abs(left + side / 2 - (x + 1) / 2 * 14) <= 0.501
                assert abs(top + side / 2 - (y + 1) / 2 * 11) <= 0.501
                patch = wide[top + 40 :, left + 40 :][:side, :side].reshape(size, side // size, size, side // size)
                assert found[scale] == pytest.approx(patch.mean((1, 3)), rel=1e-5)


def test_where_a_patch_begins_is_not_a_matter_of_rounding() -> None:
    """Half-way cases, right and down, in float32 as in float64: an even patch round each pixel of many widths."""
    for n in range(3, 40):
        for j in range(n):
            for kind in (np.float32, np.float64):
                assert corner(kind(centre(j, n)), n, 4) == j - 1
                assert corner(kind(2 * j / n - 1), n, 3) == j - 1


def test_an_eye_moves_by_pixels_and_stops_at_the_border() -> None:
    place = np.zeros(2, np.float32)
    for direction, expected in ((0, (0, -0.8)), (1, (0.4, -0.8)), (0, (0.4, -1)), (2, (0.4, -0.2)), (3, (0, -0.2))):
        move(place, direction, 2.0, 5, 10)
        assert place.tolist() == pytest.approx(expected, abs=1e-6)
    move(place, 4, 2.0, 5, 10)
    assert place.tolist() == pytest.approx((0, -0.2), abs=1e-6)
