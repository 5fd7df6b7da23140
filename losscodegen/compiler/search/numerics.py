"""Value and gradient of a pointwise expression: in doubles as in PyTorch, and in balls.

The rules of differentiation are those of the op table. Where PyTorch's own backward computes from
the result (``1 - y*y`` for a hyperbolic tangent), so do the doubles here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

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


class Jet(NamedTuple):
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
        self.leaves = tuple(leaves)
        self.given = [
            Jet(value, tuple(one if w == leaf else zero for w in wrt))
            for leaf, value in leaves.items()
        ]

    def of(self, expr: Expr) -> Jet:
        """Value and derivatives of ``expr``.

        Raises:
            UndecidedError: a ball does not say which branch is taken.
            UnsupportedError: there is a node without arithmetic.
        """
        size, jet = _program(self.arithmetic, expr, self.leaves)
        return jet(self._run(size))

    def holds(self, condition: Expr) -> bool:
        """Whether a condition holds; raises what `of` raises."""
        size, holds = _condition(self.arithmetic, condition, self.leaves)
        return holds(self._run(size))

    def _run(self, size: int) -> _Run:
        known: list[Jet | None] = [*self.given]
        known += [None] * (size - len(known))
        return _Run(known, self.flat, self.zero, self.one)


@dataclass(slots=True)
class _Run:
    """What is known at a point, by the number of the node."""

    known: list[Jet | None]
    flat: tuple[Any, ...]
    zero: Any
    one: Any


_Jets = Callable[[_Run], Jet]
_Holds = Callable[[_Run], bool]


@lru_cache(1024)
def _program(
    arithmetic: Arithmetic, expr: Expr, leaves: tuple[Expr, ...]
) -> tuple[int, _Jets]:
    """How many nodes there are, and what evaluates ``expr``: it is taken apart only once."""
    compiler = _Compiler(arithmetic, leaves)
    found = compiler.jet(expr)
    return len(compiler.done), found


@lru_cache(1024)
def _condition(
    arithmetic: Arithmetic, condition: Expr, leaves: tuple[Expr, ...]
) -> tuple[int, _Holds]:
    compiler = _Compiler(arithmetic, leaves)
    found = compiler.holds(condition)
    return len(compiler.done), found


def _unsupported(run: _Run) -> Any:
    raise UnsupportedError


class _Compiler:
    """Makes one function of every different node, which evaluates it when it is needed."""

    def __init__(self, arithmetic: Arithmetic, leaves: tuple[Expr, ...]) -> None:
        self.arithmetic = arithmetic
        self.functions = arithmetic.functions
        self.done: dict[Expr, _Jets] = {
            leaf: _leaf(place) for place, leaf in enumerate(leaves)
        }

    def jet(self, expr: Expr) -> _Jets:
        found = self.done.get(expr)
        if found is None:
            body = self._body(expr)
            found = self.done[expr] = _kept(len(self.done), body)
        return found

    def _body(self, expr: Expr) -> _Jets:
        arithmetic = self.arithmetic
        match expr:
            case Number():
                return lambda run: Jet(arithmetic.rational(expr), run.flat)
            case Constant(name):
                return lambda run: Jet(arithmetic.constant(name), run.flat)
            case Select(condition, then, otherwise):
                return _select(
                    self.holds(condition), self.jet(then), self.jet(otherwise)
                )
            case Call("detach", (arg,)):
                part = self.jet(arg)
                return lambda run: Jet(part(run).value, run.flat)
            case Call("add", args):
                return _sum([self.jet(a) for a in args])
            case Call("mul", args):
                return _product([self.jet(a) for a in args])
            case Call("pow", (base, exponent)):
                power, log = self.functions["pow"], self.functions["log"]
                return _power(power, log, self.jet(base), self.jet(exponent))
            case Call("max" | "min" as op, args):
                beyond = "gt" if op == "max" else "lt"
                return _extreme(arithmetic, beyond, [self.jet(a) for a in args])
            case Call(op, args) if op in self.functions:
                return _chain(arithmetic, op, [self.jet(a) for a in args])
            case _:
                return _unsupported

    def holds(self, condition: Expr) -> _Holds:
        match condition:
            case Call("and", args):
                every = [self.holds(a) for a in args]
                return lambda run: all(part(run) for part in every)
            case Call("or", args):
                some = [self.holds(a) for a in args]
                return lambda run: any(part(run) for part in some)
            case Call("not", (arg,)):
                inner = self.holds(arg)
                return lambda run: not inner(run)
            case Call("lt" | "le" | "gt" | "ge" | "eq" | "ne" as op, (left, right)):
                one, other = self.jet(left), self.jet(right)
                compare = self.arithmetic.holds
                return lambda run: compare(op, one(run).value, other(run).value)
            case _:
                return _unsupported


def _leaf(place: int) -> _Jets:
    def jet(run: _Run) -> Jet:
        found = run.known[place]
        assert found is not None
        return found

    return jet


def _kept(place: int, body: _Jets) -> _Jets:
    def jet(run: _Run) -> Jet:
        found = run.known[place]
        if found is None:
            found = run.known[place] = body(run)
        return found

    return jet


def _select(condition: _Holds, then: _Jets, otherwise: _Jets) -> _Jets:
    return lambda run: then(run) if condition(run) else otherwise(run)


def _extreme(arithmetic: Arithmetic, beyond: str, parts: Sequence[_Jets]) -> _Jets:
    """The greatest or the least; of several that tie the first."""
    first, *rest = parts

    def jet(run: _Run) -> Jet:
        found = first(run)
        for part in rest:
            other = part(run)
            if arithmetic.holds(beyond, other.value, found.value):
                found = other
        return found

    return jet


def _sum(parts: Sequence[_Jets]) -> _Jets:
    first, *rest = parts

    def jet(run: _Run) -> Jet:
        value, slopes = first(run)
        for part in rest:
            more, steeper = part(run)
            value = value + more
            slopes = tuple([a + b for a, b in zip(slopes, steeper, strict=True)])
        return Jet(value, slopes)

    return jet


def _product(parts: Sequence[_Jets]) -> _Jets:
    first, *rest = parts

    def jet(run: _Run) -> Jet:
        value, slopes = first(run)
        for part in rest:
            more, steeper = part(run)
            slopes = tuple(
                [a * more + b * value for a, b in zip(slopes, steeper, strict=True)]
            )
            value = value * more
        return Jet(value, slopes)

    return jet


def _power(
    power: Callable[..., Any], log: Callable[..., Any], base: _Jets, exponent: _Jets
) -> _Jets:
    def jet(run: _Run) -> Jet:
        (x, by_x), (p, by_p) = base(run), exponent(run)
        value = power(x, p)
        by_base = p * power(x, p - run.one)
        slopes = [by_base * s if s != 0 else run.zero for s in by_x]
        if any(s != 0 for s in by_p):
            by_exponent = value * log(x)
            slopes = [a + by_exponent * b for a, b in zip(slopes, by_p, strict=True)]
        return Jet(value, tuple(slopes))

    return jet


def _chain(arithmetic: Arithmetic, op: str, parts: Sequence[_Jets]) -> _Jets:
    """A function of the results of ``parts``, by the chain rule."""
    function, backward = arithmetic.functions[op], arithmetic.backward.get(op)
    partials = [arithmetic.partials.get((op, k)) for k in range(len(parts))]

    def factor(place: int, values: Sequence[Any], value: Any) -> Any:
        if backward is not None:
            return backward(values[0], value)
        if (partial := partials[place]) is not None:
            return partial(*values)
        return _derivative(arithmetic, op, place)(values)

    def jet(run: _Run) -> Jet:
        jets = [part(run) for part in parts]
        values = [j.value for j in jets]
        value = function(*values)
        slopes: Sequence[Any] = run.flat
        for place, (_, inner) in enumerate(jets):
            if all(s == 0 for s in inner):
                continue
            slope = factor(place, values, value)
            slopes = [
                a if s == 0 else a + slope * s
                for a, s in zip(slopes, inner, strict=True)
            ]
        return Jet(value, tuple(slopes))

    return jet


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
