"""Certificates for readers: one in full, or a library of them, worst first."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from losscodegen.judge.certificate import (
    Certificate,
    Check,
    Culprit,
    Finding,
    Score,
    Severity,
    Status,
)
from losscodegen.judge.survival_table import survival_table
from losscodegen.judge.wording import format_ulp as format_ulp

_COLOURS = {
    "passed": "green",
    "failed": "bold red",
    "vacuous": "yellow",
    "skipped": "dim",
    "reported": "dim",
    Severity.FAILURE.value: "bold red",
    Severity.LOOSE.value: "yellow",
    Severity.NOTE.value: "dim",
}
_BLAME = {
    Culprit.GUARD: "guard",
    Culprit.FORMULA: "formula",
    Culprit.AUTOGRAD: "autograd",
    Culprit.NOBODY: "",
}


def certificate_table(certificate: Certificate) -> RenderableType:
    """One certificate: the checks worst first, then claims, then what was found.

    Errors are by the mixed criterion (see `losscodegen.judge.mixed`); the certificate has those in
    ulp, too.
    """
    checks = Table(title=_title(certificate), title_justify="left", box=SIMPLE_HEAD)
    for heading in ("dtype", "order", "verdict"):
        checks.add_column(heading)
    for heading in ("entries", "error", "target", "beyond", "naive error"):
        checks.add_column(heading, justify="right")
    for heading in ("wrong in naive", "who is wrong", "not judged", "worst at"):
        checks.add_column(heading, overflow="fold")
    for check in sorted(certificate.checks, key=_badness, reverse=True):
        checks.add_row(
            check.dtype,
            check.order,
            _coloured(check.status.value),
            str(check.judged),
            format_ulp(check.ours.mixed),
            format_ulp(check.target),
            str(check.judged - check.within),
            format_ulp(check.naive.mixed),
            _faults(check.naive),
            _BLAME[check.culprit],
            ", ".join(f"{n} {name}" for name, n in check.beside),
            _where(check),
        )
    parts: list[RenderableType] = [checks]
    if certificate.claims:
        claims = Table(box=SIMPLE_HEAD)
        for heading in ("claim", "", "verdict", "checked"):
            claims.add_column(heading, overflow="fold")
        for claim in certificate.claims:
            claims.add_row(
                claim.kind,
                escape(_clipped(claim.text, 70)),
                _coloured(claim.status.value),
                str(claim.checked),
            )
        parts.append(claims)
    if certificate.survival:
        parts.append(survival_table(certificate.survival))
    parts += [_finding(f) for f in certificate.findings]
    return Group(*parts)


def measurements(certificate: Certificate) -> RenderableType:
    """The checks of one certificate alone, worst first, with errors in ulp."""
    table = Table(box=SIMPLE_HEAD)
    for heading in ("dtype", "order", "verdict"):
        table.add_column(heading)
    for heading in ("entries", "worst ulp"):
        table.add_column(heading, justify="right")
    table.add_column("wrong")
    table.add_column("worst at", overflow="fold")
    for check in sorted(certificate.checks, key=_badness, reverse=True):
        place = check.worst if check.status is Status.FAILED else check.roughest
        table.add_row(
            check.dtype,
            check.order,
            _coloured(check.status.value),
            str(check.judged),
            format_ulp(check.ours.ulp),
            _faults(check.ours),
            "" if place is None else escape(_clipped(place.point, 40)),
        )
    return table


def library_table(certificates: Iterable[Certificate]) -> RenderableType:
    """One row per loss, the worst first, with errors by the mixed criterion."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("loss")
    for heading in (
        "points",
        "value f32",
        "value f64",
        "gradient f32",
        "gradient f64",
        "second f32",
        "second f64",
        "naive value",
        "naive gradient",
    ):
        table.add_column(heading, justify="right")
    table.add_column("naive wrong by")
    table.add_column("verdict")
    for certificate in sorted(certificates, key=_worst, reverse=True):
        by = {(c.dtype, c.order): c for c in certificate.checks}
        table.add_row(
            certificate.loss,
            str(certificate.points),
            *(
                _cell(by.get((dtype, order)))
                for order in ("value", "gradient", "second")
                for dtype in ("float32", "float64")
            ),
            *(_naive(certificate.checks, order) for order in ("value", "gradient")),
            _blame(certificate.checks),
            _coloured(certificate.verdict),
        )
    return table


def as_text(renderable: RenderableType, *, width: int = 200) -> str:
    """Plain text, for files and pipes."""
    console = Console(
        file=io.StringIO(), width=width, no_color=True, legacy_windows=False
    )
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


# ---------------------------------------------------------------------- parts


def _title(certificate: Certificate) -> str:
    absolute = "absolute accuracy, " * (certificate.accuracy == "absolute")
    turned_away = f", {certificate.rejected} rejected" * (certificate.rejected > 0)
    return (
        f"{certificate.loss}: {certificate.verdict} "
        f"({absolute}{certificate.points} points{turned_away}, seed {certificate.seed}, "
        f"torch {certificate.torch})"
    )


def _coloured(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _faults(score: Score) -> str:
    parts = (
        f"{count} {name}"
        for name, count in (
            ("NaN", score.nan),
            ("inf", score.infinite),
            ("zero", score.zero),
        )
        if count
    )
    return ", ".join(parts)


def _finding(finding: Finding) -> RenderableType:
    head = Text(finding.severity.value, style=_COLOURS[finding.severity.value])
    blame = _BLAME[finding.culprit]
    where = "/".join(p for p in (finding.dtype, finding.order) if p)
    line = f"[{finding.code}] {where + ': ' if where else ''}{finding.message}"
    if blame:
        line += f" (wrong: {blame})"
    return Text.assemble(head, " ", line)


def _cell(check: Check | None) -> Text:
    if check is None:
        return Text("-")
    style = "" if check.status is Status.PASSED else _COLOURS[check.status.value]
    return Text(format_ulp(check.ours.mixed) if check.judged else "-", style=style)


def _where(check: Check) -> str:
    """The point of the failure, or else of the largest error."""
    place = check.worst if check.status is Status.FAILED else check.hardest
    return "" if place is None else escape(_clipped(place.point, 60))


def _naive(checks: Sequence[Check], order: str) -> str:
    return format_ulp(
        max((c.naive.mixed for c in checks if c.order == order), default=0)
    )


def _blame(checks: Sequence[Check]) -> str:
    return ", ".join(
        sorted({_BLAME[c.culprit] for c in checks if c.culprit is not Culprit.NOBODY})
    )


def _badness(check: Check) -> tuple[int, float, float]:
    rank = {Status.REPORTED: 0, Status.PASSED: 1}.get(check.status, 2)
    return rank, check.ours.mixed / check.target, check.ours.ulp


def _worst(certificate: Certificate) -> tuple[int, float, str]:
    rank = ("passed", "vacuous", "failed").index(certificate.verdict)
    promised = [c for c in certificate.checks if c.status is not Status.REPORTED]
    error = max((c.ours.mixed / c.target for c in promised), default=0.0)
    return rank, error, certificate.loss


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
