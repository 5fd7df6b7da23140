"""Choices and steps on the numbers of the oracle: what makes kinks and jumps."""

from __future__ import annotations

from flint import fmpq

from losscodegen.judge.oracle_arithmetic import (
    add,
    divide,
    hull,
    multiply,
    order,
    subtract,
)
from losscodegen.judge.oracle_numbers import (
    HALF,
    MINUS_ONE,
    ONE,
    TWO,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Pair,
    Value,
    ball,
    finite,
    sign,
    zero,
)


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
