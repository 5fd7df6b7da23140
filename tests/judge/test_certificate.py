"""Certificates are data: reproducible and readable."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from losscodegen.judge.certificate import (
    Certificate,
    Claim,
    Culprit,
    Fate,
    Finding,
    Passage,
    Place,
    Severity,
    Status,
    tidy,
)
from losscodegen.judge.check import verify
from losscodegen.judge.criterion import Limits
from losscodegen.judge.table import (
    as_text,
    certificate_table,
    format_ulp,
    library_table,
)
from losscodegen.judge.versions import judge_version
from losscodegen.language.parse import load_losses
from losscodegen.language.write import format_loss

DATA = Path(__file__).parent / "data"
LOSS = next(x for x in load_losses(DATA / "judged.toml") if x.name == "SoftplusLoss")
RIGHT = (DATA / "softplus.py").read_text(encoding="utf-8")
WRONG = RIGHT.replace("-F.logsigmoid(-x)", "(1 + x.exp()).log()")


@pytest.fixture(scope="module")
def passed() -> Certificate:
    return verify(LOSS, RIGHT, points=12)


@pytest.fixture(scope="module")
def failed() -> Certificate:
    return verify(LOSS, WRONG, points=12)


def test_the_same_arguments_give_the_same_bytes(passed: Certificate) -> None:
    assert verify(LOSS, RIGHT, points=12).as_json() == passed.as_json()
    other = verify(LOSS, RIGHT, points=12, seed=1)
    assert other.seed == 1
    assert other.passed


def test_json_keeps_everything(passed: Certificate, failed: Certificate) -> None:
    for certificate in (passed, failed):
        text = certificate.as_json()
        assert Certificate.from_dict(json.loads(text)) == certificate
        assert "NaN" not in json.dumps(json.loads(text), allow_nan=False)
    data = json.loads(failed.as_json())
    assert data["schema"] == 5
    assert data["accuracy"] == "relative"
    assert data["verdict"] == "failed"
    assert data["loss"] == "SoftplusLoss"
    assert {len(data[key]) for key in ("spec", "source", "judge")} == {64}
    assert any(f["culprit"] == "formula" for f in data["findings"])


def test_a_way_in_which_it_dies_is_no_pass(passed: Certificate) -> None:
    place = Place(
        point="x = 1.0",
        label="one",
        got="nan",
        want="1.0",
        ulp=math.inf,
        scaled=math.inf,
        mixed=math.inf,
        fault="wrong-nan",
    )
    dies = Passage(way="onnx", fate=Fate.DIES, reason="y", value=math.inf, place=place)
    lives = Passage(way="vmap", fate=Fate.SURVIVES, points=3, judged=9)
    other = Passage(way="export", fate=Fate.NOT_CHECKED, reason="not installed")
    good = replace(passed, survival=(lives, other))
    bad = replace(passed, survival=(lives, dies))
    assert good.passed
    assert (bad.passed, bad.vacuous) == (False, False)
    for certificate in (good, bad):
        data = json.loads(certificate.as_json())
        assert Certificate.from_dict(data) == certificate
    text = as_text(certificate_table(bad))
    assert "onnx" in text and "dies" in text


def test_certificates_of_older_schemas_are_read(passed: Certificate) -> None:
    data = passed.as_dict()
    for check in data["checks"]:
        del check["whole"]
    data["schema"] = 4
    # What was not measured is no promise.
    checks = tuple(replace(c, whole=math.inf) for c in passed.checks)
    old = replace(passed, schema=4, checks=checks)
    assert Certificate.from_dict(data) == old
    del data["libraries"], data["unchecked"]
    data["schema"] = 3
    old = replace(old, schema=3, libraries=())
    assert Certificate.from_dict(data) == old
    del data["survival"]
    data["schema"] = 2
    assert Certificate.from_dict(data) == replace(old, schema=2)


def test_hashes_follow_spec_and_source(
    passed: Certificate, failed: Certificate
) -> None:
    assert passed.spec == failed.spec
    assert passed.source != failed.source
    assert passed.judge == judge_version()


def test_a_certificate_without_checks_is_no_pass(passed: Certificate) -> None:
    assert not replace(passed, checks=()).passed
    claim = Claim(kind="law", text="x", status=Status.FAILED, checked=1)
    assert not replace(passed, claims=(claim,)).passed
    finding = Finding(code="x", severity=Severity.LOOSE, message="y")
    assert replace(passed, findings=(finding,)).passed
    finding = replace(finding, severity=Severity.FAILURE)
    assert replace(passed, findings=(finding,)).verdict == "failed"


def test_findings_come_worst_first(failed: Certificate) -> None:
    severities = [f.severity for f in failed.findings]
    assert severities == sorted(severities, key=list(Severity).index)
    ulps = [
        f.place.ulp
        for f in failed.findings
        if f.place and f.severity is Severity.FAILURE
    ]
    assert ulps == sorted(ulps, reverse=True)


def test_errors_are_kept_to_four_digits() -> None:
    assert tidy(1.23456789) == 1.235
    assert tidy(math.inf) == math.inf


def test_the_table_of_one_says_who_is_wrong(failed: Certificate) -> None:
    text = as_text(certificate_table(failed))
    assert "SoftplusLoss: failed" in text
    assert "formula" in text
    assert "[wrong-infinity]" in text
    assert "x = " in text
    assert "\x1b" not in text
    assert text.index("failure") < text.rindex("witness") or "witness" in text


def test_the_table_of_many_has_the_worst_first(
    passed: Certificate, failed: Certificate
) -> None:
    good = replace(passed, loss="GoodLoss")
    text = as_text(library_table([good, failed]))
    assert text.index("SoftplusLoss") < text.index("GoodLoss")
    assert "failed" in text
    assert "passed" in text


@pytest.mark.parametrize(
    ("ulp", "text"),
    [(0.0, "0"), (1.5, "1.5"), (940.2, "940"), (2.4e8, "2e+08"), (math.inf, "inf")],
)
def test_errors_are_short(ulp: float, text: str) -> None:
    assert format_ulp(ulp) == text


def test_cancellation_may_be_told_and_not_held_against_a_module() -> None:
    entropy = next(
        x for x in load_losses(DATA / "judged.toml") if x.name == "CrossEntropyLoss"
    )
    source = (DATA / "cross_entropy.py").read_text(encoding="utf-8")
    source = source.replace(
        "F.softplus(total, threshold=40.0)",
        "(margin.logsumexp(1) + 0 * total).relu()",
    )
    strict = verify(entropy, source, points=60, dtypes=("float64",))
    limits = Limits(cancellation=Severity.LOOSE)
    lenient = verify(entropy, source, points=60, dtypes=("float64",), limits=limits)
    codes = {f.code for f in strict.findings if f.severity is Severity.FAILURE}
    told = {f.code for f in lenient.findings if f.severity is Severity.FAILURE}
    assert "cancellation" in codes
    assert "cancellation" not in told
    assert any(f.code in ("loose", "cancellation") for f in lenient.findings)


def test_the_spec_is_hashed_as_it_is_printed(passed: Certificate) -> None:
    renamed = replace(LOSS, summary="Something else.")
    assert format_loss(renamed) != format_loss(LOSS)
    assert verify(renamed, RIGHT, points=12, dtypes=("float32",)).spec != passed.spec


def test_the_culprits_have_names() -> None:
    assert {c.value for c in Culprit} == {"guard", "formula", "autograd", "-"}
