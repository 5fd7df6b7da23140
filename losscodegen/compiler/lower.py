"""From stabilised expressions to tensor statements.

Axes become dims, shared subexpressions become names, binders become reductions, gathers and masks.
Every value is computed once; its name comes from the spec or from the rule that introduced it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from losscodegen.compiler import tensors
from losscodegen.compiler.builder import Builder
from losscodegen.compiler.layout import (
    BATCH,
    Layout,
    align,
    axes_of,
    dim_at,
)
from losscodegen.compiler.naming import Names
from losscodegen.compiler.options import (
    resolve_options,
    safe_gathers,
    static_selects,
)
from losscodegen.compiler.parts import sliced
from losscodegen.compiler.program import (
    Mean,
    Program,
    ShapeCheck,
)
from losscodegen.compiler.share import (
    drop_unused,
    keep_dims,
    order_items,
    share_indices,
)
from losscodegen.compiler.tensor_nodes import (
    Fill,
    Name,
    Spread,
    Tensor,
)
from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Number,
    Read,
    Switch,
)
from losscodegen.language.printer import format_expression

if TYPE_CHECKING:
    from losscodegen.compiler.steps import Stabilized

NOTHING: frozenset[str] = frozenset()


def lower(stabilized: Stabilized, *, without: frozenset[str] = NOTHING) -> Program:
    """The tensor program of a stabilised loss.

    ``without`` names guards of this stage to leave out, for the tests that show what each is for.

    Raises:
        LossCodegenError: for a construct that has no lowering yet, at its place in the spec.
    """
    loss = stabilized.loss
    expression = prepared(loss.expression, loss, without)
    builder = Builder(loss, axes_of(loss), Names(loss), without)
    builder.count(expression)
    value = builder.value(expression)
    target = result_layout(loss)
    statements = builder.finish(value, target)
    mean = None if loss.mean_weight is None else weight_of_mean(loss, builder, target)
    needed = {"loss"} if mean is None else {"loss", *tensors.names_in(mean.weight)}
    if mean is not None:
        needed |= tensors.names_in(mean.statements)
    statements = drop_unused(statements, needed)
    statements = order_items(keep_dims(statements, mean), loss)
    statements = share_indices(statements, loss, builder.names)
    return Program(
        loss=loss,
        checks=shape_checks(loss),
        statements=statements,
        result="loss",
        mean=mean,
        require=requirements(loss, builder),
        guards=tuple(builder.printed),
    )


def prepared(expr: Expr, loss: Loss, without: frozenset[str]) -> Expr:
    if "ignored-target" not in without:
        expr = safe_gathers(expr, loss)
    return static_selects(resolve_options(sliced(expr), loss), loss)


def result_layout(loss: Loss) -> Layout:
    layout: Layout = loss.free
    if loss.batch is not None:
        layout = (*loss.free[: loss.batch], BATCH, *loss.free[loss.batch :])
    return layout


def weight_of_mean(loss: Loss, builder: Builder, target: Layout) -> Mean | None:
    assert loss.mean_weight is not None
    expr = prepared(loss.mean_weight, loss, builder.without)
    present = None
    match expr:
        case Switch(Call("absent", (Read(name),)), Number(), weight):
            present, expr = loss.variable(name).arg, weight
        case _:
            pass
    builder.statements = []
    builder.count(expr)
    value = builder.value(expr)
    tensor = align(value.tensor, value.layout, target, builder.axes)
    if value.layout != target:
        like = Name("loss")
        tensor = Spread(Fill(tensor, builder.like) if value.static else tensor, like)
    return Mean(statements=tuple(builder.statements), weight=tensor, present=present)


def requirements(loss: Loss, builder: Builder) -> tuple[tuple[Tensor, str], ...]:
    return tuple(
        (builder.value(condition).tensor, format_expression(condition))
        for condition in loss.require
        if builder.static(condition)
    )


def shape_checks(loss: Loss) -> tuple[ShapeCheck, ...]:
    """For each tensor argument, what its shape must be, given those before it."""
    seen: dict[str, tuple[str, int]] = {}
    checks = []
    tensors_ = [v for v in loss.variables if v.axes]
    for variable in tensors_:
        dims: list[tuple[str, int] | int | str | None] = []
        for position, axis in enumerate(variable.axes):
            if axis.isdigit():
                dims.append(int(axis))
            elif axis == ELLIPSIS and axis in seen:
                dims.append(axis)
            else:
                dims.append(seen.get(axis))
            if not variable.optional and not axis.isdigit():
                seen.setdefault(axis, (variable.arg, dim_at(variable.axes, position)))
        checks.append(ShapeCheck(argument=variable, dims=tuple(dims)))
    return tuple(checks)
