"""Certificates after the fact: is this one as it was written, and about what lies here?

A seal is a hash of all that a certificate says. It shows that something was edited, by accident or
in passing; it is no signature, as whoever edits on purpose can seal anew. Against that there is
`check` itself, which gives the same certificate again, byte for byte, from spec, module and seed.

Nothing here imports PyTorch or executes a module: the questions are answered in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import SCHEMA
from losscodegen.judge.versions import installed, judge_version, libraries, python
from losscodegen.language.write import format_loss

SEAL = "seal"


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A certificate as plain data, with its seal as the last entry."""
    rest = {key: value for key, value in data.items() if key != SEAL}
    return {**rest, SEAL: seal(rest)}


def seal(data: Mapping[str, Any]) -> str:
    """sha256 of all entries but the seal itself; their order and the layout do not matter."""
    rest = {key: value for key, value in data.items() if key != SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def spec_hash(loss: Loss) -> str:
    """sha256 of a loss as it is printed: layout and comments of the file do not count."""
    return text_hash(format_loss(loss))


def text_hash(text: str) -> str:
    """sha256 of the text of a module."""
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a module as it lies on disk.

    Raises:
        OSError: if it cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Something that keeps a certificate from vouching for what lies here."""

    code: str
    message: str
    hint: str
    fatal: bool = True
    """Whether the certificate is worth nothing here; else it is only no longer the latest word."""


def discrepancies(
    data: Mapping[str, Any], *, spec: str, source: str
) -> tuple[Discrepancy, ...]:
    """What is wrong with a certificate, given the hashes of the spec and the module it is for.

    ``data`` is one certificate as it was written, of this schema (see `readable`).
    """
    found = []
    if data[SEAL] != seal(data):
        found.append(
            Discrepancy(
                code="certificate-edited",
                message="the certificate is not as it was written: its seal does not fit",
                hint="run `losscodegen check --json` anew instead of editing a certificate",
            )
        )
    for key, hashed, what in (("spec", spec, "spec"), ("source", source, "module")):
        if data[key] != hashed:
            found.append(
                Discrepancy(
                    code=f"{what}-changed",
                    message=f"the {what} is not the one that was judged "
                    f"(sha256 {hashed[:12]}..., the certificate is for {data[key][:12]}...)",
                    hint="run `losscodegen check --json` anew",
                )
            )
    if data["verdict"] != "passed":
        found.append(
            Discrepancy(
                code="not-passed",
                message=f"the verdict of the certificate is {data['verdict']!r}",
                hint="`losscodegen check` shows what is wrong",
            )
        )
    return (*found, *_aged(data))


def _aged(data: Mapping[str, Any]) -> tuple[Discrepancy, ...]:
    """What judged then and would judge otherwise now."""
    then = {
        "Python": data["python"],
        "torch": data["torch"],
        **dict(data["libraries"]),
    }
    now = {"Python": python(), "torch": installed("torch"), **dict(libraries())}
    changed = [
        f"{name} was {number}, is {now.get(name, 'none')}"
        for name, number in then.items()
        if _public(number) != _public(now.get(name, "none"))
    ]
    if data["judge"] != judge_version():
        changed.insert(0, "the judge's own code is another")
    if not changed:
        return ()
    return (
        Discrepancy(
            code="judged-otherwise",
            message="judged under other circumstances: " + "; ".join(changed),
            hint="it still holds for them; `losscodegen check --json` gives one for today",
            fatal=False,
        ),
    )


def _public(number: str) -> str:
    """A version without what tells builds of it apart: ``2.13.0+cpu`` is 2.13.0."""
    return number.partition("+")[0]


def readable(data: object) -> str:
    """Why ``data`` is no certificate that can be verified; nothing if it is one."""
    if not isinstance(data, dict):
        return "it is no JSON object"
    if data.get("schema") != SCHEMA:
        return f"its schema is {data.get('schema')!r}, this is for schema {SCHEMA}"
    for key in ("loss", "spec", "source", "judge", "torch", "python", "verdict", SEAL):
        if not isinstance(data.get(key), str):
            return f"it has no text as its {key!r}"
    pairs = data.get("libraries")
    if not isinstance(pairs, list) or not all(
        isinstance(p, list) and len(p) == 2 and all(isinstance(t, str) for t in p)
        for p in pairs
    ):
        return "its 'libraries' are no pairs of names and versions"
    return ""
