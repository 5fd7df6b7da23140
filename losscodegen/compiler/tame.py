"""Can the derivative of an expression blow up? Decided on sizes, without computing it.

Where a select drops a branch, the branch is multiplied by 0 all the way down to the inputs. That
is harmless exactly if no local derivative on the way is infinite or NaN. Sizes are coarse on
purpose: a linear function of finite inputs counts as finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from functools import cache
from typing import assert_never

from losscodegen.compiler.canonical import Factor, factors
from losscodegen.compiler.ranges import Ranges, opposite
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
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
from losscodegen.ir.ops import OPS
from losscodegen.ir.walk import children, transform
from losscodegen.language.formula import parse_formula

_LARGE = 1e18
_SMALL = 1e-20
_EXP_LIMIT = 80.0


class Extent(IntEnum):
    """How large a value can get."""

    BOUNDED = 0
    """Within known bounds that stay bounded when multiplied a few times."""
    LINEAR = 1
    """As large as the inputs, but finite if they are."""
    HUGE = 2
    """May overflow to infinity."""
    UNDEFINED = 3
    """May be NaN: a difference or ratio of infinities."""


_SMOOTH = frozenset(
    {"add", "neg", "abs", "sign", "relu", "max", "min", "clip", "floor", "detach", "delta"}
) | frozenset({"heaviside", "softplus", "logsigmoid", "sigmoid", "tanh", "atan", "erf"})
"""Ops whose derivative is bounded for every argument, infinite ones included."""


@dataclass(slots=True)
class Tame:
    """The analysis at one place; ``bad`` collects the ops whose derivative may blow up."""

    differentiable: frozenset[str]
    bad: list[Expr] = field(default_factory=list)

    def is_tame(self, expr: Expr, ranges: Ranges) -> bool:
        """Whether no local derivative inside ``expr`` can be infinite or NaN."""
        self.bad.clear()
        return self.size(expr, ranges) < Extent.UNDEFINED and not self.bad

    def depends(self, expr: Expr) -> bool:
        """Whether a gradient flows through ``expr``."""
        match expr:
            case Read(name):
                return name in self.differentiable
            case Call("detach") | Index() | Size():
                return False
            case Call(op) if op in ("eq", "ne", "lt", "le", "gt", "ge"):
                return False
            case Select(_, then, otherwise):
                return self.depends(then) or self.depends(otherwise)
            case Reduce(_, body) | Keep(_, body):
                return self.depends(body)
            case _:
                return any(map(self.depends, children(expr)))

    # ------------------------------------------------------------ sizes

    def size(self, expr: Expr, ranges: Ranges) -> Extent:
        """How large ``expr`` gets, noting on the way what is bad inside it."""
        found = self._size(expr, ranges)
        if found in (Extent.LINEAR, Extent.HUGE):
            limits = ranges.of(expr)
            if limits.bounded and max(-limits.low, limits.high) < _LARGE:
                return Extent.BOUNDED
        return found

    def _size(self, expr: Expr, ranges: Ranges) -> Extent:
        match expr:
            case Number() | Constant() | Index() | Size():
                return Extent.BOUNDED
            case Read(name):
                return Extent.LINEAR if name in self.differentiable else Extent.BOUNDED
            case Use():
                return Extent.HUGE
            case Select(condition, then, otherwise) | Switch(condition, then, otherwise):
                yes = self.size(then, ranges.under(condition))
                no = self.size(otherwise, ranges.under(opposite(condition)))
                return max(yes, no)
            case Reduce(kind, body, _, where):
                inner = self.size(body, ranges.under(where))
                return self._reduced(expr, kind, inner)
            case Keep(kind, body):
                inner = self.size(body, ranges)
                if inner > Extent.LINEAR or kind is Keeper.NORMALIZE:
                    self._note(expr)
                return Extent.LINEAR
            case Call():
                return self._call(expr, ranges)
            case _:
                assert_never(expr)

    def _reduced(self, expr: Reduce, kind: Reduction, inner: Extent) -> Extent:
        match kind:
            case Reduction.SUM | Reduction.MEAN | Reduction.AMAX | Reduction.AMIN:
                return max(inner, Extent.LINEAR)
            case Reduction.LOGSUMEXP | Reduction.VAR:
                if inner > Extent.LINEAR:
                    self._note(expr)
                return Extent.LINEAR if kind is Reduction.LOGSUMEXP else Extent.HUGE
            case Reduction.PROD:
                if inner > Extent.BOUNDED:
                    self._note(expr)
                return Extent.HUGE
            case Reduction.NORM:
                self._note(expr)
                return Extent.HUGE
            case _:
                assert_never(kind)

    def _call(self, expr: Call, ranges: Ranges) -> Extent:
        match expr:
            case Call("add", args):
                sizes = [self.size(a, ranges) for a in args]
                if sizes.count(Extent.HUGE) > 1 and not _same_sign(args, ranges):
                    return Extent.UNDEFINED
                return max(sizes)
            case Call("mul" | "div" | "pow" | "square" | "sqrt"):
                return self._product(expr, ranges)
            case Call("exp", (arg,)):
                size = self.size(arg, ranges)
                if size is Extent.UNDEFINED:
                    self._note(expr)
                if ranges.of(arg).high <= _EXP_LIMIT:
                    return Extent.BOUNDED
                self._note(expr)
                return Extent.HUGE
            case Call(op, args) if op in _SMOOTH:
                return max(self.size(a, ranges) for a in args)
            case Call(op, args):
                sizes = [self.size(a, ranges) for a in args]
                row = OPS.get(op)
                if row is None or row.args.value == "truth value":
                    return Extent.BOUNDED
                if row.singular is not None and not self._regular(expr, ranges):
                    self._note(expr)
                    return Extent.HUGE
                if max(sizes) > Extent.LINEAR and op not in ("log", "log1p", "log10"):
                    self._note(expr)
                return Extent.LINEAR

    def _regular(self, expr: Call, ranges: Ranges) -> bool:
        """Whether the arguments are known to stay away from the op's singular points."""
        if expr.op in ("log", "log10"):
            return self._away(expr.args[0], ranges)
        condition = _singular(expr.op)
        return ranges.refutes(_with_arguments(condition, expr.args))

    def _away(self, expr: Expr, ranges: Ranges) -> bool:
        """Whether ``expr`` is known to keep off 0, so far that its inverse is finite.

        An input declared positive counts, a computed value must be bounded away: it can underflow.
        """
        found = ranges.of(expr)
        if found.low >= _SMALL or found.high <= -_SMALL:
            return True
        match expr:
            case Read() | Size():
                return found.nonzero
            case Call("sqrt" | "abs" | "neg", (arg,)):
                return self._away(arg, ranges)
            case Call("max", args):
                return any(self._away(a, ranges) and ranges.of(a).positive for a in args)
            case Call("mul", args):
                return all(
                    self._away(a, ranges) and not self.depends(a)
                    for a in args
                )
            case Call("add", args):
                parts = [ranges.of(a) for a in args]
                return all(p.nonnegative for p in parts) and any(
                    self._away(a, ranges) for a in args
                )
            case _:
                return not self.depends(expr) and found.nonzero

    # ------------------------------------------------------------ products

    def _product(self, expr: Call, ranges: Ranges) -> Extent:
        parts = factors(expr).factors
        if parts == (Factor(expr, Fraction(1)),):
            self._note(expr)
            return Extent.HUGE
        sizes = [self._power(f, expr, ranges) for f in parts]
        for position, factor in enumerate(parts):
            others = sizes[:position] + sizes[position + 1 :]
            if self.depends(factor.base) and _multiplied(others) > Extent.LINEAR:
                self._note(expr)
        return _multiplied(sizes)

    def _power(self, factor: Factor, expr: Expr, ranges: Ranges) -> Extent:
        """The size of one power; its derivative is checked as well."""
        base, exponent = factor.base, factor.exponent
        size = self.size(base, ranges)
        flows = self.depends(base)
        if not isinstance(exponent, Fraction):
            limits = ranges.of(exponent)
            away = self._away(base, ranges)
            fine = size is Extent.BOUNDED and (away or limits.low >= 1)
            if flows and not fine or self.depends(exponent) and not away:
                self._note(expr)
            return Extent.BOUNDED if size is Extent.BOUNDED and (
                away or limits.nonnegative
            ) else Extent.HUGE
        if exponent == 1:
            return size
        if exponent < 0:
            away = self._away(base, ranges)
            if flows and (not away or size is Extent.UNDEFINED):
                self._note(expr)
            if not away:
                return Extent.HUGE
            return Extent.BOUNDED if ranges.of(base).magnitude().low > 0 else Extent.LINEAR
        if exponent < 1:
            if flows and not self._away(base, ranges):
                self._note(expr)
            return size
        worst = Extent.LINEAR if exponent <= 2 else Extent.BOUNDED
        if flows and size > worst:
            self._note(expr)
        return Extent.BOUNDED if size is Extent.BOUNDED else max(size, Extent.HUGE)

    def _note(self, expr: Expr) -> None:
        if self.depends(expr) and expr not in self.bad:
            self.bad.append(expr)


def _multiplied(sizes: list[Extent]) -> Extent:
    """The size of a product of values of these sizes."""
    if not sizes:
        return Extent.BOUNDED
    largest = max(sizes)
    if largest is Extent.LINEAR and sizes.count(Extent.LINEAR) > 1:
        return Extent.HUGE
    return largest


def _same_sign(args: tuple[Expr, ...], ranges: Ranges) -> bool:
    found = [ranges.of(a) for a in args]
    return all(r.nonnegative for r in found) or all((-r).nonnegative for r in found)


@cache
def _singular(op: str) -> Expr:
    text = OPS[op].singular
    assert text is not None
    return parse_formula("0 == 0" if text == "True" else text)


def _with_arguments(condition: Expr, args: tuple[Expr, ...]) -> Expr:
    names: dict[str, Expr] = dict(zip("xyz", args, strict=False))
    replace_name: Callable[[Expr], Expr] = lambda node: (  # noqa: E731
        names.get(node.name, node) if isinstance(node, Read) else node
    )
    return transform(condition, replace_name)
