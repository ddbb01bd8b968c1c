"""The rules of chess, case by case. Positions come from the sources named in tests/data and the comments here."""

import numpy as np
import pytest

from games.chess import (
    MAX_LEGAL,
    STATE,
    Ending,
    apply,
    in_check,
    init,
    insufficient_material,
    legal_actions,
    position_key,
    write,
)
from tests.chess_help import KIWIPETE, START, ending, endings, legal, moves, play, position

# --- moves ------------------------------------------------------------------------------------------------------


@pytest.mark.nojit
def test_the_start_position() -> None:
    row = position()
    assert len(moves(row)) == 20
    assert write(row) == "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
    assert ending(row) == (Ending.ONGOING, 0.0)


def test_every_seed_begins_from_the_start_position() -> None:
    states = np.zeros(3, STATE)
    for seed in range(3):
        init(states[seed], seed)
    assert (states == position()).all()


def test_max_legal_moves_fit_the_buffer() -> None:
    row = position("R6R/3Q4/1Q4Q1/4Q3/2Q4Q/Q4Q2/pp1Q4/kBNN1KB1 w - - 0 1")
    assert len(legal(row)) == MAX_LEGAL == 218


@pytest.mark.parametrize(
    ("fen", "passing"),
    [  # the first six: Stockfish's tests of the en passant square
        ("rnbqkbnr/ppp1p1pp/5p2/3pP3/8/8/PPPP1PPP/RNBQKBNR w kq d6 0 3", "e5d6"),
        ("k1r5/8/8/1pP5/2K5/8/8/8 w - b6 0 1", None),  # capturer pinned on the file
        ("k1r5/8/8/PpP5/8/2K5/8/8 w - b6 0 1", "a5b6"),  # one capturer pinned, the other free
        ("k7/4b3/8/PpP5/1K6/8/8/8 w - b6 0 1", "a5b6"),  # the same on the diagonal
        ("k7/8/8/r2pPK2/8/8/8/8 w - d6 0 1", None),  # both pawns leave the rank
        ("kb6/8/8/3pP3/5K2/8/8/8 w - d6 0 1", "e5d6"),  # stays on the pinning diagonal
        ("8/8/8/r2Pp2K/8/8/4k3/8 w - e6 0 1", None),  # horizontal skewer
        ("2b1r2r/8/5P1k/2p1pP2/5R1P/6PK/4q3/4R3 w - e6 0 1", "f5e6"),  # still blocks the diagonal
        ("8/8/8/5k2/4Pp2/8/2B5/4K3 b - e3 0 1", None),  # does not end the diagonal check
        ("8/8/8/7B/6Pp/8/4k2K/3r4 b - g3 0 1", None),  # opens the diagonal
        ("8/5K2/8/3k4/3pP3/8/8/3R4 b - e3 0 1", None),  # pinned on the file
        ("8/8/8/2k5/2pP4/8/4K3/8 b - d3 0 1", "c4d3"),  # takes the checking pawn
    ],
)
def test_en_passant_square_is_kept_only_for_a_legal_capture(fen: str, passing: str | None) -> None:
    row = position(fen)
    square = fen.split()[3]
    assert write(row).split()[3] == (square if passing else "-")
    captures = {move for move in moves(row) if move[2:] == square and move[0] != square[0]}
    assert captures == ({passing} if passing else set())


@pytest.mark.nojit
def test_a_double_push_leaves_an_en_passant_square_only_where_it_counts() -> None:
    row = position("4k3/8/8/8/1p6/8/P1P4P/4K3 w - - 0 1")
    after = {}
    for push in ("a2a4", "c2c4", "h2h4"):
        states = np.zeros(1, STATE)
        states[0] = row
        play(states[0], push)
        after[push] = write(states[0]).split()[3]
    assert after == {"a2a4": "a3", "c2c4": "c3", "h2h4": "-"}
    pinned = position("8/8/8/8/k1p4R/8/3P4/4K3 w - - 0 1")
    play(pinned, "d2d4")
    assert write(pinned).split()[3] == "-"


def test_en_passant_removes_the_pawn_that_passed() -> None:
    row = position("4k3/8/8/8/1p6/8/P7/4K3 w - - 7 30")
    play(row, "a2a4 b4a3")
    assert write(row) == "4k3/8/8/8/8/p7/8/4K3 w - - 0 31"


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("fen", "allowed"),
    [
        ("1r2k3/8/8/8/8/8/8/R3K3 w Q - 0 1", True),  # only b1 is attacked
        ("r3k3/8/8/8/8/8/8/R3K3 w Q - 0 1", True),  # only the rook is attacked
        ("3rk3/8/8/8/8/8/8/R3K3 w Q - 0 1", False),  # d1 is attacked
        ("2r1k3/8/8/8/8/8/8/R3K3 w Q - 0 1", False),  # c1 is attacked
        ("4k3/4r3/8/8/8/8/8/R3K3 w Q - 0 1", False),  # in check
        ("4k3/8/8/8/8/8/8/RN2K3 w Q - 0 1", False),  # b1 is occupied
        ("4k3/8/8/8/8/8/8/R3K3 w - - 0 1", False),  # the right is gone
    ],
)
def test_castling_long(fen: str, allowed: bool) -> None:
    assert ("e1c1" in moves(position(fen))) is allowed


@pytest.mark.parametrize(
    ("fen", "allowed"),
    [
        ("4k2r/8/8/8/8/8/8/4K2R w K - 0 1", True),  # only the rook is attacked
        ("4kr2/8/8/8/8/8/8/4K2R w K - 0 1", False),  # f1 is attacked
        ("4k1r1/8/8/8/8/8/8/4K2R w K - 0 1", False),  # g1 is attacked
        ("4k3/8/8/8/7b/8/8/4K2R w K - 0 1", False),  # in check
        ("4k3/8/8/8/8/8/8/4KN1R w K - 0 1", False),
        ("4k3/8/8/8/8/8/8/4K1NR w K - 0 1", False),
    ],
)
def test_castling_short(fen: str, allowed: bool) -> None:
    assert ("e1g1" in moves(position(fen))) is allowed


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("move", "after"),
    [
        ("e1g1", "r3k2r/8/8/8/8/8/8/R4RK1 b kq - 1 1"),
        ("e1c1", "r3k2r/8/8/8/8/8/8/2KR3R b kq - 1 1"),
        ("e1e2", "r3k2r/8/8/8/8/8/4K3/R6R b kq - 1 1"),
        ("a1b1", "r3k2r/8/8/8/8/8/8/1R2K2R b Kkq - 1 1"),
        ("h1g1", "r3k2r/8/8/8/8/8/8/R3K1R1 b Qkq - 1 1"),
        ("a1a8", "R3k2r/8/8/8/8/8/8/4K2R b Kk - 0 1"),
        ("h1h8", "r3k2R/8/8/8/8/8/8/R3K3 b Qq - 0 1"),
    ],
)
def test_castling_moves_and_what_ends_the_right_to_them(move: str, after: str) -> None:
    row = position("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1")
    play(row, move)
    assert write(row) == after


def test_black_castles_too() -> None:
    for move, after in (
        ("e8g8", "r4rk1/8/8/8/8/8/8/R3K2R w KQ - 1 2"),
        ("e8c8", "2kr3r/8/8/8/8/8/8/R3K2R w KQ - 1 2"),
    ):
        row = position("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1")
        play(row, move)
        assert write(row) == after


def test_a_promotion_that_takes_the_rook_ends_its_right() -> None:
    row = position("r3k3/1P6/8/8/8/8/8/4K3 w q - 0 1")
    play(row, "b7a8q")
    assert write(row) == "Q3k3/8/8/8/8/8/8/4K3 b - - 0 1"


def test_a_rook_that_moved_and_took_the_other_leaves_no_rights() -> None:
    row = position("2r1k2r/2qbbpp1/p2pp3/1p3PP1/Pn2P3/1PN1B3/1P3QB1/1K1R3R b k - 0 22")
    play(row, "h8h1")
    assert write(row).split()[2] == "-"


@pytest.mark.nojit
def test_promotions_to_all_four_pieces_straight_and_by_capture() -> None:
    row = position("n1n5/1P6/8/8/8/8/8/K1k5 w - - 0 1")
    assert {m for m in moves(row) if m[0] == "b"} == {f"b7{to}8{piece}" for to in "abc" for piece in "nbrq"}
    for piece in "nbrq":
        for to, left in (("a", "{}1n5"), ("b", "n{}n5"), ("c", "n1{}5")):
            row = position("n1n5/1P6/8/8/8/8/8/K1k5 w - - 0 1")
            play(row, f"b7{to}8{piece}")
            assert write(row) == f"{left.format(piece.upper())}/8/8/8/8/8/8/K1k5 b - - 0 1"


def test_only_the_king_moves_in_double_check() -> None:
    row = position("4k3/2p5/3N4/8/8/8/8/4R1K1 b - - 0 1")
    assert in_check(row)
    assert {move[:2] for move in moves(row)} == {"e8"}


# --- keys and repetition ----------------------------------------------------------------------------------------


def test_keys_tell_positions_apart_by_what_the_repetition_rule_compares() -> None:
    same = position("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1")["key"]
    assert position("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 40 61")["key"] == same  # clocks do not count
    others = [
        "r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1",  # the side to move
        "r3k2r/8/8/8/8/8/8/R3K2R w KQk - 0 1",  # a castling right
        "r3k2r/8/8/8/8/8/8/R3K2R w Qkq - 0 1",
        "r3k2r/8/8/8/8/8/8/1R2K2R w Kkq - 0 1",  # a piece
    ]
    keys = [same, *(position(fen)["key"] for fen in others)]
    assert len(set(map(int, keys))) == len(keys)
    usable, useless = "4k3/8/8/8/Pp6/8/8/4K3 b - {} 0 1", "4k3/8/8/8/P1p5/8/8/4K3 b - {} 0 1"
    assert position(usable.format("a3"))["key"] != position(usable.format("-"))["key"]
    assert position(useless.format("a3"))["key"] == position(useless.format("-"))["key"]


def test_a_position_and_its_colour_mirror_have_different_keys() -> None:
    white = position("4k3/8/8/8/8/8/PPP5/4K3 w - - 0 1")
    black = position("4k3/ppp5/8/8/8/8/8/4K3 b - - 0 1")
    assert all(white[name] == black[name] for name in ("pawns", "own", "opponent", "kings"))
    assert white["key"] != black["key"]


@pytest.mark.parametrize(
    ("fen", "text", "repeated"),
    [
        (  # R1: the double push offers no legal capture in passing (cutechess #817)
            "6k1/1p2p1rp/rP1pR3/2pP1pP1/p1P2P1P/R5K1/8/8 b - - 0 1",
            "h7h5 e6h6 g7h7 h6e6 h7g7 e6h6 g7h7 h6e6 h7g7",
            [9],
        ),
        (  # R2: it was possible the first time (chesslib #39)
            START,
            "e2e4 g8f6 e4e5 d7d5 f1c4 b8c6 c4f1 c6b8 f1c4 b8c6 c4f1 c6b8",
            [],
        ),
        (  # R3: after d2d4 Black is in check, so no capture in passing (chesslib #39)
            "8/8/8/8/4p3/8/R2P3k/K7 w - - 0 37",
            "d2d4 h2h3 a2a3 h3h2 a3a2 h2h1 a2a3 h1h2 a3a2",
            [9],
        ),
        (  # R4: the first time Q and q were still there: two cycles are not enough, the third is
            "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1",
            "a1b1 a8b8 b1a1 b8a8 " * 3,
            [10, 11, 12],
        ),
        (START, "g1f3 g8f6 f3g1 f6g8 g1f3 g8f6 f3g1 f6g8", [8]),  # R5
    ],
)
def test_threefold_repetition(fen: str, text: str, repeated: list[int]) -> None:
    """The plies after which the game ends by it."""
    found = endings(fen, text)
    assert [ply for ply, reason in enumerate(found, start=1) if reason == Ending.THREEFOLD] == repeated
    assert set(found) <= {Ending.ONGOING, Ending.THREEFOLD}


def test_fivefold_repetition_after_the_fourth_cycle() -> None:
    """R6 of the sequences: the start counts as the first occurrence."""
    row = position("rnbq1rk1/ppp3pp/3bpn2/3p1p2/2PP4/2NBPN2/PP3PPP/R1BQK2R w KQ - 3 7")
    keys = [int(row["key"])]
    for cycle in range(1, 5):
        for move in ("d3e2", "f6e4", "e2d3", "e4f6"):
            play(row, move)
            keys.append(int(row["key"]))
        assert keys.count(int(row["key"])) == cycle + 1
    assert ending(row, earlier=4)[0] == Ending.THREEFOLD


def test_the_key_kept_along_the_way_equals_one_rebuilt() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        row = position(KIWIPETE)
        for _ in range(60):
            actions = legal(row)
            if len(actions) == 0:
                break
            apply(row, rng.choice(actions))
            assert row["key"] == position_key(row), write(row)


# --- endings ----------------------------------------------------------------------------------------------------


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("fen", "reason", "value"),
    [
        ("rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3", Ending.CHECKMATE, -1.0),
        ("R5k1/5ppp/8/8/8/8/8/6K1 b - - 0 1", Ending.CHECKMATE, -1.0),
        ("k7/8/1Q6/8/8/8/8/7K b - - 0 1", Ending.STALEMATE, 0.0),
        ("k7/3N4/1K6/1B6/8/8/8/8 b - - 99 1", Ending.STALEMATE, 0.0),
        # fifty moves; the first four from python-chess's tests
        ("6R1/7k/8/8/1r3B2/5K2/8/8 w - - 99 119", Ending.ONGOING, 0.0),
        ("8/7k/8/6R1/1r3B2/5K2/8/8 b - - 100 119", Ending.FIFTY_MOVES, 0.0),
        ("k7/8/NKB5/8/8/8/8/8 b - - 105 176", Ending.CHECKMATE, -1.0),  # mate comes before the count
        ("8/7k/8/1r3KR1/5B2/8/8/8 w - - 149 122", Ending.FIFTY_MOVES, 0.0),
    ],
)
def test_endings(fen: str, reason: Ending, value: float) -> None:
    assert ending(position(fen)) == (reason, value)


def test_the_fiftieth_move_ends_the_game_and_a_capture_or_pawn_move_starts_the_count_again() -> None:
    fen = "6R1/7k/8/8/1r3B2/5K2/7P/8 w - - 99 119"
    assert endings(fen, "g8g5") == [Ending.FIFTY_MOVES]
    assert endings(fen, "h2h3") == [Ending.ONGOING]
    row = position("8/7k/8/1r3KR1/5B2/8/8/8 w - - 149 122")
    play(row, "f5e4")
    assert row["fifty"] == 150
    row = position("8/7k/8/8/1r3B2/4K3/8/8 b - - 99 119")
    play(row, "b4f4")
    assert row["fifty"] == 0


@pytest.mark.parametrize(
    ("fen", "draw"),
    [  # python-chess's tests
        ("8/5k2/8/8/8/8/3K4/8 w - - 0 1", True),
        ("8/3k4/8/8/2N5/8/3K4/8 b - - 0 1", True),
        ("8/5k2/8/8/8/4B3/3K1B2/8 w - - 0 1", True),
        ("5K2/8/8/1B6/8/k7/6b1/8 w - - 0 39", True),
        ("8/8/8/4k3/5b2/3K4/8/2B5 w - - 0 33", True),
        ("k1K1B1B1/8/8/8/8/8/8/8 w - - 7 32", True),
        ("8/4bk2/8/8/8/8/3KB3/8 w - - 0 1", False),
        ("8/8/3Q4/2bK4/B7/8/1k6/8 w - - 1 68", False),
        ("8/4rk2/8/8/8/8/3K4/8 w - - 0 1", False),
        ("8/4qk2/8/8/8/8/3K4/8 w - - 0 1", False),
        ("kbK1B1B1/8/8/8/8/8/8/8 w - - 7 32", False),
        ("8/8/4k3/8/8/4KNN1/8/8 w - - 0 1", False),
        # blocked dead positions are not seen as dead, as in python-chess: the move counts end such games
        ("8/8/1k1p1p1p/1p1P1P1P/pP1P4/P2K4/8/8 w - - 0 1", False),
        ("4k3/1b4p1/1P2p1P1/1P1pP3/2pP4/2P2B2/8/4K3 w - - 0 1", False),
    ],
)
def test_insufficient_material(fen: str, draw: bool) -> None:
    row = position(fen)
    assert insufficient_material(row) is draw
    assert (ending(row)[0] == Ending.INSUFFICIENT_MATERIAL) is draw


def test_the_ply_limit_counts_from_move_one_and_comes_last() -> None:
    row = position("6k1/5ppp/8/8/8/8/8/4R1K1 w - - 0 61")
    assert row["ply"] == 120
    assert ending(row, max_plies=0)[0] == Ending.ONGOING
    assert ending(row, max_plies=121)[0] == Ending.ONGOING
    assert ending(row, max_plies=120)[0] == Ending.MAX_PLIES
    play(row, "e1e8")
    assert ending(row, max_plies=121) == (Ending.CHECKMATE, -1.0)


def test_a_saved_row_does_not_change_when_play_goes_on() -> None:
    states = np.zeros(2, STATE)
    init(states[0], 0)
    saved = states[0].copy()
    states[1] = states[0]
    for _ in range(20):
        actions = np.zeros(MAX_LEGAL, np.uint16)
        n = legal_actions(states[1], actions)
        apply(states[1], actions[n // 2])
    assert states[0] == saved
    assert states[1] != saved
