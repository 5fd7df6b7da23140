"""``normalize``: a vector over its norm, whose gradient is right in every entry."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from losscodegen.api import import_text
from losscodegen.pipeline import generate

SPEC = Path(__file__).parents[2] / "specs" / "negative_cosine_similarity.toml"
GUARD = "direction"
LONG, SHORT = [3.0, 1e-3, -2e-5], [0.5, -0.25, 1.0]


@cache
def module(*without: str) -> ModuleType:
    source = generate(SPEC, without=frozenset(without))
    return import_text(f"directions_{len(without)}", source.text)


def direction(x: Tensor, dim: int = -1) -> Tensor:
    """The function, out of a module that has it."""
    found: Tensor = module()._direction(x, dim=dim)
    return found


def slopes(x: list[float], y: list[float], *without: str) -> list[float]:
    """The gradient of the cosine by ``x``, in float32."""
    left = torch.tensor([x], requires_grad=True)
    loss = module(*without).negative_cosine_similarity_loss
    (-loss(left, torch.tensor([y]))).backward()
    assert left.grad is not None
    found: list[float] = left.grad[0].tolist()
    return found


def expected(x: list[float], y: list[float]) -> list[float]:
    """``Sum_j x[j]*(y[i]*x[j] - x[i]*y[j])/(|x|**3*|y|)``; the sum in rational numbers."""
    a, b = ([Fraction(e) for e in torch.tensor(v).tolist()] for v in (x, y))
    sums = [
        sum(p * (d * p - c * q) for p, q in zip(a, b, strict=True))
        for c, d in zip(a, b, strict=True)
    ]
    lengths = math.hypot(*a) ** 3 * math.hypot(*b)
    return [float(s) / lengths for s in sums]


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_an_entry_that_is_nearly_the_whole_norm(
    order: tuple[int, ...], guarded: bool
) -> None:
    """Its own slope is what the others leave, far below theirs."""
    x, y = [LONG[k] for k in order], [SHORT[k] for k in order]
    found = slopes(x, y, *(() if guarded else (GUARD,)))
    right = found == pytest.approx(expected(x, y), rel=1e-6)
    assert right == guarded


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("scale", [1e25, 1e-30])
def test_squares_that_leave_the_range(scale: float, guarded: bool) -> None:
    x = [scale * e for e in (3.0, -4.0)]
    loss = module(*(() if guarded else (GUARD,))).negative_cosine_similarity_loss
    found = loss(torch.tensor([x]), torch.tensor([[1.0, 0.0]]))
    assert (found.item() == pytest.approx(-0.6)) == guarded


def test_it_is_the_vector_over_its_norm() -> None:
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    for dim in (0, 1, -1):
        torch.testing.assert_close(
            direction(x, dim), x / torch.linalg.vector_norm(x, dim=dim, keepdim=True)
        )


@pytest.mark.parametrize(
    "rows",
    [
        [[3.0, -1.0, 0.5], [0.25, 0.5, -8.0]],
        [[2.0, -2.0, 0.5], [1.0, 1.0, 1.0]],
        [[-3.0], [2.0]],
        [[0.0, 0.0, -7.0], [5.0, 0.0, 0.0]],
    ],
    ids=["one leads", "ties", "a single entry", "zeros beside"],
)
@pytest.mark.parametrize("dim", [0, 1])
def test_derivatives(rows: list[list[float]], dim: int) -> None:
    x = torch.tensor(rows, dtype=torch.float64)
    x = (x.T.contiguous() if dim == 0 else x).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: direction(x, dim), x, check_forward_ad=True
    )
    assert torch.autograd.gradgradcheck(lambda x: direction(x, dim), x)


def test_rows_without_a_direction() -> None:
    """Zeros stay zeros, with a gradient; what is infinite or nan is told."""
    x = torch.tensor([[0.0, 0.0], [math.inf, 3.0], [math.nan, 1.0]], requires_grad=True)
    found = direction(x)
    assert found[0].tolist() == [0.0, 0.0]
    assert bool(found[1:].isnan().any(dim=1).all())
    (slope,) = torch.autograd.grad(found[0].sum(), x)
    assert slope[0].tolist() == [1.0, 1.0]


def test_function_transforms() -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(torch.func.vmap(direction)(x), direction(x))
    forward, backward = torch.func.jacfwd(direction)(x), torch.func.jacrev(direction)(x)
    torch.testing.assert_close(forward, backward)
