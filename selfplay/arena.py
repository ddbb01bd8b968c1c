"""Matches between two of our own players, all games side by side: paired openings, both colours, a score with interval.

Games are numbered from 0; games 2k and 2k + 1 begin with the same opening, and the first player moves first by the
game's rules (White in chess, Black in shogi) in game 2k, second in the other.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agents.engine.uci import centipawns
from agents.players import Player
from rlcore.game import Game, new_history
from rlcore.jit import Array
from rlcore.rng import seed_of
from selfplay.adjudication import NEVER, Adjudication, Opinions
from selfplay.openings import Opening, random_openings

__all__ = ["MAX_PLIES", "Match", "MatchGame", "interval", "play_games", "play_match", "summary", "wilson"]

MAX_PLIES = 512
"""A game of this length is broken off as a draw; AlphaZero's limit."""


class MatchGame(NamedTuple):
    """One finished game of a match."""

    number: int
    opening: Opening
    actions: list[int]
    """All moves, the opening's among them."""
    ending: int
    """The game's ``Ending``."""
    value: float
    """What the game is worth for the side to move after the last move: -1, 0 or 1."""
    score: float
    """The first player's points: 0, 0.5 or 1."""
    how: str
    """How it ended, in a word or two."""
    reason: str = ""
    """Where neither the rules nor a limit ended it: what happened, in a sentence."""


class Match(NamedTuple):
    """The result of a match, as the first player sees it."""

    opponent: str
    wins: int
    draws: int
    losses: int
    score: float  # (wins + draws / 2) / games
    low: float  # 95 % interval of the score
    high: float
    endings: dict[str, int]  # how many games ended for which reason


def wilson(score: float, games: float, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson interval (1927) of a score in [0, 1] from a number of games.

    It takes every game for a win or a loss, so with draws it is wider than it need be, and unlike mean +- error it
    stays honest at 0 and 100 %.
    """
    if games == 0:
        return 0.0, 1.0
    centre = score + z * z / (2 * games)
    spread = z * math.sqrt(score * (1 - score) / games + z * z / (4 * games * games))
    scale = 1 + z * z / games
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return low if score > 0.0 else 0.0, high if score < 1.0 else 1.0  # exact there, whatever rounding does


def interval(wins: int, draws: int, losses: int) -> tuple[float, float]:
    """The 95 % interval of a score: Wilson's, with as many games as would say as much if none were drawn.

    Draws make a score certain sooner: its variance a game is s (1 - s) - d / 4, where d is the share of draws, instead
    of s (1 - s). One more win and one more loss keep it from vanishing where all games were drawn.
    """
    games = wins + draws + losses
    if games == 0:
        return 0.0, 1.0
    s, d = (wins + 1 + draws / 2) / (games + 2), draws / (games + 2)
    return wilson((wins + draws / 2) / games, games * s * (1 - s) / (s * (1 - s) - d / 4))


def summary(opponent: str, games: Sequence[MatchGame]) -> Match:
    """The result of some games, at least one, against an opponent."""
    wins, draws, losses = (sum(game.score == score for game in games) for score in (1.0, 0.5, 0.0))
    low, high = interval(wins, draws, losses)
    endings = Counter(game.how for game in games)
    return Match(opponent, wins, draws, losses, (wins + draws / 2) / len(games), low, high, dict(endings.most_common()))


def play_match(
    game: Game,
    first: Player,
    second: Player,
    games: int,
    seed: int,
    opening_plies: int = 6,
    max_plies: int = MAX_PLIES,
    progress: Callable[[int], None] | None = None,
) -> Match:
    """Play a match with random openings; see ``play_games``."""
    openings = random_openings(game, -(-games // 2), opening_plies, seed)
    played = play_games(game, (first, second), range(games), openings, seed, max_plies, progress=progress)
    return summary(second.name, played)


def play_games(
    game: Game,
    players: tuple[Player, Player],
    numbers: Sequence[int],
    openings: Sequence[Opening],
    seed: int,
    max_plies: int = MAX_PLIES,
    adjudication: Adjudication = NEVER,
    progress: Callable[[int], None] | None = None,
) -> list[MatchGame]:
    """Play some games of a match side by side.

    Args:
        numbers: which games of the match.
        openings: of its pairs; when all have been played, they are played again.
        max_plies: a game of this length, its opening's moves among them, is broken off as a draw.
        progress: called with the number of finished games whenever it grows.
    """
    table = _Table(game, numbers, openings, max_plies, adjudication)
    rng = np.array([seed_of(seed, number // 2, number % 2) for number in numbers], np.uint64)
    active = table.unfinished(np.arange(len(numbers), dtype=np.int32))
    while len(active):
        is_first = table.turns(active) == table.numbers[active] % 2
        for player, mine in ((players[0], active[is_first]), (players[1], active[~is_first])):
            if len(mine):
                actions = player.act(table.history, mine, rng)
                goes_on = table.adjudicate(mine, player)
                table.play(mine[goes_on], actions[goes_on])
        before = len(active)
        active = table.unfinished(active)
        if progress is not None and len(active) < before:
            progress(len(numbers) - len(active))
    return table.games


class _Table:
    """Games in progress, G of them, and those that are finished."""

    def __init__(
        self,
        game: Game,
        numbers: Sequence[int],
        openings: Sequence[Opening],
        max_plies: int,
        adjudication: Adjudication,
    ) -> None:
        self.game, self.max_plies = game, max_plies
        self.numbers = np.array(numbers)
        self.openings = [openings[number // 2 % len(openings)] for number in numbers]
        self.actions = [list(opening.actions) for opening in self.openings]
        self._opinions = [Opinions(adjudication) for _ in numbers]
        self._finished: dict[int, MatchGame] = {}
        num, longest = len(numbers), max(map(len, self.actions))
        self.history = new_history(game, num, max(max_plies, longest) + 2)
        for g, opening in enumerate(self.openings):
            game.begin(self.history, g, 0)
            if opening.start != "startpos":
                game.read(self.history.states[g, 0], opening.start)
            for action in opening.actions:
                game.advance(self.history, np.array([g], np.int32), np.array([action], np.uint16))
        self._legal = np.zeros((num, game.MAX_LEGAL), np.uint16)
        self._counts, self._endings = np.zeros(num, np.int32), np.zeros(num, np.uint8)
        self._values = np.zeros(num, np.float32)

    @property
    def games(self) -> list[MatchGame]:
        """The finished games, in the order of their numbers."""
        return [self._finished[g] for g in sorted(self._finished)]

    def turns(self, games: Array) -> Array:
        """Whose turn it is, [n] uint8, in ``games`` ([n] int32)."""
        turns: Array = self.history.states["turn"][games, self.history.length[games] - 1]
        return turns

    def adjudicate(self, games: Array, player: Player) -> Array:
        """Which of the games ([n] int32) that a player has just been asked about go on: [n] bool."""
        goes_on = np.ones(len(games), bool)
        values = getattr(player, "values", None)
        for i, (g, turn) in enumerate(zip(games, self.turns(games), strict=True)):
            score = None if values is None else centipawns(float(values[i]))
            verdict = self._opinions[g].hear(int(turn), len(self.actions[g]), score, player.name)
            if verdict is not None:
                ending = int(self.game.Ending[verdict.ending])
                self._finish(int(g), int(turn), ending, verdict.value, verdict.how, verdict.reason)
                goes_on[i] = False
        return goes_on

    def play(self, games: Array, actions: Array) -> None:
        """Play ``actions`` ([n] uint16) in ``games`` ([n] int32)."""
        self.game.advance(self.history, games, actions)
        for g, action in zip(games, actions, strict=True):
            self.actions[g].append(int(action))

    def unfinished(self, games: Array) -> Array:
        """Those of some games that go on; the results of the others are noted."""
        games = games[[g not in self._finished for g in games]]
        self.game.judge(self.history, games, 0, self._legal, self._counts, self._endings, self._values)
        ended = self._endings[: len(games)].astype(int)
        ended[(ended == 0) & (self.history.length[games] > self.max_plies)] = self.game.Ending.MAX_PLIES
        for g, turn, ending, value in zip(games, self.turns(games), ended, self._values, strict=False):
            if ending:
                how = self.game.Ending(ending).name.lower().replace("_", " ")
                self._finish(int(g), int(turn), int(ending), float(value), how)
        return games[ended == 0]

    def _finish(self, g: int, turn: int, ending: int, value: float, how: str, reason: str = "") -> None:
        number, opening = int(self.numbers[g]), self.openings[g]
        score = 0.5 + 0.5 * (value if turn == number % 2 else -value)
        self._finished[g] = MatchGame(number, opening, self.actions[g], ending, value, score, how, reason)
