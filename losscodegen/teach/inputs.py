"""Inputs that a reader can follow: round numbers, small tensors, and after them the judge's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from random import Random

from losscodegen.ir.loss import ELLIPSIS, Absent, DomainKind, Loss, Variable
from losscodegen.ir.nodes import Index, Keep, Read, Reduce
from losscodegen.ir.walk import walk
from losscodegen.judge.point import Array, Entry, Point
from losscodegen.judge.points import admitted, sample
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.samplers import Range

ROUND = (
    0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 10.0, -10.0, 20.0, -20.0, 50.0, -50.0, 100.0, -100.0,
    1000.0, -1000.0, 0.1, 0.9, 0.99, 0.01, 1e-3, -1e-3, 1e-4, -1e-4, 1e-6, 1e-8, -1e-8, 1e4, 1e8,
    -1e8, 1e-12, 1e-20, -1e-20, 1e20, -1e20, 1e-30, 1e30, 3e38, -3e38, 1e200, -1e200,
    1.5e308, -1.5e308,
)  # fmt: skip
"""Numbers that show what floating point does, the plainest first."""

WHOLE: dict[DomainKind, tuple[int, ...]] = {
    DomainKind.BINARY: (1, 0),
    DomainKind.SIGN: (1, -1),
    DomainKind.MASK: (1, 0),
    DomainKind.BOOL: (1, 0),
    DomainKind.COUNT: (0, 1, 2, 3, 10, 100),
    DomainKind.INTEGER: (0, 1, 2, 3, -1),
}
PLAIN = frozenset(WHOLE) | {
    DomainKind.REAL,
    DomainKind.POSITIVE,
    DomainKind.NONNEGATIVE,
    DomainKind.NEGATIVE,
    DomainKind.UNIT,
    DomainKind.INDEX,
}
"""Domains whose entries may be chosen one by one."""

SMALL = 3
"""The size of an axis that has to have one."""


def inputs(loss: Loss, dtype: Dtype, count: int = 400) -> Iterator[Point]:
    """Points of ``loss``, those of round numbers first; the same ones each time.

    Optional arguments are left out and scalar parameters have their defaults.
    """
    yield from admitted(loss, list(_round(loss, dtype, count)))
    for point in sample(loss, dtype, count=count // 4).points:
        if all(
            point.values.get(v.name) is None for v in loss.variables if v.optional
        ) and _has_defaults(loss, point):
            yield _unbatched(loss, point)


def _unbatched(loss: Loss, point: Point) -> Point:
    """``point`` without a batch of one."""
    batched = [v.name for v in loss.variables if v.axes == (ELLIPSIS,)]
    arrays = [point.values.get(n) for n in batched]
    if any(ELLIPSIS in v.axes and len(v.axes) > 1 for v in loss.variables) or any(
        not isinstance(a, Array) or a.shape != (1,) for a in arrays if a is not None
    ):
        return point
    flat = {
        n: Array((), a.entries)
        for n, a in zip(batched, arrays, strict=True)
        if isinstance(a, Array)
    }
    return Point(values={**point.values, **flat}, label=point.label)


def _has_defaults(loss: Loss, point: Point) -> bool:
    return all(
        v.name not in point.values or point.values[v.name] == _scalar(v)
        for v in loss.parameters
        if v.scalar and not v.required and not v.optional
    )


def _round(loss: Loss, dtype: Dtype, count: int) -> Iterator[Point]:
    tensors = [v for v in loss.variables if not v.scalar and not v.optional]
    if any(v.domain.kind not in PLAIN for v in tensors):
        return
    sizes = axis_sizes(loss)
    shapes = {v.name: tuple(_shape(v, sizes)) for v in tensors}
    choices = {v.name: _numbers(v, dtype, sizes) for v in tensors}
    slots = [(v, k) for v in tensors for k in range(math.prod(shapes[v.name]))]
    random = Random(f"{loss.name} {dtype.value}")
    scalars = {
        v.name: _scalar(v) for v in loss.variables if v.scalar and not v.optional
    }
    whole = math.prod(len(choices[v.name]) for v, _ in slots)
    if whole <= 2000:
        rows: Iterator[tuple[float, ...]] = product(
            *(choices[v.name] for v, _ in slots)
        )
    else:
        rows = (_row(slots, choices, random) for _ in range(count))
    for row in rows:
        values = dict(scalars)
        values |= dict.fromkeys(v.name for v in loss.variables if v.optional)
        place = 0
        for variable in tensors:
            length = math.prod(shapes[variable.name])
            entries = row[place : place + length]
            values[variable.name] = Array(shapes[variable.name], tuple(entries))
            place += length
        yield Point(values=values, label="round")


def _scalar(variable: Variable) -> Entry:
    """The default of a parameter, as Python holds it; 1 or its first word if it has none."""
    default = variable.default
    if isinstance(default, Fraction):
        whole = default.denominator == 1 and variable.domain.kind is DomainKind.INTEGER
        return int(default) if whole else float(default)
    if isinstance(default, Absent):
        return variable.domain.choices[0] if variable.domain.choices else 1.0
    return default


def _row(
    slots: list[tuple[Variable, int]],
    choices: dict[str, tuple[float, ...]],
    random: Random,
) -> tuple[float, ...]:
    """One number per slot: mostly plain ones beside one or two that are not."""
    calm = random.random() < 0.7
    row = []
    for variable, _ in slots:
        numbers = choices[variable.name]
        most = min(len(numbers), 5) if calm and random.random() < 0.6 else len(numbers)
        row.append(numbers[random.randrange(most)])
    return tuple(row)


def axis_sizes(loss: Loss) -> dict[str, int]:
    """A size for each axis: 1 where every sample is by itself, else a few."""
    bound: set[str] = set()
    shown: dict[str, set[str]] = {}
    for node in walk(loss.expression):
        match node:
            case Reduce(indices=indices):
                bound |= {i.axis for i in indices}
            case Keep(index=index):
                bound.add(index.axis)
            case Index(name, axis):
                shown.setdefault(axis, set()).add(name)
            case _:
                pass
    alone = {i.axis for i in loss.free} - bound
    return {
        a.name: a.size
        or (1 if a.name in alone and len(shown.get(a.name, ())) < 2 else SMALL)
        for a in loss.axes
    }


def _shape(variable: Variable, sizes: dict[str, int]) -> Iterator[int]:
    for axis in variable.axes:
        if axis != ELLIPSIS:
            yield int(axis) if axis.isdecimal() else sizes[axis]


def _numbers(
    variable: Variable, dtype: Dtype, sizes: dict[str, int]
) -> tuple[float, ...]:
    domain = variable.domain
    if domain.kind in WHOLE:
        return WHOLE[domain.kind]
    if domain.kind is DomainKind.INDEX:
        axis = domain.axis or "1"
        return tuple(range(int(axis) if axis.isdecimal() else sizes[axis]))
    span = Range.of(domain, dtype)
    rounded = (round_float(value, dtype) for value in ROUND)
    return tuple(dict.fromkeys(v for v in rounded if math.isfinite(v) and v in span))


def effort(point: Point, dtype: Dtype) -> float:
    """How hard a point is to read: the digits of its numbers, and how far they are from 1."""
    total = 0.0
    for entry in point.values.values():
        entries = entry.entries if isinstance(entry, Array) else ()
        for value in entries:
            total += len(shortest(float(value), dtype))
            if value and not 1e-9 < abs(value) < 1e9:
                total += 4
    return total


def shortest(value: float, dtype: Dtype) -> str:
    """The shortest decimal that is this number of the format."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else repr(value)
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if round_float(float(text), dtype) == value:
            return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return repr(value)


def reads(loss: Loss) -> frozenset[str]:
    """The variables that the expression of ``loss`` reads."""
    return frozenset(n.name for n in walk(loss.expression) if isinstance(n, Read))
