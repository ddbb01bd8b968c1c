"""The game contract, its batched kernels, and the record of games in progress.

A game is a module of free jitted functions over one row of a structured array (``STATE``), plus constants:

    STATE           np.dtype      the position and nothing else; it has a uint64 field ``key`` and a field ``turn``
    NUM_ACTIONS     int           actions are the integers below it
    MAX_LEGAL       int           no position has more legal actions
    DISCOUNT        float         a value's factor on its way to the parent: -1 where players alternate, between 0 and 1
                                  where one walks alone (``turn`` is always 0 there; see ``rlcore.alone``)
    init(state, seed)                                   writes a start position
    legal_actions(state, actions) -> n                  fills the buffer, each action once
    apply(state, action)                                plays a legal action in place
    lookback(state) -> plies                            how far back an equal position may lie
    outcome(state, num_legal, earlier, since, max_plies) -> (ending, value)
    may_be_lost(state) -> bool                          never false where ``outcome`` is a loss for the side to move
    position_key(state) -> key                          what ``key`` must be, from scratch
    BOARD, BOARD_WORDS, STEP_BOARDS, STEP_COUNTS, LEAF_COUNTS, COUNT_SCALES        see ``rlcore.planes``
    pack(state, earlier, mover, words)                  one history step as the mover sees it
    pack_leaf(state, words)                             the counts of the newest position
    to_text(state, action), from_text(state, text)      moves as text
    read(state, text), write(state)                     positions as text
    PAST            tuple         names of fields that tell of the moves before; text does not hold them, ``read``
                                  sets them to zero
    write_game(actions, headers, ending, value, start) -> str    a whole game as text, such that texts can follow each
                                  other in a file; headers by PGN's names (Event, Date, White, Black ...), ``start``
                                  a row or None, the usual start position
    FILE_SUFFIX     str           what the name of such a file ends in
    COMMENT         str           what a line begins with that readers of such files pass over, between games too
    show(state)                                         the position as a small picture in text
    Ending          IntEnum       why a game ended, 0 = it goes on; MAX_PLIES, RESIGNATION, TIME and AGREEMENT
                                  among its names
    read_puzzles(lines) -> list                         puzzles with their solutions, where the game has such
    SYMMETRIES      Symmetries    see ``rlcore.symmetry``, where the game has such

Laws, tested for every registered game on random reachable states: no legal action implies an ending; the same row and
action give the same result; actions are distinct and below ``NUM_ACTIONS``; text round trips, but for PAST; packing
leaves the state alone; values lie in [-1, 1], and are -1, 0 or 1 where DISCOUNT is -1; equal positions have equal keys,
equal text but for counters, and equal legal actions; a key kept along the way equals one rebuilt; a symmetry's action
played in its position leads to its image of the next position.

The kernels below are templates: ``load`` binds a copy of each to the game's own functions.
"""

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from rlcore.alone import SETTLED, backup_best, close_edges
from rlcore.bits import prefetch
from rlcore.evaluators import Batch
from rlcore.jit import Array, bind, njit
from rlcore.planes import PlaneLayout
from rlcore.rng import below
from rlcore.tree import EDGE_LOST, WON, Rules, Tree, backup, count_pending, edge_of, expand, new_node, proven_by, select
from rlcore.uct import best_child, uct


class History(NamedTuple):
    """Games in progress: G games of at most L positions each, the newest at ``length - 1``."""

    states: Array  # [G, L] STATE
    earlier: Array  # [G, L] uint8: how often the position stood before in its game
    length: Array  # [G] int32
    keys: Array  # [G, L] uint64: scratch of a search, see ``gather_keys``


def new_history(game: "Game", num_games: int, capacity: int) -> History:
    """Room for games of up to ``capacity`` positions; begin each with ``game.begin``."""
    return History(
        states=np.zeros((num_games, capacity), game.STATE),
        earlier=np.zeros((num_games, capacity), np.uint8),
        length=np.zeros(num_games, np.int32),
        keys=np.zeros((num_games, capacity), np.uint64),
    )


@njit
def gather_keys(history: History, games: Array) -> None:
    """Lay the keys of some games' positions side by side, before every leaf of a search is compared with all of them.

    In a long game of shogi, where any position may come back, that saves a quarter of the search's time.
    """
    for g in games:
        for i in range(history.length[g]):
            history.keys[g, i] = history.states[g, i]["key"]


@njit
def stood_before_root(history: History, g: int, key: np.uint64, plies: int) -> tuple[int, int]:
    """As ``stood_before``, among the positions of game ``g`` before its newest; the keys lie gathered."""
    newest = history.length[g] - 2
    oldest = max(newest + 1 - plies, 0)
    count = 0
    for i in range(oldest, newest + 1):
        count += history.keys[g, i] == key
    first = 0
    if count > 0:
        for i in range(newest, oldest - 1, -1):
            first = i if history.keys[g, i] == key else first
    return count, first


@njit
def stood_before(states: Array, g: int, newest: int, key: np.uint64, plies: int) -> tuple[int, int]:
    """How often ``key`` occurs among the last ``plies`` positions of game ``g`` up to index ``newest``.

    Returns:
        The count, and the index of the earliest occurrence (0 where there is none).
    """
    count, first = 0, 0
    for i in range(newest, max(newest - plies, -1), -1):
        if states[g, i]["key"] == key:
            count += 1
            first = i
    return count, first


_AHEAD = 4
"""How many slots ahead memory is asked for: a batch of trees is larger than a core's cache."""


@njit
def fetch_ahead(tree: Tree, states: Array, s: int) -> None:
    """Ask for what ``step`` and ``expand`` will touch for slot ``s``: parent, new position, new node, new edges."""
    b = tree.owner[s]
    if tree.depth[s] > 0:
        parent = tree.path_nodes[s, tree.depth[s] - 1]
        prefetch(states[b, parent])
        prefetch(states[b, parent + 1])
    leaf = tree.leaf[s]
    prefetch(states[b, leaf])
    first = tree.num_edges[b]
    for e in range(first, min(first + 32, tree.edges.shape[1]), 3):  # 72 bytes: every line, or nearly
        prefetch(tree.edges[b, e])


# --- templates: the names that stand for the game's own functions are resolved by ``bind`` ---------------------------
# mypy: disable-error-code="name-defined"
# ruff: noqa: F821


def begin(history: History, g: int, seed: int | np.int64) -> None:
    """Start game ``g`` anew."""
    init(history.states[g, 0], seed)
    history.earlier[g, 0] = 0
    history.length[g] = 1


def judge(
    history: History, games: Array, max_plies: int, legal: Array, counts: Array, endings: Array, values: Array
) -> None:
    """The legal actions and the outcome of the newest position of some games.

    Args:
        games: [n] int32, which games.
        legal: [n, MAX_LEGAL] uint16 out; counts: [n] int32 out, how many.
        endings: [n] uint8 out; values: [n] float32 out, for the side to move.
    """
    for i in range(games.shape[0]):
        g = games[i]
        newest = history.length[g] - 1
        state = history.states[g, newest]
        num_legal = legal_actions(state, legal[i])
        counts[i] = num_legal
        plies = lookback(state)
        earlier, first = stood_before(history.states, g, newest - 1, state["key"], plies)
        endings[i], values[i] = outcome(state, num_legal, earlier, newest - first, max_plies)


def advance(history: History, games: Array, actions: Array) -> None:
    """Play ``actions[i]`` in game ``games[i]`` ([n] uint16, [n] int32) and append the new positions."""
    for i in range(games.shape[0]):
        g = games[i]
        newest = history.length[g]
        history.states[g, newest] = history.states[g, newest - 1]
        state = history.states[g, newest]
        apply(state, actions[i])
        earlier, _ = stood_before(history.states, g, newest - 1, state["key"], lookback(state))
        history.earlier[g, newest] = min(earlier, 255)
        history.length[g] = newest + 1


def pack_game(history: History, g: int, steps: int, words: Array) -> None:
    """The packed planes of the newest position of game ``g``, with ``steps`` history steps, newest first."""
    newest = history.length[g] - 1
    mover = history.states[g, newest]["turn"]
    for j in range(steps):
        place = words[j * STEP_WORDS : (j + 1) * STEP_WORDS]
        if j <= newest:
            pack(history.states[g, newest - j], history.earlier[g, newest - j], mover, place)
        else:
            place[:] = np.uint64(0)
    pack_leaf(history.states[g, newest], words[steps * STEP_WORDS :])


def rebuild(
    history: History, actions: Array, starts: Array, seeds: Array, plies: Array, steps: int, batch: Batch
) -> None:
    """Positions of recorded games, played again from their start: what the learner samples.

    Args:
        history: one game's room, used as scratch.
        actions: [total] uint16, the moves of all games; game i's begin at ``starts[i]`` ([n] int64).
        seeds: [n] uint64, of ``init``; plies: [n] int32, how many moves to play.
        batch: words, actions and counts of the first n rows are filled.
    """
    for i in range(plies.shape[0]):
        begin(history, 0, np.int64(seeds[i]))
        for p in range(plies[i]):
            history.states[0, p + 1] = history.states[0, p]
            state = history.states[0, p + 1]
            apply(state, actions[starts[i] + p])
            history.earlier[0, p + 1] = 0
            if p + 1 + steps > plies[i]:  # only these are packed
                earlier, _ = stood_before(history.states, 0, p, state["key"], lookback(state))
                history.earlier[0, p + 1] = min(earlier, 255)
        history.length[0] = plies[i] + 1
        pack_game(history, 0, steps, batch.words[i])
        batch.counts[i] = legal_actions(history.states[0, plies[i]], batch.actions[i])


def _pack_leaf_of(tree: Tree, states: Array, history: History, s: int, steps: int, words: Array) -> None:
    """As ``pack_game``, for a leaf: its past is its ancestors in the tree, then the game before the root."""
    b, leaf, depth = tree.owner[s], tree.leaf[s], tree.depth[s]
    before = history.length[b] - 1  # index of the root's position in its game
    mover = states[b, leaf]["turn"]
    pack(states[b, leaf], tree.nodes[b, leaf]["earlier"], mover, words[:STEP_WORDS])
    for j in range(1, steps):
        place = words[j * STEP_WORDS : (j + 1) * STEP_WORDS]
        if j <= depth:
            node = tree.path_nodes[s, depth - j]
            pack(states[b, node], tree.nodes[b, node]["earlier"], mover, place)
        elif j - depth <= before:
            past = before - (j - depth)
            pack(history.states[b, past], history.earlier[b, past], mover, place)
        else:
            place[:] = np.uint64(0)
    pack_leaf(states[b, leaf], words[steps * STEP_WORDS :])


def _seen_on_path(tree: Tree, states: Array, history: History, s: int) -> tuple[int, int]:
    """How often the leaf's position stood before, along the path and then in the game, and plies since the first."""
    b, depth = tree.owner[s], tree.depth[s]
    state = states[b, tree.leaf[s]]
    plies, key = lookback(state), state["key"]
    count, since = 0, 0
    if plies < 2:
        return count, since
    for j in range(1, min(depth, plies) + 1):
        if states[b, tree.path_nodes[s, depth - j]]["key"] == key:
            count += 1
            since = j
    if plies > depth:
        before = history.length[b] - 1
        in_game, first = stood_before_root(history, b, key, plies - depth)
        if in_game > 0:
            count += in_game
            since = depth + before - first
    return count, since


def winning_action(states: Array, b: int, n: int, spare: int, max_plies: int, legal: Array) -> int:
    """The place, among the legal actions of node ``n``, of one after which the opponent has lost; -1 = there is none.

    Repetitions are not looked at: a loss by perpetual check is found by the search alone.

    Args:
        spare: a row of ``states[b]`` to play on; it is left with the position after that action.
        legal: [2, MAX_LEGAL] uint16 scratch.
    """
    for i in range(legal_actions(states[b, n], legal[0])):
        states[b, spare] = states[b, n]
        state = states[b, spare]
        apply(state, legal[0, i])
        if may_be_lost(state):
            ending, value = outcome(state, legal_actions(state, legal[1]), 0, 0, max_plies)
            if ending != 0 and value < 0.0:
                return i
    return -1


def prove_roots(tree: Tree, states: Array, games: Array, rules: Rules, max_plies: int) -> None:
    """Look for a win in one move at the roots of some trees ([n] int32), whatever their priors say.

    Where there is one it is played as a simulation, and proves the root.
    """
    for b in games:
        if tree.nodes[b, 0]["proven"] != 0:
            continue
        leaf = tree.num_nodes[b]
        e = winning_action(states, b, 0, leaf, max_plies, tree.legal)
        if e >= 0:
            e = edge_of(tree, b, tree.legal[0, e])
        if e >= 0:
            node = tree.nodes[b, new_node(tree, b)]
            num_legal = legal_actions(states[b, leaf], tree.legal[1])
            ending, value = outcome(states[b, leaf], num_legal, 0, 0, max_plies)
            node["ending"], node["value"], node["proven"] = ending, value, proven_by(value)
            tree.edges[b, e]["child"] = leaf
            tree.owner[0], tree.depth[0], tree.leaf[0] = b, 1, leaf
            tree.path_nodes[0, 0], tree.path_edges[0, 0] = 0, e
            tree.under_way[0] = 1
            if rules.leaves > 1:
                count_pending(tree, 0, 1)
            backup(tree, DISCOUNT, rules)


def step(tree: Tree, states: Array, history: History, rules: Rules, steps: int, max_plies: int, batch: Batch) -> int:
    """Make the position of every leaf that ``select`` reached, and pack those that need an evaluation.

    A leaf that ends the game gets its ending, its value and, where players alternate, its proven result; the others
    become rows of the batch, in the order of their slots. A root (depth 0) is always searched, whatever ``outcome``
    would say of it. Where the search is wary, a move from the root after which the opponent
    wins at once needs no evaluation.

    Args:
        tree: G trees; states: [G, N + 1] STATE, the position of every node and a spare row; history: their games.
        max_plies: as for ``outcome``.

    Returns:
        The number of rows that await evaluation; ``tree.waiting`` says whose they are.
    """
    size = 0
    for s in range(tree.under_way[0]):
        if s + AHEAD < tree.under_way[0]:
            fetch_ahead(tree, states, s + AHEAD)
        b, leaf, depth = tree.owner[s], tree.leaf[s], tree.depth[s]
        node = tree.nodes[b, leaf]
        if node["ending"] != 0 or node["proven"] != 0:
            continue  # reached before: nothing to make
        legal = batch.actions[size]
        if depth == 0:
            newest = history.length[b] - 1
            states[b, leaf] = history.states[b, newest]
            node["earlier"] = history.earlier[b, newest]
            num_legal = legal_actions(states[b, leaf], legal)
        else:
            states[b, leaf] = states[b, tree.path_nodes[s, depth - 1]]
            state = states[b, leaf]
            apply(state, tree.edges[b, tree.path_edges[s, depth - 1]]["action"])
            earlier, since = _seen_on_path(tree, states, history, s)
            node["earlier"] = min(earlier, 255)
            num_legal = legal_actions(state, legal)
            ending, value = outcome(state, num_legal, earlier, since, max_plies)
            if ending != 0:
                node["ending"] = ending
                node["value"] = value
                node["draw"] = 1.0 if value == 0.0 else 0.0
                if DISCOUNT == -1.0:
                    node["proven"] = proven_by(value)
                continue
            if rules.wary and depth == 1:
                if winning_action(states, b, leaf, tree.num_nodes[b], max_plies, tree.legal) >= 0:
                    node["proven"], node["value"] = WON_IN_ONE, 1.0
                    continue
        batch.counts[size] = num_legal
        tree.waiting[size] = s
        _pack_leaf_of(tree, states, history, s, steps, batch.words[size])
        size += 1
    return size


def wave(
    tree: Tree,
    states: Array,
    history: History,
    games: Array,
    schedule: Array,
    rules: Rules,
    steps: int,
    max_plies: int,
    batch: Batch,
    size: int,
) -> int:
    """All that lies between two evaluations, in one call, as a call costs as much as ten simulations.

    Takes in the ``size`` answers of the wave before, walks the trees of ``games`` to their next leaves and returns how
    many of those await evaluation: none where all leaves ended their games, -1 once all trees are finished.
    """
    expand(tree, size, batch.actions, batch.counts, batch.priors, batch.values)
    if DISCOUNT > 0.0:  # known when this is compiled
        close_edges(tree, states, size, max_plies)
        backup_best(tree, DISCOUNT, rules)
    else:
        backup(tree, DISCOUNT, rules)
    if select(tree, games, schedule, rules) == 0:
        return -1
    return step(tree, states, history, rules, steps, max_plies, batch)


def playout(history: History, g: int, rng: Array, legal: Array) -> int:
    """Play random legal actions in game ``g`` until it ends by the rules or its room in ``history`` is full.

    Args:
        rng: [G] uint64, a generator a game; legal: [MAX_LEGAL] uint16 scratch.

    Returns:
        The plies played.
    """
    begun = history.length[g]
    while history.length[g] < history.states.shape[1]:
        newest = history.length[g] - 1
        state = history.states[g, newest]
        num_legal = legal_actions(state, legal)
        earlier, first = stood_before(history.states, g, newest - 1, state["key"], lookback(state))
        history.earlier[g, newest] = min(earlier, 255)
        ending, _ = outcome(state, num_legal, earlier, newest - first, 0)
        if ending != 0:
            break
        history.states[g, newest + 1] = state
        apply(history.states[g, newest + 1], legal[below(rng, g, num_legal)])
        history.length[g] += 1
    return history.length[g] - begun


def perft(states: Array, actions: Array, leaf: Array, depth: int) -> int:
    """Count the move sequences of a length: move generation's classic test.

    Args:
        states: [>= depth + 1] STATE, the position at ``states[depth]``; the rest is scratch.
        actions: [>= depth + 1, MAX_LEGAL] uint16 scratch; leaf: [MAX_LEGAL] uint16 scratch.
    """
    if depth == 1:
        return legal_actions(states[1], leaf)
    total = 0
    for i in range(legal_actions(states[depth], actions[depth])):
        states[depth - 1] = states[depth]
        apply(states[depth - 1], actions[depth, i])
        if depth == 2:
            total += legal_actions(states[1], leaf)
        else:
            total += perft(states, actions, leaf, depth - 1)
    return total


_TEMPLATES = (
    begin, judge, advance, pack_game, _pack_leaf_of, _seen_on_path, rebuild, winning_action, prove_roots, step,
    close_edges, wave, playout, perft, uct,
)  # fmt: skip


@dataclass(frozen=True)
class Game:
    """A loaded game: its module's contract and the kernels above bound to it, as attributes."""

    name: str
    module: ModuleType
    kernels: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """The game's own names first, then the bound kernels."""
        module, kernels = object.__getattribute__(self, "module"), object.__getattribute__(self, "kernels")
        if name in kernels:
            return kernels[name]
        return getattr(module, name)

    def layout(self, history: int) -> PlaneLayout:
        """How a position with ``history`` steps lies in packed words and in float planes."""
        return PlaneLayout.of(self.module, history)


def bind_game(name: str, module_name: str) -> Game:
    """Import a game's module and bind the templates to it."""
    module = importlib.import_module(module_name)
    namespace: dict[str, Any] = dict(vars(module), np=np, stood_before=stood_before)
    namespace |= {
        "stood_before_root": stood_before_root,
        "fetch_ahead": fetch_ahead,
        "AHEAD": _AHEAD,
        "proven_by": proven_by,
        "below": below,
        "best_child": best_child,
    }
    namespace |= {"select": select, "expand": expand, "backup": backup, "new_node": new_node}
    namespace |= {"backup_best": backup_best, "SETTLED": SETTLED, "EDGE_LOST": EDGE_LOST}
    namespace |= {"count_pending": count_pending, "edge_of": edge_of, "WON_IN_ONE": WON - 1}
    namespace["STEP_WORDS"] = module.STEP_BOARDS * module.BOARD_WORDS + (module.STEP_COUNTS + 7) // 8
    kernels: dict[str, Any] = {}
    for template in _TEMPLATES:
        kernel = bind(template, namespace, module_name)
        namespace[template.__name__] = kernel
        kernels[template.__name__] = kernel
    return Game(name, module, kernels)
