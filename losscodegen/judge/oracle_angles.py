"""Trigonometric and hyperbolic functions on the numbers of the oracle, and their inverses."""

from __future__ import annotations

from collections.abc import Callable

from flint import arb, fmpq

from losscodegen.judge.oracle_arithmetic import (
    absolute,
    add,
    divide,
    multiply,
    negate,
    order,
    subtract,
)
from losscodegen.judge.oracle_functions import (
    log1p,
    outside,
    pi,
    settled,
    sigmoid,
)
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
    ball,
    finite,
    infinite,
    join,
    sign,
    zero,
)
from losscodegen.judge.oracle_powers import sqrt


def _of_angle(x: Value, core: Callable[[arb], arb]) -> Value:
    # A ball for the sine of infinity would be [-1, 1], true of a number that does not exist.
    return UNDEFINED if infinite(x) else settled(core(ball(x)), x, UNDEFINED, UNDEFINED)


def sin(x: Value) -> Value:
    return ZERO if zero(x) else _of_angle(x, arb.sin)


def cos(x: Value) -> Value:
    if zero(x):
        return ONE
    result = _of_angle(x, arb.cos)
    if isinstance(result, arb) and result.contains(1):
        half = (ball(x) / 2).sin()
        return join(ONE, -2 * half * half)
    return result


def tan(x: Value) -> Value:
    return ZERO if zero(x) else _of_angle(x, arb.tan)


def asin(x: Value) -> Value:
    if outside(x, MINUS_ONE, ONE):
        return UNDEFINED
    if order(absolute(x), HALF) == 1:
        result = subtract(pi() / 2, acos(absolute(x)))
        return result if sign(x) == 1 else negate(result)
    return ZERO if zero(x) else settled(ball(x).asin(), x, UNDEFINED, UNDEFINED)


def acos(x: Value) -> Value:
    if outside(x, MINUS_ONE, ONE):
        return UNDEFINED
    if order(x, HALF) == 1:
        # acos(1 - t) = 2 asin(sqrt(t/2)), with t exact however small it is.
        root = sqrt(divide(subtract(ONE, x), TWO))
        return multiply(TWO, asin(root))
    return settled(ball(x).acos(), x, UNDEFINED, UNDEFINED)


def atan(x: Value) -> Value:
    if zero(x):
        return ZERO
    return settled(ball(x).atan(), x, -pi() / 2, pi() / 2)


def atan2(y: Value, x: Value) -> Value:
    if y is UNDEFINED or x is UNDEFINED:
        return UNDEFINED
    rise, run = infinite(y), infinite(x)
    if rise and run:
        return UNDEFINED
    if rise:
        return pi() * rise / 2 if finite(x) else UNKNOWN
    if zero(y):
        way = sign(x)
        if way is None:
            return UNKNOWN
        return (UNDEFINED, ZERO, pi())[way]
    if run > 0:
        return ZERO if finite(y) else UNKNOWN
    if run < 0:
        way = sign(y)
        return UNKNOWN if way is None or not finite(y) else pi() * way
    result = arb.atan2(ball(y), ball(x))
    return result if result.is_finite() else UNKNOWN


# ---------------------------------------------------------------------------------- hyperbolics


def sinh(x: Value) -> Value:
    if zero(x):
        return ZERO
    return settled(ball(x).sinh(), x, MINUS_INFINITY, INFINITY)


def cosh(x: Value) -> Value:
    if zero(x):
        return ONE
    result = settled(ball(x).cosh(), x, INFINITY, INFINITY)
    if isinstance(result, arb) and result.contains(1):
        half = (ball(x) / 2).sinh()
        return join(ONE, 2 * half * half)
    return result


def tanh(x: Value) -> Value:
    if zero(x):
        return ZERO
    way = sign(x)
    if way is None or abs(ball(x)) < 1:
        return settled(ball(x).tanh(), x, MINUS_ONE, ONE)
    # 1 - 2/(1 + exp(2x)), which stays apart from 1.
    result = subtract(ONE, multiply(TWO, sigmoid(multiply(fmpq(-2), absolute(x)))))
    return result if way > 0 else negate(result)


def asinh(x: Value) -> Value:
    if zero(x):
        return ZERO
    return settled(ball(x).asinh(), x, MINUS_INFINITY, INFINITY)


def acosh(x: Value) -> Value:
    if outside(x, ONE, None):
        return UNDEFINED
    if infinite(x):
        return INFINITY
    excess = subtract(x, ONE)
    return log1p(add(excess, sqrt(multiply(excess, add(excess, TWO)))))


def atanh(x: Value) -> Value:
    if outside(x, MINUS_ONE, ONE):
        return UNDEFINED
    if order(absolute(x), HALF) == 1:
        return multiply(HALF, subtract(log1p(x), log1p(negate(x))))
    return ZERO if zero(x) else settled(ball(x).atanh(), x, UNDEFINED, UNDEFINED)
