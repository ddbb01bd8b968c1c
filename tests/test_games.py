"""The laws of the game contract, on random reachable states of every registered game."""

import re

import numpy as np
import pytest

import games
from games.errors import BadMove
from rlcore.evaluators import make_batch
from rlcore.game import new_history
from rlcore.symmetry import mirror
from selfplay.config import MOST_PLIES
from selfplay.log import MAX_PAYLOAD
from selfplay.record import ENTRY, HEADER, PLY

NAMES = games.GAMES


def random_games(game, seed, num_games=6, plies=120):
    """Play random moves; yields (history, g, legal actions) at every position on the way."""
    generator = np.random.default_rng(seed)
    book = new_history(game, num_games, plies + 1)
    legal = np.zeros((1, game.MAX_LEGAL), np.uint16)
    counts, endings, values = np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(1, np.float32)
    for g in range(num_games):
        slot = np.array([g], np.int32)
        game.begin(book, g, seed + g)
        for _ in range(plies):
            game.judge(book, slot, 0, legal, counts, endings, values)
            assert abs(values[0]) <= 1
            assert counts[0] > 0 or endings[0] != 0, "no legal action implies an ending"
            assert endings[0] in set(game.Ending)
            assert values[0] >= 0 or game.may_be_lost(newest(book, g)), "a loss is never ruled out by the cheap test"
            yield book, g, legal[0, : counts[0]].copy()
            if endings[0]:
                break
            game.advance(book, slot, generator.choice(legal[0, : counts[0]], 1))


def newest(book, g):
    return book.states[g, book.length[g] - 1]


def told_by_text(game, state):
    """The fields of a row as text holds them."""
    return {name: 0 if name in game.PAST else state[name].tolist() for name in game.STATE.names}


@pytest.mark.parametrize("name", NAMES)
def test_sizes_fit_where_they_are_stored(name):
    """Actions in records and batches, ply entries in records, whole games in the log, a policy head of planes."""
    game = games.load(name)
    assert game.MAX_LEGAL <= game.NUM_ACTIONS <= 2**16
    assert getattr(game, "POLICY_PLANES", 0) * game.BOARD[0] * game.BOARD[1] in (0, game.NUM_ACTIONS)
    longest = HEADER.itemsize + MOST_PLIES * (PLY.itemsize + game.MAX_LEGAL * ENTRY.itemsize)
    assert longest <= MAX_PAYLOAD
    assert {0: "ONGOING"}.items() <= {int(ending): ending.name for ending in game.Ending}.items()
    assert {"MAX_PLIES", "RESIGNATION", "TIME", "AGREEMENT"} <= set(game.Ending.__members__)
    assert set(game.PAST) < set(game.STATE.names)


@pytest.mark.parametrize("name", NAMES)
def test_a_game_begins_with_the_first_side_to_move_and_sides_take_turns(name):
    """Where one player walks alone, it is always that one's turn."""
    game = games.load(name)
    sides = 2 if game.DISCOUNT == -1.0 else 1
    for book, g, _ in random_games(game, 7, num_games=2, plies=20):
        assert newest(book, g)["turn"] == (book.length[g] - 1) % sides
        assert all(book.states[g, 0][name] == 0 for name in game.PAST)


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_distinct_and_in_range(name):
    game = games.load(name)
    for _, _, legal in random_games(game, 1):
        assert len(set(legal.tolist())) == len(legal) <= game.MAX_LEGAL
        assert legal.size == 0 or legal.max() < game.NUM_ACTIONS


@pytest.mark.parametrize("name", NAMES)
def test_the_same_row_and_action_give_the_same_result_and_leave_the_row_alone(name):
    game = games.load(name)
    for book, g, legal in random_games(game, 2, plies=40):
        before = newest(book, g).tobytes()
        for action in legal[:3]:
            copies = np.array([newest(book, g), newest(book, g)])
            for i in range(2):
                game.apply(copies[i], action)
            assert copies[0] == copies[1]
            assert newest(book, g).tobytes() == before


@pytest.mark.parametrize("name", NAMES)
def test_actions_and_positions_round_trip_as_text(name):
    game = games.load(name)
    for book, g, legal in random_games(game, 3, plies=60):
        state = newest(book, g)
        for action in legal[:5]:
            assert game.from_text(state, game.to_text(state, int(action))) == action
        copy = np.full(game.STATE.itemsize, 255, np.uint8).view(game.STATE)
        game.read(copy[0], game.write(state))
        assert told_by_text(game, copy[0]) == told_by_text(game, state)
        assert all(copy[0][name] == 0 for name in game.PAST)
        buffer = np.zeros(game.MAX_LEGAL, np.uint16)
        assert set(buffer[: game.legal_actions(copy[0], buffer)].tolist()) == set(legal.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_a_key_kept_along_the_way_equals_one_rebuilt(name):
    game = games.load(name)
    known = {}
    for book, g, legal in random_games(game, 4, num_games=20):
        state = newest(book, g)
        assert int(state["key"]) == int(game.position_key(state))
        text = [word for word in game.write(state).split() if not word.isdigit()]  # clocks are numbers by themselves
        position = (text, set(legal.tolist()))
        assert known.setdefault(int(state["key"]), position) == position, "two positions share a key"


@pytest.mark.parametrize("name", NAMES)
def test_games_as_text_can_follow_each_other_with_lines_between_them(name):
    """Each ends in a line's end, none holds a line such as stands between them, and a position's picture is lines."""
    game = games.load(name)
    for book, g, _ in random_games(game, 8, num_games=1, plies=12):
        picture = game.show(newest(book, g))
        assert len(picture.splitlines()) >= game.BOARD[0]
        assert picture.replace("\n", "").isprintable()
    start = np.zeros(1, game.STATE)
    game.init(start[0], 0)
    buffer = np.zeros(game.MAX_LEGAL, np.uint16)
    moves = buffer[: game.legal_actions(start[0], buffer)]
    for ending, value in ((game.Ending.ONGOING, 0.0), (game.Ending.MAX_PLIES, 0.0), (game.Ending.RESIGNATION, -1.0)):
        headers = {"Event": "a test", "Round": "7", "White": "one", "Black": f"two\n{game.COMMENT} game 3\n"}
        for start_row in (None, start[0]):
            text = game.write_game(moves[:1], headers, int(ending), value, start_row)
            assert text.endswith("\n")
            assert not [line for line in text.splitlines() if line.startswith(f"{game.COMMENT} game ")]
    illegal = min(set(range(game.NUM_ACTIONS + 1)) - set(moves.tolist()))
    with pytest.raises(BadMove):
        game.write_game([illegal], {}, 0, 0.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 3])
def test_packing_leaves_the_state_alone_and_fills_every_word(name, steps):
    game = games.load(name)
    for book, g, _ in random_games(game, 5, plies=30):
        before = book.states[g].tobytes()
        size = game.layout(steps).num_words
        words = [np.full(size, fill, np.uint64) for fill in (0, 2**64 - 1)]
        for buffer in words:
            game.pack_game(book, g, steps, buffer)
        assert np.array_equal(*words)
        assert book.states[g].tobytes() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_rebuilt_position_is_packed_as_it_was_played(name):
    """What the learner sees of a recorded game is what the search saw when it was played."""
    game = games.load(name)
    steps = 4
    seen, moves = [], []
    for book, g, legal in random_games(game, 6, num_games=1, plies=100):
        words = np.zeros(game.layout(steps).num_words, np.uint64)
        game.pack_game(book, g, steps, words)
        seen.append((words, legal))
    full = book
    states = full.states[0]
    for ply in range(len(seen) - 1):
        scratch = np.zeros(1, game.STATE)
        for action in seen[ply][1]:
            scratch[0] = states[ply]
            game.apply(scratch[0], action)
            if scratch[0] == states[ply + 1]:
                moves.append(action)
                break
    batch = make_batch(len(seen), game.layout(steps).num_words, game.MAX_LEGAL)
    count = len(seen)
    game.rebuild(
        new_history(game, 1, count + 1),
        np.array(moves, np.uint16),
        np.zeros(count, np.int64),
        np.full(count, 6, np.uint64),
        np.arange(count, dtype=np.int32),
        steps,
        batch,
    )
    for ply, (words, legal) in enumerate(seen):
        assert np.array_equal(batch.words[ply], words), ply
        assert np.array_equal(batch.actions[ply, : batch.counts[ply]], legal), ply


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(games.load(name), "SYMMETRIES")])
def test_a_mirrored_action_in_the_mirrored_position_leads_to_the_mirrored_position(name):
    """A game and its mirror image, played side by side: the same outcomes, actions and planes, but mirrored."""
    game = games.load(name)
    squares, actions = game.SYMMETRIES
    for moved, size in ((squares, game.BOARD[0] * game.BOARD[1]), (actions, game.NUM_ACTIONS)):
        assert moved.dtype == np.uint16
        assert np.array_equal(moved[0], np.arange(size)), "number 0 changes nothing"
        assert np.array_equal(np.sort(moved, axis=1), np.broadcast_to(np.arange(size), (len(actions), size)))
    both, generator = np.arange(2, dtype=np.int32), np.random.default_rng(9)
    layout, board = game.layout(3), np.zeros(game.BOARD_WORDS, np.uint64)
    book, batch = new_history(game, 2, 121), make_batch(2, layout.num_words, game.MAX_LEGAL)
    legal, endings, values = batch.actions, np.zeros(2, np.uint8), np.zeros(2, np.float32)
    for symmetry in [*range(len(actions))] * 3:
        for g in both:
            game.begin(book, g, 9)
        image_of_start(game, book.states[1, 0], squares[symmetry])
        for _ in range(120):
            game.judge(book, both, 0, legal, batch.counts, endings, values)
            for g in both:
                game.pack_game(book, g, 3, batch.words[g])
            count = batch.counts[0]
            before = legal[0, :count].copy()
            mirror(batch.words[:1], legal[:1], batch.counts, np.array([symmetry]), game.SYMMETRIES, layout, board)
            assert np.array_equal(*batch.words)
            assert np.array_equal(legal[0, :count], actions[symmetry][before]), "actions keep their places"
            assert sorted(legal[0, :count]) == sorted(legal[1, : batch.counts[1]])
            assert endings[0] == endings[1]
            assert values[0] == values[1]
            if endings[0]:
                break
            action = generator.choice(before)
            game.advance(book, both, np.array([action, actions[symmetry][action]], np.uint16))


def image_of_start(game, state, squares):
    """Turn a start position into its mirror image, in place. Most games have one start, which is its own image."""
    if game.name == "grid_world":
        rows = "".join("." * int(one) if one.isdigit() else one for one in game.write(state).split()[0])
        letters = np.array([*rows.replace("/", "")])
        letters[squares] = letters.copy()
        board = "/".join("".join(row) for row in letters.reshape(game.BOARD))
        game.read(state, re.sub(r"\.+", lambda free: str(len(free[0])), board) + " 0")


def test_an_unknown_game_is_one_clear_error():
    with pytest.raises(ValueError, match="no game called"):
        games.load("checkers")
