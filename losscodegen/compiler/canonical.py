"""Sums and products seen as the matcher sees them, and back into the form a reader expects.

The views below never change a value or a domain: ``0*log(x)`` keeps its logarithm, ``exp(a)*exp(b)``
stays two factors, and operands keep the order in which they were written. An expression that no
rule touches is never taken apart and put together again; it stays the very object it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import isqrt

from losscodegen.ir.build import ONE, ZERO, mul, number
from losscodegen.ir.nodes import (
    NO_ORIGIN,
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Number,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.walk import canonical

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
    """``base**exponent``."""

    base: Expr
    exponent: Exponent


@dataclass(frozen=True, slots=True)
class Product:
    """``coefficient`` times all factors, in the order they were written."""

    coefficient: Fraction
    factors: tuple[Factor, ...]


# ---------------------------------------------------------------- views


def terms(expr: Expr, coefficient: Fraction = Fraction(1)) -> tuple[Term, ...]:
    """``coefficient*expr`` as a sum, signs and rational coefficients pulled out.

    A rational multiple of a sum is distributed over it: ``(a - b)/2`` has two terms.
    """
    match expr:
        case Call("add", args):
            return tuple(t for a in args for t in terms(a, coefficient))
        case Call("neg", (arg,)):
            return terms(arg, -coefficient)
        case Number(value):
            return (Term(coefficient * value, ONE),)
        case Call("mul" | "div"):
            product = factors(expr)
            if product.coefficient == 1:
                return (Term(coefficient, expr),)
            body = from_factors(Fraction(1), product.factors)
            return terms(body, coefficient * product.coefficient)
        case _:
            return (Term(coefficient, expr),)


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
            inverse = tuple(Factor(f.base, negated(f.exponent)) for f in below.factors)
            return Product(
                above.coefficient / below.coefficient, above.factors + inverse
            )
        case Call("pow", (base, exponent)):
            return Product(Fraction(1), (Factor(base, rational(exponent)),))
        case Call("square", (base,)):
            return Product(Fraction(1), (Factor(base, Fraction(2)),))
        case Call("sqrt", (base,)):
            return Product(Fraction(1), (Factor(base, HALF),))
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
            below.append(_powered(factor.base, -factor.exponent))
        else:
            above.append(_powered(factor.base, factor.exponent))
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


def _powered(base: Expr, exponent: Exponent) -> Expr:
    if exponent == 1:
        return base
    if exponent == HALF:
        return Call("sqrt", (base,))
    if not isinstance(exponent, Fraction):
        return Call("pow", (base, exponent))
    return Call("pow", (base, number(exponent, decimal(exponent))))


# ---------------------------------------------------------------- equality


def same(left: Expr, right: Expr) -> bool:
    """Whether two expressions are equal up to order, signs, coefficients and bound names."""
    return left is right or key(left) == key(right)


@lru_cache(maxsize=1 << 14)
def key(expr: Expr) -> Hashable:
    """Equal for expressions that are `same`."""
    return _key(canonical(expr))


@lru_cache(maxsize=1 << 14)
def _key(expr: Expr) -> Hashable:
    match expr:
        case Number(value):
            return value
        case Constant() | Index() | Size():
            return expr
        case Call("add" | "neg" | "mul" | "div" | "pow" | "square" | "sqrt"):
            return _sum_key(expr)
        case Call("abs", (arg,)):
            return ("abs", frozenset((_key(arg), _key(scaled(arg, Fraction(-1))))))
        case Call("gt", (a, b)):
            return ("lt", _key(b), _key(a))
        case Call("ge", (a, b)):
            return ("le", _key(b), _key(a))
        case Call("max" | "min" | "and" | "or" | "eq" | "ne" | "hypot" | "logaddexp"):
            return (expr.op, frozenset(Counter(map(_key, expr.args)).items()))
        case Call(op, args):
            return (op, *map(_key, args))
        case Read(name, subscripts) | Use(name, subscripts):
            return ("read", name, *map(_key, subscripts))
        case Select(a, b, c) | Switch(a, b, c):
            return (type(expr).__name__, _key(a), _key(b), _key(c))
        case Reduce(kind, body, indices, where, order):
            rest = tuple(None if e is None else _key(e) for e in (where, order))
            return (kind, _key(body), indices, *rest)
        case Keep(kind, body, index, at):
            return (kind, _key(body), index, _key(at))


def _sum_key(expr: Expr) -> Hashable:
    kept = {monomial: c for monomial, c in _linear(expr).items() if c != 0}
    if not kept:
        return Fraction(0)
    if len(kept) == 1:
        ((monomial, coefficient),) = kept.items()
        if not monomial:
            return coefficient
        (base, exponent), *others = monomial
        if coefficient == 1 and exponent == 1 and not others:
            return base
    return ("sum", frozenset(kept.items()))


Monomial = frozenset[tuple[Hashable, Hashable]]


def _linear(expr: Expr) -> dict[Monomial, Fraction]:
    """``expr`` as coefficients of products of powers; sums inside products stay whole."""
    total: dict[Monomial, Fraction] = {}
    for term in terms(expr):
        product = factors(term.body)
        coefficient = term.coefficient * product.coefficient
        monomial = _monomial(term.body, product)
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return total


def _monomial(expr: Expr, product: Product) -> Monomial:
    if product.factors == (Factor(expr, Fraction(1)),):
        whole = isinstance(expr, Call) and expr.op in ("div", "add")
        return frozenset({(_plain(expr) if whole else _key(expr), Fraction(1))})
    bases: dict[Hashable, Expr] = {}
    total: dict[Hashable, Hashable] = {}
    for factor in product.factors:
        base, exponent = _key(factor.base), factor.exponent
        bases.setdefault(base, factor.base)
        seen = total.get(base, Fraction(0))
        if isinstance(exponent, Fraction) and isinstance(seen, Fraction):
            total[base] = seen + exponent
        else:
            symbolic = (
                _key(exponent) if not isinstance(exponent, Fraction) else exponent
            )
            total[base] = symbolic if seen == 0 else (seen, symbolic)
    return frozenset(
        (_even(bases[b]) if isinstance(e, Fraction) and e % 2 == 0 else b, e)
        for b, e in total.items()
        if e != 0
    )


def _even(base: Expr) -> Hashable:
    """Under an even power the sign of the base does not matter."""
    return ("even", frozenset((_key(base), _key(scaled(base, Fraction(-1))))))


def _plain(expr: Expr) -> Hashable:
    assert isinstance(expr, Call)
    return (expr.op, *map(_key, expr.args))


# ---------------------------------------------------------------- tidying


def tidy(expr: Expr) -> Expr:
    """One node that a rule built, without ``1*x``, ``x + 0``, ``--x``, ``sqrt(4)``."""
    match expr:
        case Call("add" | "neg" | "mul" | "div" | "pow" | "square" | "sqrt"):
            new = _tidied(expr)
            if new == expr:
                return expr
            origin = expr.origin if new.origin == NO_ORIGIN else new.origin
            return replace(new, origin=origin)
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
            return expr
        return from_terms(parts)
    if expr.op == "neg":
        product = factors(expr)
        inner = expr.args[0]
        if isinstance(inner, Call) and inner.op == "neg":
            return inner.args[0]
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
