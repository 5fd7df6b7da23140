"""Lowering of choices that Python makes: conditional expressions and ``if`` statements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler import lower_reads, tensors
from losscodegen.compiler.layout import Batch, Layout, align
from losscodegen.compiler.options import ABSENT
from losscodegen.compiler.program import (
    Assign,
    Branch,
    Statement,
)
from losscodegen.compiler.tensor_nodes import (
    Conditional,
    Expand,
    Fill,
    Name,
    Spread,
    Tensor,
)
from losscodegen.compiler.value import Value
from losscodegen.ir.nodes import Call, Expr, Index, Read, Switch
from losscodegen.ir.walk import children

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder


def switch(builder: Builder, expr: Switch) -> Value:
    condition = builder.value(expr.condition)
    _hoist(builder, expr)
    then, then_block = _block(builder, expr.then)
    otherwise, otherwise_block = _block(builder, expr.otherwise)
    layout = builder.axes.sort((*then.layout, *otherwise.layout))
    static = then.static and otherwise.static
    integer = then.integer or otherwise.integer
    inline = not then_block and not otherwise_block
    if not static:
        # A number inside an expression is left to broadcasting, anything else gets its dims.
        then, otherwise = (
            builder.filled(v) if v.static and inline else spread(builder, v, layout)
            for v in (then, otherwise)
        )
    if inline:
        tensor = Conditional(condition.tensor, then.tensor, otherwise.tensor)
        weight = 2 + then.weight + otherwise.weight
        guards = (*then.guards, *otherwise.guards)
        partial = not static and then.layout != otherwise.layout
        return Value(tensor, layout, static, integer, weight, guards, partial)
    name = builder.names.for_expression(expr)
    first = _end(builder, then_block, then, name)
    second = _end(builder, otherwise_block, otherwise, name)
    builder.statements.append(Branch(condition.tensor, first, second))
    return Value(Name(name, static), layout, static, integer)


def spread(builder: Builder, value: Value, layout: Layout) -> Value:
    """``value`` as a tensor that really has the dims of ``layout``."""
    if value.static:
        value = builder.filled(value)
    if value.layout == layout and not value.partial:
        return value
    if value.partial and value.layout != layout:
        value = padded(builder, value, layout)
    tensor = value.tensor
    if not value.partial:
        tensor = align(tensor, value.layout, layout, builder.axes)
    value = replace(value, layout=layout, partial=False)
    if not layout:
        return replace(value, tensor=tensor)
    for variable in builder.loss.inputs:
        if lower_reads.declared_layout(variable) == layout:
            return replace(value, tensor=Spread(tensor, Name(variable.arg)))
    sizes = tuple(
        None if isinstance(entry, Batch) else builder.extent(entry.axis)
        for entry in layout
    )
    return replace(value, tensor=Expand(tensor, sizes, *builder.axes.batch_dims))


def padded(builder: Builder, value: Value, target: Layout) -> Value:
    """A partial value whose tensor side broadcasts against ``target``."""
    match value.tensor:
        case Conditional(condition, then, otherwise):
            sides = [
                (
                    side
                    if isinstance(side, Fill)
                    else align(side, value.layout, target, builder.axes)
                )
                for side in (then, otherwise)
            ]
            return replace(value, tensor=Conditional(condition, *sides), layout=target)
        case _:
            return spread(builder, value, value.layout)


def bare(tensor: Tensor) -> Tensor:
    """A switch on a number with the number as such, for arithmetic beside a full tensor."""
    match tensor:
        case Conditional(condition, then, otherwise):
            sides = [s.value if isinstance(s, Fill) else s for s in (then, otherwise)]
            return Conditional(condition, *sides)
        case _:
            return tensor


def _end(
    builder: Builder, block: tuple[Statement, ...], value: Value, name: str
) -> tuple[Statement, ...]:
    """``block`` made to assign ``name``: its last statement is renamed if that is possible."""
    if block and isinstance(value.tensor, Name):
        renamed = rename_last(block[-1], value.tensor.name, name)
        used = any(value.tensor.name in tensors.names_in(s) for s in block[:-1])
        if renamed is not None and not used:
            return (*block[:-1], renamed)
    fresh = tuple(g for g in value.guards if g not in builder.printed)
    builder.printed.update(dict.fromkeys(fresh))
    return (*block, Assign(name, value.tensor, fresh))


def rename_last(statement: Statement, old: str, new: str) -> Statement | None:
    """``statement`` assigning ``new`` where it assigned ``old``; None if it does not."""
    match statement:
        case Assign(name) if name == old:
            return replace(statement, name=new)
        case Branch(_, then, otherwise) if then and otherwise:
            ends = [rename_last(block[-1], old, new) for block in (then, otherwise)]
            if ends[0] is None or ends[1] is None:
                return None
            return replace(
                statement,
                then=(*then[:-1], ends[0]),
                otherwise=(*otherwise[:-1], ends[1]),
            )
        case _:
            return None


def _hoist(builder: Builder, expr: Switch) -> None:
    """What both sides need, or one side and a place elsewhere, is computed before the choice."""
    then, otherwise = set[int](), set[int]()
    _computed(builder, expr.then, then)
    _computed(builder, expr.otherwise, otherwise)
    inside = then | otherwise | {builder.keys.of(expr)}
    outside = {key for key in inside if builder.parents.get(key, set()) - inside}
    _hoist_shared(builder, expr.then, outside)
    _hoist_shared(builder, expr.otherwise, outside | then)


def _computed(builder: Builder, node: Expr, found: set[int]) -> None:
    """Add the numbers of all that is computed for ``node``, itself included."""
    key = builder.keys.of(node)
    if key not in found:
        found.add(key)
        for part in builder.parts(node):
            _computed(builder, part, found)


def _hoist_shared(builder: Builder, node: Expr, wanted: set[int]) -> None:
    """Compute what is among ``wanted`` now, unless it needs an optional argument."""
    key = builder.keys.of(node)
    if key in builder.known or not children(node):
        return
    plain = isinstance(node, Read) and all(
        isinstance(s, Index) for s in node.subscripts
    )
    if key in wanted and not isinstance(node, Switch) and not plain:
        optional = {v.name for v in builder.loss.parameters if v.optional}
        if not _needs(node, optional):
            value = builder.value(node)
            if value.weight > 1 and not value.static:
                builder.remember(node, builder.assign(node, value))
            return
    for child in builder.parts(node):
        _hoist_shared(builder, child, wanted)


def _needs(node: Expr, optional: set[str]) -> bool:
    """Whether ``node`` reads an optional argument without asking first whether it is there."""
    match node:
        case Read(name, _) if name in optional:
            return True
        case Switch(Call(op, (Read(name),)), then, otherwise) if op == ABSENT:
            return _needs(then, optional) or _needs(otherwise, optional - {name})
        case Call(op) if op == ABSENT:
            return False
        case _:
            return any(_needs(child, optional) for child in children(node))


def _block(builder: Builder, expr: Expr) -> tuple[Value, tuple[Statement, ...]]:
    """``expr`` lowered in a scope of its own."""
    statements, known = builder.statements, dict(builder.known)
    counts, parents = builder.counts, builder.parents
    builder.statements = []
    builder.count(expr)
    value = builder.value(expr)
    block = tuple(builder.statements)
    builder.statements, builder.known = statements, known
    builder.counts, builder.parents = counts, parents
    return value, block
