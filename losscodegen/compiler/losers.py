"""What loses a maximum is smaller than something, so it has not overflowed."""

from __future__ import annotations

from losscodegen.compiler.canonical import factors
from losscodegen.compiler.extents import Extent
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.tame import Tame
from losscodegen.ir.nodes import Call, Expr, Reduce, Reduction, Select


def harmless_below(tame: Tame, expr: Expr, ranges: Ranges) -> bool:
    """Whether ``expr`` has a finite derivative wherever it is below some finite number.

    A sum of exponentials and squares can only overflow to infinity, and the derivative of each
    is finite where it is finite itself. None of what this holds for is ever -inf.
    """
    found = tame.analyse(expr, ranges)
    if found.tame and found.size <= Extent.EDGE:
        return True
    match expr:
        case Call("add", args):
            return all(harmless_below(tame, a, ranges) for a in args)
        case Reduce(Reduction.SUM | Reduction.MEAN, body, _, None):
            return harmless_below(tame, body, ranges)
        case Select(condition, then, otherwise):
            return harmless_below(
                tame, then, ranges.under(condition)
            ) and harmless_below(tame, otherwise, ranges.under(opposite(condition)))
        case Call("exp", (arg,)):
            inner = tame.analyse(arg, ranges)
            return inner.tame and inner.size <= Extent.EDGE
        case Call("mul" | "div" | "pow" | "square"):
            product = factors(expr)
            if len(product.factors) != 1 or product.coefficient <= 0:
                return False
            (factor,) = product.factors
            if factor.exponent == 1 and factor.base != expr:
                return harmless_below(tame, factor.base, ranges)
            inner = tame.analyse(factor.base, ranges)
            return factor.exponent == 2 and inner.tame and inner.size <= Extent.EDGE
        case _:
            return False
