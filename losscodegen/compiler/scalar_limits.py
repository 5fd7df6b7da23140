"""Functions of parameters where Python raises and torch gives an infinity or nan.

``math.log(0.0)``, ``1.0 / 0.0`` and ``math.exp(1000.0)`` are errors, and a negative number to a
fractional power is a complex one. What a parameter's domain does not keep from there is computed
as a tensor, which knows infinities.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from losscodegen.compiler.options import is_static
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.ir.nodes import Call, Expr, Read, Switch
from losscodegen.ir.walk import children, transform
from losscodegen.language.formula import parse_formula

WITHIN = {
    # op, where Python gives a number for its arguments x and y
    "div": "y != 0",
    "mod": "y != 0",
    "pow": "x > 0 or (x >= 0 and y >= 0)",
    "exp": "x <= 700",
    "expm1": "x <= 700",
    "sinh": "abs(x) <= 700",
    "cosh": "abs(x) <= 700",
    "log": "x > 0",
    "log10": "x > 0",
    "log1p": "x > -1",
    "log1mexp": "x > 0",
    "xlogy": "y > 0",
    "sqrt": "x >= 0",
    "asin": "abs(x) <= 1",
    "acos": "abs(x) <= 1",
    "acosh": "x >= 1",
    "atanh": "abs(x) < 1",
    "lgamma": "x > 0",
    "gamma": "x > 0 and x <= 170",
}
"""An integral power of anything but 0 is a number, too; so is ``xlogy`` wherever x is 0."""


def raising(expr: Expr, ranges: Ranges, scalars: set[str]) -> frozenset[Expr]:
    """The calls on Python numbers in ``expr`` of which it is not proved that they raise nothing.

    ``scalars`` are the names of Python numbers. Only what Python itself decides counts as known: a
    number is computed whatever a condition on tensors says.
    """
    seen: set[tuple[Expr, int]] = set()

    def visit(node: Expr, known: Ranges) -> Iterator[Expr]:
        if (node, id(known)) in seen:
            return
        seen.add((node, id(known)))
        if isinstance(node, Switch):
            # Conditions of parameters are for Python to decide, and stay Python's.
            yield from visit(node.then, known.under(node.condition))
            yield from visit(node.otherwise, known.under(opposite(node.condition)))
            return
        for child in children(node):
            yield from visit(child, known)
        if (
            isinstance(node, Call)
            and node.op in WITHIN
            and is_static(node, scalars)
            and not _harmless(node, known)
        ):
            yield node

    return frozenset(visit(expr, ranges))


def _harmless(expr: Call, ranges: Ranges) -> bool:
    within = transform(_condition(expr.op), lambda node: _argument(node, expr.args))
    if ranges.proves(within):
        return True
    match expr:
        case Call("pow", (base, exponent)):
            power = ranges.of(exponent)
            whole = power.low == power.high and power.low % 1 == 0
            return whole and (power.low >= 0 or ranges.of(base).nonzero)
        case _:
            return False


def _argument(node: Expr, args: tuple[Expr, ...]) -> Expr:
    return args["xyz".index(node.name)] if isinstance(node, Read) else node


@cache
def _condition(op: str) -> Expr:
    return parse_formula(WITHIN[op])
