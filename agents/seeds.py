"""Several seeds of one run: each trains in a process of its own; then what they came to, and what to do next."""

import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agents import results
from agents.crew import WORK, Crew, Job
from agents.display import Display
from agents.results import Result, ResultsError
from agents.settings import RecurrentAttention, Training
from rlcore.machine import cores
from rlcore.progress import interpreter

__all__ = ["run", "usable"]


def run(config: Training, work: str = WORK, check: Callable[[Training], None] | None = None) -> int:
    """Train all seeds, those that have not been; show how they do, and what they came to.

    Args:
        work: the dotted name of what trains a seed, see `WORK`; only the seeds' processes import it.
        check: raises an error of one line where the settings cannot work, before any process is started; by default
            it makes the environment.

    Returns:
        The exit status: 0 done or stopped, 1 where seeds failed, 2 where nothing could be trained.
    """
    jobs = [Job(config, seed, f"seed {seed}") for seed in range(config.seed, config.seed + config.seeds)]
    lines: list[str] = []
    try:
        (check or usable)(config)
        config.folder().mkdir(parents=True, exist_ok=True)
        done = [job for job in jobs if _is_done(job, lines)]
    except KeyboardInterrupt:
        print("Stopped before training began.")
        return 0
    except (ImportError, OSError, ResultsError, RuntimeError, ValueError) as error:
        return _refuse(error)
    left = [job for job in jobs if job not in done]
    crew = Crew(left, min(config.jobs or cores(), max(1, len(left))), work)
    with Display(_title(config, crew), {job.name: config.steps for job in jobs}) as display:
        for line in lines:
            display.line(line)
        for job in done:
            display.state(job.name, "done")
        if done:
            display.line(f"Trained before: {_named(done)}.")
        crew.train(display)
    if crew.refused:
        return _refuse(*crew.refused.values())
    try:
        _conclude(config, [job for job in jobs if job not in (*done, *crew.done)])
    except KeyboardInterrupt:  # nothing is lost: the same command sums up again
        return 128 + signal.SIGINT
    return 1 if crew.failed else 0


def usable(config: Training) -> None:
    """Make the environment once, here: what is wrong with it is told at once, and once.

    Raises:
        UnusableEnvironment, ConfigError: there is none of that name, a library is missing, or no agent can use it.
    """
    if isinstance(config, RecurrentAttention):
        from agents.seen import episodes

        episodes(config, 1)
        return
    from agents.environments import make

    make(config.env, 1, config.seed).close()


def _title(config: Training, crew: Crew) -> str:
    first, last = config.seed, config.seed + config.seeds - 1
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    at_once = f", {crew.at_once} at a time" if len(crew.jobs) > crew.at_once else ""
    return f"{config.agent} on {config.env}, {seeds}{at_once}, in {config.folder()}"


def _is_done(job: Job, lines: list[str]) -> bool:
    """Whether a seed has been trained for as many steps; one that is damaged is trained again, and a line says so.

    Raises:
        ResultsError: the folder holds results of something else.
    """
    if not (job.folder / results.FILE).exists():
        return False
    try:
        result = results.read(job.folder)
    except ResultsError as error:
        lines.append(str(error))
        return False
    found = (result["agent"], result["env"])
    if found != (job.config.agent, job.config.env):
        raise ResultsError(f"{job.config.folder()} holds results of {' on '.join(found)}: choose another --run-dir")
    return bool(result["steps"] >= job.config.steps)


def _refuse(error: object) -> int:
    print(f"train: {error}", file=sys.stderr)
    return 2


def _named(jobs: Sequence[Job]) -> str:
    """As "seed 3" or "seeds 0, 1, 2"."""
    seeds = sorted(job.seed for job in jobs)
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


# --- the end ---------------------------------------------------------------------------------------------------------


def _conclude(config: Training, missing: Sequence[Job]) -> None:
    """Sum up all seeds that lie in the folder and have been trained for as many steps: table, file, picture."""
    folder = config.folder()
    found, _ = results.read_all(folder)
    found = [result for result in found if result["steps"] >= config.steps]
    lines = []
    if found:
        try:
            results.write_summary(folder, found)
        except ResultsError as error:
            print(f"train: {error}", file=sys.stderr)
        lines += [results.table(found), ""]
    if missing:
        lines += [f"Not finished: {_named(missing)}. What was saved is kept; the same command goes on from there.", ""]
    if no_picture := _draw(config, folder, found):
        lines += [no_picture, ""]
    lines += [f"What lies in {folder}", *_rows(_contents(folder)), ""]
    lines += ["How to go on", *_rows(_next(config, folder, found, bool(missing)))]
    results.show("\n" + "\n".join(lines))


def _rows(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {text}" for name, text in rows]


def _draw(config: Training, folder: Path, found: list[Result]) -> str:
    """Draw the picture; where that cannot be, a line that says why."""
    try:
        from agents.curves import draw

        draw(folder, f"{config.agent} on {config.env}", found)
    except ModuleNotFoundError as error:
        return f"No picture: the package {error.name} is not installed."
    except OSError as error:
        return f"No picture: {folder} cannot be written ({error.strerror})."
    return ""


def _contents(folder: Path) -> list[tuple[str, str]]:
    """What is there, and what it is for."""
    rows = [
        (results.SUMMARY, "what all seeds came to, with settings and versions"),
        ("curves.png", "learning curves as a picture"),
        ("seed-*/*.png", "what the eye looks at"),
        ("seed-*/*.gif", "an episode, or some, as a moving picture"),
        ("seed-*", "of each seed: checkpoints, result, metrics, TensorBoard's files"),
    ]
    return [(name, text) for name, text in rows if any(folder.glob(name))]


def _next(config: Training, folder: Path, found: list[Result], missing: bool) -> list[tuple[str, str]]:
    """What a person may want to do next, and the command for it."""
    rows = []
    if missing:
        rows.append(("go on", _command({})))
    if found:
        rows.append(("train for longer", _command({"--steps": 2 * config.steps})))
    if found and config.seeds < 5:
        rows.append(("train more seeds", _command({"--seeds": 5})))
    if found:
        where = [] if config.run_dir is None else ["--run-dir", str(config.run_dir)]
        short = shlex.join([interpreter(), sys.argv[0], config.agent, "--env", config.env, *where])
        rows += [("score it again", f"{short} --evaluate 1000"), ("watch it", f"{short} --play")]
    rows.append(("see the curves", f"tensorboard --logdir {shlex.quote(str(folder))}"))
    return rows


def _command(changes: dict[str, int]) -> str:
    """The command that started this process, with other values of some flags."""
    words, skip = [], False
    for word in sys.argv:
        name, has_value = word.partition("=")[0].replace("_", "-"), "=" in word
        if skip:
            skip = False
        elif name in changes:
            skip = not has_value
        else:
            words.append(word)
    words += [word for name, value in changes.items() for word in (name, str(value))]
    return shlex.join([interpreter(), *words])
