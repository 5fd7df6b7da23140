"""Rows of the rule table as losses: what tests and explanations evaluate."""

from __future__ import annotations

import math
from fractions import Fraction

from losscodegen.compiler.intervals import read_range
from losscodegen.compiler.rule import Refuted, Rule
from losscodegen.ir.loss import Domain, DomainKind, Interval, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Expr, Index, Keep, Read, Reduce
from losscodegen.ir.walk import transform, walk
from losscodegen.language.formula import parse_formula


def row_loss(row: Rule | Refuted, expression: Expr) -> Loss:
    """A loss whose formula is ``expression``, and whose inputs are the names in it.

    They have the domains that ``row`` states; names that stand for places are indices of the axis
    ``I``, orders of a norm and what the row wants ``steady`` are parameters.
    """
    subscripts = {s.name for n in walk(expression) for s in _subscripts(n)}
    orders = {
        n.order.name
        for n in walk(expression)
        if isinstance(n, Reduce) and isinstance(n.order, Read)
    }
    if isinstance(row, Rule):
        orders |= set(row.steady)
    domains = dict(row.domain) if isinstance(row, Rule) else {}
    inputs: dict[str, Variable] = {}
    for node in walk(expression):
        if isinstance(node, Read) and node.name not in inputs:
            axes = tuple(s.axis for s in node.subscripts if isinstance(s, Index))
            if node.subscripts and not axes:
                axes = ("I",)
            domain = Domain(
                kind=DomainKind.REAL, interval=_interval(domains.get(node.name))
            )
            if node.name in subscripts:
                domain = Domain(kind=DomainKind.INDEX, axis="I")
            inputs[node.name] = Variable(
                name=node.name,
                arg=node.name,
                role=Role.PARAMETER if node.name in orders else Role.INPUT,
                domain=domain,
                axes=() if node.name in orders else axes or ("...",),
            )
    return Loss(
        name="Instance",
        function="instance",
        module="instance",
        expression=expression,
        inputs=tuple(v for v in inputs.values() if v.role is Role.INPUT),
        parameters=tuple(v for v in inputs.values() if v.role is Role.PARAMETER),
        batch=0 if any(v.axes == ("...",) for v in inputs.values()) else None,
    )


def in_context(row: Rule | Refuted, side: Expr) -> Expr:
    """``side``, a side of ``row``, where its witness shows the fault."""
    instead = {n: parse_formula(t) for n, t in row.witness.instead.items()}
    filled = transform(
        side, lambda e: instead.get(e.name, e) if isinstance(e, Read) else e
    )
    around = parse_formula(row.witness.within)
    return transform(around, lambda e: filled if e == Read("x") else e)


def _subscripts(node: Expr) -> list[Read]:
    """The names that stand for positions along an axis."""
    match node:
        case Read(_, places) | Call("delta", places):
            return [p for p in places if isinstance(p, Read)]
        case Keep(_, _, _, Read() as place):
            return [place]
        case _:
            return []


def _interval(text: str | None) -> Interval | None:
    if text is None:
        return None
    found = read_range(text)
    return Interval(
        low=None if math.isinf(found.low) else Fraction(found.low),
        high=None if math.isinf(found.high) else Fraction(found.high),
        low_open=found.low_open,
        high_open=found.high_open,
    )
