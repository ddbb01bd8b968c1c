"""A search that thinks until it is told to stop: one position at a time, on a thread of its own.

``rlcore.search`` runs a number of simulations. Here they come in chunks, one run each on the same tree: a single one
first, so that there is an answer at once, then as many as take some hundredths of a second. Between two chunks the
thinker looks at the clock, and says what it has found so far. The kernels run without the GIL, so whoever reads the
client's commands stays awake meanwhile.
"""

import atexit
import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agents.engine.board import Board
from agents.engine.lines import Line, is_settled, lead, lines_of
from agents.engine.time_control import SearchLimits
from rlcore.config import SearchConfig
from rlcore.evaluators import Evaluator
from rlcore.game import Game
from rlcore.search import Search, SearchResult, room_of
from rlcore.tree import for_parent

__all__ = ["Brain", "Report", "Task", "Thinker"]

_CHUNK_SECONDS = 0.05
"""How long a chunk takes at most, about."""
_MOST_CHUNK = 2048
"""Simulations of a chunk, for the fastest searches."""
_ROOT_EXPLORATION = 0.4
"""c_init of a root above nodes that Gumbel's rule searches as in training, with a c_scale of 1.

With a network trained for ten minutes of chess, against its own Gumbel player, 200 simulations a move, 100 games
each, a leaf at a time: 49 % (95 % interval 41 to 57), with AlphaZero's 1.25 26 % (19 to 34), with 5 4 % (1 to 9).
With 16 leaves evaluated together: 30 % (23 to 38), with 1.25 12 % (9 to 17, 200 games). With a smaller c_scale, for
networks that were taught, 1.25 is better: see ``selfplay.engines.playing``.
"""
_NODES_A_LEAF = 100
"""Where nodes are the limit, each of the leaves that are evaluated together gets so many of them: at 200 nodes waves of
16 leaves cost 100 Elo, see above. Where time is the limit they are worth it: with 0.1 s a move, and three times the
nodes, they scored 81 % in 60 games (95 % interval 71 to 88) against one leaf for every 50 visits."""
_AT_HAND = 64 << 20
"""Bytes of the tree's memory that are taken hold of before a clock runs: 50,000 nodes or so, to which most moves of a
fast game keep; more is taken as the tree grows."""
_REPORT_SECONDS = 0.5
"""From one report to the next, where the best move stays the same."""
_LAST_SECONDS = 5.0
"""For a search under way when the interpreter ends."""


class Brain(NamedTuple):
    """What a search thinks with."""

    name: str
    """Where it comes from, for people to read."""
    evaluator: Evaluator
    """It takes as many positions at a time as ``config.leaves``."""
    config: SearchConfig
    """Its simulations and its root play no part: the root here is always PUCT's, which may be stopped at any time, with
    an exploration of its own above nodes that are searched by Gumbel's rule."""
    planes_history: int
    """Positions of the past that the evaluator sees, the newest among them."""


class Report(NamedTuple):
    """What a search knows at some time."""

    lines: list[Line]
    """The best first; never empty."""
    depth: int = 0
    """The most moves that the principal variation has had so far."""
    deepest: int = 0
    """The longest path that was searched, in plies; never less than ``depth``."""
    nodes: int = 0
    """Simulations of this search."""
    seconds: float = 0.0
    """Since it began."""
    full: float = 0.0
    """How full the memory of the tree is, 0 to 1."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A position to think about, and whom to tell; the two functions are called from the thinking thread."""

    board: Board
    """The game so far; it is left alone from now on."""
    report: Callable[[Report], None]
    """Called whenever there is news."""
    answer: Callable[[Report, Exception | None], None]
    """Called once, at the end: the first action of the first line is the move to play. With it comes what broke the
    search, if something did; the move is then the best one known before, or any."""
    only: Sequence[int] = ()
    """The legal actions to choose from; none = all."""
    num_lines: int = 1
    """How many moves a report compares."""
    temperature: float = 0.0
    """Where positive, the move is drawn by visits ^ (1 / temperature)."""


class Thinker:
    """Searches one position after another, one at a time, and keeps what it has found below the moves played.

    One thread calls its methods; the search has another one.

    Args:
        num_bytes: memory for the tree, about; only used as the tree grows.
        seed: of the choice of moves at a temperature.

    Raises:
        MemoryError: there is not as much.
    """

    def __init__(self, game: Game, brain: Brain, num_bytes: int, seed: int = 0) -> None:
        self.game, self.brain = game, brain
        config = dataclasses.replace(brain.config, root="puct", simulations=_MOST_CHUNK)
        if config.interior == "gumbel" and config.c_scale >= 1.0:  # then the exploration is the root's alone
            config = dataclasses.replace(config, c_init=_ROOT_EXPLORATION)
        room = room_of(game, num_bytes)
        self._search = Search(game, config, 1, brain.planes_history, keep=True, room=room)
        self._rng = np.array([seed], np.uint64)
        self._only: list[int] = []  # the moves that the root of the tree has been restricted to
        self._idle = threading.Event()  # that no search is under way: set by its thread, as the last thing that does
        self._idle.set()
        self._order = (SearchLimits(), 0.0)  # how long to search, and since when that counts
        self._stopped = False
        self._told = threading.Event()  # that one of these two has changed
        self._last = Report([])
        _thinkers.add(self)

    def start(self, task: Task, limits: SearchLimits) -> None:
        """Begin to think. A search under way is stopped first, and gives its answer."""
        self.stop()
        self.wait()
        self._stopped, self._order = False, (limits, time.perf_counter())
        self._told.clear()
        thread = threading.Thread(target=self._think, args=(task,), name="thinker", daemon=True)
        self._idle.clear()
        try:
            thread.start()
        except RuntimeError:  # there are too many threads
            self._idle.set()
            raise

    def follow(self, limits: SearchLimits) -> None:
        """Give the search under way other limits; their time begins now."""
        self._order = (limits, time.perf_counter())
        self._told.set()

    def stop(self) -> None:
        """Let the search under way answer as soon as it can; without one, nothing happens."""
        self._stopped = True
        self._told.set()

    def ask(self, board: Board, limits: SearchLimits, num_lines: int = 1, temperature: float = 0.0) -> Report:
        """Think, and wait for the answer. Ctrl-C, or what broke the search, is raised here once the thread is done."""
        answers: list[tuple[Report, Exception | None]] = []

        def answer(report: Report, broken: Exception | None) -> None:
            answers.append((report, broken))

        try:  # the thread may run already when Ctrl-C breaks off its start
            self.start(Task(board, _ignore, answer, num_lines=num_lines, temperature=temperature), limits)
            while not self.wait(0.1):  # on Windows no Ctrl-C ends a longer wait
                pass
        finally:
            self.stop()
            self.wait()
        report, broken = answers[0]
        if broken is not None:
            raise broken
        return report

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until no search is under way, or so long; whether none is.

        The thread itself is not asked: up to Python 3.12 one has ended, it says, whose ``join`` Ctrl-C has broken off.
        """
        return self._idle.wait(seconds)

    def forget(self) -> None:
        """Another game begins: what was found so far is of no use. Waits for a search under way."""
        self.wait()
        self._search.forget()

    def warm_up(self) -> None:
        """Compile, or load, all that a search needs, and take its memory: nothing of that costs time on the clock."""
        self.wait()
        self._search.touch(_AT_HAND)
        board, search = Board(self.game), self._search
        board.play(board.legal[0])
        self._run(Task(board, report=_ignore, answer=_ignore), 1, temperature=1.0)
        self._run(Task(board, report=_ignore, answer=_ignore, only=board.legal[:1]), 1)
        self.game.winning_action(search.states, 0, 0, 1, 0, search.tree.legal)
        for_parent(0)
        search.forget()

    # --- on the thinking thread --------------------------------------------------------------------------------------

    def _think(self, task: Task) -> None:
        """Search, wait where the answer must wait, answer."""
        try:
            broken = self._try(task)
            while self._is_waiting():
                self._told.wait()
                self._told.clear()
            task.answer(self._last, broken)
        finally:
            self._idle.set()

    def _try(self, task: Task) -> Exception | None:
        """Search; what broke it, if something did."""
        self._last = _before_search(task)
        try:
            if task.board.legal:
                self._search_on(task)
            if self._is_waiting():
                task.report(self._last)
        except Exception as error:  # whatever it was: the client waits for a move
            self._search.forget()
            return error
        return None

    def _is_waiting(self) -> bool:
        return self._order[0].infinite and not self._stopped

    def _search_on(self, task: Task) -> None:
        """Run chunk after chunk until the limits say that it is enough, or nothing is left to search."""
        search, began = self._search, time.perf_counter()
        told_at, chunk, known = -_REPORT_SECONDS, 1, None
        search.tree.depth.fill(0)
        while True:
            result = self._run(task, chunk)
            known = int(search.tree.begun[0]) if known is None else known  # visits that an earlier search has left
            now = time.perf_counter()
            best = self._last.lines[0].actions[0]
            self._last = report = self._read(task, result, known, now - began)
            if self._is_enough(report, now) or not (spare := search.spare(0)):
                break
            if report.seconds - told_at >= _REPORT_SECONDS or report.lines[0].actions[0] != best:
                task.report(report)
                told_at = report.seconds
            chunk = min(self._next_chunk(report, now), 2 * chunk, spare)
        if task.temperature > 0.0:
            result = self._run(task, 0, task.temperature)
            self._last = self._read(task, result, known, self._last.seconds)

    def _run(self, task: Task, simulations: int, temperature: float = 0.0) -> SearchResult:
        """So many more simulations; none = only choose a move."""
        only = sorted(task.only)
        if only != self._only:
            self._search.forget()
            self._only = only
        return self._search.run(
            task.board.history,
            task.board.games,
            self.brain.evaluator,
            self._rng,
            temperatures=np.array([temperature]),
            simulations=simulations,
            only=np.array(only, np.uint16) if only else None,
            leaves=max(self._order[0].nodes // _NODES_A_LEAF, 1) if self._order[0].nodes else self.brain.config.leaves,
            enough=self._is_late if simulations > 1 else None,
        )

    def _read(self, task: Task, result: SearchResult, known: int, seconds: float) -> Report:
        search, tree = self._search, self._search.tree
        value, draw = map(float, result.values[0])
        lines = lines_of(search, int(result.actions[0]), value, draw, task.num_lines)
        depth = max(self._last.depth, len(lines[0].actions))
        return Report(
            lines,
            depth,
            deepest=max(self._last.deepest, depth, int(tree.depth.max())),
            nodes=int(tree.nodes[0, 0]["visits"]) - known,
            seconds=seconds,
            full=float(max(tree.num_nodes[0] / tree.nodes.shape[1], tree.num_edges[0] / tree.edges.shape[1])),
        )

    def _is_enough(self, report: Report, now: float) -> bool:
        """Whether the search is to end: told so, nothing left to find out, or a limit reached."""
        if self._stopped or self._search.tree.nodes[0, 0]["proven"] != 0:
            return True
        limits, since = self._order
        if limits.infinite:  # then the answer waits, but for a number of nodes the search does not
            return 0 < limits.nodes <= report.nodes
        left = (limits.soft if is_settled(self._search) else limits.hard) - (now - since)
        return (
            left <= 0.0
            or 0 < limits.nodes <= report.nodes
            or 0 < limits.depth <= report.depth
            or 0 < report.lines[0].plies <= limits.mate
            or (limits.saving and lead(self._search) > left * _most_speed(report))
        )

    def _is_late(self) -> bool:
        """Whether the search is to end in the middle of a chunk: its time was misjudged, or a stop has come."""
        limits, since = self._order
        return self._stopped or (not limits.infinite and time.perf_counter() - since >= limits.hard)

    def _next_chunk(self, report: Report, now: float) -> int:
        """How many simulations fit into the time until somebody must look at the clock again; at least one."""
        limits, since = self._order
        seconds = min(_CHUNK_SECONDS, max(limits.hard - (now - since), 0.0))
        chunk = max(min(int(_speed(report) * seconds), _MOST_CHUNK), 1)
        return min(chunk, max(limits.nodes - report.nodes, 1)) if limits.nodes else chunk


def _speed(report: Report) -> float:
    """Simulations a second."""
    return report.nodes / max(report.seconds, 1e-6)


def _most_speed(report: Report) -> float:
    """Simulations a second at the most; the first ones, of which few are evaluated together, say little of the rest."""
    return _speed(report) if report.seconds >= 2 * _CHUNK_SECONDS else 1e9


def _before_search(task: Task) -> Report:
    """What is known without one: some move to play, if there is any."""
    board = task.board
    if board.legal:
        return Report([Line([(task.only or board.legal)[0]], 0.0, 0.0)])
    return Report([Line([], board.value, float(board.value == 0.0))])


def _ignore(*_: object) -> None:
    """Nobody is told."""


_thinkers: "weakref.WeakSet[Thinker]" = weakref.WeakSet()


@atexit.register
def _let_all_finish() -> None:
    """A search that is in native code when the interpreter ends would abort the process."""
    with contextlib.suppress(KeyboardInterrupt):
        for thinker in list(_thinkers):
            thinker.stop()
            thinker.wait(_LAST_SECONDS)
