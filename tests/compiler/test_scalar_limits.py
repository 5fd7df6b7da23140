"""Functions of parameters at the ends of their domains: infinities, as tensors have them."""

from __future__ import annotations

import math

import pytest
import torch

from losscodegen.compiler.scalar_limits import WITHIN
from losscodegen.ir.ops import OPS
from losscodegen.judge.accused import Accused
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

HEADER = '[RandomLoss]\ninputs.x = "real[...]"\nparams.q = "{domain}"\n'


def source(formula: str, domain: str) -> str:
    text = HEADER.format(domain=domain) + f'loss = "{formula}"\n'
    losses = losses_from_text(text, "random.toml")
    return compile_losses(losses, origin="specs/random.toml").text


def value(formula: str, domain: str, q: float) -> float:
    text = HEADER.format(domain=domain) + f'loss = "{formula}"\n'
    (loss,) = losses_from_text(text, "random.toml")
    accused = Accused.load(loss, source(formula, domain))
    x = torch.tensor([0.5], dtype=torch.float64)
    return float(accused.call({"x": x, "q": q})[0])


@pytest.mark.parametrize(
    ("formula", "domain", "q", "want"),
    [
        ("x - log(q)", "unit = 0.25", 0.0, math.inf),
        ("x - log(1 - q)", "unit = 0.25", 1.0, math.inf),
        ("x + 1/q", "nonnegative = 1.0", 0.0, math.inf),
        ("x + exp(q)", "positive = 1.0", 1000.0, math.inf),
        ("x - exp(-q)", "positive = 1.0", 1000.0, 0.5),
        ("x + cosh(q)", "real = 1.0", -1000.0, math.inf),
        ("x + q**(-2)", "nonnegative = 1.0", 0.0, math.inf),
        ("x*xlogy(2, q)", "unit = 0.25", 0.0, -math.inf),
        ("where(x > 0, x, -log(q))", "unit = 0.25", 0.0, 0.5),
        ("x + (0 if q == 0 else q*log(q))", "unit = 0.25", 0.0, 0.5),
    ],
)
def test_the_end_of_a_domain_is_a_number(
    formula: str, domain: str, q: float, want: float
) -> None:
    assert value(formula, domain, q) == want


@pytest.mark.parametrize(
    ("formula", "domain"),
    [
        ("x - log(q)", "positive = 0.25"),
        ("x - log(1 + q)", "unit = 0.25"),
        ("x + 1/q", "positive = 1.0"),
        ("x + exp(q)", "unit = 1.0"),
        ("x + sqrt(q)", "nonnegative = 1.0"),
        ("x + (0 if q == 0 else log(q))", "nonnegative = 1.0"),
    ],
)
def test_what_cannot_fail_stays_a_number(formula: str, domain: str) -> None:
    assert "new_full" not in source(formula, domain)


def test_every_row_is_an_op_that_python_has() -> None:
    assert all(OPS[op].python is not None for op in WITHIN)
