"""Write shogi_perft_generated.sfen: varied positions with counts by cshogi, the shallow ones checked by python-shogi.

    python tests/data/make_shogi_perft.py > tests/data/shogi_perft_generated.sfen

Positions come from random games and from boards set up at random, kept until every feature below has its share.
cshogi counts all depths; python-shogi, which is slow, those below ``CHECKED_LEAVES``. It lets a dropped pawn mate where
the only man that could take it is pinned, and so may count more: such positions are named on stderr, cshogi's counts
stand.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cshogi
import shogi

MOST_LEAVES, CHECKED_LEAVES = 5_000_000, 8_000
EACH = 12
START = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"
MEN = "P" * 18 + "LNSG" * 4 + "BR" * 2


class Seen(NamedTuple):
    """A position, with what the features ask about."""

    sfen: str
    board: list[str]
    """81 squares from 9a along the ranks, as SFEN writes men; an empty square is an empty string."""
    hand: Counter[str]
    """The mover's, by upper-case letter."""
    moves: list[str]
    checks: int
    """How many men attack the mover's king."""

    @property
    def black(self) -> bool:
        return self.sfen.split()[1] == "b"

    def own(self) -> list[int]:
        """The squares of the mover's men."""
        return [s for s, man in enumerate(self.board) if man and man.strip("+").isupper() == self.black]


def see(sfen: str) -> Seen:
    text, turn, hands, _ = sfen.split()
    board: list[str] = []
    for letter in text.replace("/", ""):
        if letter.isdigit():
            board += [""] * int(letter)
        elif board and board[-1] == "+":
            board[-1] += letter
        else:
            board.append(letter)
    hand: Counter[str] = Counter()
    number = ""
    for letter in hands.strip("-"):
        if letter.isdigit():
            number += letter
        else:
            hand[letter.upper()] += int(number or 1) if letter.isupper() == (turn == "b") else 0
            number = ""
    moves = [cshogi.move_to_usi(move) for move in cshogi.Board(sfen).legal_moves]
    mover = shogi.BLACK if turn == "b" else shogi.WHITE
    king = board.index("K" if turn == "b" else "k")
    return Seen(sfen, board, hand, moves, len(shogi.Board(sfen).attackers(mover ^ 1, king)))


def write(board: list[str], turn: str, hands: Counter[str]) -> str:
    """SFEN; hands by letter, upper case for Black."""
    ranks = []
    for start in range(0, 81, 9):
        text = "".join(man or "." for man in board[start : start + 9])
        for run in range(9, 0, -1):
            text = text.replace("." * run, str(run))
        ranks.append(text)
    hand = "".join(f"{hands[man] if hands[man] > 1 else ''}{man}" for man in "RBGSNLPrbgsnlp" if hands[man])
    return f"{'/'.join(ranks)} {turn} {hand or '-'} 1"


def in_check(board: list[str], turn: str) -> bool:
    return cshogi.Board(write(board, turn, Counter())).is_check()


def strewn(rng: random.Random, most_on_board: int = 24, most_in_hand: int = 14) -> str:
    """A legal position with men of both colours on random squares, many promoted, and in hands."""
    while True:
        men = rng.sample(MEN, len(MEN))
        on_board, in_hand = rng.randint(0, most_on_board), rng.randint(0, most_in_hand)
        hands = Counter(rng.choice((man, man.lower())) for man in men[on_board : on_board + in_hand])
        squares = rng.sample(range(81), on_board + 2)
        board = [""] * 81
        board[squares[0]], board[squares[1]] = "K", "k"
        for square, man in zip(squares[2:], men, strict=False):
            letter = rng.choice((man, man.lower()))
            ahead = square // 9 if letter.isupper() else 8 - square // 9
            dead = {"P": 1, "L": 1, "N": 2}.get(man, 0) > ahead
            if man != "G" and (dead or rng.random() < 0.3):
                board[square] = "+" + letter
            elif man == "P" and letter in board[square % 9 :: 9]:
                hands[letter] += 1  # two pawns on a file
            else:
                board[square] = letter
        turn, apart = rng.choice("bw"), [abs(a - b) for a, b in zip(*(divmod(s, 9) for s in squares[:2]), strict=True)]
        if max(apart) > 1 and not in_check(board, "w" if turn == "b" else "b"):  # cshogi does not see a king's check
            sfen = write(board, turn, hands)
            if see(sfen).checks <= 2:
                return sfen


# --- features --------------------------------------------------------------------------------------------------------


def drop_mates(p: Seen) -> bool:
    """Whether a pawn, dropped before the king, would mate."""
    king, ahead = p.board.index("k" if p.black else "K"), 9 if p.black else -9
    square = king + ahead
    if not p.hand["P"] or p.checks or not 0 <= square < 81 or p.board[square]:
        return False
    if ("P" if p.black else "p") in p.board[square % 9 :: 9] or square // 9 == (0 if p.black else 8):
        return False
    return f"P*{9 - square % 9}{'abcdefghi'[square // 9]}" not in p.moves


def checking_pawn_drops(p: Seen) -> bool:
    """Whether a pawn may be dropped with check."""
    square = p.board.index("k" if p.black else "K") + (9 if p.black else -9)
    return 0 <= square < 81 and f"P*{9 - square % 9}{'abcdefghi'[square // 9]}" in p.moves


def pinned(p: Seen) -> int:
    """How many of the mover's men may not leave their line."""
    men = [s for s in p.own() if p.board[s] not in "Kk"] if p.checks == 0 else []
    return sum(in_check([*p.board[:s], "", *p.board[s + 1 :]], p.sfen.split()[1]) for s in men)


def forced(p: Seen) -> int:
    """How many moves must promote: pawns, lances and knights that reach a rank which they could not leave."""
    plain = {move for move in p.moves if not move.endswith("+")}
    men = {s: p.board[s].upper() for s in p.own()}
    places = {f"{9 - s % 9}{'abcdefghi'[s // 9]}": man for s, man in men.items()}
    return sum(m.endswith("+") and m[:-1] not in plain and places[m[:2]] in "PLN" for m in p.moves)


def closed_files(p: Seen) -> int:
    """How many files a pawn may not be dropped on, where there is one to drop."""
    pawn = "P" if p.black else "p"
    return sum(pawn in p.board[file::9] for file in range(9)) if p.hand["P"] else 0


def drops(p: Seen) -> int:
    return sum("*" in move for move in p.moves)


FEATURES: dict[str, Callable[[Seen], bool]] = {
    "a pawn drop that would mate": drop_mates,
    "a pawn drop that gives check": checking_pawn_drops,
    "double check": lambda p: p.checks == 2,
    "drops between king and checker": lambda p: p.checks == 1 and drops(p) >= 3 and len(p.moves) <= 60,
    "a check to parry": lambda p: p.checks == 1 and 4 <= len(p.moves) <= 25,
    "several pins": lambda p: pinned(p) >= 2,
    "forced promotions": lambda p: forced(p) >= 2,
    "a choice to promote": lambda p: sum(m + "+" in p.moves for m in p.moves) >= 5,
    "files closed to pawns": lambda p: closed_files(p) >= 4,
    "big hands of all kinds": lambda p: len(p.hand) == 7 and p.hand.total() >= 9,
    "promoted men": lambda p: sum(man.startswith("+") for man in p.board) >= 10,
    "few men": lambda p: sum(map(bool, p.board)) <= 6,
    "an early middle game": lambda p: sum(map(bool, p.board)) >= 34 and p.hand.total() >= 1,
    "a late middle game": lambda p: 14 <= sum(map(bool, p.board)) <= 28 and p.hand.total() >= 4,
}


def played(rng: random.Random) -> Iterator[str]:
    """The positions of a random game that likes captures, promotions and drops."""
    board = cshogi.Board()
    for _ in range(160):
        moves = list(board.legal_moves)
        if not moves:
            return
        weights = [
            1 + 4 * cshogi.move_is_promotion(m) + (0 if cshogi.move_is_drop(m) else 3 * bool(cshogi.move_cap(m)))
            for m in moves
        ]
        board.push(rng.choices(moves, weights)[0])
        yield board.sfen().rsplit(maxsplit=1)[0] + " 1"


def set_up(rng: random.Random) -> Iterator[str]:
    """Strewn men, and the positions some random moves later."""
    board = cshogi.Board(strewn(rng))
    for _ in range(6):
        yield board.sfen().rsplit(maxsplit=1)[0] + " 1"
        moves = list(board.legal_moves)
        if not moves:
            return
        board.push(rng.choice(moves))


# --- counting --------------------------------------------------------------------------------------------------------


def leaves(board: cshogi.Board, depth: int) -> int:
    """Perft by cshogi."""
    if depth == 1:
        return len(board.legal_moves)
    total = 0
    for move in board.legal_moves:
        board.push(move)
        total += leaves(board, depth - 1)
        board.pop()
    return total


def slow_leaves(board: shogi.Board, depth: int) -> int:
    """Perft by python-shogi."""
    total = 0
    for move in list(board.legal_moves):
        if depth == 1:
            total += 1
        else:
            board.push(move)
            total += slow_leaves(board, depth - 1)
            board.pop()
    return total


def collected(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Distinct positions, each under the first feature it has that still wants some."""
    kept: Counter[str] = Counter()
    seen: set[str] = set()
    while any(kept[feature] < EACH for feature in FEATURES):
        for sfen in rng.choice((played, set_up))(rng):
            if rng.random() < 0.8 or sfen in seen:
                continue
            position = see(sfen)
            wanted = [name for name, has in FEATURES.items() if kept[name] < EACH and has(position)]
            if wanted and position.moves and leaves(cshogi.Board(sfen), 2) <= 200_000:
                kept[wanted[0]] += 1
                seen.add(sfen)
                yield wanted[0], sfen


def main() -> None:
    print("# Generated by make_shogi_perft.py. Counted by cshogi 1.1.0, up to", CHECKED_LEAVES, "by python-shogi too.")
    positions = sorted(collected(random.Random(1)), key=lambda found: list(FEATURES).index(found[0]))
    feature = ""
    for name, sfen in positions:
        if name != feature:
            print(f"\n# {name}")
            feature = name
        counts = []
        for depth in range(1, 6):
            count = leaves(cshogi.Board(sfen), depth)
            if count > MOST_LEAVES:
                break
            if count <= CHECKED_LEAVES and (found := slow_leaves(shogi.Board(sfen), depth)) != count:
                told = f"{sfen}: at depth {depth} cshogi counts {count}, python-shogi {found}"
                if found < count:
                    raise SystemExit(told)
                print(told, file=sys.stderr)
            counts.append(f" ;D{depth} {count}")
        print(sfen + "".join(counts), flush=True)


if __name__ == "__main__":
    main()
