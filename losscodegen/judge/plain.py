"""Ops, keepers and constants by their plain meaning in torch, unguarded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, reduce

import torch
from torch import Tensor

from losscodegen.ir.nodes import Expr, Keeper, Named
from losscodegen.ir.ops import OPS
from losscodegen.language.formula import parse_formula

CONSTANTS = {Named.PI: math.pi, Named.E: math.e, Named.OO: math.inf}

KEEPERS: Mapping[Keeper, Callable[[Tensor, int], Tensor]] = {
    Keeper.SOFTMAX: lambda x, d: x.exp() / x.exp().sum(d, keepdim=True),
    Keeper.LOG_SOFTMAX: lambda x, d: (x.exp() / x.exp().sum(d, keepdim=True)).log(),
    Keeper.SOFTMIN: lambda x, d: (-x).exp() / (-x).exp().sum(d, keepdim=True),
    Keeper.NORMALIZE: lambda x, d: x / (x * x).sum(d, keepdim=True).sqrt(),
}


def _besseli(order: Tensor, x: Tensor) -> Tensor:
    value: Tensor = torch.special.i1(x) if order.item() == 1 else torch.special.i0(x)
    return value


def _polygamma(order: Tensor, x: Tensor) -> Tensor:
    return torch.polygamma(int(order.item()), x)


_Function = Callable[..., Tensor]

PRIMITIVES: Mapping[str, _Function] = {
    "add": lambda *args: reduce(torch.add, args),
    "mul": lambda *args: reduce(torch.mul, args),
    "neg": torch.neg,
    "div": torch.div,
    "pow": torch.pow,
    "mod": torch.remainder,
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "and": lambda *args: reduce(torch.logical_and, args),
    "or": lambda *args: reduce(torch.logical_or, args),
    "not": torch.logical_not,
    "isnan": torch.isnan,
    "isfinite": torch.isfinite,
    "max": lambda *args: reduce(torch.maximum, args),
    "min": lambda *args: reduce(torch.minimum, args),
    "detach": torch.detach,
    "gamma": lambda x: torch.exp(torch.lgamma(x)),
    "polygamma": _polygamma,
    "besseli": _besseli,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "floor": torch.floor,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "atan2": torch.atan2,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "erfinv": torch.erfinv,
    "lgamma": torch.lgamma,
    "digamma": torch.digamma,
}
"""The ops that are not computed by their meaning."""


@cache
def meaning(op: str) -> Expr:
    """What the op table says that an op means, in terms of its arguments x, y, z."""
    text = OPS[op].meaning
    if text is None:
        raise KeyError(f"{op} is neither primitive nor explained by simpler ops")
    return parse_formula(text)
