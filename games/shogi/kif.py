"""KIF, the files of games that Japanese players read and write, in the form of Kakinoki's Kifu for Windows.

http://kakinoki.o.oo7.jp/kif_format.html

A game lost by default (不戦敗) is read as resigned, one drawn by 持将棋 as agreed to be: the players agree that neither
can win any more. Where no word says that the side to move has won, as after the
opponent's resignation, the line まで... says so alone. Its reader takes a diagram's word over that of 手合割.

An ending that has no word which every reader knows is named by a comment before the word that comes closest: after
``*max_plies``, 持将棋 is a game that was broken off as drawn.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TextIO

from games.errors import BadMove, BadPosition, shown
from games.shogi.japanese import JAPANESE_NAMES, from_japanese, japanese_square
from games.shogi.records import Replay, ShogiGame, lines_of, move_texts, one_line
from games.shogi.rules import Ending
from games.shogi.sfen import KANJI, WHITE, build, kanji_number, pieces_of, show
from games.shogi.usi import code_at, origin
from rlcore.jit import Array

__all__ = ["read_kif", "write_kif"]

_KEYWORDS = {"先手": "Black", "後手": "White", "棋戦": "Event", "場所": "Site", "開始日時": "Date", "戦型": "Opening"}
_HANDICAP_NAMES = {"先手": "下手", "後手": "上手"}
_HANDICAPS = {
    "香落ち": "11",
    "右香落ち": "91",
    "角落ち": "22",
    "飛車落ち": "82",
    "飛香落ち": "82 11",
    "二枚落ち": "82 22",
    "三枚落ち": "82 22 11",
    "四枚落ち": "82 22 11 91",
    "五枚落ち": "82 22 11 91 81",
    "左五枚落ち": "82 22 11 91 21",
    "六枚落ち": "82 22 11 91 21 81",
    "左七枚落ち": "82 22 11 91 21 81 31",
    "右七枚落ち": "82 22 11 91 21 81 71",
    "八枚落ち": "82 22 11 91 21 81 31 71",
    "十枚落ち": "82 22 11 91 21 81 31 71 41 61",
}
"""The squares from which the stronger player, White, who then begins, takes pieces off the board."""
_END_WORDS = {
    (Ending.CHECKMATE, -1): "詰み",
    (Ending.STALEMATE, -1): "詰み",
    (Ending.REPETITION, 0): "千日手",
    (Ending.DECLARATION, 1): "入玉勝ち",
    (Ending.RESIGNATION, -1): "投了",
    (Ending.TIME, -1): "切れ負け",
    (Ending.ILLEGAL_MOVE, -1): "反則負け",
    (Ending.ILLEGAL_MOVE, 1): "反則勝ち",
    (Ending.AGREEMENT, 0): "持将棋",
    **dict.fromkeys(((Ending.RESIGNATION, 1), (Ending.TIME, 1)), ""),
}
"""By ending and value for the side to move. All other draws are 持将棋, all other losses fouls."""
_NAMED = {f"*{ending.name.lower()}": ending for ending in Ending if ending}
"""By the comment before the word."""
_ENDINGS = {
    "詰み": (Ending.CHECKMATE, -1),
    "投了": (Ending.RESIGNATION, -1),
    **dict.fromkeys(("切れ負け", "時間切れ"), (Ending.TIME, -1)),
    "反則負け": (Ending.ILLEGAL_MOVE, -1),
    "反則勝ち": (Ending.ILLEGAL_MOVE, 1),
    "不戦敗": (Ending.RESIGNATION, -1),
    "不戦勝": (Ending.RESIGNATION, 1),
    "千日手": (Ending.REPETITION, 0),
    **dict.fromkeys(("入玉勝ち", "入玉宣言", "宣言勝ち"), (Ending.DECLARATION, 1)),
    **dict.fromkeys(("持将棋", "引き分け"), (Ending.AGREEMENT, 0)),
    "最大手数": (Ending.MAX_PLIES, 0),
    **dict.fromkeys(("中断", "不詰"), (Ending.ONGOING, 0)),
}


def write_kif(
    actions: Sequence[int] | Array,
    headers: Mapping[str, str] | None = None,
    ending: int = Ending.ONGOING,
    value: float = 0.0,
    start: Array | None = None,
) -> str:
    """A game as KIF, ending with an empty line.

    Args:
        actions: the moves in order.
        headers: Black, White, Event, Site, Date, Opening; others are written under their own name, as comments where
            it would mean something else.
        ending: why the game ended, an ``Ending``.
        value: what it is worth for the side to move after the last move: -1, 0 or 1.
        start: the row the game began from; none = the start position. KIF counts moves from 1.

    Raises:
        BadMove: an action is not legal where it is played; says at which ply.
    """
    moves, first, last = move_texts(actions, start, _move_text)
    handicap = _handicap_names().get(int(first["key"]))
    handicapped = handicap not in ("平手", None)
    lines = [f"手合割：{handicap}"] if handicap else [*show(first).splitlines(), *["後手番"] * int(first["turn"])]
    names = {header: word for word, header in _KEYWORDS.items()}
    for key, content in (headers or {}).items():
        word = re.sub("[：: ]+", "-", one_line(names.get(key, key)))
        word = _HANDICAP_NAMES.get(word, word) if handicapped else word
        line = f"{word}：{one_line(content)}"
        lines.append(line if _HEADER.match(line) and word not in _NO_HEADERS else f"*{line}")
    lines.append("手数----指手---------消費時間--")
    lines += [f"{number:>4} {move}   ( 0:00/00:00:00)" for number, move in enumerate(moves, start=1)]
    word, result = _end_of(Ending(ending), value, int(last["turn"]) ^ 1, "下上" if handicapped else "先後")
    lines += [f"*{Ending(ending).name.lower()}"] * (not _has_word(Ending(ending), value))
    lines += [f"{len(moves) + 1:>4} {word}"] * bool(word)
    lines.append(f"まで{len(moves)}手で{result}")
    return "\n".join([*lines, "", ""])


def _move_text(state: Array, action: int, previous: int | None) -> str:
    """Such as ７六歩(77), 同　銀成(31) or ５五角打."""
    start, target = origin(state, action), action % 81
    mirror = 80 * int(state["turn"])
    square = japanese_square(abs(mirror - target), None if previous is None else abs(mirror - (80 - previous % 81)))
    if start == 81:
        return f"{square}{JAPANESE_NAMES[action // 81 - 19]}打"
    promotes, seen = "成" if action >= 10 * 81 else "", abs(mirror - start)
    return f"{square}{JAPANESE_NAMES[code_at(state, start)]}{promotes}({9 - seen % 9}{seen // 9 + 1})"


def _has_word(ending: Ending, value: float) -> bool:
    """Whether the word for the end means this ending and no other."""
    return ending == Ending.ONGOING or (ending, (value > 0.0) - (value < 0.0)) in _END_WORDS


def _end_of(ending: Ending, value: float, last: int, sides: str) -> tuple[str, str]:
    """The word that takes the place of a last move, and the result in words; ``last`` is who moved last."""
    sign = (value > 0.0) - (value < 0.0)
    if ending == Ending.ONGOING:
        return "中断", "中断"
    word = _END_WORDS.get((ending, sign), ("持将棋", "反則勝ち", "反則負け")[sign])
    if sign == 0:
        return word, word
    mover, winner = sides[last ^ 1], sides[last if sign < 0 else last ^ 1]
    fouls = {"反則負け": f"{mover}手の反則負け", "反則勝ち": f"{mover}手の反則勝ち", "入玉勝ち": f"{mover}手の入玉勝ち"}
    how = "時間切れにより" * (ending == Ending.TIME and sign > 0)
    return word, fouls.get(word, f"{how}{winner}手の勝ち")


def _handicap_row(name: str) -> Array:
    """The position that 手合割 names.

    Raises:
        BadPosition: no handicap has the name.
    """
    if name == "平手":
        return Replay().start
    if name not in _HANDICAPS:
        raise BadPosition(f"the handicap {shown(name)} is not known")
    board = pieces_of(Replay().start)
    for square in _HANDICAPS[name].split():
        board[9 * int(square[1]) - int(square[0])] = 0
    return build(board, ([0] * 8, [0] * 8), 1)


@cache
def _handicap_names() -> dict[int, str]:
    """The names by the key of the position."""
    return {int(_handicap_row(name)["key"]): name for name in ("平手", *_HANDICAPS)}


# --- reading ------------------------------------------------------------------------------------------------


def read_kif(source: str | TextIO) -> Iterator[ShogiGame]:
    """The games of a KIF text or open file: one, or several one after the other. Variations are left out.

    A header begins the next game, but one that nothing follows is a remark. ``records.decode`` makes text of a file's
    bytes, whatever their encoding.

    Raises:
        BadMove: a line or a move cannot be read, or a move is not legal; says in which line.
        BadPosition: a game begins from a position that cannot be played on.
    """
    game, number, is_first = _Reader(), 0, True
    try:
        for text in lines_of(source):
            number += 1
            header = _HEADER.match(text)
            if header and header[1] != "変化" and (game.is_over or (game.replay and game.replay.actions)):
                if game.is_begun:
                    yield game.finish()
                game, is_first = _Reader(), False
            game.read_line(text, header)
        if game.is_begun or (is_first and game.headers):
            yield game.finish()
    except (BadMove, BadPosition) as error:
        raise type(error)(f"line {number} of the KIF: {error}") from None


_HEADER = re.compile(r"([^\s：:0-9*#&|][^\s：:]*)\s*[：:](.*)")
_MOVE = re.compile(r"\s*([0-9]{1,6})\s+(.*?)\s*(?:\( *[0-9]+:[0-9].*)?\+?")
_LONGEST_LINE = 200
_RESULT = re.compile(r"([先後下上])手の?[^先後下上]*?(勝ち|負け)")
_REASONS = {"切れ": Ending.TIME, "反則": Ending.ILLEGAL_MOVE, "入玉": Ending.DECLARATION, "宣言": Ending.DECLARATION}
_BLACK_NAMES, _WHITE_NAMES = ("先手", "下手"), ("後手", "上手")
_NO_HEADERS = {"変化", "手合割", *(f"{name}の持駒" for name in (*_BLACK_NAMES, *_WHITE_NAMES))}
_TO_MOVE = {f"{name}番": side for side, names in enumerate((_BLACK_NAMES, _WHITE_NAMES)) for name in names}
_COUNTS = {kanji_number(count): count for count in range(1, 19)} | {"": 1}


class _Reader:
    """One game, line by line."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.handicap = ""
        self.ranks: list[str] = []  # of a diagram
        self.hands = ([0] * 8, [0] * 8)
        self.turn: int | None = None  # where it is said
        self.replay: Replay | None = None  # none before the first move
        self.ending: tuple[Ending, int] = (Ending.ONGOING, 0)
        self.named: Ending | None = None  # by the comment just before
        self.is_over = False  # what follows is a variation, or the next game

    @property
    def is_begun(self) -> bool:
        """Whether there was anything but headers."""
        return bool(self.ranks or self.replay)

    def finish(self) -> ShogiGame:
        return self._game().finish(self.headers, self.ending[0], float(self.ending[1]))

    def read_line(self, text: str, header: re.Match[str] | None) -> None:
        if not text or text[0] in "*#&" or self.is_over:
            self.named = _NAMED.get(text)
            return
        if header:
            self._read_header(header[1], header[2].strip())
        elif text[0] == "|" or text in _TO_MOVE:
            self._read_position(text)
        elif text.lstrip().startswith("まで"):
            turn = int(self._game().row["turn"])
            self.ending, self.is_over = _read_result(text[:_LONGEST_LINE], turn), True
        elif not re.match(r"\+---|手数|\s*９", text):
            self._read_move(text)

    def _read_position(self, text: str) -> None:
        """A rank of the diagram, or who moves."""
        if self.replay is not None:
            raise BadMove(f"{shown(text)} stands after the position is complete")
        if text[0] == "|":
            self.ranks.append(text)
        else:
            self.turn = _TO_MOVE[text]

    def _read_header(self, key: str, content: str) -> None:
        side, _, held = key.partition("の")
        if key == "変化":
            self.is_over = True
        elif held == "持駒" and side in (*_BLACK_NAMES, *_WHITE_NAMES):
            _read_hand(self.hands[side in _WHITE_NAMES], content)
        elif key == "手合割":
            if self.handicap:
                raise BadPosition(f"{key} stands there for the second time")
            self.handicap = content
        else:
            word = {"下手": "先手", "上手": "後手", "対局日": "開始日時"}.get(key, key)
            self.headers[_KEYWORDS.get(word, word)] = content

    def _read_move(self, text: str) -> None:
        move = _MOVE.fullmatch(text) if len(text) < _LONGEST_LINE else None
        if move is None:
            raise BadMove(f"{shown(text)} is no line of KIF")
        game = self._game()
        number, word = move.groups()
        if int(number) != len(game.actions) + 1:
            raise BadMove(f"the move is number {number} instead of {len(game.actions) + 1}")
        if word in _ENDINGS:
            ending, value = _ENDINGS[word]
            self.ending, self.is_over = (self.named or ending, value), True
        else:
            self.named = None
            game.play(from_japanese(game.row, word, game.actions[-1] if game.actions else None))

    def _game(self) -> Replay:
        """The game, begun where it is not yet."""
        if self.replay is None:
            if self.ranks:
                start = build(_read_diagram(self.ranks), self.hands, self.turn or 0)
            else:
                start = _handicap_row(self.handicap or "平手")
                if any(map(any, self.hands)) or self.turn not in (None, start["turn"]):
                    raise BadPosition("pieces in hand, or another side to move, stand there without a diagram")
            self.replay = Replay(start)
        return self.replay


def _read_result(text: str, turn: int) -> tuple[Ending, int]:
    """The ending and its value for the side to move, as a line such as まで4手で時間切れにより先手の勝ち tells it.

    A line that names no winner and has no word for the end either, such as まで4手, is one of a game that goes on.
    """
    result = _RESULT.search(text)
    if result is None:
        return next((_ENDINGS[word] for word in _ENDINGS if word in text), (Ending.ONGOING, 0))
    is_won = (result[1] in "先下") == (turn == 0)  # by the side to move, which is named
    reason = next((_REASONS[word] for word in _REASONS if word in text), Ending.RESIGNATION)
    return reason, 1 if is_won == (result[2] == "勝ち") else -1


def _read_hand(hand: list[int], text: str) -> None:
    for item in text.split():
        kind, count = KANJI.find(item[0]), _COUNTS.get(item[1:])
        if item == "なし":
            continue
        if not 1 <= kind <= 7 or count is None or hand[kind]:
            raise BadPosition(f"{shown(item)} is no part of a hand such as 飛　歩二")
        hand[kind] = count


def _read_diagram(ranks: list[str]) -> list[int]:
    if len(ranks) != 9:
        raise BadPosition(f"the diagram has {len(ranks)} ranks instead of 9")
    board = []
    for rank in ranks:
        cells = rank[1:].partition("|")[0].translate({ord("王"): "玉", ord("竜"): "龍"})
        if not re.fullmatch(rf"(?:[ v][{KANJI}]){{9}}", cells):
            raise BadPosition(f"{shown(rank)} is no rank of a diagram")
        codes = [KANJI.index(letter) for letter in cells[1::2]]
        board += [code + WHITE * (mark == "v") if code else 0 for code, mark in zip(codes, cells[::2], strict=True)]
    return board
