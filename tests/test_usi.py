"""USI with the real program: what the protocol demands, what clients send beside it, and what nobody should send.

No test passes or fails on a time; a program that says nothing for minutes hangs.
"""

import functools
import os
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.engine.levels import LADDERS
from games.errors import BadMove
from tests.engine_help import make_run
from tests.gui_help import ROOT, Program, annoy, best_of, introduction, kept, leave_in_mid_search, started
from tests.shogi_help import SHOGI, legal, play, position

MATE_IN_ONE = "4k4/9/4P4/9/9/9/9/9/4K4 b G 1"
MATED = "4k4/4G4/4P4/9/9/9/9/9/4K4 w - 1"
MATE_IN_THREE = "7nl/5+P1k1/7pp/9/9/9/9/9/4K4 b 2G 1"
DECLARABLE = "1+R+R+B+B4/1GGSSK3/2NN5/9/9/9/9/9/4k4 b 2P2g2s2n4l16p 1"
DECLARABLE_NEXT = "1K7/+R+BGGG+R+B2/SSSS5/9/9/9/9/9/7k1 b 4P 1"  # after a move of each side
A_MOVE = r"([1-9][a-i][1-9][a-i]\+?|[PLNSBRG]\*[1-9][a-i])"
INFO = re.compile(
    r"info depth \d+ seldepth \d+ multipv \d+ score (cp -?\d+|mate -?\d+) "
    rf"nodes \d+ nps \d+ hashfull \d+ time \d+( pv( {A_MOVE})+)?"
)
ANSWER = re.compile(
    rf"bestmove (resign|win|{A_MOVE}( ponder {A_MOVE})?)|checkmate (timeout|nomate|{A_MOVE}( {A_MOVE})*)"
)


start = functools.partial(started, "usi")


@pytest.fixture(scope="module")
def shared() -> Iterator[Program]:
    yield from kept(start(), INFO, ANSWER)


@pytest.fixture
def engine(shared: Program) -> Program:
    """One program for all tests that leave it as they find it."""
    shared.send("stop", "setoption name USI_MultiPV value 1", "setoption name USI_LimitStrength value false")
    shared.send("usinewgame", "position startpos")
    shared.ready()
    return shared


def is_legal(sfen: str, move: str, *moves: str) -> bool:
    row = position(sfen)
    play(row, " ".join(moves))
    try:
        return SHOGI.from_text(row, move) in legal(row)
    except BadMove:
        return False


# --- start and end ---------------------------------------------------------------------------------------------------


def test_it_introduces_itself_before_anything_heavy_is_loaded() -> None:
    """ShogiHome splits option lines at single spaces and finds the name second, the type fourth."""
    names = []
    for line in introduction("usi"):
        words = line.split(" ")
        assert (words[0], words[1], words[3]) == ("option", "name", "type")
        assert words[4] in ("check", "spin", "string", "filename")
        names.append(words[2])
    assert {"USI_Hash", "USI_Ponder", "USI_MultiPV", "MoveOverhead", "WeightsFile"} <= set(names)


@pytest.mark.parametrize("how", ["quit", "the end of input"])
def test_it_ends_in_the_middle_of_a_search(how: str) -> None:
    leave_in_mid_search(start(), how)


# --- searches --------------------------------------------------------------------------------------------------------


def test_a_game_begins_as_clients_begin_it(engine: Program) -> None:
    engine.send("setoption name USI_Hash value 64", "setoption name USI_Ponder value true")
    assert engine.ready() == []
    sfen = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL b - 1"
    engine.send("usinewgame", f"position sfen {sfen} moves 7g7f 3c3d")
    lines = engine.ask("go btime 0 wtime 0 byoyomi 1000")
    assert is_legal(sfen, best_of(lines), "7g7f", "3c3d")
    assert engine.quiet(0.05) == []


@pytest.mark.parametrize(
    ("place", "go"),
    [
        ("startpos", "btime 100"),
        ("startpos moves 7g7f", "btime 100 wtime 100"),
        ("startpos moves 7g7f", "wtime 100 winc 100 btime 100 binc 100"),
        ("sfen lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL w -", "byoyomi 50"),
        ("sfen 4k4/9/9/9/9/9/9/9/4K4 b 2R2B4G4S4N4L18P 1", "nodes 100"),
        ("startpos", "movetime 20"),
        ("startpos", "depth 2 nodes 500"),
        ("startpos", "nodes 20 searchmoves 7g7f 2g2f"),
        ("startpos", "byoyomi abc nodes 3"),
        ("startpos", ""),
    ],
)
def test_every_go_gets_a_legal_answer_after_a_score(engine: Program, place: str, go: str) -> None:
    lines = engine.ask(f"position {place}", f"go {go}")
    before, _, moves = place.partition(" moves ")
    assert is_legal(before, best_of(lines), *moves.split())
    assert "searchmoves" not in go or best_of(lines) in ("7g7f", "2g2f")
    assert engine.quiet(0.05) == []


def test_infinite_waits_for_stop_and_isready_does_not(engine: Program) -> None:
    for place in ("startpos", f"sfen {MATED}", f"sfen {MATE_IN_ONE}", f"sfen {DECLARABLE}"):
        engine.send(f"position {place}", "go infinite")
        assert [line for line in engine.quiet(0.2) if line.startswith("bestmove")] == []
        engine.ask("stop")
        assert engine.quiet(0.05) == []


def test_limited_strength_is_for_moves_not_for_mates(engine: Program) -> None:
    low = LADDERS["shogi"][0]
    engine.send("setoption name USI_LimitStrength value true", f"setoption name USI_Elo value {low.elo}")
    lines = engine.ask("position startpos", "go btime 60000 wtime 60000 byoyomi 1000")
    assert f" nodes {low.simulations} " in lines[-2]
    lines = engine.ask(f"position sfen {MATE_IN_ONE}", "go mate 10000", until="checkmate")
    assert lines[-1] == "checkmate G*5b"


def test_ponderhit_may_bring_the_clocks(engine: Program) -> None:
    """ShogiHome's early ponder sends "go ponder" without clocks."""
    for go, hit in (
        ("go ponder", "ponderhit btime 100 wtime 100 byoyomi 50"),
        ("go ponder btime 100 wtime 100 byoyomi 50", "ponderhit btime 1000 wtime 1000 byoyomi 100"),
        ("go ponder btime 0 wtime 0 byoyomi 50", "ponderhit"),
    ):
        engine.send("position startpos moves 7g7f 3c3d", go)
        assert [line for line in engine.quiet(0.1) if line.startswith("bestmove")] == []
        assert is_legal("startpos", best_of(engine.ask(hit)), "7g7f", "3c3d")
        assert engine.quiet(0.05) == []


@pytest.mark.parametrize("result", ["win", "lose", "draw", ""])
def test_the_end_of_a_game_ends_pondering_without_stop(engine: Program, result: str) -> None:
    engine.send("position startpos moves 7g7f 3c3d", "go ponder btime 0 wtime 0 byoyomi 1000")
    engine.ask(f"gameover {result}")
    assert engine.quiet(0.05) == []
    engine.send("usinewgame", "position startpos")
    assert is_legal("startpos", best_of(engine.ask("go nodes 20")))


def test_when_idle_stop_ponderhit_gameover_and_nonsense_are_passed_over(engine: Program) -> None:
    for line in ("stop", "ponderhit", "ponderhit btime 100", "gameover win", "foo bar", "", "ucinewgame"):
        engine.send(line)
        assert engine.ready() == [], line


def test_mates_are_counted_in_plies(engine: Program) -> None:
    assert " score mate 1 " in engine.ask(f"position sfen {MATE_IN_ONE}", "go nodes 5000")[-2]
    assert " score mate 3 " in engine.ask(f"position sfen {MATE_IN_THREE}", "go nodes 500000")[-2]


def test_without_a_legal_move_it_resigns(engine: Program) -> None:
    lines = engine.ask(f"position sfen {MATED}", "go byoyomi 1000")
    assert lines[-1] == "bestmove resign"
    assert " score mate -0 " in lines[-2]


def test_it_declares_where_it_may(engine: Program) -> None:
    lines = engine.ask(f"position sfen {DECLARABLE}", "go btime 0 wtime 0 byoyomi 10000")
    assert lines[-1] == "bestmove win"
    assert " score mate 1 " in lines[-2]
    assert best_of(engine.ask(f"position sfen {DECLARABLE.replace('2P', '')}", "go nodes 50")) != "win"
    assert engine.ask(f"position sfen {DECLARABLE}", "go ponder", "ponderhit byoyomi 100")[-1] == "bestmove win"


@pytest.mark.parametrize(
    ("place", "go", "answer"),
    [
        (f"sfen {MATE_IN_ONE}", "mate 60000", r"checkmate G\*5b"),
        (f"sfen {MATE_IN_THREE}", "mate 60000", rf"checkmate {A_MOVE} {A_MOVE} {A_MOVE}"),
        (f"sfen {MATED}", "mate 1000", "checkmate nomate"),
        (f"sfen\t{MATE_IN_ONE}", "\tmate\t60000", r"checkmate G\*5b"),
        (f"sfen {MATE_IN_ONE}", "mate infinite", r"checkmate G\*5b"),
        (f"sfen {MATED}", "mate infinite", "checkmate nomate"),
        ("startpos", "mate 50", "checkmate timeout"),
        ("startpos", "mate", "checkmate timeout"),
        ("startpos", "mate abc", "checkmate timeout"),
        ("sfen nonsense", "mate 100", "checkmate timeout"),
    ],
)
def test_a_question_for_mate_gets_its_own_answer(engine: Program, place: str, go: str, answer: str) -> None:
    line = engine.ask(f"position {place}", f"go {go}", until="checkmate")[-1]
    assert re.fullmatch(answer, line), line
    assert engine.quiet(0.05) == []
    assert is_legal("startpos", best_of(engine.ask("position startpos", "go nodes 5")))


def test_a_mate_that_is_found_mates(engine: Program) -> None:
    line = engine.ask(f"position sfen {MATE_IN_THREE}", "go mate 60000", until="checkmate")[-1]
    row = position(MATE_IN_THREE)
    play(row, " ".join(line.split()[1:]))
    assert len(legal(row)) == 0


def test_a_declaration_that_is_foreseen_counts_as_a_ply(engine: Program) -> None:
    """So that a win takes an odd number of them."""
    lines = engine.ask(f"position sfen {DECLARABLE_NEXT}", "go mate 60000", until="checkmate")
    assert lines[-1] == "checkmate timeout"
    assert re.search(r" score mate 3 .* pv \S+ \S+$", lines[-2]), lines[-2]


def test_a_question_for_mate_without_limit_can_be_stopped(engine: Program) -> None:
    engine.send("setoption name USI_Hash value 1024")  # once the tree is full there is an answer, too
    engine.ready()
    engine.send("go mate infinite")
    assert [line for line in engine.quiet(0.2) if line.startswith("checkmate")] == []
    assert engine.ask("stop", until="checkmate")[-1] == "checkmate timeout"


def test_several_lines_come_in_order_with_different_moves(engine: Program) -> None:
    engine.send("setoption name USI_MultiPV value 4")
    lines = engine.ask("go nodes 300")[-5:-1]
    assert [line.split(" multipv ")[1].split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert len({line.split(" pv ")[1].split()[0] for line in lines}) == 4


def test_a_bad_value_leaves_the_old_one(engine: Program) -> None:
    engine.send("setoption name USI_MultiPV value 3")
    for value in ("abc", "999999999999", "-5", "", "<empty>"):
        engine.send(f"setoption name USI_MultiPV value {value}")
        (line,) = engine.ready()
        assert line.startswith("info string setoption: USI_MultiPV must be a number from 1 to 593")
    assert " multipv 3 " in engine.ask("go nodes 20")[-2]


def test_a_trained_network_plays(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "shogi", game="shogi")
    program = Program("usi.py", cwd=tmp_path)
    program.ask("usi", until="usiok")
    assert program.ready()[-1] == "info string playing with runs/shogi at 100 steps"
    assert is_legal("startpos", best_of(program.ask("go nodes 100")))
    program.leave()


def test_every_go_gets_exactly_one_answer_whatever_comes_between(engine: Program) -> None:
    rng, before = random.Random(3), len(engine.said)
    goes = ["go nodes 30", "go infinite", "go ponder byoyomi 5", "go byoyomi 5", "go mate 5", "go mate infinite"]
    between = [
        "stop",
        "ponderhit",
        "isready",
        "position startpos moves 7g7f",
        "position startpos",
        "usinewgame",
        "gameover win",
        "",
    ]
    for _ in range(100):
        engine.send(rng.choice(goes), *rng.choices(between, k=rng.randrange(4)))
    engine.send("stop", "usinewgame", "setoption name Ponder value false", "position nowhere")
    while not engine.until("info")[-1].startswith("info string position"):
        pass
    assert sum(line.startswith(("bestmove", "checkmate")) for line in engine.said[before:]) == 100


# --- what nobody should send -----------------------------------------------------------------------------------------


def test_nothing_that_a_client_sends_kills_or_silences_it(engine: Program) -> None:
    annoy(engine, random.Random(8), 300)
    engine.send("setoption name USI_Hash value 16")
    assert is_legal("startpos", best_of(engine.ask("position startpos", "go nodes 5")))


def test_a_game_of_thousands_of_moves_is_read(engine: Program) -> None:
    moves = " ".join(["5i5h 5a5b 5h5i 5b5a"] * 500)
    assert is_legal("startpos", best_of(engine.ask(f"position startpos moves {moves}", "go nodes 5")))


# --- a real client ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="the client starts one executable file; here it is a shell script")
def test_cshogi_plays_a_whole_game(tmp_path: Path) -> None:
    usi = pytest.importorskip("cshogi.usi", exc_type=ImportError)
    program = tmp_path / "engine"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "scripts" / "usi.py"}" --weights untrained\n')
    program.chmod(0o755)
    engine = usi.Engine(str(program))
    assert engine.name == "rlcore 0.1.0"
    engine.setoption("USI_Hash", 16)
    engine.isready()
    engine.usinewgame()
    listener, row, moves = usi.InfoListener(), position("startpos"), []
    while len(moves) < 200:
        engine.position(moves)
        move, _ = engine.go(btime=60_000, wtime=60_000, byoyomi=1000, nodes=60, listener=listener.listen())
        if move in ("resign", "win"):
            break
        assert listener.pv[0] == move
        assert isinstance(listener.score, int)
        action = SHOGI.from_text(row, move)
        SHOGI.apply(row, np.uint16(action))
        moves.append(move)
    assert len(moves) > 10
    engine.position(sfen=f"sfen {MATE_IN_ONE}")
    assert engine.go_mate(1000) == "G*5b"
    process = engine.proc
    engine.quit()
    assert process.returncode == 0
