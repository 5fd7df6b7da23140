"""Where the value of an expression can lie, given the domains of what it reads.

Rules ask this before they fire, and guards that a domain makes needless are not emitted. What is
proved here is used as a fact, so every answer errs on the side of "not known".
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from losscodegen.compiler.bounds import Bounds, domain_range
from losscodegen.compiler.canonical import factors, from_factors
from losscodegen.compiler.equality import key, same
from losscodegen.compiler.intervals import EVERYTHING, Range, point
from losscodegen.ir.build import ZERO, sub
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Number,
    Read,
    Reduce,
    Select,
    Switch,
    remembered,
)
from losscodegen.ir.walk import children, rebuild

TRUE = Call("and", ())
"""The condition that always holds: a conjunction of nothing."""

_OPPOSITE = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}
_LARGEST = 1e30
"""What is no larger is finite in every format."""
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def opposite(condition: Expr) -> Expr:
    """The condition that holds exactly where ``condition`` does not (NaN aside)."""
    match condition:
        case Call("not", (inner,)):
            return inner
        case Call("and", args):
            return Call("or", tuple(map(opposite, args)))
        case Call("or", args):
            return Call("and", tuple(map(opposite, args)))
        case Call(op, args) if op in _OPPOSITE:
            return replace(condition, op=_OPPOSITE[op])
        case _:
            return Call("not", (condition,))


def conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """The conditions of which ``condition`` is the conjunction."""
    return (
        condition.args
        if isinstance(condition, Call) and condition.op == "and"
        else (condition,)
    )


@dataclass(frozen=True, slots=True)
class Ranges(Bounds):
    """What is known at one place of a loss: domains, and the conditions that hold there."""

    narrowed: Mapping[Hashable, Range] = field(default_factory=dict)
    true: frozenset[Hashable] = frozenset()
    _plain: dict[Expr, Range] = field(default_factory=dict, init=False, compare=False)
    _known: dict[Expr, Range] = field(default_factory=dict, init=False, compare=False)
    _under: dict[Expr, Ranges] = field(default_factory=dict, init=False, compare=False)
    """What has been computed already; the same place gives the same object."""

    @classmethod
    def of_loss(cls, loss: Loss) -> Ranges:
        domains = {v.name: domain_range(v) for v in loss.variables}
        ranges = cls(domains)
        for condition in loss.require:
            ranges = ranges.under(condition)
        return ranges

    # ------------------------------------------------------------ facts

    def under(self, condition: Expr | None) -> Ranges:
        """What is known where ``condition`` holds as well."""
        if condition is None:
            return self
        if condition not in self._under:
            self._under[condition] = self._assuming(condition)
        return self._under[condition]

    def _assuming(self, condition: Expr) -> Ranges:
        match condition:
            case Call("and", args):
                known = self
                for arg in args:
                    known = known.under(arg)
                return known
            case Call("not", (inner,)) if not isinstance(opposite(inner), Call) or (
                opposite(inner) != condition
            ):
                return self.under(opposite(inner))
            case Call(op, (left, right)) if op in _OPPOSITE:
                facts = {key(condition)}
                if op == "ne":
                    facts.add(key(Call("ne", (sub(left, right), ZERO))))
                known = replace(self, true=self.true | facts)
                known = known._compared(op, left, right)
                return known._compared(_MIRRORED[op], right, left)
            case _:
                return replace(self, true=self.true | {key(condition)})

    def _compared(self, op: str, left: Expr, right: Expr) -> Ranges:
        """The range of ``left`` and of ``left - right`` where ``left op right``."""
        bound = self.of(right)
        zero = point(0.0)
        known = self._narrow(left, _side(op, bound))
        if not isinstance(right, Number):
            known = known._narrow(sub(left, right), _side(op, zero))
        match left:
            case Call("abs", (inner,)) if op in ("lt", "le", "eq"):
                high = _side(op, bound).high
                is_open = op == "lt" or bound.high_open
                known = known._narrow(inner, Range(-high, high, is_open, is_open))
            case Call("max", args) if op in ("lt", "le"):
                for arg in args:
                    known = known._narrow(arg, _side(op, bound))
            case Call("min", args) if op in ("gt", "ge"):
                for arg in args:
                    known = known._narrow(arg, _side(op, bound))
            case _:
                pass
        return known

    def _narrow(self, expr: Expr, found: Range) -> Ranges:
        coefficient, expr = _scaled(expr)
        if isinstance(expr, Number | Constant) or found == EVERYTHING:
            return self
        found = found * point(1 / coefficient)
        name = key(expr)
        old = self.narrowed.get(name, EVERYTHING)
        return replace(self, narrowed={**self.narrowed, name: old & found})

    # ------------------------------------------------------------ proofs

    def proves(self, condition: Expr) -> bool:
        """Whether ``condition`` is known to hold wherever the loss is defined."""
        match condition:
            case Call("and", args):
                return all(map(self.proves, args))
            case Call("or", args) if any(map(self.proves, args)):
                return True
            case Call("not", (inner,)) if self.refutes(inner):
                return True
            case Call(op, (left, right)) if op in _OPPOSITE:
                if key(condition) in self.true or self._decides(op, left, right):
                    return True
            case Call("isfinite", (arg,)) if self._ceiling(arg) <= _LARGEST:
                return True
        return key(condition) in self.true

    def refutes(self, condition: Expr) -> bool:
        """Whether ``condition`` is known to fail wherever the loss is defined."""
        match condition:
            case Call("or", args):
                return bool(args) and all(map(self.refutes, args))
            case Call("and", args) if any(map(self.refutes, args)):
                return True
            case Call("not", (inner,)):
                return self.proves(inner)
            case Call(op) if op in _OPPOSITE:
                return self.proves(opposite(condition))
            case _:
                return (
                    key(Call("not", (condition,))) in self.true
                    or key(opposite(condition)) in self.true
                )

    def _ceiling(self, expr: Expr) -> float:
        """What neither ``expr`` nor anything that it is computed from exceeds, however rounded."""
        fact = self.narrowed.get(key(_scaled(expr)[1]))
        if fact is not None and fact.bounded:  # A comparison with a NaN does not hold.
            return self.of(expr).size
        match expr:
            case Number() | Read():
                return self.of(expr).size
            case Call("neg" | "abs", (arg,)):
                return self._ceiling(arg)
            case Call("add", args):
                return sum(map(self._ceiling, args))
            case Call("mul", args):
                return math.prod(map(self._ceiling, args))
            case Call("pow", (base, Number(value))) if 1 <= value <= 8:
                return math.pow(min(self._ceiling(base), _LARGEST), value)
            case _:
                return math.inf

    def _decides(self, op: str, left: Expr, right: Expr) -> bool:
        if op in ("le", "ge", "eq") and same(left, right):
            return True
        gap = self.of(sub(left, right))
        match op:
            case "lt":
                return gap.negative or (gap.high <= 0 and self._differ(left, right))
            case "le":
                return gap.high <= 0
            case "gt":
                return gap.positive or (gap.low >= 0 and self._differ(left, right))
            case "ge":
                return gap.low >= 0
            case "eq":
                return gap.low == gap.high == 0
            case _:
                return gap.nonzero or self._differ(left, right)

    def _differ(self, left: Expr, right: Expr) -> bool:
        """Whether it is known that ``left - right`` or what it is the size of is not 0."""
        gap = left if right == ZERO else sub(left, right)
        if isinstance(gap, Call) and gap.op == "abs":
            gap = gap.args[0]
        return key(Call("ne", (gap, ZERO))) in self.true

    # ------------------------------------------------------------ ranges

    def of(self, expr: Expr) -> Range:
        """Where the value of ``expr`` lies, for all finite inputs of the declared domains."""
        if expr not in self._plain:
            self._plain[expr] = self._of(_without_detach(expr))
        return self._plain[expr]

    def _of(self, expr: Expr) -> Range:
        if expr not in self._known:
            self._known[expr] = self._narrowed(expr)
        return self._known[expr]

    def _narrowed(self, expr: Expr) -> Range:
        found = self._computed(expr)
        if self.narrowed and not isinstance(expr, Number | Constant):
            coefficient, body = _scaled(expr)
            fact = self.narrowed.get(key(body))
            if fact is not None:
                found = found & (fact * point(coefficient))
        return found

    def _either(self, expr: Select | Switch) -> Range:
        if self.proves(expr.condition):
            return self._of(expr.then)
        if self.refutes(expr.condition):
            return self._of(expr.otherwise)
        yes = self.under(expr.condition)._of(expr.then)
        return yes | self.under(opposite(expr.condition))._of(expr.otherwise)

    def _where(self, expr: Reduce) -> Range:
        return self.under(expr.where)._of(expr.body)


def places(expr: Expr, ranges: Ranges) -> tuple[Ranges, ...]:
    """What is known at each child of ``expr``."""
    match expr:
        case Select(condition) | Switch(condition):
            other = opposite(condition)
            return ranges, ranges.under(condition), ranges.under(other)
        case Reduce(where=where):
            rest = len(children(expr)) - 1
            return ranges.under(where), *(ranges,) * rest
        case _:
            return (ranges,) * len(children(expr))


def _scaled(expr: Expr) -> tuple[float, Expr]:
    """``expr`` as a nonzero number times something."""
    product = factors(expr)
    if not product.factors or product.coefficient in (0, 1):
        return 1.0, expr
    return float(product.coefficient), from_factors(Fraction(1), product.factors)


@remembered
def _without_detach(expr: Expr) -> Expr:
    if isinstance(expr, Call) and expr.op == "detach":
        return _without_detach(expr.args[0])
    return rebuild(expr, tuple(map(_without_detach, children(expr))))


def _side(op: str, bound: Range) -> Range:
    """Where ``x`` lies if ``x op b`` for some ``b`` in ``bound``."""
    match op:
        case "lt":
            return Range(-math.inf, bound.high, True, True)
        case "le":
            return Range(-math.inf, bound.high, True, bound.high_open)
        case "gt":
            return Range(bound.low, math.inf, True, True)
        case "ge":
            return Range(bound.low, math.inf, bound.low_open, True)
        case "eq":
            return bound
        case _:
            # Being different cuts off an end that is that single point.
            return EVERYTHING
