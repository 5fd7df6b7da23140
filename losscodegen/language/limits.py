"""How large a formula becomes when its definitions are written out.

Every later stage works on expressions without definitions, and a few lines that each use the one
above twice double with every line.
"""

from __future__ import annotations

from dataclasses import dataclass

from losscodegen.ir.nodes import Expr, Use
from losscodegen.ir.walk import children
from losscodegen.language.scope import Scope

MAX_NODES = 20_000
MAX_DEPTH = 150


@dataclass(frozen=True, slots=True)
class Extent:
    """Bounds for the number of nodes of an expression, and for how deeply they are nested."""

    nodes: int
    depth: int

    @property
    def excessive(self) -> bool:
        return self.nodes > MAX_NODES or self.depth > MAX_DEPTH


def expanded(expr: Expr, scope: Scope) -> Extent:
    """A bound for ``expr`` without definitions."""
    known: dict[str, Extent] = {}
    for name, definition in scope.definitions.items():
        # Each definition sees only those before it, so these are known already.
        known[name] = _extent(definition.body, known)
    return _extent(expr, known)


def _extent(expr: Expr, known: dict[str, Extent]) -> Extent:
    parts = [_extent(child, known) for child in children(expr)]
    nodes = sum(part.nodes for part in parts)
    depth = max((part.depth for part in parts), default=0)
    if isinstance(expr, Use) and expr.name in known:
        body = known[expr.name]
        # Each subscript replaces an index wherever that stands in the body.
        growth = 1 + sum(part.nodes - 1 for part in parts)
        return Extent(body.nodes * growth, body.depth + depth)
    return Extent(nodes + 1, depth + 1)
