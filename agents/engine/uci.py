"""The Universal Chess Interface: chess for any GUI that speaks it. The text of April 2006 is obeyed to the letter."""

import math
from typing import TYPE_CHECKING

from agents.engine.protocol import AUTODISCOVER, Client, Engine, Load, Option, Value, strength_options

if TYPE_CHECKING:
    from agents.engine.lines import Line

__all__ = ["UciEngine", "centipawns"]


def centipawns(value: float) -> int:
    """A value in [-1, 1] as hundredths of a pawn, -12800 to 12800: 111.71 tan(1.5621 value).

    Lc0's formula, from its FAQ ("How does Lc0 calculate the cp eval?"): a value of 0.5 is 111.
    """
    return round(111.714640912 * math.tan(1.5620688421 * max(-1.0, min(value, 1.0))))


def win_draw_loss(line: "Line") -> str:
    """The three probabilities in thousandths, such as "300 500 200"; they sum to 1000."""
    draw = round(1000 * line.draw)
    win = min(max(round(500 * (1.0 - line.draw + line.value)), 0), 1000 - draw)
    return f"{win} {draw} {1000 - draw - win}"


class UciEngine(Engine):
    """Chess by UCI."""

    game_name = "chess"
    sides = "wb"
    position_word = "fen"
    no_move = "(none)"
    options = (
        Option("Hash", "spin", 256, 1, 65_536),  # megabytes for the search tree
        Option("MultiPV", "spin", 1, 1, 218),
        Option("Ponder", "check", False),  # pondering costs nothing to support; the client decides
        Option("Move Overhead", "spin", 100, 0, 10_000),  # milliseconds
        Option("WeightsFile", "string", AUTODISCOVER),
        Option("UCI_ShowWDL", "check", False),
        *strength_options("chess", "UCI_"),
        Option("Temperature", "decimal", 0, 0, 100),
        Option("Debug Log File", "string", ""),
    )

    def __init__(self, client: Client, load: Load, values: dict[str, Value]) -> None:
        super().__init__(client, load, values)
        self.commands |= {"uci": self.uci, "ucinewgame": self.new_game}

    def uci(self, _: str) -> None:
        """Say who answers, and that it speaks UCI."""
        self.introduce("uciok")

    def score(self, line: "Line") -> str:
        """``cp`` or ``mate`` in moves, for the side to move; with win, draw and loss in thousandths where wanted."""
        if line.actions:
            moves = (abs(line.plies) + 1) // 2
            score = f"mate {moves if line.plies > 0 else -moves}" if line.plies else f"cp {centipawns(line.value)}"
        else:
            score = "mate 0" if line.value < 0.0 else "cp 0"
        return f"{score} wdl {win_draw_loss(line)}" if self.values["showwdl"] else score

    def plain(self, move: str) -> str:
        """Some write the piece that a pawn becomes in upper case."""
        return move.lower()
