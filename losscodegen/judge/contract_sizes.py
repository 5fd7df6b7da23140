"""What a module promises of a batch without elements."""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.foreign import separable
from losscodegen.judge.point import Point
from losscodegen.judge.points import admitted, default_values, repaired
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.settings import Setting, may_be_absent
from losscodegen.judge.shaped import shaped_point
from losscodegen.judge.tensors import bind


def batch_of(loss: Loss, size: int) -> Point | None:
    """A tame point with so many elements along every axis of the batch; None if none is found."""
    setting = Setting(
        scalars={
            v.name: default_values(loss)[v.name] for v in loss.parameters if v.scalar
        },
        absent=frozenset(v.name for v in loss.variables if may_be_absent(loss, v)),
        sizes={index.axis: size for index in loss.free},
    )
    # Parameters over "..." would have no entries either, which no layer has.
    extra = any(ELLIPSIS in v.axes for v in loss.inputs) and not any(
        ELLIPSIS in v.axes for v in loss.parameters
    )
    batch = (size,) if extra else ()
    if not (batch or loss.free):
        return None
    random = Random(f"{loss.name}/batch of {size}")
    for _ in range(8):
        point = shaped_point(
            loss, setting, Dtype.FLOAT64, random, size=2, batch=batch, fill="tidy"
        )
        if fit := admitted(loss, [repaired(loss, point)]):
            return fit[0]
    return None


def empty_fault(loss: Loss, accused: Accused) -> tuple[int, str]:
    """How much was compared on a batch of nothing, and what is wrong there.

    As in torch: no losses, a sum of 0, a mean of NaN, and gradients as empty as the inputs. Where
    the elements of a batch hang together, as those of a contrastive one, nothing is promised.
    """
    point = None
    if not (loss.scalar or not loss.inputs) and separable(loss):
        point = batch_of(loss, 0)
    if point is None:
        return 0, ""
    bound = bind(loss, point.values, torch.float64)
    leaves = [b for b in bound.values() if isinstance(b, Tensor) and b.requires_grad]
    none = accused.call(bound)
    if none.numel():
        return 0, f"an empty batch gives the shape {tuple(none.shape)}"
    total = accused.call(bound, reduction="sum")
    if total.shape or total.item() != 0:
        return 0, f"the sum over an empty batch is {total.tolist()}, not 0"
    mean = accused.call(bound, reduction="mean")
    if mean.shape or not mean.isnan():
        return 0, f"the mean over an empty batch is {mean.tolist()}, not nan"
    if total.requires_grad and leaves:
        torch.autograd.grad(total, leaves, allow_unused=True)
    return 3, ""
