"""Definitions found again in an expression that was derived from inlined ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from losscodegen.ir.loss import Definition, Loss, Role
from losscodegen.ir.nodes import Call, Expr, Index, Keep, Read, Reduce, Use
from losscodegen.ir.walk import (
    bound_indices,
    children,
    free_indices,
    fresh_indices,
    rebind,
    rebuild,
    transform,
    walk,
)

_RESIDUAL = "r"


def fold(expr: Expr, definitions: tuple[Definition, ...]) -> Expr:
    """``expr`` with every instance of a definition written as its use.

    Definitions are taken in their order, so that one that uses another is recognised too.
    """
    for definition in definitions:
        if len(tuple(walk(definition.body))) > 1:
            expr = transform(expr, partial(_folded, definition))
    return expr


def _folded(definition: Definition, node: Expr) -> Expr:
    found = unify(definition.body, node, definition.indices)
    if found is None:
        return node
    return Use(definition.name, tuple(found[i] for i in definition.indices))


def unshadowed(expr: Expr, outside: tuple[Index, ...]) -> Expr:
    """``expr`` with no sum over an index whose name is in use around it."""
    if isinstance(expr, Reduce):
        names = {i.name for i in outside}
        renamed = rebind(expr, fresh_indices(expr.indices, names, expr))
        assert isinstance(renamed, Reduce)
        expr, outside = renamed, (*outside, *renamed.indices)
    return rebuild(expr, tuple(unshadowed(c, outside) for c in children(expr)))


def unify(
    pattern: Expr, expr: Expr, variables: tuple[Index, ...]
) -> dict[Index, Expr] | None:
    """What the index ``variables`` of ``pattern`` stand for in ``expr``; None if it is no instance.

    Every variable has to occur: an instance that does not say what one of them is, is none.
    """
    found: dict[Index, Expr] = {}
    if not _unify(pattern, expr, set(variables), {}, found):
        return None
    return found if set(found) == set(variables) else None


def _unify(
    pattern: Expr,
    expr: Expr,
    variables: set[Index],
    bound: dict[Index, Index],
    found: dict[Index, Expr],
) -> bool:
    if isinstance(pattern, Index):
        if pattern in bound:
            return bound[pattern] == expr
        if pattern in variables:
            # A bound index of the instance means nothing outside of it.
            if not set(bound.values()).isdisjoint(free_indices(expr)):
                return False
            return found.setdefault(pattern, expr) == expr
        return pattern == expr
    if type(pattern) is not type(expr):
        return False
    if isinstance(pattern, Reduce | Keep):
        return _unify_binder(pattern, expr, variables, bound, found)
    mine, theirs = children(pattern), children(expr)
    if not mine:
        return pattern == expr
    if len(mine) != len(theirs) or _head(pattern) != _head(expr):
        return False
    return all(
        _unify(a, b, variables, bound, found) for a, b in zip(mine, theirs, strict=True)
    )


def _unify_binder(
    pattern: Reduce | Keep,
    expr: Expr,
    variables: set[Index],
    bound: dict[Index, Index],
    found: dict[Index, Expr],
) -> bool:
    mine, theirs = bound_indices(pattern), bound_indices(expr)
    if not isinstance(expr, Reduce | Keep) or pattern.kind is not expr.kind:
        return False
    if [i.axis for i in mine] != [i.axis for i in theirs]:
        return False
    inner = bound | dict(zip(mine, theirs, strict=True))
    if isinstance(pattern, Keep) and isinstance(expr, Keep):
        return _unify(
            pattern.body, expr.body, variables - set(mine), inner, found
        ) and _unify(pattern.at, expr.at, variables, bound, found)
    left, right = children(pattern), children(expr)
    if isinstance(pattern, Reduce) and isinstance(expr, Reduce):
        shape = (pattern.where is None, pattern.order is None)
        if shape != (expr.where is None, expr.order is None):
            return False
    return all(
        _unify(a, b, variables - set(mine), inner, found)
        for a, b in zip(left, right, strict=True)
    )


def _head(expr: Expr) -> object:
    match expr:
        case Call(op, _):
            return op
        case Read(name, _) | Use(name, _):
            return name
        case _:
            return type(expr)


def residual(loss: Loss) -> Loss:
    """``loss`` in terms of r = x - y, if it is one of the difference of its two inputs.

    Only if every read of both is in that difference, more than once, and no name is r already.
    """
    if len(loss.inputs) < 2 or _RESIDUAL in _names(loss):
        return loss
    first, second = loss.inputs[:2]
    exprs = (loss.expression, *(d.body for d in loss.definitions))
    found = [
        n for e in exprs for n in walk(e) if _is_difference(n, first.name, second.name)
    ]
    reads = [
        n
        for e in exprs
        for n in walk(e)
        if isinstance(n, Read) and n.name in (first.name, second.name)
    ]
    if len(found) < 2 or len(set(found)) != 1 or len(reads) != 2 * len(found):
        return loss
    difference = found[0]
    indices = free_indices(difference)
    if any(
        not isinstance(s, Index) for r in children(difference) for s in _subscripts(r)
    ):
        return loss
    definition = Definition(name=_RESIDUAL, indices=indices, body=difference)
    use = Use(_RESIDUAL, indices)

    def rewritten(expr: Expr) -> Expr:
        return transform(expr, lambda n: use if n == difference else n)

    return replace(
        loss,
        expression=rewritten(loss.expression),
        definitions=(
            definition,
            *(replace(d, body=rewritten(d.body)) for d in loss.definitions),
        ),
    )


def _is_difference(node: Expr, first: str, second: str) -> bool:
    match node:
        case Call("add", (Read(a), Call("neg", (Read(b),)))):
            return {a, b} == {first, second}
        case _:
            return False


def _subscripts(side: Expr) -> tuple[Expr, ...]:
    inner = side.args[0] if isinstance(side, Call) else side
    return inner.subscripts if isinstance(inner, Read) else ()


def _names(loss: Loss) -> set[str]:
    names = {v.name for v in loss.variables} | {d.name for d in loss.definitions}
    names |= {i.name for i in loss.indices} | {
        a.lower() for v in loss.variables for a in v.axes
    }
    return names | {v.name for v in loss.variables if v.role is Role.LEARNABLE}
