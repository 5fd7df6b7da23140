"""Exact quotients: what cancels, and that nothing else changes."""

from __future__ import annotations

import pytest

from losscodegen.compiler.search.numerics import precise
from losscodegen.compiler.search.rational import Algebra, TooLargeError
from losscodegen.ir.nodes import Read
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression


def simplified(formula: str, *, exponentials: bool = False) -> str:
    expr = parse_formula(formula)
    algebra = Algebra.of(expr, exponentials=exponentials)
    return format_expression(algebra.expression(algebra.read(expr)))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("(x + 1)**2 - x**2 - 1", "2*x"),
        ("1/(x + 1) - 2/x + 1/(x - 1)", "2/(x*(x - 1)*(x + 1))"),
        ("exp(x) - 2 + exp(-x)", "expm1(x)**2*exp(-x)"),
        ("(exp(2*x) - 1)/(exp(x) - 1)", "exp(x) + 1"),
        ("sqrt(x + 1)**2 - x", "1"),
        ("hypot(x, y)**2 - x**2", "y**2"),
        ("x*x + x*y - x**2", "x*y"),
        ("1 - x/w", "(w - x)/w"),
        ("sqrt(x) - sqrt(x)", "0"),
    ],
)
def test_what_cancels_is_gone(formula: str, expected: str) -> None:
    assert simplified(formula) == expected


def test_hyperbolic_functions_are_taken_apart_on_demand() -> None:
    assert simplified("cosh(x) - sinh(x)") == "cosh(x) - sinh(x)"
    assert simplified("cosh(x) - sinh(x)", exponentials=True) == "exp(-x)"


@pytest.mark.parametrize(
    "formula",
    [
        "(x + y)**3/(x - y) - x*y/(x + 1)",
        "sqrt(x + 1)*(sqrt(x + 1) + y) - y*sqrt(x + 1)",
        "exp(x/2)*exp(x/3) - exp(-x)*y",
        "(x**2 - y**2)/(x - y)",
        "expm1(2*x)/expm1(x) - 1",
    ],
)
def test_the_value_is_the_same_in_ball_arithmetic(formula: str) -> None:
    before = parse_formula(formula)
    algebra = Algebra.of(before)
    after = algebra.expression(algebra.read(before))
    point = {Read("x"): 1.4, Read("y"): 0.375}
    assert precise(after, point, ()) == precise(before, point, ())


def test_what_grows_without_end_is_refused() -> None:
    expr = parse_formula("(a + b + c + d)**8")
    algebra = Algebra.of(expr)
    with pytest.raises(TooLargeError):
        algebra.read(expr)


def test_a_denominator_of_nothing_is_an_error() -> None:
    expr = parse_formula("1/(x - x)")
    algebra = Algebra.of(expr)
    with pytest.raises(ZeroDivisionError):
        algebra.read(expr)
