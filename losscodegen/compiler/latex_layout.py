"""Mathematics as lines of source: what is long is broken where LaTeX does not mind."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}()\[\]]|[^\\{}()\[\]]")
_OPEN = {r"\begin": 1, r"\left": 0, "{": 2, "(": 1, "[": 1}
_CLOSE = {r"\end": 1, r"\right": 0, "}": 2, ")": 1, "]": 1}

_INVISIBLE = re.compile(
    r"\\(left|right|operatorname|mathrm|text|begin\{\w+\}|end\{\w+\}|tfrac|frac|sqrt|,|:)"
)
_WIDE = 72
"""Glyphs beyond which an equation takes a second line."""


def glyphs(text: str) -> int:
    """About how many characters of width ``text`` takes once it is set."""
    widest = max(
        (_width(row) for row in re.split(r"\\\\|\\begin\{cases\}", text)), default=0
    )
    return widest


def _width(text: str) -> int:
    # Of a fraction only the wider half counts.
    text = _INVISIBLE.sub("", text)
    text = re.sub(r"\\[a-zA-Z]+", "x", text)
    return len(re.sub(r"[\s{}_^&\\]", "", text))


def broken(right: str) -> str:
    """A long right side as several lines of an aligned environment, at its outermost signs."""
    if glyphs(right) <= _WIDE or r"\begin" in right:
        return right
    lines = [""]
    for term in _terms(right):
        if lines[-1] and glyphs(lines[-1] + term) > _WIDE:
            lines.append(r"\quad {}" + term)
        else:
            lines[-1] += term
    return r" \\ &".join(lines)


def _terms(text: str) -> Iterator[str]:
    """``text`` cut before every plus and minus outside of all braces and parentheses."""
    start = 0
    for position, depth in _depths(text):
        if depth == 0 and position > start and re.match(r" [+-] ", text[position:]):
            yield text[start:position]
            start = position
    yield text[start:]


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """For each character that begins a token, how deep it is; braces count twice."""
    depth = 0
    for found in _TOKEN.finditer(text):
        token = found.group()
        if token in _OPEN:
            yield found.start(), depth
            depth += _OPEN[token]
        else:
            depth -= _CLOSE.get(token, 0)
            yield found.start(), depth


def laid_out(text: str, width: int) -> list[str]:
    """``text`` as lines: one per row of an environment, long ones broken at spaces."""
    lines: list[str] = []
    indent = 0
    for piece in _rows(text):
        if piece.startswith(r"\end{"):
            indent = max(0, indent - 4)
        lines += _filled(piece, indent, width)
        if piece.endswith((r"\begin{cases}",)):
            indent += 4
    return lines


def _rows(text: str) -> list[str]:
    """Cut after every ``\\begin{cases}`` and row end, and before every ``\\end{cases}``."""
    text = text.replace(r"\begin{cases} ", "\\begin{cases}\n")
    text = text.replace(r" \end{cases}", "\n\\end{cases}")
    text = text.replace(" \\\\ ", " \\\\\n")
    return [line.strip() for line in text.split("\n") if line.strip()]


def _filled(text: str, indent: int, width: int) -> list[str]:
    """Lines of at most ``width``, broken at the outermost space that leaves them full enough."""
    lines = []
    margin = indent
    end = r" \\" if text.endswith(r" \\") else ""
    text = text.removesuffix(end)
    while len(text) + len(end) > width - margin:
        room = width - margin
        spaces = [
            (-1 if text.startswith(" & ", position) else depth, -position)
            for position, depth in _depths(text)
            if text[position] == " " and 0 < position <= room
        ]
        roomy = [s for s in spaces if -s[1] >= room // 3] or spaces
        if not roomy:
            break
        cut = -min(roomy)[1]
        lines.append(" " * margin + text[:cut].rstrip())
        text = text[cut:].strip()
        margin = indent + 4
    return [*lines, " " * margin + text + end]
