"""Conditions that may be known already: ``i == i`` holds, ``x <= oo`` says nothing."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction

from losscodegen.ir.nodes import Call, Constant, Expr, Index, Named, Number, Size

Condition = Expr | bool
"""A truth value that may be known already."""

_COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def number_of(expr: Expr) -> Fraction | None:
    """The value of a signed number, None for anything else."""
    match expr:
        case Number(value):
            return value
        case Call("neg", (Number(value),)):
            return -value
        case _:
            return None


def both(*conditions: Condition) -> Condition:
    """The conjunction, as far as it is not known."""
    kept: dict[Expr, None] = {}
    for condition in conditions:
        if condition is False:
            return False
        if condition is True:
            continue
        parts = (
            condition.args
            if isinstance(condition, Call) and condition.op == "and"
            else (condition,)
        )
        for part in parts:
            known = decide(part)
            if known is False:
                return False
            if known is not True:
                kept.setdefault(part)
    if not kept:
        return True
    return next(iter(kept)) if len(kept) == 1 else Call("and", tuple(kept))


def decide(condition: Condition) -> Condition:
    """``condition``, or its truth value where the two sides leave no choice."""
    if not isinstance(condition, Call):
        return condition
    match condition:
        case Call("eq" | "le" | "ge", (left, right)) if left == right and _exact(left):
            return True
        case Call("ne" | "lt" | "gt", (left, right)) if left == right and _exact(left):
            return False
        case Call("le", (_, Constant(Named.OO))) | Call(
            "ge", (_, Call("neg", (Constant(Named.OO),)))
        ):
            return True
        case Call("gt", (_, Constant(Named.OO))) | Call(
            "lt", (_, Call("neg", (Constant(Named.OO),)))
        ):
            return False
        case Call("lt", (Index(_, axis), Size(other))) if axis == other:
            return True
        case Call("ge", (Index(), Number(value))) if value <= 0:
            return True
        case Call(op, (left, right)) if op in _COMPARE:
            a, b = number_of(left), number_of(right)
            return condition if a is None or b is None else _COMPARE[op](a, b)
        case Call("and", args):
            return both(*args)
        case _:
            return condition


def _exact(expr: Expr) -> bool:
    """Whether ``expr`` certainly equals itself: a value read from a tensor may be NaN."""
    return isinstance(expr, Index | Size | Number)
