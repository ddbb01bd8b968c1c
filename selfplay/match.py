"""A match between two engines that a command line names.

A game of a match begins with an opening, which its neighbour has too, with colours changed. Two engines of ours with
fixed simulations play all games side by side, so that networks get full batches (``selfplay.arena``); where time counts
or an outside program takes part, each game has a referee of its own, who keeps the clocks, and some are played at the
same time on threads (``selfplay.referee``). Either way a finished game is a ``MatchGame``, and here it is told of: in
the file of games, to the test that may end the match, and in the result. The result counts what the file holds.
"""

import re
import sys
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from agents.engine.board import Board
from agents.engine.clients import Limits, ProgramFailed, ProgramPlayer, parse_program
from agents.engine.views import view_class
from agents.players import Player
from games.errors import shown
from rlcore.game import Game
from rlcore.progress import Progress
from selfplay.adjudication import NEVER, Adjudication
from selfplay.arena import MatchGame, play_games
from selfplay.elo import Sprt
from selfplay.engines import PROGRAM, EngineError, make_player
from selfplay.gui import load_brain
from selfplay.openings import Opening, common_openings, random_openings, read_openings
from selfplay.referee import GameRules, OwnPlayer, Side, ThinkingPlayer, play_game
from selfplay.result import decision, table

__all__ = [
    "Adjudication",
    "EngineError",
    "Interrupted",
    "MatchSettings",
    "NotSaved",
    "Sprt",
    "check",
    "openings_of",
    "pace",
    "parse_limits",
    "prepare",
    "run",
]

_SIDE_BY_SIDE = 128
"""Games played at once: enough to fill a network's batch, few enough for their trees to fit into memory. An even
number, so that pairs stay together."""
_RANDOM_PLIES = 6
_SECONDS = 0.1
_WITHOUT_TIME = ("random", "rollouts", "perfect")
"""Engines that do what they do however long it takes."""
_TERMINATIONS = {"crash": "abandoned", "adjudicated loss": "adjudication"}
"""PGN's words for how games end that are told by the ending of another game."""
_MOST_AT_ONCE = 256
_MOST_ELO = 1000
_MOST = 1_000_000_000
"""Nodes or seconds."""

Parts = Generator[list[MatchGame], None, None]
"""Finished games, both of each pair together. A match may end after each part: what a part holds was chosen before it
was played, so that nothing depends on which games are short."""


class MatchSettings(NamedTuple):
    """How a match is played."""

    games: int = 100
    simulations: int | None = None
    """A move, for engines of ours; none = by the limits, or without limits as each was trained."""
    seed: int = 1
    openings: str = "random"
    """Or "common", or a file, see ``selfplay.openings``."""
    opening_plies: int | None = None
    """Moves of an opening; none = 6 random ones, or all of the others'."""
    limits: Limits = Limits()
    """Without any, programs have 0.1 s a move. Time is for engines of ours, too, unless ``simulations`` are given, and
    nodes are simulations to them."""
    concurrency: int = 1
    """Games at the same time where there is a referee."""
    adjudication: Adjudication = NEVER
    sprt: Sprt | None = None
    """The test that may end the match before all games are played."""
    save: Path | None = None
    """A file for the games, which must not be there yet."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a match; its text is the result until then."""


class NotSaved(EngineError):
    """The file of games can no longer be written, which ends a match; the file holds whole games.

    Args:
        result: until then, as lines of text.
    """

    def __init__(self, reason: str, result: str = "") -> None:
        super().__init__(reason)
        self.result = result


def run(game: Game, engines: Sequence[str], settings: MatchSettings) -> str:
    """Play two engines against each other, with a progress bar where there is a terminal.

    Args:
        engines: each as ``make_player`` names ours, or ``cmd:`` and a program as ``parse_program`` reads it.

    Returns:
        The result as lines of text.

    Raises:
        EngineError: there are not two, one cannot be had, a number makes no sense, or the file cannot be written;
            ``NotSaved`` where games have been played.
        OpeningError: the openings cannot be had.
        Interrupted: by the user.
    """
    check(game, engines, settings)
    openings, described = openings_of(game, settings)
    finished: list[MatchGame] = []
    with ExitStack() as stack:
        tell = stack.enter_context(Progress("games", settings.games)).after(0)
        names, parts = prepare(stack, game, engines, openings, settings, tell)
        file = stack.enter_context(_new_file(settings.save)) if settings.save else None
        try:
            for part in stack.enter_context(closing(parts)):
                finished += part
                if file is not None:
                    _save(file, game, names, part)
                if decision(finished, settings.sprt) is not None:
                    break
        except (KeyboardInterrupt, NotSaved) as error:
            done = f"Broken off after {len(finished)} of {settings.games} games."
            text = table(names, finished, described, settings.sprt) if finished else ""
            result = f"{done}\n{text}".rstrip()
            if isinstance(error, NotSaved):
                raise NotSaved(str(error), result) from None
            raise Interrupted(result) from None
    return table(names, finished, described, settings.sprt)


def parse_limits(
    nodes: int = 0, seconds: float = 0.0, clock: str = "", margin: float = 0.1, byoyomi: float = 0.0
) -> Limits:
    """What engines may use, of which at most one is given.

    Args:
        clock: such as ``60+0.5``, seconds a game and seconds that each move adds.
        margin: seconds that an answer may be late.
        byoyomi: seconds that each move may take once the clock, or without one nothing, has run down.

    Raises:
        EngineError: more than one is given, or the clock cannot be read.
    """
    if sum(map(bool, (nodes, seconds, clock or byoyomi))) > 1:
        raise EngineError("give one of nodes, time a move and a clock, not several")
    if byoyomi and not clock:
        return Limits(clock=(0.0, 0.0), byoyomi=byoyomi, margin=margin)
    if not clock:
        return Limits(nodes or None, seconds or None, margin=margin)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:\+(\d+(?:\.\d+)?))?", clock)
    if found is None:
        raise EngineError(f"a clock is written 60+0.5, in seconds, not {shown(clock)}")
    main, increment = float(found[1]), float(found[2] or 0)
    if increment and byoyomi:
        raise EngineError("give an increment or byoyomi, not both")
    return Limits(clock=(main, increment), byoyomi=byoyomi, margin=margin)


def check(game: Game, engines: Sequence[str], settings: MatchSettings) -> None:
    """Refuse what makes no match."""
    if game.DISCOUNT > 0.0:
        raise EngineError(f"{game.name} is for one player: there are no matches, but its training ends with a check")
    if len(engines) != 2:
        raise EngineError(f"a match needs two engines, not {len(engines)}: give --engine twice")
    if settings.games < 1 or not 0 <= (settings.opening_plies or 0) <= 200:
        raise EngineError("a match needs at least 1 game, and 0 to 200 opening plies")
    if not 1 <= settings.concurrency <= _MOST_AT_ONCE:
        raise EngineError(f"1 to {_MOST_AT_ONCE} games may be played at the same time, not {settings.concurrency}")
    _check_limits(settings.limits)
    resign, draw = settings.adjudication
    if not (resign is None or resign > 0) or not (draw is None or draw >= 0):
        raise EngineError("a game is lost by more than 0 centipawns, and drawn within 0 or more")
    if settings.sprt is not None and not -_MOST_ELO <= settings.sprt.elo0 < settings.sprt.elo1 <= _MOST_ELO:
        raise EngineError(f"the second difference of the test must be greater than the first, both {_MOST_ELO} at most")
    if settings.save is not None and settings.save.exists():
        raise EngineError(f"{settings.save} is there already: name a new file, so that it holds this match alone")


def _check_limits(limits: Limits) -> None:
    """Refuse what cannot be told to a program."""
    clock, increment = limits.clock or (1.0, 0.0)
    if not all(0 < number <= _MOST for number in (limits.nodes or 1, limits.seconds or 1.0, clock + limits.byoyomi)):
        raise EngineError(f"nodes and seconds must be more than 0, and at most {_MOST:,}")
    if not all(0 <= number <= _MOST for number in (increment, limits.byoyomi, limits.margin)):
        raise EngineError(f"an increment, byoyomi and a margin must be 0 to {_MOST:,} s")


def openings_of(game: Game, settings: MatchSettings) -> tuple[list[Opening], str]:
    """The openings of a match, and what they are for people to read."""
    plies, pairs = settings.opening_plies, -(-settings.games // 2)
    if settings.openings == "random":
        plies = _RANDOM_PLIES if plies is None else plies
        return random_openings(game, pairs, plies, settings.seed), f"random openings of {plies} plies"
    if settings.openings == "common":
        found, source = common_openings(game, plies), "common openings"
    else:
        found, source = read_openings(game, Path(settings.openings), plies), f"openings of {settings.openings}"
    return found, f"{min(len(found), pairs)} of {len(found)} {source}"


# --- playing ---------------------------------------------------------------------------------------------------------


def prepare(
    stack: ExitStack,
    game: Game,
    engines: Sequence[str],
    openings: Sequence[Opening],
    settings: MatchSettings,
    tell: Callable[[int], None],
    make: Callable[..., Player] = make_player,
) -> tuple[tuple[str, str], Parts]:
    """The names of both players, and the match about to be played; ``stack`` ends whatever is started for it.

    Args:
        tell: called with the number of finished games whenever it grows.
        make: what makes players of ours with fixed simulations.
    """
    if not any(text.startswith(PROGRAM) or _thinks_by_time(text, settings) for text in engines):
        room, simulations = min(settings.games, _SIDE_BY_SIDE), settings.simulations or settings.limits.nodes
        first, second = (make(game, text, room, simulations, warn=_warn) for text in engines)
        _tell_apart(first, second)
        return (first.name, second.name), _side_by_side(game, (first, second), openings, settings, tell)
    tables = []
    for number in range(min(settings.concurrency, settings.games)):
        sides = [_make_side(stack, game, text, settings, _warn if number == 0 else None, make) for text in engines]
        _tell_apart(*sides)
        tables.append((sides[0], sides[1]))
    return (tables[0][0].name, tables[0][1].name), _refereed(game, tables, openings, settings, tell)


def _make_side(
    stack: ExitStack,
    game: Game,
    text: str,
    settings: MatchSettings,
    warn: Callable[[str], None] | None,
    make: Callable[..., Player],
) -> Side:
    """A player for one game at a time."""
    if _thinks_by_time(text, settings):
        try:
            return ThinkingPlayer(game, load_brain(game, text, warn or _say_nothing), settings.limits)
        except MemoryError:
            raise EngineError(f"there is not enough memory for {settings.concurrency} games at a time") from None
    if not text.startswith(PROGRAM):
        return OwnPlayer(make(game, text, 1, settings.simulations or settings.limits.nodes, warn))
    try:
        player = ProgramPlayer(game, parse_program(text.removeprefix(PROGRAM)), _limits_of_programs(settings))
    except ProgramFailed as error:
        raise EngineError(f"{text} {error}") from None
    stack.callback(player.close)
    return player


def _thinks_by_time(text: str, settings: MatchSettings) -> bool:
    """Whether an engine is one of ours that stops when its time is up."""
    searches = not text.startswith(PROGRAM) and text not in _WITHOUT_TIME
    return searches and settings.limits.by_time and settings.simulations is None


def _limits_of_programs(settings: MatchSettings) -> Limits:
    limits = settings.limits
    return limits if limits.by_time or limits.nodes else limits._replace(seconds=_SECONDS)


def pace(text: str, settings: MatchSettings, trained: int) -> str:
    """How much an engine that searches may think, in words; ``trained`` simulations where the settings do not say."""
    if text.startswith(PROGRAM):
        return str(_limits_of_programs(settings))
    if _thinks_by_time(text, settings):
        return str(settings.limits)
    return f"{settings.simulations or settings.limits.nodes or trained} simulations"


def _tell_apart(first: Player | Side, second: Player | Side) -> None:
    """Two engines have two names, by which a file of games tells who won."""
    if first.name == second.name:
        first.name, second.name = f"{first.name} (first)", f"{second.name} (second)"


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def _say_nothing(_: str) -> None:
    """What has been said of the first game's engine holds for those of the others."""


def _side_by_side(
    game: Game,
    players: tuple[Player, Player],
    openings: Sequence[Opening],
    settings: MatchSettings,
    tell: Callable[[int], None],
) -> Parts:
    """A match of our own engines with fixed simulations."""
    for begin in range(0, settings.games, _SIDE_BY_SIDE):
        numbers = range(begin, min(begin + _SIDE_BY_SIDE, settings.games))

        def progress(done: int, before: int = begin) -> None:
            tell(before + done)

        rules = settings.adjudication
        yield play_games(game, players, numbers, openings, settings.seed, adjudication=rules, progress=progress)


def _refereed(
    game: Game,
    tables: Sequence[tuple[Side, Side]],
    openings: Sequence[Opening],
    settings: MatchSettings,
    tell: Callable[[int], None],
) -> Parts:
    """A match by time or with programs, as many games at a time as there are tables; a part is a pair of games."""
    free: SimpleQueue[tuple[Side, Side]] = SimpleQueue()
    for sides in tables:
        free.put(sides)
    rules = GameRules(_limits_of_programs(settings), settings.adjudication)

    def play(number: int) -> MatchGame:
        sides = free.get()
        try:
            return play_game(game, sides, number, openings[number // 2 % len(openings)], settings.seed, rules)
        finally:
            free.put(sides)

    pool, is_complete = ThreadPoolExecutor(len(tables)), False
    try:
        part: list[MatchGame] = []
        for done, one in enumerate(pool.map(play, range(settings.games)), start=1):
            part.append(one)
            tell(done)
            if done % 2 == 0 or done == settings.games:
                yield part
                part = []
        is_complete = True
    finally:  # where the match is broken off, its programs' end is the end of the games in progress
        pool.shutdown(wait=False, cancel_futures=True)
        for sides in tables:
            for side in sides:
                side.close(politely=is_complete)
        pool.shutdown()


# --- the file of games -----------------------------------------------------------------------------------------------


def _new_file(path: Path) -> FileIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileIO(path, "xb")  # without a buffer, which would be written once more when it is closed
    except OSError as error:
        raise EngineError(f"{path} cannot be written ({error.strerror})") from None


def _save(file: FileIO, game: Game, names: tuple[str, str], games: Sequence[MatchGame]) -> None:
    """Append games in the game's own format. There is no date, so that the same match is the same file.

    Raises:
        NotSaved: not all of them fit; no part of a game is left behind.
    """
    moves_first, moves_second = view_class(game).sides
    for one in games:
        by_turn = names if one.number % 2 == 0 else names[::-1]
        headers = {
            "Event": "rlcore match",
            "Round": str(one.number + 1),
            moves_first: by_turn[0],
            moves_second: by_turn[1],
            "Opening": one.opening.name,
            "Reason": one.reason or one.how,
        }
        if one.how in _TERMINATIONS:
            headers["Termination"] = _TERMINATIONS[one.how]
        start = None if one.opening.start == "startpos" else Board(game, one.opening.start).start
        data, before = game.write_game(one.actions, headers, one.ending, one.value, start).encode(), file.tell()
        try:
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            with suppress(OSError):
                file.truncate(before)
            raise NotSaved(f"{file.name} cannot be written any further ({error.strerror})") from None
