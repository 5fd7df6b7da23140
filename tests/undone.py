"""What undoing a guard does: where the module without it is wrong and the module with it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from losscodegen.compiler.branches import GUARDS
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.certificate import Severity, Status
from losscodegen.judge.check import one_thread, verify
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Limits, Measure, measure, measure_slope
from losscodegen.judge.criterion import scaled_error as scaled
from losscodegen.judge.mixed import mixed_error
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Real, Truth
from losscodegen.judge.points import admitted, generator, sample
from losscodegen.judge.probes import spread
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.samplers import Range
from losscodegen.judge.second import Seconds
from losscodegen.judge.tally import Tally
from losscodegen.judge.tensors import Result, execute, is_pointwise
from losscodegen.judge.trial import Trial
from losscodegen.judge.variants import Variants
from losscodegen.language.parse import load_losses
from losscodegen.pipeline import compile_expressions, generate

DTYPES = (Dtype.FLOAT32, Dtype.FLOAT64)


class Remembering(Oracles):
    """Two modules are asked about the same points: each truth is worked out once."""

    def __init__(self) -> None:
        super().__init__()
        self.truths: dict[object, Truth | None] = {}

    def __call__(self, loss: Loss, point: Point, dtype: Dtype) -> Truth | None:
        key = id(loss), dtype, repr(sorted(point.values.items()))
        if key not in self.truths:
            self.truths[key] = super().__call__(loss, point, dtype)
        return self.truths[key]


@dataclass
class Case:
    """A spec whose guards are undone, one at a time."""

    spec: Path
    oracles: Remembering = field(default_factory=Remembering)

    def __post_init__(self) -> None:
        self.losses = load_losses(self.spec)
        self.source = cache(lambda names: generate(self.spec, without=names).text)

    def guards(self) -> list[str]:
        """The rules that left a guard in the module."""
        found = {
            guard.rule: None
            for loss in self.losses
            for guard in compile_expressions(loss).program.guards
        }
        return list(found)

    def pairs(self, rule: str) -> Iterator[tuple[str, str]]:
        """A module without the guard, and the same with it.

        Where a rule is undone, a guard of branches may stand in for it. So the two are compared
        once more without those, lest two guards for one fault both seem to be needless.
        """
        rest = GUARDS - {rule}
        for without in (frozenset[str](), rest):
            undone, guarded = self.source(without | {rule}), self.source(without)
            if _code(undone) != _code(guarded):
                yield undone, guarded
            if others := self._instead(without, rule):
                yield self.source(without | others | {rule}), guarded

    def _instead(self, without: frozenset[str], rule: str) -> frozenset[str]:
        """The guards that stand in for ``rule`` once it is undone, and those that do for them."""
        before = _guards(self.source(without))
        others: frozenset[str] = frozenset()
        while new := _guards(self.source(without | others | {rule})) - before - others:
            others |= new
        return others

    def shown(self, rule: str, points: int) -> str | None:
        """What the check finds in the module without the guard and not in the one with it."""
        with one_thread():
            for undone, guarded in self.pairs(rule):
                for loss in self.losses:
                    for fault in self._faults(loss, undone, guarded, points):
                        return fault
            for undone, guarded in self.pairs(rule):
                for loss in self.losses:
                    for fault in self._bends(loss, undone, guarded, points):
                        return fault
            for undone, guarded in self.pairs(rule):
                for loss in self.losses:
                    if new := _claims(loss, undone) - _claims(loss, guarded):
                        return min(new)
        return None

    def _faults(
        self, loss: Loss, undone: str, guarded: str, points: int
    ) -> Iterator[str]:
        """Errors that fail a strict check, at places where the guarded module is right."""
        for dtype in DTYPES:
            limits = Limits().within(dtype)
            trial = self._trial(loss, undone, dtype, points)
            wrong = execute(loss, trial.points, trial.accused.call, dtype)
            right = execute(loss, trial.points, Accused.load(loss, guarded).call, dtype)
            orders = ("value", "gradient")
            tallies = {order: Tally(dtype, order, limits) for order in orders}
            for k, (point, truth) in enumerate(
                zip(trial.points, trial.truths, strict=True)
            ):
                if not trial.well_formed(point, truth, wrong[k]):
                    yield trial.findings[0].message
                    return
                for order, case, error, beside, group in compare(
                    point, truth, wrong[k], right[k], dtype, limits
                ):
                    tallies[order].add(case, error, beside, group)
            for order, tally in tallies.items():
                tally.name_cancellations()
                # The guarded module stands where the naive formula does in a check.
                fine = limits.fails(order)
                tally.cases = [c for c in tally.cases if c.naive_ulp <= fine]
                trial.excuse(tally)
                for case in tally.failures():
                    where = f"{dtype.value}, {case.fault.value} at {case.point.label}"
                    yield f"{order} by {case.variable}, {where}"

    def _bends(
        self, loss: Loss, undone: str, guarded: str, points: int
    ) -> Iterator[str]:
        """Second derivatives that are wrong where those of the guarded module are right."""
        if not is_pointwise(loss):
            return
        for dtype in DTYPES:
            limits = Limits().within(dtype)
            trial = self._trial(loss, undone, dtype, points)
            seconds = Seconds(loss, self.oracles, dtype, limits, Variants())
            right = Accused.load(loss, guarded).call
            for case, one, other, _ in seconds.compare(
                trial.points, trial.truths, trial.accused.call, right
            ):
                if not _worse(one, other, limits.gradient):
                    continue
                error = mixed_error(case.want, case.ulp, seconds.condition(case), dtype)
                if error > limits.scaled:
                    at = f"{dtype.value} at {case.point.label}"
                    yield f"second derivative by {case.variable}, {at}"

    def _trial(self, loss: Loss, source: str, dtype: Dtype, points: int) -> Trial:
        """A module with its points and the truth there."""
        trial = Trial(
            loss=loss,
            accused=Accused.load(loss, source),
            oracles=self.oracles,
            dtype=dtype,
            seed=0,
            count=points,
            limits=Limits().within(dtype),
        )
        trial.gather()
        return trial

    def shown_far_out(self, rule: str, points: int) -> str | None:
        """As `shown`, at points that no check holds against a module.

        Their numbers may be at the ends of the format, their parameters anywhere in their domain.
        """
        with one_thread():
            for undone, guarded in self.pairs(rule):
                for loss in self.losses:
                    for dtype in DTYPES:
                        at = _far_out(loss, dtype, points)
                        wrong, right = (
                            execute(loss, at, Accused.load(loss, text).call, dtype)
                            for text in (undone, guarded)
                        )
                        for point, one, other in zip(at, wrong, right, strict=True):
                            if one.error or other.error or _alike(one, other, dtype):
                                continue
                            if fault := self._compared(loss, point, one, other, dtype):
                                return f"{fault}, {dtype.value} at {point.label}"
        return None

    def _compared(
        self, loss: Loss, point: Point, wrong: Result, right: Result, dtype: Dtype
    ) -> str | None:
        limits = Limits().within(dtype)
        truth = self.oracles(loss, point, dtype)
        if truth is None:
            return None
        found: list[tuple[str | None, int, Real, float, Measure]] = []
        for k, want in enumerate(truth.value):
            one = measure(want, wrong.value[k], dtype)
            other = measure(want, right.value[k], dtype)
            if _worse(one, other, limits.value) and isinstance(one, Measure):
                found.append((None, k, want, wrong.value[k], one))
        for name in truth.gradient.keys() & wrong.gradient.keys():
            for k, slope in enumerate(truth.gradient[name]):
                got = wrong.gradient[name][k]
                one = measure_slope(slope, got, dtype)
                other = measure_slope(slope, right.gradient[name][k], dtype)
                if _worse(one, other, limits.gradient) and isinstance(one, Measure):
                    found.append((name, k, slope.value, got, one))
        if not found:
            return None
        width = spread(self.oracles, loss, point, truth, dtype, Variants())
        for variable, k, want, got, error in found:
            change = (width.gradient[variable] if variable else width.value)[k]
            if scaled(want, got, change, error.ulp, dtype) > limits.scaled:
                return f"gradient by {variable}" if variable else "value"
        return None


def _guards(source: str) -> frozenset[str]:
    return frozenset(re.findall(r"# Guard \[([a-z0-9-]+)\]", source))


def _worse(one: object, other: object, limit: float) -> bool:
    return (
        isinstance(one, Measure)
        and isinstance(other, Measure)
        and one.ulp > limit
        and other.ulp <= limit / 4
    )


def _far_out(loss: Loss, dtype: Dtype, count: int) -> list[Point]:
    """Points as they are sampled, and as many with their parameters somewhere else."""
    near = list(sample(loss, dtype, count=count).points)
    random = generator(loss, 0, f"far out {dtype.value}")
    far = []
    for point in near:
        values = dict(point.values)
        for variable in loss.parameters:
            number = values[variable.name]
            if variable.scalar and isinstance(number, float) and random.random() < 0.7:
                moved = (number or 1.0) * 10.0 ** random.uniform(-9.0, 9.0)
                if moved in Range.of(variable.domain, dtype):
                    values[variable.name] = moved
        if values != point.values:
            far.append(replace(point, values=values, label=f"far out, {point.label}"))
    return near + admitted(loss, far)


def _alike(one: Result, other: Result, dtype: Dtype) -> bool:
    """Whether two results differ by no more than roundings; spares asking for the truth."""
    numbers = zip(
        (*one.value, *(g for name in one.gradient for g in one.gradient[name])),
        (*other.value, *(g for name in one.gradient for g in other.gradient[name])),
        strict=True,
    )
    return all(
        a == b or math.isnan(b) or abs(a - b) <= 100 * dtype.epsilon * abs(b)
        for a, b in numbers
    )


def _claims(loss: Loss, source: str) -> set[str]:
    """The laws, examples and the like that a module does not keep."""
    found = verify(loss, source, dtypes=())
    failed = {c.text for c in found.claims if c.status is Status.FAILED}
    return failed | {f.code for f in found.findings if f.severity is Severity.FAILURE}


def _code(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))
