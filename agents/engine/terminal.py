"""People and computers at one board, in a terminal: a prompt, and a word for everything."""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from agents.engine import files
from agents.engine.clock import BadClock, TimeControl, parse_clock
from agents.engine.computer import Computer
from agents.engine.files import BadFile
from agents.engine.levels import LADDERS, BadLevel, Level, parse_level
from agents.engine.screen import Looks, Screen
from agents.engine.session import Session
from agents.engine.thinker import Report
from agents.engine.views import NoView, View, view_class
from agents.players import Player
from games.errors import BadMove, BadPosition, shown
from rlcore.game import Game

__all__ = ["MISTAKES", "Side", "Terminal", "play"]

Side = Literal["first", "second", "white", "black", "random", "both", "none"]

_LONGEST_LINE = 8
"""Moves of the play that an engine expects, at most so many."""
_PAUSE = 0.5
"""Seconds that a move of two engines stays on the screen, at least."""
_AFTER_THE_FLAG = 0.001
"""Seconds after which a flag has certainly fallen: two clocks of one machine may differ a little."""
_TIMES = ("", "second", "third")

_HELP = """\
a move      {view.examples}; {view.special}
moves       all legal moves; moves {view.square}: those from or to a square
hint        what the engine would play at its best
eval        how the game may end, the best moves, the play expected from here
undo        take back your last move and the answer to it
flip        turn the board round; you keep your side
draw        offer a draw; {view.draws}
{declare}resign      give the game up
level 800   let the engine search so many positions a move; level 2s: so long;
            {levels}level full: as well as it can
clock 5+3   clocks: 5 minutes + 3 seconds a move; clock 10/30: 10 minutes, then
            30 seconds for each move; clock off
{view.notation:<12}the position as text
save FILE   write the game so far to a new file
load FILE   go on from the last position of a game in a file
new         begin another game, the same side
go          let two engines play on
help        this list
quit        leave; so do Ctrl-D and Ctrl-C"""
_LEVELS = "level club, or beginner, casual, strong; level 1200elo;\n            "
_DECLARE = "declare     you have won: your king has entered the camp (27 points)\n"


class BadSides(ValueError):
    """Who plays whom makes no sense; one sentence says why."""


MISTAKES = (BadClock, BadLevel, BadPosition, BadSides, NoView)
"""What can be wrong with what somebody asks ``play`` for; one sentence says it."""


class Terminal:
    """Reads lines until the person leaves."""

    def __init__(self, session: Session, screen: Screen) -> None:
        self.session, self.screen, self.view = session, screen, session.view
        self._say = screen.say
        self._words: dict[str, Callable[[str], None]] = {
            "moves": self._moves,
            "hint": self._hint,
            "eval": self._eval,
            "pv": self._eval,
            "undo": self._undo,
            "flip": self._flip,
            "draw": self._draw,
            "declare": self._declare,
            "resign": self._resign,
            "level": self._level,
            "clock": self._clock,
            "fen": self._position,
            "sfen": self._position,
            "position": self._position,
            "save": self._save,
            "load": self._load,
            "new": self._new,
            "go": self._go,
            "help": self._help,
            "?": self._help,
        }

    def run(self) -> int:
        """Play until the person quits or the input ends; returns the exit code 0. Ctrl-C raises KeyboardInterrupt."""
        self._say(self._greeting())
        if self.session.people:
            self._say(f"Type a move, such as {self.view.examples}; 'help' lists what else you can type.")
        self._go_on()
        while (line := self._read()) is not None:
            word, _, rest = line.strip().partition(" ")
            if word.lower() in ("quit", "exit", "q"):
                return 0
            if self.session.is_late():
                self._say(self.session.result())
            if word.lower() in self._words:
                self._words[word.lower()](rest.strip())
            elif word:
                self._move(line.strip())
        return 0

    def _greeting(self) -> str:
        sides, computers = self.view.sides, self.session.computers
        names = [f"{side}: {computer.name}" for side, computer in zip(sides, computers, strict=True) if computer]
        if len(names) == 2:
            return f"{names[0]}.\n{names[1]}.\nCtrl-C stops them."
        if not names:
            return f"You play both sides; {self.session.adviser.name} gives hints."
        person = self.session.people[0]
        return f"You are {sides[person]} against {self.session.adviser.name}."

    # --- the course of the game --------------------------------------------------------------------------------------

    def _move(self, text: str) -> None:
        """The person's move, and the answer to it."""
        if self._is_over() or self._only_watches():
            return
        session = self.session
        try:
            action = self.view.read_move(session.board.state, text, session.previous)
        except BadMove as error:
            self._say(f"{error}; 'moves' lists the legal ones, 'help' the commands.")
            return
        session.play(action)
        self._go_on()

    def _go_on(self) -> None:
        """The computers' moves as long as one is due, then the board; and the result where the game is over."""
        session = self.session
        if session.mover is None:
            self.screen.show(session)
        elif session.people:
            self._let_move()
        else:
            self._watch()
        if session.board.ending:
            self._say(session.result())
        elif session.people:
            self._remark()
            session.start_clock()

    def _watch(self) -> None:
        """Two computers play on, until the game is over or somebody presses Ctrl-C."""
        try:
            while self.session.mover is not None:
                began = time.monotonic()
                self._let_move(shown=self.screen.live)
                if self.screen.live:
                    time.sleep(max(_PAUSE - (time.monotonic() - began), 0.0))
        except KeyboardInterrupt:
            self.session.stop_clock()
            self._say("\nStopped. 'go' lets them play on, 'quit' leaves.")
        else:
            if not self.screen.live:
                self.screen.show(self.session)

    def _let_move(self, shown: bool = True) -> None:
        """The computer on turn moves; the board is shown, and the move is told."""
        session = self.session
        state, played = session.board.state, len(session.names)
        self.screen.think(session.let_move)
        if shown:
            self.screen.show(session)
        if len(session.names) > played:
            move, text = session.names[-1], session.game.to_text(state, session.board.actions[-1])
            self._say(f"{self.view.sides[int(state['turn'])]} plays {move} ({text}).")

    def _remark(self) -> None:
        """What a person should know of the position and may not see."""
        board = self.session.board
        if board.earlier:
            self._say(f"This position stands for the {_TIMES[min(board.earlier, 2)]} time.")
        if board.may_declare:
            self._say("You may declare that you have won: type 'declare'.")

    def _is_over(self) -> bool:
        if self.session.board.ending:
            self._say("The game is over. Type 'new', 'undo', 'save FILE' or 'quit'.")
        return self.session.board.ending != 0

    def _only_watches(self) -> bool:
        if not self.session.people:
            self._say("You only watch here: 'go' lets the engines play on, 'help' lists what else you can type.")
        return not self.session.people

    # --- words: the position -----------------------------------------------------------------------------------------

    def _help(self, _rest: str) -> None:
        declares = "DECLARATION" in self.session.game.Ending.__members__
        levels = _LEVELS * (self.session.game.name in LADDERS)
        self._say(_HELP.format(view=self.view, declare=_DECLARE * declares, levels=levels), hang=12)

    def _moves(self, rest: str) -> None:
        if self._is_over():
            return
        session = self.session
        state, to_text = session.board.state, session.game.to_text
        chosen = [action for action in session.board.legal if rest.lower() in to_text(state, action).lower()]
        names = sorted(session.name(action) for action in chosen)
        limited = f" with {shown(rest)}" if rest else ""
        self._say(f"{len(names)} legal move{'s' * (len(names) != 1)}{limited}{':' * bool(names)}")
        if names:
            self.screen.print_names(names)

    def _position(self, _rest: str) -> None:
        print(self.session.game.write(self.session.board.state))  # in one line, to be copied

    def _flip(self, _rest: str) -> None:
        self.screen.turned = not self.screen.turned
        self.screen.show(self.session)

    def _hint(self, _rest: str) -> None:
        if (opinion := self._ask()) is not None:
            session, action = self.session, opinion.lines[0].actions[0]
            text = session.game.to_text(session.board.state, action)
            self._say(f"The engine would play {session.name(action)} ({text}).")

    def _eval(self, _rest: str) -> None:
        if (opinion := self._ask()) is None:
            return
        session, best = self.session, opinion.lines[0]
        turn, sides = session.board.turn, self.view.sides
        mine, theirs = ((1 - best.draw + sign * best.value) / 2 for sign in (1, -1))
        first, second = (theirs, mine) if turn else (mine, theirs)
        self._say(f"{sides[0]} wins {first:.0%}, draw {best.draw:.0%}, {sides[1]} wins {second:.0%}.")
        if best.plies:
            winner = sides[turn if best.plies > 0 else 1 - turn]
            moves = (abs(best.plies) * self.view.numbers + 1) // 2  # where a number stands for a pair, of the winner
            self._say(f"{winner} wins by force in {moves} move{'s' * (moves != 1)}.")
        self._say(f"Best moves for {sides[turn]}, what to expect of them, and play as it may go on:")
        rows = []
        for line in opinion.lines:
            name, *others = session.names_of(line.actions[:_LONGEST_LINE])
            rows.append((name, f"{(1 + line.value) / 2:4.0%}", others))
        self.screen.print_rows(rows)
        self._say(f"({opinion.nodes:,} simulations, {opinion.seconds:.1f} s)")

    def _ask(self) -> Report | None:
        """What the engine thinks of the position."""
        if self._is_over():
            return None
        adviser = self.session.adviser
        if not adviser.thinks:
            self._say("This opponent does not think, so it has no advice.")
            return None
        return self.screen.think(lambda: adviser.opinion(self.session.board))

    # --- words: the game ---------------------------------------------------------------------------------------------

    def _undo(self, _rest: str) -> None:
        session = self.session
        was_late = session.board.ending == session.game.Ending.TIME
        if not session.undo():
            self._say("There is no move of yours to take back.")
            return
        if was_late:
            session.clock = None
            self._say("The game goes on without clocks; the next one has them again.")
        self.screen.show(session)
        if session.people:
            session.start_clock()

    def _draw(self, _rest: str) -> None:
        if self._is_over() or self._only_watches():
            return
        session, opponent = self.session, self.session.opponent
        if opponent is not None and not self._agrees(opponent):
            return
        session.agree_on_draw()
        self._say(session.result())

    def _agrees(self, opponent: Computer) -> bool:
        """Whether a computer takes an offer of a draw: where it expects no more; it says so if not."""
        side = self.view.sides[1 - self.session.board.turn]
        if not opponent.thinks:
            self._say(f"{side} does not think, so it plays on.")
            return False
        mine = self.screen.think(lambda: opponent.opinion(self.session.board)).lines[0].value
        if mine < 0.0:
            self._say(f"{side} declines: it expects more than a draw.")
        return mine >= 0.0

    def _declare(self, _rest: str) -> None:
        if self._is_over() or self._only_watches():
            return
        board = self.session.board
        if not board.may_declare:
            self._say(f"You cannot declare a win: {self.view.why_not_declare(board.state)}.")
            return
        self.session.declare()
        self._say(self.session.result())

    def _resign(self, _rest: str) -> None:
        if not self._is_over() and not self._only_watches():
            self.session.resign()
            self._say(self.session.result())

    def _new(self, _rest: str) -> None:
        self.session.again()
        self._go_on()

    def _go(self, _rest: str) -> None:
        if self._is_over():
            return
        if self.session.people:
            self._say("It is your move; 'hint' says what the engine would play.")
        else:
            self._go_on()

    def _level(self, rest: str) -> None:
        computers = (self.session.adviser, *filter(None, self.session.computers))
        thinking = [computer for computer in computers if computer.thinks]
        if not thinking:
            self._say("This opponent does not think, so it has no levels.")
            return
        try:
            level = parse_level(rest, self.session.game.name) if rest else thinking[0].level
        except BadLevel as error:
            self._say(_sentence(error))
            return
        for computer in thinking:
            computer.level = level
        self._say(f"The engine's level: {level}.")

    def _clock(self, rest: str) -> None:
        session = self.session
        try:
            if rest.lower() == "off":
                session.set_clocks(None)
            elif rest:
                session.set_clocks(parse_clock(rest))
        except BadClock as error:
            self._say(_sentence(error))
            return
        if session.clock is None:
            self._say("There are no clocks.")
            return
        self._say(f"Each side has {session.clock.control}.")
        if session.people:
            session.start_clock()

    def _save(self, rest: str) -> None:
        try:
            self._say(f"Saved to {files.save(self.session, rest)}.")
        except BadFile as error:
            self._say(str(error))

    def _load(self, rest: str) -> None:
        try:
            told = files.load(self.session, rest)
        except BadFile as error:
            self._say(str(error))
            return
        self._go_on()
        self._say(told)

    # --- the keyboard ------------------------------------------------------------------------------------------------

    def _read(self) -> str | None:
        """A line of input, None where there are no more, an empty one where a flag falls first.

        It is echoed where it does not come from a keyboard.
        """
        try:
            with _alarm(self.session.time_left()):
                if sys.stdin.isatty():
                    return input(self._prompt())
                line = sys.stdin.readline()
        except _FlagFell:
            print()
            return ""
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print()
            raise
        if line:
            print(f"> {line.strip()}")
        return line or None

    def _prompt(self) -> str:
        session = self.session
        if session.board.ending:
            return "Game over> "
        if not session.people:
            return "Stopped> "
        left = f" ({session.clock.text(session.board.turn)})" if session.clock else ""
        return f"{self.view.sides[session.board.turn]} to move{left}> "


def _sentence(error: Exception) -> str:
    """What is wrong, from its capital to its full stop."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


class _FlagFell(Exception):
    """Somebody's time is up while a line is waited for."""


@contextlib.contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise ``_FlagFell`` after so many seconds; none = never, and so where there are no alarms, as on Windows."""
    if seconds is None or sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise _FlagFell

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds + _AFTER_THE_FLAG)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def play(
    game: Game,
    players: Sequence[Player],
    side: Side,
    ascii: bool,
    start: str = "startpos",
    seed: int | None = None,
    level: Level | None = None,
    control: TimeControl | None = None,
) -> int:
    """A session in this process's terminal; returns the exit code.

    Args:
        players: one, or where nobody else plays two; each with room for one game.
        side: the person's, by order or by the game's name for it; both, or none.
        ascii: letters instead of glyphs.
        seed: decides the players' random choices, and the side where it is random; none = another every time.
        level: how much the players search, those that do; none = as they are made.
        control: the time that each side has; none = no clocks.

    Raises:
        BadPosition: ``start`` cannot be read.
        BadSides: there are more players than seats, or no such side.
        NoView: the game cannot be shown.
        KeyboardInterrupt: at Ctrl-C.
    """
    make_view = view_class(game)
    if len(players) > 2:
        raise BadSides(f"two engines can play each other, not {len(players)}")
    if len(players) == 2 and side != "none":
        raise BadSides("two engines play each other where you play neither side: add --side none")
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", line_buffering=True)  # a pipe, too, gets every move at once
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # Windows' console needs no help
            import readline  # noqa: F401  (input() then edits lines and remembers them)
    looks = Looks.of(sys.stdout, make_view.glyphs)
    view = make_view(looks.colour, ascii or looks.ascii)
    generator = np.random.default_rng(seed)
    people = _people(side, view, generator)
    computers = [Computer(player, level, int(generator.integers(2**63))) for player in players]
    first = None if 0 in people else computers[0]
    second = None if 1 in people else computers[-1]
    session = Session(game, view, (first, second), computers[0], start, control)
    return Terminal(session, Screen(view, turned=people == [1])).run()


def _people(side: Side, view: View, generator: np.random.Generator) -> list[int]:
    """The sides that people play. BadSides where the game has none of that name."""
    if side == "random":
        return [int(generator.integers(2))]
    named = {name.lower(): [i] for i, name in enumerate(view.sides)}
    numbers = {"first": [0], "second": [1], "both": [0, 1], "none": []} | named
    if side not in numbers:
        raise BadSides(f"nobody plays {side} in this game: it is {view.sides[0]} against {view.sides[1]}")
    return numbers[side]
