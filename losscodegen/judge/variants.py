"""Variants of a loss that a program in floating point cannot tell from it.

The constants may be off by an ulp, for no format represents one tenth. The computed argument of a
sine beyond its first period may be off by an ulp: the sine of 10**9 has lost nine digits of it,
however it is written. Within the period it may not, for ``sin(2*atan(x))`` has a better form.
Sums and norms over an axis may be off by a few ulps of their own where they are compared or
clipped: a distance of 10**7 is known to a unit in float32, and so is the margin of two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random

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
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import (
    children,
    free_indices,
    inline_loss,
    rebuild,
    transform,
    walk,
)
from losscodegen.judge.criterion import ROUNDINGS
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import INTEGRAL

TRIES = 2
PERIOD = 7
"""Beyond a period, the argument of a periodic function is known to an ulp of its own at best."""

_DECIDING = frozenset(
    {"lt", "le", "gt", "ge", "abs", "sign", "relu", "heaviside", "max", "min", "clip"}
)
_SUMS = frozenset({Reduction.SUM, Reduction.MEAN, Reduction.NORM})
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
    for seed in range(TRIES):
        for sign in (-1, 1):
            # In pairs, so that one of two lies on either side of the sum.
            nudge = _nudger(sign * ROUNDINGS * unit, Random(seed))
            found.append(_move_decisions(plain.expression, nudge))
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


# ---------------------------------------------------------------------- sums that decide

Nudge = Callable[[Expr], Expr]


def _move_decisions(expr: Expr, nudge: Nudge) -> Expr:
    """What decides, with its sums moved; conditions over scalars and masks are exact already."""

    def go(part: Expr) -> Expr:
        return _move_decisions(part, nudge)

    match expr:
        case Number() | Constant() | Index() | Size() | Read() | Use():
            return expr
        case Switch(condition, then, otherwise):
            return rebuild(expr, (condition, go(then), go(otherwise)))
        case Keep(body=body, at=at):
            return rebuild(expr, (go(body), at))
        case Reduce(kind, body):
            largest = kind in (Reduction.AMAX, Reduction.AMIN)
            new = nudge(body) if largest else go(body)
            return rebuild(expr, (new, *children(expr)[1:]))
        case Call(op, args):
            moved = nudge if op in _DECIDING else go
            return rebuild(expr, tuple(map(moved, args)))
        case Select():
            return rebuild(expr, tuple(map(go, children(expr))))


def _nudger(width: Fraction, random: Random) -> Nudge:
    """Multiplies each sum over an axis by 1 give or take ``width``, differently for each entry.

    What stands in two places is moved alike: rounding does not tell the two apart.
    """

    @cache
    def factor(expr: Expr) -> Expr:
        indices = free_indices(expr)
        if not indices:
            amount = Fraction(random.randrange(32, 64), 64)
            return Number(1 + random.choice((-1, 1)) * width * amount)
        phase: list[Expr] = [Number(Fraction(random.randrange(1, 100), 7))]
        phase += [
            mul(Number(Fraction(random.randrange(8, 90), 11)), i) for i in indices
        ]
        return add(ONE, mul(Number(width), call("sin", add(*phase))))

    def nudge(expr: Expr) -> Expr:
        return transform(expr, moved)

    def moved(node: Expr) -> Expr:
        is_sum = isinstance(node, Reduce) and node.kind in _SUMS
        return mul(node, factor(node)) if is_sum else node

    return nudge
