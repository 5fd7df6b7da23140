"""The functions of exponentials and logarithms on the numbers of the oracle.

Each one encloses the exact result for every kind of argument: exact where the argument makes
it so (``log(1)``, ``sqrt(9/4)``), the limit at infinities and at the ends of the domain where there
is only one, `UNDEFINED` outside, and with what is swallowed beside 1 kept apart (see `Pair`).
"""

from __future__ import annotations

import flint
from flint import arb, fmpq

from losscodegen.judge.oracle_arithmetic import (
    add,
    divide,
    multiply,
    negate,
    order,
    subtract,
    total,
)
from losscodegen.judge.oracle_numbers import (
    HALF,
    INFINITY,
    MINUS_INFINITY,
    MINUS_ONE,
    ONE,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Pair,
    Value,
    ball,
    finite,
    infinite,
    join,
    sign,
    zero,
)


def pi() -> arb:
    return arb.pi()


def e() -> arb:
    return arb.const_e()


def settled(result: arb, value: Value, below: Value, above: Value) -> Value:
    """``result`` if it is a number, else the limit at the infinity that ``value`` is."""
    if result.is_finite():
        return result
    if value is UNDEFINED:
        return UNDEFINED
    return (UNKNOWN, above, below)[infinite(value)]


def outside(value: Value, low: fmpq | None, high: fmpq | None) -> bool:
    """Whether ``value`` is known not to lie between ``low`` and ``high``, ends included."""
    return (
        value is UNDEFINED
        or (low is not None and order(value, low) == -1)
        or (high is not None and order(value, high) == 1)
    )


# ------------------------------------------------------------------------ exponential, logarithm


def exp(x: Value) -> Value:
    if isinstance(x, fmpq) and x == 0:
        return ONE
    argument = ball(x)
    result = argument.exp()
    if result.contains(1) and result.is_finite():
        return join(ONE, _expm1(argument))
    return settled(result, x, ZERO, INFINITY)


def expm1(x: Value) -> Value:
    if order(x, MINUS_ONE) == -1:
        return add(MINUS_ONE, exp(x))
    if zero(x):
        return ZERO
    return settled(_expm1(ball(x)), x, MINUS_ONE, INFINITY)


def _expm1(x: arb) -> arb:
    """``exp(x) - 1``; of the smallest numbers Arb's own has 28 bits, which no precision adds to."""
    if abs(x) < arb(2) ** -flint.ctx.prec:
        return x + x * x * arb(0, 1)
    return x.expm1()


def log(x: Value) -> Value:
    if isinstance(x, arb):
        result = x.log()
        if result.is_finite():
            return result
        if infinite(x) == 1:
            return INFINITY
        if x < 0:
            return UNDEFINED
        return MINUS_INFINITY if x.is_zero() else UNKNOWN
    if isinstance(x, fmpq):
        if x <= 0:
            return UNDEFINED if x < 0 else MINUS_INFINITY
        if x == 1:
            return ZERO
        # Near 1 the difference is exact; far from it, subtracting would lose small numbers.
        return arb(x - 1).log1p() if HALF < x < 2 else arb(x).log()
    if isinstance(x, Pair):
        if x.exact < 0:
            return UNDEFINED
        return add(log(x.exact), (x.rest / x.exact).log1p())
    return UNDEFINED


def log1p(x: Value) -> Value:
    if isinstance(x, arb):
        result = x.log1p()
        if result.is_finite():
            return result
    return log(add(ONE, x))


def log10(x: Value) -> Value:
    return divide(log(x), arb(10).log())


def sigmoid(x: Value) -> Value:
    if sign(x) == -1:
        power = exp(x)
        return divide(power, add(ONE, power))
    return divide(ONE, add(ONE, exp(negate(x))))


def softplus(x: Value) -> Value:
    if sign(x) == 1:
        return add(x, log1p(exp(negate(x))))
    return log1p(exp(x))


def logsigmoid(x: Value) -> Value:
    return negate(softplus(negate(x)))


def log1mexp(x: Value) -> Value:
    return log(negate(expm1(negate(x))))


def logaddexp(x: Value, y: Value) -> Value:
    return logsumexp([x, y])


def largest(values: list[Value]) -> int:
    """The place of a value that is not far below any other: good enough for a pivot."""
    best = 0
    for place in range(1, len(values)):
        if order(values[place], values[best]) == 1:
            best = place
    return best


def logsumexp(values: list[Value]) -> Value:
    """``log(sum(exp(v)))`` around the largest one; -oo of nothing."""
    if any(v is UNDEFINED for v in values):
        return UNDEFINED
    if any(infinite(v) == 1 for v in values):
        return INFINITY
    values = [v for v in values if not infinite(v)]
    if not values:
        return MINUS_INFINITY
    pivot = values.pop(largest(values))
    return add(pivot, log1p(total([exp(subtract(v, pivot)) for v in values])))


def log_softmax(values: list[Value], place: int) -> Value:
    """``values[place] - logsumexp(values)``, to full relative accuracy beside the largest value."""
    if place != largest(values) or not finite(values[place]):
        return subtract(values[place], logsumexp(values))
    return negate(log1p(_rivals(values, place)))


def softmax(values: list[Value], place: int) -> Value:
    if place != largest(values) or not finite(values[place]):
        return exp(subtract(values[place], logsumexp(values)))
    return divide(ONE, add(ONE, _rivals(values, place)))


def _rivals(values: list[Value], place: int) -> Value:
    pivot = values[place]
    return total([exp(subtract(v, pivot)) for k, v in enumerate(values) if k != place])


def xlogy(x: Value, y: Value) -> Value:
    """``x*log(y)``, 0 where x is 0; y must not be negative even there."""
    if outside(y, ZERO, None) or x is UNDEFINED:
        return UNDEFINED
    return ZERO if zero(x) else multiply(x, log(y))
