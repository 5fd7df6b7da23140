"""Axes of plots: where a number stands, and which numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from losscodegen.teach.slices import DECADES, Spread

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from ``low`` to ``high`` as places from 0 to 1, laid out as ``spread`` says."""

    low: float
    high: float
    spread: Spread = Spread.LINEAR

    def place(self, x: float) -> float:
        """Where ``x`` stands; outside of 0 to 1 if it is outside."""
        start, end = self._along(self.low), self._along(self.high)
        return (self._along(x) - start) / (end - start) if end > start else 0.5

    def _along(self, x: float) -> float:
        match self.spread:
            case Spread.SYMMETRIC | Spread.POSITIVE | Spread.NEGATIVE:
                return math.copysign(_decades(abs(x)), x)
            case Spread.UNIT if x <= 0.5:
                return _decades(x)
            case Spread.UNIT:
                # As wide as the other half, for all that float32 can tell from 1.
                return 2 * _decades(0.5) - _decades(0.5) * (_log(1 - x) + 8) / 8 * 1.04
            case _:
                return x

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Numbers worth marking, and how they are written."""
        powers = [
            (10.0**e, f"10{str(e).translate(_SUPERSCRIPT)}") for e in (-10, 0, 10)
        ]
        powers = [(x, "1" if x == 1 else text) for x, text in powers]
        positive = [t for t in powers if self.low <= t[0] <= self.high]
        negative = [(-x, f"−{t}") for x, t in reversed(powers) if self.low <= -x]
        match self.spread:
            case Spread.SYMMETRIC:
                return (*negative, (0.0, "0"), *positive)
            case Spread.POSITIVE:
                return tuple(positive)
            case Spread.NEGATIVE:
                return tuple(negative)
            case Spread.UNIT:
                near = [
                    (1 - 10.0**-k, f"1−10{str(-k).translate(_SUPERSCRIPT)}")
                    for k in (4,)
                ]
                return ((0.0, "0"), (1e-10, "10⁻¹⁰"), (0.5, "½"), *near)
            case _:
                return tuple((x, written(x)) for x in nice(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Distances(Scale):
    """Distances from ``centre`` in powers of ten, on one side of it or on both.

    What is nearer than ``nearest`` stands where the centre does.
    """

    centre: float = 0.0
    nearest: float = 1e-6

    def _along(self, x: float) -> float:
        size = abs(x - self.centre)
        decades = math.log10(size / self.nearest) + 1 if size else 0.0
        return math.copysign(max(0.0, decades), x - self.centre)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Powers of ten, few enough to be told apart."""
        sizes = [abs(x - self.centre) for x in (self.low, self.high)]
        last = math.floor(math.log10(max(sizes)) + 1e-9)
        both = self.low < self.centre < self.high
        near = self.nearest if both else max(self.nearest, min(sizes))
        first = math.ceil(math.log10(near) - 1e-9)
        step = max(1, math.ceil((last - first + 1) / (3 if both else 6)))
        powers = range(last, first - 1, -step)
        sides = [
            s for s in (-1, 1) if (self.low, self.high)[s > 0] * s > self.centre * s
        ]
        found = [
            (self.centre + s * 10.0**e, _power(self.centre, s, e))
            for s in sides
            for e in powers
        ]
        middle = [(self.centre, written(self.centre))] if both else []
        inside = [t for t in found if self.low <= t[0] <= self.high]
        return tuple(sorted((*middle, *inside)))


def _power(centre: float, sign: int, exponent: int) -> str:
    size = "1" if exponent == 0 else f"10{str(exponent).translate(_SUPERSCRIPT)}"
    if centre:
        return f"{written(centre)}{'−' if sign < 0 else '+'}{size}"
    return f"−{size}" if sign < 0 else size


def _log(x: float) -> float:
    return max(-8.0, math.log10(x)) if x > 0 else -8.0


def _decades(size: float) -> float:
    """How many powers of ten a size is above the smallest that is shown."""
    return max(0.0, math.log10(size) + DECADES) if size > 0 else 0.0


def nice(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers from ``low`` to ``high``."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,) if math.isfinite(low) else ()
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.99)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(k * step for k in range(first, last + 1))


def written(x: float) -> str:
    """A tick: a proper minus, no digits that say nothing."""
    if abs(x) >= 1e5 or 0 < abs(x) < 1e-3:
        digits, _, power = f"{x:.3g}".partition("e")
        if not power:
            digits, _, power = f"{x:.2e}".partition("e")
        digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
        sign = "−" if digits.startswith("-") else ""
        digits = digits.removeprefix("-")
        head = "" if digits == "1" else f"{digits}·"
        return f"{sign}{head}10{str(int(power)).translate(_SUPERSCRIPT)}"
    return f"{x:.6g}".replace("-", "−")


def clear_range(columns: Sequence[Sequence[float]]) -> tuple[float, float]:
    """What a vertical axis shows: all but the few values that would flatten everything else."""
    values = sorted(y for column in columns for y in column if math.isfinite(y))
    if not values:
        return 0.0, 1.0
    cut = len(values) // 50
    low, high = values[cut], values[-1 - cut]
    # Where nothing runs away there is nothing to cut.
    if values[-1] - values[0] <= 2 * (high - low):
        low, high = values[0], values[-1]
    if low == high:
        return low - 1, high + 1
    pad = 0.06 * (high - low)
    return low - pad, high + pad
