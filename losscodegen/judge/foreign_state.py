"""What a module leaves behind when it is called, and what it gives for a batch, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from losscodegen.judge.foreign import Foreign
from losscodegen.judge.foreign_batches import BatchRecord, plain_bound
from losscodegen.judge.point import Point


def batch_message(wrong: BatchRecord) -> str:
    asked = f" for reduction={wrong.asked!r}" * (wrong.asked is not None)
    shape = tuple(wrong.entries.shape)
    if wrong.got is None:
        return f"a batch of {shape}{asked} raises {wrong.error}"
    got, want = wrong.got, wrong.want
    if got.shape != want.shape:
        return (
            f"a batch of {shape}{asked} gives the shape {tuple(got.shape)}, "
            f"expected {tuple(want.shape)}"
        )
    return f"a batch of {shape}{asked} gives {_short(got)}, should be {_short(want)}"


def _short(value: Tensor) -> str:
    numbers = value.reshape(-1).tolist()
    text = ", ".join(f"{v:.6g}" for v in numbers[:4])
    return text if value.ndim == 0 else f"[{text}{', ...' * (len(numbers) > 4)}]"


def state(foreign: Foreign, points: Sequence[Point]) -> str:
    """What is different after a call: the arguments, or what the next call gives."""
    kind = "none" if foreign.plan.reduction else None
    for point in points:
        bound = plain_bound(foreign.loss, point)
        before = {n: b.clone() for n, b in bound.items() if isinstance(b, Tensor)}
        try:
            function: Any = foreign.target
            if isinstance(foreign.target, type):
                function = foreign.instance(bound, kind)
            keywords = foreign.keywords(bound, kind)
            buffers = _buffers(function)
            first = function(**keywords).detach().clone()
            for name, copy in before.items():
                if not _equal(bound[name], copy):
                    return f"the call writes to {foreign.plan.argument(name) or name}"
            changed = [
                n for n, b in _buffers(function).items() if not _equal(b, buffers[n])
            ]
            again = function(**foreign.keywords(bound, kind)).detach()
        except Exception:  # judged elsewhere
            continue
        if not _equal(first, again):
            return f"two calls give {_short(first)} and {_short(again)}"
        if changed:
            return f"the call changes its buffer {changed[0]}"
    return ""


def _buffers(function: Any) -> dict[str, Tensor]:
    if not isinstance(function, torch.nn.Module):
        return {}
    return {n: b.detach().clone() for n, b in function.named_buffers()}


def _equal(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor):
        return True
    one, other = one.detach(), other.detach()
    if one.shape != other.shape:
        return False
    if one.is_floating_point():
        one, other = one.nan_to_num(7.0), other.nan_to_num(7.0)
    return bool(torch.equal(one, other))
