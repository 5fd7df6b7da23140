"""Losses that nobody generated: right ones pass, broken ones fail with the right diagnosis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import Loss
from losscodegen.judge.foreign_check import verify_module
from losscodegen.language.parse import load_losses

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
