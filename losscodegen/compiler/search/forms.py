"""Other forms of a sum, a quotient, a root or a logarithm, equal as real functions.

Which of them is any good where is for `measure` to say; here, everything is exact algebra.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from losscodegen.compiler.canonical import factors, from_factors
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.search.form import SERIES, Form, form
from losscodegen.compiler.search.paired import differences
from losscodegen.compiler.search.products import products, split_root
from losscodegen.compiler.search.rational import (
    Algebra,
    Quotient,
    TooLargeError,
    inverted,
)
from losscodegen.compiler.search.series import expansion
from losscodegen.ir.build import ZERO, number
from losscodegen.ir.nodes import Call, Expr, Select
from losscodegen.ir.walk import walk


def forms(expr: Expr, ranges: Ranges, variable: Expr | None) -> Iterator[Form]:
    """Every other form of ``expr``; ``variable`` is the only leaf it has, if it has but one."""
    try:
        if isinstance(expr, Call):
            yield from _algebraic(expr, ranges)
    except (TooLargeError, ZeroDivisionError):
        pass
    if variable is not None:
        yield from _series(expr, variable)


def _algebraic(expr: Call, ranges: Ranges) -> Iterator[Form]:
    match expr:
        case Call("add"):
            yield from differences(expr, ranges)
            yield from _quotients(expr, ranges)
        case Call("div" | "mul"):
            yield from _quotients(expr, ranges)
            yield from products(expr)
        case Call("log", (arg,)):
            yield from _logarithm(arg, ranges)
        case Call("sqrt", (arg,)):
            algebra = Algebra.of(arg)
            inner = algebra.expression(algebra.read(arg))
            if inner != arg:
                yield form("product-form", Call("sqrt", (inner,)))
            product = factors(inner)
            if len(product.factors) > 1 and all(
                ranges.proves(Call("ge", (f.base, ZERO))) for f in product.factors
            ):
                yield form("split-root", split_root(product))
        case _:
            pass


# ---------------------------------------------------------------- quotients of polynomials


def _quotients(expr: Call, ranges: Ranges) -> Iterator[Form]:
    for exponentials in (False, True):
        algebra = Algebra.of(expr, exponentials=exponentials)
        if exponentials and not any(
            n.op in ("sinh", "cosh", "tanh", "sigmoid")
            for n in walk(expr)
            if isinstance(n, Call)
        ):
            continue
        quotient = algebra.read(expr)
        if not quotient.above:
            continue
        if expr.op == "add" and len(quotient.above) > len(expr.args):
            # Nothing has cancelled; there are only more terms to be rounded.
            continue
        name = "product-form" if quotient.below.is_one() else "common-denominator"
        yield form(name, algebra.expression(quotient))
        yield form("expanded", _expanded(algebra, quotient))
        for place, atom in enumerate(algebra.atoms):
            if isinstance(atom, Call) and atom.op in ("sqrt", "hypot"):
                yield from _conjugate(expr, algebra, quotient, place, ranges)


def _expanded(algebra: Algebra, quotient: Quotient) -> Expr:
    """No witness has it for its result: other forms are found on the way over it."""
    above = algebra.polynomial(quotient.above)
    if quotient.below.is_one():
        return above
    scale, below = algebra.factored(quotient.below)
    return Call("div", (above, from_factors(scale, below)))


def _conjugate(
    expr: Expr, algebra: Algebra, quotient: Quotient, place: int, ranges: Ranges
) -> Iterator[Form]:
    """``P*s + Q`` with a root s is ``(P**2*s**2 - Q**2)/(P*s - Q)``."""
    above = quotient.above
    if above.degrees()[place] != 1:
        return
    by_root = above.derivative(place)
    rest = above - by_root * algebra.generator(place)
    if not rest:
        return
    signs = algebra.expression(Quotient(by_root * rest, algebra.constant(1)))
    if ranges.proves(Call("ge", (signs, ZERO))):
        return
    square = algebra.squared(place)
    if square is None:
        return
    with_root = by_root * algebra.generator(place)
    top = algebra.lowest(by_root * by_root * square - rest * rest, quotient.below)
    scale, bottom = algebra.factored(with_root - rest)
    numerator, denominator = algebra.parts(top)
    if not numerator[0]:
        return
    below = [*denominator[1], *bottom]
    found = from_factors(
        numerator[0] / denominator[0] / scale, [*numerator[1], *inverted(below)]
    )
    if ranges.proves(Call("le", (signs, ZERO))):
        yield form("conjugate", found)
    else:
        yield form("conjugate", Select(_negative(signs, ranges), found, expr))


def _negative(product: Expr, ranges: Ranges) -> Expr:
    """The condition that ``product`` is below 0, without the factors whose sign is known."""
    found = factors(product)
    sign = 1 if found.coefficient > 0 else -1
    rest = []
    for factor in found.factors:
        odd = factor.exponent != 2 and factor.exponent != 4
        if ranges.proves(Call("gt", (factor.base, ZERO))):
            continue
        if ranges.proves(Call("lt", (factor.base, ZERO))) and odd:
            sign = -sign
            continue
        rest.append(factor)
    below = from_factors(Fraction(1), rest)
    return Call("lt" if sign > 0 else "gt", (below, ZERO))


# ---------------------------------------------------------------- logarithms and series


def _logarithm(arg: Expr, ranges: Ranges) -> Iterator[Form]:
    algebra = Algebra.of(arg)
    excess = algebra.add(algebra.read(arg), algebra.read(number(-1)))
    near_one = Call("log1p", (algebra.expression(excess),))
    plain = Call("log", (arg,))
    low = Call("gt", (arg, number(Fraction(1, 2))))
    high = Call("lt", (arg, number(2)))
    conditions = [c for c in (low, high) if not ranges.proves(c)]
    near: Expr = conditions[0] if len(conditions) == 1 else Call("and", (low, high))
    yield form(
        "log-of-near-one", Select(near, near_one, plain) if conditions else near_one
    )


def _series(expr: Expr, variable: Expr) -> Iterator[Form]:
    found = expansion(expr, variable)
    if found is None:
        return
    near = Call("lt", (Call("abs", (variable,)), number(found.radius)))
    yield form(SERIES, Select(near, found.form, expr))
