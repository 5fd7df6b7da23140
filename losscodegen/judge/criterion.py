"""How far a floating-point result is off the truth, and whether that can be held against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from losscodegen.ir.loss import Accuracy
from losscodegen.judge.certificate import Severity
from losscodegen.judge.point import Kind, Real, Slope
from losscodegen.judge.rounding import Dtype, neighbour

ROUNDINGS = 4
"""By how many ulps a program may be off in what decides between the branches of a formula."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When an error fails, and when it is worth telling.

    An error fails if it exceeds both ``value`` (``gradient``) ulp and ``scaled`` times what a
    change of one ulp in every input would make. Results below the smallest normal number may be
    off by that number.
    """

    value: float = 1024.0
    gradient: float = 1024.0
    scaled: float = 64.0
    cancellation: Severity = Severity.FAILURE
    """What it is if a small result has lost its digits to the rounding of larger ones, so that the
    error is negligible beside what the loss usually gives: near an optimum, usually."""
    loose_value: float = 16.0
    loose_gradient: float = 64.0
    judged_at_least: int = 12

    def within(self, dtype: Dtype) -> Limits:
        """These limits for a format: six bits right at least, however few it has."""
        most = math.ldexp(1.0, dtype.precision - 6)
        return replace(
            self,
            value=min(self.value, most),
            gradient=min(self.gradient, most),
            loose_value=min(self.loose_value, most / 2),
            loose_gradient=min(self.loose_gradient, most / 2),
        )

    def for_accuracy(self, accuracy: Accuracy) -> Limits:
        """These limits, by which nothing is said of digits that the spec does not ask for.

        With absolute accuracy an error counts beside the larger of the result and the usual size
        of results: what is negligible beside the latter is no fault. NaN and infinities are.
        """
        if accuracy is Accuracy.RELATIVE:
            return self
        return replace(self, cancellation=Severity.NOTE)

    def fails(self, order: str) -> float:
        return self.value if order == "value" else self.gradient

    def tells(self, order: str) -> float:
        return self.loose_value if order == "value" else self.loose_gradient


class Fault(Enum):
    """Errors that have a name."""

    NAN = "NaN"
    INFINITE = "infinity"
    ZERO = "zero"
    DIGITS = "digits"
    CANCELLATION = "cancellation"
    """Digits or zero, but by an amount that is negligible beside usual results."""

    @property
    def code(self) -> str:
        """What a finding about it is called."""
        word = str(self.value).lower()
        return word if self is Fault.CANCELLATION else f"wrong-{word}"


class Skip(Enum):
    """Why an entry is not judged."""

    UNDEFINED = "undefined"
    UNDETERMINED = "undetermined"
    OVERFLOW = "overflow"
    RIM = "rim"
    """At the ends of the format's range, where intermediate results have no room."""
    KINK = "kink"
    """There is no second derivative."""
    ZERO = "zero"
    """A second derivative of exactly 0."""
    SMALL = "subnormal"
    """A second derivative that is no normal number."""


@dataclass(frozen=True, slots=True)
class Measure:
    """The error of one number in ulp of the truth, and what kind of error it would be.

    ``outside`` is true where the truth has no normal number of the format to be rounded to.
    """

    ulp: float
    fault: Fault
    outside: bool = False


def measure(truth: Real, got: float, dtype: Dtype) -> Measure | Skip:
    """The error of a value; of a slope where the loss is differentiable."""
    if truth.kind is Kind.UNDEFINED:
        return Skip.UNDEFINED
    if truth.kind is Kind.UNDETERMINED:
        return Skip.UNDETERMINED
    want = truth.rounded(dtype)
    if got == want and not math.isinf(want):
        return Measure(0.0, Fault.DIGITS, abs(want) < dtype.tiny and want != 0)
    if math.isinf(want) and truth.finite and not math.isfinite(got):
        # inf - inf on the way to an overflow: no number of the format is right, either.
        return (
            Skip.OVERFLOW
            if math.isnan(got)
            else Measure(0.0 if got == want else math.inf, Fault.INFINITE, True)
        )
    if math.isnan(got):
        return Measure(math.inf, Fault.NAN)
    if math.isinf(want):
        ulp = 0.0 if got == want else truth.ulps(got, dtype)
        return Measure(ulp, _fault(got), True)
    if abs(got - want) <= dtype.tiny:
        # Below the smallest normal there are fewer digits, and vectorised code flushes to zero.
        ulp = truth.ulps(got, dtype) if abs(want) > dtype.tiny else 0.0
        return Measure(min(ulp, 1.0), Fault.DIGITS, abs(want) < dtype.tiny)
    return Measure(truth.ulps(got, dtype), _fault(got), abs(want) < dtype.tiny)


def _fault(got: float) -> Fault:
    if math.isinf(got):
        return Fault.INFINITE
    return Fault.ZERO if got == 0 else Fault.DIGITS


def near_overflow(truth: Real, dtype: Dtype) -> bool:
    return truth.finite and _top(truth) > dtype.top + 1 - dtype.room


def near_underflow(truth: Real, dtype: Dtype) -> bool:
    """Whether a number other than 0 is smaller than the format's numbers, or nearly."""
    if not truth.finite or (truth.mantissa == 0 and truth.exact):
        return False
    return truth.mantissa == 0 or _top(truth) < 1 - dtype.top + dtype.room


def measure_slope(truth: Slope, got: float, dtype: Dtype) -> Measure | Skip:
    """The error of a gradient's entry: at a kink the distance to the hull of subgradients."""
    if truth.low is None or truth.high is None:
        found = measure(truth.value, got, dtype)
        if truth.value.infinite and math.isfinite(got):
            # A vertical tangent has no number for a slope: any convention will do.
            return Measure(0.0, Fault.DIGITS, True)
        return found
    if math.isnan(got):
        return Measure(math.inf, Fault.NAN)
    low, high = truth.low.rounded(dtype), truth.high.rounded(dtype)
    if math.isnan(low) or math.isnan(high):
        return Skip.UNDETERMINED
    vertical = math.isfinite(got) and math.inf in (-low, high)
    if low <= got <= high or vertical:
        return Measure(0.0, Fault.DIGITS)
    ends = [measure(end, got, dtype) for end in (truth.low, truth.high, truth.value)]
    errors = [m for m in ends if isinstance(m, Measure)]
    if not errors:
        return Skip.UNDEFINED
    return min(errors, key=lambda m: m.ulp)


# ---------------------------------------------------------------------- conditioning


def difference(one: Real, other: Real, dtype: Dtype) -> float:
    """``|one - other|``; 0 where either is not a number of the format's range."""
    if not (one.finite and other.finite):
        return 0.0
    if max(_top(one), _top(other)) > dtype.top + 64:
        return 0.0
    if max(_top(one), _top(other)) < dtype.bottom - 64:
        return 0.0
    try:
        return float(abs(_short(one) - _short(other)))
    except OverflowError:
        return math.inf


def _top(number: Real) -> int:
    return number.exponent + number.mantissa.bit_length()


def _short(number: Real) -> Fraction:
    """The middle; what is far below any format counts as 0, so that no fraction gets huge."""
    return Fraction(0) if _top(number) < -5000 else number.fraction


def scaled_error(
    truth: Real, got: float, spread: float, ulp: float, dtype: Dtype
) -> float:
    """The error in units of ``spread``, what one ulp of the inputs changes; at most ``ulp``.

    A result that is off by less than its inputs' last digits decide is as good as can be.
    """
    if math.isnan(got):
        return math.inf
    if spread == 0 or not truth.finite:
        return ulp
    # An infinity counts as the number that would follow the largest one.
    edge = math.copysign(min(abs(got), dtype.largest), got)
    want = truth.rounded(dtype)
    if math.isinf(want):
        return ulp
    error = abs(edge / 2 - want / 2)
    return min(ulp, 2 * (error / spread))


def shifted(value: float, steps: int, dtype: Dtype) -> float:
    """``value`` some ulps away, unless that is an infinity."""
    found = neighbour(value, steps, dtype)
    return found if math.isfinite(found) else value
