"""Every row of the table of differences: the identity, and the digits it is for."""

from __future__ import annotations

import mpmath
import pytest

from losscodegen.compiler.search.differences import BY_OP, DIFFERENCES, Difference
from losscodegen.compiler.search.numerics import DOUBLES, Evaluator
from losscodegen.ir.nodes import Call, Expr, Read
from losscodegen.language.formula import parse_formula

POWER = 0.3
FUNCTIONS = {
    "log": mpmath.log,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "sqrt": mpmath.sqrt,
    "square": lambda x: x * x,
    "cbrt": mpmath.cbrt,
    "pow": lambda x: mpmath.power(x, mpmath.mpf(POWER)),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}
each_row = pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.op)
PAIRS = [
    (b, b + d)
    for b in (0.7, 1.3, 2.5)
    for d in (2.0**-40, -(2.0**-30), 2.0**-12, 0.0625)
]


def values(row: Difference, b: float, a: float) -> tuple[float, float, float]:
    """The form, the plain difference, and the truth."""
    leaves: dict[Expr, float] = {Read("a"): a, Read("b"): b, Read("d"): a - b}
    leaves[Read("p")] = POWER
    evaluator = Evaluator(DOUBLES, leaves, ())
    if row.near is not None:
        assert evaluator.holds(parse_formula(row.near))
    form = evaluator.of(parse_formula(row.form)).value

    def plain(name: str) -> Expr:
        arguments = (Read(name), Read("p")) if row.exponent else (Read(name),)
        return Call(row.op, arguments)

    with mpmath.workdps(60):
        function = FUNCTIONS[row.op]
        truth = float(function(mpmath.mpf(a)) - function(mpmath.mpf(b)))
    return form, evaluator.of(plain("a")).value - evaluator.of(plain("b")).value, truth


@each_row
@pytest.mark.parametrize(("b", "a"), PAIRS)
def test_the_form_is_the_difference(row: Difference, b: float, a: float) -> None:
    form, _, truth = values(row, b, a)
    assert form == pytest.approx(truth, rel=1e-14)


@each_row
def test_the_plain_difference_loses_its_digits(row: Difference) -> None:
    lost = []
    for b, a in PAIRS[::4]:
        _, plain, truth = values(row, b, a)
        lost.append(abs(plain - truth) / abs(truth))
    assert max(lost) > 1e-8


@each_row
def test_known_values_are_values(row: Difference) -> None:
    if row.known is None:
        return
    place, value = row.known
    with mpmath.workdps(30):
        assert float(FUNCTIONS[row.op](mpmath.mpf(place))) == float(value)


def test_every_row_has_a_reason_and_a_reference() -> None:
    assert sorted(BY_OP) == sorted(FUNCTIONS)
    for row in DIFFERENCES:
        assert row.why.endswith(".") and row.source and row.name.islower()
