"""How far something long has got: a bar with the time left on a terminal; nothing elsewhere. rich draws it."""

import sys
from collections.abc import Callable

__all__ = ["Progress"]


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
