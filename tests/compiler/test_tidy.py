"""What the constructors of derivatives leave out, and what they must not touch."""

from __future__ import annotations

from fractions import Fraction

import pytest

from losscodegen.compiler.conditions import both, decide
from losscodegen.compiler.tidy import (
    chosen,
    negative,
    product,
    quotient,
    raised,
    split,
    summed,
    total,
)
from losscodegen.ir.nodes import Expr, Index, Origin
from losscodegen.ir.walk import with_origin
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression

INDICES = {"b": "B", "i": "B", "c": "C", "m": "C"}
C = Index("c", "C")


def parse(text: str) -> Expr:
    return parse_formula(text, indices=INDICES)


def all_of(*texts: str) -> tuple[Expr, ...]:
    return tuple(map(parse, texts))


@pytest.mark.parametrize(
    ("factors", "wanted"),
    [
        (("1", "x"), "x"),
        (("0", "log(x)"), "0"),
        (("-1", "x"), "-x"),
        (("2", "x/2"), "x"),
        (("1/2", "2*(x - y)"), "x - y"),
        (("x", "x"), "x**2"),
        (("x*y", "1/x"), "y"),
        (("delta**2", "1/delta", "x"), "delta*x"),
        (("-x", "-y"), "x*y"),
        (("-1", "x - y"), "y - x"),
        (("sin(y)", "x"), "x*sin(y)"),
        (("x**(q - 1)", "x"), "x**q"),
        (("x**q", "1/x"), "x**(q - 1)"),
        (("2*relu(x)", "where(x > 0, 1, 0)"), "2*relu(x)"),
        (("relu(y)", "where(x > 0, 1, 0)"), "relu(y)*where(x > 0, 1, 0)"),
        (("0.1", "x"), "x/10"),
        (("square(x)", "x"), "x**3"),
    ],
)
def test_products(factors: tuple[str, ...], wanted: str) -> None:
    assert format_expression(product(*all_of(*factors))) == wanted


@pytest.mark.parametrize(
    ("terms", "wanted"),
    [
        (("0", "x"), "x"),
        (("x", "-x"), "0"),
        (("x", "x"), "2*x"),
        (("x/2", "x/2"), "x"),
        (("-x", "y"), "y - x"),
        (("p", "-1"), "p - 1"),
        (("x - y", "-(x - z)"), "z - y"),
        (("-x", "-y"), "-x - y"),
    ],
)
def test_sums(terms: tuple[str, ...], wanted: str) -> None:
    assert format_expression(total(*all_of(*terms))) == wanted


@pytest.mark.parametrize(
    ("base", "exponent", "wanted"),
    [
        ("x", "1", "x"),
        ("x", "0", "1"),
        ("x", "-1", "1/x"),
        ("x", "q - 1", "x**(q - 1)"),
        ("x + y", "2", "(x + y)**2"),
    ],
)
def test_powers(base: str, exponent: str, wanted: str) -> None:
    assert format_expression(raised(parse(base), parse(exponent))) == wanted


def test_quotients() -> None:
    assert quotient(*all_of("x", "1")) == parse("x")
    assert format_expression(quotient(*all_of("x", "2*x*y"))) == "1/(2*y)"


def test_named_expressions_are_taken_whole() -> None:
    """An instance of a definition is recognised afterwards: it must not be taken apart."""
    named = with_origin(parse("x/y - 1"), Origin(name="r"))
    assert format_expression(total(named, parse("1"))) == "(x/y - 1) + 1"
    assert "(x/y - 1)" in format_expression(product(parse("2"), named))
    assert split(named) == (Fraction(1), named)
    assert format_expression(negative(named)) == "-(x/y - 1)"


@pytest.mark.parametrize(
    ("body", "where", "wanted"),
    [
        ("x[b]", True, "C*x[b]"),
        ("x[b]*y[c]", True, "x[b]*Sum(y[c], c)"),
        ("2*y[c]", "y[c] > 0", "2*Sum(y[c], c, where=y[c] > 0)"),
        # A factor that may be infinite stays where nothing is summed.
        ("x[b]*y[c]", "y[c] > 0", "Sum(x[b]*y[c], c, where=y[c] > 0)"),
        ("1", "y[c] > 0", "Sum(1, c, where=y[c] > 0)"),
        ("0", True, "0"),
        ("x[b]", False, "0"),
    ],
)
def test_sums_over_an_axis(body: str, where: str | bool, wanted: str) -> None:
    condition = parse(where) if isinstance(where, str) else where
    assert format_expression(summed(parse(body), (C,), condition)) == wanted


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        ("c == c", True),
        ("c != c", False),
        ("c < c", False),
        ("c >= c", True),
        ("c < C", True),
        ("c >= 0", True),
        ("1 < 2", True),
        ("x <= oo", True),
        ("x < -oo", False),
        ("b == i", None),
        ("c < C - 1", None),
        # NaN is not equal to itself.
        ("x == x", None),
    ],
)
def test_conditions_that_are_known(condition: str, known: bool | None) -> None:
    expr = parse(condition)
    assert decide(expr) == (expr if known is None else known)


def test_conjunctions() -> None:
    x, y = all_of("x > 0", "y > 0")
    assert both(True, x) == x
    assert both(x, False) is False
    assert both(x, x) == x
    assert both(x, y) == parse("x > 0 and y > 0")
    assert both(parse("x > 0 and c == c"), y) == both(x, y)
    assert both() is True


def test_choices() -> None:
    x, y, zero = all_of("x", "y", "0")
    assert chosen(True, x, y) == x
    assert chosen(parse("c != c"), x, y) == y
    assert chosen(parse("x > 0"), y, y) == y
    turned = chosen(parse("x > 0"), negative(y), zero)
    assert format_expression(turned) == "-where(x > 0, y, 0)"
