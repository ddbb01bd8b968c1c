"""A match between two engines that a command line names, and its result as a table."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rlcore.game import Game
from selfplay.arena import Match, play_match, wilson
from selfplay.engines import EngineError, make_player
from selfplay.progress import Progress

__all__ = ["MatchSettings", "elo", "run", "table"]

_SIDE_BY_SIDE = 128
"""Games played at once: enough to fill a network's batch, few enough for their trees to fit into memory."""


class MatchSettings(NamedTuple):
    """How a match is played."""

    games: int = 100
    simulations: int | None = None
    """A move, for both; none = as each was trained."""
    seed: int = 1
    opening_plies: int = 6
    """Random moves at the start; each opening is played twice, with colours changed."""


def run(game: Game, engines: Sequence[str], settings: MatchSettings) -> str:
    """Play two engines (see ``make_player``) against each other, with a progress bar where there is a terminal.

    Returns:
        The result as lines of text.

    Raises:
        EngineError: there are not two, one cannot be had, or a number makes no sense.
    """
    if len(engines) != 2:
        raise EngineError(f"a match needs two engines, not {len(engines)}: give --engine twice")
    if settings.games < 1 or not 0 <= settings.opening_plies <= 200:
        raise EngineError("a match needs at least 1 game, and 0 to 200 opening plies")
    room = min(settings.games, _SIDE_BY_SIDE)
    first, second = (make_player(game, text, room, settings.simulations, warn=_warn) for text in engines)
    parts: list[Match] = []
    with Progress("games", settings.games) as progress:
        for done in range(0, settings.games, _SIDE_BY_SIDE):
            count = min(_SIDE_BY_SIDE, settings.games - done)
            seed = settings.seed + done * 1_000_003
            tell = progress.after(done)
            parts.append(play_match(game, first, second, count, seed, settings.opening_plies, progress=tell))
    return table(first.name, _together(parts), settings)


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def _together(parts: Sequence[Match]) -> Match:
    """The parts of a match as one."""
    wins, draws, losses = (sum(getattr(part, name) for part in parts) for name in ("wins", "draws", "losses"))
    games = wins + draws + losses
    score = (wins + draws / 2) / games
    endings: Counter[str] = sum((Counter(part.endings) for part in parts), Counter())
    low, high = wilson(score, games)
    return Match(parts[0].opponent, wins, draws, losses, score, low, high, dict(endings.most_common()))


def elo(score: float) -> float:
    """The rating difference at which a score in [0, 1] is expected (Elo 1978): 400 log10(score / (1 - score))."""
    if score <= 0.0 or score >= 1.0:
        return math.copysign(math.inf, score - 0.5)
    return 400 * math.log10(score / (1 - score))


def table(name: str, match: Match, settings: MatchSettings) -> str:
    """The result as lines of text."""

    def rating(score: float) -> str:
        return f"{elo(score):+.0f}" if math.isfinite(elo(score)) else "unbounded"

    openings = f"random openings of {settings.opening_plies} plies, each with both colours"
    rows = [
        ("games", f"{match.wins + match.draws + match.losses}, {openings}"),
        ("score", f"{match.score:.1%}  (95% interval {match.low:.1%} to {match.high:.1%})"),
        ("won, drawn, lost", f"{match.wins}, {match.draws}, {match.losses}"),
        ("Elo difference", f"{rating(match.score)}  (95% interval {rating(match.low)} to {rating(match.high)})"),
        ("endings", ", ".join(f"{ending.replace('_', ' ')} {count}" for ending, count in match.endings.items())),
    ]
    return "\n".join([f"{name}", f"  against {match.opponent}", "", *(f"  {label:<18}{text}" for label, text in rows)])
