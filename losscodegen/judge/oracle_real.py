"""From the numbers of the oracle to the `Real` of a truth: enclosures that round, or do not yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from flint import fmpq

from losscodegen.judge.oracle_numbers import (
    UNDEFINED,
    Pair,
    Value,
    ball,
    finite,
    infinite,
    sign,
)
from losscodegen.judge.point import UNDEFINED as NO_NUMBER
from losscodegen.judge.point import UNDETERMINED, Kind, Real
from losscodegen.judge.rounding import Dtype, ends, plus, rounds_alike

Dyadic = tuple[int, int]
"""``(mantissa, exponent)``."""

PLUS_INFINITY = Real(Kind.POSITIVE_INFINITY)
MINUS_INFINITY = Real(Kind.NEGATIVE_INFINITY)

_FLOOR = 4096
"""What is below ``2**-_FLOOR`` beside a number matters for its rounding only by its sign."""

_SHORT = 256
"""The bits of a number that counts as short: more than a midpoint between floats has."""
_CERTAIN = 1024
"""The bits that have to be known to take a number for a short one."""


def dyadic(value: fmpq) -> Dyadic | None:
    """A rational whose denominator is a power of two."""
    denominator = int(value.q)
    if denominator & (denominator - 1):
        return None
    return int(value.p), 1 - denominator.bit_length()


def middle_and_radius(value: Value) -> tuple[Dyadic, Dyadic] | None:
    """An enclosure of a finite number in dyadic numbers."""
    if isinstance(value, fmpq):
        exact = dyadic(value)
        if exact is not None:
            return exact, (0, 0)
    elif isinstance(value, Pair):
        found = _of_pair(value)
        if found is not None:
            return found
    enclosure = ball(value)
    if not enclosure.is_finite():
        return None
    middle, radius = enclosure.mid().man_exp(), enclosure.rad().man_exp()
    return (int(middle[0]), int(middle[1])), (int(radius[0]), int(radius[1]))


def _of_pair(value: Pair) -> tuple[Dyadic, Dyadic] | None:
    """A pair whose exact part may be a midpoint between floats, which the rest then decides."""
    exact = dyadic(value.exact)
    if exact is None:
        return None
    mantissa, exponent = exact
    top = value.rest.abs_upper().man_exp()
    highest = int(top[0]).bit_length() + int(top[1])
    if highest > -_FLOOR:
        middle, radius = value.rest.mid().man_exp(), value.rest.rad().man_exp()
        rest = int(middle[0]), int(middle[1])
        if rest[1] > -8 * _FLOOR:
            return plus(exact, rest), (int(radius[0]), int(radius[1]))
    # Too small to be written out: any number just beside the exact part rounds as this one.
    unit = min(-_FLOOR, exponent) - 2
    way = sign(value.rest)
    shifted = mantissa << (exponent - unit)
    if way is None:
        return (shifted, unit), (1, unit)
    return (4 * shifted + 2 * way, unit - 2), (1, unit - 2)


def resolve(value: Value, dtypes: Sequence[Dtype]) -> Real:
    """The number as a `Real`, undetermined unless it is known well enough for all ``dtypes``."""
    if value is UNDEFINED:
        return NO_NUMBER
    found = middle_and_radius(value)
    if found is None:
        way = infinite(value)
        if way:
            return PLUS_INFINITY if way > 0 else MINUS_INFINITY
        return UNDETERMINED
    middle, radius = found
    if not radius[0]:
        return Real(Kind.FINITE, *middle)
    if not all(rounds_alike(middle, radius, dtype) for dtype in dtypes):
        snapped = _snapped(middle, radius)
        return UNDETERMINED if snapped is None else Real(Kind.FINITE, *snapped, *radius)
    if middle[0].bit_length() + middle[1] <= radius[0].bit_length() + radius[1]:
        # The sign may be open: a zero with a radius twice as large.
        reach = max(
            middle[0].bit_length() + middle[1], radius[0].bit_length() + radius[1]
        )
        return Real(Kind.FINITE, 0, 0, 1, reach + 1)
    return Real(Kind.FINITE, *middle, *radius)


def _snapped(middle: Dyadic, radius: Dyadic) -> Dyadic | None:
    """The short dyadic number that an enclosure is all but certain to mean.

    ``2*sqrt(u)*(v/sqrt(u))`` is 2v, which may be a midpoint between floats. No precision shows
    that, but a thousand binary zeros do. Zeros are no problem: all that is tiny rounds to 0.
    """
    size = middle[0].bit_length()
    if radius[0].bit_length() + radius[1] > size + middle[1] - _CERTAIN:
        return None
    drop = size - _SHORT
    if drop <= 0:
        return middle
    mantissa = (middle[0] + (1 << (drop - 1))) >> drop
    gap = (mantissa << drop) - middle[0]
    step = radius[1] - middle[1]
    reach = radius[0] << step if step >= 0 else radius[0] >> -step
    return (mantissa, middle[1] + drop) if abs(gap) <= reach else None


def bounds(value: Value) -> tuple[Real, Real]:
    """Numbers below and above, infinite where nothing is known."""
    found = middle_and_radius(value) if finite(value) else None
    if found is None:
        way = infinite(value)
        return (
            PLUS_INFINITY if way > 0 else MINUS_INFINITY,
            MINUS_INFINITY if way < 0 else PLUS_INFINITY,
        )
    low, high = ends(*found)
    return Real(Kind.FINITE, *low), Real(Kind.FINITE, *high)


def least(numbers: Iterable[Real]) -> Real:
    return reduce(lambda a, b: b if compare(b, a) < 0 else a, numbers)


def greatest(numbers: Iterable[Real]) -> Real:
    return reduce(lambda a, b: b if compare(b, a) > 0 else a, numbers)


def compare(left: Real, right: Real) -> int:
    """Negative, 0 or positive by the order of two middles, without writing out their exponents."""
    one, other = _side(left), _side(right)
    if one != other or abs(one) != 1:
        return one - other
    a = left.mantissa.bit_length() + left.exponent
    b = right.mantissa.bit_length() + right.exponent
    if a != b:
        return one * (a - b)
    difference = plus((left.mantissa, left.exponent), (-right.mantissa, right.exponent))
    return difference[0]


def _side(number: Real) -> int:
    if number.kind is Kind.POSITIVE_INFINITY:
        return 2
    if number.kind is Kind.NEGATIVE_INFINITY:
        return -2
    return (number.mantissa > 0) - (number.mantissa < 0)
