"""Train an agent on any Gymnasium environment; with a run that is there: go on, score it again, or watch it."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import tyro

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # the clone

from agents.settings import AGENTS, Training
from agents.tuned import starting_point
from rlcore.checkpoint import CheckpointError

T = TypeVar("T", bound=Training)
USAGE = f"""usage: train.py {"|".join(AGENTS)} [--env CartPole-v1] [--seeds 5] [--steps N] ...
       train.py recurrent-attention [--task digits-translated] ...; AGENT --help lists all"""


@dataclass(frozen=True)
class Command(Generic[T]):
    settings: tyro.conf.OmitArgPrefixes[T]
    evaluate: int = 0
    """Do not train: score what --run-dir holds by so many fresh episodes."""
    play: bool = False
    """Do not train: watch it, in a window or as text."""

    def __post_init__(self) -> None:
        if self.evaluate < 0:
            raise ValueError(f"evaluate must be a number of episodes, not {self.evaluate}")


def main() -> int:
    name = sys.argv[1] if sys.argv[1:] else ""
    flags = [re.sub("^--task(?=$|=)", "--env", flag) for flag in sys.argv[2:]]
    flags = [re.sub("^(--env=)?catch$", r"\1catch-24", flag) for flag in flags]  # the paper's
    if name in ("-h", "--help") or not name:
        print(f"{__doc__}\n\n{USAGE}")
        return 0 if name else 2
    try:
        start = starting_point(name, flags)
        description = f"{type(start).__doc__}\n\nDefaults: of the run that is gone on with, else tuned for --env."
        command = tyro.cli(Command[type(start)], args=flags, default=Command(start), description=description)
        settings = command.settings
        if not command.evaluate and not command.play:
            from agents.seeds import run

            return run(settings)
        from agents.watch import play, score

        if command.evaluate:
            score(settings.folder(), command.evaluate)
        if command.play:
            play(settings.folder(), settings.seed)
    except (ValueError, OSError, RuntimeError, CheckpointError) as error:
        return fail(error)
    except KeyboardInterrupt:
        print()
    return 0


def fail(error: object) -> int:
    print(f"train: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
