"""What a certificate says of what it does not vouch for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from losscodegen.judge.certificate import Certificate, Claim, Fate, Passage, Status
from losscodegen.judge.check import verify
from losscodegen.judge.criterion import Skip
from losscodegen.judge.unchecked import FORMATS, REASONS, unchecked
from losscodegen.language.parse import load_losses

DATA = Path(__file__).parent / "data"
LOSS = next(x for x in load_losses(DATA / "judged.toml") if x.name == "SoftplusLoss")
RIGHT = (DATA / "softplus.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return verify(LOSS, RIGHT, points=12, dtypes=("float32",))


def test_every_reason_has_words() -> None:
    assert set(REASONS) == {skip.value for skip in Skip}


def test_formats_that_were_not_asked_for(certificate: Certificate) -> None:
    found = dict(unchecked(certificate))
    assert {name for name in FORMATS if name in found} == {
        "float64",
        "float16",
        "bfloat16",
    }
    assert found["limits of the second in float32"].startswith("it is measured")


def test_entries_that_were_passed_over_are_counted(certificate: Certificate) -> None:
    found = dict(unchecked(certificate))
    counted = 0
    for check in certificate.checks:
        for reason, count in check.beside:
            entries = "entry" if count == 1 else "entries"
            what = f"{count} {entries} of the {check.order} in {check.dtype}"
            assert found[what] == REASONS[reason]
            counted += 1
    assert counted >= 1, "the softplus has second derivatives of exactly 0"


def test_ways_of_running_it(certificate: Certificate) -> None:
    assert "other ways of running the module" in dict(unchecked(certificate))
    lives = Passage(way="vmap", fate=Fate.SURVIVES, points=3, judged=9)
    other = Passage(way="onnx", fate=Fate.NOT_CHECKED, reason="onnx is missing")
    found = dict(unchecked(replace(certificate, survival=(lives, other))))
    assert "other ways of running the module" not in found
    assert found["through onnx"] == "onnx is missing"
    assert "through vmap" not in found


def test_a_law_without_a_point(certificate: Certificate) -> None:
    nowhere = Claim(
        kind="law (module)",
        text="loss >= 0",
        status=Status.VACUOUS,
        checked=0,
        detail="there was no point",
    )
    found = dict(unchecked(replace(certificate, claims=(nowhere,))))
    assert found["law (module): loss >= 0"] == "there was no point"
