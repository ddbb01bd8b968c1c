"""How near is an engine to perfect play? Its moves in positions of a solved game, judged by exact scores.

The policy alone, without a search, and the search with some numbers of simulations; beside them a move by chance.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.players import SIDE_BY_SIDE, Player, PolicyPlayer, SearchPlayer, answers
from games.solved import NotSolved, sample
from rlcore.evaluators import NetworkEvaluator
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.metrics import MetricsError
from rlcore.metrics import read as read_metrics
from selfplay.arena import wilson
from selfplay.config import Config
from selfplay.engines import NAMED, EngineError, load_network, make_player, searching
from selfplay.exact import Marks, Totals, chance, mark, totals
from selfplay.progress import Progress

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["LIVE_SIMULATIONS", "EvaluateSettings", "Judge", "by_ply", "compare", "ply_groups", "run", "table"]

LIVE_SIMULATIONS = 100
"""A move, while a network trains."""
CHANCE = "a move by chance"
"""What stands beside the players, as a yardstick."""
_MOST_ROWS = 9
"""Of the table by plies."""
_SEED = 1


class EvaluateSettings(NamedTuple):
    """How an engine is evaluated."""

    simulations: Sequence[int] = (LIVE_SIMULATIONS,)
    """Searches to evaluate, beside the policy alone."""
    seed: int = _SEED
    picture: Path | None = None
    """Where to; none = into the engine's folder, where it has one."""


# --- while a network trains ------------------------------------------------------------------------------------------


class Judge:
    """Marks a network from time to time: the policy alone, and with ``LIVE_SIMULATIONS`` simulations.

    ``take`` copies its weights; ``totals`` takes seconds and may be called on a thread of its own.

    Raises:
        NotSolved: the game is not solved.
    """

    def __init__(self, game: Game, config: Config, network: "ResNet") -> None:
        self._sample, self.game = sample(game), game
        self._network = copy.deepcopy(network)
        self._evaluator = _evaluator(game, config, self._network)
        players = _players(game, config, self._evaluator, "the network", [LIVE_SIMULATIONS])
        self._policy, self._search = players.values()

    def take(self, network: "ResNet", version: int) -> None:
        """Judge these weights from now on; the numbers of versions grow."""
        self._network.load_state_dict(network.state_dict())
        self._evaluator.update(self._network, version)

    def totals(self) -> dict[str, Totals]:
        """What was found, for the "policy" and the "search"."""
        players = {"policy": self._policy, "search": self._search}
        return {name: totals(mark(self.game, self._sample, self._ask(player))) for name, player in players.items()}

    def _ask(self, player: Player) -> Array:
        return answers(self.game, player, self._sample.states, _SEED)


def _evaluator(game: Game, config: Config, network: "ResNet") -> NetworkEvaluator:
    from selfplay.strength import network_evaluator

    return network_evaluator(game, config, network, SIDE_BY_SIDE * config.search.leaves)


def _players(
    game: Game, config: Config, evaluator: NetworkEvaluator, name: str, simulations: Sequence[int]
) -> dict[str, Player]:
    """The policy alone and the searches, by what stands above their columns; all ask one evaluator."""
    players: dict[str, Player] = {"policy alone": PolicyPlayer(game, name, evaluator, SIDE_BY_SIDE, config.history)}
    for number in simulations:
        search = searching(config.search, number)
        player = SearchPlayer(game, name, evaluator, search, SIDE_BY_SIDE, config.history, keep=False)
        players[f"{number:,} simulations"] = player
    return players


# --- the command -----------------------------------------------------------------------------------------------------


def run(
    game: Game, engine: str, settings: EvaluateSettings, warn: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Evaluate an engine (see ``make_player``, also for ``warn``), and draw a picture of it.

    Yields:
        The results as lines of text, each as soon as it is known.

    Raises:
        EngineError: the game is not solved, or the engine cannot be had.
    """
    try:
        positions = sample(game)
    except NotSolved as error:
        raise EngineError(str(error)) from None
    name, players = _named_players(game, engine, settings, warn)
    by_chance = chance(positions)
    marks = {CHANCE: by_chance}
    plies = positions.states["ply"]
    yield name
    yield f"{len(plies):,} positions of {game.name}, plies {plies.min()} to {plies.max()}"
    yield f"at stake: the share kept in the {totals(by_chance).stakes:,} where some move gives the result away"
    yield "given away: points a move, where a win is one and a draw half"
    yield ""
    with Progress("positions", len(players) * len(plies)) as progress:
        for i, (column, player) in enumerate(players.items()):
            actions = answers(game, player, positions.states, settings.seed, progress.after(i * len(plies)))
            marks[column] = mark(game, positions, actions)
    yield from table(marks)
    for column in players:
        yield ""
        yield from by_ply(column, marks[column])
    folder = Path(engine) if engine not in NAMED else None
    path = settings.picture or (folder / "evaluate.png" if folder is not None else None)
    if path is not None:
        yield ""
        yield _draw(path, name, marks)


def _named_players(
    game: Game, engine: str, settings: EvaluateSettings, warn: Callable[[str], None] | None
) -> tuple[str, dict[str, Player]]:
    """What the engine is called, and what of it is evaluated."""
    if engine not in NAMED:
        network, config, name = load_network(game, Path(engine), warn)
        config = dataclasses.replace(config, device="auto", runtime="auto")  # it may have been trained elsewhere
        return name, _players(game, config, _evaluator(game, config, network), name, settings.simulations)
    if engine != "untrained":
        player = make_player(game, engine, SIDE_BY_SIDE)
        return player.name, {engine: player}
    searches = {
        f"{number:,} simulations": make_player(game, engine, SIDE_BY_SIDE, number) for number in settings.simulations
    }
    return NAMED[engine], searches


_COLUMNS = f"{'result kept':>21}{'at stake':>10}{'optimal':>9}{'given away':>12}"


def table(marks: Mapping[str, Marks]) -> list[str]:
    """A line for each player: how often it kept the result, with an interval, was optimal, and what it gave away."""
    width = max(map(len, marks))
    rows = [f"  {name:<{width}}{_figures(totals(one), name != CHANCE)}" for name, one in marks.items()]
    return [f"  {'':<{width}}{_COLUMNS}", *rows]


def _figures(t: Totals, interval: bool) -> str:
    """A row's figures, below ``_COLUMNS``."""
    low, high = wilson(t.kept, t.positions)
    between = f"({100 * low:.1f}-{100 * high:.1f})" if interval else ""
    at_stake = _percent(t.kept_at_stake) if t.stakes else "-"
    kept, optimal = _percent(t.kept), _percent(t.optimal)
    return f"{kept:>8}{between:>13}{at_stake:>10}{optimal:>9}{t.given_away:>12.4f}"


def _percent(share: float) -> str:
    """100.0 % is all of them: what falls short of that is not rounded up to it."""
    return f"{100 * share if share == 1.0 else min(100 * share, 99.9):.1f} %"


def by_ply(name: str, marks: Marks) -> list[str]:
    """The same of one player, by plies played."""
    lines = [f"  {name:<17}{'moves':>7}{_COLUMNS}"]
    for group in ply_groups(marks.ply):
        t = totals(marks, np.isin(marks.ply, group))
        plies = f"ply {group[0]}" if len(group) == 1 else f"plies {group[0]} to {group[-1]}"
        lines.append(f"    {plies:<15}{t.positions:>7,}{_figures(t, True)}")
    return lines


def ply_groups(plies: Array) -> list[Array]:
    """Neighbouring plies ([n] int64) that are counted together, each as the plies of a row."""
    present = np.unique(plies)
    return np.split(present, range(0, len(present), -(-len(present) // _MOST_ROWS))[1:])


def _draw(path: Path, name: str, marks: Mapping[str, Marks]) -> str:
    def draw() -> None:
        from selfplay.curves import draw_by_ply

        draw_by_ply(path, name, marks)

    return _drawn(path, draw)


def compare(game: Game, folders: Sequence[Path], path: Path) -> str:
    """Draw what runs of a solved game measured while they trained; returns a line that says where.

    Raises:
        EngineError: a folder holds no such run, or the picture cannot be written.
    """
    for folder in folders:
        try:
            measured = any("exact/search/kept" in row for row in read_metrics(folder))
        except MetricsError as error:
            raise EngineError(str(error)) from None
        if not measured:
            raise EngineError(f"{folder} holds no measurements against perfect play")

    def draw() -> None:
        from selfplay.curves import draw_over_training

        draw_over_training(path, game.name, folders)

    return _drawn(path, draw)


def _drawn(path: Path, draw: Callable[[], None]) -> str:
    try:
        draw()
    except ModuleNotFoundError as error:
        return f"No picture: the package {error.name} is not installed."
    except OSError as error:
        raise EngineError(f"{path} cannot be written ({error.strerror})") from None
    return f"Drawn in {path}"
