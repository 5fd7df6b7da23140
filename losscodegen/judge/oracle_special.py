"""The special functions on the numbers of the oracle: error functions, gamma family, Bessel."""

from __future__ import annotations

import math

from flint import arb, fmpq

from losscodegen.judge.oracle_arithmetic import (
    absolute,
    add,
    multiply,
    negate,
    order,
    subtract,
)
from losscodegen.judge.oracle_functions import exp, outside, pi, settled
from losscodegen.judge.oracle_numbers import (
    HALF,
    INFINITY,
    MINUS_INFINITY,
    MINUS_ONE,
    ONE,
    TWO,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Value,
    as_integer,
    ball,
    infinite,
    sign,
    zero,
)

_FACTORIALS = 1000
"""Gamma is an exact integer up to this argument; polygamma has no larger order."""


def erf(x: Value) -> Value:
    if zero(x):
        return ZERO
    if order(absolute(x), ONE) == 1:
        result = subtract(ONE, erfc(absolute(x)))
        return result if sign(x) == 1 else negate(result)
    return settled(ball(x).erf(), x, MINUS_ONE, ONE)


def erfc(x: Value) -> Value:
    if zero(x):
        return ONE
    if order(x, MINUS_ONE) == -1:
        return subtract(TWO, erfc(negate(x)))
    return settled(ball(x).erfc(), x, TWO, ZERO)


def erfinv(x: Value) -> Value:
    if outside(x, MINUS_ONE, ONE):
        return UNDEFINED
    if zero(x):
        return ZERO
    if order(absolute(x), HALF) == 1:
        tail = subtract(ONE, absolute(x))
        result = INFINITY if zero(tail) else ball(tail).erfcinv()
        return result if sign(x) == 1 else negate(result)
    return settled(ball(x).erfinv(), x, UNDEFINED, UNDEFINED)


def erf_slope(x: Value) -> Value:
    """The derivative of erf, ``2/sqrt(pi)*exp(-x**2)``."""
    return multiply(2 / pi().sqrt(), exp(negate(multiply(x, x))))


def erfinv_slope(result: Value) -> Value:
    """The derivative of erfinv where its value is ``result``."""
    return multiply(pi().sqrt() / 2, exp(multiply(result, result)))


def lgamma(x: Value) -> Value:
    if outside(x, ZERO, None):
        return UNDEFINED
    if zero(x):
        return INFINITY
    if as_integer(x) in (1, 2):
        return ZERO
    return settled(ball(x).lgamma(), x, UNDEFINED, INFINITY)


def gamma(x: Value) -> Value:
    if outside(x, ZERO, None):
        return UNDEFINED
    if zero(x):
        return INFINITY
    whole = as_integer(x)
    if whole is not None and whole <= _FACTORIALS:
        return fmpq(math.factorial(whole - 1))
    return settled(ball(x).gamma(), x, UNDEFINED, INFINITY)


def digamma(x: Value) -> Value:
    if outside(x, ZERO, None):
        return UNDEFINED
    if zero(x):
        return MINUS_INFINITY
    return settled(ball(x).digamma(), x, UNDEFINED, INFINITY)


def polygamma(order_: Value, x: Value) -> Value:
    """The derivative of digamma of a whole order, digamma itself for 0."""
    n = as_integer(order_)
    if n is None or not 0 <= n <= _FACTORIALS or outside(x, ZERO, None):
        return UNDEFINED
    if n == 0:
        return digamma(x)
    odd = n % 2 == 1
    if zero(x):
        return INFINITY if odd else MINUS_INFINITY
    if infinite(x):
        return ZERO
    size = arb(n + 1).zeta(ball(x)) * math.factorial(n)
    if not size.is_finite():
        return UNKNOWN
    return size if odd else -size


def besseli(order_: Value, x: Value) -> Value:
    """The modified Bessel function of a whole order."""
    n = as_integer(order_)
    if n is None or x is UNDEFINED:
        return UNDEFINED
    if zero(x):
        return ZERO if n else ONE
    way = infinite(x)
    if way:
        return INFINITY if way > 0 or n % 2 == 0 else MINUS_INFINITY
    result = ball(x).bessel_i(arb(n))
    return result if result.is_finite() else UNKNOWN


def besseli_slope(order_: Value, x: Value) -> Value:
    n = as_integer(order_)
    if n is None:
        return UNDEFINED
    below, above = besseli(fmpq(abs(n - 1)), x), besseli(fmpq(n + 1), x)
    return multiply(HALF, add(below, above))
