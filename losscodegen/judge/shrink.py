"""The smallest input that shows a fault: fewest entries, simplest numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from losscodegen.ir.loss import ELLIPSIS, DomainKind
from losscodegen.judge.case import Case
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Fault, Limits, Measure
from losscodegen.judge.decided import Sides
from losscodegen.judge.foreign_evidence import Evidence, Failing
from losscodegen.judge.point import Array, Entry, Point, Scalar
from losscodegen.judge.points import admitted
from losscodegen.judge.probes import spread
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import INTEGRAL, execute
from losscodegen.judge.variants import Variants
from losscodegen.judge.wording import format_number, format_point

STEPS = 160
"""So many inputs are tried at most."""
_SIMPLE = (0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 10.0, -10.0, 100.0, -100.0, 1e-4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """An input that fails: what came out, what should have, both exact in the format."""

    dtype: str
    order: str
    variable: str | None
    entry: int
    point: Point
    got: str
    want: str
    ulp: float

    @property
    def text(self) -> str:
        return format_point(self.point)

    def as_dict(self) -> dict[str, Any]:
        return {
            "dtype": self.dtype,
            "order": self.order,
            "variable": self.variable,
            "entry": self.entry,
            "point": self.text,
            "got": self.got,
            "want": self.want,
            "ulp": self.ulp if math.isfinite(self.ulp) else str(self.ulp),
        }


def shrink(evidence: Evidence, limits: Limits) -> Shrunk:
    """The smallest input on which the module fails as it does at one of its failing points.

    Values come before gradients, numbers before NaN and infinity; the point to start from has the
    fewest entries and the shortest numbers.
    """
    start = min(evidence.failing, key=_complexity)
    best = _Judge(evidence, limits, start).smallest(start.case)
    dtype = start.dtype
    return Shrunk(
        dtype=dtype.value,
        order=best.order,
        variable=best.variable,
        entry=best.entry,
        point=best.point,
        got=format_number(best.got, dtype),
        want=format_number(best.want.rounded(dtype), dtype),
        ulp=float(f"{best.ulp:.4g}"),
    )


def _complexity(failing: Failing) -> tuple[bool, int, int, bool]:
    entries = [e for v in failing.case.point.values.values() for e in _entries(v)]
    return (
        failing.case.order != "value",
        len(entries),
        sum(len(repr(e)) for e in entries),
        failing.dtype is not Dtype.FLOAT32,
    )


def _entries(entry: Entry) -> tuple[Scalar, ...]:
    return entry.entries if isinstance(entry, Array) else ()


class _Judge:
    def __init__(self, evidence: Evidence, limits: Limits, start: Failing) -> None:
        self.evidence, self.dtype, self.start = evidence, start.dtype, start.case
        self.limits = limits.within(start.dtype)
        self.variants = Variants()
        self.sides = Sides(evidence.loss, evidence.oracles, start.dtype)
        self.left = STEPS

    def smallest(self, case: Case) -> Case:
        """``case`` at simpler and simpler points until none is."""
        improved = True
        while improved and self.left > 0:
            improved = False
            for candidate in self.simpler(case.point):
                if self.left <= 0:
                    break
                self.left -= 1
                found = self.fails(candidate)
                if found is not None:
                    case, improved = found, True
                    break
        return case

    def fails(self, point: Point) -> Case | None:
        """The failing case there, of the same order, variable and kind of fault."""
        loss, dtype = self.evidence.loss, self.dtype
        if not admitted(loss, [point]):
            return None
        truth = self.evidence.oracles(loss, point, dtype)
        if truth is None:
            return None
        (result,) = execute(loss, [point], self.evidence.foreign.call, dtype)
        if result.error is not None or result.shape != truth.shape:
            return None
        for order, case, error, _, _ in compare(
            point, truth, result, result, dtype, self.limits
        ):
            start = self.start
            if order != start.order or case.variable != start.variable:
                continue
            if not isinstance(error, Measure) or error.ulp <= self.limits.fails(order):
                continue
            same = case.fault is start.fault or {case.fault, start.fault} <= {
                Fault.DIGITS,
                Fault.ZERO,
            }
            if not same:
                continue
            if not math.isinf(case.ulp):
                there = self.evidence.oracles, loss, point, truth, dtype
                case.settle(spread(*there, self.variants), dtype)
                if case.scaled <= self.limits.scaled:
                    continue
                self.sides.settle(case, self.limits)
                if case.decided:
                    continue
            return case
        return None

    # ------------------------------------------------------------------ simpler points

    def simpler(self, point: Point) -> Iterator[Point]:
        """Points with an axis shorter by one, then with one number simpler."""
        yield from self.shorter(point)
        for variable in self.evidence.loss.inputs:
            entry = point.values.get(variable.name)
            if not isinstance(entry, Array):
                continue
            kind = variable.domain.kind
            if kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
                continue
            if kind in INTEGRAL or kind in (
                DomainKind.BINARY,
                DomainKind.SIGN,
                DomainKind.MASK,
                DomainKind.BOOL,
            ):
                continue
            span = Range.of(variable.domain, self.dtype)
            for k, old in enumerate(entry.entries):
                for new in self.numbers(float(old)):
                    if new in span:
                        entries = list(entry.entries)
                        entries[k] = new
                        changed = Array(entry.shape, tuple(entries))
                        yield replace(
                            point, values={**point.values, variable.name: changed}
                        )

    def numbers(self, old: float) -> Iterator[float]:
        """Numbers that are shorter to write, the shortest first."""
        found = [*_SIMPLE]
        if math.isfinite(old):
            found += [float(f"{old:.{digits}g}") for digits in (1, 2, 3)]
        cost = _cost(old)
        for number in found:
            new = round_float(number, self.dtype)
            if _cost(new) < cost:
                yield new

    def shorter(self, point: Point) -> Iterator[Point]:
        """One entry less along each axis that is free to have any size."""
        loss = self.evidence.loss
        fixed = self.evidence.confinement.sizes
        axes = {a for v in loss.variables for a in v.axes if not a.isdecimal()}
        for axis in sorted(axes - set(fixed)):
            made = self.without(point, axis)
            if made is not None:
                yield made

    def without(self, point: Point, axis: str) -> Point | None:
        values: dict[str, Entry] = dict(point.values)
        for variable in self.evidence.loss.variables:
            entry = values.get(variable.name)
            if not isinstance(entry, Array):
                continue
            domain = variable.domain
            if domain.axis == axis and domain.kind is not DomainKind.INDEX:
                return None
            if axis not in variable.axes:
                continue
            sums = domain.kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB)
            if sums and domain.axis in (axis, None):
                return None
            extra = len(entry.shape) - len(variable.subscripted_axes)
            at = variable.axes.index(axis)
            if ELLIPSIS in variable.axes and variable.axes.index(ELLIPSIS) < at:
                at += extra - 1
            if axis == ELLIPSIS and extra != 1:
                return None
            if at >= len(entry.shape) or entry.shape[at] <= 1:
                return None
            values[variable.name] = _cut(entry, at)
        for variable in self.evidence.loss.variables:
            entry = values.get(variable.name)
            if variable.domain.axis == axis and isinstance(entry, Array):
                size = _size(self.evidence, values, axis)
                if any(int(e) >= size for e in entry.entries):
                    return None
        return replace(point, values=values)


def _size(evidence: Evidence, values: dict[str, Entry], axis: str) -> int:
    from losscodegen.judge.oracles import point_sizes

    return point_sizes(evidence.loss, Point(values=values)).get(axis, 0)


def _cost(number: float) -> tuple[int, float]:
    if number in _SIMPLE:
        return 0, float(_SIMPLE.index(number))
    return len(repr(number)), abs(number)


def _cut(array: Array, dim: int) -> Array:
    """``array`` without its last slice along ``dim``."""
    inner = math.prod(array.shape[dim + 1 :])
    size = array.shape[dim]
    kept = tuple(
        e for k, e in enumerate(array.entries) if (k // inner) % size < size - 1
    )
    return Array((*array.shape[:dim], size - 1, *array.shape[dim + 1 :]), kept)
