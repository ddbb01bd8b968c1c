"""A person against a player, in a terminal: a board, a prompt, a few words."""

import contextlib
import datetime
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, TypeVar

import numpy as np

from agents.engine.board import Board
from agents.engine.views import NoView, View, view_class
from agents.players import Player, SearchPlayer
from games.errors import BadMove, shown
from rlcore.game import Game
from rlcore.search import SearchResult

__all__ = ["NoView", "Side", "Terminal", "play"]

Side = Literal["first", "second", "white", "black", "random"]
T = TypeVar("T")

_MOVE = 7
"""Columns for a move in the list of moves, or more where one needs them."""

_HELP = """\
a move      {view.examples}; {view.special}
moves       all legal moves; moves {view.square}: those from or to a square
hint        what the engine would play for you
eval        what the engine thinks of the position
undo        take back your last move and the answer to it
flip        turn the board round; you keep your side
{view.notation:<12}the position as text
save FILE   write the game so far to a new file
resign      give the game up
new         begin another game, the same side
help        this list
quit        leave; so do Ctrl-D and Ctrl-C"""


class Terminal:
    """The session: reads lines until the person leaves.

    Args:
        person: the side that the person plays, 0 or 1.
        start: the position to begin from, as text. BadPosition where it cannot be read.
        seed: decides the player's random choices.
    """

    def __init__(self, game: Game, player: Player, view: View, person: int, start: str, seed: int) -> None:
        self.game, self.player, self.view, self.person, self.start = game, player, view, person, start
        self.board = Board(game, start)
        self.names: list[str] = []
        """The moves so far as people write them."""
        self.turned = person == 1
        self.rng = np.array([seed], np.uint64)
        self._saved: set[Path] = set()
        self._words: dict[str, Callable[[str], None]] = {
            "moves": self._moves,
            "hint": self._hint,
            "eval": self._eval,
            "undo": self._undo,
            "flip": self._flip,
            "fen": self._position,
            "sfen": self._position,
            "position": self._position,
            "save": self._save,
            "resign": self._resign,
            "new": self._new,
            "help": self._help,
            "?": self._help,
        }

    def run(self) -> int:
        """Play until the person quits or the input ends; returns the exit code 0. Ctrl-C raises KeyboardInterrupt."""
        print(f"You are {self.view.sides[self.person]} against {self.player.name}.")
        print(f"Type a move, such as {self.view.examples}; 'help' lists what else you can type.")
        self._go_on()
        while (line := self._read()) is not None:
            word, _, rest = line.strip().partition(" ")
            if word.lower() in ("quit", "exit", "q"):
                return 0
            if word.lower() in self._words:
                self._words[word.lower()](rest.strip())
            elif word:
                self._move(line.strip())
        return 0

    # --- the course of the game --------------------------------------------------------------------------------------

    def _move(self, text: str) -> None:
        """The person's move, and the answer to it."""
        if self._is_over():
            return
        try:
            action = self.view.read_move(self.board.state, text, self._previous)
        except BadMove as error:
            print(f"{error}; 'moves' lists the legal ones, 'help' the commands.")
            return
        self._play(action)
        self._go_on()

    def _go_on(self) -> None:
        """The player's move where it is due, then the board; and the result where the game is over."""
        if not self.board.ending and self.board.turn != self.person:
            state = self.board.state
            action = self._think(lambda: int(self.player.act(self.board.history, self.board.games, self.rng)[0]))
            self._play(action)
            self._show()
            side = self.view.sides[int(state["turn"])]
            print(f"{side} plays {self.names[-1]} ({self.game.to_text(state, action)}).")
        else:
            self._show()
        if self.board.ending:
            print(self._result())

    def _play(self, action: int) -> None:
        self.names.append(self._name(action))
        self.board.play(action)

    @property
    def _previous(self) -> int | None:
        """The last move, if there was one."""
        return self.board.actions[-1] if self.board.actions else None

    def _name(self, action: int) -> str:
        """A move in this position as people write it."""
        return self.view.name_move(self.board.state, action, self._previous)

    def _result(self) -> str:
        board, reason = self.board, self.view.reason(self.board.ending)
        if board.value == 0.0:
            return f"{reason}: the game is drawn."
        winner = board.turn if board.value > 0.0 else 1 - board.turn
        return f"{reason}: {self.view.sides[winner]} wins."

    def _is_over(self) -> bool:
        if self.board.ending:
            print("The game is over. Type 'new', 'undo', 'save FILE' or 'quit'.")
        return self.board.ending != 0

    # --- words -------------------------------------------------------------------------------------------------------

    def _help(self, _rest: str) -> None:
        print(_HELP.format(view=self.view))

    def _moves(self, rest: str) -> None:
        if self._is_over():
            return
        state, game = self.board.state, self.game
        chosen = [action for action in self.board.legal if rest.lower() in game.to_text(state, action).lower()]
        names = sorted(self._name(action) for action in chosen)
        limited = f" with {shown(rest)}" if rest else ""
        print(f"{len(names)} legal move{'s' * (len(names) != 1)}{limited}{':' * bool(names)}")
        if names:
            print(_lines_of(names, min(shutil.get_terminal_size().columns, 80)))

    def _position(self, _rest: str) -> None:
        print(self.game.write(self.board.state))

    def _hint(self, _rest: str) -> None:
        if (result := self._search()) is not None:
            action = int(result.actions[0])
            print(f"The engine would play {self._name(action)} ({self.game.to_text(self.board.state, action)}).")

    def _eval(self, _rest: str) -> None:
        if (result := self._search()) is None:
            return
        count = int(result.counts[0])
        value, draw = (float(number) for number in result.values[0])
        mine = [(1 - draw + value) / 2, (1 - draw - value) / 2]
        first, second = mine if self.board.turn == 0 else mine[::-1]
        print(f"{self.view.sides[0]} wins {first:.0%}, draw {draw:.0%}, {self.view.sides[1]} wins {second:.0%}.")
        best = np.argsort(-result.policy[0, :count], kind="stable")[:3]
        moves = [f"{self._name(int(result.legal[0, i]))} {result.policy[0, i]:.0%}" for i in best]
        print(f"The engine's choice here: {', '.join(moves)}.")

    def _search(self) -> SearchResult | None:
        """What the player's search finds for the person's position."""
        if self._is_over():
            return None
        player = self.player
        if not isinstance(player, SearchPlayer):
            print("This opponent does not think, so it has no advice.")
            return None
        board, rng = self.board, self.rng.copy()
        return self._think(lambda: player.search.run(board.history, board.games, player.evaluator, rng))

    def _undo(self, _rest: str) -> None:
        """Back to where the person was last to move."""
        board, played = self.board, len(self.board.actions)
        resigned = board.ending == self.game.Ending.RESIGNATION
        plies = range(played - (not resigned), -1, -1)
        target = next((ply for ply in plies if board.turn_at(ply) == self.person), None)
        if target is None:
            print("There is no move of yours to take back.")
            return
        board.undo(played - target)
        del self.names[target:]
        self._show()

    def _flip(self, _rest: str) -> None:
        self.turned = not self.turned
        self._show()

    def _resign(self, _rest: str) -> None:
        if not self._is_over():
            self.board.resign()
            print(self._result())

    def _new(self, _rest: str) -> None:
        self.board, self.names = Board(self.game, self.start), []
        self._go_on()

    def _save(self, rest: str) -> None:
        writers = {self.game.FILE_SUFFIX: self.game.write_game, **dict(self.view.writers)}
        if not rest:
            print(f"Say where to, as in: save {' or '.join(f'game.{suffix}' for suffix in writers)}")
            return
        board = self.board
        try:
            path = Path(rest).expanduser()
            path = path if path.suffix else path.with_name(f"{path.name}.{self.game.FILE_SUFFIX}")
            if (write := writers.get(path.suffix[1:].lower())) is None:
                known = " or ".join(f".{suffix}" for suffix in writers)
                raise ValueError(f"a game's file ends in {known}, not in {shown(path.suffix)}")
            text = write(board.actions, self._headers(), board.ending, board.value, board.start)
            with path.open("w" if path.resolve() in self._saved else "x", encoding="utf-8") as file:
                file.write(text)
            self._saved.add(path.resolve())
        except FileExistsError:
            print(f"{path} exists already: choose another name.")
        except (OSError, ValueError, RuntimeError) as error:
            print(f"It cannot be saved there: {getattr(error, 'strerror', None) or error}.")
        else:
            print(f"Saved to {path}.")

    def _headers(self) -> dict[str, str]:
        """Of the file of a game."""
        names = ["Human" if side == self.person else self.player.name for side in (0, 1)]
        return {
            "Event": "A game in a terminal",
            "Site": "rlcore",
            "Date": datetime.date.today().strftime("%Y.%m.%d"),
            "Round": "-",
            **dict(zip(self.view.sides, names, strict=True)),
        }

    # --- screen and keyboard -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        """The board, the latest moves beside it."""
        view, board = self.view, self.board
        last: tuple[int, ...] = ()
        if board.actions:
            last = view.squares_of(board.history.states[0, len(board.actions) - 1], board.actions[-1])
        lines = view.draw(board.state, last, self.turned)
        below, above = view.captures(board.state)[:: -1 if self.turned else 1]  # beside whoever took them
        panel = [*[""] * view.above, above, *self._move_list(view.ranks - 2), below]
        print()
        for line, beside in zip(lines, panel + [""] * len(lines), strict=False):
            print(f"{line}   {beside}".rstrip())
        print()

    def _move_list(self, lines: int) -> list[str]:
        """The latest moves, two a line, numbered."""
        number, half = self.view.move_number(self.board.start)
        cells = ["..."] * half + self.names
        cells += [""] * (len(cells) % 2)
        begin = max(len(cells) - 2 * lines, 0)
        width = max([_MOVE, *map(_columns, cells[begin::2])])
        rows = []
        for i in range(begin, len(cells), 2):
            gap = " " * (1 + width - _columns(cells[i]))
            rows.append(f"{number + self.view.numbers * (i // 2):3}. {cells[i]}{gap}{cells[i + 1]}")
        return (rows + [""] * lines)[:lines]

    def _think(self, work: Callable[[], T]) -> T:
        """Do the work; meanwhile a terminal says so."""
        if not self.view.colour:
            return work()
        print("thinking ...", end="", flush=True)
        try:
            return work()
        finally:
            print("\r\x1b[K", end="", flush=True)

    def _read(self) -> str | None:
        """A line of input, None where there are no more; echoed where it does not come from a keyboard."""
        try:
            if sys.stdin.isatty():
                over = self.board.ending != 0
                return input("Game over> " if over else f"{self.view.sides[self.person]} to move> ")
            line = sys.stdin.readline()
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            print()
            raise
        if line:
            print(f"> {line.strip()}")
        return line or None


def _columns(text: str) -> int:
    """How wide a terminal shows the text: a Japanese character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _lines_of(names: Iterable[str], width: int) -> str:
    """The names in indented lines of so many columns."""
    lines = [""]
    for name in names:
        if lines[-1] and 3 + _columns(lines[-1]) + _columns(name) > width:
            lines.append("")
        lines[-1] += f" {name}" if lines[-1] else f"  {name}"
    return "\n".join(lines)


class _Looks(NamedTuple):
    """What an output stream can show."""

    colour: bool
    ascii: bool

    @classmethod
    def of(cls, stream: TextIO, glyphs: str) -> "_Looks":
        """Colours on a terminal that has them, unless NO_COLOR is set; letters where the glyphs cannot be encoded."""
        known = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or "WT_SESSION" in os.environ
        try:
            glyphs.encode(stream.encoding or "ascii")
            letters = False
        except UnicodeEncodeError:
            letters = True
        return cls(stream.isatty() and known and not os.environ.get("NO_COLOR"), letters)


def play(game: Game, player: Player, side: Side, ascii: bool, start: str = "startpos", seed: int | None = None) -> int:
    """A session in this process's terminal; returns the exit code.

    Args:
        player: with room for one game.
        side: the person's, by order or by the game's name for it.
        ascii: letters instead of glyphs.
        seed: decides the player's random choices, and the side where it is random; none = another every time.

    Raises:
        BadPosition: ``start`` cannot be read.
        NoView: the game cannot be shown.
        KeyboardInterrupt: at Ctrl-C.
    """
    make_view = view_class(game)
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # Windows' console needs no help
            import readline  # noqa: F401  (input() then edits lines and remembers them)
    looks = _Looks.of(sys.stdout, make_view.glyphs)
    generator = np.random.default_rng(seed)
    numbers = {"first": 0, "second": 1, **{name.lower(): i for i, name in enumerate(make_view.sides)}}
    person = int(generator.integers(2)) if side == "random" else numbers[side]
    view = make_view(looks.colour, ascii or looks.ascii)
    return Terminal(game, player, view, person, start, int(generator.integers(2**63))).run()
