"""Lowering of what runs over axes: reductions, with masks or without, and softmax and its like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler import lower_later, lower_reads
from losscodegen.compiler.layout import (
    Layout,
    align,
    dim_of,
    permute,
    unsqueeze,
)
from losscodegen.compiler.lower_contract import contraction
from losscodegen.compiler.lower_pairs import distances, reduced
from losscodegen.compiler.parts import offset
from losscodegen.compiler.tensor_nodes import (
    Anywhere,
    Apply,
    Count,
    Fill,
    Float,
    Helped,
    Kept,
    Literal,
    Lowest,
    Name,
    Reduced,
    Roll,
    Running,
    Scatter,
    Special,
    Tensor,
    Where,
)
from losscodegen.compiler.tensors import fraction
from losscodegen.compiler.value import Value
from losscodegen.ir.build import ONE, OO, ZERO, div, neg, number, power, sub
from losscodegen.ir.nodes import (
    NO_ORIGIN,
    Call,
    Expr,
    Guard,
    Index,
    Keep,
    Keeper,
    Named,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import free_indices

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder

FINITE_MASK = Guard(
    rule="finite-mask",
    why="What the mask drops is set to the lowest finite number. With -inf, a row that is masked "
    "or -inf throughout would differentiate `exp(-inf - -inf) = nan`.",
)


# ---------------------------------------------------------------- reductions
DIRECTION = Guard(
    rule="direction",
    why="The squares leave the floating-point range long before the norm does. Divided by its "
    "largest entry first, a vector has one entry that never changes: no gradient flows into it, "
    "and what the others give flows into the divisor. Worked out by itself, the gradient of an "
    "entry that is nearly the whole norm cancels. Rows of zeros stay as they are.",
)


def reduce(builder: Builder, expr: Reduce) -> Value:
    kind, where = expr.kind, expr.where
    contracted = (
        contraction(builder, expr)
        or distances(builder, expr)
        or lower_later.logsumexp(builder, expr)
    )
    if contracted is not None:
        return contracted
    if where is not None and builder.static(where):
        return builder.value(_switched(expr, where))
    if where is not None and kind is Reduction.VAR:
        return builder.value(_variance(expr))
    if where is not None and (apart := _unmasked(expr, where)) is not None:
        return builder.value(apart)
    body = builder.whole(builder.value(expr.body))
    if body.integer:
        body = replace(body, tensor=Float(body.tensor), integer=False)
    running = _running(builder, expr, body)
    if running is not None:
        return running
    if where is None:
        return _plain(builder, expr, body)
    twice = kind is Reduction.MEAN or (
        kind is Reduction.LOGSUMEXP and not _never_empty(where)
    )
    mask = builder.part(where, "kept") if twice else builder.value(where)
    if kind is Reduction.SUM and body.static:
        return _count(builder, expr, body, mask)
    (masked, condition), layout = _masked(builder, expr, body, mask)
    dims = tuple(dim_of(layout, i) for i in expr.indices)
    total = Reduction.SUM if kind is Reduction.MEAN else kind
    order = None if expr.order is None else builder.value(expr.order).tensor
    tensor = reduced(expr, layout, Reduced(total, masked, dims, order=order))
    rest = tuple(e for e in layout if e not in expr.indices)
    guards = (*body.guards, *mask.guards)
    if kind is Reduction.LOGSUMEXP:
        guards = (*guards, FINITE_MASK)
        if not _never_empty(where):
            tensor = Where(
                Anywhere(condition, dims),
                tensor,
                Apply("neg", (Special(Named.OO),), True),
            )
    if kind is Reduction.MEAN:
        tensor = Apply("div", (tensor, Count(condition, dims)))
    weight = 2 + body.weight + mask.weight
    return replace(
        body, tensor=tensor, layout=rest, static=False, weight=weight, guards=guards
    )


def _switched(expr: Reduce, where: Expr) -> Expr:
    """A mask that parameters alone decide: all entries or none."""
    none: Expr
    match expr.kind:
        case Reduction.MEAN | Reduction.VAR:
            none = div(ZERO, ZERO)
        case Reduction.SUM | Reduction.NORM:
            none = ZERO
        case Reduction.PROD:
            none = ONE
        case Reduction.LOGSUMEXP | Reduction.AMAX:
            none = neg(OO)
        case Reduction.AMIN:
            none = OO
    return Switch(where, replace(expr, where=None), none, origin=expr.origin)


def _unmasked(expr: Reduce, where: Expr) -> Expr | None:
    """Indices on which no entry's fate depends are reduced first, without the mask.

    The mask has no dim for them: it could not count what it keeps along them.
    """
    needed = set(free_indices(where))
    if expr.kind is not Reduction.MEAN:
        needed.update(free_indices(expr.body))
    alone = tuple(i for i in expr.indices if i not in needed)
    rest = tuple(i for i in expr.indices if i in needed)
    if not alone or not rest:
        return None
    inner = Reduce(expr.kind, expr.body, alone, None)
    return replace(expr, body=inner, indices=rest)


def _variance(expr: Reduce) -> Expr:
    """The unbiased variance of the entries that a mask keeps, spelled out.

    Where it keeps none there is no mean, and nothing that it would be taken from.
    """
    total = replace(expr, kind=Reduction.SUM, origin=NO_ORIGIN)
    count = replace(total, body=ONE)
    mean = div(total, Call("max", (count, ONE)))
    squares = replace(total, body=power(sub(expr.body, mean), number(2)))
    return replace(div(squares, sub(count, ONE)), origin=expr.origin)


def _plain(builder: Builder, expr: Reduce, body: Value) -> Value:
    """A reduction over everything; indices that the body lacks contribute by their number."""
    present = tuple(i for i in expr.indices if i in body.layout)
    absent = tuple(i for i in expr.indices if i not in body.layout)
    tensor, layout = body.tensor, body.layout
    if present:
        dims = tuple(dim_of(layout, i) for i in present)
        order = None if expr.order is None else builder.value(expr.order).tensor
        if expr.kind is Reduction.VAR and absent:
            raise builder.refuse(expr, "a variance over an index its body lacks")
        tensor = reduced(expr, layout, Reduced(expr.kind, tensor, dims, order=order))
        layout = tuple(e for e in layout if e not in present)
    for index in absent:
        size = builder.extent(index.axis)
        match expr.kind:
            case Reduction.SUM:
                one = tensor == Literal(fraction(1))
                tensor = size if one else Apply("mul", (tensor, size), body.static)
            case Reduction.LOGSUMEXP:
                tensor = Apply(
                    "add", (tensor, Apply("log", (size,), True)), body.static
                )
            case Reduction.PROD:
                tensor = Apply("pow", (tensor, size), body.static)
            case Reduction.MEAN | Reduction.AMAX | Reduction.AMIN:
                pass
            case _:
                raise builder.refuse(
                    expr, f"{expr.kind.value} over an index its body lacks"
                )
    return replace(
        body,
        tensor=tensor,
        layout=layout,
        weight=body.weight + len(present) + len(absent),
    )


_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def _running(builder: Builder, expr: Reduce, body: Value) -> Value | None:
    """``Sum(x[c], c, where=c <= k)`` for all k: a running sum; None for anything else."""
    match expr.where:
        case Call(op, (Index() as own, Index() as end)) if op in _MIRRORED:
            pass
        case _:
            return None
    if own not in expr.indices:
        own, end, op = end, own, _MIRRORED[op]
    if expr.kind is not Reduction.SUM or expr.indices != (own,):
        return None
    if own.axis != end.axis or own not in body.layout or end in body.layout:
        return None
    dim = dim_of(body.layout, own)
    tensor: Tensor = Running(body.tensor, dim, backwards=op in ("gt", "ge"))
    layout = tuple(end if e == own else e for e in body.layout)
    if op in ("lt", "gt"):  # without its own entry: that of the neighbour
        first = Literal(fraction(0), whole=True)
        edge: Tensor = first
        if op == "gt":
            edge = builder.value(sub(Size(own.axis), ONE)).tensor
        places = builder.value(end)
        inside = Apply("ne", (places.tensor, edge))
        inside_there = align(inside, places.layout, layout, builder.axes)
        moved = Roll(tensor, dim, -1 if op == "lt" else 1)
        tensor = Where(inside_there, moved, Literal(fraction(0)))
    target = builder.axes.sort(layout)
    return replace(
        body,
        tensor=permute(tensor, layout, target),
        layout=target,
        weight=body.weight + (2 if op in ("le", "ge") else 5),
    )


def _masked(
    builder: Builder, expr: Reduce, body: Value, mask: Value
) -> tuple[tuple[Tensor, Tensor], Layout]:
    """The body with the neutral element where the mask does not hold, and the mask itself."""
    neutral = _neutral(builder, expr.kind)
    layout = builder.axes.sort((*body.layout, *mask.layout, *expr.indices))
    condition = align(mask.tensor, mask.layout, layout, builder.axes)
    scattered = _scatter(builder, expr, body, neutral)
    if scattered is not None:
        return (scattered, condition), layout
    tensor = align(body.tensor, body.layout, layout, builder.axes)
    if body.static:
        tensor = Fill(tensor, builder.like)
    return (Where(condition, tensor, neutral), condition), layout


def _neutral(builder: Builder, kind: Reduction) -> Tensor:
    match kind:
        case Reduction.SUM | Reduction.MEAN | Reduction.NORM:
            return Literal(fraction(0))
        case Reduction.PROD:
            return Literal(fraction(1))
        case Reduction.LOGSUMEXP if "finite-mask" not in builder.without:
            return Lowest(Name(builder.like))
        case Reduction.LOGSUMEXP | Reduction.AMAX:
            return Apply("neg", (Special(Named.OO),), static=True)
        case _:
            return Special(Named.OO)


def _scatter(
    builder: Builder, expr: Reduce, body: Value, neutral: Tensor
) -> Tensor | None:
    """``where=c != t`` drops one entry per row: a scatter, no comparison of all classes."""
    match expr.where:
        case Call("ne", (Index() as own, target)) | Call(
            "ne", (target, Index() as own)
        ):
            pass
        case _:
            return None
    if expr.indices != (own,) or own not in body.layout:
        return None
    index = builder.value(target)
    if not index.integer:
        return None
    if tuple(e for e in body.layout if e != own) != index.layout:
        return None
    dim = dim_of(body.layout, own)
    return Scatter(body.tensor, dim, unsqueeze(index.tensor, dim), neutral)


def _never_empty(where: Expr) -> bool:
    """Masks that drop at most one class: only a single class would leave nothing."""
    match where:
        case Call("ne", (Index(), Read() | Select())) | Call(
            "ne", (Read() | Select(), Index())
        ):
            return True
        case _:
            return False


def _count(builder: Builder, expr: Reduce, body: Value, mask: Value) -> Value:
    """A sum of equal terms: their number times the term."""
    layout = builder.axes.sort((*mask.layout, *expr.indices))
    if layout != mask.layout:
        raise builder.refuse(
            expr, "a sum over an index that neither term nor where= has"
        )
    dims = tuple(dim_of(layout, i) for i in expr.indices)
    tensor: Tensor = Float(Count(mask.tensor, dims))
    if body.tensor != Literal(fraction(1)):
        tensor = Apply("mul", (body.tensor, tensor))
    rest = tuple(e for e in layout if e not in expr.indices)
    return replace(
        mask, tensor=tensor, layout=rest, integer=False, weight=mask.weight + 2
    )


# ---------------------------------------------------------------- keepers


def whole(expr: Keep) -> Keep:
    """The whole axis of which ``expr`` reads one entry."""
    return replace(expr, at=expr.index)


def keep(builder: Builder, expr: Keep) -> Value:
    if expr.at != expr.index:
        base = builder.value(whole(expr))
        if offset(expr.at) is not None:
            return lower_reads.moved(builder, expr, base)
        if builder.static(expr.at):
            return lower_reads.item(builder, expr, base)
        index = lower_reads.whole_subscript(builder, expr.at)
        return lower_reads.take(builder, expr, base, base.layout, expr.index, index)
    body = builder.whole(builder.value(expr.body))
    if expr.index not in body.layout:
        raise builder.refuse(expr, f"{expr.kind.value} over an index its body lacks")
    dim = dim_of(body.layout, expr.index)
    tensor = body.tensor
    kind = expr.kind
    if kind is Keeper.SOFTMIN:
        tensor, kind = Apply("neg", (tensor,)), Keeper.SOFTMAX
    if kind is Keeper.NORMALIZE and DIRECTION.rule not in builder.without:
        tensor = Helped("direction", (tensor,), (dim,))
        guards = (*body.guards, DIRECTION)
        return replace(body, tensor=tensor, weight=body.weight + 2, guards=guards)
    return replace(body, tensor=Kept(kind, tensor, dim), weight=body.weight + 2)
