"""A page of headings, text, tables, pictures and commands, as Markdown and as HTML.

Text may hold `code` and **bold** words. What is written is the same whenever the blocks are.
"""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Block", "Code", "Heading", "Picture", "Table", "Text", "to_html", "to_markdown"]


@dataclass(frozen=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Table:
    """The first column is a name; the others are numbers unless ``words`` names them."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raise ValueError where a row has another length."""
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"a row of a table has not {len(self.header)} cells")

    def is_number(self, column: int) -> bool:
        return column > 0 and self.header[column] not in self.words


@dataclass(frozen=True)
class Picture:
    """Its file lies in the folder of pictures."""

    file: str
    text: str
    draw: Callable[[Path], None] = field(compare=False)
    """Writes it to a path."""


@dataclass(frozen=True)
class Code:
    lines: Sequence[str]


Block = Heading | Text | Table | Picture | Code


def to_markdown(blocks: Sequence[Block], pictures: str) -> str:
    """The page as Markdown; ``pictures`` is the way from it to the folder of pictures."""
    return "\n\n".join(_markdown(block, pictures) for block in blocks) + "\n"


def _markdown(block: Block, pictures: str) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {block.text}"
        case Text():
            return block.text
        case Picture():
            return f"![{block.text}]({pictures}{block.file})"
        case Code():
            return "\n".join(["```sh", *block.lines, "```"])
        case Table():
            line = ["--:" if block.is_number(column) else "---" for column in range(len(block.header))]
            cells = [[cell.replace("|", "\\|") for cell in row] for row in (block.header, *block.rows)]
            lines = [f"| {' | '.join(row)} |" for row in cells]
            return "\n".join([lines[0], f"|{'|'.join(line)}|", *lines[1:]])


def to_html(blocks: Sequence[Block], title: str, pictures: str = "") -> str:
    """The page as HTML, complete but for its pictures."""
    body = "\n".join(_html(block, pictures) for block in blocks)
    return _PAGE.format(title=html.escape(title), style=_STYLE, body=body)


def _html(block: Block, pictures: str) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
        case Text():
            return f"<p>{_inline(block.text)}</p>"
        case Picture():
            return f'<img src="{html.escape(pictures + block.file)}" alt="{html.escape(block.text)}">'
        case Code():
            return f"<pre>{html.escape(chr(10).join(block.lines))}</pre>"
        case Table():
            return f'<div class="table"><table>\n{_rows(block)}\n</table></div>'


def _rows(table: Table) -> str:
    lines = []
    for tag, rows in (("th", [table.header]), ("td", table.rows)):
        for row in rows:
            cells = [
                f"<{tag}{' class=number' if table.is_number(column) else ''}>{_inline(cell)}</{tag}>"
                for column, cell in enumerate(row)
            ]
            lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join(lines)


def _inline(text: str) -> str:
    found = html.escape(text, quote=False)
    found = re.sub(r"`([^`]+)`", r"<code>\1</code>", found)
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", found)


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1300px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font-size: 13px; }
th, td { padding: 4px 9px; border-bottom: 1px solid #e6e6e6; text-align: left; vertical-align: top; }
th { color: #777; font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.table { overflow-x: auto; }
img { max-width: 100%; }
pre { background: #f6f6f6; padding: 0.7em 1em; overflow-x: auto; font-size: 13px; }
h1, h2, h3 { line-height: 1.25; margin-top: 1.6em; }
""".strip()

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""
