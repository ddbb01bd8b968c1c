"""Perft, the classic proof of a move generator: count move sequences of a length, compare with known counts.

Works on any loaded game (``rlcore.game.Game``). The counting itself is the kernel ``perft`` of that module.
"""

import re
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rlcore.jit import Array

if TYPE_CHECKING:
    from rlcore.game import Game

__all__ = ["MOST_PLIES", "Case", "PerftError", "check", "count", "divide", "read_suite", "report", "start"]

MOST_PLIES = 20
_KERNEL_PLIES = 5  # the kernel counts these by itself; above, one can interrupt it between moves


class PerftError(ValueError):
    """A depth out of range, or a suite that cannot be read; says what is wrong, and in which line."""


class Case(NamedTuple):
    """One count of a suite."""

    position: str
    depth: int
    nodes: int
    """How many move sequences of that length there are, as the suite says."""


def start(game: "Game", text: str = "startpos") -> Array:
    """A row with the position written as ``text``; "startpos" is the start position.

    Raises:
        ValueError: the game's own error for a text that is no position.
    """
    states = np.zeros(1, game.STATE)
    if text == "startpos":
        game.init(states[0], 0)
    else:
        game.read(states[0], text)
    row: Array = states[0]
    return row


def count(game: "Game", state: Array, depth: int) -> int:
    """The number of move sequences of ``depth`` plies (1 to 20); the last move is listed, not played."""
    if depth > _KERNEL_PLIES:
        return sum(nodes for _, nodes in divide(game, state, depth))
    states = np.zeros(depth + 1, game.STATE)
    actions = np.zeros((depth + 1, game.MAX_LEGAL), np.uint16)
    leaf = np.zeros(game.MAX_LEGAL, np.uint16)
    states[depth] = state
    return int(game.perft(states, actions, leaf, depth))


def divide(game: "Game", state: Array, depth: int) -> Iterator[tuple[str, int]]:
    """The move sequences by their first move, as (text of the move, count)."""
    states = np.zeros(1, game.STATE)
    actions = np.zeros(game.MAX_LEGAL, np.uint16)
    for action in actions[: game.legal_actions(state, actions)]:
        states[0] = state
        game.apply(states[0], action)
        yield game.to_text(state, action), 1 if depth == 1 else count(game, states[0], depth - 1)


def read_suite(game: "Game", lines: Iterable[str]) -> list[Case]:
    """The counts of a suite: a position a line, as in ``POSITION ;D1 20 ;D2 400``; ``#`` begins a comment.

    Raises:
        PerftError: a line that has another form, a depth out of range, or a position that cannot be read.
    """
    cases = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        position, *counts = (part.strip() for part in text.split(";"))
        if not counts or not all(re.fullmatch("D[0-9]{1,2} +[0-9]{1,18}", part) for part in counts):
            raise PerftError(f"line {number}: expected 'POSITION ;D1 20 ;D2 400', not {text[:60]!r}")
        try:
            start(game, position)
        except ValueError as error:
            raise PerftError(f"line {number}: {error}") from None
        for part in counts:
            depth, nodes = (int(word) for word in part[1:].split())
            if not 1 <= depth <= MOST_PLIES:
                raise PerftError(f"line {number}: the depth is {depth} instead of 1 to {MOST_PLIES}")
            cases.append(Case(position, depth, nodes))
    return cases


def report(game: "Game", position: str, depth: int, by_move: bool) -> int:
    """Print the count of one position, and how many leaves were listed a second; first by move, if so wished.

    Returns:
        The exit status, 0.

    Raises:
        PerftError: the depth is out of range. ValueError: the game's own error for a bad position.
    """
    if not 1 <= depth <= MOST_PLIES:
        raise PerftError(f"the depth is {depth} instead of 1 to {MOST_PLIES}")
    state = start(game, position)
    count(game, state, 2)  # compiles what is timed below
    began = time.perf_counter()
    nodes = 0
    if by_move:
        for move, below in divide(game, state, depth):
            print(f"{move}: {below}", flush=True)
            nodes += below
    else:
        nodes = count(game, state, depth)
    print(f"nodes: {nodes}\nnps: {int(nodes / (time.perf_counter() - began))}")
    return 0


def check(game: "Game", path: Path, max_depth: int) -> int:
    """Compare a suite's counts up to a depth; print each mismatch, and at the end how many agreed.

    Returns:
        The exit status: 1 where a count was wrong, otherwise 0.

    Raises:
        PerftError: the suite cannot be read, or holds nothing to compare.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        cases = [case for case in read_suite(game, lines) if case.depth <= max_depth]
    except OSError as error:
        raise PerftError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PerftError(f"{path} is not UTF-8 text") from None
    except PerftError as error:
        raise PerftError(f"{path}, {error}") from None
    if not cases:
        raise PerftError(f"{path} has no counts of depth 1 to {max_depth}")
    failed = 0
    for done, case in enumerate(cases):
        if sys.stderr.isatty():
            print(f"\r{done} of {len(cases)} ", end="", file=sys.stderr, flush=True)
        found = count(game, start(game, case.position), case.depth)
        if found != case.nodes:
            failed += 1
            print(f"{case.position}: depth {case.depth} has {found}, not {case.nodes}", flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 30 + "\r", end="", file=sys.stderr, flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0
