"""Short constructors for expressions, for code that makes them."""

from __future__ import annotations

from fractions import Fraction

from losscodegen.ir.nodes import Call, Constant, Expr, Named, Number

ZERO = Number(Fraction(0), "0")
ONE = Number(Fraction(1), "1")
OO = Constant(Named.OO)


def number(value: int | Fraction, text: str | None = None) -> Number:
    return Number(Fraction(value), text)


def call(op: str, *args: Expr) -> Call:
    return Call(op, args)


def add(*args: Expr) -> Expr:
    return args[0] if len(args) == 1 else Call("add", args)


def sub(left: Expr, right: Expr) -> Expr:
    return Call("add", (left, Call("neg", (right,))))


def mul(*args: Expr) -> Expr:
    return args[0] if len(args) == 1 else Call("mul", args)


def div(left: Expr, right: Expr) -> Expr:
    return Call("div", (left, right))


def neg(expr: Expr) -> Expr:
    return Call("neg", (expr,))


def power(base: Expr, exponent: Expr) -> Expr:
    return Call("pow", (base, exponent))
