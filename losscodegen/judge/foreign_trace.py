"""What a module computes on the way: every tensor operation, forward and backward, at one point.

It tells where a NaN or an infinity is born, which operation throws digits away, and how large the
numbers are that cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from losscodegen.ir.loss import Loss
from losscodegen.judge.point import Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Function, bind

CHOOSING = frozenset(
    {"where", "masked_fill", "masked_fill_", "index", "index_put_", "masked_select"}
    | {"clamp", "clamp_min", "clamp_max", "maximum", "minimum", "gather", "copysign"}
)
"""Operations that take some numbers and leave others."""


@dataclass(frozen=True, slots=True)
class Birth:
    """The first operation with a result that is no number, though all its inputs are.

    For NaN the inputs may be infinite: ``zero_times_infinity`` tells that one was 0 and one was
    infinite.
    """

    op: str
    backward: bool
    zero_times_infinity: bool = False


@dataclass(slots=True)
class Trace:
    """All that was seen at one point."""

    forward: set[str] = field(default_factory=set)
    nan: Birth | None = None
    infinity: Birth | None = None
    largest: float = 0.0
    """Of all finite intermediate results, forward and backward."""
    narrowed: str | None = None
    """The first operation that gave fewer digits than the inputs have."""
    truncated: str | None = None
    """The first that made integers of numbers."""
    error: str | None = None


class _Watch(TorchDispatchMode):
    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.found, self.backward = dtype, Trace(), False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.").split(".")[0]
        inputs = [a for a in _flat(args) if isinstance(a, Tensor)]
        for result in _flat(out):
            if isinstance(result, Tensor) and result.numel():
                self.look(name, inputs, args, result)
        return out

    def look(
        self, name: str, inputs: list[Tensor], args: tuple[Any, ...], out: Tensor
    ) -> None:
        found = self.found
        if not self.backward:
            found.forward.add(name)
        wide = [t for t in inputs if t.dtype == self.dtype]
        if not out.is_floating_point():
            casts = name in ("_to_copy", "floor", "trunc")
            if (
                casts
                and wide
                and out.dtype not in (torch.bool,)
                and not found.truncated
            ):
                rounded = bool((wide[0] != out.to(self.dtype)).any())
                found.truncated = name if rounded else None
            return
        narrower = torch.finfo(out.dtype).bits < torch.finfo(self.dtype).bits
        if narrower and found.narrowed is None and name not in _CONSTANT:
            found.narrowed = name
        numbers = [t for t in inputs if t.is_floating_point()]
        odd = any(bool(t.isnan().any()) for t in numbers)
        infinite = any(bool(t.isinf().any()) for t in numbers)
        infinite = infinite or any(isinstance(a, float) and math.isinf(a) for a in args)
        if found.nan is None and not odd and bool(out.isnan().any()):
            zero = any(bool((t == 0).any()) for t in numbers)
            found.nan = Birth(name, self.backward, zero and infinite)
        fresh = not (odd or infinite) and name not in _CONSTANT
        if fresh and found.infinity is None and bool(out.isinf().any()):
            found.infinity = Birth(name, self.backward)
        finite = out[out.isfinite()] if out.ndim else out
        if finite.numel() and bool(finite.isfinite().all()):
            found.largest = max(found.largest, finite.abs().max().item())


_CONSTANT = frozenset(
    {"full", "full_like", "scalar_tensor", "lift_fresh", "lift_fresh_copy", "zeros"}
    | {
        "ones",
        "zeros_like",
        "ones_like",
        "empty",
        "new_full",
        "eye",
        "arange",
        "detach",
    }
)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list | tuple):
        return [item for value in values for item in _flat(value)]
    return [values]


def trace(loss: Loss, point: Point, function: Function, dtype: Dtype) -> Trace:
    """``function`` watched at ``point``, its backward pass included."""
    bound = bind(loss, point.values, TORCH[dtype])
    watch = _Watch(TORCH[dtype])
    leaves = [b for b in bound.values() if isinstance(b, Tensor) and b.requires_grad]
    try:
        with watch:
            value = function(bound)
            watch.backward = True
            if leaves and value.requires_grad:
                torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    except Exception as problem:  # the code may raise whatever it likes
        watch.found.error = f"{type(problem).__name__}: {problem}"
    return watch.found


Call = Callable[..., Tensor]
