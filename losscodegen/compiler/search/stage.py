"""The search: where an expression loses bits, its other forms are tried and the best one is kept.

It looks at what the rules have left, from the largest expression down, so that a series or a
common denominator of the whole comes before changes to its parts. What a rule has made gives way
only if it is bad, or to what is good everywhere. The same expression always gives the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from losscodegen.compiler.digits import Digits
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.search.form import SERIES, SHARES, Form
from losscodegen.compiler.search.forms import forms
from losscodegen.compiler.search.measure import (
    GOOD,
    Point,
    Points,
    Score,
    Source,
    extremes,
    gaps,
    points,
    score,
)
from losscodegen.compiler.search.numerics import DOUBLES
from losscodegen.compiler.steps import Step, as_typed
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Guard,
    Number,
    Read,
    Reduce,
    Select,
    Switch,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children, rebuild, transform, walk

_OPS = ("add", "div", "mul", "log", "sqrt")
_GOOD = 4.0
"""Bits at the worst, 8 ulp: what loses no more is not searched."""
_VARIABLES = 4
"""An expression of more is not searched."""
_MUCH = 3.0
"""Bits on average beyond which what a rule has made is bad."""
_SERIES = 8
"""The nodes that a power series counts at most."""
_ROUNDS = 3
"""How many forms may follow one from the other."""
_WIDTH = 3
"""How many of them are followed, the best ones."""
_LARGEST = 60
"""Different nodes of an expression of one variable, half as many for two: the forms of a larger one
are not readable, whatever they are worth."""


@dataclass(slots=True)
class Search:
    """One search through a loss.

    scalars: Python numbers, which carry no gradient, with their defaults.
    """

    scalars: Mapping[str, float | None]
    steps: list[Step]
    later: Callable[[Expr, Ranges], Expr]
    """What the rules that come afterwards make of an expression."""
    without: frozenset[str] = frozenset()
    """Forms to leave out, by name."""
    differentiated: bool = True
    """Whether the gradient counts as well as the value."""
    digits: Digits = field(default_factory=Digits)
    needed: bool = False
    """Whether small values need their digits at the place that is looked at now."""
    done: dict[tuple[Expr, int, bool], Expr] = field(default_factory=dict)
    held: list[Ranges] = field(default_factory=list)
    """The ranges of what is done, so that their identity stays unique."""
    within: list[Expr] = field(default_factory=list)
    """Expressions that have found a better form, of which a part is looked at now."""
    conditions: tuple[Expr, ...] = ()
    """What holds at the place that is looked at now."""

    def run(self, expr: Expr, ranges: Ranges) -> Expr:
        """``expr`` with better forms wherever one is found."""
        if not children(expr) or isinstance(expr, Read):
            return expr
        self.needed |= self.digits.everywhere
        name = (expr, id(ranges), self.needed)
        if name not in self.done:
            self.held.append(ranges)
            self.done[name] = self._run(expr, ranges)
        return self.done[name]

    def _run(self, expr: Expr, ranges: Ranges) -> Expr:
        if isinstance(expr, Call) and expr.op in _OPS and expr not in self.within:
            found = self._best(expr, ranges)
            if found is expr:
                # Good as it is, whatever its parts may lose by themselves.
                return expr
            if found is not None:
                # What is better may have parts that can be better still; the old form is one
                # where it is taken in some places only.
                self.within.append(expr)
                if _expanded(found) and isinstance(found, Select):
                    other = opposite(found.condition)
                    rest = self._where(other, found.otherwise, ranges)
                    found = replace(found, otherwise=rest)
                else:
                    found = self._parts(found, ranges)
                self.within.pop()
                return found
        return self._parts(expr, ranges)

    def _parts(self, expr: Expr, ranges: Ranges) -> Expr:
        match expr:
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                other = opposite(condition)
                new: tuple[Expr, ...] = (
                    condition,
                    self._where(condition, then, ranges),
                    self._where(other, otherwise, ranges),
                )
            case Reduce(where=where):
                before = self.needed
                self.needed = self.digits.of_parts(expr, ranges, needed=before)[0]
                inner = self._where(where, children(expr)[0], ranges)
                self.needed = before
                new = (inner, *children(expr)[1:])
            case Call(op) if OPS[op].sort is Sort.REAL and op != "detach":
                new = self._arguments(expr, ranges)
            case _:
                return expr
        return rebuild(expr, new)

    def _arguments(self, expr: Expr, ranges: Ranges) -> tuple[Expr, ...]:
        before, new = self.needed, []
        needed = self.digits.of_parts(expr, ranges, needed=before)
        for part, self.needed in zip(children(expr), needed, strict=True):
            new.append(self.run(part, ranges))
        self.needed = before
        return tuple(new)

    def _where(self, condition: Expr | None, expr: Expr, ranges: Ranges) -> Expr:
        before = self.conditions
        if condition is not None:
            self.conditions = (*before, condition)
        found = self.run(expr, ranges.under(condition))
        self.conditions = before
        return found

    def _best(self, expr: Call, ranges: Ranges) -> Expr | None:
        """The best form of ``expr``: itself if it is good enough; None if no form is better.

        One of what was typed, where rules have made parts of it that no form is known of, or that
        hide what it is: ``x - atan2(x, 1)`` has no series.
        """
        typed = as_typed(expr, self.steps)
        for plain in dict.fromkeys((expr if leaves(expr) else typed, typed)):
            found = self._best_of(plain, expr, ranges)
            if found is not None:
                return found
        return None

    def _best_of(self, plain: Expr, expr: Call, ranges: Ranges) -> Expr | None:
        reads = leaves(plain)
        if reads is None or _size(plain) > _LARGEST // len(reads):
            return None
        wrt = tuple(v for v in reads if not self._static(v))
        if not wrt:
            return None
        if not self._forms(plain, ranges, wrt):
            return None
        variables, wrt = wrt, wrt if self.differentiated else ()
        allowed: dict[Expr, Source] = {r: self._source(r, ranges) for r in reads}
        beside = not self.needed
        where = points(plain, allowed, wrt, self.conditions, absolute=beside)
        before = score(expr, where, wrt)
        if before is not None and before.worst > _GOOD:
            where = points(
                plain, allowed, wrt, self.conditions, more=True, absolute=beside
            )
            before = score(self.later(expr, ranges), where, wrt)
        if before is None:
            return None
        far = extremes(plain, allowed, wrt, self.conditions)
        good = before.worst <= _GOOD
        there = expr, plain, ranges, variables, where, before, far
        found = (() if good else self._chain(*there)) or self._reaching(*there)
        if good and not found:
            return expr
        for form in found:
            self.steps.append(
                Step(rule=form.name, before=expr, after=form.expr, why=form.why)
            )
        return None if not found else _marked(found[-1].expr, expr, found[-1])

    def _chain(
        self,
        expr: Expr,
        plain: Expr,
        ranges: Ranges,
        wrt: tuple[Expr, ...],
        where: Points,
        before: Score,
        far: tuple[Point, ...],
    ) -> tuple[Form, ...]:
        """The forms of ``plain``, one from the other, that lead to the best one found.

        None that is nan or infinite at a point of ``far`` where ``expr`` is not.
        """
        measured = wrt if self.differentiated else ()
        known = gaps(self.later(expr, ranges), far, measured)
        best, found = before, tuple[Form, ...]()
        # What a rule has made and is not bad gives way only to what is good everywhere.
        made = before.mean < _MUCH and expr.origin.guard is not None
        seen = {expr}
        first = self._forms(plain, ranges, wrt)
        chains: list[tuple[Form, ...]] = [(form,) for form in first]
        for _ in range(_ROUNDS):
            following = []
            for chain in chains:
                last = chain[-1].expr
                if last in seen:
                    continue
                seen.add(last)
                reached = score(self.later(last, ranges), where, measured)
                if reached is None:
                    continue
                following.append((reached.mean, chain))
                # A power series is long, but its length is no riddle.
                added = _size(last) - _size(expr)
                growth = min(added, _SERIES) if chain[-1].name == SERIES else added
                enough = reached.better(before, growth) and not (
                    made and reached.worst > GOOD
                )
                if enough and (not found or reached.mean < best.mean):
                    new = gaps(self.later(last, ranges), far, measured)
                    if new is None or known is None or new <= known:
                        best, found = reached, chain
            if found and best.worst <= _GOOD:
                break
            following.sort(key=lambda ranked: ranked[0])
            chains = [
                (*chain, form)
                for _, chain in following[:_WIDTH]
                for form in self._forms(chain[-1].expr, ranges, wrt)
            ]
        return found

    def _reaching(
        self,
        expr: Expr,
        plain: Expr,
        ranges: Ranges,
        wrt: tuple[Expr, ...],
        where: Points,
        before: Score,
        far: tuple[Point, ...],
    ) -> tuple[Form, ...]:
        """The product in another order, as good, that is finite at more of the points ``far``."""
        measured = wrt if self.differentiated else ()
        shares = [f for f in self._forms(plain, ranges, wrt) if f.name == SHARES]
        known = gaps(self.later(expr, ranges), far, measured) if shares else None
        best, found = known, tuple[Form, ...]()
        for form in shares:
            new = gaps(self.later(form.expr, ranges), far, measured)
            if not best or new is None or not new < best:
                continue
            reached = score(self.later(form.expr, ranges), where, measured)
            if reached is not None and reached.worst <= max(before.worst, _GOOD):
                best, found = new, (form,)
        return found

    def _forms(
        self, expr: Expr, ranges: Ranges, wrt: tuple[Expr, ...]
    ) -> tuple[Form, ...]:
        variable = wrt[0] if len(wrt) == 1 else None
        found: dict[Expr, Form] = {}
        for form in forms(expr, ranges, variable):
            if form.name in self.without or form.expr == expr:
                continue
            if _size(form.expr) <= 2 * _LARGEST:
                found.setdefault(form.expr, form)
        return tuple(found.values())

    def _static(self, leaf: Expr) -> bool:
        return isinstance(leaf, Read) and leaf.name in self.scalars

    def _source(self, leaf: Expr, ranges: Ranges) -> Source:
        usual = self.scalars.get(leaf.name) if isinstance(leaf, Read) else None
        return Source(ranges.of(leaf), self._static(leaf), usual)


def _size(expr: Expr) -> int:
    return len(set(walk(expr)))


def _expanded(expr: Expr) -> bool:
    """Whether it is a power series, which has no better form."""
    return expr.origin.guard is not None and expr.origin.guard.rule == SERIES


def defaults(loss: Loss) -> dict[str, float | None]:
    """The scalar parameters with their defaults, None where that is no number."""
    return {
        v.name: float(v.default) if isinstance(v.default, Fraction) else None
        for v in loss.parameters
        if v.scalar
    }


def leaves(expr: Expr) -> tuple[Read, ...] | None:
    """What ``expr`` is a pointwise function of, in order; None if it is of too much."""
    found: dict[Expr, None] = {}

    def visit(node: Expr) -> None:
        match node:
            case Number() | Constant():
                pass
            case Call(op, args) if op in DOUBLES.functions or op == "detach":
                for arg in args:
                    visit(arg)
            case _:
                found.setdefault(node)

    visit(expr)
    # What a sum over an axis comes to is not exact, and no form is better than it.
    reads = tuple(leaf for leaf in found if isinstance(leaf, Read))
    plain = len(reads) == len(found) and 0 < len(reads) <= _VARIABLES
    return reads if plain else None


def _marked(new: Expr, old: Expr, form: Form) -> Expr:
    """``new`` with the guard on every node that ``old`` does not have."""
    known = set(walk(old))
    guard = Guard(rule=form.name, why=form.why)

    def visit(node: Expr) -> Expr:
        if node in known or isinstance(node, Number) or node.origin.guard is not None:
            return node
        return replace(node, origin=replace(node.origin, guard=guard))

    found = transform(new, visit)
    origin = replace(old.origin, guard=guard)
    return replace(found, origin=origin)
