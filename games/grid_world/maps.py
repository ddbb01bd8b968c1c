"""Grid worlds: a map drawn in letters, and what the letters mean, to a Markov decision process.

The agent goes up, right, down or left: actions 0 to 3, clockwise. A cell's state is row * columns + column, row 0 at
the top, walls among them, so that values of states can be laid out as the map. Nobody ever is in a wall, and the
episode is over in a terminal cell: such states lead nowhere and are worth 0.

    #  wall         S  start, one of them by chance; without any, anywhere
    G  goal, +1     X  pit, -1, both terminal                .  anything else
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from games.errors import shown
from rlcore.jit import Array
from rlcore.mdp import MDP, checked

__all__ = ["ACTIONS", "LEGEND", "MAPS", "STEPS", "Cell", "GridWorld", "MapError", "named", "parse"]

ACTIONS = ("up", "right", "down", "left")
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""What each adds to row and column."""


class MapError(ValueError):
    """A map, or its legend, that makes no grid world; says what is wrong, and in which row and column."""


class Cell(NamedTuple):
    """What a letter of a map stands for: by default a place to walk over."""

    wall: bool = False
    start: bool = False
    terminal: bool = False
    reward: float = 0.0
    """Beside the step's own: on entering, or where the cell sends the agent elsewhere, for that."""
    to: str = ""
    """The letter of the one cell to which this one sends the agent, whatever it does next."""
    at_once: bool = False
    """Whether it does so on entering, as a cliff does: nobody ever stands there."""


LEGEND: Mapping[str, Cell] = {
    ".": Cell(),
    "#": Cell(wall=True),
    "S": Cell(start=True),
    "G": Cell(terminal=True, reward=1.0),
    "X": Cell(terminal=True, reward=-1.0),
}


class GridWorld(NamedTuple):
    """A map with what it means, R rows and C columns, S = R * C states."""

    rows: tuple[str, ...]
    legend: Mapping[str, Cell]
    mdp: MDP

    @property
    def shape(self) -> tuple[int, int]:
        """R, C."""
        return len(self.rows), len(self.rows[0])

    def cell(self, state: int) -> Cell:
        """What lies at a state."""
        row, column = divmod(state, len(self.rows[0]))
        return self.legend[self.rows[row][column]]

    def is_place(self, state: int) -> bool:
        """Whether an agent can stand there and choose."""
        cell = self.cell(state)
        return not (cell.wall or cell.terminal or cell.at_once)


def parse(
    text: str,
    legend: Mapping[str, Cell] = LEGEND,
    step_reward: float = 0.0,
    bump_reward: float = 0.0,
    slip: float = 0.0,
    bumping: bool = True,
) -> GridWorld:
    """The grid world of a map: a line a row, a letter a cell; space around the lines does not count.

    Args:
        legend: what the letters mean; those of ``LEGEND``, where it has them not, need not be repeated.
        step_reward: for every step; bump_reward: added to it where the agent walks into a wall and stays.
        slip: the probability of going to the left of where the agent wants to go, and as much to the right.
        bumping: whether the agent may choose to walk into a wall. Where not, the mask of actions says so.

    Raises:
        MapError: there is none.
    """
    legend = {**LEGEND, **legend}
    rows = tuple(line.strip() for line in text.strip().splitlines())
    _check_settings(legend, step_reward, bump_reward, slip)
    _check_rows(rows, legend)
    world = GridWorld(rows, legend, _empty(len(rows) * len(rows[0]), 3 if slip > 0.0 else 1))
    targets = _targets(world)
    turns = ((0, 1.0 - 2.0 * slip), (1, slip), (-1, slip)) if slip > 0.0 else ((0, 1.0),)
    mdp = world.mdp
    for s in filter(world.is_place, range(len(mdp.start))):
        for action in range(4):
            for k, (turn, probability) in enumerate(turns):
                then, reward = _move(world, targets, s, (action + turn) % 4, bump_reward)
                mdp.probability[s, action, k] = probability
                mdp.next_state[s, action, k] = then
                mdp.reward[s, action, k] = step_reward + reward
                mdp.terminated[s, action, k] = world.cell(then).terminal
            bumps = s not in targets and _neighbour(world, s, action) == s
            mdp.allowed[s, action] = bumping or not bumps
    mdp.start[:] = _starts(world)
    _seal(world)
    return world._replace(mdp=checked(mdp))


# --- parts of it -----------------------------------------------------------------------------------------------------


def _check_settings(legend: Mapping[str, Cell], step_reward: float, bump_reward: float, slip: float) -> None:
    if not 0.0 <= slip <= 0.5:
        raise MapError(f"slip, to each side, must lie in [0, 0.5], not {slip}")
    for name, reward in (("step_reward", step_reward), ("bump_reward", bump_reward)):
        if not np.isfinite(reward):
            raise MapError(f"{name} must be a finite number, not {reward}")
    for letter, cell in legend.items():
        if len(letter) != 1 or letter.isspace():
            raise MapError(f"the legend names {shown(letter)}, which is not one letter")
        if cell.wall + cell.terminal + bool(cell.to) > 1 or (cell.start and (cell.wall or cell.terminal)):
            raise MapError(f"the legend's {letter!r} is several things at once")
        if cell.at_once and (cell.start or not cell.to):
            raise MapError(f"the legend's {letter!r} sends the agent away at once, but not elsewhere")
        if not np.isfinite(cell.reward):
            raise MapError(f"the reward of the legend's {letter!r} must be a finite number, not {cell.reward}")


def _check_rows(rows: tuple[str, ...], legend: Mapping[str, Cell]) -> None:
    if not rows:
        raise MapError("the map is empty")
    for number, row in enumerate(rows, start=1):
        for column, letter in enumerate(row, start=1):
            if letter not in legend:
                raise MapError(f"row {number}, column {column} holds {letter!r}, which the legend does not name")
        if len(row) != len(rows[0]):
            raise MapError(f"row {number} ends at column {len(row)} instead of {len(rows[0])}, where row 1 does")


def _empty(states: int, outcomes: int) -> MDP:
    """A process whose states lead nowhere, at the end."""
    shape = (states, 4, outcomes)
    probability = np.zeros(shape)
    probability[:, :, 0] = 1.0
    here = np.broadcast_to(np.arange(states)[:, None, None], shape).copy()
    ends, allowed = np.ones(shape, np.bool_), np.ones(shape[:2], np.bool_)
    return MDP(probability, here, np.zeros(shape), ends, np.zeros(states), allowed)


def _where(world: GridWorld, state: int) -> str:
    row, column = divmod(state, world.shape[1])
    return f"row {row + 1}, column {column + 1}"


def _targets(world: GridWorld) -> dict[int, int]:
    """Where the cells that send the agent elsewhere send it."""
    letters = "".join(world.rows)
    targets = {}
    for s, letter in enumerate(letters):
        to = world.legend[letter].to
        if not to:
            continue
        place = f"{_where(world, s)}: {letter!r} sends the agent to {shown(to)}"
        if letters.count(to) != 1:
            raise MapError(f"{place}, of which the map has {letters.count(to)} instead of one")
        targets[s] = letters.index(to)
        there = world.cell(targets[s])
        if there.wall or there.at_once:
            raise MapError(f"{place}, where nobody can be")
    return targets


def _neighbour(world: GridWorld, s: int, action: int) -> int:
    """The state one step on; the same where a wall or the edge is in the way."""
    (rows, columns), (down, right) = world.shape, STEPS[action]
    row, column = s // columns + down, s % columns + right
    inside = 0 <= row < rows and 0 <= column < columns
    return row * columns + column if inside and not world.cell(row * columns + column).wall else s


def _move(world: GridWorld, targets: Mapping[int, int], s: int, action: int, bump_reward: float) -> tuple[int, float]:
    """Where a step leads for certain, and the reward beside the step's own."""
    if s in targets:
        return targets[s], world.cell(s).reward
    then = _neighbour(world, s, action)
    if then == s:
        return s, bump_reward
    cell = world.cell(then)
    if cell.to and not cell.at_once:
        return then, 0.0
    return targets.get(then, then), cell.reward


def _seal(world: GridWorld) -> None:
    """Make of cells without a move, which nobody comes to, what walls are. Raises MapError where one is a start."""
    mdp = world.mdp
    for s in np.flatnonzero(~mdp.allowed.any(1)):
        if mdp.start[s] > 0.0:
            raise MapError(f"{_where(world, int(s))} is walled in on all sides, and nobody may bump into walls")
        mdp.allowed[s] = mdp.terminated[s] = True
        mdp.reward[s] = 0.0


def _starts(world: GridWorld) -> Array:
    """The probability of beginning in each state, [S]."""
    states = range(len(world.mdp.start))
    starts = [s for s in states if world.cell(s).start] or [s for s in states if world.is_place(s)]
    if not starts:
        raise MapError("the map has no cell to begin in")
    return np.isin(states, starts) / len(starts)


# --- well-known ones -------------------------------------------------------------------------------------------------

_FIVE = """
    .A.B.
    .....
    ...b.
    .....
    .a...
"""
_FOUR_BY_THREE = """
    ...G
    .#.X
    S...
"""
_CLIFF = """
    ............
    ............
    ............
    SCCCCCCCCCCE
"""
_ROOMS = """
    S..#...G
    ...#.X..
    ......#.
    .X.#..#.
    ##.####.
    ...#...X
    .X....X#
    ...#...G
"""

MAPS: Mapping[str, str] = {
    "sutton_barto": "example 3.5 of Sutton and Barto (2018): 5 x 5, A and B send the agent away and pay 10 and 5",
    "aima": "Russell and Norvig's 4 x 3 world (Artificial Intelligence, 4th edition, section 17.1)",
    "cliff": "Sutton and Barto's cliff (example 6.6), as in Gymnasium's CliffWalking",
    "rooms": "8 x 8, four rooms with walls, pits and two goals; one step in five slips to a side",
}
"""The names that ``named`` knows, and what they stand for."""


def named(name: str) -> GridWorld:
    """A well-known grid world.

    Raises:
        MapError: none has the name; lists those that have one.
    """
    if name == "sutton_barto":
        legend = {"A": Cell(to="a", reward=10.0), "B": Cell(to="b", reward=5.0), "a": Cell(), "b": Cell()}
        return parse(_FIVE, legend, bump_reward=-1.0)
    if name == "aima":
        return parse(_FOUR_BY_THREE, step_reward=-0.04, slip=0.1)
    if name == "cliff":
        legend = {"C": Cell(to="S", at_once=True, reward=-99.0), "E": Cell(terminal=True)}  # with the step's own: -100
        return parse(_CLIFF, legend, step_reward=-1.0)
    if name == "rooms":
        return parse(_ROOMS, step_reward=-0.01, slip=0.1, bumping=False)
    raise MapError(f"there is no map called {shown(name)}; the maps are: {', '.join(MAPS)}")
