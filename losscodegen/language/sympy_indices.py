"""The indices of a SymPy expression, and the axes they run over."""

from __future__ import annotations

from typing import Any

import sympy

from losscodegen.errors import fail
from losscodegen.language.sympy_symbols import CODE


def find_indices(expression: Any) -> tuple[dict[str, str], set[str]]:
    """The axis of each index, and the indices that some sum binds.

    An index of a sum over ``(c, 0, C - 1)`` runs over C. For one that is only a subscript the shape
    of the tensor tells; without one, index b runs over axis B.
    """
    axes: dict[str, str] = {}
    nodes = list(sympy.preorder_traversal(expression))
    for node in nodes:
        if isinstance(node, sympy.Sum | sympy.Product):
            for limit in node.limits:
                index, axis = _range(limit)
                if axes.setdefault(index, axis) != axis:
                    raise fail(CODE, f"index '{index}' runs over two axes")
    bound = set(axes)
    for node in nodes:
        if isinstance(node, sympy.Indexed):
            for position, subscript in enumerate(node.indices):
                for found in _selecting(subscript):
                    axes.setdefault(str(found), _axis(node, position, found))
    return axes, bound


def _range(limit: Any) -> tuple[str, str]:
    """A range ``(c, 0, C - 1)``: an index and the axis it runs over."""
    size = limit[2] + 1 if len(limit) == 3 else None
    if size is None or limit[1] != 0 or not isinstance(size, sympy.Symbol):
        raise fail(
            CODE,
            f"a sum runs over a whole axis, got {tuple(limit)}",
            hint="write it as (c, 0, C - 1) with a symbol C for the size",
        )
    return str(limit[0]), str(size)


def _selecting(subscript: Any) -> list[Any]:
    """The indices of a subscript, not those inside a look-up there."""
    looked_up = {
        s for inner in subscript.atoms(sympy.Indexed) for s in inner.free_symbols
    }
    found = subscript.free_symbols - looked_up
    return sorted(
        (s for s in found if isinstance(s, sympy.Symbol | sympy.Idx)), key=str
    )


def _axis(node: Any, position: int, index: Any) -> str:
    shape = node.base.shape
    own = shape[position] if shape else None
    return str(own) if isinstance(own, sympy.Symbol) else str(index).upper()
