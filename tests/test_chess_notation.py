"""Positions and moves as text: FEN, UCI, SAN and PGN; one clear sentence for everything that is wrong."""

import io
import subprocess
import sys
from pathlib import Path

import chess
import chess.pgn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games.chess import (
    NUM_ACTIONS,
    STATE,
    Ending,
    apply,
    from_san,
    from_text,
    read,
    read_pgn,
    show,
    to_board,
    to_san,
    to_text,
    write,
    write_pgn,
)
from games.errors import BadMove, BadPosition
from rlcore.jit import Array
from tests.chess_help import KIWIPETE, START, legal, moves, play, position, row_of

ROOT = Path(__file__).resolve().parent.parent
BOARD = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR"
VARIED = [
    line.split(";")[0].strip()
    for line in (ROOT / "tests/data/chess_perft_generated.epd").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]

# --- FEN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fen", "complaint"),
    [
        ("", "it is empty"),
        (" \n\t", "it is empty"),
        ("hello", "it needs 6 fields, or 4 without clocks, and has 1: 'hello'"),
        (f"{BOARD} w KQkq", "and has 3"),
        (f"{BOARD} w KQkq - 0", "and has 5"),
        (f"{BOARD} w KQkq - 0 1 extra", "and has 7"),
        ("x" * 3_000_000, "3,000,000 characters"),
        (f"{BOARD} w KQkq - 0 1\0", "not plain text"),
        (f"{BOARD} w KQkq - \u0663 1", "not plain text"),
        (BOARD.replace("p", "\u2654", 1) + " w KQkq - 0 1", "not plain text"),
        ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP w - - 0 1", "7 ranks instead of 8"),
        (f"{BOARD}/8 w KQkq - 0 1", "9 ranks instead of 8"),
        (BOARD.replace("8", "7", 1) + " w KQkq - 0 1", "rank 6, '7', has 7 squares"),
        (BOARD.replace("8", "8p", 1) + " w KQkq - 0 1", "rank 6, '8p', has 9 squares"),
        (BOARD.replace("8", "", 1) + " w KQkq - 0 1", "rank 6, '', has 0 squares"),
        (BOARD.replace("8", "9", 1) + " w KQkq - 0 1", "rank 6, '9', has '9'"),
        (BOARD.replace("8", "0p7", 1) + " w KQkq - 0 1", "has '0'"),
        (BOARD.replace("8", "44", 1) + " w KQkq - 0 1", "two numbers in a row"),
        (BOARD.replace("8", "7X", 1) + " w KQkq - 0 1", "has 'X', which is no piece"),
        (f"{BOARD} x KQkq - 0 1", "side to move is 'x'"),
        (f"{BOARD} W KQkq - 0 1", "side to move is 'W'"),
        ("8/8/8/8/8/8/8/8 w - - 0 1", "White has no king"),
        ("8/8/8/8/8/8/8/K7 w - - 0 1", "Black has no king"),
        ("k6k/8/8/8/8/8/8/K7 w - - 0 1", "Black has 2 kings"),
        ("k7/8/8/8/8/8/8/K6P w - - 0 1", "White has a pawn on the first or last rank"),
        ("pppppppp/8/8/8/8/8/8/4K2k w - - 0 1", "Black has a pawn on the first or last rank"),
        ("k7/8/8/8/8/P7/PPPPPPPP/K7 w - - 0 1", "White has 9 pawns"),
        ("rnbqkbnr/pppppppp/n7/8/8/8/8/K7 w - - 0 1", "Black has 17 pieces"),
        ("k7/8/8/8/8/QQ6/PPPPPPPP/K7 w - - 0 1", "White has 9 pawns and promoted pieces, more than 8"),
        ("k7/8/8/8/NNN5/BBB5/PPPPPPP1/K7 w - - 0 1", "White has 9 pawns and promoted pieces, more than 8"),
        ("k6R/8/8/8/8/8/8/K7 w - - 0 1", "Black is in check, but it is White's move"),
        ("k7/8/8/8/8/8/8/K6r b - - 0 1", "White is in check, but it is Black's move"),
        ("8/8/8/3kK3/8/8/8/8 w - - 0 1", "Black is in check"),
        ("1r2k3/8/8/8/8/8/8/R3KR2 w KQkq - 0 1", "'K' needs White's king on e1 and rook on h1"),
        ("r4k2/8/8/8/8/8/8/4K3 w q - 0 1", "'q' needs Black's king on e8 and rook on a8"),
        (f"{BOARD} w KQkqK - 0 1", "castling rights are 'KQkqK'"),
        (f"{BOARD} w x - 0 1", "castling rights are 'x'"),
        (f"{BOARD} w HAha - 0 1", "Chess960"),
        (f"{BOARD} w KQkq e9 0 1", "en passant square is 'e9'"),
        (f"{BOARD} w KQkq -- 0 1", "en passant square is '--'"),
        (f"{BOARD} w KQkq e3 0 1", "passed over the en passant square 'e3'"),
        (f"{BOARD} w KQkq e6 0 1", "passed over the en passant square 'e6'"),
        (f"{BOARD} w KQkq e4 0 1", "passed over the en passant square 'e4'"),
        ("4k3/4p3/8/3Pp3/8/8/8/4K3 w - e6 0 1", "passed over the en passant square 'e6'"),  # e7 not empty
        (f"{BOARD} w KQkq - -1 1", "half-move clock is '-1'"),
        (f"{BOARD} w KQkq - x 1", "half-move clock is 'x'"),
        (f"{BOARD} w KQkq - 65536 1", "half-move clock is '65536'"),
        (f"{BOARD} w KQkq - 1e3 1", "half-move clock is '1e3'"),
        (f"{BOARD} w KQkq - {'9' * 100} 1", "half-move clock is '9999"),
        (f"{BOARD} w KQkq - {'9' * 5000} 1", "characters, more than 200"),
        (f"{BOARD} w KQkq - 0 -3", "move number is '-3'"),
        (f"{BOARD} w KQkq - 0 32769", "move number is '32769'"),
        (f"{BOARD} w KQkq - 0 1.5", "move number is '1.5'"),
        (f"{BOARD} w KQkq - bm e4;", "half-move clock is 'bm'"),
    ],
)
def test_bad_fen_gets_one_sentence(fen: str, complaint: str) -> None:
    row = position(KIWIPETE)
    with pytest.raises(BadPosition) as caught:
        read(row, fen)
    message = str(caught.value)
    assert message.startswith("bad FEN: ")
    assert complaint in message
    assert len(message.splitlines()) == 1
    assert len(message) < 250
    assert row == position(KIWIPETE)  # left alone


@pytest.mark.parametrize(
    ("fen", "meant"),
    [
        (START, f"{BOARD} w KQkq - 0 1"),
        (f"{BOARD} w KQkq -", f"{BOARD} w KQkq - 0 1"),  # as in EPD
        (f"{BOARD} b KQkq -", f"{BOARD} b KQkq - 0 1"),
        (f"{BOARD} w qkQK - 0 1", f"{BOARD} w KQkq - 0 1"),
        (f"{BOARD} w KQkq - 00 0", f"{BOARD} w KQkq - 0 1"),
        (f"  {BOARD}\tw  KQkq - 0 1\r\n", f"{BOARD} w KQkq - 0 1"),
        (f"{BOARD} b Kq - 150 32768", f"{BOARD} b Kq - 150 32768"),
        (
            "rnbqkbnr/pppp1ppp/8/4p3/8/8/PPPPPPPP/RNBQKBNR w KQkq e6 0 2",
            "rnbqkbnr/pppp1ppp/8/4p3/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 2",
        ),
    ],
)
def test_fen_is_read_generously_and_written_one_way(fen: str, meant: str) -> None:
    assert write(position(fen)) == meant


def test_fen_agrees_with_python_chess_both_ways() -> None:
    for fen in VARIED:
        for board in (chess.Board(fen), chess.Board(fen).mirror()):
            row = position(board.fen())
            assert row == row_of(board)
            assert write(row) == board.fen(en_passant="legal")
            assert to_board(row) == board


def readable(text: str) -> Array | None:
    """The row of a text; None where it is refused, in a sentence, with the row left alone."""
    row = np.zeros(1, STATE)[0]
    try:
        read(row, text)
    except BadPosition as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        assert row == np.zeros(1, STATE)[0]
        return None
    return row


def check_readable(text: str) -> None:
    row = readable(text)
    if row is None:
        return
    again = position(write(row))
    assert row == again
    board = to_board(row)
    unreachable = chess.STATUS_IMPOSSIBLE_CHECK | chess.STATUS_TOO_MANY_CHECKERS
    assert board.status() & ~unreachable == chess.STATUS_VALID, text
    assert moves(row) == {move.uci() for move in board.legal_moves}
    for action in legal(row):
        child = np.zeros(1, STATE)
        child[0] = row
        apply(child[0], action)
        legal(child[0])


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_position_or_a_bad_position(text: str) -> None:
    check_readable(text)


@st.composite
def strewn(draw: st.DrawFn) -> str:
    """Kings and men on random squares, pawns mostly where pawns can be, and fields that mostly make sense."""
    squares = draw(st.lists(st.integers(0, 63), unique=True, min_size=2, max_size=24))
    board = dict(zip(squares, "Kk", strict=False))
    for square in squares[2:]:
        man = draw(st.sampled_from("PPPPNBRQppppnbrq"))
        if man not in "Pp" or 8 <= square < 56 or draw(st.integers(0, 40)) == 0:
            board[square] = man
    rows = ["".join(board.get(8 * rank + file, ".") for file in range(8)) for rank in range(7, -1, -1)]
    field = "/".join(rows)
    for run in range(8, 0, -1):
        field = field.replace("." * run, str(run))
    side = draw(st.sampled_from("wb"))
    castling = draw(st.sampled_from(["-"] * 8 + ["KQkq", "K", "q", "AHah"]))
    rank = draw(st.sampled_from([5 if side == "w" else 2] * 8 + [3, 7]))
    beside = [s for s, man in board.items() if man == ("p" if side == "w" else "P") and s // 8 in (3, 4)]
    passing = chess.FILE_NAMES[draw(st.sampled_from(beside)) % 8] + str(rank + 1) if beside else "-"
    clocks = draw(st.sampled_from([" 0 1", " 99 80", "", " 5 0", " 65535 32768", " 1 32769"]))
    return f"{field} {side} {castling} {draw(st.sampled_from(['-', passing]))}{clocks}"


@given(strewn())
@settings(max_examples=500, deadline=None)
def test_strewn_boards_are_a_position_or_a_bad_position(text: str) -> None:
    check_readable(text)


@given(st.sampled_from([KIWIPETE, *VARIED]), st.data())
@settings(max_examples=400, deadline=None)
def test_a_fen_with_slips_is_a_position_or_a_bad_position(fen: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.sampled_from([1, 1, 1, 2, 3]))):
        at = data.draw(st.integers(0, len(fen) - 1))
        slip = data.draw(st.sampled_from([*"PNBRQKpnbrqk12345678/-wb ae36\0", ""]))
        fen = fen[:at] + slip + fen[at + data.draw(st.integers(0, 1)) :]
    check_readable(fen)


# --- UCI --------------------------------------------------------------------------------------------------------


@pytest.mark.nojit
def test_moves_as_text() -> None:
    row = position(KIWIPETE)
    assert {"e1g1", "e1c1", "a2a4", "e5f7", "f3h3"} <= moves(row)
    assert to_text(row, 12) == "e2e3"  # one step north from e2
    play(row, "a2a4")
    assert from_text(row, "b4a3") in legal(row)  # Black's view: ranks mirrored, files not
    assert to_text(row, from_text(row, "e8g8")) == "e8g8"


def test_every_legal_move_is_read_back_and_nothing_else_is_read() -> None:
    squares = [file + rank for file in "abcdefgh" for rank in "12345678"]
    every = [a + b + piece for a in squares for b in squares for piece in ("", "n", "b", "r", "q")]
    fens = [KIWIPETE, "n1n5/1P6/8/8/8/8/p7/K1k5 b - - 0 1", "n1n5/1P6/8/8/1pP5/8/8/K1k5 b - c3 0 1"]
    for fen in fens:
        row = position(fen)
        accepted = {}
        for text in every:
            try:
                accepted[text] = from_text(row, text)
            except BadMove:
                continue
        assert set(accepted) == moves(row) == {move.uci() for move in chess.Board(fen).legal_moves}
        assert sorted(accepted.values()) == sorted(legal(row).tolist())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not a move"),
        ("hello", "'hello' is not a move"),
        ("0000", "'0000' is not a move"),
        ("e2e4 ", "is not a move"),
        ("e2e4\n", "is not a move"),
        ("e2-e4", "is not a move"),
        ("E2E4", "is not a move"),
        ("e2e9", "is not a move"),
        ("a7a8k", "is not a move"),
        ("e\u0662e4", "is not a move"),
        ("x" * 1_000_000, "is not a move"),
        ("e2e5", "'e2e5' is not legal here"),
        ("e2e4q", "nothing promotes by this move"),
        ("a7a8", "say what the pawn becomes, as in 'a7a8q'"),
        ("a7b8r", "'a7b8r' is not legal here"),
        ("a1a2", "'a1a2' is not legal here"),
        ("e7e5", "'e7e5' is not legal here"),  # the other side's
    ],
)
def test_bad_moves_say_whether_they_are_unreadable_or_illegal(text: str, complaint: str) -> None:
    row = position("4k3/P3p3/8/8/8/8/4P3/4K3 w - - 0 1")
    with pytest.raises(BadMove) as caught:
        from_text(row, text)
    assert complaint in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 200


@given(st.text(max_size=8))
@settings(deadline=None)
def test_any_text_is_a_legal_move_or_a_bad_move(text: str) -> None:
    row = position()
    try:
        assert from_text(row, text) in legal(row)
    except BadMove:
        assert text not in moves(row)


def test_numbers_that_are_no_move_have_no_text() -> None:
    row = position()
    for action in (-1, NUM_ACTIONS, 10**9, 63):  # 63: one step north from h8
        with pytest.raises(BadMove, match="is no move on a chess board"):
            to_text(row, action)


# --- SAN --------------------------------------------------------------------------------------------------------


def test_san_of_every_legal_move_is_read_back() -> None:
    for fen in VARIED[::10]:
        row, board = position(fen), chess.Board(fen)
        for action in legal(row):
            text = to_san(row, action)
            assert text == board.san(chess.Move.from_uci(to_text(row, action)))
            assert from_san(row, text) == action


def test_bad_san_says_whether_it_is_unreadable_ambiguous_or_illegal() -> None:
    row = position("4k3/8/8/8/8/8/4K3/R6R w - - 0 1")
    for text, complaint in (
        ("Rd1", "could be several moves"),
        ("Ra9", "is not a move"),
        ("Qd1", "is not legal here"),
        ("O-O", "is not legal here"),
        ("--", "is not a move"),
        ("", "is not a move"),
    ):
        with pytest.raises(BadMove, match=complaint):
            from_san(row, text)
    with pytest.raises(BadMove, match="is not legal here"):
        to_san(row, from_text(position(), "e2e4"))


# --- PGN --------------------------------------------------------------------------------------------------------


def game_of(text: str, fen: str = START) -> tuple[Array, list[int], Array]:
    """(start, actions, last row) of moves in UCI."""
    start, row, actions = position(fen), position(fen), []
    for move in text.split():
        actions.append(from_text(row, move))
        play(row, move)
    return start, actions, row


def test_a_game_is_written_so_that_python_chess_and_we_read_it() -> None:
    _, actions, _ = game_of("f2f3 e7e5 g2g4 d8h4")
    text = write_pgn(actions, {"Event": "test", "White": "fool", "Black": 'the "wise"\n'}, Ending.CHECKMATE, -1.0)
    assert "1. f3 e5 2. g4 Qh4# 0-1" in text
    assert text.endswith("\n\n")
    theirs = chess.pgn.read_game(io.StringIO(text))
    assert theirs is not None
    assert not theirs.errors
    assert theirs.end().board().is_checkmate()
    assert theirs.headers["Black"] == "the 'wise' "
    assert theirs.headers["Termination"] == "normal"
    (ours,) = read_pgn(text)
    assert ours.actions.dtype == np.uint16
    assert ours.actions.tolist() == actions
    assert ours.result == "0-1"
    assert ours.headers["Ending"] == "checkmate"
    assert ours.start == position()


@pytest.mark.parametrize(
    ("plies", "ending", "value", "result", "termination"),
    [
        (0, Ending.ONGOING, 0.0, "*", "unterminated"),
        (1, Ending.RESIGNATION, -1.0, "1-0", "normal"),  # Black, to move, has lost
        (2, Ending.RESIGNATION, -1.0, "0-1", "normal"),
        (1, Ending.TIME, 1.0, "0-1", "time forfeit"),
        (2, Ending.ILLEGAL_MOVE, 1.0, "1-0", "rules infraction"),
        (2, Ending.THREEFOLD, 0.0, "1/2-1/2", "normal"),
        (2, Ending.MAX_PLIES, 0.0, "1/2-1/2", "adjudication"),
        (2, Ending.AGREEMENT, 0.0, "1/2-1/2", "normal"),
    ],
)
def test_results_in_pgn(plies: int, ending: Ending, value: float, result: str, termination: str) -> None:
    _, actions, _ = game_of("e2e4 e7e5")
    text = write_pgn(actions[:plies], {"Result": "overwritten"}, ending, value)
    (game,) = read_pgn(text)
    assert (game.result, game.headers["Termination"]) == (result, termination)
    assert game.headers["Ending"] == ending.name.lower()


def test_whoever_ends_a_game_may_say_how_in_pgn() -> None:
    (game,) = read_pgn(write_pgn([], {"Termination": "abandoned"}, Ending.ILLEGAL_MOVE, -1.0))
    assert (game.result, game.headers["Termination"]) == ("0-1", "abandoned")


def test_pgn_from_another_start_and_several_games_in_a_file() -> None:
    start, actions, last = game_of("b4c3 e1g1 c3b2", KIWIPETE.replace(" w ", " b "))
    text = write_pgn(actions, start=start) + write_pgn([]) + write_pgn(np.array(actions, np.uint16), start=start)
    games = list(read_pgn(io.StringIO(text)))
    assert [len(game.actions) for game in games] == [3, 0, 3]
    row = games[2].start.copy()
    for action in games[2].actions:
        apply(row, action)
    assert row == last
    assert start == position(KIWIPETE.replace(" w ", " b "))  # not played on


def test_a_very_long_game() -> None:
    _, actions, _ = game_of("g1f3 g8f6 f3g1 f6g8 " * 700)
    (game,) = read_pgn(write_pgn(actions))
    assert game.actions.tolist() == actions


def test_comments_and_variations_are_left_out() -> None:
    (game,) = read_pgn("1. e4 {best by test} (1. d4 d5) e5 $1 2. Nf3 *")
    row = position()
    for action in game.actions:
        apply(row, action)
    assert write(row).startswith("rnbqkbnr/pppp1ppp/8/4p3/4P3/5N2/PPPP1PPP/RNBQKB1R b")


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ("1. e4 e5 *\n\n1. e4 Ke7 *", BadMove, "game 2 of the PGN: illegal san: 'Ke7'"),
        ("1. e4 -- 2. d4 *", BadMove, "game 1 of the PGN: '0000' is not a move"),
        ('[FEN "8/8/8/8/8/8/8/8 w - - 0 1"]\n\n*', BadPosition, "game 1 of the PGN: bad FEN: White has no king"),
        ('[FEN "what?"]\n\n*', BadPosition, "game 1 of the PGN: bad FEN"),
        ('[Variant "Atomic"]\n\n1. e4 *', BadPosition, "the variant 'Atomic' is not played here"),
        ('[Variant "Chess960"]\n\n1. e4 *', BadPosition, "the variant 'Chess960' is not played here"),
    ],
)
def test_bad_pgn_says_which_game_and_why(
    text: str, error: type[Exception], complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error) as caught:
        list(read_pgn(text))
    assert complaint in str(caught.value)
    assert capfd.readouterr().err == ""  # python-chess logs what it stumbles over


def test_an_illegal_action_is_not_written() -> None:
    _, actions, _ = game_of("e2e4 e7e5")
    with pytest.raises(BadMove, match="ply 3 of the game: 'e2e4' is not legal there"):
        write_pgn([*actions, actions[0]])


# --- the rest ---------------------------------------------------------------------------------------------------


def test_the_board_is_shown_with_white_below_whoever_moves() -> None:
    row = position()
    lines = show(row, ascii=True).splitlines()
    assert lines[0] == "8  r n b q k b n r"
    assert lines[7] == "1  R N B Q K B N R"
    assert lines[-1].split() == list("abcdefgh")
    play(row, "e2e4")
    lines = show(row, ascii=True).splitlines()
    assert lines[4] == "4  . . . . P . . ."
    assert lines[7] == "1  R N B Q K B N R"
    assert show(row).splitlines()[0] == "8  ♜ ♞ ♝ ♛ ♚ ♝ ♞ ♜"


def test_fen_and_uci_work_without_python_chess() -> None:
    program = """
import sys
sys.modules["chess"] = None
import numpy as np
from games import chess
row = np.zeros(1, chess.STATE)[0]
chess.read(row, "r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1")
chess.apply(row, np.uint16(chess.from_text(row, "e8c8")))
print(chess.write(row), chess.show(row, ascii=True)[:4])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "2kr3r/8/8/8/8/8/8/R3K2R w KQ - 1 2 8  .\n"
