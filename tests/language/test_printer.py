"""Printing: what is printed reads back as the equal expression, with no parenthesis too many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from losscodegen.errors import LossCodegenError
from losscodegen.ir.build import ONE, add, call, div, mul, neg, number, power
from losscodegen.ir.loss import Definition
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Group, Op, Sort
from losscodegen.language.constants import refusal
from losscodegen.language.formula import parse_formula, read_expression
from losscodegen.language.printer import format_expression
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

T = TypeVar("T")

INDICES = {"b": "B", "c": "C", "j": "B", "q": "4"}
A, B, C = (Read(name) for name in ("u", "v", "w"))
IB, IC, IJ, IQ = (Index(name, axis) for name, axis in INDICES.items())

PRINTED = {
    "u + v - w": add(A, B, neg(C)),
    "u + (v + w)": add(A, add(B, C)),
    "(u + v) + w": add(add(A, B), C),
    "u - (v - w)": add(A, neg(add(B, neg(C)))),
    "-u + v": add(neg(A), B),
    "-(u + v)": neg(add(A, B)),
    "-u*v": mul(neg(A), B),
    "-(u*v)": neg(mul(A, B)),
    "u*-v": mul(A, neg(B)),
    "(u*v)*w": mul(mul(A, B), C),
    "u*(v*w)": mul(A, mul(B, C)),
    "u*v/w": div(mul(A, B), C),
    "u*(v/w)": mul(A, div(B, C)),
    "u/(v*w)": div(A, mul(B, C)),
    "u/v/w": div(div(A, B), C),
    "(u + v) % w": call("mod", add(A, B), C),
    "-u**2": neg(power(A, number(2))),
    "(-u)**2": power(neg(A), number(2)),
    "u**-v": power(A, neg(B)),
    "u**v**w": power(A, power(B, C)),
    "(u**v)**w": power(power(A, B), C),
    "-2": number(-2),
    "-(2)": neg(number(2)),
    "--2": neg(number(-2)),
    "u - 2": add(A, neg(number(2))),
    "u + -2": add(A, number(-2)),
    "(-2)**u": power(number(-2), A),
    "0.1*u": mul(number(Fraction(1, 10), "0.1"), A),
    "Rational(1, 3)*u": mul(number(Fraction(1, 3)), A),
    "Rational(-1, 3)": number(Fraction(-1, 3)),
    "-oo": neg(Constant(Named.OO)),
    "u < v": call("lt", A, B),
    "u < v and v < w": call("and", call("lt", A, B), call("lt", B, C)),
    "(u < v or v < w) and not u == 1": call(
        "and",
        call("or", call("lt", A, B), call("lt", B, C)),
        call("not", call("eq", A, ONE)),
    ),
    "where(u > 1, v, w)": Select(call("gt", A, ONE), B, C),
    "u if v else w if u else v": Switch(B, A, Switch(A, C, B)),
    "(u if v else w) + 1": add(Switch(B, A, C), ONE),
    "Sum(u[b, c], c)": Reduce(Reduction.SUM, Read("u", (IB, IC)), (IC,)),
    "norm(u[b, c], c)": Reduce(
        Reduction.NORM, Read("u", (IB, IC)), (IC,), None, number(2)
    ),
    "norm(u, b, c, p=v, where=b != c)": Reduce(
        Reduction.NORM, A, (IB, IC), call("ne", IB, IC), B
    ),
    "softmax(u[c], c)": Keep(Keeper.SOFTMAX, Read("u", (IC,)), IC, IC),
    "softmax(u[c], c, at=v)": Keep(Keeper.SOFTMAX, Read("u", (IC,)), IC, B),
    "u[b + 1, C - 1]": Read("u", (add(IB, ONE), add(Size("C"), neg(ONE)))),
}


@pytest.mark.parametrize("text", PRINTED)
def test_the_text_of_an_expression(text: str) -> None:
    assert format_expression(PRINTED[text]) == text
    assert parse_formula(text, indices=INDICES) == PRINTED[text]


def test_a_text_that_does_not_fit_its_number_is_not_trusted() -> None:
    for text in ("0.2", "1_0", "0x1", "one", ""):
        assert format_expression(number(Fraction(1, 10), text)) == "Rational(1, 10)"


# ---------------------------------------------------------------------- every expression

NUMBERS: tuple[Expr, ...] = (
    *map(number, (0, 1, 2, 7, -1, -13)),
    *map(number, (Fraction(1, 3), Fraction(-5, 7), Fraction(1, 2))),
    *(number(Fraction(text), text) for text in ("0.1", "1e-7", "-2.50", "3.", "1E+3")),
    *map(Constant, Named),
)
BOUND = (IB, IC, IJ, IQ)
ORDERS: tuple[Expr, ...] = (
    number(2),
    number(1),
    number(Fraction(5, 2)),
    Constant(Named.OO),
)
ARITHMETIC = tuple(op for op in OPS.values() if op.group is Group.ARITHMETIC)
FUNCTIONS = tuple(
    op for op in OPS.values() if op.sort is Sort.REAL and op not in ARITHMETIC
)
TESTS = tuple(op for op in OPS.values() if op.sort is Sort.BOOL)


@dataclass(frozen=True)
class World:
    """What random expressions may contain besides ops and numbers."""

    leaves: tuple[Expr, ...]
    flags: tuple[Expr, ...]
    places: tuple[Expr, ...]


class Maker:
    """Draws random expressions of a world."""

    def __init__(self, draw: st.DrawFn, world: World) -> None:
        self.draw = draw
        self.world = world

    def pick(self, things: Sequence[T]) -> T:
        return things[self.draw(st.integers(0, len(things) - 1))]

    def real(self, depth: int) -> Expr:
        if depth == 0:
            leaves: Sequence[Expr] = (*NUMBERS, *self.world.leaves, *self.world.leaves)
            return self.pick(leaves)
        # Arithmetic is where parentheses can go wrong, so it comes most often.
        match self.pick("aaaaaafffswrk"):
            case "a":
                return self.call(self.pick(ARITHMETIC), depth)
            case "f":
                return self.call(self.pick(FUNCTIONS), depth)
            case "s":
                then, otherwise = self.reals(2, depth)
                return Select(self.condition(depth - 1), then, otherwise)
            case "w":
                then, otherwise = self.reals(2, depth)
                return Switch(self.pick(self.world.flags), then, otherwise)
            case "r":
                return self.reduce(depth)
            case _:
                index = self.pick(BOUND)
                at = self.pick((index, *self.world.places))
                return Keep(self.pick(list(Keeper)), self.real(depth - 1), index, at)

    def reals(self, count: int, depth: int) -> list[Expr]:
        return [self.real(self.pick(range(depth))) for _ in range(count)]

    def condition(self, depth: int) -> Expr:
        tests = TESTS if depth else [op for op in TESTS if op.args is Sort.REAL]
        return self.call(self.pick(tests), depth or 1)

    def call(self, op: Op, depth: int) -> Expr:
        least, most = op.arity
        count = self.pick(range(least, (most or least + 2) + 1))
        if op.args is Sort.BOOL:
            args = [self.condition(depth - 1) for _ in range(count)]
        else:
            args = self.reals(count, depth)
        if op.order is not None:
            args[0] = number(op.order[0])
        expr = Call(op.name, tuple(args))
        # A constant without a value is replaced, so that the rest of the expression counts.
        return expr if refusal(expr) is None else args[-1]

    def reduce(self, depth: int) -> Expr:
        kind = self.pick(list(Reduction))
        return Reduce(
            kind,
            self.real(depth - 1),
            self.pick(((IB,), (IC,), (IC, IB), (IQ, IC))),
            self.pick((None, self.condition(depth - 1))),
            self.pick(ORDERS) if kind is Reduction.NORM else None,
        )


def expressions(world: World) -> st.SearchStrategy[Expr]:
    @st.composite
    def draw_one(draw: st.DrawFn) -> Expr:
        maker = Maker(draw, world)
        return maker.real(maker.pick((1, 2, 3, 4)))

    return draw_one()


FREE = expressions(
    World(
        leaves=(
            *(A, B, C, IB, IC, IQ, Size("B"), Size("C")),
            Read("x", (IB, IC)),
            Read("x", (add(IB, ONE), number(3))),
            Read("x", (A, Read("t", (IJ,)), add(Size("C"), neg(ONE)))),
        ),
        flags=(A, call("not", B), call("and", A, B), call("gt", C, ONE)),
        places=(number(0), A, Size("C"), Read("t", (IB,))),
    )
)


@given(FREE)
def test_what_is_printed_reads_back(expr: Expr) -> None:
    text = format_expression(expr)
    assume(len(text) < 4000)
    assert parse_formula(text, indices=INDICES) == expr


@given(FREE)
def test_no_parenthesis_is_idle(expr: Expr) -> None:
    text = format_expression(expr)
    assume(len(text) < 1000)
    for shorter in _without_one_pair(text):
        try:
            other = parse_formula(shorter, indices=INDICES)
        except LossCodegenError:
            continue
        assert other != expr, shorter


def _without_one_pair(text: str) -> Sequence[str]:
    """``text`` without each of the pairs of parentheses that group."""
    results, stack = [], []
    for place, character in enumerate(text):
        if character == "(":
            stack.append(place)
        elif character == ")":
            start = stack.pop()
            if not re.search(r"[A-Za-z0-9_]$", text[:start]) or text[:start].endswith(
                ("not", "and", "or", "if", "else")
            ):
                results.append(
                    f"{text[:start]} {text[start + 1 : place]} {text[place + 1 :]}"
                )
    return results


# ---------------------------------------------------------------------- with declarations

DEFINITIONS = (
    Definition(name="p", indices=(IB, IC), body=Read("x", (IB, IC))),
    Definition(name="s", indices=(), body=Read("y")),
)
TARGET = Read("t", (IB,))
DECLARED = expressions(
    World(
        leaves=(
            *(Read("y"), Read("delta"), Use("s"), TARGET, IB, Size("C")),
            Read("weight", (IC,)),
            Read("weight", (TARGET,)),
            Read("box", (IQ,)),
            Read("box", (number(3),)),
            Read("J", (IB, Index("d", "D"), Index("e", "D"))),
            Read("x", (IB, IC)),
            Read("x", (IJ, add(IC, ONE))),
            Use("p", (IB, IC)),
            Use("p", (number(1), Read("t", (IJ,)))),
            Use("p", (IJ, add(Size("C"), neg(ONE)))),
        ),
        flags=(
            Read("flag"),
            call("not", Read("flag")),
            call("eq", Read("mode"), number(1, "soft")),
            call("or", Read("flag"), call("gt", Read("delta"), ONE)),
        ),
        places=(number(0), number(2)),
    )
)


@given(DECLARED)
def test_in_a_scope_both_spellings_read_back(scope: Scope, expr: Expr) -> None:
    for definition in DEFINITIONS:
        scope = scope.defining(definition)
    for printed in (format_expression(expr), format_expression(expr, scope)):
        assume(len(printed) < 4000)
        assert read_expression(Source.plain(printed), scope) == expr
