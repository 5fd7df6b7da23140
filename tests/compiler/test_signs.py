"""Signs as one writes them."""

import pytest

from losscodegen.compiler.signs import signed
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("where(-x > 40, x, 40)", "where(x < -40, x, 40)"),
        ("where(-(x/y) < -800, 0, x)", "where(x/y > 800, 0, x)"),
        ("where(-x >= 0, y, x)", "where(x <= 0, y, x)"),
        ("x - -(2*y)", "x + 2*y"),
        ("exp(y*(-1*x))", "exp(y*-x)"),
        ("where(-(x*y) > 1, exp(-(x*y)), 0)", "where(-(x*y) > 1, exp(-(x*y)), 0)"),
        ("where(-x > y, x, y)", "where(-x > y, x, y)"),
    ],
)
def test_what_becomes_of_a_sign(formula: str, expected: str) -> None:
    found = signed(parse_formula(formula))
    assert format_expression(found) == format_expression(parse_formula(expected))
