"""A self-play run: its folder, its parts in memory, one round of it, and going on after a kill.

A round: every actor plays one ply in all of its games while the learner takes the gradient steps that are due, each on
a thread of its own; then the finished games go to the log and the window, and new weights to the actors. Within a round
nothing depends on which thread is faster, so a run repeats itself from its seed.
"""

import copy
import math
import os
import shlex
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from operator import attrgetter
from pathlib import Path

import numpy as np
import torch

from games.solved import SOLVED
from rlcore import checkpoint
from rlcore.cache import CachedEvaluator
from rlcore.evaluators import NetworkEvaluator
from rlcore.game import Game
from rlcore.inference import choose_dtype
from rlcore.jit import Array
from rlcore.metrics import Metrics
from rlcore.runtimes import make_evaluator, played_positions
from selfplay.actor import Actor
from selfplay.config import Config, ConfigError, parse_config, read_config
from selfplay.gamefile import GameFile
from selfplay.learner import Learner, StepLosses
from selfplay.log import GameLog
from selfplay.record import GameRecord, join, split
from selfplay.report import Report
from selfplay.resignation import mistaken
from selfplay.window import Window

_CATCH_UP = 0.25  # how much faster than games are made the learner may go, where it is behind
_BACKLOG = 8  # rounds' worth of steps that are kept waiting, so that there are some to take in every round
_CALIBRATION = 256  # positions; twice as many change nothing that can be measured
_MOST_ACTORS = 4  # more threads in one process get in each other's way
_LATEST = 200  # games that draw rate, length and endings are reported over
_LATEST_CHECKS = 500  # games that the error of giving up is reported over


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _python() -> str:
    """This interpreter, as one would type it here."""
    try:
        inside = Path(sys.prefix).relative_to(Path.cwd())
    except ValueError:
        return "python"
    return str(inside / Path(sys.executable).relative_to(sys.prefix))


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one.

    Raises:
        ConfigError: there is none of that kind.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device = cuda, but torch finds no GPU here; choose auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class Run:
    """All that a self-play run consists of, in memory and in its folder.

        config.json  games.log  games.<its suffix>  metrics.jsonl  checkpoints/  tensorboard/

    Opening the folder of an earlier run goes on with it: network, optimizer, counters and games in progress as of the
    newest intact checkpoint, finished games from the log.
    """

    def __init__(self, game: Game, config: Config, report: Report) -> None:
        self.game, self.config, self.report = game, config, report
        self.folder = config.folder()
        if game.DISCOUNT > 0.0 and config.actor.resign > 0.0:
            raise ConfigError(f"actor.resign must be 0 in {game.name}: there is nobody to give up to")
        self.device = choose_device(config.device)
        self.dtype = choose_dtype(self.device)
        self._check_folder()
        self.log = GameLog(self.folder / "games.log", game.name, warn=report.line)
        self.learner = Learner(game, config, self.device, low_precision=self.dtype == torch.bfloat16)
        self.window = Window(game, config.learner, config.history, config.actor.max_plies)
        self.version = 0
        self.seconds_before = 0.0
        """Training time of earlier starts."""
        self.published = copy.deepcopy(self.learner.average)
        """The weights that the actors play with, number ``version``."""
        self.calibration: Array | None = None
        """Positions [n, num_words] uint64 that these weights were calibrated with, see ``_calibrate``."""
        self._published_at = 0  # step
        self.saves = 0
        self.resumed_from: str | None = None
        self.latest: deque[GameRecord] = deque(maxlen=_LATEST)
        self.mistakes: deque[bool] = deque(maxlen=_LATEST_CHECKS)
        """Of the latest games in which a side would have given up but was made to play on: whether it did not lose."""
        saved = checkpoint.load_newest(self.folder / "checkpoints", warn=report.line, framework="torch")
        if saved is not None:  # config.json may have been lost
            self._check_settings(parse_config(saved.state["config"], f"checkpoint {saved.name} of {self.folder}"))
        self._fill_window()
        self.actors = self._make_actors(saved)
        if saved is not None:
            self._restore(saved)
        else:
            self.learner.earn(self.log.positions)
        self.game_file = self._open_game_file()
        self._writing: Future[None] | None = None
        self.metrics = Metrics(self.folder)
        self.metrics.rewind(self.learner.steps)
        self.evaluators = self._make_evaluators()
        self._write_config()

    # --- opening -----------------------------------------------------------------------------------------------------

    def _check_folder(self) -> None:
        """Make the folder, or check that its run can be gone on with under these settings."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "config.json"
        if path.exists():
            self._check_settings(read_config(path))

    def _check_settings(self, saved: Config) -> None:
        """Refuse to go on with a run of other settings that cannot be changed."""
        for name in ("game", "network", "history", "learner.optimizer"):
            before, now = (attrgetter(name)(config) for config in (saved, self.config))
            if before != now:
                raise ConfigError(
                    f"{self.folder} holds a run with {name} = {before}; go on with that, or choose another --run-dir"
                )

    def _write_config(self) -> None:
        """Note the settings, once it is known that the run goes on with them."""
        path = self.folder / "config.json"
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.config.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def _fill_window(self) -> None:
        """Take the latest games from the log."""
        self.window.total = self.log.positions
        first = self.log.tail(self.window.size())
        records = list(self.log.records(first))
        self.window.total -= sum(record.positions for record in records)
        self.window.add(records)
        self._note(records)

    def _note(self, records: list[GameRecord]) -> None:
        """Keep what is reported of the latest games."""
        self.latest.extend(records)
        checks = (mistaken(record, self.game, self.config.actor) for record in records)
        self.mistakes.extend(check for check in checks if check is not None)

    def _make_actors(self, saved: checkpoint.Checkpoint | None) -> list[Actor]:
        """The actors, with the games that were in progress at the checkpoint and have not been finished since."""
        records = split(saved.blobs["games"]) if saved else []
        rng = np.frombuffer(saved.blobs["rng"], np.uint64) if saved else np.zeros(0, np.uint64)
        going_on = [i for i, record in enumerate(records) if record.id not in self.log.ids]
        taken = self.log.ids | {records[i].id for i in going_on}
        total = self.config.actor.threads or self._best_threads()
        actors = [Actor(self.game, self.config, index, total, taken) for index in range(total)]
        for index, actor in enumerate(actors):
            mine = [i for i in going_on if records[i].id % total == index]  # those that it would have been dealt
            actor.restore([records[i] for i in mine], rng[mine])
        return actors

    def _best_threads(self) -> int:
        """A core is for the learner; a GPU wants at least two groups of games, so that it evaluates one by turns."""
        least = 2 if self.device.type == "cuda" else 1
        return min(max(_cores() - 1, least), _MOST_ACTORS)

    def _restore(self, saved: checkpoint.Checkpoint) -> None:
        state = saved.state
        self.learner.load(saved.tensors, state["learner"])
        self.published.load_state_dict(saved.tensors["published"])
        self.version, self._published_at = int(state["version"]), int(state["published_at"])
        words = np.frombuffer(saved.blobs.get("calibration", b""), np.uint64).copy()  # kernels know writable arrays
        if len(words):
            self.calibration = words.reshape(-1, self.game.layout(self.config.history).num_words)
        newest = max((record.last_version for record in self.latest), default=0)
        if newest > self.version:  # games of weights that a kill took: their numbers are not given twice
            self.version = newest + 1
        self.learner.earn(max(self.log.positions - int(state["positions"]), 0))
        if self.log.games < int(state["games"]):
            self.report.line(
                f"{self.log.path.name} holds {self.log.games:,} games, the checkpoint has seen {state['games']:,}: "
                f"the missing ones are lost to the replay window; training goes on with new ones."
            )
        self.seconds_before = float(state["seconds"])
        self.saves = int(saved.name)
        self.resumed_from = saved.name

    def _make_evaluators(self) -> list[NetworkEvaluator]:
        """One an actor, all with the same weights."""
        layout, actor = self.game.layout(self.config.history), self.config.actor
        rows = actor.games * self.config.search.leaves
        first: NetworkEvaluator = make_evaluator(
            self.published,
            layout,
            rows,
            device=self.device,
            runtime=self.config.runtime,
            version=self.version,
            calibration=self._calibrate,
            warn=self.report.line,
        )
        if actor.cache_positions:
            try:
                first = CachedEvaluator(first, layout, self.game.MAX_LEGAL, actor.cache_positions)
            except ValueError as error:
                raise ConfigError(f"actor.cache_positions: {error}") from None
        return [first] + [first.twin() for _ in self.actors[1:]]

    def _calibrate(self) -> Array:
        """Positions [n, num_words] uint64 that say how large the network's numbers get: drawn from the window.

        Drawn once for each version of the weights; a checkpoint keeps them, so that a resumed run computes the same.
        """
        if self.calibration is None:
            if self.window.positions:
                generator = np.random.default_rng((self.config.seed, self.version))
                draws = -(-_CALIBRATION // self.config.learner.batch_size)
                words = [self.window.sample(generator).batch.words[:_CALIBRATION].copy() for _ in range(draws)]
                self.calibration = np.concatenate(words)[:_CALIBRATION]
            else:
                self.calibration = played_positions(self.game, self.published, self.config.history)
        return self.calibration

    def _open_game_file(self) -> GameFile | None:
        """The games as text, where the library that writes them is installed."""
        try:
            return GameFile(self.folder, self.game, self.log)
        except ModuleNotFoundError as error:
            self.report.line(f"No games as text: the package {error.name} is not installed (games.log has them all).")
            return None

    def how_to_go_on(self) -> list[tuple[str, str]]:
        """What a person may want to do next, and the command for it."""
        folder = shlex.quote(str(self.folder))
        where = "" if self.config.run_dir is None else f" --run-dir {folder}"
        python, options = _python(), f"--game {self.game.name}"
        more = " --max-positions 0" if self.is_complete else ""
        steps = [
            ("go on training", f"{python} scripts/selfplay.py {options}{where}{more}"),
            ("play against it", f"{python} scripts/play.py {options}{where}"),
            ("measure its strength", f"{python} scripts/match.py {options} --engine {folder}"),
        ]
        if self.game.DISCOUNT > 0.0:  # there is nobody to play against
            return steps[:1]
        if self.game.name in SOLVED:
            steps.append(("judge its moves", f"{python} scripts/evaluate.py {options} --engine {folder}"))
        return steps

    # --- going on ----------------------------------------------------------------------------------------------------

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """One ply in every game, and the gradient steps that are due."""
        learning = pool.submit(self.learner.train, self.window, self._steps_now())
        playing = [
            pool.submit(actor.play, evaluator, self.version)
            for actor, evaluator in zip(self.actors, self.evaluators, strict=True)
        ]
        finished = [record for future in playing for record in future.result()]
        finished.sort(key=lambda record: record.id)  # whatever slots they were played in
        losses = learning.result()
        self.log.append(finished)
        self.window.add(finished)
        self.learner.earn(sum(record.positions for record in finished))
        self._note(finished)
        self._write_as_text(finished, pool)
        if self.learner.steps - self._published_at >= self.config.learner.publish_steps:
            self.publish()
        return finished, losses

    def _write_as_text(self, finished: list[GameRecord], pool: ThreadPoolExecutor) -> None:
        """Write games as text while the next round is played: some milliseconds a game, all of it in Python."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        if self.game_file is not None and finished:
            self._writing = pool.submit(self.game_file.append, finished)

    def _steps_now(self) -> int:
        """The gradient steps of this round: as many as its positions will pay for, and more while many are due.

        A round makes as many positions as there are games in progress, or the share of them that is searched in full,
        but they are paid for in bursts, when games come home. With a few steps always waiting each round takes the
        same number, and neither actors nor learner wait for the other.
        """
        if self.window.positions == 0:
            return 0
        learner = self.config.learner
        made = sum(len(actor.builders) for actor in self.actors) * self.config.actor.full_share
        usual, due = made * learner.reuse / learner.batch_size, self.learner.steps_due()
        most = math.floor(usual)
        if due > _BACKLOG * usual:
            most += math.ceil(_CATCH_UP * usual)
        return max(min(due, most), 0)

    @property
    def positions(self) -> int:
        """Positions to train on that the whole run has made, in finished games or not."""
        return self.log.positions + sum(actor.positions_in_progress() for actor in self.actors)

    @property
    def is_complete(self) -> bool:
        """Whether the run has made all the positions that it was asked for."""
        return 0 < self.config.max_positions <= self.positions

    def publish(self) -> None:
        """Hand the averaged weights to the actors."""
        self.version += 1
        self._published_at = self.learner.steps
        self.published.load_state_dict(self.learner.average.state_dict())
        self.calibration = None
        self.evaluators[0].update(self.published, self.version)

    def save(self, seconds: float) -> Path:
        """Write a checkpoint: the whole state."""
        tensors, learner = self.learner.save()
        tensors["published"] = dict(self.published.state_dict())
        progress = [actor.games_in_progress() for actor in self.actors]
        blobs = {
            "games": join(record for records, _ in progress for record in records),
            "rng": np.concatenate([rng for _, rng in progress]).tobytes(),
        }
        if self.calibration is not None:
            blobs["calibration"] = self.calibration.tobytes()
        state = {
            "learner": learner,
            "version": self.version,
            "published_at": self._published_at,
            "seconds": self.seconds_before + seconds,
            "log": self.log.position(),
            "games": self.log.games,
            "positions": self.log.positions,
            "config": self.config.to_json(),
        }
        self.saves += 1
        return checkpoint.save(self.folder / "checkpoints", f"{self.saves:06d}", tensors, state, blobs)

    def close(self) -> None:
        """Let go of all files."""
        if self._writing is not None:
            wait([self._writing])
        if self.game_file is not None:
            self.game_file.close()
        self.metrics.close()
        self.log.close()
