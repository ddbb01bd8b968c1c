"""SFEN, the line of text that USI programs exchange positions in; and the position as a picture. Read strictly.

Whatever can be wrong with a line has its own sentence (``BadPosition``); whatever is read can be played on by
the kernels of ``games.shogi.rules``, which check nothing.

Here and in the other files of text, a board is 81 codes as Black sees it, 9a (square 0) first and 1i (80) last:
0 where empty, a piece code of ``games.shogi.tables`` for Black, 16 more for White. A hand is 8 counts by piece code.
"""

import re
from collections.abc import Sequence

import numpy as np

from games.errors import BadPosition, check_plain, shown
from games.shogi.attacks import in_check
from games.shogi.rules import STATE, init, position_key
from games.shogi.tables import KING, KNIGHT, LANCE, PAWN, PROMOTED
from rlcore.jit import Array

__all__ = [
    "COUNTS",
    "KANJI",
    "LETTERS",
    "NAMES",
    "SIDES",
    "WHITE",
    "Hands",
    "build",
    "hand_text",
    "hands_of",
    "kanji_number",
    "piece_letter",
    "pieces_of",
    "read",
    "show",
    "square_name",
    "turned",
    "write",
]

LETTERS = (".", "P", "L", "N", "S", "B", "R", "G", "K", "+P", "+L", "+N", "+S", "+B", "+R")
"""By piece code."""
KANJI = "・歩香桂銀角飛金玉と杏圭全馬龍"
NAMES = ("nothing", "pawn", "lance", "knight", "silver", "bishop", "rook", "gold", "king")
SIDES = ("Black", "White")
WHITE = 16
"""What is added to the codes of White's pieces."""

COUNTS = (0, 18, 4, 4, 4, 2, 2, 4)
"""How many pieces of each kind there are in all."""

_HAND_ORDER = "RBGSNLP"
_NUMBERS = "〇一二三四五六七八九十"
_MOST_CHARACTERS = 200
_LAST_MOVE = 1 << 16

Hands = tuple[Sequence[int], Sequence[int]]
"""Black's, then White's."""


def square_name(square: int) -> str:
    """9a for 0, 1i for 80."""
    return "987654321"[square % 9] + "abcdefghi"[square // 9]


def pieces_of(state: Array) -> list[int]:
    """The board."""
    planes = [int(low) | int(high) << 64 for low, high in zip(state["low"], state["high"], strict=True)]
    turn, board = int(state["turn"]), [0] * 81
    for square in range(81):
        code = sum((planes[bit] >> square & 1) << bit for bit in range(4))
        if code:
            side = turn if planes[4] >> square & 1 else 1 - turn
            board[80 - square if turn else square] = code + WHITE * side
    return board


def hands_of(state: Array) -> Hands:
    """Black's hand and White's, each 8 counts by piece code."""
    own, opponent = ([0, *int(state[name]).to_bytes(8, "little")[:7]] for name in ("own_hand", "opponent_hand"))
    return (opponent, own) if state["turn"] else (own, opponent)


def write(state: Array) -> str:
    """The position as SFEN."""
    letters = [piece_letter(piece) for piece in pieces_of(state)]
    ranks = "/".join("".join(letters[first : first + 9]) for first in range(0, 81, 9))
    board = re.sub(r"\.+", lambda empty: str(len(empty[0])), ranks)
    held = ""
    for side, hand in enumerate(hands_of(state)):
        for letter in _HAND_ORDER:
            if count := hand[LETTERS.index(letter)]:
                held += (str(count) if count > 1 else "") + (letter.lower() if side else letter)
    return f"{board} {'bw'[int(state['turn'])]} {held or '-'} {int(state['ply']) + 1}"


def piece_letter(piece: int) -> str:
    """``P`` for Black's pawn, ``+p`` for White's promoted one, ``.`` for nothing."""
    return LETTERS[piece - WHITE].lower() if piece > WHITE else LETTERS[piece]


# --- reading ------------------------------------------------------------------------------------------------


def read(state: Array, text: str) -> None:
    """Fill the row from an SFEN, ``sfen`` and an SFEN, or ``startpos``. The row is left alone where the text is wrong.

    The move number may be missing; 0 is read as 1. Hands are read in any order. What the text does not tell, how
    often each side has been giving check, is set to 0.

    Raises:
        BadPosition: the text is no position that can be played on; says why, in one sentence.
    """
    if text.strip() == "startpos":
        init(state, 0)
        return
    try:
        row = _parse(text)
    except BadPosition as error:
        raise BadPosition(f"bad SFEN: {error}") from None
    for name in STATE.names or ():
        state[name] = row[name]


def _parse(text: str) -> Array:
    check_plain(text, _MOST_CHARACTERS)
    fields = text.split()
    if fields[:1] == ["sfen"]:
        del fields[0]
    if not fields:
        raise BadPosition("it is empty")
    if len(fields) not in (3, 4):
        raise BadPosition(f"it needs 4 fields, or 3 without a move number, and has {len(fields)}: {shown(text)}")
    board, side, hands, *number = fields
    codes = _parse_board(board)
    if side not in ("b", "w"):
        raise BadPosition(f"the side to move is {shown(side)} instead of 'b' or 'w'")
    held = _parse_hands(hands)
    move = _parse_number(number[0]) if number else 1
    return build(codes, held, "bw".index(side), max(move, 1) - 1)


def _parse_board(field: str) -> list[int]:
    ranks = field.split("/")
    if len(ranks) != 9:
        raise BadPosition(f"the board has {len(ranks)} ranks instead of 9")
    board: list[int] = []
    for rank, row in zip("abcdefghi", ranks, strict=True):
        if unknown := re.search(r"[^1-9PLNSBRGKplnsbrgk+]", row):
            raise BadPosition(f"rank {rank}, {shown(row)}, has {unknown[0]!r}, which is no piece")
        if stray := re.search(r"\+(?![PLNSBRplnsbr])(.?)", row):
            raise BadPosition(f"rank {rank}, {shown(row)}, has '+' before {shown(stray[1]) if stray[1] else 'nothing'}")
        if re.search(r"\d\d", row):
            raise BadPosition(f"rank {rank}, {shown(row)}, has two numbers in a row")
        squares = re.findall(r"\+?.", re.sub(r"\d", lambda empty: "." * int(empty[0]), row))
        if len(squares) != 9:
            raise BadPosition(f"rank {rank}, {shown(row)}, has {len(squares)} squares instead of 9")
        board += [LETTERS.index(letter.upper()) + WHITE * letter.islower() for letter in squares]
    return board


def _parse_hands(field: str) -> Hands:
    hands = ([0] * 8, [0] * 8)
    for count, letter in re.findall(r"(\d*)(\D?)", field)[:-1] if field != "-" else ():
        if letter.upper() not in _HAND_ORDER or not letter:
            raise BadPosition(f"the hands are {shown(field)} instead of '-' or counts and letters such as 'R2Pb'")
        if not re.fullmatch("([2-9]|1[0-8])?", count):
            raise BadPosition(f"the hands, {shown(field)}, have {shown(count)} before {letter!r}, not 2 to 18")
        side, kind = letter.islower(), LETTERS.index(letter.upper())
        if hands[side][kind]:
            raise BadPosition(f"the hands, {shown(field)}, name {SIDES[side]}'s {NAMES[kind]}s twice")
        hands[side][kind] = int(count or 1)
    return hands


def _parse_number(field: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", field) or int(field) > _LAST_MOVE:
        raise BadPosition(f"the move number is {shown(field)} instead of a number from 0 to {_LAST_MOVE}")
    return int(field)


def build(board: Sequence[int], hands: Hands, turn: int, ply: int = 0) -> Array:
    """The row of a board and hands.

    Raises:
        BadPosition: it is no position that can be played on; says why, in one sentence.
    """
    if len(board) != 81:
        raise BadPosition(f"the board has {len(board)} squares instead of 81")
    _check_kings(board)
    _check_counts(board, hands)
    _check_squares(board)
    row = _placed(board, hands, turn)
    if in_check(_placed(board, hands, 1 - turn)):
        raise BadPosition(f"{SIDES[1 - turn]} is in check, but it is {SIDES[turn]}'s move")
    row["ply"] = ply
    row["key"] = position_key(row)
    return row


def turned(state: Array) -> Array:
    """The same pieces with the other side to move; may be no legal position. Tells whether that side is in check."""
    return _placed(pieces_of(state), hands_of(state), 1 - int(state["turn"]))


def _placed(board: Sequence[int], hands: Hands, turn: int) -> Array:
    """A row with the pieces alone, seen by one side."""
    row: Array = np.zeros(1, STATE)[0]
    planes = [0] * 5
    for square, piece in enumerate(board):
        if piece:
            seen, side, code = 80 - square if turn else square, piece // WHITE, piece % WHITE
            for plane, bit in enumerate((code & 1, code >> 1 & 1, code >> 2 & 1, code >> 3, side == turn)):
                planes[plane] |= bit << seen
    row["low"] = np.array([plane & (1 << 64) - 1 for plane in planes], np.uint64)
    row["high"] = np.array([plane >> 64 for plane in planes], np.uint64)
    for name, side in (("own_hand", turn), ("opponent_hand", 1 - turn)):
        row[name] = sum(count << 8 * (kind - 1) for kind, count in enumerate(hands[side]) if kind)
    row["turn"] = turn
    return row


def _check_kings(board: Sequence[int]) -> None:
    for side, name in enumerate(SIDES):
        if (kings := board.count(int(KING) + WHITE * side)) != 1:
            raise BadPosition(f"{name} has {kings or 'no'} king{'s' * (kings > 1)}")


def _check_counts(board: Sequence[int], hands: Hands) -> None:
    for kind, most in enumerate(COUNTS[1:], start=1):
        pieces = sum(piece % WHITE in (kind, kind + PROMOTED) for piece in board if piece)
        if (count := pieces + hands[0][kind] + hands[1][kind]) > most:
            raise BadPosition(f"there are {count} {NAMES[kind]}s on the board and in hand, more than {most}")


def _check_squares(board: Sequence[int]) -> None:
    """Pieces that could never move again, and two pawns of a side on a file."""
    files = set()
    for square, piece in enumerate(board):
        side, code = divmod(piece, WHITE)
        ahead = 8 - square // 9 if side else square // 9  # ranks before the last one
        if (code in (PAWN, LANCE) and ahead == 0) or (code == KNIGHT and ahead < 2):
            raise BadPosition(f"{SIDES[side]}'s {NAMES[code]} on {square_name(square)} could never move")
        if code == PAWN:
            if (side, square % 9) in files:
                raise BadPosition(f"{SIDES[side]} has two pawns on file {9 - square % 9}")
            files.add((side, square % 9))


# --- for the eye --------------------------------------------------------------------------------------------


def show(state: Array, ascii: bool = False) -> str:
    """The board with coordinates and both hands, Black's side below: as Japanese programs draw it, or in letters."""
    board = pieces_of(state)
    black, white = (hand_text(hand, ascii) for hand in hands_of(state))
    ranks = [board[first : first + 9] for first in range(0, 81, 9)]
    if ascii:
        rows = ["".join(f"{piece_letter(piece):>3}" for piece in rank) for rank in ranks]
        rows = [f"{row}  {name}" for row, name in zip(rows, "abcdefghi", strict=True)]
        files = "".join(f"{file:>3}" for file in range(9, 0, -1))
        return "\n".join([f"White's hand: {white}", "", files, *rows, "", f"Black's hand: {black}"])
    files, edge = "  ９ ８ ７ ６ ５ ４ ３ ２ １", "+" + "-" * 27 + "+"
    rows = ["".join(" v"[piece > WHITE] + KANJI[piece % WHITE] for piece in rank) for rank in ranks]
    rows = [f"|{row}|{_NUMBERS[i]}" for i, row in enumerate(rows, start=1)]
    return "\n".join([f"後手の持駒：{white}", files, edge, *rows, edge, f"先手の持駒：{black}"])


def hand_text(hand: Sequence[int], ascii: bool) -> str:
    """Such as ``R 2P``, or ``飛　歩二``."""
    held = [(kind, hand[kind]) for kind in map(LETTERS.index, _HAND_ORDER) if hand[kind]]
    if ascii:
        return " ".join((str(count) if count > 1 else "") + LETTERS[kind] for kind, count in held) or "-"
    return "　".join(KANJI[kind] + (kanji_number(count) if count > 1 else "") for kind, count in held) or "なし"


def kanji_number(number: int) -> str:
    """二 for 2, 十八 for 18; up to 19."""
    return _NUMBERS[number] if number <= 10 else "十" + _NUMBERS[number - 10]
