"""The judge where a spec asks for absolute accuracy: what it lets pass, and what it never does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.ir.loss import Accuracy, Loss
from losscodegen.judge.certificate import Certificate, Severity
from losscodegen.judge.check import verify
from losscodegen.judge.criterion import Limits
from losscodegen.language.parse import losses_from_text

SPEC = """
[ProbeLoss]
inputs.x = { type = "real[...]", arg = "input" }
params.w = { type = "positive[...] = none", arg = "weight" }
loss = "w*(softplus(x) + softplus(-x) - 2*log(2))"
"""

MODULE = """
import math
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def probe_loss(input: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {{reduction!r}}")
    if not input.dtype.is_floating_point:
        raise TypeError(f"input must be floating point, got {{input.dtype}}")
    x = input.to(torch.promote_types(input.dtype, torch.float32))
    loss = {formula}
    loss = loss if weight is None else weight * loss
    if reduction == "mean":
        return loss.mean().to(input.dtype)
    return (loss.sum() if reduction == "sum" else loss).to(input.dtype)


class ProbeLoss(nn.Module):
    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__()
        self.weight, self.reduction = weight, reduction

    def forward(self, input: Tensor) -> Tensor:
        return probe_loss(input, self.weight, reduction=self.reduction)
"""

PLAIN = (
    "F.softplus(x, threshold=40.0) + F.softplus(-x, threshold=40.0) - 2 * math.log(2)"
)
"""Right to a rounding of 1 near 0, where the loss is x**2/4 and less than that."""


def loss_with(accuracy: Accuracy) -> Loss:
    (loss,) = losses_from_text(SPEC, "probe.toml")
    return replace(loss, accuracy=accuracy)


def judged(formula: str, accuracy: Accuracy, limits: Limits) -> Certificate:
    source = MODULE.format(formula=formula)
    return verify(loss_with(accuracy), source, points=60, limits=limits)


def failures(certificate: Certificate) -> set[str]:
    """The codes of wrong numbers."""
    found = certificate.findings
    return {f.code for f in found if f.severity is Severity.FAILURE and f.order}


def test_what_is_right_beside_usual_results_passes() -> None:
    """Also with weights far from 1: they scale what results usually are."""
    for limits in (Limits(), Limits(cancellation=Severity.LOOSE)):
        found = judged(PLAIN, Accuracy.ABSOLUTE, limits)
        assert failures(found) == set()
        assert "cancellation" not in {f.code for f in found.findings}
        assert found.accuracy == "absolute"


def test_and_fails_where_small_results_are_to_keep_their_digits() -> None:
    found = judged(PLAIN, Accuracy.RELATIVE, Limits())
    assert "cancellation" in failures(found)
    assert found.accuracy == "relative"


WRONG = {
    "an offset": (f"{PLAIN} + 1e-3", "wrong-digits"),
    "half of it": (f"({PLAIN}) / 2", "wrong-digits"),
    "nothing": ("0 * x", "wrong-zero"),
    "overflow": ("(1 + x.exp()).log() + F.softplus(-x) - 2 * math.log(2)", "infinity"),
    "a gradient": (f"({PLAIN}).detach() + 0 * x", "wrong-zero"),
    "nan of a branch": (
        f"torch.where(x == 0, 0.0, ({PLAIN}) * (x / x))",
        "wrong-nan",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_beside_usual_results_fails(what: str) -> None:
    formula, code = WRONG[what]
    found = judged(formula, Accuracy.ABSOLUTE, Limits(cancellation=Severity.LOOSE))
    assert any(code in f for f in failures(found)), found.findings[:3]


def test_a_weight_scales_what_is_negligible_and_no_more() -> None:
    """A thousandth of the weight is too much, with large weights as well."""
    source = MODULE.format(formula=PLAIN).replace(
        "weight * loss", "weight * loss + torch.where(weight > 30, weight / 1e3, 0.0)"
    )
    found = verify(loss_with(Accuracy.ABSOLUTE), source, points=60)
    assert "wrong-digits" in failures(found)
