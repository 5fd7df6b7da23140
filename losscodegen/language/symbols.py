"""Names and subscripts in formulas: what is read, and where."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from losscodegen.errors import Location
from losscodegen.ir.loss import DomainKind, Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import SPELLINGS
from losscodegen.ir.walk import children
from losscodegen.language.names import closest
from losscodegen.language.scope import CONSTANTS, Scope, spelled
from losscodegen.language.tokens import unusual_letters

if TYPE_CHECKING:
    from losscodegen.language.reader import Place, Reader

_WHOLE_KINDS = frozenset(
    {
        DomainKind.BINARY,
        DomainKind.SIGN,
        DomainKind.COUNT,
        DomainKind.INTEGER,
        DomainKind.INDEX,
        DomainKind.MASK,
    }
)
_WHOLE_OPS = frozenset(
    {"add", "mul", "neg", "mod", "abs", "square", "max", "min", "clip", "detach"}
)
"""Ops whose value is an integer if all arguments are."""

_ALWAYS_WHOLE = frozenset({"floor", "sign", "delta"})
_WHOLE_REDUCTIONS = frozenset(
    {Reduction.SUM, Reduction.PROD, Reduction.AMAX, Reduction.AMIN}
)


def read_name(reader: Reader, node: ast.Name) -> Expr:
    name, scope, origin = node.id, reader.scope, reader.origin(node)
    if name in scope.broken:
        return reader.placeholder
    if name in scope.variables or name in scope.definitions:
        if choice(reader, node) is not None:
            return reader.problem(
                "choice",
                f"'{name}' is a word and not a number",
                node,
                hint=f"compare it: {name} == {scope.variables[name].domain.choices[0]}",
            )
        subscripts = scope.default_subscripts(name)
        if subscripts is None:
            return reader.problem(
                "needs-subscripts",
                f"'{name}' is declared as {spelled(scope, name)} and must be subscripted",
                node,
                hint="only axes with a name of their own, each once, have a default index",
            )
        kind = Read if name in scope.variables else Use
        return kind(name, subscripts, origin=origin)
    if name in scope.indices:
        return Index(name, scope.indices[name], origin=origin)
    if name in scope.axes:
        return Size(name, origin=origin)
    if name in CONSTANTS:
        return Constant(Named(name), origin=origin)
    if scope.open:
        return Read(name, origin=origin)
    return unknown(reader, node, name, scope.names())


def unknown(
    reader: Reader,
    node: Place | Location,
    name: str,
    candidates: Iterable[str],
    what: str = "name",
) -> Expr:
    """Notes a name that means nothing here, with the likeliest thing that was meant."""
    if name in reader.scope.later:
        hint: str | None = "a definition sees only those above it"
    elif what == "name" and name in SPELLINGS:
        hint = f"it is a function: {name}(...)"
    else:
        hint = closest(name, candidates) or unusual_letters(name)
    return reader.problem(f"unknown-{what}", f"unknown {what} '{name}'", node, hint)


# ---------------------------------------------------------------------- choices


def choice(reader: Reader, node: ast.expr) -> Variable | None:
    """The choice parameter that ``node`` names, if it does."""
    if isinstance(node, ast.Name):
        variable = reader.scope.variables.get(node.id)
        if variable is not None and variable.domain.kind is DomainKind.CHOICE:
            return variable
    return None


def read_word(reader: Reader, node: ast.expr, variable: Variable, op: str) -> Expr:
    """A word of a choice as the number of its place, which is the value of the choice."""
    choices = variable.domain.choices
    if op not in ("eq", "ne"):
        return reader.problem(
            "choice", f"the words of '{variable.name}' have no order", node, "use =="
        )
    if isinstance(node, ast.Name) and node.id in choices:
        place = Fraction(choices.index(node.id))
        return Number(place, node.id, origin=reader.origin(node))
    return reader.problem(
        "choice",
        f"{reader.quote(node)} is no word of '{variable.name}'",
        node,
        hint=f"it is one of {', '.join(choices)}",
    )


# ---------------------------------------------------------------------- subscripts


def read_subscripted(reader: Reader, node: ast.Subscript) -> Expr:
    """``x[b, c]`` with one subscript for each declared axis."""
    target, scope = node.value, reader.scope
    assert isinstance(target, ast.Name)
    name, parts = target.id, _parts(node.slice)
    axes: tuple[str | None, ...]
    if name in scope.variables:
        axes = scope.variables[name].subscripted_axes
    elif name in scope.definitions:
        axes = tuple(i.axis for i in scope.definitions[name].indices)
    elif any(name in table for table in (scope.indices, scope.axes, CONSTANTS)):
        message = f"'{name}' has no elements to subscript"
        return reader.problem("not-a-tensor", message, target)
    elif name in scope.broken or scope.open:
        axes = (None,) * len(parts)
    else:
        for part in parts:
            reader.real(part)
        return unknown(reader, target, name, (*scope.variables, *scope.definitions))
    if len(axes) != len(parts):
        return _wrong_number(reader, node, name, len(axes), len(parts))
    subscripts = tuple(
        read_subscript(reader, part, axis)
        for part, axis in zip(parts, axes, strict=True)
    )
    kind = Use if name in scope.definitions else Read
    return kind(name, subscripts, origin=reader.origin(node))


def _parts(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _wrong_number(
    reader: Reader, node: ast.Subscript, name: str, wanted: int, got: int
) -> Expr:
    declared = spelled(reader.scope, name)
    hint = None
    if wanted == 0:
        message = f"'{name}' takes no subscripts, it is declared as {declared}"
        hint = f"write {name}"
        if declared.endswith("]"):
            hint += ": '...' is elementwise and never subscripted"
    else:
        message = (
            f"'{name}' is declared as {declared} and takes {wanted} "
            f"subscript{'s' if wanted > 1 else ''}, got {got}"
        )
        own = reader.scope.default_subscripts(name)
        if own is not None:
            hint = f"as in {name}[{', '.join(index.name for index in own)}]"
    return reader.problem("wrong-number-of-subscripts", message, node, hint)


def read_subscript(reader: Reader, node: ast.expr, axis: str | None) -> Expr:
    """``node`` as a subscript for ``axis``; for None nothing is known of the axis."""
    if axis is not None and isinstance(node, ast.Name) and _undeclared(reader, node.id):
        return _undeclared_index(reader, node, axis)
    expr = reader.real(node)
    if axis is None:
        return expr
    match expr:
        case Number(value):
            known = reader.scope.axes.get(axis)
            size = None if known is None else known.size
            if value.denominator != 1:
                return _not_whole(reader, node)
            if value < 0 or (size is not None and value >= size):
                return reader.problem(
                    "subscript-range",
                    f"subscript {reader.quote(node)} is outside of axis {axis}",
                    node,
                    hint=(
                        "axes count from 0"
                        if size is None
                        else f"axis {axis} counts from 0 to {size - 1}"
                    ),
                )
            return expr
        case Read(name):
            variable = reader.scope.variables.get(name)
            if variable is not None and variable.domain.kind is DomainKind.INDEX:
                return _of_axis(reader, node, expr, variable.domain.axis, axis)
    shifted = _shifted(expr)
    if shifted is not None:
        return _of_axis(reader, node, expr, shifted.axis, axis)
    return expr if _is_whole(expr, reader.scope) else _not_whole(reader, node)


def _undeclared(reader: Reader, name: str) -> bool:
    scope = reader.scope
    known = {*scope.names(), *scope.broken, *scope.later, *SPELLINGS}
    return name not in known and not scope.open


def _undeclared_index(reader: Reader, node: ast.Name, axis: str) -> Expr:
    """An index that the spec does not declare is missed once, wherever it stands."""
    name, scope = node.id, reader.scope
    reader.scope = replace(scope, broken=scope.broken | {name})
    near = closest(name, scope.indices) if len(name) > 1 else None
    hint = (
        near
        or f'declare it as an index of that axis: indices = {{ {name} = "{axis}" }}'
    )
    return reader.problem("unknown-name", f"unknown name '{name}'", node, hint)


def _shifted(expr: Expr) -> Index | None:
    """The index that ``expr`` is, or is a fixed distance from."""
    if isinstance(expr, Index):
        return expr
    if isinstance(expr, Call) and expr.op == "add":
        found = [arg for arg in expr.args if isinstance(arg, Index)]
        rest = [arg for arg in expr.args if not isinstance(arg, Index)]
        if len(found) == 1 and all(_is_literal(arg) for arg in rest):
            return found[0]
    return None


def _is_literal(expr: Expr) -> bool:
    if isinstance(expr, Call) and expr.op == "neg":
        expr = expr.args[0]
    return isinstance(expr, Number) and expr.value.denominator == 1


def _of_axis(
    reader: Reader, node: ast.expr, expr: Expr, got: str | None, wanted: str
) -> Expr:
    if got == wanted:
        return expr
    fitting = [name for name, axis in reader.scope.indices.items() if axis == wanted]
    plural = "indices" if len(fitting) > 1 else "index"
    return reader.problem(
        "wrong-axis",
        f"{reader.quote(node)} counts along axis {got}, expected axis {wanted}",
        node,
        hint=(
            f"axis {wanted} has the {plural} {', '.join(fitting)}" if fitting else None
        ),
    )


def _not_whole(reader: Reader, node: ast.expr) -> Expr:
    return reader.problem(
        "not-an-integer",
        f"a subscript must be an integer, got {reader.quote(node)}",
        node,
        hint="integers are indices, literals, index(C), count and integer tensors, floor(x)",
    )


def _is_whole(expr: Expr, scope: Scope) -> bool:
    """Whether ``expr`` takes integer values by what is declared."""
    match expr:
        case Number(value):
            return value.denominator == 1
        case Index() | Size():
            return True
        case Constant():
            return False
        case Read(name):
            variable = scope.variables.get(name)
            return variable is None or variable.domain.kind in _WHOLE_KINDS
        case Use(name):
            definition = scope.definitions.get(name)
            return definition is None or _is_whole(definition.body, scope)
        case Call(op):
            return op in _ALWAYS_WHOLE or (
                op in _WHOLE_OPS and all(_is_whole(a, scope) for a in children(expr))
            )
        case Select(_, then, otherwise) | Switch(_, then, otherwise):
            return _is_whole(then, scope) and _is_whole(otherwise, scope)
        case Reduce(kind, body):
            return kind in _WHOLE_REDUCTIONS and _is_whole(body, scope)
        case _:
            return False
