"""Write chess_mates.epd: forced mates in 1 to 4 moves, from random games and from games of Stockfish at a low depth.

    python tests/data/make_chess_mates.py [path of stockfish] > tests/data/chess_mates.epd

Takes 25 minutes of one core. Stockfish only says where to look: every puzzle is solved by the exhaustive solver of
tests/mates_help.py, which finds the shortest mate and all first moves that force it. What would take it longer than
``MOST`` positions is left out, so that the suite can be checked again; so are puzzles with more than ``MOST_KEYS``
solutions, which say little.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import chess
import chess.engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from mates_help import Solver, TooLong

WANTED = {1: 60, 2: 60, 3: 60, 4: 30}
"""Puzzles by their length in moves: a quarter for each colour from each source."""
MOST, MOST_KEYS = 30_000, 3
RARE_GAMES, EACH_RARE = 2_000, 4
SPECIAL: dict[str, Callable[[chess.Board, chess.Move], bool]] = {
    "castling": lambda board, move: board.is_castling(move),
    "en passant": lambda board, move: board.is_en_passant(move),
    "under-promotion": lambda board, move: move.promotion not in (None, chess.QUEEN),
    "promotion": lambda board, move: move.promotion is not None,
}


class Found(NamedTuple):
    """A puzzle."""

    length: int
    source: str
    special: str
    """What all the solutions have in common, of ``SPECIAL``; otherwise empty."""
    board: chess.Board
    keys: list[chess.Move]


def random_game(rng: random.Random, engine: chess.engine.SimpleEngine) -> Iterator[chess.Board]:
    """The positions of a random game that likes captures, promotions and pawn moves."""
    board = chess.Board()
    while board.ply() < 200 and not board.is_game_over(claim_draw=False):
        yield board.copy(stack=False)
        moves = list(board.legal_moves)
        weights = [1 + 4 * bool(m.promotion) + board.is_capture(m) + board.is_castling(m) for m in moves]
        board.push(rng.choices(moves, weights)[0])


def engine_game(rng: random.Random, engine: chess.engine.SimpleEngine) -> Iterator[chess.Board]:
    """The positions of a game of Stockfish against itself; the depths differ, and now and then a move is random."""
    board = chess.Board()
    depths = [rng.randint(1, 6), rng.randint(1, 3)]
    rng.shuffle(depths)
    while board.ply() < 200 and not board.is_game_over(claim_draw=False):
        yield board.copy(stack=False)
        move = rng.choice(list(board.legal_moves))
        if board.ply() >= 4 and rng.random() > 0.1:
            limit = chess.engine.Limit(depth=depths[board.turn])
            move = engine.play(board.copy(stack=False), limit).move or move
        board.push(move)


SOURCES = {"random game": random_game, "engine game": engine_game}


def hint(board: chess.Board, engine: chess.engine.SimpleEngine) -> int:
    """The length of the mate that Stockfish sees in the position, 0 for none."""
    score = engine.analyse(board, chess.engine.Limit(depth=9))["score"].relative
    return max(score.mate() or 0, 0)


def solved(board: chess.Board, source: str) -> Found | None:
    """The puzzle that the position is, None where it is none."""
    board = chess.Board(board.epd(en_passant="legal") + " 0 1")
    try:
        answer = Solver(MOST).solve(board, max(WANTED))
    except TooLong:
        return None
    if answer is None or len(answer[1]) > MOST_KEYS:
        return None
    length, keys = answer
    special = next((name for name, has in SPECIAL.items() if all(has(board, move) for move in keys)), "")
    return Found(length, source, special, board, keys)


def rare(rng: random.Random, engine: chess.engine.SimpleEngine) -> Iterator[Found]:
    """Puzzles whose only solutions are special moves, as many as some thousand random games bring up."""
    kept: Counter[tuple[int, str]] = Counter()
    for _ in range(RARE_GAMES):
        for board in random_game(rng, engine):
            if any(has(board, move) for has in SPECIAL.values() for move in board.legal_moves):
                if 0 < hint(board, engine) <= 3 and (found := solved(board, "random game")) and found.special:
                    kept[found.length, found.special] += 1
                    if kept[found.length, found.special] <= EACH_RARE:
                        yield found
                        break


def common(
    rng: random.Random, engine: chess.engine.SimpleEngine, wanted: Callable[[int, str, bool], bool]
) -> Iterator[Found]:
    """Puzzles of all lengths without end: at most one of each length from a game, from both sources in turn."""
    while True:
        for source, game in SOURCES.items():
            hints = [(hint(board, engine), board) for board in game(rng, engine) if rng.random() < 0.5]
            rng.shuffle(hints)
            for length in WANTED:
                boards = [board for seen, board in hints if seen == length and wanted(length, source, board.turn)]
                yield from islice(filter(None, (solved(board, source) for board in boards[:3])), 1)


def chosen(rng: random.Random, engine: chess.engine.SimpleEngine) -> list[Found]:
    """The suite: rare puzzles first, then common ones until every length, source and colour has its share."""
    room = {
        (n, source, turn): (wanted + 2 * (turn == (source == "random game"))) // 4  # 30 are 8 + 7 + 7 + 8
        for n, wanted in WANTED.items()
        for source in SOURCES
        for turn in (False, True)
    }
    seen: set[str] = set()
    suite: list[Found] = []

    def keep(found: Found) -> None:
        cell = (found.length, found.source, found.board.turn)
        if room[cell] and found.board.epd() not in seen:
            seen.update((found.board.epd(), found.board.mirror().epd()))  # nor the same with colours changed
            room[cell] -= 1
            suite.append(found)

    for found in rare(rng, engine):
        keep(found)
    puzzles = common(rng, engine, lambda *cell: room[cell] > 0)
    while any(room.values()):
        keep(next(puzzles))
    return sorted(suite, key=lambda found: (found.length, found.source, found.special, -int(found.board.turn)))


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else "stockfish"
    with chess.engine.SimpleEngine.popen_uci(command) as engine:
        name = engine.id["name"]
        suite = chosen(random.Random(1), engine)
    print(f"# Generated by make_chess_mates.py with {name}; every mate proved by exhaustive search with python-chess.")
    print("# dm: the shortest forced mate in moves; bm: all first moves that force it; c0: where it comes from.")
    number = Counter[int]()
    for length, source, special, board, keys in suite:
        if not number[length]:
            print(f"\n# mate in {length}")
        number[length] += 1
        moves = " ".join(sorted(map(board.san, keys)))
        comment = ", ".join(filter(None, [source, special]))
        identity = f"mate in {length}, {number[length]:02}"
        print(f'{board.epd(en_passant="legal")} bm {moves}; c0 "{comment}"; dm {length}; id "{identity}";')


if __name__ == "__main__":
    main()
