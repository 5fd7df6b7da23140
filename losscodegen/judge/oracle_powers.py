"""Roots, powers, products and norms on the numbers of the oracle."""

from __future__ import annotations

from flint import arb, fmpq, fmpz

from losscodegen.judge.oracle_arithmetic import (
    absolute,
    divide,
    hull,
    multiply,
    order,
    square,
    total,
)
from losscodegen.judge.oracle_choice import choose
from losscodegen.judge.oracle_functions import exp, log
from losscodegen.judge.oracle_numbers import (
    GROWN,
    HALF,
    INFINITY,
    MINUS_INFINITY,
    ONE,
    TWO,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Pair,
    Value,
    as_integer,
    ball,
    finite,
    infinite,
    join,
    sign,
    zero,
)


def sqrt(x: Value) -> Value:
    if isinstance(x, arb):
        result = x.sqrt()
        if result.is_finite():
            return result
        if infinite(x) == 1:
            return INFINITY
        return UNDEFINED if x < 0 else UNKNOWN
    if isinstance(x, fmpq):
        if x < 0:
            return UNDEFINED
        if x.p.is_square() and x.q.is_square():
            return fmpq(x.p.isqrt(), x.q.isqrt())
        result = arb(x).sqrt()
        return join(ONE, arb(x - 1) / (result + 1)) if result.contains(1) else result
    if isinstance(x, Pair):
        root = sqrt(x.exact)
        if isinstance(root, fmpq):
            return join(root, x.rest / (ball(x).sqrt() + root))
        return UNDEFINED if root is UNDEFINED else ball(x).sqrt()
    return UNDEFINED


def cbrt(x: Value) -> Value:
    way = sign(x)
    if not way or infinite(x):
        return UNKNOWN if way is None and x is not UNDEFINED else x
    root = ball(absolute(x)).root(3)
    return root if way > 0 else -root


_LARGE_EXPONENT = 1 << 16
"""Beyond, squaring again and again would lose all digits: the logarithm is multiplied instead."""


def integer_power(base: Value, exponent: int) -> Value:
    """``base**exponent`` for a finite base; 0**-n has no value for odd n and is oo for even n."""
    if exponent == 0:
        return ONE
    if exponent == 1:
        return base
    if exponent == 2:
        return square(base)
    if zero(base):
        if exponent > 0:
            return ZERO
        return UNDEFINED if exponent % 2 else INFINITY
    if isinstance(base, fmpq):
        if base.height_bits() * abs(exponent) < GROWN:
            return base**exponent
        base = arb(base)
    if abs(exponent) > _LARGE_EXPONENT:
        size = (ball(absolute(base)).log() * exponent).exp()
        power = -size if exponent % 2 and sign(base) == -1 else size
        return power if power.is_finite() and sign(base) else UNKNOWN
    if isinstance(base, Pair) and 0 < exponent <= 64:
        result: Value = base
        for _ in range(exponent - 1):
            result = multiply(result, base)
        return result
    power = ball(base) ** fmpz(exponent)
    if not power.is_finite():
        return UNKNOWN
    return power.nonnegative_part() if exponent % 2 == 0 else power


def power(x: Value, y: Value) -> Value:
    """``x**y``; a negative base needs an integer exponent, 0**0 is 1."""
    if x is UNDEFINED or y is UNDEFINED:
        return UNDEFINED
    exponent = as_integer(y)
    if exponent is not None:
        if finite(x):
            return integer_power(x, exponent)
        return _power_of_infinity(x, exponent)
    way = sign(x)
    if infinite(y):
        side = order(x, ONE)
        if way == -1 or side == 0:
            return UNDEFINED
        if way is None or side is None:
            return UNKNOWN
        return INFINITY if side == infinite(y) else ZERO
    if way == -1:
        # Only an exact rational can be known not to be an integer.
        return UNDEFINED if isinstance(y, fmpq) else UNKNOWN
    if way == 0 or infinite(x):
        rising = sign(y)
        if not rising:
            return UNKNOWN
        return ZERO if (rising > 0) == (way == 0) else INFINITY
    if way is None:
        return _power_near_zero(x, y)
    if y == HALF:
        return sqrt(x)
    return exp(multiply(y, log(x)))


def _power_near_zero(x: Value, y: Value) -> Value:
    """A power of a number that may be 0 but, if there is a power at all, is not negative."""
    top = ball(x).upper()
    if sign(y) != 1 or not top > 0 or not top.is_finite():
        return UNKNOWN
    return hull([ZERO, exp(multiply(y, log(top)))])


def _power_of_infinity(x: Value, exponent: int) -> Value:
    way = infinite(x)
    if not way:
        return UNKNOWN
    if exponent <= 0:
        return ONE if exponent == 0 else ZERO
    return INFINITY if way > 0 or exponent % 2 == 0 else MINUS_INFINITY


def hypot(x: Value, y: Value) -> Value:
    return norm([x, y], TWO)


def norm(values: list[Value], p: Value) -> Value:
    """The p-norm for positive p, the largest magnitude for p = oo."""
    if p is UNDEFINED or any(v is UNDEFINED for v in values):
        return UNDEFINED
    sizes = [absolute(v) for v in values]
    if infinite(p):
        return choose(sizes or [ZERO], infinite(p))
    if all(zero(s) for s in sizes):
        return ZERO
    if p == TWO:
        return sqrt(_nonnegative(total([square(s) for s in sizes])))
    if p == ONE:
        return total(sizes)
    return power(_nonnegative(total([power(s, p) for s in sizes])), divide(ONE, p))


def _nonnegative(x: Value) -> Value:
    """``x``, known not to be negative by its origin."""
    return x.nonnegative_part() if isinstance(x, arb) and x.is_finite() else x


def product(values: list[Value]) -> Value:
    result: Value = ONE
    for value in values:
        result = multiply(result, value)
    return result
