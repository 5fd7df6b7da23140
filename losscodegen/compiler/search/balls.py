"""Arithmetic in real balls (Arb): an enclosure of every result, or `UndecidedError`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flint import arb, fmpq

from losscodegen.ir.nodes import Named, Number


class UndecidedError(Exception):
    """A ball is too wide to say which branch is taken."""


class UnsupportedError(Exception):
    """There is no arithmetic for this node."""


class Balls:
    """Enclosures; derivatives by the op table, which is exact."""

    functions: Mapping[str, Callable[..., Any]] = {
        "add": lambda *a: sum(a[1:], a[0]),
        "mul": lambda *a: _product(a),
        "neg": lambda x: -x,
        "div": lambda x, y: x / y,
        "pow": lambda x, p: _ball_power(x, p),
        "exp": lambda x: x.exp(),
        "log": lambda x: x.log(),
        "sqrt": lambda x: x.sqrt(),
        "cbrt": lambda x: _ball_sign(x) * abs(x).root(3),
        "abs": abs,
        "sign": lambda x: _ball_sign(x),
        "square": lambda x: x * x,
        "log10": lambda x: x.log() / arb(10).log(),
        "sin": lambda x: x.sin(),
        "cos": lambda x: x.cos(),
        "tan": lambda x: x.tan(),
        "asin": lambda x: x.asin(),
        "acos": lambda x: x.acos(),
        "atan": lambda x: x.atan(),
        "atan2": lambda y, x: arb.atan2(y, x),
        "sinh": lambda x: x.sinh(),
        "cosh": lambda x: x.cosh(),
        "tanh": lambda x: x.tanh(),
        "asinh": lambda x: x.asinh(),
        "acosh": lambda x: x.acosh(),
        "atanh": lambda x: x.atanh(),
        "hypot": lambda x, y: (x * x + y * y).sqrt(),
        "erf": lambda x: x.erf(),
        "erfc": lambda x: x.erfc(),
        "sigmoid": lambda x: 1 / (1 + (-x).exp()),
        "logsigmoid": lambda x: -(-x).exp().log1p(),
        "softplus": lambda x: x.exp().log1p(),
        "log1p": lambda x: x.log1p(),
        "expm1": lambda x: x.expm1(),
        "relu": lambda x: x if _ball_sign(x) > 0 else arb(0),
    }
    backward: Mapping[str, Callable[[Any, Any], Any]] = {}
    partials: Mapping[tuple[str, int], Callable[..., Any]] = {}

    def rational(self, node: Number) -> arb:
        return arb(fmpq(node.value.numerator, node.value.denominator))

    def constant(self, name: Named) -> arb:
        if name is Named.OO:
            raise UnsupportedError
        return arb.pi() if name is Named.PI else arb(1).exp()

    def holds(self, op: str, left: arb, right: arb) -> bool:
        difference = left - right
        if difference.is_exact() and difference == 0:
            return op in ("le", "ge", "eq")
        if difference > 0:
            return op in ("gt", "ge", "ne")
        if difference < 0:
            return op in ("lt", "le", "ne")
        raise UndecidedError


def _product(args: Sequence[arb]) -> arb:
    found = args[0]
    for arg in args[1:]:
        found = found * arg
    return found


def _ball_sign(x: arb) -> int:
    if x > 0:
        return 1
    if x < 0:
        return -1
    if x == 0:
        return 0
    raise UndecidedError


def _ball_power(x: arb, p: arb) -> arb:
    if x.is_exact() and x == 0 and p > 0:
        return arb(0)
    return x**p
