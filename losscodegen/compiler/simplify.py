"""What rules build, without the traces of having been built: no ``1*x``, ``x + 0`` or ``--x``."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt

from losscodegen.compiler.canonical import (
    HALF,
    Factor,
    Term,
    decimal,
    factors,
    from_factors,
    from_terms,
)
from losscodegen.ir.build import ONE, ZERO, number
from losscodegen.ir.nodes import NO_ORIGIN, Call, Expr, Number


def tidy(expr: Expr) -> Expr:
    """One node that a rule built, without ``1*x``, ``x + 0``, ``--x``, ``sqrt(4)``."""
    match expr:
        case Call("add" | "neg" | "mul" | "div" | "pow" | "square" | "sqrt"):
            new = _tidied(expr)
            if new == expr:
                return expr
            origin = expr.origin if new.origin == NO_ORIGIN else new.origin
            return replace(new, origin=origin)
        case _:
            return even(expr)


def even(expr: Expr) -> Expr:
    """One node, of the opposite argument where the sign does not matter: ``cosh(-x)``."""
    match expr:
        case Call("abs" | "cosh" | "cos", (Call() as inner,)):
            product = factors(inner)
            if product.coefficient >= 0:
                return expr
            positive = from_factors(-product.coefficient, product.factors)
            return replace(expr, args=(positive,))
        case _:
            return expr


def _tidied(expr: Call) -> Expr:
    if expr.op == "add":
        parts = [t for a in expr.args for t in _flat(a) if t.coefficient != 0]
        constant = sum((t.coefficient for t in parts if t.body == ONE), Fraction(0))
        numbers = [t for t in parts if t.body == ONE]
        if len(numbers) > 1:
            parts = [t for t in parts if t.body != ONE]
            if constant:
                parts.append(Term(constant, ONE))
        elif len(parts) == len(expr.args):
            args = (expr.args[0], *map(_minus, expr.args[1:]))
            return expr if args == expr.args else replace(expr, args=args)
        return from_terms(parts)
    if expr.op == "neg":
        product = factors(expr)
        inner = expr.args[0]
        if isinstance(inner, Call) and inner.op == "neg":
            return inner.args[0]
        if isinstance(inner, Number):
            return number(-inner.value, decimal(-inner.value))
        if product.coefficient > 0 and product.factors:
            return from_factors(product.coefficient, product.factors)
        return expr
    if expr.op in ("sqrt", "pow", "square"):
        return _tidied_power(expr)
    return _tidied_product(expr)


def _tidied_product(expr: Call) -> Expr:
    """Numbers together and in front, signs outside, ``x*(1/y)`` as ``x/y``; factors stay whole."""
    coefficient, above, below = Fraction(1), list[Expr](), list[Expr]()
    top, bottom = expr.args[:1] if expr.op == "div" else expr.args, expr.args[1:]
    for arg in top:
        coefficient *= _take(arg, above, below)
    if expr.op == "div":
        divisor = _take(bottom[0], below, above)
        if divisor == 0:
            return expr
        coefficient /= divisor
    if coefficient == 0:
        return ZERO
    one = Fraction(1)
    new = from_factors(
        coefficient, [Factor(a, one) for a in above] + [Factor(b, -one) for b in below]
    )
    return expr if new == expr else new


def _take(arg: Expr, above: list[Expr], below: list[Expr]) -> Fraction:
    """Puts a factor where it belongs and returns its number."""
    match arg:
        case Number(value):
            return value
        case Call("neg", (inner,)):
            return -_take(inner, above, below)
        case Call("mul", (Number(value), *rest)):
            above += rest
            return value
        case Call("div", (Number(value), divisor)):
            below.append(divisor)
            return value
        case Call("div", (inner, Number(value))) if value != 0:
            above.append(inner)
            return 1 / value
        case _:
            above.append(arg)
            return Fraction(1)


def _minus(expr: Expr) -> Expr:
    """A negative number as it stands in a sum: ``x - 1``."""
    if isinstance(expr, Number) and expr.value < 0:
        return Call("neg", (number(-expr.value, decimal(-expr.value)),))
    return expr


def _flat(expr: Expr) -> tuple[Term, ...]:
    match expr:
        case Number(value):
            return (Term(value, ONE),)
        case Call("neg", (Number(value),)):
            return (Term(-value, ONE),)
        case _:
            return (Term(Fraction(1), expr),)


def _tidied_power(expr: Call) -> Expr:
    (factor,) = factors(expr).factors
    base, exponent = factor.base, factor.exponent
    if not isinstance(exponent, Fraction):
        return expr
    if exponent == 1:
        return base
    inner = factors(base)
    if exponent == HALF and not inner.factors and inner.coefficient >= 0:
        root = exact_root(inner.coefficient)
        return expr if root is None else number(root, decimal(root))
    if exponent == HALF and inner.coefficient == 1 and len(inner.factors) == 1:
        power = inner.factors[0].exponent
        if power == -1:
            return from_factors(Fraction(1), (Factor(inner.factors[0].base, -HALF),))
    if exponent == 2 and inner.coefficient == 1 and len(inner.factors) == 1:
        power = inner.factors[0].exponent
        if power == HALF:
            return inner.factors[0].base
    return expr


def exact_root(value: Fraction) -> Fraction | None:
    """The square root of ``value`` if it is rational."""
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    root = Fraction(top, bottom)
    return root if root * root == value else None
