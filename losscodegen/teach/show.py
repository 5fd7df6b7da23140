"""Blocks as plain text, Markdown, HTML, or in colour on a terminal."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, assert_never

from losscodegen.errors import cell_width
from losscodegen.markup import prose, scrolled
from losscodegen.teach.blocks import (
    Block,
    Heading,
    Line,
    Listing,
    Mathematics,
    Paragraph,
    Picture,
    Table,
)
from losscodegen.teach.html import code, page
from losscodegen.teach.mathml import inline

WIDTH = 100
_INDENT = "  "


def as_text(blocks: Iterable[Block]) -> str:
    """Plain text, `WIDTH` characters wide where lines can be broken."""
    lines = (tuple(_text(block)) for block in blocks)
    return "\n".join(line for found in lines if found for line in (*found, ""))


def _text(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield text
            if level < 3:
                yield ("=" if level == 1 else "-") * len(text)
        case Paragraph(text):
            yield from textwrap.wrap(
                text, WIDTH, break_on_hyphens=False, break_long_words=False
            )
        case Mathematics(lines):
            yield from _equations(lines)
        case Listing(text):
            yield from textwrap.indent(text.rstrip("\n"), "    ").split("\n")
        case Table():
            yield from _table(block)
        case Picture():
            pass
        case _:
            assert_never(block)


def _equations(lines: tuple[Line, ...]) -> Iterator[str]:
    """Equals signs below each other; the rule of each line at its right or below it."""
    lefts = [f"{line.left.plain} = " if line.left else "" for line in lines]
    start = max(map(len, lefts))
    plain = any(lefts)
    for left, line in zip(lefts, lines, strict=True):
        head = left.rjust(start) if left or not plain else "= ".rjust(start)
        note = f"[{line.note}]" if line.note else ""
        body = textwrap.wrap(
            line.right.plain,
            WIDTH - start - 4,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for k, part in enumerate(body):
            text = f"{_INDENT}{head if k == 0 else ' ' * (start + 2)}{part}"
            last = k == len(body) - 1
            room = WIDTH - len(text) - len(note)
            if last and note and room >= 2:
                yield text + " " * room + note
            else:
                yield text.rstrip()
                if last and note:
                    yield note.rjust(WIDTH)


def _table(table: Table) -> Iterator[str]:
    rows = [table.headers, *table.rows] if any(table.headers) else list(table.rows)
    widths = [max(map(_cells, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell + " " * (width - _cells(cell))
            for cell, width in zip(row, widths, strict=True)
        )
        yield _INDENT + "  ".join(cells).rstrip()


def _cells(text: str) -> int:
    return sum(map(cell_width, text))


# ---------------------------------------------------------------------- Markdown


def as_markdown(blocks: Iterable[Block]) -> str:
    """GitHub's Markdown, formulas in LaTeX between dollar signs."""
    lines = (tuple(_markdown(block)) for block in blocks)
    return "\n".join(line for found in lines if found for line in (*found, ""))


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {text}"
        case Paragraph(text):
            yield text
        case Mathematics(lines):
            yield "```math"
            yield from _latex(lines)
            yield "```"
        case Listing(text, language):
            yield from (f"```{language}", text.rstrip("\n"), "```")
        case Table(headers, rows):
            yield _cells_of(headers)
            yield "|" + " --- |" * len(headers)
            yield from map(_cells_of, rows)
        case Picture():
            pass
        case _:
            assert_never(block)


def _cells_of(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"


def _latex(lines: tuple[Line, ...]) -> Iterator[str]:
    yield r"\begin{aligned}"
    for k, line in enumerate(lines):
        left = line.left.latex if line.left else ""
        note = rf" && \text{{{_escaped(line.note)}}}" if line.note else ""
        end = r" \\" if k < len(lines) - 1 else ""
        relation = "= " if line.left or any(x.left for x in lines) else ""
        yield f"{left} &{relation}{line.right.latex}{note}{end}"
    yield r"\end{aligned}"


def _escaped(note: str) -> str:
    return note.replace("_", r"\_").replace("∂", "d")


# ---------------------------------------------------------------------- HTML


def as_html(blocks: Iterable[Block], title: str) -> str:
    """One page that needs nothing else, in the style of reports."""
    body = "\n".join(_html(block) for block in blocks)
    return page(title, f"<main>\n{body}\n</main>\n")


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return prose(text)
        case Mathematics(lines):
            rows = "".join(map(_html_line, lines))
            body = f"<table><tbody>{rows}</tbody></table>"
            return scrolled("table lines", "Formulas", body)
        case Listing(text, language):
            return code(text.rstrip("\n"), language, "Code")
        case Table(headers, rows):
            head = f"<thead>{_html_row('th', headers)}</thead>" if any(headers) else ""
            cells = "".join(_html_row("td", row) for row in rows)
            body = f"<table>{head}<tbody>{cells}</tbody></table>"
            return scrolled("table", ", ".join(filter(None, headers)) or "Facts", body)
        case Picture(figure):
            return figure
        case _:
            assert_never(block)


def _html_line(line: Line) -> str:
    left = inline(line.left.latex, roomy=True) if line.left else ""
    right = inline(f"= {line.right.latex}", roomy=True)
    note = html.escape(line.note)
    return f"<tr><td>{left}</td><td>{right}</td><td>{note}</td></tr>"


SHORT = 24
"""Characters of a cell that stays in one line."""
_SHORT = ' class="short"'


def _html_row(tag: str, row: tuple[str, ...]) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    cells = (
        f"<{tag}{scope}{_SHORT * (len(cell) <= SHORT)}>{html.escape(cell)}</{tag}>"
        for cell in row
    )
    return f"<tr>{''.join(cells)}</tr>"


# ---------------------------------------------------------------------- terminal


def print_coloured(blocks: Iterable[Block], console: Any) -> None:
    """The same lines as `as_text` on a terminal, with colours."""
    from rich.syntax import Syntax
    from rich.text import Text

    for block in blocks:
        if isinstance(block, Picture):
            continue
        if isinstance(block, Listing):
            listing = Syntax(
                block.text.rstrip("\n"), block.language, background_color="default"
            )
            console.print(listing)
        else:
            for line in _text(block):
                console.print(_coloured(block, line, Text), soft_wrap=True)
        console.print()


def _coloured(block: Block, line: str, text: Any) -> Any:
    match block:
        case Heading(_, level):
            return text(line, style="bold magenta" if level == 1 else "bold")
        case Mathematics():
            found = text(line, style="cyan")
            start = line.rfind("[")
            if line.endswith("]") and start > 0 and line[start - 1] == " ":
                found.stylize("dim", start)
            return found
        case _:
            return text(line)
