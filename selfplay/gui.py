"""The engine as a program for GUIs: its flags, and the brain it gets from a training run.

    rlcore-uci    chess by UCI     (scripts/uci.py)
    rlcore-usi    shogi by USI     (scripts/usi.py)

A client waits some seconds for the first answer, so nothing is imported before it is needed: no command-line library
without flags, no compiler and no network before the client asks whether the engine is ready.
"""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agents.engine.protocol import AUTODISCOVER, UNTRAINED, Engine, serve

if TYPE_CHECKING:
    from agents.engine.thinker import Brain
    from rlcore.game import Game

__all__ = ["load_brain", "uci", "usi"]

_CLONE = Path(__file__).resolve().parent.parent
_LEAVES = 16
"""Positions that a network evaluates in about the time of one."""


@dataclasses.dataclass
class Settings:
    """The engine for GUIs, at standard input and output. A client sets everything else by its options."""

    weights: str = AUTODISCOVER
    """What the option WeightsFile begins with: a weights file, the folder of a run or a checkpoint, 'taught' or 'zero'
    (networks that come with rlcore) or 'untrained' (the search without a network). Default: runs/<game>, in this folder
    or in the clone's; where nothing is trained, 'taught'."""
    log: str = ""
    """A file that all lines from and to the client are appended to."""


def uci() -> int:
    """Chess by UCI; returns the exit code."""
    from agents.engine.uci import UciEngine

    return _main(UciEngine)


def usi() -> int:
    """Shogi by USI; returns the exit code."""
    from agents.engine.usi import UsiEngine

    return _main(UsiEngine)


def _main(engine: type[Engine]) -> int:
    settings = Settings()
    if len(sys.argv) > 1:
        import tyro

        settings = tyro.cli(Settings)
    try:
        serve(engine, load_brain, log=settings.log, weightsfile=settings.weights)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        return 2


def load_brain(game: "Game", weights: str, tell: Callable[[str], None]) -> "Brain":
    """What a search thinks with, see ``agents.engine.protocol.Load``.

    Raises:
        EngineError: there are no such weights, they are damaged, or they are for another game.
    """
    from agents.engine.thinker import Brain
    from rlcore.evaluators import Uniform
    from selfplay import engines

    if weights == AUTODISCOVER:
        weights = engines.default_engine(game, tell, (Path(), _CLONE))
    if weights == UNTRAINED:
        search = dataclasses.replace(engines.UNTRAINED_SEARCH, leaves=_LEAVES)
        return Brain("the search without a network", Uniform(), search, planes_history=1)
    network, config, name = engines.load_network(game, Path(weights), tell)
    from selfplay.strength import network_evaluator

    taught = engines.was_taught(game, Path(weights))
    search = dataclasses.replace(engines.playing(config.search, engines.MANY, taught), leaves=_LEAVES)
    evaluator = network_evaluator(game, dataclasses.replace(config, device="auto"), network, _LEAVES)
    return Brain(name, evaluator, search, config.history)
