"""The suite of mate puzzles (tests/data/chess_mates.epd) says the truth, by a solver that shares nothing with ours."""

import random
from collections import Counter
from pathlib import Path

import chess
import pytest
from mates_help import Solver, TooLong, may_check

from games.chess.notation import Puzzle, read_puzzles

SUITE = read_puzzles((Path(__file__).parent / "data" / "chess_mates.epd").read_text(encoding="utf-8").splitlines())


def check(puzzle: Puzzle) -> None:
    """The shortest forced mate has the length that is given, and exactly the moves given force it."""
    answer = Solver().solve(chess.Board(puzzle.position + " 0 1"), puzzle.length)
    assert answer is not None, puzzle
    length, moves = answer
    assert length == puzzle.length
    assert {move.uci() for move in moves} == set(puzzle.solutions)


@pytest.mark.parametrize("length", [1, 2])
def test_the_shorter_mates_are_mates(length: int) -> None:
    for puzzle in SUITE:
        if puzzle.length == length:
            check(puzzle)


@pytest.mark.slow
@pytest.mark.parametrize("puzzle", [puzzle for puzzle in SUITE if puzzle.length > 2], ids=lambda puzzle: puzzle.name)
def test_the_longer_mates_are_mates(puzzle: Puzzle) -> None:
    check(puzzle)


def test_the_suite_is_varied() -> None:
    assert Counter(puzzle.length for puzzle in SUITE) == {1: 60, 2: 60, 3: 60, 4: 30}
    assert len({puzzle.name for puzzle in SUITE}) == len(SUITE)
    boards = [chess.Board(puzzle.position + " 0 1") for puzzle in SUITE]
    assert all(board.is_valid() for board in boards)
    assert len({board.epd() for board in boards} | {board.mirror().epd() for board in boards}) == 2 * len(SUITE)
    assert Counter(board.turn for board in boards) == {chess.WHITE: 105, chess.BLACK: 105}
    assert len({"".join(sorted(filter(str.isalpha, board.board_fen()))) for board in boards}) > 180  # sets of men


@pytest.mark.parametrize(
    ("epd", "length", "moves"),
    [
        ("r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR w KQkq -", 1, "h5f7"),  # scholar's mate
        ("kbK5/pp6/1P6/8/8/8/8/R7 w - -", 2, "a1a6"),  # Morphy
        ("r5rk/5p1p/5R2/4B3/8/8/7P/7K w - -", 3, "f6a6"),  # a known exercise: 1 Ra6+ f6 2 Bxf6+ Rg7 3 Rxa8
        ("8/8/8/8/8/6k1/8/r5K1 w - -", None, ""),  # mated already: nothing to do
        ("k7/P7/2K5/8/8/8/8/8 w - -", None, ""),  # 1 Kc7 or Kb6 is stalemate, no mate
        ("8/5P1k/5K2/8/8/8/8/8 w - -", 2, "f7f8r"),  # 1 f8=R Kh6 2 Rh8; 1 f8=Q is stalemate
    ],
)
def test_the_solver_knows_the_classics(epd: str, length: int | None, moves: str) -> None:
    board = chess.Board(epd + " 0 1")
    before = board.fen()
    answer = Solver().solve(board, 3)
    assert board.fen() == before
    if length is None:
        assert answer is None
        return
    assert answer is not None
    assert (answer[0], {move.uci() for move in answer[1]}) == (length, set(moves.split()))


def test_the_solver_gives_up_when_told_to() -> None:
    with pytest.raises(TooLong):
        Solver(most=100).solve(chess.Board("r5rk/5p1p/5R2/4B3/8/8/7P/7K w - - 0 1"), 3)


def test_no_check_is_overlooked() -> None:
    rng = random.Random(1)
    checks = 0
    for _ in range(20):
        board = chess.Board()
        while not board.is_game_over() and board.ply() < 120:
            for move in board.legal_moves:
                if board.gives_check(move):
                    checks += 1
                    assert may_check(board, move)
            board.push(rng.choice(list(board.legal_moves)))
    assert checks > 1000
