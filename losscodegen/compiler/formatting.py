"""Text as Black formats it.

Black passes over a text a second time if the first pass changed anything. So what is too long for
a line is wrapped alone, before it goes into the module, and Black finds nothing left to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import black
from black.mode import Mode, TargetVersion

WIDTH = 88
_MODE = Mode(
    target_versions={TargetVersion.PY311}, line_length=WIDTH, string_normalization=True
)
_STATEMENT = re.compile(r"return |[\w.]+ = ")
"""Lines that are understood without those around them."""


def formatted(text: str, indent: int = 0) -> str:
    """``text``, which will stand ``indent`` deep."""
    return black.format_str(text, mode=replace(_MODE, line_length=WIDTH - indent))


def wrapped(lines: Iterable[str], indent: int) -> tuple[str, ...]:
    """The lines of a block that stands ``indent`` deep, statements wrapped that are too long."""
    return tuple(part for line in lines for part in _wrapped(line, indent))


@lru_cache(maxsize=1024)
def _wrapped(line: str, indent: int) -> tuple[str, ...]:
    statement = line.lstrip(" ")
    if len(line) + indent <= WIDTH or not _STATEMENT.match(statement):
        return (line,)
    own = len(line) - len(statement)
    parts = formatted(statement, indent + own).splitlines()
    return tuple(" " * own + part for part in parts)


def definition(
    name: str, parameters: Iterable[str], returns: str, indent: int
) -> tuple[str, ...]:
    """The head of a function."""
    line = f"def {name}({', '.join(parameters)}) -> {returns}:"
    if len(line) + indent <= WIDTH:
        return (line,)
    return tuple(formatted(f"{line} ...", indent).removesuffix(" ...\n").splitlines())
