"""Lowering of everything that has to do with axes: reads, gathers, reductions, keepers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler import lower_switch
from losscodegen.compiler.layout import (
    BATCH,
    Batch,
    Layout,
    align,
    dim_at,
    dim_of,
    permute,
    unsqueeze,
)
from losscodegen.compiler.program import (
    Anywhere,
    Apply,
    Count,
    Diagonal,
    Fill,
    Float,
    Gather,
    Item,
    Kept,
    Literal,
    Lookup,
    Lowest,
    Name,
    Reduced,
    Scatter,
    Special,
    Squeeze,
    Tensor,
    Where,
)
from losscodegen.compiler.tensors import fraction
from losscodegen.compiler.value import Value
from losscodegen.ir.loss import ELLIPSIS, DomainKind, Variable
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Guard,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
)
from losscodegen.ir.walk import free_indices

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder

INTEGERS = (DomainKind.INDEX,)

FINITE_MASK = Guard(
    rule="finite-mask",
    why="What the mask drops is set to the lowest finite number. With -inf, a row that is masked "
    "or -inf throughout would differentiate `exp(-inf - -inf) = nan`.",
)


def declared_layout(variable: Variable) -> Layout | None:
    """The layout of a tensor under its own indices; None if an axis has no index of its own."""
    entries: list[Index | Batch] = []
    for axis in variable.axes:
        if axis == ELLIPSIS:
            entries.append(BATCH)
        elif axis.isdigit():
            return None
        else:
            entries.append(Index(axis.lower(), axis))
    return tuple(entries) if len(set(entries)) == len(entries) else None


# ---------------------------------------------------------------- reads


def read(builder: Builder, expr: Read) -> Value:
    variable = builder.loss.variable(expr.name)
    name = Name(variable.arg, variable.scalar)
    if not variable.axes:
        return Value(name, static=variable.scalar)
    integer = variable.domain.kind in INTEGERS
    subscripts = iter(expr.subscripts)
    entries: list[Index | Batch | Expr] = [
        BATCH if axis == ELLIPSIS else next(subscripts) for axis in variable.axes
    ]
    special = [
        k for k, e in enumerate(entries) if not isinstance(e, Index | Batch | Number)
    ]
    value = Value(name, integer=integer)
    if special:
        return _gather(builder, expr, value, entries, special)
    tensor, layout = _select_items(name, entries)
    target = builder.axes.sort(layout)
    return replace(
        value,
        tensor=permute(tensor, layout, target),
        layout=target,
        weight=0 if tensor is name and layout == target else 1,
    )


def _select_items(
    tensor: Tensor, entries: list[Index | Batch | Expr]
) -> tuple[Tensor, Layout]:
    """Fixed entries taken out of a tensor and repeated indices turned into diagonals."""
    for position in reversed(range(len(entries))):
        entry = entries[position]
        if isinstance(entry, Number):
            tensor = Item(tensor, dim_at(tuple(entries), position), int(entry.value))
            entries = entries[:position] + entries[position + 1 :]
    layout = [e for e in entries if isinstance(e, Index | Batch)]
    for entry in list(layout):
        while layout.count(entry) > 1:
            first = layout.index(entry)
            second = layout.index(entry, first + 1)
            both = tuple(layout)
            tensor = Diagonal(tensor, dim_at(both, first), dim_at(both, second))
            layout = [e for k, e in enumerate(layout) if k not in (first, second)]
            layout.append(entry)
    return tensor, tuple(layout)


def _gather(
    builder: Builder,
    expr: Read,
    base: Value,
    entries: list[Index | Batch | Expr],
    special: list[int],
) -> Value:
    """``x[b, t]``: one subscript is an integer tensor."""
    subscript = entries[special[0]]
    assert not isinstance(subscript, Batch)
    if _is_shift(subscript):
        raise builder.refuse(subscript, "a shifted index")
    if len(special) > 1 or any(isinstance(e, Number) for e in entries):
        raise builder.refuse(expr, "a read with several computed subscripts")
    index = builder.value(subscript)
    if index.static:
        raise builder.refuse(subscript, "a subscript that is a parameter")
    axis = builder.loss.variable(expr.name).subscripted_axes
    position = special[0]
    others = [e for k, e in enumerate(entries) if k != position]
    weight = 1 + index.weight
    if position == 0 and BATCH not in others:
        layout: Layout = (*index.layout, *(e for e in others if isinstance(e, Index)))
        if len(set(layout)) == len(layout):
            target = builder.axes.sort(layout)
            tensor = permute(Lookup(base.tensor, index.tensor), layout, target)
            return replace(
                base, tensor=tensor, layout=target, weight=weight, guards=index.guards
            )
    own = Index("#gathered", axis[0])
    layout = tuple(own if k == position else e for k, e in enumerate(entries))  # type: ignore[misc]
    return take(builder, base, layout, own, index)


def _is_shift(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op == "add" and bool(free_indices(expr))


def take(
    builder: Builder, base: Value, layout: Layout, own: Index, index: Value
) -> Value:
    """The entries of ``base`` along its index ``own`` at the integer tensor ``index``."""
    rest = tuple(e for e in layout if e != own)
    extra = tuple(e for e in index.layout if e not in rest)
    position = layout.index(own)
    dim = dim_at(layout, position)
    if len(extra) > 1:
        raise builder.refuse(
            builder.loss.expression, "a gather with several new indices"
        )
    landing = extra[0] if extra else own
    target = tuple(landing if e == own else e for e in layout)
    missing = [e for e in rest if e not in index.layout]
    tensor = index.tensor
    current = index.layout
    for entry in target:
        if entry in current or isinstance(entry, Batch):
            continue
        grown = tuple(e for e in target if e in current or e == entry)
        tensor = unsqueeze(tensor, dim_at(grown, grown.index(entry)))
        current = grown
    result: Tensor = Gather(base.tensor, dim, tensor, broadcast=bool(missing))
    if not extra:
        result, target = Squeeze(result, dim), rest
    wanted = builder.axes.sort(target)
    return replace(
        base,
        tensor=permute(result, target, wanted),
        layout=wanted,
        weight=2 + base.weight + index.weight,
        guards=(*base.guards, *index.guards),
    )


# ---------------------------------------------------------------- reductions


def reduce(builder: Builder, expr: Reduce) -> Value:
    kind, where = expr.kind, expr.where
    body = builder.value(expr.body)
    if body.partial:
        body = lower_switch.spread(builder, body, body.layout)
    if body.integer:
        body = replace(body, tensor=Float(body.tensor), integer=False)
    if where is None:
        return _plain(builder, expr, body)
    twice = kind is Reduction.MEAN or (
        kind is Reduction.LOGSUMEXP and not _never_empty(where)
    )
    mask = builder.part(where, "kept") if twice else builder.value(where)
    if mask.static:
        raise builder.refuse(where, "a where= that depends on parameters alone")
    if kind in (Reduction.VAR, Reduction.NORM):
        raise builder.refuse(expr, f"{kind.value} with where=")
    if kind is Reduction.SUM and body.static:
        return _count(builder, expr, body, mask)
    (masked, condition), layout = _masked(builder, expr, body, mask)
    dims = tuple(dim_of(layout, i) for i in expr.indices)
    total = Reduction.SUM if kind is Reduction.MEAN else kind
    tensor: Tensor = Reduced(total, masked, dims)
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
        tensor = Reduced(expr.kind, tensor, dims, order=order)
        layout = tuple(e for e in layout if e not in present)
    for index in absent:
        size = builder.extent(index.axis)
        match expr.kind:
            case Reduction.SUM:
                tensor = Apply("mul", (tensor, size), body.static)
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
        case Reduction.SUM | Reduction.MEAN:
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
    if not isinstance(expr.at, Index):
        base = builder.value(whole(expr))
        index = builder.value(expr.at)
        return take(builder, base, base.layout, expr.index, index)
    body = builder.value(expr.body)
    if body.partial:
        body = lower_switch.spread(builder, body, body.layout)
    if expr.index not in body.layout:
        raise builder.refuse(expr, f"{expr.kind.value} over an index its body lacks")
    dim = dim_of(body.layout, expr.index)
    tensor = body.tensor
    kind = expr.kind
    if kind is Keeper.SOFTMIN:
        tensor, kind = Apply("neg", (tensor,)), Keeper.SOFTMAX
    value = replace(body, tensor=Kept(kind, tensor, dim), weight=body.weight + 2)
    layout = tuple(expr.at if e == expr.index else e for e in body.layout)
    target = builder.axes.sort(layout)
    return replace(value, tensor=permute(value.tensor, layout, target), layout=target)
