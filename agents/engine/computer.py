"""A player at one board: how much it thinks, what it plays, what it expects."""

import dataclasses
import math
import re
from typing import NamedTuple

import numpy as np

from agents.engine.board import Board
from agents.players import Player, SearchPlayer
from games.errors import shown
from rlcore.jit import Array
from rlcore.search import Search, SearchResult
from rlcore.tree import EDGE_LOST, EDGE_WON

__all__ = ["BadLevel", "Computer", "Level", "Opinion", "parse_level"]

_MOST_SIMULATIONS = 100_000
_MOST_SECONDS = 3600.0
_PROBE = 32
"""Simulations that the speed is first measured by."""
_ALIKE = 1.5
"""A tree is kept from move to move while the number of simulations changes by no more than this factor."""
_CANDIDATES = 3
"""Moves that an opinion compares."""


class BadLevel(ValueError):
    """A text names no level; one sentence says why."""


class Level(NamedTuple):
    """How much to think about a move: one of the two is 0."""

    simulations: int = 0
    seconds: float = 0.0
    """About so long: as many simulations as take that time at the speed of the last move."""

    def __str__(self) -> str:
        if self.seconds:
            return f"about {self.seconds:g} s a move"
        return f"{self.simulations:,} simulation{'s' * (self.simulations != 1)}"


def parse_level(text: str) -> Level:
    """``800``: so many simulations a move; ``2s`` or ``0.5s``: about so many seconds.

    Raises:
        BadLevel: it is neither, or too much.
    """
    match = re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,3})?(s?)", text.replace(" ", "").replace(",", "").lower())
    if match is None or (match[2] and not match[3]):
        raise BadLevel(f"{shown(text)} is no level: write 800 (simulations a move) or 2s (seconds a move)")
    if not match[3]:
        if not 1 <= int(match[1]) <= _MOST_SIMULATIONS:
            raise BadLevel(f"simulations must be 1 to {_MOST_SIMULATIONS:,}, not {int(match[1]):,}")
        return Level(simulations=int(match[1]))
    seconds = float(match[1] + (match[2] or ""))
    if not 0.0 < seconds <= _MOST_SECONDS:
        raise BadLevel(f"a move may take up to {_MOST_SECONDS:g} seconds, not {seconds:g}")
    return Level(seconds=seconds)


class Opinion(NamedTuple):
    """What a search thinks of a position; of the side to move, where a side is meant."""

    action: int
    """What it would play."""
    value: float
    """What it expects, in [-1, 1]."""
    draw: float
    """Probability of a draw."""
    candidates: list[tuple[int, float]]
    """``action`` and the moves that it likes best beside it, and how much: shares of 1."""
    variation: list[int]
    """How it expects play to go on, ``action`` first."""
    simulations: int
    """What it rests upon."""


class Computer:
    """A player that plays at most one game at a time.

    Args:
        level: how much it searches, where it does; none = as it is made.
        seed: decides its random choices.
    """

    def __init__(self, player: Player, level: Level | None, seed: int) -> None:
        self._player = player
        self._rng = np.array([seed], np.uint64)
        self._speed = 0.0  # simulations a second, of the last search; 0 before the first
        self._search: Search | None = None
        self._name = player.name
        self.level = level or Level(simulations=1)
        if isinstance(player, SearchPlayer):
            self._search = player.search
            own = player.search.config.simulations
            self._name = player.name.removesuffix(f", {own} simulations")  # the level says that
            self.level = level or Level(simulations=own)

    @property
    def name(self) -> str:
        """For people to read, the level included."""
        return f"{self._name}, {self.level}" if self.thinks else self._name

    @property
    def thinks(self) -> bool:
        """Whether it searches: only then has it levels and opinions."""
        return self._search is not None

    def get_ready(self, board: Board) -> None:
        """Load and measure what a clock must not pay for; done once."""
        if self._search is not None and not self._speed:
            search = self._new_search(_PROBE)
            for _ in range(2):  # the first may have to load, or even compile, kernels
                self._run(search, board, self._rng.copy())

    def choose(self, board: Board, seconds: float = math.inf) -> int:
        """The action it plays.

        Args:
            seconds: what its clock grants it for the move.
        """
        if self._search is None:
            return int(self._player.act(board.history, board.games, self._rng)[0])
        return int(self._think(board, self._rng, seconds).actions[0])

    def opinion(self, board: Board) -> Opinion:
        """What it thinks of the newest position, which leaves its later choices as they are. It must be one that
        thinks."""
        result = self._think(board, self._rng.copy(), math.inf)
        count = int(result.counts[0])
        legal, policy = result.legal[0, :count], result.policy[0, :count]
        action, (value, draw) = int(result.actions[0]), (float(number) for number in result.values[0])
        best = np.lexsort((-policy, legal != action))[:_CANDIDATES]
        assert self._search is not None
        return Opinion(
            action,
            value,
            draw,
            [(int(legal[i]), float(policy[i])) for i in best],
            _variation(self._search, action),
            int(result.visits[0].sum()),
        )

    def _think(self, board: Board, rng: Array, seconds: float) -> SearchResult:
        seconds = min(seconds, self.level.seconds or math.inf)
        if seconds < math.inf:
            self.get_ready(board)
        return self._run(self._sized(seconds), board, rng)

    def _run(self, search: Search, board: Board, rng: Array) -> SearchResult:
        """A search, by which the speed is measured."""
        assert isinstance(self._player, SearchPlayer)
        before = search.seconds
        result = search.run(board.history, board.games, self._player.evaluator, rng)
        # What has been proven needs no more simulations, so there may be fewer than asked for.
        made = int(search.tree.nodes[0, 0]["visits"] - search.tree.begun[0])
        if made >= _PROBE or not self._speed:
            self._speed = max(made, 1) / max(search.seconds - before, 1e-6)
        return result

    def _sized(self, seconds: float) -> Search:
        """A search of as many simulations as the level, and the time for the move, allow."""
        assert self._search is not None
        wanted = self.level.simulations or _MOST_SIMULATIONS
        if seconds < math.inf:
            wanted = max(min(wanted, int(self._speed * seconds)), 1)
        now = self._search.config.simulations
        if wanted != now and (not self.level.seconds or not 1 / _ALIKE < wanted / now < _ALIKE):
            self._search = self._new_search(wanted)
        return self._search

    def _new_search(self, simulations: int) -> Search:
        assert self._search is not None
        search = self._search
        config = dataclasses.replace(search.config, simulations=simulations)
        return Search(search.game, config, 1, search.planes_history, keep=True)


def _variation(search: Search, action: int) -> list[int]:
    """The line of tree 0 that begins with an action of the root and goes on with what wins, else is visited most."""
    edges = _edges(search, 0)
    edge = edges[edges["action"] == action][0]
    actions = [action]
    while edge["child"] >= 0:
        edges = _edges(search, int(edge["child"]))
        if not (edges["visits"].any() or (edges["proven"] != 0).any()):
            break
        edge = max(edges, key=lambda e: (e["proven"] == EDGE_WON, e["proven"] != EDGE_LOST, e["visits"]))
        actions.append(int(edge["action"]))
    return actions


def _edges(search: Search, n: int) -> Array:
    """The edges of node ``n``, [num_edges] EDGE."""
    node = search.tree.nodes[0, n]
    edges: Array = search.tree.edges[0, node["first_edge"] : node["first_edge"] + node["num_edges"]]
    return edges
