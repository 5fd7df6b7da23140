"""What is measured of a module that is wrong, for `losscodegen.judge.diagnoses` to judge by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.judge.case import Case
from losscodegen.judge.certificate import Finding
from losscodegen.judge.criterion import Measure, measure_slope
from losscodegen.judge.foreign import Foreign
from losscodegen.judge.foreign_batches import BatchRecord
from losscodegen.judge.foreign_confinement import Confinement
from losscodegen.judge.foreign_trace import Trace, trace
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Truth
from losscodegen.judge.points import admitted
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.tensors import DIFFERENTIABLE, Result, execute

WRONG = 1e-7
"""A relative error that is not rounding in float64."""
LOOKED_AT = 8
"""So many failing cases are looked at more closely."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A case that fails, and in which dtype."""

    dtype: Dtype
    case: Case

    @property
    def finite(self) -> bool:
        return math.isfinite(self.case.got)


def relative_error(failing: Failing) -> float:
    """The error relative to the truth, or to what a slope there would usually be."""
    want = failing.case.want.rounded(failing.dtype)
    size = max(abs(want), failing.case.local_scale(failing.dtype), 1e-300)
    return abs(failing.case.got - want) / size


@dataclass(frozen=True, slots=True)
class Record:
    """The module in float64 at a tame point, beside the truth."""

    point: Point
    truth: Truth
    result: Result

    @property
    def want(self) -> tuple[float, ...]:
        return tuple(v.rounded(Dtype.FLOAT64) for v in self.truth.value)

    @property
    def got(self) -> tuple[float, ...]:
        return self.result.value

    @property
    def slopes(self) -> Iterator[tuple[str, float, float]]:
        """Variable, got, want for every entry of the gradient that is no kink."""
        for name, found in self.result.gradient.items():
            for got, slope in zip(
                found, self.truth.gradient.get(name, ()), strict=False
            ):
                want = slope.value.rounded(Dtype.FLOAT64)
                if not slope.kink and math.isfinite(want):
                    yield name, got, want

    @property
    def beyond_hull(self) -> bool:
        """Whether a slope at a kink is none that any convention could give."""
        for name, found in self.result.gradient.items():
            slopes = self.truth.gradient.get(name, ())
            for got, slope in zip(found, slopes, strict=False):
                if not slope.kink or slope.jump:
                    continue
                error = measure_slope(slope, got, Dtype.FLOAT64)
                if (
                    isinstance(error, Measure)
                    and error.ulp * Dtype.FLOAT64.epsilon > WRONG
                ):
                    return True
        return False


def differs(got: float, want: float, size: float = 0.0) -> bool:
    """Whether two numbers differ by more than rounding does in float64."""
    if math.isnan(want):
        return False
    if not math.isfinite(got) or not math.isfinite(want):
        return got != want
    return abs(got - want) > WRONG * max(abs(want), size, 1e-30)


@dataclass(kw_only=True)
class Evidence:
    """Everything that a diagnosis may look at."""

    loss: Loss
    foreign: Foreign
    oracles: Oracles
    confinement: Confinement
    failing: Sequence[Failing]
    findings: Sequence[Finding]
    tame: Sequence[Point]
    batches: Sequence[BatchRecord] = ()
    state: str = ""
    """What changes when the module is called again; empty if nothing does."""

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The module at tame points in float64; points where it raises are left out."""
        points = list(self.tame)
        results = execute(self.loss, points, self.foreign.call, Dtype.FLOAT64)
        found = []
        for point, result in zip(points, results, strict=True):
            truth = self.oracles(self.loss, point, Dtype.FLOAT64)
            if truth is None or result.error is not None:
                continue
            if len(result.value) == len(truth.value):
                found.append(Record(point, truth, result))
        return tuple(found)

    @cached_property
    def sample(self) -> tuple[Failing, ...]:
        """Some of the failing cases, as different as can be."""
        kinds: dict[tuple[object, ...], Failing] = {}
        tame = [f for f in self.failing if f.case.tame]
        for f in tame or self.failing:
            key = (
                f.dtype,
                f.case.order,
                f.case.variable,
                f.case.fault,
                f.case.point.label,
            )
            kinds.setdefault(key, f)
        found = list(kinds.values())
        step = max(1, len(found) // LOOKED_AT)
        return tuple(found[::step][:LOOKED_AT])

    def trace(self, failing: Failing) -> Trace:
        """What the module computes where it fails."""
        key = (id(failing.case.point), failing.dtype)
        if key not in self._traces:
            self._traces[key] = trace(
                self.loss, failing.case.point, self.foreign.call, failing.dtype
            )
        return self._traces[key]

    @cached_property
    def _traces(self) -> dict[tuple[int, Dtype], Trace]:
        return {}

    @cached_property
    def value_wrong(self) -> bool:
        """Whether a value fails anywhere, as opposed to gradients alone."""
        return any(f.case.order == "value" for f in self.failing)

    @cached_property
    def wrong_records(self) -> tuple[Record, ...]:
        """The records at which the value is wrong."""
        size = self.usual
        return tuple(
            r
            for r in self.records
            if any(differs(g, w, size) for g, w in zip(r.got, r.want, strict=True))
        )

    @cached_property
    def usual(self) -> float:
        """A usual size of the loss, times what rounding may leave of it."""
        sizes = sorted(abs(w) for r in self.records for w in r.want if math.isfinite(w))
        return 1e-6 * sizes[len(sizes) // 2] if sizes else 0.0

    # ------------------------------------------------------------------ probes

    def right_at(self, point: Point, *, rtol: float = 1e-6) -> bool | None:
        """Whether value and gradient are right in float64 there; None if there is no truth."""
        if not admitted(self.loss, [point]):
            return None
        truth = self.oracles(self.loss, point, Dtype.FLOAT64)
        (result,) = execute(self.loss, [point], self.foreign.call, Dtype.FLOAT64)
        if truth is None:
            return None
        if result.error is not None or len(result.value) != len(truth.value):
            return False
        record = Record(point, truth, result)
        if record.beyond_hull:
            return False
        pairs = [*zip(record.got, record.want, strict=True)]
        pairs += [(got, want) for _, got, want in record.slopes]
        finite = [(g, w) for g, w in pairs if math.isfinite(w)]
        size = max((abs(w) for _, w in finite), default=0.0)
        return all(
            abs(g - w) <= rtol * max(abs(w), 1e-3 * size, 1e-12) for g, w in finite
        )

    def nudged(self, point: Point, by: float, seed: int) -> Point:
        """``point`` with every number moved a little, inside its domain."""
        values: dict[str, Entry] = dict(point.values)
        signs = itertools.cycle(
            (1, -1, 1, 1, -1, -1, 1) if seed % 2 else (-1, 1, -1, -1, 1)
        )
        for variable in self.loss.inputs:
            entry = values.get(variable.name)
            if variable.domain.kind not in DIFFERENTIABLE or not isinstance(
                entry, Array
            ):
                continue
            if variable.domain.kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
                continue
            span = Range.of(variable.domain, Dtype.FLOAT64)
            moved = []
            for k, e in enumerate(entry.entries):
                amount = (
                    by * max(abs(float(e)), 1.0) * (1 + 0.1 * (k % 5) + 0.03 * seed)
                )
                here = float(e) + next(signs) * amount
                moved.append(
                    here if here in span else span.near(float(e) - (here - float(e)))
                )
            values[variable.name] = Array(entry.shape, tuple(moved))
        return replace(point, values=values)

    def flips(self) -> Iterator[tuple[str, ...]]:
        """The sets of variables whose sign can be changed, the smallest first."""
        signed = (DomainKind.REAL, DomainKind.SIGN)
        names = [
            v.name
            for v in self.loss.variables
            if v.domain.kind in signed
            and v.domain.interval is None
            and self.foreign.plan.argument(v.name) is not None
            and self.foreign.plan.argument(v.name) not in self.foreign.plan.init
        ][:5]
        for size in range(len(names) + 1):
            yield from itertools.combinations(names, size)

    def flipped(self, point: Point, names: Sequence[str]) -> Point:
        values: dict[str, Entry] = dict(point.values)
        for name in names:
            entry = values.get(name)
            if isinstance(entry, Array):
                values[name] = Array(entry.shape, tuple(-e for e in entry.entries))
            elif isinstance(entry, float | int) and not isinstance(entry, bool):
                values[name] = -entry
        return replace(point, values=values)

    def values(self, points: Sequence[Point]) -> list[tuple[float, ...] | None]:
        """The module's values in float64; None where it raises."""
        results = execute(self.loss, points, self.foreign.call, Dtype.FLOAT64)
        return [None if r.error is not None else r.value for r in results]


def isolated(evidence: Evidence, failing: Failing) -> bool | None:
    """Whether the error is at a point and not around it, in float64; None if it is not there."""
    point = failing.case.point
    if evidence.right_at(point) is not False:
        return None
    near = [evidence.right_at(evidence.nudged(point, 1e-3, k)) for k in range(3)]
    return all(n is not False for n in near) and any(near)
