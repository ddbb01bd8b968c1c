"""What a run tells whoever started it: a live screen, plain lines where there is no terminal, alarms, a summary.

All of it goes to stdout: it is what the command is for and nothing else is written there, so that `| tee` and `>` keep
it, while error messages stay on stderr. What the screen looks like stands in `picture`; rich is imported when needed.
"""

import math
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO

from rlcore.progress import can_draw, clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from selfplay.exact import Totals

__all__ = ["LN_3", "Point", "Report", "Result", "Status", "alarms", "plain_line", "summary"]

LN_3 = math.log(3.0)  # value loss of win = draw = loss = 1/3
SCREEN_SECONDS = 0.4  # between two screens; drawing one takes some 10 ms
LINE_SECONDS = 10.0  # between two plain lines
PAUSE_SECONDS = 60.0  # an alarm that was off for less has not stopped
_MAX_POINTS = 4000
LEARNER = ("learn", "wait")  # stages of Status.shares that are the learner's; all others are the actors'
_HOLD, _SHOW = "\x1b[?2026h", "\x1b[?2026l"  # no half-drawn screens, where the terminal knows synchronised output

FILES = {
    "checkpoints": "the whole state; the same command goes on from there",
    "network.safetensors": "the newest network, in one file: to play with, to give away",
    "networks": "networks of its past, to rate them: scripts/ratings.py",
    "games.log": "every game, as moves and search results",
    "held-out.log": "lessons that are kept out of training",
    "lessons.json": "how they are made",
    "": "the games as text, for other programs",
    "metrics.jsonl": "all figures over time",
    "tensorboard": "the same for TensorBoard",
    "evaluate.png": "its moves judged by perfect play, as a picture",
    "config.json": "the settings",
}
"""What lies in a run directory, and what it is for; the summary lists what is there. The games as text have
a name of their own, `Status.text_file`."""


@dataclass
class Status:
    """A run at one moment. nan means not known yet. Losses in nats; a "start" is one call of the command."""

    game: str
    run_dir: Path
    device: str  # "2 cores, bfloat16"
    network: str  # "3 x 48, 153k parameters"
    simulations: int  # a move
    seconds: float  # of this start
    seconds_left: float | None  # None = runs on
    resumed_from: str | None
    games: int  # finished and in the log, whole run
    positions: int  # to train on, whole run; moves of a quick search are none
    new_games: int  # this start
    new_positions: int
    positions_per_second: float
    evaluations_per_second: float
    batch_fill: float  # mean share of the evaluation batch in use, [0, 1]
    steps: int
    version: int  # of the published weights
    reuse: float  # samples trained on per position made
    window: int  # positions in the replay window
    learning_rate: float
    policy_loss: float
    uniform_loss: float  # mean ln(legal moves): what knowing nothing costs
    value_loss: float
    policy_entropy: float
    value_spread: float  # standard deviation of root values
    draw_rate: float  # [0, 1]
    game_length: float  # mean plies of the latest games
    endings: dict[str, int]  # of the latest games
    shares: dict[str, float]  # of the actors' time: evaluate, tree, rest, idle; of the learner's: learn, wait
    board: str  # one game in progress, as lines of text; ANSI colours are kept
    board_title: str
    text_file: str = ""  # name of the file that holds the games as text, such as "games.pgn"
    reuse_target: float = math.nan  # what reuse should come to
    steps_due: int = 0  # gradient steps that the games made so far pay for: what waits for the learner
    most_fill: float = 1.0  # what batch_fill is where every game of a search has a leaf to evaluate
    cache_hits: float = math.nan  # share of evaluations found in the cache; nan = there is none
    positions_wanted: int = 0  # the run's limit; 0 = none
    moves_per_second: float = math.nan  # those of a quick search among them; nan = there are none
    resign: float = 0.0  # below which expected score a side gives up; 0 = never
    resign_checks: int = 0  # games in which a side would have given up, but was made to play on
    resign_mistakes: float = math.nan  # share of them that the side did not lose, and its 95 % interval
    resign_low: float = math.nan
    resign_high: float = math.nan
    exact: Mapping[str, "Totals"] = field(default_factory=dict)  # in solved games, by player; the latest known ...
    exact_steps: int = 0  # ... which was found of the network after so many steps
    players: int = 0  # processes that play ...
    players_wanted: int = 0  # ... of so many; 0 = this process plays, and what follows does not apply
    players_lost: int = 0  # that died in this start and were replaced
    trainers_lost: int = 0
    paused: float = math.nan  # share of the players' time that they waited for the learner
    blocks_waiting: int = 0  # of finished games, for the learner
    doing: str = "self-play"  # or "lessons"


class Result(Protocol):
    """A match against a fixed opponent (`arena.Match`): scores in [0, 1] with their 95 % interval."""

    @property
    def opponent(self) -> str: ...
    @property
    def wins(self) -> int: ...
    @property
    def draws(self) -> int: ...
    @property
    def losses(self) -> int: ...
    @property
    def score(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Point(NamedTuple):
    """Losses at a step: of the policy as a share of the uniform policy's, of the value as a share of ln 3."""

    step: int
    policy: float
    value: float


def alarms(status: Status) -> list[str]:
    """What goes wrong, a sentence with advice each. The wording never varies, so a sentence names its alarm."""
    s = status
    learning, waiting, idle = (s.shares.get(name, 0.0) for name in ("learn", "wait", "idle"))
    known_before = 0.0 if math.isnan(s.cache_hits) else s.cache_hits
    searching = s.shares.get("tree", 0.0) + s.shares.get("rest", 0.0)
    lost = [loss for loss in (s.policy_loss, s.value_loss) if not math.isfinite(loss)]
    on_ray = s.players_wanted > 0
    known = len(lost) < 2 or learning > 0.02 or math.inf in lost  # before the first step both losses are nan
    checks = [
        (bool(lost) and known and s.steps > 0,
         "The loss is no longer a number: start a new run with a lower --learner.learning-rate."),
        (s.draw_rate > 0.95 and sum(s.endings.values()) >= 100,
         "Nearly all games are drawn, so they teach little: allow longer games (--actor.max-plies) or search more "
         "(--search.simulations)."),
        (s.value_spread < 0.01 and s.positions >= 1000 and s.steps >= 200,
         "All positions get about the same value, the value head has collapsed: lower --learner.learning-rate."),
        (s.policy_loss > 1.005 * s.uniform_loss and s.steps >= 500,
         "The policy is worse than choosing evenly among the legal moves: lower --learner.learning-rate."),
        (s.batch_fill < 0.5 * s.most_fill * (1 - known_before) and known_before < 0.8 and s.new_positions >= 1000,
         "Evaluation batches are less than half full, which wastes the device: play more games at once "
         "(--actor.games)."),
        (s.reuse < 0.5 * s.reuse_target and s.steps >= 500 and s.seconds > 120,
         "The learner falls behind and trains on positions less than half as often as asked: use fewer "
         f"{'--actors' if on_ray else '--actor.threads'} or a smaller network."),
        (waiting > 0.95 and s.steps > 0 and s.seconds > 120,
         "The learner is starved, it waits for games 95 % of its time: "
         + ("use more --actors where there are cores, " if on_ray else "") + "raise --learner.reuse or enlarge the "
         "network."),
        (0 < s.players < s.players_wanted and s.seconds > 120,
         "Not all players are there: the others wait for room, or die. Use fewer --actors, or add machines."),
        (on_ray and s.paused > 0.2 and s.seconds > 120,
         "The players are paused for a fifth of their time, the learner cannot keep up: lower --learner.reuse, use "
         "fewer --actors, or give the learner a GPU (--device cuda)."),
        (not on_ray and idle > 0.3 and known_before < 0.8 and s.seconds > 120,
         "The actors stand idle for a third of their time, until the learner and the slowest of them are done: lower "
         "--learner.reuse, or set as many --actor.threads as there are cores but one."),
        (searching > 0.5 and s.new_positions >= 1000,
         "The evaluator is starved, the actors spend over half of their time on the processor's share of the search: "
         f"use more {'--actors' if on_ray else '--actor.threads'} where there are cores for them, or enlarge the "
         "network (--network.channels)."),
        (s.resign_low > 0.05 and s.resign_checks >= 10,
         "Sides give up too early, over 5 % of those made to play on do not lose: lower --actor.resign."),
    ]  # fmt: skip
    return [text for happens, text in checks if happens]


# --- figures as text -------------------------------------------------------------------------------------------------


def figure(value: float, form: str = ",.0f", unit: str = "") -> str:
    """A number, or a dash where it is not known."""
    return "–" if math.isnan(value) else format(value, form) + unit


def percent(share: float, digits: int = 0) -> str:
    return figure(100 * share, f".{digits}f", " %")


def part(share: float) -> str:
    """A share to a tenth of a percent. 100.0 % is all: what falls short of it is not rounded up to it."""
    return percent(share if share == 1.0 else min(share, 0.999), 1)


def time_left(s: Status) -> str:
    if s.seconds_left is not None:
        return f"{clock(s.seconds_left)} left"
    return "until the positions are made" if s.positions_wanted else "runs on"


def relative(loss: float, yardstick: float) -> float:
    return loss / yardstick if yardstick > 0 else math.nan


def resignation(s: Status) -> str:
    """How often giving up would have been wrong."""
    if s.resign_checks == 0:
        return "not known yet"
    interval = f"{100 * s.resign_low:.1f}-{100 * s.resign_high:.1f} %"
    return f"{percent(s.resign_mistakes, 1)} ({interval}) of {s.resign_checks:,} games"


def players(s: Status) -> str:
    """Who is there, who died, who waits: of players with processes of their own."""
    lost = f", {s.players_lost} lost" if s.players_lost else ""
    trainers = f", learner lost {s.trainers_lost} times" if s.trainers_lost else ""
    waiting = f", {s.blocks_waiting:,} blocks of games wait" if s.blocks_waiting else ""
    return f"{s.players} of {s.players_wanted}{lost}{trainers}, paused {percent(s.paused)}{waiting}"


def plain_line(status: Status) -> str:
    """The key figures in one line, ASCII but for the dash of what is not known."""
    s = status
    left = time_left(s)
    wanted = f" of {s.positions_wanted:,}" if s.positions_wanted else ""
    moves = "" if math.isnan(s.moves_per_second) else f"{figure(s.moves_per_second)} moves/s  "
    parts = [
        f"{clock(s.seconds)} ({left})  games {s.games:,}  positions {s.positions:,}{wanted}  steps {s.steps:,}",
        f"{figure(s.positions_per_second)} positions/s  {moves}{figure(s.evaluations_per_second)} evaluations/s",
        f"batch fill {percent(s.batch_fill)}",
        f"policy loss {figure(s.policy_loss, '.3f')} (uniform {figure(s.uniform_loss, '.3f')})",
        f"value loss {figure(s.value_loss, '.3f')} (ln 3 {LN_3:.3f})  reuse {figure(s.reuse, '.2f')}",
        f"length {figure(s.game_length)}  draws {percent(s.draw_rate)}",
        *(f"{name} {percent(share)}" for name, share in s.shares.items()),
        f"steps due {s.steps_due:,}",
    ]
    if s.players_wanted:
        parts.append(f"players {players(s)}")
    if not math.isnan(s.cache_hits):
        parts.append(f"cache hits {percent(s.cache_hits)}")
    if s.resign > 0:
        parts.append(f"given up wrongly {resignation(s)}")
    if s.exact:
        kept = ", ".join(f"{name} {part(one.kept)}" for name, one in s.exact.items())
        parts.append(f"results kept: {kept}")
    return "  ".join(parts)


def _sections(
    s: Status, strength: Sequence[Result], picture: Path | None, go_on: Sequence[tuple[str, str]], first: Point | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """The summary: (heading, rows of (label, text))."""

    def loss(value: float, yardstick: float, name: str, at_first: float) -> str:
        if not math.isfinite(value):
            return "not known"
        began = f" (at first {percent(at_first, 1)})" if math.isfinite(at_first) else ""
        return f"{value:.3f}, {percent(relative(value, yardstick), 1)} of {name}{began}"

    start = first or Point(0, math.nan, math.nan)
    learned = [
        ("from", f"{s.games:,} games, {s.positions:,} positions, {s.steps:,} steps"),
        ("policy loss", loss(s.policy_loss, s.uniform_loss, "uniform", start.policy)),
        ("value loss", loss(s.value_loss, LN_3, "ln 3", start.value)),
        ("", "uniform and ln 3: the cost of knowing nothing"),
    ]
    if s.resumed_from:
        learned.insert(1, ("of them now", f"{s.new_games:,} games, {s.new_positions:,} positions"))
    for match in strength:
        games = match.wins + match.draws + match.losses
        interval = f"{100 * match.low:.1f}-{100 * match.high:.1f}"
        score = f"{percent(match.score, 1)} ({interval}) of {games} games, "
        learned.append((f"against {match.opponent}", score + f"+{match.wins} ={match.draws} -{match.losses}"))
    if s.resign > 0:
        learned.append(("given up wrongly", resignation(s)))
    earlier = f", at {s.exact_steps:,} steps" if s.exact_steps != s.steps else ""
    for name, one in s.exact.items() if s.exact_steps else ():
        kept = f"{part(one.kept)} of {one.positions:,} positions, optimal in {part(one.optimal)}{earlier}"
        learned.append((f"result kept, {name}", kept))
    named = [(name or s.text_file, text) for name, text in FILES.items()]
    files = [(name, text) for name, text in named if name and (s.run_dir / name).exists()]
    if picture is not None:
        name = picture.name if picture.parent == s.run_dir else str(picture)
        files.insert(0, (name, "losses, strength and the games as a picture"))
    return [
        (f"What was learned in {clock(s.seconds)}", learned),
        ("Where the time went", _time_spent(s)),
        (f"What lies in {s.run_dir}", files),
        ("How to go on", list(go_on)),
    ]


def _time_spent(s: Status) -> list[tuple[str, str]]:
    """Who waited for whom: rows of the summary."""
    by_name = {name: f"{name} {percent(share)}" for name, share in s.shares.items()}
    learner = [by_name.pop(name) for name in LEARNER if name in by_name]
    cache = "" if math.isnan(s.cache_hits) else f", {percent(s.cache_hits)} of positions from the cache"
    target = "" if math.isnan(s.reuse_target) else f", {s.reuse_target:g} wanted"
    rows = [
        ("actors", ", ".join(by_name.values())),
        ("players", players(s) if s.players_wanted else ""),
        ("evaluator", f"{figure(s.evaluations_per_second)} evaluations/s, batches {percent(s.batch_fill)} full{cache}"),
        ("learner", ", ".join([*learner, f"steps due {s.steps_due:,}"])),
        ("", f"each position trained on {figure(s.reuse, '.2f')} times{target}"),
    ]
    return [(label, text) for label, text in rows if text]


def summary(
    status: Status,
    strength: Sequence[Result],
    picture: Path | None,
    how_to_go_on: Sequence[tuple[str, str]],
    first: Point | None = None,
) -> str:
    """What was learned, where it lies and how to go on, as lines of text.

    Args:
        strength: matches against fixed opponents.
        picture: the file of the picture, if one was drawn.
        how_to_go_on: (what for, command) each.
        first: the losses that the run began with.
    """
    lines = []
    for title, rows in _sections(status, strength, picture, how_to_go_on, first):
        width = max((len(label) for label, _ in rows), default=0)
        lines += [title, *(f"  {label:<{width}}  {text}" for label, text in rows), ""]
    return "\n".join(lines[:-1])


# --- the report ------------------------------------------------------------------------------------------------------


class Report:
    """Shows how a run is doing. A context manager; its methods may be called from any thread.

    In a terminal the screen is redrawn in place, below all other output; its last state stays when the run ends.
    """

    def __init__(self, stream: TextIO | None = None, plain: bool | None = None) -> None:
        """Nothing is shown yet.

        Args:
            stream: where to; sys.stdout by default.
            plain: lines instead of a screen; by default where the stream is no terminal, or one that cannot do it.
        """
        self.stream = sys.stdout if stream is None else stream
        self.plain = not can_draw(self.stream) if plain is None else plain
        self._points: list[Point] = []
        self._lock = threading.RLock()
        self._console: Console | None = None
        self._live: Live | None = None
        self._size: tuple[int, int] | None = None  # of the terminal, at the last screen
        self._shown_at = -math.inf
        self._counting = False  # whether positions of this start have been shown
        self._alarmed: dict[str, float] = {}  # when each alarm was last on
        self._lines: list[str] = []  # still to be written
        self._writing = False

    def __enter__(self) -> "Report":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def recall(self, history: Iterable[Mapping[str, float]]) -> None:
        """Take rows of metrics of earlier starts, for the curves and for what the run began with."""
        with self._lock:
            for row in history:
                names = ("step", "policy_loss", "uniform_loss", "value_loss")
                step, *losses = (row.get(name, math.nan) for name in names)
                if math.isfinite(step):
                    self._remember(int(step), *losses)

    @property
    def is_due(self) -> bool:
        """Whether ``update`` would show a new state: else none need be made."""
        every = LINE_SECONDS if self.plain else SCREEN_SECONDS
        return not self._counting or time.monotonic() - self._shown_at >= every

    def update(self, status: Status) -> None:
        """Show a new state, or let it pass where the last one was shown a moment ago."""
        with self._lock:
            first = status.new_positions > 0 and not self._counting  # what everybody waits for
            every = LINE_SECONDS if self.plain else SCREEN_SECONDS
            if first or time.monotonic() - self._shown_at >= every:
                self._counting = self._counting or first
                self._show(status)
                self._write_lines()

    def line(self, text: str) -> None:
        """A message of one line, above the screen. Signal handlers may call this: in mid-write it waits its turn."""
        with self._lock:
            self._lines.append(text)
            if not self._writing:
                self._write_lines()

    def finish(
        self,
        status: Status,
        strength: Sequence[Result] = (),
        picture: Path | None = None,
        how_to_go_on: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Show the last state, let go of the screen and print the summary."""
        with self._lock:
            self._show(status)
            self.close()
            first = self._points[0] if self._points else None
            self.line("\n" + summary(status, strength, picture, how_to_go_on, first))

    def close(self) -> None:
        """Let go of the screen; its last state stays."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def _remember(self, step: int, policy: float, uniform: float, value: float) -> None:
        """Keep a point of the curves; every other one goes when there are very many."""
        point = Point(step, relative(policy, uniform), relative(value, LN_3))
        if math.isfinite(point.policy) and math.isfinite(point.value):
            if not self._points or step > self._points[-1].step:
                self._points.append(point)
        if len(self._points) > _MAX_POINTS:
            self._points = self._points[::2]

    def _show(self, s: Status) -> None:
        self._remember(s.steps, s.policy_loss, s.uniform_loss, s.value_loss)
        if self.plain:
            if self._shown_at == -math.inf:
                self.line(f"{s.game} {s.doing} in {s.run_dir}: {s.network}, {s.simulations} simulations, {s.device}")
            if self._shown_at > -math.inf or s.new_positions > 0:
                self.line(plain_line(s).replace("\N{EN DASH}", "-"))
            self._sound(alarms(s))
        else:
            self._writing = True
            try:
                self._draw(s)
            finally:
                self._writing = False
        self._shown_at = time.monotonic()

    def _write_lines(self) -> None:
        """Write the messages that wait."""
        self._writing = True
        try:
            while self._lines:
                self._print(self._lines.pop(0))
        finally:
            self._writing = False

    def _sound(self, texts: list[str]) -> None:
        """A line for each alarm that starts; one that has paused for a moment only does not start again."""
        now = time.monotonic()
        for text in texts:
            if now - self._alarmed.get(text, -math.inf) > PAUSE_SECONDS:
                self.line(f"warning: {text}")
            self._alarmed[text] = now

    def _draw(self, status: Status) -> None:
        from rich.live import Live

        from selfplay.picture import screen

        console = self._get_console()
        if self._live is None:
            stderr = sys.stderr.isatty()  # only then it would land on the screen
            self._live = Live(console=console, auto_refresh=False, redirect_stderr=stderr, vertical_overflow="crop")
            self._live.start()
        width, height = console.size
        if self._size not in (None, (width, height)):
            console.clear()  # a terminal of a new size has moved the lines about
        self._size = (width, height)
        shown = screen(status, alarms(status), self._points, width, height - 1)
        self.stream.write(_HOLD)
        self._live.update(shown, refresh=True)
        self.stream.write(_SHOW)
        self.stream.flush()

    def _print(self, text: str) -> None:
        if self.plain:
            encoding = self.stream.encoding or "utf-8"
            print(text.encode(encoding, "replace").decode(encoding), file=self.stream, flush=True)
            return
        from rich.text import Text

        styled = Text(text)
        if text.startswith("\n"):  # a summary: its headings begin at the margin
            styled.highlight_regex(r"(?m)^\S.*$", "bold cyan")
        self._get_console().print(styled, soft_wrap=True)

    def _get_console(self) -> "Console":
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.stream, force_terminal=True, force_interactive=True, highlight=False)
        return self._console
