"""Variants of a loss that a program in floating point cannot tell from it.

The constants may be off by an ulp, for no format represents one tenth. The computed argument of a
sine beyond its first period may be off by an ulp: the sine of 10**9 has lost nine digits of it,
however it is written. Within the period it may not, for ``sin(2*atan(x))`` has a better form.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from losscodegen.ir.build import ONE, add, call, mul
from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Named,
    Number,
    Read,
    Reduce,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import children, inline_loss, rebuild, walk
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import INTEGRAL

PERIOD = 7
"""Beyond a period, the argument of a periodic function is known to an ulp of its own at best."""

_PERIODIC = frozenset({"sin", "cos", "tan"})
_TRUTH = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "isnan", "isfinite"}
)
_WHOLE = INTEGRAL | {DomainKind.COUNT, DomainKind.BOOL, DomainKind.CHOICE}


class Variants:
    """The variants of a loss, each made once."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, Dtype], tuple[Loss, tuple[Loss, ...]]] = {}

    def __call__(self, loss: Loss, dtype: Dtype) -> tuple[Loss, ...]:
        key = id(loss), dtype
        if key not in self.kept:
            # Kept together with the original, whose id could be given to another otherwise.
            self.kept[key] = loss, tuple(_variants(loss, dtype))
        return self.kept[key][1]


def _variants(loss: Loss, dtype: Dtype) -> list[Loss]:
    plain = inline_loss(loss)
    unit = Fraction(dtype.epsilon)
    found = []
    for sign in (-1, 1):
        factor = Number(1 + sign * unit)
        found.append(_move_constants(plain, plain.expression, factor))
        found.append(_move_phases(plain, plain.expression, sign * unit))
    return [
        replace(plain, expression=e)
        for e in dict.fromkeys(found)
        if e != plain.expression
    ]


# ---------------------------------------------------------------------- constants


def _move_constants(loss: Loss, expr: Expr, factor: Number) -> Expr:
    """Every constant but integers times ``factor``; exponents and subscripts as they are."""
    if _constant(loss, expr):
        return mul(expr, factor)

    def go(part: Expr) -> Expr:
        return _move_constants(loss, part, factor)

    match expr:
        case Number() | Constant() | Index() | Size() | Read() | Use():
            return expr
        case Keep(body=body, at=at):
            return rebuild(expr, (go(body), at))
        case Reduce(body=body):
            return rebuild(expr, (go(body), *children(expr)[1:]))
        case Switch(condition, then, otherwise):
            return rebuild(expr, (condition, go(then), go(otherwise)))
        case Call(op="pow", args=(base, exponent)):
            return rebuild(expr, (go(base), exponent))
        case _:
            # Conditions too: 1 - 1e-7 as a threshold is rounded like any other number.
            return rebuild(expr, tuple(go(c) for c in children(expr)))


def _constant(loss: Loss, expr: Expr) -> bool:
    """Whether ``expr`` is a number known when the loss is built, and not obviously an integer."""
    match expr:
        case Number(value):
            return value.denominator & (value.denominator - 1) != 0
        case Constant(which):
            return which is not Named.OO
        case Index() | Size() | Read() | Use() | Call(op="neg"):
            return False
    interesting = False
    for node in walk(expr):
        match node:
            case Read(name, ()) if loss.variable(name).scalar:
                if loss.variable(name).domain.kind not in _WHOLE:
                    interesting = True
            case Number(value):
                interesting = interesting or value.denominator != 1
            case Constant():
                interesting = True
            case Call() if node.op not in _TRUTH:
                pass
            case _:
                return False
    return interesting


# ---------------------------------------------------------------------- phases


def _move_phases(loss: Loss, expr: Expr, width: Fraction) -> Expr:
    """Computed arguments of periodic functions times ``1 + width``, beyond the first period."""
    if not children(expr):
        return expr
    parts = tuple(_move_phases(loss, c, width) for c in children(expr))
    if isinstance(expr, Call) and expr.op in _PERIODIC and _computed(loss, expr):
        (phase,) = parts
        # Steep, and not a step: a variant makes the decisions of the formula and no other.
        gap = add(mul(phase, phase), Number(Fraction(-(PERIOD**2))))
        beyond = call("sigmoid", mul(Number(Fraction(8)), gap))
        parts = (mul(phase, add(ONE, mul(Number(width), beyond))),)
    return rebuild(expr, parts)


def _computed(loss: Loss, expr: Call) -> bool:
    """Whether a program rounds on the way to an argument: what is read, it has exactly."""
    (argument,) = expr.args
    while isinstance(argument, Call) and argument.op == "neg":
        (argument,) = argument.args
    return not isinstance(argument, Read | Number | Index | Size) and any(
        isinstance(n, Read) and not loss.variable(n.name).scalar for n in walk(argument)
    )
