"""Products of one factor with itself, as the powers that they are.

Patterns are written with powers: ``log(1 + x*x)`` is to be found by the row for ``log(1 + x**2)``.
"""

from __future__ import annotations

from losscodegen.ir.build import number, power
from losscodegen.ir.nodes import Call, Expr
from losscodegen.ir.walk import transform, with_origin


def as_powers(expr: Expr) -> Expr:
    """``expr`` with ``x**2`` for ``x*x``; other factors of a product stay where they are."""
    return transform(expr, _as_power)


def _as_power(expr: Expr) -> Expr:
    if not isinstance(expr, Call) or expr.op != "mul":
        return expr
    counts = {arg: expr.args.count(arg) for arg in expr.args}
    if len(counts) != 1:
        return expr
    ((base, count),) = counts.items()
    found = power(base, number(count, str(count)))
    return with_origin(found, expr.origin)
