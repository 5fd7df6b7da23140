"""Derivatives as sums of ``coefficient * [subscript = wanted subscript]``.

The derivative of ``x[b, c]`` by ``x[b0, c0]`` is a product of Kronecker deltas. They are kept
beside the coefficients, so that a sum over a subscript collapses to one term instead of being
carried along, and so that an elementwise loss never sees one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from losscodegen.compiler.conditions import Condition, both, number_of
from losscodegen.compiler.tidy import (
    chosen,
    product,
    split,
    summed,
    total,
)
from losscodegen.ir.build import ONE, ZERO, call
from losscodegen.ir.nodes import Call, Expr, Index, Number, Read, Size
from losscodegen.ir.walk import free_indices, rebuild, substitute, transform, walk


@dataclass(frozen=True, slots=True)
class Place:
    """Where a term counts.

    ``entries`` has, per subscript of the wanted element, what must equal it (None where it
    does); ``where`` is a condition besides.
    """

    entries: tuple[Expr | None, ...]
    where: Condition = True

    def condition(self, wanted: tuple[Expr, ...]) -> Condition:
        equations = [
            call("eq", e, w)
            for e, w in zip(self.entries, wanted, strict=True)
            if e is not None
        ]
        return both(self.where, *equations)


@dataclass(frozen=True, slots=True)
class _Group:
    """``factor * sum(coefficient * [place])``."""

    factor: Expr
    terms: tuple[tuple[Place, Expr], ...]

    def spread(self) -> tuple[tuple[Place, Expr], ...]:
        return tuple((p, product(self.factor, c)) for p, c in self.terms)


@dataclass(frozen=True, slots=True)
class Derivative:
    """A sum of groups; none at all is zero."""

    groups: tuple[_Group, ...] = ()

    @classmethod
    def of_terms(cls, terms: Iterable[tuple[Place, Expr]]) -> Derivative:
        merged: dict[Place, list[Expr]] = {}
        for place, coefficient in terms:
            if place.where is not False:
                merged.setdefault(place, []).append(coefficient)
        kept = [(p, total(*cs)) for p, cs in merged.items()]
        kept = [(p, c) for p, c in kept if c != ZERO]
        return cls((_Group(ONE, tuple(kept)),)) if kept else cls()

    def __add__(self, other: Derivative) -> Derivative:
        groups = list(self.groups)
        for group in other.groups:
            for k, mine in enumerate(groups):
                merged = _merged(mine, group)
                if merged is not None:
                    groups[k : k + 1] = merged.groups
                    break
            else:
                groups.append(group)
        return Derivative(tuple(groups))

    def times(self, factor: Expr) -> Derivative:
        groups = tuple(_Group(product(factor, g.factor), g.terms) for g in self.groups)
        return Derivative(tuple(g for g in groups if g.factor != ZERO))

    def spread(self) -> tuple[tuple[Place, Expr], ...]:
        """All terms, the factors multiplied in, each place once."""
        merged = Derivative.of_terms(t for g in self.groups for t in g.spread())
        return merged.groups[0].terms if merged.groups else ()

    def expression(self, wanted: tuple[Expr, ...]) -> Expr:
        parts = []
        for group in self.groups:
            inner = (chosen(p.condition(wanted), c, ZERO) for p, c in group.terms)
            parts.append(product(group.factor, total(*inner)))
        return total(*parts)


def _merged(first: _Group, second: _Group) -> Derivative | None:
    """The sum as one group, if it can be one without multiplying anything out."""
    a, core = split(first.factor)
    b, other = split(second.factor)
    if core == other:
        ours = ((p, product(Number(a), c)) for p, c in first.terms)
        theirs = ((p, product(Number(b), c)) for p, c in second.terms)
        return Derivative.of_terms((*ours, *theirs)).times(core)
    places = {p for p, _ in (*first.terms, *second.terms)}
    if len(places) == 1:
        return Derivative.of_terms((*first.spread(), *second.spread()))
    return None


def sum_over(
    inner: Derivative,
    wanted: tuple[Expr, ...],
    indices: tuple[Index, ...],
    where: Condition,
) -> Derivative:
    """The sum over ``indices`` where ``where``: a delta in one of them picks one element."""
    result = Derivative()
    for group in inner.groups:
        inside = not set(free_indices(group.factor)).isdisjoint(indices)
        terms = group.spread() if inside else group.terms
        collapsed = Derivative.of_terms(
            _collapse(p, c, wanted, indices, where) for p, c in terms
        )
        result += collapsed if inside else collapsed.times(group.factor)
    return result


def _collapse(
    place: Place,
    coefficient: Expr,
    wanted: tuple[Expr, ...],
    indices: tuple[Index, ...],
    where: Condition,
) -> tuple[Place, Expr]:
    """The sum of one term, and the place that is left."""
    left = list(indices)
    condition = both(where, place.where)
    entries = list(place.entries)
    for k, target in enumerate(wanted):
        entry = entries[k]
        solved = None if entry is None else _solve(entry, target, left)
        if solved is None:
            continue
        index, value, in_range = solved
        left.remove(index)
        new = {index: value}
        shifted = not isinstance(value, Index)
        coefficient = _replaced(coefficient, new, shifted)
        if not isinstance(condition, bool):
            condition = both(_replaced(condition, new, shifted))
        condition = both(condition, in_range)
        moved = [None if e is None else _replaced(e, new, shifted) for e in entries]
        moved[k] = None
        entries = [None if e == w else e for e, w in zip(moved, wanted, strict=True)]
    # A delta that still moves with the sum belongs to it, as a condition on its range.
    for k, entry in enumerate(entries):
        if entry is not None and not set(left).isdisjoint(free_indices(entry)):
            condition = both(condition, call("eq", entry, wanted[k]))
            entries[k] = None
    if left:
        return Place(tuple(entries)), summed(coefficient, tuple(left), condition)
    return Place(tuple(entries), condition), coefficient


def _solve(
    entry: Expr, wanted: Expr, indices: list[Index]
) -> tuple[Index, Expr, Condition] | None:
    """The index that ``entry = wanted`` determines, its value, and whether that is in range."""
    match entry:
        case Index() if entry in indices:
            return entry, wanted, True
        case Call("add", (Index() as index, step)) if index in indices:
            shift = number_of(step)
            if shift is None:
                return None
            value = total(wanted, Number(-shift))
            if shift > 0:
                return index, value, call("ge", wanted, Number(shift))
            return index, value, call("lt", value, Size(index.axis))
        case _:
            return None


def _replaced(expr: Expr, new: Mapping[Index, Expr], shifted: bool) -> Expr:
    expr = substitute(expr, new)
    return transform(expr, _settled) if shifted else expr


def _settled(node: Expr) -> Expr:
    """``i - 1 + 1`` as ``i``, in subscripts and in comparisons of indices."""
    match node:
        case Read(_, subscripts):
            return rebuild(node, tuple(map(_offset, subscripts)))
        case Call("eq" | "ne" | "lt" | "le" | "gt" | "ge", args):
            return rebuild(node, tuple(map(_offset, args)))
        case _:
            return node


def _offset(expr: Expr) -> Expr:
    plain = all(isinstance(n, Index | Size | Number | Call) for n in walk(expr))
    return total(expr) if plain else expr
