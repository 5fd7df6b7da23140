"""A loss on one line: what the symbols are, and that parentheses say what is meant."""

from __future__ import annotations

import re

import pytest

from losscodegen.language.mathematics import one_line, symbol
from losscodegen.language.parse import losses_from_text

DECLARATIONS = {
    "x": 'inputs.x = "real[B, C]"',
    "y": 'inputs.y = "real[B, C]"',
    "t": 'inputs.t = "index(C)[B]"',
    "lam": 'params.lam = "positive = 2.0"',
    "w1": 'params.w1 = "real = 1.0"',
    "full": 'params.full = "bool = false"',
}


def line(loss: str, let: str = "") -> str:
    used = set(re.findall(r"\w+", f"{loss} {let}"))
    rows = ["[ProbeLoss]", *(row for name, row in DECLARATIONS.items() if name in used)]
    rows += [f"let = '''{let}'''"] if let else []
    rows += [f'loss = "{loss}"', ""]
    (found,) = losses_from_text("\n".join(rows), "probe.toml")
    return one_line(found).replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Sum((x - y)**2, c)", "Σ_c((x - y)²)"),
        ("Sum((x*y)**lam, c)", "Σ_c((x·y)^λ)"),
        ("Sum(x**(lam + 1), c)", "Σ_c(x^(λ + 1))"),
        ("Sum(exp(x)**(-2), c)", "Σ_c(exp(x)⁻²)"),
        ("Sum(2**x, c)", "Σ_c(2^x)"),
        ("Sum(sqrt(x)*sqrt(x + 1), c)", "Σ_c(√x·√(x + 1))"),
        ("Mean(abs(x - y), c)", "mean_c(|x - y|)"),
        ("amax(x, c) - amin(y, c)", "max_c(x) - min_c(y)"),
        ("norm(x, c)", "‖x‖"),
        ("norm(x - y, c, p=lam)", "‖x - y‖_λ"),
        ("norm(x, c, p=1)", "‖x‖_1"),
        ("-w1*x[b, t]", "-w₁·x[b, t]"),
        ("Sum(x, c, where=c != t)", "Σ_{c: c ≠ t}(x)"),
        ("logsumexp(x, c) + pi*E", "logsumexp_c(x) + π·e"),
        ("Sum(x, c) if full else 0", "Σ_c(x) if full else 0"),
        ("1 + where(full, Sum(x, c), 0)", "1 + (Σ_c(x) if full else 0)"),
        ("Rational(1, 3)*Sum(x, c)", "1/3·Σ_c(x)"),
        ("Sum(x, c)*Rational(1, 3)", "Σ_c(x)·(1/3)"),
        ("Sum(softmax(x, c)*lgamma(1 + y**2), c)", "Σ_c(softmax_c(x)·log Γ(1 + y²))"),
        ("Sum(x - (y - 1), c)", "Σ_c(x - (y - 1))"),
    ],
)
def test_formula(formula: str, expected: str) -> None:
    assert line(formula) == expected


def test_definitions_follow_the_formula() -> None:
    text = line("s**2", "r = x - y\ns = Sum(r, c)")
    assert text == "s² with s = Σ_c(r), r = x - y"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("delta_low", "δ_low"),
        ("w10", "w₁₀"),
        ("lam", "λ"),
        ("pos_1", "pos_1"),
    ],
)
def test_symbol(name: str, expected: str) -> None:
    assert symbol(name) == expected
