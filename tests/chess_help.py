"""What the chess tests share: positions from FEN, moves as text, and an independent reading of python-chess boards."""

from functools import partial

import chess
import numpy as np

import games
from games.chess import STATE, Ending, lookback, position_key
from rlcore.jit import Array
from tests import game_help

CHESS = games.load("chess")
START = "startpos"
KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"


position, legal, moves, play, ending = (
    partial(helper, CHESS)
    for helper in (game_help.position, game_help.legal, game_help.moves, game_help.play, game_help.ending)
)


def stood_before(keys: list[int], row: Array) -> int:
    """How often the row's position is among the keys of the earlier positions, looking back no further than needed."""
    plies = int(lookback(row))
    return keys[max(len(keys) - plies, 0) :].count(int(row["key"]))


def endings(fen: str, text: str) -> list[Ending]:
    """Why the game is over after each of the moves (UCI text), repetitions counted."""
    row, keys, found = position(fen), [], []
    for move in text.split():
        keys.append(int(row["key"]))
        play(row, move)
        found.append(ending(row, stood_before(keys, row))[0])
    return found


def row_of(board: chess.Board) -> Array:
    """The row of a python-chess board, made from its bitboards and not from text."""
    row = np.zeros(1, STATE)[0]
    turn = board.turn

    def seen(bits: int) -> np.uint64:
        return np.uint64(bits if turn else chess.flip_vertical(bits))

    for name in ("pawns", "knights", "bishops", "rooks", "queens", "kings"):
        row[name] = seen(getattr(board, name))
    row["own"], row["opponent"] = seen(board.occupied_co[turn]), seen(board.occupied_co[not turn])
    sides = (turn, turn, not turn, not turn)
    rights = (board.has_kingside_castling_rights, board.has_queenside_castling_rights) * 2
    row["castling"] = sum(has(side) << bit for bit, (has, side) in enumerate(zip(rights, sides, strict=True)))
    row["en_passant"] = 64
    if board.ep_square is not None and board.has_legal_en_passant():
        row["en_passant"] = board.ep_square if turn else chess.square_mirror(board.ep_square)
    row["turn"], row["fifty"], row["ply"] = int(not turn), board.halfmove_clock, board.ply()
    row["key"] = position_key(row)
    return row
