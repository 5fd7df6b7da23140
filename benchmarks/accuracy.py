"""The accuracy of the library as a page: ``losscodegen check --json FILE``, then this on FILE.

    python benchmarks/accuracy.py certificates.json > docs/accuracy.md

Lists for every loss the worst error of value, gradient and second derivative by the mixed criterion
(see `losscodegen.judge.mixed`), of the module and of the formula as typed; how many losses reach
their targets; and what does not, worst first.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from losscodegen.judge.certificate import Certificate, Check, Place, Severity
from losscodegen.judge.mixed import ELEMENTARY, OVER_AXES, SPECIAL, Target
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.table import format_ulp

NAMES = {
    "value": "value",
    "gradient": "gradient",
    "second": "second derivative",
}
DTYPES = ("float32", "float64")
KINDS: tuple[tuple[str, Target], ...] = (
    ("without axes, of elementary functions", ELEMENTARY),
    ("without axes, with special functions", SPECIAL),
    ("over axes", OVER_AXES),
)
SEVERAL_STEPS = 1024.0
"""An error of digits up to this many units is no cancellation, but roundings that add up."""

INTRODUCTION = (
    "An error is given in units of `max(eps*|want|, eps*sum(|x*df/dx|))`, the sum over every entry "
    "`x` of every input: one ulp or nearly where the loss is well-conditioned, and otherwise what "
    "a relative change of `eps` in every input makes at most. Of a sum over an axis that is `eps` "
    "times its condition number. For a gradient `f` is an entry of the gradient; of a loss that is "
    "a sum of terms `t`, or has several values, `eps*sum(|dt/dx|)` counts, too: the condition of "
    "that derivative as a sum. A root of the "
    "loss is forgiven by that, cancellation where a loss approaches its minimum is not. Errors in "
    "ulp are in the lists of exceptions."
)
AS_A_WHOLE = (
    "*As a whole*: each entry is held beside the largest of the gradient by its input, which is "
    "the relative error of that gradient in the maximum norm. All other figures are by entry."
)


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    certificates = [Certificate.from_dict(entry) for entry in json.loads(text)]
    print("\n".join(page(certificates)))


def page(certificates: list[Certificate]) -> Iterator[str]:
    ordered = sorted(certificates, key=lambda c: c.loss)
    points = sum(c.points for c in ordered)
    passed = sum(c.passed for c in ordered)
    faults = sum(
        k.ours.faults for c in ordered for k in c.checks if k.order != "second"
    )
    naive = sum(
        any(k.naive.faults for k in c.checks if k.order != "second") for c in ordered
    )
    yield "# Accuracy of the library\n"
    yield (
        f"{len(ordered)} losses, {points} points, torch {ordered[0].torch}; {passed} pass. "
        f"Wrong NaN, infinities and zeros in value and gradient of the generated modules: "
        f"{faults}. The formula as typed has some in {naive} of the losses.\n"
    )
    yield INTRODUCTION + "\n"
    yield from summary(ordered)
    yield "\n## Every loss\n"
    yield (
        "The worst error over all points that were judged, and in parentheses that of the formula "
        "as typed, at least. Second derivatives are reported for losses without axes; none is "
        "promised.\n"
    )
    yield (
        "| loss | points | value f32 | value f64 | gradient f32 | gradient f64 "
        "| second f32 | second f64 | verdict |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for certificate in ordered:
        cells = [
            cell(find(certificate, order, dtype)) for order in NAMES for dtype in DTYPES
        ]
        yield row(certificate.loss, certificate.points, *cells, certificate.verdict)
    for title, orders in (
        ("Values and gradients beyond their targets", ("value", "gradient")),
        ("Second derivatives beyond their targets", ("second",)),
    ):
        yield f"\n## {title}\n"
        yield from reasons(ordered, orders)
        yield from exceptions(ordered, orders)


def summary(certificates: list[Certificate]) -> Iterator[str]:
    """How many losses of each kind are within their targets in both formats."""
    yield "| losses | value | gradient | gradient as a whole | second derivative |"
    yield "| --- | --- | --- | --- | --- |"
    for title, goal in KINDS:
        mine = [c for c in certificates if kind(c) == goal]
        if mine:
            value, gradient, second = (share(mine, order, goal) for order in NAMES)
            whole = share(mine, "gradient", goal, of=lambda check: check.whole)
            yield row(title, value, gradient, whole, second)
    yield f"\n{AS_A_WHOLE}"


def kind(certificate: Certificate) -> Target | None:
    """The targets by which a loss was measured; None if nothing was."""
    found = {c.order: c.target for c in certificate.checks}
    for _, goal in KINDS:
        same = all(goal.of(order) == reached for order, reached in found.items())
        if same and ("second" in found) == (goal != OVER_AXES):
            return goal
    return None


def share(
    certificates: list[Certificate],
    order: str,
    goal: Target,
    of: Callable[[Check], float] = lambda check: check.ours.mixed,
) -> str:
    checks = [[k for k in c.checks if k.order == order] for c in certificates]
    judged = [mine for mine in checks if any(k.judged for k in mine)]
    if not judged:
        return "-"
    good = sum(all(of(k) <= k.target for k in mine) for mine in judged)
    return f"{good} of {len(judged)} within {goal.of(order):g}"


def within(check: Check) -> bool:
    return check.ours.mixed <= check.target


def find(certificate: Certificate, order: str, dtype: str) -> Check | None:
    found = (c for c in certificate.checks if (c.order, c.dtype) == (order, dtype))
    return next(found, None)


def cell(check: Check | None) -> str:
    if check is None or not check.judged:
        return "-"
    return f"{format_ulp(check.ours.mixed)} ({format_ulp(check.naive.mixed)})"


def exceptions(certificates: list[Certificate], orders: Iterable[str]) -> Iterator[str]:
    """What is beyond its target, the worst first, with the point of the largest error."""
    found = [
        (check.ours.mixed / check.target, certificate, check)
        for certificate in certificates
        for check in certificate.checks
        if check.order in orders and not within(check)
    ]
    if not found:
        yield "None."
        return
    yield "| loss | order | dtype | error | target | ulp | entries | why | at |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- |"
    for _, certificate, check in sorted(
        found, key=lambda f: (-f[0], f[1].loss, f[2].order, f[2].dtype)
    ):
        yield row(
            certificate.loss,
            NAMES[check.order],
            check.dtype,
            format_ulp(check.ours.mixed),
            f"{check.target:g}",
            "-" if check.hardest is None else format_ulp(check.hardest.ulp),
            f"{check.judged - check.within} of {check.judged}",
            reason(certificate, check),
            place(check.hardest),
        )


SEAM = "a comparison decides on rounded numbers: a seam of the formula is that near"
NOTHING = "exactly 0: its terms cancel altogether, and what is left is their rounding"
SUBNORMAL = "below the smallest normal number"
BESIDE = (
    "within the target by norm: other entries of this gradient are that much larger"
)
CANCELS = "a small result cancels: the error is negligible beside usual results"
STEPS = "roundings of several steps add up"
LOST = "digits are lost"
WORDS = {
    "cancellation": CANCELS,
    "wrong-nan": "NaN",
    "wrong-infinity": "infinity",
    "wrong-zero": "zero",
}


def reason(certificate: Certificate, check: Check) -> str:
    """Why the worst error is that large, from what the judge found out about it."""
    codes = {
        f.code
        for f in certificate.findings
        if f.dtype == check.dtype and f.order == check.order
        if f.severity is Severity.FAILURE
    }
    if codes:
        return "defect: " + ", ".join(sorted(codes))
    found = check.hardest
    fault = "" if found is None else found.fault
    if found is not None and check.order != "second":
        told = cancelled(found, check)
        if told is not None:
            return told
    if fault in WORDS:
        return WORDS[fault]
    if math.isfinite(check.ours.mixed) and check.ours.mixed <= SEVERAL_STEPS:
        return STEPS
    return LOST


def cancelled(found: Place, check: Check) -> str | None:
    """What is special about a point at which digits are lost, as far as its numbers tell."""
    got, want = float(found.got), float(found.want)
    if not (math.isfinite(got) and math.isfinite(want)):
        return None
    dtype = Dtype(check.dtype)
    if found.label.startswith("formula seam") and (got == 0) != (want == 0):
        return SEAM
    if want == 0:
        return NOTHING
    if abs(want) < dtype.tiny:
        return SUBNORMAL
    within_norm = check.target * dtype.epsilon * found.largest
    if check.order == "gradient" and abs(got - want) <= within_norm:
        return BESIDE
    return None


def reasons(certificates: list[Certificate], orders: tuple[str, ...]) -> Iterator[str]:
    """How many checks are beyond their target for which reason, the most frequent first."""
    counts = {
        order: Counter(
            reason(certificate, check)
            for certificate in certificates
            for check in certificate.checks
            if check.order == order and not within(check)
        )
        for order in orders
    }
    total = sum(counts.values(), Counter())
    if not total:
        return
    yield f"| why | {' | '.join(NAMES[order] for order in orders)} |"
    yield f"| --- |{' ---: |' * len(orders)}"
    for why, _ in sorted(total.items(), key=lambda item: (-item[1], item[0])):
        yield row(why, *(counts[order][why] for order in orders))
    yield ""


def place(found: Place | None) -> str:
    if found is None:
        return ""
    text = found.point.replace("|", "\\|")
    variable = f"by {found.variable}, " * (found.variable is not None)
    return f"{variable}`{text if len(text) <= 90 else text[:87] + '...'}`"


def row(*cells: object) -> str:
    return f"| {' | '.join(str(c) for c in cells)} |"


if __name__ == "__main__":
    main()
