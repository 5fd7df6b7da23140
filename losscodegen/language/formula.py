"""Formulas as typed expressions: a whitelist over Python's syntax tree, nothing is evaluated.

Structure follows the text. A chain ``a + b - c`` is one n-ary sum, what stands in parentheses
stays nested, a minus directly before a number belongs to the number. All problems of a formula
are reported together, each at exactly the characters that are wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeVar

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.ir.nodes import Expr
from losscodegen.ir.ops import Sort
from losscodegen.language.limits import expanded
from losscodegen.language.reader import PLACEHOLDER, Reader
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source
from losscodegen.language.syntax import read_syntax

T = TypeVar("T")


def read_expression(
    source: Source,
    scope: Scope,
    *,
    sort: Sort | None = Sort.REAL,
    problems: list[Diagnostic] | None = None,
) -> Expr:
    """The expression that ``source`` spells; with ``sort`` None a number or a truth value.

    Raises LossCodegenError with every problem of the formula. If a list of ``problems`` is
    given they are appended to it instead, and a placeholder is returned.
    """
    found: list[Diagnostic] = []
    expr: Expr = PLACEHOLDER
    syntax = read_syntax(source, found)
    if syntax is not None:
        reader = Reader(source, scope, syntax, found)
        try:
            expr = read_tree(reader, syntax.tree, sort)
        except RecursionError:
            # The limit on depth leaves room enough, unless the caller has used it up.
            reader.problem("too-deep", "the formula is nested too deeply", syntax.tree)
        if not found and expanded(expr, scope).excessive:
            message = "the formula is too large with its definitions written out"
            reader.problem("too-large", message, syntax.tree)
    return finish(expr, found, problems)


def parse_formula(text: str, *, indices: Mapping[str, str] | None = None) -> Expr:
    """The expression of a formula without declarations.

    ``indices`` maps index names to axes; every other name is a `Read`, with subscripts if it is
    subscripted, and may stand for a number or a truth value.

    >>> parse_formula("softplus(x)")
    Call(op='softplus', args=(Read(name='x', subscripts=()),))
    """
    scope = Scope.free(indices or {})
    return read_expression(Source.plain(text), scope, sort=None)


def read_tree(reader: Reader, tree: ast.expr, sort: Sort | None) -> Expr:
    """``tree`` read as an expression of this sort."""
    match sort:
        case Sort.REAL:
            return reader.real(tree)
        case Sort.BOOL:
            return reader.condition(tree)
        case None:
            return reader.read(tree)


def finish(result: T, found: list[Diagnostic], problems: list[Diagnostic] | None) -> T:
    """``result``, after the problems ``found`` were handed on or raised, in order."""
    ordered = sorted(dict.fromkeys(found), key=_position)
    if problems is not None:
        problems += ordered
    elif ordered:
        raise LossCodegenError(ordered)
    return result


def _position(problem: Diagnostic) -> tuple[int, int]:
    place = problem.location
    return (0, 0) if place is None else (place.line, place.column)
