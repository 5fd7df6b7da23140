"""Where the digits of a small part matter although those of a small loss do not.

With absolute accuracy a part may be off by a rounding of what it usually is. That is as little for
the loss and its gradient as long as their derivatives by that part are bounded. It is not below a
logarithm, a root or a fraction bar, nor at a kink: 0 in place of a small number would give an
infinite loss there, or the gradient of the other side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from losscodegen.compiler.differentiate import gradient
from losscodegen.compiler.ranges import Ranges
from losscodegen.errors import LossCodegenError
from losscodegen.ir.build import ONE
from losscodegen.ir.loss import Loss, Role
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Keep,
    Keeper,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import children, rebuild

STEEP = 16.0
"""A derivative no larger than this hands on what roundings did to a part, and little more."""
_PART = Read("#part")
_SUMS = frozenset({Reduction.SUM, Reduction.MEAN, Reduction.LOGSUMEXP})


@dataclass(frozen=True, slots=True)
class Digits:
    """Tells for each part of an expression whether its small values need their digits.

    scales: parameters, which scale a loss and what it usually is alike.
    everywhere: whether they always do, as with relative accuracy.
    """

    scales: frozenset[str] = frozenset()
    everywhere: bool = True

    @classmethod
    def of_loss(cls, loss: Loss) -> Digits:
        """For absolute accuracy: ``loss`` itself needs no digits where it is small."""
        given = (v.name for v in loss.parameters if v.role is Role.PARAMETER)
        return cls(frozenset(given), everywhere=False)

    def of_parts(self, expr: Expr, ranges: Ranges, *, needed: bool) -> tuple[bool, ...]:
        """For each child of ``expr``; ``needed`` says it of ``expr`` itself."""
        parts = children(expr)
        if needed or self.everywhere:
            return (True,) * len(parts)
        match expr:
            case Select() | Switch():
                return (True, False, False)
            case Reduce(kind) if kind in _SUMS:
                return (False, *(True,) * (len(parts) - 1))
            case Keep(kind) if kind is not Keeper.NORMALIZE:
                return (False, *(True,) * (len(parts) - 1))
            case Call("detach" | "add" | "neg"):
                return (False,) * len(parts)
            case Call(op) if not OPS[op].kinks and OPS[op].group not in (
                Group.COMPARISON,
                Group.LOGIC,
            ):
                return tuple(
                    self._steep(expr, k, ranges) for k in range(len(expr.args))
                )
            case _:
                return (True,) * len(parts)

    def _steep(self, expr: Call, place: int, ranges: Ranges) -> bool:
        """Whether the first or second derivative by one argument is not bounded."""
        args = tuple(
            _PART if k == place else self._unscaled(expr.op, a, k)
            for k, a in enumerate(expr.args)
        )
        known = replace(
            ranges, domains={**ranges.domains, _PART.name: ranges.of(expr.args[place])}
        )
        try:
            slope = gradient(rebuild(expr, args), _PART)
            found = [known.of(slope), known.of(gradient(slope, _PART))]
        except (LossCodegenError, TypeError):
            return True
        return not all(r.low >= -STEEP and r.high <= STEEP for r in found)

    def _unscaled(self, op: str, arg: Expr, place: int) -> Expr:
        scales = op == "mul" or (op == "div" and place == 1)
        return ONE if scales and self._is_scale(arg) else arg

    def _is_scale(self, expr: Expr) -> bool:
        """Whether it is made of parameters, numbers and sizes alone."""
        match expr:
            case Read(name):
                return name in self.scales
            case Number() | Size():
                return True
            case Call():
                return all(map(self._is_scale, expr.args))
            case _:
                return False
