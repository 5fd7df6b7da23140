"""Pieces of mathematics: how tightly they hold, when they need parentheses, vectors by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

from losscodegen.ir.build import ZERO
from losscodegen.ir.nodes import Call, Expr, Index, Keep, Read, Reduce, Use
from losscodegen.ir.ops import Op, Sort
from losscodegen.ir.walk import children, rebuild, walk


class Level(IntEnum):
    """How tightly the outermost part of a formula holds, loosest first."""

    CHOICE = 0
    LOGIC = 1
    RELATION = 2
    SUM = 3
    SIGN = 4
    PRODUCT = 5
    PREFIX = 6
    """``\\log x``, ``\\sum_c x``: takes in what follows."""
    FRACTION = 7
    POWER = 8
    ATOM = 9


class Math(NamedTuple):
    text: str
    level: Level = Level.ATOM

    def at(self, least: Level) -> str:
        """In parentheses if it holds less tightly than ``least``."""
        return self.text if self.level >= least else enclosed(self.text)

    @property
    def tall(self) -> bool:
        return is_tall(self.text)


_TALL = (r"\frac", r"\sum", r"\prod", r"\begin", r"\left(", r"\max_", r"\min_")
LONG_EXPONENT = 28
"""From so many characters on an exponential is written exp(...)."""


def is_tall(text: str) -> bool:
    return any(mark in text for mark in _TALL)


def enclosed(text: str) -> str:
    return rf"\left( {text} \right)" if is_tall(text) else f"({text})"


_OPENING = ("(", "{", ", ", ",", r"\lvert ", r"\lfloor ")
_CLOSING = (")", "}", ",", r" \rvert", r" \rfloor")


def fits(template: str, k: int, level: Level) -> bool:
    """Whether an argument may stand bare in every place ``{k}`` of a template."""
    if "{args}" in template:
        return True
    before, *after = template.replace("{{", "(").replace("}}", ")").split(f"{{{k}}}")
    return all(
        _fits(left, right, level)
        for left, right in zip([before, *after], after, strict=False)
    )


def _fits(left: str, right: str, level: Level) -> bool:
    if right.startswith("^"):
        return level >= Level.ATOM
    if left.endswith(_OPENING) and right.startswith(_CLOSING):
        return True
    if left.endswith(("+ ", "-")):
        return level >= Level.PRODUCT
    # After a function like `\log`, where a power would be taken for that of the function.
    return level in (Level.PREFIX, Level.FRACTION, Level.ATOM)


def level_of(row: Op, template: str) -> Level:
    """How tightly a formula made from this template holds."""
    if row.sort is Sort.BOOL:
        return Level.RELATION
    if template.startswith("{0} "):
        return Level.SUM if row.operator else Level.PRODUCT
    if template.startswith(r"\log"):
        return Level.PREFIX
    if template.endswith(
        (")", "}", "rvert", "rfloor", ")_+")
    ) and not template.endswith(" {0}"):
        return Level.ATOM
    return Level.PREFIX


def stretched(text: str) -> str:
    """The parentheses that end ``text`` as tall as what they hold."""
    if not text.endswith(")") or text.endswith(r"\right)"):
        return text
    depth = 0
    for start in range(len(text) - 1, -1, -1):
        depth += (text[start] == ")") - (text[start] == "(")
        if depth == 0:
            inner = text[start + 1 : -1].strip()
            return text[:start] + enclosed(inner)
    return text


def as_vector(body: Expr, indices: tuple[Index, ...]) -> Expr | None:
    """``body`` with the bound indices left out: ``x[b, c] - y[b, c]`` over c as x_b - y_b.

    None where an index does more than select.
    """
    found = False

    def dropped(node: Expr) -> Expr | None:
        nonlocal found
        match node:
            case Index() if node in indices:
                return None
            case Read(_, subscripts) | Use(_, subscripts):
                kept = tuple(s for s in subscripts if s not in indices)
                found = found or len(kept) < len(subscripts)
                new = _each(kept, dropped)
                return None if new is None else replace(node, subscripts=new)
            case Reduce() | Keep():
                return None
            case _:
                inner = _each(children(node), dropped)
                return None if inner is None else rebuild(node, inner)

    result = dropped(body)
    return result if found else None


def _each(
    nodes: Iterable[Expr], function: Callable[[Expr], Expr | None]
) -> tuple[Expr, ...] | None:
    results = []
    for node in nodes:
        result = function(node)
        if result is None:
            return None
        results.append(result)
    return tuple(results)


COMMAND = re.compile(r"\\([a-zA-Z]+)")


def vanishes(expr: Expr, condition: Expr) -> bool:
    """Whether ``expr`` is 0 by itself where ``condition``, an inequality to 0, does not hold."""
    if (
        not isinstance(condition, Call)
        or condition.op != "ne"
        or condition.args[1] != ZERO
    ):
        return False
    top = expr.args[0] if isinstance(expr, Call) and expr.op == "div" else expr
    return condition.args[0] in tuple(factors_of((top,)))


_OPPOSITES = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def opposite(condition: Expr) -> Expr | None:
    if isinstance(condition, Call) and condition.op in _OPPOSITES:
        return replace(condition, op=_OPPOSITES[condition.op])
    return None


def factors_of(args: Iterable[Expr]) -> Iterable[Expr]:
    for arg in args:
        if isinstance(arg, Call) and arg.op == "mul":
            yield from factors_of(arg.args)
        else:
            yield arg


def is_short(expr: Expr) -> bool:
    """Whether a numerator reads well with its denominator pulled in front."""
    if isinstance(expr, Call) and expr.op in ("add", "div"):
        return False
    return sum(1 for _ in walk(expr)) <= 12


def between(left: str, right: str) -> str:
    if right[0].isdigit() or right.startswith(("10^", r"\tfrac")):
        return r" \cdot "
    words = (r"\mathrm", r"\operatorname")
    last = left.rsplit(" ", 1)[-1].lstrip("-")
    if last.startswith(words) or (right.startswith(words) and last[-1:].isalnum()):
        return r" \, "
    return " "
