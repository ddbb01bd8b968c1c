"""Outside programs as players: real ones, and one that misbehaves in every way that programs do."""

import os
import threading
import time

import pytest
from client_help import installed, is_running, rogue

import games
from agents.engine import clients
from agents.engine.board import Board
from agents.engine.clients import Limits, ProgramFailed, ProgramPlayer, parse_program

CHESS = games.load("chess")
SHOGI = games.load("shogi")
QUICK = Limits(nodes=1, patience=30.0)


@pytest.fixture
def start():
    """Starts players, and ends them after the test."""
    started = []

    def make(game, text, limits=QUICK):
        started.append(ProgramPlayer(game, parse_program(text), limits))
        return started[-1]

    yield make
    for player in started:
        player.close(politely=False)


def pid_of(player: ProgramPlayer) -> int:
    return player._client._process._process.pid


def play(player: ProgramPlayer, game, plies: int, clocks=(10.0, 10.0)) -> Board:
    """A game of a program against itself."""
    board = Board(game)
    player.begin(board, seed=1)
    for _ in range(plies):
        board.play(player.move(board, clocks).action)
    return board


# --- how a program is named ------------------------------------------------------------------------------------------


def test_a_program_is_named_with_arguments_and_options() -> None:
    program = parse_program('my-engine --book "opening lines.bin",Skill Level=0, Hash=16,Clear Hash,Path=a=b')
    assert program.command == ("my-engine", "--book", "opening lines.bin")
    assert program.options == {"Skill Level": "0", "Hash": "16", "Clear Hash": "", "Path": "a=b"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "write cmd:PROGRAM"),
        (",Hash=1", "write cmd:PROGRAM"),
        ('engine "', "No closing quotation"),
        ("/nowhere/engine", "/nowhere/engine: No such file or directory"),
        ("/", "Permission denied"),
        (rogue("dead"), "ended with exit status 3 ('cannot find my network')"),
        (rogue(options=",Some Skil=3"), "has no option 'Some Skil'; it has Some Skill"),
        (rogue(options=",Some Skill=21"), "cannot set Some Skill to '21': it must be a whole number from 0 to 20"),
        (rogue(options=",Some Skill=high"), "a whole number from 0 to 20"),
        (rogue(options=",style=mild"), "it must be one of calm, very wild"),
        (rogue(options=",Ponder=yes"), "it must be true or false"),
    ],
)
def test_a_program_that_cannot_be_had_is_one_line(start, text: str, wrong: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        start(CHESS, text)
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_says_nothing_is_no_engine(start, monkeypatch) -> None:
    monkeypatch.setattr(clients, "_START_SECONDS", 0.5)
    with pytest.raises(ProgramFailed, match=r"hung: no uciok in 0.5 s"):
        start(CHESS, rogue("silent"))


def test_programs_play_chess_and_shogi_only(start) -> None:
    with pytest.raises(ProgramFailed, match="cannot play tic_tac_toe, only chess and shogi"):
        start(games.load("tic_tac_toe"), rogue())


# --- playing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", [CHESS, SHOGI])
def test_an_honest_program_plays_game_after_game(start, game) -> None:
    player = start(game, rogue(options=",Some Skill=5,Style=very wild,Forget"))
    assert player.name == "Rogue, Some Skill=5, Style=very wild, Forget"
    pid = pid_of(player)
    boards = [play(player, game, 8) for _ in range(2)]
    assert boards[0].actions == boards[1].actions
    player.finish(0.5)
    assert pid_of(player) == pid
    player.close()
    assert not is_running(pid)


def test_what_a_program_thinks_is_heard(start) -> None:
    player = start(CHESS, rogue("sad"))
    board = Board(CHESS)
    player.begin(board, seed=1)
    assert player.move(board, (1.0, 1.0)).centipawns == -700


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("info depth 3 score cp 31 nodes 5 pv e2e4", 31),
        ("info score cp -5 lowerbound", -5),
        ("info depth 9 multipv 1 score mate 3", 99_997),
        ("info score mate -2 pv a", -99_998),
        ("info score mate +", 100_000),
        ("info score mate -", -100_000),
        ("info depth 9 multipv 2 score cp 90 pv e2e4", 7),
        ("info depth 9 multipv  12 score cp 90 pv e2e4", 7),
        ("info depth 9 multipv  1 score cp 90 pv e2e4", 90),
        ("info score cp 90 multipv 1", 90),
        ("info string score cp 90", 7),
        ("info score cp", 7),
        ("info score cp x", 7),
        ("readyok", 7),
    ],
)
def test_scores_of_info_lines(line: str, score: float) -> None:
    assert clients._score(line, 7) == score


@pytest.mark.parametrize(
    ("game", "limits", "go"),
    [
        (CHESS, Limits(nodes=100), "go nodes 100"),
        (CHESS, Limits(seconds=0.25), "go movetime 250"),
        (CHESS, Limits(clock=(60, 0.5)), "go wtime 9500 btime 1 winc 500 binc 500"),
        (SHOGI, Limits(nodes=100), "go nodes 100"),
        (SHOGI, Limits(seconds=0.25), "go btime 0 wtime 0 byoyomi 250"),
        (SHOGI, Limits(clock=(60, 0.5)), "go btime 9500 wtime 1 binc 500 winc 500"),
        (SHOGI, Limits(clock=(60, 0.0)), "go btime 9500 wtime 1 byoyomi 0"),
        (SHOGI, Limits(clock=(60, 0.0), byoyomi=10.0), "go btime 9500 wtime 0 byoyomi 10000"),
    ],
)
def test_limits_in_words_of_the_protocol(start, game, limits: Limits, go: str) -> None:
    assert start(game, rogue(), limits)._go((9.5, 0.0)) == go


def test_uci_has_no_word_for_byoyomi(start) -> None:
    with pytest.raises(ProgramFailed, match="UCI, which knows no byoyomi"):
        start(CHESS, rogue(), Limits(clock=(60.0, 0.0), byoyomi=10.0))


def test_a_move_that_nobody_asked_for_is_passed_over(start) -> None:
    board = play(start(CHESS, rogue("stale", 1)), CHESS, 6)
    assert len(board.actions) == 6


def test_garbage_is_passed_over(start) -> None:
    assert len(play(start(CHESS, rogue("garbage", 1)), CHESS, 3).actions) == 3


def test_stockfish_plays(start) -> None:
    player = start(CHESS, installed("stockfish") + ",Skill Level=3,Hash=16", Limits(nodes=500))
    assert player.name.startswith("Stockfish")
    board = Board(CHESS)
    player.begin(board, seed=1)
    answer = player.move(board, (1.0, 1.0))
    assert answer.action in board.legal
    assert answer.centipawns is not None
    assert play(player, CHESS, 20).actions


@pytest.mark.parametrize("game", [CHESS, SHOGI])
@pytest.mark.parametrize("limits", [Limits(nodes=300), Limits(seconds=0.02, margin=5.0), Limits(clock=(5.0, 0.1))])
def test_fairy_stockfish_plays_both(start, game, limits: Limits) -> None:
    player = start(game, installed("fairy-stockfish"), limits)
    board = Board(game)
    player.begin(board, seed=1)
    for _ in range(6):
        board.play(player.move(board, (5.0, 5.0)).action)


def test_a_position_that_is_not_the_usual_one(start) -> None:
    player = start(CHESS, installed("stockfish"), Limits(nodes=2000))
    board = Board(CHESS, "6k1/5ppp/8/8/8/8/8/K2R4 w - - 0 1")
    player.begin(board, seed=1)
    answer = player.move(board, (1.0, 1.0))
    assert CHESS.to_text(board.state, answer.action) == "d1d8"
    assert answer.centipawns == 99_999


# --- misbehaving -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "how", "reason"),
    [
        ("crash", "crash", r"ended with exit status 1 \('RuntimeError: the queen fell off the table'\)"),
        ("exit", "crash", "ended with exit status 0"),
        ("signal", "crash", "crashed with signal 11, "),
        ("illegal", "illegal move", "played an illegal move: 'e2e5' is not legal here"),
        ("nonsense", "illegal move", "played an illegal move: 'castle' is not a move"),
        ("none", "illegal move", r"played an illegal move: '\(none\)' is not a move"),
        ("mute", "illegal move", "played no move"),
        ("hang", "hang", r"hung: no move in 0.5 s"),
        ("flood", "hang", r"hung: no move in 0.5 s"),
    ],
)
def test_a_program_that_misbehaves_is_ended_and_begins_the_next_game_anew(start, mode, how, reason) -> None:
    player = start(CHESS, rogue(mode), Limits(nodes=1, patience=30.0 if how != "hang" else 0.5))
    pid = pid_of(player)
    with pytest.raises(ProgramFailed, match=reason) as caught:
        play(player, CHESS, 3)
    assert caught.value.how == how
    assert not is_running(pid)
    player.limits = QUICK
    assert len(play(player, CHESS, 2).actions) == 2
    assert pid_of(player) != pid


def test_what_a_program_has_started_is_ended_too(start, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ROGUE_CHILD", str(tmp_path / "child"))
    player = start(CHESS, rogue("child", 1), Limits(nodes=1, patience=3.0))
    with pytest.raises(ProgramFailed, match="hung"):
        play(player, CHESS, 1)
    assert not is_running(int((tmp_path / "child").read_text()))


def test_resigning_and_declaring_in_shogi(start) -> None:
    player = start(SHOGI, rogue("resign"))
    pid = pid_of(player)
    with pytest.raises(ProgramFailed, match="resigned") as caught:
        play(player, SHOGI, 3)
    assert caught.value.how == "resignation"
    assert pid_of(player) == pid  # nothing wrong with that
    with pytest.raises(ProgramFailed, match="declared a win that the rules do not give") as caught:
        play(start(SHOGI, rogue("win")), SHOGI, 3)
    assert caught.value.how == "illegal move"


def test_a_program_that_does_not_read_is_no_trap(monkeypatch) -> None:
    monkeypatch.setattr(clients, "_LATE_SECONDS", 0.5)
    process = clients._Process(parse_program(rogue("silent")).command)
    try:
        with pytest.raises(ProgramFailed, match="no longer read"):
            process.send("x" * 1_000_000)
    finally:
        process.end(politely=False)


def test_closing_ends_a_program_that_thinks_on_another_thread(start) -> None:
    player = start(CHESS, rogue("hang", 1), Limits(nodes=1, patience=60.0))
    pid, board, failures = pid_of(player), Board(CHESS), []

    def think() -> None:
        player.begin(board, seed=1)
        try:
            player.move(board, (1.0, 1.0))
        except ProgramFailed as failure:
            failures.append(failure)

    thread = threading.Thread(target=think)
    thread.start()
    time.sleep(0.3)
    player.close(politely=False)
    thread.join(10.0)
    assert not thread.is_alive()
    assert len(failures) == 1
    assert not is_running(pid)
    with pytest.raises(ProgramFailed, match="was closed"):
        player.begin(board, seed=1)


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_program_is_out_of_reach_of_the_terminals_signals(start) -> None:
    assert os.getpgid(pid_of(start(CHESS, rogue()))) != os.getpgid(0)
