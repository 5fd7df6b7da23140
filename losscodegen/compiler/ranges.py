"""Where the value of an expression can lie, given the domains of what it reads.

Rules ask this before they fire, and guards that a domain makes needless are not emitted. What is
proved here is used as a fact, so every answer errs on the side of "not known".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import assert_never

from losscodegen.compiler.canonical import (
    Factor,
    factors,
    from_factors,
    key,
    same,
    terms,
)
from losscodegen.compiler.intervals import (
    AT_LEAST_ONE,
    EVERYTHING,
    NONNEGATIVE,
    POSITIVE,
    UNIT,
    Range,
    of_interval,
    point,
    read_range,
)
from losscodegen.ir.build import sub
from losscodegen.ir.loss import DomainKind, Loss, Variable
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Shape
from losscodegen.ir.walk import transform

TRUE = Call("and", ())
"""The condition that always holds: a conjunction of nothing."""

_DOMAINS = {
    DomainKind.REAL: EVERYTHING,
    DomainKind.POSITIVE: POSITIVE,
    DomainKind.NONNEGATIVE: NONNEGATIVE,
    DomainKind.NEGATIVE: -POSITIVE,
    DomainKind.UNIT: UNIT,
    DomainKind.BINARY: UNIT,
    DomainKind.SIGN: Range(-1.0, 1.0, False, False),
    DomainKind.COUNT: NONNEGATIVE,
    DomainKind.INTEGER: EVERYTHING,
    DomainKind.INDEX: NONNEGATIVE,
    DomainKind.SIMPLEX: UNIT,
    DomainKind.LOGPROB: -NONNEGATIVE,
    DomainKind.MASK: UNIT,
    DomainKind.BOOL: UNIT,
    DomainKind.CHOICE: EVERYTHING,
}

_CONSTANTS = {Named.PI: math.pi, Named.E: math.e, Named.OO: math.inf}

_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log1p": math.log1p,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "atan": math.atan,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "abs": abs,
    "square": lambda x: x * x,
    "relu": lambda x: max(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + math.exp(-x)) if x > -700 else 0.0,
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "logsigmoid": lambda x: min(x, 0.0) - math.log1p(math.exp(-abs(x))),
}
"""Functions whose bounds at the ends of an interval are worth knowing, by op."""

_OPPOSITE = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}
_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def domain_range(variable: Variable) -> Range:
    """Where the entries of ``variable`` lie."""
    found = _DOMAINS[variable.domain.kind]
    if variable.domain.interval is not None:
        found = found & of_interval(variable.domain.interval)
    return found


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


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is known at one place of a loss: domains, and the conditions that hold there."""

    domains: Mapping[str, Range] = field(default_factory=dict)
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
                known = replace(self, true=self.true | {key(condition)})
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
                return key(Call("not", (condition,))) in self.true

    def _decides(self, op: str, left: Expr, right: Expr) -> bool:
        if op in ("le", "ge", "eq") and same(left, right):
            return True
        gap = self.of(sub(left, right))
        match op:
            case "lt":
                return gap.negative
            case "le":
                return gap.high <= 0
            case "gt":
                return gap.positive
            case "ge":
                return gap.low >= 0
            case "eq":
                return gap.low == gap.high == 0
            case _:
                return gap.nonzero

    # ------------------------------------------------------------ ranges

    def of(self, expr: Expr) -> Range:
        """Where the value of ``expr`` lies, for all finite inputs of the declared domains."""
        if expr not in self._plain:
            self._plain[expr] = self._of(transform(expr, _without_detach))
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

    def _computed(self, expr: Expr) -> Range:
        match expr:
            case Number(value):
                return point(float(value))
            case Constant(name):
                return point(_CONSTANTS[name])
            case Index():
                return NONNEGATIVE
            case Size():
                return AT_LEAST_ONE
            case Read(name):
                return self.domains.get(name, EVERYTHING)
            case Use():
                return EVERYTHING
            case Call():
                return self._call(expr)
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                if self.proves(condition):
                    return self._of(then)
                if self.refutes(condition):
                    return self._of(otherwise)
                yes = self.under(condition)._of(then)
                return yes | self.under(opposite(condition))._of(otherwise)
            case Reduce():
                return self._reduce(expr)
            case Keep(kind, body):
                match kind:
                    case Keeper.SOFTMAX | Keeper.SOFTMIN:
                        return UNIT
                    case Keeper.LOG_SOFTMAX:
                        return -NONNEGATIVE
                    case Keeper.NORMALIZE:
                        low = 0.0 if self._of(body).nonnegative else -1.0
                        return Range(low, 1.0, False, False)
                    case _:
                        assert_never(kind)
            case _:
                assert_never(expr)

    def _call(self, expr: Call) -> Range:
        match expr:
            case Call("add" | "neg"):
                return self._sum(expr)
            case Call("mul" | "div" | "pow" | "square" | "sqrt"):
                product = factors(expr)
                if product.factors == (Factor(expr, Fraction(1)),):
                    return EVERYTHING
                found = point(float(product.coefficient))
                for base, exponent in _grouped(product.factors):
                    found = found * self._power(base, exponent)
                return found
            case Call("max" | "min" as op, args):
                ranges = [self._of(a) for a in args]
                if op == "min":
                    ranges = [-r for r in ranges]
                high = ranges[0]
                for other in ranges[1:]:
                    high = _larger(high, other)
                return high if op == "max" else -high
            case Call("clip", (x, low, high)):
                upper = -_larger(-self._of(x), -self._of(high))
                return _larger(upper, self._of(low))
            case Call("hypot", (x, y)):
                length = _larger(self._of(x).magnitude(), self._of(y).magnitude())
                return replace(length, high=math.inf, high_open=True)
            case Call("log1mexp", (x,)):
                return -POSITIVE
            case Call(op, args):
                return self._by_row(op, args)

    def _by_row(self, op: str, args: tuple[Expr, ...]) -> Range:
        row = OPS.get(op)
        if row is None:
            return EVERYTHING
        outer = read_range(row.range)
        function = _FUNCTIONS.get(op)
        if function is None or len(args) != 1:
            return outer
        inner = self._of(args[0])
        match row.shape:
            case Shape.INCREASING:
                return outer & inner.monotone(function)
            case Shape.DECREASING:
                return outer & -inner.monotone(lambda x: -function(x))
            case Shape.EVEN:
                return outer & inner.magnitude().monotone(function)
            case _:
                return outer

    def _sum(self, expr: Expr) -> Range:
        total: dict[Hashable, tuple[Fraction, Expr]] = {}
        for term in terms(expr):
            name = key(term.body)
            coefficient, body = total.get(name, (Fraction(0), term.body))
            total[name] = (coefficient + term.coefficient, body)
        found = point(0.0)
        for coefficient, body in total.values():
            if coefficient:
                found = found + point(float(coefficient)) * self._of(body)
        return found

    def _power(self, base: Expr, exponent: Fraction | Expr) -> Range:
        inner = self._of(base)
        if isinstance(exponent, Fraction):
            return _rational_power(inner, exponent)
        size = self._of(exponent)
        if inner.low >= 1 and size.nonnegative:
            return AT_LEAST_ONE
        if inner.nonnegative and inner.high <= 1 and size.nonnegative:
            return Range(0.0, 1.0, inner.positive, False)
        if inner.positive:
            return POSITIVE
        return NONNEGATIVE if inner.nonnegative else EVERYTHING

    def _reduce(self, expr: Reduce) -> Range:
        body = self.under(expr.where)._of(expr.body)
        everywhere = expr.where is None
        match expr.kind:
            case Reduction.SUM:
                low = body.low if everywhere and body.low >= 0 else min(body.low, 0.0)
                high = min(body.high, 0.0) if body.high <= 0 else math.inf
                low_open = body.low_open and everywhere and body.low >= 0
                return Range(
                    low if body.low >= 0 else -math.inf,
                    high,
                    low_open or body.low < 0,
                    body.high_open and everywhere if body.high <= 0 else True,
                )
            case Reduction.MEAN:
                return body
            case Reduction.PROD:
                if body.nonnegative:
                    return UNIT if body.high <= 1 else NONNEGATIVE
                return EVERYTHING
            case Reduction.AMAX:
                return (
                    body if everywhere else replace(body, low=-math.inf, low_open=True)
                )
            case Reduction.AMIN:
                return (
                    body if everywhere else replace(body, high=math.inf, high_open=True)
                )
            case Reduction.LOGSUMEXP:
                low = body.low if everywhere else -math.inf
                return Range(low, math.inf, body.low_open or not everywhere)
            case Reduction.NORM | Reduction.VAR:
                return NONNEGATIVE
            case _:
                assert_never(expr.kind)


def _scaled(expr: Expr) -> tuple[float, Expr]:
    """``expr`` as a nonzero number times something."""
    product = factors(expr)
    if not product.factors or product.coefficient in (0, 1):
        return 1.0, expr
    return float(product.coefficient), from_factors(Fraction(1), product.factors)


def _without_detach(expr: Expr) -> Expr:
    return expr.args[0] if isinstance(expr, Call) and expr.op == "detach" else expr


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


def _grouped(found: tuple[Factor, ...]) -> list[tuple[Expr, Fraction | Expr]]:
    """Equal bases with rational exponents together: ``x*x`` is a square."""
    total: dict[Hashable, tuple[Expr, Fraction]] = {}
    rest: list[tuple[Expr, Fraction | Expr]] = []
    for factor in found:
        if not isinstance(factor.exponent, Fraction):
            rest.append((factor.base, factor.exponent))
            continue
        name = key(factor.base)
        base, exponent = total.get(name, (factor.base, Fraction(0)))
        total[name] = (base, exponent + factor.exponent)
    return [*total.values(), *rest]


def _rational_power(inner: Range, exponent: Fraction) -> Range:
    if exponent == 0:
        return point(1.0)
    if exponent < 0:
        return _rational_power(inner, -exponent).inverse()
    if exponent.denominator == 1 and exponent % 2 == 1:
        return inner.monotone(lambda x: _signed_power(x, float(exponent)))
    if exponent.denominator == 1:
        inner = inner.magnitude()
    elif not inner.nonnegative:
        inner = inner & NONNEGATIVE
        if not inner.nonnegative:
            return NONNEGATIVE
    return inner.monotone(lambda x: _signed_power(x, float(exponent)))


def _signed_power(x: float, exponent: float) -> float:
    return math.copysign(abs(x) ** exponent, x)


def _larger(left: Range, right: Range) -> Range:
    """The range of the larger of two values."""
    low, low_open = max((left.low, left.low_open), (right.low, right.low_open))
    high, closed_end = max(
        (left.high, not left.high_open), (right.high, not right.high_open)
    )
    return Range(low, high, low_open, not closed_end)
