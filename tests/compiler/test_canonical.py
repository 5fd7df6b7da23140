"""The views of the matcher, the way back, equality, and what rules build."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.compiler.canonical import factors, from_factors, from_terms, terms
from losscodegen.compiler.equality import key, same
from losscodegen.compiler.simplify import exact_root, tidy
from losscodegen.ir.build import call, number
from losscodegen.ir.nodes import Call, Expr, Read
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression

INDICES = {"i": "I", "j": "J"}


def parse(text: str) -> Expr:
    return parse_formula(text, indices=INDICES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x - y", "-y + x"),
        ("(x - y)/2", "x/2 - y/2"),
        ("(x - y)**2", "square(y - x)"),
        ("x*x", "x**2"),
        ("x/sqrt(y)", "y**Rational(-1, 2)*x"),
        ("abs(x - y)", "abs(y - x)"),
        ("x < y", "y > x"),
        ("x + (y + z)", "z + y + x"),
        ("--x", "x"),
        ("2*x*3", "6*x"),
        ("x**p*y", "y*x**p"),
        ("Sum(x[i], i)", "Sum(x[i], i)"),
        ("Max(x, y)", "Max(y, x)"),
        ("1/(x*y)", "1/y/x"),
    ],
)
def test_same(one: str, other: str) -> None:
    assert same(parse(one), parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x", "-x"),
        ("x - y", "y - x"),
        ("x**3", "(-x)**3"),
        ("sqrt(x**2)", "x"),
        ("exp(x)*exp(y)", "exp(x + y)"),
        ("x/y", "y/x"),
        ("x < y", "x <= y"),
        ("x**p", "x**q"),
        ("Sum(x[i], i)", "Mean(x[i], i)"),
        ("0*log(x)", "0*log(y)"),
    ],
)
def test_not_same(one: str, other: str) -> None:
    assert not same(parse(one), parse(other))


def test_bound_names_do_not_matter() -> None:
    left = parse_formula("Sum(x[i], i)", indices={"i": "I"})
    right = parse_formula("Sum(x[k], k)", indices={"k": "I"})
    assert same(left, right)


def test_division_by_zero_is_left_alone() -> None:
    x, y = Read("x"), Read("y")
    infinite = Call("div", (x, number(0)))
    assert key(infinite) == key(infinite)
    assert same(Call("add", (infinite, y)), Call("add", (y, infinite)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x - 2*y + 1/2", ["1 x", "-2 y", "1/2 1"]),
        ("-(x - y)/2", ["-1/2 x", "1/2 y"]),
        ("0*log(x)", ["0 log(x)"]),
        ("x*y - y", ["1 x*y", "-1 y"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    found = [f"{t.coefficient} {format_expression(t.body)}" for t in terms(parse(text))]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "coefficient", "expected"),
    [
        ("-2*x/y", "-2", ["x ^ 1", "y ^ -1"]),
        ("sqrt(x)*y**2", "1", ["x ^ 1/2", "y ^ 2"]),
        ("1/(3*x**2)", "1/3", ["x ^ -2"]),
        ("(x*y)**2", "1", ["x*y ^ 2"]),
        ("exp(x)*exp(y)", "1", ["exp(x) ^ 1", "exp(y) ^ 1"]),
    ],
)
def test_factors(text: str, coefficient: str, expected: list[str]) -> None:
    product = factors(parse(text))
    assert product.coefficient == Fraction(coefficient)
    shown = [f"{format_expression(f.base)} ^ {f.exponent}" for f in product.factors]
    assert shown == expected


names = st.sampled_from("xyz").map(Read)
numbers = st.fractions(min_value=-4, max_value=4, max_denominator=8).map(number)


def grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    many = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        many.map(lambda args: Call("add", args)),
        many.map(lambda args: Call("mul", args)),
        inner.map(lambda e: call("neg", e)),
        inner.map(lambda e: call("exp", e)),
        inner.map(lambda e: call("square", e)),
        st.tuples(inner, names).map(lambda pair: Call("div", pair)),
    )


expressions: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(names, numbers), grown, max_leaves=8
)


@given(expressions)
def test_the_way_back_gives_the_same(expr: Expr) -> None:
    assert same(from_terms(terms(expr)), expr)
    product = factors(expr)
    assert same(from_factors(product.coefficient, product.factors), expr)


@given(expressions)
def test_what_is_rebuilt_reads_back(expr: Expr) -> None:
    rebuilt = from_terms(terms(expr))
    assert same(parse(format_expression(rebuilt)), rebuilt)


@given(expressions)
def test_tidy_keeps_the_meaning(expr: Expr) -> None:
    assert same(tidy(expr), expr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1*x", "x"),
        ("-(-x)", "x"),
        ("x + 0", "x"),
        ("sqrt(4)", "2"),
        ("x**1", "x"),
        ("-x/2", "-0.5*x"),
        ("x*(1/y)", "x/y"),
        ("abs(-x/2)", "abs(0.5*x)"),
        ("sqrt(1/x)", "1/sqrt(x)"),
        ("x*y", "x*y"),
        ("x/y/z", "x/y/z"),
    ],
)
def test_tidy(text: str, expected: str) -> None:
    assert format_expression(tidy(parse(text))) == expected


@pytest.mark.parametrize(
    ("value", "root"),
    [(Fraction(9, 4), Fraction(3, 2)), (Fraction(2), None), (Fraction(0), Fraction(0))],
)
def test_exact_root(value: Fraction, root: Fraction | None) -> None:
    assert exact_root(value) == root
