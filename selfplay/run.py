"""A self-play run: its folder, what is counted and kept there, and going on after a kill.

Who plays and learns is the run's crew (`crew`). A round: the crew plays and trains for a while; the games that it
finished go to the log, and are counted; then the crew takes them to learn from, and new weights go to the actors.
"""

import shlex
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from operator import attrgetter
from pathlib import Path

from games.solved import SOLVED
from rlcore import checkpoint
from rlcore.files import write_whole
from rlcore.game import Game
from rlcore.metrics import Metrics
from rlcore.progress import interpreter
from selfplay.config import Config, ConfigError, parse_config, read_config
from selfplay.crew import Crew, Past, Threads
from selfplay.gamefile import GameFile
from selfplay.learner import StepLosses
from selfplay.log import GameLog
from selfplay.milestones import Milestones
from selfplay.record import GameRecord, join
from selfplay.report import Report
from selfplay.resignation import mistaken
from selfplay.trainer import choose_device
from selfplay.weights import About
from selfplay.window import window_size

_LATEST = 200  # games that draw rate, length and endings are reported over
_LATEST_CHECKS = 500  # games that the error of giving up is reported over


class Run:
    """All that a self-play run consists of, in memory and in its folder.

        config.json  games.log  games.<its suffix>  metrics.jsonl  checkpoints/  networks/  tensorboard/

    Opening the folder of an earlier run goes on with it: network, optimizer, counters and games in progress as of the
    newest intact checkpoint, finished games from the log.
    """

    def __init__(self, game: Game, config: Config, report: Report, crew: Callable[[Past], Crew] | None = None) -> None:
        """``crew`` makes whoever plays and learns; none = as the settings say."""
        self.game, self.config, self.report = game, config, report
        self.doing = "self-play" if crew is None else "lessons"
        self.folder = config.folder()
        if game.DISCOUNT > 0.0 and config.actor.resign > 0.0:
            raise ConfigError(f"actor.resign must be 0 in {game.name}: there is nobody to give up to")
        self._check_folder()
        self.log = GameLog(self.folder / "games.log", game.name, warn=report.line)
        self.seconds_before = 0.0
        """Training time of earlier starts."""
        self.saves = 0
        self.resumed_from: str | None = None
        self.latest: deque[GameRecord] = deque(maxlen=_LATEST)
        self.mistakes: deque[bool] = deque(maxlen=_LATEST_CHECKS)
        """Of the latest games in which a side would have given up but was made to play on: whether it did not lose."""
        past = self._past()
        if past.saved is not None:  # config.json may have been lost
            place = f"checkpoint {past.saved.name} of {self.folder}"
            self._check_settings(parse_config(past.saved.state["config"], place))
        self._note(past.records)
        self.metrics = Metrics(self.folder)
        self.crew = self._make_crew(past) if crew is None else crew(past)
        if past.saved is not None:
            self._restore(past.saved)
        self.milestones = Milestones(self.folder, self.steps, report.line)
        self.game_file = self._open_game_file()
        self._writing: Future[None] | None = None
        self.metrics.rewind(self.steps)
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
        write_whole(self.folder / "config.json", self.config.to_json().encode())

    def _past(self) -> Past:
        """What to go on from: the newest checkpoint that is intact, and the latest games from the log."""
        saved = checkpoint.load_newest(self.folder / "checkpoints", warn=self.report.line, framework="torch")
        first = self.log.tail(window_size(self.config.learner, self.log.positions))
        return Past(saved, list(self.log.records(first)), self.log.positions, self.log.ids)

    def _reopen(self) -> Past:
        """What to go on from now: steps since the newest checkpoint will be taken again."""
        past = self._past()
        self.metrics.rewind(0 if past.saved is None else int(past.saved.state["learner"]["steps"]))
        return past

    def _make_crew(self, past: Past) -> Crew:
        if self.config.on_ray:
            try:
                from selfplay.cluster import Cluster
            except ModuleNotFoundError as error:
                if (error.name or "").split(".")[0] != "ray":
                    raise
                raise ConfigError(
                    'actors and ray-address need Ray, which is not installed: pip install "rlcore[ray]" '
                    '(in this clone: pip install -e ".[ray]" -c constraints.txt), or choose --actors 0'
                ) from None
            return Cluster(self.game, self.config, past, self._reopen, self.report.line)
        return Threads(self.game, self.config, choose_device(self.config.device), past, self.report.line)

    def _note(self, records: list[GameRecord]) -> None:
        """Keep what is reported of the latest games."""
        self.latest.extend(records)
        checks = (mistaken(record, self.game, self.config.actor) for record in records)
        self.mistakes.extend(check for check in checks if check is not None)

    def _restore(self, saved: checkpoint.Checkpoint) -> None:
        """Take up the run's own counters; the crew has taken the rest."""
        if self.log.games < int(saved.state["games"]):
            self.report.line(
                f"{self.log.path.name} holds {self.log.games:,} games, the checkpoint has seen "
                f"{saved.state['games']:,}: the missing ones are lost to the replay window; training goes on with new "
                f"ones."
            )
        self.seconds_before = float(saved.state["seconds"])
        self.saves = int(saved.name)
        self.resumed_from = saved.name

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
        address = f" --ray-address {shlex.quote(self.config.ray_address)}" if self.config.ray_address else ""
        where = "" if self.config.run_dir is None else f" --run-dir {folder}"
        python, options = interpreter(), f"--game {self.game.name}"
        more = " --max-positions 0" if self.is_complete else ""
        steps = [
            ("go on training", f"{python} scripts/selfplay.py {options}{where}{more}{address}"),
            ("play against it", f"{python} scripts/play.py {options}{where}"),
            ("measure its strength", f"{python} scripts/match.py {options} --engine {folder}"),
            ("see it grow", f"{python} scripts/ratings.py {options}{where}"),
        ]
        if self.doing == "lessons":
            steps.insert(0, ("learn more lessons", f"{python} scripts/pretrain.py {options}{where}"))
        if self.game.DISCOUNT > 0.0:  # there is nobody to play against
            return steps[:1]
        if self.game.name in SOLVED:
            steps.append(("judge its moves", f"{python} scripts/evaluate.py {options} --engine {folder}"))
        return steps

    # --- going on ----------------------------------------------------------------------------------------------------

    def round(self, pool: ThreadPoolExecutor) -> tuple[list[GameRecord], StepLosses | None]:
        """Let the crew play and train for a while, and count the games that it finished."""
        finished, losses = self.crew.round(pool)
        self._count(finished, pool)
        return finished, losses

    def finish(self, pool: ThreadPoolExecutor) -> None:
        """Bring home and count what is under way; there is no other round after this."""
        self._count(self.crew.finish(), pool)

    def _count(self, finished: list[GameRecord], pool: ThreadPoolExecutor) -> None:
        self.log.append(finished)
        self.crew.accept(finished)
        self._note(finished)
        self._write_as_text(finished, pool)

    def _write_as_text(self, finished: list[GameRecord], pool: ThreadPoolExecutor) -> None:
        """Write games as text while the next round is played: some milliseconds a game, all of it in Python."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        if self.game_file is not None and finished:
            self._writing = pool.submit(self.game_file.append, finished)

    @property
    def steps(self) -> int:
        """Gradient steps of the whole run."""
        return self.crew.standing.steps

    @property
    def positions(self) -> int:
        """Positions to train on that the whole run has made, in finished games or not."""
        return self.log.positions + self.crew.positions_in_progress()

    @property
    def is_complete(self) -> bool:
        """Whether the run has made all the positions that it was asked for."""
        return 0 < self.config.max_positions <= self.positions

    def save(self, seconds: float) -> Path:
        """Write a checkpoint: the whole state."""
        tensors, state, blobs = self.crew.save()
        records, rng = self.crew.in_progress()
        blobs |= {"games": join(records), "rng": rng.tobytes()}
        state |= {
            "seconds": self.seconds_before + seconds,
            "log": self.log.position(),
            "games": self.log.games,
            "config": self.config.to_json(),
        }
        self.saves += 1
        return checkpoint.save(self.folder / "checkpoints", f"{self.saves:06d}", tensors, state, blobs)

    def keep(self, seconds: float, is_end: bool = False) -> None:
        """Keep the averaged weights at a milestone; at the end of a start in any case, as the newest ones."""
        if is_end or self.milestones.is_due(self.steps):
            steps, network = self.crew.weights()
            about = About(steps, self.positions, (self.seconds_before + seconds) / 60)
            (self.milestones.finish if is_end else self.milestones.keep)(network, self.config, about)

    def close(self) -> None:
        """Let go of the crew and of all files."""
        self.crew.close()
        if self._writing is not None:
            wait([self._writing])
        if self.game_file is not None:
            self.game_file.close()
        self.metrics.close()
        self.log.close()
