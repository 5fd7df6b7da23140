"""Matching of sums as multisets of terms with coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from losscodegen.compiler.bindings import Bindings, Match, Template, solve
from losscodegen.compiler.canonical import (
    Term,
    from_terms,
    multiplied,
    scaled,
    terms,
)
from losscodegen.compiler.equality import same
from losscodegen.ir.build import ONE, ZERO
from losscodegen.ir.nodes import Expr, Index, Keep, Number, Read, Reduce, remembered
from losscodegen.ir.walk import free_indices, walk

Left = Iterator[tuple[Bindings, tuple[Term, ...]]]
"""Ways to match, each with the terms that stay over."""


@dataclass(frozen=True, slots=True)
class Sums:
    """A pattern, and how its sums are matched; the nodes are left to `match`."""

    pattern: Expr
    optional: frozenset[str] = frozenset()

    def _match(
        self, pattern: Expr, expr: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        raise NotImplementedError

    def _subscript(
        self, pattern: Expr, found: tuple[Expr, ...], bindings: Bindings
    ) -> Iterator[Bindings]:
        raise NotImplementedError

    def _sum_root(self, pattern: tuple[Term, ...], expr: Expr) -> Iterator[Match]:
        found = terms(expr)
        if len(found) < len([t for t in pattern if not self._is_optional(t.body)]):
            return
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
                    before = sum(any(t is f for f in found[:position]) for t in left)
                    yield Match(state, scale, left, position=before)

    def _terms(
        self,
        pattern: tuple[Term, ...],
        found: tuple[Term, ...],
        bindings: Bindings,
        scale: Fraction,
        *,
        root: bool,
    ) -> Left:
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
            yield from self._consume(
                first, known, rest, found, bindings, scale, root=root
            )
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
        if name is not None and len(found) > 2 and len(rest) == 1 and not root:
            yield from self._apart(first, rest[0], found, bindings, scale)

    def _apart(
        self,
        first: Term,
        last: Term,
        found: tuple[Term, ...],
        bindings: Bindings,
        scale: Fraction,
    ) -> Left:
        """Two bare names that share a sum: one takes up all that depends on the bound index."""
        if self._bare(last.body, bindings) is None:
            return
        inside = bindings.inside
        dependent = tuple(t for t in found if inside & set(free_indices(t.body)))
        constant = tuple(t for t in found if not inside & set(free_indices(t.body)))
        if not dependent or not constant:
            return
        total = from_terms(
            Term(t.coefficient / (first.coefficient * scale), t.body) for t in dependent
        )
        for state in self._match(first.body, total, bindings):
            yield from self._terms((last,), constant, state, scale, root=False)

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
    ) -> Left:
        """A name that is bound already, to a sum perhaps: all its terms must be there."""
        assert isinstance(first.body, Read)
        wanted = first.coefficient * scale
        for state, expected in self._expected(first.body, known, found, bindings):
            left: tuple[Term, ...] | None = found
            for term in multiplied(terms(expected), wanted):
                if left is not None:
                    left = _without(left, term, partial=root)
            if left is not None:
                yield from self._terms(rest, left, state, scale, root=root)

    def _expected(
        self,
        pattern: Read,
        known: Template,
        found: tuple[Term, ...],
        bindings: Bindings,
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


@remembered
def hardest_terms(pattern: Expr) -> tuple[Term, ...]:
    """The terms of a pattern, those first that say most."""
    return tuple(sorted(terms(pattern), key=lambda t: difficulty(t.body)))


@remembered
def difficulty(pattern: Expr) -> tuple[int, int]:
    """Patterns that say most first: binders, then calls, then bound names, bare names last."""
    match pattern:
        case Read(_, subscripts):
            return (8 if subscripts else 9, 0)
        case Number():
            return (7, 0)
        case _:
            binders = sum(isinstance(n, Reduce | Keep) for n in walk(pattern))
            return (3 - min(binders, 3), -sum(1 for _ in walk(pattern)))
