"""Functions that ONNX lacks, with all their digits: a table for ``torch.onnx.export``.

The exporter writes ``log1p(x)`` as ``Log(1 + x)``, ``expm1(x)`` as ``Exp(x) - 1`` and
``logsigmoid(x)`` as ``Log(Sigmoid(x))``, which is what a guard is there to avoid, and it does not
know ``hypot``. Given this table it writes them so that they are right to a few ulp:

    torch.onnx.export(module, inputs, dynamo=True, custom_translation_table=translations())

``log1p`` and ``expm1`` follow Kahan: the rounding error of ``u = 1 + x`` (of ``u = exp(x)``) is
the same in numerator and denominator and cancels from the quotient. Reference: Higham 2002,
Accuracy and Stability of Numerical Algorithms, section 1.14.1. A runtime that simplified
``(1 + x) - 1`` to ``x`` would undo that; onnxruntime does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What to write for each operator; needs onnxscript.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    from onnxscript import opset18 as op  # type: ignore[import-not-found,unused-ignore]

    def one(like: Any) -> Any:
        return op.CastLike(op.Constant(value_float=1.0), like)

    def zero(like: Any) -> Any:
        return op.CastLike(op.Constant(value_float=0.0), like)

    def log1p(x: Any) -> Any:
        u = op.Add(one(x), x)
        quotient = op.Mul(op.Log(u), op.Div(x, op.Sub(u, one(x))))
        # Where 1 + x rounds to 1 the quotient is 0/0, and x is right; at inf it is inf/inf.
        found = op.Where(op.Equal(u, one(x)), x, quotient)
        return op.Where(op.IsInf(u), op.Log(u), found)

    def expm1(x: Any) -> Any:
        u = op.Exp(x)
        less = op.Sub(u, one(x))
        quotient = op.Mul(less, op.Div(x, op.Log(u)))
        found = op.Where(op.Equal(u, one(x)), x, quotient)
        # Beyond the ends the quotient is inf*inf/inf or x/-inf.
        ends = op.Or(op.IsInf(u), op.Equal(less, op.Neg(one(x))))
        return op.Where(ends, less, found)

    def log_sigmoid(x: Any) -> Any:
        return op.Sub(op.Min(x, zero(x)), log1p(op.Exp(op.Neg(op.Abs(x)))))

    def hypot(x: Any, y: Any) -> Any:
        large = op.Max(op.Abs(x), op.Abs(y))
        least = op.Min(op.Abs(x), op.Abs(y))
        # The squares leave the range long before the root does.
        ordinary = op.And(op.Greater(large, zero(large)), op.Not(op.IsInf(large)))
        ratio = op.Div(least, op.Where(ordinary, large, one(large)))
        root = op.Mul(large, op.Sqrt(op.Add(one(large), op.Mul(ratio, ratio))))
        return op.Where(ordinary, root, large)

    aten = torch.ops.aten
    return {
        aten.log1p.default: log1p,
        aten.expm1.default: expm1,
        aten.log_sigmoid.default: log_sigmoid,
        aten.hypot.default: hypot,
        torch.ops.prims.hypot.default: hypot,
    }
