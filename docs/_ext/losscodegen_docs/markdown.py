"""Pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """``text`` as it is typed."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def listing(text: str, language: str = "text") -> str:
    """Several lines as they are typed."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def prose(text: str) -> str:
    """A plain sentence of one of our tables: only ``code`` in backticks is more than text."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(
        part if k % 2 else re.sub(r"([\\*_<\[\]#{}$|])", r"\\\1", part)
        for k, part in enumerate(parts)
    )


def target(name: str) -> str:
    """What links elsewhere may refer to; stands before a heading."""
    return f"({name})=\n"


def bullets(entries: Iterable[tuple[str, str]]) -> str:
    """A list of what there is to say, each with what it is called."""
    return "".join(f"- {name}: {text}\n" for name, text in entries if text)


def html(text: str) -> str:
    """A block of HTML, which must be one line to be left alone."""
    return " ".join(text.split("\n")) + "\n"
