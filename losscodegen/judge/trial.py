"""One dtype of a verification: points, the truth at each, the module and the formula on them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.ir.walk import inline_loss
from losscodegen.judge.accused import Accused, words_as_numbers
from losscodegen.judge.certificate import Culprit, Finding, Severity
from losscodegen.judge.criterion import Fault, Limits
from losscodegen.judge.naive import naive_loss
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Point, Truth
from losscodegen.judge.points import admitted, generator, sample
from losscodegen.judge.probes import Spread, spread, spread_of_lines
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.seams import boundaries
from losscodegen.judge.tally import Case, Tally, compare
from losscodegen.judge.tensors import (
    TORCH,
    Function,
    Result,
    execute,
    is_pointwise,
    stacks,
)
from losscodegen.judge.variants import Variants
from losscodegen.judge.wording import format_point

PROBED_AT_MOST = 30
CONVINCED_AFTER = 3
"""So many errors of a kind that conditioning does not excuse are enough; the rest go unprobed."""


class Oracles:
    """The truth, with a compiled oracle kept for every combination of sizes."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, tuple[tuple[str, int], ...]], Oracle] = {}
        self.losses: dict[int, Loss] = {}

    def __call__(self, loss: Loss, point: Point, dtype: Dtype) -> Truth | None:
        return self.at(loss, point).truth(point, dtype)

    def at(self, loss: Loss, point: Point) -> Oracle:
        """The oracle for the sizes of a point."""
        sizes = point_sizes(loss, point)
        key = (id(loss), tuple(sorted(sizes.items())))
        if key not in self.kept:
            # Holding on to the loss keeps its id from being given to another.
            self.losses[id(loss)] = loss
            self.kept[key] = Oracle(loss, sizes)
        return self.kept[key]

    def values(self, loss: Loss, point: Point) -> tuple[float, ...]:
        """The entries of the unreduced loss in double precision, without their gradients."""
        found = self.at(loss, point).evaluate(loss.expression, point)
        return tuple(v.rounded(Dtype.FLOAT64) for v in found.entries)


def point_sizes(loss: Loss, point: Point) -> dict[str, int]:
    """The size of every named axis at a point."""
    sizes: dict[str, int] = {}
    for variable in loss.variables:
        array = point.values.get(variable.name)
        if not isinstance(array, Array) or not variable.subscripted_axes:
            continue
        axes, shape = variable.axes, array.shape
        if ELLIPSIS in axes:
            at = axes.index(ELLIPSIS)
            rest = len(axes) - at - 1
            shape = shape[:at] + shape[len(shape) - rest :]
        for axis, size in zip(variable.subscripted_axes, shape, strict=True):
            if not axis.isdecimal():
                sizes[axis] = size
    return sizes


def naive_function(loss: Loss, dtype: Dtype) -> Function:
    """The formula as it is written, as something that runs on tensors."""
    plain = inline_loss(loss)
    return lambda bound: naive_loss(plain, words_as_numbers(loss, bound), TORCH[dtype])


@dataclass(slots=True)
class Trial:
    """A module before the judge in one dtype."""

    loss: Loss
    accused: Accused
    oracles: Oracles
    dtype: Dtype
    seed: int
    count: int
    limits: Limits
    points: list[Point] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    rejected: int = 0
    findings: list[Finding] = field(default_factory=list)
    variants: Variants = field(default_factory=Variants)

    def run(self) -> dict[str, Tally]:
        """The tallies of both orders; `findings` has what else went wrong."""
        tallies = {
            order: Tally(self.dtype, order, self.limits)
            for order in ("value", "gradient")
        }
        self.gather()
        ours = execute(self.loss, self.points, self.accused.call, self.dtype)
        naive = execute(
            self.loss, self.points, naive_function(self.loss, self.dtype), self.dtype
        )
        for k, point in enumerate(self.points):
            if not self.well_formed(point, self.truths[k], ours[k]):
                continue
            for order, case, error, beside, group in compare(
                point, self.truths[k], ours[k], naive[k], self.dtype, self.limits
            ):
                tallies[order].add(case, error, beside, group)
        for tally in tallies.values():
            tally.name_cancellations()
            self.excuse(tally)
            self.findings += self.found(tally)
        return tallies

    # ------------------------------------------------------------------ points

    def gather(self) -> None:
        """Samples, then the two sides of every decision that the formula or the module makes."""
        drawn = sample(self.loss, self.dtype, seed=self.seed, count=self.count)
        self.rejected = drawn.rejected
        candidates = list(drawn.points)
        bases = self.bases(candidates)
        random = generator(self.loss, self.seed, f"seams {self.dtype.value}")
        for label, function in (
            ("formula", naive_function(self.loss, self.dtype)),
            ("module", self.accused.call),
        ):
            found = boundaries(
                self.loss,
                function,
                self.dtype,
                bases,
                random,
                label=label,
                slopes=label == "module",
            )
            candidates += admitted(self.loss, found)
        for point in candidates:
            truth = self.oracles(self.loss, point, self.dtype)
            if truth is not None:
                self.points.append(point)
                self.truths.append(truth)

    def bases(self, points: Sequence[Point]) -> list[Point]:
        """Tame points of one setting, from which paths are laid."""
        tame = [
            p
            for p in points
            if p.label in ("typical", "linear", "one", "normal", "wide", "ties")
        ]
        if not is_pointwise(self.loss):
            return tame[:4]
        if not tame:
            return []
        first = stacks(self.loss, tame)[0]
        zeros = [p for p in points if p.label.startswith("edge")]
        return [tame[k] for k in first.places][:7] + zeros[:1]

    # ------------------------------------------------------------------ results

    def well_formed(self, point: Point, truth: Truth, result: Result) -> bool:
        """Whether there is a result to judge; what is wrong with it is found once."""
        if result.error is not None:
            code, message = "raises", f"raises {result.error}"
        elif result.shape != truth.shape:
            code = "wrong-shape"
            message = f"gives the shape {result.shape}, expected {truth.shape}"
        elif result.dtype != self.dtype.value:
            code = "wrong-dtype"
            message = f"gives {result.dtype} for inputs in {self.dtype.value}"
        else:
            return True
        if all(f.code != code for f in self.findings):
            self.findings.append(
                Finding(
                    code=code,
                    severity=Severity.FAILURE,
                    message=f"{message} at {format_point(point)}",
                    dtype=self.dtype.value,
                )
            )
        return False

    def excuse(self, tally: Tally) -> None:
        """Settles how much of each large error the conditioning of its point explains.

        Errors of a kind are looked at worst first until a few are beyond excuse; one is enough to
        fail, and asking for the truth around every point of a broken module takes long.
        """
        known: dict[tuple[int, bool], Spread] = {}
        guilty: Counter[tuple[str | None, Fault]] = Counter()
        probed: Counter[tuple[str | None, Fault]] = Counter()
        for case in sorted(tally.cases, key=lambda c: -c.ulp):
            kind = case.variable, case.fault
            if guilty[kind] >= CONVINCED_AFTER or probed[kind] >= PROBED_AT_MOST:
                continue
            probed[kind] += 1
            if math.isinf(case.ulp) and case.fault is Fault.NAN:
                case.probed = True
                guilty[kind] += 1
                continue
            case.settle(self.spread(case, known, by_line=False), self.dtype)
            if case.fails(self.limits) and self.loss.axes:
                case.settle_by_line(self.spread(case, known, by_line=True), self.dtype)
            guilty[kind] += case.fails(self.limits)

    def spread(
        self, case: Case, known: dict[tuple[int, bool], Spread], *, by_line: bool
    ) -> Spread:
        """The spread of a point, worked out once for all its entries."""
        key = id(case.point), by_line
        if key not in known:
            there = self.oracles, self.loss, case.point, case.truth, self.dtype
            known[key] = (
                spread_of_lines(*there) if by_line else spread(*there, self.variants)
            )
        return known[key]

    def found(self, tally: Tally) -> Iterator[Finding]:
        """One finding per variable and kind of error, each with the worst point."""
        for severity, cases in (
            (Severity.FAILURE, tally.failures()),
            (Severity.LOOSE, tally.loose()),
        ):
            groups: dict[tuple[str | None, Fault], list[Case]] = defaultdict(list)
            for case in cases:
                groups[case.variable, case.fault].append(case)
            for (variable, fault), members in groups.items():
                worst = members[0]
                where = worst.place(self.dtype)
                what = "value" if variable is None else f"gradient by {variable}"
                yield Finding(
                    code=_CODES[fault] if severity is Severity.FAILURE else "loose",
                    severity=severity,
                    message=(
                        f"{what} is {where.got}, should be {where.want} "
                        f"({_ulps(worst.ulp)}) at {where.point}"
                        + (f", and at {len(members) - 1} more" * (len(members) > 1))
                    ),
                    dtype=self.dtype.value,
                    order=tally.order,
                    place=where,
                    culprit=(
                        worst.culprit(self.limits)
                        if severity is Severity.FAILURE
                        else Culprit.NOBODY
                    ),
                )


_CODES = {
    Fault.NAN: "wrong-nan",
    Fault.INFINITE: "wrong-infinity",
    Fault.ZERO: "wrong-zero",
    Fault.DIGITS: "wrong-digits",
    Fault.CANCELLATION: "cancellation",
}


def _ulps(ulp: float) -> str:
    return f"{ulp:.3g} ulp off"
