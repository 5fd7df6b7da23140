"""Choices between scalar parameters that an outer choice has made already."""

from __future__ import annotations

from collections.abc import Mapping

from losscodegen.compiler.ranges import opposite
from losscodegen.ir.nodes import Call, Expr, Number, Switch
from losscodegen.ir.walk import children, rebuild, walk

Facts = Mapping[Expr, bool]
"""Conditions on parameters, and whether they hold at a place."""


def decided(expr: Expr) -> Expr:
    """``expr`` with every switch replaced by the side that the switches around it leave."""
    if not any(isinstance(node, Switch) for node in walk(expr)):
        return expr
    return _decided(expr, {}, {})


def _decided(
    expr: Expr, facts: Facts, done: dict[tuple[Expr, frozenset[Expr]], Expr]
) -> Expr:
    if not children(expr):
        return expr
    name = (expr, frozenset(c if holds else opposite(c) for c, holds in facts.items()))
    if name not in done:
        done[name] = _visited(expr, facts, done)
    return done[name]


def _visited(
    expr: Expr, facts: Facts, done: dict[tuple[Expr, frozenset[Expr]], Expr]
) -> Expr:
    if isinstance(expr, Switch):
        holds = _holds(expr.condition, facts)
        if holds is not None:
            return _decided(expr.then if holds else expr.otherwise, facts, done)
        yes = {**facts, expr.condition: True}
        no = {**facts, expr.condition: False}
        then = _decided(expr.then, yes, done)
        return rebuild(expr, (expr.condition, then, _decided(expr.otherwise, no, done)))
    return rebuild(expr, tuple(_decided(c, facts, done) for c in children(expr)))


def _holds(condition: Expr, facts: Facts) -> bool | None:
    """Whether ``condition`` is known to hold, or to fail."""
    for known, holds in facts.items():
        if condition == known:
            return holds
        if condition == opposite(known):
            return not holds
        if holds and _excluded(condition, known):
            return False
    return None


def _excluded(condition: Expr, known: Expr) -> bool:
    """Whether a parameter that is one word is asked to be another."""
    match condition, known:
        case Call("eq", (left, Number() as word)), Call(
            "eq", (same, Number() as other)
        ):
            return left == same and word.value != other.value
        case _:
            return False
