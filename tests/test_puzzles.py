"""Puzzles: reading a suite, the figures of the table, and the command."""

from pathlib import Path

import numpy as np
import pytest
from engine_help import CHESS, complaints, make_run, script

from agents.players import RandomPlayer, SearchPlayer
from games.chess.notation import Puzzle, read_puzzles
from games.errors import BadPuzzle
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from selfplay.engines import EngineError, make_player
from selfplay.puzzles import PuzzleSettings, SuiteError, read_suite, run, solved, table

MATES = Path(__file__).parent / "data" / "chess_mates.epd"
SCHOLAR = "r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR w KQkq -"
MORPHY = "kbK5/pp6/1P6/8/8/8/8/R7 w - -"
FORCED = "7k/8/6K1/8/8/8/8/R7 b - -"  # h8g8 is the only move
TINY = f"""# two puzzles, and an empty line

{SCHOLAR} bm Qxf7#; c0 "old; very"; dm 1; id "the scholar's";
{MORPHY} bm Ra6; dm 2;
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.epd"
    path.write_text(TINY, encoding="utf-8")
    return path


def puzzle(position: str, *solutions: str) -> Puzzle:
    return Puzzle("", position, 1, solutions)


def test_a_suite_is_read() -> None:
    assert read_puzzles(TINY.splitlines()) == [
        Puzzle("the scholar's", SCHOLAR, 1, ("h5f7",)),
        Puzzle("line 4", MORPHY, 2, ("a1a6",)),
    ]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("8/8 w - - bm Ra6; dm 2;", "bad FEN: the board has 2 ranks"),
        ("one two", "bad FEN: it needs 6 fields"),
        (f"{MORPHY}", "it has no solution"),
        (f"{MORPHY} dm 2;", "it has no solution"),
        (f"{MORPHY} bm ; dm 2;", "it has no solution"),
        (f"{MORPHY} bm Ra6; id 'x';", "it has no length"),
        (f"{MORPHY} bm Ra6; dm 0;", "it has no length"),
        (f"{MORPHY} bm Ra6; dm two;", "it has no length"),
        (f"{MORPHY} bm Ra6; dm 2", "expected 'bm MOVES; dm NUMBER; id \"NAME\";' after the position, not 'bm Ra6; dm"),
        (f'{MORPHY} bm Ra6; dm 2; id "x;', "expected 'bm MOVES"),
        (f"{MORPHY} 0 1 bm Ra6; dm 2;", "expected 'bm MOVES"),
        (f"{MORPHY} bm Ra6 Rh8; dm 2;", "'Rh8' is not legal here"),
        (f"{MORPHY} bm a1a6x; dm 2;", "'a1a6x' is not a move"),
    ],
)
def test_a_malformed_line_is_named(line: str, wrong: str) -> None:
    with pytest.raises(BadPuzzle) as caught:
        read_puzzles(["# a comment", line])
    assert str(caught.value).startswith(f"line 2: {wrong}")
    assert "\n" not in str(caught.value)


def test_a_suite_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.epd"
    with pytest.raises(SuiteError, match="cannot be read: No such file"):
        read_suite(CHESS, path)
    path.write_bytes(b"\xff")
    with pytest.raises(SuiteError, match="is not UTF-8 text"):
        read_suite(CHESS, path)
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="holds no puzzles"):
        read_suite(CHESS, path)
    path.write_text(f"{MORPHY}\n", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"suite\.epd, line 1: it has no solution"):
        read_suite(CHESS, path)


def test_any_solution_counts_and_no_other_move() -> None:
    player = RandomPlayer(CHESS)
    puzzles = [puzzle(FORCED, "h8g8"), puzzle(FORCED, "g6g7", "h8g8"), puzzle(FORCED, "g6g7")]
    assert solved(CHESS, player, puzzles, 1).tolist() == [True, True, False]


def test_a_long_suite_is_searched_in_parts_each_puzzle_once() -> None:
    puzzles = [puzzle(FORCED, "h8g8" if g % 3 else "h8h7") for g in range(131)]
    player = make_player(CHESS, "untrained", 64, 2)
    assert solved(CHESS, player, puzzles, 1).tolist() == [g % 3 > 0 for g in range(131)]


def test_a_search_finds_a_mate_in_one() -> None:
    player = make_player(CHESS, "untrained", 8, 128)
    assert solved(CHESS, player, [puzzle(SCHOLAR, "h5f7")] * 8, 1).all()


def test_the_same_seed_solves_the_same_puzzles() -> None:
    puzzles = read_suite(CHESS, MATES)[60:]  # mates in one are all found, whatever the seed
    player = make_player(CHESS, "untrained", 64, 16)
    first, again, other = (solved(CHESS, player, puzzles, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_table_by_hand() -> None:
    lengths = np.array([1, 1, 1, 1, 3])
    columns = {"one": np.array([1, 1, 1, 0, 0], bool), "two": np.array([1, 1, 1, 1, 1], bool)}
    title, *rows = table(lengths, columns)
    assert title.split() == ["length", "puzzles", "one", "two"]
    assert [row.split() for row in rows] == [  # the intervals by Wilson's formula: 1 of 1 is 1 / (1 + 1.96^2) and up
        ["1", "4", "3", "75.0%", "(30%", "to", "95%)", "4", "100.0%", "(51%", "to", "100%)"],
        ["3", "1", "0", "0.0%", "(0%", "to", "79%)", "1", "100.0%", "(21%", "to", "100%)"],
        ["all", "5", "3", "60.0%", "(23%", "to", "88%)", "5", "100.0%", "(57%", "to", "100%)"],
    ]
    assert len({len(line) for line in (title, *rows)}) == 1


def test_each_number_of_simulations_has_a_table(suite: Path) -> None:
    lines = list(run(CHESS, "untrained", PuzzleSettings(suite, (1, 64), "without")))
    assert [line for line in lines if "simulations" in line] == [
        f"the search without a network, {simulations} simulations" for simulations in (1, 64)
    ]
    assert sum(line.split()[:2] == ["all", "2"] for line in lines) == 2


@pytest.mark.parametrize(
    ("engine", "simulations", "wrong"),
    [
        ("random", (1,), "an engine that searches, which 'random' does not"),
        ("nobody", (1,), "no file or folder nobody"),
        ("untrained", (0,), "simulations must be 1 to 100,000, not 0"),
        ("untrained", (), "there is no number"),
    ],
)
def test_an_engine_that_solves_nothing(suite: Path, engine: str, simulations: tuple[int, ...], wrong: str) -> None:
    with pytest.raises(EngineError, match=wrong):
        list(run(CHESS, engine, PuzzleSettings(suite, simulations)))


def test_the_command(suite: Path) -> None:
    make_run(suite.parent / "runs" / "chess")
    done = script("puzzles.py", "--suite", "tiny.epd", "--simulations", "2", "8", cwd=suite.parent)
    assert (done.returncode, complaints(done)) == (0, [])
    titles = [line for line in done.stdout.splitlines() if "steps" in line]
    assert [title.partition(" at ")[2] for title in titles] == ["100 steps, 2 simulations", "100 steps, 8 simulations"]
    assert "\x1b" not in done.stdout


def test_the_command_says_what_is_wrong(suite: Path) -> None:
    suite.with_name("bad.epd").write_text("nothing bm Ra6;\n", encoding="utf-8")
    for arguments in (
        ["--suite", "none.epd"],
        ["--suite", "bad.epd"],
        ["--suite", "tiny.epd", "--game", "go"],
        ["--suite", "tiny.epd", "--engine", "random"],
        ["--suite", "tiny.epd", "--engine", "untrained", "--simulations", "0"],
    ):
        done = script("puzzles.py", *arguments, cwd=suite.parent)
        assert done.returncode == 2
        (line,) = complaints(done)
        assert line.startswith("puzzles: ")


@pytest.mark.parametrize("simulations", [32, 800])
def test_proven_values_solve_at_least_as_many_mates(simulations: int) -> None:
    """All mates in one among them: no prior is too small for the look at every root."""
    puzzles = read_puzzles(MATES.read_text(encoding="utf-8").splitlines())
    lengths = np.array([puzzle.length for puzzle in puzzles])
    found = {}
    for proven in (True, False):
        config = SearchConfig(simulations=simulations, considered=64, interior="gumbel", proven=proven)
        found[proven] = solved(CHESS, SearchPlayer(CHESS, "", Uniform(), config, 64, 1), puzzles, seed=1)
    assert found[True][lengths == 1].all()
    for length in (2, 3, 4):
        assert found[True][lengths == length].sum() >= found[False][lengths == length].sum()
