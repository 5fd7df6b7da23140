"""What a formula says although nobody can mean it: reads beyond an axis, optional summands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product

from losscodegen.errors import Diagnostic
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import children, inline, walk

_SMALL = 5
"""Entries of an axis that the indices are tried on, and how many beyond the numbers in use."""
_LARGEST = 20

_RELATIONS = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}

Where = tuple[Expr, ...]
"""The conditions under which a part of a formula counts."""


def nonsense(loss: Loss) -> Iterator[Diagnostic]:
    """Everything of the kind in the formulas of ``loss``, each place once."""
    roots = [loss.expression, *loss.require]
    if loss.mean_weight is not None:
        roots.append(loss.mean_weight)
    seen: set[object] = set()
    for root in roots:
        inlined = inline(root, loss.definitions)
        for found in (*_outside(inlined, loss), *_summands(inlined, loss)):
            if found.location not in seen:
                seen.add(found.location)
                yield found


# ---------------------------------------------------------------------- reads beyond an axis


def _outside(root: Expr, loss: Loss) -> Iterator[Diagnostic]:
    """``x[b,t+1]`` where nothing leaves out the last ``t``."""
    for node, conditions in _under(root, ()):
        for axis, subscript in _subscripts(node, loss):
            found = _shift(subscript)
            if found is None:
                continue
            index, distance = found
            if _reaches(axis, index, distance, conditions):
                end = (
                    f"{index.name} = {axis} - 1"
                    if distance > 0
                    else f"{index.name} = 0"
                )
                bound = (
                    f"{index.name} < {axis} - {distance}"
                    if distance > 0
                    else f"{index.name} >= {-distance}"
                )
                yield Diagnostic(
                    "out-of-range",
                    f"at {end} this reads beyond the "
                    f"{'end' if distance > 0 else 'start'} of axis {axis}",
                    node.origin.location,
                    f"leave that out with where={bound}, or choose with where({bound}, ...)",
                )


def _under(expr: Expr, conditions: Where) -> Iterator[tuple[Expr, Where]]:
    """Every node of ``expr`` with the conditions that hold wherever it counts."""
    yield expr, conditions
    match expr:
        case Select(condition, then, otherwise):
            yield from _under(condition, conditions)
            yield from _under(then, (*conditions, condition))
            yield from _under(otherwise, (*conditions, Call("not", (condition,))))
        case Reduce(body=body, where=where) if where is not None:
            yield from _under(body, (*conditions, where))
            for part in children(expr):
                if part is not body:
                    yield from _under(part, conditions)
        case Call("and", args):
            for k, part in enumerate(args):
                yield from _under(part, (*conditions, *args[:k], *args[k + 1 :]))
        case Call("mul", args):
            # A factor of 0 or 1 is a mask that somebody wrote as a product.
            masks = [_mask(a) for a in args]
            for k, part in enumerate(args):
                others = (m for j, m in enumerate(masks) if m is not None and j != k)
                yield from _under(part, (*conditions, *others))
        case _:
            for child in children(expr):
                yield from _under(child, conditions)


def _mask(factor: Expr) -> Expr | None:
    match factor:
        case Select(condition, _, Number(value)) if value == 0:
            return condition
        case Select(condition, Number(value), _) if value == 0:
            return Call("not", (condition,))
        case _:
            return None


def _subscripts(node: Expr, loss: Loss) -> Iterable[tuple[str, Expr]]:
    match node:
        case Read(name, subscripts) if subscripts:
            axes = loss.variable(name).subscripted_axes
            return zip(axes, subscripts, strict=True)
        case Keep(index=index, at=at):
            return ((index.axis, at),)
        case _:
            return ()


def _shift(subscript: Expr) -> tuple[Index, int] | None:
    """The index and the distance of ``t + 1``, where there is one."""
    match subscript:
        case Call("add", (Index() as index, rest)) | Call(
            "add", (rest, Index() as index)
        ):
            distance = _number(rest, {}, {})
            if distance and distance.denominator == 1:
                return index, int(distance)
    return None


def _reaches(axis: str, index: Index, distance: int, conditions: Where) -> bool:
    """Whether some entry counts for certain at which ``index + distance`` is outside.

    Tried on a small axis, with every combination of the indices that the conditions compare. A
    condition on anything else may or may not hold, and nothing is certain below it.
    """
    nodes = [n for c in conditions for n in walk(c)]
    indices = list(dict.fromkeys([index, *(n for n in nodes if isinstance(n, Index))]))
    largest = max(
        (abs(n.value) for n in nodes if isinstance(n, Number)), default=Fraction(0)
    )
    size = _SMALL + abs(distance) + int(largest)
    if size > _LARGEST or len(indices) > 3:
        return False
    axes = {
        axis,
        *(i.axis for i in indices),
        *(n.axis for n in nodes if isinstance(n, Size)),
    }
    sizes = {a: int(a) if a.isdigit() else size for a in axes}
    for entries in product(*(range(sizes[i.axis]) for i in indices)):
        at = dict(zip(indices, entries, strict=True))
        if 0 <= at[index] + distance < sizes[axis]:
            continue
        if all(_holds(c, at, sizes) for c in conditions):
            return True
    return False


def _holds(
    condition: Expr, at: Mapping[Index, int], sizes: Mapping[str, int]
) -> bool | None:
    """Whether it holds; None where that depends on more than indices and sizes."""
    match condition:
        case Call("not", (inner,)):
            known = _holds(inner, at, sizes)
            return None if known is None else not known
        case Call("and" | "or" as op, args):
            decisive = op == "or"
            sides = [_holds(a, at, sizes) for a in args]
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
        case Call(op, (left, right)) if op in _RELATIONS:
            one, other = _number(left, at, sizes), _number(right, at, sizes)
            if one is None or other is None:
                return None
            return bool(_RELATIONS[op](one, other))
        case _:
            return None


def _number(
    expr: Expr, at: Mapping[Index, int], sizes: Mapping[str, int]
) -> Fraction | None:
    match expr:
        case Number(value):
            return value
        case Index():
            found = at.get(expr)
            return None if found is None else Fraction(found)
        case Size(axis):
            return Fraction(sizes[axis]) if axis in sizes else None
        case Call("neg" | "add" | "mul" | "abs" as op, args):
            values = [_number(a, at, sizes) for a in args]
            known = [v for v in values if v is not None]
            if len(known) < len(values):
                return None
            if op == "neg":
                return -known[0]
            if op == "abs":
                return abs(known[0])
            total = Fraction(op == "mul")
            for value in known:
                total = total * value if op == "mul" else total + value
            return total
        case _:
            return None


# ---------------------------------------------------------------------- optional summands


def _summands(root: Expr, loss: Loss) -> Iterator[Diagnostic]:
    """``x + b`` where ``b`` may be left out: it would count as 1, which nobody means."""
    optional = {v.name for v in loss.variables if v.optional}
    if not optional:
        return
    for node in walk(root):
        if not isinstance(node, Call) or node.op != "add":
            continue
        for term in node.args:
            for read in _ends(term):
                if read.name in optional:
                    yield Diagnostic(
                        "optional-summand",
                        f"'{read.name}' may be left out and would then add 1: "
                        "what is left out is the factor 1",
                        read.origin.location,
                        "multiply by it, or leave out '= none' and pass zeros for nothing",
                    )


def _ends(term: Expr) -> Iterator[Read]:
    """What may be the whole of ``term``."""
    match term:
        case Read():
            yield term
        case Call("neg" | "detach", (inner,)):
            yield from _ends(inner)
        case Select(_, then, otherwise) | Switch(_, then, otherwise):
            yield from _ends(then)
            yield from _ends(otherwise)
        case _:
            return
