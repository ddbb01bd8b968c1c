"""A search for better settings: drawn at random from their ranges, and stopped early where others do better (Optuna).

    RUN/search.json   what is searched, and from where     RUN/journal.jsonl   Optuna's own
    RUN/trials.json   all trials, best first               RUN/<settings>/     the runs of each

The score of a trial is that of its seeds' final parameters, their mean. While it trains it is compared with the others
at the same steps, and stopped where half of them have done better (Optuna's median rule), from a quarter of the steps.
"""

import dataclasses
import json
import shlex
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from agents import results
from agents.crew import WORK, Crew, Job
from agents.curves import EVALUATION, curves_of
from agents.display import Display, Progress
from agents.ranges import RANGES, Between, Range, widened
from agents.results import formatter
from agents.seeds import usable
from agents.settings import Training
from agents.tuned import tuned
from rlcore.config import ConfigError
from rlcore.files import lock, write_whole
from rlcore.machine import cores
from rlcore.progress import clock, interpreter

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["Search", "flags", "run"]

FIRST_SEED = 100
"""Seeds below are for scores."""
_STARTUP = 4  # trials that are not stopped early
_QUIET_SHARE = 0.25  # of the steps, in which none is
_SHOWN = 5


@dataclass(frozen=True)
class Search:
    """What to search for."""

    agent: str
    env: str
    trials: int = 20
    seeds: int = 2
    seed: int = FIRST_SEED
    steps: int = 0
    """0 = as many as tuned."""
    jobs: int = 0
    only: Sequence[str] = ()
    run_dir: Path | None = None

    def folder(self) -> Path:
        return self.run_dir or Path("runs/tune") / self.agent / self.env.replace(":", "/")

    def start(self) -> Training:
        """The settings that it begins with: the tuned ones, or else the usual.

        Raises:
            ConfigError: there is no such agent or setting, or the seeds are those of scores.
        """
        if self.trials < 1 or self.seeds < 1 or self.steps < 0 or self.jobs < 0:
            raise ConfigError("--trials and --seeds must be at least 1, --steps and --jobs at least 0")
        if self.seed < FIRST_SEED:
            raise ConfigError(f"--seed must be at least {FIRST_SEED}: seeds below are kept for scores")
        start = tuned(self.agent, self.env)
        changes: dict[str, Any] = {"seeds": self.seeds, "seed": self.seed, "tensorboard": False, "run_dir": None}
        return dataclasses.replace(start, **changes, steps=self.steps or start.steps)

    def ranges(self) -> dict[str, Range]:
        """What is drawn. ConfigError where there is no range for a name."""
        start, declared = self.start(), RANGES[self.agent.partition("+")[0]]
        if unknown := [name for name in self.only if name not in declared]:
            raise ConfigError(f"there is no range for {unknown[0]} of {self.agent}; there are: {', '.join(declared)}")
        return {name: widened(declared[name], start, name) for name in declared if not self.only or name in self.only}


def run(search: Search, work: str = WORK) -> int:
    """Search until there are so many trials, those of earlier calls among them; say what was best.

    Returns:
        The exit status: 0 done or stopped, 2 where nothing could be searched.
    """
    try:
        ranges = search.ranges()
        usable(search.start())
        with _held(search, ranges) as file:
            if not lock(file):
                raise ConfigError(f"{search.folder()} is in use by another process; choose another --run-dir")
            study = _study(search, ranges)
            _Searcher(search, ranges, study, work).go()
    except ModuleNotFoundError as error:
        return _refuse(f'the package {error.name} is not installed: pip install -e ".[tune]" -c constraints.txt')
    except (ValueError, OSError, RuntimeError, results.ResultsError) as error:
        return _refuse(error)
    return 0


def _refuse(error: object) -> int:
    print(f"tune: {error}", file=sys.stderr)
    return 2


def _held(search: Search, ranges: Mapping[str, Range]) -> TextIO:
    """The search's own file, written, or found to say the same; open, so that it can be locked.

    Raises:
        ConfigError: the folder holds another search.
    """
    start = json.loads(search.start().to_json())
    about = json.dumps({"agent": search.agent, "start": start, "ranges": ranges}, indent=1) + "\n"
    path = search.folder() / "search.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_whole(path, about.encode())
    elif path.read_text(encoding="utf-8") != about:
        raise ConfigError(f"{path.parent} holds a search of other settings, steps or seeds; choose another --run-dir")
    return path.open("a", encoding="utf-8")


def _study(search: Search, ranges: Mapping[str, Range]) -> "Study":
    """Optuna's, with all trials so far; those that were broken off come first again."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = str(search.folder() / "journal.jsonl")
    Path(f"{path}.lock").unlink(missing_ok=True)  # of a process that was killed; ours is the only one
    start = search.start()
    quiet = int(_QUIET_SHARE * start.evaluations)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path))),
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=quiet),
    )
    if not study.trials:
        study.enqueue_trial({name: _stored(ranges[name], getattr(start, name)) for name in ranges})
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        _break_off(study, trial.number, trial.params)
    return study


def _break_off(study: "Study", number: int, params: Mapping[str, Any]) -> None:
    """A trial that is not done is done later, with the same settings, and goes on from its checkpoints."""
    from optuna.trial import TrialState

    study.tell(number, state=TrialState.FAIL)
    study.enqueue_trial(dict(params), skip_if_exists=False)


class _Searcher:
    """Trial after trial; the seeds of each train at the same time."""

    def __init__(self, search: Search, ranges: Mapping[str, Range], study: "Study", work: str) -> None:
        self.search, self.ranges, self.study, self.work = search, ranges, study, work
        self.start = search.start()
        self.seconds: list[float] = []
        """Of the trials of this call."""

    def go(self) -> None:
        """Until all are done or somebody says stop."""
        stopped = False
        print(f"Tuning {self.search.agent} on {self.search.env}: {', '.join(self.ranges)}; in {self.search.folder()}")
        while (done := len(self.ended())) < self.search.trials and not stopped:
            stopped = self.trial(done)
            self.write()
        print("\n" + "\n".join(self.conclusion(stopped)))

    def ended(self) -> list["FrozenTrial"]:
        """Trials with a score, and those that were stopped early or have failed for good."""
        from optuna.trial import TrialState

        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        return [t for t in self.study.get_trials(states=states) if t.state != TrialState.FAIL or "why" in t.user_attrs]

    def trial(self, number: int) -> bool:
        """One more; whether a person stopped it."""
        from optuna.samplers import RandomSampler
        from optuna.trial import TrialState

        trial, began = self.study.ask(), time.monotonic()
        self.study.sampler = RandomSampler(seed=zlib.crc32(f"{self.search.seed} {trial.number}".encode()))
        drawn = {name: _suggested(trial, name, found) for name, found in self.ranges.items()}
        folder = self.search.folder() / f"{zlib.crc32(json.dumps(drawn, sort_keys=True).encode()):08x}"
        try:
            config = dataclasses.replace(self.start, **drawn, run_dir=folder)
        except ValueError as error:
            return self.failed(trial, str(error))
        first = config.seed
        jobs = [Job(config, seed, f"seed {seed}") for seed in range(first, first + config.seeds)]
        heard = _Stopper(trial, folder, config.seeds)
        crew = Crew(jobs, min(self.search.jobs or cores(), len(jobs)), self.work, heard=heard)
        heard.stop = crew.stop
        title = f"trial {number + 1} of {self.search.trials}{self.left(number)}: {_words(drawn, self.start)}"
        with Display(title, {job.name: config.steps for job in jobs}) as display:
            crew.train(display)
        if crew.refused:
            return self.failed(trial, next(iter(crew.refused.values())))
        if crew.failed:
            return self.failed(trial, next(iter(crew.failed.values())))
        if len(crew.done) == len(jobs):
            found = [float(results.read(job.folder)["final"]["mean"]) for job in jobs]
            trial.set_user_attr("seeds", found)
            self.study.tell(trial, fmean(found))
        elif heard.is_worse:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            _break_off(self.study, trial.number, trial.params)
            return True
        self.seconds.append(time.monotonic() - began)
        print(self.line(number))
        return False

    def failed(self, trial: "Trial", why: str) -> bool:
        from optuna.trial import TrialState

        trial.set_user_attr("why", why)
        self.study.tell(trial, state=TrialState.FAIL)
        print(f"failed: {why}")
        return False

    def left(self, done: int) -> str:
        if not self.seconds:
            return ""
        return f", about {clock(fmean(self.seconds) * (self.search.trials - done))} left"

    def line(self, number: int) -> str:
        last, best = self.ended()[-1], self.best()
        came_out = "stopped early" if last.value is None else f"{last.value:.4g}"
        return f"trial {number + 1}: {came_out}" + (f"; best so far {best[0].value:.4g}" if best else "")

    def best(self) -> list["FrozenTrial"]:
        """Those with a score, best first."""
        return sorted((t for t in self.ended() if t.value is not None), key=lambda t: (-(t.value or 0.0), t.number))

    def settings(self, trial: "FrozenTrial") -> dict[str, Any]:
        return {name: _restored(self.ranges[name], trial.params[name]) for name in self.ranges if name in trial.params}

    def write(self) -> None:
        """All trials in a file of our own, best first, then those that were stopped early or failed."""
        trials = [*self.best(), *(t for t in self.ended() if t.value is None)]
        lines = [
            json.dumps(
                {
                    "trial": t.number,
                    "score": t.value,
                    "seeds": t.user_attrs.get("seeds"),
                    "ended": t.user_attrs.get("why") or ("done" if t.value is not None else "stopped early"),
                    "evaluations": [t.intermediate_values[k] for k in sorted(t.intermediate_values)],
                    "settings": self.settings(t),
                }
            )
            for t in trials
        ]
        text = "[\n" + ",\n".join(lines) + "\n]\n"
        write_whole(self.search.folder() / "trials.json", text.encode())

    def conclusion(self, stopped: bool) -> list[str]:
        """The best ones, as a table and as flags."""
        best = self.best()
        counts = len(self.ended()), sum(t.value is None for t in self.ended())
        lines = [f"{counts[0]} of {self.search.trials} trials, {counts[1]} of them stopped early or failed."]
        if stopped:
            lines.append("Stopped: the same command goes on.")
        if not best:
            return lines
        form = formatter([t.value or 0.0 for t in best])
        for t in best[:_SHOWN]:
            seeds = ", ".join(form(value) for value in t.user_attrs["seeds"])
            lines.append(f"  {form(t.value or 0.0)}  ({seeds})  {_words(self.settings(t), self.start)}")
        lines += ["", "The best, as a command:", "  " + self.command(best[0])]
        return [*lines, f"All trials: {self.search.folder() / 'trials.json'}"]

    def command(self, trial: "FrozenTrial") -> str:
        s = self.search
        steps = {} if self.start.steps == tuned(s.agent, s.env).steps else {"steps": self.start.steps}
        words = [interpreter(), "scripts/train.py", s.agent, "--env", s.env, "--seeds", "5"]
        changed = _changes(self.settings(trial), self.start) | steps
        return shlex.join([*words, *flags(changed)])


class _Stopper:
    """Hears how the seeds of a trial do, and stops it where others have done better at the same steps."""

    def __init__(self, trial: "Trial", folder: Path, seeds: int) -> None:
        self.trial, self.folder, self.seeds = trial, folder, seeds
        self.stop: Callable[[], None] = lambda: None
        self.is_worse = False
        self._evaluations: dict[str, float] = {}
        self._told = 0

    def __call__(self, job: Job, progress: Progress) -> None:
        if self.is_worse or self._evaluations.get(job.name) == progress.evaluation or np.isnan(progress.evaluation):
            return
        self._evaluations[job.name] = progress.evaluation
        curves = [curve.values for curve in curves_of(self.folder, EVALUATION)]
        if len(curves) < self.seeds:
            return
        for k in range(self._told, min(map(len, curves))):
            self.trial.report(fmean(float(values[k]) for values in curves), k + 1)
            self._told = k + 1
            if self.trial.should_prune():
                self.is_worse = True
                self.stop()
                return


def _suggested(trial: "Trial", name: str, found: Range) -> Any:
    """A value from a range."""
    if not isinstance(found, Between):
        return _restored(found, trial.suggest_categorical(name, [_stored(found, value) for value in found]))
    if isinstance(found.low, int) and isinstance(found.high, int):
        return trial.suggest_int(name, found.low, found.high, log=found.log)
    return _restored(found, trial.suggest_float(name, found.low, found.high, log=found.log))


def _stored(found: Range, value: Any) -> Any:
    """A value as Optuna keeps it: choices as text, because it has no tuples."""
    return value if isinstance(found, Between) else json.dumps(value)


def _restored(found: Range, value: Any) -> Any:
    if isinstance(found, Between):  # three digits are enough, and are easily typed
        return float(f"{value:.3g}") if isinstance(value, float) else value
    plain = json.loads(value)
    return tuple(plain) if isinstance(plain, list) else plain


def _changes(settings: Mapping[str, Any], start: Training) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value != getattr(start, name)}


def _words(settings: Mapping[str, Any], start: Training) -> str:
    """What differs from the settings that the search began with."""
    return " ".join(flags(_changes(settings, start))) or "as it is"


def flags(settings: Mapping[str, Any]) -> list[str]:
    """Settings as train.py takes them."""
    words: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return words
