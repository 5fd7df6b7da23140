"""Exact quotients of polynomials in whatever an expression is made of.

A root is an atom whose square is known, an exponential one whose powers are exponentials, so that
``(sqrt(x + 1))**2 - x`` is 1 and ``exp(2*x) - 1`` is ``(exp(x) - 1)*(exp(x) + 1)``. Everything
else that is no sum, product, quotient or power with a whole exponent is an atom of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from losscodegen.compiler.canonical import Factor, Term, from_factors, from_terms, terms
from losscodegen.ir.build import ONE, number
from losscodegen.ir.nodes import Call, Expr, Number

_LARGEST = 40
"""Terms of a polynomial; a larger one is no form that anybody would want to read."""
_HIGHEST = 8
"""Powers that are multiplied out."""


class TooLargeError(Exception):
    """The quotient would have too many terms."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """``above/below`` in lowest terms, both polynomials in the atoms of one `Algebra`."""

    above: fmpq_mpoly
    below: fmpq_mpoly


@dataclass(slots=True)
class Algebra:
    """The atoms of some expressions; ``exponentials`` also takes hyperbolic functions apart."""

    exponentials: bool = False
    atoms: list[Expr] = field(default_factory=list)
    context: fmpq_mpoly_ctx | None = None
    _units: dict[Expr, int] = field(default_factory=dict)
    """By how much the exponents of an exponential are multiplied to be whole."""

    @classmethod
    def of(cls, *exprs: Expr, exponentials: bool = False) -> Algebra:
        """The algebra in which all ``exprs`` can be written."""
        found = cls(exponentials=exponentials)
        for expr in exprs:
            found._collect(expr)
        # The roots first: the order decides which power is the one to be replaced.
        found.atoms.sort(key=lambda a: not _is_root(a))
        names = [f"a{k}" for k in range(len(found.atoms))] or ["none"]
        found.context = fmpq_mpoly_ctx.get(names, Ordering.lex)
        return found

    # ------------------------------------------------------------ reading

    def read(self, expr: Expr) -> Quotient:
        """``expr`` as a quotient.

        Raises:
            TooLargeError: it has too many terms.
            ZeroDivisionError: its denominator is 0.
        """
        match expr:
            case Number(value):
                return Quotient(self.constant(value), self.constant(1))
            case Call("add", args):
                total = Quotient(self.constant(0), self.constant(1))
                for arg in args:
                    total = self.add(total, self.read(arg))
                return total
            case Call("neg", (arg,)):
                inner = self.read(arg)
                return Quotient(-inner.above, inner.below)
            case Call("mul", args):
                found = Quotient(self.constant(1), self.constant(1))
                for arg in args:
                    found = self.times(found, self.read(arg))
                return found
            case Call("div", (left, right)):
                return self.times(self.read(left), _inverse(self.read(right)))
            case Call("square", (arg,)):
                return self._power(self.read(arg), 2)
            case Call("pow", (base, Number(value))) if _whole(value):
                return self._power(self.read(base), int(value))
            case Call("exp" | "expm1", (arg,)):
                found = self._exponential(arg)
                if expr.op == "expm1":
                    return self.add(found, self.read(number(-1)))
                return found
            case Call(op, (arg,)) if self.exponentials and op in _IN_EXPONENTIALS:
                return self.read(_IN_EXPONENTIALS[op](arg))
            case _:
                gen = self._atom(expr)
                return Quotient(gen, self.constant(1))

    def _atom(self, expr: Expr) -> fmpq_mpoly:
        return self.generator(self.atoms.index(expr))

    def constant(self, value: Fraction | int) -> fmpq_mpoly:
        assert self.context is not None
        value = Fraction(value)
        return self.context.constant(fmpq(value.numerator, value.denominator))

    def _exponential(self, arg: Expr) -> Quotient:
        found = Quotient(self.constant(1), self.constant(1))
        for term in _exponents(arg):
            unit = Call("exp", (term.body,))
            steps = term.coefficient * self._units[unit]
            part = Quotient(self._atom(unit), self.constant(1))
            found = self.times(found, self._power(part, int(steps)))
        return found

    def add(self, left: Quotient, right: Quotient) -> Quotient:
        if left.below == right.below:
            return self.lowest(left.above + right.above, left.below)
        above = left.above * right.below + right.above * left.below
        return self.lowest(above, left.below * right.below)

    def times(self, left: Quotient, right: Quotient) -> Quotient:
        return self.lowest(left.above * right.above, left.below * right.below)

    def _power(self, base: Quotient, exponent: int) -> Quotient:
        if abs(exponent) > _HIGHEST * 4:
            raise TooLargeError
        if exponent < 0:
            base, exponent = _inverse(base), -exponent
        if max(len(base.above), len(base.below)) ** max(exponent, 1) > 100_000:
            raise TooLargeError
        return self.lowest(base.above**exponent, base.below**exponent)

    def lowest(self, above: fmpq_mpoly, below: fmpq_mpoly) -> Quotient:
        above, below = self._reduced(above), self._reduced(below)
        if not below:
            raise ZeroDivisionError
        common = above.gcd(below)
        if not common.is_one():
            above, below = above / common, below / common
        if max(len(above), len(below)) > _LARGEST:
            raise TooLargeError
        return Quotient(above, below)

    def _reduced(self, poly: fmpq_mpoly) -> fmpq_mpoly:
        """``poly`` with the squares of roots replaced by what is under them."""
        for place, atom in enumerate(self.atoms):
            if not _is_root(atom):
                break
            if poly.degrees()[place] < 2:
                continue
            square = self.squared(place)
            if square is not None:
                poly = poly % (self.generator(place) ** 2 - square)
        return poly

    def generator(self, place: int) -> fmpq_mpoly:
        """The atom at ``place`` as a polynomial."""
        assert self.context is not None
        return self.context.gens()[place]

    def squared(self, place: int) -> fmpq_mpoly | None:
        """The square of the root at ``place``; None where that is no polynomial."""
        atom = self.atoms[place]
        assert isinstance(atom, Call)
        parts = [self.read(a) for a in atom.args]
        if not all(p.below.is_one() for p in parts):
            return None
        if atom.op == "hypot":
            return parts[0].above ** 2 + parts[1].above ** 2
        return parts[0].above

    # ------------------------------------------------------------ collecting atoms

    def _collect(self, expr: Expr) -> None:
        match expr:
            case Number():
                pass
            case Call("add" | "neg" | "mul" | "div" | "square", args):
                for arg in args:
                    self._collect(arg)
            case Call("pow", (base, Number(value))) if _whole(value):
                self._collect(base)
            case Call("exp" | "expm1", (arg,)):
                for term in _exponents(arg):
                    unit = Call("exp", (term.body,))
                    self._note(unit)
                    steps = self._units.get(unit, 1)
                    self._units[unit] = lcm(steps, term.coefficient.denominator)
            case Call(op, (arg,)) if self.exponentials and op in _IN_EXPONENTIALS:
                self._collect(_IN_EXPONENTIALS[op](arg))
            case Call("sqrt" | "hypot", args):
                for arg in args:
                    self._collect(arg)
                self._note(expr)
            case _:
                self._note(expr)

    def _note(self, expr: Expr) -> None:
        if expr not in self.atoms:
            self.atoms.append(expr)

    # ------------------------------------------------------------ writing

    def factored(self, poly: fmpq_mpoly) -> tuple[Fraction, list[Factor]]:
        """``poly`` as a number times powers of what cannot be factored further."""
        if not poly:
            return Fraction(0), []
        coefficient, parts = poly.factor()
        scale = _fraction(coefficient)
        found = []
        for part, exponent in parts:
            content = _fraction(part.leading_coefficient())
            if content < 0:
                part, scale = -part, scale * Fraction(-1) ** int(exponent)
            found += self._factor(part, int(exponent))
        atoms = {atom: place for place, atom in enumerate(self.atoms)}
        found.sort(key=lambda f: atoms.get(f.base, len(atoms)))
        return _upright(scale, found)

    def _factor(self, poly: fmpq_mpoly, exponent: int) -> list[Factor]:
        if len(poly) == 1:
            ((powers, _),) = poly.to_dict().items()
            return [
                Factor(self.atoms[k], self._exponent(k, p * exponent))
                for k, p in enumerate(powers)
                if p
            ]
        return [Factor(self.polynomial(poly), Fraction(exponent))]

    def polynomial(self, poly: fmpq_mpoly) -> Expr:
        """``poly`` as a sum, multiplied out; an exponential less 1 as ``expm1``."""
        terms = [
            Term(_fraction(c), from_factors(Fraction(1), self._monomial(powers)))
            for powers, c in poly.to_dict().items()
        ]
        if len(terms) == 2 and terms[0].coefficient == -terms[1].coefficient == 1:
            power, rest = terms[0].body, terms[1].body
            if rest == ONE and isinstance(power, Call) and power.op == "exp":
                return Call("expm1", power.args)
        return from_terms(terms)

    def _monomial(self, powers: Iterable[int]) -> list[Factor]:
        plain, exponents = [], []
        for k, power in enumerate(powers):
            if not power:
                continue
            atom, exponent = self.atoms[k], self._exponent(k, power)
            if isinstance(atom, Call) and atom.op == "exp":
                exponents.append(Term(exponent, atom.args[0]))
            else:
                plain.append(Factor(atom, exponent))
        if exponents:
            plain.append(Factor(Call("exp", (from_terms(exponents),)), Fraction(1)))
        return plain

    def _exponent(self, place: int, power: int) -> Fraction:
        atom = self.atoms[place]
        return Fraction(int(power), self._units.get(atom, 1))

    def expression(self, quotient: Quotient) -> Expr:
        """The quotient, factored, in readable form."""
        above, below = self.parts(quotient)
        return from_factors(above[0] / below[0], [*above[1], *inverted(below[1])])

    def parts(
        self, quotient: Quotient
    ) -> tuple[tuple[Fraction, list[Factor]], tuple[Fraction, list[Factor]]]:
        """What stands above and below the line, each factored."""
        above, below = self.factored(quotient.above), self.factored(quotient.below)
        return _merged(above), _merged(below)


def _upright(scale: Fraction, parts: list[Factor]) -> tuple[Fraction, list[Factor]]:
    """``b - a`` instead of ``-(a - b)``."""
    if scale > 0:
        return scale, parts
    for place, part in enumerate(parts):
        signs = [t.coefficient for t in terms(part.base)]
        if part.exponent == 1 and min(signs) < 0 < max(signs):
            turned = [Term(-t.coefficient, t.body) for t in terms(part.base)]
            turned.sort(key=lambda t: t.coefficient < 0)
            new = [*parts]
            new[place] = Factor(from_terms(turned), Fraction(1))
            return -scale, new
    return scale, parts


def _merged(
    found: tuple[Fraction, list[Factor]],
) -> tuple[Fraction, list[Factor]]:
    """All exponentials of a product as one."""
    coefficient, parts = found
    exponents, rest = [], []
    for part in parts:
        base = part.base
        if isinstance(base, Call) and base.op == "exp":
            assert isinstance(part.exponent, Fraction)
            exponents.append(Term(part.exponent, base.args[0]))
        else:
            rest.append(part)
    if exponents:
        rest.append(Factor(Call("exp", (from_terms(exponents),)), Fraction(1)))
    return coefficient, rest


def inverted(parts: Iterable[Factor]) -> list[Factor]:
    """One over a product; of an exponential, that of the negative."""
    found = []
    for part in parts:
        base, exponent = part.base, part.exponent
        assert isinstance(exponent, Fraction)
        if isinstance(base, Call) and base.op == "exp":
            inner = from_terms([Term(Fraction(-1), base.args[0])])
            found.append(Factor(Call("exp", (inner,)), exponent))
        else:
            found.append(Factor(base, -exponent))
    return found


def _inverse(quotient: Quotient) -> Quotient:
    if not quotient.above:
        raise ZeroDivisionError
    return Quotient(quotient.below, quotient.above)


def _exponents(arg: Expr) -> list[Term]:
    """The terms of an exponent; each makes a factor of its own."""
    return [t for t in terms(arg) if t.coefficient]


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _whole(value: Fraction) -> bool:
    return value.denominator == 1 and abs(value) <= _HIGHEST


def _is_root(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op in ("sqrt", "hypot")


def _half(sign: int) -> Callable[[Expr], Expr]:
    def written(arg: Expr) -> Expr:
        grows, falls = Call("exp", (arg,)), Call("exp", (Call("neg", (arg,)),))
        second = falls if sign > 0 else Call("neg", (falls,))
        return Call("div", (Call("add", (grows, second)), number(2)))

    return written


def _tanh(arg: Expr) -> Expr:
    return Call("div", (_half(-1)(arg), _half(1)(arg)))


def _sigmoid(arg: Expr) -> Expr:
    falls = Call("exp", (Call("neg", (arg,)),))
    return Call("div", (ONE, Call("add", (ONE, falls))))


_IN_EXPONENTIALS: dict[str, Callable[[Expr], Expr]] = {
    "sinh": _half(-1),
    "cosh": _half(1),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
}
