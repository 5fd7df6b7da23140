"""Constructors that write a derivative as a textbook would: no ``0*``, ``1*`` or ``+ 0``.

They are for expressions that the compiler makes itself. What a spec wrote is never passed
through them: there, ``0*log(x)`` says something about the domain. A node with a name (an
instance of a definition) is taken whole, so that it can still be recognised afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from losscodegen.compiler.conditions import Condition, decide, number_of
from losscodegen.ir.build import ONE, ZERO, add, call, div, mul, neg, power
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import children, free_indices, walk

_TOO_MANY = 16
"""Powers of larger numbers stay as they are written."""


class _Factors:
    """A product as one number times integer powers of other factors, in order."""

    def __init__(self) -> None:
        self.coefficient = Fraction(1)
        self.powers: dict[Expr, int] = {}

    def absorb(self, expr: Expr, exponent: int) -> None:
        named = expr.origin.name is not None
        match expr:
            case Number(value) if value or exponent > 0:
                self.coefficient *= value**exponent
            case Call("neg", (inner,)) if not named:
                self.coefficient *= Fraction(-1) ** exponent
                self.absorb(inner, exponent)
            case Call("mul", args) if not named:
                for arg in args:
                    self.absorb(arg, exponent)
            case Call("div", (top, bottom)) if not named:
                self.absorb(top, exponent)
                self.absorb(bottom, -exponent)
            case Call("square", (inner,)) if not named:
                self.absorb(inner, 2 * exponent)
            case Call("pow", (base, Number(value))) if (
                not named and value.denominator == 1 and 0 < value < _TOO_MANY
            ):
                self.absorb(base, exponent * value.numerator)
            case _:
                self.powers[expr] = self.powers.get(expr, 0) + exponent

    def parts(self) -> tuple[list[Expr], list[Expr]]:
        """Numerator and denominator without the number, plain symbols in front."""
        self._settle()
        ordered = sorted(self.powers.items(), key=lambda item: not _plain(item[0]))
        above = [_to_the(b, n) for b, n in ordered if n > 0]
        below = [_to_the(b, -n) for b, n in ordered if n < 0]
        return above, below

    def _settle(self) -> None:
        """``x**q/x`` is ``x**(q - 1)``, and ``relu(x)*[x > 0]`` is ``relu(x)``."""
        for base in list(self.powers):
            match base:
                case Call("pow", (inner, exponent)) if self.powers[
                    base
                ] == 1 and self.powers.get(inner):
                    merged = raised(
                        inner, total(exponent, Number(Fraction(self.powers[inner])))
                    )
                    self.powers = {
                        (merged if b == base else b): n
                        for b, n in self.powers.items()
                        if b != inner
                    }
                case Select(Call("gt", (inner, _)) as condition) if (
                    condition == call("gt", inner, ZERO)
                    and base == Select(condition, ONE, ZERO)
                    and self.powers.get(call("relu", inner), 0) > 0
                ):
                    del self.powers[base]


def _plain(expr: Expr) -> bool:
    return isinstance(expr, Read | Index | Size | Constant | Number)


def _to_the(base: Expr, exponent: int) -> Expr:
    return base if exponent == 1 else power(base, Number(Fraction(exponent)))


def _assemble(coefficient: Fraction, above: list[Expr], below: list[Expr]) -> Expr:
    if coefficient < 0:
        # `-(a - b)` reads better as `b - a`.
        turnable = [k for k, factor in enumerate(above) if _turnable(factor)]
        if turnable:
            above = list(above)
            above[turnable[-1]] = _turned(above[turnable[-1]])
            coefficient = -coefficient
    size = abs(coefficient)
    if size.numerator != 1 or not above:
        above = [Number(Fraction(size.numerator)), *above]
    if size.denominator != 1:
        below = [Number(Fraction(size.denominator)), *below]
    result = div(mul(*above), mul(*below)) if below else mul(*above)
    if coefficient >= 0:
        return result
    return Number(-result.value) if isinstance(result, Number) else neg(result)


def _turnable(expr: Expr) -> bool:
    return (
        isinstance(expr, Call)
        and expr.op == "add"
        and expr.origin.name is None
        and any(_is_negative(t) for t in expr.args)
    )


def _turned(expr: Expr) -> Expr:
    return total(*(negative(t) for t in children(expr)))


def product(*factors: Expr) -> Expr:
    """The product with numbers multiplied out, equal factors counted and cancelled."""
    kept = [f for f in factors if f != ONE]
    if len(kept) == 1:
        return kept[0]
    found = _Factors()
    for factor in kept:
        found.absorb(factor, 1)
    if found.coefficient == 0:
        return ZERO
    return _assemble(found.coefficient, *found.parts())


def quotient(top: Expr, bottom: Expr) -> Expr:
    return top if bottom == ONE else product(top, div(ONE, bottom))


def negative(expr: Expr) -> Expr:
    return product(Number(Fraction(-1)), expr)


def split(term: Expr) -> tuple[Fraction, Expr]:
    """``term`` as a number times the rest."""
    if term.origin.name is not None:
        return Fraction(1), term
    found = _Factors()
    found.absorb(term, 1)
    if found.coefficient == 1:
        return Fraction(1), term
    return found.coefficient, _assemble(Fraction(1), *found.parts())


def total(*terms: Expr) -> Expr:
    """The sum without zeros, like terms collected."""
    collected: dict[Expr, Fraction] = {}
    for term in _flat(terms):
        coefficient, core = split(term)
        collected[core] = collected.get(core, Fraction(0)) + coefficient
    kept = [product(Number(c), core) for core, c in collected.items() if c != 0]
    if not kept:
        return ZERO
    # A sum reads better when it does not begin with a minus sign.
    first = next((t for t in kept if not _is_negative(t)), kept[0])
    kept.remove(first)
    return add(first, *(_minus(t) for t in kept))


def _minus(term: Expr) -> Expr:
    """A negative number as it stands in a sum: ``p - 1``."""
    if isinstance(term, Number) and term.value < 0:
        return neg(Number(-term.value))
    return term


def _is_negative(term: Expr) -> bool:
    match term:
        case Call("neg", _):
            return True
        case Number(value):
            return value < 0
        case _:
            return False


def _flat(terms: Iterable[Expr]) -> Iterable[Expr]:
    for term in terms:
        match term:
            case Call("add", args) if term.origin.name is None:
                yield from _flat(args)
            case Call("neg", (Call("add", args) as inner,)) if (
                inner.origin.name is None
            ):
                yield from (negative(t) for t in _flat(args))
            case _:
                yield term


def raised(base: Expr, exponent: Expr) -> Expr:
    """The power; ``x**1`` is x and ``x**0`` is 1, as in every formula of this language."""
    value = number_of(exponent)
    if value is None:
        return power(base, exponent)
    if value == 0:
        return ONE
    if value == 1:
        return base
    if value < 0:
        return div(ONE, raised(base, Number(-value)))
    return power(base, Number(value))


def chosen(condition: Condition, then: Expr, otherwise: Expr) -> Expr:
    """``where``, or the branch that is certain."""
    condition = decide(condition)
    if condition is True:
        return then
    if condition is False:
        return otherwise
    if then == otherwise:
        return then
    if otherwise == ZERO and split(then)[0] < 0:
        return negative(Select(condition, negative(then), ZERO))
    return Select(condition, then, otherwise)


def switched(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    return then if then == otherwise else Switch(condition, then, otherwise)


def summed(body: Expr, indices: tuple[Index, ...], where: Condition = True) -> Expr:
    """The sum with what does not depend on the indices in front, where nothing is left out."""
    if where is False or body == ZERO:
        return ZERO
    if not indices:
        return chosen(where, body, ZERO)
    found, outside, inside = _Factors(), _Factors(), _Factors()
    found.absorb(body, 1)
    outside.coefficient = found.coefficient
    for base, exponent in found.powers.items():
        (outside if _constant(base, indices, where) else inside).powers[base] = exponent
    # Untouched if there is nothing to move, so that what a spec wrote stays as it wrote it.
    if outside.powers or outside.coefficient != 1:
        body = _assemble(Fraction(1), *inside.parts())
    sizes: list[Expr] = []
    if where is True:
        depends = set(free_indices(body))
        sizes = [Size(i.axis) for i in indices if i not in depends]
        indices = tuple(i for i in indices if i in depends)
        rest = Reduce(Reduction.SUM, body, indices) if indices else body
    else:
        rest = Reduce(Reduction.SUM, body, indices, where=where)
    return product(*sizes, _assemble(outside.coefficient, *outside.parts()), rest)


def _constant(expr: Expr, indices: tuple[Index, ...], where: Condition) -> bool:
    """Whether ``expr`` may stand in front of a sum.

    In front of one that leaves elements out only what is certainly finite: 0 times a factor
    that belongs to no element at all must not become NaN.
    """
    if where is not True and any(isinstance(n, Read) for n in walk(expr)):
        return False
    return set(free_indices(expr)).isdisjoint(indices)


def counted(indices: tuple[Index, ...], where: Condition) -> Expr:
    """How many elements there are."""
    return summed(ONE, indices, where)
