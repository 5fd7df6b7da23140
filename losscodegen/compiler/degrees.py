"""How fast an expression grows with its inputs, as the exponent of a power.

What grows faster than its inputs overflows although they do not; so does the derivative of what
grows faster than their square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import assert_never

from losscodegen.compiler.ranges import Ranges
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)

_EXP_LIMIT = 80.0
"""An exponential of no more is a number of ordinary size."""
_KEPT = frozenset(
    {"add", "neg", "abs", "relu", "max", "min", "softplus", "logsigmoid", "logaddexp"}
    | {"hypot", "detach", "cbrt"}
)
"""Ops that grow like the largest of their arguments."""
_EXPONENTIAL = frozenset({"exp", "expm1", "cosh", "sinh", "gamma", "besseli"})


def degree(expr: Expr, ranges: Ranges, free: Callable[[str], bool]) -> float:
    """The exponent; infinite for an exponential, 0 for what is bounded or grows like a logarithm.

    Args:
        expr: what is looked at, at a place where ``ranges`` hold.
        ranges: what is known of its parts.
        free: whether a name may be of any size, as inputs are and parameters are not.
    """

    def of(node: Expr) -> float:
        limits = ranges.of(node)
        if limits.bounded:
            return 0.0
        match node:
            case Number() | Constant() | Index() | Size():
                return 0.0
            case Read(name):
                return 1.0 if free(name) else 0.0
            case Use():
                return math.inf
            case Select(_, then, otherwise) | Switch(_, then, otherwise):
                return max(of(then), of(otherwise))
            case Reduce(kind, body):
                return of(body) * (2.0 if kind is Reduction.VAR else 1.0)
            case Keep(kind, body):
                return of(body) if kind is Keeper.LOG_SOFTMAX else 0.0
            case Call(op, args):
                return _call(op, args, of, ranges)
            case _:
                assert_never(node)

    return of(expr)


def _call(
    op: str, args: tuple[Expr, ...], of: Callable[[Expr], float], ranges: Ranges
) -> float:
    if op in _KEPT:
        return max(map(of, args))
    if op == "square":
        return 2.0 * of(args[0])
    if op in _EXPONENTIAL:
        last = args[-1]
        ceiling = (
            isinstance(last, Call) and last.op == "min" and min(map(of, last.args)) == 0
        )
        # What grows downwards does not matter.
        falls = ceiling and op in ("exp", "expm1")
        grows = ranges.of(last).high > _EXP_LIMIT and of(last) > 0
        return math.inf if grows and not falls else 0.0
    match op:
        case "mul":
            return sum(map(of, args))
        case "div":
            return of(args[0])
        case "sqrt":
            return of(args[0]) / 2
        case "pow":
            base, exponent = args
            power = ranges.of(exponent).high
            if isinstance(exponent, Number):
                power = float(Fraction(exponent.value))
            known = of(base)
            return known * max(power, 0.0) if known else 0.0
        case "xlogy" | "clip" | "lgamma":
            return of(args[0])
        case _:
            return 0.0
