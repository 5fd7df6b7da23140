"""Signs as one writes them: ``x < -40`` for ``-x > 40``, ``a + b`` for ``a - -b``."""

from __future__ import annotations

from losscodegen.compiler.canonical import decimal, factors, from_factors
from losscodegen.ir.build import number
from losscodegen.ir.nodes import Call, Expr, Number, Read
from losscodegen.ir.walk import children, transform, walk

_SWAPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def signed(expr: Expr) -> Expr:
    """``expr`` with no sign that another one undoes, and none on what is compared with a number.

    Its value is the same to the last bit, for a change of sign rounds nothing.
    """
    compared = {c for n in walk(expr) if (c := _negative(n)) is not None}
    if compared:  # what has its sign anyway keeps it, so that it is computed once
        used = (c for n in walk(expr) if _negative(n) is None for c in children(n))
        compared.difference_update(used)

    def visit(node: Expr) -> Expr:
        match node:
            case Call("neg", (Call("mul" | "div" | "neg") as inner,)):
                product = factors(inner)
                if product.coefficient >= 0 or not product.factors:
                    return node
                return from_factors(-product.coefficient, product.factors)
            case Call("mul", args) if any(map(_negated, args)):
                product = factors(node)
                new = from_factors(product.coefficient, product.factors)
                return new if product.coefficient == -1 else node
            case Call(op, (left, Number(value) as right)) if op in _SWAPPED:
                opposite = _opposite(left)
                plain = isinstance(opposite, Read) or left in compared
                if opposite is None or not plain:
                    return node
                bound = right if value == 0 else number(-value, decimal(-value))
                return Call(_SWAPPED[op], (opposite, bound), origin=node.origin)
            case _:
                return node

    return transform(expr, visit)


def _negated(expr: Expr) -> bool:
    match expr:
        case Call("mul", (Number(value), *_)) | Number(value):
            return value == -1
        case _:
            return False


def _negative(expr: Expr) -> Expr | None:
    """What has a sign and is compared with a number, if that is what ``expr`` does."""
    match expr:
        case Call(op, (left, Number())) if op in _SWAPPED and _opposite(left):
            return left
        case _:
            return None


def _opposite(expr: Expr) -> Expr | None:
    """What ``expr`` is the negative of."""
    match expr:
        case Call("neg", (inner,)):
            return inner
        case Call("div", (Call("neg", (top,)), bottom)):
            return Call("div", (top, bottom), origin=expr.origin)
        case _:
            return None
