"""Functions that ONNX lacks, with all their digits: a table for ``torch.onnx.export``.

The exporter writes ``log1p(x)`` as ``Log(1 + x)``, ``expm1(x)`` as ``Exp(x) - 1`` and
``logsigmoid(x)`` as ``Log(Sigmoid(x))``, which is what a guard is there to avoid, and it does not
know ``hypot``, ``lgamma``, ``cdist`` and the maximum over all axes. Given this table it writes
them so that they are right to a few ulp:

    torch.onnx.export(module, inputs, dynamo=True, custom_translation_table=translations())

``log1p`` and ``expm1`` follow Kahan: the rounding error of ``u = 1 + x`` (of ``u = exp(x)``) is
the same in numerator and denominator and cancels from the quotient. Reference: Higham 2002,
Accuracy and Stability of Numerical Algorithms, section 1.14.1. A runtime that simplified
``(1 + x) - 1`` to ``x`` would undo that; onnxruntime does not.

``lgamma`` is Stirling's series, moved to where it converges, and reflected for negative numbers
(DLMF 5.11.1, 5.5.1 and 5.5.3). It is computed in float64: float32 results are right to a few ulp
beside the roots at 1 and 2, too, those in float64 to 32 ``eps`` beside 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""Of ``1/x``, ``1/x**3``, ...: the Bernoulli numbers over ``2*k*(2*k - 1)``."""
SHIFT = 8
"""From here on the series has all digits of float64."""


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What to write for each operator; needs onnxscript.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    from onnx import TensorProto, helper
    from onnxscript import opset18 as op

    wide_type = TensorProto.DOUBLE

    def double(value: float) -> Any:
        return op.Constant(value=helper.make_tensor("number", wide_type, [], [value]))

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

    def series(x: Any) -> Any:
        """``log(gamma(x))`` of what is at least ``SHIFT``, in float64."""
        inverse = op.Reciprocal(x)
        square = op.Mul(inverse, inverse)
        total = double(STIRLING[-1])
        for factor in reversed(STIRLING[:-1]):
            total = op.Add(op.Mul(total, square), double(factor))
        half_log = double(math.log(2 * math.pi) / 2)
        main = op.Mul(op.Sub(x, double(0.5)), op.Sub(op.Log(x), double(1.0)))
        return op.Add(
            op.Add(main, op.Mul(total, inverse)), op.Sub(half_log, double(0.5))
        )

    def lgamma(x: Any) -> Any:
        wide = op.Cast(x, to=wide_type)
        reflected = op.Less(wide, double(0.5))
        positive = op.Where(reflected, op.Sub(double(1.0), wide), wide)
        small = op.Less(positive, double(SHIFT))
        product = op.Where(small, positive, double(1.0))
        for step in range(1, SHIFT):
            next_ = op.Add(positive, double(step))
            product = op.Where(small, op.Mul(product, next_), product)
        moved = op.Where(small, op.Add(positive, double(SHIFT)), positive)
        there = op.Sub(series(moved), op.Log(product))
        # The sine of pi*x is that of the distance to the nearest integer, which is exact.
        rest = op.Sub(wide, op.Round(wide))
        sine = op.Abs(op.Sin(op.Mul(double(math.pi), rest)))
        log_pi = double(math.log(math.pi))
        other = op.Sub(op.Sub(log_pi, op.Log(sine)), there)
        found = op.Where(reflected, other, there)
        roots = op.Or(op.Equal(wide, double(1)), op.Equal(wide, double(2)))
        found = op.Where(roots, double(0), found)
        # At both infinities it is inf, where the forms are inf - inf.
        return op.CastLike(op.Where(op.IsInf(wide), op.Abs(wide), found), x)

    def amax(x: Any, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
        if not dim:
            return op.ReduceMax(x, keepdims=int(keepdim))
        return op.ReduceMax(x, op.Constant(value_ints=list(dim)), keepdims=int(keepdim))

    def cdist(x: Any, y: Any, p: float, _mode: int | None) -> Any:
        rows = op.Unsqueeze(x, op.Constant(value_ints=[-2]))
        columns = op.Unsqueeze(y, op.Constant(value_ints=[-3]))
        sides = op.Abs(op.Sub(rows, columns))
        last = op.Constant(value_ints=[-1])
        if p == 2:
            return op.ReduceL2(sides, last, keepdims=0)
        if p == 1:
            return op.ReduceL1(sides, last, keepdims=0)
        if math.isinf(p):
            return op.ReduceMax(sides, last, keepdims=0)
        exponent = op.CastLike(op.Constant(value_float=p), x)
        total = op.ReduceSum(op.Pow(sides, exponent), last, keepdims=0)
        return op.Pow(total, op.CastLike(op.Constant(value_float=1 / p), x))

    aten, prims = torch.ops.aten, torch.ops.prims
    return {
        aten.log1p.default: log1p,
        aten.expm1.default: expm1,
        aten.log_sigmoid.default: log_sigmoid,
        aten.hypot.default: hypot,
        prims.hypot.default: hypot,
        aten.lgamma.default: lgamma,
        prims.lgamma.default: lgamma,
        aten.amax.default: amax,
        aten._cdist_forward.default: cdist,
    }
