"""Moderate random inputs: where two different derivatives differ, and nothing overflows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from random import Random

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Interval, Loss, Variable
from losscodegen.ir.nodes import Size
from losscodegen.ir.walk import walk
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import admitted, repaired

_SIZES = (2, 3, 4, 5)
_SPANS = {
    DomainKind.POSITIVE: (0.2, 3.0),
    DomainKind.NONNEGATIVE: (0.2, 3.0),
    DomainKind.NEGATIVE: (-3.0, -0.2),
    DomainKind.UNIT: (0.05, 0.95),
    DomainKind.SIMPLEX: (0.05, 1.0),
    DomainKind.LOGPROB: (-3.0, -0.1),
}
_WHOLE = {
    DomainKind.BINARY: (0, 1),
    DomainKind.SIGN: (-1, 1),
    DomainKind.MASK: (0, 1),
    DomainKind.BOOL: (0, 1),
    DomainKind.COUNT: (0, 4),
    DomainKind.INTEGER: (-2, 3),
}


def axis_sizes(loss: Loss) -> dict[str, int]:
    """A size for each axis, different ones for different axes as far as there are any."""
    named = [a for a in loss.axes if a.size is None]
    asked = any(isinstance(n, Size) for r in loss.require for n in walk(r))
    offset = asked  # what a spec asks of its sizes is that they are not the smallest
    sizes = {a.name: _SIZES[(k + offset) % len(_SIZES)] for k, a in enumerate(named)}
    return sizes | {a.name: a.size for a in loss.axes if a.size is not None}


def draws(loss: Loss, count: int) -> list[Point]:
    """``count`` points, the same ones each time; optional arguments are left out."""
    random = Random(loss.name)
    found: list[Point] = []
    for _ in range(20):
        new = [repaired(loss, _point(loss, random)) for _ in range(count)]
        found += admitted(loss, new)
        if len(found) >= count:
            break
    return found[:count]


def _point(loss: Loss, random: Random) -> Point:
    sizes = axis_sizes(loss)
    values: dict[str, Entry] = {}
    for variable in loss.variables:
        if variable.optional:
            values[variable.name] = None
        elif variable.scalar:
            values[variable.name] = _scalar(variable, random)
        else:
            shape = tuple(
                int(a) if a.isdecimal() else sizes[a]
                for a in variable.axes
                if a != ELLIPSIS
            )
            values[variable.name] = _tensor(variable, shape, sizes, random)
    return Point(values=values)


def _scalar(variable: Variable, random: Random) -> Entry:
    kind = variable.domain.kind
    if kind is DomainKind.CHOICE:
        return random.choice(variable.domain.choices)
    if kind is DomainKind.BOOL:
        return random.random() < 0.5
    if kind is DomainKind.INTEGER and isinstance(variable.default, Fraction):
        return int(variable.default)
    return _number(variable, random)


def _tensor(
    variable: Variable, shape: tuple[int, ...], sizes: dict[str, int], random: Random
) -> Array:
    domain = variable.domain
    count = math.prod(shape)
    if domain.kind is DomainKind.INDEX:
        axis = domain.axis or "1"
        size = int(axis) if axis.isdecimal() else sizes[axis]
        return Array(shape, tuple(random.randrange(size) for _ in range(count)))
    entries = [_number(variable, random) for _ in range(count)]
    if domain.kind is DomainKind.SIMPLEX and domain.axis is not None:
        axes = [a for a in variable.axes if a != ELLIPSIS]
        entries = _normalised(entries, shape, axes.index(domain.axis))
    return Array(shape, tuple(entries))


def _normalised(entries: list[float], shape: tuple[int, ...], axis: int) -> list[float]:
    """``entries`` with sum 1 along an axis, as nearly as doubles can."""
    step = math.prod(shape[axis + 1 :])
    found = list(entries)
    for start in range(len(entries)):
        if start // step % shape[axis] == 0:
            row = [start + k * step for k in range(shape[axis])]
            total = sum(entries[k] for k in row)
            for k in row:
                found[k] = entries[k] / total
    return found


def _number(variable: Variable, random: Random) -> float:
    domain = variable.domain
    if domain.kind in _WHOLE:
        return random.randint(*_WHOLE[domain.kind])
    low, high = _SPANS.get(domain.kind, (-3.0, 3.0))
    if domain.interval is not None:
        low, high = _within(domain.interval, low, high)
    return round(random.uniform(low, high), 3)


def _within(interval: Interval, low: float, high: float) -> tuple[float, float]:
    """The span inside a declared interval, off its ends."""
    least = -math.inf if interval.low is None else float(interval.low)
    most = math.inf if interval.high is None else float(interval.high)
    low, high = max(low, least), min(high, most)
    if low >= high:
        low = least if math.isfinite(least) else most - 3.0
        high = most if math.isfinite(most) else least + 3.0
    return low + (high - low) / 50, high - (high - low) / 50


def entries(point: Point) -> Iterator[tuple[str, Entry]]:
    """What a point says, without the arguments that are left out."""
    return ((n, e) for n, e in point.values.items() if e is not None)
