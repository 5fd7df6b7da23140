"""The page of accuracy says how many losses reach their targets, and lists what does not."""

from __future__ import annotations

import importlib.util
import types
from dataclasses import replace
from pathlib import Path

import pytest

from losscodegen.judge.certificate import Certificate, Check, Place
from losscodegen.judge.check import verify
from losscodegen.judge.mixed import ELEMENTARY, OVER_AXES
from losscodegen.language.parse import load_losses

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "judge" / "data"
LOSSES = {loss.name: loss for loss in load_losses(DATA / "judged.toml")}


@pytest.fixture(scope="module")
def accuracy() -> types.ModuleType:
    path = ROOT / "benchmarks" / "accuracy.py"
    spec = importlib.util.spec_from_file_location("accuracy", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def certificate(name: str, file: str) -> Certificate:
    source = (DATA / file).read_text(encoding="utf-8")
    return verify(LOSSES[name], source, points=12)


@pytest.fixture(scope="module")
def softplus() -> Certificate:
    return certificate("SoftplusLoss", "softplus.py")


@pytest.fixture(scope="module")
def huber() -> Certificate:
    return certificate("HuberLoss", "huber.py")


@pytest.fixture(scope="module")
def distance() -> Certificate:
    return certificate("DistanceLoss", "distance.py")


def test_losses_are_counted_by_kind(
    accuracy: types.ModuleType,
    softplus: Certificate,
    huber: Certificate,
    distance: Certificate,
) -> None:
    assert accuracy.kind(softplus) == ELEMENTARY
    assert accuracy.kind(distance) == OVER_AXES
    text = "\n".join(accuracy.page([softplus, huber, distance]))
    first = next(line for line in text.splitlines() if "elementary functions |" in line)
    # log_sigmoid's double backward loses the tail, Huber's second derivative is 0 or 1.
    assert first.endswith(
        "| 2 of 2 within 4 | 2 of 2 within 8 | 2 of 2 within 8 | 1 of 2 within 64 |"
    )
    assert "| over axes | " in text
    assert "special functions" not in text


def test_every_loss_stands_beside_its_formula(
    accuracy: types.ModuleType, softplus: Certificate, distance: Certificate
) -> None:
    lines = list(accuracy.page([softplus, distance]))
    (line,) = (x for x in lines if x.startswith("| SoftplusLoss | ") and "(" in x)
    cells = [c.strip() for c in line.strip("|").split("|")]
    assert len(cells) == 9
    assert all(cell.endswith("(inf)") for cell in cells[4:6])
    assert all("(" in cell for cell in cells[2:8])
    (line,) = (x for x in lines if x.startswith("| DistanceLoss | ") and "passed" in x)
    assert line.endswith("| - | - | passed |")


def test_exceptions_come_worst_first_with_their_points(
    accuracy: types.ModuleType, softplus: Certificate
) -> None:
    value = softplus.checks[0]
    spoilt = replace(
        softplus,
        loss="WorseLoss",
        checks=(replace(value, ours=replace(value.ours, mixed=9.0)),),
    )
    worse = replace(
        spoilt,
        loss="WorstLoss",
        checks=(replace(value, ours=replace(value.ours, mixed=1e6)),),
    )
    lines = list(accuracy.exceptions([spoilt, softplus, worse], ("value", "gradient")))
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| WorstLoss",
        "| WorseLoss",
    ]
    assert "`x = " in lines[2]
    assert "roundings of several steps add up" in lines[3]
    assert list(accuracy.exceptions([softplus], ("value", "gradient"))) == ["None."]
    (second,) = {
        line.split(" | ")[0]
        for line in list(accuracy.exceptions([softplus], ("second",)))[2:]
    }
    assert second == "| SoftplusLoss"


def spoilt(certificate: Certificate, order: str, **place: object) -> Check:
    """A check beyond its target, by the numbers of ``place``."""
    check = next(
        c
        for c in certificate.checks
        if (c.order, c.dtype) == (order, "float32") and c.hardest is not None
    )
    assert isinstance(check.hardest, Place)
    worst = replace(check.hardest, fault="cancellation", label="normal", ulp=1e6)
    worst = replace(worst, **place)  # type: ignore[arg-type]
    return replace(check, ours=replace(check.ours, mixed=1e6), hardest=worst)


@pytest.mark.parametrize(
    ("order", "place", "why"),
    [
        ("gradient", {"got": "2e-9", "want": "1e-9", "largest": 1.0}, "BESIDE"),
        ("gradient", {"got": "2e-5", "want": "1e-5", "largest": 1.0}, "CANCELS"),
        ("value", {"got": "2e-9", "want": "1e-9", "largest": 1.0}, "CANCELS"),
        ("gradient", {"got": "1e-9", "want": "0.0", "largest": 0.0}, "NOTHING"),
        ("gradient", {"got": "1e-30", "want": "1e-40", "largest": 1.0}, "SUBNORMAL"),
        (
            "gradient",
            {"got": "0.5", "want": "0.0", "label": "formula seam x"},
            "SEAM",
        ),
        (
            "gradient",
            {"got": "0.5", "want": "0.4", "label": "formula seam x"},
            "CANCELS",
        ),
    ],
)
def test_reasons_are_what_the_numbers_tell(
    accuracy: types.ModuleType,
    distance: Certificate,
    order: str,
    place: dict[str, object],
    why: str,
) -> None:
    check = spoilt(distance, order, **place)
    assert accuracy.reason(distance, check) == getattr(accuracy, why)


def test_reasons_are_counted(accuracy: types.ModuleType, distance: Certificate) -> None:
    beside = spoilt(distance, "gradient", got="2e-9", want="1e-9", largest=1.0)
    lost = spoilt(distance, "value", got="2.0", want="1.0", fault="wrong-digits")
    bad = replace(distance, checks=(beside, lost))
    lines = list(accuracy.reasons([bad, bad, distance], ("value", "gradient")))
    assert lines[2:4] == [
        f"| {accuracy.LOST} | 2 | 0 |",
        f"| {accuracy.BESIDE} | 0 | 2 |",
    ]
    assert list(accuracy.reasons([distance], ("value", "gradient"))) == []


def test_a_place_knows_the_largest_entry_beside_it(distance: Certificate) -> None:
    places = [c.hardest for c in distance.checks if c.hardest is not None]
    assert places
    for place in places:
        want = abs(float(place.want))
        assert place.largest >= want * (1 - 1e-3)
    again = Certificate.from_dict(distance.as_dict())
    assert [c.hardest for c in again.checks] == [c.hardest for c in distance.checks]
