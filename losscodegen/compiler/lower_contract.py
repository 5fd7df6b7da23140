"""Sums of products over an axis as matrix products: no tensor of all indices is ever made.

``Sum(x[i,d]*y[j,d], d)`` is ``x @ y.T``; with more indices it is an ``einsum``. The products and
their sum are the same, in the order that the library chooses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from losscodegen.compiler.layout import BATCH, Batch, Layout, permute
from losscodegen.compiler.tensor_nodes import (
    Einsum,
    Float,
    Matmul,
    Tensor,
)
from losscodegen.compiler.value import Value
from losscodegen.ir.build import ONE, div, mul, number
from losscodegen.ir.loss import ELLIPSIS
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Number,
    Read,
    Reduce,
    Reduction,
    Size,
)
from losscodegen.ir.walk import free_indices, walk

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder


@dataclass(frozen=True, slots=True)
class _Factor:
    expr: Expr
    inverse: bool = False


def contraction(builder: Builder, expr: Reduce) -> Value | None:
    """``expr`` as a product of two tensors, each of which lacks an index of the other.

    None where it is no such sum: where one factor has all the indices already, or where the
    product itself is needed, too. The dims of a batch count as one index.
    """
    if expr.kind not in (Reduction.SUM, Reduction.MEAN) or expr.where is not None:
        return None
    if builder.counts[builder.keys.of(expr.body)] > 1:
        return None
    found = list(_factors(expr.body, root=True))
    outside = [f for f in found if builder.static(f.expr)]
    sides = _sides(builder, [f for f in found if f not in outside], expr.indices)
    if sides is None:
        return None
    if expr.kind is Reduction.MEAN:
        outside += [_Factor(Size(i.axis), inverse=True) for i in expr.indices]
    if outside:
        core = Reduce(Reduction.SUM, mul(*sides), expr.indices)
        return builder.value(_product([_Factor(core), *outside]))
    left, right = (_operand(builder, side) for side in sides)
    return _contracted(builder, expr.indices, left, right)


def _entries(builder: Builder, expr: Expr) -> frozenset[Index | Batch]:
    """The free indices, the batch among them where a tensor of any rank is read."""
    reads = (node for node in walk(expr) if isinstance(node, Read))
    if any(ELLIPSIS in builder.loss.variable(read.name).axes for read in reads):
        return frozenset((*free_indices(expr), BATCH))
    return frozenset(free_indices(expr))


def _factors(expr: Expr, *, root: bool = False) -> Iterator[_Factor]:
    """The factors of a product; what has a name of its own is one of them."""
    named = expr.origin.name is not None and not root
    match expr:
        case Call("neg", (inner,)) if not named:
            yield _Factor(number(-1))
            yield from _factors(inner)
        case Call("mul", args) if not named:
            for arg in args:
                yield from _factors(arg)
        case Call("div", (Call("mul" | "neg") as top, bottom)) if not named:
            yield from _factors(top)
            yield _Factor(bottom, inverse=True)
        case Call("div", (top, Number() as bottom)) if not named:
            yield from _factors(top)
            yield _Factor(bottom, inverse=True)
        case _:
            yield _Factor(expr)


def _product(found: Iterable[_Factor]) -> Expr:
    above = [f.expr for f in found if not f.inverse]
    below = [f.expr for f in found if f.inverse]
    top = mul(*above) if above else ONE
    return div(top, mul(*below)) if below else top


def _sides(
    builder: Builder, found: list[_Factor], summed: tuple[Index, ...]
) -> tuple[Expr, Expr] | None:
    """The factors in two groups, neither of which has all the indices of the product."""
    free = {f: _entries(builder, f.expr) for f in found}
    largest = [
        k for k in dict.fromkeys(free.values()) if not any(k < o for o in free.values())
    ]
    if len(largest) != 2 or not all(indices & {*summed} for indices in largest):
        return None
    left = [f for f in found if free[f] <= largest[0]]
    right = [f for f in found if f not in left]
    return _product(left), _product(right)


def _operand(builder: Builder, side: Expr) -> Value:
    value = builder.value(side)
    if value.integer:
        value = replace(value, tensor=Float(value.tensor), integer=False)
    return builder.whole(value)


def _contracted(
    builder: Builder, summed: tuple[Index, ...], left: Value, right: Value
) -> Value:
    target = builder.axes.sort(
        e for v in (left, right) for e in v.layout if e not in summed
    )
    if target and target[0] not in left.layout:
        left, right = right, left
    tensor = _matmul(summed, left, right, target, builder.like)
    return Value(
        _einsum(left, right, target, builder.like) if tensor is None else tensor,
        target,
        weight=2 + left.weight + right.weight,
        guards=tuple(dict.fromkeys((*left.guards, *right.guards))),
    )


def _matmul(
    summed: tuple[Index, ...],
    left: Value,
    right: Value,
    target: Layout,
    argument: str,
) -> Tensor | None:
    """``left @ right`` where both are matrices, transposed if need be; the left a batch of them."""
    if len(summed) != 1:
        return None
    if left.layout[-1:] == summed and target[:-1] == left.layout[:-1]:
        matrix = (*summed, target[-1])
        if {*right.layout} == {*matrix}:
            turned = permute(right.tensor, right.layout, matrix)
            return Matmul(left.tensor, turned, argument)
    if len(target) != 2:
        return None
    if {*left.layout} != {target[0], *summed} or {*right.layout} != {
        target[1],
        *summed,
    }:
        return None
    return Matmul(
        permute(left.tensor, left.layout, (target[0], *summed)),
        permute(right.tensor, right.layout, (*summed, target[1])),
        argument,
    )


def _einsum(left: Value, right: Value, target: Layout, argument: str) -> Tensor:
    letters: dict[object, str] = {}
    for entry in dict.fromkeys((*left.layout, *right.layout)):
        if isinstance(entry, Batch):
            letters[entry] = "..."
            continue
        letters[entry] = next(
            letter
            for letter in (*entry.name.lower(), *"abcdefghijklmnopqrstuvwxyz")
            if letter.isascii() and letter.isalpha() and letter not in letters.values()
        )
    one, other, result = (
        "".join(letters[e] for e in layout)
        for layout in (left.layout, right.layout, target)
    )
    return Einsum(f"{one},{other}->{result}", (left.tensor, right.tensor), argument)
