"""Symbols of SymPy and variables of specs: assumptions are domains, and domains assumptions."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from typing import Any

import sympy

from losscodegen.errors import fail
from losscodegen.ir.loss import DomainKind, Variable
from losscodegen.ir.nodes import Expr, Index, Number, Read

CODE = "unsupported-sympy"
"""The code of every refusal of what a user hands over."""


class Unsound(Exception):
    """SymPy cannot be trusted with this expression; the message says why."""


_TRUE_OF: dict[DomainKind, dict[str, bool]] = {
    DomainKind.POSITIVE: {"positive": True},
    DomainKind.NONNEGATIVE: {"nonnegative": True},
    DomainKind.NEGATIVE: {"negative": True},
    DomainKind.UNIT: {"nonnegative": True},
    DomainKind.BINARY: {"nonnegative": True},
    DomainKind.COUNT: {"nonnegative": True},
    DomainKind.SIMPLEX: {"nonnegative": True},
    DomainKind.LOGPROB: {"nonpositive": True},
}
"""What is true of the entries of a domain besides that they are real.

Never ``integer``: SymPy rewrites ``loggamma(n + 1)`` of an integer n as ``log(gamma(n + 1))``.
"""


def symbol(read: Read, variables: Iterable[Variable] = ()) -> Any:
    """The symbol that stands for an element: ``x``, or ``x[0]`` for a fixed one."""
    entries = ", ".join(_subscript(s) for s in read.subscripts)
    name = f"{read.name}[{entries}]" if entries else read.name
    for variable in variables:
        if variable.name == read.name:
            if variable.domain.kind is DomainKind.BOOL:
                return sympy.Symbol(name)
            return sympy.Symbol(name, real=True, **_truths(variable))
    return sympy.Symbol(name, real=True)


def _truths(variable: Variable) -> dict[str, bool]:
    interval = variable.domain.interval
    if interval is not None and interval.low is not None and interval.low >= 0:
        positive = interval.low > 0 or interval.low_open
        return {"positive" if positive else "nonnegative": True}
    return _TRUE_OF.get(variable.domain.kind, {})


def _subscript(expr: Expr) -> str:
    match expr:
        case Index(name):
            return name
        case Number(value) if value.denominator == 1:
            return str(value)
        case _:
            raise Unsound("an element that is looked up has no symbol of its own")


def symbol_name(symbol: Any) -> str:
    """The name of a symbol in formulas."""
    if not isinstance(symbol, sympy.Symbol | sympy.IndexedBase):
        raise fail(CODE, f"inputs and parameters are symbols of SymPy, got {symbol!r}")
    name = str(symbol.label if isinstance(symbol, sympy.IndexedBase) else symbol.name)
    if keyword.iskeyword(name):
        return name + "_"
    if not name.isidentifier():
        raise fail(
            CODE,
            f"symbol '{name}' has no name that a formula can use",
            hint="rename it",
        )
    return name


def domain_word(symbol: Any) -> str:
    """The word for what is assumed of a symbol; everything is real here."""
    if symbol.is_real is False or symbol.is_commutative is False:
        raise fail(CODE, f"symbol '{symbol}' is not real")
    if symbol.is_positive:
        return "positive"
    if symbol.is_negative:
        return "negative"
    if symbol.is_nonnegative:
        return "count" if symbol.is_integer else "nonnegative"
    return "integer" if symbol.is_integer else "real"
