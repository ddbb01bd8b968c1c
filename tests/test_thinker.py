"""The search that thinks until it is told to stop, on its thread. No test passes or fails on a time."""

import _thread
import threading
import time

import chess as pychess
import pytest

import games
from agents.engine.board import Board
from agents.engine.thinker import Brain, Report, Task, Thinker, _let_all_finish
from agents.engine.time_control import SearchLimits
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform

CHESS = games.load("chess")
CONFIG = SearchConfig(interior="gumbel", leaves=16)
BACK_RANK = "6k1/5ppp/8/8/8/8/5PPP/3RR1K1 w - - 0 1"
MATE_IN_TWO = "kbK5/pp6/1P6/8/8/8/8/R7 w - - 0 1"  # Ra6, and whatever Black plays, mate
MATED_IN_TWO = "8/8/8/8/8/2k5/1r6/K7 w - - 0 1"
MATED = "7k/6Q1/6K1/8/8/8/8/8 b - - 0 1"
STALEMATE = "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1"
LONG = 120.0  # seconds to wait before something is said to hang


class Client:
    """Whom a thinker tells."""

    def __init__(self, thinker: Thinker) -> None:
        self.thinker = thinker
        self.reports: list[Report] = []
        self.answers: list[tuple[Report, Exception | None]] = []
        self.news = threading.Event()

    def report(self, report: Report) -> None:
        self.reports.append(report)
        self.news.set()

    def answer(self, report: Report, broken: Exception | None) -> None:
        self.answers.append((report, broken))

    def start(self, board: Board, limits: SearchLimits, **task: object) -> None:
        self.thinker.start(Task(board, self.report, self.answer, **task), limits)  # type: ignore[arg-type]

    def ask(self, board: Board, limits: SearchLimits, **task: object) -> Report:
        """The answer to one search."""
        before = len(self.answers)
        self.start(board, limits, **task)
        self.thinker.wait(LONG)
        assert len(self.answers) == before + 1
        report, broken = self.answers[-1]
        assert broken is None
        return report


@pytest.fixture
def client() -> Client:
    return Client(Thinker(CHESS, Brain("nobody", Uniform(), CONFIG, 1), 8 << 20))


def board(fen: str = "startpos", *moves: str) -> Board:
    game = Board(CHESS, fen)
    for move in moves:
        game.play(CHESS.from_text(game.state, move))
    return game


def texts(game: Board, actions: list[int]) -> list[str]:
    """The moves of a variation, each legal where it is played."""
    after = board(CHESS.write(game.state))
    found = []
    for action in actions:
        assert action in after.legal
        found.append(CHESS.to_text(after.state, action))
        after.play(action)
    return found


def test_a_number_of_simulations_is_kept_exactly(client: Client) -> None:
    for nodes in (1, 2, 100, 777):
        assert client.ask(board(), SearchLimits(nodes=nodes)).nodes == nodes
        client.thinker.forget()


def test_what_was_found_below_the_moves_played_is_kept(client: Client) -> None:
    first = client.ask(board(), SearchLimits(nodes=5000))
    later = board("startpos", *texts(board(), first.lines[0].actions)[:2])
    kept = client.ask(later, SearchLimits(nodes=1))
    client.thinker.forget()
    afresh = client.ask(later, SearchLimits(nodes=1))
    assert kept.nodes == afresh.nodes == 1
    assert kept.full > 3 * afresh.full


@pytest.mark.parametrize("fen", [BACK_RANK, MATE_IN_TWO, MATED_IN_TWO, "startpos"])
def test_principal_variations_are_legal_and_end_with_the_game(client: Client, fen: str) -> None:
    """Also where a proven line leads through positions that the search has only looked at for a win in one."""
    game = board(fen)
    report = client.ask(game, SearchLimits(nodes=3000), num_lines=5)
    assert report.depth <= report.deepest
    for line in report.lines:
        position = pychess.Board(CHESS.write(game.state))
        for text in texts(game, line.actions):
            assert not position.is_game_over()
            position.push_uci(text)
        if line.plies:
            assert abs(line.plies) == len(line.actions)
            assert position.is_checkmate()
            assert (line.plies > 0) == (len(line.actions) % 2 == 1)
            assert line.value == (1.0 if line.plies > 0 else -1.0)


def test_mates_are_counted_in_plies(client: Client) -> None:
    assert client.ask(board(BACK_RANK), SearchLimits()).lines[0].plies == 1
    assert client.ask(board(MATE_IN_TWO), SearchLimits(mate=3)).lines[0].plies == 3
    line = client.ask(board(MATE_IN_TWO, "a1a6"), SearchLimits()).lines[0]
    assert line.plies == -2


def test_a_search_for_mate_ends_when_one_is_proven(client: Client) -> None:
    report = client.ask(board(MATE_IN_TWO), SearchLimits(mate=3, nodes=50_000))
    assert report.nodes < 50_000


def test_lines_begin_with_different_moves_the_best_first(client: Client) -> None:
    report = client.ask(board(MATE_IN_TWO), SearchLimits(), num_lines=3)
    assert len({line.actions[0] for line in report.lines}) == 3
    assert texts(board(MATE_IN_TWO), report.lines[0].actions)[0] == "a1a6"
    assert len(client.ask(board(), SearchLimits(nodes=2000), num_lines=500).lines) == 20


def test_of_moves_that_were_never_looked_at_nothing_is_said(client: Client) -> None:
    """Not that they are worth as much as the best one, where that mates at once and ends the search."""
    (line,) = client.ask(board(), SearchLimits(nodes=1), num_lines=20).lines
    assert line.value == 0.0
    lines = client.ask(board("7k/8/5K2/8/8/6Q1/8/8 w - - 0 1"), SearchLimits(nodes=3000), num_lines=20).lines
    assert lines[0].plies == 1
    assert [line for line in lines[1:] if line.value == 1.0 and line.plies == 0] == []


def test_only_some_moves_may_be_allowed_and_later_all_again(client: Client) -> None:
    game = board(BACK_RANK)
    only = [CHESS.from_text(game.state, text) for text in ("g2g3", "h2h3")]
    report = client.ask(game, SearchLimits(nodes=200), only=only, num_lines=9)
    assert {line.actions[0] for line in report.lines} == set(only)
    assert client.ask(game, SearchLimits(nodes=200)).lines[0].plies == 1
    report = client.ask(game, SearchLimits(nodes=200), only=only)
    assert report.lines[0].actions[0] in only


@pytest.mark.parametrize("fen", ["startpos", BACK_RANK, MATED, STALEMATE])
def test_an_infinite_search_answers_only_when_told_to(client: Client, fen: str) -> None:
    """Not in a mate or stalemate position either, nor when the tree is full or the win proven."""
    client.start(board(fen), SearchLimits(infinite=True, nodes=1, hard=0.0))
    assert client.news.wait(LONG)
    client.thinker.wait(0.2)
    assert client.answers == []
    client.thinker.stop()
    client.thinker.wait(LONG)
    assert len(client.answers) == 1


def test_ctrl_c_is_heard_once_the_thread_is_done() -> None:
    """It breaks off a wait, in the middle of which the thread is in native code: neither another search nor the end of
    the process may come in between."""
    left = []

    def slow(batch: object, size: int) -> None:
        Uniform()(batch, size)  # type: ignore[arg-type]
        if not left:
            _thread.interrupt_main()
            time.sleep(0.5)
        left.append(size)

    thinker = Thinker(CHESS, Brain("nobody", slow, CONFIG, 1), 8 << 20)
    with pytest.raises(KeyboardInterrupt):
        thinker.ask(board(), SearchLimits())
    assert left
    assert thinker.wait(0.0)


def test_a_search_ends_before_the_interpreter_does(client: Client) -> None:
    client.start(board(), SearchLimits(infinite=True))
    _let_all_finish()
    assert client.thinker.wait(0.0)
    assert len(client.answers) == 1


def test_a_full_tree_ends_a_search_without_limits(client: Client) -> None:
    report = client.ask(board(), SearchLimits())
    assert report.full > 0.99


def test_an_infinite_search_with_a_full_tree_waits(client: Client) -> None:
    client.start(board(), SearchLimits(infinite=True))
    while client.news.wait(LONG) and client.reports[-1].full < 0.99:
        client.news.clear()
    assert client.answers == []
    client.thinker.follow(SearchLimits(soft=60.0, hard=60.0))  # and there is nothing left to do in that minute
    client.thinker.wait(LONG)
    assert len(client.answers) == 1


def test_other_limits_count_from_when_they_are_given(client: Client) -> None:
    client.start(board(), SearchLimits(infinite=True))
    assert client.news.wait(LONG)
    client.thinker.follow(SearchLimits(soft=0.05, hard=0.05))
    client.thinker.wait(LONG)
    assert len(client.answers) == 1


def test_another_search_lets_the_one_before_answer_first(client: Client) -> None:
    client.start(board(), SearchLimits(infinite=True))
    client.start(board(BACK_RANK), SearchLimits())
    client.thinker.wait(LONG)
    assert [len(report.lines[0].actions) > 0 for report, _ in client.answers] == [True, True]
    assert client.answers[1][0].lines[0].plies == 1


def test_without_a_legal_move_there_is_a_value_and_no_action(client: Client) -> None:
    mated = client.ask(board(MATED), SearchLimits(nodes=10)).lines
    stalemate = client.ask(board(STALEMATE), SearchLimits(nodes=10)).lines
    assert [(line.actions, line.value, line.draw) for line in mated + stalemate] == [([], -1.0, 0.0), ([], 0.0, 1.0)]


def test_a_search_that_breaks_still_answers_with_a_legal_move(client: Client) -> None:
    calls = iter(range(1000))

    class Breaking:
        def __call__(self, batch, size):  # type: ignore[no-untyped-def]
            if next(calls) == self.last:
                raise FloatingPointError("not a number")
            Uniform()(batch, size)

    for last in (0, 3):
        evaluator = Breaking()
        evaluator.last, calls = last, iter(range(1000))
        client.thinker.brain = client.thinker.brain._replace(evaluator=evaluator)
        client.start(board(), SearchLimits(nodes=500))
        client.thinker.wait(LONG)
        report, broken = client.answers[-1]
        assert isinstance(broken, FloatingPointError)
        assert report.lines[0].actions[0] in board().legal
    client.thinker.brain = client.thinker.brain._replace(evaluator=Uniform())
    assert client.ask(board(), SearchLimits(nodes=500)).nodes == 500


def test_moves_differ_at_a_temperature_and_the_first_line_is_the_move(client: Client) -> None:
    moves = set()
    for _ in range(12):
        report = client.ask(board(), SearchLimits(nodes=40), temperature=1.0, num_lines=2)
        moves.add(report.lines[0].actions[0])
        client.thinker.forget()
    assert len(moves) > 2


def test_one_legal_move_takes_no_time_where_a_clock_runs(client: Client) -> None:
    forced = board("k7/8/1K6/8/8/8/8/7R b - - 0 1")
    assert len(forced.legal) == 1
    report = client.ask(forced, SearchLimits(soft=1000.0, hard=1000.0, saving=True))
    assert report.nodes < 10


def test_memory_that_is_taken_before_a_clock_runs_is_empty_afterwards(client: Client) -> None:
    first = client.ask(board(), SearchLimits(nodes=700), num_lines=20)
    client.thinker.warm_up()
    again = client.ask(board(), SearchLimits(nodes=700), num_lines=20)
    assert again.lines == first.lines
    assert again.full == first.full
