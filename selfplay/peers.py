"""Programs of others that are timed beside ours: a UCI engine's perft, OpenSpiel's random games and its tree search.

Each is used where it is installed and left out where it is not.
"""

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

from rlcore.game import Game

__all__ = ["Peer", "UciPeer", "open_spiel_playouts", "open_spiel_search", "stockfish"]


class Peer(NamedTuple):
    """A partner to be timed in turn with ours."""

    name: str
    version: str
    speed: Callable[[], float]
    """Measures once: units a second."""
    close: Callable[[], None] = lambda: None
    threads: int = 1


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


def stockfish(game: Game, depth: int) -> Peer | None:
    """Stockfish's perft, from the path or where Debian puts games."""
    path = shutil.which("stockfish") or shutil.which("stockfish", path="/usr/games")
    if game.name != "chess" or path is None:
        return None
    engine = UciPeer(path)
    return Peer(engine.name, engine.name.split()[-1], lambda: engine.perft(depth), engine.close)


def _pyspiel() -> Any:
    try:
        import pyspiel  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        return None
    return pyspiel


def open_spiel_playouts(game: Game, games: int) -> Peer | None:
    """Random games by OpenSpiel from Python, plies a second."""
    pyspiel = _pyspiel()
    if pyspiel is None:
        return None
    rules, generator = pyspiel.load_game(game.name), random.Random(1)

    def speed() -> float:
        began, plies = time.perf_counter(), 0
        for _ in range(games):
            state = rules.new_initial_state()
            while not state.is_terminal():
                state.apply_action(generator.choice(state.legal_actions()))
                plies += 1
        return plies / (time.perf_counter() - began)

    return Peer("OpenSpiel", metadata.version("open_spiel"), speed)


def open_spiel_search(game: Game, simulations: int) -> Peer | None:
    """OpenSpiel's Python tree search with a free evaluator, simulations a second."""
    pyspiel = _pyspiel()
    if pyspiel is None:
        return None
    from open_spiel.python.algorithms import mcts  # type: ignore[import-not-found]

    class Free(mcts.Evaluator):  # type: ignore[misc]
        def evaluate(self, state: Any) -> Any:
            return np.zeros(2)

        def prior(self, state: Any) -> Any:
            actions = state.legal_actions()
            return [(action, 1.0 / len(actions)) for action in actions]

    bot = mcts.MCTSBot(
        pyspiel.load_game(game.name), 2.0, simulations, Free(), solve=False,
        random_state=np.random.RandomState(0), child_selection_fn=mcts.SearchNode.puct_value,
    )  # fmt: skip

    def speed() -> float:
        state = pyspiel.load_game(game.name).new_initial_state()
        began = time.perf_counter()
        visits: int = bot.mcts_search(state).explore_count
        return visits / (time.perf_counter() - began)

    return Peer("OpenSpiel MCTSBot", metadata.version("open_spiel"), speed)
