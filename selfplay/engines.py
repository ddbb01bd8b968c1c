"""Engines by name, as a command line gives them: a run, a checkpoint, a weights file, one of ``NAMED`` or ``SHIPPED``.

torch is imported where a network is loaded: the other engines start in a third of the time.
"""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agents.players import GreedyPlayer, PerfectPlayer, Player, RandomPlayer, RolloutPlayer, SearchPlayer
from games.material import VALUES
from games.solved import SOLVED
from rlcore import checkpoint
from rlcore.checkpoint import Checkpoint, CheckpointError
from rlcore.config import SearchConfig
from rlcore.evaluators import Uniform
from rlcore.game import Game
from selfplay import shipped
from selfplay.config import Config, ConfigError, parse_config
from selfplay.shipped import SHIPPED

if TYPE_CHECKING:
    from rlcore.networks import ResNet

__all__ = [
    "MANY",
    "NAMED",
    "PROGRAM",
    "EngineError",
    "TrainedNetwork",
    "default_engine",
    "load_network",
    "make_player",
    "playing",
    "searching",
    "was_taught",
]

NAMED = {
    "untrained": "the search without a network",
    "random": "uniformly random moves",
    "greedy": "the move that leaves the most material",
    "rollouts": "plain tree search with 1,000 random games a move",
    "perfect": "the best moves of a solved game",
}
"""Engines without a folder, and what they are."""

PROGRAM = "cmd:"
"""What the name of an outside program begins with; only matches take those."""

_NAMES = " or ".join(map(repr, [*NAMED, *SHIPPED]))
UNTRAINED_SEARCH = SearchConfig(simulations=200, considered=64, interior="gumbel")
_MOST_SIMULATIONS = 100_000
MANY = 1000
"""Simulations that a search which may end at any time is made for: a clock usually leaves time for more."""
_ENOUGH = 100
"""Simulations from which on a search is another than in training, see ``playing``."""
_BATCH = 16
"""Positions that a network evaluates in about the time of one."""
_LEAST_WAVES = 50
"""A search takes at least this many, so that it can learn from one for the next."""


class EngineError(ConfigError):
    """An engine that is asked for cannot be had; one sentence says why."""


class TrainedNetwork(NamedTuple):
    """What ``load_network`` finds."""

    network: "ResNet"
    """On the CPU, with the averaged weights: those that the actors played with."""
    config: Config
    """The settings of the run."""
    name: str
    """Where it comes from and how long it has learnt, for people to read."""


def default_engine(game: Game, tell: Callable[[str], None], places: Iterable[Path] = (Path(),)) -> str:
    """The usual run of a game, in the first of these places that has one; else the network that is shipped for it; else
    "untrained". ``tell`` is called with a line that says so, where it is not a run."""
    for place in places:
        folder = place / "runs" / game.name
        if any((folder / "checkpoints").glob("[0-9]*")):
            return str(folder)
    for kind in SHIPPED:
        path = shipped.find(game, kind)
        if path is not None:
            card = shipped.card(path)
            tell(f"Nothing is trained in {folder} yet, so this is {SHIPPED[kind].partition(' (')[0]}: see {card}.")
            return kind
    tell(f"Nothing is trained in {folder} yet, so this is the search without a network: it knows only the rules.")
    return "untrained"


def load_network(game: Game, path: Path, warn: Callable[[str], None] | None = None) -> TrainedNetwork:
    """The network of a weights file, of a run directory (its newest intact checkpoint) or of a checkpoint's own folder.

    Args:
        path: or, as a path, a name in ``SHIPPED``.
        warn: called with one line for each damaged checkpoint that was passed over.

    Raises:
        EngineError: there is none, it is damaged, or it is for another game.
    """
    name = str(path)
    if name in SHIPPED:
        found = shipped.find(game, name)
        if found is None:
            raise EngineError(f"no {name!r} network of {game.name} comes with rlcore; train one, or name another")
        path, name = found, f"rlcore's network {found.stem}"
    try:
        if path.is_file():
            from selfplay import weights

            network, config, about = weights.load(game, path)
            steps = about.steps
            name += f", {about.taught}," if about.taught else ""
        else:
            network, config, steps = _load_checkpoint(game, path, warn)
    except (CheckpointError, ConfigError) as error:
        raise EngineError(str(error)) from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EngineError(f"the checkpoint in {path} is not one of a self-play run of this version") from error
    return TrainedNetwork(network.eval(), config, f"{name} at {steps:,} steps")


def was_taught(game: Game, path: Path) -> bool:
    """Whether a network that ``load_network`` finds learned from lessons, by its own word or by its run's folder."""
    found = shipped.find(game, str(path)) or path
    if found.is_file():
        from selfplay import weights

        if weights.describe(found)[1].taught:
            return True
    return any((place / "lessons.json").exists() for place in (found, *found.parents[:2]))


def _load_checkpoint(game: Game, path: Path, warn: Callable[[str], None] | None) -> tuple["ResNet", Config, int]:
    """The network of a checkpoint, the settings of its run, and its steps."""
    saved = _read_checkpoint(path, warn)
    from selfplay.strength import new_network

    config = parse_config(saved.state["config"], f"checkpoint {saved.name} of {path}")
    if config.game != game.name:
        raise EngineError(f"{path} was trained for {config.game}, not for {game.name}")
    network = new_network(game, config)
    network.load_state_dict(saved.tensors["weights"])
    return network, config, int(saved.state["learner"]["steps"])


def _read_checkpoint(path: Path, warn: Callable[[str], None] | None) -> Checkpoint:
    if not path.is_dir():
        raise EngineError(f"there is no file or folder {path}: name a run, a checkpoint, a weights file, or {_NAMES}")
    if (path / "manifest.json").exists():
        return checkpoint.load(path, framework="torch")
    saved = checkpoint.load_newest(path / "checkpoints", warn=warn, framework="torch")
    if saved is None:
        raise EngineError(f"{path} holds no checkpoint: train a network there, or name another folder")
    return saved


def make_player(
    game: Game,
    text: str,
    num_games: int,
    simulations: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> Player:
    """A player of up to ``num_games`` games at a time; its random choices come from the generators it is given.

    Args:
        text: a run directory, a checkpoint's folder, a weights file, or one of ``NAMED`` or ``SHIPPED``.
        simulations: a move; none = as many as the run was trained with, 200 for the untrained. Other settings of the
            search are the run's, but for the leaves that few games search at a time and for ``playing``. Engines that
            are neither take no notice: they stay what they are.
        warn: see ``load_network``.

    Raises:
        EngineError: there is no such engine, or it cannot search that much.
    """
    if text == "random":
        return RandomPlayer(game)
    if text == "greedy":
        if game.name not in VALUES:
            raise EngineError(f"material is nothing to go by in {game.name}, only in {' and '.join(VALUES)}")
        return GreedyPlayer(game)
    if text == "rollouts":
        return RolloutPlayer(game)
    if text == "perfect":
        if game.name not in SOLVED:
            raise EngineError(f"nobody plays {game.name} perfectly; the games that are solved: {', '.join(SOLVED)}")
        return PerfectPlayer(game)
    try:
        if text == "untrained":
            search = searching(UNTRAINED_SEARCH, simulations)
            name = f"the search without a network, {search.simulations} simulations"
            return SearchPlayer(game, name, Uniform(), search, num_games, planes_history=1)
        network, config, name = load_network(game, Path(text), warn)
        from selfplay.strength import search_player

        search = playing(config.search, simulations, was_taught(game, Path(text)))
        search = dataclasses.replace(search, leaves=max(search.leaves, _leaves(num_games, search.simulations)))
        config = dataclasses.replace(config, device="auto", search=search)  # it may have been trained elsewhere
        return search_player(game, config, network, f"{name}, {search.simulations} simulations", num_games)
    except MemoryError:
        raise EngineError(f"there is not enough memory for {num_games} trees of {simulations} simulations") from None


def _leaves(num_games: int, simulations: int) -> int:
    """Leaves of one tree to evaluate together, where games are too few to fill a batch.

    Measured as in ``playing``: 16 of 400 simulations give away 5.9 %, 8 no more than 4 do.
    """
    return max(min(_BATCH // num_games, simulations // _LEAST_WAVES), 1)


def playing(config: SearchConfig, simulations: int | None, taught: bool) -> SearchConfig:
    """The search of a network that plays; in one that was taught, with many simulations, more moves enter it, and it
    trusts a value less.

    For ``simulations``, and what is raised, see ``searching``.

    In training a search is short, and its settings are the paper's. Measured on 400 to 431 positions of games between
    the taught chess network and Stockfish, where nothing was decided: what the move chosen with 400 simulations gives
    away of the chance to win, by Stockfish's opinion after 20,000 nodes.

        considered 16, c_scale 1.0    5.7 %        considered 32, c_scale 0.5    4.7 %
        considered 16, c_scale 0.3    4.5 %        considered 32, c_scale 0.3    4.1 %
        considered 64, c_scale 0.3    4.3 %        considered 32, c_scale 0.2    4.4 %
        PUCT, c_init 1.25             5.8 %        (each to 0.5 %; differences between pairs to about as much)

    A root with PUCT above such nodes, as in ``agents.engine.thinker``: 4.2 % with c_init 1.25 and c_scale 0.3, 5.1 %
    with 0.4, 4.5 % with 2.5. The network that learned chess alone has seen such searches only as they are in training,
    and gives away as much or more: with 100, 200 and 400 simulations 20.0, 19.1 and 19.3 % with the settings of its
    training, 20.3, 20.5 and 19.8 % with these; under a root with PUCT and 200 simulations 18.5 and 21.1 %.
    """
    config = searching(config, simulations)
    if config.simulations < _ENOUGH or not taught:
        return config
    return dataclasses.replace(config, considered=max(config.considered, 32), c_scale=min(config.c_scale, 0.3))


def searching(config: SearchConfig, simulations: int | None) -> SearchConfig:
    """The same search with another number of simulations; none = its own.

    Raises:
        EngineError: it cannot search that much.
    """
    if simulations is None:
        return config
    if not 1 <= simulations <= _MOST_SIMULATIONS:
        raise EngineError(f"simulations must be 1 to {_MOST_SIMULATIONS:,}, not {simulations:,}")
    return dataclasses.replace(config, simulations=simulations)
