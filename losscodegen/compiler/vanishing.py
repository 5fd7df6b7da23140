"""Where a factor is exactly 0, not at single points but throughout a region."""

from __future__ import annotations

import math
from fractions import Fraction

from losscodegen.compiler.conditions import number_of
from losscodegen.compiler.ranges import opposite
from losscodegen.ir.build import OO, ZERO, call, neg
from losscodegen.ir.nodes import Call, Expr, Select

KEEP_ZERO = frozenset(
    {"abs", "asinh", "atan", "cbrt", "detach", "erf", "expm1", "log1p", "neg", "sign"}
    | {"sin", "sinh", "sqrt", "square", "tan", "tanh"}
)
"""Functions that are 0 at 0."""


def vanishing(expr: Expr) -> Expr | None:
    """The condition of the region where ``expr`` is 0; None if it is so nowhere but at points.

    Points that the derivative tells from the rest of the region are left out. NaN is nowhere.
    """
    match expr:
        case Call("relu", (arg,)):
            return call("le", arg, ZERO)
        case Call("max" | "min" as op, (left, right)) if ZERO in (left, right):
            other = right if left == ZERO else left
            return call("lt" if op == "max" else "gt", other, ZERO)
        case Call("clip", (arg, low, high)):
            below, above = _end(low), _end(high)
            if below == 0:
                return call("lt", arg, ZERO)
            if above == 0:
                return call("gt", arg, ZERO)
            if below is None or above is None or not below < 0 < above:
                return None
            return vanishing(arg)
        case Call("heaviside", (arg,)):
            return call("lt", arg, ZERO)
        case Select(condition, then, otherwise) if then == ZERO:
            return condition
        case Select(condition, then, otherwise) if otherwise == ZERO:
            return opposite(condition)
        case Call(op, (arg,)) if op in KEEP_ZERO:
            return vanishing(arg)
        case _:
            return None


def _end(expr: Expr) -> Fraction | float | None:
    """The end of a range, if it is a number or infinite."""
    return {OO: math.inf, neg(OO): -math.inf}.get(expr, number_of(expr))
