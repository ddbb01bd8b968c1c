"""All logs as a page: what every agent came to, beside what was asked, chance, the optimum, and what others publish.

The page is made of the logs alone, and is the same whenever they are.
"""

import math
import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from agents import results as figures
from agents import variance
from agents.benchmark import logs, pictures
from agents.benchmark.goals import GOALS, judged
from agents.benchmark.notes import NOTES
from agents.benchmark.page import Block, Code, Heading, Picture, Table, Text, to_html, to_markdown
from agents.benchmark.published import PUBLISHED, SOURCES
from agents.benchmark.rows import VARIANCE, Row, command
from agents.benchmark.tables import (
    Entry,
    Place,
    against,
    better,
    bold,
    chance,
    evaluated,
    everywhere,
    families,
    middle,
    optimum,
    over_plain,
    table_of,
)
from agents.results import formatter
from rlcore.files import write_whole
from rlcore.statistics import COVERAGE

__all__ = ["Place", "report"]

_RANDOM = "random"
_MOST_EVALUATING = 0.10
"""The share of training that evaluations may cost."""


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
    missing = _missing(entries, quick)
    if VARIANCE in rows and not quick and not logs.variance_file(place.logs, VARIANCE.env).exists():
        missing.append(f"the variance of {VARIANCE.agent}'s gradient on {VARIANCE.env}")
    blocks = [*_beginning(entries, quick), *_overview(place, entries)]
    if not quick:
        blocks += _goals(entries)
    for env in dict.fromkeys(row.env for row in rows):
        blocks += _environment(place, env, [entry for entry in entries if entry.row.env == env])
    blocks += [
        *_agents(entries),
        *_baselines(place, problems),
        *_evaluating(entries),
        *_provenance(entries),
        *_missing_blocks(missing, problems),
    ]
    for block in blocks if draw else []:
        if isinstance(block, Picture):
            block.draw(place.logs / block.file)
    title = "Benchmarks"
    away = os.path.relpath(place.logs, place.page.parent).replace(os.sep, "/")
    write_whole(place.page, to_markdown(blocks, f"{away}/").encode())
    write_whole(place.logs / "index.html", to_html(blocks, title).encode())
    lines = [f"Written: {place.page}, {place.logs / 'index.html'}"]
    return lines + [f"Missing: {line}" for line in missing] + problems


def _entries(place: Place, rows: Sequence[Row], quick: bool) -> tuple[list[Entry], list[str]]:
    found, problems = [], []
    for row in rows:
        results, lines = logs.read(row, place.logs)
        problems += lines
        config = row.settings(Path(), quick=quick)
        stale = sorted({line for result in results for line in logs.differences(result, config)})
        found.append(Entry(row, results, stale))
    return found, problems


# --- the page, from its beginning to its end -------------------------------------------------------------------------


def _beginning(entries: Sequence[Entry], quick: bool) -> list[Block]:
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
    "Each agent was trained with seeds 0 to 4 (in Catch through a retina, 0 to 2), a process with one thread each; its "
    "settings, in `agents/tuned.py`, "
    "were chosen on seeds from 100 on. Three figures are kept apart, all mean returns of an episode. **final**: of the "
    "final parameters, greedy (or mean) actions (drawn ones where the setting `scored_as_drawn` is on), "
    "100 fresh episodes (the recurrent attention model: digits, each canvas of the test split once; Catch, 2,000): "
    "this is the score. **training**: of the last 100 episodes of training, in which the agent "
    "explores. **best**: of the parameters that the evaluations liked most, in 100 fresh episodes again; it is no "
    "score, because it was chosen among twenty.",
    "Over seeds the **interquartile mean** (IQM, of the middle three of five) with the 95 % interval of the stratified "
    f"percentile bootstrap, 2,000 resamples; with five seeds it holds the truth in about {COVERAGE[5] * 100:.0f} % of "
    "cases only. **solved** counts the seeds whose final parameters reach the threshold that the environment is "
    "registered with; steps and seconds **to threshold** are the median, over the seeds that got there, of the first "
    "evaluation (10 episodes) that reached it. Seconds are by the clock, on a core that was often shared: where seeds "
    "of a row differ in them by a factor, they did the same work.",
    "**exact** is the expected return of the final greedy policy within the time limit, computed from the "
    "environment's transitions. **random** was played, 100 episodes of uniformly random actions (of tasks for an eye "
    "2,000); **optimal** is computed from the transitions, or follows from the rules.",
)


def _overview(place: Place, entries: Sequence[Entry]) -> list[Block]:
    """A row an environment, a column an agent; the best of each is bold."""
    agents = list(dict.fromkeys(entry.row.agent for entry in entries if "+" not in entry.row.agent))
    known = {entry.row: entry for entry in entries if entry.results}
    table = []
    for env in dict.fromkeys(entry.row.env for entry in entries):
        cells = {agent: middle(known[Row(agent, env)]) for agent in agents if Row(agent, env) in known}
        random, best = chance(place, env), optimum(place, env)
        form = formatter([*cells.values(), random, best])
        top = max(cells.values(), default=math.nan)
        shown = [bold(form(cells[a]), cells[a] == top) if a in cells else "" for a in agents]
        if cells:
            table.append([env, *shown, form(random), form(best)])
    if not table:
        return []
    note = Text("IQM of the final parameters' mean returns (for environments with known transitions: exact returns).")
    return [Heading(2, "Overview"), note, Table(["", *agents, "random", "optimal"], table)]


def _goals(entries: Sequence[Entry]) -> list[Block]:
    known = {entry.row: entry for entry in entries}
    table, met = [], 0
    for goal in GOALS:
        entry = known.get(Row(goal.agent, goal.env))
        control = known.get(Row(goal.against, goal.env))
        came_out, verdict = judged(
            goal, [] if entry is None else entry.results, [] if control is None else control.results
        )
        met += verdict == "met"
        table.append([f"{goal.agent} on {goal.env}", goal.text, came_out, bold(verdict, verdict == "not met")])
    text = f"{met} of {len(GOALS)} goals are met. They were set before the agents were written."
    words = ("asked", "came out", "")
    return [Heading(2, "Goals"), Text(text), Table(["", *words], table, words)]


def _environment(place: Place, env: str, entries: Sequence[Entry]) -> list[Block]:
    there = [entry for entry in entries if entry.results]
    plain = [entry for entry in there if "+" not in entry.row.agent]
    variants = [entry for entry in there if "+" in entry.row.agent]
    blocks: list[Block] = [Heading(2, env)]
    if there and env in NOTES:
        blocks.append(Text(NOTES[env]))
    if plain:
        blocks += [table_of(place, env, plain), *everywhere(plain), _picture(place, env, plain)]
    if len(plain) > 1:
        blocks += against(plain)
    if variants:
        blocks += [Heading(3, f"Variants on {env}"), table_of(place, env, variants), *over_plain(there)]
        blocks += [*everywhere(variants), *_small_pictures(env, there)]
    blocks += _published(env)
    if there:
        blocks.append(Code([command(entry.row, len(entry.results)) for entry in there]))
    if any(entry.stale for entry in there):
        which = "; ".join(f"{entry.row.agent}: {', '.join(entry.stale)}" for entry in there if entry.stale)
        blocks.append(Text(f"† trained with other settings than those in `agents/tuned.py` now ({which})."))
    return blocks if len(blocks) > 1 else []


# --- parts of it -----------------------------------------------------------------------------------------------------


def _picture(place: Place, env: str, entries: Sequence[Entry]) -> Picture:
    """Learning curves of the agents."""
    threshold = figures.summary(entries[0].results)["threshold"]
    known = {"solved": math.nan if threshold is None else threshold}
    known |= {"optimal": optimum(place, env), "random": chance(place, env)}
    levels = {name: value for name, value in known.items() if not math.isnan(value)}
    named = {entry.row.agent: entry.results for entry in entries}
    draw = partial(pictures.agents, title=env, named=named, levels=levels)
    return Picture(f"{_plain(env)}.png", f"Learning curves on {env}", draw)


def _small_pictures(env: str, entries: Sequence[Entry]) -> list[Block]:
    """Learning curves of an agent's variants, each beside the one that it is a variant of."""
    blocks: list[Block] = []
    for plain, others in families(entries):
        if others:
            agent = others[0].row.agent.partition("+")[0]
            title, name = f"Variants of {agent} on {env}", "" if plain is None else plain.row.agent
            named = {entry.row.agent: entry.results for entry in (plain, *others) if entry is not None}
            draw = partial(pictures.variants, title=title, plain=name, named=named)
            blocks.append(Picture(f"{_plain(env)}-{agent}.png", f"Learning curves: {title}", draw))
    return blocks


def _plain(name: str) -> str:
    """A name that is one of a file."""
    return re.sub(r"[^\w.-]+", "-", name)


def _agents(entries: Sequence[Entry]) -> list[Block]:
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
                table.append([f"{one} over {other}", better(*map(list, zip(*both, strict=True))), envs])
    if not table:
        return []
    text = (
        "Probability that a seed of one scores more than a seed of the other, the mean over the environments of both."
    )
    return [Heading(2, "Agents against each other"), Text(text), Table(["", "probability", "in"], table, ("in",))]


def _baselines(place: Place, problems: list[str]) -> list[Block]:
    """The variance of REINFORCE's gradient by baseline."""
    path = logs.variance_file(place.logs, VARIANCE.env)
    if not path.exists():
        return []
    try:
        moments = variance.read(path)
    except ValueError as error:
        problems.append(str(error))
        return []
    table = [
        [moment.place, f"{moment.steps:,}", f"{moment.mean_return:.1f}"]
        + [_of(moment, name) for name in variance.BASELINES]
        + [f"{moment.traces['none'] / moment.traces[name]:.1f}" for name in variance.BASELINES[1:]]
        for moment in moments
    ]
    text = (
        f"The trace of the covariance of REINFORCE's gradient on {VARIANCE.env}, with each baseline at the same frozen "
        f"parameters of one run: {moments[0].episodes} episodes at each place, with 95 % intervals by bootstrap."
    )
    ratios = [f"none / {name}" for name in variance.BASELINES[1:]]
    header = ["", "steps", "return", *variance.BASELINES, *ratios]
    draw = partial(variance.draw, moments=moments, env=VARIANCE.env)
    picture = Picture("variance.png", "The variance of the gradient by baseline", draw)
    return [Heading(2, "What baselines are good for"), Text(text), Table(header, table), picture]


def _of(moment: variance.Moment, name: str) -> str:
    low, high = moment.intervals[name]
    return f"{moment.traces[name]:.3g} ({low:.3g} to {high:.3g})"


def _published(env: str) -> list[Block]:
    table = [[one.method, one.source, one.score, one.steps, one.note] for one in PUBLISHED if one.env == env]
    if not table:
        return []
    text = "What others publish; what each figure is, stands at the end, and few of them are final parameters:"
    return [Text(text), Table(["", "by", "score", "steps", "note"], table, ("by", "note"))]


def _evaluating(entries: Sequence[Entry]) -> list[Block]:
    shares = {}
    for entry in entries:
        if entry.results:
            training = sum(result["seconds"] - evaluated(result) for result in entry.results)
            shares[f"{entry.row.agent} on {entry.row.env}"] = sum(map(evaluated, entry.results)) / max(training, 1e-9)
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


def _provenance(entries: Sequence[Entry]) -> list[Block]:
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


def _missing(entries: Sequence[Entry], quick: bool) -> list[str]:
    """Rows that are not there or not whole, and goals that have no row at all."""
    lines = []
    for entry in entries:
        seeds = 1 if quick else entry.row.seeds
        if len(entry.results) < seeds:
            lines.append(f"{entry.row.agent} on {entry.row.env}: {len(entry.results)} of {seeds} seeds")
    known = {entry.row for entry in entries}
    if not quick:
        lines += [f"{g.agent} on {g.env}: no tuned settings yet" for g in GOALS if Row(g.agent, g.env) not in known]
    return lines


def _missing_blocks(missing: Sequence[str], problems: Sequence[str]) -> list[Block]:
    lines = [*missing, *problems]
    return [Heading(2, "What is missing"), Text("\n".join(f"- {line}" for line in lines))] if lines else []
