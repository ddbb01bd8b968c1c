"""Glimpse: digits that are split once, canvases that are drawn alike for whoever asks, and the environments."""

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from games import glimpse
from games.glimpse.canvases import draw, fixed_set
from games.glimpse.digits import SPLITS, digits
from games.glimpse.env import IDS, GlimpseEnv, GlimpseVectorEnv
from games.glimpse.views import Glimpses
from rlcore.rng import seed_of
from tests.gym_help import rollout, same

ALL = np.ones(1, bool)

# --- digits ----------------------------------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn() -> None:
    """The file is that of version 1.9.1 to the byte; read, the images have the counts that its documentation gives."""
    file = Path(glimpse.__file__).resolve().parent.parent / "data" / "digits.csv.gz"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == (
        "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
    )
    found = [digits(split) for split in SPLITS]
    labels = np.concatenate([one.labels for one in found])
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images = np.concatenate([one.images for one in found])
    first = images[np.concatenate([one.numbers for one in found]).argmin()]
    assert first[:2].tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert (images.dtype, int(images.max()), int(images.sum())) == (np.uint8, 16, 561718)


def test_no_image_is_in_two_splits_and_each_split_has_its_share_of_every_digit() -> None:
    """Neither by number nor, as two may look alike, by its pixels; and the split never changes."""
    splits = [digits(split) for split in SPLITS]
    numbers = np.concatenate([one.numbers for one in splits])
    assert sorted(numbers.tolist()) == list(range(1797))
    pixels = [{image.tobytes() for image in one.images} for one in splits]
    assert sum(map(len, pixels)) == len(set.union(*pixels))
    whole = np.bincount(np.concatenate([one.labels for one in splits]))
    for one, share in zip(splits, (0.6, 0.2, 0.2), strict=True):
        assert np.abs(np.bincount(one.labels) - share * whole).max() <= 1
    assert [len(one.labels) for one in splits] == [1078, 360, 359]
    assert hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()[:16] == "62c0c1e5006a9cd5"


# --- canvases --------------------------------------------------------------------------------------------------------


@pytest.mark.nojit
def test_a_digit_lies_whole_on_its_canvas_at_every_place_there_is() -> None:
    images, places = digits("train").images, set()
    rng, canvas = np.array([seed_of(1)]), np.zeros((11, 10), np.uint8)
    for k in range(100):
        draw(images, k, 0, 3, rng, 0, canvas)
        found = [
            (row, column)
            for row in range(4)
            for column in range(3)
            if np.array_equal(canvas[row : row + 8, column : column + 8], images[k])
        ]
        assert canvas.sum() == images[k].sum()
        places |= set(found)
    assert places == {(row, column) for row in range(4) for column in range(3)}


@pytest.mark.nojit
def test_clutter_is_pieces_of_other_images_of_the_same_split_and_the_brighter_is_seen() -> None:
    """The one other image is all 9, the digit all 5: nine pixels a piece, over the digit or beside it."""
    images = np.full((2, 8, 8), 5, np.uint8)
    images[1] = 9
    rng, canvas = np.array([seed_of(2)]), np.zeros((18, 18), np.uint8)
    for _ in range(20):
        draw(images, 0, 4, 3, rng, 0, canvas)
        assert 9 < (canvas == 9).sum() <= 36
        assert (canvas >= 5).sum() >= 64
        assert set(np.unique(canvas)) == {0, 5, 9}
        draw(images, 1, 4, 3, rng, 0, canvas)
        assert (canvas == 9).sum() == 64, "pieces of 5 do not dim a 9, nor is a piece cut from the digit itself"
        assert (canvas == 5).sum() <= 36


def test_the_canvases_to_measure_with_are_the_same_for_everyone_and_in_the_environments() -> None:
    canvases, labels = fixed_set("test")
    assert canvases.shape == (359 * 5, 18, 18)
    assert hashlib.sha256(canvases.tobytes()).hexdigest()[:16] == "dfdb9083426b87c1"
    assert labels[::5].tolist() == digits("test").labels.tolist()
    assert len({canvas.tobytes() for canvas in canvases}) == len(canvases)
    for seed in (1, 2):
        episodes = Glimpses(40, split="test")
        episodes.seed(range(seed, seed + 40))
        episodes.begin(np.ones(40, bool))
        assert np.array_equal(episodes.canvases, canvases[episodes.which])
        assert np.array_equal(episodes.labels, labels[episodes.which])
    episodes.begin_with(np.arange(7, 47), np.ones(40, bool))
    assert np.array_equal(episodes.canvases, canvases[7:47])


def test_training_draws_every_canvas_anew() -> None:
    episodes = Glimpses(500)
    episodes.seed(range(500))
    drawn = set()
    for _ in range(4):
        episodes.begin_with(np.zeros(500, int), np.ones(500, bool))
        drawn |= {canvas.tobytes() for canvas in episodes.canvases}
        assert set(episodes.labels.tolist()) == {int(digits("train").labels[0])}
    assert len(drawn) > 1990, "one image, two thousand canvases"


# --- the task --------------------------------------------------------------------------------------------------------


@pytest.mark.nojit
def test_an_eye_that_moves_in_steps_answers_when_it_will() -> None:
    """The right answer is worth 1, a wrong one 0, and whoever only looks about gets nothing after his last glimpse."""
    for right in (True, False):
        episodes = Glimpses(1, free_eye=False, glimpses=3)
        episodes.seed([5])
        episodes.begin(ALL)
        label = int(episodes.labels[0])
        episodes.step(np.array([1]), ALL)
        assert (episodes.terminated[0], episodes.rewards[0]) == (False, 0.0)
        episodes.step(np.array([4 + (label if right else (label + 1) % 10)]), ALL)
        assert (episodes.terminated[0], episodes.rewards[0]) == (True, float(right))
    episodes.begin(ALL)
    ends = []
    for _ in range(3):
        episodes.step(np.array([2]), ALL)
        ends.append((bool(episodes.terminated[0]), float(episodes.rewards[0])))
    assert ends == [(False, 0.0), (False, 0.0), (True, 0.0)]


@pytest.mark.nojit
def test_of_a_free_eye_the_last_answer_counts_and_the_last_location_does_not() -> None:
    episodes = Glimpses(1, glimpses=3)
    episodes.seed([6])
    for right in (True, False):
        episodes.begin(ALL)
        label = int(episodes.labels[0])
        for k, place in enumerate(([0.5, -0.5], [1.0, 0.25], [-1.0, -1.0])):
            answer = label if right == (k == 2) else (label + 1) % 10
            episodes.step((np.array([answer]), np.array([place], np.float32)), ALL)
            assert (episodes.terminated[0], episodes.rewards[0]) == (k == 2, float(right and k == 2))
        assert episodes.observations[0, -2:].tolist() == [1.0, 0.25]


def test_the_eye_sees_the_canvas_in_shares_of_the_brightest() -> None:
    """A canvas of 8 pixels is the bare image, and a patch of 8 from its middle shows all of it."""
    episodes = Glimpses(3, side=8, pieces=0, size=8)
    episodes.seed(range(3))
    episodes.begin(np.ones(3, bool))
    episodes.step((np.zeros(3, int), np.zeros((3, 2), np.float32)), np.ones(3, bool))
    images = digits("train").images[episodes.which]
    assert np.array_equal(episodes.observations[:, :64].reshape(3, 8, 8), (images / 16).astype(np.float32))


# --- environments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_finds_nothing_wrong(name) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize(("name", "split"), [(name, split) for name in IDS for split in ("train", "test")])
def test_many_are_as_many_single_ones_in_every_autoreset_mode_and_go_on_bit_for_bit(name, split, mode) -> None:
    """Observations, rewards, flags and infos, key by key; and from a state kept halfway, in other environments."""
    make = [lambda: gymnasium.make(name, glimpses=3, split=split).unwrapped] * 4
    ours = gymnasium.make_vec(name, 4, glimpses=3, split=split, autoreset_mode=mode)
    ours.action_space.seed(1)
    actions = [ours.action_space.sample() for _ in range(20)]
    theirs = rollout(SyncVectorEnv(make, autoreset_mode=mode), actions)
    first = rollout(ours, actions[:9])
    kept = ours.get_state()
    second = rollout(ours, actions[9:], seed=None)
    assert same(first + second, theirs)
    other = gymnasium.make_vec(name, 4, glimpses=3, split=split, autoreset_mode=mode)
    other.set_state(kept)
    assert same(rollout(other, actions[9:], seed=None), second)


def test_what_is_asked_wrongly_is_one_clear_line() -> None:
    late = GlimpseVectorEnv(2, split="test")
    late.reset(seed=1)
    late.episodes.begin_with(np.full(2, 1200), np.ones(2, bool))
    for make, message in (
        (lambda: GlimpseEnv(side=7), "there are no 6 glimpses of a canvas of 7 pixels with 4 pieces of 3: a glimpse"),
        (lambda: GlimpseEnv(piece=9), "a piece has 1 to 8 pixels"),
        (lambda: GlimpseEnv(split="all"), "there is no split 'all'; there are train, validation, test"),
        (lambda: GlimpseVectorEnv(0), "there are no 0 environments"),
        (lambda: GlimpseVectorEnv(2).set_state(late.get_state()), "of another split: this one has 1078 canvases"),
        (lambda: GlimpseEnv().step((10, [0, 0])), "actions must be 1 whole numbers from 0 to 9"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_kernels_and_their_episodes_need_no_gymnasium() -> None:
    """A GPU machine without it trains on them."""
    program = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "import games.catch.views, games.glimpse.views, games.glimpse.canvases, games.pictures"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
