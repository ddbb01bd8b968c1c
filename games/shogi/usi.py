"""Moves as USI writes them, and what every other way of writing moves needs: which action is meant, or why none is."""

import re
from typing import Any

import numpy as np

from games.errors import BadMove, shown
from games.shogi.attacks import in_check
from games.shogi.moves import legal_actions
from games.shogi.rules import MAX_LEGAL, apply, origin_of, piece_at
from games.shogi.sfen import LETTERS, NAMES, SIDES, hands_of, square_name, turned
from games.shogi.tables import (
    BISHOP_LINES,
    DIRECTION_BETWEEN,
    DROP,
    GOLD,
    KING,
    KNIGHT,
    LANCE,
    NUM_ACTIONS,
    PAWN,
    PROMOTE,
    RAYS,
    ROOK_LINES,
    STEP_ATTACKS,
    UP2_LEFT,
    UP2_RIGHT,
)
from rlcore.jit import Array

__all__ = ["code_at", "find_drop", "find_move", "from_text", "legal", "origin", "play", "to_text"]

_PROMOTE, _DROP = int(PROMOTE), int(DROP)
_PAWNS, _KNIGHTS, _SILVERS, _GOLDS, _KINGS = STEP_ATTACKS[: 5 * 81].reshape(5, 81, 2)
_NOTHING, _LANCES = RAYS[8 * 81 :], RAYS[:81]
_SEEN = np.stack(
    [_NOTHING, _PAWNS, _LANCES, _KNIGHTS, _SILVERS, BISHOP_LINES, ROOK_LINES, _GOLDS, _KINGS]
    + [_GOLDS] * 4
    + [BISHOP_LINES | _KINGS, ROOK_LINES | _KINGS]
)
"""[15, 81, 2] uint64: what a piece of a code sees from a square of an empty board."""


def to_text(state: Array, action: int) -> str:
    """The action as a USI move: ``7g7f``, ``8h2b+`` or ``P*5e``. Legality is not checked.

    Raises:
        BadMove: the number stands for no move on this board.
    """
    start, target = origin(state, action), int(action) % 81
    mirror = 80 * int(state["turn"])
    if start == 81:
        return f"{LETTERS[int(action) // 81 - _DROP + 1]}*{square_name(abs(mirror - target))}"
    promotes = "+" if int(action) // 81 >= _PROMOTE else ""
    return square_name(abs(mirror - start)) + square_name(abs(mirror - target)) + promotes


def from_text(state: Array, text: str) -> int:
    """The action of a USI move.

    Raises:
        BadMove: the text is no move, or not a legal one here; says which, and why.
    """
    if drop := re.fullmatch(r"([PLNSBRG])\*([1-9][a-i])", text):
        return find_drop(state, LETTERS.index(drop[1]), square_of(drop[2]), text)
    if move := re.fullmatch(r"([1-9][a-i])([1-9][a-i])(\+?)", text):
        return find_move(state, square_of(move[1]), square_of(move[2]), bool(move[3]), text)
    raise BadMove(f"{shown(text)} is not a move: write 7g7f, 8h2b+ to promote, or P*5e to drop")


def square_of(name: str) -> int:
    """0 for 9a, 80 for 1i."""
    return 9 * "abcdefghi".index(name[1]) + 9 - int(name[0])


# --- for all notations --------------------------------------------------------------------------------------


def legal(state: Array) -> Array:
    """The legal actions, [n] uint16."""
    actions = np.zeros(MAX_LEGAL, np.uint16)
    return actions[: legal_actions(state, actions)]


def play(state: Array, action: int) -> None:
    """Play a legal action in place."""
    number: Any = np.uint16(action)  # the type that kernels pass, so that nothing is compiled twice
    apply(state, number)


def code_at(state: Array, square: int) -> int:
    """What stands on a square as the side to move sees it, whoever's it is; 0 where nothing does."""
    index: Any = np.uint64(square)
    return int(piece_at(state, index))


def origin(state: Array, action: int) -> int:
    """The square the moving piece comes from, as the side to move sees it; 81 for a drop.

    Raises:
        BadMove: the number stands for no move on this board.
    """
    if _DROP * 81 <= int(action) < NUM_ACTIONS:
        return 81
    number: Any = np.uint16(int(action) % NUM_ACTIONS)
    start, target = int(origin_of(state, number)), int(number) % 81
    # Where no piece stands on the ray, or a knight would have come from outside, the kernel's answer means nothing.
    if number != int(action) or start > 80 or _direction(start, target) != number // 81 % _PROMOTE:
        raise BadMove(f"action {int(action)} is no move on this board")
    return start


def _direction(start: int, target: int) -> int | None:
    """The direction of the move between two squares as its mover sees it; None where no piece moves so."""
    if _sees(int(KNIGHT), start, target):
        return int(UP2_LEFT if target % 9 < start % 9 else UP2_RIGHT)
    direction = int(DIRECTION_BETWEEN[81 * start + target])
    return direction if direction < 8 else None


def _sees(code: int, start: int, target: int) -> bool:
    """Whether a piece of the side to move goes from a square to another on an empty board."""
    return int(_SEEN[code, start, target // 64]) >> target % 64 & 1 == 1


def find_move(state: Array, start: int, target: int, promotes: bool, text: str) -> int:
    """The legal action from a square to another, both as Black sees them; ``text`` is how the move was written.

    Raises:
        BadMove: there is none; says why.
    """
    if state["turn"]:
        start, target = 80 - start, 80 - target
    if (direction := _direction(start, target)) is not None:
        action = 81 * (direction + _PROMOTE * promotes) + target
        if action in legal(state) and origin(state, action) == start:
            return action
    raise BadMove(f"{shown(text)} is not legal here: {_why_no_move(state, start, target, promotes)}")


def find_drop(state: Array, kind: int, target: int, text: str) -> int:
    """The legal drop of a kind of piece on a square as Black sees it; ``text`` is how the move was written.

    Raises:
        BadMove: there is none; says why.
    """
    action = 81 * (_DROP + kind - 1) + (80 - target if state["turn"] else target)
    if action not in legal(state):
        raise BadMove(f"{shown(text)} is not legal here: {_why_no_drop(state, kind, target, action)}")
    return action


def _why_no_move(state: Array, start: int, target: int, promotes: bool) -> str:
    """What is wrong with a move that is not legal; squares as the side to move sees them."""
    turn, code, direction = int(state["turn"]), code_at(state, start), _direction(start, target)
    here, there = (square_name(80 - square if turn else square) for square in (start, target))
    if code == 0:
        return f"{here} is empty"
    name = ("promoted " if code > KING else "") + NAMES[code if code <= KING else code - 8]
    if not _own(state, start):
        return f"the {name} on {here} is {SIDES[1 - turn]}'s"
    if _own(state, target):
        return f"{SIDES[turn]}'s own piece stands on {there}"
    if direction is None or not _sees(code, start, target):
        return f"a {name} does not move from {here} to {there}"
    if origin(state, 81 * direction + target) != start:
        return f"a piece stands between {here} and {there}"
    if promotes and code >= GOLD:
        return f"a {name} does not promote"
    if promotes and min(start, target) >= 27:
        return "a piece promotes only where it enters, leaves or moves within the last three ranks"
    if not promotes and _is_dead(code, target):
        return f"the {name} could never move again on {there} and must promote"
    return _why_in_check(state)


def _why_no_drop(state: Array, kind: int, target: int, action: int) -> str:
    turn = int(state["turn"])
    there = square_name(80 - target if turn else target)
    if hands_of(state)[turn][kind] == 0:
        return f"{SIDES[turn]} has no {NAMES[kind]} in hand"
    if code_at(state, target):
        return f"{there} is not empty"
    if _is_dead(kind, target):
        return f"a {NAMES[kind]} on {there} could never move"
    if kind == PAWN and any(code_at(state, s) == PAWN and _own(state, s) for s in range(target % 9, 81, 9)):
        return f"{SIDES[turn]} has a pawn on file {there[0]} already"
    after = state.copy()
    play(after, action)
    return _why_in_check(state) if in_check(turned(after)) else "a pawn may not be dropped to mate"


def _why_in_check(state: Array) -> str:
    return f"{SIDES[int(state['turn'])]}'s king would {'stay' if in_check(state) else 'be'} in check"


def _own(state: Array, square: int) -> bool:
    word, bit = (state["low"], square) if square < 64 else (state["high"], square - 64)
    return int(word[4]) >> bit & 1 == 1


def _is_dead(code: int, target: int) -> bool:
    return (code in (PAWN, LANCE) and target < 9) or (code == KNIGHT and target < 18)
