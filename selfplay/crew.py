"""Who plays and who learns in a run: a crew. Here its contract, and the crew of one process; that on Ray is `cluster`.

In one process a round is lockstep: every actor plays one ply in all of its games while the learner takes the gradient
steps that are due, each on a thread of its own. Within a round nothing depends on which thread is faster, so a run
repeats itself from its seed.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from rlcore.cache import CachedEvaluator
from rlcore.checkpoint import Checkpoint
from rlcore.evaluators import Evaluator, NetworkEvaluator
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.networks import ResNet
from rlcore.openvino import Calibration
from rlcore.runtimes import make_evaluator
from selfplay.actor import Actor
from selfplay.arena import Match
from selfplay.config import Config, ConfigError
from selfplay.evaluate import Judge
from selfplay.exact import Totals
from selfplay.learner import StepLosses
from selfplay.record import GameRecord, split
from selfplay.strength import check_strength
from selfplay.trainer import Standing, Trainer

__all__ = [
    "FIRST_PLAYER_ID",
    "Attendance",
    "Crew",
    "Judging",
    "Past",
    "Threads",
    "View",
    "best_threads",
    "cores",
    "figures",
    "games_going_on",
    "playing_evaluator",
]

FIRST_PLAYER_ID = 1 << 32
"""Games played in the run's own process have lower ids; player number k of a cluster has those from k times this on."""

_CATCH_UP = 0.25  # how much faster than games are made the learner may go, where it is behind
_BACKLOG = 8  # rounds' worth of steps that are kept waiting, so that there are some to take in every round
_MOST_ACTORS = 4  # more threads in one process get in each other's way


class Past(NamedTuple):
    """What a run goes on from."""

    saved: Checkpoint | None
    """The newest intact checkpoint."""
    records: list[GameRecord]
    """The latest finished games, as many as the replay window wants."""
    positions: int
    """Positions to train on in all finished games."""
    ids: Set[int]
    """The ids of all finished games: the log's own set, which grows."""


class View(NamedTuple):
    """What is seen of games in progress."""

    state: Array
    """A row of ``game.STATE``: the position of one of them."""
    game: int
    """Its id."""
    ply: int
    values: Array
    """Root values of all games' latest searches, float32 [n]; NaN = none yet."""


class Attendance(NamedTuple):
    """Who is there, of players and trainers with processes of their own."""

    players: int
    """That have begun ..."""
    wanted: int
    """... of so many; the others wait for room, or are starting."""
    lost: int
    """Players that died and were replaced, in this start; and the same of trainers."""
    trainers_lost: int
    blocks: int
    """Blocks of finished games that wait for the trainer."""


class Judging(Protocol):
    """Compares a network with perfect play, see ``evaluate.Judge``."""

    def take(self, network: ResNet, version: int) -> None: ...
    def totals(self, cancelled: Callable[[], bool]) -> dict[str, Totals]: ...


class Crew(Protocol):
    """Plays games and learns from them. A game counts once it is in the run's log; only then it comes back here."""

    @property
    def threads(self) -> int:
        """Threads of this process that a round takes, beside the one that calls it."""
        ...

    @property
    def slots(self) -> int:
        """Games side by side."""
        ...

    @property
    def standing(self) -> Standing:
        """How far training has come, as far as is known here."""
        ...

    @property
    def name(self) -> str:
        """Who plays, with what, for people to read."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to play or to learn."""
        ...

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """Play and train for a while; returns the games finished, and the mean losses of the steps made meanwhile."""
        ...

    def finish(self) -> list[GameRecord]:
        """Bring home what is under way, after the last round; returns games that were finished meanwhile."""
        ...

    def accept(self, finished: list[GameRecord]) -> None:
        """Take the round's games, which are in the log now, into the replay window; publish weights that are due."""
        ...

    @property
    def attendance(self) -> Attendance | None:
        """Who is there; None where nobody has a process of their own."""
        ...

    def weights(self) -> tuple[int, ResNet]:
        """The averaged weights now, to be copied before the next round, and the steps they have come through."""
        ...

    def positions_in_progress(self) -> int:
        """Trainable positions of the games that go on."""
        ...

    def in_progress(self) -> tuple[list[GameRecord], Array]:
        """Games that go on, as records, and their generators' states [n] uint64, for a checkpoint."""
        ...

    def save(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, bytes]]:
        """The trainer's state for a checkpoint, see ``Trainer.save``."""
        ...

    def counters(self) -> dict[str, float]:
        """What has been done since this start, by everybody who ever played; all of it only grows. See ``figures``;

        beside those, in seconds: "learning", of gradient steps; "clock"; and of all actors together "attended", their
        clock, and "paused", while they had to wait for the learner.
        """
        ...

    def view(self) -> View: ...

    def judge(self) -> Judging: ...

    def check_strength(self, games: int, progress: Callable[[str, int], None]) -> list[Match]:
        """See ``strength.check_strength``; of the averaged weights."""
        ...

    def close(self) -> None: ...


# --- what every crew needs -------------------------------------------------------------------------------------------


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def best_threads(device: torch.device) -> int:
    """A core is for the learner; a GPU wants at least two groups of games, so that it evaluates one by turns."""
    least = 2 if device.type == "cuda" else 1
    return min(max(cores() - 1, least), _MOST_ACTORS)


def games_going_on(past: Past) -> tuple[list[GameRecord], Array]:
    """The games that were in progress at the checkpoint and have not been finished since, with their generators."""
    records = split(past.saved.blobs["games"]) if past.saved else []
    rng = np.frombuffer(past.saved.blobs["rng"], np.uint64) if past.saved else np.zeros(0, np.uint64)
    going_on = [i for i, record in enumerate(records) if record.id not in past.ids]
    return [records[i] for i in going_on], rng[going_on]


def playing_evaluator(
    game: Game,
    config: Config,
    network: ResNet,
    device: torch.device,
    version: int,
    calibration: Calibration,
    warn: Callable[[str], None],
) -> NetworkEvaluator:
    """An evaluator for one actor's batches, with the cache that the settings ask for.

    Raises:
        ConfigError: there is no memory for such a cache.
    """
    layout, actor = game.layout(config.history), config.actor
    evaluator: NetworkEvaluator = make_evaluator(
        network,
        layout,
        actor.games * config.search.leaves,
        device=device,
        runtime=config.runtime,
        version=version,
        calibration=calibration,
        warn=warn,
    )
    if not actor.cache_positions:
        return evaluator
    try:
        return CachedEvaluator(evaluator, layout, game.MAX_LEGAL, actor.cache_positions)
    except ValueError as error:
        raise ConfigError(f"actor.cache_positions: {error}") from None


def figures(actors: Sequence[Actor], evaluators: Sequence[Evaluator]) -> dict[str, float]:
    """What actors have done since they began; seconds are theirs together."""
    searches = [search for actor in actors for search in actor.searches]
    hits = sum(getattr(evaluator, "hits", 0) for evaluator in evaluators)
    evaluations = sum(search.evaluations for search in searches)
    return {
        "moves": float(sum(search.searches for search in searches)),
        "positions": float(sum(actor.positions for actor in actors)),
        "evaluations": float(evaluations),
        "waves": float(sum(search.waves for search in searches)),
        "offered": float(sum(actor.offered for actor in actors)),
        "evaluating": sum(search.evaluator_seconds for search in searches),
        "searching": sum(search.seconds for search in searches),
        "playing": sum(actor.seconds for actor in actors),
        "evaluated": float(evaluations - hits),
        "hits": float(hits),
        "lookups": float(sum(getattr(evaluator, "lookups", 0) for evaluator in evaluators)),
    }


# --- one process -----------------------------------------------------------------------------------------------------


class Threads:
    """The crew of one process: actors and the trainer take their turns together, a thread each.

    Game ids are dealt out by stride, so that actors need not agree: actor ``index`` of ``total`` starts the games
    index, index + total, index + 2 total and so on, passing over those that are taken.
    """

    def __init__(
        self, game: Game, config: Config, device: torch.device, past: Past, warn: Callable[[str], None]
    ) -> None:
        self.game, self.config, self.device = game, config, device
        self.trainer = Trainer(game, config, device)
        self.trainer.fill(past.records, past.positions - sum(record.positions for record in past.records))
        self.actors = self._make_actors(past)
        self.trainer.resume(past.saved)
        self.evaluators = self._make_evaluators(warn)
        self._began = time.perf_counter()

    def _make_actors(self, past: Past) -> list[Actor]:
        records, rng = games_going_on(past)
        taken = past.ids | {record.id for record in records}
        total = self.config.actor.threads or best_threads(self.device)
        begun_elsewhere = max(taken, default=0) >= FIRST_PLAYER_ID
        opened = 0 if begun_elsewhere else total * self.config.actor.games
        actors = [Actor(self.game, self.config, _deal(index, total, taken), opened) for index in range(total)]
        for index, actor in enumerate(actors):
            mine = [i for i, record in enumerate(records) if record.id % total == index]  # as if dealt
            actor.restore([records[i] for i in mine], rng[mine])
        return actors

    def _make_evaluators(self, warn: Callable[[str], None]) -> list[NetworkEvaluator]:
        """One an actor, all with the same weights."""
        trainer = self.trainer
        first = playing_evaluator(
            self.game, self.config, trainer.published, self.device, trainer.version, trainer.calibrate, warn
        )
        return [first] + [first.twin() for _ in self.actors[1:]]

    @property
    def threads(self) -> int:
        return len(self.actors) + 1

    @property
    def slots(self) -> int:
        return sum(len(actor.builders) for actor in self.actors)

    @property
    def standing(self) -> Standing:
        return self.trainer.standing

    @property
    def name(self) -> str:
        runtime = getattr(self.evaluators[0], "name", "")
        return f"{self.device.type} {runtime}, {self.slots} games"

    @property
    def is_done(self) -> bool:
        return False

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """One ply in every game, and the gradient steps that are due."""
        learning = pool.submit(self.trainer.train, self._steps_now())
        playing = [
            pool.submit(actor.play, evaluator, self.trainer.version)
            for actor, evaluator in zip(self.actors, self.evaluators, strict=True)
        ]
        finished = [record for future in playing for record in future.result()]
        finished.sort(key=lambda record: record.id)  # whatever slots they were played in
        return finished, learning.result()

    def _steps_now(self) -> int:
        """The gradient steps of this round: as many as its positions will pay for, and more while many are due.

        A round makes as many positions as there are games in progress, or the share of them that is searched in full,
        but they are paid for in bursts, when games come home. With a few steps always waiting each round takes the
        same number, and neither actors nor learner wait for the other.
        """
        if self.trainer.window.positions == 0:
            return 0
        learner = self.config.learner
        made = self.slots * self.config.actor.full_share
        usual, due = made * learner.reuse / learner.batch_size, self.trainer.learner.steps_due()
        most = math.floor(usual)
        if due > _BACKLOG * usual:
            most += math.ceil(_CATCH_UP * usual)
        return max(min(due, most), 0)

    def accept(self, finished: list[GameRecord]) -> None:
        self.trainer.take(finished)
        if self.trainer.publish_if_due():
            self.evaluators[0].update(self.trainer.published, self.trainer.version)

    def finish(self) -> list[GameRecord]:
        """Between two rounds nothing is under way."""
        return []

    @property
    def attendance(self) -> None:
        return None

    def weights(self) -> tuple[int, ResNet]:
        return self.trainer.learner.steps, self.trainer.learner.average

    def positions_in_progress(self) -> int:
        return sum(actor.positions_in_progress() for actor in self.actors)

    def in_progress(self) -> tuple[list[GameRecord], Array]:
        progress = [actor.games_in_progress() for actor in self.actors]
        return [record for records, _ in progress for record in records], np.concatenate([rng for _, rng in progress])

    def save(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], dict[str, bytes]]:
        return self.trainer.save()

    def counters(self) -> dict[str, float]:
        now = time.perf_counter()
        clocks = {"clock": now, "attended": now * len(self.actors), "paused": 0.0}
        return figures(self.actors, self.evaluators) | clocks | {"learning": self.trainer.learner.seconds}

    def view(self) -> View:
        """The first actor's first game."""
        actor = self.actors[0]
        builder = actor.builders[0]
        ply = int(actor.history.length[0]) - 1
        values = np.concatenate([actor.root_values[:, 0] for actor in self.actors])
        return View(actor.history.states[0, ply], 0 if builder is None else builder.id, ply, values)

    def judge(self) -> Judging:
        return Judge(self.game, self.config, self.trainer.learner.average)

    def check_strength(self, games: int, progress: Callable[[str, int], None]) -> list[Match]:
        return check_strength(self.game, self.config, self.trainer.learner.average, games, progress)

    def close(self) -> None:
        """Nothing outlives the threads of the pool."""


def _deal(index: int, total: int, taken: Set[int]) -> Iterator[int]:
    return (number for number in count(index, total) if number not in taken)
