"""Branches that are not taken must not poison the gradient.

``where(c, f(u), g)`` passes the gradient 0 into ``f(u)`` where ``c`` does not hold, and 0 times an
infinite derivative is NaN. The cure is to put a harmless number in place of ``u`` there. It is
applied only where the derivative can blow up, and as far out as possible: to the largest
subexpressions whose own derivative is finite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from losscodegen.compiler.canonical import factors
from losscodegen.compiler.extents import Extent, Finding
from losscodegen.compiler.harmless import (
    DEAD_BRANCH,
    assignments,
    kept_anywhere,
    may_be_infinite,
    may_divide_by_zero,
    missing,
    place,
    replaced,
    substituted,
    used_elsewhere,
)
from losscodegen.compiler.intervals import point
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.steps import Step
from losscodegen.compiler.tame import Tame
from losscodegen.ir.nodes import (
    Expr,
    Guard,
    Index,
    Read,
    Reduce,
    Select,
)
from losscodegen.ir.walk import (
    children,
    free_indices,
    rebuild,
    transform,
)


@dataclass(slots=True)
class Selects:
    """Guards the branches of one loss; ``steps`` are appended to."""

    tame: Tame
    scalars: frozenset[str]
    masks: frozenset[str]
    labels: frozenset[str] = frozenset()
    """Inputs that are 0 or 1."""
    balanced: frozenset[str] = frozenset()
    """Rules whose own selects need no guard."""
    positions: Mapping[str, str] = field(default_factory=dict)
    """Inputs that hold places of an axis, and the axis."""
    steps: list[Step] = field(default_factory=list)
    without: frozenset[str] = frozenset()
    """Guards to leave out."""

    def protect(self, expr: Expr, ranges: Ranges) -> Expr:
        """``expr`` with every branch inside it made safe for the gradient."""
        raise NotImplementedError

    def _around(self, expr: Expr, ranges: Ranges) -> Expr:
        """What a rule made safe by itself; what stands in it is protected as usual."""
        parts = (
            (
                self._around(c, ranges)
                if c.origin.guard == expr.origin.guard
                else self.protect(c, ranges)
            )
            for c in children(expr)
        )
        return rebuild(expr, tuple(parts))

    def _select(self, expr: Select, ranges: Ranges) -> Expr:
        if self._known(expr.condition):
            return expr
        if expr.origin.guard and expr.origin.guard.rule in self.balanced:
            # Its condition stays made of the same tensors as its sides.
            return replace(expr, condition=self._around(expr.condition, ranges))
        then = self._guarded(expr.then, expr.condition, ranges)
        otherwise = self._guarded(expr.otherwise, expr.condition, ranges, kept=False)
        if then is expr.then and otherwise is expr.otherwise:
            return expr
        return self._step(
            expr, replace(expr, then=then, otherwise=otherwise), DEAD_BRANCH
        )

    def _known(self, condition: Expr) -> bool:
        """Whether a condition is decided in Python: then only one side is ever computed."""
        match condition:
            case Read(name):
                return name in self.scalars
            case Index() | Reduce():
                return False
            case _:
                return all(map(self._known, children(condition)))

    def _reduce(self, expr: Reduce, ranges: Ranges) -> Expr:
        if expr.where is None:
            return expr
        body = self._guarded(expr.body, expr.where, ranges, mask=True)
        if body is expr.body:
            return expr
        return self._step(expr, replace(expr, body=body), DEAD_BRANCH)

    def _guarded(
        self,
        branch: Expr,
        condition: Expr,
        ranges: Ranges,
        *,
        kept: bool = True,
        mask: bool = False,
    ) -> Expr:
        """``branch`` kept harmless where it is dropped: where ``condition`` is not ``kept``.

        A ``mask`` drops it for good; what other conditions drop is there for another branch.
        """
        if parts := used_elsewhere(branch, condition, self.positions):
            return self._guarded_around(
                parts, branch, condition, ranges, kept=kept, mask=mask
            )
        dead = ranges.under(opposite(condition) if kept else condition)
        found = self.tame.analyse(branch, dead)
        if found.tame and not missing(branch, dead):
            return branch
        # A binder inside that uses an index of the condition for something else would capture it.
        taken = frozenset(free_indices(condition))
        table = self._direct(branch, found, dead, taken)
        if table is not None:
            return substituted(branch, table, condition, taken, kept=kept)
        # No value at the leaves is known to do: a parameter may make any of them small. Then
        # results in between get one, and what they are computed from is guarded by itself.
        inner: dict[Expr, Expr] = {}
        tried: set[Expr] = set()
        for bad in found.bad:
            self._guardable(bad, condition, ranges, inner, tried, kept=kept)
        frontier = dict.fromkeys((*missing(branch, dead), *inner))
        table = self._harmless_values(branch, tuple(frontier), dead, taken)
        if not inner or table is None:
            return branch
        return substituted(branch, table, condition, taken, kept=kept, parts=inner)

    def _direct(
        self, branch: Expr, found: Finding, dead: Ranges, taken: frozenset[Index]
    ) -> dict[Expr, Expr] | None:
        """Values for the largest harmless parts of ``branch``; None if none are found."""
        for counts in (False, True):
            frontier = dict.fromkeys(missing(branch, dead))
            frontier |= dict.fromkeys(
                e for bad in found.bad for e in self._frontier(bad, dead, counts=counts)
            )
            table = self._harmless_values(branch, tuple(frontier), dead, taken)
            if table is not None:
                return table
        return None

    def _guardable(
        self,
        expr: Expr,
        condition: Expr,
        ranges: Ranges,
        parts: dict[Expr, Expr],
        tried: set[Expr],
        *,
        kept: bool,
    ) -> None:
        """Adds to ``parts`` the largest that can be made harmless below ``expr``, and as what.

        What was ``tried`` is left alone.
        """
        dead = ranges.under(opposite(condition) if kept else condition)
        taken = frozenset(free_indices(condition))
        for part in _flowing(expr):
            if part in tried or not self.tame.depends(part):
                continue
            tried.add(part)
            found = self.tame.analyse(part, dead)
            table = {} if found.tame else self._direct(part, found, dead, taken)
            if table is None:
                self._guardable(part, condition, ranges, parts, tried, kept=kept)
            else:
                new = substituted(part, table, condition, taken, kept=kept)
                parts[part] = new

    def _guarded_around(
        self,
        parts: tuple[Expr, ...],
        branch: Expr,
        condition: Expr,
        ranges: Ranges,
        *,
        kept: bool,
        mask: bool,
    ) -> Expr:
        """`_guarded`, with ``parts`` of the branch taken for numbers that are right as they are.

        They need not be finite, and an infinite factor of a dropped pair makes the gradient of the
        other factor ``0 * inf``. Nor are they right where all their pairs are dropped, as in a
        batch of one.
        """
        reads: dict[Expr, Expr] = {
            part: Read(f"@{k}", free_indices(part), origin=part.origin)
            for k, part in enumerate(parts)
        }
        domains = {f"@{k}": self.tame.range(p, ranges) for k, p in enumerate(parts)}
        known = self.tame.differentiable.union(
            f"@{k}" for k, part in enumerate(parts) if self.tame.depends(part)
        )
        infinite = {
            part
            for part in parts
            if mask and may_be_infinite(part, ranges, self.tame.differentiable)
        }
        sizes = {
            f"@{k}": (
                Extent.HUGE
                if p in infinite
                else min(self.tame.analyse(p, ranges).size, Extent.FINITE)
            )
            for k, p in enumerate(parts)
        }
        tame = replace(self.tame, differentiable=known, sizes=sizes)
        inside = replace(self, tame=tame)
        bare = replaced(branch, reads, frozenset(free_indices(condition)))
        there = replace(ranges, domains={**ranges.domains, **domains})
        new = inside._guarded(bare, condition, there, kept=kept)
        keeps = condition if kept else opposite(condition)
        parts_of = {
            read: (
                self._guarded(part, kept_anywhere(keeps, part), ranges)
                if part in infinite
                else part
            )
            for part, read in reads.items()
        }
        if new is bare and all(parts_of[read] is part for part, read in reads.items()):
            return branch
        return transform(new, lambda node: parts_of.get(node, node))

    def _frontier(self, expr: Expr, ranges: Ranges, *, counts: bool) -> Iterator[Expr]:
        """The largest subexpressions with a finite derivative below an op that was found bad.

        With ``counts`` also divisors without a gradient of their own, such as numbers of samples.
        """
        for part in _flowing(expr):
            if self.tame.depends(part):
                found = self.tame.analyse(part, ranges)
                if found.tame:
                    yield part
                else:
                    yield from self._frontier(part, ranges, counts=counts)
            elif counts and may_divide_by_zero(expr, part, ranges):
                yield part

    def _harmless_values(
        self,
        branch: Expr,
        frontier: tuple[Expr, ...],
        dead: Ranges,
        taken: frozenset[Index],
    ) -> dict[Expr, Expr] | None:
        """Values for as few of the frontier as will do; None if none are found."""
        places: dict[Expr, Expr] = {n: place(k) for k, n in enumerate(frontier)}
        marked = replaced(branch, places, taken)
        for values in assignments(len(frontier)):
            tame, ranges = self._trial(frontier, values, dead)
            if not tame.analyse(marked, ranges).tame:
                continue
            for node in frontier[len(missing(branch, dead)) :]:
                # Only what stands around this place is new to the analysis.
                fewer = {n: p for n, p in places.items() if n is not node}
                back = replaced(node, fewer, taken)
                left = replaced(marked, {places[node]: back}, taken)
                if fewer and tame.analyse(left, ranges).tame:
                    places, marked = fewer, left
            table = dict(zip(frontier, values, strict=True))
            return {node: table[node] for node in places}
        return None

    def _trial(
        self, frontier: tuple[Expr, ...], values: tuple[Expr, ...], dead: Ranges
    ) -> tuple[Tame, Ranges]:
        """The analysis of branches whose places have these values."""
        points = {
            place(k).name: point(float(factors(value).coefficient))
            for k, value in enumerate(values)
        }
        flowing = (
            place(k).name for k, e in enumerate(frontier) if self.tame.depends(e)
        )
        known = self.tame.differentiable.union(flowing)
        domains = {**dead.domains, **points}
        tame = replace(self.tame, differentiable=known)
        return tame, replace(dead, domains=domains)

    def _step(self, before: Expr, after: Expr, guard: Guard) -> Expr:
        if guard.rule in self.without:
            return before
        self.steps.append(
            Step(rule=guard.rule, before=before, after=after, why=guard.why)
        )
        return after


def _flowing(expr: Expr) -> tuple[Expr, ...]:
    """The parts that a gradient may flow into: not the condition of a select."""
    return (expr.then, expr.otherwise) if isinstance(expr, Select) else children(expr)
