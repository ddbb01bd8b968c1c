"""Forsyth-Edwards Notation: a chess position as one line of text. Read strictly, without python-chess.

Whatever can be wrong with a line has its own sentence (``BadPosition``); whatever is read can be played on by
the kernels of ``games.chess.rules``, which check nothing.
"""

import re

import numpy as np

from games.chess.attacks import in_check, legal_en_passant
from games.chess.moves import legal_actions
from games.chess.rules import MAX_LEGAL, STATE, init, position_key
from games.errors import BadPosition, check_plain, shown
from rlcore.jit import Array

__all__ = ["PIECE_LETTERS", "mirrored", "piece_letters", "read", "square_name", "write"]

PIECE_LETTERS = "PNBRQKpnbrqk"
"""White's pieces, then Black's, in the order of ``_KINDS``."""

_KINDS = ("pawns", "knights", "bishops", "rooks", "queens", "kings")
_MOST_CHARACTERS = 200
_SIDES = ("White", "Black")
_HOME = {"K": (4, 7), "Q": (4, 0), "k": (60, 63), "q": (60, 56)}  # a castling right's king and rook

_MOST_HALF_MOVES = 150
"""After 75 moves of each side without a capture or a pawn move a game is over (FIDE's seventy-five-move rule)."""


def square_name(square: int) -> str:
    """a1 for 0, h8 for 63."""
    return "abcdefgh"[square % 8] + "12345678"[square // 8]


def mirrored(board: int) -> int:
    """A bitboard with its ranks in reverse order."""
    return int.from_bytes(board.to_bytes(8, "little"), "big")


def piece_letters(state: Array) -> list[str]:
    """The FEN letters of what stands on the 64 squares as White sees them, a1 first; ``.`` where empty."""
    letters = ["."] * 64
    turn = int(state["turn"])
    for kind, name in enumerate(_KINDS):
        for side, owner in ((turn, "own"), (1 - turn, "opponent")):
            board = int(state[name]) & int(state[owner])
            for square in range(64):
                if board >> square & 1:
                    letters[square ^ 56 * turn] = PIECE_LETTERS[6 * side + kind]
    return letters


def write(state: Array) -> str:
    """The position as FEN; the en passant square is given only where such a capture is legal."""
    letters, turn = piece_letters(state), int(state["turn"])
    ranks = ["".join(letters[8 * rank : 8 * rank + 8]) for rank in range(7, -1, -1)]
    board = re.sub(r"\.+", lambda empty: str(len(empty[0])), "/".join(ranks))
    rights = "KQkq" if turn == 0 else "kqKQ"
    castling = {right for bit, right in enumerate(rights) if int(state["castling"]) >> bit & 1}
    castling_field = "".join(right for right in "KQkq" if right in castling) or "-"
    passing = int(state["en_passant"])
    passing_field = "-" if passing == 64 else square_name(passing ^ 56 * turn)
    move = int(state["ply"]) // 2 + 1
    return f"{board} {'wb'[turn]} {castling_field} {passing_field} {int(state['fifty'])} {move}"


def read(state: Array, text: str) -> None:
    """Fill the row from a FEN, or from the word ``startpos``. The row is left alone where the text is wrong.

    The two clocks may be missing, as in EPD; a move number of 0 is read as 1. An en passant square that no
    legal capture can use is dropped, so that equal positions have equal keys.

    Raises:
        BadPosition: the text is no position that can be played on; says why, in one sentence.
    """
    if text.strip() == "startpos":
        init(state, 0)
        return
    try:
        row = _parse(text)
    except BadPosition as error:
        raise BadPosition(f"bad FEN: {error}") from None
    for name in STATE.names or ():
        state[name] = row[name]


def _parse(text: str) -> Array:
    check_plain(text, _MOST_CHARACTERS)
    fields = text.split()
    if not fields:
        raise BadPosition("it is empty")
    if len(fields) not in (4, 6):
        raise BadPosition(f"it needs 6 fields, or 4 without clocks, and has {len(fields)}: {shown(text)}")
    board, side, castling, passing, *clocks = fields
    boards = _parse_board(board)
    if side not in ("w", "b"):
        raise BadPosition(f"the side to move is {shown(side)} instead of 'w' or 'b'")
    turn = "wb".index(side)
    _check_pieces(boards)

    row = _placed(boards, turn)
    if in_check(_placed(boards, 1 - turn)):
        raise BadPosition(f"{_SIDES[1 - turn]} is in check, but it is {_SIDES[turn]}'s move")
    rights = _parse_castling(castling, boards)
    row["castling"] = rights if turn == 0 else rights >> 2 | (rights & 3) << 2
    row["en_passant"] = _parse_en_passant(passing, row)
    row["fifty"] = _parse_number(clocks[0], "half-move clock", _MOST_HALF_MOVES) if clocks else 0
    move = _parse_number(clocks[1], "move number", 32768) if clocks else 1
    row["ply"] = 2 * (max(move, 1) - 1) + turn
    row["key"] = position_key(row)
    if (count := legal_actions(row, np.zeros(512, np.uint16))) > MAX_LEGAL:
        raise BadPosition(f"it has {count} legal moves, and no game can reach more than {MAX_LEGAL}")
    return row


def _parse_board(field: str) -> dict[str, int]:
    """The bitboard of each piece letter, as White sees it."""
    boards = dict.fromkeys(PIECE_LETTERS, 0)
    ranks = field.split("/")
    if len(ranks) != 8:
        raise BadPosition(f"the board has {len(ranks)} ranks instead of 8")
    for rank, row in zip(range(8, 0, -1), ranks, strict=True):
        if unknown := re.search(r"[^1-8PNBRQKpnbrqk]", row):
            raise BadPosition(f"rank {rank}, {shown(row)}, has {unknown[0]!r}, which is no piece")
        if re.search(r"\d\d", row):
            raise BadPosition(f"rank {rank}, {shown(row)}, has two numbers in a row")
        squares = re.sub(r"\d", lambda empty: "." * int(empty[0]), row)
        if len(squares) != 8:
            raise BadPosition(f"rank {rank}, {shown(row)}, has {len(squares)} squares instead of 8")
        for file, letter in enumerate(squares):
            if letter != ".":
                boards[letter] |= 1 << 8 * (rank - 1) + file
    return boards


def _check_pieces(boards: dict[str, int]) -> None:
    for name, letters in zip(_SIDES, (PIECE_LETTERS[:6], PIECE_LETTERS[6:]), strict=True):
        pawns, knights, bishops, rooks, queens, kings = (boards[letter].bit_count() for letter in letters)
        if kings != 1:
            raise BadPosition(f"{name} has {kings or 'no'} king{'s' * (kings > 1)}")
        if boards[letters[0]] & 0xFF00_0000_0000_00FF:
            raise BadPosition(f"{name} has a pawn on the first or last rank")
        if pawns > 8:
            raise BadPosition(f"{name} has {pawns} pawns, more than 8")
        if (count := pawns + knights + bishops + rooks + queens + kings) > 16:
            raise BadPosition(f"{name} has {count} pieces, more than 16")
        promoted = max(knights - 2, 0) + max(bishops - 2, 0) + max(rooks - 2, 0) + max(queens - 1, 0)
        if promoted > 8 - pawns:
            raise BadPosition(f"{name} has {pawns + promoted} pawns and promoted pieces, more than 8")


def _placed(boards: dict[str, int], turn: int) -> Array:
    """A row with the pieces alone, seen by one side."""
    row: Array = np.zeros(1, STATE)[0]
    for kind, name in enumerate(_KINDS):
        sides = [boards[PIECE_LETTERS[kind]], boards[PIECE_LETTERS[6 + kind]]]
        if turn == 1:
            sides = [mirrored(sides[1]), mirrored(sides[0])]
        row[name] = sides[0] | sides[1]
        row["own"] |= np.uint64(sides[0])
        row["opponent"] |= np.uint64(sides[1])
    row["turn"], row["en_passant"] = turn, 64
    return row


def _parse_castling(field: str, boards: dict[str, int]) -> int:
    """The rights as bits in the order KQkq."""
    if field == "-":
        return 0
    if re.fullmatch("[KQkqA-Ha-h]+", field) and not re.fullmatch("[KQkq]+", field):
        raise BadPosition(f"the castling rights {shown(field)} are of Chess960, which is not played here")
    if not re.fullmatch("[KQkq]+", field) or len(set(field)) < len(field):
        raise BadPosition(f"the castling rights are {shown(field)} instead of '-' or some of 'KQkq'")
    for right in field:
        king, rook = _HOME[right]
        letters = "KR" if right.isupper() else "kr"
        if not boards[letters[0]] >> king & 1 or not boards[letters[1]] >> rook & 1:
            needs = f"{_SIDES[right.islower()]}'s king on {square_name(king)} and rook on {square_name(rook)}"
            raise BadPosition(f"the castling right {right!r} needs {needs}")
    return sum(1 << "KQkq".index(right) for right in field)


def _parse_en_passant(field: str, row: Array) -> int:
    """The square as the mover sees it; 64 where none is given, or none that a legal capture can use."""
    if field == "-":
        return 64
    if not re.fullmatch("[a-h][1-8]", field):
        raise BadPosition(f"the en passant square is {shown(field)} instead of '-' or a square such as 'e3'")
    square = ("abcdefgh".index(field[0]) + 8 * (int(field[1]) - 1)) ^ 56 * int(row["turn"])
    occupied, prey = int(row["own"]) | int(row["opponent"]), int(row["opponent"]) & int(row["pawns"])
    passed_over = occupied >> square & 1 == 0 and square // 8 == 5 and occupied >> (square + 8) & 1 == 0
    if not passed_over or not prey >> (square - 8) & 1:
        raise BadPosition(f"no pawn can just have passed over the en passant square {field!r}")
    return square if legal_en_passant(row, np.uint64(square)) else 64


def _parse_number(field: str, name: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", field) or int(field) > most:
        raise BadPosition(f"the {name} is {shown(field)} instead of a number from 0 to {most}")
    return int(field)
