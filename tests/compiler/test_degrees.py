"""How fast expressions grow."""

from __future__ import annotations

import math

import pytest

from losscodegen.compiler.degrees import degree, reciprocal_degree
from losscodegen.compiler.intervals import read_range
from losscodegen.compiler.ranges import Ranges
from losscodegen.language.formula import parse_formula


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x + 3", 1),
        ("x*y", 2),
        ("x**3*y", 4),
        ("sqrt(1 + x**4)", 2),
        ("hypot(x, y)", 1),
        ("x**2/y", 3),
        ("x/(1 + y**2)", 1),
        ("x*y**(-2)", 3),
        ("u/softplus(x)", math.inf),
        ("a*x", 1),
        ("u*x", 1),
        ("log(x**4)", 0),
        ("tanh(x**3)", 0),
        ("softplus(x*y)", 2),
        ("exp(x)", math.inf),
        ("exp(-abs(x))", 0),
        ("exp(min(x, a))", 0),
        ("cosh(x)", math.inf),
        ("where(x > 0, x**2, y)", 2),
        ("clip(x**3, -a, a)", 0),
        ("clip(x**3, -y, y)", 1),
        ("clip(x**3, 0, oo)", 3),
    ],
)
def test_degree(formula: str, expected: float) -> None:
    ranges = Ranges({"u": read_range("[0, 1]")})
    assert (
        degree(parse_formula(formula), ranges, {"x", "y", "u"}.__contains__) == expected
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("logsumexp(x[i]**3, i)", 3),
        ("logsumexp(x[i]**3 - detach(amax(x[i]**3, i)), i)", 0),
        ("logsumexp(where(x[i] > 0, x[i]**2 - detach(y), 0), i)", 0),
        ("normalize(x[i]**3, i)", 0),
    ],
)
def test_degree_over_an_axis(formula: str, expected: float) -> None:
    """What the largest term has been taken out of only falls."""
    parsed = parse_formula(formula, indices={"i": "I"})
    assert degree(parsed, Ranges(), {"x", "y"}.__contains__) == expected


@pytest.mark.parametrize(
    ("divisors", "expected"), [(0, 1), (1, 2), (3, 4)], ids=["none", "value", "slope"]
)
def test_divisors_count_as_asked(divisors: int, expected: float) -> None:
    found = degree(
        parse_formula("x/y"),
        Ranges({}),
        {"x", "y"}.__contains__,
        divisors=divisors,
    )
    assert found == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("softplus(x)", math.inf),
        ("1 + softplus(x)", 0),
        ("q**2 + softplus(x)", math.inf),
        ("q**2 + x**2", 0),
        ("1/(1 + x**2) + softplus(x)", 2),
        ("x*y", 2),
    ],
)
def test_what_may_be_zero_keeps_nothing_from_underflowing(
    formula: str, expected: float
) -> None:
    ranges = Ranges({"q": read_range("[0, 1]")})
    free = {"x", "y"}.__contains__
    assert reciprocal_degree(parse_formula(formula), ranges, free) == expected
