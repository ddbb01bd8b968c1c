"""A game between two sides without a screen: computers with levels and clocks, and what ends a game."""

import numpy as np
import pytest
from engine_help import CHESS, Time

from agents.engine.board import Board
from agents.engine.chess_view import ChessView
from agents.engine.clock import Clock, TimeControl
from agents.engine.computer import Computer
from agents.engine.levels import Level
from agents.engine.session import Session
from agents.engine.time_control import Allowance
from agents.players import RandomPlayer, SearchPlayer
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform

MATE_IN_ONE = "7k/8/6K1/8/8/8/8/R7 w - - 0 1"


def computer(level: Level | None = None, simulations: int = 50, seed: int = 1) -> Computer:
    """The search without a network."""
    config = SearchConfig(simulations=simulations, considered=64)
    return Computer(SearchPlayer(CHESS, f"a search, {simulations} simulations", Uniform(), config, 1, 1), level, seed)


def against(opponent: Computer, control: TimeControl | None = None, start: str = "startpos") -> Session:
    """A person, who plays White, against a computer."""
    return Session(CHESS, ChessView(False, True), (None, opponent), opponent, start, control)


# --- computers -------------------------------------------------------------------------------------------------------


def test_a_computer_is_named_after_its_level() -> None:
    assert computer().name == "a search, 50 simulations"
    assert computer(Level(simulations=8)).name == "a search, 8 simulations"
    assert computer(Level(seconds=0.5)).name == "a search, about 0.5 s a move"
    assert Computer(RandomPlayer(CHESS), Level(simulations=8), 1).name == "uniform-random moves"


def test_levels_decide_how_much_is_searched() -> None:
    board = Board(CHESS)
    assert computer().opinion(board).nodes == 50
    assert computer(Level(simulations=8)).opinion(board).nodes == 8
    assert computer(Level(simulations=8, elo=500)).opinion(board).nodes == 1000  # at its best
    quick = computer(Level(seconds=0.02))
    quick.get_ready()
    assert 1 <= quick.opinion(board).nodes <= 100_000


def test_a_short_clock_cuts_the_search_short() -> None:
    board, player = Board(CHESS), computer(Level(simulations=50_000))
    player.get_ready()
    nearly_up = Allowance(time=(1, 1))
    assert player.choose(board, nearly_up) in board.legal
    assert player._playing._last.nodes < 50_000


def test_an_opinion_is_lines_of_legal_moves() -> None:
    lines = computer(Level(simulations=300)).opinion(Board(CHESS)).lines
    assert len({line.actions[0] for line in lines}) == 3
    for line in lines:
        assert -1.0 <= line.value <= 1.0
        board = Board(CHESS)
        for action in line.actions:
            assert action in board.legal
            board.play(action)
    assert len(lines[0].actions) >= 2


def test_a_weaker_level_does_not_profit_from_what_a_stronger_one_has_found() -> None:
    player, board = computer(Level(simulations=2000)), Board(CHESS)
    player.choose(board)
    player.level = Level(simulations=8)
    player.choose(board)
    assert player._playing is not None
    assert int(player._playing._search.tree.nodes[0, 0]["visits"]) <= 9


def test_chance_decides_between_equal_moves_and_a_seed_decides_chance() -> None:
    first = [computer(seed=seed).choose(Board(CHESS)) for seed in range(8)]
    assert len(set(first)) > 1
    assert first == [computer(seed=seed).choose(Board(CHESS)) for seed in range(8)]


def test_what_breaks_a_search_is_raised_where_the_move_is_asked_for() -> None:
    def broken(batch: object, size: int) -> None:
        raise OSError("the network is gone")

    config = SearchConfig(simulations=8)
    player = Computer(SearchPlayer(CHESS, "a search", broken, config, 1, 1), None, seed=1)
    with pytest.raises(OSError, match="the network is gone"):
        player.choose(Board(CHESS))


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_whoever_moves_too_late_loses_on_time_and_the_move_does_not_count() -> None:
    time = Time()
    session = against(computer())
    session.clock = Clock(TimeControl(60.0), time)
    session.start_clock()
    time.seconds += 59
    session.play(CHESS.from_text(session.board.state, "e2e4"))
    session.let_move()
    assert session.board.ending == 0
    session.start_clock()
    time.seconds += 1
    session.play(session.board.legal[0])
    assert (session.board.ending, session.board.value) == (CHESS.Ending.TIME, -1.0)
    assert len(session.names) == len(session.board.actions) == 2
    assert session.result() == "The time is up: Black wins."
    time.seconds += 1000
    assert session.undo()
    assert session.board.ending == 0


def test_a_new_game_has_new_clocks() -> None:
    session = against(computer(), TimeControl(60.0))
    before = session.clock
    session.again()
    assert session.clock is not before
    assert session.control == TimeControl(60.0)
    session.clock = None  # this game goes on without
    session.again()
    assert session.clock is not None
    session.set_clocks(None)
    session.again()
    assert session.clock is None


def test_clocks_stand_once_the_game_is_over() -> None:
    time = Time()
    for end in (Session.resign, Session.agree_on_draw):
        session = against(computer())
        session.clock = Clock(TimeControl(60.0), time)
        session.start_clock()
        time.seconds += 10
        end(session)
        time.seconds += 1000
        assert session.clock.left(0) == 50
        assert not session.is_late()


# --- the end ---------------------------------------------------------------------------------------------------------


def test_undo_takes_back_an_end_that_the_players_made_and_no_move() -> None:
    session = against(computer())
    session.play(CHESS.from_text(session.board.state, "e2e4"))
    session.let_move()
    for end in (session.resign, session.agree_on_draw, session.board.lose_on_time):
        end()
        assert session.board.ending
        assert session.undo()
        assert (session.board.ending, len(session.names)) == (0, 2)
    assert session.undo()
    assert not session.undo()


def test_nothing_is_declared_in_chess() -> None:
    session = against(computer())
    with pytest.raises(ValueError, match="there is nothing to declare"):
        session.declare()


def test_a_game_loaded_goes_on_after_a_draw_that_nobody_claimed() -> None:
    session, start = against(computer()), Board(CHESS)
    row = start.start.copy()
    for text in [*2 * ("g1f3", "g8f6", "f3g1", "f6g8"), "g1f3", "b8c6"]:
        start.play(CHESS.from_text(start.state, text))
    session.load(row, np.array(start.actions, np.uint16))
    assert session.board.actions == start.actions
    assert session.board.ending == 0
    session.load(row, np.array(start.actions[:8], np.uint16))
    assert session.board.ending == CHESS.Ending.THREEFOLD
    assert session.undo()


def test_a_game_loaded_goes_no_further_than_a_mate() -> None:
    session, row = against(computer(), TimeControl(60.0)), np.zeros(1, CHESS.STATE)[0]
    CHESS.read(row, MATE_IN_ONE)
    mate = CHESS.from_text(row, "a1a8")
    session.load(row, np.array([mate, mate], np.uint16))
    assert session.names == ["Ra8#"]
    assert session.control == TimeControl(60.0)
    assert session.result() == "Checkmate: White wins."
