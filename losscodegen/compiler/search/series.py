"""Expansions at 0, exact: ``x - sin(x)`` is ``x**3*(1/6 - x**2/120 + ...)``.

Where the leading terms of an expression cancel at 0, no rearrangement helps in general, but the
series of the whole does: its coefficients are rational, and some twenty are enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import ctx, fmpq, fmpq_series

from losscodegen.compiler.search.balls import UnsupportedError
from losscodegen.compiler.search.numerics import DOUBLES, Evaluator
from losscodegen.ir.build import number
from losscodegen.ir.nodes import Call, Expr, Number, Select
from losscodegen.ir.walk import walk

_TERMS = 64
"""So many are computed; what is used of them is decided by their size."""
_MOST = 20
_SHORT = 10_000
"""The largest denominator that is still read more easily than a decimal."""
_TINY = 2.0**-55
_RADII = (Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))


class NoSeriesError(Exception):
    """There is no expansion in powers with rational coefficients, or none is known."""


@dataclass(frozen=True, slots=True)
class Laurent:
    """``variable**order * series``; a series of 0 is 0."""

    order: int
    series: fmpq_series

    @property
    def zero(self) -> bool:
        return all(c == 0 for c in self.series.coeffs())


@dataclass(frozen=True, slots=True)
class Expansion:
    """``radius``: the formula is good below it. ``lost``: by how many orders terms cancel at 0."""

    form: Expr
    radius: Fraction
    lost: int


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": lambda s: s.exp(),
    "expm1": lambda s: s.exp() - 1,
    "log1p": lambda s: (1 + s).log(),
    "log": lambda s: s.log(),
    "sqrt": lambda s: s.sqrt(),
    "sin": lambda s: s.sin(),
    "cos": lambda s: s.cos(),
    "tan": lambda s: s.tan(),
    "asin": lambda s: s.asin(),
    "atan": lambda s: s.atan(),
    "sinh": lambda s: s.sinh(),
    "cosh": lambda s: s.cosh(),
    "tanh": lambda s: s.tanh(),
    "asinh": lambda s: s.asinh(),
    "atanh": lambda s: s.atanh(),
    "sigmoid": lambda s: (1 + (-s).exp()).inv(),
}
"""Functions that are analytic at 0 or, the root and the logarithm, at 1."""


class _Expander:
    def __init__(self, variable: Expr) -> None:
        self.variable = variable
        self.lost = 0

    def of(self, expr: Expr) -> Laurent:
        match expr:
            case _ if expr == self.variable:
                return Laurent(1, fmpq_series([1], prec=_TERMS))
            case Number(value):
                return Laurent(0, _constant(value))
            case Call("add", args):
                return self._sum([self.of(a) for a in args])
            case Call("neg", (arg,)):
                inner = self.of(arg)
                return Laurent(inner.order, -inner.series)
            case Call("mul", args):
                found = self.of(args[0])
                for arg in args[1:]:
                    found = _times(found, self.of(arg))
                return found
            case Call("div", (left, right)):
                return _times(self.of(left), _inverse(self.of(right)))
            case Call("square", (arg,)):
                inner = self.of(arg)
                return _times(inner, inner)
            case Call("pow", (base, Number(value))) if value.denominator == 1:
                return self._power(self.of(base), int(value))
            case Call("hypot", (left, right)):
                one, other = self.of(left), self.of(right)
                total = self._sum([_times(one, one), _times(other, other)])
                return self._function("sqrt", total)
            case Call(op, (arg,)) if op in _FUNCTIONS:
                return self._function(op, self.of(arg))
            case Select(condition, then, otherwise):
                return self.of(then if self._holds(condition) else otherwise)
            case _:
                raise NoSeriesError

    def _holds(self, condition: Expr) -> bool:
        """Whether a comparison holds at 0, and so all around it."""
        match condition:
            case Call("lt" | "le" | "gt" | "ge", (left, right)):
                evaluator = Evaluator(DOUBLES, {self.variable: 0.0}, ())
                try:
                    edge = evaluator.of(left).value == evaluator.of(right).value
                    holds = evaluator.holds(condition)
                except UnsupportedError as error:
                    raise NoSeriesError from error
                if not edge:
                    return holds
        raise NoSeriesError

    def _sum(self, parts: list[Laurent]) -> Laurent:
        parts = [p for p in parts if not p.zero]
        if not parts:
            return Laurent(0, _constant(Fraction(0)))
        order = min(p.order for p in parts)
        total = fmpq_series([0], prec=_TERMS)
        for part in parts:
            total = total + _shifted(part.series, part.order - order)
        found = _settled(order, total)
        self.lost = max(self.lost, found.order - order)
        return found

    def _power(self, base: Laurent, exponent: int) -> Laurent:
        if exponent < 0:
            base, exponent = _inverse(base), -exponent
        if exponent > 12:
            raise NoSeriesError
        found = Laurent(0, _constant(Fraction(1)))
        for _ in range(exponent):
            found = _times(found, base)
        return found

    def _function(self, op: str, inner: Laurent) -> Laurent:
        if inner.order < 0 and not inner.zero:
            raise NoSeriesError
        series = _shifted(inner.series, inner.order)
        try:
            found = _FUNCTIONS[op](series)
        except (ValueError, ZeroDivisionError) as error:
            raise NoSeriesError from error
        return _settled(0, found)


def _constant(value: Fraction) -> fmpq_series:
    return fmpq_series([fmpq(value.numerator, value.denominator)], prec=_TERMS)


def _shifted(series: fmpq_series, by: int) -> fmpq_series:
    zeros = [fmpq(0)] * by
    return fmpq_series(zeros + series.coeffs(), prec=_TERMS)


def _settled(order: int, series: fmpq_series) -> Laurent:
    """With a first coefficient other than 0, or with none at all."""
    coefficients = series.coeffs()
    first = next((k for k, c in enumerate(coefficients) if c != 0), None)
    if first is None:
        return Laurent(0, series)
    prec = _TERMS
    return Laurent(order + first, fmpq_series(coefficients[first:], prec=prec))


def _times(left: Laurent, right: Laurent) -> Laurent:
    return _settled(left.order + right.order, left.series * right.series)


def _inverse(found: Laurent) -> Laurent:
    if found.zero:
        raise NoSeriesError
    return Laurent(-found.order, found.series.inv())


def expansion(expr: Expr, variable: Expr) -> Expansion | None:
    """The series of ``expr`` at ``variable = 0``, if it has one that is any use.

    The result is ``variable**order`` times a polynomial, in the square of the variable where the
    other coefficients are 0.
    """
    if not any(node == variable for node in walk(expr)):
        return None
    before, ctx.cap = ctx.cap, _TERMS
    expander = _Expander(variable)
    try:
        found = expander.of(expr)
    except NoSeriesError:
        return None
    finally:
        ctx.cap = before
    if found.zero or found.order < 0:
        return None
    # The last orders of a difference are missing: they were cut off before it was taken.
    known = _TERMS - expander.lost - 12
    coefficients = [Fraction(int(c.p), int(c.q)) for c in found.series.coeffs()[:known]]
    even = all(c == 0 for c in coefficients[1::2])
    if even:
        coefficients = coefficients[::2]
    for radius in _RADII:
        step = radius**2 if even else radius
        count = _enough(coefficients, step)
        if count is not None:
            form = _written(variable, found.order, coefficients[:count], even)
            return Expansion(form, radius, expander.lost)
    return None


def _enough(coefficients: list[Fraction], step: Fraction) -> int | None:
    """How many terms leave less than an ulp of the first, up to ``step``; None: too many.

    What is left is seen in the terms that are known but not used, at least four of them.
    """
    sizes = [float(abs(c) * step**k) for k, c in enumerate(coefficients)]
    for count in range(1, min(_MOST, len(sizes) - 4) + 1):
        if sum(sizes[count:]) <= _TINY * sizes[0]:
            return count
    return None


def _written(
    variable: Expr, order: int, coefficients: list[Fraction], even: bool
) -> Expr:
    """The polynomial in nested form, times the power of the variable."""
    step = Call("square", (variable,)) if even else variable
    found: Expr = _coefficient(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        product = Call("mul", (step, found))
        found = (
            product
            if coefficient == 0
            else Call("add", (_coefficient(coefficient), product))
        )
    match order:
        case 0:
            return found
        case 1:
            return Call("mul", (variable, found))
        case _:
            power = Call("pow", (variable, number(order)))
            return Call("mul", (power, found))


def _coefficient(value: Fraction) -> Number:
    """The fraction where it is short, else the nearest double."""
    if value.denominator <= _SHORT:
        return number(value)
    text = repr(float(value))
    return number(Fraction(text), text)
