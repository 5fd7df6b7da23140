"""Matching of rule patterns: up to order, signs, coefficients and the names of bound indices.

A pattern is a formula. A name without subscripts stands for any expression; ``x[i]`` under a binder
of ``i`` for any expression that may depend on the bound index; ``x[t]`` for that same expression
with the index replaced by whatever ``t`` turns out to be. Sums and products are matched as
multisets. At the root of a pattern, further terms or factors may stay over; elsewhere only a bare
name takes them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from losscodegen.compiler.canonical import (
    Factor,
    Product,
    Term,
    factors,
    from_factors,
    from_terms,
    rational,
    same,
    scaled,
    terms,
)
from losscodegen.compiler.ranges import TRUE, opposite
from losscodegen.ir.build import ONE, ZERO
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
from losscodegen.ir.walk import children, free_indices, substitute, walk

ARITHMETIC = frozenset({"add", "neg", "mul", "div", "pow", "square", "sqrt"})
_COMMUTATIVE = frozenset({"max", "min", "and", "or", "eq", "ne", "hypot", "logaddexp"})
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@dataclass(frozen=True, slots=True)
class Template:
    """What a name of a pattern stands for; ``params`` are the bound indices it may depend on.

    A name in a subscript stands for as many expressions as its binder has indices.
    """

    bodies: tuple[Expr, ...]
    params: tuple[Index, ...] = ()

    @property
    def body(self) -> Expr:
        (body,) = self.bodies
        return body

    def at(self, subscripts: tuple[Expr, ...]) -> Expr:
        """The expression with its parameters replaced."""
        return substitute(self.body, dict(zip(self.params, subscripts, strict=True)))


@dataclass(frozen=True, slots=True)
class Bindings:
    """What has been matched so far."""

    names: Mapping[str, Template] = field(default_factory=dict)
    indices: Mapping[Index, tuple[Index, ...]] = field(default_factory=dict)

    def bind(self, name: str, template: Template) -> Bindings:
        return replace(self, names={**self.names, name: template})

    def enter(self, pattern: tuple[Index, ...], found: tuple[Index, ...]) -> Bindings:
        """A single pattern index stands for all indices of the binder it meets."""
        pairs = (
            {pattern[0]: found}
            if len(pattern) == 1
            else {p: (f,) for p, f in zip(pattern, found, strict=True)}
        )
        return replace(self, indices={**self.indices, **pairs})

    @property
    def bound(self) -> frozenset[Index]:
        return frozenset(i for found in self.indices.values() for i in found)


@dataclass(frozen=True, slots=True)
class Match:
    """``expression == scale*pattern + sum(terms)`` or ``scale*pattern*product(factors)``."""

    bindings: Bindings
    scale: Fraction = Fraction(1)
    terms: tuple[Term, ...] = ()
    factors: tuple[Factor, ...] = ()
    position: int = 0
    """Where in the sum the pattern stood."""
    power: Fraction = Fraction(1)
    """The pattern occurred to this power."""

    def around(self, replacement: Expr) -> Expr:
        """The expression with ``replacement`` in place of the pattern."""
        if self.terms:
            new = terms_of_replacement(replacement, self.scale)
            return from_terms(
                (*self.terms[: self.position], *new, *self.terms[self.position :])
            )
        if self.power == 1 and not self.factors:
            return scaled(replacement, self.scale)
        sign, body = _unsigned(replacement)
        return from_factors(
            self.scale * sign**self.power.numerator, (*self.factors, Factor(body, self.power))
        )


def _unsigned(expr: Expr) -> tuple[int, Expr]:
    """``expr`` without a leading minus."""
    match expr:
        case Call("neg", (arg,)):
            return -1, arg
        case _:
            return 1, expr


def terms_of_replacement(replacement: Expr, scale: Fraction) -> tuple[Term, ...]:
    """``scale*replacement`` as terms of a sum; a named replacement stays whole."""
    if replacement.origin.name is not None:
        return (Term(scale, replacement),)
    match replacement:
        case Call("add", args) if abs(scale) == 1:
            return tuple(t for a in args for t in terms_of_replacement(a, scale))
        case Call("neg", (arg,)):
            return (Term(-scale, arg),)
        case Number(value):
            return (Term(scale * value, ONE),)
        case _:
            return (Term(scale, replacement),)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One pattern. ``optional`` names may be 1 in a product or 0 in a sum."""

    pattern: Expr
    optional: frozenset[str] = frozenset()

    def matches(self, expr: Expr) -> Iterator[Match]:
        """Every way in which ``expr`` contains the pattern at its root."""
        pattern_terms = terms(self.pattern)
        if len(pattern_terms) > 1:
            yield from self._sum_root(pattern_terms, expr)
        elif isinstance(self.pattern, Call) and self.pattern.op in ARITHMETIC:
            yield from self._product_root(factors(self.pattern), expr)
        else:
            for bindings in self._match(self.pattern, expr, Bindings()):
                yield Match(bindings)

    # ------------------------------------------------------------ sums

    def _sum_root(self, pattern: tuple[Term, ...], expr: Expr) -> Iterator[Match]:
        found = terms(expr)
        if len(found) < len([t for t in pattern if not self._is_optional(t.body)]):
            return
        pattern = tuple(sorted(pattern, key=lambda t: _difficulty(t.body)))
        lead, *rest = pattern
        for position, term in enumerate(found):
            if term.coefficient == 0 or (lead.body == ONE) != (term.body == ONE):
                continue
            scale = term.coefficient / lead.coefficient
            others = found[:position] + found[position + 1 :]
            for bindings in self._match(lead.body, term.body, Bindings()):
                for state, left in self._terms(
                    tuple(rest), others, bindings, scale, root=True
                ):
                    yield Match(state, scale, left, position=position)

    def _terms(
        self,
        pattern: tuple[Term, ...],
        found: tuple[Term, ...],
        bindings: Bindings,
        scale: Fraction,
        *,
        root: bool,
    ) -> Iterator[tuple[Bindings, tuple[Term, ...]]]:
        """The remaining terms of a pattern among the remaining terms of a sum."""
        if not pattern:
            if root or not found:
                yield bindings, found
            return
        first, *others = pattern
        rest = tuple(others)
        name = self._bare(first.body, bindings)
        if name is not None and not rest and not root:
            # The last bare name takes up everything that is left.
            if not found and name not in self.optional:
                return
            total = from_terms(
                Term(t.coefficient / (first.coefficient * scale), t.body) for t in found
            )
            for state in self._match(first.body, total, bindings):
                yield state, ()
            return
        known = self._known(first.body, bindings)
        if known is not None:
            wanted = first.coefficient * scale
            yield from self._consume(first, known, rest, found, bindings, scale, root=root)
            return
        if name is not None and name in self.optional:
            zero = bindings.bind(name, Template((ZERO,)))
            yield from self._terms(rest, found, zero, scale, root=root)
        for position, term in enumerate(found):
            wanted = first.coefficient * scale
            left = term.coefficient - wanted
            body = term.body
            if name is not None:
                body = scaled(body, term.coefficient / wanted)
                left = Fraction(0)
            elif first.body == ONE or body == ONE:
                if first.body != body or left:
                    continue
            elif left and not (root and left * wanted > 0):
                continue
            remaining = found[:position] + found[position + 1 :]
            if left:
                remaining = (
                    *found[:position],
                    Term(left, body),
                    *found[position + 1 :],
                )
            for state in self._match(first.body, body, bindings):
                yield from self._terms(rest, remaining, state, scale, root=root)

    def _known(self, pattern: Expr, bindings: Bindings) -> Template | None:
        """What a name of a pattern stands for already."""
        return bindings.names.get(pattern.name) if isinstance(pattern, Read) else None

    def _consume(
        self,
        first: Term,
        known: Template,
        rest: tuple[Term, ...],
        found: tuple[Term, ...],
        bindings: Bindings,
        scale: Fraction,
        *,
        root: bool,
    ) -> Iterator[tuple[Bindings, tuple[Term, ...]]]:
        """A name that is bound already, to a sum perhaps: all its terms must be there."""
        assert isinstance(first.body, Read)
        wanted = first.coefficient * scale
        for state, expected in self._expected(first.body, known, found, bindings):
            left = found
            for term in terms(expected, wanted):
                left = _without(left, term, partial=root)
                if left is None:
                    break
            if left is not None:
                yield from self._terms(rest, left, state, scale, root=root)

    def _expected(
        self, pattern: Read, known: Template, found: tuple[Term, ...], bindings: Bindings
    ) -> Iterator[tuple[Bindings, Expr]]:
        """The expression that a bound name is here; its subscript may have to be found first."""
        inner = [s for s in pattern.subscripts if isinstance(s, Index)]
        if len(inner) == len(pattern.subscripts):
            params = tuple(i for s in inner for i in bindings.indices.get(s, (s,)))
            if len(params) == len(known.params) and len(known.bodies) == 1:
                yield bindings, known.at(params)
            return
        (subscript,) = pattern.subscripts
        for term in terms(known.body):
            if not set(known.params) & set(free_indices(term.body)):
                continue
            part = Template((term.body,), known.params)
            for candidate in found:
                solution = solve(part, candidate.body)
                if solution is not None:
                    for state in self._subscript(subscript, solution, bindings):
                        yield state, known.at(solution)
            return

    # ------------------------------------------------------------ products

    def _product_root(self, pattern: Product, expr: Expr) -> Iterator[Match]:
        found = factors(expr)
        if found.coefficient == 0 or pattern.coefficient == 0:
            return
        scale = found.coefficient / pattern.coefficient
        for bindings, left in self._factors(
            _sorted(pattern.factors), found.factors, Bindings(), root=True
        ):
            yield Match(bindings, scale, factors=left)
        whole = len(pattern.factors) == 1 and pattern.coefficient == 1
        if whole and pattern.factors[0].exponent in (1, -1):
            yield from self._power_root(pattern.factors[0], found)

    def _power_root(self, pattern: Factor, found: Product) -> Iterator[Match]:
        """A power of the whole pattern: ``1/(1 + exp(-x))**2`` contains the sigmoid, squared."""
        for position, factor in enumerate(found.factors):
            if not isinstance(pattern.exponent, Fraction) or not isinstance(
                factor.exponent, Fraction
            ):
                continue
            power = factor.exponent / pattern.exponent
            if power.denominator != 1 or power <= 1:
                continue
            rest = found.factors[:position] + found.factors[position + 1 :]
            for bindings in self._match(pattern.base, factor.base, Bindings()):
                yield Match(bindings, found.coefficient, factors=rest, power=power)

    def _factors(
        self,
        pattern: tuple[Factor, ...],
        found: tuple[Factor, ...],
        bindings: Bindings,
        *,
        root: bool,
    ) -> Iterator[tuple[Bindings, tuple[Factor, ...]]]:
        if not pattern:
            if root or not found:
                yield bindings, found
            return
        # Names that are bound already are looked for before the others take up everything.
        first, *others = sorted(
            pattern, key=lambda f: self._bare(f.base, bindings) is not None
        )
        rest = tuple(others)
        name = self._bare(first.base, bindings)
        if name is not None and first.exponent in (1, -1):
            yield from self._absorb(name, first, rest, found, bindings, root=root)
            return
        for position, factor in enumerate(found):
            remaining = found[:position] + found[position + 1 :]
            for state in self._exponent(first.exponent, factor.exponent, bindings):
                for bound in self._match(first.base, factor.base, state):
                    yield from self._factors(rest, remaining, bound, root=root)

    def _absorb(
        self,
        name: str,
        first: Factor,
        rest: tuple[Factor, ...],
        found: tuple[Factor, ...],
        bindings: Bindings,
        *,
        root: bool,
    ) -> Iterator[tuple[Bindings, tuple[Factor, ...]]]:
        """A bare name takes up what is left: all divisors if it is one, else everything."""
        assert isinstance(first.exponent, Fraction)
        inverse = first.exponent < 0
        below = [
            f for f in found if isinstance(f.exponent, Fraction) and f.exponent < 0
        ]
        if inverse:
            taken = tuple(below)
        elif any(isinstance(f.exponent, Fraction) and f.exponent < 0 for f in rest):
            taken = tuple(f for f in found if f not in below)
        else:
            taken = found
        if len(taken) > 1 and any(self._bare(f.base, bindings) for f in rest):
            # Other bare names are to come: one factor each, the last takes the others.
            choices: list[tuple[Factor, ...]] = [(f,) for f in taken]
        else:
            choices = [taken]
        for choice in choices:
            if not choice and name not in self.optional:
                continue
            powers = [
                (
                    replace(f, exponent=-f.exponent)
                    if inverse and isinstance(f.exponent, Fraction)
                    else f
                )
                for f in choice
            ]
            body = from_factors(Fraction(1), powers)
            left = tuple(f for f in found if f not in choice)
            for state in self._match(first.base, body, bindings):
                yield from self._factors(rest, left, state, root=root)

    def _exponent(
        self, pattern: Fraction | Expr, found: Fraction | Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        if isinstance(pattern, Fraction):
            if pattern == found:
                yield bindings
            return
        if found == 1:
            return  # What is no power in the formula is none for a rule either.
        value = Number(found) if isinstance(found, Fraction) else found
        yield from self._match(pattern, value, bindings)

    # ------------------------------------------------------------ nodes

    def _match(
        self, pattern: Expr, expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        match pattern:
            case Read(name, subscripts):
                yield from self._name(name, subscripts, expr, bindings)
            case Number():
                if rational(expr) == pattern.value:
                    yield bindings
            case Constant() | Size():
                if pattern == expr:
                    yield bindings
            case Index():
                if bindings.indices.get(pattern, (pattern,)) == (expr,):
                    yield bindings
            case Call(op) if op in ARITHMETIC:
                yield from self._arithmetic(pattern, expr, bindings)
            case Call(op, args):
                if isinstance(expr, Call):
                    yield from self._call(op, args, expr, bindings)
            case Select(condition, then, otherwise):
                if isinstance(expr, Select):
                    turned = (opposite(expr.condition), expr.otherwise, expr.then)
                    for candidate in (
                        (expr.condition, expr.then, expr.otherwise),
                        turned,
                    ):
                        yield from self._all(
                            (condition, then, otherwise), candidate, bindings
                        )
            case Switch():
                if isinstance(expr, Switch):
                    yield from self._all(children(pattern), children(expr), bindings)
            case Reduce():
                if isinstance(expr, Reduce):
                    yield from self._reduce(pattern, expr, bindings)
            case Keep(kind, body, index, at):
                if isinstance(expr, Keep) and expr.kind is kind:
                    inner = bindings.enter((index,), (expr.index,))
                    for state in self._match(body, expr.body, inner):
                        yield from self._at(at, expr.at, state)
            case Use():
                return

    def _arithmetic(
        self, pattern: Call, expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        wanted = terms(pattern)
        if len(wanted) > 1:
            wanted = tuple(sorted(wanted, key=lambda t: _difficulty(t.body)))
            for state, _ in self._terms(
                wanted, terms(expr), bindings, Fraction(1), root=False
            ):
                yield state
            return
        product = factors(pattern)
        if product.coefficient != 1:
            expr = scaled(expr, 1 / product.coefficient)
        if product.factors == (Factor(product.factors[0].base, Fraction(1)),):
            yield from self._match(product.factors[0].base, expr, bindings)
            return
        found = factors(expr)
        parts = found.factors
        if found.coefficient != 1:
            bare = any(
                self._bare(f.base, bindings) is not None and f.exponent == 1
                for f in product.factors
            )
            if not bare:
                return
            # A number goes where the bare name of the product goes.
            parts = (*parts, Factor(Number(found.coefficient), Fraction(1)))
        for state, _ in self._factors(
            _sorted(product.factors), parts, bindings, root=False
        ):
            yield state

    def _call(
        self, op: str, args: tuple[Expr, ...], expr: Call, bindings: Bindings
    ) -> Iterator[Bindings]:
        if expr.op == op and len(expr.args) == len(args):
            yield from self._all(args, expr.args, bindings)
            if op in _COMMUTATIVE and len(args) == 2:
                yield from self._all(args, expr.args[::-1], bindings)
        elif _MIRRORED.get(expr.op) == op:
            yield from self._all(args, expr.args[::-1], bindings)

    def _all(
        self, patterns: tuple[Expr, ...], exprs: tuple[Expr, ...], bindings: Bindings
    ) -> Iterator[Bindings]:
        if not patterns:
            yield bindings
            return
        for state in self._match(patterns[0], exprs[0], bindings):
            yield from self._all(patterns[1:], exprs[1:], state)

    def _reduce(
        self, pattern: Reduce, expr: Reduce, bindings: Bindings
    ) -> Iterator[Bindings]:
        if expr.kind is not pattern.kind:
            return
        if len(pattern.indices) not in (1, len(expr.indices)):
            return
        inner = bindings.enter(pattern.indices, expr.indices)
        where = pattern.where
        if where is None:
            if expr.where is not None:
                return
        elif isinstance(where, Read):
            # A bare name as a condition also stands for the absence of one.
            found = TRUE if expr.where is None else expr.where
            inner = inner.bind(where.name, Template((found,), expr.indices))
        elif expr.where is None:
            return
        for state in self._match(pattern.body, expr.body, inner):
            states: Iterator[Bindings] = iter((state,))
            if where is not None and not isinstance(where, Read):
                assert expr.where is not None
                states = self._match(where, expr.where, state)
            for known in states:
                if pattern.order is None or expr.order is None:
                    if (pattern.order is None) == (expr.order is None):
                        yield known
                else:
                    yield from self._match(pattern.order, expr.order, known)

    # ------------------------------------------------------------ names

    def _bare(self, pattern: Expr, bindings: Bindings) -> str | None:
        """The name of a pattern that can stand for anything at this point."""
        match pattern:
            case Read(name, subscripts) if name not in bindings.names and all(
                isinstance(s, Index) for s in subscripts
            ):
                return name
            case _:
                return None

    def _is_optional(self, pattern: Expr) -> bool:
        return isinstance(pattern, Read) and pattern.name in self.optional

    def _name(
        self, name: str, subscripts: tuple[Expr, ...], expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        known = bindings.names.get(name)
        inner = [s for s in subscripts if isinstance(s, Index)]
        if len(inner) == len(subscripts):
            params = tuple(i for s in inner for i in bindings.indices.get(s, (s,)))
            if known is None:
                escaping = bindings.bound.difference(params).intersection(
                    free_indices(expr)
                )
                if not escaping:
                    yield bindings.bind(name, Template((expr,), params))
            elif len(known.bodies) == 1 and same(known.at(params), expr):
                yield bindings
            return
        if known is None:
            return
        (subscript,) = subscripts
        solution = solve(known, expr)
        if solution is not None:
            yield from self._subscript(subscript, solution, bindings)

    def _at(self, pattern: Expr, found: Expr, bindings: Bindings) -> Iterator[Bindings]:
        """Where a keeper is taken; this stands outside of its own binder."""
        if isinstance(pattern, Read) and pattern.name not in bindings.names:
            yield bindings.bind(pattern.name, Template((found,)))
        else:
            yield from self._subscript(pattern, (found,), bindings)

    def _subscript(
        self, pattern: Expr, found: tuple[Expr, ...], bindings: Bindings
    ) -> Iterator[Bindings]:
        """A name in a subscript, for one expression per index of the binder."""
        if not isinstance(pattern, Read):
            if len(found) == 1:
                yield from self._match(pattern, found[0], bindings)
            return
        known = bindings.names.get(pattern.name)
        if known is None:
            if not bindings.bound.intersection(
                i for e in found for i in free_indices(e)
            ):
                yield bindings.bind(pattern.name, Template(found))
        elif len(known.bodies) == len(found) and all(
            map(same, known.bodies, found, strict=True)
        ):
            yield bindings


def _without(
    found: tuple[Term, ...], term: Term, *, partial: bool
) -> tuple[Term, ...] | None:
    """``found`` less ``term``; None if it is not there. A part of a term is taken if allowed."""
    for position, candidate in enumerate(found):
        left = candidate.coefficient - term.coefficient
        if left and not (partial and left * term.coefficient > 0 and term.body != ONE):
            continue
        if candidate.body == term.body or same(candidate.body, term.body):
            remaining = (Term(left, candidate.body),) if left else ()
            return (*found[:position], *remaining, *found[position + 1 :])
    return None


def solve(template: Template, expr: Expr) -> tuple[Expr, ...] | None:
    """The subscripts at which ``template`` is ``expr``; None if there are none or no unique ones."""
    found: dict[Index, Expr] = {}
    if not _solve(template.body, expr, frozenset(template.params), found):
        return None
    if len(found) != len(template.params):
        return None
    subscripts = tuple(found[p] for p in template.params)
    return subscripts if same(template.at(subscripts), expr) else None


def _solve(
    body: Expr, expr: Expr, params: frozenset[Index], found: dict[Index, Expr]
) -> bool:
    """Walks both in step and notes what stands where ``body`` has a parameter."""
    if isinstance(body, Index) and body in params:
        return found.setdefault(body, expr) == expr
    if not params.intersection(free_indices(body)):
        return True
    if type(body) is not type(expr):
        return False
    match body, expr:
        case Call(op, args), Call(other, others) if op != other or len(args) != len(
            others
        ):
            return False
        case Read(name), Read(other) if name != other:
            return False
        case Reduce(_, _, ours), Reduce(_, _, theirs) if ours != theirs:
            expr = _renamed(expr, ours, theirs)
        case _:
            pass
    pairs = zip(children(body), children(expr), strict=False)
    return all(_solve(b, e, params, found) for b, e in pairs)


def _renamed(expr: Expr, ours: tuple[Index, ...], theirs: tuple[Index, ...]) -> Expr:
    """A reduction with the bound indices of the one it is compared with."""
    if len(ours) != len(theirs) or not isinstance(expr, Reduce):
        return expr
    new: dict[Index, Expr] = dict(zip(theirs, ours, strict=True))
    return replace(expr, body=substitute(expr.body, new), indices=ours)


def _difficulty(pattern: Expr) -> tuple[int, int]:
    """Patterns that say most first: binders, then calls, then bound names, bare names last."""
    match pattern:
        case Read(_, subscripts):
            return (8 if subscripts else 9, 0)
        case Number():
            return (7, 0)
        case _:
            binders = sum(isinstance(n, Reduce | Keep) for n in walk(pattern))
            return (3 - min(binders, 3), -sum(1 for _ in walk(pattern)))


def _sorted(pattern: tuple[Factor, ...]) -> tuple[Factor, ...]:
    def difficulty(factor: Factor) -> tuple[int, int, int]:
        bare = isinstance(factor.base, Read)
        absorbs = factor.exponent in (1, -1)
        inverse = isinstance(factor.exponent, Fraction) and factor.exponent < 0
        if bare:
            return (10 if absorbs else 5, 0 if inverse else 1, 0)
        return (*_difficulty(factor.base), 0)

    return tuple(sorted(pattern, key=difficulty))
