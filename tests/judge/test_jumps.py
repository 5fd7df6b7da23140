"""A value that jumps is told, with the seam and both sides; one that is continuous is not."""

from __future__ import annotations

from random import Random

import pytest

from losscodegen.judge.certificate import Certificate, Severity
from losscodegen.judge.check import verify
from losscodegen.judge.jumps import jumps
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.seams import flips
from losscodegen.judge.trial import naive_function
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

HEAD = """
[JumpLoss]
summary = "For a test."
inputs.x = { type = "real[...]", doc = "a" }
inputs.y = { type = "real[...]", doc = "b" }
"""


def told(text: str, dtype: Dtype, x: Array, y: Array) -> list[str]:
    loss = losses_from_text(text)[0]
    base = Point(values={"x": x, "y": y})
    seams = flips(loss, naive_function(loss, dtype), dtype, [base], Random(0))
    found = jumps(loss, Oracles(), seams)
    assert all(f.code == "jump" and f.severity is Severity.NOTE for f in found)
    return [f.message for f in found]


def told_pointwise(formula: str, dtype: Dtype) -> list[str]:
    x, y = Array((1,), (0.25,)), Array((1,), (1.5,))
    return told(HEAD + f'loss = "({formula}) + 0*y"', dtype, x, y)


JUMPS = (
    ("where(x > 0, 3, 0)", "x > 0", {"3", "0"}),
    ("Piecewise((x**2, x < 2), (3*x, True))", "x < 2", {"4", "6"}),
    ("Piecewise((x**2, abs(x) < 2), (4.001, True))", "abs(x) < 2", {"4", "4.001"}),
    ("2*sign(x)", "sign(x)", {"-2", "2"}),
    ("x/100000 + 7*floor(x/7)", "floor(x/7)", None),
    ("where(x*y > 1, 1, 2)", "x*y > 1", {"1", "2"}),
    ("where(x == 0, 1, x**2)", "x == 0", {"0", "1"}),
    ("sign(x)**2", "sign(x)", {"0", "1"}),
    ("where(x > 1/3, 1, 0)", "x > 1/3", {"0", "1"}),
)


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.FLOAT64])
@pytest.mark.parametrize(("formula", "seam", "sides"), JUMPS)
def test_a_jump_is_told(
    formula: str, seam: str, sides: set[str] | None, dtype: Dtype
) -> None:
    found = [m for m in told_pointwise(formula, dtype) if f"jumps at {seam}: " in m]
    assert len(found) == 1
    words = found[0].split(f"jumps at {seam}: from ")[1].split(" ")
    assert words[1] == "to"
    assert sides is None or {words[0], words[2]} == sides
    assert " at x = " in found[0]


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.FLOAT64])
@pytest.mark.parametrize(
    "formula",
    [
        "where(x > 0, x*y, 0)",
        "Piecewise(((x - y)**2/2, abs(x - y) <= 1), (abs(x - y) - 1/2, True))",
        "abs(x - y)",
        "relu(1e6*x) + Max(x, y)",
        "where(x > 0, sqrt(x), 0)",
        "where(x > 0, x**(1/10), 0)",
        "where(x == 0, 1, sinh(x)/x)",
        "tanh(1e9*(x - y)) + abs(x)",
        "where(x > 1/3, 3*x, 1)",
        "abs(x)*floor(y) - abs(x)*floor(y)",
        "softplus(x - y)",
    ],
)
def test_what_meets_is_not_told(formula: str, dtype: Dtype) -> None:
    """Kinks, vertical tangents and steep slopes are no jumps."""
    assert told_pointwise(formula, dtype) == []


@pytest.mark.parametrize(
    ("formula", "jump"),
    [("Sum(where(x > 3, y, 0), d)", True), ("Sum(relu(x - 3)*y, d)", False)],
)
def test_a_jump_under_a_sum_is_told(formula: str, jump: bool) -> None:
    text = HEAD.replace("real[...]", "real[B, D]") + f'loss = "{formula}"'
    x, y = Array((1, 2), (0.5, 1.0)), Array((1, 2), (0.5, 4.0))
    found = told(text, Dtype.FLOAT64, x, y)
    assert bool(found) is jump
    assert all("from 0 to" in m or "from 0.5 to" in m for m in found)


def certificate(formula: str) -> Certificate:
    loss = losses_from_text(HEAD + f'loss = "{formula}"')[0]
    return verify(loss, compile_losses([loss], origin="jump.toml").text, points=20)


def test_a_jump_fails_nobody() -> None:
    found = certificate("where(x > 0, y**2, y**2 + 1)")
    assert found.passed, found.findings
    notes = [f for f in found.findings if f.code == "jump"]
    assert [f.severity for f in notes] == [Severity.NOTE]
    assert "x > 0" in notes[0].message
    assert certificate("where(x > 0, y**2, y**2 - x)").findings == ()
