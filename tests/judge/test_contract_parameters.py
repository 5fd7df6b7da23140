"""A module that refuses what its spec allows, or takes what it does not."""

from __future__ import annotations

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.contract_parameters import inside, outside, parameter_fault
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text

SPEC = """
[ScaledLoss]
summary = "For a test."
inputs.x = {{ type = "real[...]", doc = "a" }}
params.a = {{ type = "{type}", doc = "b" }}
params.c = {{ type = "real = 4.0", doc = "c" }}
{require}
loss = "a*x + c"
"""
MODULE = """
import torch
from torch import nn


class ScaledLoss(nn.Module):
    def __init__(self, a=1.0, c=4.0, *, reduction="mean"):
        super().__init__()
        if {refused}:
            raise ValueError("a is wrong")
        self.a, self.c, self.reduction = a, c, reduction

    def forward(self, x):
        return self.a * x + self.c
"""


def loss_of(type_: str, require: str = "") -> Loss:
    return losses_from_text(SPEC.format(type=type_, require=require))[0]


@pytest.mark.parametrize(
    ("type_", "refused", "found"),
    [
        ("positive = 1.0", "not a > 0", ""),
        ("positive = 1.0", "not a > 0.1", "a=0.015625 is refused"),
        ("positive = 1.0", "not 0 < a < 50", "a=64.0 is refused"),
        ("positive = 1.0", "not a >= 0", "a=0.0 is accepted"),
        ("positive = 1.0", "a <= 0", "a=nan is accepted"),
        ("nonnegative = 1.0", "not a >= 0", ""),
        ("nonnegative = 1.0", "not a > 0", "a=0.0 is refused"),
        ("negative = -1.0", "not a < 0", ""),
        ("negative = -1.0", "not a < -0.1", "a=-0.015625 is refused"),
        ("unit = 0.5", "not 0 <= a <= 1", ""),
        ("unit = 0.5", "not 0 <= a < 1", "a=1.0 is refused"),
        ("unit = 0.5", "not a >= 0", "a=1.5 is accepted"),
        ("real = 1.0", "False", ""),
        ("real = 1.0", "not a >= 0", "a=-64.0 is refused"),
        ("real in [1, 2) = 1.0", "not 1 <= a < 2", ""),
        ("real in [1, 2) = 1.0", "not 1 < a < 2", "a=1.0 is refused"),
        ("real in [1, 2) = 1.0", "not 1 <= a < 1.9", "a=1.9999999999999998 is"),
        ("real in [1, 2) = 1.0", "not 1 <= a <= 2", "a=2.0 is accepted"),
    ],
)
def test_parameters_are_refused_outside_of_their_domain_alone(
    type_: str, refused: str, found: str
) -> None:
    loss = loss_of(type_)
    accused = Accused.load(loss, MODULE.format(refused=refused))
    point, *_ = tidy_points(loss, Dtype.FLOAT64, seed=0, count=2, purpose="claims")
    checked, fault = parameter_fault(loss, accused, point)
    assert fault.startswith(found)
    assert bool(fault) is bool(found)
    assert checked or found


def test_what_a_require_forbids_may_be_refused() -> None:
    loss = loss_of("positive = 1.0", 'require = ["a < c"]')
    accused = Accused.load(loss, MODULE.format(refused="not 0 < a < c"))
    point, *_ = tidy_points(loss, Dtype.FLOAT64, seed=0, count=2, purpose="claims")
    assert parameter_fault(loss, accused, point)[1] == ""


def test_nothing_is_both_inside_and_outside() -> None:
    for type_ in ("positive = 1.0", "unit = 0.5", "real in (0, 2] = 1.0"):
        variable = loss_of(type_).variable("a")
        assert not {*inside(variable)} & {*outside(variable)}
        assert {*inside(variable)} >= {1.0}


def test_without_parameters_nothing_is_counted() -> None:
    spec = SPEC.format(type="real = 1.0", require="")
    lines = [line for line in spec.splitlines() if "params" not in line]
    (loss,) = losses_from_text("\n".join(lines).replace("a*x + c", "2*x"))
    accused = Accused.load(loss, MODULE.format(refused="False").replace("4.0", "0.0"))
    point, *_ = tidy_points(loss, Dtype.FLOAT64, seed=0, count=2, purpose="claims")
    assert parameter_fault(loss, accused, point) == (0, "")
