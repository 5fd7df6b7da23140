"""The elementary functions on the numbers of the oracle.

Each one encloses the exact result for every kind of argument: exact where the argument makes
it so (``log(1)``, ``sqrt(9/4)``), the limit at infinities and at the ends of the domain where there
is only one, `UNDEFINED` outside, and with what is swallowed beside 1 kept apart (see `Pair`).
"""

from __future__ import annotations

from flint import arb, fmpq

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
    Pair,
    Value,
    absolute,
    add,
    as_integer,
    ball,
    divide,
    finite,
    hull,
    infinite,
    integer_power,
    join,
    multiply,
    negate,
    order,
    sign,
    square,
    subtract,
    total,
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
        return join(ONE, argument.expm1())
    return settled(result, x, ZERO, INFINITY)


def expm1(x: Value) -> Value:
    if order(x, MINUS_ONE) == -1:
        return add(MINUS_ONE, exp(x))
    if zero(x):
        return ZERO
    return settled(ball(x).expm1(), x, MINUS_ONE, INFINITY)


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


# ---------------------------------------------------------------------------------------- powers


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
    """The p-norm: the number of non-zero values for p = 0, the largest magnitude for p = oo."""
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
    if zero(p):
        return total([different_from_zero(s) for s in sizes])
    return power(_nonnegative(total([power(s, p) for s in sizes])), divide(ONE, p))


def _nonnegative(x: Value) -> Value:
    """``x``, known not to be negative by its origin."""
    return x.nonnegative_part() if isinstance(x, arb) and x.is_finite() else x


def different_from_zero(x: Value) -> Value:
    way = sign(x)
    if way is None:
        return hull([ZERO, ONE])
    return ONE if way else ZERO


# ----------------------------------------------------------------------------- choice and steps


def choose(values: list[Value], way: int) -> Value:
    """The greatest value for ``way`` 1, the least for -1."""
    best = values[0]
    for value in values[1:]:
        if best is UNDEFINED or value is UNDEFINED:
            return UNDEFINED
        found = order(value, best)
        if found is None:
            if not (finite(best) and finite(value)):
                return UNKNOWN
            a, b = ball(best), ball(value)
            best = a.max(b) if way > 0 else a.min(b)
        elif found == way:
            best = value
    return best


def relu(x: Value) -> Value:
    return choose([ZERO, x], 1)


def clip(x: Value, low: Value, high: Value) -> Value:
    if x is UNDEFINED or low is UNDEFINED or high is UNDEFINED:
        return UNDEFINED
    below, above = order(x, low), order(x, high)
    if below == -1:
        return low
    if below is not None and above is not None:
        return high if above == 1 else x
    candidates = [
        x,
        *((low,) if below is None else ()),
        *(() if above == -1 else (high,)),
    ]
    return hull(candidates)


def signum(x: Value) -> Value:
    if x is UNDEFINED:
        return UNDEFINED
    way = sign(x)
    return hull([MINUS_ONE, ONE]) if way is None else fmpq(way)


def heaviside(x: Value) -> Value:
    return divide(add(ONE, signum(x)), TWO)


def delta(x: Value, y: Value) -> Value:
    if x is UNDEFINED or y is UNDEFINED:
        return UNDEFINED
    found = order(x, y)
    if found is None:
        return hull([ZERO, ONE])
    return ZERO if found else ONE


def floor(x: Value) -> Value:
    if isinstance(x, fmpq):
        return fmpq(x.floor())
    if isinstance(x, Pair):
        if x.exact.q == 1 and sign(x.rest) == -1:
            return x.exact - 1
        if x.exact.q == 1 and sign(x.rest) is None:
            return hull([x.exact - 1, x.exact])
        return fmpq(x.exact.floor())
    if x is UNDEFINED or not x.is_finite():
        return x
    whole = x.floor().unique_fmpz()
    if whole is None:
        # A number that is known to be whole is its own floor, although its ball goes below it.
        whole = (x + HALF).floor().unique_fmpz()
        if whole is None or not zero(subtract(x, fmpq(whole))):
            return x.floor()
    return fmpq(whole)


def mod(x: Value, y: Value) -> Value:
    return subtract(x, multiply(y, floor(divide(x, y))))


def product(values: list[Value]) -> Value:
    result: Value = ONE
    for value in values:
        result = multiply(result, value)
    return result
