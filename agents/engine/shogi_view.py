"""Shogi for the eye: the board in kanji or in letters, both hands, moves as people write them, endings as sentences."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.engine.views import Format
from games.shogi import Ending, ShogiGame, decode, in_check, read_csa, read_kif, write_csa, write_kif
from games.shogi.japanese import from_japanese, from_western, to_japanese, to_western
from games.shogi.sfen import (
    KANJI,
    SIDES,
    WHITE,
    hand_text,
    hands_of,
    kanji_number,
    piece_letter,
    pieces_of,
    square_name,
)
from games.shogi.tables import KING
from games.shogi.usi import from_text, origin
from rlcore.jit import Row

__all__ = ["ShogiView"]

# Numbers of the 256 terminal colours: light wood, on which both sides' pieces stand out by a contrast of 4.5 or more.
_WOOD, _MOVED, _CHECK = 180, 222, 209
_BLACK_PIECE, _WHITE_PIECE = 16, 18

_BIG = (5, 6, 13, 14)
"""Codes of bishop and rook, promoted or not: in a declaration they count 5 points."""


def _read_csa(data: bytes) -> Iterator[ShogiGame]:
    return read_csa(decode(data))


def _read_kif(data: bytes) -> Iterator[ShogiGame]:
    return read_kif(decode(data))


@dataclass(frozen=True)
class ShogiView:
    """How shogi looks in a terminal: pieces that point down have a ``v`` before them, White's letters are small."""

    colour: bool
    """A wooden board, the last move and a check marked by colour; else the last move by brackets or stars."""
    ascii: bool
    """Letters for pieces, and moves in Western notation."""

    sides = SIDES
    glyphs = KANJI + "▲△７"
    special = "8h2b+ promotes, P*5e drops"
    square = "7f"
    notation = "sfen"
    above, ranks = 1, 9
    numbers = 2
    draws = "sennichite, the fourth repetition, needs no claim"
    formats = (
        Format("csa", write_csa, _read_csa),
        Format("kif", write_kif, _read_kif),
        Format("kifu", write_kif, _read_kif),
    )

    @property
    def examples(self) -> str:
        """Of moves."""
        return "7g7f or P-7f" if self.ascii else "7g7f, P-7f or ７六歩"

    def draw(self, state: Row, last: Sequence[int], turned: bool) -> list[str]:
        """The board as lines of text.

        Args:
            last: the squares of the last move, see ``squares_of``.
            turned: White's side below.
        """
        board = pieces_of(state)
        king = board.index(int(KING) + WHITE * int(state["turn"])) if in_check(state) else -1
        order = range(8, -1, -1) if turned else range(9)
        gap = "" if self.colour and not self.ascii else " "
        lines = ["".join(f"{9 - column:>3}{gap}" for column in order)]
        for row in order:
            squares = range(9 * row, 9 * row + 9)[:: -1 if turned else 1]
            cells = [
                self._cell(square, self._piece(board[square], turned), board[square], last, king) for square in squares
            ]
            name = square_name(9 * row)[1] if self.ascii else f"{kanji_number(row + 1)}{square_name(9 * row)[1]}"
            lines.append("".join(cells) + ("\x1b[0m" if self.colour else "") + f" {name}")
        return lines

    def _cell(self, square: int, text: str, piece: int, last: Sequence[int], king: int) -> str:
        """One square, four columns wide, or three where kanji stand on colours."""
        if not self.colour:
            if square not in last:
                return f"{text} "
            return f"[{text[1:]}]" if self.ascii else f"{text}*"
        ground = _CHECK if square == king else _MOVED if square in last else _WOOD
        paint = _WHITE_PIECE if piece > WHITE else _BLACK_PIECE
        return f"\x1b[48;5;{ground};38;5;{paint}m{text}{' ' * self.ascii}"

    def _piece(self, piece: int, turned: bool) -> str:
        """Three columns: a piece, or an empty square."""
        if self.ascii:
            return f"{piece_letter(piece):>3}"
        if self.colour and not piece:
            return "   "
        return " v"[piece > 0 and (piece > WHITE) != turned] + KANJI[piece % WHITE]

    def captures(self, state: Row) -> tuple[str, str]:
        """Black's and White's hand."""
        black, white = (hand_text(hand, self.ascii) for hand in hands_of(state))
        return f"{SIDES[0]}: {black}", f"{SIDES[1]}: {white}"

    def squares_of(self, state: Row, action: int) -> tuple[int, ...]:
        """From where to where an action goes in the position that it is played in, a drop only to where; 9a = 0."""
        squares = [square for square in (origin(state, action), int(action) % 81) if square < 81]
        return tuple(80 - square if state["turn"] else square for square in squares)

    def read_move(self, state: Row, text: str, previous: int | None) -> int:
        """The action of a move in USI, whose letters may be small or not, in Western or in Japanese notation.

        Raises:
            BadMove: there is no such move here; says why.
        """
        if re.fullmatch(r"[1-9][a-i][1-9][a-i]\+?", text.lower()):
            return from_text(state, text.lower())
        if not text.isascii():
            return from_japanese(state, text, previous)
        if re.fullmatch(r"[plnsbrg]\*[1-9][a-i]", text.lower()):
            return from_text(state, text[0].upper() + text[1:].lower())
        return from_western(state, text)

    def name_move(self, state: Row, action: int, previous: int | None) -> str:
        """The action in Japanese, in Western notation where only letters can be shown."""
        return to_western(state, action) if self.ascii else to_japanese(state, action, previous)

    def move_number(self, state: Row) -> tuple[int, int]:
        """The odd number of the pair of moves to come, and how many of the two were played.

        That is not whose move it is: White plays the first move of a handicap game.
        """
        ply = int(state["ply"])
        return ply - ply % 2 + 1, ply % 2

    def why_not_declare(self, state: Row) -> str:
        """What the rule of 27 points (``games.shogi.can_declare``) asks for that is not there."""
        side = int(state["turn"])
        camp = pieces_of(state)[54:] if side else pieces_of(state)[:27]
        own = [piece % WHITE for piece in camp if piece and (piece > WHITE) == side]
        hand = [kind for kind, count in enumerate(hands_of(state)[side]) for _ in range(count)]
        points = sum(5 if code in _BIG else 1 for code in own + hand) - 1
        if int(KING) not in own:
            return "your king is not in the opponent's camp"
        if in_check(state):
            return "your king is in check"
        if len(own) <= 10:
            return f"beside your king {len(own) - 1} pieces stand in the opponent's camp, and ten must"
        return f"you have {points} points in the opponent's camp and in hand, and need {28 - side}"

    def reason(self, ending: int) -> str:
        """Why the game is over, as the beginning of a sentence."""
        return {
            Ending.CHECKMATE: "Checkmate",
            Ending.STALEMATE: "No legal move",
            Ending.REPETITION: "The same position for the fourth time (sennichite)",
            Ending.PERPETUAL_CHECK: "Perpetual check, the same position for the fourth time",
            Ending.DECLARATION: "The king has entered the opponent's camp with enough pieces (declaration)",
            Ending.RESIGNATION: "Resignation",
            Ending.TIME: "The time is up",
            Ending.AGREEMENT: "Agreement",
        }.get(Ending(ending), Ending(ending).name.lower().replace("_", " "))
