"""How far something long has got: a bar with the time left on a terminal; nothing elsewhere. rich draws it.

And what else people are told in a terminal: durations, commands.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

__all__ = ["Progress", "can_draw", "clock", "interpreter"]


class Progress:
    """A context manager; the bar goes when it ends.

    Args:
        what: is counted, such as "games".
        total: how many there will be.
    """

    def __init__(self, what: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        self._bar = Bar(console=Console(file=sys.stdout), transient=True, disable=not sys.stdout.isatty())
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def after(self, before: int) -> Callable[[int], None]:
        """What to call with the number done since the first ``before``."""
        return lambda done: self._bar.update(self._task, completed=before + done)


def can_draw(stream: TextIO) -> bool:
    """Whether a stream is a terminal that can move its cursor and has the glyphs."""
    encoding = (stream.encoding or "").lower().replace("-", "")
    return stream.isatty() and encoding == "utf8" and os.environ.get("TERM", "") not in ("dumb", "unknown")


def clock(seconds: float) -> str:
    """A duration as 1:23 or 1:23:45."""
    hours, rest = divmod(max(0, round(seconds)), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def interpreter() -> str:
    """This Python, as one would type it here."""
    try:
        inside = Path(sys.prefix).relative_to(Path.cwd())
    except ValueError:
        return "python"
    return str(inside / Path(sys.executable).relative_to(sys.prefix))
