"""Lowering of what all pairs of rows have in common, without more tensors of them than needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler.layout import BATCH, Layout, permute
from losscodegen.compiler.lower_reads import INTEGERS
from losscodegen.compiler.pairs import batched, pairs
from losscodegen.compiler.parts import base
from losscodegen.compiler.tensor_nodes import Float, Helped, Name, Reduced, Tensor
from losscodegen.compiler.value import Value
from losscodegen.ir.loss import ELLIPSIS
from losscodegen.ir.nodes import Expr, Index, Read, Reduce, Reduction

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder


PAIRS = "pair-distances"
"""The functions of generated modules for all pairs of rows; what is left out makes do without."""


def distances(builder: Builder, expr: Reduce) -> Value | None:
    """``expr`` as a function of two matrices, or of a batch of them; None if it is none."""
    found = pairs(expr, batched(builder.loss), opposites=True)
    if found is None or PAIRS in builder.without:
        return None
    # Squares that are needed for themselves, too, are there already. Norms rely on the function.
    if found.squared and builder.counts[builder.keys.of(expr.body)] > 1:
        return None
    left = _matrix(builder, found.left, found.row, found.along)
    right = _matrix(builder, found.right, found.column, found.along)
    layout: Layout = (*left.layout[:-1], found.column)
    target = builder.axes.sort(layout)
    function = "squared_distances" if found.squared else "distances"
    tensor = Helped(function, (left.tensor, right.tensor))
    if target != layout and target == (*layout[:-2], found.column, found.row):
        tensor = Helped(function, (right.tensor, left.tensor))
        layout = target
    return Value(
        permute(tensor, layout, target),
        target,
        weight=2 + left.weight + right.weight,
        guards=tuple(dict.fromkeys((*left.guards, *right.guards))),
    )


def reduced(expr: Reduce, layout: Layout, tensor: Reduced) -> Tensor:
    """``tensor``, what ``expr`` makes of a tensor of this layout, by a function of the module.

    An axis that is there twice makes the tensor the largest of a loss. The backward of
    ``torch.logsumexp`` holds four like it.
    """
    axes = [base(entry.axis) for entry in layout if isinstance(entry, Index)]
    twice = len(set(axes)) < len(axes) or expr.origin.helped
    if tensor.kind is Reduction.LOGSUMEXP and twice:
        return Helped("logsumexp", (tensor.value,), tensor.dims)
    return tensor


def _matrix(builder: Builder, side: Expr, row: Index, along: Index) -> Value:
    """``side`` with what the pairs share in front, then its rows."""
    if isinstance(side, Read) and side.subscripts == (row, along):
        variable = builder.loss.variable(side.name)
        if variable.domain.kind not in INTEGERS and ELLIPSIS not in variable.axes:
            return Value(Name(variable.arg), (row, along))  # however others read it
    value = builder.whole(builder.value(side))
    if value.integer:
        value = replace(value, tensor=Float(value.tensor), integer=False)
    front = tuple(e for e in value.layout if e not in (row, along))
    want: Layout = (*sorted(front, key=lambda e: e is not BATCH), row, along)
    return replace(value, tensor=permute(value.tensor, value.layout, want), layout=want)
