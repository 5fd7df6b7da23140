"""One dtype of a verification: points, the truth at each, the module and the formula on them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

from torch import Tensor

from losscodegen.ir.loss import Accuracy, Loss, Role
from losscodegen.ir.walk import inline_loss
from losscodegen.judge.accused import words_as_numbers
from losscodegen.judge.case import Case
from losscodegen.judge.certificate import Finding, Severity
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Fault, Limits
from losscodegen.judge.decided import Sides
from losscodegen.judge.findings import findings
from losscodegen.judge.mixed import mixed_error, target
from losscodegen.judge.naive import naive_loss
from losscodegen.judge.oracle_second import Sensitivities
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Truth
from losscodegen.judge.points import Confine, admitted, generator, sample
from losscodegen.judge.probes import Spread, spread, spread_of_lines
from losscodegen.judge.rim import is_tame
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.seams import Flip, flips, points_beside
from losscodegen.judge.second import (
    LOOKED_AT,
    SECOND,
    Seconds,
    worst_faults,
)
from losscodegen.judge.tally import Tally, usual
from losscodegen.judge.tensors import (
    TORCH,
    Bound,
    Function,
    Result,
    execute,
    is_pointwise,
    stacks,
)
from losscodegen.judge.variants import Variants
from losscodegen.judge.wording import format_point

PROBED_AT_MOST = 30
USUAL = 40
"""From so many points it is known what a result usually is."""
CONVINCED_AFTER = 3
"""So many errors of a kind that conditioning does not excuse are enough; the rest go unprobed."""


def naive_function(loss: Loss, dtype: Dtype) -> Function:
    """The formula as it is written, as something that runs on tensors."""
    plain = inline_loss(loss)
    return lambda bound: naive_loss(plain, words_as_numbers(loss, bound), TORCH[dtype])


def in_turn(cases: Iterable[Case]) -> list[Case]:
    """The worst of every kind of point, then the second of each.

    Beside a jump all errors are alike, and dozens that rounding explains must not hide one that
    it does not.
    """
    seen: Counter[str] = Counter()
    ranked = []
    for case in sorted(cases, key=lambda c: -c.ulp):
        ranked.append((seen[case.point.label], case))
        seen[case.point.label] += 1
    return [case for _, case in sorted(ranked, key=lambda r: r[0])]


def _shape(entry: Entry) -> tuple[int, ...] | None:
    return entry.shape if isinstance(entry, Array) else None


class Suspect(Protocol):
    """Whatever can be asked for the unreduced loss."""

    def call(self, bound: Mapping[str, Bound]) -> Tensor:
        """The unreduced loss for a value of every variable, by symbol."""


@dataclass(slots=True)
class Trial:
    """A module before the judge in one dtype."""

    loss: Loss
    accused: Suspect
    oracles: Oracles
    dtype: Dtype
    seed: int
    count: int
    limits: Limits
    confine: Confine | None = None
    """The settings of the loss that the module has, if that is not all."""
    points: list[Point] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    rejected: int = 0
    findings: list[Finding] = field(default_factory=list)
    variants: Variants = field(default_factory=Variants)
    sensitivities: Sensitivities = field(default_factory=Sensitivities)
    spreads: dict[tuple[int, bool], Spread] = field(default_factory=dict)
    sides: Sides = field(init=False)
    seams: list[Flip] = field(default_factory=list)
    """Where the formula decides, or leaves the range."""

    def __post_init__(self) -> None:
        self.sides = Sides(self.loss, self.oracles, self.dtype)

    def run(self) -> dict[str, Tally]:
        """The tallies of all orders; `findings` has what else went wrong."""
        goal = target(self.loss)
        tallies = {
            order: Tally(self.dtype, order, self.limits, goal.of(order))
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
            absolute = self.loss.accuracy is Accuracy.ABSOLUTE
            tally.name_cancellations(self.usual_there if absolute else None)
            self.excuse(tally)
            tally.errors.settle(self.measured, self.probe)
            self.findings += findings(tally)
        if is_pointwise(self.loss):
            tallies[SECOND] = self.second(goal.of(SECOND))
        return tallies

    def second(self, goal: float) -> Tally:
        """The second derivatives, which are reported alone."""
        tally = Tally(self.dtype, SECOND, self.limits, goal)
        seconds = Seconds(
            self.loss, self.oracles, self.dtype, self.limits, self.variants
        )
        naive = naive_function(self.loss, self.dtype)
        for case, error, beside, group in seconds.compare(
            self.points, self.truths, self.accused.call, naive
        ):
            tally.add(case, error, beside, group)
        tally.errors.settle(seconds.condition, seconds.probe, at_most=LOOKED_AT)
        for case in worst_faults(tally.cases):
            where = case.place(self.dtype)
            self.findings.append(
                Finding(
                    code="second-derivative",
                    severity=Severity.LOOSE,
                    message=(
                        f"second derivative by {case.variable} is {where.got}, "
                        f"should be {where.want} at {where.point}"
                    ),
                    dtype=self.dtype.value,
                    order=SECOND,
                    place=where,
                )
            )
        return tally

    # ------------------------------------------------------------------ points

    def gather(self) -> None:
        """The candidates at which there is a truth."""
        for point in self.candidates():
            truth = self.oracles(self.loss, point, self.dtype)
            if truth is not None:
                self.points.append(point)
                self.truths.append(truth)

    def candidates(self) -> list[Point]:
        """Samples, then the two sides of every decision that the formula or the module makes."""
        drawn = sample(
            self.loss,
            self.dtype,
            seed=self.seed,
            count=self.count,
            confine=self.confine,
        )
        self.rejected = drawn.rejected
        candidates = list(drawn.points)
        bases = self.bases(candidates)
        random = generator(self.loss, self.seed, f"seams {self.dtype.value}")
        for label, function in (
            ("formula", naive_function(self.loss, self.dtype)),
            ("module", self.accused.call),
        ):
            own = label == "module"
            found = flips(self.loss, function, self.dtype, bases, random, slopes=own)
            candidates += admitted(self.loss, points_beside(found, label))
            self.seams += [] if own else found
        return candidates

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

        Errors of a kind are looked at in turn until a few are beyond excuse; one is enough to
        fail, and asking for the truth around every point of a broken module takes long. Results
        that are right on the other side of a decision are counted apart.
        """
        guilty: Counter[tuple[str | None, Fault]] = Counter()
        probed: Counter[tuple[str | None, Fault]] = Counter()
        for case in in_turn(tally.cases):
            kind = case.variable, case.fault
            if guilty[kind] >= CONVINCED_AFTER or probed[kind] >= PROBED_AT_MOST:
                continue
            probed[kind] += 1
            if math.isinf(case.ulp) and case.fault is Fault.NAN:
                case.probed = True
                guilty[kind] += 1
                continue
            case.settle(self.spread(case, by_line=False), self.dtype)
            if case.fails(self.limits) and self.loss.axes:
                case.settle_by_line(self.spread(case, by_line=True), self.dtype)
            if case.fails(self.limits) and case.smooth:
                case.settle_by_sum(self.condition(case), self.dtype)
            if case.unexplained(self.limits):
                self.sides.settle(case, self.limits)
            guilty[kind] += case.fails(self.limits)
        tally.set_apart_decided()

    def probe(self, case: Case) -> float:
        """How far off a case is beside what its point and the formula's constants explain.

        Or, where it is right on another side of a decision, from what is true there.
        """
        error = case.beside(self.spread(case, by_line=False), self.dtype)
        if error > target(self.loss).of(case.order):
            twin = replace(case)
            self.sides.settle(twin, self.limits)
            if twin.decided:
                return min(error, twin.scaled)
        return error

    def spread(self, case: Case, *, by_line: bool) -> Spread:
        """The spread of a point, worked out once for all its entries."""
        key = id(case.point), by_line
        known = self.spreads
        if key not in known:
            there = self.oracles, self.loss, case.point, case.truth, self.dtype
            known[key] = (
                spread_of_lines(*there) if by_line else spread(*there, self.variants)
            )
        return known[key]

    def usual_there(self, case: Case) -> float:
        """What a result usually is with the parameters of a case.

        A weight scales the loss and what is negligible beside it. So the parameters of the case are
        put with the inputs of tame points; 0 where their shapes do not go together.
        """
        names = {v.name for v in self.loss.parameters if v.role is Role.PARAMETER}
        own = {name: case.point.values[name] for name in names}
        sizes = []
        for point in self.tame_inputs():
            if all(_shape(point.values[n]) == _shape(own[n]) for n in names):
                there = replace(point, values={**point.values, **own})
                sizes += self.sizes(there, case.variable)
        return usual(sizes) if sizes else 0.0

    def tame_inputs(self) -> list[Point]:
        """Points of which the inputs are of an ordinary size."""
        inputs = {v.name for v in self.loss.variables if v.role is not Role.PARAMETER}
        found = (
            p
            for p in self.points
            if is_tame(replace(p, values={n: p.values[n] for n in inputs}))
        )
        return list(islice(found, USUAL))

    def sizes(self, point: Point, variable: str | None) -> list[float]:
        """How large the value is, or its gradient by a variable, as far as it is a number."""
        truth = self.oracles(self.loss, point, self.dtype)
        if truth is None:
            return []
        slopes = () if variable is None else truth.gradient.get(variable, ())
        reals = truth.value if variable is None else [s.value for s in slopes]
        found = [abs(r.rounded(self.dtype)) for r in reals if r.finite]
        return [size for size in found if 0 < size < math.inf]

    def condition(self, case: Case) -> float:
        """The sum of the mixed criterion, as a binary logarithm."""
        oracle = self.oracles.at(self.loss, case.point)
        return self.sensitivities(
            oracle, case.point, case.variable, case.entry, case.truth.bits
        )

    def measured(self, case: Case) -> float:
        """The same, or the condition of the sums that a derivative is one of.

        That is asked for where it matters: for what would be beyond the target.
        """
        found = self.condition(case)
        if case.variable is None:
            return found
        goal = target(self.loss).of(case.order)
        if mixed_error(case.want, case.ulp, found, self.dtype) <= goal:
            return found
        oracle = self.oracles.at(self.loss, case.point)
        sums = self.sensitivities.of_sums(
            oracle, case.point, case.variable, case.entry, case.truth.bits
        )
        return max(found, sums)
