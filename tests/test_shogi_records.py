"""Shogi moves and games as text: USI, CSA, KIF, Japanese and Western names."""

import io
import re
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games import shogi
from games.errors import BadMove, BadPosition, shown
from games.shogi.csa import from_csa, read_csa, to_csa, write_csa
from games.shogi.japanese import from_japanese, from_western, to_japanese, to_western
from games.shogi.kif import read_kif, write_kif
from games.shogi.records import decode
from games.shogi.rules import PAST, STATE, Ending
from games.shogi.sfen import read, write
from games.shogi.tables import NUM_ACTIONS
from games.shogi.usi import from_text, legal, play, to_text
from rlcore.jit import Array

BOARD = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL"
START = f"{BOARD} b - 1"
MATSURI = "l6nl/5+P1gk/2np1S3/p1p4Pp/3P2Sp1/1PPb2P1P/P5GS1/R8/LN4bKL w RGgsn5p 1"
CROWDED = "8k/9/1+R+P+P+P4/1SG1GS3/1+P2+P+R3/1SGPGS3/1N+P+N+P4/1+B1N1+B3/K8 b 4L8Pn 1"
VARIED = (
    START,
    MATSURI,
    CROWDED,
    "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1",
    "l2kg2+R1/4n3+L/p1gpps3/4np3/6P1N/PP+rP2pS1/1pG2P3/4P1G2/LN3KB1+p b SPbsl4p 1",
    "l+Rl2g2+R/2p+Sks2+L/p3p4/2Ppnp1S1/4n1Pbp/PP2G4/1G3P+n2/Kp2P4/L8 w GS4Pbnp 1",
    "1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1",
)
REPETITION = "5i5h 5a5b 5h5i 5b5a " * 3
PERPETUAL = ("lnsg1gsnl/1r5b1/ppppppppp/4k4/9/5R3/PPPPPPPPP/1B7/LNSGKGSNL b - 1", "4f5f 5d4d 5f4f 4d5d " * 3)
PERPETUAL_MORE = (PERPETUAL[0], PERPETUAL[1] + "4f5f")


def position(sfen: str = START) -> Array:
    """A row read from SFEN."""
    row = np.zeros(1, STATE)[0]
    read(row, sfen)
    return row


def game_of(moves: str, sfen: str = START) -> tuple[Array, list[int], Array]:
    """(start, actions, last row) of moves in USI."""
    start, row, actions = position(sfen), position(sfen), []
    for move in moves.split():
        actions.append(from_text(row, move))
        play(row, actions[-1])
    return start, actions, row


def random_game(seed: int, plies: int | None = None) -> tuple[Array, list[int], Array]:
    """(start, actions, last row) of a random game from one of the varied positions."""
    random = Random(seed)
    start = position(random.choice(VARIED))
    row, actions = start.copy(), []
    for _ in range(random.choice((0, 1, 2, 10, 60)) if plies is None else plies):
        moves = legal(row)
        if not len(moves):
            break
        actions.append(int(random.choice(moves)))
        play(row, actions[-1])
    return start, actions, row


def equal(row: Array, other: Array) -> bool:
    """Whether all is equal that text tells; game files do not count plies before their first."""
    return all((row[name] == other[name]).all() for name in STATE.names if name not in (*PAST, "ply"))


seeds = st.integers(0, 2**32)


# --- moves ------------------------------------------------------------------------------------------------------


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_every_legal_move_is_read_back_in_every_notation(seed: int) -> None:
    _, actions, row = random_game(seed)
    previous = actions[-1] if actions else None
    names = []
    for action in map(int, legal(row)):
        texts = (to_text(row, action), to_csa(row, action), to_western(row, action), to_japanese(row, action, previous))
        names.append(texts)
        assert from_text(row, texts[0]) == action
        assert from_csa(row, texts[1]) == from_csa(row, texts[1][1:]) == action
        assert from_western(row, texts[2]) == action
        assert from_japanese(row, texts[3], previous) == from_japanese(row, texts[3][1:], previous) == action
    for texts in zip(*names, strict=True):
        assert len(set(texts)) == len(texts)


def test_nothing_else_is_read_as_a_usi_move() -> None:
    squares = [file + rank for file in "123456789" for rank in "abcdefghi"]
    every = [a + b + plus for a in squares for b in squares for plus in ("", "+")]
    every += [f"{piece}*{square}" for piece in "PLNSBRGK" for square in squares]
    for sfen in (START, MATSURI, VARIED[4]):
        row = position(sfen)
        accepted = {}
        for text in every:
            try:
                accepted[text] = from_text(row, text)
            except BadMove as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert sorted(accepted.values()) == sorted(legal(row).tolist())
        assert all(to_text(row, action) == text for text, action in accepted.items())


@pytest.mark.nojit
def test_moves_as_text() -> None:
    row = position()
    assert to_text(row, 45 + 2) == "7g7f"  # one step up to row 5, column 2
    assert to_csa(row, 45 + 2) == "+7776FU"
    assert to_japanese(row, 45 + 2) == "▲７六歩"
    assert to_western(row, 45 + 2) == "P-7f"
    _, _, row = game_of("7g7f 3c3d")
    action = from_text(row, "8h2b+")
    assert (to_csa(row, action), to_western(row, action)) == ("+8822UM", "Bx2b+")
    assert to_japanese(row, action) == "▲２二角成"
    assert to_japanese(row, from_text(row, "8h2b")) == "▲２二角不成"
    assert to_western(row, from_text(row, "8h2b")) == "Bx2b="
    play(row, action)
    back = from_text(row, "3a2b")
    assert (to_japanese(row, back, action), to_japanese(row, back)) == ("△同　銀", "△２二銀")
    play(row, back)
    drop = from_text(row, "B*5e")
    assert (to_csa(row, drop), to_japanese(row, drop, back), to_western(row, drop)) == ("+0055KA", "▲５五角", "B*5e")


DISAMBIGUATION = (  # after https://www.shogi.or.jp/faq/kihuhyouki.html
    ("8k/9/2G3G2/9/9/9/9/9/K8 b - 1", {"7c7b": "７二金", "3c3b": "３二金"}),
    ("8k/9/2G6/G8/9/9/9/9/K8 b - 1", {"7c8c": "８三金寄", "9d8c": "８三金上"}),
    ("8k/4G4/3G5/9/9/9/9/9/K8 b - 1", {"5b5c": "５三金引", "6c5c": "５三金寄"}),
    ("8k/9/9/4S4/9/3S5/9/9/K8 b - 1", {"5d6e": "６五銀引", "6f6e": "６五銀上"}),
    ("8k/G1G6/9/9/9/9/9/9/K8 b - 1", {"9b8a": "８一金左", "7b8a": "８一金右"}),
    ("k8/6G1G/9/9/9/9/9/9/8K b - 1", {"3b2b": "２二金左", "1b2b": "２二金右"}),
    ("8k/9/9/9/9/9/9/9/K2SS4 b - 1", {"5i5h": "５八銀直", "6i5h": "５八銀左"}),
    ("8k/9/9/9/9/9/9/9/K5GG1 b - 1", {"3i3h": "３八金直", "2i3h": "３八金右"}),
    ("8k/9/3GGG3/9/9/9/9/9/K8 b - 1", {"6c5b": "５二金左", "5c5b": "５二金直", "4c5b": "５二金右"}),
    (
        "k7K/9/9/9/9/9/1+P7/+P8/+P+P+P6 b - 1",
        {"7i8h": "８八と右", "8i8h": "８八と直", "9i8h": "８八と左上", "9h8h": "８八と寄", "8g8h": "８八と引"},
    ),
    (
        "k7K/9/9/9/9/9/1S1S5/9/1SS6 b - 1",
        {"8i7h": "７八銀左上", "7i7h": "７八銀直", "8g7h": "７八銀左引", "6g7h": "７八銀右"},
    ),
    ("+R8/4+R4/9/9/9/9/9/9/K7k b - 1", {"9a8b": "８二龍引", "5b8b": "８二龍寄"}),
    ("9/4+R4/7+R1/9/9/9/9/9/K7k b - 1", {"5b4c": "４三龍引", "2c4c": "４三龍寄"}),
    ("k8/9/9/9/4+R3+R/9/9/9/K8 b - 1", {"5e3e": "３五龍左", "1e3e": "３五龍右"}),
    ("k8/9/9/9/9/9/9/9/K6+R+R b - 1", {"2i1h": "１八龍左", "1i1h": "１八龍右"}),
    ("+B+B7/9/9/9/9/9/8k/9/K8 b - 1", {"9a8b": "８二馬左", "8a8b": "８二馬右"}),
    ("9/9/3+B5/9/+B8/9/8k/9/K8 b - 1", {"6c8e": "８五馬引", "9e8e": "８五馬寄"}),
    ("9/9/9/9/9/9/8k/9/K2+B3+B1 b - 1", {"6i4g": "４七馬左", "2i4g": "４七馬右"}),
    ("8k/9/9/9/4N1N2/9/9/9/K8 b - 1", {"5e4c": "４三桂左不成", "3e4c+": "４三桂右成"}),
    ("8k/9/9/9/9/9/4G4/9/K8 b G 1", {"5g5f": "５六金", "G*5f": "５六金打", "G*1i": "１九金"}),
)


@pytest.mark.parametrize(("sfen", "names"), DISAMBIGUATION)
def test_the_japanese_name_says_which_piece_moves(sfen: str, names: dict[str, str]) -> None:
    row = position(sfen)
    for move, name in names.items():
        assert to_japanese(row, from_text(row, move)) == f"▲{name}"
        assert to_text(row, from_japanese(row, name)) == move
    turned = "/".join(rank[::-1] for rank in sfen.split()[0].swapcase().split("/")[::-1])
    turned = re.sub(r"([a-zA-Z])\+", r"+\1", turned)
    row = position(f"{turned} w {sfen.split()[2].swapcase()} 2")
    ranks, files = "一二三四五六七八九", "１２３４５６７８９"
    for move, name in names.items():  # the same board as White sees it
        mirrored = re.sub(r"([1-9])([a-i])", lambda m: f"{10 - int(m[1])}{chr(202 - ord(m[2]))}", move)
        seen = files[8 - files.index(name[0])] + ranks[8 - ranks.index(name[1])] + name[2:]
        assert to_japanese(row, from_text(row, mirrored)) == f"△{seen}"


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_japanese_names_agree_with_cshogi(seed: int) -> None:
    ki2 = pytest.importorskip("cshogi.KI2", reason="cshogi names moves independently")
    cshogi = pytest.importorskip("cshogi", reason="cshogi names moves independently")
    _, _, row = random_game(seed)
    board = cshogi.Board(sfen=write(row))
    for action in map(int, legal(row)):
        move = board.move_from_usi(to_text(row, action))
        assert to_csa(row, action)[1:] == cshogi.move_to_csa(move)
        theirs = [m for m in board.pseudo_legal_moves if cshogi.move_to(m) == cshogi.move_to(move)]
        if all(board.is_legal(m) for m in theirs):  # they count pinned pieces too
            assert to_japanese(row, action) == ki2.move_to_ki2(move, board)


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("76歩", "7g7f"),
        ("▲７六歩", "7g7f"),
        ("☗7六歩", "7g7f"),
        (" ７ 六 歩 ", "7g7f"),
        ("７六歩(77)", "7g7f"),
        ("58金右", "4i5h"),
        ("５八金左上", "6i5h"),
        ("58金左行", "6i5h"),
        ("58金(49)", "4i5h"),
        ("58王", "5i5h"),
        ("P-7f", "7g7f"),
        ("P7f", "7g7f"),
        ("P-76", "7g7f"),
        ("G4i-5h", "4i5h"),
        ("K-5h", "5i5h"),
    ],
)
def test_moves_are_read_as_people_type_them(text: str, move: str) -> None:
    read_move = from_western if text[0] in "PGK" else from_japanese
    assert to_text(position(), read_move(position(), text)) == move


def test_promotions_and_captures_as_people_type_them() -> None:
    _, actions, row = game_of("7g7f 3c3d")
    for text, move in (("22角成", "8h2b+"), ("同角", None), ("２二角不成", "8h2b"), ("22角", None), ("34角", None)):
        if move is None:
            with pytest.raises(BadMove):
                from_japanese(row, text, actions[-1])
        else:
            assert to_text(row, from_japanese(row, text, actions[-1])) == move
    play(row, from_text(row, "8h2b+"))
    for text in ("同銀", "同　銀", "△同銀", "22同銀", "２２銀", "同銀(31)", "同 銀"):
        assert to_text(row, from_japanese(row, text, from_text(game_of("7g7f 3c3d")[2], "8h2b+"))) == "3a2b"
    row = position("8k/4+P4/9/9/9/9/9/9/K8 b P 1")
    assert to_text(row, from_western(row, "P'5e")) == to_text(row, from_western(row, "P*5e")) == "P*5e"
    row = position("8k/3+L+N+S3/9/9/9/9/9/9/K8 b - 1")
    for text in ("成銀", "全"):
        assert to_text(row, from_japanese(row, f"31{text}")) == "4b3a"
    for text in ("成桂直", "圭直", "成桂上直"):
        with pytest.raises(BadMove):
            from_japanese(row, f"31{text}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not a move: write 7g7f, 8h2b+ to promote, or P*5e to drop"),
        ("resign", "'resign' is not a move"),
        ("7g7f ", "is not a move"),
        ("7g7f\n", "is not a move"),
        ("7G7F", "is not a move"),
        ("7g7j", "is not a move"),
        ("0g7f", "is not a move"),
        ("７g7f", "is not a move"),
        ("K*5e", "is not a move"),
        ("p*5e", "is not a move"),
        ("P*5e+", "is not a move"),
        ("x" * 1_000_000, "is not a move"),
        ("5e5d", "'5e5d' is not legal here: 5e is empty"),
        ("1c1d", "the pawn on 1c is White's"),
        ("5i5h", "Black's own piece stands on 5h"),
        ("5h5f", "a promoted silver does not move from 5h to 5f"),
        ("5i3h", "a king does not move from 5i to 3h"),
        ("9i9b", "a piece stands between 9i and 9b"),
        ("9c9b", "the pawn on 9c is White's"),
        ("2b2a", "the knight on 2b is White's"),
        ("7b7a", "the pawn could never move again on 7a and must promote"),
        ("8c7a", "the knight could never move again on 7a and must promote"),
        ("4h4g+", "a piece promotes only where it enters, leaves or moves within the last three ranks"),
        ("6b6c+", "a gold does not promote"),
        ("5h4g", "Black's king would be in check"),
        ("R*5e", "Black has no rook in hand"),
        ("P*9c", "9c is not empty"),
        ("P*8a", "a pawn on 8a could never move"),
        ("L*8a", "a lance on 8a could never move"),
        ("N*4b", "a knight on 4b could never move"),
        ("P*7e", "Black has a pawn on file 7 already"),
    ],
)
def test_bad_moves_say_why(text: str, complaint: str) -> None:
    row = position("4r2k1/2PG3n1/pN6p/9/9/9/P8/4+SS3/L3K4 b 3PLN 1")
    with pytest.raises(BadMove) as caught:
        from_text(row, text)
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 200


def test_bad_drops_say_why() -> None:
    mate = position("3rkr3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1")
    with pytest.raises(BadMove, match="a pawn may not be dropped to mate"):
        from_text(mate, "P*5b")
    assert to_text(mate, from_text(mate, "L*5b")) == "L*5b"
    check = position("4k4/9/4r4/9/9/9/9/4K4/9 b P 1")
    assert "Black's king would stay in check" in reason(check, "P*4d")
    assert "Black's king would stay in check" in reason(check, "5h5i")


def reason(row: Array, text: str) -> str:
    """Why a USI move is not legal; empty where it is."""
    try:
        from_text(row, text)
    except BadMove as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("+7776", "is not a move: write"),
        ("+7776XX", "is not a move"),
        ("+7706FU", "is not a move"),
        ("+0776FU", "is not a move"),
        ("-7776FU", "it is Black's move"),
        ("+7776TO", "a piece promotes only where"),
        ("+7776KY", "another piece stands on 7g"),
        ("+7775FU", "a pawn does not move from 7g to 7e"),
        ("+0055TO", "a piece is dropped unpromoted"),
        ("+0055OU", "a piece is dropped unpromoted"),
        ("+0055FU", "Black has no pawn in hand"),
        ("+5554FU", "5e is empty"),
        ("+" * 1_000_000, "is not a move"),
    ],
)
def test_bad_csa_moves_say_why(text: str, complaint: str) -> None:
    with pytest.raises(BadMove) as caught:
        from_csa(position(), text)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("５二と打", "only an unpromoted piece is dropped, and no king"),
        ("５八玉打", "only an unpromoted piece is dropped, and no king"),
        ("５五金打(59)", "a drop comes from nowhere on the board"),
        ("５五金左打", "a drop comes from nowhere on the board"),
        ("５五金上打", "a drop comes from nowhere on the board"),
        ("４二と右(53)", "the piece on 5c is not the one"),
        ("４二と引(53)", "the piece on 5c is not the one"),
        ("４二同と", "no move went before that 同 could mean"),
    ],
)
def test_words_that_contradict_a_japanese_move_are_refused(text: str, complaint: str) -> None:
    row = position("4k4/9/4+P1+P2/9/9/9/9/9/4K4 b GP 1")
    with pytest.raises(BadMove, match=complaint):
        from_japanese(row, text)
    assert to_text(row, from_japanese(row, "４二と右(33)")) == "3c4b"


def test_a_japanese_move_with_a_square_and_同_goes_where_the_move_before_went() -> None:
    _, actions, row = game_of("7g7f 3c3d 8h2b+")
    assert to_text(row, from_japanese(row, "２二同銀", actions[-1])) == "3a2b"
    for text in ("８四同歩", "３二同金"):
        with pytest.raises(BadMove, match="the move before did not go there"):
            from_japanese(row, text, actions[-1])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a move: write ７六歩"),
        ("７六", "is not a move"),
        ("歩", "is not a move"),
        ("０六歩", "is not a move"),
        ("７六歩打成", "is not a move"),
        ("△７六歩", "it is Black's move"),
        ("同歩", "no move went before that 同 could mean"),
        ("７五歩", "no pawn moves there, and Black has none in hand"),
        ("７五歩打", "Black has no pawn in hand"),
        ("５五玉", "is not legal here"),
        ("５八金", "could be several moves here"),
        ("７六歩成", "is not legal here"),
        ("７六金(77)", "another piece stands on 7g"),
        ("７五歩(77)", "a pawn does not move"),
        ("七" * 1_000_000, "is not a move"),
        ("P-7", "is not a move: write P-7f"),
        ("+P*5e", "a drop is written like P*5e"),
        ("P*5e+", "a drop is written like P*5e"),
        ("+K-5h", "is not a move"),
        ("G-5h", "could be several moves here"),
        ("P-7e", "is not legal here"),
        ("P-7f+", "is not legal here"),
        ("P*5e", "Black has no pawn in hand"),
        ("P" * 1_000_000, "is not a move"),
    ],
)
def test_bad_japanese_and_western_moves_say_why(text: str, complaint: str) -> None:
    with pytest.raises(BadMove) as caught:
        (from_western if text.isascii() and text else from_japanese)(position(), text)
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < 200
    row = game_of("7g7f 3c3d")[2]
    with pytest.raises(BadMove, match="add '\\+' or '='"):
        from_western(row, "Bx2b")
    with pytest.raises(BadMove, match="add 成 or 不成"):
        from_japanese(row, "２二角")


def test_messages_show_japanese_as_it_is() -> None:
    assert shown("▲同　歩") == "'▲同 歩'"
    assert shown("a\n\x1b\\u3000") == "'a\\n\\x1b\\\\u3000'"
    with pytest.raises(BadMove, match="'同 歩' is not legal here"):
        from_japanese(position(), "同　歩")


def test_numbers_that_are_no_move_have_no_text() -> None:
    row = position()
    for action in (-1, NUM_ACTIONS, 10**9, 81 * 8 + 72, 81 * 5):
        for name in (to_text, to_csa, to_japanese, to_western):
            with pytest.raises(BadMove, match="is no move on this board"):
                name(row, action)
    illegal = 81 * 20 + 40  # P*5e
    for name in (to_japanese, to_western):
        with pytest.raises(BadMove, match="is not legal here"):
            name(row, illegal)
    for action in range(NUM_ACTIONS):
        for name in (to_text, to_csa):
            try:
                name(row, action)
            except BadMove:
                continue


# --- game files -------------------------------------------------------------------------------------------------

FORMATS = pytest.mark.parametrize(("write_game", "read_games"), [(write_csa, read_csa), (write_kif, read_kif)])
HEADERS = {"Event": "self-play", "Round": "17", "Black": "先手 太郎", "White": "rlcore", "Site": "here", "CUSTOM": "x"}


@FORMATS
@given(seed=seeds, ending=st.sampled_from(Ending), sign=st.sampled_from((-1.0, 0.0, 1.0)))
@settings(max_examples=60, deadline=None)
def test_games_are_read_back(write_game, read_games, seed: int, ending: Ending, sign: float) -> None:  # type: ignore[no-untyped-def]
    start, actions, _ = random_game(seed)
    text = write_game(actions, HEADERS, ending, sign, start)
    first, second = read_games(text + write_game(actions, HEADERS, ending, sign, start))
    assert first.headers == second.headers
    for game in (first, second):
        assert equal(game.start, start)
        assert game.actions.dtype == np.uint16
        assert game.actions.tolist() == actions
        assert game.value == (0.0 if ending == Ending.ONGOING else sign)
    again = write_game(first.actions, first.headers, first.ending, first.value, first.start)
    (third,) = read_games(again)
    assert (third.ending, third.value, third.headers) == (first.ending, first.value, first.headers)


ENDINGS = (
    (Ending.ONGOING, 0.0, START, "7g7f", "%CHUDAN", "中断", "まで1手で中断"),
    (Ending.CHECKMATE, -1.0, "4k4/9/4P4/9/9/9/9/9/4K4 b G 1", "G*5b", "%TSUMI", "詰み", "まで1手で先手の勝ち"),
    (Ending.STALEMATE, -1.0, "k8/9/PG7/9/9/9/9/9/8K b - 1", "8c7b", "%TSUMI", "詰み", "まで1手で先手の勝ち"),
    (Ending.REPETITION, 0.0, START, REPETITION, "%SENNICHITE", "千日手", "まで12手で千日手"),
    (Ending.PERPETUAL_CHECK, -1.0, *PERPETUAL, "%+ILLEGAL_ACTION", "反則負け", "まで12手で先手の反則負け"),
    (Ending.PERPETUAL_CHECK, 1.0, *PERPETUAL_MORE, "%+ILLEGAL_ACTION", "反則勝ち", "まで13手で後手の反則勝ち"),
    (Ending.DECLARATION, 1.0, VARIED[-1], "", "%KACHI", "入玉勝ち", "まで0手で先手の入玉勝ち"),
    (Ending.AGREEMENT, 0.0, START, "7g7f 3c3d", "%JISHOGI", "持将棋", "まで2手で持将棋"),
    (Ending.RESIGNATION, -1.0, START, "7g7f", "%TORYO", "投了", "まで1手で先手の勝ち"),
    (Ending.RESIGNATION, -1.0, START, "7g7f 3c3d", "%TORYO", "投了", "まで2手で後手の勝ち"),
    (Ending.TIME, -1.0, START, "7g7f", "%TIME_UP", "切れ負け", "まで1手で先手の勝ち"),
    (Ending.ILLEGAL_MOVE, -1.0, START, "7g7f", "%ILLEGAL_MOVE", "反則負け", "まで1手で後手の反則負け"),
    (Ending.ILLEGAL_MOVE, 1.0, START, "7g7f", "%+ILLEGAL_ACTION", "反則勝ち", "まで1手で後手の反則勝ち"),
)


@pytest.mark.parametrize(("ending", "value", "sfen", "moves", "special", "word", "result"), ENDINGS)
def test_every_ending_has_its_word_and_is_read_back(
    ending: Ending, value: float, sfen: str, moves: str, special: str, word: str, result: str
) -> None:
    start, actions, _ = game_of(moves, sfen)
    csa = write_csa(actions, {}, ending, value, start)
    assert csa.endswith(f"\n{special}\n/\n")
    kif = write_kif(actions, {}, ending, value, start)
    assert kif.splitlines()[-3:-1] == [f"{len(actions) + 1:>4} {word}", kif.splitlines()[-2]]
    assert result in kif.splitlines()[-2]
    for (game,) in (read_csa(csa), read_kif(kif)):
        assert (game.ending, game.value) == (ending, value)


@pytest.mark.parametrize("moves", ["7g7f", "7g7f 3c3d"])
@pytest.mark.parametrize("value", [-1.0, 1.0])
@pytest.mark.parametrize("ending", [Ending.RESIGNATION, Ending.TIME, Ending.ILLEGAL_MOVE])
def test_whoever_loses_off_the_board_a_game_keeps_its_ending_in_both_formats(
    ending: Ending, value: float, moves: str
) -> None:
    _, actions, _ = game_of(moves)
    for write_game, read_games, other_write, other_read in (
        (write_csa, read_csa, write_kif, read_kif),
        (write_kif, read_kif, write_csa, read_csa),
    ):
        (game,) = read_games(write_game(actions, {}, ending, value))
        assert (game.ending, game.value, game.actions.tolist()) == (ending, value, actions)
        (game,) = other_read(other_write(game.actions, game.headers, game.ending, game.value))
        assert (game.ending, game.value) == (ending, value)


def test_a_game_broken_off_as_drawn_is_not_agreed_on_in_either_format() -> None:
    """KIF has one word for both, so a comment before it says which."""
    _, actions, _ = game_of("7g7f 3c3d")
    csa, kif = (write(actions, {}, Ending.MAX_PLIES, 0.0) for write in (write_csa, write_kif))
    assert "\n%HIKIWAKE\n" in csa
    assert "\n*max_plies\n   3 持将棋\nまで2手で持将棋\n" in kif
    assert [game.ending for game in (*read_csa(csa), *read_kif(kif))] == [Ending.MAX_PLIES, Ending.MAX_PLIES]
    assert "*" not in write_kif(actions, {}, Ending.AGREEMENT, 0.0)


@FORMATS
def test_both_formats_keep_every_ending_that_they_have_no_word_for(write_game, read_games) -> None:  # type: ignore[no-untyped-def]
    _, actions, _ = game_of("7g7f")
    kept = ("REPETITION", "PERPETUAL_CHECK", "DECLARATION", "MAX_PLIES", "TIME", "AGREEMENT", "RESIGNATION")
    for ending in map(Ending.__getitem__, kept):
        for value in (-1.0, 0.0, 1.0):
            (game,) = read_games(write_game(actions, {}, ending, value))
            assert (game.ending, game.value) == (ending, value)


def test_a_comment_names_the_ending_only_right_before_it() -> None:
    (game,) = read_csa("PI\n+\n'time\n+7776FU\n%-ILLEGAL_ACTION\n")
    assert (game.ending, game.value) == (Ending.ILLEGAL_MOVE, -1.0)
    (game,) = read_kif("手合割：平手\n*time\n   1 ７六歩(77)\n   2 反則負け\n")
    assert (game.ending, game.value) == (Ending.ILLEGAL_MOVE, -1.0)


PLAYED = "手合割：平手\n   1 ７六歩(77)\n   2 ３四歩(33)\n"


@pytest.mark.parametrize(
    ("line", "ending", "value"),  # Black is to move
    [
        ("まで2手で先手の勝ち", Ending.RESIGNATION, 1.0),
        ("まで2手で後手の勝ち", Ending.RESIGNATION, -1.0),
        ("まで2手で先手勝ち", Ending.RESIGNATION, 1.0),
        ("まで２手で先手の勝ち", Ending.RESIGNATION, 1.0),
        ("まで、2手で先手の勝ち", Ending.RESIGNATION, 1.0),
        ("まで2手で時間切れにより先手の勝ち", Ending.TIME, 1.0),
        ("まで2手で先手の切れ負け", Ending.TIME, -1.0),
        ("まで2手で反則負けにより後手の勝ち", Ending.ILLEGAL_MOVE, -1.0),
        ("まで2手で先手の反則負けにより後手の勝ち", Ending.ILLEGAL_MOVE, -1.0),
        ("まで2手で先手の反則勝ち", Ending.ILLEGAL_MOVE, 1.0),
        ("まで2手で先手の入玉勝ち", Ending.DECLARATION, 1.0),
        ("まで2手で時間切れ", Ending.TIME, -1.0),
        ("まで2手で千日手", Ending.REPETITION, 0.0),
        ("まで2手で持将棋", Ending.AGREEMENT, 0.0),
        ("まで2手で引き分け", Ending.AGREEMENT, 0.0),
        ("まで2手で最大手数", Ending.MAX_PLIES, 0.0),
        ("まで2手で中断", Ending.ONGOING, 0.0),
        ("まで2手詰", Ending.ONGOING, 0.0),
        ("   3 不戦敗", Ending.RESIGNATION, -1.0),
        ("   3 不戦勝", Ending.RESIGNATION, 1.0),
    ],
)
def test_how_a_kif_game_ended_is_read_from_its_last_line(line: str, ending: Ending, value: float) -> None:
    (game,) = read_kif(f"{PLAYED}{line}\n")
    assert (game.ending, game.value, len(game.actions)) == (ending, value, 2)


def test_a_line_with_a_colon_makes_no_second_game_of_a_kif() -> None:
    with pytest.raises(BadMove, match="line 5 of the KIF: the move is number 3 instead of 1"):
        list(read_kif(PLAYED + "メモ：よい\n   3 ２六歩(27)\n   4 投了\n"))
    ended = PLAYED + "   3 投了\nまで2手で後手の勝ち\n備考：よい将棋\n"
    assert len(list(read_kif(ended))) == 1
    assert len(list(read_kif(ended + "変化：2手\n   2 ８四歩(83)\n先手：a\n" + PLAYED))) == 2
    assert len(list(read_kif("先手：a\n"))) == 1  # a game of which there is nothing else yet


def test_kif_headers_that_would_say_something_else_are_written_as_comments() -> None:
    keys = ("手合割", "変化", "先手の持駒", "上手の持駒", "1st", "", "|", "*", "#", "&")
    text = write_kif([], {"Black": "a", **dict.fromkeys(keys, "香落ち"), "備考": "b"})
    assert "\n*手合割：香落ち\n" in text
    (game,) = read_kif(text)
    assert game.headers == {"Black": "a", "備考": "b"}
    assert equal(game.start, position())


def test_kif_and_csa_as_other_programs_write_them_a_little_differently() -> None:
    (game,) = read_kif("手合割 ：平手\n先手の持駒：なし\n先手番\n   1 ７六歩(77)\n")
    assert len(game.actions) == 1
    (game,) = read_csa("PI\n+\n+7776FU,\n-3334FU,T1,\n%MATTA\n")
    assert (len(game.actions), game.ending) == (2, Ending.ONGOING)


def test_what_a_csa_file_looks_like() -> None:
    _, actions, _ = game_of("7g7f 3c3d 8h2b+ 3a2b")
    headers = {"Event": "self-play, again", "Round": "3", "White": "b\n\x07c", "Black": "a", "Date": "2026.11.21"}
    assert write_csa(actions, headers, Ending.RESIGNATION, -1.0).splitlines() == [
        "V2.2", "N+a", "N-b c", "$EVENT:self-play; again", "$START_TIME:2026/11/21", "'Round: 3",
        "PI", "+", "+7776FU", "-3334FU", "+8822UM", "-3122GI", "%TORYO", "/",
    ]  # fmt: skip
    assert write_csa([], start=position(f"{BOARD} w - 2")).splitlines() == ["V2.2", "PI", "-", "%CHUDAN", "/"]
    lines = write_csa([], {}, 0, 0.0, position(MATSURI)).splitlines()
    assert lines[1:4] == [
        "P1-KY *  *  *  *  *  * -KE-KY",
        "P2 *  *  *  *  * +TO * -KI-OU",
        "P3 *  * -KE-FU * +GI *  *  * ",
    ]
    assert lines[10:] == ["P+00HI00KI", "P-00FU00FU00FU00FU00FU00KE00GI00KI", "-", "%CHUDAN", "/"]


def test_what_a_kif_file_looks_like() -> None:
    _, actions, _ = game_of("7g7f 3c3d 8h2b+ 3a2b B*5e")
    text = write_kif(
        actions, {"Event": "self-play", "Round": "3", "White": "b", "Black": "a"}, Ending.RESIGNATION, -1.0
    )
    assert text.splitlines() == [
        "手合割：平手", "棋戦：self-play", "Round：3", "後手：b", "先手：a", "手数----指手---------消費時間--",
        "   1 ７六歩(77)   ( 0:00/00:00:00)", "   2 ３四歩(33)   ( 0:00/00:00:00)",
        "   3 ２二角成(88)   ( 0:00/00:00:00)", "   4 同　銀(31)   ( 0:00/00:00:00)",
        "   5 ５五角打   ( 0:00/00:00:00)", "   6 投了", "まで5手で先手の勝ち", "",
    ]  # fmt: skip
    text = write_kif([], {}, 0, 0.0, position(f"{BOARD} w - 2"))
    assert text.splitlines()[-6:-4] == ["先手の持駒：なし", "後手番"]


HANDICAPS = {
    "香落ち": "lnsgkgsn1/1r5b1",
    "右香落ち": "1nsgkgsnl/1r5b1",
    "角落ち": "lnsgkgsnl/1r7",
    "飛車落ち": "lnsgkgsnl/7b1",
    "飛香落ち": "lnsgkgsn1/7b1",
    "二枚落ち": "lnsgkgsnl/9",
    "三枚落ち": "lnsgkgsn1/9",
    "四枚落ち": "1nsgkgsn1/9",
    "五枚落ち": "2sgkgsn1/9",
    "左五枚落ち": "1nsgkgs2/9",
    "六枚落ち": "2sgkgs2/9",
    "左七枚落ち": "2sgkg3/9",
    "右七枚落ち": "3gkgs2/9",
    "八枚落ち": "3gkg3/9",
    "十枚落ち": "4k4/9",
}


@pytest.mark.parametrize(("name", "ranks"), HANDICAPS.items())
def test_handicaps_by_name(name: str, ranks: str) -> None:
    start = position(f"{ranks}/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL w - 1")
    action = from_text(start, "5a5b")
    text = write_kif([action], {"Black": "weak", "White": "strong"}, Ending.RESIGNATION, -1.0, start)
    assert text.splitlines()[:3] == [f"手合割：{name}", "下手：weak", "上手：strong"]
    assert text.splitlines()[-2] == "まで1手で上手の勝ち"
    (game,) = read_kif(text)
    assert equal(game.start, start)
    assert game.headers == {"Black": "weak", "White": "strong"}


def test_csa_positions_are_read_in_all_three_forms() -> None:
    def start_of(text: str) -> str:
        (game,) = read_csa(text)
        return write(game.start)

    assert start_of("PI\n+\n") == START
    assert start_of("V2.2\nN+x\nN-y\n+2726FU\n") == START
    assert start_of("PI82HI22KA\n-\n").startswith("lnsgkgsnl/9/ppppppppp")
    assert start_of("P-51OU\nP+59OU52TO\nP+00FU00FU00KI\n-\n") == "4k4/4+P4/9/9/9/9/9/9/4K4 w G2P 1"
    assert start_of("P-51OU\nP+59OU53FU\nP+00KI\nP-00AL\n+\n").endswith("b G2r2b3g4s4n4l17p 1")
    ranks = [f"P{rank} *  *  *  *" + ("  " if rank == 5 else " -OU *" if rank == 1 else " +OU" if rank == 9 else "")
             for rank in range(1, 10)]  # fmt: skip
    assert start_of("\n".join([*ranks, "+"])) == "4k4/9/9/9/9/9/9/9/4K4 b - 1"


def test_csa_statements_on_one_line_comments_and_times_are_read() -> None:
    lines = "\ufeff'a comment|V2.2|N+a, b|$SITE:x:y|PI|+|+7776FU,T12|-3334FU,'why, not|'**|T3.5|%TORYO,T1"
    text = lines.replace("|", "\r\n")
    (game,) = read_csa(io.StringIO(text))
    assert game.headers == {"Black": "a, b", "Site": "x:y"}
    assert len(game.actions) == 2
    assert (game.ending, game.value) == (Ending.RESIGNATION, -1.0)
    text = "PI,+,+7776FU\n%CHUDAN\n/\n/\n' game 3\n/\nV2.2\nPI\n+\n%TORYO\nV2.2\nPI\n+"
    assert [len(game.actions) for game in read_csa(text)] == [1, 0, 0]
    assert list(read_csa("")) == list(read_csa("V2.2\n'nothing\n/\n")) == []


def test_kif_variations_comments_and_times_are_left_out() -> None:
    text = """# ---- Kifu for Windows ----
開始日時：2003/05/03 10:30:00
手合割：平手
先手：a
後手：b
備考：k：v
手数----指手---------消費時間--
*a comment：with a colon
   1 ７六歩(77)   ( 0:16/00:00:16)
&a bookmark
   2 ３四歩(33)   ( 0:00/00:00:00)+
**another
   3 ２二角成(88)( 0:03/ 0:00:19)
   4 同　銀(31)
   5 投了         ( 0:03/00:00:32)
まで4手で後手の勝ち

変化：2手
   2 ８四歩(83)   ( 0:00/00:00:00)
"""
    for source in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        first, second = read_kif(source + source)
        assert first.headers == {"Date": "2003/05/03 10:30:00", "Black": "a", "White": "b", "備考": "k：v"}
        assert second.actions.tolist() == first.actions.tolist() == game_of("7g7f 3c3d 8h2b+ 3a2b")[1]
        assert (first.ending, first.value) == (Ending.RESIGNATION, -1.0)
    (game,) = read_kif(text.replace("   5 投了         ( 0:03/00:00:32)\n", "").replace("後手の勝ち", "先手の反則負け"))
    assert (game.ending, game.value) == (Ending.ILLEGAL_MOVE, -1.0)


CSA_FAULTS = (
    (
        "PI\n+\n+7776FU\n+2726FU\n",
        BadMove,
        "game 1 of the CSA, line 4: '+2726FU' is not legal here: it is White's move",
    ),
    (
        "PI\n+\n%TORYO\n/\nPI\n+\n+7775FU",
        BadMove,
        "game 2 of the CSA, line 7: '+7775FU' is not legal here: a pawn does",
    ),
    ("PI\n+\n+7776FU\nPI\n", BadPosition, "'PI' stands after the position is complete"),
    ("PI\n+\n+\n", BadMove, "says for the second time who begins"),
    ("PI\n+\n%TORYO\n+7776FU\n", BadMove, "goes on with '+7776FU' after its end"),
    ("PI\n+\n%TORYO\n%KACHI\n", BadMove, "'%KACHI' ends the game for the second time"),
    ("PI\n+\n%HELLO\n", BadMove, "'%HELLO' is no end of a game"),
    ("P1 *  *  *  * -OU *  *  *  * +KI\n+\n", BadPosition, "has more than 9 squares"),
    ("P1 *  *  *  * -OU *  *  *  * xx\n+\n", BadPosition, "has more than 9 squares"),
    ("P9" + " * " * 70 + "+KI\n+\n", BadPosition, "has more than 9 squares"),
    ("hello", BadMove, "'hello' is no statement of CSA"),
    ("PI\n+\n+7776FU,,T3", BadMove, "'' is no statement of CSA"),
    ("N*x", BadMove, "names neither N+ nor N-"),
    ("PI11HI\n+\n", BadPosition, "no HI stands on 11"),
    ("PI00AL\n+\n", BadPosition, "no AL stands on 00"),
    ("P1-OUx\n+\n", BadPosition, "has 'x  ', which is no piece"),
    ("P1-KX\n+\n", BadPosition, "has '-KX', which is no piece"),
    ("P+11\n+\n", BadPosition, "is not made of squares and pieces"),
    ("P+11FU11FU\n+\n", BadPosition, "11 is taken twice"),
    ("P+10FU\n+\n", BadPosition, "10 is no square"),
    ("P+00TO\n+\n", BadPosition, "a TO cannot be held"),
    ("P+" + "11FU" * 99_999, BadMove, "399,998 characters, more than 100,000"),
    ("P+11AL\n+\n", BadPosition, "goes to a hand"),
    ("P+51OU\n+\n", BadPosition, "game 1 of the CSA, line 2: White has no king"),
    ("P+59OU\n", BadPosition, "White has no king"),
)


@pytest.mark.parametrize(("text", "error", "complaint"), CSA_FAULTS)
def test_bad_csa_says_where_and_why(text: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        list(read_csa(text))
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


KIF_FAULTS = (
    ("手合割：平手\n   1 ７五歩(77)\n", BadMove, "line 2 of the KIF: '７五歩(77)' is not legal here: a pawn does not"),
    ("手合割：半手\n   1 ７五歩(77)\n", BadPosition, "the handicap '半手' is not known"),
    ("手合割：その他\n   1 ７五歩(77)\n", BadPosition, "the handicap 'その他' is not known"),
    ("   1 ７六歩(77)\n   2 同　歩(33)\n", BadMove, "a pawn does not move from 3c to 7f"),
    ("   1 同　歩(77)\n", BadMove, "no move went before"),
    ("   1 待った\n", BadMove, "'待った' is not a move"),
    ("what?\n", BadMove, "'what?' is no line of KIF"),
    ("手合割：平手\n   7 ７六歩(77)\n", BadMove, "the move is number 7 instead of 1"),
    ("   1 ７六歩(77)\n   1 ３四歩(33)\n", BadMove, "line 2 of the KIF: the move is number 1 instead of 2"),
    ("   1 ７六歩(77)\n   3 投了\n", BadMove, "the move is number 3 instead of 2"),
    ("手合割：香落ち\n手合割：角落ち\n", BadPosition, "手合割 stands there for the second time"),
    ("手合割：平手\n後手番\n   1 ３四歩(33)\n", BadPosition, "stand there without a diagram"),
    ("手合割：平手\n先手の持駒：飛\n   1 ７六歩(77)\n", BadPosition, "stand there without a diagram"),
    ("   1 ７六歩(77)\n後手番\n", BadMove, "'後手番' stands after the position is complete"),
    ("   1 ７六歩(77)\n|v香\n", BadMove, "'|v香' stands after the position is complete"),
    ("|v香v桂v銀v金v玉v金v銀v桂v香 ・|一\n" * 9, BadPosition, "is no rank of a diagram"),
    ("先手の持駒：玉\n", BadPosition, "'玉' is no part of a hand"),
    ("先手の持駒：歩二十\n", BadPosition, "'歩二十' is no part of a hand"),
    ("先手の持駒：歩　歩\n", BadPosition, "'歩' is no part of a hand"),
    ("|v香v桂v銀v金v玉v金v銀v桂v香|一\n先手：x", BadPosition, "the diagram has 1 ranks instead of 9"),
    ("|v香v桂|一\n" * 9, BadPosition, "is no rank of a diagram"),
    ("| ・ ・ ・ ・ ・ ・ ・ ・ ・|一\n" * 9, BadPosition, "Black has no king"),
)


@pytest.mark.parametrize(("text", "error", "complaint"), KIF_FAULTS)
def test_bad_kif_says_where_and_why(text: str, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error) as caught:
        list(read_kif(text))
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@FORMATS
def test_an_illegal_action_is_not_written(write_game, read_games) -> None:  # type: ignore[no-untyped-def]
    _, actions, _ = game_of("7g7f 3c3d")
    with pytest.raises(BadMove, match="ply 3 of the game: '7i7f' is not legal there"):
        write_game([*actions, actions[0]])
    with pytest.raises(BadMove, match="ply 1 of the game: action -1 is no move"):
        write_game([-1])


@FORMATS
def test_a_long_game_is_written_and_read_quickly(write_game, read_games) -> None:  # type: ignore[no-untyped-def]
    _, actions, _ = game_of("5i5h 5a5b 5h5i 5b5a")
    begin = time.process_time()
    (game,) = read_games(write_game(actions * 250))
    assert game.actions.tolist() == actions * 250
    assert time.process_time() - begin < 2.0  # a millisecond a ply, twice


def test_bytes_are_read_in_the_usual_encodings() -> None:
    text = "手合割：平手\r\n先手：渡辺\r\n"
    assert shogi.decode is decode
    for encoding in ("utf-8", "utf-8-sig", "cp932"):
        assert decode(text.encode(encoding)) == text
    assert isinstance(decode(bytes(range(256))), str)


# --- with other programs ----------------------------------------------------------------------------------------


def usi_moves(start: Array, actions: list[int]) -> list[str]:
    """The actions as USI."""
    row, texts = start.copy(), []
    for action in actions:
        texts.append(to_text(row, action))
        play(row, action)
    return texts


@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_csa_agrees_with_cshogi_both_ways(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    cshogi = pytest.importorskip("cshogi", reason="cshogi reads and writes CSA independently")
    exporter = pytest.importorskip("cshogi.CSA", reason="cshogi reads and writes CSA independently").Exporter
    start, actions, last = random_game(seed)
    moves = usi_moves(start, actions)
    text = write_csa(actions, {"Black": "a", "White": "b", "Event": "c"}, Ending.RESIGNATION, -1.0, start)
    first, second, _after_the_last_separator = cshogi.Parser.parse_str(text + text)
    for theirs in (first, second):
        assert [cshogi.move_to_usi(move) for move in theirs.moves] == moves
        assert equal(position(theirs.sfen), start)
        assert theirs.names == ["a", "b"]
        assert theirs.win == (cshogi.WHITE_WIN if last["turn"] == 0 else cshogi.BLACK_WIN)

    path = tmp_path_factory.mktemp("csa") / "game.csa"
    board, written = cshogi.Board(sfen=write(start)), exporter(str(path))
    written.info(cshogi.Board(sfen=write(start)), names=["a", "b"], version="V2.2", comment="x")
    for move in moves:
        written.move(board.move_from_usi(move), time=3)
        board.push_usi(move)
    written.endgame("%TORYO", time=1)
    written.close()
    (game,) = read_csa(path.read_text(encoding="utf-8"))
    assert equal(game.start, start)
    assert game.actions.tolist() == actions


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_kif_agrees_with_cshogi_both_ways(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    cshogi = pytest.importorskip("cshogi", reason="cshogi reads and writes KIF independently")
    kif = pytest.importorskip("cshogi.KIF", reason="cshogi reads and writes KIF independently")
    start, actions, _ = random_game(seed)
    moves = usi_moves(start, actions)
    path = tmp_path_factory.mktemp("kif") / "game.kifu"
    board, written = cshogi.Board(sfen=write(start)), kif.Exporter(str(path))
    written.header(["a", "b"], handicap=cshogi.Board(sfen=write(start)))
    for move in moves:
        written.move(board.move_from_usi(move), 3, 3)
        board.push_usi(move)
    written.end("resign")
    written.close()
    (game,) = read_kif(path.read_text(encoding="utf-8"))
    assert equal(game.start, start)
    assert game.actions.tolist() == actions
    assert (game.ending, game.value) == (Ending.RESIGNATION, -1.0)
    if write(start).startswith(BOARD):  # their reader passes over diagrams
        theirs = kif.Parser.parse_str(write_kif(actions, {"Black": "a"}, Ending.RESIGNATION, -1.0, start))
        assert [cshogi.move_to_usi(move) for move in theirs.moves] == moves
        assert theirs.endgame == "%TORYO"
        broken_off = kif.Parser.parse_str(write_kif(actions, {}, Ending.MAX_PLIES, 0.0, start))
        assert [cshogi.move_to_usi(move) for move in broken_off.moves] == moves


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_csa_and_kif_are_read_by_python_shogi(seed: int) -> None:
    csa = pytest.importorskip("shogi.CSA", reason="python-shogi reads CSA independently")
    kif = pytest.importorskip("shogi.KIF", reason="python-shogi reads KIF independently")
    start, actions, last = random_game(seed)
    moves, winner = usi_moves(start, actions), "w" if last["turn"] == 0 else "b"
    held = write(start).split()[2]
    if not re.search(r"\d", held):  # it cannot read two pieces of a kind in hand from a CSA file
        text = write_csa(actions, {"Black": "a", "White": "b"}, Ending.RESIGNATION, -1.0, start)
        (theirs,) = csa.Parser.parse_str(text + text)  # it stops at the first end
        assert (theirs["moves"], theirs["names"], theirs["win"]) == (moves, ["a", "b"], winner)
    (theirs,) = kif.Parser.parse_str(write_kif(actions, {"Black": "a"}, Ending.RESIGNATION, -1.0, start))
    assert (theirs["moves"], theirs["win"]) == (moves, winner)
    (theirs,) = kif.Parser.parse_str(write_kif(actions, {}, Ending.MAX_PLIES, 0.0, start))
    assert (theirs["moves"], theirs["win"]) == (moves, "-")
    if write(start).startswith(BOARD) and moves:
        text = kif.Exporter.kif({"names": ["a", "b"], "sfen": START, "moves": moves, "win": winner})
        (game,) = read_kif(text)
        assert game.actions.tolist() == actions


# --- fuzz -------------------------------------------------------------------------------------------------------


@given(seeds, st.text(max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_legal_move_or_a_bad_move(seed: int, text: str) -> None:
    _, actions, row = random_game(seed % 50, plies=seed % 3)
    previous = actions[-1] if actions else None
    for reader in (from_text, from_csa, from_western, lambda row, text: from_japanese(row, text, previous)):
        for tried in (text, slipped(to_japanese(row, int(legal(row)[0])), seed)):
            try:
                assert reader(row, tried) in legal(row)
            except BadMove as error:
                assert len(str(error).splitlines()) == 1  # noqa: PT017


def slipped(text: str, seed: int) -> str:
    """The text with some random slips."""
    random = Random(seed)
    slips = [*"P1+-*%/'N$,\n\0\r０同打成不(7) ", "：", "変化：1手", "|", "同　", "\n/\n", "00AL", "\u2028", "９９"]
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(slips) + text[at + random.choice((0, 1, 1, 3)) :]
    return text


@FORMATS
@given(seed=seeds)
@settings(max_examples=300, deadline=None)
def test_files_with_slips_are_games_or_named_errors(write_game, read_games, seed: int) -> None:  # type: ignore[no-untyped-def]
    start, actions, _ = random_game(seed, plies=seed % 6)
    text = slipped(write_game(actions, HEADERS, Ending(seed % 10), float(seed % 3) - 1.0, start), seed)
    try:
        for game in read_games(text):
            write_game(game.actions, game.headers, game.ending, game.value, game.start)
    except (BadMove, BadPosition) as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert len(str(error)) < 300  # noqa: PT017


@FORMATS
@given(text=st.one_of(st.text(), st.binary().map(decode)))
@settings(max_examples=200, deadline=None)
def test_any_file_is_games_or_a_named_error(write_game, read_games, text: str) -> None:  # type: ignore[no-untyped-def]
    try:
        list(read_games(text))
    except (BadMove, BadPosition) as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@FORMATS
def test_megabytes_are_answered_at_once(write_game, read_games) -> None:  # type: ignore[no-untyped-def]
    for letter in (*"a+%, 1１|　(変：手T", "P+", "P+00FU", "1 ", "まで1手で", "T1,", "1 ( 0:0", "|v"):
        begin = time.process_time()
        try:
            list(read_games(letter * (2_000_000 // len(letter))))
        except (BadMove, BadPosition) as error:
            assert len(str(error)) < 300  # noqa: PT017
        assert time.process_time() - begin < 1.0


def test_the_readers_need_no_other_library() -> None:
    for name in ("sfen", "usi", "csa", "kif", "japanese", "records"):
        source = (Path(__file__).parent.parent / f"games/shogi/{name}.py").read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) c?shogi", source, re.MULTILINE)
