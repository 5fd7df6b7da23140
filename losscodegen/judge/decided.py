"""Results that are right on the other side of a decision that rounding makes (see `oracle_near`).

Beside a kink or a jump two results are right: the exact one, and what is true on the other side, if
rounding may take a program there. A result in between is not, nor is NaN. What is right this way
alone is counted as a class of its own and told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from losscodegen.ir.loss import Loss
from losscodegen.judge.case import Case
from losscodegen.judge.criterion import (
    Limits,
    Measure,
    Skip,
    measure,
    measure_slope,
)
from losscodegen.judge.oracle_hull import hull_of
from losscodegen.judge.oracle_lane import next_bits
from losscodegen.judge.oracle_sides import Choice, choices, truth_of
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Slope, Truth
from losscodegen.judge.probes import around, spread_among
from losscodegen.judge.rounding import Dtype


@dataclass(slots=True)
class Side:
    """What is true at a point where some decisions are made otherwise."""

    choice: Choice
    truth: Truth
    moved: list[Truth] | None = None
    """The same at points that are an ulp away, once somebody has asked for it."""
    values: tuple[Slope, ...] = ()
    """The ends of the values, where there are too many sides to try each (see `oracle_hull`)."""


@dataclass(slots=True)
class Sides:
    """The other sides of the points of a loss in one dtype, each worked out once."""

    loss: Loss
    oracles: Oracles
    dtype: Dtype
    kept: dict[int, tuple[Point, list[Side]]] = field(default_factory=dict)

    def settle(self, case: Case, limits: Limits) -> None:
        """Marks a case that is right on another side; its error is then the error there."""
        if math.isnan(case.got):
            return
        for side in self._at(case):
            error = self._error(case, side, limits)
            if error is not None:
                case.decided, case.scaled = True, error
                return

    def _at(self, case: Case) -> list[Side]:
        point = case.point
        if id(point) not in self.kept:
            oracle = self.oracles.at(self.loss, point)
            bits = case.truth.bits
            tried, more = choices(oracle, point, self.dtype, bits), next_bits(bits)
            if tried is None:
                truth, values = hull_of(oracle, point, self.dtype, bits)
                found = [Side({}, truth, values=values)]
            else:
                truths = (truth_of(oracle, point, c, self.dtype, more) for c in tried)
                found = [Side(c, t) for c, t in zip(tried, truths, strict=True)]
            # Holding on to the point keeps its id from being given to another.
            self.kept[id(point)] = point, found
        return self.kept[id(point)][1]

    def _error(self, case: Case, side: Side, limits: Limits) -> float | None:
        """The error beside what the conditioning there explains; None if it is too large."""
        if case.variable is None:
            want = side.truth.value[case.entry]
            found = (
                measure_slope(side.values[case.entry], case.got, self.dtype)
                if side.values
                else measure(want, case.got, self.dtype)
            )
        else:
            slope = side.truth.gradient[case.variable][case.entry]
            want = slope.value
            found = measure_slope(slope, case.got, self.dtype)
        if not isinstance(found, Measure):
            # On the kink itself there may be no value. Any number is as good as none.
            right = found is Skip.UNDEFINED and math.isfinite(case.got)
            return 0.0 if right else None
        if found.ulp <= limits.fails(case.order):
            return found.ulp
        width = self._width(case, side)
        there = replace(case, truth=side.truth, want=want, ulp=found.ulp)
        error = there.in_units_of(width, self.dtype)
        return error if error <= limits.scaled else None

    def _width(self, case: Case, side: Side) -> float:
        """How far inputs that are an ulp off move the result there."""
        if side.moved is None:
            oracle, bits = self.oracles.at(self.loss, case.point), side.truth.bits
            side.moved = [
                (
                    hull_of(oracle, p, self.dtype, bits)[0]
                    if side.values
                    else truth_of(oracle, p, side.choice, self.dtype, bits)
                )
                for p in around(self.loss, case.point, self.dtype)
            ]
        return case.width(spread_among(side.truth, side.moved, self.dtype))
