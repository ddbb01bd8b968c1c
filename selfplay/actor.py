"""An actor plays many games in lockstep: search every position, play a move in each, hand over finished games."""

import time
from collections.abc import Container

import numpy as np

from rlcore.evaluators import Evaluator
from rlcore.game import Game, new_history
from rlcore.jit import Array
from rlcore.rng import below, next_word, seed_of
from rlcore.search import Search, SearchResult
from selfplay.config import Config
from selfplay.record import GameRecord, RecordBuilder

_POLICY_FLOOR = 1e-4  # entries below this are left out of records: they weigh nothing and take half of the space


class Actor:
    """Plays ``config.actor.games`` games at once against itself.

    Game ids are dealt out by stride, so that actors need not agree: actor ``index`` of ``total`` starts the games
    index, index + total, index + 2 total and so on, passing over those that are ``taken``. A game's id and the run's
    seed decide all its random numbers.
    """

    def __init__(self, game: Game, config: Config, index: int, total: int, taken: Container[int]) -> None:
        self.game, self.config = game, config
        self._next_id, self._stride, self._taken = index, total, taken
        size = config.actor.games
        self._waiting: list[tuple[GameRecord, np.uint64]] = []  # games from a checkpoint without a slot yet
        self.history = new_history(game, size, config.actor.max_plies + 2)
        self.rng = np.zeros(size, np.uint64)
        self.builders: list[RecordBuilder | None] = [None] * size
        # What a game at the ply limit is worth is not known, unless a setting says so: then the search knows it too.
        limit = config.actor.max_plies if config.learner.ply_limit_value == "draw" else 0
        self.search = Search(game, config.search, size, config.history, limit)
        self.seconds = 0.0
        """Time spent in ``play`` since this actor was made, that of the evaluator among it."""
        self.root_values: Array = np.zeros((size, 2), np.float32)
        self._games = np.arange(size, dtype=np.int32)
        self._legal = np.zeros((size, game.MAX_LEGAL), np.uint16)
        self._counts = np.zeros(size, np.int32)
        self._endings = np.zeros(size, np.uint8)
        self._values = np.zeros(size, np.float32)

    # --- games in progress -------------------------------------------------------------------------------------------

    def games_in_progress(self) -> tuple[list[GameRecord], Array]:
        """What a checkpoint keeps: each game so far as a record, and its generator's state ([n] uint64)."""
        slots = [i for i, builder in enumerate(self.builders) if builder is not None]
        records = [builder.to_record() for builder in self.builders if builder is not None]
        waiting = np.array([state for _, state in self._waiting], np.uint64)
        return records + [record for record, _ in self._waiting], np.concatenate([self.rng[slots], waiting])

    def positions_in_progress(self) -> int:
        """Trainable positions of the games that go on."""
        return sum(builder.positions for builder in self.builders if builder is not None)

    def restore(self, records: list[GameRecord], rng: Array) -> None:
        """Take up games from a checkpoint; those for which there is no slot wait until there is one."""
        self._waiting += zip(records, rng, strict=True)
        longest = max((len(record.plies) for record in records), default=0)
        if longest + 2 > self.history.states.shape[1]:  # the ply limit was higher then
            self.history = new_history(self.game, len(self.builders), longest + 2)
        for slot, builder in enumerate(self.builders):
            if builder is None and self._waiting:
                self._go_on(slot, *self._waiting.pop(0))

    def _go_on(self, slot: int, record: GameRecord, state: np.uint64) -> None:
        """Put a game from a checkpoint into a slot, by playing its moves again."""
        self.builders[slot] = RecordBuilder.from_record(record)
        self.rng[slot] = state
        self.game.begin(self.history, slot, record.seed)
        slots = self._games[slot : slot + 1]
        for action in record.actions:
            self.game.advance(self.history, slots, np.array([action], np.uint16))

    def _begin(self, slot: int, version: int) -> None:
        """Go on with a game that waits, or start the next one that nobody has."""
        if self._waiting:
            self._go_on(slot, *self._waiting.pop(0))
            return
        while self._next_id in self._taken:
            self._next_id += self._stride
        game_id = self._next_id
        self._next_id += self._stride
        self.rng[slot] = seed_of(self.config.seed, game_id)
        seed = int(next_word(self.rng, slot) >> np.uint64(1))
        self.builders[slot] = RecordBuilder(game_id, seed, version)
        self.game.begin(self.history, slot, seed)
        if game_id < self._stride * len(self.builders):  # one of the very first games
            self._play_random(slot, below(self.rng, slot, self.config.actor.random_plies + 1))

    def _play_random(self, slot: int, plies: int) -> None:
        """Play random moves, but none that ends the game."""
        builder = self.builders[slot]
        assert builder is not None
        slots = self._games[slot : slot + 1]
        for _ in range(plies):
            self._judge(slots)
            action = self._legal[0, below(self.rng, slot, int(self._counts[0]))]
            self.game.advance(self.history, slots, np.array([action], np.uint16))
            self._judge(slots)
            if self._endings[0] != 0:
                self.history.length[slot] -= 1
                return
            builder.add(int(action))

    def _judge(self, games: Array) -> None:
        limit = self.config.actor.max_plies
        self.game.judge(self.history, games, limit, self._legal, self._counts, self._endings, self._values)

    # --- playing -----------------------------------------------------------------------------------------------------

    def play(self, evaluator: Evaluator, version: int) -> list[GameRecord]:
        """Play one ply in every game, with the network's ``version`` noted; returns the games that it finished."""
        began = time.perf_counter()
        for slot, builder in enumerate(self.builders):
            if builder is None:
                self._begin(slot, version)
        plies = self.history.length - 1
        temperatures = np.where(plies < self.config.actor.sample_plies, 1.0, 0.0)
        result = self.search.run(self.history, self._games, evaluator, self.rng, noise=True, temperatures=temperatures)
        self._record(result)
        self.game.advance(self.history, self._games, result.actions)
        self._judge(self._games)
        finished = [self._finish(int(slot), version) for slot in np.flatnonzero(self._endings)]
        self.seconds += time.perf_counter() - began
        return finished

    def _record(self, result: SearchResult) -> None:
        """Add each root's action, improved policy and value to its game's record."""
        value, draw = np.clip(result.values[:, 0], -1.0, 1.0), np.clip(result.values[:, 1], 0.0, 1.0)
        wdl = np.clip(np.stack([(1 - draw + value) / 2, draw, (1 - draw - value) / 2], axis=1), 0.0, 1.0)
        self.root_values = result.values.copy()
        for slot, builder in enumerate(self.builders):
            assert builder is not None
            count = result.counts[slot]
            weights = result.policy[slot, :count]
            kept = np.flatnonzero(weights >= _POLICY_FLOOR)
            builder.add(
                int(result.actions[slot]),
                result.legal[slot, kept],
                weights[kept],
                wdl=wdl[slot],
                simulations=self.config.search.simulations,
                trained=True,
            )

    def _finish(self, slot: int, version: int) -> GameRecord:
        builder = self.builders[slot]
        assert builder is not None
        record = builder.finish(float(self._values[slot]), int(self._endings[slot]), version)
        self.builders[slot] = None
        return record
