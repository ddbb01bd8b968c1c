"""Throughput of the hot paths, beside a peer where one is installed, as JSON lines.

A speed by itself says as much of the machine as of the program: compare ``ratio``, ours by the peer's, measured in turn
in the same run.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import numpy as np

from rlcore import __version__, perft
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from rlcore.game import Game, new_history
from rlcore.search import Search

Figure = dict[str, Any]
TREES, SIMULATIONS, HISTORY = 64, 800, 8  # of the search that is measured


def _figure(name: str, game: Game, values: list[float], unit: str, version: str = __version__, **more: Any) -> Figure:
    """One line: the median and the extremes of the rounds, a second of wall time."""
    return {
        "name": name,
        "game": game.name,
        "value": statistics.median(values),
        "unit": unit,
        "threads": 1,
        "version": version,
        "least": min(values),
        "most": max(values),
        "rounds": len(values),
        **more,
    }


def _machine() -> Figure:
    """What the figures were measured on."""
    versions = {name: metadata.version(name) for name in ("numpy", "numba")}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"processor": platform.machine(), "cores": os.cpu_count(), "load": load, **versions}


def _in_turn(
    rounds: int, ours: Callable[[], float], peer: Callable[[], float] | None
) -> tuple[list[float], list[float]]:
    """Speeds of both, measured A B A B ..."""
    mine: list[float] = []
    others: list[float] = []
    for _ in range(rounds):
        mine.append(ours())
        if peer is not None:
            others.append(peer())
    return mine, others


def _with_ratio(mine: Figure, theirs: Figure | None) -> Iterator[Figure]:
    yield mine
    if theirs is not None:
        yield theirs
        yield {"name": f"{mine['name']} ratio", "game": mine["game"], "value": mine["value"] / theirs["value"],
               "unit": f"times {theirs['peer']}", "threads": 1, "version": mine["version"]}  # fmt: skip


# --- perft -----------------------------------------------------------------------------------------------------------


class UciPeer:
    """A UCI engine that answers ``go perft``."""

    def __init__(self, command: str) -> None:
        self._process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._send("uci")
        self.name = self._until("id name ")
        self._until("uciok")

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        print(text, file=self._process.stdin, flush=True)

    def _until(self, start: str) -> str:
        """The rest of the next line that starts so."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line[len(start) :].strip()
        raise RuntimeError("the engine ended")

    def perft(self, depth: int) -> float:
        """Nodes a second from the start position."""
        self._send("position startpos\nisready")
        self._until("readyok")
        began = time.perf_counter()
        self._send(f"go perft {depth}")
        nodes = int(self._until("Nodes searched:"))
        return nodes / (time.perf_counter() - began)

    def close(self) -> None:
        self._send("quit")
        self._process.wait(timeout=5)


def find_engine(name: str) -> str | None:
    """A program on the path, or where Debian puts games."""
    return shutil.which(name) or shutil.which(name, path="/usr/games")


def bench_perft(game: Game, rounds: int) -> Iterator[Figure]:
    """Move generation: leaves of the tree from the start position, listed and numbered as actions."""
    depth = 6 if game.name == "chess" else 4
    state = perft.start(game)
    perft.count(game, state, 3)  # compiles

    def ours() -> float:
        began = time.perf_counter()
        return perft.count(game, state, depth) / (time.perf_counter() - began)

    path = find_engine("stockfish") if game.name == "chess" else None
    peer = UciPeer(path) if path else None
    try:
        mine, others = _in_turn(rounds, ours, (lambda: peer.perft(depth)) if peer else None)
    finally:
        if peer:
            peer.close()
    theirs = (
        _figure("perft stockfish", game, others, "nodes/s", peer.name.split()[-1], peer=peer.name) if peer else None
    )
    yield from _with_ratio(_figure("perft", game, mine, "nodes/s", depth=depth), theirs)


# --- search ----------------------------------------------------------------------------------------------------------


def bench_search(game: Game, rounds: int) -> Iterator[Figure]:
    """Tree search with full rules and packing but a free evaluator, from the start position, on one thread."""
    peer = _open_spiel(game)
    for root in ("gumbel", "puct"):
        ours = _searcher(game, SearchConfig(simulations=SIMULATIONS, root=root, interior="puct"))
        ours()  # compiles, and touches the memory
        mine, others = _in_turn(rounds, ours, peer)
        name = f"search {root}"
        theirs = None
        if peer:
            version = metadata.version("open_spiel")
            theirs = _figure(f"{name} open_spiel", game, others, "simulations/s", version, peer="OpenSpiel MCTSBot")
        sizes: dict[str, Any] = {"trees": TREES, "simulations": SIMULATIONS, "history": HISTORY}
        yield from _with_ratio(_figure(name, game, mine, "simulations/s", **sizes), theirs)


def _searcher(game: Game, config: SearchConfig) -> Callable[[], float]:
    """Simulations a second of one search of all trees."""
    search = Search(game, config, TREES, planes_history=HISTORY)
    history = new_history(game, TREES, 2)
    for g in range(TREES):
        game.begin(history, g, 0)
    games, evaluator = np.arange(TREES, dtype=np.int32), Uniform()

    def speed() -> float:
        rng = np.arange(TREES).astype(np.uint64)
        began = time.perf_counter()
        search.run(history, games, evaluator, rng)
        return TREES * config.simulations / (time.perf_counter() - began)

    return speed


def _open_spiel(game: Game) -> Callable[[], float] | None:
    """OpenSpiel's Python search with a free evaluator, if it is installed."""
    try:
        import pyspiel  # type: ignore[import-not-found]
        from open_spiel.python.algorithms import mcts  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        return None

    class Free(mcts.Evaluator):  # type: ignore[misc]
        def evaluate(self, state: Any) -> Any:
            return np.zeros(2)

        def prior(self, state: Any) -> Any:
            actions = state.legal_actions()
            return [(action, 1.0 / len(actions)) for action in actions]

    bot = mcts.MCTSBot(
        pyspiel.load_game(game.name), 2.0, SIMULATIONS, Free(), solve=False,
        random_state=np.random.RandomState(0), child_selection_fn=mcts.SearchNode.puct_value,
    )  # fmt: skip

    def speed() -> float:
        state = pyspiel.load_game(game.name).new_initial_state()
        began = time.perf_counter()
        visits: int = bot.mcts_search(state).explore_count
        return visits / (time.perf_counter() - began)

    return speed


BENCHES = {"perft": bench_perft, "search": bench_search}


def run(names: list[str], game: Game, rounds: int) -> None:
    """Measure and print, a line as soon as it is known."""
    for name in names:
        for figure in BENCHES[name](game, rounds):
            print(json.dumps(figure | {"machine": _machine()}), flush=True)
