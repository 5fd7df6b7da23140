"""The page of accuracy says how many losses reach their targets, and lists what does not."""

from __future__ import annotations

import importlib.util
import types
from dataclasses import replace
from pathlib import Path

import pytest

from losscodegen.judge.certificate import Certificate
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
    assert "2 of 2 within 4 | 2 of 2 within 8 | 1 of 2 within 64" in first
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
