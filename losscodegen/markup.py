"""Pieces of HTML that need no style sheet: tables, running text, outputs of notebooks.

Whatever is text is escaped here, or has to be before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """\
.losscodegen { overflow-wrap: break-word; max-width: 62rem; }
.losscodegen .formula, .losscodegen .table, .losscodegen pre { overflow-x: auto; }
.losscodegen math[display="block"] { margin: .5rem 0; width: max-content; }
.losscodegen mtable mtd { text-align: left; padding: .15em .2em; }
.losscodegen mtable.cases mtd + mtd { padding-left: 1em; }
.losscodegen th, .losscodegen td { text-align: left; }
.losscodegen .number { text-align: right; }
.losscodegen .soft, .losscodegen .note { opacity: .75; }
.losscodegen .verdict { font-weight: bold; }
.losscodegen .rewrite { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .8rem; }
"""


def output(*parts: str) -> str:
    """What a notebook shows for a value: no script, nothing to be fetched, its own style."""
    body = "\n".join(part for part in parts if part)
    return f'<div class="losscodegen">\n<style>\n{_STYLE}</style>\n{body}\n</div>\n'


def details(summary: str, body: str) -> str:
    """A part that is folded up until it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: frozenset[int] = frozenset(),
    wide: frozenset[int] = frozenset(),
) -> str:
    """A table whose cells are HTML already; the first of each row is its heading.

    ``numbers`` are the columns set to the right, ``wide`` those that hold running text. The caption
    is what the table is called where it is not seen.
    """

    def kind(place: int) -> str:
        if place in numbers:
            return ' class="number"'
        return ' class="wide"' if place in wide else ""

    head = "".join(
        f'<th scope="col"{kind(k)}>{escape(text)}</th>' if text else "<td></td>"
        for k, text in enumerate(headings)
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{cell}</th>' if k == 0 else f"<td{kind(k)}>{cell}</td>"
            for k, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return scrolled(
        "table",
        caption,
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>",
    )


def scrolled(kind: str, name: str, inner: str) -> str:
    """What may be wider than a phone: it scrolls by itself, with the keyboard, too."""
    return (
        f'<div class="{kind}" role="group" aria-label="{escape(name)}" tabindex="0">'
        f"{inner}</div>"
    )


def prose(text: str) -> str:
    """Running text of a spec: paragraphs, with ``code`` and addresses made out."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "".join(f"<p>{_inline(p)}</p>" for p in paragraphs if p.strip())


def _inline(text: str) -> str:
    text = escape(" ".join(text.split()), quote=False)
    text = re.sub(r"``?([^`]+)``?", r"<code>\1</code>", text)
    return re.sub(
        r"\bhttps?://[^\s<>\"]+[^\s<>\".,;:)]",
        lambda found: f'<a href="{found[0]}">{found[0]}</a>',
        text,
    )
