"""How long to think: what a client allows for a move, and what follows from it.

A clock of ``time`` t with increment i, for m more moves: each of them may take a share of t + (m - 1) i, less the
``overhead``, what is lost between the two programs at every move. Byoyomi comes on top: it is given anew at every move.
Where several limits are named, the tightest holds.
"""

import math
from dataclasses import dataclass

__all__ = ["Allowance", "SearchLimits", "limits_of"]

MOVES_TO_GO = 30
"""How many more moves a clock must last for, where nobody says."""
_LONGER = 3.0
"""A move that is not settled may take so many times its share."""
_MOST = 0.5
"""... but no more than this part of what is left on the clock, where it is not the last."""
_LEAST = 0.25
"""Of what is left on the clock at least this part is used, whatever the overhead."""
_LEAST_OF_MOVE = 0.9
"""... and this part of a time that is given for the move alone: no clock runs there, and clients leave a margin. Lc0
takes its whole overhead off, Stockfish nothing."""


@dataclass
class Allowance:
    """What a client's ``go`` names. Times in milliseconds; None = not named. Pairs are (moves first, moves second)."""

    time: tuple[int | None, int | None] = (None, None)
    increment: tuple[int | None, int | None] = (None, None)
    byoyomi: int | None = None
    moves_to_go: int | None = None
    move_time: int | None = None
    nodes: int | None = None
    depth: int | None = None
    mate: int | None = None
    """Moves of the side that mates."""
    infinite: bool = False
    """Answer only when told to, as while pondering; not the same as no limit at all."""


@dataclass(frozen=True)
class SearchLimits:
    """When a search ends; whatever comes first. A limit that is not there is infinite, or 0 where it counts."""

    soft: float = math.inf
    """Seconds after which it ends if its best move is settled ..."""
    hard: float = math.inf
    """... and after which it ends in any case."""
    saving: bool = False
    """It ends when nothing can change any more: a clock runs, or at least somebody waits."""
    nodes: int = 0
    """Simulations."""
    depth: int = 0
    """Moves in the principal variation."""
    mate: int = 0
    """A win that is proven to take at most so many plies."""
    infinite: bool = False
    """It goes on until it is told to stop; after that many nodes, and where nothing is left to search, it waits."""


def limits_of(allowed: Allowance, turn: int, overhead: int) -> SearchLimits:
    """The limits of a search by the side ``turn`` (0 moves first); ``overhead`` milliseconds are lost at every move."""
    soft = hard = math.inf
    clock = _own_or_other(allowed.time, turn)
    if clock is not None or allowed.byoyomi is not None:
        increment = _own_or_other(allowed.increment, turn) or 0
        soft, hard = _share(clock or 0, increment, allowed.byoyomi or 0, allowed.moves_to_go, overhead)
    if allowed.move_time is not None:
        move_time = max(_less(allowed.move_time, overhead), _LEAST_OF_MOVE * allowed.move_time)
        soft, hard = min(soft, move_time), min(hard, move_time)
    return SearchLimits(
        soft=soft / 1000.0,
        hard=hard / 1000.0,
        saving=(clock is not None or allowed.byoyomi is not None) and allowed.move_time is None,
        nodes=0 if allowed.nodes is None else max(allowed.nodes, 1),
        depth=0 if allowed.depth is None else max(allowed.depth, 1),
        mate=0 if allowed.mate is None else 2 * max(allowed.mate, 1) - 1,
        infinite=allowed.infinite,
    )


def _own_or_other(pair: tuple[int | None, int | None], turn: int) -> int | None:
    """A side's own number; the other side's where only that is named."""
    return pair[turn] if pair[turn] is not None else pair[1 - turn]


def _share(clock: int, increment: int, byoyomi: int, moves_to_go: int | None, overhead: int) -> tuple[float, float]:
    """A move's share of the time, and the most that it may take; milliseconds."""
    clock, increment, byoyomi = max(clock, 0), max(increment, 0), max(byoyomi, 0)
    moves = MOVES_TO_GO if moves_to_go is None else max(moves_to_go, 1)
    share = _less((clock + (moves - 1) * increment) / moves + byoyomi, overhead)
    most = _less(byoyomi + (clock if moves == 1 else _MOST * clock), overhead)
    return min(share, most), min(_LONGER * share, most)


def _less(time: float, overhead: int) -> float:
    return max(time - overhead, _LEAST * time, 0.0)
