"""Lowering of reads: whole tensors, fixed entries, diagonals, gathers at integer tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from losscodegen.compiler.layout import (
    BATCH,
    Batch,
    Layout,
    dim_at,
    permute,
    unsqueeze,
)
from losscodegen.compiler.parts import Part, offset
from losscodegen.compiler.tensor_nodes import (
    Diagonal,
    Gather,
    Item,
    Long,
    Lookup,
    Name,
    Roll,
    Slice,
    Squeeze,
    Tensor,
)
from losscodegen.compiler.value import Value
from losscodegen.errors import fail
from losscodegen.ir.loss import ELLIPSIS, DomainKind, Variable
from losscodegen.ir.nodes import Expr, Index, Keep, Number, Read

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder

INTEGERS = (DomainKind.INDEX,)


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
    tensor = _select_items(builder, _moved(builder, expr, name, entries), entries)
    value = Value(tensor, integer=integer)
    computed = [
        (k, e) for k, e in enumerate(entries) if not isinstance(e, Index | Batch)
    ]
    if computed:
        indices = {k: whole_subscript(builder, subscript) for k, subscript in computed}
        return _gather(builder, expr, value, entries, indices)
    tensor, layout = _diagonals(tensor, entries)
    target = builder.axes.sort(layout)
    return replace(
        value,
        tensor=permute(tensor, layout, target),
        layout=target,
        weight=0 if tensor is name and layout == target else 1,
    )


def whole_subscript(builder: Builder, subscript: Expr) -> Value:
    """A computed subscript, as integers: counts, for one, arrive as floating-point numbers."""
    value = builder.value(subscript)
    if value.integer:
        return value
    return replace(value, tensor=Long(value.tensor), integer=True)


def _moved(
    builder: Builder, expr: Read, tensor: Tensor, entries: list[Index | Batch | Expr]
) -> Tensor:
    """``tensor`` so that entry ``i + k`` stands at ``i``; in ``entries`` the ``k`` goes."""
    windows: list[tuple[int, int, int]] = []
    for position, entry in enumerate(entries):
        if isinstance(entry, Batch) or (found := offset(entry)) is None:
            continue
        index, shift = found
        dim = dim_at(tuple(entries), position)
        part = Part.of(index.axis)
        if part is not None:
            windows.append((dim, *_window(builder, expr, part, shift)))
        elif shift:
            tensor = Roll(tensor, dim, shift)
        entries[position] = index
    return Slice(tensor, tuple(windows)) if windows else tensor


def moved(builder: Builder, expr: Keep, value: Value) -> Value:
    """``value``, which has the whole axis of ``expr``, at the index that ``expr`` reads at."""
    found = offset(expr.at)
    assert found is not None
    index, shift = found
    dim = dim_at(value.layout, value.layout.index(expr.index))
    part = Part.of(index.axis)
    tensor = value.tensor
    if part is not None:
        tensor = Slice(tensor, ((dim, *_window(builder, expr, part, shift)),))
    elif shift:
        tensor = Roll(tensor, dim, shift)
    layout = tuple(index if e == expr.index else e for e in value.layout)
    target = builder.axes.sort(layout)
    return replace(value, tensor=permute(tensor, layout, target), layout=target)


def item(builder: Builder, expr: Keep, value: Value) -> Value:
    """``value``, which has the whole axis of ``expr``, at a place that is known beforehand."""
    dim = dim_at(value.layout, value.layout.index(expr.index))
    place = (
        int(expr.at.value)
        if isinstance(expr.at, Number)
        else builder.value(expr.at).tensor
    )
    layout = tuple(e for e in value.layout if e != expr.index)
    return replace(value, tensor=Item(value.tensor, dim, place), layout=layout)


def _window(
    builder: Builder, expr: Read | Keep, part: Part, shift: int
) -> tuple[int, int]:
    """How many entries to leave out in front and at the end."""
    last = part.first + part.last - shift
    if shift < 0 or last < 0:
        raise fail(
            "out-of-range",
            f"this reads beyond the {'start' if shift < 0 else 'end'} of axis {part.axis}",
            expr.origin.location,
            "let where= leave out the indices for which there is nothing to read",
        )
    return shift, last


def _select_items(
    builder: Builder, tensor: Tensor, entries: list[Index | Batch | Expr]
) -> Tensor:
    """Fixed entries taken out of a tensor and out of ``entries``."""
    for position in reversed(range(len(entries))):
        entry = entries[position]
        if isinstance(entry, Index | Batch) or not builder.static(entry):
            continue
        dim = dim_at(tuple(entries), position)
        if isinstance(entry, Number):
            tensor = Item(tensor, dim, int(entry.value))
        else:
            tensor = Item(tensor, dim, builder.value(entry).tensor)
        del entries[position]
    return tensor


def _diagonals(
    tensor: Tensor, entries: list[Index | Batch | Expr]
) -> tuple[Tensor, Layout]:
    """Repeated indices turned into diagonals."""
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
    computed: dict[int, Value],
) -> Value:
    """``x[b, t]``: some subscripts are integer tensors."""
    plain = [e for e in entries if isinstance(e, Index | Batch)]
    if len(computed) > 1 or len(set(plain)) < len(plain):
        return _picked(builder, expr, base, entries, computed)
    ((position, index),) = computed.items()
    if position == 0 and BATCH not in plain:
        layout: Layout = (*index.layout, *plain)
        if len(set(layout)) == len(layout):
            target = builder.axes.sort(layout)
            lookup = Lookup(base.tensor, (index.tensor,))
            return replace(
                base,
                tensor=permute(lookup, layout, target),
                layout=target,
                weight=1 + index.weight,
                guards=index.guards,
            )
    own = Index("#gathered", builder.loss.variable(expr.name).subscripted_axes[0])
    layout = (*plain[:position], own, *plain[position:])
    return take(builder, expr, base, layout, own, index)


def _picked(
    builder: Builder,
    expr: Read | Keep,
    base: Value,
    entries: Sequence[Index | Batch | Expr],
    computed: dict[int, Value],
) -> Value:
    """A read with an integer tensor for every dim, which all broadcast against each other."""
    values: list[Value] = []
    for position, entry in enumerate(entries):
        if position in computed:
            values.append(computed[position])
        elif isinstance(entry, Index):
            values.append(builder.value(entry))
        else:
            raise builder.refuse(
                expr, "a read with several computed subscripts beside elementwise dims"
            )
    indices, layout = builder.combine(values)
    return replace(
        base,
        tensor=Lookup(base.tensor, tuple(indices)),
        layout=layout,
        weight=2 + base.weight + sum(v.weight for v in values),
        guards=tuple(
            dict.fromkeys((*base.guards, *(g for v in values for g in v.guards)))
        ),
    )


def take(
    builder: Builder,
    expr: Read | Keep,
    base: Value,
    layout: Layout,
    own: Index,
    index: Value,
) -> Value:
    """The entries of ``base`` along its index ``own`` at the integer tensor ``index``."""
    rest = tuple(e for e in layout if e != own)
    extra = tuple(e for e in index.layout if e not in rest)
    position = layout.index(own)
    dim = dim_at(layout, position)
    if len(extra) > 1:
        return _picked(builder, expr, base, layout, {position: index})
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
