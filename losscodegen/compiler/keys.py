"""Numbers for subexpressions: equal up to the names of bound indices means the same number.

Comparing and hashing trees costs their size, and a formula with nested definitions is a large tree
of few distinct parts. Each part is looked at once.
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
from losscodegen.ir.walk import canonical, children


@dataclass(slots=True)
class Keys:
    """Gives out the numbers."""

    numbers: dict[Hashable, int] = field(default_factory=dict)
    seen: dict[int, tuple[int, Expr]] = field(default_factory=dict)
    """By identity; the expression is held so that its identity stays its own."""

    def of(self, expr: Expr) -> int:
        known = self.seen.get(id(expr))
        if known is None:
            bare = canonical(expr) if isinstance(expr, Reduce | Keep) else expr
            known = (self._number(bare), expr)
            self.seen[id(expr)] = known
        return known[0]

    def _number(self, expr: Expr) -> int:
        parts = tuple(
            self._number(c) if isinstance(expr, Reduce | Keep) else self.of(c)
            for c in children(expr)
        )
        return self.numbers.setdefault((_head(expr), parts), len(self.numbers))

    def inside(self, expr: Expr) -> set[int]:
        """The numbers of everything in ``expr``, itself included."""
        return {self.of(node) for node in distinct(expr)}


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
        case Index(name, axis):
            return kind, name, axis
        case Size(axis):
            return kind, axis
        case Read(name) | Use(name):
            return kind, name
        case Call(op):
            return kind, op
        case Reduce(reduction, _, indices, where, order):
            return kind, reduction, indices, where is None, order is None
        case Keep(keeper, _, index):
            return kind, keeper, index
        case _:
            return (kind,)
