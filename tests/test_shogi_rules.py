"""The rules of shogi, case by case, each for both colours.

Positions are from the tests of shogiops (U1, F1, K1) and YaneuraOu (P1) and our own; cshogi agrees about the moves,
pyffish about the sequences.
"""

from typing import NamedTuple

import numpy as np
import pytest

from games.errors import BadPosition
from games.shogi import (
    MAX_LEGAL,
    NUM_ACTIONS,
    PAST,
    STATE,
    Ending,
    apply,
    can_declare,
    from_text,
    in_check,
    init,
    may_be_lost,
    origin_of,
    piece_at,
    position_key,
    to_text,
    write,
)
from rlcore import tree as trees
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from rlcore.game import History, new_history
from rlcore.search import Search, SearchResult
from tests.shogi_help import (
    SHOGI,
    START,
    both_sides,
    ending,
    endings,
    game,
    legal,
    moves,
    play,
    position,
    sides,
    turned,
    turned_moves,
)

# --- moves -----------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """What must be legal in a position and what must not, and how many moves there are."""

    sfen: str
    legal: str
    illegal: str
    count: int


def check(case: Case, flip: bool) -> None:
    sfen, expected = sides(case.sfen, case.legal, flip)
    _, excluded = sides(case.sfen, case.illegal, flip)
    found = moves(position(sfen))
    assert set(expected.split()) <= found
    assert not set(excluded.split()) & found
    assert len(found) == case.count


def table(cases: dict[str, Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases.values(), ids=cases)


@pytest.mark.nojit
def test_the_start_position() -> None:
    row = position()
    assert len(moves(row)) == 30
    assert write(row) == START
    assert ending(row) == (Ending.ONGOING, 0.0)
    assert not in_check(row)


def test_every_seed_begins_from_the_start_position() -> None:
    states = np.zeros(3, STATE)
    for seed in range(3):
        init(states[seed], seed)
    assert (states == position()).all()


@both_sides
def test_max_legal_moves_fit_the_buffer(flip: bool) -> None:
    sfen, _ = sides("R8/2K1S1SSk/4B4/9/9/9/9/9/1L1L1L3 b RBGSNLP3g3n17p 1", "", flip)
    assert len(legal(position(sfen))) == MAX_LEGAL == 593


@pytest.mark.nojit
def test_squares_and_actions_are_numbered_as_the_mover_sees_them() -> None:
    row = position()
    for _ in range(2):  # Black, then White
        action = np.uint16(from_text(row, "7g7f" if row["turn"] == 0 else turned_moves("7g7f")))
        assert action == 81 * 0 + 47
        assert origin_of(row, action) == 56
        assert [piece_at(row, np.uint64(square)) for square in (56, 47, 64, 70, 76, 77)] == [1, 0, 5, 6, 8, 7]
        apply(row, action)
    drop = position("4k4/9/9/9/9/9/9/9/4K4 b RBGSNLP 1")
    for code, letter in enumerate("PLNSBRG", start=1):
        action = np.uint16(from_text(drop, f"{letter}*5e"))
        assert action == 81 * (19 + code) + 40 < NUM_ACTIONS
        assert origin_of(drop, action) == 81


UCHIFUZUME = {
    "U1 a drop may not mate": Case("3rkr3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "L*5b", "P*5b", 160),
    "U2 a gold can take": Case("3gkr3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "P*5b", "", 161),
    "U3 the gold is pinned along the rank": Case("R2gkr3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "", "P*5b", 182),
    "U4 a pawn may mate by moving": Case("3rkr3/9/4P3p/4N4/1B7/9/1SG6/1KS6/9 b Lp 1", "5c5b 5c5b+", "", 97),
    "U5 check, not mate": Case("4k4/9/9/9/9/9/9/9/4K4 b P 1", "P*5b", "", 76),
    "the king takes a pawn without support": Case("3rkr3/9/8p/4N4/9/9/1SG6/1KS6/9 b LPp 1", "P*5b", "", 150),
    "the pawn shuts off a line and frees a square": Case("3rk4/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "P*5b", "", 161),
    "that square is covered twice": Case("3rk4/9/8p/4N4/1B7/9/1SG6/1KS6/5R3 b LPp 1", "", "P*5b", 176),
    "it shuts off the support of a piece": Case("3rkS3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "P*5b", "", 163),
    "that piece has other support": Case("3rkS3/9/8p/4N4/1B7/9/1SG6/1KS6/5R3 b LPp 1", "", "P*5b", 176),
    "a taker pinned on a diagonal": Case("3rkr3/5g3/8p/4N2B1/1B7/9/1SG6/1KS6/9 b LPp 1", "", "P*5b", 168),
    "the same without the pin": Case("3rkr3/5g3/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "P*5b", "", 159),
    "a pinned taker stays on the line": Case("3nkn3/9/2G1g1G2/9/1B7/9/1S7/1KS6/4R4 b Pp 1", "P*5b", "", 118),
    "a silver there cannot take backwards": Case("3nkn3/9/2G1s1G2/9/1B7/9/1S7/1KS6/4R4 b Pp 1", "", "P*5b", 117),
    "a drop that answers a check may not mate": Case(
        "3rkb2R/9/4G4/9/1K7/9/9/9/9 b P 1", "P*6c P*7d 5c5b 1a4a", "P*5b", 12
    ),
    "it may where the checker can take": Case("3rkb3/9/4G4/9/1K7/9/9/9/9 b P 1", "P*6c P*7d 5c5b P*5b", "", 11),
    "in the corner": Case("7lk/9/8G/9/9/9/9/9/K8 b P 1", "", "P*1b", 76),
    "in the corner, a silver can take": Case("7sk/9/8G/9/9/9/9/9/K8 b P 1", "P*1b", "", 77),
    "in the corner, a knight cannot": Case("7nk/9/8G/9/9/9/9/9/K8 b P 1", "", "P*1b", 76),
}


@both_sides
@table(UCHIFUZUME)
def test_a_dropped_pawn_may_not_mate(case: Case, flip: bool) -> None:
    check(case, flip)


@pytest.mark.nojit
def test_a_dropped_pawn_may_not_mate_in_plain_python() -> None:
    for case in UCHIFUZUME.values():
        check(case, flip=False)


def test_a_drop_of_another_kind_and_a_pawn_move_may_mate() -> None:
    for move, sfen in (("L*5b", UCHIFUZUME["U1 a drop may not mate"].sfen), ("5c5b", "")):
        row = position(sfen or UCHIFUZUME["U4 a pawn may mate by moving"].sfen)
        play(row, move)
        assert ending(row) == (Ending.CHECKMATE, -1.0)


NIFU = {
    "N1 a file with an own pawn": Case("4k4/9/9/9/9/9/4P4/9/4K4 b P 1", "P*4e", "P*5b P*5e P*5h", 70),
    "N2 not even to stop a check": Case("4k4/9/4r4/9/9/9/9/4K4/4P4 b P 1", "", "P*5d P*5e", 6),
    "a tokin does not count": Case("4k4/9/9/9/9/9/4+P4/9/4K4 b P 1", "P*5e", "", 81),
    "nor does the other side's pawn": Case("4k4/9/9/4p4/9/9/9/9/4K4 b P 1", "P*5c P*5e P*5f", "", 75),
    "eight files are closed": Case("4k4/9/9/9/9/9/PPPP1PPPP/9/4K4 b P 1", "P*5b P*5e P*5h", "P*1b P*4e", 20),
    "a lance may follow its pawn": Case("4k4/9/9/9/9/9/4P4/9/4K4 b L 1", "L*5h L*5f", "L*5a", 76),
}


@both_sides
@table(NIFU)
def test_two_pawns_on_a_file(case: Case, flip: bool) -> None:
    check(case, flip)


DEAD_ENDS = {
    "D1 drops": Case("4k4/9/9/9/9/9/9/9/4K4 b LNP 1", "P*1b L*1b N*1c", "P*1a L*1a N*1a N*1b", 209),
    "other kinds may be dropped anywhere": Case(
        "4k4/9/9/9/9/9/9/9/4K4 b RBGS 1", "R*1a B*1a G*1a S*1a S*9i", "S*5a S*5i", 321
    ),
    "F1 moves": Case(
        "4k4/9/7S1/1+PG3NS1/9/9/9/9/4K3L b - 1",
        "1i1a+ 3d2b+ 2c1d 2c1d+ 2d1c 2d1c+",
        "8d8c+ 7d7c+ 1i1a 3d2b",
        41,
    ),
    "F2 a choice for pawn, bishop and rook": Case(
        "4k4/9/9/P7R/9/6B2/9/9/4K4 b - 1", "9d9c 9d9c+ 1d1c 1d1c+ 1d1a 1d1a+ 3f6c 3f6c+", "1d2d+", 39
    ),
    "F3 a pawn on the second rank": Case("4k4/P8/9/9/9/9/9/9/4K4 b - 1", "9b9a+", "9b9a", 6),
    "a lance on the second and the last rank": Case("4k4/9/L8/9/9/9/9/9/4K4 b - 1", "9c9b 9c9b+ 9c9a+", "9c9a", 8),
    "a knight to the fourth rank": Case("4k4/9/9/9/9/2N6/9/9/4K4 b - 1", "7f6d 7f8d", "7f6d+ 7f8d+", 7),
    "a knight to the third rank": Case("4k4/9/9/9/2N6/9/9/9/4K4 b - 1", "7e6c 7e6c+ 7e8c 7e8c+", "", 9),
    "promotion on leaving the zone": Case("4k4/9/R5S2/9/9/9/9/9/4K4 b - 1", "9c9i 9c9i+ 9c8c+ 3c4d 3c4d+", "", 41),
    "gold, king and promoted pieces never promote": Case(
        "4k4/9/+R5G2/9/9/+B8/9/9/4K4 b - 1", "9c9a 3c3b 9f8e", "9c9a+ 3c3b+ 9f8e+ 5i5h+", 33
    ),
}


@both_sides
@table(DEAD_ENDS)
def test_a_piece_must_be_able_to_move_on_and_promotes_at_will(case: Case, flip: bool) -> None:
    check(case, flip)


CHECKS = {
    "K1 a gold pinned by a lance": Case(turned("4k4/4g4/9/4L4/9/9/9/4K4/9 w - 1"), "5h5g", "5h4h 5h6g", 5),
    "K2 double check: the king moves": Case("4k4/9/9/4r4/9/3n5/9/4K4/9 b RG 1", "5h4g 5h6g", "R*5e G*5g", 6),
    "the king may not stay on the line": Case("9/9/9/9/r3K4/9/9/9/4k4 b - 1", "5e5d 5e5f", "5e4e 5e6e", 6),
    "the king may not take what is covered": Case("4k4/9/9/9/4r4/4p4/4K4/9/9 b - 1", "5g4g", "5g5f", 7),
    "a pinned piece may not take the checker": Case("k3r4/9/9/9/9/5n3/4G4/4K4/9 b - 1", "5h4h 5h6h", "5g4f 5g5f", 7),
    "a pinned piece moves along its line and takes": Case(
        "4k4/9/9/4r4/9/4R4/9/4K4/9 b - 1", "5f5d 5f5e 5f5g", "5f4f 5f5h", 11
    ),
    "drops between, a pawn's only where the file is free": Case(
        "4k4/4r4/9/9/9/9/9/4K4/4P4 b GP 1", "G*5g G*5c", "P*5g P*5c G*4g", 11
    ),
    "a knight's check cannot be stopped between": Case("4k4/9/9/9/9/5n3/9/4K4/9 b RG 1", "5h4h", "R*5g G*4g", 8),
}


@both_sides
@table(CHECKS)
def test_checks_and_pins(case: Case, flip: bool) -> None:
    check(case, flip)


@both_sides
@pytest.mark.parametrize("letter", ["P", "L", "N", "S", "B", "R"])
def test_a_promoted_piece_that_is_taken_goes_back_to_what_it_was(letter: str, flip: bool) -> None:
    sfen, text = sides(f"4k4/9/9/9/4+{letter.lower()}4/4K4/9/9/9 b - 1", "5f5e", flip)
    after, _ = sides(f"4k4/9/9/9/4K4/9/9/9/9 w {letter} 2", "", flip)
    row = position(sfen)
    play(row, text)
    assert write(row) == after
    assert row["key"] == position(after)["key"]


@both_sides
def test_a_drop_comes_from_the_hand_and_a_capture_goes_there(flip: bool) -> None:
    """K3 and what follows from it: hands count up and down, promotion stays on the board."""
    sfen, text = sides("4k4/9/9/9/4+p4/4K4/9/9/9 b 2Pg 1", "5f5e G*5d 5e5d P*5b 5a5b P*5c", flip)
    after = [
        "4k4/9/9/9/4K4/9/9/9/9 w 3Pg 2",
        "4k4/9/9/4g4/4K4/9/9/9/9 b 3P 3",
        "4k4/9/9/4K4/9/9/9/9/9 w G3P 4",
    ]
    row = position(sfen)
    for move, expected in zip(text.split(), after, strict=False):
        play(row, move)
        assert write(row) == sides(expected, "", flip)[0]


# --- keys and what a row remembers -----------------------------------------------------------------------------------


def test_keys_tell_positions_apart_by_what_the_repetition_rule_compares() -> None:
    same = position("4k4/9/9/4s4/9/9/4P4/9/4K4 b Gp 1")["key"]
    assert position("4k4/9/9/4s4/9/9/4P4/9/4K4 b Gp 77")["key"] == same  # the move number does not count
    others = [
        "4k4/9/9/4s4/9/9/4P4/9/4K4 w Gp 1",  # the side to move
        "4k4/9/9/4s4/9/9/4P4/9/4K4 b Gpr 1",  # a hand
        "4k4/9/9/4s4/9/9/4P4/9/4K4 b GPp 1",
        "4k4/9/9/4s4/9/9/4P4/9/4K4 b 2Gp 1",
        "4k4/9/9/4s4/9/9/4P4/9/4K4 b Pg 1",  # the same hands, the other way round
        "4k4/9/9/4s4/9/9/4+P4/9/4K4 b Gp 1",  # promoted
        "4k4/9/9/4S4/9/9/4P4/9/4K4 b Gp 1",  # whose it is
        "4k4/9/9/3s5/9/9/4P4/9/4K4 b Gp 1",  # where it stands
    ]
    keys = [same, *(position(sfen)["key"] for sfen in others)]
    assert len(set(map(int, keys))) == len(keys)


def test_a_position_and_the_turned_one_have_different_keys() -> None:
    sfen = "4k4/9/9/4s4/9/9/4P4/9/4K4 b Gp 1"
    black, white = position(sfen), position(turned(sfen))
    assert all(np.array_equal(black[name], white[name]) for name in ("low", "high", "own_hand", "opponent_hand"))
    assert black["key"] != white["key"]


def test_equal_positions_reached_in_other_ways_have_equal_keys() -> None:
    rows = [position(), position()]
    play(rows[0], "7g7f 3c3d 2g2f 8c8d")
    play(rows[1], "2g2f 8c8d 7g7f 3c3d")
    assert rows[0]["key"] == rows[1]["key"] == position(write(rows[0]))["key"]


@pytest.mark.parametrize("sfen", [START, "l6nl/5+P1gk/2np1S3/p1p4Pp/3P2Sp1/1PPb2P1P/P5GS1/R8/LN4bKL w RGgsn5p 1"])
def test_the_key_kept_along_the_way_equals_one_rebuilt(sfen: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        row = position(sfen)
        for _ in range(100):
            actions = legal(row)
            if len(actions) == 0:
                break
            apply(row, rng.choice(actions))
            assert row["key"] == position_key(row) == position(write(row))["key"], write(row)


def test_a_saved_row_does_not_change_when_play_goes_on() -> None:
    states = np.zeros(2, STATE)
    init(states[0], 0)
    saved = states[0].copy()
    states[1] = states[0]
    for _ in range(30):
        actions = legal(states[1])
        apply(states[1], actions[len(actions) // 2])
    assert states[0] == saved
    assert states[1] != saved


@both_sides
@pytest.mark.parametrize(
    ("sfen", "text", "streaks"),
    [  # after each move: (the side to move's, the other's)
        (  # P1's checks, then a quiet move
            "lnsg1gsnl/1r5b1/ppppppppp/4k4/9/5R3/PPPPPPPPP/1B7/LNSGKGSNL b - 1",
            "4f5f 5d4d 5f4f 4d5d 4f5f 5d4d 5i5h 8b7b",
            [(0, 1), (1, 0), (0, 2), (2, 0), (0, 3), (3, 0), (0, 0), (0, 0)],
        ),
        # a discovered check, a double check, a check by a drop, by a promotion
        ("4k4/9/9/9/4S4/9/4R4/9/K8 b - 1", "5e6d", [(0, 1)]),
        ("4k4/9/9/9/4N4/9/4R4/9/K8 b - 1", "5e4c", [(0, 1)]),
        ("4k4/9/9/9/9/9/9/9/K8 b N 1", "N*4c", [(0, 1)]),
        ("4k4/9/5P3/9/9/9/9/9/K8 b - 1", "4c4b+", [(0, 1)]),
        ("4k4/9/5P3/9/9/9/9/9/K8 b - 1", "4c4b", [(0, 0)]),
        # a check answered by a check, by taking and by stepping out of a line
        ("4k4/9/9/9/R7r/9/9/9/4K4 w - 1", "1e5e 9e5e 5a4a 5e4e 4a3a", [(0, 1), (1, 1), (1, 0), (0, 2), (2, 0)]),
        ("4k4/9/9/9/r8/9/4K4/4R4/9 w - 1", "9e9g 5g6f 5a4b", [(0, 1), (1, 1), (1, 0)]),
    ],
)
def test_checks_in_a_row_are_counted_for_either_side(
    sfen: str, text: str, streaks: list[tuple[int, int]], flip: bool
) -> None:
    found = [tuple(int(row[name]) for name in PAST) for row, _, _ in game(*sides(sfen, text, flip))]
    assert found == [(0, 0), *streaks]


# --- repetition and perpetual check ----------------------------------------------------------------------------------

CHECKING = "lnsg1gsnl/1r5b1/ppppppppp/4k4/9/5R3/PPPPPPPPP/1B7/LNSGKGSNL b - 1"
CHECKED = "lnsg1gsnl/1r5b1/ppppppppp/4k4/9/4R4/PPPPPPPPP/1B7/LNSGKGSNL w - {}"
ALL_CHECK = "4f5f 5d4d 5f4f 4d5d "
HALF_CHECK = "4f5f 5d6d 5f4f 6d5d "

DRAW, LOST, WON = (Ending.REPETITION, 0.0), (Ending.PERPETUAL_CHECK, -1.0), (Ending.PERPETUAL_CHECK, 1.0)
REPETITIONS = {
    "S1 the fourth occurrence": (START, "5i5h 5a5b 5h5i 5b5a " * 3, DRAW),
    "S3 drops and captures within the cycle": (
        "4k4/9/9/5s3/9/3S5/9/9/4K4 b P 1",
        "P*5e 4d5e 5i5h 5e4d 5h5i P*5e 6f5e 5a5b 5e6f 5b5a " * 3,
        DRAW,
    ),
    "S1 begun late in a game": (START.replace(" 1", " 201"), "5i5h 5a5b 5h5i 5b5a " * 3, DRAW),
    "the first occurrence is not the start": (START, "7g7f 3c3d " + "5i5h 5a5b 5h5i 5b5a " * 3, DRAW),
    "occurrences by different ways": (
        START,
        "5i5h 5a5b 5h5i 5b5a " + "2h3h 8b7b 3h4h 7b6b 4h3h 6b7b 3h2h 7b8b " + "4i4h 6a6b 4h4i 6b6a ",
        DRAW,
    ),
    "P1 the checked side completes it": (CHECKING, ALL_CHECK * 3, LOST),
    "the checking side completes it": (CHECKED.format(1), "5d4d 5f4f 4d5d 4f5f " * 3, WON),
    "the checking side completes it late in a game": (CHECKED.format(300), "5d4d 5f4f 4d5d 4f5f " * 3, WON),
    "P2 every second move checked": (CHECKING, HALF_CHECK * 3, DRAW),
    "P3 the last cycle checked": (CHECKING, HALF_CHECK * 2 + ALL_CHECK, DRAW),
    "the first cycle checked": (CHECKING, ALL_CHECK + HALF_CHECK * 2, DRAW),
    "one move did not check": (CHECKING, ALL_CHECK * 2 + HALF_CHECK, DRAW),
    "quiet moves before the first occurrence": (CHECKING, "5i5h 8b7b " + ALL_CHECK * 3, LOST),
    "checks while both sides take a pawn and drop it again": (
        "9/3k2p+R1/9/9/9/9/9/9/4K4 b - 1",
        "2b3b 6b6a P*6b 6a5a 3b2a 5a6b 2a2b P*3b " * 3,
        LOST,
    ),
    "the same, completed by the checking side": (
        "9/3k2+R2/9/9/9/9/9/9/4K4 w P 1",
        "6b6a P*6b 6a5a 3b2a 5a6b 2a2b P*3b 2b3b " * 3,
        WON,
    ),
}


@both_sides
@pytest.mark.parametrize(("sfen", "text", "expected"), REPETITIONS.values(), ids=REPETITIONS)
def test_the_fourth_occurrence_ends_the_game(sfen: str, text: str, expected: tuple[Ending, float], flip: bool) -> None:
    """It draws, or loses for who gave check all along; and no position before it ends the game."""
    *before, last = endings(*sides(sfen, text, flip))
    assert set(before) == {(Ending.ONGOING, 0.0)}
    assert last == expected


@pytest.mark.nojit
def test_repetition_and_perpetual_check_in_plain_python() -> None:
    for name in ("S1 the fourth occurrence", "P1 the checked side completes it", "P3 the last cycle checked"):
        sfen, text, expected = REPETITIONS[name]
        *before, last = endings(sfen, text)
        assert set(before) == {(Ending.ONGOING, 0.0)}
        assert last == expected


@both_sides
def test_equal_boards_with_other_hands_are_no_repetition(flip: bool) -> None:
    """S2."""
    text = "P*5e 4d5e 5i5h 5e4d P*5e 4d5e 5h5i 5e4d " * 3
    found = endings(*sides("4k4/9/9/5s3/9/9/9/9/4K4 b 6P 1", text, flip))
    assert set(found) == {(Ending.ONGOING, 0.0)}


@both_sides
def test_further_occurrences_are_judged_since_the_first(flip: bool) -> None:
    """Whoever plays on after the fourth; in a search the fifth can be met first."""
    assert endings(*sides(START, "5i5h 5a5b 5h5i 5b5a " * 5, flip))[12:] == [DRAW] * 9
    found = endings(*sides(CHECKING, ALL_CHECK * 5, flip))[12:]
    assert found == [LOST, WON, LOST, WON, LOST, WON, LOST, WON, LOST]
    quiet_once = endings(*sides(CHECKING, HALF_CHECK + ALL_CHECK * 5, flip))
    assert quiet_once[12] == quiet_once[16] == quiet_once[20] == DRAW


@pytest.mark.parametrize(
    ("own", "opponent", "since", "expected"),
    [
        (6, 0, 12, LOST),
        (0, 6, 12, WON),
        (5, 0, 12, DRAW),
        (0, 5, 12, DRAW),
        (9, 0, 12, LOST),  # checks before the first occurrence as well
        (9, 0, 20, DRAW),
        (10, 9, 20, LOST),
        (9, 10, 20, WON),
        (6, 6, 12, DRAW),  # both sides checked perpetually
        (8, 11, 12, DRAW),
        (0, 0, 12, DRAW),
    ],
)
def test_who_has_checked_perpetually(own: int, opponent: int, since: int, expected: tuple[Ending, float]) -> None:
    for sfen in (CHECKING, turned(CHECKING)):
        row = position(sfen)
        row["own_checks"], row["opponent_checks"] = own, opponent
        assert ending(row, earlier=3, since=since) == expected
        assert ending(row, earlier=2, since=since) == (Ending.ONGOING, 0.0)
        assert may_be_lost(row) or expected[1] >= 0


def search(sfen: str, text: str, simulations: int = 200) -> tuple[Search, SearchResult, History]:
    """A search of a game's newest position; its tree is tree 0. The game has room for four more plies."""
    line = text.split()
    book, slot = new_history(SHOGI, 1, len(line) + 5), np.zeros(1, np.int32)
    book.states[0, 0], book.length[0] = position(sfen), 1
    for ply, move in enumerate(line):
        SHOGI.advance(book, slot, np.array([from_text(book.states[0, ply], move)], np.uint16))
    worker = Search(SHOGI, SearchConfig(simulations=simulations, considered=600), 1, 1, 0)
    return worker, worker.run(book, slot, Uniform(), np.zeros(1, np.uint64)), book


@both_sides
@pytest.mark.parametrize("back", [1, 2])
@pytest.mark.parametrize(
    ("sfen", "text", "expected"),
    [
        REPETITIONS["S1 the fourth occurrence"],
        REPETITIONS["P1 the checked side completes it"],
        REPETITIONS["the checking side completes it"],
        # draws, as the first move since the first occurrence did not check; five checks in a row are not enough
        (CHECKED.format(1), "5d6d 5f4f 6d5d 4f5f " + "5d4d 5f4f 4d5d 4f5f " * 2, DRAW),
    ],
    ids=["draw", "lost", "won", "five checks of six"],
)
def test_a_search_judges_repetitions_as_the_game_does(
    sfen: str, text: str, expected: tuple[Ending, float], back: int, flip: bool
) -> None:
    """The last one or two moves are left to the tree; every leaf of it that repeats is judged again as a game."""
    sfen, text = sides(sfen, text, flip)
    line = text.split()
    worker, _, book = search(sfen, " ".join(line[:-back]), simulations=1500)
    tree, slot, root = worker.tree, np.zeros(1, np.int32), int(book.length[0])
    met = []

    def visit(n: int, path: list[int]) -> None:
        node = tree.nodes[0, n]
        if node["ending"] in (Ending.REPETITION, Ending.PERPETUAL_CHECK):
            book.length[0] = root
            for action in path:
                SHOGI.advance(book, slot, np.array([action], np.uint16))
            actions, counts = np.zeros((1, MAX_LEGAL), np.uint16), np.zeros(1, np.int32)
            reasons, values = np.zeros(1, np.uint8), np.zeros(1, np.float32)
            SHOGI.judge(book, slot, 0, actions, counts, reasons, values)
            assert (node["ending"], node["value"]) == (reasons[0], values[0])
            met.append((Ending(node["ending"]), float(node["value"])))
        for edge in tree.edges[0, node["first_edge"] : node["first_edge"] + node["num_edges"]]:
            if edge["child"] > 0 and len(path) < 4:
                visit(int(edge["child"]), [*path, int(edge["action"])])

    visit(0, [])
    assert expected in met


@both_sides
def test_a_search_sees_that_the_game_before_it_makes_a_check_perpetual(flip: bool) -> None:
    *before, last = (ALL_CHECK * 3).split()
    _, result, book = search(*sides(CHECKING, " ".join(before), flip))
    assert to_text(book.states[0, len(before)], int(result.actions[0])) == (turned_moves(last) if flip else last)
    assert result.proven[0] == trees.WON - 1


# --- other endings ---------------------------------------------------------------------------------------------------


@pytest.mark.nojit
@both_sides
@pytest.mark.parametrize(
    ("sfen", "text", "expected"),
    [
        ("3rkr3/9/8p/4N4/1B7/9/1SG6/1KS6/9 b LPp 1", "L*5b", (Ending.CHECKMATE, -1.0)),
        ("4k4/9/4P4/9/9/9/9/9/4K4 b G 1", "G*5b", (Ending.CHECKMATE, -1.0)),
        ("4k4/9/4P4/9/9/9/9/9/4K4 b R 1", "R*5b", (Ending.ONGOING, 0.0)),  # the king steps aside
        ("k8/3G5/P8/9/9/9/9/9/8K b - 1", "6b7b", (Ending.STALEMATE, -1.0)),  # L1
        ("k8/3G5/P8/9/9/9/9/9/8K b p 1", "6b7b", (Ending.ONGOING, 0.0)),  # a drop is left
        ("k8/3G5/P8/9/9/9/9/7p1/8K b - 1", "6b7b", (Ending.ONGOING, 0.0)),  # a pawn
    ],
)
def test_no_legal_move_loses_in_check_or_not(sfen: str, text: str, expected: tuple[Ending, float], flip: bool) -> None:
    *before, last = endings(*sides(sfen, text, flip))
    assert set(before) == {(Ending.ONGOING, 0.0)}
    assert last == expected


@both_sides
def test_mate_comes_before_everything_else(flip: bool) -> None:
    sfen, text = sides("4k4/9/4P4/9/9/9/9/9/4K4 b G 1", "G*5b", flip)
    row = position(sfen)
    play(row, text)
    row["opponent_checks"] = 6
    assert ending(row, earlier=3, since=12, max_plies=1) == (Ending.CHECKMATE, -1.0)
    row = position(turned("k8/2G6/P8/9/9/9/9/9/8K w - 1") if flip else "k8/2G6/P8/9/9/9/9/9/8K w - 1")
    assert ending(row, earlier=3, since=12, max_plies=1) == (Ending.STALEMATE, -1.0)


@both_sides
def test_the_ply_limit_counts_from_move_one_and_comes_last(flip: bool) -> None:
    row = position(sides("4k4/9/4P4/9/9/9/9/9/4K4 b G 61", "", flip)[0])
    assert row["ply"] == 60
    assert ending(row, max_plies=0) == ending(row, max_plies=61) == (Ending.ONGOING, 0.0)
    assert ending(row, max_plies=60) == ending(row, max_plies=59) == (Ending.MAX_PLIES, 0.0)
    mated = endings(*sides("4k4/9/4P4/9/9/9/9/9/4K4 b G 61", "G*5b", flip), max_plies=61)
    assert mated == [(Ending.ONGOING, 0.0), (Ending.CHECKMATE, -1.0)]
    assert endings(*sides(CHECKING, ALL_CHECK * 3, flip), max_plies=12)[-2:] == [(Ending.ONGOING, 0.0), LOST]
    assert endings(*sides(START, "5i5h 5a5b", flip), max_plies=2)[-1] == (Ending.MAX_PLIES, 0.0)
    late = DECLARATIONS["E1 ten pieces and 28 points"][0].replace(" 1", " 61")
    assert ending(position(sides(late, "", flip)[0]), max_plies=60) == (Ending.DECLARATION, 1.0)


# --- declaration -----------------------------------------------------------------------------------------------------

DECLARATIONS = {  # whether Black may declare, and whether White may on the turned board
    "E1 ten pieces and 28 points": ("1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1", True, True),
    "E2 27 points": ("1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b P2g2s2n4l17p 1", False, True),
    "26 points": ("1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2g2s2n4l18p 1", False, False),
    "E4 nine pieces": ("1+R+R+B+B4/1GGSSK3/2N6/9/9/9/9/9/4k4 b N2P2g2s2n4l16p 1", False, False),
    "nine pieces and many points": ("1+R+R+B+B4/1GGSSK3/2N6/9/9/9/9/9/4k4 b 2G2S3N4L18P 1", False, False),
    "E5 the king on the fourth rank": ("1+R+R+B+B4/1GGSS4/2NN5/5K3/9/9/9/9/4k4 b 2P2g2s2n4l16p 1", False, False),
    "eleven pieces, but not the king": ("1+R+R+B+B4/1GGSS4/2NN+L+L3/5K3/9/9/9/9/4k4 b 2P 1", False, False),
    "the king on the third rank": ("1+R+R+B+B4/1GGSS4/2NN1K3/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1", True, True),
    "the king on the last rank": ("1+R+R+B+BK3/1GGSS4/2NN5/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1", True, True),
    "E6 in check": ("1+R+R+B+Bg3/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2Pg2s2n4l16p 1", False, False),
    "pieces that did not promote": ("1RRBB4/1GGSSK3/2N1L4/2P6/9/9/9/9/4k4 b 2P2g2s2n3l15p 1", True, True),
    "big pieces in hand": ("4K4/+P+P+P+P+P4/+P+P+P+P+P4/9/9/9/9/9/k8 b R2B3P 1", True, True),
    "one point less": ("4K4/+P+P+P+P+P4/+P+P+P+P+P4/9/9/9/9/9/k8 b R2B2P 1", False, True),
    "two points less": ("4K4/+P+P+P+P+P4/+P+P+P+P+P4/9/9/9/9/9/k8 b R2BP 1", False, False),
    "every kind in hand": ("4K4/+P+P+P+P+P4/+P+P+P+P+P4/9/9/9/9/9/k8 b RBGSNL4P 1", True, True),
    "small pieces only": ("4K4/+P+P+P+P+P4/+P+P+P+P+P4/9/9/9/9/9/k8 b 4G4S4N4L2P 1", True, True),
    "pieces below the camp do not count": ("1+R1+B+B4/1GGSSK3/2NN1L3/2R6/9/9/9/9/4k4 b 5P 1", False, True),
    "the opponent's pieces there do not count": ("1+R+R+B+B4/1GGSSK3/2Nn5/9/9/9/9/9/4k4 b 8P 1", False, False),
    "the start position": (START, False, False),
}


@pytest.mark.nojit
@pytest.mark.parametrize(("sfen", "black", "white"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_declaration_by_27_points(sfen: str, black: bool, white: bool) -> None:
    for text, may in ((sfen, black), (turned(sfen), white)):
        row = position(text)
        assert can_declare(row) is may
        assert ending(row) == ((Ending.DECLARATION, 1.0) if may else (Ending.ONGOING, 0.0))


def test_white_needs_a_point_less() -> None:
    """E3."""
    assert can_declare(position("4K4/9/9/9/9/9/5nn2/3kssgg1/4+b+b+r+r1 w 2G2S2N4L17Pp 1"))
    assert not can_declare(position("4K4/9/9/9/9/9/5nn2/3kssgg1/4+b+b+r+r1 w 2G2S2N4L18P 1"))


@both_sides
def test_a_declaration_ends_the_game_on_the_winners_turn(flip: bool) -> None:
    """The king enters; the other side moves; only then may it be declared. It ends the game at once, as a claim."""
    sfen, text = sides("1+R+R+B+B4/1GGSS4/2NN5/5K3/9/9/9/9/4k4 b 2P 1", "4d4c 5i5h", flip)
    found = endings(sfen, text)
    assert found == [(Ending.ONGOING, 0.0), (Ending.ONGOING, 0.0), (Ending.DECLARATION, 1.0)]
    row = position(sfen)
    assert not can_declare(row)
    play(row, text)
    assert can_declare(row)
    assert len(legal(row)) > 0  # and play may go on


@both_sides
def test_a_search_knows_that_the_opponent_will_declare(flip: bool) -> None:
    sfen, _ = sides("1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 w 2P 1", "", flip)
    assert search(sfen, "")[1].proven[0] == 1 - trees.WON


# --- may_be_lost -----------------------------------------------------------------------------------------------------


def test_the_cheap_test_never_rules_out_a_loss() -> None:
    """On corners crowded around a king with few men, where mates and stalemates are frequent."""
    rng, met = np.random.default_rng(1), {Ending.CHECKMATE: 0, Ending.STALEMATE: 0}
    corner = [9 * rank + file for rank in range(4) for file in range(4) if rank + file > 0]
    while min(met.values()) < 60:
        board = [""] * 81
        board[0], board[80] = "k", "K"
        squares = rng.permutation(corner)
        white, black = rng.integers(0, 3), rng.integers(2, 6)
        for square in squares[:white]:
            board[square] = rng.choice(["p", "p", "l", "n", "s", "+p"])
        for square in squares[white : white + black]:
            board[square] = rng.choice(["G", "S", "+P", "P", "N", "L", "R", "+R", "+B"])
        text = "/".join("".join(man or "1" for man in board[start : start + 9]) for start in range(0, 81, 9))
        for run in range(9, 1, -1):
            text = text.replace("1" * run, str(run))
        sfen = f"{text} w {rng.choice(['-', '-', 'p', 'n'])} 1"
        try:
            row = position(turned(sfen) if rng.random() < 0.5 else sfen)
        except BadPosition:
            continue
        reason, value = ending(row)
        if value < 0:
            met[reason] += 1
            assert may_be_lost(row), sfen


@both_sides
def test_pawns_in_hand_may_find_no_file(flip: bool) -> None:
    """Two ranks packed with White's men, a pawn on every file, more in hand: no move and no drop."""
    row = position(sides("4K4/9/9/9/9/9/9/ppppppppp/grsbkbsrg w 9p 1", "", flip)[0])
    assert ending(row) == (Ending.STALEMATE, -1.0)
    assert may_be_lost(row)


def test_the_cheap_test_is_worth_its_while() -> None:
    assert not may_be_lost(position())
    assert not may_be_lost(position("4k4/9/9/9/9/9/9/9/4K4 b G 1"))
    assert may_be_lost(position("4k4/9/9/9/4r4/9/9/9/4K4 b G 1"))
