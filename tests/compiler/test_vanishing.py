"""Regions where a factor is 0, and no others."""

from __future__ import annotations

import pytest

from losscodegen.compiler.search.numerics import precise
from losscodegen.compiler.vanishing import KEEP_ZERO, vanishing
from losscodegen.ir.nodes import Call, Read
from losscodegen.language.formula import parse_formula
from losscodegen.language.printer import format_expression


@pytest.mark.parametrize(
    ("formula", "region"),
    [
        ("relu(x)", "x <= 0"),
        ("Max(0, x)", "x < 0"),
        ("Max(x - y, 0)", "x - y < 0"),
        ("Min(x, 0)", "x > 0"),
        ("clip(x, 0, 1)", "x < 0"),
        ("clip(x, -oo, 0)", "x > 0"),
        ("clip(Max(0, x), -1, 2)", "x < 0"),
        ("clip(relu(x), -1, oo)", "x <= 0"),
        ("heaviside(x)", "x < 0"),
        ("where(x > y, 0, x)", "x > y"),
        ("where(x > y, x, 0)", "x <= y"),
        ("-tanh(relu(x))", "x <= 0"),
        ("x", None),
        ("Max(x, y)", None),
        ("clip(x, -1, 1)", None),
        ("clip(relu(x), 1, 2)", None),
        ("clip(relu(x), p, 2)", None),
        ("cos(relu(x))", None),
    ],
)
def test_the_region(formula: str, region: str | None) -> None:
    found = vanishing(parse_formula(formula))
    assert (None if found is None else format_expression(found)) == region


@pytest.mark.parametrize("op", sorted(KEEP_ZERO))
def test_what_keeps_a_zero_is_zero_at_zero(op: str) -> None:
    expr = Call(op, (Read("x"),))
    assert precise(expr, {Read("x"): 0.0}, ()) == (0.0,)
    assert vanishing(Call(op, (Call("relu", (Read("x"),)),))) is not None
