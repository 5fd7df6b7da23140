"""Value and gradient of a pointwise expression: in doubles as in PyTorch, and in balls.

The rules of differentiation are those of the op table. Where PyTorch's own backward computes from
the result (``1 - y*y`` for a hyperbolic tangent), so do the doubles here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from flint import arb, ctx

from losscodegen.compiler.search.balls import Balls, UndecidedError, UnsupportedError
from losscodegen.compiler.search.doubles import Doubles
from losscodegen.ir.build import number
from losscodegen.ir.nodes import Call, Constant, Expr, Named, Number, Read, Select
from losscodegen.ir.ops import OPS
from losscodegen.language.formula import parse_formula

_NAMES = ("x", "y", "z")


class Arithmetic(Protocol):
    """One kind of numbers."""

    functions: Mapping[str, Callable[..., Any]]
    backward: Mapping[str, Callable[[Any, Any], Any]]
    """Derivatives that are computed from argument and result instead of by the op table."""
    partials: Mapping[tuple[str, int], Callable[..., Any]]
    """Those by one of several arguments, computed from these in another way than the op table."""

    def __hash__(self) -> int: ...

    def rational(self, node: Number) -> Any: ...

    def constant(self, name: Named) -> Any: ...

    def holds(self, op: str, left: Any, right: Any) -> bool: ...


DOUBLES: Arithmetic = Doubles()
BALLS: Arithmetic = Balls()


Closure = Callable[[Sequence[Any]], Any]


@cache
def _derivative(arithmetic: Arithmetic, op: str, place: int) -> Closure:
    """The derivative of ``op`` by an argument, as a function of its arguments."""
    return _closure(arithmetic, parse_formula(OPS[op].derivative[place]))


def _closure(arithmetic: Arithmetic, formula: Expr) -> Closure:
    match formula:
        case Number(_) as written:
            return lambda values: arithmetic.rational(written)
        case Constant(constant):
            return lambda values: arithmetic.constant(constant)
        case Read(name):
            place = _NAMES.index(name)
            return lambda values: values[place]
        case Select(Call(op, (left, right)), then, otherwise):
            one, other = _closure(arithmetic, left), _closure(arithmetic, right)
            yes, no = _closure(arithmetic, then), _closure(arithmetic, otherwise)

            def chosen(values: Sequence[Any]) -> Any:
                holds = arithmetic.holds(op, one(values), other(values))
                return yes(values) if holds else no(values)

            return chosen
        case Call(op, args) if op in arithmetic.functions:
            function = arithmetic.functions[op]
            parts = [_closure(arithmetic, a) for a in args]
            return lambda values: function(*[p(values) for p in parts])
        case _:
            raise UnsupportedError


@dataclass(frozen=True, slots=True)
class Jet:
    """A value and its derivatives by the differentiable leaves."""

    value: Any
    slopes: tuple[Any, ...]


class Evaluator:
    """Values of expressions at one point; ``leaves`` are the nodes that the point gives."""

    def __init__(
        self, arithmetic: Arithmetic, leaves: Mapping[Expr, Any], wrt: tuple[Expr, ...]
    ) -> None:
        self.arithmetic = arithmetic
        zero, one = arithmetic.rational(_ZERO), arithmetic.rational(_ONE)
        self.flat = (zero,) * len(wrt)
        self.zero, self.one = zero, one
        self.known: dict[Expr, Jet] = {
            leaf: Jet(value, tuple(one if w == leaf else zero for w in wrt))
            for leaf, value in leaves.items()
        }

    def of(self, expr: Expr) -> Jet:
        """Value and derivatives of ``expr``.

        Raises:
            UndecidedError: a ball does not say which branch is taken.
            UnsupportedError: there is a node without arithmetic.
        """
        found = self.known.get(expr)
        if found is None:
            found = self.known[expr] = self._of(expr)
        return found

    def _of(self, expr: Expr) -> Jet:
        match expr:
            case Number():
                return Jet(self.arithmetic.rational(expr), self.flat)
            case Constant(name):
                return Jet(self.arithmetic.constant(name), self.flat)
            case Select(condition, then, otherwise):
                return self.of(then if self.holds(condition) else otherwise)
            case Call("detach", (arg,)):
                return Jet(self.of(arg).value, self.flat)
            case Call("add", args):
                jets = [self.of(a) for a in args]
                value = self._call("add", *(j.value for j in jets))
                slopes = zip(*(j.slopes for j in jets), strict=True)
                return Jet(value, tuple(self._call("add", *s) for s in slopes))
            case Call("mul", args):
                return self._times([self.of(a) for a in args])
            case Call("pow", (base, exponent)):
                return self._power(self.of(base), self.of(exponent))
            case Call(op, args) if op in self.arithmetic.functions:
                return self._chain(op, [self.of(a) for a in args])
            case _:
                raise UnsupportedError

    def holds(self, condition: Expr) -> bool:
        match condition:
            case Call("and", args):
                return all(map(self.holds, args))
            case Call("or", args):
                return any(map(self.holds, args))
            case Call("not", (arg,)):
                return not self.holds(arg)
            case Call("lt" | "le" | "gt" | "ge" | "eq" | "ne" as op, (left, right)):
                return self.arithmetic.holds(
                    op, self.of(left).value, self.of(right).value
                )
            case _:
                raise UnsupportedError

    def _call(self, op: str, *args: Any) -> Any:
        return self.arithmetic.functions[op](*args)

    def _times(self, jets: list[Jet]) -> Jet:
        found = jets[0]
        for jet in jets[1:]:
            slopes = tuple(
                self._call("add", a * jet.value, b * found.value)
                for a, b in zip(found.slopes, jet.slopes, strict=True)
            )
            found = Jet(found.value * jet.value, slopes)
        return found

    def _power(self, base: Jet, exponent: Jet) -> Jet:
        value = self._call("pow", base.value, exponent.value)
        lower = self._call("pow", base.value, exponent.value - self.one)
        by_base = exponent.value * lower
        slopes = [by_base * s if s != 0 else self.zero for s in base.slopes]
        if any(s != 0 for s in exponent.slopes):
            by_exponent = value * self._call("log", base.value)
            slopes = [
                a + by_exponent * b
                for a, b in zip(slopes, exponent.slopes, strict=True)
            ]
        return Jet(value, tuple(slopes))

    def _chain(self, op: str, jets: list[Jet]) -> Jet:
        values = [j.value for j in jets]
        value = self._call(op, *values)
        backward = self.arithmetic.backward.get(op)
        slopes: list[Any] = list(self.flat)
        for place, jet in enumerate(jets):
            if all(_is_zero(s) for s in jet.slopes):
                continue
            if backward is not None:
                factor = backward(values[0], value)
            elif (op, place) in self.arithmetic.partials:
                factor = self.arithmetic.partials[op, place](*values)
            else:
                factor = _derivative(self.arithmetic, op, place)(values)
            slopes = [
                a if _is_zero(s) else a + factor * s
                for a, s in zip(slopes, jet.slopes, strict=True)
            ]
        return Jet(value, tuple(slopes))


def _is_zero(value: Any) -> bool:
    return bool(value == 0)


_NOTHING = arb(2) ** -1060
"""Below the doubles that have all their digits: as good as 0."""

_ZERO, _ONE = number(0), number(1)


def precise(
    expr: Expr, leaves: Mapping[Expr, float], wrt: tuple[Expr, ...]
) -> tuple[float, ...] | None:
    """Value and gradient, each right to within an ulp or so; None where that cannot be had."""
    before = ctx.prec
    try:
        for bits in (160, 640, 2560):
            ctx.prec = bits
            try:
                point = {leaf: arb(value) for leaf, value in leaves.items()}
                jet = Evaluator(BALLS, point, wrt).of(expr)
            except (UndecidedError, ZeroDivisionError):
                continue
            except UnsupportedError:
                return None
            found = [arb(v) for v in (jet.value, *jet.slopes)]
            if all(v.rel_accuracy_bits() > 60 or abs(v) < _NOTHING for v in found):
                return tuple(float(v.mid()) for v in found)
    finally:
        ctx.prec = before
    return None
