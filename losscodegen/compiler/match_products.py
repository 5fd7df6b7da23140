"""Matching of products as multisets of powers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from losscodegen.compiler.bindings import Bindings, Match
from losscodegen.compiler.canonical import (
    Factor,
    Product,
    factors,
    from_factors,
    scaled,
)
from losscodegen.compiler.match_sums import Sums, difficulty
from losscodegen.ir.build import ONE
from losscodegen.ir.nodes import Expr, Number, Read, remembered

Left = Iterator[tuple[Bindings, tuple[Factor, ...]]]
"""Ways to match, each with the factors that stay over."""


@dataclass(frozen=True, slots=True)
class Products(Sums):
    """How the products of a pattern are matched."""

    def _product_root(self, pattern: Product, expr: Expr) -> Iterator[Match]:
        found = factors(expr)
        if found.coefficient == 0 or pattern.coefficient == 0:
            return
        scale = found.coefficient / pattern.coefficient
        for bindings, left in self._factors(
            hardest_factors(self.pattern), found.factors, Bindings(), root=True
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
    ) -> Left:
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
        known = self._known(first.base, bindings)
        if known is not None and known.bodies == (ONE,):
            yield from self._factors(rest, found, bindings, root=root)
        for position, factor in enumerate(found):
            remaining = found[:position] + found[position + 1 :]
            for state in self._exponent(first.exponent, factor.exponent, bindings):
                for bound in self._base(first, factor.base, state):
                    yield from self._factors(rest, remaining, bound, root=root)

    def _base(
        self, pattern: Factor, found: Expr, bindings: Bindings
    ) -> Iterator[Bindings]:
        """The base of a power; under an even exponent its sign is free."""
        some = False
        for state in self._match(pattern.base, found, bindings):
            some = True
            yield state
        exponent = pattern.exponent
        if not some and isinstance(exponent, Fraction) and exponent % 2 == 0:
            yield from self._match(pattern.base, scaled(found, Fraction(-1)), bindings)

    def _absorb(
        self,
        name: str,
        first: Factor,
        rest: tuple[Factor, ...],
        found: tuple[Factor, ...],
        bindings: Bindings,
        *,
        root: bool,
    ) -> Left:
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
        others = [f for f in rest if self._bare(f.base, bindings)]
        if inverse:
            others = [f for f in others if f.exponent == -1]
        if others and (len(taken) > 1 or name in self.optional):
            # Other bare names are to come: one factor each, the last takes the others.
            choices: list[tuple[Factor, ...]] = [(f,) for f in taken]
            if name in self.optional:
                choices.append(())
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
        if isinstance(found, Fraction) and (found == 1 or found < 0):
            return  # What is no power in the formula is none for a rule either.
        value = Number(found) if isinstance(found, Fraction) else found
        yield from self._match(pattern, value, bindings)


@remembered
def hardest_factors(pattern: Expr) -> tuple[Factor, ...]:
    """The factors of a pattern, those first that say most."""

    def rank(factor: Factor) -> tuple[int, int, int]:
        bare = isinstance(factor.base, Read)
        absorbs = factor.exponent in (1, -1)
        inverse = isinstance(factor.exponent, Fraction) and factor.exponent < 0
        if bare:
            return (10 if absorbs else 5, 0 if inverse else 1, 0)
        return (*difficulty(factor.base), 0)

    return tuple(sorted(factors(pattern).factors, key=rank))
