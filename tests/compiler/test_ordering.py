"""Sums whose large terms cancel: what is small beside them is not lost, and others stay."""

from __future__ import annotations

import math
import re

import pytest
import torch

from losscodegen.compiler.ordering import ORDER
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

HUBER = "where(abs(x) <= 1, x**2/2, abs(x) - 1/2)"
LEFT_OUT = frozenset({ORDER.rule})


INPUTS = {"x": "real[...]", "y": "binary[...]", "z": "real[...]"}
SCALARS = {"d": 1.5, "q": 0.0}
PARAMS = {"d": "positive = 1.5", "q": "unit = 0.0"}


def loss_of(formula: str) -> Loss:
    used = set(re.findall(r"\b[a-z]\b", formula))
    lines = [f'inputs.{n} = "{t}"' for n, t in INPUTS.items() if n in used]
    lines += [f'params.{n} = "{t}"' for n, t in PARAMS.items() if n in used]
    text = "\n".join(["[Tried]", 'summary = "For a test."', *lines])
    (loss,) = losses_from_text(f'{text}\nloss = "{formula}"\n')
    return loss


def value(loss: Loss, x: float, without: frozenset[str] = frozenset()) -> float:
    source = compile_losses((loss,), origin="test", without=without)
    module = Accused.load(loss, source.text)
    found = {v.name: SCALARS.get(v.name, torch.ones(1)) for v in loss.variables}
    return float(module.call({**found, "x": torch.tensor([x])}))


CANCELLED = [
    ("log(cosh(x)) - x", 1e9, -math.log(2)),
    ("x + log(cosh(sqrt(1 + (x*y)**2) - 1))", -1e9, -1 - math.log(2)),
    ("2*log(cosh(x)) - 2*x", 1e9, -2 * math.log(2)),
    (f"{HUBER} - x", 1e9, -0.5),
    (f"{HUBER} + (2*q - 1)*x", 1e9, -0.5),
    ("where(abs(x) <= d, x**2/2, d*(abs(x) - d/2)) - d*x", 1e9, -1.125),
    ("sqrt(1 + x**2) - 1 - x", 1e9, -1.0),
    ("abs(x) - 1/2 - x", 1e9, -0.5),
    ("relu(x) + d - x", 1e9, 1.5),
    ("1 + abs(x) + d - x - 1", 1e9, 1.5),
    ("where(x > 0, x + 1, 2 - x) - x", 1e9, 1.0),
]


@pytest.mark.parametrize(("formula", "x", "want"), CANCELLED)
def test_what_is_left_is_right(formula: str, x: float, want: float) -> None:
    loss = loss_of(formula)
    assert ORDER.rule in [step.rule for step in stabilize(loss).steps]
    assert value(loss, x) == pytest.approx(want)
    assert value(loss, x, LEFT_OUT) != pytest.approx(want)


@pytest.mark.parametrize(
    "formula",
    [
        "log(cosh(x)) + abs(x)",  # nothing cancels
        "log(cosh(x)) - z",  # hardly anything does
        "log(cosh(x)) - x**2",
        "exp(x) - x - 1",
        "d + abs(x - z) - abs(x)",
        "x + d - z",
        "log(cosh(x)) - Max(log(cosh(x)), x)",  # as a whole
    ],
)
def test_others_stay(formula: str) -> None:
    stable = stabilize(loss_of(formula))
    assert ORDER.rule not in [step.rule for step in stable.steps]


def test_it_can_be_left_out() -> None:
    stable = stabilize(loss_of("log(cosh(x)) - x"), without=LEFT_OUT)
    assert ORDER.rule not in [step.rule for step in stable.steps]
