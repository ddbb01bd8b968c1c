"""The tables of the benchmark's page: what every agent came to in an environment, and who is better."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from agents import results as figures
from agents.benchmark import logs
from agents.benchmark.goals import scores
from agents.benchmark.page import Block, Table, Text
from agents.benchmark.rows import Row
from agents.results import Result, formatter
from rlcore.progress import clock
from rlcore.statistics import improvement, improvement_interval

__all__ = [
    "Entry",
    "Place",
    "against",
    "better",
    "bold",
    "chance",
    "compared",
    "evaluated",
    "everywhere",
    "families",
    "middle",
    "optimum",
    "over_plain",
    "table_of",
]

_RANDOM = "random"

OPTIMA = {
    "CartPole-v1": 500.0,
    "rlcore/Catch-v0": 1.0,
    "rlcore/Recall-v0": 1.0,
    "rlcore/ShortCorridor-v0": -4.0 * math.sqrt(2.0) - 6.0,  # Sutton and Barto 2018, example 13.1
}
"""Returns of the best policy that follow from the rules; where the transitions are known, they are computed instead."""


class Place(NamedTuple):
    """Where things lie."""

    logs: Path
    """Pictures, too, and the page as HTML."""
    page: Path


class Entry(NamedTuple):
    """A row and what is there of it."""

    row: Row
    results: list[Result]
    stale: list[str]
    """Settings that were others when it was trained."""

    @property
    def name(self) -> str:
        return self.row.agent + (" †" if self.stale else "")


def table_of(place: Place, env: str, entries: Sequence[Entry]) -> Table:
    """The table of an environment: agents, then chance and the optimum."""
    sums = [figures.summary(entry.results) for entry in entries]
    random, best = chance(place, env), optimum(place, env)
    form = formatter([*(value for found in sums for value in found["final"]["values"]), random, best])
    has_exact = any("exact" in found for found in sums)
    has_threshold = any(found["threshold"] is not None for found in sums)
    header = ["", "steps", "seeds", "training", "**final** (IQM)", "95 %", "best"]
    header += ["**exact** (IQM)"] if has_exact else []
    header += ["solved", "steps to threshold", "seconds to threshold"] if has_threshold else []
    header += ["time a seed", "steps/s"]
    table = [_score(entry, found, form, has_exact, has_threshold) for entry, found in zip(entries, sums, strict=True)]
    for name, value in (("random", random), ("optimal", best)):
        if not math.isnan(value):
            row = [name, *[""] * (len(header) - 1)]
            row[7 if has_exact else 4] = form(value)
            if has_exact and name == "random":
                row[4] = form(chance(place, env, played=True))
            table.append(row)
    return Table(header, table)


def _score(
    entry: Entry, found: Mapping[str, Any], form: Callable[[float], str], has_exact: bool, has_threshold: bool
) -> list[str]:
    results, final = entry.results, found["final"]
    cells = [entry.name, _steps(results), str(len(results)), form(found["training"]["iqm"])]
    cells += [bold(form(final["iqm"])), _range(final, form), form(found["best"]["iqm"])]
    if has_exact:
        cells.append(bold(form(found["exact"]["iqm"])) if "exact" in found else "")
    if has_threshold:
        solved = f"{found['reached']} of {len(results)}"
        cells += [solved, _median(results, "steps_to_threshold"), _median(results, "seconds_to_threshold")]
    seconds = [result["seconds"] for result in results]
    speed = median(result["steps"] / max(result["seconds"] - evaluated(result), 1e-9) for result in results)
    return [*cells, clock(median(seconds)), f"{speed:,.0f}"]


def everywhere(entries: Sequence[Entry]) -> list[Block]:
    """Every seed of every row."""
    figure = compared(entries[0])
    form = formatter([value for entry in entries for value in scores(entry.results, figure)])
    seeds = sorted({result["seed"] for entry in entries for result in entry.results})
    table = []
    for entry in entries:
        known = dict(zip((result["seed"] for result in entry.results), scores(entry.results, figure), strict=True))
        table.append([entry.row.agent, *(form(known[seed]) if seed in known else "" for seed in seeds)])
    return [Text(f"Every seed, {figure} return:"), Table(["", *(f"seed {seed}" for seed in seeds)], table)]


def against(entries: Sequence[Entry]) -> list[Block]:
    """How probable it is that a seed of one agent does better than one of another."""
    table = []
    for one in entries:
        cells = [one.row.agent]
        for other in entries:
            cells.append("" if one is other else better([one], [other]))
        table.append(cells)
    text = Text(
        "Probability that a seed of the row's agent scores more than one of the column's, with its 95 % interval:"
    )
    return [text, Table(["", *(entry.row.agent for entry in entries)], table)]


def families(entries: Sequence[Entry]) -> list[tuple[Entry | None, list[Entry]]]:
    """The variants of each agent, and what they are compared with: the one called plain, else the agent itself."""
    known = {entry.row.agent: entry for entry in entries}
    found = []
    for agent in dict.fromkeys(name.partition("+")[0] for name in known if "+" in name):
        plain = known.get(f"{agent}+plain") or known.get(agent)
        others = [entry for name, entry in known.items() if name.startswith(f"{agent}+") and entry is not plain]
        found.append((plain, others))
    return found


def over_plain(entries: Sequence[Entry]) -> list[Block]:
    """Variants of an agent beside the one that they are variants of."""
    blocks: list[Block] = []
    for plain, others in families(entries):
        if plain is not None and others:
            text = f"Probability that a seed does better than one of {plain.row.agent}, with its 95 % interval:"
            table = [[entry.row.agent, better([entry], [plain])] for entry in others]
            blocks += [Text(text), Table(["", f"over {plain.row.agent}"], table)]
    return blocks


def better(ours: Sequence[Entry], theirs: Sequence[Entry]) -> str:
    """The probability of improvement over the same environments, with its interval."""
    mine, yours = ([scores(entry.results, compared(entry)) for entry in side] for side in (ours, theirs))
    runs = [min(map(len, side)) for side in (mine, yours)]  # as many of each environment
    mine, yours = ([one[:n] for one in side] for side, n in zip((mine, yours), runs, strict=True))
    low, high = improvement_interval(mine, yours)
    return f"{improvement(mine, yours):.2f} ({low:.2f} to {high:.2f})"


# --- figures ---------------------------------------------------------------------------------------------------------


def chance(place: Place, env: str, played: bool = False) -> float:
    """What random actions bring, exactly where that is known; nan where they have not been played."""
    results, _ = logs.read(Row(_RANDOM, env), place.logs)
    if not results:
        return math.nan
    exact = results[0].get("exact")
    return float(exact["uniform"] if exact and not played else results[0]["final"]["mean"])


def optimum(place: Place, env: str) -> float:
    """The return of the best policy; nan where nobody knows."""
    results, _ = logs.read(Row(_RANDOM, env), place.logs)
    exact = results[0].get("exact") if results else None
    return float(exact["best"]) if exact else OPTIMA.get(env, math.nan)


def compared(entry: Entry) -> str:
    """Which figure is compared: the exact return where it is known."""
    return "exact" if all(result.get("exact") for result in entry.results) else "final"


def middle(entry: Entry) -> float:
    return float(figures.summary(entry.results)[compared(entry)]["iqm"])


def evaluated(result: Result) -> float:
    return float(result.get("seconds_evaluating") or 0.0)


def _steps(results: Sequence[Result]) -> str:
    return " to ".join(
        f"{steps:,}" for steps in sorted({min(r["steps"] for r in results), max(r["steps"] for r in results)})
    )


def _range(spread: Mapping[str, Any], form: Callable[[float], str]) -> str:
    return f"{form(spread['low'])} to {form(spread['high'])}" if np.isfinite(spread["low"]) else "-"


def _median(results: Sequence[Result], name: str) -> str:
    """Over the seeds for which it is known."""
    found = [result[name] for result in results if result.get(name) is not None]
    return f"{median(found):,.0f}" if found else "-"


def bold(text: str, is_bold: bool = True) -> str:
    return f"**{text}**" if is_bold else text
