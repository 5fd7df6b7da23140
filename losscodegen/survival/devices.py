"""A module on a GPU that is not there: which device and dtype every tensor has, without numbers.

A fake tensor has a device and no data, so that a constant left on the CPU meets inputs elsewhere
as it would on a real GPU. A build of PyTorch without CUDA cannot differentiate on a fake one, and
the backward pass then runs on ``meta``, which is another device than the CPU just as well.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, bind
from losscodegen.survival.entry import EntryPoint
from losscodegen.survival.plan import Group
from losscodegen.survival.way import BrokenError, Subject


def fake_cuda(subject: Subject, group: Group, dtype: Dtype) -> None:
    """Runs on a fake GPU, forwards, and on ``meta``, forwards and backwards.

    Raises:
        BrokenError: if a tensor is elsewhere than the inputs, or the result has another dtype.
    """
    accused = subject.accused
    bound = bind(subject.loss, group.points[0].values, TORCH[dtype])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entry = EntryPoint(accused, bound)
        tensors = entry.arguments(accused, bound)
        on_cuda = partial(_on, "cuda")
        moved = copy.deepcopy(entry)
        # What is no fake, such as a constant, becomes one on the CPU, and is found there.
        with FakeTensorMode(allow_non_fake_inputs=True), _StandIn(), torch.no_grad():
            moved._apply(on_cuda)  # type: ignore[no-untyped-call]
            value = moved(*map(on_cuda, tensors))
            _well_placed(value, "cuda", dtype)
        entry = entry.to("meta")
        leaves = [
            t.detach().to("meta").requires_grad_(t.requires_grad) for t in tensors
        ]
        with _Watch("meta"):
            value = entry(*leaves)
            _well_placed(value, "meta", dtype)
            wanted = [t for t in leaves if t.requires_grad]
            if wanted and value.requires_grad:
                torch.autograd.grad(value.sum(), wanted, allow_unused=True)


def _on(device: str, tensor: Tensor) -> Tensor:
    """A fake of the same shape; ``tensor.to`` would ask for the device itself."""
    return torch.empty_like(tensor, device=device, requires_grad=False)


def _well_placed(value: Tensor, device: str, dtype: Dtype) -> None:
    if value.device.type != device:
        raise BrokenError(f"the result is on {value.device.type}, the inputs are not")
    if value.dtype != TORCH[dtype]:
        raise BrokenError(f"the result is {value.dtype}, the inputs are {TORCH[dtype]}")


class _StandIn(TorchFunctionMode):
    """Does on the CPU what asks for the device itself, in a build without CUDA, and puts it back.

    Few functions do: some that make constants, and indexing by tensors.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        try:
            return func(*args, **given)
        except RuntimeError as problem:
            tensors = [t for t in tree_leaves((args, given)) if isinstance(t, Tensor)]
            if "not linked with support" not in str(problem) or any(
                t.device.type != "cuda" for t in tensors
            ):
                raise
        if "device" in given:
            given = {**given, "device": "cpu"}
        args, given = tree_map_only(Tensor, partial(_on, "cpu"), (args, given))
        return tree_map_only(Tensor, partial(_on, "cuda"), func(*args, **given))


class _Watch(TorchDispatchMode):
    """Sees every operation, backwards, too, and the device of all that goes in and comes out."""

    def __init__(self, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, found)):
            if isinstance(leaf, Tensor) and leaf.device.type != self.device:
                raise BrokenError(
                    f"{func.__name__} has a tensor on {leaf.device.type}, "
                    "where no input is"
                )
        return found
