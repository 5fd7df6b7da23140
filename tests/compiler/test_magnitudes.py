"""Logarithms taken apart: equal to the logarithm where that can be had, finite where it cannot."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from torch import Tensor

from losscodegen.compiler.magnitudes import FORMS
from losscodegen.compiler.stabilize import stabilize
from losscodegen.judge.accused import Accused
from losscodegen.language.parse import losses_from_text
from losscodegen.language.printer import format_expression
from losscodegen.pipeline import compile_losses

SPEC = """
[TestLoss]
inputs.x = "real[...]"
inputs.y = "positive[...]"
loss = "log({argument})"
"""

AXES = """
[TestLoss]
inputs.x = "real[B, C]"
loss = "log({argument})"
"""

Log = Callable[..., mpmath.mpf]


def computed(spec: str, **inputs: Tensor) -> Tensor:
    """The unreduced loss of the module that ``spec`` compiles to."""
    (loss,) = losses_from_text(spec, "test.toml")
    text = compile_losses([loss], origin="specs/test.toml").text
    return Accused.load(loss, text).call(inputs)


POINTWISE: tuple[tuple[str, float, float, Log], ...] = (
    # argument, x and y where it leaves the range of float32, its logarithm there
    ("x**2*y", 1e25, 3.0, lambda x, y: 2 * mpmath.log(x) + mpmath.log(y)),
    ("y**3/(2 + x**4)", 1e15, 1e15, lambda x, y: mpmath.log(y**3 / (2 + x**4))),
    ("cosh(x)*y", -200.0, 5.0, lambda x, y: mpmath.log(mpmath.cosh(x) * y)),
    (
        "exp(-y)*sigmoid(x)",
        -90.0,
        90.0,
        lambda x, y: -y + mpmath.log(1 / (1 + mpmath.exp(-x))),
    ),
    (
        "softplus(x*y) + exp(-y)",
        -3.0,
        90.0,
        lambda x, y: mpmath.log(mpmath.log1p(mpmath.exp(x * y)) + mpmath.exp(-y)),
    ),
    (
        "Max(x**2, y**3)*2",
        1e20,
        1e15,
        lambda x, y: mpmath.log(2 * max(x**2, y**3)),
    ),
    (
        # Both are exponentials that underflow, one of them under a logarithm already.
        "sigmoid(-x) + softplus(y - x)",
        120.0,
        1.0,
        lambda x, y: mpmath.log(
            1 / (1 + mpmath.exp(x)) + mpmath.log1p(mpmath.exp(y - x))
        ),
    ),
    (
        "1/(1 + x**2) + softplus(x/y)",
        -3.0,
        1e-22,
        lambda x, _: -mpmath.log1p(x**2),
    ),
    (
        "softplus(x/y) + 1/(1 + x**2)",
        0.5,
        1e-22,
        lambda x, y: mpmath.log(1 / (1 + x**2) + x / y),
    ),
    ("abs(y - x*y)", 1e25, 1e25, lambda x, y: mpmath.log(abs(y - x * y))),
)


@pytest.mark.parametrize(
    ("argument", "x", "y", "log"), POINTWISE, ids=[row[0] for row in POINTWISE]
)
def test_a_logarithm_out_of_range(argument: str, x: float, y: float, log: Log) -> None:
    one, other = (torch.tensor(v, requires_grad=True) for v in (x, y))
    value = computed(SPEC.format(argument=argument), x=one, y=other)
    value.backward()
    with mpmath.workdps(50):
        a, b = mpmath.mpf(one.item()), mpmath.mpf(other.item())
        assert value.item() == pytest.approx(float(log(a, b)), rel=1e-6)
        slopes = [
            mpmath.diff(lambda t: log(t, b), a, relative=True),
            mpmath.diff(lambda t: log(a, t), b, relative=True),
        ]
    for leaf, slope in zip((one, other), slopes, strict=True):
        assert leaf.grad is not None
        assert leaf.grad.item() == pytest.approx(float(slope), rel=1e-4, abs=1e-30)


OVER_AXES: tuple[tuple[str, Log], ...] = (
    ("Sum(x**2, c)", lambda row: 2 * mpmath.log(mpmath.norm(row))),
    ("Mean(abs(x)**3, c)", lambda row: mpmath.log(sum(abs(e) ** 3 for e in row) / 3)),
    ("amax(x**2, c)", lambda row: mpmath.log(max(e**2 for e in row))),
    (
        "var(x, c)",
        lambda row: mpmath.log(sum((e - sum(row) / 3) ** 2 for e in row) / 2),
    ),
)


@pytest.mark.parametrize(("argument", "log"), OVER_AXES, ids=[r[0] for r in OVER_AXES])
def test_a_logarithm_over_an_axis(argument: str, log: Log) -> None:
    x = torch.tensor([[1e25, -3e25, 2e24]], requires_grad=True)
    value = computed(AXES.format(argument=argument), x=x)
    value.backward()
    with mpmath.workdps(50):
        row = [mpmath.mpf(e) for e in x[0].tolist()]
        assert value.item() == pytest.approx(float(log(row)), rel=1e-6)
        slopes = [
            mpmath.diff(
                lambda t, k=k: log([*row[:k], t, *row[k + 1 :]]), row[k], relative=True
            )
            for k in range(3)
        ]
    assert x.grad is not None
    assert x.grad[0].tolist() == pytest.approx(
        [float(s) for s in slopes], rel=1e-4, abs=1e-30
    )


@pytest.mark.parametrize(
    ("part", "entries", "inside"),
    [
        ("logsumexp(x**2, c)", (1e25, 2.0, 2e24), lambda row: max(e**2 for e in row)),
        ("amax(x**3 - 2, c)", (1e20, -2e21, 2.0), lambda row: max(row) ** 3 - 2),
        ("amax(x**3 - 2, c)", (-1e20, -2e21, -3e20), lambda row: max(row) ** 3 - 2),
        ("amin(x**3 - 2, c)", (1e20, -2e21, 2.0), lambda row: min(row) ** 3 - 2),
    ],
)
def test_the_outermost_entry_of_either_sign(
    part: str, entries: tuple[float, ...], inside: Log
) -> None:
    x = torch.tensor([entries], requires_grad=True)
    value = computed(AXES.format(argument=f"1 + ({part})**2"), x=x)
    value.backward()
    with mpmath.workdps(50):
        row = [mpmath.mpf(e) for e in x[0].tolist()]
        want = mpmath.log1p(inside(row) ** 2)
    assert value.item() == pytest.approx(float(want), rel=1e-6)
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())


@pytest.mark.parametrize("entries", [(3.0,), (-0.5,), (1e3, -2.0), (0.0, 0.0)])
def test_a_sum_of_which_one_term_is_of_ordinary_size(
    entries: tuple[float, ...],
) -> None:
    """Of one class the logarithm of the sum of exponentials less the largest is exactly 0."""
    x = torch.tensor([entries], dtype=torch.float64, requires_grad=True)
    value = computed(AXES.format(argument="1 + logsumexp(x**2, c)**2"), x=x)
    value.backward()
    plain = x.detach().clone().requires_grad_()
    expected = plain.square().logsumexp(dim=1).square().log1p()
    expected.sum().backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    assert x.grad is not None and plain.grad is not None
    torch.testing.assert_close(x.grad, plain.grad, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("argument", ["x**2*y", "softplus(x**3) + y", "y/(1 + x**2)"])
def test_it_is_the_logarithm_in_range(argument: str) -> None:
    x = torch.linspace(-3, 3, 41, dtype=torch.float64)
    y = torch.linspace(0.1, 4, 41, dtype=torch.float64)
    plain = {
        "x**2*y": x.square() * y,
        "softplus(x**3) + y": torch.nn.functional.softplus(x**3) + y,
        "y/(1 + x**2)": y / (1 + x.square()),
    }[argument]
    got = computed(SPEC.format(argument=argument), x=x, y=y)
    assert torch.allclose(got, plain.log(), rtol=1e-12)


def test_what_stays_in_range_is_not_taken_apart() -> None:
    (loss,) = losses_from_text(SPEC.format(argument="1 + abs(x) + y"), "test.toml")
    assert "-oo" not in format_expression(stabilize(loss).loss.expression)


def test_a_magnitude_within_a_magnitude() -> None:
    spec = """
    [TestLoss]
    inputs.x = "real[...]"
    loss = "log(1 + asinh(x**2)**2)"
    """
    x = torch.tensor(1e25, requires_grad=True)
    value = computed(spec, x=x)
    value.backward()
    with mpmath.workdps(50):
        want = mpmath.log1p(mpmath.asinh(mpmath.mpf(x.item()) ** 2) ** 2)
        slope = mpmath.diff(
            lambda t: mpmath.log1p(mpmath.asinh(t**2) ** 2), x.item(), relative=True
        )
    assert value.item() == pytest.approx(float(want), rel=1e-6)
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(float(slope), rel=1e-5)


DIFFERENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "x*y - 2": lambda x, y: x * y - 2,
    "x**2 - 4*y": lambda x, y: x**2 - 4 * y,
    "x*y - y**2": lambda x, y: x * y - y**2,
    "x**3 - x*y": lambda x, y: x**3 - x * y,
    "y/3 - x*y": lambda x, y: y / 3 - x * y,
}


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.5, 1.0, 2.0, 4.0, 1e25, -1e25])
@pytest.mark.parametrize("argument", DIFFERENCES)
def test_a_difference_that_overflows_has_a_slope_everywhere(
    argument: str, x: float
) -> None:
    spec = SPEC.replace("log({argument})", "log(1 + ({argument})**2)")
    one, other = (torch.tensor(v, requires_grad=True) for v in (x, 4.0))
    value = computed(spec.format(argument=argument), x=one, y=other)
    value.backward()
    a, b = (v.detach().double().requires_grad_() for v in (one, other))
    want = (1 + DIFFERENCES[argument](a, b) ** 2).log()
    want.backward()
    assert value.item() == pytest.approx(want.item(), rel=1e-6)
    for leaf, exact in ((one, a), (other, b)):
        assert leaf.grad is not None and exact.grad is not None
        assert leaf.grad.item() == pytest.approx(exact.grad.item(), rel=1e-5)


def test_the_logarithm_of_nothing_is_minus_infinity() -> None:
    spec = SPEC.format(argument="x**2*y")
    value = computed(spec, x=torch.zeros(()), y=torch.tensor(2.0))
    assert value.item() == -math.inf


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp(x)": torch.exp,
    "cosh(x)": torch.cosh,
    "sigmoid(x)": torch.sigmoid,
    "relu(x)": torch.relu,
    "softplus(x)": torch.nn.functional.softplus,
    "hypot(x, y)": lambda x: torch.hypot(x, torch.tensor(0.7, dtype=x.dtype)),
    "abs(x)": torch.abs,
    "detach(x)": torch.abs,
}


@pytest.mark.parametrize("pattern", FORMS)
def test_every_form_is_the_logarithm_of_its_function(pattern: str) -> None:
    form = (
        FORMS[pattern].replace("log_x", "log(abs(x))").replace("log_y", "log(abs(y))")
    )
    inputs = {"x": torch.tensor([-3.0, -0.5, 0.25, 2.0, 60.0], dtype=torch.float64)}
    if "y" in form:
        inputs["y"] = torch.full((5,), 0.7, dtype=torch.float64)
    lines = [f'inputs.{name} = "real[...]"' for name in inputs]
    spec = "\n".join(["[TestLoss]", *lines, f'loss = "{form}"'])
    got = computed(spec, **inputs)
    assert torch.allclose(got, FUNCTIONS[pattern](inputs["x"]).log(), rtol=1e-9)


def test_at_a_tie_each_has_half_of_the_slope() -> None:
    x = torch.tensor(-1e20, requires_grad=True)
    y = torch.tensor(1.0, requires_grad=True)
    computed(SPEC.format(argument="abs(Max(x*y, x))**3"), x=x, y=y).backward()
    assert y.grad is not None
    assert y.grad.item() == pytest.approx(1.5)
