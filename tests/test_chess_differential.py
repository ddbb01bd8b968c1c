"""Random games beside python-chess: the same moves, the same positions, the same endings for the same reasons."""

import random

import chess
import numpy as np
import pytest

from games.chess import Ending, apply, from_text, in_check, legal_en_passant, to_text, write
from rlcore.jit import Array
from tests.chess_help import ending, legal, position, row_of, stood_before

START = chess.STARTING_FEN
CROWDED = "r3k2r/pppqpppp/2nb1n2/3p1b2/3P1B2/2NB1N2/PPPQPPPP/R3K2R w KQkq - 0 1"
PAWNS = "4k3/pppppppp/8/8/8/8/PPPPPPPP/4K3 w - - 0 1"
PROMOTIONS = "8/PPPP4/7k/8/8/7K/pppp4/8 w - - 0 1"
FEW_MEN = "8/8/3k4/8/2b1B3/8/3K4/8 w - - 60 90"
SHUFFLING = "7k/8/8/8/8/8/r7/K7 w - - 70 200"


def expected(board: chess.Board) -> Ending:
    """Why python-chess would end the game, where claims count at once."""
    if not any(board.legal_moves):
        return Ending.CHECKMATE if board.is_check() else Ending.STALEMATE
    if board.halfmove_clock >= 100:
        return Ending.FIFTY_MOVES
    if board.is_repetition(3):
        return Ending.THREEFOLD
    if board.is_insufficient_material():
        return Ending.INSUFFICIENT_MATERIAL
    return Ending.ONGOING


def compare(board: chess.Board, row: Array, keys: list[int]) -> tuple[Array, list[chess.Move]]:
    """Everything about one position; returns our actions and the same moves as python-chess has them."""
    actions = legal(row)
    texts = [to_text(row, action) for action in actions]
    assert len(set(actions.tolist())) == len(texts) == len(set(texts))
    assert set(texts) == {move.uci() for move in board.legal_moves}, board.fen()
    assert row == row_of(board), board.fen()
    assert in_check(row) == board.is_check()
    assert write(row) == board.fen(en_passant="legal")
    reason, value = ending(row, stood_before(keys, row))
    assert reason == expected(board), board.fen()
    assert value == (-1.0 if board.is_checkmate() else 0.0)
    return actions, [chess.Move.from_uci(text) for text in texts]


def weight(board: chess.Board, move: chess.Move) -> float:
    """Rare kinds of moves are liked; they are what goes wrong."""
    rare = board.is_en_passant(move) or board.is_castling(move)
    return 1.0 + 8.0 * rare + 3.0 * (move.promotion is not None)


def walk(fen: str, rng: random.Random, plies: int) -> list[Ending]:
    """Play one random game and compare each position; positions after the end of a game by a claim are included."""
    board, row = chess.Board(fen), position(fen)
    keys: list[int] = []
    reasons = []
    for _ in range(plies):
        actions, moves = compare(board, row, keys)
        reasons.append(expected(board))
        if not moves:
            break
        choice = rng.choices(range(len(moves)), [weight(board, move) for move in moves])[0]
        assert from_text(row, moves[choice].uci()) == actions[choice]
        keys.append(int(row["key"]))
        board.push(moves[choice])
        apply(row, actions[choice])
    return reasons


@pytest.mark.parametrize(
    ("fen", "games", "plies", "must_occur"),
    [
        (START, 40, 160, {Ending.ONGOING}),
        (CROWDED, 20, 160, {Ending.ONGOING}),
        (PAWNS, 30, 160, {Ending.ONGOING}),
        (PROMOTIONS, 40, 80, {Ending.CHECKMATE}),
        (FEW_MEN, 6, 60, {Ending.FIFTY_MOVES}),
        (SHUFFLING, 40, 60, {Ending.FIFTY_MOVES, Ending.THREEFOLD, Ending.INSUFFICIENT_MATERIAL}),
    ],
)
def test_random_games_agree_with_python_chess(fen: str, games: int, plies: int, must_occur: set[Ending]) -> None:
    rng = random.Random(fen)
    met: set[Ending] = set()
    for _ in range(games):
        met |= set(walk(fen, rng, plies))
    assert must_occur <= met


@pytest.mark.nojit
def test_a_short_random_game_agrees_with_python_chess() -> None:
    for seed, fen in enumerate((START, CROWDED, PROMOTIONS)):
        walk(fen, random.Random(seed), 8)


def test_en_passant_in_strewn_positions() -> None:
    """Kings and sliders strewn around a double push: pins along rank, file and diagonals, checks by the pawn."""
    rng, met = random.Random(1), {True: 0, False: 0}
    while min(met.values()) < 150:
        board = chess.Board(None)
        file = rng.randrange(8)
        beside = rng.choice([f for f in (file - 1, file + 1) if 0 <= f < 8])
        board.set_piece_at(chess.square(file, 4), chess.Piece.from_symbol("p"))
        board.set_piece_at(chess.square(beside, 4), chess.Piece.from_symbol("P"))
        behind = {chess.square(file, 5), chess.square(file, 6)}
        free = [s for s in chess.SQUARES if board.piece_at(s) is None and s not in behind]
        men = "Kk" + "".join(rng.choices("rbqQRB", k=3))
        for square, man in zip(rng.sample(free, len(men)), men, strict=True):
            board.set_piece_at(square, chess.Piece.from_symbol(man))
        board.ep_square = chess.square(file, 5)
        if board.status() & ~chess.STATUS_IMPOSSIBLE_CHECK != chess.STATUS_VALID:
            continue
        row = row_of(board)
        assert legal_en_passant(row, np.uint64(board.ep_square)) == board.has_legal_en_passant(), board.fen()
        compare(board, row, [])
        mirror = board.mirror()
        compare(mirror, position(mirror.fen()), [])
        met[board.has_legal_en_passant()] += 1
