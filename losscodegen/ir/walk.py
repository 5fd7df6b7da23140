"""Moving about in expressions: children, rebuilding, free indices, substitution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import is_
from typing import assert_never

from losscodegen.ir.loss import Definition, Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Number,
    Origin,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
    Use,
    remembered,
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct subexpressions, subscripts included, bound indices not."""
    if isinstance(expr, Call):  # most are
        return expr.args
    match expr:
        case Number() | Constant() | Index() | Size():
            return ()
        case Read(_, subscripts) | Use(_, subscripts):
            return subscripts
        case Select(condition, then, otherwise) | Switch(condition, then, otherwise):
            return (condition, then, otherwise)
        case Reduce(_, body, _, where, order):
            return (body, *(e for e in (where, order) if e is not None))
        case Keep(_, body, _, at):
            return (body, at)
        case _:
            assert_never(expr)


def rebuild(expr: Expr, new: tuple[Expr, ...]) -> Expr:
    """``expr`` with `children` replaced by ``new``, its origin kept; itself if nothing changed."""
    old = children(expr)
    assert len(old) == len(new)
    if all(map(is_, old, new)):
        return expr
    match expr:
        case Call(op):
            return Call(op, new, origin=expr.origin)
        case Number() | Constant() | Index() | Size():
            return expr
        case Read(name) | Use(name):
            return type(expr)(name, new, origin=expr.origin)
        case Select() | Switch():
            return type(expr)(new[0], new[1], new[2], origin=expr.origin)
        case Reduce(_, _, _, where, order):
            rest = iter(new[1:])
            return replace(
                expr,
                body=new[0],
                where=None if where is None else next(rest),
                order=None if order is None else next(rest),
            )
        case Keep():
            return replace(expr, body=new[0], at=new[1])
        case _:
            assert_never(expr)


def transform(expr: Expr, function: Callable[[Expr], Expr]) -> Expr:
    """``function`` applied to every node, children first; once to what is one object."""
    done: dict[int, Expr] = {}

    def visit(node: Expr) -> Expr:
        new = done.get(id(node))
        if new is None:
            new = function(rebuild(node, tuple(map(visit, children(node)))))
            done[id(node)] = new
        return new

    return visit(expr)


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node, the root first."""
    ahead = [expr]
    while ahead:
        node = ahead.pop()
        yield node
        ahead.extend(reversed(children(node)))


def with_origin(expr: Expr, origin: Origin) -> Expr:
    return replace(expr, origin=origin)


def bound_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that ``expr`` itself binds."""
    match expr:
        case Reduce(_, _, indices):
            return indices
        case Keep(_, _, index):
            return (index,)
        case _:
            return ()


@remembered
def free_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that ``expr`` depends on, in order of first appearance."""
    match expr:
        case Index():
            return (expr,)
        case Keep(_, body, index, at):
            found = (*_without(free_indices(body), (index,)), *free_indices(at))
        case _:
            below = tuple(i for c in children(expr) for i in free_indices(c))
            found = _without(below, bound_indices(expr))
    return tuple(dict.fromkeys(found))


def _without(indices: tuple[Index, ...], bound: tuple[Index, ...]) -> tuple[Index, ...]:
    return tuple(i for i in indices if i not in bound)


def substitute(expr: Expr, new: Mapping[Index, Expr]) -> Expr:
    """``expr`` with free indices replaced; bound ones are renamed where one would be captured."""
    if not new:
        return expr
    match expr:
        case Index():
            return new.get(expr, expr)
        case Reduce(_, body, indices, where, order):
            inner, renamed = _enter(indices, new, expr)
            return replace(
                expr,
                body=substitute(body, inner),
                indices=renamed,
                where=None if where is None else substitute(where, inner),
                order=None if order is None else substitute(order, inner),
            )
        case Keep(_, body, index, at):
            inner, renamed = _enter((index,), new, expr)
            return replace(
                expr,
                body=substitute(body, inner),
                index=renamed[0],
                at=substitute(at, new),
            )
        case _:
            return rebuild(expr, tuple(substitute(c, new) for c in children(expr)))


def _enter(
    bound: tuple[Index, ...], new: Mapping[Index, Expr], expr: Expr
) -> tuple[dict[Index, Expr], tuple[Index, ...]]:
    """The substitution to use below a binder, and the names its indices get there."""
    inner = {k: v for k, v in new.items() if k not in bound}
    taken = {i.name for v in inner.values() for i in free_indices(v)}
    if not taken & {i.name for i in bound}:
        return inner, bound
    used = taken | {n.name for n in walk(expr) if isinstance(n, Index)}
    renamed = []
    for index in bound:
        if index.name in taken:
            fresh = replace(index, name=fresh_name(index.name, used))
            used.add(fresh.name)
            inner[index] = fresh
            index = fresh
        renamed.append(index)
    return inner, tuple(renamed)


def rename_bound(expr: Expr, taken: set[str]) -> Expr:
    """``expr`` with every bound index renamed whose name is ``taken``."""
    expr = rebuild(expr, tuple(rename_bound(c, taken) for c in children(expr)))
    if isinstance(expr, Reduce | Keep):
        return rebind(expr, fresh_indices(bound_indices(expr), taken, expr))
    return expr


def rebind(expr: Reduce | Keep, renaming: Mapping[Index, Index]) -> Reduce | Keep:
    """``expr`` with the indices it binds renamed."""
    if not renaming:
        return expr
    body = substitute(expr.body, renaming)
    if isinstance(expr, Keep):
        return replace(expr, body=body, index=renaming.get(expr.index, expr.index))
    return replace(
        expr,
        body=body,
        indices=tuple(renaming.get(i, i) for i in expr.indices),
        where=None if expr.where is None else substitute(expr.where, renaming),
    )


def fresh_indices(
    indices: tuple[Index, ...], taken: set[str], expr: Expr
) -> dict[Index, Index]:
    """New names, unused in ``expr``, for those of ``indices`` whose name is ``taken``."""
    used = taken | index_names(expr)
    renaming: dict[Index, Index] = {}
    for index in indices:
        if index.name in taken:
            fresh = replace(index, name=fresh_name(index.name, used))
            used.add(fresh.name)
            renaming[index] = fresh
    return renaming


def index_names(*exprs: Expr) -> set[str]:
    """The names of all indices in ``exprs``, bound ones included."""
    nodes = [n for e in exprs for n in walk(e)]
    found = {n.name for n in nodes if isinstance(n, Index)}
    return found | {i.name for n in nodes for i in bound_indices(n)}


def fresh_name(stem: str, taken: set[str]) -> str:
    """``stem`` with the smallest number that makes it new; numbers count from 2."""
    number = 2
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def inline(expr: Expr, definitions: tuple[Definition, ...]) -> Expr:
    """``expr`` without uses of these definitions, which are hygienic macros.

    The root of an instance carries the definition's name, so that generated code can use it.
    """
    table = {d.name: d for d in definitions}

    def expand(node: Expr) -> Expr:
        if not isinstance(node, Use) or node.name not in table:
            return node
        definition = table[node.name]
        body = transform(definition.body, expand)
        body = replace(body, origin=replace(body.origin, name=definition.name))
        return substitute(
            body, dict(zip(definition.indices, node.subscripts, strict=True))
        )

    return transform(expr, expand)


def inline_loss(loss: Loss) -> Loss:
    """``loss`` with the definitions expanded everywhere and none left."""
    return replace(
        loss,
        expression=inline(loss.expression, loss.definitions),
        mean_weight=(
            None
            if loss.mean_weight is None
            else inline(loss.mean_weight, loss.definitions)
        ),
        require=tuple(inline(r, loss.definitions) for r in loss.require),
        definitions=(),
    )


def canonical(expr: Expr) -> Expr:
    """``expr`` with bound indices renamed by nesting depth: equal up to renaming means equal."""
    return _canonical(expr, {}, 0)


@remembered
def _binds(expr: Expr) -> bool:
    return bool(bound_indices(expr)) or any(map(_binds, children(expr)))


def _canonical(expr: Expr, names: Mapping[Index, Expr], depth: int) -> Expr:
    if not _binds(expr) and names.keys().isdisjoint(free_indices(expr)):
        return expr
    match expr:
        case Index():
            return names.get(expr, expr)
        case Reduce(_, body, indices, where, order):
            new = tuple(Index(f"#{depth + k}", i.axis) for k, i in enumerate(indices))
            inner = {**names, **dict(zip(indices, new, strict=True))}
            below = depth + len(indices)
            return replace(
                expr,
                body=_canonical(body, inner, below),
                indices=new,
                where=None if where is None else _canonical(where, inner, below),
                order=None if order is None else _canonical(order, inner, below),
            )
        case Keep(_, body, index, at):
            fresh = Index(f"#{depth}", index.axis)
            return replace(
                expr,
                body=_canonical(body, {**names, index: fresh}, depth + 1),
                index=fresh,
                at=_canonical(at, names, depth),
            )
        case _:
            return rebuild(
                expr, tuple(_canonical(c, names, depth) for c in children(expr))
            )
