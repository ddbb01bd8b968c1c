"""Players: the policy alone, the most material, perfect play, plain tree search; the positions they are asked about."""

import chess
import game_help
import numpy as np
import pytest

import games
from agents import players
from agents.engine.board import Board
from agents.players import GreedyPlayer, PerfectPlayer, PolicyPlayer, RandomPlayer, RolloutPlayer, answers
from games.material import material
from games.solved import NotSolved, sample
from rlcore.game import new_history
from rlcore.rng import seed_of

TIC_TAC_TOE = games.load("tic_tac_toe")
CONNECT_FOUR = games.load("connect_four")
CHESS = games.load("chess")
SHOGI = games.load("shogi")

CHESS_POSITIONS = (
    "startpos",
    "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",  # 48 moves, castling among them
    "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1",  # pinned pawns
    "n1n5/PPPk4/8/8/8/8/4Kppp/5N1N b - - 0 1",  # promotions
    "rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 3",  # en passant
    "7k/5Q2/8/8/8/8/8/K5q1 w - - 0 1",  # in check
    "8/8/4k3/8/8/3K4/8/8 w - - 0 1",  # a draw: too little on the board
    "4k3/8/8/8/8/8/4P3/4K3 b - - 100 99",  # a draw by fifty moves
)


class Liking:
    """An evaluator whose priors go by the action alone, and by no position; keeps the planes that it was shown."""

    def __init__(self, likings):
        self.likings, self.shown = likings, []

    def __call__(self, batch, size):
        self.shown.append(batch.words[:size].copy())
        for row in range(size):
            legal = batch.actions[row, : batch.counts[row]]
            batch.priors[row] = 9.0  # beyond the count anything
            batch.priors[row, : len(legal)] = self.likings[legal] / self.likings[legal].sum()
        batch.values[:size] = 0.0


@pytest.fixture(scope="module")
def tic_tac_toe():
    """All its positions."""
    return sample(TIC_TAC_TOE)


@pytest.fixture(scope="module")
def connect_four():
    return sample(CONNECT_FOUR).states


def winning(game, state):
    """The actions that win at once."""
    wins = []
    for action in game_help.legal(game, state):
        after = state.copy()
        game.apply(after, action)
        if game_help.ending(game, after)[1] < 0:
            wins.append(int(action))
    return wins


def answer(game, player, text, seed):
    """What it plays in a position, as text."""
    states = game_help.positions(game, text)
    return game.to_text(states[0], answers(game, player, states, seed)[0])


# --- the policy alone -------------------------------------------------------------------------------------------------


def test_the_policy_alone_plays_the_likeliest_column_that_has_room():
    likings = np.array([1, 2, 5, 9, 4, 6, 3], np.float32)
    player = PolicyPlayer(CONNECT_FOUR, "liking", Liking(likings), 64, planes_history=1)
    assert player.name == "liking"
    for moves, column in (("startpos", "4"), ("444444", "6"), ("444444666666", "3"), ("444444666666333333", "5")):
        assert answer(CONNECT_FOUR, player, moves, seed=1) == column


@pytest.mark.parametrize("seed", range(5))
def test_the_policy_alone_plays_the_likeliest_legal_move_in_every_position(seed, tic_tac_toe):
    """Never one that is likely but not legal, in whatever order the moves come."""
    for game, states in (
        (TIC_TAC_TOE, tic_tac_toe.states[::20]),
        (CHESS, game_help.positions(CHESS, *CHESS_POSITIONS)),
    ):
        likings = np.random.default_rng(seed).random(game.NUM_ACTIONS, np.float32) + np.float32(0.1)
        player = PolicyPlayer(game, "liking", Liking(likings), players.SIDE_BY_SIDE, planes_history=1)
        chosen = answers(game, player, states, seed=1)
        assert chosen.dtype == np.uint16
        for state, action in zip(states, chosen, strict=True):
            assert action == max(game_help.legal(game, state), key=likings.__getitem__)


def test_the_policy_sees_the_games_it_is_asked_about_with_their_past():
    book, rng = new_history(CHESS, 3, 9), np.arange(3, dtype=np.uint64)
    for g, plies in enumerate((5, 1, 3)):
        CHESS.begin(book, g, 0)
        it = np.array([g], np.int32)
        for _ in range(plies):
            CHESS.advance(book, it, RandomPlayer(CHESS).act(book, it, rng))
    evaluator = Liking(np.random.default_rng(1).random(CHESS.NUM_ACTIONS, np.float32) + np.float32(0.1))
    player = PolicyPlayer(CHESS, "liking", evaluator, 2, planes_history=2)
    chosen = player.act(book, np.array([2, 0], np.int32), rng)
    words = np.zeros((2, CHESS.layout(2).num_words), np.uint64)
    for i, g in enumerate((2, 0)):
        CHESS.pack_game(book, g, 2, words[i])
        legal = game_help.legal(CHESS, book.states[g, book.length[g] - 1])
        assert chosen[i] == max(legal, key=evaluator.likings.__getitem__)
    assert np.array_equal(evaluator.shown[0], words)


# --- perfect play -----------------------------------------------------------------------------------------------------


def test_perfect_play_lets_no_result_slip(tic_tac_toe):
    chosen = answers(TIC_TAC_TOE, PerfectPlayer(TIC_TAC_TOE), tic_tac_toe.states, seed=1)
    for state, scores, action in zip(*tic_tac_toe[:2], chosen, strict=True):
        assert scores[game_help.legal(TIC_TAC_TOE, state).tolist().index(action)] == scores.max()


def test_perfect_play_wins_at_once(tic_tac_toe):
    chosen = answers(TIC_TAC_TOE, PerfectPlayer(TIC_TAC_TOE), tic_tac_toe.states, seed=2)
    wins = [winning(TIC_TAC_TOE, state) for state in tic_tac_toe.states]
    assert sum(map(bool, wins)) > 1000
    assert all(action in actions for action, actions in zip(chosen, wins, strict=True) if actions)


def test_among_equals_perfect_play_leaves_it_to_chance():
    player = PerfectPlayer(TIC_TAC_TOE)
    first = answers(TIC_TAC_TOE, player, game_help.positions(TIC_TAC_TOE, *["startpos"] * 450), seed=1)
    assert np.bincount(first, minlength=9).min() > 30  # of 50 or so, each
    assert {answer(TIC_TAC_TOE, player, "3/3/x2 o", seed) for seed in range(30)} == {"b2"}
    assert {answer(TIC_TAC_TOE, player, "3/1x1/3 o", seed) for seed in range(60)} == {"a1", "c1", "a3", "c3"}


def test_nobody_plays_chess_perfectly():
    with pytest.raises(NotSolved, match="chess is not solved"):
        answer(CHESS, PerfectPlayer(CHESS), "startpos", seed=1)


# --- plain tree search with random games ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "text", "move"),
    [
        (TIC_TAC_TOE, "3/1oo/xx1 x", "c1"),  # wins, where a2 only stops a line
        (TIC_TAC_TOE, "x2/1oo/x1x o", "a2"),
        (TIC_TAC_TOE, "3/1o1/xx1 o", "c1"),  # stops one
        (TIC_TAC_TOE, "1xo/1o1/x1x o", "b1"),
        (CONNECT_FOUR, "414141", "4"),  # wins, where 1 only stops a column
        (CONNECT_FOUR, "4141417", "1"),
        (CONNECT_FOUR, "41414", "4"),  # stops one
        (CONNECT_FOUR, "11223", "4"),
    ],
)
def test_a_win_in_one_is_played_and_a_loss_in_one_is_stopped(game, text, move):
    player = RolloutPlayer(game, 400)
    assert {answer(game, player, text, seed) for seed in range(20)} == {move}


def test_the_same_seed_brings_the_same_moves_whatever_was_searched_before(connect_four):
    player = RolloutPlayer(CONNECT_FOUR, 50)
    first = answers(CONNECT_FOUR, player, connect_four, seed=1)
    assert np.array_equal(answers(CONNECT_FOUR, player, connect_four, seed=1), first)
    assert np.array_equal(answers(CONNECT_FOUR, RolloutPlayer(CONNECT_FOUR, 50), connect_four, seed=1), first)
    assert not np.array_equal(answers(CONNECT_FOUR, player, connect_four, seed=2), first)


def test_every_game_has_its_own_generator_which_goes_on():
    book, both = new_history(CONNECT_FOUR, 3, 3), np.array([2, 0], np.int32)
    for g in range(3):
        CONNECT_FOUR.begin(book, g, 0)
    player, rng = RolloutPlayer(CONNECT_FOUR, 10), np.array([5, 6, 7], np.uint64)
    first = player.act(book, both, rng)
    assert rng[1] == 6, "it was not asked"
    assert (rng[[0, 2]] != (5, 7)).all()
    after = rng.copy()
    moves = [player.act(book, both, rng).tolist() for _ in range(20)]
    assert len({tuple(pair) for pair in moves}) > 3
    alone = np.array([5, 0, 7], np.uint64)
    assert player.act(book, both[:1], alone) == first[0]
    assert player.act(book, both[1:], alone) == first[1]
    assert alone.tolist() == [after[0], 0, after[2]]


def test_the_newest_position_of_a_game_is_searched():
    book, it = new_history(CONNECT_FOUR, 1, 20), np.zeros(1, np.int32)
    CONNECT_FOUR.begin(book, 0, 0)
    for column in "4141417":  # column 1 wins: no opening move
        CONNECT_FOUR.advance(book, it, np.array([int(column) - 1], np.uint16))
    assert RolloutPlayer(CONNECT_FOUR, 400).act(book, it, np.ones(1, np.uint64)) == [0]


@pytest.mark.parametrize("rollouts", [1, 2, 30])
def test_random_games_never_lead_to_an_illegal_move(rollouts, tic_tac_toe, connect_four):
    """In chess also where a rule has ended the game, for one who is asked all the same: it once moved no piece."""
    for game, states in (
        (TIC_TAC_TOE, tic_tac_toe.states[::10]),
        (CONNECT_FOUR, connect_four[::10]),
        (CHESS, game_help.positions(CHESS, *CHESS_POSITIONS * 3)),
    ):
        chosen = answers(game, RolloutPlayer(game, rollouts), states, seed=1)
        assert all(action in game_help.legal(game, state) for state, action in zip(states, chosen, strict=True))


def test_one_random_game_a_move_is_a_random_move():
    states = game_help.positions(CONNECT_FOUR, *["startpos"] * 350)
    chosen = answers(CONNECT_FOUR, RolloutPlayer(CONNECT_FOUR, 1), states, seed=1)
    assert np.bincount(chosen, minlength=7).min() > 30  # of 50 or so, each


# --- positions to answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RandomPlayer, PerfectPlayer, lambda game: RolloutPlayer(game, 30)])
def test_an_answer_hangs_on_position_place_and_seed_alone(kind, tic_tac_toe, monkeypatch):
    """Not on the positions beside it, nor on how many are asked for at once."""
    game, states = TIC_TAC_TOE, tic_tac_toe.states[::30]
    assert len(states) > 2 * players.SIDE_BY_SIDE
    whole = answers(game, kind(game), states, seed=4)
    for n in (0, 1, players.SIDE_BY_SIDE, players.SIDE_BY_SIDE + 1):
        assert np.array_equal(answers(game, kind(game), states[:n], seed=4), whole[:n])
    others = states.copy()
    others[1::2] = states[0]
    assert np.array_equal(answers(game, kind(game), others, seed=4)[::2], whole[::2])
    monkeypatch.setattr(players, "SIDE_BY_SIDE", 7)
    assert np.array_equal(answers(game, kind(game), states, seed=4), whole)
    book = new_history(game, 1, 1)
    book.length[0] = 1
    for place in (0, 70, len(states) - 1):
        book.states[0, 0] = states[place]
        rng = np.array([seed_of(4, place)], np.uint64)
        assert kind(game).act(book, np.zeros(1, np.int32), rng) == whole[place]
    assert not np.array_equal(answers(game, kind(game), states, seed=5), whole)


def test_progress_is_told_as_answers_come():
    told = []
    states = game_help.positions(TIC_TAC_TOE, *["startpos"] * 150)
    answers(TIC_TAC_TOE, RandomPlayer(TIC_TAC_TOE), states, 1, told.append)
    assert told == [64, 128, 150]


# --- the most material -----------------------------------------------------------------------------------------------

CHESS_WORTH = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}


def greedy_moves(game, start: str) -> set[str]:
    """All that the greedy player plays in a position."""
    board, player = Board(game, start), GreedyPlayer(game)
    chosen = {int(player.act(board.history, board.games, np.array([i], np.uint64))[0]) for i in range(1, 200)}
    return {game.to_text(board.state, action) for action in chosen}


@pytest.mark.parametrize("fen", CHESS_POSITIONS[1:6])
def test_greedy_moves_leave_the_most_material_by_python_chess(fen: str) -> None:
    board = chess.Board(fen)

    def worth(move: chess.Move) -> int:
        board.push(move)
        pieces = board.piece_map().values()
        found = sum(CHESS_WORTH[piece.piece_type] * (1 if piece.color != board.turn else -1) for piece in pieces)
        is_mate = board.is_checkmate()
        board.pop()
        return 1000 if is_mate else found

    worths = {move.uci(): worth(move) for move in board.legal_moves}
    best = max(worths.values())
    assert greedy_moves(CHESS, fen) == {move for move, found in worths.items() if found == best}


def test_the_greedy_player_mates_where_it_could_take_a_queen() -> None:
    assert greedy_moves(CHESS, "6k1/5ppp/8/q7/1P6/8/8/4R2K w - - 0 1") == {"e1e8"}


def test_the_greedy_player_counts_shogi_pieces_in_hand_and_promoted() -> None:
    state = np.zeros(1, SHOGI.STATE)[0]
    SHOGI.read(state, "4k4/9/9/9/9/9/9/9/4K4 b R2b3p 1")
    assert material(SHOGI, state) == 10 - 2 * 8 - 3
    SHOGI.read(state, "4k4/9/4+P4/9/9/+r8/9/9/4K4 w - 1")
    assert material(SHOGI, state) == 12 - 7
    assert greedy_moves(SHOGI, "4k4/9/9/2p1r4/3S5/9/9/9/4K4 b - 1") == {"6e5d"}  # worth a rook less and one in hand


def test_the_greedy_player_mates_in_shogi() -> None:
    assert greedy_moves(SHOGI, "4k4/9/4P4/9/8r/9/9/9/4K3L b G 1") == {"G*5b"}
