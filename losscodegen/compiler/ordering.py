"""Sums whose large terms may cancel: these come first, and what is small beside them last.

``log(cosh(x)) - x`` is ``-log(2)`` for large x, but in its usual form, ``|x| - log(2)`` there, the
logarithm has been rounded away by the time that x is subtracted. Functions that grow like their
argument are taken apart, through selects and products with what is bounded, into what grows and
the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice, product

from losscodegen.compiler.degrees import degree
from losscodegen.compiler.harmless import may_be_infinite
from losscodegen.compiler.ranges import Ranges, opposite, places
from losscodegen.compiler.search.rational import Algebra, TooLargeError
from losscodegen.compiler.simplify import tidy
from losscodegen.compiler.steps import Step
from losscodegen.ir.build import ZERO, add, div, mul, neg
from losscodegen.ir.nodes import Call, Expr, Guard, Keep, Read, Reduce, Select
from losscodegen.ir.walk import children, rebuild, transform, walk

ORDER = Guard(
    rule="large-terms-first",
    why="Beside large terms that cancel, the rest of a function that grows like one of them would "
    "be rounded away. What grows is added first.",
)

_MOST = 16
"""As many combinations of sides are looked at."""
_LONGEST = 400
"""Nodes of a term: what is longer is no function that anybody writes."""


@dataclass(frozen=True, slots=True)
class Split:
    """What of an expression grows with the inputs and what does not; 0 where there is none."""

    large: Expr = ZERO
    small: Expr = ZERO
    deep: bool = False
    """Whether they are taken from within something else than a sum."""

    @property
    def both(self) -> bool:
        return self.large != ZERO and self.small != ZERO


@dataclass(frozen=True, slots=True)
class Ordering:
    """The sums of one loss; ``free`` names what may be of any size. ``steps`` are appended to."""

    free: frozenset[str]
    steps: list[Step] = field(default_factory=list)
    done: dict[tuple[int, int], tuple[Expr, Expr, Ranges]] = field(default_factory=dict)
    """By identity; the objects are held so that it stays unique."""
    known: dict[tuple[Expr, int], Split] = field(default_factory=dict)

    def ordered(self, expr: Expr, ranges: Ranges) -> Expr:
        """``expr`` with every sum inside it in an order in which nothing is rounded away."""
        if not children(expr) or isinstance(expr, Read):
            return expr
        name = (id(expr), id(ranges))
        if name not in self.done:
            self.done[name] = (self._ordered(expr, ranges), expr, ranges)
        return self.done[name][0]

    def _ordered(self, expr: Expr, ranges: Ranges) -> Expr:
        if isinstance(expr, Call) and expr.op == "add":
            new = self._sum(expr, ranges)
            if new is not None:
                self.steps.append(
                    Step(rule=ORDER.rule, before=expr, after=new, why=ORDER.why)
                )
                return new
        known = places(expr, ranges)
        parts = (self.ordered(c, r) for c, r in zip(children(expr), known, strict=True))
        return rebuild(expr, tuple(parts))

    def _sum(self, expr: Call, ranges: Ranges) -> Expr | None:
        """The sum in another order; None if that would not help."""
        terms = tuple(_flat(expr))
        if any(_long(term) for term in terms):
            return None
        found = [self.split(term, ranges) for term in terms]
        larges = [s.large for s in found if s.large != ZERO]
        rest = [s.small for s in found if s.small != ZERO]
        if len(larges) < 2 or not rest or _one_sign(larges, ranges):
            return None
        whole = [_within(k, terms, found) for k in range(len(found))]
        deep = any(s.deep and not w for s, w in zip(found, whole, strict=True))
        last = max(k for k, s in enumerate(found) if s.large != ZERO)
        late = any(s.large == ZERO for s in found[:last]) and not any(
            s.deep for s in found
        )
        if not (deep or late) or not self._may_cancel(larges):
            return None
        return _marked(add(add(*larges), add(*rest)), expr)

    def split(self, expr: Expr, ranges: Ranges) -> Split:
        """``expr`` as a sum of what grows and of the rest."""
        name = (expr, id(ranges))
        if name not in self.known:
            self.known[name] = self._split(expr, ranges)
        return self.known[name]

    def _split(self, expr: Expr, ranges: Ranges) -> Split:
        grows = degree(expr, ranges, self.free.__contains__)
        if grows == 0:
            return Split(small=expr)
        whole = Split(large=expr)
        match expr:
            case _ if math.isinf(grows):
                return (
                    whole  # Exponentials have outgrown everything before they cancel.
                )
            case Call("neg", (arg,)):
                inner = self.split(arg, ranges)
                return _each(inner, neg)
            case Call("abs", (arg,)) if ranges.of(arg).nonnegative:
                inner = self.split(arg, ranges)
                return inner if inner.both else whole
            case Call("add"):
                parts = [self.split(term, ranges) for term in _flat(expr)]
                return Split(
                    _total(s.large for s in parts),
                    _total(s.small for s in parts),
                    any(s.deep for s in parts),
                )
            case Call("mul", args):
                scales = [a for a in args if self._bounded(a, ranges)]
                others = [a for a in args if a not in scales]
                if len(others) != 1 or not scales:
                    return whole
                inner = self.split(others[0], ranges)
                found = _each(inner, lambda part: tidy(mul(*scales, part)))
                return replace(found, deep=True) if inner.both else whole
            case Select(condition, then, otherwise):
                yes = self.split(then, ranges.under(condition))
                no = self.split(otherwise, ranges.under(opposite(condition)))
                found = Split(
                    Select(condition, yes.large, no.large),
                    Select(condition, yes.small, no.small),
                    deep=True,
                )
                return found if yes.both or no.both else whole
            case _:
                return whole

    def _may_cancel(self, larges: Sequence[Expr]) -> bool:
        """Whether two terms are in a fixed proportion somewhere, or the sum of all is 0."""
        sides = [[(e, self._read(e)) for e in _sides(large)] for large in larges]
        for (one, mine), (other, names) in (
            pair for two in combinations(sides, 2) for pair in product(*two)
        ):
            ratio = _reduced(div(one, other)) if mine == names else None
            if ratio is not None and not self._read(ratio):
                return True
        if len(sides) == 2:
            return False
        for chosen in islice(product(*sides), _MOST):
            counts = Counter(n for _, names in chosen for n in names)
            alone = 1 in counts.values()
            if not alone and _reduced(add(*(e for e, _ in chosen))) == ZERO:
                return True
        return False

    def _read(self, expr: Expr) -> frozenset[Expr]:
        """What may be of any size in ``expr``."""
        return frozenset(
            n
            for n in walk(expr)
            if (isinstance(n, Read) and n.name in self.free)
            or isinstance(n, Reduce | Keep)
        )

    def _bounded(self, expr: Expr, ranges: Ranges) -> bool:
        """Whether ``expr`` is a number of ordinary size, whatever the inputs are."""
        if degree(expr, ranges, self.free.__contains__) > 0:
            return False
        return not may_be_infinite(expr, ranges, self.free)


def _long(expr: Expr) -> bool:
    """Whether ``expr`` has too many nodes to be compared with others."""
    return next(islice(walk(expr), _LONGEST, None), None) is not None


def _flat(expr: Expr) -> Iterator[Expr]:
    """The terms of a sum, those of sums within it as well."""
    match expr:
        case Call("add", args):
            for arg in args:
                yield from _flat(arg)
        case Call("neg", (Call("add") as inner,)):
            for term in _flat(inner):
                yield tidy(neg(term))
        case _:
            yield expr


def _each(split: Split, change: Callable[[Expr], Expr]) -> Split:
    large, small = (
        part if part == ZERO else tidy(change(part))
        for part in (split.large, split.small)
    )
    return Split(large, small, split.deep)


def _total(parts: Iterator[Expr]) -> Expr:
    found = [p for p in parts if p != ZERO]
    return add(*found) if found else ZERO


def _one_sign(found: Sequence[Expr], ranges: Ranges) -> bool:
    limits = [ranges.of(e) for e in found]
    return all(r.nonnegative for r in limits) or all((-r).nonnegative for r in limits)


def _within(place: int, terms: Sequence[Expr], found: Sequence[Split]) -> bool:
    """Whether a term cancels with another one as a whole, because that is computed from it."""
    own = set(walk(found[place].large))
    for k, (term, split) in enumerate(zip(terms, found, strict=True)):
        if k == place or split.large == ZERO:
            continue
        parts = set(walk(term))
        binders = {n for n in parts if isinstance(n, Reduce | Keep)}
        if terms[place] in parts or not binders <= own:
            return True
    return False


def _sides(expr: Expr) -> list[Expr]:
    """What ``expr`` is on either side of what it decides; 0 left out."""
    match expr:
        case Call("abs", (arg,)):
            found = [e for side in _sides(arg) for e in (side, neg(side))]
        case Call("relu", (arg,)):
            found = _sides(arg)
        case Call("clip", (arg, low, high)):
            found = [*_sides(arg), low, high]
        case Select(_, then, otherwise):
            found = [*_sides(then), *_sides(otherwise)]
        case Call("neg" | "add" | "mul" | "div", args):
            sides = product(*map(_sides, args))
            found = [rebuild(expr, parts) for parts in islice(sides, _MOST)]
        case _:
            found = [expr]
    return [e for e in dict.fromkeys(found) if e != ZERO][:_MOST]


def _reduced(expr: Expr) -> Expr | None:
    """``expr`` after what cancels has gone; None if that is not found."""
    try:
        algebra = Algebra.of(expr)
        return algebra.expression(algebra.read(expr))
    except (TooLargeError, ZeroDivisionError):
        return None


def _marked(new: Expr, old: Expr) -> Expr:
    """``new`` with the guard on every node that ``old`` does not have."""
    known = set(walk(old))

    def visit(node: Expr) -> Expr:
        if node in known or node.origin.guard is not None or not children(node):
            return node
        return replace(node, origin=replace(node.origin, guard=ORDER))

    found = transform(new, visit)
    return replace(found, origin=replace(old.origin, guard=ORDER))
