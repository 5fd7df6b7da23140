"""Interval arithmetic with floats: where a value can lie, open and closed ends told apart.

The ends are used to decide signs and bounds such as ``x > 0``, not to enclose results to the last
digit: an end may be off by a rounding error, never by a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from math import inf, isinf, isnan

from losscodegen.ir.loss import Interval

_ROUNDING = 2.0**-23


@dataclass(frozen=True, slots=True)
class Range:
    """Every real between ``low`` and ``high``; an infinite end is always open."""

    low: float = -inf
    high: float = inf
    low_open: bool = True
    high_open: bool = True

    def __and__(self, other: Range) -> Range:
        """The intersection; where it is empty, the side of ``self`` is kept."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_open = self.high, self.high_open
        if (other.high, not other.high_open) < (high, not high_open):
            high, high_open = other.high, other.high_open
        return self if low > high else Range(low, high, low_open, high_open)

    def __or__(self, other: Range) -> Range:
        """The smallest range that holds both."""
        low, low_open = min((self.low, self.low_open), (other.low, other.low_open))
        high, closed = max(
            (self.high, not self.high_open), (other.high, not other.high_open)
        )
        return Range(low, high, low_open, not closed)

    def __neg__(self) -> Range:
        return Range(-self.high, -self.low, self.high_open, self.low_open)

    def __add__(self, other: Range) -> Range:
        return Range(
            self.low + other.low,
            self.high + other.high,
            self.low_open or other.low_open,
            self.high_open or other.high_open,
        )

    def __mul__(self, other: Range) -> Range:
        ends = [_times(a, b) for a in self._ends() for b in other._ends()]
        low, low_open = min(ends)
        high, closed = max((value, not is_open) for value, is_open in ends)
        return Range(low, high, low_open, not closed)

    def _ends(self) -> tuple[tuple[float, bool], tuple[float, bool]]:
        return (self.low, self.low_open), (self.high, self.high_open)

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def negative(self) -> bool:
        return (-self).positive

    @property
    def nonnegative(self) -> bool:
        return self.low >= 0

    @property
    def nonzero(self) -> bool:
        return self.positive or self.negative

    @property
    def bounded(self) -> bool:
        return not (isinf(self.low) or isinf(self.high))

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(-self.low, self.high)

    @property
    def point(self) -> bool:
        return self.low == self.high

    def magnitude(self) -> Range:
        """The range of the absolute value."""
        if self.low >= 0:
            return self
        if self.high <= 0:
            return -self
        if self.high > -self.low:
            return Range(0.0, self.high, False, self.high_open)
        if self.high < -self.low:
            return Range(0.0, -self.low, False, self.low_open)
        return Range(0.0, self.high, False, self.low_open and self.high_open)

    def inverse(self) -> Range:
        """The range of 1/x; everything if 0 is inside."""
        if not self.nonzero:
            if self.low == self.high:
                return EVERYTHING
            if self.low == 0:
                return Range(_reciprocal(self.high), inf, self.high_open)
            if self.high == 0:
                return -((-self).inverse())
            return EVERYTHING
        return Range(
            _reciprocal(self.high) if self.high else -inf,
            _reciprocal(self.low) if self.low else inf,
            self.high_open,
            self.low_open,
        )

    def monotone(self, function: Callable[[float], float]) -> Range:
        """The range of an increasing function."""
        return Range(
            _at(function, self.low),
            _at(function, self.high),
            self.low_open,
            self.high_open,
        )


def _times(left: tuple[float, bool], right: tuple[float, bool]) -> tuple[float, bool]:
    (a, a_open), (b, b_open) = left, right
    if a == 0 or b == 0:
        # A factor that can be 0 makes the product 0 whatever the other is.
        closed = (a == 0 and not a_open) or (b == 0 and not b_open)
        return 0.0, not closed
    return a * b, a_open or b_open


def _reciprocal(value: float) -> float:
    return 0.0 if isinf(value) else 1.0 / value


def _at(function: Callable[[float], float], value: float) -> float:
    """``function`` at an end; beyond its domain or the floats, its limit."""
    try:
        result = function(value)
    except OverflowError:
        return inf if value > 0 else -inf
    except ValueError:
        return -inf if value <= 0 else inf
    return value if isnan(result) else result


EVERYTHING = Range()
NONNEGATIVE = Range(0.0, inf, False)
POSITIVE = Range(0.0, inf, True)
UNIT = Range(0.0, 1.0, False, False)
AT_LEAST_ONE = Range(1.0, inf, False)


def point(value: float) -> Range:
    if isinf(value):
        return Range(value, value)
    return Range(value, value, False, False)


def of_interval(interval: Interval) -> Range:
    return Range(
        -inf if interval.low is None else float(interval.low),
        inf if interval.high is None else float(interval.high),
        interval.low is None or interval.low_open,
        interval.high is None or interval.high_open,
    )


@cache
def read_range(text: str) -> Range:
    """The range that a column of the op table spells, such as ``"[0, oo)"``."""
    low, high = (part.strip() for part in text[1:-1].split(","))
    return Range(
        -inf if low == "-oo" else float(low),
        inf if high == "oo" else float(high),
        text[0] == "(",
        text[-1] == ")",
    )


def closed(found: Range) -> Range:
    """``found`` with its finite ends taken in."""
    return replace(found, low_open=isinf(found.low), high_open=isinf(found.high))


def rounded(found: Range) -> Range:
    """Where a value of ``found`` can lie once it is rounded to float32."""
    low, high = found.low, found.high
    return closed(
        replace(
            found, low=low - abs(low) * _ROUNDING, high=high + abs(high) * _ROUNDING
        )
    )
