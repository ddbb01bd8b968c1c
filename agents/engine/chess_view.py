"""Chess for the eye: the board in colour or in letters, moves as people write them, endings as sentences."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.engine.views import Format
from games.chess import Ending, PgnGame, from_san, from_text, in_check, read_pgn, to_san, to_text, write_pgn
from games.chess.fen import PIECE_LETTERS, piece_letters
from rlcore.jit import Row

__all__ = ["ChessView"]

_FILLED = dict(zip("PNBRQK", "♟♞♝♜♛♚", strict=True))
_OUTLINED = dict(zip("PNBRQK", "♙♘♗♖♕♔", strict=True))
_FULL_SET = {"P": 8, "N": 2, "B": 2, "R": 2, "Q": 1, "K": 1}

# Numbers of the 256 terminal colours. The squares are mid-tones: white and black pieces both stand out on them, by a
# contrast of 3 or more.
_LIGHT, _DARK = 67, 60
_MOVED_LIGHT, _MOVED_DARK = 136, 94
_CHECK = 160
_WHITE_PIECE, _BLACK_PIECE = 231, 16


def _read_pgn(data: bytes) -> Iterator[PgnGame]:
    """The games of a file: UTF-8, or Latin-1 as the standard of 1994 has it."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return read_pgn(text)


@dataclass(frozen=True)
class ChessView:
    """How chess looks in a terminal."""

    colour: bool
    """Filled glyphs in white and black on coloured squares; else outlined and filled ones, or letters."""
    ascii: bool
    """Letters for pieces, capitals for White."""

    sides = ("White", "Black")
    glyphs = "".join((*_FILLED.values(), *_OUTLINED.values()))
    examples = "e2e4 or Nf3"
    special = "e7e8q or e8=Q promotes"
    square = "e2"
    notation = "fen"
    above, ranks = 0, 8
    numbers = 1
    draws = "threefold repetition and fifty moves need no claim"
    formats = (Format("pgn", write_pgn, _read_pgn),)

    def draw(self, state: Row, last: Sequence[int], turned: bool) -> list[str]:
        """The board as lines of text.

        Args:
            last: the squares of the last move, see ``squares_of``.
            turned: Black's side below.
        """
        letters = piece_letters(state)
        king = letters.index("Kk"[int(state["turn"])]) if in_check(state) else -1
        lines = []
        for rank in range(8) if turned else range(7, -1, -1):
            files = range(7, -1, -1) if turned else range(8)
            cells = [self._cell(8 * rank + file, letters[8 * rank + file], last, king) for file in files]
            lines.append(f" {rank + 1} " + "".join(cells) + ("\x1b[0m" if self.colour else ""))
        names = "hgfedcba" if turned else "abcdefgh"
        return [*lines, "   " + "".join(f" {name} " for name in names)]

    def _cell(self, square: int, letter: str, last: Sequence[int], king: int) -> str:
        """One square, three columns wide."""
        light = (square // 8 + square % 8) % 2 == 1
        if not self.colour:
            empty = "." if self.ascii else "·"
            piece = empty if letter == "." else self._piece(letter)
            return f"[{piece}]" if square in last else f" {piece} "
        ground = _LIGHT if light else _DARK
        if square == king:
            ground = _CHECK
        elif square in last:
            ground = _MOVED_LIGHT if light else _MOVED_DARK
        return self._paint(letter, ground) + (" " if letter == "." else self._piece(letter)) + " "

    def _paint(self, letter: str, ground: int) -> str:
        """A space and what follows it in a piece's colour on some ground."""
        return f"\x1b[48;5;{ground};38;5;{_WHITE_PIECE if letter.isupper() else _BLACK_PIECE}m "

    def _piece(self, letter: str) -> str:
        if self.ascii:
            return letter
        return (_OUTLINED if letter.isupper() and not self.colour else _FILLED)[letter.upper()]

    def captures(self, state: Row) -> tuple[str, str]:
        """Black's and White's missing pieces, pawns first: what White and Black have taken."""
        standing = Counter(piece_letters(state))
        missing = []
        for letters in (PIECE_LETTERS[6:], PIECE_LETTERS[:6]):
            pieces = "".join(self._piece(x) * (_FULL_SET[x.upper()] - standing[x]) for x in letters)
            if pieces and self.colour:
                pieces = f"{self._paint(letters, _DARK)}{pieces} \x1b[0m"
            missing.append(pieces)
        return missing[0], missing[1]

    def squares_of(self, state: Row, action: int) -> tuple[int, int]:
        """From where to where an action goes in the position that it is played in; a1 = 0, h8 = 63."""
        text = to_text(state, action)
        origin, target = ("abcdefgh".index(text[i]) + 8 * (int(text[i + 1]) - 1) for i in (0, 2))
        return origin, target

    def read_move(self, state: Row, text: str, previous: int | None = None) -> int:
        """The action of a move in UCI or SAN; neither needs the move before.

        Raises:
            BadMove: there is no such move here; says why.
        """
        if re.fullmatch("[a-h][1-8][a-h][1-8][nbrq]?", text.lower()):
            return from_text(state, text.lower())
        return from_san(state, text)

    def name_move(self, state: Row, action: int, previous: int | None = None) -> str:
        """The action in SAN."""
        return to_san(state, action)

    def move_number(self, state: Row) -> tuple[int, int]:
        """The number of the move to come, and whose half of it: 0 White, 1 Black."""
        ply = int(state["ply"])
        return ply // 2 + 1, ply % 2

    def why_not_declare(self, state: Row) -> str:
        """Nobody may."""
        return "that is a rule of shogi; in chess you have to checkmate"

    def reason(self, ending: int) -> str:
        """Why the game is over, as the beginning of a sentence."""
        return {
            Ending.CHECKMATE: "Checkmate",
            Ending.STALEMATE: "Stalemate",
            Ending.FIFTY_MOVES: "Fifty moves without a capture or a pawn move",
            Ending.THREEFOLD: "The same position for the third time (threefold repetition)",
            Ending.INSUFFICIENT_MATERIAL: "Insufficient material to checkmate",
            Ending.RESIGNATION: "Resignation",
            Ending.TIME: "The time is up",
            Ending.AGREEMENT: "Agreement",
        }.get(Ending(ending), Ending(ending).name.lower().replace("_", " "))
