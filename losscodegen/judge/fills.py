"""Ways of filling a tensor, each with the structure that breaks some reduction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

Fill = Callable[["Lines", Random], list[float]]


class Lines:
    """The flat places of a tensor, as lines along one of its dims."""

    def __init__(self, shape: Sequence[int], dim: int | None) -> None:
        self.count = math.prod(shape)
        if dim is None or not shape:
            self.lines = [[k] for k in range(self.count)]
        else:
            size, inner = shape[dim], math.prod(shape[dim + 1 :])
            starts = [k for k in range(self.count) if (k // inner) % size == 0]
            self.lines = [[s + j * inner for j in range(size)] for s in starts]


# ---------------------------------------------------------------------- how to fill a tensor


def _normal(scale: float = 1.0, offset: float = 0.0) -> Fill:
    def fill(lines: Lines, random: Random) -> list[float]:
        return [offset + scale * random.gauss(0.0, 1.0) for _ in range(lines.count)]

    return fill


def _peak(height: float) -> Fill:
    """One entry of each line stands out: a confident prediction, or a hopeless one."""

    def fill(lines: Lines, random: Random) -> list[float]:
        values = _normal()(lines, random)
        for line in lines.lines:
            values[random.choice(line)] += height
        return values

    return fill


def _tidy(lines: Lines, random: Random) -> list[float]:
    """Few bits, so that sums and small multiples are exact."""
    return [random.randint(-256, 256) / 64 for _ in range(lines.count)]


def _equal(lines: Lines, random: Random) -> list[float]:
    return [random.choice((0.0, 1.0, 0.5, random.gauss(0.0, 2.0)))] * lines.count


def _ties(lines: Lines, random: Random) -> list[float]:
    return [float(random.randint(-2, 2)) for _ in range(lines.count)]


def _zero_line(lines: Lines, random: Random) -> list[float]:
    values = _normal()(lines, random)
    for place in random.choice(lines.lines):
        values[place] = 0.0
    return values


def _parallel(lines: Lines, random: Random) -> list[float]:
    values = [0.0] * lines.count
    first = [random.gauss(0.0, 1.0) for _ in lines.lines[0]]
    for line in lines.lines:
        factor = random.choice((-2.0, -1.0, 0.5, 1.0, 1.0, 2.0, 3.0))
        for place, value in zip(line, first, strict=True):
            values[place] = factor * value
    return values


def _single(lines: Lines, random: Random) -> list[float]:
    values = [0.0] * lines.count
    values[random.randrange(lines.count)] = random.gauss(0.0, 3.0)
    return values


def _spread(low: float, high: float) -> Fill:
    def fill(lines: Lines, random: Random) -> list[float]:
        return [
            random.choice((-1.0, 1.0)) * 10.0 ** random.uniform(low, high)
            for _ in range(lines.count)
        ]

    return fill


def _level(lines: Lines, random: Random) -> list[float]:
    """Each line constant: no spread inside, any between."""
    values = [0.0] * lines.count
    for line in lines.lines:
        level = random.gauss(0.0, 2.0)
        for place in line:
            values[place] = level
    return values


FILLS: dict[str, Fill] = {
    "normal": _normal(),
    "tidy": _tidy,
    "wide": _normal(10.0),
    "ties": _ties,
    "confident 17": _peak(17.0),
    "zero line": _zero_line,
    "small": _normal(1e-3),
    "confident 40": _peak(40.0),
    "equal": _equal,
    "offset 1e4": _normal(1.0, 1e4),
    "parallel": _parallel,
    "confident 90": _peak(90.0),
    "hopeless 40": _peak(-40.0),
    "spread": _spread(-6.0, 3.0),
    "level": _level,
    "zeros": lambda lines, random: [0.0] * lines.count,
    "confident 700": _peak(700.0),
    "single": _single,
    "huge": _normal(1e30),
    "confident 1e4": _peak(1e4),
    "minute": _normal(1e-30),
    "hundreds": _normal(100.0),
    "hopeless 1e4": _peak(-1e4),
    "wild": _spread(-30.0, 30.0),
    "nearly zero": _spread(-12.0, -4.0),
    # Beyond float32, where the first falls back to any number and the second is 0.
    "immense": _normal(1e200),
    "vanishing": _normal(1e-200),
}
