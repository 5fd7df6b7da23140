"""Distances of all pairs: ``norm(x[i,d] - y[j,d], d)`` and ``Sum((x[i,d] - y[j,d])**2, d)``.

Written out, the differences of all pairs are a tensor with the indices of both sides and ``d``,
many times larger than anything else in such a loss. What is recognised here is lowered to a
function that never holds them, and that scales for itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.ir.nodes import Call, Expr, Index, Number, Read, Reduce, Reduction
from losscodegen.ir.walk import free_indices, walk


@dataclass(frozen=True, slots=True)
class Pairs:
    """``left`` has the indices ``shared``, ``row`` and ``along``, ``right`` those with ``column``
    in place of ``row``."""

    left: Expr
    right: Expr
    row: Index
    column: Index
    along: Index
    shared: frozenset[Index]
    squared: bool


def batched(loss: Loss) -> frozenset[str]:
    """The tensors of any rank."""
    return frozenset(v.name for v in loss.variables if ELLIPSIS in v.axes)


def pairs(
    expr: Expr, batches: frozenset[str], *, opposites: bool = False
) -> Pairs | None:
    """The two sides whose distances ``expr`` is; None for anything else.

    Either both sides or none must read ``batches``. With ``opposites`` the length of a sum is the
    distance to what is opposite, too. An analysis that has put names in place of differences must
    not ask for that.
    """
    match expr:
        case Reduce(Reduction.SUM, body, (along,), None):
            inner, squared = _squared(body), True
        case Reduce(Reduction.NORM, inner, (along,), None, Number(2)):
            squared = False
        case _:
            return None
    match inner:
        case Call("add", (left, Call("neg", (right,)))):
            pass
        case Call("add", (Call("neg", (right,)), left)):
            pass
        case Call("add", (left, right)) if opposites:
            right = Call("neg", (right,))
        case _:
            return None
    one, other = {*free_indices(left)}, {*free_indices(right)}
    if along not in one & other or len(one - other) != 1 or len(other - one) != 1:
        return None
    if _reads(left, batches) != _reads(right, batches):
        return None
    (row,), (column,) = one - other, other - one
    shared = frozenset((one & other) - {along})
    return Pairs(left, right, row, column, along, shared, squared)


def _squared(body: Expr) -> Expr | None:
    match body:
        case Call("pow", (inner, Number(2))) | Call("square", (inner,)):
            return inner
        case _:
            return None


def _reads(expr: Expr, names: Iterable[str]) -> bool:
    return any(isinstance(n, Read) and n.name in names for n in walk(expr))
