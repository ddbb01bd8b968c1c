"""Lessons: games to learn from as the game records of self-play, from a teacher or from files.

A teacher's game begins with random moves, goes on with moves drawn from the teacher's own policy, and now and then a
random one; each position after the opening carries the teacher's opinion. Most games end when they are decided. The
seed and the game's id decide everything: what a kill cuts short is played again, move by move the same.

In a game of a file the policy is the move that was played, and the value the result. Its id is a hash of both, so a
game that is there twice is learned from once, and a run that goes on knows which it has had.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from agents.engine.board import Board
from games.errors import BadMove, BadPosition
from rlcore.game import Game
from rlcore.jit import Array
from selfplay.config import ConfigError, LessonConfig
from selfplay.openings import READERS
from selfplay.record import GameRecord, RecordBuilder
from selfplay.teacher import Opinion, Teacher

__all__ = ["FIRST_LESSON_ID", "TAUGHT", "find_files", "is_held_out", "play_lesson", "read_lessons"]

FIRST_LESSON_ID = 1 << 40
"""Lessons have ids from here on: no player of a run comes so far."""
TAUGHT = -1
"""The version of the network that played a lesson: none did."""

_DECIDED = 4
"""Plies for which a game has to be decided to be given up."""
_RESULTS = {"1-0": 1.0, "0-1": -1.0, "1/2-1/2": 0.0}
"""For the side that moves first."""


def is_held_out(game_id: int, config: LessonConfig) -> bool:
    """Whether a lesson is kept out of training."""
    return game_id % config.held_out == 0


# --- a teacher's games -----------------------------------------------------------------------------------------------


def play_lesson(
    game: Game, teacher: Teacher, config: LessonConfig, game_id: int, seed: int, max_plies: int
) -> GameRecord:
    """A game of the teacher; broken off after ``max_plies``.

    Raises:
        ProgramFailed: the teacher has no opinion of a position.
    """
    generator = np.random.default_rng((seed, game_id))
    is_played_on = generator.random() < config.played_on
    builder, board = RecordBuilder(game_id, 0, TAUGHT), Board(game)
    for _ in range(int(generator.integers(config.opening_plies + 1))):
        board.play(int(generator.choice(board.legal)))
        if board.ending:
            board.undo()
            break
        builder.add(board.actions[-1])
    teacher.begin(board)
    decided = 0  # plies in a row
    while not board.ending and len(board.actions) < max_plies:
        opinion = teacher.opinion(board)
        win, _, loss = opinion.wdl
        decided = decided + 1 if max(win, loss) > config.decided else 0
        action = _choose(board, opinion, config, generator)
        builder.add(action, opinion.actions, opinion.weights, opinion.wdl, min(config.nodes, 65_535), True)
        board.play(action)
        if decided == _DECIDED and not is_played_on and not board.ending:
            value = 1.0 if loss > win else -1.0  # for the other side, whose turn it is now
            return builder.finish(value, int(game.Ending.RESIGNATION), TAUGHT)
    if board.ending:
        return builder.finish(board.value, board.ending, TAUGHT)
    return builder.finish(0.0, int(game.Ending.MAX_PLIES), TAUGHT)


def _choose(board: Board, opinion: Opinion, config: LessonConfig, generator: np.random.Generator) -> int:
    """The move to go on with."""
    if generator.random() < config.random_share:
        return int(generator.choice(board.legal))
    return int(generator.choice(opinion.actions, p=opinion.weights))


# --- games of files --------------------------------------------------------------------------------------------------


class NoLesson(Exception):
    """A game that nothing can be learned from; the message says why."""


def find_files(game: Game, names: Iterable[str]) -> list[Path]:
    """The files of games that are named, and those in the folders that are.

    Raises:
        ConfigError: there is none, or one of a kind that is not read.
    """
    if game.name not in READERS:
        raise ConfigError(f"there are no files of games of {game.name} to learn from, only of {' and '.join(READERS)}")
    kinds = READERS[game.name]
    files = []
    for path in map(Path, names):
        found = sorted(one for one in path.rglob("*") if one.suffix.lower() in kinds) if path.is_dir() else [path]
        if not found:
            raise ConfigError(f"there is no {' or '.join(kinds)} file in {path}")
        files += found
    for path in files:
        if path.suffix.lower() not in kinds:
            raise ConfigError(f"{path} is no file of games of {game.name}: {' or '.join(kinds)}")
        if not path.is_file():
            raise ConfigError(f"there is no file {path}")
    return files


def read_lessons(
    game: Game, files: Iterable[Path], config: LessonConfig, skip: Callable[[str], None]
) -> Iterator[GameRecord]:
    """The games of files, one by one. ``skip`` is told of each that is left out: which, and why.

    Raises:
        ConfigError: a file cannot be read.
    """
    for path in files:
        try:
            for number, found in enumerate(_games(game, path), start=1):
                try:
                    if isinstance(found, Exception):
                        raise found
                    yield _lesson(game, found, config)
                except (BadMove, BadPosition, NoLesson) as error:
                    skip(f"{path}, game {number}: {error}")
        except OSError as error:
            raise ConfigError(f"{path} cannot be read ({error.strerror})") from None


def _games(game: Game, path: Path) -> Iterator[Any]:
    """The games of a file as its reader has them; in the place of a bad one, its error."""
    read = getattr(game, READERS[game.name][path.suffix.lower()])
    if path.suffix.lower() == ".pgn":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            bad = True
            while bad:  # then the reader is done, but the file stands at the next game
                bad = False
                for found in _until_bad(read(file)):
                    bad = isinstance(found, NoLesson)
                    yield found
        return
    for text in re.split(r"(?m)^/[ \t\r]*$", game.decode(path.read_bytes())):  # the end of a game, in CSA
        yield from _until_bad(read(text))


def _until_bad(games: Iterator[Any]) -> Iterator[Any]:
    """Games, and the error where there is a bad one."""
    try:
        yield from games
    except (BadMove, BadPosition) as error:
        yield NoLesson(str(error).partition(": ")[2])  # which game it is, is said by whoever counts them


def _lesson(game: Game, found: Any, config: LessonConfig) -> GameRecord:
    """The record of a game that a file has.

    Raises:
        NoLesson: there is nothing to learn from it.
    """
    board = Board(game)
    if found.start != board.start:
        raise NoLesson("it begins from another position than the usual one")
    if not len(found.actions):
        raise NoLesson("it has no moves")
    value = _value(found)
    builder = RecordBuilder(_id_of(found.actions, value), 0, TAUGHT)
    for ply, action in enumerate(found.actions):
        legal = np.array(board.legal, np.uint16)
        weights = (1.0 - config.smoothing) * (legal == action) + config.smoothing / len(legal)
        mine = value * game.DISCOUNT ** (len(found.actions) - ply)
        wdl = (max(mine, 0.0), 1.0 - abs(mine), max(-mine, 0.0))
        builder.add(int(action), legal, weights, wdl, 0, True)
        board.play(int(action))
    if not board.legal and board.value != value:
        raise NoLesson("its result is not that of its last position")
    return builder.finish(value, _ending(game, found, board, value), TAUGHT)


def _value(found: Any) -> float:
    """The result for the side to move in the end."""
    if hasattr(found, "result"):  # PGN names the winner
        if found.result not in _RESULTS:
            raise NoLesson("it has no result")
        return _RESULTS[found.result] * (-1.0) ** len(found.actions)
    if not found.ending:
        raise NoLesson("it has no result")
    return float(found.value)


def _ending(game: Game, found: Any, board: Board, value: float) -> int:
    """Why the game ended: by the board, by the file, else as players end games."""
    if board.ending and board.value == value:
        return board.ending
    if hasattr(found, "ending"):
        return int(found.ending)
    return int(game.Ending["RESIGNATION" if value else "AGREEMENT"])


def _id_of(actions: Array, value: float) -> int:
    text = np.ascontiguousarray(actions, np.uint16).tobytes() + np.float32(value).tobytes()
    return FIRST_LESSON_ID + (int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 4)
