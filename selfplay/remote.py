"""What runs in the processes of a cluster: players, the trainer, matches; and what travels between them and the run.

``cluster`` starts them, tells them what to do and replaces them.
"""

import os
import signal
import struct
import time
import zlib
from collections.abc import Iterable
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import torch

import games
from rlcore.checkpoint import Checkpoint
from rlcore.evaluators import NetworkEvaluator
from rlcore.jit import Array
from selfplay.actor import Actor
from selfplay.arena import Match
from selfplay.config import Config
from selfplay.crew import FIRST_PLAYER_ID, View, figures, playing_evaluator
from selfplay.evaluate import Judge
from selfplay.exact import Totals
from selfplay.learner import StepLosses
from selfplay.parallel import Group, free_address
from selfplay.record import GameRecord, RecordError, join, split
from selfplay.strength import Opponent, check_against, new_network
from selfplay.trainer import Standing, Trainer, choose_device

__all__ = [
    "Arrays",
    "Hello",
    "Played",
    "Player",
    "Teacher",
    "Weights",
    "check_against_opponent",
    "judge",
    "pack",
    "to_arrays",
    "to_tensors",
    "unpack",
]

Arrays = dict[str, Array]


# --- what travels ----------------------------------------------------------------------------------------------------


class Weights(NamedTuple):
    """What is played with."""

    version: int
    arrays: Arrays
    calibration: Array
    """See ``Trainer.calibrate``."""


class Played(NamedTuple):
    """What a player tells beside its block of finished games."""

    figures: dict[str, float]
    """See ``crew.figures``; since the player began."""
    view: View
    positions: int
    """Trainable ones of the games in progress."""
    progress: tuple[bytes, bytes] | None
    """Games in progress, joined, and their generators' states, where asked for."""
    name: str
    """Of what runs the network."""


class Hello(NamedTuple):
    """Where a process runs."""

    process: int
    node: str


def pack(records: Iterable[GameRecord]) -> bytes:
    """Finished games as a block: a checksum of all that follows, and the records end to end."""
    games_played = join(records)
    return struct.pack("<I", zlib.crc32(games_played)) + games_played


def unpack(block: bytes) -> list[GameRecord]:
    """The games in a block.

    Raises:
        RecordError: it is damaged.
    """
    if len(block) < 4 or struct.unpack_from("<I", block)[0] != zlib.crc32(memoryview(block)[4:]):
        raise RecordError(f"a block of {len(block)} bytes of games is damaged: its checksum does not fit")
    return split(memoryview(block)[4:])


def to_arrays(tensors: dict[str, Any]) -> Arrays:
    return {name: torch.as_tensor(value).detach().cpu().numpy() for name, value in tensors.items()}


def to_tensors(arrays: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Copies, as arrays from the object store are shared by all and may not be written to."""
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


# --- in processes of their own ---------------------------------------------------------------------------------------


def _settle() -> Hello:
    """One thread a process; Ctrl-C in the terminal is the driver's, who brings everything home first."""
    import ray  # is there already, in a process that it has started

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    return Hello(os.getpid(), ray.get_runtime_context().get_node_id())


class Player:
    """An actor and its evaluator; number ``number`` of the run."""

    def __init__(
        self, config: Config, device: str, number: int, first_games: bool, progress: tuple[bytes, bytes]
    ) -> None:
        self._here = _settle()
        self.game, self.config, self.device = games.load(config.game), config, torch.device(device)
        first = number * FIRST_PLAYER_ID
        opened = first + config.actor.games if first_games else 0
        self.actor = Actor(self.game, config, count(first), opened)
        self.actor.restore(split(progress[0]), np.frombuffer(progress[1], np.uint64))
        self.network = new_network(self.game, config)
        self.words: Array = np.zeros(0)
        self.evaluator: NetworkEvaluator | None = None

    def hello(self) -> Hello:
        return self._here

    def play(self, weights: Weights | None, seconds: float, keep: bool) -> tuple[bytes, Played]:
        """Play plies until ``seconds`` are over, none where they are 0; returns the games finished, see ``pack``.

        Args:
            weights: to play with from now on; None = as before.
            keep: whether to return the games in progress, too.
        """
        end = time.perf_counter() + seconds
        if weights is not None:
            self._take(weights)
        finished: list[GameRecord] = []
        while time.perf_counter() < end:
            assert self.evaluator is not None
            finished += self.actor.play(self.evaluator, self.evaluator.version)
        progress = None
        if keep:
            records, rng = self.actor.games_in_progress()
            progress = (join(records), rng.tobytes())
        return pack(finished), self._tell(progress)

    def _take(self, weights: Weights) -> None:
        self.network.load_state_dict(to_tensors(weights.arrays))
        self.words = np.array(weights.calibration)  # kernels know writable arrays
        if self.evaluator is None:
            self.evaluator = playing_evaluator(
                self.game, self.config, self.network, self.device, weights.version, lambda: self.words, print
            )
        else:
            self.evaluator.update(self.network, weights.version)

    def _tell(self, progress: tuple[bytes, bytes] | None) -> Played:
        actor, evaluators = self.actor, [] if self.evaluator is None else [self.evaluator]
        builder, ply = actor.builders[0], max(int(actor.history.length[0]) - 1, 0)
        view = View(actor.history.states[0, ply].copy(), 0 if builder is None else builder.id, ply,
                    actor.root_values[:, 0].copy())  # fmt: skip
        name = "" if self.evaluator is None else self.evaluator.name
        return Played(figures([actor], evaluators), view, actor.positions_in_progress(), progress, name)


class Teacher:
    """A trainer in a process of its own; number ``rank`` of those that train one network together."""

    def __init__(self, config: Config, device: str, rank: int) -> None:
        self._here = _settle()
        self.config, self.device, self.rank = config, choose_device(device), rank
        self.trainer: Trainer
        self._handed: int | None = None  # the version handed out last

    def hello(self) -> Hello:
        return self._here

    def address(self) -> str:
        """Where the others can meet this one."""
        import ray

        return free_address(ray.util.get_node_ip_address())

    def begin(self, address: str | None) -> None:
        """Make the trainer; with an address, together with the others."""
        group, settings = None, self.config.cluster
        if address is not None:
            group = Group(self.rank, settings.learners, address, self.device, settings.timeout_seconds)
        self.trainer = Trainer(games.load(self.config.game), self.config, self.device, group)

    def fill(self, block: bytes, before: int | None) -> None:
        """Take games of the past; ``before`` positions were made in games older than the first of them."""
        window = self.trainer.window
        self.trainer.fill(unpack(block), window.total if before is None else before)

    def resume(self, saved: Checkpoint | None, version: int) -> Standing:
        """Go on from a checkpoint with arrays; weights get number ``version`` at least."""
        if saved is not None:
            tensors = {group: to_tensors(arrays) for group, arrays in saved.tensors.items()}
            saved = saved._replace(tensors=tensors)
        self.trainer.resume(saved)
        self.trainer.version = max(self.trainer.version, version)
        return self.trainer.standing

    def work(self, most: int, *blocks: bytes) -> tuple[tuple[Standing, StepLosses | None], Weights | None]:
        """Take finished games, then gradient steps that are due, ``most`` at most; new weights where there are some."""
        for block in blocks:
            self.trainer.take(unpack(block))
        due = min(self.trainer.learner.steps_due(), most) if self.trainer.window.positions else 0
        losses = self.trainer.train(max(due, 0))
        self.trainer.publish_if_due()
        weights = None
        if self.rank == 0 and self.trainer.version != self._handed:
            self._handed = self.trainer.version
            arrays = to_arrays(self.trainer.published.state_dict())
            weights = Weights(self._handed, arrays, self.trainer.calibrate())
        return (self.trainer.standing, losses), weights

    def average(self) -> tuple[int, Arrays]:
        """Steps, and the averaged weights that have come of them."""
        learner = self.trainer.learner
        return learner.steps, to_arrays(learner.average.state_dict())

    def save(self) -> tuple[dict[str, Arrays], dict[str, Any], dict[str, bytes]]:
        """See ``Trainer.save``."""
        tensors, state, blobs = self.trainer.save()
        return {group: to_arrays(named) for group, named in tensors.items()}, state, blobs


def judge(config: Config, version: int, arrays: Arrays) -> dict[str, Totals]:
    """A task: see ``Judge.totals``."""
    _settle()
    game = games.load(config.game)
    network = new_network(game, config)
    network.load_state_dict(to_tensors(arrays))
    judge = Judge(game, config, network)
    return judge.totals()


def check_against_opponent(config: Config, opponent: Opponent, games_each: int, arrays: Arrays) -> Match:
    """A task: see ``strength.check_against``."""
    _settle()
    game = games.load(config.game)
    network = new_network(game, config)
    network.load_state_dict(to_tensors(arrays))
    return check_against(opponent, game, config, network, games_each)
