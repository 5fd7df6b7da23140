"""Lowering of ops and of elementwise choices: operands aligned, long statements split."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler import lower_switch
from losscodegen.compiler.layout import (
    Layout,
    dim_of,
    trails,
)
from losscodegen.compiler.options import (
    ABSENT,
)
from losscodegen.compiler.tensor_nodes import (
    Anywhere,
    Apply,
    Extent,
    Eye,
    Float,
    Helped,
    Literal,
    Missing,
    Tensor,
    Where,
    Word,
)
from losscodegen.compiler.value import Value
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Guard,
    Index,
    Number,
    Read,
    Reduce,
    Reduction,
    Size,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import free_indices, walk

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder

_INLINE_LIMIT = 9
"""How many ops one statement may hold before its heaviest part gets a line of its own."""
_RING = frozenset({"add", "mul", "neg"})
"""Ops that keep integers integers, which subscripts have to be."""
_RELIEF = 4
"""How many more, where that part is nearly all of the statement."""


def call(builder: Builder, expr: Call) -> Value:
    if expr.op == ABSENT:
        (argument,) = expr.args
        assert isinstance(argument, Read)
        arg = builder.loss.variable(argument.name).arg
        return Value(Missing(arg), static=True)
    if expr.op in ("eq", "ne") and (diagonal := _diagonal(builder, expr)) is not None:
        return diagonal
    if (anywhere := _anywhere(builder, expr)) is not None:
        return anywhere
    row = OPS[expr.op]
    smooth = expr.origin.guard is not None and expr.origin.guard.smooth
    if expr.op == "clip" and not smooth:  # its text takes every argument twice
        stems = (None, "low", "high")
        pairs = zip(expr.args, stems, strict=True)
        values = [builder.part(arg, stem) for arg, stem in pairs]
    else:
        values = [builder.value(arg) for arg in expr.args]
    # A long sum reads well as one term per line.
    limit = _INLINE_LIMIT + (4 * (len(values) - 2) if expr.op == "add" else 0)
    values = _lighten(builder, expr.args, values, limit)
    guards = _guards(values)
    weight = 1 + sum(v.weight for v in values)
    if expr in (builder.raising or ()):
        values = [replace(builder.filled(v), static=False) for v in values]
    if all(v.static for v in values):
        if row.python is None:
            raise builder.refuse(expr, f"{row.name} of parameters alone")
        args = tuple(v.tensor for v in values)
        choices = [words for arg in expr.args if (words := _choices(builder, arg))]
        if choices:  # a word is the number of its place
            args = tuple(
                (
                    Word(choices[0][int(arg.value)])
                    if isinstance(arg, Number)
                    else tensor
                )
                for arg, tensor in zip(expr.args, args, strict=True)
            )
        if _counts(expr):
            args = tuple(map(_whole, args))
        return Value(Apply(expr.op, args, static=True), static=True, weight=weight)
    # Whether two integers are equal needs no floating point.
    floating = row.sort is Sort.REAL and row.args is Sort.REAL
    integer = expr.op in _RING and _integers(values)
    if integer:
        values = [replace(v, tensor=_whole(v.tensor)) for v in values]
    elif floating and expr.op != "delta":
        values = [
            replace(v, tensor=_floating(v.tensor), integer=False) if v.integer else v
            for v in values
        ]
    if row.tensors:
        values = [builder.filled(v) for v in values]
    values = _anchored(builder, expr.args, values)
    aligned, layout = builder.combine(values)
    if expr.op in ("add", "mul") and any(
        not v.static and not v.partial for v in values
    ):
        aligned = [lower_switch.bare(t) for t in aligned]
    tensor: Tensor = Apply(expr.op, tuple(aligned))
    if expr.origin.helped:
        tensor = Helped(expr.op, tuple(aligned))
    if expr.op == "clip" and smooth:
        tensor = Apply("clamp", tuple(aligned))
    if expr.op == "delta":
        tensor = Float(Apply("eq", tuple(aligned)))
    return Value(
        tensor,
        layout,
        integer=integer,
        weight=weight,
        guards=guards,
        partial=_partial(values, layout),
    )


def _integers(values: list[Value]) -> bool:
    """Whether all are tensors of integers or sizes and whole numbers beside them."""
    return all(
        v.integer
        or isinstance(v.tensor, Extent)
        or (isinstance(v.tensor, Literal) and v.tensor.value.denominator == 1)
        for v in values
    )


def _diagonal(builder: Builder, expr: Call) -> Value | None:
    """``i == j`` for two indices of one axis is a diagonal, ``i != j`` all but that."""
    match expr.args:
        case (Index() as one, Index() as other) if one.axis == other.axis:
            tensor: Tensor = Eye(builder.extent(one.axis), builder.like)
            if expr.op == "ne":
                tensor = Apply("not", (tensor,))
            return Value(tensor, builder.axes.sort((one, other)), weight=2)
        case _:
            return None


def _anywhere(builder: Builder, expr: Call) -> Value | None:
    """``Sum(1, j, where=...) > 0``, unless the number is needed, too."""
    match expr:
        case Call(
            "gt", (Reduce(Reduction.SUM, Number(1), over, where) as count, Number(0))
        ):
            pass
        case _:
            return None
    if where is None or builder.static(where):
        return None
    if builder.counts[builder.keys.of(count)] > 1 or not {*over} <= {
        *free_indices(where)
    }:
        return None
    mask = builder.value(where)
    dims = tuple(dim_of(mask.layout, i) for i in over)
    rest = tuple(e for e in mask.layout if e not in over)
    tensor = Anywhere(mask.tensor, dims)
    return replace(mask, tensor=tensor, layout=rest, weight=mask.weight + 1)


def _counts(expr: Call) -> bool:
    """Whether ``expr`` is a number of entries, as ``C - 1`` is."""
    return any(isinstance(node, Size) for node in walk(expr)) and all(
        isinstance(node, Size)
        or (isinstance(node, Number) and node.value.denominator == 1)
        or (isinstance(node, Call) and node.op in ("add", "neg", "mul"))
        for node in walk(expr)
    )


def _floating(tensor: Tensor) -> Tensor:
    """Integers as floating-point numbers, the sign outside: it is that of a difference."""
    match tensor:
        case Apply("neg", (inner,)):
            return Apply("neg", (Float(inner),))
        case _:
            return Float(tensor)


def _whole(tensor: Tensor) -> Tensor:
    match tensor:
        case Literal():
            return replace(tensor, whole=True)
        case Apply(_, args, True):
            return replace(tensor, args=tuple(map(_whole, args)))
        case _:
            return tensor


def _choices(builder: Builder, expr: Expr) -> tuple[str, ...]:
    """The words that ``expr`` may be, none for a number."""
    if not isinstance(expr, Read):
        return ()
    return builder.loss.variable(expr.name).domain.choices


def _lighten(
    builder: Builder,
    exprs: tuple[Expr, ...],
    values: list[Value],
    limit: int = _INLINE_LIMIT,
) -> list[Value]:
    """Heavy arguments get statements of their own until the rest fits one line."""
    values = list(values)
    while sum(v.weight for v in values) > limit:
        heaviest = max(range(len(values)), key=lambda k: values[k].weight)
        rest = sum(v.weight for v in values) - values[heaviest].weight
        if values[heaviest].weight < 4 or values[heaviest].static:
            break
        if rest < 2 and values[heaviest].weight <= limit + _RELIEF:
            break  # a name for nearly all of the statement relieves nothing
        values[heaviest] = named_part(builder, exprs[heaviest], values[heaviest])
    return values


def _anchored(
    builder: Builder, exprs: tuple[Expr, ...], values: list[Value]
) -> list[Value]:
    """Values whose shape a statement mentions get a name."""
    target = builder.axes.sort(e for v in values for e in v.layout)
    return [
        (
            named_part(builder, expr, value)
            if value.weight and not value.partial and trails(value.layout, target)
            else value
        )
        for expr, value in zip(exprs, values, strict=True)
    ]


def named_part(builder: Builder, expr: Expr, value: Value) -> Value:
    """``value`` as a name, or minus a name where it is minus something."""
    match expr, value.tensor:
        case Call("neg", (inner,)), Apply("neg", (tensor,)) if expr.origin.name is None:
            named = builder.assign(inner, replace(value, tensor=tensor))
            builder.remember(inner, named)
            negated = Apply("neg", (named.tensor,))
            return replace(named, tensor=negated, weight=1)
        case _:
            named = builder.assign(expr, value)
            builder.remember(expr, named)
            return named


def select(builder: Builder, condition: Expr, then: Expr, otherwise: Expr) -> Value:
    exprs = (condition, then, otherwise)
    values = _lighten(builder, exprs, [builder.value(e) for e in exprs])
    indicator = _indicator(values)
    if indicator is not None:
        return indicator
    if values[1].static and values[2].static:
        values[1] = builder.filled(values[1])
    if values[1].integer != values[2].integer and not (
        values[1].static or values[2].static
    ):
        values = [
            replace(v, tensor=Float(v.tensor), integer=False) if v.integer else v
            for v in values
        ]
    if any(v.integer for v in values[1:]):
        values = [
            (
                replace(v, tensor=replace(v.tensor, whole=True))
                if isinstance(v.tensor, Literal)
                else v
            )
            for v in values
        ]
    values = _anchored(builder, exprs, values)
    aligned, layout = builder.combine(values)
    return Value(
        Where(*aligned),
        layout,
        integer=values[1].integer or values[2].integer,
        weight=1 + sum(v.weight for v in values),
        guards=_guards(values),
        partial=_partial(values, layout),
    )


def _indicator(values: list[Value]) -> Value | None:
    """A choice between 1 and 0 is the condition itself as a number."""
    condition, *sides = values
    match [v.tensor for v in sides]:
        case [Literal(then), Literal(otherwise)] if {then, otherwise} == {0, 1}:
            tensor = condition.tensor
            if then == 0:
                tensor = _negated(tensor)
            weight = condition.weight + 1
            return replace(condition, tensor=Float(tensor), weight=weight)
        case _:
            return None


def _negated(condition: Tensor) -> Tensor:
    match condition:
        case Apply("not", (inner,)):
            return inner
        case Apply("eq" | "ne" as op, args):
            return Apply("ne" if op == "eq" else "eq", args)
        case _:
            return Apply("not", (condition,))


def _partial(values: list[Value], layout: Layout) -> bool:
    """Whether no full tensor is there to make the others full."""
    if not any(v.partial for v in values):
        return False
    return not any(v.layout == layout and not v.partial for v in values)


def _guards(values: list[Value]) -> tuple[Guard, ...]:
    return tuple(dict.fromkeys(g for v in values for g in v.guards))
