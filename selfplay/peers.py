"""Programs of others that are timed beside ours: perft of UCI engines and of cshogi, OpenSpiel's games and tree search.

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

__all__ = ["Peer", "UciPeer", "perft_peers", "playout_peers", "search_peers"]


class Peer(NamedTuple):
    """A partner to be timed in turn with ours."""

    name: str
    version: str
    speed: Callable[[], float]
    """Measures once: units a second."""
    close: Callable[[], None] = lambda: None
    threads: int = 1


def perft_peers(game: Game, depth: int) -> list[Peer]:
    """Those that count the game's moves from its start position, nodes a second."""
    peers: list[Peer | None] = []
    if game.name == "chess":
        peers = [_uci_perft("stockfish", depth)]
    elif game.name == "shogi":
        peers = [_cshogi_perft(depth), _uci_perft("fairy-stockfish", depth, "shogi")]
    return [peer for peer in peers if peer is not None]


def playout_peers(game: Game, games: int) -> list[Peer]:
    """Those that play random games to their end, plies a second."""
    peers = [_open_spiel_playouts(game, games)]
    if game.name == "shogi":
        peers.insert(0, _cshogi_playouts(games))
    return [peer for peer in peers if peer is not None]


def search_peers(game: Game, simulations: int) -> list[Peer]:
    """Those that search the start position with a free evaluator, simulations a second."""
    peer = _open_spiel_search(game, simulations)
    return [] if peer is None else [peer]


# --- engines ---------------------------------------------------------------------------------------------------------


class UciPeer:
    """A UCI engine that answers ``go perft``, of chess or of a variant that it knows."""

    def __init__(self, command: str, variant: str = "") -> None:
        self._process = subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._send("uci")
        self.name = self._until("id name ")
        self._until("uciok")
        if variant:
            self._send(f"setoption name UCI_Variant value {variant}")

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

    def count(self, depth: int) -> int:
        """Perft of the start position."""
        self._send(f"position startpos\ngo perft {depth}")
        return int(self._until("Nodes searched:"))

    def perft(self, depth: int) -> float:
        """Nodes a second from the start position."""
        self._send("isready")
        self._until("readyok")
        began = time.perf_counter()
        nodes = self.count(depth)
        return nodes / (time.perf_counter() - began)

    def close(self) -> None:
        self._send("quit")
        self._process.wait(timeout=5)


def _uci_perft(command: str, depth: int, variant: str = "") -> Peer | None:
    """An engine's perft, from the path or where Debian puts games."""
    path = shutil.which(command) or shutil.which(command, path="/usr/games")
    if path is None:
        return None
    engine = UciPeer(path, variant)
    version = next((word for word in engine.name.split() if word[0].isdigit()), engine.name)
    return Peer(engine.name, version, lambda: engine.perft(depth), engine.close)


# --- cshogi ----------------------------------------------------------------------------------------------------------


def _cshogi() -> Any:
    try:
        import cshogi
    except ModuleNotFoundError:
        return None
    return cshogi


def _cshogi_perft(depth: int) -> Peer | None:
    """Counted from Python, the last ply by the length of the list of moves."""
    cshogi = _cshogi()
    if cshogi is None:
        return None
    board = cshogi.Board()

    def leaves(depth: int) -> int:
        if depth == 1:
            return len(board.legal_moves)
        total = 0
        for move in board.legal_moves:
            board.push(move)
            total += leaves(depth - 1)
            board.pop()
        return total

    def speed() -> float:
        began = time.perf_counter()
        return leaves(depth) / (time.perf_counter() - began)

    return Peer("cshogi", metadata.version("cshogi"), speed)


def _cshogi_playouts(games: int) -> Peer | None:
    """Random games from Python, with its own repetitions and declarations."""
    cshogi = _cshogi()
    if cshogi is None:
        return None
    generator = random.Random(1)
    over = (cshogi.REPETITION_DRAW, cshogi.REPETITION_WIN, cshogi.REPETITION_LOSE)

    def speed() -> float:
        began, plies = time.perf_counter(), 0
        for _ in range(games):
            board = cshogi.Board()
            while (moves := list(board.legal_moves)) and board.is_draw() not in over and not board.is_nyugyoku():
                board.push(generator.choice(moves))
                plies += 1
        return plies / (time.perf_counter() - began)

    return Peer("cshogi", metadata.version("cshogi"), speed)


# --- OpenSpiel -------------------------------------------------------------------------------------------------------


def _pyspiel(game: Game) -> Any:
    """The module, where it is installed and has the game."""
    try:
        import pyspiel  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        return None
    return pyspiel if game.name in pyspiel.registered_names() else None


def _open_spiel_playouts(game: Game, games: int) -> Peer | None:
    """Random games by OpenSpiel from Python, plies a second."""
    pyspiel = _pyspiel(game)
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


def _open_spiel_search(game: Game, simulations: int) -> Peer | None:
    """OpenSpiel's Python tree search with a free evaluator, simulations a second."""
    pyspiel = _pyspiel(game)
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
