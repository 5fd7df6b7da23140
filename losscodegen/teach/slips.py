"""THE table of slips: what is done wrong in a derivative, each as a change of the right derivation.

A slip changes what one rule of calculus makes, at one place or at all places where the rule is
used. An answer that equals what comes out of that is given its hint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from losscodegen.compiler.differentiate import MINUS_ONE, TWO
from losscodegen.compiler.tidy import (
    chosen,
    negative,
    product,
    quotient,
    raised,
    summed,
    switched,
    total,
)
from losscodegen.ir.build import ONE, ZERO, call
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Keep,
    Keeper,
    Reduce,
    Reduction,
    Select,
    Switch,
)
from losscodegen.ir.ops import OPS
from losscodegen.teach.calculus import Ask, step

Change = Callable[[Expr, Ask], Iterator[Expr]]
"""The wrong derivatives of an expression, as far as the slip can be made there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """One row: ``hint`` is what a teacher would say, ``{here}`` the part where it happened."""

    name: str
    hint: str
    change: Change


def _moving(args: tuple[Expr, ...], ask: Ask) -> list[tuple[int, Expr]]:
    return [(k, s) for k, s in enumerate(map(ask, args)) if s != ZERO]


def _inner(expr: Expr, ask: Ask) -> Iterator[Expr]:
    """The chain rule without the derivative of the inside."""
    if isinstance(expr, Call) and expr.op in ("add", "neg", "mul", "max", "min"):
        return
    if isinstance(expr, Call):
        args = expr.args[:1] if expr.op in ("div", "pow") else expr.args
        moving = [s for _, s in _moving(args if expr.op != "div" else expr.args, ask)]
        if any(s != ONE for s in moving):
            yield step(expr, lambda e: ONE if ask(e) != ZERO else ZERO).after


def _sign(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("neg", (inner,)):
            yield ask(inner)
        case Call("add", args) if any(_is_minus(a) for a in args):
            yield total(*(ask(a.args[0] if _is_minus(a) else a) for a in args))  # type: ignore[union-attr]
        case Call("div", (top, bottom)) if ask(top) == ZERO and ask(bottom) != ZERO:
            yield quotient(product(top, ask(bottom)), raised(bottom, TWO))
        case Call("cos", (arg,)):
            yield product(call("sin", arg), ask(arg))
        case Call("sin", (arg,)):
            yield negative(product(call("cos", arg), ask(arg)))
        case _:
            return


def _is_minus(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op == "neg"


def _product_terms(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("mul", args):
            moving = _moving(args, ask)
            if len(moving) > 1:
                for k, slope in moving:
                    yield product(*args[:k], slope, *args[k + 1 :])
        case _:
            return


def _product_of_slopes(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("mul", args):
            slopes = dict(_moving(args, ask))
            if len(slopes) > 1:
                yield product(*(slopes.get(k, a) for k, a in enumerate(args)))
        case _:
            return


def _quotient_parts(expr: Expr, ask: Ask) -> tuple[Expr, Expr, Expr, Expr] | None:
    match expr:
        case Call("div", (top, bottom)) if ask(bottom) != ZERO and ask(top) != ZERO:
            return top, bottom, ask(top), ask(bottom)
        case _:
            return None


def _swapped(expr: Expr, ask: Ask) -> Iterator[Expr]:
    parts = _quotient_parts(expr, ask)
    if parts:
        top, bottom, above, below = parts
        numerator = total(product(top, below), negative(product(above, bottom)))
        yield quotient(numerator, raised(bottom, TWO))


def _quotient_plus(expr: Expr, ask: Ask) -> Iterator[Expr]:
    parts = _quotient_parts(expr, ask)
    if parts:
        top, bottom, above, below = parts
        numerator = total(product(top, below), product(above, bottom))
        yield quotient(numerator, raised(bottom, TWO))


def _unsquared(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("div", (top, bottom)) if ask(bottom) != ZERO:
            above, below = ask(top), ask(bottom)
            numerator = total(product(above, bottom), negative(product(top, below)))
            yield quotient(numerator, bottom)
        case _:
            return


def _slopes_divided(expr: Expr, ask: Ask) -> Iterator[Expr]:
    parts = _quotient_parts(expr, ask)
    if parts:
        _, _, above, below = parts
        yield quotient(above, below)


def _denominator_constant(expr: Expr, ask: Ask) -> Iterator[Expr]:
    parts = _quotient_parts(expr, ask)
    if parts:
        _, bottom, above, _ = parts
        yield quotient(above, bottom)


def _not_lowered(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("pow", (base, exponent)) if ask(base) != ZERO:
            yield product(exponent, raised(base, exponent), ask(base))
        case Call("square", (base,)) if ask(base) != ZERO:
            yield product(TWO, raised(base, TWO), ask(base))
        case _:
            return


def _factor(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("pow", (base, exponent)) if ask(base) != ZERO:
            yield product(raised(base, total(exponent, MINUS_ONE)), ask(base))
        case Call("square", (base,)) if ask(base) != ZERO:
            yield product(base, ask(base))
        case Call("sqrt", (arg,)):
            yield quotient(ask(arg), expr)
        case _:
            return


def _exponential_as_power(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("exp", (arg,)):
            lowered = call("exp", total(arg, MINUS_ONE))
            yield product(arg, lowered, ask(arg))
        case Call("pow", (base, exponent)) if ask(exponent) != ZERO:
            yield product(
                exponent, raised(base, total(exponent, MINUS_ONE)), ask(exponent)
            )
            yield product(expr, ask(exponent))
        case _:
            return


def _outer(expr: Expr, ask: Ask) -> Iterator[Expr]:
    """The function kept as it is, times the derivative of the inside; or that alone."""
    match expr:
        case Call(op, (arg,)) if op not in ("neg", "exp") and OPS[op].derivative:
            yield product(expr, ask(arg))
            yield ask(arg)
        case _:
            return


def _table(expr: Expr, ask: Ask) -> Iterator[Expr]:
    """Derivatives that are confused with others."""
    match expr:
        case Call("tanh", (arg,)):
            yield product(total(ONE, negative(expr)), ask(arg))
        case Call("sigmoid" | "softplus" as op, (arg,)):
            s = call("sigmoid", arg)
            wrong = (
                total(ONE, negative(s))
                if op == "sigmoid"
                else call("sigmoid", negative(arg))
            )
            yield product(wrong, ask(arg))
        case Call("log", (arg,)):
            yield product(quotient(ONE, raised(arg, TWO)), ask(arg))
        case Call("log1p", (arg,)):
            yield quotient(ask(arg), arg)
        case Call("logsigmoid", (arg,)):
            yield product(call("sigmoid", arg), ask(arg))
        case Call("cosh", (arg,)):
            yield negative(product(call("sinh", arg), ask(arg)))
        case Call("xlogy", (_, right)) if ask(right) != ZERO:
            yield quotient(ask(right), right)
        case _:
            return


def _absolute(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("abs", (arg,)):
            yield ask(arg)
        case _:
            return


def _missing(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("add", args):
            slopes = list(map(ask, args))
            for k, slope in enumerate(slopes):
                if slope != ZERO and len([s for s in slopes if s != ZERO]) > 1:
                    yield total(*slopes[:k], *slopes[k + 1 :])
        case Keep(Keeper.LOG_SOFTMAX, body, index):
            right = step(expr, ask).after
            weight = Keep(Keeper.SOFTMAX, body, index, index)
            mean = summed(product(weight, ask(body)), (index,))
            yield negative(mean)
            yield total(right, mean)
        case _:
            return


def _constant_kept(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Call("add", args):
            slopes = list(map(ask, args))
            constants = [a for a, s in zip(args, slopes, strict=True) if s == ZERO]
            if constants and len(constants) < len(args):
                yield total(*slopes, *constants)
                yield total(*slopes, ONE)
        case _:
            return


def _constant_dropped(expr: Expr, ask: Ask) -> Iterator[Expr]:
    """A constant factor that is forgotten, one at a time."""
    match expr:
        case Call("mul", args):
            moving = dict(_moving(args, ask))
            if len(moving) == 1:
                kept = [moving.get(k, a) for k, a in enumerate(args)]
                for k in range(len(args)):
                    if k not in moving:
                        yield product(*kept[:k], *kept[k + 1 :])
        case Call("div", (top, bottom)) if ask(bottom) == ZERO:
            yield ask(top)
        case Call("xlogy", (left, right)) if ask(left) == ZERO:
            yield quotient(ask(right), right)
        case _:
            return


def _branches(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Select(condition, then, otherwise):
            yield chosen(condition, ask(otherwise), ask(then))
        case Switch(condition, then, otherwise):
            yield switched(condition, ask(otherwise), ask(then))
        case Call("relu", (arg,)):
            yield chosen(call("lt", arg, ZERO), ask(arg), ZERO)
        case Call("max" | "min" as op, (left, right)):
            yield chosen(
                call("lt" if op == "max" else "gt", left, right), ask(left), ask(right)
            )
        case Call("abs", (arg,)):
            yield negative(step(expr, ask).after)
        case _:
            return


def _one_branch(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Select(_, then, otherwise):
            yield ask(then)
            yield ask(otherwise)
        case Call("relu", (arg,)):
            yield ask(arg)
        case Call("max" | "min", args):
            yield from (ask(a) for a in args)
        case Call("clip", (arg, _, _)):
            yield ask(arg)
        case _:
            return


def _reduction(expr: Expr, ask: Ask) -> Iterator[Expr]:
    match expr:
        case Reduce(Reduction.MEAN, body, indices, where):
            condition = True if where is None else where
            yield summed(ask(body), indices, condition)
        case Reduce(Reduction.SUM, body, indices, where):
            yield replace(expr, kind=Reduction.MEAN, body=ask(body))
        case Reduce(Reduction.NORM, body, indices, where) if expr.order == TWO:
            condition = True if where is None else where
            yield summed(product(body, ask(body)), indices, condition)
        case _:
            return


SLIPS = (
    Slip(name="sign", hint="A sign is wrong: a minus is lost or too many at {here}.", change=_sign),
    Slip(name="inner-derivative", hint="The chain rule: the derivative of the inside is missing at {here}.", change=_inner),
    Slip(name="power-not-lowered", hint="The power rule: the exponent is not lowered by 1 at {here}.", change=_not_lowered),
    Slip(name="factor", hint="The factor that the exponent gives (2 for a square, 1/2 for a root) is missing at {here}.", change=_factor),
    Slip(name="quotient-swapped", hint="The quotient rule: the two products in the numerator are swapped at {here}.", change=_swapped),
    Slip(name="quotient-sign", hint="The quotient rule has a minus between its products, not a plus, at {here}.", change=_quotient_plus),
    Slip(name="denominator-not-squared", hint="The quotient rule: the denominator is not squared at {here}.", change=_unsquared),
    Slip(name="slopes-divided", hint="The derivative of a quotient is not the quotient of the derivatives, at {here}.", change=_slopes_divided),
    Slip(name="denominator-as-constant", hint="The denominator of {here} depends on the variable, too: this is no constant factor.", change=_denominator_constant),
    Slip(name="product-term", hint="The product rule has a term for each factor; only one is there for {here}.", change=_product_terms),
    Slip(name="product-of-slopes", hint="The derivative of a product is not the product of the derivatives, at {here}.", change=_product_of_slopes),
    Slip(name="constant-factor", hint="A constant factor is lost at {here}.", change=_constant_dropped),
    Slip(name="exponential-as-power", hint="An exponential is not a power of the variable: its exponent is not lowered, at {here}.", change=_exponential_as_power),
    Slip(name="wrong-branch", hint="The branches are confused at {here}: the condition holds where the other is taken.", change=_branches),
    Slip(name="one-branch", hint="One branch is used everywhere; {here} has another where its condition changes.", change=_one_branch),
    Slip(name="absolute-value", hint="The derivative of an absolute value is the sign of what is inside, at {here}.", change=_absolute),
    Slip(name="missing-term", hint="A term of the sum is missing: look at each term of {here}.", change=_missing),
    Slip(name="constant-kept", hint="The derivative of a constant is 0; one is left over from {here}.", change=_constant_kept),
    Slip(name="reduction", hint="The sum or mean is not taken along: look at the 1/N, the sum or the norm of {here}.", change=_reduction),
    Slip(name="table", hint="The derivative of the function itself is another one at {here}.", change=_table),
    Slip(name="outer-derivative", hint="The outer function of {here} is not differentiated.", change=_outer),
)  # fmt: skip
"""Every slip of a single step, the likeliest first."""
