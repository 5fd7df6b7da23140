"""Lowering of risk sets: reductions over all ``j`` with ``key[j] >= key[i]``.

As a mask they take a tensor of all pairs. Sorted by the key they are running reductions, as long as
what is reduced depends on ``j`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from losscodegen.compiler.canonical import from_terms, terms
from losscodegen.compiler.tensor_nodes import Apply, Helped, Name, Tensor
from losscodegen.compiler.value import Value
from losscodegen.ir.build import ZERO
from losscodegen.ir.nodes import Call, Expr, Index, Read, Reduce, Reduction
from losscodegen.ir.walk import free_indices

if TYPE_CHECKING:
    from losscodegen.compiler.builder import Builder


@dataclass(frozen=True, slots=True)
class _Set:
    """All ``j`` whose ``key`` is no smaller than that of ``i``, or all others of them."""

    i: Index
    key: str
    falling: bool
    """Whether it is no larger instead."""
    others: bool


def largest(builder: Builder, expr: Expr) -> Value | None:
    """``detach(amax(x[j], j, where=key[j] >= key[i]))``; None for anything else.

    Without detach it would matter that a running maximum hands the gradient to one of several
    largest entries, and amax to all.
    """
    match expr:
        case Call("detach", (Reduce(Reduction.AMAX, body, (j,), where),)):
            found = _set(where, j)
        case _:
            return None
    if found is None or found.others or {*free_indices(body)} != {j}:
        return None
    return _value(builder, found, "later_amax", (body,), (j,))


def logsumexp(builder: Builder, expr: Reduce) -> Value | None:
    """``logsumexp(x[j] - y[i], j, where=key[j] >= key[i])``, perhaps ``and j != i``."""
    if expr.kind is not Reduction.LOGSUMEXP or len(expr.indices) != 1:
        return None
    (j,) = expr.indices
    found = _set(expr.where, j)
    if found is None:
        return None
    parts = terms(expr.body)
    inside = [t for t in parts if j in free_indices(t.body)]
    outside = [t for t in parts if j not in free_indices(t.body)]
    x = from_terms(inside)
    shift = from_terms(replace(t, coefficient=-t.coefficient) for t in outside)
    if {*free_indices(x)} != {j} or {*free_indices(shift)} - {found.i}:
        return None
    function = "later_logsumexp_of_others" if found.others else "later_logsumexp"
    return _value(builder, found, function, (x, shift), (j, found.i))


def _set(where: Expr | None, j: Index) -> _Set | None:
    match where:
        case Call("and", args):
            conditions: tuple[Expr | None, ...] = args
        case _:
            conditions = (where,)
    key: tuple[str, Index, bool] | None = None
    distinct: Index | None = None
    for condition in conditions:
        match condition:
            case Call("ne", (Index() as one, Index() as other)) if j in (one, other):
                distinct = other if one == j else one
            case Call(
                "ge" | "le" as op,
                (Read(name, (Index() as one,)), Read(other_name, (Index() as other,))),
            ) if (
                name == other_name and key is None and j in (one, other)
            ):
                # `key[j] >= key[i]` and `key[i] <= key[j]` say the same.
                i, first = (other, True) if one == j else (one, False)
                key = name, i, (op == "le") == first
            case _:
                return None
    if key is None or key[1] == j or key[1].axis != j.axis:
        return None
    if distinct is not None and distinct != key[1]:
        return None
    return _Set(key[1], key[0], key[2], distinct is not None)


def _value(
    builder: Builder,
    found: _Set,
    function: str,
    operands: tuple[Expr, ...],
    indices: tuple[Index, ...],
) -> Value | None:
    key: Tensor = Name(builder.loss.variable(found.key).arg)
    if found.falling:
        key = Apply("neg", (key,))
    made = []
    for operand, index in zip(operands, indices, strict=True):
        value = builder.whole(builder.value(operand))
        if value.layout not in ((index,), ()) or (value.integer and operand != ZERO):
            return None
        made.append(value)
    x, *shifts = made
    if x.layout != indices[:1]:
        return None
    tensors = [x.tensor, key, *(builder.filled(s).tensor for s in shifts)]
    return Value(
        Helped(function, tuple(tensors)),
        (found.i,),
        weight=2 + sum(v.weight for v in made),
        guards=tuple(dict.fromkeys(g for v in made for g in v.guards)),
    )
