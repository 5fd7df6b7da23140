"""Differences of two values of one function, by the rows of `differences`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

from losscodegen.compiler.canonical import (
    Term,
    factors,
    from_factors,
    from_terms,
    terms,
)
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.search.differences import BY_OP, Difference
from losscodegen.compiler.search.form import Form
from losscodegen.compiler.search.rational import Algebra, Quotient
from losscodegen.ir.build import ONE, ZERO, number
from losscodegen.ir.nodes import Call, Expr, Read, Select
from losscodegen.ir.walk import children, rebuild
from losscodegen.language.formula import parse_formula


def differences(expr: Call, ranges: Ranges) -> Iterator[Form]:
    parts = terms(expr)
    seen = [_seen(t) for t in parts]
    for i, one in enumerate(seen):
        known = None if one is None else one.row.known
        if one is None or known is None:
            continue
        place, value = known
        for j, term in enumerate(parts):
            if term.body == ONE and term.coefficient == -one.coefficient * value:
                rest = [t for k, t in enumerate(parts) if k not in (i, j)]
                at = replace(one, argument=number(place), coefficient=-one.coefficient)
                if one.cofactor == ONE:
                    yield from _paired(one, at, rest, expr, ranges)
    for i, one in enumerate(seen):
        for j, other in enumerate(seen):
            if i == j or one is None or other is None:
                continue
            # Each pair once, the positive term first.
            if one.row is not other.row or one.power != other.power:
                continue
            if not (one.coefficient > 0 > other.coefficient):
                continue
            rest = [t for k, t in enumerate(parts) if k not in (i, j)]
            yield from _paired(one, other, rest, expr, ranges)


@dataclass(frozen=True, slots=True)
class _Seen:
    """``coefficient*cofactor*op(argument)``."""

    row: Difference
    argument: Expr
    power: Expr | None
    coefficient: Fraction
    cofactor: Expr


def _seen(term: Term) -> _Seen | None:
    """The term with one of its factors taken as the function of a row."""
    product = factors(term.body)
    for k, factor in enumerate(product.factors):
        base, exponent = factor.base, factor.exponent
        others = [f for m, f in enumerate(product.factors) if m != k]
        coefficient = term.coefficient * product.coefficient
        cofactor = from_factors(Fraction(1), others)
        if exponent == Fraction(1, 2):
            return _Seen(BY_OP["sqrt"], base, None, coefficient, cofactor)
        if exponent == 2:
            return _Seen(BY_OP["square"], base, None, coefficient, cofactor)
        if exponent == 1 and isinstance(base, Call) and base.op == "log1p":
            inner = Call("add", (ONE, base.args[0]))
            return _Seen(BY_OP["log"], inner, None, coefficient, cofactor)
        if exponent == 1 and isinstance(base, Call) and base.op in BY_OP:
            row = BY_OP[base.op]
            return _Seen(row, base.args[0], None, coefficient, cofactor)
        if not (isinstance(exponent, Fraction) and exponent.denominator == 1):
            power = number(exponent) if isinstance(exponent, Fraction) else exponent
            return _Seen(BY_OP["pow"], base, power, coefficient, cofactor)
    return None


def _paired(
    one: _Seen, other: _Seen, rest: list[Term], expr: Expr, ranges: Ranges
) -> Iterator[Form]:
    algebra = Algebra.of(one.argument, other.argument)
    a, b = one.argument, other.argument
    if a == b:
        return
    first, second = algebra.read(a), algebra.read(b)
    minus = algebra.read(number(-1))
    apart = algebra.expression(algebra.add(first, algebra.times(second, minus)))
    middle = algebra.expression(algebra.add(first, second))
    names: dict[str, Expr] = {"a": a, "b": b, "d": apart, "s": middle}
    if one.power is not None:
        names["p"] = one.power
    # u*f(a) - v*f(b) is (u - v)*f(a) + v*(f(a) - f(b)).
    row = one.row
    near = _filled(_read(row.form), names)
    weight = Term(-other.coefficient, other.cofactor)
    total = [*_weighed(near, weight), *rest]
    if (one.coefficient, one.cofactor) != (-other.coefficient, other.cofactor):
        outer = Algebra.of(one.cofactor, other.cofactor)
        left = _scaled(outer, one)
        excess = outer.expression(outer.add(left, _scaled(outer, other)))
        plain = _applied(row, a, one.power)
        if excess != ZERO:
            total.insert(0, Term(Fraction(1), Call("mul", (excess, plain))))
    found: Expr = from_terms(total)
    if row.near is not None:
        condition = _filled(_read(row.near), names)
        if ranges.refutes(condition):
            return
        if not ranges.proves(condition):
            found = Select(condition, found, expr)
    yield Form(row.name, row.why, found)


def _scaled(algebra: Algebra, seen: _Seen) -> Quotient:
    return algebra.times(
        algebra.read(number(seen.coefficient)), algebra.read(seen.cofactor)
    )


def _weighed(expr: Expr, weight: Term) -> list[Term]:
    product = factors(expr)
    outer = factors(weight.body)
    body = from_factors(Fraction(1), [*outer.factors, *product.factors])
    scale = weight.coefficient * outer.coefficient * product.coefficient
    return [Term(scale, body)]


def _applied(row: Difference, argument: Expr, power: Expr | None) -> Expr:
    if power is not None:
        return Call("pow", (argument, power))
    return Call(row.op, (argument,))


@cache
def _read(formula: str) -> Expr:
    return parse_formula(formula)


def _filled(formula: Expr, names: Mapping[str, Expr]) -> Expr:
    """``formula`` with expressions for its names; ``a + b`` is the sum in its simplest form."""
    match formula:
        case Call("add", (Read("a"), Read("b"))):
            return names["s"]
        case Read(name):
            return names[name]
        case _ if not children(formula):
            return formula
        case _:
            new = tuple(_filled(c, names) for c in children(formula))
            return _plain(rebuild(formula, new))


def _plain(expr: Expr) -> Expr:
    """Products and quotients without ``1*`` and double signs."""
    if isinstance(expr, Call) and expr.op in ("mul", "div", "neg"):
        product = factors(expr)
        return from_factors(product.coefficient, product.factors)
    return expr
