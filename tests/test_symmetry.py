"""Mirrored positions: the kernel on boards of one and two words, and the window's batches."""

import numpy as np
import pytest

import games
from rlcore.planes import PlaneLayout, plane_values, unpack_planes
from rlcore.symmetry import mirror, symmetries_of
from selfplay.config import LearnerConfig
from selfplay.record import RecordBuilder
from selfplay.window import Window


@pytest.mark.nojit
@pytest.mark.parametrize("board", [(3, 5), (9, 9)])
def test_squares_and_actions_move_and_counts_stay(board):
    """On unpacked planes a mirrored board is the image with its columns in reverse order."""
    rows, columns = board
    squares = np.arange(rows * columns).reshape(board)
    symmetries = symmetries_of([(squares, range(7)), (squares[:, ::-1], [6, 5, 4, 3, 2, 1, 0])])
    words_a_board = (rows * columns + 63) // 64
    layout = PlaneLayout(2, 3, words_a_board, 9, 1, rows, columns, np.ones(10, np.float32))
    generator = np.random.default_rng(1)
    words = generator.integers(0, 2**64, (4, layout.num_words), np.uint64)
    for step in range(2):  # no bit beyond the board
        for plane in range(3):
            last = step * layout.step_words + plane * words_a_board + words_a_board - 1
            words[:, last] &= np.uint64((1 << (rows * columns - 64 * (words_a_board - 1))) - 1)
    actions = generator.integers(0, 7, (4, 7)).astype(np.uint16)
    before, old_actions = planes(words, layout), actions.copy()
    counts, chosen = np.array([7, 5, 0, 7], np.int32), np.array([1, 1, 1, 0])
    mirror(words, actions, counts, chosen, symmetries, layout, np.zeros(words_a_board, np.uint64))
    after = planes(words, layout)
    assert np.array_equal(after[:3], before[:3, :, ::-1])
    assert np.array_equal(after[3], before[3])
    assert actions[0].tolist() == (6 - old_actions[0]).tolist()
    assert actions[1].tolist() == [*(6 - old_actions[1, :5]), *old_actions[1, 5:]], "beyond the count they stay"
    assert np.array_equal(actions[2:], old_actions[2:])


def planes(words, layout):
    out = np.zeros((len(words), layout.squares, layout.num_planes), np.float32)
    unpack_planes(words, len(words), layout, plane_values(layout), out)
    return out.reshape(len(words), layout.rows, layout.cols, layout.num_planes)


def window_of(game, augment, moves, policy):
    """A window with one game, of which the last position is trained on."""
    window = Window(game, LearnerConfig(batch_size=64, augment=augment), 1, 50)
    state, builder = np.zeros(1, game.STATE)[0], RecordBuilder(0, 0, 0)
    game.init(state, 0)
    for move in moves:
        builder.add(game.from_text(state, move))
        game.apply(state, np.uint16(builder.actions[-1]))
    actions = [game.from_text(state, move) for move in policy]
    builder.add(actions[0], actions, list(policy.values()), (0.5, 0.25, 0.25), 4, True)
    window.add([builder.finish(0.0, int(game.Ending.MAX_PLIES), 0)])
    return window


def seen(samples):
    """Each distinct sample: packed words, and the weights of actions, by action."""
    batch, found = samples.batch, {}
    for words, actions, count, weights in zip(batch.words, batch.actions, batch.counts, samples.policy, strict=True):
        policy = {int(a): round(float(w), 2) for a, w in zip(actions[:count], weights, strict=False) if w > 0}
        found[tuple(words.tolist())] = policy
    return found


def test_the_window_shows_a_position_and_its_mirror_image():
    game = games.load("connect_four")
    plain = seen(window_of(game, False, "445", {"1": 0.25, "4": 0.75}).sample(np.random.default_rng(0)))
    both = seen(window_of(game, True, "445", {"1": 0.25, "4": 0.75}).sample(np.random.default_rng(0)))
    opponent, own = 1 << 3 | 1 << 4, 1 << 10
    assert plain == {(own, opponent, 1): {0: 0.25, 3: 0.75}}
    assert both == {**plain, (own, 1 << 3 | 1 << 2, 1): {6: 0.25, 3: 0.75}}


def test_the_window_shows_a_square_from_all_sides():
    game = games.load("tic_tac_toe")
    window = window_of(game, True, ["a1", "b1"], {"a2": 1.0})
    found = seen(window.sample(np.random.default_rng(0)))
    assert len(found) == 8
    assert {next(iter(policy)) for policy in found.values()} == {1, 3, 5, 7}
    for words, policy in found.items():
        (x, o, turn), ((answer, weight),) = words, policy.items()
        assert (weight, turn) == (1.0, 0)
        assert x in (1 << 0, 1 << 2, 1 << 6, 1 << 8)
        assert o | 1 << answer in (1 << 1 | 1 << 3, 1 << 1 | 1 << 5, 1 << 3 | 1 << 7, 1 << 5 | 1 << 7)


def test_a_game_without_symmetries_is_sampled_as_ever():
    """Not even a random number more is drawn: runs of chess go on as they were."""
    game = games.load("chess")
    generators = [np.random.default_rng(3), np.random.default_rng(3)]
    for augment, generator in zip((False, True), generators, strict=True):
        window_of(game, augment, ["e2e4"], {"e7e5": 1.0}).sample(generator)
    assert generators[0].integers(2**62) == generators[1].integers(2**62)
