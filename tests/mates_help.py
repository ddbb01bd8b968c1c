"""An exhaustive solver of chess mate problems by python-chess, independent of our rules and of our search.

Nothing is pruned: every move of the attacker is tried against every reply. Only the order is clever (the reply that
refuted the move before is tried first), and positions are remembered.
"""

import chess


class TooLong(Exception):
    """The solver has looked at as many positions as it may."""


class Solver:
    """Answers for one problem; ``looked_at`` counts the positions in which a mating move was looked for."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.looked_at = 0
        self._known: dict[tuple[object, int], bool] = {}

    def solve(self, board: chess.Board, longest: int) -> tuple[int, list[chess.Move]] | None:
        """The length of the shortest forced mate in moves and all first moves that lead to it, None beyond ``longest``.

        Raises:
            TooLong: more than ``most`` positions would have to be looked at.
        """
        for length in range(1, longest + 1):
            if self.mates(board, length):
                return length, [move for move in board.legal_moves if self._forces(board, move, length, [])]
        return None

    def mates(self, board: chess.Board, length: int) -> bool:
        """Whether the side to move can force mate in ``length`` moves or fewer."""
        key = (board._transposition_key(), length)
        if key not in self._known:
            self._known[key] = self._looks(board, length)
        return self._known[key]

    def _looks(self, board: chess.Board, length: int) -> bool:
        self.looked_at += 1
        if self.most is not None and self.looked_at > self.most:
            raise TooLong
        if length == 1:
            return any(_mates_at_once(board, move) for move in board.pseudo_legal_moves if may_check(board, move))
        if self.mates(board, length - 1):
            return True
        refutations: list[chess.Move] = []
        return any(self._forces(board, move, length, refutations) for move in board.legal_moves)

    def _forces(self, board: chess.Board, move: chess.Move, length: int, refutations: list[chess.Move]) -> bool:
        """Whether ``move`` mates, or mates after every reply; replies that do not lose are put first in the list."""
        if length == 1:
            return _mates_at_once(board, move)
        board.push(move)
        try:
            replies = list(board.legal_moves)
            if not replies:
                return board.is_check()
            replies.sort(key=lambda reply: refutations.index(reply) if reply in refutations else len(refutations))
            for reply in replies:
                board.push(reply)
                lost = self.mates(board, length - 1)
                board.pop()
                if not lost:
                    if reply in refutations:
                        refutations.remove(reply)
                    refutations.insert(0, reply)
                    return False
            return True
        finally:
            board.pop()


def _mates_at_once(board: chess.Board, move: chess.Move) -> bool:
    if not board.is_legal(move):
        return False
    board.push(move)
    mated = board.is_checkmate()
    board.pop()
    return mated


def may_check(board: chess.Board, move: chess.Move) -> bool:
    """False only where the move certainly gives no check: read off the squares, without playing it."""
    king = board.king(not board.turn)
    assert king is not None
    if chess.ray(move.from_square, king) or board.is_castling(move) or board.is_en_passant(move):
        return True  # it may open a line
    piece = move.promotion or board.piece_type_at(move.from_square)
    lines = chess.BB_RANK_ATTACKS[king][0] | chess.BB_FILE_ATTACKS[king][0]
    diagonals = chess.BB_DIAG_ATTACKS[king][0]
    reach = {
        chess.PAWN: chess.BB_PAWN_ATTACKS[not board.turn][king],
        chess.KNIGHT: chess.BB_KNIGHT_ATTACKS[king],
        chess.BISHOP: diagonals,
        chess.ROOK: lines,
        chess.QUEEN: lines | diagonals,
    }
    return bool(reach.get(piece or chess.KING, 0) & chess.BB_SQUARES[move.to_square])
