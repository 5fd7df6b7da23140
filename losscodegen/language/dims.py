"""The dims of a loss before reduction."""

from __future__ import annotations

from dataclasses import replace

from losscodegen.ir.loss import ELLIPSIS, Loss, Variable
from losscodegen.ir.nodes import Expr, Index, Read
from losscodegen.ir.walk import free_indices, inline, walk
from losscodegen.language.scope import own_index


def with_dims(loss: Loss) -> Loss:
    """``loss`` with the dims of its unreduced value, ``free`` and ``batch``, filled in.

    They are in order of declaration, those that stand before ``...`` first.
    """
    expression = inline(loss.expression, loss.definitions)
    depends = set(free_indices(expression))
    own = [Index(own_index(a.name), a.name) for a in loss.axes if a.size is None]
    free = [index for index in (*own, *loss.indices) if index in depends]
    first = batched(expression, loss)
    if first is None:
        return replace(loss, free=tuple(free), batch=None)
    before = first.axes[: first.axes.index(ELLIPSIS)]
    front = [index for index in free if index.axis in before]
    back = [index for index in free if index.axis not in before]
    return replace(loss, free=(*front, *back), batch=len(front))


def batched(expression: Expr, loss: Loss) -> Variable | None:
    """The first variable with ``...`` that the expression reads."""
    reads = {node.name for node in walk(expression) if isinstance(node, Read)}
    candidates = (v for v in loss.variables if v.name in reads and ELLIPSIS in v.axes)
    return next(candidates, None)
