"""Rules made ready: their formulas read once, and their replacements filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from losscodegen.compiler.bindings import Bindings, Match
from losscodegen.compiler.features import Feature, features, needs
from losscodegen.compiler.match import Matcher
from losscodegen.compiler.ranges import TRUE, Ranges, conjuncts
from losscodegen.compiler.rule import INDICES, Rule
from losscodegen.compiler.simplify import tidy
from losscodegen.ir.nodes import (
    Call,
    Expr,
    Guard,
    Index,
    Keep,
    Origin,
    Read,
    Reduce,
    Select,
    Size,
    remembered,
)
from losscodegen.ir.walk import (
    bound_indices,
    children,
    free_indices,
    fresh_name,
    rebuild,
    substitute,
)
from losscodegen.language.formula import parse_formula

_LINE = re.compile(r"(\w+)(?:\[(\w+)\])?\s*=(?!=)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule with its formulas as expressions."""

    rule: Rule
    matcher: Matcher
    let: tuple[tuple[str, Expr], ...]
    replacement: Expr
    condition: Expr | None
    unless: Expr | None
    needs: frozenset[Feature]
    """What must occur in an expression for the pattern to have a chance."""

    def matches(self, expr: Expr, ranges: Ranges) -> Iterator[Match]:
        """The matches for which the condition of the rule is proved."""
        for match in self.matcher.matches(expr):
            if self.rule.whole and not match.whole:
                continue
            if self.condition is not None and not ranges.proves(
                fill(self.condition, match.bindings)
            ):
                continue
            if self.unless is not None and ranges.proves(
                fill(self.unless, match.bindings)
            ):
                continue
            yield match

    def apply(self, expr: Expr, match: Match) -> Expr:
        """``expr`` with the replacement in place of what matched, named and marked."""
        guard = Guard(rule=self.rule.name, why=self.rule.why, smooth=self.rule.smooth)
        filler = Filler(match.bindings, dict(self.let), guard)
        found = match.around(filler.fill(self.replacement))
        origin = replace(
            found.origin,
            location=expr.origin.location,
            name=expr.origin.name or found.origin.name,
            guard=found.origin.guard or guard,
        )
        return replace(found, origin=origin)


@cache
def ready(rule: Rule) -> Ready:
    """The formulas of ``rule``, read."""
    pattern = parse_formula(rule.pattern, indices=INDICES)
    let = []
    for line in rule.let:
        found = _LINE.fullmatch(line)
        assert found is not None, line
        name, _, text = found.groups()
        let.append((name, parse_formula(text, indices=INDICES)))
    return Ready(
        rule=rule,
        matcher=Matcher(pattern, frozenset(rule.optional)),
        let=tuple(let),
        replacement=parse_formula(rule.replacement, indices=INDICES),
        condition=_optional(rule.condition),
        unless=_optional(rule.unless),
        needs=needs(pattern, frozenset(rule.optional)),
    )


@dataclass(slots=True)
class Candidates:
    """Rules, and which of them have a chance where; in the order of the table."""

    rules: tuple[Ready, ...]
    _known: dict[frozenset[Feature], tuple[Ready, ...]] = field(default_factory=dict)

    @classmethod
    def of_rules(cls, rules: Iterable[Rule]) -> Candidates:
        return cls(tuple(map(ready, rules)))

    def at(self, expr: Expr) -> tuple[Ready, ...]:
        present = features(expr)
        found = self._known.get(present)
        if found is None:
            found = tuple(r for r in self.rules if r.needs <= present)
            self._known[present] = found
        return found


def _optional(text: str | None) -> Expr | None:
    return None if text is None else parse_formula(text, indices=INDICES)


def fill(formula: Expr, bindings: Bindings) -> Expr:
    """``formula`` with every name of a pattern replaced by what it stands for."""
    return Filler(bindings, {}, None).fill(formula)


class Filler:
    """Fills in one replacement; nodes that it makes carry the guard, and ``let`` lines names."""

    def __init__(
        self, bindings: Bindings, let: dict[str, Expr], guard: Guard | None
    ) -> None:
        self.names = bindings.names
        self.let = let
        self.origin = Origin(guard=guard)
        self.made: dict[str, Expr] = {}
        self.found = bindings.indices
        outer = {
            i
            for template in bindings.names.values()
            for body in template.bodies
            for i in free_indices(body)
            if i not in template.params
        }
        self.indices = {
            pattern: tuple(_distinct(i, outer) for i in found)
            for pattern, found in bindings.indices.items()
        }

    def fill(self, node: Expr) -> Expr:
        match node:
            case Read(name, subscripts) if name in self.names:
                template = self.names[name]
                if not subscripts:
                    return template.body
                return template.at(
                    tuple(e for s in subscripts for e in self._subscripts(s))
                )
            case Read(name, subscripts) if name in self.let:
                # A line of a rule is filled in once, for the index it was written with.
                assert all(s in self.indices for s in subscripts), name
                if name not in self.made:
                    body = self.fill(self.let[name])
                    origin = replace(body.origin, name=body.origin.name or name)
                    self.made[name] = replace(body, origin=origin)
                return self.made[name]
            case Index():
                (index,) = self._subscripts(node)
                return index
            case Size(axis) if own := self._axes(axis):
                sizes = tuple(self._mark(Size(a)) for a in own)
                return sizes[0] if len(sizes) == 1 else self._mark(Call("mul", sizes))
            case Call("eq" | "ne" as op, (Index() as left, right)):
                pairs = zip(
                    self._subscripts(left), self._subscripts(right), strict=True
                )
                parts = tuple(self._mark(Call(op, pair)) for pair in pairs)
                joined = Call("and" if op == "eq" else "or", parts)
                return parts[0] if len(parts) == 1 else self._mark(joined)
            case Call("and", args):
                parts = tuple(p for p in map(self.fill, args) if p != TRUE)
                flat = tuple(q for p in parts for q in conjuncts(p))
                if len(flat) == 1:
                    return flat[0]
                return self._mark(Call("and", flat)) if flat else TRUE
            case Reduce():
                return self._reduce(node)
            case Keep(kind, body, index, at):
                (found,) = self.indices[index]
                (subscript,) = self._subscripts(at)
                inside = self.fill(body)
                if isinstance(subscript, Index) and subscript not in free_indices(
                    inside
                ):
                    inside = substitute(inside, {found: subscript})
                    found = subscript
                return self._mark(Keep(kind, inside, found, subscript))
            case Select(condition, then, otherwise):
                known = self.fill(condition)
                if known == TRUE:
                    return self.fill(then)
                return self._mark(Select(known, self.fill(then), self.fill(otherwise)))
            case _:
                new = rebuild(node, tuple(map(self.fill, children(node))))
                return tidy(self._mark(new))

    def _reduce(self, node: Reduce) -> Expr:
        indices = tuple(i for p in node.indices for i in self.indices[p])
        parts = [self.fill(c) for c in children(node)]
        # A new name is kept only where the old one would capture something.
        own = [i for p in node.indices for i in self.found[p]]
        used = {i for p in parts for i in free_indices(p)}
        if indices != tuple(own) and used.isdisjoint(own):
            back: dict[Index, Expr] = dict(zip(indices, own, strict=True))
            parts = [substitute(p, back) for p in parts]
            indices = tuple(own)
        rest = iter(parts[1:])
        where = None if node.where is None else next(rest)
        order = None if node.order is None else next(rest)
        mask = None if where == TRUE else where
        return self._mark(Reduce(node.kind, parts[0], indices, mask, order))

    def _axes(self, axis: str) -> tuple[str, ...]:
        """The axes that an axis of the formula stands for; none if it is no axis of the rule."""
        own = (found for pattern, found in self.indices.items() if pattern.axis == axis)
        return tuple(index.axis for index in next(own, ()))

    def _subscripts(self, node: Expr) -> tuple[Expr, ...]:
        """What a subscript of a formula stands for: one expression per index of its binder."""
        match node:
            case Index() if node in self.indices:
                return self.indices[node]
            case Read(name, ()) if name in self.names:
                return self.names[name].bodies
            case _:
                return (self.fill(node),)

    def _mark(self, node: Expr) -> Expr:
        return replace(node, origin=self.origin)


def _distinct(index: Index, outer: set[Index]) -> Index:
    """A bound index that captures nothing of what is put under its binder."""
    if index not in outer:
        return index
    return replace(index, name=fresh_name(index.name, {i.name for i in outer}))


@remembered
def extents(expr: Expr) -> frozenset[tuple[str, ...]]:
    """The axes over which values inside ``expr`` are computed at once, one tuple per node."""
    parts = children(expr)[:-1] if isinstance(expr, Keep) else children(expr)
    inner = {i for c in parts for i in free_indices(c)} | set(bound_indices(expr))
    own = {
        tuple(sorted(i.axis for i in together))
        for together in (inner, free_indices(expr))
    }
    return frozenset(own).union(*map(extents, children(expr)))


def grows(before: Expr, after: Expr) -> bool:
    """Whether ``after`` computes over more axes at once than ``before`` ever did."""
    old = extents(before)
    return any(
        not any(_within(new, allowed) for allowed in old) for new in extents(after)
    )


def _within(new: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    return all(new.count(axis) <= allowed.count(axis) for axis in set(new))
