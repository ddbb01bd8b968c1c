"""What UCI and USI have in common: lines in and out, options, and an engine that obeys whatever a client sends.

Three threads: one reads standard input at all times, the main one carries out a command after the other, and a search
thinks on its own (``thinker``), so that ``isready`` and ``stop`` are never kept waiting. Nothing that a client sends
ends the loop but ``quit`` and the end of its input. Nothing heavy is imported before it is needed: the first answer is
due within seconds of the start, whereas a compiler and a network take their time.
"""

import contextlib
import os
import queue
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal, NamedTuple, NoReturn, TextIO

from agents.engine import ahead
from agents.engine.levels import LADDERS, Level, level_of_elo
from agents.engine.time_control import Allowance, SearchLimits, limits_of
from games import GameName

if TYPE_CHECKING:
    from agents.engine.board import Board
    from agents.engine.lines import Line
    from agents.engine.thinker import Brain, Report, Thinker
    from rlcore.game import Game

__all__ = ["AUTODISCOVER", "UNTRAINED", "Client", "Engine", "Load", "Option", "Value", "serve"]

AUTODISCOVER = "<autodiscover>"
"""In place of a folder with weights: the usual run of the game."""
UNTRAINED = "untrained"
"""In place of one: the search without a network."""

Load = Callable[["Game", str, Callable[[str], None]], "Brain"]
"""What makes a brain of the option WeightsFile; what there is to say goes to the third argument, a line at a time.
Raises ValueError where there are no such weights."""

Value = bool | int | float | str

_LONGEST = 1 << 18
"""Bytes of a line; a longer one is passed over. A game of 10,000 moves takes a fifth of that."""
_WAITING = 1000
"""Lines that may wait to be carried out before no more are read."""
_COMPILING = "compiling kernels for this machine, once; up to a minute or two"
_PATIENCE = 3.0
"""Seconds that a search, or kernels that are being compiled, have to end after ``quit``."""
_LAST_PATIENCE = 300.0
"""... and at the end of input without it: what was piped in may still be waiting for them."""


# --- lines in and out ------------------------------------------------------------------------------------------------


class Client:
    """The program at the other end: lines it sends, lines it is told, both also to a log file if wanted."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._lock = threading.Lock()
        self._log: TextIO | None = None
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)

    def listen(self) -> Iterator[str]:
        """The lines that arrive, until ``quit`` or the end; from then on the process has some time to end."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        while (line := self._lines.get()) is not None:
            self._note(">", line)
            yield line

    def tell(self, *lines: str) -> None:
        """Send lines, at once. Where nobody listens any more, the process ends."""
        text = "".join(f"{line}\n" for line in lines)
        with self._lock:
            for line in lines:
                self._note("<", line)
            try:
                self._sink.write(text.encode("ascii", "backslashreplace"))
                self._sink.flush()
            except (OSError, ValueError):
                _leave()  # from whatever thread

    def inform(self, text: object) -> None:
        """Send a line for people to read."""
        self.tell(f"info string {' '.join(str(text).split())}")

    def complain(self, about: str, error: Exception) -> None:
        """Say what went wrong, in a line."""
        self.inform(f"{about}: {str(error) or type(error).__name__}")

    def log_to(self, path: str) -> None:
        """Keep a log of all lines at the end of a file; "" = no more. Raises OSError where it cannot be written."""
        if self._log is not None:
            self._log.close()
            self._log = None
        if path:
            self._log = open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115

    def _read(self) -> None:
        patience = _LAST_PATIENCE
        while line := self._source.readline(_LONGEST):
            words, end = line.split(maxsplit=1), line
            while end and not end.endswith(b"\n") and len(end) == _LONGEST:
                end = self._source.readline(_LONGEST)
            if end is line:
                self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
            else:
                self.inform(f"a line of more than {_LONGEST:,} bytes was passed over")
                if words[:1] == [b"position"]:
                    self._lines.put("position")  # of which nothing can be read, so that nobody thinks about another one
            if words[:1] == [b"quit"]:
                patience = _PATIENCE
                break
        self._lines.put(None)
        time.sleep(patience)  # this thread ends with the process, if that ends by itself
        _leave()

    def _note(self, sign: str, line: str) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError, ValueError):  # a disk that is full must not stop the game
                self._log.write(f"{time.perf_counter():.3f} {sign} {line}\n")


# --- options ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """Something a client may set."""

    name: str
    kind: Literal["check", "spin", "decimal", "string", "filename"]
    default: Value
    least: int = 0
    most: int = 0

    @property
    def key(self) -> str:
        """The name without what clients spell differently: upper case, spaces, and the protocol's prefix."""
        return option_key(self.name)

    def __str__(self) -> str:
        """As the client is told of it."""
        default = str(self.default).lower() if self.kind == "check" else str(self.default) or "<empty>"
        kind = "string" if self.kind == "decimal" else self.kind
        bounds = f" min {self.least} max {self.most}" if self.kind == "spin" else ""
        return f"option name {self.name} type {kind} default {default}{bounds}"

    def read(self, text: str) -> Value:
        """The value that a client's text stands for.

        Raises:
            ValueError: none; says what is expected.
        """
        if self.kind == "check" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if self.kind == "spin" and re.fullmatch("-?[0-9]{1,9}", text) and self.least <= int(text) <= self.most:
            return int(text)
        if self.kind == "decimal" and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            if self.least <= float(text) <= self.most:
                return float(text)
        if self.kind in ("string", "filename"):
            return "" if text == "<empty>" else text
        between = "true or false" if self.kind == "check" else f"a number from {self.least} to {self.most}"
        raise ValueError(f"{self.name} must be {between}, not {text[:40]!r}")


def option_key(name: str) -> str:
    """See ``Option.key``."""
    return re.sub(r"\s", "", name).lower().removeprefix("usi_").removeprefix("uci_")


def strength_options(game: GameName, prefix: str) -> tuple[Option, Option]:
    """What a client may set so that the engine plays like a weaker one."""
    lowest, highest = LADDERS[game][0].elo, LADDERS[game][-1].elo
    return (
        Option(f"{prefix}LimitStrength", "check", False),
        Option(f"{prefix}Elo", "spin", highest, lowest, highest),
    )


def split_at(word: str, words: list[str]) -> tuple[list[str], list[str]]:
    """The words before a word and those after it; where it is not among them, all and none."""
    place = words.index(word) if word in words else len(words)
    return words[:place], words[place + 1 :]


# --- what go says ----------------------------------------------------------------------------------------------------


class Go(NamedTuple):
    """The words behind ``go``."""

    allowed: Allowance
    only: list[str]
    """Moves to choose from; none = all."""
    ponder: bool
    mate: bool
    """Shogi: the answer is to be a mate, or that there is none."""


_PAIRS = {"time": "time", "inc": "increment"}  # a side's letter comes before them
_FLAGS = ("infinite", "ponder", "searchmoves")
_NUMBERS = {
    "movestogo": "moves_to_go",
    "movetime": "move_time",
    "byoyomi": "byoyomi",
    "nodes": "nodes",
    "depth": "depth",
    "mate": "mate",
}
_MOST = 10**12
"""Whatever number a client sends, it means no more; as milliseconds, thirty years."""


def read_go(text: str, sides: str, asks_for_mate: bool = False) -> Go:
    """Read what a client allows, in any order; what is not understood is passed over.

    Args:
        sides: the letters of the sides, the one that moves first first.
        asks_for_mate: behind ``mate`` comes how long to look for one, in milliseconds or "infinite", as in USI, and not
            how many moves it may take, as in UCI.
    """
    allowed, only, ponder, mate = Allowance(), [], False, False
    pairs = {f"{side}{word}": (name, turn) for turn, side in enumerate(sides) for word, name in _PAIRS.items()}
    words = deque(text.split())
    while words:
        word = words.popleft()
        if word in pairs and (number := _number(words)) is not None:
            name, turn = pairs[word]
            pair = list(getattr(allowed, name))
            pair[turn] = number
            setattr(allowed, name, tuple(pair))
        elif word == "mate" and asks_for_mate:
            mate = True
            if words and words[0] == "infinite":  # as long as it takes: no limit, but no waiting for a stop either
                words.popleft()
            else:
                allowed.move_time = _number(words)
        elif word in _NUMBERS and (number := _number(words)) is not None:
            setattr(allowed, _NUMBERS[word], number)
        elif word in ("infinite", "ponder"):
            allowed.infinite = True
            ponder = ponder or word == "ponder"
        elif word == "searchmoves":
            while words and words[0] not in pairs and words[0] not in _NUMBERS and words[0] not in _FLAGS:
                only.append(words.popleft())
    return Go(allowed, only, ponder, mate)


def _number(words: deque[str]) -> int | None:
    """The number that comes next, taken from ``words``; where no number is next, none, and nothing is taken."""
    if words and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", words[0]):
        return int(max(-_MOST, min(float(words.popleft()), _MOST)))
    return None


# --- the engine ------------------------------------------------------------------------------------------------------


class Engine(ABC):
    """An engine that obeys commands; UCI and USI say how they are written.

    Args:
        client: who is told.
        load: what makes a brain of the option WeightsFile.
        values: options that begin with another value than their default, by ``Option.key``.
    """

    game_name: ClassVar[GameName]
    options: ClassVar[Sequence[Option]]
    sides: ClassVar[str]
    """The letters of the sides, the one that moves first first."""
    position_word: ClassVar[str]
    """What comes before a position as text."""
    no_move: ClassVar[str]
    """What is answered where no move is legal."""

    def __init__(self, client: Client, load: Load, values: dict[str, Value]) -> None:
        self.client, self.load = client, load
        self.values: dict[str, Value] = {option.key: option.default for option in self.options} | values
        self.commands: dict[str, Callable[[str], None]] = {
            "isready": self.is_ready,
            "setoption": self.set_option,
            "position": self.set_position,
            "go": self.go,
            "stop": self.stop,
            "ponderhit": self.ponder_hit,
            "quit": self.stop,
        }
        self._board: Board | None = None  # none = the start position, or what could not be read
        self._unreadable = False
        self._thinker: Thinker | None = None
        self._thinker_of: tuple[str, int] | None = None  # the weights and the megabytes it was made for
        self._owes_answer = False  # to the search under way
        self._level: Level | None = None  # of the newest search, where it was not to be as good as it can
        self._pondering: Allowance | None = None  # what was allowed, while the opponent's move is awaited

    # --- written differently in UCI and USI ---

    @abstractmethod
    def score(self, line: "Line") -> str:
        """The score of a line, as in "cp 12"."""

    def answer(self, board: "Board", report: "Report") -> str:
        """The line that ends a search."""
        moves = self.texts(board, report.lines[0].actions[:2])
        return f"bestmove {' ponder '.join(moves) or self.no_move}"

    def excuse(self, board: "Board | None") -> str:
        """The line that takes the place of an answer, where no search can begin."""
        moves = self.texts(board, board.legal[:1]) if board else []
        return f"bestmove {moves[0] if moves else self.no_move}"

    def limits(self, board: "Board", allowed: Allowance) -> SearchLimits:
        """How long to search."""
        limits = limits_of(allowed, board.turn, int(self.values["moveoverhead"]))
        if self._level is not None:
            most = self._level.simulations
            limits = replace(limits, nodes=min(limits.nodes or most, most))
        return limits

    # --- commands ---

    def obey(self, line: str) -> None:
        """Carry out a line: its first word that is a command; words before it are passed over, as UCI demands."""
        for match in re.finditer(r"\S+", line):
            if command := self.commands.get(match[0]):
                try:
                    command(line[match.end() :].strip())
                except Exception as error:  # whatever it was, the next command finds the engine awake
                    self.client.complain(match[0], error)
                return

    def introduce(self, name: str) -> None:
        """Say who answers and what can be set."""
        from rlcore import __version__

        self.client.tell(f"id name rlcore {__version__}", "id author the rlcore developers")
        self.client.tell(*map(str, self.options))
        self.client.tell(name)

    def is_ready(self, _: str) -> None:
        """Answer at once while thinking, else when all is loaded and compiled."""
        try:
            if not self._owes_answer:
                self._prepare()
        finally:
            self.client.tell("readyok")

    def set_option(self, text: str) -> None:
        """``name NAME value VALUE``; an unknown name or a value that makes no sense changes nothing."""
        before, value, *_ = [*re.split(r"\svalue\s", f"{text} ", maxsplit=1), ""]
        name = " ".join(before.split()).removeprefix("name ")
        option = next((option for option in self.options if option.key == option_key(name)), None)
        if option is None:
            raise ValueError(f"there is no option called {name[:40]!r}")
        self.values[option.key] = option.read(value.strip())
        if option.key == "debuglogfile":
            self.client.log_to(str(self.values[option.key]))

    def new_game(self, _: str = "") -> None:
        """What was found out in the game before is of no use."""
        self.stop()
        if self._thinker is not None:
            self._thinker.forget()

    def set_position(self, text: str) -> None:
        """``startpos`` or a position, then ``moves`` ...; up to the first move that is not legal, if one is not."""
        self._board, self._unreadable = None, True  # what cannot be read must not leave another position behind
        before, moves = split_at("moves", text.split())
        if "startpos" in before:
            start = "startpos"
        else:
            start = " ".join(split_at(self.position_word, before)[1])
        self._board, self._unreadable = self._new_board(start), False
        for move in moves:
            self._board.play(self._board.game.from_text(self._board.state, self.plain(move)))

    def go(self, text: str) -> None:
        """Think, and answer once."""
        self._begin(read_go(text, self.sides))

    def ponder_hit(self, text: str) -> None:
        """The opponent has played the move that was expected: from now on the clock counts."""
        if self._thinker is None or self._pondering is None or self._board is None:
            return
        allowed = read_go(text, self.sides).allowed
        if allowed == Allowance():
            allowed = replace(self._pondering, infinite=False)
        self._pondering = None
        self._thinker.follow(self.limits(self._board, allowed))

    def stop(self, _: str = "") -> None:
        """Let a search under way answer now."""
        self._pondering = None
        if self._thinker is not None:
            self._thinker.stop()

    def finish(self) -> None:
        """Let a search under way answer now, and wait until it has."""
        self.stop()
        if self._thinker is not None:
            self._thinker.wait()

    # --- how ---

    def plain(self, move: str) -> str:
        """A move as ``from_text`` reads it."""
        return move

    def texts(self, board: "Board", actions: Sequence[int]) -> list[str]:
        """The moves of a variation from the newest position on."""
        import numpy as np

        found, state = [], board.state.copy()
        for action in actions:
            found.append(board.game.to_text(state, action))
            board.game.apply(state, np.uint16(action))
        return found

    def _game(self) -> "Game":
        """The rules; the first call loads a compiler."""
        from games import load
        from rlcore.jit import on_first_compilation

        def tell() -> None:
            self.client.inform(_COMPILING)
            ahead.start()

        on_first_compilation(tell)
        return load(self.game_name)

    def _new_board(self, start: str) -> "Board":
        from agents.engine.board import Board

        return Board(self._game(), start)

    def _prepare(self) -> "Thinker":
        """The thinker that the options ask for. The first call loads weights and compiles kernels."""
        wanted = str(self.values["weightsfile"]), int(self.values["hash"])
        if self._thinker is None or self._thinker_of != wanted:
            game = self._game()
            if self._thinker is None or self._thinker_of is None or self._thinker_of[0] != wanted[0]:
                brain = self._load(game, wanted[0])
            else:
                brain = self._thinker.brain
            self._thinker = None  # its memory is free before the new one's is taken
            self._thinker = self._new_thinker(game, brain, wanted[1])
            self._thinker_of = wanted
        return self._thinker

    def _load(self, game: "Game", weights: str) -> "Brain":
        """The brain with these weights; where it cannot be had, the one there was, or one that knows only the rules."""
        try:
            brain = self.load(game, weights, self.client.inform)
        except Exception as error:  # whatever is wrong with the files: something can still play
            self.client.complain("no such weights", error)
            brain = self._thinker.brain if self._thinker else self.load(game, UNTRAINED, self.client.inform)
        self.client.inform(f"playing with {brain.name}")
        return brain

    def _new_thinker(self, game: "Game", brain: "Brain", megabytes: int) -> "Thinker":
        """A thinker with so much memory, or as much as there is, ready to think."""
        from agents.engine.thinker import Thinker

        try:
            thinker = Thinker(game, brain, megabytes << 20, seed=int.from_bytes(os.urandom(8), "little"))
        except MemoryError:
            if megabytes == 1:
                raise
            self.client.inform(f"there is not enough memory for {megabytes} MB")
            return self._new_thinker(game, brain, megabytes // 2)
        thinker.warm_up()
        self._rehearse()
        return thinker

    def _rehearse(self) -> None:
        """Go once through what a move needs beside the search, so that all of it is compiled before a clock runs."""
        board = self._new_board("startpos")
        (move,) = self.texts(board, board.legal[:1])
        board.play(board.game.from_text(board.state, move))
        self.limits(board, Allowance())

    def _begin(self, asked: Go) -> None:
        """Start a search; an answer comes whatever happens."""
        from agents.engine.thinker import Task

        board = self._board
        try:
            self.finish()
            if self._unreadable:
                raise ValueError("there is no position to think about")
            thinker = self._prepare()
            board = self._board = board or self._new_board("startpos")
            if (level := self._wanted_level(asked)) != self._level:
                thinker.forget()  # what was found at another level would help this one, or spoil it
                self._level = level
            task = Task(
                board,
                report=lambda report: self.tell_lines(board, report),
                answer=lambda report, broken: self._tell_answer(board, report, broken),
                only=self._actions(board, asked.only),
                num_lines=int(self.values["multipv"]),
                temperature=self._level.temperature if self._level else float(self.values["temperature"]),
            )
            self._pondering = asked.allowed if asked.ponder else None
            limits = self.limits(board, asked.allowed)
            self._owes_answer = True
            thinker.start(task, limits)
        except Exception as error:
            self._owes_answer = False
            self.client.complain("go", error)
            self.client.tell(self.excuse(board))

    def _wanted_level(self, asked: Go) -> Level | None:
        """How well to play, where the client wants less than all; analysis and questions for mate are not limited."""
        is_move = asked.ponder or not (asked.mate or asked.allowed.mate or asked.allowed.infinite)
        if not self.values["limitstrength"] or not is_move:
            return None
        return level_of_elo(self.game_name, int(self.values["elo"]))

    def _actions(self, board: "Board", moves: Sequence[str]) -> list[int]:
        """Those of some moves that are legal."""
        found = []
        for move in dict.fromkeys(moves):
            with contextlib.suppress(ValueError):
                found.append(int(board.game.from_text(board.state, self.plain(move))))
        return found

    def tell_lines(self, board: "Board", report: "Report") -> None:
        milliseconds = int(1000 * report.seconds)
        speed = int(report.nodes / max(report.seconds, 0.001))
        spent = f"nodes {report.nodes} nps {speed} hashfull {int(1000 * report.full)} time {milliseconds}"
        told = []
        for rank, line in enumerate(report.lines, start=1):
            moves = " ".join(self.texts(board, line.actions))
            place = f"depth {report.depth} seldepth {report.deepest} multipv {rank}"
            told.append(f"info {place} score {self.score(line)} {spent}" + (f" pv {moves}" if moves else ""))
        self.client.tell(*told)

    def _tell_answer(self, board: "Board", report: "Report", broken: Exception | None) -> None:
        try:
            if broken is not None:
                self.client.complain("the search broke off", broken)
            self.tell_lines(board, report)
            answer = self.answer(board, report)
        except Exception as error:  # an answer it must be
            self.client.complain("go", error)
            answer = self.excuse(board)
        self._owes_answer = False  # before the client hears it, and asks whether we are ready
        self.client.tell(answer)


def serve(engine: type[Engine], load: Load, log: str = "", **values: Value) -> NoReturn:
    """Obey the client at standard input and output until it leaves, then end the process.

    Standard output is the client's alone: whatever a library prints there goes to standard error.

    Raises:
        OSError: the file ``log`` cannot be written.
    """
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with contextlib.suppress(OSError):  # there may be no standard error
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    client = Client(sys.stdin.buffer, sink)
    client.log_to(log)
    obeying = engine(client, load, values)
    for line in client.listen():
        obeying.obey(line)
    obeying.finish()
    _leave()  # all is said and flushed


def _leave() -> NoReturn:
    """End the process at once: to unload a compiler and a network takes seconds."""
    ahead.stop()
    os._exit(0)
