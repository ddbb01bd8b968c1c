"""A person at the terminal: the board, the words, the endings; with pipes, and through a real pseudo-terminal."""

import contextlib
import io
import os
import re
import select
import signal
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engine_help import CHESS, ROOT, complaints, make_run, script

import games
from agents.engine.board import Board
from agents.engine.chess_view import ChessView
from agents.engine.shogi_view import ShogiView
from agents.engine.terminal import play
from agents.engine.views import VIEWS, NoView, view_class
from agents.players import RandomPlayer, SearchPlayer
from games.chess import read_pgn
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from selfplay.engines import make_player

BACK_RANK = "7k/8/6K1/8/8/8/8/R7 w - - 0 1"  # Ra8 mates
MATE_IN_ONE = "rnbqkbnr/pppp1ppp/8/4p3/8/5P2/PPPPP1PP/RNBQKBNR w KQkq - 0 2"  # after g4, Qh4 mates
KNIGHTS_OUT_AND_BACK = "g1f3 g8f6 f3g1 f6g8"


class Scripted:
    """Plays the moves it is given."""

    name = "a script"

    def __init__(self, moves: str, game=CHESS) -> None:
        self.moves, self.game = moves.split(), game

    def act(self, history, games, rng):
        state = history.states[0, history.length[0] - 1]
        return np.array([self.game.from_text(state, self.moves.pop(0))], np.uint16)


def session(typed: str, player=None, side="first", start="startpos", ascii=True, game=CHESS) -> str:
    """What a session without a terminal says to typed lines (separated by ";")."""
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    before = sys.stdin
    sys.stdin = io.StringIO(typed.replace(";", "\n"))
    try:
        with contextlib.redirect_stdout(said):
            players = player if isinstance(player, list) else [player or RandomPlayer(game)]
            assert play(game, players, side, ascii, start, seed=1) == 0
    finally:
        sys.stdin = before
    return said.buffer.getvalue().decode()


def boards(said: str) -> list[str]:
    """The boards that were shown, without what stands beside them."""
    return ["\n".join(line[:27] for line in lines.splitlines()) for lines in re.findall(r"((?: [1-8] .*\n){8})", said)]


# --- the game in progress --------------------------------------------------------------------------------------------


def random_moves(board: Board, plies: int) -> None:
    """Random moves up to a number of plies, but none that ends the game."""
    generator = np.random.default_rng(1)
    while len(board.actions) < plies:
        board.play(int(generator.choice(board.legal)))
        if board.ending:
            board.undo()


def test_a_board_makes_room_as_the_game_grows() -> None:
    small, large = Board(CHESS, capacity=1), Board(CHESS, capacity=400)
    for board in (small, large):
        for text in f"{KNIGHTS_OUT_AND_BACK} g1f3".split():
            board.play(CHESS.from_text(board.state, text))
        random_moves(board, 100)
    assert small.actions == large.actions
    assert np.array_equal(small.history.states[0, :101], large.history.states[0, :101])
    assert np.array_equal(small.history.earlier[0, :101], large.history.earlier[0, :101])
    assert small.history.earlier[0, 4:6].tolist() == [1, 1]
    assert small.history.length == large.history.length == 101


def test_moves_taken_back_leave_no_trace() -> None:
    board, never = Board(CHESS), Board(CHESS)
    for text in KNIGHTS_OUT_AND_BACK.split():
        board.play(CHESS.from_text(board.state, text))
    assert board.history.earlier[0, 4] == 1
    board.undo(3)
    for text in ["g8h6", "f3g1"]:
        board.play(CHESS.from_text(board.state, text))
    for text in ["g1f3", "g8h6", "f3g1"]:
        never.play(CHESS.from_text(never.state, text))
    assert CHESS.write(board.state) == CHESS.write(never.state)
    assert board.actions == never.actions
    assert board.legal == never.legal
    assert np.array_equal(board.history.earlier[0, :4], never.history.earlier[0, :4])
    with pytest.raises(ValueError, match="4 moves to take back, 3 were played"):
        board.undo(4)


def test_the_search_is_given_the_game_so_far() -> None:
    """After 1. Nf3 Nf6 2. Ng1 Ng8 twice over but for the last move, that move draws: the search must know the past."""
    board = Board(CHESS, capacity=1)
    for text in f"{KNIGHTS_OUT_AND_BACK} g1f3 g8f6 f3g1".split():
        board.play(CHESS.from_text(board.state, text))
    player = SearchPlayer(CHESS, "", Uniform(), SearchConfig(simulations=100, considered=64), 1, 1)
    result = player.search.run(board.history, board.games, Uniform(), np.zeros(1, np.uint64))
    draws = player.search.tree.edges["draw"][0, : result.counts[0]]
    drawing = [CHESS.to_text(board.state, result.legal[0, i]) for i in np.flatnonzero(draws > 0.99)]
    assert drawing == ["f6g8"]


# --- the view --------------------------------------------------------------------------------------------------------


def test_the_board_in_letters() -> None:
    board = Board(CHESS)
    view = ChessView(colour=False, ascii=True)
    action = CHESS.from_text(board.state, "e2e4")
    last = view.squares_of(board.state, action)
    board.play(action)
    lines = view.draw(board.state, last, turned=False)
    assert lines[0] == " 8  r  n  b  q  k  b  n  r "
    assert lines[4] == " 4  .  .  .  . [P] .  .  . "
    assert lines[6] == " 2  P  P  P  P [.] P  P  P "
    assert lines[8] == "    a  b  c  d  e  f  g  h "
    turned = view.draw(board.state, last, turned=True)
    assert turned[0] == " 1  R  N  B  K  Q  B  N  R "
    assert turned[3] == " 4  .  .  . [P] .  .  .  . "
    assert turned[8] == "    h  g  f  e  d  c  b  a "


def luminance(number: int) -> float:
    """Relative luminance of one of the 256 terminal colours (WCAG 2.2)."""
    levels = [(0, 95, 135, 175, 215, 255)[(number - 16) // place % 6] / 255 for place in (36, 6, 1)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in levels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_pieces_stand_out_on_every_square() -> None:
    """Filled glyphs for both sides, told apart by colour alone, with a contrast of at least 3 to every ground."""
    board = Board(CHESS, "r1bqkb1r/pppp1Qpp/2n2n2/4p3/2B1P3/8/PPPP1PPP/RNB1K1NR b KQkq - 0 4")
    cells = re.findall(
        r"\x1b\[48;5;(\d+);38;5;(\d+)m (.) ", "".join(ChessView(True, False).draw(board.state, (38, 53), turned=False))
    )
    assert len(cells) == 64
    grounds = {int(ground) for ground, _, _ in cells}
    assert len(grounds) == 5  # light, dark, the last move on both, check
    for paint in (16, 231):
        for ground in grounds:
            low, high = sorted((luminance(paint), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3, (paint, ground)
    assert {paint for _, paint, piece in cells if piece == "♟"} == {"16", "231"}
    assert not {piece for _, _, piece in cells} & set("♙♘♗♖♕♔")


def test_taken_pieces_are_counted_for_both_sides() -> None:
    view = ChessView(colour=False, ascii=True)
    assert view.captures(Board(CHESS).state) == ("", "")
    board = Board(CHESS, "4k3/8/8/8/8/8/PPPPPPP1/Q2QK3 w - - 0 1")  # a second queen is no negative loss
    assert view.captures(board.state) == ("ppppppppnnbbrrq", "PNNBBRR")


# --- words -----------------------------------------------------------------------------------------------------------


def test_moves_in_uci_and_san() -> None:
    said = session("e4;g1f3;O-O;Bc4;E1G1;e8=Q", Scripted("e7e5 b8c6 g8f6 f8c5"))
    assert "1. e4      e5" in said
    assert "'O-O' is not legal here" in said
    assert "4. O-O     Bc5" in said
    assert "'e8=Q' is not legal here" in said
    assert "Black plays Bc5 (f8c5)." in said


def test_bad_input_gets_a_sentence_and_another_try() -> None:
    bad = ["e2e5", "Nd2", "xyzzy", "e9", "\x00", "♞f3", "\x1b[A", "a" * 100_000, "save", "moves zz", "e7e8q"]
    said = session(";".join([*bad, "", "  ", "e4"]), Scripted("e7e5"))
    for line in bad:
        answer = said.split(f"> {line.strip()}\n", 1)[1].splitlines()[0]
        assert len(answer) > 15, line
        assert not answer.startswith(">"), line
        assert len(answer) < 200, line
        assert answer.isprintable(), line
    assert "Black plays e5" in said


def test_the_words() -> None:
    said = session("moves;moves e2;flip;fen;help;resign;e4;new;QUIT;e4", Scripted(""))
    assert "20 legal moves:\n  Na3 Nc3 Nf3 Nh3 a3 a4 b3 b4" in said
    assert "2 legal moves with 'e2':\n  e3 e4\n" in said
    first, flipped, new = boards(said)
    assert first.startswith(" 8  r  n  b  q")
    assert flipped.startswith(" 1  R  N  B  K")
    assert new == flipped  # it stays turned
    assert "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1\n" in said
    for word in ("moves", "hint", "eval", "undo", "flip", "fen", "save FILE", "resign", "help", "quit"):
        assert re.search(rf"^{word}\s", said, re.MULTILINE), word
    assert "Resignation: Black wins." in said
    assert "> e4\nThe game is over." in said
    assert "> QUIT\n" in said
    assert said.endswith("> QUIT\n")  # and nothing after it is read


def test_black_sees_the_board_from_behind_and_white_begins() -> None:
    said = session("e5;undo;undo", Scripted("e2e4 g1f3"), side="black")
    first, second, third = boards(said)
    assert first.startswith(" 1  R  N  B  K")
    assert "White plays e4 (e2e4)." in said
    assert second != first
    assert third == first  # White's first move stays
    assert said.endswith("There is no move of yours to take back.\n")


def test_undo_takes_back_the_answer_too_and_even_a_mate() -> None:
    said = session("g4;undo;e4", Scripted("d8h4 g8f6"), start=MATE_IN_ONE)
    assert "Checkmate: Black wins." in said
    start, mate, back, after = boards(said)
    assert start == back
    assert mate != back
    assert "Black plays Nf6" in said
    assert "2. e4      Nf6" in said
    assert after not in (start, mate)
    said = session("resign;undo;e4", Scripted("e7e5"))
    assert "Black plays e5" in said


def test_hint_and_eval_come_from_the_search() -> None:
    mate = "6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 1"
    said = session("hint;eval;Rd8", make_player(CHESS, "untrained", 1), start=mate)
    assert "The engine would play Rd8# (d1d8)." in said
    assert re.search(r"White wins (\d+)%, draw \d+%, Black wins (\d+)%\.", said)
    assert "White wins by force in 1 move.\n" in said
    assert re.search(r"play as it may go on:\n  Rd8#  100%\n\(", said)  # of the other moves nothing is known
    assert "Checkmate: White wins." in said
    figures = re.search(r"White wins (\d+)%, draw \d+%, Black wins (\d+)%\.", said)
    assert figures
    assert int(figures[1]) > int(figures[2])
    black = "3r2k1/5ppp/8/8/8/8/5PPP/6K1 b - - 0 1"
    said = session("eval", make_player(CHESS, "untrained", 1), side="black", start=black)
    figures = re.search(r"White wins (\d+)%, draw \d+%, Black wins (\d+)%\.", said)
    assert figures
    assert int(figures[1]) < int(figures[2])
    assert "has no advice" in session("hint", RandomPlayer(CHESS))


def test_asking_for_a_hint_does_not_change_the_answer() -> None:
    player = make_player(CHESS, "untrained", 1, simulations=16)
    plain, asked = session("e4;d4", player), session("hint;e4;eval;hint;d4", player)
    assert boards(plain) == boards(asked)


def test_the_play_that_the_engine_expects() -> None:
    said = session("pv", make_player(CHESS, "untrained", 1, 4000), start="kbK5/pp6/1P6/8/8/8/8/R7 w - - 0 1")
    assert "White wins by force in 2 moves.\n" in said
    assert re.search(r"^  Ra6  100%  (bxa6 b7#|B\S+ Rxa7#)$", said, re.M)
    said = session("pv", make_player(CHESS, "untrained", 1))
    rows = re.findall(r"^  (\S+) +\d+%  (.+)$", said, re.M)
    assert len(rows) == 3
    for move, others in rows:
        board = Board(CHESS)
        for name in (move, *others.split()):
            board.play(CHESS.from_san(board.state, name))
    assert re.search(r"^\(200 simulations, \d+\.\d s\)$", said, re.M)


def test_levels_in_simulations_and_in_seconds() -> None:
    said = session("level;level 64;hint;level 0.01s;hint;e4;level 2", make_player(CHESS, "untrained", 1))
    for level in ("200 simulations", "64 simulations", "about 0.01 s a move", "2 simulations"):
        assert f"The engine's level: {level}.\n" in said
    assert said.count("The engine would play") == 2
    assert re.search(r"Black plays \S+ \(", said)
    for wrong in ("0", "fast", "1.5", "-3", "100001", "9999s", "0s", "2 minutes", "1e3"):
        answer = session(f"level {wrong}", make_player(CHESS, "untrained", 1)).splitlines()[-1]
        assert re.match("'.*' is no level: write 800|Simulations must be 1 to 100,000|A move may take up to", answer), (
            wrong
        )
    assert "does not think, so it has no levels" in session("level 800", RandomPlayer(CHESS))


def test_an_offer_of_a_draw_is_taken_by_who_expects_no_more() -> None:
    winning, losing = "8/8/8/8/8/5K2/Q7/7k w - - 0 1", "8/8/8/8/8/5k2/q7/7K w - - 0 1"
    said = session("draw;e4;undo", make_player(CHESS, "untrained", 1), start=winning)
    assert "Agreement: the game is drawn.\n> e4\nThe game is over." in said
    assert "There is no move of yours" not in said  # undo takes the agreement back
    said = session("draw", make_player(CHESS, "untrained", 1), start=losing)
    assert said.endswith("Black declines: it expects more than a draw.\n")
    assert session("draw").endswith("Black does not think, so it plays on.\n")


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_clocks_are_set_shown_and_taken_away() -> None:
    said = session("clock;clock 5+3;e4;clock 90/30;e5;clock off;fen;clock x", Scripted("e7e5 e8e7", CHESS))
    assert "> clock\nThere are no clocks.\n" in said
    assert "Each side has 5 minutes + 3 s a move.\n" in said
    assert "Each side has 90 minutes, then 30 s a move.\n" in said
    assert re.search(r"^ 7 .* Black \d:\d\d$", said, re.M)
    assert re.search(r"^ 2 .* White \d:\d\d$", said, re.M)
    assert "> clock off\nThere are no clocks.\n" in said
    assert said.endswith("'x' is no clock: write 5+3 (minutes + seconds a move) or 10/30 (then byoyomi).\n")


# --- two people, two engines -----------------------------------------------------------------------------------------


def test_two_people_at_one_board() -> None:
    said = session("e4;e5;undo;c5;hint;draw", make_player(CHESS, "untrained", 1), side="both")
    assert said.startswith("You play both sides; the search without a network, 200 simulations gives hints.\n")
    assert "1. e4      c5" in said
    assert "plays" not in said
    assert "The engine would play" in said
    assert said.endswith("Agreement: the game is drawn.\n")


def test_two_engines_play_a_game_a_line_a_move_where_nobody_sees_a_board() -> None:
    engines = [Scripted("a1a7 a7a8 a7a8 a1a7 a7a8"), RandomPlayer(CHESS)]
    said = session("undo;e4;resign;draw;go;new", engines, "none", start=BACK_RANK)
    first = said.split("> undo")[0]
    assert first.startswith("White: a script.\nBlack: uniform-random moves.\n")
    assert re.findall(r"^(?:White|Black) plays (\S+) \(\w+\)\.$", first, re.M) == ["Ra7", "Kg8", "Ra8#"]
    assert len(boards(first)) == 1
    assert said.count("You only watch here") == 3
    assert said.count("Checkmate: White wins.") == 3


def test_an_engine_plays_itself() -> None:
    said = session("", make_player(CHESS, "untrained", 1, 8), "none", start="8/8/8/8/8/5K2/Q7/7k w - - 0 1")
    assert said.count("the search without a network, 8 simulations") == 2
    assert "Checkmate: White wins." in said


def test_two_engines_and_a_person_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="two engines play each other where you play neither side: add --side none"):
        play(CHESS, [RandomPlayer(CHESS)] * 2, "first", True)
    with pytest.raises(ValueError, match="two engines can play each other, not 3"):
        play(CHESS, [RandomPlayer(CHESS)] * 3, "none", True)
    small = games.load("tic_tac_toe")
    with pytest.raises(ValueError, match="nobody plays white in this game: it is x against o"):
        play(small, [RandomPlayer(small)], "white", True)


# --- endings ---------------------------------------------------------------------------------------------------------


def test_endings_are_named() -> None:
    said = session("g1f3;f3g1;g1f3;f3g1", Scripted("g8f6 f6g8 g8f6 f6g8"))
    assert said.endswith("(threefold repetition): the game is drawn.\n")
    said = session("Kb1", start="k7/8/8/8/8/8/8/K6R w - - 99 80")
    assert said.endswith("Fifty moves without a capture or a pawn move: the game is drawn.\n")
    said = session("Kxb2", start="7k/8/8/8/8/8/1r6/K7 w - - 0 1")
    assert said.endswith("Insufficient material to checkmate: the game is drawn.\n")
    said = session("Qc7", start="k7/8/1K6/8/8/8/8/2Q5 w - - 0 1")
    assert said.endswith("Stalemate: the game is drawn.\n")
    said = session("moves;hint", start="k1Q5/8/1K6/8/8/8/8/8 b - - 0 1", side="black")
    assert "Checkmate: White wins.\n" in said
    assert said.count("The game is over.") == 2


@pytest.mark.parametrize("name", VIEWS)
def test_every_ending_has_words(name) -> None:
    game = games.load(name)
    view = view_class(game)(False, True)
    assert all(re.fullmatch(r"[A-Za-z].{3,}", view.reason(int(ending))) for ending in game.Ending)


def test_a_game_without_a_view_is_one_clear_line() -> None:
    with pytest.raises(NoView, match="go cannot be played in a terminal yet"):
        play(replace(CHESS, name="go"), [RandomPlayer(CHESS)], "first", True)


# --- saving ----------------------------------------------------------------------------------------------------------


def test_save_writes_the_game_and_no_other_file(tmp_path) -> None:
    other = tmp_path / "other.pgn"
    other.write_text("mine")
    typed = f"e4;save {tmp_path}/game;resign;save {tmp_path}/game.pgn;save {other};save {tmp_path}/no/where"
    said = session(typed, Scripted("e7e5"))
    assert said.count(f"Saved to {tmp_path}/game.pgn.") == 2
    assert f"{other} exists already" in said
    assert other.read_text() == "mine"
    assert said.endswith("It cannot be saved there: No such file or directory.\n")
    (game,) = read_pgn((tmp_path / "game.pgn").read_text())
    assert game.result == "0-1"
    assert (game.headers["White"], game.headers["Black"]) == ("Human", "a script")
    assert game.headers["Ending"] == "resignation"
    board = Board(CHESS)
    texts = []
    for action in game.actions:
        texts.append(CHESS.to_text(board.state, action))
        board.play(int(action))
    assert texts == ["e2e4", "e7e5"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_full_disk_leaves_the_file_that_was_saved_before(tmp_path) -> None:
    import resource

    session(f"e4;save {tmp_path}/game", Scripted("e7e5"))
    first = (tmp_path / "game.pgn").read_text()
    (tmp_path / "game.pgn").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(first), hard))
    try:
        typed = f"e4;save {tmp_path}/game;Nf3;Bc4;save {tmp_path}/game.pgn;save {tmp_path}/other"
        said = session(typed, Scripted("e7e5 b8c6 f8c5"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.count("It cannot be saved there: File too large.\n") == 2
    assert [path.name for path in tmp_path.iterdir()] == ["game.pgn"]
    assert (tmp_path / "game.pgn").read_text() == first


def test_a_game_from_a_position_is_saved_with_it(tmp_path) -> None:
    session(f"g4;save {tmp_path}/game", Scripted("d8h4"), start=MATE_IN_ONE)
    (game,) = read_pgn((tmp_path / "game.pgn").read_text())
    assert CHESS.write(game.start) == MATE_IN_ONE
    assert game.result == "0-1"


@pytest.mark.parametrize("suffix", ["pgn", "csa", "kif", "kifu"])
def test_a_saved_game_is_loaded_and_played_on(tmp_path, suffix) -> None:
    game, moves, replies = CHESS, "e4;Nf3", "e7e5 b8c6"
    if suffix != "pgn":
        game, moves, replies = SHOGI, "7g7f;2g2f", "3c3d 8c8d"
    saved = session(f"{moves};save {tmp_path}/game.{suffix}", Scripted(replies, game), game=game)
    said = session(f"load {tmp_path}/game.{suffix};undo;undo;undo", game=game)
    newest = re.findall(r"( +1\. .*)\n", saved)[-1]
    assert newest in said
    assert "Loaded 4 moves of 'Human' against 'a script'.\n" in said
    assert said.endswith("There is no move of yours to take back.\n")


def test_a_loaded_game_that_the_rules_have_ended_is_over(tmp_path) -> None:
    session(f"g4;save {tmp_path}/mate.pgn", Scripted("d8h4"), start=MATE_IN_ONE)
    said = session(f"load {tmp_path}/mate.pgn;e4;undo;e4", Scripted("d7d5"))
    assert "Checkmate: Black wins.\nLoaded 2 moves of 'Human' against 'a script'.\n" in said
    assert "> e4\nThe game is over." in said
    assert "2. e4      d5" in said


def test_a_loaded_game_may_have_gone_on_after_a_draw_that_nobody_claimed(tmp_path) -> None:
    moves = "1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 Nf6 4. Ng1 Ng8 5. Nf3 Nc6 *"
    (tmp_path / "long.pgn").write_text(moves)
    said = session(f"load {tmp_path}/long.pgn;d4", Scripted("d7d5"))
    assert "  5. Nf3     Nc6\n" in said
    assert "Loaded 10 moves of '?' against '?'.\n" in said
    assert "  6. d4      d5\n" in said


def test_after_loading_the_engine_moves_where_it_is_its_turn(tmp_path) -> None:
    session(f"e4;e5;save {tmp_path}/open.pgn", side="both")
    said = session(f"load {tmp_path}/open.pgn;quit", Scripted("e2e3 g1f3"), side="black")
    assert "White plays Nf3 (g1f3).\nLoaded 2 moves of 'Human' against 'Human'.\n" in said


def test_a_file_with_several_games_gives_the_first(tmp_path) -> None:
    (tmp_path / "two.pgn").write_bytes(
        '[White "M\xfcller"]\n\n1. e4 e5 *\n\n[White "x"]\n\n1. Ke3 *\n'.encode("latin-1")
    )
    said = session(f"load {tmp_path}/two.pgn")
    assert "Loaded 2 moves of 'Müller' against '?', the first game of the file.\n" in said


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("missing.pgn", None, "No such file or directory"),
        ("game.txt", b"", "a game's file ends in .pgn, not in '.txt'"),
        ("game", b"", "a game's file ends in .pgn, not in ''"),
        ("empty.pgn", b"", "there is no game in it"),
        ("prose.pgn", b"Once upon a time", "there is no game in it"),
        ("noise.pgn", bytes(range(256)) * 100, "there is no game in it"),
        ("illegal.pgn", b"1. e4 e5 2. Ke3 *", "game 1 of the PGN: illegal san"),
        ("variant.pgn", b'[Variant "Atomic"]\n\n1. e4 *', "game 1 of the PGN: the variant 'Atomic' is not played here"),
        ("position.pgn", b'[FEN "8/8 w - - 0 1"]\n[SetUp "1"]\n\n*', "game 1 of the PGN: bad FEN"),
    ],
)
def test_what_cannot_be_loaded_gets_a_sentence_and_leaves_the_game_alone(tmp_path, name, content, wrong) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = session(f"e4;load {tmp_path}/{name};fen", Scripted("e7e5"))
    assert f"It cannot be loaded: {wrong}" in said
    assert "rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2\n" in said


def test_what_else_can_be_wrong_with_loading(tmp_path) -> None:
    assert session("load").endswith("Say which file, as in: load game.pgn\n")
    assert session("load", game=SHOGI).endswith("Say which file, as in: load game.csa or game.kif\n")
    assert "It cannot be loaded: " in session(f"load {tmp_path}")
    assert "Nobody has written how to read games of tic_tac_toe" in session("load x", game=games.load("tic_tac_toe"))
    assert session("load ~nobody-of-that-name/x.pgn").endswith("Could not determine home directory.\n")
    assert session("save /").endswith("It cannot be saved there: Is a directory.\n")
    (tmp_path / "bad.csa").write_text("PI\n+\n+7775FU\n")
    assert "It cannot be loaded: game 1 of the CSA, line 3: " in session(f"load {tmp_path}/bad.csa", game=SHOGI)


def test_an_agreed_draw_is_saved_as_one(tmp_path) -> None:
    files = ";".join(f"save {tmp_path}/game.{suffix}" for suffix in ("csa", "kif"))
    session(f"7g7f;draw;{files}", game=SHOGI, side="both")
    (csa,) = SHOGI.read_csa((tmp_path / "game.csa").read_text())
    (kif,) = SHOGI.read_kif((tmp_path / "game.kif").read_text())
    assert csa.ending == kif.ending == SHOGI.Ending.AGREEMENT
    session(f"e4;draw;save {tmp_path}/game", side="both")
    assert '[Ending "agreement"]' in (tmp_path / "game.pgn").read_text()


# --- the command -----------------------------------------------------------------------------------------------------


def test_before_anything_is_trained_the_network_that_ships_plays_and_says_so(tmp_path) -> None:
    done = script("play.py", "--ascii", "--fen", MATE_IN_ONE, typed="g4\n", cwd=tmp_path)
    assert done.returncode == 0
    assert "Nothing is trained in runs" in done.stdout
    assert "against rlcore's network chess-taught, taught by Stockfish 15.1, at " in done.stdout
    assert "Black plays Qh4# (d8h4)." in done.stdout
    assert done.stdout.endswith("Checkmate: Black wins.\n")
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout


def test_where_no_network_ships_the_search_plays_and_says_so(tmp_path) -> None:
    done = script("play.py", "--game", "tic_tac_toe", "--ascii", "--level", "20", typed="quit\n", cwd=tmp_path)
    assert done.returncode == 0
    assert "Nothing is trained in runs" in done.stdout
    assert "the search without a network, 20 simulations" in done.stdout


def test_a_trained_run_plays(tmp_path) -> None:
    make_run(tmp_path / "runs" / "chess")
    done = script("play.py", "--simulations", "3", typed="e4\neval\nhint\nquit\n", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"against {Path('runs/chess')} at 100 steps, 3 simulations." in done.stdout
    assert re.search(r"Black plays \S+ \(\w+\)\.", done.stdout)
    assert "♟" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--game", "go"], "there is no game called 'go'"),
        (["--run-dir", "nowhere"], "there is no file or folder nowhere"),
        (["--level", "much"], "'much' is no level: write 800"),
        (["--clock", "noon"], "'noon' is no clock: write 5+3"),
        (["--engine", "random", "--engine", "random"], "two engines play each other where you play neither side"),
        (["--engine", "random", "--fen", "8/8/8/8 w - - 0 1"], "bad FEN: "),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, arguments, wrong) -> None:
    done = script("play.py", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = complaints(done)
    assert line.startswith(f"play: {wrong}")


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "scripts/play.py", "--side", "none", "--engine", "random", "--ascii"]
    piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **piped) as process:
        assert process.stdout.readline() == "White: uniform-random moves.\n"
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 0


# --- shogi -----------------------------------------------------------------------------------------------------------

SHOGI = games.load("shogi")
ENTERED = "1K7/GGGG1SSSS/RR1BB4/9/9/9/9/9/8k b - 1"
IN_HAND = "4k4/9/9/9/9/9/9/9/4K4 b R2Pb 1"


def test_the_shogi_board_in_letters_and_in_kanji() -> None:
    board = Board(SHOGI)
    for text in ("7g7f", "3c3d", "8h2b+"):
        action = SHOGI.from_text(board.state, text)
        last = ShogiView(False, True).squares_of(board.state, action)
        board.play(action)
    assert last == (9 * 7 + 1, 9 * 1 + 7)
    lines = ShogiView(colour=False, ascii=True).draw(board.state, last, turned=False)
    assert lines[0] == "  9   8   7   6   5   4   3   2   1 "
    assert lines[2] == "  .   r   .   .   .   .   . [+B]  .  b"
    assert lines[3] == "  p   p   p   p   p   p   .   p   p  c"
    assert lines[8] == "  . [ .]  .   .   .   .   .   R   .  h"
    assert len(lines) == 10
    kanji = ShogiView(colour=False, ascii=False).draw(board.state, last, turned=False)
    assert kanji[2] == " ・ v飛  ・  ・  ・  ・  ・  馬* ・  二b"
    turned = ShogiView(colour=False, ascii=False).draw(board.state, last, turned=True)
    assert turned[0] == "  1   2   3   4   5   6   7   8   9 "
    assert turned[1] == "v香 v桂 v銀 v金 v玉 v金 v銀 v桂 v香  九i"  # Black's, seen from the other side
    assert turned[8] == " ・ v馬* ・  ・  ・  ・  ・  飛  ・  二b"
    assert ShogiView(False, True).draw(board.state, last, turned=True)[8] == "  . [+B]  .   .   .   .   .   r   .  b"


def test_shogi_pieces_stand_out_on_every_square() -> None:
    board = Board(SHOGI, "4k4/4G4/4P4/9/9/9/9/9/4K4 w - 1")  # in check
    text = "".join(ShogiView(True, False).draw(board.state, (4, 13), turned=False))
    cells = re.findall(r"\x1b\[48;5;(\d+);38;5;(\d+)m([ v])(\S| {2})", text)
    assert len(cells) == 81
    assert len({ground for ground, _, _, _ in cells}) == 3  # wood, the last move, check
    assert {(paint, mark) for _, paint, mark, piece in cells if piece.strip()} == {("16", " "), ("18", "v")}
    for paint in (16, 18):
        for ground in {int(ground) for ground, _, _, _ in cells}:
            low, high = sorted((luminance(paint), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (paint, ground)


def test_hands_stand_beside_the_board_each_on_its_side() -> None:
    assert ShogiView(False, True).captures(Board(SHOGI, IN_HAND).state) == ("Black: R 2P", "White: B")
    assert ShogiView(False, False).captures(Board(SHOGI, IN_HAND).state) == ("Black: 飛　歩二", "White: 角")
    assert ShogiView(False, True).captures(Board(SHOGI).state) == ("Black: -", "White: -")
    said = session("flip", game=SHOGI, start=IN_HAND)
    above, below, flipped_above, flipped_below = re.findall(r"(White|Black): (.*)", said)
    assert (above, below) == (("White", "B"), ("Black", "R 2P"))
    assert (flipped_above, flipped_below) == (below, above)


def test_shogi_moves_in_usi_western_and_japanese() -> None:
    replies = Scripted("3c3d 8c8d 8d8e 3a2b 8e8f 2c2d", SHOGI)
    said = session("7g7f;P-26;２五歩;B22+;▲7八金;2X2D;P-2d;同歩", replies, game=SHOGI)
    for line in ("1. P-7f    P-3d", "3. P-2f    P-8d", "5. P-2e    P-8e", "7. Bx2b+   Sx2b", "9. G-7h    P-8f"):
        assert line in said, said
    assert "'2X2D' is not a move" in said
    assert "White plays Px2d (2c2d)." in said
    assert "'同歩' is not legal here" in said


def test_shogi_names_of_moves_in_japanese() -> None:
    start = "lnsgkgsnl/1r5b1/pppppp1pp/6p2/9/2P6/PP1PPPPPP/1B5R1/LNSGKGSNL b - 3"
    said = session("22角成;flip;undo;moves 2b", Scripted("3a2b", SHOGI), game=SHOGI, start=start, ascii=False)
    assert "  3. ▲２二角成 △同　銀\n" in said
    assert "White plays △同　銀 (3a2b)." in said
    assert "2 legal moves with '2b':\n  ▲２二角不成 ▲２二角成\n" in said


def test_long_lists_of_shogi_moves_keep_within_80_columns() -> None:
    said = session("moves", game=SHOGI, start="4k4/9/9/9/9/9/9/9/4K4 b 2R2B4G4S4N4L9P 1", ascii=False)
    listed = said.split(" legal moves:\n")[1].splitlines()
    assert len(listed) > 50
    wide = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in listed if line]
    assert max(wide) <= 80
    assert min(wide[:-1]) > 66


def test_bad_shogi_input_gets_a_sentence_and_another_try() -> None:
    bad = [
        "7g7e",
        "8h2b+",
        "P*5e",
        "P-5e",
        "5e",
        "同歩",
        "七六歩",
        "xyzzy",
        "\x00",
        "あ" * 1000,
        "sfen x",
        "save",
        "moves 0",
    ]
    said = session(";".join([*bad, "7g7f"]), Scripted("3c3d", SHOGI), game=SHOGI)
    for line in bad:
        answer = said.split(f"> {line.strip()}\n", 1)[1].splitlines()[0]
        assert len(answer) > 15, line
        assert not answer.startswith(">"), line
        assert len(answer) < 200, line
        assert answer.isprintable(), line
    assert "White plays P-3d" in said


def test_shogi_endings_are_named() -> None:
    mate = "4k4/9/4P4/9/9/9/9/9/4K4 b G 1"
    assert session("G*5b", game=SHOGI, start=mate).endswith("Checkmate: Black wins.\n")
    out_and_back = Scripted("5a4a 4a5a " * 6, SHOGI)
    said = session("5i4i;4i5i;" * 6, out_and_back, game=SHOGI, start="4k4/9/9/9/9/9/9/9/4K4 b P 1")
    assert "The same position for the fourth time (sennichite): the game is drawn.\n" in said
    said = session("declare", game=SHOGI, start=ENTERED)
    assert said.endswith("The king has entered the opponent's camp with enough pieces (declaration): Black wins.\n")


def test_a_shogi_game_is_saved_as_csa_with_its_players(tmp_path) -> None:
    typed = f"7g7f;save {tmp_path}/game;resign;save {tmp_path}/game.csa"
    said = session(typed, Scripted("3c3d", SHOGI), side="black", game=SHOGI)
    assert said.count(f"Saved to {tmp_path}/game.csa.") == 2
    (game,) = SHOGI.read_csa((tmp_path / "game.csa").read_text())
    assert (game.headers["Black"], game.headers["White"]) == ("Human", "a script")
    assert (game.ending, game.value, len(game.actions)) == (SHOGI.Ending.RESIGNATION, -1.0, 2)


def test_a_game_is_saved_in_the_format_that_the_suffix_names(tmp_path) -> None:
    typed = f"7g7f;resign;save {tmp_path}/a.kif;save {tmp_path}/b.KIF;save {tmp_path}/c.csa;save {tmp_path}/d.pgn;save"
    said = session(typed, Scripted("3c3d", SHOGI), side="black", game=SHOGI)
    assert said.endswith("Say where to, as in: save game.csa or game.kif\n")
    assert "It cannot be saved there: a game's file ends in .csa or .kif or .kifu, not in '.pgn'." in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.kif", "b.KIF", "c.csa"]
    (kif,), (again,), (csa,) = (
        reader(SHOGI.decode((tmp_path / name).read_bytes()))
        for reader, name in ((SHOGI.read_kif, "a.kif"), (SHOGI.read_kif, "b.KIF"), (SHOGI.read_csa, "c.csa"))
    )
    assert kif.actions.tolist() == again.actions.tolist() == csa.actions.tolist()
    assert (kif.ending, kif.value, kif.headers["White"]) == (csa.ending, csa.value, "a script")
    said = session(f"e4;save {tmp_path}/e.kif", Scripted("e7e5"))
    assert "a game's file ends in .pgn, not in '.kif'." in said


def test_small_letters_drop_pieces_too() -> None:
    replies = Scripted("5a4a 4a5a", SHOGI)
    said = session("p*5e;5E5D", replies, game=SHOGI, start="4k4/9/9/9/9/9/9/9/4K4 b P 1")
    assert "1. P*5e" in said
    assert "3. P-5d" in said


def test_a_handicap_game_is_numbered_from_whites_first_move() -> None:
    start = "lnsgkgsn1/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL w - 1"
    said = session("3c3d", Scripted("7g7f", SHOGI), side="white", game=SHOGI, start=start)
    assert "  1. P-3d    P-7f" in said


def test_a_win_is_declared_or_played_on() -> None:
    said = session("8a9a;declare", Scripted("1i2i", SHOGI), game=SHOGI, start=ENTERED)
    assert said.count("You may declare that you have won: type 'declare'.") == 2
    assert "1. K-9a    K-2i" in said
    assert said.endswith("(declaration): Black wins.\n")
    assert session("", game=SHOGI, start=ENTERED, side="white").endswith("(declaration): Black wins.\n")


@pytest.mark.parametrize(
    ("start", "missing"),
    [
        ("4k4/9/9/9/9/9/9/9/4K4 b - 1", "your king is not in the opponent's camp"),
        ("1K6r/GGGG1SSSS/R2BB4/9/9/9/9/9/8k b - 1", "your king is in check"),
        (
            "1K7/GGGG1SSSS/9/9/9/9/9/9/8k b 2R2B 1",
            "beside your king 8 pieces stand in the opponent's camp, and ten must",
        ),
        (
            "1K7/GGGG1SSSS/NN7/9/9/9/9/9/8k b RBP 1",
            "you have 21 points in the opponent's camp and in hand, and need 28",
        ),
        (
            "8K/9/9/9/9/9/nn7/gggg1ssss/1k7 w rbp 1",
            "you have 21 points in the opponent's camp and in hand, and need 27",
        ),
    ],
)
def test_a_wrong_declaration_is_refused_with_what_is_missing(start, missing) -> None:
    side = "white" if " w " in start else "black"
    said = session("declare;help", Scripted("9i8i", SHOGI), game=SHOGI, start=start, side=side)
    assert f"You cannot declare a win: {missing}.\n" in said
    assert "\ndeclare  " in said
    assert "\ndeclare  " not in session("help")
    assert "in chess you have to checkmate" in session("declare")


def test_a_position_that_comes_back_is_counted() -> None:
    said = session("5i4i;4i5i", Scripted("5a4a 4a5a", SHOGI), game=SHOGI, start="4k4/9/9/9/9/9/9/9/4K4 b P 1")
    assert said.endswith("This position stands for the second time.\n")


@pytest.mark.parametrize("name", VIEWS)
def test_help_fits_on_the_smallest_screen(name) -> None:
    said = session("help", game=games.load(name), ascii=False).split("> help\n")[1]
    assert len(said.splitlines()) <= 23
    wide = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in said.splitlines()]
    assert max(wide) < 80


def test_white_moves_second_in_shogi() -> None:
    for side in ("white", "second"):
        said = session("", Scripted("7g7f", SHOGI), side=side, game=SHOGI)
        assert said.startswith("You are White against a script.")
        assert "Black plays P-7f (7g7f)." in said
    assert session("", game=SHOGI, side="black").startswith("You are Black")


# --- a real pseudo-terminal ------------------------------------------------------------------------------------------


AT_A_TERMINAL = """
import fcntl, os, pty, signal, struct, sys, termios

def narrow(terminal):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 40, 0, 0))

def read(terminal):
    signal.signal(signal.SIGUSR1, lambda *_: narrow(terminal))
    return os.read(terminal, 1024)

sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))
"""
"""Runs a program in a pseudo-terminal, which SIGUSR1 makes 40 columns wide."""


_NOT_A_TERMINALS = ("NO_COLOR", "COLUMNS", "LINES")  # what would be said instead of asking the terminal


class Person:
    """Somebody in front of a terminal, whose keys and screen come through a pair of pipes."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        known = {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"} | environment
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_A_TERMINAL, sys.executable, "scripts/play.py", *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name not in _NOT_A_TERMINALS} | known,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.screen = ""
        self.read = 0

    def wait_for(self, text: str, seconds: float = 120.0) -> str:
        """What has come onto the screen since the last call, up to and with ``text``."""
        deadline = time.monotonic() + seconds
        while (found := self.screen.find(text, self.read)) < 0:
            if time.monotonic() > deadline:
                raise TimeoutError(self.screen)
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    raise EOFError(self.screen)
                self.screen += data.decode("utf-8", "replace")
        shown = self.screen[self.read : found + len(text)]
        self.read = found + len(text)
        return shown

    def type(self, keys: str) -> None:
        self.process.stdin.write(keys.encode())
        self.process.stdin.flush()

    def ask(self, line: str, prompt: str = "to move") -> str:
        """What the program answers to a line, up to the next prompt, without the prompt."""
        self.type(f"{line}\n")
        self.wait_for("\r\n")
        answer = self.wait_for("> ")
        assert prompt in answer.splitlines()[-1], answer
        return "\n".join(answer.splitlines()[:-1])

    def leave(self, keys: str) -> int:
        """Press keys until the program ends, every five seconds as an impatient person; returns its exit code.

        Python forgets a Ctrl-C that comes in the instant between its prompt and its waiting for a key.
        """
        for _ in range(12):
            self.type(keys)
            try:
                self.wait_for("\0", 5.0)
            except EOFError:
                return self.process.wait(10)
            except TimeoutError:
                pass
        raise AssertionError(self.screen)


@pytest.fixture
def sit_down():
    if sys.platform == "win32":
        pytest.skip("pseudo-terminals are a Unix thing")
    people = []

    def start(*arguments: str, **environment: str) -> Person:
        people.append(Person(*arguments, **environment))
        return people[-1]

    yield start
    for person in people:
        person.process.kill()
        person.process.wait()


def test_a_session_at_a_terminal(sit_down) -> None:
    person = sit_down("--engine", "untrained", "--simulations", "8")
    screen = person.wait_for("White to move> ")
    assert "\x1b[48;5;" in screen
    assert "♙" not in screen
    person.type("e2e4\n")
    screen = person.wait_for("White to move> ")
    assert "thinking" in screen
    assert re.search(r"Black plays \S+ \(\w{4}\)\.", screen)
    person.type("nonsense\n")
    assert "'nonsense' is not a move" in person.wait_for("White to move> ")
    person.type("resign\n")
    assert "Resignation: Black wins." in person.wait_for("Game over> ")
    assert person.leave("\x04") == 0  # Ctrl-D


def test_a_game_of_shogi_at_a_terminal(sit_down) -> None:
    person = sit_down("--game", "shogi", "--engine", "untrained", "--simulations", "8")
    screen = person.wait_for("Black to move> ")
    assert "\x1b[48;5;" in screen
    assert "v玉" in screen
    person.type("7六歩\n")
    screen = person.wait_for("Black to move> ")
    assert "thinking" in screen
    assert re.search(r"White plays △\S+( \S+)? \(\S{4}\)\.", screen)
    person.type("P-7f\n")
    assert "is not legal here" in person.wait_for("Black to move> ")
    person.type("undo\n")
    assert "1. ▲" not in person.wait_for("Black to move> ")
    person.type("resign\n")
    assert "Resignation: White wins." in person.wait_for("Game over> ")
    assert person.leave("\x04") == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "seen"),
    [
        ((), {"NO_COLOR": "1"}, "v玉"),
        (("--ascii",), {"NO_COLOR": "1"}, " k "),
        ((), {"PYTHONIOENCODING": "ascii"}, " k "),
    ],
)
def test_shogi_without_colours_and_without_glyphs(sit_down, arguments, environment, seen) -> None:
    person = sit_down("--game", "shogi", "--engine", "random", *arguments, **environment)
    screen = person.wait_for("Black to move> ")
    assert seen in screen
    assert screen.isascii() == (seen == " k ")
    assert ("\x1b[48" in screen) == ("NO_COLOR" not in environment)
    assert person.leave("\x04") == 0


def test_ctrl_c_leaves_at_once_and_without_a_traceback(sit_down) -> None:
    person = sit_down("--engine", "random", NO_COLOR="1")
    screen = person.wait_for("White to move> ")
    assert "\x1b[48" not in screen
    assert "♙" in screen
    assert person.leave("e2\x03") == 130
    assert "Traceback" not in person.screen


def test_ctrl_c_while_the_engine_thinks(sit_down) -> None:
    person = sit_down("--engine", "untrained", "--simulations", "100000", "--side", "black")
    person.wait_for("thinking ...")
    time.sleep(0.3)
    assert person.leave("\x03") == 130
    assert person.screen.endswith("\r\x1b[K")


WORDS = (
    "moves",
    "hint",
    "eval",
    "pv",
    "flip",
    "position",
    "level",
    "level 9",
    "level 0.1s",
    "clock",
    "clock 90+5",
    "clock off",
    "save",
    "load",
    "load /",
    "save /",
    "go",
    "help",
    "?",
    "declare",
    "undo",
)


@pytest.mark.parametrize("game", ["chess", "shogi"])
def test_every_word_at_a_terminal(sit_down, game, tmp_path) -> None:
    person = sit_down("--game", game, "--engine", "untrained", "--level", "16")
    person.wait_for("to move> ")
    answers = {word: person.ask(word) for word in WORDS}
    assert all(answer.strip() for answer in answers.values())
    assert "There is no move of yours" in answers["undo"]
    move, suffix = ("e4", "pgn") if game == "chess" else ("P-7f", "kif")
    assert "plays" in person.ask(move)
    assert "Saved to" in person.ask(f"save {tmp_path}/game.{suffix}")
    assert "Loaded 2 moves of 'Human'" in person.ask(f"load {tmp_path}/game.{suffix}")
    assert "1. " not in person.ask("undo")
    assert "Resignation" in person.ask("resign", "Game over")
    assert "The game is over" in person.ask("draw", "Game over")
    assert "1. " not in person.ask("new")
    assert person.ask("") == ""
    for nonsense in ("\x1b[A\x1b[B", "\t\t", "x" * 3000, "\x07", "日本語", "🙂"):
        assert "Traceback" not in person.ask(nonsense)
    person.type("quit\n")
    assert person.leave("") == 0


@pytest.mark.parametrize(
    ("game", "start", "move", "mate"),
    [
        ("chess", "7k/8/6K1/8/8/8/8/R7 w - - 0 1", "Ra7", "Ra8"),
        ("shogi", "7nk/9/7K1/9/9/9/9/9/9 b GP 1", "P*1c", "G*1b"),
    ],
)
def test_a_whole_game_at_a_terminal(sit_down, game, start, move, mate) -> None:
    person = sit_down("--game", game, "--engine", "untrained", "--level", "16", "--fen", start)
    person.wait_for("to move> ")
    assert "plays" in person.ask(move)
    assert re.search("Checkmate: (White|Black) wins.", person.ask(mate, "Game over"))
    assert person.leave("\x04") == 0


def test_a_flag_falls_while_a_person_thinks(sit_down) -> None:
    """By itself, with nothing or half a move typed."""
    person = sit_down("--engine", "random", "--clock", "0.02")
    assert "White 0:01" in person.wait_for("White to move (")
    person.type("e2e")
    assert "The time is up: Black wins.\r\n" in person.wait_for("Game over> ")
    assert "The game is over." in person.ask("e4", "Game over")
    assert "The game goes on without clocks; the next one has them again." in person.ask("undo")
    assert "There are no clocks." in person.ask("clock")
    assert "Each side has 0.02 minutes." in person.ask("clock 0.02")
    assert "The time is up: Black wins.\r\n" in person.wait_for("Game over> ")
    assert "1. " not in person.ask("new")
    assert "The time is up: Black wins.\r\n" in person.wait_for("Game over> ")
    assert person.leave("\x04") == 0


def test_a_flag_falls_while_a_pipe_is_silent() -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "play.py"), "--engine", "random", "--clock", "0.01"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            if line == "The time is up: Black wins.\n":
                break
        else:
            raise AssertionError("it ended without a word")
        process.stdin.write("e4\n")
        process.stdin.flush()
        assert "The game is over." in process.stdout.readline() + process.stdout.readline()
        process.stdin.close()
        assert process.wait(120) == 0


def test_engines_are_watched_stopped_and_let_go_on(sit_down, tmp_path) -> None:
    person = sit_down("--engine", "random", "--engine", "untrained", "--side", "none", "--level", "4")
    screen = person.wait_for("White plays")
    assert "White: uniform-random moves." in screen
    assert "Black: the search without a network, 4 simulations." in screen
    assert "\x1b[48;5;" in screen
    person.wait_for("Black plays")
    person.type("\x03")
    assert "'go' lets them play on" in person.wait_for("Stopped> ")
    assert "You only watch here" in person.ask("e4", "Stopped")
    assert "Saved to" in person.ask(f"save {tmp_path}/game", "Stopped")
    assert " wins " in person.ask("eval", "Stopped")
    person.type("go\n")
    person.wait_for("White plays")
    person.type("\x03")
    person.wait_for("Stopped> ")
    assert person.leave("\x03") == 130
    assert "Traceback" not in person.screen


def test_a_terminal_that_becomes_narrow_and_one_that_can_do_nothing(sit_down) -> None:
    person = sit_down("--engine", "random", TERM="dumb")
    person.wait_for("White to move> ")
    before = person.ask("moves")
    person.process.send_signal(signal.SIGUSR1)
    time.sleep(0.2)
    after = person.ask("moves")
    assert max(map(len, before.splitlines())) > 60
    assert max(map(len, after.splitlines())) <= 40
    assert before.split()[3:] == after.split()[3:]
    for typed in ("e4", "help", "nonsense", "hint", "clock 5+3"):
        said = person.ask(typed)
        assert max(map(len, said.splitlines())) <= 40, said
    below = person.ask("flip").partition(" h  g  f  e  d  c  b  a")[2]
    assert re.search(r"\n +1\. e4 +\w", below), below
    assert "\x1b[" not in person.screen.replace("\x1b[?2004", "")  # readline's own
    assert person.leave("\x04") == 0


# --- tic-tac-toe and connect four ------------------------------------------------------------------------------------


def test_a_game_of_discs_is_shown_with_its_last_move_in_brackets() -> None:
    game = games.load("connect_four")
    view, state = view_class(game)(False, True), np.zeros(1, game.STATE)[0]
    game.read(state, "445")
    action = game.from_text(state, "5")
    last = view.squares_of(state, action)
    game.apply(state, np.uint16(action))
    assert view.draw(state, last, False)[-3:] == [
        " .  .  .  o [o] .  . ",
        " .  .  .  x  x  .  . ",
        " 1  2  3  4  5  6  7",
    ]
    assert view.reason(game.Ending.FOUR_IN_A_ROW) == "Four in a row"
    assert view.move_number(state) == (3, 0)
    coloured = "\n".join(view_class(game)(True, False).draw(state, last, True))
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == "\n".join(view.draw(state, last, False))


def test_tic_tac_toe_is_played_in_a_terminal() -> None:
    said = session("b2;z9;position;resign", game=games.load("tic_tac_toe"))
    assert re.search(r"^2 .* x .*1\. b2 ", said, re.M)
    assert "'z9' is not a move: write a square, a1 to c3" in said
    assert re.search(r"[xo1-3]+/[xo1-3]+/[xo1-3]+ x\n", said)
    assert "Resignation: o wins." in said
