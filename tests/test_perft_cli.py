"""scripts/perft.py, run as a person runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from games import GAMES

ROOT = Path(__file__).resolve().parent.parent
SUITE = """# a comment, and an empty line

rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1 ;D1 20 ;D2 400 ;D3 8902
r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - ;D1 48 ;D3 97862  # Kiwipete
"""


def perft(*arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "perft.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.epd"
    path.write_text(SUITE, encoding="utf-8")
    return path


def test_a_count_and_its_speed_from_any_folder(tmp_path: Path) -> None:
    done = perft("--game", "chess", "--depth", "5", cwd=tmp_path)
    assert done.returncode == 0
    assert re.fullmatch(r"nodes: 4865609\nnps: [1-9][0-9]*\n", done.stdout)


def test_divide_prints_every_first_move_and_then_the_sum() -> None:
    done = perft("--fen", "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", "--depth", "6", "--divide")
    *moves, nodes, speed = done.stdout.splitlines()
    assert all(re.fullmatch(r"[a-h][1-8][a-h][1-8]: [0-9]+", line) for line in moves)
    assert len(moves) == 14
    assert sum(int(line.split(": ")[1]) for line in moves) == 11030083
    assert nodes == "nodes: 11030083"
    assert speed.startswith("nps: ")


def test_a_suite_that_agrees(suite: Path) -> None:
    done = perft("--suite", str(suite))
    assert (done.returncode, done.stdout) == (0, "5 passed, 0 failed\n")


def test_a_suite_that_does_not_agree(suite: Path) -> None:
    suite.write_text(SUITE.replace("8902", "8903").replace("97862", "1"), encoding="utf-8")
    done = perft("--suite", str(suite))
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert first.endswith("KQkq - 0 1: depth 3 has 8902, not 8903")
    assert second.endswith("depth 3 has 97862, not 1")
    assert last == "3 passed, 2 failed"
    limited = perft("--suite", str(suite), "--max-depth", "2")
    assert (limited.returncode, limited.stdout) == (0, "3 passed, 0 failed\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fen", "8/8/8/8/8/8/8/8 w - - 0 1"], "perft: bad FEN: White has no king"),
        (["--depth", "0"], "perft: the depth is 0 instead of 1 to 20"),
        (["--depth", "21"], "perft: the depth is 21 instead of 1 to 20"),
        (["--game", "ludo"], f"perft: there is no game called 'ludo'; the games are: {', '.join(GAMES)}"),
        (["--suite", "no such file"], "perft: no such file cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_done_gets_one_line(arguments: list[str], complaint: str) -> None:
    done = perft(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line for line in done.stderr.splitlines() if "Compiling" not in line] == [complaint]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("8/8 w - - 0 1 ;D1 20", "line 1: bad FEN: the board has 2 ranks"),
        ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1", "line 1: expected 'POSITION ;D1 20"),
        ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1 ;D1 x", "line 1: expected"),
        ("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1 ;D0 1", "line 1: the depth is 0"),
        ("# nothing", "has no counts of depth 1 to 20"),
    ],
)
def test_a_malformed_suite_gets_one_line_that_says_where(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "bad.epd"
    path.write_text(line + "\n", encoding="utf-8")
    done = perft("--suite", str(path))
    assert done.returncode == 2
    (said,) = [text for text in done.stderr.splitlines() if "Compiling" not in text]
    assert said.startswith(f"perft: {path}")
    assert complaint in said


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "scripts" / "perft.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "--divide" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"numba", "numpy", "torch", "chess"}
