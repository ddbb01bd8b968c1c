"""A person against a player, in a terminal: a board, a prompt, a few words."""

import contextlib
import datetime
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, TypeVar

import numpy as np

from agents.engine.board import Board
from agents.engine.chess_view import ChessView
from agents.players import Player, SearchPlayer
from games.errors import BadMove, shown
from rlcore.game import Game
from rlcore.search import SearchResult

__all__ = ["Side", "Terminal", "play"]

Side = Literal["white", "black", "random"]
T = TypeVar("T")

_PANEL = 6
"""Full moves listed beside the board."""

_HELP = """\
a move      {example}; {promotion} promotes
moves       all legal moves; moves e2: those from or to a square
hint        what the engine would play for you
eval        what the engine thinks of the position
undo        take back your last move and the answer to it
flip        turn the board round; you keep your side
fen         the position as text
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

    def __init__(self, game: Game, player: Player, view: ChessView, person: int, start: str, seed: int) -> None:
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
            "fen": self._fen,
            "save": self._save,
            "resign": self._resign,
            "new": self._new,
            "help": self._help,
            "?": self._help,
        }

    def run(self) -> int:
        """Play until the person quits or the input ends; returns the exit code 0. Ctrl-C raises KeyboardInterrupt."""
        print(f"You are {self.view.sides[self.person]} against {self.player.name}.")
        print(f"Type a move, such as {self.view.example}; 'help' lists what else you can type.")
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
            action = self.view.read_move(self.board.state, text)
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
        self.names.append(self.view.name_move(self.board.state, action))
        self.board.play(action)

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
        print(_HELP.format(example=self.view.example, promotion=self.view.promotion))

    def _moves(self, rest: str) -> None:
        if self._is_over():
            return
        state, game = self.board.state, self.game
        chosen = [action for action in self.board.legal if rest.lower() in game.to_text(state, action)]
        names = sorted(self.view.name_move(state, action) for action in chosen)
        limited = f" with {shown(rest)}" if rest else ""
        print(f"{len(names)} legal move{'s' * (len(names) != 1)}{limited}{':' * bool(names)}")
        if names:
            width = min(shutil.get_terminal_size().columns, 80)
            print(textwrap.fill(" ".join(names), width, initial_indent="  ", subsequent_indent="  "))

    def _fen(self, _rest: str) -> None:
        print(self.game.write(self.board.state))

    def _hint(self, _rest: str) -> None:
        if (result := self._search()) is not None:
            action = int(result.actions[0])
            state = self.board.state
            print(f"The engine would play {self.view.name_move(state, action)} ({self.game.to_text(state, action)}).")

    def _eval(self, _rest: str) -> None:
        if (result := self._search()) is None:
            return
        state, count = self.board.state, int(result.counts[0])
        value, draw = (float(number) for number in result.values[0])
        mine = [(1 - draw + value) / 2, (1 - draw - value) / 2]
        first, second = mine if self.board.turn == 0 else mine[::-1]
        print(f"{self.view.sides[0]} wins {first:.0%}, draw {draw:.0%}, {self.view.sides[1]} wins {second:.0%}.")
        best = np.argsort(-result.policy[0, :count], kind="stable")[:3]
        moves = [f"{self.view.name_move(state, result.legal[0, i])} {result.policy[0, i]:.0%}" for i in best]
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
        if not rest:
            print(f"Say where to, as in: save game.{self.game.FILE_SUFFIX}")
            return
        board = self.board
        names = ["Human" if side == self.person else self.player.name for side in (0, 1)]
        headers = {
            "Event": "A game in a terminal",
            "Site": "rlcore",
            "Date": datetime.date.today().strftime("%Y.%m.%d"),
            "Round": "-",
            **dict(zip(self.view.sides, names, strict=True)),
        }
        text = self.game.write_game(board.actions, headers, board.ending, board.value, board.start)
        try:
            path = Path(rest).expanduser()
            path = path if path.suffix else path.with_name(f"{path.name}.{self.game.FILE_SUFFIX}")
            with path.open("w" if path.resolve() in self._saved else "x", encoding="utf-8") as file:
                file.write(text)
            self._saved.add(path.resolve())
        except FileExistsError:
            print(f"{path} exists already: choose another name.")
        except (OSError, ValueError, RuntimeError) as error:
            print(f"It cannot be saved there: {getattr(error, 'strerror', None) or error}.")
        else:
            print(f"Saved to {path}.")

    # --- screen and keyboard -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        """The board, the latest moves beside it."""
        view, board = self.view, self.board
        last: tuple[int, int] | tuple[()] = ()
        if board.actions:
            last = view.squares_of(board.history.states[0, len(board.actions) - 1], board.actions[-1])
        lines = view.draw(board.state, last, self.turned)
        above, below = view.taken(board.state)[:: -1 if self.turned else 1]  # beside whoever took them
        panel = [above, *self._move_list(), below]
        print()
        for line, beside in zip(lines, panel + [""] * len(lines), strict=False):
            print(f"{line}   {beside}".rstrip())
        print()

    def _move_list(self) -> list[str]:
        """The latest moves, two a line, numbered."""
        number, half = self.view.move_number(self.board.start)
        cells = ["..."] * half + self.names
        rows = [f"{number + i // 2:3}. {cells[i]:<7} {''.join(cells[i + 1 : i + 2])}" for i in range(0, len(cells), 2)]
        return (rows[-_PANEL:] + [""] * _PANEL)[:_PANEL]

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


class _Looks(NamedTuple):
    """What an output stream can show."""

    colour: bool
    ascii: bool

    @classmethod
    def of(cls, stream: TextIO) -> "_Looks":
        """Colours on a terminal that has them, unless NO_COLOR is set; letters where chess glyphs cannot be encoded."""
        known = os.environ.get("TERM", "") not in ("", "dumb", "unknown") or "WT_SESSION" in os.environ
        try:
            "\N{BLACK CHESS KING}".encode(stream.encoding or "ascii")
            glyphs = True
        except UnicodeEncodeError:
            glyphs = False
        return cls(stream.isatty() and known and not os.environ.get("NO_COLOR"), not glyphs)


def play(game: Game, player: Player, side: Side, ascii: bool, start: str = "startpos", seed: int | None = None) -> int:
    """A session in this process's terminal; returns the exit code.

    Args:
        player: with room for one game.
        side: the person's.
        ascii: letters instead of chess glyphs.
        seed: decides the player's random choices, and the side where it is random; none = another every time.

    Raises:
        BadPosition: ``start`` cannot be read.
        KeyboardInterrupt: at Ctrl-C.
    """
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):  # Windows' console needs no help
            import readline  # noqa: F401  (input() then edits lines and remembers them)
    looks = _Looks.of(sys.stdout)
    generator = np.random.default_rng(seed)
    person = int(generator.integers(2)) if side == "random" else ("white", "black").index(side)
    view = ChessView(looks.colour, ascii or looks.ascii)
    return Terminal(game, player, view, person, start, int(generator.integers(2**63))).run()
