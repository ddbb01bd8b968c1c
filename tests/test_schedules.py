"""Schedules by hand."""

import pytest

from rlcore.schedules import ALPHAZERO_DECAY_STEPS, cosine, learning_rate, linear


def test_alphazero_rates() -> None:
    steps = (0, 99_999, 100_000, 299_999, 300_000, 500_000, 699_999)
    rates = [learning_rate(step, 0.2, decay_steps=ALPHAZERO_DECAY_STEPS) for step in steps]
    assert rates == pytest.approx([0.2, 0.2, 0.02, 0.02, 0.002, 0.0002, 0.0002])


def test_warm_up_rises_in_a_line_and_the_first_step_moves() -> None:
    assert [learning_rate(step, 1.0, warmup_steps=4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_decay_inside_warm_up_applies_to_both() -> None:
    assert learning_rate(1, 1.0, warmup_steps=4, decay_steps=(1,), decay_factor=0.5) == 0.25


def test_cosine_warms_up_peaks_halves_and_ends() -> None:
    rates = [cosine(step, 1.0, 10, 110, final=0.1) for step in (4, 10, 60, 110, 1000)]
    assert rates == pytest.approx([0.5, 1.0, 0.55, 0.1, 0.1])


def test_linear_is_flat_outside() -> None:
    assert [linear(step, 1.0, 0.2, 4) for step in (-1, 0, 1, 4, 9)] == pytest.approx([1.0, 1.0, 0.8, 0.2, 0.2])
    assert linear(0, 1.0, 0.2, 0) == 0.2
