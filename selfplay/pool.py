"""A pool of players that play each other: networks of a run's past, and engines that do not change.

All results go to ``ratings.jsonl`` in the run's folder, or in any without networks: a line for each pair of games with
one opening and changed colours. A line is on the disk before the next games begin, and what it holds is not played
again. Players are named by all that decides how they play: a network by its weights and how much it may think, a
program by its limits.
"""

import hashlib
import json
import math
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.engine.clients import parse_program
from agents.players import Player
from games import check_name
from rlcore.game import Game
from rlcore.jit import Array
from rlcore.progress import Progress
from rlcore.rng import seed_of
from selfplay import match, weights
from selfplay.arena import MatchGame
from selfplay.config import Config, ConfigError, read_config
from selfplay.engines import NAMED, PROGRAM, UNTRAINED_SEARCH, EngineError, load_network, make_player
from selfplay.match import Interrupted, MatchSettings
from selfplay.milestones import Kept, find
from selfplay.presets import DEFAULT, with_preset
from selfplay.ratings import Rating, count, next_pairing, rate
from selfplay.strength import opening_plies

__all__ = ["FILE", "PICTURE", "PoolSettings", "run"]

FILE = "ratings.jsonl"
PICTURE = "ratings.png"
ANCHOR = "random"
"""Whom all others are compared with where nobody is named."""
_PAIRS = 4
"""Pairs of games that two players play before it is decided who plays next; the first time it is one."""
_FAULTS = ("crash", "hang", "time", "illegal move")
"""How a program loses that does not lose by its moves."""


class PoolSettings(NamedTuple):
    """Who plays in a pool, and how."""

    engines: Sequence[str] = ()
    """As a match names them; the first is the one whose rating is known. None = ``ANCHOR``."""
    elo: float = 0.0
    """The rating of the first engine."""
    networks: int = 8
    """Of the run's past, the newest among them; 0 = the engines alone, in a folder that need not be a run's."""
    games: int = 400
    """Of all present players together, those of earlier calls among them; each pairing gets two in any case."""
    match: MatchSettings = MatchSettings()
    """How games are played: simulations, limits, openings, concurrency, seed."""


class Entrant(NamedTuple):
    """A player of the pool."""

    id: str
    """What decides how it plays; in the file."""
    text: str
    """As ``make_player`` or a match names it."""
    name: str
    """For people to read."""
    past: Kept | None = None
    """Of the networks of the past: which one."""


def run(game: Game, folder: Path, settings: PoolSettings) -> str:
    """Play the games that are missing, with a progress bar where there is a terminal; then rate all players.

    Returns:
        The ratings as lines of text; they are drawn in ``PICTURE``, too.

    Raises:
        EngineError: the run has no networks, an engine cannot be had, or a file cannot be read or written.
        OpeningError: the openings cannot be had.
        Interrupted: by the user; with the ratings so far.
    """
    settings = _checked(game, folder, settings)
    everyone = _entrants(game, folder, settings)
    engines = [one for one in everyone if one.past is None]
    players = engines + _chosen([one for one in everyone if one.past is not None], settings.networks)
    if len(players) < 2:
        raise EngineError("nobody is there to play against: name another --engine, or more --networks")
    openings = _openings_key(settings.match)
    if settings.networks == 0:
        _make(folder)
    try:
        with Results(folder / FILE, openings, game.name) as results:
            _play_all(game, players, results, settings)
        broken_off = False
    except KeyboardInterrupt:
        broken_off = True
    with Results(folder / FILE, openings, game.name) as results:  # read again: what is told is what the file holds
        rated = players + [one for one in everyone if one not in players and one.id in results.ids]
        text = _conclusion(folder, rated, results, settings)
    if broken_off:
        raise Interrupted(f"Broken off; the same command goes on from here.\n\n{text}")
    return text


def _checked(game: Game, folder: Path, settings: PoolSettings) -> PoolSettings:
    """The settings with what was left to the run filled in; refuse what makes no pool."""
    if not 0 <= settings.networks <= 100 or settings.games < 2:
        raise EngineError("a pool needs 0 to 100 networks, and at least 2 games")
    if not math.isfinite(settings.elo):
        raise EngineError("the rating of the first engine must be a number")
    config = _config(game, folder, needed=settings.networks > 0)
    play = settings.match
    if play.openings == "random" and play.opening_plies is None:
        play = play._replace(opening_plies=opening_plies(config))
    match.check(game, ("", ""), play)
    match.openings_of(game, play._replace(games=2))
    return settings._replace(engines=tuple(settings.engines) or (ANCHOR,), match=play)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"{folder} cannot be made ({error.strerror})") from None


def _config(game: Game, folder: Path, needed: bool) -> Config:
    """The settings of the run in a folder; where there is none and none is needed, the usual ones."""
    if not (folder / "config.json").is_file():
        if not needed:
            return with_preset(Config(game=check_name(game.name)), DEFAULT)
        raise EngineError(f"{folder} is not the folder of a run: train one there, name another, or add --networks 0")
    try:
        config = read_config(folder / "config.json")
    except ConfigError as error:
        raise EngineError(str(error)) from None
    if config.game != game.name:
        raise EngineError(f"{folder} was trained for {config.game}, not for {game.name}")
    return config


# --- players ---------------------------------------------------------------------------------------------------------


def _entrants(game: Game, folder: Path, settings: PoolSettings) -> list[Entrant]:
    """The engines as they were named, then all networks of the run's past by their steps."""
    engines = [_engine(game, text, settings.match) for text in settings.engines]
    ids = [one.id for one in engines]
    for one in engines:
        if ids.count(one.id) > 1:
            raise EngineError(f"{one.text} would play against itself: name each engine once")
    if settings.networks == 0:
        return engines
    kept = find(folder, _warn)
    if not kept:
        raise EngineError(f"{folder} has kept no networks of its past yet: train it (on) for a minute")
    networks = []
    for past in kept:
        name, path = f"{past.about.steps:,} steps", str(past.path)
        how = match.pace(path, settings.match, past.config.search.simulations)
        networks.append(Entrant(_network_id(past.about.weights, how), path, name, past))
    return engines + [one for one in networks if one.id not in ids]


def _network_id(fingerprint: str, how: str) -> str:
    return f"network {fingerprint[:16]}, {how}"


def _engine(game: Game, text: str, play: MatchSettings) -> Entrant:
    """An engine that a command line names."""
    if text.startswith(PROGRAM) or text == "untrained":
        how = match.pace(text, play, UNTRAINED_SEARCH.simulations)
        return Entrant(f"{text}, {how}", text, text.removeprefix(PROGRAM))
    if text in NAMED:
        make_player(game, text, 1)  # which knows whether there is such a player
        return Entrant(text, text, text)
    network, config, name = load_network(game, Path(text), _warn)
    how = match.pace(text, play, config.search.simulations)
    return Entrant(_network_id(weights.fingerprint(network), how), text, name)


def _chosen(networks: Sequence[Entrant], most: int) -> list[Entrant]:
    """Some of the networks, evenly over the logarithm of their steps, as they were kept: the newest always."""
    if len(networks) <= most:
        return list(networks)
    places = np.linspace(len(networks) - 1, 0, most).round().astype(int)
    return [networks[place] for place in sorted(places)]


class Players:
    """Makes players of ours, and keeps them: to load a network takes longer than some games.

    Called as ``make_player``; what has been given out comes back with ``release``.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[Any, ...], list[Player]] = {}
        self._out: list[tuple[tuple[Any, ...], Player]] = []

    def __call__(
        self, game: Game, text: str, num_games: int, simulations: int | None, warn: Callable[[str], None] | None
    ) -> Player:
        """See ``make_player``."""
        room = 1 if num_games == 1 else 2 * _PAIRS
        key = (text, room, simulations)
        free = self._free.setdefault(key, [])
        player = free.pop() if free else make_player(game, text, room, simulations, warn)
        self._out.append((key, player))
        return player

    def release(self) -> None:
        """Take all players back."""
        for key, player in self._out:
            self._free[key].append(player)
        self._out.clear()


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


# --- playing ---------------------------------------------------------------------------------------------------------


def _play_all(game: Game, players: Sequence[Entrant], results: "Results", settings: PoolSettings) -> None:
    """Play until there are as many games as were asked for."""
    makers, table = Players(), results.table(players)
    done = int(table.sum())  # each pair of games is counted for both players
    fresh = int(np.triu(table.sum(axis=-1) == 0, 1).sum())
    total = max(settings.games, done + 2 * fresh)
    with Progress("games", total) as progress:
        progress.after(done)(0)
        while done < total:
            first, second = next_pairing(table)
            pairs = 1 if not table[first, second].any() else min(_PAIRS, -(-(total - done) // 2))
            tell = progress.after(done)
            for scored in _play_round(game, players[first], players[second], pairs, results, settings, makers, tell):
                count(table, first, second, scored)
                done += 2


def _play_round(
    game: Game,
    first: Entrant,
    second: Entrant,
    pairs: int,
    results: "Results",
    settings: PoolSettings,
    makers: Players,
    tell: Callable[[int], None],
) -> Iterator[float]:
    """Play some pairs of games of two players and note them; yields what each pair brought the first one."""
    by_id = sorted((first, second))  # whoever comes first in a list of players need not do so in the next
    begin = results.next_pair(by_id[0].id, by_id[1].id)
    seed = zlib.crc32(f"{settings.match.seed} {by_id[0].id} {by_id[1].id}".encode())
    play = settings.match._replace(games=2 * (begin + pairs), seed=seed)
    openings, _ = match.openings_of(game, play)
    openings = [openings[pair % len(openings)] for pair in range(begin, begin + pairs)]
    play = play._replace(games=2 * pairs, seed=int(seed_of(seed, begin)) >> 1)
    with ExitStack() as stack:
        stack.callback(makers.release)
        _, parts = match.prepare(stack, game, [one.text for one in by_id], openings, play, tell, makers)
        played = [one for part in stack.enter_context(closing(parts)) for one in part]
    played.sort(key=lambda one: one.number)
    couples = list(zip(played[::2], played[1::2], strict=True))
    results.add(by_id[0].id, by_id[1].id, begin, couples)
    for couple in couples:
        scored = sum(one.score for one in couple)
        yield scored if by_id[0] is first else 2 - scored


# --- the file --------------------------------------------------------------------------------------------------------


class Results:
    """The results of a pool's games, in memory and in their file.

        {"first": "network 5e0c...", "second": "random", "game": "chess", "openings": "...", "pair": 0,
         "points": [1.0, 0.5], "endings": ["checkmate", "threefold"]}

    Points are the first player's, who moves first by the game's rules in the first game of a pair. One that did not end
    on the board has "reasons", too.

    Args:
        openings: what decides how games begin; lines of others are kept, and not counted.
        game: its name.

    Raises:
        EngineError: the file cannot be read or written, or holds something else.
    """

    def __init__(self, path: Path, openings: str, game: str) -> None:
        self._path, self._openings, self._game = path, openings, game
        self._pairs: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        try:
            self._file = open(path, "a+b", buffering=0)  # noqa: SIM115
            self._file.seek(0)
            data = self._file.read()
            whole = data.rfind(b"\n") + 1
            self._file.truncate(whole)  # a last line that was cut short by a crash goes
        except OSError as error:
            raise EngineError(f"{path} cannot be written ({error.strerror})") from None
        for number, text in enumerate(data[:whole].splitlines(), start=1):
            try:
                line = json.loads(text)
                another = line.get("game", game)  # which lines from before did not name
                if another == game:
                    self._count(line)
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
                self._file.close()
                raise EngineError(
                    f"line {number} of {path} holds no result: remove it, or move the file away"
                ) from None
            if another != game:
                self._file.close()
                raise EngineError(f"{path} holds games of {another}, not of {game}: name another folder")

    def __enter__(self) -> "Results":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _count(self, line: dict[str, Any]) -> None:
        """Take a line into account; one that stands there twice counts once."""
        names, pair, points = (str(line["first"]), str(line["second"])), line["pair"], line["points"]
        possible = all(point in (0, 0.5, 1) for point in points)
        if not (type(pair) is int and pair >= 0 and len(points) == 2 and possible and names[0] < names[1]):
            raise ValueError
        if line["openings"] == self._openings:
            self._pairs.setdefault(names, {}).setdefault(pair, line)

    @property
    def ids(self) -> set[str]:
        """Of all players that have played."""
        return {name for names in self._pairs for name in names}

    def next_pair(self, first: str, second: str) -> int:
        """The number of the first pair of games that two players have not played."""
        return max(self._pairs.get((first, second), {}), default=-1) + 1

    def table(self, players: Sequence[Entrant]) -> Array:
        """[P, P, 5] results, see ``selfplay.ratings``."""
        found = np.zeros((len(players), len(players), 5), np.int64)
        places = {one.id: place for place, one in enumerate(players)}
        for (first, second), pairs in self._pairs.items():
            if first in places and second in places:
                for line in pairs.values():
                    count(found, places[first], places[second], sum(line["points"]))
        return found

    def endings(self, players: Sequence[Entrant]) -> Counter[str]:
        """How many games of these players ended in which way."""
        ids = {one.id for one in players}
        lines = [line for names, pairs in self._pairs.items() if ids.issuperset(names) for line in pairs.values()]
        return Counter(str(ending) for line in lines for ending in line.get("endings", ()))

    def add(self, first: str, second: str, begin: int, couples: Sequence[tuple[MatchGame, MatchGame]]) -> None:
        """Append pairs of games, number ``begin`` and those after it; they are on the disk when this returns.

        Raises:
            EngineError: the disk refused; the file is as it was.
        """
        lines = []
        for pair, games in enumerate(couples, start=begin):
            line = {"first": first, "second": second, "game": self._game, "openings": self._openings, "pair": pair}
            line |= {"points": [one.score for one in games], "endings": [one.how for one in games]}
            if any(one.reason for one in games):
                line["reasons"] = [one.reason for one in games]
            lines.append(line)
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        end = self._file.seek(0, os.SEEK_END)
        try:
            view = memoryview(data)
            while len(view):
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise EngineError(f"{self._path} cannot be written ({error.strerror})") from None
        for line in lines:
            self._count(line)


def _openings_key(play: MatchSettings) -> str:
    """What decides how games begin."""
    if play.openings == "random":
        return f"random, {play.opening_plies} plies, seed {play.seed}"
    plies = "all" if play.opening_plies is None else str(play.opening_plies)
    if play.openings == "common":
        return f"common, {plies} plies"
    return f"file {hashlib.sha256(Path(play.openings).read_bytes()).hexdigest()[:16]}, {plies} plies"


# --- what came out ---------------------------------------------------------------------------------------------------


def _conclusion(folder: Path, players: Sequence[Entrant], results: Results, settings: PoolSettings) -> str:
    """The ratings as lines of text; draws the picture."""
    table = results.table(players)
    ratings = [
        one._replace(elo=one.elo + settings.elo, low=one.low + settings.elo, high=one.high + settings.elo)
        for one in rate(table)
    ]
    order = sorted(range(len(players)), key=lambda i: (math.isnan(ratings[i].elo), -ratings[i].elo))
    games = int(table.sum())
    about = f"{folder}: {len(players)} players, {games:,} games, openings: {_openings_key(settings.match)}"
    zero = f"Elo, {players[0].name} = {settings.elo:g}, with 95 % intervals"
    lines = [about, zero, "", *_rows([(players[i].name, ratings[i]) for i in order])]
    if any(math.isinf(end) for one in ratings for end in (one.low, one.high)):
        apart = f"too few points to tell how far it is from {players[0].name}"
        lines += ["", f"  unbounded: {apart}; more --games may tell, or another first --engine"]
    if faults := {how: n for how, n in results.endings(players).items() if how in _FAULTS}:
        told = ", ".join(f"{how} {n}" for how, n in faults.items())
        lines += ["", f"  lost without a move: {told}; {folder / FILE} says why"]
    return "\n".join([*lines, "", _draw(folder, players, ratings)])


def _rows(rated: Sequence[tuple[str, Rating]]) -> list[str]:
    """A line a player, best first."""
    width = max(len("player"), *(len(name) for name, _ in rated))
    lines = [f"  {'rank':>4}  {'player':<{width}}{'Elo':>9}{'95 % interval':>26}{'games':>8}{'score':>9}"]
    for rank, (name, one) in enumerate(rated, start=1):
        elo = "unknown" if math.isnan(one.elo) else f"{one.elo:.0f}"
        score = f"{100 * one.score:.1f} %" if one.games else "-"
        lines.append(f"  {rank:>4}  {name:<{width}}{elo:>9}{_interval(one):>26}{one.games:>8,}{score:>9}")
    return lines


def _interval(rating: Rating) -> str:
    if rating.low == rating.high:
        return "fixed"
    low, high = (f"{end:.0f}" if math.isfinite(end) else "unbounded" for end in (rating.low, rating.high))
    return f"{low} to {high}"


def _short(player: Entrant) -> str:
    """A name for a picture: of a program without folders, and with those settings only that say how strong it plays."""
    if not player.text.startswith(PROGRAM):
        return player.name
    program = parse_program(player.text.removeprefix(PROGRAM))
    strength = [f"{name} {value}" for name, value in program.options.items() if name.endswith(("Elo", "Level"))]
    return ", ".join([" ".join(Path(word).name for word in program.command), *strength])


def _draw(folder: Path, players: Sequence[Entrant], ratings: Sequence[Rating]) -> str:
    """Draw the picture; a line that says where."""
    path = folder / PICTURE
    networks = [(one.past.about, rating) for one, rating in zip(players, ratings, strict=True) if one.past is not None]
    engines = [(one.name, rating) for one, rating in zip(players, ratings, strict=True) if one.past is None]
    try:
        from selfplay.curves import draw_pool, draw_ratings

        if networks:
            draw_ratings(path, folder.resolve().name, sorted(networks), engines)
        else:
            draw_pool(path, folder.resolve().name, [(_short(players[i]), rating) for i, rating in enumerate(ratings)])
    except ModuleNotFoundError as error:
        return f"No picture: the package {error.name} is not installed."
    except OSError as error:
        return f"No picture: {path} cannot be written ({error.strerror})."
    return f"Drawn in {path}"
