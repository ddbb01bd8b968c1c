"""An actor plays many games in lockstep: search every position, play a move in each, hand over finished games.

Playout-cap randomisation (Wu 2019, "Accelerating Self-Play Learning in Go", section 3.1), where it is asked for: a
share of the moves is searched in full, with noise, and trained on; the others get a quick search without noise, whose
policy is not recorded. As in KataGo's program a quick move is drawn by the same temperature as any other of its ply.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rlcore.evaluators import Evaluator
from rlcore.game import Game, new_history
from rlcore.jit import Array, njit
from rlcore.rng import below, next_word, seed_of, uniform
from rlcore.search import Search, SearchResult
from selfplay.config import Config
from selfplay.record import ENTRY, PLY, GameRecord, RecordBuilder
from selfplay.resignation import badly_off, gives_up, played_on

_POLICY_FLOOR = 1e-4  # entries below this are left out of records: they weigh nothing and take half of the space


@njit
def _draw(rng: Array, share: float, chosen: Array) -> None:
    """Choose each game with a probability, by a draw from its own generator: ``chosen`` is [G] bool out."""
    for g in range(rng.shape[0]):
        chosen[g] = uniform(rng, g) < share


class Actor:
    """Plays ``config.actor.games`` games at once against itself.

    Args:
        ids: of the games that it starts, one after the other; nobody else starts them. A game's id and the run's seed
            decide all its random numbers.
        opened: games with an id below this are the very first of a run, which begin with random moves.
    """

    def __init__(self, game: Game, config: Config, ids: Iterator[int], opened: int) -> None:
        self.game, self.config = game, config
        self._ids, self._opened = ids, opened
        size = config.actor.games
        self._waiting: list[tuple[GameRecord, np.uint64]] = []  # games from a checkpoint without a slot yet
        self.history = new_history(game, size, config.actor.max_plies + 2)
        self.rng = np.zeros(size, np.uint64)
        self.builders: list[RecordBuilder | None] = [None] * size
        # What a game at the ply limit is worth is not known, unless a setting says so: then the search knows it too.
        limit = config.actor.max_plies if config.learner.ply_limit_value == "draw" else 0
        self.searches = [Search(game, config.search, size, config.history, limit, wary=False)]
        """That of all moves; or that of those searched in full and the quick one of the others."""
        if config.actor.full_share < 1.0:
            quick = replace(config.search, simulations=config.actor.quick_simulations)
            self.searches.append(Search(game, quick, size, config.history, limit, wary=False))
        self._resignation = int(game.Ending.RESIGNATION) if config.actor.resign > 0.0 else 0
        # Counters that only grow: positions to train on, rows that evaluation batches could have had, time in ``play``.
        self.positions = self.offered = 0
        self.seconds = 0.0
        self.root_values: Array = np.full((size, 2), np.nan, np.float32)
        self._games = np.arange(size, dtype=np.int32)
        self._legal = np.zeros((size, game.MAX_LEGAL), np.uint16)
        self._counts = np.zeros(size, np.int32)
        self._endings = np.zeros(size, np.uint8)
        self._values = np.zeros(size, np.float32)
        self._actions = np.zeros(size, np.uint16)
        self._full = np.ones(size, np.bool_)
        self._badly_off = np.zeros(size, np.bool_)

    # --- games in progress -------------------------------------------------------------------------------------------

    def games_in_progress(self) -> tuple[list[GameRecord], Array]:
        """What a checkpoint keeps: each game so far as a record, and its generator's state ([n] uint64)."""
        slots = [i for i, builder in enumerate(self.builders) if builder is not None]
        records = [builder.to_record() for builder in self.builders if builder is not None]
        waiting = np.array([state for _, state in self._waiting], np.uint64)
        return records + [record for record, _ in self._waiting], np.concatenate([self.rng[slots], waiting])

    def positions_in_progress(self) -> int:
        """Trainable positions of the games that go on."""
        playing = sum(builder.positions for builder in self.builders if builder is not None)
        return playing + sum(record.positions for record, _ in self._waiting)

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
        game_id = next(self._ids)
        self.rng[slot] = seed_of(self.config.seed, game_id)
        seed = int(next_word(self.rng, slot) >> np.uint64(1))
        self.builders[slot] = RecordBuilder(game_id, seed, version)
        self.game.begin(self.history, slot, seed)
        config = self.config.actor
        if game_id < self._opened or (config.random_share > 0.0 and uniform(self.rng, slot) < config.random_share):
            self._play_random(slot, below(self.rng, slot, config.random_plies + 1))

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
        for search, games, trained in self._split():
            plies = self.history.length[games] - 1
            temperatures = np.where(plies < self.config.actor.sample_plies, 1.0, 0.0)
            waves = search.waves
            result = search.run(self.history, games, evaluator, self.rng, noise=trained, temperatures=temperatures)
            self.offered += (search.waves - waves) * len(games) * search.rules.leaves
            self._record(games, result, search.config.simulations, trained)
        self.game.advance(self.history, self._games, self._actions)
        self._judge(self._games)
        self._resign()
        finished = [self._finish(int(slot), version) for slot in np.flatnonzero(self._endings)]
        self.seconds += time.perf_counter() - began
        return finished

    def _split(self) -> Iterator[tuple[Search, Array, bool]]:
        """The searches of this ply: (search, games, whether they are trained on), none without games."""
        if len(self.searches) == 1:
            yield self.searches[0], self._games, True
            return
        _draw(self.rng, self.config.actor.full_share, self._full)
        for search, mine, trained in zip(self.searches, (self._full, ~self._full), (True, False), strict=True):
            if mine.any():
                yield search, self._games[mine], trained

    def _record(self, games: Array, result: SearchResult, simulations: int, trained: bool) -> None:
        """Add each root's action and value, and the improved policy where it is trained on, to its game's record."""
        value, draw = np.clip(result.values[:, 0], -1.0, 1.0), np.clip(result.values[:, 1], 0.0, 1.0)
        plies = np.zeros(len(games), PLY)
        plies["action"], plies["simulations"], plies["trained"] = result.actions, simulations, trained
        plies["wdl"] = np.clip(np.stack([(1 - draw + value) / 2, draw, (1 - draw - value) / 2], axis=1), 0.0, 1.0)
        entries, ends = np.zeros(0, ENTRY), np.zeros(len(games), np.int64)
        if trained:
            longest = int(result.counts.max())
            kept = result.policy[:, :longest] >= _POLICY_FLOOR
            kept &= np.arange(longest) < result.counts[:, None]
            plies["entries"] = kept.sum(axis=1)
            ends = np.cumsum(plies["entries"], dtype=np.int64)
            entries = np.zeros(int(ends[-1]), ENTRY)
            entries["action"], entries["weight"] = result.legal[:, :longest][kept], result.policy[:, :longest][kept]
            self.positions += len(games)
        start = 0
        for i, (slot, end) in enumerate(zip(games.tolist(), ends.tolist(), strict=True)):
            builder = self.builders[slot]
            assert builder is not None
            builder.append(plies[i : i + 1], entries[start:end])
            start = end
        self._actions[games] = result.actions
        self.root_values[games] = result.values
        self._badly_off[games] = badly_off(plies, self.config.actor)

    def _resign(self) -> None:
        """End the games in which whoever has just moved gives up; what the rules say of its move comes first."""
        config = self.config.actor
        if config.resign == 0.0:
            return
        for slot in np.flatnonzero(self._badly_off & (self._endings == 0)):
            builder = self.builders[slot]
            assert builder is not None
            latest = builder.latest(2 * config.resign_moves - 1)
            if gives_up(latest, config)[-1] and not played_on(builder.seed, config):
                self._endings[slot] = self._resignation
                self._values[slot] = -1.0 / self.game.DISCOUNT  # -1 for the one who moved

    def _finish(self, slot: int, version: int) -> GameRecord:
        builder = self.builders[slot]
        assert builder is not None
        record = builder.finish(float(self._values[slot]), int(self._endings[slot]), version)
        self.builders[slot] = None
        return record
