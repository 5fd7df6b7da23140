"""How fast an expression grows with its inputs, as the exponent of a power.

What grows faster than its inputs overflows although they do not; so does the derivative of what
grows faster than their square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
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
_SMALL = 1e-30
"""What is no smaller does not underflow."""
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
        free: whether a name may be of any size, as tensors are and Python numbers are not.
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
            case Reduce(Reduction.LOGSUMEXP, Select(_, then, otherwise)):
                return max(of(replace(node, body=b)) for b in (then, otherwise))
            case Reduce(Reduction.LOGSUMEXP, body) if _shifted(body):
                return 0.0  # the largest term has been taken out
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
        # What grows downwards does not matter, nor what a shift has been taken from.
        falls = (ceiling or _shifted(last)) and op in ("exp", "expm1")
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


def _shifted(expr: Expr) -> bool:
    """Whether an offset without a gradient, as rules choose it, is taken from ``expr``."""
    return isinstance(expr, Call) and any(
        isinstance(a, Call) and a.op == "neg" and _is_detached(a.args[0])
        for a in (expr, *expr.args)
    )


def _is_detached(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op == "detach"


def reciprocal_degree(expr: Expr, ranges: Ranges, free: Callable[[str], bool]) -> float:
    """How fast ``1/expr`` may grow with the inputs, in the terms of `degree`.

    Inputs themselves do not count: they are no smaller than they are.
    """

    def of(node: Expr) -> float:
        limits = ranges.of(node)
        if (limits.low > 0 and not limits.low_open) or limits.low >= _SMALL:
            return 0.0
        match node:
            case Select(_, then, otherwise) | Switch(_, then, otherwise):
                return max(of(then), of(otherwise))
            case Call("neg" | "abs" | "detach" | "sqrt" | "square", (arg,)):
                return of(arg)
            case Call("mul", args):
                # Two factors that are small on their own are too small together.
                return sum(max(of(a), float(_small(a))) for a in args)
            case Call("div", (top, bottom)):
                return of(top) + degree(bottom, ranges, free)
            case Call("pow", (base, exponent)):
                power = ranges.of(exponent)
                falls = degree(base, ranges, free) if power.low < 0 else 0.0
                return max(of(base), -power.low * falls if falls else 0.0)
            case Call("add", args):
                signs = {
                    (ranges.of(a).nonnegative, (-ranges.of(a)).nonnegative)
                    for a in args
                }
                alike = len(signs) == 1 and signs & {(True, False), (False, True)}
                return min(map(of, args)) if alike else 0.0
            case Call("exp" | "sigmoid" | "softplus", (arg,)):
                falls = degree(arg, ranges, free) > 0
                return math.inf if falls and ranges.of(arg).low < -_EXP_LIMIT else 0.0
            case _:
                return 0.0

    def _small(node: Expr) -> bool:
        return isinstance(node, Read) and free(node.name)

    return of(expr)
