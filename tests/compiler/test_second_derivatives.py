"""Second derivatives: torch's where they have too few digits, and far out in the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import pytest
import torch
from torch import Tensor

from losscodegen import api, resources
from losscodegen.judge.accused import Accused
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.oracle_second import bends
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.language.parse import load_losses
from losscodegen.pipeline import compile_losses
from tests.compiler.rule_instances import computed_bend

GOOD = 1024
"""So many ulp: what is reported of second derivatives with special functions as too many."""

FAR_OUT: tuple[tuple[str, str, Mapping[str, float]], ...] = (
    ("negative_binomial_nll", "mu", {"mu": 11.09, "alpha": 1.3e154, "y": 1.0}),
    ("negative_binomial_nll", "alpha", {"mu": 1e170, "alpha": 0.5, "y": 6.0}),
    (
        "zero_inflated_negative_binomial_nll",
        "theta",
        {"mu": 5e171, "theta": 1.75, "a": -709.0, "y": 4.0},
    ),
    (
        "zero_inflated_negative_binomial_nll",
        "a",
        {"mu": 710.5, "theta": 2.5e-12, "a": 4e-12, "y": 0.0},
    ),
    (
        "evidential_regression",
        "b",
        {"lam": 0.01, "g": -709.0, "v": 0.5, "a": 5.5e-17, "b": 0.00025, "y": 9999.0},
    ),
)


@pytest.mark.parametrize(("name", "wrt", "numbers"), FAR_OUT)
def test_the_library_far_out(name: str, wrt: str, numbers: Mapping[str, float]) -> None:
    (loss,) = load_losses(resources.specs_directory() / f"{name}.toml")
    parameters = {v.name for v in loss.parameters}
    point = Point(
        values={
            n: v if n in parameters else Array((), (v,)) for n, v in numbers.items()
        }
    )
    source = compile_losses((loss,), origin="test").text
    got = computed_bend(Accused.load(loss, source), point, Dtype.FLOAT64, wrt)
    oracle = Oracle(loss, {}, wrt=[wrt])
    (found,) = bends(oracle, point, Dtype.FLOAT64, 256)[wrt]
    assert found.value.ulps(got, Dtype.FLOAT64) <= GOOD


# ---------------------------------------------------------------- the logarithm of gamma


@pytest.fixture(scope="module")
def log_gamma() -> Callable[[Tensor], Tensor]:
    compiled = api.compile_loss("lgamma(x)", {"x": "positive[...]"}, verify=False)
    assert "_lgamma(" in compiled.source
    return cast(Callable[[Tensor], Tensor], compiled(reduction="sum"))


POINTS = (1e-100, 1e-3, 0.37, 1.0, 1.46, 2.0, 7.5, 40.0, 1e9)


def test_value_and_gradient_are_those_of_torch(
    log_gamma: Callable[[Tensor], Tensor],
) -> None:
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    value = log_gamma(x)
    (slope,) = torch.autograd.grad(value, x)
    assert value.equal(x.lgamma().sum())
    assert slope.equal(x.digamma())


def test_an_infinite_factor_of_the_gradient_stays(
    log_gamma: Callable[[Tensor], Tensor],
) -> None:
    x = torch.tensor([2.5], requires_grad=True)
    (slope,) = torch.autograd.grad(log_gamma(x) * torch.inf, x)
    assert slope.tolist() == [torch.inf]


def reverse_twice(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(function(x), x, create_graph=True)
    (found,) = torch.autograd.grad(slope.sum(), x)
    return found


def hessian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return cast(Tensor, torch.func.hessian(function)(x)).diagonal()


def reverse_over_forward(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return cast(Tensor, torch.func.jacrev(torch.func.jacfwd(function))(x)).diagonal()


def forward_twice(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return cast(Tensor, torch.func.jacfwd(torch.func.jacfwd(function))(x)).diagonal()


def by_vmap(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.grad(torch.func.grad(function)))(x)


@pytest.mark.parametrize(
    ("way", "digits"),
    [
        (reverse_twice, 15),
        (hessian, 15),
        (reverse_over_forward, 15),
        (by_vmap, 15),
        # A function of one's own has no second forward derivative: torch's own is left.
        (forward_twice, 8),
    ],
)
def test_the_second_derivative(
    log_gamma: Callable[[Tensor], Tensor],
    way: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
    digits: int,
) -> None:
    x = torch.tensor(POINTS[1:], dtype=torch.float64)
    wanted = torch.special.zeta(2.0, x)
    found = way(log_gamma, x)
    torch.testing.assert_close(found, wanted, rtol=10.0**-digits, atol=0.0)


def test_higher_derivatives(log_gamma: Callable[[Tensor], Tensor]) -> None:
    x = torch.tensor([0.37, 1.46, 7.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_gamma, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(log_gamma, x)
    slope = torch.func.grad(torch.func.grad(lambda x: log_gamma(x)))
    third = torch.func.vmap(torch.func.grad(slope))(x.detach())
    torch.testing.assert_close(third, torch.polygamma(2, x.detach()))


def test_one_graph_without_functions_of_its_own(
    log_gamma: Callable[[Tensor], Tensor],
) -> None:
    """A compiled graph cannot be differentiated twice, and an exported one needs lgamma alone."""
    x = torch.tensor(POINTS, dtype=torch.float64)
    assert isinstance(log_gamma, torch.nn.Module)
    called = str(torch.export.export(log_gamma, (x,)).graph)
    assert "aten.lgamma" in called
    assert "zeros_like" not in called


def test_a_power_of_0_bends_by_its_exponent() -> None:
    power = api.compile_loss(
        "x**p", {"x": "nonnegative[...]", "p": "positive[...]"}, verify=False
    )(reduction="sum")
    x = torch.tensor([4.0, 0.0], dtype=torch.float64)
    p = torch.tensor([0.5, 0.5], dtype=torch.float64)
    bend = reverse_twice(lambda p: cast(Tensor, power(x, p)), p)
    assert bend.tolist() == pytest.approx([2 * math.log(4) ** 2, 0.0])
