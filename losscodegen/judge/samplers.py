"""Single numbers of a domain, drawn where floating point goes wrong.

Uniform over bit patterns finds the whole range of exponents, bands find the range that users live
in, the list of edges holds the places where exp, squares and sums with 1 lose their last digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from random import Random

from losscodegen.ir.loss import Domain, DomainKind, Interval
from losscodegen.judge.rounding import (
    Dtype,
    from_ordinal,
    neighbour,
    ordinal,
    round_float,
    round_fraction,
)

_LOGS = (
    11.09,  # exp leaves float16
    88.72,  # exp leaves float32
    103.9,  # exp(-x) is 0 in float32
    709.78,  # exp leaves float64
    745.1,  # exp(-x) is 0 in float64
    9.01,  # tanh is 1 in float32
    19.06,  # tanh is 1 in float64
    16.64,  # 1 + exp(-x) is 1 in float32
    36.74,  # 1 + exp(-x) is 1 in float64
    math.log(2),
)
_POWERS = (
    1.8447e19,  # squares leave float32
    1e-23,  # squares are 0 in float32
    1.3408e154,  # squares leave float64
    1.5e-162,  # squares are 0 in float64
    2.0**-12,
    2.0**-26,  # 1 - x**2 is 1
    1e4,
    1e-4,
)
_PLAIN = (0.0, 1.0, 2.0, 3.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Range:
    """The finite numbers of a format between ``low`` and ``high``, ends included."""

    low: float
    high: float
    dtype: Dtype

    @classmethod
    def of(cls, domain: Domain, dtype: Dtype) -> Range:
        """The entries that ``domain`` admits; class indices and the like are not for this."""
        low, high = -dtype.largest, dtype.largest
        smallest = from_ordinal(1, dtype)
        match domain.kind:
            case DomainKind.POSITIVE:
                low = smallest
            case DomainKind.NONNEGATIVE | DomainKind.COUNT:
                low = 0.0
            case DomainKind.NEGATIVE:
                high = -smallest
            case DomainKind.UNIT | DomainKind.SIMPLEX:
                low, high = 0.0, 1.0
            case DomainKind.LOGPROB:
                high = 0.0
        if domain.interval is not None:
            inner_low, inner_high = _ends(domain.interval, dtype)
            low, high = max(low, inner_low), min(high, inner_high)
        return cls(low, high, dtype)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def rounded(self, value: float) -> float | None:
        """``value`` in the format if that lies in the range."""
        value = round_float(value, self.dtype)
        return value if value in self else None

    def near(self, value: float) -> float:
        """``value`` in the format, or the end of the range that it lies beyond."""
        return min(max(round_float(value, self.dtype), self.low), self.high)

    # ------------------------------------------------------------------ drawing

    def bits(self, random: Random) -> float:
        """Uniform over the bit patterns of the range."""
        low, high = ordinal(self.low, self.dtype), ordinal(self.high, self.dtype)
        value = from_ordinal(random.randint(low, high), self.dtype)
        if self.high == 1.0 and self.low == 0.0 and random.random() < 0.5:
            # A probability is as likely to be near 1, where patterns are sparse.
            value = round_float(1.0 - value, self.dtype)
        return value

    def linear(self, random: Random, width: float = 50.0) -> float:
        """Uniform where the range and [-width, width] meet."""
        low, high = max(self.low, -width), min(self.high, width)
        if low > high:
            low, high = self.low, self.high
        return self.near(random.uniform(low, high))

    def logarithmic(
        self, random: Random, low: float = -6.0, high: float = 3.0
    ) -> float:
        """Of a magnitude that is log-uniform over 10**low to 10**high, either sign."""
        value = 10.0 ** random.uniform(low, high) * random.choice((-1.0, 1.0))
        for candidate in (value, -value, value % 1.0, 1.0 - abs(value) % 1.0):
            if self.rounded(candidate) is not None:
                return self.near(candidate)
        return self.linear(random)

    def around_one(self, random: Random) -> float:
        sign = random.choice((-1.0, 1.0))
        return self.near(1.0 + sign * 10.0 ** random.uniform(-8.0, -0.5))

    def typical(self, random: Random) -> float:
        """What training data look like."""
        value = random.gauss(0.0, 1.5)
        if value in self:
            return self.near(value)
        if abs(value) in self:
            return self.near(abs(value))
        return self.linear(random, 3.0)

    def tidy(self, random: Random) -> float:
        """A number of few bits, so that sums and small multiples are exact."""
        for _ in range(20):
            value = random.randint(-256, 256) / 64
            for candidate in (value, value / 4, value / 64):
                if candidate in self:
                    return candidate
        return self.typical(random)

    def any(self, random: Random) -> float:
        draw = random.choice(
            (self.bits, self.linear, self.logarithmic, self.around_one, self.typical)
        )
        return draw(random)

    # ------------------------------------------------------------------ edges

    def edges(self) -> tuple[float, ...]:
        """The numbers that break formulas, each with its neighbours, in order."""
        return _edges(self)


@cache
def _edges(span: Range) -> tuple[float, ...]:
    dtype = span.dtype
    found: set[float] = set()

    def put(value: float, steps: int = 1) -> None:
        value = round_float(value, dtype)
        if not math.isfinite(value):
            return
        for step in range(-steps, steps + 1):
            beside = neighbour(value, step, dtype)
            if math.isfinite(beside) and beside in span:
                found.add(beside)

    for value in (*_PLAIN, *_LOGS, *_POWERS, dtype.epsilon, dtype.tiny):
        put(value)
        put(-value)
        put(1.0 - value, 0)
    for value in (span.low, span.high):
        put(value, 2)
    put(0.0, 1)
    return tuple(sorted(found))


def _ends(interval: Interval, dtype: Dtype) -> tuple[float, float]:
    """The least and the greatest finite number of the format inside ``interval``."""
    low, high = -dtype.largest, dtype.largest
    if interval.low is not None:
        low = round_fraction(interval.low, dtype)
        while low < interval.low or (interval.low_open and low == interval.low):
            low = neighbour(low, 1, dtype)
    if interval.high is not None:
        high = round_fraction(interval.high, dtype)
        while high > interval.high or (interval.high_open and high == interval.high):
            high = neighbour(high, -1, dtype)
    return low, high


def whole(random: Random, dtype: Dtype) -> float:
    """A count: mostly small, sometimes large, always exact."""
    if random.random() < 0.7:
        return float(random.choice((0, 0, 1, 1, 2, 3, 4, 5, 7, 10)))
    most = min(6.5, dtype.precision * math.log10(2))
    return float(int(10.0 ** random.uniform(0.5, most)))


def simplex(random: Random, size: int, dtype: Dtype) -> list[float]:
    """Probabilities that sum to exactly 1: multiples of 2**-20 or of powers of two below."""
    style = random.randrange(8)
    one = 1 << 20
    if style == 0:
        parts = [0] * size
        parts[random.randrange(size)] = one
    elif style < 3:
        # Confident: all but one entry small.
        parts = [1 << random.randrange(12) for _ in range(size)]
        if style == 1:
            parts[random.randrange(size)] = 0
        top = random.randrange(size)
        parts[top] += one - sum(parts)
    else:
        weights = [random.random() ** (3 if style < 5 else 1) for _ in range(size)]
        total = sum(weights) or 1.0
        parts = [max(1, int(one * w / total)) for w in weights]
        top = max(range(size), key=lambda k: parts[k])
        parts[top] += one - sum(parts)
    return [round_fraction(Fraction(p, one), dtype) for p in parts]
