"""What the shogi tests share: positions from SFEN, moves as text, games as self-play sees them, the board turned."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

import games
from games.shogi import MAX_LEGAL, Ending, from_text
from rlcore.game import new_history
from rlcore.jit import Array
from tests import game_help

SHOGI = games.load("shogi")
START = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"
HAND = "RBGSNLP"  # in the order of SFEN

both_sides = pytest.mark.parametrize("flip", [False, True], ids=["", "turned"])
"""Runs a test twice; the second time ``flip`` tells it to turn the board and swap the sides."""


position, legal, moves, play, ending = (
    partial(helper, SHOGI)
    for helper in (game_help.position, game_help.legal, game_help.moves, game_help.play, game_help.ending)
)


def game(sfen: str, text: str, max_plies: int = 0) -> Iterator[tuple[Array, Ending, float]]:
    """A game through the kernels that self-play uses: each position with its ending and value, the first one too."""
    line = text.split()
    book = new_history(SHOGI, 1, len(line) + 1)
    book.states[0, 0] = position(sfen)
    book.length[0] = 1
    slot = np.zeros(1, np.int32)
    actions, counts = np.zeros((1, MAX_LEGAL), np.uint16), np.zeros(1, np.int32)
    reasons, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
    for ply in range(len(line) + 1):
        SHOGI.judge(book, slot, max_plies, actions, counts, reasons, values)
        row = book.states[0, ply]
        yield row, Ending(reasons[0]), float(values[0])
        if ply < len(line):
            action = np.array([from_text(row, line[ply])], np.uint16)
            assert action[0] in actions[0, : counts[0]], f"{line[ply]} at ply {ply}"
            SHOGI.advance(book, slot, action)


def endings(sfen: str, text: str, max_plies: int = 0) -> list[tuple[Ending, float]]:
    """Why the game is over, and its value for the side to move, at the start and after each of the moves."""
    return [(reason, value) for _, reason, value in game(sfen, text, max_plies)]


# --- the board turned by 180 degrees and the sides swapped, done on text ---------------------------------------------


def turned(sfen: str) -> str:
    """The same position with Black and White in each other's place."""
    board, turn, hands, number = sfen.split()
    men = "".join(f"+{letter}" if plus else letter for plus, letter in _letters(board)[::-1])
    swapped = hands.swapcase()
    black, white = ("".join(_hand(swapped, side)) for side in (HAND, HAND.lower()))
    return f"{men.swapcase()} {'w' if turn == 'b' else 'b'} {black + white or '-'} {number}"


def _letters(board: str) -> list[tuple[bool, str]]:
    """The characters of a board, each with whether a plus stands before it."""
    return [(before == "+", letter) for before, letter in zip(" " + board, board, strict=False) if letter != "+"]


def _hand(hands: str, letters: str) -> Iterator[str]:
    """One side's men with their numbers, in the given order."""
    counted, number = {}, ""
    for letter in hands.strip("-"):
        if letter.isdigit():
            number += letter
        else:
            counted[letter] = number + letter
            number = ""
    return (counted[letter] for letter in letters if letter in counted)


def turned_moves(text: str) -> str:
    """USI moves, separated by spaces, as the other side plays them on the turned board."""
    squares = str.maketrans("123456789abcdefghi", "987654321ihgfedcba")
    return text.translate(squares)


def sides(sfen: str, text: str, flip: bool) -> tuple[str, str]:
    """A position and moves, turned if ``flip`` says so."""
    return (turned(sfen), turned_moves(text)) if flip else (sfen, text)
