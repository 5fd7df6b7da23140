"""Harmless numbers in place of what a dropped branch must not compute with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product

from losscodegen.compiler.degrees import degree
from losscodegen.compiler.ranges import Ranges
from losscodegen.ir.build import ONE, ZERO, number
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Guard,
    Index,
    Number,
    Origin,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
)
from losscodegen.ir.walk import (
    bound_indices,
    children,
    free_indices,
    rebuild,
    walk,
)

DEAD_BRANCH = Guard(
    rule="dead-branch",
    why="A branch that is not taken still gets the gradient 0, and 0 times an infinite derivative "
    "is nan. There it is computed at a harmless point instead.",
)

_SAFE = (number(0, "0"), number(1, "1"), number(2, "2"), number(Fraction(1, 2), "0.5"))


def missing(branch: Expr, dead: Ranges) -> tuple[Expr, ...]:
    """The reads in ``branch`` that are NaN where it is dead: nothing may touch them."""
    found = {
        node: None
        for node in walk(branch)
        if isinstance(node, Read) and dead.proves(Call("isnan", (node,)))
    }
    return tuple(found)


def assignments(count: int) -> Iterator[tuple[Expr, ...]]:
    """Harmless values to try: the same for all first."""
    for value in _SAFE:
        yield (value,) * count
    if count == 2:
        yield from product(_SAFE, repeat=count)


def may_divide_by_zero(expr: Expr, part: Expr, ranges: Ranges) -> bool:
    """Whether ``part`` is what ``expr`` divides by, and not known to differ from 0."""
    divides = isinstance(expr, Call) and expr.op == "div" and part is expr.args[1]
    return divides and not ranges.proves(Call("ne", (part, number(0))))


def may_be_infinite(expr: Expr, ranges: Ranges, free: frozenset[str]) -> bool:
    """Whether ``expr`` may overflow for inputs of ordinary size, or is a logarithm of 0."""
    if degree(expr, ranges, free.__contains__) > 1:
        return True
    for node in walk(expr):
        match node:
            case Call("log", (argument,)) if ranges.of(argument).low == 0:
                if not ranges.of(argument).low_open:
                    return True
            case _:
                pass
    return False


def substituted(
    branch: Expr,
    table: dict[Expr, Expr],
    condition: Expr,
    taken: frozenset[Index],
    *,
    kept: bool,
    parts: Mapping[Expr, Expr] | None = None,
) -> Expr:
    """``branch`` with the values of ``table`` where it is dropped.

    ``parts`` says what stands for an entry of the table where it is kept, if not the entry itself.
    """
    new: dict[Expr, Expr] = {}
    for node, value in table.items():
        name = node.origin.name
        if name is None and isinstance(node, Read) and node.name.isidentifier():
            name = node.name
        origin = Origin(
            location=node.origin.location,
            name=None if name is None else f"safe_{name.removeprefix('safe_')}",
            guard=DEAD_BRANCH,
        )
        used = (parts or {}).get(node, node)
        if isinstance(used, Select) and used.condition == condition:
            used = used.then if kept else used.otherwise
        sides = (used, value) if kept else (value, used)
        new[node] = Select(condition, *sides, origin=origin)
    return replaced(branch, new, taken)


def replaced(expr: Expr, table: Mapping[Expr, Expr], taken: frozenset[Index]) -> Expr:
    """``expr`` with whole subexpressions exchanged, in conditions too; subscripts stay.

    Below a binder of an index of ``taken`` nothing is exchanged. What was one object stays one.
    """
    done: dict[int, Expr] = {}

    def visit(node: Expr) -> Expr:
        new = done.get(id(node))
        if new is None:
            new = done[id(node)] = exchanged(node)
        return new

    def exchanged(node: Expr) -> Expr:
        if node in table:
            return table[node]
        if isinstance(node, Read) or taken.intersection(bound_indices(node)):
            return node
        return rebuild(node, tuple(map(visit, children(node))))

    return visit(expr)


def used_elsewhere(
    branch: Expr, condition: Expr, positions: Mapping[str, str]
) -> tuple[Expr, ...]:
    """The parts of ``branch`` that a condition on places drops here and keeps there.

    ``where=i != j`` drops pairs. What depends on ``j`` alone belongs to other pairs as well: it has
    to be right anyway, and there is nothing to guard it from. The same goes for what lacks ``c`` in
    ``c == t[b]``, if ``positions`` says that ``t`` holds places of that axis.
    """
    match condition:
        case Call("eq", (Index() as index, Read(name) as place)) | Call(
            "eq", (Read(name) as place, Index() as index)
        ) if positions.get(name) == index.axis and index not in free_indices(place):
            needed = {index}
        case _ if all(
            isinstance(n, Index | Size | Number | Call) for n in walk(condition)
        ):
            needed = set(free_indices(condition))
        case _:
            needed = set()
    return tuple(dict.fromkeys(_without(branch, needed))) if needed else ()


def _without(expr: Expr, indices: set[Index]) -> Iterator[Expr]:
    """The largest computed parts of ``expr`` that lack one of ``indices``."""
    leaf = isinstance(expr, Read) or not children(expr)
    if leaf or indices.intersection(bound_indices(expr)):
        return
    if not indices <= {*free_indices(expr)}:
        yield expr
        return
    for child in children(expr):
        yield from _without(child, indices)


def kept_anywhere(condition: Expr, part: Expr) -> Expr:
    """Whether ``condition`` holds beside ``part`` for any of the indices that the part lacks."""
    present = free_indices(part)
    lacks = tuple(i for i in free_indices(condition) if i not in present)
    count = Reduce(Reduction.SUM, ONE, lacks, condition)
    return Call("gt", (count, ZERO))


def place(position: int) -> Read:
    """What stands for a subexpression while a number is sought for it."""
    return Read(f"#{position}")
