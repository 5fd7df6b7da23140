"""Sums and products seen as the matcher sees them, and back into the form a reader expects.

The views below never change a value or a domain: ``0*log(x)`` keeps its logarithm, and
``exp(a)*exp(b)`` stays two factors. Operands keep the order in which they were written. An
expression that no rule touches is never taken apart and put together again; it stays the very
object it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from losscodegen.ir.build import ONE, ZERO, mul, number
from losscodegen.ir.nodes import Call, Expr, Number, remembered

HALF = Fraction(1, 2)

Exponent = Fraction | Expr
"""A rational, or an expression such as a parameter."""


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient*body``; the body of a plain number is 1."""

    coefficient: Fraction
    body: Expr


@dataclass(frozen=True, slots=True)
class Factor:
    """``base**exponent``; ``made`` is the node that it was read from, if it was one."""

    base: Expr
    exponent: Exponent
    made: Expr | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Product:
    """``coefficient`` times all factors, in the order they were written."""

    coefficient: Fraction
    factors: tuple[Factor, ...]


# ---------------------------------------------------------------- views


@remembered
def terms(expr: Expr) -> tuple[Term, ...]:
    """``expr`` as a sum, signs and rational coefficients pulled out.

    A rational multiple of a sum is distributed over it: ``(a - b)/2`` has two terms.
    """
    match expr:
        case Call("add", args):
            # Anew even if nothing changes: a part that occurs twice makes two terms.
            return tuple(Term(t.coefficient, t.body) for a in args for t in terms(a))
        case Call("neg", (arg,)):
            return multiplied(terms(arg), Fraction(-1))
        case Number(value):
            return (Term(value, ONE),)
        case Call("mul" | "div"):
            product = factors(expr)
            if product.coefficient == 1:
                return (Term(Fraction(1), expr),)
            body = from_factors(Fraction(1), product.factors)
            return multiplied(terms(body), product.coefficient)
        case _:
            return (Term(Fraction(1), expr),)


def multiplied(parts: tuple[Term, ...], by: Fraction) -> tuple[Term, ...]:
    """The terms of ``by`` times the sum of ``parts``."""
    return tuple(Term(by * t.coefficient, t.body) for t in parts)


@remembered
def factors(expr: Expr) -> Product:
    """``expr`` as a product: division as power -1, sqrt as power 1/2, square as power 2."""
    match expr:
        case Number(value):
            return Product(value, ())
        case Call("neg", (arg,)):
            inner = factors(arg)
            return Product(-inner.coefficient, inner.factors)
        case Call("mul", args):
            coefficient, found = Fraction(1), list[Factor]()
            for arg in args:
                part = factors(arg)
                coefficient *= part.coefficient
                found += part.factors
            return Product(coefficient, tuple(found))
        case Call("div", (left, right)):
            above, below = factors(left), factors(right)
            if below.coefficient == 0:
                return Product(Fraction(1), (Factor(expr, Fraction(1)),))
            inverse = tuple(
                replace(f, exponent=negated(f.exponent)) for f in below.factors
            )
            return Product(
                above.coefficient / below.coefficient, above.factors + inverse
            )
        case Call("pow", (base, exponent)):
            return Product(Fraction(1), (Factor(base, rational(exponent), expr),))
        case Call("square", (base,)):
            return Product(Fraction(1), (Factor(base, Fraction(2)),))
        case Call("sqrt", (base,)):
            return Product(Fraction(1), (Factor(base, HALF, expr),))
        case _:
            return Product(Fraction(1), (Factor(expr, Fraction(1)),))


def rational(expr: Expr) -> Exponent:
    """The value of an expression made of numbers alone, else the expression."""
    product = factors(expr)
    if not product.factors:
        return product.coefficient
    parts = terms(expr)
    if all(t.body == ONE for t in parts):
        return sum((t.coefficient for t in parts), Fraction(0))
    return expr


def negated(exponent: Exponent) -> Exponent:
    return (
        -exponent if isinstance(exponent, Fraction) else scaled(exponent, Fraction(-1))
    )


def scaled(expr: Expr, by: Fraction) -> Expr:
    """``by*expr``, the sign of a sum moved into its terms."""
    if by == 1:
        return expr
    if by == -1 and isinstance(expr, Call) and expr.op == "add":
        return from_terms(Term(-t.coefficient, t.body) for t in _own_terms(expr))
    product = factors(expr)
    return from_factors(by * product.coefficient, product.factors)


def _own_terms(expr: Call) -> tuple[Term, ...]:
    """The terms of a sum without distributing coefficients over inner sums."""
    found = []
    for arg in expr.args:
        product = factors(arg)
        body = from_factors(Fraction(1), product.factors) if product.factors else ONE
        found.append(Term(product.coefficient, body))
    return tuple(found)


# ---------------------------------------------------------------- the way back


def from_terms(parts: Iterable[Term]) -> Expr:
    """The sum in readable form: ``a - b``, numbers last where they stood last."""
    args = []
    for term in parts:
        product = factors(term.body)
        coefficient = term.coefficient * product.coefficient
        if term.coefficient == 1:
            args.append(term.body)
        elif coefficient == -1 == term.coefficient:
            args.append(Call("neg", (term.body,)))
        elif coefficient < 0 and product.factors:
            args.append(Call("neg", (from_factors(-coefficient, product.factors),)))
        else:
            args.append(from_factors(coefficient, product.factors))
    if not args:
        return ZERO
    return args[0] if len(args) == 1 else Call("add", tuple(args))


def from_factors(coefficient: Fraction, parts: Iterable[Factor]) -> Expr:
    """The product in readable form: ``a/b``, ``sqrt(a)``, ``0.5*a``, ``-a``."""
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in parts:
        if isinstance(factor.exponent, Fraction) and factor.exponent < 0:
            below.append(_powered(replace(factor, exponent=-factor.exponent)))
        else:
            above.append(_powered(factor))
    sign, coefficient = (-1, -coefficient) if coefficient < 0 else (1, coefficient)
    exact = coefficient.denominator & (coefficient.denominator - 1) == 0
    if coefficient.denominator != 1 and (not exact or coefficient.numerator != 1):
        below.insert(0, number(coefficient.denominator))
        coefficient = Fraction(coefficient.numerator)
    if coefficient != 1 or not above:
        above.insert(0, number(coefficient, decimal(coefficient)))
    if sign < 0 and isinstance(above[0], Number):
        value = -above[0].value
        above[0], sign = number(value, decimal(value)), 1
    top = mul(*above)
    whole = Call("div", (top, mul(*below))) if below else top
    return Call("neg", (whole,)) if sign < 0 else whole


def decimal(value: Fraction) -> str | None:
    """The shortest exact decimal of ``value`` if it has a short one."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return None
    text = str(float(value)) if value.denominator != 1 else str(value.numerator)
    return text if Fraction(text) == value and "e" not in text else None


def _powered(factor: Factor) -> Expr:
    """The power as a node: the one it was read from where that says the same."""
    power = _power(factor.base, factor.exponent)
    return power if factor.made is None or factor.made != power else factor.made


def _power(base: Expr, exponent: Exponent) -> Expr:
    if exponent == 1:
        return base
    if exponent == HALF:
        return Call("sqrt", (base,))
    if not isinstance(exponent, Fraction):
        return Call("pow", (base, exponent))
    return Call("pow", (base, number(exponent, decimal(exponent))))
