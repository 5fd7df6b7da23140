"""Does a form keep its digits? Decided on signs and sizes, without computing it.

What is found sound is so for every input of the declared domains, apart from the last factor of
the format. What is not may still be: signs and sizes are coarse.
"""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.compiler.extents import Extent
from losscodegen.compiler.intervals import rounded
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.tame import Tame
from losscodegen.ir.nodes import Call, Expr, Select, Switch
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children


@dataclass(frozen=True, slots=True, order=True)
class Doubts:
    """At how many places a form may go wrong; compared, infinities weigh more."""

    infinities: int = 0
    """An infinity may meet another, or 0."""
    cancellations: int = 0
    """What was rounded before may cancel."""

    def __add__(self, other: Doubts) -> Doubts:
        return Doubts(
            self.infinities + other.infinities,
            self.cancellations + other.cancellations,
        )


NONE = Doubts()


@dataclass(frozen=True, slots=True)
class Soundness:
    """The analysis; ``tame`` knows how large values can get."""

    tame: Tame

    def doubts(self, expr: Expr, ranges: Ranges) -> Doubts:
        """Where ``expr`` may lose its digits, as far as a gradient flows through it."""
        if not self.tame.depends(expr):
            return NONE
        match expr:
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                yes, no = ranges.under(condition), ranges.under(opposite(condition))
                return self.doubts(then, yes) + self.doubts(otherwise, no)
            case Call(op) if OPS[op].sort is Sort.BOOL:
                return NONE
        parts = (self.doubts(c, ranges) for c in _parts(expr))
        return sum(parts, self._own(expr, ranges))

    def _own(self, expr: Expr, ranges: Ranges) -> Doubts:
        match expr:
            case Call("add", args) if not all(map(_given, args)):
                found = [ranges.of(a) for a in args]
                if any(r.low < 0 for r in found) and any(r.high > 0 for r in found):
                    return Doubts(cancellations=1)
            case Call("mul") if self._infinity_times_zero(_parts(expr), ranges):
                return Doubts(infinities=1)
            case Call("div", (top, bottom)) if self._huge(bottom, ranges):
                if self._unbounded(top, ranges):
                    return Doubts(infinities=1)
            case _:
                pass
        return NONE

    def _infinity_times_zero(self, args: tuple[Expr, ...], ranges: Ranges) -> bool:
        for k, huge in enumerate(args):
            if self._huge(huge, ranges):
                # What is never 0 may still be rounded to it.
                others = args[:k] + args[k + 1 :]
                found = (rounded(ranges.of(o)) for o in others if not _given(o))
                if not all(r.nonzero for r in found):
                    return True
        return False

    def _huge(self, expr: Expr, ranges: Ranges) -> bool:
        return self.tame.analyse(expr, ranges).size >= Extent.HUGE

    def _unbounded(self, expr: Expr, ranges: Ranges) -> bool:
        return self.tame.analyse(expr, ranges).size > Extent.BOUNDED


def _parts(expr: Expr) -> tuple[Expr, ...]:
    """The parts of an expression, of a product all factors."""
    if not isinstance(expr, Call) or expr.op != "mul":
        return children(expr)
    return tuple(
        f
        for arg in expr.args
        for f in (_parts(arg) if isinstance(arg, Call) and arg.op == "mul" else (arg,))
    )


def _given(term: Expr) -> bool:
    """Whether ``term`` is an argument or a number, not computed from them."""
    match term:
        case Call("neg", (inner,)):
            return _given(inner)
        case _:
            return not children(term)
