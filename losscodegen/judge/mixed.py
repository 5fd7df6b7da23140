"""The mixed criterion: an error beside what is to be expected of careful floating-point code.

The error of a result ``f(x)`` that should be ``want`` is measured in units of

    max(eps*|want|, eps*sum(|x*df/dx| for every entry x of every input))

which is one ulp or nearly wherever the loss is well-conditioned. The sum is what a relative change
of ``eps`` in every input makes at most. It counts at an isolated root, where the digits of the
inputs do not decide those of the result, and is as small as the result where a loss approaches
its minimum, so that cancellation there is not excused. Of ``f = sum(x)`` it is ``eps*sum(|x|)``,
which is ``eps*|want|`` times the condition number of the sum: losses over axes are measured in
the same units. For a gradient, ``f`` is that entry of the gradient, and the derivatives are a
row of the Hessian; for a second derivative they are differences of the truth at neighbours.

The derivative of a sum is itself a sum, of the derivatives of its terms, and may cancel where the
inputs are not at fault: so ``eps*sum(|dt/dx|)`` counts there, over the terms ``t`` of the sums in
which the loss is linear, and over all its values, which are added up (see `oracle_terms`).

Where a constant of the formula moves the truth further when it is off by roundings, that counts as
well (see `probes`), and so does what is true on the other side of a decision that rounding makes
(see `decided`). Results below the smallest normal number may be off by that number, as everywhere
(see `measure`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call
from losscodegen.ir.ops import OPS
from losscodegen.ir.walk import inline_loss, walk
from losscodegen.judge.case import Case
from losscodegen.judge.point import Real
from losscodegen.judge.rounding import Dtype, ulp_exponent
from losscodegen.judge.tensors import is_pointwise

Condition = Callable[[Case], float]
"""The binary logarithm of the sum; minus infinity where it is 0 or not known."""
Probe = Callable[[Case], float]
"""The error in units of what an ulp in inputs, constants and comparisons changes."""

ROUNDING = 1.0
"""Errors up to this many ulp are not looked at one by one."""
PROBED_AT_MOST = 100
"""At so many points with errors beyond the target it is asked what constants and comparisons
explain. What is true around a point is worked out once for all entries there."""
CONVINCED_AFTER = 3
"""So many that they do not explain are enough, if the worst is among them."""
NAIVE_AT_MOST = 12
"""So many errors of the naive formula are looked at, worst first: its figure is a lower bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the library is meant to reach, by order, in units of the mixed criterion."""

    value: float
    gradient: float
    second: float

    def of(self, order: str) -> float:
        return {"value": self.value, "gradient": self.gradient}.get(order, self.second)


ELEMENTARY = Target(value=4.0, gradient=8.0, second=64.0)
SPECIAL = Target(value=64.0, gradient=64.0, second=1024.0)
OVER_AXES = Target(value=32.0, gradient=32.0, second=math.inf)


def target(loss: Loss) -> Target:
    """By what the formula calls: torch computes special functions to fewer digits than others."""
    if not is_pointwise(loss):
        return OVER_AXES
    nodes = walk(inline_loss(loss).expression)
    special = any(isinstance(n, Call) and OPS[n.op].special for n in nodes)
    return SPECIAL if special else ELEMENTARY


def mixed_error(want: Real, ulp: float, condition: float, dtype: Dtype) -> float:
    """An error in ulp of ``want``, in units of the mixed criterion; at most ``ulp``.

    ``condition`` is the binary logarithm of the sum.
    """
    rounded = want.rounded(dtype)
    if not math.isfinite(ulp) or not math.isfinite(rounded):
        return ulp
    size = math.log2(abs(rounded)) if rounded else -math.inf
    unit = max(size, condition) + 1 - dtype.precision
    shift = ulp_exponent(rounded, dtype) - unit
    return ulp if shift >= 0 else ulp * 2.0 ** max(shift, -4096.0)


@dataclass(slots=True)
class Errors:
    """The errors of one order in one dtype, of the module and of the formula as typed."""

    dtype: Dtype
    target: float
    judged: int = 0
    rough: list[Case] = field(default_factory=list)
    naive_rough: list[Case] = field(default_factory=list)
    hardest: Case | None = None
    """The worst by the mixed criterion; of those that are off by no more than a rounding, the worst
    in ulp."""
    beyond: int = 0
    whole: float = 0.0
    """The worst where an entry is held beside the largest of its tensor."""
    naive_worst: float = 0.0

    def add(self, case: Case, *, naive: bool) -> None:
        """Takes in an entry that is judged; ``naive`` says whether its naive error counts."""
        self.judged += 1
        if case.ulp > ROUNDING:
            self.rough.append(case)
        elif case.ulp > self.worst:
            case.mixed, self.hardest = case.ulp, case
        if naive and case.naive_ulp > ROUNDING:
            self.naive_rough.append(case)
        elif naive:
            self.naive_worst = max(self.naive_worst, case.naive_ulp)

    def settle(
        self, condition: Condition, probe: Probe, *, at_most: int | None = None
    ) -> None:
        """Looks at the errors, worst first, until none is left that could change a figure.

        With ``at_most`` no more than so many are looked at, and all others count as beyond the
        target if they are by their ulp.
        """
        self.rough.sort(key=lambda c: -c.ulp)
        most = len(self.rough) if at_most is None else at_most
        looked: list[Case] = [] if self.hardest is None else [self.hardest]
        worst, seen, convinced = self.worst, 0, 0
        asked: set[int] = set()
        while True:
            while seen < min(most, len(self.rough)):
                case = self.rough[seen]
                if case.ulp <= min(self.target, worst):
                    break
                case.mixed = min(self._error(case, condition), case.scaled)
                worst, seen = max(worst, case.mixed), seen + 1
                looked.append(case)
            hardest = max(looked, key=lambda c: c.mixed, default=None)
            if hardest is None or hardest.mixed <= self.target:
                break
            certain = hardest.asked or hardest.probed or math.isinf(hardest.mixed)
            if convinced >= CONVINCED_AFTER and certain:
                break
            beyond = [
                c
                for c in looked
                if self.target < c.mixed < math.inf and not (c.probed or c.asked)
                if len(asked) < PROBED_AT_MOST or id(c.point) in asked
            ]
            if not beyond:
                break
            case = max(beyond, key=lambda c: c.mixed)
            asked.add(id(case.point))
            case.mixed, case.asked = min(case.mixed, probe(case)), True
            convinced += case.mixed > self.target
            worst = max(c.mixed for c in looked)
        self.hardest = hardest
        self.whole = max((c.as_whole(self.dtype) for c in looked), default=0.0)
        self.beyond = sum(c.mixed > self.target for c in looked)
        self.beyond += sum(c.ulp > self.target for c in self.rough[seen:])
        self._settle_naive(condition)

    def _settle_naive(self, condition: Condition) -> None:
        self.naive_rough.sort(key=lambda c: -c.naive_ulp)
        for case in self.naive_rough[:NAIVE_AT_MOST]:
            if case.naive_ulp <= self.naive_worst:
                break
            typed = replace(case, got=case.naive, ulp=case.naive_ulp)
            self.naive_worst = max(self.naive_worst, self._error(typed, condition))

    @property
    def worst(self) -> float:
        return 0.0 if self.hardest is None else self.hardest.mixed

    @property
    def roughest(self) -> Case | None:
        """The entry that is furthest off in ulp; None if none is off by more than a rounding."""
        return self.rough[0] if self.rough else None

    def _error(self, case: Case, condition: Condition) -> float:
        if math.isinf(case.ulp) or not case.smooth:
            return case.ulp
        return mixed_error(case.want, case.ulp, condition(case), self.dtype)
