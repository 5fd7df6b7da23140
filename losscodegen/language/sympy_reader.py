"""SymPy expressions as formulas and specs, by walking the tree: no text is ever evaluated.

What SymPy has already rewritten stays rewritten: ``0*log(x)`` arrives as 0, ``erfc(-y)`` as
``2 - erfc(y)``. Both are the same function, only worse to compute; the stabiliser sees them as they
are. One rewriting is undone, ``log(gamma(x))``, because it overflows for no reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy
from sympy.core.function import Application
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from losscodegen.errors import fail
from losscodegen.ir.build import ONE, OO, ZERO, call, neg, number
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
)
from losscodegen.ir.ops import OPS, SPELLINGS
from losscodegen.language.printer import format_expression
from losscodegen.language.sympy_functions import HALF, OPAQUE
from losscodegen.language.sympy_indices import find_indices
from losscodegen.language.sympy_symbols import CODE, domain_word, symbol_name


def from_sympy(expression: Any) -> str:
    """``expression`` as a formula of the spec language.

    Raises:
        LossCodegenError: for what the language has no word for.
    """
    return format_expression(expression_from_sympy(expression))


def expression_from_sympy(expression: Any) -> Expr:
    """``expression`` as a formula's tree; symbols are reads, their subscripts indices."""
    return Reader(expression).expression()


# ---------------------------------------------------------------- expressions


@dataclass
class Reader:
    """Walks one expression; ``indices`` are its indices and their axes."""

    whole: Any
    indices: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    _symbols: dict[str, Any] = field(default_factory=dict)
    _bound_somewhere: set[str] = field(default_factory=set)
    _bound_here: list[str] = field(default_factory=list)

    def expression(self) -> Expr:
        """The whole expression."""
        if not isinstance(self.whole, sympy.Basic):
            raise fail(CODE, f"not an expression of SymPy, got {self.whole!r}")
        if _depth(self.whole) > _DEEPEST:
            raise fail(CODE, f"the expression is nested more than {_DEEPEST} deep")
        self.indices, self._bound_somewhere = find_indices(self.whole)
        return self.read(self.whole)

    # ------------------------------------------------------------ numbers

    def read(self, node: Any) -> Expr:
        match node:
            case sympy.Symbol():
                return self._symbol(node)
            case sympy.Rational():
                return number(Fraction(int(node.p), int(node.q)))
            case sympy.Float():
                return _decimal(node)
            case sympy.Add():
                return self._sum(node)
            case sympy.Mul():
                return self._product(node)
            case sympy.Pow():
                return self._power(node.base, node.exp)
            case sympy.Indexed():
                return self._element(node)
            case sympy.Sum() | sympy.Product():
                return self._reduction(node)
            case sympy.Piecewise():
                return self._piecewise(node)
            case Application():
                return self._function(node)
            case _ if node in _CONSTANTS:
                return _CONSTANTS[node]
            case _ if isinstance(node, Relational):
                raise fail(CODE, f"a condition is no number, got {node}")
            case _:
                kind = type(node).__name__
                raise fail(CODE, f"the spec language has no {kind}, got {node}")

    def _symbol(self, node: Any) -> Expr:
        name = str(node.name)
        if name in self.indices and name not in self.names:
            if name in self._bound_somewhere and name not in self._bound_here:
                raise fail(
                    CODE,
                    f"index '{name}' is used outside of its sum",
                    hint="use another index there; a Piecewise in a sum that SymPy has pulled "
                    "apart has to be written as text",
                )
            return Index(name, self.indices[name])
        if name in self.indices.values():
            return Size(name)
        name = symbol_name(node)
        if self._symbols.setdefault(name, node) != node:
            raise fail(
                CODE,
                f"two different symbols are called '{name}'",
                hint="symbols with different assumptions differ: make the symbol once",
            )
        domain_word(node)
        self.names.add(name)
        return Read(name)

    def _sum(self, node: Any) -> Expr:
        ordered = node.as_ordered_terms()
        # A sum reads better when it does not begin with a minus sign.
        ordered.sort(key=lambda t: bool(t.could_extract_minus_sign()))
        terms = [self.read(t) for t in ordered]
        return Call("add", tuple(_minus(t) if k else t for k, t in enumerate(terms)))

    def _product(self, node: Any) -> Expr:
        coefficient = Fraction(1)
        above: list[Expr] = []
        below: list[Expr] = []
        for factor in node.as_ordered_factors():
            if isinstance(factor, sympy.Rational):
                coefficient *= Fraction(int(factor.p), int(factor.q))
            elif (
                isinstance(factor, sympy.Pow) and factor.exp.could_extract_minus_sign()
            ):
                below.append(self._power(factor.base, -factor.exp))
            else:
                above.append(self.read(factor))
        size = abs(coefficient)
        if size.numerator != 1 or not above:
            above.insert(0, number(size.numerator))
        if size.denominator != 1:
            below.insert(0, number(size.denominator))
        result = _times(above)
        if below:
            result = call("div", result, _times(below))
        return neg(result) if coefficient < 0 else result

    def _power(self, base: Any, exponent: Any) -> Expr:
        if exponent.could_extract_minus_sign():
            return call("div", ONE, self._power(base, -exponent))
        if base == sympy.E:
            return call("exp", self.read(exponent))
        if exponent == 1:
            return self.read(base)
        if exponent == HALF:
            return call("sqrt", self.read(base))
        return call("pow", self.read(base), self.read(exponent))

    # ------------------------------------------------------------ tensors

    def _element(self, node: Any) -> Expr:
        name = symbol_name(node.base)
        self.names.add(name)
        return Read(name, tuple(self._subscript(i) for i in node.indices))

    def _subscript(self, node: Any) -> Expr:
        if isinstance(node, sympy.Idx):
            node = node.label
        return self.read(node)

    def _reduction(self, node: Any) -> Expr:
        names = [str(limit[0]) for limit in node.limits]
        self._bound_here += names
        body = self.read(node.function)
        del self._bound_here[len(self._bound_here) - len(names) :]
        kind = Reduction.SUM if isinstance(node, sympy.Sum) else Reduction.PROD
        indices = tuple(Index(n, self.indices[n]) for n in names)
        return Reduce(kind, body, indices)

    # ------------------------------------------------------------ functions

    def _function(self, node: Any) -> Expr:
        name = type(node).__name__
        if isinstance(node, sympy.log) and isinstance(node.args[0], sympy.gamma):
            return call("lgamma", self.read(node.args[0].args[0]))
        own = next((c.op for c in OPAQUE if isinstance(node, c)), None)
        if own is not None:
            return call(own, *map(self.read, node.args))
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, *node.args)
        row = SPELLINGS.get(name) or OPS.get(name.lower())
        if row is None or row.sort is not row.args:
            raise fail(
                CODE,
                f"the spec language has no function '{name}'",
                hint="losscodegen functions lists what there is",
            )
        least, most = row.arity
        if len(node.args) < least or (most is not None and len(node.args) > most):
            raise fail(CODE, f"'{name}' with {len(node.args)} arguments, got {node}")
        return call(row.name, *map(self.read, node.args))

    def _piecewise(self, node: Any) -> Expr:
        *branches, (last, otherwise) = node.args
        if otherwise is not sympy.true:
            raise fail(
                CODE,
                "a Piecewise without a last branch for all other values",
                hint="end it with (value, True)",
            )
        result = self.read(last)
        for value, condition in reversed(branches):
            result = Select(self.truth(condition), self.read(value), result)
        return result

    def truth(self, node: Any) -> Expr:
        match node:
            case BooleanTrue() | BooleanFalse():
                raise fail(CODE, f"a condition that is always {node}")
            case sympy.And() | sympy.Or():
                op = "and" if isinstance(node, sympy.And) else "or"
                parts = sorted(node.args, key=sympy.default_sort_key)
                return Call(op, tuple(self.truth(a) for a in parts))
            case sympy.Not():
                return call("not", self.truth(node.args[0]))
            case sympy.Symbol():
                return self._symbol(node)
        for relation, op in _RELATIONS.items():
            if isinstance(node, relation):
                left, right = node.lhs, node.rhs
                if left.is_Atom and not right.is_Atom:
                    # SymPy puts the symbol first: `delta >= Abs(x)`.
                    left, right, op = right, left, _MIRRORED[op]
                return call(op, self.read(left), self.read(right))
        raise fail(CODE, f"the spec language has no condition like {node}")


_CONSTANTS: dict[Any, Expr] = {
    sympy.pi: Constant(Named.PI),
    sympy.E: Constant(Named.E),
    sympy.oo: OO,
    -sympy.oo: neg(OO),
}

_RELATIONS = {
    sympy.Eq: "eq",
    sympy.Ne: "ne",
    sympy.Lt: "lt",
    sympy.Le: "le",
    sympy.Gt: "gt",
    sympy.Ge: "ge",
}


_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


_DEEPEST = 100
"""A formula nested deeper could not be read back."""


def _depth(node: Any) -> int:
    deepest = 0
    pending = [(node, 1)]
    while pending:
        current, depth = pending.pop()
        deepest = max(deepest, depth)
        pending += [(child, depth + 1) for child in current.args]
    return deepest


def _decimal(node: Any) -> Number:
    text = str(node)
    if "." in text and "e" not in text:
        text = text.rstrip("0")
        text += "0" if text.endswith(".") else ""
    return Number(Fraction(text), text)


def _minus(term: Expr) -> Expr:
    """A negative number as the later term of a sum."""
    if isinstance(term, Number) and term.value < 0:
        return neg(number(-term.value))
    return term


def _times(factors: list[Expr]) -> Expr:
    return factors[0] if len(factors) == 1 else Call("mul", tuple(factors))


def _heaviside(reader: Reader, x: Any, at_zero: Any = HALF) -> Expr:
    if at_zero == HALF:
        return call("heaviside", reader.read(x))
    arg = reader.read(x)
    inner = Select(call("eq", arg, ZERO), reader.read(at_zero), ZERO)
    return Select(call("gt", arg, ZERO), ONE, inner)


def _polygamma(reader: Reader, order: Any, x: Any) -> Expr:
    if order == 0:
        return call("digamma", reader.read(x))
    return call("polygamma", reader.read(order), reader.read(x))


def _reciprocal(op: str) -> Callable[[Reader, Any], Expr]:
    return lambda reader, x: call("div", ONE, call(op, reader.read(x)))


_SPECIAL: dict[str, Callable[..., Expr]] = {
    "Heaviside": _heaviside,
    "polygamma": _polygamma,
    "ceiling": lambda reader, x: neg(call("floor", neg(reader.read(x)))),
    "cot": _reciprocal("tan"),
    "sec": _reciprocal("cos"),
    "csc": _reciprocal("sin"),
    "coth": _reciprocal("tanh"),
    "sech": _reciprocal("cosh"),
    "csch": _reciprocal("sinh"),
    "KroneckerDelta": lambda reader, i, j, *_: call(
        "delta", reader.read(i), reader.read(j)
    ),
}
"""Functions of SymPy that are not one op with the same arguments."""
