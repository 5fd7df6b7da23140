"""How fast an expression grows with its inputs, as the exponent of a power.

What grows faster than its inputs overflows although they do not; so does the derivative of what
grows faster than their square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from losscodegen.compiler.ranges import Ranges
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import walk

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


def degree(
    expr: Expr, ranges: Ranges, free: Callable[[str], bool], *, divisors: int = 1
) -> float:
    """The exponent; infinite for an exponential, 0 for what is bounded or grows like a logarithm.

    Args:
        expr: what is looked at, at a place where ``ranges`` hold.
        ranges: what is known of its parts.
        free: whether a name may be of any size, as inputs are and parameters are not.
        divisors: how often the inverse of a divisor counts: once in a value; in a derivative three
            times, which grows faster than the value and not more slowly; not at all for 0.
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
                return _call(op, args, of, below, ranges)
            case _:
                assert_never(node)

    def below(node: Expr) -> float:
        """How fast the inverse of a divisor grows, which may be a small input."""
        return divisors * _falls(node, ranges, free) if divisors else 0.0

    return of(expr)


def _call(
    op: str,
    args: tuple[Expr, ...],
    of: Callable[[Expr], float],
    below: Callable[[Expr], float],
    ranges: Ranges,
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
            return of(args[0]) + below(args[1])
        case "sqrt":
            return of(args[0]) / 2
        case "pow":
            base, exponent = args
            powers = ranges.of(exponent)
            known, inverse = of(base), below(base) if powers.low < 0 else 0.0
            return max(
                known * max(powers.high, 0.0) if known else 0.0,
                inverse * -powers.low if inverse else 0.0,
            )
        case "clip":
            value, low, high = args
            ends = max(of(low), of(high))
            return min(of(value), math.inf if _infinite(low, high) else ends)
        case "xlogy" | "lgamma":
            return of(args[0])
        case _:
            return 0.0


def _infinite(*ends: Expr) -> bool:
    return any(
        isinstance(n, Constant) and n.name is Named.OO for e in ends for n in walk(e)
    )


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
                return sum(_falls(a, ranges, free) for a in args)
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
                if not (len(signs) == 1 and signs & {(True, False), (False, True)}):
                    return 0.0
                # What may be exactly 0 keeps nothing from underflowing.
                kept = [of(a) for a in args if ranges.of(a).nonzero]
                return min(kept) if kept else max(map(of, args))
            case Call("exp" | "sigmoid" | "softplus", (arg,)):
                falls = degree(arg, ranges, free) > 0
                return math.inf if falls and ranges.of(arg).low < -_EXP_LIMIT else 0.0
            case _:
                return 0.0

    return of(expr)


def _falls(expr: Expr, ranges: Ranges, free: Callable[[str], bool]) -> float:
    """`reciprocal_degree`, of an input 1 unless it is kept away from 0."""
    small = isinstance(expr, Read) and free(expr.name) and ranges.of(expr).low < _SMALL
    return max(reciprocal_degree(expr, ranges, free), float(small))
