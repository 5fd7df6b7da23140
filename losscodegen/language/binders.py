"""Calls that bind indices: binders, where the index disappears, and keepers, where it stays."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from losscodegen.ir.build import ONE, add, number, sub
from losscodegen.ir.nodes import (
    Expr,
    Index,
    Keep,
    Keeper,
    Number,
    Reduce,
    Reduction,
    Size,
)
from losscodegen.ir.walk import free_indices
from losscodegen.language import symbols
from losscodegen.language.arguments import named_arguments, positional_arguments
from losscodegen.language.names import closest

if TYPE_CHECKING:
    from losscodegen.language.reader import Reader

_TWO = Number(Fraction(2), "2")


def _index(reader: Reader, node: ast.expr) -> Index | None:
    """The index that ``node`` names."""
    if isinstance(node, ast.Tuple):
        return _limits(reader, node)
    scope, hint = reader.scope, None
    if isinstance(node, ast.Name):
        name = node.id
        if name in scope.broken:
            return None
        if name in scope.indices:
            return Index(name, scope.indices[name], origin=reader.origin(node))
        own = [index for index, axis in scope.indices.items() if axis == name]
        if own:
            hint = f"axis {name} has the index {own[0]}"
        elif name not in scope.variables and name not in scope.definitions:
            hint = closest(name, scope.indices)
    else:
        hint = "conditions are given as where=" if _compares(node) else None
    reader.problem("not-an-index", f"{reader.quote(node)} is no index", node, hint)
    return None


def _compares(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare | ast.BoolOp)


def _limits(reader: Reader, node: ast.Tuple) -> Index | None:
    """SymPy's ``(c, 0, C - 1)``, which must be the whole axis."""
    if len(node.elts) != 3:
        message = f"expected an index or (index, 0, size - 1), got {reader.quote(node)}"
        reader.problem("limits", message, node)
        return None
    index = _index(reader, node.elts[0])
    if index is None:
        return None
    known = reader.scope.axes.get(index.axis)
    size = None if known is None else known.size
    lower, upper = reader.real(node.elts[1]), reader.real(node.elts[2])
    last: tuple[Expr, ...]
    if size is None:
        count, end = Size(index.axis), f"{index.axis} - 1"
        last = (sub(count, ONE), add(number(-1), count))
    else:
        end = str(size - 1)
        last = (number(size - 1),)
    wanted: tuple[tuple[ast.expr, Expr, tuple[Expr, ...], str], ...] = (
        (node.elts[1], lower, (number(0),), "0"),
        (node.elts[2], upper, last, end),
    )
    for place, got, right, text in wanted:
        if got not in right and got is not reader.placeholder:
            reader.problem(
                "limits",
                f"expected the limit {text}, got {reader.quote(place)}: "
                "the whole axis is meant",
                place,
                hint=f"write a part of the axis with where=, as in where={index.name} > 0",
            )
    return index


def _indices(reader: Reader, nodes: list[ast.expr]) -> tuple[Index, ...]:
    found: list[Index] = []
    for node in nodes:
        index = _index(reader, node)
        if index in found:
            reader.problem(
                "repeated-index", f"index {reader.quote(node)} stands twice", node
            )
        elif index is not None:
            found.append(index)
    return tuple(found)


def read_binder(kind: Reduction) -> Callable[[Reader, ast.Call], Expr]:
    name, norm = kind.value, kind is Reduction.NORM

    def read(reader: Reader, node: ast.Call) -> Expr:
        keywords = named_arguments(reader, node, ("where", "p") if norm else ("where",))
        args = positional_arguments(reader, node, 2, None, f"{name}(formula, index)")
        if args is None:
            return reader.placeholder
        body, indices = reader.real(args[0]), _indices(reader, args[1:])
        where, p = keywords.get("where"), keywords.get("p")
        condition = None if where is None else reader.condition(where)
        order = _norm_order(reader, p, indices) if norm else None
        if len(indices) < len(args) - 1:
            return reader.placeholder
        return Reduce(kind, body, indices, condition, order, origin=reader.origin(node))

    return read


def _norm_order(
    reader: Reader, node: ast.expr | None, indices: tuple[Index, ...]
) -> Expr:
    if node is None:
        return _TWO
    order = reader.real(node)
    if isinstance(order, Number) and order.value <= 0:
        message = f"the order of a norm must be positive, got {reader.quote(node)}"
        return reader.problem("order", message, node)
    if any(index in indices for index in free_indices(order)):
        message = f"the order {reader.quote(node)} depends on the index of the norm"
        return reader.problem("order", message, node)
    return order


def read_keeper(kind: Keeper) -> Callable[[Reader, ast.Call], Expr]:
    def read(reader: Reader, node: ast.Call) -> Expr:
        keywords = named_arguments(reader, node, ("at",))
        args = positional_arguments(reader, node, 2, 2, f"{kind.value}(formula, index)")
        if args is None:
            return reader.placeholder
        body, index = reader.real(args[0]), _index(reader, args[1])
        if index is None:
            if "at" in keywords:
                reader.real(keywords["at"])
            return reader.placeholder
        at: Expr = index
        if "at" in keywords:
            at = symbols.read_subscript(reader, keywords["at"], index.axis)
        return Keep(kind, body, index, at, origin=reader.origin(node))

    return read
