"""Openings: the built-in ones, random ones, and files of all kinds; what is wrong with a file is one line."""

import re

import pytest

import games
from selfplay.openings import OpeningError, common_openings, random_openings, read_openings

CHESS = games.load("chess")
SHOGI = games.load("shogi")
TIC_TAC_TOE = games.load("tic_tac_toe")
AFTER_E4 = "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"


def moves(game, opening) -> str:
    """The moves of an opening as text."""
    board = opening.play(game)
    return " ".join(game.to_text(board.history.states[0, i], action) for i, action in enumerate(board.actions))


@pytest.fixture
def file(tmp_path):
    def write(text, name="openings.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("game", [CHESS, SHOGI])
def test_twelve_common_openings_are_different_and_go_on(game) -> None:
    found = common_openings(game)
    positions = {game.write(opening.play(game).state) for opening in found}
    assert len(found) == len(positions) == 12
    assert len({opening.name for opening in found}) == 12
    assert not any(opening.play(game).ending for opening in found)


def test_the_openings_of_the_paper_have_its_codes() -> None:
    named = {opening.name[:3]: moves(CHESS, opening) for opening in common_openings(CHESS)}
    assert " ".join(named) == "A10 D06 A46 E00 E61 C00 B50 B30 B40 C60 B10 A05"
    assert named["C60"] == "e2e4 e7e5 g1f3 b8c6 f1b5"


def test_a_game_without_common_openings_says_so() -> None:
    with pytest.raises(OpeningError, match="no common openings are known of tic_tac_toe, only of chess and shogi"):
        common_openings(TIC_TAC_TOE)


def test_random_openings_repeat_with_their_seed_and_end_no_game() -> None:
    found = random_openings(CHESS, 20, 6, seed=4)
    assert found == random_openings(CHESS, 20, 6, seed=4) != random_openings(CHESS, 20, 6, seed=5)
    assert {len(opening.actions) for opening in found} == {6}
    assert len({opening.actions for opening in found}) == 20
    short = random_openings(TIC_TAC_TOE, 50, 9, seed=1)
    assert not any(opening.play(TIC_TAC_TOE).ending for opening in short)


def test_a_line_is_moves_or_a_position_or_both(file) -> None:
    text = f"""
# a remark
e2e4 c7c5                     # Sicilian
startpos moves e2e4
position startpos moves d2d4 d7d5
startpos
{AFTER_E4}
fen {AFTER_E4} moves c7c5     # from a position
{AFTER_E4[:-4]} bm c7c5; id "an EPD";
"""
    found = read_openings(CHESS, file(text))
    assert [moves(CHESS, one) for one in found] == ["e2e4 c7c5", "e2e4", "d2d4 d7d5", "", "", "c7c5", ""]
    assert [one.name for one in found] == [
        "Sicilian",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
        "from a position",
        "line 9",
    ]
    assert [one.start == "startpos" for one in found] == [True, True, True, True, False, False, False]
    assert {one.start for one in found[4:]} == {AFTER_E4}


def test_shogi_lines_are_usi(file) -> None:
    text = (
        "7g7f 3c3d\nposition startpos moves 2g2f\nsfen lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL w - 1"
    )
    found = read_openings(SHOGI, file(text))
    assert [moves(SHOGI, one) for one in found] == ["7g7f 3c3d", "2g2f", ""]
    assert found[2].play(SHOGI).turn == 1


def test_openings_may_be_cut_short(file) -> None:
    (found,) = read_openings(CHESS, file("e2e4 c7c5 g1f3"), most_plies=2)
    assert moves(CHESS, found) == "e2e4 c7c5"
    assert max(len(opening.actions) for opening in common_openings(SHOGI, most_plies=4)) == 4


def test_games_of_a_pgn_are_openings(file) -> None:
    text = f'[ECO "B20"]\n[Opening "Sicilian"]\n\n1. e4 c5 *\n\n[FEN "{AFTER_E4}"]\n\n1... e5 *\n'
    first, second = read_openings(CHESS, file(text, "book.pgn"))
    assert (first.name, moves(CHESS, first), first.start) == ("B20 Sicilian", "e2e4 c7c5", "startpos")
    assert (second.name, moves(CHESS, second), second.start) == ("game 2", "e7e5", AFTER_E4)


def test_games_of_csa_and_kif_are_openings(tmp_path) -> None:
    actions = common_openings(SHOGI)[0].actions
    for name, write in (("one.csa", SHOGI.write_csa), ("one.kif", SHOGI.write_kif)):
        path = tmp_path / name
        path.write_bytes(write(actions).encode("cp932"))
        assert read_openings(SHOGI, path)[0].actions == actions


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("e2e4\ne2e5\n", "line 2: 'e2e5' is not legal here"),
        ("\n\ne2e4 hello", "line 3: 'hello' is not a move"),
        ("8/8/8/8/8/8/8/8 w - - 0 1", "line 1: bad FEN"),
        ("f2f3 e7e5 g2g4 d8h4", "line 1: the game is over after this opening"),
        ("# nothing\n\n", "holds no opening"),
        ("", "holds no opening"),
        ("\0\x01\x02", "line 1: "),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(file, text: str, wrong: str) -> None:
    with pytest.raises(OpeningError, match=re.escape(wrong)) as caught:
        read_openings(CHESS, file(text))
    assert "\n" not in str(caught.value)
    assert "openings.txt" in str(caught.value)


def test_a_bad_pgn_is_one_line(file) -> None:
    with pytest.raises(OpeningError, match="game 2 of the PGN"):
        read_openings(CHESS, file("1. e4 *\n\n1. e5 *\n", "book.pgn"))
    with pytest.raises(OpeningError, match="game 1: the game is over"):
        read_openings(CHESS, file("1. f3 e5 2. g4 Qh4# 0-1\n", "book.pgn"))


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(OpeningError, match=r"nowhere.txt cannot be read \(No such file or directory\)"):
        read_openings(CHESS, tmp_path / "nowhere.txt")
    with pytest.raises(OpeningError, match="cannot be read"):
        read_openings(CHESS, tmp_path)
