"""Can the derivative of an expression blow up? Decided on sizes, without computing it.

Where a select drops a branch, the gradient 0 is passed down that branch to the inputs. That is
harmless exactly if no local derivative on the way is infinite or NaN. Sizes are coarse on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, reduce
from operator import mul
from typing import assert_never

from losscodegen.compiler.canonical import (
    Factor,
    Product,
    factors,
)
from losscodegen.compiler.extents import Extent, Finding, joined, multiplied
from losscodegen.compiler.intervals import Range, rounded
from losscodegen.compiler.pairs import pairs
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.ir.build import ZERO
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Guard,
    Index,
    Keep,
    Keeper,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
    Use,
)
from losscodegen.ir.ops import OPS, Sort
from losscodegen.ir.walk import children, transform, walk
from losscodegen.language.formula import parse_formula

_LARGE = 1e18
_SMALL = 1e-18
_PER_ENTRY = 1e6
"""As many entries of this size as memory can hold add up to a bounded number."""
_EXP_LIMIT = 80.0
_UNIT = Range(-1.0, 1.0)


_SMOOTH = frozenset(
    {"neg", "abs", "sign", "relu", "max", "min", "clip", "floor", "delta", "heaviside"}
) | frozenset({"softplus", "logsigmoid", "sigmoid", "tanh", "atan", "erf", "erfc"})
"""Ops whose derivative is bounded for every argument, infinite ones included."""

_AS_LARGE = frozenset({"hypot", "lgamma", "logaddexp", "xlogy"})
"""Ops of which the result is as large as an argument, or nearly; others level off, or are singular
somewhere, or have a case of their own."""

_DISCRETE = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "isnan", "isfinite"}
)


@dataclass(slots=True)
class Tame:
    """The analysis. ``trusted`` are the guards whose code is safe for every finite argument."""

    differentiable: frozenset[str]
    trusted: frozenset[str] = frozenset()
    bounded: frozenset[str] = frozenset()
    """Those of them whose results are no larger than 1."""
    batches: frozenset[str] = frozenset()
    """The tensors of any rank."""
    sizes: Mapping[str, Extent] = field(default_factory=dict)
    """How large the names are that stand for parts already analysed."""
    value_only: bool = False
    """Whether no gradient flows at all, however large things get."""
    strict: bool = True
    """Whether sums and squares that overflow only at the edge of the format are bad, too."""
    _known: dict[tuple[int, int], tuple[Finding, Expr, Ranges]] = field(
        default_factory=dict, init=False
    )
    """By identity; the objects are held so that it stays unique."""
    _flows: dict[Expr, bool] = field(default_factory=dict, init=False)

    def depends(self, expr: Expr) -> bool:
        """Whether a gradient flows through ``expr``."""
        if self.value_only:
            return False
        known = self._flows.get(expr)
        if known is None:
            known = self._flows[expr] = self._depends(expr)
        return known

    def pairwise(self, expr: Expr) -> bool:
        """Whether ``expr`` is lowered to a function of distances, which scales by itself."""
        return pairs(expr, self.batches) is not None

    def range(self, expr: Expr, ranges: Ranges) -> Range:
        """Where ``expr`` lies, with what is known of the rules that made its factors."""
        found, guard = ranges.of(expr), expr.origin.guard
        if guard and guard.rule in self.bounded:
            return found & _UNIT
        if isinstance(expr, Call) and expr.op == "mul":
            found &= reduce(mul, (self.range(a, ranges) for a in expr.args))
        return found

    def _depends(self, expr: Expr) -> bool:
        match expr:
            case Read(name):
                return name in self.differentiable
            case Call("detach") | Index() | Size():
                return False
            case Call(op) if op in _DISCRETE:
                return False
            case Select(_, then, otherwise) | Switch(_, then, otherwise):
                return self.depends(then) or self.depends(otherwise)
            case Reduce(_, body) | Keep(_, body):
                return self.depends(body)
            case _:
                return any(map(self.depends, children(expr)))

    def analyse(self, expr: Expr, ranges: Ranges) -> Finding:
        """The size of ``expr`` and what is bad inside it, at a place where ``ranges`` hold."""
        name = (id(expr), id(ranges))
        if name not in self._known:
            self._known[name] = (self._analysed(expr, ranges), expr, ranges)
        return self._known[name][0]

    def _analysed(self, expr: Expr, ranges: Ranges) -> Finding:
        found = self._visit(expr, ranges)
        if Extent.FINITE <= found.size <= Extent.HUGE:
            limits = ranges.of(expr)
            if limits.bounded and max(-limits.low, limits.high) < _LARGE:
                return Finding(Extent.BOUNDED, found.bad)
        return found

    def _visit(self, expr: Expr, ranges: Ranges) -> Finding:
        match expr:
            case Number() | Constant() | Index() | Size():
                return Finding(Extent.BOUNDED)
            case Read(name):
                flows = name in self.differentiable
                size = Extent.FINITE if flows else Extent.BOUNDED
                return Finding(self.sizes.get(name, size))
            case Use():
                return Finding(Extent.HUGE, (expr,))
            case _ if expr.origin.guard and expr.origin.guard.rule in self.trusted:
                parts = [self.analyse(e, ranges) for e in _outside(expr)]
                bounded = expr.origin.guard.rule in self.bounded
                return joined(Extent.BOUNDED if bounded else Extent.EDGE, parts)
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                if ranges.proves(condition):
                    return self._taken(expr, then, otherwise, ranges)
                if ranges.refutes(condition):
                    return self._taken(expr, otherwise, then, ranges)
                yes = self.analyse(then, ranges.under(condition))
                no = self.analyse(otherwise, ranges.under(opposite(condition)))
                return joined(max(yes.size, no.size), (yes, no))
            case Reduce(kind, body, _, where):
                inside = ranges.under(where)
                # The function of squared distances has differences for slopes, and makes no more.
                squares = kind is Reduction.SUM and self.strict and self.pairwise(expr)
                tame = replace(self, strict=False) if squares else self
                inner = tame.analyse(body, inside)
                found = self._reduced(expr, kind, inner)
                if kind in (Reduction.SUM, Reduction.MEAN) and not found.bad:
                    limits = self.range(body, inside)
                    if limits.bounded and max(-limits.low, limits.high) <= _PER_ENTRY:
                        return Finding(Extent.BOUNDED)
                return found
            case Keep(kind, body):
                inner = self.analyse(body, ranges)
                wild = inner.size > Extent.EDGE
                # What normalises is lowered to a function that scales.
                unit = kind is Keeper.NORMALIZE
                size = Extent.BOUNDED if unit else Extent.EDGE
                return self._finding(expr, size, (inner,), bad=wild)
            case Call():
                return self._call(expr, ranges)
            case _:
                assert_never(expr)

    def _taken(
        self, expr: Select | Switch, side: Expr, dropped: Expr, ranges: Ranges
    ) -> Finding:
        """What is known of a select whose ``side`` is taken, whatever it drops.

        What is dropped is computed as well, and was kept harmless only for where the select is
        taken itself.
        """
        found = self.analyse(side, ranges)
        if isinstance(expr, Switch):
            return found
        return joined(found.size, (found, self.analyse(dropped, ranges)))

    def _reduced(self, expr: Reduce, kind: Reduction, inner: Finding) -> Finding:
        match kind:
            case Reduction.SUM | Reduction.MEAN:
                return joined(max(inner.size, Extent.EDGE), (inner,))
            case Reduction.AMAX | Reduction.AMIN:
                return joined(inner.size, (inner,))
            case Reduction.LOGSUMEXP:
                wild = inner.size > Extent.EDGE
                return self._finding(expr, Extent.EDGE, (inner,), bad=wild)
            case Reduction.VAR | Reduction.PROD:
                # The slope of a variance is a difference.
                lenient = not self.strict and kind is Reduction.VAR
                wild = inner.size > (Extent.EDGE if lenient else Extent.BOUNDED)
                return self._finding(expr, Extent.HUGE, (inner,), bad=wild)
            case Reduction.NORM:
                scaled = self.pairwise(expr)
                return self._finding(expr, Extent.HUGE, (inner,), bad=not scaled)
            case _:
                assert_never(kind)

    def _call(self, expr: Call, ranges: Ranges) -> Finding:
        match expr:
            case Call("add", args):
                parts = [self.analyse(a, ranges) for a in args]
                size = max(p.size for p in parts)
                unbounded = sum(p.size > Extent.BOUNDED for p in parts)
                if unbounded > 1:
                    size = max(size, Extent.EDGE)
                huge = [
                    a for a, p in zip(args, parts, strict=True) if p.size is Extent.HUGE
                ]
                if len(huge) > 1 and not _same_sign(huge, ranges):
                    size = Extent.UNDEFINED
                return joined(size, parts)
            case Call("mul" | "div" | "pow" | "square" | "sqrt"):
                return self._product(expr, ranges)
            case Call("exp", (arg,)):
                inner = self.analyse(arg, ranges)
                small = ranges.of(arg).high <= _EXP_LIMIT
                size = Extent.BOUNDED if small else Extent.HUGE
                wild = not small or inner.size is Extent.UNDEFINED
                return self._finding(expr, size, (inner,), bad=wild)
            case Call(op, args):
                parts = [self.analyse(a, ranges) for a in args]
                largest = max(p.size for p in parts)
                if op == "detach":
                    return Finding(largest)
                if op in _SMOOTH:
                    return joined(largest, parts)
                row = OPS.get(op)
                if row is None or row.sort is Sort.BOOL:
                    return Finding(Extent.BOUNDED)
                if row.singular is not None and not self._regular(expr, ranges):
                    return self._finding(expr, Extent.HUGE, parts, bad=True)
                wild = largest > Extent.EDGE and op not in ("log", "log1p", "log10")
                size = Extent.EDGE if largest > Extent.BOUNDED else Extent.BOUNDED
                if op in _AS_LARGE:
                    size = max(size, largest)
                return self._finding(expr, size, parts, bad=wild)

    def _regular(self, expr: Call, ranges: Ranges) -> bool:
        """Whether the arguments are known to stay away from the op's singular points."""
        if expr.op in ("log", "log10", "lgamma", "digamma"):
            return self._away(expr.args[0], ranges)
        if expr.op == "hypot":
            return any(self._away(a, ranges) for a in expr.args)
        # An open end is no comfort: what comes close to it may be rounded onto it.
        names = tuple(f"#{k}" for k in range(len(expr.args)))
        known = {
            n: rounded(ranges.of(a)) for n, a in zip(names, expr.args, strict=True)
        }
        condition = _with_arguments(_singular(expr.op), tuple(map(Read, names)))
        return Ranges(known).refutes(condition)

    def _away(self, expr: Expr, ranges: Ranges) -> bool:
        """Whether ``expr`` is known to keep off 0, so far that its inverse is finite.

        What no gradient flows through counts as soon as it is not 0; so does an axis size. Anything
        else must be bounded away, for even a positive input may be too small for its inverse.
        """
        found = ranges.of(expr)
        if found.low >= _SMALL or found.high <= -_SMALL:
            return True
        if not self.depends(expr) and ranges.proves(Call("ne", (expr, ZERO))):
            return True
        match expr:
            case Call("sqrt" | "abs" | "neg", (arg,)):
                return self._away(arg, ranges)
            case Call("max", args):
                return any(
                    self._away(a, ranges) and ranges.of(a).positive for a in args
                )
            case Call("add", args):
                return all(ranges.of(a).nonnegative for a in args) and any(
                    self._away(a, ranges) for a in args
                )
            case Call("mul", args):
                return all(self._away(a, ranges) for a in args)
            case _:
                return not self.depends(expr) and found.nonzero

    # ------------------------------------------------------------ products

    def _trusts(self, part: Expr, whole: Expr) -> bool:
        guard = part.origin.guard
        return (
            guard is not None
            and guard.rule in self.trusted
            and guard != whole.origin.guard
        )

    def _product(self, expr: Call, ranges: Ranges) -> Finding:
        product = factors(expr)
        if expr.op == "mul" and any(self._trusts(a, expr) for a in expr.args):
            # What a rule made stays together: its parts may be larger than the whole.
            whole = tuple(Factor(a, Fraction(1)) for a in expr.args)
            product = Product(Fraction(1), whole)
        if product.factors == (Factor(expr, Fraction(1)),):
            return Finding(Extent.HUGE, (expr,))
        parts = [self._power(f, expr, ranges) for f in product.factors]
        sizes = [p.size for p in parts]
        limit = Extent.FINITE if self.strict else Extent.EDGE
        wild = any(
            self.depends(f.base) and multiplied(sizes[:k] + sizes[k + 1 :]) > limit
            for k, f in enumerate(product.factors)
        )
        size = multiplied(sizes)
        if size is Extent.FINITE and (len(sizes) > 1 or abs(product.coefficient) > 1):
            size = Extent.EDGE
        return self._finding(expr, size, parts, bad=wild)

    def _power(self, factor: Factor, expr: Expr, ranges: Ranges) -> Finding:
        """The size of one power; its derivative is checked as well."""
        base, exponent = factor.base, factor.exponent
        inner = self.analyse(base, ranges)
        size, flows = inner.size, self.depends(base)
        if exponent == 1:
            return inner
        away = self._away(base, ranges)
        if not flows and not (isinstance(exponent, Fraction) or self.depends(exponent)):
            fine = away or not isinstance(exponent, Fraction) or exponent > 0
            return joined(size if fine else Extent.HUGE, (inner,))
        if not isinstance(exponent, Fraction):
            limits = ranges.of(exponent)
            fine = size is Extent.BOUNDED and (away or limits.low >= 1)
            wild = (flows and not fine) or (self.depends(exponent) and not away)
            bounded = size is Extent.BOUNDED and (away or limits.nonnegative)
            return self._finding(
                expr, Extent.BOUNDED if bounded else Extent.HUGE, (inner,), bad=wild
            )
        if exponent < 0:
            result = Extent.BOUNDED if away else Extent.HUGE
            wild = not away or size is Extent.UNDEFINED
        elif exponent < 1:
            result, wild = size, not away
        else:
            result = (
                Extent.BOUNDED if size is Extent.BOUNDED else max(size, Extent.HUGE)
            )
            lenient = not self.strict and exponent <= 2
            wild = size > (Extent.EDGE if lenient else Extent.BOUNDED)
        return self._finding(expr, result, (inner,), bad=flows and wild)

    def _finding(
        self,
        expr: Expr,
        size: Extent,
        parts: list[Finding] | tuple[Finding, ...],
        *,
        bad: bool,
    ) -> Finding:
        found = joined(size, parts)
        if bad and self.depends(expr):
            found = Finding(found.size, (expr, *found.bad))
        return found


def _outside(expr: Expr, guard: Guard | None = None) -> Iterator[Expr]:
    """The largest parts of a rule's replacement that the rule did not make.

    What other rules made of its code is still inside.
    """
    guard = guard or expr.origin.guard
    for child in children(expr):
        if any(n.origin.guard == guard for n in walk(child)):
            yield from _outside(child, guard)
        elif children(child) or isinstance(child, Read):
            yield child


def _same_sign(args: list[Expr], ranges: Ranges) -> bool:
    found = [ranges.of(a) for a in args]
    return all(r.nonnegative for r in found) or all((-r).nonnegative for r in found)


@cache
def _singular(op: str) -> Expr:
    text = OPS[op].singular
    assert text is not None
    return parse_formula("0 == 0" if text == "True" else text)


def _with_arguments(condition: Expr, args: tuple[Expr, ...]) -> Expr:
    names: dict[str, Expr] = dict(zip("xyz", args, strict=False))

    def filled(node: Expr) -> Expr:
        return names.get(node.name, node) if isinstance(node, Read) else node

    return transform(condition, filled)
