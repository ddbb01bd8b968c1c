"""The crew on Ray: players and a trainer in processes of their own, on this machine or on many.

    run (the driver)   the log, checkpoints, the display; owns all that follows and replaces what dies
    player             an actor and its evaluator; returns a block of finished games about every second
    trainer            window, learner, published weights

Everything is pulled: a player has at most two calls under way and the trainer as many, so nothing queues without
bound. Where the trainer is too far behind, players get no new calls until it has caught up. Finished games travel as
blocks of bytes with a checksum, and go to the trainer by the same reference once they are in the log. New weights come
with the trainer's answer, once a version, and go with the next call of each player.

Nothing is repeated by Ray itself (``max_restarts`` and ``max_task_retries`` are 0): whatever dies is replaced here. A
player's games in progress are asked for every ten seconds; who takes its place goes on with those that have not been
finished since. A new trainer goes on from the newest checkpoint and the log. Game ids of player number k are k * 2^32
and up, and no number is given twice in a run, so no game can be counted twice.
"""

import math
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlcore.game import Game
from rlcore.jit import Array
from rlcore.networks import ResNet
from selfplay.arena import Match
from selfplay.config import Config, ConfigError
from selfplay.crew import FIRST_PLAYER_ID, Attendance, Past, View, figures, games_going_on
from selfplay.exact import Totals
from selfplay.learner import NonFiniteError, StepLosses
from selfplay.parallel import share_of
from selfplay.record import GameRecord, RecordError, join, split
from selfplay.remote import (
    Arrays,
    Hello,
    Played,
    Player,
    Teacher,
    check_against_opponent,
    judge,
    pack,
    to_arrays,
    to_tensors,
    unpack,
)
from selfplay.strength import OPPONENTS, new_network
from selfplay.trainer import Standing, choose_device

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported: it reports nothing to its makers
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # and warns of a change that does not concern us
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # answers of those given up are not read
import ray
from ray import exceptions as gone

__all__ = ["Cluster", "ClusterError"]

_CALLS = 2  # of a player, and of the trainer, under way: the next begins while the last one's answer travels
_GATHER_SECONDS = 0.1  # answers that come within so long are taken together: one write to the log for all of them
_WAIT_SECONDS = 1.0  # the longest that a round waits for an answer
_SNAPSHOT_SECONDS = 10.0  # between two looks at a player's games in progress
_LOOK_SECONDS = 5.0  # between two looks at what the cluster consists of
_PATIENCE_SECONDS = 30.0  # before it is said that there is no room
_ADDRESS_SECONDS = 10.0  # for a connection to a cluster
_MOST_FAILURES = 5  # in a row, of one player's place or of the trainer, before the run gives up
_FIRST_STEPS = 4  # gradient steps of a call before it is known how long one takes
_CHUNK = 16 << 20  # bytes of games of the past that are sent at once
_LEAST_STORE = 80  # megabytes; Ray refuses less
_MEGABYTE = 1 << 20

_LOST = (gone.RayError, gone.GetTimeoutError)
_FATAL = (ConfigError, NonFiniteError, FloatingPointError, MemoryError)  # errors that a new process would repeat


class ClusterError(ConfigError):
    """The cluster cannot be had, or whatever is started in it dies."""


@dataclass
class _Place:
    """Where a player is, and what it is known to have done."""

    number: int
    actor: Any
    hello: Any
    """Its first answer; None once it has come."""
    started: float
    """When it was asked for."""
    progress: tuple[bytes, bytes]
    """Its games in progress when last asked, for whoever takes its place."""
    calls: deque[tuple[Any, Any]] = field(default_factory=deque)
    """References of (block, Played), the oldest first."""
    here: Hello | None = None
    since: float = 0.0
    """When it was first known to be there, and ..."""
    waiting_since: float = 0.0
    """... since when its oldest call is its turn."""
    asked_at: float = -math.inf
    """When its games in progress were last asked for."""
    version: int = -1
    """Of the weights that it was sent last."""
    played: Played | None = None
    failures: int = 0
    """Deaths in this place since a call was finished."""


class RemoteJudge:
    """See ``evaluate.Judge``: the same as a task of the cluster."""

    def __init__(self, config: Config) -> None:
        self._config, self._taken = config, (0, Arrays())

    def take(self, network: ResNet, version: int) -> None:
        self._taken = (version, to_arrays(network.state_dict()))

    def totals(self, cancelled: Callable[[], bool] = lambda: False) -> dict[str, Totals]:
        version, arrays = self._taken
        task = ray.remote(num_cpus=1, max_retries=0)(judge).remote(self._config, version, arrays)
        return _await(task, cancelled)


def _await(task: Any, cancelled: Callable[[], bool]) -> Any:
    """A task's answer; InterruptedError where it was cancelled or has died."""
    try:
        while not ray.wait([task], timeout=_WAIT_SECONDS / 2)[0]:
            if cancelled():
                ray.cancel(task, force=True)
                raise InterruptedError
        return ray.get(task)
    except gone.RayError as error:
        _raise_fatal(error)
        raise InterruptedError(_reason(error)) from error


def _raise_fatal(error: BaseException) -> None:
    """Raise what a process has died of, where a new one would die of the same."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, _FATAL):
        raise cause from error


def _reason(error: BaseException) -> str:
    """What has gone wrong, in a few words."""
    if isinstance(error, RecordError):
        return "it sent a damaged block of games"
    if isinstance(error, TimeoutError):
        return "it did not answer"
    if isinstance(error, gone.RayTaskError):
        return str(error.cause or error).strip().splitlines()[-1]
    if "creation task" in str(error):  # it came, and failed at once: rlcore is missing there, or another version
        return str(error).strip().splitlines()[-1].strip()
    return "its process or its machine is gone"


class Cluster:
    """The crew on Ray; see the module's docstring.

    Args:
        reopen: gives what there is to go on from now, for a new trainer.
        tell: takes a line for the screen.

    Raises:
        ClusterError: Ray cannot be started or reached.
    """

    def __init__(
        self, game: Game, config: Config, past: Past, reopen: Callable[[], Past], tell: Callable[[str], None]
    ) -> None:
        self.game, self.config, self._reopen, self._tell = game, config, reopen, tell
        self._ids = past.ids
        share_of(config.learner, config.cluster.learners)  # raises where that cannot be
        self._spill = config.folder().resolve() / "spilled"  # by Ray, where the object store is full
        self._players: list[_Place] = []
        self._trainers: list[Any] = []
        self._start_ray()
        try:
            self._begin(past)
        except BaseException:
            self.close()
            raise

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start_ray(self) -> None:
        config, settings = self.config, self.config.cluster
        where = f"at {config.ray_address}" if config.ray_address else "on this machine"
        self._tell(f"Starting Ray {where} ...")
        began, handlers = time.perf_counter(), {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        common = {"log_to_driver": False, "logging_level": "error"}
        mask = os.umask(0o077)  # Ray's token is nobody else's business
        shutil.rmtree(self._spill, ignore_errors=True)  # of a start that was killed
        said: list[str] = []
        try:
            if config.ray_address:
                _check_address(config.ray_address)
                with _overheard(said):
                    ray.init(address=config.ray_address, **common)
            else:
                self._spill.mkdir()
                gpus = torch.cuda.device_count() if choose_device(config.device).type == "cuda" else 0
                ray.init(
                    address="local",  # never one that happens to run here
                    num_cpus=math.ceil(config.actors * settings.cpus) + settings.learners + 1,  # one for matches
                    num_gpus=gpus,
                    include_dashboard=False,
                    object_store_memory=max(settings.store_megabytes, _LEAST_STORE) * _MEGABYTE,
                    object_spilling_directory=str(self._spill),
                    _node_ip_address="127.0.0.1",
                    **common,
                )
        except (OverflowError, OSError, RuntimeError, ValueError, gone.RayError) as error:
            line = (str(error).strip() or type(error).__name__).splitlines()[0]
            if any("InvalidAuthToken" in one for one in said):
                line = "its token is another one than here, see SCALING.md (RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token)"
            raise ClusterError(f"Ray cannot be started {where}: {line}") from None
        finally:
            os.umask(mask)
            if threading.current_thread() is threading.main_thread():  # Ray has put its own in their place
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        ray._private.worker._worker_logs_enabled = False  # remarks on deaths come in spite of log_to_driver
        token = Path.home() / ".ray" / "auth_token"
        if hasattr(os, "getuid") and token.exists() and token.stat().st_uid == os.getuid():
            token.chmod(0o600)
        self._tell(f"Ray has started in {time.perf_counter() - began:.0f} s.")

    def _begin(self, past: Past) -> None:
        """Start the trainer and the players."""
        resources = ray.cluster_resources()
        gpus = resources.get("GPU", 0.0)
        if self.config.device == "cuda" and not gpus:
            raise ClusterError("device = cuda, but the cluster has no GPU; choose auto or cpu")
        self.device = "cuda" if gpus and self.config.device != "cpu" else "cpu"
        self._began = self._looked_at = self._counted_at = time.perf_counter()
        self._network = new_network(self.game, self.config)
        self._orphans: list[tuple[bytes, bytes]] = []  # games in progress that nobody has room for
        self._done: dict[str, float] = {}  # counters of players that are gone
        self._attended = self._paused = 0.0  # seconds of players
        self._learned = 0.0  # seconds of gradient steps by trainers that are gone
        self._lost = self._trainers_lost = self._trainer_failures = 0
        self._blocks: list[tuple[Any, int]] = []  # in the log and not yet with the trainer: reference, positions
        self._finished: list[tuple[Any, list[GameRecord]]] = []  # of this round, until they are in the log
        self._losses: list[tuple[int, StepLosses]] = []
        self._version, self._weights = -1, None
        self._standing = Standing(0, 0, 0, 0.0, 0, 0, 0, 0.0)
        self._ending = self._said_no_room = False
        records, _ = games_going_on(past)
        known = max([*past.ids, *(record.id for record in records)], default=0)
        self._numbers = count(known // FIRST_PLAYER_ID + 1)
        self._first_games = not past.ids and not records
        self._gpu_share, self._trainer_gpu_share = self._gpu_shares(gpus)
        self._start_trainer(past, wait=False)
        self._start_players(past)
        self._await_trainer()

    def _gpu_shares(self, gpus: float) -> tuple[float, float]:
        """Of a player and of a learner: what is asked for; else a learner has a whole one where that leaves some."""
        settings = self.config.cluster
        if self.device == "cpu":
            return 0.0, 0.0
        players = self._wanted()
        learner = settings.learner_gpus
        if learner is None:
            learner = 1.0 if gpus > settings.learners else gpus / (settings.learners + players)
        player = settings.gpus
        if player is None:
            player = min(max(gpus - settings.learners * learner, 0.0) / players, 1.0)
        return math.floor(player * 1e4) / 1e4, math.floor(learner * 1e4) / 1e4

    def _wanted(self) -> int:
        """How many players there are to be: with no number given, one a core that is left, now."""
        if self.config.actors:
            return self.config.actors
        settings = self.config.cluster
        left = ray.cluster_resources().get("CPU", 1.0) - settings.learners - 1  # one for matches
        return max(int(left / settings.cpus), 1)

    # --- the trainer -------------------------------------------------------------------------------------------------

    def _start_trainer(self, past: Past, wait: bool = True) -> None:
        """Start one, which takes the games of the past and goes on from the checkpoint."""
        options = {"num_cpus": 1, "num_gpus": self._trainer_gpu_share, "max_restarts": 0, "max_task_retries": 0}
        teacher, ranks = ray.remote(**options)(Teacher), range(self.config.cluster.learners)
        self._trainers = [teacher.remote(self.config, self.device, rank) for rank in ranks]
        self._trainer_here: list[Hello] = []
        self._hellos = [trainer.hello.remote() for trainer in self._trainers]
        address = self._trainers[0].address.remote() if len(ranks) > 1 else None
        self._filled = [trainer.begin.remote(address) for trainer in self._trainers]
        before: int | None = past.positions - sum(record.positions for record in past.records)
        for block in map(ray.put, _blocks(past.records)):
            self._filled += [trainer.fill.remote(block, before) for trainer in self._trainers]
            before = None
        saved = past.saved
        if saved is not None:
            saved = saved._replace(tensors={group: to_arrays(named) for group, named in saved.tensors.items()})
        saved = ray.put(saved)
        self._resumed = [trainer.resume.remote(saved, self._version + 1) for trainer in self._trainers]
        self._work: deque[tuple[Any, Any]] = deque()
        self._helping: list[Any] = []  # what the other learners answer to the same
        self._work_since = 0.0
        self._blocks, self._steps_a_second = [], 0.0
        if wait:
            self._await_trainer()

    def _await_trainer(self) -> None:
        """Wait until the trainer has taken everything."""
        began, said = time.perf_counter(), False
        while True:
            try:
                if not ray.wait(self._resumed, num_returns=len(self._resumed), timeout=_WAIT_SECONDS)[1]:
                    ray.get(self._filled)
                    self._trainer_here = ray.get(self._hellos)
                    self._standing = ray.get(self._resumed)[0]
                    return
            except _LOST as error:
                self._lose_trainer(error)
                return
            if not said and time.perf_counter() - began > 2 * _PATIENCE_SECONDS:
                said = True
                self._tell(
                    "The trainer is not there yet: the machine is slow, or there is no room. It takes one core and "
                    f"{self._trainer_gpu_share:g} GPU."
                )

    def _lose_trainer(self, error: BaseException) -> None:
        """Start another in its place, from the newest checkpoint and the log."""
        _raise_fatal(error)
        self._trainers_lost += 1
        self._trainer_failures += 1
        if self._trainer_failures >= _MOST_FAILURES:
            raise ClusterError(f"the trainer has died {_MOST_FAILURES} times in a row: {_reason(error)}") from error
        self._learned += self._standing.seconds
        self._standing = self._standing._replace(seconds=0.0)
        self._kill_trainers()
        past = self._reopen()
        place = f"checkpoint {past.saved.name}" if past.saved else "the games of the log"
        self._tell(f"The trainer was lost ({_reason(error)}); another goes on from {place}.")
        self._start_trainer(past)

    def _kill_trainers(self) -> None:
        """All of them: a group does not go on without one."""
        for trainer in self._trainers:
            _kill(trainer)

    def _feed_trainer(self) -> None:
        """Give it the games that are in the log now, and steps to take, where it has few calls under way."""
        while len(self._work) < _CALLS and (self._blocks or self._weights is None or self._due() >= 1):
            if self._work and not self._blocks and self._standing.steps_due < 1:
                return
            taken, self._blocks = self._blocks, []
            speed = self._steps_a_second
            most = max(round(self.config.cluster.call_seconds * speed), 1) if speed else _FIRST_STEPS
            blocks = [block for block, _ in taken]
            first, *others = (trainer.work.options(num_returns=2).remote(most, *blocks) for trainer in self._trainers)
            if not self._work:
                self._work_since = time.perf_counter()
            self._work.append(tuple(first))
            self._helping += [answer for answer, _ in others]
            if self._weights is None:
                return  # the first answer brings weights

    def _hear_helper(self, answer: Any) -> None:
        """See that another learner has done what it was told."""
        self._helping.remove(answer)
        try:
            ray.get(answer)
        except _LOST as error:
            self._lose_trainer(error)

    def _due(self) -> float:
        """Gradient steps that all games in the log pay for, as far as is known."""
        learner = self.config.learner
        positions = sum(number for _, number in self._blocks)
        return self._standing.steps_due + positions * learner.reuse / learner.batch_size

    def _hear_trainer(self) -> None:
        """Read its oldest answer, which is there."""
        answer, weights = self._work.popleft()
        self._work_since = time.perf_counter()
        try:
            standing, losses = ray.get(answer)
            if standing.version != self._version:
                ray.get(weights)  # a copy here outlives the trainer's machine
                self._version, self._weights = standing.version, weights
        except _LOST as error:
            self._lose_trainer(error)
            return
        steps = standing.steps - self._standing.steps
        seconds = standing.seconds - self._standing.seconds
        if steps > 0 and seconds > 0:
            self._steps_a_second = steps / seconds
        if losses is not None:
            self._losses.append((steps, losses))
        self._standing, self._trainer_failures = standing, 0

    def _ask_trainer(self, method: str) -> Any:
        """The answer of a method; of a new trainer where the one there is has died."""
        while True:
            try:
                return ray.get(getattr(self._trainers[0], method).remote(), timeout=self.config.cluster.timeout_seconds)
            except _LOST as error:
                self._lose_trainer(error)

    # --- players -----------------------------------------------------------------------------------------------------

    def _start_players(self, past: Past) -> None:
        """One in each place, with its share of the games in progress at the checkpoint."""
        records, rng = games_going_on(past)
        wanted = self._wanted()
        for place in range(wanted):
            self._players.append(self._new_player((join(records[place::wanted]), rng[place::wanted].tobytes())))

    def _new_player(self, progress: tuple[bytes, bytes], failures: int = 0) -> _Place:
        settings, number = self.config.cluster, next(self._numbers)
        options = {
            "num_cpus": settings.cpus, "num_gpus": self._gpu_share, "max_restarts": 0, "max_task_retries": 0,
        }  # fmt: skip
        device = self.device if self._gpu_share else "cpu"
        actor = ray.remote(**options)(Player).remote(self.config, device, number, self._first_games, progress)
        return _Place(number, actor, actor.hello.remote(), time.perf_counter(), progress, failures=failures)

    def _lose_player(self, place: _Place, error: BaseException) -> None:
        """Start another in its place, which takes up its games; answers still to come are not read."""
        _raise_fatal(error)
        _kill(place.actor)
        self._retire(place)
        self._lost += 1
        self._players.remove(place)
        failures = place.failures + 1
        if failures >= _MOST_FAILURES:
            raise ClusterError(
                f"a player has died {failures} times in a row without playing: {_reason(error)}"
            ) from error
        progress = self._unfinished(place.progress)
        player = self._new_player(progress, failures)
        self._players.append(player)
        self._tell(
            f"Player {place.number} was lost ({_reason(error)}); player {player.number} takes up "
            f"{len(progress[1]) // 8} of its games."
        )

    def _unfinished(self, progress: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Games in progress without those that have been finished since."""
        records, rng = split(progress[0]), np.frombuffer(progress[1], np.uint64)
        home = {record.id for _, new in self._finished for record in new}
        kept = [i for i, record in enumerate(records) if record.id not in self._ids and record.id not in home]
        return join(records[i] for i in kept), rng[kept].tobytes()

    def _retire(self, place: _Place) -> None:
        """Keep what a player that is gone has done."""
        for name, value in (place.played.figures if place.played else {}).items():
            self._done[name] = self._done.get(name, 0.0) + value

    def _feed_players(self) -> None:
        """Give calls to those that have few under way."""
        settings = self.config.cluster
        if self._weights is None or self._ending or self.is_paused:
            return
        now = time.perf_counter()
        for place in self._players:
            while place.here is not None and len(place.calls) < _CALLS:
                keep = now - place.asked_at >= _SNAPSHOT_SECONDS
                if keep:
                    place.asked_at = now
                self._call(place, settings.call_seconds, keep)

    def _call(self, place: _Place, seconds: float, keep: bool) -> None:
        weights = None if place.version == self._version else self._weights
        place.version = self._version
        if not place.calls:
            place.waiting_since = time.perf_counter()
        place.calls.append(tuple(place.actor.play.options(num_returns=2).remote(weights, seconds, keep)))

    @property
    def is_paused(self) -> bool:
        """Whether players wait because the trainer is too far behind."""
        return self._due() > self.config.cluster.most_steps_due

    def _hear_player(self, place: _Place) -> None:
        """Read its oldest answer, which is there."""
        try:
            if place.hello is not None:
                place.here, place.hello = ray.get(place.hello), None
                place.since = time.perf_counter()
                return
            block, told = place.calls.popleft()
            played, records = ray.get(told), unpack(ray.get(block))
        except (*_LOST, RecordError) as error:
            self._lose_player(place, error)
            return
        place.waiting_since = time.perf_counter()
        place.played, place.failures = played, 0
        if played.progress is not None:
            place.progress = played.progress
        new = [record for record in records if record.id not in self._ids]
        if len(new) < len(records):  # cannot be; were it so, they would count twice
            self._tell(f"{len(records) - len(new)} games of player {place.number} were there already.")
            block = ray.put(pack(new))
        if new:
            self._finished.append((block, new))

    def _look_around(self, now: float) -> None:
        """Give up whoever does not answer, and follow the size of the cluster."""
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        timeout = self.config.cluster.timeout_seconds
        for place in list(self._players):
            if place.calls and now - place.waiting_since > timeout:
                self._lose_player(place, TimeoutError())
        if self._work and now - self._work_since > timeout:
            self._lose_trainer(TimeoutError())
        wanted = self._wanted()
        while len(self._players) < wanted:
            self._players.append(self._new_player(self._orphans.pop() if self._orphans else (b"", b"")))
        pending = [place for place in self._players if place.here is None]
        for place in pending[: len(self._players) - wanted]:  # their machine has left
            _kill(place.actor)
            self._players.remove(place)
            self._orphans.append(place.progress)
        late = [place for place in pending if now - place.started > _PATIENCE_SECONDS]
        if late and not self._said_no_room:
            self._said_no_room = True
            self._tell(
                f"{len(late)} of {wanted} players are not there yet: they start when there is room. Each takes "
                f"{self.config.cluster.cpus:g} processor cores and {self._gpu_share:g} GPU."
            )

    # --- the crew ----------------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        return False

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """Send out calls, wait about a second at most, and take the answers that have come."""
        self._feed_trainer()
        self._feed_players()
        self._hear(_WAIT_SECONDS)
        self._look_around(time.perf_counter())
        return self._take_finished(), self._take_losses()

    def _hear(self, seconds: float) -> None:
        """Read the answers that come within some time, once there is one."""
        by_ref: dict[Any, Callable[[], None]] = {}
        for place in self._players:
            ref = place.hello if place.hello is not None else place.calls[0][1] if place.calls else None
            if ref is not None:
                by_ref[ref] = lambda place=place: self._hear_player(place)  # type: ignore[misc]
        if self._work:
            by_ref[self._work[0][0]] = self._hear_trainer
        for answer in self._helping:
            by_ref[answer] = lambda answer=answer: self._hear_helper(answer)  # type: ignore[misc]
        refs, old = list(by_ref), {*self._helping, *(answer for answer, _ in self._work)}
        if refs and ray.wait(refs, timeout=seconds, fetch_local=False)[0]:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=_GATHER_SECONDS, fetch_local=False)
            trainers = self._trainers
            for ref in ready:
                if trainers is self._trainers or ref not in old:  # answers of trainers given up are not read
                    by_ref[ref]()
        elif not refs:
            time.sleep(_GATHER_SECONDS)
        self._keep_time()

    def _keep_time(self) -> None:
        now = time.perf_counter()
        passed, self._counted_at = now - self._counted_at, now
        there = [place for place in self._players if place.here is not None]
        self._attended += passed * len(there)
        if self._weights is not None and self.is_paused:
            self._paused += passed * sum(not place.calls for place in there)

    def _take_finished(self) -> list[GameRecord]:
        finished = [record for _, new in self._finished for record in new]
        finished.sort(key=lambda record: record.id)
        return finished

    def _take_losses(self) -> StepLosses | None:
        """Means over the steps heard of since the last time."""
        losses, self._losses = self._losses, []
        if not losses:
            return None
        weights = [max(steps, 1) for steps, _ in losses]
        return StepLosses(*np.average([one for _, one in losses], axis=0, weights=weights).tolist())

    def accept(self, finished: list[GameRecord]) -> None:
        """Let the blocks of these games go to the trainer with its next call."""
        taken, self._finished = self._finished, []
        self._blocks += [(block, sum(record.positions for record in new)) for block, new in taken]

    def finish(self) -> list[GameRecord]:
        """Bring home what the players hold: games finished, and all games in progress."""
        self._ending = True
        end = time.perf_counter() + self.config.cluster.timeout_seconds
        for place in self._players:
            if place.here is not None and self._weights is not None:
                self._call(place, 0.0, keep=True)
        while (self._work or any(place.calls for place in self._players)) and time.perf_counter() < end:
            self._hear(_WAIT_SECONDS)
        return self._take_finished()

    @property
    def threads(self) -> int:
        return 0

    @property
    def slots(self) -> int:
        return self.config.actor.games * len(self._players)

    @property
    def standing(self) -> Standing:
        return self._standing

    @property
    def attendance(self) -> Attendance:
        there = sum(place.here is not None for place in self._players)
        return Attendance(there, len(self._players), self._lost, self._trainers_lost, len(self._blocks))

    @property
    def name(self) -> str:
        runtime = next((place.played.name for place in self._players if place.played), "")
        players = f"{len(self._players)} player{'s' * (len(self._players) != 1)} on Ray"
        device = self.device if self._gpu_share else "cpu"
        return f"{players}, {f'{device} {runtime}'.strip()}, {self.slots} games"

    def player_processes(self) -> dict[int, Hello]:
        """Where the players that are there run, by their numbers."""
        return {place.number: place.here for place in self._players if place.here is not None}

    @property
    def trainer_processes(self) -> list[Hello]:
        """Where the learners run."""
        return self._trainer_here

    def weights(self) -> tuple[int, ResNet]:
        steps, arrays = self._ask_trainer("average")
        self._network.load_state_dict(to_tensors(arrays))
        return steps, self._network

    def positions_in_progress(self) -> int:
        return sum(place.played.positions for place in self._players if place.played)

    def in_progress(self) -> tuple[list[GameRecord], Array]:
        """As of the last time that each player was asked, without games that have been finished since."""
        known = [self._unfinished(one) for one in (*(place.progress for place in self._players), *self._orphans)]
        records = [record for joined, _ in known for record in split(joined)]
        return records, np.frombuffer(b"".join(rng for _, rng in known), np.uint64)

    def save(self) -> tuple[dict[str, dict[str, Any]], dict[str, Any], dict[str, bytes]]:
        return self._ask_trainer("save")

    def counters(self) -> dict[str, float]:
        counted = dict.fromkeys(figures([], []), 0.0) | self._done
        for place in self._players:
            for name, value in (place.played.figures if place.played else {}).items():
                counted[name] += value
        return counted | {
            "clock": self._counted_at,
            "attended": self._attended,
            "paused": self._paused,
            "learning": self._learned + self._standing.seconds,
        }

    def view(self) -> View:
        """The first player's first game."""
        seen = [place.played.view for place in self._players if place.played]
        if seen:
            return seen[0]._replace(values=np.concatenate([view.values for view in seen]))
        start = np.zeros(1, self.game.STATE)
        self.game.init(start[0], self.config.seed)
        return View(start[0], 0, 0, np.zeros(0, np.float32))

    def judge(self) -> RemoteJudge:
        return RemoteJudge(self.config)

    def check_strength(self, games: int, progress: Callable[[str, int], None]) -> list[Match]:
        """The matches side by side, each a task."""
        _, network = self.weights()
        task = ray.remote(num_cpus=1, max_retries=0)(check_against_opponent)
        arrays = ray.put(to_arrays(network.state_dict()))
        for place in self._players:  # their cores are free for this
            _kill(place.actor)
        tasks = [task.remote(self.config, opponent, games, arrays) for opponent in OPPONENTS]

        def stopped() -> bool:
            progress("", 0)  # raises where a stop is asked for
            return False

        return [_await(one, stopped) for one in tasks]

    def close(self) -> None:
        """End all processes: first ours, which shutting Ray down leaves for a while."""
        if ray.is_initialized():
            self._kill_trainers()
            for place in self._players:
                _kill(place.actor)
        ray.shutdown()
        shutil.rmtree(self._spill, ignore_errors=True)


def _check_address(address: str) -> None:
    """Raise ValueError or OSError where nobody answers there: Ray itself would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdigit():
        raise ValueError(f"an address is HOST:PORT or auto, not {address}")
    socket.create_connection((host, int(port)), timeout=_ADDRESS_SECONDS).close()


@contextmanager
def _overheard(said: list[str]) -> Iterator[None]:
    """Add what goes to standard error meanwhile, from whatever code, to these lines instead."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said += file.read().decode(errors="replace").splitlines()


def _kill(actor: Any) -> None:
    """End a process, if it is there, at once: nothing it does then is of value."""
    ray.kill(actor, no_restart=True)


def _blocks(records: list[GameRecord]) -> Iterator[bytes]:
    """Records in blocks of some size; one at least."""
    group: list[GameRecord] = []
    size = 0
    for record in records:
        group.append(record)
        size += record.plies.nbytes + record.entries.nbytes
        if size >= _CHUNK:
            yield pack(group)
            group, size = [], 0
    yield pack(group)
