"""Matching: what is found, with which bindings, and what stays over."""

from __future__ import annotations

import pytest

from losscodegen.compiler.instantiate import fill
from losscodegen.compiler.match import Matcher
from losscodegen.ir.nodes import Expr
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression

PATTERN = {"i": "I"}
WRITTEN = {"b": "B", "c": "C", "j": "B", "v": "V", "u": "V", "k": "C"}


def first(
    pattern: str, text: str, optional: tuple[str, ...] = ()
) -> dict[str, str] | None:
    """The names of the first match as text; None if there is none."""
    matcher = Matcher(parse_formula(pattern, indices=PATTERN), frozenset(optional))
    for match in matcher.matches(written(text)):
        return {
            name: ", ".join(format_expression(b) for b in template.bodies)
            for name, template in match.bindings.names.items()
        }
    return None


def written(text: str) -> Expr:
    return parse_formula(text, indices=WRITTEN)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("log(1 + exp(x))", "log(exp(-y*z) + 1)", {"x": "-y*z"}),
        ("1/(1 + exp(-x))", "1/(exp(a - b) + 1)", {"x": "-a + b"}),
        ("sqrt(x**2 + y**2)", "sqrt(square(a - b) + c**2)", {"x": "a - b", "y": "c"}),
        ("log(1 + x)", "log(a + 1 + b)", {"x": "a + b"}),
        ("exp(-x)", "exp(a)", {"x": "-a"}),
        ("exp(x) - x - 1", "exp(a - b) - (a - b) - 1", {"x": "a - b"}),
        ("x**2/(x**2 + c)", "(a - b)**2/((b - a)**2 + 4)", {"x": "b - a", "c": "4"}),
        ("log1p(a*x**2)", "log1p((y/z)**2/nu)", {"x": "y/z", "a": "1/nu"}),
        ("x**2/v", "(a - b)**2/s", {"x": "a - b", "v": "s"}),
        (
            "1 - x*y - z*(1 - y)",
            "1 - (p*t + q*(1 - t))",
            {"x": "p", "y": "t", "z": "q"},
        ),
        ("Max(x, 0)", "Max(0, a)", {"x": "a"}),
        ("abs(r) <= d", "d2 >= abs(a)", {"r": "a", "d": "d2"}),
        ("x**p", "a**q", {"x": "a", "p": "q"}),
        (
            "logsumexp(x[i], i, where=m[i]) - logsumexp(x[i], i, where=m[i] and n[i])",
            "logsumexp(a[b, c], c, where=c != b and t[c] == 1)"
            " - logsumexp(a[b, c], c, where=t[c] == 1 and w[c] > 0 and c != b)",
            {"m": "c != b and t[c] == 1", "n": "w[c] > 0", "x": "a[b, c]"},
        ),
    ],
)
def test_bindings(pattern: str, text: str, expected: dict[str, str]) -> None:
    assert first(pattern, text, optional=("a",)) == expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("log(1 + exp(x))", "log(2 + exp(x))"),
        ("log(1 + exp(x))", "log(1 + 2*exp(x))"),
        ("exp(x) - x - 1", "exp(a) - b - 1"),
        ("sqrt(x**2)", "sqrt(x)"),
        ("x**p", "a"),
        ("x**p", "1/a*1"),
        ("logsumexp(x[i], i) - x[t]", "logsumexp(a[b, c], c) - y[b, t[b]]"),
        ("logsumexp(x[i], i) - x[t]", "logsumexp(a[b, c], c) + a[b, t[b]]"),
        ("logsumexp(x[i], i)", "logsumexp(a[b, c], c, where=c != k)"),
        ("Sum(x, i)", "Sum(a[b, c], c)"),
        (
            "logsumexp(x[i], i, where=m[i]) - logsumexp(x[i], i, where=m[i] and n[i])",
            "logsumexp(a[b, c], c, where=c != b) - logsumexp(a[b, c], c, where=t[c] == 1)",
        ),
    ],
)
def test_no_match(pattern: str, text: str) -> None:
    assert first(pattern, text) is None


@pytest.mark.parametrize(
    ("pattern", "text", "subscript"),
    [
        ("logsumexp(x[i], i) - x[t]", "logsumexp(a[b, c], c) - a[b, t[b]]", "t[b]"),
        ("logsumexp(x[i], i) - x[t]", "logsumexp(s[b, j], j) - s[b, b]", "b"),
        (
            "logsumexp(x[i], i) - x[t]",
            "logsumexp(a[b, c] + tau*log(w[c]), c) - a[b, t[b]] - tau*log(w[t[b]])",
            "t[b]",
        ),
        (
            "logsumexp(x[i], i) - x[t]",
            "logsumexp(s[u, b, v, j], v, j) - s[u, b, v, b]",
            "v, b",
        ),
        ("log_softmax(x[i], i, at=t)", "log_softmax(a[b, c], c, at=t[b])", "t[b]"),
        ("log_softmax(x[i], i, at=t)", "log_softmax(a[b, c], c)", "c"),
        ("exp(x[t])/Sum(exp(x[i]), i)", "exp(a[b, k])/Sum(exp(a[b, c]), c)", "k"),
    ],
)
def test_a_bound_index_is_solved_for(pattern: str, text: str, subscript: str) -> None:
    found = first(pattern, text)
    assert found is not None
    assert found["t"] == subscript


def test_two_names_share_a_sum_by_the_index_that_is_bound() -> None:
    found = first(
        "x + softplus(logsumexp(y[i] - x, i))",
        "r + softplus(logsumexp(a[c] - r - s[c]*d[c], c))",
    )
    assert found == {"x": "r", "y": "a[c] - s[c]*d[c]"}
    assert first("logsumexp(y[i] - x, i)", "logsumexp(a[c] - r + d, c)") == {
        "y": "a[c]",
        "x": "r - d",
    }


@pytest.mark.parametrize(
    ("pattern", "replacement", "text", "expected"),
    [
        ("1 - sigmoid(x)", "f", "2 - 2*sigmoid(a) + b", "2*f + b"),
        ("1 - sigmoid(x)", "f", "sigmoid(a) - 1", "-f"),
        ("x - log(1 + x)", "f", "c - log(1 + a) + a", "c + f"),
        ("1/(1 + exp(-x))", "f", "y/(1 + exp(a))**2", "y*f**2"),
        ("1/(1 + exp(-x))", "f", "3/(1 + exp(a))", "3*f"),
        (
            "logsumexp(x[i], i) - x[t]",
            "f",
            "logsumexp(a[c], c)/2 - a[k]",
            "0.5*f - 0.5*a[k]",
        ),
        ("x**2*exp(s)", "f", "a**2*exp(b)/2", "0.5*f"),
        ("exp(x) - 1", "f", "(1 - exp(a))/2", "-0.5*f"),
    ],
)
def test_what_stays_over(
    pattern: str, replacement: str, text: str, expected: str
) -> None:
    matcher = Matcher(parse_formula(pattern, indices=PATTERN))
    match = next(iter(matcher.matches(written(text))))
    new = match.around(fill(parse_formula(replacement), match.bindings))
    assert format_expression(new) == expected


def test_a_condition_may_be_absent() -> None:
    pattern = "logsumexp(x[i], i, where=m[i])"
    assert first(pattern, "logsumexp(a[c], c)") is not None
    found = first(pattern, "logsumexp(a[c], c, where=c != k)")
    assert found is not None
    assert found["m"] == "c != k"


def test_a_select_matches_either_way_round() -> None:
    pattern = "where(abs(r) <= d, x, y)"
    assert first(pattern, "where(abs(a) > b2, p, q)") == {
        "r": "a",
        "d": "b2",
        "x": "q",
        "y": "p",
    }
