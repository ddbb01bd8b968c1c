"""UCI with the real program: what the protocol demands, what clients send and check, and what nobody should send.

No test passes or fails on a time; a program that says nothing for minutes hangs.
"""

import asyncio
import functools
import io
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import chess
import chess.engine
import pytest

from agents.engine.levels import LADDERS
from agents.engine.lines import Line
from agents.engine.protocol import Client, Option, read_go
from agents.engine.uci import UciEngine, centipawns
from selfplay.gui import load_brain
from tests.engine_help import make_run
from tests.gui_help import (
    COMPILING,
    LONG,
    ROOT,
    Program,
    annoy,
    best_of,
    introduction,
    kept,
    leave_in_mid_search,
    started,
)

MATED = "7k/6Q1/6K1/8/8/8/8/8 b - - 0 1"
STALEMATE = "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1"
MATE_IN_ONE = "6k1/5ppp/8/8/8/8/5PPP/3RR1K1 w - - 0 1"
MATE_IN_TWO = "kbK5/pp6/1P6/8/8/8/8/R7 w - - 0 1"
INFO = re.compile(
    r"info depth \d+ seldepth \d+ multipv \d+ score (cp|mate) -?\d+( wdl \d+ \d+ \d+)? "
    r"nodes \d+ nps \d+ hashfull \d+ time \d+( pv( [a-h][1-8][a-h][1-8][nbrq]?)+)?"
)
BESTMOVE = re.compile(r"bestmove (\(none\)|[a-h][1-8][a-h][1-8][nbrq]?( ponder [a-h][1-8][a-h][1-8][nbrq]?)?)")


start = functools.partial(started, "uci")


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    yield from kept(start(), INFO, BESTMOVE)


@pytest.fixture
def engine(shared: Program) -> Program:
    """One program for all tests that leave it as they find it."""
    shared.send("stop", "setoption name MultiPV value 1", "setoption name Temperature value 0", "ucinewgame")
    shared.send("setoption name UCI_LimitStrength value false")
    shared.send("position startpos")
    shared.ready()
    return shared


def legal(fen: str, move: str, *moves: str) -> bool:
    board = chess.Board() if fen == "startpos" else chess.Board(fen)
    for before in moves:
        board.push_uci(before)
    return chess.Move.from_uci(move) in board.legal_moves


# --- start and end ---------------------------------------------------------------------------------------------------


def test_it_introduces_itself_before_anything_heavy_is_loaded() -> None:
    lines = introduction("uci")
    for line in lines:
        assert re.fullmatch(r"option name \S.* type (check|spin|string) default \S+( min \d+ max \d+)?", line)
    names = [line.split(" name ")[1].split(" type ")[0] for line in lines]
    assert {"Hash", "MultiPV", "Ponder", "Move Overhead", "WeightsFile", "UCI_ShowWDL", "Temperature"} <= set(names)


def test_nothing_heavy_is_imported_for_uciok() -> None:
    code = "import sys, selfplay.gui, agents.engine.uci, agents.engine.usi; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numpy", "numba", "torch", "tyro", "chess"}.isdisjoint(loaded.stdout.split())


@pytest.mark.slow
def test_what_is_piped_in_is_answered_however_long_loading_takes(tmp_path: Path) -> None:
    """Also on a machine where kernels have to be compiled first."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "uci.py", "--weights", "untrained"],
        input=b"isready\ngo movetime 10\n",
        env=os.environ | {"RLCORE_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=600,
    )
    assert legal("startpos", done.stdout.split(b"bestmove ")[1].split()[0].decode())


@pytest.mark.slow
def test_the_first_start_says_why_it_takes_long(tmp_path: Path) -> None:
    program = start(RLCORE_CACHE_DIR=str(tmp_path))
    lines = program.ask("isready", until="readyok")
    assert lines.count(COMPILING) == 1
    program.ask("go nodes 10")
    program.leave()
    assert program.said.count(COMPILING) == 1
    assert b"Compiling" not in program.errors


def test_it_is_ready_at_once_and_for_a_new_game(engine: Program) -> None:
    assert engine.ready() == []
    engine.send("ucinewgame", "position startpos")
    assert engine.ready() == []
    engine.send("position fen 3r2k1/p5n1/1pq1p2p/2p3p1/2P1P1n1/1P1P2pP/PN1Q2K1/5R2 w - - 0 27")
    assert engine.ready() == []


@pytest.mark.parametrize("how", ["quit", "the end of input"])
def test_it_ends_in_the_middle_of_a_search(how: str) -> None:
    program = start()
    leave_in_mid_search(program, how)
    assert program.said[-1].startswith("bestmove")


def test_quit_is_heard_while_kernels_are_compiled(tmp_path: Path) -> None:
    program = start(RLCORE_CACHE_DIR=str(tmp_path))
    program.send("isready")
    time.sleep(1.0)
    print(f"gone after {program.leave():.2f} s")
    assert "readyok" not in program.said


def test_a_client_that_no_longer_reads_ends_the_program() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "uci.py"), "--weights", "untrained"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"isready\ngo infinite\n")
        process.stdin.flush()
        while b"readyok" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        assert process.wait(LONG) == 0


# --- searches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "go"),
    [
        ("startpos", "wtime 100"),
        ("fen rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1", "btime 100"),
        ("startpos", "wtime 100 winc 100 btime 100 binc 100"),
        ("startpos", "btime 100 binc 100 wtime 100 winc 100"),
        ("startpos", "wtime 100 btime 100"),
        ("startpos moves e2e4 e7e5", "wtime 100 btime 100"),
        ("startpos", "wtime 60000 btime 60000 winc 0 binc 0 movestogo 40 depth 2"),
        ("startpos", "wtime 0 btime 0"),
        ("startpos", "wtime -50 btime 100"),
        ("startpos", "wtime 100.5 btime abc binc"),
        ("startpos", "nodes 0"),
        ("startpos", "depth 2 foo bar"),
        ("startpos", "movetime 1"),
        ("startpos", ""),  # no limit at all: until the memory is full
        ("startpos moves e2e4 e7e5", "searchmoves 0000 nodes 50"),
        ("startpos", "nodes 50 searchmoves"),
    ],
)
def test_every_go_gets_a_legal_answer_after_a_score(engine: Program, position: str, go: str) -> None:
    lines = engine.ask(f"position {position}", f"go {go}")
    start, _, moves = position.partition(" moves ")
    assert legal(start.removeprefix("fen "), best_of(lines), *moves.split())
    assert engine.quiet(0.05) == []


def test_the_tightest_of_several_limits_holds(engine: Program) -> None:
    lines = engine.ask("go depth 3 nodes 100000 movetime 50 searchmoves e2e4")
    assert best_of(lines) == "e2e4"
    assert int(lines[-2].split(" nodes ")[1].split()[0]) <= 100_000
    lines = engine.ask("go nodes 77 movetime 100000")
    assert " nodes 77 " in lines[-2]


@pytest.mark.parametrize("position", ["startpos", f"fen {MATED}", f"fen {STALEMATE}", f"fen {MATE_IN_ONE}"])
@pytest.mark.parametrize("go", ["infinite", "ponder wtime 1 btime 1"])
def test_infinite_and_ponder_wait_for_stop_and_isready_does_not(engine: Program, position: str, go: str) -> None:
    engine.send(f"position {position}", f"go {go}")
    assert [line for line in engine.quiet() if line.startswith("bestmove")] == []
    engine.send("stop")
    (line,) = [line for line in engine.until("bestmove") if line.startswith("bestmove")]
    assert (line == "bestmove (none)") == (position in (f"fen {MATED}", f"fen {STALEMATE}"))
    assert engine.quiet(0.1) == []


def test_ponderhit_starts_the_clock(engine: Program) -> None:
    engine.send("position startpos moves e2e4 e7e5", "go ponder wtime 200 btime 200")
    assert [line for line in engine.quiet() if line.startswith("bestmove")] == []
    assert legal("startpos", best_of(engine.ask("ponderhit")), "e2e4", "e7e5")
    assert engine.quiet(0.1) == []
    assert best_of(engine.ask("go ponder nodes 1", "ponderhit"))
    assert engine.quiet(0.1) == []


def test_limited_strength_searches_as_its_level_says_pondering_too_but_not_in_analysis(engine: Program) -> None:
    def nodes(lines: list[str]) -> int:
        return int(lines[-2].split(" nodes ")[1].split()[0])

    low, high = LADDERS["chess"][0], LADDERS["chess"][-1]
    engine.send("setoption name UCI_LimitStrength value true", f"setoption name UCI_Elo value {low.elo}")
    assert nodes(engine.ask("position startpos", "go wtime 60000 btime 60000")) == low.simulations
    assert nodes(engine.ask("go nodes 3")) == 3
    engine.send("go ponder wtime 60000 btime 60000")
    assert [line for line in engine.quiet() if line.startswith("bestmove")] == []
    assert nodes(engine.ask("ponderhit")) == low.simulations
    engine.send("go infinite")
    engine.quiet()
    assert nodes(engine.ask("stop")) > low.simulations
    assert nodes(engine.ask("go mate 30 nodes 50")) > low.simulations  # a question, not a move
    engine.send(f"setoption name UCI_Elo value {high.elo}")
    assert nodes(engine.ask("position startpos moves e2e4", "go movetime 600000")) == high.simulations
    assert "must be a number from" in engine.ask(f"setoption name UCI_Elo value {high.elo + 1}", until="info")[-1]
    engine.send("setoption name UCI_LimitStrength value false")
    assert nodes(engine.ask(f"go nodes {high.simulations + 1}")) == high.simulations + 1
    engine.send("setoption name UCI_LimitStrength value true", f"setoption name UCI_Elo value {low.elo}")
    lines = engine.ask("go nodes 8")  # begins anew: it does not know what the long search before has found
    assert int(lines[-2].split(" seldepth ")[1].split()[0]) <= 8
    assert " hashfull 0 " in lines[-2]


def test_a_weak_level_chooses_by_chance(engine: Program) -> None:
    low = LADDERS["chess"][0]
    engine.send("setoption name UCI_LimitStrength value true", f"setoption name UCI_Elo value {low.elo}")
    found = {best_of(engine.ask("ucinewgame", "position startpos", "go nodes 10")) for _ in range(20)}
    assert len(found) > 2


def test_when_idle_stop_ponderhit_and_nonsense_are_passed_over(engine: Program) -> None:
    for line in (
        "stop",
        "ponderhit",
        "foo bar",
        "",
        "   \t ",
        "debug on",
        "debug off",
        "register later",
        "bestmove e2e4",
    ):
        engine.send(line)
        assert engine.ready() == [], line


def test_words_before_a_command_are_passed_over(engine: Program) -> None:
    assert engine.ask("joho isready", until="readyok") == ["readyok"]
    assert legal("startpos", best_of(engine.ask("\tposition   startpos\tmoves  e2e4 ", " go   nodes \t 5 \r")), "e2e4")
    assert best_of(engine.ask("position\tstartpos", "go\tnodes\t5\tsearchmoves\td2d4")) == "d2d4"


def test_another_go_ends_the_search_before_it(engine: Program) -> None:
    """No client should, but each still gets its answer."""
    engine.send("go infinite", "position startpos moves e2e4", "go nodes 20", "stop")
    lines = engine.until("bestmove") + engine.until("bestmove")
    assert legal("startpos", lines[-1].split()[1], "e2e4")
    assert engine.quiet(0.1) == []


def test_several_lines_come_in_order_with_different_moves(engine: Program) -> None:
    engine.send("setoption name MultiPV value 4")
    lines = engine.ask("go nodes 300")[-5:-1]
    assert [line.split(" multipv ")[1].split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert len({line.split(" pv ")[1].split()[0] for line in lines}) == 4


def test_of_several_lines_only_those_with_a_value_of_their_own_are_told(engine: Program) -> None:
    engine.send("setoption name MultiPV value 4", "setoption name UCI_ShowWDL value true")
    lines = engine.ask("position fen 7k/8/5K2/8/6Q1/8/8/8 w - - 0 1", "go nodes 3000")
    engine.send("setoption name UCI_ShowWDL value false")
    assert " multipv 1 score mate 1 " in "".join(lines)
    assert "cp 12800" not in "".join(lines)


def test_numbers_of_any_length_are_read() -> None:
    """With one that is passed over there would be no limit at all."""
    longest = "9" * 400
    allowed = read_go(f"wtime {longest} btime -{longest} movetime {longest}.5 nodes 1{'0' * 15} mate 0", "wb").allowed
    assert allowed.time == (10**12, -(10**12))
    assert (allowed.move_time, allowed.nodes, allowed.mate) == (10**12, 10**12, 0)


def test_a_position_that_is_too_long_leaves_no_other_behind(engine: Program) -> None:
    engine.send("position startpos moves d2d4", "position startpos moves" + " g1f3 g8f6 f3g1 f6g8" * 15_000)
    told = engine.ready()
    assert told[0] == "info string a line of more than 262,144 bytes was passed over"
    assert told[1].startswith("info string position: ")
    assert engine.ask("go nodes 50")[-1] == "bestmove (none)"


def test_mates_are_counted_in_moves(engine: Program) -> None:
    lines = engine.ask(f"position fen {MATE_IN_TWO}", "go mate 2")
    assert " score mate 2 " in lines[-2]
    assert best_of(lines) == "a1a6"
    assert " score mate -1 " in engine.ask(f"position fen {MATE_IN_TWO} moves a1a6", "go nodes 5000")[-2]
    assert " score mate 1 " in engine.ask(f"position fen {MATE_IN_ONE}", "go nodes 5000")[-2]
    assert " score mate 0 " in engine.ask(f"position fen {MATED}", "go nodes 5000")[-2]
    assert " score cp 0 " in engine.ask(f"position fen {STALEMATE}", "go nodes 5000")[-2]


def test_probabilities_are_shown_if_wanted(engine: Program) -> None:
    engine.send("setoption name UCI_ShowWDL value true")
    wdl = engine.ask("go nodes 10")[-2].split(" wdl ")[1].split()[:3]
    assert sum(map(int, wdl)) == 1000
    assert " wdl 1000 0 0 " in engine.ask(f"position fen {MATE_IN_ONE}", "go nodes 100")[-2]
    engine.send("setoption name UCI_ShowWDL value false")
    assert " wdl " not in engine.ask("go nodes 10")[-2]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("position fen hello world", "bad FEN"),
        ("position fen 8/8/8/8/8/8/8/8 w - - 0 1", "no king"),
        ("position", "bad FEN"),
        ("position moves e2e4", "bad FEN"),
    ],
)
def test_without_a_position_there_is_no_move_but_an_answer(engine: Program, command: str, said: str) -> None:
    engine.send(command)
    (line,) = engine.ready()
    assert line.startswith("info string position: ")
    assert said in line
    assert engine.ask("go nodes 5")[-1] == "bestmove (none)"


def test_a_move_that_is_not_legal_is_told_and_those_after_it_are_left_out(engine: Program) -> None:
    engine.send("position startpos moves e2e4 e2e4 e7e5")
    (line,) = engine.ready()
    assert "'e2e4' is not legal here" in line
    assert legal("startpos", best_of(engine.ask("go nodes 5")), "e2e4")


def test_a_game_of_ten_thousand_moves_is_read(engine: Program) -> None:
    moves = " ".join(["g1f3 g8f6 f3g1 f6g8"] * 2500)
    assert legal("startpos", best_of(engine.ask(f"position startpos moves {moves}", "go nodes 5")))


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["abc", "999999999999", "-5", "", "0", "1.5", "NaN", "<empty>"])
def test_a_bad_value_leaves_the_old_one(engine: Program, value: str) -> None:
    engine.send("setoption name MultiPV value 3", f"setoption name MultiPV value {value}")
    (line,) = engine.ready()
    assert line.startswith("info string setoption: MultiPV must be a number from 1 to 218")
    assert " multipv 3 " in engine.ask("go nodes 20")[-2]


@pytest.mark.parametrize(
    "line", ["", "name", "name Nothing value 3", "value 3", "name  value ", "name Threads value 2"]
)
def test_an_unknown_option_is_told(engine: Program, line: str) -> None:
    engine.send(f"setoption {line}")
    (told,) = engine.ready()
    assert told.startswith("info string setoption: there is no option called ")


def test_names_of_options_are_read_in_any_spelling(engine: Program) -> None:
    engine.send("setoption name move overhead value 100", "setoption name MOVEOVERHEAD value 100")
    engine.send("setoption name multipv value 2", "setoption name Hash value 8", "setoption name ponder value true")
    assert engine.ready() == []
    assert " multipv 2 " in engine.ask("go nodes 20")[-2]
    assert " multipv 2 " in engine.ask("setoption name Hash value 16", "go nodes 20")[-2]


def test_weights_that_are_not_there_are_told_and_the_game_goes_on(engine: Program, tmp_path: Path) -> None:
    engine.send(f"setoption name WeightsFile value {tmp_path}/no such folder")
    lines = engine.ready()
    assert "there is no file or folder" in lines[0]
    assert legal("startpos", best_of(engine.ask("go nodes 5")))
    engine.send("setoption name WeightsFile value untrained")
    assert engine.ready() == ["info string playing with the search without a network"]


def test_a_log_holds_every_line(engine: Program, tmp_path: Path) -> None:
    log = tmp_path / "a log.txt"
    engine.send(f"setoption name Debug Log File value {log}")
    engine.ask("go nodes 5")
    engine.send("setoption name Debug Log File value <empty>")
    engine.ready()
    lines = [line.split(" ", 1)[1] for line in log.read_text().splitlines()]
    assert "> go nodes 5" in lines
    assert any(line.startswith("< bestmove ") for line in lines)
    assert "> isready" not in lines
    assert not (ROOT / "<empty>").exists()
    engine.send(f"setoption name Debug Log File value {tmp_path}")
    assert engine.ready()[0].startswith("info string setoption: ")


def test_moves_vary_at_a_temperature(engine: Program) -> None:
    engine.send("setoption name Temperature value 1.0")
    moves = set()
    for _ in range(12):
        engine.send("ucinewgame")
        moves.add(best_of(engine.ask("go nodes 40")))
    assert len(moves) > 2


def test_a_trained_network_plays(tmp_path: Path) -> None:
    """From another folder, whose run is found by itself."""
    make_run(tmp_path / "runs" / "chess")
    program = Program("uci.py", cwd=tmp_path)
    program.ask("uci", until="uciok")
    assert program.ready() == ["info string playing with runs/chess at 100 steps"]
    assert legal("startpos", best_of(program.ask("go nodes 100")))
    program.leave()


def test_every_go_gets_exactly_one_answer_whatever_comes_between(engine: Program) -> None:
    rng, before = random.Random(3), len(engine.said)
    goes = ["go nodes 30", "go infinite", "go ponder movetime 5", "go movetime 5", "go ponder"]
    between = ["stop", "ponderhit", "isready", "position startpos moves e2e4", "position startpos", "ucinewgame", ""]
    for _ in range(100):
        engine.send(rng.choice(goes), *rng.choices(between, k=rng.randrange(4)))
    engine.send("stop", "ucinewgame", "setoption name Ponder value true", "position nowhere")
    while not engine.until("info")[-1].startswith("info string position"):
        pass
    assert sum(line.startswith("bestmove") for line in engine.said[before:]) == 100


# --- what nobody should send -----------------------------------------------------------------------------------------


def test_nothing_that_a_client_sends_kills_or_silences_it(engine: Program) -> None:
    annoy(engine, random.Random(7), 300)
    engine.send("setoption name Hash value 16")
    assert legal("startpos", best_of(engine.ask("position startpos", "go nodes 5")))


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 5_000_000,
        b"position startpos moves " + b"e2e4 " * 1_000_000,
        b"go " + b"nodes 1 " * 30_000,
        b"go nodes 1" + b" x" * 120_000,
        b"go searchmoves" + b" e2e4" * 50_000 + b" nodes 1",
        b"setoption name a" + b" " * 250_000 + b"b",
        b"setoption name" + b" value" * 40_000,
        b"setoption name " + b"a" * 100_000 + b" value " + b"b" * 100_000,
        b"\x00" * 1000,
        bytes(range(1, 10)) + bytes(range(11, 256)),
    ],
    ids=[f"line {number}" for number in range(10)],
)
def test_long_and_binary_lines_are_survived(engine: Program, line: bytes) -> None:
    engine.send(line)
    if line.startswith(b"go"):
        engine.until("bestmove")
    engine.ready()
    assert engine.ready() == []
    assert legal("startpos", best_of(engine.ask("position startpos", "go nodes 5")))


# --- a real client ---------------------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[chess.engine.SimpleEngine]:
    command = [sys.executable, str(ROOT / "scripts" / "uci.py"), "--weights", "untrained"]
    engine = chess.engine.SimpleEngine.popen_uci(command, timeout=240)
    engine.configure({"Hash": 16})
    yield engine
    asyncio.run_coroutine_threadsafe(engine.protocol.quit(), engine.protocol.loop).result(240)
    assert engine.protocol.returncode.result() == 0


def test_python_chess_plays_a_whole_game(client: chess.engine.SimpleEngine) -> None:
    board = chess.Board()
    limit = chess.engine.Limit(white_clock=60.0, black_clock=60.0, white_inc=0.1, black_inc=0.1, nodes=100)
    while not board.is_game_over(claim_draw=True):
        result = client.play(board, limit, ponder=len(board.move_stack) % 5 == 0, info=chess.engine.INFO_ALL)
        assert result.move is not None
        assert result.info["pv"][0] == result.move
        board.push(result.move)
    assert len(board.move_stack) > 4


def test_python_chess_analyses_several_lines_until_it_stops(client: chess.engine.SimpleEngine) -> None:
    with client.analysis(chess.Board(), multipv=3) as analysis:
        for info in analysis:
            if info.get("multipv") == 3 and info.get("nodes", 0) > 200:
                break
    assert len(analysis.multipv) == 3
    infos = client.analyse(chess.Board(MATE_IN_TWO), chess.engine.Limit(mate=2), multipv=2)
    assert infos[0]["score"].white().mate() == 2
    assert client.analyse(chess.Board(MATED), chess.engine.Limit(nodes=5))["score"].relative.mate() == 0


# --- pieces ----------------------------------------------------------------------------------------------------------


def test_an_engine_with_a_fault_still_answers_every_go() -> None:
    """In the same process, so that something can be wrong with it."""

    class Faulty(UciEngine):
        def score(self, line: Line) -> str:
            raise ZeroDivisionError

    sink = io.BytesIO()
    engine = Faulty(Client(io.BytesIO(), sink), load_brain, {"weightsfile": "untrained", "hash": 4})
    for line in ("go nodes 5", "go infinite", "stop", "position startpos moves e2e4", "go movetime 1", "quit"):
        engine.obey(line)
    engine.finish()
    lines = sink.getvalue().decode().splitlines()
    moves = [line.split()[1] for line in lines if line.startswith("bestmove")]
    assert len(moves) == 3
    assert legal("startpos", moves[0])
    assert legal("startpos", moves[2], "e2e4")
    assert "info string go: ZeroDivisionError" in lines


def test_values_become_centipawns_as_with_lc0() -> None:
    """The table of Lc0's FAQ, in win rates: 0.55 is 18, 0.75 is 111, 0.95 is 671."""
    assert [centipawns(2 * rate - 1) for rate in (0.5, 0.55, 0.75, 0.95, 1.0)] == [0, 18, 111, 671, 12_800]
    assert [centipawns(value) for value in (-0.5, -7.0, 7.0)] == [-111, -12_800, 12_800]


def test_options_are_declared_as_clients_read_them() -> None:
    assert str(Option("A b", "check", True)) == "option name A b type check default true"
    assert str(Option("A", "spin", 3, 1, 9)) == "option name A type spin default 3 min 1 max 9"
    assert str(Option("A", "filename", "")) == "option name A type filename default <empty>"
    assert str(Option("A", "decimal", 0, 0, 9)) == "option name A type string default 0"
