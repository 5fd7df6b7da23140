"""What modules do where a value leaves the range, or a decision hangs by a rounding."""

from __future__ import annotations

import math

import pytest
import torch

import losscodegen

SEMI_HARD = """
dist[i,j] = Sum((z[i,d] - z[j,d])**2, d)
outside[i,j] = amin(dist[i,k], k, where=t[k] != t[i] and dist[i,k] > dist[i,j])
farthest[i] = amax(dist[i,k], k, where=t[k] != t[i])
negative[i,j] = where(farthest[i] > dist[i,j], outside[i,j], farthest[i])
"""


def test_distances_that_decide_are_not_computed_anew_to_be_chosen() -> None:
    """By another function they round otherwise, and no longer fit what was decided."""
    compiled = losscodegen.compile_loss(
        "Sum(clip(1 + dist[i,j] - negative[i,j], 0, oo), i, j, where=t[j] == t[i] and j != i)",
        inputs={"z": "real[B, D]", "t": "integer[B]"},
        indices={"i": "B", "j": "B", "k": "B"},
        let=SEMI_HARD,
        verify=False,
    )
    z = torch.tensor(
        [[-2, -1, -1], [-1, -2, -1], [0, -2, 0], [-1, 0.23606811463832855, 0]]
    )
    t = torch.tensor([1, 1, 1, 0])
    exact = compiled()(z.double(), t)
    assert compiled()(z, t) == pytest.approx(float(exact), rel=1e-5)


@pytest.mark.parametrize("x", [1.0, 100.0])
def test_nan_stays_nan_where_a_function_has_levelled_off_elsewhere(x: float) -> None:
    compiled = losscodegen.compile_loss(
        "softplus(exp(x)*y)", inputs={"x": "real[...]", "y": "real[...]"}, verify=False
    )
    assert "levelled-off" in compiled.source
    y = torch.tensor([math.nan, -1.0])
    found = compiled(reduction="none")(torch.tensor([x, 100.0]), y)
    assert found.isnan().tolist() == [True, False]


def test_a_coefficient_of_0_keeps_an_exponential_out() -> None:
    compiled = losscodegen.compile_loss(
        "x**2 + beta*(exp(y) - y - 1)",
        inputs={"x": "real[...]", "y": "real[...]"},
        params={"beta": "nonnegative = 1.0"},
        verify=False,
    )
    x, y = torch.tensor([3.0]), torch.tensor([1e4], requires_grad=True)
    found = compiled(beta=0.0)(x, y)
    assert float(found) == 9.0
    assert compiled(beta=2.0)(x, y).isinf()


def test_a_weight_near_the_end_of_the_range_leaves_the_slope_in_it() -> None:
    compiled = losscodegen.compile_loss(
        "weight[t]*(logsumexp(x, c) - x[b,t])",
        inputs={"x": "real[B, C]", "t": "index(C)[B]"},
        params={"weight": "nonnegative[C]"},
        verify=False,
    )
    x = torch.tensor([[0.0, 39.0]], requires_grad=True)
    loss = compiled(weight=torch.tensor([1e25, 1.0]), reduction="sum")
    loss(x, torch.tensor([0])).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[pytest.approx(-1e25), pytest.approx(1e25)]]
