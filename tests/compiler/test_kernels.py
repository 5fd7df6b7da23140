"""The kernel table: every row against the ops that its formula is otherwise spelled with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from losscodegen.compiler import kernels
from losscodegen.compiler.kernels import KERNELS, Kernel
from losscodegen.judge.check import verify
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.function)


@contextmanager
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "KERNELS", ())
        yield


def spec(kernel: Kernel, shape: str = "...", other: str = "...") -> str:
    numbers = "".join(f'params.{n} = "positive = 0.75"\n' for _, n in kernel.keywords)
    return (
        "[KernelLoss]\n"
        f'inputs.x = "real[{shape}]"\ninputs.y = "real[{other}]"\n{numbers}'
        f'loss = "{kernel.pattern}"\n'
    )


def source(text: str) -> str:
    return compile_losses(losses_from_text(text, "k.toml"), origin="k.toml").text


def derivatives(text: str, x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Value, gradients and second derivatives, those at infinities among them."""
    namespace: dict[str, object] = {}
    exec(text, namespace)
    function = namespace["kernel_loss"]
    assert callable(function)
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    value = function(x, y, reduction="none")
    yield value.detach()
    slopes = torch.autograd.grad(value.sum(), (x, y), create_graph=True)
    for slope in slopes:
        yield slope.detach()
        yield from torch.autograd.grad(slope.sum(), (x, y), retain_graph=True)


@each_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_computes_what_the_formula_says(
    kernel: Kernel, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = spec(kernel)
    fused = source(text)
    with without_kernels(monkeypatch):
        plain = source(text)
    assert f"F.{kernel.function}(" in fused
    assert "F." not in plain
    small = torch.finfo(dtype).tiny
    residuals = [0.0, 1e-9, small, 0.3, 0.7, 0.8, 5.0, 1e12]
    x = torch.tensor([*residuals, *(-r for r in residuals)], dtype=dtype)
    for other in (0.0, 0.25):
        y = torch.full_like(x, other)
        found, wanted = derivatives(fused, x, y), derivatives(plain, x, y)
        for one, two in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, two)


@each_kernel
def test_infinite_differences_have_the_gradient_of_their_branch(kernel: Kernel) -> None:
    x = torch.tensor([math.inf, -math.inf])
    found = [*derivatives(source(spec(kernel)), x, torch.zeros(2))]
    assert not any(t.isnan().any() for t in found)


@each_kernel
def test_it_is_right(kernel: Kernel) -> None:
    text = spec(kernel)
    (loss,) = losses_from_text(text, "k.toml")
    certificate = verify(loss, source(text), points=40)
    assert certificate.passed, certificate.findings[:3]
    assert not certificate.findings


@each_kernel
def test_other_shapes_and_longer_sums_are_left_to_broadcasting(kernel: Kernel) -> None:
    assert "F." not in source(spec(kernel, "B, C", "B"))
    longer = spec(kernel).replace("x - y", "x - y - 1")
    assert "F." not in source(longer)


@each_kernel
def test_a_row_says_why(kernel: Kernel) -> None:
    assert kernel.source
    assert not kernel.why or kernel.why.endswith(".")
    assert callable(getattr(torch.nn.functional, kernel.function))
