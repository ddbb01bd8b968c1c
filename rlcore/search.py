"""Batched tree search: one tree a game, all trees one simulation further a wave, one evaluation batch a wave.

    select   (rlcore.tree)       every tree walks down to a leaf
    step     (the game's kernel) the leaf's position, legal actions, ending, packed planes
    evaluate (the evaluator)     priors of the legal actions, value
    expand   (rlcore.tree)       edges of the new nodes
    backup   (rlcore.tree)       means and visits along the paths

Before the first wave a root gets its noise; after the last it says what to play and what to learn (rlcore.roots).
"""

import math
import time
from typing import NamedTuple

import numpy as np

from rlcore import roots
from rlcore import tree as trees
from rlcore.config import SearchConfig
from rlcore.evaluators import Batch, Evaluator, make_batch
from rlcore.game import Game, History
from rlcore.jit import Array

_TIE_BREAK = 1e-3
"""Gumbel noise where none is asked for: priors nearer to each other than a thousandth are alike, and chance decides."""
_ROOTS = {"puct": trees.PUCT, "gumbel": trees.GUMBEL}


class SearchResult(NamedTuple):
    """What a search found at each of its B roots. The arrays are reused by the next search: copy what must stay."""

    actions: Array  # [B] uint16: the action to play
    legal: Array  # [B, MAX_LEGAL] uint16: the legal actions; the first ``counts`` are live
    counts: Array  # [B] int32
    policy: Array  # [B, MAX_LEGAL] float32: the improved policy, the target of training
    visits: Array  # [B, MAX_LEGAL] int32
    values: Array  # [B, 2] float32: mean value and draw probability for the side to move


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


class Search:
    """A search of up to ``num_trees`` positions of one game at a time.

    Two threads may search at once with a ``Search`` each; the kernels run without the GIL. The result depends on the
    positions, the seeds in ``rng`` and the evaluator alone: the same again gives the same visits, bit for bit.
    """

    def __init__(
        self, game: Game, config: SearchConfig, num_trees: int, planes_history: int, max_plies: int = 0
    ) -> None:
        self.game = game
        self.config = config
        self.planes_history = planes_history
        self.max_plies = max_plies
        considered = min(config.considered, config.simulations, game.MAX_LEGAL)
        self.tree = trees.new_tree(num_trees, config.simulations + 1, game.MAX_LEGAL)
        self.states = np.zeros((num_trees, config.simulations + 1), game.STATE)
        self.batch: Batch = make_batch(num_trees, game.layout(planes_history).num_words, game.MAX_LEGAL)
        self.schedule = np.zeros((considered + 1, config.simulations), np.int32)
        for m in range(1, considered + 1):
            self.schedule[m] = halving_schedule(m, config.simulations)
        self.rules = trees.Rules(
            root=_ROOTS[config.root],
            interior=_ROOTS[config.interior],
            exploration=trees.puct_exploration(config.simulations + 1, config.c_init, config.c_base),
            first_play=math.nan if config.first_play is None else config.first_play,
            c_visit=config.c_visit,
            c_scale=config.c_scale,
            considered=considered,
        )
        # Counters that only grow: positions searched, waves, positions evaluated, and where the time went.
        self.searches = self.waves = self.evaluations = 0
        self.seconds = self.evaluator_seconds = 0.0
        self._chosen = np.zeros(num_trees, np.int32)
        self._policy = np.zeros((num_trees, game.MAX_LEGAL), np.float32)
        self._values = np.zeros((num_trees, 2), np.float32)

    def run(
        self,
        history: History,
        games: Array,
        evaluator: Evaluator,
        rng: Array,
        noise: bool = False,
        temperatures: Array | None = None,
    ) -> SearchResult:
        """Search the newest positions of some games and choose an action for each.

        Args:
            games: [B] int32, which games of ``history``; each must have a legal action.
            rng: [G] uint64, a generator a game; those searched are advanced in place.
            noise: explore at the root as training does: Gumbel noise, or Dirichlet noise under PUCT.
            temperatures: [B] float64; where positive the action is drawn by visits ^ (1 / temperature).

        Raises:
            ValueError: a game has no legal action.
        """
        began = time.perf_counter()
        count = len(games)
        tree = self.tree
        tree.rng[:count] = rng[games]
        self._start(history, games, evaluator, noise)
        size = -1  # nothing to take in yet
        for _ in range(self.config.simulations):
            size = self.game.wave(
                tree, self.states, history, games, self.schedule, self.rules,
                self.planes_history, self.max_plies, self.batch, size,
            )  # fmt: skip
            self._evaluate(evaluator, size)
        self._take_in(count, size)
        result = self._result(games, rng, temperatures)
        self.searches += count
        self.seconds += time.perf_counter() - began
        return result

    def _start(self, history: History, games: Array, evaluator: Evaluator, noise: bool) -> None:
        """Evaluate and expand the roots, and draw their noise."""
        count, tree = len(games), self.tree
        trees.reset(tree, count)
        size = self.game.step(tree, self.states, history, games, self.planes_history, self.max_plies, self.batch)
        if not self.batch.counts[:size].all():
            raise ValueError("a position without legal actions cannot be searched")
        self._evaluate(evaluator, size)
        self._take_in(count, size)
        if self.config.root == "gumbel":
            roots.add_gumbel(tree, count, 1.0 if noise else _TIE_BREAK)
        elif noise:
            roots.add_dirichlet(tree, count, self.config.noise_alpha, self.config.noise_weight)

    def _evaluate(self, evaluator: Evaluator, size: int) -> None:
        if size > 0:
            began = time.perf_counter()
            evaluator(self.batch, size)
            self.evaluator_seconds += time.perf_counter() - began
        self.evaluations += size
        self.waves += 1

    def _take_in(self, count: int, size: int) -> None:
        """Expand the evaluated leaves and back all leaves up; ``wave`` does it for every wave but the last."""
        batch = self.batch
        trees.expand(self.tree, size, batch.actions, batch.counts, batch.priors, batch.values)
        trees.backup(self.tree, count, self.game.DISCOUNT)

    def _result(self, games: Array, rng: Array, temperatures: Array | None) -> SearchResult:
        count, tree = len(games), self.tree
        if temperatures is None:
            temperatures = np.zeros(count)
        roots.choose(tree, count, self.rules, temperatures, self._chosen)
        roots.root_policy(tree, count, self.rules, self._policy)
        roots.root_values(tree, count, self._values)
        rng[games] = tree.rng[:count]
        edges = tree.edges[:count, : self.game.MAX_LEGAL]
        return SearchResult(
            actions=edges["action"][np.arange(count), self._chosen[:count]],
            legal=edges["action"],
            counts=tree.nodes["num_edges"][:count, 0],
            policy=self._policy[:count],
            visits=edges["visits"],
            values=self._values[:count],
        )
