"""One entry of a result, beside what it should be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from losscodegen.judge.certificate import Culprit, Place, Severity, tidy
from losscodegen.judge.criterion import Fault, Limits, scaled_error
from losscodegen.judge.point import Array, Point, Real, Truth
from losscodegen.judge.probes import Spread
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.wording import format_number, format_point


@dataclass(slots=True)
class Case:
    """One entry of the value or of a gradient that is worth a second look."""

    point: Point
    truth: Truth
    order: str
    variable: str | None
    entry: int
    want: Real
    got: float
    ulp: float
    fault: Fault
    naive: float
    naive_ulp: float
    naive_value_ulp: float
    tame: bool
    """Whether all inputs are of an ordinary size."""
    smooth: bool = True
    """False at a kink, where the error is the distance to a hull."""
    scaled: float = math.inf
    by_line: float = math.inf
    """As ``scaled``, with inputs that are right by line and not by entry."""
    probed: bool = False
    decided: bool = False
    """Whether it is right on another side of a decision that rounding makes."""
    group: str = ""
    """The class in which it is counted."""
    mixed: float = math.inf
    """The error by the mixed criterion, once somebody has asked for it."""
    asked: bool = False
    """Whether constants and comparisons have had their say in ``mixed``."""

    def settle(self, spread: Spread, dtype: Dtype) -> None:
        """Takes in how much the conditioning of the point explains."""
        self.probed = True
        self.scaled = self.beside(spread, dtype)

    def settle_by_line(self, spread: Spread, dtype: Dtype) -> None:
        self.by_line = self.beside(spread, dtype)

    def settle_by_sum(self, condition: float, dtype: Dtype) -> None:
        """Takes in how far all inputs together move a result, by the first derivatives.

        A few probes may all miss how far a sine of a large number swings.
        """
        exponent = min(condition + 1 - dtype.precision, float(dtype.top))
        width = 2.0**exponent if exponent > dtype.bottom else 0.0
        self.scaled = min(self.scaled, self.in_units_of(width, dtype))

    def beside(self, spread: Spread, dtype: Dtype) -> float:
        """The error in units of a spread; at a kink that from the nearer end."""
        return self.in_units_of(self.width(spread), dtype)

    def in_units_of(self, width: float, dtype: Dtype) -> float:
        """The error in units of what the conditioning of the point explains."""
        return min(
            scaled_error(end, self.got, width, self.ulp, dtype) for end in self.ends
        )

    @property
    def ends(self) -> tuple[Real, ...]:
        """What the result may be: one number, or at a kink all between several."""
        if self.order != "gradient" or self.variable is None:
            return (self.want,)
        return self.truth.gradient[self.variable][self.entry].ends

    def width(self, spread: Spread) -> float:
        """What of a spread concerns this entry."""
        if self.variable is None:
            return spread.value[self.entry]
        return spread.gradient[self.variable][self.entry]

    def local_scale(self, dtype: Dtype) -> float:
        """The loss over the input: what a slope here would be if nothing cancelled."""
        if self.variable is None:
            return 0.0
        values = [abs(v.rounded(dtype)) for v in self.truth.value]
        largest = max((v for v in values if math.isfinite(v)), default=0.0)
        array = self.point.values[self.variable]
        at = array.entries[self.entry] if isinstance(array, Array) else 0.0
        return largest / abs(at) if at and math.isfinite(at) else 0.0

    def largest(self, dtype: Dtype) -> float:
        """The largest entry beside this one, itself included; 0 for second derivatives."""
        if self.order == "value":
            entries = list(self.truth.value)
        elif self.order == "gradient" and self.variable is not None:
            entries = [s.value for s in self.truth.gradient[self.variable]]
        else:
            return 0.0
        sizes = [abs(e.rounded(dtype)) for e in entries if e.finite]
        return max((s for s in sizes if math.isfinite(s)), default=0.0)

    def as_whole(self, dtype: Dtype) -> float:
        """``mixed``, or less: the error in units of ``eps`` times the largest entry beside it.

        That is the relative error of the value or of a gradient as a whole, in the maximum norm.
        """
        largest = self.largest(dtype)
        if largest == 0:
            return self.mixed
        return min(self.mixed, self.in_units_of(dtype.epsilon * largest, dtype))

    def fails(self, limits: Limits) -> bool:
        if (
            self.fault is Fault.CANCELLATION
            and limits.cancellation is not Severity.FAILURE
        ):
            return False
        return self.unexplained(limits) and self.by_line > limits.scaled

    def unexplained(self, limits: Limits) -> bool:
        """Whether the conditioning does not explain this entry, however little it counts."""
        return (
            self.probed
            and not self.decided
            and self.ulp > limits.fails(self.order)
            and self.scaled > limits.scaled
        )

    def culprit(self, limits: Limits) -> Culprit:
        """Who is wrong where the module is."""
        if self.naive_ulp <= limits.fails(self.order):
            return Culprit.GUARD
        return self.naive_culprit(limits)

    def naive_culprit(self, limits: Limits) -> Culprit:
        if self.naive_ulp <= limits.fails(self.order):
            return Culprit.NOBODY
        if self.order == "gradient" and self.naive_value_ulp <= limits.value:
            return Culprit.AUTOGRAD
        return Culprit.FORMULA

    def place(self, dtype: Dtype) -> Place:
        return Place(
            point=format_point(self.point),
            label=self.point.label,
            got=format_number(self.got, dtype),
            want=format_number(self.want.rounded(dtype), dtype),
            ulp=tidy(self.ulp),
            scaled=tidy(min(self.scaled, self.ulp)),
            mixed=tidy(min(self.mixed, self.ulp)),
            fault=self.fault.code,
            variable=self.variable,
            naive=format_number(self.naive, dtype),
            largest=tidy(self.largest(dtype)),
        )
