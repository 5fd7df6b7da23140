"""Power series at 0: their coefficients, where they are used, and when there is none."""

from __future__ import annotations

import mpmath
import pytest

from losscodegen.compiler.search.numerics import DOUBLES, Evaluator
from losscodegen.compiler.search.series import expansion
from losscodegen.ir.nodes import Read
from losscodegen.language.formula import parse_formula

X = Read("x")
CANCELLING = {
    "x - sin(x)": lambda x: x - mpmath.sin(x),
    "1/x - 1/tan(x)": lambda x: 1 / x - mpmath.cot(x),
    "(x - sin(x))/(x - tan(x))": lambda x: (x - mpmath.sin(x)) / (x - mpmath.tan(x)),
    "tanh(x) - x": lambda x: mpmath.tanh(x) - x,
    "x - atan(x)": lambda x: x - mpmath.atan(x),
    "(exp(x) - 1)/x": lambda x: mpmath.expm1(x) / x,
    "exp(x) - 1 - x - x**2/2": lambda x: mpmath.exp(x) - 1 - x - x**2 / 2,
    "log(1 - x)/log(1 + x)": lambda x: mpmath.log(1 - x) / mpmath.log(1 + x),
    "1/sqrt(1 - x**2) - 1": lambda x: 1 / mpmath.sqrt(1 - x**2) - 1,
    "sin(x)/x": lambda x: mpmath.sin(x) / x,
    "hypot(x, 1) - 1": lambda x: mpmath.sqrt(1 + x * x) - 1,
}


@pytest.mark.parametrize("formula", CANCELLING)
def test_the_series_has_all_digits_up_to_its_radius(formula: str) -> None:
    found = expansion(parse_formula(formula), X)
    assert found is not None
    for part in (-0.999, -0.7, -1e-3, -1e-9, 1e-9, 0.25, 0.8, 0.999):
        x = part * float(found.radius)
        got = Evaluator(DOUBLES, {X: x}, ()).of(found.form).value
        with mpmath.workdps(80):
            want = float(CANCELLING[formula](mpmath.mpf(x)))
        assert got == pytest.approx(want, rel=2e-15), x


@pytest.mark.parametrize(
    "formula",
    ["log(x)", "sqrt(x)", "1/x", "log(2 + x)", "abs(x)", "y - 1", "lgamma(x)"],
)
def test_there_is_no_series_with_rational_coefficients(formula: str) -> None:
    assert expansion(parse_formula(formula), X) is None


def test_a_series_that_converges_too_slowly_is_none() -> None:
    # The singularity at 1/64 leaves no radius at which a few terms are enough.
    assert expansion(parse_formula("1/(1 - 64*x) - 1"), X) is None


def test_orders_that_cancel_are_counted() -> None:
    found = expansion(parse_formula("x - sin(x)"), X)
    assert found is not None and found.lost == 2
    near = expansion(parse_formula("where(abs(x) < 1, x - sin(x), 7)"), X)
    assert near is not None and near.form == found.form
