"""Batched tree search: one tree a game, all trees some simulations further a wave, one evaluation batch a wave.

    select   (rlcore.tree)       every tree walks down to a leaf, or several
    step     (the game's kernel) the leaf's position, legal actions, ending, packed planes
    evaluate (the evaluator)     priors of the legal actions, value
    expand   (rlcore.tree)       edges of the new nodes
    backup   (rlcore.tree)       means and visits along the paths

Before the first wave a root gets its noise; after the last it says what to play and what to learn (rlcore.roots).
In play the tree below the moves that were played is kept for the next move (rlcore.reuse).
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rlcore import reuse, roots
from rlcore import tree as trees
from rlcore.config import SearchConfig
from rlcore.evaluators import Batch, Evaluator, make_batch
from rlcore.game import Game, History, gather_keys, new_history
from rlcore.jit import Array, entry

_TIE_BREAK = 1e-3
"""Gumbel noise where none is asked for: priors nearer to each other than a thousandth are alike, and chance decides."""
_KEPT = 3
"""A tree kept from earlier moves may hold this many times what is added for a move; a larger one is grown anew."""
_TYPICAL_LEGAL = 40
"""Legal actions of a position, about: what memory for large trees is counted in."""
_ROOTS = {"puct": trees.PUCT, "gumbel": trees.GUMBEL}


class SearchResult(NamedTuple):
    """What a search found at each of its B roots. The arrays are reused by the next search: copy what must stay."""

    actions: Array  # [B] uint16: the action to play
    legal: Array  # [B, MAX_LEGAL] uint16: the legal actions; the first ``counts`` are live
    counts: Array  # [B] int32
    policy: Array  # [B, MAX_LEGAL] float32: the improved policy, the target of training
    visits: Array  # [B, MAX_LEGAL] int32
    values: Array  # [B, 2] float32: mean value and draw probability for the side to move
    proven: Array  # [B] int16: 0, or the proven result (rlcore.tree.WON, DRAWN)


def halving_schedule(considered: int, simulations: int) -> list[int]:
    """The visits due at each simulation of sequential halving (Danihelka et al. 2022, algorithm 2).

    With m actions left of M considered, each gets max(1, n / (log2(M) m)) visits before half of them are dropped;
    two are kept to the end. At simulation t the search visits an action that has had as many visits as the t-th entry
    says, so the order within a round does not matter.
    """
    if considered <= 1:
        return list(range(simulations))
    rounds = math.ceil(math.log2(considered))
    schedule: list[int] = []
    left, visits = considered, 0
    while len(schedule) < simulations:
        for _ in range(max(1, simulations // (rounds * left))):
            schedule += [visits] * left
            visits += 1
        left = max(2, left // 2)
    return schedule[:simulations]


def _typical_legal(game: Game) -> int:
    return min(_TYPICAL_LEGAL, int(game.MAX_LEGAL))


def room_of(game: Game, num_bytes: int) -> int:
    """The nodes of a tree that fit into some memory, where positions have a typical number of legal actions."""
    edges = _typical_legal(game) * trees.EDGE.itemsize
    return num_bytes // (trees.NODE.itemsize + int(game.STATE.itemsize) + edges)


class Search:
    """A search of the newest positions of some games at a time, tree g for game g.

    Two threads may search at once with a ``Search`` each; the kernels run without the GIL. The result depends on the
    positions, the seeds in ``rng`` and the evaluator alone (and on what was searched before, where trees are kept): the
    same again gives the same visits, bit for bit.

    Args:
        num_trees: games of the history that is searched.
        planes_history: positions of the past that the evaluator sees, the newest among them.
        max_plies: the game's limit, known to the search; 0 = none.
        keep: keep what was found below the moves played, for the next search of the same game by the same evaluator.
            New simulations come on top. For searches without noise.
        wary: see at once after which moves the opponent wins in one (where results are proven). Not for training: when
            nobody blunders, games end late, and it is their ends that teach: of 200 early games 57 ended in checkmate
            instead of 109 (one run each).
        room: nodes of a tree, for those that grow by many runs (``room_of`` says how many fit into some memory); none =
            for what is added for a move and what may be kept before it.
    """

    def __init__(
        self,
        game: Game,
        config: SearchConfig,
        num_trees: int,
        planes_history: int,
        max_plies: int = 0,
        keep: bool = False,
        wary: bool = True,
        room: int | None = None,
    ) -> None:
        self.game = game
        self.config = config
        self.planes_history = planes_history
        self.max_plies = max_plies
        self.alone = game.DISCOUNT > 0.0
        self.keep = keep and not self.alone  # see ``rlcore.alone``
        considered = min(config.considered, config.simulations, game.MAX_LEGAL)
        self._most_leaves = leaves = min(config.leaves, config.simulations)
        if room is None:
            room = config.simulations * (1 + _KEPT * keep) + 1
            num_edges = room * game.MAX_LEGAL
        else:
            room = max(room, config.simulations + 1)
            num_edges = max(room * _typical_legal(game), (config.simulations + 1) * game.MAX_LEGAL)
        self.tree = trees.new_tree(num_trees, room, game.MAX_LEGAL, leaves, num_edges)
        self.states = np.zeros((num_trees, room + 1), game.STATE)  # and a spare row
        words = game.layout(planes_history).num_words
        self.batch: Batch = make_batch(num_trees * leaves, words, game.MAX_LEGAL)
        self.schedule = np.zeros((considered + 1, config.simulations), np.int32)
        for m in range(1, considered + 1):
            self.schedule[m] = halving_schedule(m, config.simulations)
        self.rules = trees.Rules(
            root=_ROOTS[config.root],
            interior=_ROOTS[config.interior],
            exploration=trees.puct_exploration(room, config.c_init, config.c_base),
            first_play=math.nan if config.first_play is None else config.first_play,
            c_visit=config.c_visit,
            c_scale=config.c_scale,
            considered=considered,
            leaves=leaves,
            proven=config.proven and game.DISCOUNT == -1.0,
            wary=wary and config.proven and game.DISCOUNT == -1.0,
        )
        settings = (self.schedule, self.rules, planes_history, max_plies, self.batch)
        examples = (new_history(game, 1, 1), np.zeros(1, np.int32), *settings, 0)
        self._wave_kernel = entry(game.wave, self.tree, self.states, *examples)
        # Counters that only grow: positions searched, waves, positions evaluated, and where the time went.
        self.searches = self.waves = self.evaluations = 0
        self.seconds = self.evaluator_seconds = 0.0
        self._lengths = np.zeros(num_trees, np.int32)  # of the games that the trees were last searched for
        self._pasts = np.zeros(num_trees, np.uint64)
        self._kept = np.zeros(num_trees, np.bool_)
        self._chosen = np.zeros(num_trees, np.int32)
        self._result = SearchResult(
            actions=np.zeros(num_trees, np.uint16),
            legal=np.zeros((num_trees, game.MAX_LEGAL), np.uint16),
            counts=np.zeros(num_trees, np.int32),
            policy=np.zeros((num_trees, game.MAX_LEGAL), np.float32),
            visits=np.zeros((num_trees, game.MAX_LEGAL), np.int32),
            values=np.zeros((num_trees, 2), np.float32),
            proven=np.zeros(num_trees, np.int16),
        )

    def run(
        self,
        history: History,
        games: Array,
        evaluator: Evaluator,
        rng: Array,
        noise: bool = False,
        temperatures: Array | None = None,
        simulations: int | None = None,
        only: Array | None = None,
        leaves: int | None = None,
        enough: Callable[[], bool] | None = None,
    ) -> SearchResult:
        """Search the newest positions of some games and choose an action for each.

        Args:
            games: [B] int32, which games of ``history``; each must have a legal action.
            rng: [G] uint64, a generator a game; those searched are advanced in place.
            noise: explore at the root as training does: Gumbel noise, or Dirichlet noise under PUCT.
            temperatures: [B] float64; where positive the action is drawn by visits ^ (1 / temperature).
            simulations: fewer than the config says, for PUCT roots: sequential halving is planned for all of them.
            only: [m] uint16, the actions that may be played, some of the legal ones. A tree from a search with others
                is to be forgotten first.
            leaves: fewer of one tree a wave than the config says, from now on.
            enough: asked after every evaluation; once it says so, the search ends before it has all its simulations.

        Raises:
            ValueError: a game has no legal action, has not begun, stands twice in the list or is not in the history.
        """
        began = time.perf_counter()
        games = self._checked(history, games)
        assert not (noise and self.keep), "training searches every position afresh"
        tree = self.tree
        tree.under_way[0] = 0  # an evaluator that raised may have left some
        tree.rng[games] = rng[games]
        simulations = self.config.simulations if simulations is None else simulations
        if leaves is not None:
            self.rules = self.rules._replace(leaves=min(leaves, self._most_leaves))
        self._start(history, games, evaluator, simulations)
        if only is not None:
            roots.restrict(tree, games, np.ascontiguousarray(only, np.uint16))
        if self.rules.proven:
            self.game.prove_roots(tree, self.states, games, self.rules, self.max_plies)
        self._add_noise(games, noise)
        trees.begin(tree, games, simulations)
        self._grow(history, games, evaluator, enough=enough)
        result = self._read(games, temperatures)
        rng[games] = tree.rng[games]
        self._lengths[games] = history.length[games]  # now these trees are whole
        self.searches += len(games)
        self.seconds += time.perf_counter() - began
        return result

    def spare(self, g: int) -> int:
        """How many simulations tree ``g`` has room for; a run of more on the same position begins it anew."""
        nodes = self.tree.nodes.shape[1] - 1 - int(self.tree.nodes[g, 0]["visits"])
        edges = self.tree.edges.shape[1] - int(self.tree.num_edges[g])
        return max(min(nodes, edges // self.game.MAX_LEGAL), 0)

    def touch(self, num_bytes: int) -> None:
        """Empty all trees, and write to so much of the memory of each, about.

        Memory is the system's until somebody writes to it, and to get a page may take milliseconds. Where a clock runs,
        a search should not wait for dozens of them.
        """
        self.forget()
        tree, room = self.tree, room_of(self.game, num_bytes)
        tree.nodes[:, :room].view(np.uint8)[:] = 0
        tree.edges[:, : room * _typical_legal(self.game)].view(np.uint8)[:] = 0
        self.states[:, :room].view(np.uint8)[:] = 0
        tree.path_nodes[:, :1] = 0  # a row a leaf, far from each other
        tree.path_edges[:, :1] = 0

    def forget(self) -> None:
        """Begin all trees anew at the next run."""
        self._lengths[:] = 0

    def _checked(self, history: History, games: Array) -> Array:
        """``games`` as the kernels take them, which check nothing themselves. Raises ValueError, see ``run``."""
        games = np.ascontiguousarray(games, np.int32)
        states = history.states
        if states.dtype != self.game.STATE or not states.flags.c_contiguous:
            raise ValueError(f"the history is not one of {self.game.name}, made by new_history")
        if len(games) and not 0 <= games.min() <= games.max() < min(len(self.tree.nodes), len(states)):
            raise ValueError(
                f"there are {min(len(self.tree.nodes), len(states))} games, not one of number {games.max()}"
            )
        if len(np.unique(games)) < len(games) or not (history.length[games] > 0).all():
            raise ValueError("a game stands twice in the list, or has not begun")
        return games

    def _start(self, history: History, games: Array, evaluator: Evaluator, simulations: int) -> None:
        """Give every tree an expanded root: the one it has kept, or a new one."""
        fresh = games
        if self.keep:
            kept, room = self._kept[: len(games)], self.tree.nodes.shape[1] - 1 - simulations
            rows, past = reuse.as_words(self.states), reuse.as_words(history.states)
            reuse.keep(self.tree, rows, past, history.length, games, self._lengths, self._pasts, room, kept)
            kept &= np.array([self.spare(g) >= simulations for g in games], np.bool_)  # nodes fit in; edges may not
            fresh = games[~kept]
        self._lengths[games] = 0
        gather_keys(history, games)
        trees.reset(self.tree, fresh)
        size = self._wave(history, fresh, 0)
        if not self.batch.counts[: max(size, 0)].all():
            raise ValueError("a position without legal actions cannot be searched")
        self._grow(history, fresh, evaluator, size)

    def _add_noise(self, games: Array, noise: bool) -> None:
        if self.config.root == "gumbel":
            roots.add_gumbel(self.tree, games, 1.0 if noise else _TIE_BREAK)
        elif noise:
            roots.add_dirichlet(self.tree, games, self.config.noise_alpha, self.config.noise_weight)

    def _grow(
        self,
        history: History,
        games: Array,
        evaluator: Evaluator,
        size: int | None = None,
        enough: Callable[[], bool] | None = None,
    ) -> None:
        """Waves until every tree has its target; ``size`` rows of the batch are waiting where a wave was begun."""
        if size is None:
            size = self._wave(history, games, 0)
        while size >= 0:
            if size > 0:
                began = time.perf_counter()
                evaluator(self.batch, size)
                self.evaluator_seconds += time.perf_counter() - began
                self.evaluations += size
            self.waves += 1
            if enough is not None and enough():
                self.tree.target[games] = 0  # the leaves under way are the last
            size = self._wave(history, games, size)

    def _wave(self, history: History, games: Array, size: int) -> int:
        """See ``rlcore.game.wave``."""
        return self._wave_kernel(
            self.tree, self.states, history, games, self.schedule, self.rules,
            self.planes_history, self.max_plies, self.batch, size,
        )  # fmt: skip

    def _read(self, games: Array, temperatures: Array | None) -> SearchResult:
        """What the roots say, in the rows of ``games``."""
        count, tree = len(games), self.tree
        if temperatures is None:
            temperatures = np.zeros(count)
        result = SearchResult(*(array[:count] for array in self._result))
        chosen = self._chosen[:count]
        roots.choose(tree, games, self.rules, temperatures, chosen)
        roots.root_policy(tree, games, self.rules, result.policy)
        if self.alone:
            roots.best_root_values(tree, games, result.values)
        else:
            roots.root_values(tree, games, result.values)
        roots.root_edges(tree, games, result.legal, result.visits, result.counts, result.proven)
        result.actions[:] = result.legal[np.arange(count), chosen]
        return result
