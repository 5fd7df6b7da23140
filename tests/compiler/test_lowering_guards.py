"""What the guards of lowering are for: without them a module fails where with them it does not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from losscodegen.api import import_text
from losscodegen.errors import LossCodegenError
from losscodegen.pipeline import generate, generate_text

SPECS = Path(__file__).parents[2] / "specs"


def built(stem: str, name: str, *without: str) -> nn.Module:
    source = generate(SPECS / f"{stem}.toml", without=frozenset(without))
    module = import_text(f"{stem}_{len(without)}", source.text)
    loss = getattr(module, name)(reduction="sum")
    assert isinstance(loss, nn.Module)
    return loss


def gradient(loss: nn.Module, logits: Tensor, target: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    loss(logits, target).backward()
    assert logits.grad is not None
    return logits.grad


@pytest.mark.parametrize("guarded", [True, False])
def test_finite_mask(guarded: bool) -> None:
    """Every rival class is ruled out by a logit of -inf: nothing is left to learn."""
    without = () if guarded else ("finite-mask",)
    loss = built("softmax_cross_entropy", "SoftmaxCrossEntropyLoss", *without)
    logits = torch.tensor([[1.0, -math.inf, -math.inf], [0.0, 0.0, -math.inf]])
    found = gradient(loss, logits, torch.tensor([0, 1]))
    assert bool(found[1].isfinite().all())
    assert bool(found[0].isfinite().all()) == guarded


def test_the_leading_class_takes_what_the_others_give() -> None:
    """Its own share of the gradient cancels and stays out: it hides that of the others."""
    loss = built("soft_target_cross_entropy", "SoftTargetCrossEntropyLoss")
    target = torch.tensor([[0.75, 0.125, 0.125]])
    found = gradient(loss, torch.tensor([[20.0, 0.0, 1.0]]), target)
    others = [math.exp(-20.0), math.exp(-19.0)]
    others = [e / (1 + sum(others)) for e in others]
    expected = [0.25 - sum(others), others[0] - 0.125, others[1] - 0.125]
    assert found[0].tolist() == pytest.approx(expected, rel=1e-6)

    found = gradient(
        loss, torch.tensor([[20.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    )
    assert found[0].tolist() == pytest.approx([-sum(others), *others], rel=1e-6)


def test_the_leading_class_of_a_residual() -> None:
    """Of a confident mistake: the loss is 2*p**2, its slope 4*p**2*(1 - p), far below p."""
    loss = built("multiclass_brier", "MulticlassBrierLoss")
    found = gradient(loss, torch.tensor([[0.0, 20.0]]), torch.tensor([0]))
    rare = 1 / (1 + math.exp(20.0))
    slope = 4 * (1 - rare) ** 2 * rare
    assert found[0].tolist() == pytest.approx([-slope, slope], rel=1e-5)


def test_the_gradient_of_an_entropy_near_its_maximum() -> None:
    """It is -p*(x - Sum(p*x)), as small as the logits are."""
    loss = built("entropy", "EntropyLoss")
    logits = torch.tensor([[3e-6, 1e-6, -1e-6, 0.0]], requires_grad=True)
    loss(logits).backward()
    exact = logits.detach().double()
    p = exact.softmax(dim=1)
    expected = -p * (exact - (p * exact).sum())
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad.double(), expected, rtol=1e-6, atol=0.0)


def test_ignored_target() -> None:
    loss = built("cross_entropy", "CrossEntropyLoss")
    logits, target = torch.tensor([[1.0, 2.0], [0.5, 0.0]]), torch.tensor([-100, 1])
    assert gradient(loss, logits, target)[0].tolist() == [0.0, 0.0]
    bare = built("cross_entropy", "CrossEntropyLoss", "ignored-target")
    with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):
        bare(logits, target)


@pytest.mark.parametrize(
    "call", ["digamma(a)", "erfinv(a/4)", "polygamma(1, a)", "besseli(0, a)"]
)
def test_scalars_without_a_python_spelling_are_refused(call: str) -> None:
    text = (
        '[ProbeLoss]\ninputs.x = "real[...]"\n'
        f'params.a = "positive = 1.0"\nloss = "x**2*{call}"\n'
    )
    with pytest.raises(LossCodegenError, match="parameters alone") as caught:
        generate_text(text, file="probe.toml")
    place = caught.value.diagnostics[0].location
    assert place is not None
    assert place.text[place.column - 1 :].startswith(call.split("(")[0])
