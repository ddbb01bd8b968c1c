"""All logs as a page: what every agent came to, beside what was asked, chance, the optimum, and what others publish.

The page is made of the logs alone, and is the same whenever they are.
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from agents import results as figures
from agents.benchmark import logs, pictures
from agents.benchmark.goals import GOALS, judged, scores
from agents.benchmark.page import Block, Code, Heading, Picture, Table, Text, to_html, to_markdown
from agents.benchmark.published import PUBLISHED, SOURCES
from agents.benchmark.rows import Row, command
from agents.results import Result, formatter
from rlcore.files import write_whole
from rlcore.progress import clock
from rlcore.statistics import COVERAGE, improvement, improvement_interval

__all__ = ["Place", "report"]

_SEEDS = 5
_RANDOM = "random"
_MOST_EVALUATING = 0.10
"""The share of training that evaluations may cost."""

OPTIMA = {"CartPole-v1": 500.0, "rlcore/Catch-v0": 1.0}
"""Returns of the best policy that follow from the rules; where the transitions are known, they are computed instead."""


class Place(NamedTuple):
    """Where things lie."""

    logs: Path
    """Pictures, too, and the page as HTML."""
    page: Path


class _Entry(NamedTuple):
    """A row and what is there of it."""

    row: Row
    results: list[Result]
    stale: list[str]
    """Settings that were others when it was trained."""

    @property
    def name(self) -> str:
        return self.row.agent + (" †" if self.stale else "")


def report(place: Place, rows: Sequence[Row], quick: bool = False, draw: bool = True) -> list[str]:
    """Write the page, its pictures and the same as HTML.

    Args:
        rows: which should be there.
        quick: whether the logs are of runs that were made to be quick.
        draw: whether to make the pictures, too.

    Returns:
        Lines for people: what was written, and what is missing.

    Raises:
        OSError: the disk refused.
    """
    place.page.parent.mkdir(parents=True, exist_ok=True)
    place.logs.mkdir(parents=True, exist_ok=True)
    entries, problems = _entries(place, rows, quick)
    missing = _missing(entries, 1 if quick else _SEEDS)
    blocks = [*_beginning(entries, quick), *_overview(place, entries)]
    if not quick:
        blocks += _goals(entries)
    for env in dict.fromkeys(row.env for row in rows):
        blocks += _environment(place, env, [entry for entry in entries if entry.row.env == env])
    blocks += [*_agents(entries), *_evaluating(entries), *_provenance(entries), *_missing_blocks(missing, problems)]
    for block in blocks if draw else []:
        if isinstance(block, Picture):
            block.draw(place.logs / block.file)
    title = "Benchmarks"
    away = os.path.relpath(place.logs, place.page.parent).replace(os.sep, "/")
    write_whole(place.page, to_markdown(blocks, f"{away}/").encode())
    write_whole(place.logs / "index.html", to_html(blocks, title).encode())
    lines = [f"Written: {place.page}, {place.logs / 'index.html'}"]
    return lines + [f"Missing: {line}" for line in missing] + problems


def _entries(place: Place, rows: Sequence[Row], quick: bool) -> tuple[list[_Entry], list[str]]:
    found, problems = [], []
    for row in rows:
        results, lines = logs.read(row, place.logs)
        problems += lines
        config = row.settings(Path(), quick=quick)
        stale = sorted({line for result in results for line in logs.differences(result, config)})
        found.append(_Entry(row, results, stale))
    return found, problems


# --- the page, from its beginning to its end -------------------------------------------------------------------------


def _beginning(entries: Sequence[_Entry], quick: bool) -> list[Block]:
    seeds = sum(len(entry.results) for entry in entries)
    steps = sum(result["steps"] for entry in entries for result in entry.results)
    hours = sum(result["seconds"] for entry in entries for result in entry.results) / 3600
    blocks: list[Block] = [Heading(1, "Benchmarks")]
    if quick:
        blocks.append(Text("**This is no result**: a quick run, which shows that everything works."))
    blocks.append(
        Text(
            f"{seeds} runs of {steps:,} environment steps, {hours:.1f} core-hours in all. Every figure here is "
            "made of the logs in this repository by `python scripts/benchmark.py --report`; "
            "`python scripts/benchmark.py` trains what is missing. The command that repeats a row by itself stands "
            "below its table."
        )
    )
    return [*blocks, Heading(2, "How it was measured"), *(Text(text) for text in _METHOD)]


_METHOD = (
    "Each agent was trained with seeds 0 to 4, a process with one thread each; its settings, in `agents/tuned.py`, "
    "were chosen on seeds from 100 on. Three figures are kept apart, all mean returns of an episode. **final**: of the "
    "final parameters, greedy (or mean) actions, 100 fresh episodes: this is the score. **training**: of the last 100 "
    "episodes of training, in which the agent explores. **best**: of the parameters that the evaluations liked most, "
    "in 100 fresh episodes again; it is no score, because it was chosen among twenty.",
    "Over seeds the **interquartile mean** (IQM, of the middle three of five) with the 95 % interval of the stratified "
    f"percentile bootstrap, 2,000 resamples; with five seeds it holds the truth in about {COVERAGE[5] * 100:.0f} % of "
    "cases only. **solved** counts the seeds whose final parameters reach the threshold that the environment is "
    "registered with; steps and seconds **to threshold** are the median, over the seeds that got there, of the first "
    "evaluation (10 episodes) that reached it. Seconds are of one core while the others were busy.",
    "**exact** is the expected return of the final greedy policy within the time limit, computed from the "
    "environment's transitions. **random** was played, 100 episodes of uniformly random actions; **optimal** is "
    "computed from the transitions, or follows from the rules.",
)


def _overview(place: Place, entries: Sequence[_Entry]) -> list[Block]:
    """A row an environment, a column an agent; the best of each is bold."""
    agents = list(dict.fromkeys(entry.row.agent for entry in entries if "+" not in entry.row.agent))
    known = {entry.row: entry for entry in entries if entry.results}
    table = []
    for env in dict.fromkeys(entry.row.env for entry in entries):
        cells = {agent: _middle(known[Row(agent, env)]) for agent in agents if Row(agent, env) in known}
        chance, optimum = _chance(place, env), _optimum(place, env)
        form = formatter([*cells.values(), chance, optimum])
        top = max(cells.values(), default=math.nan)
        shown = [_bold(form(cells[a]), cells[a] == top) if a in cells else "" for a in agents]
        if cells:
            table.append([env, *shown, form(chance), form(optimum)])
    if not table:
        return []
    note = Text("IQM of the final parameters' mean returns (for environments with known transitions: exact returns).")
    return [Heading(2, "Overview"), note, Table(["", *agents, "random", "optimal"], table)]


def _goals(entries: Sequence[_Entry]) -> list[Block]:
    known = {entry.row: entry for entry in entries}
    table, met = [], 0
    for goal in GOALS:
        entry = known.get(Row(goal.agent, goal.env))
        came_out, verdict = judged(goal, entry.results if entry is not None else [])
        met += verdict == "met"
        table.append([f"{goal.agent} on {goal.env}", goal.text, came_out, _bold(verdict, verdict == "not met")])
    text = f"{met} of {len(GOALS)} goals are met. They were set before the agents were written, with five seeds."
    words = ("asked", "came out", "")
    return [Heading(2, "Goals"), Text(text), Table(["", *words], table, words)]


def _environment(place: Place, env: str, entries: Sequence[_Entry]) -> list[Block]:
    there = [entry for entry in entries if entry.results]
    plain = [entry for entry in there if "+" not in entry.row.agent]
    variants = [entry for entry in there if "+" in entry.row.agent]
    blocks: list[Block] = [Heading(2, env)]
    if plain:
        blocks += [_scores(place, env, plain), *_everywhere(plain), _picture(place, env, plain)]
    if len(plain) > 1:
        blocks += _against(plain)
    if variants:
        blocks += [Heading(3, f"Variants on {env}"), _scores(place, env, variants), *_parts(variants)]
        blocks += [*_everywhere(variants), *_small_pictures(env, variants)]
    blocks += _published(env)
    if there:
        blocks.append(Code([command(entry.row, len(entry.results)) for entry in there]))
    if any(entry.stale for entry in there):
        which = "; ".join(f"{entry.row.agent}: {', '.join(entry.stale)}" for entry in there if entry.stale)
        blocks.append(Text(f"† trained with other settings than those in `agents/tuned.py` now ({which})."))
    return blocks if len(blocks) > 1 else []


# --- parts of it -----------------------------------------------------------------------------------------------------


def _scores(place: Place, env: str, entries: Sequence[_Entry]) -> Table:
    """The table of an environment: agents, then chance and the optimum."""
    sums = [figures.summary(entry.results) for entry in entries]
    chance, optimum = _chance(place, env), _optimum(place, env)
    form = formatter([*(value for found in sums for value in found["final"]["values"]), chance, optimum])
    has_exact, has_threshold = (
        any("exact" in found for found in sums),
        any(found["threshold"] is not None for found in sums),
    )
    header = ["", "steps", "seeds", "training", "**final** (IQM)", "95 %", "best"]
    header += ["**exact** (IQM)"] if has_exact else []
    header += ["solved", "steps to threshold", "seconds to threshold"] if has_threshold else []
    header += ["time a seed", "steps/s"]
    table = [_score(entry, found, form, has_exact, has_threshold) for entry, found in zip(entries, sums, strict=True)]
    for name, value in (("random", chance), ("optimal", optimum)):
        if not math.isnan(value):
            row = [name, *[""] * (len(header) - 1)]
            row[7 if has_exact else 4] = form(value)
            if has_exact and name == "random":
                row[4] = form(_chance(place, env, played=True))
            table.append(row)
    return Table(header, table)


def _score(
    entry: _Entry, found: Mapping[str, Any], form: Callable[[float], str], has_exact: bool, has_threshold: bool
) -> list[str]:
    results, final = entry.results, found["final"]
    cells = [entry.name, _steps(results), str(len(results)), form(found["training"]["iqm"])]
    cells += [_bold(form(final["iqm"])), _range(final, form), form(found["best"]["iqm"])]
    if has_exact:
        cells.append(_bold(form(found["exact"]["iqm"])) if "exact" in found else "")
    if has_threshold:
        solved = f"{found['reached']} of {len(results)}"
        cells += [solved, _median(results, "steps_to_threshold"), _median(results, "seconds_to_threshold")]
    seconds = [result["seconds"] for result in results]
    speed = median(result["steps"] / max(result["seconds"] - _evaluated(result), 1e-9) for result in results)
    return [*cells, clock(median(seconds)), f"{speed:,.0f}"]


def _everywhere(entries: Sequence[_Entry]) -> list[Block]:
    """Every seed of every row."""
    figure = _figure(entries[0])
    form = formatter([value for entry in entries for value in scores(entry.results, figure)])
    seeds = sorted({result["seed"] for entry in entries for result in entry.results})
    table = []
    for entry in entries:
        known = dict(zip((result["seed"] for result in entry.results), scores(entry.results, figure), strict=True))
        table.append([entry.row.agent, *(form(known[seed]) if seed in known else "" for seed in seeds)])
    return [Text(f"Every seed, {figure} return:"), Table(["", *(f"seed {seed}" for seed in seeds)], table)]


def _picture(place: Place, env: str, entries: Sequence[_Entry]) -> Picture:
    """Learning curves of the agents."""
    threshold = figures.summary(entries[0].results)["threshold"]
    known = {"solved": math.nan if threshold is None else threshold}
    known |= {"optimal": _optimum(place, env), "random": _chance(place, env)}
    levels = {name: value for name, value in known.items() if not math.isnan(value)}
    named = {entry.row.agent: entry.results for entry in entries}
    draw = partial(pictures.agents, title=env, named=named, levels=levels)
    return Picture(f"{_plain(env)}.png", f"Learning curves on {env}", draw)


def _small_pictures(env: str, entries: Sequence[_Entry]) -> list[Block]:
    """Learning curves of an agent's variants, each beside the plain one."""
    blocks: list[Block] = []
    for agent in dict.fromkeys(entry.row.agent.partition("+")[0] for entry in entries):
        named = {entry.row.agent: entry.results for entry in entries if entry.row.agent.startswith(f"{agent}+")}
        if set(named) != {f"{agent}+plain"}:
            title, plain = f"Variants of {agent} on {env}", f"{agent}+plain"
            draw = partial(pictures.variants, title=title, plain=plain, named=named)
            blocks.append(Picture(f"{_plain(env)}-{agent}.png", f"Learning curves: {title}", draw))
    return blocks


def _plain(name: str) -> str:
    """A name that is one of a file."""
    return re.sub(r"[^\w.-]+", "-", name)


def _against(entries: Sequence[_Entry]) -> list[Block]:
    """How probable it is that a seed of one agent does better than one of another."""
    table = []
    for one in entries:
        cells = [one.row.agent]
        for other in entries:
            cells.append("" if one is other else _better([one], [other]))
        table.append(cells)
    text = Text(
        "Probability that a seed of the row's agent scores more than one of the column's, with its 95 % interval:"
    )
    return [text, Table(["", *(entry.row.agent for entry in entries)], table)]


def _parts(entries: Sequence[_Entry]) -> list[Block]:
    """Variants of an agent beside the one without any part."""
    blocks: list[Block] = []
    for plain in (entry for entry in entries if entry.row.agent.endswith("+plain")):
        name = plain.row.agent.partition("+")[0]
        others = [entry for entry in entries if entry is not plain and entry.row.agent.startswith(f"{name}+")]
        if others:
            text = f"Probability that a seed does better than one of {plain.row.agent}, with its 95 % interval:"
            table = [[entry.row.agent, _better([entry], [plain])] for entry in others]
            blocks += [Text(text), Table(["", f"over {plain.row.agent}"], table)]
    return blocks


def _agents(entries: Sequence[_Entry]) -> list[Block]:
    """Agents against each other over all environments that both have been trained in."""
    plain = [entry for entry in entries if entry.results and "+" not in entry.row.agent]
    agents = list(dict.fromkeys(entry.row.agent for entry in plain))
    table = []
    for i, one in enumerate(agents):
        for other in agents[i + 1 :]:
            both = [(a, b) for a in plain for b in plain if (a.row.agent, b.row.agent) == (one, other)]
            both = [(a, b) for a, b in both if a.row.env == b.row.env]
            if len(both) > 1:
                envs = ", ".join(a.row.env for a, _ in both)
                table.append([f"{one} over {other}", _better(*map(list, zip(*both, strict=True))), envs])
    if not table:
        return []
    text = (
        "Probability that a seed of one scores more than a seed of the other, the mean over the environments of both."
    )
    return [Heading(2, "Agents against each other"), Text(text), Table(["", "probability", "in"], table, ("in",))]


def _better(ours: Sequence[_Entry], theirs: Sequence[_Entry]) -> str:
    """The probability of improvement over the same environments, with its interval."""
    mine, yours = ([scores(entry.results, _figure(entry)) for entry in side] for side in (ours, theirs))
    runs = [min(map(len, side)) for side in (mine, yours)]  # as many of each environment
    mine, yours = ([one[:n] for one in side] for side, n in zip((mine, yours), runs, strict=True))
    low, high = improvement_interval(mine, yours)
    return f"{improvement(mine, yours):.2f} ({low:.2f} to {high:.2f})"


def _published(env: str) -> list[Block]:
    table = [[one.method, one.source, one.score, one.steps, one.note] for one in PUBLISHED if one.env == env]
    if not table:
        return []
    text = "What others publish; what each figure is, stands at the end, and few of them are final parameters:"
    return [Text(text), Table(["", "by", "score", "steps", "note"], table, ("by", "note"))]


def _evaluating(entries: Sequence[_Entry]) -> list[Block]:
    shares = {}
    for entry in entries:
        if entry.results:
            training = sum(result["seconds"] - _evaluated(result) for result in entry.results)
            shares[f"{entry.row.agent} on {entry.row.env}"] = sum(map(_evaluated, entry.results)) / max(training, 1e-9)
    if not shares:
        return []
    above = [f"{name} {share * 100:.0f} %" for name, share in shares.items() if share >= _MOST_EVALUATING]
    most = max(shares, key=lambda name: shares[name])
    text = (
        f"Evaluating while training took {median(shares.values()) * 100:.1f} % of the time of training in the middle "
        f"row, and at most {shares[most] * 100:.1f} % ({most}). "
    )
    text += f"More than the 10 % that it may cost: {', '.join(above)}." if above else "It may cost 10 %."
    return [Heading(2, "What evaluations cost"), Text(text)]


def _provenance(entries: Sequence[_Entry]) -> list[Block]:
    """What ran where, with which versions."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for entry in entries:
        for result in entry.results:
            versions = ", ".join(f"{name} {number}" for name, number in (result.get("versions") or {}).items())
            key = (versions, str(result.get("machine") or "-"), str(result.get("revision") or "-")[:10])
            names = groups.setdefault(key, [])
            if (name := f"{entry.row.agent} on {entry.row.env}") not in names:
                names.append(name)
    table = [[", ".join(names), *key] for key, names in groups.items()]
    words = ("versions", "machine", "revision")
    blocks: list[Block] = [Heading(2, "Versions and machines"), Table(["", *words], table, words)] if table else []
    return [*blocks, Heading(2, "Published scores"), *(Text(f"**{name}**: {text}.") for name, text in SOURCES.items())]


def _missing(entries: Sequence[_Entry], seeds: int) -> list[str]:
    """Rows that are not there or not whole, and goals that have no row at all."""
    lines = []
    for entry in entries:
        if len(entry.results) < seeds:
            lines.append(f"{entry.row.agent} on {entry.row.env}: {len(entry.results)} of {seeds} seeds")
    known = {entry.row for entry in entries}
    if seeds > 1:
        lines += [f"{g.agent} on {g.env}: no tuned settings yet" for g in GOALS if Row(g.agent, g.env) not in known]
    return lines


def _missing_blocks(missing: Sequence[str], problems: Sequence[str]) -> list[Block]:
    lines = [*missing, *problems]
    return [Heading(2, "What is missing"), Text("\n".join(f"- {line}" for line in lines))] if lines else []


# --- figures ---------------------------------------------------------------------------------------------------------


def _chance(place: Place, env: str, played: bool = False) -> float:
    """What random actions bring, exactly where that is known; nan where they have not been played."""
    results, _ = logs.read(Row(_RANDOM, env), place.logs)
    if not results:
        return math.nan
    exact = results[0].get("exact")
    return float(exact["uniform"] if exact and not played else results[0]["final"]["mean"])


def _optimum(place: Place, env: str) -> float:
    """The return of the best policy; nan where nobody knows."""
    results, _ = logs.read(Row(_RANDOM, env), place.logs)
    exact = results[0].get("exact") if results else None
    return float(exact["best"]) if exact else OPTIMA.get(env, math.nan)


def _figure(entry: _Entry) -> str:
    """Which figure is compared: the exact return where it is known."""
    return "exact" if all(result.get("exact") for result in entry.results) else "final"


def _middle(entry: _Entry) -> float:
    return float(figures.summary(entry.results)[_figure(entry)]["iqm"])


def _evaluated(result: Result) -> float:
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


def _bold(text: str, is_bold: bool = True) -> str:
    return f"**{text}**" if is_bold else text
