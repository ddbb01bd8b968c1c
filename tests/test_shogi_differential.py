"""Random games beside cshogi, python-shogi and pyffish: the same moves, the same positions, the same endings.

What each is wrong about is left out: cshogi's own repetitions, as it looks at the last cycle only; python-shogi's pawn
drops that mate beside a pinned piece; pyffish's that mate at all.
"""

import random
import re
from collections import Counter

import numpy as np
import pytest

from games.errors import BadPosition
from games.shogi import MAX_LEGAL, Ending, can_declare, from_text, in_check, may_be_lost, to_text, write
from rlcore.game import new_history
from rlcore.jit import Array
from tests.shogi_help import SHOGI, START, moves, position, turned, turned_moves

cshogi = pytest.importorskip("cshogi", reason="there is no cshogi here")
shogi = pytest.importorskip("shogi", reason="there is no python-shogi here")

from tests.data.make_shogi_perft import MEN, strewn  # noqa: E402
from tests.data.make_shogi_perft import write as write_sfen  # noqa: E402

MATSURI = "l6nl/5+P1gk/2np1S3/p1p4Pp/3P2Sp1/1PPb2P1P/P5GS1/R8/LN4bKL w RGgsn5p 1"
ENDGAME = "l2k5/9/1+P1p1S3/2n6/4r4/3+b5/2P1P4/1S1G1K3/L7L b R2GBS3Pnl4p 1"


class Game:
    """A game as self-play plays it, position after position, with cshogi's board beside it."""

    def __init__(self, sfen: str, plies: int) -> None:
        self.book, self.slot = new_history(SHOGI, 1, plies + 1), np.zeros(1, np.int32)
        self.book.states[0, 0], self.book.length[0] = position(sfen), 1
        self.board = cshogi.Board(sfen)
        self.seen: list[str] = []
        self.checks: list[bool] = []

    @property
    def row(self) -> Array:
        return self.book.states[0, self.book.length[0] - 1]

    def judge(self) -> tuple[Array, Ending, float]:
        """The legal actions, why the game is over and its value."""
        actions, counts = np.zeros((1, MAX_LEGAL), np.uint16), np.zeros(1, np.int32)
        endings, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
        SHOGI.judge(self.book, self.slot, 0, actions, counts, endings, values)
        return actions[0, : counts[0]], Ending(endings[0]), float(values[0])

    def play(self, action: int, move: int) -> None:
        self.board.push(move)
        SHOGI.advance(self.book, self.slot, np.array([action], np.uint16))

    def expected(self) -> tuple[Ending, float]:
        """The ending by cshogi's moves, checks and declarations, and by positions counted as text."""
        self.seen.append(self.board.sfen().rsplit(maxsplit=1)[0])
        self.checks.append(self.board.is_check())
        if not any(self.board.legal_moves):
            return (Ending.CHECKMATE if self.checks[-1] else Ending.STALEMATE), -1.0
        if self.seen.count(self.seen[-1]) >= 4:
            since = self.checks[self.seen.index(self.seen[-1]) + 1 :]
            own, opponent = all(since[0::2]), all(since[1::2])  # who moved first, and made every second move
            if own == opponent:
                return Ending.REPETITION, 0.0
            return Ending.PERPETUAL_CHECK, -1.0 if own else 1.0
        if self.board.is_nyugyoku():
            return Ending.DECLARATION, 1.0
        return Ending.ONGOING, 0.0


def compare(game: Game) -> tuple[Array, list[str], Ending]:
    """Everything about the newest position; returns our actions, the same moves as text, the ending."""
    row, sfen = game.row, game.board.sfen()
    assert write(row) == sfen
    assert in_check(row) == game.board.is_check(), sfen
    actions, reason, value = game.judge()
    texts = [to_text(row, action) for action in actions]
    assert len(set(actions.tolist())) == len(texts) == len(set(texts))
    assert set(texts) == {cshogi.move_to_usi(move) for move in game.board.legal_moves}, sfen
    assert (reason, value) == game.expected(), sfen
    assert value >= 0 or may_be_lost(row), sfen
    return actions, texts, reason


def weight(move: str) -> float:
    """Drops and promotions are liked; they are what goes wrong."""
    return 3.0 if "+" in move else 0.5 if "*" in move else 1.0


def walk(sfen: str, rng: random.Random, plies: int) -> Counter[Ending]:
    """Play one random game and compare each position; it goes on after an end that leaves moves."""
    game, reasons = Game(sfen, plies), Counter[Ending]()
    for ply in range(plies + 1):
        actions, texts, reason = compare(game)
        reasons[reason] += 1
        if not texts or ply == plies:
            break
        choice = rng.choices(range(len(texts)), map(weight, texts))[0]
        assert from_text(game.row, texts[choice]) == actions[choice]
        game.play(actions[choice], game.board.move_from_usi(texts[choice]))
    return reasons


@pytest.mark.parametrize(("sfen", "games", "plies"), [(START, 25, 160), (MATSURI, 12, 80), (ENDGAME, 12, 80)])
def test_random_games_agree_with_cshogi(sfen: str, games: int, plies: int) -> None:
    rng = random.Random(sfen)
    met: Counter[Ending] = Counter()
    for _ in range(games):
        met += walk(sfen, rng, plies)
    assert met[Ending.ONGOING] > games * plies / 2


@pytest.mark.parametrize(("on_board", "in_hand"), [(24, 14), (6, 3), (12, 28)])
def test_games_from_strewn_positions_agree_with_cshogi(on_board: int, in_hand: int) -> None:
    """Many pieces, few, and big hands."""
    rng = random.Random(on_board)
    met: Counter[Ending] = Counter()
    for _ in range(120):
        met += walk(strewn(rng, on_board, in_hand), rng, 12)
    assert met[Ending.ONGOING] > 1000


@pytest.mark.nojit
def test_a_short_random_game_agrees_with_cshogi() -> None:
    for seed, sfen in enumerate((START, MATSURI, ENDGAME)):
        walk(sfen, random.Random(seed), 8)


# --- drops that mate -------------------------------------------------------------------------------------------------


def besieged(rng: random.Random) -> tuple[str, str]:
    """A white king with men of both sides around it and a pawn to be dropped before it: that position, and the drop.

    It may be no legal position.
    """
    board = [""] * 81
    king = rng.randrange(rng.choice([9, 9, 54]))
    front = king + 9
    board[king], board[80] = "k", "K"
    distance = [max(abs(s // 9 - king // 9), abs(s % 9 - king % 9)) for s in range(81)]
    near = [s for s in range(81) if distance[s] in (1, 2) and s != front]
    for square in rng.sample(near, min(len(near), rng.randint(4, 9))):
        board[square] = rng.choice(["G", "G", "S", "+P", "+P", "N", "L", "g", "s", "p", "n", "l", "r", "b"])
    for square in rng.sample([s for s in range(80) if distance[s] > 2 and s % 9 != king % 9], 2):
        board[square] = rng.choice(["R", "B"])
    return write_sfen(board, "b", Counter("P")), f"P*{9 - front % 9}{'abcdefghi'[front // 9]}"


def test_pawn_drops_before_a_besieged_king() -> None:
    """Where the drop is legal, and where not because it would mate; on the turned board too."""
    rng, met = random.Random(1), Counter[bool]()
    while min(met[True], met[False]) < 300:
        sfen, drop = besieged(rng)
        if cshogi.Board(sfen.replace(" b ", " w ")).is_check():
            continue  # quicker than to read it
        try:
            row = position(sfen)
        except BadPosition:
            continue
        if in_check(row):
            continue
        expected = {cshogi.move_to_usi(move) for move in cshogi.Board(sfen).legal_moves}
        assert moves(row) == expected, sfen
        assert moves(position(turned(sfen))) == {turned_moves(move) for move in expected}, sfen
        met[drop in expected] += 1


# --- declarations ----------------------------------------------------------------------------------------------------


def entered(rng: random.Random) -> str:
    """Black's king in White's camp or just below, with about ten men and 28 points."""
    board = [""] * 81
    squares = rng.sample(range(27), 20)
    board[rng.choice([*squares[:1] * 8, *range(27, 36)])] = "K"
    board[rng.randrange(63, 81)] = "k"
    men, in_camp = rng.sample(MEN, len(MEN)), rng.randint(8, 12)
    big = [man for man in men if man in "BR"]
    men = big + [man for man in men if man not in "BR"]
    hands: Counter[str] = Counter()
    for square in squares[1:]:
        if not board[square] and in_camp > 0:
            man = men.pop(0 if rng.random() < 0.2 else -1)
            board[square] = "+" * (man not in "GBR" or rng.random() < 0.5) + man
            in_camp -= 1
    points = 28 + rng.randint(-3, 2) - sum(5 if man[-1] in "BR" else 1 for man in board if man and man not in "Kk")
    while points > 0 and men:
        man = men.pop(0 if points >= 5 and rng.random() < 0.7 else -1)
        hands[man] += 1
        points -= 5 if man in "BR" else 1
    for square in rng.sample(range(81), 3):  # White's, some of which give check
        if not board[square] and men:
            man = men.pop()
            board[square] = "+" * (man not in "GBR") + man.lower()
    for square in rng.sample(range(27, 63), 2):  # below the camp
        if not board[square] and men:
            man = men.pop()
            board[square] = "+" * (man not in "GBR") + man
    return write_sfen(board, "b", hands)


def test_declarations_agree_with_cshogi() -> None:
    rng, met = random.Random(2), Counter[tuple[bool, bool]]()
    while met.total() < 4000:
        sfen = entered(rng)
        try:
            rows = position(sfen), position(turned(sfen))
        except BadPosition:
            continue
        found = tuple(bool(can_declare(row)) for row in rows)
        assert found == (cshogi.Board(sfen).is_nyugyoku(), cshogi.Board(turned(sfen)).is_nyugyoku()), sfen
        met[found] += 1
    assert min(met[True, True], met[False, True], met[False, False]) >= 100, met
    assert not met[True, False]  # White needs a point less


# --- other programs --------------------------------------------------------------------------------------------------


def test_random_games_agree_with_python_shogi() -> None:
    """It lets a dropped pawn mate beside a pinned piece, so its pawn drops before the king are left out."""
    rng = random.Random(3)
    for sfen in (START, MATSURI, strewn(rng), strewn(rng, 10, 30)):
        game = Game(sfen, 40)
        for _ in range(40):
            theirs = shogi.Board(write(game.row))
            ours, texts, _ = compare(game)
            front = theirs.king_squares[theirs.turn ^ 1] + (9 if theirs.turn == shogi.BLACK else -9)
            assert theirs.is_check() == in_check(game.row)
            drop = {f"P*{shogi.SQUARE_NAMES[front]}"} if 0 <= front < 81 else set()
            assert {move.usi() for move in theirs.legal_moves} - drop == set(texts) - drop
            if not texts:
                break
            choice = rng.choices(range(len(texts)), map(weight, texts))[0]
            game.play(ours[choice], game.board.move_from_usi(texts[choice]))


def pyffish_position(sfen: str) -> str:
    """An SFEN as pyffish reads it."""
    board, turn, hands, _ = sfen.split()
    held = "".join(letter * int(number or 1) for number, letter in re.findall(r"(\d*)([A-Za-z])", hands))
    return f"{board}[{held or '-'}] {'w' if turn == 'b' else 'b'} 0 1"


def pyffish_move(usi: str) -> str:
    """A USI move as pyffish reads it: files from a, ranks from below."""
    return usi.translate(str.maketrans("987654321abcdefghi*", "abcdefghi987654321@"))


REPEATING = (  # where Black can go on checking
    "9/3k2p+R1/9/9/9/9/9/9/4K4 b - 1",  # a dragon
    "9/9/9/3+B5/5k3/5L3/9/9/4K4 w p 1",  # a horse and a lance
    "lnsg1gsnl/1r5b1/ppppppppp/4k4/9/5R3/PPPPPPPPP/1B7/LNSGKGSNL b - 1",  # a rook in the middle of the board
    "4k4/9/9/5s3/9/3S5/9/9/4K4 b P 1",  # or drop a pawn, which is taken
    "4k4/9/9/1+R7/9/7+b1/9/9/4K4 b - 1",  # where White can, too
)


def test_repetitions_agree_with_pyffish() -> None:
    """Games that shuffle, check and like to go where they have been: the fourth occurrence and who loses by it."""
    pyffish = pytest.importorskip("pyffish", reason="there is no pyffish here")
    rng, met = random.Random(4), Counter[tuple[Ending, float, int]]()
    for start in REPEATING:
        for flip in [False, True] * 30:
            sfen = turned(start) if flip else start
            game, line = Game(sfen, 120), []
            checker = int(flip) if rng.random() < 0.7 else 2  # who gives check where it can; 2 = nobody in particular
            for _ in range(120):
                actions, reason, value = game.judge()
                assert (reason, value) == game.expected(), (sfen, line)
                repeated = reason in (Ending.REPETITION, Ending.PERPETUAL_CHECK)
                if repeated or game.seen.count(game.seen[-1]) >= 3 or rng.random() < 0.01:  # it is slow
                    ended, worth = pyffish.is_optional_game_end("shogi", pyffish_position(sfen), line)
                    assert ended == repeated, (sfen, line)
                    assert not ended or np.sign(worth) == value, (sfen, line)
                if reason != Ending.ONGOING:
                    met[reason, value, int(game.row["turn"])] += 1
                    break
                choice = choose(game, rng, actions, checker == game.row["turn"])
                move = to_text(game.row, choice)
                line.append(pyffish_move(move))
                game.play(choice, game.board.move_from_usi(move))
    for turn in (0, 1):
        assert met[Ending.REPETITION, 0.0, turn] >= 10, met
        assert met[Ending.PERPETUAL_CHECK, -1.0, turn] >= 10, met
        assert met[Ending.PERPETUAL_CHECK, 1.0, turn] >= 10, met


def choose(game: Game, rng: random.Random, actions: Array, checks: bool) -> int:
    """A random action, of those that give check if ``checks``; rather one that leads to a position met before."""
    before = game.book.states["key"][0, : game.book.length[0]]
    candidates: list[tuple[float, int]] = []
    for action in actions:
        row = game.row.copy()
        SHOGI.apply(row, action)
        known = row["key"] in before
        candidates.append(((100.0 if known else 1.0) * (1000.0 if checks and in_check(row) else 1.0), action))
    return rng.choices([action for _, action in candidates], [weight for weight, _ in candidates])[0]
