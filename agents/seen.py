"""The tasks of the recurrent attention model: what they are called, and their episodes as agents use environments.

Everything is stepped by kernels; no Gymnasium is needed. An observation is what the eye sees, the location it was seen
at, and the truth, which only a teacher knows: the label of a digit, or where ball and paddle are. An action is three
numbers: the move or answer, and the location to look at next, which is clipped to the canvas.
"""

import difflib
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.settings import RecurrentAttention
from agents.spaces import Spec
from agents.steps import Environments, Step, check_saved
from games.catch.views import RetinaCatch
from games.episodes import Episodes
from games.eyes import RetinaEpisodes
from games.glimpse.digits import Split, digits
from games.glimpse.mnist import mnist
from games.glimpse.views import Glimpses
from rlcore.config import ConfigError
from rlcore.jit import Array

__all__ = ["TASKS", "Plain", "Seen", "Task", "environments", "episodes", "task", "trials"]

_MOST_AT_ONCE = 1_000


class Task(NamedTuple):
    """A canvas, and the retina that it is seen through."""

    kind: str
    """digits, mnist or catch."""
    side: int
    """Of the canvas, in pixels."""
    retina: int
    """Pixels: how wide the smallest patch is."""
    scales: int
    """Patches."""
    glimpses: int
    """In an episode."""
    pieces: int = 0
    """Clutter: pieces of other digits ..."""
    piece: int = 1
    """... of so many pixels."""

    @property
    def named(self) -> bool:
        """Whether an answer is to be given, at the end."""
        return self.kind != "catch"

    @property
    def pixels(self) -> int:
        """That a glimpse has."""
        return self.scales * self.retina * self.retina

    @property
    def actions(self) -> int:
        return 10 if self.named else 3

    @property
    def truth(self) -> int:
        """How many numbers only a teacher knows."""
        return 1 if self.named else 4


TASKS = {  # of Catch and MNIST the paper's, the first Catch of half the size
    "digits-centred": Task("digits", 8, 3, 1, 4),
    "digits-translated": Task("digits", 18, 4, 1, 6),
    "digits-cluttered": Task("digits", 18, 4, 1, 6, pieces=4, piece=3),
    "mnist-centred": Task("mnist", 28, 8, 1, 6),
    "mnist-translated": Task("mnist", 60, 12, 3, 6),
    "mnist-cluttered": Task("mnist", 60, 12, 3, 6, pieces=4, piece=8),
    "mnist-cluttered-100": Task("mnist", 100, 12, 4, 6, pieces=8, piece=8),
    "catch-12": Task("catch", 12, 3, 3, 11),
    "catch-24": Task("catch", 24, 6, 3, 23),
}


def task(config: RecurrentAttention) -> Task:
    """The task that settings name, with what they change of it.

    Raises:
        ConfigError: there is none.
    """
    found = TASKS.get(config.env)
    if found is None:
        close = difflib.get_close_matches(config.env, TASKS, n=1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(TASKS)}"
        raise ConfigError(f"there is no task {config.env!r}; {known}")
    found = found._replace(
        side=config.canvas or found.side,
        retina=config.retina or found.retina,
        scales=config.scales or found.scales,
        glimpses=config.glimpses or found.glimpses,
    )
    if not found.named:
        for name, usual in (("glimpses", 0), ("copies", 1)):
            if getattr(config, name) != usual:
                raise ConfigError(f"{name} means nothing to {config.env}, only to tasks of digits: leave it out")
        return found._replace(glimpses=found.side - 1)
    return found._replace(glimpses=1) if config.control != "none" else found


def episodes(config: RecurrentAttention, num: int, split: Split = "train") -> RetinaEpisodes:
    """Episodes of the task that settings name, so many at once; not begun.

    Raises:
        ConfigError: there is no such task, its settings make no sense, or MNIST is not there.
    """
    what = task(config)
    try:
        if not what.named:
            return RetinaCatch(num, what.side, what.side, what.retina, what.scales)
        source = partial(mnist, Path(config.data)) if what.kind == "mnist" else digits
        return Glimpses(
            num, what.side, what.pieces, what.piece, what.glimpses, what.retina, what.scales, split=split, source=source
        )
    except ValueError as error:
        raise ConfigError(f"{config.env}: {error}") from None


def environments(config: RecurrentAttention, num: int, seed: int, split: Split = "train") -> "Seen":
    """Episodes of the task that settings name, so many at once.

    Args:
        split: of the digits; beside "train", copies go through its fixed canvases in order.

    Raises:
        ConfigError: there is no such task, or its settings make no sense.
    """
    what, whole = task(config), config.control != "none"
    copies = config.copies if what.named and split == "train" else 1
    return Seen(
        config.env, episodes(config, num, split), what, seed, config.eye, whole, copies, in_order=split != "train"
    )


def trials(config: RecurrentAttention, number: int, seed: int, purpose: str) -> tuple["Seen", int]:
    """See ``agents.agent.Agent``: of digits, each canvas of the validation or the test split once, no more."""
    split: Split = "validation" if purpose == "evaluation" else "test"
    count = number
    if task(config).named:
        fixed = episodes(config, 1, split)
        assert isinstance(fixed, Glimpses)
        count = min(number, fixed.num_canvases)
    return environments(config, min(count, _MOST_AT_ONCE), seed, split), count


class Seen(Environments):
    """Episodes seen by eyes; see the module.

    Args:
        eye: "learned" looks where actions say, "random" anywhere, "centre" always at the middle.
        whole: show all of the canvas and not what the eye sees.
        copies: so many neighbours see the same canvas, each by an eye of its own.
        in_order: environment i shows the canvases i, i + num, i + 2 num ... of its split, and so on from the first.
    """

    def __init__(
        self,
        name: str,
        episodes: RetinaEpisodes,
        what: Task,
        seed: int,
        eye: str = "learned",
        whole: bool = False,
        copies: int = 1,
        in_order: bool = False,
    ) -> None:
        self.name, self.num, self.exact, self.masks = name, episodes.num, True, None
        self.episodes, self.what = episodes, what
        self._eye, self._whole, self._copies, self._in_order = eye, whole, copies, in_order
        self._returns, self._lengths = np.zeros(self.num), np.zeros(self.num, np.int64)
        self._next = np.arange(self.num) if in_order else np.zeros(self.num, np.int64)
        self._live = np.ones(self.num, np.bool_)
        self._live.flags.writeable = False
        size = (what.side**2 if whole else what.pixels) + 2 + what.truth
        self.observations = np.zeros((self.num, size), np.float32)
        low, high = np.array([-0.5, -1, -1], np.float32), np.array([what.actions - 0.5, 1, 1], np.float32)
        shape, dtype = (size,), np.dtype(np.float32)
        self.spec = Spec("vector", shape, dtype, 0, 0, low, high, what.glimpses, None)
        episodes.seed([seed + i for i in range(self.num)])
        self._begin(self._live)
        self._show()

    def _begin(self, chosen: Array) -> None:
        """Begin episodes in the copies ``chosen`` ([n] bool)."""
        episodes = self.episodes
        self._returns[chosen], self._lengths[chosen] = 0.0, 0
        if isinstance(episodes, Glimpses) and self._in_order:
            episodes.begin_with(self._next % episodes.num_canvases, chosen)
            self._next[chosen] += self.num
        else:
            episodes.begin(chosen)
        if isinstance(episodes, Glimpses) and self._copies > 1:
            first = np.arange(self.num) // self._copies * self._copies
            episodes.which[:] = episodes.which[first]
            episodes.canvases[:] = episodes.canvases[first]
            episodes.look_anywhere(chosen)
        if self._eye == "centre":
            episodes.look(np.zeros((self.num, 2), np.float32), chosen)

    def _show(self) -> None:
        """Write what is seen, and the truth, into ``observations``."""
        episodes, seen, k = self.episodes, self.observations, self.what.truth
        if self._whole:
            pixels = episodes.canvases.reshape(self.num, -1)
            np.multiply(pixels, np.float32(1.0 / episodes.most), out=seen[:, : pixels.shape[1]])
            seen[:, -k - 2 : -k] = 0.0
        else:
            seen[:, :-k] = episodes.observations
        seen[:, -k:] = _truth(episodes)

    def act(self, actions: Array) -> None:
        """A step, without new episodes for those that are over: to see how they ended."""
        moves = np.clip(np.rint(actions[:, 0]), 0, self.what.actions - 1).astype(np.int64)
        looks = np.clip(actions[:, 1:], -1.0, 1.0).astype(np.float32)
        if self._eye == "centre":
            looks[:] = 0.0
        self.episodes.step((moves, looks), self._live)
        if self._eye == "random":
            self.episodes.look_anywhere(~self.episodes.terminated)
        self._show()

    def step(self, actions: Array) -> Step:
        """See ``Environments``."""
        self.act(actions)
        rewards, terminated = self.episodes.rewards.copy(), self.episodes.terminated.copy()
        self._returns += rewards
        self._lengths += 1
        ended = np.flatnonzero(terminated)
        step = Step(
            rewards, terminated, np.zeros(self.num, np.bool_), self._live, ended, self.observations[ended], None,
            self._returns[ended], self._lengths[ended],
        )  # fmt: skip
        if len(ended):
            self._begin(terminated)
            self._show()
        return step

    def _length(self, i: int) -> int:
        return int(self._lengths[i])

    def save(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """See ``Environments``."""
        own = {"returns": self._returns, "lengths": self._lengths, "next": self._next}
        arrays = {name: array.copy() for name, array in own.items()}
        return arrays | {f"state.{name}": array for name, array in self.episodes.get_state().items()}, {}

    def restore(self, arrays: dict[str, Array], state: dict[str, Any]) -> list[int]:
        """See ``Environments``."""
        check_saved(arrays, {"returns": self._returns})
        self.episodes.set_state({name[6:]: array for name, array in arrays.items() if name.startswith("state.")})
        self._returns[:], self._lengths[:], self._next[:] = arrays["returns"], arrays["lengths"], arrays["next"]
        self._show()
        return []

    def render(self) -> Any:
        """The first canvas, [H, W] uint8."""
        return self.episodes.picture(0)

    def close(self) -> None:
        """Nothing is open."""


class Plain:
    """The tasks' environments on Gymnasium, as ``agents.agent.Policy`` needs them: what they show has no truth in it,
    and what they take is a pair. Args: spec of ``Seen``, and how many numbers of it are the truth."""

    def __init__(self, spec: Spec, truth: int) -> None:
        self._spec, self._seen = spec, spec.shape[0] - truth

    def observe(self, observation: Any) -> Array:
        """[P + 2 + k] float32 of what is seen and the location; or of a whole image, pixels from 0 to 1.

        Raises ValueError where it is of another size: patches, or a canvas, of another size are another task.
        """
        seen = np.ravel(observation)
        if len(seen) not in (self._seen, self._seen - 2):
            raise ValueError(
                f"an observation of this task has {self._seen} numbers, with its location, not {len(seen)}"
            )
        row = np.zeros(self._spec.shape, np.float32)
        row[: len(seen)] = seen
        return row

    def act(self, actions: Array) -> list[tuple[int, Array]]:
        """The move or answer, and the location to look at next, [2] float32, of each."""
        return [(int(row[0]), np.clip(row[1:], -1.0, 1.0)) for row in actions]


def _truth(episodes: Episodes) -> Array:
    """[n, k] float32: the label, or the ball's row and column, its columns a step, and the paddle, in [-1, 1]."""
    if isinstance(episodes, Glimpses):
        return episodes.labels[:, None].astype(np.float32)
    assert isinstance(episodes, RetinaCatch)
    games, (height, width) = episodes.games, episodes.canvases.shape[1:]
    rows, columns = 2.0 / (height - 1), 2.0 / (width - 1)
    found = [games.row * rows - 1, games.column * columns - 1, games.slope, (games.paddle + 0.5) * columns - 1]
    return np.stack(found, 1).astype(np.float32)
