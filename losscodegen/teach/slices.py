"""Lines through the domain of a loss: one entry of one input runs, everything else is fixed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from losscodegen.ir.loss import ELLIPSIS, DomainKind, Loss, Role, Variable
from losscodegen.judge.laws import example_point
from losscodegen.judge.oracle import DIFFERENTIABLE
from losscodegen.judge.point import Array, Entry, Point, Scalar
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import is_pointwise
from losscodegen.judge.wording import format_number, format_point

LABELS: Mapping[DomainKind, tuple[float, ...]] = {
    DomainKind.BINARY: (0.0, 1.0),
    DomainKind.SIGN: (-1.0, 1.0),
    DomainKind.MASK: (1.0,),
}
"""Inputs of few values are shown at each of them."""

BOUND_TOGETHER = frozenset({DomainKind.SIMPLEX, DomainKind.LOGPROB})
"""Entries of these cannot change one by one."""

MOST_LABELS = 2


class Spread(Enum):
    """How numbers are laid out on an axis."""

    LINEAR = "linear"
    SYMMETRIC = "both signs, logarithmic from 0"
    POSITIVE = "logarithmic"
    NEGATIVE = "logarithmic, mirrored"
    UNIT = "logarithmic from 0 and from 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """``entry`` of the input ``variable`` runs; ``points`` are where the others stand.

    There is more than one point where a label has more than one value; ``labels`` says which it
    is at each of them.
    """

    variable: Variable
    entry: int
    points: tuple[Point, ...]
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """``x``, or ``x[0, 2]`` where the input has more than one entry."""
        array = self.points[0].values[self.variable.name]
        assert isinstance(array, Array)
        if len(array.entries) == 1:
            return self.variable.name
        place: list[int] = []
        rest = self.entry
        for size in reversed(array.shape):
            rest, at = divmod(rest, size)
            place.insert(0, at)
        return f"{self.variable.name}[{', '.join(map(str, place))}]"

    @property
    def at(self) -> float:
        """Where the entry stands in the first point."""
        array = self.points[0].values[self.variable.name]
        assert isinstance(array, Array)
        return float(array.entries[self.entry])

    @property
    def fixed(self) -> str:
        """Everything else, as text; labels left out."""
        first = self.points[0].values
        running = {self.variable.name} if self.name == self.variable.name else set()
        varied = {
            name
            for point in self.points[1:]
            for name, entry in point.values.items()
            if entry != first[name]
        }
        rest = {n: e for n, e in first.items() if n not in running | varied}
        return format_point(Point(values=rest))

    def line(self, place: int, numbers: tuple[float, ...]) -> list[Point]:
        """The points at which the entry has these values."""
        return [
            moved(self.points[place], self.variable.name, self.entry, x)
            for x in numbers
        ]


def point_text(point: Point, dtype: Dtype = Dtype.FLOAT32) -> str:
    """A point as text, with as many digits as tell its numbers apart in the format."""
    return format_point(
        replace(point, values={n: _short(e, dtype) for n, e in point.values.items()})
    )


def _short(entry: Entry, dtype: Dtype) -> Entry:
    if isinstance(entry, Array):
        return Array(entry.shape, tuple(_digits(e, dtype) for e in entry.entries))
    return _digits(entry, dtype) if isinstance(entry, float) else entry


def _digits(value: Scalar, dtype: Dtype) -> Scalar:
    if not isinstance(value, float):
        return value
    return float(format_number(round_float(value, dtype), dtype))


def moved(point: Point, name: str, entry: int, value: Scalar) -> Point:
    """``point`` with one entry replaced."""
    array = point.values[name]
    assert isinstance(array, Array)
    entries = (*array.entries[:entry], value, *array.entries[entry + 1 :])
    return replace(point, values={**point.values, name: Array(array.shape, entries)})


def starting_point(loss: Loss) -> Point | None:
    """Where a reader looks first: the example of the spec, one element of it if one will do."""
    if loss.example is not None:
        point = example_point(loss)
    else:
        found = tidy_points(loss, Dtype.FLOAT64, seed=0, count=2, purpose="page")
        if not found:
            return None
        point = found[0]
    return single(loss, point) if is_pointwise(loss) else point


def single(loss: Loss, point: Point, element: int = 0) -> Point:
    """One element of the batch of a loss that looks at each by itself."""
    values: dict[str, Entry] = dict(point.values)
    for variable in loss.variables:
        array = values[variable.name]
        if not isinstance(array, Array) or ELLIPSIS not in variable.axes:
            continue
        inner = tuple(int(a) for a in variable.subscripted_axes)
        size = math.prod(inner)
        lanes = len(array.entries) // size
        start = element % lanes * size if lanes else 0
        entries = array.entries[start : start + size]
        values[variable.name] = Array((1, *inner), entries)
    return replace(point, values=values)


def runnable(loss: Loss) -> tuple[Variable, ...]:
    """The inputs whose entries may run one by one."""
    return tuple(
        v
        for v in loss.variables
        if v.role is not Role.PARAMETER
        and v.axes
        and v.domain.kind in DIFFERENTIABLE - BOUND_TOGETHER
    )


def slices(loss: Loss, point: Point, *, most: int = 2) -> Iterator[Slice]:
    """A slice for each of the first inputs that may run, through ``point``."""
    found = [
        v
        for v in runnable(loss)
        if isinstance(array := point.values.get(v.name), Array) and array.entries
    ]
    for variable in found[:most]:
        yield slice_of(loss, point, variable, 0)


def slice_of(loss: Loss, point: Point, variable: Variable, entry: int) -> Slice:
    """The slice of one entry, for every value of the first label if there is one."""
    points, labels = [point], [""]
    if is_pointwise(loss):
        for other in loss.inputs:
            values = LABELS.get(other.domain.kind, ())
            if len(values) < MOST_LABELS or point.values.get(other.name) is None:
                continue
            points = [moved(point, other.name, 0, value) for value in values]
            labels = [f"{other.name} = {value:g}" for value in values]
            break
    return Slice(
        variable=variable, entry=entry, points=tuple(points), labels=tuple(labels)
    )


# ------------------------------------------------------------------------------------- numbers

REACH = 6.0
"""How far from 0 an unlimited input is drawn on a linear axis."""


def ordinary(
    variable: Variable, at: float = 0.0, *, count: int = 161
) -> tuple[float, ...]:
    """Evenly spaced numbers of usual size: what a text-book draws."""
    span = Range.of(variable.domain, Dtype.FLOAT32)
    reach = max(REACH, 1.5 * abs(at)) if math.isfinite(at) else REACH
    low, high = max(span.low, -reach), min(span.high, reach)
    if low >= high:  # an interval far from 0
        low, high = span.low, min(span.high, span.low + 2 * REACH)
    step = (high - low) / (count - 1)
    numbers = (low + k * step for k in range(count))
    return tuple(min(max(x, span.low), span.high) for x in numbers)


def spread(variable: Variable) -> Spread:
    """The axis on which everything that goes wrong with an input can be seen."""
    span = Range.of(variable.domain, Dtype.FLOAT32)
    far = 1e6
    if (span.low, span.high) == (0.0, 1.0):
        return Spread.UNIT
    if span.low >= 0 and span.high > far and span.low < 1:
        return Spread.POSITIVE
    if span.high <= 0 and span.low < -far and span.high > -1:
        return Spread.NEGATIVE
    if span.low < -far and span.high > far:
        return Spread.SYMMETRIC
    return Spread.LINEAR


DECADES = 20
"""The powers of ten that are shown; the format's own ends are the certificate's matter."""
INNER = 4
"""Within so many powers of ten of 1 there is more to see."""


def everywhere(variable: Variable, *, dense: int = 8) -> tuple[float, ...]:
    """Float32 numbers of all sizes, ``dense`` per power of ten near 1."""
    span = Range.of(variable.domain, Dtype.FLOAT32)
    sizes = [10.0**e for e in _exponents(-DECADES, DECADES, dense)]
    match spread(variable):
        case Spread.SYMMETRIC:
            numbers = [-x for x in reversed(sizes)] + [0.0] + sizes
        case Spread.POSITIVE:
            numbers = [0.0, *sizes]
        case Spread.NEGATIVE:
            numbers = [-x for x in reversed(sizes)] + [0.0]
        case Spread.UNIT:
            half = [10.0**e for e in _exponents(-DECADES, 0, dense) if 10.0**e < 0.5]
            near = [1 - x for x in half if x > 2.0**-25]
            numbers = [0.0, *half, *reversed(near), 1.0]
        case Spread.LINEAR:
            count = 24 * dense
            step = (span.high - span.low) / count
            numbers = [span.low + k * step for k in range(count + 1)]
    rounded = dict.fromkeys(round_float(x, Dtype.FLOAT32) for x in numbers)
    return tuple(x for x in rounded if x in span)


_OFF = 0.0123
"""Powers of ten themselves are numbers of few digits; those beside them are not."""


def _exponents(low: int, high: int, dense: int) -> Iterator[float]:
    for decade in range(low, high):
        steps = dense if -INNER <= decade < INNER else max(1, dense // 4)
        yield from (decade + k / steps + _OFF for k in range(steps))
