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

SPECS = Path(__file__).parents[2] / "specs"
ROWS = 256


def peak(run: Callable[[], object]) -> float:
    """What ``run`` adds to memory at most, in matrices of all pairs of float32."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    events = record.profiler.kineto_results.events()
    allocated = [e for e in events if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(allocated, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most / (4 * ROWS * ROWS)


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


@pytest.mark.parametrize("stem", ["info_nce", "nt_xent"])
def test_peak_of_losses_over_pairs(stem: str) -> None:
    """Logits, what of them is masked, and the exponentials; with torch.logsumexp it is four."""
    shape = (2, ROWS // 2, 4) if stem == "nt_xent" else (ROWS, 4)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(shape, generator=generator) for _ in range(2)]
    loss = getattr(module(stem), f"{stem}_loss")
    tensors = [x.requires_grad_() for x in inputs[: 1 if stem == "nt_xent" else 2]]
    assert peak(lambda: loss(*tensors).backward()) < 3.5
