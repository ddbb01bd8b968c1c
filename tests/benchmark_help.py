"""Logs of a benchmark that was never run, with numbers that can be followed by hand."""

import json
from pathlib import Path
from typing import Any

from agents.benchmark import logs
from agents.benchmark.rows import Row


def result(row: Row, seed: int, score: float, **changes: Any) -> dict[str, Any]:
    """A seed whose final score is given, whose training score is one less, and whose best is one more."""
    config = row.settings(Path("runs"))
    steps = config.steps
    line = [[steps * k // 20, 3.0 * k, score * k / 20 + seed, 1.0] for k in range(1, 21)]
    return {
        "agent": config.agent,
        "env": row.env,
        "seed": seed,
        "steps": steps,
        "seconds": 66.0,
        "seconds_evaluating": 6.0,
        "training": {"episodes": 100, "mean": score - 1},
        "final": {"returns": [score] * 4, "lengths": [3] * 4, "mean": score},
        "best": {"step": steps // 2, "returns": [score + 1] * 4, "mean": score + 1},
        "evaluations": line,
        "curve": [[step, value - 1] for step, _, value, _ in line],
        "threshold": 475.0,
        "steps_to_threshold": 1000 * (seed + 1) if score >= 475 else None,
        "seconds_to_threshold": 10.0 * (seed + 1) if score >= 475 else None,
        "exact": None,
        "settings": json.loads(config.to_json()),
        "versions": {"python": "3.11", "numpy": "2.4"},
        "machine": "a processor, 2 cores, linux",
        "revision": "0123456789abcdef",
    } | changes


def write(folder: Path, row: Row, scores: list[float], **changes: Any) -> None:
    for seed, score in enumerate(scores):
        logs.write(result(row, seed, score, **changes), row, folder)


def write_random(folder: Path, env: str, mean: float, exact: dict[str, float] | None = None) -> None:
    row = Row("random", env)
    found = {"agent": "random", "env": env, "seed": 0, "steps": 0, "seconds": 0.1, "evaluations": [], "best": None}
    found |= {"training": {"episodes": 0, "mean": None}, "final": {"returns": [mean], "mean": mean}, "exact": exact}
    logs.write(found, row, folder)
