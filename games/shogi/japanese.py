"""Moves as people write them: in Japanese (▲７六歩, △同　銀成), and in Hodges' Western notation (P-7f, Sx3d+).

Where several pieces of a kind may go to a square, the Japanese name says which one by its motion, 上 寄 引 (forward,
sideways, back), else by where it comes from, 左 直 右 (the left, straight below, the right), else by both
(https://www.shogi.or.jp/faq/kihuhyouki.html). The Western one gives the square that the piece comes from.
"""

import re
import unicodedata
from collections.abc import Iterable

from games.errors import BadMove, shown
from games.shogi.sfen import LETTERS, NAMES, SIDES, hands_of, square_name
from games.shogi.usi import code_at, find_drop, find_move, legal, origin, square_of, to_text
from rlcore.jit import Array

__all__ = ["JAPANESE_NAMES", "from_japanese", "from_western", "japanese_square", "to_japanese", "to_western"]

JAPANESE_NAMES = ("", "歩", "香", "桂", "銀", "角", "飛", "金", "玉", "と", "成香", "成桂", "成銀", "馬", "龍")
"""By piece code."""
_CODES = {name: code for code, name in enumerate(JAPANESE_NAMES) if name}
_CODES |= {"王": 8, "杏": 10, "圭": 11, "全": 12, "竜": 14}
_RANKS = "一二三四五六七八九"
_MARKS = ("▲☗", "△☖▽")
_DROP = 20 * 81
_BIG = (5, 6, 13, 14)  # bishops and rooks, never called 直
_MOST_CHARACTERS = 30

_JAPANESE = re.compile(
    rf"([▲☗△☖▽]?)(?:([1-9])([1-9{_RANKS}]))?(同?)({'|'.join(sorted(_CODES, key=len, reverse=True))})"
    r"([左直右]?)([上行入寄引]?)(打|成|不成|)(?:\(([1-9][1-9])\))?"
)
_WESTERN = re.compile(r"(\+[PLNSBR]|[PLNSGBRK])([1-9][a-i1-9])?([-x*']?)([1-9][a-i1-9])([+=]?)")


def japanese_square(square: int, previous: int | None) -> str:
    """７六 for a square as Black sees it; 同 and a space where the previous move went there too."""
    if square == previous:
        return "同　"
    return "９８７６５４３２１"[square % 9] + _RANKS[square // 9]


def to_japanese(state: Array, action: int, previous: int | None = None) -> str:
    """The action as Japanese players write it; ``previous`` is the action before, as its mover saw it.

    Raises:
        BadMove: the action is not legal here.
    """
    start, target, code = _legal_move(state, action)
    turn = int(state["turn"])
    square = japanese_square(_turn(state, target), None if previous is None else _turn(state, 80 - int(previous) % 81))
    rivals = _starts(state, _moves_of(state, target, code))
    if start == 81:
        modifier = "打" if rivals else ""
    else:
        modifier = _modifier(code, start, target, rivals) + ("", "成", "不成")[_promotion(action, start, target, code)]
    return "▲△"[turn] + square + JAPANESE_NAMES[code] + modifier


def _modifier(code: int, start: int, target: int, rivals: set[int]) -> str:
    """Which of several pieces it is."""
    if len(rivals) == 1:
        return ""
    motion = _motion(start, target)
    alike = {rival for rival in rivals if _motion(rival, target) == motion}
    if len(alike) == 1:
        return motion
    if code not in _BIG and start % 9 == target % 9:
        return "直"
    for others, suffix in ((rivals, ""), (alike, motion)):
        columns = [rival % 9 for rival in others]
        for side, edge in (("左", min(columns)), ("右", max(columns))):
            if start % 9 == edge and columns.count(edge) == 1:
                return side + suffix
    raise AssertionError("two pieces of a kind with one motion towards a square stand in different columns")


def _motion(start: int, target: int) -> str:
    rows = start // 9 - target // 9
    return "上" if rows > 0 else "引" if rows else "寄"


def from_japanese(state: Array, text: str, previous: int | None = None) -> int:
    """The action of a move in Japanese, in full-width or half-width digits, with or without a mark for the side.

    With the square it comes from, ``７六歩(77)`` as KIF has it, a move without 成 does not promote. Words that say
    more than is needed are believed where they fit and refused where they do not.

    Raises:
        BadMove: the text is no move, fits several, or is not a legal one here; says which.
    """
    plain = "".join(unicodedata.normalize("NFKC", text[: _MOST_CHARACTERS + 1]).split())
    match = _JAPANESE.fullmatch(plain)
    if match is None or len(text) > _MOST_CHARACTERS or not (match[2] or match[4]):
        raise BadMove(f"{shown(text)} is not a move: write ７六歩, ３三角成, ５五銀打 or 同銀")
    mark, file, rank, same, piece, side, motion, ending, came_from = match.groups()
    turn, code = int(state["turn"]), _CODES[piece]
    if mark and mark not in _MARKS[turn]:
        raise BadMove(f"{shown(text)} is not legal here: it is {SIDES[turn]}'s move")
    if same and previous is None:
        raise BadMove(f"{shown(text)} is not legal here: no move went before that 同 could mean")
    before = 80 - int(previous or 0) % 81
    target = _turn(state, _square(file, rank)) if file else before
    if same and target != before:
        raise BadMove(f"{shown(text)} is not legal here: the move before did not go there, as 同 says")
    actions = _moves_of(state, target, code)
    words = side + motion + ending + (came_from or "")
    if ending == "打" or (not actions and code < 8 and not words):
        _check_drop(code, words, text)
        if ending != "打" and not hands_of(state)[turn][code]:
            name = NAMES[code]
            raise BadMove(f"{shown(text)} is not legal here: no {name} moves there, and {SIDES[turn]} has none in hand")
        return find_drop(state, code, _turn(state, target), text)
    actions = _moved_as_said(state, actions, target, side, motion)
    if came_from:
        return _move_from(state, _square(*came_from), actions, target, code, ending == "成", text)
    return _only(state, actions, text, {"成": True, "不成": False}.get(ending), "成 or 不成")


def _check_drop(code: int, words: str, text: str) -> None:
    """Refuse 打 beside words that only a piece on the board could have earned."""
    if code > 7:
        raise BadMove(f"{shown(text)} is not legal here: only an unpromoted piece is dropped, and no king")
    if words not in ("", "打"):
        raise BadMove(f"{shown(text)} is not legal here: a drop comes from nowhere on the board")


def _moved_as_said(state: Array, actions: list[int], target: int, side: str, motion: str) -> list[int]:
    """Those of the actions that the words for where a piece comes from, and how, fit."""
    if motion:
        meant = "上" if motion in "行入" else motion
        actions = [action for action in actions if _motion(origin(state, action), target) == meant]
    if side == "直":
        return [action for action in actions if origin(state, action) == target + 9]
    if side and actions:
        edge = (min if side == "左" else max)(origin(state, action) % 9 for action in actions)
        return [action for action in actions if origin(state, action) % 9 == edge]
    return actions


def _move_from(state: Array, start: int, meant: list[int], target: int, code: int, promotes: bool, text: str) -> int:
    """The action from a square as Black sees it; it must be among those that the other words mean."""
    if code_at(state, _turn(state, start)) not in (0, code):
        raise BadMove(f"{shown(text)} is not legal here: another piece stands on {square_name(start)}")
    action = find_move(state, start, _turn(state, target), promotes, text)
    if action not in meant:
        raise BadMove(f"{shown(text)} is not legal here: the piece on {square_name(start)} is not the one it describes")
    return action


def _square(file: str, rank: str) -> int:
    row = _RANKS.index(rank) if rank in _RANKS else int(rank) - 1
    return 9 * row + 9 - int(file)


# --- Western ------------------------------------------------------------------------------------------------


def to_western(state: Array, action: int) -> str:
    """The action in Hodges' notation: ``P-7f``, ``Sx3d+``, ``Bx3c=`` (not promoted), ``P*5e``, ``G6i-7h``.

    Raises:
        BadMove: the action is not legal here.
    """
    start, target, code = _legal_move(state, action)
    there = square_name(_turn(state, target))
    if start == 81:
        return f"{LETTERS[code]}*{there}"
    here = square_name(_turn(state, start)) if len(_starts(state, _moves_of(state, target, code))) > 1 else ""
    motion = "x" if code_at(state, target) else "-"
    return LETTERS[code] + here + motion + there + ("", "+", "=")[_promotion(action, start, target, code)]


def from_western(state: Array, text: str) -> int:
    """The action of a move in Hodges' notation; ``'`` drops like ``*``, and ranks may be digits.

    Raises:
        BadMove: the text is no move, fits several, or is not a legal one here; says which.
    """
    match = _WESTERN.fullmatch(text)
    if match is None:
        raise BadMove(f"{shown(text)} is not a move: write P-7f, Sx3d+, Bx3c= or P*5e")
    piece, here, motion, there, ending = match.groups()
    code = LETTERS.index(piece)
    target = _western_square(there)
    if motion in ("*", "'"):
        if code > 7 or here or ending:
            raise BadMove(f"{shown(text)} is not a move: a drop is written like P*5e")
        return find_drop(state, code, target, text)
    actions = _moves_of(state, _turn(state, target), code)
    if here:
        start = _turn(state, _western_square(here))
        actions = [action for action in actions if origin(state, action) == start]
    return _only(state, actions, text, {"+": True, "=": False}.get(ending), "'+' or '='")


def _western_square(name: str) -> int:
    return square_of(name[0] + ("abcdefghi"[int(name[1]) - 1] if name[1].isdigit() else name[1]))


# --- both ---------------------------------------------------------------------------------------------------


def _turn(state: Array, square: int) -> int:
    """A square of the side to move as Black sees it, or the other way round."""
    return 80 - square if state["turn"] else square


def _legal_move(state: Array, action: int) -> tuple[int, int, int]:
    """Origin (81 for a drop), target, and the code of the piece before it moves.

    Raises:
        BadMove: the action is not legal here.
    """
    start, target = origin(state, action), int(action) % 81
    if int(action) not in legal(state):
        raise BadMove(f"{to_text(state, action)!r} is not legal here")
    return start, target, (int(action) - _DROP) // 81 + 1 if start == 81 else code_at(state, start)


def _moves_of(state: Array, target: int, code: int) -> list[int]:
    """The legal actions, drops apart, that bring such a piece to the target."""
    actions = legal(state)
    actions = actions[(actions % 81 == target) & (actions < _DROP)]
    return [int(action) for action in actions if code_at(state, origin(state, int(action))) == code]


def _starts(state: Array, actions: Iterable[int]) -> set[int]:
    return {origin(state, action) for action in actions}


def _promotion(action: int, start: int, target: int, code: int) -> int:
    """1 where the move promotes, 2 where it could have, else 0."""
    if action >= 10 * 81:
        return 1
    return 2 if code < 7 and min(start, target) < 27 else 0


def _only(state: Array, actions: list[int], text: str, promotes: bool | None, marks: str) -> int:
    """The action that is meant; ``promotes`` None where the text does not say.

    Raises:
        BadMove: there is none, or there are several.
    """
    if promotes is not None:
        actions = [action for action in actions if (action >= 10 * 81) == promotes]
    if not actions:
        raise BadMove(f"{shown(text)} is not legal here")
    if len(_starts(state, actions)) > 1:
        raise BadMove(f"{shown(text)} could be several moves here: say which piece moves")
    if len(actions) > 1:
        raise BadMove(f"{shown(text)} could be two moves here: add {marks}")
    return actions[0]
