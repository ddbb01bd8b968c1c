"""How well to play: levels with names for people, Elo for programs, or so many simulations or seconds a move.

Weak levels search little and let chance choose among the moves that were searched: from the network's own candidates,
as people err, not from all legal moves.
"""

import math
import re
from typing import NamedTuple

from games.errors import shown

__all__ = ["FULL", "LADDERS", "NAMES", "BadLevel", "Level", "level_of_elo", "parse_level"]

_MOST_SIMULATIONS = 100_000
_MOST_SECONDS = 3600.0
_TEMPERATURE = 0.2
"""Chance decides between moves that have been searched about as much, so that games differ: by visits to the 5th power,
half of the visits is a thirty-second of the chance."""


class BadLevel(ValueError):
    """A text names no level; one sentence says why."""


class Level(NamedTuple):
    """How much to think about a move: of simulations and seconds, one is 0."""

    simulations: int = 0
    seconds: float = 0.0
    temperature: float = _TEMPERATURE
    """Moves are drawn by visits ^ (1 / temperature); 0 = the best one."""
    elo: int = 0
    """How strong that is, on the scale of ``LADDERS``; 0 = nobody has measured it."""

    def __str__(self) -> str:
        if self.seconds:
            return f"about {self.seconds:g} s a move"
        searched = f"{self.simulations:,} simulation{'s' * (self.simulations != 1)}"
        return f"Elo {self.elo:,} ({searched} a move)" if self.elo else searched


LADDERS: dict[str, tuple[Level, ...]] = {
    "chess": (
        Level(16, temperature=4.0, elo=540),
        Level(16, temperature=1.0, elo=820),
        Level(16, temperature=0.2, elo=1040),
        Level(60, temperature=0.2, elo=1340),
        Level(250, temperature=0.2, elo=1600),
        Level(1000, temperature=0.0, elo=1840),
    ),
    "shogi": (
        Level(16, temperature=2.0, elo=270),
        Level(16, temperature=0.5, elo=720),
        Level(16, temperature=0.2, elo=840),
        Level(50, temperature=0.2, elo=1080),
        Level(120, temperature=0.2, elo=1340),
        Level(250, temperature=0.2, elo=1570),
        Level(1000, temperature=0.0, elo=1810),
    ),
}
"""By game: the levels that were measured, from the weakest to the strongest. Elo is that of a pool in which Stockfish's
UCI_Elo 1500, in shogi Fairy-Stockfish's, is 1500: RESULTS.md, "Levels"."""

NAMES = ("beginner", "casual", "club", "strong")
"""Levels for people, evenly spaced in Elo from the lowest to the highest step of a ladder."""
FULL = Level(seconds=3.0, temperature=0.0)
"""The level ``full``, which any game has."""


def level_of_elo(game: str, elo: int) -> Level:
    """The level of about this Elo; between two that were measured, simulations and temperature grow evenly, by their
    logarithms.

    Raises:
        BadLevel: there is none, or the game has no ladder.
    """
    ladder = _ladder(game)
    if not ladder[0].elo <= elo <= ladder[-1].elo:
        raise BadLevel(f"Elo must be {ladder[0].elo} to {ladder[-1].elo} in {game}, not {elo}")
    above = next(i for i, level in enumerate(ladder) if level.elo >= elo)
    high, low = ladder[above], ladder[max(above - 1, 0)]
    share = (elo - low.elo) / max(high.elo - low.elo, 1)
    if share in (0.0, 1.0):
        return high
    return Level(
        round(_between(low.simulations, high.simulations, share)),
        temperature=_between(low.temperature, high.temperature, share),
        elo=elo,
    )


def _ladder(game: str) -> tuple[Level, ...]:
    if game not in LADDERS:
        raise BadLevel(f"nobody has measured levels for {game}, only for {' and '.join(LADDERS)}: name simulations")
    return LADDERS[game]


def _between(low: float, high: float, share: float) -> float:
    """Between two numbers by their logarithms; evenly where one is 0, which has none."""
    if low <= 0.0 or high <= 0.0:
        return low + share * (high - low)
    return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))


def parse_level(text: str, game: str) -> Level:
    """``club``: one of ``NAMES``, or ``full``; ``1200elo``: about that strong; ``800``: so many simulations a move;
    ``2s`` or ``0.5s``: about so many seconds.

    Raises:
        BadLevel: it is none of these, or too much.
    """
    plain = re.sub(r"[ ,]", "", text).lower()
    if plain == "full":
        return FULL
    if plain in NAMES:
        ladder, share = _ladder(game), NAMES.index(plain) / (len(NAMES) - 1)
        return level_of_elo(game, round(ladder[0].elo + share * (ladder[-1].elo - ladder[0].elo)))
    match = re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,3})?(s|elo)?", plain)
    if match is None or (match[2] and match[3] != "s"):
        raise BadLevel(
            f"{shown(text)} is no level: write 800 (simulations a move), 2s (seconds a move), "
            f"1200elo, or {', '.join(NAMES)} or full"
        )
    if match[3] == "elo":
        return level_of_elo(game, int(match[1]))
    if not match[3]:
        if not 1 <= int(match[1]) <= _MOST_SIMULATIONS:
            raise BadLevel(f"simulations must be 1 to {_MOST_SIMULATIONS:,}, not {int(match[1]):,}")
        return Level(simulations=int(match[1]))
    seconds = float(match[1] + (match[2] or ""))
    if not 0.0 < seconds <= _MOST_SECONDS:
        raise BadLevel(f"a move may take up to {_MOST_SECONDS:g} seconds, not {seconds:g}")
    return Level(seconds=seconds)
