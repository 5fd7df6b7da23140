"""Running a tape: values forwards, adjoints backwards, all choices at a kink."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flint import fmpq

from losscodegen.ir.nodes import Named
from losscodegen.judge.oracle_arithmetic import add, hull, multiply, negate
from losscodegen.judge.oracle_functions import e, pi
from losscodegen.judge.oracle_graph import Node
from losscodegen.judge.oracle_kinks import Partials, Tie, Wanted
from losscodegen.judge.oracle_nodes import (
    STEPS,
    Register,
    Rule,
    Step,
    differentiated,
    fixed,
    partials_at,
    rule,
    step,
)
from losscodegen.judge.oracle_numbers import MINUS_ONE, ONE, UNDEFINED, ZERO, Value
from losscodegen.judge.oracle_tape import Tape

Change = Callable[[list[Register]], list[Register]]
"""Other arguments for a node, made of those that it has."""

MOST_CHOICES = 64
"""Combinations of tied choices that are tried one by one; beyond, their partials are intervals."""


@dataclass(slots=True)
class Sweep:
    """One pass backwards: adjoints by place, and the ties that were met."""

    adjoints: list[Value | None]
    ties: dict[int, Tie]


@dataclass(frozen=True, slots=True)
class Cone:
    """What of a tape uses one leaf: the steps forwards, the rules backwards."""

    forward: Sequence[Step]
    backward: Sequence[Rule]


class Machine:
    """A tape made ready to run."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        nodes = tape.nodes
        self.fixed = [fixed(node) for node in nodes]
        self.cones: dict[int, Cone] = {}
        self.forward = [
            step(place, node, nodes) for place, node in enumerate(nodes) if node.args
        ]
        self.backward = [
            rule(place, node, nodes)
            for place, node in enumerate(nodes)
            if node.active and node.args
        ][::-1]
        self.steps = [
            rule(place, node, nodes)
            for place, node in enumerate(nodes)
            if node.op in STEPS and self._uncertain(node)
        ]

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
            registers[place] = pi() if name is Named.PI else e()
        for place, entry in entries.items():
            registers[place] = entry
        if unify:
            return self._unified(registers)
        for place, function, args, arity in self.forward:
            if arity == 2:
                registers[place] = function(registers[args[0]], registers[args[1]])
            elif arity == 1:
                registers[place] = function(registers[args[0]])
            else:
                registers[place] = function([registers[k] for k in args])
        return registers

    def rerun(
        self, registers: Sequence[Register], place: int, entry: Register
    ) -> list[Register]:
        """``registers`` with another value of one leaf: only what uses it is computed again."""
        again = list(registers)
        again[place] = entry
        for where, function, args, arity in self._cone(place).forward:
            if arity == 2:
                again[where] = function(again[args[0]], again[args[1]])
            elif arity == 1:
                again[where] = function(again[args[0]])
            else:
                again[where] = function([again[k] for k in args])
        return again

    def _cone(self, place: int) -> Cone:
        if place not in self.cones:
            users = self.downstream([place])
            self.cones[place] = Cone(
                forward=[f for f in self.forward if f[0] in users],
                backward=[b for b in self.backward if b.place in users],
            )
        return self.cones[place]

    def _unified(self, registers: list[Register]) -> list[Register]:
        numbers: dict[fmpq, fmpq] = {}
        results: dict[tuple[object, ...], Register] = {}
        for place, register in enumerate(registers):
            if isinstance(register, fmpq):
                registers[place] = numbers.setdefault(register, register)
        for place, function, args, arity in self.forward:
            operands = [registers[k] for k in args]
            key = (function, *map(id, operands))
            if key not in results:
                result = function(*operands) if arity else function(operands)
                if isinstance(result, fmpq):
                    result = numbers.setdefault(result, result)
                results[key] = result
            registers[place] = results[key]
        return registers

    def sweep(
        self,
        registers: Sequence[Register],
        *,
        settle: bool = False,
        chosen: Mapping[int, Partials | Tie] | None = None,
        outputs: Sequence[int] | None = None,
        leaf: int | None = None,
    ) -> Sweep:
        """The gradient of the sum of all outputs, or of those at the places ``outputs``.

        With ``leaf`` only the adjoint of this place is right, and found sooner. Where it is not
        known whether there is a kink the partials are intervals over what is possible; with
        ``settle`` it counts as one. ``chosen`` overrides the partials of nodes.
        """
        adjoints: list[Value | None] = [None] * len(self.fixed)
        ties: dict[int, Tie] = {}
        for place in self.tape.outputs if outputs is None else outputs:
            seed = UNDEFINED if registers[place] is UNDEFINED else ONE
            before = adjoints[place]
            adjoints[place] = seed if before is None else add(before, seed)
        for entry in self.backward if leaf is None else self._cone(leaf).backward:
            place, args, _, wanted, _ = entry
            adjoint = adjoints[place]
            if adjoint is None:
                continue
            if chosen is not None and place in chosen:
                partials = chosen[place]
            else:
                partials = differentiated(entry, registers)
            if isinstance(partials, Tie):
                if partials.alternatives or partials.removable:
                    ties[place] = partials
                if partials.settled or settle:
                    partials = partials.convention
                else:
                    partials = interval(partials)
            spread(adjoints, adjoint, args, partials, wanted)
        return Sweep(adjoints, ties)

    def changed(
        self, registers: Sequence[Register], changes: Mapping[int, Change]
    ) -> tuple[list[Register], dict[int, Partials | Tie]]:
        """``registers`` where some nodes get other arguments, and the partials of those nodes."""
        again = list(registers)
        operands: dict[int, list[Register]] = {}
        users = self.downstream(list(changes))
        for place, function, args, arity in self.forward:
            if place not in users:
                continue
            given = [again[k] for k in args]
            if place in changes:
                given = operands[place] = changes[place](given)
            again[place] = function(*given) if arity else function(given)
        partials = {
            entry.place: partials_at(entry, operands[entry.place], again[entry.place])
            for entry in self.backward
            if entry.place in operands
        }
        return again, partials

    # -------------------------------------------------------------------------------- kinks

    def reachable_ties(self, registers: Sequence[Register]) -> dict[int, Tie]:
        """The ties that any choice may lead to, also those behind a derivative of 0."""
        reached = set(self.tape.outputs)
        ties: dict[int, Tie] = {}
        for entry in self.backward:
            if entry.place not in reached:
                continue
            found = differentiated(entry, registers)
            options: list[Partials]
            if isinstance(found, Tie):
                ties[entry.place] = found
                options = [found.convention, *found.alternatives]
            else:
                options = [found]
            for partials in options:
                used = zip(entry.args, partials, strict=True)
                reached.update(a for a, p in used if p is not None)
        return ties

    def alternatives(
        self,
        registers: Sequence[Register],
        ties: Mapping[int, Tie],
        chosen: Mapping[int, Partials | Tie] | None = None,
    ) -> list[list[Value | None]]:
        """The adjoints of every combination of choices, or their hull if those are too many.

        ``chosen`` overrides the partials of nodes, ties apart.
        """
        given = chosen or {}
        open_ = {place: tie for place, tie in ties.items() if tie.alternatives}
        count = 1
        for tie in open_.values():
            count *= len(tie.alternatives)
            if count > MOST_CHOICES:
                all_ = {place: interval(tie) for place, tie in open_.items()}
                return [
                    self.sweep(
                        registers, settle=True, chosen={**given, **all_}
                    ).adjoints
                ]
        combinations = itertools.product(*(tie.alternatives for tie in open_.values()))
        return [
            self.sweep(
                registers,
                settle=True,
                chosen={**given, **dict(zip(open_, choice, strict=True))},
            ).adjoints
            for choice in combinations
        ]

    def jumps(self, registers: Sequence[Register]) -> list[int]:
        """The places whose value jumps here, where rounding may decide on which side it is."""
        found = []
        for entry in self.steps:
            partials = differentiated(entry, registers)
            if isinstance(partials, Tie) and partials.jump:
                found.append(entry.place)
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


def spread(
    adjoints: list[Value | None],
    adjoint: Value,
    args: tuple[int, ...],
    partials: Partials,
    wanted: Wanted,
) -> None:
    """Adds to the adjoints of the arguments what a node with ``adjoint`` hands down to them."""
    for k, partial in enumerate(partials):
        if partial is None or not wanted[k]:
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
