"""Calls in formulas, by the table of ops and the few forms beside it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from losscodegen.ir.nodes import Expr, Keeper, Number, Reduction, Select
from losscodegen.ir.ops import OPS, SPELLINGS, Op, Sort
from losscodegen.language import symbols
from losscodegen.language.arguments import named_arguments, positional_arguments
from losscodegen.language.binders import read_binder, read_keeper

if TYPE_CHECKING:
    from losscodegen.language.reader import Reader


def read_call(reader: Reader, node: ast.Call) -> Expr:
    if not isinstance(node.func, ast.Name):
        return reader.problem(
            "syntax", f"{reader.quote(node.func)} is no function", node.func
        )
    name = node.func.id
    form = FORMS.get(name)
    if form is not None:
        return form(reader, node)
    op = SPELLINGS.get(name)
    if op is not None:
        return _op(reader, node, op)
    for arg in node.args:
        if not isinstance(arg, ast.Tuple):
            reader.read(arg)
    return _no_function(reader, node.func)


def _no_function(reader: Reader, node: ast.Name) -> Expr:
    name, scope = node.id, reader.scope
    if name in scope.broken:
        return reader.placeholder
    if name in scope.variables or name in scope.definitions:
        kind = "a definition" if name in scope.definitions else "a variable"
        return reader.problem(
            "unknown-function",
            f"'{name}' is {kind} and not a function",
            node,
            hint=f"subscripts stand in square brackets: {name}[...]; a product needs *",
        )
    row = OPS.get(name)
    if row is not None and row.operator is not None:
        return reader.problem(
            "unknown-function",
            f"unknown function '{name}'",
            node,
            hint=f"write it with the operator {row.operator}",
        )
    return symbols.unknown(reader, node, name, (*SPELLINGS, *FORMS), "function")


# ---------------------------------------------------------------------- ops


def _op(reader: Reader, node: ast.Call, op: Op) -> Expr:
    assert isinstance(node.func, ast.Name)
    read = reader.real if op.args is Sort.REAL else reader.condition
    named_arguments(reader, node)
    least, most = op.arity
    letters = ("x", "y", "z")[: most or 2]
    dots = ", ..." if most is None else ""
    usage = f"{node.func.id}({', '.join(letters)}{dots})"
    args = positional_arguments(reader, node, least, most, usage)
    if args is None:
        return reader.placeholder
    values = [read(arg) for arg in args]
    if op.order is not None:
        _check_order(reader, args[0], values[0], op)
    return reader.call(node, op.name, *values)


def _check_order(reader: Reader, node: ast.expr, value: Expr, op: Op) -> None:
    """An order is a literal: which function is meant cannot depend on data."""
    assert op.order is not None
    least, most = op.order
    if isinstance(value, Number):
        whole = value.value.denominator == 1
        if whole and least <= value.value and (most is None or value.value <= most):
            return
    elif reader.scope.open or value is reader.placeholder:
        return
    wanted = f"an integer from {least} to {most}" if most else f"an integer >= {least}"
    reader.problem(
        "order",
        f"the order of {op.name} must be {wanted}, got {reader.quote(node)}",
        node,
        hint="the order comes first and is written as a number",
    )


# ---------------------------------------------------------------------- numbers and choices


def _rational(reader: Reader, node: ast.Call) -> Expr:
    named_arguments(reader, node)
    args = positional_arguments(reader, node, 1, 2, "Rational(a, b)")
    if args is None:
        return reader.placeholder
    values = []
    for arg in args:
        value = reader.real(arg)
        if not isinstance(value, Number) or value.value.denominator != 1:
            return reader.problem(
                "number",
                f"Rational takes literal integers, got {reader.quote(arg)}",
                arg,
                hint="a quotient of expressions is written a/b",
            )
        values.append(value.value)
    above, below = (*values, Fraction(1))[:2]
    if below == 0:
        return reader.problem("undefined-constant", "division by zero", args[-1])
    return Number(above / below, origin=reader.origin(node))


def _where(reader: Reader, node: ast.Call) -> Expr:
    named_arguments(reader, node)
    args = positional_arguments(reader, node, 3, 3, "where(condition, then, otherwise)")
    if args is None:
        return reader.placeholder
    return Select(
        reader.condition(args[0]),
        reader.real(args[1]),
        reader.real(args[2]),
        origin=reader.origin(node),
    )


_PIECEWISE = "Piecewise((value, condition), ..., (value, True))"


def _piecewise(reader: Reader, node: ast.Call) -> Expr:
    named_arguments(reader, node)
    args = positional_arguments(reader, node, 1, None, _PIECEWISE)
    if args is None:
        return reader.placeholder
    branches: list[tuple[Expr, Expr]] = []
    otherwise: Expr | None = None
    for arg in args:
        if not isinstance(arg, ast.Tuple) or len(arg.elts) != 2:
            message = f"expected (value, condition), got {reader.quote(arg)}"
            reader.problem("piecewise", message, arg, hint=f"write {_PIECEWISE}")
            otherwise = reader.placeholder
            continue
        value, condition = arg.elts
        if not isinstance(condition, ast.Constant) or condition.value is not True:
            branches.append((reader.real(value), reader.condition(condition)))
            continue
        otherwise = reader.real(value)
        if arg is not args[-1]:
            message = "no branch of Piecewise is reached after True"
            after = args[args.index(arg) + 1]
            reader.problem("piecewise", message, reader.location(after, args[-1]))
            break
    if otherwise is None:
        return reader.problem(
            "piecewise",
            "the last branch of Piecewise must have the condition True",
            args[-1],
            hint="say what the value is where no condition holds: (value, True)",
        )
    result = otherwise
    for value_, condition_ in reversed(branches):
        result = Select(condition_, value_, result, origin=reader.origin(node))
    return result


FORMS: dict[str, Callable[[Reader, ast.Call], Expr]] = {
    "where": _where,
    "Piecewise": _piecewise,
    "Rational": _rational,
    **{kind.value: read_binder(kind) for kind in Reduction},
    **{kind.value: read_keeper(kind) for kind in Keeper},
}
"""What is called like a function without being an op."""
