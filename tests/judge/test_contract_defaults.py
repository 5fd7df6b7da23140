"""A parameter that is left out: the one way to call a module that no point takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from losscodegen.judge.accused import Accused
from losscodegen.judge.certificate import Status
from losscodegen.judge.contract import check_contract
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from tests.lab_modules import read_loss

GENERATED = Path(__file__).parents[2] / "generated"
CLAUSE = "defaults are those of the spec"


@pytest.mark.parametrize(
    ("spec", "before", "after", "place", "detail"),
    [
        (
            "weighted_log_loss",
            "positive_weight: float = 1.0",
            "positive_weight: float = 2.5",
            -1,
            "positive_weight left out is not positive_weight=1.0",
        ),
        (
            "nll",
            "ignore_index: int = -100",
            "ignore_index: int = -101",
            0,
            "nll_loss has ignore_index=-101 by default",
        ),
        ("huber", "", "", 0, ""),
    ],
)
def test_a_wrong_default_breaks_a_promise(
    spec: str, before: str, after: str, place: int, detail: str
) -> None:
    """The class has it last, the function beside the class first."""
    loss = read_loss(spec)
    text = (GENERATED / f"{spec}.py").read_text(encoding="utf-8")
    if before:
        parts = text.split(before)
        assert len(parts) == 3, "once in the function, once in the class"
        joints = [before, before]
        joints[place] = after
        text = parts[0] + joints[0] + parts[1] + joints[1] + parts[2]
    tame = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="claims")
    claims, _ = check_contract(loss, Accused.load(loss, text), tame)
    assert {c.text: c.detail for c in claims if c.status is Status.FAILED} == (
        {CLAUSE: detail} if detail else {}
    )
    (clause,) = (c for c in claims if c.text == CLAUSE)
    assert clause.checked or detail
