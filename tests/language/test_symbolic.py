"""SymPy as witness for derivatives and as a source of specs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import sympy

from losscodegen.errors import LossCodegenError
from losscodegen.ir.build import ONE, ZERO
from losscodegen.ir.loss import Absent, Domain, DomainKind, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Expr, Number, Read, Select
from losscodegen.ir.ops import OPS, Op, Sort
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import losses_from_text
from losscodegen.language.symbolic import (
    Unsound,
    evaluate,
    expression_from_sympy,
    from_sympy,
    partials,
    spec_text_from_sympy,
    symbol,
    to_sympy,
)

x, y = sympy.symbols("x y", real=True)
p, d = sympy.symbols("p delta", positive=True)
n = sympy.Symbol("n", integer=True, nonnegative=True)
b, c, i, j, B, C = sympy.symbols("b c i j B C", integer=True)
X, Y = (sympy.IndexedBase(name, real=True) for name in "XY")
t = sympy.IndexedBase("t", integer=True, nonnegative=True)

# ---------------------------------------------------------------- to SymPy

FUNCTIONS = [
    row
    for row in OPS.values()
    if row.sort is Sort.REAL and row.derivative and row.name != "detach"
]
_POINTS = {"x": (-1.75, 0.3, 0.8, 1.7, 2.6), "y": (-0.6, 0.45, 1.9), "z": (1.2, 3.5)}


def applied(row: Op, order: int = 0) -> Expr:
    names = [Read(name) for name in "xyz"[: row.arity[0]]]
    first = [parse_formula(str(order))] if row.order is not None else names[:1]
    return Call(row.name, (*first, *names[1:]))


def points(row: Op) -> list[dict[str, float]]:
    names = "xyz"[: row.arity[0]]
    grid = itertools.product(*(_POINTS[name] for name in names))
    found = [dict(zip(names, values, strict=True)) for values in grid]
    if row.order is not None:
        found = [{**point, "x": 0} for point in found]
    if row.domain is not None:
        domain = parse_formula(row.domain)
        found = [point for point in found if truth(domain, point)]
    return [point for point in found if row.name != "clip" or point["y"] < point["z"]]


def truth(condition: Expr, point: dict[str, float]) -> bool:
    chosen = to_sympy(Select(condition, ONE, ZERO))
    return close(evaluate(chosen, point), 1)


def close(left: Any, right: Any) -> bool:
    return abs(complex(left) - complex(right)) <= 1e-12 * (1 + abs(complex(right)))


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda r: r.name)
def test_derivative_column_against_sympy(row: Op) -> None:
    """SymPy's derivative of each op is what the op table says, off the kinks."""
    checked = 0
    for k, column in enumerate(row.derivative):
        name = "xyz"[k]
        if row.order is not None and k == 0:
            continue
        expected = to_sympy(parse_formula(column)) if row.order is None else None
        try:
            found = partials(applied(row), name)
        except Unsound:
            assert row.name == "delta"
            return
        for point in points(row):
            if expected is None:
                text = column.replace("x", "0")
                wanted = evaluate(to_sympy(parse_formula(text)), point)
            else:
                wanted = evaluate(expected, point)
            assert close(evaluate(found, point), wanted), (name, point)
            checked += 1
    assert checked >= 2


@pytest.mark.parametrize(
    "row", [r for r in FUNCTIONS if r.meaning is not None], ids=lambda r: r.name
)
def test_meaning_against_sympy(row: Op) -> None:
    assert row.meaning is not None
    meaning = to_sympy(parse_formula(row.meaning))
    for point in points(row):
        assert close(evaluate(to_sympy(applied(row)), point), evaluate(meaning, point))


@pytest.mark.parametrize(
    ("text", "point", "value"),
    [
        ("Max(x, y, 2)", {"x": 1, "y": 3}, 3),
        ("Min(x, y, 2)", {"x": 1, "y": 3}, 1),
        ("where(x < 1 and y > 2 or not x <= 1, x, y)", {"x": 0, "y": 3}, 0),
        ("where(x < 1 and y > 2, x, y)", {"x": 5, "y": 3}, 3),
        ("(x if flag == 1 else y)", {"x": 5, "y": 3, "flag": 1}, 5),
        ("xlogy(x, y)", {"x": 0, "y": 0}, 0),
        ("floor(x) % y", {"x": 7.5, "y": 4}, 3),
        ("0.1 + E - pi + x", {"x": 0.5}, 0.6 + math.e - math.pi),
        ("detach(x)**2", {"x": 3}, 9),
        ("x[0] - x[1]", {"x[0]": 5, "x[1]": 3}, 2),
    ],
)
def test_values(text: str, point: dict[str, float], value: float) -> None:
    assert close(evaluate(to_sympy(parse_formula(text)), point), value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sum(x[c], c)", "rewrites conditions in sums"),
        ("softmax(x[c], c)", "rewrites conditions in sums"),
        ("x[t[c]]", "looked up"),
        ("c*x[c]", "index"),
        ("isnan(x)", "isnan"),
        ("where(isnan(x), 0, x)", "isnan"),
        ("x[c] - x[m]", "two elements"),
    ],
)
def test_what_sympy_is_not_given(text: str, reason: str) -> None:
    expr = parse_formula(text, indices={"c": "C", "m": "C"})
    with pytest.raises(Unsound, match=reason):
        to_sympy(expr)


def variable(kind: DomainKind) -> Variable:
    return Variable(name="x", arg="x", role=Role.INPUT, domain=Domain(kind=kind))


@pytest.mark.parametrize(
    ("kind", "true"),
    [
        (DomainKind.REAL, set()),
        (DomainKind.POSITIVE, {"positive"}),
        (DomainKind.UNIT, {"nonnegative"}),
        (DomainKind.COUNT, {"nonnegative"}),
        (DomainKind.LOGPROB, {"nonpositive"}),
    ],
)
def test_assumptions_are_true_ones(kind: DomainKind, true: set[str]) -> None:
    """Only what is certain, and never that a count is whole: SymPy would rewrite loggamma."""
    found = symbol(Read("x"), [variable(kind)])
    assert found.is_real
    asked = ("positive", "nonnegative", "negative", "nonpositive", "integer", "zero")
    given = {a for a in asked if a in found._assumptions_orig}
    assert given == true
    assert all(found._assumptions_orig[a] for a in given)


# ---------------------------------------------------------------- where SymPy goes wrong


def test_power_of_a_maximum_has_a_derivative_off_its_kink() -> None:
    """diff(Max(0, r)**p, r) is p*Heaviside(r)*Max(0, r)**p/Max(0, r): 0/0 for all r < 0."""
    slope = partials(parse_formula("Max(0, r)**p"), "r")
    assert close(evaluate(slope, {"r": -2, "p": 3}), 0)
    assert close(evaluate(slope, {"r": 2, "p": 3}), 12)


def test_equality_branches_are_not_differentiated() -> None:
    """diff(Piecewise((1, Eq(r, 1)), (r, True)), r) is 0 at r = 1, where the slope is 1."""
    expr = parse_formula("where(r == 1, 1, r*y)")
    with pytest.raises(Unsound, match="one point"):
        partials(expr, "r")
    assert close(evaluate(partials(expr, "y"), {"r": 3, "y": 1}), 3)


@pytest.mark.parametrize("text", ["floor(x)*x", "detach(x)*x", "sign(x)*x"])
def test_functions_without_a_slope(text: str) -> None:
    factor = parse_formula(text.removesuffix("*x"))
    slope = evaluate(partials(parse_formula(text), "x"), {"x": 2.5})
    assert close(slope, evaluate(to_sympy(factor), {"x": 2.5}))


def test_lgamma_of_a_count_does_not_overflow() -> None:
    """loggamma(n + 1) of an integer n becomes log(gamma(n + 1)), which overflows at 171."""
    counts = [variable(DomainKind.COUNT)]
    found = to_sympy(parse_formula("lgamma(x + 1)"), counts)
    assert found.has(sympy.loggamma)
    assert from_sympy(sympy.loggamma(n + 1)) == "lgamma(n + 1)"


# ---------------------------------------------------------------- from SymPy


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (x - y, "x - y"),
        ((x - y) ** 2 / 2, "(x - y)**2/2"),
        (-x / 3, "-(x/3)"),
        (1 - 3 * x, "1 - 3*x"),
        (-x - 1, "-x - 1"),
        (x**-2, "1/x**2"),
        (x ** (-p), "1/x**p"),
        (sympy.sqrt(x**2 + 1), "sqrt(x**2 + 1)"),
        (1 / sympy.sqrt(p), "1/sqrt(p)"),
        (sympy.exp(-x) * y, "y*exp(-x)"),
        (sympy.Float("0.1") * x, "0.1*x"),
        (sympy.E**x + sympy.E + sympy.pi, "exp(x) + E + pi"),
        (sympy.log(1 + sympy.exp(x)), "log(exp(x) + 1)"),
        (sympy.Abs(x) + sympy.sign(y), "abs(x) + sign(y)"),
        (sympy.Max(x, 0), "max(0, x)"),
        (sympy.Heaviside(x), "heaviside(x)"),
        (sympy.Heaviside(x, 0), "where(x > 0, 1, where(x == 0, 0, 0))"),
        (sympy.polygamma(0, p) + sympy.polygamma(2, p), "digamma(p) + polygamma(2, p)"),
        (sympy.besseli(1, x), "besseli(1, x)"),
        (sympy.atan2(y, x), "atan2(y, x)"),
        (sympy.ceiling(x), "-floor(-x)"),
        (sympy.sech(x), "1/cosh(x)"),
        (sympy.erfc(-y), "2 - erfc(y)"),
        (sympy.Mod(x, 2), "x % 2"),
        (
            sympy.Piecewise((x, sympy.Abs(x) <= p), (p, x > 1), (0, True)),
            "where(abs(x) <= p, x, where(x > 1, p, 0))",
        ),
        (
            sympy.Piecewise((x, (x > 0) & sympy.Ne(y, 1)), (y, True)),
            "where(x > 0 and y != 1, x, y)",
        ),
        (
            sympy.log(sympy.Sum(sympy.exp(X[b, c]), (c, 0, C - 1))),
            "log(Sum(exp(X[b, c]), c))",
        ),
        (sympy.Sum(X[b, c] * c / C, (c, 0, C - 1)), "Sum(c*X[b, c]/C, c)"),
        (sympy.Sum(X[i, j], (i, 0, B - 1), (j, 0, C - 1)), "Sum(X[i, j], i, j)"),
        (sympy.Product(X[b, c], (c, 0, C - 1)), "Prod(X[b, c], c)"),
        (X[b, t[b]] + X[b, 0], "X[b, 0] + X[b, t[b]]"),
        (X[b + 1, c] - X[b, c], "X[b + 1, c] - X[b, c]"),
    ],
    ids=str,
)
def test_formulas(expression: Any, text: str) -> None:
    assert from_sympy(expression) == text


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda r: r.name)
def test_round_trip(row: Op) -> None:
    """An op sent to SymPy and read back has the same values."""
    original = to_sympy(applied(row))
    back = to_sympy(expression_from_sympy(original))
    for point in points(row):
        assert close(evaluate(back, point), evaluate(original, point))


# ---------------------------------------------------------------- specs


def spec(expression: Any, inputs: Any, parameters: Any = None) -> Loss:
    (loss,) = losses_from_text(spec_text_from_sympy(expression, inputs, parameters))
    return loss


def test_spec_of_a_pointwise_loss() -> None:
    huber = sympy.Piecewise(
        ((x - y) ** 2 / 2, abs(x - y) <= d), (d * (abs(x - y) - d / 2), True)
    )
    loss = spec(huber, (x, y), {d: 1.0})
    assert loss.name == "CustomLoss"
    assert [v.name for v in loss.inputs] == ["x", "y"]
    assert all(v.axes == ("...",) for v in loss.inputs)
    assert loss.variable("delta").domain.kind is DomainKind.POSITIVE
    assert loss.variable("delta").default == 1


def test_domains_are_the_assumptions() -> None:
    q = sympy.Symbol("q", negative=True)
    u = sympy.Symbol("u")
    text = spec_text_from_sympy(x + p + n + q + u, [x, p, n, q, u])
    assert text.splitlines()[1] == (
        'inputs = { x = "real[...]", p = "positive[...]", n = "count[...]", '
        'q = "negative[...]", u = "real[...]" }'
    )


def test_parameters_without_default_are_required() -> None:
    loss = spec(p * x, [x], {p: None})
    assert loss.variable("p").default is Absent.REQUIRED


def test_spec_with_axes() -> None:
    entropy = sympy.log(sympy.Sum(sympy.exp(X[b, c]), (c, 0, C - 1))) - X[b, t[b]]
    loss = spec(entropy, (X, t))
    assert loss.variable("X").axes == ("B", "C")
    assert loss.variable("t").domain == Domain(kind=DomainKind.INDEX, axis="C")
    assert [k.name for k in loss.free] == ["b"]


def test_spec_with_further_indices() -> None:
    spread = sympy.Sum(
        (X[i, c] - X[j, c]) ** 2, (i, 0, B - 1), (j, 0, B - 1), (c, 0, C - 1)
    )
    loss = spec(spread / B**2, (X,))
    assert loss.scalar
    assert {(k.name, k.axis) for k in loss.indices} >= {("i", "B"), ("j", "B")}


def test_python_keywords_get_an_underscore() -> None:
    lam = sympy.Symbol("lambda", positive=True)
    assert "lambda_*x" in spec_text_from_sympy(lam * x, [x], {lam: 2})


_UNBOUND = sympy.Function("f")

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: from_sympy(_UNBOUND(x)), "no function 'f'"),
    (lambda: from_sympy(sympy.zeta(x)), "no function 'zeta'"),
    (lambda: from_sympy(sympy.I * x), "no ImaginaryUnit"),
    (lambda: from_sympy(sympy.nan), "no NaN"),
    (lambda: from_sympy(sympy.zoo), "no ComplexInfinity"),
    (lambda: from_sympy(sympy.Integral(x, (x, 0, 1))), "no Integral"),
    (lambda: from_sympy(x > 0), "a condition is no number"),
    (lambda: from_sympy("x + 1"), "not an expression of SymPy, got 'x [+] 1'"),
    (lambda: from_sympy(sympy.Piecewise((x, x > 0))), "without a last branch"),
    (lambda: from_sympy(sympy.Symbol("a b")), "has no name that a formula can use"),
    (lambda: from_sympy(sympy.Symbol("z", real=False) + 1), "not real"),
    (lambda: from_sympy(x + sympy.Symbol("x", positive=True)), "two different symbols"),
    (lambda: from_sympy(sympy.Sum(X[c], (c, 1, C))), "over a whole axis"),
    (lambda: from_sympy(sympy.Sum(X[c], (c, 0, 3))), "a whole axis, got"),
    (lambda: from_sympy(sympy.Sum(X[c], (c, 0, C - 1)) + Y[c]), "outside of its sum"),
    (lambda: from_sympy(sympy.MatrixSymbol("M", 2, 2)), "no MatrixSymbol"),
    (lambda: spec_text_from_sympy(x * y, [x]), "symbol 'y' is neither"),
    (lambda: spec_text_from_sympy(x, ["x"]), "symbols of SymPy, got 'x'"),
    (lambda: spec_text_from_sympy(x * p, [x], {p: "one"}), "not a number, got 'one'"),
    (lambda: spec_text_from_sympy(x, [x, X]), "'X' is not used"),
]


@pytest.mark.parametrize(("attempt", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(attempt: Callable[[], Any], message: str) -> None:
    with pytest.raises(LossCodegenError, match=message) as caught:
        attempt()
    assert caught.value.diagnostics[0].code in (
        "unsupported-sympy",
        "undeclared-symbol",
    )


def test_a_sum_that_sympy_has_pulled_apart_is_refused() -> None:
    """Constructing this sum moves the condition in j out of the sum over j (sympy #17919)."""
    risk = sympy.Sum(
        sympy.Piecewise((sympy.exp(X[j]), Y[j] >= Y[i]), (0, True)), (j, 0, B - 1)
    )
    likelihood = sympy.Sum(sympy.log(risk), (i, 0, B - 1))
    with pytest.raises(LossCodegenError):
        from_sympy(likelihood)


def test_deep_nesting_is_an_error_of_the_user() -> None:
    deep = x
    for _ in range(2000):
        deep = sympy.sin(deep, evaluate=False)
    with pytest.raises(LossCodegenError, match="nested more than 100 deep"):
        from_sympy(deep)


def test_numbers_are_exact() -> None:
    assert expression_from_sympy(sympy.Rational(3, 2)) == Number(Fraction(3, 2))
    assert expression_from_sympy(sympy.Float("0.1")) == Number(Fraction(1, 10))
