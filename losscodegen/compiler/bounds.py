"""The range of every kind of expression, from the ranges of its parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import assert_never

from losscodegen.compiler.canonical import Factor, factors, terms
from losscodegen.compiler.equality import key
from losscodegen.compiler.intervals import (
    AT_LEAST_ONE,
    EVERYTHING,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    Range,
    of_interval,
    point,
    read_range,
)
from losscodegen.ir.loss import DomainKind, Variable
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
from losscodegen.ir.ops import OPS, Shape

_DOMAINS = {
    DomainKind.REAL: EVERYTHING,
    DomainKind.POSITIVE: POSITIVE,
    DomainKind.NONNEGATIVE: NONNEGATIVE,
    DomainKind.NEGATIVE: -POSITIVE,
    DomainKind.UNIT: UNIT,
    DomainKind.BINARY: UNIT,
    DomainKind.SIGN: Range(-1.0, 1.0, False, False),
    DomainKind.COUNT: NONNEGATIVE,
    DomainKind.INTEGER: EVERYTHING,
    DomainKind.INDEX: NONNEGATIVE,
    DomainKind.SIMPLEX: UNIT,
    DomainKind.LOGPROB: -NONNEGATIVE,
    DomainKind.MASK: UNIT,
    DomainKind.BOOL: UNIT,
    DomainKind.CHOICE: EVERYTHING,
}

_CONSTANTS = {Named.PI: math.pi, Named.E: math.e, Named.OO: math.inf}

_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log1p": math.log1p,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "atan": math.atan,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "abs": abs,
    "square": lambda x: x * x,
    "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0,
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "logsigmoid": lambda x: min(x, 0.0) - math.log1p(math.exp(-abs(x))),
}
"""Functions whose bounds at the ends of an interval are worth knowing, by op."""


_STRETCHES = {"sin": (-1.57, 1.57), "tan": (-1.57, 1.57), "cos": (0.0, 3.14)}
"""Where the circular functions move one way: the cosine falls, the others rise."""


def domain_range(variable: Variable) -> Range:
    """Where the entries of ``variable`` lie."""
    found = _DOMAINS[variable.domain.kind]
    if variable.domain.interval is not None:
        found = found & of_interval(variable.domain.interval)
    return found


@dataclass(frozen=True, slots=True)
class Bounds:
    """How ranges are computed; what is known at a place is left to `ranges`."""

    domains: Mapping[str, Range] = field(default_factory=dict)

    def _of(self, expr: Expr) -> Range:
        """The range of a part."""
        raise NotImplementedError

    def _either(self, expr: Select | Switch) -> Range:
        """The range of a choice, each side under its condition."""
        raise NotImplementedError

    def _where(self, expr: Reduce) -> Range:
        """The range of a body where it counts."""
        raise NotImplementedError

    def _computed(self, expr: Expr) -> Range:
        match expr:
            case Number(value):
                return point(float(value))
            case Constant(name):
                return point(_CONSTANTS[name])
            case Index():
                return NONNEGATIVE
            case Size():
                return AT_LEAST_ONE
            case Read(name):
                return self.domains.get(name, EVERYTHING)
            case Use():
                return EVERYTHING
            case Call():
                return self._call(expr)
            case Select() | Switch():
                return self._either(expr)
            case Reduce():
                return self._reduce(expr)
            case Keep(kind, body):
                match kind:
                    case Keeper.SOFTMAX | Keeper.SOFTMIN:
                        return UNIT
                    case Keeper.LOG_SOFTMAX:
                        return -NONNEGATIVE
                    case Keeper.NORMALIZE:
                        low = 0.0 if self._of(body).nonnegative else -1.0
                        return Range(low, 1.0, False, False)
                    case _:
                        assert_never(kind)
            case _:
                assert_never(expr)

    def _call(self, expr: Call) -> Range:
        match expr:
            case Call("add" | "neg"):
                return self._sum(expr)
            case Call("mul" | "div" | "pow" | "square" | "sqrt"):
                product = factors(expr)
                if product.factors == (Factor(expr, Fraction(1)),):
                    return EVERYTHING
                found = point(float(product.coefficient))
                for base, exponent in _grouped(product.factors):
                    found = found * self._power(base, exponent)
                return found
            case Call("max" | "min" as op, args):
                ranges = [self._of(a) for a in args]
                if op == "min":
                    ranges = [-r for r in ranges]
                high = ranges[0]
                for other in ranges[1:]:
                    high = _larger(high, other)
                return high if op == "max" else -high
            case Call("clip", (x, low, high)):
                upper = -_larger(-self._of(x), -self._of(high))
                return _larger(upper, self._of(low))
            case Call("hypot", (x, y)):
                length = _larger(self._of(x).magnitude(), self._of(y).magnitude())
                return replace(length, high=math.inf, high_open=True)
            case Call("log1mexp", (x,)):
                return -POSITIVE
            case Call(op, args):
                return self._by_row(op, args)

    def _by_row(self, op: str, args: tuple[Expr, ...]) -> Range:
        row = OPS.get(op)
        if row is None:
            return EVERYTHING
        outer = read_range(row.range)
        function = _FUNCTIONS.get(op)
        if function is None or len(args) != 1:
            return outer
        inner = self._of(args[0])
        match row.shape:
            case Shape.INCREASING if row.kinks is not None:
                return outer & _with_flats(inner.monotone(function), inner, function)
            case Shape.INCREASING:
                return outer & inner.monotone(function)
            case Shape.DECREASING:
                return outer & -inner.monotone(lambda x: -function(x))
            case Shape.EVEN:
                return outer & inner.magnitude().monotone(function)
            case _ if op in _STRETCHES:
                low, high = _STRETCHES[op]
                if not (low <= inner.low and inner.high <= high):
                    return outer
                if op == "cos":
                    return outer & -inner.monotone(lambda x: -function(x))
                return outer & inner.monotone(function)
            case _:
                return outer

    def _sum(self, expr: Expr) -> Range:
        total: dict[Hashable, tuple[Fraction, Expr]] = {}
        for term in terms(expr):
            name = key(term.body)
            coefficient, body = total.get(name, (Fraction(0), term.body))
            total[name] = (coefficient + term.coefficient, body)
        found = point(0.0)
        for coefficient, body in total.values():
            if coefficient:
                found = found + point(float(coefficient)) * self._of(body)
        return found

    def _power(self, base: Expr, exponent: Fraction | Expr) -> Range:
        inner = self._of(base)
        if isinstance(exponent, Fraction):
            return _rational_power(inner, exponent)
        size = self._of(exponent)
        if inner.low >= 1 and size.nonnegative:
            return AT_LEAST_ONE
        if inner.nonnegative and inner.high <= 1 and size.nonnegative:
            return Range(0.0, 1.0, inner.positive, False)
        if inner.positive:
            return POSITIVE
        return NONNEGATIVE if inner.nonnegative else EVERYTHING

    def _reduce(self, expr: Reduce) -> Range:
        body = self._where(expr)
        everywhere = expr.where is None
        match expr.kind:
            case Reduction.SUM:
                low = body.low if everywhere and body.low >= 0 else min(body.low, 0.0)
                high = min(body.high, 0.0) if body.high <= 0 else math.inf
                low_open = body.low_open and everywhere and body.low >= 0
                return Range(
                    low if body.low >= 0 else -math.inf,
                    high,
                    low_open or body.low < 0,
                    body.high_open and everywhere if body.high <= 0 else True,
                )
            case Reduction.MEAN:
                return body
            case Reduction.PROD:
                if body.nonnegative:
                    return UNIT if body.high <= 1 else NONNEGATIVE
                return EVERYTHING
            case Reduction.AMAX:
                return (
                    body if everywhere else replace(body, low=-math.inf, low_open=True)
                )
            case Reduction.AMIN:
                return (
                    body if everywhere else replace(body, high=math.inf, high_open=True)
                )
            case Reduction.LOGSUMEXP:
                low = body.low if everywhere else -math.inf
                return Range(low, math.inf, body.low_open or not everywhere)
            case Reduction.NORM | Reduction.VAR:
                return NONNEGATIVE
            case _:
                assert_never(expr.kind)


def _grouped(found: tuple[Factor, ...]) -> list[tuple[Expr, Fraction | Expr]]:
    """Equal bases with rational exponents together: ``x*x`` is a square."""
    total: dict[Hashable, tuple[Expr, Fraction]] = {}
    rest: list[tuple[Expr, Fraction | Expr]] = []
    for factor in found:
        if not isinstance(factor.exponent, Fraction):
            rest.append((factor.base, factor.exponent))
            continue
        name = key(factor.base)
        base, exponent = total.get(name, (factor.base, Fraction(0)))
        total[name] = (base, exponent + factor.exponent)
    return [*total.values(), *rest]


def _rational_power(inner: Range, exponent: Fraction) -> Range:
    if exponent == 0:
        return point(1.0)
    if exponent < 0:
        return _rational_power(inner, -exponent).inverse()
    if exponent.denominator == 1 and exponent % 2 == 1:
        return inner.monotone(lambda x: _signed_power(x, float(exponent)))
    if exponent.denominator == 1:
        inner = inner.magnitude()
    elif not inner.nonnegative:
        inner = inner & NONNEGATIVE
        if not inner.nonnegative:
            return NONNEGATIVE
    return inner.monotone(lambda x: _signed_power(x, float(exponent)))


def _signed_power(x: float, exponent: float) -> float:
    return math.copysign(abs(x) ** exponent, x)


def _larger(left: Range, right: Range) -> Range:
    """The range of the larger of two values."""
    low, low_open = max((left.low, left.low_open), (right.low, right.low_open))
    high, closed_end = max(
        (left.high, not left.high_open), (right.high, not right.high_open)
    )
    return Range(low, high, low_open, not closed_end)


def _with_flats(
    image: Range, inner: Range, function: Callable[[float], float]
) -> Range:
    """``image`` with the ends that an increasing function takes although ``inner`` is open there.

    ``relu`` is 0 long before minus infinity.
    """
    flat = [
        function(end) == function(math.nextafter(end, middle))
        for end, middle in ((inner.low, math.inf), (inner.high, -math.inf))
    ]
    return replace(
        image,
        low_open=image.low_open and not flat[0],
        high_open=image.high_open and not flat[1],
    )
