"""Figures of a benchmark, a dictionary each: what was measured, beside partners that are timed in turn with it."""

import os
import platform
import re
import statistics
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

from rlcore import __version__
from rlcore.game import Game
from rlcore.machine import processor
from selfplay.peers import Peer

__all__ = ["Figure", "beside", "machine", "measured"]

Figure = dict[str, Any]


def measured(name: str, game: Game | str, values: list[float], unit: str, **more: Any) -> Figure:
    """One line: the median and the extremes of the rounds; of a game, or an environment's id."""
    return {
        "name": name,
        "game": game if isinstance(game, str) else game.name,
        "value": statistics.median(values),
        "unit": unit,
        "threads": 1,
        "version": __version__,
        "least": min(values),
        "most": max(values),
        "rounds": len(values),
        **more,
    }


def machine() -> Figure:
    """What the figures were measured on."""
    versions = {}
    for name in ("numpy", "numba", "torch", "openvino"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    about = {"processor": processor(), "cores": os.cpu_count(), "load": load, "python": platform.python_version()}
    return about | versions


def beside(
    name: str, game: Game | str, rounds: int, unit: str, ours: Callable[[], float], peers: list[Peer], **more: Any
) -> Iterator[Figure]:
    """Our figure, each partner's, and the ratios: measured A B A B ..., after each has run once."""
    mine: list[float] = []
    theirs: list[list[float]] = [[] for _ in peers]
    try:
        ours()  # compiles, and touches the memory
        for peer in peers:
            peer.speed()
        for _ in range(rounds):
            mine.append(ours())
            for peer, values in zip(peers, theirs, strict=True):
                values.append(peer.speed())
    finally:
        for peer in peers:
            peer.close()
    yield measured(name, game, mine, unit, **more)
    for peer, values in zip(peers, theirs, strict=True):
        about = more | {"version": peer.version, "peer": peer.name, "threads": peer.threads}
        yield measured(f"{name} / {peer.name}", game, values, unit, **about)
        ratios = [a / b for a, b in zip(mine, values, strict=True)]
        partner = re.sub(r" \d.*", "", peer.name)  # without its version, so that earlier runs can be compared
        yield measured(f"{name} ratio to {partner}", game, ratios, f"times {peer.name}", **more)
