"""What training came to: of a seed in its result.json, of all seeds in results.json and as a table for people.

Three figures are kept apart, all of them mean returns of an episode: training, of the last episodes of training, in
which the agent explores; final, of the final parameters acting greedily in fresh episodes, which is the score; best,
of the parameters that the evaluations liked most, in fresh episodes again.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rlcore.files import write_whole
from rlcore.progress import can_draw, clock
from rlcore.statistics import COVERAGE, interval, iqm

__all__ = [
    "FILE",
    "FORMAT",
    "SUMMARY",
    "Result",
    "ResultsError",
    "formatter",
    "read",
    "read_all",
    "read_summary",
    "seed_folder",
    "show",
    "summary",
    "table",
    "write",
    "write_summary",
]

FORMAT = 1
FILE = "result.json"
"""In a seed's folder."""
SUMMARY = "results.json"
"""In the run's folder."""

Result = dict[str, Any]
"""What stands in a seed's file; figures that are not known are None."""

_FIGURES = ("training", "final", "best")
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "agent": str,
    "env": str,
    "seed": int,
    "steps": int,
    "seconds": (int, float),
    "training": dict,
    "final": dict,
}
_LONG = ("returns", "lengths", "evaluations")
"""What the file of a seed has and the summary leaves to it."""


class ResultsError(Exception):
    """Results cannot be written or read; the message says why and what to do."""


def seed_folder(folder: Path, seed: int) -> Path:
    """Where all of a seed lies, in the folder of a run."""
    return folder / f"seed-{seed}"


# --- files -----------------------------------------------------------------------------------------------------------


def write(folder: Path, result: Mapping[str, Any]) -> None:
    """Write a seed's ``result.json`` into its folder, whole or not at all.

    Args:
        result: see `Result`; what must be there is checked. NaN and infinity become null.

    Raises:
        ResultsError: the disk refused.
        ValueError: something is missing; a mistake of the program's.
    """
    complete = {"format": FORMAT, **result}
    if wrong := _wrong(complete):
        raise ValueError(f"a result has {wrong}")
    _write(folder / FILE, complete)


def read(folder: Path) -> Result:
    """The result of a seed from its folder.

    Raises:
        ResultsError: there is none, or it is damaged or newer than this program.
    """
    result = _read(folder / FILE)
    if wrong := _wrong(result):
        raise ResultsError(f"{folder / FILE} is damaged, it has {wrong}: remove it, and train again to write it anew")
    return result


def read_all(folder: Path) -> tuple[list[Result], list[str]]:
    """The results of all seeds in the folder of a run, by seed; and a line for each that cannot be read."""
    found, lines = [], []
    for path in folder.glob(f"seed-*/{FILE}"):
        try:
            result = read(path.parent)
            if path.parent != seed_folder(folder, result["seed"]):
                raise ResultsError(f"{path} is the result of seed {result['seed']}: it lies in the wrong folder")
            found.append(result)
        except ResultsError as error:
            lines.append(str(error))
    return sorted(found, key=lambda result: int(result["seed"])), sorted(lines)


def write_summary(folder: Path, results: Sequence[Result]) -> None:
    """Write ``results.json`` into the folder of a run.

    Raises:
        ResultsError: the disk refused.
    """
    _write(folder / SUMMARY, summary(results))


def read_summary(folder: Path) -> dict[str, Any]:
    """What `write_summary` wrote.

    Raises:
        ResultsError: there is none, or it is damaged or newer than this program.
    """
    found = _read(folder / SUMMARY)
    shapes = {"agent": str, "env": str, "seeds": list, "runs": list} | dict.fromkeys(_FIGURES, dict)
    if missing := [name for name, kind in shapes.items() if not isinstance(found.get(name), kind)]:
        raise ResultsError(f"{folder / SUMMARY} is damaged, it has no {missing[0]}: train again to write it anew")
    return found


def _write(path: Path, values: Mapping[str, Any]) -> None:
    """JSON with a line for each entry, which people can read and compare."""
    lines = [f"  {json.dumps(name)}: {json.dumps(_finite(value), allow_nan=False)}" for name, value in values.items()]
    try:
        write_whole(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    except OSError as error:
        raise ResultsError(f"{path} cannot be written ({error.strerror})") from error


def _read(path: Path) -> Result:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"{path} cannot be read ({error.strerror}); train first") from error
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ResultsError(f"{path} is damaged: remove it, and train again to write it anew")
    if found.get("format") != FORMAT:
        raise ResultsError(f"{path} has format {found.get('format')}, this program reads {FORMAT}")
    return found


def _wrong(result: Mapping[str, Any]) -> str:
    """What is wrong with a result, in few words; empty where nothing is."""
    for name, kind in _NEEDED.items():
        if not isinstance(result.get(name), kind) or isinstance(result[name], bool):
            return f"no {name}" if name not in result else f"a {name} that is none"
    if not isinstance(result.get("best"), dict | None):
        return "a best that is none"
    for name in _FIGURES:
        mean = (result.get(name) or {"mean": None}).get("mean", "missing")
        if not (mean is None or (isinstance(mean, int | float) and not isinstance(mean, bool))):
            return f"no mean of {name}"
    for name in ("threshold", "steps_to_threshold", "seconds_to_threshold"):
        if not isinstance(result.get(name), int | float | None):
            return f"a {name} that is none"
    if not isinstance(result.get("exact"), dict | None):
        return "exact values that are none"
    return ""


def _finite(value: Any) -> Any:
    """The same for JSON, which knows neither NaN nor infinity."""
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if hasattr(value, "tolist"):  # NumPy's
        return _finite(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- over seeds ------------------------------------------------------------------------------------------------------


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """What all seeds of a run came to: mean, IQM and its interval of each figure, and what every seed came to.

    Args:
        results: at least one, all of one agent and environment.
    """
    threshold = _threshold(results)
    found: dict[str, Any] = {"format": FORMAT, "agent": results[0]["agent"], "env": results[0]["env"]}
    found["seeds"] = [result["seed"] for result in results]
    found["steps"] = [result["steps"] for result in results]
    found |= {name: _spread([_mean(result, name) for result in results]) for name in _FIGURES}
    if any(result.get("exact") for result in results):
        found["exact"] = _spread([_exact(result, "return") for result in results])
        found["exact"] |= {name: _exact(results[0], name) for name in ("best", "uniform")}
    found["threshold"] = None if math.isnan(threshold) else threshold
    found["reached"] = sum(_mean(result, "final") >= threshold for result in results)
    found["runs"] = [_short(result) for result in results]
    return found


def _spread(values: Sequence[float]) -> dict[str, Any]:
    """Of one figure over seeds."""
    low, high = interval(values) if len(values) > 1 else (math.nan, math.nan)
    return {"mean": sum(values) / len(values), "iqm": float(iqm(values)), "low": low, "high": high, "values": values}


def _short(value: Any) -> Any:
    """A result without its long lists."""
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items() if name not in _LONG}
    return value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _mean(result: Result, name: str) -> float:
    """One of the three figures of a seed; nan where it was not measured."""
    return _number((result.get(name) or {}).get("mean"))


def _exact(result: Result, name: str) -> float:
    return _number((result.get("exact") or {}).get(name))


def _threshold(results: Sequence[Result]) -> float:
    """The return that counts as solved; nan where none is known."""
    return next((_number(result["threshold"]) for result in results if result.get("threshold") is not None), math.nan)


# --- for people ------------------------------------------------------------------------------------------------------


class _Column(NamedTuple):
    """A column of the table."""

    title: str
    width: int
    of_seed: Callable[[Result], str]
    figure: str = ""
    """Its name in `summary`, where it is summed up over seeds."""


def table(results: Sequence[Result]) -> str:
    """A row a seed, then over seeds; and what the columns mean. As lines of text, the first of which is the title.

    Args:
        results: at least one, by seed, all of one agent and environment.
    """
    found, several = summary(results), len(results) > 1
    form = formatter([value for name in _FIGURES for value in found[name]["values"]])
    columns = _columns(results, form)
    many = f"{len(results)} seeds" if several else f"seed {results[0]['seed']}"
    steps = f" of {found['steps'][0]:,} steps" if len(set(found["steps"])) == 1 else ""
    lines = [f"{found['agent']} on {found['env']}, {many}{steps}: mean returns of an episode", ""]
    lines.append(_row([column.title for column in columns], columns))
    lines += [_row([column.of_seed(result) for column in columns], columns) for result in results]
    if several:
        lines.append("")
        for label, name in (("mean", "mean"), ("IQM", "iqm"), ("from", "low"), ("to", "high")):
            cells = [label, *(form(found[column.figure][name]) if column.figure else "" for column in columns[1:])]
            lines.append(_row(cells, columns))
    return "\n".join([*lines, "", *_conclusions(found, form), *_notes(results)])


def _row(cells: Sequence[str], columns: Sequence[_Column]) -> str:
    return "".join(f"{cell:>{column.width}}" for cell, column in zip(cells, columns, strict=True)).rstrip()


def _columns(results: Sequence[Result], form: Callable[[float], str]) -> list[_Column]:
    def mean(name: str) -> Callable[[Result], str]:
        return lambda result: form(_mean(result, name))

    columns = [
        _Column("seed", 6, lambda result: str(result["seed"])),
        _Column("training", 10, mean("training"), "training"),
        _Column("final", 9, mean("final"), "final"),
    ]
    if any(result.get("best") for result in results):
        columns.append(_Column("best", 9, mean("best"), "best"))
        columns.append(_Column("best at", 11, lambda result: _count((result.get("best") or {}).get("step"))))
    if any(result.get("exact") for result in results):
        columns.append(_Column("exact", 9, lambda result: form(_exact(result, "return")), "exact"))
    if not math.isnan(_threshold(results)):
        columns.append(_Column("solved at", 11, lambda result: _count(result.get("steps_to_threshold"))))
    if len({result["steps"] for result in results}) > 1:
        columns.append(_Column("steps", 11, lambda result: _count(result["steps"])))
    columns.append(_Column("time", 9, lambda result: clock(result["seconds"])))
    return columns


def _conclusions(found: Mapping[str, Any], form: Callable[[float], str]) -> list[str]:
    """What the final parameters have reached, where there is something to compare them with."""
    lines = []
    if found["threshold"] is not None:
        reached = f"{found['reached']} of {len(found['seeds'])}"
        lines.append(f"  Seeds whose final parameters reach {found['threshold']:g}: {reached}.")
    if "exact" in found:
        best, uniform = form(found["exact"]["best"]), form(found["exact"]["uniform"])
        lines.append(f"  No policy has a higher exact return than {best}; uniformly random actions have {uniform}.")
    return [*lines, ""] if lines else []


def _notes(results: Sequence[Result]) -> list[str]:
    """What the columns and rows mean."""
    last, episodes = (max(_size(result, name) for result in results) for name in ("training", "final"))
    notes = [
        ("training", f"the last {last} episodes of training, in which the agent explores" if last else "exploring"),
        ("final", f"the final parameters, greedy, in {episodes} fresh episodes: this is the score"),
    ]
    if any(result.get("best") for result in results):
        notes.append(
            ("best", "the parameters with the best evaluation while training, greedy, in fresh episodes again")
        )
    if any(result.get("exact") for result in results):
        notes.append(("exact", "expected return of the final parameters, from the environment's own transitions"))
    if not math.isnan(_threshold(results)):
        notes.append(("solved at", "steps until an evaluation reached the threshold of the environment"))
    if len(results) == 1:
        notes.append(("", "One seed says little of an algorithm: --seeds 5."))
    else:
        known = max(seeds for seeds in COVERAGE if seeds <= len(results))
        often = f"; with {len(results)} seeds it holds the truth in about {COVERAGE[known]:.0%} of cases"
        often = often.replace("%", " %") if known < 20 else ""
        notes.append(("IQM", "interquartile mean: of the middle half of the seeds"))
        notes.append(("from, to", f"95 % interval of the IQM, percentile bootstrap{often}"))
    return [f"  {label:<10}{text}" if label else f"  {text}" for label, text in notes]


def _size(result: Result, name: str) -> int:
    """How many episodes a figure is the mean of; 0 where it is not known."""
    one = result[name]
    return len(one["returns"]) if isinstance(one.get("returns"), list) else int(one.get("episodes") or 0)


def formatter(values: Sequence[float]) -> Callable[[float], str]:
    """How to write numbers like these: about four digits of the largest; a dash for what is not known."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    digits = next((digits for digits, limit in ((4, 1.0), (3, 10.0), (2, 100.0)) if largest <= limit), 1)
    return lambda value: f"{value:,.{digits}f}" if math.isfinite(value) else "-"


def _count(value: Any) -> str:
    return "-" if value is None else f"{value:,}"


def show(text: str, stream: TextIO | None = None) -> None:
    """Print lines of text: on a terminal with their headings, which begin at the margin, in colour (rich)."""
    to = sys.stdout if stream is None else stream
    if not can_draw(to):
        print(text, file=to, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    styled = Text(text)
    styled.highlight_regex(r"(?m)^\S.*$", "bold cyan")
    styled.highlight_regex(r"(?m)^ +(IQM|seed  ).*$", "bold")
    Console(file=to, highlight=False).print(styled, soft_wrap=True)
