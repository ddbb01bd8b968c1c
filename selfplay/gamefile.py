"""The finished games as text, for people and other programs, in the format that the game writes.

After each game stands a line that readers of the format skip, ``% game 12`` in PGN and ``' game 12`` in CSA: by these
lines alone it is known which games are in the file and where each ends, so no format need be understood here.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rlcore.game import Game
from rlcore.jit import Row
from selfplay.log import GameLog
from selfplay.record import GameRecord


class GameFile:
    """A text file that follows the game log: every game of the log once, in whatever order they came.

    The log is the truth. A game that a crash cut in half is cut off at the next opening, and what the log has and the
    file has not is written then.
    """

    def __init__(self, folder: Path, game: Game, log: GameLog) -> None:
        game.write_game([], {}, 0, 0.0)  # fails here, not in mid-run, where the library that writes games is missing
        self.game = game
        self.path = folder / f"games.{game.FILE_SUFFIX}"
        present = self._cut_torn_game()
        if not present <= log.ids:  # games of another log, a longer one; of a shorter one, ids do not tell
            self.path.unlink()
            present = set()
        self._file = self.path.open("ab")
        if present != log.ids:
            self.append(record for record in log.records() if record.id not in present)

    def _cut_torn_game(self) -> set[int]:
        """Cut the file after its last whole game; returns the ids of those it holds."""
        if not self.path.exists():
            return set()
        with self.path.open("r+b") as file:
            ends = list(re.finditer(rb"^%b game (\d+)\n" % re.escape(self.game.COMMENT.encode()), file.read(), re.M))
            file.truncate(ends[-1].end() if ends else 0)
        return {int(end[1]) for end in ends}

    def append(self, records: Iterable[GameRecord]) -> None:
        """Write games. The names of the players are the versions of the network that played."""
        for record in records:
            headers = {**_headers(record), "Round": str(record.id)}
            start = self._start_of(record.seed)
            text = self.game.write_game(record.actions, headers, record.ending, record.value, start)
            self._file.write(f"{text}{self.game.COMMENT} game {record.id}\n".encode())
        self._file.flush()

    def _start_of(self, seed: int) -> Row | None:
        """Where a game began; None for the usual start, the only one of most games."""
        rows = np.zeros(2, self.game.STATE)
        self.game.init(rows[0], 0)
        self.game.init(rows[1], seed)
        return None if rows[0] == rows[1] else rows[1]

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _headers(record: GameRecord) -> dict[str, str]:
    """What was played, and who played: no network where it is a lesson (`lessons`)."""
    if record.last_version < 0:
        return {"Event": "a lesson"}
    versions = sorted({record.first_version, record.last_version})
    name = f"rlcore (weights {' to '.join(str(version) for version in versions)})"
    return {"Event": "self-play", "White": name, "Black": name}
