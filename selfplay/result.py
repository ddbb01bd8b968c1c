"""What a match has come to: score, Elo difference, how games ended, and whether a test has made up its mind."""

import math
from collections import Counter
from collections.abc import Sequence

from selfplay.arena import MatchGame, summary
from selfplay.elo import Sprt, elo, log_likelihood_ratio, superiority

__all__ = ["decision", "pair_counts", "table"]

_MOST_REASONS = 10
"""Why games ended that did not end on the board, in the table; a file of games explains each of them."""
_MOST_NUMBERS = 5


def pair_counts(games: Sequence[MatchGame]) -> list[int]:
    """[5] how many pairs of games with the same opening brought the first player 0, 0.5, 1, 1.5 and 2 points."""
    scores = {game.number: game.score for game in games}
    points = [
        score + scores[number + 1] for number, score in scores.items() if number % 2 == 0 and number + 1 in scores
    ]
    return [points.count(half / 2) for half in range(5)]


def decision(games: Sequence[MatchGame], test: Sprt | None) -> float | None:
    """The difference that a test has decided for; None while it has not."""
    if test is None:
        return None
    ratio = log_likelihood_ratio(pair_counts(games), test.elo0, test.elo1)
    if abs(ratio) < test.bound:
        return None
    return test.elo1 if ratio > 0 else test.elo0


def table(names: tuple[str, str], games: Sequence[MatchGame], openings: str, test: Sprt | None = None) -> str:
    """The result as lines of text.

    Args:
        names: of the first and the second player.
        games: at least one.
        openings: what they were, for people to read.
    """
    match = summary(names[1], games)
    interval = f"95% interval {match.low:.1%} to {match.high:.1%}"
    ratings = f"95% interval {_rating(match.low)} to {_rating(match.high)}"
    rows = [
        ("games", f"{len(games)}, {openings}, each with both colours"),
        ("score", f"{match.score:.1%}  ({interval})"),
        ("won, drawn, lost", f"{match.wins}, {match.draws}, {match.losses}"),
        ("Elo difference", f"{_rating(match.score)}  ({ratings})"),
        ("superiority", f"{superiority(match.wins, match.losses):.1%} likely"),
        ("endings", ", ".join(f"{how} {count}" for how, count in match.endings.items())),
    ]
    if test is not None:
        rows.append(("SPRT", _test_text(games, test)))
    if repeated := _repeated(games):
        went = "game" if repeated == 1 else "games"
        rows.append(("repeated", f"{repeated} {went} went move for move like an earlier one and said nothing new"))
    lines = [names[0], f"  against {names[1]}", "", *(f"  {label:<18}{text}" for label, text in rows)]
    return "\n".join(lines + _reasons(games))


def _rating(score: float) -> str:
    return f"{elo(score):+.0f}" if math.isfinite(elo(score)) else "unbounded"


def _test_text(games: Sequence[MatchGame], test: Sprt) -> str:
    ratio = log_likelihood_ratio(pair_counts(games), test.elo0, test.elo1)
    decided = decision(games, test)
    verdict = "undecided" if decided is None else f"decided for {decided:+g} Elo"
    between = f"{test.elo0:+g} or {test.elo1:+g} Elo"
    return f"{between}: {verdict}; log-likelihood ratio {ratio:.2f}, bounds {-test.bound:.2f} and {test.bound:.2f}"


def _repeated(games: Sequence[MatchGame]) -> int:
    """How many games are the same as another one before them, colours included."""
    counts = Counter((game.number % 2, game.opening.start, tuple(game.actions)) for game in games)
    return sum(counts.values()) - len(counts)


def _reasons(games: Sequence[MatchGame]) -> list[str]:
    """Of games that did not end on the board: what happened, and in which."""
    numbers: dict[str, list[int]] = {}
    for game in sorted(games, key=lambda game: game.number):
        if game.reason:
            numbers.setdefault(game.reason, []).append(game.number + 1)
    lines = [f"  {_named_games(found)}: {reason}" for reason, found in list(numbers.items())[:_MOST_REASONS]]
    if len(numbers) > _MOST_REASONS:
        lines.append(f"  ... and {len(numbers) - _MOST_REASONS} reasons more")
    return ["", *lines] if lines else []


def _named_games(numbers: Sequence[int]) -> str:
    """Games by their numbers, the first few of many."""
    if len(numbers) == 1:
        return f"game {numbers[0]}"
    named = ", ".join(map(str, numbers[:_MOST_NUMBERS]))
    return f"games {named}" + (f" and {len(numbers) - _MOST_NUMBERS} more" if len(numbers) > _MOST_NUMBERS else "")
