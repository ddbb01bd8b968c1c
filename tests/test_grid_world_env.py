"""Grid worlds: maps to processes with known values, and the environments that run them by Gymnasium's rules."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from games.grid_world import render
from games.grid_world.env import IDS, GridWorldEnv, GridWorldVectorEnv
from games.grid_world.maps import MAPS, Cell, MapError, named, parse
from rlcore import mdp
from rlcore.rng import seed_of, uniform
from tests.gym_help import rollout, same, toy_text


def table(text: str) -> np.ndarray:
    return np.array([[float(word) for word in row.split()] for row in text.split("/")])


# --- maps ------------------------------------------------------------------------------------------------------------


def test_the_grid_of_sutton_and_barto_to_the_digits_printed() -> None:
    world = named("sutton_barto")
    best = mdp.value_iteration(world.mdp, 0.9).reshape(world.shape)
    assert best.round(1).tolist() == table(
        "22.0 24.4 22.0 19.4 17.5 / 19.8 22.0 19.8 17.8 16.0 / 17.8 19.8 17.8 16.0 14.4 / 16.0 17.8 16.0 14.4 13.0 /"
        "14.4 16.0 14.4 13.0 11.7"
    ).tolist()  # fmt: skip
    chance = mdp.evaluate(world.mdp, mdp.uniform(world.mdp), 0.9).reshape(world.shape)
    assert chance.round(1).tolist() == table(
        "3.3 8.8 4.4 5.3 1.5 / 1.5 3.0 2.3 1.9 .5 / .1 .7 .7 .4 -.4 / -1.0 -.4 -.4 -.6 -1.2 / -1.9 -1.3 -1.2 -1.4 -2.0"
    ).tolist()  # fmt: skip


def test_the_world_of_russell_and_norvig_to_the_digits_printed() -> None:
    world = named("aima")
    values = mdp.value_iteration(world.mdp, 1.0).reshape(world.shape).round(3)
    assert values.tolist() == table(".812 .868 .918 0 / .762 0 .660 0 / .705 .655 .611 .388").tolist()
    assert [world.cell(3).reward, world.cell(7).reward] == [1.0, -1.0]


def test_the_cliff_is_the_one_of_gymnasium() -> None:
    """Every transition of every cell that an agent can stand in."""
    ours = named("cliff")
    theirs = toy_text("CliffWalking")
    places = [s for s in range(48) if ours.is_place(s)]
    for name in ("probability", "next_state", "reward", "terminated"):
        assert np.array_equal(getattr(ours.mdp, name)[places], getattr(theirs, name)[places]), name
    assert np.array_equal(ours.mdp.start, theirs.start)


def test_slipping_as_in_the_frozen_lake() -> None:
    lake = gymnasium.make("FrozenLake-v1", map_name="8x8")
    text = "\n".join(b"".join(row).decode() for row in lake.unwrapped.desc)
    world = parse(text, {"F": Cell(), "H": Cell(terminal=True)}, slip=1 / 3)
    for gamma in (1.0, 0.9):
        theirs = mdp.value_iteration(mdp.from_env(lake), gamma)
        assert mdp.value_iteration(world.mdp, gamma) == pytest.approx(theirs, abs=1e-9)


def test_a_map_without_a_start_begins_anywhere_and_walls_can_be_masked() -> None:
    sealed = parse("S.#.\nG.##", step_reward=-1, bumping=False).mdp
    assert mdp.value_iteration(sealed, 1.0).reshape(2, 4)[0].tolist() == [0.0, -1.0, 0.0, 0.0]
    world = parse("#.\n.G", bumping=False)
    assert world.mdp.start.tolist() == [0, 0.5, 0.5, 0]
    assert world.mdp.allowed[1].tolist() == [False, False, True, False]
    assert parse("S.\n.G", bump_reward=-2, step_reward=-1).mdp.reward[0, :, 0].tolist() == [-3, -1, -1, -3]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "the map is empty"),
        ("S.\n.Z", {}, "row 2, column 2 holds 'Z', which the legend does not name"),
        ("S.G\n..", {}, "row 2 ends at column 2 instead of 3, where row 1 does"),
        ("##\n#G", {}, "the map has no cell to begin in"),
        ("S#\n#G", {"bumping": False}, "row 1, column 1 is walled in on all sides, and nobody may bump"),
        ("SAG", {"legend": {"A": Cell(to="b")}}, "row 1, column 2: 'A' sends the agent to 'b', of which the map has 0"),
        ("SA\n..", {"legend": {"A": Cell(to=".")}}, "row 1, column 2: .* of which the map has 2 instead of one"),
        ("SA#", {"legend": {"A": Cell(to="#")}}, "row 1, column 2: 'A' sends the agent to '#', where nobody can be"),
        ("SG", {"legend": {"SG": Cell()}}, "the legend names 'SG', which is not one letter"),
        ("SG", {"legend": {"G": Cell(wall=True, terminal=True)}}, "the legend's 'G' is several things at once"),
        (
            "SG",
            {"legend": {"G": Cell(at_once=True)}},
            "the legend's 'G' sends the agent away at once, but not elsewhere",
        ),
        ("SG", {"legend": {"G": Cell(reward=np.nan)}}, "the reward of the legend's 'G' must be a finite number"),
        ("SG", {"slip": 0.6}, r"slip, to each side, must lie in \[0, 0.5\], not 0.6"),
        ("SG", {"step_reward": np.inf}, "step_reward must be a finite number, not inf"),
    ],
)
def test_what_is_wrong_with_a_map_is_said_in_one_line(text, settings, message) -> None:
    with pytest.raises(MapError, match=message) as caught:
        parse(text, **settings)
    assert "\n" not in str(caught.value)


# --- one environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDS)
def test_gymnasium_finds_nothing_wrong(name, monkeypatch) -> None:
    """All render modes but the window, for which a machine of tests has no screen."""
    monkeypatch.setitem(GridWorldEnv.metadata, "render_modes", ["ansi", "rgb_array"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


def test_an_environment_moves_as_its_process_says() -> None:
    """How often each outcome of a step that may slip comes up; and a seed decides everything."""
    env = GridWorldEnv("aima")
    outcomes = []
    env.reset(seed=5)
    for _ in range(4000):
        env.reset(options={"state": 4})
        outcomes.append(env.step(0)[:3])
    reached = [state for state, _, _ in outcomes]
    assert {reward for _, reward, _ in outcomes} == {-0.04}
    assert np.mean(np.array(reached) == 0) == pytest.approx(0.8, abs=0.03)
    assert np.mean(np.array(reached) == 4) == pytest.approx(0.2, abs=0.03)
    again = GridWorldEnv("aima")
    again.reset(seed=5)
    assert reached[:50] == [(again.reset(options={"state": 4}), again.step(0)[0])[1] for _ in range(50)]


def test_the_mask_comes_with_every_observation_and_can_be_sampled_by() -> None:
    env = gymnasium.make("rlcore/GridRooms-v0")
    state, info = env.reset(seed=1)
    env.action_space.seed(1)
    for _ in range(60):
        mask = info["action_mask"]
        assert (mask.dtype, mask.tolist()) == (np.int8, env.unwrapped.mdp.allowed[state].tolist())
        state, _, terminated, truncated, info = env.step(env.action_space.sample(mask))
        if terminated or truncated:
            state, info = env.reset()


def test_what_an_environment_is_asked_wrongly_is_one_clear_line() -> None:
    for make, message in (
        (lambda: GridWorldEnv("nowhere"), f"there is no map called 'nowhere'; the maps are: {', '.join(MAPS)}"),
        (lambda: GridWorldEnv(render_mode="video"), "there is no render mode 'video'"),
        (lambda: GridWorldEnv(named("aima").mdp, render_mode="ansi"), "render_mode 'ansi' needs a map"),
        (lambda: GridWorldEnv().step(4), "there is no action 4; they are numbered 0 to 3"),
        (lambda: GridWorldEnv().reset(options={"state": 64}), "there is no state 64"),
        (lambda: GridWorldVectorEnv(0), "there are no 0 environments"),
        (lambda: GridWorldVectorEnv(2).step(np.zeros(3, int)), "actions must be 2 numbers from 0 to 3"),
        (lambda: GridWorldVectorEnv(2).reset(seed=[1]), "there are 2 environments, but 1 seeds"),
        (lambda: GridWorldVectorEnv(2).reset(options={"reset_mask": [True]}), "reset_mask must be an array of 2 bools"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(gymnasium.error.ResetNeeded):
        GridWorldVectorEnv(2).step(np.zeros(2, int))


# --- many environments -----------------------------------------------------------------------------------------------

WORLD = parse("S..\n.X.\n..G", step_reward=-0.1)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_vector_environment_answers_as_gymnasium_does_in_every_autoreset_mode(mode) -> None:
    """Observations, rewards, flags and infos, key by key, on a map where nothing is left to chance."""
    make = [lambda: gymnasium.wrappers.TimeLimit(GridWorldEnv(WORLD), 6)] * 5
    actions = np.random.default_rng(2).integers(4, size=(60, 5))
    theirs = rollout(SyncVectorEnv(make, autoreset_mode=mode), actions)
    ours = rollout(GridWorldVectorEnv(5, 6, WORLD, mode), actions)
    assert len(ours) == len(theirs)
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert same(one, other), step


def played(mode: AutoresetMode, actions: np.ndarray) -> list[list[tuple]]:
    """The transitions of each environment (state, action, reward, next, terminated, truncated), dead steps left out."""
    count = len(actions)
    envs = GridWorldVectorEnv(count, 9, "rooms", mode)
    states, _ = envs.reset(seed=3)
    live, used = np.ones(count, bool), np.zeros(count, int)
    found: list[list[tuple]] = [[] for _ in range(count)]
    while used.min() < actions.shape[1] - 1:
        chosen = actions[np.arange(count), np.minimum(used, actions.shape[1] - 1)]
        then, reward, terminated, truncated, info = envs.step(chosen)
        done, reached = terminated | truncated, then.copy()
        if mode == AutoresetMode.SAME_STEP and done.any():
            reached[done] = info["final_obs"][done].astype(int)
        for i in np.flatnonzero(live):
            found[i].append((states[i], chosen[i], reward[i], reached[i], terminated[i], truncated[i]))
        used += live
        live = ~done if mode == AutoresetMode.NEXT_STEP else live
        if mode == AutoresetMode.DISABLED and done.any():
            then, _ = envs.reset(options={"reset_mask": done})
        states = then
    return [one[: actions.shape[1] - 1] for one in found]


def test_the_same_transitions_in_all_autoreset_modes_and_in_a_plain_loop() -> None:
    actions = np.random.default_rng(4).integers(4, size=(4, 120))
    loop: list[list[tuple]] = []
    world = named("rooms").mdp
    for i in range(4):
        rng, found = np.array([seed_of(3 + i)]), []
        while len(found) < 119:
            uniform(rng, 0)  # where to begin: there is one start
            state = steps = 0
            ends = late = False
            while not (ends or late) and len(found) < 119:
                action, steps = actions[i, len(found)], steps + 1
                sums = world.probability[state, action].cumsum()
                k = int(np.searchsorted(sums, uniform(rng, 0), side="right"))
                then, ends, late = world.next_state[state, action, k], world.terminated[state, action, k], steps >= 9
                found.append((state, action, world.reward[state, action, k], then, ends, late))
                state = then
        loop.append(found)
    for mode in AutoresetMode:
        assert played(mode, actions) == loop, mode


def test_vectors_are_made_by_id_and_declare_their_mode() -> None:
    envs = gymnasium.make_vec("rlcore/GridCliff-v0", num_envs=3, autoreset_mode="SameStep", render_mode="ansi")
    assert isinstance(envs, GridWorldVectorEnv)
    assert (envs.metadata["autoreset_mode"], envs.max_episode_steps) == (AutoresetMode.SAME_STEP, 200)
    assert GridWorldVectorEnv.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert envs.reset(seed=[4, 5, 6])[0].tolist() == [36, 36, 36]
    assert envs.render() == ("............\n............\n............\n@CCCCCCCCCCE\n",) * 3
    rushed = GridWorldVectorEnv(2, 1, WORLD, AutoresetMode.DISABLED)
    rushed.reset(seed=1)
    rushed.step(np.zeros(2, int))
    with pytest.raises(gymnasium.error.ResetNeeded, match="environment 0 is at its end: reset it with a reset_mask"):
        rushed.step(np.zeros(2, int))


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_agent_is_seen_on_its_map() -> None:
    world = named("aima")
    assert render.ansi(world, 6) == "...G\n.#@X\nS...\n"
    pixels = render.frame(world, 6)
    assert (pixels.shape, pixels.dtype) == ((96, 128, 3), np.uint8)
    blue = np.argwhere((pixels == pixels[48, 80]).all(2))
    assert blue.mean(0) == pytest.approx([48, 80], abs=1)  # row 1, column 2
    assert pixels[48, 48].max() < 90  # the wall


def test_a_picture_of_values_and_policy_has_a_number_a_place_and_an_arrow_a_choice(tmp_path) -> None:
    world = named("aima")
    policy, values = mdp.policy_iteration(world.mdp, 1.0)
    figure = render.draw(world, values, policy, tmp_path / "aima.png", "a title")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"0.81", "0.39", "+1", "-1", "S"} <= set(texts)
    assert texts.count("") - 1 == 9, "an arrow in each of the nine places, and the wall has no words"
    assert (tmp_path / "aima.png").stat().st_size > 5000


def test_where_no_window_can_be_opened_is_one_clear_line() -> None:
    import matplotlib

    matplotlib.use("agg", force=True)
    env = GridWorldEnv(render_mode="human")
    with pytest.raises(RuntimeError, match=r"no window can be opened here.*: choose render_mode 'ansi' or 'rgb_array'"):
        env.reset(seed=1)
    env.close()
    env.close()


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_saved_state_is_gone_on_from_exactly(mode) -> None:
    def step(envs, rng):
        over = envs._over
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over.copy()})
        return envs.step(rng.integers(4, size=5))

    envs, other = (GridWorldVectorEnv(5, 12, "rooms", mode) for _ in range(2))
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.get_state()
    envs.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(30):
        step(envs, rng)
    state = envs.get_state()
    other.set_state(state)
    rngs = [np.random.default_rng(1) for _ in range(2)]
    for _ in range(40):
        for mine, theirs in zip(step(envs, rngs[0])[:4], step(other, rngs[1])[:4], strict=True):
            assert np.array_equal(mine, theirs)
    assert not np.array_equal(state["rng"], envs.rng), "what was saved is a copy"


def test_a_state_of_other_grid_worlds_is_refused() -> None:
    envs = GridWorldVectorEnv(3, world="rooms")
    envs.reset(seed=0)
    state = envs.get_state()
    for wrong in ({}, {**state, "rng": state["rng"][:2]}, {**state, "steps": state["steps"].astype(np.int32)}):
        with pytest.raises(ValueError, match="no state of 3 grid worlds"):
            envs.set_state(wrong)
    with pytest.raises(ValueError, match="another world: this one has 64 states"):
        envs.set_state({**state, "states": np.array([0, 64, 1])})
    assert all(np.array_equal(envs.get_state()[name], state[name]) for name in state)
