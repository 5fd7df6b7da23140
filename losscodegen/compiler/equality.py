"""When two expressions are the same up to order, signs, coefficients and bound names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from fractions import Fraction
from functools import lru_cache

from losscodegen.compiler.canonical import Factor, Product, factors, scaled, terms
from losscodegen.ir.nodes import (
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
    # `0*log(x)` is 0 only where the logarithm exists; a plain 0 says nothing.
    kept = {monomial: c for monomial, c in _linear(expr).items() if c != 0 or monomial}
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
