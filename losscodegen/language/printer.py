"""Expressions as formulas: what is printed reads back as the equal expression."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from fractions import Fraction
from typing import assert_never

from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Group
from losscodegen.language.scope import Scope


class Binding(IntEnum):
    """How tightly the outermost operator of a formula holds, loosest first."""

    SWITCH = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    PRODUCT = 6
    SIGN = 7
    POWER = 8
    ATOM = 9


def format_expression(expr: Expr, scope: Scope | None = None) -> str:
    """``expr`` as a formula with as few parentheses as possible.

    With a ``scope``, a tensor or definition at its default subscripts is printed as a bare
    name; without, subscripts are always written out.

    >>> from losscodegen.ir.build import add, neg, number, power
    >>> from losscodegen.ir.nodes import Read
    >>> format_expression(power(add(Read("x"), neg(Read("y"))), number(2)))
    '(x - y)**2'
    """
    return Printer(scope).text(expr)


class Printer:
    """The spelling of the language; a subclass may spell some of it in another way."""

    times, minus = "*", " - "

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    def text(self, expr: Expr, least: Binding = Binding.SWITCH) -> str:
        """``expr``, in parentheses if it holds less tightly than ``least``."""
        text, binding = self.bound(expr)
        return text if binding >= least else f"({text})"

    def commas(self, exprs: Iterable[Expr]) -> str:
        return ", ".join(self.text(e) for e in exprs)

    def bound(self, expr: Expr) -> tuple[str, Binding]:
        match expr:
            case Number():
                text = format_number(expr)
                return text, Binding.SIGN if text[0] == "-" else Binding.ATOM
            case Constant(name):
                return name.value, Binding.ATOM
            case Index(name):
                return name, Binding.ATOM
            case Size(axis):
                return axis, Binding.ATOM
            case Read(name, subscripts) | Use(name, subscripts):
                return self.subscripted(name, subscripts), Binding.ATOM
            case Call():
                return self.call(expr)
            case Select(condition, then, otherwise):
                text = f"where({self.commas((condition, then, otherwise))})"
                return text, Binding.ATOM
            case Switch(condition, then, otherwise):
                head = self.text(then, Binding.OR)
                test = self.text(condition, Binding.OR)
                return f"{head} if {test} else {self.text(otherwise)}", Binding.SWITCH
            case Reduce(kind, body, indices, where, order):
                text = self.commas((body, *indices))
                if kind is Reduction.NORM and order is not None:
                    text += "" if order == _TWO else f", p={self.text(order)}"
                if where is not None:
                    text += f", where={self.text(where)}"
                return f"{kind.value}({text})", Binding.ATOM
            case Keep(kind, body, index, at):
                text = self.commas((body, index))
                if at != index:
                    text += f", at={self.text(at)}"
                return f"{kind.value}({text})", Binding.ATOM
            case _:
                assert_never(expr)

    def subscripted(self, name: str, subscripts: tuple[Expr, ...]) -> str:
        if not subscripts:
            return name
        if (
            self.scope is not None
            and (name in self.scope.variables or name in self.scope.definitions)
            and self.scope.default_subscripts(name) == subscripts
        ):
            return name
        return f"{name}[{self.commas(subscripts)}]"

    def call(self, expr: Call) -> tuple[str, Binding]:
        args = expr.args
        match expr.op:
            case "add":
                return self.sum(args), Binding.SUM
            case "mul":
                first, *rest = args
                # A product that starts a product would dissolve in it without parentheses.
                nested = isinstance(first, Call) and first.op == "mul"
                least = Binding.SIGN if nested else Binding.PRODUCT
                factors = [self.text(first, least)]
                factors += [self.text(a, Binding.SIGN) for a in rest]
                return self.times.join(factors), Binding.PRODUCT
            case "div" | "mod":
                left = self.text(args[0], Binding.PRODUCT)
                right = self.text(args[1], Binding.SIGN)
                return f"{left}{'/' if expr.op == 'div' else ' % '}{right}", (
                    Binding.PRODUCT
                )
            case "neg":
                # `-2` is a number; the negative of the number 2 is `-(2)`.
                operand = self.text(args[0], Binding.SIGN)
                literal = isinstance(args[0], Number) and operand[0] in "0123456789."
                return f"-({operand})" if literal else f"-{operand}", Binding.SIGN
            case "pow":
                base = self.text(args[0], Binding.ATOM)
                return f"{base}**{self.text(args[1], Binding.SIGN)}", Binding.POWER
            case "not":
                return f"not {self.text(args[0], Binding.NOT)}", Binding.NOT
            case "and" | "or":
                binding = Binding.AND if expr.op == "and" else Binding.OR
                least = Binding(binding + 1)
                joined = f" {expr.op} ".join(self.text(a, least) for a in args)
                return joined, binding
        row = OPS[expr.op]
        if row.group is Group.COMPARISON:
            left, right = (self.text(a, Binding.SUM) for a in args)
            return f"{left} {row.operator} {right}", Binding.COMPARISON
        return f"{row.name}({self.commas(args)})", Binding.ATOM

    def sum(self, args: tuple[Expr, ...]) -> str:
        first, *rest = args
        nested = isinstance(first, Call) and first.op == "add"
        text = self.text(first, Binding.PRODUCT if nested else Binding.SUM)
        for arg in rest:
            if isinstance(arg, Call) and arg.op == "neg":
                text += f"{self.minus}{self.text(arg.args[0], Binding.PRODUCT)}"
            else:
                text += f" + {self.text(arg, Binding.PRODUCT)}"
        return text


_TWO = Number(Fraction(2))


_DECIMAL = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def spells(text: str, value: Fraction) -> bool:
    """Whether ``text`` is a decimal of this value; a word of a choice stands for its place."""
    if _DECIMAL.fullmatch(text):
        return Fraction(text) == value
    return text.isidentifier() and value.denominator == 1


def format_number(number: Number) -> str:
    """As the spec wrote it, else an integer or an exact ``Rational(a, b)``."""
    value, text = number.value, number.text
    if text is not None and spells(text, value):
        return text
    if value.denominator == 1:
        return str(value.numerator)
    return f"Rational({value.numerator}, {value.denominator})"
