"""Arithmetic in doubles that does not raise: results are nan or infinite, as in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from losscodegen.ir.nodes import Named, Number


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    def known(*args: float) -> float:
        try:
            return function(*args)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return known


def _divide(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def _log(x: float) -> float:
    return -math.inf if x == 0 else math.log(x)


def _log1p(x: float) -> float:
    return -math.inf if x == -1 else math.log1p(x)


def _power(x: float, p: float) -> float:
    if x == 0 and p < 0:
        return math.inf
    if x < 0 and p == int(p):
        return math.copysign(_guarded(math.pow)(-x, p), -1.0 if p % 2 else 1.0)
    return math.pow(x, p)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sigmoid(x: float) -> float:
    small = math.exp(-abs(x))
    return (1.0 if x >= 0 else small) / (1.0 + small)


def _sinh(x: float) -> float:
    return math.copysign(_guarded(math.sinh)(abs(x)), x)


def _times(*args: float) -> float:
    found = 1.0
    for arg in args:
        found *= arg
    return found


def _root(x: float) -> float:
    return math.nan if x < 0 else math.sqrt(x)


def _comparison(op: str, left: float, right: float) -> bool:
    match op:
        case "lt":
            return left < right
        case "le":
            return left <= right
        case "gt":
            return left > right
        case "ge":
            return left >= right
        case "eq":
            return left == right
        case _:
            return left != right


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": lambda *a: sum(a[1:], a[0]),
    "mul": _times,
    "neg": lambda x: -x,
    "div": _divide,
    "pow": _power,
    "exp": math.exp,
    "log": _log,
    "sqrt": _root,
    "cbrt": math.cbrt,
    "abs": abs,
    "sign": lambda x: math.copysign(x != 0, x),
    "square": lambda x: x * x,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": _sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "hypot": math.hypot,
    "erf": math.erf,
    "erfc": math.erfc,
    "sigmoid": _sigmoid,
    "logsigmoid": lambda x: -_softplus(-x),
    "softplus": _softplus,
    "log1p": _log1p,
    "expm1": math.expm1,
    "relu": lambda x: max(x, 0.0),
}


class Doubles:
    """Every function as a double-precision library has it, the derivatives as in PyTorch."""

    functions: Mapping[str, Callable[..., Any]] = {
        name: _guarded(function) for name, function in _FUNCTIONS.items()
    }
    partials: Mapping[tuple[str, int], Callable[..., float]] = {
        # Nothing is squared.
        ("div", 1): lambda x, y: -_divide(_divide(x, y), y),
    }
    backward: Mapping[str, Callable[[float, float], float]] = {
        "exp": lambda x, y: y,
        "sqrt": lambda x, y: _divide(0.5, y),
        "tanh": lambda x, y: 1.0 - y * y,
        "sigmoid": lambda x, y: y * (1.0 - y),
        "expm1": lambda x, y: y + 1.0,
        "acos": lambda x, y: -_divide(1.0, _root(1.0 - x * x)),
        "asin": lambda x, y: _divide(1.0, _root(1.0 - x * x)),
        "atanh": lambda x, y: _divide(1.0, 1.0 - x * x),
        "asinh": lambda x, y: _divide(1.0, _root(x * x + 1.0)),
        "acosh": lambda x, y: _divide(1.0, _root(x * x - 1.0)),
    }

    def rational(self, node: Number) -> float:
        return float(node.value)

    def constant(self, name: Named) -> float:
        return {Named.PI: math.pi, Named.E: math.e, Named.OO: math.inf}[name]

    def holds(self, op: str, left: float, right: float) -> bool:
        return _comparison(op, left, right)
