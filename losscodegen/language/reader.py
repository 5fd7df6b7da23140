"""Python's syntax tree as an expression: numbers, operators, conditions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

from losscodegen.errors import Diagnostic, Location
from losscodegen.ir.loss import DomainKind
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Index,
    Number,
    Origin,
    Read,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import Sort
from losscodegen.ir.walk import walk
from losscodegen.language import calls, symbols
from losscodegen.language.constants import LARGEST, SMALLEST, refusal
from losscodegen.language.names import quoted
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source
from losscodegen.language.syntax import MAX_DEPTH, Syntax

PLACEHOLDER = Read("?")
"""Stands where a subexpression could not be read, so that reading can go on."""

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}

_TIGHT = "'&' and '|' bind tighter than comparisons: write (a > 0) & (b > 0)"

Place = ast.expr | ast.keyword


class Reader:
    """Reads the parts of one formula; what is wrong goes to ``problems``."""

    placeholder: ClassVar[Expr] = PLACEHOLDER

    def __init__(
        self,
        source: Source,
        scope: Scope,
        syntax: Syntax,
        problems: list[Diagnostic],
    ) -> None:
        self.source = source
        self.scope = scope
        self.problems = problems
        self._columns = syntax.columns
        self._depth = 0

    # ------------------------------------------------------------------ places and problems

    def span(self, node: Place) -> tuple[int, int]:
        """Where ``node`` stands in the text, without parentheses around it."""
        assert node.end_col_offset is not None
        return self._columns[node.col_offset], self._columns[node.end_col_offset]

    def text(self, node: Place) -> str:
        start, end = self.span(node)
        return self.source.text[start:end]

    def quote(self, node: Place) -> str:
        return quoted(" ".join(self.text(node).split()))

    def location(self, node: Place, last: Place | None = None) -> Location:
        """The place of ``node``, or of everything from there to the end of ``last``."""
        start, end = self.span(node)
        return self.source.location(start, end if last is None else self.span(last)[1])

    def origin(self, node: Place) -> Origin:
        return Origin(location=self.location(node))

    def problem(
        self,
        code: str,
        message: str,
        where: Place | Location | None,
        hint: str | None = None,
    ) -> Expr:
        """Notes a problem; the expression to go on with."""
        place = self.location(where) if isinstance(where, ast.AST) else where
        self.problems.append(Diagnostic(code, message, place, hint))
        return PLACEHOLDER

    # ------------------------------------------------------------------ sorts

    def real(self, node: ast.expr) -> Expr:
        """``node`` where a number is needed."""
        expr = self.read(node)
        if self.scope.sort(expr) is Sort.BOOL:
            return self.problem(
                "sort",
                f"expected a number, got the truth value {self.quote(node)}",
                node,
                hint=f"write where({self.text(node)}, 1, 0)",
            )
        return expr

    def condition(self, node: ast.expr, hint: str | None = None) -> Expr:
        """``node`` where a truth value is needed; a mask stands for its being nonzero."""
        expr = self.read(node)
        if self.scope.sort(expr) is not Sort.REAL:
            return expr
        hint = hint or "compare it with something, as in 'x > 0'"
        if isinstance(expr, Read):
            kind = self.scope.variables[expr.name].domain.kind
            if kind is DomainKind.MASK:
                zero = Number(Fraction(0), "0")
                return Call("ne", (expr, zero), origin=expr.origin)
            if kind is DomainKind.BINARY:
                hint = f"write {self.text(node)} == 1"
        return self.problem(
            "sort",
            f"expected a condition, got the number {self.quote(node)}",
            node,
            hint,
        )

    def only_scalars(
        self, expr: Expr, message: str, hint: str | None = None, *, sizes: bool = False
    ) -> None:
        """Notes everything in ``expr`` that is not known when the loss is built."""
        for node in walk(expr):
            if not self._is_scalar(node, sizes):
                self.problem("not-a-scalar", message, node.origin.location, hint)
                return

    def _is_scalar(self, node: Expr, sizes: bool) -> bool:
        match node:
            case Read(name, subscripts):
                variable = self.scope.variables.get(name)
                return not subscripts and (variable is None or variable.scalar)
            case Use(name):
                definition = self.scope.definitions.get(name)
                return definition is None or all(
                    self._is_scalar(n, sizes) for n in walk(definition.body)
                )
            case Size():
                return sizes
            case Index():
                return False
            case _:
                return True

    # ------------------------------------------------------------------ nodes

    def read(self, node: ast.expr) -> Expr:
        """``node`` as a number or a truth value."""
        if self._depth == MAX_DEPTH:
            if all(problem.code != "too-deep" for problem in self.problems):
                self.problem("too-deep", "the formula is nested too deeply", node)
            return PLACEHOLDER
        self._depth += 1
        try:
            return self._read(node)
        finally:
            self._depth -= 1

    def _read(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant():
                return self.number(node)
            case ast.Name():
                return symbols.read_name(self, node)
            case ast.Subscript():
                return symbols.read_subscripted(self, node)
            case ast.Call():
                return calls.read_call(self, node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.real(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return self.negative(node)
            case ast.UnaryOp():
                return self.call(node, "not", self.condition(node.operand))
            case ast.BinOp():
                return self.binary(node)
            case ast.BoolOp():
                name = "and" if isinstance(node.op, ast.And) else "or"
                return self.call(node, name, *map(self.condition, node.values))
            case ast.Compare():
                return self.comparison(node)
            case ast.IfExp():
                return self.switch(node)
            case _:
                return self.problem(
                    "syntax", f"{self.quote(node)} is no part of a formula", node
                )

    def call(self, node: ast.expr, op: str, *args: Expr) -> Expr:
        """The op applied, unless that is a constant without a value."""
        if any(arg is PLACEHOLDER for arg in args):
            return PLACEHOLDER
        expr = Call(op, args, origin=self.origin(node))
        wrong = refusal(expr)
        if wrong is None:
            return expr
        message = wrong.reason.format(self.quote(node))
        blamed = None if wrong.argument is None else args[wrong.argument].origin
        place = None if blamed is None else blamed.location
        return self.problem("undefined-constant", message, place or node)

    def number(self, node: ast.Constant) -> Expr:
        text = self.text(node)
        if isinstance(node.value, bool):
            return self.problem(
                "sort",
                f"'{text}' stands only in the last branch of Piecewise",
                node,
                hint="a bool parameter is used as it is: 'flag', 'not flag'",
            )
        value = Fraction(text)
        if value and not SMALLEST <= value <= LARGEST:
            return self.problem(
                "number-range",
                f"{quoted(text)} does not fit into a float64",
                node,
                hint="infinity is oo" if value > 1 else None,
            )
        return Number(value, text, origin=self.origin(node))

    def negative(self, node: ast.UnaryOp) -> Expr:
        """A minus directly before a number belongs to the number: ``-(2)`` is not ``-2``."""
        operand = node.operand
        expr = self.real(operand)
        between = self.source.text[self.span(node)[0] + 1 : self.span(operand)[0]]
        if (
            isinstance(operand, ast.Constant)
            and isinstance(expr, Number)
            and not between.strip()
        ):
            return Number(-expr.value, f"-{expr.text}", origin=self.origin(node))
        return self.call(node, "neg", expr)

    def binary(self, node: ast.BinOp) -> Expr:
        match node.op:
            case ast.Add() | ast.Sub():
                return self.sum(node)
            case ast.Mult():
                factors = [self.real(part) for _, part in _chain(node, (ast.Mult,))]
                return self.call(node, "mul", *factors)
            case ast.BitAnd() | ast.BitOr():
                op = "and" if isinstance(node.op, ast.BitAnd) else "or"
                parts = [part for _, part in _chain(node, (type(node.op),))]
                values = [self.condition(part, _TIGHT) for part in parts]
                return self.call(node, op, *values)
            case ast.Div():
                op = "div"
            case ast.Mod():
                op = "mod"
            case ast.Pow():
                op = "pow"
            case _:
                return self.problem(
                    "syntax", f"{self.quote(node)} is no part of a formula", node
                )
        return self.call(node, op, self.real(node.left), self.real(node.right))

    def sum(self, node: ast.BinOp) -> Expr:
        terms = []
        for op, part in _chain(node, (ast.Add, ast.Sub)):
            term = self.real(part)
            if isinstance(op, ast.Sub):
                term = Call("neg", (term,), origin=self.origin(part))
            terms.append(term)
        return self.call(node, "add", *terms)

    def comparison(self, node: ast.Compare) -> Expr:
        """``a < b``, or a chain ``a < b < c`` as a conjunction."""
        sides = [node.left, *node.comparators]
        parts = [
            self.relation(node, COMPARISONS[type(op)], left, right)
            for op, (left, right) in zip(node.ops, pairwise(sides), strict=True)
        ]
        return parts[0] if len(parts) == 1 else self.call(node, "and", *parts)

    def relation(
        self, node: ast.expr, op: str, left: ast.expr, right: ast.expr
    ) -> Expr:
        for one, other in ((left, right), (right, left)):
            variable = symbols.choice(self, one)
            if variable is not None:
                word = symbols.read_word(self, other, variable, op)
                choice = Read(variable.name, origin=self.origin(one))
                args = (choice, word) if one is left else (word, choice)
                return Call(op, args, origin=self.origin(node))
            if isinstance(other, ast.Constant) and isinstance(other.value, bool):
                return self.problem(
                    "sort",
                    "truth values are not compared",
                    node,
                    hint=f"write {self.text(one)} or not {self.text(one)}",
                )
        return self.call(node, op, self.real(left), self.real(right))

    def switch(self, node: ast.IfExp) -> Expr:
        condition = self.condition(node.test)
        self.only_scalars(
            condition,
            "an 'if' is decided when the loss is built, by scalar parameters alone",
            "choose for each element with where(condition, a, b)",
        )
        return Switch(
            condition,
            self.real(node.body),
            self.real(node.orelse),
            origin=self.origin(node),
        )


def _chain(
    node: ast.BinOp, ops: tuple[type[ast.operator], ...]
) -> Iterator[tuple[ast.operator | None, ast.expr]]:
    """The operands of ``a + b - c`` in order, each with the operator before it.

    Parentheses leave one trace in the tree: a chain in parentheses starts after its parent.
    """
    parts: list[tuple[ast.operator | None, ast.expr]] = []
    current: ast.expr = node
    while (
        isinstance(current, ast.BinOp)
        and isinstance(current.op, ops)
        and current.col_offset == node.col_offset
    ):
        parts.append((current.op, current.right))
        current = current.left
    parts.append((None, current))
    return reversed(parts)
