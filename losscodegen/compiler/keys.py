"""Numbers for subexpressions: equal up to the names of indices means the same number.

Comparing and hashing trees costs their size, and a formula with nested definitions is a large tree
of few distinct parts. Each part is looked at once. Free indices count by their place alone: what is
computed of ``z[i, d]`` is the same tensor when it is asked for of ``z[j, d]``, and a matrix
``s[j, i]`` is the transpose of ``s[i, j]``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Size,
    Use,
)
from losscodegen.ir.walk import children

Free = tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    free: Free
    expr: Expr
    """Held so that its identity stays its own."""


@dataclass(slots=True)
class Keys:
    """Gives out the numbers."""

    numbers: dict[Hashable, int] = field(default_factory=dict)
    seen: dict[int, _Known] = field(default_factory=dict)
    """By identity."""

    def of(self, expr: Expr) -> int:
        return self._look(expr).number

    def free(self, expr: Expr) -> Free:
        """The free indices of ``expr``; those of equal numbers correspond in this order."""
        return self._look(expr).free

    def _look(self, expr: Expr) -> _Known:
        known = self.seen.get(id(expr))
        if known is None:
            known = self._new(expr)
            self.seen[id(expr)] = known
        return known

    def _new(self, expr: Expr) -> _Known:
        if isinstance(expr, Index):
            return _Known(self._number(("Index", expr.axis)), (expr,), expr)
        parts = [(self._look(child), bound) for child, bound in _scopes(expr)]
        free = tuple(
            dict.fromkeys(
                i for part, bound in parts for i in part.free if i not in bound
            )
        )
        shape = tuple(
            (part.number, tuple(_label(i, bound, free) for i in part.free))
            for part, bound in parts
        )
        return _Known(self._number((_head(expr), shape)), free, expr)

    def _number(self, name: Hashable) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


def _scopes(expr: Expr) -> Iterator[tuple[Expr, Free]]:
    """The children of ``expr``, each with the indices that are bound there."""
    match expr:
        case Keep(_, body, index, at):
            yield body, (index,)
            yield at, ()
        case Reduce(_, _, indices):
            for child in children(expr):
                yield child, indices
        case _:
            for child in children(expr):
                yield child, ()


def _label(index: Index, bound: Free, free: Free) -> Hashable:
    """What an index is called whatever its name: where it comes up first."""
    if index in bound:
        return "bound", bound.index(index)
    return index.axis, free.index(index)


def distinct(expr: Expr) -> Iterator[Expr]:
    """Every node once, however often it is referred to."""
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            stack.extend(children(node))


def _head(expr: Expr) -> Hashable:
    """What a node is beside its children."""
    kind = type(expr).__name__
    match expr:
        case Number(value):
            return kind, value
        case Constant(name):
            return kind, name
        case Size(axis):
            return kind, axis
        case Read(name) | Use(name):
            return kind, name
        case Call(op):
            return kind, op
        case Reduce(reduction, _, indices, where, order):
            axes = tuple(i.axis for i in indices)
            return kind, reduction, axes, where is None, order is None
        case Keep(keeper, _, index):
            return kind, keeper, index.axis
        case _:
            return (kind,)
