"""The numbers of the oracle: exact rationals, balls, and rationals with a tiny ball beside them.

A value is one of

- ``fmpq``: an exact rational. Inputs are floats, hence rationals, and ``+ - * /`` keep them so: a
  tie, a zero variance or an empty union is seen exactly, not as a ball around zero;
- ``arb``: a ball of the working precision, or an exact infinity, or (not finite in any other way)
  a number nothing is known of at this precision;
- `Pair`: ``exact + rest`` where the ball ``rest`` is too small to show beside the rational. With
  it ``1 - sigmoid(1e6)`` is ``exp(-1e6)`` at 64 bits, where balls alone need a million and a half;
- `UNDEFINED`: there is no such real number, whatever the precision.

All functions are total. They work at the precision of ``flint.ctx`` and never assume that a ball is
a point, so every result encloses the exact one.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from flint import arb, fmpq


class Undefined(Enum):
    """Outside the domain, ``0*oo``, ``oo - oo``; an enumeration, so that types tell it apart."""

    IT = "undefined"


class Pair:
    """The number ``exact + rest``, with ``exact != 0`` and ``|rest| < 2**-16 |exact|``."""

    __slots__ = ("exact", "rest")

    def __init__(self, exact: fmpq, rest: arb) -> None:
        self.exact = exact
        self.rest = rest

    def __repr__(self) -> str:
        return f"({self.exact} + {self.rest})"


Value = fmpq | arb | Pair | Undefined

UNDEFINED: Final = Undefined.IT
ZERO: Final = fmpq(0)
ONE: Final = fmpq(1)
TWO: Final = fmpq(2)
HALF: Final = fmpq(1, 2)
MINUS_ONE: Final = fmpq(-1)
INFINITY: Final = arb.pos_inf()
MINUS_INFINITY: Final = arb.neg_inf()
UNKNOWN: Final = arb.nan()

GROWN = 1 << 15
"""Rationals of more bits than this become balls: sums of doubles have 2100, their squares 4200."""


class Cut:
    """What may be 0 and is smaller than ``below`` is 0: the last resort at the last precision.

    The cosine of two parallel vectors is 1, but no precision shows it. Where a sum is known to
    thousands of binary zeros its exact value is taken for granted, so that ``acos(1)`` is 0.

    That is safe for numbers that hardly change with what was cut. The logarithm is not such:
    ``log(2 - 2*sigmoid(x))`` is about -x, whatever x. So an infinity is not believed where
    something was ``made`` 0.
    """

    on: bool = False
    made: bool = False
    below: Final = arb(2) ** -4096


def _cut(total: arb) -> Value:
    if total > 0 or total < 0 or not abs(total) < Cut.below:
        return total
    Cut.made = Cut.made or not total.is_zero()
    return ZERO


def rational(value: float | int | bool) -> Value:
    """An entry of a point, exactly; NaN is `UNDEFINED`."""
    if isinstance(value, int):
        return fmpq(int(value))
    if value != value:
        return UNDEFINED
    if value in (float("inf"), float("-inf")):
        return INFINITY if value > 0 else MINUS_INFINITY
    numerator, denominator = value.as_integer_ratio()
    return fmpq(numerator, denominator)


def ball(value: Value) -> arb:
    """An enclosure at the working precision; unknown for `UNDEFINED`."""
    if isinstance(value, arb):
        return value
    if isinstance(value, fmpq):
        return arb(value)
    if isinstance(value, Pair):
        return value.rest + value.exact
    return UNKNOWN


def join(exact: fmpq, rest: arb) -> Value:
    """``exact + rest``, kept apart where the sum would swallow ``rest``."""
    if exact == 0:
        return rest
    total = rest + exact
    if total.contains(exact):
        if rest.is_zero():
            return exact
        if abs(rest) * 65536 < abs(exact):
            return Pair(exact, rest)
    return total


def infinite(value: Value) -> int:
    """1 for oo, -1 for -oo, 0 for everything else."""
    if not isinstance(value, arb) or value.is_finite() or not value.is_exact():
        return 0
    return 1 if value > 0 else -1


def finite(value: Value) -> bool:
    """Whether the number is known to be finite."""
    if isinstance(value, arb):
        return bool(value.is_finite())
    return value is not UNDEFINED


def zero(value: Value) -> bool:
    """Whether the number is known to be 0."""
    if isinstance(value, fmpq):
        return value == 0
    return isinstance(value, arb) and bool(value.is_zero())


def sign(value: Value) -> int | None:
    """-1, 0 or 1, None where that is not known."""
    if isinstance(value, Pair):
        value = value.exact
    if value is UNDEFINED:
        return None
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if value == 0 else None


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


# ------------------------------------------------------------------------------------ arithmetic


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


def as_integer(value: Value) -> int | None:
    """The integer that ``value`` is, None if it is not known to be one."""
    if isinstance(value, fmpq) and value.q == 1:
        return int(value.p)
    return None
