"""A factor that stands twice is a square, whichever way it was typed."""

from __future__ import annotations

import pytest

from losscodegen.compiler.repeated import as_powers
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x*x", "x**2"),
        ("(x - y)*(x - y)", "(x - y)**2"),
        ("log(1 + x*x)", "log(1 + x**2)"),
        ("x*y", "x*y"),
    ],
)
def test_products_of_one_factor(before: str, after: str) -> None:
    assert as_powers(parse_formula(before)) == parse_formula(after)


def test_the_rows_for_squares_fire() -> None:
    def body(square: str) -> str:
        text = f'[R]\ninputs.x = "real[...]"\nloss = "log(1 + {square})"\n'
        losses = losses_from_text(text, "r.toml")
        source = compile_losses(losses, origin="specs/r.toml").text
        return source[source.index("dtype = ") : source.index("return _reduce")]

    assert "log1p" in body("x*x")
    assert body("x*x") == body("x**2")
