"""The grid world as a game: its rules, held to the environment's moves, and a tree search that finds shortest paths."""

import numpy as np
import pytest
from game_help import ending, moves, play, position

import games
from games.errors import BadMove, BadPosition
from games.grid_world import to_map
from games.grid_world.env import GridWorldEnv
from games.grid_world.maps import parse
from games.grid_world.paths import best_actions, steps_to_goal, value_of
from rlcore import mdp
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform, fill_uniform
from rlcore.game import new_history
from rlcore.perft import count
from rlcore.search import Search

GAME = games.load("grid_world")


def drawn(seed: int):
    """The start position of a seed."""
    row = np.zeros(1, GAME.STATE)[0]
    GAME.init(row, seed)
    return row


def cells(seed: int) -> np.ndarray:
    """All positions of a seed's map in which a goal can be reached and the game goes on, [n] STATE."""
    row, found = drawn(seed), []
    for square in range(64):
        row["agent"] = np.uint64(1 << square)
        row["key"] = GAME.position_key(row)
        if not int(row["agent"]) & (int(row["walls"]) | int(row["pits"])) and distance(row) > 0:
            found.append(row.copy())
    return np.array(found, GAME.STATE)


def distance(row) -> int:
    return steps_to_goal(row["walls"], row["goals"], row["pits"], row["agent"])


# --- rules -----------------------------------------------------------------------------------------------------------

EMPTY = "A7/8/8/8/8/8/8/7G 0"


def test_walls_and_edges_stop_the_agent_and_ends_end() -> None:
    row = position(GAME, "#G6/AX6/8/8/8/8/8/8 0")
    assert moves(GAME, row) == {"right", "down"}
    assert ending(GAME, row) == (GAME.Ending.ONGOING, 0.0)
    play(GAME, row, "right")
    assert GAME.write(row) == "#G6/1x6/8/8/8/8/8/8 1"
    assert (ending(GAME, row), moves(GAME, row)) == ((GAME.Ending.PIT, -1.0), set())
    row = position(GAME, "#GA5/1X6/8/8/8/8/8/8 7")
    play(GAME, row, "left")
    assert GAME.write(row) == "#g6/1X6/8/8/8/8/8/8 8"
    assert ending(GAME, row, max_plies=8) == (GAME.Ending.GOAL, 1.0)
    assert ending(GAME, position(GAME, EMPTY.replace(" 0", " 9")), max_plies=9) == (GAME.Ending.MAX_PLIES, 0.0)


def test_walks_in_an_empty_room_are_counted() -> None:
    """From a corner: 2, then 3 from each edge, and so on: the powers of the grid's adjacency matrix."""
    adjacency = np.zeros((64, 64), int)
    for s in range(63):  # the last one is the goal, where walks end
        for then in (s - 8, s + 8, s - 1 if s % 8 else -1, s + 1 if s % 8 < 7 else -1):
            if 0 <= then < 64:
                adjacency[s, then] = 1
    walks = np.eye(64, dtype=int)[0]
    for depth in range(1, 9):
        walks = walks @ adjacency
        assert count(GAME, position(GAME, EMPTY), depth) == walks.sum()


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_every_map_can_be_solved(seed) -> None:
    row = drawn(seed)
    assert distance(row) > 0
    assert int(row["goals"]).bit_count() in (1, 2)
    assert not int(row["walls"]) & int(row["goals"])
    assert not int(row["pits"]) & (int(row["walls"]) | int(row["goals"]) | int(row["agent"]))


def test_seeds_draw_different_maps_and_the_same_one_twice_the_same() -> None:
    assert len({GAME.write(drawn(seed)) for seed in range(500)}) == 500
    assert GAME.write(drawn(2**62)) == GAME.write(drawn(2**62))
    assert GAME.write(drawn(0)) == GAME.write(position(GAME))
    steps = [distance(drawn(seed)) for seed in range(500)]
    assert max(steps) >= 12
    assert min(steps) == 1


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_game_and_the_environment_make_the_same_moves(seed) -> None:
    """A map without slip: legal actions and mask, squares and states, endings and rewards, for every step of a walk."""
    generator, row = np.random.default_rng(seed), drawn(seed)
    env = GridWorldEnv(parse(to_map(row), bumping=False))
    legal = np.zeros(4, np.uint16)
    for _ in range(30):
        row = drawn(seed)
        state, info = env.reset(seed=1)
        for _ in range(50):
            assert 1 << state == int(row["agent"])
            actions = legal[: GAME.legal_actions(row, legal)]
            assert (actions >> 6).tolist() == np.flatnonzero(info["action_mask"]).tolist()
            action = generator.choice(actions)
            GAME.apply(row, action)
            state, reward, terminated, _, info = env.step(action >> 6)
            reason, value = ending(GAME, row)
            assert (terminated, reward) == (reason != 0, value)
            if terminated:
                break


@pytest.mark.parametrize("seed", [0, 1, 2, 5])
def test_perfect_play_is_worth_what_dynamic_programming_says(seed) -> None:
    """The environment pays on the last step, the game at its end, a step later: the factor between them is DISCOUNT."""
    world = parse(to_map(drawn(seed)), bumping=False)
    values = mdp.value_iteration(world.mdp, GAME.DISCOUNT)
    best = mdp.q_values(world.mdp, values, GAME.DISCOUNT)
    for row in cells(seed):
        state = int(row["agent"]).bit_length() - 1
        assert value_of(row) == pytest.approx(GAME.DISCOUNT * values[state])
        assert (best_actions(row) >> 6).tolist() == np.flatnonzero(best[state] >= values[state] - 1e-9).tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8/8/8/8/8/8/8/8", "is not a position: write the rows from the top, then the plies played"),
        ("A7/8/8/8/8/8/8 0", "the board has 7 rows instead of 8"),
        ("A7/8/8/9/8/8/8/8 0", "row 4 from the top holds '9': not one of # G X A g x or a number"),
        ("A7/8/44/8/8/8/8/8 0", "row 3 from the top counts free squares twice in a row: '44'"),
        ("A6/8/8/8/8/8/8/8 0", "row 1 from the top has 7 squares instead of 8"),
        ("8/8/8/8/8/8/8/8 0", "there are 0 agents instead of one"),
        ("A6g/8/8/8/8/8/8/8 0", "there are 2 agents instead of one"),
        ("A#6/#7/8/8/8/8/8/7G 0", "the agent is walled in on all sides"),
        ("A7/8/8/8/8/8/8/8 -1", "the plies played are '-1' instead of a number up to 65535"),
        ("A7/8/8/8/8/8/8/8 70000", "the plies played are '70000' instead of a number up to 65535"),
    ],
)
def test_a_bad_position_is_one_clear_line_and_leaves_the_row_alone(text, message) -> None:
    row = drawn(7)
    before = row.tobytes()
    with pytest.raises(BadPosition, match=message):
        GAME.read(row, text)
    assert row.tobytes() == before


def test_bad_moves_say_what_is_wrong() -> None:
    row = position(GAME, EMPTY)
    for text, message in (("up", "'up' is not legal here: a wall is in the way"), ("north", "'north' is not a move")):
        with pytest.raises(BadMove, match=message):
            GAME.from_text(row, text)
    with pytest.raises(BadMove, match="'up' is not legal here: the game is over"):
        GAME.from_text(position(GAME, "8/g7/8/8/8/8/8/8 0"), "up")
    for action in (5, 256):
        with pytest.raises(BadMove, match=f"action {action} is no step from where the agent is"):
            GAME.to_text(row, action)


# --- the search ------------------------------------------------------------------------------------------------------

FEW, MANY = range(100, 108), range(100, 300)
"""Seeds of maps, chosen before the search was first run on them."""


class Exact:
    """An evaluator that knows the value of every cell, and prefers no move."""

    def __call__(self, batch, size) -> None:
        fill_uniform(batch.counts, size, batch.priors, batch.values)
        for words, values in zip(batch.words[:size], batch.values, strict=False):
            steps = steps_to_goal(*words)
            values[0] = GAME.DISCOUNT**steps if steps >= 0 else 0.0
            values[1] = 1.0 - values[0]


def strays(positions, evaluator, **settings) -> list[str]:
    """The positions in which a search leaves the shortest paths."""
    if len(positions) > 512:  # trees take memory
        return strays(positions[:512], evaluator, **settings) + strays(positions[512:], evaluator, **settings)
    history = new_history(GAME, len(positions), 1)
    history.states[:, 0], history.length[:] = positions, 1
    rng = np.arange(len(positions)).astype(np.uint64)
    worker = Search(GAME, SearchConfig(**settings), len(positions), 1)
    result = worker.run(history, np.arange(len(positions), dtype=np.int32), evaluator, rng)
    pairs = zip(positions, result.actions, strict=True)
    return [GAME.write(row) for row, action in pairs if action not in best_actions(row)]


def every_cell(seeds, most: int = 64) -> np.ndarray:
    rows = np.concatenate([cells(seed) for seed in seeds])
    return rows[[distance(row) <= most for row in rows]]


maps = pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])


@pytest.mark.parametrize(
    ("seeds", "c_init"), [(FEW, 1.25), (FEW, 3.0), pytest.param(MANY, 3.0, marks=pytest.mark.slow)]
)
def test_up_to_six_steps_from_the_goal_the_rules_alone_suffice_for_a_shortest_path(seeds, c_init) -> None:
    """Uniform priors, values of 0, 1,024 simulations, from all cells.

    Whoever knows nothing explores evenly: with the usual c_init of 1.25 one cell of the many maps' 5,859 goes wrong.
    """
    near = every_cell(seeds, most=6)
    assert len(near) > 25 * len(seeds)
    assert strays(near, Uniform(), simulations=1024, c_init=c_init) == []


@maps
@pytest.mark.parametrize("root", ["gumbel", "puct"])
def test_with_exact_values_a_shortest_path_is_taken_from_every_cell(seeds, root) -> None:
    """400 simulations; so far from the goal the values of neighbours differ by a few hundredths."""
    everywhere = every_cell(seeds)
    assert max(map(distance, everywhere)) > 10
    assert strays(everywhere, Exact(), simulations=400, root=root) == []


def test_the_root_is_worth_what_its_best_move_is() -> None:
    rows = every_cell(range(100, 102))
    history = new_history(GAME, len(rows), 1)
    history.states[:, 0], history.length[:] = rows, 1
    worker = Search(GAME, SearchConfig(simulations=64), len(rows), 1)
    games_ = np.arange(len(rows), dtype=np.int32)
    result = worker.run(history, games_, Exact(), np.arange(len(rows)).astype(np.uint64), noise=True)
    assert result.values[:, 0] == pytest.approx([value_of(row) for row in rows], abs=1e-5)
    assert result.values[:, 1] == pytest.approx(1 - result.values[:, 0], abs=1e-5)
    assert not result.proven.any()


def test_pits_are_never_stepped_into_unless_there_is_nothing_else() -> None:
    """And then a move is played all the same; with a way to walk on for ever, that one."""
    row = position(GAME, "AX6/X7/8/8/8/8/8/7G 0")
    assert strays([row], Uniform(), simulations=8) == []  # both moves lose
    for text, pit in (("A1X#4/X#6/8/8/8/8/8/7G 0", "down"), ("XA1#4/#1#5/#X#5/8/8/8/8/7G 0", "left")):
        row = position(GAME, text)
        history = new_history(GAME, 1, 1)
        history.states[0, 0], history.length[0] = row, 1
        for root in ("gumbel", "puct"):
            worker = Search(GAME, SearchConfig(simulations=32, root=root), 1, 1)
            result = worker.run(history, np.zeros(1, np.int32), Uniform(), np.ones(1, np.uint64))
            weights = dict(zip(result.legal[0, : result.counts[0]].tolist(), result.policy[0].tolist(), strict=False))
            assert weights[GAME.from_text(row, pit)] == 0.0
            assert sum(weights.values()) == pytest.approx(1.0)
            assert weights[int(result.actions[0])] > 0.0
            assert result.values[0, 0] == 0.0


def test_some_leaves_at_a_time_and_trees_without_a_past_lead_to_the_same_moves() -> None:
    rows = every_cell(range(100, 103))
    assert strays(rows, Exact(), simulations=200, leaves=4) == []
    worker = Search(GAME, SearchConfig(simulations=16), 1, 1, keep=True)
    assert not worker.keep
