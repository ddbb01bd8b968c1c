"""Shogi positions as text: SFEN with one clear sentence for everything that is wrong, and the board for the eye."""

import re
import time
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games.errors import BadPosition
from games.shogi.rules import PAST, STATE, apply, position_key
from games.shogi.sfen import build, hands_of, pieces_of, read, show, turned, write
from games.shogi.usi import from_text, legal, play, to_text
from rlcore.jit import Array

BOARD = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL"
START = f"{BOARD} b - 1"
MATSURI = "l6nl/5+P1gk/2np1S3/p1p4Pp/3P2Sp1/1PPb2P1P/P5GS1/R8/LN4bKL w RGgsn5p 1"
VARIED = (
    START,
    MATSURI,
    "R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1",  # the most legal moves
    "l2kg2+R1/4n3+L/p1gpps3/4np3/6P1N/PP+rP2pS1/1pG2P3/4P1G2/LN3KB1+p b SPbsl4p 1",
    "lr6l/3g1kg2/p2pp2s+P/2Ps1ppp1/8L/P1nP2PR1/1P3PS2/1SGK5/LN3G3 b B2N3Pb2p 1",  # in check
    "l+Rl2g2+R/2p+Sks2+L/p3p4/2Ppnp1S1/4n1Pbp/PP2G4/1G3P+n2/Kp2P4/L8 w GS4Pbnp 1",
    "1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1",
)
KINGS = "4k4/9/9/9/9/9/9/9/4K4"


def position(sfen: str = START) -> Array:
    """A row read from SFEN."""
    row = np.zeros(1, STATE)[0]
    read(row, sfen)
    return row


def random_position(seed: int) -> Array:
    """A position some random moves away from one of the varied ones."""
    random = Random(seed)
    row = position(random.choice(VARIED))
    for _ in range(random.choice((0, 1, 2, 5, 10, 40, 120))):
        actions = legal(row)
        if len(actions):
            play(row, random.choice(actions))
    return row


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sfen", "complaint"),
    [
        ("", "it is empty"),
        (" \n\t", "it is empty"),
        ("sfen", "it is empty"),
        ("hello", "it needs 4 fields, or 3 without a move number, and has 1: 'hello'"),
        (f"{BOARD} b", "and has 2"),
        (f"{START} moves 7g7f", "and has 6"),
        (f"sfen sfen {START}", "and has 5"),
        (f"startpos {START}", "and has 5"),
        ("x" * 3_000_000, "3,000,000 characters, more than 200"),
        (f"{BOARD} b - 1\0", "not plain text"),
        (f"{BOARD} b - 1\x1b[2J", "not plain text"),
        (f"{BOARD} b - １", "not plain text"),
        (f"{BOARD} b - ²", "not plain text"),
        (f"{BOARD} b - \u0663", "not plain text"),
        (BOARD.replace("p", "歩", 1) + " b - 1", "not plain text, such as '\\u6b69'"),
        (f"{BOARD.rpartition('/')[0]} b - 1", "8 ranks instead of 9"),
        (f"{BOARD}/9 b - 1", "10 ranks instead of 9"),
        (BOARD.replace("9", "8", 1) + " b - 1", "rank d, '8', has 8 squares"),
        (BOARD.replace("9", "9p", 1) + " b - 1", "rank d, '9p', has 10 squares"),
        (BOARD.replace("9", "", 1) + " b - 1", "rank d, '', has 0 squares"),
        (BOARD.replace("9", "p0p7", 1) + " b - 1", "rank d, 'p0p7', has '0', which is no piece"),
        (BOARD.replace("9", "45", 1) + " b - 1", "two numbers in a row"),
        (BOARD.replace("9", "8X", 1) + " b - 1", "has 'X', which is no piece"),
        (BOARD.replace("9", "8.", 1) + " b - 1", "has '.', which is no piece"),
        (BOARD.replace("9", "8+", 1) + " b - 1", "rank d, '8+', has '+' before nothing"),
        (BOARD.replace("9", "+9", 1) + " b - 1", "has '+' before '9'"),
        (BOARD.replace("9", "8+G", 1) + " b - 1", "has '+' before 'G'"),
        (BOARD.replace("k", "+k", 1) + " b - 1", "has '+' before 'k'"),
        (BOARD.replace("9", "8++P", 1) + " b - 1", "has '+' before '+'"),
        (f"{BOARD} x - 1", "side to move is 'x' instead of 'b' or 'w'"),
        (f"{BOARD} B - 1", "side to move is 'B'"),
        ("9/9/9/9/9/9/9/9/9 b - 1", "Black has no king"),
        ("9/9/9/9/9/9/9/9/8K b - 1", "White has no king"),
        ("KKKKKKKKK/9/9/9/9/9/9/9/9 b - 1", "Black has 9 kings"),
        (f"k{KINGS[1:]} b - 1", "rank a, 'kk4', has 6 squares"),
        (f"k3k4{KINGS[3:]} b - 1", "White has 2 kings"),
        (f"{KINGS} b 18P2p 1", "there are 20 pawns on the board and in hand, more than 18"),
        (f"{BOARD} b P 1", "there are 19 pawns"),
        (f"{BOARD.replace('9', '8+P', 1)} b - 1", "there are 19 pawns"),
        (f"{BOARD} b g 1", "there are 5 golds"),
        (f"{BOARD.replace('9', '8+b', 1)} b - 1", "there are 3 bishops"),
        (f"{KINGS} b 3R 1", "there are 3 rooks"),
        (f"{KINGS} b 19P 1", "have '19' before 'P', not 2 to 18"),
        (f"{BOARD} b 99P 1", "have '99' before 'P', not 2 to 18"),
        ("k8/9/9/9/9/9/9/9/K8 b 2147483647P 1", "have '2147483647' before 'P'"),
        (f"{KINGS} b 1P 1", "have '1' before 'P'"),
        (f"{KINGS} b 0P 1", "have '0' before 'P'"),
        (f"{KINGS} b 02P 1", "have '02' before 'P'"),
        (f"{KINGS} b PP 1", "name Black's pawns twice"),
        (f"{KINGS} b RpGP2p 1", "name White's pawns twice"),
        (f"{KINGS} b K 1", "the hands are 'K' instead of '-'"),
        (f"{KINGS} b +P 1", "the hands are '+P'"),
        (f"{KINGS} b 2 1", "the hands are '2'"),
        (f"{KINGS} b R- 1", "the hands are 'R-'"),
        (f"{KINGS} b -- 1", "the hands are '--'"),
        (f"P3k4{KINGS[3:]} b - 1", "Black's pawn on 9a could never move"),
        (f"L3k4{KINGS[3:]} b - 1", "Black's lance on 9a could never move"),
        (f"N3k4{KINGS[3:]} b - 1", "Black's knight on 9a could never move"),
        (f"{KINGS.replace('9', '8N', 1)} b - 1", "Black's knight on 1b could never move"),
        (f"{KINGS[:-3]}4K3p b - 1", "White's pawn on 1i could never move"),
        (f"{KINGS[:-3]}4K3l b - 1", "White's lance on 1i could never move"),
        ("4k4/9/9/9/9/9/9/n8/4K4 b - 1", "White's knight on 9h could never move"),
        ("4k4/9/2P6/9/2P6/9/9/9/4K4 b - 1", "Black has two pawns on file 7"),
        ("4k4/9/2p6/9/2P6/9/2p6/9/4K4 b - 1", "White has two pawns on file 7"),
        ("4k4/4P4/9/9/9/9/9/9/4K4 b - 1", "White is in check, but it is Black's move"),
        ("4k4/9/9/9/4l4/9/9/9/4K4 w - 1", "Black is in check, but it is White's move"),
        ("9/9/9/9/3kK4/9/9/9/9 b - 1", "White is in check"),
        (f"{BOARD} b - -3", "move number is '-3' instead of a number from 0 to 65536"),
        (f"{BOARD} b - 65537", "move number is '65537'"),
        (f"{BOARD} b - 1.5", "move number is '1.5'"),
        (f"{BOARD} b - 1e3", "move number is '1e3'"),
        (f"{BOARD} b - -99999999999999999999", "move number is '-99999999999999999999'"),
        (f"{BOARD} b - {'9' * 100}", "move number is '9999"),
        (f"{BOARD} b - {'9' * 5000}", "characters, more than 200"),
    ],
)
def test_bad_sfen_gets_one_sentence(sfen: str, complaint: str) -> None:
    row = position(MATSURI)
    with pytest.raises(BadPosition) as caught:
        read(row, sfen)
    message = str(caught.value)
    assert message.startswith("bad SFEN: ")
    assert complaint in message
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert len(message) < 250
    assert row == position(MATSURI)  # left alone


@pytest.mark.parametrize("squares", [0, 80, 82, 141])
def test_a_board_is_81_squares(squares: int) -> None:
    with pytest.raises(BadPosition, match=f"the board has {squares} squares instead of 81"):
        build(([24, 8] + [0] * 139)[:squares], ([0] * 8, [0] * 8), 0)


def test_megabytes_are_refused_at_once() -> None:
    begin = time.process_time()
    for text in ("9/" * 2_000_000, " " * 4_000_000 + "x", "9" * 4_000_000, "\n" * 4_000_000, "１" * 1_000_000):
        assert readable(text) is None
    assert time.process_time() - begin < 1.0


@pytest.mark.parametrize(
    ("sfen", "meant"),
    [
        ("startpos", START),
        (" startpos\n", START),
        (f"sfen {START}", START),
        (f"{BOARD} b -", START),
        (f"{BOARD} b - 0", START),
        (f"{BOARD} w - 007", f"{BOARD} w - 7"),
        (f"  {BOARD}\tb  - 1\r\n", START),
        (f"{BOARD} b - 65536", f"{BOARD} b - 65536"),
        (f"{KINGS} b 2pPsRb18P"[:-3] + " 1", f"{KINGS} b RPbs2p 1"),
        (f"{KINGS} w p2P 1", f"{KINGS} w 2Pp 1"),  # White's hand first
        (f"{KINGS} w 17Pp2R4G 1", f"{KINGS} w 2R4G17Pp 1"),
        (f"{KINGS} b PLNSGBRplnsgbr 1", f"{KINGS} b RBGSNLPrbgsnlp 1"),
    ],
)
def test_sfen_is_read_generously_and_written_one_way(sfen: str, meant: str) -> None:
    assert write(position(sfen)) == meant


@pytest.mark.nojit
def test_the_row_as_the_side_to_move_sees_it() -> None:
    row = position(START)
    assert write(row) == START
    assert row["low"][4] == 0x1FF << 54  # the nine pawns
    assert row["high"][4] == 0x1FF << 8 | 1 << 6 | 1
    assert row["key"] == position_key(row)
    row = position(f"{BOARD} w - 2")
    assert (row["turn"], row["ply"]) == (1, 1)
    assert (row["low"] == position(START)["low"]).all()  # the start position looks the same from both sides
    held = position(f"{KINGS} w R2Pb 1")
    assert (held["own_hand"], held["opponent_hand"]) == (1 << 32, 1 << 40 | 2)


def test_boards_and_hands_are_taken_apart_and_put_together() -> None:
    for sfen in VARIED:
        row = position(sfen)
        assert build(pieces_of(row), hands_of(row), int(row["turn"]), int(row["ply"])) == row
        other = turned(turned(row))
        assert all((other[name] == row[name]).all() for name in ("low", "high", "own_hand", "opponent_hand", "turn"))


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_positions_are_read_back(seed: int) -> None:
    row = random_position(seed)
    again = position(write(row))
    for name in STATE.names:
        assert name in PAST or (again[name] == row[name]).all()


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_sfen_agrees_with_cshogi_both_ways(seed: int) -> None:
    cshogi = pytest.importorskip("cshogi", reason="cshogi is the independent reader of SFEN")
    row = random_position(seed)
    board = cshogi.Board(sfen=write(row))
    assert board.sfen() == write(row)
    if moves := sorted(cshogi.move_to_usi(move) for move in board.legal_moves):
        move = Random(seed).choice(moves)
        board.push_usi(move)
        play(row, from_text(row, move))
        assert write(row) == board.sfen()
        assert position(board.sfen())["key"] == row["key"]


# --- fuzz -------------------------------------------------------------------------------------------------------


def readable(text: str) -> Array | None:
    """The row of a text; None where it is refused, in a sentence, with the row left alone."""
    row = np.zeros(1, STATE)[0]
    try:
        read(row, text)
    except BadPosition as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert len(str(error)) < 250  # noqa: PT017
        assert row == np.zeros(1, STATE)[0]
        return None
    return row


def check_readable(text: str) -> None:
    row = readable(text)
    if row is None:
        return
    assert row == position(write(row))
    child = np.zeros(1, STATE)
    for action in legal(row):
        child[0] = row
        apply(child[0], action)
        legal(child[0])


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_position_or_a_bad_position(text: str) -> None:
    check_readable(text)


@st.composite
def strewn(draw: st.DrawFn) -> str:
    """Kings and men on random squares, and fields that mostly make sense."""
    squares = draw(st.lists(st.integers(0, 80), unique=True, min_size=2, max_size=24))
    board = dict(zip(squares, "Kk", strict=False))
    men = st.sampled_from([*"PpLlNnSsGgBbRr", *(f"+{letter}" for letter in "PpLlNnSsBbRr")])
    board |= {square: draw(men) for square in squares[2:]}
    ranks = ["".join(board.get(9 * rank + column, ".") for column in range(9)) for rank in range(9)]
    field = re.sub(r"\.+", lambda empty: str(len(empty[0])), "/".join(ranks))
    hands = draw(st.sampled_from(["-"] * 4 + ["P", "2P3p", "RBGSNLP", "4g", "3P2PP", "18P", "Rr2n"]))
    return f"{field} {draw(st.sampled_from('bw'))} {hands} {draw(st.sampled_from(['1', '200', '', '0', 'x']))}"


@given(strewn())
@settings(max_examples=500, deadline=None)
def test_strewn_boards_are_a_position_or_a_bad_position(text: str) -> None:
    check_readable(text)


@given(strewn())
@settings(max_examples=300, deadline=None)
def test_whatever_is_read_has_the_legal_moves_that_cshogi_finds(text: str) -> None:
    cshogi = pytest.importorskip("cshogi", reason="cshogi is the independent move generator")
    row = readable(text)
    if row is not None:
        board = cshogi.Board(sfen=write(row))
        moves = {to_text(row, action) for action in legal(row)}
        assert moves == {cshogi.move_to_usi(move) for move in board.legal_moves}


@given(st.sampled_from(VARIED), st.data())
@settings(max_examples=400, deadline=None)
def test_an_sfen_with_slips_is_a_position_or_a_bad_position(sfen: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.sampled_from([1, 1, 1, 2, 3]))):
        at = data.draw(st.integers(0, len(sfen) - 1))
        slip = data.draw(st.sampled_from([*"PLNSGBRKplnsgbrk123456789/+-wb 0\0", ""]))
        sfen = sfen[:at] + slip + sfen[at + data.draw(st.integers(0, 1)) :]
    check_readable(sfen)


# --- for the eye ------------------------------------------------------------------------------------------------


def test_the_board_is_shown_with_black_below_whoever_moves() -> None:
    lines = show(position(MATSURI), ascii=True).splitlines()
    assert lines[0] == "White's hand: G S N 5P"
    assert lines[2] == "  9  8  7  6  5  4  3  2  1"
    assert lines[3] == "  l  .  .  .  .  .  .  n  l  a"
    assert lines[4] == "  .  .  .  .  . +P  .  g  k  b"
    assert lines[11] == "  L  N  .  .  .  .  b  K  L  i"
    assert lines[-1] == "Black's hand: R G"
    assert show(position(), ascii=True).startswith("White's hand: -\n")


def test_the_board_is_shown_as_japanese_programs_draw_it() -> None:
    lines = show(position(MATSURI)).splitlines()
    assert lines[0] == "後手の持駒：金　銀　桂　歩五"
    assert lines[1] == "  ９ ８ ７ ６ ５ ４ ３ ２ １"
    assert lines[3] == "|v香 ・ ・ ・ ・ ・ ・v桂v香|一"
    assert lines[4] == "| ・ ・ ・ ・ ・ と ・v金v玉|二"
    assert lines[-1] == "先手の持駒：飛　金"
    assert show(position(VARIED[2])).splitlines()[0] == "後手の持駒：金三　桂三　歩十七"
    assert show(position()).splitlines()[-1] == "先手の持駒：なし"
