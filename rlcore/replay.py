"""Experience replay: the latest steps of some environments, and batches of transitions drawn from them.

Every observation is stored once, in a ring of rows; a row holds what each environment showed, what was done then and
what came of it. The next observation of a step is that of the row after it, except where an episode ended: the next row
begins another one there, so the true final observation lies in a table beside the ring. Frames are stacked and n-step
sums made when a batch is drawn.

    row   observation                      action   reward   ended
      7   o7                               a7       r7       0
      8   o8                               a8       r8       2, and beside the ring: the final observation
      9   o9, first of the next episode    -        -        -        the open row: nothing is done there yet

Transitions are drawn with replacement, alike or by priority: Schaul et al. 2016, "Prioritized experience replay", the
proportional variant with a sum tree and one draw from each of B equal shares of the sum (section 3.3, appendix B.2.1).
Differences from the paper: (1) what is new gets the greatest priority that there ever was, though it may be gone;
(2) weights are divided by the greatest of the batch.
"""

import math
from typing import Any, NamedTuple, Protocol

import numpy as np

from rlcore.jit import Array, entry, njit
from rlcore.returns import DEAD, GOES_ON, TERMINATED, TRUNCATED, window
from rlcore.rng import below, seed_of, uniform

__all__ = ["Batch", "Replay", "StepLike"]

_LEAST_ERROR = 1e-6  # added to all, so that a transition without error is drawn now and then
_FIRST_FINALS = 64  # final observations that there is room for at first; a power of two
_SLOTS = 0x7FFFFFFF  # numbers of final observations are counted round, within 31 bits
_ROW, _COUNT, _FINALS_FROM, _FINALS_TO = 0, 1, 2, 3  # of _Memory.counters
_BEGIN = "a replay begins with begin(observations)"
_NOT_BEGUN, _WRONG_ENDS = 1, 2  # what _add may complain of


class StepLike(Protocol):
    """What one step of n environments brought; ``agents.environments.Step`` is one."""

    @property
    def rewards(self) -> Array:
        """[n] float"""

    @property
    def terminated(self) -> Array:
        """[n] bool"""

    @property
    def truncated(self) -> Array:
        """[n] bool"""

    @property
    def live(self) -> Array:
        """[n] bool: False where it was no step, but a dead one after an end."""

    @property
    def ended(self) -> Array:
        """[k] int64: the environments where an episode ended, terminated or truncated, in ascending order."""

    @property
    def final_observations(self) -> Array:
        """[k, *shape]: the last observations of those."""

    @property
    def final_masks(self) -> Array | None:
        """[k, A] bool: what could have been chosen there; None = everything."""


class Batch(NamedTuple):
    """B transitions; the arrays are the replay's own, the same for every batch of that size, overwritten by the next.

    A learner's target is ``returns + discounts * value(next_observations)``.
    """

    observations: Array
    """[B, *shape], or [B, stack, *shape], the oldest frame first."""
    actions: Array
    """[B] int64"""
    returns: Array
    """[B] float32: the discounted rewards of the k steps that were taken, up to n."""
    discounts: Array
    """[B] float32: gamma^k; 0 where the episode terminated."""
    next_observations: Array
    """As ``observations``: after those k steps, the final observation where the episode ended."""
    next_masks: Array
    """[B, A] bool: what may be chosen there, never nothing; [B, 1] of True where no masks are stored."""
    indices: Array
    """[B] int64: which transitions they are, for ``update``: row * n + environment, rows counted from the first."""
    weights: Array
    """[B] float32: importance weights, the greatest 1."""


class _Memory(NamedTuple):
    """All arrays of a replay: T rows of n environments. Row number r lies at r % T."""

    frames: Array
    """[T * n, bytes] uint8: observations."""
    masks: Array
    """[T * n, A] uint8"""
    actions: Array
    """[T, n] int64"""
    rewards: Array
    """[T, n] float32"""
    ended: Array
    """[T, n] uint8: as in ``rlcore.returns``; GOES_ON in the open row."""
    slots: Array
    """[T, n] int32: where the final observation lies, or -1: slot & (F - 1) in the table, F a power of two."""
    final_frames: Array
    """[F, bytes] uint8: a ring of its own; what a row has there leaves with the row."""
    final_masks: Array
    """[F, A] uint8"""
    sums: Array
    """[2 P] float64: priorities as a sum tree, P the power of two from T * n on: node i has the children 2 i and
    2 i + 1, the leaf of a row's place and environment is P + place * n + environment. Empty for uniform draws."""
    greatest: Array
    """[1] float64: the greatest priority so far."""
    counters: Array
    """[4] int64: the open row's number, transitions to draw from, first and last + 1 of the final observations."""
    rng: Array
    """[1] uint64"""


class _Settings(NamedTuple):
    capacity: int
    """Rows to draw from."""
    stack: int
    n_step: int
    gamma: float


class _Buffers(NamedTuple):
    """A batch's memory as kernels see it: frames as bytes, S to an observation."""

    frames: Array
    """[B * S, bytes] uint8"""
    actions: Array
    returns: Array
    discounts: Array
    next_frames: Array
    """[B * S, bytes] uint8"""
    next_masks: Array
    """[B, A] uint8"""
    indices: Array
    weights: Array


class Replay:
    """Holds the latest ``capacity`` transitions, or up to n - 1 more: whole rows of n environments.

    A transition takes the bytes of one observation and of A mask entries, 17 bytes, 16 to 32 more where there are
    priorities, and where an episode ends one more observation and mask: 33 bytes in CartPole, 7,073 with frames of
    84 by 84, whatever the stack. The system hands the memory out as it fills.

    Args:
        capacity: transitions to hold; dead steps among them take room, too.
        num_envs: n; shape, dtype: of one environment's observation.
        gamma: discount a step; n_step: rewards that are summed before the next observation, at most.
        seed: of the draws.
        num_actions: A, or 0 where nothing is ever masked.
        stack: frames to an observation: the last ones of the same episode, at its beginning the first one repeated.
        alpha: how much priorities count; 0 = transitions are drawn alike.

    Raises:
        ValueError: a number makes no sense.
    """

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        shape: tuple[int, ...],
        dtype: Any,
        *,
        gamma: float,
        seed: int,
        n_step: int = 1,
        num_actions: int = 0,
        stack: int = 1,
        alpha: float = 0.0,
    ) -> None:
        for name, number in (("capacity", capacity), ("num_envs", num_envs), ("n_step", n_step), ("stack", stack)):
            if number < 1:
                raise ValueError(f"{name} must be at least 1, not {number}")
        for name, share in (("gamma", gamma), ("alpha", alpha)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {share}")
        self.num_envs, self.shape, self.dtype = num_envs, tuple(shape), np.dtype(dtype)
        self.num_actions, self.alpha = num_actions, float(alpha)
        self._settings = _Settings(-(-capacity // num_envs), stack, n_step, float(gamma))
        self._size = math.prod(self.shape)  # numbers in an observation
        self._memory = self._new_memory(seed)
        self._batch, self._buffers = self._new_batch(0)
        self._no_masks = np.ones((num_envs, num_actions), np.uint8)
        self._add: Any = None  # kernels as called without a look at the types: everything is of one dtype here
        self._sample: Any = None
        self._update: Any = None

    def _new_memory(self, seed: int) -> _Memory:
        rows, n, width = self._settings.capacity + self._settings.stack, self.num_envs, self._size * self.dtype.itemsize
        leaves = 1 << (rows * n - 1).bit_length() if self.alpha > 0.0 else 0
        return _Memory(
            frames=np.zeros((rows * n, width), np.uint8),
            masks=np.zeros((rows * n, self.num_actions), np.uint8),
            actions=np.zeros((rows, n), np.int64),
            rewards=np.zeros((rows, n), np.float32),
            ended=np.zeros((rows, n), np.uint8),
            slots=np.full((rows, n), -1, np.int32),
            final_frames=np.zeros((_FIRST_FINALS, width), np.uint8),
            final_masks=np.zeros((_FIRST_FINALS, self.num_actions), np.uint8),
            sums=np.zeros(2 * leaves),
            greatest=np.ones(1),
            counters=np.array([-1, 0, 0, 0]),
            rng=np.array([seed_of(seed)]),
        )

    def _new_batch(self, size: int) -> tuple[Batch, _Buffers]:
        stack = self._settings.stack
        shape = (size, *self.shape) if stack == 1 else (size, stack, *self.shape)
        batch = Batch(
            observations=np.zeros(shape, self.dtype),
            actions=np.zeros(size, np.int64),
            returns=np.zeros(size, np.float32),
            discounts=np.zeros(size, np.float32),
            next_observations=np.zeros(shape, self.dtype),
            next_masks=np.ones((size, self.num_actions or 1), np.bool_),
            indices=np.zeros(size, np.int64),
            weights=np.ones(size, np.float32),
        )
        frames, next_frames = (
            array.reshape(size * stack, self._size).view(np.uint8)
            for array in (batch.observations, batch.next_observations)
        )
        masks = batch.next_masks.view(np.uint8) if self.num_actions else np.zeros((size, 0), np.uint8)
        return batch, _Buffers(frames, *batch[1:4], next_frames, masks, *batch[6:])

    def __len__(self) -> int:
        """Transitions that can be drawn."""
        return int(self._memory.counters[_COUNT])

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes when full; final observations as many as there is room for now."""
        return sum(array.nbytes for array in (*self._memory, *self._buffers))

    # --- what comes in -----------------------------------------------------------------------------------------------

    def begin(self, observations: Array, masks: Array | None = None) -> None:
        """Open the first row.

        Args:
            observations: [n, *shape], to act on now; masks: [n, A] bool, what may be chosen there, None = everything.

        Raises:
            ValueError: it has begun already; or a wrong shape.
        """
        if self._memory.counters[_ROW] >= 0:
            raise ValueError("this replay has begun already")
        self._memory.frames[: self.num_envs] = self._frames_of(observations, self.num_envs)
        self._memory.masks[: self.num_envs] = self._masks_of(masks, self.num_envs)
        self._memory.counters[_ROW] = 0

    def add(self, actions: Array, step: StepLike, observations: Array, masks: Array | None = None) -> None:
        """Close the open row with what was done and what came of it, and open the next one.

        Args:
            actions: [n] int, as they were chosen.
            observations: [n, *shape], to act on next: where an episode ended the first of the next one or, before a
                dead step, anything; masks: [n, A] bool, None = everything.

        Raises:
            ValueError: ``begin`` comes first; or a wrong shape, or ``step`` contradicts itself. Nothing is changed.
        """
        n, ends = self.num_envs, len(step.ended)
        flags = (step.terminated, step.truncated, step.live)
        arguments = (
            _vector(actions, np.int64, n),
            _vector(step.rewards, np.float64, n),
            *[_vector(flag, np.bool_, n) for flag in flags],
            _vector(step.ended, np.int64, ends),
            self._frames_of(step.final_observations, ends) if ends else self._memory.final_frames[:0],
            self._masks_of(step.final_masks, ends) if ends else self._no_masks[:0],
            self._frames_of(observations, n),
            self._masks_of(masks, n),
        )
        self._memory = _with_room(self._memory, ends)
        if self._add is None:
            self._add = entry(_add, self._memory, self._settings, *[array.copy() for array in arguments])
        wrong = self._add(self._memory, self._settings, *arguments)
        if wrong == _NOT_BEGUN:
            raise ValueError(_BEGIN)
        if wrong:
            raise ValueError(
                "step.ended must name, in ascending order, the environments whose live step ended an episode"
            )

    def cut(self, indices: Array | list[int], observations: Array, masks: Array | None = None) -> None:
        """Break episodes off that could not be resumed: the step before now is truncated, and another episode begins.

        What was to be acted on is the true final observation then. Where an episode was about to begin anyway, only
        its first observation changes.

        Args:
            indices: [k], of environments.
            observations: [n, *shape], to act on now; only those of ``indices`` are taken; masks: [n, A], likewise.

        Raises:
            ValueError: ``begin`` comes first; or a wrong shape.
        """
        n, row = self.num_envs, int(self._memory.counters[_ROW])
        if row < 0:
            raise ValueError(_BEGIN)
        frames, allowed = self._frames_of(observations, n), self._masks_of(masks, n)
        self._memory = memory = _with_room(self._memory, len(indices))
        place, before = row % len(memory.ended), (row - 1) % len(memory.ended)
        for environment in indices:
            now = place * n + environment
            if row > 0 and memory.ended[before, environment] == GOES_ON:
                memory.ended[before, environment] = TRUNCATED
                _keep_final(memory, before, environment, memory.frames, memory.masks, now)
            memory.frames[now], memory.masks[now] = frames[environment], allowed[environment]

    def _frames_of(self, observations: Array, count: int) -> Array:
        """[count, *shape] observations as [count, bytes] uint8."""
        found = np.asarray(observations)
        if found.shape != (count, *self.shape):
            raise ValueError(f"observations have shape {found.shape} instead of {(count, *self.shape)}")
        if found.dtype != self.dtype:
            found = found.astype(self.dtype, casting="same_kind")
        return np.ascontiguousarray(found).reshape(count, self._size).view(np.uint8)

    def _masks_of(self, masks: Array | None, count: int) -> Array:
        """[count, A] masks as uint8."""
        if masks is None:
            return self._no_masks if count == self.num_envs else np.ones((count, self.num_actions), np.uint8)
        found = np.ascontiguousarray(masks, np.bool_)
        if found.shape != (count, self.num_actions):
            raise ValueError(f"masks have shape {found.shape} instead of {(count, self.num_actions)}")
        return found.view(np.uint8)

    # --- what goes out -----------------------------------------------------------------------------------------------

    def sample(self, batch_size: int, beta: float = 1.0) -> Batch:
        """Draw transitions with replacement; the next call overwrites them.

        Near the open row fewer than n steps are taken, as many as are there. With priorities P(i) is transition i's
        share of their sum, and its weight (N P(i))^-beta, divided by the greatest of the batch (Schaul et al. 2016,
        section 3.4); else all weights are 1.

        Raises:
            ValueError: there is nothing to draw from, or no batch of that size.
        """
        if batch_size < 1 or not self._memory.counters[_COUNT]:
            raise ValueError(f"cannot draw {batch_size} of {len(self)} transitions")
        if batch_size != len(self._batch.actions):
            self._batch, self._buffers = self._new_batch(batch_size)
        if self._sample is None:
            self._sample = entry(_sample, self._memory, self._settings, self._buffers, 1.0)
        self._sample(self._memory, self._settings, self._buffers, float(beta))
        return self._batch

    def update(self, indices: Array, errors: Array) -> None:
        """Give transitions the priorities (|error| + 1e-6)^alpha; those that have been overwritten are passed over.

        Args:
            indices: [B] int64, of a batch; errors: [B] float, what each was off by.

        Raises:
            ValueError: an error is not finite, or a wrong shape. Nothing is changed.
        """
        if self.alpha == 0.0:
            return
        indices = _vector(indices, np.int64, len(indices))
        errors = _vector(errors, np.float64, len(indices))
        if not np.isfinite(errors).all():
            raise ValueError("a transition's error is not a finite number, so it gives no priority")
        if self._update is None:
            self._update = entry(_update, self._memory, self._settings, indices.copy(), errors.copy(), self.alpha)
        self._update(self._memory, self._settings, indices, errors, self.alpha)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def save(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Everything that ``restore`` needs to go on as if nothing had happened: arrays by name, and JSON.

        Only the part that is filled is in the arrays. Most are views: write or copy them before the next call.
        """
        memory = self._memory
        row = int(memory.counters[_ROW])
        held = min(row + 1, len(memory.ended))
        slots = memory.slots[_places(row, len(memory.slots))]
        slots = slots[slots >= 0] & (len(memory.final_frames) - 1)
        observations = memory.frames[: held * self.num_envs].view(self.dtype)
        arrays = {
            "observations": observations.reshape(held, self.num_envs, *self.shape),
            "masks": memory.masks[: held * self.num_envs],
            "actions": memory.actions[:held],
            "rewards": memory.rewards[:held],
            "ended": memory.ended[:held],
            "final_observations": memory.final_frames[slots].view(self.dtype).reshape(len(slots), *self.shape),
            "final_masks": memory.final_masks[slots],
            "priorities": memory.sums[len(memory.sums) // 2 :][: held * self.num_envs],
        }
        state = {
            "made_for": self._made_for(),
            "row": row,
            "greatest": float(memory.greatest[0]),
            "rng": int(memory.rng[0]),
        }
        return arrays, state

    def restore(self, arrays: dict[str, Array], state: dict[str, Any]) -> None:
        """Go on from what ``save`` gave: draws and all, bit for bit. ``gamma``, ``n_step`` and ``alpha`` may be others.

        Raises:
            ValueError: it was saved by a replay of another shape, or is damaged. Nothing is changed.
        """
        saved, made_for = state.get("made_for") or {}, self._made_for()
        for name, here in made_for.items():
            if saved.get(name) != here:
                raise ValueError(
                    f"the replay was saved with {name} {saved.get(name)}, not {here}: resume with the same"
                )
        row = int(state["row"])
        memory = self._new_memory(0)
        memory.counters[_ROW], memory.greatest[0], memory.rng[0] = row, state["greatest"], np.uint64(state["rng"])
        held, places = min(row + 1, len(memory.ended)), _places(row, len(memory.ended))
        n, cells = self.num_envs, held * self.num_envs
        _fill(memory.actions[:held], arrays, "actions")
        _fill(memory.rewards[:held], arrays, "rewards")
        _fill(memory.ended[:held], arrays, "ended")
        _fill(memory.masks[:cells], arrays, "masks")
        _fill(memory.frames[:cells].view(self.dtype).reshape(held, n, *self.shape), arrays, "observations")
        ended = memory.ended[places]
        with_final = (ended == TERMINATED) | (ended == TRUNCATED)
        ends = int(with_final.sum())
        memory.slots[places] = np.where(with_final, with_final.cumsum().reshape(ended.shape) - 1, -1)
        memory.counters[_FINALS_TO] = ends
        memory = _with_room(memory, ends)
        _fill(memory.final_frames[:ends].view(self.dtype).reshape(ends, *self.shape), arrays, "final_observations")
        _fill(memory.final_masks[:ends], arrays, "final_masks")
        memory.counters[_COUNT] = (ended[-1 - self._settings.capacity : -1] != DEAD).sum()
        if len(memory.sums):
            _fill(memory.sums[len(memory.sums) // 2 :][:cells], arrays, "priorities")
            _sum_up(memory.sums)
        self._memory = memory

    def _made_for(self) -> dict[str, Any]:
        """What must be the same where it goes on."""
        return {
            "capacity": self._settings.capacity * self.num_envs,
            "num_envs": self.num_envs,
            "shape": list(self.shape),
            "dtype": self.dtype.name,
            "num_actions": self.num_actions,
            "stack": self._settings.stack,
            "prioritised": self.alpha > 0.0,
        }


def _vector(values: Array, dtype: type, count: int) -> Array:
    """[count] numbers as kernels take them.

    Raises:
        ValueError: they have another shape.
    """
    found: Array = np.ascontiguousarray(values, dtype)
    if found.shape != (count,):
        raise ValueError(f"an array has shape {np.shape(values)} instead of {(count,)}")
    return found


def _places(row: int, rows: int) -> Array:
    """Where the rows up to the open one, ``row``, lie among ``rows`` places, oldest first."""
    return np.arange(max(0, row + 1 - rows), row + 1) % rows


def _fill(target: Array, arrays: dict[str, Array], name: str) -> None:
    """Copy a saved array to its place.

    Raises:
        ValueError: there is none of that name, shape and dtype.
    """
    saved = arrays.get(name)
    if saved is None or saved.shape != target.shape or saved.dtype != target.dtype:
        found = "is missing" if saved is None else f"has shape {saved.shape} and dtype {saved.dtype}"
        raise ValueError(f"{name} of the saved replay {found}; wanted are {target.shape} and {target.dtype}")
    target[...] = saved


def _with_room(memory: _Memory, ends: int) -> _Memory:
    """The same, with a table of final observations that takes ``ends`` more: doubled until it does."""
    first, behind = int(memory.counters[_FINALS_FROM]), int(memory.counters[_FINALS_TO])
    size = larger = len(memory.final_frames)
    while behind - first + ends > larger:
        larger *= 2
    if larger == size:
        return memory
    numbers = np.arange(first, behind)
    frames, masks = (np.zeros((larger, old.shape[1]), np.uint8) for old in (memory.final_frames, memory.final_masks))
    frames[numbers % larger] = memory.final_frames[numbers % size]
    masks[numbers % larger] = memory.final_masks[numbers % size]
    return memory._replace(final_frames=frames, final_masks=masks)


def _sum_up(sums: Array) -> None:
    """Make a sum tree's inner nodes from its leaves."""
    level = len(sums) // 4
    while level:
        sums[level : 2 * level] = sums[2 * level : 4 * level : 2] + sums[2 * level + 1 : 4 * level : 2]
        level //= 2


# --- kernels ---------------------------------------------------------------------------------------------------------


@njit
def _copy(source: Array, i: int, target: Array, j: int) -> None:
    """Row i of one table of bytes to row j of another."""
    for k in range(target.shape[1]):
        target[j, k] = source[i, k]


@njit
def _keep_final(memory: _Memory, place: int, environment: int, frames: Array, masks: Array, source: int) -> None:
    """Take row ``source`` of frames and masks in as the final observation of a step; room for it is there.

    Where nothing could be chosen any more, everything may be: what is best there counts for nothing, but is a number.
    """
    number = memory.counters[_FINALS_TO]
    slot = number & (memory.final_frames.shape[0] - 1)
    _copy(frames, source, memory.final_frames, slot)
    _copy(masks, source, memory.final_masks, slot)
    some = 0
    for k in range(masks.shape[1]):
        some |= masks[source, k]
    if some == 0:
        memory.final_masks[slot, :] = 1
    memory.slots[place, environment] = number & _SLOTS
    memory.counters[_FINALS_TO] = number + 1


@njit
def _set(sums: Array, leaf: int, priority: float) -> None:
    """Change a leaf of a sum tree. Sums are made anew from their two parts, so they do not drift."""
    node = sums.shape[0] // 2 + leaf
    sums[node] = priority
    while node > 1:
        node //= 2
        sums[node] = sums[2 * node] + sums[2 * node + 1]


@njit
def _find(sums: Array, target: float) -> int:
    """The leaf where the running sum of priorities passes ``target``, from 0 on and less than their sum.

    A leaf of priority 0 is never found, whatever is rounded on the way.
    """
    leaves = sums.shape[0] // 2
    node = 1
    while node < leaves:
        node *= 2
        if target >= sums[node] and sums[node + 1] > 0.0:
            target -= sums[node]
            node += 1
    return node - leaves


@njit
def _add(
    memory: _Memory,
    settings: _Settings,
    actions: Array,
    rewards: Array,
    terminated: Array,
    truncated: Array,
    live: Array,
    ended: Array,
    final_frames: Array,
    final_masks: Array,
    frames: Array,
    masks: Array,
) -> int:
    """Close the open row and open the next one; returns 0, or what is wrong, and then nothing is changed."""
    row, (rows, n) = memory.counters[_ROW], memory.ended.shape
    if row < 0:
        return _NOT_BEGUN
    ends = 0
    for e in range(n):
        if live[e] and (terminated[e] or truncated[e]):
            if ends == ended.shape[0] or ended[ends] != e:
                return _WRONG_ENDS
            ends += 1
    if ends != ended.shape[0]:
        return _WRONG_ENDS
    place = row % rows
    for e in range(n):
        memory.actions[place, e] = actions[e]
        memory.rewards[place, e] = rewards[e]
        if not live[e]:
            memory.ended[place, e] = DEAD
            continue
        if terminated[e]:
            memory.ended[place, e] = TERMINATED
        elif truncated[e]:
            memory.ended[place, e] = TRUNCATED
        memory.counters[_COUNT] += 1
        if memory.sums.shape[0] > 0:
            _set(memory.sums, place * n + e, memory.greatest[0])
    for i in range(ends):
        _keep_final(memory, place, ended[i], final_frames, final_masks, i)
    _let_go(memory, row - settings.capacity)
    _open(memory, row + 1, frames, masks)
    return 0


@njit
def _let_go(memory: _Memory, row: int) -> None:
    """A row is drawn from no more; it stays for the frames that others are stacked with."""
    rows, n = memory.ended.shape
    if row < 0:
        return
    place = row % rows
    for e in range(n):
        if memory.ended[place, e] != DEAD:
            memory.counters[_COUNT] -= 1
            if memory.sums.shape[0] > 0:
                _set(memory.sums, place * n + e, 0.0)


@njit
def _open(memory: _Memory, row: int, frames: Array, masks: Array) -> None:
    """A new row takes the place of the oldest, and of its final observations."""
    rows, n = memory.ended.shape
    place = row % rows
    for e in range(n):
        if memory.slots[place, e] >= 0:
            memory.counters[_FINALS_FROM] += 1
            memory.slots[place, e] = -1
        memory.ended[place, e] = GOES_ON
        _copy(frames, e, memory.frames, place * n + e)
        _copy(masks, e, memory.masks, place * n + e)
    memory.counters[_ROW] = row


@njit
def _sample(memory: _Memory, settings: _Settings, batch: _Buffers, beta: float) -> None:
    """Draw a batch."""
    if memory.sums.shape[0] > 0:
        _draw_by_priority(memory, batch.indices, batch.weights, beta)
    else:
        _draw_alike(memory, settings.capacity, batch.indices, batch.weights)
    for b in range(batch.indices.shape[0]):
        _gather(memory, settings, batch, b)


@njit
def _draw_alike(memory: _Memory, capacity: int, indices: Array, weights: Array) -> None:
    """Draw every transition with the same probability; what is dead is drawn again."""
    rows, n = memory.ended.shape
    row = memory.counters[_ROW]
    first = max(0, row - capacity)
    for b in range(indices.shape[0]):
        while True:
            index = first * n + below(memory.rng, 0, (row - first) * n)
            if memory.ended[index // n % rows, index % n] != DEAD:
                break
        indices[b], weights[b] = index, 1.0


@njit
def _draw_by_priority(memory: _Memory, indices: Array, weights: Array, beta: float) -> None:
    """Draw one transition from each of equal shares of the sum of priorities p.

    (N p / sum)^-beta over the greatest of the batch is (p / least p)^-beta.
    """
    rows, n = memory.ended.shape
    sums, row = memory.sums, memory.counters[_ROW]
    leaves = sums.shape[0] // 2
    size = indices.shape[0]
    least = np.inf
    for b in range(size):
        leaf = _find(sums, (b + uniform(memory.rng, 0)) * sums[1] / size)
        least = min(least, sums[leaves + leaf])
        age = (row - leaf // n) % rows  # of that row, the open one being 0
        indices[b] = (row - age) * n + leaf % n
    for b in range(size):
        leaf = indices[b] // n % rows * n + indices[b] % n
        weights[b] = (sums[leaves + leaf] / least) ** -beta


@njit
def _gather(memory: _Memory, settings: _Settings, batch: _Buffers, b: int) -> None:
    """Put together transition ``indices[b]`` as number b of a batch."""
    rows, n = memory.ended.shape
    row, e = batch.indices[b] // n, batch.indices[b] % n
    newest = (b + 1) * settings.stack - 1  # a stack's newest frame among the batch's
    total, factor, after = window(
        memory.rewards, memory.ended, row, e, memory.counters[_ROW], settings.n_step, settings.gamma
    )
    place = (after - 1) % rows
    batch.actions[b] = memory.actions[row % rows, e]
    batch.returns[b] = total
    batch.discounts[b] = 0.0 if memory.ended[place, e] == TERMINATED else factor
    _stack(memory, row, e, settings.stack, batch.frames, newest)
    if memory.ended[place, e] == GOES_ON:
        _stack(memory, after, e, settings.stack, batch.next_frames, newest)
        _copy(memory.masks, after % rows * n + e, batch.next_masks, b)
        return
    slot = memory.slots[place, e] & (memory.final_frames.shape[0] - 1)
    _copy(memory.final_frames, slot, batch.next_frames, newest)
    _copy(memory.final_masks, slot, batch.next_masks, b)
    _stack(memory, after - 1, e, settings.stack - 1, batch.next_frames, newest - 1)


@njit
def _stack(memory: _Memory, row: int, environment: int, count: int, frames: Array, newest: int) -> None:
    """Copy the ``count`` frames up to a row, the newest to place ``newest``, the others before it.

    They are of one episode: where that begins, its first frame stands for those before.
    """
    rows, n = memory.ended.shape
    for i in range(count):
        _copy(memory.frames, row % rows * n + environment, frames, newest - i)
        if i + 1 < count and row > 0 and memory.ended[(row - 1) % rows, environment] == GOES_ON:
            row -= 1


@njit
def _update(memory: _Memory, settings: _Settings, indices: Array, errors: Array, alpha: float) -> None:
    """Set the priorities of transitions that are still there."""
    rows, n = memory.ended.shape
    open_row = memory.counters[_ROW]
    for b in range(indices.shape[0]):
        row, e = indices[b] // n, indices[b] % n
        if max(0, open_row - settings.capacity) <= row < open_row and memory.ended[row % rows, e] != DEAD:
            priority = (abs(errors[b]) + _LEAST_ERROR) ** alpha
            _set(memory.sums, row % rows * n + e, priority)
            memory.greatest[0] = max(memory.greatest[0], priority)
