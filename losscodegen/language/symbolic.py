"""Pointwise expressions to SymPy, the mathematician that is consulted, and SymPy's to formulas.

SymPy is a second witness for derivatives and a source of specs, nothing more: it reorders, cancels
and evaluates, so its tree is never what is compiled. It is given only what it handles soundly;
`Unsound` is raised for the rest, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any, assert_never

import sympy

from losscodegen.ir.loss import Variable
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
    Use,
)
from losscodegen.ir.walk import walk
from losscodegen.language.sympy_functions import (
    Detached,
    Larger,
    Magnitude,
    Power,
    Sign,
    Smaller,
    Step,
    TimesLog,
    Whole,
)
from losscodegen.language.sympy_reader import expression_from_sympy, from_sympy
from losscodegen.language.sympy_spec import spec_text_from_sympy
from losscodegen.language.sympy_symbols import Unsound, symbol

__all__ = [
    "Unsound",
    "evaluate",
    "expression_from_sympy",
    "from_sympy",
    "partials",
    "spec_text_from_sympy",
    "symbol",
    "to_sympy",
]


def to_sympy(expr: Expr, variables: Iterable[Variable] = ()) -> Any:
    """A pointwise expression without definitions as SymPy's.

    Symbols are real; with ``variables`` they have the further assumptions that their domains make
    true. Two elements of one tensor become two symbols only if they cannot be the same element.

    Raises:
        Unsound: for sums and other binders, look-ups, indices used as numbers, tests for NaN.
    """
    _refuse_aliases(expr)
    return _Writer(tuple(variables)).real(expr)


def partials(expr: Expr, wrt: Read | str, variables: Iterable[Variable] = ()) -> Any:
    """SymPy's derivative of a pointwise expression by an element.

    Raises:
        Unsound: as `to_sympy`, and where a condition is an equality in ``wrt``: SymPy takes the
            derivative of the branch, which holds at one point only.
    """
    variables = tuple(variables)
    if isinstance(wrt, str):
        wrt = Read(wrt)
    for node in walk(expr):
        equality = isinstance(node, Call) and node.op in ("eq", "ne", "delta")
        if equality and wrt in walk(node):
            raise Unsound("the derivative of a branch taken at one point only")
    return sympy.diff(to_sympy(expr, variables), symbol(wrt, variables))


_GUARD = 400
"""Decimal digits carried beside those asked for: ``1 + exp(-x)`` cancels that much, not more."""


def evaluate(
    expression: Any, point: Mapping[str, Fraction | int | float], digits: int = 30
) -> Any:
    """The value of a SymPy expression at numbers given by the names of the symbols.

    The result is a SymPy number of so many digits; it is ``nan``, ``zoo`` or complex where the
    expression has no real value. Numbers enter as floats of high precision: exact ones would be
    kept as exact algebraic numbers, whose comparisons can take minutes.
    """
    new = {
        s: _at(s, Fraction(point[s.name]), digits + _GUARD)
        for s in expression.free_symbols
        if s.name in point
    }
    return sympy.N(expression.xreplace(new), digits)


def _at(symbol_: Any, value: Fraction, digits: int) -> Any:
    if not symbol_.is_real:
        return sympy.true if value else sympy.false
    return sympy.Float(sympy.Rational(value.numerator, value.denominator), digits)


def _refuse_aliases(expr: Expr) -> None:
    """Two elements of a tensor may coincide unless their subscripts are different numbers."""
    seen: dict[str, Read] = {}
    for node in walk(expr):
        if not isinstance(node, Read):
            continue
        other = seen.setdefault(node.name, node)
        if other == node:
            continue
        differ = any(
            isinstance(a, Number) and isinstance(b, Number) and a != b
            for a, b in zip(node.subscripts, other.subscripts, strict=True)
        )
        if not differ:
            raise Unsound(f"two elements of {node.name} may be one")


class _Writer:
    def __init__(self, variables: tuple[Variable, ...]) -> None:
        self.variables = variables

    def real(self, expr: Expr) -> Any:
        match expr:
            case Number(value):
                return sympy.Rational(value.numerator, value.denominator)
            case Constant(name):
                return {Named.PI: sympy.pi, Named.E: sympy.E, Named.OO: sympy.oo}[name]
            case Read():
                return symbol(expr, self.variables)
            case Size(axis):
                return sympy.Symbol(axis, positive=True)
            case Call(op, args):
                write = _OPS.get(op)
                if write is None:
                    raise Unsound(f"{op} is not a function of real numbers")
                return write(*(self.real(a) for a in args))
            case Select(condition, then, otherwise) | Switch(
                condition, then, otherwise
            ):
                test = self.truth(condition)
                return _choice(test, self.real(then), self.real(otherwise))
            case Index():
                raise Unsound("an index is no real number")
            case Reduce() | Keep():
                raise Unsound("SymPy rewrites conditions in sums wrongly")
            case Use(name):
                raise Unsound(f"{name} is a definition: inline it first")
            case _:
                assert_never(expr)

    def truth(self, expr: Expr) -> Any:
        match expr:
            case Call(op, (left, right)) if op in _COMPARISONS:
                return _COMPARISONS[op](self.real(left), self.real(right))
            case Call("and", args):
                return sympy.And(*(self.truth(a) for a in args))
            case Call("or", args):
                return sympy.Or(*(self.truth(a) for a in args))
            case Call("not", (arg,)):
                return sympy.Not(self.truth(arg))
            case Read():
                return sympy.Symbol(expr.name)
            case Call(op):
                raise Unsound(f"{op} is not a function of real numbers")
            case _:
                raise Unsound("no condition")


def _choice(test: Any, then: Any, otherwise: Any) -> Any:
    # Evaluating would fold branches into one another.
    return sympy.Piecewise((then, test), (otherwise, True), evaluate=False)


def _power(base: Any, exponent: Any) -> Any:
    return sympy.Pow(base, exponent) if exponent.is_number else Power(base, exponent)


def _fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *args: reduce(function, args)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + sympy.exp(-x))


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": sympy.Eq,
    "ne": sympy.Ne,
    "lt": sympy.Lt,
    "le": sympy.Le,
    "gt": sympy.Gt,
    "ge": sympy.Ge,
}

_OPS: dict[str, Callable[..., Any]] = {
    "add": sympy.Add,
    "mul": sympy.Mul,
    "neg": lambda x: -x,
    "div": lambda x, y: x / y,
    "pow": _power,
    "mod": lambda x, y: x - y * Whole(x / y),
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "cbrt": lambda x: Sign(x) * Magnitude(x) ** sympy.Rational(1, 3),
    "abs": Magnitude,
    "sign": Sign,
    "square": lambda x: x**2,
    "floor": Whole,
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "atan2": sympy.atan2,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "erfinv": sympy.erfinv,
    "lgamma": sympy.loggamma,
    "gamma": sympy.gamma,
    "digamma": sympy.digamma,
    "polygamma": sympy.polygamma,
    "besseli": sympy.besseli,
    "sigmoid": _sigmoid,
    "logsigmoid": lambda x: -sympy.log(1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "log1p": lambda x: sympy.log(1 + x),
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1mexp": lambda x: sympy.log(1 - sympy.exp(-x)),
    "logaddexp": lambda x, y: sympy.log(sympy.exp(x) + sympy.exp(y)),
    "xlogy": TimesLog,
    "relu": lambda x: _choice(sympy.Gt(x, 0), x, sympy.Integer(0)),
    "max": _fold(Larger),
    "min": _fold(Smaller),
    "clip": lambda x, y, z: _choice(sympy.Lt(x, y), y, _choice(sympy.Gt(x, z), z, x)),
    "delta": lambda x, y: _choice(sympy.Eq(x, y), sympy.Integer(1), sympy.Integer(0)),
    "heaviside": Step,
    "detach": Detached,
}
"""Each op in functions of SymPy; what is missing has no real value."""
