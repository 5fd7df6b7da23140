"""The certificate of a loss as tables: errors, claims, what was found, what outlives what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from losscodegen.judge.certificate import (
    Certificate,
    Check,
    Culprit,
    Fate,
    Passage,
    Place,
    Score,
    Severity,
)
from losscodegen.judge.survival_table import why
from losscodegen.judge.wording import format_ulp
from losscodegen.markup import table

ORDERS = {"value": "value", "gradient": "gradient", "second": "second derivative"}
BLAME = {
    Culprit.GUARD: "a rewrite",
    Culprit.FORMULA: "the formula",
    Culprit.AUTOGRAD: "autograd",
    Culprit.NOBODY: "",
}


def verdict(certificate: Certificate) -> str:
    """The verdict in one sentence."""
    word = f'<span class="verdict {certificate.verdict}">{certificate.verdict}</span>'
    entries = sum(check.judged for check in certificate.checks)
    formats = ", ".join(dict.fromkeys(check.dtype for check in certificate.checks))
    turned = (
        f"; {certificate.rejected} candidates did not meet the requirements"
        if certificate.rejected
        else ""
    )
    return (
        f"<p>Verdict: {word}. {entries} entries at {certificate.points} points in "
        f"{escape(formats)}{turned}. Seed {certificate.seed}, torch "
        f"{escape(certificate.torch)}, Python {escape(certificate.python)}.</p>"
    )


def evidence(certificate: Certificate) -> Iterator[str]:
    """All tables of a certificate but that of the ways it was run in."""
    yield verdict(certificate)
    if certificate.checks:
        yield _checks(certificate.checks)
        yield (
            '<p class="note">Errors are in units in the last place (ulp): the worst entry. '
            "“Beside the inputs” measures the same error in what careful code is off by: one "
            "ulp, or what rounding the inputs once changes, if that is more. Second derivatives "
            "are measured and promised by nobody.</p>"
        )
        yield _places(certificate.checks)
        yield _unjudged(certificate.checks)
    if certificate.claims:
        yield "<h3>Laws, examples and conventions</h3>"
        yield table(
            "Laws, examples and conventions",
            ("kind", "claim", "verdict", "checked"),
            (
                (
                    escape(c.kind),
                    f"<code>{escape(c.text)}</code>",
                    _word(c.status.value) + _detail(c.detail),
                    str(c.checked),
                )
                for c in certificate.claims
            ),
            numbers=frozenset({3}),
            wide=frozenset({1}),
        )
    if certificate.findings:
        yield "<h3>Found</h3>"
        yield _findings(certificate)


def _checks(checks: Iterable[Check]) -> str:
    rank = list(ORDERS)
    ordered = sorted(checks, key=lambda c: (rank.index(c.order), c.dtype))
    return table(
        "Worst errors by order and precision",
        ("", "precision", "verdict", "entries", "worst ulp", "beside the inputs",
         "as typed, ulp", "as typed, wrong", "who is wrong"),
        (
            (
                ORDERS[c.order],
                escape(c.dtype),
                _word(c.status.value),
                str(c.judged),
                format_ulp(c.ours.ulp),
                format_ulp(c.ours.mixed),
                format_ulp(c.naive.ulp),
                escape(_faults(c.naive)),
                BLAME[c.culprit],
            )
            for c in ordered
        ),
        numbers=frozenset({3, 4, 5, 6}),
    )  # fmt: skip


def _places(checks: Iterable[Check]) -> str:
    """Where the worst errors are, each with what came out and what should have."""
    rows = [
        (
            f"{ORDERS[c.order]}, {escape(c.dtype)}",
            _by(c, place),
            f"<code>{escape(place.got)}</code>",
            f"<code>{escape(place.want)}</code>",
            f"<code>{escape(place.naive)}</code>",
            format_ulp(place.ulp),
        )
        for c in checks
        if (place := c.hardest or c.worst or c.roughest) is not None
    ]
    if not rows:
        return ""
    return "<h3>Hardest entries</h3>" + table(
        "Hardest entries",
        ("", "at", "generated", "exact, rounded", "as typed", "ulp"),
        rows,
        numbers=frozenset({5}),
        wide=frozenset({1}),
    )


def _by(check: Check, place: Place) -> str:
    by = f" (by <code>{escape(place.variable)}</code>)" if place.variable else ""
    text = place.point if len(place.point) <= 160 else place.point[:159] + "…"
    return f"<code>{escape(text)}</code>{by}"


def _unjudged(checks: Iterable[Check]) -> str:
    rows = [
        (
            f"{ORDERS[c.order]}, {escape(c.dtype)}",
            escape(", ".join(f"{n} {name}" for name, n in c.classes)),
            escape(", ".join(f"{n} {name}" for name, n in c.beside)) or "none",
        )
        for c in checks
    ]
    return "<h3>What was judged, and what was not</h3>" + table(
        "Judged entries by kind of point, and those not judged by reason",
        ("", "judged at", "not judged"),
        rows,
        wide=frozenset({1, 2}),
    )


def _faults(score: Score) -> str:
    named = (("NaN", score.nan), ("inf", score.infinite), ("zero", score.zero))
    return ", ".join(f"{count} {name}" for name, count in named if count)


def _findings(certificate: Certificate) -> str:
    items = []
    for finding in certificate.findings:
        where = ", ".join(
            part
            for part in (ORDERS.get(finding.order or "", ""), finding.dtype or "")
            if part
        )
        place = (
            f" at <code>{escape(finding.place.point)}</code>" if finding.place else ""
        )
        items.append(
            f"<li>{_word(finding.severity.value)}: {escape(finding.message)}{place}"
            f"{f' ({escape(where)})' if where else ''}</li>"
        )
    return f"<ul>{''.join(items)}</ul>"


def survival(passages: Iterable[Passage]) -> str:
    """One row per way of running the module."""
    return table(
        "Ways of running the module",
        ("through", "verdict", "entries", "value, ulp", "as it is", "gradient, ulp",
         "as it is", "why"),
        (
            (
                escape(p.way),
                _fate(p.fate),
                str(p.judged or ""),
                *(
                    format_ulp(n) if p.judged else ""
                    for n in (p.value, p.eager_value, p.gradient, p.eager_gradient)
                ),
                escape(why(p)),
            )
            for p in passages
        ),
        numbers=frozenset({2, 3, 4, 5, 6}),
        wide=frozenset({7}),
    )  # fmt: skip


def _fate(fate: Fate) -> str:
    kind = {Fate.SURVIVES: "survives", Fate.DIES: "dies"}.get(fate, "soft")
    return f'<span class="{kind}">{fate.value}</span>'


_CLASSES = {
    "skipped": "soft",
    "reported": "soft",
    Severity.NOTE.value: "soft",
}


def _word(word: str) -> str:
    return f'<span class="{_CLASSES.get(word, word)}">{escape(word)}</span>'


def _detail(text: str) -> str:
    return f'<br><span class="note">{escape(text)}</span>' if text else ""
