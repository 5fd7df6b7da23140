"""Rounding exact numbers to floating-point formats, and measuring how far a result is off.

Everything is integer arithmetic. ``float()`` would round to 53 bits first, and a second rounding to
a narrower format is then wrong whenever the first one lands on a midpoint.
"""

from __future__ import annotations

import math
from enum import Enum
from fractions import Fraction

_WIDTHS = {
    "float64": (53, 1023),
    "float32": (24, 127),
    "bfloat16": (8, 127),
    "float16": (11, 15),
}


class Dtype(Enum):
    """An IEEE 754 binary format (or bfloat16, which differs only in its widths).

    The value is torch's name. ``precision`` counts the significant bits with the hidden one,
    ``top`` is the exponent of the largest binade (finite numbers are below ``2**(top + 1)``) and
    ``bottom`` that of the smallest positive number, a subnormal.
    """

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    def __init__(self, name: str) -> None:
        self.precision, self.top = _WIDTHS[name]
        self.bottom = 2 - self.top - self.precision

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next larger number."""
        return math.ldexp(1.0, 1 - self.precision)

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return math.ldexp(1.0, 1 - self.top)

    @property
    def room(self) -> int:
        """How many powers of two off an end of the range numbers have room for mathematics."""
        return min(24, self.top // 5)

    @property
    def largest(self) -> float:
        return math.ldexp(2.0 - self.epsilon, self.top)


def round_dyadic(mantissa: int, exponent: int, dtype: Dtype) -> float:
    """``mantissa * 2**exponent`` rounded to nearest even; overflow gives an infinity."""
    if mantissa == 0:
        return 0.0
    sign = -1.0 if mantissa < 0 else 1.0
    mantissa = abs(mantissa)
    top = exponent + mantissa.bit_length() - 1
    if top > dtype.top:
        return sign * math.inf
    last = max(top - dtype.precision + 1, dtype.bottom)
    shift = last - exponent
    if shift > mantissa.bit_length():
        return sign * 0.0
    if shift > 0:
        kept = mantissa >> shift
        rest = mantissa & ((1 << shift) - 1)
        half = 1 << (shift - 1)
        if rest > half or (rest == half and kept & 1):
            kept += 1
        mantissa, exponent = kept, last
        # A carry into the next binade keeps the number exact but may leave the range.
        if mantissa.bit_length() + exponent - 1 > dtype.top:
            return sign * math.inf
    # At most 53 bits are left, at a multiple of 2**-1074: the conversion is exact.
    return sign * math.ldexp(mantissa, exponent)


def rounds_alike(
    middle: tuple[int, int], radius: tuple[int, int], dtype: Dtype, guard: int = 10
) -> bool:
    """Whether all of ``middle`` plus or minus ``radius`` (mantissa, exponent) rounds to one number.

    The radius must also be ``guard`` bits smaller than a unit in the last place of that number,
    unless it is 0 or infinite.
    """
    if not radius[0]:
        return True
    mantissa, exponent = abs(middle[0]), middle[1]
    top = exponent + mantissa.bit_length() - 1
    reach = radius[1] + radius[0].bit_length()
    if not mantissa or top >= dtype.top or top <= dtype.bottom or reach >= top:
        return _ends_round_alike(middle, radius, dtype, guard)
    last = max(top - dtype.precision + 1, dtype.bottom)
    if reach > last - guard:
        return False
    shift = last - exponent
    if shift <= 0:
        return True
    # Only crossing a midpoint changes the result, and none is nearer than this.
    gap = abs((mantissa & ((1 << shift) - 1)) - (1 << (shift - 1)))
    step = radius[1] - exponent
    return gap > (radius[0] << step if step >= 0 else (radius[0] >> -step) + 1)


def _ends_round_alike(
    middle: tuple[int, int], radius: tuple[int, int], dtype: Dtype, guard: int
) -> bool:
    low, high = ends(middle, radius)
    below, above = round_dyadic(*low, dtype), round_dyadic(*high, dtype)
    if below != above:
        return False
    if below == 0 or math.isinf(below):
        return True
    return radius[1] + radius[0].bit_length() <= ulp_exponent(below, dtype) - guard


def ends(
    middle: tuple[int, int], radius: tuple[int, int], most: int = 1 << 15
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two ends of an enclosure, or numbers a little further out.

    Exponents more than ``most`` apart would make endless integers: the radius grows instead.
    """
    if not radius[0]:
        return middle, middle
    if middle[0] and abs(middle[1] - radius[1]) > most:
        if middle[1] > radius[1]:
            radius = 1, max(middle[1] - most, radius[1] + radius[0].bit_length())
        else:
            middle, radius = (0, 0), (radius[0] + 1, radius[1])
    return plus(middle, (-radius[0], radius[1])), plus(middle, radius)


def plus(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The exact sum of two numbers given as (mantissa, exponent)."""
    if not left[0] or not right[0]:
        return left if left[0] else right
    if left[1] < right[1]:
        left, right = right, left
    return (left[0] << (left[1] - right[1])) + right[0], right[1]


def round_fraction(value: Fraction, dtype: Dtype) -> float:
    """``value`` rounded to nearest even; overflow gives an infinity."""
    if value == 0:
        return 0.0
    numerator, denominator = abs(value.numerator), value.denominator
    # Two bits more than the format has, and a sticky bit for everything below.
    exponent = numerator.bit_length() - denominator.bit_length() - dtype.precision - 3
    if exponent >= 0:
        quotient, rest = divmod(numerator, denominator << exponent)
    else:
        quotient, rest = divmod(numerator << -exponent, denominator)
    mantissa = 2 * quotient + (rest != 0)
    return round_dyadic(mantissa if value > 0 else -mantissa, exponent - 1, dtype)


def round_float(value: float, dtype: Dtype) -> float:
    """A double rounded to the format; NaN, infinities and the sign of zero survive."""
    if value == 0 or not math.isfinite(value):
        return value
    mantissa, exponent = _dyadic(value)
    return round_dyadic(mantissa, exponent, dtype)


def _dyadic(value: float) -> tuple[int, int]:
    numerator, denominator = value.as_integer_ratio()
    return numerator, 1 - denominator.bit_length()


def ulp_exponent(value: float, dtype: Dtype) -> int:
    """The exponent of the unit in the last place of ``value``, a number of the format.

    An infinity counts as the power of two that follows the largest binade, seen from below.
    """
    if value == 0:
        return dtype.bottom
    if math.isinf(value):
        return dtype.top - dtype.precision + 1
    top = math.frexp(value)[1] - 1
    return max(top - dtype.precision + 1, dtype.bottom)


def ulp_distance(got: float, mantissa: int, exponent: int, dtype: Dtype) -> float:
    """``|got - exact|`` in units of the last place of the correctly rounded exact value.

    ``exact = mantissa * 2**exponent``. A correctly rounded result is within 1/2. Infinities count
    as ``2**(top + 1)``, so that a result one step beyond the largest number is about one ulp off
    and not infinitely many; an exact value beyond that counts as it, too. NaN is infinitely off.
    """
    if math.isnan(got):
        return math.inf
    unit = ulp_exponent(round_dyadic(mantissa, exponent, dtype), dtype)
    edge = (1 << dtype.precision) << (dtype.top + 1 - dtype.precision - unit)
    if mantissa and mantissa.bit_length() + exponent - 1 > dtype.top:
        exact = Fraction(edge if mantissa > 0 else -edge)
    elif mantissa and mantissa.bit_length() + exponent - unit < -64:
        # Far below half a unit of the smallest number: no need to spell out its zeros.
        exact = Fraction(1 if mantissa > 0 else -1, 1 << 64)
    else:
        exact = _scaled(mantissa, exponent - unit)
    if math.isinf(got):
        reached = Fraction(edge if got > 0 else -edge)
    else:
        numerator, power = _dyadic(got)
        reached = _scaled(numerator, power - unit)
    try:
        return float(abs(reached - exact))
    except OverflowError:
        return math.inf


def _scaled(mantissa: int, exponent: int) -> Fraction:
    if exponent >= 0:
        return Fraction(mantissa << exponent)
    return Fraction(mantissa, 1 << -exponent)


def ordinal(value: float, dtype: Dtype) -> int:
    """The place of a number of the format in the order of all of them: 0 for both zeros.

    Neighbours differ by 1, infinities are the neighbours of the largest finite numbers.
    """
    if math.isnan(value):
        raise ValueError("NaN has no place in the order")
    magnitude = abs(value)
    subnormals = 1 << (dtype.precision - 1)
    if math.isinf(magnitude):
        place = 2 * dtype.top * subnormals + subnormals
    elif magnitude < dtype.tiny:
        place = int(math.ldexp(magnitude, -dtype.bottom))
    else:
        fraction, power = math.frexp(magnitude)
        binade = power - 1 + dtype.top - 1
        place = binade * subnormals + int(math.ldexp(fraction, dtype.precision))
    return -place if value < 0 else place


def from_ordinal(place: int, dtype: Dtype) -> float:
    """The number of the format at ``place``: the inverse of `ordinal`."""
    magnitude = abs(place)
    subnormals = 1 << (dtype.precision - 1)
    limit = 2 * dtype.top * subnormals + subnormals
    if magnitude > limit:
        raise ValueError(f"{dtype.value} has no number at place {place}")
    if magnitude == limit:
        value = math.inf
    elif magnitude < subnormals:
        value = math.ldexp(magnitude, dtype.bottom)
    else:
        binade, rest = divmod(magnitude, subnormals)
        value = math.ldexp(subnormals + rest, binade - 1 + dtype.bottom)
    return -value if place < 0 else value


def ordinal_distance(left: float, right: float, dtype: Dtype) -> int:
    """How many numbers of the format lie from ``left`` to ``right``, counting one end."""
    return abs(ordinal(left, dtype) - ordinal(right, dtype))


def neighbour(value: float, steps: int, dtype: Dtype) -> float:
    """The number ``steps`` places above ``value`` in the format, at most an infinity."""
    limit = ordinal(math.inf, dtype)
    place = ordinal(value, dtype) + steps
    return from_ordinal(max(-limit, min(limit, place)), dtype)
