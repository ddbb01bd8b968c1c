"""What is kept of a seed that has been trained: its result, and its learning curve with few points.

    LOGS/dqn/CartPole-v1/seed-0/result.json

It is a result as training writes it (``agents.results``), without lengths of episodes and with fewer digits, and with

    "curve": [[step, mean return of the last training episodes], ...]

Beside them LOGS/variance/CartPole-v1/variance.json, see ``agents.variance``.
"""

import json
import math
from pathlib import Path
from typing import Any

from agents import results
from agents.benchmark.rows import Row
from agents.results import Result, ResultsError, seed_folder
from agents.settings import AGENTS, Training
from rlcore.config import ConfigError, parse
from rlcore.metrics import MetricsError
from rlcore.metrics import read as read_metrics

__all__ = ["differences", "keep", "read", "variance_file", "write"]

_POINTS = 100  # of a curve, at most
_DIGITS = 6
_IRRELEVANT = ("seeds", "seed", "jobs", "run_dir", "device", "checkpoint_seconds", "video", "tensorboard")
"""Settings that change nothing of what is measured."""


def keep(folder: Path, row: Row, logs: Path) -> None:
    """Keep what lies in the folder of a seed that has been trained.

    Raises:
        ResultsError: there is no result, or it cannot be written.
    """
    result = results.read(folder)
    write(result | {"curve": _curve(folder)}, row, logs)


def write(result: Result, row: Row, logs: Path) -> None:
    """Keep a result. Raises ResultsError where the disk refuses."""
    short = {name: _rounded(_without_lengths(value)) for name, value in result.items()}
    folder = seed_folder(row.folder(logs), result["seed"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"{folder} cannot be made ({error.strerror})") from error
    results.write(folder, short)


def read(row: Row, logs: Path) -> tuple[list[Result], list[str]]:
    """What is kept of a row, by seed; and a line for each file that cannot be read."""
    return results.read_all(row.folder(logs))


def variance_file(logs: Path, env: str) -> Path:
    """Where ``agents.variance`` keeps what it has measured."""
    return logs / "variance" / env.replace(":", "/") / "variance.json"


def differences(result: Result, config: Training) -> list[str]:
    """The settings that a result was trained with and that are others now, as "name = before"; steps among them."""
    text = json.dumps(result.get("settings") or {})
    try:
        before = parse(AGENTS[config.agent], text, "the log")
    except (ConfigError, ValueError) as error:
        return [str(error)]
    now, then = json.loads(config.to_json()), json.loads(before.to_json())
    return [f"{name} = {_shown(then[name])}" for name in now if name not in _IRRELEVANT and now[name] != then[name]]


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _curve(folder: Path) -> list[list[float]]:
    """The training return over the steps: every so many lines of the metrics, and the last one."""
    try:
        lines = read_metrics(folder)
    except MetricsError:
        return []
    known = {line["step"]: line["training/return"] for line in lines if "training/return" in line}
    points = [[step, value] for step, value in sorted(known.items()) if math.isfinite(value)]
    every = max(1, math.ceil(len(points) / _POINTS))
    return points[::-1][::every][::-1]


def _without_lengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if name != "lengths"}
    return value


def _rounded(value: Any) -> Any:
    """The same with so many significant digits in lists; single figures keep all of theirs."""
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) if isinstance(one, float) else _rounded(one) for one in value]
    return value


def _short(value: float) -> float | int:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() else rounded
