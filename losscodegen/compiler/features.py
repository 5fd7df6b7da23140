"""What occurs in an expression, to see at a glance which patterns cannot match it.

Whatever matches a pattern has all that the pattern needs; the reverse need not be so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from losscodegen.compiler.canonical import factors
from losscodegen.compiler.match import ARITHMETIC
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Keep,
    Reduce,
    Select,
    Switch,
    Use,
    remembered,
)
from losscodegen.ir.walk import children

Feature = object
"""A function, reduction or choice that occurs anywhere, or one of the classes below."""


@dataclass(frozen=True, slots=True)
class Head:
    """A function, reduction or choice that is reached from the root through arithmetic alone."""

    kind: object


@dataclass(frozen=True, slots=True)
class Shape:
    """A sum, a divisor, or a power by the size of its exponent, reached like a `Head`."""

    kind: str | Fraction


_LOOSE = ARITHMETIC | {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"}
"""Ops that match in more than one form."""


def needs(pattern: Expr, optional: frozenset[str]) -> frozenset[Feature]:
    """What must occur in an expression for a pattern to have a chance at its root."""
    if not optional:
        return features(pattern)
    # With a term or a factor that may be missing, a sum or a power may be none.
    return frozenset(f for f in features(pattern) if not isinstance(f, Shape))


@remembered
def features(expr: Expr) -> frozenset[Feature]:
    """All that occurs in an expression."""
    return _inside(expr) | _reached(expr)


@remembered
def _inside(expr: Expr) -> frozenset[Feature]:
    return frozenset(_kinds(expr)).union(*map(_inside, children(expr)))


@remembered
def _reached(expr: Expr) -> frozenset[Feature]:
    if not isinstance(expr, Call) or expr.op not in ARITHMETIC:
        return frozenset(map(Head, _kinds(expr)))
    return frozenset(_shapes(expr)).union(*map(_reached, expr.args))


def _kinds(node: Expr) -> Iterator[object]:
    match node:
        case Call(op):
            if op not in _LOOSE:
                yield op
        case Reduce(kind) | Keep(kind):
            yield kind
        case Select() | Switch() | Use():
            yield type(node)
        case _:
            pass


def _shapes(node: Call) -> Iterator[Feature]:
    if node.op == "add":
        yield Shape("sum")
    elif node.op == "div" and factors(node.args[1]).factors:
        yield Shape("divisor")
    elif node.op in ("pow", "square", "sqrt"):
        exponent = factors(node).factors[0].exponent
        yield Shape("power")
        if isinstance(exponent, Fraction):
            yield Shape(abs(exponent))
            if exponent < 0:
                yield Shape("divisor")
