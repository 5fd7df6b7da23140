"""What a certificate does not vouch for, in words: read off the certificate itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from losscodegen.ir.loss import ORDINARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from losscodegen.judge.certificate import Certificate, Check

FORMATS = ("float64", "float32", "float16", "bfloat16")

REASONS = {
    "undefined": "the formula has no value there",
    "undetermined": "interval arithmetic could not narrow the truth down there",
    "overflow": "the derivative is beyond the range of the format there",
    "subnormal": "the second derivative is below the normal numbers of the format there",
    "rim": "at the ends of the format's range intermediate results have no room",
    "kink": "there is no second derivative there",
    "zero": "the second derivative is exactly 0 there",
}
"""Why single entries are not judged, by the names in `Check.beside`."""


def unchecked(certificate: Certificate) -> tuple[tuple[str, str], ...]:
    """Pairs of what was not checked and why; nothing that was checked is among them."""
    return tuple(_unchecked(certificate))


def _unchecked(certificate: Certificate) -> Iterator[tuple[str, str]]:
    judged = {check.dtype for check in certificate.checks}
    if certificate.checks:
        for name in FORMATS:
            if name not in judged:
                yield name, "was not asked for"
    for check in certificate.checks:
        yield from _entries(check)
    if certificate.rejected:
        beyond = certificate.accuracy == "absolute"
        yield (
            f"{certificate.rejected} of the points that were drawn",
            "they violate a `require` of the spec"
            + " or lie where absolute accuracy is not promised" * beyond,
        )
    if certificate.accuracy == "absolute":
        yield (
            f"numbers beyond {ORDINARY:.3g}, or nearer to 0 than {1 / ORDINARY:.3g}",
            "absolute accuracy is not promised for them",
        )
    for claim in certificate.claims:
        if claim.status.value in ("skipped", "vacuous"):
            what = f"{claim.kind}: {claim.text}" if claim.text else claim.kind
            yield what, claim.detail or "the loss has nothing of the kind"
    if not certificate.survival:
        yield "other ways of running the module", "were not asked for (`--through`)"
    for passage in certificate.survival:
        if passage.fate.value == "not checked":
            yield f"through {passage.way}", passage.reason


def _entries(check: Check) -> Iterator[tuple[str, str]]:
    where = f"{check.order} in {check.dtype}"
    if check.status.value == "reported" and check.judged:
        yield f"limits of the {where}", "it is measured, and promised by nobody"
    for reason, count in check.beside:
        entries = "entry" if count == 1 else "entries"
        yield f"{count} {entries} of the {where}", REASONS[reason]
