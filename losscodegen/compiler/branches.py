"""What drops a part of a formula must drop it for good: selects, choices, and factors that are 0.

The argument that loses a maximum, the rest of a product with a mask of 0 or with the flat side of
a ramp are branches that are not taken, too. Where they may be infinite they become selects, which
`selects` keeps from poisoning the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from losscodegen.compiler.canonical import Factor, factors, from_factors
from losscodegen.compiler.conditions import both, decide
from losscodegen.compiler.extents import Extent
from losscodegen.compiler.harmless import DEAD_BRANCH
from losscodegen.compiler.losers import harmless_below
from losscodegen.compiler.pairs import batched
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.compiler.rule import Rule
from losscodegen.compiler.selects import Selects
from losscodegen.compiler.steps import Step
from losscodegen.compiler.tame import Tame
from losscodegen.compiler.vanishing import vanishing
from losscodegen.ir.build import ONE, ZERO
from losscodegen.ir.loss import DomainKind, Loss, Role
from losscodegen.ir.nodes import Call, Expr, Guard, Number, Read, Reduce, Select, Switch
from losscodegen.ir.walk import children, rebuild

MASK = Guard(
    rule="mask-as-select",
    why="An entry that is masked out may be anything: as a factor of 0 it would turn an infinity "
    "into nan, selected away it cannot.",
)
CHOICE = Guard(
    rule="choice-as-select",
    why="The argument that loses gets the gradient 0, and 0 times an infinite derivative is nan. "
    "As a select the losing side can be kept harmless.",
)

VANISHED = Guard(
    rule="vanishing-factor",
    why="Where one factor is 0 throughout, so is the product, but the others may overflow there, "
    "and `0 * inf` would be nan.",
)

GUARDS = frozenset(g.rule for g in (DEAD_BRANCH, MASK, CHOICE, VANISHED))
"""The names of the guards of this stage."""

INTEGRAL = (DomainKind.INDEX, DomainKind.INTEGER, DomainKind.BOOL, DomainKind.CHOICE)


@dataclass(slots=True)
class Protector(Selects):
    """Guards the branches of one loss, and makes branches of what is as dangerous."""

    @classmethod
    def of_loss(
        cls,
        loss: Loss,
        rules: tuple[Rule, ...],
        steps: list[Step],
        without: frozenset[str] = frozenset(),
    ) -> Protector:
        scalars = frozenset(v.name for v in loss.parameters if v.scalar)
        masks = frozenset(
            v.name for v in loss.variables if v.domain.kind is DomainKind.MASK
        )
        differentiable = frozenset(
            v.name
            for v in loss.variables
            if v.role is not Role.PARAMETER
            and v.domain.kind not in INTEGRAL
            and v.name not in masks
        )
        trusted = frozenset(r.name for r in rules if r.safe)
        labels = frozenset(
            v.name for v in loss.variables if v.domain.kind is DomainKind.BINARY
        )
        differentiable -= labels
        bounded = frozenset(r.name for r in rules if r.bounded)
        tame = Tame(differentiable, trusted, bounded, batched(loss))
        balanced = frozenset(r.name for r in rules if r.balanced)
        positions = {
            v.name: v.domain.axis
            for v in loss.variables
            if v.domain.kind is DomainKind.INDEX and v.domain.axis is not None
        }
        return cls(tame, scalars, masks, labels, balanced, positions, steps, without)

    def protect(self, expr: Expr, ranges: Ranges) -> Expr:
        """``expr`` with every select, mask and choice inside it made safe for the gradient."""
        match expr:
            case _ if expr.origin.guard and expr.origin.guard.rule in self.tame.trusted:
                return self._around(expr, ranges)
            case Select(condition, then, otherwise):
                yes, no = ranges.under(condition), ranges.under(opposite(condition))
                new = replace(
                    expr,
                    then=self.protect(then, yes),
                    otherwise=self.protect(otherwise, no),
                )
                return self._select(new, ranges)
            case Switch(condition, then, otherwise):
                return replace(
                    expr,
                    then=self.protect(then, ranges.under(condition)),
                    otherwise=self.protect(
                        otherwise, ranges.under(opposite(condition))
                    ),
                )
            case Reduce(_, body, _, where):
                inside = replace(expr, body=self.protect(body, ranges.under(where)))
                return self._reduce(inside, ranges)
            case Call(op) if op in ("detach", "eq", "ne", "lt", "le", "gt", "ge"):
                return expr
            case Call("max" | "min") if len(expr.args) == 2:
                return self._choice(expr, ranges)
            case Call("clip"):
                return self._clip(expr, ranges)
            case Call("relu"):
                return self._ramp(expr, ranges)
            case Call("mul" | "div" as op):
                parts = tuple(self.protect(c, ranges) for c in children(expr))
                whole = rebuild(expr, parts)
                masked = self._masked(whole, ranges) if op == "mul" else whole
                return self._vanished(whole, ranges) if masked is whole else masked
            case Read():
                return expr
            case _:
                parts = tuple(self.protect(c, ranges) for c in children(expr))
                return rebuild(expr, parts)

    # ------------------------------------------------------------ choices

    def _choice(self, expr: Call, ranges: Ranges) -> Expr:
        """``Max`` and ``Min``: the argument that loses must be harmless."""
        left, right = (self.protect(a, ranges) for a in expr.args)
        wins = Call("ge" if expr.op == "max" else "le", (left, right))
        loses = opposite(wins)
        lenient = replace(self.tame, strict=False)
        if all(
            lenient.analyse(side, place).tame
            or (expr.op == "max" and harmless_below(lenient, side, place))
            for side, place in (
                (left, ranges.under(loses)),
                (right, ranges.under(wins)),
            )
        ):
            return rebuild(expr, (left, right))
        mark = replace(expr.origin, guard=CHOICE)
        new = self._select(Select(wins, left, right, origin=mark), ranges)
        if not isinstance(new, Select) or new == Select(wins, left, right):
            return rebuild(expr, (left, right))
        return self._step(expr, new, CHOICE)

    def _ramp(self, expr: Call, ranges: Ranges) -> Expr:
        """``relu``, which is ``Max(0, ...)`` with a derivative of 0 at 0."""
        value = self.protect(expr.args[0], ranges)
        loses = Call("le", (value, ZERO))
        lenient, place = replace(self.tame, strict=False), ranges.under(loses)
        if lenient.analyse(value, place).tame or harmless_below(lenient, value, place):
            return rebuild(expr, (value,))
        mark = replace(expr.origin, guard=CHOICE)
        new = self._select(Select(loses, ZERO, value, origin=mark), ranges)
        if not isinstance(new, Select) or new.otherwise is value:
            return rebuild(expr, (value,))
        return self._step(expr, new, CHOICE)

    def _clip(self, expr: Call, ranges: Ranges) -> Expr:
        value, low, high = (self.protect(a, ranges) for a in expr.args)
        if replace(self.tame, strict=False).analyse(value, ranges).tame:
            return rebuild(expr, (value, low, high))
        # An end at infinity is none.
        above, below = Call("gt", (value, high)), Call("lt", (value, low))
        ends = [
            (condition, end)
            for condition, end in ((above, high), (below, low))
            if decide(condition) is not False
        ]
        inside = both(*(opposite(condition) for condition, _ in ends))
        if isinstance(inside, bool):
            return rebuild(expr, (value, low, high))
        guarded = self._guarded(value, inside, ranges)
        if guarded is value:
            return rebuild(expr, (value, low, high))
        mark = replace(expr.origin, guard=CHOICE)
        new = guarded
        for condition, end in ends:
            new = Select(condition, end, new, origin=mark)
        return self._step(expr, new, CHOICE)

    # ------------------------------------------------------------ masks

    def _masked(self, expr: Expr, ranges: Ranges) -> Expr:
        """A product with a mask whose other factors may be infinite becomes a select."""
        found = factors(expr)
        masks = {f: kept for f in found.factors if (kept := self._kept(f)) is not None}
        if not masks:
            return expr
        rest = from_factors(
            found.coefficient, [f for f in found.factors if f not in masks]
        )
        harmless = self.tame.analyse(rest, ranges)
        strict = any(
            isinstance(f.base, Read) and f.base.name in self.masks for f in masks
        )
        limit = Extent.EDGE if strict else Extent.HUGE
        if harmless.size < limit and (harmless.tame or not strict):
            return expr
        conditions = tuple(masks.values())
        condition = conditions[0] if len(conditions) == 1 else Call("and", conditions)
        mark = replace(expr.origin, guard=MASK)
        select = Select(condition, rest, ZERO, origin=mark)
        gentle = (
            self if strict else replace(self, tame=replace(self.tame, strict=False))
        )
        return self._step(expr, gentle._select(select, ranges), MASK)

    def _vanished(self, expr: Expr, ranges: Ranges) -> Expr:
        """A product of which one factor is 0 in a region where the others may be infinite."""
        found = factors(expr)
        for factor in found.factors:
            if not isinstance(factor.exponent, Fraction) or factor.exponent < 0:
                continue
            zero = vanishing(factor.base)
            if zero is None or ranges.refutes(zero):
                continue
            others = [f for f in found.factors if f is not factor]
            rest = from_factors(found.coefficient, others)
            if self.tame.analyse(rest, ranges.under(zero)).size < Extent.HUGE:
                continue
            mark = replace(expr.origin, guard=VANISHED)
            select = Select(zero, ZERO, expr, origin=mark)
            gentle = replace(self, tame=replace(self.tame, strict=False))
            return self._step(expr, gentle._select(select, ranges), VANISHED)
        return expr

    def _kept(self, factor: Factor) -> Expr | None:
        """The condition that a factor is 1 and not 0; None if it can be anything else."""
        if factor.exponent != 1:
            return None
        match factor.base:
            case Read(name) if name in self.masks:
                return Call("ne", (factor.base, ZERO))
            case Read(name) if name in self.labels:
                return Call("eq", (factor.base, ONE))
            case Call(
                "add", (Number() as one, Call("neg", (Read(name) as label,)))
            ) if (name in self.labels and one == ONE):
                return Call("eq", (label, ZERO))
            case _:
                return None
