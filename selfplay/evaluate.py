"""How near is an engine to perfect play? Its moves in positions of a solved game, judged by exact scores.

The policy alone, without a search, and the search with some numbers of simulations; beside them a move by chance.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agents.players import SIDE_BY_SIDE, Player, PolicyPlayer, SearchPlayer, answers
from games.solved import SOLVED, sample
from rlcore.config import SearchConfig
from rlcore.evaluators import NetworkEvaluator
from rlcore.game import Game
from rlcore.metrics import MetricsError
from rlcore.metrics import read as read_metrics
from rlcore.progress import Progress
from selfplay.arena import wilson
from selfplay.config import Config, ConfigError, read_config
from selfplay.engines import NAMED, EngineError, default_engine, load_network, make_player, searching
from selfplay.exact import Marks, Totals, chance, mark, ply_groups, totals
from selfplay.report import part

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = ["LIVE_SIMULATIONS", "EvaluateSettings", "Judge", "by_ply", "compare", "run", "table"]

LIVE_SIMULATIONS = 100
"""A move, while a network trains."""
CHANCE = "a move by chance"
"""What stands beside the players, as a yardstick."""
_SEED = 1


class EvaluateSettings(NamedTuple):
    """How an engine is evaluated."""

    simulations: Sequence[int] = (LIVE_SIMULATIONS,)
    """Searches to evaluate, beside the policy alone."""
    seed: int = _SEED
    picture: Path | None = None
    """Where to; none = into the engine's run, where it has one."""


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
        self._players = {
            "policy": _policy(game, config, self._evaluator),
            "search": _search(game, config, self._evaluator, LIVE_SIMULATIONS),
        }

    def take(self, network: "ResNet", version: int) -> None:
        """Judge these weights from now on; the numbers of versions grow."""
        self._network.load_state_dict(network.state_dict())
        self._evaluator.update(self._network, version)

    def totals(self, cancelled: Callable[[], bool] = lambda: False) -> dict[str, Totals]:
        """What was found, for the "policy" and the "search".

        Raises:
            InterruptedError: ``cancelled``, which is asked from time to time, said so.
        """

        def go_on(_done: int) -> None:
            if cancelled():
                raise InterruptedError

        states = self._sample.states
        moves = {name: answers(self.game, player, states, _SEED, go_on) for name, player in self._players.items()}
        return {name: totals(mark(self.game, self._sample, actions)) for name, actions in moves.items()}


def _evaluator(game: Game, config: Config, network: "ResNet") -> NetworkEvaluator:
    from selfplay.strength import network_evaluator

    return network_evaluator(game, config, network, SIDE_BY_SIDE * config.search.leaves)


def _policy(game: Game, config: Config, evaluator: NetworkEvaluator) -> Player:
    return PolicyPlayer(game, "the policy", evaluator, SIDE_BY_SIDE, config.history)


def _search(game: Game, config: Config, evaluator: NetworkEvaluator, simulations: int) -> Player:
    search = searching(config.search, simulations)
    return SearchPlayer(game, "the search", evaluator, search, SIDE_BY_SIDE, config.history, keep=False)


# --- the command -----------------------------------------------------------------------------------------------------


def run(
    game: Game, engine: str, settings: EvaluateSettings, warn: Callable[[str], None] | None = None
) -> Iterator[str]:
    """Evaluate an engine (see ``make_player``, also for ``warn``; "" = the usual run), and draw a picture of it.

    Yields:
        The results as lines of text, each as soon as it is known.

    Raises:
        EngineError: the game is not solved, the engine cannot be had, or there is no place for the picture.
    """
    _check_solved(game)
    engine = engine or default_engine(game, warn or print)
    path = settings.picture or _default_picture(engine)
    _check_picture(path)
    positions = sample(game)
    name, players = _players(game, engine, settings, warn)
    by_chance = chance(positions)
    marks = {CHANCE: by_chance}
    plies = positions.states["ply"]
    yield name
    yield f"{len(plies):,} positions of {game.name}, plies {plies.min()} to {plies.max()}"
    yield f"at stake: the share kept in the {totals(by_chance).stakes:,} where some move gives the result away"
    yield "given away: points a move, where a win is one and a draw half"
    yield ""
    with Progress("positions", len(players) * len(plies)) as progress:
        for i, (column, make) in enumerate(players.items()):
            try:
                actions = answers(game, make(), positions.states, settings.seed, progress.after(i * len(plies)))
            except MemoryError:
                raise EngineError(f"there is not enough memory for {SIDE_BY_SIDE} trees of {column}") from None
            marks[column] = mark(game, positions, actions)
    yield from table(marks, positions.whole)
    for column in players:
        yield ""
        yield from by_ply(column, marks[column], positions.whole)
    if path is not None:
        yield ""
        yield _draw(path, name, marks, positions.whole)


def _check_solved(game: Game) -> None:
    if game.name not in SOLVED:
        raise EngineError(f"{game.name} is not solved; the games that are: {', '.join(SOLVED)}")


def _default_picture(engine: str) -> Path | None:
    """In the folder of a run; a checkpoint's own folder holds what it was written with and nothing else."""
    folder = Path(engine)
    if engine in NAMED:
        return None
    if folder.is_file():
        return folder.with_name(f"evaluate-{folder.stem}.png")
    if (folder / "manifest.json").exists():
        return folder.parent.parent / f"evaluate-{folder.name}.png"
    return folder / "evaluate.png"


def _check_picture(path: Path | None) -> None:
    """Before the work that would be lost."""
    if path is not None and (path.is_dir() or not path.name):
        raise EngineError(f"{path} is a folder: name a file for the picture")


def _players(
    game: Game, engine: str, settings: EvaluateSettings, warn: Callable[[str], None] | None
) -> tuple[str, dict[str, Callable[[], Player]]]:
    """What the engine is called; and what of it is evaluated, each made when it is its turn, by its name."""
    searches = {f"{number:,} simulation{'s' * (number != 1)}": number for number in settings.simulations}
    for number in searches.values():
        searching(SearchConfig(), number)  # raises where it makes no sense, before all work
    if engine == "untrained":
        make = partial(make_player, game, engine, SIDE_BY_SIDE)
        return NAMED[engine], {column: partial(make, number) for column, number in searches.items()}
    if engine in NAMED:
        player = make_player(game, engine, SIDE_BY_SIDE)
        return player.name, {engine: lambda: player}
    network, config, name = load_network(game, Path(engine), warn)
    config = dataclasses.replace(config, device="auto", runtime="auto")  # it may have been trained elsewhere
    evaluator = _evaluator(game, config, network)
    policy, search = (partial(make, game, config, evaluator) for make in (_policy, _search))
    return name, {"policy alone": policy, **{column: partial(search, number) for column, number in searches.items()}}


_COLUMNS = f"{'result kept':>21}{'at stake':>10}{'optimal':>9}{'given away':>12}"


def table(marks: Mapping[str, Marks], whole: bool) -> list[str]:
    """A line for each player: how often it kept the result, was optimal, and what it gave away.

    With a 95 % interval, but where the ``whole`` game was looked at, and of the move by chance.
    """
    width = max(map(len, marks))
    rows = [f"  {name:<{width}}{_figures(totals(one), whole or name == CHANCE)}" for name, one in marks.items()]
    return [f"  {'':<{width}}{_COLUMNS}", *rows]


def by_ply(name: str, marks: Marks, whole: bool) -> list[str]:
    """The same of one player, by plies played."""
    lines = [f"  {name:<17}{'moves':>7}{_COLUMNS}"]
    for group in ply_groups(marks.ply):
        t = totals(marks, np.isin(marks.ply, group))
        plies = f"ply {group[0]}" if len(group) == 1 else f"plies {group[0]} to {group[-1]}"
        lines.append(f"    {plies:<15}{t.positions:>7,}{_figures(t, whole)}")
    return lines


def _figures(t: Totals, exact: bool) -> str:
    """A row's figures, below ``_COLUMNS``; what is known exactly has no interval."""
    low, high = wilson(t.kept, t.positions)
    between = "" if exact else f"({100 * low:.1f}-{100 * high:.1f})"
    at_stake = part(t.kept_at_stake) if t.stakes else "-"
    return f"{part(t.kept):>8}{between:>13}{at_stake:>10}{part(t.optimal):>9}{t.given_away:>12.4f}"


# --- pictures --------------------------------------------------------------------------------------------------------


def _draw(path: Path, name: str, marks: Mapping[str, Marks], whole: bool) -> str:
    def draw() -> None:
        from selfplay.curves import draw_by_ply

        draw_by_ply(path, name, marks, whole)

    return _drawn(path, draw)


def compare(game: Game, folders: Sequence[Path], path: Path) -> str:
    """Draw what runs of a solved game measured while they trained; returns a line that says where.

    Raises:
        EngineError: the game is not solved, a folder holds no such run of it, or the picture cannot be written.
    """
    _check_solved(game)
    _check_picture(path)
    for folder in folders:
        _check_measured(game, folder)

    def draw() -> None:
        from selfplay.curves import draw_over_training

        draw_over_training(path, game.name, folders)

    return _drawn(path, draw)


def _check_measured(game: Game, folder: Path) -> None:
    try:
        measured = any("exact/search/kept" in row for row in read_metrics(folder))
        trained_for = read_config(folder / "config.json").game
    except (MetricsError, ConfigError) as error:
        raise EngineError(str(error)) from None
    if trained_for != game.name:
        raise EngineError(f"{folder} was trained for {trained_for}, not for {game.name}")
    if not measured:
        raise EngineError(f"{folder} holds no measurements against perfect play")


def _drawn(path: Path, draw: Callable[[], None]) -> str:
    try:
        draw()
    except ModuleNotFoundError as error:
        return f"No picture: the package {error.name} is not installed."
    except OSError as error:
        raise EngineError(f"{path} cannot be written ({error.strerror})") from None
    return f"Drawn in {path}"
