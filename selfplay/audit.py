"""The books of a run: what must hold of its folder, whatever died while it was made.

Every finished game is counted once, everywhere alike: in the log, in the file of games as text, in the checkpoints and
in the metrics. Nothing here changes the folder.
"""

import re
from collections import Counter
from collections.abc import Iterator, Set
from pathlib import Path
from typing import NamedTuple

import games
from rlcore import checkpoint, metrics
from rlcore.checkpoint import Checkpoint, CheckpointError
from selfplay.config import read_config
from selfplay.log import GameLog
from selfplay.record import split

__all__ = ["Books", "audit"]


class Books(NamedTuple):
    """What a run's folder holds, and what is wrong with it."""

    ids: frozenset[int]
    """Of all finished games."""
    positions: int
    """To train on, in all of these."""
    steps: int
    """Gradient steps, as of the newest checkpoint."""
    faults: list[str]


def audit(folder: Path, known: Set[int] = frozenset(), ended: bool = True) -> Books:
    """Look through a run's folder.

    Args:
        known: ids of games that were in the log once.
        ended: whether the run has come to an end by itself; one that was killed may have torn ends, which the next
            start cuts off, and its text and metrics may lag behind the log.

    Raises:
        ConfigError, LogError, MetricsError: there is no run in the folder.
    """
    game, faults = games.load(read_config(folder / "config.json").game), list[str]()
    with GameLog(folder / "games.log", game.name, warn=faults.append, read_only=True) as log:
        records = [(record.id, record.positions) for record in log.records()]
        ids, positions = [number for number, _ in records], sum(trainable for _, trainable in records)
        faults += _differences("games.log", ids, log.ids)
        if positions != log.positions:
            faults.append(f"games.log counts {log.positions} positions, its games have {positions}")
        if lost := known - log.ids:
            faults.append(f"{len(lost)} games that were finished are no longer there, such as {min(lost)}")
        saved = list(_checkpoints(folder, faults))
        for one in saved:
            faults += _check(one, log, ids)
        if ended:
            faults += _check_end(folder, log, saved[-1] if saved else None)
            text = (folder / f"games.{game.FILE_SUFFIX}").read_text(encoding="utf-8")
            found = re.findall(rf"^{re.escape(game.COMMENT)} game (\d+)$", text, re.M)
            faults += _differences(f"games.{game.FILE_SUFFIX}", [int(number) for number in found], log.ids)
    counts = [int(row["games"]) for row in metrics.read(folder) if "games" in row]
    if counts != sorted(counts) or (counts and counts[-1] > len(ids)):
        faults.append(f"the metrics count games down, or more than {len(ids)}")
    if ended and (not counts or counts[-1] != len(ids)):
        faults.append(f"the metrics end with {counts[-1:]} games, games.log holds {len(ids)}")
    steps = int(saved[-1].state["learner"]["steps"]) if saved else 0
    return Books(frozenset(ids), positions, steps, faults)


def _differences(name: str, found: list[int], wanted: Set[int]) -> list[str]:
    """What is wrong with a file's games."""
    twice = [number for number, times in Counter(found).items() if times > 1]
    missing, foreign = wanted - set(found), set(found) - wanted
    kinds = {"are there twice": twice, "are missing": missing, "are not in games.log": foreign}
    return [f"{name}: {len(odd)} games {kind}, such as {min(odd)}" for kind, odd in kinds.items() if odd]


def _checkpoints(folder: Path, faults: list[str]) -> Iterator[Checkpoint]:
    """All of them, the oldest first."""
    names = [path for path in (folder / "checkpoints").glob("*") if path.name.isdigit()]
    for path in sorted(names, key=lambda path: int(path.name)):
        try:
            yield checkpoint.load(path)
        except CheckpointError as error:
            faults.append(str(error))


def _check(saved: Checkpoint, log: GameLog, ids: list[int]) -> Iterator[str]:
    """What is wrong with a checkpoint, beside the log."""
    name, counted, before = f"checkpoint {saved.name}", int(saved.state["games"]), log.index(int(saved.state["log"]))
    if counted != before:
        yield f"{name} has seen {counted} games, games.log held {before} then"
    going_on = [record.id for record in split(saved.blobs["games"])]
    if len(set(going_on)) < len(going_on):
        yield f"{name} has a game in progress twice"
    if finished := set(going_on) & set(ids[:counted]):
        yield f"{name} has {len(finished)} games in progress that were finished, such as {min(finished)}"
    if len(saved.blobs["rng"]) != 8 * len(going_on):
        yield f"{name} has {len(saved.blobs['rng']) // 8} generators for {len(going_on)} games in progress"


def _check_end(folder: Path, log: GameLog, saved: Checkpoint | None) -> Iterator[str]:
    """What is wrong where a run has come to its end."""
    if (size := log.path.stat().st_size) != log.position():
        yield f"games.log has {size - log.position()} bytes after its last game"
    if saved is None:
        yield "there is no checkpoint"
    elif int(saved.state["games"]) != log.games:
        yield f"the newest checkpoint has seen {saved.state['games']} games, games.log holds {log.games}"
    halves = [*folder.rglob("*.new"), *folder.rglob("*.tmp"), *(folder / "checkpoints").glob(".*")]
    yield from (f"a file is left that was only half written: {path.relative_to(folder)}" for path in halves)
