"""Pieces of HTML: pages, tables, code with its words set apart. Everything is escaped here."""

from __future__ import annotations

import base64
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from losscodegen import __version__

ASSETS = Path(__file__).parent / "assets"
FONT = "stix-two-math.woff2"


@cache
def style_sheet(font: str | None = None) -> str:
    """The style of all pages. The font is inside, unless it is found under the address ``font``."""
    if font is None:
        data = base64.b64encode((ASSETS / FONT).read_bytes()).decode("ascii")
        font = f"data:font/woff2;base64,{data}"
    face = (
        '@font-face { font-family: "STIX Two Math Subset"; font-display: swap; '
        f'src: url("{font}") format("woff2"); }}\n'
    )
    return face + (ASSETS / "page.css").read_text(encoding="utf-8")


def page(title: str, body: str, *, style: str | None = None, head: str = "") -> str:
    """A whole page; ``style`` is the address of the style sheet, which is inside if it is None."""
    sheet = (
        f"<style>\n{style_sheet()}</style>"
        if style is None
        else f'<link rel="stylesheet" href="{escape(style)}">'
    )
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="losscodegen {__version__}">\n'
        f"<title>{escape(title)}</title>\n{sheet}\n{head}</head>\n<body>\n{body}"
        "</body>\n</html>\n"
    )


def section(name: str, title: str, *parts: str) -> str:
    """A part of a page that the contents point to."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{escape(title)}</h2>\n'
        + "\n".join(part for part in parts if part)
        + "\n</section>\n"
    )


def code(text: str, language: str, name: str) -> str:
    """A listing; ``name`` is what it is called where it is not seen."""
    marked = "".join(_PAINTERS[language](text))
    return (
        f'<pre role="group" aria-label="{escape(name)}" tabindex="0">'
        f"<code>{marked}</code></pre>"
    )


# ------------------------------------------------------------------------------------ listings


def _python(text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    at = (1, 0)

    def between(start: tuple[int, int], end: tuple[int, int]) -> str:
        if start[0] == end[0]:
            return lines[start[0] - 1][start[1] : end[1]]
        return "".join(
            (lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1])
        ) + (lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else "")

    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT):
            continue
        yield escape(between(at, token.start), quote=False)
        at = token.end
        yield _painted(token.string, _python_kind(token))


def _python_kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.COMMENT:
        return "c"
    if token.type == tokenize.STRING:
        return "s"
    return "k" if keyword.iskeyword(token.string) else ""


_TOML = re.compile(
    r"(?P<c>#[^\n]*)|(?P<s>\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
    r"|(?P<k>^\[[^\n]*?\])",
    re.DOTALL | re.MULTILINE,
)


def _toml(text: str) -> Iterator[str]:
    at = 0
    for found in _TOML.finditer(text):
        yield escape(text[at : found.start()], quote=False)
        yield _painted(found.group(), found.lastgroup or "")
        at = found.end()
    yield escape(text[at:], quote=False)


def _painted(text: str, kind: str) -> str:
    text = escape(text, quote=False)
    return f'<span class="{kind}">{text}</span>' if kind else text


def _plain(text: str) -> Iterator[str]:
    yield escape(text, quote=False)


_PAINTERS = {"python": _python, "toml": _toml, "console": _plain}
