"""Constants are folded by hand, exactly, to refuse those that have no value.

What is undefined is read from the domains of the op table; the folded value is thrown away.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache

from losscodegen.ir.nodes import Call, Constant, Expr, Named, Number, Read
from losscodegen.ir.ops import OPS

LARGEST = Fraction(sys.float_info.max)
SMALLEST = Fraction(math.ulp(0.0))
MAX_EXPONENT = 1000
_MAX_BITS = 20_000

Value = Fraction | float
"""An exact rational, or one of the two infinities as a float."""


class Undefined(Exception):
    """A constant without a value: why (``{}`` is the formula), and the argument to blame."""

    def __init__(self, reason: str, argument: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.argument = argument


def refusal(expr: Call) -> Undefined | None:
    """Why ``expr``, whose arguments were accepted, never has a value; None if it has."""
    try:
        values = [_value(arg) for arg in expr.args]
        if any(value is not None for value in values):
            _fold(expr.op, values)
    except Undefined as reason:
        return reason
    return None


def _value(expr: Expr) -> Value | None:
    """The value of a constant expression as far as it is rational or infinite."""
    match expr:
        case Number(value):
            return value
        case Constant(Named.OO):
            return math.inf
        case Call(op, args):
            return _fold(op, [_value(arg) for arg in args])
        case _:
            return None


def _fold(op: str, values: list[Value | None]) -> Value | None:
    """The op of these values; None where one is unknown or the result is no rational."""
    if op == "pow":
        _check_power(*values)
    if _domain_holds(op, values) is False:
        if op in ("div", "mod"):
            raise Undefined("division by zero", 1)
        raise Undefined("{} has no value")
    function = _FUNCTIONS.get(op)
    known = [value for value in values if value is not None]
    if function is None or len(known) < len(values):
        return None
    try:
        result = function(*known)
    except OverflowError:
        result = 2 * LARGEST
    if isinstance(result, float) and not math.isinf(result):
        if math.isnan(result):
            raise Undefined("{} has no value")
        result = Fraction(result)
    if result is not None and not isinstance(result, float) and abs(result) > LARGEST:
        raise Undefined("{} does not fit into a float64")
    return result


def _check_power(base: Value | None, exponent: Value | None) -> None:
    if isinstance(exponent, Fraction):
        if abs(exponent) > MAX_EXPONENT:
            raise Undefined(f"exponents above {MAX_EXPONENT} are out of reach", 1)
        if base == 0 and exponent < 0:
            raise Undefined("division by zero", 1)


# ---------------------------------------------------------------------- arithmetic


def _sum(*values: Value) -> Value:
    total: Value = Fraction(0)
    for value in values:
        total = total + value
    return total


def _product(*values: Value) -> Value:
    total: Value = Fraction(1)
    for value in values:
        total = total * value
    return total


def _quotient(above: Value, below: Value) -> Value:
    return above / below


def _power(base: Value, exponent: Value) -> Value | None:
    if isinstance(base, float) or isinstance(exponent, float):
        return None
    if exponent.denominator != 1:
        return None
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(exponent) > _MAX_BITS:
        raise Undefined("{} does not fit into a float64")
    return base**exponent.numerator


def _floor(value: Value) -> Value:
    return value if isinstance(value, float) else Fraction(math.floor(value))


def _clip(value: Value, low: Value, high: Value) -> Value:
    return min(max(value, low), high)


_FUNCTIONS: dict[str, Callable[..., Value | None]] = {
    "add": _sum,
    "mul": _product,
    "neg": operator.neg,
    "div": _quotient,
    "pow": _power,
    "square": lambda x: _power(x, Fraction(2)),
    "abs": abs,
    "floor": _floor,
    "max": lambda *values: max(values),
    "min": lambda *values: min(values),
    "clip": _clip,
    "detach": lambda x: x,
}

# ---------------------------------------------------------------------- domains


@cache
def _domain(op: str) -> Expr | None:
    # Late, because reading the domain uses this module.
    from losscodegen.language.formula import parse_formula

    text = OPS[op].domain
    return None if text is None else parse_formula(text)


def _domain_holds(op: str, values: list[Value | None]) -> bool | None:
    """Whether the arguments lie in the op's domain; None where that cannot be told."""
    domain = _domain(op)
    if domain is None:
        return None
    return _holds(domain, dict(zip(("x", "y", "z"), values, strict=False)))


_RELATIONS: dict[str, Callable[[Value, Value], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def _holds(condition: Expr, values: Mapping[str, Value | None]) -> bool | None:
    """Three-valued logic: a conjunction with one false part is false, whatever the others."""
    if not isinstance(condition, Call):
        return None
    if condition.op in ("and", "or"):
        decisive = condition.op == "or"
        parts = [_holds(arg, values) for arg in condition.args]
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    relation = _RELATIONS.get(condition.op)
    if relation is None:
        return None
    left, right = (_term(arg, values) for arg in condition.args)
    return None if left is None or right is None else relation(left, right)


def _term(expr: Expr, values: Mapping[str, Value | None]) -> Value | None:
    """One side of a comparison in a domain."""
    match expr:
        case Read(name):
            return values[name]
        case Call(op, args) if op in _FUNCTIONS:
            terms = [_term(arg, values) for arg in args]
            known = [term for term in terms if term is not None]
            return _FUNCTIONS[op](*known) if len(known) == len(terms) else None
        case _:
            return _value(expr)
