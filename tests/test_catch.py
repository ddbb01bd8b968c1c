"""Catch: a ball's way by hand, every ball caught by whoever knows its angle, and the environments."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from games.catch import rules
from games.catch.env import IDS, CatchEnv, CatchVectorEnv
from games.catch.views import FullCatch
from tests.gym_help import rollout, same


def placed(column: float, slope: float, paddle: int) -> rules.Games:
    games = rules.empty(1)
    games.column[0], games.slope[0], games.paddle[0] = column, slope, paddle
    return games


def way(games: rules.Games, moves: list[int], height: int, width: int) -> list[tuple]:
    """Row, pixel and paddle after each step, until the game is over."""
    found = []
    for move in moves:
        over = rules.step(games, 0, move, height, width)
        found.append((int(games.row[0]), int(rules.pixel(games.column[0])), int(games.paddle[0])))
        if over:
            break
    return found


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.nojit
def test_a_ball_falls_a_row_a_step_and_the_nearest_column_shows_it() -> None:
    """2, 2.4, 2.8, 3.2, 3.6: seen in columns 2, 3, 3 and 4; the paddle walks and stops at the wall."""
    games = placed(2.0, 0.4, 1)
    assert way(games, [rules.LEFT, rules.LEFT, rules.RIGHT, rules.STAY, rules.STAY], 5, 6) == [
        (1, 2, 0), (2, 3, 0), (3, 3, 1), (4, 4, 1),
    ]  # fmt: skip
    assert not rules.caught(games, 0)


@pytest.mark.nojit
def test_walls_reflect_the_ball_at_the_middle_of_the_outermost_columns() -> None:
    """To the left 0.75 a step: 1, 0.25, then -0.5 is 0.5, 1.25; to the right 3.5, then 4.25 of 4 is 3.75, 3.0."""
    left, right = placed(1.0, -0.75, 0), placed(2.75, 0.75, 3)
    columns = [[], []]
    for _ in range(3):
        for games, found in zip((left, right), columns, strict=True):
            rules.step(games, 0, rules.STAY, 9, 5)
            found.append(float(games.column[0]))
    assert columns == [[0.25, 0.5, 1.25], [3.5, 3.75, 3.0]]
    assert (float(left.slope[0]), float(right.slope[0])) == (0.75, -0.75)
    for steep in (1.0, -1.0):  # at 45 degrees from the wall itself
        games = placed(4.0 if steep > 0 else 0.0, steep, 0)
        rules.step(games, 0, rules.STAY, 9, 5)
        assert float(games.column[0]) == (3.0 if steep > 0 else 1.0)


@pytest.mark.nojit
def test_the_paddle_is_two_pixels_and_reaches_both_walls() -> None:
    for paddle, caught in ((1, False), (2, True), (3, True), (4, False)):
        games = placed(3.4, 0.0, paddle)
        assert rules.caught(games, 0) == caught
    games = placed(0.0, 0.0, 2)
    way(games, [rules.RIGHT] * 4, 9, 5)
    assert int(games.paddle[0]) == 3


@pytest.mark.nojit
def test_a_frame_shows_ball_paddle_and_the_way_that_the_ball_has_come() -> None:
    games, canvas = placed(2.0, -0.6, 3), np.ones((4, 5), np.uint8)
    rules.draw(games, 0, True, canvas)
    assert canvas.tolist() == [[0, 0, 255, 0, 0], [0] * 5, [0] * 5, [0, 0, 0, 255, 255]]
    rules.step(games, 0, rules.LEFT, 4, 5)
    rules.draw(games, 0, True, canvas)
    assert canvas.tolist() == [[0, 0, 128, 0, 0], [0, 255, 0, 0, 0], [0] * 5, [0, 0, 255, 255, 0]]
    rules.step(games, 0, rules.LEFT, 4, 5)
    rules.draw(games, 0, True, canvas)
    assert canvas.tolist() == [[0, 0, 128, 0, 0], [0, 128, 0, 0, 0], [0, 255, 0, 0, 0], [0, 255, 255, 0, 0]]
    rules.step(games, 0, rules.STAY, 4, 5)
    rules.draw(games, 0, False, canvas)
    assert canvas[2:].tolist() == [[0] * 5, [255, 255, 255, 0, 0]]


# --- how well it can be played ---------------------------------------------------------------------------------------


def every_start(side: int, angles: int) -> FullCatch:
    """A game for each column, each place of the paddle, and angles all over the range: [column, paddle, angle]."""
    columns, paddles = np.arange(side), np.arange(side - rules.PADDLE + 1)
    slopes = np.cos(np.pi * (0.25 + 0.5 * (np.arange(angles) + 0.5) / angles)) / np.cos(np.pi / 4)
    column, paddle, slope = (grid.ravel() for grid in np.meshgrid(columns, paddles, slopes, indexing="ij"))
    episodes = FullCatch(len(column), side, side)
    games = episodes.games
    games.column[:], games.paddle[:], games.slope[:] = column, paddle, slope
    return episodes


def later(column: np.ndarray, slope: np.ndarray, steps: int, side: int) -> np.ndarray:
    """The pixel in which each ball is seen some steps later, by unfolding its way: a saw tooth between mirrors."""
    far = (column + slope * steps) % (2 * (side - 1))
    return np.floor(np.minimum(far, 2 * (side - 1) - far) + 0.5).astype(int)


@pytest.mark.parametrize("side", [12, 24])
def test_whoever_knows_the_angle_catches_every_ball_and_the_blind_few(side) -> None:
    """From every column and place of the paddle. A pixel at a wall is as wide as half of another, so that two pixels of
    s at a random place have (2 - 1 / (s - 1)) / (s - 1) of the balls: 8.5 % for 24, as was once measured elsewhere.
    """
    seeing, blind = every_start(side, 40), every_start(side, 40)
    live = np.ones(seeing.num, bool)
    landing = later(seeing.games.column, seeing.games.slope, side - 1, side)
    for _ in range(side - 1):
        there = landing - seeing.games.paddle
        moves = np.where(there < 0, rules.LEFT, np.where(there > 1, rules.RIGHT, rules.STAY))
        assert not seeing.terminated.any()
        seeing.step(moves, live)
        blind.step(np.full(blind.num, rules.STAY), live)
    assert seeing.terminated.all()
    assert seeing.rewards.all()
    caught = blind.rewards.reshape(side, side - 1, 40).mean((0, 2))
    assert caught.mean() == pytest.approx((2 - 1 / (side - 1)) / (side - 1), abs=0.001)
    assert caught.max() < 1.1 * caught.mean(), "no place is much better than another"


def best(side: int, angles: int) -> float:
    """The share of balls that can be caught by what is seen: all pixels that the ball has been in, and the paddle.

    Nobody moves the ball, so a paddle's place is worth its average over all balls that have looked alike so far.
    """
    slopes = np.cos(np.pi * (0.25 + 0.5 * np.linspace(0, 1, angles))) * np.sqrt(2)
    columns, slopes = np.repeat(np.arange(side), angles), np.tile(slopes, side)
    pixels = [later(columns, slopes, row, side) for row in range(side)]
    places = np.arange(side - 1)
    there = pixels[-1][:, None] - places
    worth = ((there >= 0) & (there < rules.PADDLE)).astype(float)
    for row in reversed(range(side - 1)):
        alike = np.unique(pixels[: row + 1], axis=1, return_inverse=True)[1].ravel()
        average = np.zeros((alike.max() + 1, side - 1))
        np.add.at(average, alike, worth)
        average /= np.bincount(alike)[:, None]
        reached = [average[:, np.clip(places + move, 0, side - 2)] for move in (-1, 0, 1)]
        worth = np.max(reached, axis=0)[alike]
    return float(worth.mean())


def test_how_many_balls_can_be_caught_by_what_is_seen() -> None:
    """The way that the ball has come makes one frame enough."""
    assert best(12, 3) == 1.0
    assert best(12, 1000) == pytest.approx(0.998, abs=0.0015)


def test_a_ball_has_one_of_a_few_angles_where_they_are_numbered() -> None:
    episodes = FullCatch(200, angles=3)
    episodes.seed(range(200))
    episodes.begin(np.ones(200, bool))
    assert set(episodes.games.slope.round(9)) == {-1.0, 0.0, 1.0}


# --- environments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_finds_nothing_wrong(name) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("name", IDS)
def test_many_are_as_many_single_ones_in_every_autoreset_mode_and_go_on_bit_for_bit(name, mode) -> None:
    """Observations, rewards, flags and infos, key by key; and from a state kept halfway, in other environments."""
    limit = 4 if name == "rlcore/Catch-v0" else None  # an episode ends after five steps by itself
    make = [lambda: gymnasium.make(name, height=6, max_episode_steps=limit, disable_env_checker=True)] * 4
    ours = gymnasium.make_vec(name, 4, height=6, max_episode_steps=limit, autoreset_mode=mode)
    ours.action_space.seed(1)
    actions = [ours.action_space.sample() for _ in range(30)]
    theirs = rollout(SyncVectorEnv(make, autoreset_mode=mode), actions)
    first = rollout(ours, actions[:17])
    kept = ours.get_state()
    second = rollout(ours, actions[17:], seed=None)
    assert same(first + second, theirs)
    other = gymnasium.make_vec(name, 4, height=6, max_episode_steps=limit, autoreset_mode=mode)
    other.set_state(kept)
    assert same(rollout(other, actions[17:], seed=None), second)


def test_a_single_environment_goes_on_from_a_state_too() -> None:
    one, other = (gymnasium.make("rlcore/CatchRetina-v0").unwrapped for _ in range(2))
    one.reset(seed=4)
    one.step(7)
    other.set_state(one.get_state())
    steps = [[env.step(k % 15) for k in range(22)] + [env.reset()] for env in (one, other)]
    assert same(*steps)
    assert steps[0][-2][2], "the last step of a game"


def test_the_same_seed_gives_the_same_games_and_another_one_others() -> None:
    starts = [CatchVectorEnv(50).reset(seed=seed)[0] for seed in (1, 1, 2)]
    assert np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])
    assert len({start.tobytes() for start in starts[0]}) > 40, "and each copy has a game of its own"


def test_what_is_asked_wrongly_is_one_clear_line() -> None:
    fresh, small = CatchEnv(), CatchVectorEnv(2, height=5)
    small.reset(seed=1)
    for make, error, message in (
        (lambda: CatchEnv(height=2), ValueError, "a canvas of 2 x 12 is too small: 3 x 3 is the least"),
        (lambda: CatchEnv(angles=-1), ValueError, "there are no -1 angles; 0 means any"),
        (lambda: CatchEnv(True, size=0), ValueError, "there is no retina of 3 patches, the first 0 pixels wide"),
        (lambda: CatchEnv(True, stride=0), ValueError, "an eye cannot move in steps of 0 pixels"),
        (lambda: CatchEnv(True).step((1, [0.0, np.nan])), ValueError, "locations must be 1 pairs of finite numbers"),
        (lambda: CatchEnv(render_mode="human"), ValueError, "there is no render mode 'human'; there are ansi, rgb_arr"),
        (lambda: CatchVectorEnv(0), ValueError, "there are no 0 environments"),
        (lambda: CatchVectorEnv(1, -2), ValueError, "there are no episodes of -2 steps"),
        (lambda: fresh.step(3), ValueError, "actions must be 1 whole numbers from 0 to 2"),
        (lambda: fresh.step(0.5), ValueError, "actions must be 1 whole numbers"),
        (lambda: fresh.step(0), gymnasium.error.ResetNeeded, "reset the environment before a step"),
        (lambda: CatchVectorEnv(2).step(np.zeros(2, int)), gymnasium.error.ResetNeeded, "before the first step"),
        (lambda: CatchVectorEnv(2).reset(seed=[1]), ValueError, "there are 2 environments, but 1 seeds"),
        (lambda: CatchVectorEnv(2).get_state(), gymnasium.error.ResetNeeded, "before their state is asked for"),
        (lambda: CatchVectorEnv(2).set_state({}), ValueError, "the state lacks 'row'"),
        (
            lambda: CatchVectorEnv(2).set_state(small.get_state()),
            ValueError,
            r"'observations' of the state is uint8 \[2, 5, 12\], but here it is uint8 \[2, 12, 12\]",
        ),
    ):
        with pytest.raises(error, match=message):
            make()


def test_the_screen_is_seen_as_text_and_as_pixels() -> None:
    env = CatchEnv(height=3, width=4, render_mode="ansi")
    env.episodes.games.column[0], env.episodes.games.paddle[0] = 1, 2
    rules.draw(env.episodes.games, 0, True, env.episodes.observations[0])
    assert env.render() == "+--------+\n|  @@    |\n|        |\n|    @@@@|\n+--------+\n"
    env.render_mode = "rgb_array"
    pixels = env.render()
    assert (pixels.shape, pixels.dtype, pixels[8, 24].tolist(), pixels[8, 8].tolist()) == (
        (48, 64, 3), np.uint8, [255] * 3, [0] * 3,
    )  # fmt: skip
