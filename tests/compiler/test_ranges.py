"""Ranges: what is proved must be true at every point, and what rules need must be proved."""

from __future__ import annotations

import math
from random import Random

import pytest

from losscodegen.compiler.intervals import (
    AT_LEAST_ONE,
    EVERYTHING,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    Range,
    point,
    read_range,
)
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.ir.nodes import Expr, Read
from losscodegen.language.formula import parse_formula

DOMAINS = {
    "x": EVERYTHING,
    "y": EVERYTHING,
    "s": POSITIVE,
    "v": NONNEGATIVE,
    "p": UNIT,
    "n": AT_LEAST_ONE,
    "eps": POSITIVE,
}
RANGES = Ranges(DOMAINS)
INDICES = {"i": "I"}


def parse(text: str) -> Expr:
    return parse_formula(text, indices=INDICES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x - x", "[0, 0]"),
        ("1 - p", "[0, 1]"),
        ("x**2 + 1", "[1, oo)"),
        ("x*x", "[0, oo)"),
        ("exp(x)", "(0, oo)"),
        ("exp(-v)", "(0, 1]"),
        ("sqrt(1 + x**2)", "[1, oo)"),
        ("abs(x)/s", "[0, oo)"),
        ("v + detach(Max(v, eps) - v)", "(0, oo)"),
        ("clip(x, -1, 2)", "[-1, 2]"),
        ("log1p(x**2)", "[0, oo)"),
        ("where(x > 0, x, -x)", "[0, oo)"),
        ("cosh(x)", "[1, oo)"),
        ("Max(x, 1)", "[1, oo)"),
        ("Min(p, 0.5)", "[0, 0.5]"),
        ("1/s", "(0, oo)"),
        ("1/v", "(0, oo)"),
        ("-v", "(-oo, 0]"),
        ("1 - (x - y)**2", "(-oo, 1]"),
        ("Sum(x[i]**2, i)", "[0, oo)"),
        ("Mean(p, i)", "[0, 1]"),
        ("amax(abs(x[i]), i)", "[0, oo)"),
        ("amax(abs(x[i]), i, where=x[i] > y)", "(-oo, oo)"),
        ("softmax(x[i], i)", "[0, 1]"),
        ("log_softmax(x[i], i)", "(-oo, 0]"),
        ("norm(x[i], i)", "[0, oo)"),
        ("p**x", "[0, oo)"),
        ("p**v", "[0, 1]"),
        ("n**v", "[1, oo)"),
        ("hypot(x, 2)", "[2, oo)"),
        ("2*p - 1", "[-1, 1]"),
    ],
)
def test_ranges(text: str, expected: str) -> None:
    assert RANGES.of(parse(text)) == read_range(expected)


@pytest.mark.parametrize(
    ("given", "claim"),
    [
        ("x > 1", "x > 0"),
        ("abs(x) <= 1", "x >= -1"),
        ("abs(x) < 1", "2*x < 2"),
        ("abs(x - y) < 1", "sinh((x - y)/2)**2 < 1"),
        ("x != y", "x != y or s > 2"),
        ("x > 0 and y > x", "y > 0"),
        ("not x < 2", "x >= 2"),
        ("x == 0", "x**2 < 1"),
        ("s > 0", "s >= s"),
        ("x > y", "x - y > 0"),
        ("x >= 0 and x != 0", "x > 0"),
        ("x <= y and x != y", "x - y < 0"),
        ("x - y <= 0 and x != y", "x < y"),
        ("abs(exp(x) - s) <= 1", "isfinite(3*(exp(x) - s))"),
        ("abs(x) <= 2 and abs(y) < 3", "isfinite(x*y - abs(y)**3)"),
    ],
)
def test_facts_are_used(given: str, claim: str) -> None:
    assert RANGES.under(parse(given)).proves(parse(claim))


@pytest.mark.parametrize(
    "claim",
    [
        "x > 0",
        "p < 1",
        "x - y > 0",
        "x[i] > 0",
        "v > 0",
        "x != y",
        "s > 1",
        "isfinite(x)",
        "isfinite(sigmoid(x/y))",
        "isfinite(p*x)",
    ],
)
def test_what_may_fail_is_not_proved(claim: str) -> None:
    assert not RANGES.proves(parse(claim))
    assert not RANGES.refutes(parse(claim))


@pytest.mark.parametrize("claim", ["s <= 0", "p > 1", "x != x", "n < 1", "exp(x) < 0"])
def test_what_cannot_hold_is_refuted(claim: str) -> None:
    assert RANGES.refutes(parse(claim))
    assert RANGES.proves(opposite(parse(claim)))


def test_facts_stay_where_they_hold() -> None:
    before = RANGES.of(Read("x"))
    RANGES.under(parse("x > 3"))
    assert RANGES.of(Read("x")) == before


@pytest.mark.parametrize(
    "text",
    [
        "x*y - s",
        "(x - y)**3",
        "s*p - v",
        "p*(1 - p)",
        "exp(p - 1) - p",
        "where(x > y, s, -v)",
        "1/(1 + x**2)",
        "Max(x, s) - Min(p, v)",
        "clip(x*p, -1, s)",
        "tanh(x) + log1p(v)",
        "sqrt(v)*abs(x) + relu(y)",
    ],
)
def test_no_value_lies_outside(text: str) -> None:
    expr = parse(text)
    found = RANGES.of(expr)
    random = Random(text)
    for _ in range(300):
        values = {name: _draw(limits, random) for name, limits in DOMAINS.items()}
        value = _value(expr, values)
        slack = 1e-9 * max(1.0, abs(value))
        assert found.low - slack <= value <= found.high + slack, values


def _draw(limits: Range, random: Random) -> float:
    low, high = max(limits.low, -5.0), min(limits.high, 5.0)
    return random.uniform(low, high)


def _value(expr: Expr, values: dict[str, float]) -> float:
    """The value, as the range at a place where every input is a single point."""
    known = Ranges({name: point(value) for name, value in values.items()})
    found = known.of(expr)
    assert math.isclose(found.low, found.high, rel_tol=1e-9, abs_tol=1e-12)
    return found.low


def test_intersections_and_hulls() -> None:
    one, two = read_range("[0, 2)"), read_range("(1, 3]")
    assert one & two == read_range("(1, 2)")
    assert one | two == read_range("[0, 3]")
    assert one & read_range("[5, 6]") == one
    assert -one == read_range("(-2, 0]")
    assert (one * two) == read_range("[0, 6)")
