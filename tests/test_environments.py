"""Environments as agents use them: true ends in every autoreset mode, exact resume, and errors of one line."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents import loop
from agents.environments import Environments, FaultyEnvironment, Loop, UnusableEnvironment, Vectorised, make
from agents.steps import first_seed
from games.grid_world.env import GridWorldEnv, GridWorldVectorEnv

MODES = list(AutoresetMode)


class Room(gymnasium.Env):
    """Shows what it is told to, never ends by itself, pays the number of the step; keeps the seeds of its resets."""

    def __init__(self, shows=1.0, space=None, actions=None, masks=None, ends=10**9, reward=None) -> None:
        self.observation_space = space or spaces.Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = actions or spaces.Discrete(2)
        self.shows, self.masks, self.ends, self.reward = shows, masks, ends, reward
        self.seeds, self.taken = [], []

    def _now(self):
        shown = self.shows(self.steps) if callable(self.shows) else self.shows
        shown = np.array([shown], np.float32) if isinstance(shown, float) else shown
        return shown, {} if self.masks is None else self.masks(self.steps)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.steps = 0
        return self._now()

    def step(self, action):
        self.steps += 1
        self.taken.append(action)
        shown, info = self._now()
        return shown, self.steps if self.reward is None else self.reward, self.steps >= self.ends, False, info


class Choices:
    """An action for each environment, drawn from a stream of its own, and only where the step is live."""

    def __init__(self, envs: Environments, seed: int = 0) -> None:
        self.rngs = [np.random.default_rng((seed, i)) for i in range(envs.num)]

    def __call__(self, envs: Environments, live=None) -> np.ndarray:
        if not envs.spec.num_actions:
            return np.array([rng.uniform(-1, 1, len(envs.spec.low)) for rng in self.rngs], np.float32)
        actions = np.zeros(envs.num, np.int64)
        for i, rng in enumerate(self.rngs):
            allowed = np.arange(envs.spec.num_actions) if envs.masks is None else np.flatnonzero(envs.masks[i])
            if live is None or live[i]:
                actions[i] = rng.choice(allowed)
        return actions


def transitions(envs: Environments, steps: int) -> list[list[tuple]]:
    """The first live steps of each environment: observation, action, reward, next, masks, how it ended, the return."""
    choose, found, live = Choices(envs), [[] for _ in range(envs.num)], np.ones(envs.num, bool)
    while min(map(len, found)) < steps:
        before, actions = envs.observations.copy(), choose(envs, live)
        step = envs.step(actions)
        assert np.array_equal(step.live, live)
        assert not (step.terminated & step.truncated).any()
        assert np.array_equal(step.ended, np.flatnonzero(step.terminated | step.truncated))
        for i in np.flatnonzero(live):
            k = np.flatnonzero(step.ended == i)
            after = step.final_observations[k[0]] if len(k) else envs.observations[i]
            masks = step.final_masks if len(k) else envs.masks
            mask = None if masks is None else masks[k[0] if len(k) else i].tolist()
            end = (float(step.returns[k[0]]), int(step.lengths[k[0]])) if len(k) else None
            ways = bool(step.terminated[i]), bool(step.truncated[i])
            found[i].append(
                (before[i].tolist(), int(actions[i]), float(step.rewards[i]), after.tolist(), mask, *ways, end)
            )
        if isinstance(envs, Vectorised) and envs._mode == "NEXT_STEP":
            live = ~(step.terminated | step.truncated)
    return [one[:steps] for one in found]


def by_hand(env: gymnasium.Env, seed: int, observe, rng: np.random.Generator, steps: int) -> list[tuple]:
    """The same of one environment in Gymnasium's own loop, with its own time limit."""
    found, total, length = [], 0.0, 0
    shown, info = env.reset(seed=seed)
    for _ in range(steps):
        allowed = np.flatnonzero(info.get("action_mask", np.ones(env.action_space.n)))
        action = int(rng.choice(allowed))
        after, reward, terminated, truncated, info = env.step(action)
        total, length = total + reward, length + 1
        mask = info["action_mask"].astype(bool).tolist() if "action_mask" in info else None
        end = (total, length) if terminated or truncated else None
        found.append(
            (observe(shown), action, float(reward), observe(after), mask, terminated, truncated and not terminated, end)
        )
        shown = after
        if end:
            (shown, info), total, length = env.reset(), 0.0, 0
    return found


def fits(arrays, state):
    """A state as it comes back from a file."""
    return {name: np.array(array) for name, array in arrays.items()}, json.loads(json.dumps(state))


def same_steps(one: Environments, other: Environments, steps: int, seed: int = 1) -> bool:
    """Whether two go on alike."""
    first, second = Choices(one, seed), Choices(other, seed)
    for _ in range(steps):
        pairs = [*zip(one.step(first(one)), other.step(second(other)), strict=True)]
        pairs += [(one.observations, other.observations), (one.masks, other.masks)]
        if not all((a is b is None) or np.array_equal(a, b) for a, b in pairs):
            return False
    return True


# --- true ends in every mode -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "limit", "observe"),
    [
        ("CartPole-v1", 15, lambda shown: shown.tolist()),
        ("games.grid_world.env:rlcore/GridRooms-v0", 20, int),
        ("FrozenLake-v1", 5, int),
        ("Blackjack-v1", 3, lambda shown: spaces.flatten(gymnasium.make("Blackjack-v1").observation_space, shown)),
    ],
)
def test_the_same_transitions_in_all_autoreset_modes_and_in_a_plain_loop(env_id, limit, observe) -> None:
    """Rule 2: episodes that terminate, that are truncated, and dead steps."""

    def single():
        return gymnasium.make(env_id, max_episode_steps=limit)

    count, steps, seed = 3, 60, 7
    expected = [
        by_hand(single(), first_seed(seed) + i, lambda o: np.asarray(observe(o)).tolist(), rng, steps)
        for i, rng in enumerate(np.random.default_rng((0, i)) for i in range(count))
    ]
    assert {ways for one in expected for *_, terminated, truncated, _ in one for ways in [(terminated, truncated)]} > {
        (False, False)
    }
    assert transitions(Loop([single() for _ in range(count)], seed), steps) == expected
    unlimited = [gymnasium.make(env_id, max_episode_steps=-1) for _ in range(count)]
    assert transitions(Loop(unlimited, seed, max_steps=limit), steps) == expected
    for mode in MODES:
        envs = Vectorised(SyncVectorEnv([single] * count, autoreset_mode=mode), seed)
        assert transitions(envs, steps) == expected, mode


def test_the_kernel_of_grid_worlds_in_all_modes() -> None:
    """In a world without chance it is the plain loop, too; elsewhere the modes agree."""
    plain = Loop([GridWorldEnv("cliff") for _ in range(2)], 0, max_steps=9)
    expected = transitions(plain, 50)
    for mode in MODES:
        envs = Vectorised(GridWorldVectorEnv(2, 9, "cliff", mode), 0)
        assert transitions(envs, 50) == expected, mode
    first, *others = [transitions(Vectorised(GridWorldVectorEnv(3, 30, "rooms", mode), 4), 60) for mode in MODES]
    assert all(other == first for other in others)


def test_masks_that_are_known_of_all_need_not_say_so() -> None:
    class Terse(GridWorldVectorEnv):
        def _info(self, known):
            return {"action_mask": super()._info(known)["action_mask"]}

    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED):
        pair = [transitions(Vectorised(kind(2, 9, "rooms", mode), 0), 30) for kind in (Terse, GridWorldVectorEnv)]
        assert pair[0] == pair[1]


def test_the_vector_cart_poles_of_gymnasium() -> None:
    """One alone has the generator of a single environment; several share one, and only their books can be checked."""
    one = Vectorised(gymnasium.make_vec("CartPole-v1", 1, vectorization_mode="vector_entry_point"), 3)
    expected = transitions(make("CartPole-v1", 1, 3), 200)
    found = transitions(one, 200)
    for a, b in zip(expected[0], found[0], strict=True):
        assert a[1:3] == b[1:3]
        assert a[5:] == b[5:]
        assert np.allclose(a[0], b[0], atol=1e-5)
        assert np.allclose(a[3], b[3], atol=1e-5)
    several = Vectorised(gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="vector_entry_point"), 3)
    for lived in transitions(several, 100):
        length = 0
        for *_, end in lived:
            length += 1
            if end:
                assert end == (length, length)
                length = 0


def test_an_episode_that_terminates_as_its_time_is_up_is_not_truncated() -> None:
    envs = Loop([Room(ends=3)], 0, max_steps=3)
    for _ in range(2):
        assert not envs.step(np.zeros(1, np.int64)).ended.size
    step = envs.step(np.zeros(1, np.int64))
    assert (step.terminated.tolist(), step.truncated.tolist()) == ([True], [False])
    assert (step.returns.tolist(), step.lengths.tolist()) == ([6.0], [3])


def test_the_final_observation_is_not_the_next_start() -> None:
    envs = Loop([Room(shows=lambda steps: float(steps)) for _ in range(2)], 0, max_steps=4)
    for _ in range(4):
        step = envs.step(np.zeros(2, np.int64))
    assert step.final_observations.tolist() == [[4.0], [4.0]]
    assert envs.observations.tolist() == [[0.0], [0.0]]
    assert step.truncated.all()


def test_without_any_limit_an_own_cap_truncates(monkeypatch) -> None:
    """Rule 11."""
    assert make("CliffWalking-v1", 1, 0).spec.time_limit == loop.STEP_CAP == 100_000
    monkeypatch.setattr(loop, "STEP_CAP", 50)
    envs = Loop([Room()], 0)
    lengths = [n for _ in range(100) for n in envs.step(np.zeros(1, np.int64)).lengths.tolist()]
    assert lengths == [50, 50]
    assert make("MountainCar-v0", 1, 0).spec.time_limit == 200
    assert make("MountainCar-v0", 1, 0, max_steps=30).spec.time_limit == 30
    assert make("rlcore/GridRooms-v0", 1, 0, max_steps=30)._envs.max_episode_steps == 30


# --- what is shown and taken -----------------------------------------------------------------------------------------


def test_what_make_makes() -> None:
    envs = make("CartPole-v1", 2, 0)
    assert envs.spec[:5] == ("vector", (4,), np.float32, 0, 2)
    assert (envs.spec.time_limit, envs.spec.threshold, envs.masks, envs.name) == (500, 475.0, None, "CartPole-v1")
    assert type(envs._envs[0]) is type(envs._envs[0].unwrapped), "no wrapper of Gymnasium's slows it down"
    envs = make("FrozenLake-v1", 2, 0)
    assert envs.spec[:5] == ("index", (), np.int64, 16, 4)
    envs = make("rlcore/GridRooms-v0", 5, 0)
    assert isinstance(envs, Vectorised)
    assert envs.exact
    assert envs.masks.shape == (5, 4)
    assert make("CartPole", 1, 0).name == "CartPole-v1"
    envs = make("Pendulum-v1", 2, 0)
    assert (envs.spec.num_actions, envs.spec.low.tolist(), envs.spec.high.tolist()) == (0, [-2.0], [2.0])


def test_an_environments_own_wrappers_stay() -> None:
    scaled = gymnasium.wrappers.RescaleObservation
    low, high = np.full(2, -3, np.float32), np.full(2, 3, np.float32)
    wrapper = scaled.wrapper_spec(min_obs=low, max_obs=high)
    env = gymnasium.spec("MountainCar-v0")
    gymnasium.register("Scaled-v0", entry_point=env.entry_point, additional_wrappers=(wrapper,), max_episode_steps=5)
    try:
        envs = make("Scaled-v0", 1, 0)
        assert isinstance(envs._envs[0], scaled)
        assert np.array_equal(envs.observations, make("MountainCar-v0", 1, 0).observations) is False
    finally:
        del gymnasium.registry["Scaled-v0"]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (5, 4, 3), (3, 5, 4)])
def test_pixels_have_their_channels_first(shape) -> None:
    space = spaces.Box(0, 255, shape, np.uint8)
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    envs = Loop([Room(pixels, space)], 0)
    first = pixels[None] if len(shape) == 2 else pixels if shape == (3, 5, 4) else pixels.transpose(2, 0, 1)
    assert envs.spec[:3] == ("pixels", first.shape, np.uint8)
    assert np.array_equal(envs.observations[0], first)
    assert np.array_equal(envs._spaces.observe(pixels), first)
    vector = Vectorised(SyncVectorEnv([lambda: Room(pixels, space)] * 2), 0)
    assert np.array_equal(vector.observations, [first, first])


def test_what_is_neither_index_nor_pixels_is_a_vector() -> None:
    space = spaces.Dict({"place": spaces.Discrete(3), "speed": spaces.Box(-1, 1, (2,), np.float64)})
    shown = {"place": 2, "speed": np.array([0.5, -0.5])}
    for envs in (
        Loop([Room(shown, space, ends=2)], 0),
        *(Vectorised(SyncVectorEnv([lambda: Room(shown, space, ends=2)], autoreset_mode=mode), 0) for mode in MODES),
    ):
        assert envs.spec[:3] == ("vector", (5,), np.float32)
        for _ in range(2):
            step = envs.step(np.zeros(1, np.int64))
        for row in (envs.observations[0], step.final_observations[0]):
            assert row.tolist() == [0.0, 0.0, 1.0, 0.5, -0.5]


def test_an_index_and_an_action_are_counted_from_zero() -> None:
    rooms = [Room(-3, spaces.Discrete(4, start=-5), spaces.Discrete(3, start=10))]
    envs = Loop(rooms, 0)
    assert envs.observations.tolist() == [2]
    envs.step(np.array([2]))
    assert rooms[0].taken == [12]
    assert type(rooms[0].taken[0]) is int


def test_actions_of_a_box_are_clipped() -> None:
    room = Room(actions=spaces.Box(np.array([-1.0, 0.0]), np.array([1.0, 5.0]), dtype=np.float64))
    Loop([room], 0).step(np.array([[-3.0, 7.0]], np.float32))
    assert room.taken[0].tolist() == [-1.0, 5.0]
    assert room.taken[0].dtype == np.float64


def test_each_environment_is_seeded_once() -> None:
    """Rule 7: a seed at the first reset, and never again."""
    rooms = [Room() for _ in range(3)]
    envs = Loop(rooms, 5, max_steps=2)
    for _ in range(6):
        envs.step(np.zeros(3, np.int64))
    assert [room.seeds[1:] for room in rooms] == [[None] * 3] * 3
    assert len({room.seeds[0] for room in rooms}) == 3
    starts = [make("CartPole-v1", 3, seed).observations.tolist() for seed in (5, 5, 6)]
    assert starts[0] == starts[1] != starts[2]


def test_a_mask_at_the_end_of_an_episode_may_be_empty() -> None:
    """Nothing can be chosen where a game is over; whoever takes a maximum there still needs a number."""

    def room(ends=3):
        return Room(masks=lambda steps: {"action_mask": np.array([steps < 3, 0], np.int8)}, ends=ends)

    sync = [Vectorised(SyncVectorEnv([room], autoreset_mode=mode), 0) for mode in MODES]
    for envs in (Loop([room()], 0), *sync):
        assert envs.masks.tolist() == [[True, False]]
        for _ in range(3):
            step = envs.step(np.zeros(1, np.int64))
        assert step.final_masks.tolist() == [[True, True]]
    with pytest.raises(FaultyEnvironment, match=r"Room, environment 0, step 3 .*action mask is all zeros"):
        transitions(Loop([room(ends=4)], 0), 5)


# --- exact resume ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env_id",
    [
        "CartPole-v1", "rlcore/GridRooms-v0", "rlcore/GridAima-v0", "FrozenLake-v1", "MountainCar-v0", "Acrobot-v1",
        "Blackjack-v1", "Taxi-v4", "CliffWalking-v1", "Pendulum-v1", "LunarLander-v3",
    ],
)  # fmt: skip
@pytest.mark.parametrize("steps", [0, 130])
def test_a_resumed_environment_goes_on_as_if_nothing_had_been(env_id, steps) -> None:
    if env_id.startswith("LunarLander"):
        pytest.importorskip("Box2D")
    envs, again = make(env_id, 3, 11), make(env_id, 3, 11)
    assert same_steps(envs, again, steps)
    resumed = make(env_id, 3, 11)
    assert resumed.restore(*fits(*envs.save())) == []
    assert same_steps(envs, resumed, 130)


@pytest.mark.slow
def test_lunar_landings_are_resumed_after_many_episodes() -> None:
    pytest.importorskip("Box2D")
    envs, other = make("LunarLander-v3", 4, 2), make("LunarLander-v3", 4, 3)
    choose = Choices(envs)
    for _ in range(3000):
        envs.step(choose(envs))
        other.step(choose(other))
    assert other.restore(*fits(*envs.save())) == [], "whatever they flew before"
    assert same_steps(envs, other, 3000)


def test_a_single_grid_world_is_resumed_too() -> None:
    envs, resumed = (Loop([GridWorldEnv("aima") for _ in range(2)], 0, max_steps=100) for _ in range(2))
    choose = Choices(envs)
    for _ in range(57):
        envs.step(choose(envs))
    assert resumed.restore(*fits(*envs.save())) == []
    assert same_steps(envs, resumed, 100)


class Moody(Room):
    """Rolls dice of its own, which no one can seed."""

    def __init__(self, mood: np.random.Generator) -> None:
        super().__init__(shows=lambda steps: mood.random())


class Tired(Room):
    """Can be played once."""

    worn: set = set()  # noqa: RUF012

    def step(self, action):
        if self.steps in self.worn:
            raise RuntimeError("not again")
        self.worn.add(self.steps)
        return super().step(action)


def test_an_episode_that_cannot_be_played_again_begins_anew() -> None:
    rng = np.random.default_rng(0)
    Tired.worn.clear()

    def mixed():
        return Loop([Room(), Moody(rng), Room(), Tired()], 0, max_steps=100)

    envs, resumed = mixed(), mixed()
    for _ in range(10):
        envs.step(np.zeros(4, np.int64))
    arrays, state = fits(*envs.save())
    assert resumed.restore(arrays, state) == [1, 3]
    Tired.worn.clear()
    for _ in range(90):
        step = resumed.step(np.zeros(4, np.int64))
    assert step.ended.tolist() == [0, 2], "the others are still ten steps ahead"
    assert step.returns.tolist() == [5050.0, 5050.0]
    seeds = [env.seeds for env in resumed._envs]
    assert seeds[1][-1] not in (None, seeds[1][0]), "not the episode that it began with once more"


def test_a_saved_episode_of_other_environments_is_refused() -> None:
    saved = make("CartPole-v1", 3, 0).save()
    for other in (make("CartPole-v1", 2, 0), make("Acrobot-v1", 3, 0), make("rlcore/GridRooms-v0", 3, 0)):
        with pytest.raises(ValueError, match="not of this kind and number"):
            other.restore(*saved)


def test_a_vector_environment_without_a_state_begins_anew() -> None:
    def vector():
        return Vectorised(SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2), 0)

    envs, resumed = vector(), vector()
    start = resumed.observations.copy()
    assert not envs.exact
    transitions(envs, 20)
    assert resumed.restore(*fits(*envs.save())) == [0, 1]
    assert not np.array_equal(resumed.observations, start)
    transitions(resumed, 20)


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env_id", "says"),
    [
        ("CartPol-v1", "there is no environment 'CartPol-v1'; did you mean CartPole-v1?"),
        ("cartpole-v1", "did you mean CartPole-v1?"),
        ("rlcore/GridRoms-v0", "did you mean rlcore/GridRooms-v0?"),
        ("CartPole-v7", "there is no environment 'CartPole-v7'; did you mean CartPole-v1?"),
        ("Zzyzx", 'is named "package:Id-v0"'),
        ("", "there is no environment ''"),
        ("Cart Pole", "there is no environment 'Cart Pole'"),
        ("a:b:CartPole-v1", "No module named 'a"),
        ("LunarLander-v2", "LunarLander-v2 is too old for this Gymnasium: .* use `LunarLander-v3` instead"),
        ("no_such_module:Env-v0", "needs a library: No module named 'no_such_module'; is the package"),
    ],
)
def test_an_unknown_id(env_id, says) -> None:
    with pytest.raises(UnusableEnvironment, match=says) as caught:
        make(env_id, 1, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("env_id", "library", "modules", "says"),
    [
        ("LunarLander-v3", "Box2D", "gymnasium.envs.box2d", r'pip install "gymnasium\[box2d\]"'),
        ("HalfCheetah-v5", "mujoco", "gymnasium.envs.mujoco", r'pip install "gymnasium\[mujoco\]"'),
        ("ALE/Pong-v5", "ale_py", "ale_py.", r'pip install "gymnasium\[atari,other\]"'),
        ("PongNoFrameskip-v4", "ale_py", "ale_py.", r'pip install "gymnasium\[atari,other\]"'),
    ],
)
def test_a_missing_library(env_id, library, modules, says, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.startswith(modules)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnusableEnvironment, match=says) as caught:
        make(env_id, 1, 0)
    assert str(caught.value).startswith(env_id)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "room",
    [
        {"space": spaces.Sequence(spaces.Discrete(2))},
        {"actions": spaces.MultiDiscrete([2, 2])},
        {"actions": spaces.Box(-1, 1, (2, 2))},
        {"actions": spaces.Box(0, 5, (2,), np.int64)},
    ],
)
def test_spaces_that_no_agent_can_use(room) -> None:
    with pytest.raises(UnusableEnvironment, match=r"^Room (shows|takes) "):
        Loop([Room(**room)], 0)


@pytest.mark.parametrize("mode", [None, *MODES])
@pytest.mark.parametrize(
    ("room", "says"),
    [
        ({"shows": lambda steps: np.nan if steps == 3 else 1e38}, "step 3 .* shows numbers that are not"),
        ({"shows": np.nan}, "step 0 .* shows numbers that are not finite"),
        ({"reward": np.inf}, "step 1 .* gives a reward of inf"),
        ({"masks": lambda steps: {"action_mask": np.array([1, 0], np.int8) * (steps < 2)}}, "step 2 .* all zeros"),
        ({"masks": lambda steps: {"action_mask": np.ones(3, np.int8)}}, r"step 0 .* shape \(3,\), not \(2,\)"),
        ({"masks": lambda steps: {"action_mask": np.ones(2, np.int8)} if steps % 2 else {}}, "none at others"),
        ({"masks": lambda steps: {} if steps % 2 else {"action_mask": np.ones(2, np.int8)}}, "none at others"),
    ],
)
def test_what_breaks_the_rules_is_named_with_its_step(room, says, mode) -> None:
    def run():
        envs = [lambda: Room(**room)]
        transitions(
            Loop([envs[0]()], 0) if mode is None else Vectorised(SyncVectorEnv(envs, autoreset_mode=mode), 0), 5
        )

    with pytest.raises(FaultyEnvironment, match=rf"^(Room|SyncVectorEnv), environment 0, .*{says}"):
        run()


def test_numbers_that_make_no_environments() -> None:
    for num, steps in ((0, None), (1, 0), (1, -1)):
        with pytest.raises(UnusableEnvironment, match="there are no"):
            make("CartPole-v1", num, 0, max_steps=steps)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_first_environment_is_rendered() -> None:
    envs = make("FrozenLake-v1", 2, 0, render_mode="ansi")
    assert "SFFF" in envs.render().replace("\x1b[41mS\x1b[0m", "S")
    assert envs._envs[1].render_mode is None
    assert isinstance(make("rlcore/GridRooms-v0", 1, 0, render_mode="ansi").render(), str)
    pytest.importorskip("pygame")
    envs = make("CartPole-v1", 1, 0, render_mode="rgb_array")
    pixels = envs.render()
    assert pixels.dtype == np.uint8
    assert pixels.shape[-1] == 3
    envs.close()
    with pytest.raises(UnusableEnvironment, match="CartPole-v1 is not rendered as ansi; there is human, rgb_array"):
        make("CartPole-v1", 1, 0, render_mode="ansi")


def test_a_window_that_cannot_be_opened_is_one_line(monkeypatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    with pytest.raises(UnusableEnvironment, match="GridRooms-v0 cannot be made: no window can be opened here"):
        make("rlcore/GridRooms-v0", 1, 0, render_mode="human")


def test_gymnasium_is_imported_only_where_environments_are_made() -> None:
    code = "import sys, agents.environments; print('gymnasium' in sys.modules, 'torch' in sys.modules)"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
