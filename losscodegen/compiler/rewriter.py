"""The rules of one phase after the other, bottom up, until none fires; every rewrite is kept."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from losscodegen.compiler.bindings import Match
from losscodegen.compiler.canonical import (
    factors,
    from_factors,
)
from losscodegen.compiler.degrees import degree, reciprocal_degree
from losscodegen.compiler.digits import Digits
from losscodegen.compiler.instantiate import Candidates, grows
from losscodegen.compiler.linear import linear_parts
from losscodegen.compiler.ranges import Ranges, opposite, places
from losscodegen.compiler.rule import Purpose
from losscodegen.compiler.rules import Phase, Rule
from losscodegen.compiler.steps import Step
from losscodegen.compiler.tame import Tame
from losscodegen.ir.build import ZERO
from losscodegen.ir.nodes import Call, Expr, Guard, Index, Read, Reduce, Select, Switch
from losscodegen.ir.ops import OPS, Group
from losscodegen.ir.walk import children, free_indices, rebuild, transform, walk

_LIMIT = 1000
"""More rewrites than any loss needs: a table that gets here does not terminate."""


@dataclass(slots=True)
class Rewriter:
    """Applies rules until none fires, and keeps the steps."""

    rules: tuple[Rule, ...]
    scalars: frozenset[str]
    tame: Tame
    free: frozenset[str]
    """The names of tensors that may be of any size."""
    steps: list[Step] = field(default_factory=list)
    digits: Digits = field(default_factory=Digits)
    done: dict[Hashable, tuple[Expr, Ranges]] = field(default_factory=dict)
    """What has been rewritten; the ranges are held so that their identity stays unique."""

    expansions: frozenset[str] = field(init=False)
    bends: frozenset[str] = field(init=False)
    bending: frozenset[str] = field(init=False)
    """The rules of the last phase: what they write is rewritten by none of another."""
    branching: frozenset[str] = field(init=False)
    """The rules whose replacement has branches."""
    first: Candidates = field(init=False)
    """The rules of the phase that go before the others."""
    terms: frozenset[Expr] = frozenset()
    """What the formula is linear in."""
    results: frozenset[Index] = frozenset()
    """The indices of the result."""

    def __post_init__(self) -> None:
        expanding = (r.name for r in self.rules if r.phase is Phase.EXPAND)
        self.expansions = frozenset(expanding)
        bent = (r.name for r in self.rules if r.bent or r.phase is Phase.BEND)
        self.bends = frozenset(bent)
        bending = (r.name for r in self.rules if r.phase is Phase.BEND)
        self.bending = frozenset(bending)
        choosing = (
            r.name for r in self.rules if "where(" in f"{r.replacement} {r.let}"
        )
        self.branching = frozenset(choosing)
        self.first = Candidates.of_rules(())

    def run(self, expr: Expr, phase: Phase, ranges: Ranges) -> Expr:
        """``expr`` with the rules of one phase applied wherever they can be."""
        self.done.clear()
        now = [r for r in self.rules if r.phase is phase]
        self.first = Candidates.of_rules(r for r in now if r.first)
        self.terms = frozenset(linear_parts(expr, self.tame.depends))
        rules = Candidates.of_rules(now)
        needed = self.digits.everywhere
        return self._visit(expr, rules, ranges, gradient=True, needed=needed)

    def expanded(self, expr: Expr, ranges: Ranges) -> Expr:
        """What the last phase would make of ``expr``; nothing is noted."""
        noted = len(self.steps)
        found = self.run(expr, Phase.EXPAND, ranges)
        del self.steps[noted:]
        return found

    def _visit(
        self,
        expr: Expr,
        rules: Candidates,
        ranges: Ranges,
        *,
        gradient: bool,
        needed: bool,
    ) -> Expr:
        """``gradient`` says whether one flows here, ``needed`` whether small values need digits."""
        if not children(expr) or isinstance(expr, Read):
            return expr
        name = (expr, expr.origin.guard, expr.origin.name, id(ranges), gradient, needed)
        if name not in self.done:
            new = self._root(
                expr, self.first, rules, ranges, gradient=gradient, needed=needed
            )
            if new is expr:
                new = self._children(
                    expr, rules, ranges, gradient=gradient, needed=needed
                )
                if new is not expr:
                    new = settled(new, expr)
                    if expr in self.terms:
                        self.terms |= {new}
                new = self._root(
                    new, rules, rules, ranges, gradient=gradient, needed=needed
                )
            self.done[name] = (new, ranges)
        return self.done[name][0]

    def _root(
        self,
        expr: Expr,
        tried: Candidates,
        rules: Candidates,
        ranges: Ranges,
        *,
        gradient: bool,
        needed: bool,
    ) -> Expr:
        """``expr`` by the first of ``tried`` that fires, and then by all ``rules``."""
        static = self._static(expr)
        for found in tried.at(expr):
            rule = found.rule
            if rule.purpose is Purpose.DIGITS and not needed:
                continue
            if rule.purpose is Purpose.ENDS and not self.digits.everywhere:
                continue
            if static and not (rule.scalars and expr.origin.guard is None):
                continue
            # What a condition has in common with what it chooses is computed once.
            flows = gradient or rule.phase is Phase.BEND
            if rule.sloped and not (flows and self.tame.depends(expr)):
                continue
            if rule.linear and expr not in self.terms:
                continue
            if rule.nested and expr in self.terms:
                continue
            if rule.outer and not self.results.issuperset(free_indices(expr)):
                continue
            if rule.single and self.tame.pairwise(expr):
                continue
            if self._final(expr, rule):
                continue
            for match in found.matches(expr, ranges):
                names = match.bindings.names
                if any(self._static(names[n].bodies[0]) for n in rule.varying):
                    continue
                if not all(self._static(names[n].bodies[0]) for n in rule.steady):
                    continue
                if len({names[n].bodies[0] for n in rule.distinct}) < len(
                    rule.distinct
                ):
                    continue
                if rule.cut and _is_relu(names[rule.cut].bodies[0]):
                    continue
                if rule.sole and any(self._static(t.body) for t in match.terms):
                    continue
                if not self._sized(rule, expr, match, ranges):
                    continue
                if rule.slopes and not any(
                    self.tame.depends(names[n].bodies[0]) for n in rule.slopes
                ):
                    continue
                if _made_by(rule, match):
                    continue
                if rule.helped:
                    origin = replace(expr.origin, helped=True)
                    self._note(rule, expr, found.apply(expr, match))
                    return replace(expr, origin=origin)
                new = _plain(found.apply(expr, match), expr, ranges)
                if new == expr or grows(expr, new):
                    continue
                self._note(rule, expr, new)
                return self._visit(new, rules, ranges, gradient=gradient, needed=needed)
        return expr

    def _note(self, rule: Rule, before: Expr, after: Expr) -> None:
        self.steps.append(
            Step(rule=rule.name, before=before, after=after, why=rule.why)
        )
        if len(self.steps) > _LIMIT:
            raise RecursionError(f"rule {rule.name} fires without end")

    def _sized(self, rule: Rule, expr: Expr, match: Match, ranges: Ranges) -> bool:
        """Whether what may overflow at a match is what the rule is for."""
        names = match.bindings.names

        def grows(body: Expr, divisors: int = 1) -> float:
            return degree(body, ranges, self.free.__contains__, divisors=divisors)

        def shrinks(body: Expr) -> float:
            return reciprocal_degree(body, ranges, self.free.__contains__)

        return (
            all(grows(names[n].bodies[0]) >= 1 for n in rule.large)
            and all(grows(names[n].bodies[0]) > 1 for n in rule.huge)
            and all(grows(names[n].bodies[0], 3) > 2 for n in rule.steep)
            and all(grows(names[n].bodies[0], 0) > 2 for n in rule.cubic)
            and all(shrinks(names[n].bodies[0]) > 1 for n in rule.tiny)
            and all(grows(names[n].bodies[0]) <= 1 for n in rule.calm)
            and not (rule.overflows and all(grows(c) <= 1 for c in children(expr)))
            and not (rule.grown and grows(expr) <= 1)
        )

    def _children(
        self,
        expr: Expr,
        rules: Candidates,
        ranges: Ranges,
        *,
        gradient: bool,
        needed: bool,
    ) -> Expr:
        parts = children(expr)
        flows: tuple[bool, ...]
        match expr:
            case Select() | Switch():
                flows = (False, gradient, gradient)
            case Reduce():
                flows = (gradient, *(False,) * (len(parts) - 1))
            case Call(op):
                flow = gradient and op != "detach"
                flow = flow and OPS[op].group not in (Group.COMPARISON, Group.LOGIC)
                flows = (flow,) * len(parts)
            case _:
                flows = (gradient,) * len(parts)
        digits = self.digits.of_parts(expr, ranges, needed=needed)
        found = zip(parts, places(expr, ranges), flows, digits, strict=True)
        never = _never(expr, ranges)
        return rebuild(
            expr,
            tuple(
                c if c in never else self._visit(c, rules, known, gradient=g, needed=n)
                for c, known, g, n in found
            ),
        )

    def _final(self, expr: Expr, rule: Rule) -> bool:
        """A rule does not fire on what it has made, and an expansion is not expanded again."""
        guard = expr.origin.guard
        if expr.origin.helped or guard is None:
            return expr.origin.helped
        if rule.as_written or guard == Guard(rule=rule.name, why=rule.why):
            return True
        if rule.outside and guard.rule in self.branching:
            return True
        if rule.phase is not Phase.BEND and guard.rule in self.bending:
            return True
        made = self.bends if rule.phase is Phase.BEND else self.expansions
        return guard.rule in made and not rule.helped

    def _static(self, expr: Expr) -> bool:
        """Whether ``expr`` is a Python number: there rounding is double, gradients are none."""
        return all(
            n.name in self.scalars if isinstance(n, Read) else not isinstance(n, Index)
            for n in walk(expr)
        )


def _never(expr: Expr, ranges: Ranges) -> tuple[Expr, ...]:
    """The side of a rule's own choice that is never taken, if what is known says so.

    Under its condition everything is true and nothing: a rule that is kept from the work of
    another by what is known would undo it there, for ever.
    """
    if not isinstance(expr, Select) or expr.origin.guard is None:
        return ()
    if ranges.proves(expr.condition):
        return (expr.otherwise,)
    return (expr.then,) if ranges.proves(opposite(expr.condition)) else ()


def _made_by(rule: Rule, match: Match) -> bool:
    """Whether an expansion would take its own parts for parts of the formula.

    The guard of a factor does not show once the factor stands in a larger product.
    """
    guard = Guard(rule=rule.name, why=rule.why)
    return rule.phase is not Phase.RECOGNISE and any(
        body.origin.guard == guard
        for template in match.bindings.names.values()
        for body in template.bodies
    )


def _plain(new: Expr, old: Expr, ranges: Ranges) -> Expr:
    """``new`` without the size that a rule takes of what is positive anyway."""
    if not any(isinstance(n, Call) and n.op == "abs" for n in walk(new)):
        return new
    given = set(walk(old))

    def visit(node: Expr) -> Expr:
        match node:
            case Call("abs", (inner,)) if node not in given and ranges.proves(
                Call("gt", (inner, ZERO))
            ):
                return inner
            case _:
                return node

    return transform(new, visit)


def _is_relu(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.op == "relu"


def settled(new: Expr, old: Expr) -> Expr:
    """``new`` without the double signs that come about when a part turned negative."""
    if not isinstance(new, Call) or new.op not in ("neg", "mul", "div", "add"):
        return new
    turned = any(
        isinstance(a, Call) and a.op == "neg" and b is not a
        for a, b in zip(new.args, children(old), strict=True)
    )
    if not turned:
        return new
    if new.op == "add":
        pairs = zip(new.args, children(old), strict=True)
        args = tuple(a if a is b else settled(a, a) for a, b in pairs)
        return replace(new, args=args)
    product = factors(new)
    found = from_factors(product.coefficient, product.factors)
    return replace(found, origin=new.origin)
