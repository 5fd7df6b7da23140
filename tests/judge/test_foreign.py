"""Losses that nobody generated: right ones pass, broken ones fail with the right diagnosis."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Loss
from losscodegen.judge.case import Case
from losscodegen.judge.certificate import Severity
from losscodegen.judge.criterion import Fault
from losscodegen.judge.foreign_check import verify_module
from losscodegen.judge.foreign_digits import excusable
from losscodegen.judge.foreign_evidence import Failing
from losscodegen.judge.point import Array, Kind, Point, Real, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import load_losses

ONE = Real(Kind.FINITE, 1)
FAILURE = Severity.FAILURE
SPECS = Path(__file__).parents[2] / "specs"


def spec(name: str) -> Loss:
    return load_losses(SPECS / f"{name}.toml")[0]


class Right(nn.Module):
    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return ((pred - target) ** 2).mean()


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        self.calls += 1
        return (pred - target) ** 2 / self.calls


def where_root(x: Tensor, y: Tensor) -> Tensor:
    return torch.where(x == y, 0.0, (x - y).abs().sqrt() ** 2)


def clamped(x: Tensor, y: Tensor) -> Tensor:
    x = x.clamp(-10, 10)
    return nn.functional.softplus(x) - x * y


BROKEN: tuple[tuple[str, str, Callable[..., Any], dict[str, Any]], ...] = (
    ("state", "mse", Counting, {}),
    ("wrong-sign", "hinge", lambda x, y: torch.relu(1 + x * y), {}),
    ("wrong-normaliser", "mse", lambda x, y: ((x - y) ** 2).mean() / 2, {}),
    ("broadcast", "mse", lambda x, y: ((x - y.unsqueeze(-1)) ** 2).mean(), {}),
    ("dtype-or-device", "mse", lambda x, y: (x.float() - y.float()) ** 2, {}),
    ("detached-gradient", "mse", lambda x, y: (x - y.detach()) ** 2, {}),
    ("wrong-formula", "mse", lambda x, y: (x - y).abs() ** 3, {}),
    ("missing-reduction", "mse", lambda x, y: (x - y) ** 2, {"reduction": "mean"}),
    ("overflow", "log_cosh", lambda x, y: torch.log(torch.cosh(x - y)), {}),
    ("kink-convention", "l1", lambda x, y: (x - y).abs().sqrt() ** 2, {}),
    ("dead-branch", "l1", where_root, {}),
    (
        "mask-by-product",
        "bce",
        lambda x, y: -(y * x.log() + (1 - y) * (1 - x).log()),
        {},
    ),
    ("cancellation", "welsch", lambda x, y: 1 - torch.exp(-((x - y) ** 2) / 2), {}),
    ("eps-bias", "l1", lambda x, y: (x - y).abs() + 1e-8, {}),
    ("clamp-kills-gradient", "bce_with_logits", clamped, {}),
)


@pytest.mark.parametrize(("code", "name", "target", "options"), BROKEN)
def test_a_broken_loss_is_diagnosed(
    code: str, name: str, target: Callable[..., Any], options: dict[str, Any]
) -> None:
    found = verify_module(target, spec(name), **options)
    assert not found.passed
    assert found.diagnosis is not None
    assert found.diagnosis.code == code, found.diagnosis
    assert found.as_dict()["verdict"] == "failed"


def test_a_right_loss_passes() -> None:
    found = verify_module(Right, spec("mse"))
    assert found.passed, found.certificate.findings
    assert found.returns == "mean"
    assert found.diagnosis is None


def test_the_smallest_input_is_small() -> None:
    found = verify_module(lambda x, y: torch.relu(1 + x * y), spec("hinge"))
    assert found.smallest is not None
    assert len(found.smallest.text) < 24, found.smallest.text


def test_arguments_that_cannot_be_told() -> None:
    with pytest.raises(LossCodegenError) as raised:
        verify_module(lambda only: only, spec("mse"))
    (problem,) = raised.value.diagnostics
    assert problem.code == "cannot-map-arguments"
    assert "spec:" in problem.message and "module:" in problem.message


def shifted_cosh(residual: Tensor) -> Tensor:
    """log-cosh that rounds at log(2)."""
    size = residual.abs()
    return size + nn.functional.softplus(-2 * size) - math.log(2.0)


def test_digits_that_the_input_does_not_ask_to_lose() -> None:
    """Rounding at the size of a constant fails; rounding at the size of the inputs does not."""
    found = verify_module(lambda x, y: shifted_cosh(x - y), spec("log_cosh"))
    assert not found.passed
    assert {f.code for f in found.certificate.findings if f.severity is FAILURE} == {
        "cancellation"
    }

    def rounded_at_logits(x: Tensor, t: Tensor) -> Tensor:
        return x.logsumexp(1) - x.gather(1, t.unsqueeze(1)).squeeze(1)

    found = verify_module(rounded_at_logits, spec("softmax_cross_entropy"))
    assert found.passed, found.certificate.findings


def _failing(got: float) -> Failing:
    """A value that should be 1."""
    point = Point(values={"x": Array((1,), (1.0,))})
    truth = Truth(shape=(1,), value=(ONE,))
    case = Case(
        point=point,
        truth=truth,
        order="value",
        variable=None,
        entry=0,
        want=truth.value[0],
        got=got,
        ulp=truth.value[0].ulps(got, Dtype.FLOAT32),
        fault=Fault.DIGITS,
        naive=got,
        naive_ulp=0.0,
        naive_value_ulp=0.0,
        tame=True,
    )
    return Failing(Dtype.FLOAT32, case)


def test_what_rounding_explains_has_six_bits_and_large_terms() -> None:
    """On either side of both limits."""
    assert excusable(_failing(1 + 2**-7), largest=1e4)
    assert not excusable(_failing(1 + 2**-4), largest=1e9)
    assert not excusable(_failing(1 + 2**-7), largest=1e2)
