"""What is told of a tally: a finding per variable and kind of error, with the worst point."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from losscodegen.judge.case import Case
from losscodegen.judge.certificate import Culprit, Finding, Severity
from losscodegen.judge.criterion import Fault
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tally import Tally
from losscodegen.judge.wording import format_number


def findings(tally: Tally) -> Iterator[Finding]:
    """Failures, then what is further off than good code is, then what rounding decided."""
    for severity, cases in (
        (Severity.FAILURE, tally.failures()),
        (Severity.LOOSE, tally.loose()),
    ):
        groups: dict[tuple[str | None, Fault], list[Case]] = defaultdict(list)
        for case in cases:
            groups[case.variable, case.fault].append(case)
        for (_, fault), members in groups.items():
            worst = members[0]
            failed = severity is Severity.FAILURE
            where = worst.place(tally.dtype)
            yield Finding(
                code=fault.code if failed else "loose",
                severity=severity,
                message=(
                    f"{_what(worst)} is {where.got}, should be {_wanted(worst, tally.dtype)} "
                    f"({worst.ulp:.3g} ulp off) at {where.point}{_more(members)}"
                ),
                dtype=tally.dtype.value,
                order=tally.order,
                place=where,
                culprit=worst.culprit(tally.limits) if failed else Culprit.NOBODY,
            )
    yield from _decided(tally)


def _wanted(case: Case, dtype: Dtype) -> str:
    """The number that is right; at a kink the numbers between which all are."""
    known = {end.rounded(dtype) for end in case.ends if end.known}
    ends = sorted(e for e in known if not math.isnan(e))
    if len(ends) < 2:
        return format_number(case.want.rounded(dtype), dtype)
    low, high = (format_number(e, dtype) for e in (ends[0], ends[-1]))
    return f"a number from {low} to {high}"


def _decided(tally: Tally) -> Iterator[Finding]:
    groups: dict[str | None, list[Case]] = defaultdict(list)
    for case in tally.decided():
        groups[case.variable].append(case)
    for members in groups.values():
        where = members[0].place(tally.dtype)
        yield Finding(
            code="decided-by-rounding",
            severity=Severity.NOTE,
            message=(
                f"{_what(members[0])} is {where.got} and not {where.want}, for a kink or jump "
                f"of the loss lies within rounding of {where.point}{_more(members)}"
            ),
            dtype=tally.dtype.value,
            order=tally.order,
            place=where,
        )


def _what(case: Case) -> str:
    return "value" if case.variable is None else f"gradient by {case.variable}"


def _more(members: list[Case]) -> str:
    return f", and at {len(members) - 1} more" * (len(members) > 1)
