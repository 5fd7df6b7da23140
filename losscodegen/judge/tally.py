"""Results held against the truth, entry by entry, and added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from losscodegen.judge.case import Case
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
)
from losscodegen.judge.mixed import Errors
from losscodegen.judge.rounding import Dtype

CANCELLED = 64
"""An error of so many roundings of a usual result is lost beside it."""


DECIDED = "decided by rounding"
"""The class of entries that are right on another side of a decision that rounding makes."""


@dataclass(slots=True)
class Tally:
    """All entries of one order in one dtype."""

    dtype: Dtype
    order: str
    limits: Limits
    target: float = math.inf
    """What the library is meant to reach, by the mixed criterion."""
    errors: Errors = field(init=False)
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

    def __post_init__(self) -> None:
        self.errors = Errors(self.dtype, self.target)

    def add(
        self, case: Case, measure: Measure | Skip, naive: Measure | Skip, group: str
    ) -> None:
        if isinstance(measure, Skip):
            self.beside[measure.value] += 1
            return
        case.group = "outside" if measure.outside else group
        self.classes[case.group] += 1
        if not measure.outside and case.want.mantissa:
            self.informative += 1
            if case.tame:
                size = abs(case.want.rounded(self.dtype))
                self.sizes.setdefault(case.variable, []).append(size)
        self.errors.add(case, naive=isinstance(naive, Measure))
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

    def name_cancellations(self, given: Callable[[Case], float] | None = None) -> None:
        """Tells errors that are large for small results alone from those that are large.

        ``given`` says what a result usually is with the parameters of a case; by default they
        make no difference.
        """
        usually = {name: usual(sizes) for name, sizes in self.sizes.items()}
        for case in self.cases:
            error = abs(case.got - case.want.rounded(self.dtype))
            size = max(usually.get(case.variable, 0.0), case.local_scale(self.dtype))
            least = CANCELLED * self.dtype.epsilon * size
            if case.fault not in (Fault.DIGITS, Fault.ZERO):
                continue
            if error > least and given is not None:
                least = CANCELLED * self.dtype.epsilon * given(case)
            if error <= least:
                case.fault = Fault.CANCELLATION

    def decided(self) -> list[Case]:
        """Entries that are right on another side of a decision that rounding makes."""
        return [c for c in self.cases if c.decided]

    def set_apart_decided(self) -> None:
        """Counts those in a class of their own."""
        for case in self.decided():
            if case.group != DECIDED:
                self.classes[case.group] -= 1
                self.classes[DECIDED] += 1
                case.group = DECIDED
        self.classes = +self.classes
        self.errors.rough = [c for c in self.errors.rough if not c.decided]

    def failures(self) -> list[Case]:
        found = [c for c in self.cases if c.fails(self.limits)]
        return sorted(found, key=lambda c: (-c.scaled, -c.ulp))

    def loose(self) -> list[Case]:
        limit = self.limits.tells(self.order)
        failed = {id(c) for c in self.failures()}
        found = [
            c
            for c in self.cases
            if c.probed and not c.decided and id(c) not in failed and c.scaled > limit
            # With absolute accuracy there is nothing to say of it.
            and not (
                c.fault is Fault.CANCELLATION
                and self.limits.cancellation is Severity.NOTE
            )
        ]
        return sorted(found, key=lambda c: (-c.scaled, -c.ulp))

    def check(self) -> Check:
        failures = self.failures()
        # What is reported only is never a failure, but what is wrong with it has names, too.
        wrong = self.rough() if self.order == "second" else failures
        faults = Counter(c.fault for c in wrong)
        if self.order == "second":
            status = Status.REPORTED
        elif failures:
            status = Status.FAILED
        elif self.informative < self.limits.judged_at_least:
            status = Status.VACUOUS
        else:
            status = Status.PASSED
        probed = [c for c in self.cases if c.probed and not c.decided]
        last = max(probed, key=lambda c: (c.scaled, c.ulp), default=None)
        if self.order == "second":
            culprit = Culprit.NOBODY
        elif failures:
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
                ulp=tidy(
                    max([self.worst, *(c.ulp for c in self.cases if not c.decided)])
                ),
                scaled=tidy(max([self.worst, *(c.scaled for c in probed)])),
                mixed=tidy(self.errors.worst),
                nan=faults[Fault.NAN],
                infinite=faults[Fault.INFINITE],
                zero=faults[Fault.ZERO],
            ),
            naive=Score(
                ulp=tidy(self.naive_worst),
                scaled=tidy(self.naive_worst),
                mixed=tidy(self.errors.naive_worst),
                nan=self.naive_faults[Fault.NAN],
                infinite=self.naive_faults[Fault.INFINITE],
                zero=self.naive_faults[Fault.ZERO],
            ),
            worst=self._place(last),
            culprit=culprit,
            target=self.errors.target,
            within=self.errors.judged - self.errors.beyond,
            hardest=self._place(self.errors.hardest),
            whole=tidy(self.errors.whole),
            roughest=self._place(self.errors.roughest),
        )

    def rough(self) -> list[Case]:
        """What has lost all digits: wrong by more than what fails, conditioning aside."""
        limit = self.limits.fails(self.order)
        return [c for c in self.cases if c.ulp > limit]

    def _place(self, case: Case | None) -> Place | None:
        return None if case is None else case.place(self.dtype)


def usual(sizes: list[float]) -> float:
    """What a result is when there is something to learn: the ninth of ten in order of size."""
    return sorted(sizes)[len(sizes) * 9 // 10]
