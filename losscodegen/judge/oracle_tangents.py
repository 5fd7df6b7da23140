"""A tape differentiated once more: rows of the Hessian, by one pass forwards and one backwards.

The pass forwards gives every node its velocity where one leaf moves with velocity 1, the pass
backwards how its adjoint then moves. The leaves' adjoints are the gradient, so what they gain is a
row of second derivatives. Both are enclosures like all numbers of the oracle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from losscodegen.judge.oracle_kinks import Partials, Tie
from losscodegen.judge.oracle_nodes import Register, Rule, differentiated
from losscodegen.judge.oracle_numbers import ONE, ZERO, Value, zero
from losscodegen.judge.oracle_run import Machine, spread
from losscodegen.judge.oracle_seconds import (
    MORE,
    Change,
    plus,
    product,
)
from losscodegen.judge.oracle_seconds_unary import UNARY


class KinkError(Exception):
    """What is to be differentiated has a kink here, or nobody knows whether it has one."""

    def __init__(self, *, settled: bool) -> None:
        super().__init__()
        self.settled = settled


@dataclass(slots=True)
class Tangents:
    """A tape at one point, with the adjoints of its outputs."""

    machine: Machine
    registers: Sequence[Register]
    adjoints: Sequence[Value | None] = ()
    _partials: dict[int, Partials | Tie] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.adjoints:
            self.adjoints = self.machine.sweep(self.registers, settle=True).adjoints

    def row(self, leaf: int) -> list[Change]:
        """The derivative of every adjoint by the leaf at a place.

        Raises `KinkError` where a choice that the leaf has a part in is tied.
        """
        machine, registers = self.machine, self.registers
        moves: dict[int, Value] = {leaf: ONE}
        for entry in reversed(machine.backward):
            self._move(entry, moves)
        seconds: list[Change] = [None] * len(registers)
        for entry in machine.backward:
            place, args, _, wanted, _ = entry
            second = seconds[place]
            if second is not None:
                spread(seconds, second, args, self._smooth(entry), wanted)
            adjoint = self.adjoints[place]
            if adjoint is not None and any(a in moves for a in args):
                changes = self._changes(entry, moves)
                spread(seconds, adjoint, args, changes, wanted)
        return seconds

    def velocities(self, leaf: int) -> Mapping[int, Value]:
        """The derivative by the leaf of every node that has one other than 0; at kinks the
        conventions."""
        moves: dict[int, Value] = {leaf: ONE}
        for entry in reversed(self.machine.backward):
            if any(a in moves for a in entry.args):
                partials = differentiated(entry, self.registers)
                if isinstance(partials, Tie):
                    partials = partials.convention
                _moved(entry, partials, moves)
        return moves

    def _move(self, entry: Rule, moves: dict[int, Value]) -> None:
        if self.adjoints[entry.place] is None:
            return
        if any(a in moves for a in entry.args):
            _moved(entry, self._smooth(entry), moves)

    def _smooth(self, entry: Rule) -> Partials:
        """The partial derivatives of a node, if it has any."""
        if entry.place not in self._partials:
            self._partials[entry.place] = differentiated(entry, self.registers)
        partials = self._partials[entry.place]
        if isinstance(partials, Tie):
            raise KinkError(settled=partials.settled)
        return partials

    def _changes(self, entry: Rule, moves: Mapping[int, Value]) -> list[Change]:
        op = self.machine.tape.nodes[entry.place].op
        args = [self.registers[a] for a in entry.args]
        result = self.registers[entry.place]
        if entry.unary:
            bend = UNARY[op](args[0], result)
            return [product(bend, moves.get(entry.args[0]))]
        velocities = [moves.get(a) for a in entry.args]
        return MORE[op](args, result, velocities, moves.get(entry.place), entry.wanted)


def _moved(entry: Rule, partials: Partials, moves: dict[int, Value]) -> None:
    found = plus(
        *(product(p, moves.get(a)) for a, p in zip(entry.args, partials, strict=True))
    )
    if found is not None and not zero(found):
        moves[entry.place] = found


def number(change: Change) -> Value:
    return ZERO if change is None else change
