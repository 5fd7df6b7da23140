"""What lowering does for the sake of memory: the result is the same, the peak is lower."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import losscodegen
from losscodegen.api import import_text
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

SPECS = Path(__file__).parents[2] / "specs"
CASES = Path(__file__).parents[1] / "cases" / "lowering"
SHIFT = torch.tensor(0.5)
MARGIN = "cross-entropy-as-margin"
"""The rule that takes each risk out of its set."""
ROWS = 256


def peak(run: Callable[[], object]) -> int:
    """What ``run`` adds to memory at most, in bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    events = record.profiler.kineto_results.events()
    allocated = [e for e in events if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(allocated, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


@cache
def module(stem: str) -> ModuleType:
    return losscodegen.load(SPECS / f"{stem}.toml")


def logsumexp(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """The function of pairs, out of a module that has it."""
    found: Tensor = module("info_nce")._logsumexp(x, dim=dim)
    return found


@pytest.mark.parametrize("dim", [0, 1, (0, 1), (0, 2)])
def test_logsumexp_of_pairs(dim: int | tuple[int, ...]) -> None:
    x = 30 * torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    x = x.double().requires_grad_()
    torch.testing.assert_close(logsumexp(x, dim), x.logsumexp(dim))
    assert torch.autograd.gradcheck(lambda x: logsumexp(x, dim), x)
    assert torch.autograd.gradgradcheck(lambda x: logsumexp(x, dim), x)


@pytest.mark.parametrize("end", [math.inf, -math.inf, math.nan])
def test_logsumexp_of_what_is_not_finite(end: float) -> None:
    """As in torch: rows that hold an infinity, and rows of nothing else."""
    x = torch.tensor([[end, 0.0, 1.0], [end, end, end], [0.0, 1.0, 2.0]])
    torch.testing.assert_close(logsumexp(x, 1), x.logsumexp(1), equal_nan=True)


def test_logsumexp_of_one_that_leads() -> None:
    """What the others add keeps its digits, and the slopes are those of the whole."""
    x = torch.tensor([[0.0, -20.0, -18.0], [0.0, 0.0, -20.0]], requires_grad=True)
    want = x.detach().double()
    others = torch.stack([want[0, 1:].exp().sum(), 1 + want[1, 2].exp()])
    found = logsumexp(x, 1)
    torch.testing.assert_close(found, others.log1p().float(), rtol=2e-7, atol=0)
    (slope,) = torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(slope, want.softmax(dim=1).float(), rtol=2e-7, atol=0)


@pytest.mark.parametrize("stem", ["info_nce", "nt_xent"])
def test_peak_of_losses_over_pairs(stem: str) -> None:
    """Logits, what of them is masked, and the exponentials; with torch.logsumexp it is four."""
    shape = (2, ROWS // 2, 4) if stem == "nt_xent" else (ROWS, 4)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(shape, generator=generator) for _ in range(2)]
    loss = getattr(module(stem), f"{stem}_loss")
    tensors = [x.requires_grad_() for x in inputs[: 1 if stem == "nt_xent" else 2]]
    assert peak(lambda: loss(*tensors).backward()) < 3.5 * (4 * ROWS * ROWS)


def risk_sets(x: Tensor, key: Tensor, *, others: bool) -> Tensor:
    """The logsumexp of all x whose key is no smaller, by a mask of all pairs."""
    kept = key >= key.unsqueeze(1)
    if others:
        kept = kept & ~torch.eye(len(x), dtype=torch.bool)
    rows = [x[row].logsumexp(dim=0) if row.any() else None for row in kept]
    return torch.stack([x.new_tensor(-math.inf) if r is None else r for r in rows])


@cache
def including() -> ModuleType:
    """A module whose risk sets hold the risk itself."""
    text = (CASES / "later.toml").read_text().partition("# output\n")[0]
    losses = losses_from_text(text, "later.toml")
    source = compile_losses(losses, origin="later.toml", without=frozenset({MARGIN}))
    return import_text("later", source.text)


def later(x: Tensor, key: Tensor, *, others: bool) -> Tensor:
    """The functions of risk sets, out of modules that have them."""
    if others:
        found: Tensor = module("cox")._later_logsumexp_of_others(x, key, SHIFT)
    else:
        found = including()._later_logsumexp(x, key, SHIFT)
    return found + SHIFT


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 21, 32])
def test_risk_sets(count: int, others: bool) -> None:
    """Batches of any size, with ties, in value and in both derivatives."""
    generator = torch.Generator().manual_seed(count)
    x = 20 * torch.randn(count, generator=generator).double()
    key = torch.randint(count, (count,), generator=generator).double()
    weight = torch.randn(count, generator=generator).double()

    def loss(f: Callable[..., Tensor], x: Tensor) -> Tensor:
        found = f(x, key, others=others)
        return (weight * torch.where(found.isfinite(), found, 0.0)).sum()

    torch.testing.assert_close(
        later(x, key, others=others), risk_sets(x, key, others=others)
    )
    for derivative in (torch.func.grad, torch.func.hessian):
        got = derivative(lambda x: loss(later, x))(x)
        wanted = derivative(lambda x: loss(risk_sets, x))(x)
        torch.testing.assert_close(got, wanted)


def test_peak_of_risk_sets() -> None:
    """A sorted batch, its places and what is kept of each: no more than twenty vectors."""
    count = 4096
    generator = torch.Generator().manual_seed(0)
    hazard = torch.randn(count, generator=generator).requires_grad_()
    time, event = torch.rand(count, generator=generator), torch.ones(count)
    loss = module("cox").cox_loss
    assert peak(lambda: loss(hazard, time, event).backward()) < 20 * (4 * count)
