"""The judgement of a loss that was written by hand, for readers: a text, or one problem."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from losscodegen.errors import Diagnostic, Location


def report(target: str, judgement: Mapping[str, Any]) -> str:
    """The verdict, what is wrong in words, the measurements worst first, the smallest input."""
    from losscodegen.judge.certificate import Certificate
    from losscodegen.judge.table import as_text, format_ulp, measurements

    keys = Certificate.__dataclass_fields__
    certificate = Certificate.from_dict({k: judgement[k] for k in keys})
    lines = [f"{target} as {certificate.loss}: {certificate.verdict}"]
    lines += [_facts(judgement)]
    diagnosis = judgement["diagnosis"]
    if diagnosis is not None:
        lines += ["", f"{diagnosis['code']}: {diagnosis['explanation']}"]
        lines += [f"  evidence: {diagnosis['evidence']}"]
        lines += [f"  what to do: {diagnosis['remedy']}"]
    smallest = judgement["smallest"]
    if smallest is not None:
        what = _what(smallest["order"], smallest["variable"])
        lines += ["", f"smallest input that fails ({smallest['dtype']}):"]
        lines += [f"  {smallest['point'] or 'no input at all'}"]
        lines += [
            f"  {what}: got {smallest['got']}, should be {smallest['want']} "
            f"({format_ulp(float(smallest['ulp']))} ulp off)"
        ]
    wrapped = [
        textwrap.fill(line, 100, subsequent_indent="    ", break_long_words=False)
        for line in lines
    ]
    table = "\n".join(
        line.rstrip()
        for line in as_text(measurements(certificate), width=100).splitlines()
    )
    body = "\n".join(wrapped) + "\n" + table.rstrip() + "\n"
    if smallest is None:
        for finding in judgement["findings"]:
            if finding["severity"] == "failure":
                body += f"{finding['code']}: {finding['message']}\n"
    return body


def _what(order: str, variable: str | None) -> str:
    return order if variable is None else f"{order} by {variable}"


def _facts(judgement: Mapping[str, Any]) -> str:
    called = ", ".join(f"{s} = {n}" for s, n in judgement["arguments"].items())
    fixed = ", ".join(f"{s} = {v}" for s, v in judgement["judged_at"].items())
    text = f"judged at {judgement['points']} points; arguments: {called}"
    text += f"; fixed: {fixed}" if fixed else ""
    return text + f"; returns: {judgement['returns']}"


def as_problem(file: str, judgement: Mapping[str, Any]) -> Diagnostic:
    diagnosis = judgement["diagnosis"]
    first = next((f for f in judgement["findings"] if f["severity"] == "failure"), None)
    said = first["message"] if first else "nothing was checked that could have failed"
    code = (
        diagnosis["code"] if diagnosis else (first or {}).get("code", "vacuous-check")
    )
    return Diagnostic(
        code,
        f"{judgement['module']}: {diagnosis['explanation'] + ': ' if diagnosis else ''}{said}",
        Location(file, 1, 1, 2),
        diagnosis["remedy"] if diagnosis else None,
    )
