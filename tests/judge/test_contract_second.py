"""A hand-written backward that is right in training, and wrong where it is differentiated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.contract_second import second_fault
from losscodegen.judge.point import Array
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import losses_from_text

SPEC = """
[CubesLoss]
summary = "For a test."
inputs.x = {{ type = "{type}[B, C]", doc = "a" }}
inputs.y = {{ type = "real[B, C]", doc = "b" }}
loss = "{formula}"
"""
MODULE = """
import torch
from torch import nn


class Cubes(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return (x**3 * y).sum(1)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        grad = grad.unsqueeze(1)
        if torch.is_grad_enabled():
            return {graph}
        return 3 * grad * x**2 * y, grad * x**3


class CubesLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, x, y):
        return {result}
"""
RIGHT = "3 * grad * x**2 * y, grad * x**3"
CUBES, RELU = "Sum(x[b,c]**3*y[b,c], c)", "Sum(relu(x[b,c] - y[b,c]), c)"
RELU_ = "(x - y).relu().sum(1)"


def fault(
    formula: str, graph: str, result: str = "Cubes.apply(x, y)", type_: str = "real"
) -> tuple[int, str]:
    loss: Loss = losses_from_text(SPEC.format(formula=formula, type=type_))[0]
    accused = Accused.load(loss, MODULE.format(graph=graph, result=result))
    tame = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="claims")
    return second_fault(loss, accused, tame)


ANOTHER = "the gradient by x is another with create_graph=True"
ALONG = "the derivative of the gradient by {} along a direction is"


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        (RIGHT, ""),
        ("3 * grad * x**2 * y, -grad * x**3", ANOTHER.replace("x", "y", 1)),
        ("3 * grad * x.abs() * y, grad * x**3", ANOTHER),
        ("3 * grad * x.detach()**2 * y, grad * x**3", ALONG.format("x")),
        ("3 * grad * x**2 * y, grad * x.detach()**3", ALONG.format("x")),
        ("3 * grad * x**2 * y.detach(), grad * x**3", ALONG.format("y")),
    ],
)
@pytest.mark.parametrize("type_", ["real", "positive"])
def test_what_is_wrong_where_a_graph_is_made(
    graph: str, found: str, type_: str
) -> None:
    checked, detail = fault(CUBES, graph, type_=type_)
    assert detail.startswith(found)
    assert bool(detail) is bool(found)
    assert checked or found


def test_a_backward_that_makes_no_graph_is_told() -> None:
    once = MODULE.replace(
        "    def backward",
        "    @torch.autograd.function.once_differentiable\n    def backward",
    )
    loss: Loss = losses_from_text(SPEC.format(formula=CUBES, type="real"))[0]
    accused = Accused.load(loss, once.format(graph=RIGHT, result="Cubes.apply(x, y)"))
    tame = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="claims")
    assert second_fault(loss, accused, tame)[1].startswith(
        f"{ALONG.format('x')} 0.0, not"
    )


def test_kinks_and_what_is_held_are_let_alone() -> None:
    """No second derivative is known there, and the gradient is compared all the same."""
    checked, detail = fault(RELU, RIGHT, RELU_)
    assert checked and not detail
    held = "Sum(detach(x[b,c])*x[b,c]*y[b,c], c)"
    checked, detail = fault(held, RIGHT, "(x.detach() * x * y).sum(1)")
    assert checked and not detail


def test_at_the_end_of_a_domain_nothing_is_known() -> None:
    """There a formula is continued in one way or another."""
    loss: Loss = losses_from_text(SPEC.format(formula=CUBES, type="nonnegative"))[0]
    graph = "3 * grad * torch.where(x == 0, x, x.detach())**2 * y, grad * x**3"
    accused = Accused.load(loss, MODULE.format(graph=graph, result="Cubes.apply(x, y)"))
    tame = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="claims")
    ended = []
    for point in tame:
        array = point.values["x"]
        assert isinstance(array, Array)
        zeros = Array(array.shape, (0.0,) * len(array.entries))
        ended.append(replace(point, values={**point.values, "x": zeros}))
    assert second_fault(loss, accused, ended)[1] == ""
    assert second_fault(loss, accused, tame)[1].startswith(ALONG.format("x"))


LABELLED = """
[CubeLoss]
summary = "For a test."
inputs.x = { type = "real[B, C]", doc = "a" }
inputs.t = { type = "index(C)[B]", doc = "b" }
loss = "x[b,t]**3"
"""
LABELLED_MODULE = """
import torch
from torch import nn


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * grad * SQUARE


class CubeLoss(nn.Module):
    def __init__(self, *, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, x, t):
        return Cube.apply(x.gather(1, t.unsqueeze(1)).squeeze(1))
"""


@pytest.mark.parametrize(
    ("square", "right"), [("x**2", True), ("x * x.detach()", False)]
)
def test_labels_stay_where_they_are(square: str, right: bool) -> None:
    """They are no numbers to go up and down; what they choose is."""
    loss: Loss = losses_from_text(LABELLED)[0]
    accused = Accused.load(loss, LABELLED_MODULE.replace("SQUARE", square))
    tame = tidy_points(loss, Dtype.FLOAT64, seed=0, count=6, purpose="claims")
    checked, detail = second_fault(loss, accused, tame)
    assert checked > 0
    assert bool(detail) is not right
