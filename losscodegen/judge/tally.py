"""Results held against the truth, entry by entry, and added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from losscodegen.judge.certificate import (
    Check,
    Culprit,
    Place,
    Score,
    Severity,
    Status,
    tidy,
)
from losscodegen.judge.criterion import (
    Fault,
    Limits,
    Measure,
    Skip,
    measure,
    measure_slope,
    near_overflow,
    near_underflow,
    scaled_error,
)
from losscodegen.judge.point import Array, Point, Real, Truth
from losscodegen.judge.probes import Spread
from losscodegen.judge.rim import at_rim, has_room, is_tame
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import Result
from losscodegen.judge.wording import format_number, format_point

CANCELLED = 64
"""An error of so many roundings of a usual result is lost beside it."""


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
    scaled: float = math.inf
    by_line: float = math.inf
    probed: bool = False
    """As ``scaled``, with inputs that are right by line and not by entry."""

    def settle(self, spread: Spread, dtype: Dtype) -> None:
        """Takes in how much the conditioning of the point explains."""
        self.probed = True
        self.scaled = self._scaled(spread, dtype)

    def settle_by_line(self, spread: Spread, dtype: Dtype) -> None:
        self.by_line = self._scaled(spread, dtype)

    def _scaled(self, spread: Spread, dtype: Dtype) -> float:
        if self.variable is None:
            width = spread.value[self.entry]
        else:
            width = spread.gradient[self.variable][self.entry]
        return scaled_error(self.want, self.got, width, self.ulp, dtype)

    def local_scale(self, dtype: Dtype) -> float:
        """The loss over the input: what a slope here would be if nothing cancelled."""
        if self.variable is None:
            return 0.0
        values = [abs(v.rounded(dtype)) for v in self.truth.value]
        largest = max((v for v in values if math.isfinite(v)), default=0.0)
        array = self.point.values[self.variable]
        at = array.entries[self.entry] if isinstance(array, Array) else 0.0
        return largest / abs(at) if at and math.isfinite(at) else 0.0

    def fails(self, limits: Limits) -> bool:
        if (
            self.fault is Fault.CANCELLATION
            and limits.cancellation is not Severity.FAILURE
        ):
            return False
        return (
            self.probed
            and self.ulp > limits.fails(self.order)
            and min(self.scaled, self.by_line) > limits.scaled
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
            variable=self.variable,
            naive=format_number(self.naive, dtype),
        )


@dataclass(slots=True)
class Tally:
    """All entries of one order in one dtype."""

    dtype: Dtype
    order: str
    limits: Limits
    classes: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)
    informative: int = 0
    """Entries whose truth is a normal number: a wrong module could have missed it."""
    worst: float = 0.0
    naive_worst: float = 0.0
    naive_faults: Counter[Fault] = field(default_factory=Counter)
    cases: list[Case] = field(default_factory=list)
    naive_culprits: Counter[Culprit] = field(default_factory=Counter)
    sizes: dict[str | None, list[float]] = field(default_factory=dict)
    """Magnitudes of the truth at tame points, by variable."""

    def add(
        self, case: Case, measure: Measure | Skip, naive: Measure | Skip, group: str
    ) -> None:
        if isinstance(measure, Skip):
            self.beside[measure.value] += 1
            return
        self.classes["outside" if measure.outside else group] += 1
        if not measure.outside and case.want.mantissa:
            self.informative += 1
            if case.tame:
                size = abs(case.want.rounded(self.dtype))
                self.sizes.setdefault(case.variable, []).append(size)
        telling = self.limits.tells(self.order)
        if measure.ulp > telling:
            self.cases.append(case)
        else:
            self.worst = max(self.worst, measure.ulp)
        if isinstance(naive, Measure):
            self.naive_worst = max(self.naive_worst, naive.ulp)
            limit = self.limits.fails(self.order)
            if naive.ulp > limit >= measure.ulp:
                # Where the module is as far off nobody is to blame: the point is hard.
                self.naive_culprits[case.naive_culprit(self.limits)] += 1
                if naive.fault is not Fault.DIGITS:
                    self.naive_faults[naive.fault] += 1

    def name_cancellations(self) -> None:
        """Tells errors that are large for small results alone from those that are large."""
        usual = {name: _usual(sizes) for name, sizes in self.sizes.items()}
        for case in self.cases:
            error = abs(case.got - case.want.rounded(self.dtype))
            usually = max(usual.get(case.variable, 0.0), case.local_scale(self.dtype))
            least = CANCELLED * self.dtype.epsilon * usually
            if case.fault in (Fault.DIGITS, Fault.ZERO) and error <= least:
                case.fault = Fault.CANCELLATION

    def failures(self) -> list[Case]:
        found = [c for c in self.cases if c.fails(self.limits)]
        return sorted(found, key=lambda c: (-c.scaled, -c.ulp))

    def loose(self) -> list[Case]:
        limit = self.limits.tells(self.order)
        failed = {id(c) for c in self.failures()}
        found = [
            c
            for c in self.cases
            if c.probed and id(c) not in failed and c.scaled > limit
        ]
        return sorted(found, key=lambda c: (-c.scaled, -c.ulp))

    def check(self) -> Check:
        failures = self.failures()
        faults = Counter(c.fault for c in failures)
        if failures:
            status = Status.FAILED
        elif self.informative < self.limits.judged_at_least:
            status = Status.VACUOUS
        else:
            status = Status.PASSED
        probed = [c for c in self.cases if c.probed]
        last = max(probed, key=lambda c: (c.scaled, c.ulp), default=None)
        if failures:
            culprit = failures[0].culprit(self.limits)
        else:
            common = self.naive_culprits.most_common(1)
            culprit = common[0][0] if common else Culprit.NOBODY
        return Check(
            dtype=self.dtype.value,
            order=self.order,
            status=status,
            classes=tuple(sorted(self.classes.items())),
            beside=tuple(sorted(self.beside.items())),
            ours=Score(
                ulp=tidy(max([self.worst, *(c.ulp for c in self.cases)])),
                scaled=tidy(max([self.worst, *(c.scaled for c in probed)])),
                nan=faults[Fault.NAN],
                infinite=faults[Fault.INFINITE],
                zero=faults[Fault.ZERO],
            ),
            naive=Score(
                ulp=tidy(self.naive_worst),
                scaled=tidy(self.naive_worst),
                nan=self.naive_faults[Fault.NAN],
                infinite=self.naive_faults[Fault.INFINITE],
                zero=self.naive_faults[Fault.ZERO],
            ),
            worst=None if last is None else last.place(self.dtype),
            culprit=culprit,
        )


def _usual(sizes: list[float]) -> float:
    """What a result is when there is something to learn: the ninth of ten in order of size."""
    return sorted(sizes)[len(sizes) * 9 // 10]


# ---------------------------------------------------------------------- one point


def compare(
    point: Point,
    truth: Truth,
    ours: Result,
    naive: Result,
    dtype: Dtype,
    limits: Limits,
) -> Iterator[tuple[str, Case, Measure | Skip, Measure | Skip, str]]:
    """Every entry of the value, then of every gradient: its case, the errors, its class."""
    group = point_class(point.label)
    rim = at_rim(point, dtype)
    tame = is_tame(point)
    naive_fits = naive.error is None and naive.shape == truth.shape
    naive_value = 0.0
    for k, want in enumerate(truth.value):
        error = measure(want, ours.value[k], dtype)
        there = naive.value[k] if naive_fits else math.nan
        beside = measure(want, there, dtype)
        if isinstance(beside, Measure):
            naive_value = max(naive_value, beside.ulp)
        case = _case(point, truth, "value", None, k, want, ours.value[k], error, tame)
        case.naive, case.naive_ulp = there, _ulp(beside)
        case.naive_value_ulp = case.naive_ulp
        if rim or near_overflow(want, dtype):
            error = _lenient(error, limits.value)
        yield "value", case, error, beside, group
    overflow = any(near_overflow(v, dtype) for v in truth.value)
    room = has_room(point, dtype)
    underflow = any(near_underflow(v, dtype) for v in truth.value)
    for name, slopes in truth.gradient.items():
        if name not in ours.gradient:
            continue
        for k, slope in enumerate(slopes):
            got = ours.gradient[name][k]
            error = measure_slope(slope, got, dtype)
            there = naive.gradient[name][k] if naive_fits else math.nan
            beside = measure_slope(slope, there, dtype)
            poisoned = room and _poisoned(error, slope.value, dtype)
            if overflow and isinstance(error, Measure):
                error = Skip.OVERFLOW
            elif (
                rim or near_overflow(slope.value, dtype) or (underflow and not poisoned)
            ):
                error = _lenient(error, limits.gradient)
            case = _case(
                point, truth, "gradient", name, k, slope.value, got, error, tame
            )
            case.naive, case.naive_ulp = there, _ulp(beside)
            case.naive_value_ulp = naive_value
            kink = slope.kink or slope.jump
            yield "gradient", case, error, beside, "kink" if kink else group


def _case(
    point: Point,
    truth: Truth,
    order: str,
    variable: str | None,
    entry: int,
    want: Real,
    got: float,
    error: Measure | Skip,
    tame: bool,
) -> Case:
    return Case(
        point=point,
        truth=truth,
        order=order,
        variable=variable,
        entry=entry,
        want=want,
        got=got,
        ulp=_ulp(error),
        fault=error.fault if isinstance(error, Measure) else Fault.DIGITS,
        naive=math.nan,
        naive_ulp=math.inf,
        naive_value_ulp=math.inf,
        tame=tame,
    )


def _ulp(error: Measure | Skip) -> float:
    return error.ulp if isinstance(error, Measure) else 0.0


def _lenient(error: Measure | Skip, limit: float) -> Measure | Skip:
    """What is right at the rim counts, what is wrong there is not held against anyone."""
    return Skip.RIM if isinstance(error, Measure) and error.ulp > limit else error


def _poisoned(error: Measure | Skip, want: Real, dtype: Dtype) -> bool:
    """Whether nan stands where 0 should: a loss too small for the format is no excuse for that."""
    nan = isinstance(error, Measure) and error.fault is Fault.NAN
    return nan and want.rounded(dtype) == 0


def point_class(label: str) -> str:
    """The class in which a point is counted, by the word that its maker put first."""
    words = label.split(" ")
    if words[:2] in (["formula", "seam"], ["module", "seam"]):
        return "kink" if words[0] == "formula" else "seam"
    return "edge" if words[0] in ("edge", "formula", "module") else "smooth"
