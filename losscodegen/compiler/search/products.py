"""Products in an order in which no part of them leaves the range of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from losscodegen.compiler.canonical import (
    Factor,
    Product,
    Term,
    factors,
    from_factors,
    from_terms,
    terms,
)
from losscodegen.compiler.search.form import SHARES, Form, form
from losscodegen.compiler.search.rational import Algebra, TooLargeError
from losscodegen.ir.build import ONE, ZERO, number
from losscodegen.ir.nodes import Call, Expr


def products(expr: Call) -> Iterator[Form]:
    """Products in an order in which no part of them leaves the range of numbers."""
    product = factors(expr)
    roots = [f for f in product.factors if _halves(f)]
    if len(roots) > 1:
        under = [replace(f, exponent=_doubled(f), made=None) for f in roots]
        algebra = Algebra.of(*(f.base for f in under))
        inner = from_factors(Fraction(1), under)
        merged = algebra.expression(algebra.read(inner))
        others = [f for f in product.factors if f not in roots]
        root = Factor(merged, Fraction(1, 2))
        yield form("joined-roots", from_factors(product.coefficient, [*others, root]))
    if any(isinstance(f.base, Call) and f.base.op == "expm1" for f in product.factors):
        yield from _tails(product.coefficient, product.factors)
    yield from _shares(product.coefficient, product.factors)
    whole = _as_written(expr)
    if len(whole) < len(product.factors):
        yield from _shares(Fraction(1), whole)


def _as_written(expr: Expr) -> tuple[Factor, ...]:
    """The factors of ``expr``, of which a product within a product is one.

    A divisor may be as large as such a product is, and no factor of it alone.
    """
    match expr:
        case Call("mul", args):
            return tuple(Factor(a, Fraction(1)) for a in args)
        case Call("div", (top, bottom)):
            below = (replace(f, exponent=-Fraction(1)) for f in _as_written(bottom))
            return (*_as_written(top), *below)
        case _:
            return (Factor(expr, Fraction(1)),)


def _halves(factor: Factor) -> bool:
    exponent = factor.exponent
    return isinstance(exponent, Fraction) and exponent.denominator == 2


def _doubled(factor: Factor) -> Fraction:
    assert isinstance(factor.exponent, Fraction)
    return 2 * factor.exponent


def _tails(coefficient: Fraction, parts: tuple[Factor, ...]) -> Iterator[Form]:
    """``expm1(u)`` as ``-exp(u)*expm1(-u)``: the exponentials may cancel."""
    exponents, rest = list[Term](), list[Factor]()
    for part in parts:
        base, exponent = part.base, part.exponent
        whole = isinstance(exponent, Fraction) and exponent.denominator == 1
        if not isinstance(exponent, Fraction) or not whole:
            rest.append(part)
        elif isinstance(base, Call) and base.op == "expm1":
            inner = Algebra.of(base.args[0])
            minus = inner.times(inner.read(number(-1)), inner.read(base.args[0]))
            turned = Call("expm1", (inner.expression(minus),))
            rest.append(Factor(turned, exponent))
            coefficient *= Fraction(-1) ** int(exponent)
            exponents.append(Term(exponent, base.args[0]))
        elif isinstance(base, Call) and base.op == "exp":
            exponents.append(Term(exponent, base.args[0]))
        else:
            rest.append(part)
    total = from_terms(exponents)
    algebra = Algebra.of(total)
    left = algebra.expression(algebra.read(total))
    if left != ZERO:
        rest.append(Factor(Call("exp", (left,)), Fraction(1)))
    yield form("exponentials-cancelled", from_factors(coefficient, rest))


def _shares(coefficient: Fraction, parts: tuple[Factor, ...]) -> Iterator[Form]:
    """Every divisor below a factor of its own."""
    above, below = list[Expr](), list[Expr]()
    for part in parts:
        exponent = part.exponent
        if not isinstance(exponent, Fraction):
            return
        if exponent.denominator != 1 or abs(exponent) > 3:
            single = from_factors(
                Fraction(1), [replace(part, exponent=abs(exponent), made=None)]
            )
            (above if exponent > 0 else below).append(single)
        else:
            side = above if exponent > 0 else below
            side += [part.base] * int(abs(exponent))
    above = [root for part in above for root in _length_twice(part)]
    if not below or len(above) + len(below) < 3:
        return
    tops = [*above, *[ONE] * (len(below) - len(above))]
    scale = [] if coefficient == 1 else [number(coefficient)]
    for turn in range(min(len(tops), 3)):
        turned = tops[turn:] + tops[:turn]
        shares = [Call("div", pair) for pair in zip(turned, below, strict=False)]
        yield form(SHARES, Call("mul", (*scale, *shares, *turned[len(below) :])))


def _length_twice(expr: Expr) -> tuple[Expr, ...]:
    """``1 + x**2`` as the two lengths whose product it is; anything else as it is."""
    parts = terms(expr)
    if len(parts) != 2 or all(t.body == ONE for t in parts):
        return (expr,)
    one, other = map(_leg, parts)
    if one is None or other is None:
        return (expr,)
    return (Call("hypot", (one, other)),) * 2


def _leg(term: Term) -> Expr | None:
    """What ``term`` is the square of, where that is a number or needs no root."""
    if term.body == ONE:
        if term.coefficient <= 0:
            return None
        one = term.coefficient == 1
        return ONE if one else Call("sqrt", (number(term.coefficient),))
    product = factors(term.body)
    halves = [
        replace(f, exponent=f.exponent / 2, made=None)
        for f in product.factors
        if isinstance(f.exponent, Fraction) and f.exponent % 2 == 0
    ]
    if (
        len(halves) < len(product.factors)
        or product.coefficient * term.coefficient != 1
    ):
        return None
    return from_factors(Fraction(1), halves)


def split_root(product: Product) -> Expr:
    """The root of every factor."""
    roots = [
        replace(f, exponent=f.exponent / 2, made=None)
        for f in product.factors
        if isinstance(f.exponent, Fraction)
    ]
    if len(roots) < len(product.factors):
        raise TooLargeError
    scale = Call("sqrt", (number(product.coefficient),))
    found = from_factors(Fraction(1), roots)
    return found if product.coefficient == 1 else Call("mul", (scale, found))
