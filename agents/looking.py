"""What the recurrent attention model looks at, as pictures: paths of glimpses, what was seen, right and wrong answers,
and Catch as a GIF or as text."""

import io
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from agents.agent import seed_for
from agents.seen import Seen, environments, trials
from rlcore.files import write_whole
from rlcore.jit import Array

if TYPE_CHECKING:
    from PIL.Image import Image

    from agents.recurrent_attention import RecurrentAttentionAgent

__all__ = ["Case", "draw", "look", "play"]

GLIMPSES, ANSWERS, GAME = "glimpses.png", "answers.png", "catch.gif"
_CASES, _EACH, _ACROSS = 8, 24, 8  # paths drawn with all that was seen; right and wrong answers; in a row
_GAMES = 6
_SIDE = 144  # of a canvas as it is drawn, about
_FRAME_MS = 150
_RIGHT, _WRONG, _PATH = (40, 160, 80), (210, 60, 50), (255, 190, 40)


class Case(NamedTuple):
    """An episode, as it was seen."""

    canvases: list[Array]
    """[H, W] uint8 at each glimpse."""
    squares: list[list[tuple[int, int, int]]]
    """The patches of each glimpse, as (top, left, side) in pixels."""
    seen: list[Array]
    """[scales, g, g] of each glimpse, in [0, 1]; empty where all was seen."""
    answer: int
    """The last answer or move."""
    label: int
    """The right answer; -1 where there is none."""
    reward: float


def look(agent: "RecurrentAttentionAgent", envs: Seen) -> list[Case]:
    """An episode of each of these environments, at the mean locations."""
    cases = [Case([], [], [], -1, -1, 0.0) for _ in range(envs.num)]
    memory, what = agent.begin(envs.num), agent.task
    whole = agent.config.control != "none"
    labels = envs.observations[:, -1].astype(int) if what.named else np.full(envs.num, -1)
    for t in range(what.glimpses + 1):
        for i, case in enumerate(cases if t < what.glimpses or not what.named else []):  # how a game ended is seen, too
            case.canvases.append(envs.episodes.picture(i).copy())
            if not whole:
                case.squares.append(envs.episodes.eye(i))
                pixels = envs.observations[i, : what.pixels].copy()
                case.seen.append(pixels.reshape(what.scales, what.retina, what.retina))
        if t < what.glimpses:
            actions, memory = agent.act(envs.observations, None, memory)
            envs.act(actions)
    rewards = envs.episodes.rewards
    return [
        case._replace(answer=int(actions[i, 0]), label=int(labels[i]), reward=float(rewards[i]))
        for i, case in enumerate(cases)
    ]


def draw(agent: "RecurrentAttentionAgent", folder: Path, seed: int) -> None:
    """Write the pictures of a trained agent into a folder: of digits ``glimpses.png`` and ``answers.png``, of the test
    split, and of Catch ``catch.gif``.

    Raises:
        ModuleNotFoundError: Pillow is not installed; OSError: the disk refused.
    """
    config = agent.config
    if not agent.task.named:
        games = look(agent, environments(config, _GAMES, seed_for(seed, "pictures"), "test"))
        write_whole(folder / GAME, _moving(games))
        return
    envs, _ = trials(config, 1_000, seed_for(seed, "pictures"), "test")
    cases = look(agent, envs)
    right = [case for case in cases if case.reward > 0]
    wrong = [case for case in cases if case.reward <= 0]
    if cases[0].squares:
        rows = [[_canvas(case), *(_patches(seen) for seen in case.seen)] for case in _some(cases, _CASES)]
        write_whole(folder / GLIMPSES, _png(_sheet(rows)))
    chosen = [_canvas(case) for case in (*_some(right, _EACH), *_some(wrong, _EACH))]
    write_whole(folder / ANSWERS, _png(_sheet([chosen[i : i + _ACROSS] for i in range(0, len(chosen), _ACROSS)])))


def _some(cases: Sequence[Case], count: int) -> Sequence[Case]:
    """So many of them at most, evenly spread: neighbours show the same digit."""
    return cases[:: max(len(cases) // count, 1)][:count]


def play(agent: "RecurrentAttentionAgent", seed: int, episodes: int = 5) -> None:
    """Show episodes as text: the canvas in shades, and how they ended."""
    envs = environments(agent.config, episodes, seed_for(seed, "play"), "test")
    for number, case in enumerate(look(agent, envs)):
        for k, canvas in enumerate(case.canvases):
            start = "\033[H\033[J" if sys.stdout.isatty() else ""
            print(f"{start}{_text(canvas, case.squares[k] if case.squares else [])}\n", flush=True)
            if sys.stdout.isatty():
                time.sleep(2 * _FRAME_MS / 1000)
        said = f", says {case.answer}, it is {case.label}" if agent.task.named else ""
        print(f"Episode {number + 1}: return {case.reward:g} in {len(case.canvases)} glimpses{said}")


def _text(canvas: Array, squares: Sequence[tuple[int, int, int]]) -> str:
    """A canvas in shades, the smallest patch that is looked at in brackets."""
    shades = " .:-=+*#%@"
    top, left, side = squares[0] if squares else (0, 0, 0)
    rows = []
    for i, row in enumerate(canvas):
        inside = [top <= i < top + side and left <= j < left + side for j in range(len(row))]
        cells = (shades[int(value) * 9 // 255] for value in row)
        rows.append("".join(f"[{cell}]" if own else f" {cell} " for cell, own in zip(cells, inside, strict=True)))
    return "\n".join(rows)


# --- drawing ---------------------------------------------------------------------------------------------------------


def _large(shades: Array, side: int) -> "Image":
    """Shades [H, W] uint8, or in [0, 1], about ``side`` pixels wide."""
    from PIL import Image

    grey = shades if shades.dtype == np.uint8 else (np.clip(shades, 0, 1) * 255).astype(np.uint8)
    times = max(side // grey.shape[1], 1)
    return Image.fromarray(grey.repeat(times, 0).repeat(times, 1)).convert("RGB")


def _canvas(case: Case) -> "Image":
    """The last canvas with the path of all glimpses, later ones brighter; and, of a digit, the answer."""
    from PIL import ImageDraw

    picture = _large(case.canvases[-1], _SIDE)
    times = picture.width // case.canvases[-1].shape[1]
    pen = ImageDraw.Draw(picture)
    for k, squares in enumerate(case.squares):
        _outline(pen, squares[:1], times, tuple(int(c * (0.4 + 0.6 * (k + 1) / len(case.squares))) for c in _PATH))
    middles = [((left + side / 2) * times, (top + side / 2) * times) for (top, left, side), *_ in case.squares]
    if len(middles) > 1:
        pen.line(middles, fill=_PATH, width=1)
    for k, (x, y) in enumerate(middles):
        pen.text((x + 2, y - 5), str(k + 1), fill=_PATH)
    if case.label >= 0:
        colour = _RIGHT if case.reward > 0 else _WRONG
        pen.text((3, 1), f"{case.answer}" if case.reward > 0 else f"{case.answer}, is {case.label}", fill=colour)
        pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=colour)
    return picture


def _outline(pen: Any, squares: Sequence[tuple[int, int, int]], times: int, colour: Any) -> None:
    for top, left, side in squares:
        box = (left * times, top * times, (left + side) * times - 1, (top + side) * times - 1)
        pen.rectangle(box, outline=colour)


def _patches(seen: Array) -> "Image":
    """What a glimpse shows, its scales below each other."""
    return _large(seen.reshape(-1, seen.shape[-1]), _SIDE // 2)


def _sheet(rows: Sequence[Sequence["Image"]]) -> "Image":
    """Pictures in rows."""
    from PIL import Image

    gap = 6
    width = max(sum(picture.width + gap for picture in row) for row in rows)
    sheet = Image.new("RGB", (width + gap, sum(max(p.height for p in row) + gap for row in rows) + gap), (70, 70, 70))
    y = gap
    for row in rows:
        x = gap
        for picture in row:
            sheet.paste(picture, (x, y))
            x += picture.width + gap
        y += max(picture.height for picture in row) + gap
    return sheet


def _moving(games: Sequence[Case]) -> bytes:
    """Games one after the other as a GIF, with the patches of the eye; the last frame of each stays for a while."""
    frames, shown = [], []
    for game in games:
        frames += list(_frames(game))
        shown += [_FRAME_MS] * (len(game.canvases) - 1) + [5 * _FRAME_MS]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=shown, loop=0)
    return out.getvalue()


def _frames(game: Case) -> Iterator["Image"]:
    from PIL import ImageDraw

    for k, canvas in enumerate(game.canvases):
        picture = _large(canvas, 2 * _SIDE)
        pen = ImageDraw.Draw(picture)
        times = picture.width // canvas.shape[1]
        if game.squares:
            _outline(pen, game.squares[k], times, _PATH)
        if k == len(game.canvases) - 1:
            pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline=_RIGHT if game.reward else _WRONG)
        yield picture


def _png(picture: "Image") -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
