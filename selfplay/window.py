"""The replay window: the latest games, as moves; positions are made again when they are sampled."""

from collections import deque
from typing import NamedTuple

import numpy as np

from rlcore.evaluators import Batch, make_batch
from rlcore.game import Game, new_history
from rlcore.jit import Array, njit
from rlcore.symmetry import mirror
from selfplay.config import LearnerConfig
from selfplay.record import GameRecord


class Samples(NamedTuple):
    """A batch of training positions; the arrays are the window's own and are overwritten by the next one."""

    batch: Batch  # words, actions and counts of each position
    policy: Array  # [n, MAX_LEGAL] float32: the improved policy over ``batch.actions``
    wdl: Array  # [n, 3] float32: the value target, win, draw, loss for the side to move


@njit
def _spread_policy(
    legal: Array, counts: Array, actions: Array, weights: Array, starts: Array, ends: Array, policy: Array
) -> None:
    """Turn policy entries (action, weight) into weights by place in the list of legal actions, summing to one."""
    for i in range(counts.shape[0]):
        policy[i, :] = 0.0
        total = 0.0
        for j in range(starts[i], ends[i]):
            for k in range(counts[i]):
                if legal[i, k] == actions[j]:
                    policy[i, k] = weights[j]
                    total += weights[j]
                    break
        if total > 0.0:
            for k in range(counts[i]):
                policy[i, k] /= total


def window_size(config: LearnerConfig, total: int) -> int:
    """How many positions the replay window is to hold when there have been ``total``."""
    return max(config.window_min, min(int(config.window_share * total), config.window_max))


class Window:
    """Holds the games that hold the latest positions and draws batches from them, each position equally likely."""

    def __init__(self, game: Game, config: LearnerConfig, planes_history: int, max_plies: int) -> None:
        self.game, self.config, self.planes_history = game, config, planes_history
        self.max_plies_ending = int(game.Ending.MAX_PLIES)
        self.records: deque[GameRecord] = deque()
        self._counts: deque[int] = deque()  # of each record, its trainable positions
        self.positions = 0
        """Trainable positions now in the window."""
        self.total = 0
        """Trainable positions ever added."""
        self._scratch = new_history(game, 1, max_plies + 2)
        size = config.batch_size
        self._batch = make_batch(size, game.layout(planes_history).num_words, game.MAX_LEGAL)
        self._policy = np.zeros((size, game.MAX_LEGAL), np.float32)
        self._symmetries = getattr(game, "SYMMETRIES", None) if config.augment else None
        self._board = np.zeros(game.BOARD_WORDS, np.uint64)
        self._ends: Array | None = None  # running count of trainable positions, made anew after each change

    def add(self, records: list[GameRecord]) -> None:
        """Take in finished games and let go of the oldest beyond the window's size."""
        for record in records:
            self.records.append(record)
            self._counts.append(record.positions)
            self.positions += self._counts[-1]
            self.total += self._counts[-1]
            self._ends = None
        while len(self.records) > 1 and self.positions - self._counts[0] >= self.size():
            self.records.popleft()
            self.positions -= self._counts.popleft()

    def size(self) -> int:
        """How many positions the window is to hold, given how many there have been."""
        return window_size(self.config, self.total)

    def sample(self, generator: np.random.Generator) -> Samples:
        """Draw ``batch_size`` positions with replacement."""
        if self._ends is None:
            self._ends = np.cumsum(self._counts)
        size = self.config.batch_size
        draws = generator.integers(0, self.positions, size)
        places = np.searchsorted(self._ends, draws, side="right")
        chosen = [self.records[place] for place in places]
        ranks = draws - np.where(places > 0, self._ends[places - 1], 0)
        plies = np.array([record.trained[rank] for record, rank in zip(chosen, ranks, strict=True)], np.int32)
        self._rebuild(chosen, plies)
        self._set_policies(chosen, plies)
        if self._symmetries is not None:
            drawn = generator.integers(0, len(self._symmetries.actions), size)
            layout = self.game.layout(self.planes_history)
            batch = self._batch
            mirror(batch.words, batch.actions, batch.counts, drawn, self._symmetries, layout, self._board)
        return Samples(self._batch, self._policy, self._values(chosen, plies))

    def _rebuild(self, chosen: list[GameRecord], plies: Array) -> None:
        actions = [record.plies["action"][:ply] for record, ply in zip(chosen, plies, strict=True)]
        starts = np.concatenate([[0], np.cumsum(plies[:-1], dtype=np.int64)])
        seeds = np.array([record.seed for record in chosen], np.uint64)
        longest = int(plies.max()) + 2
        if longest > self._scratch.states.shape[1]:
            self._scratch = new_history(self.game, 1, longest)
        self.game.rebuild(
            self._scratch, np.concatenate(actions), starts, seeds, plies, self.planes_history, self._batch
        )

    def _set_policies(self, chosen: list[GameRecord], plies: Array) -> None:
        entries = [record.policy(int(ply)) for record, ply in zip(chosen, plies, strict=True)]
        ends = np.cumsum([len(actions) for actions, _ in entries], dtype=np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        actions = np.concatenate([actions for actions, _ in entries])
        weights = np.concatenate([weights for _, weights in entries]).astype(np.float32)
        batch = self._batch
        _spread_policy(batch.actions, batch.counts, actions, weights, starts, ends, self._policy)

    def _values(self, chosen: list[GameRecord], plies: Array) -> Array:
        """The game's result, mixed with the root's value; the root's alone where the result is not known."""
        result = np.zeros((len(chosen), 3), np.float32)
        root = np.stack([record.plies["wdl"][ply] for record, ply in zip(chosen, plies, strict=True)])
        root = root.astype(np.float32)
        root /= np.maximum(root.sum(axis=1, keepdims=True), 1e-6)
        share = np.full((len(chosen), 1), self.config.root_value_share, np.float32)
        for i, (record, ply) in enumerate(zip(chosen, plies, strict=True)):
            if record.ending == self.max_plies_ending and self.config.ply_limit_value == "none":
                share[i] = 1.0
            z = record.result(int(ply), self.game.DISCOUNT)
            drawn = 1.0 - abs(z)
            result[i] = max(z, 0.0), drawn, max(-z, 0.0)
        return share * root + (1.0 - share) * result
