"""Matching of rule patterns: up to order, signs, coefficients and the names of bound indices.

A pattern is a formula. A name without subscripts stands for any expression; ``x[i]`` under a binder
of ``i`` for any expression that may depend on the bound index; ``x[t]`` for that same expression
with the index replaced by whatever ``t`` turns out to be. Sums and products are matched as
multisets. At the root of a pattern, further terms or factors may stay over; elsewhere only a bare
name takes them up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from losscodegen.compiler.bindings import Bindings, Match, Template, solve
from losscodegen.compiler.canonical import Factor, factors, rational, scaled, terms
from losscodegen.compiler.equality import same
from losscodegen.compiler.match_products import Products, hardest_factors
from losscodegen.compiler.match_sums import hardest_terms
from losscodegen.compiler.ranges import TRUE, conjuncts, opposite
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
from losscodegen.ir.walk import children, free_indices

ARITHMETIC = frozenset({"add", "neg", "mul", "div", "pow", "square", "sqrt"})
_COMMUTATIVE = frozenset({"max", "min", "and", "or", "eq", "ne", "hypot", "logaddexp"})
_MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@dataclass(frozen=True, slots=True)
class Matcher(Products):
    """One pattern. ``optional`` names may be 1 in a product or 0 in a sum."""

    def matches(self, expr: Expr) -> Iterator[Match]:
        """Every way in which ``expr`` contains the pattern at its root."""
        pattern_terms = terms(self.pattern)
        if len(pattern_terms) > 1:
            yield from self._sum_root(hardest_terms(self.pattern), expr)
        elif isinstance(self.pattern, Call) and self.pattern.op in ARITHMETIC:
            yield from self._product_root(factors(self.pattern), expr)
        else:
            for bindings in self._match(self.pattern, expr, Bindings()):
                yield Match(bindings)

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
                        outside = state.leave(bindings)
                        yield from self._subscript(at, (expr.at,), outside)
            case Use():
                return

    def _arithmetic(
        self, pattern: Call, expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        wanted = terms(pattern)
        if len(wanted) > 1:
            for state, _ in self._terms(
                hardest_terms(pattern), terms(expr), bindings, Fraction(1), root=False
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
                isinstance(f.base, Read) and f.exponent == 1 for f in product.factors
            )
            if not bare:
                return
            # A number goes where a name of the product goes.
            parts = (*parts, Factor(Number(found.coefficient), Fraction(1)))
        for state, _ in self._factors(
            hardest_factors(pattern), parts, bindings, root=False
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
            seen = inner.names.get(where.name)
            if seen is not None and not same(seen.at(expr.indices), found):
                return
            inner = inner.bind(where.name, Template((found,), expr.indices))
        elif expr.where is None:
            return
        elif parts := _bare_conjuncts(where):
            yield from self._masked(pattern, parts, expr, bindings, inner)
            return
        for state in self._match(pattern.body, expr.body, inner):
            states: Iterator[Bindings] = iter((state,))
            if where is not None and not isinstance(where, Read):
                assert expr.where is not None
                states = self._match(where, expr.where, state)
            for known in states:
                outside = known.leave(bindings)
                if pattern.order is None or expr.order is None:
                    if (pattern.order is None) == (expr.order is None):
                        yield outside
                else:
                    yield from self._match(pattern.order, expr.order, outside)

    def _masked(
        self,
        pattern: Reduce,
        parts: tuple[Read, Read],
        expr: Reduce,
        outer: Bindings,
        inner: Bindings,
    ) -> Iterator[Bindings]:
        """A condition ``m[i] and n[i]``: the first may stand for nothing, the second may not."""
        assert expr.where is not None
        found = conjuncts(expr.where)
        first, second = parts
        for size in range(len(found)):
            for chosen in combinations(range(len(found)), size):
                state = inner
                for name, kept in ((first.name, True), (second.name, False)):
                    mine = [c for k, c in enumerate(found) if (k in chosen) is kept]
                    condition = mine[0] if len(mine) == 1 else Call("and", tuple(mine))
                    seen = state.names.get(name)
                    if seen is None:
                        state = state.bind(name, Template((condition,), expr.indices))
                    elif not same(seen.at(expr.indices), condition):
                        break
                else:
                    for known in self._match(pattern.body, expr.body, state):
                        yield known.leave(outer)

    # ------------------------------------------------------------ names

    def _name(
        self, name: str, subscripts: tuple[Expr, ...], expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        known = bindings.names.get(name)
        inner = [s for s in subscripts if isinstance(s, Index)]
        if len(inner) == len(subscripts):
            params = tuple(i for s in inner for i in bindings.indices.get(s, (s,)))
            if known is None:
                escaping = bindings.inside.difference(params).intersection(
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
            if not bindings.inside.intersection(
                i for e in found for i in free_indices(e)
            ):
                yield bindings.bind(pattern.name, Template(found))
        elif len(known.bodies) == len(found) and all(map(same, known.bodies, found)):
            yield bindings


def _bare_conjuncts(condition: Expr) -> tuple[Read, Read] | None:
    """The two names of a condition ``m[i] and n[i]``."""
    match condition:
        case Call("and", (Read() as first, Read() as second)):
            return first, second
        case _:
            return None
