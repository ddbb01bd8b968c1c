"""Chess as text: UCI moves, and by way of python-chess SAN, PGN and EPD; positions are in ``games.chess.fen``.

The only module of the games that imports python-chess, and only where SAN, PGN or EPD is asked for: UCI and FEN
work on machines that lack it.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np

from games.chess.fen import PIECE_LETTERS, piece_letters, read, square_name, write
from games.chess.moves import legal_actions
from games.chess.rules import MAX_LEGAL, STATE, Ending, apply, init
from games.chess.tables import ACTION_OF, NUM_ACTIONS, TARGET_OF
from games.errors import BadMove, BadPosition, BadPuzzle, shown
from rlcore.jit import Array

if TYPE_CHECKING:
    import chess

__all__ = [
    "PgnGame",
    "Puzzle",
    "from_san",
    "from_text",
    "read",
    "read_pgn",
    "read_puzzles",
    "show",
    "to_board",
    "to_san",
    "to_text",
    "write",
    "write_pgn",
]

_FIRST_UNDER_PROMOTION = 64  # of the action planes
_FIGURES = dict(zip(PIECE_LETTERS, "♙♘♗♖♕♔♟♞♝♜♛♚", strict=True))


# --- UCI ----------------------------------------------------------------------------------------------------


def to_text(state: Array, action: int) -> str:
    """The action as a UCI move, such as ``e2e4`` or ``e7e8q``. Legality is not checked.

    Raises:
        BadMove: the number stands for no move on a board.
    """
    number = int(action)
    if not 0 <= number < NUM_ACTIONS or TARGET_OF[number] == 64:
        raise BadMove(f"action {number} is no move on a chess board")
    origin, target, plane = number % 64, int(TARGET_OF[number]), number // 64
    promotion = ""
    if plane >= _FIRST_UNDER_PROMOTION:
        promotion = "nbr"[(plane - _FIRST_UNDER_PROMOTION) % 3]
    elif target >= 56 and int(state["pawns"]) >> origin & 1:
        promotion = "q"
    mirror = 56 * int(state["turn"])
    return square_name(origin ^ mirror) + square_name(target ^ mirror) + promotion


def from_text(state: Array, text: str) -> int:
    """The action of a UCI move.

    Raises:
        BadMove: the text is no move, or not a legal one here; says which.
    """
    if not re.fullmatch("[a-h][1-8][a-h][1-8][nbrq]?", text):
        raise BadMove(f"{shown(text)} is not a move: write e2e4, or e7e8q to promote")
    mirror = 56 * int(state["turn"])
    origin, target = (("abcdefgh".index(text[i]) + 8 * (int(text[i + 1]) - 1)) ^ mirror for i in (0, 2))
    pawns = int(state["pawns"]) & int(state["own"])
    promotes = target >= 56 and origin // 8 == 6 and pawns >> origin & 1 == 1
    if len(text) == 4 and promotes:
        raise BadMove(f"{text!r} is not legal here: say what the pawn becomes, as in {text + 'q'!r}")
    if len(text) == 5 and not promotes:
        raise BadMove(f"{text!r} is not legal here: nothing promotes by this move")
    action = int(ACTION_OF[origin * 64 + target])
    if len(text) == 5 and text[4] != "q":
        side = target - origin - 7  # 0 towards north-west, 1 north, 2 north-east
        action = (_FIRST_UNDER_PROMOTION + 3 * side + "nbr".index(text[4])) * 64 + origin
    # ACTION_OF is 0, a1a2, where no piece at all moves from the origin to the target.
    if action not in _legal(state) or to_text(state, action) != text:
        raise BadMove(f"{text!r} is not legal here")
    return action


def _legal(state: Array) -> Array:
    actions = np.zeros(MAX_LEGAL, np.uint16)
    return actions[: legal_actions(state, actions)]


def _play(state: Array, action: int) -> None:
    number: Any = np.uint16(action)  # the type that kernels pass, so that nothing is compiled twice
    apply(state, number)


# --- SAN ----------------------------------------------------------------------------------------------------


def to_board(state: Array) -> "chess.Board":
    """The position as a python-chess board, without a history."""
    import chess

    return chess.Board(write(state))


def to_san(state: Array, action: int) -> str:
    """The action in standard algebraic notation, such as ``Nf3`` or ``exd8=Q+``.

    Raises:
        BadMove: the action is not legal here.
    """
    text = to_text(state, action)
    if int(action) not in _legal(state):
        raise BadMove(f"{text!r} is not legal here")
    board = to_board(state)
    return board.san(board.parse_uci(text))


def from_san(state: Array, text: str) -> int:
    """The action of a move in standard algebraic notation.

    Raises:
        BadMove: the text is no move, fits several, or is not a legal one here; says which.
    """
    import chess

    try:
        move = to_board(state).parse_san(text)
    except chess.AmbiguousMoveError:
        raise BadMove(f"{shown(text)} could be several moves here") from None
    except chess.IllegalMoveError:
        raise BadMove(f"{shown(text)} is not legal here") from None
    except ValueError:
        raise BadMove(f"{shown(text)} is not a move: write Nf3, exd5, O-O or e8=Q") from None
    return from_text(state, move.uci())


# --- PGN ----------------------------------------------------------------------------------------------------


class PgnGame(NamedTuple):
    """One game of a PGN file; variations and comments are left out."""

    headers: dict[str, str]
    start: Array
    """A row of STATE."""
    actions: Array
    """[plies] uint16"""
    result: str
    """``1-0``, ``0-1``, ``1/2-1/2``, or ``*`` for a game that goes on."""


_TERMINATIONS = {
    Ending.ONGOING: "unterminated",
    Ending.MAX_PLIES: "adjudication",
    Ending.TIME: "time forfeit",
    Ending.ILLEGAL_MOVE: "rules infraction",
}


def write_pgn(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Array | None = None,
) -> str:
    """A game as PGN, ending with an empty line, so that games can be appended to a file.

    Args:
        actions: the moves in order.
        headers: tags such as Event, Date, White, Black. Result, Ending (in our words) and the start position are
            added, and Termination (in PGN's), where it is missing.
        ending: why the game ended, an ``Ending``.
        value: what it is worth for the side to move after the last move: -1, 0 or 1.
        start: the row the game began from; none = the start position.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    import chess
    import chess.pgn

    states = np.zeros(1, STATE)
    row = states[0]
    if start is None:
        init(row, 0)
    else:
        states[0] = start
    game = chess.pgn.Game()
    game.setup(write(row))
    node: chess.pgn.GameNode = game
    for ply, action in enumerate(actions, start=1):
        text = to_text(row, action)
        if int(action) not in _legal(row):
            raise BadMove(f"ply {ply} of the game: {text!r} is not legal there")
        node = node.add_main_variation(chess.Move.from_uci(text))
        _play(row, action)
    reason = Ending(ending)
    for tag, content in (headers or {}).items():
        game.headers[tag] = re.sub(r"\s+|[^\x20-\uffff]", " ", str(content)).replace('"', "'")
    game.headers["Result"] = _result(reason, value, int(row["turn"]))
    game.headers.setdefault("Termination", _TERMINATIONS.get(reason, "normal"))
    game.headers["Ending"] = reason.name.lower()
    return f"{game}\n\n"


def _result(ending: Ending, value: float, turn: int) -> str:
    if ending == Ending.ONGOING:
        return "*"
    if value == 0.0:
        return "1/2-1/2"
    return "1-0" if (value > 0.0) == (turn == 0) else "0-1"


def read_pgn(source: str | TextIO) -> Iterator[PgnGame]:
    """The games of a PGN text or open file, one after the other.

    Raises:
        BadMove: a move cannot be read or is not legal; says in which game.
        BadPosition: a game begins from a position that cannot be read, or is of another variant of chess.
    """
    import chess.pgn

    class Quiet(chess.pgn.GameBuilder[chess.pgn.Game]):
        """Keeps errors for us instead of logging them."""

        def handle_error(self, error: Exception) -> None:
            self.game.errors.append(error)

    handle = io.StringIO(source) if isinstance(source, str) else source
    number = 0
    while (game := chess.pgn.read_game(handle, Visitor=Quiet)) is not None:
        number += 1
        try:
            yield _pgn_game(game)
        except (BadMove, BadPosition) as error:
            raise type(error)(f"game {number} of the PGN: {error}") from None


def _pgn_game(game: "chess.pgn.Game") -> PgnGame:
    headers = dict(game.headers)
    variant = headers.get("Variant", "Standard")
    if variant.lower() not in ("standard", "chess", "normal", "from position"):
        raise BadPosition(f"the variant {shown(variant)} is not played here")
    states = np.zeros(2, STATE)
    start, row = states[0], states[1]
    read(start, headers.get("FEN", "startpos"))
    if game.errors:
        raise BadMove(str(game.errors[0]))
    states[1] = start
    actions = []
    for move in game.mainline_moves():
        actions.append(from_text(row, move.uci()))
        _play(row, actions[-1])
    return PgnGame(headers, start, np.array(actions, np.uint16), headers.get("Result", "*"))


# --- EPD ----------------------------------------------------------------------------------------------------


class Puzzle(NamedTuple):
    """A position in which some moves win by force."""

    name: str
    position: str
    """FEN without clocks."""
    length: int
    """Mate in so many moves of the side to move."""
    solutions: tuple[str, ...]
    """UCI: the first moves that force it."""


_OPERATION = r'([A-Za-z]\w*)((?:\s+(?:"[^"]*"|[^\s";]+))*)\s*;\s*'


def read_puzzles(lines: Iterable[str]) -> list[Puzzle]:
    """The mate puzzles of an EPD file: a position, then ``bm`` (solutions, in SAN), ``dm`` (length) and ``id`` (name).

    Other operations are passed over, and lines that begin with ``#``; without an ``id`` the line's number is the name.

    Raises:
        BadPuzzle: a line has another form, or its position or a move cannot be read; says which and why.
    """
    puzzles = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                puzzles.append(_puzzle(line, f"line {number}"))
            except (BadMove, BadPosition, BadPuzzle) as error:
                raise BadPuzzle(f"line {number}: {error}") from None
    return puzzles


def _puzzle(line: str, name: str) -> Puzzle:
    *fields, rest = [*line.split(maxsplit=4), ""][:5]
    position = " ".join(fields)
    row = np.zeros(1, STATE)[0]
    read(row, position)
    if not re.fullmatch(f"(?:{_OPERATION})*", rest):
        raise BadPuzzle(f"expected 'bm MOVES; dm NUMBER; id \"NAME\";' after the position, not {shown(rest.rstrip())}")
    operations = {opcode: operands.strip() for opcode, operands in re.findall(_OPERATION, rest)}
    if not operations.get("bm"):
        raise BadPuzzle("it has no solution: 'bm' and the moves that mate are missing")
    if not re.fullmatch("[1-9][0-9]?", operations.get("dm", "")):
        raise BadPuzzle("it has no length: 'dm' and the number of moves to mate, 1 to 99, are missing")
    solutions = tuple(to_text(row, from_san(row, move)) for move in operations["bm"].split())
    return Puzzle(operations.get("id", name).strip('"'), position, int(operations["dm"]), solutions)


# --- for the eye --------------------------------------------------------------------------------------------


def show(state: Array, ascii: bool = False) -> str:
    """The board with coordinates, White's side below, in figures or in letters."""
    letters = piece_letters(state)
    lines = []
    for rank in range(7, -1, -1):
        squares = letters[8 * rank : 8 * rank + 8]
        lines.append(f"{rank + 1}  " + " ".join(s if ascii else _FIGURES.get(s, "·") for s in squares))
    return "\n".join([*lines, "", "   a b c d e f g h"])
