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


def as_integer(value: Value) -> int | None:
    """The integer that ``value`` is, None if it is not known to be one."""
    if isinstance(value, fmpq) and value.q == 1:
        return int(value.p)
    return None
