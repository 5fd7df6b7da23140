"""The accuracy of the library as a page: ``losscodegen check --json FILE``, then this on FILE.

    python benchmarks/accuracy.py certificates.json > docs/accuracy.md

Lists for every loss the worst error of value and gradient, and for those beyond 16 (64) ulp why.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from losscodegen.judge.certificate import Certificate, Check, Severity

LOOSE = {"value": 16.0, "gradient": 64.0}
"""Errors in ulp from which a loss is listed."""
EXPLAINED = 64.0
"""Times what one ulp in every input changes: an error below that is the inputs', not the code's."""


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    certificates = [Certificate.from_dict(entry) for entry in json.loads(text)]
    print("\n".join(page(certificates)))


def page(certificates: list[Certificate]) -> Iterator[str]:
    points = sum(c.points for c in certificates)
    passed = sum(c.passed for c in certificates)
    faults = sum(k.ours.faults for c in certificates for k in c.checks)
    naive = sum(any(k.naive.faults for k in c.checks) for c in certificates)
    yield "# Accuracy of the library\n"
    yield (
        f"{len(certificates)} losses, {points} points, torch {certificates[0].torch}; "
        f"{passed} pass. Wrong NaN, infinities and zeros in the generated modules: {faults}. "
        f"The formula as typed has some in {naive} of the losses.\n"
    )
    yield "Worst error in units of the last place, over all points that were judged:\n"
    yield "| loss | points | value f32 | value f64 | gradient f32 | gradient f64 | verdict |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for certificate in sorted(certificates, key=lambda c: c.loss):
        cells = [
            f"{check.ours.ulp:.3g}"
            for order in LOOSE
            for check in sorted(certificate.checks, key=lambda k: k.dtype)
            if check.order == order
        ]
        row = [certificate.loss, str(certificate.points), *cells, certificate.verdict]
        yield f"| {' | '.join(row)} |"
    yield "\n## Beyond 16 ulp in the value or 64 ulp in the gradient\n"
    yield "| loss | order | dtype | ulp | why | at |"
    yield "| --- | --- | --- | ---: | --- | --- |"
    for certificate in sorted(certificates, key=lambda c: c.loss):
        for check in certificate.checks:
            if check.ours.ulp > LOOSE.get(check.order, math.inf):
                row = [
                    certificate.loss,
                    check.order,
                    check.dtype,
                    f"{check.ours.ulp:.3g}",
                ]
                yield f"| {' | '.join([*row, reason(certificate, check), place(check)])} |"


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
    if check.ours.scaled <= EXPLAINED:
        return f"ill-conditioned: {check.ours.scaled:.2g} times what one ulp of the inputs changes"
    if check.ours.ulp <= 1024:
        return "roundings of several steps add up"
    return "a small result cancels: the error is negligible beside usual results"


def place(check: Check) -> str:
    if check.worst is None:
        return ""
    text = check.worst.point.replace("|", "\\|")
    return f"`{text if len(text) <= 90 else text[:87] + '...'}`"


if __name__ == "__main__":
    main()
