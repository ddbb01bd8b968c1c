"""CSA: moves, and games as files in the standard format of the Computer Shogi Association, version 2.2.

An ending that has no word of its own is named by a comment before the word that comes closest: after ``'resignation``,
``%+ILLEGAL_ACTION`` means that Black resigned while White was to move. Other programs see a game that Black lost.

Each game of a file is closed by the line ``/``. After the last one cshogi counts an empty game more; python-shogi reads
the first game only.

http://www2.computer-shogi.org/protocol/record_v22.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from games.errors import BadMove, BadPosition, shown
from games.shogi.records import Replay, ShogiGame, lines_of, move_texts, one_line
from games.shogi.rules import Ending
from games.shogi.sfen import COUNTS, SIDES, WHITE, build, hands_of, pieces_of, square_name
from games.shogi.usi import code_at, find_drop, find_move, origin
from rlcore.jit import Array

__all__ = ["from_csa", "read_csa", "to_csa", "write_csa"]

_PIECES = ("*", "FU", "KY", "KE", "GI", "KA", "HI", "KI", "OU", "TO", "NY", "NK", "NG", "UM", "RY")
"""By piece code."""
_LONGEST_LINE = 100_000
_KEYWORDS = {"Event": "EVENT", "Site": "SITE", "Date": "START_TIME", "Opening": "OPENING"}
"""Our headers in CSA's words."""
_SPECIAL_MOVES = {
    (Ending.CHECKMATE, -1): "%TSUMI",
    (Ending.STALEMATE, -1): "%TSUMI",
    (Ending.REPETITION, 0): "%SENNICHITE",
    (Ending.DECLARATION, 1): "%KACHI",
    (Ending.MAX_PLIES, 0): "%HIKIWAKE",  # %MAX_MOVES came with version 3
    (Ending.RESIGNATION, -1): "%TORYO",
    (Ending.TIME, -1): "%TIME_UP",
    (Ending.ILLEGAL_MOVE, -1): "%ILLEGAL_MOVE",
    (Ending.AGREEMENT, 0): "%JISHOGI",
}
"""By ending and value for the side to move. All other draws are %HIKIWAKE, all other losses an illegal action."""
_NAMED = {f"'{ending.name.lower()}": ending for ending in Ending if ending}
"""By the comment before the word."""
_ENDINGS = {
    "%TSUMI": (Ending.CHECKMATE, -1),
    "%TORYO": (Ending.RESIGNATION, -1),
    "%TIME_UP": (Ending.TIME, -1),
    "%ILLEGAL_MOVE": (Ending.ILLEGAL_MOVE, -1),
    "%SENNICHITE": (Ending.REPETITION, 0),
    "%KACHI": (Ending.DECLARATION, 1),
    "%JISHOGI": (Ending.AGREEMENT, 0),
    **dict.fromkeys(("%HIKIWAKE", "%MAX_MOVES"), (Ending.MAX_PLIES, 0)),
    **dict.fromkeys(("%CHUDAN", "%MATTA", "%FUZUMI", "%ERROR"), (Ending.ONGOING, 0)),
}


# --- moves --------------------------------------------------------------------------------------------------


def to_csa(state: Array, action: int, previous: int | None = None) -> str:
    """The action as CSA writes it, such as ``+7776FU``, ``-2288UM`` or ``+0055KA``. Legality is not checked.

    Raises:
        BadMove: the number stands for no move on this board.
    """
    start, target, turn = origin(state, action), int(action) % 81, int(state["turn"])
    direction = int(action) // 81
    code = direction - 19 if start == 81 else code_at(state, start) + (8 if direction >= 10 else 0)
    if code >= len(_PIECES):
        raise BadMove(f"action {int(action)} is no move on this board")
    here, there = ("00" if square == 81 else _digits(80 - square if turn else square) for square in (start, target))
    return "+-"[turn] + here + there + _PIECES[code]


def _digits(square: int) -> str:
    return f"{9 - square % 9}{square // 9 + 1}"


def from_csa(state: Array, text: str) -> int:
    """The action of a CSA move; the sign may be missing.

    Raises:
        BadMove: the text is no move, or not a legal one here; says which, and why.
    """
    move = re.fullmatch(rf"([+-]?)(00|[1-9][1-9])([1-9][1-9])({'|'.join(_PIECES[1:])})", text)
    if move is None:
        raise BadMove(f"{shown(text)} is not a move: write +7776FU, or +0055KA to drop")
    sign, here, there, name = move.groups()
    turn, code = int(state["turn"]), _PIECES.index(name)
    if sign and "+-".index(sign) != turn:
        raise BadMove(f"{text!r} is not legal here: it is {SIDES[turn]}'s move")
    if here == "00":
        if code > 7:
            raise BadMove(f"{text!r} is not legal here: a piece is dropped unpromoted")
        return find_drop(state, code, _square(there), text)
    start = _square(here)
    stands = code_at(state, 80 - start if turn else start)
    if stands and stands != code and stands + 8 != code:
        raise BadMove(f"{text!r} is not legal here: another piece stands on {square_name(start)}")
    return find_move(state, start, _square(there), stands != code, text)


def _square(digits: str) -> int:
    return 9 * int(digits[1]) - int(digits[0])


# --- writing ------------------------------------------------------------------------------------------------


def write_csa(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Array | None = None,
) -> str:
    """A game as CSA, closed by the line ``/``, so that games can be appended to a file.

    Args:
        actions: the moves in order.
        headers: Black, White, Event, Site, Date, Opening, and CSA's own keywords in capitals. Others, such as
            Round, become comments.
        ending: why the game ended, an ``Ending``.
        value: what it is worth for the side to move after the last move: -1, 0 or 1.
        start: the row the game began from; none = the start position. CSA has no move numbers.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    moves, first, last = move_texts(actions, start, to_csa)
    lines = ["V2.2", *_header_lines(headers or {}), *_position_lines(first), "+-"[int(first["turn"])], *moves]
    lines += _end_lines(Ending(ending), (value > 0.0) - (value < 0.0), int(last["turn"]))
    return "\n".join([*lines, "/", ""])


def _end_lines(ending: Ending, result: int, turn: int) -> list[str]:
    """The word for the end; before it, where it has another meaning, the name of ours."""
    if ending == Ending.ONGOING:
        return ["%CHUDAN"]
    if special := _SPECIAL_MOVES.get((ending, result)):
        return [special]
    return [f"'{ending.name.lower()}", f"%{'+-'[turn ^ (result > 0)]}ILLEGAL_ACTION" if result else "%HIKIWAKE"]


def _header_lines(headers: Mapping[str, str]) -> list[str]:
    names, keywords, comments = [], [], []
    for key, content in headers.items():
        # a comma would begin the next statement
        text = one_line(content).replace(",", ";")
        if key in SIDES:
            names.append(f"N{'+-'[SIDES.index(key)]}{text}")
        elif key in _KEYWORDS or re.fullmatch("[A-Z_]+", key):
            text = text.replace(".", "/") if key == "Date" else text
            keywords.append(f"${_KEYWORDS.get(key, key)}:{text}")
        else:
            comments.append(f"'{one_line(key)}: {text}")
    return sorted(names) + keywords + comments


def _position_lines(row: Array) -> list[str]:
    board, hands = pieces_of(row), hands_of(row)
    if board == _even_board() and not any(map(any, hands)):
        return ["PI"]
    cells = [f"{'+-'[piece // WHITE]}{_PIECES[piece % WHITE]}" if piece else " * " for piece in board]
    lines = [f"P{rank + 1}{''.join(cells[9 * rank : 9 * rank + 9])}" for rank in range(9)]
    for sign, hand in zip("+-", hands, strict=True):
        if any(hand):
            lines.append(f"P{sign}" + "".join(f"00{_PIECES[kind]}" * count for kind, count in enumerate(hand)))
    return lines


def _even_board() -> list[int]:
    return pieces_of(Replay().start)


# --- reading ------------------------------------------------------------------------------------------------


def read_csa(source: str | TextIO) -> Iterator[ShogiGame]:
    """The games of a CSA text or open file, one after the other. A game without a position starts as usual.

    ``records.decode`` makes text of a file's bytes, whatever their encoding.

    Raises:
        BadMove: a line or a move cannot be read, or a move is not legal; says in which game and line.
        BadPosition: a game begins from a position that cannot be played on.
    """
    game, number, games = _Reader(), 0, 1
    try:
        for text in lines_of(source):
            number += 1
            if text != "/" and not (game.ending and text.startswith("V")):
                game.read_line(text)
                continue
            if game.is_begun:
                yield game.finish()
                games += 1
            game = _Reader()
        if game.is_begun:
            yield game.finish()
    except (BadMove, BadPosition) as error:
        raise type(error)(f"game {games} of the CSA, line {number}: {error}") from None


class _Reader:
    """One game, line by line."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.position: list[str] = []
        self.replay: Replay | None = None  # none before the first move
        self.ending: tuple[Ending, int] | None = None
        self.named: Ending | None = None  # by the comment just before

    @property
    def is_begun(self) -> bool:
        """Whether there was anything but comments."""
        return bool(self.headers or self.position or self.replay)

    def finish(self) -> ShogiGame:
        ending, value = self.ending or (Ending.ONGOING, 0)
        return self._game().finish(self.headers, ending, float(value))

    def read_line(self, line: str) -> None:
        if not line or line[0] in "'V":
            self.named = _NAMED.get(line)
            return
        if line[0] == "N":
            if line[1:2] not in ("+", "-"):
                raise BadMove(f"{shown(line)} names neither N+ nor N-")
            self.headers[SIDES["+-".index(line[1])]] = line[2:]
        elif line[0] == "$":
            keyword, _, content = line[1:].partition(":")
            names = {name: header for header, name in _KEYWORDS.items()}
            self.headers[names.get(keyword, keyword)] = content
        elif len(line) > _LONGEST_LINE:
            raise BadMove(f"it has {len(line):,} characters, more than {_LONGEST_LINE:,}")
        else:
            for statement in line.partition(",'")[0].removesuffix(",").split(","):
                self._read_statement(statement)

    def _read_statement(self, text: str) -> None:
        if re.match("P[I1-9+-]", text):
            if self.replay is not None:
                raise BadPosition(f"{shown(text)} stands after the position is complete")
            self.position.append(text)
        elif text in ("+", "-"):
            if self.replay is not None:
                raise BadMove(f"{text!r} says for the second time who begins")
            self._game(text)
        elif text[:1] == "%":
            self._read_special_move(text)
        elif text[:1] in ("+", "-"):
            if self.ending is not None:
                raise BadMove(f"the game goes on with {shown(text)} after its end")
            game = self._game(text[0])
            game.play(from_csa(game.row, text))
            self.named = None
        elif not re.fullmatch(r"T[0-9.]*", text):
            raise BadMove(f"{shown(text)} is no statement of CSA")

    def _read_special_move(self, text: str) -> None:
        turn = int(self._game().row["turn"])
        if self.ending is not None:
            raise BadMove(f"{shown(text)} ends the game for the second time")
        if text in ("%+ILLEGAL_ACTION", "%-ILLEGAL_ACTION"):
            self.ending = (Ending.ILLEGAL_MOVE, -1 if "+-".index(text[1]) == turn else 1)
        elif text in _ENDINGS:
            self.ending = _ENDINGS[text]
        else:
            raise BadMove(f"{shown(text)} is no end of a game that can be read")
        if self.named:
            self.ending = (self.named, self.ending[1])

    def _game(self, sign: str = "+") -> Replay:
        """The game, begun where it is not yet; ``sign`` is who begins."""
        if self.replay is None:
            board, hands = _read_position(self.position)
            self.replay = Replay(build(board, hands, "+-".index(sign)))
        return self.replay


def _read_position(statements: list[str]) -> tuple[list[int], tuple[list[int], list[int]]]:
    """Board and hands of the statements P1 to P9, PI, P+ and P-."""
    board, hands = [0] * 81 if statements else _even_board(), ([0] * 8, [0] * 8)
    pair = rf"([0-9]{{2}})({'|'.join(_PIECES[1:])}|AL)"
    for text in statements:
        if text[1].isdigit():
            first = 9 * int(text[1]) - 9
            board[first : first + 9] = _read_rank(text)
            continue
        if not re.fullmatch(rf"(?:{pair})*", text[2:]):
            raise BadPosition(f"{shown(text)} is not made of squares and pieces such as 22KA or 00FU")
        if text[1] == "I":
            board = _even_board()
        for digits, name in re.findall(pair, text[2:]):
            if text[1] == "I":
                _take_away(board, digits, name)
            else:
                _place(board, hands, "+-".index(text[1]), digits, name)
    return board, hands


def _read_rank(text: str) -> list[int]:
    """The nine pieces of a rank; spaces may be missing at its end."""
    if len(text.rstrip()) > 2 + 27:
        raise BadPosition(f"rank {shown(text)} has more than 9 squares")
    return [_cell(cell, text) for cell in re.findall("...", text[2:29].ljust(27))]


def _cell(cell: str, text: str) -> int:
    """The piece of one of the nine parts of a rank."""
    if cell.strip() in ("*", ""):
        return 0
    if cell[0] not in "+-" or cell[1:] not in _PIECES[1:]:
        raise BadPosition(f"rank {shown(text)} has {shown(cell)}, which is no piece")
    return _PIECES.index(cell[1:]) + WHITE * "+-".index(cell[0])


def _take_away(board: list[int], digits: str, name: str) -> None:
    """Remove a piece of a handicap."""
    if "0" in digits or _PIECES[board[_square(digits)] % WHITE] != name:
        raise BadPosition(f"no {name} stands on {digits} that could be taken away")
    board[_square(digits)] = 0


def _place(board: list[int], hands: tuple[list[int], list[int]], side: int, digits: str, name: str) -> None:
    """Put a piece on the board or, from 00, into a hand."""
    if name == "AL":
        if digits != "00":
            raise BadPosition("all that is left (AL) goes to a hand (00)")
        for kind, most in enumerate(COUNTS[1:], start=1):
            used = sum(piece % WHITE in (kind, kind + 8) for piece in board if piece) + hands[1 - side][kind]
            hands[side][kind] = max(most - used, 0)
        return
    code = _PIECES.index(name)
    if digits == "00":
        if code > 7:
            raise BadPosition(f"a {name} cannot be held in a hand")
        hands[side][code] += 1
        return
    if "0" in digits or board[_square(digits)]:
        raise BadPosition(f"{digits} is {'no square' if '0' in digits else 'taken twice'}")
    board[_square(digits)] = code + WHITE * side
