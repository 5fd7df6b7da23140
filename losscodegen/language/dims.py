"""The dims of a loss before reduction."""

from __future__ import annotations

from dataclasses import replace

from losscodegen.ir.loss import ELLIPSIS, Loss, Variable
from losscodegen.ir.nodes import Expr, Index, Read
from losscodegen.ir.walk import free_indices, inline, walk
from losscodegen.language.scope import own_index


def with_dims(loss: Loss) -> Loss:
    """``loss`` with the dims of its unreduced value, ``free`` and ``batch``, filled in.

    They are in order of declaration, those whose axis stands before ``...`` first.
    """
    expression = inline(loss.expression, loss.definitions)
    depends = set(free_indices(expression))
    own = [Index(own_index(a.name), a.name) for a in loss.axes if a.size is None]
    free = [index for index in (*own, *loss.indices) if index in depends]
    variables = batched(expression, loss)
    if not variables:
        return replace(loss, free=tuple(free), batch=None)
    front = [index for index in free if _in_front(index.axis, variables)]
    back = [index for index in free if index not in front]
    return replace(loss, free=(*front, *back), batch=len(front))


def batched(expression: Expr, loss: Loss) -> tuple[Variable, ...]:
    """The variables with ``...`` that the expression reads."""
    reads = {node.name for node in walk(expression) if isinstance(node, Read)}
    return tuple(v for v in loss.variables if v.name in reads and ELLIPSIS in v.axes)


def _in_front(axis: str, variables: tuple[Variable, ...]) -> bool:
    """Whether ``axis`` stands before ``...`` in the first of the variables that has it."""
    for variable in variables:
        if axis in variable.axes:
            return variable.axes.index(axis) < variable.axes.index(ELLIPSIS)
    return False
