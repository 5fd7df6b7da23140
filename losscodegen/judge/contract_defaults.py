"""What a module does where its user leaves a parameter out."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.point import Point
from losscodegen.judge.points import default_values
from losscodegen.judge.tensors import Bound, bind


def default_fault(loss: Loss, accused: Accused, point: Point) -> tuple[int, str]:
    """How many defaults were compared at a point, and which is not the one of the spec.

    Points have a value for every parameter, so that nothing else is ever left to a default. The
    function beside the class has defaults of its own, which should be the same.
    """
    known = default_values(loss)
    given = {v.name: known[v.name] for v in loss.parameters if v.scalar}
    bound = bind(loss, {**point.values, **given}, torch.float64)
    checked = 0
    for name, default in given.items():
        if default is None:
            continue
        arg = loss.variable(name).arg
        without: Mapping[str, Bound] = {**bound, name: None}
        there, left = accused.call(bound).detach(), accused.call(without).detach()
        if there.shape != left.shape or not torch.equal(
            there.nan_to_num(7.0), left.nan_to_num(7.0)
        ):
            return checked, f"{arg} left out is not {arg}={default!r}"
        checked += 1
    function = getattr(sys.modules[accused.factory.__module__], loss.function, None)
    if function is None:
        return checked, ""
    ours, theirs = _defaults(accused.factory), _defaults(function)
    for arg in ours.keys() & theirs.keys():
        if ours[arg] != theirs[arg]:
            return checked, f"{loss.function} has {arg}={theirs[arg]!r} by default"
        checked += 1
    return checked, ""


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    return {
        name: p.default
        for name, p in inspect.signature(function).parameters.items()
        if p.default is not inspect.Parameter.empty
    }
