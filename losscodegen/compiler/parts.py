"""Sums that leave out the ends of an axis, as slices.

In ``Sum(x[b,h+1] - x[b,h], h, where=h < H - 1)`` the index runs over a part of its axis. There it
gets an axis of its own, ``H[0:-1]``, on which the condition is always true, and every read becomes
a slice: ``x[:, 1:] - x[:, :-1]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from losscodegen.compiler.canonical import terms
from losscodegen.ir.build import ONE, add, number, sub
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Select,
    Size,
)
from losscodegen.ir.walk import substitute, transform, walk

_COMPARISONS = {"lt": (1, 1), "le": (1, 0), "gt": (-1, 1), "ge": (-1, 0)}
"""A comparison of u and v as ``sign*(u - v) + strict <= 0`` for integers."""


@dataclass(frozen=True, slots=True)
class Part:
    """An axis without its first and last entries."""

    axis: str
    first: int = 0
    last: int = 0

    @property
    def name(self) -> str:
        return f"{self.axis}[{self.first}:-{self.last}]"

    @classmethod
    def of(cls, name: str) -> Part | None:
        """The part that an axis is, None if it is one of the loss."""
        found = re.fullmatch(r"(.*)\[(\d+):-(\d+)\]", name)
        return found and cls(found[1], int(found[2]), int(found[3]))


def base(axis: str) -> str:
    """The axis of the loss that ``axis`` is or is a part of."""
    part = Part.of(axis)
    return axis if part is None else part.axis


def offset(expr: Expr) -> tuple[Index, int] | None:
    """``(i, k)`` where ``expr`` is an index ``i`` or ``i + k``."""
    found = terms(expr)
    indices = [t for t in found if t.body != ONE]
    match indices:
        case [term] if isinstance(term.body, Index) and term.coefficient == 1:
            shift = sum((t.coefficient for t in found if t.body == ONE), Fraction(0))
            return (term.body, int(shift)) if shift.denominator == 1 else None
        case _:
            return None


def sliced(expr: Expr) -> Expr:
    """``expr`` with every sum over shifted reads confined to the part where they exist."""
    return transform(expr, _confined)


def _confined(expr: Expr) -> Expr:
    if not isinstance(expr, Reduce) or expr.where is None:
        return expr
    shifted = {
        found[0]
        for node in walk(expr.body)
        for place in _places(node)
        if (found := offset(place)) is not None and found[1]
    }
    known: dict[Index, Part] = {}
    implied: list[Expr] = []
    conditions = _conditions(expr.where)
    for condition in conditions:
        bound = _bound(condition)
        if bound is not None and bound[0] in shifted & {*expr.indices}:
            index, first, last = bound
            part = known.get(index, Part(index.axis))
            first, last = max(first, part.first), max(last, part.last)
            known[index] = Part(index.axis, first, last)
            implied.append(condition)
    if not known:
        return expr
    body = transform(expr.body, lambda node: _taken(node, implied))
    rest = [c for c in conditions if c not in implied]
    new = {i: Index(i.name, part.name) for i, part in known.items()}
    moved = {i: add(new[i], number(part.first)) for i, part in known.items()}
    where = None
    if rest:
        where = rest[0] if len(rest) == 1 else Call("and", tuple(rest))
        where = substitute(where, moved)
    return replace(
        expr,
        body=substitute(body, moved),
        indices=tuple(new.get(i, i) for i in expr.indices),
        where=where,
    )


def _places(node: Expr) -> tuple[Expr, ...]:
    """The subscripts that ``node`` reads at."""
    match node:
        case Read(_, subscripts):
            return subscripts
        case Keep(_, _, _, at):
            return (at,)
        case _:
            return ()


def _conditions(where: Expr) -> tuple[Expr, ...]:
    return where.args if isinstance(where, Call) and where.op == "and" else (where,)


def _taken(node: Expr, implied: list[Expr]) -> Expr:
    """A choice that is made already."""
    if isinstance(node, Select) and all(
        c in implied for c in _conditions(node.condition)
    ):
        return node.then
    return node


def _bound(condition: Expr) -> tuple[Index, int, int] | None:
    """The index that a condition keeps off the ends of its axis, and how far off each."""
    if not isinstance(condition, Call) or condition.op not in _COMPARISONS:
        return None
    sign, strict = _COMPARISONS[condition.op]
    rest = Fraction(strict)
    index: Index | None = None
    axes = set[str]()
    direction = size = Fraction(0)
    for term in terms(sub(*condition.args)):
        match term.body:
            case Index() as found if index is None:
                index, direction = found, sign * term.coefficient
            case Size(axis):
                axes.add(axis)
                size += sign * term.coefficient
            case Number(1):
                rest += sign * term.coefficient
            case _:
                return None
    if index is None or axes - {index.axis} or rest.denominator != 1:
        return None
    if direction == 1 and size == -1:  # h - H + rest <= 0
        return index, 0, max(0, int(rest) - 1)
    if direction == -1 and size == 0:  # rest - h <= 0
        return index, max(0, int(rest)), 0
    return None
