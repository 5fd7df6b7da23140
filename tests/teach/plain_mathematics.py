"""Expressions evaluated by mpmath, loop by loop: sums are loops, derivatives differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import mpmath
from mpmath import mp, mpf

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Named,
    Number,
    Read,
    Reduce,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.walk import free_indices
from losscodegen.judge.point import Array, Point

DIGITS = 50
STEP = mpf(10) ** -16
"""Of differences: their error is of the order of its square."""

Places = tuple[int, ...]


def logistic(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": lambda *a: mp.fsum(a),
    "mul": lambda *a: mp.fprod(a),
    "neg": lambda x: -x,
    "div": lambda x, y: x / y if y else mp.nan,
    "pow": lambda x, y: mpf(1) if y == 0 else mp.power(x, y),
    "mod": lambda x, y: x - y * mp.floor(x / y),
    "square": lambda x: x * x,
    "exp": mp.exp,
    "log": mp.log,
    "log10": mp.log10,
    "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "abs": abs,
    "sign": mp.sign,
    "floor": mp.floor,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "atan2": mp.atan2,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "hypot": mp.hypot,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfinv": mp.erfinv,
    "lgamma": mp.loggamma,
    "gamma": mp.gamma,
    "digamma": mp.digamma,
    "polygamma": lambda n, x: mp.psi(int(n), x),
    "besseli": lambda n, x: mp.besseli(int(n), x),
    "sigmoid": logistic,
    "logsigmoid": lambda x: mp.log(logistic(x)),
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "log1p": lambda x: mp.log(1 + x),
    "expm1": lambda x: mp.exp(x) - 1,
    "log1mexp": lambda x: mp.log(1 - mp.exp(-x)),
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "xlogy": lambda x, y: mpf(0) if x == 0 else x * mp.log(y),
    "relu": lambda x: max(x, mpf(0)),
    "max": lambda *a: max(a),
    "min": lambda *a: min(a),
    "clip": lambda x, y, z: min(max(x, y), z),
    "delta": lambda x, y: mpf(x == y),
    "heaviside": lambda x: (1 + mp.sign(x)) / 2,
    "detach": lambda x: x,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "and": lambda *a: all(a),
    "or": lambda *a: any(a),
    "not": lambda x: not x,
    "isnan": mpmath.isnan,
    "isfinite": mpmath.isfinite,
}


@dataclass
class Numbers:
    """Values at a point; ``pending`` and ``wrt`` say which reads are derivatives to be taken."""

    loss: Loss
    point: Point
    sizes: Mapping[str, int]
    wrt: Read | None = None
    pending: Mapping[str, Expr] = field(default_factory=dict)
    moved: tuple[str, Places, Any] | None = None
    known: dict[tuple[int, Places], tuple[Expr, Any]] = field(default_factory=dict)
    """Of reductions, by what they are and where their own indices stand."""

    def at(self, expr: Expr, env: Mapping[Index, int]) -> Any:
        match expr:
            case Number(value):
                return mpf(value.numerator) / value.denominator
            case Constant(name):
                return {Named.PI: mp.pi, Named.E: mp.e, Named.OO: mp.inf}[name]
            case Index():
                return mpf(env[expr])
            case Size(axis):
                return mpf(self.size(axis))
            case Read(name, subscripts) if name in self.pending:
                inner = self.pending[name]
                bound = zip(free_indices(inner), subscripts, strict=True)
                places = {i: int(self.at(s, env)) for i, s in bound}
                return self.difference(inner, {**env, **places})
            case Read(name, subscripts):
                return self.read(name, tuple(int(self.at(s, env)) for s in subscripts))
            case Call("detach", (inner,)):
                still = Numbers(self.loss, self.point, self.sizes)
                return still.at(inner, env)
            case Call("isnan" | "isfinite" as op, args):
                return FUNCTIONS[op](*(self.at(a, env) for a in args))
            case Call(op, args):
                return FUNCTIONS[op](*(self.at(a, env) for a in args))
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                return self.at(then if self.at(condition, env) else otherwise, env)
            case Reduce() | Keep():
                return self.once(expr, env)
            case _:
                raise TypeError(expr)

    def once(self, expr: Reduce | Keep, env: Mapping[Index, int]) -> Any:
        key = id(expr), tuple(env[i] for i in free_indices(expr))
        if key not in self.known:
            if isinstance(expr, Reduce):
                found = self.reduce(expr, env)
            else:
                found = self.keep(expr, env)
            # With the expression itself, lest another gets its identity.
            self.known[key] = expr, found
        return self.known[key][1]

    def size(self, axis: str) -> int:
        return int(axis) if axis.isdecimal() else self.sizes[axis]

    def read(self, name: str, places: Places) -> Any:
        entry = self.point.values[name]
        variable = self.loss.variable(name)
        if entry is None:
            return mpf(1)
        if isinstance(entry, str):
            return mpf(variable.domain.choices.index(entry))
        if isinstance(entry, Array):
            flat = 0
            for place, size in zip(places, entry.shape, strict=True):
                flat = flat * size + place
            entry = entry.entries[flat]
        if variable.domain.kind is DomainKind.BOOL:
            return bool(entry)
        value = mpf(entry)
        if self.moved is not None and self.moved[:2] == (name, places):
            value += self.moved[2]
        return value

    def difference(self, expr: Expr, env: Mapping[Index, int]) -> Any:
        """The derivative of ``expr`` by the wanted element, by differences."""
        assert self.wrt is not None
        places = tuple(int(self.at(s, env)) for s in self.wrt.subscripts)
        up, down = (
            Numbers(self.loss, self.point, self.sizes, moved=(self.wrt.name, places, h))
            for h in (STEP, -STEP)
        )
        above, below = up.at(expr, env), down.at(expr, env)
        return mpf(0) if above == below else (above - below) / (2 * STEP)

    def over(
        self, indices: tuple[Index, ...], where: Expr | None, env: Mapping[Index, int]
    ) -> Iterator[dict[Index, int]]:
        for places in product(*(range(self.size(i.axis)) for i in indices)):
            inner = {**env, **dict(zip(indices, places, strict=True))}
            if where is None or self.at(where, inner):
                yield inner

    def reduce(self, expr: Reduce, env: Mapping[Index, int]) -> Any:
        inner = list(self.over(expr.indices, expr.where, env))
        values = [self.at(expr.body, e) for e in inner]
        match expr.kind.value:
            case "Sum":
                return mp.fsum(values)
            case "Mean":
                return mp.fsum(values) / len(values) if values else mp.nan
            case "Prod":
                return mp.fprod(values)
            case "logsumexp":
                return mp.log(mp.fsum(map(mp.exp, values)))
            case "amax":
                return max(values, default=-mp.inf)
            case "amin":
                return min(values, default=mp.inf)
            case "var":
                mean = mp.fsum(values) / len(values)
                return mp.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
            case _:
                assert expr.order is not None
                order = self.at(expr.order, env)
                if order == mp.inf:
                    return max(map(abs, values))
                return mp.fsum(abs(v) ** order for v in values) ** (1 / order)

    def keep(self, expr: Keep, env: Mapping[Index, int]) -> Any:
        values = [self.at(expr.body, e) for e in self.over((expr.index,), None, env)]
        at = int(self.at(expr.at, env))
        if expr.kind.value == "normalize":
            return values[at] / mp.sqrt(mp.fsum(v * v for v in values))
        sign = -1 if expr.kind.value == "softmin" else 1
        share = mp.exp(sign * values[at]) / mp.fsum(mp.exp(sign * v) for v in values)
        return mp.log(share) if expr.kind.value == "log_softmax" else share
