"""Arithmetic on the numbers of the oracle; see `oracle_numbers`."""

from __future__ import annotations

from typing import Final

from flint import arb, fmpq

from losscodegen.judge.oracle_numbers import (
    GROWN,
    INFINITY,
    UNDEFINED,
    UNKNOWN,
    ZERO,
    Cut,
    Pair,
    Value,
    ball,
    finite,
    infinite,
    join,
    sign,
    zero,
)


def _cut(total: arb) -> Value:
    if total > 0 or total < 0 or not abs(total) < Cut.below:
        return total
    Cut.made = Cut.made or not total.is_zero()
    return ZERO


def order(left: Value, right: Value) -> int | None:
    """The sign of ``left - right``, infinities in their places; None where it is not known."""
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return (left > right) - (left < right)
    if left is UNDEFINED or right is UNDEFINED:
        return None
    if left is right and finite(left):
        return 0
    one, other = infinite(left), infinite(right)
    if one or other:
        if (one or finite(left)) and (other or finite(right)):
            return (one > other) - (one < other)
        return None
    return sign(subtract(left, right))


def negate(value: Value) -> Value:
    if isinstance(value, Pair):
        return Pair(-value.exact, -value.rest)
    if value is UNDEFINED:
        return UNDEFINED
    return -value


def add(left: Value, right: Value) -> Value:
    if isinstance(left, arb):
        if isinstance(right, arb):
            total = left + right
            if total.is_finite():
                return _cut(total) if Cut.on else total
            return _add_infinite(left, right)
    elif isinstance(left, fmpq) and isinstance(right, fmpq):
        return left + right
    return _add_mixed(left, right)


def _joined(exact: fmpq, rest: arb) -> Value:
    result = join(exact, rest)
    return _cut(result) if Cut.on and isinstance(result, arb) else result


def _add_infinite(left: Value, right: Value) -> Value:
    one, other = infinite(left), infinite(right)
    if one and other:
        return left if one == other else UNDEFINED
    if one:
        return left if finite(right) else UNKNOWN
    if other:
        return right if finite(left) else UNKNOWN
    return UNKNOWN


def _add_mixed(left: Value, right: Value) -> Value:
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if not (finite(left) and finite(right)):
        return _add_infinite(left, right)
    exact, rest = _parts(left)
    more_exact, more_rest = _parts(right)
    return _joined(exact + more_exact, rest + more_rest)


def _parts(value: fmpq | arb | Pair) -> tuple[fmpq, arb]:
    if isinstance(value, fmpq):
        return value, _NOTHING
    if isinstance(value, Pair):
        return value.exact, value.rest
    return ZERO, value


_NOTHING: Final = arb(0)


def subtract(left: Value, right: Value) -> Value:
    if isinstance(left, fmpq) and isinstance(right, fmpq):
        return left - right
    if left is right and finite(left):
        return ZERO
    return add(left, negate(right))


def total(values: list[Value]) -> Value:
    """The sum, with the exact parts added exactly whatever their order."""
    exact, rest = ZERO, _NOTHING
    for value in values:
        if isinstance(value, fmpq):
            exact += value
        elif isinstance(value, arb) and value.is_finite():
            rest += value
        elif isinstance(value, Pair):
            exact += value.exact
            rest += value.rest
        else:
            return _total_infinite(values)
    return _tamed(exact) if rest.is_zero() else _joined(exact, rest)


def _total_infinite(values: list[Value]) -> Value:
    result: Value = ZERO
    for value in values:
        result = add(result, value)
    return result


def _tamed(value: fmpq) -> Value:
    return value if value.height_bits() < GROWN else arb(value)


def multiply(left: Value, right: Value) -> Value:
    if isinstance(left, arb):
        if isinstance(right, arb):
            product = left * right
            return product if product.is_finite() else _multiply_infinite(left, right)
    elif isinstance(left, fmpq) and isinstance(right, fmpq):
        return _tamed(left * right)
    return _multiply_mixed(left, right)


def _multiply_infinite(left: Value, right: Value) -> Value:
    one, other = infinite(left), infinite(right)
    for this, that, factor in ((one, right, left), (other, left, right)):
        if this:
            if zero(that):
                return UNDEFINED
            way = sign(that)
            if way is None:
                return UNKNOWN
            return factor if way > 0 else negate(factor)
    return UNKNOWN


def _multiply_mixed(left: Value, right: Value) -> Value:
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    if not (finite(left) and finite(right)):
        return _multiply_infinite(left, right)
    if zero(left) or zero(right):
        return ZERO
    if isinstance(left, arb) or isinstance(right, arb):
        return ball(left) * ball(right)
    a, da = _parts(left)
    b, db = _parts(right)
    return join(a * b, db * a + da * b + da * db)


def divide(left: Value, right: Value) -> Value:
    """A quotient; a division by exactly 0 has no value, not even an infinite one."""
    if isinstance(right, fmpq):
        if right == 0:
            return UNDEFINED
        if isinstance(left, fmpq):
            return _tamed(left / right)
        if isinstance(left, Pair):
            return join(left.exact / right, left.rest / right)
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    one, other = infinite(left), infinite(right)
    if one or other:
        if one and other:
            return UNDEFINED
        if other:
            return ZERO if finite(left) else UNKNOWN
        way = sign(right) if finite(right) else None
        if way is None:
            return UNKNOWN
        return multiply(left, fmpq(way)) if way else UNDEFINED
    if zero(right):
        return UNDEFINED
    if not (finite(left) and finite(right)):
        return UNKNOWN
    if zero(left) and sign(right) is not None:
        return ZERO
    if isinstance(right, Pair) and not isinstance(left, arb):
        a, da = _parts(left)
        b, db = right.exact, right.rest
        # (a + da)/(b + db) = a/b + (da - (a/b) db)/(b + db)
        ratio = a / b
        return join(ratio, (da - db * ratio) / ball(right))
    quotient = ball(left) / ball(right)
    return quotient if quotient.is_finite() else UNKNOWN


def square(value: Value) -> Value:
    if isinstance(value, arb):
        result = value * value
        if result.is_finite():
            return result if result > 0 else result.nonnegative_part()
        return INFINITY if infinite(value) else UNKNOWN
    return multiply(value, value)


def absolute(value: Value) -> Value:
    if isinstance(value, fmpq):
        return value if value >= 0 else -value
    if isinstance(value, arb):
        return abs(value)
    if isinstance(value, Pair) and value.exact < 0:
        return negate(value)
    return value


def hull(values: list[Value]) -> Value:
    """A ball around all of them, unknown unless all are finite; or their common value."""
    first = values[0]
    if all(v is first or (isinstance(v, fmpq) and v == first) for v in values):
        return first
    if any(v is UNDEFINED for v in values):
        return UNKNOWN
    result = ball(first)
    for value in values[1:]:
        result = result.union(ball(value))
    return result if result.is_finite() else UNKNOWN
