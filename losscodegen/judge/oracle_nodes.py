"""The nodes of a tape as functions: what computes them, what differentiates them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from losscodegen.ir.nodes import Named
from losscodegen.judge import oracle_conditions as conditions
from losscodegen.judge.oracle_arithmetic import hull, order
from losscodegen.judge.oracle_graph import CONDITIONS, Node
from losscodegen.judge.oracle_kinks import Partials, Tie, Wanted
from losscodegen.judge.oracle_numbers import (
    INFINITY,
    ONE,
    UNDEFINED,
    Value,
    as_integer,
    finite,
)
from losscodegen.judge.oracle_partials import BINARY, NARY, UNARY

Register = Any
"""A `Value`, or the code of a condition."""

STEPS = frozenset({"select", "sign", "heaviside", "floor", "mod", "delta", "atan2"})
"""Ops whose value can jump."""


class Step(NamedTuple):
    """A node to be computed; with arity 0 the arguments are passed as one list."""

    place: int
    function: Callable[..., Any]
    args: tuple[int, ...]
    arity: int


class Rule(NamedTuple):
    """A node to be differentiated."""

    place: int
    args: tuple[int, ...]
    function: Callable[..., Any]
    wanted: Wanted
    unary: bool


def fixed(node: Node) -> Register:
    """The value of a node that needs no computing; leaves are filled in later."""
    if node.op == "number":
        return node.data
    if node.op == "constant" and node.data is Named.OO:
        return INFINITY
    if node.op == "known":
        return conditions.YES if node.data else conditions.NO
    return UNDEFINED


def step(place: int, node: Node, nodes: Sequence[Node]) -> Step:
    """What computes the node."""
    args = node.args
    match node.op:
        case "select":
            return Step(place, _select, args, 0)
        case "flag_at":
            return Step(place, _flag_at, args, 0)
        case "same":
            compare = conditions.comparison(str(node.data), sensitive=False)
            return Step(place, compare, args, 2)
        case "and":
            return Step(place, conditions.conjunction, args, 0)
        case "or":
            return Step(place, conditions.disjunction, args, 0)
        case "not":
            return Step(place, conditions.negation, args, 1)
        case "isnan":
            return Step(place, conditions.is_nan, args, 1)
        case "isfinite":
            return Step(place, conditions.is_finite, args, 1)
    if node.op in CONDITIONS:
        sensitive = any(nodes[a].active for a in args)
        return Step(place, conditions.comparison(node.op, sensitive), args, 2)
    if node.op in UNARY:
        return Step(place, UNARY[node.op][0], args, 1)
    if len(args) == 2 and node.op in BINARY:
        return Step(place, BINARY[node.op][0], args, 2)
    return Step(place, NARY[node.op][0], args, 0)


def rule(place: int, node: Node, nodes: Sequence[Node]) -> Rule:
    """What differentiates the node."""
    wanted = tuple(nodes[a].active for a in node.args)
    function: Callable[..., object]
    if node.op == "select":
        function = _select_computed if nodes[node.args[0]].computed else _select_exact
    elif node.op in UNARY:
        return Rule(place, node.args, UNARY[node.op][1], wanted, True)
    elif len(node.args) == 2 and node.op in BINARY:
        function = BINARY[node.op][1]
    else:
        function = NARY[node.op][1]
    return Rule(place, node.args, function, wanted, False)


def differentiated(entry: Rule, registers: Sequence[Register]) -> Partials | Tie:
    """The partial derivatives of a node, one per argument."""
    if entry.unary:
        return _one(entry.function(registers[entry.args[0]], registers[entry.place]))
    return partials_at(
        entry, [registers[k] for k in entry.args], registers[entry.place]
    )


def partials_at(
    entry: Rule, operands: list[Register], value: Register
) -> Partials | Tie:
    """The partial derivatives of a node where its arguments are ``operands``."""
    if entry.unary:
        return _one(entry.function(operands[0], value))
    partials: Partials | Tie = entry.function(operands, value, entry.wanted)
    return partials


def _one(found: Value | Tie | None) -> Partials | Tie:
    return found if isinstance(found, Tie) else (found,)


def _flag_at(args: list[Register]) -> int:
    place = as_integer(args[-1])
    inside = place is not None and 0 <= place < len(args) - 1
    return int(args[place]) if inside and place is not None else conditions.NO


def _select(args: list[Register]) -> Value:
    condition, then, otherwise = args
    found = conditions.written(condition)
    if found is None:
        return hull([then, otherwise])
    chosen: Value = then if found else otherwise
    return chosen


def _select_exact(args: list[Register], _: Value, __: Wanted) -> Partials | Tie:
    return _select_partials(args, computed=False)


def _select_computed(args: list[Register], _: Value, __: Wanted) -> Partials | Tie:
    return _select_partials(args, computed=True)


def _select_partials(args: list[Register], *, computed: bool) -> Partials | Tie:
    """The branch taken; at a tie of equal branches either, at one of different branches a jump."""
    condition, then, otherwise = args
    found = conditions.written(condition)
    taken = _THEN if found is not False else _OTHERWISE
    if condition in (conditions.NO, conditions.YES):
        return taken
    both = (_THEN, _OTHERWISE)
    if found is None:
        return Tie(taken, both, settled=False)
    gap = order(then, otherwise)
    if gap == 0:
        return Tie(taken, both)
    if gap is None:
        if finite(then) and finite(otherwise):
            return Tie(taken, both, settled=False)
        return Tie(taken, (), removable=True)
    return Tie(taken, (), jump=True) if computed else taken


_THEN: Partials = (None, ONE, None)
_OTHERWISE: Partials = (None, None, ONE)
