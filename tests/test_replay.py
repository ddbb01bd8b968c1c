"""Replay, held against episodes kept as plain lists, from which every transition can be read off."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest

from rlcore import replay as module
from rlcore.jit import JIT
from rlcore.replay import Batch, Replay
from rlcore.tensors import read_tensors, write_tensors

ACTIONS = 3


class Step(NamedTuple):
    rewards: Any
    terminated: Any
    truncated: Any
    live: Any
    ended: Any
    final_observations: Any
    final_masks: Any


class Episode:
    """One more observation than steps once it has ended, the last one being the true final one."""

    def __init__(self) -> None:
        self.observations: list[np.ndarray] = []
        self.masks: list[np.ndarray] = []
        self.actions: list[int] = []
        self.rewards: list[float] = []
        self.terminated = False


class Stream:
    """Steps of some environments that end at random, fed to replays, and remembered for ever as lists of episodes.

    Args:
        dead: after an end comes a dead step, as in Gymnasium's NEXT_STEP; else the next episode begins at once.
    """

    def __init__(self, seed: int, n: int, shape: tuple[int, ...], dtype: Any, dead: bool, ends: float = 0.25) -> None:
        self.rng = np.random.default_rng(seed)
        self.n, self.shape, self.dtype, self.dead, self.ends = n, shape, np.dtype(dtype), dead, ends
        self.shown = 0
        self.rows: list[list[tuple[Episode, int] | None]] = []
        self.episodes = [Episode() for _ in range(n)]
        self.pending = np.zeros(n, np.bool_)
        self.observations = np.array([self.show() for _ in range(n)])
        self.masks = np.array([self.allow() for _ in range(n)])

    def show(self) -> np.ndarray:
        """An observation unlike all others."""
        self.shown += 1
        size = int(np.prod(self.shape))
        digits = self.shown // 200 ** np.arange(size) % 200 if self.dtype == np.uint8 else self.shown + np.arange(size)
        return digits.astype(self.dtype).reshape(self.shape)

    def allow(self) -> np.ndarray:
        mask = self.rng.random(ACTIONS) < 0.5
        mask[self.rng.integers(ACTIONS)] = True
        return mask

    def step(self, *replays: Replay) -> None:
        """One step of all environments."""
        n, rng = self.n, self.rng
        actions, rewards, live = rng.integers(0, ACTIONS, n), rng.normal(size=n), ~self.pending
        terminated, truncated = rng.random((2, n)) < self.ends / 2
        terminated &= live
        truncated &= live
        rewards[~live] = 0.0
        ended = np.flatnonzero(terminated | truncated)
        finals, final_masks = [], []
        self.rows.append([None] * n)
        for e in range(n):
            if not live[e]:
                self.begin(e)
                continue
            episode = self.episodes[e]
            self.rows[-1][e] = (episode, len(episode.actions))
            episode.observations.append(self.observations[e].copy())
            episode.masks.append(self.masks[e].copy())
            episode.actions.append(int(actions[e]))
            episode.rewards.append(float(rewards[e]))
            self.observations[e], self.masks[e] = self.show(), self.allow()
            if e in ended:
                self.close(e, bool(terminated[e]))
                finals.append(self.observations[e].copy())
                final_masks.append(self.masks[e].copy())
                if not self.dead:
                    self.begin(e)
        self.pending = (terminated | truncated) & self.dead
        finals_array = np.array(finals, self.dtype).reshape(len(ended), *self.shape)
        masks_array = np.array(final_masks, np.bool_).reshape(len(ended), ACTIONS)
        step = Step(rewards, terminated, truncated, live, ended, finals_array, masks_array)
        for one in replays:
            if one.num_actions == 0:
                one.add(actions, step._replace(final_masks=None), self.observations)
            else:
                one.add(actions, step, self.observations, self.masks)

    def close(self, e: int, terminated: bool) -> None:
        self.episodes[e].observations.append(self.observations[e].copy())
        self.episodes[e].masks.append(self.masks[e].copy())
        self.episodes[e].terminated = terminated
        self.episodes[e] = Episode()

    def begin(self, e: int) -> None:
        self.observations[e], self.masks[e] = self.show(), self.allow()

    def cut(self, indices: list[int], *replays: Replay) -> None:
        """Environments that could not be brought back: their episodes are broken off where they are."""
        for e in indices:
            if self.episodes[e].actions:
                self.close(e, terminated=False)
            self.pending[e] = False
            self.begin(e)
        for one in replays:
            one.cut(indices, self.observations, self.masks if one.num_actions else None)

    def feed(self, *replays: Replay) -> None:
        """Begin."""
        for one in replays:
            one.begin(self.observations, self.masks if one.num_actions else None)

    def there(self, capacity: int) -> set[int]:
        """The indices of what can be drawn."""
        first = max(0, len(self.rows) - -(-capacity // self.n))
        return {r * self.n + e for r in range(first, len(self.rows)) for e in range(self.n) if self.rows[r][e]}


def stacked(observations: list[np.ndarray], t: int, stack: int) -> np.ndarray:
    """The frames up to number t of an episode, the first one repeated at its beginning."""
    if stack == 1:
        return observations[t]
    return np.array([observations[max(0, t - i)] for i in range(stack - 1, -1, -1)])


def check(batch: Batch, stream: Stream, replay: Replay, capacity: int, n_step: int, stack: int) -> None:
    """Every transition of a batch is what the episodes say."""
    assert set(batch.indices.tolist()) <= stream.there(capacity)
    for b, index in enumerate(batch.indices.tolist()):
        episode, t = stream.rows[index // stream.n][index % stream.n]
        steps = len(episode.actions)
        k = min(n_step, steps - t)
        over = t + k == steps
        observations, masks = episode.observations, episode.masks
        if over and len(observations) == steps:  # it goes on; what it shows now is to be acted on
            observations = [*observations, stream.observations[index % stream.n]]
            masks = [*masks, stream.masks[index % stream.n]]
        assert batch.observations[b].tolist() == stacked(observations, t, stack).tolist()
        assert batch.next_observations[b].tolist() == stacked(observations, t + k, stack).tolist()
        assert batch.actions[b] == episode.actions[t]
        assert batch.returns[b] == pytest.approx(
            sum(0.9**i * r for i, r in enumerate(episode.rewards[t : t + k])), abs=1e-5
        )
        assert batch.discounts[b] == pytest.approx(0.0 if over and episode.terminated else 0.9**k)
        allowed = masks[t + k].tolist() if replay.num_actions else [True]
        assert batch.next_masks[b].tolist() == allowed


def make(n: int, shape: tuple[int, ...], dtype: Any, capacity: int, **settings: Any) -> Replay:
    return Replay(capacity, n, shape, dtype, **({"gamma": 0.9, "seed": 5, "num_actions": ACTIONS} | settings))


CASES = [
    # n, shape, dtype, capacity, dead steps, n_step, stack, alpha, masks
    (1, (4,), np.float32, 7, False, 1, 1, 0.0, True),
    (3, (1, 2, 2), np.uint8, 30, True, 3, 4, 0.0, True),
    (3, (1, 2, 2), np.uint8, 31, False, 3, 4, 0.6, True),
    (8, (), np.int64, 100, True, 1, 1, 0.6, False),
    (2, (4,), np.float32, 10, True, 3, 4, 1.0, True),
    (1, (2, 2), np.uint8, 1, False, 3, 2, 0.6, False),
    (8, (3,), np.float32, 400, False, 3, 1, 0.0, True),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_transition_is_what_the_episodes_say(case, seed) -> None:
    """The ring is overwritten many times; episodes end, are broken off, and cannot be resumed."""
    n, shape, dtype, capacity, dead, n_step, stack, alpha, masks = CASES[case]
    settings = {"n_step": n_step, "stack": stack, "alpha": alpha, "num_actions": ACTIONS if masks else 0}
    replay, stream = make(n, shape, dtype, capacity, **settings), Stream(seed, n, shape, dtype, dead)
    stream.feed(replay)
    assert len(replay) == 0
    for _ in range(max(60, 4 * capacity // n)):
        stream.step(replay)
        if stream.rng.random() < 0.1:
            stream.cut(stream.rng.permutation(n)[: stream.rng.integers(n + 1)].tolist(), replay)
        assert len(replay) == len(stream.there(capacity))
        if len(replay):
            batch = replay.sample(int(stream.rng.integers(1, 12)), beta=0.4)
            check(batch, stream, replay, capacity, n_step, stack)
            replay.update(batch.indices, stream.rng.normal(size=len(batch.indices)))
    drawn = {index for _ in range(40) for index in replay.sample(50 * capacity // 10 + 10).indices.tolist()}
    assert alpha > 0.0 or drawn == stream.there(capacity)


@pytest.mark.nojit
@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_kernels_step_through_as_plain_python(alpha) -> None:
    replay, stream = make(2, (2,), np.float32, 8, n_step=2, stack=2, alpha=alpha), Stream(0, 2, (2,), np.float32, True)
    stream.feed(replay)
    for _ in range(12):
        stream.step(replay)
    with np.errstate(over="ignore"):
        batch = replay.sample(5)
        check(batch, stream, replay, 8, 2, 2)
        replay.update(batch.indices, np.ones(5))
        check(replay.sample(5), stream, replay, 8, 2, 2)


def filled(capacity: int = 60, n: int = 3, seed: int = 0, dead: bool = True, **settings: Any) -> tuple[Replay, Stream]:
    """A replay whose ring has been overwritten, and where its steps come from."""
    replay, stream = make(n, (2,), np.float32, capacity, **settings), Stream(seed, n, (2,), np.float32, dead)
    stream.feed(replay)
    for _ in range(3 * capacity // n):
        stream.step(replay)
    return replay, stream


def assert_frequencies(drawn: np.ndarray, probability: dict[int, float]) -> None:
    """Pearson's chi-square within five deviations of its mean."""
    indices, counts = np.unique(drawn, return_counts=True)
    assert set(indices.tolist()) <= set(probability)
    found = dict(zip(indices.tolist(), counts.tolist(), strict=True))
    expected = {index: p * len(drawn) for index, p in probability.items()}
    chi_square = sum((found.get(index, 0) - e) ** 2 / e for index, e in expected.items())
    freedom = len(expected) - 1
    assert chi_square < freedom + 5 * (2 * freedom) ** 0.5


def test_without_priorities_all_are_drawn_alike_and_weigh_the_same() -> None:
    replay, stream = filled()
    there = stream.there(60)
    assert 30 < len(there) < 60  # some are dead
    batch = replay.sample(20_000)
    assert_frequencies(batch.indices, dict.fromkeys(there, 1 / len(there)))
    assert set(batch.weights.tolist()) == {1.0}


def test_transitions_are_drawn_by_their_priorities_and_weigh_as_the_paper_says() -> None:
    """Schaul et al. 2016: P(i) = p_i^alpha / sum, w_i = (N P(i))^-beta / max w, p_i = |error| + a little."""
    replay, stream = filled(alpha=0.7)
    there = sorted(stream.there(60))
    errors = np.random.default_rng(1).normal(size=len(there)) * 3
    replay.update(np.array(there), errors)
    powers = (np.abs(errors) + 1e-6) ** 0.7
    probability = dict(zip(there, (powers / powers.sum()).tolist(), strict=True))
    batch = replay.sample(20_000, beta=0.5)
    assert_frequencies(batch.indices, probability)
    weights = np.array([(len(there) * probability[index]) ** -0.5 for index in batch.indices.tolist()])
    assert batch.weights == pytest.approx(weights / weights.max(), rel=1e-5)


def test_importance_weights_by_hand() -> None:
    replay = Replay(4, 1, (1,), np.float32, gamma=0.9, seed=0, alpha=0.5)
    nothing, no = np.zeros((0, 1), np.float32), np.zeros(1, np.bool_)
    replay.begin(np.zeros((1, 1), np.float32))
    for i in range(4):
        step = Step(np.ones(1), no, no, ~no, np.zeros(0, np.int64), nothing, None)
        replay.add(np.zeros(1, np.int64), step, np.full((1, 1), i + 1, np.float32))
    assert set(replay.sample(100, beta=1.0).weights.tolist()) == {1.0}  # all new, all alike
    replay.update(np.arange(4), np.array([1.0, 4.0, 9.0, 16.0]) - 1e-6)  # P = .1 .2 .3 .4
    batch = replay.sample(400, beta=0.5)
    by_hand = {0: 1.0, 1: (1 / 2) ** 0.5, 2: (1 / 3) ** 0.5, 3: 1 / 2}
    assert set(batch.indices.tolist()) == set(by_hand)
    for index, weight in zip(batch.indices.tolist(), batch.weights.tolist(), strict=True):
        assert weight == pytest.approx(by_hand[index])


def test_what_is_new_has_the_greatest_priority_so_far() -> None:
    replay, stream = filled(alpha=1.0, dead=False)
    first = min(stream.there(60))
    replay.update(np.array([first]), np.array([-7.0]))
    replay.update(np.array([first]), np.array([0.5]))
    stream.step(replay)
    arrays, state = replay.save()
    newest = (state["row"] - 1) % len(arrays["ended"])
    assert arrays["priorities"].reshape(-1, 3)[newest].tolist() == [7.0 + 1e-6] * 3


def test_overwritten_transitions_take_no_priorities() -> None:
    """Between a draw and its errors others may have come in; the numbers of rows do not come again."""
    replay, stream = filled(alpha=0.6)
    there = stream.there(60)
    everything = np.arange(min(there) - 200, max(there) + 20)
    gone = np.array([index for index in everything.tolist() if index not in there])  # dead, overwritten, yet to come
    before = replay.save()[0]["priorities"].copy()
    replay.update(gone, np.full(len(gone), 50.0))
    assert replay.save()[0]["priorities"].tolist() == before.tolist()
    assert replay.save()[1]["greatest"] == 1.0
    with pytest.raises(ValueError, match="not a finite number"):
        replay.update(np.array(sorted(there)[:2]), np.array([1.0, np.nan]))
    assert replay.save()[0]["priorities"].tolist() == before.tolist()


@pytest.mark.nojit
def test_the_sum_tree_finds_what_cumulated_sums_say() -> None:
    rng = np.random.default_rng(0)
    priorities = rng.integers(0, 5, 16).astype(np.float64) * rng.integers(0, 2, 16)
    sums = np.zeros(32)
    for leaf in rng.permutation(16):
        module._set(sums, int(leaf), 99.0)
        module._set(sums, int(leaf), priorities[leaf])
    assert sums[1] == priorities.sum()
    for target in np.arange(0.0, priorities.sum(), 0.5):
        assert module._find(sums, target) == np.searchsorted(priorities.cumsum(), target, side="right")
    assert priorities[module._find(sums, priorities.sum())] > 0  # a target that rounding took too far
    again = np.zeros(32)
    again[16:] = priorities
    module._sum_up(again)
    assert again.tolist() == sums.tolist()


def test_a_time_limit_changes_no_value() -> None:
    """One state that pays 1 for ever, broken off every 5 steps, is worth 1 / (1 - gamma), not five steps' pay."""
    replay = Replay(100, 1, (), np.int64, gamma=0.9, n_step=3, seed=0)
    replay.begin(np.zeros(1, np.int64))
    no, yes = np.zeros(1, np.bool_), np.ones(1, np.bool_)
    for t in range(1, 101):
        over = t % 5 == 0
        step = Step(
            np.ones(1), no, yes if over else no, yes, np.flatnonzero([over]), np.ones(int(over), np.int64), None
        )
        replay.add(np.zeros(1, np.int64), step, np.zeros(1, np.int64))
    value = 0.0
    for _ in range(150):
        batch = replay.sample(64)
        value = float((batch.returns + batch.discounts * value).mean())
    assert value == pytest.approx(10.0, rel=1e-3)
    short = batch.discounts[batch.next_observations == 1]  # the true final observation
    assert np.unique(short) == pytest.approx([0.9**3, 0.9**2, 0.9])


def test_where_nothing_can_be_chosen_at_the_end_everything_may_be() -> None:
    """An empty mask would make the greatest value there -inf, and -inf times no discount NaN."""
    replay = Replay(4, 1, (), np.int64, gamma=0.9, seed=0, num_actions=2)
    yes, no = np.ones(1, np.bool_), np.zeros(1, np.bool_)
    replay.begin(np.zeros(1, np.int64), np.array([[True, False]]))
    end = Step(np.ones(1), yes, no, yes, np.zeros(1, np.int64), np.ones(1, np.int64), np.array([[False, False]]))
    replay.add(np.zeros(1, np.int64), end, np.zeros(1, np.int64), np.array([[False, True]]))
    assert replay.sample(1).next_masks.tolist() == [[True, True]]
    replay.add(np.zeros(1, np.int64), end._replace(final_masks=None), np.zeros(1, np.int64), None)
    assert replay.sample(50).next_masks.all()


def through_a_file(replay: Replay) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``save`` gives, written and read again."""
    arrays, state = replay.save()
    return read_tensors(write_tensors(arrays)), json.loads(json.dumps(state))


@pytest.mark.parametrize("case", range(len(CASES)))
def test_a_restored_replay_goes_on_bit_for_bit(case) -> None:
    n, shape, dtype, capacity, dead, n_step, stack, alpha, masks = CASES[case]
    settings = {"n_step": n_step, "stack": stack, "alpha": alpha, "num_actions": ACTIONS if masks else 0}
    one, stream = make(n, shape, dtype, capacity, **settings), Stream(case, n, shape, dtype, dead)
    another = make(n, shape, dtype, capacity, **settings | {"seed": 6})
    another.restore(*through_a_file(one))  # before it has begun
    stream.feed(one, another)
    for row in range(3 * capacity // n + 10):
        stream.step(one, another)
        if row % 7 == 0:
            another = make(n, shape, dtype, capacity, **settings | {"seed": row})
            another.restore(*through_a_file(one))
        assert len(one) == len(another)
        if len(one):
            batches = one.sample(9, beta=0.5), another.sample(9, beta=0.5)
            for mine, other in zip(*batches, strict=True):
                assert mine.tolist() == other.tolist()
            check(batches[1], stream, another, capacity, n_step, stack)
            for replay in (one, another):
                replay.update(batches[0].indices, batches[0].returns)


def test_only_what_is_filled_is_saved() -> None:
    replay, stream = make(2, (2,), np.float32, 10_000, alpha=0.6), Stream(0, 2, (2,), np.float32, False)
    stream.feed(replay)
    for _ in range(10):
        stream.step(replay)
    assert sum(array.nbytes for array in replay.save()[0].values()) < 22 * (8 + ACTIONS + 13 + 8) + 20 * (8 + ACTIONS)


def test_a_replay_of_another_shape_is_not_restored() -> None:
    saved, _ = filled(alpha=0.6)
    arrays, state = through_a_file(saved)
    replay, stream = filled(alpha=0.6, seed=1)
    for wrong, said in (
        (make(3, (2,), np.float32, 90, alpha=0.6), "capacity 60, not 90"),
        (make(3, (3,), np.float32, 60, alpha=0.6), r"shape \[2\]"),
        (make(3, (2,), np.int64, 60, alpha=0.6), "dtype float32"),
        (make(3, (2,), np.float32, 60, alpha=0.6, stack=2), "stack 1"),
        (make(3, (2,), np.float32, 60), "prioritised True"),
    ):
        with pytest.raises(ValueError, match=said):
            wrong.restore(arrays, state)
    for name, array in arrays.items():
        for damaged in (None, array[:-1], array.astype(np.float16)):
            with pytest.raises(ValueError, match=f"{name} of the saved replay"):
                replay.restore(arrays | {name: damaged}, state)
    check(replay.sample(50), stream, replay, 60, 1, 1)  # as it was


def test_what_is_wrong_is_refused_and_nothing_changed() -> None:
    replay, stream = filled(capacity=30)
    before = through_a_file(replay)
    yes, no = np.ones(3, np.bool_), np.zeros(3, np.bool_)
    good = Step(np.ones(3), no, no, yes, np.zeros(0, np.int64), np.zeros((0, 2), np.float32), None)
    ends = good._replace(terminated=yes, ended=np.arange(3), final_observations=np.zeros((3, 2), np.float32))
    shown = np.zeros((3, 2), np.float32)
    for step, observations, masks, said in (
        (good, shown[:2], None, r"observations have shape \(2, 2\) instead of \(3, 2\)"),
        (good, shown, np.ones((3, 2), np.bool_), r"masks have shape \(3, 2\) instead of \(3, 3\)"),
        (good._replace(live=yes[:2]), shown, None, r"\(2,\) instead of \(3,\)"),
        (good._replace(terminated=yes), shown, None, "step.ended"),
        (ends._replace(terminated=no), shown, None, "step.ended"),
        (ends._replace(live=no), shown, None, "step.ended"),
        (ends._replace(ended=np.array([0, 1, 1])), shown, None, "step.ended"),
        (ends._replace(final_observations=shown[:2]), shown, None, r"observations have shape \(2, 2\)"),
    ):
        with pytest.raises(ValueError, match=said):
            replay.add(np.zeros(3, np.int64), step, observations, masks)
    with pytest.raises(ValueError, match="begun already"):
        replay.begin(stream.observations)
    now = through_a_file(replay)
    assert before[1] == now[1]
    assert all(before[0][name].tolist() == now[0][name].tolist() for name in now[0])
    for call in (lambda r: r.add(np.zeros(3), good, shown), lambda r: r.cut([0], shown)):
        with pytest.raises(ValueError, match="begins with begin"):
            call(make(3, (2,), np.float32, 30))
    for size in (1, 0):
        with pytest.raises(ValueError, match=f"cannot draw {size} of 0"):
            make(3, (2,), np.float32, 30).sample(size)
    for name, value in {"n_step": 0, "stack": 0, "capacity": 0, "gamma": 1.5, "alpha": -1.0}.items():
        with pytest.raises(ValueError, match=name):
            Replay(
                **{"capacity": 9, "num_envs": 3, "shape": (2,), "dtype": "f4", "gamma": 0.9, "seed": 0} | {name: value}
            )
    with pytest.raises(TypeError, match="Cannot cast"):
        make(3, (2,), np.uint8, 30).begin(shown)  # would be cut off to whole numbers


def test_arrays_of_any_type_and_layout_are_taken_and_copied() -> None:
    plain, other = (make(4, (3, 2), np.float32, 40) for _ in range(2))
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(4, 3, 2)).astype(np.float32)
    plain.begin(shown)
    turned = np.asfortranarray(shown.astype(np.float64))
    other.begin(turned)
    turned[:] = 0.0
    for _ in range(30):
        rewards, terminated, no = rng.normal(size=4), rng.random(4) < 0.5, np.zeros(4, np.bool_)
        ended = np.flatnonzero(terminated)
        step = Step(rewards, terminated, no, ~no, ended, shown[ended], rng.random((len(ended), ACTIONS)) < 0.9)
        masks, actions = rng.random((4, ACTIONS)) < 0.5, rng.integers(0, ACTIONS, 4)
        shown = rng.normal(size=(4, 3, 2)).astype(np.float32)
        plain.add(actions, step, shown, masks)
        frozen = [np.asfortranarray(array) for array in (masks.astype(np.int8), shown.astype(np.float64))]
        for array in frozen:
            array.flags.writeable = False
        spread = Step(
            np.repeat(rewards, 2)[::2], np.repeat(terminated, 2)[::2], no.tolist(), (~no).astype(np.int8),
            ended.astype(np.int32), np.asfortranarray(step.final_observations), step.final_masks.astype(np.int8),
        )  # fmt: skip
        other.add(actions.astype(np.int32).tolist(), spread, frozen[1], frozen[0])
        for mine, its in zip(plain.sample(20), other.sample(20), strict=True):
            assert mine.tolist() == its.tolist()


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_kernels_are_compiled_once_whatever_is_stored() -> None:
    for shape, dtype in (((4,), np.float32), ((1, 2, 2), np.uint8), ((), np.int64)):
        for settings in ({"alpha": 0.5}, {"alpha": 1}, {"stack": 2}, {"num_actions": 0}):
            replay, stream = make(2, shape, dtype, 8, **settings), Stream(0, 2, shape, dtype, True)
            stream.observations.flags.writeable = False  # would be a type of its own
            stream.feed(replay)
            stream.observations.flags.writeable = True
            for _ in range(8):
                stream.step(replay)
            errors = np.ones(3, np.float32)
            errors.flags.writeable = False
            replay.update(replay.sample(3).indices.tolist(), errors)
    assert [len(kernel.signatures) for kernel in (module._add, module._sample, module._update)] == [1, 1, 1]


def test_a_batch_of_the_same_size_lies_in_the_same_memory() -> None:
    replay, _ = filled()
    first = replay.sample(8)
    assert all(one is other for one, other in zip(first, replay.sample(8), strict=True))


def test_memory_is_what_the_documentation_says() -> None:
    for shape, dtype, stack, alpha, each in (
        ((4,), np.float32, 1, 0.0, 33),
        ((4,), np.float32, 1, 0.6, 33 + 21),
        ((1, 84, 84), np.uint8, 4, 0.0, 7073),
    ):
        replay = Replay(100_000, 1, shape, dtype, gamma=0.99, seed=0, stack=stack, alpha=alpha)
        assert replay.nbytes / 100_000 == pytest.approx(each, rel=0.01)
        assert f"{min(each, 33) if each < 100 else each:,}" in (Replay.__doc__ or "")
