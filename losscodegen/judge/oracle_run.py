"""Running a tape: values forwards, adjoints backwards, hulls at kinks, limits at singular points."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import fmpq

from losscodegen.ir.nodes import Named
from losscodegen.judge import oracle_conditions as conditions
from losscodegen.judge import oracle_functions as functions
from losscodegen.judge.oracle_numbers import (
    INFINITY,
    MINUS_ONE,
    ONE,
    UNDEFINED,
    ZERO,
    Value,
    add,
    as_integer,
    finite,
    hull,
    multiply,
    negate,
    order,
)
from losscodegen.judge.oracle_partials import BINARY, NARY, UNARY, Partials, Tie, Wanted
from losscodegen.judge.oracle_tape import CONDITIONS, Node, Tape

Register = Any
"""A `Value`, or the code of a condition."""

MOST_CHOICES = 64
"""Combinations of tied choices that are tried one by one; beyond, their partials are intervals."""


@dataclass(slots=True)
class Sweep:
    """One pass backwards: adjoints by place, and the ties that were met."""

    adjoints: list[Value | None]
    ties: dict[int, Tie]


@dataclass(slots=True)
class Machine:
    """A tape made ready to run."""

    tape: Tape
    forward: list[tuple[int, Callable[..., Register], int | tuple[int, ...], int]] = field(
        default_factory=list
    )
    backward: list[tuple[int, tuple[int, ...], Callable[..., Any], Wanted | None]] = field(
        default_factory=list
    )
    fixed: list[Register] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        nodes = self.tape.nodes
        self.fixed = [_fixed(node) for node in nodes]
        for place, node in enumerate(nodes):
            if node.args:
                function, unary = _function(node, nodes)
                if unary:
                    self.forward.append((place, function, node.args[0], -1))
                elif len(node.args) == 2 and (node.op in BINARY or node.op in _PAIRED):
                    self.forward.append((place, function, *node.args))
                else:
                    self.forward.append((place, function, node.args, -2))
            if node.active and node.args:
                wanted = tuple(nodes[a].active for a in node.args)
                if node.op in UNARY:
                    self.backward.append((place, node.args, UNARY[node.op][1], None))
                else:
                    rule = _rule(node, nodes)
                    self.backward.append((place, node.args, rule, wanted))
            if node.op in _STEPS and self._uncertain(node):
                self.steps.append(place)
        self.backward.reverse()

    def _uncertain(self, node: Node) -> bool:
        """Whether rounding could put the node on the other side of its step."""
        nodes = self.tape.nodes
        if node.op == "select":
            return nodes[node.args[0]].computed
        return any(
            nodes[a].active and nodes[a].op not in ("leaf", "number") for a in node.args
        )

    def run(
        self, entries: Mapping[int, Register], *, unify: bool = False
    ) -> list[Register]:
        """All values, from those of the leaves.

        With ``unify`` equal rationals are the same object, and so is the same function of the same
        numbers, wherever on the tape it stands. ``r*a`` and ``clip(r, 0, 2)*a`` are then seen to be
        equal where r is not clipped, as are ``sqrt(p)`` and ``sqrt(q)`` where p = q, which no
        precision shows of irrational numbers.
        """
        registers = list(self.fixed)
        for place, name in self.tape.constants:
            registers[place] = functions.pi() if name is Named.PI else functions.e()
        for place, entry in entries.items():
            registers[place] = entry
        if unify:
            return self._unified(registers)
        for place, function, left, right in self.forward:
            if right >= 0:
                registers[place] = function(registers[left], registers[right])
            elif right == -1:
                registers[place] = function(registers[left])
            else:
                registers[place] = function([registers[k] for k in left])
        return registers

    def _unified(self, registers: list[Register]) -> list[Register]:
        numbers: dict[fmpq, fmpq] = {}
        results: dict[tuple[object, ...], Register] = {}
        for place, register in enumerate(registers):
            if type(register) is fmpq:
                registers[place] = numbers.setdefault(register, register)
        for place, function, left, right in self.forward:
            if right >= 0:
                operands = registers[left], registers[right]
            elif right == -1:
                operands = (registers[left],)
            else:
                operands = tuple(registers[k] for k in left)
            key = (function, *map(id, operands))
            if key in results:
                registers[place] = results[key]
                continue
            result = function(operands) if right == -2 else function(*operands)
            if type(result) is fmpq:
                result = numbers.setdefault(result, result)
            results[key] = registers[place] = result
        return registers

    def sweep(
        self,
        registers: Sequence[Register],
        *,
        settle: bool = False,
        chosen: Mapping[int, Partials] | None = None,
    ) -> Sweep:
        """The gradient of the sum of all outputs.

        Where it is not known whether there is a kink the partials are intervals over what is
        possible; with ``settle`` it counts as one. ``chosen`` overrides the partials of ties.
        """
        adjoints: list[Value | None] = [None] * len(self.fixed)
        ties: dict[int, Tie] = {}
        for place in self.tape.outputs:
            seed = UNDEFINED if registers[place] is UNDEFINED else ONE
            before = adjoints[place]
            adjoints[place] = seed if before is None else add(before, seed)
        for place, args, rule, wanted in self.backward:
            adjoint = adjoints[place]
            if adjoint is None:
                continue
            if wanted is None:
                partial = rule(registers[args[0]], registers[place])
                partials = partial if type(partial) is Tie else (partial,)
            else:
                partials = rule([registers[k] for k in args], registers[place], wanted)
            if type(partials) is Tie:
                if partials.alternatives:
                    ties[place] = partials
                if chosen is not None and place in chosen:
                    partials = chosen[place]
                elif partials.settled or settle:
                    partials = partials.convention
                else:
                    partials = interval(partials)
            self._spread(adjoints, adjoint, args, partials, wanted)
        return Sweep(adjoints, ties)

    @staticmethod
    def _spread(
        adjoints: list[Value | None],
        adjoint: Value,
        args: tuple[int, ...],
        partials: Partials,
        wanted: Wanted | None,
    ) -> None:
        for k, partial in enumerate(partials):
            if partial is None or (wanted is not None and not wanted[k]):
                continue
            if partial is ONE:
                share = adjoint
            elif partial is MINUS_ONE:
                share = negate(adjoint)
            else:
                share = multiply(adjoint, partial)
            place = args[k]
            before = adjoints[place]
            adjoints[place] = share if before is None else add(before, share)

    # -------------------------------------------------------------------------------- kinks

    def reachable_ties(self, registers: Sequence[Register]) -> dict[int, Tie]:
        """The ties that any choice may lead to, also those behind a derivative of 0."""
        reached = set(self.tape.outputs)
        ties: dict[int, Tie] = {}
        for place, args, rule, wanted in self.backward:
            if place not in reached:
                continue
            if wanted is None:
                found = rule(registers[args[0]], registers[place])
                partials = [(found,)]
            else:
                found = rule([registers[k] for k in args], registers[place], wanted)
                partials = [found]
            if type(found) is Tie:
                ties[place] = found
                partials = [found.convention, *found.alternatives]
            for alternative in partials:
                reached.update(
                    a for a, p in zip(args, alternative, strict=True) if p is not None
                )
        return ties

    def alternatives(
        self, registers: Sequence[Register], ties: Mapping[int, Tie]
    ) -> list[list[Value | None]]:
        """The adjoints of every combination of choices, or their hull if those are too many."""
        open_ = {place: tie for place, tie in ties.items() if tie.alternatives}
        count = 1
        for tie in open_.values():
            count *= len(tie.alternatives)
            if count > MOST_CHOICES:
                chosen = {place: interval(tie) for place, tie in open_.items()}
                return [self.sweep(registers, settle=True, chosen=chosen).adjoints]
        combinations = itertools.product(*(tie.alternatives for tie in open_.values()))
        return [
            self.sweep(
                registers, settle=True, chosen=dict(zip(open_, choice, strict=True))
            ).adjoints
            for choice in combinations
        ]

    def jumps(self, registers: Sequence[Register]) -> list[int]:
        """The places whose value jumps here, where rounding may decide on which side it is."""
        found = []
        for place in self.steps:
            node = self.tape.nodes[place]
            if node.op == "select" and registers[node.args[0]] in _SAFE:
                continue
            if node.op in UNARY:
                partials = UNARY[node.op][1](registers[node.args[0]], registers[place])
            else:
                rule = _rule(node, self.tape.nodes)
                args = [registers[k] for k in node.args]
                partials = rule(args, registers[place], (True,) * len(args))
            if type(partials) is Tie and partials.jump:
                found.append(place)
        return found

    def downstream(self, sources: Sequence[int]) -> set[int]:
        """All places whose values use one of ``sources``, themselves included."""
        found = set(sources)
        for place, node in enumerate(self.tape.nodes):
            if not found.isdisjoint(node.args):
                found.add(place)
        return found

    def upstream(self, sources: Sequence[int]) -> set[int]:
        """All places that ``sources`` use, themselves included."""
        found = set(sources)
        for place in range(max(found, default=-1), -1, -1):
            if place in found:
                found.update(self.tape.nodes[place].args)
        return found


def interval(tie: Tie) -> Partials:
    """Each partial as an interval over all alternatives."""
    options = (tie.convention, *tie.alternatives)
    mixed: list[Value | None] = []
    for column in zip(*options, strict=True):
        if all(p is None for p in column):
            mixed.append(None)
        else:
            mixed.append(hull([ZERO if p is None else p for p in column]))
    return mixed


# ------------------------------------------------------------------------------ nodes as functions

_PAIRED = CONDITIONS - {"and", "or", "not", "isnan", "isfinite"} | {"same"}


_STEPS = frozenset({"select", "sign", "heaviside", "floor", "mod", "delta", "atan2"})
_SAFE = (conditions.NO, conditions.YES)


def _fixed(node: Node) -> Register:
    if node.op == "number":
        return node.data
    if node.op == "constant" and node.data is Named.OO:
        return INFINITY
    if node.op == "known":
        return conditions.YES if node.data else conditions.NO
    return UNDEFINED


def _function(
    node: Node, nodes: Sequence[Node]
) -> tuple[Callable[..., Register], bool]:
    """What computes the node, and whether it takes one argument."""
    match node.op:
        case "select":
            return _select, False
        case "flag_at":
            return _flag_at, False
        case "same":
            return conditions.comparison(str(node.data), sensitive=False), False
        case "and":
            return conditions.conjunction, False
        case "or":
            return conditions.disjunction, False
        case "not":
            return conditions.negation, True
        case "isnan":
            return conditions.is_nan, True
        case "isfinite":
            return conditions.is_finite, True
    if node.op in CONDITIONS:
        sensitive = any(nodes[a].active for a in node.args)
        return conditions.comparison(node.op, sensitive), False
    if node.op in UNARY:
        return UNARY[node.op][0], True
    if len(node.args) == 2 and node.op in BINARY:
        return BINARY[node.op][0], False
    return NARY[node.op][0], False


def _rule(node: Node, nodes: Sequence[Node]) -> Callable[..., Partials | Tie]:
    if node.op == "select":
        return _select_computed if nodes[node.args[0]].computed else _select_exact
    if len(node.args) == 2 and node.op in BINARY:
        return BINARY[node.op][1]
    return NARY[node.op][1]


def _flag_at(args: list[Register]) -> int:
    place = as_integer(args[-1])
    inside = place is not None and 0 <= place < len(args) - 1
    return int(args[place]) if inside and place is not None else conditions.NO


def _select(args: list[Register]) -> Value:
    condition, then, otherwise = args
    found = conditions.written(condition)
    if found is None:
        return hull([then, otherwise])
    return then if found else otherwise


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
    if then is UNDEFINED or otherwise is UNDEFINED:
        return taken
    gap = order(then, otherwise)
    if gap == 0:
        return Tie(taken, both)
    if gap is None and finite(then) and finite(otherwise):
        return Tie(taken, both, settled=False)
    return Tie(taken, (), jump=True) if computed else taken


_THEN: Partials = (None, ONE, None)
_OTHERWISE: Partials = (None, None, ONE)
