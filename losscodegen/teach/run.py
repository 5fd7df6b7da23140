"""What a piece of PyTorch gives at a point, and what went wrong on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.judge.accused import load_text
from losscodegen.judge.point import Array, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.teach.model import Trouble

Function = Callable[..., Tensor]


def compiled(text: str, name: str) -> Function:
    """The function of this name in a text of `losscodegen.teach.typed`."""
    scope: dict[str, Any] = {"torch": torch, "math": math, "F": F, "Tensor": Tensor}
    exec(compile(text, f"<{name}>", "exec"), scope)
    function: Function = scope[name]
    return function


def generated(loss: Loss, text: str) -> Function:
    """The function of a generated module, not reduced."""
    function: Function = getattr(
        load_text(f"losscodegen_explained_{loss.function}", text), loss.function
    )
    if "reduction" in signature(function).parameters:
        return partial(function, reduction="none")
    return function


@dataclass(frozen=True, slots=True)
class Result:
    """The entries of the value, and the gradient of their sum by variable, flat."""

    value: tuple[float, ...]
    gradient: Mapping[str, tuple[float, ...]]


def arguments(
    loss: Loss, point: Point, dtype: Dtype, wrt: Sequence[str]
) -> dict[str, Any]:
    """The point as arguments by name: tensors of the dtype, indices as integers."""
    found: dict[str, Any] = {}
    for variable in loss.variables:
        entry = point.values.get(variable.name)
        if variable.name not in point.values or (entry is None and variable.optional):
            continue
        if not isinstance(entry, Array):
            found[variable.arg] = entry
            continue
        kind = variable.domain.kind
        wanted = getattr(torch, dtype.value)
        if kind is DomainKind.INDEX:
            wanted = torch.int64
        elif kind is DomainKind.BOOL:
            wanted = torch.bool
        tensor = torch.tensor(entry.entries, dtype=wanted).reshape(entry.shape)
        found[variable.arg] = tensor.requires_grad_(variable.name in wrt)
    return found


def evaluate(
    function: Function,
    loss: Loss,
    point: Point,
    dtype: Dtype,
    wrt: Sequence[str],
    watch: TorchDispatchMode | None = None,
) -> Result:
    """Value and gradient of ``function`` at a point, by autograd."""
    given = arguments(loss, point, dtype, wrt)
    leaves = [given[loss.variable(n).arg] for n in wrt]
    with watch or nullcontext():
        value = function(**given)
        slopes: Sequence[Tensor | None] = [None] * len(leaves)
        if value.requires_grad:
            slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    zeros = (torch.zeros_like(leaf) for leaf in leaves)
    found = (z if s is None else s for s, z in zip(slopes, zeros, strict=True))
    return Result(
        value=tuple(value.detach().double().reshape(-1).tolist()),
        gradient={
            n: tuple(s.double().reshape(-1).tolist())
            for n, s in zip(wrt, found, strict=True)
        },
    )


def bend(
    function: Function, loss: Loss, point: Point, dtype: Dtype, name: str
) -> float:
    """The second derivative by the one number ``name``, by autograd."""
    given = arguments(loss, point, dtype, [name])
    leaf = given[loss.variable(name).arg]
    value = function(**given)
    (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    if not slope.requires_grad:
        return 0.0
    (found,) = torch.autograd.grad(slope, leaf, allow_unused=True)
    return 0.0 if found is None else float(found)


# ---------------------------------------------------------------------- what went wrong

_GROWS = ("exp", "cosh", "sinh", "pow", "mul", "square", "add", "sum", "expm1", "gamma")
_POLES = ("log", "div", "reciprocal", "rsqrt", "log1p", "lgamma", "digamma", "logit")


class Watch(TorchDispatchMode):
    """Notes the first operation that makes an infinity or NaN of finite numbers, and sizes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.first = ""
        self.nan_from_infinity = ""
        self.largest = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled under it, and importing torch's compiler takes two seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [a for a in args if isinstance(a, Tensor) and a.is_floating_point()]
        if isinstance(out, Tensor) and out.is_floating_point() and out.numel():
            name = str(func).split(".")[1]
            calm = all(bool(a.isfinite().all()) for a in tensors)
            if calm and not bool(out.isfinite().all()) and not self.first:
                self.first = name
            broken = bool(out.isnan().any()) and not any(
                bool(a.isnan().any()) for a in tensors
            )
            if broken and not self.nan_from_infinity:
                self.nan_from_infinity = name
            finite = out.detach()[out.isfinite()].abs()
            if finite.numel() and name not in ("zeros_like", "ones_like"):
                self.largest = max(self.largest, float(finite.max()))
        return out


def trouble(
    watch: Watch, got: float, true: float, at: float | None, chooses: bool
) -> tuple[Trouble, str]:
    """What a wrong result is due to, and the operation it began with.

    ``at`` is the entry that is differentiated by, None for a value.
    """
    operation = watch.first or watch.nan_from_infinity
    stem = operation.strip("_").removesuffix("_backward")
    grows, pole = stem.startswith(_GROWS), stem.startswith(_POLES)
    if math.isnan(got):
        if at is not None and chooses:
            return Trouble.DEAD_BRANCH, stem
        if grows:
            return Trouble.OVERFLOW, stem
        return (Trouble.ZERO_TIMES_INFINITY if pole else Trouble.NAN), stem
    if math.isinf(got):
        return (Trouble.UNDERFLOW if pole and not grows else Trouble.OVERFLOW), stem
    if watch.first and grows:
        return Trouble.OVERFLOW, stem
    if got == 0 and at is not None and abs(at) >= 1:
        return Trouble.SATURATION, ""
    if got == 0 or watch.largest > 8 * abs(true):
        return Trouble.CANCELLATION, ""
    return Trouble.ROUNDING, ""
